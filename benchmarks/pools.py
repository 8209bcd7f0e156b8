"""Replay of measured tables: how few experiments, drawn one replicate each, find a good setting.

    python benchmarks/pools.py FOLDER --seeds 20 --experiments 40 --out benchmarks/results/pools.csv
    python benchmarks/pools.py FOLDER --botorch /path/to/python   # with BoTorch's own interpreter

FOLDER holds ``AgNP_dataset.csv``, ``Crossed_barrel_dataset.csv`` and ``P3HT_dataset.csv`` of
PV-Lab's Benchmarking repository (MIT licence). Every strategy chooses among the measured settings,
meets the same four starts, and draws one replicate an experiment; the mean of a setting's
replicates only judges. Found is a recommended setting among the best 5 %. A run that is started
again goes on.
"""

from __future__ import annotations

import argparse
import functools
import sys
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
from ssbayes import doe
from ssbayes.doe import backtest, players

CONTENTS = ["P3HT", "D1", "D2", "D6", "D8"]


def pools(folder: Path) -> list[backtest.Pool]:
    """The three tables as benches."""
    silver = pd.read_csv(folder / "AgNP_dataset.csv")
    silver.columns = ["silver_pct", "pva_pct", "tsc_pct", "seed_pct", "flow_uL_min", "loss"]
    barrel = pd.read_csv(folder / "Crossed_barrel_dataset.csv")
    polymer = pd.read_csv(folder / "P3HT_dataset.csv")
    polymer.columns = [*(f"{name}_pct" for name in CONTENTS), "conductivity_S_cm"]
    return [
        made(silver, "loss", False, "AgNP"),
        made(barrel, "toughness", True, "crossed barrel"),
        made(polymer, "conductivity_S_cm", True, "P3HT"),
    ]


def made(table: pd.DataFrame, outcome: str, maximize: bool, name: str) -> backtest.Pool:
    """A bench whose factors reach from the least to the largest value of each column."""
    factors = [
        doe.Real(str(column), float(values.min()), float(values.max()), unit="1")
        for column, values in table.drop(columns=outcome).items()
    ]
    return backtest.Pool(table, factors, outcome, maximize, name)


def main() -> None:
    """Play what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--experiments", type=int, default=40)
    parser.add_argument("--strategies", nargs="+", default=[*players.PLAYERS])
    parser.add_argument("--botorch", help="an interpreter that has botorch")
    parser.add_argument("--at", nargs="+", type=int, default=[10, 20, 40])
    parser.add_argument("--out", type=Path, default=Path("out/pools.csv"))
    told = parser.parse_args()
    warnings.filterwarnings("ignore")
    makers: dict[str, players.Maker] = {n: players.PLAYERS[n] for n in told.strategies}
    if told.botorch:
        command = [told.botorch, str(Path(__file__).with_name("botorch_peer.py"))]
        makers["botorch"] = functools.partial(players.External, command=command)
    told.out.parent.mkdir(parents=True, exist_ok=True)
    done = pd.read_csv(told.out) if told.out.exists() else pd.DataFrame()
    for seed in range(told.seeds):
        for bench in pools(told.folder):
            for name, maker in makers.items():
                if len(done) and len(
                    done.query("bench == @bench.name and strategy == @name and seed == @seed")
                ):
                    continue
                found = backtest.run(
                    [bench], {name: maker}, experiments=told.experiments, seeds=[seed]
                )
                done = pd.concat([done, found], ignore_index=True)
                done.to_csv(told.out, index=False)
    against = ("random", "skopt_gp", "skopt_forest", "botorch")
    table = backtest.report(done, at=told.at, against=against, of=["ssbayes"])
    for bench in pools(told.folder):
        ratio = f"noise over spread {bench.noise_ratio:.2f}"
        print(f"{bench.name}: {len(bench.truth)} settings, {ratio}")
    shares: Any = done.assign(found=done["score"] >= 1.0 - backtest.TOP)
    shares = shares[shares["experiments"].isin(told.at)]
    shares["strategy"] = shares["strategy"].map(lambda name: players.TITLES.get(name, name))
    print("share of campaigns that have found a setting of the best 5 %")
    print(shares.pivot_table("found", ["bench", "strategy"], "experiments").round(2).to_string())
    with pd.option_context("display.width", 250, "display.max_columns", 30):
        print(table.round(2).to_string(index=False))
    print("enhancement in points of campaigns; 95 % intervals of a bootstrap over paired seeds")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
