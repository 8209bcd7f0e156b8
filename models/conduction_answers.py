"""What a fit of pellets says: its activation volume, and what another laboratory would read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .activation_volume import PREFACTOR_SHARE, per_ion
from .conduction_rows import OUTCOME, TYPICAL

LEVEL = 0.9
PRIOR_DRIVEN = 0.8
"""Ratio of sds, posterior over prior, above which a number is the prior's."""


@dataclass(frozen=True)
class ActivationVolume:
    """An activation volume with its statistical and its systematic error.

    Attributes
    ----------
    table
        Rows ``cm3/mol`` and ``A3 per ion``; ``median``, ``low``, ``high`` with the systematic
        term, ``low_statistical``, ``high_statistical`` without it; 90 % equal-tailed intervals.
    draws
        In cm3/mol, the systematic term in them, ``(draws,)``.
    informed
        False where the slope is the prior's.
    """

    table: pd.DataFrame
    draws: np.ndarray
    informed: bool

    @property
    def sentence(self) -> str:
        """The numbers in words."""
        one, ion = self.table.loc["cm3/mol"], self.table.loc["A3 per ion"]
        whence = "" if self.informed else " From the prior: no reading informs the slope."
        return (f"Activation volume {one['median']:.2f} cm3/mol, {ion['median']:.2f} A3 per ion; "
                f"90 % equal-tailed interval {one['low']:.2f} to {one['high']:.2f} cm3/mol with "
                f"up to {100 * PREFACTOR_SHARE:.0f} % for the pre-exponential term that is left "
                f"out, {one['low_statistical']:.2f} to {one['high_statistical']:.2f} without."
                + whence)


def activation_volume(fit: Any) -> ActivationVolume:
    """Activation volume of a fit, shared by its sieve fractions.

    Raises
    ------
    ValueError
        If the fit is of another model.
    """
    if fit.model.name != "conduction":
        raise ValueError(f"this is a fit of {fit.model.name!r}; it needs one of 'conduction'")
    values = {name: fit.posterior[f"conduction.{name}"].to_numpy().ravel()
              for name in ("apparent_activation_volume", "prefactor_share")}
    apparent = values["apparent_activation_volume"]
    whole = apparent * (1.0 + values["prefactor_share"])
    tails = [0.5 - LEVEL / 2, 0.5 + LEVEL / 2]
    row = np.array([np.median(whole), *np.quantile(whole, tails), *np.quantile(apparent, tails)])
    names = ["median", "low", "high", "low_statistical", "high_statistical"]
    table = pd.DataFrame([row, per_ion(row)], columns=names,
                         index=pd.Index(["cm3/mol", "A3 per ion"], name="unit"))
    prior = fit.priors["conduction.apparent_activation_volume"].width()
    return ActivationVolume(table, whole, bool(apparent.std() < PRIOR_DRIVEN * float(prior)))


def other_laboratory(fit: Any, settings: pd.DataFrame, seed: int = 1) -> np.ndarray:
    """Conductivity that another laboratory would read at these settings, ``(draws, settings)``.

    The mean over pellets of the typical laboratory, times a deviation of the laboratory: the sd of
    ln is 0.34 to 0.47, whatever was learned at home.
    """
    typical = fit.predict(settings.assign(study=TYPICAL), outcome=OUTCOME).to_numpy()
    sd = fit.posterior["conduction.laboratory_sd"].to_numpy().ravel()
    deviation = sd * np.random.default_rng(seed).normal(size=sd.shape)
    return typical * np.exp(deviation)[:, None]
