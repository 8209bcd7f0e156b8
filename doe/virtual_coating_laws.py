"""The laws of the virtual coating laboratories: simulated physics, in no way a fit to anything.

``mechanofusion``
    electrolyte agglomerates break class by class and lay a lumpy shell; carbon clusters shrink in
    the premix and in the mixer, link into a giant component, and block ions; pores open where
    carbon crowds the shell; reaction goes as deep as a Thiele modulus lets it;
``annealing``
    oxidation with a distribution of activation energies, held up by oxygen that must diffuse into
    grains of many sizes; sulfur lost as gas from what is half oxidised; dewetting by surface
    diffusion, slower for thick layers; a reaction with the active material when hot.

Neither uses a form of the models in `ssbayes.models` (Hill curves, competing first-order steps,
an exponential of protection). Only what the mixer's stress is a power of speed with (1.9 +- 0.1,
Kissel 2025, doctoral thesis, line 1293) and the heating rate (2 K/min, line 1746) are published;
every other number is invented. They are frozen: who changes a number here gives the law a new
version in `LAW_VERSIONS`, and results of different versions are not compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .virtual_laws import Array, Lab, fragments, lognormal

LAW_VERSIONS = {"mechanofusion": "mechanofusion-1", "annealing": "annealing-1"}

Columns = dict[str, Array]


@dataclass(frozen=True)
class CoatingLaw:
    """One law: how a laboratory is drawn and what its settings give."""

    name: str
    draw: Callable[[np.random.Generator], Lab]
    outcomes: Callable[[Lab, Columns], Columns]

    @property
    def version(self) -> str:
        return LAW_VERSIONS[self.name]


ELECTROLYTE, CARBON, ACTIVE = 2.59, 1.96, 4.75  # densities in g/mL
FINENESS = 1.0 / (1.0 + (40.0 * 0.5 ** np.arange(6) / 6.0) ** 2)  # share of a class that smears


def _draw_mechanofusion(rng: np.random.Generator) -> Lab:
    """Stress relative to 5000 1/min, doses to 10 min there; resistances in units of the square
    of a Thiele modulus at 1C."""
    return {
        "stress_speed": rng.normal(1.9, 0.1),
        "number_speed": rng.normal(0.6, 0.15),
        "strength": lognormal(rng, 0.25, 0.4),
        "breakage": lognormal(rng, 0.2, 0.5),
        "selection_power": rng.uniform(0.5, 1.0),
        "daughter_power": rng.uniform(0.8, 1.5),
        "covering": lognormal(rng, 0.9, 0.2),
        "lumpiness": rng.uniform(1.5, 4.0),
        "cluster": lognormal(rng, 12.0, 0.3),
        "premix_dose": lognormal(rng, 0.6, 0.4),
        "mixer_dose": lognormal(rng, 4.0, 0.4),
        "embedding": lognormal(rng, 12.0, 0.4),
        "linking": lognormal(rng, 60.0, 0.3),
        "grain_contact": rng.uniform(0.52, 0.68),
        "contact_thickness": lognormal(rng, 70.0, 0.3),
        "utilization": rng.uniform(0.88, 0.97),
        "blocking": lognormal(rng, 9.0, 0.3),
        "crowding": rng.uniform(0.06, 0.11),
        "crowding_width": rng.uniform(0.008, 0.02),
        "pores": rng.uniform(0.2, 0.35),
        "ion_resistance": lognormal(rng, 0.8, 0.25),
        "loose": rng.uniform(0.08, 0.2),
        "tortuosity": rng.uniform(1.4, 2.2),
        "crack_stress": lognormal(rng, 25.0, 0.4),
        "crack_number": lognormal(rng, 12.0, 0.4),
        "heating": lognormal(rng, 0.03, 0.5),
    }


def _mixer(lab: Lab, rpm: Array, minutes: Array) -> tuple[Array, Array]:
    """Stress intensity relative to 5000 1/min, and stress number relative to 10 min there."""
    speed = rpm / 5000.0
    return speed ** lab["stress_speed"], speed ** lab["number_speed"] * minutes / 10.0


def giant_component(degree: Array) -> Array:
    """Share of a random network of that mean degree that hangs together: s = 1 - exp(-z s)."""
    share = np.where(degree > 1.0, 0.999, 0.0)
    for _ in range(60):
        share = -np.expm1(-degree * share)
    return share


def _mechanofusion(lab: Lab, x: Columns) -> Columns:
    """q = 200 w U tanh(L) / L (1 - loss), L^2 = resistance of ions x current density."""
    electrolyte, carbon = x["electrolyte_parts"], x["cb_parts"]
    ratio = carbon / electrolyte
    stress, number = _mixer(lab, x["rpm"], x["milling_min"])
    dose = number * stress * np.exp(-lab["strength"] / stress) / lab["breakage"]
    smeared = fragments(lab, dose) @ FINENESS
    layers = lab["covering"] * electrolyte * smeared
    # lumps fall where lumps lie: a negative binomial leaves more bare than chance does
    covered = 1.0 - (1.0 + layers / lab["lumpiness"]) ** -lab["lumpiness"]

    premixed = np.where(carbon > 0.0, (x["premix_rpm"] / 5000.0) ** 2 * x["premix_min"] / 10.0, 0.0)
    cluster = 1.0 + (lab["cluster"] - 1.0) / (1.0 + premixed / lab["premix_dose"])
    cluster = 1.0 + (cluster - 1.0) / (1.0 + number * stress / lab["mixer_dose"])
    free = 1.0 / (1.0 + premixed / lab["embedding"])  # carbon that no electrolyte has wrapped
    linked = giant_component(lab["linking"] * ratio * free / np.sqrt(cluster))

    nanometres = (
        342.0
        * (np.cbrt(1.0 + electrolyte / (100.0 - electrolyte) * ACTIVE / ELECTROLYTE) - 1.0)
        * 3.0
        * smeared
    )
    bare = lab["grain_contact"] + (lab["utilization"] - lab["grain_contact"]) * np.exp(
        -nanometres / lab["contact_thickness"]
    )
    used = bare + (lab["utilization"] - bare) * linked

    volume = ratio / CARBON / (ratio / CARBON + 1.0 / ELECTROLYTE)
    pores = lab["pores"] / (1.0 + np.exp(-(volume - lab["crowding"]) / lab["crowding_width"]))
    blocked = np.exp(-lab["blocking"] * volume * np.sqrt(cluster))
    warm = np.exp(-lab["heating"] * number * stress**1.5 / 6.0)
    matrix = (
        electrolyte / ELECTROLYTE / (electrolyte / ELECTROLYTE + (100.0 - electrolyte) / ACTIVE)
    )
    # ions go from shell to shell; loose electrolyte is worth a part of that
    loose = lab["loose"]
    path = (matrix / 0.3) ** lab["tortuosity"] * (loose + (1.0 - loose) * smeared * covered**2)
    conduction = path * blocked * warm * (1.0 - pores) ** 3
    modulus = np.sqrt(lab["ion_resistance"] * used / np.maximum(conduction, 1e-4))
    kinetic = np.tanh(modulus) / modulus
    cracked = -np.expm1(-number / lab["crack_number"] * np.exp(-lab["crack_stress"] / stress))
    weight = (100.0 - electrolyte) / (100.0 + carbon)
    capacity = 200.0 * weight * used * kinetic * (1.0 - 0.5 * cracked)
    return {"composite_capacity_mAh_g": capacity, "utilization": used, "coverage": covered}


GAS = 8.314e-3  # kJ/mol/K
KELVIN = 273.15
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(9)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
GRAINS = np.exp(0.5 * np.array([-1.28, -0.52, 0.0, 0.52, 1.28]))  # quantiles of a log-normal
_PLACES, _SHARES = np.polynomial.legendre.leggauss(24)
RAMP, RAMP_WEIGHTS = (_PLACES + 1.0) / 2.0, _SHARES / 2.0  # places along a ramp from 0 to 1


def _draw_annealing(rng: np.random.Generator) -> Lab:
    """Temperatures in degC at which a step is done by half, about, in 1 h; energies in kJ/mol;
    growth in ohm cm2 h^-1/2."""
    return {
        "oxidation_degC": rng.normal(285.0, 15.0),
        "oxidation_energy": rng.normal(140.0, 20.0),
        "oxidation_spread": rng.uniform(6.0, 14.0),
        "diffusion_degC": rng.normal(300.0, 15.0),
        "diffusion_energy": rng.normal(90.0, 12.0),
        "oxygen_binding": lognormal(rng, 2.0, 0.4),
        "gas_degC": rng.normal(345.0, 12.0),
        "gas_energy": rng.normal(160.0, 20.0),
        "gas_loss": rng.uniform(0.15, 0.45),
        "dewetting_degC": rng.normal(500.0, 25.0),
        "dewetting_energy": rng.normal(140.0, 20.0),
        "dewetting_power": rng.uniform(0.35, 0.6),
        "reaction_degC": rng.normal(540.0, 30.0),
        "reaction_energy": rng.normal(110.0, 15.0),
        "covering": lognormal(rng, 1.3, 0.2),
        "swelling": rng.uniform(0.1, 0.4),
        "bare_growth": lognormal(rng, 4.0, 0.25),
        "raw_growth": rng.uniform(1.0, 1.6),
        "oxidised_growth": rng.uniform(0.15, 0.35),
        "half_oxidised_growth": rng.uniform(0.3, 0.9),
        "reaction_growth": rng.uniform(1.0, 2.5),
        "thick_growth": rng.uniform(0.05, 0.15),
    }


def _hours(energy: Array | float, degC: Array, hours: Array) -> Array:
    """Hours at the hold temperature that ramp, hold and cooling (2 K/min each) are worth."""
    hot = degC + KELVIN
    at = 298.15 + (hot - 298.15)[..., None] * RAMP
    worth = np.exp(np.asarray(energy)[..., None] / GAS * (1.0 / hot[..., None] - 1.0 / at))
    ramp = (degC - 25.0) / 120.0 * (worth @ RAMP_WEIGHTS)
    return hours + 2.0 * np.maximum(ramp, 0.0)


def _dose(lab: Lab, step: str, degC: Array, hours: Array, more: float = 0.0) -> Array:
    """Time of a step in units of the hour that it needs at its own temperature."""
    energy = lab[f"{step}_energy"] + more
    inverse = 1.0 / (lab[f"{step}_degC"] + KELVIN) - 1.0 / (degC + KELVIN)
    return np.exp(np.minimum(energy / GAS * inverse, 60.0)) * _hours(energy, degC, hours)


def oxidised(lab: Lab, degC: Array, hours: Array, oxygen: Array) -> Array:
    """Oxidised share: reaction over a distribution of energies, times that of shrinking cores."""
    binding = lab["oxygen_binding"]
    supply = oxygen / (1.0 + binding * oxygen) / (0.21 / (1.0 + binding * 0.21))
    reacted = np.zeros_like(degC)
    for node, weight in zip(NODES, WEIGHTS, strict=True):
        # a higher energy at one prefactor is a later temperature, in proportion
        later = dict(lab)
        shift = node * lab["oxidation_spread"] / lab["oxidation_energy"]
        later["oxidation_degC"] = (lab["oxidation_degC"] + KELVIN) * (1.0 + shift) - KELVIN
        later["oxidation_energy"] = lab["oxidation_energy"] * (1.0 + shift)
        reacted += weight * -np.expm1(-0.7 * supply * _dose(later, "oxidation", degC, hours))
    depth = np.sqrt(0.05 * supply * _dose(lab, "diffusion", degC, hours))
    cores = np.maximum(1.0 - depth[..., None] / GRAINS, 0.0) ** 3
    return reacted * (1.0 - cores.mean(axis=-1))


def _annealing(lab: Lab, x: Columns) -> Columns:
    """Growth = bare where bare, and under the coating what the coating lets through; the rest of
    the surface's own reaction with the active material comes on top."""
    degC, hours, amount = x["anneal_degC"], x["anneal_h"], x["precursor_wt_pct"]
    done = oxidised(lab, degC, hours, x["o2_fraction"])
    half = 4.0 * done * (1.0 - done)
    # sulfur burns off faster than it is bound where there is much oxygen
    burnt = 0.7 * np.sqrt(x["o2_fraction"] / 0.21) * _dose(lab, "gas", degC, hours)
    escaped = lab["gas_loss"] * -np.expm1(-burnt)
    kept = 1.0 - escaped * (0.4 + 0.6 * half)
    spread = np.tanh(lab["covering"] * amount * kept * (1.0 + lab["swelling"] * done))
    age = _dose(lab, "dewetting", degC, hours) / np.maximum(amount, 0.05) ** 2
    covered = spread / (1.0 + age) ** lab["dewetting_power"]
    through = (
        lab["raw_growth"] * (1.0 - done) ** 2
        + lab["half_oxidised_growth"] * half
        + lab["oxidised_growth"] * done**2
        + lab["thick_growth"] * amount**2
    )
    reacted = _dose(lab, "reaction", degC, hours)
    own = lab["reaction_growth"] * np.sqrt(reacted) / (1.0 + np.sqrt(reacted))
    growth = lab["bare_growth"] * (1.0 - covered + covered * through + own)
    return {"growth_ohm_cm2_sqrth": growth, "coverage": covered, "sulfur_oxidation": done}


LAWS: dict[str, CoatingLaw] = {
    "mechanofusion": CoatingLaw("mechanofusion", _draw_mechanofusion, _mechanofusion),
    "annealing": CoatingLaw("annealing", _draw_annealing, _annealing),
}


def shape(name: str, **settings: Any) -> Columns:
    """Settings of a law as arrays of one length; for tests of the laws alone."""
    arrays = np.broadcast_arrays(*(np.atleast_1d(np.asarray(v, float)) for v in settings.values()))
    return dict(zip(settings, arrays, strict=True))
