"""Tables: the column registry, checked reading and writing, and the literature.

from ssbayes import data
data.catalog()
data.load("kissel2025_mixing")
data.read("runs.csv", model.columns)
"""

from . import columns
from .columns import COLUMNS, LEVELS, Column, ColumnError, column
from .literature import catalog, load
from .power import read_power_log
from .problems import Problem, TableError
from .reading import read, write
from .validation import unlike, validate

__all__ = [
    "COLUMNS",
    "LEVELS",
    "Column",
    "ColumnError",
    "Problem",
    "TableError",
    "catalog",
    "column",
    "columns",
    "load",
    "read",
    "read_power_log",
    "unlike",
    "validate",
    "write",
]
