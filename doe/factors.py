"""Factors: what a laboratory can set. `Real`, `Integer`, `Choice`.

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
import pandas as pd

from ..data import columns
from . import factor_checks as checks
from . import scales
from .errors import SpaceError, unknown


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
    sqrt = False

    def __post_init__(self) -> None:
        checks.check_name(self)
        if isinstance(self.values, (str, bytes)) or not np.iterable(self.values):
            raise SpaceError(
                f"{self.name}: values={self.values!r} is no list; write "
                f"Choice({self.name!r}, ['a', 'b'])"
            )
        values = [v.item() if isinstance(v, np.generic) else v for v in self.values]
        if all(isinstance(v, str) for v in values):
            if self.log:
                raise SpaceError(f"{self.name}: text has no logarithm; leave log out")
            if not all(v.strip() for v in values):
                raise SpaceError(f"{self.name}: an empty text is no choice; give it a name")
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
        if len(set(values)) != len(values):
            raise SpaceError(f"{self.name}: values {values} name one value twice")
        if len(values) < 2:
            raise SpaceError(
                f"{self.name}: a choice needs two values at least, got {values}; "
                f"put a single one in the campaign's fixed={{{self.name!r}: ...}}"
            )
        _set(self, values=tuple(values))
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


Factor = Real | Integer | Choice
KINDS = {"Real": Real, "Integer": Integer, "Choice": Choice}


def unit(factor: Factor) -> str:
    """Unit of a factor, from itself or from the column registry; "" for text or unknown."""
    known = columns.COLUMNS.get(factor.name)
    return factor.unit or (known.unit if known is not None else "")


def width(factor: Factor) -> int:
    """Encoded columns: one for a number, one for each value of a text choice."""
    return len(factor.levels) if factor.kind == "text" else 1  # pyright: ignore


def draw(factor: Factor, u: np.ndarray) -> np.ndarray:
    """Values from uniform numbers in [0, 1): uniform on the factor's own scale."""
    levels = factor.levels
    if levels is None:
        return scales.number(factor, np.asarray(u, dtype=float))
    if factor.kind == "text" or not (factor.log or factor.sqrt):
        chosen = np.floor(np.asarray(u) * len(levels)).astype(int)
    else:
        # a level owns the stretch of the axis that is nearer to it than to its neighbours
        t = scales.stretched(factor, levels.astype(float))
        middle = (t[1:] + t[:-1]) / 2
        edges = np.concatenate([[2 * t[0] - middle[0]], middle, [2 * t[-1] - middle[-1]]])
        chosen = np.searchsorted(middle, edges[0] + np.asarray(u) * (edges[-1] - edges[0]))
    return levels[np.clip(chosen, 0, len(levels) - 1)]


def encode(factor: Factor, values: Any) -> np.ndarray:
    """Place values on [0, 1], shape (n, width); text as one column a value."""
    if factor.kind == "text":
        assert factor.levels is not None
        return (values.to_numpy(dtype=object)[:, None] == factor.levels[None, :]).astype(float)
    numbers = np.where(is_void(factor, values), middle(factor), numeric(factor, values))
    if factor.log and (numbers <= 0).any():
        raise SpaceError(f"{factor.name}: {numbers.min():g} has no logarithm; it must be above 0")
    if factor.sqrt and (numbers < 0).any():
        raise SpaceError(f"{factor.name}: {numbers.min():g} has no square root; 0 is the least")
    return scales.place(factor, numbers)[:, None]


def snap(factor: Factor, values: Any) -> np.ndarray:
    """Nearest legal value; a text that is no choice is an error."""
    idle = is_void(factor, values)
    if factor.kind == "text":
        assert factor.levels is not None
        for value in values[~idle]:
            if value not in factor.levels:
                raise SpaceError(f"{unknown(value, factor.levels, f'value of {factor.name}')}")
        return values.to_numpy(dtype=object)
    numbers = numeric(factor, values)
    levels = factor.levels
    if levels is None:
        return np.where(idle, 0.0, np.clip(numbers, factor.low, factor.high))
    if factor.log or factor.sqrt:
        numbers = np.maximum(numbers, factor.low)
    at, grid = scales.place(factor, numbers), scales.place(factor, levels.astype(float))
    right = np.clip(np.searchsorted(grid, at), 1, len(grid) - 1)
    nearest = np.where(at - grid[right - 1] <= grid[right] - at, right - 1, right)
    return np.where(idle, 0, levels[nearest]) if idle.any() else levels[nearest]


def contains(factor: Factor, values: Any) -> np.ndarray:
    """Where a value is legal (within one part in 1e9, for numbers that went through text).

    Void is legal for a factor with a condition; whether the condition agrees, the space tells.
    """
    idle = is_void(factor, values)
    if factor.kind == "text":
        assert factor.levels is not None
        return np.array([v in factor.levels for v in values], dtype=bool) | idle
    numbers = numeric(factor, values)
    slack = 1e-9 * max(abs(factor.low), abs(factor.high))
    inside = within(factor, values)
    if factor.levels is not None:
        nearest = snap(factor, pd.Series(np.where(inside, numbers, factor.low)))
        inside &= (np.abs(nearest.astype(float) - numbers) <= slack) | idle
    return inside


def within(factor: Factor, values: Any) -> np.ndarray:
    """Where a value lies between the bounds, legal step or not; for text, where it is a choice."""
    if factor.kind == "text":
        return contains(factor, values)
    numbers = numeric(factor, values)
    slack = 1e-9 * max(abs(factor.low), abs(factor.high))
    inside = (numbers >= factor.low - slack) & (numbers <= factor.high + slack)
    return inside | is_void(factor, values)


def void(factor: Factor) -> Any:
    """What a factor is set to where its condition does not hold: 0, for text "none"."""
    return "none" if factor.kind == "text" else 0


def is_void(factor: Factor, values: Any) -> np.ndarray:
    """Where a factor with a condition is not in use; nowhere for one without."""
    if factor.only_if is None:
        return np.zeros(len(values), dtype=bool)
    return np.array([v == void(factor) for v in values], dtype=bool)


def middle(factor: Factor) -> Any:
    """The value in the middle of a factor's scale: void is encoded there, near to all values."""
    return draw(factor, np.array([0.5]))[0]


def move(factor: Factor, values: np.ndarray, rng: np.random.Generator, scale: Any) -> np.ndarray:
    """A value near each given one; a stepped factor moves by one level at least."""
    n, levels = len(values), factor.levels
    if factor.kind == "text":
        assert levels is not None
        place = np.array([np.flatnonzero(levels == v)[0] for v in values])
        return levels[(place + rng.integers(1, len(levels), n)) % len(levels)]
    old = values.astype(float)
    at = scales.place(factor, old) + scale * rng.standard_normal(n)
    at = 1 - np.abs(1 - np.abs(at) % 2)  # reflected at both bounds: the walk stays symmetric
    new = scales.number(factor, at)
    if levels is None:
        return new
    place = np.searchsorted(levels, snap(factor, pd.Series(new)))
    start = np.searchsorted(levels, snap(factor, pd.Series(old)))
    place = np.where(place == start, start + rng.choice([-1, 1], n), place)
    place = np.where(place < 0, 1, np.where(place >= len(levels), len(levels) - 2, place))
    return levels[place]


def tidy(factor: Factor, values: np.ndarray) -> np.ndarray:
    """Values rounded as a person would set them: 302.7184 rpm becomes 303.

    A linear scale keeps a resolution of 1/200 of its range or finer, a logarithmic one three
    significant digits; stepped values and choices stay as they are.
    """
    if factor.levels is not None:
        return values
    numbers, idle = np.asarray(values, dtype=float), is_void(factor, values)
    numbers = np.where(idle, factor.high, numbers)
    if factor.log and factor.high >= 2 * factor.low:
        unit = 10.0 ** (np.floor(np.log10(numbers)) - 2)
    else:
        unit = np.full(
            len(numbers), 10.0 ** math.floor(math.log10((factor.high - factor.low) / 200))
        )
    # dividing by a whole power of ten gives the float nearest to the decimal
    rounded = np.where(
        unit >= 1, np.round(numbers / unit) * unit, np.round(numbers / unit) / (1 / unit)
    )
    return np.where(idle, 0.0, np.clip(rounded, factor.low, factor.high))


def numeric(factor: Factor, values: Any) -> np.ndarray:
    """Values of a number factor as floats; text and missing values are errors."""
    values = pd.Series(values)
    numbers = np.asarray(pd.to_numeric(values, errors="coerce"), dtype=float)
    if np.isnan(numbers).any():
        at = int(np.flatnonzero(np.isnan(numbers))[0])
        raise SpaceError(
            f"{factor.name}: {values.iloc[at]!r} in row {values.index[at]} is no number; "
            f"give it in {unit(factor) or 'its unit'}"
        )
    return numbers


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
