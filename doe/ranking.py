"""How sure is a ranking? `rank` many items, `compare` two, from joint posterior draws.

Both work draw by draw, so that what two items share (a mill constant, a batch) cancels. The draws
must be joint: column k of every item comes from the same draw of the parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from .errors import CampaignError, is_number, percent, probability, unknown

LEVEL = 0.9


@dataclass(frozen=True)
class Ranking:
    """A ranking as a table (best first) and as a sentence.

    Attributes
    ----------
    table : DataFrame
        One row an item: ``p_best`` and ``p_top3`` (probabilities; exact ties share), the
        ``expected_rank`` (1 is best), ``rank_lo`` and ``rank_hi`` (equal-tailed interval of the
        rank), ``expected_regret`` (what choosing the item loses on average against the best, in
        the unit of the draws).
    sentence : str
    level : float
        Probability of the interval.
    notes : list of str
        What was assumed of the data behind it, and what cannot be told from them.
    """

    table: pd.DataFrame
    sentence: str
    level: float = LEVEL
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return "\n\n".join([self.table.to_string(), self.sentence, *self.notes])

    def _repr_html_(self) -> str:
        said = "".join(f"<p>{escape(text)}</p>" for text in (self.sentence, *self.notes))
        return self.table.to_html() + said


@dataclass(frozen=True)
class Comparison:
    """Two items compared: probabilities, difference ``a - b`` with its interval, a sentence."""

    a: str
    b: str
    p_better: float
    p_equal: float
    difference: float
    low: float
    high: float
    equal_within: float
    sentence: str
    level: float = LEVEL

    @property
    def table(self) -> pd.DataFrame:
        """One row; ``low`` and ``high`` are the equal-tailed interval at `level`."""
        names = ("a", "b", "p_better", "p_equal", "difference", "low", "high", "equal_within")
        return pd.DataFrame([{name: getattr(self, name) for name in names}])

    def __str__(self) -> str:
        return self.sentence

    def _repr_html_(self) -> str:
        return f"{self.table.to_html(index=False)}<p>{escape(self.sentence)}</p>"


def rank(
    draws: object,
    best: str = "largest",
    names: Iterable[object] | None = None,
    level: float = LEVEL,
) -> Ranking:
    """Rank items by their posterior draws.

    Parameters
    ----------
    draws : DataArray (draw, setting), DataFrame (a column an item), mapping of name to draws
        or array (draw, item)
    best : {"largest", "smallest"}
    names : sequence, optional
        Names of the items in place of their own.
    level : float
        Probability of the equal-tailed interval of the rank.

    Returns
    -------
    Ranking

    Raises
    ------
    CampaignError
        For draws that are not finite or not joint, and for an unknown `best`.

    Examples
    --------
    >>> rank({"hand": [150.0, 152.0], "mill": [160.0, 151.0]}).table["p_best"].tolist()
    [0.5, 0.5]
    """
    values, items = _joint(draws, names)
    _check_options(best, level)
    gain = values if best == "largest" else -values
    lower, upper = _rank_bounds(gain)
    place = (lower + upper) / 2
    top = gain.max(axis=1, keepdims=True)
    winners = gain == top
    tail = 100 * (1 - level) / 2
    # an item tied over places l..u holds each of them with equal probability
    in_top3 = np.clip((np.minimum(upper, 3) - lower + 1) / (upper - lower + 1), 0, 1)
    lo, hi = np.percentile(place, [tail, 100 - tail], axis=0, method="inverted_cdf")
    table = pd.DataFrame(
        {
            "p_best": (winners / winners.sum(axis=1, keepdims=True)).mean(axis=0),
            "p_top3": in_top3.mean(axis=0),
            "expected_rank": place.mean(axis=0),
            "rank_lo": lo,
            "rank_hi": hi,
            "expected_regret": (top - gain).mean(axis=0),
        },
        index=pd.Index(items, name="setting"),
    )
    table = table.sort_values(["expected_rank", "p_best"], ascending=[True, False], kind="stable")
    return Ranking(table, _rank_sentence(table, len(values), level), level)


def compare(
    draws: object,
    a: object,
    b: object,
    equal_within: float = 0.0,
    best: str = "largest",
    names: Iterable[object] | None = None,
    level: float = LEVEL,
    holds: np.ndarray | None = None,
) -> Comparison:
    """Compare two items: is `a` better than `b`, by how much, or are they practically equal?

    Parameters
    ----------
    draws, best, names, level
        As in `rank`.
    a, b : item names
    equal_within : float
        Differences up to this, in the unit of the draws, are practically equal.
    holds : ndarray of bool, shape (draw, item), optional
        Where items keep what is required of them: one that does is better than one that does not,
        whatever the difference, and not equal to it.

    Returns
    -------
    Comparison
        ``p_better`` is P(a better than b), an exact tie counting half; ``p_equal`` is
        P(|a - b| <= equal_within); ``difference`` the median of a - b.

    Raises
    ------
    CampaignError
        If an item is unknown or the margin is negative.
    """
    values, items = _joint(draws, names)
    _check_options(best, level)
    if not (is_number(equal_within) and np.isfinite(equal_within) and equal_within >= 0):
        raise CampaignError(f"equal_within={equal_within!r} must be a number of 0 or more")
    for item in (a, b):
        if item not in items:
            raise CampaignError(unknown(item, items, "item of these draws"))
    difference = values[:, items.index(a)] - values[:, items.index(b)]
    gain = difference if best == "largest" else -difference
    alike = np.abs(difference) <= equal_within
    if holds is not None:
        one, other = holds[:, items.index(a)], holds[:, items.index(b)]
        gain = np.where(one == other, gain, np.where(one, np.inf, -np.inf))
        alike &= one == other
    p_better = float(np.mean(gain > 0) + np.mean(gain == 0) / 2)
    p_equal = float(np.mean(alike))
    tail = 100 * (1 - level) / 2
    low, middle, high = np.percentile(difference, [tail, 50, 100 - tail])
    sentence = (
        f"{a} is better than {b} with probability {probability(p_better, len(values))}; "
        f"the difference is {middle:.3g} ({percent(level)} equal-tailed interval {low:.3g} to "
        f"{high:.3g})"
    )
    if equal_within:
        sentence += (
            f"; they are equal within {equal_within:g} with probability "
            f"{probability(p_equal, len(values))}"
        )
    return Comparison(
        str(a), str(b), p_better, p_equal, float(middle), float(low), float(high),
        float(equal_within), sentence + ".", level,
    )  # fmt: skip


def _joint(draws: object, names: Iterable[object] | None) -> tuple[np.ndarray, list[Any]]:
    """Draws as an array (draw, item) with item names."""
    items: list[Any] | None = None
    if hasattr(draws, "dims"):
        array: Any = draws
        if "draw" not in array.dims or array.ndim != 2:
            raise CampaignError(f"draws have dims {array.dims}; they need draw and one more")
        other = next(d for d in array.dims if d != "draw")
        values = array.transpose("draw", other).to_numpy()
        items = [v.item() if hasattr(v, "item") else v for v in array[other].to_numpy()]
    elif isinstance(draws, pd.DataFrame):
        values, items = draws.to_numpy(), list(draws.columns)
    elif isinstance(draws, Mapping):
        lengths = {str(k): np.size(v) for k, v in draws.items()}
        if len(set(lengths.values())) > 1:
            raise CampaignError(f"draws are not joint: lengths {lengths}; give equal numbers")
        items = list(draws)
        values = np.stack([np.ravel(np.asarray(v)) for v in draws.values()], axis=1)
    else:
        values = np.asarray(draws)
    try:
        values = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise CampaignError("draws hold something that is no number") from None
    if values.ndim != 2 or not values.size:
        raise CampaignError(f"draws have shape {values.shape}; they need (draw, item)")
    items = list(names) if names is not None else items or list(range(values.shape[1]))
    if len(items) != values.shape[1]:
        raise CampaignError(f"{len(items)} names for {values.shape[1]} items; give one each")
    if len(set(items)) != len(items):
        items = [f"{item} ({i})" for i, item in enumerate(items)]
    bad = ~np.isfinite(values).all(axis=0)
    if bad.any():
        raise CampaignError(
            f"draws of {items[int(np.argmax(bad))]} are not all finite; leave that item out"
        )
    return values, items


def _check_options(best: str, level: float) -> None:
    if best not in ("largest", "smallest"):
        raise CampaignError(unknown(best, ("largest", "smallest"), "value of best"))
    check_level(level)


def check_level(level: float) -> None:
    """Refuse a probability that an interval cannot have."""
    if not (is_number(level) and 0 < level < 1):
        raise CampaignError(f"level={level!r} must lie between 0 and 1, such as 0.9")


def _rank_bounds(gain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and last place (1 is best) that each item may take in each draw; ties span places."""
    ordered = np.sort(-gain, axis=1)
    first = np.empty(gain.shape, dtype=float)
    last = np.empty(gain.shape, dtype=float)
    for row, (values, placed) in enumerate(zip(-gain, ordered, strict=True)):
        first[row] = np.searchsorted(placed, values, side="left") + 1
        last[row] = np.searchsorted(placed, values, side="right")
    return first, last


def _rank_sentence(table: pd.DataFrame, n: int, level: float) -> str:
    leader = table["p_best"].idxmax()
    row = table.loc[leader]
    text = f"{leader} is best with probability {probability(row['p_best'], n)}"
    if len(table) > 1:
        second = table["p_best"].drop(leader).idxmax()
        text += (
            f", {second} with {probability(table.loc[second, 'p_best'], n)}; the rank of the "
            f"first is {row['rank_lo']:g} to {row['rank_hi']:g} of {len(table)} "
            f"({percent(level)} equal-tailed interval), and choosing it loses "
            f"{row['expected_regret']:.2g} on average against the best"
        )
    return text + "."
