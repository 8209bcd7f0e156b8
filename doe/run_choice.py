"""Choose runs by what they bring for their price: another setting in the same run is cheap.

A run is a lead setting and fellows that share its hard-to-change factors. For each of a few
promising leads, a run is grown by its best fellow each time, and its gain for the price of the
whole run so far is noted: change-over, run, settings. The lead and the size with the most gain for
their price are proposed, and the next run is chosen in view of them. The gain is that of the
campaign's goal: improvement, or nats about parameters, models or levels. Readings of one run share
its error, so that further ones teach less than as many runs would.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np

from . import acquisition, plots
from .acquisition import CONTENDER, NEW, TRIED, UNDERWAY, Pick

if TYPE_CHECKING:
    from .pool import Pool
    from .run_prices import RunPrices

LEADS = 6
"""Settings that are looked at as the lead of a run: by gain for their price, and by gain."""
BESIDE = 96
"""Settings listed of the run of each of them."""
NEAR = 256
"""Settings listed of a run that is filled."""


class Improvement:
    """Expected improvement by each setting, and what repeats of those tried tell."""

    def __init__(self, pool: Pool) -> None:
        self.values, self.noise = pool.values, pool.noise
        self.new = pool.state == NEW
        self.best = self.values[:, ~self.new].max(axis=1)
        self.rng = np.random.default_rng([len(pool.state), 1])
        self.tried, self.again = pool.read(self.rng)
        open_ = pool.state[self.tried] == TRIED
        self.contends = open_ & (acquisition.first(self.again) >= CONTENDER)

    def scores(self, at: np.ndarray, joined: bool = False) -> np.ndarray:
        """Gain by one reading of each of some settings."""
        told = np.zeros(len(self.new))
        new = at[self.new[at]]
        told[new] = acquisition.improvement(self.values[:, new], self.best)
        if self.contends.any():
            rise = acquisition.knowledge(self.again, self.noise[self.tried])
            told[self.tried] = np.where(self.contends, rise, 0.0)
        return told[at]

    def take(self, at: int) -> None:
        """A reading of a setting is decided on."""
        if self.new[at]:
            self.best = np.maximum(self.best, self.values[:, at])
            self.new = self.new.copy()
            self.new[at] = False
            return
        for where in np.flatnonzero(self.tried == at):  # nowhere if it was never read
            noise = float(self.noise[at])
            self.again = acquisition.after_reading(self.again, int(where), noise, self.rng)

    def new_run(self) -> None:
        """What follows is another run."""


class Teaching:
    """Nats that a reading of each setting tells; readings of one run share its error."""

    def __init__(self, pool: Pool) -> None:
        self.told, extra = pool.information()
        values = pool.sign * pool.first
        self.m = values.shape[1]
        self.joint = np.column_stack([values, extra, np.zeros(len(values))])
        cell, batch = pool.found.first.scatter(pool.settings)
        self.cell, self.batch = cell, np.nan_to_num(batch)
        self.rng = np.random.default_rng([len(pool.state), 2])
        self.open = pool.state != UNDERWAY
        sd = np.hypot(self.cell, self.batch)
        for at in np.flatnonzero(~self.open):  # will tell what it tells
            self.joint = acquisition.after_reading(self.joint, int(at), float(sd[at]), self.rng)
        self.new_run()

    def new_run(self) -> None:
        """What follows is another run, with an error of its own."""
        effect = self.rng.standard_normal(len(self.joint))
        effect = (effect - effect.mean()) / effect.std()
        self.joint = np.column_stack([self.joint[:, :-1], effect])

    def scores(self, at: np.ndarray, joined: bool = False) -> np.ndarray:
        """Information by one reading of each of some settings, in a new run or in this one."""
        values, extra = self.joint[:, : self.m], self.joint[:, self.m : -1]
        read, sd = values[:, at], np.hypot(self.cell, self.batch)[at]
        if joined:
            read, sd = self._read(at), self.cell[at]
        return np.where(self.open[at], self.told(read, values, extra, sd, at), 0.0)

    def _read(self, at: np.ndarray) -> np.ndarray:
        """Draws of readings in this run, without the error of a cell."""
        return self.joint[:, at] + self.batch[at] * self.joint[:, -1:]

    def take(self, at: int) -> None:
        """A reading of a setting is decided on: the draws are made to know it."""
        whole = np.concatenate([self.joint, self._read(np.array([at]))], axis=1)
        noise = float(self.cell[at])
        self.joint = acquisition.after_reading(whole, whole.shape[1] - 1, noise, self.rng)[:, :-1]


def choose(
    pool: Pool, n: int, many: int, rng: np.random.Generator, prices: RunPrices
) -> list[Pick]:
    """``n`` settings in runs of at most ``many``.

    Parameters
    ----------
    pool : Pool
        Something in it must be tried or underway, unless readings are to teach.
    n, many : int
    rng : numpy.random.Generator
        Lists the settings that share a run.
    prices : RunPrices
        Told of each run that is proposed.
    """
    picks: list[Pick] = []
    sizes: list[int] = []
    while len(picks) < n:
        if many > 1:
            _list_fellows(pool, picks, rng, prices)
        gain = _known(pool, picks, sizes)
        room = min(many, n - len(picks))
        free = _free(pool, picks)
        told = gain.scores(np.arange(len(free)))
        if told[free].max(initial=0.0) <= 0.0:  # nothing is left but to repeat
            run = [pool.pick(1, rng, pool.legal, _state(pool, picks), picks)[0]]
            picks, sizes = picks + run, [*sizes, 1]
            continue
        begin = prices.begin(pool.settings)
        best: tuple[float, list[Pick]] = (-np.inf, [])
        for lead in _leads(pool, told, begin, free, prices, many):
            rate, run = _grown(pool, copy.copy(gain), lead, room, free, float(begin[lead]))
            best = (rate, run) if rate > best[0] else best
        picks += best[1]
        sizes.append(len(best[1]))
        prices.visit(pool.settings.iloc[best[1][0].index].to_dict())
    return picks


def filled(pool: Pool, n: int, many: int, rng: np.random.Generator) -> list[Pick]:
    """``n`` settings that teach, in runs of ``many``: contrasts within a run cancel its error."""
    picks: list[Pick] = []
    sizes: list[int] = []
    while len(picks) < n:
        told = _known(pool, picks, sizes).scores(np.arange(len(pool.state)))
        free = _free(pool, picks)
        if not (told[free] > 0.0).any():  # nothing is left but to repeat
            picks.append(pool.pick(1, rng, pool.legal, _state(pool, picks), picks)[0])
            sizes.append(1)
            continue
        at = int(np.argmax(np.where(free, pool.weight * told, -np.inf)))
        setting, score = pool.settings.iloc[at], float(told[at])
        pool.add(plots.siblings(pool.space, setting, NEAR, rng), NEW)
        gain = _known(pool, picks, sizes)
        fellows = _free(pool, picks) & plots.same_run(pool.space, pool.settings, setting)
        sizes.append(0)
        for left in range(min(many, n - len(picks)) - 1, -1, -1):
            picks.append(Pick(at, bool(pool.state[at] == TRIED), score))
            sizes[-1] += 1
            fellows[at] = False
            if not left or not fellows.any():
                break
            gain.take(at)
            open_ = np.flatnonzero(fellows)
            each = gain.scores(open_, joined=True)
            best = int(np.argmax(pool.weight[open_] * each))
            at, score = int(open_[best]), float(each[best])
    return picks


def _free(pool: Pool, picks: list[Pick]) -> np.ndarray:
    """Settings that may be proposed next; only readings that teach are asked for twice."""
    free = pool.legal & (_state(pool, picks) != UNDERWAY)
    if not pool.teaches:
        free[[p.index for p in picks]] = False
    return pool.likely(free)


def _state(pool: Pool, picks: list[Pick]) -> np.ndarray:
    """State of each setting once the picks are underway."""
    state = pool.state.copy()
    state[[p.index for p in picks if not p.repeat]] = UNDERWAY
    return state


def _known(pool: Pool, picks: list[Pick], sizes: list[int]) -> Improvement | Teaching:
    """What is to be gained after the runs that are proposed already."""
    gain = Teaching(pool) if pool.teaches else Improvement(pool)
    at = 0
    for size in sizes:
        for pick in picks[at : at + size]:
            gain.take(pick.index)
        gain.new_run()
        at += size
    return gain


def _grown(
    pool: Pool, gain: Improvement | Teaching, lead: int, room: int, free: np.ndarray, begin: float
) -> tuple[float, list[Pick]]:
    """The size of a run that brings most for the price of all of it, and its settings."""
    share = plots.same_run(pool.space, pool.settings, pool.settings.iloc[lead])
    fellows = np.flatnonzero(free & share)
    run: list[Pick] = []
    total, paid, at = 0.0, begin, lead
    told = float(gain.scores(np.array([at]))[0])
    best: tuple[float, list[Pick]] = (-np.inf, [])
    while True:
        run.append(Pick(at, bool(pool.state[at] == TRIED), told))
        total, paid = total + pool.chance[at] * told, paid + pool.cost[at]
        if total / paid > best[0]:
            best = (float(total / paid), list(run))
        fellows = fellows[fellows != at]
        if len(run) == room or not len(fellows):
            return best
        gain.take(at)
        each = gain.scores(fellows, joined=True)
        rate = pool.chance[fellows] * each
        if (pool.cost[fellows] > 0.0).all():
            rate = rate / pool.cost[fellows]
        next_one = int(np.argmax(rate))
        at, told = int(fellows[next_one]), float(each[next_one])


def _leads(
    pool: Pool, told: np.ndarray, begin: np.ndarray, free: np.ndarray, prices: RunPrices, many: int
) -> list[int]:
    """Settings that may lead a run: the best for their price, the best, and the best at a place."""
    expected = pool.chance * told
    found: list[int] = []
    for score, count in ((expected / (begin + pool.cost), LEADS), (expected, LEADS)):
        order = np.argsort(-np.where(free, score, -np.inf), kind="stable")
        found += [int(i) for i in order[:count] if free[i]]
    for place in prices.places if many > 1 else ():
        here = free & plots.same_run(pool.space, pool.settings, place)
        if here.any():
            found.append(int(np.argmax(np.where(here, expected, -np.inf))))
    return list(dict.fromkeys(found))


def _list_fellows(
    pool: Pool, picks: list[Pick], rng: np.random.Generator, prices: RunPrices
) -> None:
    """Settings that share the run of each promising lead, and of each place."""
    told = (Teaching(pool) if pool.teaches else Improvement(pool)).scores(
        np.arange(len(pool.state))
    )
    begin = prices.begin(pool.settings)
    leads = _leads(pool, told, begin, _free(pool, picks), prices, 1)
    runs = [pool.settings.iloc[i].to_dict() for i in leads] + prices.places
    keys = [tuple((n, run[n]) for n in pool.space.hard) for run in runs]
    for key in dict.fromkeys(keys):
        pool.add(plots.siblings(pool.space, dict(key), BESIDE, rng), NEW)
