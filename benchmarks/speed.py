"""Seconds for a fit, a re-fit and four suggestions, side by side with peers, in one table.

    python benchmarks/speed.py                 # everything, about a quarter of an hour
    python benchmarks/speed.py --parts refit suggest --rows 30 100

Every part runs in a fresh process of its own, one after the other. The data are simulated
(virtual mills of the breakage law at random settings, one cell a batch). "Warm" means that the
process has done the same with another data set before; "cold" counts everything from the start
of the process, imports and compilation included.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ssbayes.doe import virtual

FIRST_SEED = 5_000
SETTINGS_SEED = 90_000
FACTORS = ["rpm", "milling_min", "bead_mm"]
LABELS = ["mill", "run", "batch", "cell", "filling", "c_rate", "capacity_mAh_g"]
SAMPLER = {"draws": 1000, "tune": 500, "chains": 4}
RHAT = 1.02


def measurements(seed: int, rows: int) -> pd.DataFrame:
    """Readings of one virtual mill at random settings, one row a cell (simulated)."""
    settings = virtual.random_settings(rows, SETTINGS_SEED + seed)
    return virtual.mill(FIRST_SEED + seed).run(settings).filter(FACTORS + LABELS)


def clocked(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of a call, and what it gave."""
    began = time.perf_counter()
    given = call()
    return time.perf_counter() - began, given


def part_fresh(args: argparse.Namespace) -> dict[str, Any]:
    """One fit of 40 rows in a process that has done nothing yet."""
    table = measurements(0, 40)
    importing, models = clocked(_models)
    fitting, fit = clocked(lambda: models.get("capacity").fit(table, seed=1, **SAMPLER))
    return {"import_s": importing, "fit_s": fitting, "rhat": _rhat(fit)}


def part_refit(args: argparse.Namespace) -> dict[str, Any]:
    """One row more, 25 data sets of 40 rows."""
    model = _models().get("capacity")
    model.fit(measurements(99, 40), seed=1, **SAMPLER)
    seconds, rhats = [], []
    for seed in range(args.sets):
        table = measurements(seed, 41)
        model.fit(table.head(40), seed=1, **SAMPLER)
        took, fit = clocked(lambda table=table: model.fit(table, seed=1, **SAMPLER))
        seconds.append(took)
        rhats.append(_rhat(fit))
    return {"seconds": seconds, "rhat": rhats}


def part_effective(args: argparse.Namespace) -> dict[str, Any]:
    """Effective samples a second: the compiled fit against `pm.sample` on the same graph."""
    import pymc as pm

    table, model = measurements(0, 40), _models().get("capacity")
    model.fit(table, seed=1, **SAMPLER)
    ours_s, ours = clocked(lambda: model.fit(table, seed=2, **SAMPLER))
    found = {"ours_s": ours_s, "ours_ess": _effective(ours), "ours_rhat": _rhat(ours)}

    # Only pm.sample itself is timed, on all cores. A run of two draws fills its compile cache, as
    # ours is filled; a second one shows what its start still costs.
    original, spent, start = pm.sample, [], []

    def timed(**options: Any) -> Any:
        options["cores"] = min(SAMPLER["chains"], os.cpu_count() or 1)
        short = {**options, "draws": 2, "tune": 2}
        while len(start) < 2:
            start.append(clocked(lambda: original(**short))[0])
        seconds, trace = clocked(lambda: original(**options))
        spent.append(seconds)
        return trace

    pm.sample = timed
    theirs = model.fit(table, seed=2, engine="pymc", **SAMPLER)
    return found | {
        "theirs_s": sum(spent),
        "theirs_start_s": start[1] * len(spent),
        "theirs_ess": _effective(theirs),
        "theirs_rhat": _rhat(theirs),
    }


def part_suggest(args: argparse.Namespace) -> dict[str, Any]:
    """`suggest(4)` after new rows, warm; and the re-fit that it contains, apart."""
    model = _models().get("capacity")
    found: dict[str, Any] = {}
    for name in ("physics", "none"):
        for rows in args.rows:
            totals, fits = [], []
            for repeat in range(args.repeats + 1):
                table = measurements(200 + repeat, rows)
                campaign = _campaign(table, "capacity" if name == "physics" else None, None)
                took, _ = clocked(lambda campaign=campaign: campaign.suggest(4))
                if name == "physics":
                    fits.append(clocked(lambda t=table: model.fit(t, seed=1, **SAMPLER))[0])
                totals.append(took)
            # The first one compiles for this size of table.
            found[f"{name}_{rows}"] = {"first": totals[0], "total": totals[1:], "fit": fits[1:]}
    return found


def part_laboratory(args: argparse.Namespace) -> dict[str, Any]:
    """`suggest(4)` without physics, as laboratories ask: four factors, a mixture with runs that
    share a setting, and more discrete levels than anybody could list; memory in MiB."""
    from ssbayes import doe

    furnace = doe.Real("anneal_degC", 100, 500, hard=True)
    parts = {"am": (0.6, 0.85), "se": (0.1, 0.35), "cb": (0.0, 0.05), "binder": (0.0, 0.05)}
    minutes = doe.Real("milling_min", 5, 300, log=True)
    plain = [doe.Real("rpm", 200, 1000), minutes, doe.Choice("bead_mm", [1.75, 3.0, 5.0]), furnace]
    levels = [doe.Choice(f"x{k}", [float(v) for v in range(20)]) for k in range(20)]
    asked = [(f"four_{rows}", doe.Space([*plain[:3], doe.Real("filling", 0.3, 0.7)]), rows)
             for rows in (*args.rows, 1000)]  # fmt: skip
    asked.append(("mixture_40", doe.Space([doe.Mixture(parts), furnace, minutes], per_run=4), 40))
    asked.append(("levels_40", doe.Space(levels), 40))
    found: dict[str, Any] = {}
    for name, space, rows in asked:
        seconds = []
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        for repeat in range(args.repeats + 1):
            campaign = doe.Campaign(space, maximize="capacity_mAh_g", seed=1, initial=0)
            campaign.record(_made_up(space, rows, repeat))
            seconds.append(clocked(lambda campaign=campaign: campaign.suggest(4))[0])
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        found[name] = {"first": seconds[0], "total": seconds[1:], "mib": after - before}
    return found


def _made_up(space: Any, rows: int, seed: int) -> pd.DataFrame:
    """Readings with one optimum inside, runs of four where a factor is shared (simulated)."""
    rng = np.random.default_rng([seed, rows])
    table = space.sample(rows, rng)
    hard = [f.name for f in space.factors if getattr(f, "hard", False)]
    for name in hard:
        table[name] = table[name].to_numpy()[np.arange(rows) // 4 * 4]
    centre = space.encode(table)
    value = 150.0 - 40.0 * ((centre - 0.4) ** 2).sum(axis=1) + rng.normal(size=rows)
    labels = {"batch": [f"b{k}" for k in range(rows)], "cell": "1"}
    if hard:
        labels["run"] = [f"r{k // 4}" for k in range(rows)]
    return table.assign(capacity_mAh_g=np.clip(value, 1.0, 399.0), **labels)


def part_cold(args: argparse.Namespace) -> dict[str, Any]:
    """`suggest(4)` of a campaign file with rows in it, in a process that has done nothing."""
    from ssbayes import doe

    took, _ = clocked(lambda: doe.Campaign.open(args.store).suggest(4))
    return {"suggest_s": took}


def part_store(args: argparse.Namespace) -> dict[str, Any]:
    """Writes the campaign file that the cold suggestion opens."""
    _campaign(measurements(200, args.rows[0]), "capacity", args.store)
    return {}


def part_skopt(args: argparse.Namespace) -> dict[str, Any]:
    """scikit-optimize: telling one more row to n rows, and `ask(4)` (its default: cl_min)."""
    found = {}
    for rows in args.rows:
        tells, asks = [], []
        for repeat in range(1 if rows > 100 else min(3, args.repeats)):
            table = measurements(200 + repeat, rows)
            optimizer = _optimizer(repeat)
            x = table[FACTORS].to_numpy(dtype=float).tolist()
            y = (-table["capacity_mAh_g"].to_numpy(dtype=float)).tolist()
            optimizer.tell(x[:-1], y[:-1])
            tells.append(clocked(lambda o=optimizer, x=x, y=y: o.tell(x[-1], y[-1]))[0])
            asks.append(clocked(lambda o=optimizer: o.ask(n_points=4))[0])
        found[str(rows)] = {"tell": tells, "ask": asks}
    return found


def _models() -> Any:
    from ssbayes import models

    return models


def _campaign(table: pd.DataFrame, model: str | None, store: str | None) -> Any:
    from ssbayes import doe

    fixed: dict[str, Any] = {"c_rate": virtual.C_RATE, "filling": virtual.FILLING}
    if model is not None:
        fixed["mill"] = str(table["mill"].iloc[0])
    campaign = doe.Campaign(
        virtual.space(),
        maximize="capacity_mAh_g",
        fixed=fixed,
        model=model,
        store=store,
        seed=1,
        initial=0,
    )
    campaign.record(table)
    return campaign


def _optimizer(seed: int) -> Any:
    from skopt import Optimizer
    from skopt.space import Categorical, Real

    return Optimizer(
        [
            Real(*virtual.RPM),
            Real(*virtual.MINUTES, prior="log-uniform"),
            Categorical(list(virtual.BEADS_MM)),
        ],
        base_estimator="GP",
        n_initial_points=1,
        random_state=seed,
        space_constraint=lambda x: not (x[0] >= 800.0 and x[1] > 20.0),
    )


def _effective(fit: Any) -> float:
    """Smallest bulk effective sample size over all parameters."""
    return float(fit.convergence.table["ess_bulk"].min())


def _rhat(fit: Any) -> float:
    return float(fit.convergence.worst_rhat)


PARTS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "fresh": part_fresh,
    "refit": part_refit,
    "effective": part_effective,
    "suggest": part_suggest,
    "cold": part_cold,
    "store": part_store,
    "laboratory": part_laboratory,
    "skopt": part_skopt,
}


def child(
    part: str, args: argparse.Namespace, rows: list[int], store: str = "", repeats: int = 0
) -> dict[str, Any]:
    """One part in a process of its own; ``wall_s`` counts from its start."""
    print(f"measuring: {part} {rows if part != 'refit' else ''}", file=sys.stderr, flush=True)
    command = [sys.executable, __file__, "--child", part, "--store", store, "--rows"]
    command += [*map(str, rows), "--sets", str(args.sets)]
    command += ["--repeats", str(repeats or args.repeats)]
    wall, done = clocked(lambda: subprocess.run(command, capture_output=True, text=True))
    if done.returncode:
        raise SystemExit(f"part {part} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.splitlines()[-1]) | {"wall_s": wall}


def line(what: str, ours: str, peer: str = "", ratio: str = "", note: str = "") -> str:
    return f"| {what} | {ours} | {peer} | {ratio} | {note} |"


def measure(args: argparse.Namespace) -> list[str]:
    """All lines of the table, part by part."""
    lines = []
    if "fresh" in args.parts:
        got = child("fresh", args, args.rows)
        note = f"imports {got['import_s']:.1f}, fit {got['fit_s']:.1f}, 40 rows"
        lines.append(line("fit in a fresh process", f"{got['wall_s']:.1f} s", note=note))
    if "refit" in args.parts:
        got = child("refit", args, args.rows)
        good, worst = np.mean(np.array(got["rhat"]) < RHAT), max(got["rhat"])
        seconds = np.array(got["seconds"])
        note = (
            f"{len(seconds)} data sets, slowest {seconds.max():.2f} s; R-hat < {RHAT} in "
            f"{good:.0%}, largest {worst:.3f}; target 0.5 s"
        )
        lines.append(
            line("re-fit, 40 rows and one more", f"{np.median(seconds):.2f} s (median)", note=note)
        )
    if "effective" in args.parts:
        got = child("effective", args, args.rows)
        ours, whole = got["ours_ess"] / got["ours_s"], got["theirs_ess"] / got["theirs_s"]
        bare = got["theirs_ess"] / max(got["theirs_s"] - got["theirs_start_s"], 0.01)
        lines.append(
            line(
                "effective samples a second (worst parameter)",
                f"{ours:.0f}",
                f"pm.sample: {whole:.0f}, without its start {bare:.0f}",
                f"{ours / whole:.0f}x, {ours / bare:.1f}x",
                f"bulk ESS {got['ours_ess']:.0f} in {got['ours_s']:.2f} s against "
                f"{got['theirs_ess']:.0f} in {got['theirs_s']:.1f} s "
                f"(of it start {got['theirs_start_s']:.1f} s); R-hat {got['ours_rhat']:.3f} and "
                f"{got['theirs_rhat']:.3f}",
            )
        )
    peer = child("skopt", args, args.rows) if "skopt" in args.parts else {}
    warm = child("suggest", args, args.rows) if "suggest" in args.parts else {}
    for rows in args.rows:
        ask = float(np.median(peer[str(rows)]["ask"])) if peer else float("nan")
        theirs = f"ask(4): {ask:.1f} s" if peer else ""
        for name, title in (("physics", "physics"), ("none", "no physics")):
            if not warm:
                continue
            got = warm[f"{name}_{rows}"]
            total = float(np.median(got["total"]))
            note = f"largest {max(got['total']):.2f} s, first of this size {got['first']:.1f} s"
            if got["fit"]:
                note = f"re-fit apart {np.median(got['fit']):.2f} s; {note}"
            ratio = f"{ask / total:.0f}x" if peer else ""
            what = f"suggest(4) at {rows} rows, {title}, warm"
            lines.append(line(what, f"{total:.2f} s (median)", theirs, ratio, note))
        if peer and not warm:
            lines.append(line(f"scikit-optimize at {rows} rows", "", theirs))
    if "laboratory" in args.parts:
        titles = {
            "mixture_40": "six factors of them a mixture of four, runs of four, 40 rows",
            "levels_40": "20 factors of 20 levels, 40 rows",
        }
        for name, got in child("laboratory", args, args.rows).items():
            if name == "wall_s":
                continue
            title = titles.get(name, f"four factors, {name.partition('_')[2]} rows")
            note = f"largest {max(got['total']):.2f} s, first {got['first']:.1f} s"
            note += f"; memory grew by {got['mib']:.0f} MiB"
            took = f"{np.median(got['total']):.2f} s (median)"
            lines.append(line(f"suggest(4), no physics, {title}, warm", took, note=note))
    if "cold" in args.parts:
        rows = [100] if 100 in args.rows else args.rows[:1]
        with tempfile.TemporaryDirectory() as folder:
            store = str(Path(folder) / "mill.db")
            child("store", args, rows, store)
            got = child("cold", args, rows, store)
        theirs, ratio = "", ""
        if "skopt" in args.parts:
            seconds = child("skopt", args, rows, repeats=1)["wall_s"]
            theirs = f"import, tell and ask(4): {seconds:.1f} s"
            ratio = f"{seconds / got['wall_s']:.1f}x"
        lines.append(
            line(
                f"suggest(4) at {rows[0]} rows, physics, cold",
                f"{got['wall_s']:.1f} s",
                theirs,
                ratio,
                f"without the imports of the first lines {got['suggest_s']:.1f} s",
            )
        )
    return lines


def machine() -> str:
    from importlib.metadata import version

    names = ("pymc", "nutpie", "jax", "scikit-optimize", "numpy")
    return (
        f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}; "
        + ", ".join(f"{name} {version(name)}" for name in names)
        + f"; load when started {os.getloadavg()[0]:.1f}"
    )


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    what, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=what, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = [name for name in PARTS if name != "store"]
    parser.add_argument("--parts", nargs="+", default=parts, choices=parts)
    parser.add_argument("--rows", nargs="+", type=int, default=[30, 100, 400])
    parser.add_argument("--sets", type=int, default=25, help="data sets of the re-fit")
    parser.add_argument("--repeats", type=int, default=5, help="timed suggestions of each size")
    parser.add_argument("--child", choices=[*PARTS], help=argparse.SUPPRESS)
    parser.add_argument("--store", default="", help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if args.child:
        warnings.filterwarnings("ignore")
        logging.disable(logging.WARNING)
        print(json.dumps(PARTS[args.child](args)))
        return
    stamp = machine()
    lines = measure(args)
    print("| measured | ssbayes | peer | ratio | remarks |\n| --- | --- | --- | --- | --- |")
    print("\n".join(lines))
    print(f"\n{stamp}. Data simulated ({virtual.LAW_VERSIONS['breakage']}).")


if __name__ == "__main__":
    main()
