"""The arithmetic of a recipe: densities without pores, and what to weigh for a solid volume.

A recipe is ``electrolyte_parts`` of 100 parts of active material and electrolyte by mass, with
``cb_parts`` of carbon black on top, as in `carbon`. Numbers and arrays of any kind may stand for
either.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .carbon import DENSITY, check_densities, check_share

SOLID_VOLUME_ML = 4.91
"""Solid volume [mL] of one charge of the laboratory's mixer, a tenth of its chamber.

Kissel (2025), doctoral thesis, lines 1187 and 1402; 10.1038/s41467-026-71305-2.
"""


def mixed_density(masses: Iterable[Any], densities: Iterable[float]) -> Any:
    """Density [g/mL] of a mixture without pores: total mass over the sum of the volumes.

    Parameters
    ----------
    masses : iterable of float or array
        Mass, or parts by mass, of each component.
    densities : iterable of float
        Density of each component [g/mL], in the same order.
    """
    weights, each = list(masses), list(densities)
    if len(weights) != len(each):
        raise ValueError(f"{len(weights)} masses and {len(each)} densities; one of each is needed "
                         "for every component")
    check_densities(*each)
    return sum(weights) / sum(m / rho for m, rho in zip(weights, each, strict=True))


def active_fraction(electrolyte_parts: Any, cb_parts: Any) -> Any:
    """Mass fraction of active material in the composite, (100 - e) / (100 + x)."""
    return (100.0 - electrolyte_parts) / (100.0 + cb_parts)


def guest_volume_fraction(
    electrolyte_parts: Any,
    cb_parts: Any,
    *,
    active_density: float = DENSITY["NCM82"],
    electrolyte_density: float = DENSITY["Li3InCl6"],
    carbon_density: float = DENSITY["carbon black"],
) -> Any:
    """Volume of electrolyte + carbon over the solid volume of the composite."""
    check_densities(active_density, electrolyte_density, carbon_density)
    guest = electrolyte_parts / electrolyte_density + cb_parts / carbon_density
    return guest / (guest + (100.0 - electrolyte_parts) / active_density)


def weighing(
    electrolyte_parts: Any,
    cb_parts: Any,
    solid_volume_mL: float = SOLID_VOLUME_ML,
    *,
    active_density: float = DENSITY["NCM82"],
    electrolyte_density: float = DENSITY["Li3InCl6"],
    carbon_density: float = DENSITY["carbon black"],
) -> dict[str, Any]:
    """What to weigh for a composition and a solid volume.

    Parameters
    ----------
    electrolyte_parts, cb_parts : float or array
        The recipe.
    solid_volume_mL : float
        Volume of powder without pores [mL]; the filling of the mixer.
    active_density, electrolyte_density, carbon_density : float
        [g/mL]

    Returns
    -------
    dict
        ``weighed_active_g``, ``weighed_electrolyte_g``, ``weighed_carbon_g``, their sum
        ``sample_mass_g`` [g] and ``mixed_density_g_mL`` [g/mL]: columns of a table.

    Raises
    ------
    ValueError
        If a part, a density or the volume is impossible.
    """
    electrolyte_parts = check_share(electrolyte_parts, "electrolyte_parts")
    cb_parts = check_share(cb_parts, "cb_parts")
    if not (np.isfinite(solid_volume_mL) and solid_volume_mL > 0):
        raise ValueError(f"solid_volume_mL is {solid_volume_mL!r}; it must be a volume in mL "
                         "above 0")
    parts = (100.0 - electrolyte_parts, electrolyte_parts, cb_parts)
    density = mixed_density(parts, (active_density, electrolyte_density, carbon_density))
    total = solid_volume_mL * density
    active, electrolyte, carbon = (total * p / (100.0 + cb_parts) for p in parts)
    return {"weighed_active_g": active, "weighed_electrolyte_g": electrolyte,
            "weighed_carbon_g": carbon, "sample_mass_g": total, "mixed_density_g_mL": density}


def parts_of_weighing(active_g: Any, electrolyte_g: Any, carbon_g: Any = 0.0) -> tuple[Any, Any]:
    """Actual ``electrolyte_parts`` and ``cb_parts`` of what was weighed [g each].

    >>> parts_of_weighing(15.84, 3.96, 0.1)
    (20.0, 0.5050505050505051)
    """
    both = active_g + electrolyte_g
    if np.any(np.asarray(both) <= 0):
        raise ValueError("active material and electrolyte weigh nothing; give their masses in g")
    return 100.0 * electrolyte_g / both, 100.0 * carbon_g / both
