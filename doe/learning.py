"""Experiments that teach: about physical parameters, about rival models, about which is best.

All of it is information in nats, from joint posterior draws: a column of ``values`` is a setting,
a row is a draw of the true means, and ``noise`` is the standard deviation of one reading.

Parameters
    I(phi; y) = 1/2 ln[(Var f + s^2) / (Var(f | phi) + s^2)], with Var(f | phi) what a quadratic
    in the parameters leaves of the draws.
Classes (which model is right, which level is the best)
    I(class; y) = H(y) - sum p_c H(y | c), with y normal within a class.

Experiments are chosen one after the other, each in view of what those before it will have told
(their readings are simulated in the draws: an ensemble update).

References
----------
Lindley, Ann. Math. Stat. 27 (1956) 986. Evensen, Ocean Dyn. 53 (2003) 343 (ensemble update).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .acquisition import TRIED, UNDERWAY, Pick, after_reading

NODES = 24
QUADRATIC = 6
"""Parameters up to which products enter; of more, only themselves and their squares do."""


def parameter_information(
    values: np.ndarray, phi: np.ndarray, noise: np.ndarray
) -> np.ndarray:
    """Information of one reading of each setting about parameters, in nats.

    Parameters
    ----------
    values : ndarray, shape (draws, m)
    phi : ndarray, shape (draws, p)
        The parameters in the same draws.
    noise : ndarray, shape (m,)

    Returns
    -------
    ndarray, shape (m,)
        Zero or more.
    """
    features = _features(phi)
    centred = values - values.mean(axis=0)
    base, _ = np.linalg.qr(features - features.mean(axis=0))
    left = centred - base @ (base.T @ centred)
    draws, used = features.shape
    total = (centred**2).sum(axis=0) / max(draws - 1, 1)
    rest = np.minimum((left**2).sum(axis=0) / max(draws - 1 - used, 1), total)
    square = np.asarray(noise) ** 2 + 1e-300
    return 0.5 * np.log((total + square) / (rest + square))


def _features(phi: np.ndarray) -> np.ndarray:
    """The parameters, standardised, with squares and products; constants are left out."""
    spread = phi.std(axis=0)
    z = (phi - phi.mean(axis=0))[:, spread > 0] / spread[spread > 0]
    count = z.shape[1]
    pairs = [(i, j) for i in range(count) for j in range(i, count)]
    if count > QUADRATIC:
        pairs = [(i, i) for i in range(count)]
    products = [z[:, i] * z[:, j] for i, j in pairs]
    made = np.column_stack([z, *products]) if count else np.zeros((len(phi), 0))
    return made[:, : max(len(phi) // 4, 1)]


def class_information(values: np.ndarray, member: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Information of one reading of each setting about the class of a draw, in nats.

    Parameters
    ----------
    values : ndarray, shape (draws, m)
    member : ndarray of int, shape (draws,)
        Class of each draw; a class of less than a thirtieth of the draws is left out, for its
        mean and spread are not known.
    noise : ndarray, shape (m,)

    Returns
    -------
    ndarray, shape (m,)
        Between zero and the entropy of the classes. What as many draws without any information
        show by chance is taken off.
    """
    kinds, count = np.unique(member, return_counts=True)
    enough = count >= max(2.0, len(member) / 30.0)
    kinds, count = kinds[enough], count[enough]
    if len(kinds) < 2:
        return np.zeros(values.shape[1])
    share = count / count.sum()
    mean = np.array([values[member == k].mean(axis=0) for k in kinds])
    sd = np.sqrt([values[member == k].var(axis=0) + np.asarray(noise) ** 2 for k in kinds])
    sd = np.maximum(sd, 1e-12 * (1.0 + np.abs(mean)))
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    weights = weights / weights.sum()
    told = np.zeros(values.shape[1])
    for c in range(len(kinds)):
        y = mean[c] + sd[c] * nodes[:, None]
        z = (y[:, None] - mean) / sd
        log_p = -0.5 * z**2 - np.log(sd)
        whole = np.log((share[:, None] * np.exp(log_p - log_p.max(axis=1, keepdims=True))).sum(1))
        whole += log_p.max(axis=1)
        told += share[c] * (weights[:, None] * (log_p[:, c] - whole)).sum(axis=0)
    return np.maximum(told - (len(kinds) - 1) / len(member), 0.0)


def unknown(values: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Share of the variance of one reading that its mean's uncertainty is, ``(m,)``, 0 to 1.

    What is left to ask for where no reading tells one class from another.
    """
    known = values.var(axis=0)
    return known / (known + np.asarray(noise) ** 2 + 1e-300)


def best_class(values: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Which level is best in each draw, each level at its best expected setting.

    Parameters
    ----------
    values : ndarray, shape (draws, m)
        Larger is better.
    level : ndarray of int, shape (m,)
        Level of each setting.

    Returns
    -------
    ndarray of int, shape (draws,)
    """
    kinds, at = representatives(values, level)
    return kinds[values[:, at].argmax(axis=1)]


def confirmation(values: np.ndarray, level: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Share of the variance between the best two levels that a reading takes away, ``(m,)``.

    What is left to ask for where it is all but known which level is best.
    """
    kinds, at = representatives(values, level)
    if len(kinds) < 2:
        return np.zeros(values.shape[1])
    first, second = at[np.argsort(-values[:, at].mean(axis=0))[:2]]
    off = values - values.mean(axis=0)
    gap = off[:, first] - off[:, second]
    shared = off.T @ gap / len(off)
    told = shared**2 / (off.var(axis=0) + np.asarray(noise) ** 2 + 1e-300)
    return np.clip(told / (gap.var() + 1e-300), 0.0, 1.0)


def representatives(values: np.ndarray, level: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The levels, and for each the column of its best expected mean."""
    mean = values.mean(axis=0)
    kinds = np.unique(level)
    columns = [np.flatnonzero(level == k) for k in kinds]
    return kinds, np.array([c[np.argmax(mean[c])] for c in columns])


def greedy(
    values: np.ndarray,
    extra: np.ndarray,
    information: Callable[[np.ndarray, np.ndarray], np.ndarray],
    noise: np.ndarray,
    state: np.ndarray,
    n: int,
    rng: np.random.Generator,
    legal: np.ndarray,
    weight: np.ndarray | None = None,
) -> list[Pick]:
    """Choose ``n`` settings, new or tried, each by what it tells beyond those before it.

    Parameters
    ----------
    values : ndarray, shape (draws, m)
    extra : ndarray, shape (draws, p)
        What is to be learned, updated along with the values; p may be 0.
    information : callable
        (values, extra) to nats a setting, shape (m,).
    noise : ndarray, shape (m,)
        Standard deviation of one reading.
    state, legal : ndarray, shape (m,)
        As in `acquisition.greedy`.
    weight : ndarray, shape (m,), optional
        Factor on the information: chance of success over cost.
    """
    if not legal.any():
        raise ValueError("legal: no setting may be picked; give one feasible setting at least")
    picks: list[Pick] = []
    m = values.shape[1]
    joint = np.concatenate([values, extra], axis=1)
    free = legal & (state != UNDERWAY)  # what is underway is not asked for again
    for _ in range(n):
        told = information(joint[:, :m], joint[:, m:])
        worth = told if weight is None else told * weight
        at = int(np.argmax(np.where(free if free.any() else legal, worth, -np.inf)))
        picks.append(Pick(at, bool(state[at] == TRIED), float(told[at])))
        free[at] &= state[at] == TRIED
        joint = after_reading(joint, at, float(noise[at]), rng)
    return picks
