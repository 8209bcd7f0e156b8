"""Which measurement would close a prediction's interval most.

For a prediction T (a mean at a setting) and a reading R that could be taken, both drawn from one
posterior, the part of the variance of T that the reading leaves is, for jointly normal quantities,

    1 - rho^2,    rho the correlation of T and R over the draws.

rho is taken from ranks (rho = 2 sin(pi r / 6) with Spearman's r), so that it does not depend on the
scale of either, and outliers of a reading do not hide what it tells. Nothing is fitted: the answer
is that of a first step, exact for a linear model with normal errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .engine.encode import number

if TYPE_CHECKING:
    from .engine.fit import Fit


def what_closes(
    fit: Fit, target: Mapping[str, Any], candidates: pd.DataFrame, *, outcome: str | None = None,
    level: float = 0.9, seed: int = 1,
) -> pd.DataFrame:
    """Expected width of a prediction's interval after each of some readings.

    Parameters
    ----------
    fit
        Fit of a model or of a chain.
    target
        Setting whose mean is asked for; its study, mill, ... as in ``fit.predict``.
    candidates
        One row a measurement: ``measure``, the outcome column to read, ``batches``, how many new
        batches of one cell each (1 if not given), and the settings that differ from the target's.
    outcome
        Outcome of the target; the model's main one if not given.
    level
        Level of the equal-tailed interval.
    seed
        Seed of the simulated readings.

    Returns
    -------
    DataFrame
        The candidates with ``width_now`` and ``width_after`` (unit of the outcome) of the
        interval of the mean, and ``closes`` (1), the share of the width that the reading is
        expected to take away; the most telling first.

    Raises
    ------
    ValueError
        If a candidate measures nothing that the model explains, or no whole number of batches.
    """
    name = outcome or fit.model.outcomes[0].name
    mean = fit.predict(pd.DataFrame([dict(target)]), outcome=name).to_numpy()[:, 0]
    low, high = np.quantile(mean, [0.5 - level / 2, 0.5 + level / 2])
    known = [o.name for o in fit.model.outcomes]
    shares = []
    repeats = number(candidates, "batches", 1.0)
    for k in np.flatnonzero(~((repeats >= 1) & (repeats == np.floor(repeats)))):
        raise ValueError(
            f"candidate {k}: batches = {repeats[k]:g} must be a whole number from 1 on")
    for k, (row, count) in enumerate(zip(candidates.to_dict("records"), repeats, strict=True)):
        measured = row.get("measure")
        if measured not in known:
            raise ValueError(f"candidate {k} measures {measured!r}, which {fit.model.name!r} does "
                             f"not explain; it has: {', '.join(known)}")
        own = {c: v for c, v in row.items() if c not in ("measure", "batches") and pd.notna(v)}
        settings = pd.DataFrame([{**target, **own}] * int(count))
        read = fit.predict(settings, of="cell", outcome=measured, seed=seed + k).to_numpy()
        shares.append(1.0 - np.sqrt(1.0 - _correlation(mean, read.mean(axis=1)) ** 2))
    found = candidates.assign(width_now=high - low, closes=shares)
    found["width_after"] = found["width_now"] * (1.0 - found["closes"])
    return found.sort_values("closes", ascending=False, kind="stable").reset_index(drop=True)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    from scipy.stats import spearmanr

    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    found: Any = spearmanr(a, b)
    return float(2.0 * np.sin(np.pi / 6.0 * found.statistic))
