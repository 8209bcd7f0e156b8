"""Failures are data: the chance that an experiment does not fail, over the space.

A failed *process* (caked powder, cracked sheet, sample stuck in the jar) says that its setting does
not work, and settings near it may not either. A failed *assay* (a cell that shorted, a bad reading)
says nothing of the setting: it may be tried again. Column ``failure`` says which; empty counts as
process.

    logit P(no failure) = m + g,    g a Gaussian process (Matern-5/2) over encoded settings

with m = logit 0.9: before anything has failed nine of ten settings are thought to work. The
posterior is Laplace's approximation; outcomes of one setting tried several times count as so many.
What caked in one furnace run caked together: where samples share a run, those of it that failed
weigh as one outcome in all, and so do those that worked.

References
----------
Rasmussen and Williams, "Gaussian Processes for Machine Learning" (2006), algorithms 3.1 and 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import expit, log_expit

from . import weighing
from .errors import counted
from .plots import has_runs
from .readings import all_given

if TYPE_CHECKING:
    from .space import Space

PROCESS, ASSAY = "process", "assay"
BEFORE = 0.9
"""Median chance of no failure where nothing is known."""
AMPLITUDE = 3.0
"""Prior sd of the logit over the space: neighbours of a failure become doubtful, and settings that
have worked next to it bring the chance back."""
LENGTH = 0.5
"""Length scale of one factor, in widths of the unit cube."""
LEAST = 0.5
"""Suggestions keep to settings that work at least so probably, where there are any: a failure costs
a whole experiment and tells nothing else."""
DOUBTFUL = 0.9
"""Below this chance a recommended setting is said to be doubtful."""
NEWTON = 60


@dataclass(frozen=True)
class Feasibility:
    """Chance that the process does not fail; call it with settings.

    Attributes
    ----------
    worked, failed : int
        How many outcomes it has learned from, samples of one run as one.
    """

    space: Space
    at: np.ndarray
    slope: np.ndarray
    root: np.ndarray
    inner: np.ndarray
    worked: int
    failed: int

    def __call__(self, settings: pd.DataFrame) -> np.ndarray:
        """Probability that an experiment at each setting does not fail, shape (m,)."""
        where = self.space.encode(settings)
        cross = _kernel(where, self.at)
        mean = np.log(BEFORE / (1.0 - BEFORE)) + cross @ self.slope
        inside = np.linalg.solve(self.inner, (self.root[:, None] * cross.T))
        variance = np.maximum(AMPLITUDE**2 - (inside**2).sum(axis=0), 0.0)
        return expit(mean / np.sqrt(1.0 + np.pi / 8.0 * variance))


@dataclass(frozen=True)
class Record:
    """How the process went, and is expected to go, at some settings.

    Attributes
    ----------
    p_works : ndarray, shape (m,)
        Probability that an experiment does not fail.
    failed, made : ndarray of int, shape (m,)
        Experiments whose process failed there, and all that were made there.
    """

    p_works: np.ndarray
    failed: np.ndarray
    made: np.ndarray

    def said(self, k: int) -> str:
        """A clause on one setting; empty where none has failed there and it is likely to work."""
        p, failed, made = float(self.p_works[k]), int(self.failed[k]), int(self.made[k])
        chance = f"P(the process does not fail) {p:.2f}"
        if failed:
            return f"the process failed in {failed} of {counted(made, 'experiment')}, {chance}"
        return chance if p < DOUBTFUL else ""


def record(space: Space, rows: pd.DataFrame, settings: pd.DataFrame) -> Record | None:
    """What failures tell of settings; None where no process has failed. Rows as for `learn`."""
    works = learn(space, rows)
    if works is None:
        return None
    past = _experiments(space, weighing.as_planned(rows, space))
    here = _codes(space, settings)[:, None] == _codes(space, past)
    lost = past["_lost"].to_numpy(dtype=bool)
    return Record(works(settings), (here & lost).sum(axis=1), here.sum(axis=1))


def _codes(space: Space, settings: pd.DataFrame) -> np.ndarray:
    """A name for each setting by its place; the same for what differs by rounding only."""
    places = np.round(space.encode(settings[space.names], features=False), 9) + 0.0
    return np.array([place.tobytes().hex() for place in places], dtype=object)


def learn(space: Space, rows: pd.DataFrame) -> Feasibility | None:
    """Learn from rows which settings work; None where no process has failed.

    Parameters
    ----------
    space : Space
    rows : DataFrame
        Recorded rows: factors, ``status``, ``failure``. A row with status ``failed`` failed, one
        that is done worked; planned, running and abandoned ones, statements and failed assays say
        nothing.
    """
    one = _experiments(space, rows)
    if not one["_lost"].any():
        return None
    y = np.where(one["_lost"].to_numpy(dtype=bool), -1.0, 1.0)
    at = space.encode(one[space.names])
    weight = np.ones(len(one))
    if has_runs(space) and "run" in one:
        labels = [c for c in ("study", "mill", "run") if c in one]
        shared = one.groupby([*labels, "_lost"], dropna=False)["_lost"].transform("size")
        weight = np.where(one["run"].isna(), 1.0, 1.0 / shared)
    slope, root, inner = _laplace(_kernel(at, at), y, weight)
    worked, failed = (round(float(weight[y == outcome].sum())) for outcome in (1.0, -1.0))
    return Feasibility(space, at, slope, root, inner, worked, failed)


def _experiments(space: Space, rows: pd.DataFrame) -> Any:
    """Experiments that failed as a process or worked, one row each; ``_lost`` says which.

    Rows of one batch or cell are one experiment: they did not fail more than once.
    """
    lost = process_failures(rows)
    good = np.ones(len(rows), dtype=bool)
    if "status" in rows:
        good &= np.array(rows["status"].isna() | (rows["status"] == "done"))
    if "kind" in rows:
        good &= np.array(rows["kind"] != "statement")
    given = all_given(rows, space.names)
    lost, good = lost & given, good & given
    use: Any = rows[lost | good].assign(_lost=lost[lost | good])
    labels = [c for c in ("suggestion", "run", "batch", "cell") if c in use]
    if "cell" in use and "batch" in use:
        use["cell"] = use["cell"].where(use["batch"].isna())
    return use.drop_duplicates([*space.names, *labels, "_lost"])


def process_failures(rows: pd.DataFrame) -> np.ndarray:
    """Rows whose process failed, shape (n,)."""
    if "status" not in rows:
        return np.zeros(len(rows), dtype=bool)
    lost = np.array(rows["status"] == "failed", dtype=bool)
    return lost & np.array(rows["failure"] != ASSAY) if "failure" in rows else lost


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    length = LENGTH * np.sqrt(a.shape[1])
    square = ((a[:, None] - b[None]) ** 2).sum(axis=-1)
    r = np.sqrt(5.0 * square) / length
    return AMPLITUDE**2 * (1.0 + r + r * r / 3.0) * np.exp(-r)


def _laplace(
    k: np.ndarray, y: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradient of the log likelihood at the mode, root of its curvature, and the inner factor."""
    middle = np.log(BEFORE / (1.0 - BEFORE))
    a, g = np.zeros(len(y)), np.zeros(len(y))

    def height(a: np.ndarray) -> float:
        g = k @ a
        return float(weight @ log_expit(y * (middle + g)) - 0.5 * a @ g)

    for _ in range(NEWTON):
        p = expit(middle + g)
        gradient = weight * ((y + 1.0) / 2.0 - p)
        w = weight * p * (1.0 - p)
        root = np.sqrt(w)
        inner = np.linalg.cholesky(np.eye(len(y)) + root[:, None] * k * root)
        b = w * g + gradient
        inside = np.linalg.solve(inner, root * (k @ b))
        step, share = b - root * np.linalg.solve(inner.T, inside) - a, 1.0
        # a whole step from where most is certain would go far beyond the mode
        while share > 1e-6 and height(a + share * step) < height(a):
            share /= 2.0
        a = a + share * step
        moved, g = k @ a - g, k @ a
        if np.abs(moved).max() < 1e-8:
            break
    p = expit(middle + g)
    root = np.sqrt(weight * p * (1.0 - p))
    inner = np.linalg.cholesky(np.eye(len(y)) + root[:, None] * k * root)
    return weight * ((y + 1.0) / 2.0 - p), root, inner
