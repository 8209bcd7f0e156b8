"""Noise that depends on the setting, without physics: one noise against one with a trend.

    python benchmarks/noise.py                     # a few minutes
    python benchmarks/noise.py --sets 400 --settings 8 16 32

Simulated: two factors, a smooth mean with two peaks, three cells of each random setting. The cells'
sd rises log-linearly along the first factor, by the ratio of the first column from end to end.
For each data set both beliefs learn from the same rows. Printed are, at the quiet and at the loud
end (the first and last fifth of that factor), the share of next cells within the predicted 90 %
interval and the mean log density of the next cell; and how often the setting of the best mean less
two sd of the next cell lies at the peak where that is truly best, `robust=2`. CPU seconds are those
of this process, both beliefs alternating. Intervals are 95 %, over data sets.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
from ssbayes import doe
from ssbayes.doe import belief

SPACE = doe.Space([doe.Real("time", 0, 1), doe.Real("load", 0, 1)])
CELLS = 3
WIDE = 1.6448536269514722
ROBUST = 2.0
OUTCOME = "value"
ONE = replace(belief.ALONE, trend=0.0)


def mean(table: pd.DataFrame) -> np.ndarray:
    """Two peaks: 9 at the quiet end, 10 at the loud end."""
    t, x = table["time"].to_numpy(float), table["load"].to_numpy(float)
    quiet = 9.0 * np.exp(-(((t - 0.2) / 0.25) ** 2) - ((x - 0.6) / 0.5) ** 2)
    return quiet + 10.0 * np.exp(-(((t - 0.8) / 0.25) ** 2) - ((x - 0.4) / 0.5) ** 2)


def noise(table: pd.DataFrame, ratio: float) -> np.ndarray:
    """Sd of a cell: 1 in the middle."""
    return ratio ** (table["time"].to_numpy(float) - 0.5)


def data_set(seed: int, settings: int, ratio: float) -> pd.DataFrame:
    """Rows as a campaign records them, one a cell."""
    rng = np.random.default_rng([seed, settings])
    rows = SPACE.sample(settings, rng)
    rows = rows.iloc[np.repeat(np.arange(settings), CELLS)].reset_index(drop=True)
    error = noise(rows, ratio) * rng.standard_normal(len(rows))
    batch = [f"b{k}" for k in range(len(rows))]  # each cell from a batch of its own
    return rows.assign(**{OUTCOME: mean(rows) + error, "batch": batch})


def measured(rows: pd.DataFrame, ratio: float, seed: int, prior: Any) -> dict[str, float]:
    """What one belief says of one data set, against the truth."""
    rng = np.random.default_rng([seed, 7])
    began = time.process_time()
    with mock.patch.object(belief, "ALONE", prior):
        found = belief.believe(
            SPACE, rows, objective=OUTCOME, model=None, fixed={}, seed=seed
        )  # fmt: skip
    took = time.process_time() - began
    at = SPACE.sample(400, rng)
    draws = found.mean(at)
    sd, centre = found.spread(at, draws)[0], draws.mean(axis=0)
    cell = mean(at) + noise(at, ratio) * rng.standard_normal(len(at))
    z = (cell - centre) / sd
    end = {"quiet": at["time"].to_numpy() < 0.2, "loud": at["time"].to_numpy() > 0.8}
    told: dict[str, float] = {"cpu": took}
    for name, part in end.items():
        told[f"coverage {name}"] = float((np.abs(z[part]) < WIDE).mean())
        told[f"density {name}"] = float((-0.5 * z**2 - np.log(sd))[part].mean())
    robust = mean(at) - ROBUST * noise(at, ratio)
    chosen = int(np.argmax(centre - ROBUST * found.noise(at)))
    side = at["time"].to_numpy()[[chosen, int(np.argmax(robust))]] < 0.5
    told["right peak"] = float(side[0] == side[1])
    told["loss"] = float(robust.max() - robust[chosen])
    return told


def line(name: str, before: np.ndarray, after: np.ndarray) -> str:
    gap = after - before
    wide = 1.96 * gap.std(ddof=1) / np.sqrt(len(gap))
    return (f"| {name} | {before.mean():.3f} | {after.mean():.3f} | {gap.mean():+.3f} "
            f"({gap.mean() - wide:+.3f} to {gap.mean() + wide:+.3f}) |")


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    what, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=what, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", type=int, default=100, help="data sets of each kind")
    parser.add_argument("--settings", nargs="+", type=int, default=[8, 16], help="settings in each")
    parser.add_argument("--ratios", nargs="+", type=float, default=[1.0, 3.0, 6.0])
    parser.add_argument("--trend", type=float, default=belief.ALONE.trend)
    args = parser.parse_args(arguments)
    bent = replace(belief.ALONE, trend=args.trend)
    for settings in args.settings:
        for ratio in args.ratios:
            both: dict[str, list[list[float]]] = {}
            for seed in range(-1, args.sets):  # the first one compiles
                rows = data_set(abs(seed), settings, ratio)
                pair = [measured(rows, ratio, abs(seed), prior) for prior in (ONE, bent)]
                for name in pair[0]:
                    both.setdefault(name, [])
                    both[name] += [[p[name] for p in pair]] if seed >= 0 else []
            print(f"\n{settings} settings of {CELLS} cells, loud over quiet {ratio:g}, "
                  f"{args.sets} simulated data sets\n")
            print("| measured | one noise | with a trend | difference (95 %) |")
            print("| --- | --- | --- | --- |")
            for name, values in both.items():
                print(line(name, *np.array(values).T), flush=True)


if __name__ == "__main__":
    main()
