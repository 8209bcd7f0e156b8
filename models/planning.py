"""How many batches and cells decide between two methods.

Two methods are to be told apart with a stated confidence (a one-sided test at that level, which is
the posterior probability under flat priors): by their batch SDs (F test on batch means), by their
means (Welch's t test on batch means), or as practically equal (two one-sided tests). The unit is
the batch: its mean over c cells varies by ``sqrt(batch_sd^2 + cell_sd^2 / c)``, so that more cells
only remove the second part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .comparison import at_rate

if TYPE_CHECKING:
    from .engine.fit import Fit

MOST_BATCHES = 100
"""Numbers of batches beyond this are not looked at."""


def batch_mean_sd(batch_sd: Any, cell_sd: Any, cells: Any) -> Any:
    """SD of the mean of a batch over its cells, in the unit of the SDs."""
    return (batch_sd**2 + cell_sd**2 / cells) ** 0.5


def power_for_spread(less: Any, more: Any, batches: Any, level: float = 0.95) -> Any:
    """Probability that an F test finds the smaller of two SDs of batch means.

    Parameters
    ----------
    less, more
        True SDs of batch means (``batch_mean_sd``) of the method that is claimed to be less
        scattered, and of the other.
    batches
        Batches of each method, at least 2.
    level
        Confidence asked for, one-sided.
    """
    from scipy.stats import f

    df = batches - 1
    return f.sf(f.ppf(level, df, df) * (less / more) ** 2, df, df)


def power_for_mean(difference: Any, first: Any, second: Any, batches: Any,
                   level: float = 0.95) -> Any:
    """Probability that Welch's t test finds the larger of two means.

    Parameters
    ----------
    difference
        True difference of the means; negative if the claimed method is in truth the worse.
    first, second
        True SDs of the batch means of the two methods.
    batches, level
        As in ``power_for_spread``.
    """
    from scipy.stats import nct, t

    variance, df = first**2 + second**2, batches - 1
    freedom = df * variance**2 / (first**4 + second**4)
    return nct.sf(t.ppf(level, freedom), freedom, difference / np.sqrt(variance / batches))


def power_for_equality(difference: Any, first: Any, second: Any, batches: Any, margin: float,
                       level: float = 0.95) -> Any:
    """Probability that two one-sided t tests show means equal within a margin.

    The estimated standard error is taken at its true value, which is optimistic below 5 batches.
    """
    from scipy.stats import norm, t

    variance, df = first**2 + second**2, batches - 1
    freedom = df * variance**2 / (first**4 + second**4)
    error = np.sqrt(variance / batches)
    room = margin / error - t.ppf(level, freedom)
    shift = difference / error
    return np.maximum(norm.cdf(room - shift) - norm.cdf(-room - shift), 0.0)


def fewest_batches(power_at: Callable[[int], float], power: float = 0.8) -> int | None:
    """Smallest number of batches of each method with this power; ``None`` above ``MOST_BATCHES``.

    Example
    -------
    >>> fewest_batches(lambda n: power_for_spread(2.1, 10.0, n))
    5
    >>> fewest_batches(lambda n: power_for_spread(2.4, 7.0, n))
    8
    """
    if not 0 < power < 1:
        raise ValueError(f"power = {power} must lie between 0 and 1")
    for batches in range(2, MOST_BATCHES + 1):
        if power_at(batches) >= power:
            return batches
    return None


def plan(
    fit: Fit, first: str, second: str, *, c_rate: float = 0.1, cells: Sequence[int] = (1, 3, 6),
    difference: float = 3.0, equal_within: float = 3.0, power: float = 0.8, level: float = 0.95,
    draws: int = 400,
) -> pd.DataFrame:
    """Batches of each method that decide between two methods.

    Parameters
    ----------
    fit
        A fit of ``models.get("mixing")``: what is known now.
    first, second
        Methods; ``first`` is the one claimed to be less scattered.
    c_rate
        Nominal rate (1/h).
    cells
        Numbers of cells of each batch to plan for.
    difference
        True difference of the means that should be found (mAh/g).
    equal_within
        Margin of practical equality (mAh/g), planned for truly equal means.
    power, level
        Probability of a decision that is asked for, and its one-sided confidence.
    draws
        Posterior draws over which ``expected`` averages.

    Returns
    -------
    DataFrame
        Index ``decision, cells``. ``batches if SDs are the medians``: taking the posterior medians
        of batch and cell SD as true. ``batches, expected``: the power averaged over all SDs that
        the data leave possible, at most as many as ``MOST_BATCHES`` (empty: more). ``expected
        power at 5, 10, 20 batches`` shows what more batches can buy.

    Raises
    ------
    ValueError
        If the fit is of another model or lacks a method, or a number makes no sense.
    """
    if not 0 < level < 1:
        raise ValueError(f"level = {level} must be a share between 0 and 1")
    for name, value in (("difference", difference), ("equal_within", equal_within)):
        if not value > 0:
            raise ValueError(f"{name} = {value} mAh/g must be above 0")
    a, b = (at_rate(fit, method, c_rate) for method in (first, second))
    some = fit.thin(draws)
    rows = []
    for count in cells:
        if count < 1:
            raise ValueError(f"cells = {count}: a batch has at least one cell")
        possible = [batch_mean_sd(m["batch_sd"][some], m["cell_sd"][some], count) for m in (a, b)]
        medians = [batch_mean_sd(np.median(m["batch_sd"]), np.median(m["cell_sd"]), count)
                   for m in (a, b)]
        # The claim on the spread may be wrong: a draw where it is counts as no decision.
        for name, of in {
            f"{first} less scattered between batches": lambda s, u, n: np.where(
                s < u, power_for_spread(s, u, n, level), 0.0),
            f"means differ by {difference:g} mAh/g": lambda s, u, n: power_for_mean(
                difference, s, u, n, level),
            f"means equal within {equal_within:g} mAh/g": lambda s, u, n: power_for_equality(
                0.0, s, u, n, equal_within, level),
        }.items():
            expected = _averaged(of, possible)
            rows.append({
                "decision": name, "cells": count,
                "batches if SDs are the medians": fewest_batches(_averaged(of, medians), power),
                "batches, expected": fewest_batches(expected, power),
                **{f"expected power at {n} batches": expected(n) for n in (5, 10, 20)},
            })
    return pd.DataFrame(rows).astype({
        "batches if SDs are the medians": "Int64", "batches, expected": "Int64",
    }).set_index(["decision", "cells"])


def _averaged(of: Callable[..., Any], spreads: Sequence[Any]) -> Callable[[int], float]:
    return lambda batches: float(np.mean(of(*spreads, batches)))
