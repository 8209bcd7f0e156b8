"""Are resistances from impedance spectra right as often as they say? All spectra are simulated.

    python benchmarks/impedance.py --spectra 200 --out impedance.csv

Draws spectra of eight laws (``ssbayes.doe.virtual_impedance``), of which one is the fitted circuit,
evaluates each, and prints for the cathode and the anode: how many were refused and why, how often
the 90 % interval of those given holds the true resistance, with its exact 99 % interval, and the
share for which either the interval holds or the evaluation said that it does not know. ``posterior
alone`` is the coverage of the circuit's posterior for all spectra that passed Kramers-Kronig,
before other circuits are asked. A second table shows how large a drift must be to be noticed.

    python benchmarks/impedance.py --prior-draws 400

is simulation-based calibration of importance sampling: all ten parameters are drawn from the prior,
arcs outside the measured frequencies and arcs that meet included, and the coverage of each
parameter's 90 % interval is printed: for all sets, for those whose k-hat is trusted, and for those
of which an evaluation would give the cathode's resistance.
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
from ssbayes.doe import virtual_impedance as virtual
from ssbayes.models import circuit_fit as fitting
from ssbayes.models import impedance, separability
from ssbayes.models.kramers_kronig import kramers_kronig

DRIFTS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8)


def evaluate(scenario: str, seed: int, **options: Any) -> dict[str, object]:
    """Evaluate one simulated spectrum."""
    made = virtual.simulate(scenario, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = impedance.evaluate(made.table, seed=seed, **options)
    row = found.table.iloc[0]
    out: dict[str, object] = {
        "kind": "simulated", "scenario": scenario, "seed": seed, "kk_passed": row["kk_passed"],
        "reason": row["reason"], "khat": row["khat"], "posterior": row["posterior"]}
    for arc, name in (("cathode", "resistance"), ("anode", "anode_resistance")):
        truth, low, high = getattr(made, arc), row[f"{name}_low"], row[f"{name}_high"]
        out |= {f"{arc}_truth": truth, f"{arc}_low": low, f"{arc}_high": high,
                f"{arc}_given": bool(np.isfinite(low)), f"{arc}_inside": bool(low <= truth <= high)}
        if 0 in found.draws:
            ends = np.quantile(found.draws[0][arc], [0.05, 0.95])
            out[f"{arc}_posterior"] = float(ends[0] <= truth <= ends[1])
        else:
            out[f"{arc}_posterior"] = np.nan
    return out


def exact(k: int, n: int) -> tuple[float, float]:
    """99 % interval of a share, k of n."""
    return (float(beta.ppf(0.005, k, n - k + 1)) if k else 0.0,
            float(beta.ppf(0.995, k + 1, n - k)) if k < n else 1.0)


def table(rows: pd.DataFrame) -> pd.DataFrame:
    """Coverage by scenario and arc."""
    out = []
    for scenario, part in rows.groupby("scenario", sort=False):
        for arc in ("cathode", "anode"):
            given: Any = part[part[f"{arc}_given"]]
            n, k = len(given), int(given[f"{arc}_inside"].sum())
            low, high = exact(k, n) if n else (np.nan, np.nan)
            honest = (part[f"{arc}_inside"] | ~part[f"{arc}_given"]).mean()
            alone: Any = part[f"{arc}_posterior"].dropna()
            out.append({
                "scenario": scenario, "kind": "simulated", "arc": arc, "spectra": len(part),
                "fail K-K": (~part["kk_passed"].astype(bool)).mean(), "given": n / len(part),
                "coverage": k / n if n else np.nan, "low (99 %)": low, "high (99 %)": high,
                "holds or says so": honest,
                "posterior alone": float(alone.mean()) if len(alone) else np.nan,
                "by NUTS": (part["posterior"] == "NUTS").mean()})
    return pd.DataFrame(out)


def drifts(spectra: int, start: int) -> pd.DataFrame:
    """Share of spectra that fail Kramers-Kronig, by growth of the cathode during the sweep."""
    rows = []
    for drift in DRIFTS:
        failed = 0
        for seed in range(start, start + spectra):
            made = virtual.simulate("drift", seed, drift=drift).table
            gate = kramers_kronig(*(made[name].to_numpy() for name in (
                "frequency_of_signal_Hz", "z_re_ohm", "z_im_ohm")))
            failed += not gate.passed
        low, high = exact(failed, spectra)
        rows.append({"growth during the sweep": f"{100 * drift:.0f} %", "kind": "simulated",
                     "spectra": spectra, "refused": failed / spectra, "low (99 %)": low,
                     "high (99 %)": high})
    return pd.DataFrame(rows)


def from_prior(sets: int, start: int) -> pd.DataFrame:
    """Coverage of each parameter where everything is drawn from the prior."""
    f = np.logspace(np.log10(virtual.HIGHEST_HZ), np.log10(virtual.LOWEST_HZ), virtual.POINTS)
    prior = fitting.prior_scale()
    inside, trusted, given = [], [], []
    for seed in range(start, start + sets):
        rng = np.random.default_rng([seed, 97])
        u = prior[0] + prior[1] * rng.normal(size=fitting.COUNT)
        real, imaginary = fitting.curve(u, f)
        size = np.exp(u[fitting.NOISE]) * np.hypot(real, imaginary)
        real, imaginary = (v + size * rng.normal(size=len(f)) for v in (real, imaginary))
        gate = kramers_kronig(f, real, imaginary)
        seen = fitting.Spectrum(f, real, imaginary, gate.modulus, gate.residual, prior)
        found = fitting.modes(seen)
        drawn = fitting.sample(seen, found, seed)
        rank = (drawn.u < u).mean(axis=0)
        inside.append((rank > 0.05) & (rank < 0.95))
        trusted.append(drawn.khat <= fitting.KHAT_LIMIT)
        known = trusted[-1] and gate.passed
        if known:
            rivals = [r for r in separability.rivals(seen, found[0])
                      if r.chi_square < found[0].chi_square + separability.AS_GOOD]
            known = separability.judge(rivals, drawn.u, "cathode", impedance.TOLERANCE,
                                       impedance.WIDEST).known
        given.append(known)
    held, good, told = np.array(inside), np.array(trusted), np.array(given, dtype=bool)
    rows = []
    for k, name in enumerate(fitting.NAMES):
        n, count = int(good.sum()), int(held[good, k].sum())
        low, high = exact(count, n)
        rows.append({"parameter": name, "kind": "simulated", "coverage, all": held[:, k].mean(),
                     "sets": sets, "coverage, trusted": count / max(n, 1), "low (99 %)": low,
                     "high (99 %)": high, "trusted sets": n,
                     "coverage, cathode given": held[told, k].mean(),
                     "sets with a cathode": int(told.sum())})
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--spectra", type=int, default=200, help="spectra a scenario")
    parser.add_argument("--scenarios", nargs="*", default=list(virtual.SCENARIOS))
    parser.add_argument("--start", type=int, default=0, help="first seed")
    parser.add_argument("--prior-draws", type=int, help="only calibrate on draws of the prior")
    parser.add_argument("--no-nuts", action="store_true",
                        help="refuse what importance sampling cannot do")
    parser.add_argument("--out", help="one line a spectrum, as CSV")
    given = parser.parse_args()
    logging.getLogger("ssbayes").setLevel(logging.ERROR)
    if given.prior_draws:
        print(from_prior(given.prior_draws, given.start).round(3).to_string(index=False))
        return
    begun, rows = time.time(), []
    for scenario in given.scenarios:
        for seed in range(given.start, given.start + given.spectra):
            rows.append(evaluate(scenario, seed, nuts=not given.no_nuts))
        if given.out:
            pd.DataFrame(rows).to_csv(given.out, index=False)
    print(table(pd.DataFrame(rows)).round(3).to_string(index=False))
    print(f"{len(rows)} spectra in {time.time() - begun:.0f} s")
    print(drifts(given.spectra, given.start).round(3).to_string(index=False))


if __name__ == "__main__":
    main()
