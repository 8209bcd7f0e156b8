"""Are conductivities from blocking cells right as often as they say? All spectra are simulated.

    python benchmarks/transmission_line.py --spectra 100 --out transmission_line.csv

For every ratio of electronic to ionic conductivity: spectra of cells that block ions
(``ssbayes.doe.virtual_blocking``, electrodes of many thicknesses and conductivities, 1 % noise),
how many are refused, how often the 90 % interval of each conductivity and of the ratio holds the
truth, with the band that the binomial law allows at 90 % (99 %), how wide the ionic interval is
(median of upper over lower end), and how often each rail is said to be weak or from the prior.
A second table asks the same of the electron-blocking cell, a third of electrodes that are not the
fitted law, a fourth of three cells pooled.

    python benchmarks/transmission_line.py --prior-draws 400

is simulation-based calibration of what an evaluation samples: all ten parameters are drawn from
the prior, lines and contacts outside the measured frequencies included, and the coverage of each
parameter's 90 % interval is printed for all sets that an evaluation would answer.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binom
from ssbayes.doe import virtual_blocking as virtual
from ssbayes.models import blocking_cells as cells
from ssbayes.models import blocking_pool as pooling
from ssbayes.models import transmission_fit as fitting
from ssbayes.models import transmission_line as lines
from ssbayes.models.kramers_kronig import kramers_kronig
from ssbayes.models.walkers import STEPS, walk

RATIOS = (0.3, 1.0, 3.0, 10.0, 30.0, 77.0)
ASKED = ("electronic", "ionic", "ratio")


def evaluate(ratio: float, seed: int, scenario: str, blocking: str) -> dict[str, Any]:
    """One simulated spectrum: told intervals against the truth."""
    made = virtual.simulate(ratio, seed, scenario=scenario, blocking=blocking)
    row = cells.conductivities(made.table, seed=seed).table.iloc[0]
    truth = {"electronic": made.electronic, "ionic": made.ionic,
             "ratio": made.electronic / made.ionic}
    out: dict[str, Any] = {
        "kind": "simulated", "scenario": scenario, "blocking": blocking, "ratio": ratio,
        "seed": seed, "given": row["status"] == "done", "reason": row["reason"],
        "khat": row["khat"], "posterior": row["posterior"]}
    for name in ASKED:
        column = name if name == "ratio" else f"{name}_mS_cm"
        ends = [row[f"{column}_{end}"] for end in ("low", "high")]
        out[f"{name}_inside"] = bool(ends[0] <= truth[name] <= ends[1])
        out[f"{name}_factor"] = ends[1] / ends[0]
        if name != "ratio":
            out[f"{name}_informed_by"] = row[f"{name}_informed_by"]
    return out


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """Coverage and width by ratio."""
    out = []
    groups: Any = rows.groupby(["scenario", "blocking", "ratio"], sort=False)
    for (scenario, blocking, ratio), part in groups:
        given: Any = part[part["given"]]
        n = len(given)
        low, high = binom.interval(0.99, n, 0.9) if n else (np.nan, np.nan)
        told = {f"{name} inside": given[f"{name}_inside"].mean() for name in ASKED}
        out.append({
            "scenario": scenario, "blocking": blocking, "ratio": ratio, "kind": "simulated",
            "spectra": len(part), "given": n / len(part), **told, "band low": low / max(n, 1),
            "band high": high / max(n, 1),
            "electronic factor": given["electronic_factor"].median(),
            "ionic factor": given["ionic_factor"].median(),
            "electronic weak": given["electronic_informed_by"].ne("data").mean(),
            "ionic weak": given["ionic_informed_by"].ne("data").mean(),
            "walked": given["posterior"].eq("walkers").mean()})
    return pd.DataFrame(out)


def pooled(ratios: tuple[float, ...], materials: int, start: int, count: int) -> pd.DataFrame:
    """Coverage of a composite's conductivities from ``count`` cells that scatter by 15 %."""
    out = []
    for ratio in ratios:
        inside, weak, factor = [], [], []
        for seed in range(start, start + materials):
            of = virtual.material(ratio, seed)
            made = [virtual.simulate(ratio, 1000 * seed + k, made_of=of, scatter=0.15,
                                     batch="a", cell=str(k)).table for k in range(count)]
            found = cells.conductivities(pd.concat(made, ignore_index=True), seed=seed)
            if not found.draws:
                continue
            told = pooling.pool(found, seed=seed).table.set_index("quantity")
            inside.append([told.at[f"{name}_mS_cm", "low"] <= getattr(of, name)
                           <= told.at[f"{name}_mS_cm", "high"] for name in cells.RAILS])
            weak.append(told.at["ionic_mS_cm", "informed_by"] != "data")
            factor.append(told.at["ionic_mS_cm", "high"] / told.at["ionic_mS_cm", "low"])
        low, high = binom.interval(0.99, len(inside), 0.9)
        told = np.mean(inside, axis=0)
        out.append({"cells": count, "ratio": ratio, "kind": "simulated", "materials": len(inside),
                    "electronic": told[0], "ionic": told[1], "band low": low / len(inside),
                    "band high": high / len(inside), "ionic factor": np.median(factor),
                    "ionic weak": np.mean(weak)})
    return pd.DataFrame(out)


def from_prior(sets: int, start: int, blocking: str = lines.ION) -> pd.DataFrame:
    """Coverage of each parameter where everything is drawn from the prior."""
    f, area, thickness = np.logspace(6, -1, 43), 0.785, 100.0
    swap, prior = float(blocking == lines.ELECTRON), fitting.prior_scale()
    inside, walked = [], 0
    for seed in range(start, start + sets):
        rng = np.random.default_rng([seed, 97])
        u = prior[0] + prior[1] * rng.normal(size=fitting.COUNT)
        logit = float(lines.expected_logit(np.exp(u[fitting.TOTAL]), swap))
        real, imaginary = fitting.curve(u, f, logit=logit, swap=swap, area_cm2=area)
        size = np.exp(u[fitting.NOISE]) * np.hypot(real, imaginary)
        real, imaginary = (v + size * rng.normal(size=len(f)) for v in (real, imaginary))
        gate = kramers_kronig(f, real, imaginary)
        part = pd.DataFrame({"frequency_of_signal_Hz": f, "z_re_ohm": real / area,
                             "z_im_ohm": imaginary / area})
        seen = fitting.seen(part, gate, fitting.Cell(thickness, area, logit, swap, None))
        found = fitting.modes(seen)
        if not gate.passed or not found:
            continue
        drawn = fitting.sample(seen, found, seed)
        draws = drawn.u
        if drawn.khat > cells.ROUGH:
            moved = walk(seen.log_density, draws, seed)
            if not moved.settled:
                moved = walk(seen.log_density, moved.u, seed + 1, steps=2 * STEPS)
            if not moved.settled:
                continue
            walked, draws = walked + 1, moved.u
        rank = (draws < u).mean(axis=0)
        inside.append((rank > 0.05) & (rank < 0.95))
    held, n = np.array(inside), len(inside)
    low, high = binom.interval(1.0 - 0.01 / fitting.COUNT, n, 0.9)
    return pd.DataFrame({
        "parameter": fitting.NAMES, "kind": "simulated", "coverage": held.mean(axis=0),
        "band low": low / n, "band high": high / n, "sets": sets, "answered": n, "walked": walked})


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--spectra", type=int, default=100, help="spectra a ratio")
    parser.add_argument("--ratios", type=float, nargs="*", default=list(RATIOS))
    parser.add_argument("--scenarios", nargs="*", default=list(virtual.SCENARIOS))
    parser.add_argument("--blocking", nargs="*", default=["ion", "electron"])
    parser.add_argument("--start", type=int, default=1000, help="first seed")
    parser.add_argument("--materials", type=int, default=0, help="also pool three cells of so many")
    parser.add_argument("--prior-draws", type=int, help="only calibrate on draws of the prior")
    parser.add_argument("--out", help="one line a spectrum, as CSV")
    given = parser.parse_args()
    if given.prior_draws:
        begun = time.time()
        print(from_prior(given.prior_draws, given.start).round(3).to_string(index=False))
        print(f"{given.prior_draws} sets in {time.time() - begun:.0f} s")
        return
    begun, rows = time.time(), []
    for scenario in given.scenarios:
        for blocking in given.blocking:
            for k, ratio in enumerate(given.ratios):
                first = given.start + 10_000 * k  # other cells at every ratio
                rows += [evaluate(ratio, seed, scenario, blocking)
                         for seed in range(first, first + given.spectra)]
    if given.out:
        pd.DataFrame(rows).to_csv(given.out, index=False)
    if rows:
        print(table(pd.DataFrame(rows)).round(3).to_string(index=False))
    print(f"{len(rows)} spectra in {time.time() - begun:.0f} s")
    if given.materials:
        print(pooled(tuple(given.ratios), given.materials, given.start, 3).round(3).to_string(
            index=False))


if __name__ == "__main__":
    main()
