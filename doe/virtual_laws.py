"""The laws of the virtual laboratories: simulated physics, in no way a fit to anything.

Three laws, each of a different kind, none of them the law of a model in `ssbayes.models`:

``breakage``
    population balance: electrolyte agglomerates break class by class, fragments make contacts,
    stress number wears crystallites down, hard collisions crack active material;
``regime``
    cascading beads at low speed, cataracting above; a tough powder that wants more energy than
    the rule on hot runs leaves it, so that its best setting mostly lies on an edge;
``gp``
    a smooth random function with no physics in it at all.

A law is three functions: ``draw(rng)`` gives one laboratory's constants, ``capacity(lab, rpm,
minutes, bead)`` the expected capacity of settings in mAh/g over all batches at 0.1C, strictly
between 0 and 200, and ``energy(...)`` the specific energy in J/g that a power log would give;
all arrays of shape (settings,). They are frozen: who changes a number here gives the law a new
version in `LAW_VERSIONS`, and results of different versions are not compared.

The mill's powers scatter about the published discrete-element exponents (Frankenberg et al.
2025, doi 10.1002/smll.202507279, Eqs. 2-7); every other number is invented.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

LAW_VERSIONS = {"breakage": "breakage-1", "regime": "regime-1", "gp": "gp-1"}

Array = np.ndarray
Lab = dict[str, Any]


@dataclass(frozen=True)
class Law:
    """One law: how a laboratory is drawn and what its settings give."""

    name: str
    draw: Callable[[np.random.Generator], Lab]
    capacity: Callable[[Lab, Array, Array, Array], Array]
    energy: Callable[[Lab, Array, Array, Array], Array]

    @property
    def version(self) -> str:
        return LAW_VERSIONS[self.name]


def lognormal(rng: np.random.Generator, median: float, spread: float) -> float:
    return float(median * np.exp(spread * rng.standard_normal()))


def _utilization(rng: np.random.Generator, mean: float, sd: float) -> float:
    return float(np.clip(rng.normal(mean, sd), 0.75, 0.97))


def _mill(rng: np.random.Generator, constant: float) -> Lab:
    """Powers of speed and bead of one mill; ``constant`` is J/g per minute at 200 1/min, 5 mm."""
    return {
        "constant": lognormal(rng, constant, 0.30),
        "energy_speed": rng.normal(2.55, 0.12),
        "number_speed": rng.normal(0.35, 0.10),
        "energy_bead": rng.normal(3.70, 0.20),
        "number_bead": rng.normal(-3.95, 0.15),
    }


def _stress(mill: Lab, rpm: Array, bead: Array) -> tuple[Array, Array]:
    """Stress energy and stress frequency, both relative to 200 1/min and 5 mm."""
    speed, size = np.log(rpm / 200.0), np.log(bead / 5.0)
    energy = np.exp(mill["energy_speed"] * speed + mill["energy_bead"] * size)
    frequency = np.exp(mill["number_speed"] * speed + mill["number_bead"] * size)
    return energy, frequency


def _power_law_energy(lab: Lab, rpm: Array, minutes: Array, bead: Array) -> Array:
    """Specific energy in J/g: stress energy x stress frequency x time."""
    stress, frequency = _stress(lab, rpm, bead)
    return lab["constant"] * stress * frequency * minutes


SIZES_UM = 40.0 * 0.5 ** np.arange(6)  # agglomerate classes, coarse to fine


def _draw_breakage(rng: np.random.Generator) -> Lab:
    """Energies in J/g; thresholds and numbers relative to 200 1/min, 5 mm, 5 min; resistances
    in units of the one that halves the capacity at 0.1C."""
    return _mill(rng, 2.1) | {
        "utilization": _utilization(rng, 0.94, 0.02),
        "breakage_energy": lognormal(rng, 70.0, 0.4),
        "breakage_threshold": lognormal(rng, 1.2, 0.6),
        "selection_power": rng.uniform(0.5, 1.0),
        "daughter_power": rng.uniform(0.8, 1.5),
        "contact_area": lognormal(rng, 20.0, 0.25),
        "contact_resistance": lognormal(rng, 0.045, 0.2),
        "agglomerate_resistance": lognormal(rng, 0.20, 0.3),
        "ion_resistance": lognormal(rng, 0.10, 0.2),
        "wear_number": lognormal(rng, 45.0, 0.35),
        "wear_power": rng.uniform(0.6, 0.9),
        "crack_threshold": lognormal(rng, 50.0, 0.35),
        "crack_number": lognormal(rng, 2.0, 0.35),
        "crack_loss": rng.uniform(0.3, 0.6),
        "crack_resistance": lognormal(rng, 0.4, 0.3),
    }


def fragments(lab: Lab, dose: Array) -> Array:
    """Mass share in each size class after a breakage dose, shape (settings, 6).

    df_i/dx = -s_i f_i + sum_(j<i) s_j b_ij f_j with s_i = (d_i/d_0)^alpha, the finest class
    unbreakable, and daughters of j finer than d in the share (d/d_(j+1))^beta. The matrix is
    lower triangular with distinct rates, so its eigenvectors follow by substitution.
    """
    count = len(SIZES_UM)
    rates = (SIZES_UM / SIZES_UM[0]) ** lab["selection_power"]
    rates[-1] = 0.0
    change = -np.diag(rates)
    for parent in range(count - 1):
        finer = SIZES_UM[parent + 1 :]
        below = (finer / finer[0]) ** lab["daughter_power"]
        change[parent + 1 :, parent] = rates[parent] * (below - np.append(below[1:], 0.0))
    vectors = np.eye(count)
    for mode in range(count):
        for size in range(mode + 1, count):
            fed = change[size, mode:size] @ vectors[mode:size, mode]
            vectors[size, mode] = fed / (rates[size] - rates[mode])
    start = np.linalg.solve(vectors, np.array([0.8, 0.2, 0.0, 0.0, 0.0, 0.0]))
    return (np.exp(np.multiply.outer(dose, -rates)) * start) @ vectors.T


def _breakage_capacity(lab: Lab, rpm: Array, minutes: Array, bead: Array) -> Array:
    """q = 200 U (1 - loss x cracked) / (1 + R), R the sum of contact, agglomerate, ion and crack
    resistances. Only collisions above the threshold break: dose = E/E_b exp(-W_b/SE)."""
    stress, frequency = _stress(lab, rpm, bead)
    number = frequency * minutes / 5.0
    energy = _power_law_energy(lab, rpm, minutes, bead)
    mass = fragments(
        lab, energy / lab["breakage_energy"] * np.exp(-lab["breakage_threshold"] / stress)
    )
    contact = -np.expm1(-(mass @ (SIZES_UM[0] / SIZES_UM)) / lab["contact_area"])
    coarse = mass[:, 0] + 0.5 * mass[:, 1]
    wear = number * stress ** lab["wear_power"] / lab["wear_number"]
    crystallite_nm = 12.0 + 48.0 * np.exp(-(wear**0.8))
    cracked = -np.expm1(-number / lab["crack_number"] * np.exp(-lab["crack_threshold"] / stress))
    resistance = (
        lab["contact_resistance"] / contact
        + lab["agglomerate_resistance"] * coarse
        + lab["ion_resistance"] * (1.0 + (25.0 / crystallite_nm) ** 3)
        + lab["crack_resistance"] * cracked
    )
    static = lab["utilization"] * (1.0 - lab["crack_loss"] * cracked)
    return 200.0 * static / (1.0 + resistance)


def _draw_regime(rng: np.random.Generator) -> Lab:
    """Energies in J/g, times in min; ``heating`` is the final rise of temperature at
    100 J/g/min, in units of the rise that makes decay e times faster."""
    return _mill(rng, 0.5) | {
        "utilization": _utilization(rng, 0.90, 0.03),
        "change_rpm": rng.uniform(230.0, 370.0),
        "change_width": rng.uniform(15.0, 40.0),
        "cascade_energy_speed": rng.normal(1.5, 0.15),
        "cascade_number_speed": rng.normal(0.8, 0.1),
        "jump": rng.uniform(1.3, 2.5),
        "rolling_share": rng.uniform(0.02, 0.08),
        "contact_energy": lognormal(rng, 480.0, 0.3),
        "contact_power": rng.uniform(0.7, 1.0),
        "impact_threshold": lognormal(rng, 25.0, 0.4),
        "contact_resistance": lognormal(rng, 0.08, 0.2),
        "heating": lognormal(rng, 0.75, 0.3),
        "heating_minutes": lognormal(rng, 20.0, 0.3),
        "decay_minutes": lognormal(rng, 2000.0, 0.3),
        "bead_wear": lognormal(rng, 0.045, 0.4),
    }


def _regime_stress(lab: Lab, rpm: Array, bead: Array) -> tuple[Array, Array, Array]:
    """Stress energy, stress frequency (relative to cascading at 200 1/min, 5 mm) and the share
    of beads that cataract: two power laws, blended over the change of regime."""
    cataract = 1.0 / (1.0 + np.exp(-(rpm - lab["change_rpm"]) / lab["change_width"]))
    size = np.log(bead / 5.0)
    low, high = np.log(rpm / 200.0), np.log(rpm / lab["change_rpm"])
    joint = np.log(lab["change_rpm"] / 200.0)
    energy = (1.0 - cataract) * lab["cascade_energy_speed"] * low + cataract * (
        lab["cascade_energy_speed"] * joint + np.log(lab["jump"]) + lab["energy_speed"] * high
    )
    number = (1.0 - cataract) * lab["cascade_number_speed"] * low + cataract * (
        lab["cascade_number_speed"] * joint + lab["number_speed"] * high
    )
    energy = np.exp(energy + lab["energy_bead"] * size)
    return energy, np.exp(number + lab["number_bead"] * size), cataract


def _regime_energy(lab: Lab, rpm: Array, minutes: Array, bead: Array) -> Array:
    stress, frequency, _ = _regime_stress(lab, rpm, bead)
    return lab["constant"] * stress * frequency * minutes


def _regime_capacity(lab: Lab, rpm: Array, minutes: Array, bead: Array) -> Array:
    """q = 200 U exp(-(R_c/contact + wear)) exp(-decay): impacts above a threshold spread the
    electrolyte, bead wear grows with stress energy, decay with the time in a warming jar."""
    stress, _, cataract = _regime_stress(lab, rpm, bead)
    energy = _regime_energy(lab, rpm, minutes, bead)
    impacts = np.exp(-lab["impact_threshold"] / stress)
    useful = lab["rolling_share"] * (1.0 - cataract) + cataract * impacts
    spread = (useful * energy / lab["contact_energy"]) ** lab["contact_power"]
    contact = 0.1 - 0.9 * np.expm1(-spread)
    warming = -np.expm1(-minutes / lab["heating_minutes"])
    warmth = lab["heating"] * energy / minutes / 100.0 * warming
    decay = minutes / lab["decay_minutes"] * np.exp(np.minimum(warmth, 30.0))
    loss = lab["contact_resistance"] / contact + lab["bead_wear"] * stress / 60.0
    # A floor keeps ruined settings positive, as a dead cell still gives a few mAh/g.
    return 200.0 * lab["utilization"] * np.exp(-np.minimum(loss + decay, 4.0))


FEATURES = 400


def _draw_gp(rng: np.random.Generator) -> Lab:
    """A Matern-5/2 path by random Fourier features (spectral density: Student-t, 5 d.o.f.);
    length scales as shares of the ranges of ln speed, ln time and ln bead."""
    lab = _mill(rng, 1.5)
    scales = np.array([lognormal(rng, median, 0.25) for median in (0.5, 0.5, 0.9)])
    spread = np.sqrt(5.0 / rng.chisquare(5.0, size=(FEATURES, 1)))
    return lab | {
        "level": rng.normal(140.0, 8.0),
        "amplitude": lognormal(rng, 25.0, 0.15),
        "frequencies": rng.standard_normal((FEATURES, 3)) * spread / scales,
        "phases": rng.uniform(0.0, 2.0 * np.pi, FEATURES),
        "weights": rng.standard_normal(FEATURES) * np.sqrt(2.0 / FEATURES),
    }


def _gp_capacity(lab: Lab, rpm: Array, minutes: Array, bead: Array) -> Array:
    """A path squashed into 0..200 mAh/g with its amplitude kept where the path is zero."""
    place = np.stack(
        [
            np.log(rpm / 200.0) / np.log(1000.0 / 200.0),
            np.log(minutes / 5.0) / np.log(300.0 / 5.0),
            np.log(bead / 1.75) / np.log(5.0 / 1.75),
        ],
        axis=1,
    )
    path = np.cos(place @ lab["frequencies"].T + lab["phases"]) @ lab["weights"]
    share = lab["level"] / 200.0
    slope = lab["amplitude"] / (200.0 * share * (1.0 - share))
    return 200.0 / (1.0 + (1.0 - share) / share * np.exp(-slope * path))


LAWS: dict[str, Law] = {
    "breakage": Law("breakage", _draw_breakage, _breakage_capacity, _power_law_energy),
    "regime": Law("regime", _draw_regime, _regime_capacity, _regime_energy),
    "gp": Law("gp", _draw_gp, _gp_capacity, _power_law_energy),
}
