"""What the runs of a design may be exchanged for: one factor at a time, whole runs, small moves."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from . import conditional, plots, scales, search
from . import factors as fac
from .mixture import Mixture

if TYPE_CHECKING:
    from .space import Space

PLACES = (0.0, 0.25, 0.5, 0.75, 1.0)
NEAR = 6
FROM_POOL = 24
VERTICES = 64


@dataclass(frozen=True)
class Offer:
    """Settings that rows of a design may take.

    Attributes
    ----------
    rows : ndarray of int, shape (m,)
    settings : DataFrame
        m rows for each exchange, one after the other; all feasible.
    """

    rows: np.ndarray
    settings: pd.DataFrame


def start(
    space: Space, labels: np.ndarray, rng: np.random.Generator, pool: pd.DataFrame
) -> pd.DataFrame:
    """A feasible design to start from, hard-to-change factors shared by the rows of a run."""
    made = []
    for count in np.unique(labels, return_counts=True)[1]:
        lead = pool.iloc[[int(rng.integers(len(pool)))]]
        made.append(lead)
        if count > 1:
            others = plots.siblings(space, lead.iloc[0], int(count) - 1, rng)
            lack = int(count) - 1 - len(others)
            made += [others, *[lead] * lack]
    return pd.concat(made, ignore_index=True).astype(pool.dtypes.to_dict())


def of_rows(
    space: Space,
    settings: pd.DataFrame,
    rng: np.random.Generator,
    scale: float,
    pool: pd.DataFrame | None,
) -> list[Offer]:
    """Exchanges of single rows; those of runs (no `pool`) keep their hard-to-change factors."""
    n, shared = len(settings), pool is None
    table = _Copies(settings)
    for block in space.blocks:
        if not (shared and block.hard):
            table.add(values(block))
    moved = search.step(space, _repeated(settings, NEAR), rng, scale)
    table.put(moved, [m for m in space.names if not (shared and m in space.hard)])
    if pool is not None:
        picks = rng.integers(0, len(pool), FROM_POOL * n)
        table.put(pool.iloc[picks], space.names)
    every = conditional.settle(space, table.made())
    good = space.feasible(every)
    if shared:  # what follows from an easy factor by a condition may be a hard one
        for name in space.hard:
            good &= every[name].to_numpy() == np.resize(settings[name].to_numpy(), len(every))
    rows = np.arange(len(every)) % n
    offers = []
    for row in range(n):
        here = np.flatnonzero(good & (rows == row))
        if len(here):
            offers.append(Offer(np.array([row]), every.iloc[here]))
    return offers


def of_runs(
    space: Space,
    settings: pd.DataFrame,
    labels: np.ndarray,
    rng: np.random.Generator,
    scale: float,
) -> list[Offer]:
    """Exchanges of one hard-to-change factor in all rows of a run."""
    n, table = len(settings), _Copies(settings)
    for block in space.blocks:
        if block.hard:
            table.add(values(block))
    _, first, run = np.unique(labels, return_index=True, return_inverse=True)
    leads = _repeated(settings.iloc[first], NEAR)
    moved = search.step(space, leads, rng, scale)
    at = (np.arange(NEAR)[:, None] * len(first) + run).ravel()
    table.put(moved.iloc[at], space.hard)
    every = conditional.settle(space, table.made())
    good = space.feasible(every).reshape(-1, n)
    offers = []
    for k in np.unique(labels):
        rows = np.flatnonzero(labels == k)
        whole = good[:, rows].all(axis=1)
        for name in space.hard:
            column = every[name].to_numpy().reshape(-1, n)[:, rows]
            whole &= (column == column[:, :1]).all(axis=1)
        if whole.any():
            places = (np.flatnonzero(whole)[:, None] * n + rows).ravel()
            offers.append(Offer(rows, every.iloc[places]))
    return offers


class _Copies:
    """Copies of a design, in each of which some columns have other values."""

    def __init__(self, settings: pd.DataFrame) -> None:
        self.old = {str(c): settings[c].to_numpy() for c in settings}
        self.dtypes = settings.dtypes.to_dict()
        self.n = len(settings)
        self.columns: dict[str, list[np.ndarray]] = {c: [] for c in self.old}

    def add(self, choices: pd.DataFrame) -> None:
        """A copy for each choice, which all rows take."""
        new = {str(c): np.repeat(choices[c].to_numpy(), self.n) for c in choices}
        self._append(new, len(choices))

    def put(self, values: pd.DataFrame, names: list[str]) -> None:
        """Copies with the named columns of a table of whole designs, one after the other."""
        self._append({c: values[c].to_numpy() for c in names}, len(values) // self.n)

    def _append(self, new: dict[str, np.ndarray], copies: int) -> None:
        for c, old in self.old.items():
            self.columns[c].append(new[c] if c in new else np.tile(old, copies))

    def made(self) -> pd.DataFrame:
        table = pd.DataFrame({c: np.concatenate(parts) for c, parts in self.columns.items()})
        return table.astype(self.dtypes)


def _repeated(settings: pd.DataFrame, copies: int) -> pd.DataFrame:
    at = np.tile(np.arange(len(settings)), copies)
    return settings.iloc[at].reset_index(drop=True)


@lru_cache(maxsize=512)
def _places(factor: fac.Factor) -> tuple:
    levels = factor.levels
    if levels is None:
        return tuple(fac.snap(factor, pd.Series(scales.number(factor, np.array(PLACES)))))
    if factor.kind == "text" or len(levels) <= len(PLACES) + 2:
        return tuple(levels)
    at = np.array(PLACES) * (len(levels) - 1)
    middle = fac.snap(factor, pd.Series(scales.number(factor, np.array(PLACES))))
    ends = levels[np.rint(at[[0, -1]]).astype(int)]
    return tuple(dict.fromkeys([*ends, *middle]))


def values(block: fac.Factor | Mixture) -> pd.DataFrame:
    """Values of a factor that a design is built from: ends, middle, quarters; all of a few."""
    if isinstance(block, Mixture):
        return corners(block)
    return pd.DataFrame({block.name: list(_places(block))})


def corners(mixture: Mixture) -> pd.DataFrame:
    """Extreme compositions, the middles between them, and the middle of all."""
    key = repr(mixture.to_dict())
    if key not in _CORNERS:
        _CORNERS[key] = _corners(mixture)
    return _CORNERS[key]


_CORNERS: dict[str, pd.DataFrame] = {}


def _corners(mixture: Mixture) -> pd.DataFrame:
    found = []
    for there, made in mixture.patterns:
        low, high = made.low, made.high
        vertices = []
        places = np.flatnonzero(there)
        if len(places) > 10:  # too many vertices: those of one part at its ends, by snapping
            for i in places:
                for end in (low[i], high[i]):
                    point = (low + high) / 2
                    point[i] = end
                    vertices.append(made.snap(point[None])[0])
        else:
            for free in places:
                others = [i for i in places if i != free]
                for ends in itertools.product((0, 1), repeat=len(others)):
                    point = np.where(there, low, 0.0)
                    point[others] = np.where(ends, high[others], low[others])
                    point[free] = mixture.total - np.delete(point, free).sum()
                    if low[free] - 1e-9 <= point[free] <= high[free] + 1e-9:
                        vertices.append(point)
        corner = np.unique(np.round(vertices, 12), axis=0)
        pairs = [(a + b) / 2 for a, b in itertools.combinations(corner[:24], 2)]
        points = np.concatenate([corner, *([pairs] if pairs else []), [corner.mean(axis=0)]])
        found.append(made.snap(points))
    every = np.unique(np.round(np.concatenate(found), 12), axis=0)
    if len(every) > VERTICES:  # corners first: they are at the beginning of each set
        rng = np.random.default_rng(0)
        few = np.unique(np.round(np.concatenate([f[: VERTICES // 2] for f in found]), 12), axis=0)
        rest = every[rng.permutation(len(every))[: VERTICES // 2]]
        every = np.unique(np.concatenate([few[:VERTICES], rest]), axis=0)
    table = pd.DataFrame(every, columns=mixture.names)
    return pd.DataFrame(mixture.snap(table))
