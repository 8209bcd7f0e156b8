"""Which settings to run next: joint noisy improvement over posterior draws.

Everything here is arrays of draws: a column is a setting, a row is one posterior draw of the
true means of all of them, larger is better. A new setting is worth what it is expected to add to
the best of the settings tried and underway, draw by draw, so uncertainty about those counts too
(noisy expected improvement), and each pick joins them before the next (greedy joint improvement).
A repeat of a tried setting adds no new setting but tells which of the tried is best: it is worth
the rise of the best expected mean that one more reading brings (knowledge gradient).

References
----------
Letham et al., "Constrained Bayesian optimization with noisy experiments", Bayesian Anal. 14
(2019) 495. Frazier et al., "The knowledge-gradient policy for correlated normal beliefs",
INFORMS J. Comput. 21 (2009) 599.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

NEW, TRIED, UNDERWAY = 0, 1, 2
"""States of a setting: not run yet, with readings, suggested but without a reading."""
CONTENDER = 0.1
"""Probability of being the best tried from which a setting may be worth a repeat."""
_NODES = norm.ppf((np.arange(32) + 0.5) / 32)


@dataclass(frozen=True)
class Pick:
    """One choice: the setting's column, whether it repeats one, the gain expected of one reading
    of it in view of those picked before, whatever it costs and if its process works."""

    index: int
    repeat: bool
    gain: float


def improvement(new: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Expected gain over the best so far: ``(draws, m)`` and ``(draws,)`` to ``(m,)``."""
    return np.maximum(new - best[:, None], 0.0).mean(axis=0)


def gains(values: np.ndarray, state: np.ndarray) -> np.ndarray:
    """Improvement by each setting over all that are tried or underway, shape (m,).

    With nothing to improve on, the expected value itself.
    """
    known = values[:, state != NEW]
    return improvement(values, known.max(axis=1)) if known.shape[1] else values.mean(axis=0)


def knowledge(tried: np.ndarray, noise: np.ndarray, of: np.ndarray | None = None) -> np.ndarray:
    """Expected rise of the best expected mean by one more reading of each setting.

    Parameters
    ----------
    tried : ndarray, shape (draws, t)
        Posterior draws of the true means.
    noise : ndarray, shape (t,)
        Standard deviation of one more reading of each.
    of : ndarray of int, optional
        The settings that are asked about; all by default.

    Returns
    -------
    ndarray, shape (t,) or as many as ``of``
    """
    mean = tried.mean(axis=0)
    off = tried - mean
    read, noise = (off, noise) if of is None else (off[:, of], noise[of])
    covariance = off.T @ read / len(tried)
    rise = covariance / np.sqrt((read**2).mean(axis=0) + noise**2 + 1e-300)
    after = (mean[:, None, None] + rise[:, :, None] * _NODES).max(axis=0).mean(axis=-1)
    return np.maximum(after - mean.max(), 0.0)


def greedy(
    values: np.ndarray,
    state: np.ndarray,
    noise: np.ndarray,
    n: int,
    rng: np.random.Generator,
    legal: np.ndarray | None = None,
    weight: np.ndarray | None = None,
    read: np.ndarray | None = None,
    again: np.ndarray | None = None,
) -> list[Pick]:
    """Choose ``n`` settings one after the other, each in view of those before it.

    Parameters
    ----------
    values : ndarray, shape (draws, m)
        Joint draws of the true means.
    state : ndarray of int, shape (m,)
        ``NEW``, ``TRIED`` or ``UNDERWAY``.
    noise : ndarray, shape (m,)
        Standard deviation of one reading of each setting; used for those tried.
    n : int
        Number of picks. A new setting is picked once; a tried one that may be the best, again
        where that is worth more; where neither is left, the best expected ones again, those
        underway last.
    rng : numpy.random.Generator
    legal : ndarray of bool, shape (m,), optional
        Which settings may be picked; all by default.
    weight : ndarray, shape (m,), optional
        Factor on the gain of each setting: its chance of success over its cost.
    read : ndarray of int, shape (t,), optional
        Columns of the settings with readings, among which a repeat helps to choose; those tried by
        default. One that is underway again is among them, but is not picked.
    again : ndarray, shape (any, t), optional
        Draws of what is believed of these; those of ``values`` by default.

    Returns
    -------
    list of Pick

    Raises
    ------
    ValueError
        If no setting may be picked.
    """
    legal = np.ones(len(state), dtype=bool) if legal is None else legal
    if not legal.any():
        raise ValueError("legal: no setting may be picked; give one feasible setting at least")
    waiting, state = state == UNDERWAY, state.copy()
    tried = np.flatnonzero(state == TRIED) if read is None else read
    again, spread = values[:, tried] if again is None else again, noise[tried]
    open_ = legal[tried] & (state[tried] == TRIED)
    contenders = np.flatnonzero(open_ & (first(again) >= CONTENDER))
    count = np.zeros(len(state), dtype=int)
    picks: list[Pick] = []
    for _ in range(n):
        # an expected value itself is no gain that a weight could multiply
        each = 1.0 if weight is None or not (state != NEW).any() else weight
        rise = gains(values, state)
        by_new = np.where(legal & (state == NEW), each * rise, -np.inf)
        at, most, repeat = int(np.argmax(by_new)), float(by_new.max()), False
        gain = float(rise[at])
        if len(contenders):
            told = knowledge(again, spread, contenders)
            by_repeat = told if weight is None else weight[tried[contenders]] * told
            if by_repeat.max() > most:
                k = int(np.argmax(by_repeat))
                where, most = int(contenders[k]), float(by_repeat[k])
                at, gain, repeat = int(tried[where]), float(told[k]), True
                again = after_reading(again, where, spread[where], rng)
        if most == -np.inf:
            order = np.lexsort((-values.mean(axis=0), count, waiting, ~legal))
            at, gain, repeat = int(order[0]), 0.0, True
        picks.append(Pick(at, repeat, gain))
        count[at] += 1
        if not repeat:
            state[at] = UNDERWAY
    return picks


def first(tried: np.ndarray) -> np.ndarray:
    """Probability of each setting to be the best of them."""
    if not tried.shape[1]:
        return np.zeros(0)
    return np.bincount(tried.argmax(axis=1), minlength=tried.shape[1]) / len(tried)


def after_reading(tried: np.ndarray, at: int, noise: float, rng: np.random.Generator) -> np.ndarray:
    """Draws as narrow as they will be after one more reading of a setting, means unchanged."""
    off = tried - tried.mean(axis=0)
    slope = off.T @ off[:, at] / (off[:, at] @ off[:, at] + len(off) * noise**2 + 1e-300)
    error = off[:, at] + noise * rng.standard_normal(len(off))
    return tried - (error - error.mean())[:, None] * slope
