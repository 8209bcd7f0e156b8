"""Rows of coated composites as the model reads them: carbon in parts, nothing told twice."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..data.carbon import BASES, with_cb_parts
from .engine.encode import PARENTS, number, text
from .rate_order import contradictions

RANGES = ("cb_parts", "cb_per_electrolyte_wt_pct")
ACTIVE = "active_capacity_mAh_g"
CEILING = 0.99
"""Coverage from which a reading is a bound."""


def as_parts(rows: pd.DataFrame, fitting: bool) -> tuple[pd.DataFrame, list[str]]:
    """The rows with ``cb_parts`` from whichever basis they give.

    A pellet of the matrix (``phase``) is a composition of 100 parts electrolyte. Where only a
    range of contents is printed its middle stands for it. Rows of a fit that say nothing of
    carbon are left out: none is written as 0.
    """
    rows, notes = rows.copy(), []
    matrix = text(rows, "phase").eq("matrix").to_numpy()
    if not matrix.any() and not np.isnan(number(rows, "cb_parts")).any():
        return _dense(rows, matrix), notes
    if matrix.any():
        rows["electrolyte_parts"] = np.where(matrix, 100.0, number(rows, "electrolyte_parts"))
    given = np.column_stack([~np.isnan(number(rows, b)) for b in BASES]).any(axis=1)
    for basis in RANGES:
        low, high = number(rows, f"{basis}_low"), number(rows, f"{basis}_high")
        ranged = ~given & ~np.isnan(low) & ~np.isnan(high)
        if ranged.any():
            rows[basis] = np.where(ranged, 0.5 * (low + high), number(rows, basis))
            notes.append(f"row {_labels(rows, ranged)} gives a range of carbon contents: its "
                         "middle is used")
            given = given | ranged
    rows = with_cb_parts(rows)
    if fitting and not given.all():
        notes.append(f"row {_labels(rows, ~given)} is not used: it does not say how much carbon "
                     f"it holds (0 if none), in any of {', '.join(BASES)}")
        rows, matrix = rows.loc[given], matrix[given]
    return _dense(rows, matrix), notes


def _dense(rows: pd.DataFrame, matrix: np.ndarray) -> pd.DataFrame:
    """Porosities are those of pressed matrix; powders and composites have others."""
    if "porosity" in rows:
        rows["porosity"] = np.where(matrix, number(rows, "porosity"), np.nan)
    return rows


def closed_shells(rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The rows with a coverage near 1 as a bound, and ranges that end at 1 likewise.

    Such a reading says only that the shell is closed and thicker than the depth that
    photoelectrons come from.
    """
    value = number(rows, "coverage")
    low, high = number(rows, "coverage_low"), number(rows, "coverage_high")
    stated = text(rows, "coverage_censored")
    closed = (value >= CEILING) & stated.eq("").to_numpy()
    ranged = np.isnan(value) & ~np.isnan(low) & (high >= 1.0)
    if not (closed | ranged).any():
        return rows, []
    rows["coverage"] = np.where(closed, CEILING, np.where(ranged, low, value))
    rows["coverage_censored"] = stated.where(~(closed | ranged), ">")
    return rows, [f"coverage of row {_labels(rows, closed | ranged)} is read as a bound: near 1 a "
                  "closed shell of 10 nm cannot be told from a thicker one"]


def _labels(rows: pd.DataFrame, which: np.ndarray) -> str:
    return ", ".join(map(str, rows.index[which]))


def set_aside(rows: pd.DataFrame, outcome: str) -> tuple[pd.DataFrame, list[str]]:
    """The rows without readings that contradict or repeat others, and a sentence on each.

    Readings above those at a lower rate of the same batch are taken out (``rate_order``). An
    active capacity is taken out where its batch gives the composite's capacity at the same rate
    and a utilization: it is their quotient, and has been told already.
    """
    notes = []
    for found in contradictions(rows, outcome):
        rows.loc[found.fast, outcome] = np.nan
        notes.append(found.sentence)
    if ACTIVE not in rows:
        return rows, notes
    batch = list(zip(*(text(rows, c) for c in PARENTS["batch"]), strict=True))
    rate = number(rows, "c_rate")
    bound = text(rows, f"{outcome}_censored").to_numpy() != ""
    whole = ~np.isnan(number(rows, outcome)) & ~bound
    read = {(key, r) for key, r, w in zip(batch, rate, whole, strict=True) if w}
    used = {key for key, known in zip(batch, ~np.isnan(number(rows, "utilization")), strict=True)
            if known}
    told = np.array([key[-1] != "" and (key, r) in read and key in used
                     for key, r in zip(batch, rate, strict=True)], dtype=bool)
    told &= ~np.isnan(number(rows, ACTIVE))
    if told.any():
        rows[ACTIVE] = np.where(told, np.nan, number(rows, ACTIVE))
        notes.append(f"{ACTIVE} of row {_labels(rows, told)} is not used: it is the quotient of "
                     "the composite's capacity and the utilization of the same batch")
    return rows, notes
