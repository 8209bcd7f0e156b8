"""Readings that are bounds: "below 10", "above 0.97".

A bound says on which side of it a reading would have been, no more. Its likelihood is that of a
normal reading beyond it, P(reading > v) = Phi((mu - v) / sd), on the logarithm where the outcome's
readings are log-normal. Models that read bounds name the outcomes in ``encoders`` with
``bound_encoder``, in the order of the model's ``bounds``, and declare the term with
``observe_bounds``; in all others a bound is left out, and the report says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .arrays import namespace
from .encode import number, text
from .inputs import Inputs

NODE = "bounds__numbers"


@dataclass(frozen=True)
class Bounded:
    """What one outcome's readings scatter around.

    Attributes
    ----------
    mu, sigma
        Expected value and sd of one reading, over rows (``sigma`` may be a scalar); ``mu`` is the
        median and ``sigma`` the sd of the logarithm where ``log``.
    log
        True for log-normal readings.
    """

    mu: Any
    sigma: Any
    log: bool = False


def log_normal_tail(z: Any) -> Any:
    """ln Phi(z), without underflow far below zero.

    Below -6 the first terms of the asymptotic series serve, to 1e-4.
    """
    xp = namespace(z)
    near, far = xp.maximum(z, -6.0), xp.minimum(z, -6.0)
    square = 1.0 / (far * far)
    series = xp.log1p(-square * (1.0 - 3.0 * square))
    tail = -0.5 * far * far - xp.log(-far) - 0.5 * math.log(2.0 * math.pi) + series
    return xp.where(z > -6.0, xp.log(0.5 * _erfc(-near / math.sqrt(2.0))), tail)


def _erfc(value: Any) -> Any:
    home = type(value).__module__.partition(".")[0]
    if home == "pytensor":
        import pytensor.tensor as pt

        return pt.erfc(value)
    if home in {"jax", "jaxlib"}:
        from jax.scipy.special import erfc

        return erfc(value)
    from scipy.special import erfc

    return erfc(value)


def bound_encoder(*outcomes: str) -> Callable[..., dict[str, np.ndarray]]:
    """Encoder of the bounds of some outcomes: outcome, row, value, side, cells, stated sd."""

    def encode(rows: pd.DataFrame, table: pd.DataFrame, statements: bool) -> dict[str, np.ndarray]:
        found = []
        for k, outcome in enumerate(outcomes):
            value, side = number(rows, outcome), text(rows, f"{outcome}_censored").to_numpy()
            cells, sd = number(rows, f"{outcome}_n", 1.0), number(rows, f"{outcome}_sd", 0.0)
            sd = np.where(cells > 1, 0.0, sd)  # that between the cells of a mean is no error of it
            for row in np.flatnonzero(~np.isnan(value) & (side != "")):
                found.append((k, row, value[row], 1.0 if side[row] == ">" else -1.0, cells[row],
                              sd[row]))
        return {NODE: np.array(found, dtype=float).reshape(-1, 6)}

    return encode


def observe_bounds(x: Inputs, outcomes: Mapping[str, Bounded | None]) -> None:
    """Likelihood of the bounds.

    Parameters
    ----------
    x
        The builder's inputs.
    outcomes
        In the order of ``bound_encoder``; ``None`` for one that this graph does not have, whose
        bounds then say nothing.
    """
    import pytensor.tensor as pt

    told = x.data(NODE, ndim=2)
    told.set_value(np.zeros((0, 6)))
    row, value = told[:, 1].astype("int64"), told[:, 2]
    total: Any = pt.zeros_like(value)
    for k, bounded in enumerate(outcomes.values()):
        if bounded is None:
            continue
        mine = pt.eq(told[:, 0], float(k))
        mu = bounded.mu[row]
        sigma = (bounded.sigma + pt.zeros_like(bounded.mu))[row] / pt.sqrt(told[:, 4])
        stated = told[:, 5]
        if bounded.log:
            apart = pt.log(pt.where(mine, mu / pt.maximum(value, 1e-12), 1.0))
            stated = stated / pt.maximum(value, 1e-12)
        else:
            apart = mu - value
        z = told[:, 3] * apart / pt.sqrt(sigma**2 + stated**2)
        total = total + pt.where(mine, log_normal_tail(pt.where(mine, z, 0.0)), 0.0)
    x.term("bounds", total)
