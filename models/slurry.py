"""From a slurry to a pressed sheet: viscosity, and porosity dry and after pressing.

    SC(t)        = 100 s / (s + (1 - s) exp(-k t)),   s = SC / 100
    ln eta       = ln eta_0 + b (SC(t) - 50) + a_d lg2(d / 5 um) - (1 - n) ln(rate / 100 s^-1) + u
    logit eps_d  = logit eps_d0 + c_d (SC(t) - 50) + d_d lg2(d / 5 um) + g_d lg2(gap / 200 um) + v
    logit eps_c  = logit eps_c0 + m (logit eps_d - logit eps_d0) + c_c (SC(t) - 50)
                   + d_c lg2(d / 5 um) + g_c lg2(gap / 200 um) - h ln(p / 100 MPa) + w

While a slurry stands, its solvent evaporates (share k a minute) and its solid content SC drifts up.
Viscosity eta falls with the shear rate by a power law, n < 1, and rises with solid content, b > 0.
The dry sheet's porosity eps_d depends on solid content, on the median size d of the active material
and on the gap of the doctor blade. Pressing keeps a share m of what was special about the dry sheet
and adds effects of its own, so that the sheet that is denser dry need not be denser when pressed:
d_c is the interaction of the active material with the stage. A density is read as a porosity with
the density of the solids without pores.

Scatter, coarse to fine: slurries (``run``), sheets (``batch``), and within them samples in a
rheometer and punches (``cell``), which are sub-samples and no replicates: two punches of one sheet
are one sheet. ln eta of a slurry and logit eps_d of its sheets scatter with it; every sheet
scatters once dry and once pressed; samples scatter about their slurry, punches about their sheet.

Informed by: nothing published for the viscosity, for which the source prints no value, nor for its
drift, the pressed porosity of a single sheet or any spread; three rounded dry porosities of one
material are printed. The published sentence that viscosity more than doubles from 48 to 52 % solids
is used when told to (``fit(..., statements=True)``), as a bound on the ratio of two slurries. What
the priors say is therefore what this model says until a laboratory has measured.

In the published plan of two active materials and three solid contents each material had a gap of
its own, so that the effects of size and gap are aliased; ``slurry_answers.effects`` reports their
sum and calls the single ones not separable (``aliasing``).

Limits: a power law between 10 and 1000 1/s, without yield stress or plateau; effects are straight
on their scales; no sedimentation, and no migration of binder.

Source: Alabdali et al., Batteries & Supercaps (2024), doi 10.1002/batt.202400709, lines 59 to 76
(process), 135 (drift), 149 to 153 (viscosity), 163 to 174 (density and porosity).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .engine import Factor, Group, Inputs, LabModel, Outcome
from .engine.arrays import expit, namespace
from .engine.bounds import log_normal_tail
from .slurry_answers import (
    WINDOWS,
    casting,
    effects,
    rank_reversal,
    units,
)
from .slurry_recipe import solid_content_after
from .slurry_rows import (
    CALENDERED,
    CALENDERED_DENSITY,
    DEFAULT_DENSITY,
    DRY,
    DRY_DENSITY,
    SAMPLES,
    SLOTS,
    SLURRIES,
    STATEMENT,
    VISCOSITY,
    encode_homes,
    encode_statements,
    prepare,
)

__all__ = ["MODEL", "WINDOWS", "calendered_logit", "casting", "dry_logit", "effects",
           "ln_viscosity", "rank_reversal", "solid_content_after", "units", "viscosity"]

REFERENCE = {"solid_content_pct": 50.0, "shear_rate_1_s": 100.0, "active_d50_um": 5.0,
             "gap_um": 200.0, "pelletizing_MPa": 100.0}
"""Where the intercepts are."""


def ln_viscosity(ln_level: Any, solid_content_pct: Any, solid_slope: Any, ln_rate: Any,
                 thinning: Any) -> Any:
    """ln of the viscosity in Pa s.

    Parameters
    ----------
    ln_level
        ln of the viscosity (Pa s) at 50 % solids and 100 1/s.
    solid_content_pct
        Solid content at the time of the reading (%).
    solid_slope
        b, rise of ln viscosity a percentage point.
    ln_rate
        ln of the shear rate in units of 100 1/s.
    thinning
        1 - n, fall of ln viscosity with ln of the shear rate; 0 for a Newtonian slurry.
    """
    rise = solid_slope * (solid_content_pct - REFERENCE["solid_content_pct"])
    return ln_level + rise - thinning * ln_rate


def viscosity(shear_rate_1_s: Any, solid_content_pct: Any, *, level: Any, solid_slope: Any,
              thinning: Any) -> Any:
    """Viscosity (Pa s) at a shear rate (1/s) and a solid content (%).

    Parameters
    ----------
    shear_rate_1_s, solid_content_pct
        Above zero.
    level, solid_slope, thinning
        Viscosity (Pa s) at 50 % and 100 1/s; rise of its ln a percentage point; 1 - n.
    """
    xp = namespace(shear_rate_1_s, solid_content_pct, level, solid_slope, thinning)
    return xp.exp(ln_viscosity(xp.log(level), solid_content_pct, solid_slope,
                               xp.log(shear_rate_1_s / REFERENCE["shear_rate_1_s"]), thinning))


def dry_logit(start: Any, solid: Any, by_solid: Any, size: Any, by_size: Any, gap: Any,
              by_gap: Any) -> Any:
    """logit of the dry porosity.

    Parameters
    ----------
    start
        logit of the porosity at the reference setting.
    solid, size, gap
        Solid content less 50 %, doublings of the size above 5 um, of the gap above 200 um.
    by_solid, by_size, by_gap
        Change of the logit for each.
    """
    return start + by_solid * solid + by_size * size + by_gap * gap


def calendered_logit(start: Any, memory: Any, dry_deviation: Any, own: Any, hardness: Any,
                     ln_pressure: Any) -> Any:
    """logit of the porosity after pressing.

    Parameters
    ----------
    start
        logit of the porosity at the reference setting and 100 MPa.
    memory
        m, share of the dry sheet's deviation that pressing keeps.
    dry_deviation
        logit of the dry porosity less that at the reference setting.
    own
        Effects of the pressing's own.
    hardness
        h, fall of the logit with ln of the pressure.
    ln_pressure
        ln of the pressure in units of 100 MPa.
    """
    return start + memory * dry_deviation + own - hardness * ln_pressure


def build(x: Inputs) -> None:
    """Slurries, sheets and what is cut from them; one viscosity and two stages of porosity."""
    import pytensor.tensor as pt

    unpublished = "no value is published; wide"
    k = x.prior("evaporation", "LogNormal", 0.002, 1.0, unit="1/min",
                meaning="share of the solvent that a standing slurry loses in a minute",
                source="an open layer some mm deep: 0.1 to 1 % a minute; no value is published")
    soaked = solid_content_after(x["solid_content_pct"], x["soaking_min"], k)
    solid = soaked - REFERENCE["solid_content_pct"]
    size = (x.log("active_d50_um") - math.log(REFERENCE["active_d50_um"])) / math.log(2.0)
    gap = (x.log("gap_um") - math.log(REFERENCE["gap_um"])) / math.log(2.0)
    x.report("solid_content", soaked)

    level = x.prior("viscosity_level", "LogNormal", 0.5, 1.2, unit="Pa s",
                    meaning="viscosity at 50 % solids, 5 um and 100 1/s",
                    source="electrode slurries: some hundredths to some Pa s")
    slope = x.prior("solid_slope", "LogNormal", 0.1, 0.8, unit="1/%",
                    meaning="rise of ln viscosity a percentage point of solids",
                    source="0.03 for hard spheres at this volume share, 0.1 to 0.3 for particle "
                           "networks; above zero and otherwise wide")
    thinning = x.prior("thinning", "TruncatedNormal", 0.4, 0.25, 0.0, 1.0, unit="1",
                       meaning="1 - n: fall of ln viscosity with ln shear rate",
                       source="carbon and binder networks thin under shear; n between 0 and 1")
    by_size = x.prior("viscosity_size", "Normal", 0.0, 0.3, unit="1",
                      meaning="change of ln viscosity a doubling of the active material's size",
                      source=f"finer powders thicken, agglomerates too; {unpublished}")
    slurry_sd = x.prior("slurry_sd", "LogNormal", 0.1, 0.5, unit="1",
                        meaning="sd of ln viscosity between slurries of one recipe",
                        source=f"weighing, mixing, temperature; {unpublished}")
    sample_sd = x.prior("sample_sd", "LogNormal", 0.05, 0.5, unit="1",
                        meaning="sd of ln viscosity between samples of one slurry",
                        source=f"loading of the rheometer; {unpublished}")
    reading_sd = x.prior("reading_sd", "LogNormal", 0.03, 0.5, unit="1",
                         meaning="error of ln viscosity of one point of a flow curve",
                         source=f"torque of a rheometer; {unpublished}")
    # A flow curve tells its sample far better than slurries are alike: the sampler walks in the
    # logarithms of each slurry's and each sample's own viscosity (``around``).
    slurry, sample = x.data(SLURRIES, ndim=2), x.data(SAMPLES, ndim=2)
    of = sample[:, 1].astype("int64")

    def placed(numbers: Any, mean: Any, sd: Any) -> tuple[Any, Any]:
        return pt.where(numbers[:, 0] > 0, mean, 0.0), pt.where(numbers[:, 0] > 0, sd, 1.0)

    def mixed(numbers: Any) -> Any:
        standing = solid_content_after(numbers[:, 2], numbers[:, 4], k)
        return ln_viscosity(pt.log(level) + by_size * numbers[:, 3], standing, slope, 0.0, 0.0)

    z_slurry = x.normals("slurry", "run", around=placed(slurry, mixed(slurry), slurry_sd))
    z_sample = x.normals("sample", "cell", around=placed(
        sample, mixed(sample) + slurry_sd * z_slurry[of], sample_sd))
    ln_eta = ln_viscosity(
        pt.log(level) + by_size * size, soaked, slope,
        x.log("shear_rate_1_s") - math.log(REFERENCE["shear_rate_1_s"]), thinning)
    ln_eta = (ln_eta + slurry_sd * z_slurry[x.code("run")]
              + sample_sd * z_sample[x.code("cell")])
    x.observe(VISCOSITY, "LogNormal", mu=pt.exp(ln_eta), sigma=reading_sd)

    if x.wants("statements"):
        told = x.data(STATEMENT, ndim=2)
        told.set_value(np.zeros((0, 4)))
        low, high, factor, samples = (told[:, j] for j in range(4))
        scatter = pt.sqrt(2.0 * (slurry_sd**2 + (sample_sd**2 + reading_sd**2) / samples))
        x.term("viscosity_rises", log_normal_tail(
            (slope * (high - low) - pt.log(factor)) / scatter))

    porosities = (DRY, CALENDERED, DRY_DENSITY, CALENDERED_DENSITY)
    if not any(x.wants(name) for name in porosities):
        return
    dry_0 = x.prior("dry_porosity", "Beta", 6.0, 5.0, unit="1",
                    meaning="dry porosity at 50 % solids, 5 um and 200 um",
                    source="unpressed coatings of particles: 0.3 to 0.8")
    start = pt.log(dry_0 / (1.0 - dry_0))
    dry_solid = x.prior("dry_solid", "Normal", 0.0, 0.2, unit="1/%",
                        meaning="change of logit dry porosity a percentage point of solids",
                        source="less solvent leaves fewer pores, or shrinks less; either sign")
    dry_size = x.prior("dry_size", "Normal", 0.0, 0.5, unit="1",
                       meaning="change of logit dry porosity a doubling of the size",
                       source="either sign")
    dry_gap = x.prior("dry_gap", "Normal", 0.0, 0.5, unit="1",
                      meaning="change of logit dry porosity a doubling of the gap",
                      source="either sign")
    dry_sd = x.prior("dry_sheet_sd", "LogNormal", 0.1, 0.5, unit="1",
                     meaning="sd of logit dry porosity between sheets of unlike slurries",
                     source=unpublished)
    share = x.prior("slurry_share", "Beta", 2.0, 2.0, unit="1",
                    meaning="share of that variance that sheets of one slurry have in common",
                    source="one sheet was coated from each slurry; wide")
    deviation = (dry_logit(0.0, solid, dry_solid, size, dry_size, gap, dry_gap)
                 + x.effect("slurry_porosity", "run", dry_sd * pt.sqrt(share))
                 + x.effect("dry_sheet", "batch", dry_sd * pt.sqrt(1.0 - share)))
    dry_noise = x.prior("dry_punch_sd", "LogNormal", 0.02, 0.5, unit="1",
                        meaning="sd of the dry porosity of one punch: place on the sheet, reading",
                        source="2 um of 60 um in thickness; no error is published")
    solids = x["mixed_density_g_mL"]
    dry = expit(start + deviation)
    if x.wants(DRY):
        x.observe(DRY, "Normal", mu=dry, sigma=dry_noise)
    if x.wants(DRY_DENSITY):
        x.observe(DRY_DENSITY, "Normal", mu=(1.0 - dry) * solids, sigma=dry_noise * solids)
    if not (x.wants(CALENDERED) or x.wants(CALENDERED_DENSITY)):
        return

    pressed_0 = x.prior("calendered_porosity", "Beta", 4.0, 9.0, unit="1",
                        meaning="porosity at the same setting after pressing at 100 MPa",
                        source="sulfide composites at 100 MPa: 0.1 to 0.55")
    memory = x.prior("memory", "Beta", 2.0, 2.0, unit="1",
                     meaning="share of the dry sheet's deviation that pressing keeps",
                     source="none where particles yield, all where they only move")
    hardness = x.prior("hardness", "LogNormal", 0.5, 0.5, unit="1",
                       meaning="fall of logit porosity with ln of the pressure",
                       source="doubling the pressure closes a tenth to a half of the pores")
    own = [x.prior(f"calendered_{name}", "Normal", 0.0, sd, unit=unit, source="either sign",
                   meaning=f"change of logit pressed porosity a {what}, beyond what was dry")
           for name, sd, unit, what in (
               ("solid", 0.1, "1/%", "percentage point of solids"),
               ("size", 0.4, "1", "doubling of the size"),
               ("gap", 0.4, "1", "doubling of the gap"))]
    pressed_sd = x.prior("calendered_sheet_sd", "LogNormal", 0.08, 0.5, unit="1",
                         meaning="sd of logit pressed porosity between sheets alike when dry",
                         source=unpublished)
    pressed_noise = x.prior("calendered_punch_sd", "LogNormal", 0.015, 0.5, unit="1",
                            meaning="sd of the pressed porosity of one punch",
                            source="1 to 2 um of 60 um in thickness; no error is published")
    by_stage = (own[0] * solid + own[1] * size + own[2] * gap
                + x.effect("calendered_sheet", "batch", pressed_sd))
    pressed = expit(calendered_logit(
        pt.log(pressed_0 / (1.0 - pressed_0)), memory, deviation, by_stage, hardness,
        x.log("pelletizing_MPa") - math.log(REFERENCE["pelletizing_MPa"])))
    if x.wants(CALENDERED):
        x.observe(CALENDERED, "Normal", mu=pressed, sigma=pressed_noise)
    if x.wants(CALENDERED_DENSITY):
        x.observe(CALENDERED_DENSITY, "Normal", mu=(1.0 - pressed) * solids,
                  sigma=pressed_noise * solids)


MODEL = LabModel(
    name="slurry",
    build=build,
    factors=(Factor("solid_content_pct"), Factor("active_d50_um", REFERENCE["active_d50_um"]),
             Factor("gap_um", REFERENCE["gap_um"]), Factor("soaking_min", 0.0, "row"),
             Factor("shear_rate_1_s", REFERENCE["shear_rate_1_s"], "row"),
             Factor("pelletizing_MPa", REFERENCE["pelletizing_MPa"], "row"),
             Factor("mixed_density_g_mL", DEFAULT_DENSITY)),
    groups=(Group("run"), Group("batch"), Group("cell")),
    outcomes=(Outcome(VISCOSITY, "LogNormal", ("temperature_degC",)),
              Outcome(DRY, optional=True), Outcome(CALENDERED, optional=True),
              Outcome(DRY_DENSITY, optional=True), Outcome(CALENDERED_DENSITY, optional=True)),
    context=("active_fraction", "electrolyte_fraction", "carbon_fraction", "binder_fraction",
             "load_t", "punch_mm", "row_id"),
    prepare=prepare, encoders=(encode_statements, encode_homes), least_slots=SLOTS,
    what="Slurry viscosity, and porosity of its sheets dry and pressed; informed by: nothing "
         "published (viscosity), three rounded dry porosities",
    source="Alabdali et al., Batteries & Supercaps (2024), doi 10.1002/batt.202400709",
    material="active: NMC811 (single crystals); electrolyte: Li6PS5Cl; powder: slurry of 64 % "
             "active material by mass with carbon and binder",
)
