"""Hard-to-change factors: settings of one run share them (whole plot) and differ in the others.

One run of a mixer at one speed and composition gives samples after 5, 10, 30 and 60 minutes: four
settings for the price of one. `Space.per_run` says how many settings a run takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import conditional, search

if TYPE_CHECKING:
    from .space import Space

SAMPLED = {"milling_min": "rpm", "anneal_h": "anneal_degC"}
"""Times of a process, and what a run of it is set to."""


def has_runs(space: Space) -> bool:
    """Whether settings can share a run: something is hard to change, and not everything."""
    return 0 < len(space.hard) < len(space.factors)


def rising(space: Space) -> list[str]:
    """The time at which samples are taken of a run, where nothing else differs within one.

    A mixer that runs on gives its samples in rising time only. Where other factors differ too, the
    settings of a run are charges of their own.
    """
    easy = [n for n in space.names if n not in space.hard]
    return easy if len(easy) == 1 and SAMPLED.get(easy[0]) in space.hard else []


def size(space: Space, n: int) -> int:
    """How many of `n` settings go into one run: one where nothing, or everything, is hard."""
    if not has_runs(space):
        return 1
    return n if space.per_run is None else min(n, space.per_run)


def same_run(space: Space, table: Any, setting: Any) -> np.ndarray:
    """Which settings share every hard factor with one setting, shape (n,)."""
    same = np.ones(len(table), dtype=bool)
    for name in space.hard:
        same &= (table[name] == setting[name]).to_numpy()
    return same


def siblings(space: Space, setting: Any, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Up to `n` distinct feasible settings of the same run, the easy factors at random."""
    table: Any = space.from_unit(rng.random((4 * n, len(space.factors))))
    for name in space.hard:
        table[name] = setting[name]
    table = search.tidy(space, conditional.settle(space, table))
    table = table[space.feasible(table) & same_run(space, table, setting)]
    return table.drop_duplicates().head(n).reset_index(drop=True)


def share(
    space: Space, settings: pd.DataFrame, rng: np.random.Generator, runs: int | None = None
) -> pd.DataFrame:
    """Settings put together into runs, whose hard factors are those of some of the settings: of
    the first, and then of the one that is farthest in them from all runs so far.

    A setting that breaks a rule there, or is hardly another one, gets other easy factors, far from
    those of its run; where there are none, it begins a run of its own. Runs are as large as
    `size` says, or so many that are alike in size.
    """
    sizes = [size(space, len(settings))]
    if runs is not None and len(settings):
        runs = min(runs, len(settings))
        sizes = np.bincount(np.arange(len(settings)) * runs // len(settings)).tolist()
    if max(sizes) == 1:
        return settings
    begun = 0
    waiting: list[dict[Any, Any]] = settings.to_dict("records")
    made: list[dict[Any, Any]] = []
    while waiting:
        run = [waiting.pop(_farthest(space, waiting, made))]
        many = sizes[min(begun, len(sizes) - 1)]
        begun += 1
        others = siblings(space, run[0], 64, rng)
        # the last ones join the first, so that runs begin where the settings began
        while waiting and len(run) < many:
            joined = {**waiting[-1], **{n: run[0][n] for n in space.hard}}
            moved = conditional.settle(space, pd.DataFrame([joined]))
            here: dict[Any, Any] | None = moved.to_dict("records")[0]
            if _gaps(space, moved, run)[0] < 0.5 / many or not space.feasible(moved)[0]:
                here = _apart(space, others, run)
            if here is None:
                break
            waiting.pop()
            run.append(here)
        made += run
    table = pd.DataFrame(made, columns=settings.columns)
    return table.astype({n: settings[n].dtype for n in settings.columns})


def _farthest(
    space: Space, waiting: list[dict[Any, Any]], made: list[dict[Any, Any]]
) -> int:
    """Which setting is to begin a run: its hard factors are farthest from those in use."""
    if not made:
        return 0
    first = pd.DataFrame(waiting)
    here = pd.DataFrame(made)[space.hard].drop_duplicates()
    used = first.iloc[[0] * len(here)].assign(**{n: here[n].to_numpy() for n in space.hard})
    alike = first.assign(**{n: first[n].iloc[0] for n in space.names if n not in space.hard})
    return int(_gaps(space, alike, used.to_dict("records")).argmax())


def _apart(
    space: Space, candidates: pd.DataFrame, run: list[dict[Any, Any]]
) -> dict[Any, Any] | None:
    """The candidate farthest from the settings of a run; None where it holds them all."""
    if not len(candidates):
        return None
    nearest = _gaps(space, candidates, run)
    best = int(nearest.argmax())
    return candidates.to_dict("records")[best] if nearest[best] > 0.0 else None


def _gaps(space: Space, settings: pd.DataFrame, run: list[dict[Any, Any]]) -> np.ndarray:
    """Encoded distance of each setting to the nearest of a run, shape (n,)."""
    gaps = space.encode(settings)[:, None] - space.encode(pd.DataFrame(run))[None]
    return np.linalg.norm(gaps, axis=-1).min(axis=1)


def companions(space: Space, settings: pd.DataFrame) -> list[int | None]:
    """For each setting, the first earlier one of its run; None for one that begins a run."""
    if size(space, len(settings)) == 1:
        return [None] * len(settings)
    found: list[int | None] = []
    begun: dict[tuple[Any, ...], tuple[int, int]] = {}
    limit = size(space, len(settings))
    for i, key in enumerate(settings[space.hard].itertuples(index=False, name=None)):
        first, count = begun.get(key, (i, limit))
        found.append(first if count < limit else None)
        begun[key] = (first, count + 1) if count < limit else (i, 1)
    return found
