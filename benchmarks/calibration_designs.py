"""Fixed designs that calibration simulates data sets for: small tables, one for each model.

Values of outcomes are stand-ins: only where a reading stands counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


def milling_design() -> pd.DataFrame:
    """Twelve runs on two mills with power readings."""
    rows = [
        {
            "mill": mill,
            "run": f"{mill}{k}",
            "batch": f"{mill}{k}",
            "rpm": rpm,
            "milling_min": t,
            "bead_mm": bead,
            "filling": 0.5,
            "specific_energy_J_g": 100.0,
        }
        for mill in ("Pulverisette 7", "B")
        for k, (rpm, t, bead) in enumerate(
            [(200, 5, 5), (300, 20, 3), (400, 30, 5), (600, 10, 1.75), (800, 20, 3), (600, 60, 5)]
        )
    ]
    return pd.DataFrame(rows)


def capacity_design() -> pd.DataFrame:
    """Twelve recipes, two cells each, half of them with a measured utilization."""
    rows = []
    speeds = [200, 200, 300, 400, 400, 500, 600, 600, 700, 800, 1000, 1000]
    times = [5, 300, 60, 10, 100, 30, 5, 40, 15, 10, 5, 20]
    for k, (rpm, t) in enumerate(zip(speeds, times, strict=True)):
        for cell in range(2):
            rows.append(
                {
                    "mill": "Pulverisette 7",
                    "run": str(k),
                    "batch": str(k),
                    "cell": f"{k}-{cell}",
                    "rpm": rpm,
                    "milling_min": t,
                    "bead_mm": 5.0,
                    "filling": 0.5,
                    "c_rate": (0.1, 1.0)[cell],
                    "capacity_mAh_g": 150.0,
                    "utilization": 0.9 if cell == 0 and k % 2 else np.nan,
                    "specific_energy_J_g": 100.0 if cell == 0 and k % 3 == 0 else np.nan,
                }
            )
    return pd.DataFrame(rows)


def mixing_design() -> pd.DataFrame:
    """Two methods, three batches of two cells each at 0.1C and 1C, each utilization measured."""
    rows = [
        {
            "method": method,
            "batch": f"{method}{b}",
            "cell": f"{method}{b}-{c}",
            "c_rate": rate,
            "composite_mass_mg": 12.0,
            "capacity_basis": "active material weighed in",
            "capacity_mAh_g": 150.0,
            "utilization": 0.9 if rate == 0.1 else np.nan,
        }
        for method in ("a", "b")
        for b in range(3)
        for c in range(2)
        for rate in (0.1, 1.0)
    ]
    return pd.DataFrame(rows)


def annealing_design() -> pd.DataFrame:
    """Four batches of a bare and three annealed powders, cells of each, two atmospheres."""
    rows = []
    hot = [(25, 150, 300), (200, 300, 400), (250, 350, 500), (300, 450, 650)]
    for batch, levels in enumerate(hot):
        for k, anneal_degC in enumerate((np.nan, *levels)):
            coated = k > 0
            rows.append(
                {
                    "batch": str(batch),
                    "lot": f"LPS {anneal_degC:g}" if coated else "bare",
                    "cell": f"{batch}-{k}",
                    "coating": "LPS" if coated else "bare",
                    "anneal_degC": anneal_degC,
                    "anneal_h": (1.0, 3.0)[batch % 2],
                    "o2_fraction": (0.21, 1.0)[batch // 3],
                    "coverage": 0.5 if coated else np.nan,
                    "sulfur_oxidation": 0.5 if coated else np.nan,
                    "relative_degradation": 0.8 if coated else np.nan,
                    "growth_ohm_cm2_sqrth": 10.0,
                    "first_cycle_efficiency": 0.85,
                }
            )
    return pd.DataFrame(rows)


def mechanofusion_design() -> pd.DataFrame:
    """Nine batches over carbon content at two rates, with utilization, retention and coverage."""
    rows = []
    for k, parts in enumerate([0.0, 0.0, 0.2, 0.2, 0.5, 0.5, 1.0, 2.0, 3.0]):
        batch = {
            "batch": str(k),
            "electrolyte_parts": 20.0,
            "cb_parts": parts,
            "charge_mode": "CCCV",
        }
        rows += [
            batch
            | {
                "c_rate": 0.1,
                "cycle": 1,
                "composite_capacity_mAh_g": 100.0,
                "utilization": 0.7,
                "retention": np.nan,
            },
            batch
            | {
                "c_rate": 1.0,
                "cycle": 5,
                "composite_capacity_mAh_g": 80.0,
                "utilization": np.nan,
                "retention": 0.9,
            },
        ]
    for k, (rpm, minutes) in enumerate([(1000, 30), (2500, 10), (5000, 5), (5000, 30)]):
        rows.append(
            {
                "batch": f"powder {k}",
                "rpm": rpm,
                "milling_min": minutes,
                "electrolyte_parts": 20.0,
                "cb_parts": 3.0,
                "coverage": 0.9,
            }
        )
    return pd.DataFrame(rows)


def interphase_design() -> pd.DataFrame:
    """Six cells with series of the hold, and one coating in the form of a printed table."""
    rows = []
    for coating, batches in (("bare", 1), ("A", 2)):
        for k in range(2 * batches):
            cell = {"coating": coating, "batch": f"{coating}{k // 2}", "cell": f"{coating}{k}"}
            offset = 20.0 if k == 1 else 0.0
            for cycle, direction in ((2, "charge"), (4, "charge" if k == 2 else "discharge")):
                rows.append({**cell, "cycle": cycle, "direction": direction,
                             "soc_offset_mV": offset, "resistance_ohm_cm2": 50.0})
            rows += [{**cell, "direction": "hold", "hold_h": t, "resistance_ohm_cm2": 50.0}
                     for t in (0.1, 1.0, 4.0, 10.0)]
    printed = {"coating": "B", "batch": "B0", "cell": "B0"}
    rows += [
        {**printed, "cycle": 2, "direction": "charge", "resistance_ohm_cm2": 50.0},
        {**printed, "cycle": 4, "direction": "discharge", "resistance_ohm_cm2": 50.0},
        {**printed, "direction": "hold", "time_point": "start", "resistance_ohm_cm2": 50.0},
        {**printed, "direction": "hold", "hold_h": 10.0, "resistance_ohm_cm2": 50.0},
        {**printed, "direction": "hold", "growth_ohm_cm2_sqrth": 5.0},
    ]
    return pd.DataFrame(rows)


def fading_design() -> pd.DataFrame:
    """Four cells of two batches up to cycle 40, bare and coated, CC and CCCV, check-ups of some."""
    rows = [
        {
            "batch": f"b{b}",
            "cell": f"b{b}c{c}",
            "coating": ("bare", "A")[b],
            "charge_mode": ("CC", "CCCV")[c],
            "c_rate": (0.5, 1.0)[b],
            "cycle": float(n),
            "capacity_mAh_g": 150.0,
            "utilization": 0.9 - 0.001 * n if n in (1, 20) else np.nan,
            "resistance_ohm_cm2": 30.0 if n in (1, 20, 40) and c == 0 else np.nan,
            "charge_cv_share": 0.05 if c else np.nan,
        }
        for b in range(2)
        for c in range(2)
        for n in (1, 3, 6, 11, 20, 40)
    ]
    rows.append({"batch": "b0", "cell": "b0c9", "coating": "bare", "charge_mode": "CC",
                 "c_rate": 0.5, "retention": 0.9, "retention_cycles": 60.0})
    return pd.DataFrame(rows)


def cell_design() -> pd.DataFrame:
    """Six cells at three rates: two loadings, thick and thin separators, energies and voltages."""
    return pd.DataFrame([
        {
            "cell": str(k),
            "capacity_mAh_g": capacity,
            "c_rate": rate,
            "areal_loading_mg_cm2": (15.0, 30.0)[k % 2],
            "separator_um": (700.0, 100.0)[k // 3],
            "cell_energy_Wh_kg": 40.0,
            "mean_voltage_V": 3.1 if k % 3 else np.nan,
        }
        for k in range(6)
        for rate, capacity in ((0.1, 180.0), (0.3, 165.0), (1.0, 138.0))
    ])


def composition_design() -> pd.DataFrame:
    """Nine composites, two of them with another kind of carbon, at two rates; conductivities."""
    recipes = [
        (0.5, 0.0, "", 3.3), (0.7, 0.0, "", 3.3), (0.8, 0.0, "", 3.3), (0.9, 0.0, "", 3.3),
        (0.7, 0.0, "", 10.0), (0.69, 0.01, "fibre", 3.3), (0.6, 0.02, "fibre", 3.3),
        (0.69, 0.01, "black", 3.3), (0.8, 0.02, "black", 3.3),
    ]
    return pd.DataFrame([
        {
            "batch": str(k),
            "active_fraction": active,
            "carbon_fraction": carbon,
            "carbon_type": kind,
            "active_d50_um": size,
            "c_rate": rate,
            "capacity_mAh_g": 150.0,
            "utilization": 0.8 if rate == 0.1 else np.nan,
            "ionic_mS_cm": 0.1 if rate == 0.1 and k % 2 == 0 else np.nan,
            "electronic_mS_cm": 0.1 if rate == 0.1 and k % 3 != 1 else np.nan,
        }
        for k, (active, carbon, kind, size) in enumerate(recipes)
        for rate in (0.1, 1.0)
    ])


def slurry_design() -> pd.DataFrame:
    """Six slurries, crossed: two samples of each at two rates, one sheet of two punches."""
    rows = []
    plan = [(4, 100, 48), (6, 300, 48), (4, 300, 50), (6, 200, 50), (4, 100, 52), (6, 300, 52)]
    for k, (size, gap, solid) in enumerate(plan):
        slurry = {"run": str(k), "active_d50_um": size, "solid_content_pct": solid}
        rows += [{**slurry, "cell": f"s{s}", "soaking_min": (2.0, 40.0)[s], "shear_rate_1_s": rate,
                  "viscosity_Pa_s": 0.5} for s in range(2) for rate in (10.0, 300.0)]
        rows += [{**slurry, "batch": "a", "cell": f"p{c}", "gap_um": gap, "dry_porosity": 0.5,
                  "calendered_porosity": 0.3, "pelletizing_MPa": (100.0, 250.0)[k % 2]}
                 for c in range(2)]
    return pd.DataFrame(rows)


def conduction_design() -> pd.DataFrame:
    """Four pellets of two sieve fractions, pressed and released, one of them twice."""
    rows = []
    for sieve in ("fine", "coarse"):
        for k in range(2):
            top = (1500.0, 800.0)[k]
            path = [(10.0, 10.0), (200.0, 200.0), (500.0, 500.0)]
            path += [(now, top) for now in (0.95 * top, 0.6 * top, 300.0, 80.0, 10.0)]
            rows += [
                {
                    "sieve": sieve,
                    "lot": f"{sieve} {k}",
                    "cell": f"{sieve} {k}",
                    "cycle": 1,
                    "sweep": "compression" if now == highest else "release",
                    "stack_MPa": now,
                    "pelletizing_MPa": highest,
                    "temperature_degC": 25.0 if now != 300.0 else 60.0,
                    "conductivity_mS_cm": 3.0,
                }
                for now, highest in path
            ]
    again = {**rows[-1], "cycle": 2, "sweep": "release"}
    return pd.DataFrame([*rows, again, {**again, "stack_MPa": 80.0}])


def quality_design() -> pd.DataFrame:
    """Four slurries at three mixing times, two criteria, images before and after pressing."""
    rows = []
    grades = {"contact_SE_SE": [1, 2, 3, 4, 2, 3, 3, 4], "contact_CC_CC": [2, 1, 3, 2, 4, 3, 2, 3]}
    for k, minutes in enumerate((8.0, 32.0, 64.0, 64.0)):
        slurry = {"run": str(k), "batch": f"{k}-1", "milling_min": minutes}
        for criterion, given in grades.items():
            rows += [
                slurry
                | {
                    "criterion": criterion,
                    "compacted": float(pressed),
                    "image": f"{pressed}",
                    "rater": rater,
                    "grade": float(given[2 * k + pressed]),
                }
                for pressed in (0, 1)
                for rater in ("r1", "r2")[: 1 + (k + pressed) % 2]
            ]
        rows += [
            slurry | {"cell": f"{k}-{c}", "dry_porosity": 0.4, "calendered_porosity": 0.3}
            for c in range(2)
        ]
    return pd.DataFrame(rows)


def compaction_design() -> pd.DataFrame:
    """Two powders and a composite, pellets in the die (release too) and out of it."""
    rows = []

    def pellet(name: str, state: str, steps: tuple[int, ...], **own: Any) -> None:
        rows.extend({"cell": name, "density_state": state, "pelletizing_MPa": float(p),
                     "stack_MPa": float(p) if state == "in die" else 10.0,
                     "sweep": "compression", "relative_density": 0.8, **own} for p in steps)

    fine = {"lot": "A", "batch": "A", "sieve": "<50 um", "d50_um": 30.0}
    coarse = {"lot": "B", "batch": "B", "sieve": ">50 um", "d50_um": 120.0}
    pellet("A1", "in die", (100, 300, 600, 1000, 1500), **fine)
    rows.extend({**fine, "cell": "A1", "density_state": "in die", "pelletizing_MPa": 1500.0,
                 "stack_MPa": now, "sweep": "release", "relative_density": 0.9}
                for now in (700.0, 100.0))
    pellet("A2", "out of die", (200, 400, 800, 1500), **fine)
    pellet("B1", "in die", (150, 400, 800, 1500), **coarse)
    pellet("B1", "in die", (1500,), cycle=2.0, **coarse)
    pellet("B2", "out of die", (300, 700, 1200), **coarse)
    pellet("C1", "out of die", (150, 380, 800), **(
        fine | {"batch": "cathode", "active_volume_fraction": 0.45}))
    rows.append({**fine, "cell": "A1", "density_state": "in die", "pelletizing_MPa": 1500.0,
                 "stack_MPa": 0.0, "sweep": "release", "elastic_recovery": 0.05})
    return pd.DataFrame(rows)


def transmission_line_design() -> pd.DataFrame:
    """One spectrum of a cell that blocks ions, four points a decade, series resistance measured."""
    return pd.DataFrame({
        "spectrum": "1", "cell": "1", "frequency_of_signal_Hz": np.logspace(6, -1, 29),
        "z_re_ohm": 10.0, "z_im_ohm": -1.0, "area_cm2": 0.785, "thickness_um": 100.0,
        "blocking": "ion", "series_ohm_cm2": 0.05})


def chain_design() -> pd.DataFrame:
    """Capacities of twelve recipes of one study, cell energies of four of another."""
    rows = capacity_design()
    rows["study"] = "other"
    own = rows[rows["run"].isin(["3", "6", "8", "9"])].copy()
    own["study"] = None
    for name in ("capacity_mAh_g", "utilization", "specific_energy_J_g"):
        own[name] = np.nan
    own["separator_um"] = 100.0
    own["cell_energy_Wh_kg"] = 150.0
    both: Any = pd.concat([rows, own], ignore_index=True)
    return both


DESIGNS = {
    "milling+capacity+cell": chain_design,
    "transmission_line": transmission_line_design,
    "compaction": compaction_design,
    "quality": quality_design,
    "conduction": conduction_design,
    "slurry": slurry_design,
    "cell": cell_design,
    "composition": composition_design,
    "fading": fading_design,
    "interphase": interphase_design,
    "milling": milling_design,
    "capacity": capacity_design,
    "mixing": mixing_design,
    "annealing": annealing_design,
    "mechanofusion": mechanofusion_design,
}
