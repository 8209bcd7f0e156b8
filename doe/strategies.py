"""Strategies by name: whose settings are suggested next. All share `propose`'s signature."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import plots
from .state import PREDICTED

if TYPE_CHECKING:
    from ..models.engine.lab_model import LabModel
    from .propose import Estimate, Proposal
    from .space import Space

REDRAWN = 50
"""How often settings that repeat others are drawn again before they are taken."""


def proposer(strategy: str) -> Callable[..., Proposal]:
    """The function behind "bayes", "skopt" or "random"."""
    if strategy == "bayes":
        from .propose import propose

        return propose
    if strategy == "skopt":
        from . import sk

        return sk.propose
    return propose_at_random


def estimator(*arguments: Any, **options: Any) -> Callable[[pd.DataFrame], Estimate]:
    """Posterior of the true mean, to be asked: `propose.estimator`, loaded when first needed."""
    from .propose import estimator

    return estimator(*arguments, **options)


def propose_at_random(
    space: Space,
    rows: pd.DataFrame,
    *,
    objective: str,
    maximize: bool,
    model: LabModel | None,
    fixed: Mapping[str, Any],
    n: int,
    pending: pd.DataFrame,
    seed: int,
    options: Mapping[str, Any],
    kept: Mapping[str, np.ndarray] | None = None,
    **_: Any,
) -> Proposal:
    """Feasible settings at random, uniform on the factors' own scales; the baseline.

    What waits, or stands in the batch already, is drawn again: in a space of few settings it would
    come twice. Settings that share a run stay as they were drawn.
    """
    from .propose import Proposal

    rng = np.random.default_rng(seed)
    settings = plots.share(space, space.sample(n, rng).reset_index(drop=True), rng)
    again = repeated(space, settings, pending)
    for _round in range(0 if space.hard else REDRAWN):
        if not again.any():
            break
        fresh = space.sample(int(again.sum()), rng)
        settings = pd.concat([pd.DataFrame(settings[~again]), fresh], ignore_index=True)
        again = repeated(space, settings, pending)
    blank = pd.DataFrame(np.nan, index=settings.index, columns=list(PREDICTED))
    reason = ["at random within the space" + "; repeats a setting that waits" * bool(twice)
              for twice in again]
    return Proposal(
        settings=settings, predicted=blank, reason=reason, draws={}, weight=0.0, notes=[]
    )


def repeated(space: Space, settings: pd.DataFrame, pending: pd.DataFrame) -> np.ndarray:
    """Which settings repeat one that waits, or one above them; bool, one a row."""
    both = pd.concat([pending.reindex(columns=space.names), settings[space.names]])
    return both.duplicated().to_numpy()[len(pending):]
