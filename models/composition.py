"""Composition of a composite as a factor: which material is reached, and how fast.

    q = q_ref U y,    U = expit(logit(P_e n_i) + batch),    y = capacity's rate law on x,
    ln x = ln x_0 + n (ln R / 0.1 + ln S) + batch,    R = C q_1C / (U q_ref),
    S = (1 - s) (d_a / 3.3 um)^2 + s T,

U is the share of active material that belongs to the electronic network (P_e, through contacts of
its own grains and through carbon) and touches the ionic one (n_i): see ``networks`` for contacts,
percolation and conductivities from shares of mass, particle sizes, kind of carbon, binder and
pores. T is the loss by transport through the thickness, 0.1 mS/cm of both carriers at 19.1 mg/cm2
being 1; the rest of S is in and at the grains. So composition acts twice: statically, through two
thresholds that lie on opposite sides (too little active material or carbon: no electrons; too
little electrolyte: no ions), and kinetically, through two conductivities of which the lower rules.

Kinds of carbon differ in how many contacts a percent of volume makes and in conductivity; each has
its own numbers, and a kind without data has those of the prior. The same columns come out as from
``capacity`` (utilization, gross capacity at a rate), so that ``cell`` takes either; and
``composition_answers.capacity_priors`` hands a composition on to ``capacity``.

Informed by the literature: four utilizations and three active capacities of two compositions
(``composition_answers.literature``). Nothing published informs the exponent of the size ratio, the
sharpness of percolation, binder, blocking of ions by carbon, transport share or conductivities of
these composites: conductivities and capacities over a range of compositions are what to measure.

Limits: particles are of one size each; agglomerates and gradients are only a lower sharpness. A
grain without ionic contact is counted as unused, though lithium may reach it slowly through its
neighbours. Pores are given, not predicted.

Sources: Kissel et al., Adv. Energy Mater. (2025) 2405405 (electrode design, two kinds of fibre);
Prein et al. (2022), levers of a composition (``composition_answers.levers``); see ``networks``.
"""

from __future__ import annotations

import math
from typing import Any

from . import networks
from .capacity import ALIKE, LOADING_REFERENCE, rate_capability
from .composition_rows import NONE, prepare
from .engine import Factor, Group, Inputs, LabModel, Outcome, expit
from .transport_bounds import wiener

__all__ = ["MODEL", "relative_time"]

ACTIVE_UM, ELECTROLYTE_UM = 3.3, 0.79
"""Median sizes of NCM82 and of the fine Li6PS5Cl of the mixing study (line 1011)."""
ACTIVE_REFERENCE = 0.7
DENSITY_REFERENCE = 2.7
"""Density of a pressed 70:30:1 composite with some 15 % pores, g/cm3."""


def relative_time(transport: Any, share: Any, active_um: Any) -> Any:
    """Time constant relative to an ordinary electrode (1).

    Parameters
    ----------
    transport
        T, loss by transport through the thickness (1), see `networks.ohmic_time`.
    share
        s: part of the loss that is transport where T is 1.
    active_um
        Median grain size (um); diffusion in the grain goes with its square.
    """
    return (1.0 - share) * (active_um / ACTIVE_UM) ** 2 + share * transport


def build(x: Inputs) -> None:
    """Shares of volume, contacts, networks, conductivities, utilization and capacity."""
    import pytensor.tensor as pt

    generic = "generic"
    wide = "no published number informs it"
    coordination = x.prior("coordination", "LogNormal", 6.0, 0.2, unit="1",
                           meaning="contacts of a particle in a random packing with 38 % pores",
                           source="random packings of spheres: 6 to 7; not all contacts conduct")
    exponent = x.prior("size_exponent", "Beta", 2.0, 2.0, unit="1",
                       meaning="k: 1 if contacts go with surface, 0 if with volume",
                       source="rigid spheres 1, a soft electrolyte that flows away 0; " + wide)
    sharpness = x.prior("sharpness", "LogNormal", 5.0, 0.3, unit="1",
                        meaning="m: steepness of percolation in ln contacts",
                        source="6 for evenly packed spheres, less for uneven mixing; " + wide)
    per_percent = x.prior("carbon_contacts", "LogNormal", 1.0, 1.0, unit="1",
                          group="carbon_type",
                          meaning="contacts between grains that a percent of carbon's volume makes",
                          source="a decade and more either way: compact agglomerates to fibres "
                                 "longer than grains")
    insulating = x.prior("binder_insulation", "HalfNormal", 0.05, unit="1",
                         meaning="fall of ln contacts per percent of binder's volume",
                         source="sign only: binder between particles; " + wide)
    reference = x.prior("reference_capacity", "Normal", 200.0, 10.0, unit="mAh/g",
                        meaning="capacity of the active material in a liquid cell, same window",
                        source="nickel-rich layered oxides below 4.3 V against lithium")
    loss_index = x.prior("loss_index", "LogNormal", 0.1, 0.8,
                         meaning="x_0: kinetic loss index at 0.1 1/h in an ordinary electrode",
                         source="a loss of 2 to 20 % at 0.1C; time constants of minutes to 1 h")
    rate_power = x.prior("rate_power", "TruncatedNormal", 0.6, 0.15, 0.4, 0.75,
                         meaning="exponent n of the rate law",
                         source="0.5 diffusion, 1 electrical, see capacity")
    share = x.prior("transport_share", "Beta", 2.0, 2.0, unit="1",
                    meaning="s: part of the loss that is transport at 0.1 mS/cm of both carriers",
                    source="neither alone; " + wide)
    batch_sd = x.prior("batch_sd", "LogNormal", 0.2, 0.5, unit="1",
                       meaning="sd of logit utilization between batches of one composition",
                       source="mixing study: 0.1 by machine, 0.4 by hand")
    loss_sd = x.prior("loss_sd", "LogNormal", 0.15, 0.5, unit="1",
                      meaning="sd of ln of the loss index between batches", source=generic)

    active_um = x["active_d50_um"]
    ln_size = x.log("active_d50_um") - x.log("electrolyte_d50_um")
    pores = x["porosity"]
    mass: Any = tuple(x[name] for name in ("active_fraction", "electrolyte_fraction",
                                      "carbon_fraction", "binder_fraction"))
    v_active, v_electrolyte, v_carbon, v_binder = networks.volume_shares(*mass, porosity=pores)
    glued = pt.exp(-100.0 * insulating * v_binder)
    kind = x.code("carbon_type")
    surface = networks.surface_share(v_active, v_electrolyte, ln_size, exponent)
    like = networks.contacts(surface, coordination, pores)
    electronic = networks.percolating(
        glued * (like + 100.0 * per_percent[kind] * v_carbon), sharpness)
    fine = networks.surface_share(v_electrolyte, v_active, -ln_size, exponent)
    ionic = networks.percolating(
        glued * networks.contacts(fine, coordination, pores), sharpness)
    touched = networks.touching(fine, ln_size, exponent, coordination, pores, ionic)
    both: Any = pt.clip(electronic * touched, 1e-6, 1.0 - 1e-4)
    shift = x.effect("batch", "batch", batch_sd)
    utilization = expit(pt.log(both / (1.0 - both)) + shift)

    bulk = x.prior("ionic_bulk", "LogNormal", 2.0, 0.5, unit="mS/cm",
                   meaning="ionic conductivity of the dense electrolyte",
                   source="argyrodites, 1 to 5 mS/cm")
    excess = x.prior("ionic_excess", "LogNormal", 0.9, 0.4, unit="1",
                     meaning="power of the electrolyte's volume share beyond 1",
                     source="0.5 for spheres (Bruggeman), 1 to 2 in pressed composites")
    blocking = x.prior("ionic_blocking", "HalfNormal", 0.05, unit="1",
                       meaning="fall of ln ionic conductivity per percent of carbon's volume",
                       source="0 is a carbon that only takes room; sign only")
    grains = x.prior("contact_conductivity", "LogNormal", 1.0, 1.5, unit="mS/cm",
                     meaning="electronic conductivity of grains in contact, share of 1",
                     source="nickel-rich oxides 1 to 10 mS/cm, less at contacts")
    network = x.prior("carbon_conductivity", "LogNormal", 3000.0, 1.2, unit="mS/cm",
                      group="carbon_type", source="pressed carbons, 0.3 to 30 S/cm",
                      meaning="conductivity of the carbon on the scale of a share of 1")
    sigma_i = networks.effective_ionic(v_electrolyte, v_carbon, ionic, bulk, excess, blocking)
    sigma_e = networks.effective_electronic(v_active, v_carbon, electronic, grains, network[kind])

    density = networks.solid_density(*mass) * (1.0 - pores)
    transport = networks.ohmic_time(sigma_i, sigma_e, x["areal_loading_mg_cm2"], mass[0], density)
    ln_time = pt.log(relative_time(transport, share, active_um))
    ln_rate = (x.log("c_rate") + x.log("c_rate_basis_mAh_g") - math.log(0.1)
               - pt.log(reference) - pt.log(utilization))
    ln_index = (pt.log(loss_index) + rate_power * (ln_rate + ln_time)
                + x.effect("batch_loss", "batch", loss_sd))
    efficiency = rate_capability(ln_index, rate_power)
    active = reference * efficiency
    capacity = utilization * active
    for name, value in (("electronic_network", electronic), ("ionic_network", ionic),
                        ("touching_electrolyte", touched), ("utilization", utilization),
                        ("kinetic_efficiency", efficiency), ("ln_time", ln_time),
                        ("ionic_conductivity", sigma_i), ("electronic_conductivity", sigma_e),
                        ("electrolyte_volume_share", v_electrolyte),
                        ("wiener_bound", wiener(v_electrolyte, bulk))):
        x.report(name, value)
    _readings(x, capacity, utilization, active, sigma_i, sigma_e)


def _readings(x: Inputs, capacity: Any, utilization: Any, active: Any, sigma_i: Any,
              sigma_e: Any) -> None:
    import pytensor.tensor as pt

    of_cell = x.prior("cell_noise", "LogNormal", 2.5, 0.5, unit="mAh/g",
                      meaning="scale of one reading at 0.1C",
                      source="mixing study, SD 2.4 of machine-made and 0.8-5.9 within hand batches")
    growth = x.prior("noise_growth", "Normal", 0.25, 0.1, unit="1",
                     meaning="growth of that scale with the rate",
                     source="mixing study, SD 2.4 / 3.0 / 4.3 at 0.1C / 0.3C / 1C (line 841)")
    noise = of_cell * pt.exp(growth * (x.log("c_rate") - math.log(0.1)))
    x.observe("capacity_mAh_g", "StudentT", mu=capacity, sigma=noise, nu=6.0)
    if x.wants("utilization"):
        util_sd = x.prior("utilization_sd", "LogNormal", 0.03, 0.4, unit="1",
                          meaning="sd of one measured utilization",
                          source="mass error 2 % of cell and reference each (lines 2875, 863)")
        x.observe("utilization", "Normal", mu=utilization, sigma=util_sd)
    if x.wants("active_capacity_mAh_g"):
        x.observe("active_capacity_mAh_g", "Normal", mu=active, sigma=1.5 * noise)
    for name, value in (("ionic_mS_cm", sigma_i), ("electronic_mS_cm", sigma_e)):
        if x.wants(name):
            spread = x.prior(f"{name.split('_')[0]}_sd", "LogNormal", 0.3, 0.4, unit="1",
                             meaning=f"sd of ln of one {name}, and what these laws leave out",
                             source="laboratories differ by 0.34 to 0.47 on one powder, cells of "
                                    "one less")
            x.observe(name, "LogNormal", mu=value + networks.LEAST, sigma=spread)


MODEL = LabModel(
    name="composition",
    build=build,
    factors=(Factor("active_fraction", default=0.7),
             Factor("electrolyte_fraction", default=math.nan),
             Factor("carbon_fraction", default=0.0), Factor("binder_fraction", default=0.0),
             Factor("active_d50_um", default=ACTIVE_UM),
             Factor("electrolyte_d50_um", default=ELECTROLYTE_UM),
             Factor("porosity", default=0.15),
             Factor("c_rate", default=0.1, level="row"),
             Factor("c_rate_basis_mAh_g", default=200.0, level="row"),
             Factor("areal_loading_mg_cm2", default=LOADING_REFERENCE, level="cell")),
    groups=(Group("carbon_type", varies=False, reference=NONE), Group("batch")),
    outcomes=(Outcome("capacity_mAh_g", "StudentT", alike=ALIKE),
              Outcome("utilization", optional=True),
              Outcome("active_capacity_mAh_g", alike=("charge_mode", "window"), optional=True),
              Outcome("ionic_mS_cm", "LogNormal", optional=True),
              Outcome("electronic_mS_cm", "LogNormal", optional=True)),
    context=("composition", "active_volume_fraction", "mixed_density_g_mL", "technique",
             "capacity_basis", "capacity_cycles", "charge_mode", "window", "row_id"),
    prepare=prepare,
    least_slots=4,
    accept=0.9,
    what="utilization, conductivities and capacity over composition, particle sizes, kind of "
         "carbon, binder and pores",
    source="Kissel et al., doi 10.1002/aenm.202405405; contacts of packed spheres, percolation",
    material="active: NCM82 (LiNi0.82Mn0.07Co0.11O2, single crystals); electrolyte: Li6PS5Cl; "
             "powder: 70:30:1 by mass with one of two carbon fibres, and 60:40 without",
)
