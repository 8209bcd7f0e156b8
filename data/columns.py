"""The one registry of columns: how a column, or what stands beside it, is looked up.

A table is checked against it when it enters (`data.read`, `data.validate`). The columns themselves
are in `column_table`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import replace

from .carbon import is_bare, no_basis
from .column_table import (
    COLUMNS,
    CRITERIA,
    KINDS,
    LEVELS,
    NOT_DONE,
    QUALIFIERS,
    STATUS,
    SUFFIXES,
    Column,
)

__all__ = [
    "COLUMNS", "CRITERIA", "KINDS", "LEVELS", "NOT_DONE", "QUALIFIERS", "STATUS", "SUFFIXES",
    "Column", "ColumnError", "column", "companion", "did_you_mean", "split_suffix",
]  # fmt: skip


class ColumnError(KeyError):
    """A column name that the registry does not know."""

    def __str__(self) -> str:
        return str(self.args[0])


def did_you_mean(name: str, names: Iterable[str], cutoff: float = 0.6) -> str:
    """Return "; did you mean 'x'?" for the nearest of ``names``, or "".

    ``cutoff`` (0 to 1) is how alike they must be: high where a stranger is no error by itself.
    """
    lower = {n.lower(): n for n in names}
    bare = re.sub(r"\s*[\[(].*?[\])]\s*$", "", str(name))  # "rpm (1/min)" is asked for as "rpm"
    asked = (bare or str(name)).strip().lower().replace(" ", "_")
    near = difflib.get_close_matches(asked, lower, n=1, cutoff=cutoff)
    if not near:
        near = sorted(n for n in lower if len(asked) >= 3 and n.startswith(asked + "_"))[:1]
    return f"; did you mean {lower[near[0]]!r}?" if near else ""


def split_suffix(name: str, known: Iterable[str] = ()) -> tuple[str, str] | None:
    """Split "porosity_sd" into ("porosity", "_sd"); None when it is not a number's companion."""
    extra = set(known)
    for suffix in SUFFIXES:
        base = name.removesuffix(suffix)
        if base != name and (base in extra or (base in COLUMNS and COLUMNS[base].kind == "number")):
            return base, suffix
    return None


def companion(name: str, suffix: str, base: Column) -> Column:
    """Describe the companion column ``name`` of the number column ``base``."""
    spec = SUFFIXES[suffix]
    inherits = suffix in ("_low", "_high")
    return replace(
        spec,
        name=name,
        unit=base.unit if spec.unit == "*" else spec.unit,
        meaning=f"{base.name}: {spec.meaning}",
        level=base.level,
        low=base.low if inherits else spec.low,
        high=base.high if inherits else spec.high,
    )


def column(name: str) -> Column:
    """Look a column up, companions such as ``porosity_sd`` included.

    Raises
    ------
    ColumnError
        If the registry does not know it; the message names the nearest one.
    """
    if name in COLUMNS:
        return COLUMNS[name]
    split = split_suffix(name)
    if split:
        return companion(name, split[1], COLUMNS[split[0]])
    if is_bare(name):
        raise ColumnError(no_basis(name))
    raise ColumnError(f"{name!r} is no column that is known{did_you_mean(name, COLUMNS)}")
