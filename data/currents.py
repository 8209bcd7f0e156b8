"""Currents and areas of a cell: what one C is, and per which area."""

from __future__ import annotations

from typing import Any

import numpy as np


def cell_area_cm2(cell_diameter_mm: Any) -> Any:
    """Area [cm2] of a round cell of a given inner diameter [mm]."""
    return np.pi / 4.0 * (0.1 * cell_diameter_mm) ** 2


def one_c_current_mA(composite_mass_mg: Any, active_fraction: Any, c_rate_basis_mAh_g: Any) -> Any:
    """Current [mA] of one C: the active material's capacity in an hour.

    Parameters
    ----------
    composite_mass_mg : float or array
        Composite in the cell [mg].
    active_fraction : float or array
        Mass fraction of active material [1].
    c_rate_basis_mAh_g : float or array
        Capacity that one C refers to [mAh/g of active material].

    Notes
    -----
    Laboratories refer one C to 190 or 200 mAh/g: rates are alike only on one basis.

    >>> round(one_c_current_mA(12.0, 0.8, 190.0), 3)
    1.824
    """
    return 1e-3 * composite_mass_mg * active_fraction * c_rate_basis_mAh_g


def current_density_mA_cm2(current_mA: Any, cell_diameter_mm: Any) -> Any:
    """Current over the cell's area [mA/cm2], from mA and mm."""
    return current_mA / cell_area_cm2(cell_diameter_mm)
