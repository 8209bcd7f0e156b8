"""Rows of a coating benchmark as the interphase model reads them: states, labels, refusals.

A resistance is read in one of three states: rested at the lower potential before the hold
(``start``), rested there after it (``end``), or during the hold. Which one follows from
``direction``, ``hold_h``, ``cycle`` and ``time_point``, in that order of trust.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .charge_state import BARE as BARE_NAMES
from .engine.encode import number, text

GROWTH, RESISTANCE = "growth_ohm_cm2_sqrth", "resistance_ohm_cm2"
BARE = "bare"
"""Name of the uncoated reference."""
RESTED = -1.0
"""``hold_h`` of a reading at rest, in the arrays of the model."""
START_CYCLE, END_CYCLE = 2.0, 4.0
"""Cycles of the two rested spectra of the protocol (Kissel 2025, lines 2120, 2124)."""
SOC_SPAN_MV = 46.0
"""Largest offset of a relaxed potential at which resistances were compared (line 2191)."""
SOC_SLOPE = float(np.log(1.35) / SOC_SPAN_MV)
"""Relative slope of the bare sample (1/mV): 30 to 40 % for 46 mV (line 2191).

The same line prints 24 and 57 ohm cm2 for the 46 mV in the first and second cycle, 0.5 and 1.2
ohm cm2 per mV. Both are this one relative slope, at resistances of about 70 and 160 ohm cm2.
"""


def prepare(rows: pd.DataFrame, fitting: bool) -> tuple[pd.DataFrame, list[str]]:
    """Rows with the numbers and labels that the model takes.

    Parameters
    ----------
    rows
        Rows of a table, or settings to predict for.
    fitting
        True for a table: cells and batches without a label then get the one that claims least.

    Returns
    -------
    rows, notes
        The same index. ``hold_h`` is `RESTED` out of the hold and 0 where the time of the hold's
        first spectrum is not known (a spectrum takes minutes: a printed 0 is no time); ``cycle``
        is filled from ``time_point``; ``direction`` is 1 after a discharge, else 0;
        ``soc_slope_per_mV`` is filled for the bare sample; an offset that is corrected already
        (``correction_ohm_cm2``) is 0.

    Raises
    ------
    ValueError
        Naming the row: a reading whose state is not said, a rested one beyond the protocol's
        cycles, an offset beyond `SOC_SPAN_MV`.
    """
    rows = rows.copy()
    coating = text(rows, "coating").str.strip()
    rows["coating"] = coating.where(~coating.isin(BARE_NAMES), BARE)
    _states(rows)
    done = _offsets(rows)
    return rows, [*_labels(rows, fitting), *done]


def _states(rows: pd.DataFrame) -> None:
    direction, point = text(rows, "direction"), text(rows, "time_point").str.lower()
    hours, cycle = number(rows, "hold_h"), number(rows, "cycle")
    read = ~np.isnan(number(rows, "resistance_ohm_cm2"))
    rested = direction.isin(["charge", "discharge"]).to_numpy()
    held = direction.eq("hold").to_numpy() | (~rested & ~np.isnan(hours))
    first = point.str.contains("start").to_numpy()
    last = point.str.contains("end").to_numpy()
    unclear = held & read & np.isnan(hours) & ~first
    if unclear.any():
        raise ValueError(f"row {_where(rows, unclear)}: a resistance in the hold needs hold_h, "
                         "the hours since the hold began; only its first spectrum, time_point "
                         "'start', may leave it out")
    cycle = np.where(np.isnan(cycle) & first, START_CYCLE, cycle)
    cycle = np.where(np.isnan(cycle) & last, END_CYCLE, cycle)
    unclear = ~held & read & np.isnan(cycle)
    if unclear.any():
        raise ValueError(f"row {_where(rows, unclear)}: a resistance at rest needs its cycle, or "
                         "time_point 'start' (before the hold) or 'end' (after it)")
    beyond = ~held & read & ((cycle < 1) | (cycle > END_CYCLE))
    if beyond.any():
        raise ValueError(
            f"row {_where(rows, beyond)}: cycle {cycle[np.flatnonzero(beyond)[0]]:g} is beyond "
            f"the benchmark, which ends in cycle {END_CYCLE:g}; leave the row out, or model its "
            "growth while cycling")
    rows["hold_h"] = np.where(held, np.where(np.isnan(hours), 0.0, hours), RESTED)
    rows["cycle"] = np.where(np.isnan(cycle), START_CYCLE, cycle)
    rows["direction"] = (direction.eq("discharge").to_numpy() & ~held).astype(float)


def _offsets(rows: pd.DataFrame) -> list[str]:
    offset = number(rows, "soc_offset_mV", 0.0)
    # ``charge_state.correct`` keeps the offset beside what it has corrected
    done = ~np.isnan(number(rows, "correction_ohm_cm2")) & (offset != 0)
    offset = np.where(done, 0.0, offset)
    rows["soc_offset_mV"] = offset
    far = np.abs(offset) > SOC_SPAN_MV
    if far.any():
        raise ValueError(
            f"row {_where(rows, far)}: its relaxed potential is "
            f"{offset[np.flatnonzero(far)[0]]:g} mV off; the slope of the resistance is known "
            f"within {SOC_SPAN_MV:g} mV only. Measure at the potential of the others, or leave "
            "the row out")
    known = number(rows, "soc_slope_per_mV", 0.0)
    bare = rows["coating"].eq(BARE).to_numpy()
    rows["soc_slope_per_mV"] = np.where(bare & (known == 0), SOC_SLOPE, known)
    return [f"{int(done.sum())} resistances came corrected to one potential and are not corrected "
            "again"] if done.any() else []


def _labels(rows: pd.DataFrame, fitting: bool) -> list[str]:
    """Labels of batches and cells, unique over coatings."""
    batch, cell = text(rows, "batch"), text(rows, "cell")
    named = batch.ne("")
    if fitting:
        nameless = cell.eq("")
        rows["batch"] = rows["coating"] + ", batch " + batch.where(named, "not stated")
        rows["cell"] = cell.where(~nameless, "not stated")
        if nameless.any():
            count = rows.loc[nameless, "coating"].nunique()
            return [f"{int(nameless.sum())} rows of {count} coatings name no cell: those of one "
                    "coating and batch are taken as one cell"]
        return []
    if named.any():
        rows["batch"] = (rows["coating"] + ", batch " + batch).where(named, "")
    return []


def _where(rows: pd.DataFrame, mask: np.ndarray) -> Any:
    return rows.index[np.flatnonzero(mask)[0]]
