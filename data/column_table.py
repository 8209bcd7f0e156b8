"""Every column that a table may have: unit, meaning, level and plausible bounds.

The bounds are wide enough for any honest laboratory and narrow enough to notice minutes written as
hours, fractions written as per cent, or two columns that changed places.
"""

from __future__ import annotations

from dataclasses import dataclass

LEVELS = ("study", "lot", "mill", "run", "batch", "cell")
"""Level columns from coarse to fine; a label is unique within its parent."""


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    name, unit, meaning : str
        ``unit`` is "" for text and "1" for pure numbers.
    level : str
        The level that the value belongs to: "row", one of `LEVELS`, or "" for remarks.
    kind : str
        "number", "integer" or "text".
    low, high : float, optional
        Inclusive bounds in ``unit``.
    choices : tuple of str
        The legal entries of a text column; empty means any text.
    reading : bool
        True for what is measured, False for what is set, labelled or remarked.
    """

    name: str
    unit: str
    meaning: str
    level: str = "row"
    kind: str = "number"
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    reading: bool = False


def _factor(name: str, unit: str, low: float, high: float, level: str, meaning: str) -> Column:
    return Column(name, unit, meaning, level, "number", low, high)


def _reading(name: str, unit: str, low: float, high: float, level: str, meaning: str) -> Column:
    return Column(name, unit, meaning, level, "number", low, high, reading=True)


def _text(name: str, meaning: str, level: str = "", choices: tuple[str, ...] = ()) -> Column:
    return Column(name, "", meaning, level, "text", choices=choices)


CRITERIA = ("porosity", "homogeneity_CAM", "contact_SE_CAM", "contact_SE_SE", "homogeneity_SE",
            "contact_CC_CAM", "contact_CC_CC", "homogeneity_CC")
"""Quality criteria; CAM active material, SE electrolyte, CC conductive carbon."""
NOT_DONE = ("planned", "running", "failed", "abandoned", "conflict")
STATUS = ("done", *NOT_DONE)
KINDS = ("measured", "statement", "digitised", "simulated")
QUALIFIERS = ("=", "~", "<", ">", "<=", ">=", "range", "trend")

_LABELS = [
    _text("study", "publication or campaign that the row comes from", "study"),
    _text("lot", "powder lot", "lot"),
    _text("mill", "mill or mixer, one name a machine", "mill"),
    _text("run", "one charge of the mill, or one run of the furnace with all that is in it", "run"),
    _text("batch", "one composite powder sample", "batch"),
    _text("cell", "one cell or pellet", "cell"),
    _text(
        "status",
        "how far the experiment is; conflict: printed, but its settings are missing or "
        "contradict the source, so listed and never fitted",
        "row",
        STATUS,
    ),
    _text("reason", "why it failed, was abandoned or is in conflict"),
    _text("failure", "what failed: the process at its setting (empty counts as this), or only the "
          "assay of its product", "row", ("process", "assay")),
    _text("kind", "where the numbers come from; empty means measured", "row", KINDS),
]

_FACTORS = [
    _text("method", "mixing method, e.g. hand or machine", "batch"),
    _text("composition", "mass ratio of the composite, e.g. CAM:SE:CNF 70:30:1", "batch"),
    _factor("rpm", "1/min", 30, 30_000, "run", "speed of sun wheel or rotor"),
    _factor("frequency_Hz", "1/s", 1, 200, "run", "frequency of a vibrating mill"),
    _factor("milling_min", "min", 0.2, 6_000, "batch", "milling or mixing time"),
    _factor("bead_mm", "mm", 0.05, 40, "run", "milling bead diameter"),
    _factor("filling", "1", 0.01, 0.9, "run", "bead filling ratio of the chamber"),
    _factor("batch_mass_mg", "mg", 10, 1e8, "batch", "mass of composite mixed at once"),
    _factor("sample_mass_g", "g", 0.01, 1e6, "run", "mass of powder stressed in the mill"),
    _factor(
        "c_rate",
        "1/h",
        0.001,
        100,
        "row",
        "nominal rate on the capacity basis in c_rate_basis_mAh_g",
    ),
    _factor("c_rate_basis_mAh_g", "mAh/g", 50, 400, "row", "capacity that one C refers to"),
    _factor("cycle", "1", 0, 1e5, "row", "cycle number"),
    _factor("previous_cycle", "1", 0, 1e5, "row",
            "cycle of the reading before in a course; 0 or empty where there is none"),
    _factor("previous_capacity_mAh_g", "mAh/g", 0, 400, "row", "capacity in that cycle"),
    _factor("composite_mass_mg", "mg", 0.5, 5_000, "cell", "weighed composite in the cell"),
    _factor("active_fraction", "1", 0.01, 1, "batch", "mass fraction of active material"),
    _factor("electrolyte_fraction", "1", 0, 1, "batch", "mass fraction of electrolyte"),
    _factor("carbon_fraction", "1", 0, 0.5, "batch",
            "mass share of conductive carbon in the whole dry composite"),
    _factor("binder_fraction", "1", 0, 0.5, "batch", "mass fraction of binder"),
    _text("carbon_type", "kind of the conductive carbon, e.g. fibre or black", "batch"),
    _factor("areal_loading_mg_cm2", "mg/cm2", 0.1, 500, "cell", "composite mass on cell area"),
    _factor("cell_diameter_mm", "mm", 1, 200, "cell", "inner diameter of the cell"),
    _factor("area_cm2", "cm2", 1e-4, 1e4, "cell", "geometric area of the electrode"),
    _factor("thickness_um", "um", 0.5, 20_000, "cell", "thickness of the electrode or pellet"),
    _text("blocking", "carrier that the cell's contacts stop: ion (metal foils on the composite) "
          "or electron (layers of electrolyte on both sides)", "cell", ("ion", "electron")),
    _factor("separator_mass_mg", "mg", 0.5, 5_000, "cell", "electrolyte of the separator"),
    _factor("separator_mg_cm2", "mg/cm2", 0, 2_000, "cell",
            "separator mass on cell area; 0 where only its thickness is known"),
    _factor("separator_um", "um", 1, 5_000, "cell", "thickness of the separator"),
    _factor("anode_mass_mg", "mg", 0, 5_000, "cell", "anode without its current collector"),
    _factor("anode_mg_cm2", "mg/cm2", 0, 2_000, "cell", "anode mass on cell area, no collector"),
    _factor("anode_um", "um", 0, 5_000, "cell", "thickness of the anode"),
    _factor("anode_potential_V", "V", -0.5, 3, "cell",
            "potential of the anode, vs Li+/Li; 0.62 for In/InLi"),
    _factor("inactive_mg_cm2", "mg/cm2", 0, 5_000, "cell",
            "current collectors and casing, mass on cell area"),
    _factor("inactive_um", "um", 0, 50_000, "cell", "current collectors and casing, thickness"),
    _factor("torque_Nm", "N m", 0.1, 200, "cell", "torque of the frame's bolts"),
    _text("frame", "frame that holds the pressure, e.g. steel or aluminium", "cell"),
    _text("operator", "who assembled the cell", "cell"),
    _text("counter_electrode", "what the cell voltage is measured against", "cell", ("Li", "InLi")),
    _text("rate_plan", "planned discharge rates, e.g. '1x0.1, 3x0.1, 5x0.3, 5x1'", "cell"),
    _factor("block", "1", 1, 1e5, "row", "consecutive cycles at one rate, counted from 1"),
    _factor(
        "cb_parts",
        "1",
        0,
        100,
        "batch",
        "carbon black, parts per 100 parts of active material + electrolyte",
    ),
    _factor("cb_per_electrolyte_wt_pct", "%", 0, 1_000, "batch",
            "carbon black, mass over mass of electrolyte"),
    _factor("cb_in_matrix_wt_pct", "%", 0, 100, "batch",
            "carbon black, mass share of electrolyte + carbon"),
    _factor("cb_in_composite_wt_pct", "%", 0, 100, "batch",
            "carbon black, mass share of the whole composite"),
    _factor("cb_in_matrix_vol_pct", "%", 0, 100, "batch",
            "carbon black, volume share of electrolyte + carbon"),
    _factor("electrolyte_parts", "1", 0, 100, "batch",
            "electrolyte, parts per 100 parts of active material + electrolyte"),
    _factor("premix_rpm", "1/min", 0, 30_000, "run", "rotor speed while carbon meets electrolyte"),
    _factor("premix_min", "min", 0, 6_000, "run", "time of that premixing"),
    _factor("fill_degree", "1", 0.001, 1, "batch", "solid volume over chamber volume"),
    _text("active_material", "active material, e.g. NCM82 single-crystalline", "lot"),
    _text("coating", "name of the coating; empty or 'bare' is the uncoated reference", "lot"),
    _text("phase", "what a conductivity or a porosity is of", "row",
          ("composite", "matrix", "powder", "active material", "electrolyte", "carbon + binder")),
    _factor("ptfe_wt_pct", "%", 0, 30, "batch", "PTFE binder content by mass"),
    _factor("coating_wt_pct", "%", 0, 50, "lot", "coating content by mass"),
    _factor("anneal_degC", "degC", 20, 1_500, "run", "annealing temperature"),
    _factor("anneal_h", "h", 0, 1_000, "run", "annealing time at temperature"),
    _factor("o2_fraction", "1", 0, 1, "run", "oxygen fraction of the annealing gas"),
    _factor("heating_K_min", "K/min", 0.01, 1_000, "run", "heating rate of the annealing ramp"),
    _factor("cooling_K_min", "K/min", 0.01, 1_000, "run", "cooling rate after annealing"),
    _factor("precursor_wt_pct", "%", 0, 50, "batch", "coating precursor by mass of powder"),
    _factor("temperature_degC", "degC", -60, 200, "row", "temperature of the measurement"),
    _factor("pelletizing_MPa", "MPa", 1, 5_000, "row", "highest pressing pressure so far"),
    _factor("stack_MPa", "MPa", 0, 5_000, "row", "pressure during the measurement"),
    _text("density_state", "density read in the die under its pressure, or after release", "row",
          ("in die", "out of die")),
    _text("sweep", "whether the pressure was rising or falling; cycle counts the compressions",
          "row", ("compression", "release")),
    _text("sieve", "sieve fraction, e.g. '<50 um'", "lot"),
    _factor("active_volume_fraction", "1", 0, 0.95, "batch",
            "volume share of active material in the solid, pores apart"),
    _factor("cell_scaling", "1", 0.8, 1.2, "row",
            "factor on all lattice parameters in a simulation"),
    _factor("solid_content_pct", "%", 1, 100, "run",
            "solid content of the slurry as mixed, by mass"),
    _factor("binder_solution_pct", "%", 0.1, 100, "run",
            "binder in the solution it comes in, by mass"),
    _text("solvent", "solvent of a slurry or of its binder", "run"),
    _factor("soaking_min", "min", 0, 1e5, "row",
            "time from the end of slurry mixing to the coating or to the reading"),
    _factor("active_d50_um", "um", 0.005, 5_000, "batch",
            "median particle size of the active material by volume"),
    _factor("electrolyte_d50_um", "um", 0.005, 5_000, "batch",
            "median particle size of the electrolyte by volume"),
    _factor("load_t", "t", 0, 1_000, "row", "load of a press, metric tons"),
    _factor("punch_mm", "mm", 0.5, 500, "row", "diameter of the round punch that is pressed"),
    _factor("shear_rate_1_s", "1/s", 1e-4, 1e6, "row", "shear rate"),
    _factor("gap_um", "um", 1, 10_000, "row", "coating or measuring gap"),
    _text(
        "capacity_basis",
        "gram of what the capacity refers to",
        "row",
        ("gross", "active", "composite"),
    ),
    _text("capacity_cycles", "cycles that the capacity averages", "row"),
    _text(
        "charge_mode", "constant current, or with a constant-voltage step", "row", ("CC", "CCCV")
    ),
    _text("window", "voltage window and counter electrode", "row"),
    _text("technique", "how the value was determined", "row"),
    _text("direction", "last charged or discharged before the reading", "row",
          ("charge", "discharge", "hold")),
    _factor("hold_V", "V", -1, 7, "row", "potential held during the reading, vs Li+/Li"),
    _factor("hold_h", "h", 0, 1e5, "row", "time since the hold began"),
    _factor("soc_offset_mV", "mV", -2_000, 2_000, "row",
            "relaxed potential less that at which resistances are compared"),
    _factor("soc_slope_per_mV", "1/mV", -0.1, 0.1, "row",
            "relative change of the resistance per mV of soc_offset_mV, where it was measured"),
    _factor("weighed_active_g", "g", 0, 1e6, "batch", "active material weighed into the mixer"),
    _factor("weighed_electrolyte_g", "g", 0, 1e6, "batch", "electrolyte weighed into the mixer"),
    _factor("weighed_carbon_g", "g", 0, 1e6, "batch", "carbon black weighed into the mixer"),
    _factor("active_volume_mL", "mL", 0, 1e6, "batch", "solid volume of the active material"),
    _factor("electrolyte_volume_mL", "mL", 0, 1e6, "batch", "solid volume of the electrolyte"),
    _factor("carbon_volume_mL", "mL", 0, 1e6, "batch", "solid volume of the carbon black"),
    _factor("solid_volume_mL", "mL", 0, 1e6, "batch", "solid volume of the whole charge"),
    _factor("mixed_density_g_mL", "g/mL", 0.1, 25, "batch",
            "mass of the composite over its pore-free volume"),
    _text("species", "group of fragments, e.g. polysulfide or oxygenated", "row"),
    _factor("low_frequency_ohm_cm2", "ohm cm2", 1e-6, 1e9, "cell",
            "real part at the lowest frequency of a spectrum, times area"),
    _factor("frequency_of_signal_Hz", "1/s", 1e-9, 1e12, "row", "frequency of an impedance point"),
    _text("spectrum", "label of an impedance spectrum", "row"),
    _text("criterion", "quality criterion that a grade or a statement is about", "row", CRITERIA),
    _text("rater", "who graded an image", "row"),
    _text("image", "field of view that was graded, a label within its sheet", "row"),
    _factor("compacted", "1", 0, 1, "row", "1 after the pressing step, 0 before it"),
    _factor("criterion_measurable", "1", 0, 1, "row",
            "1 where images show the criterion well; filled in from its name"),
    _factor("criterion_contact", "1", 0, 1, "row",
            "1 for a criterion about contacts, 0 for one about a distribution; filled in"),
    Column("scale_from", "1", "lowest grade of the scale", "row", "integer", -100, 100),
    Column("scale_to", "1", "highest grade of the scale", "row", "integer", -100, 100),
    _text("anode_preparation", "how the anode was made", "cell"),
    _text("time_point", "when in the protocol", "row"),
    _text("reference", "titrated reference cell that a cell is compared with", "cell"),
    _factor("relaxed_V", "V", -1, 7, "row", "potential at the end of a rest, vs Li+/Li"),
    _factor("active_mass_mg", "mg", 0.01, 5_000, "cell", "active material weighed into the cell"),
    _factor("active_mass_error_mg", "mg", 0, 1_000, "cell", "sd of the weighed active material"),
    _factor("reference_mass_error", "1", 0, 0.2, "row", "relative sd of the reference's mass"),
    _factor("reference_mAh_g", "mAh/g", -50, 2_000, "row", "reference charge at relaxed_V"),
    _factor(
        "reference_slope_mAh_g_V", "mAh/g/V", 0, 1e6, "row", "slope of the reference at relaxed_V"
    ),
    _factor("charge_error_mAh", "mAh", 0, 1e4, "row", "sd of the charge of one point"),
    _factor("potential_error_V", "V", 0, 1, "row", "sd of relaxed_V, cell and reference together"),
    _factor("counter_error_V", "V", 0, 1, "row", "sd of the counter electrode's potential"),
    _factor("relaxation_V", "V", 0, 1, "row", "stated one-sided error of an unfinished rest"),
    _factor("reference_relaxation_V", "V", 0, 1, "row", "the same of the reference"),
    _factor(
        "reference_self_discharge_V", "V", 0, 1, "row", "stated self-discharge of the reference"
    ),
    _factor(
        "reference_gain_mAh_g", "mAh/g", 0, 500, "row", "cumulative charge error of the reference"
    ),
    _factor(
        "reference_lost_mAh_g", "mAh/g", 0, 500, "row", "charge that the reference may have lost"
    ),
]

_READINGS = [
    _reading("specific_energy_J_g", "J/g", 0.01, 2e5, "batch", "specific energy input E_m"),
    _reading(
        "stress_energy_rel", "1", 1e-6, 1e6, "run", "mean stress energy relative to a named recipe"
    ),
    _reading(
        "stress_number_rel",
        "1",
        1e-6,
        1e6,
        "batch",
        "number of stress events relative to a named recipe",
    ),
    _reading(
        "capacity_mAh_g",
        "mAh/g",
        0,
        400,
        "row",
        "discharge capacity per gram of active material weighed in (gross)",
    ),
    _reading(
        "active_capacity_mAh_g",
        "mAh/g",
        0,
        400,
        "row",
        "discharge capacity per gram of electronically connected active material",
    ),
    _reading(
        "composite_capacity_mAh_g",
        "mAh/g",
        0,
        400,
        "row",
        "discharge capacity per gram of composite",
    ),
    _reading("areal_capacity_mAh_cm2", "mAh/cm2", 0, 100, "row", "discharge capacity on cell area"),
    _reading("mean_voltage_V", "V", 0, 6, "row", "mean cell voltage of the discharge"),
    _reading("cell_energy_Wh_kg", "Wh/kg", 0, 3_000, "row", "discharge energy over mass of cell"),
    _reading("cell_power_W_kg", "W/kg", 0, 1e5, "row", "mean discharge power over mass of cell"),
    _reading("cell_energy_Wh_L", "Wh/L", 0, 6_000, "row", "discharge energy over volume of cell"),
    _reading("composite_charge_cc_mAh_g", "mAh/g", 0, 1_000, "row",
             "charge at constant current per gram of composite"),
    _reading("composite_charge_cv_mAh_g", "mAh/g", 0, 1_000, "row",
             "charge at constant voltage per gram of composite"),
    _reading("capacity_cv_pct", "%", 0, 100, "row", "coefficient of variation as printed"),
    _reading("c_rate_measured", "1/h", 0, 1_000, "row", "current over active mass and basis"),
    _reading("charge_capacity_mAh_g", "mAh/g", 0, 1_000, "row",
             "charge capacity per gram of active material weighed in (gross)"),
    _reading("charge_cv_share", "1", 0, 1, "row", "share of the charge at constant voltage"),
    _reading("discharge_cv_share", "1", 0, 1, "row", "share of the discharge at constant voltage"),
    _reading("coulombic_efficiency", "1", 0, 10, "row", "discharge over charge of one cycle"),
    _reading("block_efficiency", "1", 0, 10, "row", "discharge over charge, block so far"),
    _reading("first_cycle_efficiency", "1", 0, 2, "cell", "discharge over charge of cycle 1"),
    _reading("decomposition_mAh_g", "mAh/g", 0, 400, "cell",
             "first charge below 3.0 V vs In/InLi per gram of active material: mostly electrolyte"),
    _reading("hindrance_peak_V", "V", 2, 5, "cell",
             "peak of kinetic hindrance in the first discharge, potential vs Li+/Li"),
    _reading("hindrance_peak_mAh_g_V", "mAh/g/V", 0, 1e5, "cell",
             "differential capacity of that peak above its shoulders"),
    _reading("retention", "1", 0, 1.2, "row", "capacity kept after retention_cycles"),
    _factor("retention_cycles", "1", 1, 1e5, "row", "cycles that the retention spans"),
    _reading("utilization", "1", 0, 1.5, "cell", "static utilization as measured (may exceed 1)"),
    _reading("charge_mAh", "mAh", -1e6, 1e6, "row", "charge passed until a relaxed point"),
    _reading(
        "xrd_utilization", "1", 0, 1.5, "cell", "utilization from phase fractions by diffraction"
    ),
    _reading("porosity", "1", 0, 0.95, "batch", "pore volume over total volume"),
    _reading(
        "relative_density",
        "1",
        0.05,
        1.3,
        "row",
        "density over pore-free density (in the die it may exceed 1)",
    ),
    _reading("yield_pressure_MPa", "MPa", 1, 1e5, "row",
             "mean yield pressure as printed: 1 over the slope of the transformed density"),
    _reading("elastic_recovery", "1", -0.2, 0.5, "row",
             "relative fall of the density from pelletizing_MPa to stack_MPa"),
    _reading("conductivity_mS_cm", "mS/cm", 1e-9, 1e3, "row",
             "ionic conductivity of a pellet at the pressures of its row"),
    _reading("activation_volume_cm3_mol", "cm3/mol", -20, 50, "row",
             "fall of ln conductivity with pressure, times R T"),
    _reading("activation_energy_eV", "eV", 0, 3, "row", "activation energy of ion transport"),
    _reading("side_phase_wt_pct", "%", 0, 100, "row", "mass share of the side phase"),
    _reading("crystallite_nm", "nm", 1, 5_000, "batch", "electrolyte crystallite size"),
    _reading("strain_pct", "%", 0, 10, "batch", "lattice strain of the active material"),
    _reading("ionic_mS_cm", "mS/cm", 1e-10, 1e3, "batch", "effective ionic conductivity"),
    _reading("electronic_mS_cm", "mS/cm", 1e-12, 1e6, "batch", "effective electronic conductivity"),
    _reading("d50_um", "um", 0.005, 5_000, "batch", "median particle size by volume"),
    _reading("d10_um", "um", 0.005, 5_000, "batch", "size below which 10 % of the volume lies"),
    _reading("size_gamma_a", "1", 0.01, 100, "batch",
             "first number of a gamma distribution fitted to particle sizes, as printed"),
    _reading("size_gamma_b", "", 1e-4, 1e4, "batch",
             "second number of it, as printed: a scale (um) or a rate (1/um)"),
    _reading("size_bin_um", "um", 1e-3, 1e3, "batch", "bin of the histogram behind it"),
    _reading("coverage", "1", 0, 1, "lot", "covered share of the surface by XPS"),
    _reading("sulfur_oxidation", "1", 0, 1, "lot",
             "share of sulfur that is sulfate by XPS, S 2p at 170 eV over 161 + 170 eV"),
    _reading("relative_degradation", "1", 0, 1e3, "row",
             "fragment signal of aged composite over that of the bare reference of its batch"),
    _reading("relaxation_shift_mV", "mV", -2_000, 2_000, "cell",
             "fall of the voltage in the rest after a charge: overpotential"),
    _reading("coating_nm", "nm", 0, 1e5, "lot", "thickness of the coating"),
    _reading("stress_intensity_J_kg", "J/kg", 1e-9, 1e9, "run",
             "mean energy dissipated in a collision per mass stressed"),
    _reading("circularity", "1", 0, 1, "batch", "4 pi area over perimeter squared, mean"),
    _reading("plastic_work_fraction", "1", 0, 1, "batch", "plastic share of the indentation work"),
    _reading("z_re_ohm", "ohm", -1e12, 1e12, "row", "real part of the impedance"),
    _reading("z_im_ohm", "ohm", -1e12, 1e12, "row", "imaginary part of the impedance"),
    _reading("series_ohm_cm2", "ohm cm2", 1e-6, 1e5, "cell",
             "resistance in series with a composite, measured apart: cables, foils, separator"),
    _factor("voltage_step_mV", "mV", -1e5, 1e5, "row", "voltage of a step of a staircase"),
    _reading("current_uA", "uA", -1e9, 1e9, "row", "steady current in a step, negative as read"),
    _reading("resistance_ohm_cm2", "ohm cm2", 0, 1e7, "row", "cathode resistance"),
    _reading("anode_resistance_ohm_cm2", "ohm cm2", 0, 1e7, "row", "anode resistance"),
    _reading("resistance_change_ohm_cm2", "ohm cm2", -1e7, 1e7, "row",
             "difference of two cathode resistances, later or higher potential less the other"),
    _reading("resistance_rise", "1", -1, 1e3, "row",
             "that difference over the first of the two resistances"),
    _reading(
        "growth_ohm_cm2_sqrth",
        "ohm cm2 h^-1/2",
        -1e5,
        1e5,
        "row",
        "growth of the resistance with the square root of time",
    ),
    Column("grade", "1", "grade that a rater gave an image for one criterion; more is better",
           "row", "integer", -100, 100, reading=True),
    _reading("viscosity_Pa_s", "Pa s", 1e-5, 1e6, "row", "viscosity"),
    _reading("dry_density_g_cm3", "g/cm3", 0.05, 25, "cell", "density of a coated sheet once dry"),
    _reading("calendered_density_g_cm3", "g/cm3", 0.05, 25, "cell",
             "density of the sheet after pressing"),
    _reading("dry_porosity", "1", -0.1, 0.98, "cell", "pore share of a coated sheet once dry"),
    _reading("calendered_porosity", "1", -0.1, 0.98, "cell",
             "pore share of the sheet after pressing"),
    _reading("binder_domain_um", "um", 1e-3, 1_000, "row",
             "diameter of a particle that stands for carbon and binder in a simulation"),
    _reading("net_power_W", "W", 0, 1e6, "run",
             "mill power minus idle power; a record only, models read specific_energy_J_g"),
    _reading("idle_power_W", "W", 0, 1e6, "run",
             "mill power without powder at the same speed; a record only"),
    _factor("time_s", "s", 0, 1e8, "row", "time since the start of a record"),
    _reading("power_W", "W", 0, 1e6, "row", "power drawn by the mill"),
]

_REMARKS = [
    _text(
        "statement",
        "a published finding without the readings behind it",
        "",
        ("optimum", "declines_above", "best_between", "highest_at", "complete_at",
         "incomplete_at", "ordering", "reduced_by", "calculated", "rises_by",
         "rises_between", "no_trend_between", "alike_between",
         "desired_between", "typical_between", "scatters_between"),
    ),
    _text("component", "material of the composite that a criterion is about"),
    _text("lever", "design choice of a composite: what is increased"),
    _text("methods", "methods of characterisation, separated by ';'"),
    _text("optimum_glyph", "printed sign: best at its largest or smallest; empty is a merged cell"),
    _text("ease_glyph", "printed sign: easy (+) or difficult (-) to adapt a process to"),
    _text("electronic_glyph", "printed sign of the effect on the electronic conductivity"),
    _text("ionic_glyph", "printed sign of the effect on the ionic conductivity"),
    _text("measurability_glyph", "printed sign: measurability high (+) or low (-)"),
    _text("energy_glyph", "printed sign of the effect on the energy density"),
    _text("power_glyph", "printed sign of the effect on the power density"),
    _text("energy_prose", "what the text says the energy density does", "", ("rises", "falls")),
    _text("power_prose", "what the text says the power density does", "", ("rises", "falls")),
    _text("verdict", "overall judgement of a source's authors; an outcome that is never fitted"),
    _text("outcome", "what a statement, correlation or exponent is about"),
    _text("over", "the quantity that the outcome is seen against"),
    Column("value", "", "number of a statement, in the unit of `over`", "", "number"),
    Column("exponent", "1", "exponent of a power law of `over`", "", "number", -20, 20),
    Column("pearson_r", "1", "Pearson correlation coefficient", "", "number", -1, 1),
    Column("r_squared", "1", "coefficient of determination", "", "number", 0, 1),
    _text("source", "DOI or file that prints the number"),
    _text("source_line", "line or lines of the source text, separated by ';'"),
    _text("note", "remark"),
    _text("row_id", "name of the row, for rows that are named by others"),
    _text("file", "name of the cycler's export"),
    _text("contains", "row_id of the rows pooled in this one, separated by ';'"),
    _text("same_cells", "rows with one label are the same cells under several conditions"),
    _text("suggestion", "id of the suggestion that the row answers"),
]

COLUMNS: dict[str, Column] = {c.name: c for c in [*_LABELS, *_FACTORS, *_READINGS, *_REMARKS]}

# What may stand beside a number column x, longest first so that `_sd_ddof` is not read as `_ddof`.
SUFFIXES: dict[str, Column] = {
    "_sd_ddof": Column(
        "", "1", "0 or 1: divisor n - ddof of the SD (empty: unknown)", "row", "integer", 0, 1
    ),
    "_sd_low": Column("", "*", "lower end of a printed range of SDs", "row", "number", 0),
    "_sd_high": Column("", "*", "upper end of a printed range of SDs", "row", "number", 0),
    "_sd": Column("", "*", "standard deviation or reading error", "row", "number", 0),
    "_n": Column("", "1", "number of cells averaged", "row", "integer", 1, 1e6),
    "_batches": Column("", "1", "number of batches averaged", "row", "integer", 1, 1e6),
    "_censored": Column(
        "",
        "",
        "the value is a bound: the truth lies below (<) or above (>)",
        "row",
        "text",
        choices=("<", ">"),
    ),
    "_q": Column("", "", "qualifier as printed", "row", "text", choices=QUALIFIERS),
    "_shared": Column("", "", "rows with one label carry one printed number", "row", "text"),
    "_low": Column("", "*", "lower end of a printed range", "row", "number"),
    "_high": Column("", "*", "upper end of a printed range", "row", "number"),
}
