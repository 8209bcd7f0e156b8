"""What can be wrong with a table, collected and told at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

SHOWN = 20


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where, what was found, what was expected.

    ``row`` is the row as a person counts it in a file (the header is row 1) or the index label
    of a DataFrame; None when a whole column or table is meant. ``column`` may be None too.
    """

    row: Any
    column: str | None
    value: object
    expected: str

    def __str__(self) -> str:
        place = [f"row {self.row}"] if self.row is not None else []
        place += [f"column {self.column!r}"] if self.column is not None else []
        found = "" if self.value is None else f"found {_short(self.value)}, "
        verb = "expected " if self.value is not None else ""
        told = f"{found}{verb}{self.expected}"
        return f"{', '.join(place)}: {told}" if place else told


class TableError(ValueError):
    """A table that cannot be used; ``problems`` lists everything that is wrong with it."""

    def __init__(self, where: str, problems: Iterable[Problem]):
        self.where = where
        self.problems = list(problems)
        super().__init__(where, self.problems)

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return f"{self.where}: {self.problems[0]}"
        lines = [f"{self.where} has {len(self.problems)} problems:"]
        lines += [f"  {p}" for p in self.problems[:SHOWN]]
        if len(self.problems) > SHOWN:
            lines.append(f"  and {len(self.problems) - SHOWN} more (all of them in .problems)")
        return "\n".join(lines)


def _short(value: object) -> str:
    told = repr(value) if isinstance(value, str) else str(value)
    return told if len(told) <= 60 else told[:57] + "..."
