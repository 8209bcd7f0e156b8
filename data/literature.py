"""The literature tables: numbers as printed, each with its source and line.

A number that exists only in a figure is absent. The digits are those of the papers; nothing that
was computed from them is stored but for the unit of the column: per cent become shares, flows of
gas a share of oxygen, and a potential against In/InLi one against Li+/Li (0.62 V higher), with
the printed value in the note.

A row of kind ``statement`` is a finding without its readings, about ``outcome`` along ``over``:
``optimum`` and ``highest_at`` name the best ``value``, ``best_between`` its range (``value_low``,
``value_high``), ``declines_above`` the ``value`` from which it falls, ``complete_at`` and
``incomplete_at`` where a change is over or not yet, ``ordering`` the levels (``value``, or the
range) that the note sets above or below others, ``reduced_by`` the share by which it is lower
than in the rows that the note names, ``calculated`` a number that the source worked out. Which
end is good is the outcome's: the best degradation is the lowest. A number that its own source
contradicts has ``status`` conflict.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from .columns import did_you_mean
from .reading import read

FOLDER = Path(__file__).parent / "literature"

WHAT = {
    "frankenberg2025_milling": "milling runs in a planetary mill: settings, E_m, capacity, "
    "utilization and porosity where printed, and two published statements",
    "frankenberg2025_dem_exponents": "exponents of stress energy and stress frequency in speed and "
    "bead diameter at three fillings, from simulated bead motion",
    "frankenberg2025_film": "dry films from two pre-milled composites: utilization, capacity, "
    "retention",
    "kissel2025_mixing": "hand and machine mixing: capacities at three rates as batch and pooled "
    "summaries of nested cells",
    "kissel2025_active_capacity": "capacity per gram of connected active material at three rates",
    "kissel2025_utilization": "static utilization by three techniques, as printed",
    "kissel2025_correlations": "correlation of capacity with utilization and with resistance",
    "kissel2025_anode_resistance": "anode resistance by preparation, before and after cycling",
    "kissel2025_carbon_cells": "six composites of rising carbon content: first cycle, 1C capacity, "
    "utilization, retention, and published statements",
    "kissel2025_carbon_conductivity": "electronic and ionic conductivity of matrix and composite "
    "over carbon content",
    "kissel2025_recipes": "weighed masses, solid volumes and mixed densities of the composites "
    "made by mechanofusion",
    "kissel2025_stress_intensity": "stress intensity and coverage over rotor speed, thickness of "
    "coatings, porosity and plasticity of the matrix",
    "kissel2025_annealing": "a coating annealed at seven temperatures: printed numbers and the "
    "published statements on coverage, oxidation, degradation and cells",
    "kissel2025_coatings": "cathode resistance of six coatings and the bare reference at four "
    "times, and its growth during the hold",
    "kissel2025_annealed_film": "tape-cast cells with a coating annealed at 400 degC and without: "
    "rate test and retention",
    "kissel2025_coating_cells": "text numbers of the cells with six coatings: capacities, "
    "coverage, rise of resistance, retention; contradictions in the text marked",
    "kissel2025_carbon_fibre": "what a bad kind of carbon fibre costs: published statements on "
    "capacity by kind of fibre and share of active material",
    "kissel2025_cell_energy": "energy of one press cell and of hypothetical cells with a thinner "
    "separator and a lighter anode, with the masses, as the source calculated them",
    "schneider2023_pellets": "powder pressed up to 1.7 GPa, two sieve fractions of t-Li7SiPS8: "
    "conductivity at printed pressures, yield pressures in the die, recovery, side phase, "
    "activation volume, particle sizes, and published statements",
    "prein2022_criteria": "eight quality criteria of composite cathodes: printed signs as they "
    "stand in the text (decoded by data.quality_criteria)",
    "prein2022_levers": "four composition levers and their printed effect on energy and power "
    "density, the loading's row in conflict with the text",
    "prein2022_mixing": "three mixing times of a cathode slurry, one of them failed, and what was "
    "said about them; no value is printed",
    "alabdali2024_slurry": "slurry casting of NMC811 / Li6PS5Cl cathodes: recipe, process, rounded "
    "porosities and ranges of density, conductivities that went into a simulation, casting windows "
    "and published statements; no viscosity is printed",
}


def load(name: str) -> pd.DataFrame:
    """Return a literature table, checked like any other.

    Raises
    ------
    KeyError
        If there is no table of this name; the message names the nearest one.
    """
    if name not in WHAT:
        raise UnknownTableError(
            f"there is no literature table {name!r}{did_you_mean(str(name), WHAT) or '.'} "
            f"There are: {', '.join(WHAT)}"
        )
    return read(FOLDER / f"{name}.csv")


def catalog() -> pd.DataFrame:
    """List the literature tables: name, rows, source (DOI), what it is."""
    entries = []
    for name, what in WHAT.items():
        table = load(name)
        sources = "; ".join(dict.fromkeys(table["source"].dropna()))
        entries.append({"name": name, "rows": len(table), "source": sources, "what": what})
    return pd.DataFrame(entries)


class UnknownTableError(KeyError):
    """A literature table that does not exist."""

    def __str__(self) -> str:
        return str(self.args[0])
