"""Draws of the true mean at settings, kept in the campaign's file while the data stay."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from . import failures, recommend, strategies
from . import state as states
from .declaration import Declaration, plain
from .errors import CampaignError
from .state import State
from .store import Event, event, pack, unpack

Look = Callable[[pd.DataFrame], Any]
"""Settings to a `propose.Estimate`."""
BELIEF = 5
"""What kind of belief kept draws are of: another answer is not given again once it is known to be
less right. 2: beside the discrepancy of the physics no reading counts twice. 3: nor does one count
too little where the physics could not follow it. 4: or did not, having taken
its error for noise; and physics is weighed by what it would say of a reading without that."""


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
    notes : list of str
        What is to be said of the belief that they were drawn from.
    """

    values: dict[str, np.ndarray]
    sd: dict[str, np.ndarray]
    notes: list[str] = field(default_factory=list)

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
    def of(
        values: Mapping[str, np.ndarray], sd: Mapping[str, np.ndarray], notes: Sequence[str] = ()
    ) -> Views:
        """As 64-bit numbers, with zeros for what is not given."""
        draws = {n: np.asarray(v, dtype=float) for n, v in values.items()}
        none = np.zeros(next(iter(draws.values())).shape[1])
        spread = {n: np.asarray(sd.get(n, none), dtype=float) for n in draws}
        return Views(draws, spread, list(notes))


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
    look: Look | None = None,
) -> tuple[Views, list[Event]]:
    """Draws of every outcome at settings, with the events that keep them.

    Draws kept for this purpose on the present data are the answer where there are any: two
    processes, or one seed on two machines, then say the same. ``look`` is `estimator` for this
    purpose where it has been made already. Draws that an earlier version kept have no notes.
    """
    names = declaration.outcomes
    body = _answered(state, purpose)
    if body is not None:
        return _unpacked(names, body), []
    found = (look or estimator(declaration, state, purpose))(settings)
    # rounded as they are kept, so that the first answer is the one that is given ever after
    arrays = {"draws": np.asarray(found.draws, dtype=np.float32)}
    for name in names[1:]:
        arrays[f"draws:{name}"] = np.asarray(found.values[name], dtype=np.float32)
    arrays |= {f"sd:{n}": np.asarray(v, dtype=np.float32) for n, v in found.sd.items()}
    stored = {
        "for": purpose,
        "data": state.data_seq,
        "belief": BELIEF,
        "settings": [{k: plain(v) for k, v in r.items()} for r in settings.to_dict("records")],
        "npz": pack(arrays),
        "notes": list(dict.fromkeys(found.notes)),
    }
    return _unpacked(names, stored), [event("draws", stored), *keep(state, found.kept)]


def _answered(state: State, purpose: str) -> Mapping[str, Any] | None:
    """Draws kept for a purpose on the present data, by a belief of the present kind."""
    body = state.draws(purpose)
    return body if body is not None and body.get("belief") == BELIEF else None


def _unpacked(names: tuple[str, ...], body: Mapping[str, Any]) -> Views:
    arrays = unpack(body["npz"])
    values = {n: arrays[f"draws:{n}" if k else "draws"] for k, n in enumerate(names)}
    sd = {n: arrays[f"sd:{n}"] for n in names if f"sd:{n}" in arrays}
    return Views.of(values, sd, body.get("notes", ()))


def tried(
    declaration: Declaration, state: State
) -> tuple[pd.DataFrame, Views, list[Event]]:
    """The settings tried, draws of their true means, and the events that keep these.

    Raises
    ------
    CampaignError
        If nothing is measured.
    """
    settings = states.tried(state.rows, declaration)
    if settings.empty:
        raise nothing_measured(declaration)
    named = settings.loc[:, declaration.space.names]
    found, events = views(declaration, state, named, "rank")
    return settings, found, events


def pair(
    declaration: Declaration, state: State, given: tuple[Any, Any]
) -> tuple[Views, list[str], list[Event]]:
    """Draws of two settings that are to be compared, what to call them, and what keeps the draws.

    Where several outcomes are traded the settings tried come behind the two, in view of which
    they are worth something.

    Raises
    ------
    CampaignError
        If they are the same setting.
    """
    space = declaration.space
    settings = pd.concat([states.setting(g, state, declaration) for g in given], ignore_index=True)
    short, long = (
        [
            g if isinstance(g, str) else recommend.label(row, space, digits)
            for g, (_, row) in zip(given, settings.iterrows(), strict=True)
        ]
        for digits in (4, 12)
    )
    if settings.duplicated().any():
        raise CampaignError(
            f"{short[0]} would be compared with itself, for {short[1]} is the same setting; name "
            "two settings"
        )
    purpose = f"compare {states.digest(settings.to_dict('list'))}"
    if not declaration.goals.single and len(rows := states.tried(state.rows, declaration)):
        settings = pd.concat([settings, rows[space.names]], ignore_index=True)
    seen, events = views(declaration, state, settings, purpose)
    return seen, long if short[0] == short[1] else short, events


def nothing_measured(declaration: Declaration) -> CampaignError:
    """What to say where an answer needs readings."""
    return CampaignError(
        f"no setting has a reading of {declaration.objective} yet; record results first"
    )


def estimator(declaration: Declaration, state: State, purpose: str) -> Look:
    """`propose.estimator` with everything that the campaign knows."""
    return strategies.estimator(
        declaration.space,
        states.learned(state, declaration),
        seed=states.seed_for(purpose, state, declaration),
        kept=kept(state),
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
    body = _answered(state, "space")
    if body is not None:
        found = _unpacked(declaration.outcomes, body)
        return pd.DataFrame(body["settings"], columns=names), found, []
    tried: Any = states.tried(state.rows, declaration)[names]
    believed = estimator(declaration, state, "space")  # one belief serves the whole search

    def look(settings: pd.DataFrame) -> Views:
        found = believed(settings)
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
    found, events = views(declaration, state, settings, "space", believed)
    return settings, found, events
