"""Simulated cycler exports: a simple solid-state cell, three file formats, six kinds of fault.

All numbers here are simulated. The cell: an open-circuit potential over the share of lithium
taken out, one resistance, a limited utilization, an irreversible part of the first charge, and an
electrolyte that decomposes below 3.0 V vs In/InLi at first. It is good enough to tell whether a
reader finds what was put in; it is no model of a cathode.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

OFFSET = {"Li": 0.0, "InLi": 0.620}
BASIS = 190.0
PLAN = "1x0.1, 2x0.1, 2x0.3, 2x1, 1x0.1"
RATES = [0.1, 0.1, 0.1, 0.3, 0.3, 1.0, 1.0, 0.1]


@dataclass
class Cell:
    """One simulated cell; masses in mg, capacities in mAh/g, resistance in Ohm."""

    name: str = "K1-1"
    mass_mg: float = 12.0
    active_fraction: float = 0.693
    utilization: float = 0.9
    resistance: float = 40.0
    full_mAh_g: float = 215.0
    lost: float = 0.12  # of the full capacity, in the first charge only
    decomposition_mAh_g: float = 4.0
    vs: str = "InLi"
    hold: bool = False  # CCCV charge, to a tenth of the current
    rates: list[float] = field(default_factory=lambda: list(RATES))
    upper_V: float = 4.30  # against Li+/Li
    lower_V: float = 2.52
    short_from: int = 0  # cycle from which charge leaks through the separator
    titrated: int = 0  # cycle whose charge stops early, as a titration's does
    current_factor: float = 1.0  # of the current that the plan means
    points: int = 40

    @property
    def active_g(self) -> float:
        return 1e-3 * self.mass_mg * self.active_fraction


def open_circuit(x: np.ndarray) -> np.ndarray:
    """Potential against Li+/Li over the share of lithium taken out, 0 to 1 [V]."""
    return (3.66 + 0.56 * x - 0.012 / (x + 0.0105) + 0.012 / (1.03 - x)
            + 0.03 * np.tanh((x - 0.62) / 0.05))


def record(cell: Cell) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Readings (time_s, voltage_V, current_mA, charge_mAh, mode, step) and the true cycles."""
    scale = cell.full_mAh_g * cell.utilization * cell.active_g
    grid = np.linspace(0.0, 1.0, 4001)
    ocv = open_circuit(grid)
    parts: list[np.ndarray] = []
    truth = []
    state = {"t": 0.0, "q": 0.0, "x": 0.0, "step": 0}

    def add(t: np.ndarray, v: np.ndarray, i: np.ndarray, q: np.ndarray, mode: int) -> None:
        state["step"] += 1
        parts.append(np.column_stack([state["t"] + t, v, i, state["q"] + q,
                                      np.full(len(t), mode), np.full(len(t), state["step"])]))
        state["t"] += float(t[-1])
        state["q"] += float(q[-1])

    def rest(volts: float, hours: float = 1.0) -> None:
        t = np.linspace(10.0, hours * 3600.0, 20)
        v = volts + 0.01 * np.exp(-t / 600.0)
        add(t, v, np.zeros(20), np.zeros(20), 3)

    def flow(way: int, current: float, leak: float, first: bool, early: float = 0.0) -> float:
        """Charge (way 1) or discharge at constant current to the cut-off; mAh passed."""
        cut = cell.upper_V - early if way == 1 else cell.lower_V
        loaded = ocv + way * current * 1e-3 * cell.resistance
        ahead = grid >= state["x"] if way == 1 else grid <= state["x"]
        here = np.flatnonzero(ahead & (way * loaded < way * cut))
        here = here if way == 1 else here[::-1]
        here = here[np.linspace(0, len(here) - 1, cell.points).astype(int)]
        q = way * np.abs(grid[here] - grid[here[0]]) * scale
        v = loaded[here]
        if first:
            lead = np.linspace(0.05, 1.0, 8)
            shoulder = cell.decomposition_mAh_g * cell.active_g
            q = np.concatenate([shoulder * lead, shoulder + cell.lost * scale * lead[1:],
                                shoulder + cell.lost * scale + q[1:]])
            v = np.concatenate([2.9 + 0.69 * lead, np.linspace(3.63, v[0], 7), v[1:]])
            v = np.maximum.accumulate(v)
        q = q * (1.0 + leak)
        t = np.abs(q) / current * 3600.0 + 5.0
        add(t, v, np.full(len(q), way * current), q, 1)
        state["x"] = float(grid[here[-1]])
        passed = abs(float(q[-1]))
        if way == 1 and cell.hold:
            decay = np.linspace(0.95, 0.1, 15)
            more = np.clip(np.interp(cut, ocv, grid) - state["x"], 0, 1) * 0.8 * scale
            qs = more * np.linspace(0.05, 1.0, 15)
            hours = np.cumsum(np.diff(qs, prepend=0.0) / (current * decay))
            add(hours * 3600.0 + 5.0, np.full(15, v[-1]), current * decay, qs, 2)
            state["x"] += more / scale
            passed += float(qs[-1])
        return passed

    rest(2.70)
    for k, rate in enumerate(cell.rates, start=1):
        current = rate * BASIS * cell.active_g * cell.current_factor
        leak = 0.6 if cell.short_from and k >= cell.short_from else 0.0
        charged = flow(1, current, leak, k == 1, 0.3 if k == cell.titrated else 0.0)
        rest(float(np.interp(state["x"], grid, ocv)))
        discharged = flow(-1, current, 0.0, False)
        rest(float(np.interp(state["x"], grid, ocv)) + 0.1)
        truth.append({"cycle": k, "c_rate": rate, "charge_mAh_g": charged / cell.active_g,
                      "discharge_mAh_g": discharged / cell.active_g})
    names = ["time_s", "voltage_V", "current_mA", "charge_mAh", "mode", "step"]
    table = pd.DataFrame(np.concatenate(parts), columns=pd.Index(names))
    rng = np.random.default_rng(list(cell.name.encode()))
    table["voltage_V"] += rng.normal(0.0, 5e-5, len(table)) - OFFSET[cell.vs]
    return table, pd.DataFrame(truth)


def write_mpt(table: pd.DataFrame, path: Path, *, comma: bool = False, bt: bool = False) -> None:
    """BioLogic text: latin-1, tabs, exponents, the header told by its number of lines."""
    header = [f"{'BT' if bt else 'EC'}-Lab ASCII FILE", "Nb header lines : 0", "", "Modulo Bat", "",
              "Run on channel : A1 (SN 0335)", "Electrode surface area : 0.785 cm²",
              "Acquisition started on : 11/20/2025 11:38:41.707", "",
              "mode\tox/red\terror\tcontrol changes\tNs changes\tcounter inc.\tNs\ttime/s\t"
              "control/V/mA\tEwe/V\t<I>/mA\tdQ/mA.h\t(Q-Qo)/mA.h\thalf cycle\tcycle number"]
    header[1] = f"Nb header lines : {len(header)}"
    if bt:
        header[-1] = header[-1].replace("Ewe/V", "Ecell/V")
    gain = np.diff(table["charge_mAh"], prepend=0.0)
    rows = []
    r: Any
    for k, r in enumerate(table.itertuples(index=False)):
        numbers = "\t".join(f"{v:.9E}" for v in (r.time_s, r.current_mA, r.voltage_V,
                                                 r.current_mA, gain[k], r.charge_mAh))
        flags = f"{r.mode:.0f}\t{int(r.current_mA > 0)}\t0\t0\t0\t0\t{r.step:.0f}"
        rows.append(f"{flags}\t{numbers}\t0\t0")
    text = "\r\n".join(rows)
    path.write_bytes(("\r\n".join(header) + "\r\n"
                      + (text.replace(".", ",") if comma else text) + "\r\n").encode("latin-1"))


def write_basytec(table: pd.DataFrame, path: Path, *, tabs: bool = False) -> None:
    """BaSyTec text: '~' before its header, hours and amperes, blanks or tabs."""
    names = ["~Time[h]", "DataSet", "DateTime", "t-Step[h]", "Line", "Command", "U[V]", "I[A]",
             "Ah[Ah]", "T1[°C]", "Cyc-Count", "State"]
    lines = ["~Resultfile from Basytec Battery Test System",
             "~Date and Time of Data Converting: 19.05.2025 14:36:50",
             "~Name of Test: simulated", "~Battery: " + path.stem, "~"]
    sign = "\t" if tabs else " "
    lines.append(sign.join(names))
    start = pd.Timestamp("2025-05-05 14:36:06")
    r: Any
    for k, r in enumerate(table.itertuples(index=False), start=1):
        stamp = (start + pd.Timedelta(seconds=r.time_s)).strftime("%d.%m.%Y %H:%M:%S")
        word = "Pause" if r.current_mA == 0 else "Charge" if r.current_mA > 0 else "Discharge"
        lines.append(sign.join([f"{r.time_s / 3600.0:.8f}", str(k), stamp, "0", f"{r.step:.0f}",
                                word, f"{r.voltage_V:.6f}", f"{1e-3 * r.current_mA:.9f}",
                                f"{1e-3 * r.charge_mAh:.10f}", "25", "1", "1"]))
    path.write_bytes(("\r\n".join(lines) + "\r\n").encode("latin-1"))


def bdf(table: pd.DataFrame) -> pd.DataFrame:
    """The columns of the Battery Data Format."""
    return pd.DataFrame({
        "Test Time / s": table["time_s"], "Voltage / V": table["voltage_V"],
        "Current / A": 1e-3 * table["current_mA"], "Cycle Count / 1": 1,
        "Step ID": table["step"].astype(int), "Net Capacity / Ah": 1e-3 * table["charge_mAh"]})


def write_mpr(table: pd.DataFrame, path: Path) -> None:
    """BioLogic binary, the smallest that holds mode, Ns, time, Ewe, <I> and (Q-Qo)."""
    rows = np.zeros(len(table), dtype=[("flags", "u1"), ("Ns", "<u2"), ("t", "<f8"), ("v", "<f4"),
                                       ("i", "<f8"), ("q", "<f8")])
    for name, column in zip(rows.dtype.names or (), ("mode", "step", "time_s", "voltage_V",
                                                     "current_mA", "charge_mAh"), strict=True):
        rows[name] = table[column]
    ids = np.array([1, 131, 4, 6, 11, 13], dtype="<u2")
    head = np.uint32(len(rows)).tobytes() + bytes([len(ids)]) + ids.tobytes()

    def module(short: bytes, long: bytes, version: int, body: bytes) -> bytes:
        return (b"MODULE" + short.ljust(10) + long.ljust(25) + np.uint32(len(body)).tobytes()
                + np.uint32(version).tobytes() + b"05/05/25" + body)

    path.write_bytes(b"BIO-LOGIC MODULAR FILE\x1a".ljust(48) + bytes(4)
                     + module(b"VMP Set", b"VMP settings", 0, b"")
                     + module(b"VMP data", b"VMP data", 2, head.ljust(405, b"\0")
                              + rows.tobytes()))


def write(table: pd.DataFrame, path: Path, kind: str) -> Path:
    """Write a record as one of the kinds of file and return its path."""
    if kind in ("mpt", "mpt comma"):
        path = path.with_suffix(".mpt")
        write_mpt(table, path, comma=kind == "mpt comma", bt=kind == "mpt")
    elif kind == "mpr":
        path = path.with_suffix(".mpr")
        write_mpr(table, path)
    elif kind in ("basytec", "basytec tabs"):
        path = path.with_suffix(".txt")
        write_basytec(table, path, tabs=kind == "basytec tabs")
    elif kind == "bdf":
        path = path.with_suffix(".csv")
        bdf(table).to_csv(path, index=False)
    else:
        path = path.with_suffix(".parquet")
        bdf(table).rename(columns={
            "Test Time / s": "test_time_second", "Voltage / V": "voltage_volt",
            "Current / A": "current_ampere", "Net Capacity / Ah": "net_capacity_ah",
        }).to_parquet(path)
    return path


KINDS = ("mpt", "mpt comma", "basytec", "basytec tabs", "bdf", "parquet")
FAULTS = ("soft short", "wrong mass", "incomplete file", "swapped polarity", "wrong current",
          "duplicated export")


def sheet_row(cell: Cell, batch: str, method: str) -> dict[str, object]:
    """What the laboratory's sheet says of a cell."""
    return {"cell": cell.name, "batch": batch, "method": method,
            "composite_mass_mg": cell.mass_mg, "active_fraction": cell.active_fraction,
            "c_rate_basis_mAh_g": BASIS, "rate_plan": PLAN, "cell_diameter_mm": 10,
            "separator_mass_mg": 80, "anode_preparation": "pressed with the cell",
            "anode_resistance_ohm_cm2": 2.5, "torque_Nm": 10, "frame": "steel",
            "temperature_degC": 25, "lot": "LPSCl 7", "operator": "A"}


@dataclass
class Folder:
    """A simulated week: where it is, and what is true."""

    path: Path
    sheet: Path
    truth: pd.DataFrame  # cell, cycle, c_rate, charge_mAh_g, discharge_mAh_g
    faults: dict[str, str]  # cell -> fault


def folder(path: Path, cells: int = 200, seed: int = 1) -> Folder:
    """Write a folder of exports and its sheet: every tenth cell has one of the six faults."""
    rng = np.random.default_rng(seed)
    path.mkdir(parents=True, exist_ok=True)
    rows, truths = [], []
    wrong: dict[str, str] = {}
    last, before = "", Path()
    for k in range(cells):
        batch = f"B{k // 4 + 1:02d}"
        made = Cell(f"{batch}-{k % 4 + 1}", mass_mg=round(float(rng.normal(12.0, 0.3)), 2),
                    utilization=float(rng.uniform(0.82, 0.97)),
                    resistance=float(rng.uniform(25, 60)), hold=False)
        fault = FAULTS[(k // 10) % 6] if k % 10 == 5 else ""
        if fault:
            wrong[made.name] = fault
        row = sheet_row(made, batch, "hand" if (k // 4) % 2 else "machine")
        if fault == "soft short":
            made.short_from = 4
        elif fault == "wrong mass":
            row["composite_mass_mg"] = round(1.3 * made.mass_mg, 2)
        elif fault == "wrong current":
            made.current_factor = 1.5
        table: Any
        table, truth = record(made)
        if fault == "swapped polarity":
            table["voltage_V"] *= -1
        elif fault == "incomplete file":
            table = table[table["time_s"] < 0.6 * table["time_s"].max()]
        file = write(table, path / f"{made.name}_rate_C{k % 16 + 1:02d}", KINDS[k % 6])
        if fault == "duplicated export":
            file.unlink()
            file = file.with_suffix(before.suffix)
            file.write_bytes(before.read_bytes())
            wrong[last] = fault
        last, before = made.name, file
        rows.append(row)
        truths.append(truth.assign(cell=made.name))
    sheet = path / "cells.xlsx"
    pd.DataFrame(rows).to_excel(sheet, index=False)
    return Folder(path, sheet, pd.concat(truths, ignore_index=True), wrong)
