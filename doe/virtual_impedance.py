"""Simulated impedance spectra whose resistances are known. Everything here is simulated.

Only ``separated`` follows the circuit that is fitted. The other laws do not, on purpose:

``separated``          R-(RQ)-(RQ)-Q, time constants a factor of 30 to 1000 apart;
``close arcs``         the same circuit, time constants within a factor of 3;
``blocked diffusion``  the tail is diffusion through a finite length with a blocked end;
``open diffusion``     the same with an open end: a third arc, skewed;
``skewed arc``         the cathode arc follows Havriliak and Negami;
``gerischer``          the cathode arc is diffusion with a reaction on the way;
``correlated noise``   as ``separated``, neighbouring points share 70 % of their error;
``drift``              as ``separated``, the cathode arc grows while the sweep is running.

Points run from 3 MHz to 0.1 Hz, seven a decade; noise is 1 % of |Z| on either part.

Sources: range, lines 2116-2118 of Kissel (2025), doctoral thesis; laws: Havriliak, Negami, Polymer
8 (1967) 161; Gerischer, Z. Phys. Chem. 198 (1951) 286; Ho, Raistrick, Huggins, J. Electrochem.
Soc. 127 (1980) 343.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

SCENARIOS = ("separated", "close arcs", "blocked diffusion", "open diffusion", "skewed arc",
             "gerischer", "correlated noise", "drift")
AREA_CM2 = 0.785
HIGHEST_HZ, LOWEST_HZ, POINTS = 3e6, 0.1, 53
SHARED = 0.7
"""Correlation of neighbouring errors in ``correlated noise``."""


@dataclass(frozen=True)
class VirtualSpectrum:
    """One simulated spectrum.

    Attributes
    ----------
    table : DataFrame
        As ``data.impedance`` reads it; ``kind`` is simulated.
    cathode, anode, separator : float
        True resistances (ohm cm2); of the cathode, that at the start of the sweep.
    scenario : str
    """

    table: pd.DataFrame
    cathode: float
    anode: float
    separator: float
    scenario: str


def simulate(
    scenario: str, seed: int, *, noise: float = 0.01, drift: float = 0.5, points: int = POINTS,
    cathode: float | None = None, **labels: Any,
) -> VirtualSpectrum:
    """Draw one spectrum.

    Parameters
    ----------
    scenario
        One of ``SCENARIOS``.
    seed
        Of the generator; the same cell at the same seed in all scenarios.
    noise
        Relative standard deviation of either part.
    drift
        Relative growth of the cathode's resistance over the sweep (``drift`` only).
    points
        Number of frequencies.
    cathode
        Cathode resistance (ohm cm2), if it is not to be drawn.
    **labels
        Further columns of the table.

    Raises
    ------
    ValueError
        If there is no such scenario.
    """
    if scenario not in SCENARIOS:
        raise ValueError(f"{scenario!r} is no scenario: {', '.join(SCENARIOS)}")
    rng = np.random.default_rng([seed, 83])
    f = np.logspace(np.log10(HIGHEST_HZ), np.log10(LOWEST_HZ), points)
    w = 2 * np.pi * f
    r0 = float(rng.lognormal(np.log(20.0), 0.4))
    drawn = float(np.exp(rng.uniform(np.log(10.0), np.log(200.0))))
    r1 = drawn if cathode is None else float(cathode)
    r2 = float(np.exp(rng.uniform(np.log(3.0), np.log(40.0))))
    tau = 10 ** rng.uniform(-5.0, -3.3)
    a1, a2 = rng.uniform(0.75, 0.95, 2)
    far, near = np.exp(rng.uniform(np.log(30.0), np.log(1000.0))), np.exp(rng.uniform(0, np.log(3)))
    ratio = near if scenario == "close arcs" else far
    tail, bend = 10 ** rng.uniform(0.0, 1.2), rng.uniform(0.55, 0.9)
    skew, through = rng.uniform(0.5, 0.75), 10 ** rng.uniform(-0.7, 1.3)

    first = r1 / (1 + (1j * w * tau) ** a1)
    if scenario == "skewed arc":
        first = r1 / (1 + (1j * w * tau) ** a1) ** skew
    elif scenario == "gerischer":
        first = r1 / np.sqrt(1 + 1j * w * tau)
    elif scenario == "drift":
        # three periods a point, not less than 50 ms: nearly all of the time goes to low frequency
        passed = np.cumsum(np.maximum(3 / f, 0.05))
        first = first * (1 + drift * passed / passed[-1])
    s = np.sqrt(1j * w * through)
    if scenario == "blocked diffusion":
        last = 10 * tail / (s * np.tanh(s))
    elif scenario == "open diffusion":
        last = 4 * tail * np.tanh(s) / s
    else:
        last = tail / (1j * w) ** bend
    z = r0 + first + r2 / (1 + (1j * w * tau * ratio) ** a2) + last
    error = rng.normal(size=(2, points))
    if scenario == "correlated noise":
        for k in range(1, points):
            error[:, k] = SHARED * error[:, k - 1] + np.sqrt(1 - SHARED**2) * error[:, k]
    read = (z + noise * np.abs(z) * (error[0] + 1j * error[1])) / AREA_CM2
    table = pd.DataFrame({
        "spectrum": f"{scenario} {seed}", "frequency_of_signal_Hz": f, "z_re_ohm": read.real,
        "z_im_ohm": read.imag, "area_cm2": AREA_CM2, "kind": "simulated"}).assign(**labels)
    return VirtualSpectrum(table, r1, r2, r0, scenario)


def simulate_hold(
    seed: int, *, start: float = 50.0, growth: float = 5.0, spectra: int = 20, hours: float = 10.0,
    **labels: Any,
) -> tuple[pd.DataFrame, np.ndarray]:
    """Spectra of one cell during a hold in which the cathode grows as the square root of time.

    Parameters
    ----------
    seed
        Of the cell and its noise.
    start, growth
        ohm cm2 at the start, and ohm cm2 per root hour.
    spectra, hours
        Number of spectra, and time of the last.
    **labels
        Further columns of the table.

    Returns
    -------
    table : DataFrame
        All points with ``hold_h``.
    cathode : array (spectra,)
        True resistances (ohm cm2).
    """
    times = np.linspace(hours / spectra, hours, spectra)
    truth = start + growth * np.sqrt(times)
    rng = np.random.default_rng([seed, 89])
    parts = []
    for k, (t, r) in enumerate(zip(times, truth, strict=True)):
        made = simulate("separated", seed, noise=0.0, cathode=float(r), hold_h=float(t),
                        direction="hold", **labels).table
        size = 0.01 * np.hypot(made["z_re_ohm"], made["z_im_ohm"])
        error = rng.normal(size=(2, len(made)))
        parts.append(made.assign(spectrum=f"hold {k:02d}", z_re_ohm=made["z_re_ohm"] + size
                                 * error[0], z_im_ohm=made["z_im_ohm"] + size * error[1]))
    return pd.concat(parts, ignore_index=True), truth
