"""Growth of the cathode resistance on held cells: coating > batch > cell.

While a charged cell is held at the upper potential its cathode resistance grows with the square
root of time; at rest at a lower potential it is read before and after:

    hold:         R(t) = R_0 + k t^(1/2)
    rest:         R    = R_s exp(rise c + shift (d - c)),   c = (cycle - 2) / 2 in [0, 1]
    either:       R exp(b u)

R_0 is free: the first spectrum of a hold ends some minutes after it began, so that a printed
"start" is R(t_0) at a t_0 that is a parameter of its own. ``rise`` is ln(R_end / R_start) as the
protocol reads it, the start on charge (d = 0) and the end on discharge (d = 1); ``shift`` is what
another direction would change, and no more than its prior where all spectra follow the protocol. u
is the offset of the relaxed potential (mV) and b the relative slope against it, known for the bare
sample only and for a coated one to a factor of two, unless its own was measured.

ln k and ln R of a cell deviate from the coating's by normal effects of batch and cell; those of ln
R are shared by all states of a cell but for ``state_sd``, and those of ln k are correlated with
them (``shared``): little contact area raises both. Readings are log-normal. A printed slope is a
reading of k.

A ranking by k ranks what these holds show. It is no constant of an interphase: charge transfer,
constriction and surface layers are in one resistance, and the growth in the hold is two to five
times that seen at rest.

With one value a coating the spread between batches and cells is the prior's, and the fit says so
(``noise``). Limits: k above zero; the slope against potential was seen after charging to the upper
potential and is used at rest too; growth over many cycles is not described.

Sources: Kissel (2025), doctoral thesis, publication V (doi 10.1149/1945-7111/ae55d2), lines 2120 to
2124 (protocol), 2187 (what the resistance holds), 2191 (potential), 2197 (growth law), 3520 to 3529
(printed table).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .engine import Factor, Group, Inputs, LabModel, Outcome
from .engine.arrays import namespace
from .engine.encode import PARENTS, text
from .engine.inputs import slots_for
from .interphase_answers import CoatingDraws, coating_draws, noise
from .interphase_rows import (
    BARE,
    END_CYCLE,
    GROWTH,
    RESISTANCE,
    RESTED,
    SOC_SLOPE,
    SOC_SPAN_MV,
    START_CYCLE,
    prepare,
)

__all__ = ["BARE", "MODEL", "SOC_SLOPE", "SOC_SPAN_MV", "CoatingDraws", "coating_draws",
           "end_fraction", "held_resistance", "noise", "potential_factor", "rested_resistance"]


def held_resistance(initial: Any, growth: Any, hold_h: Any) -> Any:
    """Cathode resistance in the hold, R_0 + k t^(1/2).

    Parameters
    ----------
    initial
        R_0 (ohm cm2), the resistance extrapolated to the start of the hold.
    growth
        k (ohm cm2 h^-1/2).
    hold_h
        Time since the hold began (h), 0 or more.
    """
    return initial + growth * namespace(initial, growth, hold_h).sqrt(hold_h)


def end_fraction(cycle: Any) -> Any:
    """Where a rested reading stands between start (0, cycle 2) and end (1, cycle 4)."""
    xp = namespace(cycle)
    return xp.clip((cycle - START_CYCLE) / (END_CYCLE - START_CYCLE), 0.0, 1.0)


def rested_resistance(start: Any, rise: Any, cycle: Any, discharged: Any, shift: Any) -> Any:
    """Cathode resistance at rest (ohm cm2), R_s exp(rise c + shift (d - c)).

    Parameters
    ----------
    start
        R_s (ohm cm2), before the hold, read on charge.
    rise
        ln(R_end / R_start), the end read on discharge.
    cycle
        Cycle of the reading; 2 is the start and 4 the end.
    discharged
        d, 1 where the cell was discharged to the potential and 0 where it was charged to it.
    shift
        ln of the resistance after a discharge over that after a charge.
    """
    xp = namespace(start, rise, cycle, discharged, shift)
    c = end_fraction(cycle)
    return start * xp.exp(rise * c + shift * (discharged - c))


def potential_factor(slope: Any, offset_mV: Any) -> Any:
    """Factor on a resistance read at another potential, exp(b u).

    Parameters
    ----------
    slope
        b (1/mV), relative change of the resistance per mV.
    offset_mV
        u (mV), relaxed potential less that of the others.
    """
    return namespace(slope, offset_mV).exp(slope * offset_mV)


def build(x: Inputs) -> None:
    """Coatings, their batches and cells; resistances and printed slopes."""
    import pytensor.tensor as pt

    magnitude = ("cathodes of sulfide cells: some to some hundred ohm cm2; a factor of 7 either "
                 "way; not centred on the published table")
    capacity_spread = ("no scatter of a cathode resistance is printed; capacities of batches "
                       "scatter by 1 to 5 %, resistances of anodes by 40 % (lines 835, 871, 873)")
    start = x.prior("start_resistance", "LogNormal", 50.0, 2.0, unit="ohm cm2", group="coating",
                    meaning="resistance at rest before the hold", source=magnitude)
    initial = x.prior("initial_resistance", "LogNormal", 50.0, 2.0, unit="ohm cm2",
                      group="coating", source=magnitude,
                      meaning="resistance in the hold, extrapolated to its beginning")
    growth = x.prior("growth", "LogNormal", 5.0, 2.0, unit="ohm cm2 h^-1/2", group="coating",
                     meaning="growth of the resistance with the root of the hold's time",
                     source="a tenth of the resistance in an hour, a factor of 7 either way")
    rise = x.prior("rise", "Normal", 0.0, 0.5, unit="1", group="coating",
                   meaning="ln of the resistance at rest after the hold, on discharge, over that "
                           "before it, on charge",
                   source="may fall or rise, by a factor of 1.6 at one sd")
    first = x.prior("first_spectrum_h", "LogNormal", 0.1, 0.7, unit="h", group="coating",
                    meaning="time of the first spectrum of a hold, where none is given",
                    source="a spectrum down to 0.1 Hz takes some minutes")
    factor = x.prior("soc_factor", "LogNormal", 1.0, float(np.log(2.0)), unit="1",
                     group="coating", source="known for the bare sample only (line 2191)",
                     meaning="slope against potential over that of the bare sample; not used for "
                             "the bare one, nor where the slope was measured")
    soc = x.prior("soc_scale", "LogNormal", 1.0, 0.25, unit="1",
                  meaning="common factor on all slopes against potential",
                  source="30 to 40 % for 46 mV (line 2191), of the lower or the higher resistance")
    shift = x.prior("direction_shift", "Normal", 0.0, 0.1, unit="1",
                    meaning="ln of the resistance at rest after a discharge over after a charge",
                    source="hysteresis at one potential; no pair of spectra is printed")
    batch_sd = x.prior("batch_resistance_sd", "LogNormal", 0.15, 0.5, unit="1",
                       meaning="sd of ln R between batches of a coating", source=capacity_spread)
    cell_sd = x.prior("cell_resistance_sd", "LogNormal", 0.2, 0.5, unit="1",
                      meaning="sd of ln R between cells of a batch", source=capacity_spread)
    batch_growth_sd = x.prior("batch_growth_sd", "LogNormal", 0.15, 0.5, unit="1",
                              meaning="sd of ln k between batches of a coating",
                              source=capacity_spread)
    cell_growth_sd = x.prior("cell_growth_sd", "LogNormal", 0.2, 0.5, unit="1",
                             meaning="sd of ln k between cells of a batch",
                             source=capacity_spread)
    state_sd = x.prior("state_sd", "LogNormal", 0.1, 0.4, unit="1",
                       meaning="sd between cells of ln(R_end / R_start) and of ln(R_0 / R_start)",
                       source="a part of the scatter between cells; no replicates are printed")
    shared = x.prior("shared", "TruncatedNormal", 0.4, 0.4, -0.95, 0.95, unit="1",
                     meaning="correlation of ln k with ln R over batches and over cells",
                     source="contact area scales both; other causes do not")
    reading_sd = x.prior("reading_sd", "LogNormal", 0.03, 0.4, unit="1",
                         meaning="error of ln R of one spectrum, beside a stated one",
                         source="overlapping arcs; no errors of the circuit fits are printed")
    growth_reading_sd = x.prior("growth_reading_sd", "LogNormal", 0.05, 0.4, unit="1",
                                meaning="error of ln k of one printed slope, beside a stated one",
                                source="a line through some tens of spectra; none is printed")

    own = pt.sqrt(1.0 - shared**2)
    z: Any = x.normals("batch", "batch", width=2)
    batch_level = batch_sd * z[:, 0]
    batch_growth = batch_growth_sd * (shared * z[:, 0] + own * z[:, 1])

    # A spectrum is read to 3 %, cells are alike to 20 %: the sampler walks in the logarithms of
    # each cell's own quantities (``around``).
    home = x.data("cell__home", dtype="int64", ndim=2)
    of, inside = home[:, 0], home[:, 1]

    def placed(mean: Any, sd: Any) -> tuple[Any, Any]:
        return pt.where(of > 0, mean, 0.0), pt.where(of > 0, sd, 1.0)

    logs: list[Any] = [pt.log(start), pt.log(growth), pt.log(initial)]
    ln_start, ln_k, ln_initial = logs
    z_level = x.normals("cell_resistance", "cell",
                        around=placed(ln_start[of] + batch_level[inside], cell_sd))
    z_growth = x.normals("cell_growth", "cell", around=placed(
        ln_k[of] + batch_growth[inside] + cell_growth_sd * shared * z_level[1:],
        cell_growth_sd * own))
    level = batch_level[inside] + cell_sd * z_level[1:]
    z_initial = x.normals("cell_initial", "cell",
                          around=placed(ln_initial[of] + level, state_sd))
    z_rise = x.normals("cell_rise", "cell",
                       around=placed(ln_start[of] + rise[of] + level, state_sd))

    coating, batch, cell = x.code("coating"), x.code("batch"), x.code("cell")
    ln_level = batch_level[batch] + cell_sd * z_level[cell]
    ln_growth = batch_growth[batch] + cell_growth_sd * (
        shared * z_level[cell] + own * z_growth[cell])
    hold_h = x["hold_h"]
    time = pt.where(hold_h > 0, hold_h, first[coating])
    k = pt.exp(ln_k[coating] + ln_growth)
    held = held_resistance(
        pt.exp(ln_initial[coating] + ln_level + state_sd * z_initial[cell]), k, time)
    at_rest = rested_resistance(
        pt.exp(ln_start[coating] + ln_level), rise[coating] + state_sd * z_rise[cell],
        x["cycle"], x["direction"], shift)
    measured = x["soc_slope_per_mV"]
    slope = soc * pt.where(pt.neq(measured, 0.0), measured, SOC_SLOPE * factor[coating])
    resistance = pt.where(hold_h >= 0, held, at_rest) * potential_factor(
        slope, x["soc_offset_mV"])
    x.observe(RESISTANCE, "LogNormal", mu=resistance, sigma=reading_sd)
    x.observe(GROWTH, "LogNormal", mu=k, sigma=growth_reading_sd)


def encode_homes(
    rows: pd.DataFrame, table: pd.DataFrame, statements: bool
) -> dict[str, np.ndarray]:
    """Slots of the coating and the batch of each slot of the cells, ``(slots, 2)``; 0 if unused."""
    codes = {}
    for group in ("coating", "batch", "cell"):
        labels = (text(rows, column) for column in PARENTS.get(group, (group,)))
        keys = list(zip(*labels, strict=True))
        slot = {key: k + 1 for k, key in enumerate(dict.fromkeys(keys))}
        codes[group] = np.array([slot[key] for key in keys], dtype="int64")
    home = np.zeros((slots_for(len(set(codes["cell"])), SLOTS), 2), dtype="int64")
    home[codes["cell"] - 1] = np.stack([codes["coating"], codes["batch"]], axis=1)
    return {"cell__home": home}


SLOTS = 8
_ALIKE = ("active_material", "composition", "method", "temperature_degC", "window")

MODEL = LabModel(
    name="interphase",
    build=build,
    factors=(Factor("hold_h", RESTED, "row"), Factor("cycle", START_CYCLE, "row"),
             Factor("direction", 0.0, "row"), Factor("soc_offset_mV", 0.0, "row"),
             Factor("soc_slope_per_mV", 0.0, "row")),
    groups=(Group("coating", varies=False), Group("batch"), Group("cell")),
    outcomes=(Outcome(RESISTANCE, "LogNormal", _ALIKE), Outcome(GROWTH, "LogNormal", _ALIKE)),
    context=("time_point", "hold_V", "row_id"),
    prepare=prepare, encoders=(encode_homes,), least_slots=SLOTS, adaptation="diag", accept=0.9,
    what="Growth of the cathode resistance in a hold and at rest, by coating, batch and cell",
    source="Kissel (2025), doctoral thesis, publication V (doi 10.1149/1945-7111/ae55d2)",
    material="active: NCM85 (polycrystals, bare and with six coatings); electrolyte: Li6PS5Cl; "
             "powder: 80:20 by mass, no carbon",
)
