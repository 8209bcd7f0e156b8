"""Derived quantities as further coordinates of a setting, for fits that know no physics.

A quantity that acts (the energy that a mill puts in, a volume fraction) spares a model-free fit
from learning it. Each is placed so that most of the space lies on [0, 1]: between its 1 % and 99 %
quantiles over the space, on the log scale where it is above zero and spans more than a decade.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import SpaceError
from .rules import Formula

if TYPE_CHECKING:
    from .space import Space

POINTS = 1024
DECADE = 10.0


@dataclass(frozen=True)
class Scale:
    """Ends of a feature, on its logarithm where `log`."""

    low: float
    high: float
    log: bool

    def place(self, values: np.ndarray) -> np.ndarray:
        """Values on [0, 1] and somewhat beyond; what has no number lies in the middle."""
        with np.errstate(all="ignore"):
            at = np.log(values) if self.log else values
            at = (at - self.low) / (self.high - self.low)
        return np.clip(np.nan_to_num(at, nan=0.5), -1.0, 2.0)


def scales(space: Space) -> list[Scale]:
    """Scale of each feature over the space.

    Raises
    ------
    SpaceError
        If a feature has no number at many settings, or does not vary.
    """
    table = space.from_unit(np.random.default_rng(0).random((POINTS, len(space.factors))))
    return [_scale(text, _values(f, space, table)) for text, f in space.featured.items()]


def encode(space: Space, table: Any) -> np.ndarray:
    """Features of settings, shape (n, features)."""
    if not len(table):
        return np.zeros((0, len(space.featured)))
    columns = zip(space.feature_scales, space.featured.values(), strict=True)
    return np.stack([s.place(_values(f, space, table)) for s, f in columns], axis=1)


def _values(formula: Formula, space: Space, table: Any) -> np.ndarray:
    return np.broadcast_to(formula(space.values(table)), len(table))


def _scale(text: str, values: np.ndarray) -> Scale:
    usable = values[np.isfinite(values)]
    if len(usable) < 0.5 * len(values):
        raise SpaceError(
            f"feature {text!r} has no number at {len(values) - len(usable)} of {len(values)} "
            "settings of the space; mend its formula"
        )
    low, high = np.quantile(usable, [0.01, 0.99])
    if high - low <= 1e-12 * max(abs(low), abs(high), 1e-300):
        raise SpaceError(f"feature {text!r} is {low:g} all over the space; leave it out")
    if low > 0 and high / low > DECADE:
        return Scale(float(np.log(low)), float(np.log(high)), True)
    return Scale(float(low), float(high), False)
