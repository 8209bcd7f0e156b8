"""A space of listed settings: what is on the shelf, or what has been measured for a replay.

Nothing but the listed settings is ever drawn, suggested or reported; their factors keep their
scales, so that a surrogate sees what lies near what.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .errors import SpaceError
from .factors import Factor
from .space import Space

TOLERANCE = 1e-7
"""Encoded distance up to which two settings are the same."""


class Listed(Space):
    """Settings of a table, as a space that campaigns may choose from.

    Parameters
    ----------
    factors : sequence of Real, Integer, Choice, Ordinal
        They give each column its scale and bounds.
    table : DataFrame
        One row a setting; repeats count once.
    **options
        As for `Space`: rules leave out settings.

    Raises
    ------
    SpaceError
        If no setting is within the factors' bounds and rules.
    """

    def __init__(self, factors: Sequence[Factor], table: pd.DataFrame, **options: Any) -> None:
        self.listed = pd.DataFrame(columns=[f.name for f in factors])
        super().__init__(factors, **options)
        every: Any = super().frame(table)[self.names].drop_duplicates()
        inside = super().allowed(every)
        if not inside.any():
            raise SpaceError(
                f"none of the {len(every)} settings listed is within the factors' bounds and rules"
            )
        self.listed = every[inside].reset_index(drop=True)
        self._at = self.encode(self.listed, features=False)

    @property
    def size(self) -> float:
        """Number of settings."""
        return float(len(self.listed)) if len(self.listed) else super().size

    def _nearest(self, settings: object) -> tuple[np.ndarray, np.ndarray]:
        """Which listed setting is nearest to each, and how far it is."""
        at = self.encode(settings, features=False)
        near = np.empty(len(at), dtype=int)
        far = np.empty(len(at))
        for start in range(0, len(at), 256):
            block = at[start : start + 256]
            gap = np.linalg.norm(block[:, None] - self._at[None], axis=-1)
            near[start : start + 256] = gap.argmin(axis=1)
            far[start : start + 256] = gap.min(axis=1)
        return near, far

    def grid(self, limit: int = 100_000) -> pd.DataFrame | None:
        """Every setting."""
        if not len(self.listed):
            return super().grid(limit)
        return self.listed.copy() if len(self.listed) <= limit else None

    def feasible(self, settings: object) -> np.ndarray:
        """Where a setting is one of those listed, shape (n,)."""
        if not len(self.listed):
            return super().feasible(settings)
        table: Any = self.frame(settings)
        return self._nearest(table)[1] <= TOLERANCE if len(table) else np.zeros(0, dtype=bool)

    def allowed(self, settings: object) -> np.ndarray:
        """The same: what is not listed cannot be run."""
        return self.feasible(settings)

    def snap(self, settings: object) -> pd.DataFrame:
        """The nearest listed setting of each."""
        table: Any = self.frame(settings)
        near, _ = self._nearest(table)
        return self.listed.iloc[near].set_axis(table.index, axis=0)

    def from_unit(self, u: np.ndarray) -> pd.DataFrame:
        """The listed settings nearest to points of the unit cube."""
        made = super().from_unit(u)
        return self.snap(made).reset_index(drop=True) if len(self.listed) else made

    def sample(self, n: int, rng: np.random.Generator) -> pd.DataFrame:
        """`n` settings at random, all different where there are enough."""
        if not len(self.listed):
            return super().sample(n, rng)
        many = len(self.listed)
        at = rng.permutation(many)[:n] if n <= many else rng.integers(many, size=n)
        return self.listed.iloc[at].reset_index(drop=True)

    def neighbours(
        self, settings: object, rng: np.random.Generator, n: int, scale: float = 0.1
    ) -> pd.DataFrame:
        """The ``n`` listed settings nearest to each of those given, once each."""
        table: Any = self.frame(settings)
        at = self.encode(table, features=False)
        found: dict[int, None] = {}
        for point in at:
            gap = np.linalg.norm(self._at - point, axis=1)
            found |= dict.fromkeys(int(k) for k in np.argsort(gap, kind="stable")[:n])
        return self.listed.iloc[list(found)].reset_index(drop=True)

    @classmethod
    def among(cls, space: Space, table: pd.DataFrame) -> Listed:
        """Those settings of a table that keep a space's bounds and rules."""
        options = {
            "constraints": space.constraints, "forbidden": space.forbidden, "fixed": space.fixed,
            "derived": space.derived, "soft": space.soft, "features": space.features,
            "probable": space.probable, "per_run": space.per_run,
        }  # fmt: skip
        return cls(space.blocks, table, **options)  # pyright: ignore[reportArgumentType]

    def given(self, fixed: Mapping[str, Any]) -> Space:
        """The same settings with more constants for rules."""
        return Listed.among(super().given(fixed), self.listed)

    def to_dict(self) -> dict[str, Any]:
        """As that of a space, with the settings."""
        return super().to_dict() | {"listed": self.listed.to_dict("list")}
