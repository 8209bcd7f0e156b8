"""Draws of the true mean at settings, kept in the campaign's file while the data stay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from . import recommend, strategies
from . import state as states
from .declaration import Declaration, plain
from .state import State
from .store import Event, event, pack, unpack


def question(declaration: Declaration) -> dict[str, Any]:
    """What every strategy is told of the declaration."""
    return {
        "objective": declaration.objective,
        "maximize": declaration.maximize,
        "model": declaration.model,
        "fixed": declaration.fixed,
        "options": declaration.options,
    }


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


def at(
    declaration: Declaration,
    state: State,
    settings: pd.DataFrame,
    purpose: str,
    fitted: Mapping[str, np.ndarray] | None = None,
) -> tuple[np.ndarray, list[Event]]:
    """Draws (draw, setting) at settings, with the events that keep them.

    Draws kept for this purpose on the present data are the answer where there are any: two
    processes, or one seed on two machines, then say the same. `fitted` are draws of a fit that
    has just been made and is not yet kept.
    """
    body = state.draws(purpose)
    if body is not None:
        return unpack(body["npz"])["draws"].astype(float), []
    found = estimate(declaration, state, settings, purpose, fitted or kept(state))
    # rounded as they are kept, so that the first answer is the one that is given ever after
    draws = np.asarray(found.draws, dtype=np.float32)
    stored = {
        "for": purpose,
        "data": state.data_seq,
        "settings": [{k: plain(v) for k, v in r.items()} for r in settings.to_dict("records")],
        "npz": pack({"draws": draws}),
    }
    return draws.astype(float), [event("draws", stored), *keep(state, found.kept)]


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
) -> tuple[pd.DataFrame, np.ndarray, list[Event]]:
    """The setting with the best expected mean over the space, and those tried, with draws.

    Returns
    -------
    settings : DataFrame
        The winner in the first row, below it the settings tried.
    draws : ndarray (draw, setting)
    events : list of Event
        What keeps both.
    """
    names = declaration.space.names
    body = state.draws("space")
    if body is not None:
        draws = unpack(body["npz"])["draws"].astype(float)
        return pd.DataFrame(body["settings"], columns=names), draws, []
    tried: Any = states.tried(state.rows, declaration)[names]
    fitted: dict[str, np.ndarray] = {}

    def means(settings: pd.DataFrame) -> np.ndarray:
        found = estimate(declaration, state, settings, "space", fitted or kept(state))
        fitted.update(found.kept)  # one fit serves the whole search
        return np.asarray(found.draws).mean(axis=0)

    rng = np.random.default_rng(states.seed_for("space", state, declaration))
    winner = recommend.search(declaration.space, tried, means, declaration.maximize, rng)
    settings: Any = pd.concat([winner, tried], ignore_index=True) if len(tried) else winner
    draws, events = at(declaration, state, settings, "space", fitted)
    return settings, draws, events
