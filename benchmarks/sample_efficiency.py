"""How few experiments find a setting within 2 % of the best, on simulated laboratories.

    python benchmarks/sample_efficiency.py --mills 100 --jobs 2 --out efficiency.jsonl

Every strategy meets the same virtual mills, the same four random starts and the same noise of
the k-th experiment, and then chooses one experiment at a time. After each of ``--at``
experiments three settings are judged by their *true* mean: the tried one that the strategy
recommends, the one that it holds for the best anywhere, and the one that measured best. Each
finished campaign is one line of ``--out``; a run that is started again does only what is missing
or what changed code made stale.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import signal
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scores import report
from ssbayes.doe import virtual
from strategies import FACTORS, STRATEGIES, best_measured, starts, version

STARTS = 4
FIRST = 1000
Task = tuple[str, int, str, tuple[int, ...]]
PROTOCOL = f"{STARTS} starts, one at a time, one cell of one batch an experiment"


def play(law: str, seed: int, strategy: str, at: tuple[int, ...]) -> dict[str, Any]:
    """One campaign: a strategy on one virtual mill up to ``max(at)`` experiments."""
    began = time.perf_counter()
    mill = virtual.mill(seed, law)
    best, optimum = mill.optimum()
    player = STRATEGIES[strategy](mill, seed)
    rows = pd.DataFrame()
    recommended: dict[int, list[float]] = {}
    foreseen: dict[int, list[float]] = {}
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
            foreseen[k + 1] = _numbers(player.foresee())
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
        "foreseen": foreseen,
        "foreseen_ratio": {k: _ratio(mill, v) for k, v in foreseen.items()},
        "measured_ratio": {k: _ratio(mill, v) for k, v in measured.items()},
        "seconds": round(time.perf_counter() - began, 2),
        "slowest_ask_s": round(max(waits), 2),
    }


def _numbers(setting: pd.DataFrame) -> list[float]:
    return [float(v) for v in setting[FACTORS].to_numpy()[0]]


def _ratio(mill: virtual.VirtualMill, setting: list[float]) -> float:
    return round(float(mill.ratio(dict(zip(FACTORS, setting, strict=True)))[0]), 5)


def _work(task: Task) -> tuple[Task, dict[str, Any] | None, str]:
    """A campaign in a worker: one that fails must not end the others."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    try:
        return task, play(*task), ""
    except Exception as error:
        return task, None, repr(error)


def load(path: Path) -> pd.DataFrame:
    """Finished campaigns of a file, newest last; a line cut short by a stop is skipped."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return pd.DataFrame(lines)


def current(
    done: pd.DataFrame,
    laws: list[str],
    strategies: list[str],
    at: tuple[int, ...],
    any_version: bool = False,
) -> pd.DataFrame:
    """Campaigns of these laws and strategies, judged at all of ``at``, the newest of each mill;
    only those of the present versions unless ``any_version``."""
    if done.empty:
        return done
    stamps = [virtual.LAW_VERSIONS[law] for law in laws]
    fresh = done["law_version"].isin(stamps) & done["strategy"].isin(strategies)
    fresh &= done["protocol"] == PROTOCOL
    fresh &= np.array([all(str(k) in given for k in at) for given in done["recommended_ratio"]])
    if not any_version:
        present = {name: version(name) for name in strategies}
        fresh &= done["version"].to_numpy() == [present.get(str(n)) for n in done["strategy"]]
    chosen = done.iloc[np.flatnonzero(fresh)]
    return chosen.drop_duplicates(["law_version", "seed", "strategy"], keep="last")


def run(tasks: list[Task], jobs: int, out: Path) -> None:
    """Play what is missing; each finished campaign is appended at once."""
    began, total = time.perf_counter(), len(tasks)
    out.parent.mkdir(parents=True, exist_ok=True)
    # Inherited by the workers, where each process is one core's worth of work.
    for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[threads] = "1"
    # A polite stop leaves through the pool's exit, which ends the workers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    context = multiprocessing.get_context("spawn")
    with out.open("a", encoding="utf-8") as lines, context.Pool(jobs) as pool:
        for count, (task, record, failure) in enumerate(pool.imap_unordered(_work, tasks), 1):
            law, seed, strategy, _ = task
            left = (time.perf_counter() - began) / count * (total - count) / 60.0
            if record is None:
                print(f"[{count}/{total}] {law} {seed} {strategy}: FAILED {failure}", flush=True)
                continue
            lines.write(json.dumps(record) + "\n")
            lines.flush()
            print(
                f"[{count}/{total}] {law} {seed} {strategy}: {record['seconds']:.1f} s, "
                f"about {left:.0f} min left",
                flush=True,
            )


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    summary_line, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=summary_line, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mills", type=int, default=100, help="seeds of each law")
    parser.add_argument(
        "--first", type=int, default=FIRST, help="first seed; those below 1000 are for development"
    )
    parser.add_argument("--laws", nargs="+", default=[*virtual.LAW_VERSIONS])
    parser.add_argument("--strategies", nargs="+", default=[*STRATEGIES], choices=[*STRATEGIES])
    parser.add_argument("--at", nargs="+", type=int, default=[6, 8, 12, 20], metavar="K")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--out", type=Path, default=Path("out/sample_efficiency.jsonl"))
    parser.add_argument("--table-only", action="store_true", help="measure nothing more")
    parser.add_argument(
        "--any-version", action="store_true", help="count campaigns of earlier code as well"
    )
    args = parser.parse_args(arguments)
    at = tuple(sorted(args.at))
    if at[0] < STARTS:
        parser.error(f"--at {at[0]}: the first {STARTS} experiments are the random starts")
    seeds = range(args.first, args.first + args.mills)
    done = current(load(args.out), args.laws, args.strategies, at, args.any_version)
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
        done = current(load(args.out), args.laws, args.strategies, at, args.any_version)
    if done.empty:
        print("nothing measured yet")
        return
    print(report(done.iloc[np.flatnonzero(done["seed"].isin(seeds))], at, PROTOCOL))


if __name__ == "__main__":
    main()
