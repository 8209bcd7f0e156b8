"""Tables: the column registry, checked reading and writing, and the literature.

from ssbayes import data
data.catalog()
data.load("kissel2025_mixing")
data.read("runs.csv", model.columns)
data.cells("week12", "cells.xlsx", vs="InLi").table
data.with_cb_parts(table)
"""

from . import carbon, columns, currents, recipes
from .carbon import with_cb_parts
from .cell_table import CellTable, cells
from .columns import COLUMNS, LEVELS, Column, ColumnError, column
from .cycler import Record, dq_dv, read_cycler, rests
from .faults import Limits
from .impedance import read_spectra
from .literature import catalog, load
from .power import read_power_log
from .problems import Problem, TableError
from .protocol import check_protocol
from .reading import read, write
from .validation import unlike, validate

__all__ = [
    "COLUMNS",
    "LEVELS",
    "CellTable",
    "Column",
    "ColumnError",
    "Limits",
    "Problem",
    "Record",
    "TableError",
    "carbon",
    "catalog",
    "cells",
    "check_protocol",
    "column",
    "columns",
    "currents",
    "dq_dv",
    "load",
    "read",
    "read_cycler",
    "read_power_log",
    "read_spectra",
    "recipes",
    "rests",
    "unlike",
    "validate",
    "with_cb_parts",
    "write",
]
