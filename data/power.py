"""The power log of a mill: reading and checks, no physics."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd

from .problems import Problem, TableError
from .reading import read_rows

FEWEST = 3


def read_power_log(
    path: str | os.PathLike[str], sample_mass_g: float | None = None, *, steps_within: float = 0.2
) -> pd.DataFrame:
    """Read the power that a mill drew, logged over time.

    Parameters
    ----------
    path : path
        A file with the columns ``time_s`` [s] and ``power_W`` [W].
    sample_mass_g : float, optional
        Mass of powder in the mill [g]; None for an idle log.
    steps_within : float
        How far a time step may be from the median step, as a share of it: smoothing and summing
        take the steps as equal.

    Returns
    -------
    DataFrame
        ``time_s`` increasing, ``power_W``, and ``sample_mass_g`` where given.

    Raises
    ------
    TableError
        On a missing column, a bad or empty cell, time running back, a gap, or fewer than 3 rows.
    """
    if sample_mass_g is not None and not (np.isfinite(sample_mass_g) and sample_mass_g > 0):
        raise ValueError(f"sample_mass_g is {sample_mass_g!r}; it must be a mass in grams above 0")
    wanted = pd.DataFrame(
        {
            "name": ["time_s", "power_W"],
            "role": "context",
            "level": "row",
            "unit": ["s", "W"],
            "needed": True,
        }
    )
    log = read_rows(path, wanted)
    where = Path(path).name
    rows = [int(r) for r in log.index]
    time, power = (log[name].to_numpy("float64") for name in ("time_s", "power_W"))
    told = "an empty cell; every row of a power log needs both columns"
    problems = [
        Problem(rows[i], name, None, told)
        for name, values in (("time_s", time), ("power_W", power))
        for i in np.flatnonzero(np.isnan(values))
    ]
    if len(log) < FEWEST:
        told = f"it has {len(log)} rows; a power log needs at least {FEWEST}"
        problems.append(Problem(None, None, None, told))
    problems = problems or _steps(rows, time, steps_within)
    if problems:
        raise TableError(where, problems)
    out = pd.DataFrame({"time_s": time, "power_W": power})
    return out if sample_mass_g is None else out.assign(sample_mass_g=float(sample_mass_g))


def _steps(rows: list[int], time: np.ndarray, within: float) -> list[Problem]:
    """Find where time runs back, or else where a step is unlike the others."""
    steps = np.diff(time)
    back = [
        Problem(
            rows[i + 1],
            "time_s",
            time[i + 1],
            f"a time after that of the row before, {time[i]:g} s",
        )
        for i in np.flatnonzero(steps <= 0)
    ]
    usual = float(np.median(steps))
    return back or [
        Problem(
            rows[i + 1],
            "time_s",
            time[i + 1],
            f"about {usual:g} s after the row before, but the step is {steps[i]:g} s; "
            "cut the log there, or export it at equal steps",
        )
        for i in np.flatnonzero(np.abs(steps - usual) > within * usual)
    ]
