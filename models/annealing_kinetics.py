"""Kinetics of annealing a sulfide coating: oxidation, evaporation and coagulation.

Each step is first order with an Arrhenius rate, written through the temperature T50 at which half
is converted in one hour (held at temperature, in air) and an activation energy E:

    k(T) = ln 2 / (1 h) exp(E / R (1 / T50 - 1 / T)),     oxidation: k (x_O2 / 0.21)^m,
    conversion = 1 - exp(-dose),     dose = k(T) (t_hold + t_heating + t_cooling).

The ramps count with the time at the hold temperature that does as much as they do. For a linear
ramp of rate b from ambient T0,

    t = [T h(E / RT) - T0 h(E / RT0) k(T0) / k(T)] / b,
    h(u) = (u^3 + 18 u^2 + 86 u + 96) / (u^4 + 20 u^3 + 120 u^2 + 240 u + 120),

with h the rational form of the temperature integral, off by less than 1e-3 for E of 20 kJ/mol and
more up to 700 degC, and by less than 1e-4 from 50 kJ/mol.

Evaporation takes coating away and changes what is left of it. Coagulation gathers it in islands:
its mass stays, only the covered area shrinks. Oxidation makes a coating spread:

    remaining = exp(-dose_evaporation),
    coverage = (1 - exp(-c w remaining (1 + s oxidation))) exp(-dose_coagulation),

with w the precursor content in wt%, c the covering power of 1 wt% and s its growth when oxidised.
What protects is a coating that covers and that is oxidised; how much the second counts is open:

    protection = coverage oxidation^a,     a between 0.5 and 2.

Sources: Kissel (2025), doctoral thesis, publication IV: ramp and hold (line 1746), sulfur loss and
slow loss by mass spectrometry (1802), evaporation and coagulation (1822, 1885), time and oxygen
(1877, 3447-3456). Temperature integral: Senum and Yang, J. Therm. Anal. 11 (1977) 445.
"""

from __future__ import annotations

import math
from typing import Any

from .engine import namespace

GAS_CONSTANT = 8.314462618e-3
"""kJ mol^-1 K^-1."""
ZERO_DEGC = 273.15
AMBIENT_DEGC = 25.0
"""Where a ramp starts and ends."""
AIR = 0.21
"""Oxygen fraction of synthetic air."""
RAMP = 2.0
"""Heating rate where a table names none, K/min (line 1746)."""
LEAST_OXYGEN = 1e-6


def ramp_factor(reduced_energy: Any) -> Any:
    """Temperature integral h(u) over the hold temperature, from u = E / RT (1)."""
    u = reduced_energy
    above = ((u + 18.0) * u + 86.0) * u + 96.0
    below = (((u + 20.0) * u + 120.0) * u + 240.0) * u + 120.0
    return above / below


def ramp_hours(anneal_degC: Any, energy: Any, heating_K_min: Any = RAMP,
               cooling_K_min: Any = RAMP) -> Any:
    """Time at the hold temperature that heating and cooling are worth (h).

    Parameters
    ----------
    anneal_degC
        Hold temperature (degC); at ambient and below there is no ramp.
    energy
        Activation energy (kJ/mol).
    heating_K_min, cooling_K_min
        Rates of the linear ramps (K/min); a furnace left to itself cools at the rate that it has
        near the hold temperature, for little happens later.
    """
    xp = namespace(anneal_degC, energy, heating_K_min, cooling_K_min)
    hot = anneal_degC + ZERO_DEGC
    cold = xp.minimum(hot, AMBIENT_DEGC + ZERO_DEGC)
    u, u_cold = energy / (GAS_CONSTANT * hot), energy / (GAS_CONSTANT * cold)
    kelvin = hot * ramp_factor(u) - cold * ramp_factor(u_cold) * xp.exp(u - u_cold)
    return kelvin * (1.0 / heating_K_min + 1.0 / cooling_K_min) / 60.0


def ln_rate(anneal_degC: Any, half_degC: Any, energy: Any) -> Any:
    """Logarithm of the rate (1/h) of a step that is half done in one hour at ``half_degC``."""
    inverse = 1.0 / (half_degC + ZERO_DEGC) - 1.0 / (anneal_degC + ZERO_DEGC)
    return math.log(math.log(2.0)) + energy / GAS_CONSTANT * inverse


def dose(anneal_degC: Any, anneal_h: Any, half_degC: Any, energy: Any,
         heating_K_min: Any = RAMP, cooling_K_min: Any = RAMP) -> Any:
    """Integral of the rate over heating, hold and cooling (1), held below e^30.

    Parameters
    ----------
    anneal_degC, anneal_h
        Hold temperature (degC) and time (h).
    half_degC, energy
        T50 (degC) and activation energy (kJ/mol).
    heating_K_min, cooling_K_min
        Rates of the ramps (K/min).
    """
    xp = namespace(anneal_degC, anneal_h, half_degC, energy, heating_K_min, cooling_K_min)
    rate = xp.exp(xp.minimum(ln_rate(anneal_degC, half_degC, energy), 30.0))
    return rate * (anneal_h + ramp_hours(anneal_degC, energy, heating_K_min, cooling_K_min))


def oxygen_factor(o2_fraction: Any, order: Any) -> Any:
    """Rate of oxidation relative to air (1): (x_O2 / 0.21)^order; without oxygen nearly none."""
    xp = namespace(o2_fraction, order)
    return xp.exp(order * xp.log(xp.maximum(o2_fraction, LEAST_OXYGEN) / AIR))


def conversion(dose_of_step: Any) -> Any:
    """Converted share 1 - exp(-dose), 0..1."""
    return -namespace(dose_of_step).expm1(-dose_of_step)


def covered_share(precursor_wt_pct: Any, remaining: Any, oxidation: Any, coagulation: Any,
                  covering: Any, spreading: Any) -> Any:
    """Covered share of the surface, 0..1.

    Parameters
    ----------
    precursor_wt_pct
        Precursor by mass of powder (%); 0 is the bare powder.
    remaining
        Share of the coating that has not evaporated.
    oxidation
        Oxidised share of its sulfur.
    coagulation
        Dose of coagulation.
    covering
        Covering power of 1 wt% (1/%): pieces that fall at random leave exp(-covering) bare.
    spreading
        Growth of the covering power when all is oxidised (1).
    """
    xp = namespace(precursor_wt_pct, remaining, oxidation, coagulation, covering, spreading)
    layers = covering * precursor_wt_pct * remaining * (1.0 + spreading * oxidation)
    return -xp.expm1(-layers) * xp.exp(-coagulation)


def protection(coverage: Any, oxidation: Any, a: Any = 1.0) -> Any:
    """What a coating is worth to the cell (1): coverage x oxidation^a.

    Parameters
    ----------
    coverage, oxidation
        Covered share of the surface and oxidised share of the sulfur, 0..1.
    a
        How much unoxidised sulfide counts against a coating: with 0.5 half a conversion keeps 71 %
        of the worth, with 2 a quarter. Nobody has measured it.
    """
    xp = namespace(coverage, oxidation, a)
    return coverage * xp.exp(a * xp.log(xp.maximum(oxidation, 1e-12)))
