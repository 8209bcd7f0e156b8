"""Settings put into runs, and runs into blocks: what a plan is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import plots
from .errors import CampaignError, unknown

if TYPE_CHECKING:
    from .prices import Prices
    from .space import Space

CONTROL_IN = 8
"""One cell in so many is of the control recipe, and at least one a block."""
ROUNDS = 2000
"""Exchanges tried between blocks."""


@dataclass(frozen=True)
class Run:
    """Settings that are made together.

    Attributes
    ----------
    rows : tuple of int
        Positions in the table of settings, in the order of their worth.
    hard : dict
        What they share: values of the factors that change over between runs.
    controls : int
        Cells of the control recipe among them.
    """

    rows: tuple[int, ...]
    hard: dict[str, Any]
    controls: int = 0

    def __len__(self) -> int:
        return len(self.rows) + self.controls


def changing(space: Space, *prices: Prices | None) -> list[str]:
    """Factors that change over between runs: the hard ones; without any, those with a price.

    Raises
    ------
    CampaignError
        For a price of a factor that is none, or may differ within a run, or of text upwards.
    """
    told = [(name, price) for given in prices if given for name, price in given.per_factor.items()]
    for name, price in told:
        if name not in space.names:
            raise CampaignError(unknown(name, space.names, "factor of this space"))
        if plots.has_runs(space) and name not in space.hard:
            raise CampaignError(
                f"per_factor has a price for {name}, which may differ within a run; declare it "
                "with hard=True, or leave its price out"
            )
        ways = [w for w in ("up", "down") if isinstance(price, Mapping) and price.get(w)]
        if ways and space.factor(name).kind == "text":
            raise CampaignError(
                f"per_factor[{name!r}][{ways[0]!r}] is a price for each unit, and {name} is text; "
                "give a number for any change of it"
            )
    names = [name for name, _ in told]
    return list(space.hard) if space.hard else [n for n in space.names if n in names]


def checked(space: Space, **prices: Prices | None) -> list[str]:
    """`changing`, of prices by their name; refuses a change-over that would never be charged."""
    factors = changing(space, *prices.values())
    for name, given in prices.items():
        if given is not None and given.change_over and not factors:
            raise CampaignError(
                f"{name}: change_over={given.change_over:g} would never be charged, as no factor "
                "of the space is hard to change; declare one with hard=True, or leave it out"
            )
    return factors


def runs_of(
    space: Space, table: pd.DataFrame, shared: Sequence[str], rises: Sequence[str],
    worth: np.ndarray,
) -> list[Run]:  # fmt: skip
    """Group settings into runs, those of the greatest worth first.

    Settings that share every hard factor go together, `per_run` at most; a setting that is
    repeated goes to a run of its own each time, since a repeat within the run would tell nothing
    of the scatter of runs; factors that may only rise never need to fall within a run.
    """
    if not plots.has_runs(space) and not rises:
        return [Run((k,), _values(table, k, shared)) for k in np.argsort(-worth, kind="stable")]
    hard = table[list(space.hard)].astype(object)
    hard = hard.where(hard.notna(), None)
    keys = list(hard.itertuples(index=False, name=None)) if len(space.hard) else [()] * len(table)
    named = _named(table, keys)
    made: list[list[int]] = []
    limit = space.per_run or len(table)
    same = table[space.names].astype(object)
    same = list(same.where(same.notna(), None).itertuples(index=False, name=None))
    for k in np.argsort(-worth, kind="stable"):
        for run in made:
            fits = len(run) < limit and named[run[0]] == named[k]
            fits = fits and all(same[i] != same[k] for i in run)
            if fits and _chain(table, [*run, int(k)], rises) is not None:
                run.append(int(k))
                break
        else:
            made.append([int(k)])
    return [Run(tuple(run), _values(table, run[0], shared)) for run in made]


def _named(table: pd.DataFrame, keys: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Runs that a campaign has named already stay together and apart from others."""
    if "run" not in table:
        return keys
    return [
        (*key, None if pd.isna(name) else str(name))
        for key, name in zip(keys, table["run"], strict=True)
    ]


def _values(table: pd.DataFrame, k: Any, shared: Sequence[str]) -> dict[str, Any]:
    return {n: table[n].iloc[k] for n in shared}


def _chain(table: pd.DataFrame, rows: list[int], rises: Sequence[str]) -> list[int] | None:
    """Rows in an order in which no factor of `rises` falls; None where there is none."""
    if not rises:
        return rows
    values = table[list(rises)].iloc[rows].to_numpy(dtype=float)
    by = np.lexsort(values.T[::-1])
    if (np.diff(values[by], axis=0) < 0.0).any():
        return None
    return [rows[k] for k in by]


def within(
    table: pd.DataFrame, run: Run, rises: Sequence[str], recipe: Mapping[str, Any] | None,
    rng: np.random.Generator,
) -> list[int]:  # fmt: skip
    """Order of a run's cells, -1 for control: at random, but for what may only rise."""
    mixed = [*run.rows, *[-1] * run.controls]
    mixed = [mixed[k] for k in rng.permutation(len(mixed))]
    if not rises:
        return mixed
    values = [
        [float((recipe or {})[n] if k < 0 else table[n].iloc[k]) for n in rises] for k in mixed
    ]
    by = sorted(range(len(mixed)), key=lambda i: values[i])
    return [mixed[k] for k in by]


def blocks_of(
    table: pd.DataFrame, runs: Sequence[Run], count: int, shared: Sequence[str],
    rng: np.random.Generator,
) -> list[list[Run]]:  # fmt: skip
    """Runs shared out among blocks, so that each has as much of every hard level as the others.

    Starts from a random deal and keeps random exchanges that improve the balance.
    """
    n = len(runs)
    given = rng.permutation(np.arange(n) % count)
    sizes = np.array([len(r) for r in runs], dtype=float)
    columns = [np.ones(n)]
    for name in shared:
        values = pd.Series([r.hard[name] for r in runs])
        if pd.api.types.is_numeric_dtype(values) and values.nunique() > 4:
            codes = np.asarray(pd.qcut(values.rank(method="first"), 4, labels=False))
        else:
            codes = pd.factorize(values)[0]
        columns += [(codes == c).astype(float) for c in range(int(codes.max()) + 1)]
    load = sizes[:, None] * np.stack(columns, axis=1)

    def unbalance(deal: np.ndarray) -> float:
        sums = np.zeros((count, load.shape[1]))
        np.add.at(sums, deal, load)
        return float(((sums - sums.mean(axis=0)) ** 2).sum())

    least = unbalance(given)
    for _ in range(ROUNDS if count > 1 else 0):
        trial = given.copy()
        if rng.random() < 0.5:
            i, j = rng.integers(n, size=2)
            trial[i], trial[j] = trial[j], trial[i]
        else:
            trial[rng.integers(n)] = rng.integers(count)
        value = unbalance(trial)
        if value <= least and len(np.unique(trial)) == min(count, n):
            given, least = trial, value
    return [[r for r, b in zip(runs, given, strict=True) if b == k] for k in range(count)]


def levels_of(
    blocks: Mapping[str, Sequence[Any]], count: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, list[str]]:
    """Levels of the blocking factors of each block, in balance and apart from each other."""
    names = list(blocks)
    chosen, least = [np.zeros(count, dtype=int)] * len(names), np.inf
    for _ in range(200 if len(names) > 1 else 1):
        deal = [rng.permutation(np.arange(count) % len(blocks[n])) for n in names]
        cost = sum(
            int((np.bincount(a * (count + 1) + b) ** 2).sum())
            for i, a in enumerate(deal) for b in deal[i + 1 :]
        )  # fmt: skip
        if cost < least:
            chosen, least = deal, cost
    best = pd.DataFrame(
        {n: [blocks[n][k] for k in deal] for n, deal in zip(names, chosen, strict=True)},
        index=range(count),
    )
    notes = []
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            if ((pd.crosstab(best[a], best[b]) > 0).sum(axis=1) == 1).all():
                notes.append(
                    f"{a} and {b} change together in {count} blocks: their effects cannot be told "
                    "apart; plan more runs, or keep one of them the same"
                )
    return best, notes


def with_control(
    space: Space, block: list[Run], recipe: Mapping[str, Any], shared: Sequence[str],
    cells: int, rng: np.random.Generator,
) -> list[Run]:  # fmt: skip
    """A block with its control cells: in a run of the same hard factors, or in one of its own."""
    used = cells * sum(len(r) for r in block)
    wanted = max(1, round(used / (CONTROL_IN - 1)))
    own = {n: recipe[n] for n in shared}
    limit = space.per_run if plots.has_runs(space) else 1
    limit = limit or used + wanted
    block = list(block)
    if plots.has_runs(space):
        for k in rng.permutation(len(block)):
            room = min(wanted, limit - len(block[k]))
            if room > 0 and block[k].hard == own:
                block[k] = replace(block[k], controls=room)
                wanted -= room
    while wanted > 0:
        block.append(Run((), own, min(limit, wanted)))
        wanted -= min(limit, wanted)
    return block


def check_blocks(blocks: Mapping[str, Sequence[Any]] | None, taken: Sequence[str]) -> None:
    """Blocking factors have two or more levels each, and names that are not in use."""
    if blocks is not None and not isinstance(blocks, Mapping):
        raise CampaignError(f"blocks={blocks!r} is no mapping; write blocks={{'lot': ['A', 'B']}}")
    for name, levels in (blocks or {}).items():
        if name in taken:
            raise CampaignError(f"blocks: {name!r} is a column of the plan already; rename it")
        several = isinstance(levels, Sequence) and not isinstance(levels, str)
        if not several or len(levels) < 2 or len(set(levels)) < len(levels):
            raise CampaignError(
                f"blocks[{name!r}]={levels!r} needs two or more different levels, such as "
                f"{{{name!r}: ['A', 'B']}}"
            )
