"""Annealing a sulfide coating: when is it oxidised, and not yet lost?

Oxidation of the precursor competes with evaporation and coagulation; the physics is in
``annealing_kinetics``. A batch's uncoated powder is its reference (``coating`` is "bare", or no
precursor): cells of one batch share its level, so a coated cell is read as a ratio (resistance
growth, relaxation, degradation) or a difference (first-cycle efficiency on the logit scale, charge
capacity) to the bare one beside it. Without a bare cell in its batch that level is known only up
to the spread of batches, and the fit says so.

    growth = bare growth exp(batch - s_g P),         P = coverage oxidation^a,
    relaxation = bare relaxation exp(batch - s_r P),
    degradation relative to bare = exp(batch - s_d P),
    logit efficiency = bare + batch + g P - l raw,   raw = coverage before coagulation (1 - ox.),
    charge capacity = bare + batch + f c_0 oxidation - h coverage,
    thickness = d_1 w remaining / coverage           (evaporation thins, coagulation thickens).

P, the protection, is a utility written out and no measured thing: nothing fits it to anyone's
verdict. Published orderings of cells and of fragments after ageing enter as what they are,
statements on relaxation and on relative degradation, which fall with P for an unknown strength.
So they say where P is highest, given that a coating protects by covering and by being oxidised.
The charge capacity of an early cycle is recorded and predicted; it measures how little a coating
hinders, and is no objective to choose a coating by.

One annealing time and one atmosphere inform a temperature of half conversion at most; activation
energies and the oxygen order then come from their priors, and ``fit.summary()`` says so. The
ramps count (line 1746: 2 K/min): alone they are worth 7 to 40 min of the hold at 300 to 500 degC.

Limits: the active material's own changes on annealing are not separated (line 1877 asks for an
annealed bare powder); the slow steps of sulfur loss are one first-order loss.

Source: Kissel (2025), doctoral thesis, publication IV (doi 10.1021/acs.chemmater.4c03086).
"""

from __future__ import annotations

from typing import Any

from . import annealing_cells as cells
from . import annealing_kinetics as kinetics
from .annealing_answers import best_temperature, outcome_optimum, statement_table
from .annealing_pairs import paired, prepare
from .engine import Factor, Group, Inputs, LabModel, Outcome
from .level_statements import (
    Curve,
    Levels,
    level_encoder,
    level_rows,
    read_level_statements,
)

__all__ = ["LEVELS", "MODEL", "best_temperature", "outcome_optimum", "paired",
           "statement_table"]

DOI = "10.1021/acs.chemmater.4c03086"
TESTED = (25.0, 100.0, 200.0, 300.0, 400.0, 500.0, 700.0)
"""Annealing temperatures of the study, degC (line 1775)."""
FURNACE = "muffle and tube furnaces; the middle of 25 to 700 degC and as wide as that range"
MELTING = ("sinter in an hour at half to 0.8 of their melting points: lithium sulfate 859 degC, "
           "lithium phosphate 1205 degC; wide")
STEPS = "solid-state oxidation and evaporation, 50 to 200 kJ/mol"
XPS = "estimated 5 % on coverage by XPS (line 2149)"

LEVELS = Levels(
    outcomes=("coverage", "sulfur_oxidation", "relative_degradation", "relaxation_shift_mV",
              "charge_capacity_mAh_g"),
    tested={"anneal_degC": TESTED, "anneal_h": (1.0,), "o2_fraction": (kinetics.AIR, 1.0)},
    defaults={"anneal_degC": float("nan"), "anneal_h": 1.0, "o2_fraction": kinetics.AIR,
              "heating_K_min": kinetics.RAMP, "cooling_K_min": kinetics.RAMP,
              "precursor_wt_pct": 1.0},
)


def build(x: Inputs) -> None:
    """Kinetics, then coverage and oxidation, then what cells and fragments show of them."""
    import pytensor.tensor as pt

    def half(name: str, middle: float, sd: float, meaning: str, source: str) -> Any:
        return x.prior(f"{name}_half_degC", "TruncatedNormal", middle, sd, 25.0, 1200.0,
                       unit="degC", meaning=f"temperature at which half {meaning} in one hour, air",
                       source=source)

    def energy(name: str, meaning: str) -> Any:
        return x.prior(f"{name}_energy", "LogNormal", 100.0, 0.42, unit="kJ/mol", source=STEPS,
                       meaning=f"activation energy of {meaning}")

    half_ox = half("oxidation", 350.0, 150.0, "of the precursor's sulfur is oxidised", FURNACE)
    half_loss = half("evaporation", 600.0, 200.0, "of the coating has evaporated",
                     "phosphates and sulfates last longer than sulfides; wide")
    half_gather = half("coagulation", 600.0, 200.0, "of the covered area has gathered in islands",
                       MELTING)
    energy_ox = energy("oxidation", "oxidation")
    energy_loss = energy("evaporation", "evaporation")
    energy_gather = energy("coagulation", "coagulation")
    order = x.prior("oxygen_order", "TruncatedNormal", 0.5, 0.4, 0.0, 1.5,
                    meaning="order of oxidation in the oxygen fraction",
                    source="0 saturated surface, 0.5 dissociative, 1 first order")
    covering = x.prior("covering", "LogNormal", 1.0, 0.6, unit="1/%",
                       meaning="covering power of 1 wt% precursor as ground: 1 - exp(-c) covered",
                       source="ground coatings cover a third to nearly all")
    spreading = x.prior("spreading", "HalfNormal", 1.0,
                        meaning="growth of the covering power when oxidised", source=cells.GENERIC)
    a = x.prior("oxidation_exponent", "Uniform", 0.5, 2.0,
                meaning="exponent a of oxidation in the protection",
                source="a utility, varied; see best_temperature")

    ramps = (x["heating_K_min"], x["cooling_K_min"])
    held = (x["anneal_degC"], x["anneal_h"])
    oxidation = kinetics.conversion(
        kinetics.dose(*held, half_ox, energy_ox, *ramps)
        * kinetics.oxygen_factor(x["o2_fraction"], order))
    remaining = 1.0 - kinetics.conversion(kinetics.dose(*held, half_loss, energy_loss, *ramps))
    gathered = kinetics.dose(*held, half_gather, energy_gather, *ramps)
    amount = x["precursor_wt_pct"]
    coverage = kinetics.covered_share(amount, remaining, oxidation, gathered, covering, spreading)
    ground = kinetics.conversion(covering * amount)
    raw = kinetics.conversion(covering * amount * remaining) * (1.0 - oxidation)
    worth = kinetics.protection(coverage, oxidation, a)
    for name, value in (("coverage", coverage), ("oxidation", oxidation), ("protection", worth),
                        ("remaining", remaining), ("spread_out", pt.exp(-gathered))):
        x.report(name, value)

    noise_cover = x.prior("coverage_noise", "LogNormal", 0.05, 0.4, unit="1", source=XPS,
                          meaning="SD of one coverage reading")
    noise_ox = x.prior("oxidation_noise", "LogNormal", 0.05, 0.4, unit="1", source=XPS,
                       meaning="SD of one reading of the oxidised share")
    x.observe("coverage", "Normal", mu=coverage, sigma=noise_cover)
    x.observe("sulfur_oxidation", "Normal", mu=oxidation, sigma=noise_ox)
    curves = {"coverage": Curve(coverage, noise_cover),
              "sulfur_oxidation": Curve(oxidation, noise_ox)}
    cells.growth(x, worth)
    cells.efficiency(x, worth, raw)
    curves |= cells.degradation(x, worth)
    curves |= cells.relaxation(x, worth)
    curves |= cells.second_charge(x, oxidation * ground, coverage)
    if x.wants("coating_nm"):
        full = x.prior("coating_nm_full", "LogNormal", 10.0, 0.7, unit="nm",
                       meaning="thickness of 1 wt% where it covers all",
                       source="1 wt% of a sulfide on powder of 0.3 to 1 m2/g")
        thick = x.prior("coating_nm_noise", "LogNormal", 0.35, 0.4,
                        meaning="relative SD of one thickness", source="ranges by STEM")
        x.observe("coating_nm", "LogNormal", sigma=thick,
                  mu=full * amount * remaining / pt.maximum(coverage, 0.02) + 0.01)
    if x.wants("statements"):
        read_level_statements(x, LEVELS, curves)


MODEL = LabModel(
    "annealing", build,
    factors=(Factor("anneal_degC", default=float("nan"), level="run"),
             Factor("anneal_h", default=1.0, level="run"),
             Factor("o2_fraction", default=kinetics.AIR, level="run"),
             Factor("heating_K_min", default=kinetics.RAMP, level="run"),
             Factor("cooling_K_min", default=kinetics.RAMP, level="run"),
             Factor("precursor_wt_pct", default=1.0, level="batch")),
    groups=(Group("batch", lone_in_noise=True),),
    outcomes=(Outcome("coverage"), Outcome("sulfur_oxidation"), *cells.OUTCOMES,
              Outcome("coating_nm", "LogNormal", optional=True)),
    context=("coating", "cycle", "active_material", "row_id", "note"),
    encoders=(level_encoder(LEVELS),),
    extra_rows=level_rows(LEVELS),
    prepare=prepare,
    adaptation="diag",
    accept=0.9,
    what="coverage, oxidation and what they are worth to a cell, after annealing a sulfide coating",
    source=f"Kissel (2025), doctoral thesis, publication IV; doi {DOI}",
    material="active: NCM85 (LiNi0.85Co0.10Mn0.05O2, polycrystals); electrolyte: Li6PS5Cl; powder: "
             "80:20 by mass, 1 % Li3PS4 as coating's precursor",
)
