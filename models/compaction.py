"""Compaction of powders: density of a pellet over pressure, in the die and out of it.

    rho = (1 - exp(-y)) (1 + (1 - phi) p_now / K) e^g,
    y   = (y_0 + B [1 - (1 - p / p*)^2]_{p < p*} + c ln(cycle)) e^(s phi) + (1 - phi)^n p / P_y

with p the highest pressure so far and p_now the pressure during the reading. Above the regime
boundary p* the bracket is 1 and the plastic density follows Heckel's line ln 1 / (1 - rho) = A +
p / P_y, of intercept A = y_0 + B and mean yield pressure P_y. Below it grains and fragments still
find their places (the early regime): the bracket rises from 0 at the loose packing y_0 and meets
the line without a kink. phi is the volume share of active material in the solid; it does not
yield, so only a part (1 - phi)^n of the plastic rate is left, it does not compress, and its grains
pack better or worse than those of the powder alone (s, of either sign).

In the die the solid is under pressure: with an elastic modulus K of some ten GPa a dense pellet
reads above 1, and that is no error. So the errors are additive on the density, and no reading is
transformed; only the *transform* ln 1 / (1 - rho) of a reading at 1 or above cannot be, and is
refused where it is asked for (``heckel_lines``). On release the density falls by the elastic part,

    recovery = 1 - (1 + p_now / K) / (1 + p / K).

Densities out of the die have a yield pressure P_y and a rearrangement B of their own, and the
effects of a powder on them are its own: what pores open on release is not elastic, and the two are
never pooled. Loose packing, boundary and modulus belong to the powder and are shared.

A yield pressure *printed* for the die is the slope of the transformed density, elastic part
included; it is below P_y, and the fit compares it with that slope above the boundary. Printed ones
of the only powder that was measured so far are no more than two numbers, without densities: what
they leave to the prior the summary says.

Powders (``lot``) differ in yield pressure and packing, sieve fractions (``sieve``) in yield
pressure, which also goes with the median size where that was measured. All pressures of a pellet
(``cell``) share the error g of its mass, thickness and diameter: they are no replicates.

Cathodes are pressed at some 380 MPa, below the boundary of the one measured powder, and n and s
were never measured: what is said on them is the prior's, and ``densities`` labels it so.

Limits: one boundary for all powders of a fit; the shape of the early regime is a choice; elastic
deformation alone at the end (regime III) is left out; the elastic modulus is that of a dense body.

Source: Schneider et al., Adv. Energy Mater. (2023) 2203873, doi 10.1002/aenm.202203873, lines 79
to 98 (regimes, in die and out of die, recovery), 145 (further sweeps); Heckel, Trans. Metall. Soc.
AIME 221 (1961) 671.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .compaction_answers import densities, heckel_lines, yield_pressures
from .compaction_rows import (
    DENSITY,
    OUT,
    RECOVERY,
    YIELD,
    composite_volume_fraction,
    prepare,
)
from .engine import Factor, Group, Inputs, LabModel, Outcome
from .engine.encode import PARENTS, number, text
from .engine.inputs import slots_for
from .heckel import (
    apparent_yield_pressure,
    bulk_modulus_from_scaling,
    elastic_factor,
    elastic_recovery,
    heckel_density,
    heckel_transform,
    mean_yield_pressure,
    pore_logarithm,
    rearranged_share,
    yielding_share,
)

__all__ = [
    "MODEL", "apparent_yield_pressure", "bulk_modulus_from_scaling", "composite_volume_fraction",
    "densities", "elastic_factor", "elastic_recovery", "heckel_density", "heckel_lines",
    "heckel_transform", "mean_yield_pressure", "pore_logarithm", "rearranged_share",
    "yield_pressures", "yielding_share",
]

TYPICAL_UM = 20.0
"""Median size (um) to which the slope against size refers, and of powders without a stated one."""
MIDDLE_MPA, MIDDLE_PACKING = 500.0, 0.75
"""Medians of the priors of both yield pressures and of the loose packing."""
STATED_SD = 0.25
"""sd of ln p* of a boundary that authors read off a figure ("about 0.5 GPa")."""
DOI = "10.1002/aenm.202203873"


def build(x: Inputs) -> None:
    """Curve of each powder in and out of the die, then densities, yield pressures, recovery."""
    import pytensor.tensor as pt

    own = "as in the die; a parameter of its own, so that the two are never pooled"
    loose = x.prior("loose_packing", "LogNormal", MIDDLE_PACKING, 0.2, unit="1",
                    meaning="y_0: ln 1/(1 - rho) of the loose powder; 0.75 is rho = 0.53",
                    source="loose to tapped powders fill 0.4 to 0.65")
    settle = "a loose powder of 0.53 reaches 0.65 to 0.9 by rearrangement alone; wide"
    gain_in = x.prior("rearrangement_in_die", "LogNormal", 0.6, 0.6, unit="1", source=settle,
                      meaning="B in the die: what the early regime adds to ln 1/(1 - rho)")
    gain_out = x.prior("rearrangement_out_of_die", "LogNormal", 0.6, 0.6, unit="1", source=own,
                       meaning="B out of the die")
    hard = ("from soft salts and organic crystals (0.1 GPa) to the hardness of sulfide glasses "
            "(about 2 GPa, doi 10.1002/aenm.201602011), within two sd; not centred on a reading")
    yield_in = x.prior("yield_pressure_in_die", "LogNormal", MIDDLE_MPA, 0.8, unit="MPa",
                       meaning="P_y of the plastic density in the die", source=hard)
    yield_out = x.prior("yield_pressure_out_of_die", "LogNormal", MIDDLE_MPA, 0.8, unit="MPa",
                        meaning="P_y out of the die", source=own)
    boundary = x.prior("regime_boundary", "LogNormal", 300.0, 0.6, unit="MPa",
                       meaning="p*: pressure at which rearrangement is over",
                       source="some tens of MPa for organic powders, 1 GPa for hard ones; wide")
    modulus = x.prior("elastic_modulus", "LogNormal", 30_000.0, 0.4, unit="MPa",
                      meaning="K: pressure over elastic volume strain of the dense solid in a die",
                      source="sulfide electrolytes: bulk modulus 15 to 40 GPa, somewhat more where "
                             "the die keeps the sides; the frame's own strain lowers it")
    power = x.prior("hindrance_power", "LogNormal", 1.5, 0.5, unit="1",
                    meaning="n: loss of plastic rate with the non-yielding share",
                    source="1 if each part of the solid yields or not, more where hard grains "
                           "carry the load; nothing measured")
    mixed = x.prior("composite_packing", "Normal", 0.0, 0.6, unit="1",
                    meaning="s: change of ln y before yield with the share of active material",
                    source="grains of two sizes fill each other's gaps, hard ones bridge them: 0.5 "
                           "to 0.9 dense at half active material; nothing measured")
    slope_in = x.prior("size_slope_in_die", "Normal", 0.0, 0.3, unit="1",
                       meaning="slope of ln P_y over ln d50 in the die",
                       source="either sign; 0.3 is a factor of 2 per decade")
    slope_out = x.prior("size_slope_out_of_die", "Normal", 0.0, 0.3, unit="1",
                        meaning="slope of ln P_y over ln d50 out of the die", source=own)
    again = x.prior("cycle_gain", "HalfNormal", 0.05, unit="1",
                    meaning="c: growth of ln 1/(1 - rho) with ln(cycle)",
                    source="a small increase in further sweeps, no number (line 145)")
    sieve_sd = x.prior("sieve_yield_sd", "LogNormal", 0.25, 0.5, unit="1",
                       meaning="sd of ln P_y between sieve fractions",
                       source="finer powders of one material yield up to a factor of 2 earlier")
    lot_sd = x.prior("lot_yield_sd", "LogNormal", 0.15, 0.5, unit="1",
                     meaning="sd of ln P_y between powders",
                     source="hardness of one material scatters by 10 to 30 % between makers")
    pack_sd = x.prior("lot_packing_sd", "LogNormal", 0.08, 0.5, unit="1",
                      meaning="sd of y between powders",
                      source="tap densities of one material scatter by some per cent")
    pellet_sd = x.prior("pellet_sd", "LogNormal", 0.01, 0.5, unit="1",
                        meaning="sd of g: relative error of all densities of one pellet",
                        source="mass 0.1 %, diameter 0.5 %, thickness of 1 mm to 5 um")
    read_in = x.prior("reading_sd_in_die", "LogNormal", 0.004, 0.5, unit="1",
                      meaning="error of one density in the die, beside g",
                      source="travel of a press to some um, of a pellet of 1 mm")
    read_out = x.prior("reading_sd_out_of_die", "LogNormal", 0.006, 0.5, unit="1",
                       meaning="error of one density out of the die, beside g",
                       source="thickness by hand, chipped edges")

    out = x["density_state"]
    p, now = x["pelletizing_MPa"], x["stack_MPa"]
    phi = x["active_volume_fraction"]
    lot, sieve = x.code("lot"), x.code("sieve")
    # Readings are more precise than powders are alike, and than the mass and thickness of a
    # pellet: the sampler walks in the powder's own values, from the middle of the prior, and in
    # the pellet's own error.
    known = x.data("lot__used") > 0

    def of_lot(name: str, mean: Any, sd: Any) -> Any:
        z = x.normals(name, "lot", around=(pt.where(known, mean, 0.0), pt.where(known, sd, 1.0)))
        return (sd * z)[lot]

    lot_in = of_lot("lot_yield_in_die", pt.log(yield_in / MIDDLE_MPA), lot_sd)
    lot_out = of_lot("lot_yield_out_of_die", pt.log(yield_out / MIDDLE_MPA), lot_sd)
    mix = pt.exp(mixed * phi)
    lot_packing = of_lot("lot_packing", loose - MIDDLE_PACKING, pack_sd)
    packed = mix * (loose + lot_packing + again * x.log("cycle"))
    z_sieve: Any = x.normals("sieve", "sieve", width=2)[sieve]

    def by_state(inside: Any, outside: Any) -> Any:
        return inside + out * (outside - inside)

    ln_size = pt.log(x["d50_um"] / TYPICAL_UM)
    ln_yield = (by_state(pt.log(yield_in), pt.log(yield_out))
                + by_state(slope_in, slope_out) * ln_size
                + sieve_sd * by_state(z_sieve[:, 0], z_sieve[:, 1])
                + by_state(lot_in, lot_out))
    gain = mix * by_state(gain_in, gain_out)
    yields = yielding_share(phi, power)
    p_yield = pt.exp(ln_yield)
    stiffness = modulus / (1.0 - phi)
    plastic = heckel_density(pore_logarithm(p, packed, gain, boundary, p_yield, yields))
    density = plastic * elastic_factor(now, stiffness)
    used = x.data("cell__used")
    spread = pt.where(used > 0, pellet_sd, 1.0)
    z_pellet = x.normals("pellet", "cell", around=(0.0 * used, spread))
    pellet = pt.exp(pellet_sd * z_pellet[x.code("cell")])
    x.report("expected_density", density)
    x.report("plastic_density", plastic)
    x.report("yield_pressure", p_yield)
    x.report("rearranged", rearranged_share(p, boundary))
    x.observe(DENSITY, "Normal", mu=density * pellet, sigma=by_state(read_in, read_out))
    if x.wants(YIELD):
        line_sd = x.prior("line_sd", "LogNormal", 0.08, 0.5, unit="1",
                          meaning="error of ln of one printed yield pressure, beside a stated one",
                          source="choice of the range of the line; pellets are alike to this")
        printed = apparent_yield_pressure(
            p, packed, gain, boundary, p_yield, yields, by_state(1.0 / stiffness, 0.0))
        x.observe(YIELD, "LogNormal", mu=printed, sigma=line_sd)
    if x.wants(RECOVERY):
        recovery_sd = x.prior("recovery_sd", "LogNormal", 0.005, 0.5, unit="1",
                              meaning="error of one recovery of the density",
                              source="two densities of one pellet, each to some tenths of a per "
                                     "cent; printed as 'about' to a per cent")
        x.observe(RECOVERY, "Normal", mu=elastic_recovery(p, now, stiffness), sigma=recovery_sd)
    if x.wants("statements"):
        said = x.data("stated_boundary__ln")
        x.term("stated_boundary", -0.5 * ((pt.log(boundary) - said) / STATED_SD) ** 2)


def encode_boundary(
    rows: pd.DataFrame, table: pd.DataFrame, statements: bool
) -> dict[str, np.ndarray]:
    """ln of the pressures (MPa) above which a statement says that rearrangement is over."""
    said = (text(table, "kind").eq("statement") & text(table, "statement").eq("complete_at")
            & text(table, "outcome").eq(DENSITY) & text(table, "over").eq("pelletizing_MPa"))
    values = number(table, "value")[said.to_numpy()] if statements else np.zeros(0)
    return {"stated_boundary__ln": np.log(values)}


def encode_used(
    rows: pd.DataFrame, table: pd.DataFrame, statements: bool
) -> dict[str, np.ndarray]:
    """1 for every slot of the powders and of the pellets that is taken, ``(slots,)`` each."""
    found = {}
    for group in ("lot", "cell"):
        keys = set(zip(*(text(rows, column) for column in PARENTS[group]), strict=True))
        used = np.zeros(slots_for(len(keys), SLOTS))
        used[: len(keys)] = 1.0
        found[f"{group}__used"] = used
    return found


SLOTS = 8

MODEL = LabModel(
    name="compaction",
    build=build,
    factors=(Factor("pelletizing_MPa", level="row"), Factor("stack_MPa", 0.0, "row"),
             Factor("density_state", OUT, "row"), Factor("cycle", 1.0, "row"),
             Factor("active_volume_fraction", 0.0), Factor("d50_um", TYPICAL_UM)),
    groups=(Group("lot"), Group("sieve", reference=""), Group("cell")),
    outcomes=(Outcome(DENSITY), Outcome(YIELD, "LogNormal", optional=True),
              Outcome(RECOVERY, optional=True)),
    context=("sweep", "active_fraction", "row_id"),
    prepare=prepare, encoders=(encode_boundary, encode_used), least_slots=SLOTS,
    accept=0.95,
    what="Density of pressed powders and composites in and out of the die. Informed by two printed "
         "yield pressures and one recovery; no density is printed, and nothing for composites",
    source=f"Schneider et al., Adv. Energy Mater. (2023), doi {DOI}",
    material="electrolyte: Li7SiPS8 (tetragonal glass-ceramic), two sieve fractions of one lot",
)
