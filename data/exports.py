"""Cycler exports as they come: which format a file has, and its columns in our units.

Formats are recognised from their content, never from their ending: BioLogic text (``.mpt``, with
or without its header) and binary (``.mpr``, through the package galvani), BaSyTec text, the
Battery Data Format (labels such as "Test Time / s" or names such as ``test_time_second``; CSV or
Parquet), and any delimited text with a voltage and a charge or current whose units stand in the
column names. Bad cells raise with their row; nothing is guessed from a column without a unit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from importlib import import_module
from io import BytesIO, StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .files import file_error
from .problems import Problem, TableError

_TIME = {"s": 1.0, "sec": 1.0, "second": 1.0, "min": 60.0, "h": 3600.0, "ms": 1e-3}
_VOLT = {"v": 1.0, "volt": 1.0, "mv": 1e-3}
_AMPERE = {"a": 1e3, "ma": 1.0, "ua": 1e-3, "µa": 1e-3, "μa": 1e-3}
_CHARGE = {"ah": 1e3, "a.h": 1e3, "mah": 1.0, "ma.h": 1.0, "uah": 1e-3, "µa.h": 1e-3,
           "c": 1 / 3.6}

# quantity -> (its names in order of preference, unit -> factor to s, V, mA, mAh)
_QUANTITIES: dict[str, tuple[tuple[str, ...], dict[str, float]]] = {
    "time_s": (("test time", "time", "t", "testtime", "total time"), _TIME),
    "voltage_V": (("ecell", "<ecell>", "ewe", "<ewe>", "voltage", "u", "cell voltage", "potential",
                   "e", "ocv"), _VOLT),
    "current_mA": (("<i>", "i", "current", "cur"), _AMPERE),
    "charge_mAh": (("(q-qo)", "q-qo", "net capacity", "ah", "q", "charge"), _CHARGE),
    "increment_mAh": (("dq",), _CHARGE),
    "charging_mAh": (("charging capacity", "charge capacity"), _CHARGE),
    "discharging_mAh": (("discharging capacity", "discharge capacity"), _CHARGE),
}
_UNITLESS = {
    "step": ("ns", "line", "step id", "step index", "step count", "step"),
    "mode": ("mode",),
}
_MACHINE = {  # names that hold their unit: Battery Data Format and our own
    "test_time_second": ("time_s", 1.0), "test_time_millisecond": ("time_s", 1e-3),
    "voltage_volt": ("voltage_V", 1.0), "voltage_millivolt": ("voltage_V", 1e-3),
    "current_ampere": ("current_mA", 1e3), "current_milliampere": ("current_mA", 1.0),
    "net_capacity_ah": ("charge_mAh", 1e3), "charging_capacity_ah": ("charging_mAh", 1e3),
    "discharging_capacity_ah": ("discharging_mAh", 1e3), "step_id": ("step", 1.0),
    "step_index": ("step", 1.0), "step_count": ("step", 1.0),
    "time_s": ("time_s", 1.0), "voltage_v": ("voltage_V", 1.0), "current_ma": ("current_mA", 1.0),
    "charge_mah": ("charge_mAh", 1.0),
}
LOOKED_FOR = (
    "BioLogic text (first line 'EC-Lab ASCII FILE' or 'BT-Lab ASCII FILE'), BioLogic .mpr, BaSyTec "
    "text (lines that begin with '~'), the Battery Data Format (columns 'Test Time / s', 'Voltage "
    "/ V', 'Current / A'), or columns with units such as 'U [V]' and 'Q [mAh]'"
)


@dataclass(frozen=True)
class Export:
    """The columns of one export.

    ``columns`` holds equally long float arrays under the names ``time_s``, ``voltage_V``,
    ``current_mA``, ``charge_mAh``, ``step``, and ``mode`` (1 CC, 2 CV, 3 rest: BioLogic's codes);
    ``rows`` the row of the file that each reading stands in.
    """

    format: str
    columns: dict[str, np.ndarray]
    rows: np.ndarray
    notes: list[str] = field(default_factory=list)


def read_export(path: Path) -> Export:
    """Recognise a cycler file and read its columns.

    Raises
    ------
    TableError
        If the file is missing, empty, of no known format, or has cells that are no numbers.
    """
    if not path.is_file():
        raise file_error(path, "there is no such file" if not path.exists() else "this is no file")
    content = path.read_bytes()
    if not content.strip():
        raise file_error(path, "the file is empty")
    if content.startswith(b"BIO-LOGIC MODULAR FILE"):
        return _mpr(path, content)
    if content.startswith(b"PAR1"):
        return _parquet(path)
    text = _decoded(path, content)
    if re.match(r"(EC|BT)-Lab ASCII FILE", text):
        return _mpt(path, text)
    head = text[:20_000].splitlines()
    tilde = [i for i, line in enumerate(head) if line.startswith("~")]
    if tilde and tilde[0] == 0:
        heads = [i for i in tilde if re.match(r"~\s*time\s*\[", head[i], re.I)]
        if not heads:
            raise file_error(path, "this looks like a BaSyTec file, but no line begins with "
                             "'~Time['; export it again with its column names")
        return _delimited(path, text, heads[0], "BaSyTec text")
    bdf = re.search(r"test time / s|test_time_(milli)?second|voltage_volt", head[0], re.I)
    return _delimited(path, text, 0, "Battery Data Format" if bdf else "delimited text")


def joined(parts: list[tuple[str, Export]]) -> Export:
    """One export of several files of one test, e.g. a file for each technique of EC-Lab.

    They are put in the order of their times, which must not overlap: a time that starts again in
    each file says nothing about what came first. No charge passes between files.

    Raises
    ------
    TableError
        If a file has no time, or two overlap.
    """
    lone = next((name for name, e in parts if "time_s" not in e.columns), None)
    if lone is not None:
        raise TableError(lone, [Problem(None, None, None, "one of several files of a cell, but it "
                                        "has no time by which to put them in order")])
    parts = sorted(parts, key=lambda p: (float(p[1].columns["time_s"][0]), p[0]))
    for (name, one), (after, two) in pairwise(parts):
        end, start = one.columns["time_s"][-1], two.columns["time_s"][0]
        if start < end:
            raise TableError(after, [Problem(None, "time", f"{start:g} s", (
                f"at least {end:g} s, where {name} ends: the times of the two files overlap, so "
                "one was exported twice, or their clocks start anew; keep one of them, or join "
                "them in the cycler's software"))])
    common = set.intersection(*(set(e.columns) for _, e in parts))
    columns: dict[str, np.ndarray] = {}
    for name in sorted(common):
        pieces = [e.columns[name] for _, e in parts]
        if name in ("charge_mAh", "step"):  # counters that may start again in each file
            end, shifted = 0.0, []
            for piece in pieces:
                gap = 0.0 if name == "charge_mAh" else 1.0
                shifted.append(piece - piece[0] + end + gap)
                end = float(shifted[-1][-1])
            pieces = shifted
        columns[name] = np.concatenate(pieces)
    return Export(parts[0][1].format, columns, np.concatenate([e.rows for _, e in parts]),
                  [note for _, e in parts for note in e.notes]
                  + [f"{len(parts)} files were joined by their times"])


def _decoded(path: Path, content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="replace")
    if b"\x00" in content[:4096]:
        raise file_error(path, f"this is a binary file of no known format; looked for {LOOKED_FOR}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:  # the µ and ° of a German or French Windows
        return content.decode("latin-1")


def _mpt(path: Path, text: str) -> Export:
    found = re.search(r"^Nb header lines\s*:\s*(\d+)", text[:2000], re.M)
    if not found:
        raise file_error(path, "its first line is BioLogic's, but 'Nb header lines : ...' does not "
                         "follow; export it as text again")
    at = int(found[1]) - 1
    if at < 2 or text.count("\n") < at:
        raise file_error(path, f"it says that it has {found[1]} header lines, but it ends before "
                         "its column names; export it as text again")
    return _delimited(path, text, at, "BioLogic text")


def _mpr(path: Path, content: bytes) -> Export:
    try:
        reader: Any = import_module("galvani.BioLogic")
    except ImportError:
        raise file_error(path, "a BioLogic .mpr file is read with the package galvani, which is "
                         "not installed: pip install 'ssbayes[biologic]', or export the file as "
                         ".mpt in EC-Lab") from None
    try:
        file = reader.MPRfile(BytesIO(content))
    except (ValueError, OSError, NotImplementedError, LookupError, AssertionError) as bad:
        told = str(bad)[:80] or "its modules do not fit"
        raise file_error(path, f"this .mpr file cannot be read ({told}); export it as .mpt in "
                         "EC-Lab") from None
    table = {str(n): np.asarray(file.data[n], dtype="float64") for n in file.data.dtype.names}
    if "mode" in file.flags_dict:
        table["mode"] = np.asarray(file.get_flag("mode"), dtype="float64")
    return _columns(path, "BioLogic .mpr", pd.DataFrame(table), np.arange(1, len(file.data) + 1))


def _parquet(path: Path) -> Export:
    from pyarrow.lib import ArrowException

    try:
        table = pd.read_parquet(path)
    except (ArrowException, OSError, ValueError):
        raise file_error(path, "this Parquet file is broken; copy it again") from None
    return _columns(path, "Battery Data Format", table, np.arange(2, len(table) + 2))


def _delimited(path: Path, text: str, at: int, format: str) -> Export:
    """Read text from its header line ``at`` (counted from 0) on."""
    lines = text.splitlines()
    if at >= len(lines):
        raise file_error(path, "it ends before its column names; export it again")
    header = lines[at].lstrip("~").strip("\r\n")
    body = [i for i in range(at + 1, len(lines)) if lines[i].strip()]
    separator = next((s for s in "\t;," if s in header), None)
    names = header.split(separator) if separator else header.split()
    if not _chosen(names):
        raise _unknown(path, names, format)
    if not body:
        raise file_error(path, "it has a header but no rows below it")
    first = lines[body[0]]
    if separator is None and len(first.split()) == len(names) + 1:
        # BaSyTec writes date and time with a blank between them under one name
        at_date = next((i for i, n in enumerate(names) if n.lower() in ("datetime", "date/time")),
                       None)
        if at_date is not None:
            names.insert(at_date + 1, "clock")
    comma = _decimal_comma(path, lines, body, separator)
    rest = "\n".join(lines[i] for i in body)
    chosen = _chosen(names)
    try:
        table = pd.read_csv(
            StringIO(rest), sep=separator or r"\s+", header=None, names=range(len(names)),
            usecols=sorted(i for i, _ in chosen.values()), decimal="," if comma else ".",
            low_memory=False, index_col=False, na_values=["", "XXX", "NaN"],
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError, ValueError) as bad:
        raise file_error(path, f"its rows cannot be split into {len(names)} columns ({bad}); "
                         "export it again") from None
    table.columns = pd.Index([names[i] for i in table.columns])
    return _columns(path, format, table, np.asarray(body) + 1)


def _decimal_comma(path: Path, lines: list[str], body: list[int], separator: str | None) -> bool:
    """Whether numbers have a decimal comma; a file with both signs is refused."""
    if separator == ",":
        return False
    number = re.compile(r"[+-]?\d+([.,])\d+(?:[eE][+-]?\d+)?")
    seen: dict[str, int] = {}
    for i in [*body[:200], *body[-50:]]:
        for cell in lines[i].split(separator):
            if found := number.fullmatch(cell.strip()):
                seen.setdefault(found[1], i)
    if len(seen) == 2:
        raise file_error(path, f"numbers have a decimal comma (row {seen[','] + 1}) and a decimal "
                         f"point (row {seen['.'] + 1}); export it again with one of them")
    return "," in seen


def _split(header: str) -> tuple[str, str]:
    """Name and unit of a header such as "U[V]", "Test Time / s", "(Q-Qo)/mA.h", "I (mA)"."""
    text = header.strip().strip('"~').strip()
    if found := re.fullmatch(r"(.+?)\s*[\[(]\s*([^\[\]()]*)\s*[\])]", text):
        name, unit = found[1], found[2]
    else:
        name, _, unit = text.partition("/")
    return " ".join(name.lower().replace("_", " ").split()), unit.strip().lower()


def _chosen(names: list[str]) -> dict[str, tuple[int, float]]:
    """For each quantity the best of the columns: its position and the factor to our unit."""
    best: dict[str, tuple[int, int, float]] = {}

    def offer(quantity: str, rank: int, i: int, factor: float) -> None:
        if quantity not in best or rank < best[quantity][0]:
            best[quantity] = (rank, i, factor)

    for i, header in enumerate(names):
        plain = str(header).strip().strip('"').lower()
        if plain in _MACHINE:
            offer(_MACHINE[plain][0], 0, i, _MACHINE[plain][1])
            continue
        name, unit = _split(str(header))
        for quantity, (known, units) in _QUANTITIES.items():
            clock = quantity == "time_s" and unit == "h:min:s"
            if name in known and (unit in units or clock):
                offer(quantity, known.index(name) + clock, i, units.get(unit, 1.0))
        for quantity, known in _UNITLESS.items():
            if name in known and unit in ("", "1"):
                offer(quantity, known.index(name), i, 1.0)
    return {q: (i, factor) for q, (_, i, factor) in best.items()}


def _unknown(path: Path, names: list[str], format: str) -> TableError:
    shown = ", ".join(repr(n.strip()[:30]) for n in names[:8])
    bare = [n.strip() for n in names if _split(n)[1] == ""
            and any(_split(n)[0] in known for known, _ in _QUANTITIES.values())]
    hint = (f"; {', '.join(map(repr, bare[:4]))} without a unit: write 'voltage [V]', 'time [s]' "
            "or the like" if bare else "")
    if format in ("BioLogic text", "BaSyTec text"):
        return file_error(path, f"a {format} file without columns that are known: {shown}{hint}")
    return file_error(path, f"no known cycler format{hint}; looked for {LOOKED_FOR}; "
                      f"its first line is {shown}")


def _columns(path: Path, format: str, table: pd.DataFrame, rows: np.ndarray) -> Export:
    names = [str(c) for c in table.columns]
    chosen = _chosen(names)
    if "voltage_V" not in chosen or not chosen.keys() & {
            "current_mA", "charge_mAh", "increment_mAh", "charging_mAh"}:
        missing = "voltage" if "voltage_V" not in chosen else "current or charge"
        if not chosen:
            raise _unknown(path, names, format)
        raise file_error(path, f"{format} without a column for the {missing}; it has "
                         f"{', '.join(repr(n) for n in names[:12])}. Names with units are "
                         "understood, for example 'Ewe/V', 'U[V]', 'Voltage / V', '<I>/mA', "
                         "'I[A]', 'Q [mAh]'")
    columns: dict[str, np.ndarray] = {}
    notes: list[str] = []
    # a copy that was cut off ends within a row: that row is left out and told
    wanted = [i for q, (i, _) in chosen.items() if q not in ("mode", "step")]
    last_cut = len(table) > 1 and bool(table.iloc[-1, wanted].isna().any())
    if last_cut:
        table, rows = table.iloc[:-1], rows[:-1]
        notes.append("the last row is cut off and was left out")
    for quantity, (i, factor) in chosen.items():
        series: Any = table.iloc[:, i]
        if quantity in ("step", "mode"):  # other programs have words or codes of their own here
            codes = np.asarray(pd.to_numeric(series, errors="coerce"), dtype="float64")
            if np.isfinite(codes).all() and (quantity == "step" or set(codes) <= {1.0, 2.0, 3.0}):
                columns[quantity] = codes
            continue
        columns[quantity] = _numbers(path, names[i], series, rows, quantity) * factor
    for quantity in ("voltage_V", "current_mA", "charge_mAh", "time_s"):
        holes = np.flatnonzero(~np.isfinite(columns.get(quantity, np.zeros(1))))
        if len(holes):
            name = names[chosen[quantity][0]]
            raise TableError(path.name, [Problem(
                int(rows[holes[0]]), name, None,
                f"an empty cell, one of {len(holes)}; export the file again")])
    if "charge_mAh" not in columns and {"charging_mAh", "discharging_mAh"} <= columns.keys():
        columns["charge_mAh"] = columns["charging_mAh"] - columns["discharging_mAh"]
    if "charge_mAh" not in columns and "increment_mAh" in columns:
        columns["charge_mAh"] = np.cumsum(np.nan_to_num(columns["increment_mAh"]))
    return Export(format, columns, np.asarray(rows), notes)


def _numbers(path: Path, name: str, series: Any, rows: np.ndarray, quantity: str) -> np.ndarray:
    """A column as floats; dates and clock times become seconds."""
    if pd.api.types.is_datetime64_any_dtype(series):
        return (series - series.iloc[0]).dt.total_seconds().to_numpy("float64")
    if pd.api.types.is_numeric_dtype(series):
        return series.to_numpy("float64", na_value=np.nan)
    read: Any = pd.to_numeric(series, errors="coerce")
    values: np.ndarray = read.to_numpy("float64")
    bad = np.flatnonzero(np.isnan(values) & series.notna().to_numpy())
    if not len(bad):
        return values
    if quantity == "time_s" and len(bad) == len(values):
        first = str(series.iloc[0])
        if re.fullmatch(r"\d+:\d\d:\d\d([.,]\d+)?", first.strip()):
            clock: Any = pd.to_timedelta(series.str.replace(",", "."))
            return clock.dt.total_seconds().to_numpy("float64")
        for pattern in ("%m/%d/%Y %H:%M:%S.%f", "%d.%m.%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S",
                        "%m/%d/%Y %H:%M:%S"):
            stamps: Any = pd.to_datetime(series, format=pattern, errors="coerce")
            if stamps.notna().all():
                return (stamps - stamps.iloc[0]).dt.total_seconds().to_numpy("float64")
    found = str(series.iloc[bad[0]])
    comma = " with one decimal sign in the whole file" if re.fullmatch(
        r"[+-]?\d*,\d+([eE][+-]?\d+)?", found.strip()) else ""
    more = f" (and {len(bad) - 1} more rows)" if len(bad) > 1 else ""
    raise TableError(path.name, [Problem(
        int(rows[bad[0]]), name, found, f"a number{comma}{more}; export the file again")])
