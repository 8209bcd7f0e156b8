"""From draws to what a person reads: a ranking, a comparison, a recommended setting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from .declaration import Declaration
from .errors import CampaignError
from .factors import is_void
from .ranking import Comparison, Ranking, compare, rank
from .space import Space

CANDIDATES = 1024
LOCAL = 8


def label(setting: pd.Series, space: Space) -> str:
    """``"600 rpm, 10 milling_min, 5 bead_mm"``: a setting in words."""
    parts = []
    for factor in space.factors:
        name, value = factor.name, setting[factor.name]
        if is_void(factor, [value])[0]:
            continue
        parts.append(str(value) if isinstance(value, str) else f"{value:.4g} {name}")
    return ", ".join(parts)


def ranking(
    settings: pd.DataFrame, draws: np.ndarray, declaration: Declaration, level: float
) -> Ranking:
    """`rank` with the settings, their readings and their predicted means beside it."""
    space = declaration.space
    names = [label(settings.loc[i], space) for i in settings.index]
    made = rank(draws, _best(declaration), range(len(settings)), level)
    order = made.table.index
    described = settings.copy()
    low, high = _interval(draws, level)
    described["predicted_mean"] = draws.mean(axis=0)
    described["predicted_low"], described["predicted_high"] = low, high
    described["allowed"] = space.allowed(settings)
    table = pd.concat([described.loc[order], made.table], axis=1).reset_index(drop=True)
    sentence = rank(draws, _best(declaration), names, level).sentence
    return Ranking(table, sentence, level)


def comparison(
    draws: np.ndarray, names: list[str], equal_within: float, declaration: Declaration
) -> Comparison:
    """`compare` for the first two settings of the draws."""
    if names[0] == names[1]:
        raise CampaignError(f"{names[0]} would be compared with itself; name two settings")
    return compare(draws, names[0], names[1], equal_within, best=_best(declaration), names=names)


def best_tried(
    settings: pd.DataFrame, draws: np.ndarray, declaration: Declaration, level: float
) -> pd.Series:
    """The allowed setting with the best expected mean among those tried."""
    allowed = declaration.space.allowed(settings)
    if not allowed.any():
        raise CampaignError(
            "every setting tried is outside the space or breaks a rule: "
            f"{declaration.space.objections(settings)[0]}. Use best(over='space')"
        )
    gain = _gain(draws, declaration)
    chosen = int(np.argmax(np.where(allowed, gain.mean(axis=0), -np.inf)))
    top = gain[:, allowed].max(axis=1)
    winners = gain[:, allowed] == top[:, None]
    p_best = float(((gain[:, chosen] == top) / winners.sum(axis=1)).mean())
    told = f"to be the best of {int(allowed.sum())} tried"
    return _recommended(settings, draws, chosen, p_best, "tried", told, declaration, level)


def best_in_space(
    settings: pd.DataFrame, draws: np.ndarray, declaration: Declaration, level: float
) -> pd.Series:
    """The first setting, found by `search`, against the tried ones below it."""
    gain = _gain(draws, declaration)
    others = gain[:, 1:]
    p_best = float((gain[:, 0] >= others.max(axis=1)).mean()) if others.size else float("nan")
    told = f"to be at least as good as all {others.shape[1]} tried"
    return _recommended(settings, draws, 0, p_best, "space", told, declaration, level)


def search(
    space: Space,
    tried: pd.DataFrame,
    means: Callable[[pd.DataFrame], np.ndarray],
    maximize: bool,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """The feasible setting with the best expected mean: many at random, then near the best.

    Parameters
    ----------
    means : callable
        Expected mean, shape (n,), of n settings.
    """
    legal = tried[space.feasible(tried)] if len(tried) else tried
    parts = [space.sample(CANDIDATES, rng), *([legal] if len(legal) else [])]
    best = pd.DataFrame(columns=space.names)
    value = np.empty(0)
    for scale in (0.1, 0.03, 0.01):
        fresh = pd.concat(parts, ignore_index=True)
        found = means(fresh) * (1 if maximize else -1)
        pool = pd.concat([best, fresh], ignore_index=True) if len(best) else fresh
        value = np.concatenate([value, found])
        top = np.argsort(-value, kind="stable")[:LOCAL]
        best, value = pool.iloc[top].reset_index(drop=True), value[top]
        parts = [space.neighbours(best, rng, CANDIDATES // (2 * LOCAL), scale)]
        if not len(parts[0]):
            break
    return best.head(1)


def _recommended(
    settings: pd.DataFrame,
    draws: np.ndarray,
    chosen: int,
    p_best: float,
    over: str,
    told: str,
    declaration: Declaration,
    level: float,
) -> pd.Series:
    setting = settings.iloc[chosen]
    low, high = _interval(draws[:, [chosen]], level)
    values: dict[str, Any] = {n: setting[n] for n in declaration.space.names}
    values |= {
        "predicted_mean": float(draws[:, chosen].mean()),
        "predicted_low": float(low[0]),
        "predicted_high": float(high[0]),
        "p_best": p_best,
        "over": over,
    }
    row = pd.Series(values, name="best", dtype=object)
    row.attrs["sentence"] = (
        f"{label(setting, declaration.space)}: expected {declaration.objective} "
        f"{values['predicted_mean']:.4g} ({level:.0%} equal-tailed interval of the mean "
        f"{low[0]:.4g} to {high[0]:.4g}); probability {told} {p_best:.2f}."
    )
    return row


def _best(declaration: Declaration) -> str:
    return "largest" if declaration.maximize else "smallest"


def _gain(draws: np.ndarray, declaration: Declaration) -> np.ndarray:
    return draws if declaration.maximize else -draws


def _interval(draws: np.ndarray, level: float) -> np.ndarray:
    tail = 100 * (1 - level) / 2
    return np.percentile(draws, [tail, 100 - tail], axis=0)
