"""A shell of electrolyte and carbon on grains of active material: stress, coverage, thickness.

A mechanofusion mixer presses fine electrolyte onto coarse grains. The composition is given in
parts: ``electrolyte_parts`` e per 100 parts of active material + electrolyte, and ``cb_parts`` x
of carbon black per the same 100 parts, so that 80:20:0.5 is e = 20, x = 0.5. A pellet of the
matrix alone has e = 100. Mean stress intensity and coverage:

    SI = SI_5000 (n / 5000 rpm)^a,              theta = theta_0 (SI / SI_5000)^k (t / 30 min)^b,
    c = 1 - exp(-theta),                        gamma = c (1 - exp(-3 s / (10 nm c)))

with c the share of the surface that carries a shell and gamma the coverage as X-ray photoelectrons
see it: they come from some 10 nm, so a shell of mean thickness s thinner than that lets the grain
shine through, and one thicker cannot be told from any other.

Source: Kissel (2025), doctoral thesis, publication III (lines 1128-1668, 3156-3394).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..data.carbon import DENSITY
from .engine import namespace
from .engine.bounds import Bounded

if TYPE_CHECKING:
    from .engine import Inputs

THESIS = "Kissel (2025), doctoral thesis"
ACTIVE_DENSITY = DENSITY["NCM82"]
"""True density of the nickel-rich active material, g/cm3."""
ELECTROLYTE_DENSITY = DENSITY["Li3InCl6"]
CARBON_DENSITY = DENSITY["carbon black"]
NUMBER_MEDIAN_UM, VOLUME_MEDIAN_UM = 2.05, 3.3
"""Median grain diameter by number and by volume, um (lines 3231, 1185)."""
REFERENCE_RPM = 5000.0
REFERENCE_MIN = 30.0
INFORMATION_DEPTH_NM = 10.0
"""Depth from which 95 % of the photoelectrons come, three attenuation lengths (line 1236)."""
LEAST_ACTIVE = 1e-3
"""Active material (parts) that a pellet of the matrix alone is given, so that nothing divides by
zero: its shell is then as thick as a pellet."""


def part_volumes(electrolyte_parts: Any, cb_parts: Any) -> tuple[Any, Any, Any]:
    """Solid volumes of active material, electrolyte and carbon per 100 parts (cm3 per 100 g)."""
    return ((100.0 - electrolyte_parts) / ACTIVE_DENSITY, electrolyte_parts / ELECTROLYTE_DENSITY,
            cb_parts / CARBON_DENSITY)


def carbon_share(electrolyte_parts: Any, cb_parts: Any) -> Any:
    """Share of the matrix's solid volume that is carbon (1)."""
    _, electrolyte, carbon = part_volumes(electrolyte_parts, cb_parts)
    return carbon / (electrolyte + carbon)


def volume_shares(electrolyte_parts: Any, cb_parts: Any, matrix_porosity: Any) -> tuple:
    """Shares of a pressed composite's volume, its pores lying in the matrix.

    Parameters
    ----------
    electrolyte_parts, cb_parts
        Composition, parts.
    matrix_porosity
        Pores over the volume of the matrix with its pores (1), below 1.

    Returns
    -------
    active, matrix, electrolyte, carbon
        Active material and porous matrix add up to 1; electrolyte and carbon are parts of the
        matrix, the rest of which is pores.
    """
    active, electrolyte, carbon = part_volumes(electrolyte_parts, cb_parts)
    matrix = (electrolyte + carbon) / (1.0 - matrix_porosity)
    whole = active + matrix
    return active / whole, matrix / whole, electrolyte / whole, carbon / whole


def coating_density(electrolyte_parts: Any, cb_parts: Any) -> Any:
    """Density of the shell without pores (g/cm3): 2.59 without carbon, 2.48 at 80:20:3."""
    _, electrolyte, carbon = part_volumes(electrolyte_parts, cb_parts)
    return (electrolyte_parts + cb_parts) / (electrolyte + carbon)


def shell_on_sphere(volume_ratio: Any, radius: Any) -> Any:
    """Thickness of an even shell of ``volume_ratio`` times a sphere's volume.

    In the unit of ``radius``: s = (3 V / (4 pi) + R^3)^(1/3) - R = R ((1 + v)^(1/3) - 1).
    """
    xp = namespace(volume_ratio, radius)
    return radius * xp.expm1(xp.log1p(volume_ratio) / 3.0)


def thesis_thickness(electrolyte_parts: Any, cb_parts: Any = 0.0) -> Any:
    """Coating thickness (nm) by the formula of the thesis.

    Every grain is a sphere of the number median (radius 1.025 um) and carries its share of the
    coating, whose mass counts per mass of *active material*. 6.29 nm at 99:1, 137.4 nm at 80:20.
    Grains above the median carry more of the coating than this says; see `coating_thickness`.

    References
    ----------
    Kissel (2025), doctoral thesis, lines 3231-3256.
    """
    return shell_on_sphere(_coating_volume(electrolyte_parts, cb_parts),
                           1000.0 * NUMBER_MEDIAN_UM / 2.0)


def coating_thickness(electrolyte_parts: Any, cb_parts: Any = 0.0,
                      sauter_um: float | None = None) -> Any:
    """Mean coating thickness (nm) of grains of many sizes; the recommended one.

    The surface that a volume of grains offers is 6 / d32, with d32 the Sauter diameter, so a
    sphere of that diameter carries as much coating per surface as the whole powder.

    Parameters
    ----------
    electrolyte_parts, cb_parts
        Composition, parts.
    sauter_um
        Sauter diameter (um); that of a log-normal powder with the printed medians if not given.
    """
    diameter = (sauter_diameter(NUMBER_MEDIAN_UM, VOLUME_MEDIAN_UM) if sauter_um is None
                else sauter_um)
    return shell_on_sphere(_coating_volume(electrolyte_parts, cb_parts), 500.0 * diameter)


def sauter_diameter(number_median: float, volume_median: float) -> float:
    """Sauter diameter of a log-normal powder from its medians by number and by volume.

    ln(d_v / d_n) = 3 s^2 and ln(d32 / d_n) = 2.5 s^2 (Hatch and Choate, J. Franklin Inst. 207
    (1929) 369): d32 = d_n (d_v / d_n)^(5/6); all in one unit.

    Raises
    ------
    ValueError
        If a median is not above 0, or that by volume is below that by number.
    """
    if not 0 < number_median <= volume_median:
        raise ValueError(f"medians by number ({number_median}) and by volume ({volume_median}) "
                         "must be above 0, the one by volume not below the one by number")
    return number_median * (volume_median / number_median) ** (5.0 / 6.0)


def _coating_volume(electrolyte_parts: Any, cb_parts: Any) -> Any:
    """Volume of the coating over that of the active material."""
    xp = namespace(electrolyte_parts, cb_parts)
    active = xp.maximum(100.0 - electrolyte_parts, LEAST_ACTIVE) / ACTIVE_DENSITY
    _, electrolyte, carbon = part_volumes(electrolyte_parts, cb_parts)
    return (electrolyte + carbon) / active


def stress_intensity(rpm: Any, at_5000: Any, exponent: Any) -> Any:
    """Mean energy dissipated in a collision per mass stressed (J/kg), a power of the speed.

    Parameters
    ----------
    rpm
        Rotor speed (1/min).
    at_5000
        Stress intensity at 5000 rpm (J/kg).
    exponent
        2 for a constant gap; 1.86 to 1.90 in the simulation (lines 1291-1297).
    """
    xp = namespace(rpm, at_5000, exponent)
    return at_5000 * xp.exp(exponent * xp.log(rpm / REFERENCE_RPM))


def covered_share(ln_intensity: Any, ln_time: Any, at_reference: Any, intensity_power: Any,
                  time_power: Any) -> Any:
    """Share of the surface that carries a shell (1), rising with stress and saturating at 1.

    Parameters
    ----------
    ln_intensity
        ln(SI / SI at 5000 rpm).
    ln_time
        ln(t / 30 min).
    at_reference
        theta_0: depositions per site at 5000 rpm in 30 min.
    intensity_power, time_power
        k and b. The intensity acts beside the energy: at one energy, faster covers more.
    """
    xp = namespace(ln_intensity, ln_time, at_reference, intensity_power)
    growth = xp.clip(intensity_power * ln_intensity + time_power * ln_time, -20.0, 20.0)
    return -xp.expm1(-at_reference * xp.exp(growth))


def visible_coverage(covered: Any, thickness: Any) -> Any:
    """Coverage as photoelectron spectroscopy reads it (1).

    Parameters
    ----------
    covered
        Share of the surface that carries a shell, above 0.
    thickness
        Mean thickness over the whole surface (nm); where there is a shell it is thicker.
    """
    xp = namespace(covered, thickness)
    share = xp.maximum(covered, 1e-6)
    return share * -xp.expm1(-3.0 * thickness / (INFORMATION_DEPTH_NM * share))


LN_REFERENCE_RPM, LN_REFERENCE_MIN = math.log(REFERENCE_RPM), math.log(REFERENCE_MIN)


def coverage(x: Inputs, parts: Any, carbon: Any) -> tuple[Any, dict[str, Bounded | None]]:
    """Declare stress and coverage.

    Returns
    -------
    covered, bounded
        Covered share of the surface over rows, and what readings of coverage scatter around (for
        bounds), where there are any.
    """
    import pytensor.tensor as pt

    exponent = x.prior("stress_exponent", "Normal", 1.9, 0.1,
                       meaning="growth of stress intensity with speed",
                       source="2 for a constant gap (line 1291), 1.86 to 1.90 simulated")
    power = x.prior("coverage_stress_power", "LogNormal", 1.0, 0.5,
                    meaning="k: growth of deposition with stress intensity, frequency in it",
                    source="1 if the energy alone counts; speed acts beside it (line 1261)")
    time_power = x.prior("coverage_time_power", "LogNormal", 0.7, 0.4,
                         meaning="b: growth of deposition with time",
                         source="1 for first order, less where the fines run out")
    start = x.prior("coverage_rate", "LogNormal", 3.0, 1.0, unit="1",
                    meaning="theta_0: depositions per site at 5000 1/min in 30 min",
                    source="mixers of this kind coat within minutes to hours")
    ln_intensity = exponent * (x.log("rpm") - LN_REFERENCE_RPM)
    covered = covered_share(ln_intensity, x.log("milling_min") - LN_REFERENCE_MIN,
                                  start, power, time_power)
    bounded: dict[str, Bounded | None] = {}
    if x.wants("stress_intensity_J_kg"):
        scale = x.prior("stress_at_5000", "LogNormal", 0.1, 1.5, unit="J/kg",
                        meaning="stress intensity at 5000 1/min",
                        source="order of magnitude of a 20 m/s rotor on grains of micrometres")
        x.observe("stress_intensity_J_kg", "LogNormal",
                  mu=scale * pt.exp(ln_intensity), sigma=0.03)
    if x.wants("coverage"):
        thickness = coating_thickness(parts, carbon)
        seen = visible_coverage(covered, thickness)
        x.observe("coverage", "Normal", mu=seen, sigma=0.02)
        bounded["coverage"] = Bounded(seen, 0.02)
    return covered, bounded
