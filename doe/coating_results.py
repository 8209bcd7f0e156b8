"""The shape of every answer about coatings: a table and a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import pandas as pd


@dataclass(frozen=True)
class Answer:
    """A table, and the same as a sentence that ends with where the noise comes from."""

    table: pd.DataFrame
    sentence: str

    def __str__(self) -> str:
        return f"{self.table.to_string()}\n\n{self.sentence}"

    def _repr_html_(self) -> str:
        return f"{self.table.to_html()}<p>{escape(self.sentence)}</p>"
