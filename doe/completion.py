"""Gaps of results filled from what is known: the suggestion, its batch, the run, the constants."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .. import data
from . import conditional, plots, weighing
from .declaration import Declaration
from .errors import listing
from .state import OPEN, State

if TYPE_CHECKING:
    from .space import Space

RUN = "planned_run"
"""Column of a plan's form: the run that results will name of a control cell."""
PLAN_ONLY = ("block", "day", "position", "role", "changes", "price", "total", RUN)
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
    """Settings from the suggestion, constants from the declaration, and the run.

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
    if plots.has_runs(space) and "suggestion" in filled and np.any(filled["suggestion"].notna()):
        _name_runs(filled, declaration, state)
    for name, value in declaration.fixed.items():
        if name not in filled:
            filled[name] = None
        filled[name] = filled[name].where(filled[name].notna() | statement, value)
    return filled, problems


def with_batches(
    table: Any, declaration: Declaration, state: State
) -> tuple[pd.DataFrame, State, list[str]]:
    """The table with no batch of a suggestion left empty, and notes on what was assumed.

    An empty batch is the one recorded of the suggestion, else named of it in the table, and that of
    the cell if it is known already; of several the first, which a note says; where there is none,
    it is named after the suggestion. In the state that comes along, what was weighed before its
    batch had a name is of the batch named since.
    """
    if "suggestion" not in table or not table["suggestion"].notna().any():
        return table, state, []
    made = table.assign(batch=table.get("batch")).astype({"batch": object})
    state, said = _named_since(made, declaration, state)
    notes = dict.fromkeys(said)
    for label in made.index[made["suggestion"].notna() & made["batch"].isna()]:
        name, cell = made.at[label, "suggestion"], made.loc[label].get("cell")
        rows: Any = state.rows[state.rows["suggestion"] == name]
        if "cell" in rows and (rows["cell"] == cell).any():
            rows = rows[rows["cell"] == cell]
        here = made.loc[made["suggestion"] == name]
        known = next((t["batch"].dropna().unique() for t in (rows, here)
                      if "batch" in t and t["batch"].notna().any()), [])  # fmt: skip
        made.at[label, "batch"] = known[0] if len(known) else name
        if len(known) > 1:
            notes.setdefault(
                f"{name}: taken to be of batch {known[0]}, since no batch is named and there are "
                f"{listing(known)}; if it is of another, take it back and name it in the column "
                "'batch'"
            )
    return made, state, list(notes)


def _named_since(table: Any, declaration: Declaration, state: State) -> tuple[State, list[str]]:
    """The state with what was weighed or begun under a suggestion's own name as the first batch
    that is named of it, and notes.

    A batch that says itself what it is made of is another one, and so is a second.
    """
    rows: Any = state.rows
    if "batch" not in rows or "status" not in rows:
        return state, []
    every = weighing.known(declaration.space)
    masses = list(dict.fromkeys(n for w in every for n in w.masses))
    parts = [n for w in every for n in w.factors]
    read = [c for c in rows if is_reading(str(c), declaration.outcomes)]
    waits = (rows["batch"] == rows["suggestion"]) & (rows["status"] == "running")
    waits &= rows[read].isna().all(axis=1)
    rows, notes = rows.copy(), []
    for name in table["suggestion"].dropna().unique():
        own = rows["suggestion"] == name
        held = [n for n in masses if n in rows and rows.loc[own, n].notna().any()]
        begun = rows[own & waits]
        if not held and begun.empty:
            continue
        known = [b for b in rows.loc[own, "batch"].dropna().unique() if b != name]
        here = table[table["suggestion"] == name]
        new = [b for b in here["batch"].dropna().unique() if b != name and b not in known]
        since = None
        if len(begun):
            last = begun.iloc[-1][declaration.space.names]
            made = rows[own & rows["batch"].isin(known)]
            alike = made[(made[declaration.space.names] == last).all(axis=1)]
            since = alike["batch"].iloc[0] if len(alike) else None
            if not known:
                since = next((b for b in new if not _gives(here, b, [*masses, *parts])), None)
        word = "was weighed" if held else "is running"
        for batch in new:
            if batch == since:
                notes.append(f"{name}: {batch} taken to be what {word} for {name}")
            elif not _gives(here, batch, masses):
                other = since or listing(rows.loc[own, "batch"].dropna().unique())
                notes.append(
                    f"{name}: {batch} taken to be as suggested or given; what {word} is of batch "
                    f"{other}. If {batch} is that powder, take the row back and name it {other}"
                )
        if since is not None:
            rows.loc[own & waits, "batch"] = since
    return replace(state, rows=rows), notes


def _gives(table: Any, batch: Any, names: list[str]) -> bool:
    """Whether a row of a batch has a value in one of the columns."""
    here = table.loc[table["batch"] == batch, [n for n in names if n in table]]
    return bool(here.notna().any(axis=None))


def weighed(row: Any, space: Space, plan: Any) -> bool:
    """Whether a row holds every mass that a composition takes; ``plan`` has what was suggested."""
    for weighing_ in weighing.known(space):
        given = {n for n in weighing_.masses if not none(row.get(n))}
        idle = weighing_.idle({n: plan[n] for n in weighing_.factors})
        if given and given | idle >= set(weighing_.masses):
            return True
    return False


def with_control_names(table: Any, state: State) -> pd.DataFrame:
    """A whole plan with the ``batch``, the ``cell`` and the run (`RUN`) of its control cells.

    A block's control cells are one batch, named after the block's first suggestion, with a number
    where recorded rows have that name. They are of the run whose settings they share, else of one
    of that name.
    """
    control = table["role"] == "control"
    if not control.any():
        return table
    given = {n: table.get(n, pd.Series(None, index=table.index)) for n in ("batch", "cell", RUN)}
    made = table.assign(**{n: v.astype(object) for n, v in given.items()})
    batches = set(state.rows["batch"].dropna()) if "batch" in state.rows else set()
    for number, label in enumerate(table.index[control], 1):
        first, shared = (_first_with(table, label, n) for n in ("block", "run"))
        name = _names(f"control with {first}", batches)[-1]
        run = name if shared is None else state.suggestions.at[shared, "run"]
        for column, value in (("batch", name), ("cell", f"{name}, {number}"), (RUN, run)):
            if none(made.at[label, column]):
                made.at[label, column] = value
    return made


def _first_with(table: Any, label: Any, name: str) -> Any:
    """The first suggestion of a cell's block or run, as far as it is in the table; else None."""
    same = table[name] == table.at[label, name]
    return min(table.loc[same, "suggestion"].dropna(), default=None)


def from_plan(table: Any, where: str, outcomes: tuple[str, ...], state: State) -> pd.DataFrame:
    """A plan's table with readings written into it, as results; any other table as it is.

    What only a plan knows (prices, positions, numbers of runs) is left out. Control cells keep the
    names of the form; without them they get that of their block's first suggestion, with a number
    where cells of an earlier plan have it. They wait for another time where nothing was read.

    Raises
    ------
    TableError
        If control cells have no name, and no suggestion of their block is in the table.
    """
    if not {"role", "changes", "position", "run", "block"} <= {str(c) for c in table.columns}:
        return table
    made = table.drop(columns=[c for c in PLAN_ONLY if c in table])
    made["run"] = None
    for name in ("batch", "cell"):
        if name not in made:
            made[name] = None
    table = table.assign(suggestion=table.get("suggestion"), **{RUN: table.get(RUN)})
    control = table["role"] == "control"
    readings = [c for c in made.columns if is_reading(str(c), outcomes)]
    silent = control & made[readings].isna().all(axis=1)
    if "status" in made:
        silent &= made["status"].isna()
    # a plan is made of what is open: a table with another suggestion goes on with an earlier one
    known: Any = state.suggestions["state"]
    closed = known.index[~known.isin(OPEN)]
    earlier = bool(table["suggestion"].isin(closed).any())
    blocks: dict[str, str] = {}
    problems = []
    for number, label in enumerate(table.index[control], 1):
        first, shared = (_first_with(table, label, n) for n in ("block", "run"))
        name = made.at[label, "batch"]
        if silent[label]:
            continue
        if first is not None:
            name = f"control with {first}"
            if name not in blocks:
                cells = made[control & (table["block"] == table.at[label, "block"])]
                blocks[name] = _name_block(name, cells[["cell", *readings]], state.rows, earlier)
            name = blocks[name]
        elif none(name):
            problems.append(
                data.Problem(
                    label, "batch", "nothing",
                    "a name for the control cells of this block, since no suggestion of it is in "
                    "the table; record the plan as a whole, or write one name for all of them",
                )
            )  # fmt: skip
            continue
        run = table.at[label, RUN]
        made.at[label, "run"] = (shared or name) if none(run) else run
        if none(made.at[label, "batch"]):
            made.at[label, "batch"] = name
        if none(made.at[label, "cell"]):
            made.at[label, "cell"] = f"{name}, {number}"
    if problems:
        raise data.TableError(where, problems)
    empty = [n for n in ("batch", "cell", "run") if made[n].isna().all()]
    return pd.DataFrame(made[~silent]).drop(columns=empty)


def _name_block(name: str, cells: Any, rows: Any, earlier: bool) -> str:
    """A name for a block of control cells that no recorded row has as its batch.

    Cells that go on with an ``earlier`` plan, or are recorded already (which will be refused),
    keep the name that these have.
    """
    names = _names(name, set(rows["batch"].dropna()) if "batch" in rows else set())
    if len(names) == 1 or earlier:
        return names[-1] if len(names) == 1 else names[-2]
    old = rows[rows["batch"].isin(names)]
    for label in cells.index:
        values: Any = pd.to_numeric(cells.loc[label].drop("cell"), errors="coerce")
        read = values.dropna()
        same = np.array([bool(len(read)) and set(read.index) <= set(old.columns)] * len(old))
        for column in read.index[: len(read) if same.all() else 0]:
            same &= (old[column] == read[column]).to_numpy()
        if "cell" in old and not none(cells.at[label, "cell"]):
            same &= (old["cell"] == cells.at[label, "cell"]).to_numpy()
        if same.any():
            return str(old["batch"].to_numpy()[same][-1])
    return names[-1]


def _names(name: str, batches: set[Any]) -> list[str]:
    """The name with numbers, up to the first that no batch has."""
    names = [name]
    while names[-1] in batches:
        names.append(f"{name} ({len(names) + 1})")
    return names


def is_reading(name: str, outcomes: tuple[str, ...]) -> bool:
    """Whether a column is measured: an outcome of the campaign, or known as a reading."""
    column = data.COLUMNS.get(name)
    return name in outcomes or (column is not None and column.reading)


def _name_runs(filled: Any, declaration: Declaration, state: State) -> None:
    """The run that was suggested, as long as the mixer or furnace was really set so.

    Samples of one run that was set otherwise are one run still, named after the first of them.
    What is weighed, or changes within a run, does not part it; hard factors that the registry does
    not know are of the run.
    """
    if "run" not in filled:
        filled["run"] = None
    space = declaration.space
    composed = {n for w in weighing.known(space) for n in w.factors}
    levels = {n: data.COLUMNS[n].level for n in space.hard if n in data.COLUMNS}
    levels |= {n: "run" for n in space.hard if n not in levels and n not in composed}
    fixed = [n for n, level in levels.items() if level == "run"]
    otherwise: dict[tuple[Any, ...], Any] = {}
    taken: dict[Any, tuple[Any, ...]] = {}

    def setting(row: Any) -> tuple[Any, ...]:
        values = (None if none(row[n]) else row[n] for n in fixed)
        return (state.suggestions.at[row["suggestion"], "run"], *values)

    def free(name: Any, own: tuple[Any, ...]) -> bool:
        return taken.get(name, own) == own

    if "run" in state.rows:
        told = state.rows["suggestion"].notna() & state.rows["run"].notna()
        named: Any = state.rows[told]
        for row in named.to_dict("records"):
            otherwise.setdefault(setting(row), row["run"])
            taken.setdefault(row["run"], setting(row))
    waiting = filled.index[filled["suggestion"].notna() & filled["run"].isna()]
    for label in sorted(waiting, key=lambda at: filled.at[at, "suggestion"]):
        key = filled.at[label, "suggestion"]
        before = _of_batch(filled.loc[label], state.rows)
        known = before["run"].dropna().unique() if "run" in before else []
        asked, own = state.suggestions.loc[key], setting(filled.loc[label])
        if len(known) == 1:
            run = known[0]
        elif own == setting({**asked[fixed], "suggestion": key}) and free(asked["run"], own):
            run = asked["run"]
        else:
            names = itertools.chain([key], (f"{key} ({k})" for k in itertools.count(2)))
            run = otherwise.setdefault(own, next(n for n in names if free(n, own)))
        taken.setdefault(run, own)
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
