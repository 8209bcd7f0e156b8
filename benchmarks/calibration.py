"""Simulation-based calibration: are intervals right as often as they say?

Parameters are drawn from the prior, a data set is simulated with them at a fixed design, and the
model is fitted to it; the rank of the true value among the posterior draws must be uniform. All
data here are simulated.

    python benchmarks/calibration.py milling --sets 400 --out benchmarks/results

Prints, for every parameter, the coverage of the 90 % equal-tailed interval with the binomial
99 % band (Bonferroni over parameters), and keeps the ranks and their plot. Every data set has a
seed of its own and its ranks are kept as soon as it is fitted: run the command again and it goes
on where it was stopped, as long as priors, design and settings are the same.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from ssbayes import models
from ssbayes.models.engine import checks, encode, sampling
from ssbayes.models.engine.fit import priors_of, trajectory_depth, wanted_parts
from ssbayes.models.engine.response import draw_family, readings_at

CHAINS = 2
RETRY = 1.1
"""R-hat of 2 x 300 draws above which a data set is sampled again, longer; a fit does the same."""


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
    return pd.concat([rows, own], ignore_index=True)


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


def calibrate(
    name: str, sets: int, seed: int, draws: int, kept: Path | None = None
) -> dict[str, np.ndarray]:
    """Ranks of the truth among 99 thinned posterior draws, one array a parameter.

    Parameters
    ----------
    name
        A model of ``DESIGNS``.
    sets
        Number of simulated data sets.
    seed
        Data set k is drawn with ``(seed, k)``.
    draws
        Posterior draws a chain.
    kept
        JSON file of ranks that an earlier run has left, gone on with if it is of the same priors,
        design and settings.

    Returns
    -------
    dict
        Parameter -> ``(sets,)`` ranks in 0..99.
    """
    model = models.get(name)
    encoded = encode.encode(DESIGNS[name](), model)
    slots = model.slots(encoded.levels)
    graph = model.graph(slots, wanted_parts(model, encoded, False))
    kernel: dict[str, Any] = {
        "target_accept": model.accept,
        "adaptation": model.adaptation,
        "depth": trajectory_depth(model, encoded),
    }
    priors = priors_of(model, graph)
    same = fingerprint(name, seed, draws, kernel, priors)
    ranks, again = begun(kept, same)
    first = len(next(iter(ranks.values()))) if ranks else 0
    started = time.time()
    for k in range(first, sets):
        rng = np.random.default_rng((seed, k))
        truth = {}
        for parameter, shape in graph.shapes.items():
            if parameter in graph.registry.effects:
                truth[parameter] = rng.normal(size=(1, *shape))
            else:
                truth[parameter] = priors[parameter].draw(rng, (1, *shape))
        columns = dict(encoded.columns)
        for outcome, readings in graph.registry.readings.items():
            if not len(columns[f"{outcome}__row"]):
                continue
            mu, sigma, nu = readings_at(graph, columns, outcome, graph.variables(truth))
            columns[f"{outcome}__value"] = draw_family(readings.family, mu, sigma, nu, rng)[0]
        packed = graph.pack(columns, priors)
        told = {"engine": "nutpie", "seed": k, "draws": draws, "chains": CHAINS} | kernel
        posterior, _ = sampling.sample(graph, packed, tune=400, **told)
        if checks.worst_rhat(posterior) > RETRY:
            told["depth"] = sampling.THOROUGH
            posterior, _ = sampling.sample(graph, packed, tune=1000, **told)
            again += 1
        for parameter in graph.registry.priors:
            values = posterior[parameter].to_numpy().reshape(CHAINS * draws, -1)
            thin = values[np.linspace(0, len(values) - 1, 99).astype(int)]
            true = np.ravel(truth[parameter])
            group = graph.registry.prior_group.get(parameter)
            used = range(1, len(encoded.levels[group]) + 1) if group else range(values.shape[1])
            for j in used:
                label = parameter if values.shape[1] == 1 else f"{parameter}[{j}]"
                ranks.setdefault(label, []).append(int((thin[:, j] < true[j]).sum()))
        if (k + 1) % 20 == 0 or k + 1 == sets:
            keep(kept, same, again, ranks)
            spent = time.time() - started
            print(f"{k + 1} of {sets} sets, {again} sampled twice, {spent:.0f} s", flush=True)
    return {parameter: np.array(values[:sets]) for parameter, values in ranks.items()}


def fingerprint(name: str, seed: int, draws: int, kernel: dict, priors: dict) -> str:
    """What must be the same for two runs' data sets to belong together, as a short text."""
    told = [name, seed, CHAINS, draws, sorted(kernel.items()), DESIGNS[name]().to_csv(index=False)]
    told.append(sorted((parameter, str(prior)) for parameter, prior in priors.items()))
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def begun(kept: Path | None, same: str) -> tuple[dict[str, list[int]], int]:
    """Ranks and number of repeated samplings of an earlier run; empty if there is none."""
    if kept is None or not kept.exists():
        return {}, 0
    told = json.loads(kept.read_text(encoding="utf-8"))
    if told.get("same") != same:
        aside = kept.replace(kept.with_suffix(".old.json"))
        print(f"the ranks of other priors, another design or other settings now lie in {aside}")
        return {}, 0
    return {k: list(v) for k, v in told["ranks"].items()}, int(told["sampled_twice"])


def keep(kept: Path | None, same: str, again: int, ranks: dict[str, list[int]]) -> None:
    """Write what has been found so far, whole or not at all."""
    if kept is None:
        return
    kept.parent.mkdir(parents=True, exist_ok=True)
    half = kept.with_suffix(".part")
    half.write_text(json.dumps({"same": same, "sampled_twice": again, "ranks": ranks}))
    half.replace(kept)


def table_of(ranks: dict[str, np.ndarray], level: float = 0.9) -> pd.DataFrame:
    """Coverage of the central interval with its band, and a test of uniform ranks."""
    n, count = len(next(iter(ranks.values()))), len(ranks)
    inside = level * 100
    low, high = stats.binom.interval(1 - 0.01 / count, n, level)
    rows = []
    for parameter, values in ranks.items():
        covered = int(((values >= (100 - inside) / 2) & (values < (100 + inside) / 2)).sum())
        bins = np.bincount(values * 10 // 100, minlength=10)
        rows.append(
            {
                "parameter": parameter,
                "coverage": covered / n,
                "band_low": low / n,
                "band_high": high / n,
                "inside": low <= covered <= high,
                "p_uniform": float(stats.chisquare(bins).pvalue),
            }
        )
    return pd.DataFrame(rows)


def plot(ranks: dict[str, np.ndarray], path: Path) -> None:
    """Difference between the ranks' empirical distribution and the uniform one."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    n = len(next(iter(ranks.values())))
    grid = np.arange(101)
    for values in ranks.values():
        ecdf = np.searchsorted(np.sort(values), grid, side="right") / n
        axes.plot(grid, ecdf - np.minimum(grid + 1, 100) / 100, lw=0.6, color="C0", alpha=0.5)
    half = stats.norm.ppf(1 - 0.005 / len(ranks)) * np.sqrt(grid / 100 * (1 - grid / 100) / n)
    axes.fill_between(grid, -half, half, color="0.85", zorder=0)
    axes.set(
        xlabel="rank of the true value among 99 draws",
        ylabel="ECDF minus uniform",
        title=f"{len(ranks)} parameters, {n} simulated data sets; grey: 99 % band",
    )
    figure.savefig(path, dpi=120)


def main() -> None:
    """Run the calibration of one model and print its table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("model", choices=sorted(DESIGNS))
    parser.add_argument("--sets", type=int, default=400)
    parser.add_argument("--draws", type=int, default=300, help="per chain, two chains")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    told = parser.parse_args()
    stem = told.out / f"calibration_{told.model}"
    ranks = calibrate(told.model, told.sets, told.seed, told.draws, stem.with_suffix(".json"))
    table = table_of(ranks)
    table.to_csv(stem.with_suffix(".csv"), index=False)
    plot(ranks, stem.with_suffix(".png"))
    print(table.to_string(index=False))
    print(
        f"{told.model}: {sum(table['inside'])} of {len(table)} parameters inside the band; "
        f"largest deviation {100 * np.abs(table['coverage'].to_numpy() - 0.9).max():.1f} points; "
        f"{told.sets} simulated data sets"
    )


if __name__ == "__main__":
    main()
