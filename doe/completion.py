"""Gaps of results filled from what is known: the suggestion, its batch, the run, the constants."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .. import data
from . import conditional, plots, weighing
from .declaration import Declaration
from .state import State

PLAN_ONLY = ("block", "day", "position", "role", "changes", "price", "total")
"""Columns of a plan's table that are no results."""
ORDER = "order"
"""Column of the suggestions that says in which order to run them; no result."""
PLAN_COLUMNS = pd.DataFrame(
    [{"name": n, "role": "context", "level": "row", "unit": "", "kind": "text", "needed": False}
     for n in (*PLAN_ONLY, ORDER)]
)  # fmt: skip


def has_order(declaration: Declaration) -> bool:
    """Whether `ORDER` is free to say in which order to run suggestions, no column of the user's."""
    known = [] if declaration.model_body is None else declaration.model_body["columns"]
    return ORDER not in {
        *declaration.space.names, *declaration.fixed, *declaration.outcomes, *known
    }  # fmt: skip


def completed(
    table: Any, declaration: Declaration, state: State
) -> tuple[pd.DataFrame, list[data.Problem]]:
    """Settings from the suggestion, constants from the declaration, its batch and its run.

    What really was run decides which factors were in use: a gap in an unused one is void. What was
    weighed decides the composition; masses that cannot be are the second result.
    """
    filled, space = table.copy(), declaration.space
    problems: list[data.Problem] = []
    statement = equals(filled, "kind", ("statement",))
    always = [n for n in space.names if n not in space.conditions]
    for names in (always, list(space.conditions)):
        if "suggestion" in filled:
            _from_suggestions(filled, names, state)
        if names is always:
            problems = weighing.replace(filled, space, state.suggestions)
        filled = conditional.filled(space, filled)
    if "suggestion" in filled and np.any(filled["suggestion"].notna()):
        if "batch" not in filled:
            filled["batch"] = None
        filled["batch"] = filled["batch"].where(filled["batch"].notna(), filled["suggestion"])
        if plots.has_runs(space):
            _name_runs(filled, declaration, state)
    for name, value in declaration.fixed.items():
        if name not in filled:
            filled[name] = None
        filled[name] = filled[name].where(filled[name].notna() | statement, value)
    return filled, problems


def from_plan(table: Any, outcomes: tuple[str, ...]) -> pd.DataFrame:
    """A plan's table with readings written into it, as results; any other table as it is.

    What only a plan knows (prices, positions, numbers of runs) is left out. Control cells get the
    name of their block's first suggestion, and wait for another time where nothing was read.
    """
    if not {"role", "changes", "position", "run", "block"} <= {str(c) for c in table.columns}:
        return table
    made = table.drop(columns=[c for c in PLAN_ONLY if c in table])
    made["run"] = None
    for name in ("batch", "cell"):
        if name not in made:
            made[name] = None
    asked = table.get("suggestion", pd.Series(None, index=table.index))
    control = table["role"] == "control"
    readings = [c for c in made.columns if is_reading(str(c), outcomes)]
    for label in table.index[control]:
        with_it = [
            min((s for s in asked[table[n] == table.at[label, n]] if not none(s)), default=None)
            for n in ("block", "run")
        ]
        name = f"control with {with_it[0]}"
        made.at[label, "run"] = with_it[1] or name
        if none(made.at[label, "batch"]):
            made.at[label, "batch"] = name
        if none(made.at[label, "cell"]):
            made.at[label, "cell"] = f"{name}, {list(table.index[control]).index(label) + 1}"
    silent = control & made[readings].isna().all(axis=1)
    if "status" in made:
        silent &= made["status"].isna()
    empty = [n for n in ("batch", "cell", "run") if made[n].isna().all()]
    return pd.DataFrame(made[~silent]).drop(columns=empty)


def is_reading(name: str, outcomes: tuple[str, ...]) -> bool:
    """Whether a column is measured: an outcome of the campaign, or known as a reading."""
    column = data.COLUMNS.get(name)
    return name in outcomes or (column is not None and column.reading)


def _name_runs(filled: Any, declaration: Declaration, state: State) -> None:
    """The run that was suggested, as long as the mixer or furnace was really set so.

    Samples of one run that was set otherwise are one run still, named after the first of them.
    """
    if "run" not in filled:
        filled["run"] = None
    levels = {n: data.COLUMNS[n].level for n in declaration.space.hard if n in data.COLUMNS}
    fixed = [n for n, level in levels.items() if level == "run"]
    otherwise: dict[tuple[Any, ...], Any] = {}

    def setting(row: Any) -> tuple[Any, ...]:
        return (state.suggestions.at[row["suggestion"], "run"], *(row[n] for n in fixed))

    if "run" in state.rows:
        told = state.rows["suggestion"].notna() & state.rows["run"].notna()
        named: Any = state.rows[told]
        for row in named.to_dict("records"):
            otherwise.setdefault(setting(row), row["run"])
    waiting = filled.index[filled["suggestion"].notna() & filled["run"].isna()]
    for label in sorted(waiting, key=lambda at: filled.at[at, "suggestion"]):
        key = filled.at[label, "suggestion"]
        before = _of_batch(filled.loc[label], state.rows)
        known = before["run"].dropna().unique() if "run" in before else []
        asked = state.suggestions.loc[key]
        if len(known) == 1:
            run = known[0]
        elif all(filled.at[label, n] == asked[n] for n in fixed):
            run = asked["run"]
        else:
            run = otherwise.setdefault(setting(filled.loc[label]), key)
        filled.at[label, "run"] = run


def _from_suggestions(filled: Any, names: list[str], state: State) -> None:
    """Fill gaps in factors with what its batch is known to have been, else what was suggested."""
    named = filled["suggestion"].notna()
    for name in names:
        if name not in filled:
            filled[name] = None
    kept = [n for k in ("", weighing.PLANNED) for n in (k + m for m in names) if n in state.rows]
    for label in filled.index[named & filled[names].isna().any(axis=1)]:
        asked = state.suggestions.loc[filled.at[label, "suggestion"]]
        before = _of_batch(filled.loc[label], state.rows)
        gaps = [n for n in names if none(filled.at[label, n])]
        for name in gaps:
            filled.at[label, name] = asked[name]
        for name in kept:
            known = before[name].dropna().unique() if len(before) else []
            if len(known) != 1 or name.removeprefix(weighing.PLANNED) not in gaps:
                continue
            if name not in filled:
                filled[name] = None
            filled.at[label, name] = known[0]


def _of_batch(row: Any, rows: pd.DataFrame) -> pd.DataFrame:
    """Recorded rows of the same batch of a suggestion: a later reading is of what was made."""
    batch = row.get("batch")
    batch = row["suggestion"] if none(batch) else batch
    if "batch" not in rows:
        return rows.iloc[:0]
    same = (rows["suggestion"] == row["suggestion"]) & (rows["batch"] == batch)
    return pd.DataFrame(rows[same])


def none(value: Any) -> bool:
    """Whether a cell is empty."""
    return value is None or value != value


def equals(table: Any, name: str, values: tuple[str, ...]) -> Any:
    """Rows with one of these values in a column, if it is there."""
    if name not in table:
        return pd.Series(False, index=table.index)
    return table[name].isin(values)
