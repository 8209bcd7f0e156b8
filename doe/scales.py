"""Scales of number factors: linear, logarithmic (equal ratios), square root (equal roots).

A scale places a number between its factor's bounds on [0, 1] and back. The square root spreads
small values without losing zero, as carbon contents and concentrations need.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np


class Scaled(Protocol):
    """What a scale needs to know of a factor."""

    @property
    def low(self) -> Any: ...
    @property
    def high(self) -> Any: ...
    @property
    def log(self) -> bool: ...
    @property
    def sqrt(self) -> bool: ...


def name(factor: Scaled) -> str:
    """``"log"``, ``"sqrt"`` or ``"linear"``."""
    return "log" if factor.log else "sqrt" if factor.sqrt else "linear"


def stretched(factor: Scaled, numbers: np.ndarray) -> np.ndarray:
    """Numbers on an axis on which equal distances are equal steps."""
    return np.log(numbers) if factor.log else np.sqrt(numbers) if factor.sqrt else numbers


def place(factor: Scaled, numbers: Any) -> Any:
    """Numbers on [0, 1]; outside the bounds, outside of it."""
    if factor.log:
        return np.log(numbers / factor.low) / math.log(factor.high / factor.low)
    if factor.sqrt:
        low, high = math.sqrt(factor.low), math.sqrt(factor.high)
        return (np.sqrt(numbers) - low) / (high - low)
    return (numbers - factor.low) / (factor.high - factor.low)


def number(factor: Scaled, at: Any) -> np.ndarray:
    """Inverse of `place`, within the bounds."""
    if factor.log:
        numbers = factor.low * np.exp(at * math.log(factor.high / factor.low))
    elif factor.sqrt:
        low, high = math.sqrt(factor.low), math.sqrt(factor.high)
        numbers = np.maximum(low + at * (high - low), 0.0) ** 2
    else:
        numbers = factor.low + at * (factor.high - factor.low)
    return np.clip(numbers, factor.low, factor.high)
