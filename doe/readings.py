"""Readings of an objective at one condition, as the surrogate takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .plots import has_runs

if TYPE_CHECKING:
    from .space import Space


@dataclass(frozen=True)
class Readings:
    """What was read, and where.

    Attributes
    ----------
    settings : DataFrame
        One row a reading, one column a factor; labels are those of the rows.
    value : ndarray, shape (n,)
        In the objective's unit.
    cells : ndarray, shape (n,)
        Number of cells that a reading is the mean of.
    batch : ndarray of int, shape (n,)
        Batch codes; negative where no label is given, and everywhere if each batch was read
        once, since its effect is then part of the noise. Samples of one run, where a space has
        hard-to-change factors, count as one batch: they are no replicates.
    """

    settings: pd.DataFrame
    value: np.ndarray
    cells: np.ndarray
    batch: np.ndarray

    def __len__(self) -> int:
        return len(self.value)

    def tried(self) -> pd.DataFrame:
        """Distinct settings in the order of their first reading, with how many ``readings``."""
        if not len(self):
            return self.settings.assign(readings=np.zeros(0, dtype=int))
        names = list(self.settings.columns)
        first = self.settings.drop_duplicates()
        count = self.settings.groupby(names, sort=False).size().to_numpy()
        return first.assign(readings=count).reset_index(drop=True)


def readings(
    space: Space, rows: pd.DataFrame, objective: str, fixed: Mapping[str, Any]
) -> Readings:
    """Readings of ``objective`` in rows at the ``fixed`` condition whose factors are all known."""
    value = _numbers(rows, objective, np.nan)
    use = ~np.isnan(value) & all_given(rows, space.names)
    for name, wanted in fixed.items():
        if name not in rows.columns or name in space.names:
            continue
        if isinstance(wanted, str):
            use &= _text(rows, name) == wanted
        else:
            use &= np.isclose(_numbers(rows, name, np.nan), float(wanted), rtol=1e-6)
    at = np.flatnonzero(use)
    settings = pd.DataFrame(rows.iloc[at].reindex(columns=space.names))
    cells = np.maximum(_numbers(rows, f"{objective}_n", 1.0)[at], 1.0)
    return Readings(
        settings, value[at], cells, _batches(rows, has_runs(space))[at] if len(at) else at
    )


def all_given(rows: pd.DataFrame, names: list[str]) -> np.ndarray:
    """Rows that miss none of the columns."""
    if any(name not in rows.columns for name in names):
        return np.zeros(len(rows), dtype=bool)
    return rows[names].notna().to_numpy().all(axis=1)


def _numbers(rows: pd.DataFrame, name: str, missing: float) -> np.ndarray:
    if name not in rows.columns:
        return np.full(len(rows), missing)
    values = np.asarray(pd.to_numeric(rows[name], errors="coerce"), dtype=float)
    return np.where(np.isnan(values), missing, values)


def _text(rows: pd.DataFrame, name: str) -> np.ndarray:
    if name not in rows.columns:
        return np.full(len(rows), "", dtype=object)
    return np.array(["" if pd.isna(v) else str(v) for v in rows[name]], dtype=object)


def _batches(rows: pd.DataFrame, by_run: bool) -> np.ndarray:
    """Codes of batches, or of their runs; a label counts within its study, mill and run."""
    batch, run = _text(rows, "batch"), _text(rows, "run")
    if by_run:
        batch = np.where(run != "", run, batch)
    labels = zip(*(_text(rows, c) for c in ("study", "mill")), run, batch, strict=True)
    known: dict[tuple[str, ...], int] = {}
    codes = np.array([known.setdefault(label, len(known)) for label in labels], dtype=int)
    codes = np.where(batch == "", -1, codes)
    named = codes[codes >= 0]
    return codes if len(np.unique(named)) < len(named) else np.full(len(codes), -1)
