"""What users ask of a fit over carbon content: which batch, which content, and why it collapses.

*Best of the batches tried* compares batches that exist, with their own deviations. *Best content
for a new batch* compares what is expected of batches that do not exist yet. One batch may beat five
others because it came out well; its content then owes it less than it seems.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .engine.encode import refuse_fixed

if TYPE_CHECKING:
    from .engine.fit import Fit

OUTCOME = "composite_capacity_mAh_g"
TESTED = (0.0, 3.0)
"""Carbon contents (parts) between which a best one is looked for."""
POINTS = 96
"""Contents that are compared over a range, evenly in ln content, beside its lower end."""
RESOLVED = 0.9
"""Probability from which a question counts as settled."""
_SETTINGS = ("rpm", "milling_min", "electrolyte_parts", "cb_parts")


def _check(fit: Fit) -> None:
    if fit.model.name != "mechanofusion":
        raise ValueError(f"the fit is of {fit.model.name!r}; this needs one of 'mechanofusion'")


def _interval(draws: np.ndarray) -> tuple[float, float, float]:
    low, median, high = (float(v) for v in np.quantile(draws, [0.05, 0.5, 0.95]))
    return low, median, high


@dataclass(frozen=True)
class Tried:
    """Which of the batches at hand is best.

    Attributes
    ----------
    table
        One row a batch: its settings, ``p_best``, and ``median``, ``low``, ``high`` of its
        capacity (mAh per g of composite): a 90 % equal-tailed interval of the batch's mean.
    draws
        Capacity of each batch, ``(draws, batches)``, its own deviation in it.
    sentence
        The answer in words.
    """

    table: pd.DataFrame
    draws: np.ndarray
    sentence: str


def tried_batches(fit: Fit) -> pd.DataFrame:
    """Batches with a reading of what their cells deliver: label and settings, one row each."""
    _check(fit)
    columns = fit.encoded.columns
    read = np.concatenate([columns[f"{name}__row"] for name in (
        OUTCOME, "active_capacity_mAh_g", "utilization")]).astype(int)
    codes = columns["batch"]
    rows = []
    for slot, label in enumerate(fit.encoded.levels["batch"], 1):
        mine = read[codes[read] == slot]
        if len(mine):
            rows.append({"batch": label} | {c: columns[c][mine[0]] for c in _SETTINGS})
    return pd.DataFrame(rows)


def best_of_tried(fit: Fit, *, c_rate: float = 1.0, **fixed: Any) -> Tried:
    """Which of the measured batches delivers most per gram of composite.

    Parameters
    ----------
    fit
        A fit of ``models.get("mechanofusion")``.
    c_rate
        Rate (1/h).
    **fixed
        Further columns of the condition (``c_rate_basis_mAh_g``, ``cycle``).

    Returns
    -------
    Tried

    Raises
    ------
    ValueError
        If the fit is of another model, or holds fewer than two batches.
    KeyError
        If a fixed column is unknown.
    """
    batches = tried_batches(fit)
    if len(batches) < 2:
        raise ValueError(f"the fit holds {len(batches)} batches with a reading; a comparison needs "
                         "two or more")
    refuse_fixed(fixed)
    at = batches.assign(c_rate=c_rate, **fixed)
    draws = fit.response(OUTCOME).mean(at)
    won = np.bincount(draws.argmax(axis=1), minlength=len(batches)) / len(draws)
    low, median, high = np.quantile(draws, [0.05, 0.5, 0.95], axis=0)
    table = batches.assign(p_best=won, median=median, low=low, high=high)
    first = table.loc[table["p_best"].idxmax()]
    sure = first["p_best"] >= RESOLVED
    sentence = (
        f"Of the {len(table)} batches measured, {first['batch']} ({first['cb_parts']:g} parts of "
        f"carbon) delivers most at {c_rate:g}C with probability {first['p_best']:.2f}"
        + (". " if sure else ": not settled. ")
        + "This is about these batches, not about their carbon contents.")
    return Tried(table, draws, sentence)


@dataclass(frozen=True)
class NewBatch:
    """At which carbon content a new batch is expected to deliver most.

    Attributes
    ----------
    draws
        The best content of each draw, parts.
    within, probability
        The contents that were asked about (ends included), and that the best lies there.
    median, low, high
        Of the content (parts); 90 % equal-tailed interval.
    at_zero
        Probability that no carbon at all is best.
    batch_sd
        Median of the sd of ln capacity between batches, which one reading of a batch carries.
    resolved
        Whether ``probability`` is above 0.9 or below 0.1.
    statements
        Whether published statements took part in the fit.
    sentence
        The same in words.
    """

    draws: np.ndarray
    within: tuple[float, float]
    probability: float
    median: float
    low: float
    high: float
    at_zero: float
    batch_sd: float
    resolved: bool
    statements: bool
    sentence: str


def optimum(fit: Fit, within: tuple[float, float] = (0.2, 1.0), *, c_rate: float = 1.0,
            between: tuple[float, float] = TESTED, levels: Sequence[float] | None = None,
            **fixed: Any) -> NewBatch:
    """Find the best carbon content for a new batch, in every draw.

    Parameters
    ----------
    fit
        A fit of ``models.get("mechanofusion")``.
    within
        Contents (parts) between which the probability is asked.
    c_rate
        Rate (1/h).
    between
        Range (parts) that is searched; the tested one.
    levels
        Compare these contents only, those tested for instance, and not the whole range.
    **fixed
        Columns that differ from the model's defaults (80:20, 10,000 1/min, 60 min).

    Returns
    -------
    NewBatch

    Raises
    ------
    ValueError
        If the fit is of another model or a range is empty.
    KeyError
        If a fixed column is unknown.
    """
    _check(fit)
    if not (0 <= between[0] < between[1]) or not within[0] < within[1]:
        raise ValueError(f"between={between} and within={within} must be two contents in "
                         "increasing order, not below 0")
    if levels is not None and len(set(levels)) < 2:
        raise ValueError(f"levels={levels} must be two contents or more")
    least = max(between[0], 1e-2 * min(1.0, between[1]))
    path = (np.r_[between[0], np.geomspace(least, between[1], POINTS)] if levels is None
            else np.asarray(levels, dtype=float))
    path = np.unique(path)
    refuse_fixed(fixed, "cb_parts")
    at = pd.DataFrame({"cb_parts": path}).assign(c_rate=c_rate, **fixed)
    curves = fit.response(OUTCOME).mean(at)
    best = path[curves.argmax(axis=1)]
    probability = float(((best >= within[0]) & (best <= within[1])).mean())
    low, median, high = _interval(best)
    at_zero, at_end = (float((best == path[k]).mean()) for k in (0, -1))
    spread = float(np.median(fit.posterior["mechanofusion.batch_sd"].to_numpy()))
    resolved = not 1.0 - RESOLVED < probability < RESOLVED
    statements = bool(fit.options["statements"])
    sentence = (
        f"For a new batch the best {'' if levels is None else 'of the tested '}carbon "
        f"content{'' if levels is None else 's'} at {c_rate:g}C is "
        + ("" if resolved else "unresolved: ")
        + f"P({within[0]:g} to {within[1]:g} parts) = {probability:.2f}, median {median:.2g}, "
        f"90 % equal-tailed interval {low:.2g} to {high:.2g} parts, P({path[0]:g} is best) = "
        f"{at_zero:.2f}"
        + (f", P({path[-1]:g}, the end of the range, is best) = {at_end:.2f}"
           if levels is None and at_end >= 0.05 else "")
        + f"; batches of one recipe differ by {100 * spread:.0f} % (sd), "
        + ("with" if statements else "without") + " the published statements.")
    return NewBatch(best, within, probability, median, low, high, at_zero, spread, resolved,
                    statements, sentence)


@dataclass(frozen=True)
class Collapse:
    """What carbon does to the capacity, split into connection and kinetics.

    Attributes
    ----------
    static, kinetic, total
        Draws of the ratios: utilization, active capacity, and capacity per gram of composite.
    table
        ``median``, ``low``, ``high`` of the three (1): a 90 % equal-tailed interval; and whether
        it excludes 1.
    sentence
        The same in words.
    """

    static: np.ndarray
    kinetic: np.ndarray
    total: np.ndarray
    table: pd.DataFrame
    sentence: str


def collapse(fit: Fit, cb_parts: float, reference: float, *, c_rate: float = 1.0,
             of: str = "batches", **fixed: Any) -> Collapse:
    """Split the ratio of capacities at two carbon contents into a static and a kinetic factor.

    The static factor is the ratio of utilizations, the kinetic one that of the capacities per gram
    of connected material; with the mass fraction of active material they multiply to the ratio of
    capacities per gram of composite. This is the *initial* capacity: what is lost by cycling is
    another outcome.

    Parameters
    ----------
    fit
        A fit of ``models.get("mechanofusion")``.
    cb_parts, reference
        The two contents (parts).
    c_rate
        Rate (1/h).
    of
        ``"batches"``: of the measured batches of these contents, their deviations in it, the
        geometric mean where there are several of one content;
        ``"mean"``: of what is expected of new ones.
    **fixed
        Columns that differ from the model's defaults.

    Returns
    -------
    Collapse

    Raises
    ------
    ValueError
        If the fit is of another model, or no batch of a content was measured.
    KeyError
        If a fixed column is unknown.
    """
    _check(fit)
    if of not in {"batches", "mean"}:
        raise ValueError(f"of={of!r} is none of 'batches', 'mean'")
    pair = [cb_parts, reference]
    at, counts = pd.DataFrame({"cb_parts": pair}), [1, 1]
    if of == "batches":
        known = tried_batches(fit)
        found = [known[np.isclose(known["cb_parts"], x)] for x in pair]
        for x, rows in zip(pair, found, strict=True):
            if not len(rows):
                raise ValueError(
                    f"no batch of {x:g} parts was measured; there are "
                    f"{', '.join(f'{v:g}' for v in sorted(set(known['cb_parts'])))}. "
                    "Say of='mean' for what is expected of new batches")
        at = pd.concat(found, ignore_index=True)
        counts = [len(rows) for rows in found]
    refuse_fixed(fixed, "cb_parts")
    at = at.assign(c_rate=c_rate, **fixed)
    names = ("quantity:utilization", "quantity:active_capacity", f"mean:{OUTCOME}")
    values = fit.response(OUTCOME).evaluate(names, at)
    static, kinetic, total = (
        np.exp(np.log(part[:, : counts[0]]).mean(axis=1)
               - np.log(part[:, counts[0] :]).mean(axis=1))
        for part in (values[name] for name in names))
    rows = []
    for name, draws in (("static", static), ("kinetic", kinetic), ("total", total)):
        low, median, high = _interval(draws)
        rows.append({"factor": name, "median": median, "low": low, "high": high,
                     "excludes 1": bool(low > 1 or high < 1)})
    table = pd.DataFrame(rows).set_index("factor")
    s, k = table.loc["static"], table.loc["kinetic"]
    sentence = (
        f"{cb_parts:g} against {reference:g} parts at {c_rate:g}C ("
        + ("new batches, their mean" if of == "mean" else
           f"measured batches, {counts[0]} against {counts[1]}")
        + "), initially: utilization changes "
        f"by a factor of {s['median']:.2f} (90 % equal-tailed interval {s['low']:.2f} to "
        f"{s['high']:.2f}), the connected material delivers {k['median']:.3f} as much "
        f"({k['low']:.3f} to {k['high']:.3f}).")
    return Collapse(static, kinetic, total, table, sentence)
