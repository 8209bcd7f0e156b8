"""From electrode to cell: energy, power and areal capacity of what the whole cell weighs.

    Q = q w m,    j = C q_1C w m,    V = V_cut + (V_0 - V_cut) exp(-j R / (V_0 - V_cut)) - V_a,
    E_m = Q V / M,    P_m = j V / M,    E_v = Q V / L

q is the discharge capacity per gram of active material weighed in (gross), w its mass share in the
composite, m the areal loading, C the nominal rate on the basis q_1C. V_0 is the mean potential of
the active material over a slow discharge against Li+/Li, V_a that of the anode. An areal current j
takes the voltage j R off, R = R_separator + R_anode + the polarization of cathode and contacts; a
mean voltage never falls below the cut-off V_cut, where a discharge ends. M is the bill of what the
cell weighs on its area,

    M = m + separator + anode + collectors and casing,

and L the sum of their thicknesses. A thin separator and a light anode change M, not Q: a
laboratory's press cell spends nine tenths of its mass on the separator and on the indium anode.

The capacity comes from a column, or from a model before this one in a chain. Its own fall with the
rate is not repeated here: only the voltage is.

Limits: one mean potential whatever share of the capacity is reached; a rate so high that only the
first tenth is delivered has a higher one. The porosity of the composite is a prior and acts on
energy per volume only.

Informed by: five printed energies of one hypothetical series of cells (``cell_answers``), which
tell V_0 where the capacity is known; nothing published informs the resistances, the porosity or the
scatter of a cell's energy.

Source: Kissel (2025), doctoral thesis, lines 478-545 (equations 4 to 8, areal capacity, masses).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from ..data.carbon import DENSITY
from .electrode import ANODE_OHM_CM2
from .engine import Factor, Group, Inputs, LabModel, Outcome, namespace
from .engine.encode import number, text

SULFIDE_DENSITY = 1.87
"""True density of Li6PS5Cl, g/cm3; Frankenberg et al., doi 10.1002/smll.202507279, line 247."""
ACTIVE_DENSITY = DENSITY["NCM82"]
LITHIUM_DENSITY = 0.534
"""Density of lithium, g/cm3: 100 um on a 9 mm disc weigh the printed 3.4 mg (line 528)."""
SEPARATOR_DENSITY = 1.5
"""Density of a pressed sulfide separator, g/cm3: 80 mg and 10 mg of 10 mm diameter are about 700
and 85 um thick, 1.46 and 1.50 (lines 526, 528)."""
POSSIBLE_DENSITY = (0.3, 6.0)
"""Densities of a separator, g/cm3, beyond which a mass or a thickness has another unit."""
PRESS_CELL_CM2 = math.pi / 4.0
"""Area of a press cell of 10 mm diameter, cm2 (line 888)."""
CUTOFF_V = 2.52
"""Potential at which a discharge ends, V vs Li+/Li: 1.9 V vs In/InLi (line 820)."""
INDIUM_V = 0.62
"""Potential of indium-lithium, V vs Li+/Li (line 665)."""
ANODE_POTENTIALS = {"Li": 0.0, "InLi": INDIUM_V}


def areal_capacity(capacity: Any, active_fraction: Any, loading: Any) -> Any:
    """Areal capacity (mAh/cm2) of a composite.

    Parameters
    ----------
    capacity
        Gross capacity (mAh/g of active material).
    active_fraction
        Mass share of active material in the composite (1).
    loading
        Composite mass on the area (mg/cm2).
    """
    return capacity * active_fraction * loading / 1000.0


def current_density(c_rate: Any, basis: Any, active_fraction: Any, loading: Any) -> Any:
    """Areal current (mA/cm2) at a rate (1/h) on a capacity basis (mAh/g)."""
    return c_rate * areal_capacity(basis, active_fraction, loading)


def layer_mass(thickness: Any, density: Any) -> Any:
    """Areal mass (mg/cm2) of a layer from its thickness (um) and density (g/cm3)."""
    return 0.1 * thickness * density


def layer_thickness(mass: Any, density: Any) -> Any:
    """Thickness (um) of a layer from its areal mass (mg/cm2) and density (g/cm3)."""
    return 10.0 * mass / density


def separator_resistance(thickness: Any, conductivity: Any) -> Any:
    """Areal resistance (ohm cm2) of a separator: thickness (um) over conductivity (mS/cm)."""
    return 0.1 * thickness / conductivity


def mean_voltage(potential: Any, anode_potential: Any, current: Any, resistance: Any) -> Any:
    """Mean voltage (V) of a discharge.

    Parameters
    ----------
    potential
        Mean potential of the active material over a slow discharge (V vs Li+/Li), above the
        cut-off.
    anode_potential
        Potential of the anode (V vs Li+/Li).
    current
        Areal current (mA/cm2).
    resistance
        Areal resistance of the cell (ohm cm2).

    Returns
    -------
    array
        potential - anode potential - j R where j R is small; never below the cut-off.
    """
    xp = namespace(potential, anode_potential, current, resistance)
    room = potential - CUTOFF_V
    lost = -room * xp.expm1(-current * resistance / (1000.0 * room))
    return potential - lost - anode_potential


def specific_energy(charge: Any, voltage: Any, mass: Any) -> Any:
    """Energy over mass (Wh/kg) from mAh/cm2, V and mg/cm2."""
    return 1000.0 * charge * voltage / mass


def specific_power(current: Any, voltage: Any, mass: Any) -> Any:
    """Mean power over mass (W/kg) from mA/cm2, V and mg/cm2."""
    return 1000.0 * current * voltage / mass


def energy_density(charge: Any, voltage: Any, thickness: Any) -> Any:
    """Energy over volume (Wh/L) from mAh/cm2, V and um."""
    return 1e4 * charge * voltage / thickness


def composite_density(active_fraction: Any) -> Any:
    """Density of a composite without pores (g/cm3), all but the active material as electrolyte.

    A few percent of carbon or binder instead change it by less than a percent.
    """
    return 1.0 / (active_fraction / ACTIVE_DENSITY + (1.0 - active_fraction) / SULFIDE_DENSITY)


def build(x: Inputs) -> None:
    """Areal capacity, mean voltage, and energy and power over mass and volume."""
    import pytensor.tensor as pt

    potential = x.prior("potential", "Normal", 3.8, 0.1, unit="V",
                        meaning="mean potential of the active material over a slow discharge, "
                                "vs Li+/Li",
                        source="nickel-rich layered oxides between 2.5 and 4.3 V: 3.7 to 3.9 V")
    polarization = x.prior("polarization", "LogNormal", 30.0, 0.6, unit="ohm cm2",
                           meaning="areal resistance of cathode and contacts over a discharge",
                           source="cathodes of such cells have 10 to 100 ohm cm2 at one state of "
                                  "charge (doi 10.1149/1945-7111/ae55d2), more near the end")
    conductivity = x.prior("separator_conductivity", "LogNormal", 1.5, 0.5, unit="mS/cm",
                           meaning="ionic conductivity of the separator",
                           source="pressed Li6PS5Cl, 0.5 to 4 mS/cm")
    density = x.prior("separator_density", "Normal", SEPARATOR_DENSITY, 0.1, unit="g/cm3",
                      meaning="density of the separator where it is not weighed",
                      source="dense 1.87; printed masses and thicknesses, rounded (lines 526, 528)")
    pores = x.prior("composite_porosity", "Beta", 4.0, 16.0, unit="1",
                    meaning="pores of the pressed composite; energy per volume only",
                    source="pellets pressed at 300 to 400 MPa, 8 to 38 %")
    cell_sd = x.prior("resistance_sd", "HalfNormal", 0.3, unit="1",
                      meaning="sd of ln polarization between cells",
                      source="assembly and contacts; generic")
    energy_sd = x.prior("energy_sd", "LogNormal", 0.02, 0.5, unit="1",
                        meaning="relative sd of one reading of energy or areal capacity, given "
                                "the capacity",
                        source="balance error 0.1 mg of 12 to 15 mg (line 863), masses, areas")

    on_area = 1.0 + x.prior("loading_error", "Normal", 0.0, 0.01, unit="1",
                            meaning="relative error of all areal loadings of composite",
                            source="diameter of the die, powder left in it: about 1 %")

    w, loading = x["active_fraction"], on_area * x["areal_loading_mg_cm2"]
    charge = areal_capacity(x["capacity_mAh_g"], w, loading)
    current = current_density(x["c_rate"], x["c_rate_basis_mAh_g"], w, loading)
    separator_um, weighed = x["separator_um"], x["separator_mg_cm2"]
    separator = pt.where(weighed > 0, weighed, layer_mass(separator_um, density))
    mass = loading + separator + x["anode_mg_cm2"] + x["inactive_mg_cm2"]
    thickness = (layer_thickness(loading, composite_density(w) * (1.0 - pores)) + separator_um
                 + x["anode_um"] + x["inactive_um"])
    anode = x["anode_resistance_ohm_cm2"]
    resistance = (polarization * pt.exp(x.effect("cell_resistance", "cell", cell_sd))
                  + separator_resistance(separator_um, conductivity)
                  + pt.where(anode > 0, anode, ANODE_OHM_CM2))
    voltage = mean_voltage(potential, x["anode_potential_V"], current, resistance)
    energy = specific_energy(charge, voltage, mass)
    x.report("cell_mass_mg_cm2", mass)
    x.report("cell_thickness_um", thickness)
    x.report("composite_energy_Wh_kg", specific_energy(charge, voltage, loading))
    x.report("composite_power_W_kg", specific_power(current, voltage, loading))

    x.observe("cell_energy_Wh_kg", "LogNormal", mu=energy, sigma=energy_sd)
    if x.wants("mean_voltage_V"):
        voltage_sd = x.prior("voltage_sd", "LogNormal", 0.015, 0.5, unit="V",
                             meaning="sd of one mean voltage",
                             source="spread of twin cells; generic")
        x.observe("mean_voltage_V", "Normal", mu=voltage, sigma=voltage_sd)
    for name, value in (("cell_power_W_kg", specific_power(current, voltage, mass)),
                        ("areal_capacity_mAh_cm2", charge),
                        ("cell_energy_Wh_L", energy_density(charge, voltage, thickness))):
        if x.wants(name):
            x.observe(name, "LogNormal", mu=value, sigma=energy_sd)


def prepare(rows: pd.DataFrame, fitting: bool) -> tuple[pd.DataFrame, list[str]]:
    """The same rows with weighed masses on their area, and the anode's potential from its name.

    ``composite_mass_mg``, ``separator_mass_mg`` and ``anode_mass_mg`` with ``cell_diameter_mm`` or
    ``area_cm2`` fill the columns per area that a row leaves empty; a separator that was only
    weighed gets the thickness of an ordinary density, a lithium anode its mass from its thickness.

    Raises
    ------
    ValueError
        Naming the row: a mass without an area, a separator whose mass and thickness cannot both
        be, a lithium anode of which neither thickness nor mass is given.
    """
    rows = rows.copy()
    diameter = number(rows, "cell_diameter_mm")
    area = number(rows, "area_cm2")
    area = np.where(np.isnan(area), math.pi / 4.0 * (diameter / 10.0) ** 2, area)
    filled: dict[str, np.ndarray] = {}
    notes: list[str] = []
    for mass, per_area in (("composite_mass_mg", "areal_loading_mg_cm2"),
                           ("separator_mass_mg", "separator_mg_cm2"),
                           ("anode_mass_mg", "anode_mg_cm2")):
        given, weighed = number(rows, per_area), number(rows, mass)
        lack = np.isnan(given) & ~np.isnan(weighed) & np.isnan(area)
        if lack.any() and mass == "composite_mass_mg":
            notes.append(f"{int(lack.sum())} rows weigh their composite but state no area: the "
                         "loading of an ordinary press cell is taken, 19.1 mg/cm2")
        elif lack.any():
            raise ValueError(f"row {_first(rows, lack)}: {mass} is given without an area; add "
                             f"cell_diameter_mm or area_cm2, or give {per_area}")
        filled[per_area] = np.where(np.isnan(given), weighed / area, given)
    thickness = number(rows, "separator_um")
    mass = filled["separator_mg_cm2"]
    with np.errstate(invalid="ignore", divide="ignore"):
        implied = np.where((mass > 0) & (thickness > 0), 10.0 * mass / thickness, SEPARATOR_DENSITY)
    odd = (implied > POSSIBLE_DENSITY[1]) | (implied < POSSIBLE_DENSITY[0])
    if odd.any():
        k = int(np.flatnonzero(odd)[0])
        raise ValueError(
            f"row {rows.index[k]}: a separator of {mass[k]:.4g} mg/cm2 in {thickness[k]:.4g} um "
            f"would have {implied[k]:.3g} g/cm3; check the units of separator_um (um) and of its "
            "mass (mg), and the area")
    only_weighed = np.isnan(thickness) & (mass > 0)
    filled["separator_um"] = np.where(
        only_weighed, layer_thickness(mass, SEPARATOR_DENSITY), thickness)
    _fill_anodes(rows, filled)
    for name, values in filled.items():
        if name in rows or not np.isnan(values).all():
            rows[name] = values
    return rows, notes


def _fill_anodes(rows: pd.DataFrame, filled: dict[str, np.ndarray]) -> None:
    named = text(rows, "counter_electrode").to_numpy()
    lithium, indium = named == "Li", named == "InLi"
    potential, thickness = number(rows, "anode_potential_V"), number(rows, "anode_um")
    mass = filled["anode_mg_cm2"]
    known = np.where(lithium, 0.0, np.where(indium, INDIUM_V, np.nan))
    filled["anode_potential_V"] = np.where(np.isnan(potential), known, potential)
    metal = filled["anode_potential_V"] == 0.0
    bare = metal & np.isnan(mass) & np.isnan(thickness)
    if bare.any():
        raise ValueError(f"row {_first(rows, bare)}: a lithium anode without thickness or mass; "
                         "give anode_um or anode_mg_cm2 (0 for a cell without excess lithium)")
    mass = np.where(metal & np.isnan(mass), layer_mass(thickness, LITHIUM_DENSITY), mass)
    filled["anode_mg_cm2"] = mass
    filled["anode_um"] = np.where(metal & np.isnan(thickness),
                                  layer_thickness(mass, LITHIUM_DENSITY), thickness)


def _first(rows: pd.DataFrame, where: np.ndarray) -> Any:
    return rows.index[int(np.flatnonzero(where)[0])]


FACTORS = (
    Factor("capacity_mAh_g", level="row"),
    Factor("c_rate", default=0.1, level="row"),
    Factor("c_rate_basis_mAh_g", default=200.0, level="row"),
    Factor("active_fraction", default=0.7),
    Factor("areal_loading_mg_cm2", default=19.1, level="cell"),
    Factor("separator_um", default=700.0, level="cell"),
    Factor("separator_mg_cm2", default=0.0, level="cell"),
    Factor("anode_mg_cm2", default=61.1, level="cell"),
    Factor("anode_um", default=150.0, level="cell"),
    Factor("anode_potential_V", default=INDIUM_V, level="cell"),
    Factor("anode_resistance_ohm_cm2", default=0.0, level="cell"),
    Factor("inactive_mg_cm2", default=0.0, level="cell"),
    Factor("inactive_um", default=0.0, level="cell"),
)
"""What a row leaves out is that of the laboratory's press cell (lines 526, 888): 15 mg composite,
700 um separator and 48 mg indium-lithium on 10 mm diameter, collectors and casing not counted."""

MODEL = LabModel(
    name="cell",
    build=build,
    factors=FACTORS,
    groups=(Group("cell"),),
    outcomes=(Outcome("cell_energy_Wh_kg", "LogNormal"),
              Outcome("mean_voltage_V", optional=True),
              Outcome("cell_power_W_kg", "LogNormal", optional=True),
              Outcome("areal_capacity_mAh_cm2", "LogNormal", optional=True),
              Outcome("cell_energy_Wh_L", "LogNormal", optional=True)),
    context=("composite_mass_mg", "separator_mass_mg", "anode_mass_mg", "cell_diameter_mm",
             "area_cm2", "counter_electrode", "row_id"),
    prepare=prepare,
    accept=0.9,
    what="energy and power of a cell over its mass and volume, from the electrode's capacity",
    source="Kissel (2025), doctoral thesis, lines 478-545",
    material="active: NCM82 (LiNi0.82Mn0.07Co0.11O2); electrolyte: Li6PS5Cl; powder: 70:30 by "
             "mass, hypothetical cells with the masses of one press cell",
)
