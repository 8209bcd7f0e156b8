"""Planetary ball milling: stress energy, stress frequency, specific energy.

Mean stress energy per collision and collision frequency are power laws in the speed and in the
bead diameter, with exponents from discrete-element simulations at three bead filling ratios:

    SE = SE_0 (n / 200 rpm)^a (d / 5 mm)^b,   SF = SF_0 (n / 200 rpm)^g (d / 5 mm)^h,
    SN = SF t,   E_m = SE SN / m = c (SE / SE_0) (SF / SF_0) t.

Only ratios of SE and SF to the reference state (200 rpm, 5 mm, filling 0.5, the reference mill)
are known: no prefactor is published. The product of the prefactors is the power constant c.
Another mill has its own prefactors; logged net power informs their product only.

Source: Frankenberg et al., Small (2025), doi 10.1002/smll.202507279, Eqs. 1-7.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .engine import Factor, Group, Inputs, LabModel, Outcome, namespace

DOI = "10.1002/smll.202507279"
MATERIAL = ("active: NCM83 (LiNi0.83Co0.11Mn0.06O2, single crystals, d50 8 um); electrolyte: "
            "Li6PS5Cl (d50 17 um); powder: 70:30 by mass, no carbon, planetary mill")
REFERENCE_MILL = "Pulverisette 7"
REFERENCE_RPM = 200.0
REFERENCE_BEAD_MM = 5.0
FILLINGS = (0.1, 0.3, 0.5)
STRESS_ENERGY_SPEED = (2.31, 2.39, 2.62)
STRESS_ENERGY_BEAD = (3.11, 3.86, 3.81)
STRESS_FREQUENCY_SPEED = (0.71, 0.62, 0.29)
STRESS_FREQUENCY_BEAD = (-3.6, -4.21, -4.02)


def filling_weights(filling: Any) -> list[Any]:
    """Weights of the exponents at fillings 0.1, 0.3 and 0.5, linear in between.

    Parameters
    ----------
    filling
        Bead filling ratio (1); outside 0.1 to 0.5 the nearest end holds.
    """
    xp = namespace(filling)
    low = xp.clip((0.3 - filling) / 0.2, 0.0, 1.0)
    high = xp.clip((filling - 0.3) / 0.2, 0.0, 1.0)
    return [low, 1.0 - low - high, high]


def at_filling(values: Any, filling: Any) -> Any:
    """Exponents at a bead filling ratio, from three at fillings 0.1, 0.3 and 0.5."""
    return sum(value * w for value, w in zip(values, filling_weights(filling), strict=True))


def power_law(ln_speed: Any, ln_bead: Any, speed_exponent: Any, bead_exponent: Any) -> Any:
    """Logarithm of a quantity relative to 200 rpm and 5 mm beads.

    Parameters
    ----------
    ln_speed, ln_bead
        ln(n / 200 rpm) and ln(d_MB / 5 mm).
    speed_exponent, bead_exponent
        Exponents of n and of d_MB.
    """
    return speed_exponent * ln_speed + bead_exponent * ln_bead


def _relative(rpm: Any, bead_mm: Any, filling: Any, speed: Any, bead: Any) -> Any:
    xp = namespace(rpm, bead_mm, filling)
    return xp.exp(power_law(xp.log(rpm / REFERENCE_RPM), xp.log(bead_mm / REFERENCE_BEAD_MM),
                            at_filling(speed, filling), at_filling(bead, filling)))


def stress_energy_rel(rpm: Any, bead_mm: Any = 5.0, filling: Any = 0.5) -> Any:
    """Mean stress energy per collision relative to 200 rpm and 5 mm beads (1), Eqs. 2, 4, 6."""
    return _relative(rpm, bead_mm, filling, STRESS_ENERGY_SPEED, STRESS_ENERGY_BEAD)


def stress_frequency_rel(rpm: Any, bead_mm: Any = 5.0, filling: Any = 0.5) -> Any:
    """Collision frequency relative to 200 rpm and 5 mm beads (1), Eqs. 3, 5, 7."""
    return _relative(rpm, bead_mm, filling, STRESS_FREQUENCY_SPEED, STRESS_FREQUENCY_BEAD)


def stress_number_rel(rpm: Any, milling_min: Any, bead_mm: Any = 5.0, filling: Any = 0.5) -> Any:
    """Number of collisions relative to 200 rpm, 5 min and 5 mm beads (1), SN = SF t."""
    return stress_frequency_rel(rpm, bead_mm, filling) * milling_min / 5.0


def specific_energy(rpm: Any, milling_min: Any, bead_mm: Any = 5.0, filling: Any = 0.5, *,
                    power_constant: Any) -> Any:
    """Specific energy input E_m (J/g), Eq. 1.

    Parameters
    ----------
    rpm, milling_min, bead_mm, filling
        Speed (1/min), time (min), bead diameter (mm), bead filling ratio (1).
    power_constant
        E_m per minute at 200 rpm, 5 mm, the given filling (J g^-1 min^-1).
    """
    return (power_constant * stress_energy_rel(rpm, bead_mm, filling)
            * stress_frequency_rel(rpm, bead_mm, filling) * milling_min)


def equal_stress_energy_rpm(rpm: Any, bead_mm: Any, to_bead_mm: Any, filling: float = 0.5) -> Any:
    """Speed (1/min) at which other beads reach the same stress energy on the same mill."""
    ratio = at_filling(STRESS_ENERGY_BEAD, filling) / at_filling(STRESS_ENERGY_SPEED, filling)
    return rpm * (bead_mm / to_bead_mm) ** ratio


def build(x: Inputs) -> None:
    """Power laws with pooled exponents; mills and runs as group effects."""
    import pytensor.tensor as pt

    dem = f"doi {DOI}, Eqs. 2-7 (lines 114-125); width: no standard error is printed"

    filling = x["filling"]

    def exponent(name: str, printed: tuple[float, ...], sd: float, meaning: str) -> Any:
        half = sd * math.sqrt(0.5)
        shared = x.prior(f"{name}_shared", "Normal", 0.0, half, source=dem,
                         meaning=f"common deviation of the {meaning} over fillings")
        own = x.prior(name, "Normal", printed, (half,) * 3, source=dem,
                      meaning=f"{meaning} at filling 0.1, 0.3, 0.5")
        return at_filling([own[k : k + 1] + shared for k in range(3)], filling)

    speed_e = exponent("stress_energy_speed_exponent", STRESS_ENERGY_SPEED, 0.10,
                       "exponent of speed in stress energy")
    bead_e = exponent("stress_energy_bead_exponent", STRESS_ENERGY_BEAD, 0.20,
                      "exponent of bead diameter in stress energy")
    speed_f = exponent("stress_frequency_speed_exponent", STRESS_FREQUENCY_SPEED, 0.10,
                       "exponent of speed in stress frequency")
    bead_f = exponent("stress_frequency_bead_exponent", STRESS_FREQUENCY_BEAD, 0.20,
                      "exponent of bead diameter in stress frequency")

    no_prefactor = "no prefactor is published; a factor of two either way"
    mill_sd_e = x.prior("mill_stress_energy_sd", "LogNormal", 0.7, 0.1, unit="1",
                        source=no_prefactor,
                        meaning="spread of ln(stress energy prefactor) between mills")
    mill_sd_f = x.prior("mill_stress_frequency_sd", "LogNormal", 0.7, 0.1, unit="1",
                        source=no_prefactor,
                        meaning="spread of ln(stress frequency prefactor) between mills")
    slope_e = x.prior("filling_stress_energy", "Normal", 0.0, 0.3, source=no_prefactor,
                      meaning="change of ln(stress energy) per 0.2 of filling")
    slope_f = x.prior("filling_stress_frequency", "Normal", 0.0, 0.3, source=no_prefactor,
                      meaning="change of ln(stress frequency) per 0.2 of filling")
    constant = x.prior("power_constant", "LogNormal", 2.0, 1.0, unit="J/(g min)",
                       meaning="E_m per minute at 200 rpm, 5 mm, filling 0.5, reference mill",
                       source="order of magnitude of planetary mills, a factor of 2.7 either way")
    run_sd = x.prior("run_sd", "HalfNormal", 0.15, unit="1",
                     meaning="spread of ln E_m between runs of one recipe",
                     source="fill and load of a run; no repeats are published")
    reading_sd = x.prior("energy_reading_sd", "LogNormal", 0.08, 0.5, unit="1",
                         meaning="error of ln E_m of one power reading or printed value",
                         source="rounding of printed energies, misfit of a power law")

    depth = (filling - 0.5) / 0.2
    mill = x.code("mill")
    # Both prefactors of a mill, rotated: power readings inform their product alone, and along two
    # separate effects the sampler would have to follow a ridge.
    mill_sd = pt.sqrt(mill_sd_e**2 + mill_sd_f**2)
    product = x.normals("mill_product", "mill")[mill] / mill_sd
    ratio = mill_sd_e * mill_sd_f * x.normals("mill_ratio", "mill")[mill] / mill_sd
    ln_speed = x.log("rpm") - math.log(REFERENCE_RPM)
    ln_bead = x.log("bead_mm") - math.log(REFERENCE_BEAD_MM)
    ln_energy = (power_law(ln_speed, ln_bead, speed_e, bead_e) + slope_e * depth
                 + mill_sd_e**2 * product + ratio)
    ln_frequency = (power_law(ln_speed, ln_bead, speed_f, bead_f) + slope_f * depth
                    + mill_sd_f**2 * product - ratio)
    ln_number = ln_frequency + x.log("milling_min") - math.log(5.0)
    ln_specific = pt.log(5.0 * constant) + ln_energy + ln_number
    if x.wants("specific_energy_J_g"):
        ln_specific = ln_specific + x.effect("run", "run", run_sd)
    x.report("ln_stress_energy", ln_energy)
    x.report("ln_stress_number", ln_number)
    x.report("ln_specific_energy", ln_specific)
    energy = x.report("specific_energy", pt.exp(ln_specific))
    if x.wants("specific_energy_J_g"):
        x.observe("specific_energy_J_g", "LogNormal", mu=energy, sigma=reading_sd)


FACTORS = (
    Factor("rpm"),
    Factor("milling_min"),
    Factor("bead_mm", default=5.0),
    Factor("filling", default=0.5),
)
GROUPS = (Group("mill", varies=False, reference=REFERENCE_MILL), Group("run"))

MODEL = LabModel(
    "milling", build, factors=FACTORS, groups=GROUPS,
    outcomes=(Outcome("specific_energy_J_g", "LogNormal"),),
    what="stress energy, stress number and specific energy of a ball mill",
    source=f"doi {DOI}", material=MATERIAL,
)


def specific_energy_from_power(
    time_s: Any, power_W: Any, *, idle_power_W: float, idle_sd_W: float, sample_mass_g: float,
    span: int = 51, order: int = 2,
) -> float:
    """Specific energy input from a logged mill power: E_m,exp = sum (P - P_0) dt / m.

    The power is smoothed by a Savitzky-Golay filter (about 50 readings at 5 s), the idle power of
    that speed is taken off, and the rest is summed over the mixing time.

    Parameters
    ----------
    time_s, power_W
        Time (s) and mill power (W), ``(n,)``; the mixing phase of the full composite only.
    idle_power_W, idle_sd_W
        Mean and standard deviation of the power at the same speed without powder (W).
    sample_mass_g
        Mass of the powder (g).
    span, order
        Readings in the filter window (odd) and order of its polynomial.

    Returns
    -------
    float
        E_m,exp in J/g.

    Raises
    ------
    ValueError
        If the mean net power is below three times the idle noise: such a log calibrates nothing.

    References
    ----------
    Kissel, dissertation (2025), publication III, Eq. 3; span of 50 points as printed, made odd.
    """
    from scipy.signal import savgol_filter

    time, power = np.asarray(time_s, dtype=float), np.asarray(power_W, dtype=float)
    if time.shape != power.shape or time.ndim != 1 or len(time) < 2:
        raise ValueError(f"time and power must be two lists of one length, got {time.shape} "
                         f"and {power.shape}")
    if not (np.isfinite(time).all() and np.isfinite(power).all()):
        raise ValueError("the power log has gaps (not a number); cut them out or fill them")
    if np.any(np.diff(time) <= 0):
        raise ValueError("the times of a power log must increase; sort it, and drop doubled rows")
    if not sample_mass_g > 0:
        raise ValueError(f"sample_mass_g = {sample_mass_g} must be above 0")
    window = min(span, len(power) - (1 - len(power) % 2))
    smooth = savgol_filter(power, window, min(order, window - 1)) if window > 2 else power
    net = np.asarray(smooth) - idle_power_W
    energy = float(np.trapezoid(net, time))
    mean_net = energy / (time[-1] - time[0])
    if mean_net < 3.0 * idle_sd_W:
        raise ValueError(
            f"net power {mean_net:.3g} W is below three times the idle noise ({idle_sd_W:.3g} W): "
            "too weak to calibrate a mill; log at a higher speed or with more powder")
    return energy / sample_mass_g
