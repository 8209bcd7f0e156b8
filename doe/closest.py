"""The nearest feasible setting, and what to say where there is none.

Rules are free-form, so that both are searches: from many feasible settings downhill in distance,
and in violation.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import conditional, scales, search, space_words
from . import factors as fac
from .errors import SpaceError
from .mixture import Mixture

if TYPE_CHECKING:
    from .space import Space

KEPT = 12
SHRINKING = np.geomspace(0.2, 1e-5, 30)
SHOWN = 4


def nearest(space: Space, settings: pd.DataFrame) -> pd.DataFrame:
    """The nearest feasible setting to each row; see `Space.nearest`."""
    legal = space.snap(settings)
    good = space.feasible(legal)
    found = legal.copy()
    for row in np.flatnonzero(~good):
        wanted = legal.iloc[[row]].reset_index(drop=True)
        near = _near(space, wanted, settings.iloc[[row]])
        for name in space.names:
            column = found[name].to_numpy(copy=True)
            column[row] = near[name].iloc[0]
            found[name] = column
    said = []
    for (label, old), (_, new) in zip(settings.iterrows(), found.iterrows(), strict=True):
        told = space_words.changes(space, old, new)
        said.append(f"row {label}: {told or 'feasible as it is'}")
    found.attrs["moved"] = said
    return found


def _near(space: Space, legal: pd.DataFrame, wanted: pd.DataFrame) -> pd.DataFrame:
    """Search for one setting: along lines to it, factor by factor, and at random."""
    rng = np.random.default_rng(0)
    goal = space.encode(wanted, features=False)

    def distance(table: pd.DataFrame) -> np.ndarray:
        return np.linalg.norm(space.encode(table, features=False) - goal, axis=1)

    pool: Any = search.sample(space, 1024, rng)
    close = search.neighbours(space, legal, rng, 256, 0.1)
    pool = pd.concat([pool, close], ignore_index=True) if len(close) else pool
    for scale in SHRINKING:
        best = pool.iloc[np.argsort(distance(pool), kind="stable")[:KEPT]]
        best = best.reset_index(drop=True)
        many = best.loc[best.index.repeat(24)].reset_index(drop=True)
        tried = [_towards(space, best, legal, rng), search.step(space, many, rng, scale)]
        fresh = pd.concat(tried, ignore_index=True)
        pool = pd.concat([best, fresh[space.feasible(fresh)]], ignore_index=True)
    pool = pool.iloc[np.argsort(distance(pool), kind="stable")[:1]].reset_index(drop=True)
    rounded = pool.assign(
        **{
            f.name: [float(f"{v:.6g}") for v in pool[f.name]]
            for f in space.factors
            if f.kind == "number" and f.levels is None and not _mixed(space, f.name)
        }
    )
    return rounded if space.feasible(rounded)[0] else pool


def _mixed(space: Space, name: str) -> bool:
    return any(name in m.parts for m in space.mixtures)


def _towards(
    space: Space, best: pd.DataFrame, goal: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    """Settings between the best and the goal: all factors part of the way, or one all the way."""
    made = []
    for share in (*rng.uniform(0, 1, 4), 0.5, 0.05, 0.01):
        between = {}
        for f in space.factors:
            a, b = best[f.name].to_numpy(), np.repeat(goal[f.name].to_numpy(), len(best))
            if f.kind == "text" or fac.is_void(f, a).any() or fac.is_void(f, b).any():
                between[f.name] = a
            elif _mixed(space, f.name):
                between[f.name] = a + share * (b - a)
            else:
                at = scales.place(f, a.astype(float))
                to = scales.place(f, b.astype(float))
                between[f.name] = scales.number(f, at + share * (to - at))
        made.append(pd.DataFrame(between))
    for block in space.blocks:
        names = block.names if isinstance(block, Mixture) else [block.name]
        made.append(best.assign(**{n: goal[n].iloc[0] for n in names}))
    return space.snap(conditional.settle(space, pd.concat(made, ignore_index=True)))


def nothing(space: Space) -> SpaceError:
    """That nothing is feasible: which rules clash, and what breaks as little of them as possible.

    The clash is the smallest set found by leaving out one rule after the other (a deletion
    filter); the setting keeps every other rule.
    """
    every = list(range(len(space.rules)))
    clash = _clash(space, every)
    names = " with ".join(str(space.rules[r]) for r in clash)
    verb = "clash" if len(clash) > 1 else "leaves nothing"
    used = dict.fromkeys(n for r in clash for n in space.rules[r].names if n in space.names)
    bounds = ", ".join(f"{n} in {space_words.extent(space.factor(n))}" for n in list(used)[:SHOWN])
    within = f" ({bounds})" if bounds else ""
    hint = ""
    if any(space.rules[r].exact for r in clash):
        hint = "; a number is rarely hit exactly: write abs(a - b) <= tolerance for =="
    dropped, setting, gaps = _least(space, every, clash)
    told = ""
    if setting is not None and not any(gaps):
        told = f". Single settings keep it, such as {space_words.setting(space, setting)}"
    elif setting is not None:
        broken = " and ".join(
            f"{space.rules[r]} (by {gap:.3g})" for r, gap in zip(dropped, gaps, strict=True)
        )
        told = f". Nearest: {space_words.setting(space, setting)} breaks only {broken}"
    searched = "" if space.grid() is not None else ", as far as a search finds"
    problem = SpaceError(
        f"no setting is feasible{searched}: {names} {verb}{within}. "
        f"Widen a bound or a rule{hint}{told}"
    )
    problem.clash = [space.rules[r].text for r in clash]
    problem.nearest = None if setting is None else dict(setting)
    return problem


def _clash(space: Space, rules: list[int]) -> list[int]:
    """The smallest set of rules found that leaves nothing."""
    clash = list(rules)
    for rule in rules:
        fewer = [r for r in clash if r != rule]
        if fewer and not possible(space, fewer):
            clash = fewer
    return clash


def _least(
    space: Space, rules: list[int], clash: list[int]
) -> tuple[list[int], pd.Series | None, list[float]]:
    """Rules to drop, as few as found, and the setting that breaks them least, with the gaps."""
    dropped: list[int] = []
    while True:
        best: tuple[float, int, pd.Series, list[float]] | None = None
        for rule in clash:
            kept = [r for r in rules if r not in dropped and r != rule]
            if kept and not possible(space, kept):
                continue
            setting, gaps = _smallest(space, kept, [*dropped, rule])
            if setting is not None and (best is None or sum(gaps) < best[0]):
                best = (sum(gaps), rule, setting, gaps)
        if best is not None:
            order = [*dropped, best[1]]
            raw = space.violation(pd.DataFrame([best[2]]))[0]
            return order, best[2], [float(raw[r]) for r in order]
        dropped.append(clash[0])
        left = [r for r in rules if r not in dropped]
        if not left:
            return dropped, None, []
        clash = _clash(space, left)


def _smallest(
    space: Space, kept: list[int], dropped: list[int]
) -> tuple[pd.Series | None, list[float]]:
    """The setting that keeps some rules and breaks others least, in units of their usual gaps."""
    part, rng = _under(space, kept), np.random.default_rng(0)
    try:
        table = search.sample(part, 512, rng)
    except SpaceError:
        return None, []
    unit = np.array([search.usual(g) for g in space.violation(table)[:, dropped].T])

    def broken(table: pd.DataFrame) -> np.ndarray:
        return np.nan_to_num(space.violation(table)[:, dropped] / unit, posinf=1e300).sum(axis=1)

    table = table.iloc[np.argsort(broken(table), kind="stable")[:64]].reset_index(drop=True)
    worth = broken(table)
    for scale in np.geomspace(0.3, 1e-5, 60):
        moved = search.step(part, table, rng, scale)
        new = np.where(part.feasible(moved), broken(moved), np.inf)
        better = new < worth
        table = moved.where(pd.Series(better), table)
        worth = np.where(better, new, worth)
    setting: Any = search.tidy(part, table.iloc[[int(worth.argmin())]]).iloc[0]
    gaps = space.violation(pd.DataFrame([setting]))[0, dropped] / unit
    return setting, gaps.tolist()


def possible(space: Space, chosen: list[int]) -> bool:
    """Whether anything is found that keeps some of the rules."""
    part = _under(space, chosen)
    rng = np.random.default_rng(0)
    table = space.from_unit(rng.random((16_384, len(space.factors))))
    if part.feasible(table).any():
        return True
    every = part.grid()
    return bool(len(every)) if every is not None else search.descend(part, rng) is not None


def _under(space: Space, chosen: list[int]) -> Space:
    part = copy.copy(space)
    part.rules = [space.rules[r] for r in chosen]
    return part
