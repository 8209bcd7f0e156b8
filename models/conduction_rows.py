"""Rows of pellets as the conduction model reads them: order, pellets, what informs what."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pandas as pd

from ..data.pressing import HIGHEST, NOW
from ..data.problems import Problem, TableError
from .activation_volume import INTRINSIC_MPA
from .engine.encode import PARENTS, number, text
from .engine.inputs import slots_for

OUTCOME, VOLUME = "conductivity_mS_cm", "activation_volume_cm3_mol"
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
        _refuse(rows, now, highest, fitting)
        if not fitting:
            rows[HIGHEST] = np.fmax(highest, now)  # what is pressed now has been pressed
            return rows, []
        return rows, [*_labels(rows), *_densities(rows), *_sweeps(rows, compression)]

    return prepare


def complete(table: pd.DataFrame, *, temperature_degC: float) -> pd.DataFrame:
    """A published table with what it leaves open filled in, said in ``note``.

    A pressure that is printed as a range becomes its geometric mean: the readings concerned are
    maxima over the pressure, where it matters least. A temperature that is not stated becomes the
    one given.

    Parameters
    ----------
    table
        Rows as ``data.load`` returns them.
    temperature_degC
        Temperature of the readings that state none.
    """
    done = table.copy()
    note = text(done, "note")
    ends = number(done, f"{NOW}_low") * number(done, f"{NOW}_high")
    ranged = np.isnan(number(done, NOW)) & ~np.isnan(ends)
    middle = np.sqrt(np.where(ranged, ends, 1.0))
    done[NOW] = np.where(ranged, middle, number(done, NOW))
    note = note.where(~ranged, note + "; stack_MPa: middle of the printed range")
    unsaid = np.isnan(number(done, "temperature_degC"))
    done["temperature_degC"] = number(done, "temperature_degC", temperature_degC)
    done["note"] = note.where(~unsaid, note + "; temperature_degC: assumed")
    return done


def encode_volumes(
    rows: pd.DataFrame, table: pd.DataFrame, statements: bool
) -> dict[str, np.ndarray]:
    """Printed activation volumes (cm3/mol) from slopes of readings; one number printed for several
    fractions counts once, simulations do not count."""
    value = number(table, VOLUME)
    use = ~np.isnan(value) & ~text(table, "technique").str.contains("simulation").to_numpy()
    use &= ~text(table, "kind").eq("statement").to_numpy()
    shared = text(table, f"{VOLUME}_shared").to_numpy()
    kept = {(shared[k] or f"row {k}"): value[k] for k in np.flatnonzero(use)}
    return {"printed_volume__numbers": np.array(list(kept.values()), dtype=float)}


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


def _refuse(rows: pd.DataFrame, now: np.ndarray, highest: np.ndarray, fitting: bool) -> None:
    problems = [Problem(
        rows.index[k], NOW, f"{now[k]:g}",
        "a pressure above 0: contacts part without any; give that of the spring or the frame")
        for k in np.flatnonzero(now <= 0)]
    if fitting:
        problems += _falling(rows, highest)
    if problems:
        raise TableError("table" if fitting else "settings", problems)


def _falling(rows: pd.DataFrame, highest: np.ndarray) -> list[Problem]:
    """Within the release sweeps of a pellet the highest pressure cannot fall."""
    problems = []
    release = text(rows, "sweep").eq("release") & text(rows, "cell").ne("")
    labels = [text(rows, c) for c in ("study", "lot", "sieve", "batch", "cell")]
    pellet = np.array([str(key) for key in zip(*labels, strict=True)], dtype=object)
    cycle = number(rows, "cycle", 1.0)
    for name in dict.fromkeys(pellet[release.to_numpy()]):
        at = np.flatnonzero(release.to_numpy() & (pellet == name))
        at = at[np.argsort(cycle[at], kind="stable")]
        for before, k in pairwise(at):
            if highest[k] < highest[before] * (1.0 - 1e-6):
                problems.append(Problem(
                    rows.index[k], HIGHEST, f"{highest[k]:g}",
                    f"{highest[before]:g} or more: pellet {text(rows, 'cell').iloc[k]!r} has seen "
                    f"that in row {rows.index[before]}, and the highest pressure so far cannot "
                    f"fall. The pressure during the reading is {NOW}; another pellet has a label "
                    "of its own; cycle counts the compressions"))
    return problems


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
