"""Cycle 100 from the first 20: how often is the interval right? All cells here are simulated.

    python benchmarks/fading.py --labs 25 --out benchmarks/results/fading.csv

Each laboratory has six cells of three batches (`ssbayes.doe.virtual_fading`), under laws that the
model is not made of. Every method sees cycles 1 to 20 and states a 90 % interval of the capacity
that is read in cycle 100, over that of cycle 1. Beside the model: a straight line through the
retention of each cell with its regression's prediction interval, the same in ln cycle, and the
last value with the scatter of successive readings. Cells of one laboratory share it, so standard
errors are those between laboratories. With a knee beyond cycle 30 nothing in 20 cycles can tell;
the table shows by how much and in which direction everybody is then wrong.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from ssbayes import models
from ssbayes.doe import virtual_fading
from ssbayes.models import fading

LEVEL = 0.9
FIRST = 1000
"""Seeds below are for looking at while the model is changed."""


def spoiled(values: np.ndarray) -> np.ndarray:
    """Readings far from the median of their neighbours; a user would strike them out."""
    near = pd.Series(values).rolling(5, center=True, min_periods=3).median().to_numpy()
    off = values / near - 1.0
    return np.abs(off) > np.maximum(6 * 1.4826 * np.median(np.abs(off)), 0.01)


def line(n: np.ndarray, y: np.ndarray, at: float, over: Callable[[Any], Any]) -> np.ndarray:
    """Middle, low and high of a regression's 90 % prediction interval at ``at``."""
    x, x0 = over(n), over(at)
    slope, start = np.polyfit(x, y, 1)
    rest = y - start - slope * x
    sd = np.sqrt((rest**2).sum() / (len(x) - 2))
    wide = np.sqrt(1 + 1 / len(x) + (x0 - x.mean()) ** 2 / ((x - x.mean()) ** 2).sum())
    half = stats.t.ppf(0.5 + LEVEL / 2, len(x) - 2) * sd * wide
    middle = start + slope * x0
    return np.array([middle, middle - half, middle + half])


def last(n: np.ndarray, y: np.ndarray, at: float) -> np.ndarray:
    """The last value, plus and minus the scatter of successive readings."""
    half = stats.norm.ppf(0.5 + LEVEL / 2) * np.diff(y).std(ddof=1)
    return np.array([y[-1], y[-1] - half, y[-1] + half])


def one_lab(seed: int, law: str, seen: int, cycle: int, draws: int = 500) -> list[dict[str, Any]]:
    """Forecasts of every method for every cell of a laboratory, with the truth."""
    whole: Any = virtual_fading.cells(seed, law).table(cycles=cycle)
    known = whole[whole["cycle"] <= seen]
    truth = virtual_fading.last_cycles(whole, cycle)
    first = virtual_fading.last_cycles(whole, 1)
    started = time.process_time()
    fit = models.get("fading").fit(known, seed=seed, draws=draws, tune=500, rhat=1.1)
    told: Any = fading.predict_retention(fit, cycle, reading=True, seed=seed)
    spent = time.process_time() - started
    told = told[told["cell"] != ""]
    told.index = pd.Index(told["cell"].str.split(" / ").str[-1])
    ends = [c for c in told if str(c).startswith("capacity_mAh_g")]
    rows = []
    parts: Any = known.groupby("cell")
    for cell, part in parts:
        y = part["capacity_mAh_g"].to_numpy() / first[cell]
        n = part["cycle"].to_numpy()
        good = ~spoiled(y)
        answers = {
            "fading model": told.loc[str(cell), ends].to_numpy(dtype=float) / first[cell],
            "straight line": line(n[good], y[good], cycle, lambda v: v),
            "line in ln cycle": line(n[good], y[good], cycle, np.log),
            "last value": last(n[good], y[good], cycle),
        }
        rows += [{"law": law, "seed": seed, "cell": cell, "method": name, "kind": "simulated",
                  "truth": truth[cell] / first[cell], "middle": a[0], "low": a[1], "high": a[2],
                  "rhat": fit.convergence.worst_rhat, "cpu_s": spent}
                 for name, a in answers.items()]
    return rows


def table_of(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Coverage with its standard error between laboratories, width and errors, in points."""
    every: Any = pd.DataFrame(rows)
    every["inside"] = every["truth"].between(every["low"], every["high"])
    every["width"] = 100 * (every["high"] - every["low"])
    every["error"] = 100 * (every["middle"] - every["truth"])
    every["too_high"] = every["truth"] < every["low"]
    found = []
    for key, part in every.groupby(["law", "method"], sort=False):
        law, method = key
        labs = part.groupby("seed")["inside"].mean()
        found.append({
            "law (simulated)": law, "method": method, "labs": len(labs), "cells": len(part),
            "coverage of 90 %": part["inside"].mean(),
            "se": labs.std(ddof=1) / len(labs) ** 0.5 if len(labs) > 1 else np.nan,
            "interval too high": part["too_high"].mean(),
            "median width, points": part["width"].median(),
            "mean error, points": part["error"].mean(),
            "mean |error|, points": part["error"].abs().mean()})
    return pd.DataFrame(found)


def main() -> None:
    """Run the laboratories and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--labs", type=int, default=25)
    parser.add_argument("--first", type=int, default=FIRST)
    parser.add_argument("--laws", nargs="+", default=list(virtual_fading.LAW_VERSIONS))
    parser.add_argument("--seen", type=int, default=20)
    parser.add_argument("--cycle", type=int, default=100)
    parser.add_argument("--out", type=Path, default=None)
    told = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for law in told.laws:
        for seed in range(told.first, told.first + told.labs):
            rows += one_lab(seed, law, told.seen, told.cycle)
        print(f"{law}: {told.labs} laboratories", flush=True)
    table = table_of(rows)
    if told.out is not None:
        told.out.parent.mkdir(parents=True, exist_ok=True)
        table.round(4).to_csv(told.out, index=False)
    print(table.round(3).to_string(index=False))
    every: Any = pd.DataFrame(rows)
    print(f"all simulated; cycles 1-{told.seen} seen, cycle {told.cycle} asked; R-hat above 1.05 "
          f"in {(every.groupby(['law', 'seed'])['rhat'].first() > 1.05).mean():.0%} of the fits; "
          f"{every['cpu_s'].median():.1f} CPU-seconds a fit")


if __name__ == "__main__":
    main()
