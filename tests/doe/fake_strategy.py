"""A strategy in ten lines in place of the real one: deterministic, quick, and it keeps draws.

The true mean that it believes in peaks at the middle of the encoded space.
"""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from ssbayes.doe import strategies


def mean(space, settings):
    return 180 - 80 * ((space.encode(settings) - 0.5) ** 2).sum(axis=1)


def propose(space, rows, *, n, pending, seed, kept, **question):
    CALLS.append(SimpleNamespace(what="propose", rows=rows, pending=pending, kept=kept, seed=seed))
    rng = np.random.default_rng(seed)
    settings = space.sample(n, rng)
    centre = mean(space, settings)
    predicted = pd.DataFrame(
        {
            "predicted_mean": centre,
            "predicted_low": centre - 5,
            "predicted_high": centre + 5,
            "predicted_batch_sd": 3.5,
            "predicted_cell_sd": 4.0,
        }
    )
    fit = {"theta": rng.normal(size=8)} if kept is None else kept
    return SimpleNamespace(
        settings=settings,
        predicted=predicted,
        reason=["looks good"] * n,
        draws=fit,
        weight=0.5,
        notes=["simulated strategy"],
        gain=[2.0 - k for k in range(n)],
    )


def estimator(space, rows, *, objective, seed, kept, **question):
    fit = {"theta": np.random.default_rng(seed).normal(size=8)} if kept is None else kept

    def estimate(settings):
        CALLS.append(SimpleNamespace(what="estimate", rows=rows, settings=settings, kept=kept,
                                     belief=estimate))
        rng = np.random.default_rng(seed)
        draws = mean(space, settings) + rng.normal(0, 3, (400, len(settings)))
        return SimpleNamespace(draws=draws, cell_sd=np.full(len(settings), 4.0), kept=fit, sd={},
                               values={objective: draws}, notes=["simulated belief"])

    return estimate


CALLS: list[Any] = []


def install() -> list[Any]:
    """Put the strategy in place of "bayes"; returns the list of its calls."""
    CALLS.clear()
    strategies.proposer = lambda name: propose
    strategies.estimator = estimator
    return CALLS
