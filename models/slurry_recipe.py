"""The arithmetic of a slurry: what to weigh, what solid content can be reached, what it is pressed
with.

    SC = m_solid / (m_solid + m_solvent)

The binder comes as a solution, whose solvent counts: per 100 g of dry solids with 3 g of binder, a
solution of 5 % brings 57 g of solvent, and no slurry of it can hold more than 100 / 157 = 63.7 %
solids. Loads are metric tons on round punches.

Source: Alabdali et al., Batteries & Supercaps (2024), doi 10.1002/batt.202400709, lines 59, 61, 68
and 76; densities of active material and electrolyte: doi 10.1002/smll.202507279, line 247; those of
carbon and of PVDF are usual ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from .engine import namespace
from .powder import mixing_density

COMPOSITION = {"active": 0.64, "electrolyte": 0.30, "carbon": 0.03, "binder": 0.03}
"""Mass shares of the dried electrode (lines 59 and 61)."""
DENSITY = {"active": 4.75, "electrolyte": 1.87, "carbon": 1.96, "binder": 1.78}
"""Densities without pores (g/cm3); the source of the shares prints none."""
BINDER_SOLUTION_PCT = 5.0
"""Binder in its solution, % by mass (line 61)."""
GRAVITY = 9.80665


def pore_free_density(
    active: Any = COMPOSITION["active"], electrolyte: Any = COMPOSITION["electrolyte"],
    carbon: Any = COMPOSITION["carbon"], binder: Any = COMPOSITION["binder"], *,
    density: Mapping[str, float] = DENSITY,
) -> Any:
    """Density of the dried electrode without pores (g/cm3), from mass shares of its components.

    Parameters
    ----------
    active, electrolyte, carbon, binder
        Masses or mass shares, in one unit.
    density
        Density of each component (g/cm3); those that are left out as in ``DENSITY``.

    Raises
    ------
    ValueError
        If ``density`` names another component, or one is not above 0.
    """
    stray = [name for name in density if name not in DENSITY]
    if stray:
        raise ValueError(f"density: {stray[0]!r} is no component; there are: {', '.join(DENSITY)}")
    used = {**DENSITY, **density}
    for name, value in used.items():
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"density of the {name} = {value!r} must be above 0 g/cm3")
    return mixing_density((active, electrolyte, carbon, binder),
                          [used[name] for name in COMPOSITION])


def density_of(porosity: Any, pore_free: Any) -> Any:
    """Density of an electrode (g/cm3) of a porosity, (1 - eps) rho_0; the inverse of
    ``powder.porosity``."""
    return (1.0 - porosity) * pore_free


def solvent_for(solids_g: Any, solid_content_pct: Any) -> Any:
    """All solvent of a slurry (g), m (1 - SC) / SC."""
    share = solid_content_pct / 100.0
    return solids_g * (1.0 - share) / share


def solution_solvent(binder_g: Any, binder_solution_pct: Any = BINDER_SOLUTION_PCT) -> Any:
    """Solvent (g) that comes with the binder's solution."""
    return binder_g * (100.0 / binder_solution_pct - 1.0)


def extra_solvent(
    solids_g: Any, solid_content_pct: Any, *, binder_fraction: Any = COMPOSITION["binder"],
    binder_solution_pct: Any = BINDER_SOLUTION_PCT,
) -> Any:
    """Solvent to add beside that of the binder's solution (g); below 0 where none can be added.

    Parameters
    ----------
    solids_g
        Mass of the dry solids, binder included (g).
    solid_content_pct
        Wanted solid content (% by mass).
    binder_fraction
        Mass share of binder in the solids.
    binder_solution_pct
        Binder in its solution (% by mass).
    """
    return solvent_for(solids_g, solid_content_pct) - solution_solvent(
        binder_fraction * solids_g, binder_solution_pct)


def highest_solid_content(
    binder_fraction: Any = COMPOSITION["binder"], binder_solution_pct: Any = BINDER_SOLUTION_PCT
) -> Any:
    """Largest solid content (%) that a binder solution allows: no solvent but its own."""
    return 100.0 / (1.0 + solution_solvent(binder_fraction, binder_solution_pct))


def weighing(
    solids_g: float, solid_content_pct: float, *, composition: Mapping[str, float] = COMPOSITION,
    binder_solution_pct: float = BINDER_SOLUTION_PCT,
) -> pd.DataFrame:
    """What to weigh for one slurry.

    Parameters
    ----------
    solids_g
        Mass of the dry solids, binder included (g).
    solid_content_pct
        Wanted solid content (% by mass).
    composition
        Mass shares of ``active``, ``electrolyte``, ``carbon`` and ``binder``; they add up to 1.
    binder_solution_pct
        Binder in its solution (% by mass).

    Returns
    -------
    DataFrame
        Index ``component``: ``weigh_g``, with the binder as its solution, and ``of_slurry_pct``.

    Raises
    ------
    ValueError
        If the shares do not add up to 1, a number is impossible, or the solid content cannot be
        reached with that solution (the message names the one that it takes).
    """
    if set(composition) != set(COMPOSITION):
        raise ValueError(f"composition has {', '.join(composition) or 'nothing'}; it needs mass "
                         f"shares of {', '.join(COMPOSITION)}")
    total = sum(composition.values())
    if min(composition.values()) < 0 or abs(total - 1.0) > 1e-6:
        raise ValueError(f"the mass shares add up to {total:g} and must add up to 1, none below 0")
    if not (math.isfinite(solids_g) and solids_g > 0):
        raise ValueError(f"solids_g = {solids_g!r} must be a mass in g above 0")
    for name, value in {"solid_content_pct": solid_content_pct,
                        "binder_solution_pct": binder_solution_pct}.items():
        if not 0 < value < 100:
            raise ValueError(f"{name} = {value!r} must lie between 0 and 100 %")
    binder = composition["binder"]
    extra = float(extra_solvent(solids_g, solid_content_pct, binder_fraction=binder,
                                binder_solution_pct=binder_solution_pct))
    if extra < -1e-9 * solids_g:
        highest = highest_solid_content(binder, binder_solution_pct)
        needed = 100.0 / (1.0 + (100.0 / solid_content_pct - 1.0) / binder)
        raise ValueError(
            f"solid_content_pct = {solid_content_pct:g} cannot be reached: a binder solution of "
            f"{binder_solution_pct:g} % brings solvent for {highest:.1f} % at most; take a "
            f"solution of {needed:.1f} % or more, or less binder")
    masses = {name: composition[name] * solids_g for name in ("active", "electrolyte", "carbon")}
    masses["binder solution"] = 100.0 * binder * solids_g / binder_solution_pct
    masses["extra solvent"] = max(extra, 0.0)
    table = pd.DataFrame({"weigh_g": masses})
    table["of_slurry_pct"] = 100.0 * table["weigh_g"] / table["weigh_g"].sum()
    return table.rename_axis("component")


def punch_pressure(load_t: Any, diameter_mm: Any) -> Any:
    """Pressure (MPa) of a load in metric tons on a round punch of a diameter in mm."""
    return load_t * 1000.0 * GRAVITY / (np.pi * diameter_mm**2 / 4.0)


def coating_shear_rate(speed_mm_s: Any, gap_um: Any) -> Any:
    """Mean shear rate under a doctor blade (1/s), speed over gap."""
    return speed_mm_s / (gap_um / 1000.0)


def solid_content_after(solid_content_pct: Any, soaking_min: Any, evaporation: Any) -> Any:
    """Solid content (%) after standing open: the solvent falls by exp(-k t).

    Parameters
    ----------
    solid_content_pct
        As mixed (% by mass), above 0 and at most 100.
    soaking_min
        Time since mixing (min).
    evaporation
        k, share of the solvent that is lost in a minute (1/min).
    """
    xp = namespace(solid_content_pct, soaking_min, evaporation)
    share = solid_content_pct / 100.0
    return 100.0 * share / (share + (1.0 - share) * xp.exp(-evaporation * soaking_min))
