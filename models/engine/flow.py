"""Which rows a chain of models can be computed for, and from which column on.

A row enters a chain at the first stage whose settings it gives. A cell of which only the capacity
is known, not how its powder was milled, starts at the capacity: there the column is an input, as
it is for the later model alone. A row that gives the settings of the earlier model as well has a
prediction of that column, and its value is an observation of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from .encode import number, text


@dataclass(frozen=True)
class Stage:
    """One model of a chain as its rows see it.

    Attributes
    ----------
    name, inside
        Its name, and the models that it includes.
    outcomes
        Columns that it gives.
    takes
        Those of its input columns that an earlier stage gives.
    needs
        Factors and groups of its own that have no default.
    """

    name: str
    inside: tuple[str, ...]
    outcomes: tuple[str, ...]
    takes: tuple[str, ...]
    needs: frozenset[str]


@dataclass(frozen=True)
class Flow:
    """The stages of a chain, first to last."""

    stages: tuple[Stage, ...]

    @cached_property
    def links(self) -> tuple[str, ...]:
        """Columns that one stage gives and a later one takes."""
        return tuple(dict.fromkeys(column for stage in self.stages for column in stage.takes))

    @cached_property
    def _owner(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for k, stage in enumerate(self.stages):
            for name in (*stage.outcomes, stage.name, *stage.inside):
                found.setdefault(name, k)
        return found

    def needed_for(self, *of: str) -> frozenset[str]:
        """What a row must give for outcomes (or for quantities of models) of these names."""
        reached = self._upstream(self._owner[name] for name in of if name in self._owner)
        return frozenset().union(*(self.stages[k].needs for k in reached))

    def _upstream(self, last: Iterable[int]) -> set[int]:
        reached: set[int] = set()
        ahead = list(last)
        while ahead:
            k = ahead.pop()
            if k not in reached:
                reached.add(k)
                ahead += [self._owner[column] for column in self.stages[k].takes]
        return reached

    def starts(self, table: pd.DataFrame) -> dict[str, np.ndarray]:
        """Rows in which a link is an input, for the settings behind it are not given."""
        have: list[np.ndarray] = []
        found: dict[str, np.ndarray] = {}
        for stage in self.stages:
            ready = np.ones(len(table), dtype=bool)
            for name in stage.needs:
                ready &= text(table, name).ne("").to_numpy()
            for column in stage.takes:
                ready &= have[self._owner[column]] | found[column]
            have.append(ready)
            for column in stage.outcomes:
                if column in self.links:
                    found[column] = (number(table, column, 0.0) > 0) & ~ready
        return found

    def reached(self, table: pd.DataFrame, of: str | None = None) -> dict[str, np.ndarray]:
        """Rows that each stage is computed for: by their readings, or for the outcome ``of``.

        Returns
        -------
        dict
            Name of a stage -> boolean over rows.
        """
        starts = self.starts(table)
        found = [np.zeros(len(table), dtype=bool) for _ in self.stages]
        if of is not None:
            found[self._owner[of]][:] = True
        for k in reversed(range(len(self.stages))):
            stage = self.stages[k]
            for column in stage.outcomes if of is None else ():
                read = ~np.isnan(number(table, column))
                found[k] |= read & ~starts.get(column, np.zeros(len(table), dtype=bool))
            for column in stage.takes:
                found[self._owner[column]] |= found[k] & ~starts[column]
        return {stage.name: rows for stage, rows in zip(self.stages, found, strict=True)}

    def asked(self, table: pd.DataFrame, of: str | None = None) -> dict[str, np.ndarray]:
        """Rows that must give a factor or a label: for their readings, or for the outcome ``of``.

        Returns
        -------
        dict
            Column -> boolean over rows.
        """
        reached = self.reached(table, of)
        found = {name: np.zeros(len(table), dtype=bool)
                 for stage in self.stages for name in stage.needs}
        for stage in self.stages:
            for name in stage.needs:
                found[name] |= reached[stage.name]
        return found

    def parts(self, wanted: frozenset[str]) -> frozenset[str]:
        """Parts of the graph that a fit needs: those that were measured, and the links to them."""
        if not wanted:
            return frozenset(self.stages[0].outcomes[:1])
        reached = self._upstream(self._owner[name] for name in wanted if name in self._owner)
        return wanted.union(*(self.stages[k].takes for k in reached))

    def start_of(self, name: str | None) -> str:
        """An outcome, or a model, that is part of the chain: ``name``, else the last stage."""
        return name if name is not None and name in self._owner else self.stages[-1].name
