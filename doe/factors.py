"""Factors: what a laboratory can set. `Real`, `Integer`, `Choice`.

A factor knows its legal values, how to draw them (uniformly on its linear or logarithmic scale),
how to place them on [0, 1] for a surrogate, and how to move a little from a value.
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
from .errors import SpaceError, unknown

MAX_LEVELS = 100_000


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
    """

    name: str
    low: float
    high: float
    log: bool = False
    step: float | None = None
    unit: str | None = None
    kind = "number"

    def __post_init__(self) -> None:
        _set(self, low=_number(self, "low"), high=_number(self, "high"))
        if self.step is not None:
            _set(self, step=_number(self, "step"))
        _check_bounds(self)

    @cached_property
    def levels(self) -> np.ndarray | None:
        """Legal values in rising order, None where there is a continuum."""
        if self.step is None:
            return None
        # rounding keeps 0.1 + 2 * 0.1 from becoming a level that nobody can type
        digits = 12 - math.floor(math.log10(max(abs(self.low), abs(self.high))))
        return np.round(self.low + self.step * np.arange(_steps(self)), digits)


@dataclass(frozen=True)
class Integer:
    """A whole number between two bounds; parameters as in `Real`."""

    name: str
    low: int
    high: int
    log: bool = False
    step: int = 1
    unit: str | None = None
    kind = "number"

    def __post_init__(self) -> None:
        for argument in ("low", "high", "step"):
            value = _number(self, argument)
            if value != int(value):
                raise SpaceError(
                    f"{self.name}: {argument}={value:g} is not whole; give a whole number or "
                    f"use Real({self.name!r}, ...)"
                )
            _set(self, **{argument: int(value)})
        _check_bounds(self)

    @cached_property
    def levels(self) -> np.ndarray:
        return self.low + self.step * np.arange(_steps(self))


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
    """

    name: str
    values: Sequence[Any]
    log: bool = False
    unit: str | None = None

    def __post_init__(self) -> None:
        _check_name(self)
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
        _check_registry(self)

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
        return _unscale(factor, np.asarray(u, dtype=float))
    if factor.kind == "text" or not factor.log:
        chosen = np.floor(np.asarray(u) * len(levels)).astype(int)
    else:
        # a level owns the stretch of the log axis that is nearer to it than to its neighbours
        t = np.log(levels.astype(float))
        middle = (t[1:] + t[:-1]) / 2
        edges = np.concatenate([[2 * t[0] - middle[0]], middle, [2 * t[-1] - middle[-1]]])
        chosen = np.searchsorted(middle, edges[0] + np.asarray(u) * (edges[-1] - edges[0]))
    return levels[np.clip(chosen, 0, len(levels) - 1)]


def encode(factor: Factor, values: Any) -> np.ndarray:
    """Place values on [0, 1], shape (n, width); text as one column a value."""
    if factor.kind == "text":
        assert factor.levels is not None
        return (values.to_numpy(dtype=object)[:, None] == factor.levels[None, :]).astype(float)
    numbers = numeric(factor, values)
    if factor.log and (numbers <= 0).any():
        raise SpaceError(f"{factor.name}: {numbers.min():g} has no logarithm; it must be above 0")
    return _scale(factor, numbers)[:, None]


def snap(factor: Factor, values: Any) -> np.ndarray:
    """Nearest legal value; a text that is no choice is an error."""
    if factor.kind == "text":
        assert factor.levels is not None
        for value in values:
            if value not in factor.levels:
                raise SpaceError(f"{unknown(value, factor.levels, f'value of {factor.name}')}")
        return values.to_numpy(dtype=object)
    numbers = numeric(factor, values)
    levels = factor.levels
    if levels is None:
        return np.clip(numbers, factor.low, factor.high)
    if factor.log:
        numbers = np.maximum(numbers, factor.low)
    at, grid = _scale(factor, numbers), _scale(factor, levels.astype(float))
    right = np.clip(np.searchsorted(grid, at), 1, len(grid) - 1)
    nearest = np.where(at - grid[right - 1] <= grid[right] - at, right - 1, right)
    return levels[nearest]


def contains(factor: Factor, values: Any) -> np.ndarray:
    """Where a value is legal (within one part in 1e9, for numbers that went through text)."""
    if factor.kind == "text":
        assert factor.levels is not None
        return np.array([v in factor.levels for v in values], dtype=bool)
    numbers = numeric(factor, values)
    slack = 1e-9 * max(abs(factor.low), abs(factor.high))
    inside = within(factor, values)
    if factor.levels is not None:
        nearest = snap(factor, pd.Series(np.where(inside, numbers, factor.low)))
        inside &= np.abs(nearest.astype(float) - numbers) <= slack
    return inside


def within(factor: Factor, values: Any) -> np.ndarray:
    """Where a value lies between the bounds, legal step or not; for text, where it is a choice."""
    if factor.kind == "text":
        return contains(factor, values)
    numbers = numeric(factor, values)
    slack = 1e-9 * max(abs(factor.low), abs(factor.high))
    return (numbers >= factor.low - slack) & (numbers <= factor.high + slack)


def move(factor: Factor, values: np.ndarray, rng: np.random.Generator, scale: Any) -> np.ndarray:
    """A value near each given one; a stepped factor moves by one level at least."""
    n, levels = len(values), factor.levels
    if factor.kind == "text":
        assert levels is not None
        place = np.array([np.flatnonzero(levels == v)[0] for v in values])
        return levels[(place + rng.integers(1, len(levels), n)) % len(levels)]
    old = values.astype(float)
    at = _scale(factor, old) + scale * rng.standard_normal(n)
    at = 1 - np.abs(1 - np.abs(at) % 2)  # reflected at both bounds: the walk stays symmetric
    new = _unscale(factor, at)
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
    numbers = np.asarray(values, dtype=float)
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
    return np.clip(rounded, factor.low, factor.high)


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
    return body


def from_dict(body: Mapping[str, Any]) -> Factor:
    """Inverse of `to_dict`."""
    arguments = {k: v for k, v in body.items() if k != "kind"}
    return KINDS[body["kind"]](**arguments)


def _scale(factor: Factor, numbers: Any) -> Any:
    if factor.log:
        return np.log(numbers / factor.low) / math.log(factor.high / factor.low)
    return (numbers - factor.low) / (factor.high - factor.low)


def _unscale(factor: Factor, at: np.ndarray) -> np.ndarray:
    if factor.log:
        numbers = factor.low * np.exp(at * math.log(factor.high / factor.low))
    else:
        numbers = factor.low + at * (factor.high - factor.low)
    return np.clip(numbers, factor.low, factor.high)


def _set(factor: Factor, **values: Any) -> None:
    for key, value in values.items():
        object.__setattr__(factor, key, value)


def _number(factor: Real | Integer, argument: str) -> float:
    value = getattr(factor, argument)
    try:
        if isinstance(value, (bool, str)):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError):
        raise SpaceError(f"{factor.name}: {argument}={value!r} is no number") from None
    if not math.isfinite(number):
        raise SpaceError(f"{factor.name}: {argument}={number} must be finite")
    return number


def _steps(factor: Real | Integer) -> int:
    assert factor.step is not None
    return math.floor((factor.high - factor.low) / factor.step + 1e-9) + 1


def _check_name(factor: Factor) -> None:
    if not isinstance(factor.name, str) or not factor.name.isidentifier():
        raise SpaceError(
            f"{factor.name!r} is no column name; use letters, digits and _, such as 'milling_min'"
        )


def _check_bounds(factor: Real | Integer) -> None:
    _check_name(factor)
    if factor.low >= factor.high:
        raise SpaceError(
            f"{factor.name}: low={factor.low:g} must be below high={factor.high:g}; "
            f"a constant belongs in the campaign's fixed={{{factor.name!r}: ...}}"
        )
    if factor.log and factor.low <= 0:
        raise SpaceError(f"{factor.name}: log=True needs low above 0, got {factor.low:g}")
    if factor.step is not None:
        if factor.step <= 0 or factor.step > factor.high - factor.low:
            raise SpaceError(
                f"{factor.name}: step={factor.step:g} must be above 0 and at most "
                f"high - low = {factor.high - factor.low:g}"
            )
        if _steps(factor) > MAX_LEVELS:
            raise SpaceError(
                f"{factor.name}: step={factor.step:g} makes {_steps(factor)} levels, more than "
                f"{MAX_LEVELS}; use a wider step, or Real without a step"
            )
    _check_registry(factor)


def _check_registry(factor: Factor) -> None:
    known = columns.COLUMNS.get(factor.name)
    if known is None:
        return
    if factor.unit is not None and factor.unit != known.unit:
        raise SpaceError(
            f"{factor.name}: unit={factor.unit!r}, but this column is in {known.unit!r}; "
            "convert the bounds and leave unit out, or choose another name"
        )
    if (known.kind == "text") != (factor.kind == "text"):
        raise SpaceError(f"{factor.name} is a {known.kind} column, not a {factor.kind}")
    if factor.kind == "text":
        assert factor.levels is not None
        wrong = [v for v in factor.levels if known.choices and v not in known.choices]
        if wrong:
            raise SpaceError(unknown(wrong[0], known.choices, f"value of {factor.name}"))
        return
    for bound, limit, name in (
        (factor.low, known.low, "low"),
        (factor.high, known.high, "high"),
    ):
        if limit is not None and (bound < limit if name == "low" else bound > limit):
            raise SpaceError(
                f"{factor.name}: {name}={bound:g} is outside the plausible "
                f"{known.low} to {known.high} {known.unit}; is it in another unit?"
            )
