"""Titration tables of relaxed points, and rests in records that hold only voltage and charge.

A relaxed point is a potential at the end of a rest (V) with the charge passed until then (mAh).
Two kinds of heading are read: plain ones (``relaxed_V``, ``charge_mAh``, ...) and those of the
published titration files (``OCV [V]`` with ``Q_corr [mAh]`` for a reference cell; ``OCV1 [V]``,
``OCV2 [V]``, ``Q [mAh]`` for a solid cell, whose first row stands for the charge before the first
step).

Stated errors come in three kinds and are kept apart: symmetric ones of the instrument, one-sided
ones (a rest ends *above* the equilibrium potential while charging; self-discharge pulls below it),
and charge that was lost. A table without them is completed by `with_errors`, which says what was
assumed.

Source of the error terms: Vettori, Kissel et al., Chem. Commun. 62 (2026) 5241, SI.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .cycler import still_spans
from .files import file_error
from .problems import Problem, TableError

REFERENCE_UNITS = {
    "relaxed_V": "V", "charge_mAh": "mAh", "instrument_V": "V", "relaxation_V": "V",
    "self_discharge_V": "V", "gain_mAh": "mAh", "lost_mAh": "mAh", "up_V": "V", "down_V": "V",
}
CELL_UNITS = {
    "from_V": "V", "relaxed_V": "V", "charge_mAh": "mAh", "instrument_V": "V",
    "relaxation_V": "V", "charge_up_mAh": "mAh", "charge_down_mAh": "mAh",
}
_PUBLISHED_REFERENCE = {
    "OCV [V]": "relaxed_V", "Q_corr [mAh]": "charge_mAh",
    "U_err, instrument [V]": "instrument_V", "U_err,relax negative [V]": "relaxation_V",
    "U_err,sd pos [V]": "self_discharge_V",
    "Q0_err,instr cumulative shared sym [mAh]": "gain_mAh",
    "Q_err,sd cumulative shared neg [mAh]": "lost_mAh", "dV pos [V]": "up_V",
    "dV neg [V]": "down_V",
}
_PUBLISHED_CELL = {
    "OCV1 [V]": "from_V", "OCV2 [V]": "to_V", "Q [mAh]": "charge_mAh",
    "dOCV2 pos [V]": "up_V", "dOCV2 neg [V]": "down_V", "dQ pos [mAh]": "charge_up_mAh",
    "dQ neg [mAh]": "charge_down_mAh",
}
_RECORD = {"U [V]": "voltage_V", "Q [mAh]": "charge_mAh"}
_TEXT = ("vs", "kind", "cell")
LOW_V, HIGH_V = -1.0, 7.0
UNKNOWN_RELAXATION_V = 5e-3
"""One-sided error of a potential whose drift nobody has stated."""
REST_FACTOR = 1.63
"""Drift times rest times this is the stated relaxation error of a solid cell (published SI)."""


LAST_ROWS = 11
"""Readings at the end of a rest whose median is its relaxed potential: one may be astray."""


def instrument_error(potential: np.ndarray) -> np.ndarray:
    """Accuracy of a battery cycler's voltage (V): 0.01 % of the reading + 0.3 mV."""
    return 1e-4 * np.abs(potential) + 3e-4


def read_reference(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read the titration of a reference cell, in which all active material takes part.

    Returns
    -------
    DataFrame
        Columns of ``REFERENCE_UNITS`` (charge cumulative, mAh), potential rising.

    Raises
    ------
    TableError
        On a missing column, a bad cell, fewer than four points, or charge that does not rise.
    """
    table = _read(path, _PUBLISHED_REFERENCE)
    return reference_table(table, Path(path).name)


def reference_table(table: pd.DataFrame, where: str = "reference") -> pd.DataFrame:
    """Check a reference titration given as a DataFrame; see `read_reference`."""
    table = _named(table, _PUBLISHED_REFERENCE)
    problems = _check(table, ("relaxed_V", "charge_mAh"), 4)
    if not problems:
        problems = _rising(table, "charge_mAh", "charge only grows in a charge titration")
        problems += _one_electrode(table)
    if problems:
        raise TableError(where, problems)
    found = _relaxed(table, rest_factor=2.0)
    for name in ("self_discharge_V", "gain_mAh", "lost_mAh"):
        found[name] = _column(table, name, 0.0)
    found["up_V"] = _column(table, "up_V", found["instrument_V"] + found["self_discharge_V"])
    found["down_V"] = _column(table, "down_V", found["instrument_V"] + found["relaxation_V"])
    return _with_marks(found[list(REFERENCE_UNITS)], table, found.attrs)


def read_cell(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read the relaxed points of a solid cell.

    Returns
    -------
    DataFrame
        Columns of ``CELL_UNITS``, one row a relaxed point. ``from_V`` is the potential that the
        step to this point is said to start from (the point before, where the table does not say).
        Attribute ``notes`` lists what was assumed.

    Raises
    ------
    TableError
        On a missing column, a bad cell, fewer than two points, potential or charge that do not
        rise, or a step that starts elsewhere than the one before has ended.
    """
    table = _read(path, _PUBLISHED_CELL)
    return cell_table(table, Path(path).name)


def cell_table(table: pd.DataFrame, where: str = "cell") -> pd.DataFrame:
    """Check the relaxed points of a solid cell given as a DataFrame; see `read_cell`."""
    table = _named(table, _PUBLISHED_CELL)
    if "to_V" in table:
        table["relaxed_V"] = table["to_V"]
    problems = _check(table, ("relaxed_V", "charge_mAh"), 2)
    if not problems:
        problems = _rising(table, "charge_mAh", "charge only grows in a charge titration")
        problems += _rising(table, "relaxed_V", "relaxed potentials rise while a cell charges; "
                            "a titration in discharge, a plateau or a bad rest cannot be used")
        problems += _one_electrode(table)
    if problems:
        raise TableError(where, problems)
    if "from_V" in table and "to_V" in table:
        problems = _joined(table)
        if problems:
            raise TableError(where, problems)
        later = table["from_V"].shift(-1)  # where a rest is read twice, the step starts from it
        table["relaxed_V"] = later.where(later.notna(), table["relaxed_V"])
    found = _relaxed(table, rest_factor=REST_FACTOR)
    found["from_V"] = _column(table, "from_V", found["relaxed_V"].shift(1))
    plain = 5e-4 * (found["charge_mAh"] - found["charge_mAh"].iloc[0]) + 1e-4
    for name in ("charge_up_mAh", "charge_down_mAh"):
        found[name] = _column(table, name, plain)
    if "charge_up_mAh" not in table:
        found.attrs["notes"].append(
            "no charge errors are given: 0.05 % of the charge passed + 0.1 uAh is assumed")
    return _with_marks(found[list(CELL_UNITS)], table, found.attrs)


def read_record(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a record of voltage (V) and charge (mAh) without time or current.

    Returns
    -------
    DataFrame
        ``voltage_V`` and ``charge_mAh`` in the order of the file.
    """
    table = _read(path, _RECORD)
    problems = _check(table, ("voltage_V", "charge_mAh"), 2)
    if problems:
        raise TableError(Path(path).name, problems)
    return table.loc[:, ["voltage_V", "charge_mAh"]]


def relaxed_points(record: pd.DataFrame, *, least_rows: int = 50) -> pd.DataFrame:
    """Find the rests of a record: stretches of constant charge.

    Parameters
    ----------
    record
        ``voltage_V`` and ``charge_mAh``, as `read_record` returns them.
    least_rows
        A shorter stretch of constant charge is a pause and no rest.

    Returns
    -------
    DataFrame
        One row a rest: ``relaxed_V`` (median of its last readings), ``charge_mAh``, ``first_V``,
        ``rows``, ``rested``, and ``drift_V_s``, which is empty: without a time column the drift at
        the end of a rest is unavailable, and so is any extrapolation of it. A record that starts
        while charging has its first reading in front, as a point that has not ``rested``.

    Raises
    ------
    TableError
        If there is no rest in the record.
    """
    if least_rows < LAST_ROWS:
        raise ValueError(f"least_rows is {least_rows}; a rest has at least {LAST_ROWS} rows")
    u, q = (record[name].to_numpy(float) for name in ("voltage_V", "charge_mAh"))
    spans = still_spans(q, least_rows)
    if not spans:
        told = (f"no rest: its charge is never constant over {least_rows} rows. A titration needs "
                "rests; give the table of relaxed points, or a record that has them")
        raise TableError("record", [Problem(None, "charge_mAh", None, told)])
    rows = [{"relaxed_V": float(np.median(u[b + 1 - LAST_ROWS : b + 1])), "charge_mAh": q[b],
             "first_V": u[a + 1], "rows": b - a, "rested": True} for a, b in spans]
    if spans[0][0] > 0 and q[spans[0][1]] - q[0] > 0.02 * (q[-1] - q[0]):
        rows.insert(0, {"relaxed_V": u[0], "charge_mAh": q[0], "first_V": u[0], "rows": 1,
                        "rested": False})
    found = pd.DataFrame(rows).assign(drift_V_s=np.nan)
    found.attrs["notes"] = [
        "the record has no time column: drift at the end of a rest is unavailable, and no "
        "relaxed potential is extrapolated"]
    return found


def _read(path: str | os.PathLike[str], published: dict[str, str]) -> pd.DataFrame:
    """Text table as numbers; the index is the row as a person counts it, the header being 1."""
    file = Path(path)
    if not file.is_file():
        raise file_error(file, f"there is no such file in {str(file.parent)!r}")
    if file.stat().st_size == 0:
        raise file_error(file, "the file is empty")
    with file.open(encoding="utf-8-sig") as lines:
        try:
            header = lines.readline()
        except UnicodeDecodeError:
            raise file_error(file, "this is no text file; export the table as text") from None
    mark = "\t" if "\t" in header else ";" if ";" in header else ","
    try:
        raw = pd.read_csv(file, sep=mark, encoding="utf-8-sig")
    except (UnicodeDecodeError, pd.errors.ParserError) as error:
        raise file_error(file, f"it is no table of text: {error}") from None
    raw.index = range(2, len(raw) + 2)
    table = _named(raw, published)
    problems = []
    for name in table.columns:
        if name in _TEXT or pd.api.types.is_numeric_dtype(table[name]):
            continue
        numbers: Any = pd.to_numeric(table[name], errors="coerce")
        bad = numbers.isna() & table[name].notna()
        problems += [Problem(row, name, table.at[row, name], "a number with a decimal point")
                     for row in table.index[bad]] if name in _KNOWN else []
        table[name] = numbers
    if problems:
        raise TableError(file.name, problems)
    return table


_KNOWN = {*REFERENCE_UNITS, *CELL_UNITS, "to_V", "voltage_V", "drift_V_s", "rest_h"}


def _named(table: pd.DataFrame, published: dict[str, str]) -> pd.DataFrame:
    """The table with our names for the published headings."""
    return table.rename(columns={str(c): published[str(c).strip()] for c in table
                                 if str(c).strip() in published}).copy()


def _check(table: pd.DataFrame, needed: tuple[str, ...], fewest: int) -> list[Problem]:
    problems = [Problem(None, name, None, f"missing; the table has {', '.join(map(str, table))}")
                for name in needed if name not in table]
    if problems:
        return problems
    if len(table) < fewest:
        return [Problem(None, None, None, f"it has {len(table)} points; {fewest} are needed")]
    for name in _KNOWN & set(table):
        values = table[name].to_numpy(float)
        low, high = (LOW_V, HIGH_V) if name in {"relaxed_V", "voltage_V"} else (-np.inf, np.inf)
        told = f"a number from {low:g} to {high:g}" if np.isfinite(low) else "a finite number"
        bad = np.isinf(values) | (values < low) | (values > high)
        if name in needed:
            bad |= np.isnan(values)
        if name not in {"relaxed_V", "charge_mAh", "voltage_V", "drift_V_s", "from_V", "to_V"}:
            bad |= values < 0
            told = "a number of at least 0"
        problems += [Problem(table.index[k], name, values[k], told) for k in np.flatnonzero(bad)]
    return problems


def _rising(table: pd.DataFrame, name: str, why: str) -> list[Problem]:
    values = table[name].to_numpy(float)
    return [Problem(table.index[k + 1], name, f"{values[k + 1]:.7g}",
                    f"more than the row before, {values[k]:.7g}: {why}")
            for k in np.flatnonzero(np.diff(values) <= 0)]


def _joined(table: pd.DataFrame) -> list[Problem]:
    """A step must start where the one before has ended, within the instrument's error."""
    ends, starts = table["to_V"].to_numpy(float)[:-1], table["from_V"].to_numpy(float)[1:]
    return [Problem(table.index[k + 1], "from_V", f"{starts[k]:.7g}",
                    f"the potential at which the step before has ended, {ends[k]:.7g} V, within "
                    "the instrument's error; is a row missing?")
            for k in np.flatnonzero(np.abs(starts - ends) > 2 * instrument_error(ends))]


def _one_electrode(table: pd.DataFrame) -> list[Problem]:
    if "vs" not in table:
        return []
    named: Any = table["vs"].astype(object).where(table["vs"].notna(), "not said").astype(str)
    first = named.iloc[0]
    return [Problem(row, "vs", named[row], f"{first!r} as in the rows before: potentials against "
                    "unlike counter electrodes cannot stand in one titration; convert them first")
            for row in table.index[named.ne(first)]]


def _column(table: pd.DataFrame, name: str, default: object) -> pd.Series:
    if name not in table:
        return pd.Series(default, index=table.index, dtype=float)
    values: Any = table[name].astype(float)
    return values.where(values.notna(), default)


def _relaxed(table: pd.DataFrame, *, rest_factor: float) -> pd.DataFrame:
    """Potential, charge and the potential's errors; what is missing is assumed and noted."""
    notes: list[str] = []
    found: Any = table[["relaxed_V", "charge_mAh"]].astype(float)
    plain = instrument_error(found["relaxed_V"].to_numpy())
    if "up_V" in table and "down_V" in table and "relaxation_V" not in table:
        found["instrument_V"] = _column(table, "up_V", plain)
        found["relaxation_V"] = (table["down_V"] - found["instrument_V"]).clip(lower=0)
        return _noted(found, notes)
    found["instrument_V"] = _column(table, "instrument_V", plain)
    if "instrument_V" not in table:
        notes.append("no instrument error is given: 0.01 % of the potential + 0.3 mV is assumed")
    if "relaxation_V" in table:
        found["relaxation_V"] = table["relaxation_V"]
    elif "drift_V_s" in table and "rest_h" in table:
        found["relaxation_V"] = (-table["drift_V_s"]).clip(lower=0) * 3600 * table["rest_h"] * (
            rest_factor)
        notes.append(f"relaxation error from the drift: drift x rest x {rest_factor:g}")
    else:
        found["relaxation_V"] = np.nan
    unknown = found["relaxation_V"].isna()
    if unknown.any():
        notes.append(f"{int(unknown.sum())} points state neither a relaxation error nor drift and "
                     f"rest: {1e3 * UNKNOWN_RELAXATION_V:g} mV, one-sided, is assumed")
        found["relaxation_V"] = found["relaxation_V"].fillna(UNKNOWN_RELAXATION_V)
    return _noted(found, notes)


def _noted(found: Any, notes: list[str]) -> pd.DataFrame:
    found.attrs["notes"] = notes
    return found


def _with_marks(found: Any, table: pd.DataFrame, attrs: dict) -> pd.DataFrame:
    for name in ("vs", "kind"):
        if name in table:
            found = found.assign(**{name: table[name]})
    found.attrs = dict(attrs)
    return found


Reader = Callable[[str | os.PathLike[str]], pd.DataFrame]


def given(what: pd.DataFrame | str | os.PathLike[str], reader: Reader,
          check: Callable[[pd.DataFrame, str], pd.DataFrame]) -> pd.DataFrame:
    """A titration given as a path or as a table, read or checked."""
    return check(what, "table") if isinstance(what, pd.DataFrame) else reader(what)
