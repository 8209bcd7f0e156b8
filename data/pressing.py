"""Checks on pressed pellets: what cannot be reached again, and densities that cannot be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, cast

import numpy as np
import pandas as pd

from .problems import Problem

HIGHEST, NOW, DENSITY, STATE = (
    "pelletizing_MPa", "stack_MPa", "relative_density", "density_state")
SLACK = 1e-6
"""Relative difference of two pressures that is rounding."""


def pressing_problems(
    table: pd.DataFrame, pellets: pd.Series, labels: Sequence[object]
) -> Iterator[Problem]:
    """Yield what is wrong with the pressures and densities of pellets.

    Parameters
    ----------
    table
        Rows whose single cells are clean; the index are positions in ``labels``.
    pellets
        The pellet of each row, None where it has no label.
    labels
        The rows as the user counts them.
    """
    if HIGHEST in table:
        yield from _decreasing(table, pellets, labels)
        yield from _above_highest(table)
    yield from _too_dense(table)


def _numbers(table: pd.DataFrame, name: str, default: float = np.nan) -> np.ndarray:
    if name not in table:
        return np.full(len(table), default)
    values = cast(pd.Series, table[name]).to_numpy("float64")
    return np.where(np.isnan(values), default, values)


def _texts(table: pd.DataFrame, name: str) -> list[Any]:
    return list(cast(pd.Series, table[name])) if name in table else [None] * len(table)


def _decreasing(
    table: pd.DataFrame, pellets: pd.Series, labels: Sequence[object]
) -> Iterator[Problem]:
    """The highest pressure so far cannot fall within a pellet.

    A pellet's rows are in order of their cycle and, within one, as they stand in the table. Rows
    of another state, another sweep or another held pressure may be listed as a block of their
    own, which begins again at the lowest step.
    """
    highest, now = _numbers(table, HIGHEST), _numbers(table, NOW)
    cycle = _numbers(table, "cycle", 1.0)
    held = [value if abs(value - top) > SLACK * top else None  # None where not stated too
            for value, top in zip(now, highest, strict=True)]
    blocks: dict[tuple[object, ...], list[int]] = {}
    for k, (pellet, kind, *key) in enumerate(zip(
            pellets, _texts(table, "kind"), _texts(table, STATE), _texts(table, "sweep"), held,
            strict=True)):
        if pellet is not None and kind != "statement" and not np.isnan(highest[k]):
            blocks.setdefault((pellet, *key), []).append(k)
    for (pellet, *_), rows in blocks.items():
        rows.sort(key=lambda k: cycle[k])
        for before, k in pairwise(rows):
            if highest[k] < highest[before] * (1.0 - SLACK):
                name = pellet[-1] if isinstance(pellet, tuple) else pellet
                yield Problem(
                    int(table.index[k]), HIGHEST, f"{highest[k]:.10g}",
                    f"at least {highest[before]:.10g} as in row "
                    f"{labels[int(table.index[before])]} of the same pellet {name!r}: it is the "
                    "highest pressure so far, which cannot fall. Write the pressure during the "
                    f"reading into {NOW} and keep the highest one here; or sort the rows as they "
                    "were pressed (cycle, then row); or give another pellet its own cell label",
                )


def _above_highest(table: pd.DataFrame) -> Iterator[Problem]:
    highest, now = _numbers(table, HIGHEST), _numbers(table, NOW)
    for k in np.flatnonzero(now > highest * (1.0 + SLACK)):
        yield Problem(
            int(table.index[k]), NOW, f"{now[k]:.10g}",
            f"at most {HIGHEST}, which is {highest[k]:.10g}: that is the highest pressure so far, "
            "the one during the reading included",
        )


def _too_dense(table: pd.DataFrame) -> Iterator[Problem]:
    density = _numbers(table, DENSITY)
    state = np.array(_texts(table, STATE), dtype=object)
    for k in np.flatnonzero((density > 1.0) & (state == "out of die")):
        yield Problem(
            int(table.index[k]), DENSITY, f"{density[k]:.10g}",
            "at most 1 out of the die, where no pressure compresses the solid: look at mass, "
            "thickness, diameter and the pore-free density; a reading under pressure has "
            f"{STATE} 'in die'",
        )
