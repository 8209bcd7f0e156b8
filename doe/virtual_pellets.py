"""Simulated pellets whose truth is known: pressed, released, pressed again. All is simulated.

The law is not the one that is fitted. The density follows Heckel's line above 500 MPa and a
concave course below it; each further sweep makes the pellet a little denser. Conductivity is a
percolation power of that density,

    sigma = sigma_0 exp(-dV p / R T) ((rho - rho_c) / (1 - rho_c))^t,

so that it goes on rising under compression while the activation volume already lowers it. In series
are electrode contacts, r_e (p_0 / p)^h, and cracks that open on release and close exponentially,
r_k (1 - p / P) exp(-p / p_k) / N. Two powders differ as fine and coarse ones do: the fine yields
earlier, the coarse has fewer grain boundaries and more cracks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

GAS_CONSTANT = 8.314462618
BOUNDARY_MPA = 500.0
RISING = (10.0, 50.0, 100.0, 200.0, 300.0, 500.0, 700.0, 900.0, 1100.0, 1300.0, 1500.0, 1700.0)
FALLING = (1500.0, 1300.0, 1100.0, 900.0, 700.0, 500.0, 300.0, 150.0, 80.0, 30.0, 10.0)


@dataclass(frozen=True)
class Powder:
    """Truth of one sieve fraction: conductivity (mS/cm), pressures (MPa), resistivities (ohm cm).

    ``yield_MPa`` is the mean yield pressure, ``at_boundary`` the density at 500 MPa.
    """

    conductivity: float = 9.0
    yield_MPa: float = 950.0
    at_boundary: float = 0.87
    loose: float = 0.55
    cracks: float = 80.0
    crack_MPa: float = 40.0
    contacts: float = 25.0


POWDERS = {
    "fine": Powder(),
    "coarse": Powder(13.0, 1650.0, 0.83, 0.52, 700.0, 45.0, 40.0),
}


def density(powder: Powder, highest_MPa: Any, cycle: Any = 1.0) -> np.ndarray:
    """Relative density out of the die after a highest pressure (MPa)."""
    p = np.asarray(highest_MPa, dtype=float)
    early = powder.loose + (powder.at_boundary - powder.loose) * np.sin(
        0.5 * np.pi * np.minimum(p / BOUNDARY_MPA, 1.0)) ** 0.7
    line = 1.0 - (1.0 - powder.at_boundary) * np.exp(
        -np.maximum(p - BOUNDARY_MPA, 0.0) / powder.yield_MPa)
    found = np.where(p < BOUNDARY_MPA, early, line)
    return 1.0 - (1.0 - found) * np.asarray(cycle, dtype=float) ** -0.1


def resistivity(powder: Powder, volume_cm3_mol: float, now: Any, highest: Any, cycle: Any,
                temperature_degC: float = 25.0) -> tuple[np.ndarray, np.ndarray]:
    """Bulk and contact resistivity (ohm cm) at pressures in MPa."""
    now, highest = np.asarray(now, dtype=float), np.asarray(highest, dtype=float)
    thermal = GAS_CONSTANT * (temperature_degC + 273.15)
    packed = (density(powder, highest, cycle) - 0.4) / 0.6
    bulk = 1000.0 / powder.conductivity * np.exp(volume_cm3_mol * now / thermal) * packed**-1.2
    cracks = powder.cracks * (1.0 - now / highest) * np.exp(-now / powder.crack_MPa) / cycle
    return bulk, cracks + powder.contacts * (10.0 / now) ** 0.9


def sweeps(
    seed: int, volume_cm3_mol: float = 1.4, *, powders: tuple[str, ...] = ("fine", "coarse"),
    pellets: int = 1, cycles: int = 2, noise: float = 0.015, temperature_degC: float = 25.0,
) -> pd.DataFrame:
    """Sweeps of pellets to 1.7 GPa and back.

    Parameters
    ----------
    seed
        Seed of pellets and noise.
    volume_cm3_mol
        Slope of ln conductivity under pressure as an activation volume, of all powders.
    powders, pellets, cycles
        Powders of `POWDERS`, pellets of each, compressions of each pellet.
    noise
        Sd of ln of one reading; of contacts it is 0.15.
    temperature_degC
        Temperature of all readings.

    Returns
    -------
    DataFrame
        One row a reading, in the order taken, with ``kind`` simulated.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for name in powders:
        for k in range(pellets):
            powder = POWDERS[name]
            level, contact = rng.normal(0.0, 0.06), rng.normal(0.0, 0.35)
            top = 0.0
            for cycle in range(1, cycles + 1):
                path = [(p, "compression") for p in RISING] + [(p, "release") for p in FALLING]
                for now, sweep in path:
                    top = max(top, now)
                    bulk, apart = resistivity(powder, volume_cm3_mol, now, top, cycle,
                                              temperature_degC)
                    apart = apart * np.exp(contact)
                    sd = np.hypot(noise, 0.15 * apart / (bulk + apart))
                    value = 1000.0 / (bulk + apart) * np.exp(level + sd * rng.normal())
                    rows.append({
                        "kind": "simulated", "sieve": name, "lot": name, "cell": f"{name} {k + 1}",
                        "cycle": cycle, "sweep": sweep, "stack_MPa": now, "pelletizing_MPa": top,
                        "temperature_degC": temperature_degC, "conductivity_mS_cm": float(value),
                    })
    return pd.DataFrame(rows)
