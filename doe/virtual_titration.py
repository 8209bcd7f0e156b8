"""Simulated titrations: a reference and cells whose truth is known. Everything here is simulated.

The relaxation law is not the one that is fitted: after a pulse the potential falls as a stretched
exponential, A exp(-(t / tau)^b), with tau of the cell and A of each rest; a laboratory would state
"drift at the end x rest x factor" for what is left, and so does the table here. The fit knows that
statement only, as the scale of a half-normal.

Scenarios:

``constant``         utilization the same at all potentials;
``drifting``         it rises (percolation) or falls (contact loss) along an S-shape while charging;
``wrong mass``       a coarse balance: three times the weighing error, stated as such;
``incomplete rest``  two hours where the slow grains need many.

Beside them ``misstated mass``: weighing errors three times as large as stated, which no evaluation
can know; intervals are then too narrow, and a table that shows this row should say so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

SCENARIOS = ("constant", "drifting", "wrong mass", "incomplete rest")
MISSTATED = "misstated mass"
REFERENCE_MASS_MG, REFERENCE_SD_MG = 5.25, 0.09
CELL_MASS_MG, CELL_SD_MG = 9.0, 0.1


def equilibrium_charge(potential: np.ndarray) -> np.ndarray:
    """Charge per gram (mAh/g) of the simulated layered oxide at a potential (V vs Li+/Li)."""
    u = np.asarray(potential, dtype=float)

    def wave(height: float, at: float, width: float) -> np.ndarray:
        return height / (1 + np.exp(-(u - at) / width))

    return (20.0 + 60.0 * (u - 3.5) + wave(75.0, 3.68, 0.05) + wave(50.0, 3.93, 0.07)
            + wave(30.0, 4.19, 0.02))


@dataclass(frozen=True)
class Titration:
    """One simulated cell with its reference.

    Attributes
    ----------
    cell, reference
        Tables as ``data.titration`` reads them; ``kind`` is simulated.
    mass_mg, mass_sd_mg, reference_mass_mg, reference_mass_sd_mg
        As weighed and stated.
    truth
        Mean utilization between the first and the last relaxed point.
    scenario
        One of ``SCENARIOS`` or ``MISSTATED``.
    """

    cell: pd.DataFrame
    reference: pd.DataFrame
    mass_mg: float
    mass_sd_mg: float
    reference_mass_mg: float
    reference_mass_sd_mg: float
    truth: float
    scenario: str


def left_and_stated(
    rng: np.random.Generator, amplitude: np.ndarray, tau_h: float, power: float, rest_h: float,
    factor: float,
) -> tuple[np.ndarray, np.ndarray]:
    """What a stretched exponential leaves after a rest, and what the end drift would state (V)."""
    age = (rest_h / tau_h) ** power
    left = amplitude * np.exp(-age)
    drift = left * power * age / rest_h  # V/h
    noisy = drift * rng.lognormal(0.0, 0.15, len(drift)) + rng.normal(0.0, 2e-5, len(drift))
    return left, np.maximum(noisy, 0.0) * rest_h * factor


def instrument(rng: np.random.Generator, potential: np.ndarray) -> np.ndarray:
    """Reading errors of a cycler's voltage (V): inside its accuracy, mostly."""
    return rng.normal(0.0, 1.0, len(potential)) * (1e-4 * potential + 3e-4) / 1.5


def simulate(scenario: str, seed: int) -> Titration:
    """Draw one cell and its reference.

    Raises
    ------
    ValueError
        If there is no such scenario.
    """
    if scenario not in (*SCENARIOS, MISSTATED):
        raise ValueError(f"{scenario!r} is no scenario: {', '.join((*SCENARIOS, MISSTATED))}")
    rng = np.random.default_rng([seed, 61])
    reference, reference_sd = _reference(rng)

    u = np.linspace(3.56, 4.12, 7) + rng.uniform(-0.02, 0.02, 7)
    theta, fine = _utilization(rng, scenario, u)
    q = equilibrium_charge(fine)
    total = np.concatenate([[0.0], np.cumsum(np.diff(q) * (theta[1:] + theta[:-1]) / 2)])
    truth = (np.interp(u[-1], fine, total) - np.interp(u[0], fine, total)) / np.ptp(
        equilibrium_charge(u))
    off = 3.0 if scenario in {"wrong mass", MISSTATED} else 1.0
    mass_sd = CELL_SD_MG * (3.0 if scenario == "wrong mass" else 1.0)
    mass = CELL_MASS_MG + rng.normal(0.0, CELL_SD_MG * off)
    charge = np.interp(u, fine, total) * mass / 1e3
    if scenario == "incomplete rest":
        rest, tau = 2.0, rng.lognormal(np.log(1.0), 0.4)
    else:
        rest, tau = 8.0, rng.lognormal(np.log(1.0), 0.5)
    left, stated = left_and_stated(rng, rng.uniform(0.01, 0.06, 7), tau, rng.uniform(0.45, 0.7),
                                   rest, 1.63)
    read = u + left + instrument(rng, u) + rng.normal(0.0, 0.5e-3)
    error = 5e-4 * CELL_MASS_MG / 9.0
    cell = pd.DataFrame({
        "relaxed_V": np.maximum.accumulate(read + 1e-6 * np.arange(7)),
        "charge_mAh": charge + rng.normal(0.0, error, 7), "relaxation_V": stated,
        "instrument_V": 1e-4 * read + 3e-4, "charge_up_mAh": error, "charge_down_mAh": error,
        "kind": "simulated"})
    return Titration(cell, reference, CELL_MASS_MG, mass_sd, REFERENCE_MASS_MG, reference_sd,
                     float(truth), scenario)


def _utilization(rng: np.random.Generator, scenario: str,
                 u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Utilization over a fine grid of potentials, and the grid."""
    fine = np.linspace(3.5, 4.2, 1401)
    level = rng.uniform(0.5, 0.95)
    if scenario != "drifting":
        return np.full(len(fine), level), fine
    change = rng.uniform(0.05, 0.25) * rng.choice([1.0, -1.0], p=[0.7, 0.3])
    middle = rng.uniform(3.65, 3.95)
    shape = 1 / (1 + np.exp(-(fine - middle) / rng.uniform(0.05, 0.12)))
    return np.clip(level + change * (shape - 0.5), 0.05, 1.0), fine


def _reference(rng: np.random.Generator) -> tuple[pd.DataFrame, float]:
    """A titration of the reference cell in pulses of 3.3 mAh/g with rests of two hours."""
    mass = REFERENCE_MASS_MG + rng.normal(0.0, REFERENCE_SD_MG)
    fine = np.linspace(3.5, 4.45, 4000)
    q_fine = equilibrium_charge(fine)
    q = np.arange(q_fine[0] + 2.0, q_fine[-1] - 2.0, 3.33)
    u = np.interp(q, q_fine, fine)
    left, relaxation = left_and_stated(
        rng, np.full(len(u), rng.uniform(0.01, 0.03)), rng.lognormal(np.log(0.15), 0.4),
        rng.uniform(0.45, 0.7), 2.0, 1.5)
    # self-discharge: stated from drifts, true to within a factor
    stated_lost = (0.011 + 0.025 * (u - u[0])) / mass * 1e3
    self_discharge = 1.2e-4 * (1 + 2 * (u - u[0]))
    true_share = rng.lognormal(-0.25, 0.5)
    gain = 0.0034 * (q - q[0])
    counted = q + true_share * stated_lost + 0.5 * rng.normal() * gain
    read = u + left - true_share * self_discharge + instrument(rng, u) / 3
    per_gram = mass / 1e3
    reference = pd.DataFrame({
        "relaxed_V": read, "charge_mAh": counted * per_gram, "instrument_V": 1e-4 * u + 3e-4,
        "relaxation_V": relaxation, "self_discharge_V": self_discharge,
        "gain_mAh": gain * per_gram, "lost_mAh": stated_lost * per_gram, "kind": "simulated"})
    return reference, REFERENCE_SD_MG
