"""Steps of the one-week benchmark of coatings, and what of a record departs from them.

Potentials of the steps are against In/InLi, rates on 190 mAh/g. Rates that the source does not
state are empty: there is nothing to depart from, but they must be recorded, for a capacity or a
resistance without its rate compares with nothing.

Source: Kissel (2025), doctoral thesis, lines 2116-2126 (steps) and 2210 (current of the hold).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .problems import Problem, TableError

_COLUMNS = ("step", "action", "c_rate", "limit_V", "until_c_rate", "at_most_h", "hold_h", "rest_h",
            "measure", "source_line")
_NO = float("nan")
_STEPS = (
    (1, "rest", _NO, _NO, _NO, _NO, _NO, 3.0, "", 2120),
    (2, "cycle", 0.05, 3.7, _NO, _NO, _NO, _NO, "initial efficiency", 2120),
    (3, "charge", 0.05, 3.1, 0.005, 3.0, _NO, _NO, "", 2120),
    (4, "rest", _NO, _NO, _NO, _NO, _NO, 3.0, "relaxed potential V1", 2120),
    (5, "impedance", _NO, 3.1, _NO, _NO, _NO, _NO, "start", 2120),
    (6, "charge", 0.05, 3.4, _NO, _NO, _NO, 4.0, "relaxed potential V2", 2120),
    (7, "charge", _NO, 3.7, _NO, _NO, _NO, _NO, "", 2124),
    (8, "discharge", _NO, 2.0, _NO, _NO, _NO, _NO, "", 2124),
    (9, "cycle", 0.1, 3.7, _NO, _NO, _NO, _NO, "", 2124),
    (10, "charge", 0.1, 3.7, 0.01, 3.0, _NO, _NO, "", 2124),
    (11, "impedance", _NO, 3.7, _NO, _NO, 10.0, _NO, "series", 2124),
    (12, "discharge", _NO, 3.1, _NO, _NO, _NO, 3.0, "end", 2124),
)
SAME_V = 5e-3
"""Potentials closer than this (V) are the same setting."""
SAME_RATE = 0.05
"""Relative difference of rates that is no deviation."""
C_RATE_BASIS_MAH_G = 190.0
"""Capacity that one C refers to in this protocol (mAh/g)."""


def protocol() -> pd.DataFrame:
    """The steps: action, rate, potential against In/InLi, hold and rest in h, what is measured.

    Returns
    -------
    DataFrame
        ``step``, ``action``, ``c_rate`` (1/h), ``limit_V``, ``until_c_rate`` and ``at_most_h``
        (a charge at the limit ends when either is reached), ``hold_h``, ``rest_h``, ``measure``,
        ``source_line``. Empty where the step has none or the source states none.
    """
    return pd.DataFrame(_STEPS, columns=list(_COLUMNS))


def hold_charge(time_h: np.ndarray, current_mA: np.ndarray) -> float:
    """Charge (mAh) that has passed during a hold, by the trapezoidal rule.

    Parameters
    ----------
    time_h, current_mA : array (n,)
        Record of the hold; time must rise.

    Raises
    ------
    ValueError
        If time does not rise or a value is missing.
    """
    t, i = np.asarray(time_h, dtype=float), np.asarray(current_mA, dtype=float)
    if len(t) != len(i) or len(t) < 2 or not np.isfinite([t, i]).all() or (np.diff(t) <= 0).any():
        raise ValueError("a hold's charge needs two or more readings of time (h, rising) and "
                         "current (mA), none of them empty")
    return float(np.sum(np.diff(t) * (i[1:] + i[:-1]) / 2))


def check_protocol(
    steps: pd.DataFrame, *, composite_mass_mg: float | None = None,
    active_fraction: float | None = None,
) -> pd.DataFrame:
    """Hold the steps of one cell against the protocol.

    Parameters
    ----------
    steps
        One row a step, ``step`` numbered as in `protocol`; what was done in its columns, and
        ``charge_mAh`` passed during the hold of step 11 (`hold_charge` integrates it).
    composite_mass_mg, active_fraction
        Of the cell, to tell the hold's charge as a share of the nominal capacity.

    Returns
    -------
    DataFrame
        One row a remark: ``step``, ``what``, ``expected``, ``found``, ``kind`` (``deviation`` from
        the protocol, ``not recorded``, or ``record`` for the hold's charge) and ``sentence``.
        Attribute ``hold_charge_share`` is that share, or NaN.

    Raises
    ------
    TableError
        If ``step`` is missing, unknown or repeated.
    """
    wanted = protocol()
    problems = []
    if "step" not in steps:
        raise TableError("steps", [Problem(None, "step", None, "this column is missing: the number "
                                           "of each step in data.protocol.protocol()")])
    for row, step in steps["step"].items():
        if step not in set(wanted["step"]):
            problems.append(Problem(row, "step", step, "a step of the protocol, 1 to 12"))
    for row in steps.index[steps["step"].duplicated()]:
        problems.append(Problem(row, "step", steps.at[row, "step"], "each step once"))
    if problems:
        raise TableError("steps", problems)
    done = steps.set_index("step")
    rows: list[dict[str, Any]] = []
    for want in wanted.to_dict("records"):
        step = want["step"]
        if step not in done.index:
            what = "hold" if want["hold_h"] > 0 else want["action"]
            rows.append(_row(step, what, _said(want), "missing", "deviation",
                             f"step {step} ({_said(want)}) is missing"))
            continue
        rows += _compared(want, done.loc[step].to_dict())
    share, row = _passed(done, composite_mass_mg, active_fraction)
    found = pd.DataFrame([*rows, *row], columns=["step", "what", "expected", "found", "kind",
                                                 "sentence"])
    found.attrs["hold_charge_share"] = share
    return found


def _compared(want: dict[str, Any], have: dict[str, Any]) -> list[dict[str, Any]]:
    step, rows = want["step"], []

    def remark(what: str, expected: str, found: str, kind: str = "deviation") -> None:
        rows.append(_row(step, what, expected, found, kind, f"step {step}: {what} {found}, the "
                         f"protocol has {expected}" if kind == "deviation" else
                         f"step {step}: {what} is not recorded ({expected})"))

    if not _empty(have.get("action")) and have["action"] != want["action"]:
        remark("action", want["action"], str(have["action"]))
    moves = want["action"] in ("charge", "discharge", "cycle")
    if moves and _empty(have.get("c_rate")):
        told = "not stated by the protocol" if np.isnan(want["c_rate"]) else f"{want['c_rate']:g} C"
        remark("rate", told, "empty", "not recorded")
    elif moves and not np.isnan(want["c_rate"]) and abs(
            have["c_rate"] / want["c_rate"] - 1) > SAME_RATE:
        remark("rate", f"{want['c_rate']:g} C", f"{have['c_rate']:g} C")
    if not np.isnan(want["limit_V"]):
        told = f"{want['limit_V']:g} V vs In/InLi"
        if _empty(have.get("limit_V")):
            remark("potential", told, "empty", "not recorded")
        elif abs(have["limit_V"] - want["limit_V"]) > SAME_V:
            what = ("potential of the impedance" if want["action"] == "impedance"
                    or want["measure"] == "end" else "potential")
            remark(what, told, f"{have['limit_V']:g} V")
    for name, what in (("hold_h", "hold"), ("rest_h", "rest")):
        if np.isnan(want[name]):
            continue
        if _empty(have.get(name)):
            remark(what, f"{want[name]:g} h", "missing")
        elif have[name] < 0.98 * want[name]:
            remark(what, f"{want[name]:g} h", f"{have[name]:g} h, shorter")
    if not np.isnan(want["until_c_rate"]):
        told = f"until {want['until_c_rate']:g} C or {want['at_most_h']:g} h"
        current, hours = have.get("until_c_rate"), have.get("at_most_h")
        if _empty(current) and _empty(hours):
            remark("hold at the limit", told, "missing")
        elif not ((not _empty(current) and current <= want["until_c_rate"] * (1 + SAME_RATE))
                  or (not _empty(hours) and hours >= 0.98 * want["at_most_h"])):
            said = [f"{v:g} {unit}" for v, unit in ((current, "C"), (hours, "h")) if not _empty(v)]
            remark("hold at the limit", told, "until " + " or ".join(said))
    return rows


def _passed(done: pd.DataFrame, mass_mg: float | None,
            fraction: float | None) -> tuple[float, list[dict[str, Any]]]:
    """The hold's charge as a share of the nominal capacity: it moves the state of charge."""
    charge = done.at[11, "charge_mAh"] if "charge_mAh" in done and 11 in done.index else None
    if _empty(charge):
        told = "step 11: the charge of the hold is not recorded; it moves the state of charge"
        return _NO, [_row(11, "charge of the hold", "integrated current", "empty", "not recorded",
                          told)]
    charge = float(charge)  # type: ignore[arg-type]
    if mass_mg is None or fraction is None:
        told = f"step 11: {charge:.3g} mAh passed during the hold"
        return _NO, [_row(11, "charge of the hold", "", f"{charge:.3g} mAh", "record", told)]
    share = charge / (mass_mg * 1e-3 * fraction * C_RATE_BASIS_MAH_G)
    told = (f"step 11: {charge:.3g} mAh passed during the hold, {100 * share:.2g} % of the nominal "
            "capacity: the state of charge has moved by that much")
    usual = "0.8 to 8 % at 1.5 to 15 uA over 10 h (line 2210)"
    return share, [_row(11, "charge of the hold", usual, f"{100 * share:.2g} %", "record", told)]


def _row(step: int, what: str, expected: str, found: str, kind: str,
         sentence: str) -> dict[str, Any]:
    return {"step": step, "what": what, "expected": expected, "found": found, "kind": kind,
            "sentence": sentence}


def _said(want: dict[str, Any]) -> str:
    parts = [want["action"]]
    if not np.isnan(want["hold_h"]):
        parts.append(f"during a hold of {want['hold_h']:g} h")
    if not np.isnan(want["limit_V"]):
        parts.append(f"{'at' if want['action'] == 'impedance' else 'to'} {want['limit_V']:g} V")
    if not np.isnan(want["rest_h"]):
        parts.append(f"{'of' if want['action'] == 'rest' else 'and rest'} {want['rest_h']:g} h")
    return " ".join(parts)


def _empty(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float) and bool(np.isnan(value)))
