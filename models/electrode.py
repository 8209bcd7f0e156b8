"""Capacity of a composite electrode from its utilization, and how its scatter grows with the rate.

Symbols: theta static utilization (1), C nominal rate (1/h), q capacity (mAh/g). Plain functions for
NumPy, JAX and PyTensor values. Source: Kissel et al., Adv. Energy Mater. (2025) 2405405 (gross and
active capacity, effective rate, balance error); the rate law is an interpolation (stretched
exponential) between 0.05C and 3C.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .engine import namespace
from .engine.encode import number

if TYPE_CHECKING:
    import pandas as pd

REFERENCE_RATE = 0.1
"""Rate (1/h) at which batch and cell SDs are stated."""
ANODE_OHM_CM2 = 5.0
"""Areal resistance of an ordinary indium-lithium anode (ohm cm2): 6.3 +- 2.8 made apart, 2.5 +- 1.0
pressed with the cell; Kissel et al., lines 871-873."""
AREAL_CURRENT = 2.7
"""Current density at 1C (mA/cm2) of 19.1 mg/cm2 composite with 70 % active material, 200 mAh/g."""
LARGEST_DROP_MV = 500.0
"""Voltage on an anode beyond which a loss that is linear in it describes no cell: a third of the
window."""
BALANCE_SD_MG = 0.1
"""Standard deviation of one weighing (mg); Kissel et al., line 863."""


def active_capacity(effective_rate: Any, at_reference: Any, rate_loss: Any, power: Any) -> Any:
    """Capacity per gram of connected active material (mAh/g).

    Parameters
    ----------
    effective_rate
        Rate on the connected material, C / theta (1/h).
    at_reference
        Capacity at an effective rate of 0.1/h (mAh/g).
    rate_loss, power
        lambda (h^w) and w: fall of ln capacity with rate^w.
    """
    xp = namespace(effective_rate, at_reference, rate_loss, power)
    fall = rate_loss * (effective_rate**power - REFERENCE_RATE**power)
    return at_reference * xp.exp(-fall)


def gross_capacity(utilization: Any, c_rate: Any, at_reference: Any, rate_loss: Any,
                   power: Any) -> Any:
    """Capacity per gram of all active material (mAh/g): theta q_act(C / theta)."""
    return utilization * active_capacity(c_rate / utilization, at_reference, rate_loss, power)


def utilization_slope(utilization: Any, c_rate: Any, at_reference: Any, rate_loss: Any,
                      power: Any) -> Any:
    """Gain of gross capacity with utilization, dq/dtheta (mAh/g).

    More than q / theta: better connected material also runs at a lower effective rate.
    """
    effective = c_rate / utilization
    steeper = 1.0 + rate_loss * power * effective**power
    return active_capacity(effective, at_reference, rate_loss, power) * steeper


def spread_factors(c_rate: Any, slope: Any, slope_at_reference: Any, static_share: Any,
                   growth: Any) -> tuple[Any, Any]:
    """SD of the static and of the kinetic deviation at a rate, per unit of SD at 0.1C.

    Parameters
    ----------
    c_rate
        Nominal rate (1/h).
    slope, slope_at_reference
        dq/dtheta at the rate and at 0.1C (mAh/g).
    static_share
        Share of the variance at 0.1C that is static.
    growth
        Exponent h of the kinetic SD in the rate.
    """
    static = static_share**0.5 * slope / slope_at_reference
    kinetic = (1.0 - static_share) ** 0.5 * (c_rate / REFERENCE_RATE) ** growth
    return static, kinetic


def balance_error(composite_mass: Any) -> Any:
    """Relative error of a weighed composite mass in mg; 0 where no mass (0) is given."""
    xp = namespace(composite_mass)
    return xp.where(composite_mass > 0, BALANCE_SD_MG / xp.maximum(composite_mass, 0.5), 0.0)


def anode_drop(c_rate: Any, resistance: Any, current: Any = AREAL_CURRENT) -> Any:
    """Voltage (mV) that the cell loses on its anode beyond an ordinary one; below 0 for a better.

    Parameters
    ----------
    c_rate
        Nominal rate (1/h).
    resistance
        Areal resistance of the anode (ohm cm2); 0 where it was not measured: no loss.
    current
        Current density at 1C (mA/cm2).
    """
    xp = namespace(c_rate, resistance, current)
    return xp.where(resistance > 0, c_rate * current * (resistance - ANODE_OHM_CM2), 0.0)


def check_anodes(
    rows: pd.DataFrame, table: pd.DataFrame, statements: bool
) -> dict[str, np.ndarray]:
    """Refuse readings whose anode took so much of the voltage that nothing is seen of the cathode.

    An encoder of models with `anode_drop`; it adds no node.

    Raises
    ------
    ValueError
        Naming the rows.
    """
    drop = anode_drop(number(rows, "c_rate", REFERENCE_RATE),
                      number(rows, "anode_resistance_ohm_cm2", 0.0))
    read = ~np.isnan(number(rows, "capacity_mAh_g"))
    bad = np.flatnonzero((drop > LARGEST_DROP_MV) & read)
    if len(bad):
        said = ", ".join(f"{rows.index[k]} ({drop[k] / 1000:.1f} V)" for k in bad[:5])
        more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
        raise ValueError(
            f"the anode alone would take {said}{more} of the cell voltage at the rate of its row: "
            "check the unit of anode_resistance_ohm_cm2 (ohm cm2), or set status = failed for a "
            "cell whose anode was broken")
    return {}
