"""How few experiments find a setting near the best, on simulated laboratories.

    python benchmarks/sample_efficiency.py --mills 100 --jobs 2 --out efficiency.jsonl
    python benchmarks/sample_efficiency.py --laws mechanofusion annealing --mills 20
    python benchmarks/sample_efficiency.py --botorch /path/to/python   # BoTorch's own interpreter

Near is 2 % for mills, 5 % for mixers and furnaces, whose batches scatter more. Every strategy
meets the same virtual laboratories, the same four random starts and the same noise of
the k-th experiment, and then chooses one experiment at a time. After each of ``--at``
experiments three settings are judged by their *true* mean: the tried one that the strategy
recommends, the one that it holds for the best anywhere, and the one that measured best. What is
recommended is judged after every experiment, for how many it takes until half and until 90 % of
the laboratories have found it. Each finished campaign is one line of ``--out``; a run that is
started again does only what is missing or what changed code made stale.
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
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scores import report
from ssbayes.doe.laboratory import VirtualLaboratory
from strategies import (
    BOTORCH,
    LAW_VERSIONS,
    STRATEGIES,
    best_measured,
    laboratory,
    plays,
    starts,
    version,
)

STARTS = 4
FIRST = 1000
MOST_DEATHS = 3
"""Workers that may die one after the other before the run gives up."""
Task = tuple[str, int, str, tuple[int, ...]]
PROTOCOL = f"{STARTS} starts, one at a time, one cell of one batch an experiment"


def play(law: str, seed: int, strategy: str, at: tuple[int, ...]) -> dict[str, Any]:
    """One campaign: a strategy on one virtual laboratory up to ``max(at)`` experiments."""
    began = time.perf_counter()
    lab = laboratory(law, seed)
    best, optimum = lab.optimum()
    player, names = STRATEGIES[strategy](lab, seed), lab.space.names
    begin = starts(lab, seed, STARTS)
    rows = pd.DataFrame()
    recommended: dict[int, list[float]] = {}
    foreseen: dict[int, list[float]] = {}
    measured: dict[int, list[float]] = {}
    waits: list[float] = []
    for k in range(max(at)):
        asked = time.perf_counter()
        setting = begin.iloc[[k]] if k < STARTS else player.ask()
        waits.append(time.perf_counter() - asked)
        reading = lab.run(setting.filter(names), seed=k)
        rows = pd.concat([rows, reading], ignore_index=True)
        player.tell(reading)
        if k + 1 >= STARTS:
            recommended[k + 1] = _numbers(lab, player.recommend())
        if k + 1 in at:
            foreseen[k + 1] = _numbers(lab, player.foresee())
            measured[k + 1] = _numbers(lab, best_measured(lab, rows))
    getattr(player, "close", lambda: None)()
    return {
        "law_version": lab.law_version,
        "word": lab.kind.word,
        "within": lab.kind.within,
        "seed": seed,
        "strategy": strategy,
        "version": version(strategy, law),
        "protocol": PROTOCOL,
        "kind": "simulated",
        "optimum": {"setting": _numbers(lab, best), lab.kind.objective: round(optimum, 4)},
        "settings": [[round(float(v), 6) for v in row] for row in rows[names].to_numpy()],
        "readings": rows[lab.kind.objective].round(4).tolist(),
        "ratio": lab.ratio(rows.filter(names)).round(5).tolist(),
        "recommended": recommended,
        "recommended_ratio": {k: _ratio(lab, v) for k, v in recommended.items()},
        "foreseen": foreseen,
        "foreseen_ratio": {k: _ratio(lab, v) for k, v in foreseen.items()},
        "measured_ratio": {k: _ratio(lab, v) for k, v in measured.items()},
        "seconds": round(time.perf_counter() - began, 2),
        "slowest_ask_s": round(max(waits), 2),
    }


def _numbers(lab: VirtualLaboratory, setting: pd.DataFrame) -> list[float]:
    return [float(v) for v in setting[lab.space.names].to_numpy()[0]]


def _ratio(lab: VirtualLaboratory, setting: list[float]) -> float:
    return round(float(lab.ratio(dict(zip(lab.space.names, setting, strict=True)))[0]), 5)


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
    """Campaigns of these laws and strategies, judged at all of ``at``, the newest of each
    laboratory; only those of the present versions unless ``any_version``."""
    if done.empty:
        return done
    stamps = [LAW_VERSIONS[law] for law in laws]
    fresh = done["law_version"].isin(stamps) & done["strategy"].isin(strategies)
    fresh &= done["protocol"] == PROTOCOL
    fresh &= np.array([all(str(k) in given for k in at) for given in done["recommended_ratio"]])
    if not any_version:
        present = {(LAW_VERSIONS[w], s): version(s, w) for w in laws for s in strategies}
        keys = zip(done["law_version"], done["strategy"], strict=True)
        fresh &= done["version"].to_numpy() == [present.get(key) for key in keys]
    chosen = done.iloc[np.flatnonzero(fresh)]
    return chosen.drop_duplicates(["law_version", "seed", "strategy"], keep="last")


def run(tasks: list[Task], jobs: int, out: Path) -> None:
    """Play what is missing; each finished campaign is appended at once."""
    began, total = time.perf_counter(), len(tasks)
    out.parent.mkdir(parents=True, exist_ok=True)
    # Inherited by the workers, where each process is one core's worth of work.
    for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[threads] = "1"
    # A polite stop leaves through the `finally` below, which ends the workers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    context = multiprocessing.get_context("spawn")
    waiting, count, deaths = list(tasks), 0, 0
    with out.open("a", encoding="utf-8") as lines:
        while waiting and deaths < MOST_DEATHS:
            pool = ProcessPoolExecutor(jobs, mp_context=context)
            try:
                for future in as_completed([pool.submit(_work, task) for task in waiting]):
                    task, record, failure = future.result()
                    waiting.remove(task)
                    count, deaths = count + 1, 0
                    law, seed, strategy, _ = task
                    told = f"[{count}/{total}] {law} {seed} {strategy}"
                    if record is None:
                        print(f"{told}: FAILED {failure}", flush=True)
                        continue
                    lines.write(json.dumps(record) + "\n")
                    lines.flush()
                    left = (time.perf_counter() - began) / count * (total - count) / 60.0
                    print(
                        f"{told}: {record['seconds']:.1f} s, about {left:.0f} min left", flush=True
                    )
            except BrokenProcessPool:
                deaths += 1
                print(f"a worker died; {len(waiting)} campaigns begin again", flush=True)
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
                for child in multiprocessing.active_children():
                    child.terminate()
    if waiting:
        print(f"workers died {deaths} times in a row; {len(waiting)} campaigns are not played")


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    summary_line, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=summary_line, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mills", type=int, default=100, help="laboratories (seeds) of each law")
    parser.add_argument(
        "--first", type=int, default=FIRST, help="first seed; those below 1000 are for development"
    )
    parser.add_argument("--laws", nargs="+", default=[*LAW_VERSIONS], choices=[*LAW_VERSIONS])
    parser.add_argument("--strategies", nargs="+", default=[*STRATEGIES], choices=[*STRATEGIES])
    parser.add_argument("--at", nargs="+", type=int, default=[6, 8, 12, 20], metavar="K")
    parser.add_argument("--botorch", help="an interpreter that has botorch, to play as well")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--out", type=Path, default=Path("out/sample_efficiency.jsonl"))
    parser.add_argument("--table-only", action="store_true", help="measure nothing more")
    parser.add_argument(
        "--any-version", action="store_true", help="count campaigns of earlier code as well"
    )
    args = parser.parse_args(arguments)
    if args.botorch:
        os.environ[BOTORCH] = args.botorch
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
        if plays(strategy, law) and (LAW_VERSIONS[law], seed, strategy) not in have
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
