"""Tables from and to files: CSV, Excel, Parquet."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pandas as pd

from .files import csv_rows, ending, excel_rows, file_error, frame, parquet_table
from .validation import check_columns, validate


def read(
    path: str | os.PathLike[str],
    columns: pd.DataFrame | None = None,
    *,
    open: bool = False,
    sheet: str | int = 0,
    encoding: str | None = None,
) -> pd.DataFrame:
    """Read a table from a file and check every cell of it.

    Parameters
    ----------
    path : path
        ``.csv`` (also ``.tsv``, ``.txt``, ``.csv.gz``), ``.xlsx`` or ``.parquet``. The separator
        of a text file (comma, semicolon, tab) is found from its header; with a semicolon or a tab
        decimal commas are understood.
    columns : DataFrame, optional
        What a model wants, ``model.columns``; see `validate`.
    open : bool
        Let columns pass that nobody knows.
    sheet : str or int
        Sheet of an Excel file.
    encoding : str, optional
        Of a text file; UTF-8, or UTF-16 where the file says so, when not given.

    Returns
    -------
    DataFrame
        The clean table, rows numbered from 0.

    Raises
    ------
    TableError
        With everything that is wrong; rows are counted as in the file, its header being row 1.
    """
    return read_rows(path, columns, open=open, sheet=sheet, encoding=encoding).reset_index(
        drop=True
    )


def read_rows(
    path: str | os.PathLike[str],
    columns: pd.DataFrame | None = None,
    *,
    open: bool = False,
    sheet: str | int = 0,
    encoding: str | None = None,
) -> pd.DataFrame:
    """Read as `read` does, but keep the row numbers of the file as the index."""
    file = Path(path)
    suffix = ending(file)
    check_columns(columns)
    known = () if columns is None else set(columns["name"])
    if suffix == ".parquet":
        raw = parquet_table(file)
    elif suffix in (".xlsx", ".xlsm"):
        raw = frame(file, excel_rows(file, sheet), known)
    else:
        raw = frame(file, csv_rows(file, encoding), known)
    return validate(raw, columns, where=file.name, open=open)


def _to_excel(table: pd.DataFrame, path: str) -> None:
    """Write a workbook whose texts stay texts: "=0" or "#N/A" in a note is no formula or error."""
    with pd.ExcelWriter(path, engine="openpyxl") as book:
        table.to_excel(book, index=False)
        for row in next(iter(book.sheets.values())).iter_rows(min_row=2):
            for cell in row:
                if isinstance(cell.value, str):
                    cell.data_type = "s"


def check_target(file: Path) -> str:
    """The ending of a file to be written; refuses one that `write` cannot write.

    Raises
    ------
    TableError
        If the ending is not known, the folder is missing or cannot be written to, or a folder has
        this name.
    """
    suffix = "".join(file.suffixes[-2:]) if file.name.endswith(".csv.gz") else file.suffix.lower()
    if suffix not in (".csv", ".csv.gz", ".xlsx", ".parquet"):
        raise file_error(file, f"its ending is {suffix or 'missing'}: use .csv, .xlsx or .parquet")
    check_place(file)
    return suffix


def check_place(file: Path) -> None:
    """Refuse a file name where nothing can be written, with a `TableError`."""
    if not file.parent.is_dir():
        raise file_error(file, f"there is no folder {str(file.parent)!r}; make it first")
    if file.is_dir():
        raise file_error(file, "this is a folder; name a file in it")
    if not os.access(file.parent, os.W_OK):
        raise file_error(
            file, f"the folder {str(file.parent)!r} cannot be written to; name a file elsewhere"
        )


def write(table: pd.DataFrame, path: str | os.PathLike[str]) -> Path:
    """Write a table so that `read` gives it back; an existing file is replaced as a whole.

    Raises
    ------
    TableError
        If the table is not valid, or the ending of the file is not known.
    """
    file = Path(path)
    suffix = check_target(file)
    clean = validate(table, where="the table to write", open=True)
    handle, name = tempfile.mkstemp(suffix=suffix, dir=file.parent)
    os.close(handle)
    try:
        if suffix == ".parquet":
            clean.to_parquet(name, index=False)
        elif suffix == ".xlsx":
            _to_excel(clean, name)
        else:
            compression = "gzip" if suffix == ".csv.gz" else None
            clean.to_csv(
                name,
                index=False,
                encoding="utf-8",
                compression=compression,
                lineterminator="\n",
            )
        os.chmod(name, 0o644)
        os.replace(name, file)
    finally:
        Path(name).unlink(missing_ok=True)
    return file
