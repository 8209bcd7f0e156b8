"""Rows of pellets as the conduction model reads them: order, pellets, what informs what."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from ..data.pressing import HIGHEST, NOW
from ..data.problems import Problem, TableError
from .activation_volume import INTRINSIC_MPA
from .engine.encode import PARENTS, number, text
from .engine.inputs import slots_for

OUTCOME = "conductivity_mS_cm"
TYPICAL = "typical laboratory"
"""Name of the study whose deviation is zero by definition."""
HOMES = ("sieve", "study", "lot")
SLOTS = 8
UNNAMED = "not stated"


def preparer(
    compression: bool
) -> Callable[[pd.DataFrame, bool], tuple[pd.DataFrame, list[str]]]:
    """``prepare`` of the model, with or without compression sweeps in the activation volume."""

    def prepare(rows: pd.DataFrame, fitting: bool) -> tuple[pd.DataFrame, list[str]]:
        """Rows with the numbers and labels that the model takes.

        In settings the pressure now counts as one that was reached. In a table, cells without a
        label are one pellet for each lot and sieve, a density read in the die is not used, and
        readings of compression sweeps above 500 MPa are left out unless they are wanted. (That
        the highest pressure never falls within a pellet is checked where a table enters.)

        Raises
        ------
        data.TableError
            Naming the rows with a stack pressure of zero.
        """
        rows = rows.copy()
        now, highest = number(rows, NOW), number(rows, HIGHEST)
        _refuse_zero(rows, now)
        if not fitting:
            rows[HIGHEST] = np.fmax(highest, now)  # what is pressed now has been pressed
            return rows, []
        return rows, [*_labels(rows), *_densities(rows), *_sweeps(rows, compression)]

    return prepare


def encode_homes(
    rows: pd.DataFrame, table: pd.DataFrame, statements: bool
) -> dict[str, np.ndarray]:
    """Slots of sieve fraction, laboratory and lot of each pellet's slot, ``(slots, 3)``.

    Zero where a slot is not used; and for the laboratory that is the typical one.
    """
    codes = {}
    for group in (*HOMES, "cell"):
        keys = list(zip(*(text(rows, c) for c in PARENTS.get(group, (group,))), strict=True))
        known = dict.fromkeys(key for key in keys if key != (TYPICAL,))
        slot = {key: k + 1 for k, key in enumerate(known)}
        codes[group] = np.array([slot.get(key, 0) for key in keys], dtype="int64")
    home = np.zeros((slots_for(len(set(codes["cell"])), SLOTS), len(HOMES)), dtype="int64")
    home[codes["cell"] - 1] = np.stack([codes[group] for group in HOMES], axis=1)
    return {"cell__home": home}


def _refuse_zero(rows: pd.DataFrame, now: np.ndarray) -> None:
    zero = np.flatnonzero(now <= 0)
    if len(zero):
        raise TableError("table", [Problem(
            rows.index[k], NOW, f"{now[k]:g}",
            "a pressure above 0: contacts part without any; give that of the spring or the frame")
            for k in zero])


def _labels(rows: pd.DataFrame) -> list[str]:
    """Labels of pellets that are unique over lots and sieve fractions."""
    cell = text(rows, "cell")
    named = cell.ne("")
    parts = [text(rows, "lot"), text(rows, "sieve"), cell.where(named, UNNAMED)]
    rows["cell"] = [" / ".join(p for p in key if p) for key in zip(*parts, strict=True)]
    if named.all():
        return []
    return [f"{int((~named).sum())} rows name no pellet (cell): those of one lot and sieve "
            "fraction are taken as one pellet"]


def _densities(rows: pd.DataFrame) -> list[str]:
    read = ~np.isnan(number(rows, "relative_density"))
    within = read & text(rows, "density_state").eq("in die").to_numpy()
    if not within.any():
        return []
    rows["relative_density"] = np.where(within, np.nan, number(rows, "relative_density"))
    return [f"{int(within.sum())} densities were read in the die, elastic part and all: not used, "
            "the pressing pressure stands in"]


def _sweeps(rows: pd.DataFrame, compression: bool) -> list[str]:
    """Leave out what would bias the activation volume."""
    sweep = text(rows, "sweep")
    now, highest = number(rows, NOW), number(rows, HIGHEST)
    unsaid = sweep.eq("").to_numpy() & (now >= 0.999 * highest)
    rising = sweep.eq("compression").to_numpy() | unsaid
    out = rising & (now > INTRINSIC_MPA) & ~np.isnan(number(rows, OUTCOME))
    if compression or not out.any():
        return []
    rows[OUTCOME] = np.where(out, np.nan, number(rows, OUTCOME))
    return [f"{int(out.sum())} readings above {INTRINSIC_MPA:g} MPa under rising pressure are left "
            "out: the pellet still gets denser there, which would bias the activation volume "
            "(conduction.with_compression() keeps them)"]
