"""Designs to start with: few settings, far apart, all feasible."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from . import plots, search, sk
from .space import Space


def start(
    space: Space,
    n: int,
    seed: int = 1,
    sampler: str = "lhs",
    beside: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """`n` feasible settings that fill a space.

    A scikit-optimize design on the unit cube is mapped to the factors' own scales. Where rules
    remove points, a larger design is made and the `n` that lie farthest apart are kept.

    Parameters
    ----------
    space : Space
    n : int
    seed : int
    sampler : {"lhs", "sobol", "halton", "hammersly", "grid"}
    beside : DataFrame, optional
        Settings that there are already: new ones keep away from them too.

    Returns
    -------
    DataFrame
        One column a factor, the most central setting first. With hard-to-change factors, settings
        are put together into runs.
    """
    rng = np.random.default_rng([seed, 6])
    size = n if beside is None else 16 * (n + len(beside))
    largest = 64 * size
    while size <= largest:
        table: Any = space.from_unit(sk.unit_design(len(space.factors), size, seed, sampler))
        table = table[space.feasible(table)].reset_index(drop=True)
        if len(table) >= n:
            far = search.tidy(space, spread(space, table, n, beside))
            return plots.share(space, far, rng)
        size *= 2
    table = space.sample(64 * n, np.random.default_rng(seed))
    return plots.share(space, search.tidy(space, spread(space, table, n, beside)), rng)


def spread(
    space: Space, candidates: pd.DataFrame, n: int, beside: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The `n` candidates farthest from each other, and from those beside, chosen greedily."""
    at = space.encode(candidates)
    chosen: list[int] = []
    if beside is None or not len(beside):
        nearest = -np.linalg.norm(at - at.mean(axis=0), axis=1)  # the most central one first
    else:
        gaps = at[:, None] - space.encode(beside)[None]
        nearest = np.linalg.norm(gaps, axis=-1).min(axis=1)
    while len(chosen) < n:
        chosen.append(int(np.argmax(nearest)))
        distance = np.linalg.norm(at - at[chosen[-1]], axis=1)
        fresh = len(chosen) == 1 and (beside is None or not len(beside))
        nearest = distance if fresh else np.minimum(nearest, distance)
    return candidates.iloc[chosen].reset_index(drop=True)
