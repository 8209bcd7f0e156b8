"""Activation volume: what pressure does to hopping ions, in cm3/mol and in A3 per ion.

    dV = R T [(d ln sigma_0 / dp) - (d ln sigma / dp)]

The first term, of the pre-exponential factor, is below a tenth of the second for ion conductors and
has no published sign: it is left out of the arithmetic and comes back as a systematic error of up
to 10 %. Pressures are MPa, and 1 J = 1 MPa cm3: R T at 298 K is 2477.7 cm3 MPa/mol.

The slope of one sweep after the other (``classical``) is how papers read an activation volume.
Only sweeps in which the pressure falls serve: while it rises the pellet still gets denser, which
lifts the conductivity and makes the volume look too small.

Source: Schneider et al., Adv. Energy Mater. (2023), doi 10.1002/aenm.202203873, lines 125 to 145.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .engine.arrays import namespace
from .engine.encode import number, text

GAS_CONSTANT = 8.314462618
"""J/(mol K), which is MPa cm3/(mol K)."""
AVOGADRO = 6.02214076e23
ZERO_CELSIUS_K = 273.15
PREFACTOR_SHARE = 0.1
"""Largest share of the pre-exponential term, which is left out (line 131)."""
INTRINSIC_MPA = 500.0
"""Pressure from which on the slope of ln conductivity is that of the bulk (line 121)."""
SWEEPS = ("compression", "release")


def thermal_energy(temperature_degC: Any) -> Any:
    """R T in cm3 MPa/mol (J/mol) at a temperature in degrees Celsius."""
    return GAS_CONSTANT * (temperature_degC + ZERO_CELSIUS_K)


def from_slope(slope_per_GPa: Any, temperature_degC: Any) -> Any:
    """Activation volume (cm3/mol) from d ln sigma / dp (1/GPa), without the pre-exponential term.

    The temperature has no default: 10 K of doubt are 3 % of the answer.
    """
    return -thermal_energy(temperature_degC) * slope_per_GPa / 1000.0


def slope(volume_cm3_mol: Any, temperature_degC: Any) -> Any:
    """d ln sigma / dp (1/GPa) that an activation volume (cm3/mol) makes."""
    return -1000.0 * volume_cm3_mol / thermal_energy(temperature_degC)


def per_ion(volume_cm3_mol: Any) -> Any:
    """The same volume in A3 per ion; 1 cm3/mol is 1.6605 A3."""
    return volume_cm3_mol * (1e24 / AVOGADRO)


def per_mole(volume_A3: Any) -> Any:
    """The same volume in cm3/mol, from A3 per ion."""
    return volume_A3 * (AVOGADRO / 1e24)


def pressure_factor(volume_cm3_mol: Any, pressure_MPa: Any, temperature_degC: Any) -> Any:
    """Conductivity under a pressure over that without, exp(-dV p / R T) (1)."""
    xp = namespace(volume_cm3_mol, pressure_MPa, temperature_degC)
    return xp.exp(-volume_cm3_mol * pressure_MPa / thermal_energy(temperature_degC))


@dataclass(frozen=True)
class Slopes:
    """Activation volume from straight lines through ln conductivity.

    Attributes
    ----------
    table
        One row a group (a sieve fraction, or all): ``volume_cm3_mol``, ``sd_cm3_mol`` (of the
        slope), ``volume_A3``, ``systematic_cm3_mol``, ``sweeps``, ``readings``.
    residual_sd
        Standard deviation of ln conductivity around the lines.
    residual_ss, degrees
        Sum of squares behind it, and its degrees of freedom.
    """

    table: pd.DataFrame
    residual_sd: float
    residual_ss: float
    degrees: int


def classical(
    table: pd.DataFrame, *, temperature_degC: float | None = None,
    sweeps: tuple[str, ...] = ("release",), above_MPa: float = INTRINSIC_MPA, shared: bool = True,
) -> Slopes:
    """Activation volume by least squares, each sweep with a level of its own.

    Sweeps of one pellet are repeated measures: the sd is that of a slope, and holds neither what
    pellets differ by nor the systematic error of the pre-exponential term.

    Parameters
    ----------
    table
        Rows with ``conductivity_mS_cm``, ``stack_MPa``, ``sweep`` and, where there are several,
        ``cell``, ``cycle``, ``sieve``.
    temperature_degC
        For rows without the column ``temperature_degC``; there is no default.
    sweeps
        Sweeps that count. With ``"compression"`` among them the answer is biased, most often
        downwards: the pellet still gets denser.
    above_MPa
        Readings below are left out: contacts and cracks rule there.
    shared
        One volume for all sieve fractions, or one each.

    Raises
    ------
    ValueError
        If the temperature is not known, a sweep's name is not, or no sweep has two pressures.
    """
    odd = [name for name in sweeps if name not in SWEEPS]
    if odd or not sweeps:
        raise ValueError(f"sweeps={sweeps!r}: name compression, release, or both")
    kelvin = number(table, "temperature_degC",
                    np.nan if temperature_degC is None else temperature_degC)
    value, pressure = number(table, "conductivity_mS_cm"), number(table, "stack_MPa")
    with np.errstate(invalid="ignore"):
        use = (value > 0) & (pressure >= above_MPa) & text(table, "sweep").isin(
            sweeps).to_numpy()
    if np.isnan(kelvin[use]).any():
        row = table.index[np.flatnonzero(use & np.isnan(kelvin))[0]]
        raise ValueError(f"row {row} states no temperature_degC; add the column, or say "
                         "temperature_degC=... for all of them")
    thermal = thermal_energy(kelvin)
    keys = list(zip(*(text(table, c) for c in ("study", "sieve", "cell", "cycle", "sweep")),
                    strict=True))
    group = np.unique([str(k) for k in keys], return_inverse=True)[1]
    kept = [g for g in np.unique(group[use]) if len(set(pressure[use & (group == g)])) > 1]
    use &= np.isin(group, kept)
    if not use.any():
        raise ValueError(f"no {' or '.join(sweeps)} sweep has readings at two pressures of "
                         f"{above_MPa:g} MPa and more; record the column 'sweep', or lower "
                         "above_MPa")
    x, y = -pressure / thermal, np.log(np.where(use, value, 1.0))
    for g in kept:
        mine = use & (group == g)
        x[mine], y[mine] = x[mine] - x[mine].mean(), y[mine] - y[mine].mean()
    sieve = text(table, "sieve").to_numpy()
    sets = [("all", use)] if shared else [
        (name, use & (sieve == name)) for name in dict.fromkeys(sieve[use])]
    volumes = [float((x[m] * y[m]).sum() / (x[m] ** 2).sum()) for _, m in sets]
    ss = float(sum(((y[m] - v * x[m]) ** 2).sum() for (_, m), v in zip(sets, volumes, strict=True)))
    degrees = int(use.sum()) - len(kept) - len(sets)
    sd = float(np.sqrt(ss / degrees)) if degrees > 0 else np.nan
    rows = [{
        "group": name, "volume_cm3_mol": v, "sd_cm3_mol": sd / np.sqrt((x[m] ** 2).sum()),
        "volume_A3": per_ion(v), "systematic_cm3_mol": PREFACTOR_SHARE * abs(v),
        "sweeps": len(set(group[m])), "readings": int(m.sum()),
    } for (name, m), v in zip(sets, volumes, strict=True)]
    return Slopes(pd.DataFrame(rows).set_index("group"), sd, ss, degrees)
