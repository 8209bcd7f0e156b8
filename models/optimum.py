"""Where along the specific energy of milling a fit of the capacity model has its optimum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .engine.encode import refuse_fixed

if TYPE_CHECKING:
    from .engine.fit import Fit

LEVEL = 0.9
SPEEDS = (200.0, 1100.0)
"""Ends of the path over speed (1/min); with 15 min and 5 mm beads E_m goes from 30 to 4500 J/g."""
POINTS = 65


@dataclass(frozen=True)
class Optimum:
    """Specific energy with the largest expected capacity.

    Attributes
    ----------
    energy
        One value a draw (J/g).
    within
        The two energies (J/g) that were asked about.
    probability
        That the optimum lies between them.
    median, low, high
        Of the energy (J/g); 90 % equal-tailed interval.
    statements
        Whether published statements took part in the fit.
    sentence
        The same in words.
    """

    energy: np.ndarray
    within: tuple[float, float]
    probability: float
    median: float
    low: float
    high: float
    statements: bool
    sentence: str


def optimum(fit: Fit, within: tuple[float, float] = (300.0, 1000.0), **fixed: Any) -> Optimum:
    """Find the optimum of every draw along a path over speed at 15 min.

    Parameters
    ----------
    fit
        A fit of ``models.get("capacity")``.
    within
        Energies (J/g) between which the probability is asked.
    **fixed
        Columns that differ from 15 min, 5 mm beads, filling 0.5 and 0.1C.

    Returns
    -------
    Optimum

    Raises
    ------
    ValueError
        If the fit is not of the capacity model, ``within`` is no range, or the speed is fixed.
    KeyError
        If a fixed column is unknown.
    """
    if fit.model.name != "capacity":
        raise ValueError(f"the fit is of {fit.model.name!r}; the optimum needs one of 'capacity'")
    if not within[0] < within[1]:
        raise ValueError(f"within={within} must be two energies (J/g), the lower one first")
    refuse_fixed(fixed, "rpm")
    given = {"milling_min": 15.0, "bead_mm": 5.0, "filling": 0.5, "c_rate": 0.1, **fixed}
    path = pd.DataFrame({"rpm": np.geomspace(*SPEEDS, POINTS)}).assign(**given)
    capacity = np.asarray(fit.predict(path, outcome="capacity_mAh_g"))
    energies = fit.quantity("specific_energy", path).to_numpy()
    at = capacity.argmax(axis=1)
    energy = energies[np.arange(len(at)), at]
    probability = float(np.mean((energy > within[0]) & (energy < within[1])))
    low, median, high = (float(v) for v in np.quantile(energy, [0.05, 0.5, 0.95]))
    statements = bool(fit.options["statements"])
    used = "with the published statements" if statements else "without the published statements"
    sentence = (
        f"The optimum of E_m lies between {within[0]:g} and {within[1]:g} J/g with probability "
        f"{probability:.2f} ({used}); 90 % equal-tailed interval {low:.0f} to {high:.0f} J/g, "
        f"a factor of {high / low:.1f}.")
    edge = float(np.mean((at == 0) | (at == len(path) - 1)))
    if edge >= 0.01:
        sentence += (f" With probability {edge:.2f} it is an end of the path ({SPEEDS[0]:g} to "
                     f"{SPEEDS[1]:g} 1/min), which a longer path would move.")
    return Optimum(energy, within, probability, median, low, high, statements, sentence)
