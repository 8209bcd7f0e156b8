"""Is P(best) right as often as it says? Reliability of rankings over many simulated campaigns.

    python benchmarks/ranking.py process --campaigns 2000
    python benchmarks/ranking.py physics breakage regime gp --campaigns 400

A campaign tries a few settings, one to three batches each with one cell, and ranks them
(`Campaign.rank`). The truth of a campaign is drawn from

- ``process``: the Gaussian process that a campaign without physics believes in, its
  hyperparameters from their priors, the noise the same everywhere;
- ``physics``: the capacity model's prior, ranked by a campaign with that model;
- ``breakage``, ``regime``: virtual mills, whose laws are not the model's, ranked with physics;
- ``gp``: virtual mills without any physics, ranked without a model.

Every setting of a campaign is a pair of a stated P(best) and whether it was the best. The band is
what pairs of campaigns would show whose statements are exactly right: the best of each campaign
is drawn anew from its own statements, so that pairs of one campaign hang together as they do. It
holds all bins at once with 95 %. All data are simulated. A run that is started again goes on.
"""

from __future__ import annotations

import argparse
import functools
import json
import logging
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ssbayes import doe, models
from ssbayes.doe import belief, virtual
from ssbayes.doe.compiled import AMPLITUDE, LENGTH, NOISE
from ssbayes.models import Fit
from ssbayes.models.engine import encode
from ssbayes.models.engine.fit import priors_of

WORLDS = ("process", "physics", "breakage", "regime", "gp")
OUTCOME = "capacity_mAh_g"
FIXED = {"filling": virtual.FILLING, "c_rate": virtual.C_RATE}
EDGES = np.array([0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0 + 1e-9])
MOST = 400.0
"""mAh/g; a table refuses more."""
World = tuple[np.ndarray, np.ndarray]


def process(settings: pd.DataFrame, seed: int, readings: np.ndarray) -> World:
    """True values and readings of one draw from the model-free belief's prior."""
    rng = np.random.default_rng([seed, 1])
    x = virtual.space().encode(settings)
    width = x.shape[1]
    prior = belief.ALONE
    theta = np.exp(prior.sample(1, width, rng)[0])
    lengths = theta[LENGTH : LENGTH + width] * np.sqrt(width)
    apart = np.sqrt((((x[:, None] - x[None]) / lengths) ** 2).sum(-1) * 5.0)
    kernel = (1.0 + apart + apart**2 / 3.0) * np.exp(-apart)
    root = np.linalg.cholesky(kernel + 1e-9 * np.eye(len(x)))
    truth = 150.0 + 10.0 * theta[AMPLITUDE] * (root @ rng.standard_normal(len(x)))
    noise = 10.0 * theta[NOISE] * rng.standard_normal(len(readings))
    return truth, truth[readings] + noise


def physics(settings: pd.DataFrame, seed: int, readings: np.ndarray) -> World:
    """The same of a draw from the capacity model's prior whose readings a table may hold.

    Draws with a reading out of its range (negative, mostly) are left out. That is a choice by the
    readings alone, so that what is believed in view of them stays as right as it was.
    """
    for again in range(200):
        rng = np.random.default_rng([seed, 2, again])
        truth, values = _physics(settings, rng, readings)
        if values.min() >= 0.0 and values.max() <= MOST:
            return truth, values
    raise RuntimeError(f"no draw with readings from 0 to {MOST:g} for seed {seed}")


def _physics(settings: pd.DataFrame, rng: np.random.Generator, readings: np.ndarray) -> World:
    model = models.get("capacity")
    table = settings.assign(mill="virtual", **FIXED)
    encoded = encode.encode(table.assign(**{OUTCOME: np.nan}), model)
    graph = model.graph(model.slots(encoded.levels))
    priors = priors_of(model, graph)
    effects = graph.registry.effects
    drawn = {
        name: rng.normal(size=(1, *shape))
        if name in effects
        else priors[name].draw(rng, (1, *shape))
        for name, shape in graph.shapes.items()
    }
    response = Fit.from_draws(model, table, drawn).response(OUTCOME)
    each = table.iloc[readings].reset_index(drop=True)
    return response.mean(table)[0], response.draw(each, "cell", rng)[0]


def laboratory(law: Any, settings: pd.DataFrame, seed: int, readings: np.ndarray) -> World:
    """The same of a virtual mill, whose law no model here was built from."""
    lab = virtual.mill(1_000_000 + seed, law)
    read = [
        float(lab.run(settings.iloc[[i]], seed=k)[OUTCOME].iloc[0]) for k, i in enumerate(readings)
    ]
    return lab.true(settings), np.array(read)


def campaign(world: str, seed: int) -> dict[str, Any]:
    """One campaign: what its ranking says of each setting, and which is truly the best."""
    rng = np.random.default_rng([seed, 0])
    count = int(rng.integers(3, 9))
    settings = virtual.random_settings(count, 20_000_000 + seed)[list(virtual.FACTORS)]
    readings = np.repeat(np.arange(count), rng.integers(1, 4, count))
    makers: dict[str, Callable[..., World]] = {"process": process, "physics": physics}
    made = makers.get(world, functools.partial(laboratory, world))
    truth, values = made(settings, seed, readings)
    model = None if world in ("process", "gp") else "capacity"
    fixed: dict[str, Any] = dict(FIXED) | ({"mill": "virtual"} if model else {})
    play = doe.Campaign(
        virtual.space(), fixed=fixed, model=model, seed=seed, initial=0, maximize=OUTCOME
    )
    labels = [f"b{k}" for k in range(len(readings))]
    rows = settings.iloc[readings].reset_index(drop=True)
    play.record(rows.assign(batch=labels, cell="1", **{OUTCOME: values}))
    table = play.rank().table
    keys = [tuple(row) for row in settings.itertuples(index=False, name=None)]
    at = [keys.index(tuple(row)) for row in table[list(virtual.FACTORS)].itertuples(index=False)]
    said = np.zeros(count)
    said[at] = table["p_best"].to_numpy()
    return {"seed": seed, "p": said.round(5).tolist(), "best": int(np.argmax(truth))}


def reliability(done: list[dict[str, Any]], seed: int = 0, draws: int = 4000) -> dict[str, Any]:
    """Bins of stated probability with how often they were right, band, and calibration error.

    Returns
    -------
    dict
        ``table``: one row a bin with ``said`` (mean), ``right`` (share), ``low``, ``high`` of the
        simultaneous 95 % band, ``pairs``; ``error``: expected calibration error;
        ``error_if_right``: what the same campaigns show on average if all statements are exactly
        right, with its 95th percentile ``error_high``; ``inside``: whether all bins lie inside.
    """
    rng = np.random.default_rng(seed)
    said = np.concatenate([c["p"] for c in done])
    hit = np.concatenate([np.arange(len(c["p"])) == c["best"] for c in done])
    which = np.clip(np.digitize(said, EDGES) - 1, 0, len(EDGES) - 2)
    count = np.bincount(which, minlength=len(EDGES) - 1)
    used = np.flatnonzero(count >= 10)
    mean = np.array([said[which == b].mean() for b in used])
    start = np.cumsum([0] + [len(c["p"]) for c in done])
    steps = [np.cumsum(c["p"]) / np.sum(c["p"]) for c in done]
    drawn = np.zeros((draws, len(used)))
    for d in range(draws):
        u = rng.random(len(done))
        best = [start[k] + int(np.searchsorted(s, u[k])) for k, s in enumerate(steps)]
        drawn[d] = np.bincount(which[best], minlength=len(EDGES) - 1)[used] / count[used]
    sd = np.maximum(drawn.std(axis=0), 1e-9)
    reach = np.quantile((np.abs(drawn - mean) / sd).max(axis=1), 0.95)
    right = np.array([hit[which == b].mean() for b in used])
    low, high = np.clip(mean - reach * sd, 0, 1), np.clip(mean + reach * sd, 0, 1)
    weight = count[used] / count[used].sum()
    under = (np.abs(drawn - mean) * weight).sum(axis=1)
    table = pd.DataFrame(
        {"said": mean, "right": right, "low": low, "high": high, "pairs": count[used]}
    )
    table.insert(0, "bin", [f"{EDGES[b]:.2f} to {min(EDGES[b + 1], 1.0):.2f}" for b in used])
    return {
        "table": table, "error": float((np.abs(right - mean) * weight).sum()),
        "error_if_right": float(under.mean()), "error_high": float(np.quantile(under, 0.95)),
        "inside": bool(((right >= low) & (right <= high)).all()),
    }  # fmt: skip


def leaders(done: list[dict[str, Any]]) -> tuple[float, float, float]:
    """Of the settings ranked first: mean P(best) said, share that was best, its standard error."""
    said = np.array([max(c["p"]) for c in done])
    right = np.array([int(np.argmax(c["p"])) == c["best"] for c in done])
    return said.mean(), right.mean(), float(right.std() / np.sqrt(len(right)))


def main(arguments: list[str] | None = None) -> None:
    """Play what is missing, then print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("worlds", nargs="+", choices=WORLDS)
    parser.add_argument("--campaigns", type=int, default=400)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--out", type=Path, default=Path("out/ranking"))
    told = parser.parse_args(arguments)
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    told.out.mkdir(parents=True, exist_ok=True)
    for world in told.worlds:
        path = told.out / f"{world}.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        known = {c["seed"]: c for c in map(json.loads, lines)}
        began = time.time()
        with path.open("a", encoding="utf-8") as out:
            for seed in range(told.first, told.first + told.campaigns):
                if seed not in known:
                    known[seed] = campaign(world, seed)
                    out.write(json.dumps(known[seed]) + "\n")
                    out.flush()
                    if (seed + 1) % 50 == 0:
                        print(
                            f"{world}: {seed + 1} campaigns, {time.time() - began:.0f} s",
                            flush=True,
                        )
        done = [known[s] for s in range(told.first, told.first + told.campaigns)]
        found, (said, right, error) = reliability(done), leaders(done)
        print(f"{world} (simulated), {len(done)} campaigns")
        print(found["table"].round(3).to_string(index=False))
        verdict = "inside" if found["inside"] else "NOT inside"
        print(
            f"the curve is {verdict} its simultaneous 95 % band; expected calibration error "
            f"{found['error']:.4f} (exactly right statements: {found['error_if_right']:.4f}, "
            f"95 % below {found['error_high']:.4f}); settings ranked first: P(best) {said:.3f} "
            f"said, {right:.3f} +- {error:.3f} were"
        )


if __name__ == "__main__":
    main()
