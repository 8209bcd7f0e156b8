"""Factors: what a laboratory can set. `Real`, `Integer`, `Choice`, `Ordinal`.

A factor knows its legal values, how to draw them (uniformly on its own scale), how to place them
on [0, 1] for a surrogate, and how to move a little from a value. It may be hard to change, and it
may be in use only under a condition; where it is not, it takes the value of `void`.
Units come from the column registry; a name that it does not know brings its own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from . import factor_checks as checks
from .errors import SpaceError
from .values import contains as contains
from .values import draw as draw
from .values import encode as encode
from .values import is_void as is_void
from .values import middle as middle
from .values import move as move
from .values import numeric as numeric
from .values import snap as snap
from .values import tidy as tidy
from .values import unit as unit
from .values import void as void
from .values import width as width
from .values import within as within


@dataclass(frozen=True)
class Real:
    """A number between two bounds.

    Parameters
    ----------
    name : str
        Column name; those of `ssbayes.data` carry their unit with them.
    low, high : float
        Inclusive bounds in the column's unit.
    log : bool
        Whether equal ratios, not equal differences, are equal steps.
    step : float, optional
        Legal values are low, low + step, low + 2 step, ... up to high.
    unit : str, optional
        For a name that the registry does not know.
    sqrt : bool
        Whether equal differences of the square root are equal steps: for a small amount that may
        be zero.
    hard : bool
        Hard to change: suggestions of one batch share its value as far as the space's `per_run`
        allows, and differ in the other factors.
    only_if : str, optional
        The factor is in use only where this rule over other factors holds, as premixing is with
        carbon: ``"cb_parts > 0"``. Where it does not hold, the value is 0, which is why `low`
        must be above 0 (for text, "none").
    """

    name: str
    low: float
    high: float
    log: bool = False
    step: float | None = None
    unit: str | None = None
    sqrt: bool = False
    hard: bool = False
    only_if: str | None = None
    kind = "number"
    ordered = False

    def __post_init__(self) -> None:
        _set(self, low=checks.number(self, "low"), high=checks.number(self, "high"))
        if self.step is not None:
            _set(self, step=checks.number(self, "step"))
        checks.check_bounds(self)

    @cached_property
    def levels(self) -> np.ndarray | None:
        """Legal values in rising order, None where there is a continuum."""
        if self.step is None:
            return None
        # rounding keeps 0.1 + 2 * 0.1 from becoming a level that nobody can type
        digits = 12 - math.floor(math.log10(max(abs(self.low), abs(self.high))))
        return np.round(self.low + self.step * np.arange(checks.steps(self)), digits)


@dataclass(frozen=True)
class Integer:
    """A whole number between two bounds; parameters as in `Real`."""

    name: str
    low: int
    high: int
    log: bool = False
    step: int = 1
    unit: str | None = None
    sqrt: bool = False
    hard: bool = False
    only_if: str | None = None
    kind = "number"
    ordered = False

    def __post_init__(self) -> None:
        for argument in ("low", "high", "step"):
            value = checks.number(self, argument)
            if value != int(value):
                raise SpaceError(
                    f"{self.name}: {argument}={value:g} is not whole; give a whole number or "
                    f"use Real({self.name!r}, ...)"
                )
            _set(self, **{argument: int(value)})
        checks.check_bounds(self)

    @cached_property
    def levels(self) -> np.ndarray:
        return self.low + self.step * np.arange(checks.steps(self))


@dataclass(frozen=True)
class Choice:
    """One of a few values: all numbers (they keep their distances) or all text (no order).

    Parameters
    ----------
    name : str
    values : sequence of numbers or of text
    log : bool
        For numbers: distances are those of the logarithms.
    unit : str, optional
        For a name that the registry does not know.
    hard, only_if
        As in `Real`.
    """

    name: str
    values: Sequence[Any]
    log: bool = False
    unit: str | None = None
    hard: bool = False
    only_if: str | None = None
    ordered = False
    sqrt = False

    def __post_init__(self) -> None:
        values = checks.listed(self)
        if all(isinstance(v, str) for v in values):
            if self.log:
                raise SpaceError(f"{self.name}: text has no logarithm; leave log out")
        elif all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values):
            values = sorted(float(v) for v in values)
            if not all(math.isfinite(v) for v in values):
                raise SpaceError(f"{self.name}: values {values} must be finite")
            if self.log and values and values[0] <= 0:
                raise SpaceError(f"{self.name}: log needs values above 0, got {values[0]:g}")
        else:
            raise SpaceError(
                f"{self.name}: values {values} must be all numbers or all text; "
                "quote them all for names"
            )
        _set(self, values=checks.distinct(self, values))
        checks.check_registry(self)

    @property
    def kind(self) -> str:
        return "text" if isinstance(self.values[0], str) else "number"

    @cached_property
    def levels(self) -> np.ndarray:
        return np.array(self.values, dtype=object if self.kind == "text" else float)

    @property
    def low(self) -> Any:
        return self.values[0]

    @property
    def high(self) -> Any:
        return self.values[-1]


@dataclass(frozen=True)
class Ordinal:
    """One of a few texts that have an order but no distances: ``["fine", "medium", "coarse"]``.

    Encoded by rank in one column, and moved to neighbouring ranks first. Rules may compare it by
    order, as in ``powder >= 'medium'``.

    Parameters
    ----------
    name : str
    values : sequence of text
        From the lowest to the highest.
    unit, hard, only_if
        As in `Real`.
    """

    name: str
    values: Sequence[str]
    unit: str | None = None
    hard: bool = False
    only_if: str | None = None
    kind = "text"
    ordered = True
    log = False
    sqrt = False

    def __post_init__(self) -> None:
        values = checks.listed(self)
        if not all(isinstance(v, str) for v in values):
            raise SpaceError(
                f"{self.name}: values {values} must be text; Choice({self.name!r}, ...) keeps "
                "numbers, their order and their distances"
            )
        _set(self, values=checks.distinct(self, values))
        checks.check_registry(self)

    @cached_property
    def levels(self) -> np.ndarray:
        return np.array(self.values, dtype=object)

    @property
    def low(self) -> Any:
        return self.values[0]

    @property
    def high(self) -> Any:
        return self.values[-1]


Factor = Real | Integer | Choice | Ordinal
KINDS = {"Real": Real, "Integer": Integer, "Choice": Choice, "Ordinal": Ordinal}


def to_dict(factor: Factor) -> dict[str, Any]:
    """Plain values that a campaign file stores and `from_dict` reads."""
    body: dict[str, Any] = {"kind": type(factor).__name__, "name": factor.name}
    for key in ("low", "high", "values", "log", "step", "unit"):
        if key in type(factor).__dataclass_fields__:
            value = getattr(factor, key)
            body[key] = list(value) if key == "values" else value
    # said only where it is so: a file of before these existed stays the same declaration
    body |= {k: v for k in ("sqrt", "hard", "only_if") if (v := getattr(factor, k))}
    return body


def from_dict(body: Mapping[str, Any]) -> Factor:
    """Inverse of `to_dict`."""
    arguments = {k: v for k, v in body.items() if k != "kind"}
    return KINDS[body["kind"]](**arguments)


def _set(factor: Factor, **values: Any) -> None:
    for key, value in values.items():
        object.__setattr__(factor, key, value)
