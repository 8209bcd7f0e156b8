"""What a file holds, before any cell is looked at: its rows, and whether it is a table at all."""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from .columns import COLUMNS, split_suffix
from .entries import text
from .problems import Problem, TableError

SUFFIXES = (".csv", ".csv.gz", ".tsv", ".txt", ".xlsx", ".xlsm", ".parquet")
_SIGNATURES = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"%PDF": "a PDF",
    b"PK\x03\x04": "an Excel or ZIP file",
    b"\xd0\xcf\x11\xe0": "an old Excel file (.xls)",
    b"PAR1": "a Parquet file",
    b"SQLite format 3": "an SQLite file, perhaps a campaign",
    b"\x89HDF": "an HDF5 file",
    b"\x1f\x8b": "a gzip file",
}


Rows = list[tuple[int, list[object]]]


def file_error(file: Path, told: str) -> TableError:
    return TableError(file.name or str(file), [Problem(None, None, None, told)])


def ending(file: Path) -> str:
    if not file.exists():
        near = ""
        if file.parent.is_dir():
            others = sorted(p.name for p in file.parent.iterdir() if p.suffix in SUFFIXES)
            near = f"; the folder has {', '.join(others[:5])}" if others else ""
        raise file_error(file, f"there is no such file in {str(file.parent)!r}{near}")
    if file.is_dir():
        raise file_error(file, "this is a folder; name a .csv, .xlsx or .parquet file in it")
    if not file.is_file():
        raise file_error(file, "this is not a file")
    suffix = ".csv.gz" if file.name.lower().endswith(".csv.gz") else file.suffix.lower()
    if suffix not in SUFFIXES:
        old = " (open it and save it as .xlsx)" if suffix == ".xls" else ""
        raise file_error(
            file,
            f"its ending is {suffix or 'missing'}, which is not read{old}; "
            "use .csv, .xlsx or .parquet",
        )
    if file.stat().st_size == 0:
        raise file_error(file, "the file is empty")
    return suffix


def frame(file: Path, rows: Rows, known: Collection[str] = ()) -> pd.DataFrame:
    """Make a table of (row number in the file, cells); the first row is the header.

    ``known`` are column names beside those of the registry that tell a table from prose.
    """
    if not rows:
        raise file_error(file, "the file is empty")
    (top, header), body = rows[0], rows[1:]
    names = [text(h) or "" for h in header]
    while (
        names
        and not names[-1]
        and all(len(r) < len(names) or r[len(names) - 1] in (None, "") for _, r in body)
    ):
        names.pop()
    problems = [
        Problem(top, None, None, f"column {i + 1} has no name in the header")
        for i, name in enumerate(names)
        if not name
    ]
    stranger = body and not any(n in known or n in COLUMNS or split_suffix(n) for n in names)
    for number, cells in body:
        extra = [c for c in cells[len(names) :] if c not in (None, "")]
        if extra or len(cells) < len(names):
            problems.append(
                Problem(
                    number,
                    None,
                    None,
                    f"it has {len(cells)} cells, but the header has {len(names)}; is there a "
                    "decimal comma (use a point, or ';' between the columns), or a comma in a "
                    "text without quotes?",
                )
            )
    if stranger and (problems or len(names) == 1):
        raise file_error(
            file,
            f"this is not a table: its first line, {', '.join(names)[:60]!r}, is no header of "
            "column names separated by ',' or ';'; take out what stands above the header",
        )
    if problems:
        raise TableError(file.name, problems)
    # a list for each column, so that equal names survive to be reported
    data = pd.DataFrame(
        [c[: len(names)] for _, c in body],
        index=[n for n, _ in body],
        columns=range(len(names)),
        dtype=object,
    )
    data.columns = pd.Index(names, dtype=object)
    return data


def _text(file: Path, encoding: str | None) -> str:
    content = file.read_bytes()
    if file.name.lower().endswith(".gz"):
        import gzip

        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as broken:
            raise file_error(file, f"this is not a whole gzip file ({broken})") from None
    for start, what in _SIGNATURES.items():
        if content.startswith(start):
            raise file_error(file, f"this is not a table: it is {what}, whatever its ending says")
    if encoding is None:
        utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
        encoding = "utf-16" if utf16 else "utf-8-sig"
        if not utf16 and b"\x00" in content[:4096]:
            raise file_error(file, "this is not a table: it is a binary file")
    try:
        return content.decode(encoding)
    except LookupError:
        told = f"encoding={encoding!r} is not known; try 'utf-8' or 'cp1252'"
        raise file_error(file, told) from None
    except UnicodeDecodeError as bad:
        row = content.count(b"\n", 0, bad.start) + 1
        told = (
            f"byte {content[bad.start]:#04x} is not {encoding.removesuffix('-sig')} text; save the "
            "file as 'CSV UTF-8', or read it with encoding='cp1252'"
        )
        raise TableError(file.name, [Problem(row, None, None, told)]) from None


def csv_rows(file: Path, encoding: str | None) -> Rows:
    content = _text(file, encoding)
    if not content.strip():
        raise file_error(file, "the file is empty")
    header = re.sub(r'"[^"]*"', "", content.lstrip().splitlines()[0])
    told = re.match(r'"?sep=([,;\t])"?\s*$', content.splitlines()[0], re.I)  # a line for Excel
    separator = told[1] if told else max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=separator, strict=True)
    rows: Rows = []
    line = 1
    try:
        for cells in reader:
            if any(c.strip() for c in cells):
                rows.append((line, list(cells)))
            line = reader.line_num + 1
    except csv.Error as bad:
        raise TableError(
            file.name,
            [
                Problem(
                    line,
                    None,
                    None,
                    f"the line cannot be split into cells ({bad}); is a quote open?",
                )
            ],
        ) from None
    rows = rows[1:] if told else rows
    return rows if separator == "," or not rows else _decimal_commas(file, rows)


def _decimal_commas(file: Path, rows: Rows) -> Rows:
    """Turn 12,5 into 12.5 in the number columns; refuse a file that has both signs."""
    names = [str(h).strip() for h in rows[0][1]]
    labels = {i for i, n in enumerate(names) if n in COLUMNS and COLUMNS[n].kind == "text"}
    comma, point = [], []
    for number, cells in rows[1:]:
        for i, cell in enumerate(cells):
            if i in labels or not isinstance(cell, str):
                continue
            if re.fullmatch(r"\s*[+-]?\d*,\d+([eE][+-]?\d+)?\s*", cell):
                comma.append((number, i, cell))
                cells[i] = cell.replace(",", ".")
            elif re.fullmatch(r"\s*[+-]?\d{1,3}\.\d{3}\s*", cell):
                point.append((number, i, cell))
    if comma and point:
        first = f"row {comma[0][0]} has {comma[0][2].strip()!r}"
        raise TableError(
            file.name,
            [
                Problem(
                    n,
                    names[i] if i < len(names) else None,
                    cell.strip(),
                    f"one decimal sign in the whole file, but {first}; write this one without "
                    "a thousands point, or with a comma",
                )
                for n, i, cell in point
            ],
        )
    return rows


def excel_rows(file: Path, sheet: str | int) -> Rows:
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    broken = (zipfile.BadZipFile, InvalidFileException, LookupError, OSError, ValueError,
              AttributeError, TypeError, SyntaxError, zlib.error, EOFError)
    told = ("this is not an Excel file, whatever its ending says; "
            "open it in a spreadsheet and save it as .xlsx")
    try:
        book = load_workbook(file, read_only=True, data_only=True)
    except broken:
        raise file_error(file, told) from None
    try:
        names = book.sheetnames
        if isinstance(sheet, str) and sheet not in names:
            raise file_error(file, f"there is no sheet {sheet!r}; it has {', '.join(names)}")
        if isinstance(sheet, int) and not 0 <= sheet < len(names):
            raise file_error(file, f"there is no sheet number {sheet}; it has {', '.join(names)}")
        name = sheet if isinstance(sheet, str) else names[sheet]
        page, mend = book[name], "put the table on the first sheet, or name its sheet with sheet="
        if not hasattr(page, "iter_rows"):
            raise file_error(file, f"the sheet {name!r} is a chart; {mend}")
        rows: Rows = [
            (i, [c.strip() if isinstance(c, str) else c for c in cells])
            for i, cells in enumerate(page.iter_rows(values_only=True), start=1)
        ]
    except TableError:
        raise
    except broken:
        raise file_error(file, told) from None
    finally:
        book.close()
    rows = [(i, c) for i, c in rows if any(v not in (None, "") for v in c)]
    if not rows and len(names) > 1:
        raise file_error(file, f"the sheet {name!r} is empty; {mend}")
    width = max((len(c) for _, c in rows), default=0)
    return [(i, c + [None] * (width - len(c))) for i, c in rows]


def parquet_table(file: Path) -> pd.DataFrame:
    from pyarrow.lib import ArrowException

    try:
        table = pd.read_parquet(file)
    except (ArrowException, OSError, ValueError):
        raise file_error(file, "this is not a Parquet file, whatever its ending says") from None
    table = table.reset_index(drop=table.index.names == [None])
    table.index = pd.RangeIndex(2, len(table) + 2)  # as if it had a header in row 1
    return table
