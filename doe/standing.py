"""Where a campaign stands: `stopping`'s numbers from a campaign's state, nothing written."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .. import data
from . import asking, failures, learning, outlook, posterior, recommend, stopping, worth
from . import state as states
from .declaration import Declaration
from .errors import CampaignError, is_number
from .state import State
from .stopping import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from .space import Space

MANY = 1024
"""Settings of the space in each of the looks for the optimum."""
CLOSER = (0.3, 0.2, 0.1, 0.05, 0.03)
"""Moves, in encoded units, of the looks that follow the first, from the best setting of each draw:
random settings alone miss the edges of many factors, and call a tried one the best too often."""


def standing(
    declaration: Declaration, state: State, margin: float, n: int, price: float | None
) -> Progress:
    """`stopping.progress` of a campaign; the next batch are its open suggestions, or new ones.

    Raises
    ------
    CampaignError
        If nothing is measured, or the margin or the price cannot be.
    """
    if not (is_number(margin) and margin > 0):
        raise CampaignError(
            f"within={margin!r} must be above 0: the difference of {declaration.objective} that "
            "is practically none"
        )
    if not declaration.goals.single:
        declaration.goals.check_margin(margin, "within")
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise CampaignError(f"n={n!r} must be a whole number from 1: the size of the next batch")
    if price is not None and not (is_number(price) and price >= 0):
        raise CampaignError(
            f"price={price!r} must be a number of 0 or more, in the unit of the outcome: what the "
            "next batch costs"
        )
    space = declaration.space
    tried: Any = states.tried(state.rows, declaration)[space.names]
    if tried.empty:
        raise CampaignError(
            f"no setting has a reading of {declaration.objective} yet; record results first"
        )
    # what may not be recommended is nothing to better either
    place = np.flatnonzero(space.allowed(tried))
    if not len(place):
        raise CampaignError(
            "every setting tried is outside the space or breaks a rule: "
            f"{space.objections(tried)[0]}. Record a setting of the space first"
        )
    tried = tried.iloc[place]
    asked = state.open()
    batch: Any = asked[space.names]
    runs: Any = asked.get("run", asked.index)
    run = list(runs)
    if len(batch) < n:
        body, _ = asking.new_suggestions(declaration, state, n - len(batch), None)
        more = pd.DataFrame([entry["settings"] for entry in body["suggestions"]])
        batch = pd.concat([batch, more[space.names]]) if len(batch) else more[space.names]
        run += [entry.get("run", entry["suggestion"]) for entry in body["suggestions"]]
    rng = np.random.default_rng(states.seed_for("progress", state, declaration))
    found = outlook.look(
        space, states.learned(state, declaration), goals=declaration.goals,
        model=declaration.model, fixed=declaration.fixed, options=declaration.options,
        seed=states.seed_for("progress", state, declaration), kept=posterior.kept(state),
    )  # fmt: skip

    def seen(settings: pd.DataFrame) -> posterior.Views:
        return posterior.Views.of(found.values(settings), found.sd(settings))

    at_tried = seen(tried)
    works = failures.learn(space, state.rows)
    merit = recommend.Merit.learn(declaration, at_tried)

    def reached(many: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
        """Those of many settings that may be recommended, and draws of what they are worth: less
        than anything where they break a requirement."""
        if works is not None:  # nothing is to be reached where the process fails
            many = pd.DataFrame(many[works(many) >= failures.LEAST])
        at = seen(many)
        if space.uncertain and len(many):
            keeps = space.meets(many, {n: at.values[n] for n in space.asks})
            many, at = pd.DataFrame(many[keeps]), at.part(keeps)
        free = merit.worth.regardless(at.values, at.sd)
        return many, np.where(worth.met(declaration.goals, at.values), free, -np.inf)

    over = _best_of_space(space, reached, tried, rng)
    gain = merit.ordered(at_tried)
    chosen, _ = recommend.choice(tried, at_tried, merit, np.ones(len(tried), dtype=bool))
    noise = merit.worth.noise(at_tried.values, at_tried.sd, rng)
    ahead = seen(batch)
    coming = merit.worth.noise(ahead.values, ahead.sd, rng)
    alike = _alike(*found.first.scatter(batch), run)
    known = data.COLUMNS.get(declaration.objective)
    unit = declaration.unit or (known.unit if known is not None else "")
    unit = unit if declaration.goals.single else f"of {declaration.goals.measure}"
    decide, rivals = declaration.goals.decide, None
    if decide is not None:
        level = pd.factorize(tried[decide])[0]
        rivals = learning.representatives(gain, level)[1]
        rivals[level[chosen]] = chosen  # which is another than the best only for requirements
    made = stopping.progress(
        gain, over, merit.averaged(ahead), noise, coming,
        chosen=chosen, margin=margin, unit=unit,
        price=price, alike=alike, rivals=rivals, decide=decide or "",
        known=merit.averaged(at_tried),
        holds=worth.met(declaration.goals, at_tried.values) if declaration.goals.require else None,
    )  # fmt: skip
    return replace(made, equal=[int(place[k]) for k in made.equal])


def _best_of_space(
    space: Space,
    reached: Callable[[pd.DataFrame], tuple[pd.DataFrame, np.ndarray]],
    tried: pd.DataFrame,
    rng: np.random.Generator,
) -> np.ndarray:
    """Worth of many settings, ``(draws, m)``: at random, then ever closer to each draw's best."""
    many, value = reached(space.sample(MANY, rng))
    at_tried, of_tried = reached(tried)
    many, value = pd.concat([many, at_tried]), np.concatenate([value, of_tried], axis=1)
    for scale in CLOSER:
        if not len(many):
            break
        tops = np.unique(value.argmax(axis=1))
        near = space.neighbours(many.iloc[tops], rng, -(-MANY // len(tops)), scale)
        if not len(near):
            break
        near, found = reached(near)
        many, value = pd.concat([many, near]), np.concatenate([value, found], axis=1)
    return value


def _alike(cell: np.ndarray, batch: np.ndarray, run: list[str]) -> np.ndarray:
    """Correlation of the errors of readings: those of one run share its error, ``(b, b)``.

    Where batches cannot be told from cells, nothing is known of what is shared.
    """
    shared = np.nan_to_num(batch)
    part = shared / np.maximum(np.hypot(cell, shared), 1e-300)
    same = np.equal.outer(np.array(run, dtype=object), np.array(run, dtype=object))
    return np.where(np.eye(len(run), dtype=bool), 1.0, same * np.outer(part, part))
