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


def proposer(strategy: str) -> Callable[..., Proposal]:
    """The function behind "bayes", "skopt" or "random"."""
    if strategy == "bayes":
        from .propose import propose

        return propose
    if strategy == "skopt":
        from . import sk

        return sk.propose
    return propose_at_random


def estimate(*arguments: Any, **options: Any) -> Estimate:
    """Posterior of the true mean at settings: `propose.estimate`, loaded when first needed."""
    from .propose import estimate

    return estimate(*arguments, **options)


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
    """Feasible settings at random, uniform on the factors' own scales; the baseline."""
    from .propose import Proposal

    rng = np.random.default_rng(seed)
    settings = plots.share(space, space.sample(n, rng).reset_index(drop=True), rng)
    blank = pd.DataFrame(np.nan, index=settings.index, columns=list(PREDICTED))
    reason = ["at random within the space"] * n
    return Proposal(
        settings=settings, predicted=blank, reason=reason, draws={}, weight=0.0, notes=[]
    )
