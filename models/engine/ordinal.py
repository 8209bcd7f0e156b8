"""Ordered categories: grades, whose numbers mean nothing but their order.

    P(rank <= k) = F((c_k - eta) / s),   F logistic,   c_1 < c_2 < ... < c_(K-1)

A reading is the *rank* of its category among the K categories that the table holds, 1 for the
lowest: a scale that is relabelled without changing the order gives the same data, and a grade that
nobody gave leaves no empty category behind. Cuts beyond K - 1 are out of reach. The cuts in use
have mean zero, so that the level of what is graded has a place of its own.

McCullagh, J. R. Stat. Soc. B 42 (1980) 109, doi 10.1111/j.2517-6161.1980.tb01109.x.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .arrays import expit, namespace

FAMILY = "Ordered"
MOST = 8
"""Most categories that a table may hold."""
FAR = 1e4
"""A cut that no latent value reaches."""
CATEGORIES = " categories"
"""Ending of the column that holds the number of categories of an outcome."""
LOGISTIC_VARIANCE = math.pi**2 / 3.0


def cuts_from(steps: Sequence[Any], categories: Any) -> list[Any]:
    """Cuts between ranks, mean zero over those in use.

    Parameters
    ----------
    steps
        Distances from one cut to the next, ``MOST - 2`` of them, above 0.
    categories
        Number of categories K, 2 or more; of any shape that broadcasts.

    Returns
    -------
    list
        ``MOST - 1`` cuts; those from number K on are ``FAR``.
    """
    xp = namespace(categories, *steps)
    position: Any = 0.0 * categories
    raw = [position]
    for step in steps:
        position = position + step
        raw.append(position)
    used = [xp.where(categories > k, 1.0, 0.0) for k in range(1, MOST)]
    centre = sum(u * r for u, r in zip(used, raw, strict=True)) / sum(used)
    return [xp.where(u > 0.5, r - centre, FAR) for u, r in zip(used, raw, strict=True)]


def above(location: Any, scale: Any, cuts: Sequence[Any]) -> list[Any]:
    """P(rank > k) for k = 1, 2, ..., one for each cut."""
    return [expit((location - cut) / scale) for cut in cuts]


def log_probability(rank: Any, location: Any, scale: Any, cuts: Sequence[Any]) -> Any:
    """ln P(rank), elementwise; ranks below 1 count as 1.

    With b and a the standardised cuts above and below, F(b) - F(a) = F(b) F(-a) (1 - e^(a - b)),
    which loses nothing far out.
    """
    xp = namespace(rank, location, scale, *cuts)
    high, low = FAR + 0.0 * location, -FAR + 0.0 * location
    for k, cut in enumerate(cuts, 1):
        low = xp.where(rank > k + 0.5, cut, low)
        high = xp.where((rank < k + 0.5) & (high > 0.5 * FAR), cut, high)
    a, b = (low - location) / scale, (high - location) / scale
    return xp.log(-xp.expm1(a - b)) - _softplus(-b) - _softplus(a)


def moments(location: Any, scale: Any, cuts: Sequence[Any]) -> tuple[Any, Any]:
    """Mean and standard deviation of the rank."""
    xp = namespace(location, scale, *cuts)
    tails = above(location, scale, cuts)
    mean: Any = sum(tails)
    square: Any = sum((2 * k - 1) * tail for k, tail in enumerate(tails, 1))
    return 1.0 + mean, xp.sqrt(xp.maximum(square - mean**2, 1e-12))


def draw(location: Any, scale: Any, cuts: Sequence[Any], rng: np.random.Generator) -> np.ndarray:
    """Random ranks at given locations, as floats."""
    latent = location + scale * rng.logistic(size=np.shape(location))
    return 1.0 + np.sum([latent > cut for cut in cuts], axis=0)


def ranks(value: np.ndarray, name: str) -> tuple[np.ndarray, list[float]]:
    """Rank of each value among the distinct ones, and those in order.

    Raises
    ------
    ValueError
        If there are more than ``MOST`` of them.
    """
    known, place = np.unique(value, return_inverse=True)
    if len(known) > MOST:
        raise ValueError(f"{name} has {len(known)} different values; at most {MOST} are taken as "
                         "ordered categories: merge neighbours into a coarser scale")
    return 1.0 + place.astype(float), [float(v) for v in known]


def _softplus(x: Any) -> Any:
    xp = namespace(x)
    return xp.maximum(x, 0.0) + xp.log1p(xp.exp(-xp.abs(x)))
