"""Published statements about tested levels of one factor, as soft data entering one by one.

A statement is a row of kind ``statement``: ``outcome`` (the curve), ``over`` (the factor that was
varied), ``statement`` (its form), ``value`` or ``value_low`` and ``value_high``; factors that the
row names are those at which it was said. Its levels are those that were tested along the factor,
with the values of the statements about it. Whoever wrote the sentence had one reading at each
level, with the noise of one reading of that outcome. So the forms have these probabilities:

``best_between``
    The best level lies between ``value_low`` and ``value_high``: the share of exp(height / g) of
    the levels inside, with g the Gumbel scale (sqrt(6) / pi sd) of one reading's noise.
``highest_at``
    The same for the one level ``value``, of the largest reading.
``declines_above``
    The level ``value`` reads higher than twice the value.
``complete_at``
    A share that should be 1 could not be told from 1 at ``value``: exp(-((1 - share) / sd)^2 / 2).
``incomplete_at``
    It could be told from 1: one minus the above.

Nothing here knows what a level is good for: a statement about a verdict ("the best compromise")
has no curve, and is listed but never fitted.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .engine import Inputs
from .engine.encode import number, text

log = logging.getLogger("ssbayes")
BEST, COMPLETE, INCOMPLETE = 0, 1, 2
FORMS = {"best_between": BEST, "highest_at": BEST, "declines_above": BEST,
         "complete_at": COMPLETE, "incomplete_at": INCOMPLETE}
GUMBEL = math.sqrt(6.0) / math.pi
"""Scale of a Gumbel distribution over its standard deviation."""
PATH_ROW = "level of a statement"
NODE = "level_statement__numbers"
ROWS = "level_statement__row"


@dataclass(frozen=True)
class Curve:
    """What a statement can be about.

    Attributes
    ----------
    height
        Tensor over rows; larger is better. ``best_between`` compares heights.
    noise
        Standard deviation of one reading, in the unit of ``height``.
    value
        Tensor over rows in the direction of the outcome itself, for ``highest_at``; the height
        if not given.
    """

    height: Any
    noise: Any
    value: Any = None


@dataclass(frozen=True)
class Levels:
    """What the statements of a model range over.

    Attributes
    ----------
    outcomes
        Outcomes that have a curve.
    tested
        Factor -> levels that were tested along it.
    defaults
        Factor -> value where a statement names none.
    """

    outcomes: Sequence[str]
    tested: Mapping[str, Sequence[float]]
    defaults: Mapping[str, float]

    def readable(self, table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
        """Statements that can be read, and a sentence on each of the others."""
        said: Any = table[text(table, "kind").eq("statement")]
        keep, notes = [], []
        for label, row in said.iterrows():
            why = self._objection(row)
            if why:
                notes.append(f"statement {_name(label, row)} is listed and not used: {why}")
            keep.append(not why)
        return said[np.array(keep, dtype=bool)], notes

    def _objection(self, row: pd.Series) -> str:
        form, outcome, over = (_text(row, c) for c in ("statement", "outcome", "over"))
        if outcome not in self.outcomes:
            return (f"it is about {outcome!r}, which is no curve of this model "
                    f"({', '.join(self.outcomes)})")
        if form not in FORMS:
            return f"its form {form!r} is none of {', '.join(FORMS)}"
        if over not in self.tested:
            return f"it is over {over!r}, which is none of {', '.join(self.tested)}"
        low, high = _range(row, form)
        if not (math.isfinite(low) and low <= high):
            needs = "value_low and value_high" if form == "best_between" else "value"
            return f"{form} needs {needs}"
        if form == "declines_above" and low <= 0:
            return "declines_above needs a value above 0"
        given = self.settings(row)[0]
        lacking = [name for name, value in given.items() if math.isnan(value)]
        return f"it names no {', '.join(lacking)}" if lacking else ""

    def settings(self, row: pd.Series) -> list[dict[str, float]]:
        """The settings that a statement compares."""
        over, form = _text(row, "over"), _text(row, "statement")
        low, high = _range(row, form)
        if FORMS[form] != BEST:
            levels = [low]
        elif form == "declines_above":
            levels = [low, 2.0 * low]
        else:
            levels = sorted({*map(float, self.tested[over]), low, high})
        given = {name: _number(row, name, value) for name, value in self.defaults.items()}
        return [given | {over: level} for level in levels]


def _text(row: pd.Series, name: str) -> str:
    value = row.get(name)
    return "" if value is None or value != value or value is pd.NA else str(value)


def _number(row: pd.Series, name: str, default: float = math.nan) -> float:
    return float(number(row.to_frame().T, name, default)[0])


def _range(row: pd.Series, form: str) -> tuple[float, float]:
    if form == "best_between":
        return _number(row, "value_low"), _number(row, "value_high")
    value = _number(row, "value")
    return value, value


def _name(label: Any, row: pd.Series) -> str:
    return repr(_text(row, "row_id") or f"in row {label}")


def _path(levels: Levels, table: pd.DataFrame, statements: bool) -> tuple[
        list[dict[str, float]], np.ndarray]:
    """Distinct settings of all statements, and the numbers of each statement.

    Returns
    -------
    settings, numbers
        ``numbers`` is ``(n, 3 + 2 settings)``: outcome, form, whether the outcome itself counts
        and not what is better, then which settings are compared and which are said to be best.
    """
    said = levels.readable(table)[0] if statements else table.iloc[:0]
    places: dict[tuple, int] = {}
    rows = []
    for _, row in said.iterrows():
        form = _text(row, "statement")
        low, high = _range(row, form)
        over = _text(row, "over")
        at = [(places.setdefault(tuple(s.items()), len(places)), low <= s[over] <= high)
              for s in levels.settings(row)]
        rows.append((list(levels.outcomes).index(_text(row, "outcome")), FORMS[form],
                     form != "best_between", at))
    numbers = np.zeros((len(rows), 3 + 2 * len(places)))
    for k, (outcome, form, itself, at) in enumerate(rows):
        numbers[k, :3] = outcome, form, itself
        for place, inside in at:
            numbers[k, 3 + place] = 1.0
            numbers[k, 3 + len(places) + place] = float(inside)
    return [dict(key) for key in places], numbers


def level_rows(levels: Levels) -> Callable[[pd.DataFrame, bool], pd.DataFrame]:
    """Rows of the levels, put behind a table whose statements are used (``extra_rows``)."""

    def rows(table: pd.DataFrame, statements: bool) -> pd.DataFrame:
        for note in levels.readable(table)[1] if statements else []:
            log.info(note)
        settings = pd.DataFrame(_path(levels, table, statements)[0])
        settings.index = pd.Index([f"{PATH_ROW} {k}" for k in range(len(settings))])
        return settings

    return rows


def level_encoder(levels: Levels) -> Callable[..., dict[str, np.ndarray]]:
    """Encoder of the statements; empty unless the fit was told to use them."""

    def encode(rows: pd.DataFrame, table: pd.DataFrame, statements: bool) -> dict[str, np.ndarray]:
        at = np.flatnonzero([str(label).startswith(PATH_ROW) for label in rows.index])
        return {NODE: _path(levels, table, statements)[1], ROWS: at.astype("int64")}

    return encode


def read_level_statements(x: Inputs, levels: Levels, curves: Mapping[str, Curve]) -> None:
    """Likelihood of the statements, one term each.

    Parameters
    ----------
    x
        The builder's inputs.
    levels
        As the encoder has it.
    curves
        Outcome -> curve, for every outcome of ``levels``.
    """
    import pytensor.tensor as pt

    row = x.data(ROWS, dtype="int64")
    said: Any = x.data(NODE, ndim=2)
    said.set_value(np.zeros((0, 3)))
    count = row.shape[0]
    compared, inside = said[:, 3 : 3 + count], said[:, 3 + count :]
    outcome = said[:, 0].astype("int64")

    def stacked(values: list[Any]) -> Any:
        blank = pt.zeros_like(curves[levels.outcomes[0]].height)
        rows: Any = pt.stack([(v + blank)[row] for v in values])
        return rows[outcome]

    found = [curves[name] for name in levels.outcomes]
    height = stacked([c.height for c in found])
    itself = stacked([c.height if c.value is None else c.value for c in found])
    noise = stacked([c.noise for c in found])
    value: Any = pt.where(said[:, 2][:, None] > 0, itself, height)
    scaled: Any = pt.where(compared > 0, value / (GUMBEL * noise), -1e6)
    weight: Any = pt.exp(scaled - scaled.max(axis=1, keepdims=True))
    share: Any = (weight * inside).sum(axis=1) / weight.sum(axis=1)

    lack: Any = ((compared * (1.0 - value) / noise) ** 2).sum(axis=1)
    same: Any = pt.exp(-0.5 * lack)
    form = said[:, 1]
    x.term("level_statement", pt.where(
        form < BEST + 0.5, pt.log(share + 1e-30),
        pt.where(form < COMPLETE + 0.5, -0.5 * lack, pt.log(1.0 - same + 1e-12))))
