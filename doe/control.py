"""A control recipe that comes back in every block: has the laboratory moved, and by how much?

The control cells of a block share the block's error (the powder, the day, the person), so a chart
of single cells with limits from their common standard deviation raises alarms that mean nothing, or
none at all. Here the scatter of blocks and of cells is kept apart (`mixed`), and limits are
predictive: with few blocks they are wide, since little is known of what is usual.

`control_chart` shows each block against limits from the others, an exponentially weighted mean that
sees slow changes, and the probability of a steady process, of a drift and of a step. `bridge` gives
the offset between campaigns, operators, lots or mills.

References
----------
Shewhart, "Economic control of quality of manufactured product", 1931. Roberts, Technometrics 1
(1959) 239 (the weighted mean). Montgomery, "Introduction to statistical quality control", ch. 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from . import mixed
from .errors import CampaignError, listing, unknown
from .mixed import Mixed
from .ranking import LEVEL
from .split_rows import readings_of

LIMITS = 0.9973
"""Level of the limits: that of three standard deviations of a known normal process."""
SMOOTHING = 0.2
"""Weight of the newest block in the exponentially weighted mean."""
STEADY = 0.5
"""Prior probability that nothing changes; the rest is shared by drift and step."""
LEAST = 3
"""Blocks that a chart needs."""
WIDTH = 2.0
"""Scale of a prior that is not given, in standard deviations of the residuals."""


@dataclass(frozen=True)
class Chart:
    """Control chart of one outcome.

    Attributes
    ----------
    table : DataFrame
        One row a block in order: ``block``, ``cells``, ``mean``; ``low`` to ``high``, the limits
        for a block of so many cells from all other blocks; ``out`` (above, below or nothing);
        ``ewma``, ``ewma_low``, ``ewma_high``, ``ewma_out``; ``cell_sd`` within the block.
    change : DataFrame
        ``steady``, ``drift``, ``step``: ``probability``; size with its equal-tailed interval at
        `level`, over the whole series for a drift; ``at``, the first block after the most
        probable step.
    scatter : DataFrame
        Median and interval at `level` of the standard deviations of ``block`` and ``cell``.
    centre, low, high : float
        Mean of the recipe over blocks with its equal-tailed interval at `level`.
    sentence : str
    notes : list of str
    """

    table: pd.DataFrame
    change: pd.DataFrame
    scatter: pd.DataFrame
    centre: float
    low: float
    high: float
    sentence: str
    notes: list[str]
    level: float

    def __str__(self) -> str:
        tables = (self.table.to_string(index=False), self.change.to_string(),
                  self.scatter.to_string())  # fmt: skip
        return "\n\n".join([*tables, self.sentence, *self.notes])

    def _repr_html_(self) -> str:
        said = "".join(f"<p>{escape(text)}</p>" for text in (self.sentence, *self.notes))
        return (
            self.table.to_html(index=False) + self.change.to_html() + self.scatter.to_html() + said
        )


def of_recipe(rows: pd.DataFrame, recipe: Mapping[str, Any] | None) -> pd.DataFrame:
    """Rows of the control recipe: numbers to a millionth. Without a recipe, all rows.

    Raises
    ------
    CampaignError
        If a setting is no column, or no row has the recipe.
    """
    same = np.ones(len(rows), dtype=bool)
    for name, wanted in (recipe or {}).items():
        if name not in rows.columns:
            raise CampaignError(unknown(name, rows.columns, "column of the rows"))
        if isinstance(wanted, str):
            same &= (rows[name] == wanted).to_numpy()
        else:
            values: Any = pd.to_numeric(rows[name], errors="coerce")
            same &= np.isclose(np.asarray(values, dtype=float), float(wanted), rtol=1e-6, atol=0.0)
    if not same.any():
        said = listing(f"{k} = {v}" for k, v in (recipe or {}).items())
        raise CampaignError(
            f"no row is of the control recipe ({said}); run it in every block, about one cell in "
            "eight"
        )
    return pd.DataFrame(rows[same])


def control_chart(
    rows: pd.DataFrame,
    outcome: str,
    recipe: Mapping[str, Any] | None = None,
    *,
    block: str = "batch",
    block_sd: float | None = None,
    cell_sd: float | None = None,
    change: float | None = None,
    level: float = LEVEL,
    limits: float = LIMITS,
    smoothing: float = SMOOTHING,
) -> Chart:
    """Chart of the control cells by block, in the order of the blocks' first rows.

    Parameters
    ----------
    rows : DataFrame
        One row a reading, in the order of time; readings of one ``cell`` are averaged.
    outcome : str
    recipe : mapping, optional
        Settings of the control recipe; without it all rows are control cells.
    block : str
        Column whose values are the blocks: a batch, a day, a lot.
    block_sd, cell_sd : float, optional
        Scales of the half-normal priors of both scatters, from earlier work. Without one, twice
        the standard deviation of the residuals of these cells.
    change : float, optional
        Standard deviation of the normal prior of a drift's or step's size: what change would not
        surprise. Without it, twice the standard deviation of the block means.
    level, limits : float
        Level of the intervals of what is estimated, and of the limits of the chart.
    smoothing : float
        Weight of the newest block in the weighted mean, above 0 and at most 1.

    Returns
    -------
    Chart

    Raises
    ------
    CampaignError
        If there are fewer than three blocks, a column is missing, or a scale or a level cannot be.
    """
    check_levels(level=level, limits=limits)
    check_scales(block_sd=block_sd, cell_sd=cell_sd, change=change)
    if not 0.0 < smoothing <= 1.0:
        raise CampaignError(f"smoothing={smoothing!r} must be above 0 and at most 1, such as 0.2")
    for name in (outcome, block):
        if name not in rows.columns:
            raise CampaignError(unknown(name, rows.columns, "column of the rows"))
    cells = readings_of(of_recipe(rows, recipe), outcome, [block])
    y, w = cells["_value"].to_numpy(dtype=float), cells["_weight"].to_numpy(dtype=float)
    group, names = pd.factorize(cells[block])
    many = len(names)
    if many < LEAST:
        raise CampaignError(
            f"control cells of {many} {'block' if many == 1 else 'blocks'}: a chart needs {LEAST} "
            "or more; go on running the control recipe in every block"
        )
    one = np.ones((len(y), 1))
    spread = WIDTH * mixed.residual_sd(one, y)
    scales = (block_sd or spread, cell_sd or spread)
    whole = mixed.fit(one, y, group, *scales, w)
    total = np.bincount(group, w)
    means = np.bincount(group, w * y) / total
    shewhart = [_others(y, w, group, k, scales, limits) for k in range(many)]
    ewma, ewma_limit = _weighted(whole, means, total, smoothing, limits)
    middle = whole.average(np.ones(1))
    counts = np.bincount(group)
    squares = np.bincount(group, (y - np.bincount(group, y)[group] / counts[group]) ** 2)
    table = pd.DataFrame(
        {
            block: names,
            "cells": counts,
            "mean": means,
            "low": [s[0] for s in shewhart],
            "high": [s[1] for s in shewhart],
            "out": [_side(m, *s) for m, s in zip(means, shewhart, strict=True)],
            "ewma": ewma,
            "ewma_low": middle - ewma_limit,
            "ewma_high": middle + ewma_limit,
            "ewma_out": [
                _side(z, middle - e, middle + e) for z, e in zip(ewma, ewma_limit, strict=True)
            ],
            "cell_sd": np.sqrt(squares / np.where(counts > 1, counts - 1, np.nan)),
        }
    )
    size = change or WIDTH * max(float(np.std(means, ddof=1)), 1e-12)
    changes = _changes(y, w, group, scales, size, names, level)
    scatter = pd.DataFrame(
        [whole.scatter("between", level), whole.scatter("within", level)],
        index=pd.Index(["block", "cell"], name="sd of"), columns=["median", "low", "high"],
    )  # fmt: skip
    notes = []
    if many < 8:
        notes.append(f"limits from {many - 1} other blocks are wide, since little is known yet")
    if (counts == 1).all():
        notes.append("one control cell a block: its scatter and the block's cannot be told apart")
    if block_sd is None or cell_sd is None:
        notes.append("priors of the scatter come from these cells; give block_sd and cell_sd where "
                     "earlier work knows them")  # fmt: skip
    notes += mixed.slips(
        one, y, group, outcome, w, between=("block_sd", block_sd), within=("cell_sd", cell_sd)
    )
    low, high = whole.interval(np.ones(1), level)
    said = _said(table, changes, block, limits)
    return Chart(table, changes, scatter, middle, low, high, said, notes, level)


def check_scales(**scales: float | None) -> None:
    """Scales of priors, where they are given, are above 0."""
    for name, given in scales.items():
        if given is not None and not 0.0 < given < np.inf:
            raise CampaignError(
                f"{name}={given!r} must be above 0: the scale of a prior, in the unit of the "
                "outcome; leave it out where nothing is known"
            )


def check_levels(**levels: float) -> None:
    """Levels of intervals and limits are shares."""
    for name, given in levels.items():
        if not 0.0 < given < 1.0:
            raise CampaignError(f"{name}={given!r} must lie between 0 and 1, such as 0.9")


def _others(
    y: np.ndarray, w: np.ndarray, group: np.ndarray, k: int, scales: tuple[float, float],
    limits: float,
) -> tuple[float, float]:  # fmt: skip
    """Predictive limits of the mean of block ``k``, of its own number of cells, from the others."""
    rest = group != k
    code = np.unique(group[rest], return_inverse=True)[1]
    known = mixed.fit(np.ones((rest.sum(), 1)), y[rest], code, *scales, w[rest])
    further = known.between**2 + known.within**2 / w[~rest].sum()
    return known.interval(np.ones(1), limits, further)


def _weighted(
    known: Mixed, means: np.ndarray, total: np.ndarray, smoothing: float, limits: float
) -> tuple[np.ndarray, np.ndarray]:
    """Exponentially weighted mean, and how far from the overall mean it may lie by chance.

    It starts at the overall mean, and both are of the same readings: their difference is a
    linear combination of the block means, whose variance is exact given both scatters.
    """
    many = len(means)
    variance = known.between[:, None] ** 2 + known.within[:, None] ** 2 / total
    share = 1.0 / variance
    share /= share.sum(axis=1, keepdims=True)
    centre = float(known.weight @ known.mean[:, 0])
    ewma, reach, value, own = [], [], centre, np.zeros(many)
    for k, mean in enumerate(means):
        value = smoothing * mean + (1.0 - smoothing) * value
        own = (1.0 - smoothing) * own
        own[k] = smoothing
        off = own - own.sum() * share
        sd = np.sqrt((off**2 * variance).sum(axis=1))
        ewma.append(value)
        zero = np.zeros(len(sd))
        reach.append(mixed.quantile(known.weight, zero, sd, 0.5 + limits / 2.0))
    return np.array(ewma), np.array(reach)


def _changes(
    y: np.ndarray, w: np.ndarray, group: np.ndarray, scales: tuple[float, float], size: float,
    names: Any, level: float,
) -> pd.DataFrame:  # fmt: skip
    """Posterior probabilities of no change, a straight drift and one step, with their sizes."""
    many, flat = len(names), np.zeros(len(y))
    precision = np.array([0.0, size**-2])

    def with_(column: np.ndarray) -> Mixed:
        x = np.column_stack([np.ones(len(y)), column])
        return mixed.fit(x, y, group, *scales, w, precision)

    steady = mixed.fit(np.ones((len(y), 1)), y, group, *scales, w)
    drift = with_(flat + group / (many - 1.0) - 0.5)
    steps = [with_((group >= k).astype(float)) for k in range(1, many)]
    log_p = np.array(
        [np.log(STEADY) + steady.log_evidence]
        + [np.log((1.0 - STEADY) / 2.0) + drift.log_evidence]
        + [np.log((1.0 - STEADY) / 2.0 / len(steps)) + s.log_evidence for s in steps]
    )
    p = np.exp(log_p - logsumexp(log_p))
    best = int(p[2:].argmax())
    one = np.array([0.0, 1.0])
    rows = [(p[0], 0.0, 0.0, 0.0, "")]
    rows.append((p[1], drift.average(one), *drift.interval(one, level), ""))
    mixture = _mixture(steps, p[2:] / p[2:].sum())
    size_of = (mixture.average(one), *mixture.interval(one, level))
    rows.append((p[2:].sum(), *size_of, str(names[best + 1])))
    return pd.DataFrame(
        rows, index=pd.Index(["steady", "drift", "step"], name="change"),
        columns=["probability", "size", "low", "high", "at"],
    )  # fmt: skip


def _mixture(parts: list[Mixed], share: np.ndarray) -> Mixed:
    return Mixed(
        np.concatenate([s * m.weight for s, m in zip(share, parts, strict=True)]),
        np.concatenate([m.mean for m in parts]),
        np.concatenate([m.cov for m in parts]),
        np.concatenate([m.between for m in parts]),
        np.concatenate([m.within for m in parts]),
        float("nan"),
    )


def _side(value: float, low: float, high: float) -> str:
    return "above" if value > high else "below" if value < low else ""


def _said(table: pd.DataFrame, changes: pd.DataFrame, block: str, limits: float) -> str:
    out: Any = table[(table["out"] != "") | (table["ewma_out"] != "")]
    chance: Any = changes["probability"]
    said = (
        f"all {len(table)} values of {block} are within their {limits:.2%} predictive limits"
        if out.empty
        else f"{block} {listing(out[block])} outside the {limits:.2%} predictive limits"
    )
    moved = f"P(steady) = {chance['steady']:.2f}, P(drift) = {chance['drift']:.2f}"
    step: Any = changes.loc["step"]
    moved += f", P(step) = {chance['step']:.2f}"
    if chance["steady"] < 0.5:
        kind: Any = "drift" if chance["drift"] > chance["step"] else "step"
        row: Any = changes.loc[kind]
        where = f" from {block} {step['at']} on" if kind == "step" else " over the series"
        moved += f": a {kind} of {row['size']:.3g} ({row['low']:.3g} to {row['high']:.3g}){where}"
    return f"{said}; {moved}."
