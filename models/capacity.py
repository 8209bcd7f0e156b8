"""Discharge capacity of a milled composite cathode: reference x utilization x kinetics.

    q = q_ref U y,     y = 1 - x (1 - exp(-1/x)),     x = (R tau)^n,     R = C q_1C / (U q_ref y)

``q_ref`` is the capacity of a liquid cell over the same window, ``U`` the static utilization (the
share of active material that is electronically connected), ``y`` the share of the connected
capacity that is reached at the rate. R is the current over the capacity that the connected
material really delivers, so ``y`` solves an equation (Tian and Coleman's form with the measured
capacity in it); a low utilization raises the effective rate C/U. The time constant is written as
the loss index x_0 at R = 0.1 1/h, full contact and 19.1 mg/cm2:

    x = x_0 (R / 0.1)^n (loading / 19.1)^(n l) / T,      tau = (x_0 / T)^(1/n) / 0.1,
    1 / T = 1 / contact + 10 (1 - w) D,      contact = 1 - exp(-(E_m / E_c)^p exp(-SE_t / SE)),
    U = expit(u + batch) / (1 + w X),         D = SE^a SN^b, X = SE^c, both 1 at E_m = E_d.

Two resistances in series slow the connected material: that of the contacts, which falls as
milling builds them, and that of damage D, which grows with stress energy and with stress number
separately. Contacts are built by E_m; collisions weaker than the threshold SE_t deform nothing and
add E_m without a contact. Hard collisions, however few, crack the active material and disconnect
some of it: X. A share w of the damage is static, the rest kinetic; the 10 makes both kinds cost
about the same capacity. Without a measured utilization beyond the onset of damage w is not
informed, and the split of the loss is then reported as undetermined. Readings of one batch share a
deviation of its utilization and one of its loss, which also holds what these laws leave out;
cells of a batch differ by the noise of a reading, which grows with the rate. Measured utilizations
share the error of their reference cell; a cell's own weighing error, common to its utilization and
its capacity, is followed in ``mixing``, whose rows are cells.

Sources: Frankenberg et al., Small (2025), doi 10.1002/smll.202507279; Kissel et al., Adv. Energy
Mater. (2025) 2405405 (loss groups, effective rate); Tian et al., Nat. Commun. 10 (2019) 1933.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from . import milling
from .electrode import AREAL_CURRENT, anode_drop, check_anodes
from .engine import Factor, Group, Inputs, LabModel, Outcome, expit, namespace
from .engine.arrays import without_gradient
from .microstructure import MARKERS, microstructure
from .statements import path_rows, read_statements, statement_encoder

LOADING_REFERENCE = 19.1
"""Composite loading of a 15 mg pellet of 10 mm diameter, mg/cm2."""
KINETIC = 10.0
"""Weight of kinetic damage, so that it costs about as much capacity as static damage."""
LN_BALANCE = math.log(8.0)
"""ln of relative stress energy over stress number in the middle of the published runs."""
PATH = {"rpm": tuple(float(r) for r in np.geomspace(200.0, 1100.0, 33)), "milling_min": 15.0}
"""Path over speed at 15 min (E_m 30 to 4500 J/g) along which statements on E_m are read."""


def contact_formation(ln_energy_ratio: Any, power: Any, ln_stress_ratio: Any) -> Any:
    """Share of the possible electrolyte contacts that milling has formed, 0..1.

    Parameters
    ----------
    ln_energy_ratio
        ln(E_m / E_c), with E_c the energy that forms 63 % by hard collisions.
    power
        Exponent (1).
    ln_stress_ratio
        ln(SE / SE_t): stress energy over the threshold below which a collision deforms hardly
        anything.
    """
    xp = namespace(ln_energy_ratio, power, ln_stress_ratio)
    useful = power * ln_energy_ratio - xp.exp(xp.minimum(-ln_stress_ratio, 6.0))
    return -xp.expm1(-xp.exp(useful))


def milling_damage(ln_energy_ratio: Any, ln_stress_energy: Any, ln_stress_number: Any,
                   energy_exponent: Any, number_exponent: Any) -> Any:
    """Dimensionless damage D = SE^a SN^b, scaled to 1 at E_m = E_d and balanced stressing.

    Parameters
    ----------
    ln_energy_ratio
        ln(E_m / E_d).
    ln_stress_energy, ln_stress_number
        Logarithms of the relative stress energy and stress number (1).
    energy_exponent, number_exponent
        a and b: how damage grows with the intensity and with the number of collisions.
    """
    xp = namespace(ln_energy_ratio, ln_stress_energy, energy_exponent, number_exponent)
    both = (energy_exponent + number_exponent) * ln_energy_ratio
    tilt = (energy_exponent - number_exponent) * (
        ln_stress_energy - ln_stress_number - LN_BALANCE)
    return xp.exp(xp.minimum(0.5 * (both + tilt), 20.0))


def rate_capability(ln_index: Any, power: Any) -> Any:
    """Share y of the connected capacity that is delivered at a rate, 0..1.

    Solves y = 1 - x (1 - exp(-1/x)), x = index / y^power, on ln x: one step of Halley from the sum
    of both asymptotes, x = index at low rates and (2^n index)^(1 / (1 - n)) at high ones, and one
    of Newton, which alone carries the gradient, that of the implicit function. The error of y is
    below 1e-6 for powers up to 0.75. Above 1 there is no solution at high rates.

    Parameters
    ----------
    ln_index
        ln of (R_0 tau)^n (1), with R_0 the effective rate on the reference capacity.
    power
        Exponent n (1), 0.5 for diffusion, towards 1 for a resistance; 0.4 to 0.75.
    """
    xp = namespace(ln_index, power)
    u, n = without_gradient(ln_index), without_gradient(power)
    high = (u + math.log(2.0) * n) / (1.0 - n)
    start = xp.maximum(u, high) + xp.log1p(xp.exp(-xp.abs(u - high)))
    t, ln_y, slope, bend = _delivered(xp, start)
    miss, lead = n * ln_y + t - u, n * slope + 1.0
    t, ln_y, slope, _ = _delivered(xp, t - miss * lead / (lead * lead - 0.5 * miss * n * bend))
    return xp.exp(ln_y - slope * (power * ln_y + t - ln_index) / (n * slope + 1.0))


def _delivered(xp: Any, t: Any) -> tuple[Any, Any, Any, Any]:
    """t = ln x held to -33..9, ln y, and the first and second derivative of ln y there.

    Beyond 9 (x = 8100) ln y is a straight line, on which a step of Newton is exact.
    """
    t = without_gradient(xp.minimum(xp.maximum(t, -33.0), 9.0))
    x = xp.exp(t)
    fall = xp.expm1(-1.0 / x)
    y = 1.0 + x * fall
    first = (1.0 + x) * fall + 1.0
    second = x * fall + (1.0 + x) * (fall + 1.0) / x
    slope = first / y
    return t, *(without_gradient(v) for v in (xp.log(y), slope, second / y - slope * slope))


def build(x: Inputs) -> None:
    """Milling, then contacts and damage, then utilization, kinetics and capacity."""
    import pytensor.tensor as pt

    x.include(milling.build, "milling")
    ln_energy = x.quantity("ln_specific_energy")
    ln_se, ln_sn = x.quantity("ln_stress_energy"), x.quantity("ln_stress_number")

    generic = "generic: a decade and more either way, not centred on a published optimum"
    contact_energy = x.prior("contact_energy", "LogNormal", 150.0, 1.2, unit="J/g",
                             meaning="E_m at which hard collisions have formed 63 % of the "
                                     "contacts", source=generic)
    contact_power = x.prior("contact_power", "LogNormal", 0.8, 0.4,
                            meaning="steepness of contact formation",
                            source="between square root (random breakage) and first order")
    threshold = x.prior("contact_threshold", "LogNormal", 0.3, 1.0,
                        meaning="stress energy (1 at 200 rpm, 5 mm) below which a collision forms "
                                "hardly any contact",
                        source="below ordinary practice: 3 mm beads at 300 rpm, which mill "
                               "sulfides well, have 0.4")
    damage_energy = x.prior("damage_energy", "LogNormal", 2000.0, 1.2, unit="J/g",
                            meaning="E_m at which damage reaches 1", source=generic)
    damage_se = x.prior("damage_stress_energy_exponent", "LogNormal", 1.0, 0.5,
                        meaning="growth of damage with stress energy", source="sign only")
    damage_sn = x.prior("damage_stress_number_exponent", "LogNormal", 1.0, 0.5,
                        meaning="growth of damage with the number of collisions",
                        source="sign only")
    crack_power = x.prior("crack_exponent", "LogNormal", 2.0, 0.5,
                          meaning="growth of cracks with stress energy",
                          source="strengths of grains scatter with a Weibull modulus of 2 to 8, "
                                 "half of that in energy")
    static_share = x.prior("static_damage_share", "Beta", 2.0, 2.0,
                           meaning="share of damage that disconnects material",
                           source="neither kind alone; else open")
    reference = x.prior("reference_capacity", "Normal", 200.0, 3.0, unit="mAh/g",
                        meaning="capacity of the active material in a liquid cell, same window",
                        source=f"doi {milling.DOI}, line 167 (assumed 200); width of a liquid cell")
    level = x.prior("utilization_logit", "Normal", 1.8, 0.7,
                    meaning="logit of the undamaged static utilization",
                    source="mixing study, 74 to 95 % over all composites (line 913)")
    loss_index = x.prior("loss_index", "LogNormal", 0.1, 1.0,
                         meaning="x_0: kinetic loss index at 0.1 1/h, full contact, no damage, "
                                 "19.1 mg/cm2",
                         source="a loss of 2 to 25 % at 0.1C; time constants of 1 min to 1 h")
    rate_power = x.prior("rate_power", "TruncatedNormal", 0.6, 0.15, 0.4, 0.75,
                         meaning="exponent n of the rate law",
                         source="0.5 diffusion, 1 electrical; at 1 and above the law with the "
                                "measured capacity has no solution at high rates")
    loading_power = x.prior("loading_exponent", "Uniform", 1.0, 2.0,
                            meaning="growth of the time constant with areal loading",
                            source="1 for a resistance, 2 for diffusion")
    anode_cost = x.prior("anode_cost", "HalfNormal", 0.2, unit="mAh/g per mV",
                         meaning="capacity lost per mV that an anode drops beyond an ordinary one",
                         source="slope of a discharge curve near its cutoff, 0.05 to 0.5")
    batch_sd = x.prior("batch_sd", "HalfNormal", 0.12, meaning="batch spread of logit utilization",
                       source="mixing study: machine-made cells differ by 2.4 mAh/g, batches by no "
                              "more (0.1); hand-ground ones would by 10 (0.4)")
    loss_sd = x.prior("loss_sd", "LogNormal", 0.15, 0.5,
                      meaning="batch spread of ln of the loss index, with what the laws leave out",
                      source="power laws and two resistances in series: a few tens of percent")
    noise_0 = x.prior("cell_noise", "LogNormal", 2.5, 0.5, unit="mAh/g",
                      meaning="scale of one reading at 0.1C",
                      source="mixing study, SD 2.4 of machine-made and 0.8-5.9 within hand batches")
    noise_rate = x.prior("noise_rate_exponent", "Normal", 0.25, 0.1,
                         meaning="growth of the reading noise with the rate",
                         source="mixing study, SD 2.4 / 3.0 / 4.3 at 0.1C / 0.3C / 1C (line 841)")
    nu = x.prior("noise_nu", "Gamma", 3.0, 0.3, meaning="degrees of freedom of the reading noise",
                 source="low outliers are reported; weak")

    contact = contact_formation(ln_energy - pt.log(contact_energy), contact_power,
                                ln_se - pt.log(threshold))
    damage = milling_damage(ln_energy - pt.log(damage_energy), ln_se, ln_sn, damage_se, damage_sn)
    cracks = milling_damage(ln_energy - pt.log(damage_energy), ln_se, ln_sn, crack_power, 0.0)
    ln_resistance: Any = pt.log(1.0 / contact + KINETIC * (1.0 - static_share) * damage)
    ln_transport = -ln_resistance
    utilization = (expit(level + x.effect("batch", "batch", batch_sd))
                   / (1.0 + static_share * cracks))
    ln_rate = (x.log("c_rate") + x.log("c_rate_basis_mAh_g") - math.log(0.1)
               - pt.log(reference) - pt.log(utilization))
    ln_loading = x.log("areal_loading_mg_cm2") - math.log(LOADING_REFERENCE)
    ln_index = (pt.log(loss_index) - ln_transport
                + rate_power * (ln_rate + loading_power * ln_loading)
                + x.effect("batch_loss", "batch", loss_sd))
    efficiency = rate_capability(ln_index, rate_power)
    current = (x["c_rate_basis_mAh_g"] * x["areal_loading_mg_cm2"]
               * (AREAL_CURRENT / (200.0 * LOADING_REFERENCE)))
    drop = anode_drop(x["c_rate"], x["anode_resistance_ohm_cm2"], current)
    capacity = reference * utilization * efficiency - anode_cost * drop
    x.report("utilization", utilization)
    x.report("kinetic_efficiency", efficiency)
    x.report("static_loss", reference * (1.0 - utilization))
    x.report("kinetic_loss", reference * utilization * (1.0 - efficiency))
    lone = x.alone("batch") * pt.sqrt(
        (batch_sd * capacity * (1.0 - utilization)) ** 2
        + (loss_sd * (reference * expit(level) - capacity)) ** 2)
    of_cell = noise_0 * pt.exp(noise_rate * (x.log("c_rate") - math.log(0.1)))
    noise = pt.sqrt(of_cell**2 + lone**2)

    x.observe("capacity_mAh_g", "StudentT", mu=capacity, sigma=noise, nu=nu)
    if x.wants("utilization"):
        util_sd = x.prior("utilization_sd", "LogNormal", 0.02, 0.4, unit="1",
                          meaning="error of a measured utilization",
                          source="mass error 2 % (mixing study, titration)")
        titrated = 1.0 + x.prior(
            "reference_error", "Normal", 0.0, 0.02, unit="1",
            meaning="relative error of all utilizations through their common reference cell",
            source="reference mass 5.25 +- 0.09 mg (mixing study, line 2875)")
        lone_u = x.alone("batch") * batch_sd * utilization * (1.0 - utilization)
        x.observe("utilization", "Normal", mu=utilization * titrated,
                  sigma=pt.sqrt(util_sd**2 + lone_u**2))
    microstructure(x, contact, damage, ln_transport, ln_se, ln_sn, damage_se, damage_sn)
    if x.wants("statements"):
        read_statements(x, "capacity_mAh_g", "specific_energy_J_g", capacity,
                        x.quantity("specific_energy"))


ALIKE = ("capacity_basis", "capacity_cycles", "charge_mode", "window")
"""What capacities must agree in; what one C means (``c_rate_basis_mAh_g``) is converted."""

MODEL = LabModel(
    "capacity", build,
    factors=(*milling.FACTORS, Factor("c_rate", default=0.1, level="row"),
             Factor("c_rate_basis_mAh_g", default=200.0, level="row"),
             Factor("areal_loading_mg_cm2", default=LOADING_REFERENCE, level="cell"),
             Factor("anode_resistance_ohm_cm2", default=0.0, level="cell")),
    groups=(*milling.GROUPS, Group("batch", lone_in_noise=True)),
    outcomes=(
        Outcome("capacity_mAh_g", "StudentT", alike=ALIKE), Outcome("utilization", optional=True),
        Outcome("specific_energy_J_g", "LogNormal", optional=True), *MARKERS,
    ),
    encoders=(statement_encoder("capacity_mAh_g", "specific_energy_J_g"), check_anodes),
    extra_rows=path_rows("capacity_mAh_g", PATH),
    accept=0.9,
    what="capacity of a milled composite = reference x static utilization x kinetic efficiency",
    source=f"doi {milling.DOI}; Kissel et al. 2025, doi 10.1002/aenm.202405405",
    material=milling.MATERIAL, includes=("milling",),
)

UNDETERMINED = 0.25
"""Width of the 90 % interval of utilization above which a split of the loss is not reported."""


def losses(fit: Any, settings: Any) -> pd.DataFrame:
    """Static and kinetic loss apart, per gram of active material weighed in.

    Static loss is q_ref (1 - U): material without electronic contact. Kinetic loss is q_ref U
    (1 - y): connected, but not reached at the rate. Their sum is the reference capacity minus the
    capacity.

    Parameters
    ----------
    fit
        A fit of the capacity model.
    settings
        DataFrame of settings as for ``fit.predict``.

    Returns
    -------
    DataFrame
        The settings with, in mAh/g, ``static_loss`` and ``kinetic_loss`` (medians) with the ends
        of their 90 % equal-tailed intervals, ``utilization`` likewise, and ``split``:
        "determined", or "undetermined" where the interval of the utilization is wider than 0.25,
        because nothing measured there says which loss it is.
    """
    table = pd.DataFrame(settings).reset_index(drop=True)
    for name in ("static_loss", "kinetic_loss", "utilization"):
        low, middle, high = np.quantile(
            fit.quantity(name, table).to_numpy(), [0.05, 0.5, 0.95], axis=0)
        table[name], table[f"{name}_low"], table[f"{name}_high"] = middle, low, high
    wide = table["utilization_high"] - table["utilization_low"] > UNDETERMINED
    table["split"] = np.where(wide, "undetermined", "determined")
    return table
