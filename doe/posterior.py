"""Draws of the true mean at settings, kept in the campaign's file while the data stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from . import failures, recommend, strategies
from . import state as states
from .declaration import Declaration, plain
from .state import State
from .store import Event, event, pack, unpack


def question(declaration: Declaration) -> dict[str, Any]:
    """What every strategy is told of the declaration."""
    told = {
        "objective": declaration.objective,
        "maximize": declaration.maximize,
        "model": declaration.model,
        "fixed": declaration.fixed,
        "options": declaration.options,
    }
    further = bool(declaration.further or declaration.space.asks)
    return told | ({"goals": declaration.goals} if further else {})


@dataclass(frozen=True)
class Views:
    """Draws of every outcome at some settings.

    Attributes
    ----------
    values : dict of outcome to ndarray, shape (draw, setting)
        The first is the objective.
    sd : dict of outcome to ndarray, shape (setting,)
        Sd of the next cell about its setting's mean; zero where goals do not take it off.
    """

    values: dict[str, np.ndarray]
    sd: dict[str, np.ndarray]

    @property
    def first(self) -> np.ndarray:
        """Draws of the objective."""
        return next(iter(self.values.values()))

    def part(self, at: Any) -> Views:
        """Some of the settings."""
        return Views(
            {n: v[:, at] for n, v in self.values.items()}, {n: v[at] for n, v in self.sd.items()}
        )

    @staticmethod
    def of(values: Mapping[str, np.ndarray], sd: Mapping[str, np.ndarray]) -> Views:
        """As 64-bit numbers, with zeros for what is not given."""
        draws = {n: np.asarray(v, dtype=float) for n, v in values.items()}
        none = np.zeros(next(iter(draws.values())).shape[1])
        return Views(draws, {n: np.asarray(sd.get(n, none), dtype=float) for n in draws})


def kept(state: State) -> dict[str, np.ndarray] | None:
    """Draws of the fit to the present data, if a suggestion or a ranking has kept them."""
    body = state.draws("fit")
    return None if body is None else unpack(body["npz"])


def keep(state: State, draws: Mapping[str, np.ndarray]) -> list[Event]:
    """The event that keeps a fit's draws; none where they are kept already."""
    before = kept(state)
    if not draws or (before is not None and set(before) >= set(draws)):
        return []
    return [event("draws", {"for": "fit", "data": state.data_seq, "npz": pack(draws)})]


def views(
    declaration: Declaration,
    state: State,
    settings: pd.DataFrame,
    purpose: str,
    fitted: Mapping[str, np.ndarray] | None = None,
) -> tuple[Views, list[Event]]:
    """Draws of every outcome at settings, with the events that keep them.

    Draws kept for this purpose on the present data are the answer where there are any: two
    processes, or one seed on two machines, then say the same. `fitted` are draws of a fit that
    has just been made and is not yet kept.
    """
    names = declaration.outcomes
    body = state.draws(purpose)
    if body is not None:
        return _unpacked(names, unpack(body["npz"])), []
    found = estimate(declaration, state, settings, purpose, fitted or kept(state))
    # rounded as they are kept, so that the first answer is the one that is given ever after
    arrays = {"draws": np.asarray(found.draws, dtype=np.float32)}
    for name in names[1:]:
        arrays[f"draws:{name}"] = np.asarray(found.values[name], dtype=np.float32)
    arrays |= {f"sd:{n}": np.asarray(v, dtype=np.float32) for n, v in found.sd.items()}
    stored = {
        "for": purpose,
        "data": state.data_seq,
        "settings": [{k: plain(v) for k, v in r.items()} for r in settings.to_dict("records")],
        "npz": pack(arrays),
    }
    return _unpacked(names, arrays), [event("draws", stored), *keep(state, found.kept)]


def _unpacked(names: tuple[str, ...], arrays: Mapping[str, np.ndarray]) -> Views:
    values = {n: arrays[f"draws:{n}" if k else "draws"] for k, n in enumerate(names)}
    return Views.of(values, {n: arrays[f"sd:{n}"] for n in names if f"sd:{n}" in arrays})


def estimate(
    declaration: Declaration,
    state: State,
    settings: pd.DataFrame,
    purpose: str,
    fitted: Mapping[str, np.ndarray] | None,
) -> Any:
    """`propose.estimate` with everything that the campaign knows."""
    return strategies.estimate(
        declaration.space,
        states.learned(state, declaration),
        settings,
        seed=states.seed_for(purpose, state, declaration),
        kept=fitted,
        **question(declaration),
    )


def best_in_space(
    declaration: Declaration, state: State
) -> tuple[pd.DataFrame, Views, list[Event]]:
    """The setting of the best expected worth over the space, and those tried, with draws.

    Returns
    -------
    settings : DataFrame
        The winner in the first row, below it the settings tried.
    views : Views
    events : list of Event
        What keeps both.
    """
    names = declaration.space.names
    body = state.draws("space")
    if body is not None:
        found = _unpacked(declaration.outcomes, unpack(body["npz"]))
        return pd.DataFrame(body["settings"], columns=names), found, []
    tried: Any = states.tried(state.rows, declaration)[names]
    fitted: dict[str, np.ndarray] = {}

    def look(settings: pd.DataFrame) -> Views:
        found = estimate(declaration, state, settings, "space", fitted or kept(state))
        fitted.update(found.kept)  # one fit serves the whole search
        return Views.of({n: found.values[n] for n in declaration.outcomes}, found.sd)

    rng = np.random.default_rng(states.seed_for("space", state, declaration))
    merit = recommend.Merit.learn(declaration, look(tried) if len(tried) else None, look)
    works = failures.learn(declaration.space, state.rows)

    def expected(settings: pd.DataFrame) -> np.ndarray:
        """Expected worth, far below all others where the process is not likely to work."""
        value = merit.expected(settings)
        if works is None:
            return value
        chance = works(settings)
        return np.where(chance >= failures.LEAST, value, -1e301 * (2.0 - chance))

    winner = recommend.search(declaration.space, tried, expected, True, rng)
    settings: Any = pd.concat([winner, tried], ignore_index=True) if len(tried) else winner
    found, events = views(declaration, state, settings, "space", fitted)
    return settings, found, events
