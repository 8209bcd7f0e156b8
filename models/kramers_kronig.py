"""Kramers-Kronig gate: do real and imaginary part of a spectrum belong to one steady cell?

Every impedance of a linear, causal and steady system is a resistance, an inductance, a capacitance
and a sum of relaxations R_k / (1 + j w tau_k). With time constants on a fixed logarithmic grid
that is a linear regression, weighted by 1 / |Z| since noise is proportional to the impedance. Both
parts share one set of R_k; that is the Kramers-Kronig relation.

How large a residual may be depends on the noise, which nobody states. So the gate does not look at
its size but at what it is like: does a term that moves the real part alone, smooth in frequency,
explain more than noise would? A partial F test answers, exact for independent noise of unknown
size; drift while measuring, correlated noise and steps between current ranges fail it. A spectrum
whose residual is large everywhere fails too.

Sources: Boukamp, J. Electrochem. Soc. 142 (1995) 1885 (linear test); Schönleber, Klotz,
Ivers-Tiffée, Electrochim. Acta 131 (2014) 20 (relaxations on a grid). The F test is ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

LEVEL = 0.01
"""Share of sound spectra that the gate refuses by accident."""
NOISIEST = 0.05
"""Largest relative residual of a usable spectrum."""
PER_DECADE, BEYOND, CUT = 3.0, 1.0, 2e-3
"""Relaxations per decade, decades beyond the measured ones, smallest singular value kept."""
PROBES_PER_DECADE = 0.5
OUTLYING = 4.5
"""Residual over its standard deviation beyond which a point is named."""


@dataclass(frozen=True)
class KramersKronig:
    """Answer of ``kramers_kronig``.

    Attributes
    ----------
    passed : bool
    p : float
        Of the F test: how often a sound spectrum would look at least so inconsistent.
    residual : float
        Relative standard deviation of the residuals, both parts: the noise, if it has passed.
    worst, worst_Hz : float
        Largest relative residual, and where.
    low_Hz, high_Hz : float
        Span of the decade in frequency with the largest inconsistency.
    outliers_Hz : tuple of float
        Points more than ``OUTLYING`` standard deviations off.
    freedom : int
        Parameters that the regression has used.
    real, imaginary : array (n,)
        The smooth, consistent impedance in the unit given.
    sum_of_squares : float
        Of relative residuals.
    sentence : str
    """

    passed: bool
    p: float
    residual: float
    worst: float
    worst_Hz: float
    low_Hz: float
    high_Hz: float
    outliers_Hz: tuple[float, ...]
    freedom: int
    real: np.ndarray = field(repr=False)
    imaginary: np.ndarray = field(repr=False)
    sum_of_squares: float
    sentence: str

    @property
    def modulus(self) -> np.ndarray:
        """|Z| without its noise, in the unit given."""
        return np.hypot(self.real, self.imaginary)


def kramers_kronig(
    frequency: np.ndarray, real: np.ndarray, imaginary: np.ndarray, *, level: float = LEVEL,
    noisiest: float = NOISIEST,
) -> KramersKronig:
    """Test one spectrum.

    Parameters
    ----------
    frequency : array (n,)
        Hz, any order.
    real, imaginary : array (n,)
        Impedance in ohm or ohm cm2; capacitive is negative.
    level
        Share of sound spectra refused by accident.
    noisiest
        Relative residual above which a spectrum is refused as too noisy.
    """
    from scipy.stats import f as f_distribution

    n = len(frequency)
    weight = np.tile(1.0 / np.hypot(real, imaginary), 2)
    y = np.concatenate([real, imaginary]) * weight
    shared = _directions(_relaxations(frequency) * weight[:, None], CUT)
    left = y - shared @ (shared.T @ y)
    probes = _probes(frequency) * weight[:, None]
    probes = _directions(probes - shared @ (shared.T @ probes), CUT)
    found = probes.T @ left
    more, free = probes.shape[1], shared.shape[1]
    rest = 2 * n - free - more
    squares = float(left @ left)
    gained = float(found @ found)
    ratio = (gained / more) / ((squares - gained) / rest)
    p = float(f_distribution.sf(ratio, more, rest))
    spread = float(np.sqrt(squares / (2 * n - free)))
    smooth = (shared @ (shared.T @ y)) / weight
    size = np.hypot(left[:n], left[n:])
    scale = np.abs(left).reshape(2, n).max(axis=0) / spread
    worst = int(size.argmax())
    low, high = _where(frequency, (probes @ found)[:n])
    off = tuple(float(v) for v in np.asarray(frequency)[scale > OUTLYING])
    passed = p >= level and spread <= noisiest
    return KramersKronig(
        passed, p, spread, float(size[worst]), float(frequency[worst]), low, high, off, free,
        smooth[:n], smooth[n:], squares,
        _sentence(p, level, spread, noisiest, low, high, float(size[worst]),
                  float(frequency[worst])))


def _relaxations(frequency: np.ndarray) -> np.ndarray:
    """(2n, k): real parts above imaginary parts of all shared terms."""
    w = 2 * np.pi * np.asarray(frequency, dtype=float)
    low, high = np.log10(1 / w.max()) - BEYOND, np.log10(1 / w.min()) + BEYOND
    tau = np.logspace(low, high, int(np.ceil((high - low) * PER_DECADE)) + 1)
    single = 1 / (1 + 1j * w[:, None] * tau)
    zero, one = np.zeros(len(w)), np.ones(len(w))
    real = np.column_stack([single.real, one, zero, zero])
    return np.vstack([real, np.column_stack([single.imag, zero, w / w.max(), -w.min() / w])])


def _probes(frequency: np.ndarray) -> np.ndarray:
    """(2n, m): smooth steps in the real part alone."""
    w = 2 * np.pi * np.asarray(frequency, dtype=float)
    decades = np.log10(w.max() / w.min())
    tau = np.logspace(np.log10(1 / w.max()), np.log10(1 / w.min()),
                      max(round(decades * PROBES_PER_DECADE), 1) + 1)
    steps = 1 / (1 + (w[:, None] * tau) ** 2)
    return np.vstack([steps, np.zeros_like(steps)])


def _directions(columns: np.ndarray, cut: float) -> np.ndarray:
    """Orthonormal columns that span the given ones, those all but dependent left out."""
    length = np.sqrt((columns**2).sum(axis=0))
    left, size, _ = np.linalg.svd(columns / length, full_matrices=False)
    return left[:, size > cut * size[0]]


def _where(frequency: np.ndarray, inconsistent: np.ndarray) -> tuple[float, float]:
    """The decade of frequency that holds most of the inconsistency."""
    lg = np.log10(np.asarray(frequency, dtype=float))
    held = [float((inconsistent[np.abs(lg - at) <= 0.5] ** 2).sum()) for at in lg]
    at = lg[int(np.argmax(held))]
    inside = lg[np.abs(lg - at) <= 0.5]
    return float(10 ** inside.min()), float(10 ** inside.max())


def _sentence(p: float, level: float, spread: float, noisiest: float, low: float, high: float,
              worst: float, at: float) -> str:
    if p < level:
        return (f"fails Kramers-Kronig (p = {p:.2g}): real and imaginary part disagree most "
                f"between {low:.3g} and {high:.3g} Hz; residual {100 * spread:.2g} %, largest "
                f"{100 * worst:.2g} % at {at:.3g} Hz. The cell has drifted while it was measured, "
                "or the response is not linear; rest longer or use a smaller amplitude")
    if spread > noisiest:
        return (f"too noisy: residual {100 * spread:.2g} % of |Z|, at most "
                f"{100 * noisiest:.2g} % can be fitted; largest at {at:.3g} Hz")
    return f"passes Kramers-Kronig (p = {p:.2g}), residual {100 * spread:.2g} %"


def by_library(frequency: np.ndarray, real: np.ndarray, imaginary: np.ndarray) -> tuple[int, float]:
    """A second opinion on a spectrum's residual, by the package pyimpspec (about 2.5 s).

    It chooses the number of relaxations by its own criteria and gives no verdict.

    Returns
    -------
    relaxations : int
    residual : float
        Relative standard deviation that it takes for noise.

    Raises
    ------
    ImportError
        If pyimpspec is not installed (``pip install 'ssbayes[impedance]'``).
    """
    from importlib import import_module

    library: Any = import_module("pyimpspec")
    z = np.asarray(real) + 1j * np.asarray(imaginary)
    data = library.DataSet(np.asarray(frequency, dtype=float), z)
    found = library.perform_kramers_kronig_test(data, admittance=False, num_procs=1)
    return int(found.num_RC), float(found.get_estimated_percent_noise()) / 100
