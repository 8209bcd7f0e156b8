"""Resistances compared at one state of charge: correction by the relaxed potential, or refusal.

A cathode's resistance follows a U over its state of charge, so spectra taken at different relaxed
potentials differ by that alone. What is known is the slope of one sample: the uncoated cathode, 24
ohm cm2 over 46 mV after the first charge and 57 after the second, 0.5 and 1.2 ohm cm2 per mV. For
a coated one nobody has measured it; the same slope stands there with a factor of two, as a
log-normal. Two points and no scatter are behind the slope of the bare sample; its relative error
of 15 % is assumed.

Source: Kissel (2025), doctoral thesis, line 2191 (46 mV, both differences), 2126 (U over the
state of charge).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..data.problems import Problem, TableError

BARE = ("", "bare", "uncoated", "Uncoated-Ref")
SLOPES = {1: 24.0 / 46.0, 2: 57.0 / 46.0}
"""Slope of the bare sample (ohm cm2 per mV) after the charge of these cycles."""
SPREAD_MV = 46.0
"""Largest difference of potential over which the slope was seen."""
SD_LN_BARE, SD_LN_COATED = 0.15, float(np.log(2.0))
"""Standard deviation of the slope's logarithm: assumed for the bare sample; a factor of two."""
FREE_MV = 10.0
"""Difference of potential below which resistances may be compared without correction."""
LARGEST_SHARE = 0.5
"""Largest correction over the resistance itself."""


@dataclass(frozen=True)
class Corrected:
    """Answer of ``correct``.

    Attributes
    ----------
    table : DataFrame
        The rows given, with ``resistance_ohm_cm2`` and its sd at the reference potential,
        ``measured_ohm_cm2``, ``soc_offset_mV``, ``correction_ohm_cm2``, ``correction_sd``,
        ``status`` and ``reason``. Refused rows have no resistance and are kept.
    reference_V : float
    notes : list of str
    """

    table: pd.DataFrame
    reference_V: float
    notes: list[str]


def correct(
    table: pd.DataFrame, *, reference_V: float | None = None, cycle: int | None = None,
    slope: tuple[float, float] | None = None, correction: bool = True,
) -> Corrected:
    """Bring cathode resistances to one relaxed potential.

    Parameters
    ----------
    table
        ``coating`` (empty or "bare" is the uncoated reference), ``resistance_ohm_cm2``,
        ``resistance_ohm_cm2_sd``, ``relaxed_V``; ``direction`` and ``cycle`` if known.
    reference_V
        Potential at which they are compared; the median of the table's if not given.
    cycle
        Which published slope is taken, 1 or 2; the table's ``cycle`` if not given (later ones
        take 2).
    slope
        An own slope (ohm cm2 per mV, sd of its logarithm) in place of the published one; it then
        holds for all rows.
    correction
        False compares as measured and refuses rows more than 10 mV away.

    Returns
    -------
    Corrected
        The error of a correction is exact in its mean and sd for a log-normal slope. Rows of one
        coating share their slope, so their corrections err together.

    Raises
    ------
    data.TableError
        If a column is missing or a value cannot be.
    ValueError
        If no slope is named where one is needed.
    """
    problems = [Problem(None, name, None, f"missing; the table has {', '.join(map(str, table))}")
                for name in ("coating", "resistance_ohm_cm2", "resistance_ohm_cm2_sd", "relaxed_V")
                if name not in table]
    if problems:
        raise TableError("resistances", problems)
    done = table.copy()
    r, sd, u = (done[name].to_numpy(float) for name in
                ("resistance_ohm_cm2", "resistance_ohm_cm2_sd", "relaxed_V"))
    absent = np.isnan(r)
    for name, values, told in (("resistance_ohm_cm2_sd", sd, "its standard deviation, above 0"),):
        problems += [Problem(done.index[k], name, values[k], told)
                     for k in np.flatnonzero(~absent & ~(values > 0))]
    if problems:
        raise TableError("resistances", problems)
    if reference_V is None:
        if np.isnan(u[~absent]).all():
            raise TableError("resistances", [Problem(None, "relaxed_V", None, "every cell of this "
                             "column is empty; without it nothing can be compared")])
        reference_V = float(np.nanmedian(u[~absent]))
    offset = 1e3 * (u - reference_V)
    coated = ~done["coating"].fillna("").astype(str).str.strip().isin(BARE).to_numpy()
    middle, width = _slopes(done, coated, cycle, slope, correction)
    mean = middle * np.exp(0.5 * width**2)
    shift = np.where(offset == 0, 0.0, mean * offset)
    shift_sd = np.abs(mean * offset) * np.sqrt(np.expm1(width**2))
    why = np.full(len(done), "", dtype=object)
    if "reason" in done:
        why[absent] = done["reason"].fillna("").astype(str).to_numpy()[absent]
    why[absent & (why == "")] = "it has no resistance"
    unknown = ~absent & np.isnan(u)
    why[unknown] = "its relaxed potential is not recorded: it cannot be compared"
    far = ~absent & (np.abs(offset) > FREE_MV)
    if not correction:
        shift, shift_sd = np.zeros_like(shift), np.zeros_like(shift)
        for k in np.flatnonzero(far):
            why[k] = (f"its potential is {offset[k]:+.0f} mV from {reference_V:.3f} V: beyond "
                      f"{FREE_MV:.0f} mV resistances are compared with a correction only")
    else:
        for k in np.flatnonzero(~absent & ~unknown & (np.abs(shift) > LARGEST_SHARE * r)):
            why[k] = (f"the correction over {offset[k]:+.0f} mV, {-shift[k]:+.3g} ohm cm2, is more "
                      f"than half of the resistance; measure nearer to {reference_V:.3f} V")
    refused = why != ""
    done["measured_ohm_cm2"] = r
    done["soc_offset_mV"] = offset
    done["correction_ohm_cm2"] = np.where(refused, np.nan, -shift)
    done["correction_sd"] = np.where(refused, np.nan, shift_sd)
    done["resistance_ohm_cm2"] = np.where(refused, np.nan, r - shift)
    done["resistance_ohm_cm2_sd"] = np.where(refused, np.nan, np.hypot(sd, shift_sd))
    done["status"] = np.where(refused, "failed", "done")
    done["reason"] = why
    for name in ("resistance_low", "resistance_high"):  # they belong to the measured potential
        if name in done:
            done = done.drop(columns=name)
    return Corrected(done, float(reference_V),
                     _notes(done, coated, offset, correction, slope, refused))


def _slopes(done: Any, coated: np.ndarray, cycle: int | None,
            slope: tuple[float, float] | None, correction: bool
            ) -> tuple[np.ndarray, np.ndarray]:
    """Median slope (ohm cm2 per mV) and sd of its logarithm, a row each."""
    n = len(done)
    if slope is not None:
        if not slope[1] >= 0 or not np.isfinite(slope).all():
            raise ValueError(f"slope is {slope}; give ohm cm2 per mV and the sd of its logarithm")
        return np.full(n, float(slope[0])), np.full(n, float(slope[1]))
    width = np.where(coated, SD_LN_COATED, SD_LN_BARE)
    if cycle is not None:
        if cycle not in SLOPES:
            raise ValueError(f"cycle is {cycle}; a slope is published for cycles 1 and 2")
        return np.full(n, SLOPES[cycle]), width
    if "cycle" in done and done["cycle"].notna().all():
        return np.array([SLOPES[1 if c <= 1 else 2] for c in done["cycle"]]), width
    if correction:
        raise ValueError("which slope? Give cycle=1 or cycle=2 (0.52 or 1.24 ohm cm2 per mV for "
                         "the bare sample), a column 'cycle', or an own slope=(value, sd_ln)")
    return np.zeros(n), width


def _notes(done: Any, coated: np.ndarray, offset: np.ndarray, correction: bool,
           slope: Any, refused: np.ndarray) -> list[str]:
    notes = []
    used = ~refused & (np.abs(offset) > 0)
    if correction and slope is None and used.any():
        notes.append("slope of the bare sample after a charge to 3.7 V against In/InLi, where "
                     "resistance rises with potential; elsewhere on the U give an own slope")
        if (used & coated).any():
            notes.append(f"{int((used & coated).sum())} coated rows carry a factor of two on the "
                         "slope: it was measured on the bare sample only")
        if (np.abs(offset[used]) > SPREAD_MV).any():
            notes.append(f"some potentials lie more than {SPREAD_MV:.0f} mV away, beyond what the "
                         "slope was seen over")
    if "direction" in done and done["direction"].dropna().nunique() > 1:
        notes.append("spectra after charge and after discharge are mixed: hysteresis is not "
                     "corrected")
    if refused.any():
        notes.append(f"{int(refused.sum())} rows are refused; see their reason")
    return notes
