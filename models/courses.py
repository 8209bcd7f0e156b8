"""Courses over cycles: a cell's readings condensed to blocks that may be told apart.

Successive cycles of one cell are no replicates. Its course is written as medians over blocks of
equal length in s = ln(n + 2), n cycles behind (five to six blocks in 20 cycles, nine in 100), and
wanders between them as a random walk in s. Readings that a single bad cycle has spoiled do not move
a median. The model that the blocks enter is in ``fading``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from .engine import namespace
from .engine.encode import PARENTS, number, text
from .engine.inputs import slots_for

BLOCK = math.log(1.6)
"""Length of a block of cycles in s = ln(n + 2); the walk's SD is stated for it."""
READING_SD = 0.003
"""SD of ln of one capacity reading where a course is too short to show its own."""
ROUNDING = 0.003
"""SD of a retention printed in whole per cent."""
SLOTS = 8
"""Slots that every group has at least."""
BARE = ("", "bare")
ALIKE = ("capacity_basis", "c_rate_basis_mAh_g", "window", "temperature_degC")
"""What must agree among the readings of a course, and among those that are pooled."""


def walk_time(cycle: Any) -> Any:
    """Blocks since the first cycle, ln((n + 2) / 2) / ln 1.6: one more at each factor 1.6 (1)."""
    xp = namespace(cycle)
    return xp.log(0.5 * (xp.maximum(cycle, 1.0) + 1.0)) / BLOCK


def condense(rows: pd.DataFrame, fitting: bool = True) -> tuple[pd.DataFrame, list[str]]:
    """Medians over blocks of cycles, one course for each cell, rate and mode of charging.

    A block's reading stands in the row of its middle cycle, its error in ``capacity_mAh_g_sd``
    (median of normal noise, both ends of the step), and the block before in ``previous_cycle`` and
    ``previous_capacity_mAh_g``. The noise of one reading comes from second differences, by their
    median, so that neither fading nor a single bad cycle counts as noise. A retention is kept where
    it says over how many cycles and no course of its cell tells it; a utilization that is the same
    in all rows of a cell was measured once; the charge at constant voltage counts for CCCV only.
    """
    name = "capacity_mAh_g"
    if not fitting:
        return rows, []
    rows = rows.copy()
    free = {o: ~np.isnan(number(rows, o)) & text(rows, f"{o}_censored").eq("").to_numpy()
            for o in (name, "retention", "utilization", "resistance_ohm_cm2", "charge_cv_share")}
    cycle = number(rows, "cycle", 1.0)
    value, spread = number(rows, name), number(rows, f"{name}_sd", 0.0)
    held = number(rows, "charge_cv_share")
    known = number(rows, "c_rate"), text(rows, "charge_mode"), *(text(rows, c) for c in ALIKE)
    parts = [text(rows, c) for c in ("study", "mill", "run", "batch", "cell")]
    parts[-1] = parts[-1].where(parts[-1].ne(""), [f"row {k}" for k in range(len(rows))])
    cell = pd.factorize(pd.MultiIndex.from_arrays(parts))[0]
    course = pd.factorize(pd.MultiIndex.from_arrays([cell, *known]))[0]
    q, sd, share = (np.full(len(rows), np.nan) for _ in range(3))
    before, earlier = np.zeros(len(rows)), np.zeros(len(rows))
    long: set[int] = set()
    for one in np.unique(course[free[name]]):
        mine = np.flatnonzero(free[name] & (course == one))
        mine = mine[np.argsort(cycle[mine], kind="stable")]
        if len(set(cycle[mine])) > 1:
            long.add(int(cell[mine[0]]))
        noise = reading_noise(value[mine])
        block = np.floor(walk_time(cycle[mine]) + 1e-9)
        last = None
        for k in np.unique(block):
            those = mine[block == k]
            middle = those[(len(those) - 1) // 2]
            q[middle] = np.median(value[those])
            own = noise * q[middle] * (math.pi / 2 / len(those) if len(those) > 2
                                       else 1 / len(those)) ** 0.5
            own = math.hypot(own, np.median(spread[those]))
            sd[middle] = own if last is None else math.hypot(own, last[2])
            if last is not None:
                before[middle], earlier[middle] = last[0], last[1]
            last = cycle[middle], q[middle], own
            some = held[those][~np.isnan(held[those])]
            if len(some) and text(rows, "charge_mode").iloc[middle] == "CCCV":
                share[middle] = np.median(some)
    u = number(rows, "utilization")
    for one in np.unique(cell[free["utilization"]]):
        mine = np.flatnonzero(free["utilization"] & (cell == one))
        if len(set(u[mine])) == 1:
            u[mine[np.argsort(cycle[mine], kind="stable")[1:]]] = np.nan
    kept = number(rows, "retention")
    kept[~(number(rows, "retention_cycles") > 0) | np.isin(cell, list(long))] = np.nan
    rows[name], rows[f"{name}_sd"], rows[f"{name}_n"] = q, sd, np.nan
    rows["previous_cycle"], rows["previous_capacity_mAh_g"] = before, earlier
    rows["charge_cv_share"], rows["utilization"], rows["retention"] = share, u, kept
    told = ~np.isnan(q) | ~np.isnan(u) | ~np.isnan(kept) | free["resistance_ohm_cm2"]
    note = (f"{int(free[name].sum())} capacities condensed to {int((~np.isnan(q)).sum())} blocks "
            "of cycles")
    return rows.loc[told], [note] if free[name].sum() > (~np.isnan(q)).sum() else []


def reading_noise(values: np.ndarray) -> float:
    """SD of ln of one reading about its course, from second differences (robust; 1).

    ``READING_SD`` where there are fewer than six readings.
    """
    if len(values) < 6:
        return READING_SD
    bent = np.diff(np.log(np.maximum(values, 1e-9)), 2)
    return max(float(1.4826 * np.median(np.abs(bent)) / 6.0**0.5), 1e-5)


def encode_coating(
    rows: pd.DataFrame, table: pd.DataFrame, statements: bool
) -> dict[str, np.ndarray]:
    """Codes of coatings; no name and "bare" are the uncoated reference."""
    coating = text(rows, "coating")
    names = dict.fromkeys(name for name in coating if name != "bare")
    slot = {name: k for k, name in enumerate(names, 1)}
    return {"coating": np.array([0 if name in BARE else slot[name] for name in coating],
                                dtype="int64")}


def encode_used(
    rows: pd.DataFrame, table: pd.DataFrame, statements: bool
) -> dict[str, np.ndarray]:
    """1 for each slot of the cells that a cell of the table has, else 0."""
    labels = [text(rows, column) for column in PARENTS["cell"]]
    count = len(pd.MultiIndex.from_arrays(labels).unique())
    return {"cell__used": (np.arange(slots_for(count, SLOTS)) < count).astype("int64")}
