"""When to stop: what the next batch is expected to bring, and how sure the best is by now.

All from joint posterior draws of the worth of settings, larger being better: a row is a draw, a
column a setting. Probabilities speak of what the campaign believes, its model included.

gain of the next batch
    how much better the setting recommended after its readings is expected to be than the one
    recommended now: E[max E[worth | readings]] - max E[worth]. Readings are simulated, and draws
    follow them linearly; repeats, which find nothing new but tell which is best, count too.
within x of the optimum
    P(best tried >= optimum - x), the optimum being the best of many settings in each draw. Where
    the recommended setting breaks a requirement, it is not within anything.
to settle a ranking
    how many more readings of each contender, each of a batch of its own, it takes until the
    expected probability of the one then on top to be the best reaches a level: readings are
    simulated in the draws.

References
----------
Frazier et al., INFORMS J. Comput. 21 (2009) 599 (value of further readings). Kruschke, Adv.
Methods Pract. Psychol. Sci. 1 (2018) 270 (practical equivalence).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape

import numpy as np
import pandas as pd
from scipy.stats import norm
from scipy.stats.qmc import Sobol

from .acquisition import CONTENDER, after_reading
from .errors import counted, probability

SETTLED = 0.95
MOST = 64
"""Readings of each contender beyond which a ranking is called not to be settled."""
FUTURES = 11
"""Two to this power are the readings simulated for the gain of a batch."""
REPEATS = 24
"""Simulated futures that a number of readings is judged by."""


@dataclass(frozen=True)
class Progress:
    """Where a campaign stands.

    Attributes
    ----------
    table : DataFrame
        One row a number: ``what``, ``value``, ``unit``.
    equal : list of int
        Settings tried that are practically equal to the recommended one with a probability of
        0.9 or more, as positions in the table of settings tried.
    stop : bool or None
        Whether the expected gain of the next batch is below its price; None without a price.
    sentence : str
    """

    table: pd.DataFrame
    equal: list[int] = field(default_factory=list)
    stop: bool | None = None
    sentence: str = ""

    def __str__(self) -> str:
        return f"{self.table.to_string(index=False)}\n\n{self.sentence}"

    def _repr_html_(self) -> str:
        return f"{self.table.to_html(index=False)}<p>{escape(self.sentence)}</p>"


def expected_gain(
    tried: np.ndarray, batch: np.ndarray, noise: np.ndarray, seed: int = 0,
    alike: np.ndarray | None = None,
) -> float:  # fmt: skip
    """How much better the recommended setting will be, on average, once a batch has been read.

    Parameters
    ----------
    tried, batch : ndarray, shape (draws, t) and (draws, b)
        A column of the batch may repeat one of those tried, or another of the batch.
    noise : ndarray, shape (b,)
        Standard deviation of one reading of each of the batch.
    alike : ndarray, shape (b, b), optional
        Correlation of the errors of these readings, 1 with itself: readings of one run share its
        error. Without it, none is shared.

    Returns
    -------
    float
        In the unit of the draws, 0 or more.
    """
    every = np.concatenate([tried, batch], axis=1)
    mean = every.mean(axis=0)
    off = every - mean
    read = off[:, tried.shape[1] :]
    jitter = 1e-12 * float(read.var() + np.mean(noise**2)) + 1e-300  # in the square of any unit
    error = np.diag(noise**2) if alike is None else alike * np.outer(noise, noise)
    low = np.linalg.cholesky(read.T @ read / len(off) + error + jitter * np.eye(len(noise)))
    reach = np.linalg.solve(low, read.T @ off / len(off))
    futures = norm.ppf(Sobol(batch.shape[1], rng=np.random.default_rng(seed)).random_base2(FUTURES))
    after = (mean + futures @ reach).max(axis=1).mean()
    return max(float(after - mean[: tried.shape[1]].max()), 0.0)


def within(
    tried: np.ndarray, space: np.ndarray, chosen: int, margin: float,
    holds: np.ndarray | None = None,
) -> float:  # fmt: skip
    """P(the chosen setting's mean is within ``margin`` of the optimum).

    ``holds`` (draws, t) is where the settings tried keep every requirement; without it, they do.
    """
    top = np.maximum(tried.max(axis=1), space.max(axis=1, initial=-np.inf))
    near = tried[:, chosen] >= top - margin
    return float((near if holds is None else near & holds[:, chosen]).mean())


def equal_to(
    tried: np.ndarray, chosen: int, margin: float, level: float = 0.9,
    holds: np.ndarray | None = None,
) -> list[int]:  # fmt: skip
    """Settings whose mean is within ``margin`` of the chosen one's with a probability.

    ``holds`` as for `within`.
    """
    alike = np.abs(tried - tried[:, [chosen]]) <= margin
    near = (alike if holds is None else alike & holds & holds[:, [chosen]]).mean(axis=0)
    return [int(k) for k in np.flatnonzero(near >= level) if k != chosen]


def readings_to_settle(
    tried: np.ndarray, noise: np.ndarray, level: float = SETTLED, seed: int = 0,
    margin: float = 0.0, holds: np.ndarray | None = None,
) -> int | None:  # fmt: skip
    """Readings of each contender, each of a batch of its own, until the best is known, on average.

    Parameters
    ----------
    tried : ndarray, shape (draws, t)
    noise : ndarray, shape (t,)
        Standard deviation of one reading.
    level : float
        Probability of the one on top to be the best, averaged over simulated futures.
    margin : float
        Being within so much of the best counts as being it.
    holds : ndarray of bool, shape (draws, t), optional
        Where requirements are kept. Where none of the settings keeps them, none is the best.

    Returns
    -------
    int or None
        0 where it is known already; None where `MOST` readings of each are not enough.
    """
    shares = np.bincount(tried.argmax(axis=1), minlength=tried.shape[1]) / len(tried)
    rivals = np.flatnonzero(shares >= min(CONTENDER / 2.0, shares.max()))

    def sure(draws: np.ndarray) -> float:
        chosen = int(draws.mean(axis=0).argmax())
        return float((some & (draws[:, chosen] >= draws.max(axis=1) - margin)).mean())

    some = np.ones(len(tried), dtype=bool) if holds is None else holds.any(axis=1)
    if sure(tried) >= level:
        return 0
    rng = np.random.default_rng(seed)

    def expected(count: int) -> float:
        found = []
        for _ in range(REPEATS):
            after, truth = tried, tried[rng.integers(len(tried))]
            for k in rivals:
                sd = float(noise[k]) / np.sqrt(count)
                mean = after.mean(axis=0)
                off = after - mean
                slope = off.T @ off[:, k] / (off[:, k] @ off[:, k] + len(off) * sd**2 + 1e-300)
                told = truth[k] + sd * rng.standard_normal()
                after = after_reading(after, int(k), sd, rng) + (told - mean[k]) * slope
            found.append(sure(after))
        return float(np.mean(found))

    count = 1
    while count <= MOST:
        if expected(count) >= level:
            if count <= 2:
                return count
            low, high = count // 2, count
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if expected(middle) >= level else (middle, high)
            return high
        count *= 2
    return None


def _first(worth: np.ndarray, chosen: int) -> float:
    """P(one is the best), ties shared, as in a ranking."""
    winners = worth == worth.max(axis=1, keepdims=True)
    return float((winners[:, chosen] / winners.sum(axis=1)).mean())


def progress(
    tried: np.ndarray,
    space: np.ndarray,
    batch: np.ndarray,
    noise: np.ndarray,
    coming: np.ndarray,
    *,
    chosen: int,
    margin: float,
    unit: str,
    price: float | None = None,
    seed: int = 0,
    alike: np.ndarray | None = None,
    rivals: np.ndarray | None = None,
    decide: str = "",
    holds: np.ndarray | None = None,
    known: np.ndarray | None = None,
) -> Progress:
    """Where a campaign stands, in one table and one sentence.

    Parameters
    ----------
    tried, space, batch : ndarray, shape (draws, m)
        Worth of the settings tried, of many over the space, of the next batch: where requirements
        are broken, of those tried and of the space as for who is the best (`worth.Worth.ordered`).
    noise : ndarray
        Sd of one reading of each setting tried.
    coming : ndarray
        The same of the next batch.
    chosen : int
        The recommended one among those tried.
    margin : float
        What is practically equal, in the unit.
    unit : str
    price : float, optional
        What the next batch costs, in the same unit: a gain below it is not worth having.
    alike : ndarray, optional
        As for `expected_gain`.
    rivals : ndarray of int, optional
        Of a campaign that is to ``decide`` among the levels of a factor: the best setting tried of
        each level, between which the ranking is to be settled. Without it, all settings tried.
    holds : ndarray of bool, shape (draws, t), optional
        Where the settings tried keep every requirement; without it, they do everywhere.
    known : ndarray, shape (draws, t), optional
        Worth of the settings tried that goes with that of the batch, for the expected gain.
    """
    gain = expected_gain(tried if known is None else known, batch, coming, seed, alike)
    near = within(tried, space, chosen, margin, holds)
    equal = equal_to(tried, chosen, margin, holds=holds)
    among = np.arange(tried.shape[1]) if rivals is None else rivals
    needed = readings_to_settle(
        tried[:, among], noise[among], seed=seed, margin=margin,
        holds=None if holds is None else holds[:, among],
    )  # fmt: skip
    contender = f"contending {decide}" if decide else "contender"
    best = _first(tried, chosen)
    rows = [
        ("expected gain of the next batch", gain, unit),
        (f"P(the recommended setting is within {margin:g} of the optimum)", near, "1"),
        ("P(the recommended setting is the best of those tried)", best, "1"),
        ("tried settings practically equal to it (P >= 0.9)", float(len(equal)), "1"),
        (
            f"readings of each {contender} until the best is known (P {SETTLED:g}, within "
            f"{margin:g})",
            float("nan") if needed is None else float(needed),
            "1",
        ),
    ]
    if decide:
        first = _first(tried[:, among], int(np.flatnonzero(among == chosen)[0]))
        rows.append((f"P(its {decide} is the best, each at its best setting tried)", first, "1"))
    stop = None if price is None else bool(gain < price)
    gained = f"{gain:.3g}" + (f" {unit}" if unit not in ("", "1") else "")
    said = (
        f"Expected of the next {counted(batch.shape[1], 'experiment')}: {gained}; the recommended "
        f"setting is within {margin:g} of the optimum with probability "
        f"{probability(near, len(tried))}"
    )
    which = f"which {decide} is the best" if decide else "which is the best"
    if needed == 0:
        told = which if decide else "which of those tried is the best"
        said += f"; {told} is known well enough"
    elif needed is None:
        said += f"; {MOST} more readings of each {contender} would not settle {which}"
    else:
        said += (
            f"; about {needed} more readings of each {contender}, each of a batch of its own, "
            f"would settle {which}"
        )
    if stop is not None:
        said += ". " + (
            f"That is less than their price of {price:g}: stop" if stop else
            f"That is more than their price of {price:g}: go on"
        )
    return Progress(pd.DataFrame(rows, columns=["what", "value", "unit"]), equal, stop, said + ".")
