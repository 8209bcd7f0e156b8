"""Each coated sample beside the bare reference of its own batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .annealing_kinetics import AMBIENT_DEGC
from .engine.encode import number, text, usable

BARE = "bare"
AGAINST_BARE = {"growth_ohm_cm2_sqrth": "ratio", "relaxation_shift_mV": "ratio",
                "first_cycle_efficiency": "difference", "charge_capacity_mAh_g": "difference"}
"""Outcomes that are read beside the bare reference, and how."""
OF_THE_COATING = ("coverage", "sulfur_oxidation", "relative_degradation", "coating_nm")
"""Outcomes that a bare sample has none of, or 1 by definition."""
SECOND = 2.0


def is_bare(table: pd.DataFrame) -> np.ndarray:
    """Rows of the uncoated reference, ``(rows,)``.

    The coating is called "bare", the precursor content is 0, or the row names neither a coating
    nor an annealing temperature nor a precursor content.
    """
    coating, amount = text(table, "coating").str.strip(), number(table, "precursor_wt_pct")
    silent = (coating.eq("").to_numpy() & np.isnan(amount)
              & np.isnan(number(table, "anneal_degC")))
    return coating.str.lower().eq(BARE).to_numpy() | (amount == 0) | silent


def _batches(table: pd.DataFrame) -> np.ndarray:
    keys = zip(*(text(table, c) for c in ("study", "mill", "run", "batch")), strict=True)
    return np.array([" / ".join(part for part in key if part) if key[-1] else ""
                     for key in keys], dtype=object)


def prepare(rows: pd.DataFrame, fitting: bool) -> tuple[pd.DataFrame, list[str]]:
    """Rows as the model reads them: bare references at no precursor and ambient temperature.

    Parameters
    ----------
    rows
        Rows of a table or settings.
    fitting
        Whether they are fitted: then rows that cannot be used are left out, with a note.

    Raises
    ------
    ValueError
        If rows of several coatings would be fitted as one.
    """
    bare = is_bare(rows) if fitting or "coating" in rows or "precursor_wt_pct" in rows else (
        np.zeros(len(rows), dtype=bool))
    rows, notes = rows.copy(), []
    if bare.any():
        rows["precursor_wt_pct"] = np.where(bare, 0.0, number(rows, "precursor_wt_pct", 1.0))
        warm = number(rows, "anneal_degC")
        rows["anneal_degC"] = np.where(bare & np.isnan(warm), AMBIENT_DEGC, warm)
    if not fitting:
        return rows, notes
    kinds = list(dict.fromkeys(k for k in text(rows, "coating")[~bare] if k))
    if len(kinds) > 1:
        raise ValueError(f"rows of several coatings ({', '.join(kinds)}) would be fitted as one; "
                         "choose the rows of one coating and its bare references")
    cold = ~bare & np.isnan(number(rows, "anneal_degC"))
    if cold.any():
        notes.append(f"rows {_names(rows, cold)} are coated and name no anneal_degC: left out; "
                     f"write {AMBIENT_DEGC:g} for a coating that was not annealed")
        rows, bare = rows.loc[~cold], bare[~cold]
    notes += _blank(rows, bare, OF_THE_COATING, "a bare sample has none of its own, or 1")
    early = ~np.isnan(number(rows, "cycle")) & (number(rows, "cycle") != SECOND)
    notes += _blank(rows, early, ("charge_capacity_mAh_g",), "the model is of the second charge")
    alone = _without_reference(rows, bare)
    if alone.any():
        notes.append(f"rows {_names(rows, alone)} have no bare reference in their batch: they are "
                     "compared with bare cells only up to the spread of batches; measure one bare "
                     "cell with each batch")
    return rows, notes


def _names(rows: pd.DataFrame, where: np.ndarray) -> str:
    found = [str(label) for label in rows.index[where]]
    return ", ".join(found[:6]) + (" ..." if len(found) > 6 else "")


def _blank(rows: pd.DataFrame, where: np.ndarray, outcomes: tuple[str, ...],
           why: str) -> list[str]:
    """Take readings out in place; a sentence for each outcome."""
    notes = []
    for outcome in outcomes:
        lost = where & ~np.isnan(number(rows, outcome))
        if lost.any():
            notes.append(f"{outcome} of rows {_names(rows, lost)} is left out: {why}")
            rows[outcome] = np.where(lost, np.nan, number(rows, outcome))
    return notes


def _without_reference(rows: pd.DataFrame, bare: np.ndarray) -> np.ndarray:
    """Coated rows with an outcome that no bare row of their batch has."""
    batch, alone = _batches(rows), np.zeros(len(rows), dtype=bool)
    for outcome in AGAINST_BARE:
        has = ~np.isnan(number(rows, outcome))
        known = set(batch[has & bare]) - {""}
        alone |= has & ~bare & ~np.isin(batch.astype(str), list(map(str, known)))
    return alone


def paired(table: pd.DataFrame) -> pd.DataFrame:
    """Each coated reading beside the mean of the bare cells of its batch.

    Parameters
    ----------
    table
        Rows with ``batch``, ``coating`` (or ``precursor_wt_pct``) and outcomes.

    Returns
    -------
    DataFrame
        One row a coated reading: ``row``, ``batch``, ``anneal_degC``, ``anneal_h``,
        ``o2_fraction``, ``outcome``, ``value``, ``bare`` (mean of the references), ``bare_n``,
        ``against_bare`` with ``how`` ("ratio" of growth and relaxation, "difference" of efficiency
        and charge capacity), and a ``note`` where there is no reference: ``against_bare`` is then
        missing, for no other batch's reference may stand in.
    """
    from .annealing import MODEL

    rows = usable(table, MODEL)[0]
    bare, batch = is_bare(rows), _batches(rows)
    settings = {name: number(rows, name) for name in ("anneal_degC", "anneal_h", "o2_fraction")}
    found: list[dict[str, Any]] = []
    for outcome, how in AGAINST_BARE.items():
        value = number(rows, outcome)
        for k in np.flatnonzero(~bare & ~np.isnan(value)):
            same = bare & (batch == batch[k]) & ~np.isnan(value) & (batch[k] != "")
            mean = float(value[same].mean()) if same.any() else float("nan")
            note = "" if same.any() else (
                f"no bare reference with {outcome} in batch {batch[k]!r}" if batch[k]
                else "the row names no batch, so it has no reference")
            found.append({
                "row": rows.index[k], "batch": batch[k],
                **{name: values[k] for name, values in settings.items()},
                "outcome": outcome, "value": value[k], "bare": mean, "bare_n": int(same.sum()),
                "against_bare": value[k] / mean if how == "ratio" else value[k] - mean,
                "how": how, "note": note})
    columns = ["row", "batch", *settings, "outcome", "value", "bare", "bare_n", "against_bare",
               "how", "note"]
    return pd.DataFrame(found, columns=columns)
