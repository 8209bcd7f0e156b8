"""Several criteria as objectives: desirabilities, and what no other setting beats in everything.

A desirability maps a response to 0 (useless) ... 1 (as good as need be), and the overall one is a
weighted geometric mean, zero as soon as one response is useless:

    larger:  d = ((y - low) / (high - low))^r        clipped to 0..1
    smaller: d = ((high - y) / (high - low))^r
    target:  rises to 1 at the target and falls behind it
    D = (prod d_i^w_i)^(1 / sum w_i)

Limits, targets and weights are the user's: the source of the criteria prints none. Where nobody
wants to weigh, the Pareto front says which settings are not dominated, with its probability over
the draws of a posterior.

Derringer and Suich, J. Qual. Technol. 12 (1980) 214, doi 10.1080/00224065.1980.11980968.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..data.quality_criteria import criteria
from .engine import namespace

KINDS = ("larger", "smaller", "target")
LEVEL = 0.9


def larger(y: Any, low: Any, high: Any, power: Any = 1.0) -> Any:
    """Desirability of a response that should be large: 0 up to ``low``, 1 from ``high``."""
    return namespace(y, low, high, power).clip((y - low) / (high - low), 0.0, 1.0) ** power


def smaller(y: Any, low: Any, high: Any, power: Any = 1.0) -> Any:
    """Desirability of a response that should be small: 1 up to ``low``, 0 from ``high``."""
    return namespace(y, low, high, power).clip((high - y) / (high - low), 0.0, 1.0) ** power


def on_target(y: Any, low: Any, target: Any, high: Any, power: Any = 1.0) -> Any:
    """Desirability of a response that should hit a target: 1 there, 0 outside ``low..high``."""
    xp = namespace(y, low, target, high, power)
    up, down = (y - low) / (target - low), (high - y) / (high - target)
    return xp.clip(xp.minimum(up, down), 0.0, 1.0) ** power


@dataclass(frozen=True)
class Goal:
    """What is wanted of one response.

    Parameters
    ----------
    name
        Response.
    kind
        ``larger``, ``smaller`` or ``target``.
    low, high
        Limits in the response's unit; see `larger`, `smaller`, `on_target`.
    weight
        Above 0; only ratios matter. No default: a weight is a decision.
    target
        For ``target``: the value wanted, between the limits.
    power
        Above 1: only near the good end is good; below 1: any step counts.

    Raises
    ------
    ValueError
        If kind, limits, target, power or weight cannot be.
    """

    name: str
    kind: str
    low: float
    high: float
    weight: float
    target: float | None = None
    power: float = 1.0

    def __post_init__(self) -> None:
        told = f"goal {self.name!r}"
        if self.kind not in KINDS:
            raise ValueError(f"{told}: kind {self.kind!r} is none of {', '.join(KINDS)}")
        if not all(map(math.isfinite, (self.low, self.high))) or self.low >= self.high:
            raise ValueError(f"{told}: low {self.low} must be below high {self.high}")
        if not (self.weight > 0 and self.power > 0):
            raise ValueError(f"{told}: weight {self.weight} and power {self.power} must be above 0")
        if (self.target is not None) != (self.kind == "target"):
            raise ValueError(f"{told}: a target belongs to kind 'target', and to no other")
        if self.target is not None and not self.low < self.target < self.high:
            raise ValueError(f"{told}: target {self.target} must lie between {self.low} and "
                             f"{self.high}")

    def of(self, y: Any) -> Any:
        """Desirability of values ``y`` of the response, 0..1, in their shape."""
        if self.target is not None:
            return on_target(y, self.low, self.target, self.high, self.power)
        return (larger if self.kind == "larger" else smaller)(y, self.low, self.high, self.power)


@dataclass(frozen=True)
class Desirability:
    """Overall desirability of settings.

    Attributes
    ----------
    table
        One row for each setting: median and interval of D, of each goal's d, ``p_best``,
        ``p_useless`` (some response beyond its limit).
    draws
        D, ``(draws, settings)``.
    weights
        Share of each goal, as given and divided by their sum.
    """

    table: pd.DataFrame
    draws: np.ndarray
    weights: dict[str, float]


def desirability(
    values: Mapping[str, Any], goals: Sequence[Goal], level: float = LEVEL
) -> Desirability:
    """Overall desirability over draws of a posterior.

    Parameters
    ----------
    values
        Response -> draws ``(draws, settings)``, drawn together.
    goals
        One for each response that counts.
    level
        Level of the equal-tailed intervals.

    Raises
    ------
    ValueError
        If there is no goal, one has no values, or shapes differ.
    """
    if not goals:
        raise ValueError("there is no goal: say what is wanted of at least one response")
    arrays = _arrays(values, [goal.name for goal in goals])
    total = sum(goal.weight for goal in goals)
    each = {goal.name: np.asarray(goal.of(arrays[goal.name])) for goal in goals}
    with np.errstate(divide="ignore"):
        log = sum(goal.weight / total * np.log(each[goal.name]) for goal in goals)
    overall = np.exp(log)
    ends = np.quantile(overall, [0.5, 0.5 - level / 2, 0.5 + level / 2], axis=0)
    top = overall == overall.max(axis=1, keepdims=True)
    table = pd.DataFrame({
        "desirability": ends[0],
        f"low ({100 * level:g} % equal-tailed)": ends[1],
        f"high ({100 * level:g} % equal-tailed)": ends[2],
        **{f"d {name}": np.median(d, axis=0) for name, d in each.items()},
        "p_best": (top / top.sum(axis=1, keepdims=True)).mean(axis=0),
        "p_useless": (overall == 0).mean(axis=0)})
    return Desirability(table, overall, {goal.name: goal.weight / total for goal in goals})


@dataclass(frozen=True)
class Front:
    """Settings that no other one beats in everything.

    Attributes
    ----------
    table
        One row for each setting: medians, ``p_not_dominated``, and whether it is ``on_front`` by
        its medians.
    sentence
        How sure the front is.
    """

    table: pd.DataFrame
    sentence: str


def not_dominated(points: np.ndarray) -> np.ndarray:
    """Which points no other one equals or beats in all objectives and beats in one.

    Parameters
    ----------
    points
        ``(..., settings, objectives)``, more is better.

    Returns
    -------
    ndarray
        Truths, ``(..., settings)``.
    """
    other, own = points[..., :, None, :], points[..., None, :, :]
    beaten = (other >= own).all(axis=-1) & (other > own).any(axis=-1)
    return ~beaten.any(axis=-2)


def pareto(values: Mapping[str, Any], directions: Mapping[str, int] | None = None) -> Front:
    """Pareto front of settings over draws of a posterior.

    Parameters
    ----------
    values
        Objective -> draws ``(draws, settings)``, drawn together.
    directions
        Objective -> 1 (more is better) or -1; for quality criteria those of the source if not
        given.

    Raises
    ------
    ValueError
        If an objective has no direction or shapes differ.
    """
    names = list(values)
    signs = dict(criteria()["direction"]) | dict(directions or {})
    odd = [name for name in names if signs.get(name) not in (1, -1)]
    if odd or not names:
        raise ValueError(f"{odd[0]!r} has no direction: say 1 (more is better) or -1 in directions"
                         if odd else "there is no objective")
    arrays = _arrays(values, names)
    points = np.stack([signs[name] * arrays[name] for name in names], axis=-1)
    chance = np.concatenate([not_dominated(part) for part in np.array_split(
        points, max(1, len(points) // 200))]).mean(axis=0)
    table: Any = pd.DataFrame({name: np.median(arrays[name], axis=0) for name in names})
    table["p_not_dominated"] = chance
    table["on_front"] = not_dominated(np.median(points, axis=0))
    front = int(table["on_front"].sum())
    sure = int((chance > 0.95).sum())
    return Front(table, f"{front} of {len(table)} settings are on the front of the medians; "
                        f"{sure} are not dominated with a probability above 0.95")


def _arrays(values: Mapping[str, Any], names: Sequence[str]) -> dict[str, np.ndarray]:
    missing = [name for name in names if name not in values]
    if missing:
        raise ValueError(f"there are no values of {missing[0]!r}; there are {', '.join(values)}")
    arrays = {name: np.asarray(values[name], dtype=float) for name in names}
    shapes = {array.shape for array in arrays.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 2:
        raise ValueError(f"values must be draws x settings, all of one shape, not {shapes}")
    return arrays
