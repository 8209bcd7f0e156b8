"""What would hold for another noise, and at which noise a verdict about coatings flips."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .coating_evidence import BOTH, Evidence, Score, score
from .coating_results import Answer
from .errors import CampaignError, percent, unknown

AT = (0.1, 0.2, 0.3, 0.4)
"""Sds of ln for one cell at which probabilities are printed."""
FINEST, COARSEST = 1e-3, 3.0
"""Range of sds in which a break-even noise is sought."""


@dataclass(frozen=True)
class BreakEven(Answer):
    """The noise at which a verdict flips.

    Attributes
    ----------
    table
        Probability of the verdict at several sds of ln for one cell, the break-even among them.
    noise
        Sd of ln for one cell up to which the verdict holds; 0 if it never does, infinite if it
        does up to an sd of 3.
    verdict
        What was asked.
    """

    noise: float
    verdict: str


def p_all_before(
    centre: np.ndarray, sd: np.ndarray, front: Sequence[int], back: Sequence[int]
) -> float:
    """P(every value of ``front`` is below every value of ``back``), independent normals.

    Parameters
    ----------
    centre, sd
        Of all values, ``(n,)``.
    front, back
        Positions, neither of them empty.
    """
    return _integral(centre, sd, front, back, lambda below: below.prod(axis=0))


def p_holds_smallest(
    centre: np.ndarray, sd: np.ndarray, front: Sequence[int], back: Sequence[int]
) -> float:
    """P(the smallest value of all is one of ``front``), independent normals."""
    return _integral(centre, sd, front, back, lambda below: 1 - (1 - below).prod(axis=0))


def _integral(
    centre: np.ndarray, sd: np.ndarray, front: Sequence[int], back: Sequence[int],
    joined: Callable[[np.ndarray], np.ndarray],
) -> float:
    """Integral over the largest (or smallest) of ``front`` of P(all of ``back`` are above it)."""
    from scipy.special import ndtr

    centre, sd = np.asarray(centre, dtype=float), np.asarray(sd, dtype=float)
    at = np.unique(centre[:, None] + sd[:, None] * np.linspace(-8.0, 8.0, 801))
    below = ndtr((at - centre[list(front), None]) / sd[list(front), None])
    above = ndtr((centre[list(back), None] - at) / sd[list(back), None]).prod(axis=0)
    reached = joined(below)
    return float((np.diff(reached) * (above[1:] + above[:-1])).sum() / 2
                 + reached[0] * above[0])


def _spread(what: Score, sd: float) -> np.ndarray:
    return sd * np.sqrt(np.diag(what.relative.to_numpy()))


def _checked(what: Score, names: Iterable[str] | str) -> list[str]:
    known = list(what.draws.columns)
    found = [names] if isinstance(names, str) else list(dict.fromkeys(names))
    for name in found:
        if name not in known:
            raise CampaignError(unknown(name, known, "coating of this evidence"))
    if not 0 < len(found) < len(known):
        raise CampaignError(f"a verdict names at least one coating and not all {len(known)}")
    return found


def under_noise(
    evidence: Evidence, by: str = BOTH, *, weights: Mapping[str, float] | None = None,
    worst: Iterable[str] = (), at: Sequence[float] = AT,
) -> Answer:
    """P(best) of every coating at several assumed noises, whatever the evidence's own is.

    Parameters
    ----------
    evidence, by, weights
        As in `coatings.rank`.
    worst
        Coatings whose probability of being the worst is printed as well.
    at
        Sds of ln for one cell.

    Returns
    -------
    Answer
        Index ``sd_ln``; a column for each coating, and one for the worst.
    """
    what = score(evidence, by, weights)
    names = list(what.draws.columns)
    last = _checked(what, worst) if list(worst) else []
    centre = np.asarray(what.centre[names], dtype=float)
    rows = []
    for sd in at:
        spread = _spread(what, _positive(sd))
        row = {f"P(best) {name}": p_holds_smallest(centre, spread, [k], _others(names, [k]))
               for k, name in enumerate(names)}
        if last:
            back = [names.index(name) for name in last]
            row[f"P(worst) {', '.join(last)}"] = p_all_before(
                centre, spread, _others(names, back), back)
        rows.append(row)
    table = pd.DataFrame(rows, index=pd.Index(at, name="sd_ln"))
    best = table.filter(like="P(best)")
    leads = "; ".join(
        f"{sd:g}: {str(row.idxmax()).removeprefix('P(best) ')} {row.max():.2f}"
        for sd, row in best.iterrows())
    sentence = f"By {what.name}, P(best) of the leader if the sd of ln for one cell is {leads}."
    if last:
        said = ", ".join(f"{p:.3f} at {sd:g}" for sd, p in table.iloc[:, -1].items())
        sentence += f" P({', '.join(last)} are the worst): {said}."
    return Answer(table, f"{sentence} {evidence.basis}")


def break_even(
    evidence: Evidence, by: str = BOTH, *, weights: Mapping[str, float] | None = None,
    worst: Iterable[str] | None = None, best: Iterable[str] | None = None,
    leader: str | None = None, level: float = 0.95, at: Sequence[float] = AT,
) -> BreakEven:
    """The noise of one cell up to which a verdict holds with a stated probability.

    Parameters
    ----------
    evidence, by, weights
        As in `coatings.rank`. Of the evidence's noise only the number of cells of each coating
        counts here.
    worst, best, leader
        The verdict, exactly one: these are the worst, all of them worse than all others; these are
        the best, all of them better than all others; this one is the best.
    level
        Probability below which the verdict is given up.
    at
        Further sds of ln at which the probability is printed.

    Raises
    ------
    CampaignError
        If not exactly one verdict is given, or it names an unknown coating.
    """
    from scipy.optimize import brentq

    given = [v for v in (worst, best, leader) if v is not None]
    if len(given) != 1:
        raise CampaignError("say exactly one verdict: worst=[...], best=[...] or leader='...'")
    if not 0 < level < 1:
        raise CampaignError(f"level={level} must lie between 0 and 1, such as 0.95")
    what = score(evidence, by, weights)
    names = list(what.draws.columns)
    named = _checked(what, given[0])
    mine = [names.index(name) for name in named]
    rest = _others(names, mine)
    front, back = (rest, mine) if worst is not None else (mine, rest)
    centre = np.asarray(what.centre[names], dtype=float)
    several = "are" if len(named) > 1 else "is"
    verdict = f"{', '.join(named)} {several} the {'worst' if worst is not None else 'best'}"

    def chance(sd: float) -> float:
        return p_all_before(centre, _spread(what, sd), front, back)

    if chance(FINEST) < level:
        noise = 0.0
    elif chance(COARSEST) >= level:
        noise = np.inf
    else:
        root: Any = brentq(lambda sd: chance(sd) - level, FINEST, COARSEST, xtol=1e-5)
        noise = float(root)
    found = [noise] if 0 < noise < np.inf else []
    sds: list[float] = sorted({*(_positive(sd) for sd in at), *found})
    table = pd.DataFrame({"probability": [chance(sd) for sd in sds]},
                         index=pd.Index(sds, name="sd_ln"))
    if noise == 0.0:
        said = f"does not hold with {percent(level)} at any noise: the values contradict it"
    elif noise == np.inf:
        said = f"holds with {percent(level)} up to an sd of ln of {COARSEST:g}"
    else:
        said = (f"holds with {percent(level)} while the sd of ln for one cell is at most "
                f"{noise:.3g}, and flips beyond")
    printed = ", ".join(f"{chance(sd):.3f} at {sd:g}" for sd in at)
    own = float(np.median(what.noise))
    sentence = (f"By {what.name}: \"{verdict}\" {said} (P = {printed}; the noise of this evidence "
                f"is {own:.2f}). {evidence.basis}")
    return BreakEven(table, sentence, noise, verdict)


def _others(names: Sequence[str], mine: Sequence[int]) -> list[int]:
    return [k for k in range(len(names)) if k not in mine]


def _positive(sd: float) -> float:
    if not (np.isfinite(sd) and sd > 0):
        raise CampaignError(f"an sd of ln of {sd} must be a number above 0")
    return float(sd)
