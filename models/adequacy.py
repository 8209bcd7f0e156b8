"""Does a circuit hold what Kramers and Kronig allow? Asked of every fitted spectrum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .circuit_fit import Mode, Spectrum
    from .kramers_kronig import KramersKronig

LEVEL = 0.01
"""Share of spectra that the circuit describes and that are said not to be described."""
IN_ROWS = 2.6
"""Correlation of neighbouring residuals, in standard deviations, beyond which it is no noise."""


def described(spectrum: Spectrum, best: Mode, gate: KramersKronig) -> tuple[float, float]:
    """How well the circuit holds what Kramers-Kronig allows.

    Returns
    -------
    p : float
        Of the F test of the circuit against the free sum of relaxations of the gate.
    z : float
        Correlation of neighbouring residuals, in standard deviations of independent ones.
    """
    from scipy.stats import f as f_distribution

    free, own = 2 * len(gate.real) - gate.freedom, len(best.at) - 1
    more = max(gate.freedom - own, 1)
    lost = best.chi_square * spectrum.noise**2 - gate.sum_of_squares
    p = float(f_distribution.sf(max(lost, 0.0) / more / (gate.sum_of_squares / free), more, free))
    order = np.argsort(spectrum.frequency)
    re, im = spectrum.law(best.at, spectrum.frequency)
    off = np.stack([re - spectrum.real, im - spectrum.imaginary]) / spectrum.modulus
    off = off[:, order]
    near = float((off[:, 1:] * off[:, :-1]).sum() / (off**2).sum())
    return p, near * np.sqrt(off.size)
