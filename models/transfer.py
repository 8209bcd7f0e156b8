"""A recipe from one mill to another: equal stress energy and equal specific energy.

Stress energy sets how hard a collision is, the specific energy how much work the powder took. A
recipe is carried over by the speed that gives the same stress energy on the other mill and then
the time that gives the same E_m (so also the same number of stresses per gram). Both are power
laws, so in every posterior draw ln(stress energy) is a straight line in ln(speed).

Logged net power informs the product of stress energy and stress frequency of a mill. It fixes the
time at a given speed, not the speed: the answer says so, and what would.

Source: Frankenberg et al., Small (2025), doi 10.1002/smll.202507279, Eq. 1 and line 223.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .milling import REFERENCE_RPM

if TYPE_CHECKING:
    from .engine.fit import Fit

UNDETERMINED = 0.65
"""Posterior over prior width of ln(stress energy) above which a mill's stress energy is unknown."""
IDENTIFIES = (
    "the mill's geometry and speed ratio (for a simulation of its bead motion), such a simulation "
    "itself, or one reaction or comminution that depends on the stress energy, run at equal E_m on "
    "both mills"
)


@dataclass(frozen=True)
class Transfer:
    """Settings on another mill.

    Attributes
    ----------
    table
        One row for each bead size: ``mill``, ``bead_mm``, ``filling``, ``rpm``, ``milling_min``,
        ``p_stress_energy``, ``p_specific_energy``, ``p_both`` (probability that the quantity is
        within the margin of the recipe's), the 90 % equal-tailed interval of the ratio of stress
        energies, ``inside`` (whether the speed lies inside the mill's range).
    stress_energy_sd_ratio
        Posterior over prior standard deviation of ln(stress energy) at 200 rpm, by mill of the
        pair; the larger of both, and 0 where they are one mill, whose own is not needed.
    sentence
        The same in words, with the measurement that would help.
    """

    table: pd.DataFrame
    stress_energy_sd_ratio: float
    sentence: str

    def __str__(self) -> str:
        return self.table.to_string(index=False) + "\n" + self.sentence


def transfer(
    fit: Fit, settings_on_a: Mapping[str, Any], mill_a: str, mill_b: str, *,
    bead_mm: Sequence[float] | None = None, filling: float | None = None,
    rpm_range: tuple[float, float] = (200.0, 1000.0), within: float = 0.2,
) -> Transfer:
    """Settings on mill B with the stress energy and the specific energy of a recipe on mill A.

    Parameters
    ----------
    fit
        A fit of a model with milling in it, to a table with readings on both mills.
    settings_on_a
        The recipe: ``rpm`` (1/min), ``milling_min`` (min) and, if not 5 mm and 0.5, ``bead_mm``
        and ``filling``.
    mill_a, mill_b
        Names of the mills in the table of the fit.
    bead_mm, filling
        Bead diameters (mm) and bead filling ratio available on mill B; the recipe's if not given.
    rpm_range
        Lowest and highest speed of mill B (1/min). A speed beyond is cut to it.
    within
        Relative margin inside which a quantity counts as matched.

    Raises
    ------
    ValueError
        If the recipe lacks a setting, a mill is unknown to the fit, the range is empty, or the
        model has no milling in it.
    """
    low, high = rpm_range
    if not 0 < low < high:
        raise ValueError(f"rpm_range = {rpm_range} must be two speeds above 0, the lower one first")
    if not 0 < within < 1:
        raise ValueError(f"within = {within} must be a share between 0 and 1")
    recipe = {"bead_mm": 5.0, "filling": 0.5, **settings_on_a}
    lacking = [name for name in ("rpm", "milling_min") if name not in recipe]
    if lacking:
        raise ValueError(f"settings_on_a lacks {', '.join(lacking)}; it has "
                         f"{', '.join(settings_on_a)}")
    beads = [float(recipe["bead_mm"])] if bead_mm is None else [float(b) for b in bead_mm]
    fill = float(recipe["filling"] if filling is None else filling)
    wanted = pd.DataFrame([{**recipe, "mill": mill_a}])
    energy_a, specific_a = (_ln(fit, name, wanted)[:, 0] for name in QUANTITIES)
    table = []
    for bead in beads:
        probes = pd.DataFrame({
            "rpm": [REFERENCE_RPM, np.e * REFERENCE_RPM], "milling_min": 1.0, "bead_mm": bead,
            "filling": fill, "mill": mill_b})
        energy, specific = (_ln(fit, name, probes) for name in QUANTITIES)
        ln_speed = _crossing(energy[:, 0] - energy_a, energy[:, 1] - energy[:, 0])
        rpm = float(np.clip(REFERENCE_RPM * np.exp(ln_speed), low, high))
        at = np.log(rpm / REFERENCE_RPM)
        energy_ratio = energy[:, 0] + at * (energy[:, 1] - energy[:, 0]) - energy_a
        rate = specific[:, 0] + at * (specific[:, 1] - specific[:, 0]) - specific_a
        minutes = float(np.exp(-np.median(rate)))
        hit_energy = np.abs(np.expm1(energy_ratio)) <= within
        hit_specific = np.abs(np.expm1(rate + np.log(minutes))) <= within
        low_ratio, high_ratio = np.exp(np.quantile(energy_ratio, [0.05, 0.95]))
        table.append({
            "mill": mill_b, "bead_mm": bead, "filling": fill, "rpm": rpm, "milling_min": minutes,
            "p_stress_energy": hit_energy.mean(), "p_specific_energy": hit_specific.mean(),
            "p_both": (hit_energy & hit_specific).mean(),
            "stress_energy_ratio low (90 % equal-tailed)": low_ratio,
            "stress_energy_ratio high (90 % equal-tailed)": high_ratio,
            "inside": bool(abs(REFERENCE_RPM * np.exp(ln_speed) / rpm - 1.0) < 1e-9),
        })
    answer = pd.DataFrame(table)
    best = beads[int(answer["p_both"].to_numpy().argmax())]
    ratio, unknown = 0.0, mill_b
    for mill, bead, share in ((mill_b, best, fill), (mill_a, float(recipe["bead_mm"]),
                                                     float(recipe["filling"]))):
        at = pd.DataFrame({"rpm": [REFERENCE_RPM], "milling_min": 1.0, "bead_mm": bead,
                           "filling": share, "mill": mill})
        own = _ln(fit, QUANTITIES[0], at)[:, 0].std() / _prior_sd(fit, bead, share)
        if mill_a != mill_b and own > ratio:
            ratio, unknown = float(own), mill
    return Transfer(answer, ratio, _sentence(answer, ratio, mill_b, unknown, within))


QUANTITIES = ("ln_stress_energy", "ln_specific_energy")


def _ln(fit: Fit, name: str, settings: pd.DataFrame) -> np.ndarray:
    """Logarithm of a quantity of the mill at settings, ``(draws, settings)``."""
    if name == "ln_specific_energy":
        return np.log(fit.quantity("specific_energy", settings).to_numpy())
    return fit.quantity(name, settings).to_numpy()


def _crossing(offset: np.ndarray, slope: np.ndarray) -> float:
    """Where the median of ``offset + x slope`` over draws is zero; every slope is above 0."""
    from scipy.optimize import root_scalar

    def middle(x: float) -> float:
        return float(np.median(offset + x * slope))

    reach = 2.0 * float(np.max(np.abs(offset)) / np.min(np.abs(slope))) + 1.0
    return float(root_scalar(middle, bracket=(-reach, reach), method="brentq").root)


def _prior_sd(fit: Fit, bead: float, filling: float, draws: int = 200_000) -> float:
    """Prior standard deviation of ln(stress energy) at 200 rpm on a mill without readings."""
    from .milling import REFERENCE_BEAD_MM, filling_weights

    rng = np.random.default_rng(0)
    prior = {name.partition(".")[2]: p for name, p in fit.priors.items()
             if name.startswith("milling.")}
    spread = prior["mill_stress_energy_sd"].draw(rng, draws) * rng.normal(size=draws)
    depth = (filling - 0.5) / 0.2
    exponent = (prior["stress_energy_bead_exponent"].draw(rng, (draws, 3))
                @ np.array(filling_weights(filling), dtype=float)
                + prior["stress_energy_bead_exponent_shared"].draw(rng, draws))
    slope = prior["filling_stress_energy"].draw(rng, draws)
    return float((spread + depth * slope + exponent * np.log(bead / REFERENCE_BEAD_MM)).std())


def _sentence(table: pd.DataFrame, ratio: float, mill: str, unknown: str, within: float) -> str:
    best = table.loc[table["p_both"].idxmax()]
    said = (
        f"{mill}: {best['rpm']:.0f} rpm for {best['milling_min']:.3g} min with "
        f"{best['bead_mm']:g} mm beads; stress energy is within {100 * within:g} % of the recipe's "
        f"with probability {best['p_stress_energy']:.2f}, specific energy with "
        f"{best['p_specific_energy']:.2f}."
    )
    if not best["inside"]:
        said += " The equal stress energy lies outside the mill's speeds; the nearest one is given."
    if ratio >= UNDETERMINED:
        said += (
            f" The stress energy of {unknown} is not determined (its spread is {100 * ratio:.0f} % "
            "of the prior's): net power identifies only the product of stress energy and stress "
            f"frequency. What would identify it: {IDENTIFIES}."
        )
    return said
