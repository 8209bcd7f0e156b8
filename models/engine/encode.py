"""From a validated table to the arrays that a graph takes, with every index checked at the door."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...data import columns as registry
from .inputs import ALONE, GIVEN
from .ordinal import CATEGORIES, FAMILY, ranks

if TYPE_CHECKING:
    from .lab_model import LabModel

NOT_DONE = frozenset(registry.NOT_DONE)
STATEMENT = "a published statement, not a reading"
PARENTS: dict[str, tuple[str, ...]] = {
    "run": ("study", "mill", "run"),
    "batch": ("study", "mill", "run", "batch"),
    "cell": ("study", "mill", "run", "batch", "cell"),
    "lot": ("study", "lot"),
    "image": ("study", "mill", "run", "batch", "image"),
}


@dataclass
class Encoded:
    """A table as a graph takes it.

    Attributes
    ----------
    columns
        Name of a data node -> array (numbers, codes, readings).
    levels
        Group -> labels, in the order of their slots 1, 2, ...
    index
        Labels of the rows that are in the graph.
    left_out
        ``(row label, reason)`` of every row or reading that is not used.
    notes
        Sentences on decisions taken while encoding, for the report.
    categories
        Outcome of ordered categories -> its values in order, of ranks 1, 2, ...
    """

    columns: dict[str, np.ndarray]
    levels: dict[str, list[str]]
    index: list[Any]
    left_out: list[tuple[Any, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    categories: dict[str, list[float]] = field(default_factory=dict)

    def unused(self) -> list[str]:
        """A sentence for each reason why rows or readings are not used."""
        rows: dict[str, list[str]] = {}
        for label, why in self.left_out:
            rows.setdefault(why, []).append(str(label))
        return [f"row {at[0]} is not used: {why}" if len(at) == 1 else
                f"{len(at)} rows ({', '.join(at[:6])}{' ...' if len(at) > 6 else ''}) are not "
                f"used: {why}" for why, at in rows.items()]


def text(table: pd.DataFrame, column: str) -> pd.Series:
    """A text column with missing as the empty string; all empty where the column is absent."""
    if column not in table:
        return pd.Series("", index=table.index, dtype=object)
    values: Any = table[column].astype(object)
    return values.where(values.notna(), "").astype(str)


def number(table: pd.DataFrame, column: str, default: float = np.nan) -> np.ndarray:
    """A number column as floats; the default where it is absent or empty."""
    if column not in table:
        return np.full(len(table), default)
    read: Any = pd.to_numeric(table[column], errors="raise")
    values = read.to_numpy(dtype=float, na_value=np.nan)
    return np.where(np.isnan(values), default, values)


def usable(table: pd.DataFrame, model: LabModel) -> tuple[pd.DataFrame, list[tuple[Any, str]]]:
    """Rows that a fit may use, and the others with the reason why not."""
    left: list[tuple[Any, str]] = []
    reason = pd.Series("", index=table.index, dtype=object)
    status, kind = text(table, "status"), text(table, "kind")
    reason[status.isin(NOT_DONE)] = "status " + status
    reason[kind.eq("statement")] = STATEMENT
    asked = None if model.flow is None else model.flow.asked(table)
    needed = model.needed_for(*(outcome.name for outcome in model.outcomes))
    for name in [c.name for c in (*model.factors, *model.groups) if c.name in needed]:
        lacks = text(table, name).eq("").to_numpy() & reason.eq("").to_numpy()
        reason[lacks if asked is None else lacks & asked[name]] = f"no {name}"
    left += [(label, why) for label, why in reason.items() if why]
    return table.loc[reason.eq("")], left


def refuse_fixed(fixed: Iterable[str], along: str = "") -> None:
    """Refuse columns held fixed that nobody knows, which would change nothing, or that vary.

    Raises
    ------
    KeyError
        If a column is unknown; the message names the nearest one.
    ValueError
        If ``along``, the column that the answer goes along, is among them.
    """
    for name in fixed:
        registry.column(name)
        if name == along:
            raise ValueError(f"{name} cannot be fixed: the answer is looked for along it")


def stand_in(values: np.ndarray, name: str) -> np.ndarray:
    """Values of a factor with something finite where it is missing and nothing is read from it.

    The median of what is given, else the middle of the column's bounds.
    """
    if not np.isnan(values).any():
        return values
    if not np.isnan(values).all():
        return np.where(np.isnan(values), np.nanmedian(values), values)
    column = registry.column(name)
    low = 0.0 if column.low is None else column.low
    high = low + 1.0 if column.high is None else column.high
    return np.full(len(values), np.sqrt(low * high) if low > 0 else 0.5 * (low + high))


def _keys(
    table: pd.DataFrame, group: str, within: tuple[str, ...] = ()
) -> list[tuple[str, ...]]:
    """Identity of each row's level: what splits it, the labels of its parents, its own."""
    parts = [text(table, column) for column in (*within, *PARENTS.get(group, (group,)))]
    return list(zip(*parts, strict=True))


def fill_labels(table: pd.DataFrame, model: LabModel) -> tuple[pd.DataFrame, list[str]]:
    """Give rows without run, batch or cell the labels that assume least.

    Rows of one study with equal settings and no batch are taken as one batch, so that readings
    are never counted as independent batches by omission; a run is then the batch, a cell the row.
    """
    notes: list[str] = []
    table = table.copy()
    names = [g.name for g in model.groups]
    settings = [f.name for f in model.factors if f.level not in {"row", "cell"}]
    kinds = [text(table, g.name) for g in model.groups if not g.varies and g.name != "mill"]
    batch = text(table, "batch")
    if batch.eq("").any() and ("batch" in names or "run" in names or "cell" in names):
        shape = ["|".join(map(str, row)) for row in zip(
            text(table, "study"), text(table, "mill"), text(table, "run"), *kinds,
            *(number(table, s, 0.0) for s in settings), strict=True)]
        empty = batch.eq("").to_numpy()
        unique = {s: i for i, s in enumerate(dict.fromkeys(np.array(shape)[empty]))}
        table["batch"] = [
            f"settings {unique[s] + 1}" if e else b
            for s, e, b in zip(shape, empty, batch, strict=True)
        ]
        if empty.sum() > len(unique):
            notes.append(
                f"{int(empty.sum())} rows name no batch: rows of equal settings are taken as one "
                "batch each"
            )
    if "run" in names:
        run = text(table, "run")
        table["run"] = run.where(run.ne(""), text(table, "batch"))
    if "cell" in names:
        cell = text(table, "cell")
        own = pd.Series([f"row {i}" for i in range(len(table))], index=table.index, dtype=object)
        table["cell"] = cell.where(cell.ne(""), own)
    return table, notes


def encode(table: pd.DataFrame, model: LabModel, *, statements: bool = False) -> Encoded:
    """Turn a validated table into arrays, levels and readings.

    Parameters
    ----------
    table
        Rows as ``data.validate`` returns them.
    model
        Whose columns are wanted.
    statements
        Whether rows of kind ``statement`` take part.

    Raises
    ------
    ValueError
        If rows of unlike basis would be pooled, with the rows and the mend.
    """
    given, left = usable(table, model)
    if statements:  # they take part in a way of their own
        left = [(label, why) for label, why in left if why != STATEMENT]
    given, said = (given, []) if model.prepare is None else model.prepare(given, True)
    rows, notes = fill_labels(given, model)
    notes = [*said, *notes]
    if model.extra_rows is not None:
        rows = pd.concat([rows, model.extra_rows(table, statements)])
    columns: dict[str, np.ndarray] = {}
    for factor in model.factors:
        values = number(rows, factor.name, np.nan if factor.default is None else factor.default)
        columns[factor.name] = values if model.flow is None else stand_in(values, factor.name)
    levels: dict[str, list[str]] = {}
    for group in model.groups:
        keys = _keys(rows, group.name, group.within)
        labels = [key[-1] for key in keys]
        known = dict.fromkeys(
            key for key, label in zip(keys, labels, strict=True) if label != group.reference
        )
        slot = {key: k + 1 for k, key in enumerate(known)}
        columns[group.name] = np.array(
            [0 if label == group.reference else slot[key]
             for key, label in zip(keys, labels, strict=True)], dtype="int64")
        levels[group.name] = [" / ".join(part for part in key if part) for key in known]
    starts = {} if model.flow is None else model.flow.starts(rows)
    for column, here in starts.items():
        columns[f"{column}{GIVEN}"] = np.where(here, number(rows, column), 0.0)
    for outcome in model.outcomes:
        apart = _repeated(rows, given, outcome.name) | starts.get(outcome.name, False)
        columns |= _readings(rows, outcome.name, outcome.family, left, model, apart)
    for group in model.groups:
        if group.lone_in_noise:
            every = [o.name for o in model.outcomes]
            _set_aside_lone(columns, levels, group.name, every, group.lone_outcomes or every)
    categories: dict[str, list[float]] = {}
    for name in [outcome.name for outcome in model.outcomes if outcome.family == FAMILY]:
        columns[f"{name}__value"], categories[name] = ranks(columns[f"{name}__value"], name)
        columns[f"{name}{CATEGORIES}"] = np.full(len(rows), float(max(len(categories[name]), 2)))
    for encoder in model.encoders:
        columns |= encoder(rows, table, statements)
    _refuse_pooling(rows, model, columns)
    return Encoded(columns, levels, list(rows.index), left, notes, categories)


def _set_aside_lone(
    columns: dict[str, np.ndarray], levels: dict[str, list[str]], group: str,
    outcomes: Sequence[str], in_noise: Sequence[str],
) -> None:
    """Give levels with one reading slot 0 and mark their rows; the others keep their order.

    A reading of an outcome whose noise does not take the effect in counts twice.
    """
    codes = columns[group]
    counts = np.zeros(len(levels[group]) + 1, dtype=int)
    for outcome in outcomes:
        np.add.at(counts, codes[columns[f"{outcome}__row"]], 1 if outcome in in_noise else 2)
    kept = [k for k in range(1, len(counts)) if counts[k] > 1]
    slot = np.zeros(len(counts), dtype="int64")
    slot[kept] = np.arange(1, len(kept) + 1)
    columns[f"{group}{ALONE}"] = ((codes > 0) & (counts[codes] <= 1)).astype(float)
    columns[group] = slot[codes]
    levels[group] = [levels[group][k - 1] for k in kept]


def _repeated(rows: pd.DataFrame, given: pd.DataFrame, outcome: str) -> np.ndarray:
    """Rows that only repeat a reading of their level (a cell's utilization at its second rate).

    Counted again, equal readings would say that the reading has no noise. Only rows that name
    their level in the table as ``given`` repeat; what names none is a reading of its own.
    """
    level = registry.column(outcome).level
    if level not in PARENTS:
        return np.zeros(len(rows), dtype=bool)
    value = number(rows, outcome)
    named = np.zeros(len(rows), dtype=bool)
    named[: len(given)] = text(given, level).ne("")
    seen: set[tuple[Any, ...]] = set()
    again = np.zeros(len(rows), dtype=bool)
    for k, key in enumerate(_keys(rows, level)):
        if named[k] and not np.isnan(value[k]):
            again[k] = (key, value[k]) in seen
            seen.add((key, value[k]))
    return again


def _readings(
    rows: pd.DataFrame, outcome: str, family: str, left: list[tuple[Any, str]], model: LabModel,
    apart: np.ndarray,
) -> dict[str, np.ndarray]:
    value = number(rows, outcome)
    sd, n = number(rows, f"{outcome}_sd"), number(rows, f"{outcome}_n")
    summary = ~np.isnan(sd) & (n > 1)
    use = ~np.isnan(value) & ~apart
    if outcome in model.summaries:
        use &= ~summary
    censored = text(rows, f"{outcome}_censored").to_numpy() != ""
    if outcome not in model.bounds:
        for label in rows.index[use & censored]:
            left.append((label, f"{outcome} is a bound, which this model does not use"))
    use &= ~censored
    if family == "LogNormal":
        for label in rows.index[use & ~(value > 0)]:
            left.append((label, f"{outcome} is not above zero"))
        use &= np.where(np.isnan(value), -1.0, value) > 0
    where = np.flatnonzero(use)
    shared = text(rows, f"{outcome}_shared").to_numpy()[where]
    copies = np.array([1 if s == "" else int((shared == s).sum()) for s in shared], dtype=float)
    count = np.where(np.isnan(n), 1.0, n)[where] / np.maximum(copies, 1)
    stated = np.where(np.isnan(sd) | summary, 0.0, sd)[where] * np.sqrt(copies)
    if family == "LogNormal":
        stated = stated / value[where]
    return {
        f"{outcome}__row": where.astype("int64"),
        f"{outcome}__value": value[where],
        f"{outcome}__n": count,
        f"{outcome}__sd": stated,
    }


def _refuse_pooling(rows: pd.DataFrame, model: LabModel, columns: dict[str, np.ndarray]) -> None:
    for outcome in model.outcomes:
        value = number(rows, outcome.name)
        at = {int(k) for k in columns[f"{outcome.name}__row"]}
        if outcome.name in model.summaries:  # means of cells, which are no readings
            at |= set(np.flatnonzero(~np.isnan(value) & (number(rows, f"{outcome.name}_n") > 1)))
        if outcome.name in model.bounds:
            at |= set(np.flatnonzero(~np.isnan(value) & text(
                rows, f"{outcome.name}_censored").ne("").to_numpy()))
        taken = rows.iloc[sorted(at)]
        for column in outcome.alike:
            if column in model.pooled:
                continue
            seen = text(taken, column)
            kinds = list(dict.fromkeys(seen))
            if len(kinds) > 1:
                where = "; ".join(
                    f"{kind or 'not stated'}: rows "
                    + ", ".join(map(str, taken.index[seen.eq(kind)][:4]))
                    + (" ..." if seen.eq(kind).sum() > 4 else "")
                    for kind in kinds
                )
                mend = f"Convert the rows to one {column}"
                if "" in kinds:
                    mend = f"Write {column} into the rows that do not state it"
                    mend += f", convert all to one {column}" if len(kinds) > 2 else ""
                raise ValueError(
                    f"{outcome.name} of unlike {column} would be pooled ({where}). {mend}, fit "
                    f"them apart, or say pool=[{column!r}]"
                )


def check_columns(columns: dict[str, np.ndarray], rows: int, slots: dict[str, int]) -> None:
    """Refuse what a compiled sampler would take in silence: lengths, finiteness, index ranges.

    Raises
    ------
    ValueError
        Naming the column, the position and the value.
    """
    readings = {name for name in columns if "__" in name}
    for name, values in columns.items():
        if not np.all(np.isfinite(values)):
            at = int(np.flatnonzero(~np.isfinite(np.ravel(values)))[0])
            raise ValueError(f"column {name!r} holds {np.ravel(values)[at]} at position {at}")
        if name not in readings and len(values) != rows:
            raise ValueError(f"column {name!r} has {len(values)} values for {rows} rows")
        if name.endswith("__row") and len(values) and (values.min() < 0 or values.max() >= rows):
            raise ValueError(f"{name} points to row {values.max()} of {rows}")
        if name.endswith("__row") and not np.issubdtype(values.dtype, np.integer):
            raise ValueError(f"{name} must be whole numbers, not {values.dtype}")
    for group, limit in slots.items():
        codes = columns[group]
        if not np.issubdtype(codes.dtype, np.integer):
            raise ValueError(f"codes of {group!r} must be whole numbers, not {codes.dtype}")
        if len(codes) and (codes.min() < 0 or codes.max() > limit):
            raise ValueError(f"codes of {group!r} run from {codes.min()} to {codes.max()}; "
                             f"its slots are 0 to {limit}")


def same_length(columns: dict[str, np.ndarray], names: Iterable[str]) -> None:
    """Refuse reading lists of unlike length."""
    for name in names:
        sizes = {part: len(columns[f"{name}__{part}"]) for part in ("row", "value", "n", "sd")}
        if len(set(sizes.values())) != 1:
            raise ValueError(f"readings of {name!r} have unlike lengths: {sizes}")
