"""Are the intervals of the utilization right as often as they say? All cells are simulated.

    python benchmarks/titration.py --cells 1000 --out titration.csv

Draws cells of four scenarios (``ssbayes.doe.virtual_titration``), whose relaxation follows another
law than the fitted one, each with a reference of its own, fits each with the joint model over all
its points, and prints how often the 90 % interval holds the true mean utilization. The last line,
apart from the others, is a weighing error three times as large as stated.

The fits share one compiled model. ``--out`` keeps one line a cell.
"""

from __future__ import annotations

import argparse
import logging
import time
import warnings
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import beta
from ssbayes.data import titration as tables
from ssbayes.doe import virtual_titration as virtual
from ssbayes.models import titration, utilization


def evaluate(made: virtual.Titration, seed: int, draws: int, tune: int) -> dict[str, object]:
    """Fit one simulated cell over all its points."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        curve = titration.reference_curve(
            tables.reference_table(made.reference), mass_mg=made.reference_mass_mg,
            mass_sd_mg=made.reference_mass_sd_mg)
        rows, _ = titration.points(tables.cell_table(made.cell), curve, vs="Li",
                                   mass_mg=made.mass_mg, mass_sd_mg=made.mass_sd_mg)
        fit = utilization.fit_cells(rows, seed=seed, draws=draws, tune=tune)
    found = utilization.draws_of(fit)
    low, middle, high = np.quantile(found, [0.05, 0.5, 0.95])
    return {"kind": "simulated", "scenario": made.scenario, "seed": seed, "truth": made.truth,
            "low": low, "median": middle, "high": high,
            "inside": bool(low <= made.truth <= high), "above": bool(made.truth > high)}


def table(cells: pd.DataFrame) -> pd.DataFrame:
    """Coverage by scenario with its exact 99 % interval, and the median half-width."""
    rows = []
    stated: Any = cells[cells["scenario"] != virtual.MISSTATED]
    parts: list[tuple[str, Any]] = [("all four", stated)] if len(stated) else []
    parts += [(str(name), part) for name, part in cells.groupby("scenario", sort=False)]
    for name, part in parts:
        n, k = len(part), int(part["inside"].sum())
        rows.append({
            "scenario": name, "kind": "simulated", "cells": n, "coverage": k / n,
            "low (99 %)": beta.ppf(0.005, k, n - k + 1) if k else 0.0,
            "high (99 %)": beta.ppf(0.995, k + 1, n - k) if k < n else 1.0,
            "truth above": part["above"].mean(),
            "bias": (part["median"] - part["truth"]).mean(),
            "half-width": ((part["high"] - part["low"]) / 2).median()})
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--cells", type=int, default=1000, help="cells of the four scenarios")
    parser.add_argument("--misstated", type=int, default=100, help="cells of the last line")
    parser.add_argument("--draws", type=int, default=400, help="draws a chain (4 chains)")
    parser.add_argument("--tune", type=int, default=400)
    parser.add_argument("--start", type=int, default=0, help="first seed")
    parser.add_argument("--out", help="one line a cell, as CSV")
    given = parser.parse_args()
    logging.getLogger("ssbayes").setLevel(logging.ERROR)
    begun, rows = time.time(), []
    plan = [virtual.SCENARIOS[k % 4] for k in range(given.cells)]
    plan += [virtual.MISSTATED] * given.misstated
    for k, scenario in enumerate(plan):
        seed = given.start + k
        rows.append(evaluate(virtual.simulate(scenario, seed), seed, given.draws, given.tune))
        if given.out and (k % 50 == 49 or k == len(plan) - 1):
            pd.DataFrame(rows).to_csv(given.out, index=False)
    print(table(pd.DataFrame(rows)).round(3).to_string(index=False))
    print(f"{len(rows)} cells in {time.time() - begun:.0f} s")


if __name__ == "__main__":
    main()
