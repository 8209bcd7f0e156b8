"""Do intervals of a treatment that whole runs share hold the truth? All data are simulated.

    python benchmarks/split_plots.py --sets 1000

Two arms (a hard-to-change factor at two levels), each in some runs of four cells, one cell at each
of four times. First everything is drawn from the prior: the scatter of runs and of cells.
Then the scatter of runs is fixed, as large as the effect, that of cells is half of it, and the
scale of the prior is half, once, twice and four times the truth. Beside it, least squares that
counts cells as replicates. Intervals are 90 % equal-tailed; those of the coverage are exact
binomial 99 %.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
import scipy
from scipy.stats import beta
from ssbayes.doe.split_plots import split_plot

RUNS = (2, 3, 4, 6, 10)
SCALES = (0.5, 1.0, 2.0, 4.0)
TIMES = (5.0, 10.0, 20.0, 30.0)
EFFECT = 1.0


def simulated(runs: int, run_sd: float, cell_sd: float, effect: float,
              rng: np.random.Generator) -> pd.DataFrame:
    """Rows of one experiment, ``runs`` an arm."""
    run = np.repeat(np.arange(2 * runs), len(TIMES))
    minutes = np.tile(TIMES, 2 * runs)
    value = 100.0 + effect * (run % 2) + 0.5 * np.log(minutes)
    value += run_sd * rng.standard_normal(2 * runs)[run] + cell_sd * rng.standard_normal(len(run))
    return pd.DataFrame({
        "kind": "simulated", "run": run, "method": np.where(run % 2, "mill", "hand"),
        "log_min": np.log(minutes), "y": value})


def covered(runs: int, run_sd: float, cell_sd: float, prior: tuple[float | None, float | None],
            rng: np.random.Generator) -> tuple[bool, bool, float, float]:
    """Whether the interval holds the treatment's effect, and the naive one; their widths."""
    rows = simulated(runs, run_sd, cell_sd, EFFECT, rng)
    found = split_plot(rows, "y", hard=["method"], easy=["log_min"], run_sd=prior[0],
                       cell_sd=prior[1]).table.iloc[0]
    return (bool(found["low"] <= EFFECT <= found["high"]),
            bool(found["naive_low"] <= EFFECT <= found["naive_high"]),
            found["high"] - found["low"], found["naive_high"] - found["naive_low"])


def line(named: dict[str, object], results: list[tuple[bool, bool, float, float]]) -> dict:
    """One row of the table."""
    n, k = len(results), sum(r[0] for r in results)
    low = beta.ppf(0.005, k, n - k + 1) if k else 0.0
    high = beta.ppf(0.995, k + 1, n - k) if k < n else 1.0
    return {**named, "sets": n, "coverage": k / n, "99 %": f"{low:.3f}-{high:.3f}",
            "width": float(np.median([r[2] for r in results])),
            "ignoring runs": sum(r[1] for r in results) / n,
            "its width": float(np.median([r[3] for r in results]))}


def from_prior(sets: int, seed: int) -> list[dict]:
    """Standard deviations drawn from their priors, for each number of runs."""
    rows = []
    for runs in RUNS:
        rng = np.random.default_rng([seed, 1, runs])
        drawn = np.abs(rng.standard_normal((sets, 2))) * (1.0, 0.5)
        results = [covered(runs, run_sd, cell_sd, (1.0, 0.5), rng) for run_sd, cell_sd in drawn]
        rows.append(line({"runs an arm": runs, "run sd": "drawn", "prior scale": "1 (run), 0.5"},
                         results))
    return rows


def at_fixed(sets: int, seed: int) -> list[dict]:
    """Scatter of runs fixed at the size of the effect; prior scales in its units."""
    rows = []
    for runs in RUNS:
        for scale in (*SCALES, None):
            rng = np.random.default_rng([seed, 2, runs])  # the same data under every prior
            results = [covered(runs, EFFECT, 0.5 * EFFECT, (scale, scale and 0.5 * scale), rng)
                       for _ in range(sets)]
            rows.append(line({"runs an arm": runs, "run sd": 1.0,
                              "prior scale": scale or "from the data"}, results))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sets", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    start = time.perf_counter()
    print(f"simulated data; numpy {np.__version__}, scipy {scipy.__version__}, seed {args.seed}")
    for title, rows in (("parameters drawn from the prior", from_prior(args.sets, args.seed)),
                        ("scatter of runs fixed at the effect", at_fixed(args.sets, args.seed))):
        print(f"\n{title}")
        print(pd.DataFrame(rows).to_string(index=False, float_format=lambda v: f"{v:.3g}"))
    print(f"\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
