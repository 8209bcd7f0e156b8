"""From draws to what a person reads: a ranking, a comparison, a recommended setting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import worth
from .declaration import Declaration
from .errors import CampaignError, percent, probability
from .factors import is_void
from .ranking import Comparison, Ranking, check_level, compare, rank
from .space import Space
from .worth import Worth

if TYPE_CHECKING:
    from .failures import Record
    from .goals import Goals
    from .posterior import Views

CANDIDATES = 1024
LOCAL = 8


def label(setting: pd.Series, space: Space, digits: int = 4) -> str:
    """``"600 rpm, 10 milling_min, 5 bead_mm"``: a setting in words."""
    parts = []
    for factor in space.factors:
        name, value = factor.name, setting[factor.name]
        if is_void(factor, [value])[0]:
            continue
        parts.append(str(value) if isinstance(value, str) else f"{value:.{digits}g} {name}")
    return ", ".join(parts)


@dataclass(frozen=True)
class Merit:
    """What settings are worth to a campaign, fixed in view of those tried."""

    declaration: Declaration
    worth: Worth
    look: Callable[[pd.DataFrame], Views] | None = None

    @classmethod
    def learn(
        cls, declaration: Declaration, tried: Views | None,
        look: Callable[[pd.DataFrame], Views] | None = None,
    ) -> Merit:  # fmt: skip
        """The worth in view of settings tried, or else of some over the space."""
        rng = np.random.default_rng(0)
        if tried is None:
            assert look is not None
            tried = look(declaration.space.sample(64, rng))
        made = worth.worth(declaration.goals, tried.values, tried.sd, rng)
        return cls(declaration, made, look)

    def __call__(self, seen: Views) -> np.ndarray:
        """Draws of the worth, larger is better, ``(draw, setting)``."""
        return self.worth(seen.values, seen.sd)

    def averaged(self, seen: Views) -> np.ndarray:
        """The same over fixed directions, where aims are traded: what readings can tell of."""
        return self.worth.averaged(seen.values, seen.sd)

    def ordered(self, seen: Views) -> np.ndarray:
        """The same for who is the best: what breaks a requirement is behind what keeps all."""
        return self.worth.ordered(seen.values, seen.sd)

    def keeps(self, settings: pd.DataFrame, seen: Views) -> np.ndarray:
        """Which settings keep requirements and uncertain rules as probably as asked, ``(m,)``."""
        good = worth.kept(self.declaration.goals, seen.values)
        space = self.declaration.space
        if space.uncertain:
            good &= space.meets(settings, {n: seen.values[n] for n in space.asks})
        return good

    def expected(self, settings: pd.DataFrame) -> np.ndarray:
        """Expected worth, ``(m,)``; far below all others where a requirement is not kept."""
        assert self.look is not None
        seen = self.look(settings)
        value = self(seen).mean(axis=0)
        goals = self.declaration.goals
        if not goals.require and not self.declaration.space.uncertain:
            return value
        lack = 1.0 - worth.met(goals, seen.values).mean(axis=0)
        return np.where(self.keeps(settings, seen), value, -1e300 * (1.0 + lack))


def ranking(
    settings: pd.DataFrame, seen: Views, declaration: Declaration, level: float,
    went: Record | None = None,
) -> Ranking:  # fmt: skip
    """`rank` with the settings, their readings and their predicted means beside it.

    ``went`` is `failures.record` of the settings, where a process has failed.
    """
    space, goals = declaration.space, declaration.goals
    names = [label(settings.loc[i], space) for i in settings.index]
    merit = Merit.learn(declaration, seen)
    draws, best = (merit.ordered(seen), "largest") if declaration.further else (
        seen.first, _best(declaration))  # fmt: skip
    made = rank(draws, best, range(len(settings)), level)
    order = made.table.index
    described = settings.copy()
    for k, (name, values) in enumerate(seen.values.items()):
        low, high = _interval(values, level)
        end = f"_{name}" if k else ""
        described[f"predicted_mean{end}"] = values.mean(axis=0)
        described[f"predicted_low{end}"], described[f"predicted_high{end}"] = low, high
    described["allowed"] = space.allowed(settings)
    if went is not None:
        described["p_works"] = went.p_works
    for text, p in worth.chances(goals, seen.values).items():
        described[f"P({text})"] = p
    if len(goals.aims) > 1 and not goals.desirable:
        points = np.moveaxis(worth.scores(goals, seen.values, seen.sd), 0, -1)
        described["p_front"] = worth.front(points).mean(axis=0)
    table = pd.concat([described.loc[order], made.table], axis=1).reset_index(drop=True)
    sentence = rank(draws, best, names, level).sentence
    told = [int(made.table["p_best"].to_numpy().argmax())]
    allowed = table["allowed"].to_numpy()
    if not allowed[told[0]] and allowed.any():
        told.append(int(np.where(allowed, table["p_best"].to_numpy(), -1.0).argmax()))
        sentence += (
            f" {names[order[told[0]]]} is outside the space or breaks a rule; the likeliest best "
            f"of those allowed is {names[order[told[1]]]}."
        )
    for at in dict.fromkeys(int(order[k]) for k in told if went is not None):
        if went is not None and (clause := went.said(at)):
            sentence += f" At {names[at]}: {clause}."
    table.attrs["notes"] = list(seen.notes)
    return Ranking(table, sentence, level, list(seen.notes))


def comparison(
    seen: Views, names: list[str], equal_within: float, declaration: Declaration
) -> Comparison:
    """`compare` for the first two settings of the draws.

    With one outcome the difference is in its unit, its sign that of a - b (of a target: of how
    close each is to it); with several it is that of `Goals.measure`, in view of the settings tried,
    which then come behind the two. A setting that breaks a requirement is the worse one.

    Raises
    ------
    CampaignError
        If a margin is given in the unit of one outcome, and there are several.
    """
    goals, best = declaration.goals, _best(declaration)
    if declaration.further is None:
        return compare(seen.first, names[0], names[1], equal_within, best=best, names=names)
    two, tried = seen.part(slice(0, 2)), seen.part(slice(2, None))
    merit = Merit.learn(declaration, tried if tried.first.size else two)
    draws = merit.worth.regardless(two.values, two.sd)
    if goals.single and goals.aims[0].target is None:
        draws = goals.aims[0].sign * draws
    else:
        best = "largest"
    holds = worth.met(goals, two.values) if goals.require else None
    made = compare(
        draws, names[0], names[1], equal_within, best=best, names=names, holds=holds
    )
    if not goals.single:
        goals.check_margin(equal_within, "equal_within")
    said = [f"The difference is that of {what}."] if (what := _differing(goals)) else []
    if goals.require:
        said.append("Where only one keeps every requirement, it is the better one.")
    return replace(made, sentence=" ".join([made.sentence, *said]))


def _differing(goals: Goals) -> str:
    """Of what the difference between two settings is, where it is not that of the outcome."""
    if not goals.single:
        return goals.measure
    aim = goals.aims[0]
    off = f"{goals.robust:g} sd of the next cell" if goals.robust else ""
    if aim.target is not None:
        what = f"how close {aim.outcome} is to {aim.target:g}"
        return what + (f", less {off}" if off else "")
    return f"{aim.outcome} {'less' if aim.kind == 'largest' else 'plus'} {off}" if off else ""


def best_tried(
    settings: pd.DataFrame, seen: Views, declaration: Declaration, level: float,
    went: Record | None = None,
) -> pd.Series:  # fmt: skip
    """The allowed setting with the best expected worth among those tried."""
    allowed = declaration.space.allowed(settings)
    if not allowed.any():
        raise CampaignError(
            "every setting tried is outside the space or breaks a rule: "
            f"{declaration.space.objections(settings)[0]}. Use best(over='space')"
        )
    merit = Merit.learn(declaration, seen)
    gain = merit.ordered(seen)
    chosen, lacking = choice(settings, seen, merit, allowed)
    top = gain[:, allowed].max(axis=1)
    winners = gain[:, allowed] == top[:, None]
    p_best = float(((gain[:, chosen] == top) / winners.sum(axis=1)).mean())
    told = f"to be the best of {int(allowed.sum())} tried"
    row = _recommended(settings, seen, chosen, p_best, "tried", told, declaration, level, went)
    if lacking:
        row.attrs["sentence"] += " No setting tried keeps every requirement as probably as asked."
    return row


def choice(
    settings: pd.DataFrame, seen: Views, merit: Merit, allowed: np.ndarray
) -> tuple[int, bool]:
    """Which of the allowed settings to recommend, and whether all lack what is required."""
    keeps = allowed & merit.keeps(settings, seen)
    lacking = not keeps.any()
    if lacking:  # none keeps what is required: the likeliest to
        chance = worth.met(merit.declaration.goals, seen.values).mean(axis=0)
        keeps = allowed & (chance >= chance[allowed].max() - 1e-9)
    return int(np.argmax(np.where(keeps, merit.averaged(seen).mean(axis=0), -np.inf))), lacking


def best_in_space(
    settings: pd.DataFrame, seen: Views, declaration: Declaration, level: float,
    went: Record | None = None,
) -> pd.Series:  # fmt: skip
    """The first setting, found by `search`, against the tried ones below it."""
    merit = Merit.learn(declaration, seen)
    gain = merit.ordered(seen)
    others = gain[:, 1:]
    p_best = float((gain[:, 0] >= others.max(axis=1)).mean()) if others.size else float("nan")
    told = f"to be at least as good as all {others.shape[1]} tried"
    row = _recommended(settings, seen, 0, p_best, "space", told, declaration, level, went)
    if not merit.keeps(settings, seen)[0]:
        row.attrs["sentence"] += " No setting found keeps every requirement as probably as asked."
    return row


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
    seen: Views,
    chosen: int,
    p_best: float,
    over: str,
    told: str,
    declaration: Declaration,
    level: float,
    went: Record | None,
) -> pd.Series:
    setting = settings.iloc[chosen]
    values: dict[str, Any] = {n: setting[n] for n in declaration.space.names}
    expected = []
    for k, (name, draws) in enumerate(seen.values.items()):
        low, high = _interval(draws[:, [chosen]], level)
        end = f"_{name}" if k else ""
        values |= {
            f"predicted_mean{end}": float(draws[:, chosen].mean()),
            f"predicted_low{end}": float(low[0]),
            f"predicted_high{end}": float(high[0]),
        }
        expected.append(
            f"expected {name} {draws[:, chosen].mean():.4g} ({percent(level)} equal-tailed "
            f"interval of the mean {low[0]:.4g} to {high[0]:.4g})"
        )
    for text, p in worth.chances(declaration.goals, seen.values).items():
        values[f"P({text})"] = float(p[chosen])
        expected.append(f"P({text}) {probability(p[chosen], len(seen.first))}")
    values["p_best"] = p_best
    if went is not None:
        values["p_works"] = float(went.p_works[chosen])
    values["over"] = over
    row = pd.Series(values, name="best", dtype=object)
    row.attrs["sentence"] = (
        f"{label(setting, declaration.space)}: {', '.join(expected)}; "
        f"probability {told} {probability(p_best, len(seen.first))}."
    )
    clause = "" if went is None else went.said(chosen)
    row.attrs["sentence"] += f" There: {clause}." if clause else ""
    row.attrs["notes"] = list(seen.notes)
    return row


def _best(declaration: Declaration) -> str:
    return "largest" if declaration.maximize else "smallest"


def _interval(draws: np.ndarray, level: float) -> np.ndarray:
    check_level(level)
    tail = 100 * (1 - level) / 2
    return np.percentile(draws, [tail, 100 - tail], axis=0)
