"""The one door that every table passes: `validate`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pandas as pd

from . import entries
from .carbon import is_bare, no_basis
from .columns import COLUMNS, Column, column, companion, did_you_mean, split_suffix
from .problems import Problem, TableError
from .structure import across_rows


def validate(
    table: pd.DataFrame,
    columns: pd.DataFrame | None = None,
    *,
    where: str = "table",
    open: bool = False,
) -> pd.DataFrame:
    """Return a clean copy of a table, or say everything that is wrong with it.

    Parameters
    ----------
    table : DataFrame
        One row for each measured thing and condition.
    columns : DataFrame, optional
        What a model or a campaign wants: ``name``, ``role`` (factor, group, outcome, context),
        ``level``, ``unit``, ``needed``; optionally ``kind``, ``low``, ``high``, and ``part``, true
        for a part of a mixture, which says what it is a share of. Columns that are missing here
        but known to the registry stay legal.
    where : str
        What to call the table in messages, e.g. the file name.
    open : bool
        Let columns pass that nobody knows; they are kept as they are.

    Returns
    -------
    DataFrame
        Numbers as float64 (NaN where empty), text as object (None where empty), the same index.

    Raises
    ------
    TableError
        With one `Problem` for every bad cell, missing or unknown column, at once.
    """
    if not isinstance(table, pd.DataFrame):
        raise TableError(where, [Problem(None, None, type(table).__name__, "a pandas DataFrame")])
    check_columns(columns)
    wanted = _wanted(columns)
    labels = list(table.index)
    clean, specs, problems = _headers(
        table.reset_index(drop=True), wanted, open, _parts(columns)
    )
    if len(table) == 0:
        problems.append(Problem(None, None, None, "it has no rows below its header"))
    needed = {n for n, (_, need) in wanted.items() if need}
    problems += _missing(clean, needed, {n: s for n, (s, _) in wanted.items()})
    for name, spec in specs.items():
        series, bad = _clean(cast(pd.Series, clean[name]), spec)
        clean[name] = series
        problems += bad
        if name in needed and len(table) and not bad and series.isna().all():
            problems.append(
                Problem(
                    None,
                    name,
                    None,
                    "every cell of this column is empty, but at least some rows need it",
                )
            )
    if "kind" in clean:
        clean["kind"] = clean["kind"].where(clean["kind"].notna(), "measured").astype(object)
    # a row with a bad cell cannot be compared with others: its cell is empty now
    bad_rows = {p.row for p in problems if p.row is not None}
    sound = clean.drop(index=list(bad_rows))
    problems += (
        p for p in across_rows(sound, specs, labels) if not (bad_rows and p.column == "contains")
    )
    if problems:
        problems.sort(key=lambda p: -1 if p.row is None else p.row)  # as a person reads
        raise TableError(
            where, [p if p.row is None else replace(p, row=labels[p.row]) for p in problems]
        )
    clean.index = table.index
    return clean


def check_columns(columns: object) -> None:
    """Refuse what is no list of columns, such as the name of a model."""
    if columns is None or (isinstance(columns, pd.DataFrame) and "name" in columns):
        return
    found = columns if isinstance(columns, str) else type(columns).__name__
    told = "a table of columns, such as models.get('capacity').columns"
    raise TableError("columns", [Problem(None, None, found, told)])


def unlike(table: pd.DataFrame, outcome: str = "capacity_mAh_g") -> pd.DataFrame:
    """Tell which kinds of capacity a table mixes.

    Returns
    -------
    DataFrame
        One row for each distinct combination of `capacity_basis`, `capacity_cycles`,
        `charge_mode`, `c_rate_basis_mAh_g` and `window` among the rows that have the outcome,
        with the number of rows; more than one row means that pooling needs a reason.
    """
    marks = ["capacity_basis", "capacity_cycles", "charge_mode", "c_rate_basis_mAh_g", "window"]
    here = [m for m in marks if m in table]
    part = table.loc[table[outcome].notna()] if outcome in table else table.iloc[:0]
    if not here:
        return pd.DataFrame({"rows": [len(part)]})
    return part.groupby(here, dropna=False, sort=False).size().rename("rows").reset_index()


def _parts(columns: pd.DataFrame | None) -> set[str]:
    """Columns that are parts of a mixture: even plain "carbon" says what it is a share of."""
    if columns is None or "part" not in columns:
        return set()
    told = zip(columns["name"], columns["part"], strict=True)
    return {str(name) for name, part in told if part is True}


def _wanted(columns: pd.DataFrame | None) -> dict[str, tuple[Column, bool]]:
    """Turn a model's column list into specifications and whether each is needed."""
    if columns is None:
        return {}
    wanted: dict[str, tuple[Column, bool]] = {}
    for entry in columns.to_dict("records"):
        name = str(entry["name"])
        role, level = str(entry.get("role") or ""), entry.get("level")
        if name in COLUMNS:
            spec = COLUMNS[name]
            if level == "batch" and spec.level == "run":  # jars of one mill with beads of their own
                spec = replace(spec, level="batch")
        elif split := split_suffix(name):
            spec = companion(name, split[1], COLUMNS[split[0]])
        else:
            kind = entry.get("kind") or ("text" if role == "group" else "number")
            spec = Column(
                name,
                _or(entry.get("unit"), ""),
                role,
                _or(level, "row"),
                str(kind),
                _or(entry.get("low"), None),
                _or(entry.get("high"), None),
                reading=role == "outcome",
            )
        wanted[name] = (spec, bool(_or(entry.get("needed"), False)))
    return wanted


def _or(value: Any, default: Any) -> Any:
    return default if entries.is_missing(value) else value


def _headers(
    table: pd.DataFrame, wanted: dict[str, tuple[Column, bool]], open: bool, parts: set[str]
) -> tuple[pd.DataFrame, dict[str, Column], list[Problem]]:
    names = [entries.text(c) or "" for c in table.columns]
    problems = [
        Problem(None, n, None, "two columns have this name; rename one")
        for n in dict.fromkeys(n for n in names if names.count(n) > 1)
    ]
    keep = [i for i, n in enumerate(names) if n not in names[:i]]
    clean = table.iloc[:, keep].copy()
    clean.columns = pd.Index([names[i] for i in keep], dtype=object)
    specs: dict[str, Column] = {}
    for name in clean.columns:
        if name not in COLUMNS and name not in parts and is_bare(name):
            problems.append(Problem(None, name, None, no_basis(name)))
        elif name in wanted:
            specs[name] = wanted[name][0]
        elif name in COLUMNS:
            specs[name] = COLUMNS[name]
        elif split := split_suffix(name, wanted):
            base = wanted[split[0]][0] if split[0] in wanted else COLUMNS[split[0]]
            specs[name] = companion(name, split[1], base)
        elif not open and not name.startswith("predicted_"):
            near = did_you_mean(name, [*wanted, *COLUMNS])
            problems.append(
                Problem(None, name, None, f"no column is known by this name{near}{_in_unit(near)}")
            )
    return clean, specs, problems


def _in_unit(near: str) -> str:
    """Add the unit to a suggestion, for a near miss is often another unit (milling_h)."""
    if not near:
        return " (remarks go into a column 'note')"
    unit = column(near.split("'")[1]).unit if near.split("'")[1] in COLUMNS else ""
    return f" (in {unit})" if unit not in ("", "1") else ""


def _missing(table: pd.DataFrame, needed: set[str], specs: dict[str, Column]) -> list[Problem]:
    problems = []
    strangers = [c for c in table.columns if c not in specs and c not in COLUMNS]
    for name in specs:
        if name in needed and name not in table.columns:
            near = did_you_mean(name, strangers)
            hint = f"; is it {near.split(chr(39))[1]!r}?" if near else ""
            unit = f" (in {specs[name].unit})" if specs[name].unit not in ("", "1") else ""
            problems.append(Problem(None, name, None, f"this column is missing{unit}{hint}"))
    return problems


def _clean(series: pd.Series, spec: Column) -> tuple[pd.Series, list[Problem]]:
    if spec.kind == "text":
        out = pd.Series([entries.text(v) for v in series], index=series.index, dtype=object)
        if not spec.choices:
            return out, []
        odd = out.notna() & ~out.isin(spec.choices)
        return out, [
            Problem(
                i,
                spec.name,
                out.iloc[i],
                "one of " + ", ".join(spec.choices) + did_you_mean(out.iloc[i], spec.choices),
            )
            for i in _where(odd)
        ]
    out = _quick_numbers(series)
    # only what a fast conversion could not read, or what lies out of bounds, is looked at singly
    odd = out.isna() & pd.Series([not entries.is_missing(v) for v in series], index=out.index)
    odd |= ~np.isfinite(out) & out.notna()
    if spec.low is not None:
        odd |= out < spec.low
    if spec.high is not None:
        odd |= out > spec.high
    if spec.kind == "integer":
        odd |= out.notna() & (out % 1 != 0)
    values, problems = out.to_numpy(copy=True), []
    for i in _where(odd):
        values[i], expected = entries.number(series.iloc[i], spec)
        if expected:
            problems.append(Problem(i, spec.name, _found(series.iloc[i]), expected))
    return pd.Series(values, index=series.index), problems


def _quick_numbers(series: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(series) and not pd.api.types.is_bool_dtype(series):
        return pd.Series(series.to_numpy("float64", na_value=np.nan), index=series.index)
    plain = [
        v if isinstance(v, (str, int, float)) and not isinstance(v, bool) else None for v in series
    ]
    wide = pd.to_numeric(pd.Series(plain, index=series.index, dtype=object), errors="coerce")
    return cast(pd.Series, wide).astype("float64")


def _where(mask: pd.Series) -> list[int]:
    return [int(i) for i in np.flatnonzero(mask.to_numpy())]


def _found(value: object) -> object:
    return value if isinstance(value, (str, int, float)) else str(value)
