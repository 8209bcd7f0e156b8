"""What is done with the values of one factor: draw, encode, snap, check, move, round.

A factor is a number on a scale, a category, or a category with an order; these functions are all
that the rest of the room needs to know of it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..data import columns
from . import scales
from .errors import SpaceError, unknown

if TYPE_CHECKING:
    from .factors import Factor


def unit(factor: Factor) -> str:
    """Unit of a factor, from itself or from the column registry; "" for text or unknown."""
    known = columns.COLUMNS.get(factor.name)
    return factor.unit or (known.unit if known is not None else "")


def width(factor: Factor) -> int:
    """Encoded columns: one for a number or a rank, one for each value of a text choice."""
    if factor.kind != "text" or factor.ordered:
        return 1
    assert factor.levels is not None
    return len(factor.levels)


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
    """Place values on [0, 1], shape (n, width); text as one column a value, or as its rank."""
    if factor.kind == "text" and factor.ordered:
        idle = is_void(factor, values)
        assert factor.levels is not None
        at = np.where(idle, 0.5, ranks(factor, values) / (len(factor.levels) - 1))
        return at[:, None]
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


def ranks(factor: Factor, values: Any) -> np.ndarray:
    """Place of each ordered text among the factor's values, from 0; -1 for a text that is none."""
    assert factor.levels is not None
    place = {value: i for i, value in enumerate(factor.levels)}
    return np.array([place.get(v, -1) for v in values], dtype=int)


def move(factor: Factor, values: np.ndarray, rng: np.random.Generator, scale: Any) -> np.ndarray:
    """A value near each given one; a stepped factor moves by one level at least."""
    n, levels = len(values), factor.levels
    if factor.kind == "text" and factor.ordered:
        assert levels is not None
        old, last = ranks(factor, values), len(levels) - 1
        new = np.rint(old + scale * last * rng.standard_normal(n)).astype(int)
        new = np.where(new == old, old + rng.choice([-1, 1], n), new)
        return levels[np.where(new < 0, 1, np.where(new > last, last - 1, new))]
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
