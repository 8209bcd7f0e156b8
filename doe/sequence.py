"""A campaign's plan and its control recipe: what `Campaign.plan`, `control` and `chart` do.

The control recipe is kept as a note in the campaign's file, so that versions which do not know it
read the file all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from . import control, planning, weighing
from .declaration import Declaration, plain
from .errors import CampaignError, listing
from .state import State
from .store import Event, event

if TYPE_CHECKING:
    from .control import Chart
    from .planning import Plan
    from .prices import Prices

KEY = "control"


def recipe_of(state: State) -> dict[str, Any] | None:
    """The control recipe, the last that was declared; None without one."""
    for e in reversed(state.events):
        if e.kind == "note" and KEY in e.body:
            return dict(e.body[KEY])
    return None


def declared(declaration: Declaration, state: State, settings: Mapping[str, Any]) -> list[Event]:
    """The event that declares a control recipe; none where it is declared already.

    Raises
    ------
    CampaignError
        If it is not one setting of the space.
    """
    space = declaration.space
    table: Any = space.frame(settings)[space.names]
    if len(table) != 1:
        raise CampaignError(f"a control recipe is one setting; these are {len(table)}")
    if not space.feasible(table)[0]:
        said = listing(space.objections(table), 3)
        raise CampaignError(f"the control recipe is outside the space: {said}")
    recipe = {str(k): plain(v) for k, v in table.iloc[0].items()}
    recipe = {k: v for k, v in recipe.items() if v is not None and v == v}
    if recipe == recipe_of(state):
        return []
    text = "control recipe: " + listing(f"{k} = {v}" for k, v in recipe.items())
    return [event("note", {"text": text, KEY: recipe})]


def planned(
    declaration: Declaration, state: State, prices: Prices | None, options: Mapping[str, Any]
) -> Plan:
    """`planning.plan` of the open suggestions, with the campaign's control recipe and seed.

    Its table has an empty column for each outcome: the form that readings are written into.
    """
    given = dict(options)
    names = [*declaration.space.names, *(["run"] if "run" in state.suggestions else [])]
    settings = state.open()[names].reset_index()
    if not len(settings):
        raise CampaignError("there is no open suggestion to plan; ask for some with suggest first")
    given.setdefault(KEY, recipe_of(state))
    given.setdefault("seed", declaration.seed)
    prices = prices or declaration.goals.prices
    made = planning.plan(declaration.space, settings, prices, **given)
    form = made.table.assign(**dict.fromkeys(declaration.goals.outcomes, np.nan))
    return replace(made, table=form)


def charted(
    declaration: Declaration, state: State, outcome: str | None, options: Mapping[str, Any]
) -> Chart:
    """`control.control_chart` of the recorded cells of the control recipe."""
    recipe = recipe_of(state)
    if recipe is None:
        raise CampaignError("this campaign has no control recipe; declare one with control({...})")
    rows = weighing.as_planned(state.rows, declaration.space)
    return control.control_chart(rows, outcome or declaration.objective, recipe, **dict(options))
