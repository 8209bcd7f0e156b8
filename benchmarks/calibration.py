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
from calibration_designs import DESIGNS
from scipy import stats
from ssbayes import models
from ssbayes.models.engine import checks, encode, sampling
from ssbayes.models.engine.fit import priors_of
from ssbayes.models.engine.fitting import trajectory_depth, wanted_parts
from ssbayes.models.engine.response import draw_family, readings_at

CHAINS = 2
RETRY = 1.1
"""R-hat of 2 x 300 draws above which a data set is sampled again, longer; a fit does the same."""


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
