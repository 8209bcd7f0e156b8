"""Posterior of the circuit R-(RQ)-(RQ)-Q for one spectrum, in a fraction of a second.

Ten parameters, each with a normal prior on an unbounded scale (`PARAMETERS`): the same numbers
that the model ``impedance`` is built of. Noise is independent and proportional to |Z|, its size
unknown.

Least squares from many starts finds the modes; a mixture of Student-t densities around them is the
proposal of an importance sampler, which is adapted to its own draws until the weights are even,
smoothed (PSIS) and resampled. k-hat says whether to believe it; above 0.7 the caller samples the
same posterior by NUTS. No compiling, so dozens of spectra of a hold cost seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from . import circuit
from .engine.arrays import expit

LEAST_EXPONENT, LEAST_TAIL = 0.5, 0.3
"""Lowest exponents of an arc's and of the tail's constant-phase element."""

GENERIC = "generic; wide"
PARAMETERS: tuple[tuple[str, str, float, float, str, str, str], ...] = (
    ("separator", "LogNormal", 20.0, 1.5, "ohm cm2", "resistance R_0 before the arcs",
     "80 to 120 mg of sulfide electrolyte, 1 to 4 mS/cm; wide"),
    ("cathode", "LogNormal", 30.0, 1.5, "ohm cm2", "resistance of the arc of short time constant",
     "a few to some hundred ohm cm2 in sulfide cells; wide"),
    ("anode", "LogNormal", 10.0, 1.5, "ohm cm2", "resistance of the arc of long time constant",
     "indium-lithium 2 to 10 ohm cm2 if well pressed (lines 871, 873); wide"),
    ("cathode_ln_tau", "Normal", -9.2, 2.5, "ln s", "logarithm of the short time constant",
     "arcs between 100 kHz and 10 Hz (line 2118)"),
    ("ln_ratio", "LogNormal", 4.5, 0.8, "1", "logarithm of the time constants' ratio",
     "a factor of 3 to a million; falls to nothing where the arcs meet"),
    ("cathode_logit", "Normal", 1.0, 1.0, "1", "exponent of the cathode arc, as logit of 2 a - 1",
     "0.65 to 0.97"),
    ("anode_logit", "Normal", 1.0, 1.0, "1", "exponent of the anode arc, as logit of 2 a - 1",
     "0.65 to 0.97"),
    ("tail_logit", "Normal", 0.7, 1.2, "1", "exponent of the tail, as logit of (a - 0.3) / 0.7",
     "0.4 to 0.95: diffusion is 0.5, a capacitor 1"),
    ("tail", "LogNormal", 5.0, 2.0, "ohm cm2", "impedance of the tail at 1 rad/s", GENERIC),
    ("noise", "LogNormal", 0.01, 0.7, "1", "relative standard deviation of either part",
     "potentiostats state 0.3 to 3 %"),
)
"""Name, family, location (median), width, unit, meaning, source."""
NAMES = tuple(row[0] for row in PARAMETERS)
COUNT = len(NAMES)
R0, R1, R2, LN_TAU, LN_RATIO, A1, A2, A3, TAIL, NOISE = range(COUNT)
KHAT_LIMIT = 0.7
DRAWS, ADAPTED, ROUNDS = 4000, 1500, 6
TRIED, STARTS, APART = 600, 14, 0.8
"""Prior draws tried as starts, starts taken, and how far apart (in ln tau) they are."""
SHORT, HOPEFUL = 25, 40.0
"""Steps that each start is given, and the cost above the best up to which it is followed."""


def exponents(cathode_logit: Any, anode_logit: Any, tail_logit: Any) -> tuple[Any, Any, Any]:
    """Exponents of the three constant-phase elements, from unbounded numbers."""
    rise = 1.0 - LEAST_EXPONENT
    return (LEAST_EXPONENT + rise * expit(cathode_logit),
            LEAST_EXPONENT + rise * expit(anode_logit),
            LEAST_TAIL + (1.0 - LEAST_TAIL) * expit(tail_logit))


def prior_scale(overrides: Mapping[str, tuple[float, float]] | None = None) -> np.ndarray:
    """Location and width (2, parameters) of the priors on the unbounded scale."""
    rows = []
    for name, family, location, width, *_ in PARAMETERS:
        location, width = (overrides or {}).get(name, (location, width))
        rows.append((np.log(location) if family == "LogNormal" else location, width))
    return np.array(rows).T


def natural(u: np.ndarray) -> dict[str, np.ndarray]:
    """Parameters on their own scale, by name, from unbounded ones (..., parameters)."""
    return {row[0]: np.exp(u[..., k]) if row[1] == "LogNormal" else u[..., k]
            for k, row in enumerate(PARAMETERS)}


def curve(u: np.ndarray, frequency: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Real and imaginary part (..., frequencies) at unbounded parameters (..., parameters)."""
    v = {name: value[..., None] for name, value in natural(u).items()}
    first, second, last = exponents(v["cathode_logit"], v["anode_logit"], v["tail_logit"])
    return circuit.impedance(
        frequency, v["separator"], v["cathode"], v["anode"], v["cathode_ln_tau"],
        v["ln_ratio"], first, second, v["tail"], last)


class Density(Protocol):
    """Anything with a log density over unbounded parameters (..., parameters)."""

    def log_density(self, u: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class Spectrum:
    """One spectrum as the fit sees it.

    Attributes
    ----------
    frequency, real, imaginary : array (n,)
        Hz, ohm cm2.
    modulus : array (n,)
        Smooth |Z| in ohm cm2.
    noise : float
        First estimate of the relative noise.
    prior : array (2, parameters)
    law : callable
        ``(u, frequency) -> (real, imaginary)`` in ohm cm2; the circuit if not given. The last
        parameter of every law is the logarithm of the relative noise.
    beside : callable, optional
        ``u -> (..., readings)``: readings beside the spectrum, as residuals in their sd.
    """

    frequency: np.ndarray
    real: np.ndarray
    imaginary: np.ndarray
    modulus: np.ndarray
    noise: float
    prior: np.ndarray
    law: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]] = curve
    beside: Callable[[np.ndarray], np.ndarray] | None = None

    def log_density(self, u: np.ndarray) -> np.ndarray:
        """Log posterior density (up to a constant) at unbounded parameters (..., parameters)."""
        ln_noise = u[..., -1]
        with np.errstate(all="ignore"):  # a proposal's tail may reach where nothing is finite
            re, im = self.law(u, self.frequency)
            square = re**2 + im**2
            off = (((self.real - re) ** 2 + (self.imaginary - im) ** 2) / square).sum(axis=-1)
            fit = (-0.5 * off * np.exp(-2 * ln_noise) - 2 * len(self.frequency) * ln_noise
                   - np.log(square).sum(axis=-1))
            if self.beside is not None:
                fit = fit - 0.5 * (self.beside(u) ** 2).sum(axis=-1)
        return fit - 0.5 * (((u - self.prior[0]) / self.prior[1]) ** 2).sum(axis=-1)


@dataclass(frozen=True)
class Mode:
    """A local best fit: unbounded parameters, penalised cost, chi-square, covariance."""

    at: np.ndarray
    cost: float
    chi_square: float
    covariance: np.ndarray = field(repr=False)


def starts(spectrum: Spectrum) -> list[np.ndarray]:
    """Where least squares begins: the best of many prior draws, apart from each other.

    The circuit is linear in its three resistances and the size of its tail, so only time constants
    and exponents are drawn; the sizes that suit them best follow from a regression.
    """
    rng = np.random.default_rng(TRIED)
    u = spectrum.prior[0] + spectrum.prior[1] * rng.normal(size=(TRIED, COUNT))
    u[:, LN_TAU] = rng.uniform(-15.0, 0.0, TRIED)  # the frequencies that spectra have
    u[:, NOISE] = np.log(spectrum.noise)
    parts = []
    for k in (R0, R1, R2, TAIL):
        alone = u.copy()
        alone[:, [R0, R1, R2, TAIL]] = -60.0
        alone[:, k] = 0.0
        with np.errstate(all="ignore"):
            parts.append(np.concatenate(curve(alone, spectrum.frequency), axis=-1))
    weight = np.tile(1.0 / (spectrum.modulus * spectrum.noise), 2)
    basis = np.nan_to_num(np.stack(parts, axis=-1)) * weight[:, None]
    seen = np.concatenate([spectrum.real, spectrum.imaginary]) * weight
    square = np.einsum("sni,snj->sij", basis, basis)
    square += 1e-9 * np.trace(square, axis1=1, axis2=2)[:, None, None] * np.eye(4)
    size = np.linalg.solve(square, np.einsum("sni,n->si", basis, seen)[..., None])[..., 0]
    size = np.maximum(size, 1e-3 * float(spectrum.modulus.max()))
    off = ((np.einsum("sni,si->sn", basis, size) - seen) ** 2).sum(axis=1)
    u[:, [R0, R1, R2, TAIL]] = np.log(size)
    place = np.stack([u[:, LN_TAU], u[:, LN_TAU] + np.exp(u[:, LN_RATIO])], axis=1)
    chosen: list[int] = []
    for k in np.argsort(off):
        if all(np.abs(place[k] - place[j]).max() > APART for j in chosen):
            chosen.append(int(k))
        if len(chosen) == STARTS:
            break
    return [u[k] for k in chosen]


def descend(spectrum: Spectrum, start: np.ndarray, steps: int = 150) -> Mode | None:
    """Penalised least squares from one start; none if it goes astray."""
    from scipy.optimize import least_squares

    count = len(start)
    free = list(range(count - 1))
    weight = 1.0 / (spectrum.modulus * spectrum.noise)
    sd = spectrum.prior[1][free]
    base = start.copy()

    def off(u: np.ndarray) -> np.ndarray:
        re, im = spectrum.law(u, spectrum.frequency)
        parts = [(re - spectrum.real) * weight, (im - spectrum.imaginary) * weight]
        return np.concatenate(parts if spectrum.beside is None else [*parts, spectrum.beside(u)],
                              axis=-1)

    def residual(x: np.ndarray) -> np.ndarray:
        u = base.copy()
        u[free] = x
        return np.concatenate([off(u), (x - spectrum.prior[0][free]) / sd])

    def slope(x: np.ndarray) -> np.ndarray:
        step = 1e-5
        u = np.tile(base, (2 * len(free), 1))
        u[:, free] = x
        for j, k in enumerate(free):
            u[j, k] += step
            u[j + len(free), k] -= step
        parts = off(u)
        return np.vstack([(parts[: len(free)] - parts[len(free):]).T / (2 * step),
                          np.diag(1.0 / sd)])

    with np.errstate(all="ignore"):
        try:
            found = least_squares(residual, base[free], jac=slope, method="lm", max_nfev=steps)  # type: ignore[arg-type]
        except ValueError:  # a step went where the circuit is not finite
            return None
    if not np.isfinite(found.cost):
        return None
    u = base.copy()
    u[free] = found.x
    covariance = np.zeros((count, count))
    covariance[np.ix_(free, free)] = np.linalg.inv(found.jac.T @ found.jac)
    covariance[-1, -1] = 1.0 / (4 * len(spectrum.frequency))
    data = found.fun[: 2 * len(spectrum.frequency)]
    return Mode(u, 2 * float(found.cost), float(data @ data), covariance)


def modes(spectrum: Spectrum, within: float = 14.0) -> list[Mode]:
    """Distinct local best fits, the best first, none more than ``within`` in cost above it."""
    first = descents(spectrum, starts(spectrum), SHORT)
    if not first:
        return []
    # two arcs close to each other in place of the largest one: what far starts do not lead to
    first += descents(spectrum, _paired(first[0]), SHORT)
    return distinct(spectrum, first, within)


def distinct(spectrum: Spectrum, first: list[Mode], within: float = 14.0) -> list[Mode]:
    """Follow what a first round of descents has found to its end, and keep unlike modes."""
    least = min(mode.cost for mode in first)
    found = descents(spectrum, [m.at for m in first if m.cost < least + HOPEFUL], 150)
    kept: list[Mode] = []
    for mode in found:
        if mode.cost > found[0].cost + within:
            break
        width = np.sqrt(np.diag(mode.covariance))
        if all((np.abs(mode.at - other.at) > 0.3 * width).any() for other in kept):
            kept.append(mode)
    return kept


def descents(spectrum: Spectrum, begun: list[np.ndarray], steps: int) -> list[Mode]:
    """Fits from several starts, the best first."""
    ends = (descend(spectrum, start, steps) for start in begun)
    return sorted((m for m in ends if m is not None), key=lambda mode: mode.cost)


def _paired(best: Mode) -> list[np.ndarray]:
    """Starts with both arcs where the best fit has its larger one."""
    larger_second = best.at[R2] > best.at[R1]
    ln_tau = best.at[LN_TAU] + (np.exp(best.at[LN_RATIO]) if larger_second else 0.0)
    total = np.logaddexp(best.at[R1], best.at[R2])
    found = []
    for share, apart in ((0.8, 1.5), (0.5, 1.5), (0.2, 1.5), (0.95, 2.5), (0.05, 2.5)):
        u = best.at.copy()
        u[R1], u[R2] = total + np.log(share), total + np.log(1 - share)
        u[LN_TAU], u[LN_RATIO] = ln_tau - (1 - share) * apart, np.log(apart)
        found.append(u)
    return found


@dataclass(frozen=True)
class Draws:
    """Draws of the posterior on the unbounded scale (draws, parameters), equally weighted."""

    u: np.ndarray
    khat: float
    effective: float


def sample(spectrum: Density, found: list[Mode], seed: int, draws: int = DRAWS, *,
           adapted: int = ADAPTED, rounds: int = ROUNDS) -> Draws:
    """Adaptive importance sampling around the modes, Pareto-smoothed and resampled.

    Parameters
    ----------
    spectrum
        What is fitted.
    found
        Modes of it; at least one.
    seed
        Of the generator.
    draws
        Size of the last sample.
    adapted, rounds
        Size of the samples before it that the proposal learns from, and number of all samples.
    """
    from .engine.checks import pareto_smoothed

    rng = np.random.default_rng([seed, 23])
    centre = np.array([mode.at for mode in found])
    spread = np.array([1.5 * mode.covariance for mode in found])
    share = np.full(len(found), 1.0 / len(found))
    for turn in range(rounds):
        last = turn == rounds - 1
        size = draws if last else adapted
        # each component with a wide copy of itself, which meets what the narrow one has missed
        mixture = (np.tile(centre, (2, 1)), np.concatenate([spread, WIDE * spread]),
                   np.concatenate([(1 - WIDE_SHARE) * share, WIDE_SHARE * share]))
        u, part = _mixture_draw(rng, *mixture, size)
        part %= len(share)
        log_weight = spectrum.log_density(u) - _mixture_density(u, *mixture)
        log_weight[~np.isfinite(log_weight)] = -np.inf
        weight = np.exp(log_weight - log_weight.max())
        weight /= weight.sum()
        if last:
            break
        # flattened weights while few draws carry all of them, so that no component collapses
        flat = weight**0.5 if 1 / (weight**2).sum() < 0.05 * size else weight
        centre, spread, share = _adapted(u, flat / flat.sum(), part, centre, spread, share)
    least = log_weight[np.isfinite(log_weight)].min()
    finite = np.where(np.isfinite(log_weight), log_weight, least)
    smoothed, khat = pareto_smoothed(finite[:, None])
    weight = np.exp(smoothed[:, 0])
    weight /= weight.sum()
    at = np.searchsorted(np.cumsum(weight), (rng.random() + np.arange(draws)) / draws)
    chosen = rng.permutation(np.minimum(at, draws - 1))
    return Draws(u[chosen], float(khat[0]), float(1 / (weight**2).sum()))


FREEDOM = 6.0
"""Degrees of freedom of the proposal's Student-t components."""
WIDE, WIDE_SHARE = 6.0, 0.3
"""Covariance of a component's wide copy over its own, and the share of draws from copies."""


def _mixture_draw(rng: np.random.Generator, centre: np.ndarray, spread: np.ndarray,
                  share: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    part = rng.choice(len(share), size, p=share)
    root = np.linalg.cholesky(spread)
    normal = np.einsum("sij,sj->si", root[part], rng.normal(size=(size, centre.shape[1])))
    return centre[part] + normal / np.sqrt(rng.chisquare(FREEDOM, size) / FREEDOM)[:, None], part


def _mixture_density(u: np.ndarray, centre: np.ndarray, spread: np.ndarray,
                     share: np.ndarray) -> np.ndarray:
    terms = []
    for c, s, p in zip(centre, spread, share, strict=True):
        root = np.linalg.cholesky(s)
        z = np.linalg.solve(root, (u - c).T)
        terms.append(np.log(p + 1e-300) - np.log(np.diag(root)).sum()
                     - 0.5 * (FREEDOM + u.shape[1]) * np.log1p((z**2).sum(axis=0) / FREEDOM))
    return np.logaddexp.reduce(terms, axis=0)


def _adapted(u: np.ndarray, weight: np.ndarray, part: np.ndarray, centre: np.ndarray,
             spread: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Moments of each component's own weighted draws; a component without weight keeps its own."""
    centre, spread, share = centre.copy(), spread.copy(), share.copy()
    for k in range(len(share)):
        own = part == k
        held = weight[own].sum()
        share[k] = held
        if held <= 0:
            continue
        w = weight[own] / held
        if 1 / (w**2).sum() < 3 * u.shape[1]:
            continue
        mean = w @ u[own]
        off = u[own] - mean
        centre[k] = mean
        spread[k] = 1.1 * (off * w[:, None]).T @ off + 1e-12 * np.eye(u.shape[1])
    share = np.maximum(share / share.sum(), 0.02)
    return centre, spread, share / share.sum()
