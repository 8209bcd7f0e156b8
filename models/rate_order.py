"""Capacities of one batch that no rate law at one utilization can hold together.

Whatever the law, a higher rate never delivers more from the same connected material: at a fixed
utilization the capacity at a higher rate above that at a lower one, by more than their noise,
says that something else has changed between the readings (the cycle, the charge, the
utilization). Both in one likelihood would bend every parameter that they share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .engine.encode import PARENTS, number, text

NOISE = 0.03
"""Relative sd of one cell's capacity where none is stated: machine-mixed cells of one recipe
differ by 1.3 % at 0.1C and 3.1 % at 1C; Kissel et al., Adv. Energy Mater. (2025) 2405405,
line 841."""
BEYOND = 1.645
"""Standard deviations by which the higher rate must exceed the lower one: 5 % by chance."""


@dataclass(frozen=True)
class Contradiction:
    """Two rows of a batch whose order of capacities no rate law allows.

    Attributes
    ----------
    slow, fast
        Labels of the row at the lower and at the higher rate.
    sentence
        Both rows, their values and rates, and what to do.
    """

    slow: Any
    fast: Any
    sentence: str


def contradictions(table: pd.DataFrame, outcome: str, *, noise: float = NOISE,
                   beyond: float = BEYOND) -> list[Contradiction]:
    """Find readings above those at a lower rate of the same batch and the same utilization.

    Parameters
    ----------
    table
        Rows with the outcome, ``c_rate`` and the labels of batches; readings that are bounds,
        planned or failed are not looked at.
    outcome
        A capacity column.
    noise
        Relative sd of one cell where the table states none (``x_sd``); of a mean of ``x_n`` cells
        it is smaller by their root.
    beyond
        Standard deviations of the difference that count as beyond the noise.

    Returns
    -------
    list of Contradiction
        One for each row at fault, with the lower rate that contradicts it most.
    """
    value, rate = number(table, outcome), number(table, "c_rate")
    batch = list(zip(*(text(table, c) for c in PARENTS["batch"]), strict=True))
    bound = text(table, f"{outcome}_censored").to_numpy() != ""
    done = text(table, "status").isin(["", "done"]) & text(table, "kind").ne("statement")
    usable = ~np.isnan(value) & (value > 0) & ~np.isnan(rate) & ~bound & done.to_numpy()
    usable &= np.array([key[-1] != "" for key in batch], dtype=bool)
    use = number(table, "utilization")
    stated, cells = number(table, f"{outcome}_sd"), number(table, f"{outcome}_n", 1.0)
    spread = np.where(np.isnan(stated), noise * value, stated) / (value * np.sqrt(cells))
    found = []
    looked_at = [int(k) for k in np.flatnonzero(usable)]
    for fast in looked_at:
        others = [k for k in looked_at
                  if batch[k] == batch[fast] and rate[k] < rate[fast] * (1 - 1e-9)]
        worst, at = beyond, -1
        for slow in others:
            both = not np.isnan(use[fast]) and not np.isnan(use[slow])
            excess = np.log(value[fast] / value[slow])
            excess -= np.log(use[fast] / use[slow]) if both else 0.0
            z = excess / np.hypot(spread[fast], spread[slow])
            if z > worst:
                worst, at = z, slow
        if at >= 0:
            found.append(Contradiction(table.index[at], table.index[fast], _sentence(
                table, outcome, at, fast, value, rate, worst)))
    return found


def _sentence(table: pd.DataFrame, outcome: str, slow: int, fast: int, value: np.ndarray,
              rate: np.ndarray, z: float) -> str:
    names = text(table, "row_id")

    def row(k: int) -> str:
        name = f" ({names.iloc[k]})" if names.iloc[k] else ""
        return f"row {table.index[k]}{name}"

    batch = text(table, "batch").iloc[fast]
    return (
        f"{row(fast)}: {outcome} {value[fast]:g} at {rate[fast]:g}C lies above {value[slow]:g} at "
        f"{rate[slow]:g}C in {row(slow)} of the same batch {batch}, by {z:.1f} standard "
        "deviations. No rate law at one utilization holds both, so they are not used in one "
        f"likelihood: {row(fast)} is set aside. Leave out {row(slow)} to use it instead")
