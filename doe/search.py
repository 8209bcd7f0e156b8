"""Feasible settings: drawing them and moving between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import candidates, closest, conditional
from . import factors as fac
from .mixture import Mixture

if TYPE_CHECKING:
    from .space import Space

TRIES = 131_072
WALKERS = 256
COARSE, FINE = 1e-5, 1e-12
"""Smallest steps of a walk downhill, encoded: at first, and where that finds nothing."""


def sample(space: Space, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """`n` feasible settings, uniform on the factors' own scales.

    Plain rejection as long as it finds enough. In a small feasible region a finite space is
    listed and drawn from, others are searched by walkers that go downhill in rule violation and
    then wander inside the region.

    Raises
    ------
    SpaceError
        If nothing feasible is found; the message names the rules that clash.
    """
    kept, found, tried = [], 0, 0
    block = max(512, 2 * n)
    while (found < n or not kept) and tried < TRIES:
        table = space.from_unit(rng.random((block, len(space.factors))))
        if not space.rules:
            return tidy(space, table.head(n))
        table = table[space.feasible(table)]
        kept.append(table)
        found, tried = found + len(table), tried + block
        if tried >= 16_384 and found * TRIES < n * tried:
            break
        block = min(4 * block, 32_768)
    good = pd.concat(kept, ignore_index=True)
    if len(good) >= n:
        return tidy(space, good.head(n))
    every = space.grid()
    if every is not None:
        if not len(every):
            raise closest.nothing(space)
        return every.iloc[rng.integers(0, len(every), n)].reset_index(drop=True)
    seeds = good if len(good) else descend(space, rng)
    if seeds is None:
        problem = closest.nothing(space)
        seeds = pd.DataFrame([] if problem.nearest is None else [problem.nearest])
        if _exact(space) or not len(seeds) or not space.feasible(seeds)[0]:
            raise problem
    return tidy(space, _wander(space, seeds, n, rng))


def tidy(space: Space, settings: pd.DataFrame) -> pd.DataFrame:
    """Settings rounded as a person would set them, where that breaks no rule."""
    columns: dict[str, np.ndarray] = {}
    for b in space.blocks:
        if isinstance(b, Mixture):
            columns |= b.tidy(settings)
        else:
            columns[b.name] = fac.tidy(b, settings[b.name].to_numpy())
    rounded = pd.DataFrame(columns, index=settings.index)
    return rounded.where(pd.Series(space.feasible(rounded), index=settings.index), settings)


def neighbours(
    space: Space, settings: pd.DataFrame, rng: np.random.Generator, n: int, scale: float
) -> pd.DataFrame:
    """Up to `n` feasible moves from each row; an infeasible move is tried again, half as far."""
    origin = settings.loc[settings.index.repeat(n)].reset_index(drop=True)
    result, waiting = origin.copy(), np.ones(len(origin), dtype=bool)
    for attempt in range(8):
        if not waiting.any():
            break
        moved = step(space, origin[waiting].reset_index(drop=True), rng, scale / 2**attempt)
        good = space.feasible(moved)
        places = np.flatnonzero(waiting)[good]
        for name in space.names:
            column = result[name].to_numpy(copy=True)
            column[places] = moved[name].to_numpy()[good]
            result[name] = column
        waiting[places] = False
    return tidy(space, result[~waiting].reset_index(drop=True))


def step(space: Space, settings: Any, rng: np.random.Generator, scale: Any) -> pd.DataFrame:
    """Move each factor with probability one half, one of them always; a mixture as one factor."""
    n, d = len(settings), len(space.blocks)
    moving = rng.random((n, d)) < 0.5
    moving[np.arange(n), rng.integers(0, d, n)] = True
    moved: dict[str, np.ndarray] = {}
    for i, block in enumerate(space.blocks):
        if isinstance(block, Mixture):
            new = block.move(settings, rng, scale)
            for name, values in new.items():
                moved[name] = np.where(moving[:, i], values, settings[name].to_numpy())
            continue
        old = settings[block.name].to_numpy()
        legal = fac.snap(block, settings[block.name])
        idle = fac.is_void(block, legal)
        if idle.any():  # what is not in use has no place to move from: anywhere, should it be used
            legal = np.where(idle, fac.draw(block, rng.random(n)), legal)
            old = legal
        values = fac.move(block, legal, rng, scale)
        moved[block.name] = np.where(moving[:, i], values, old)
    table = conditional.settle(space, pd.DataFrame(moved))
    return table.astype({f.name: float for f in space.factors if isinstance(f, fac.Real)})


def _total(space: Space, settings: pd.DataFrame, unit: np.ndarray) -> np.ndarray:
    return (space.violation(settings) / unit).sum(axis=1)


def descend(space: Space, rng: np.random.Generator) -> pd.DataFrame | None:
    """Feasible settings found downhill in violation; None where there seem to be none."""
    table: Any = space.from_unit(rng.random((8 * WALKERS, len(space.factors))))
    gaps = space.violation(table)
    # rules are in unlike units: each is measured by its own usual violation
    unit = np.array([usual(column) for column in gaps.T])
    order = np.argsort((gaps / unit).sum(axis=1), kind="stable")[:WALKERS]
    table = table.iloc[order].reset_index(drop=True)
    table = _downhill(space, table, unit, rng, np.geomspace(0.3, COARSE, 120))
    scale = COARSE
    if _exact(space):
        scale = FINE
    elif not space.feasible(table).any():
        table = _to_ends(space, table, unit)
    while scale > FINE and not space.feasible(table).any():
        before = _total(space, table, unit).min()
        table = _downhill(space, table, unit, rng, np.geomspace(scale, scale / 10, 20))
        scale /= 10
        if _total(space, table, unit).min() > before / 2:
            break
    good = space.feasible(table)
    return table[good].reset_index(drop=True) if good.any() else None


def _exact(space: Space) -> bool:
    """Whether single settings that keep the rules are luck, and have no neighbours that do."""
    return any(rule.exact for rule in space.rules)


def _downhill(
    space: Space, table: Any, unit: np.ndarray, rng: np.random.Generator, scales: np.ndarray
) -> pd.DataFrame:
    """Settings moved at random, in ever smaller steps, where that breaks the rules no more."""
    total = _total(space, table, unit)
    for scale in scales:
        if (total == 0).sum() >= WALKERS // 4:
            break
        spread = scale * np.exp(rng.standard_normal(len(table)))
        moved = step(space, table, rng, spread)
        new = _total(space, moved, unit)
        better = new <= total
        table = moved.where(pd.Series(better), table)
        total = np.where(better, new, total)
    return table


def _to_ends(space: Space, table: Any, unit: np.ndarray) -> pd.DataFrame:
    """Settings with each factor in turn at the end, or the extreme composition, that helps most."""
    total = _total(space, table, unit)
    for block in space.blocks:
        for _, place in candidates.values(block).iterrows():
            moved = conditional.settle(space, table.assign(**place))
            new = _total(space, moved, unit)
            better = new < total
            table = moved.where(pd.Series(better), table)
            total = np.where(better, new, total)
    return table


def _wander(space: Space, seeds: pd.DataFrame, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Random walk inside the region from known feasible settings: uniform in the long run."""
    rows = rng.integers(0, len(seeds), max(n, WALKERS))
    table = seeds.iloc[rows].reset_index(drop=True)
    for _ in range(60):
        moved = step(space, table, rng, 10 ** rng.uniform(-3, -0.5, len(table)))
        table = moved.where(pd.Series(space.feasible(moved)), table)
    return table.iloc[rng.permutation(len(table))[:n]].reset_index(drop=True)


def usual(gaps: np.ndarray) -> float:
    broken = gaps[(gaps > 0) & np.isfinite(gaps)]
    return float(np.median(broken)) if len(broken) and np.median(broken) > 0 else 1.0
