"""What a cell loses at a rate: unconnected material, and kinetics, per gram of either mass.

Per gram of all active material (gross), with the capacity q_ref of a liquid cell over the same
window, static utilization theta and gross capacity q,

    q_ref - q = q_ref (1 - theta)  +  (theta q_ref - q)
                static                kinetic, gross

Per gram of *connected* active material nothing is lost statically, and the kinetic loss is
q_ref - q / theta. Both conventions are in use; every column says which it is.

The weighed mass of a cell moves its capacity and its utilization alike, so that it cancels in the
active capacity q / theta. The mass of the titration's reference cell does not: it moves the
utilizations and active capacities of all cells that share it, and cancels between them.

Source: Kissel et al., Adv. Energy Mater. (2025) 2405405, lines 983-1027 and 3016.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .electrode import balance_error
from .engine.encode import NOT_DONE, number, text

COLUMNS = {
    "utilization_latent": "1",
    "active_capacity_mAh_g": "mAh per g of connected active material",
    "static_loss_gross_mAh_g": "mAh per g of all active material",
    "kinetic_loss_gross_mAh_g": "mAh per g of all active material",
    "kinetic_loss_active_mAh_g": "mAh per g of connected active material",
}
"""What ``cell_losses`` adds, with units; each with ``_low`` and ``_high``."""
FEWEST = 0.01
"""Share of the error draws that must leave the utilization at or below 1."""


def cell_losses(table: Any, *, reference_capacity: float, reference_capacity_sd: float,
                reference_error: float, draws: int = 4000, seed: int = 1) -> pd.DataFrame:
    """Static and kinetic loss of each cell at each rate, in both conventions.

    Parameters
    ----------
    table
        Rows with ``capacity_mAh_g`` (gross), ``utilization`` and ``utilization_sd`` as measured,
        all errors in it; ``composite_mass_mg`` where weighed, and ``cell``, whose rows share their
        mass and their utilization; ``capacity_mAh_g_sd``, where given, is the error of one reading
        (over the root of ``capacity_mAh_g_n`` for a mean). Rows whose ``status`` says that they are
        not done (planned, running, failed, abandoned), readings that are bounds (``_censored``) and
        rows that lack one of the two are left out, which ``attrs["note"]`` says.
    reference_capacity, reference_capacity_sd
        Capacity of the active material in a liquid cell over the same window (mAh/g) and its sd.
    reference_error
        Relative sd of the reference cell's mass (0.017 for 5.25 +- 0.09 mg), shared by all rows.
    draws, seed
        Of the propagation by simulation.

    Returns
    -------
    DataFrame
        The rows with `COLUMNS`: medians, and 90 % equal-tailed intervals in ``_low``, ``_high``.
        ``attrs["note"]`` says what the intervals share.

    Raises
    ------
    ValueError
        If a column is missing, or a measured utilization lies further above 1 than its errors
        allow.
    """
    rows: Any = pd.DataFrame(table).reset_index(drop=True)
    for column in ("capacity_mAh_g", "utilization", "utilization_sd"):
        if column not in rows:
            raise ValueError(f"no column {column!r}: losses need capacity_mAh_g, utilization and "
                             "utilization_sd of each row")
    if not (reference_capacity > 0 and reference_capacity_sd >= 0 and reference_error >= 0):
        raise ValueError("reference_capacity must be above 0, its sd and reference_error not below")
    undone = text(rows, "status").isin(NOT_DONE)
    left, rows = int(undone.sum()), rows[~undone]
    bound = (text(rows, "capacity_mAh_g_censored").ne("")
             | text(rows, "utilization_censored").ne(""))
    whole = rows["capacity_mAh_g"].notna() & rows["utilization"].notna()
    rows = rows[whole & ~bound]
    unsure = rows.index[~(rows["utilization_sd"] >= 0)]
    if len(unsure):
        raise ValueError(f"row {unsure[0]}: utilization_sd is missing or below 0; a utilization "
                         "without its error gives a loss without one")
    cell = (rows["cell"].astype(str) if "cell" in rows
            else pd.Series([f"row {i}" for i in rows.index], index=rows.index))
    codes, labels = pd.factorize(cell)
    rng = np.random.default_rng(seed)
    found: dict[str, list[np.ndarray]] = {name: [] for name in COLUMNS}
    reference = reference_capacity + reference_capacity_sd * rng.normal(size=draws)
    shared = reference_error * rng.normal(size=draws)
    quantiles = np.array([0.5, 0.05, 0.95])
    mass = np.asarray(rows["composite_mass_mg"].fillna(0.0), dtype=float) if (
        "composite_mass_mg" in rows) else np.zeros(len(rows))
    weighed = np.asarray(balance_error(mass))
    normal = rng.normal(size=(2, len(labels), draws))
    error = number(rows, "capacity_mAh_g_sd", 0.0) / np.sqrt(number(rows, "capacity_mAh_g_n", 1.0))
    reading = rng.normal(size=(len(rows), draws))
    for k, (row, code) in enumerate(zip(rows.to_dict("records"), codes, strict=True)):
        read, total = float(row["utilization"]), float(row["utilization_sd"])
        own = np.sqrt(max(total**2 - read**2 * (weighed[k] ** 2 + reference_error**2), 0.0))
        e_mass = 1.0 + weighed[k] * normal[0, code]
        theta = (read + own * normal[1, code]) * e_mass / (1.0 + shared)
        fits = (theta > 0.0) & (theta <= 1.0)
        if fits.mean() < FEWEST:
            raise ValueError(
                f"cell {labels[code]}: utilization {read:.3g} +- {total:.2g} cannot be at most 1; "
                "look at the masses, the reference and the window of its titration")
        capacity = float(row["capacity_mAh_g"]) + error[k] * reading[k]
        theta, gross = theta[fits], (capacity * e_mass)[fits]
        active, full = gross / theta, reference[fits]
        parts = (theta, active, full * (1.0 - theta), full * theta - gross, full - active)
        for name, values in zip(COLUMNS, parts, strict=True):
            found[name].append(np.quantile(values, quantiles))
    for name, values in found.items():
        block = np.array(values).reshape(-1, 3)
        for end, column in zip(("", "_low", "_high"), block.T, strict=True):
            rows[f"{name}{end}"] = column
    rows.attrs["note"] = (
        "90 % equal-tailed intervals. The reference mass is in every interval of the utilization "
        "and of the active capacity and cancels between cells; the cell's mass cancels in its "
        "active capacity."
        + (f" {left} rows are not done (column status) and left out." if left else "")
        + (f" {int(bound.sum())} readings are bounds and left out." if bound.any() else "")
        + (f" {int((~whole).sum())} rows lack a capacity or a utilization and are left out."
           if not whole.all() else ""))
    return rows
