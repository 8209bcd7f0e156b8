"""Which coating is best, and how sure is that? Rankings by k, by R_end, and by both.

    evidence = coatings.assumed(table, sd_ln=0.2)        # printed values, an assumed noise
    evidence = coatings.from_fit(models.get("interphase").fit(table))
    coatings.side_by_side(evidence).table

Coatings are compared on the scale of ln, small is good, draw by draw. Every answer ends with where
its noise comes from. Early capacity is no quantity to rank by. What would hold for another noise
(``under_noise``, ``break_even``) treats the coatings as independent normals and is computed by
quadrature, not from the draws.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from . import ranking
from .coating_evidence import BOTH, WEIGHTS, Evidence, assumed, from_fit, printed, score
from .coating_noise import BreakEven, break_even, under_noise
from .coating_results import Answer
from .errors import CampaignError, percent, probability
from .next_cell import one_more_cell
from .ranking import LEVEL, Ranking

__all__ = [
    "WEIGHTS", "Answer", "BreakEven", "Evidence", "Order", "Shortlist", "Ties", "assumed",
    "break_even", "from_fit", "one_more_cell", "order", "printed", "rank", "shortlist",
    "side_by_side", "ties", "under_noise",
]  # fmt: skip

TOLD_APART = 0.95
"""Probability from which one coating is said to be better than another, or equal to it."""


@dataclass(frozen=True)
class Order(Answer):
    """The posterior over the order of the coatings.

    Attributes
    ----------
    table
        The most probable complete orders, best first, with their probabilities.
    places
        P(coating takes place), index coating, columns 1, 2, ...
    """

    places: pd.DataFrame


@dataclass(frozen=True)
class Ties(Answer):
    """Pairs of coatings, and the order with its ties.

    Attributes
    ----------
    table
        One row a pair (``a`` has the better expected rank): ``p_better``, ``p_equal``, the ratio
        a / b with its interval, and the ``verdict``.
    order
        Neighbours in the order of the expected rank: ``<`` told apart, ``=`` practically equal,
        ``~`` not told apart.
    """

    order: str


@dataclass(frozen=True)
class Shortlist(Answer):
    """The fewest coatings that hold the truly best one with a stated probability.

    Attributes
    ----------
    members
        The coatings, most probable first.
    probability
        That the truly best is among them.
    """

    members: list[str]
    probability: float


def rank(
    evidence: Evidence, by: str = BOTH, *, weights: Mapping[str, float] | None = None,
    level: float = LEVEL,
) -> Ranking:
    """Rank coatings; ``expected_regret`` is in ln, about a relative loss.

    Parameters
    ----------
    evidence
        See `assumed` and `from_fit`.
    by
        ``"growth"``, ``"end_resistance"`` or ``"both"``.
    weights
        For ``"both"``: weights of ln k and ln R_end by quantity; half and half if not given.
    level
        Of the equal-tailed interval of the rank.
    """
    what = score(evidence, by, weights)
    made = ranking.rank(what.draws, best="smallest", level=level)
    return Ranking(made.table.rename_axis("coating"),
                   f"By {what.name}: {made.sentence} {evidence.basis}", level)


def order(
    evidence: Evidence, by: str = BOTH, *, weights: Mapping[str, float] | None = None,
    top: int = 5,
) -> Order:
    """How probable is each complete order of the coatings?

    Parameters
    ----------
    evidence, by, weights
        As in `rank`.
    top
        How many orders the table holds.
    """
    what = score(evidence, by, weights)
    names = np.array(what.draws.columns)
    placed = np.argsort(what.draws.to_numpy(), axis=1, kind="stable")
    orders, count = np.unique(placed, axis=0, return_counts=True)
    n = len(placed)
    first = np.argsort(-count, kind="stable")
    table = pd.DataFrame({
        "order": [" < ".join(names[orders[k]]) for k in first[:top]],
        "probability": count[first[:top]] / n})
    share = np.stack([(placed == k).mean(axis=0) for k in range(len(names))])
    places = pd.DataFrame(share, index=pd.Index(names, name="coating"),
                          columns=pd.RangeIndex(1, len(names) + 1, name="place"))
    places = places.iloc[np.argsort(share @ np.arange(len(names)), kind="stable")]
    half = int(np.searchsorted(np.cumsum(count[first]) / n, 0.5)) + 1
    sentence = (
        f"By {what.name} the most probable order is {table['order'].iloc[0]} with probability "
        f"{probability(float(table['probability'].iloc[0]), n)}; half of the probability "
        f"is spread over {half} order{'s' if half > 1 else ''}. {evidence.basis}")
    return Order(table, sentence, places)


def side_by_side(
    evidence: Evidence, *, weights: Mapping[str, float] | None = None
) -> Answer:
    """The rankings by k, by R_end and by both beside each other.

    Returns
    -------
    Answer
        Index coating; ``p_best`` and ``expected_rank`` under each quantity, the one by both named
        with its weights.

    Raises
    ------
    CampaignError
        If there is no quantity to rank by.
    """
    tables, leaders = {}, []
    if not evidence.quantities:
        raise CampaignError(
            "no coating has a reading to rank by: series of growth_ohm_cm2_sqrth or of "
            "resistance_ohm_cm2 in the hold, or resistance_ohm_cm2 at rest after it"
        )
    for by in evidence.quantities:
        what = score(evidence, by, weights)
        made: Any = ranking.rank(what.draws, best="smallest")
        tables[what.name] = made.table[["p_best", "expected_rank"]]
        leader = made.table["p_best"].idxmax()
        p = probability(float(made.table["p_best"].max()), len(what.draws))
        leaders.append((what.name, leader, p))
    table: Any = pd.concat(tables, axis=1).rename_axis("coating")
    table = table.iloc[np.argsort(table.xs("expected_rank", axis=1, level=1).mean(axis=1),
                                  kind="stable")]
    said = "; ".join(f"by {name} {leader} leads with probability {p}"
                     for name, leader, p in leaders)
    if len({leader for _, leader, _ in leaders}) > 1:
        said += "; which one leads depends on what is ranked"
    return Answer(table, f"{said[0].upper()}{said[1:]}. {evidence.basis}")


def ties(
    evidence: Evidence, by: str = BOTH, *, weights: Mapping[str, float] | None = None,
    equal_within: float = 0.1, told_apart: float = TOLD_APART, level: float = LEVEL,
) -> Ties:
    """Which coatings are told apart, which are practically equal, and which are neither?

    Parameters
    ----------
    evidence, by, weights
        As in `rank`.
    equal_within
        Ratios within this of one are practically equal (0.1: from 1 / 1.1 to 1.1).
    told_apart
        Probability from which a pair is said to be told apart, or practically equal.
    level
        Of the equal-tailed interval of the ratio.

    Raises
    ------
    CampaignError
        If ``told_apart`` does not lie between 0.5 and 1, or the margin is negative.
    """
    if not 0.5 < told_apart < 1:
        raise CampaignError(f"told_apart={told_apart} must lie between 0.5 and 1, such as 0.95")
    what = score(evidence, by, weights)
    names = list(ranking.rank(what.draws, best="smallest").table.index)
    if not (np.isfinite(equal_within) and equal_within >= 0):
        raise CampaignError(f"equal_within={equal_within} must be 0 or more, such as 0.1")
    margin = float(np.log1p(equal_within))
    rows = []
    for k, a in enumerate(names):
        for b in names[k + 1:]:
            pair = ranking.compare(what.draws, a, b, equal_within=margin, best="smallest",
                                   level=level)
            verdict = ("told apart" if pair.p_better >= told_apart else
                       "practically equal" if pair.p_equal >= told_apart else "not told apart")
            low, middle, high = np.exp([pair.low, pair.difference, pair.high])
            rows.append({
                "a": a, "b": b, "p_better": pair.p_better, "p_equal": pair.p_equal,
                "ratio": middle, f"low ({percent(level)} equal-tailed)": low,
                f"high ({percent(level)} equal-tailed)": high, "verdict": verdict})
    table = pd.DataFrame(rows)
    verdicts = {(r["a"], r["b"]): r["verdict"] for r in rows}
    sign = {"told apart": "<", "practically equal": "=", "not told apart": "~"}
    text = names[0] + "".join(f" {sign[verdicts[a, b]]} {b}" for a, b in pairwise(names))
    tied = [f"{a} and {b} ({r['p_better']:.2f})" for r in rows
            for a, b in [(r["a"], r["b"])] if r["verdict"] == "not told apart"]
    equal = [f"{r['a']} and {r['b']}" for r in rows if r["verdict"] == "practically equal"]
    said = f"By {what.name}: {text} (between neighbours: < told apart with at least "
    said += f"{percent(told_apart)}, = equal within {percent(equal_within)}, ~ neither)."
    if tied:
        said += f" Ties, with the probability that the first is better: {', '.join(tied)}."
    if equal:
        said += f" Practically equal: {', '.join(equal)}."
    return Ties(table, f"{said} {evidence.basis}", text)


def shortlist(
    evidence: Evidence, by: str = BOTH, *, weights: Mapping[str, float] | None = None,
    confidence: float = 0.95, keep: Iterable[str] = (),
) -> Shortlist:
    """The fewest coatings for longer tests that hold the truly best one.

    Parameters
    ----------
    evidence, by, weights
        As in `rank`.
    confidence
        Probability that the best is on the list; the list is the shortest that reaches it.
    keep
        Coatings that are on the list in any case.

    Raises
    ------
    CampaignError
        If the confidence does not lie between 0 and 1, or ``keep`` names an unknown coating.
    """
    if not 0 < confidence < 1:
        raise CampaignError(f"confidence={confidence} must lie between 0 and 1, such as 0.95")
    what = score(evidence, by, weights)
    ranked: Any = ranking.rank(what.draws, best="smallest").table
    chance = ranked["p_best"].sort_values(ascending=False, kind="stable")
    kept = list(dict.fromkeys(keep))
    if unknown := [name for name in kept if name not in chance.index]:
        raise CampaignError(f"keep: {unknown[0]!r} is no coating of this evidence; it has: "
                            f"{', '.join(map(str, chance.index))}")
    members: list[Any] = list(kept)
    for name in chance.index:
        if float(chance[members].sum()) >= confidence:
            break
        if name not in members:
            members.append(name)
    members.sort(key=lambda name: -chance[name])
    p = float(chance[members].sum())
    table = pd.DataFrame({"p_best": chance, "on_the_list": chance.index.isin(members)})
    sentence = (
        f"By {what.name} the truly best coating is among {', '.join(members)} with probability "
        f"{probability(p, len(what.draws))}; each still needs cells of independent "
        f"batches and a long test. {evidence.basis}")
    return Shortlist(table.rename_axis("coating"), sentence, members, p)

