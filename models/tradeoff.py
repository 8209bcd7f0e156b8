"""Capacity against life: two cathodes of which one gives more and the other lasts longer.

Two ways to weigh them, both as probabilities from the draws of a fading fit: what a point of
retention is worth in mAh/g, and how many cycles the cell is used, the charge delivered in all then
deciding. Where one cell stands for a cathode, most of the answer is the spread between cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .lifetime import KNEE, LEVEL, interval, paths, seen_cells

if TYPE_CHECKING:
    from .engine.fit import Fit


@dataclass(frozen=True)
class Tradeoff:
    """Two cathodes of which one gives more and the other lasts longer.

    Attributes
    ----------
    table
        Index ``question``: ``probability`` that it is so, ``estimate`` (median) with ``low`` and
        ``high``, whose level and kind (equal-tailed) stand in ``is`` beside the unit.
    weights
        Probability that the first is preferred, by what one point of retention is worth.
    use
        Probability that the first has delivered more in all, by the cycles of use.
    break_even_weight
        mAh/g per retention point at which the verdict is open (probability one half); NaN if at
        none.
    break_even_cycles
        Cycles of use at which it is open; NaN if at none up to the last looked at.
    sentence, notes
        The same in words, and what the numbers rest on.
    """

    table: pd.DataFrame
    weights: pd.DataFrame
    use: pd.DataFrame
    break_even_weight: float
    break_even_cycles: float
    sentence: str
    notes: list[str]

    def __str__(self) -> str:
        return "\n".join([self.table.to_string(), self.weights.to_string(index=False),
                          self.use.to_string(index=False), self.sentence, *self.notes])


def tradeoff(
    fit: Fit, first: Mapping[str, Any], second: Mapping[str, Any], *, cycles: float = 60.0,
    of: str = "batch", weights: Sequence[float] = (0.5, 1, 2, 3, 5, 7, 10, 20, 50),
    longest: float = 1000.0, level: float = LEVEL, seed: int = 1,
) -> Tradeoff:
    """Weigh capacity against life.

    Parameters
    ----------
    fit
        A fit of ``models.get("fading")``.
    first, second
        Settings of the two: ``c_rate``, ``charge_mode``, and ``batch`` (``cell``) of known ones.
    cycles
        Cycles over which the retention is taken.
    of
        ``"batch"`` or ``"cell"``, as in ``paths``.
    weights
        What one point (0.01) of retention may be worth, mAh/g.
    longest
        Most cycles of use looked at.
    level
        Level of the intervals.
    seed
        Of new cells.

    Returns
    -------
    Tradeoff

    Raises
    ------
    ValueError
        If ``cycles`` or ``longest`` is not above 1, or a weight is negative.
    """
    worth = np.asarray(weights, dtype=float)
    if not (cycles > 1 and longest > 1) or (worth < 0).any():
        raise ValueError(f"cycles = {cycles:g} and longest = {longest:g} must be above 1, and "
                         "no weight below 0")
    grid = np.unique(np.append(np.round(np.geomspace(1, longest, 60)), [1.0, 1.0 + cycles]))
    options = pd.DataFrame([dict(first), dict(second)])
    course = paths(fit, options, grid, of, seed=seed).to_numpy()
    q = course[:, :, 0]
    kept = course[:, :, np.searchsorted(grid, 1.0 + cycles)] / q
    more, less = q[:, 0] - q[:, 1], kept[:, 1] - kept[:, 0]
    rows: dict[str, dict[str, Any]] = {}

    def row(question: str, holds: np.ndarray, values: np.ndarray, what: str) -> None:
        middle, low, high = interval(values, level)
        rows[question] = {"probability": float(holds.mean()), "estimate": middle, "low": low,
                          "high": high, "is": f"{what}, {100 * level:g} % equal-tailed interval"}

    row("the first gives more capacity at first", more > 0, more, "difference, mAh/g")
    row(f"the second keeps more over {cycles:g} cycles", less > 0, 100 * less,
        "difference, points of retention")
    both = (more > 0) & (less > 0)
    row("both: there is something to weigh", both,
        more[both] / (100 * less[both]) if both.any() else np.full(1, np.nan),
        "break-even worth of a point where both hold, mAh/g")
    gain = np.add.outer(more, np.zeros(worth.size)) - 100 * np.multiply.outer(less, worth)
    chance = (gain > 0).mean(axis=0)
    table_w = pd.DataFrame({"mAh_g_per_point": worth, "probability_first": chance})

    steps = np.diff(grid)
    passed = np.cumsum(0.5 * (course[:, :, 1:] + course[:, :, :-1]) * steps, axis=2)
    ahead = (passed[:, 0] > passed[:, 1]).mean(axis=0)
    shown = np.searchsorted(grid[1:], np.clip(np.array([20, 60, 100, 200, 500, 1000]), 2, longest))
    shown = np.unique(np.minimum(shown, len(ahead) - 1))
    table_u = pd.DataFrame({"cycles_of_use": grid[1:][shown], "probability_first": ahead[shown]})

    fine = np.geomspace(0.05, 500, 400)
    open_w = _crossing(fine, np.array([(more > 100 * w * less).mean() for w in fine]))
    open_n = _crossing(grid[1:], ahead)
    last = float(seen_cells(fit)["last"].to_numpy().max())
    more_often, longer = (row["probability"] for row in list(rows.values())[:2])
    sentence = (
        f"The first gives more with probability {more_often:.2f}, the second keeps more over "
        f"{cycles:g} cycles with {longer:.2f}. "
        + (f"The verdict flips where a point of retention is worth about {open_w:.2g} mAh/g"
           if np.isfinite(open_w) else "No worth of a point of retention flips the verdict")
        + (f", or after about {open_n:.0f} cycles of use." if np.isfinite(open_n) else
           f"; in capacity delivered no lead changes up to {longest:g} cycles."))
    return Tradeoff(
        pd.DataFrame.from_dict(rows, orient="index").rename_axis("question"), table_w, table_u,
        open_w, open_n, sentence,
        [_counted(fit, options),
         f"beyond cycle {last:g} the course is the law's, not the data's; {KNEE.split(';')[1]}"])


def break_even_weight(first: tuple[float, float], second: tuple[float, float]) -> float:
    """Worth of a point of retention (mAh/g) at which two printed cathodes are equally good.

    Each is (capacity in mAh/g, retention as a share). Without errors: for (180, 0.94) against
    (165, 0.97) it is 5.0.

    Raises
    ------
    ValueError
        If one has more of both: nothing is to be weighed.
    """
    more, less = first[0] - second[0], second[1] - first[1]
    if more * less <= 0:
        raise ValueError(f"{first} and {second}: one has more of both, so nothing is to be weighed")
    return more / (100 * less)


def _counted(fit: Fit, options: pd.DataFrame) -> str:
    """How many cells and batches stand behind a comparison."""
    if "batch" not in options:
        return "no batch is named: both are new batches, told apart by their conditions alone"
    seen: Any = seen_cells(fit)
    counts = []
    for name in options["batch"].astype(str):
        mine = seen[seen["batch"].str.split(" / ").str[-1].eq(name) | seen["batch"].eq(name)]
        counts.append(f"{name!r} stands on {len(mine)} row(s) of cells")
    return ("; ".join(counts) + ": one batch each, so that what was done to it is not separable "
            "from batch to batch scatter; the spread between cells is the prior's unless more "
            "cells are in the table")


def _crossing(where: np.ndarray, chance: np.ndarray) -> float:
    """First place where a probability crosses one half (interpolated in the logarithm)."""
    sign = np.sign(chance - 0.5)
    turns = np.flatnonzero(sign[1:] * sign[:-1] < 0)
    if not len(turns):
        return float("nan")
    k = int(turns[0])
    share = (0.5 - chance[k]) / (chance[k + 1] - chance[k])
    return float(np.exp(np.log(where[k]) + share * np.log(where[k + 1] / where[k])))
