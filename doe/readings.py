"""Readings of an objective at one condition, as the surrogate takes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..data import columns
from .plots import has_runs

if TYPE_CHECKING:
    from .space import Space


UNSPLIT = (
    "no batch was read twice, so the scatter of batches and that of cells cannot be told apart: "
    "predicted_batch_sd is not given. Record several cells with the label of their batch"
)
UNNAMED = (
    "some readings name no batch: those of equal settings are taken as one batch each, as cells of "
    "it. Record repeats that are batches of their own with a label of each batch"
)
SHARED = ("lot", "operator")
"""What blocks of a plan may differ in, which no model-free fit has an effect for."""
BLIND = (
    "it has no effect of its own here and counts as scatter, so that settings which were run in "
    "one of them only look surer than they are. Control cells in each tell how far they are apart "
    "(doe.bridge)"
)
TASKS = 3
"""Other studies whose relatedness is learned one by one; further ones count as the last."""
MEMORY = ("mill",)
"""Constants whose other values are related tasks where no model knows what they change."""


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
        Number of cells of one batch that a reading is the mean of; of several batches, of these.
    error : ndarray, shape (n,)
        Stated error of a reading of one cell (its ``_sd``), 0 where none is.
    freedom, squares : ndarray, shape (n,)
        Of readings that are the mean of several cells of one batch, with their sd: degrees of
        freedom and sum of squares of the cells' scatter; else 0.
    batch : ndarray of int, shape (n,)
        Batch codes; readings without a label are of one batch for each setting, as models take
        them: nothing is a replicate by omission. Negative everywhere if each of these batches was
        read once, and none by several cells: its effect is then part of the noise. Samples of one
        run, where a space has hard-to-change factors, count as one batch too.
    task : ndarray of int, shape (n,)
        0 for the campaign's own readings, 1, 2, ... for those of other studies or machines: a
        related task, of which it is learned how much it tells.
    unnamed : bool
        Whether readings of equal settings were taken as one batch for want of a label.
    """

    settings: pd.DataFrame
    value: np.ndarray
    cells: np.ndarray
    error: np.ndarray
    freedom: np.ndarray
    squares: np.ndarray
    batch: np.ndarray
    task: np.ndarray
    unnamed: bool = False

    def __len__(self) -> int:
        return len(self.value)

    @property
    def told_apart(self) -> bool:
        """Whether batches can be told from cells: one at least has several readings, or cells with
        their sd."""
        known = self.batch[self.batch >= 0]
        return len(np.unique(known)) < len(known) or bool(self.freedom.any())

    @property
    def tasks(self) -> int:
        """How many other studies there are."""
        return int(self.task.max(initial=0))

    @property
    def repeats(self) -> int:
        """Degrees of freedom of the scatter of cells: readings of one setting, cells of one row."""
        distinct = len(self.settings.assign(task=self.task).drop_duplicates())
        return len(self) - distinct + int(self.freedom.sum())

    def beside(self, encoded: np.ndarray, own: bool = False) -> np.ndarray:
        """Encoded settings with one more column for each other study: 1 in its rows, else 0.

        Its length scale, learned like any other, says how much that study tells of this one.
        """
        if not self.tasks:
            return encoded
        of = np.zeros((len(encoded), self.tasks))
        if not own:
            rows = np.flatnonzero(self.task)
            of[rows, self.task[rows] - 1] = 1.0
        return np.concatenate([encoded, of], axis=1)

    def tried(self) -> pd.DataFrame:
        """Distinct settings in the order of their first reading, with how many ``readings``.

        Those of other studies are not among them, unless there are no others.
        """
        if not len(self):
            return self.settings.assign(readings=np.zeros(0, dtype=int))
        names = list(self.settings.columns)
        own: Any = self.settings[self.task == 0] if (self.task == 0).any() else self.settings
        first = own.drop_duplicates()
        count = own.groupby(names, sort=False).size().to_numpy()
        return first.assign(readings=count).reset_index(drop=True)


def readings(
    space: Space, rows: pd.DataFrame, objective: str, fixed: Mapping[str, Any],
    memory: Sequence[str] = (),
) -> Readings:  # fmt: skip
    """Readings of ``objective`` in rows at the ``fixed`` condition whose factors are all known.

    What is only a bound (`is_bound`) is none.

    Of the columns in ``memory`` (`MEMORY`) rows may have another value than the fixed one: another
    mill is a related task then, and not left out.
    """
    value = _numbers(rows, objective, np.nan)
    use = ~np.isnan(value) & ~is_bound(rows, objective) & all_given(rows, space.names)
    for name, wanted in fixed.items():
        if name not in rows.columns or name in space.names or name in memory:
            continue
        if isinstance(wanted, str):
            use &= _text(rows, name) == wanted
        else:
            use &= np.isclose(_numbers(rows, name, np.nan), float(wanted), rtol=1e-6, atol=0.0)
    at = np.flatnonzero(use)
    settings = pd.DataFrame(rows.iloc[at].reindex(columns=space.names))
    cells = np.maximum(_numbers(rows, f"{objective}_n", 1.0)[at], 1.0)
    sd = _numbers(rows, f"{objective}_sd", 0.0)[at]
    batches = _numbers(rows, f"{objective}_batches", 1.0)[at]
    means = (cells > 1) & (batches <= 1)
    several = means & (sd > 0)
    divisor = cells - _numbers(rows, f"{objective}_sd_ddof", 1.0)[at]
    freedom = np.where(several, cells - 1.0, 0.0)
    squares = np.where(several, divisor * sd**2, 0.0)
    error = np.where(cells > 1, 0.0, sd)
    batch, unnamed = _batches(rows.iloc[at], space, means) if len(at) else (at, False)
    cells = np.where(batches > 1, np.minimum(batches, cells), cells)  # cells are no replicates
    task = _tasks(rows, fixed, [n for n in memory if n in fixed and n not in space.names])[at]
    return Readings(settings, value[at], cells, error, freedom, squares, batch, task, unnamed)


def blind_to(rows: pd.DataFrame, known: Iterable[str]) -> list[str]:
    """A note for each column of `SHARED` that differs among rows and is not among the ``known``."""
    told = []
    for name in [n for n in SHARED if n not in known]:
        count = len(set(_text(rows, name)) - {""})
        if count > 1:
            told.append(f"{name} differs among the readings ({count} of them): {BLIND}")
    return told


def is_bound(rows: pd.DataFrame, outcome: str) -> np.ndarray:
    """Where a reading is only a bound, as its ``_censored`` says, shape (n,)."""
    return _text(rows, f"{outcome}_censored") != ""


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


def _tasks(rows: pd.DataFrame, fixed: Mapping[str, Any], memory: Sequence[str]) -> np.ndarray:
    """0 for own rows, then a code for each other study or machine, the largest first.

    Own are rows without a study and those of the study that is fixed; where there are none, all
    rows are: nothing is to be told apart. Rows of another machine than the fixed one never are. The
    smallest tasks share the last code.
    """
    study = _text(rows, "study")
    foreign = (study != "") & (study != str(fixed.get("study", "")))
    foreign &= (~foreign).any()
    label = study.copy()
    for name in memory:
        other = _text(rows, name)
        foreign |= (other != "") & (other != str(fixed[name]))
        label = label + "/" + other
    if not foreign.any():
        return np.zeros(len(rows), dtype=int)
    names, count = np.unique(label[foreign], return_counts=True)
    order = {name: k for k, name in enumerate(names[np.argsort(-count, kind="stable")], 1)}
    return np.array([min(order[s], TASKS) if f else 0 for s, f in zip(label, foreign, strict=True)])


def _batches(rows: pd.DataFrame, space: Space, means: np.ndarray) -> tuple[np.ndarray, bool]:
    """Codes of batches, or of their runs; a label counts within its study, mill and run.

    Rows without one are of one batch where all that is set for a batch is equal; whether there are
    such rows is the second result. But the mean of several cells sums its batch up: another such
    row is of another one. It has all of the batch's error, and less of the cells'.
    """
    batch, run = _text(rows, "batch"), _text(rows, "run")
    if has_runs(space):
        batch = np.where(run != "", run, batch)
    known = columns.COLUMNS
    made = [n for n in space.names if n not in known or known[n].level not in ("row", "cell")]
    place = rows.groupby(made, sort=False).ngroup().to_numpy() if made else np.zeros(len(rows), int)
    place = np.where(means, len(rows) + np.arange(len(rows)), place)
    place = np.where(batch == "", place, -1)
    own = [_text(rows, c) for c in ("study", "mill")]
    code = pd.Series(pd.factorize(pd.MultiIndex.from_arrays([*own, run, batch, place]))[0])
    shared = code.duplicated(keep=False).to_numpy()
    if not shared.any() and not means.any():
        return np.full(len(code), -1), False
    return code.to_numpy(), bool((shared & (batch == "")).any())
