"""Paths of electrons and ions through a composite: shares of volume, contacts, percolation.

Mass shares w become shares of the pressed volume by true densities rho, pores eps included,

    phi_i = (1 - eps) (w_i / rho_i) / sum_j (w_j / rho_j).

Particles of a kind have, with their own kind, z = Z (1 - eps) / 0.62 s contacts: Z is the
coordination of a random packing (38 % pores), and s the kind's share of the surface that all
particles offer, s_i = phi_i d_i^-k / sum_j phi_j d_j^-k. With k = 1 (rigid spheres) large grains
among small ones touch each other rarely: coarse active material in fine electrolyte needs more of
its volume to conduct. With k = 0 only volume counts, as where a soft electrolyte flows away.
Carbon adds contacts between grains, so many for each percent of its volume; a binder takes
contacts away. The share of particles that belong to a network through the electrode,

    P = 1 / (1 + (1.95 / z)^m),

is that of packed spheres (Bouvard and Lange) for m = 6, to 0.04 from two contacts on; a lower m is
a composite mixed less evenly than at random. Below about one contact nothing percolates.

An active particle is used if it belongs to the electronic network and touches the ionic one:

    U = P_e (1 - exp(-n P_i)),    n = Z (1 - eps) / 0.62 s_s (1 + (d_a / d_s)^2k) / 2.

Conductivities are those of the phase times a power of its volume share above 1, times its P:
never above Wiener's bound phi sigma_0, and zero without the phase.

Sources: contacts between like and unlike spheres by shares of surface, D. Chen et al., J. Power
Sources 191 (2009) 240; share of percolating particles, D. Bouvard and F. F. Lange, Acta Metall.
Mater. 39 (1991) 3083. Nothing of it was fitted to a cathode.
"""

from __future__ import annotations

from typing import Any

from ..data.carbon import DENSITY
from .engine import expit, namespace

ACTIVE_DENSITY = DENSITY["NCM82"]
ELECTROLYTE_DENSITY = 1.87
"""True density of Li6PS5Cl, g/cm3; Frankenberg et al., doi 10.1002/smll.202507279, line 247."""
CARBON_DENSITY = DENSITY["carbon black"]
BINDER_DENSITY = 1.78
"""True density of PVDF, g/cm3 (handbooks); PTFE has 2.2, which matters at no usual content."""
DENSITIES = (ACTIVE_DENSITY, ELECTROLYTE_DENSITY, CARBON_DENSITY, BINDER_DENSITY)
PACKED = 0.62
"""Solid share of the random packing for which a coordination number is stated."""
HALF_CONTACTS = 1.95
"""Contacts with its own kind at which half of the particles belong to a network."""
LEAST = 1e-6
NETWORK_POWER = 2.0
"""Power of the volume share in an electronic path; a universal network of contacts."""


def volume_shares(active: Any, electrolyte: Any, carbon: Any, binder: Any, porosity: Any,
                  densities: tuple[float, ...] = DENSITIES) -> tuple[Any, Any, Any, Any]:
    """Shares of a pressed composite's volume from its mass shares, pores included (1).

    Parameters
    ----------
    active, electrolyte, carbon, binder
        Mass shares (1), or masses in one unit.
    porosity
        Pores over the whole volume (1), below 1.
    densities
        True densities (g/cm3) in that order.

    Returns
    -------
    tuple
        The four shares; with the porosity they add up to 1.
    """
    parts = [m / rho for m, rho in zip((active, electrolyte, carbon, binder), densities,
                                       strict=True)]
    whole = (parts[0] + parts[1] + parts[2] + parts[3]) / (1.0 - porosity)
    return parts[0] / whole, parts[1] / whole, parts[2] / whole, parts[3] / whole


def mass_shares(active: Any, electrolyte: Any, carbon: Any = 0.0, binder: Any = 0.0,
                densities: tuple[float, ...] = DENSITIES) -> tuple[Any, Any, Any, Any]:
    """Mass shares from shares of the solid volume (or volumes in one unit): the way back."""
    parts = [v * rho for v, rho in zip((active, electrolyte, carbon, binder), densities,
                                       strict=True)]
    whole = parts[0] + parts[1] + parts[2] + parts[3]
    return parts[0] / whole, parts[1] / whole, parts[2] / whole, parts[3] / whole


def solid_density(active: Any, electrolyte: Any, carbon: Any, binder: Any) -> Any:
    """Density of the composite without pores (g/cm3) from mass shares that add up to 1."""
    return 1.0 / (active / ACTIVE_DENSITY + electrolyte / ELECTROLYTE_DENSITY
                  + carbon / CARBON_DENSITY + binder / BINDER_DENSITY)


def surface_share(volume: Any, other: Any, ln_size_ratio: Any, exponent: Any) -> Any:
    """Share of the surface that one of two kinds of particles offers (1).

    Parameters
    ----------
    volume, other
        Volume shares of the kind and of the other one (1).
    ln_size_ratio
        ln of its diameter over that of the other.
    exponent
        k: 1 for rigid spheres, 0 if only volume counts.
    """
    xp = namespace(volume, other, ln_size_ratio, exponent)
    return volume / (volume + other * xp.exp(exponent * ln_size_ratio) + LEAST**2)


def contacts(share: Any, coordination: Any, porosity: Any) -> Any:
    """Contacts of a particle with a kind that offers this share of the surface (1)."""
    return coordination * (1.0 - porosity) / PACKED * share


def percolating(number: Any, sharpness: Any) -> Any:
    """Share P of particles that belong to a network through the electrode (1).

    Parameters
    ----------
    number
        Contacts of a particle with the network's particles, 0 or more.
    sharpness
        m: 6 for evenly packed spheres, less where mixing leaves regions of other composition.
    """
    xp = namespace(number, sharpness)
    return expit(sharpness * xp.log((number + LEAST) / HALF_CONTACTS))


def touching(share: Any, ln_size_ratio: Any, exponent: Any, coordination: Any, porosity: Any,
             ionic: Any) -> Any:
    """Share of active particles that touch electrolyte of the ionic network (1).

    Parameters
    ----------
    share
        Surface share of the electrolyte (1).
    ln_size_ratio
        ln of the active particles' diameter over the electrolyte's.
    exponent
        k, as in `surface_share`.
    coordination, porosity
        As in `contacts`.
    ionic
        Share of the electrolyte that belongs to the network (1).
    """
    xp = namespace(share, ln_size_ratio, exponent, coordination, porosity, ionic)
    neighbours = contacts(share, coordination, porosity) * 0.5 * (
        1.0 + xp.exp(2.0 * exponent * ln_size_ratio))
    return -xp.expm1(-neighbours * ionic)


def effective_ionic(electrolyte: Any, carbon: Any, percolated: Any, bulk: Any, excess: Any,
                    blocking: Any) -> Any:
    """Effective ionic conductivity, in the unit of ``bulk``; never above Wiener's bound.

    Parameters
    ----------
    electrolyte, carbon
        Volume shares, pores counted (1).
    percolated
        Share of the electrolyte that belongs to the network (1).
    bulk
        Conductivity of the dense electrolyte.
    excess
        Power of the volume share beyond 1, above 0; 0.5 is Bruggeman's rule.
    blocking
        Fall of ln conductivity per percent of carbon's volume, 0 or more.
    """
    xp = namespace(electrolyte, carbon, percolated, bulk, excess)
    share = electrolyte + LEAST
    return electrolyte * bulk * percolated * xp.exp(
        excess * xp.log(share) - 100.0 * blocking * carbon)


def effective_electronic(active: Any, carbon: Any, percolated: Any, contact: Any,
                         network: Any) -> Any:
    """Effective electronic conductivity, in the unit of both conductivities.

    Active material and carbon side by side in one network: without carbon only the grains
    conduct, and not at all where they do not percolate.

    Parameters
    ----------
    active, carbon
        Volume shares, pores counted (1).
    percolated
        Share of the active particles that belong to the network (1).
    contact, network
        Conductivities of grains in contact and of carbon, on the scale of a share of 1.
    """
    return percolated * (contact * active**NETWORK_POWER + network * carbon**NETWORK_POWER)


def bouvard_lange(number: float) -> float:
    """The published share of percolating particles, for comparison: 0 below 1.764 contacts."""
    if number <= 1.764:
        return 0.0
    return (1.0 - (max(4.236 - number, 0.0) / 2.472) ** 2.5) ** 0.4


def ohmic_time(ionic: Any, electronic: Any, loading: Any, active: Any, density: Any) -> Any:
    """Loss by transport through the thickness, 1 for an ordinary electrode (1).

    The ohmic drop across an electrode of thickness L at current j is j L / 2 (1 / sigma_i + 1 /
    sigma_e); at a given rate j goes with loading and share of active material, L with loading
    over density.

    Parameters
    ----------
    ionic, electronic
        Effective conductivities (mS/cm); 1 means 0.1 mS/cm each.
    loading
        Areal loading (mg/cm2), over 19.1.
    active
        Mass share of active material (1), over 0.7.
    density
        Density of the pressed composite, pores included (g/cm3), over 2.7.
    """
    path = 0.05 * (1.0 / (ionic + LEAST) + 1.0 / (electronic + LEAST))
    return (loading / 19.1) ** 2 * (active / 0.7) * (2.7 / density) * path

