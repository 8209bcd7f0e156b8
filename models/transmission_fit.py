"""Posterior of the transmission line for one spectrum, without compiling.

The same ten parameters, priors and likelihood as the model ``transmission_line``. Least squares
from many starts finds the modes: an arc may be that of the contacts or that of the line, so one
spectrum can have two explanations. Importance sampling around all of them (``circuit_fit``) weighs
them; where its k-hat says that it cannot be trusted the caller samples the same posterior by NUTS.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from . import circuit_fit as fitting
from . import transmission_line as lines
from .circuit_fit import Draws, Mode, Spectrum
from .engine.arrays import expit
from .kramers_kronig import KramersKronig

NAMES, PARAMETERS = lines.NAMES, lines.PARAMETERS
COUNT = len(NAMES)
TOTAL, SERIES, RATIO, CONTACT, TAU, LINE_A, LAG, CONTACT_A, INDUCTANCE, NOISE = range(COUNT)
TRIED, STARTS, APART = 4000, 16, 1.0
"""Draws tried as starts, starts taken, and how far apart they are (ln ratio, ln time constants)."""
RHAT, RHAT_AGAIN = 1.05, 10.0


def prior_scale() -> np.ndarray:
    """Location and width (2, parameters) of the priors on the unbounded scale."""
    return np.array([(np.log(location) if family == "LogNormal" else location, width)
                     for _, family, location, width, *_ in PARAMETERS]).T


def natural(u: np.ndarray) -> dict[str, np.ndarray]:
    """Parameters on their own scale, by name, from unbounded ones (..., parameters)."""
    return {row[0]: np.exp(u[..., k]) if row[1] == "LogNormal" else u[..., k]
            for k, row in enumerate(PARAMETERS)}


def resistances(u: np.ndarray, logit: float, swap: float) -> tuple[Any, Any, Any]:
    """Series resistance, electronic and ionic rail (ohm cm2) at unbounded parameters."""
    return lines.rails(np.exp(u[..., TOTAL]), expit(u[..., SERIES] + logit), np.exp(u[..., RATIO]),
                       swap)


def curve(u: np.ndarray, frequency: np.ndarray, *, logit: float, swap: float,
          area_cm2: float) -> tuple[np.ndarray, np.ndarray]:
    """Real and imaginary part (..., frequencies) in ohm cm2 at unbounded parameters."""
    u = u[..., None, :]
    series, electronic, ionic = resistances(u, logit, swap)
    contact, interface = lines.exponents(u[..., CONTACT_A], u[..., LINE_A])
    tau = u[..., TAU]
    return lines.blocking_cell(
        frequency, swap, electronic, ionic, expit(u[..., CONTACT]), tau - np.exp(u[..., LAG]),
        contact, tau, interface, series, np.exp(u[..., INDUCTANCE]) * area_cm2)


@dataclass(frozen=True)
class Cell:
    """A spectrum's cell: ``logit`` of its expected series share, ``swap`` 1 if electrons stop."""

    thickness_um: float
    area_cm2: float
    logit: float
    swap: float
    series: tuple[float, float] | None
    """Series resistance (ohm cm2) as measured apart, and its relative sd."""


def cell_of(part: Any) -> Cell:
    """What the rows of one checked spectrum say of the cell."""
    first = part.sort_values("frequency_of_signal_Hz").iloc[0]
    area, kind = float(first["area_cm2"]), str(first["blocking"])
    column, series = lines.SERIES_COLUMN, None
    if column in part and np.isfinite(first[column]):
        stated = float(first.get(f"{column}_sd", np.nan)) / float(first[column])
        error = np.hypot(lines.SERIES_READING, stated if np.isfinite(stated) else 0.0)
        series = float(first[column]), float(error)
    swap = float(kind == lines.ELECTRON)
    logit = float(lines.expected_logit(max(float(first["z_re_ohm"]) * area, 1e-6), swap))
    return Cell(float(first["thickness_um"]), area, logit, swap, series)


def seen(part: Any, gate: KramersKronig, cell: Cell) -> Spectrum:
    """A spectrum's rows as the fit sees them; ``gate`` is of the values in ohm cm2."""
    def read(u: np.ndarray) -> np.ndarray:
        value, error = cell.series or (1.0, 1.0)
        series = resistances(u, cell.logit, cell.swap)[0]
        return (np.log(series / value) / error)[..., None]

    return Spectrum(
        part["frequency_of_signal_Hz"].to_numpy(float),
        part["z_re_ohm"].to_numpy(float) * cell.area_cm2,
        part["z_im_ohm"].to_numpy(float) * cell.area_cm2, gate.modulus, gate.residual,
        prior_scale(), partial(curve, logit=cell.logit, swap=cell.swap, area_cm2=cell.area_cm2),
        None if cell.series is None else read)


def starts(spectrum: Spectrum) -> list[np.ndarray]:
    """Where least squares begins: the best of many draws, apart from each other.

    The total is read at the lowest frequency; ratio and time constants are drawn evenly over what
    a spectrum can show, all else from the prior.
    """
    rng = np.random.default_rng(TRIED)
    prior, f = spectrum.prior, spectrum.frequency
    u = prior[0] + prior[1] * rng.normal(size=(TRIED, COUNT))
    u[:, TOTAL] = np.log(max(float(spectrum.real[np.argmin(f)]), 1e-9))
    u[:, RATIO] = rng.uniform(np.log(0.01), np.log(300.0), TRIED)
    low, high = -np.log(2 * np.pi * f.max()), -np.log(2 * np.pi * f.min())
    u[:, TAU] = rng.uniform(low, high + 2.0, TRIED)
    u[:, NOISE] = np.log(spectrum.noise)
    with np.errstate(all="ignore"):
        re, im = spectrum.law(u, f)
        off = (((re - spectrum.real) ** 2 + (im - spectrum.imaginary) ** 2)
               / spectrum.modulus**2).sum(axis=1)
        if spectrum.beside is not None:
            off = off + (spectrum.noise * spectrum.beside(u)[:, 0]) ** 2
    place = np.stack([0.5 * u[:, RATIO], 0.5 * u[:, TAU], 0.5 * np.exp(u[:, LAG]), u[:, CONTACT]],
                     axis=1)
    chosen: list[int] = []
    for k in np.argsort(off):
        if all(np.abs(place[k] - place[j]).max() > APART for j in chosen):
            chosen.append(int(k))
        if len(chosen) == STARTS:
            break
    return [u[k] for k in chosen]


def modes(spectrum: Spectrum) -> list[Mode]:
    """Distinct local best fits, the best first."""
    first = fitting.descents(spectrum, starts(spectrum), fitting.SHORT)
    return fitting.distinct(spectrum, first) if first else []


def sample(spectrum: Spectrum, found: list[Mode], seed: int,
           draws: int = fitting.DRAWS) -> Draws:
    """Draws of the posterior by adaptive importance sampling; see `circuit_fit.sample`."""
    return fitting.sample(spectrum, found, seed, draws)


def by_nuts(part: Any, seed: int, draws: int = fitting.DRAWS) -> Draws:
    """The same posterior by NUTS; compiles once a process. k-hat is NaN if the chains disagree."""
    from .engine import checks

    columns = [c for c in (
        "frequency_of_signal_Hz", "z_re_ohm", "z_im_ohm", "area_cm2", "thickness_um", "blocking",
        lines.SERIES_COLUMN, f"{lines.SERIES_COLUMN}_sd", "spectrum") if c in part]
    fit = lines.MODEL.fit(part[columns].reset_index(drop=True), seed=seed,
                          draws=max(draws // 4, 100), rhat=RHAT_AGAIN)
    values = []
    for name, family, *_ in PARAMETERS:
        column = fit.posterior[f"transmission_line.{name}"].to_numpy().ravel()
        values.append(np.log(column) if family == "LogNormal" else column)
    rhat = checks.worst_rhat(fit.posterior)
    return Draws(np.stack(values, axis=1), float("nan") if rhat > RHAT else 0.0,
                 float(len(values[0])))
