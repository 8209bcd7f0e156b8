"""Published orderings of batches, as soft data: who compared them had one reading of each.

A statement is a row of kind ``statement`` over a factor that was varied from batch to batch. It
is about the batches of its study that the table holds, with their own deviations; what it says of
*new* batches follows from that through the spread between batches. The forms:

``highest_at``
    The batch at ``value`` reads highest: the share of exp(height / g) of all batches, with g the
    Gumbel scale (sqrt(6) / pi sd) of one reading's noise.
``ordering``
    Every batch at ``value`` or above reads lower than every batch below it: Phi of the gap between
    the lowest of the ones and the highest of the others, over the noise of two readings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .engine import Inputs
from .engine.bounds import log_normal_tail
from .engine.encode import PARENTS, number, text

GUMBEL = 6.0**0.5 / np.pi
"""Scale of a Gumbel distribution over its standard deviation."""
FORMS = ("highest_at", "ordering")
PATH_ROW = "batch of a statement"
ROWS, NODE = "batch_statement__row", "batch_statement__numbers"


@dataclass(frozen=True)
class About:
    """What statements may be about: some outcomes, over one factor, with these settings."""

    outcomes: Sequence[str]
    over: str
    settings: Sequence[str]

    def read(self, table: pd.DataFrame) -> pd.DataFrame:
        """Statements of a table that are read."""
        rows = table.loc[text(table, "kind").eq("statement")]
        return rows.loc[text(rows, "outcome").isin(self.outcomes) & text(rows, "over").eq(self.over)
                    & text(rows, "statement").isin(FORMS)
                    & (number(rows, "value") >= 0)
                    & self._initial(rows)]

    @staticmethod
    def _initial(rows: pd.DataFrame) -> np.ndarray:
        """Not a range of values, whose batches nobody has named."""
        return np.isnan(number(rows, "value_low")) & np.isnan(number(rows, "value_high"))


def _batches(about: About, table: pd.DataFrame, study: str) -> pd.DataFrame:
    """The labelled batches of a study with a known factor, one row each."""
    use = (text(table, "kind").ne("statement") & text(table, "batch").ne("")
           & text(table, "study").eq(study) & text(table, "status").isin(["", "done"])
           & ~np.isnan(number(table, about.over)))
    own = table.loc[use]
    labels = [c for c in PARENTS["batch"] if c in own]
    kept = [*labels, *(c for c in about.settings if c in own)]
    return own.loc[:, kept].drop_duplicates(labels)


def _path(about: About, table: pd.DataFrame,
          statements: bool) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows of all batches at the statements' conditions, and the numbers of each statement.

    Returns
    -------
    rows, numbers
        ``numbers`` is ``(n, 2 + 2 rows)``: outcome, form, which rows are compared, and which of
        these are said to be higher.
    """
    said = about.read(table) if statements else table.iloc[:0]
    blocks, told = [], []
    for _, row in said.iterrows():
        one = row.to_frame().T
        tried = _batches(about, table, str(text(one, "study").iloc[0]))
        rate = number(one, "c_rate")[0]
        tried = tried.assign(c_rate=np.nan if np.isnan(rate) else rate)
        at, value = number(tried, about.over), number(one, "value")[0]
        highest = text(one, "statement").iloc[0] == "highest_at"
        better = np.isclose(at, value) if highest else at < value - 1e-9
        if not better.any() or better.all():
            continue
        told.append((about.outcomes.index(text(one, "outcome").iloc[0]),
                     0.0 if highest else 1.0, better))
        blocks.append(tried)
    count = sum(len(b) for b in blocks)
    numbers, start = np.zeros((len(told), 2 + 2 * count)), 0
    for k, ((outcome, form, better), block) in enumerate(zip(told, blocks, strict=True)):
        end = start + len(block)
        numbers[k, :2] = outcome, form
        numbers[k, 2 + start : 2 + end] = 1.0
        numbers[k, 2 + count + start : 2 + count + end] = better
        start = end
    rows = pd.concat(blocks) if blocks else pd.DataFrame()
    rows.index = pd.Index([f"{PATH_ROW} {k}" for k in range(len(rows))])
    return rows, numbers


def batch_rows(about: About) -> Callable[[pd.DataFrame, bool], pd.DataFrame]:
    """Rows of the compared batches, put behind a table whose statements are used."""
    return lambda table, statements: _path(about, table, statements)[0]


def batch_encoder(about: About) -> Callable[..., dict[str, np.ndarray]]:
    """Encoder of the statements; empty unless the fit was told to use them."""

    def encode(rows: pd.DataFrame, table: pd.DataFrame, statements: bool) -> dict[str, np.ndarray]:
        at = np.flatnonzero([str(label).startswith(PATH_ROW) for label in rows.index])
        return {NODE: _path(about, table, statements)[1], ROWS: at.astype("int64")}

    return encode


def read_batch_statements(
    x: Inputs, about: About, curves: Mapping[str, tuple[Any, Any] | None]
) -> None:
    """Likelihood of the statements, one term each.

    Parameters
    ----------
    x
        The builder's inputs.
    about
        As the encoder has it.
    curves
        Outcome -> expected value and sd of one reading over rows; ``None`` for an outcome that
        this graph does not have, about which nothing is then said.
    """
    import pytensor.tensor as pt

    row, said = x.data(ROWS, dtype="int64"), x.data(NODE, ndim=2)
    said.set_value(np.zeros((0, 2)))
    count = row.shape[0]
    compared, better = said[:, 2 : 2 + count], said[:, 2 + count :]
    total: Any = pt.zeros_like(said[:, 0])
    for k, outcome in enumerate(about.outcomes):
        curve = curves[outcome]
        if curve is None:
            continue
        height, noise = curve[0][row], (curve[1] + pt.zeros_like(curve[0]))[row]
        g = GUMBEL * noise
        scaled: Any = pt.where(compared > 0, (height / g)[None, :], -1e6)
        weight: Any = pt.exp(scaled - scaled.max(axis=1, keepdims=True))
        inside, all_of_them = (weight * better).sum(axis=1), weight.sum(axis=1)
        best = pt.log((inside + 1e-30) / all_of_them)
        above: Any = pt.where(better > 0, height[None, :], 1e6)
        below: Any = pt.where((compared > 0) & (better < 0.5), height[None, :], -1e6)
        gap: Any = above.min(axis=1) - below.max(axis=1)
        typical = (compared * noise[None, :]).sum(axis=1) / compared.sum(axis=1)
        ordered = log_normal_tail(gap / (2.0**0.5 * typical))
        mine = pt.eq(said[:, 0], float(k))
        total = total + pt.where(mine, pt.where(said[:, 1] < 0.5, best, ordered), 0.0)
    x.term("batch_statement", total)
