"""A table that shows its notes: what a suggestion or a recording has to say is seen."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

import pandas as pd


class Noted(pd.DataFrame):
    """A DataFrame whose ``attrs["notes"]`` are printed below it, and below what is cut from it."""

    @property
    def _constructor(self) -> Any:
        return Noted

    def __repr__(self) -> str:
        return "\n".join([super().__repr__(), *(f"note: {n}" for n in self.attrs.get("notes", []))])

    def _repr_html_(self) -> str | None:
        table = super()._repr_html_()  # pyright: ignore[reportAttributeAccessIssue, reportCallIssue]
        said = "".join(f"<li>{escape(str(n))}</li>" for n in self.attrs.get("notes", []))
        return f"{table}<ul>{said}</ul>" if table and said else table


def noted(table: pd.DataFrame, notes: Iterable[str]) -> Noted:
    """The table with notes to be shown; its other attributes stay."""
    made = Noted(table)
    made.attrs |= {**table.attrs, "notes": list(notes)}
    return made
