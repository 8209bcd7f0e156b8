"""Mixtures: parts between bounds that add up to a total, as the powders of a composite do.

The sum is held by construction: compositions are drawn, moved and rounded inside the set of all
that add up (`polytope`), never drawn outside and thrown away.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from . import mixture_checks as checks
from . import values
from .errors import SpaceError
from .factors import Factor, Real
from .polytope import Polytope, polytope, tightened

TYPED = 2e-3
"""Relative error of a sum of parts that were typed with three digits."""
ROUNDED = 0.02
"""The same of parts typed with two; parts that add up to more are of no powder."""


@dataclass(frozen=True)
class Mixture:
    """Parts that add up to a total; each part is a column of the settings.

    Parameters
    ----------
    parts : mapping of name to (low, high)
        Two parts at least, with their bounds. Bounds that the total does not let a part reach are
        tightened. A `Real` in the place of the bounds brings a ``step`` and a ``unit``.
    total : float
        What the parts add up to: 1, or 100 for percent.
    unit : str, optional
        For parts that the column registry does not know.
    step : float, optional
        Parts are low, low + step, ...: what a balance or a recipe can tell.
    hard : bool
        The composition is hard to change, as in `Real`: settings of one run share it.
    optional : sequence of str
        Parts that may also be absent, exactly 0: carbon either not at all or from 1 to 5 %.
    at_most : int, optional
        Largest number of parts that are not 0; needs `optional` parts.

    Raises
    ------
    SpaceError
        If the bounds cannot add up to the total, or leave a single composition.

    Examples
    --------
    >>> from ssbayes import doe
    >>> parts = {"active": (0.6, 0.9), "electrolyte": (0.15, 0.35), "carbon": (0, 0.05)}
    >>> doe.Mixture(parts).bounds["active"]
    (0.6, 0.85)
    """

    parts: Mapping[str, Any]
    total: float = 1
    unit: str | None = None
    step: float | None = None
    hard: bool = False
    optional: Sequence[str] = ()
    at_most: int | None = None

    def __post_init__(self) -> None:
        checks.check(self)
        plain = {str(n): _plain(checks.part(self, str(n), g)) for n, g in self.parts.items()}
        object.__setattr__(self, "parts", plain)
        checks.check_sums(self, self._declared)
        checks.check_count(self)
        _ = self.factors  # whatever cannot be made is said now

    @cached_property
    def _declared(self) -> list[Real]:
        """The parts as declared, their bounds not tightened."""
        return [Real(name, **body) for name, body in self.parts.items()]

    @property
    def names(self) -> list[str]:
        """Names of the parts in order."""
        return list(self.parts)

    @property
    def name(self) -> str:
        """The parts joined by plus signs."""
        return " + ".join(self.parts)

    @property
    def bounds(self) -> dict[str, tuple[float, float]]:
        """Bounds that a part reaches, tightened by what the others leave of the total."""
        return {f.name: (f.low, f.high) for f in self.factors}

    @cached_property
    def patterns(self) -> list[tuple[np.ndarray, Polytope]]:
        """Which parts are there, shape (parts,), and the compositions of these; all there first."""
        found = []
        declared = self._declared
        places = [i for i, f in enumerate(declared) if f.name in self.optional]
        for count in range(len(places) + 1):
            for absent in itertools.combinations(places, count):
                there = np.array([i not in absent for i in range(len(declared))])
                if self.at_most is not None and there.sum() > self.at_most:
                    continue
                made = self._compositions(declared, there)
                if made is not None:
                    found.append((there, made))
        if not found:
            many = "" if self.at_most is None else f" with at most {self.at_most} parts"
            steps = " by their steps" if any(f.step for f in declared) else ""
            raise SpaceError(
                f"{self.name} cannot add up to {self.total:g}{many}{steps}; widen a bound or "
                "change the total"
            )
        return found

    def _compositions(self, declared: list[Real], there: np.ndarray) -> Polytope | None:
        """Compositions of the parts that are there, None where they cannot add up."""
        low = np.where(there, [f.low for f in declared], 0.0)
        high = np.where(there, [f.high for f in declared], 0.0)
        slack = 1e-9 * self.total
        if low.sum() > self.total + slack or high.sum() < self.total - slack:
            return None
        for _ in range(3):  # steps narrow bounds, which narrows those of the others
            low, high = tightened(low, high, self.total)
            for i in np.flatnonzero(there):
                low[i], high[i] = _on_steps(declared[i], low[i], high[i])
            if (low > high + slack).any():
                return None
        steps = tuple(f.step if t else None for f, t in zip(declared, there, strict=True))
        made = polytope(tuple(low.tolist()), tuple(high.tolist()), self.total, steps)
        return made if made.possible else None

    @cached_property
    def factors(self) -> tuple[Real, ...]:
        """The parts as factors with the bounds that they reach."""
        low = np.min([p.low for _, p in self.patterns], axis=0)
        high = np.max([p.high for _, p in self.patterns], axis=0)
        made = []
        declared = self._declared
        for f, least, most in zip(declared, low.tolist(), high.tolist(), strict=True):
            if most <= least:
                raise SpaceError(
                    f"{f.name} can only be {least:g} in this mixture; leave it out, lower the "
                    f"total by it, and give fixed={{{f.name!r}: {least:g}}}"
                )
            # 0 beside a low above it is no lattice: the steps are then kept by the mixture alone
            step = None if f.name in self.optional else f.step
            made.append(Real(f.name, least, most, step=step, unit=f.unit, hard=self.hard))
        return tuple(made)

    @property
    def count(self) -> float:
        """Number of compositions, infinite with two parts or more without a step."""
        return sum(p.count for _, p in self.patterns)

    @property
    def width(self) -> int:
        """Encoded columns: one a part, and one for two parts, of which either tells the other."""
        return len(self.parts) if len(self.parts) > 2 else 1

    def encode(self, table: Any) -> np.ndarray:
        """Parts between their bounds on [0, 1], shape (n, `width`)."""
        return np.concatenate(
            [values.encode(f, table[f.name]) for f in self.factors[: self.width]], axis=1
        )

    def from_unit(self, u: np.ndarray) -> dict[str, np.ndarray]:
        """Compositions from uniform numbers, shape (n, parts): uniform where all parts are there.

        With optional parts, each choice of parts is as likely as any other.
        """
        x = np.empty((len(u), len(self.parts)))
        which = np.floor(u[:, -1] * len(self.patterns)).astype(int)
        for i, (_, compositions) in enumerate(self.patterns):
            x[which == i] = compositions.from_unit(u[which == i])
        return self._columns(x)

    def snap(self, table: Any) -> dict[str, np.ndarray]:
        """A composition near each row; compositions stay as they are to the last bit."""
        x = self._numbers(table)
        which, made = self._pattern(x), np.empty_like(x)
        for i, (there, compositions) in enumerate(self.patterns):
            rows = which == i
            made[rows] = compositions.snap(np.where(there, x[rows], 0.0))
        return self._columns(made)

    def move(
        self, table: Any, rng: np.random.Generator, scale: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Compositions near given ones; now and then a part that may be absent comes or goes."""
        x = self._numbers(table)
        which = self._pattern(x)
        if len(self.patterns) > 1:
            switch = rng.random(len(x)) < 0.15
            other = (which + rng.integers(1, len(self.patterns), len(x))) % len(self.patterns)
            which = np.where(switch, other, which)
        made = np.empty_like(x)
        scale = np.broadcast_to(scale, len(x))
        for i, (there, compositions) in enumerate(self.patterns):
            rows = which == i
            if rows.any():
                near = compositions.snap(np.where(there, x[rows], 0.0))
                made[rows] = compositions.move(near, rng, scale[rows])
        return self._columns(made)

    def tidy(self, table: Any) -> dict[str, np.ndarray]:
        """Compositions rounded as a person would weigh them; one part makes up the total."""
        x = self._numbers(table)
        rounded = np.stack(
            [values.tidy(f, x[:, i]) for i, f in enumerate(self.factors)], axis=1
        )
        free = [i for i, f in enumerate(self._declared) if f.step is None]
        free = [i for i in free if self._declared[i].name not in self.optional] or free
        if not free:
            return self._columns(x)
        rest = max(free, key=lambda i: self.factors[i].high - self.factors[i].low)
        others = np.delete(rounded, rest, axis=1).sum(axis=1)
        rounded[:, rest] = np.round(self.total - others, 12)
        rounded = np.where(x == 0, 0.0, rounded)
        good = self._legal(rounded)
        return self._columns(np.where(good[:, None], rounded, x))

    def contains(self, table: Any) -> np.ndarray:
        """Where the parts are a composition, to one part in 1e9, shape (n,)."""
        return self._legal(self._numbers(table))

    def within(self, table: Any) -> np.ndarray:
        """Where parts that were weighed add up, as well as three digits tell, shape (n,)."""
        x = self._numbers(table)
        return np.abs(x.sum(axis=1) - self.total) <= TYPED * self.total

    def slips(self, table: Any) -> list[tuple[Any, str, float, str]]:
        """What no powder can be: row, part or sum, its value, and what was expected.

        Parts that add up to less than the total may have been made, with further parts.
        """
        said, x, total = [], self._numbers(table), self.total
        for label, row in zip(table.index, x, strict=True):
            below = [(n, v) for n, v in zip(self.names, row.tolist(), strict=True) if v < 0.0]
            said += [(label, name, value, "a part of 0 or more") for name, value in below]
            ratio, mend = row.sum() / total, ""
            if abs(ratio / 100.0 - 1.0) <= ROUNDED:
                mend = "divide by 100, these are percent"
            elif abs(ratio * 100.0 - 1.0) <= ROUNDED:
                mend = "multiply by 100, these are fractions"
            elif ratio > 1.0 + ROUNDED:
                mend = "correct a part, or give all parts as they were made"
            if mend and not below:
                found = float(f"{row.sum():.6g}")
                said.append((label, self.name, found, f"parts that add up to {total:g}; {mend}"))
        return said

    def every(self) -> pd.DataFrame:
        """All compositions of a finite mixture."""
        x = np.concatenate([p.every() for _, p in self.patterns])
        return pd.DataFrame(self._columns(x)).drop_duplicates(ignore_index=True)

    def objections(self, table: Any) -> list[str]:
        """One sentence for each row whose parts are no composition though each is in its bounds."""
        said = []
        x = self._numbers(table)
        for row in np.flatnonzero(~self._legal(x)):
            label, found = table.index[row], x[row].sum()
            if abs(found - self.total) > 1e-9 * self.total:
                said.append(f"row {label}: {self.name} = {found:.10g}, not {self.total:g}")
            elif self.optional or any(f.step for f in self._declared):
                said.append(f"row {label}: {self.name} is not of the parts or steps declared")
        return said

    def to_dict(self) -> dict[str, Any]:
        """Plain values that a campaign file stores."""
        body: dict[str, Any] = {"kind": "Mixture", "name": self.name, "total": self.total}
        # a list, for a file sorts the names of a mapping
        body["parts"] = [{"name": n, **v} for n, v in self.parts.items()]
        given = {"hard": self.hard, "optional": list(self.optional), "at_most": self.at_most}
        return body | {k: v for k, v in given.items() if v}

    @staticmethod
    def from_dict(body: Mapping[str, Any]) -> Mixture:
        """Inverse of `to_dict`."""
        rest = {k: v for k, v in body.items() if k not in ("kind", "name", "parts")}
        parts = body["parts"]
        if not isinstance(parts, Mapping):
            parts = {p["name"]: {k: v for k, v in p.items() if k != "name"} for p in parts}
        return Mixture(parts, **rest)

    def __repr__(self) -> str:
        inner = ", ".join(f"{n} [{low:g}, {high:g}]" for n, (low, high) in self.bounds.items())
        return f"Mixture({inner}; sum {self.total:g})"

    def _legal(self, x: np.ndarray) -> np.ndarray:
        which, good = self._pattern(x), np.zeros(len(x), dtype=bool)
        for i, (there, compositions) in enumerate(self.patterns):
            rows = which == i
            good[rows] = compositions.contains(x[rows]) & (x[rows][:, ~there] == 0).all(axis=1)
        return good

    def _pattern(self, x: np.ndarray) -> np.ndarray:
        """The choice of parts nearest to each row, shape (n,)."""
        if len(self.patterns) == 1:
            return np.zeros(len(x), dtype=int)
        lows = np.array([v["low"] for v in self.parts.values()])
        # a part below half its least amount is nearer to none; always-there parts decide nothing
        there = np.where([n in self.optional for n in self.parts], x >= lows / 2, True)
        known = np.stack([p for p, _ in self.patterns])
        unlike = (there[:, None, :] != known[None]) * (np.abs(x) + lows)[:, None, :]
        return unlike.sum(axis=-1).argmin(axis=1)

    def _numbers(self, table: Any) -> np.ndarray:
        columns = [values.numeric(f, table[f.name]) for f in self.factors]
        return np.stack(columns, axis=1)

    def _columns(self, x: np.ndarray) -> dict[str, np.ndarray]:
        return {name: x[:, i] for i, name in enumerate(self.parts)}


def flat(declared: Sequence[Factor | Mixture]) -> tuple[Factor, ...]:
    """Factors with those of every mixture in its place."""
    made: list[Factor] = []
    for item in declared:
        made += item.factors if isinstance(item, Mixture) else [item]
    return tuple(made)


def _plain(f: Real) -> dict[str, Any]:
    body = {"low": f.low, "high": f.high, "step": f.step, "unit": f.unit}
    return {k: v for k, v in body.items() if v is not None}


def _on_steps(f: Real, low: float, high: float) -> tuple[float, float]:
    """Bounds moved inwards to steps of the part."""
    if f.step is None:
        return low, high
    first = math.ceil((low - f.low) / f.step - 1e-9)
    last = math.floor((high - f.low) / f.step + 1e-9)
    return round(f.low + first * f.step, 12), round(f.low + last * f.step, 12)
