"""Settings that may be suggested, with draws of what each is worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import acquisition, learning, space_words, surrogate, worth
from .acquisition import NEW, TRIED, UNDERWAY, Pick
from .errors import DoeError
from .failures import LEAST
from .goals import LITTLE, MODELS, Goals, price
from .outlook import Outlook
from .worth import Worth

if TYPE_CHECKING:
    from .space import Space

CANDIDATES = 1024
Told = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""Nats from draws of some readings without a cell's error, draws of all means, draws of what is
asked, the sd of a cell of these readings, and which settings they are of."""


@dataclass
class Pool:
    """Settings listed so far, their state, and the draws of what they are worth.

    Attributes
    ----------
    raw : dict of outcome to ndarray, shape (draws, m)
        Draws of the true means, in the outcome's unit.
    values : ndarray, shape (draws * copies, m)
        Draws of the worth, larger being better.
    noise : ndarray, shape (m,)
        How far one reading moves the worth, of those tried or underway; where readings teach, the
        sd of one reading of each.
    chance, cost, weight : ndarray, shape (m,)
        Chance that the process does not fail, price of a setting without what its run shares, and
        the chance over that price.
    """

    space: Space
    found: Outlook
    goals: Goals
    settings: pd.DataFrame
    raw: dict[str, np.ndarray]
    values: np.ndarray
    state: np.ndarray
    legal: np.ndarray
    noise: np.ndarray
    chance: np.ndarray
    cost: np.ndarray
    weight: np.ndarray
    seen: set[bytes]
    success: Callable[[pd.DataFrame], np.ndarray] | None = None
    worth: Worth | None = None

    @property
    def sign(self) -> float:
        return self.goals.aims[0].sign

    @property
    def teaches(self) -> bool:
        """Whether readings are wanted for what they tell."""
        return bool(self.goals.learn or self.goals.decide)

    def fix(self, rng: np.random.Generator) -> None:
        """Fix what settings are worth in view of those listed so far."""
        sd = self._sd(self.settings, bool(self.goals.robust))
        self.worth = worth.worth(self.goals, self.raw, sd, rng, self.known)
        self.values = np.zeros((len(self.first) * self.worth.copies, 0))
        self.noise = np.zeros(0)
        self._value(self.settings, self.raw, self.state)

    @property
    def first(self) -> np.ndarray:
        """Draws of the first aim's outcome."""
        return self.raw[self.goals.aims[0].outcome]

    @property
    def known(self) -> np.ndarray:
        """Settings with readings, those that are underway again among them, shape (m,)."""
        found, waiting = np.array(self.state == TRIED), np.flatnonzero(self.state == UNDERWAY)
        if len(waiting) and len(self.found.tried):
            seen = {self.code(row) for row in self.space.encode(self.found.tried)}
            places = self.space.encode(self.settings.iloc[waiting])
            found[waiting] = [self.code(row) in seen for row in places]
        return found

    def read(
        self, rng: np.random.Generator, before: Sequence[Pick] = ()
    ) -> tuple[np.ndarray, np.ndarray]:
        """Columns of settings with readings, ``(t,)``, and draws of what they are worth.

        The draws, (any, t), are as narrow as they will be once those underway again, and repeats
        picked before, have been read.
        """
        assert self.worth is not None
        known = self.known
        at, draws = np.flatnonzero(known), self.values[:, known]
        if self.worth.copies > 1 and len(at):
            raw = {name: v[:, at] for name, v in self.raw.items()}
            sd = self._sd(self.settings.iloc[at], bool(self.goals.robust))
            draws = self.worth.averaged(raw, sd)
        again = [*at[self.state[at] == UNDERWAY], *(p.index for p in before if p.repeat)]
        for k in again:
            for where in np.flatnonzero(at == k):
                noise = float(self.noise[k])
                draws = acquisition.after_reading(draws, int(where), noise, rng)
        return at, draws

    @staticmethod
    def code(encoded: np.ndarray) -> bytes:
        """A setting's name among those seen, by its encoded place."""
        return (np.round(encoded, 9) + 0.0).tobytes()

    def add(self, settings: pd.DataFrame, state: int) -> None:
        """List the settings that are not listed yet."""
        settings = settings.reindex(columns=self.space.names)
        fresh = []
        for i, row in enumerate(self.space.encode(settings)):
            if (code := self.code(row)) not in self.seen:
                self.seen.add(code)
                fresh.append(i)
        if not fresh:
            return
        more = settings.iloc[fresh]
        parts = [self.settings, more] if len(self.settings) else [more]
        self.settings = pd.concat(parts, ignore_index=True)
        raw = self.found.values(more)
        for name, draws in raw.items():
            self.raw[name] = np.concatenate([self.raw[name], draws], axis=1)
        states = np.full(len(more), state)
        self.state = np.append(self.state, states)
        legal = np.ones(len(more), bool) if state == NEW else self.space.feasible(more)
        if self.space.uncertain:
            legal &= self.space.meets(more, {name: raw[name] for name in self.space.asks})
        self.legal = np.append(self.legal, legal)
        chance = np.ones(len(more)) if self.success is None else self.success(more)
        cost = np.zeros(len(more))
        if self.goals.cost:
            cost = cost + price(self.space, self.goals.cost, more)
        if self.goals.prices is not None:
            cost = cost + self.goals.prices.holding(1, 1)
        self.chance, self.cost = np.append(self.chance, chance), np.append(self.cost, cost)
        self.weight = np.append(self.weight, chance / np.where(cost > 0.0, cost, 1.0))
        if self.worth is not None:
            self._value(more, raw, states)

    def _value(
        self, settings: pd.DataFrame, raw: dict[str, np.ndarray], state: np.ndarray
    ) -> None:
        """Add the worth of settings, and what one reading of them moves."""
        assert self.worth is not None
        sd = self._sd(settings, bool(self.goals.robust))
        self.values = np.concatenate([self.values, self.worth(raw, sd)], axis=1)
        noise = np.zeros(len(settings))
        of = state != NEW
        if self.teaches and len(settings):
            noise = self.found.first.noise(settings)
        elif of.any():
            at = {name: draws[:, of] for name, draws in raw.items()}
            rng = np.random.default_rng(len(self.noise))
            some: Any = settings[of]
            noise[of] = self.worth.noise(at, self._sd(some, True), rng)
        self.noise = np.append(self.noise, noise)

    def _sd(self, settings: pd.DataFrame, needed: bool) -> dict[str, np.ndarray]:
        if needed and len(settings):
            return self.found.sd(settings)
        return {name: np.zeros(len(settings)) for name in self.raw}

    def likely(self, legal: np.ndarray) -> np.ndarray:
        """Of the legal, where there are any, those worth a try.

        They keep requirements half as probably as asked, and their process works with a
        probability of `LEAST` or more.
        """
        if self.success is not None:
            works = legal & (self.chance >= LEAST)
            legal = works if works.any() else legal
        if self.goals.require:
            likely = worth.met(self.goals, self.raw).mean(axis=0)
            near = legal & (likely >= 0.5 * min(p for _, p in self.goals.require))
            legal = near if near.any() else legal
        return legal

    def pick(
        self, n: int, rng: np.random.Generator, legal: np.ndarray, state: np.ndarray,
        before: Sequence[Pick] = (),
    ) -> list[Pick]:  # fmt: skip
        """The next ``n`` among the likely of the legal, in view of those picked before."""
        legal = self.likely(legal)
        priced = self.goals.cost or self.goals.prices is not None
        weight = self.weight if self.success is not None or priced else None
        if not self.teaches:
            at, again = self.read(rng, before)
            return acquisition.greedy(
                self.values, state, self.noise, n, rng, legal, weight, at, again
            )
        told, extra = self.information()
        values, noise = self.sign * self.first, self.noise
        joint = np.concatenate([values, extra], axis=1)
        # readings that are underway will tell what they tell
        for at in [*np.flatnonzero(self.state == UNDERWAY), *(p.index for p in before)]:
            joint = acquisition.after_reading(joint, int(at), float(noise[at]), rng)
        values, extra = joint[:, : values.shape[1]], joint[:, values.shape[1] :]

        every = np.arange(len(noise))

        def each(v: np.ndarray, extra: np.ndarray) -> np.ndarray:
            return told(v, v, extra, noise, every)

        return learning.greedy(values, extra, each, noise, state, n, rng, legal, weight)

    def information(self) -> tuple[Told, np.ndarray]:
        """What readings tell, in nats, and draws of what it is about, ``(draws, p)``."""
        goals = self.goals
        none = np.zeros((len(self.first), 0))
        if goals.learn == (MODELS,):
            member = (np.arange(len(none)) < self.found.first.physical).astype(int)
            return lambda read, v, _, sd, at: (
                learning.class_information(read, member, sd) + LITTLE * learning.unknown(read, sd)
            ), none
        if goals.learn:
            extra = self.found.parameters(goals.learn)
            return lambda r, v, phi, sd, at: learning.parameter_information(r, phi, sd), extra
        level, aim = pd.factorize(self.settings[goals.decide])[0], goals.aims[0]
        holds = worth.met(goals, self.raw)

        def merit(v: np.ndarray) -> np.ndarray:
            """What levels are compared by: nearness to a target, less what robust= takes off."""
            v = v if aim.target is None else -np.abs(v - aim.target)
            v = v - goals.robust * self.noise
            return np.where(holds, v, v.min(initial=np.inf))

        def told(
            read: np.ndarray, v: np.ndarray, _: np.ndarray, sd: np.ndarray, at: np.ndarray
        ) -> np.ndarray:
            v = merit(v)
            told = learning.class_information(read, learning.best_class(v, level), sd)
            return told + LITTLE * learning.confirmation(v, level, self.noise)[at]

        return told, none

    def choose(self, n: int, rng: np.random.Generator) -> list[Pick]:
        """The next ``n`` among all that are legal."""
        return self.pick(n, rng, self.legal, self.state)


def listed(
    space: Space, found: Outlook, pending: pd.DataFrame | None, goals: Goals,
    rng: np.random.Generator, success: Callable[[pd.DataFrame], np.ndarray] | None,
    lost: pd.DataFrame | None = None,
) -> Pool:  # fmt: skip
    """Settings underway, those tried that keep the rules, and candidates over the space.

    Lost settings are not listed at all: nothing will be read there that others had to better.

    Raises
    ------
    DoeError
        If no setting keeps the uncertain rules as probably as asked.
    """
    blank = found.tried.iloc[:0].reindex(columns=space.names)
    none = np.zeros(0)
    nothing = np.zeros((surrogate.DRAWS, 0))
    pool = Pool(
        space, found, goals, blank, dict.fromkeys(found.beliefs, nothing), nothing,
        none.astype(int), none.astype(bool), none, none, none, none, set(), success,
    )  # fmt: skip
    if lost is not None and len(lost):
        pool.seen |= {pool.code(row) for row in space.encode(space.frame(lost))}
    if pending is not None and len(pending):
        pool.add(space.frame(pending), UNDERWAY)
    if len(found.tried):
        pool.add(found.tried.iloc[np.flatnonzero(space.allowed(found.tried))], TRIED)
    every = space.grid(2 * CANDIDATES)
    pool.add(space.sample(CANDIDATES, rng) if every is None else every, NEW)
    if not pool.legal.any():
        raise DoeError(_nothing(pool))
    # directions are drawn apart, so that what a plain goal draws stays the same
    pool.fix(np.random.default_rng(rng.bit_generator.seed_seq.spawn(1)[0]))  # pyright: ignore
    return pool


def _nothing(pool: Pool) -> str:
    """Why no setting may be suggested, with the setting that comes nearest to what is asked."""
    space, drawn = pool.space, {name: pool.raw[name] for name in pool.space.asks}
    chances = space.chances(pool.settings, drawn)
    if not chances.size:
        told, near = "all failed or were dropped", ""
    else:
        asked = np.array([p for _, p in space.uncertain])
        at = int((chances / asked).min(axis=1).argmax())
        told = "; ".join(
            f"{rule.text!r} holds with P {p:.2f} at most, asked is {wanted:g}"
            for (rule, wanted), p in zip(space.uncertain, chances.max(axis=0), strict=True)
        )
        kept = " and ".join(f"{p:.2f}" for p in chances[at])
        near = f". Nearest: {space_words.setting(space, pool.settings.iloc[at])}, with P {kept}"
    return (
        f"no setting may be suggested: {told}{near}. Record readings that tell more of it, ask for "
        "less in probable=, or widen the space"
    )
