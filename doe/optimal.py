"""Optimal designs: the runs from which a stated model is learned best.

A design is judged by its information matrix M = sum over runs of J' V^-1 J, with J the change of
the expected reading with each parameter, in units of its noise: the columns of a linear model, or
the derivatives of a response that was fitted. Runs that share hard-to-change factors share an
error too (V = 1 + r between them). The criteria are

    D: log det M,   A: -trace M^-1,   I: -trace M^-1 B, the mean variance of predictions over the
    space (B the mean of J' J over it),

averaged over posterior draws where J depends on them. Designs are found by exchange: one factor of
one run at a time, whole runs from a pool of feasible settings, and small moves; each of them keeps
every rule, mixture and run of shared factors.

References
----------
Meyer and Nachtsheim, Technometrics 37 (1995) 60 (coordinate exchange); Goos and Vandebroek,
Technometrics 43 (2001) 436 (split plots); Chaloner and Verdinelli, Stat. Sci. 10 (1995) 273
(average over what is believed of the parameters).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import candidates, search
from .errors import SpaceError, unknown

if TYPE_CHECKING:
    from .space import Space

Jacobian = Callable[[pd.DataFrame], np.ndarray]
CRITERIA = ("D", "A", "I")
POOL = 256
REFERENCE = 1024
SWEEPS = 24
GAIN = 1e-3


@dataclass(frozen=True)
class Problem:
    """What a design is judged by.

    Attributes
    ----------
    jacobian : callable
        Of a table of n settings: derivatives of the expected reading with the parameters over
        the noise's standard deviation, shape (draws, n, parameters); one draw for a linear model.
    criterion : {"D", "A", "I"}
    prior : ndarray, shape (parameters, parameters)
        Information that there is already, zero for none.
    ratio : float
        Variance of a run's shared error over that of a reading.
    moments : ndarray, shape (draws, parameters, parameters)
        Mean of J' J over the space, for "I".
    """

    jacobian: Jacobian
    criterion: str
    prior: np.ndarray
    ratio: float
    moments: np.ndarray = field(repr=False)

    def information(self, j: np.ndarray) -> np.ndarray:
        """Information of runs that share an error, from J of shape (..., m, draws, p)."""
        found = np.einsum("...msp,...msq->...spq", j, j)
        m = j.shape[-3]
        if self.ratio > 0 and m > 1:
            total = j.sum(axis=-3)
            shared = self.ratio / (1.0 + m * self.ratio)
            found = found - shared * total[..., :, None] * total[..., None, :]
        elif self.ratio > 0:
            found = found / (1.0 + self.ratio)
        return found

    def worth(self, information: np.ndarray) -> np.ndarray:
        """Criterion, larger being better, of information of shape (..., draws, p, p)."""
        whole = information + self.prior
        size = np.trace(whole, axis1=-2, axis2=-1)[..., None, None] / whole.shape[-1]
        # a design that cannot tell all parameters yet is compared by those that it tells
        whole = whole + 1e-9 * size * np.eye(whole.shape[-1])
        if self.criterion == "D":
            sign, value = np.linalg.slogdet(whole)
            return np.where(sign > 0, value, -np.inf).mean(axis=-1)
        inverse = np.linalg.inv(whole)
        if self.criterion == "I":
            inverse = inverse @ self.moments
        return -np.trace(inverse, axis1=-2, axis2=-1).mean(axis=-1)


def problem(
    space: Space,
    jacobian: Jacobian,
    criterion: str = "D",
    prior: np.ndarray | None = None,
    ratio: float = 0.0,
) -> Problem:
    """What a design of this space is judged by; see `Problem`."""
    if criterion not in CRITERIA:
        raise SpaceError(unknown(criterion, CRITERIA, "criterion"))
    j = _told(jacobian, space.sample(REFERENCE, np.random.default_rng(0)))
    moments = np.einsum("snp,snq->spq", j, j) / j.shape[1]
    none = np.zeros((j.shape[-1], j.shape[-1]))
    return Problem(jacobian, criterion, none if prior is None else prior, ratio, moments)


def value(posed: Problem, settings: pd.DataFrame, runs: np.ndarray | None = None) -> float:
    """Criterion of a design, larger being better.

    Parameters
    ----------
    runs : ndarray of int, optional
        Which run each setting belongs to; without it, each is a run of its own.
    """
    return float(posed.worth(_whole(posed, settings, _labels(settings, runs))))


def search_design(
    space: Space,
    n: int,
    posed: Problem,
    *,
    seed: int = 1,
    runs: int | None = None,
    starts: int = 3,
) -> tuple[pd.DataFrame, np.ndarray, float]:
    """The best design found from several starts.

    Parameters
    ----------
    space : Space
    n : int
        Number of settings.
    posed : Problem
    seed : int
    runs : int, optional
        Over how many runs of shared hard-to-change factors they are spread.
    starts : int
        Random designs that are improved.

    Returns
    -------
    settings : DataFrame, n rows
    runs : ndarray of int, shape (n,)
    worth : float
        The criterion.
    """
    rng = np.random.default_rng([seed, 7])
    labels = np.arange(n) if runs is None else np.arange(n) * runs // n
    pool = search.tidy(space, space.sample(POOL, rng))
    best: tuple[pd.DataFrame, float] | None = None
    for _ in range(starts):
        settings = candidates.start(space, labels, rng, pool)
        settings, worth = _improve(space, settings, labels, posed, pool, rng)
        if best is None or worth > best[1]:
            best = settings, worth
    assert best is not None
    settings, worth = best
    rounded = search.tidy(space, settings)
    if not runs or _shared(space, rounded, labels):
        settings, worth = rounded, value(posed, rounded, labels)
    return settings.reset_index(drop=True), labels, worth


def _shared(space: Space, settings: pd.DataFrame, labels: np.ndarray) -> bool:
    hard: Any = settings[space.hard]
    return all(len(hard[labels == k].drop_duplicates()) == 1 for k in np.unique(labels))


def _improve(
    space: Space,
    settings: pd.DataFrame,
    labels: np.ndarray,
    posed: Problem,
    pool: pd.DataFrame,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, float]:
    """Sweeps of exchanges until none helps any more."""
    worth = float(posed.worth(_whole(posed, settings, labels)))
    shared = len(np.unique(labels)) < len(labels)
    idle = 0
    for sweep in range(SWEEPS):
        # large steps first, then small ones around what was found
        scale = (0.3, 0.1, 0.03)[min(sweep // 3, 2)]
        before = worth
        if shared:
            offered = candidates.of_runs(space, settings, labels, rng, scale)
            settings, worth = _take(posed, settings, labels, worth, offered)
        offered = candidates.of_rows(space, settings, rng, scale, None if shared else pool)
        settings, worth = _take(posed, settings, labels, worth, offered)
        # a thousandth of the volume or of the variance is nothing that a laboratory sees
        gained = worth - before > (GAIN if posed.criterion == "D" else GAIN * abs(before))
        idle = 0 if gained else idle + 1
        if idle >= 2 and sweep >= 7:
            break
    return settings, worth


def _take(
    posed: Problem,
    settings: pd.DataFrame,
    labels: np.ndarray,
    worth: float,
    offered: list[candidates.Offer],
) -> tuple[pd.DataFrame, float]:
    """Take from each offer the exchange that helps most, if any does."""
    if not offered:
        return settings, worth
    every = _told(posed.jacobian, pd.concat([o.settings for o in offered], ignore_index=True))
    j = np.moveaxis(_told(posed.jacobian, settings), 0, 1).copy()  # (n, draws, p)
    every = np.moveaxis(every, 0, 1)
    run_of = {k: np.flatnonzero(labels == k) for k in np.unique(labels)}
    parts = {k: posed.information(j[rows]) for k, rows in run_of.items()}
    total = np.sum(list(parts.values()), axis=0)
    records: dict[str, np.ndarray] = {c: settings[c].to_numpy(copy=True) for c in settings}
    at = 0
    for offer in offered:
        m, size = len(offer.rows), len(offer.settings)
        new = every[at : at + size].reshape(size // m, m, *every.shape[1:])
        at += size
        k = labels[offer.rows[0]]
        rows = run_of[k]
        inside = np.repeat(j[rows][None], len(new), axis=0)
        inside[:, np.searchsorted(rows, offer.rows)] = new
        info = posed.information(inside)
        found = posed.worth(total - parts[k] + info)
        top = int(found.argmax())
        if found[top] > worth + 1e-9 * max(abs(worth), 1.0):
            worth = float(found[top])
            total = total - parts[k] + info[top]
            parts[k] = info[top]
            j[offer.rows] = new[top]
            chosen = offer.settings.iloc[top * m : (top + 1) * m]
            for c in records:
                records[c][offer.rows] = chosen[c].to_numpy()
    return pd.DataFrame(records).astype(settings.dtypes.to_dict()), worth


def _whole(posed: Problem, settings: pd.DataFrame, labels: np.ndarray) -> np.ndarray:
    j = np.moveaxis(_told(posed.jacobian, settings), 0, 1)
    return np.sum([posed.information(j[labels == k]) for k in np.unique(labels)], axis=0)


def _labels(settings: pd.DataFrame, runs: np.ndarray | None) -> np.ndarray:
    return np.arange(len(settings)) if runs is None else np.asarray(runs)


def _told(jacobian: Jacobian, settings: pd.DataFrame) -> np.ndarray:
    j = np.asarray(jacobian(settings), dtype=float)
    if j.ndim == 2:
        j = j[None]
    if j.ndim != 3 or j.shape[1] != len(settings):
        raise SpaceError(
            f"the jacobian of {len(settings)} settings has the shape {j.shape}; give "
            f"(draws, {len(settings)}, parameters)"
        )
    if not np.isfinite(j).all():
        row = int(np.argwhere(~np.isfinite(j).all(axis=(0, 2)))[0][0])
        raise SpaceError(f"the jacobian is no number at {dict(settings.iloc[row])}")
    return j


def of_response(
    response: Callable[[pd.DataFrame, dict[str, np.ndarray]], Any],
    draws: dict[str, np.ndarray],
    noise: Callable[[pd.DataFrame], Any] | float,
    step: float = 1e-3,
) -> tuple[Jacobian, np.ndarray]:
    """Jacobian of a response by central differences, and what is known of its parameters.

    Parameters
    ----------
    response : callable
        Of n settings and parameters, each of shape (draws,): expected readings, (draws, n).
    draws : mapping of name to array, shape (draws,)
        Posterior draws of the parameters that the design is to teach, jointly.
    noise : callable or float
        Standard deviation of a reading, for n settings of shape (n,) or (draws, n).
    step : float
        Half the difference, in posterior standard deviations.

    Returns
    -------
    jacobian : callable
        In units of the parameters' standard deviations, so that they are alike.
    prior : ndarray, shape (parameters, parameters)
        Inverse correlation of the draws: the information that there is in these units.
    """
    names = list(draws)
    values = np.stack([np.asarray(draws[n], dtype=float) for n in names])
    sd = values.std(axis=1)
    if not (sd > 0).all():
        fixed = names[int(np.flatnonzero(sd <= 0)[0])]
        raise SpaceError(f"{fixed} has no spread: there is nothing to learn of it")
    correlation = np.corrcoef(values).reshape(len(names), len(names))
    prior = np.linalg.inv(correlation + 1e-6 * np.eye(len(names)))

    def jacobian(settings: pd.DataFrame) -> np.ndarray:
        columns = []
        for i, name in enumerate(names):
            ends = []
            for sign in (1.0, -1.0):
                moved = {**draws, name: values[i] + sign * step * sd[i]}
                ends.append(np.asarray(response(settings, moved), dtype=float))
            columns.append((ends[0] - ends[1]) / (2.0 * step))
        scale = noise(settings) if callable(noise) else noise
        return np.stack(columns, axis=-1) / np.asarray(scale, dtype=float)[..., None]

    return jacobian, prior
