"""Ionic conductivity of a pressed pellet: compaction, activation volume, contacts.

    1 / sigma = exp(dV p / R T) / (sigma_b g) + r_c

p is the pressure now, P the highest so far; a pellet remembers P, so that a model of p alone is
wrong. sigma_b is the conductivity of the dense material of one sieve fraction, with an Arrhenius
factor around 25 degC. Compaction by pressing,

    ln g = -A exp(-P / P_1) - B exp(-P / P_2),

is the joining of grains (A, by sieve fraction) and the slow densification that goes on after it
(B), or rho^m where the pellet's density was measured. Contacts to the electrodes and cracks that
open on release are in series,

    r_c = R_c (p / 10 MPa)^-n exp(-(p - 10 MPa) / p_c) (P / 500 MPa)^-a N^-b,   a, b >= 0,

with the number N of the compression cycle: contacts widen as a power of the pressure, cracks close
at some p_c. dV is one number for all sieve fractions; what is
fitted is the slope, and ``activation_volume`` adds the systematic error of the pre-exponential
term (up to 10 %).

Levels: laboratory (sd of ln 0.34 to 0.47 from a round robin) > lot > sieve fraction > pellet.
Errors of thickness and area are one number for all readings of a pellet, and join what pellets
differ by in the bulk (in the contacts, which differ far more, they do not show); a reading
scatters more the larger the contacts' share. With one laboratory, lot or pellet the spread
between them is the prior's, and the fit says so.

Under rising pressure dV is told apart from densification by assumption only: such readings above
500 MPa are left out (``with_compression`` puts them in).

Informed by: ten printed conductivities of two pellets of one powder, and the activation volume that
was read off their curves; the curves themselves are in figures.
Source: Schneider et al., Adv. Energy Mater. (2023), doi 10.1002/aenm.202203873, lines 102 to 201;
round robin: Ohno et al., ACS Energy Lett. 5 (2020) 910, relative sd of 35 to 50 % as printed in
Alabdali et al., Batteries & Supercaps (2024), doi 10.1002/batt.202400709, line 208.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .activation_volume import PREFACTOR_SHARE, ZERO_CELSIUS_K, classical, thermal_energy
from .conduction_answers import ActivationVolume, activation_volume, other_laboratory
from .conduction_rows import (
    OUTCOME,
    SLOTS,
    TYPICAL,
    complete,
    encode_homes,
    encode_volumes,
    preparer,
)
from .crossing import sd_of_ln
from .engine import Factor, Group, Inputs, LabModel, Outcome, namespace
from .stack_pressure import StackCorrection, at_stack_pressure, stack_correction

__all__ = ["MODEL", "ActivationVolume", "StackCorrection", "activation_volume",
           "at_stack_pressure", "classical", "compaction", "complete", "contact_resistivity",
           "of_density", "other_laboratory", "pellet_conductivity", "sd_of_ln", "stack_correction",
           "thermal_factor", "with_compression"]

DOI = "10.1002/aenm.202203873"
CONTACT_MPA = 10.0
PRESSED_MPA = 500.0
LEAST_MPA = 0.1
"""Pressures now below this count as this: the contact law ends there."""
BOLTZMANN_EV = 8.617333262e-5
PRINTED_SD = 0.1
"""Error of a printed activation volume (cm3/mol): "approximately", to one decimal, none stated."""
LEVEL_MPA = 1000.0
"""Pressing pressure at which the sampler walks in a pellet's own bulk conductivity."""


def compaction(highest_MPa: Any, joining: Any, joining_MPa: Any, densification: Any,
               densification_MPa: Any) -> Any:
    """ln g: logarithm of the bulk conductivity over that of the dense material, 0 or less.

    Parameters
    ----------
    highest_MPa
        Highest pressure so far, P.
    joining, joining_MPa
        A and P_1: what a loose powder lacks (in ln), and the pressure that takes 63 % of it away.
    densification, densification_MPa
        B and P_2 of the slow part.
    """
    xp = namespace(highest_MPa, joining, joining_MPa, densification, densification_MPa)
    return (-joining * xp.exp(-highest_MPa / joining_MPa)
            - densification * xp.exp(-highest_MPa / densification_MPa))


def of_density(relative_density: Any, exponent: Any) -> Any:
    """ln g = m ln rho; a density above 1 counts as 1."""
    xp = namespace(relative_density, exponent)
    return exponent * xp.log(xp.minimum(relative_density, 1.0))


def contact_resistivity(now_MPa: Any, highest_MPa: Any, cycle: Any, at_reference: Any,
                        now_exponent: Any, closing_MPa: Any, highest_exponent: Any,
                        cycle_exponent: Any) -> Any:
    """r_c: resistance of contacts and cracks, in the unit of ``at_reference``.

    Parameters
    ----------
    now_MPa, highest_MPa
        Pressure now, above 0, and the highest so far.
    cycle
        Number N of the compression cycle, 1 or more.
    at_reference
        R_c at 10 MPa after 500 MPa in the first cycle.
    now_exponent, closing_MPa, highest_exponent, cycle_exponent
        n, p_c, a and b.
    """
    xp = namespace(now_MPa, highest_MPa, cycle, at_reference, now_exponent, closing_MPa,
                   highest_exponent, cycle_exponent)
    return at_reference * xp.exp(
        -now_exponent * xp.log(now_MPa / CONTACT_MPA) - (now_MPa - CONTACT_MPA) / closing_MPa
        - highest_exponent * xp.log(highest_MPa / PRESSED_MPA) - cycle_exponent * xp.log(cycle))


def thermal_factor(temperature_degC: Any, activation_energy_eV: Any) -> Any:
    """ln of the bulk conductivity over that at 25 degC (Arrhenius)."""
    inverse = 1.0 / (25.0 + ZERO_CELSIUS_K) - 1.0 / (temperature_degC + ZERO_CELSIUS_K)
    return activation_energy_eV / BOLTZMANN_EV * inverse


def pellet_conductivity(bulk_mS_cm: Any, ln_compaction: Any, volume_cm3_mol: Any, now_MPa: Any,
                        temperature_degC: Any, contact_ohm_cm: Any) -> Any:
    """Conductivity of a pellet with its contacts in series (mS/cm).

    Parameters
    ----------
    bulk_mS_cm
        sigma_b, conductivity of the dense material at this temperature without pressure.
    ln_compaction
        ln g, of ``compaction`` or ``of_density``.
    volume_cm3_mol
        Activation volume dV.
    now_MPa, temperature_degC
        Pressure and temperature of the reading.
    contact_ohm_cm
        r_c as a resistivity, ohm cm.
    """
    xp = namespace(bulk_mS_cm, ln_compaction, volume_cm3_mol, now_MPa, temperature_degC,
                   contact_ohm_cm)
    bulk = xp.exp(volume_cm3_mol * now_MPa / thermal_energy(temperature_degC)
                  - ln_compaction) / bulk_mS_cm
    return 1.0 / (bulk + contact_ohm_cm / 1000.0)


def build(x: Inputs) -> None:
    """Sieve fractions, laboratories, lots, pellets, and one outcome."""
    import pytensor.tensor as pt

    generic = "generic; not centred on the published pellets"
    bulk_of = x.prior("bulk_conductivity", "LogNormal", 2.0, 1.2, unit="mS/cm", group="sieve",
                      meaning="conductivity of the dense material at 25 degC, by sieve fraction",
                      source="fast sulfide and halide conductors, 0.3 to 15 mS/cm")
    joining_of = x.prior("joining", "LogNormal", 1.8, 0.5, unit="1", group="sieve",
                         meaning="A: fall of ln conductivity of unpressed powder",
                         source="loose powders conduct a twentieth to a half of a pellet")
    joining_MPa = x.prior("joining_pressure", "LogNormal", 120.0, 0.6, unit="MPa",
                          meaning="P_1: pressure that joins the grains", source=generic)
    slow = x.prior("densification", "HalfNormal", 0.3, unit="1",
                   meaning="B: what slow densification adds to ln conductivity",
                   source="density is a weak predictor once pressed (lines 112, 201)")
    slow_MPa = joining_MPa + x.prior(
        "densification_pressure", "LogNormal", 1000.0, 0.5, unit="MPa",
        meaning="P_2 - P_1: pressure scale of slow densification, beyond that of joining",
        source="mean yield pressures of soft solids, 0.4 to 2.5 GPa")
    power = x.prior("density_exponent", "LogNormal", 2.5, 0.4,
                    meaning="m: exponent of a measured relative density",
                    source="1.5 for spheres (Bruggeman), more where necks are thin")
    volume = x.prior("apparent_activation_volume", "Normal", 2.0, 2.0, unit="cm3/mol",
                     meaning="dV from the slope alone, shared by all sieve fractions",
                     source="ion conductors, -1 to 5; above 0 where a bottleneck must widen")
    share = x.prior("prefactor_share", "Uniform", -PREFACTOR_SHARE, PREFACTOR_SHARE, unit="1",
                    meaning="share of the pre-exponential term in the activation volume",
                    source="below 10 %, sign unknown (line 131); no reading informs it")
    energy = x.prior("activation_energy", "TruncatedNormal", 0.3, 0.06, 0.05, 0.8, unit="eV",
                     meaning="Arrhenius energy of the bulk", source="sulfides, 0.2 to 0.4 eV")
    contact_of = x.prior("contact_resistivity", "LogNormal", 100.0, 1.5, unit="ohm cm",
                         group="sieve",
                         meaning="R_c at 10 MPa after 500 MPa, first cycle, by sieve fraction",
                         source="from none to several times the bulk")
    now_power = x.prior("contact_exponent", "LogNormal", 1.0, 0.5,
                        meaning="n: fall of the contact term with the pressure now",
                        source="1 where contacts yield; less if elastic, more if cracks close")
    closing = x.prior("closing_pressure", "LogNormal", 150.0, 0.7, unit="MPa",
                      meaning="p_c: pressure that closes cracks",
                      source="quoted solids need 50 to 100 MPa for low impedance (line 160); "
                             "a factor of two either way")
    highest_power = x.prior("history_exponent", "HalfNormal", 0.5,
                            meaning="a: fall of the contact term with the highest pressure",
                            source="sign stated (line 166), size wide")
    cycle_power = x.prior("cycle_exponent", "HalfNormal", 1.0,
                          meaning="b: fall of the contact term with the cycle",
                          source="sign stated (line 110), size wide")
    study_sd = x.prior("laboratory_sd", "LogNormal", 0.4, 0.1, unit="1",
                       meaning="sd of ln conductivity between laboratories",
                       source="round robin: relative sd 35 to 50 %, sd of ln 0.34 to 0.47")
    lot_sd = x.prior("lot_sd", "LogNormal", 0.1, 0.5, unit="1",
                     meaning="sd of ln bulk conductivity between powder lots",
                     source="5 to 20 %; generic, no replicates are published")
    pellet_sd = x.prior("pellet_sd", "LogNormal", 0.07, 0.5, unit="1",
                        meaning="sd of ln bulk conductivity between pellets",
                        source="3 to 15 %; generic, no replicates are published")
    geometry_sd = x.prior("geometry_sd", "LogNormal", 0.03, 0.4, unit="1",
                          meaning="error of ln(thickness / area), common to a pellet",
                          source="0.01 to 0.03 mm in 0.5 to 1 mm")
    contact_sd = x.prior("contact_sd", "LogNormal", 0.4, 0.4, unit="1",
                         meaning="sd of ln contact term between pellets", source=generic)
    reading_sd = x.prior("reading_sd", "LogNormal", 0.02, 0.5, unit="1",
                         meaning="error of ln conductivity of one spectrum", source=generic)
    contact_scatter = x.prior("contact_scatter", "LogNormal", 0.2, 0.5, unit="1",
                              meaning="sd of ln contact term from one setting of the pressure "
                                      "to the next", source="contacts are never the same twice")

    # Readings are far more precise than pellets are alike: the sampler walks in the logarithms of
    # each pellet's own bulk conductivity and contact term (``around``).
    home = x.data("cell__home", dtype="int64", ndim=2)
    used = pt.gt(home[:, 0], 0)
    by_study = study_sd * x.normals("laboratory", "study")
    by_lot = lot_sd * x.normals("lot", "lot")
    level_sd = pt.sqrt(pellet_sd**2 + geometry_sd**2)
    ln_bulk_of: Any = pt.log(bulk_of)
    ln_contact_of: Any = pt.log(contact_of)
    level: Any = (ln_bulk_of[home[:, 0]] - slow * pt.exp(-LEVEL_MPA / slow_MPa)
                  + by_study[home[:, 1]] + by_lot[home[:, 2]])
    contact: Any = ln_contact_of[home[:, 0]]

    def placed(mean: Any, sd: Any) -> tuple[Any, Any]:
        return pt.where(used, mean, 0.0), pt.where(used, sd, 1.0)

    z = x.normals("pellet", "cell", around=placed(level, level_sd))
    z_contact = x.normals("pellet_contact", "cell", around=placed(contact, contact_sd))

    sieve, pellet = x.code("sieve"), x.code("cell")
    now, highest, hot = x["stack_MPa"], x["pelletizing_MPa"], x["temperature_degC"]
    held = pt.maximum(now, LEAST_MPA)
    density = x["relative_density"]
    if x.has("relative_density"):  # elastic strain of the grains closes no pore
        density = density * x.quantity("plastic_density") / x.quantity("expected_density")
    measured = density > 0
    ln_g = pt.where(measured, of_density(pt.where(measured, density, 1.0), power),
                    compaction(highest, joining_of[sieve], joining_MPa, slow, slow_MPa))
    deviation = by_study[x.code("study")] + by_lot[x.code("lot")] + level_sd * z[pellet]
    r_c = pt.exp(contact_sd * z_contact[pellet]) * contact_resistivity(
        held, highest, x["cycle"], contact_of[sieve], now_power, closing, highest_power,
        cycle_power)
    bulk = bulk_of[sieve] * pt.exp(thermal_factor(hot, energy) + deviation)
    shown = pellet_conductivity(bulk, ln_g, volume, now, hot, r_c)
    contacts = x.report("contact_share", shown * r_c / 1000.0)
    x.report("activation_volume_cm3_mol", volume * (1.0 + share) + pt.zeros_like(now))
    x.report("compaction", pt.exp(ln_g))
    x.observe(OUTCOME, "LogNormal", mu=shown,
              sigma=pt.sqrt(reading_sd**2 + (contact_scatter * contacts) ** 2))
    printed = x.data("printed_volume__numbers")
    x.term("printed_volume", -0.5 * ((printed - volume) / PRINTED_SD) ** 2)


MODEL = LabModel(
    name="conduction",
    build=build,
    factors=(Factor("stack_MPa", level="row"), Factor("pelletizing_MPa", level="row"),
             Factor("temperature_degC", level="row"), Factor("cycle", 1.0, "row"),
             Factor("relative_density", 0.0, "row")),
    groups=(Group("sieve", varies=False),
            Group("study", varies=False, reference=TYPICAL), Group("lot"), Group("cell")),
    outcomes=(Outcome(OUTCOME, "LogNormal", ("phase",)),),
    context=("sweep", "density_state", "technique", "activation_volume_cm3_mol"),
    prepare=preparer(compression=False), encoders=(encode_homes, encode_volumes),
    least_slots=SLOTS, accept=0.9,
    what="Conductivity of a pressed pellet by pressure now, highest pressure, cycle and sieve "
         "fraction; informed by: ten printed values of two pellets and one printed slope",
    source=f"doi {DOI}",
    material="electrolyte: Li7SiPS8 (tetragonal glass-ceramic), two sieve fractions of one lot",
)


def with_compression(model: LabModel = MODEL) -> LabModel:
    """The same model with readings under rising pressure above 500 MPa put in.

    The activation volume then rests on the assumed shape of densification too, and is biased as
    far as that is wrong. Nothing is compiled anew.
    """
    return replace(model, prepare=preparer(compression=True))


