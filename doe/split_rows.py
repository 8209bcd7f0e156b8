"""Rows as the units of a split plot: one entry a cell and setting, its run, its coded factors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .errors import CampaignError, listing, unknown
from .readings import is_bound
from .state import usable


@dataclass(frozen=True)
class Part:
    """One factor, coded.

    Attributes
    ----------
    columns : list of ndarray, shape (n,)
        A number from -1/2 at its lowest to 1/2 at its highest value, so that its coefficient is
        the change between them; text as one 0/1 column for each level but the first.
    labels : list of str
        What each column's coefficient is.
    units : list of int
        How many runs (of a hard factor) or cells (of an easy one) tell of it.
    levels : tuple
        Levels of text, or the two ends of a number.
    """

    name: str
    hard: bool
    columns: list[np.ndarray]
    labels: list[str]
    units: list[int]
    levels: tuple[Any, ...]
    text: bool

    def code(self, table: pd.DataFrame) -> list[np.ndarray]:
        """The columns of further settings."""
        if self.name not in table:
            raise CampaignError(unknown(self.name, table.columns, "column of the settings"))
        values = table[self.name]
        if self.text:
            strange = sorted({str(v) for v in values} - {str(v) for v in self.levels})
            if strange:
                raise CampaignError(unknown(strange[0], self.levels, f"level seen of {self.name}"))
        return _coded(values, self.text, self.levels)


@dataclass(frozen=True)
class Units:
    """Readings of cells, with their weights (cells that a reading is the mean of) and runs."""

    y: np.ndarray
    weight: np.ndarray
    group: np.ndarray
    runs: int
    parts: tuple[Part, ...]
    notes: list[str]


def units(
    rows: pd.DataFrame, outcome: str, hard: Sequence[str], easy: Sequence[str], run: str
) -> Units:
    """Check rows and code their factors; parameters as of `split_plots.split_plot`."""
    factors = [*hard, *easy]
    both = sorted(set(hard) & set(easy))
    if both:
        raise CampaignError(f"{listing(both)} is in hard and in easy; name it once")
    for name in (outcome, run, *factors):
        if name not in rows.columns:
            raise CampaignError(unknown(name, rows.columns, "column of the rows"))
    table = readings_of(rows, outcome, [run, *factors])
    notes = []
    many = table["_readings"].to_numpy(dtype=int)
    if many.max() > 1:
        notes.append(
            f"{many.sum()} readings are of {len(table)} cells: those of one cell at one setting "
            "are averaged"
        )
    group, names = pd.factorize(table[run])
    for name in hard:
        first = table[name].to_numpy()[np.unique(group, return_index=True)[1]]
        strange = np.flatnonzero(table[name].to_numpy() != first[group])
        if len(strange):
            worst = table[run].iloc[strange[0]]
            seen = listing(table.loc[table[run] == worst, name].unique())
            raise CampaignError(
                f"run {worst!r} has more than one {name} ({seen}), so it varies within runs: put "
                f"{name} into easy, or give these rows the labels of two runs"
            )
    parts = tuple(_part(table, n, n in hard, group) for n in factors)
    weight = table["_weight"].to_numpy(dtype=float)
    return Units(
        table["_value"].to_numpy(dtype=float), weight, group, len(names), parts, notes
    )


def readings_of(rows: pd.DataFrame, outcome: str, by: Sequence[str]) -> pd.DataFrame:
    """One row a cell and setting: `by`, ``_value``, ``_weight`` (cells), ``_readings``.

    Rows that failed, are planned, lack the outcome or hold only a bound of it are left out.
    """
    value: Any = pd.to_numeric(rows[outcome], errors="coerce")
    read = usable(rows) & value.notna().to_numpy() & ~is_bound(rows, outcome)
    table: Any = rows[read]
    if not len(table):
        raise CampaignError(f"no row has a reading of {outcome}; record results first")
    for name in by:
        gaps = table.index[table[name].isna()]
        if len(gaps):
            raise CampaignError(
                f"{name} is empty in row {gaps[0]}, where {outcome} was read; fill it in, or "
                "leave the row out"
            )
    made = table[list(by)].copy()
    made["_value"] = value[read].astype(float)
    count, made["_weight"] = f"{outcome}_n", 1.0
    if count in table:
        many = np.asarray(pd.to_numeric(table[count], errors="coerce"), dtype=float)
        made["_weight"] = np.fmax(many, 1.0)
    if "cell" not in table or table["cell"].isna().all():
        return made.assign(_readings=1).reset_index(drop=True)
    own = [f"#{k}" for k in range(len(table))]
    made["_cell"] = np.where(table["cell"].notna(), table["cell"].astype(str), own)
    found = made.groupby([*by, "_cell"], sort=False).agg(
        _value=("_value", "mean"), _weight=("_weight", "max"), _readings=("_value", "size")
    )
    return found.reset_index().drop(columns="_cell")


def _part(table: pd.DataFrame, name: str, hard: bool, group: np.ndarray) -> Part:
    values: Any = table[name]
    numbers = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if values.nunique() < 2:
        raise CampaignError(
            f"{name} is {values.iloc[0]!r} in every row: it has no effect to be seen; leave it out"
        )

    def count(among: np.ndarray) -> int:
        return len(np.unique(group[among])) if hard else int(among.sum())

    if numbers:
        low, high = float(values.min()), float(values.max())
        levels = (low, high)
        labels, many = [f"{low:g} -> {high:g}"], [count(np.ones(len(table), dtype=bool))]
    else:
        levels = tuple(dict.fromkeys(values))
        labels = [f"{level} - {levels[0]}" for level in levels[1:]]
        many = [count(values.isin([levels[0], v]).to_numpy()) for v in levels[1:]]
    return Part(name, hard, _coded(values, not numbers, levels), labels, many, levels, not numbers)


def _coded(values: Any, text: bool, levels: tuple[Any, ...]) -> list[np.ndarray]:
    if text:
        return [(values == level).to_numpy(dtype=float) for level in levels[1:]]
    low, high = levels
    return [(values.to_numpy(dtype=float) - 0.5 * (low + high)) / (high - low)]
