"""Checks across rows: levels, duplicates, and columns that only make sense together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import numpy as np
import pandas as pd

from .columns import COLUMNS, LEVELS, Column, did_you_mean, split_suffix
from .pressing import pressing_problems
from .problems import Problem

AGEING = {"utilization"}
"""Readings of a cell that another cycle may change."""

CAPACITIES = {
    "capacity_mAh_g": "gross",
    "active_capacity_mAh_g": "active",
    "composite_capacity_mAh_g": "composite",
}


def across_rows(
    table: pd.DataFrame, specs: Mapping[str, Column], labels: Sequence[object]
) -> Iterator[Problem]:
    """Yield what is wrong between the cells of a table whose single cells are clean.

    The index of ``table`` are positions in ``labels``, the rows as the user counts them.
    """
    yield from _one_value_per_level(table, specs)
    yield from _duplicates(table, specs, labels)
    yield from _kinds(table, specs)
    yield from _status(table, specs)
    yield from _bases(table)
    yield from _companions(table, specs)
    yield from pressing_problems(table, _paths(table, "cell"), labels)


def _series(table: pd.DataFrame, name: str) -> pd.Series:
    return cast(pd.Series, table[name])


def _rows(mask: pd.Series) -> list[int]:
    return [int(i) for i in mask.index.to_numpy()[np.asarray(mask, dtype=bool)]]


def _paths(table: pd.DataFrame, level: str) -> pd.Series:
    """Name, for each row, the unit at ``level`` or finer that its value belongs to.

    A rpm belongs to the run; where the run has no label, the batch and then the cell stand in,
    for a cell comes from one batch and a batch from one run. None where no label says anything.
    """
    present = [name for name in LEVELS if name in table]
    path = pd.Series([None] * len(table), index=table.index, dtype=object)
    for name in LEVELS[LEVELS.index(level) :]:
        # one mill, and one run of a furnace, meets many lots: they cannot stand in for one
        if name not in present or (level == "lot" and name in ("mill", "run")):
            continue
        parents = present[: present.index(name) + 1]
        rows = _rows(path.isna() & _series(table, name).notna())
        for row, *key in zip(rows, *(table.loc[rows, p] for p in parents), strict=True):
            path.at[row] = (name, *key)
    return path


def _one_value_per_level(table: pd.DataFrame, specs: Mapping[str, Column]) -> Iterator[Problem]:
    """A value repeated down its level is one reading: it must be the same everywhere."""
    names = [n for n, s in specs.items() if n in table and s.level in LEVELS and n not in LEVELS]
    for level in dict.fromkeys(specs[n].level for n in names):
        path = _paths(table, level)
        labelled = path.notna()
        if not labelled.any():
            continue
        for name in (n for n in names if specs[n].level == level):
            values = _series(table.loc[labelled], name).dropna()
            unit_of = path.loc[values.index]
            if name in AGEING and "cycle" in table:
                cycle = _series(table, "cycle").loc[values.index].fillna(-1.0)
                unit_of = pd.Series(list(zip(unit_of, cycle, strict=True)), index=values.index,
                                    dtype=object)
            first = values.groupby(unit_of, sort=False).transform("first")
            if specs[name].kind == "text":
                differs = values.ne(first)
            else:
                gap = np.abs(values.to_numpy() - first.to_numpy())
                differs = pd.Series(gap > 1e-9 * np.abs(first.to_numpy()), index=values.index)
            for row in _rows(cast(pd.Series, differs)):
                unit = path[row]
                yield Problem(
                    row,
                    name,
                    _plain(values[row]),
                    f"{_plain(first[row])} as in the rows before: {name} belongs to the {level}, "
                    f"and this is {unit[0]} {unit[-1]!r} again; correct one of them or give "
                    f"the {unit[0]} its own label",
                )


def _duplicates(
    table: pd.DataFrame, specs: Mapping[str, Column], labels: Sequence[object]
) -> Iterator[Problem]:
    """The same cell under the same condition may give a reading once only."""
    if "cell" not in table:
        return
    rows = _rows(_series(table, "cell").notna())
    remarks = {"note", "source", "source_line", "row_id", "status", "reason", "suggestion", "kind"}
    readings = [n for n, s in specs.items() if n in table and s.reading and s.level == "row"]
    conditions = [
        n
        for n, s in specs.items()
        if n in table and not s.reading and n not in remarks and split_suffix(n, specs) is None
    ]
    if not rows or not readings:
        return
    part = table.loc[rows]
    blank = part.loc[:, conditions].astype(object).where(part.loc[:, conditions].notna(), None)
    units = dict(zip(rows, blank.itertuples(index=False, name=None), strict=True))
    for name in readings:
        seen: dict[tuple[object, ...], int] = {}
        for row in _rows(_series(part, name).notna()):
            unit = units[row]
            if unit in seen:
                yield Problem(
                    row,
                    name,
                    _plain(part.at[row, name]),
                    f"one reading of cell {part.at[row, 'cell']!r} under one condition, but row "
                    f"{labels[seen[unit]]} has it already; remove one, or tell them apart by a "
                    "column such as cycle or c_rate",
                )
            else:
                seen[unit] = row


def _kinds(table: pd.DataFrame, specs: Mapping[str, Column]) -> Iterator[Problem]:
    if "kind" not in table:
        return
    for row in _rows(_series(table, "kind") == "digitised"):
        for name in (n for n, s in specs.items() if s.reading and n in table):
            error = f"{name}_sd"
            if pd.notna(table.at[row, name]) and (
                error not in table or not float(table.at[row, error]) > 0
            ):
                yield Problem(
                    row,
                    error,
                    "no reading error",
                    f"the reading error of {name}, above 0: a value read off a figure needs one",
                )
    for row in _rows(_series(table, "kind") == "statement"):
        form = str(table.at[row, "statement"]) if "statement" in table else ""
        values = ("value",) if not form.endswith("_between") else ()
        if form.endswith("_between") or form == "rises_by":
            values += ("value_low", "value_high")
        for name in ("statement", "outcome", "over", *values):
            if name not in table or pd.isna(table.at[row, name]):
                yield Problem(
                    row,
                    name,
                    "nothing",
                    f"a {name}: a statement row names its statement, outcome, over and "
                    + " and ".join(values),
                )
        for name in ("outcome", "over"):
            named = table.at[row, name] if name in table else None
            if named is not None and named not in COLUMNS and named not in specs:
                yield Problem(
                    row, name, named, f"the name of a column{did_you_mean(str(named), COLUMNS)}"
                )


def _status(table: pd.DataFrame, specs: Mapping[str, Column]) -> Iterator[Problem]:
    if "status" not in table:
        return
    for row in _rows(_series(table, "status").isin(["failed", "conflict"])):
        if "reason" not in table or pd.isna(table.at[row, "reason"]):
            yield Problem(
                row, "reason", "nothing", f"why the experiment is {table.at[row, 'status']}"
            )
    outcomes = [n for n, s in specs.items() if s.reading and s.level == "row" and n in table]
    for row in _rows(_series(table, "status") == "planned"):
        for name in outcomes:
            if pd.notna(table.at[row, name]):
                yield Problem(
                    row,
                    "status",
                    "planned",
                    f"'done' or 'running', for the row has a reading of {name}",
                )
                break


def _bases(table: pd.DataFrame) -> Iterator[Problem]:
    """Each basis of a capacity has its own column, so that unlike ones are never pooled."""
    if "capacity_basis" not in table:
        return
    home = {basis: name for name, basis in CAPACITIES.items()}
    filled = [n for n in CAPACITIES if n in table]
    for row in _rows(_series(table, "capacity_basis").notna()):
        basis = str(table.at[row, "capacity_basis"])
        here = [n for n in filled if pd.notna(table.at[row, n])]
        if here and home[basis] not in here:
            yield Problem(
                row,
                "capacity_basis",
                basis,
                f"{CAPACITIES[here[0]]!r} beside {here[0]}; a capacity per "
                f"gram on the basis {basis!r} goes into the column {home[basis]}",
            )


def _companions(table: pd.DataFrame, specs: Mapping[str, Column]) -> Iterator[Problem]:
    for name in specs:
        if name.endswith("_low") and (high := name.removesuffix("_low") + "_high") in specs:
            for row in _rows(_series(table, name) > _series(table, high)):
                yield Problem(
                    row,
                    name,
                    _plain(table.at[row, name]),
                    f"at most {high}, which is {_plain(table.at[row, high])}",
                )
        if name.endswith("_batches") and (cells := name.removesuffix("_batches") + "_n") in specs:
            for row in _rows(_series(table, name) > _series(table, cells)):
                yield Problem(
                    row,
                    name,
                    _plain(table.at[row, name]),
                    f"at most {cells}, which is {_plain(table.at[row, cells])}: "
                    "a batch has at least one cell",
                )
    if "contains" not in table:
        return
    known = set(_series(table, "row_id").dropna()) if "row_id" in table else set()
    for row in _rows(_series(table, "contains").notna()):
        for part in str(table.at[row, "contains"]).split(";"):
            if part.strip() not in known:
                yield Problem(
                    row,
                    "contains",
                    part.strip(),
                    f"a row_id of this table{did_you_mean(part.strip(), known)}",
                )


def _plain(value: object) -> object:
    return f"{value:.10g}" if isinstance(value, float) else value
