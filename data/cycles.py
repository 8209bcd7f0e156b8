"""What each cycle of a record says: capacities, holds, efficiencies, blocks, first-cycle marks."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from .cycler import Record, dq_dv

DECOMPOSITION_BELOW_V = 3.62
"""Against Li+/Li, 3.0 V vs In/InLi: first-charge capacity below it is the electrolyte's
("shoulder capacity", Kissel thesis lines 2160, 2170)."""

HINDRANCE_V = (3.42, 3.62)
"""Against Li+/Li, 2.8 to 3.0 V vs In/InLi: where the first discharge shows kinetic hindrance,
printed at about 2.9 V vs In/InLi (Kissel thesis line 1848)."""

USUAL_RATES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.3, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)


def cycle_table(record: Record) -> pd.DataFrame:
    """Charge and discharge of every cycle.

    Returns
    -------
    DataFrame
        One row a cycle: ``cycle``, ``charge_mAh``, ``discharge_mAh``, ``charge_cv_share``,
        ``discharge_cv_share``, ``charge_mA``, ``discharge_mA`` (median at constant current, NaN
        where the file has no current), ``charge_end_V``, ``discharge_end_V`` (highest and lowest
        cell voltage while current flows).
    """
    table = record.table
    numbers, cycle = np.unique(table["cycle"].to_numpy(), return_inverse=True)
    way = table["direction"].to_numpy()
    held = (table["mode"] == "CV").to_numpy()
    volts, size = table["voltage_V"].to_numpy(), np.abs(table["current_mA"].to_numpy())
    passed = np.abs(np.diff(table["charge_mAh"].to_numpy(), prepend=0.0))
    out: dict[str, np.ndarray] = {"cycle": numbers}
    for sign, name in ((1, "charge"), (-1, "discharge")):
        flow = way == sign
        total = np.bincount(cycle, passed * flow, len(numbers))
        at_hold = np.bincount(cycle, passed * (flow & held), len(numbers))
        out[f"{name}_mAh"] = total
        out[f"{name}_cv_share"] = np.divide(at_hold, total, out=np.full(len(numbers), np.nan),
                                            where=total > 0)
        parts = [cycle == k for k in range(len(numbers))]
        steady = [size[flow & ~held & part] for part in parts]
        out[f"{name}_mA"] = np.array([np.median(s) if len(s) else np.nan for s in steady])
        loaded = [sign * volts[flow & part] for part in parts]
        out[f"{name}_end_V"] = np.array([sign * v.max() if len(v) else np.nan for v in loaded])
    return pd.DataFrame(out)


def rate_plan(text: str) -> list[float]:
    """The rates of a plan, one for each cycle [1/h].

    "1x0.1, 3x0.1, 5x0.3, 5x1": parts separated by commas or semicolons, each a number of cycles
    and a rate; "0.1", "0.1C" and "C/10" alone mean one cycle.

    Raises
    ------
    ValueError
        Where a part is none of these.
    """
    rates: list[float] = []
    for part in text.split(";" if ";" in text else ","):
        found = re.fullmatch(
            r"\s*(?:(\d+)\s*[x×*]\s*)?(?:C\s*/\s*(\d+\.?\d*)|(\d*\.?\d+)\s*C?)\s*", part, re.I)
        value = 0.0
        if found:
            value = 1.0 / float(found[2]) if found[2] and float(found[2]) else float(found[3] or 0)
        if not found or not 0 < value <= 100 or found[1] == "0":
            raise ValueError(f"{part.strip()!r} is no part of a rate plan; write cycles x rate, "
                             "for example '1x0.1, 3x0.1, 5x0.3, 5x1'")
        rates += [value] * int(found[1] or 1)
    return rates


def nearest_rate(rate: float, within: float) -> float:
    """The usual rate that a measured one stands for, NaN when none is within the share given."""
    if not np.isfinite(rate) or rate <= 0:
        return float("nan")
    best = min(USUAL_RATES, key=lambda usual: abs(np.log(rate / usual)))
    return best if abs(rate / best - 1.0) <= within else float("nan")


def blocks(rates: np.ndarray) -> np.ndarray:
    """Number the runs of equal rates from 1; a cycle without a rate is a block of its own."""
    changed = np.append(False, rates[1:] != rates[:-1]) if len(rates) else np.zeros(0, dtype=bool)
    return 1 + np.cumsum(changed)


def decomposition_charge(record: Record, below_V: float = DECOMPOSITION_BELOW_V) -> float:
    """Charge of the first charge at constant current below a potential against Li+/Li [mAh]."""
    table = record.table
    part = ((table["cycle"] == 1) & (table["direction"] == 1) & (table["mode"] == "CC")).to_numpy()
    if not part.any():
        return float("nan")
    passed = np.diff(table["charge_mAh"].to_numpy(), prepend=0.0)
    return float(passed[part & (table["potential_V"].to_numpy() < below_V)].sum())


def hindrance_peak(
    record: Record, between_V: tuple[float, float] = HINDRANCE_V, *, prominence: float = 0.05
) -> tuple[float, float]:
    """The peak of kinetic hindrance in the differential capacity of the first discharge.

    Parameters
    ----------
    record : Record
    between_V : (float, float)
        Where it is looked for, against Li+/Li [V].
    prominence : float
        How far it must rise above its shoulders, as a share of the highest differential capacity.

    Returns
    -------
    (float, float)
        Potential against Li+/Li [V] and rise above the shoulders [mAh/V]; NaN twice where there
        is no such peak.
    """
    from scipy.signal import find_peaks

    try:
        curve = dq_dv(record, 1, "discharge", step_V=0.01)
    except ValueError:
        return float("nan"), float("nan")
    height = curve["dq_dv_mAh_V"].to_numpy()
    smooth = np.convolve(height, np.ones(3) / 3, mode="same")
    found, marks = find_peaks(smooth, prominence=prominence * smooth.max(initial=0.0))
    potential = curve["potential_V"].to_numpy()
    inside = [k for k, i in enumerate(found) if between_V[0] <= potential[i] <= between_V[1]]
    if not inside or not smooth.any():
        return float("nan"), float("nan")
    best = max(inside, key=lambda k: marks["prominences"][k])
    return float(potential[found[best]]), float(marks["prominences"][best])
