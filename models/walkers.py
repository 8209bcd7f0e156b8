"""Draws made right by walking: for posteriors that importance sampling meets only roughly.

Importance sampling finds the modes of a posterior and about how much each weighs; a long bent ridge
it meets with few draws (k-hat above 0.7). Its draws are then the start of many walkers that leave
the posterior as it is: each steps along the difference of two walkers of the other half
(differential evolution), now and then by the whole difference, which carries it from mode to mode.
No gradient, no compiling.

Sources: ter Braak, Stat. Comput. 16 (2006) 239 (differential evolution); Goodman, Weare, Comm.
Appl. Math. Comput. Sci. 5 (2010) 65 (two halves that move each other).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

WALKERS, STEPS, EVERY = 200, 900, 15
"""Walkers, steps of a walk, and steps between the moments of its second half that are kept. With
240 steps the far ends of bent posteriors are not reached, and intervals come out too narrow."""
JUMPS, JITTER = 0.1, 1e-4
"""Share of whole-difference steps; breadth of a step's noise over the ensemble's."""
MOVED = 0.15
"""Kolmogorov distance between the last two quarters of a walk beyond which it has not settled."""


@dataclass(frozen=True)
class Walk:
    """End of a walk: ``u`` (draws, parameters), how far it still moved, and acceptance."""

    u: np.ndarray
    moved: float
    accepted: float

    @property
    def settled(self) -> bool:
        """Whether the last two quarters of the walk were alike."""
        return self.moved <= MOVED


def walk(log_density: Callable[[np.ndarray], np.ndarray], start: np.ndarray, seed: int, *,
         steps: int = STEPS, walkers: int = WALKERS) -> Walk:
    """Walk from rough draws of a posterior to better ones.

    Parameters
    ----------
    log_density
        ``(n, parameters) -> (n,)``.
    start : array (draws, parameters)
        At least two draws, from all modes.
    seed
        Of the generator.
    steps, walkers
        Length of the walk, and how many walk.
    """
    rng = np.random.default_rng([seed, 29])
    at = start[rng.choice(len(start), walkers, replace=len(start) < walkers)]
    count, half = at.shape[1], walkers // 2
    width = 1.4826 * np.median(np.abs(at - np.median(at, axis=0)), axis=0) + 1e-12
    here = np.nan_to_num(log_density(at), nan=-np.inf)
    kept, accepted = [], 0
    for step in range(steps):
        for own in (np.arange(half), np.arange(half, walkers)):
            other = np.setdiff1d(np.arange(walkers), own)
            a = rng.integers(len(other), size=len(own))
            b = (a + rng.integers(1, len(other), size=len(own))) % len(other)
            scale = (2.38 / np.sqrt(2 * count)) * rng.uniform(0.3, 1.1, (len(own), 1))
            scale = np.where(rng.random((len(own), 1)) < JUMPS, 1.0, scale)
            tried = (at[own] + scale * (at[other[a]] - at[other[b]])
                     + JITTER * width * rng.normal(size=(len(own), count)))
            there = np.nan_to_num(log_density(tried), nan=-np.inf)
            with np.errstate(invalid="ignore"):
                taken = np.log(rng.random(len(own))) < there - here[own]
            at = at.copy()
            at[own[taken]], here[own[taken]] = tried[taken], there[taken]
            accepted += int(taken.sum())
        if step >= steps // 2 and (step - steps // 2) % EVERY == EVERY - 1:
            kept.append(at)
    cut = len(kept) // 2
    moved = _apart(np.concatenate(kept[:cut]), np.concatenate(kept[cut:]))
    return Walk(np.concatenate(kept), moved, accepted / (steps * walkers))


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    """Largest Kolmogorov distance between two ensembles over the parameters."""
    found = 0.0
    for a, b in zip(np.sort(one, axis=0).T, np.sort(other, axis=0).T, strict=True):
        both = np.concatenate([a, b])
        found = max(found, float(np.abs(np.searchsorted(a, both, side="right") / len(a)
                                        - np.searchsorted(b, both, side="right") / len(b)).max()))
    return found
