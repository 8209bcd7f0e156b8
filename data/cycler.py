"""A cycler's record as one tidy table, in units, against a named counter electrode.

`read_cycler` reads an export of any format of `exports.py` and returns a `Record`, whose table
has a row for each reading:

    time_s         time since the first reading [s]; empty where the file has none
    voltage_V      cell voltage as measured [V]
    potential_V    against Li+/Li: voltage_V + offset of the counter electrode [V]
    current_mA     current, charging above zero [mA]; empty where the file has none
    charge_mAh     charge passed since the first reading, charging above zero [mAh]
    mode           "CC", "CV" or "rest"
    step           number of the run of one mode and one direction, from 1
    direction      1 while charging, -1 while discharging, 0 at rest
    cycle          a charge and the discharge after it, from 1; 0 for a discharge before the first
                   charge

A cycler's own cycle counter is not used: programs count differently, and many count half cycles.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from .columns import did_you_mean
from .exports import Export, joined, read_export
from .files import file_error
from .problems import Problem, TableError


@dataclass(frozen=True)
class CounterElectrode:
    """A counter electrode: its potential against Li+/Li and how sure that is [V].

    ``Li`` stands for lithium metal. ``InLi`` is the two-phase indium-lithium electrode, 0.620 V
    (Kissel thesis lines 665 and 2974). The standard deviations are stated here, not measured:
    2 mV for lithium; 5 mV for indium-lithium, which is off its plateau when an electrode was made
    with too much or too little lithium.
    """

    name: str
    offset_V: float
    offset_sd_V: float
    written: str


COUNTER_ELECTRODES = {
    "Li": CounterElectrode("Li", 0.0, 0.002, "Li"),
    "InLi": CounterElectrode("InLi", 0.620, 0.005, "In/InLi"),
}

# Charge-weighted median potential of a layered oxide against Li+/Li [V]. The two published
# titration records have 3.79 and 3.87; 3.55 to 3.97 is taken as possible, and a wrong counter
# electrode moves it by 0.62, so that the limits lie halfway.
PLATEAU_V = (3.44, 4.10)
REST_BELOW = 1e-3  # of the largest current: below this a cell rests
CV_WITHIN_V = 2e-3  # a hold stays within this of its last voltage
CV_FALL = 0.95  # and its current falls below this share of its first
TURN = 0.005  # of the largest half cycle: a smaller charge in the other direction is no half cycle
PLATEAU_ROWS = 20  # without time and current: so many rows of equal charge are a rest
FEWEST = 10


class CounterElectrodeError(TableError):
    """A counter electrode that is unknown, not named, or contradicted by the curve."""


@dataclass(frozen=True)
class Record:
    """One cell's record; ``table`` is described above, ``notes`` say what was assumed."""

    name: str
    format: str
    counter: CounterElectrode
    table: pd.DataFrame
    notes: list[str] = field(default_factory=list)

    @property
    def timed(self) -> bool:
        """Whether the file has a time."""
        return bool(self.table["time_s"].notna().any())


def counter_electrode(vs: str | None, where: str = "vs") -> CounterElectrode:
    """The counter electrode of a name; there is no default."""
    if vs in COUNTER_ELECTRODES:
        return COUNTER_ELECTRODES[str(vs)]
    told = ("name the counter electrode, vs='Li' or vs='InLi' (0.620 V): a wrong one moves every "
            "potential by 0.62 V")
    if vs is not None:
        told = (f"{vs!r} is no counter electrode that is known: 'Li' or 'InLi' (0.620 V)"
                f"{did_you_mean(str(vs), COUNTER_ELECTRODES)}")
    raise CounterElectrodeError(where, [Problem(None, None, None, told)])


def read_cycler(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    vs: str | None = None,
    *,
    plateau_V: tuple[float, float] | None = PLATEAU_V,
) -> Record:
    """Read one export of a cycler.

    Parameters
    ----------
    path : path, or several
        BioLogic .mpt or .mpr, BaSyTec text, Battery Data Format, or text with voltage and charge.
        Several files of one test (EC-Lab writes one a technique) are joined by their times, which
        must not overlap.
    vs : str
        The counter electrode, "Li" or "InLi"; it must be named.
    plateau_V : (float, float) or None
        Where the charge-weighted median potential against Li+/Li may lie [V]; the default is a
        layered oxide's. None leaves the check out.

    Returns
    -------
    Record

    Raises
    ------
    TableError
        For a file that is empty, of no known format, has bad cells, too few rows, or a time that
        goes back; `CounterElectrodeError` for a counter electrode that is not named, not known,
        or contradicted by the curve.
    """
    paths = [Path(path)] if isinstance(path, (str, os.PathLike)) else [Path(p) for p in path]
    if not paths:
        raise ValueError("path is an empty list; name at least one file")
    counter = counter_electrode(vs, paths[0].name)
    parts = [(p.name, read_export(p)) for p in paths]
    export = parts[0][1] if len(parts) == 1 else joined(parts)
    record = tidy(export, ", ".join(name for name, _ in parts), counter)
    if plateau_V is not None:
        check_counter_electrode(record, plateau_V)
    return record


def tidy(export: Export, name: str, counter: CounterElectrode) -> Record:
    """Check an export's readings and divide them into modes, steps and cycles."""
    file = Path(name)
    raw, notes = export.columns, list(export.notes)
    volts = raw["voltage_V"]
    n = len(volts)
    if n < FEWEST:
        raise file_error(file, f"it has {n} rows; a record needs at least {FEWEST}")
    far = np.flatnonzero(np.abs(volts) > 10.0)
    if len(far):
        raise TableError(name, [Problem(int(export.rows[far[0]]), "voltage", float(volts[far[0]]),
                                        "a cell voltage within 10 V; millivolts under a name that "
                                        "says volts?")])
    time = _time(export, name)
    current = raw.get("current_mA")
    counted = raw.get("charge_mAh")
    if counted is not None:
        counted = counted - counted[0]
    if current is None and time is not None and counted is not None:
        step = np.diff(time)
        slope = np.divide(np.diff(counted) * 3600.0, step, out=np.zeros(n - 1), where=step > 0)
        current = np.concatenate([slope[:1], slope])
        notes.append("the file has no current: it is the slope of the charge")
    charge, told = _charge(name, time, current, counted)
    notes += told
    mode, direction = _modes(raw, volts, current, charge)
    step = 1 + np.concatenate([[0], np.cumsum((mode[1:] != mode[:-1])
                                              | (direction[1:] != direction[:-1]))])
    table = pd.DataFrame({
        "time_s": np.full(n, np.nan) if time is None else time,
        "voltage_V": volts,
        "potential_V": volts + counter.offset_V,
        "current_mA": np.full(n, np.nan) if current is None else current,
        "charge_mAh": charge,
        "mode": pd.Categorical.from_codes(mode, categories=["rest", "CC", "CV"]),
        "step": step,
        "direction": direction,
        "cycle": _cycles(charge, direction),
    })
    return Record(name, export.format, counter, table, notes)


def _time(export: Export, name: str) -> np.ndarray | None:
    time = export.columns.get("time_s")
    if time is None:
        return None
    back = np.flatnonzero(np.diff(time) < 0)
    if len(back):
        i = int(back[0])
        raise TableError(name, [Problem(
            int(export.rows[i + 1]), "time", f"{time[i + 1]:g} s",
            f"at least {time[i]:g} s as in the row before: time goes back, so two records stand "
            "in one file, or rows changed places; export each test into its own file")])
    return time - time[0]


def _charge(name: str, time: np.ndarray | None, current: np.ndarray | None,
            counted: np.ndarray | None) -> tuple[np.ndarray, list[str]]:
    """The cycler's charge counter, or the integral of the current where it is not the net charge.

    Counters sample faster than exports and are better than an integral; but some are reset at
    each step, and some count only one direction.
    """
    if time is None or current is None:
        if counted is None:
            raise file_error(Path(name), "it has a current but neither time nor charge; export it "
                             "with its time")
        return counted, []
    pieces = 0.5 * (current[1:] + current[:-1]) * np.diff(time) / 3600.0
    # across a switch of the current the trapezoid is wrong: the new current holds
    switch = np.abs(np.diff(current)) > 0.2 * np.maximum(np.abs(current[1:]), np.abs(current[:-1]))
    pieces[switch] = (current[1:] * np.diff(time) / 3600.0)[switch]
    summed = np.concatenate([[0.0], np.cumsum(pieces)])
    if counted is None:
        return summed, ["the file has no charge counter: charge is the integral of the current"]
    span = float(np.ptp(summed))
    if span > 0 and float(np.median(np.abs(counted - summed))) > 0.05 * span:
        return summed, ["the charge counter is not the net charge (reset, or one direction only): "
                        "charge is the integral of the current"]
    return counted, []


def _modes(raw: dict[str, np.ndarray], volts: np.ndarray, current: np.ndarray | None,
           charge: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mode of each row (0 rest, 1 CC, 2 CV) and direction (1, -1, 0)."""
    n = len(volts)
    code = raw.get("mode")
    held = np.zeros(n, dtype=bool) if code is None else code == 2
    if current is None:
        sign = np.sign(np.diff(charge, prepend=charge[0])).astype(int)
        still = np.zeros(n, dtype=bool)
        for a, b in still_spans(charge, PLATEAU_ROWS):
            still[a if a == 0 else a + 1 : b + 1] = True
        sign[still] = 0
        starts, ends = _runs(sign)
        for a, b in zip(starts, ends, strict=True):  # a short halt of the counter is no rest
            if sign[a] == 0 and not still[a]:
                sign[a:b] = sign[a - 1] if a else sign[min(b, n - 1)]
        return np.where(sign == 0, 0, 1), sign
    largest = float(np.quantile(np.abs(current), 0.999))
    rest = np.abs(current) <= REST_BELOW * largest
    if code is not None:
        rest = (code == 3) | (rest & ~held)
    direction = np.where(rest, 0, np.sign(current)).astype(int)
    mode = np.where(rest, 0, np.where(held, 2, 1))
    if code is None or not held.any():
        key = direction + 10 * _codes(raw.get("step"), n)
        for a, b in zip(*_runs(key), strict=True):
            if direction[a] == 0 or b - a < 3:
                continue
            away = np.flatnonzero(np.abs(volts[a:b] - volts[b - 1]) >= CV_WITHIN_V)
            first = a + (int(away[-1]) + 1 if len(away) else 0)
            level = float(np.abs(current[a:b]).max())
            if b - first >= 3 and abs(current[b - 1]) < CV_FALL * level:
                mode[first:b] = 2
    return mode, direction


def still_spans(charge: np.ndarray, least_rows: int) -> list[tuple[int, int]]:
    """First and last row of each stretch of constant charge: the rests of a record without current.

    Parameters
    ----------
    charge : ndarray, shape (n,)
        In any unit; steps below a thousandth of the usual one are noise of the counter.
    least_rows : int
        A shorter stretch is a pause and no rest.
    """
    moves = np.abs(np.diff(charge))
    usual = np.median(moves[moves > 0]) if (moves > 0).any() else 1.0
    still = np.concatenate([[False], moves < 1e-3 * usual, [False]])
    edges = np.flatnonzero(np.diff(still.astype(int)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)
            if b - a >= least_rows]


def _codes(step: np.ndarray | None, n: int) -> np.ndarray:
    return np.zeros(n, dtype=int) if step is None else np.nan_to_num(step).astype(int)


def _runs(key: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First row and row after the last of each run of equal values."""
    edges = np.flatnonzero(key[1:] != key[:-1]) + 1
    return np.concatenate([[0], edges]), np.concatenate([edges, [len(key)]])


def _cycles(charge: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Number the cycles; rests belong to what is before them, pulses do not turn the direction."""
    starts, ends = _runs(direction)
    passed = direction[starts] * (charge[ends - 1] - charge[np.maximum(starts - 1, 0)])
    least = TURN * float(passed.max(initial=0.0))
    numbers = np.empty(len(starts), dtype=int)
    cycle, way = 0, -1
    for i, a in enumerate(starts):
        if direction[a] != 0 and passed[i] > least:
            cycle += int(direction[a] == 1 and way == -1)
            way = direction[a]
        numbers[i] = cycle
    first = np.flatnonzero((direction[starts] != 0) & (passed > least))
    if len(first):  # a rest before the first charge belongs to its cycle
        numbers[: first[0]] = numbers[first[0]]
    return np.repeat(numbers, ends - starts)


def check_counter_electrode(record: Record, plateau_V: tuple[float, float] = PLATEAU_V) -> None:
    """Refuse a counter electrode that the record's own plateaus contradict."""
    middle = plateau_potential(record)
    low, high = plateau_V
    if np.isnan(middle) or low <= middle <= high:
        return
    others = [c for c in COUNTER_ELECTRODES.values()
              if low <= middle - record.counter.offset_V + c.offset_V <= high]
    better = (f"; vs={others[0].name!r} would put it at "
              f"{middle - record.counter.offset_V + others[0].offset_V:.2f} V. Was the file "
              "exported against Li+/Li already, or is the other electrode in the cell?"
              if others else "; is this a half cell of a layered oxide? (plateau_V=None leaves "
              "this check out)")
    raise CounterElectrodeError(record.name, [Problem(None, None, None, (
        f"with vs={record.counter.name!r} half of the charge passes above {middle:.2f} V against "
        f"Li+/Li, but a layered oxide's plateau lies between {low:g} and {high:g} V{better}"))])


def plateau_potential(record: Record) -> float:
    """Median potential against Li+/Li, each reading weighted with the charge passed [V].

    Charge and discharge count equally, so that overpotentials cancel; NaN where nothing passed.
    """
    table = record.table
    passed = np.diff(table["charge_mAh"].to_numpy(), prepend=0.0)
    potential = table["potential_V"].to_numpy()
    middles = []
    for way in (1, -1):
        weight = np.where(table["direction"].to_numpy() == way, np.clip(way * passed, 0, None), 0.0)
        if weight.sum() > 0:
            order = np.argsort(potential, kind="stable")
            share = np.cumsum(weight[order]) / weight.sum()
            middles.append(float(potential[order][np.searchsorted(share, 0.5)]))
    return float(np.mean(middles)) if middles else float("nan")


def rests(record: Record, *, last_s: float = 600.0) -> pd.DataFrame:
    """The rests of a record, their relaxed potentials and the drift at their end.

    Parameters
    ----------
    record : Record
    last_s : float
        The drift is the slope of a straight line through the last ``last_s`` seconds [s]; it
        depends strongly on this window. 600 s is the convention of the titration comparison
        (Kissel thesis line 2796).

    Returns
    -------
    DataFrame
        One row a rest: ``rest`` (number), ``cycle``, ``after`` (charge, discharge or start),
        ``start_s``, ``duration_s``, ``rows``, ``charge_mAh``, ``relaxed_voltage_V`` and
        ``relaxed_potential_V`` (the last reading), ``relaxed_potential_sd_V`` (of the counter
        electrode), ``drift_V_s`` with ``drift_sd_V_s`` (least squares), and ``drift``:
        "fitted", or why it is unavailable.
    """
    if not last_s > 0:
        raise ValueError(f"last_s is {last_s!r}; it must be a time in seconds above 0")
    table = record.table
    way = table["direction"].to_numpy()
    time, volts = table["time_s"].to_numpy(), table["voltage_V"].to_numpy()
    charge, cycle = table["charge_mAh"].to_numpy(), table["cycle"].to_numpy()
    rows = []
    for a, b in zip(*_runs(way == 0), strict=True):
        if way[a] != 0 or b - a < 2:
            continue
        slope, error, told = _drift(time[a:b], volts[a:b], last_s)
        rows.append({
            "rest": len(rows) + 1,
            "cycle": int(cycle[a]),
            "after": {1: "charge", -1: "discharge"}.get(int(way[a - 1]) if a else 0, "start"),
            "start_s": time[a],
            "duration_s": time[b - 1] - time[a],
            "rows": b - a,
            "charge_mAh": charge[b - 1],
            "relaxed_voltage_V": volts[b - 1],
            "relaxed_potential_V": volts[b - 1] + record.counter.offset_V,
            "relaxed_potential_sd_V": record.counter.offset_sd_V,
            "drift_V_s": slope,
            "drift_sd_V_s": error,
            "drift": told,
        })
    names = ["rest", "cycle", "after", "start_s", "duration_s", "rows", "charge_mAh",
             "relaxed_voltage_V", "relaxed_potential_V", "relaxed_potential_sd_V", "drift_V_s",
             "drift_sd_V_s", "drift"]
    return pd.DataFrame(rows, columns=pd.Index(names))


def _drift(time: np.ndarray, volts: np.ndarray, last_s: float) -> tuple[float, float, str]:
    nothing = float("nan"), float("nan")
    if np.isnan(time).any():
        return *nothing, "unavailable: the file has no time"
    if time[-1] - time[0] < last_s:
        return *nothing, f"unavailable: the rest is shorter than {last_s:g} s"
    late = time >= time[-1] - last_s
    t, v = time[late] - time[late].mean(), volts[late]
    if len(t) < 3 or not np.any(t):
        return *nothing, f"unavailable: fewer than 3 readings in the last {last_s:g} s"
    slope = float(t @ v / (t @ t))
    left = v - v.mean() - slope * t
    return slope, float(np.sqrt(left @ left / (len(t) - 2) / (t @ t))), "fitted"


def dq_dv(
    record: Record, cycle: int = 1, direction: str = "charge", *, step_V: float = 0.005
) -> pd.DataFrame:
    """Differential capacity of one half cycle at constant current.

    Parameters
    ----------
    record : Record
    cycle : int
    direction : str
        "charge" or "discharge".
    step_V : float
        Width of the voltage steps [V]; narrower than the noise gives noise.

    Returns
    -------
    DataFrame
        ``potential_V`` (middle of the step, against Li+/Li), ``voltage_V`` and
        ``dq_dv_mAh_V``, above zero in both directions, by rising potential. The charge of holds
        at constant voltage is left out, for it has no place on a voltage axis; where the voltage
        runs back the highest (lowest) one so far counts.
    """
    if direction not in ("charge", "discharge"):
        raise ValueError(f"direction is {direction!r}; it must be 'charge' or 'discharge'")
    if not step_V > 0:
        raise ValueError(f"step_V is {step_V!r}; it must be a voltage above 0")
    way = 1 if direction == "charge" else -1
    table = record.table
    cycles = table["cycle"].to_numpy()
    if cycle not in cycles:
        raise ValueError(f"{record.name}: there is no cycle {cycle}; it has "
                         f"{cycles.min()} to {cycles.max()}")
    part = (cycles == cycle) & (table["direction"].to_numpy() == way)
    part &= (table["mode"] == "CC").to_numpy()
    volts = table["voltage_V"].to_numpy()[part]
    passed = np.diff(table["charge_mAh"].to_numpy(), prepend=0.0)[part]
    if len(volts) < 3:
        raise ValueError(f"{record.name}: cycle {cycle} has no {direction} at constant current")
    reach = np.maximum.accumulate(way * volts)
    charge = np.cumsum(np.abs(passed)) - abs(passed[0])
    edges = np.arange(np.floor(reach[0] / step_V), np.ceil(reach[-1] / step_V) + 1) * step_V
    # of rows at one voltage the last holds all the charge passed up to it
    last = np.append(np.diff(reach) > 0, True)
    steps = np.diff(np.interp(edges, reach[last], charge[last])) / step_V
    middle = way * 0.5 * (edges[1:] + edges[:-1])
    out = pd.DataFrame({"potential_V": middle + record.counter.offset_V, "voltage_V": middle,
                        "dq_dv_mAh_V": steps})
    return out if way == 1 else out.iloc[::-1].reset_index(drop=True)
