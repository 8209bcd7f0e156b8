"""From a folder of cycler exports and a cell sheet to the table that models fit.

The sheet has one row for each cell: what was weighed, pressed and planned. The exports have the
rest. Technical faults are named per cell and kept out of averages; their rows stay in the table
with ``status`` failed and the reason.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from . import cycler, faults
from .cell_sheet import (
    ENDINGS,
    FRAMES,
    BenchCell,
    assembly,
    empty,
    match,
    read_sheet,
    stack_pressure,
)
from .columns import COLUMNS
from .currents import one_c_current_mA
from .cycler import CounterElectrodeError, Record
from .cycles import (
    blocks,
    cycle_table,
    decomposition_charge,
    hindrance_peak,
    nearest_rate,
    rate_plan,
)
from .faults import ALL, Fault, Limits
from .files import file_error
from .problems import Problem, TableError
from .validation import validate

HELD = 0.005
"""Share of the charge at constant voltage above which cycles count as held (CCCV)."""
MEAN = "mean of the cycles at this rate"
SUMMED = ("capacity_mAh_g", "charge_capacity_mAh_g", "charge_cv_share", "discharge_cv_share",
          "c_rate_measured")


@dataclass(frozen=True)
class CellTable:
    """What a folder of exports says.

    Attributes
    ----------
    table : DataFrame
        One row a cell and rate, for the models ``mixing`` and ``capacity``: the mean of the first
        block of cycles at each rate, formation left out; ``retention`` where the rate comes back
        in a later block. Faulty rows have status ``failed``, a reason, and no capacity.
    cycles : DataFrame
        One row a cell and cycle, with everything that was measured, for the model ``fading``;
        ``charge_mode`` by rate.
    faults : DataFrame
        One row a fault: cell, file, fault, from_cycle (0: the whole cell; empty: no reading is
        out), found, what_to_do.
    notes : list of str
        What was assumed.
    """

    table: pd.DataFrame
    cycles: pd.DataFrame
    faults: pd.DataFrame
    notes: list[str]

    @property
    def sentence(self) -> str:
        """How much came through."""
        table: Any = self.table
        cells_: Any = self.faults["cell"]
        done = table[(table["status"] == "done") & table["capacity_mAh_g"].notna()]
        named, lone = cells_.nunique(), int(cells_.isna().sum())
        return (f"{len(done)} rows of {done['cell'].nunique()} cells can be fitted, out of "
                f"{table['cell'].nunique()} cells in the sheet; {named} cells have a fault"
                + (f", and {lone} files no row in the sheet." if lone else "."))


def cells(
    folder: str | os.PathLike[str],
    sheet: str | os.PathLike[str] | pd.DataFrame,
    vs: str | None = None,
    *,
    formation: int = 1,
    limits: Limits | None = None,
    frames: Mapping[str, float] | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> CellTable:
    """Read a folder of exports with its cell sheet.

    Parameters
    ----------
    folder : path
        Exports of any format that `read_cycler` knows, folders within it included.
    sheet : path or DataFrame
        One row a cell: ``cell``, ``composite_mass_mg``, ``active_fraction`` and
        ``c_rate_basis_mAh_g`` are needed. A file belongs to a cell by the column ``file``, or
        else by its name, which is the cell's or begins with it. ``rate_plan`` states the
        discharge rates, e.g. "1x0.1, 3x0.1, 5x0.3, 5x1", of full cycles: one whose charge stops
        before its cut-off, as a titration's does, is not counted and not averaged. Without a
        plan the nearest usual rate is taken. Any other column of the registry is carried along.
    vs : str
        The counter electrode, "Li" or "InLi"; it may be left out only where the sheet names it
        for every cell in ``counter_electrode``.
    formation : int
        The first cycles, which no average contains.
    limits : Limits, optional
        Where a reading stops being chemistry.
    frames : mapping, optional
        Stack pressure at 10 N m [MPa] of each frame; `FRAMES` when not given.
    progress : callable, optional
        Called with (files done, files, name) after each file.

    Returns
    -------
    CellTable

    Raises
    ------
    TableError
        For a folder or sheet that cannot be used, with everything wrong in the sheet; a counter
        electrode that is not named, or that most of the curves contradict.
    """
    if formation < 0:
        raise ValueError(f"formation is {formation!r}; it must be a number of cycles, 0 or more")
    limits = limits or Limits()
    where = Path(folder)
    if not where.is_dir():
        raise file_error(where, "there is no such folder" if not where.exists()
                         else "this is a file; name the folder of the exports")
    made = read_sheet(sheet, vs)
    own = Path(sheet).resolve() if not isinstance(sheet, pd.DataFrame) else None
    files = sorted(p for p in where.rglob("*") if p.is_file() and p.resolve() != own
                   and p.suffix.lower() in ENDINGS and not p.name.startswith((".", "~")))
    if not files:
        raise file_error(where, f"there is no export in this folder; looked for "
                         f"{', '.join(ENDINGS)}")
    report, matched = match(made, files, where)
    contradictions: list[CounterElectrodeError] = []
    for done, (one, paths) in enumerate(matched, start=1):
        try:
            _read(one, paths)
        except CounterElectrodeError as bad:
            contradictions.append(bad)
            one.faults.append(Fault(one.name, one.file, "counter electrode", ALL,
                                    bad.problems[0].expected, "correct counter_electrode of this "
                                    "cell in the sheet, or vs"))
        except TableError as bad:
            told = "; ".join(str(p) for p in bad.problems[:2])
            several = len(paths) > 1
            one.faults.append(Fault(
                one.name, one.file, "several files" if several else "broken file", ALL,
                f"{bad.where}: {told}" if several else told,
                "keep the files that belong together, or name the right one in the column file"
                if several else "export the file again; a new copy is enough where the cycler "
                "still has the test"))
        if progress is not None:
            progress(done, len(matched), paths[0].name)
    if contradictions and 2 * len(contradictions) > len(matched):
        raise CounterElectrodeError(str(where), [Problem(None, None, None, (
            f"{len(contradictions)} of {len(matched)} curves contradict the counter electrode; "
            f"{contradictions[0]}"))])
    _find_faults(made, limits, formation)
    report += [f for one in made for f in one.faults]
    notes = _notes(made, frames or FRAMES)
    cycles = _cycle_rows(made, formation)
    table = _rate_rows(made, cycles, formation, frames or FRAMES)
    told = pd.DataFrame(
        [{"cell": f.cell or None, "file": f.file or None, "fault": f.fault,
          "from_cycle": np.nan if f.from_cycle == faults.NONE else f.from_cycle,
          "found": f.found, "what_to_do": f.mend} for f in report],
        columns=pd.Index(["cell", "file", "fault", "from_cycle", "found", "what_to_do"]))
    return CellTable(
        validate(table, where="the cell table"),
        validate(cycles, where="the table of cycles") if len(cycles) else cycles,
        told.sort_values(["fault", "cell", "file"], ignore_index=True), notes)


def _read(one: BenchCell, paths: list[Path]) -> None:
    """Read a cell's exports and keep what is needed of it; the record itself is let go."""
    record = cycler.read_cycler(paths, one.counter.name, plateau_V=None)
    swapped = faults.polarity(one.name, one.file, record)
    one.signature = _signature(record)
    if swapped:
        one.faults.append(swapped)
        return
    cycler.check_counter_electrode(record)
    one.notes, one.cycles = record.notes, cycle_table(record)
    peak_V, peak = hindrance_peak(record)
    one.marks = {"decomposition": decomposition_charge(record), "peak_V": peak_V, "peak": peak}


def _signature(record: Record) -> str:
    """The first 200 readings with a current: two cells never share them."""
    flow = np.flatnonzero(record.table["direction"].to_numpy() != 0)[:200]
    first = record.table[["voltage_V", "charge_mAh"]].to_numpy()[flow].round(7)
    return hashlib.sha256(first.tobytes()).hexdigest() if len(first) >= 20 else ""


def _find_faults(made: list[BenchCell], limits: Limits, formation: int) -> None:
    _duplicates(made)
    read = [one for one in made if one.cycles is not None]
    lowest = [float(one.cycles["discharge_end_V"].min()) for one in read]
    usual_end = float(np.nanmedian(lowest)) if np.isfinite(lowest).any() else float("nan")
    for one in read:
        _per_gram(one, limits, usual_end, formation)
    slowest = {one.name: _slowest(one) for one in read}
    peers = [slowest[one.name] for one in read
             if one.sound and abs(one.ratio - 1.0) <= limits.rate_within
             and np.isfinite(slowest[one.name])]
    for one in read:
        cycles, plan = one.cycles, one.sheet.get("rate_plan")
        if one.sheet.get("status") == "failed":
            one.faults.append(Fault(one.name, one.file, "failed", ALL, str(one.sheet["reason"]),
                                    "nothing: the sheet says so"))
        weighed = (faults.mass_or_current(one.name, one.file, one.ratio, slowest[one.name],
                                          peers, limits)
                   or faults.off_plan(one.name, one.file, cycles, limits))
        whole = weighed is not None and weighed.from_cycle == ALL
        leak = None if whole else faults.short(one.name, one.file, cycles, limits)
        stops = faults.incomplete(one.name, one.file, cycles,
                                  len(rate_plan(str(plan))) if plan else 0, one.notes)
        if leak and stops and leak.fault == "soft short" and leak.from_cycle <= stops.from_cycle:
            stops = None  # a shorted cell does not come to its end
        if one.sheet.get("status") == "running":
            stops = None
        one.faults += [f for f in (weighed, leak, stops) if f is not None]
        if not whole and leak is None and cycles["c_rate"].isna().any():
            unknown = cycles.loc[cycles["c_rate"].isna() & (cycles["cycle"] >= 1), "cycle"]
            if len(unknown):
                one.faults.append(Fault(
                    one.name, one.file, "unknown rate", float(unknown.min()),
                    f"the current of cycle {unknown.min():g} is no usual rate and the sheet has "
                    "no rate_plan for it", "state the rates in the column rate_plan, and compare "
                    "composite_mass_mg with the weighing record"))


def _duplicates(made: list[BenchCell]) -> None:
    """Cells whose exports hold the same readings: nobody can tell whose they are."""
    groups: dict[str, list[BenchCell]] = {}
    for one in made:
        if one.signature:
            groups.setdefault(one.signature, []).append(one)
    for group in groups.values():
        for one in group if len(group) > 1 else []:
            others = ", ".join(f"{o.name} ({o.file})" for o in group if o is not one)
            one.faults.append(Fault(one.name, one.file, "duplicated export", ALL,
                                    f"the same readings as {others}",
                                    "one test was exported under two names: export each cell "
                                    "again and compare channel and date"))


def _per_gram(one: BenchCell, limits: Limits, usual_end: float, formation: int) -> None:
    """Complete a cell's cycles: rates, capacities per gram, efficiencies, blocks."""
    cycles = one.cycles
    active_g = 1e-3 * float(one.sheet["composite_mass_mg"]) * float(one.sheet["active_fraction"])
    one_c = one_c_current_mA(*(float(one.sheet[name]) for name in (
        "composite_mass_mg", "active_fraction", "c_rate_basis_mAh_g")))
    number = cycles["cycle"].to_numpy()
    measured = cycles["discharge_mA"].to_numpy() / one_c
    measured = np.where(np.isfinite(measured), measured, cycles["charge_mA"].to_numpy() / one_c)
    plan = rate_plan(str(one.sheet["rate_plan"])) if one.sheet.get("rate_plan") else []
    tops = cycles["charge_end_V"]
    cycles["partial"] = (tops < tops.max() - limits.cut_off_within_V) & (number >= 1)
    counted = (number >= 1) & ~cycles["partial"].to_numpy()
    place = np.where(counted, np.cumsum(counted), 0)  # in the plan, which has full cycles only
    stated = np.array([plan[k - 1] if 1 <= k <= len(plan) else np.nan for k in place])
    snapped = np.array([nearest_rate(r, limits.rate_within) for r in measured])
    if plan:
        ratios = (measured / stated)[np.isfinite(measured) & np.isfinite(stated)]
        one.ratio = float(np.median(ratios)) if len(ratios) else float("nan")
    elif np.isfinite(snapped).any():
        one.ratio = 1.0
    cycles["c_rate"] = np.where(np.isfinite(stated), stated, snapped)
    cycles["c_rate_measured"] = measured
    cycles["charge_capacity_mAh_g"] = cycles["charge_mAh"] / active_g
    cycles["capacity_mAh_g"] = cycles["discharge_mAh"] / active_g
    charged = cycles["charge_mAh"].where(cycles["charge_mAh"] > 0)
    cycles["coulombic_efficiency"] = cycles["discharge_mAh"] / charged
    ends = cycles["discharge_end_V"]
    cut_off = float(ends.min()) if ends.notna().sum() >= 2 else usual_end
    cycles["complete"] = ((cycles["discharge_mAh"] > 0)
                          & ~(ends > cut_off + limits.cut_off_within_V))
    cycles["block"] = blocks(np.where(number > formation, 1.0, -1.0) * cycles["c_rate"].to_numpy())
    one.marks = {k: v if k == "peak_V" else v / active_g for k, v in one.marks.items()}


def _slowest(one: BenchCell) -> float:
    """Median discharge capacity at the slowest rate, cycle 1 only where there is no other."""
    cycles = one.cycles
    good = cycles[cycles["complete"] & ~cycles["partial"] & (cycles["cycle"] >= 1)]
    good = good[good["cycle"] > 1] if (good["cycle"] > 1).any() else good
    if good.empty:
        return float("nan")
    slow = good["c_rate"].min()
    at = good if np.isnan(slow) else good[good["c_rate"] == slow]
    return float(at["capacity_mAh_g"].median())


def _out(one: BenchCell) -> tuple[float, str]:
    """From which cycle on a cell is out, and why."""
    worst = min(one.faults, key=lambda f: f.from_cycle, default=None)
    if worst is None or worst.from_cycle == faults.NONE:
        return faults.NONE, ""
    first = [f for f in one.faults if f.from_cycle == worst.from_cycle]
    return worst.from_cycle, "; ".join(f"{f.fault}: {f.found}" for f in first)


def _why(row: Any, start: float, reason: str) -> str | None:
    """Why a cycle is out, None if it is not."""
    if row.cycle >= start:
        return reason
    if row.partial:
        return "the charge stops before its cut-off, as a titration's does"
    return None if row.complete else "the discharge is missing or not complete"


_CARRIED = ("study", "lot", "mill", "run", "batch", "method")


def _cycle_rows(made: list[BenchCell], formation: int) -> pd.DataFrame:
    parts: list[Any] = []
    for one in made:
        if one.cycles is None or "c_rate" not in one.cycles:
            continue
        cycles = one.cycles[one.cycles["cycle"] >= 1].copy()
        start, reason = _out(one)
        out = (cycles["cycle"] >= start) | ~cycles["complete"] | cycles["partial"]
        cycles["status"] = np.where(out, "failed", "done")
        cycles["reason"] = [_why(row, start, reason) for row in cycles.itertuples(index=False)]
        block = cycles.groupby("block")
        charged = block["charge_mAh"].cumsum()
        cycles["block_efficiency"] = block["discharge_mAh"].cumsum() / charged.where(charged > 0)
        used = cycles[~out & (cycles["cycle"] > formation)]
        first = used.groupby("c_rate")["capacity_mAh_g"].first()
        kept = cycles["capacity_mAh_g"] / cycles["c_rate"].map(first)
        cycles["retention"] = kept.where(~out & (cycles["cycle"] > formation))
        share = cycles["charge_cv_share"].where(~out)
        usual = share.groupby(cycles["c_rate"], dropna=False).transform("median")
        cycles["charge_mode"] = np.where(usual > HELD, "CCCV", "CC")
        cycles.loc[usual.isna(), "charge_mode"] = None
        cycles["capacity_basis"] = "gross"
        for name in _CARRIED:
            if name in one.sheet:
                cycles[name] = one.sheet[name]
        cycles["cell"] = one.name
        cycles["c_rate_basis_mAh_g"] = one.sheet["c_rate_basis_mAh_g"]
        parts.append(cycles)
    names = [*(n for n in _CARRIED if any(n in o.sheet for o in made)), "cell", "cycle", "c_rate",
             "c_rate_basis_mAh_g", "charge_mode", "capacity_basis", "block", "c_rate_measured",
             "charge_capacity_mAh_g", "capacity_mAh_g", "charge_cv_share", "discharge_cv_share",
             "coulombic_efficiency", "block_efficiency", "retention", "status", "reason"]
    if not parts:
        return pd.DataFrame(columns=pd.Index(names))
    whole: Any = pd.concat(parts, ignore_index=True).reindex(columns=names)
    for name in names:  # what a fault moved out of any bound cannot stand in a table
        spec = COLUMNS[name]
        if spec.reading and spec.low is not None and spec.high is not None:
            inside = whole[name].between(spec.low, spec.high)
            whole[name] = whole[name].where(inside | (whole["status"] == "done"))
    return whole


def _rate_rows(
    made: list[BenchCell], cycles: pd.DataFrame, formation: int, frames: Mapping[str, float]
) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    of: dict[Any, Any] = dict(iter(cycles.groupby("cell"))) if len(cycles) else {}
    for one in made:
        status = one.sheet.get("status")
        base = {k: v for k, v in one.sheet.items() if k not in ("file", "counter_electrode")}
        base |= {"file": one.file or one.sheet.get("file"), "status": status or "done",
                 "capacity_basis": "gross", "capacity_cycles": MEAN, **assembly(base, frames)}
        start, reason = _out(one)
        if one.name not in of:
            if one.faults:
                base |= {"status": "failed", "reason": reason}
            rows.append(base)
            continue
        mine = of[one.name]
        base |= _marks(one, mine, start)
        later = mine[mine["cycle"] > formation]
        if later.empty and not reason:
            reason = f"no cycle after the formation ({formation})"
        seen: dict[float, dict[str, Any]] = {}
        for _, part in later[later["c_rate"].notna()].groupby("block", sort=False):
            rate = part["c_rate"].iloc[0]
            good = part[part["status"] == "done"]
            if rate in seen:
                first = seen[rate]
                if len(good) and first["status"] == "done":
                    last = good.iloc[-1]
                    first["retention"] = last["capacity_mAh_g"] / first["capacity_mAh_g"]
                    first["retention_cycles"] = last["cycle"] - first["cycle"]
                continue
            row = dict(base, c_rate=rate)
            if len(good):
                row |= {n: good[n].mean() for n in SUMMED}
                row |= {"status": "done", "reason": None, "cycle": good["cycle"].iloc[0],
                        "block_efficiency": good["block_efficiency"].iloc[-1]}
            else:
                row |= {"status": "failed", "reason": part["reason"].iloc[0],
                        "cycle": part["cycle"].iloc[0]}
            seen[rate] = row
        rows += seen.values() if seen else [dict(base, status="failed", reason=reason)]
    whole: Any = pd.DataFrame(rows)
    for name in ("c_rate", "capacity_mAh_g"):
        if name not in whole:
            whole[name] = np.nan
    first = [n for n in (*_CARRIED, "cell", "status", "reason", "c_rate", "capacity_mAh_g")
             if n in whole]
    return whole[[*first, *(n for n in whole.columns if n not in first)]]


def _marks(one: BenchCell, mine: Any, start: float) -> dict[str, Any]:
    """What belongs to the cell: mode of charging, window, and the marks of its first cycle."""
    cycles = one.cycles
    held = cycles.loc[cycles["complete"], "charge_cv_share"].median()
    out: dict[str, Any] = {"charge_mode": "CCCV" if held > HELD else "CC"}
    whole = cycles[cycles["complete"]]
    if len(whole):
        low, high = (round(20 * float(whole[n].median())) / 20
                     for n in ("discharge_end_V", "charge_end_V"))
        out["window"] = f"{low:g}-{high:g} V vs {one.counter.written}"
    first = mine[mine["cycle"] == 1]
    if len(first) and start > 1 and first["status"].iloc[0] == "done":
        out |= {"first_cycle_efficiency": first["coulombic_efficiency"].iloc[0],
                "decomposition_mAh_g": one.marks["decomposition"],
                "hindrance_peak_V": one.marks["peak_V"],
                "hindrance_peak_mAh_g_V": one.marks["peak"]}
    return out


def _notes(made: list[BenchCell], frames: Mapping[str, float]) -> list[str]:
    notes: dict[str, list[str]] = {}
    for one in made:
        for note in one.notes:
            notes.setdefault(note, []).append(one.name)
        if one.cycles is not None and not one.sheet.get("rate_plan"):
            notes.setdefault("no rate_plan: the nearest usual rate was taken", []).append(one.name)
        unknown = (not empty(one.sheet.get("torque_Nm")) and empty(one.sheet.get("stack_MPa"))
                   and np.isnan(stack_pressure(1.0, one.sheet.get("frame"), frames)))
        if unknown:
            notes.setdefault("a torque without a known frame gives no stack pressure (frames: "
                             f"{', '.join(frames)})", []).append(one.name)
    return [f"{note}: {', '.join(who[:5])}{f' and {len(who) - 5} more' if len(who) > 5 else ''}"
            for note, who in notes.items()]
