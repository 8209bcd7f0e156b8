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

_NODES = norm.ppf((np.arange(32) + 0.5) / 32)


CONTENDER = 0.1
"""Probability of being the best tried from which a setting may be worth a repeat."""


@dataclass(frozen=True)
class Pick:
    """One choice: column ``index`` of the new settings, or of the tried ones for a repeat."""

    index: int
    repeat: bool
    gain: float


def improvement(new: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Expected gain over the best so far: ``(draws, m)`` and ``(draws,)`` to ``(m,)``."""
    return np.maximum(new - best[:, None], 0.0).mean(axis=0)


def knowledge(tried: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Expected rise of the best expected mean by one more reading of each setting.

    Parameters
    ----------
    tried : ndarray, shape (draws, t)
        Posterior draws of the true means.
    noise : ndarray, shape (t,)
        Standard deviation of one more reading of each.

    Returns
    -------
    ndarray, shape (t,)
    """
    mean = tried.mean(axis=0)
    off = tried - mean
    covariance = off.T @ off / len(tried)
    rise = covariance / np.sqrt(np.diag(covariance) + noise**2)
    after = (mean[:, None, None] + rise[:, :, None] * _NODES).max(axis=0).mean(axis=-1)
    return np.maximum(after - mean.max(), 0.0)


def _first(tried: np.ndarray) -> np.ndarray:
    """Probability of each setting to be the best of them."""
    if not tried.shape[1]:
        return np.zeros(0)
    return np.bincount(tried.argmax(axis=1), minlength=tried.shape[1]) / len(tried)


def _after_reading(
    tried: np.ndarray, at: int, noise: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draws as narrow as they will be after one more reading of a setting, means unchanged."""
    mean = tried.mean(axis=0)
    off = tried - mean
    slope = off.T @ off[:, at] / (off[:, at] @ off[:, at] + len(off) * noise[at] ** 2)
    error = off[:, at] + noise[at] * rng.standard_normal(len(off))
    return mean + off - error[:, None] * slope


def greedy(
    new: np.ndarray,
    tried: np.ndarray,
    underway: np.ndarray,
    noise: np.ndarray,
    n: int,
    rng: np.random.Generator,
    repeats: np.ndarray | None = None,
) -> list[Pick]:
    """Choose ``n`` settings one after the other, each in view of those before it.

    Parameters
    ----------
    new, tried, underway : ndarray, shape (draws, m), (draws, t), (draws, u)
        Joint draws of the true means of untried settings, of those with readings, and of those
        suggested but not measured.
    noise : ndarray, shape (t,)
        Standard deviation of one more reading of each tried setting.
    n : int
        Number of picks; each new setting is picked at most once.
    rng : numpy.random.Generator
    repeats : ndarray of bool, shape (t,), optional
        Which tried settings may be repeated, if they may be the best; all of them by default.

    Returns
    -------
    list of Pick
        Fewer than ``n`` where there is neither a new setting nor a tried one left.
    """
    free = np.ones(new.shape[1], dtype=bool)
    allowed = np.ones(tried.shape[1], dtype=bool) if repeats is None else repeats
    allowed = allowed & (_first(tried) >= CONTENDER)
    known = np.concatenate([tried, underway], axis=1)
    best = known.max(axis=1) if known.shape[1] else None
    picks: list[Pick] = []
    for _ in range(n):
        gain_new = gain_old = -np.inf
        chosen = again = -1
        if free.any():
            # with nothing to improve on, the best expected setting comes first
            gains = new.mean(axis=0) if best is None else improvement(new, best)
            chosen = int(np.argmax(np.where(free, gains, -np.inf)))
            gain_new = gains[chosen]
        if allowed.any():
            gains = knowledge(tried, noise)
            again = int(np.argmax(np.where(allowed, gains, -np.inf)))
            gain_old = gains[again]
        if chosen < 0 and again < 0:
            break
        if gain_new >= gain_old:
            free[chosen] = False
            value = new[:, chosen]
            picks.append(Pick(chosen, False, float("nan") if best is None else float(gain_new)))
            best = value if best is None else np.maximum(best, value)
        else:
            picks.append(Pick(again, True, float(gain_old)))
            tried = _after_reading(tried, again, noise, rng)
    return picks
