"""The cell sheet: its rows checked, each with its export, its loading and its stack pressure."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from . import cycler
from .columns import COLUMNS, did_you_mean
from .currents import cell_area_cm2
from .cycler import CounterElectrode, CounterElectrodeError
from .cycles import rate_plan
from .faults import ALL, Fault
from .problems import Problem, TableError
from .reading import read_rows
from .validation import validate

ENDINGS = (".mpt", ".mpr", ".txt", ".csv", ".tsv", ".dat", ".parquet")

FRAMES: dict[str, float] = {"steel": 80.0, "aluminium": 50.0}
"""Stack pressure at 10 N m [MPa] (Kissel thesis lines 1498 and 1760); it is taken as proportional
to the torque, as a bolt's preload is."""

NEEDED = ("cell", "composite_mass_mg", "active_fraction", "c_rate_basis_mAh_g")
"""What a sheet must have; any other column of the registry is carried along."""


@dataclass
class BenchCell:
    """A cell on its way through the checks."""

    name: str
    sheet: dict[str, Any]
    counter: CounterElectrode
    file: str = ""
    cycles: Any = None  # a DataFrame once the export is read
    notes: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    marks: dict[str, float] = field(default_factory=dict)
    signature: str = ""
    ratio: float = float("nan")

    @property
    def sound(self) -> bool:
        return self.cycles is not None and not any(f.from_cycle == ALL for f in self.faults)


def read_sheet(
    sheet: str | os.PathLike[str] | pd.DataFrame, vs: str | None
) -> list[BenchCell]:
    """The cells of a sheet, each with its counter electrode.

    Raises
    ------
    TableError
        With everything that is wrong in the sheet; a counter electrode that is not named.
    """
    needed = pd.DataFrame({
        "name": NEEDED, "role": "context", "needed": True,
        "level": [COLUMNS[n].level for n in NEEDED], "unit": [COLUMNS[n].unit for n in NEEDED]})
    table: Any
    if isinstance(sheet, pd.DataFrame):
        name, table = "sheet", validate(sheet, needed, where="sheet")
    else:
        name, table = Path(sheet).name, read_rows(sheet, needed)
    if vs is not None:
        cycler.counter_electrode(vs)
    problems = [Problem(row, column, None, "an empty cell; every cell of the sheet needs it")
                for column in NEEDED for row in table.index[table[column].isna()]]
    labels: Any = table["cell"].dropna()
    for row in labels.index[labels.duplicated()]:
        problems.append(Problem(row, "cell", labels[row], "a label of its own: this cell has a "
                                "row already; one row a cell, e.g. K3-1 for cell 1 of batch K3"))
    counters: dict[str, CounterElectrode] = {}
    for row, entry in table.iterrows():
        stated = entry.get("counter_electrode")
        if stated is not None and vs is not None and stated != vs:
            problems.append(Problem(row, "counter_electrode", stated,
                                    f"{vs!r} as vs says; for a folder with both leave vs out"))
        if (stated or vs) is None:
            told = ("the counter electrode: say vs='Li' or vs='InLi' (--vs on the command line), "
                    "or name it for every cell in the column counter_electrode")
            raise CounterElectrodeError(name, [Problem(None, None, "none", told)])
        counters[str(entry["cell"])] = cycler.COUNTER_ELECTRODES[str(stated or vs)]
        if entry.get("rate_plan") is not None:
            try:
                rate_plan(str(entry["rate_plan"]))
            except ValueError as bad:
                problems.append(Problem(row, "rate_plan", None, str(bad)))
    if problems:
        raise TableError(name, problems)
    rows = cast("list[dict[str, Any]]", table.to_dict("records"))
    return [BenchCell(str(row["cell"]), row, counters[str(row["cell"])]) for row in rows]


def match(
    made: list[BenchCell], files: list[Path], where: Path
) -> tuple[list[Fault], list[tuple[BenchCell, list[Path]]]]:
    """Give each cell its file: by the sheet's ``file``, or the longest label it begins with."""
    report: list[Fault] = []
    of: dict[str, list[Path]] = {one.name: [] for one in made}
    stated = {str(one.sheet["file"]).lower(): one.name for one in made if one.sheet.get("file")}
    labels = {one.name.lower(): one.name for one in made if not one.sheet.get("file")}
    for path in files:
        shown = str(path.relative_to(where))
        cell = next((stated[k] for k in (path.name.lower(), shown.lower(), path.stem.lower())
                     if k in stated), None)
        if cell is None:
            stem = path.stem.lower()
            fits = [n for n in labels if stem == n
                    or (stem.startswith(n) and not stem[len(n)].isalnum())]
            cell = labels[max(fits, key=len)] if fits else None
        if cell is None:
            report.append(Fault("", shown, "file without sheet row", ALL,
                                f"no cell of the sheet has this file"
                                f"{did_you_mean(path.stem, labels.values())}",
                                "add the cell to the sheet, or name the file in its column file"))
        else:
            of[cell].append(path)
    matched = []
    for one in made:
        here = of[one.name]
        one.file = "; ".join(str(p.relative_to(where)) for p in here)
        if one.sheet.get("status") in ("planned", "running", "abandoned") and not here:
            continue
        if not here:
            named = one.sheet.get("file")
            found = f"there is no file {named!r}" if named else "no file begins with its name"
            one.faults.append(Fault(one.name, str(named or ""), "sheet row without file", ALL,
                                    found, "export the cell, name its file in the column file, or "
                                    "set its status to planned"))
        else:
            matched.append((one, here))
    return report, matched


def stack_pressure(
    torque_Nm: float, frame: str | None, frames: Mapping[str, float] | None = None
) -> float:
    """Stack pressure of a frame at a torque [MPa], NaN for an unknown frame.

    p = p(10 N m) * torque / 10 N m, with p(10 N m) of `FRAMES`: 80 MPa in the steel frame, 50 MPa
    in the aluminium one.
    """
    known = {k.lower(): v for k, v in (FRAMES if frames is None else frames).items()}
    name = str(frame or "").lower().replace("aluminum", "aluminium")
    return known.get(name, float("nan")) * torque_Nm / 10.0


def assembly(base: Mapping[str, Any], frames: Mapping[str, float]) -> dict[str, Any]:
    """Loading and stack pressure from what the sheet has, where it does not state them."""
    out: dict[str, Any] = {}
    if empty(base.get("areal_loading_mg_cm2")) and not empty(base.get("cell_diameter_mm")):
        area = cell_area_cm2(float(base["cell_diameter_mm"]))
        out["areal_loading_mg_cm2"] = float(base["composite_mass_mg"]) / area
    if empty(base.get("stack_MPa")) and not empty(base.get("torque_Nm")):
        pressure = stack_pressure(float(base["torque_Nm"]), base.get("frame"), frames)
        if np.isfinite(pressure):
            out |= {"stack_MPa": pressure, "stack_MPa_q": "~"}
    return out


def empty(value: Any) -> bool:
    return value is None or value != value
