"""What an effective conductivity of a porous composite can and cannot be.

With phi the volume share of the one conducting phase, pores counted in the whole:

    Wiener             sigma <= phi sigma_0                 no arrangement whatever conducts better,
    Hashin-Shtrikman   sigma <= 2 phi / (3 - phi) sigma_0   nor any that is alike in all directions.

A reading above the first is wrong (its unit, its geometry, the electrolyte's own conductivity, or
an electronic share); one above the second needs paths along the field, which a pressed pellet
hardly has. Bruggeman's phi^1.5 sigma_0 is a guess at a usual value and bounds nothing: it is given
for comparison.

Sources: Wiener (1912); Hashin and Shtrikman, J. Appl. Phys. 33 (1962) 3125, doi 10.1063/1.1728579.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..data.problems import Problem, TableError
from .engine.encode import number, text

HARD = "above Wiener's bound"
SOFT = "above Hashin-Shtrikman's bound"
UNITS = {"mS/m": 0.01, "uS/cm": 1e-3, "S/m": 10.0, "S/cm": 1000.0, "uS/m": 1e-5}
"""Other units that readings are printed in, each as a factor to mS/cm."""
PLAUSIBLE = 1e-4
"""Smallest share of the electrolyte's conductivity that is taken for a likely reading."""


def wiener(volume_share: Any, electrolyte: Any) -> Any:
    """Bound for any arrangement: phi sigma_0, in the unit of ``electrolyte``.

    Parameters
    ----------
    volume_share
        Share phi of the conducting phase in the whole volume, pores included (1).
    electrolyte
        Conductivity sigma_0 of that phase alone.
    """
    return volume_share * electrolyte


def hashin_shtrikman(volume_share: Any, electrolyte: Any) -> Any:
    """Bound for what is alike in all directions: 2 phi / (3 - phi) sigma_0."""
    return 2.0 * volume_share / (3.0 - volume_share) * electrolyte


def bruggeman(volume_share: Any, electrolyte: Any) -> Any:
    """phi^1.5 sigma_0: a usual value, no bound."""
    return volume_share**1.5 * electrolyte


def volume_share(
    masses: Mapping[str, Any], densities_g_cm3: Mapping[str, float], of: str, porosity: Any
) -> Any:
    """Volume share of one component in the whole, pores included (1).

    Parameters
    ----------
    masses
        Component -> mass or mass share, in one unit.
    densities_g_cm3
        Component -> pore-free density (g/cm3).
    of
        The component, such as the electrolyte.
    porosity
        Pore volume over the whole volume (1); without it no share of the whole is known.

    Raises
    ------
    ValueError
        If a component has no density, ``of`` is none of them, or the porosity is no share.
    """
    lacking = [name for name in masses if name not in densities_g_cm3]
    if lacking:
        raise ValueError(f"densities_g_cm3 lacks {', '.join(lacking)}")
    if of not in masses:
        raise ValueError(f"{of!r} is none of the components: {', '.join(masses)}")
    pores = np.asarray(porosity, dtype=float)
    if not np.all((pores >= 0) & (pores < 1)):
        raise ValueError(f"porosity = {porosity} must lie from 0 to below 1 (per cent: divide by "
                         "100)")
    volumes = {name: np.asarray(m, dtype=float) / densities_g_cm3[name]
               for name, m in masses.items()}
    return volumes[of] / sum(volumes.values()) * (1.0 - pores)


def refuse_impossible(
    table: pd.DataFrame, electrolyte_mS_cm: float, *, outcome: str = "ionic_mS_cm",
    volume_share: Any = None, where: str = "table",
) -> None:
    """Refuse conductivities above that of the conducting phase itself.

    Parameters
    ----------
    table
        Rows with the outcome.
    electrolyte_mS_cm
        Conductivity of the dense electrolyte (mS/cm).
    outcome
        Column, in mS/cm.
    volume_share
        Share of the electrolyte, pores included; helps to name the likely unit.
    where
        Name of the table for the message.

    Raises
    ------
    data.TableError
        Naming every row, what was found, and the unit that would make it possible.
    """
    if not electrolyte_mS_cm > 0:
        raise ValueError(f"electrolyte_mS_cm = {electrolyte_mS_cm} must be above 0")
    value = number(table, outcome)
    share = np.broadcast_to(1.0 if volume_share is None else volume_share, len(table))
    problems = []
    for k in np.flatnonzero((np.nan_to_num(value) > electrolyte_mS_cm) & ~_below(table, outcome)):
        most = hashin_shtrikman(share[k], electrolyte_mS_cm)
        mends = [f"{value[k]:g} {unit} is {value[k] * factor:g} mS/cm" for unit, factor
                 in UNITS.items() if PLAUSIBLE * electrolyte_mS_cm < value[k] * factor <= most]
        hint = f"; is its unit {mends[0].split(' ')[1]}? {mends[0]}" if mends else ""
        problems.append(Problem(
            table.index[k], outcome, f"{value[k]:g}",
            f"at most {electrolyte_mS_cm:g} mS/cm: an effective conductivity cannot exceed that "
            f"of the electrolyte alone{hint}"))
    if problems:
        raise TableError(where, problems)


def _below(table: pd.DataFrame, outcome: str) -> np.ndarray:
    """Rows whose reading is only an upper bound ("below 5"), which nothing forbids to be high."""
    return text(table, f"{outcome}_censored").eq("<").to_numpy()


def check(
    table: pd.DataFrame, electrolyte_mS_cm: float, volume_share: Any, *,
    outcome: str = "ionic_mS_cm", where: str = "table",
) -> pd.DataFrame:
    """Hold effective conductivities against their bounds.

    Parameters
    ----------
    table
        Rows with the outcome (mS/cm).
    electrolyte_mS_cm
        Conductivity of the dense electrolyte.
    volume_share
        Share of the electrolyte in the whole volume, pores included; one number or one a row.
    outcome, where
        As in ``refuse_impossible``.

    Returns
    -------
    DataFrame
        For each row with a reading: ``reading``, ``wiener``, ``hashin_shtrikman``, ``bruggeman``
        (all mS/cm), ``flag`` (`HARD`, `SOFT` or empty) and ``reason``.

    Raises
    ------
    data.TableError
        If a reading is above the electrolyte's own conductivity.
    ValueError
        If a volume share is none.
    """
    share = np.broadcast_to(np.asarray(volume_share, dtype=float), len(table))
    if not np.all((share > 0) & (share <= 1)):
        bad = share[~((share > 0) & (share <= 1))][0]
        raise ValueError(f"volume_share = {bad:g} must be above 0 and at most 1; pores count in "
                         "the whole volume")
    refuse_impossible(table, electrolyte_mS_cm, outcome=outcome, volume_share=share, where=where)
    value = number(table, outcome)
    bounds = {f.__name__: np.asarray(f(share, electrolyte_mS_cm))
              for f in (wiener, hashin_shtrikman, bruggeman)}
    least = ~_below(table, outcome)
    above = [least & (value > bounds["wiener"]), least & (value > bounds["hashin_shtrikman"])]
    found = pd.DataFrame({
        "reading": value, **bounds,
        "flag": np.select(above, [HARD, SOFT], ""),
        "reason": np.select(above, [
            "no arrangement conducts so well: check the unit, the geometry, the electrolyte's own "
            "conductivity, and whether electrons took part",
            "needs paths along the field: likely are a wrong porosity, thickness or electrolyte "
            "conductivity"], ""),
    }, index=table.index)
    return found.loc[~np.isnan(value)]
