"""Priors as values: a family, its numbers, and where they come from.

The numbers of a prior enter the graph as data, so overriding them compiles nothing. Every family
knows its density (PyMC), its draws (NumPy) and its standard deviation on the scale on which a
posterior is compared with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Family:
    """One family of distributions.

    Attributes
    ----------
    arguments
        Names of the numbers, in order.
    positive
        Indices of the numbers that must be above zero.
    log_scale
        True where prior and posterior are compared on the logarithm (scale parameters).
    pymc
        ``(name, numbers, shape) -> random variable``.
    draw
        ``(rng, numbers, size) -> array``.
    """

    arguments: tuple[str, ...]
    positive: tuple[int, ...]
    log_scale: bool
    pymc: Callable[..., Any]
    draw: Callable[..., np.ndarray]


def _pm() -> Any:
    import pymc

    return pymc


def _log(value: Any) -> Any:
    import pytensor.tensor as pt

    return pt.log(value)


def _truncated(rng: np.random.Generator, numbers: tuple, size: Any) -> np.ndarray:
    from scipy.stats import truncnorm

    mu, sd, low, high = numbers
    return np.asarray(truncnorm.rvs(
        (low - mu) / sd, (high - mu) / sd, mu, sd, size=size, random_state=rng))


FAMILIES: dict[str, Family] = {
    "Normal": Family(
        ("mu", "sd"), (1,), False,
        lambda name, p, shape: _pm().Normal(name, p[0], p[1], shape=shape),
        lambda rng, p, size: rng.normal(p[0], p[1], size),
    ),
    "LogNormal": Family(
        ("median", "sd_ln"), (0, 1), True,
        lambda name, p, shape: _pm().LogNormal(name, _log(p[0]), p[1], shape=shape),
        lambda rng, p, size: rng.lognormal(np.log(p[0]), p[1], size),
    ),
    "HalfNormal": Family(
        ("sd",), (0,), False,
        lambda name, p, shape: _pm().HalfNormal(name, p[0], shape=shape),
        lambda rng, p, size: np.abs(rng.normal(0.0, p[0], size)),
    ),
    "HalfCauchy": Family(
        ("scale",), (0,), True,
        lambda name, p, shape: _pm().HalfCauchy(name, p[0], shape=shape),
        lambda rng, p, size: np.abs(p[0] * rng.standard_cauchy(size)),
    ),
    "TruncatedNormal": Family(
        ("mu", "sd", "low", "high"), (1,), False,
        lambda name, p, shape: _pm().TruncatedNormal(
            name, mu=p[0], sigma=p[1], lower=p[2], upper=p[3], shape=shape
        ),
        _truncated,
    ),
    "Beta": Family(
        ("a", "b"), (0, 1), False,
        lambda name, p, shape: _pm().Beta(name, p[0], p[1], shape=shape),
        lambda rng, p, size: rng.beta(p[0], p[1], size),
    ),
    "Gamma": Family(
        ("shape", "rate"), (0, 1), False,
        lambda name, p, shape: _pm().Gamma(name, alpha=p[0], beta=p[1], shape=shape),
        lambda rng, p, size: rng.gamma(p[0], 1.0 / np.asarray(p[1]), size),
    ),
    "Uniform": Family(
        ("low", "high"), (), False,
        lambda name, p, shape: _pm().Uniform(name, p[0], p[1], shape=shape),
        lambda rng, p, size: rng.uniform(p[0], p[1], size),
    ),
}


class PriorError(ValueError):
    """A prior that cannot be: unknown family, wrong count of numbers, a scale not above 0."""


@dataclass(frozen=True)
class Prior:
    """A prior distribution of one parameter (or of a short vector of alike parameters).

    Parameters
    ----------
    family
        A name in ``FAMILIES``.
    numbers
        The family's numbers in its order; each a float, or a tuple of floats for a vector.
    unit, meaning, source
        What the parameter is measured in, what it is, and where its prior comes from.

    Raises
    ------
    PriorError
        If the family is unknown or the numbers do not suit it.
    """

    family: str
    numbers: tuple[Any, ...]
    unit: str = ""
    meaning: str = field(default="", compare=False)
    source: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            raise PriorError(f"{self.family!r} is no prior family; there are {', '.join(FAMILIES)}")
        family = FAMILIES[self.family]
        if len(self.numbers) != len(family.arguments):
            raise PriorError(
                f"{self.family} takes {len(family.arguments)} numbers "
                f"({', '.join(family.arguments)}), got {self.numbers!r}"
            )
        for k, number in enumerate(self.numbers):
            values = np.asarray(number, dtype=float)
            if not np.all(np.isfinite(values)):
                raise PriorError(f"{self.family}({family.arguments[k]}) = {number!r} is not finite")
            if k in family.positive and np.any(values <= 0):
                raise PriorError(
                    f"{self.family}({family.arguments[k]}) = {number!r} must be above 0")
        if self.family in {"Uniform", "TruncatedNormal"}:
            low, high = np.asarray(self.numbers[-2]), np.asarray(self.numbers[-1])
            if np.any(low >= high):
                raise PriorError(f"{self.family}: low {low} must be below high {high}")

    def with_numbers(self, numbers: Any) -> Prior:
        """The same prior with other numbers, or another prior put in its place."""
        if isinstance(numbers, Prior):
            return Prior(
                numbers.family, numbers.numbers, numbers.unit or self.unit,
                numbers.meaning or self.meaning, numbers.source or "set by the user",
            )
        if not isinstance(numbers, tuple | list):
            numbers = (numbers,)
        given = Prior(self.family, tuple(numbers), self.unit, self.meaning, "set by the user")
        if given.shape == self.shape:
            return given
        if given.shape:
            raise PriorError(
                f"{self.family}{given.numbers!r} is for {given.shape[0]} parameters, not for "
                f"{self.shape[0] if self.shape else 1}: give one number, or as many as there are"
            )
        spread = tuple((float(number),) * self.shape[0] for number in given.numbers)
        return Prior(self.family, spread, self.unit, self.meaning, "set by the user")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the parameter: ``()`` or ``(k,)``."""
        return np.broadcast_shapes(*(np.shape(number) for number in self.numbers))

    def nodes(self, name: str) -> dict[str, np.ndarray]:
        """The prior's numbers by the name of their data node."""
        return {
            f"{name}__{argument}": np.asarray(number, dtype="float64")
            for argument, number in zip(FAMILIES[self.family].arguments, self.numbers, strict=True)
        }

    def draw(self, rng: np.random.Generator, size: Any) -> np.ndarray:
        """Draws of the prior; ``size`` is the whole shape of the answer."""
        numbers = tuple(np.asarray(number, dtype=float) for number in self.numbers)
        return FAMILIES[self.family].draw(rng, numbers, size)

    @property
    def log_scale(self) -> bool:
        """True where widths of prior and posterior are compared on the logarithm."""
        return FAMILIES[self.family].log_scale

    def width(self, draws: int = 20_000) -> np.ndarray:
        """Standard deviation of the prior (of its logarithm where ``log_scale``)."""
        sample = self.draw(np.random.default_rng(0), (draws, *self.shape))
        return (np.log(sample) if self.log_scale else sample).std(axis=0)

    def __str__(self) -> str:
        inside = ", ".join(
            f"{name}={number:.4g}" if np.ndim(number) == 0 else f"{name}={list(number)}"
            for name, number in zip(FAMILIES[self.family].arguments, self.numbers, strict=True)
        )
        return f"{self.family}({inside})"
