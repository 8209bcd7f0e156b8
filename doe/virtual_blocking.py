"""Simulated spectra and staircases of cells with blocking contacts, conductivities known.

Everything here is simulated, and every table says so. Three kinds of electrode:

``uniform``   the two rails of ``models.transmission_line``, whose conductivities are fitted;
``graded``    the ionic conductivity falls by a factor of three through the thickness (a ladder of
              200 rungs; the true value is that of the rungs in series);
``two contacts``  the contacts of the electronic rail have two time constants.

Spectra run from 1 MHz to 0.1 Hz, seven points a decade, with 1 % of |Z| as noise on either part;
the thickness is measured to 3 % and the area to 1 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..models import transmission_line as lines

SCENARIOS = ("uniform", "graded", "two contacts")
HIGHEST_HZ, LOWEST_HZ, POINTS = 1e6, 0.1, 50
THICKNESS_ERROR, AREA_ERROR = 0.03, 0.01
RUNGS, GRADING = 200, 3.0


@dataclass(frozen=True)
class VirtualCell:
    """One simulated cell.

    Attributes
    ----------
    table : DataFrame
        Its spectrum, as ``data.impedance`` reads it; ``kind`` is simulated.
    electronic, ionic : float
        True effective conductivities, mS/cm.
    truth : dict
        What else is true of it: thickness_um, area_cm2, series, contact_share, ...
    scenario : str
    """

    table: pd.DataFrame
    electronic: float
    ionic: float
    truth: dict[str, float]
    scenario: str


@dataclass(frozen=True)
class Material:
    """What cells of one composite share: conductivities (mS/cm), contacts and interface."""

    electronic: float
    ionic: float
    contact_share: float
    contact_ln_tau: float
    contact_exponent: float
    interface: float
    interface_exponent: float


def material(ratio: float, seed: int) -> Material:
    """Draw a composite whose electronic conductivity is ``ratio`` times the ionic one."""
    rng = np.random.default_rng([seed, 101])
    ionic = float(rng.lognormal(np.log(0.3), 0.7))
    share = 1 / (1 + np.exp(1.0 - rng.normal()))
    return Material(ratio * ionic, ionic, float(share), float(rng.normal(-11.5, 1.5)),
                    float(rng.uniform(0.7, 0.95)), float(rng.lognormal(np.log(20.0), 1.0)),
                    float(rng.uniform(0.75, 0.95)))


def ladder(open_rail: np.ndarray, blocked_rail: np.ndarray, interface: np.ndarray) -> np.ndarray:
    """Impedance of the two rails cut into pieces, by solving for the current in the open rail.

    Parameters
    ----------
    open_rail, blocked_rail : array (pieces, frequencies)
        Resistance of each piece (ohm cm2), complex.
    interface : array (frequencies,)
        Impedance z_int / L of the whole interface; a rung at the middle of each piece has an equal
        share of it.

    Returns
    -------
    array (frequencies,)
        ohm cm2.
    """
    between = [0.5 * (rail[1:] + rail[:-1]).T for rail in (open_rail, blocked_rail)]
    rung = (interface * len(open_rail))[:, None]
    # What leaves the open rail for the blocked one between two rungs is the current of a mesh.
    count = len(open_rail) - 1
    matrix = np.zeros((len(interface), count, count), dtype=complex)
    k = np.arange(count)
    matrix[:, k, k] = between[0] + between[1] + 2 * rung
    matrix[:, k[:-1], k[1:]] = matrix[:, k[1:], k[:-1]] = -rung
    meshes = np.linalg.solve(matrix, between[0][..., None])[..., 0]
    return open_rail.sum(axis=0) - (between[0] * meshes).sum(axis=1)


def simulate(
    ratio: float, seed: int, *, scenario: str = "uniform", blocking: str = "ion",
    noise: float = 0.01, points: int = POINTS, made_of: Material | None = None,
    scatter: float = 0.0, **labels: Any,
) -> VirtualCell:
    """Draw one cell and its spectrum.

    Parameters
    ----------
    ratio
        Electronic over ionic conductivity of the composite.
    seed
        Of the composite, unless one is given, and of the cell.
    scenario
        One of ``SCENARIOS``.
    blocking
        ``"ion"`` or ``"electron"``.
    noise
        Relative standard deviation of either part.
    points
        Number of frequencies.
    made_of
        Composite, where several cells share one.
    scatter
        Sd of ln conductivity between cells of one composite.
    **labels
        Further columns of the table.

    Raises
    ------
    ValueError
        If there is no such scenario or blocking.
    """
    if scenario not in SCENARIOS:
        raise ValueError(f"{scenario!r} is no scenario: {', '.join(SCENARIOS)}")
    if blocking not in lines.BLOCKING:
        raise ValueError(f"blocking is {blocking!r}; give {' or '.join(lines.BLOCKING)}")
    of = material(ratio, seed) if made_of is None else made_of
    rng = np.random.default_rng([seed, 103])
    um, area = float(rng.lognormal(np.log(100.0), 0.4)), 0.785
    series = float(lines.SERIES[blocking] * rng.lognormal(0.0, 0.7))
    inductance = float(rng.lognormal(np.log(0.2), 0.7))
    ln_e, ln_i = scatter * rng.normal(size=2)
    electronic, ionic = of.electronic * np.exp(ln_e), of.ionic * np.exp(ln_i)
    f = np.logspace(np.log10(HIGHEST_HZ), np.log10(LOWEST_HZ), points)
    swap = float(blocking == lines.ELECTRON)
    if scenario == "uniform":
        e, i = lines.areal_resistance(um, electronic), lines.areal_resistance(um, ionic)
        ln_tau = np.log(0.25e-4 * (e + i) * um / of.interface) / of.interface_exponent
        real, imaginary = lines.blocking_cell(
            f, swap, e, i, of.contact_share, of.contact_ln_tau, of.contact_exponent, ln_tau,
            of.interface_exponent, series, inductance * area)
        z = real + 1j * imaginary
    else:
        z = _foreign(f, um, swap, electronic, ionic, of, scenario) + series
        z = z + 2j * np.pi * f * 1e-6 * inductance * area
    error = rng.normal(size=(2, points))
    read = (z + noise * np.abs(z) * (error[0] + 1j * error[1])) / area
    told_um = um * np.exp(THICKNESS_ERROR * rng.normal())
    told_area = area * np.exp(AREA_ERROR * rng.normal())
    table = pd.DataFrame({
        "spectrum": f"{blocking} {scenario} {ratio:g} {seed}", "frequency_of_signal_Hz": f,
        "z_re_ohm": read.real, "z_im_ohm": read.imag, "area_cm2": told_area,
        "thickness_um": told_um, "blocking": blocking, "kind": "simulated"}).assign(**labels)
    truth = {"thickness_um": um, "area_cm2": area, "series": series, "inductance": inductance,
             "contact_share": of.contact_share}
    return VirtualCell(table, float(electronic), float(ionic), truth, scenario)


def _foreign(f: np.ndarray, um: float, swap: float, electronic: float, ionic: float,
             of: Material, scenario: str) -> np.ndarray:
    """Electrodes that the fitted formula does not describe, as ladders."""
    w = 2 * np.pi * f
    e, i = 0.1 * um / electronic, 0.1 * um / ionic
    jtau = (1j * w * np.exp(of.contact_ln_tau)) ** of.contact_exponent
    arc = 1 / (1 + jtau)
    if scenario == "two contacts":
        arc = 0.5 * arc + 0.5 / (1 + (1j * w * 30 * np.exp(of.contact_ln_tau)) ** 0.9)
    rail_e = e * (1 - of.contact_share + of.contact_share * arc)
    profile = np.geomspace(1, GRADING if scenario == "graded" else 1.0, RUNGS)
    electrons = np.repeat(rail_e[None] / RUNGS, RUNGS, axis=0)
    ions = (i * profile / profile.sum())[:, None] + 0j * f
    between = of.interface / (1e-4 * um) * (1j * w) ** -of.interface_exponent
    return ladder(ions, electrons, between) if swap else ladder(electrons, ions, between)


def staircase(
    conductivity_mS_cm: float, seed: int, *, steps: tuple[float, ...] = (
        10.0, 20.0, 30.0, 40.0, 50.0, 40.0, 30.0, 20.0, 10.0, -10.0, -20.0, -30.0, -40.0, -50.0),
    noise: float = 0.003, offset_uA: float = 0.0, drift_uA: float = 0.0,
    fall: float = 0.0, bend: float = 0.0, **labels: Any,
) -> tuple[pd.DataFrame, dict[str, float]]:
    """A direct-current staircase of one cell.

    Parameters
    ----------
    conductivity_mS_cm
        True.
    seed
        Of geometry and noise.
    steps
        Voltages in mV in the order in which they were held.
    noise
        Sd of a current, relative to the largest one.
    offset_uA, drift_uA
        Current at no voltage, and what is added to it from the first step to the last.
    fall
        Relative fall of the conductance from the first step to the last.
    bend
        Relative rise of the conductance at the largest voltage over that at none.
    **labels
        Further columns of the table.

    Returns
    -------
    table : DataFrame
        One row a step; ``kind`` is simulated.
    truth : dict
        ``resistance_ohm``, ``thickness_um``, ``area_cm2``.
    """
    rng = np.random.default_rng([seed, 107])
    um, area = float(rng.lognormal(np.log(100.0), 0.4)), 0.785
    mV = np.asarray(steps)
    r = 0.1 * um / conductivity_mS_cm / area
    t = np.linspace(0, 1, len(mV))
    current = 1e3 * mV / r * (1 - fall * t) * (1 + bend * (mV / np.abs(mV).max()) ** 2)
    current = current + offset_uA + drift_uA * t
    scale = noise * np.abs(1e3 * mV / r).max()
    table = pd.DataFrame({
        "voltage_step_mV": mV, "current_uA": current + scale * rng.normal(size=len(mV)),
        "thickness_um": um * np.exp(THICKNESS_ERROR * rng.normal()),
        "area_cm2": area * np.exp(AREA_ERROR * rng.normal()), "blocking": "ion",
        "kind": "simulated"}).assign(**labels)
    return table, {"resistance_ohm": r, "thickness_um": um, "area_cm2": area}
