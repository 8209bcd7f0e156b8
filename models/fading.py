"""Fading of a cell with cycle number: utilization falls, resistance rises, and what that costs.

With n = cycle - 1 full cycles behind, t = n / 30, static utilization U (share of active material
that is connected), resistance R and the nominal rate C,

    q(n)    = f(n) exp(w(n)),    f(n) = q_ref U(n) y(n),
    U(n)    = U_1 exp(-A t^a),    U_1 from U_0 by d ln units over n_d cycles, never above 1,
    R(n)    = R_0 (1 + G t^p),
    x(n)    = x_0 (C / U)^m (1 + G t^p),    s x at the end of the charge, (1 - s) x of discharge,
    ln y    = -(1 - s) x - s x              charged at constant current (CC),
    ln y    = -(1 - s) x - (1 - v) s x      with a constant-voltage step (CCCV).

In the first cycles contact settles: more material is connected (re-wetting, formation), so that the
capacity may rise and retention exceed 1, or less. It is then lost, t^a with a free. The interphase
makes the resistance rise, t^p with p about 0.5. A resistance cuts the charge short at its end and
the discharge at its end. The constant-voltage step wins back a share v of the former, never of the
latter, and the charge that it takes, 1 - exp(-v s x) of the whole, is an observable of its own
(``charge_cv_share``). What a charge at constant current does not reach, wears the material less:
ln A falls by ``depth_effect`` times the part of the charge that is not reached, so a cell charged
fast at constant current may keep more of the little that it gives. CC and CCCV readings are
therefore never one number here: the mode of charging is part of every expectation.

Methods of making, coatings (known levels, wide), batches, and cells within a batch deviate in level
and in how fast they age (wear and resistance growth), cells also in the shape of the fade (ln a).
The utilization of a cell deviates on its own: a cathode may have more of it and give less.

Readings of successive cycles are no replicates: temperature, contact and the room make a course
wander. What the laws leave out, w(n), is a random walk of each cell in s = ln(n + 2), with
independent Student-t increments. A course is condensed to medians over blocks of equal length in s
(``condense``; five to six blocks in 20 cycles), which single bad cycles do not move, and each block
is expected at the one before times what the law says of the step between:

    q_k = q_(k-1) f(n_k) / f(n_(k-1)) + walk + error of the two medians,

so that a hundred cycles of a cell are one cell, and its level is its own. The first block tells the
level of the batch.

Limits: cycles, not hours, are counted (slow cycles age longer); temperature is not in the law. A
mechanism that starts after the last cycle seen (a knee) is not in the data, nor in any forecast
from them. Check-ups of one cell at another rate are a course of their own, with a walk of its own.
Capacities alone do not tell loss of contact from rise of resistance: measure the utilization or the
resistance now and then.

Sources: Kissel (2025), doctoral thesis, lines 1368-1370 (fading by utilization and matrix), 2195
(resistance), 2225-2236 (twin cells, CC against CCCV, outlier); square-root growth of interphases.
"""

from __future__ import annotations

from typing import Any

from .courses import (
    ALIKE,
    READING_SD,
    ROUNDING,
    SLOTS,
    condense,
    encode_coating,
    encode_used,
    walk_time,
)
from .engine import Factor, Group, Inputs, LabModel, Outcome, expit, namespace
from .lifetime import paths, predict_retention
from .tradeoff import Tradeoff, break_even_weight, tradeoff

__all__ = ["MODEL", "Tradeoff", "break_even_weight", "condense", "paths", "predict_retention",
           "tradeoff"]

SCALE = 30.0
"""Cycles at which wear and resistance growth are stated."""
BATCH_SD, CELL_SD = 0.05, 0.03
"""SDs of ln capacity between batches and between the cells of a batch, taken as known: 2 to 6 % in
all by mixing method (Kissel et al., Adv. Energy Mater. (2025) 2405405, lines 835-841). They are
the business of ``mixing``; here every cell shows its own level."""
KIND_SD = 0.15
"""SD of ln capacity between methods of making and between coatings, taken as known."""
UTILIZATION_SD, RESISTANCE_SD = 0.08, 0.3
"""SDs of ln fresh utilization and of ln fresh resistance between cells, taken as known."""
REFERENCE_RATE = 0.5
"""Rate (1/h) at which the fade and its kinetic part are stated."""
NU = 5.0
"""Degrees of freedom of the walk's increments and of a reading: single bad blocks happen."""


def power_growth(cycle: Any, power: Any) -> Any:
    """(n / 30)^power with n = cycle - 1 cycles behind (1); zero in the first cycle."""
    xp = namespace(cycle, power)
    ln_t = xp.log(xp.maximum((cycle - 1.0) / SCALE, 1e-9))
    return xp.where(cycle > 1.0, xp.exp(power * ln_t), 0.0 * ln_t)


def utilization_after(cycle: Any, contact: Any, settling: Any, span: Any, wear: Any,
                      power: Any) -> Any:
    """Share of active material that is connected, 0..1.

    Parameters
    ----------
    cycle
        Cycle number, 1 the first (1).
    contact
        Logit of the utilization in the first cycle.
    settling, span
        Change of ln utilization in the first cycles, up (re-wetting, which stops at 1) or down
        (early loss), and over how many of them (1).
    wear, power
        Loss of ln utilization in the first 30 cycles (1), and its exponent in the cycle number.
    """
    xp = namespace(cycle, contact, settling, span, wear, power)
    settled = -xp.expm1(-xp.maximum(cycle - 1.0, 0.0) / span)
    up, down = xp.maximum(settling, 0.0), xp.minimum(settling, 0.0)
    first = expit(contact) * xp.exp(down * settled) - expit(-contact) * xp.expm1(
        -up * settled * xp.exp(contact))
    return first * xp.exp(-wear * power_growth(cycle, power))


def resistance_ratio(cycle: Any, growth: Any, power: Any) -> Any:
    """Resistance over that of the first cycle (1); ``growth`` is its relative rise after 30."""
    return 1.0 + growth * power_growth(cycle, power)


def kinetic_index(c_rate: Any, utilization: Any, ratio: Any, at_1c: Any, power: Any) -> Any:
    """Fall of ln capacity by kinetics at constant current (1).

    Parameters
    ----------
    c_rate
        Nominal rate (1/h); connected material feels ``c_rate / utilization``.
    utilization, ratio
        Utilization, and resistance over the typical fresh one (1).
    at_1c, power
        The index of a typical fresh cell at an effective rate of 1/h, and its exponent in the rate.
    """
    xp = namespace(c_rate, utilization, ratio, at_1c, power)
    return at_1c * ratio * xp.exp(power * (xp.log(c_rate) - xp.log(utilization)))


def kinetic_efficiency(index: Any, charge_share: Any, recovered: Any) -> Any:
    """Share of the connected capacity that is reached, 0..1.

    ``charge_share`` of the index cuts the end of the charge, and ``recovered`` of that is won back
    at constant voltage (0 for CC).
    """
    xp = namespace(index, charge_share, recovered)
    return xp.exp(-index * (1.0 - charge_share * recovered))


def cv_share(index: Any, charge_share: Any, recovered: Any) -> Any:
    """Share of the charge that flows at constant voltage, 0..1."""
    xp = namespace(index, charge_share, recovered)
    return -xp.expm1(-index * charge_share * recovered)


def build(x: Inputs) -> None:
    """Cells of batches over cycles, and five outcomes."""
    import pytensor.tensor as pt

    generic = "generic; not centred on a published study"
    reference = x.prior("reference_capacity", "Normal", 200.0, 10.0, unit="mAh/g",
                        meaning="capacity of connected material without kinetic loss",
                        source="nickel-rich layered oxides below 4.3 V against lithium")
    level = x.prior("contact", "Normal", 2.0, 1.0, unit="logit",
                    meaning="logit of the fresh utilization of a typical batch",
                    source="composites reach half to all of the active material")
    settling = x.prior("settling", "Normal", 0.0, 0.06, unit="ln",
                       meaning="change of ln utilization as contact settles in the first cycles",
                       source=generic)
    settling_sd = x.prior("settling_sd", "HalfNormal", 0.02, unit="ln",
                          meaning="SD of that change between cells", source=generic)
    span = x.prior("settling_cycles", "LogNormal", 6.0, 0.8, unit="cycles",
                   meaning="cycles over which contact settles", source=generic)
    fade = x.prior("fade", "LogNormal", 0.03, 1.0, unit="ln",
                   meaning="fall of ln capacity in the first 30 cycles at 0.5C, CC, fully charged",
                   source="wide: 0.6 to 15 % in 30 cycles")
    kinetic = x.prior("kinetic_part", "Beta", 1.5, 1.5,
                      meaning="part of that fall that is resistance, not loss of contact",
                      source="wide")
    bend = x.prior("wear_power", "LogNormal", 0.8, 0.4,
                   meaning="exponent a of the loss of contact in the cycle number",
                   source="0.5 where diffusion rules, 1 where each cycle costs the same")
    root = x.prior("growth_power", "TruncatedNormal", 0.5, 0.15, 0.1, 1.5,
                   meaning="exponent p of the resistance in the cycle number",
                   source="0.5: an interphase that grows by diffusion through itself")
    at_1c = x.prior("kinetic_loss", "LogNormal", 0.25, 0.7,
                    meaning="fall of ln capacity of a fresh cell at an effective 1/h, CC",
                    source="active capacity falls by a fifth to a third up to 1C")
    rate_power = x.prior("rate_power", "TruncatedNormal", 0.6, 0.2, 0.2, 1.2,
                         meaning="exponent m of the rate", source="0.5 diffusion, 1 resistance")
    at_charge = x.prior("charge_end_share", "Beta", 4.0, 4.0,
                        meaning="part of the kinetic loss that cuts the end of the charge",
                        source="half by symmetry; wide")
    recovery = x.prior("cv_recovery", "Beta", 4.0, 2.0,
                       meaning="part of that won back by the constant-voltage step",
                       source="a hold of an hour reaches most of it; wide")
    depth = x.prior("depth_effect", "HalfNormal", 3.0,
                    meaning="fall of ln wear with the part of the charge that is not reached",
                    source="volume change of nickel-rich oxides is largest when nearly full")
    batch_ageing = x.prior("batch_ageing_sd", "HalfNormal", 0.4, unit="ln",
                           meaning="SD of ln wear and growth between batches, in common",
                           source=generic)
    cell_ageing = x.prior("cell_ageing_sd", "HalfNormal", 0.4, unit="ln",
                          meaning="SD of ln wear and growth between cells of a batch, in common",
                          source=generic)
    bend_sd = x.prior("wear_power_sd", "HalfNormal", 0.2, unit="ln",
                      meaning="SD of ln a between cells", source=generic)
    growth_sd = x.prior("growth_sd", "HalfNormal", 0.3, unit="ln",
                        meaning="SD of ln growth between cells, beyond that in common",
                        source=generic)
    wander = x.prior("wander_sd", "LogNormal", 0.003, 0.8, unit="ln",
                     meaning="scale of what the laws leave out, for each factor 1.6 in the cycles",
                     source="temperature and contact drift by some tenths of a per cent")
    coating_sd = x.prior("coating_sd", "HalfNormal", 1.0, unit="ln",
                         meaning="SD of ln wear and of ln growth between coatings and bare",
                         source=generic)
    method_sd = x.prior("method_sd", "HalfNormal", 0.7, unit="ln",
                        meaning="SD of ln wear and growth between methods of making, in common",
                        source=generic)

    held = pt.cast(pt.gt(x.code("charge_mode"), 0), "float64")
    recovered = held * recovery
    of_batch: Any = x.normals("batch", "batch", width=2)[x.code("batch")]
    of_method: Any = x.normals("method", "method", width=2)[x.code("method")]
    of_coating: Any = x.normals("coating", "coating", width=3)[x.code("coating")]
    of_cell: Any = x.normals("cell", "cell", width=4)[x.code("cell")]

    settling_of = settling + settling_sd * of_cell[:, 2]
    lift = pt.exp(BATCH_SD * of_batch[:, 0] + KIND_SD * (of_coating[:, 2] + of_method[:, 0]))
    unreached = at_charge * (1.0 - recovered) * at_1c * pt.exp(rate_power * x.log("c_rate"))
    ageing = (method_sd * of_method[:, 1] + batch_ageing * of_batch[:, 1]
              + cell_ageing * of_cell[:, 3])
    wear_of = fade * (1.0 - kinetic) * pt.exp(
        ageing + coating_sd * of_coating[:, 0] - depth * unreached)
    growth_of = fade * kinetic / kinetic_index(
        REFERENCE_RATE, 1.0, 1.0, at_1c, rate_power) * pt.exp(
        ageing + coating_sd * of_coating[:, 1] + growth_sd * of_cell[:, 1])
    bend_of = bend * pt.exp(bend_sd * of_cell[:, 0])

    def state(cycle: Any) -> tuple[Any, Any, Any, Any]:
        u = utilization_after(cycle, level, settling_of, span, wear_of, bend_of)
        ratio = resistance_ratio(cycle, growth_of, root)
        index = kinetic_index(x["c_rate"], u, ratio, at_1c, rate_power)
        return u, ratio, index, u * kinetic_efficiency(index, at_charge, recovered)

    def spread(mean: Any, sd: float) -> tuple[Any, Any]:
        # Such a reading is far more precise than cells are alike: the sampler walks in the cell's
        # own quantity.
        used = x.data("cell__used", dtype="int64") > 0
        return pt.where(used, mean, 0.0), pt.where(used, sd, 1.0)

    cycle, before = x["cycle"], x["previous_cycle"]
    u, ratio, index, share = state(cycle)
    follows = before > 0.0
    steps = pt.abs(walk_time(cycle) - walk_time(before))
    course = reference * lift * share
    capacity = pt.where(follows, x["previous_capacity_mAh_g"] * share / state(before)[3], course)
    x.report("course", course)
    x.report("utilization", u)
    x.report("resistance_ratio", ratio)
    x.report("kinetic_efficiency", kinetic_efficiency(index, at_charge, recovered))
    loose: Any = pt.where(follows, wander * pt.sqrt(steps), CELL_SD)
    x.observe("capacity_mAh_g", "StudentT", mu=capacity, sigma=loose * capacity, nu=NU)
    if x.wants("retention"):
        end = cycle + x["retention_cycles"]
        kept = state(end)[3] / share
        far = walk_time(end) - walk_time(cycle)
        x.observe("retention", "StudentT", mu=kept, nu=NU, sigma=pt.sqrt(
            kept**2 * (wander**2 * far + 2.0 * READING_SD**2) + ROUNDING**2))
    if x.wants("utilization"):
        util_sd = x.prior("utilization_noise", "LogNormal", 0.01, 0.5,
                          meaning="error of a utilization apart from that of its masses",
                          source="titration: potentials and rests")
        titrated = 1.0 + x.prior(
            "reference_error", "Normal", 0.0, 0.025,
            meaning="relative error common to all utilizations (masses, reference cell)",
            source="reference mass 5.25 +- 0.09 mg (mixing study, line 2875), own mass 1 %")
        own = x.normals("cell_utilization", "cell", around=spread(
            pt.log(expit(level)), UTILIZATION_SD))[x.code("cell")]
        own = pt.exp(UTILIZATION_SD * own)
        x.observe("utilization", "Normal", mu=u * own * titrated, sigma=util_sd)
    if x.wants("resistance_ohm_cm2"):
        ohm = x.prior("resistance", "LogNormal", 30.0, 1.0, unit="ohm cm2",
                      meaning="resistance of a typical fresh cathode", source="wide: 6 to 150")
        ohm_sd = x.prior("resistance_noise", "LogNormal", 0.05, 0.7, unit="ln",
                         meaning="error of one resistance", source="fit of a spectrum")
        own = x.normals("cell_resistance", "cell", around=spread(
            pt.log(ohm), RESISTANCE_SD))[x.code("cell")]
        x.observe("resistance_ohm_cm2", "LogNormal",
                  mu=ohm * pt.exp(RESISTANCE_SD * own) * ratio, sigma=ohm_sd)
    if x.wants("charge_cv_share"):
        cv_sd = x.prior("cv_noise", "LogNormal", 0.01, 0.7,
                        meaning="error of the law of the charge at constant voltage",
                        source=generic)
        x.observe("charge_cv_share", "Normal", mu=cv_share(index, at_charge, recovered),
                  sigma=cv_sd)


MODEL = LabModel(
    name="fading",
    build=build,
    factors=(Factor("cycle", default=1.0, level="row"), Factor("c_rate", level="row"),
             Factor("retention_cycles", default=0.0, level="row"),
             Factor("previous_cycle", default=0.0, level="row"),
             Factor("previous_capacity_mAh_g", default=0.0, level="row")),
    groups=(Group("charge_mode", needed=True, varies=False, reference="CC"),
            Group("coating", varies=False, reference="bare"),
            Group("method", varies=False, reference=""), Group("batch"), Group("cell")),
    outcomes=(Outcome("capacity_mAh_g", "StudentT", ALIKE),
              Outcome("retention", "StudentT", ("window", "temperature_degC"), optional=True),
              Outcome("utilization", optional=True),
              Outcome("resistance_ohm_cm2", "LogNormal", ("direction", "hold_V"), optional=True),
              Outcome("charge_cv_share", optional=True)),
    prepare=condense,
    encoders=(encode_coating, encode_used),
    adaptation="diag", accept=0.85, least_slots=SLOTS,
    what="capacity, retention, utilization and resistance against cycle number, CC and CCCV apart",
    source="Kissel (2025), doctoral thesis, lines 1345-1372, 2195-2236",
    material="active: NCM82 and NCM85; electrolyte: Li3InCl6 and Li6PS5Cl; powder: dry-coated with "
             "carbon black, and hand-mixed with coatings",
)
