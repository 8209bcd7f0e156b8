"""How well, and how reproducibly, a mixing method makes composites: batch > cell > rate.

    q = theta q_act(C / theta) + static and kinetic deviations,
    q_act(C) = q_0.1 exp(-lambda (C^w - 0.1^w))

The gross capacity q is the static utilization theta (share of active material that is
electronically connected) times the capacity of the connected material, which feels the effective
rate C / theta. Batches and cells of one method m deviate from its mean; at 0.1C with standard
deviations ``batch_sd[m]`` and ``cell_sd[m]`` (mAh/g). A share ``static_share[m]`` of both variances
is static: a deviation of theta, the same at all rates but for the slope dq/dtheta. The rest is
kinetic and grows as (C / 0.1)^h. So one set of numbers gives, at any rate,

    Var(C) = sd^2 (s r^2 + (1 - s) g^2),    r = slope(C) / slope(0.1),  g = (C / 0.1)^h,

the correlation between rates (the static part is shared; the kinetic part is shared within a batch
and new in each reading of a cell), and how much of the capacity the utilization explains. Reading
noise is Student-t; its scale grows with the rate and differs by method. A balance error of 0.1 mg
on the composite mass moves all capacities and the utilization of a cell together; the mass of the
titration's reference moves all utilizations one way and all active capacities the other. Where the
anode's resistance was measured, the voltage it takes at the rate costs capacity apart from mixing,
and operators who made several batches have an effect of their own: neither is read as bad mixing.

Published summaries and single cells inform the same parameters. A pooled row is never used beside
the batches it contains: they are, with what the pooled row says about the cells left over
(``engine.published``). For the printed hand-mixing rows at 0.1C that remainder is the third batch:
mean 180.1, SD 4.4 (3.7 to 5.0 by rounding) mAh/g if all SDs divide by n; with n - 1 in the pooled
SD it would be below 2.0, against a printed 2.2 to 5.9. Rows of the same nine cells at several rates
are linked, not counted again.

Limits: deviations are normal on the scale of q, as the exact density of a printed SD needs, so a
single cell's latent theta is not kept below 1; only its mean is. A batch with single cells at one
rate and a printed mean at another is treated as two batches.

Sources: Kissel et al., Adv. Energy Mater. (2025) 2405405 (loss groups, effective rate, balance
error, printed summaries); rate law: stretched exponential, an interpolation between 0.05C and 3C.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .comparison import Comparison, at_rate, compare, components, explained_by_utilization
from .electrode import (
    REFERENCE_RATE,
    active_capacity,
    anode_drop,
    balance_error,
    check_anodes,
    gross_capacity,
    spread_factors,
    utilization_slope,
)
from .engine import Factor, Group, Inputs, LabModel, Outcome, Prior
from .engine.encode import number, text
from .engine.published import observe_summaries, perhaps_twice, summary_encoder
from .planning import plan

__all__ = ["BATCH_SD_PRIORS", "MODEL", "Comparison", "at_rate", "compare", "components",
           "explained_by_utilization", "plan"]

SD_OF_SD = 0.25
"""Relative error of a printed SD whose number of cells is not stated: that of nine cells."""
BATCH_SD_PRIORS: dict[str, Prior] = {
    "half-normal 2.5": Prior("HalfNormal", (2.5,)),
    "half-normal 5": Prior("HalfNormal", (5.0,)),
    "half-normal 10": Prior("HalfNormal", (10.0,)),
    "half-normal 20": Prior("HalfNormal", (20.0,)),
    "half-Cauchy 5": Prior("HalfCauchy", (5.0,)),
    "log-normal 5, 1": Prior("LogNormal", (5.0, 1.0)),
}
"""Priors (mAh/g) under which a verdict on batch SDs should hold; the default is one of them."""


def build(x: Inputs) -> None:
    """Methods, their batches and cells, and three outcomes."""
    import pytensor.tensor as pt

    generic = "generic; not centred on the published mixing study"
    theta_of = x.prior("utilization", "Beta", 6.0, 1.5, group="method",
                       meaning="mean static utilization of a method",
                       source="composites reach half to all of the active material")
    reference = x.prior("active_capacity", "Normal", 195.0, 15.0, unit="mAh/g",
                        meaning="capacity of connected material at an effective rate of 0.1/h",
                        source="nickel-rich layered oxides below 4.3 V against lithium")
    loss_of = x.prior("rate_loss", "LogNormal", 0.3, 0.5, unit="h^w", group="method",
                      meaning="fall of ln capacity with rate^w, by method", source=generic)
    power = x.prior("rate_power", "TruncatedNormal", 0.6, 0.2, 0.2, 1.2,
                    meaning="exponent w of the rate law", source="0.5 diffusion, 1 resistance")
    batch_sd = x.prior("batch_sd", "HalfNormal", 10.0, unit="mAh/g", group="method",
                       meaning="SD between batches at 0.1C",
                       source="wide; see BATCH_SD_PRIORS for what the choice moves")
    cell_sd = x.prior("cell_sd", "HalfNormal", 5.0, unit="mAh/g", group="method",
                      meaning="SD between cells of a batch at 0.1C, balance error apart",
                      source=generic)
    share = x.prior("static_share", "Beta", 3.0, 1.0, group="method",
                    meaning="share of batch and cell variance at 0.1C that is utilization",
                    source="slow cycling leaves little kinetic loss; wide")
    growth = x.prior("kinetic_growth", "TruncatedNormal", 0.5, 0.25, 0.0, 2.0,
                     meaning="exponent h of kinetic deviations in the rate",
                     source="0.5 diffusion, 1 resistance")
    scatter = x.prior("active_scatter", "LogNormal", 4.0, 0.7, unit="mAh/g",
                      meaning="SD of active capacity between composites at 0.1C", source=generic)
    nu = 2.0 + x.prior("noise_nu", "Gamma", 2.0, 0.1,
                       meaning="degrees of freedom of the reading noise, less 2",
                       source="low outliers are reported; weak")
    reading_sd = x.prior("utilization_noise", "LogNormal", 0.02, 0.5,
                         meaning="SD of one utilization reading, balance error apart",
                         source="titration: 0.02 to 0.06 (lines 680, 2985)")

    titrated = 1.0 + x.prior(
        "reference_error", "Normal", 0.0, 0.02, unit="1",
        meaning="relative error of all utilizations through their common reference cell",
        source="reference mass 5.25 +- 0.09 mg (line 2875); other laboratories weigh no better")

    anode_cost = x.prior("anode_cost", "HalfNormal", 0.2, unit="mAh/g per mV",
                         meaning="capacity lost per mV that an anode drops beyond an ordinary one",
                         source="slope of a discharge curve near its cutoff, 0.05 to 0.5")
    operator_sd = x.prior("operator_sd", "HalfNormal", 3.0, unit="mAh/g",
                          meaning="SD between operators at 0.1C, beyond that of batches",
                          source=generic)

    rate, method = x["c_rate"], x.code("method")
    theta, s = theta_of[method], share[method]
    law = (reference, loss_of[method], power)
    slope = utilization_slope(theta, rate, *law)
    slope_0 = utilization_slope(theta, REFERENCE_RATE, *law)
    static, kinetic = spread_factors(rate, slope, slope_0, s, growth)
    z: Any = x.normals("batch", "batch", width=2)[x.code("batch")]
    z_cell = x.normals("cell", "cell")[x.code("cell")]
    z_mass = x.normals("balance", "cell")[x.code("cell")]
    mass_error = balance_error(x["composite_mass_mg"])

    by_operator = x.effect("operator", "operator", operator_sd)
    lift = (s**0.5 * (batch_sd[method] * z[:, 0] + cell_sd[method] * z_cell)
            + by_operator) / slope_0
    theta_cell = pt.maximum(theta + lift, 0.02)
    weighed = 1.0 + mass_error * z_mass
    q = gross_capacity(theta_cell, rate, *law) + batch_sd[method] * kinetic * z[:, 1]
    q = q - anode_cost * anode_drop(rate, x["anode_resistance_ohm_cm2"])
    noise = cell_sd[method] * kinetic
    scale = noise * pt.sqrt((nu - 2.0) / nu)
    x.observe("capacity_mAh_g", "StudentT", mu=q * weighed, sigma=scale, nu=nu)
    x.observe("utilization", "Normal", mu=theta_cell * weighed * titrated,
              sigma=reading_sd)

    typical = gross_capacity(theta, rate, *law)
    observe_summaries(
        x, "capacity_mAh_g", mu=typical,
        batch=[batch_sd[method] * static, batch_sd[method] * kinetic],
        cell=[cell_sd[method] * static, mass_error * typical], own=noise)

    active = active_capacity(rate / theta, *law) / titrated
    active_sd = scatter * (rate / REFERENCE_RATE) ** growth
    x.observe("active_capacity_mAh_g", "Normal", mu=active, sigma=active_sd)
    spread = x.data("active_spread__numbers", ndim=2)
    spread.set_value(np.zeros((0, 2)))
    told: Any = pt.log(spread[:, 1])
    ratio = told - pt.log(active_sd[spread[:, 0].astype("int64")])
    x.term("active_spread", -0.5 * (ratio / SD_OF_SD) ** 2)


def encode_active(
    rows: pd.DataFrame, table: pd.DataFrame, statements: bool
) -> dict[str, np.ndarray]:
    """Readings and printed SDs of the active capacity.

    A cell that gives gross capacity and utilization as well has told the same already: its active
    capacity is their ratio, and is left out.
    """
    name = "active_capacity_mAh_g"
    value, sd, n = number(rows, name), number(rows, f"{name}_sd"), number(rows, f"{name}_n")
    told = ~np.isnan(number(rows, "capacity_mAh_g")) & ~np.isnan(number(rows, "utilization"))
    bound = text(rows, f"{name}_censored").to_numpy() != ""
    use = np.flatnonzero(~np.isnan(value) & ~told & ~bound)
    spread = np.flatnonzero(~np.isnan(value) & (sd > 0) & ~(n == 1))
    return {
        f"{name}__row": use.astype("int64"),
        f"{name}__value": value[use],
        f"{name}__n": np.where(np.isnan(n), 1.0, n)[use],
        f"{name}__sd": np.where(n == 1, sd, 0.0)[use],
        "active_spread__numbers": np.stack([spread.astype(float), sd[spread]], axis=1),
    }


def encode_operators(
    rows: pd.DataFrame, table: pd.DataFrame, statements: bool
) -> dict[str, np.ndarray]:
    """Codes of operators; 0 for one who made a single batch, whose effect is that of the batch."""
    operator = text(rows, "operator").to_numpy()
    batch = np.array(["|".join(key) for key in zip(
        *(text(rows, c) for c in ("study", "method", "batch")), strict=True)], dtype=object)
    known = dict.fromkeys(name for name in operator if name)
    codes = np.zeros(len(rows), dtype="int64")
    for slot, name in enumerate(known, 1):
        own = operator == name
        codes[own] = slot if len(set(batch[own])) > 1 else 0
    return {"operator": codes}


def prepare(rows: pd.DataFrame, fitting: bool) -> tuple[pd.DataFrame, list[str]]:
    """The same rows, with a note on cells that may count twice."""
    return rows, perhaps_twice(rows, "capacity_mAh_g", "c_rate") if fitting else []


_ALIKE = ("capacity_basis", "c_rate_basis_mAh_g", "charge_mode", "window")

MODEL = LabModel(
    name="mixing",
    build=build,
    factors=(Factor("c_rate", level="row"),
             Factor("composite_mass_mg", default=0.0, level="cell"),
             Factor("anode_resistance_ohm_cm2", default=0.0, level="cell")),
    groups=(Group("method", varies=False), Group("operator", inside="batch"), Group("batch"),
            Group("cell")),
    outcomes=(Outcome("capacity_mAh_g", "StudentT", _ALIKE), Outcome("utilization"),
              Outcome("active_capacity_mAh_g", alike=_ALIKE)),
    context=("active_fraction", "contains", "same_cells", "row_id", "capacity_cycles"),
    summaries=("capacity_mAh_g",),
    prepare=prepare,
    encoders=(summary_encoder("capacity_mAh_g", along="c_rate"), encode_active,
              encode_operators, check_anodes),
    adaptation="diag", accept=0.95,
    what="Gross capacity, utilization and their spread between batches and cells, by mixing method",
    source="Kissel et al., Adv. Energy Mater. (2025) 2405405",
    material="active: NCM82 (LiNi0.82Mn0.07Co0.11O2, single crystals, d50 3.3 um); electrolyte: "
             "Li6PS5Cl (d50 0.8 um); powder: 70:30:1 by mass with carbon fibres",
)
