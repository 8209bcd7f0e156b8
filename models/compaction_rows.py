"""Rows of pressed pellets as the compaction model reads them: state, pressures, pellets, solids."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from ..data.pressing import DENSITY, HIGHEST, NOW, STATE
from ..data.problems import Problem, TableError
from .engine.encode import number, text

YIELD, RECOVERY, PHI = "yield_pressure_MPa", "elastic_recovery", "active_volume_fraction"
IN, OUT = 0.0, 1.0
"""``density_state`` in the arrays of the model: in the die, out of it."""
STATES = {"in die": IN, "out of die": OUT, str(IN): IN, str(OUT): OUT}
"""What a row says and its number; a row that has been prepared before says the number."""


def composite_volume_fraction(
    active_fraction: Any, active_density: Any, rest_density: Any
) -> Any:
    """Volume share of the active material in a pore-free composite.

    Parameters
    ----------
    active_fraction
        Mass share of the active material (1).
    active_density, rest_density
        Density of the active material and of all the rest together, in one unit.
    """
    active = active_fraction / active_density
    return active / (active + (1.0 - active_fraction) / rest_density)


def prepare(rows: pd.DataFrame, fitting: bool) -> tuple[pd.DataFrame, list[str]]:
    """Rows with the numbers and labels that the model takes.

    Parameters
    ----------
    rows
        Rows of a table, or settings to predict for.
    fitting
        True for a table: every density then needs its state, and rows of a powder without a
        label of the pellet are one pellet.

    Returns
    -------
    rows, notes
        The same index. ``density_state`` is 0 in the die and 1 out of it, also where a setting
        does not say; ``stack_MPa`` is filled: ``pelletizing_MPa`` in the die while it is being
        compressed, else 0.

    Raises
    ------
    TableError
        Naming each row: a density or a yield pressure without its state, a density in the die on
        release without its pressure, a composite without its share by volume, a size of 0.
    """
    rows = rows.copy()
    problems = [*_states(rows, fitting), *_pressures(rows, fitting), *_solids(rows, fitting)]
    if problems:
        raise TableError("table" if fitting else "settings", problems)
    return rows, _pellets(rows) if fitting else []


def _states(rows: pd.DataFrame, fitting: bool) -> Iterator[Problem]:
    named = text(rows, STATE)
    for name in (DENSITY, YIELD) if fitting else ():
        lacking = ~np.isnan(number(rows, name)) & named.eq("").to_numpy()
        for label in rows.index[lacking]:
            yield Problem(label, STATE, None, f"{name} needs to say 'in die' (read under the "
                          "pressure) or 'out of die' (after release): the two are never pooled")
    rows[STATE] = [STATES.get(name, OUT) for name in named]


def _pressures(rows: pd.DataFrame, fitting: bool) -> Iterator[Problem]:
    highest, now = number(rows, HIGHEST), number(rows, NOW)
    inside = (rows[STATE] == IN).to_numpy()
    released = text(rows, "sweep").eq("release").to_numpy()
    read = ~np.isnan(number(rows, DENSITY)) if fitting else np.ones(len(rows), dtype=bool)
    for label in rows.index[inside & released & read & np.isnan(now)]:
        yield Problem(label, NOW, None, f"a density in the die on release needs {NOW}, the "
                      f"pressure during the reading; {HIGHEST} keeps the highest one")
    filled = np.where(inside & ~released, highest, 0.0)
    rows[NOW] = np.where(np.isnan(now), filled, now)


def _solids(rows: pd.DataFrame, fitting: bool) -> Iterator[Problem]:
    by_mass, by_volume = number(rows, "active_fraction", 0.0), number(rows, PHI)
    read = ~np.isnan(number(rows, DENSITY)) if fitting else np.ones(len(rows), dtype=bool)
    for label in rows.index[(by_mass > 0) & np.isnan(by_volume) & read]:
        yield Problem(label, PHI, None, "a composite needs its share of active material by volume; "
                      "compaction.composite_volume_fraction gives it from the share by mass and "
                      "two densities")
    if "d50_um" in rows:
        for label in rows.index[number(rows, "d50_um", 1.0) <= 0]:
            yield Problem(label, "d50_um", 0.0, "a size above 0, or nothing where it is not known")


def _pellets(rows: pd.DataFrame) -> list[str]:
    """Rows without a label of the pellet are one pellet for each powder: they claim least."""
    cell, lot = text(rows, "cell"), text(rows, "lot")
    rows["lot"] = lot.where(lot.ne(""), "not stated")
    nameless = cell.eq("")
    rows["cell"] = cell.where(~nameless, "not stated, lot " + rows["lot"])
    if not (nameless & ~np.isnan(number(rows, DENSITY))).any():
        return []
    return [f"{int(nameless.sum())} rows name no pellet (cell): those of one powder are taken as "
            "one, whose error in mass and thickness they share"]
