"""Is an arc's resistance a property of the cell, or of the circuit that was chosen?

Other circuits are fitted to the same spectrum: one whose arcs lie within a factor of three in time
constant (at several splits of the resistance between them), one without a second arc, one whose
tail is diffusion through a finite length (blocked or open at its end), one whose cathode arc is
skewed. One that fits as well is as good an account of the cell, so a resistance that it moves
out of the posterior's range is not known, however narrow that posterior is.

Sources: finite-length diffusion, Ho, Raistrick, Huggins, J. Electrochem. Soc. 127 (1980) 343;
skewed arcs, Havriliak, Negami, Polymer 8 (1967) 161.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import circuit_fit as fitting
from .circuit_fit import A1, A2, A3, LN_RATIO, LN_TAU, NOISE, R0, R1, R2, TAIL, Mode, Spectrum
from .engine.arrays import expit

AS_GOOD = 6.0
"""Chi-square that another circuit may have more than the posterior's best and be as good."""
FACTOR = 3.0
"""Ratio of time constants within which two arcs are one to the eye."""
UNMOVED = (0.16, 0.84)
"""Posterior quantiles between which another circuit may put a resistance unheeded."""
SPLITS = (-3.0, -1.5, 0.0, 1.5)
"""Logarithm of anode over cathode resistance at which merged arcs are tried."""
RATIOS = (1.3, FACTOR)
"""Ratios of time constants at which they are tried."""


@dataclass(frozen=True)
class Rival:
    """Another circuit fitted to the spectrum.

    Attributes
    ----------
    name : str
    chi_square : float
        Of the data, in units of the spectrum's noise.
    cathode, anode : float
        ohm cm2.
    """

    name: str
    chi_square: float
    cathode: float
    anode: float


Curve = Callable[[np.ndarray], np.ndarray]


def rivals(spectrum: Spectrum, best: Mode) -> list[Rival]:
    """All other circuits at their best fit.

    Parameters
    ----------
    spectrum
        What was fitted.
    best
        The circuit's own best fit; where the others start.
    """
    w = 2 * np.pi * spectrum.frequency
    found = []
    total = np.logaddexp(best.at[R1], best.at[R2])

    def merged(split: float, ratio: float) -> Curve:
        def curve(x: np.ndarray) -> np.ndarray:
            u = x.copy()
            u[..., R2], u[..., LN_RATIO] = u[..., R1] + split, np.log(np.log(ratio))
            return _complex(u, spectrum)
        return curve

    for split in SPLITS:
        for ratio in RATIOS:
            start = best.at.copy()
            start[R1] = total - np.log1p(np.exp(split))
            start[LN_TAU] = _middle(best) - 0.5 * np.log(ratio)
            x = _least(spectrum, merged(split, ratio), start, [R0, R1, LN_TAU, A1, A2, A3, TAIL])
            if x is not None:
                found.append(_rival("a pair of arcs within a factor of three", spectrum,
                                    merged(split, ratio), x, np.exp(x[R1]),
                                    np.exp(x[R1] + split)))

    def single(x: np.ndarray) -> np.ndarray:
        u = x.copy()
        u[..., R2] = -30.0
        return _complex(u, spectrum)

    start = best.at.copy()
    start[R1], start[LN_TAU] = total, _middle(best)
    x = _least(spectrum, single, start, [R0, R1, LN_TAU, A1, A3, TAIL])
    if x is not None:
        found.append(_rival("a single arc", spectrum, single, x, np.exp(x[R1]), 0.0))

    for name, shape in (("a blocked diffusion tail", _blocked), ("an open diffusion tail", _open)):
        def diffusing(x: np.ndarray, shape: Callable = shape) -> np.ndarray:
            u = x.copy()
            u[..., TAIL] = -30.0
            s = np.sqrt(1j * w * np.exp(np.clip(x[..., A3, None], -25, 25)))
            return _complex(u, spectrum) + np.exp(x[..., TAIL, None]) * shape(s)
        for ln_time in (-1.0, 1.5, 4.0):
            start = best.at.copy()
            start[A3], start[TAIL] = ln_time, best.at[TAIL] + 0.5 * ln_time
            x = _least(spectrum, diffusing, start,
                       [R0, R1, R2, LN_TAU, LN_RATIO, A1, A2, A3, TAIL], loose=(A3, TAIL))
            if x is not None:
                found.append(_rival(name, spectrum, diffusing, x, np.exp(x[R1]), np.exp(x[R2])))

    def skewed(x: np.ndarray) -> np.ndarray:
        u = x[..., :-1].copy()
        u[..., R1] = -30.0
        a = fitting.exponents(x[..., A1, None], 0.0, 0.0)[0]
        b = expit(x[..., -1:])
        relaxing = 1 + (1j * w * np.exp(x[..., LN_TAU, None])) ** a
        return _complex(u, spectrum) + np.exp(x[..., R1, None]) / relaxing**b

    start = np.append(best.at, 1.5)
    x = _least(spectrum, skewed, start,
               [R0, R1, R2, LN_TAU, LN_RATIO, A1, A2, A3, TAIL, len(best.at)], loose=(A1,))
    if x is not None:
        found.append(_rival("a skewed arc", spectrum, skewed, x, np.exp(x[R1]), np.exp(x[R2])))
    return found


@dataclass(frozen=True)
class Verdict:
    """What may be said of one resistance.

    Attributes
    ----------
    known : bool
        Whether it may be given.
    mean, sd : float
        ohm cm2; the sd holds the posterior's and what circuits as good differ by.
    interval : (float, float)
        90 % equal-tailed, ohm cm2.
    why : str
        Why it is not known; empty if it is.
    """

    known: bool
    mean: float
    sd: float
    interval: tuple[float, float]
    why: str


def judge(rivals: list[Rival], u: np.ndarray, arc: str, tolerance: float,
          widest: float) -> Verdict:
    """Decide on ``cathode``, ``anode`` or their ``total``.

    Parameters
    ----------
    rivals
        Circuits that fit as well.
    u
        Posterior draws on the unbounded scale.
    arc
        Which resistance.
    tolerance
        Relative difference up to which the interval is widened to reach a rival.
    widest
        Largest posterior sd of ln R of a resistance that is given.
    """
    ln = {"cathode": u[:, R1], "anode": u[:, R2], "total": np.logaddexp(u[:, R1], u[:, R2])}[arc]
    centre, spread = float(ln.mean()), float(ln.std())
    value = np.exp(ln)
    low, high = (float(v) for v in np.quantile(value, [0.05, 0.95]))
    bottom, top = np.quantile(ln, UNMOVED)
    shift, name = 0.0, ""
    for rival in rivals:
        said = rival.cathode + rival.anode if arc == "total" else getattr(rival, arc)
        at = np.log(max(said, 1e-9))
        if not bottom <= at <= top and abs(at - centre) > abs(shift):
            shift, name = float(at - centre), f"{rival.name} fits as well with {said:.3g} ohm cm2"
    if abs(shift) > np.log1p(tolerance):
        why = name
    else:
        why = f"its standard deviation is {100 * spread:.0f} %" if spread > widest else ""
        if shift:  # symmetric, for the direction of the truth is no better known than its law
            wide = 1.645 * float(np.hypot(spread, shift))
            low, high = float(np.exp(centre - wide)), float(np.exp(centre + wide))
    sd = float(np.hypot(value.std(), abs(shift) * value.mean()))
    return Verdict(not why, float(value.mean()), sd, (low, high), why)


def _middle(best: Mode) -> float:
    """Logarithm of the time constant of both arcs taken as one."""
    weight = 1.0 / (1.0 + np.exp(best.at[R2] - best.at[R1]))
    return float(best.at[LN_TAU] + (1 - weight) * np.exp(best.at[LN_RATIO]))


def _blocked(s: np.ndarray) -> np.ndarray:
    return 1.0 / (s * np.tanh(s))


def _open(s: np.ndarray) -> np.ndarray:
    return np.tanh(s) / s


def _complex(u: np.ndarray, spectrum: Spectrum) -> np.ndarray:
    re, im = fitting.curve(u, spectrum.frequency)
    return re + 1j * im


def _off(spectrum: Spectrum, z: np.ndarray) -> np.ndarray:
    """Residuals (2n,) in units of the noise."""
    off = (z - spectrum.real - 1j * spectrum.imaginary) / (spectrum.modulus * spectrum.noise)
    return np.concatenate([off.real, off.imag], axis=-1)


def _rival(name: str, spectrum: Spectrum, curve: Curve, x: np.ndarray, cathode: float,
           anode: float) -> Rival:
    off = _off(spectrum, curve(x))
    square = float(off @ off)
    if anode > 0:  # a known anode counts against a rival that has another
        known = (np.log(anode) - spectrum.prior[0][R2]) / spectrum.prior[1][R2]
        square += float(known**2) if spectrum.prior[1][R2] < 1.0 else 0.0
    elif spectrum.prior[1][R2] < 1.0:
        square += np.inf
    return Rival(name, square, float(cathode), float(anode))


def _least(spectrum: Spectrum, curve: Curve, start: np.ndarray, free: list[int],
           loose: tuple[int, ...] = ()) -> np.ndarray | None:
    """Least squares in the free parameters; priors hold all but resistances and ``loose`` ones."""
    from scipy.optimize import least_squares

    centre, width = np.zeros(len(start)), np.full(len(start), 1.5)
    centre[: NOISE + 1], width[: NOISE + 1] = spectrum.prior
    width[[R0, R1, TAIL, *loose]] *= 100.0
    if spectrum.prior[1][R2] >= 1.0:
        width[R2] *= 100.0

    def residual(values: np.ndarray) -> np.ndarray:
        x = start.copy()
        x[free] = values
        return np.append(_off(spectrum, curve(x)), (values - centre[free]) / width[free])

    def slope(values: np.ndarray) -> np.ndarray:
        step, count = 1e-5, len(free)
        x = np.tile(start, (2 * count, 1))
        x[:, free] = values
        x[np.arange(count), free] += step
        x[np.arange(count, 2 * count), free] -= step
        parts = _off(spectrum, curve(x))
        return np.vstack([(parts[:count] - parts[count:]).T / (2 * step),
                          np.diag(1.0 / width[free])])

    with np.errstate(all="ignore"):
        try:
            found = least_squares(residual, start[free], jac=slope,  # type: ignore[arg-type]
                                  method="lm", max_nfev=100)
        except ValueError:
            return None
    if not np.isfinite(found.cost):
        return None
    x = start.copy()
    x[free] = found.x
    return x
