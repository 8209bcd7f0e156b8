"""Conductivities from spectra of blocking cells: gate, posterior, and what it cannot tell.

Each spectrum goes through the questions of ``impedance``: is it one steady cell's
(Kramers-Kronig), what are the rails (importance sampling around all explanations, walked on where
that is rough), and does the transmission line describe it at all. Then each conductivity is told
with the question behind it: does it come from the data?

``data``   yes;
``weak``   hardly: the 90 % interval spans more than a factor of ``FACTOR``, or the rail conducts
           more than ``RATIO_LIMIT`` times worse than the one that the contacts feed;
``prior``  no: it is as wide as before (0.8 of the prior's standard deviation or more).

A weak rail comes with what the other blocking cell would bring. Thickness and area enter with their
errors, which both conductivities share and their ratio does not have.

Sources: as ``transmission_line``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ..data import impedance as tables
from ..data.problems import Problem, TableError
from . import blocking_design as design
from . import circuit_fit as circuits
from . import transmission_fit as fitting
from . import transmission_line as lines
from .adequacy import IN_ROWS, LEVEL, described
from .blocking_design import AREA_ERROR, RATIO_LIMIT, THICKNESS_ERROR
from .engine.arrays import expit
from .kramers_kronig import KramersKronig, kramers_kronig
from .walkers import STEPS, walk

FACTOR = 3.0
"""Upper over lower end of a 90 % interval beyond which a conductivity is weak."""
FROM_PRIOR = 0.8
"""Posterior over prior sd above which a number is from the prior."""
ROUGH = 0.5
"""k-hat above which importance draws are walked on."""
RAILS = ("electronic", "ionic")
KEPT = ("thickness_um", "area_cm2", "blocking", "temperature_degC", "stack_MPa", "kind")


@dataclass(frozen=True)
class Conductivities:
    """Answer of ``conductivities``.

    Attributes
    ----------
    table : DataFrame
        One row a spectrum, refused ones too (``status`` failed, with the ``reason``).
    spectra : DataFrame
        All points.
    draws : dict
        Position in ``table`` -> parameters by name, with ``electronic`` and ``ionic`` (mS/cm, the
        errors of thickness and area in them), ``ratio``, ``series`` (ohm cm2) and ``interface``
        (|z_int| at 1 rad/s times area, ohm cm3); arrays of draws. ``geometry`` is the factor by
        which a draw's conductivities were multiplied for the errors of thickness and area.
    gates : list of KramersKronig
    sentences : list of str
    """

    table: pd.DataFrame
    spectra: pd.DataFrame = field(repr=False)
    draws: dict[int, dict[str, np.ndarray]] = field(repr=False)
    gates: list[KramersKronig] = field(repr=False)
    sentences: list[str]

    def __str__(self) -> str:
        return "\n".join(self.sentences)


def checked(spectra: pd.DataFrame | str | os.PathLike[str]) -> pd.DataFrame:
    """Spectra of blocking cells, with their thickness and the kind of contacts in every row.

    Raises
    ------
    data.TableError
        Naming what is missing or wrong.
    """
    table: Any = (tables.spectra_table(spectra, capacitive=False)
                  if isinstance(spectra, pd.DataFrame)
                  else tables.read_spectra(spectra, capacitive=False))
    needs = {"thickness_um": "in um: a conductivity is thickness over resistance and area",
             "blocking": "'ion' for metal foils on the composite, 'electron' for layers of "
                         "electrolyte on both sides"}
    problems = [Problem(None, name, None, f"this column is missing ({why})")
                for name, why in needs.items() if name not in table]
    problems += [Problem(row, name, None, f"this cell is empty ({why})")
                 for name, why in needs.items() if name in table
                 for row in table.index[table[name].isna()][:1]]
    if not problems:
        names = [n for n in (*needs, lines.SERIES_COLUMN) if n in table]
        for labels, part in tables.spectra(table):
            problems += [Problem(part.index[0], name, f"{part[name].nunique(dropna=False)} values",
                                 f"one value in spectrum {labels['spectrum']!r}")
                         for name in names if part[name].nunique(dropna=False) > 1]
    if problems:
        raise TableError("spectra", problems)
    return table


def conductivities(
    spectra: pd.DataFrame | str | os.PathLike[str], *, electrolyte_mS_cm: float | None = None,
    seed: int = 1, draws: int = circuits.DRAWS,
) -> Conductivities:
    """Electronic and ionic conductivity of every spectrum of blocking cells.

    Parameters
    ----------
    spectra
        As `data.impedance.read_spectra` takes them, with ``thickness_um`` and ``blocking``
        ("ion" or "electron"); ``thickness_um_sd`` and ``area_cm2_sd`` where they are known (3 %
        and 1 % are taken otherwise), ``series_ohm_cm2`` where the cell without the composite was
        measured.
    electrolyte_mS_cm
        Conductivity of the electrolyte alone (mS/cm). No effective ionic conductivity exceeds it:
        a spectrum whose 90 % interval lies above it is refused, and of any other what lies above
        it is left out, which also tells some arcs of contacts from those of the line.
    seed
        Of the samplers.
    draws
        Number of posterior draws.

    Returns
    -------
    Conductivities
        With ``table`` of the labels; for each rail ``electronic_mS_cm`` and ``ionic_mS_cm``
        (medians), their ``_sd`` (median times sd of the logarithm), ``_low`` and ``_high`` (90 %
        equal-tailed), ``electronic_factor`` (high over low), ``electronic_sd_ratio`` (over the
        prior's sd, of logarithms), ``electronic_informed_by`` (data, weak, prior), and so for
        ``ionic``; ``ratio`` with ``ratio_low`` and ``ratio_high``; ``contact_share``,
        ``interface_ohm_cm3``; ``next_cell``; ``status``, ``reason``; the gate's columns as in
        ``impedance.evaluate``; ``circuit_p``, ``noise_pct``, ``khat``, ``posterior``.

    Raises
    ------
    data.TableError
        If the table cannot be right.
    ValueError
        If the electrolyte's conductivity is not above 0.
    """
    if electrolyte_mS_cm is not None and not electrolyte_mS_cm > 0:
        raise ValueError(f"electrolyte_mS_cm is {electrolyte_mS_cm}; it must be above 0")
    table = checked(spectra)
    rows, kept, gates, sentences = [], {}, [], []
    for position, (labels, part) in enumerate(tables.spectra(table)):
        row: dict[str, Any] = dict(labels)
        row |= {name: part[name].iloc[0] for name in KEPT if name in part}
        gate, found, drawn = _one(part, electrolyte_mS_cm, seed + position, draws)
        gates.append(gate)
        rows.append(row | {"technique": "impedance"} | found)
        if drawn is not None:
            kept[position] = drawn
        named = " ".join(str(v) for v in labels.values() if v is not None)
        sentences.append(f"{named}: {sentence(rows[-1])}")
    return Conductivities(pd.DataFrame(rows), table, kept, gates, sentences)


def _one(part: Any, bulk: float | None, seed: int, draws: int,
         ) -> tuple[KramersKronig, dict[str, Any], dict[str, np.ndarray] | None]:
    """Gate, columns of the answer, and draws of one spectrum."""
    cell = fitting.cell_of(part)
    f, re, im = (part[name].to_numpy(float) for name in
                 (tables.FREQUENCY, tables.REAL, tables.IMAGINARY))
    gate = kramers_kronig(f, re * cell.area_cm2, im * cell.area_cm2)
    told: dict[str, Any] = {
        "kk_passed": gate.passed, "kk_p": gate.p, "kk_residual_pct": 100 * gate.residual,
        "kk_worst_pct": 100 * gate.worst, "kk_worst_Hz": gate.worst_Hz, "kk_low_Hz": gate.low_Hz,
        "kk_high_Hz": gate.high_Hz}
    if not gate.passed:
        why = gate.sentence
        if kramers_kronig(f, re, -im).passed:
            why = ("the imaginary part has the wrong sign (capacitive is negative): if the file "
                   "holds -Z'', multiply it by -1")
        return gate, _refused(why, told), None
    spectrum = fitting.seen(part, gate, cell)
    found = fitting.modes(spectrum)
    if not found:
        return gate, _refused("no fit of the transmission line has converged", told), None
    told["circuit_p"], correlated = described(spectrum, found[0], gate)
    if told["circuit_p"] < LEVEL or correlated > IN_ROWS:
        return gate, _refused(
            f"two rails do not describe this spectrum (p = {told['circuit_p']:.2g} against a free "
            "sum of relaxations): contacts that react, a graded electrode or a third process; its "
            "conductivities would mean nothing", told), None
    drawn = fitting.sample(spectrum, found, seed, draws)
    told |= {"khat": drawn.khat, "posterior": "importance sampling"}
    u = drawn.u
    if drawn.khat > ROUGH:
        moved = walk(spectrum.log_density, u, seed)
        if not moved.settled:
            moved = walk(spectrum.log_density, moved.u, seed + 1, steps=2 * STEPS)
        if not moved.settled:
            return gate, _refused("the posterior could not be sampled: importance sampling is "
                                  "rough and the walk that follows does not settle", told), None
        u, told["posterior"] = moved.u, "walkers"
    values = _values(part, cell, u, seed)
    if bulk is not None:
        from .transport_bounds import refuse_impossible

        low = pd.DataFrame({"ionic_mS_cm": [float(np.quantile(values["ionic"], 0.05))]})
        try:
            refuse_impossible(low, bulk, where="spectrum")
        except TableError as error:
            why = ("even the lower end of the 90 % interval of the ionic conductivity is "
                   f"impossible: {error.problems[0]}; check thickness, area and contacts")
            return gate, _refused(why, told), None
        possible = values["ionic"] <= bulk
        values = {name: drawn[possible] for name, drawn in values.items()}
    told["geometry_error"] = geometry_error(part)
    return gate, told | _answers(values, cell), values


def _values(part: Any, cell: fitting.Cell, u: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Draws of what is asked, the errors of thickness and area among them."""
    rng = np.random.default_rng([seed, 31])
    geometry = geometry_error(part)
    off = np.exp(geometry * rng.normal(size=len(u)))
    series, electrons, ions = fitting.resistances(u, cell.logit, cell.swap)
    rails = dict(zip(RAILS, (lines.areal_resistance(cell.thickness_um, r)
                             for r in (electrons, ions)), strict=True))
    _, exponent = lines.exponents(u[:, fitting.CONTACT_A], u[:, fitting.LINE_A])
    return fitting.natural(u) | {name: rail * off for name, rail in rails.items()} | {
        "geometry": off, "series": series, "contact_share": expit(u[:, fitting.CONTACT]),
        "interface_exponent": exponent,
        "interface": lines.interface_ohm_cm3(electrons, ions, u[:, fitting.TAU], exponent,
                                             cell.thickness_um)}


def geometry_error(part: Any) -> float:
    """Relative sd of thickness over area, of the rows of one cell."""
    found = []
    for name, usual in (("thickness_um", THICKNESS_ERROR), ("area_cm2", AREA_ERROR)):
        sd = float(part[f"{name}_sd"].iloc[0]) if f"{name}_sd" in part else float("nan")
        found.append(sd / float(part[name].iloc[0]) if np.isfinite(sd) else usual)
    return float(np.hypot(*found))


def verdict(low: float, high: float, sd_ratio: float, beaten: float) -> str:
    """What a conductivity is informed by: ``data``, ``weak`` or ``prior``.

    Parameters
    ----------
    low, high
        90 % interval.
    sd_ratio
        Posterior over prior sd of its logarithm.
    beaten
        How many times better the rail conducts that the contacts feed, or 0 for that rail itself.
    """
    if sd_ratio > FROM_PRIOR:
        return "prior"
    return "weak" if high > FACTOR * low or beaten > RATIO_LIMIT else "data"


def _answers(values: dict[str, np.ndarray], cell: fitting.Cell) -> dict[str, Any]:
    """Columns of the answer from draws."""
    ratio = float(np.median(values["ratio"]))
    prior = dict(zip(fitting.NAMES, fitting.prior_scale()[1], strict=True))
    out: dict[str, Any] = {}
    for k, name in enumerate(RAILS):
        drawn = values[name]
        low, median, high = (float(v) for v in np.quantile(drawn, [0.05, 0.5, 0.95]))
        sd = float(np.log(drawn).std())
        blocked = (k == 1) != (cell.swap > 0.5)
        # of the blocked rail the ratio is asked; the total is known in any case
        sd_ratio = (float(np.log(values["ratio"]).std()) / prior["ratio"] if blocked
                    else sd / prior["total"])
        beaten = (ratio if cell.swap < 0.5 else 1 / ratio) if blocked else 0.0
        out |= {f"{name}_mS_cm": median, f"{name}_mS_cm_sd": median * sd,
                f"{name}_mS_cm_low": low, f"{name}_mS_cm_high": high, f"{name}_factor": high / low,
                f"{name}_sd_ratio": sd_ratio,
                f"{name}_informed_by": verdict(low, high, sd_ratio, beaten)}
    low, high = np.quantile(values["ratio"], [0.05, 0.95])
    out |= {"ratio": ratio, "ratio_low": float(low), "ratio_high": float(high),
            "contact_share": float(np.median(values["contact_share"])),
            "interface_ohm_cm3": float(np.median(values["interface"])),
            "noise_pct": 100 * float(values["noise"].mean()), "status": "done", "reason": ""}
    out["next_cell"] = proposal(out, cell, values)
    return out


def proposal(found: dict[str, Any], cell: fitting.Cell, values: dict[str, np.ndarray]) -> str:
    """The other blocking cell, and what it would bring, where a rail is weak; else empty."""
    own, other = ((lines.ELECTRON, lines.ION) if cell.swap > 0.5 else (lines.ION, lines.ELECTRON))
    weak = "ionic" if own == lines.ION else "electronic"
    if found[f"{weak}_informed_by"] == "data":
        return ""
    at: dict[str, Any] = {name: float(np.median(values[name])) for name in
          ("contact_logit", "line_ln_tau", "line_logit", "ln_lag", "contact_exponent_logit")}
    table = design.expected(found["electronic_mS_cm"], found["ionic_mS_cm"],
                            thickness_um=cell.thickness_um, area_cm2=cell.area_cm2,
                            noise=found["noise_pct"] / 100, **at)
    gained = float(table[f"{weak}_factor"].loc[other])
    ratios = [found["ratio_low"], found["ratio"], found["ratio_high"]]
    least, share, most = sorted(100 * design.arc_share(r, own) for r in ratios)
    seen = (f"only {share:.2g} % of this cell's impedance"
            if share < 100 / (1 + RATIO_LIMIT) else
            f"{least:.2g} to {most:.2g} % of this cell's impedance and hard to tell from contacts")
    return (f"the {weak} rail's arc is {seen}; a cell that "
            f"blocks {other}s would give its conductivity within a factor of {gained:.3g} (90 % "
            f"interval, upper over lower end), this one within {found[f'{weak}_factor']:.3g}")


def _refused(why: str, told: dict[str, Any]) -> dict[str, Any]:
    """A spectrum without numbers: the same columns, empty."""
    names = [f"{rail}{end}" for rail in RAILS for end in
             ("_mS_cm", "_mS_cm_sd", "_mS_cm_low", "_mS_cm_high", "_factor", "_sd_ratio")]
    names += ["ratio", "ratio_low", "ratio_high", "contact_share", "interface_ohm_cm3"]
    first = dict.fromkeys([*names, "noise_pct", "circuit_p", "khat", "geometry_error"],
                          float("nan"))
    blank = dict.fromkeys(names, float("nan"))
    blank |= {f"{rail}_informed_by": "" for rail in RAILS}
    return first | {"posterior": ""} | told | blank | {
        "next_cell": "", "status": "failed", "reason": why}


def sentence(found: dict[str, Any]) -> str:
    """One row of the table in words."""
    if found["status"] == "failed":
        return f"refused: {found['reason']}"
    parts = []
    for rail in RAILS:
        low, high = found[f"{rail}_mS_cm_low"], found[f"{rail}_mS_cm_high"]
        source = found[f"{rail}_informed_by"]
        if source == "data":
            parts.append(f"{rail} {found[f'{rail}_mS_cm']:.3g} mS/cm (90 % interval {low:.3g} to "
                         f"{high:.3g}, equal-tailed)")
        else:
            what = "from the prior" if source == "prior" else "weak"
            parts.append(f"{rail} {what}: {low:.2g} to {high:.2g} mS/cm (90 % interval)")
    return "; ".join([*parts, found["next_cell"]] if found["next_cell"] else parts)


def informed(found: Conductivities) -> pd.DataFrame:
    """Rows of ``found.table`` with the conductivities that the data inform, the others empty.

    Raises
    ------
    data.TableError
        If no spectrum informs any; the reasons are named.
    """
    table: Any = found.table.copy()
    for rail in RAILS:
        ends = [f"{rail}_mS_cm{end}" for end in ("", "_sd", "_low", "_high")]
        table.loc[table[f"{rail}_informed_by"].ne("data"), ends] = np.nan
    some = table[[f"{rail}_mS_cm" for rail in RAILS]].notna().any(axis=1)
    if not some.any():
        raise TableError("spectra", [Problem(k, None, None, text) for k, text in
                                     enumerate(found.sentences)])
    return table[some].reset_index(drop=True)
