"""How few experiments find a setting within 2 % of the best, on simulated laboratories.

    python benchmarks/sample_efficiency.py --mills 100 --jobs 2 --out efficiency.jsonl

Every strategy meets the same virtual mills, the same four random starts and the same noise of
the k-th experiment, and then chooses one experiment at a time. After each of ``--at``
experiments two settings are judged by their *true* mean: the one that the strategy recommends
and the one that measured best. Each finished campaign is one line of ``--out``; a run that is
started again does only what is missing or what changed code made stale.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from ssbayes.doe import virtual
from strategies import FACTORS, STRATEGIES, TITLES, best_measured, starts, version

STARTS = 4
WITHIN = 0.02
LEVEL = 0.90
PROTOCOL = f"{STARTS} starts, one at a time, one cell of one batch an experiment"


def play(law: str, seed: int, strategy: str, at: tuple[int, ...]) -> dict[str, Any]:
    """One campaign: a strategy on one virtual mill up to ``max(at)`` experiments."""
    began = time.perf_counter()
    mill = virtual.mill(seed, law)
    best, optimum = mill.optimum()
    player = STRATEGIES[strategy](mill, seed)
    rows = pd.DataFrame()
    recommended: dict[int, list[float]] = {}
    measured: dict[int, list[float]] = {}
    waits: list[float] = []
    for k in range(max(at)):
        asked = time.perf_counter()
        setting = starts(seed, STARTS).iloc[[k]] if k < STARTS else player.ask()
        waits.append(time.perf_counter() - asked)
        reading = mill.run(setting.filter(FACTORS), seed=k)
        rows = pd.concat([rows, reading], ignore_index=True)
        player.tell(reading)
        if k + 1 in at:
            recommended[k + 1] = _numbers(player.recommend())
            measured[k + 1] = _numbers(best_measured(rows))
    return {
        "law_version": mill.law_version,
        "seed": seed,
        "strategy": strategy,
        "version": version(strategy),
        "protocol": PROTOCOL,
        "kind": "simulated",
        "optimum": {"setting": _numbers(best), "capacity_mAh_g": round(optimum, 4)},
        "settings": [[round(float(v), 6) for v in row] for row in rows[FACTORS].to_numpy()],
        "readings": rows["capacity_mAh_g"].round(4).tolist(),
        "ratio": mill.ratio(rows.filter(FACTORS)).round(5).tolist(),
        "recommended": recommended,
        "recommended_ratio": {k: _ratio(mill, v) for k, v in recommended.items()},
        "measured_ratio": {k: _ratio(mill, v) for k, v in measured.items()},
        "seconds": round(time.perf_counter() - began, 2),
        "slowest_ask_s": round(max(waits), 2),
    }


def _numbers(setting: pd.DataFrame) -> list[float]:
    return [float(v) for v in setting[FACTORS].to_numpy()[0]]


def _ratio(mill: virtual.VirtualMill, setting: list[float]) -> float:
    return round(float(mill.ratio(dict(zip(FACTORS, setting, strict=True)))[0]), 5)


def _work(task: tuple[str, int, str, tuple[int, ...]]) -> dict[str, Any]:
    warnings.filterwarnings("ignore")
    return play(*task)


def load(path: Path) -> pd.DataFrame:
    """Finished campaigns of a file, newest last; a line cut short by a stop is skipped."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return pd.DataFrame(lines)


def current(done: pd.DataFrame, laws: list[str], strategies: list[str]) -> pd.DataFrame:
    """Campaigns of these laws and strategies in their present versions, one a mill."""
    if done.empty:
        return done
    stamps = [virtual.LAW_VERSIONS[law] for law in laws]
    fresh = done["law_version"].isin(stamps) & done["strategy"].isin(strategies)
    fresh &= done["protocol"] == PROTOCOL
    fresh &= done["version"] == [
        version(name) if name in STRATEGIES else "" for name in done["strategy"]
    ]
    chosen = done.iloc[np.flatnonzero(fresh)]
    return chosen.drop_duplicates(["law_version", "seed", "strategy"], keep="last")


def run(tasks: list[tuple[str, int, str, tuple[int, ...]]], jobs: int, out: Path) -> None:
    """Play what is missing; each finished campaign is appended at once."""
    began, total = time.perf_counter(), len(tasks)
    out.parent.mkdir(parents=True, exist_ok=True)
    # Inherited by the workers, where each process is one core's worth of work.
    for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[threads] = "1"
    context = multiprocessing.get_context("spawn")
    with (
        out.open("a", encoding="utf-8") as lines,
        ProcessPoolExecutor(jobs, mp_context=context) as pool,
    ):
        waiting = {pool.submit(_work, task): task for task in tasks}
        for count, future in enumerate(as_completed(waiting), start=1):
            law, seed, strategy, _ = waiting[future]
            left = (time.perf_counter() - began) / count * (total - count) / 60.0
            try:
                record = future.result()
            except Exception as error:
                print(f"[{count}/{total}] {law} {seed} {strategy}: FAILED {error!r}", flush=True)
                continue
            lines.write(json.dumps(record) + "\n")
            lines.flush()
            print(
                f"[{count}/{total}] {law} {seed} {strategy}: {record['seconds']:.1f} s, "
                f"about {left:.0f} min left",
                flush=True,
            )


def share_interval(hits: int, n: int) -> tuple[float, float]:
    """Equal-tailed 90 % interval of a share, Jeffreys prior."""
    tail = (1.0 - LEVEL) / 2.0
    low, high = stats.beta.ppf([tail, 1.0 - tail], hits + 0.5, n - hits + 0.5)
    return (0.0 if hits == 0 else float(low), 1.0 if hits == n else float(high))


def difference_interval(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float, float]:
    """Paired difference of two shares and its equal-tailed 90 % interval.

    Wins, losses and ties of the pairs under Jeffreys' prior (Dirichlet with halves), so that
    a table without a single win or loss does not pretend to be certain.
    """
    wins, losses = int((ours & ~theirs).sum()), int((~ours & theirs).sum())
    counts = np.array([wins, losses, len(ours) - wins - losses]) + 0.5
    draws = np.random.default_rng(0).dirichlet(counts, 40_000)
    tail = (1.0 - LEVEL) / 2.0
    low, high = np.quantile(draws[:, 0] - draws[:, 1], [tail, 1.0 - tail])
    return (wins - losses) / len(ours), float(low), float(high)


def summary(done: pd.DataFrame, at: tuple[int, ...], peer: str = "skopt_gp") -> pd.DataFrame:
    """One row a law, strategy and number of experiments.

    Columns ``share``, ``low``, ``high`` judge the recommended setting, ``measured_*`` the best
    measured one, ``diff*`` the recommended one against the peer's on the same mills.
    """
    table = []
    groups: Any = done.groupby(["law_version", "strategy"], sort=False)
    for (law, strategy), group in groups:
        group = group.set_index("seed")
        other = done[(done["law_version"] == law) & (done["strategy"] == peer)].set_index("seed")
        for k in at:
            good = _good(group, "recommended_ratio", k)
            first = _good(group, "measured_ratio", k)
            row = {"law": law, "strategy": strategy, "k": k, "mills": len(good)}
            row |= _share(good, "") | _share(first, "measured_")
            shared = group.index.intersection(other.index)
            if strategy != peer and len(shared):
                pair = _good(other.loc[shared], "recommended_ratio", k)
                ours = _good(group.loc[shared], "recommended_ratio", k)
                row |= dict(
                    zip(
                        ("diff", "diff_low", "diff_high"),
                        difference_interval(ours, pair),
                        strict=True,
                    )
                )
                row["pairs"] = len(shared)
            table.append(row)
    return pd.DataFrame(table)


def _good(group: pd.DataFrame, column: str, k: int) -> np.ndarray:
    """Which campaigns lie within 2 % after k experiments (JSON keys are text)."""
    values = [cell.get(str(k), cell.get(k, np.nan)) for cell in group[column]]
    return np.array(values, dtype=float) >= 1.0 - WITHIN


def _share(good: np.ndarray, prefix: str) -> dict[str, float]:
    low, high = share_interval(int(good.sum()), len(good))
    return {f"{prefix}share": good.mean(), f"{prefix}low": low, f"{prefix}high": high}


def markdown(table: pd.DataFrame, at: tuple[int, ...]) -> str:
    """The table as it stands in benchmarks/README.md; shares and differences in percent."""
    lines = []
    laws: Any = table.groupby("law", sort=False)
    for law, by_law in laws:
        lines += [f"**{law}** (simulated), {int(by_law['mills'].max())} mills", ""]
        head = " | ".join(f"after {k}" for k in at)
        lines += [f"| strategy | judged | {head} |", "| --- | --- |" + " --- |" * len(at)]
        for strategy, rows in by_law.groupby("strategy", sort=False):
            rows, title = rows.set_index("k"), TITLES.get(str(strategy), str(strategy))
            for prefix, judged in (("", "recommended"), ("measured_", "best measured")):
                cells = [
                    f"{rows.at[k, prefix + 'share']:.0%} "
                    f"({rows.at[k, prefix + 'low']:.0%}-{rows.at[k, prefix + 'high']:.0%})"
                    for k in at
                ]
                lines.append(f"| {title} | {judged} | " + " | ".join(cells) + " |")
            if "diff" in rows and rows["diff"].notna().all():
                cells = [
                    f"{100 * rows.at[k, 'diff']:+.0f} ({100 * rows.at[k, 'diff_low']:+.0f} to "
                    f"{100 * rows.at[k, 'diff_high']:+.0f})"
                    for k in at
                ]
                lines.append(
                    f"| {title} | minus {TITLES['skopt_gp']} | " + " | ".join(cells) + " |"
                )
        lines.append("")
    return "\n".join(lines)


def report(done: pd.DataFrame, at: tuple[int, ...]) -> str:
    """Table, how to read it, and the stamps of what was measured."""
    seeds = sorted(int(seed) for seed in done["seed"].unique())
    stamps = done.groupby("strategy", sort=False)["version"].first().to_dict()
    slowest = done.groupby("strategy", sort=False)["slowest_ask_s"].median().round(2).to_dict()
    return "\n".join(
        [
            f"Share of virtual mills (simulated) whose setting truly lies within {WITHIN:.0%} of "
            f"the optimum; {PROTOCOL}.",
            "In brackets: 90 % equal-tailed interval (Jeffreys), of paired differences in points "
            "(Jeffreys on wins, losses, ties).",
            "",
            markdown(summary(done, at), at),
            f"Seeds {seeds[0]} to {seeds[-1]} ({len(seeds)} of them). Versions: {stamps}. "
            f"Slowest ask of a campaign, median in s: {slowest}.",
        ]
    )


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    summary_line, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=summary_line, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mills", type=int, default=100, help="seeds 0 .. N-1 of each law")
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--laws", nargs="+", default=[*virtual.LAW_VERSIONS])
    parser.add_argument("--strategies", nargs="+", default=[*STRATEGIES], choices=[*STRATEGIES])
    parser.add_argument("--at", nargs="+", type=int, default=[6, 8, 12, 20], metavar="K")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--out", type=Path, default=Path("out/sample_efficiency.jsonl"))
    parser.add_argument("--table-only", action="store_true", help="measure nothing more")
    args = parser.parse_args(arguments)
    at = tuple(sorted(args.at))
    if at[0] < STARTS:
        parser.error(f"--at {at[0]}: the first {STARTS} experiments are the random starts")
    seeds = range(args.first, args.first + args.mills)
    done = current(load(args.out), args.laws, args.strategies)
    key = ["law_version", "seed", "strategy"]
    have = set() if done.empty else set(done[key].itertuples(index=False, name=None))
    tasks = [
        (law, seed, strategy, at)
        for seed in seeds
        for law in args.laws
        for strategy in args.strategies
        if (virtual.LAW_VERSIONS[law], seed, strategy) not in have
    ]
    if tasks and not args.table_only:
        print(f"{len(tasks)} campaigns to play, {len(have)} on file", flush=True)
        run(tasks, args.jobs, args.out)
        done = current(load(args.out), args.laws, args.strategies)
    if done.empty:
        print("nothing measured yet")
        return
    print(report(done.iloc[np.flatnonzero(done["seed"].isin(seeds))], at))


if __name__ == "__main__":
    main()
