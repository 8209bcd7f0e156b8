"""A campaign's plan, its order and its control recipe: what `Campaign.plan`, `control` and `chart`
do, and the column ``order`` of what is suggested.

The control recipe is kept as a note in the campaign's file, so that versions which do not know it
read the file all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .. import data
from . import completion, control, planning, plots, pressing, weighing
from . import state as states
from .declaration import Declaration, plain
from .errors import CampaignError, listing, unknown
from .state import GAIN, State
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
    """`planning.plan` of the open suggestions, with the campaign's control recipe, a seed drawn
    from its own and from what is open, and what may only rise within a run.

    Its table has an empty column for each outcome: the form that readings are written into. Control
    cells have the names there that results will have, be it recorded whole or in parts. Where not
    everything may fit, suggestions matter by their expected gain if all have one. Settings cost
    what the declaration says, unless another ``cost`` is given, or None.

    Raises
    ------
    CampaignError
        If there is no open suggestion, an option is none of `planning.plan`, or a blocking factor
        is no column of results.
    """
    given = dict(options)
    _check_options(declaration, given)
    waiting = state.open()
    names = [*declaration.space.names, *(["run"] if "run" in waiting else [])]
    told = [c for c in waiting if c == GAIN or str(c).startswith("predicted_")]
    settings = waiting[[*names, *told]].reset_index()
    if not len(settings):
        raise CampaignError("there is no open suggestion to plan; ask for some with suggest first")
    given.setdefault(KEY, recipe_of(state))
    given.setdefault("seed", _seed(declaration, list(waiting.index)))
    given.setdefault("rises", rises(declaration))
    given.setdefault("cost", declaration.goals.cost)
    said: list[str] = []
    limited = given.get("budget") is not None or given.get("days") is not None
    if limited and "gain" not in given:
        lack: Any = waiting.index
        if GAIN in waiting:
            lack = lack[np.array(waiting[GAIN].isna())]
        given["gain"] = None if len(lack) else GAIN
        said.append(
            f"no expected gain is kept of {listing(lack)}: settings matter in the order of "
            "suggestion; gain= may name a column of the suggestions, or give a number for each"
            if len(lack) else
            "settings matter by their expected gain for their price, as it was when they were "
            "suggested"
        )  # fmt: skip
    prices = prices or declaration.goals.prices
    made = planning.plan(declaration.space, settings, prices, **given)
    form = completion.with_control_names(made.table, state)
    form = form.assign(**dict.fromkeys(declaration.goals.outcomes, np.nan))
    left = made.left_out[["suggestion", *names]]
    return replace(made, table=form, left_out=left, notes=[*made.notes, *said])


def order(declaration: Declaration, state: State, by: str | None) -> pd.Series:
    """In which order to run the open suggestions, 1 first: one batch after the other.

    The order of a batch is that of `planned` where nothing but the batch is open and no control
    recipe, price or option asks for another. It is drawn for the batch as a whole, so that what is
    recorded of it or suggested after it never changes which of two comes first.

    Returns
    -------
    Series of int
        By the id of the suggestion, as `State.open` lists them.
    """
    waiting = state.open(by).index
    place: dict[str, int] = {}
    names = [*declaration.space.names, *(["run"] if "run" in state.suggestions else [])]
    for e in state.events:
        if e.kind != "suggest":
            continue
        batch = [entry["suggestion"] for entry in e.body["suggestions"]]
        if not waiting.isin(batch).any():
            continue
        table: Any = state.suggestions.loc[batch, names]
        drawn = planning.order(
            declaration.space, table, declaration.goals.prices, rises(declaration),
            _seed(declaration, batch),
        )  # fmt: skip
        for k in drawn:
            if batch[k] in waiting:
                place[batch[k]] = len(place) + 1
    return pd.Series([place[name] for name in waiting], index=waiting, dtype="int64")


def rises(declaration: Declaration) -> list[str]:
    """Factors that may only rise within a run, as far as the space tells."""
    space = declaration.space
    return [pressing.HIGHEST] if pressing.in_hand(space) else plots.rising(space)


def _check_options(declaration: Declaration, given: Mapping[str, Any]) -> None:
    """Options are those of a plan, and its blocks have columns that results may have."""
    known = [n for n, p in signature(planning.plan).parameters.items() if p.kind == p.KEYWORD_ONLY]
    for name in given:
        if name not in known:
            raise CampaignError(unknown(name, known, "option of a plan"))
    columns = [*data.COLUMNS, *declaration.columns(needed=False)["name"]]
    for name in given.get("blocks") or ():
        if name not in columns:
            raise CampaignError(
                f"blocks: {name!r} is no column of results, so that the plan could not be "
                "recorded; name one that is, such as lot or operator"
            )


def _seed(declaration: Declaration, names: list[str]) -> int:
    """Another order for each batch: with one seed the first of four would always run third."""
    return int(states.digest([declaration.seed, "order", names]), 16) % 2**31


def charted(
    declaration: Declaration, state: State, outcome: str | None, options: Mapping[str, Any]
) -> Chart:
    """`control.control_chart` of the recorded cells of the control recipe.

    They are those at all of the campaign's constants. Cells of another study than the campaign's
    are left out, unless all are.
    """
    recipe = recipe_of(state)
    if recipe is None:
        raise CampaignError("this campaign has no control recipe; declare one with control({...})")
    rows: Any = weighing.as_planned(state.rows, declaration.space)
    if "study" in rows and "study" not in declaration.fixed:
        own = rows["study"].isna()
        rows = rows[own] if own.any() else rows
    same = {**declaration.fixed, **recipe}
    return control.control_chart(rows, outcome or declaration.objective, same, **dict(options))
