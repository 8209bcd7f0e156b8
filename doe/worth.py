"""What settings are worth: draws of several outcomes become draws of one number, larger is better.

One aim
    the outcome itself, its negative, or minus its distance from the target; less ``robust``
    standard deviations of the next cell.
Desirability
    the weighted geometric mean of what each outcome is good for, each moved to its worse side by
    ``robust`` standard deviations of the next cell.
Several aims without weights
    the hypervolume between a reference point and the front. It is the mean, over random
    directions, of how far the best setting reaches in that direction: with each posterior draw go
    a few directions, and the gain of a setting over the best so far, averaged over both, is its
    expected hypervolume improvement, in any number of aims.
Requirements
    where a draw breaks one, the setting is worth no more in it than the worst that is known. Where
    settings are put in order, whatever breaks one comes behind whatever keeps all.

References
----------
Zhang and Golovin, "Random hypervolume scalarizations for provable multi-objective black box
optimization", ICML 2020 (the mean over directions). Derringer and Suich, J. Qual. Technol. 12
(1980) 214. Letham et al., Bayesian Anal. 14 (2019) 495 (improvement under constraints).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from .goals import Goals

DIRECTIONS = 4
"""Random directions that go with each posterior draw."""
MOVES = 4
"""Simulated readings of each draw that tell how far a reading moves the worth."""
MARGIN = 0.1
"""How far behind the worst of the front the reference point lies, as a share of its extent."""


@dataclass(frozen=True)
class Worth:
    """Worth of settings, made for one question: its reference and directions stay the same.

    Attributes
    ----------
    goals : Goals
    low, extent : ndarray, shape (aims,)
        Reference point and scale of each aim's score.
    floor : float
        Worth, in a single aim's unit, of a setting that breaks a requirement.
    direction : ndarray, shape (draws, DIRECTIONS, aims)
        Unit vectors with positive entries; empty unless several aims are traded.
    """

    goals: Goals
    low: np.ndarray
    extent: np.ndarray
    floor: float
    direction: np.ndarray

    @property
    def copies(self) -> int:
        """How many rows of worth one posterior draw has."""
        return self.direction.shape[1] if self.direction.size else 1

    def __call__(
        self, values: Mapping[str, np.ndarray], sd: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """Draws of the worth.

        Parameters
        ----------
        values : mapping of outcome to ndarray, shape (draws, m)
            Joint draws of the true means.
        sd : mapping of outcome to ndarray, shape (m,)
            Standard deviation of one reading of the next cell.

        Returns
        -------
        ndarray, shape (draws * copies, m)
        """
        if self.direction.size:
            above = self._above(values, sd)
            count, draws, m = above.shape
            reach = np.full((draws, self.copies, m), np.inf)
            for aim in range(count):
                np.minimum(reach, above[aim][:, None] / self.direction[:, :, aim, None], out=reach)
            return (reach**count).reshape(draws * self.copies, m)
        holds = met(self.goals, values)
        if self.goals.desirable:
            return np.where(holds, desired(self.goals, values, sd), 0.0)
        return np.where(holds, scores(self.goals, values, sd)[0], self.floor)

    def averaged(
        self, values: Mapping[str, np.ndarray], sd: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """Draws of the worth over the same directions in every draw, shape ``(draws, m)``.

        For what readings tell, and for probabilities: these are of what is believed, and no
        reading tells a direction. Parameters as for a call.
        """
        if not self.direction.size:
            return self(values, sd)
        above, ways = self._above(values, sd), self.direction[:, 0]
        total = np.zeros(above.shape[1:])
        for way in ways:
            total += (above / way[:, None, None]).min(axis=0) ** len(way)
        return total / len(ways)

    def regardless(
        self, values: Mapping[str, np.ndarray], sd: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """`averaged`, whether or not requirements hold."""
        return replace(self, goals=replace(self.goals, require=())).averaged(values, sd)

    def ordered(
        self, values: Mapping[str, np.ndarray], sd: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """`averaged`, but a draw that breaks a requirement is below every draw that keeps all.

        For who is the best, and what choosing another loses: what separates the best from a little
        less than the worst draw that keeps all. Draws that break one are alike.
        """
        worth, holds = self.regardless(values, sd), met(self.goals, values)
        low = worth[holds].min(initial=np.inf) if holds.any() else 0.0
        return np.where(holds, worth, low - max(1e-3 * float(np.ptp(worth)), 1e-300))

    def _above(
        self, values: Mapping[str, np.ndarray], sd: Mapping[str, np.ndarray]
    ) -> np.ndarray:
        """How far each aim is above the reference, 0 where nothing is, ``(aims, draws, m)``."""
        above = scores(self.goals, values, sd) - self.low[:, None, None]
        above = np.maximum(above / self.extent[:, None, None], 0.0)
        return np.where(met(self.goals, values), above, 0.0)

    def noise(
        self, values: Mapping[str, np.ndarray], sd: Mapping[str, np.ndarray],
        rng: np.random.Generator,
    ) -> np.ndarray:  # fmt: skip
        """How far one reading of the next cell moves the worth, shape (m,): a standard deviation.

        In one aim's own unit this is the reading's sd; else it is found by moving the draws.
        """
        if self.goals.single and not self.goals.require and self.goals.aims[0].kind != "target":
            return np.asarray(sd[self.goals.aims[0].outcome])
        here = self.averaged(values, sd)
        total = np.zeros(here.shape[1])
        for _ in range(MOVES):
            moved = {n: v + sd[n] * rng.standard_normal((len(v), 1)) for n, v in values.items()}
            total += ((self.averaged(moved, sd) - here) ** 2).mean(axis=0)
        return np.sqrt(total / MOVES)


def worth(
    goals: Goals,
    values: Mapping[str, np.ndarray],
    sd: Mapping[str, np.ndarray],
    rng: np.random.Generator,
    shown: np.ndarray | None = None,
) -> Worth:
    """Fix reference and directions in view of some settings.

    Parameters
    ----------
    goals : Goals
    values, sd : mappings
        As for a call of `Worth`, at settings that say how far outcomes reach.
    rng : numpy.random.Generator
    shown : ndarray of bool, shape (m,), optional
        The settings that have been tried: reference and extent are those of their front. Without
        two of them, those of all settings.
    """
    means = {name: v.mean(axis=0, keepdims=True) for name, v in values.items()}
    scored = scores(goals, means, sd)[:, 0]
    floor = float(scored[0].min(initial=np.inf)) if scored.size else 0.0
    if shown is not None and shown.sum() >= 2:
        scored = scored[:, shown]
    best = scored[:, front(scored.T)] if scored.size else np.zeros((len(scored), 1))
    low, high = best.min(axis=1), best.max(axis=1)
    wide = np.ptp(scored, axis=1) if scored.size else np.ones(len(scored))
    extent = np.where(high > low, high - low, np.where(wide > 0, wide, 1.0))
    count, draws = len(goals.aims), len(next(iter(values.values())))
    direction = np.zeros((0, 0, count))
    if count > 1 and not goals.desirable:
        direction = np.abs(rng.standard_normal((draws, DIRECTIONS, count)))
        direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
        direction = np.maximum(direction, 1e-3)
    return Worth(goals, low - MARGIN * extent, extent, floor, direction)


def scores(
    goals: Goals, values: Mapping[str, np.ndarray], sd: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Each aim's score, larger is better, in the outcome's unit; shape (aims, draws, m)."""
    made = []
    for aim in goals.aims:
        value = values[aim.outcome]
        off = goals.robust * np.asarray(sd[aim.outcome])
        if aim.target is not None:
            made.append(-np.abs(value - aim.target) - off)
        else:
            made.append(aim.sign * value - off)
    return np.array(made)


def desired(
    goals: Goals, values: Mapping[str, np.ndarray], sd: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Overall desirability of each draw, 0 to 1, shape (draws, m)."""
    from ..models.desirability import Goal

    total = sum(d["weight"] for d in goals.desirable)
    logs: np.ndarray | float = 0.0
    for told, aim in zip(goals.desirable, goals.aims, strict=True):
        value, side = values[aim.outcome], aim.sign
        if aim.target is not None:  # farther from the target, on the side where it is
            side = np.where(value < aim.target, 1.0, -1.0)
        good = Goal(**told).of(value - goals.robust * side * np.asarray(sd[aim.outcome]))
        with np.errstate(divide="ignore"):
            logs = logs + told["weight"] / total * np.log(good)
    return np.exp(logs)


def met(goals: Goals, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Where every requirement holds, shape (draws, m)."""
    holds = np.ones_like(next(iter(values.values())), dtype=bool)
    for rule in goals.limits.values():
        holds &= rule.satisfied({name: values[name] for name in rule.names})
    return holds


def chances(goals: Goals, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Probability that each requirement holds, by its text; shape (m,) each."""
    return {
        text: rule.satisfied({name: values[name] for name in rule.names}).mean(axis=0)
        for text, rule in goals.limits.items()
    }


def kept(goals: Goals, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Settings that hold every requirement with the probability asked for, shape (m,)."""
    found = chances(goals, values)
    good = np.ones(next(iter(values.values())).shape[1], dtype=bool)
    for text, p in goals.require:
        good &= found[text] >= p
    return good


def front(points: np.ndarray) -> np.ndarray:
    """Which points no other beats in every aim, ``(m, aims)`` to ``(m,)``; larger is better."""
    from ..models.desirability import not_dominated

    return not_dominated(points)
