"""Density, porosity and particle sizes of a composite powder."""

from __future__ import annotations

from typing import Any

from .engine import namespace


def mixing_density(masses: Any, densities: Any) -> Any:
    """Density of a mixture without pores, sum m / sum (m / rho), in the unit of ``densities``.

    Parameters
    ----------
    masses
        Masses of the components, all in one unit, ``(components,)``.
    densities
        True densities of the components (g/cm3), ``(components,)``.

    References
    ----------
    doi 10.1002/smll.202507279, lines 247, 281: 3.25 g/cm3 for the composite.
    """
    pairs = list(zip(masses, densities, strict=True))
    return sum(mass for mass, _ in pairs) / sum(mass / density for mass, density in pairs)


def porosity(pellet_density: Any, pore_free_density: Any) -> Any:
    """Porosity of a pellet (1), 1 - rho_pellet / rho_0, Eq. 10; densities in one unit.

    Below 0 where elastic solids are measured under pressure: a reading, not an error.
    """
    return 1.0 - pellet_density / pore_free_density


def logarithmic_density(low_um: Any, high_um: Any, density_1_mm: Any) -> Any:
    """Volume density of a particle size class per decade, q3* = sqrt(x_low x_up) q3 ln(10) / 1000.

    Although printed as q3(ln x), the factor ln 10 makes it the density over log10 x: its sum
    times log10(x_up / x_low) over all classes is 1. The 1/1000 takes q3 from 1/mm to 1/um.

    Parameters
    ----------
    low_um, high_um
        Lower and upper edge of each class (um), above zero.
    density_1_mm
        Volume density q3 in each class (1/mm).

    Returns
    -------
    array
        Density per decade (1), one for each class.

    References
    ----------
    Frankenberg et al., Small (2025), doi 10.1002/smll.202507279, Eq. 11.
    """
    xp = namespace(low_um, high_um, density_1_mm)
    return xp.sqrt(low_um * high_um) * density_1_mm * 2.302585092994046 / 1000.0
