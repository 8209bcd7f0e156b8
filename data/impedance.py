"""Impedance spectra as a table: one row a frequency, a label for each spectrum.

Columns: ``spectrum``, ``frequency_of_signal_Hz``, ``z_re_ohm``, ``z_im_ohm`` (negative where the
cell is capacitive), the cell's area as ``area_cm2`` or ``cell_diameter_mm``, and what is known of
the moment: ``relaxed_V``, ``direction``, ``hold_h``, ``coating``, ``batch``, ``cell``.

Instrument files are read with the package pyimpspec (``pip install 'ssbayes[impedance]'``); they
hold frequencies and impedances only, so the labels are given by the caller.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .files import file_error
from .problems import Problem, TableError
from .reading import read_rows
from .validation import validate

FREQUENCY, REAL, IMAGINARY = "frequency_of_signal_Hz", "z_re_ohm", "z_im_ohm"
LABELS = ("study", "lot", "run", "batch", "cell", "spectrum")
"""Columns that tell spectra apart, as far as a table has them."""
MOMENT = ("relaxed_V", "direction", "hold_V", "hold_h", "cycle", "coating", "time_point",
          "area_cm2", "cell_diameter_mm", "temperature_degC", "stack_MPa", "kind")
"""Columns that have one value for the whole of a spectrum."""
FEWEST = 24
"""Points that a spectrum needs: ten parameters, and enough left to judge them by."""
FEWEST_PER_DECADE = 4.0
INSTRUMENT_FILES = (".dta", ".dfr", ".i2b", ".idf", ".ids", ".ism", ".mpt", ".p00", ".z")


def read_spectra(path: str | os.PathLike[str], *, capacitive: bool = True,
                 **labels: Any) -> pd.DataFrame:
    """Read spectra from a table (CSV, Excel, Parquet) or one instrument file.

    Parameters
    ----------
    path
        A table with the columns named above, or an instrument's file
        (``.mpt``, ``.dta``, ``.z``, ... through the package pyimpspec).
    capacitive
        As in `spectra_table`.
    **labels
        Columns to add, one value for the whole file (``area_cm2=0.785``, ``cell="A1"``).

    Returns
    -------
    DataFrame
        See `spectra_table`.

    Raises
    ------
    TableError
        With everything that is wrong; rows are counted as in the file, its header being row 1.
    """
    file = Path(path)
    if file.suffix.lower() in INSTRUMENT_FILES:
        table = _instrument(file)
    else:
        table = read_rows(file, open=True)
    clash = [name for name in labels if name in table]
    if clash:
        raise TableError(file.name, [Problem(None, name, None, "the file has this column already; "
                                             "leave it out of the call") for name in clash])
    return spectra_table(table.assign(**labels), where=file.name, capacitive=capacitive)


def spectra_table(table: pd.DataFrame, where: str = "table", *,
                  capacitive: bool = True) -> pd.DataFrame:
    """Check spectra given as a DataFrame, and put them in order.

    Parameters
    ----------
    table
        One row a frequency.
    where
        What to call the table in messages.
    capacitive
        False for cells that are nearly ohmic (a composite between metal foils): noise and cables
        then give the imaginary part either sign, and it is not checked here.

    Returns
    -------
    DataFrame
        The table with ``spectrum`` (one label where there was none) and ``area_cm2``, each
        spectrum from high to low frequency, the spectra in the order in which they came.

    Raises
    ------
    TableError
        On missing columns, bad cells, a spectrum of fewer than ``FEWEST`` points or fewer than
        ``FEWEST_PER_DECADE`` a decade, frequencies that turn back or repeat, an imaginary part of
        the wrong sign, a frequency that cannot be in Hz, or values that change within a spectrum.
    """
    problems = [Problem(None, name, None, _missing(name, table)) for name in
                (FREQUENCY, REAL, IMAGINARY) if name not in table]
    if "area_cm2" not in table and "cell_diameter_mm" not in table:
        problems.append(Problem(None, "area_cm2", None, "this column is missing (in cm2); give it, "
                                "or cell_diameter_mm: resistances are compared per area"))
    if problems:
        raise TableError(where, problems)
    clean: Any = validate(table, where=where, open=True)
    if "spectrum" not in clean:
        clean["spectrum"] = "1"
    for name in (FREQUENCY, REAL, IMAGINARY, "spectrum"):
        problems += [Problem(row, name, None, "this cell is empty")
                     for row in clean.index[clean[name].isna()]]
    if "area_cm2" not in clean:
        clean["area_cm2"] = np.pi / 4 * (clean["cell_diameter_mm"] / 10) ** 2
    elif "cell_diameter_mm" in clean:
        other = np.pi / 4 * (clean["cell_diameter_mm"] / 10) ** 2
        problems += _areas(clean, other)
        clean["area_cm2"] = clean["area_cm2"].fillna(other)
    problems += [Problem(row, "area_cm2", None, "this cell is empty; give area_cm2 or "
                         "cell_diameter_mm") for row in clean.index[clean["area_cm2"].isna()]]
    if problems:
        raise TableError(where, problems)
    parts = []
    for _, part in spectra(clean):
        problems += _spectrum_problems(part, capacitive)
        parts.append(part.sort_values(FREQUENCY, ascending=False))
    if problems:
        raise TableError(where, problems)
    return pd.concat(parts, ignore_index=True)


def spectra(table: pd.DataFrame) -> Iterator[tuple[dict[str, Any], Any]]:
    """Each spectrum of a checked table with its labels, in the order of the table."""
    names = [name for name in LABELS if name in table]
    key: Any
    for key, part in table.groupby(names, sort=False, dropna=False):
        yield dict(zip(names, key, strict=True)), part


def _missing(name: str, table: pd.DataFrame) -> str:
    unit = {FREQUENCY: "Hz", REAL: "ohm", IMAGINARY: "ohm, negative where capacitive"}[name]
    return f"this column is missing (in {unit}); the table has {', '.join(map(str, table))}"


def _areas(clean: Any, other: Any) -> list[Problem]:
    apart = (clean["area_cm2"] / other - 1).abs() > 0.05
    return [Problem(row, "area_cm2", clean.at[row, "area_cm2"],
                    f"{other[row]:.3g} cm2, the area of cell_diameter_mm; one of the two is wrong")
            for row in clean.index[apart][:1]]


def _spectrum_problems(part: Any, capacitive: bool) -> list[Problem]:
    """What is wrong with one spectrum; rows as the user counts them."""
    label = f"spectrum {part['spectrum'].iloc[0]!r}"
    first = part.index[0]
    f = part[FREQUENCY].to_numpy(float)
    problems = []
    if len(part) < FEWEST:
        return [Problem(first, None, None, f"{label} has {len(part)} points; a fit of two arcs "
                        f"needs at least {FEWEST}")]
    step = np.diff(f)
    same = np.flatnonzero(step == 0)
    problems += [Problem(part.index[k + 1], FREQUENCY, f[k + 1], f"a frequency once in {label}; "
                         "remove the repeated point or give the sweep a label of its own")
                 for k in same]
    if not len(same) and not ((step < 0).all() or (step > 0).all()):
        k = int(np.flatnonzero(np.sign(step) != np.sign(step[0]))[0])
        problems.append(Problem(part.index[k + 1], FREQUENCY, f[k + 1], f"{label} in one sweep, "
                                "up or down; two sweeps need two labels in column 'spectrum'"))
    decades = np.log10(f.max() / f.min())
    if not problems and len(part) < FEWEST_PER_DECADE * decades:
        problems.append(Problem(first, FREQUENCY, None, f"{label} has {len(part) / decades:.1f} "
                                f"points per decade; at least {FEWEST_PER_DECADE:g} are needed to "
                                "tell an arc from an error"))
    if f.max() < 100:
        problems.append(Problem(first, FREQUENCY, f"{f.max():g} as the highest of {label}",
                                "frequencies in Hz that reach 100 Hz at least; are these kHz or "
                                "MHz, or logarithms?"))
    below = float((part[IMAGINARY] < 0).mean())
    if capacitive and below < 0.5:
        problems.append(Problem(first, IMAGINARY, f"{100 * below:.0f} % of {label} negative",
                                "mostly negative values (a battery is capacitive); if the file "
                                "holds -Z'', multiply it by -1"))
    if float((part[REAL] > 0).mean()) < 0.9:
        problems.append(Problem(first, REAL, None, f"{label} has negative resistances; have the "
                                "columns changed places?"))
    for name in MOMENT:
        if name in part and part[name].nunique(dropna=False) > 1:
            row = part.index[part[name].ne(part[name].iloc[0]).to_numpy()][0]
            problems.append(Problem(row, name, part.at[row, name], f"{part[name].iloc[0]!r} as at "
                                    f"the start of {label}: one spectrum has one value"))
    return problems


def _instrument(file: Path) -> pd.DataFrame:
    """Spectra of an instrument's file, through the package pyimpspec."""
    if not file.is_file():
        raise file_error(file, f"there is no such file in {str(file.parent)!r}")
    try:
        library: Any = import_module("pyimpspec")
    except ImportError:
        raise file_error(file, "an instrument's file is read with the package pyimpspec, which is "
                         "not installed: pip install 'ssbayes[impedance]', or export the spectrum "
                         "as CSV") from None
    try:
        found = library.parse_data(str(file))
    except Exception as error:
        raise file_error(file, f"pyimpspec cannot read it: {error}; export the spectrum as CSV"
                         ) from None
    parts = [pd.DataFrame({
        "spectrum": file.stem if len(found) == 1 else f"{file.stem} {k}",
        FREQUENCY: one.get_frequencies(), REAL: one.get_impedances().real,
        IMAGINARY: one.get_impedances().imag}) for k, one in enumerate(found, 1)]
    if not parts:
        raise file_error(file, "it holds no spectrum")
    return pd.concat(parts, ignore_index=True)
