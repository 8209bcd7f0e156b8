"""Heckel's line with an early regime before it, and elastic compression on top: plain functions.

Pressures are in MPa, densities are over that of the pore-free solid (1).

Source: Schneider et al., Adv. Energy Mater. (2023) 2203873, doi 10.1002/aenm.202203873, Eq. 1 and
lines 83 to 96; Heckel, Trans. Metall. Soc. AIME 221 (1961) 671.
"""

from __future__ import annotations

from typing import Any

from .engine.arrays import namespace

LEAST_PORES = 2e-3
"""Pore share below which ln goes on as its tangent, where a reading is near 1 or above."""


def heckel_transform(density: Any) -> Any:
    """ln 1 / (1 - rho), for densities below 1 only; at 1 and above it is not defined."""
    return -namespace(density).log1p(-density)


def heckel_density(transformed: Any) -> Any:
    """Density 1 - exp(-y) of a transformed one, the inverse of ``heckel_transform``."""
    return -namespace(transformed).expm1(-transformed)


def mean_yield_pressure(slope: Any) -> Any:
    """Mean yield pressure P_y = 1 / slope of Heckel's line, in the inverse unit of the slope.

    The same function takes a pressure to its slope. An error d of the slope is d P_y^2 of P_y.
    """
    return 1.0 / slope


def rearranged_share(pressure: Any, boundary: Any) -> Any:
    """Share of the rearrangement that is done, 1 - (1 - p/p*)^2 below the boundary and 1 above.

    Parameters
    ----------
    pressure, boundary
        Highest pressure so far p, and regime boundary p*, in one unit.
    """
    left = namespace(pressure, boundary).maximum(1.0 - pressure / boundary, 0.0)
    return 1.0 - left * left


def yielding_share(active_volume: Any, power: Any) -> Any:
    """Part (1 - phi)^n of the plastic rate that a non-yielding volume share phi leaves."""
    xp = namespace(active_volume, power)
    return xp.exp(power * xp.log1p(-active_volume))


def pore_logarithm(
    pressure: Any, loose: Any, gain: Any, boundary: Any, yield_pressure: Any, yields: Any = 1.0
) -> Any:
    """y = ln 1 / (1 - rho) of the plastic density after a pressure.

    Parameters
    ----------
    pressure
        Highest pressure so far (MPa).
    loose, gain
        y_0 of the loose powder, and B that rearrangement adds to it (1).
    boundary, yield_pressure
        p* and P_y (MPa).
    yields
        Part of the plastic rate that is left beside a non-yielding material (1).
    """
    return (loose + gain * rearranged_share(pressure, boundary)
            + yields * pressure / yield_pressure)


def elastic_factor(pressure: Any, modulus: Any) -> Any:
    """1 + p / K, by which a solid under pressure is denser; both in one unit."""
    return 1.0 + pressure / modulus


def elastic_recovery(highest: Any, now: Any, modulus: Any) -> Any:
    """Relative fall of the density from the highest pressure to the pressure now (1).

    Parameters
    ----------
    highest, now, modulus
        p, p_now and K, in one unit.
    """
    return 1.0 - elastic_factor(now, modulus) / elastic_factor(highest, modulus)


def apparent_yield_pressure(
    highest: Any, loose: Any, gain: Any, boundary: Any, yield_pressure: Any, yields: Any,
    compliance: Any,
) -> Any:
    """Yield pressure (MPa) of a line through transformed densities read under pressure.

    The slope of ln 1 / (1 - rho (1 + p/K)) between the boundary and the highest pressure, or over
    the upper half where the boundary is above that. With ``compliance`` 0 (out of the die) it is
    P_y over ``yields``; in the die it is less, for elastic compression looks like lost pores.

    Parameters
    ----------
    highest
        Highest pressure of the line (MPa).
    loose, gain, boundary, yield_pressure, yields
        As in ``pore_logarithm``.
    compliance
        1 / K (1/MPa).
    """
    xp = namespace(highest, loose, gain, boundary, yield_pressure, compliance)
    low = xp.minimum(boundary, 0.5 * highest)

    def ln_pores(p: Any) -> Any:
        y = pore_logarithm(p, loose, gain, boundary, yield_pressure, yields)
        pores = 1.0 - heckel_density(y) * (1.0 + p * compliance)
        # Without pores there is no logarithm, and nobody prints a line. Its tangent gives a slope
        # far too steep for one.
        over = xp.maximum(pores, LEAST_PORES)
        return xp.log(over) + xp.minimum(pores / LEAST_PORES - 1.0, 0.0)

    # next to no pores at both ends leave no line: an absurdly large pressure, not a division by 0
    return (highest - low) / (ln_pores(low) - ln_pores(highest) + 1e-9)


def bulk_modulus_from_scaling(pressure: Any, scaling: Any) -> Any:
    """Bulk modulus p / (1 - f^3) from a simulation with all lattice parameters scaled by f.

    Parameters
    ----------
    pressure, scaling
        Pressure of the scaled cell, whose unit the answer has, and f (1).
    """
    return pressure / (1.0 - scaling**3)
