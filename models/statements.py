"""Published statements about a curve, as soft data that a fit uses only when told to.

A statement is a row of kind ``statement``: ``outcome`` (the curve), ``over`` (its axis),
``statement`` (``optimum`` or ``declines_above``), ``value`` and ``value_sd``. The curve is the
model's own response on a path of settings, which join the table as rows without readings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from .engine import Inputs

SHARPNESS = 1.0
"""Temperature of the soft maximum, in units of the curve (mAh/g)."""
DECLINE = 2.0
"""A fall that counts as a clear decline, in units of the curve (mAh/g)."""
FORMS = ("optimum", "declines_above")
PATH_ROW = "path of the statements"


def said(table: pd.DataFrame, outcome: str, over: str | None = None) -> pd.DataFrame:
    """Rows of a table that are statements about an outcome.

    Raises
    ------
    ValueError
        If one has a form that no model reads.
    """
    if "kind" not in table or "statement" not in table:
        return table.iloc[:0]
    rows: Any = table
    rows = rows[rows["kind"].eq("statement") & rows["outcome"].eq(outcome)]
    if over is not None:
        rows = rows[rows["over"].eq(over)]
    odd = rows[~rows["statement"].isin(FORMS)]
    if len(odd):
        raise ValueError(f"row {odd.index[0]}: statement {odd['statement'].iloc[0]!r} is none of "
                         f"{', '.join(FORMS)}")
    return rows


def path_rows(
    outcome: str, path: Mapping[str, Any]
) -> Callable[[pd.DataFrame, bool], pd.DataFrame]:
    """Rows of the path, put behind a table that has statements about the outcome."""

    def rows(table: pd.DataFrame, statements: bool) -> pd.DataFrame:
        where = said(table, outcome) if statements else table.iloc[:0]
        if not len(where):
            return pd.DataFrame()
        settings = pd.DataFrame(dict(path))
        settings.index = pd.Index([f"{PATH_ROW} {k}" for k in range(len(settings))])
        if "mill" in where:
            settings["mill"] = where["mill"].iloc[0]
        return settings

    return rows


def statement_encoder(outcome: str, over: str) -> Callable[..., dict[str, np.ndarray]]:
    """Encoder of the statements about an outcome; empty lists unless the fit was told to."""

    def encode(rows: pd.DataFrame, table: pd.DataFrame, statements: bool) -> dict[str, np.ndarray]:
        found = said(table, outcome, over) if statements else table.iloc[:0]
        on_path = np.flatnonzero([str(label).startswith(PATH_ROW) for label in rows.index])
        form = found["statement"] if len(found) else pd.Series(dtype=object)
        value = found["value"].to_numpy(float) if len(found) else np.zeros(0)
        sd = found["value_sd"].to_numpy(float) if len(found) else np.zeros(0)
        best, falls = form.eq("optimum").to_numpy(), form.eq("declines_above").to_numpy()
        return {
            "statement__row": on_path.astype("int64"),
            "statement_optimum__value": np.log(value[best]),
            "statement_optimum__sd": sd[best] / value[best],
            "statement_declines__value": np.log(value[falls]),
        }

    return encode


def read_statements(x: Inputs, outcome: str, over: str, curve: Any, axis: Any) -> None:
    """Likelihood of the statements, given the response and its axis over rows.

    "The optimum lies at value +- value_sd": the position of the curve's maximum on the path, a
    softmax-weighted mean of ln ``axis``, is Normal about ln value. "Declines above value": the
    mean of the curve's part beyond the value, weighted towards twice the value, lies below the
    curve at the value by a logistic probability.

    Parameters
    ----------
    x
        The builder's inputs.
    outcome, over
        Columns of the curve and of its axis.
    curve, axis
        Tensors over rows.
    """
    import pytensor.tensor as pt

    row = x.data("statement__row", dtype="int64")
    height: Any = curve[row]
    position: Any = pt.log(axis[row])
    weight: Any = pt.exp((height - 200.0) / SHARPNESS)
    top = (weight * position).sum() / (weight.sum() + 1e-250)
    at = x.data("statement_optimum__value")
    sd: Any = x.data("statement_optimum__sd")
    x.term("statement_optimum", -0.5 * ((at - top) / sd) ** 2 - pt.log(sd))

    beyond = x.data("statement_declines__value")

    def near(ln_value: Any) -> Any:
        kernel: Any = pt.exp(-0.5 * ((ln_value[:, None] - position[None, :]) / 0.1) ** 2)
        return (kernel * height[None, :]).sum(axis=1) / (kernel.sum(axis=1) + 1e-250)

    fall: Any = near(beyond) - near(beyond + float(np.log(2.0)))
    missing: Any = pt.softplus(-fall / DECLINE)
    x.term("statement_declines", -missing)
