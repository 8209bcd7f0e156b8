"""Technical faults of cells: what is not chemistry is named, with its mend, and kept out.

A fault says from which cycle on a cell's readings are out. The limits are stated in `Limits` and
may be replaced; they are wide, so that a bad cell is not taken for a broken one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .cycler import Record


@dataclass(frozen=True)
class Limits:
    """Where a reading stops being chemistry.

    Parameters
    ----------
    efficiency : (float, float)
        Coulombic efficiency of a cycle whose forerunner had the same rate; outside, charge goes
        through the separator. Slow side reactions stay within.
    efficiency_after_change : (float, float)
        The same where the rate has just changed: a slow discharge after fast cycles gives more
        than the charge before it.
    first_efficiency : (float, float)
        The same for cycle 1.
    highest_charge_mAh_g, highest_mAh_g : float
        Highest charge and discharge capacity per gram of active material [mAh/g]; a layered
        oxide's theoretical capacity is about 275.
    usual_mAh_g : (float, float)
        Discharge capacity of a working cell at its slowest rate [mAh/g], for telling a wrong mass
        from a wrong current where fewer than three sound cells can be compared.
    rate_within : float
        Share by which the measured rate may differ from the stated one.
    cut_off_within_V : float
        A discharge that ends so far above its cut-off [V] was interrupted.
    """

    efficiency: tuple[float, float] = (0.90, 1.05)
    efficiency_after_change: tuple[float, float] = (0.50, 1.80)
    first_efficiency: tuple[float, float] = (0.40, 1.02)
    highest_charge_mAh_g: float = 350.0
    highest_mAh_g: float = 290.0
    usual_mAh_g: tuple[float, float] = (120.0, 230.0)
    rate_within: float = 0.10
    cut_off_within_V: float = 0.05


@dataclass(frozen=True)
class Fault:
    """One fault of one cell; readings from ``from_cycle`` on are out (0: all of them)."""

    cell: str
    file: str
    fault: str
    from_cycle: float
    found: str
    mend: str


ALL = 0.0
NONE = float("inf")


def polarity(cell: str, file: str, record: Record) -> Fault | None:
    """Leads the wrong way round, or a current of the wrong sign."""
    table = record.table
    volts = table["voltage_V"].to_numpy()
    if float(np.mean(volts < -0.1)) > 0.5:
        return Fault(cell, file, "swapped polarity", ALL,
                     f"the cell voltage is negative, {np.median(volts):.2f} V in the median",
                     "the leads were swapped: the cell was charged the wrong way, discard it; if "
                     "only the sense leads were, turn the sign of the voltage in the export")
    flow = (table["mode"] == "CC").to_numpy()
    rise = np.diff(volts, prepend=volts[0]) * table["direction"].to_numpy()
    same = flow & np.append(False, np.diff(table["step"].to_numpy()) == 0)
    if same.any() and float(rise[same].sum()) < 0:
        return Fault(cell, file, "swapped polarity", ALL,
                     "the voltage falls while the current charges",
                     "the current has the wrong sign: export it with charging above zero")
    return None


def short(cell: str, file: str, cycles: pd.DataFrame, limits: Limits) -> Fault | None:
    """The first cycle at which charge goes through the separator.

    ``cycles`` has cycle, c_rate, charge_capacity_mAh_g, capacity_mAh_g, coulombic_efficiency.
    """
    before, earlier = float("nan"), None
    row: Any
    for row in cycles.itertuples(index=False):
        charged = float(row.charge_capacity_mAh_g)
        if charged > limits.highest_charge_mAh_g:
            return Fault(cell, file, "soft short", float(row.cycle),
                         f"cycle {row.cycle:g} charges {charged:.0f} mAh/g, more than the active "
                         f"material can give ({limits.highest_charge_mAh_g:g}): charge without end",
                         "discard the cell; look for a thin or cracked separator")
        low, high = (limits.first_efficiency if row.cycle == 1 else limits.efficiency
                     if row.c_rate == before else limits.efficiency_after_change)
        ratio = float(row.coulombic_efficiency)
        if row.cycle >= 1 and row.complete and not low <= ratio <= high:
            start = float(row.cycle)
            if earlier is not None and row.c_rate == before and earlier.cycle > 1:
                # the first cycle at this rate was let pass; now it is seen to leak as well
                was = float(earlier.coulombic_efficiency)
                start -= float(was < low if ratio < low else was > high)
            return Fault(cell, file, "soft short", start,
                         f"cycle {row.cycle:g} gives back {ratio:.2f} of its charge; {low:g} to "
                         f"{high:g} is expected",
                         "look at the charge curve for noise and steps; discard the cell, or "
                         "repeat it if the others of its batch are sound")
        before, earlier = row.c_rate, row
    return None


def mass_or_current(
    cell: str, file: str, ratio: float, slowest: float, peers: list[float], limits: Limits
) -> Fault | None:
    """Tell a wrong mass from a wrong current by what the capacity would be.

    Parameters
    ----------
    ratio : float
        Measured over stated rate, median of the cycles (NaN: unknown).
    slowest : float
        Discharge capacity at the slowest rate [mAh/g], on the mass of the sheet.
    peers : list of float
        The same of cells whose rate is right.
    """
    off = np.isfinite(ratio) and abs(ratio - 1.0) > limits.rate_within
    if not off:
        if slowest > limits.highest_mAh_g:
            return Fault(cell, file, "wrong mass", ALL,
                         f"{slowest:.0f} mAh/g are discharged, more than {limits.highest_mAh_g:g}",
                         "compare composite_mass_mg and active_fraction with the weighing record")
        return None
    mended = slowest / ratio  # with the mass for which the current would be right
    told = (f"the current is {ratio:.2f} times that of the stated rate; the capacity is "
            f"{slowest:.0f} mAh/g with the mass of the sheet, and would be {mended:.0f} with the "
            "mass that fits the current")
    if len(peers) >= 3:
        usual = float(np.median(peers))
        # log-likelihoods of a normal whose spread is the peers', 5 % at least; odds of 7 decide
        spread = max(0.05, 1.48 * float(np.median(np.abs(np.log(np.array(peers) / usual)))))
        by_mass, by_current = (0.5 * (np.log(q / usual) / spread) ** 2 for q in (mended, slowest))
        told += f"; {usual:.0f} is usual here"
        mass, current = by_current - by_mass > np.log(7), by_mass - by_current > np.log(7)
    else:
        low, high = limits.usual_mAh_g
        mass = low <= mended <= high and not low <= slowest <= high
        current = low <= slowest <= high and not low <= mended <= high
    if mass:
        return Fault(cell, file, "wrong mass", ALL, told,
                     f"compare composite_mass_mg with the weighing record: {ratio:.3g} times the "
                     "mass would fit")
    if current:
        return Fault(cell, file, "wrong current", ALL, told,
                     "correct rate_plan or c_rate_basis_mAh_g to what was run, or repeat the cell")
    return Fault(cell, file, "wrong mass or current", ALL, told,
                 "compare the weighing record and the cycler's program")


def off_plan(cell: str, file: str, cycles: pd.DataFrame, limits: Limits) -> Fault | None:
    """The first cycle whose current is not the plan's, where most cycles are right.

    From there on the plan may be shifted by a cycle, so that no stated rate can be trusted.
    ``cycles`` has cycle, c_rate, c_rate_measured and complete.
    """
    row: Any
    for row in cycles.itertuples(index=False):
        ratio = row.c_rate_measured / row.c_rate
        if row.cycle >= 1 and row.complete and abs(ratio - 1.0) > limits.rate_within:
            return Fault(cell, file, "wrong current", float(row.cycle),
                         f"cycle {row.cycle:g} runs at {row.c_rate_measured:.3g} C, but the plan "
                         f"says {row.c_rate:g} C",
                         "correct rate_plan to what was run, formation included")
    return None


def incomplete(
    cell: str, file: str, cycles: Any, planned: int, notes: list[str]
) -> Fault | None:
    """A record that stops before its plan, or within a discharge.

    ``cycles`` is a DataFrame with ``cycle``, ``discharge_mAh``, ``complete``, whether the
    discharge reached its cut-off, and ``partial``, whether the charge did not reach its own.
    """
    whole = int((cycles["complete"] & ~cycles["partial"] & (cycles["cycle"] >= 1)).sum())
    last = cycles["cycle"].max() if len(cycles) else 0
    broken = cycles.loc[~cycles["complete"] & (cycles["discharge_mAh"] > 0), "cycle"]
    cut = "; ".join(n for n in notes if "cut off" in n)
    first = float(broken.min()) if len(broken) else float(last + 1)
    mend = "export the file again when the test has ended, or repeat the cell if it stopped"
    if planned and whole < planned:
        told = f"{whole} of {planned} planned cycles are complete"
        return Fault(cell, file, "incomplete file", first if len(broken) else NONE,
                     told + (f"; {cut}" if cut else ""), mend)
    if len(broken) or cut or whole == 0:
        told = cut or (f"the discharge of cycle {first:g} stops before its cut-off" if len(broken)
                       else "no discharge reaches its cut-off")
        return Fault(cell, file, "incomplete file", first if len(broken) else NONE, told, mend)
    return None
