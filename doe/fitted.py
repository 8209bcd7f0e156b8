"""What a fit can learn from settings: derivatives of its response, for optimal designs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import optimal
from .errors import SpaceError, listing, unknown

if TYPE_CHECKING:
    from ..models import Fit
    from .space import Space

DRAWS = 16
"""Posterior draws over which a design is averaged."""


def jacobian(
    fit: Fit,
    space: Space,
    *,
    outcome: str,
    parameters: Sequence[str],
    fixed: Mapping[str, Any] | None = None,
    seed: int = 1,
) -> tuple[optimal.Jacobian, np.ndarray]:
    """Derivatives of a fit's expected outcome with named parameters, and what is known of them.

    Parameters
    ----------
    fit : Fit
    space : Space
        Its constants go to the model too.
    outcome : str
        Column that the runs will read.
    parameters : sequence of str
        Single numbers among the fit's parameters.
    fixed : mapping, optional
        Columns that the model needs and the space lacks.
    seed : int
        Which posterior draws are taken.

    Returns
    -------
    jacobian, prior
        As of `optimal.of_response`: in units of posterior standard deviations, over the noise of
        one reading; of the prior, the inverse posterior correlation.
    """
    known = fit.parameters()
    names = [parameters] if isinstance(parameters, str) else list(parameters)
    if not names:
        raise SpaceError("parameters=[]: name those that the design is to teach")
    for name in names:
        if name not in known:
            raise SpaceError(unknown(name, known, "parameter of this fit"))
    vectors = [n for n in names if np.ndim(known[n]) != 1]
    if vectors:
        raise SpaceError(f"{listing(vectors)} hold several numbers; name parameters of one number")
    rng = np.random.default_rng([seed, 9])
    draws = fit.parameters(rng.choice(fit.n_draws, min(DRAWS, fit.n_draws), replace=False))
    count = len(draws[names[0]])
    whole = np.stack([np.asarray(known[n], dtype=float) for n in names])
    sd = whole.std(axis=1)
    if not (sd > 0).all():
        raise SpaceError(f"{names[int(sd.argmin())]} has no spread: nothing is to learn of it")
    correlation = np.corrcoef(whole).reshape(len(names), len(names))
    prior = np.linalg.inv(correlation + 1e-6 * np.eye(len(names)))
    step = 1e-2
    # all shifted draws at once: the response is compiled for one number of them
    shifts = [(n, sign * step * s) for n, s in zip(names, sd, strict=True) for sign in (1, -1)]
    stacked = {
        name: np.concatenate(
            [values, *(values + (shift if name == moved else 0.0) for moved, shift in shifts)]
        )
        for name, values in draws.items()
    }
    response = type(fit).from_draws(fit.model, fit.table, stacked).response(outcome)
    constants = {**space.fixed, **(fixed or {})}

    def derivatives(settings: pd.DataFrame) -> np.ndarray:
        table = settings.reset_index(drop=True).assign(**constants)
        mean = np.asarray(response.mean(table)).reshape(1 + len(shifts), count, len(table))
        noise = np.asarray(response.noise(table))[:count]
        ends = mean[1:].reshape(len(names), 2, count, len(table))
        change = (ends[:, 0] - ends[:, 1]) / (2 * step)
        return np.moveaxis(change, 0, -1) / noise[..., None]

    return derivatives, prior
