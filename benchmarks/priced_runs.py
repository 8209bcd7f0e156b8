"""Does it pay to tell a campaign the price of a change-over? Same budget, with and without prices.

    python benchmarks/priced_runs.py --sets 40

Simulated furnaces without physics: temperature is hard to change, two other factors are easy; runs
scatter by 1, cells by 0.5, the peak of height 50 lies anywhere. A campaign begins with two runs of
three random settings and is then asked for four settings at a time. Its bill counts a change-over
wherever the temperature changes, a run for each temperature of a batch (settings that share it,
`per_run` at most) and the cells; runs of a batch are made in the cheapest order. Printed is by how
much the truly best setting beats the recommended one (best expected of those tried) once the
budget is spent, means over furnaces, and their paired difference with its 95 % interval.
"""

from __future__ import annotations

import argparse
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd
from ssbayes import doe

SPACE = doe.Space(
    [doe.Real("anneal_C", 400, 800, step=10, hard=True), doe.Real("load", 0, 1),
     doe.Real("share", 0, 1)], per_run=4,
)  # fmt: skip
HEIGHT = 50.0


def mean(table: pd.DataFrame, peak: np.ndarray) -> np.ndarray:
    """True mean: a broad peak of 50, wherever it lies."""
    z = np.column_stack([(table["anneal_C"] - 400.0) / 400.0, table["load"], table["share"]])
    return HEIGHT * np.exp(-(((z - peak) / [0.5, 0.6, 0.6]) ** 2).sum(axis=1))


def bill(prices: doe.Prices, at: float, table: pd.DataFrame) -> tuple[float, float]:
    """Price of a batch, and the temperature at which the furnace then stands."""
    count = table["anneal_C"].value_counts()
    runs = sum(-(-int(c) // (SPACE.per_run or 1)) for c in count)
    orders = []
    for order in permutations(count.index):
        steps = zip([at, *order], order, strict=False)
        moved = sum(prices.changing({"anneal_C": a}, {"anneal_C": b}, ["anneal_C"])
                    for a, b in steps)  # fmt: skip
        orders.append((moved, order[-1]))
    moved, last = min(orders)
    return moved + runs * prices.run + len(table) * prices.cell, float(last)


def campaign(seed: int, prices: doe.Prices, told: bool, budgets: list[float]) -> list[float]:
    """Loss of the recommended setting at each budget."""
    rng = np.random.default_rng([seed, 5])
    peak = rng.uniform(0.1, 0.9, 3)
    made = doe.Campaign(
        SPACE, maximize="y", seed=seed, initial=0, prices=prices if told else None
    )  # fmt: skip
    first: Any = SPACE.sample(6, rng)
    first["anneal_C"] = np.repeat(first["anneal_C"].to_numpy()[:2], 3)
    asked: Any = first
    spent, at, runs = 0.0, float("nan"), 0
    lost: list[float] = []
    while True:
        price, last = bill(prices, at if at == at else float(asked["anneal_C"].iloc[0]), asked)
        while len(lost) < len(budgets) and spent + price > budgets[len(lost)]:
            best: Any = made.best()
            lost.append(HEIGHT - float(mean(best.to_frame().T[SPACE.names].astype(float), peak)[0]))
        if len(lost) == len(budgets):
            return lost
        spent, at = spent + price, last
        codes = asked["anneal_C"].factorize()[0]
        effect = rng.standard_normal(codes.max() + 1)
        value = mean(asked, peak) + effect[codes] + 0.5 * rng.standard_normal(len(asked))
        asked = asked.assign(y=value, run=[f"r{runs + k}" for k in codes])
        runs += int(codes.max()) + 1
        made.record(asked[[c for c in ("suggestion", *SPACE.names, "run", "y") if c in asked]])
        asked = made.suggest(4)[["suggestion", *SPACE.names]]


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    what, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=what, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", type=int, default=40, help="furnaces")
    parser.add_argument("--change-over", nargs="+", type=float, default=[1.0, 10.0])
    args = parser.parse_args(arguments)
    print(f"{args.sets} simulated furnaces; run 1, cell 1\n")
    print("| change-over | budget | without prices | with prices | difference (95 %) |")
    print("| --- | --- | --- | --- | --- |")
    for price in args.change_over:
        prices = doe.Prices(change_over=price, run=1.0, cell=1.0)
        start = 8.0 + price
        budgets = [start + k * (5.0 + price) + 0.5 for k in (2, 4)]
        pairs = np.array([
            [campaign(seed, prices, told, budgets) for told in (False, True)]
            for seed in range(args.sets)
        ])  # fmt: skip
        for k, budget in enumerate(budgets):
            before, after = pairs[:, 0, k], pairs[:, 1, k]
            gap = after - before
            wide = 1.96 * gap.std(ddof=1) / np.sqrt(len(gap))
            print(f"| {price:g} | {budget:g} | {before.mean():.2f} | {after.mean():.2f} | "
                  f"{gap.mean():+.2f} ({gap.mean() - wide:+.2f} to {gap.mean() + wide:+.2f}) |",
                  flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
