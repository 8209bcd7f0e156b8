"""Numbers between bounds that add up to a total: uniform draws, nearest points, small moves.

The set {x : sum x = T, low <= x <= high} is cut out of a simplex by a box. With V_j(s) the volume
of the ways in which parts j, j+1, ... can make up s,

    V_last(s) = 1 between its bounds,    V_j(s) = C_{j+1}(s - low_j) - C_{j+1}(s - high_j),

where C is the integral of V, part j given the parts before it has the density V_{j+1}(s - x_j).
Its inverse distribution function maps the unit cube onto the set so that equal volumes stay equal
(the Rosenblatt transform, Ann. Math. Stat. 23 (1952) 470): random numbers give uniform
compositions and space-filling points fill it. All terms are positive, so that it stays exact in
many dimensions, where the usual inclusion-exclusion cancels to nothing. Parts with steps are
counted on their common lattice in the same way.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from .errors import SpaceError

KNOTS = 2049
LARGEST = 1_000_000
CELLS = 4_000_000
SLACK = 1e-10


@dataclass(frozen=True)
class _Stepped:
    """A part with steps: its legal values and how many lattice cells one step is."""

    at: int
    levels: np.ndarray
    stride: int


class Polytope:
    """Compositions of one set of parts.

    Parameters
    ----------
    low, high : sequence of float
        Bounds, which must be tight: each is reached by some composition.
    total : float
    steps : sequence of float or None
        Legal values of a part are low, low + step, ...; None where it is continuous.

    Raises
    ------
    SpaceError
        If the steps have no common lattice of reasonable size.
    """

    def __init__(
        self,
        low: tuple[float, ...],
        high: tuple[float, ...],
        total: float,
        steps: tuple[float | None, ...],
    ) -> None:
        self.low, self.high, self.total = np.array(low), np.array(high), total
        self.steps = steps
        self.slack = SLACK * max(abs(total), float(np.abs(self.high).max()))
        wide = self.high - self.low
        self.moving = [i for i in range(len(low)) if wide[i] > self.slack]
        # narrow parts first: the last one is the remainder, and the widest has the most room
        order = sorted(self.moving, key=lambda i: wide[i])
        self.smooth = [i for i in order if steps[i] is None]
        self._volumes()
        self._lattice([i for i in order if steps[i] is not None])

    def _volumes(self) -> None:
        """Cumulated volumes C_j of the continuous parts, the last first, as (sums, C) tables."""
        tables: list[tuple[np.ndarray, np.ndarray]] = []
        rest: list[int] = []
        for i in reversed(self.smooth):
            low, high = self.low[i], self.high[i]
            rest.insert(0, i)
            if not tables:
                tables.append((np.array([low, high]), np.array([0.0, 1.0])))
                continue
            # only sums that the parts before can leave
            before = [j for j in range(len(self.low)) if j not in rest]
            ends = np.array([
                max(self.low[rest].sum(), self.total - self.high[before].sum()),
                min(self.high[rest].sum(), self.total - self.low[before].sum()),
            ])  # fmt: skip
            if ends[1] - ends[0] <= self.slack:
                tables.append((ends[0] + np.array([0.0, self.slack]), np.array([0.0, 1.0])))
                continue
            sums = tables[-1][0]
            knots = np.concatenate([sums[[0, -1]] + low, sums[[0, -1]] + high])
            inside = knots[(knots > ends[0]) & (knots < ends[1])]
            s = np.union1d(np.linspace(ends[0], ends[1], KNOTS), inside)
            volume = _volume(s, low, high, tables[-1])
            area = np.cumsum(np.diff(s) * (volume[1:] + volume[:-1]) / 2)
            tables.append((s, np.concatenate([[0.0], area / max(area[-1], 1e-300)])))
        self.tables = tables[::-1]

    def _lattice(self, order: list[int]) -> None:
        """Ways to go on from every sum of stepped parts, ``ways[j][m]``: m cells above the lows."""
        rest = [i for i in range(len(self.low)) if i not in order]
        fixed = [i for i in rest if i not in self.smooth]
        self.start = self.total - self.low[fixed].sum()  # what moving parts make up
        exact = [_exact(self.steps[i] or 0.0) for i in order]
        cell = functools.reduce(_common, exact, Fraction(0))
        self.cell = float(cell)
        strides = [int(step / cell) for step in exact]
        counts = [
            math.floor((self.high[i] - self.low[i]) / float(step) + 1e-9) + 1
            for i, step in zip(order, exact, strict=True)
        ]
        size = 1 + sum((c - 1) * s for c, s in zip(counts, strides, strict=True))
        if size > LARGEST:
            raise SpaceError(
                f"steps {[self.steps[i] for i in order]} have a common lattice of {size} cells, "
                f"more than {LARGEST}; use steps that are multiples of each other"
            )
        self.stepped = [
            _Stepped(i, _levels(self.low[i], step, count), stride)
            for i, step, count, stride in zip(order, exact, counts, strides, strict=True)
        ]
        self.base = self.start - self.low[order].sum()
        ways = self._ends(self.base - np.arange(size) * self.cell)
        self.ways = [ways]
        for part in reversed(self.stepped):
            ways = _windows(ways, part.stride, len(part.levels))
            self.ways.insert(0, ways / max(ways.max(), 1e-300))

    @property
    def possible(self) -> bool:
        """Whether any composition adds up; steps may leave none."""
        return bool(self.ways[0][0] > 0)

    def _ends(self, sums: np.ndarray) -> np.ndarray:
        """Volume (relative) in which the continuous parts make up each sum; 1 or 0 without."""
        if not self.smooth:
            return (np.abs(sums) <= max(self.slack, 1e-3 * self.cell)).astype(float)
        low, high = self.low[self.smooth].sum(), self.high[self.smooth].sum()
        possible = (sums >= low - self.slack) & (sums <= high + self.slack)
        if len(self.smooth) == 1:
            return possible.astype(float)
        volume = _volume(sums, self.low[self.smooth[0]], self.high[self.smooth[0]], self.tables[1])
        # a corner has no volume, but it is a composition
        return np.where(possible, volume / max(volume.max(), 1e-300) + 1e-12, 0.0)

    @property
    def count(self) -> float:
        """Number of compositions, infinite with two continuous parts or more."""
        if len(self.smooth) > 1:
            return math.inf
        ways = (self.ways[-1] > 0).astype(float)
        for part in reversed(self.stepped):
            ways = _windows(ways, part.stride, len(part.levels))
        return float(round(ways[0]))

    def from_unit(self, u: np.ndarray) -> np.ndarray:
        """Compositions from uniform numbers: uniform over the set; ``u`` of shape (n, parts)."""
        x = np.broadcast_to(self.low, (len(u), len(self.low))).copy()
        cells = np.zeros(len(u), dtype=int)
        for j, part in enumerate(self.stepped):
            chosen = np.empty(len(u), dtype=int)
            rows = max(1, CELLS // len(part.levels))
            for start in range(0, len(u), rows):
                block = slice(start, start + rows)
                weights = self._onward(j, cells[block])
                mass = np.cumsum(weights, axis=1)
                at = u[block, j, None] * mass[:, -1:]
                chosen[block] = np.minimum((mass <= at).sum(axis=1), len(part.levels) - 1)
                # rounding may point at a level from which nothing goes on
                stuck = np.flatnonzero(weights[np.arange(len(weights)), chosen[block]] <= 0)
                chosen[start + stuck] = weights[stuck].argmax(axis=1)
            x[:, part.at] = part.levels[chosen]
            cells += chosen * part.stride
        self._fill(x, self.base - cells * self.cell, u)
        return x

    def _onward(self, j: int, cells: np.ndarray) -> np.ndarray:
        """Ways to go on from each level of stepped part ``j``, shape (rows, levels)."""
        part, ways = self.stepped[j], self.ways[j + 1]
        to = cells[:, None] + part.stride * np.arange(len(part.levels))
        return np.where(to < len(ways), ways[np.minimum(to, len(ways) - 1)], 0.0)

    def _fill(self, x: np.ndarray, left: np.ndarray, u: np.ndarray) -> None:
        """Continuous parts that make up what is left, drawn one after the other, in place."""
        lows, highs = self.low[self.smooth], self.high[self.smooth]
        for j, i in enumerate(self.smooth):
            if j == len(self.smooth) - 1:
                x[:, i] = np.clip(left, self.low[i], self.high[i])
                return
            least = np.maximum(self.low[i], left - highs[j + 1 :].sum())
            most = np.maximum(np.minimum(self.high[i], left - lows[j + 1 :].sum()), least)
            sums, cumulated = self.tables[j + 1]
            above, below = _at(left - least, sums, cumulated), _at(left - most, sums, cumulated)
            rest = np.interp(above - u[:, len(self.stepped) + j] * (above - below), cumulated, sums)
            x[:, i] = np.clip(left - rest, least, most)
            left = left - x[:, i]

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Where numbers are a composition, to one part in 1e9; steps included."""
        slack = 10 * self.slack
        good = np.abs(x.sum(axis=1) - self.total) <= slack
        good &= ((x >= self.low - slack) & (x <= self.high + slack)).all(axis=1)
        for part in self.stepped:
            near = part.levels[_nearest(part.levels, x[:, part.at])]
            good &= np.abs(near - x[:, part.at]) <= slack
        return good

    def snap(self, x: np.ndarray) -> np.ndarray:
        """A composition near each row; compositions stay as they are.

        Bounds and total are met at the least sum of squared changes, in units of the parts'
        ranges; steps are then taken one part after the other, the nearest from which the others
        can go on.
        """
        x, keep = np.array(x, dtype=float), self.contains(x)
        if keep.all():
            return x
        new = self._project(x[~keep], np.arange(len(self.low)), np.full((~keep).sum(), self.total))
        cells = np.zeros(len(new), dtype=int)
        for j, part in enumerate(self.stepped):
            gap = np.abs(part.levels[None, :] - new[:, [part.at]])
            chosen = np.where(self._onward(j, cells) > 0, gap, np.inf).argmin(axis=1)
            new[:, part.at] = part.levels[chosen]
            cells += chosen * part.stride
        if self.stepped and self.smooth:
            left = self.base - cells * self.cell
            new[:, self.smooth] = self._project(new[:, self.smooth], np.array(self.smooth), left)
        x[~keep] = new
        return x

    def _project(self, x: np.ndarray, at: np.ndarray, total: np.ndarray) -> np.ndarray:
        """Nearest numbers within the bounds of parts ``at`` that add up to ``total``."""
        low, high = self.low[at], self.high[at]
        squared = np.maximum(high - low, self.slack) ** 2
        # x + t * squared, clipped, rises with t: the right t lies between the two where all clip
        below = ((low - x) / squared).min(axis=1)
        above = ((high - x) / squared).max(axis=1)
        for _ in range(100):
            middle = (below + above) / 2
            more = np.clip(x + middle[:, None] * squared, low, high).sum(axis=1) < total
            below, above = np.where(more, middle, below), np.where(more, above, middle)
        near = np.round(x + ((below + above) / 2)[:, None] * squared, 12)
        near = np.clip(near, low, high)
        for j in range(len(at)):  # what bisection leaves goes where there is room
            rest = total - near.sum(axis=1)
            near[:, j] = np.clip(near[:, j] + rest, low[j], high[j])
        return near

    def move(self, x: np.ndarray, rng: np.random.Generator, scale: np.ndarray) -> np.ndarray:
        """Compositions near given ones: amounts pass from part to part, as often back as forth.

        ``scale`` is the standard deviation in units of the narrower part's range, shape (n,).
        """
        x = x.copy()
        if len(self.moving) < 2:
            return x
        moving, rows = np.array(self.moving), np.arange(len(x))
        for _ in range(max(1, len(moving) // 2)):
            first = rng.integers(0, len(moving), len(x))
            second = (first + rng.integers(1, len(moving), len(x))) % len(moving)
            a, b = moving[first], moving[second]
            least = np.maximum(self.low[a] - x[rows, a], x[rows, b] - self.high[b])
            most = np.minimum(self.high[a] - x[rows, a], x[rows, b] - self.low[b])
            width = np.minimum(self.high[a] - self.low[a], self.high[b] - self.low[b])
            amount = _reflected(scale * width * rng.standard_normal(len(x)), least, most)
            unit = self._units[a, b]
            sign = rng.choice([-1.0, 1.0], len(x))
            with np.errstate(divide="ignore", invalid="ignore"):
                down = np.ceil(least / unit - 1e-6)
                up = np.floor(most / unit + 1e-6)
                whole = np.rint(amount / unit)
                # one step at least, and the other way where there is no room
                whole = np.clip(np.where(whole == 0, sign, whole), down, up)
                whole = np.where(whole == 0, np.clip(-sign, down, up), whole)
                amount = np.where(unit > 0, whole * unit, amount)
            x[rows, a] += amount
            x[rows, b] -= amount
        for part in self.stepped:
            x[:, part.at] = part.levels[_nearest(part.levels, x[:, part.at])]
        return np.clip(x, self.low, self.high)

    @functools.cached_property
    def _units(self) -> np.ndarray:
        """Smallest amount that may pass between two parts, shape (parts, parts); 0 for any."""
        exact = [None if s is None else _exact(s) for s in self.steps]
        unit = np.zeros((len(exact), len(exact)))
        for i, a in enumerate(exact):
            for j, b in enumerate(exact):
                if a is not None and b is not None:
                    unit[i, j] = float(a * b / _common(a, b))
                else:
                    unit[i, j] = float(a or b or 0)
        return unit

    def every(self) -> np.ndarray:
        """All compositions of a finite set, shape (count, parts)."""
        x, cells = self.low[None, :].copy(), np.zeros(1, dtype=int)
        for j, part in enumerate(self.stepped):
            rows, chosen = np.nonzero(self._onward(j, cells) > 0)
            x, cells = x[rows], cells[rows] + chosen * part.stride
            x[:, part.at] = part.levels[chosen]
        self._fill(x, self.base - cells * self.cell, np.zeros((len(x), len(self.low))))
        return x


@functools.lru_cache(maxsize=256)
def polytope(
    low: tuple[float, ...],
    high: tuple[float, ...],
    total: float,
    steps: tuple[float | None, ...],
) -> Polytope:
    """The polytope of these bounds, built once."""
    return Polytope(low, high, total, steps)


def tightened(
    low: np.ndarray, high: np.ndarray, total: float
) -> tuple[np.ndarray, np.ndarray]:
    """Bounds that are reached: what the others leave of the total at most and at least."""
    return (
        np.maximum(low, total - (high.sum() - high)),
        np.minimum(high, total - (low.sum() - low)),
    )


def _at(s: np.ndarray, sums: np.ndarray, cumulated: np.ndarray) -> np.ndarray:
    return np.interp(s, sums, cumulated)


def _volume(
    s: np.ndarray, low: float, high: float, table: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    return np.maximum(_at(s - low, *table) - _at(s - high, *table), 0.0)


def _windows(ways: np.ndarray, stride: int, count: int) -> np.ndarray:
    """Sum of ``ways`` over ``count`` places, ``stride`` apart, from each place on."""
    size = len(ways)
    padded = np.zeros((-(-size // stride) + count, stride))
    padded.reshape(-1)[:size] = ways
    total = np.cumsum(padded, axis=0)
    before = np.vstack([np.zeros((1, stride)), total])[: len(padded)]
    after = total[np.minimum(np.arange(len(padded)) + count - 1, len(padded) - 1)]
    # rounding of the difference must not make a dead end look open
    found = (after - before).reshape(-1)[:size]
    open_ = np.cumsum(padded > 0, axis=0)
    free = open_[np.minimum(np.arange(len(padded)) + count - 1, len(padded) - 1)]
    none = (free - np.vstack([np.zeros((1, stride)), open_])[: len(padded)]).reshape(-1)[:size]
    tiny = np.finfo(float).tiny
    return np.where(none > 0, np.maximum(found, tiny), 0.0)


def _exact(step: float) -> Fraction:
    """A step as the decimal that a person typed."""
    return Fraction(repr(float(step))).limit_denominator(10**9)


def _common(a: Fraction, b: Fraction) -> Fraction:
    """Largest number of which both are multiples."""
    return Fraction(
        math.gcd(a.numerator * b.denominator, b.numerator * a.denominator),
        a.denominator * b.denominator,
    )


def _levels(low: float, step: Fraction, count: int) -> np.ndarray:
    return np.round(low + float(step) * np.arange(count), 12)


def _nearest(levels: np.ndarray, x: np.ndarray) -> np.ndarray:
    right = np.clip(np.searchsorted(levels, x), 1, max(len(levels) - 1, 1))
    right = np.minimum(right, len(levels) - 1)
    left = np.maximum(right - 1, 0)
    return np.where(x - levels[left] <= levels[right] - x, left, right)


def _reflected(amount: np.ndarray, least: np.ndarray, most: np.ndarray) -> np.ndarray:
    """Numbers reflected at both ends of their intervals."""
    width = np.maximum(most - least, 1e-300)
    t = np.abs((amount - least) / width) % 2
    return np.where(most > least, least + width * (1 - np.abs(1 - t)), 0.0)
