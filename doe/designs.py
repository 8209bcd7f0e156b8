"""Designs: few settings far apart to start with, classical tables, optimal ones; all feasible."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from . import classical, fitted, optimal, plots, search, sk, space_words, terms
from .errors import SpaceError, counted, listing, unknown
from .noted import noted
from .space import Space

FILLING = ("lhs", "sobol", "halton", "maximin", "random")
CLASSICAL = (
    "full_factorial", "fractional_factorial", "plackett_burman", "central_composite", "box_behnken"
)  # fmt: skip
OPTIMAL = ("d_optimal", "a_optimal", "i_optimal")
CHOICES = 48
"""Runs from which the least number that tells a model is sought."""
UNLOOKED = "made without a look at what is to hold with a probability:"


def start(
    space: Space,
    n: int,
    seed: int = 1,
    sampler: str = "lhs",
    beside: pd.DataFrame | None = None,
    runs: int | None = None,
) -> pd.DataFrame:
    """`n` feasible settings that fill a space.

    A scikit-optimize design on the unit cube is mapped to the factors' own scales. Where rules
    remove points, a larger design is made and the `n` that lie farthest apart are kept. In a finite
    space none is there twice or beside already, as long as there are others.

    Parameters
    ----------
    space : Space
    n : int
    seed : int
    sampler : {"lhs", "sobol", "halton", "hammersly", "grid"}
    beside : DataFrame, optional
        Settings that there are already: new ones keep away from them too.
    runs : int, optional
        Over how many runs they are spread; without it as many as `Space.per_run` asks for.

    Returns
    -------
    DataFrame
        One column a factor, the most central setting first. With hard-to-change factors, settings
        are put together into runs.
    """
    rng = np.random.default_rng([seed, 6])
    made, every = _filling(space, n, seed, sampler, beside, rng, runs), space.grid()
    return made if every is None else _without_repeats(space, made, every, n, beside, rng)


def fresh(space: Space, table: pd.DataFrame, beside: pd.DataFrame | None = None) -> np.ndarray:
    """Where a setting is neither beside already nor earlier in the table, shape (n,)."""
    seen = set() if beside is None or not len(beside) else set(_places(space, beside))
    new = np.zeros(len(table), dtype=bool)
    for i, place in enumerate(_places(space, table) if len(table) else ()):
        new[i] = place not in seen
        seen.add(place)
    return new


def _places(space: Space, table: pd.DataFrame) -> list[bytes]:
    """A name for each setting, the same for those that differ by rounding only."""
    at = space.encode(table[space.names], features=False)
    return [place.tobytes() for place in np.round(at, 9) + 0.0]


def _without_repeats(
    space: Space,
    made: pd.DataFrame,
    every: pd.DataFrame,
    n: int,
    beside: pd.DataFrame | None,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """`n` settings of a design with other settings in the place of repeats.

    Where fewer than `n` are left of ``every``, those come again, or where none is left any.
    """
    kept: Any = made[fresh(space, made, beside)]
    while len(kept) < n:
        known: Any = pd.concat([t[space.names] for t in (beside, kept) if t is not None])
        left: Any = every[fresh(space, every, known)]
        if not len(left):
            break
        more = spread(space, left, min(n - len(kept), len(left)), known)
        more = plots.share(space, more, rng)
        kept = pd.concat([kept, more[fresh(space, more, known)]], ignore_index=True)
    if not len(kept):
        kept = spread(space, every, min(n, len(every)), beside)
    return kept.iloc[np.arange(n) % len(kept)].reset_index(drop=True)


def _filling(
    space: Space,
    n: int,
    seed: int,
    sampler: str,
    beside: pd.DataFrame | None,
    rng: np.random.Generator,
    runs: int | None,
) -> pd.DataFrame:
    """`start`, with repeats where a space has few settings."""
    size = n if beside is None else 16 * (n + len(beside))
    largest = 64 * size
    while size <= largest:
        table: Any = space.from_unit(sk.unit_design(len(space.factors), size, seed, sampler))
        table = table[space.feasible(table)].reset_index(drop=True)
        if len(table) >= n:
            far = search.tidy(space, spread(space, table, n, beside))
            return plots.share(space, far, rng, runs)
        if size >= 16 * n and len(table) * largest < n * size:
            break  # rules leave too little for any size that may be made
        size *= 2
    table = space.sample(64 * n, np.random.default_rng(seed))
    return plots.share(space, search.tidy(space, spread(space, table, n, beside)), rng, runs)


def spread(
    space: Space, candidates: pd.DataFrame, n: int, beside: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The `n` candidates farthest from each other, and from those beside, chosen greedily."""
    at = space.encode(candidates, features=False)
    chosen: list[int] = []
    if beside is None or not len(beside):
        nearest = -np.linalg.norm(at - at.mean(axis=0), axis=1)  # the most central one first
    else:
        gaps = at[:, None] - space.encode(beside, features=False)[None]
        nearest = np.linalg.norm(gaps, axis=-1).min(axis=1)
    while len(chosen) < n:
        chosen.append(int(np.argmax(nearest)))
        distance = np.linalg.norm(at - at[chosen[-1]], axis=1)
        fresh = len(chosen) == 1 and (beside is None or not len(beside))
        nearest = distance if fresh else np.minimum(nearest, distance)
    return candidates.iloc[chosen].reset_index(drop=True)


def design(
    space: Space,
    kind: str = "lhs",
    n: int | None = None,
    *,
    seed: int = 1,
    cut: str = "move",
    model: str | Sequence[str] = "linear",
    runs: int | None = None,
    run_variance: float = 1.0,
    fit: Any = None,
    **options: Any,
) -> pd.DataFrame:
    """A design of experiments in a space: every setting keeps its bounds, mixtures and rules.

    Rules on what is only known with uncertainty (`Space.probable`) are not looked at, and a note
    says so.

    Parameters
    ----------
    space : Space
    kind : str
        Space-filling, for `n` settings: ``"lhs"``, ``"sobol"``, ``"halton"``, ``"maximin"``
        (spread chosen for the largest distances), ``"random"``.
        Classical: ``"full_factorial"`` (levels=2), ``"fractional_factorial"`` (resolution=4 or
        generators="a b ab"), ``"plackett_burman"``, ``"central_composite"`` (face="inscribed" or
        "faced", center=4), ``"box_behnken"`` (center=3).
        Optimal, for `n` settings: ``"d_optimal"`` (coefficients told best together),
        ``"a_optimal"`` (least mean variance of coefficients), ``"i_optimal"`` (least mean variance
        of predictions over the space).
    n : int, optional
        Number of settings; classical designs bring their own.
    seed : int
    cut : {"move", "drop"}
        Settings of a classical design that break a rule are moved to the nearest feasible ones,
        or left out; the notes say which.
    model : {"linear", "interactions", "quadratic"} or sequence of str
        For optimal designs: the linear model to be learned, see `terms.terms`.
    runs : int, optional
        Over how many runs a space-filling or optimal design spreads hard-to-change factors;
        without it as many as `Space.per_run` asks for.
    run_variance : float
        For optimal designs: variance of the error that settings of a run share, over that of one
        reading.
    fit : Fit, optional
        For optimal designs from a fitted response instead of a linear model:
        ``design(space, "d_optimal", 8, fit=fit, outcome="capacity_mAh_g",
        parameters=["k", "tau"], fixed={"c_rate": 0.1})``, averaged over posterior draws.

    Returns
    -------
    DataFrame
        One column a factor. ``attrs["notes"]`` says what happened to the design (moved settings,
        aliased effects, terms that the space cannot tell); optimal ones have ``attrs["worth"]``
        (the criterion, larger is better), ``attrs["terms"]`` and, with runs, ``attrs["runs"]``.

    Raises
    ------
    SpaceError
        If the design does not exist for this space; the message names the mend.
    """
    if cut not in ("move", "drop"):
        raise SpaceError(unknown(cut, ("move", "drop"), "value of cut"))
    kinds = (*FILLING, *CLASSICAL, *OPTIMAL)
    if kind not in kinds:
        raise SpaceError(unknown(kind, kinds, "kind of design"))
    if kind not in OPTIMAL:
        _unused(kind, model=model != "linear", fit=fit is not None, run_variance=run_variance != 1)
    if kind in CLASSICAL:
        if n is not None:
            raise SpaceError(f"kind={kind!r} has its own number of settings; leave n out")
        if runs is not None:
            raise SpaceError(
                f"kind={kind!r} sets every factor anew each time; leave runs out, or take "
                "kind='d_optimal'"
            )
        return _told(space, _classical(space, kind, cut, options))
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise SpaceError(f"n={n!r} must be a whole number from 1: how many settings")
    if kind in OPTIMAL:
        made = _optimal(space, kind, int(n), seed, model, runs, run_variance, fit, options)
        return _told(space, made)
    _no_more(kind, options)
    many = None if runs is None else _runs(space, int(n), runs)
    if kind == "random":
        table = space.sample(int(n), np.random.default_rng([seed, 6]))
    elif kind == "maximin":
        table = spread(space, space.sample(64 * int(n), np.random.default_rng([seed, 6])), int(n))
    else:
        return _told(space, _in_runs(space, start(space, int(n), seed, kind, runs=many), many))
    table = plots.share(space, table, np.random.default_rng([seed, 8]), many)
    return _told(space, _in_runs(space, table, many))


def _in_runs(space: Space, table: pd.DataFrame, runs: int | None) -> pd.DataFrame:
    """The design, with a note where it has more runs than were asked for."""
    found = 0 if runs is None else len(table[space.hard].drop_duplicates())
    if runs is None or found <= runs:
        return table
    note = f"{found} runs, not {runs}: a run has too few settings of its easy factors to hold more"
    return noted(table, [*table.attrs.get("notes", []), note])


def _told(space: Space, table: pd.DataFrame) -> pd.DataFrame:
    """The design, with a note where rules are to hold with a probability that nothing tells of."""
    if not space.uncertain:
        return table
    note = f"{UNLOOKED} {listing(space_words.uncertain(space))}; a campaign does, once it can"
    return noted(table, [*table.attrs.get("notes", []), note])


def _classical(space: Space, kind: str, cut: str, options: dict[str, Any]) -> pd.DataFrame:
    notes: list[str] = []
    try:
        made: Any = getattr(classical, kind)(space, **options)
    except TypeError as problem:
        raise SpaceError(f"kind={kind!r}: {problem}") from None
    if isinstance(made, tuple):
        made, notes = made
    table = space.snap(made).reset_index(drop=True)
    bad = np.flatnonzero(~space.feasible(table))
    if len(bad):
        rules = sorted({t.split(" breaks ")[-1] for t in space.objections(table.iloc[bad])})
        told = ", ".join(rules)
        if cut == "drop":
            notes.append(f"{len(bad)} of {len(table)} settings break {told} and are left out")
            table = table.drop(index=list(bad)).reset_index(drop=True)
        else:
            near = space.nearest(table.iloc[bad])
            moved = "; ".join(near.attrs["moved"])
            notes.append(f"{len(bad)} of {len(table)} settings break {told} and are moved: {moved}")
            for name in space.names:
                column = table[name].to_numpy(copy=True)
                column[bad] = near[name].to_numpy()
                table[name] = column
        notes.append("effects are no longer balanced: an optimal design may serve better")
    if not len(table):
        raise SpaceError(f"no setting of kind={kind!r} is feasible; take cut='move'")
    again = int(table.duplicated().sum()) - int(made.duplicated().sum())
    if again > 0 and cut == "move":
        notes.append(f"settings that came to lie on others: {again}")
    return noted(table, notes)


def _optimal(
    space: Space,
    kind: str,
    n: int,
    seed: int,
    model: str | Sequence[str],
    runs: int | None,
    run_variance: float,
    fit: Any,
    options: dict[str, Any],
) -> pd.DataFrame:
    criterion, notes = kind[0].upper(), []
    many = _runs(space, n, runs)
    if not np.isfinite(run_variance) or run_variance < 0:
        raise SpaceError(f"run_variance={run_variance!r} must be 0 or more")
    ratio = 0.0 if many is None else float(run_variance)
    if fit is not None:
        jacobian, prior = fitted.jacobian(fit, space, seed=seed, **options)
        named = list(options.get("parameters", ()))
    else:
        _no_more(kind, options)
        linear = terms.terms(space, model)
        jacobian, prior, named = linear.matrix, None, linear.names
        if n < len(named):
            raise SpaceError(
                f"n={n} settings cannot tell the {len(named)} coefficients of this model "
                f"({', '.join(named)}); take n={len(named)} at least, or a smaller model"
            )
        if linear.left_out:
            notes.append(
                "not told from the others in this space, and left out: "
                + ", ".join(linear.left_out)
            )
    posed = optimal.problem(space, jacobian, criterion, prior, ratio)
    table, labels, worth = optimal.search_design(space, n, posed, seed=seed, runs=many)
    if fit is None:
        _check_told(space, linear, table, many, seed)
    table.attrs |= {"notes": notes, "worth": worth, "terms": named}
    if many is not None:
        table.attrs["runs"] = labels.tolist()
    return table


def _check_told(
    space: Space, linear: terms.Terms, table: pd.DataFrame, runs: int | None, seed: int
) -> None:
    """Refuse a design from which some coefficients of its model cannot be had.

    Raises
    ------
    SpaceError
        Naming them, and how many runs it takes.
    """
    x, lost = linear.matrix(table), []
    kept: list[int] = []
    for j, name in enumerate(linear.names):
        if np.linalg.matrix_rank(x[:, [*kept, j]]) > len(kept):
            kept.append(j)
        else:
            lost.append(name)
    if not lost:
        return
    needed = None if runs is None else _fewest(space, linear, np.random.default_rng([seed, 10]))
    if runs is not None and needed is not None and needed > runs:
        raise SpaceError(
            f"{counted(runs, 'run')} cannot tell {listing(lost)}, for the settings of a run share "
            f"{listing(space.hard)}; take runs={needed} at least, or a smaller model"
        )
    raise SpaceError(
        f"the {len(table)} settings found cannot tell {listing(lost)}; take a larger n, another "
        "seed or a smaller model"
    )


def _fewest(space: Space, linear: terms.Terms, rng: np.random.Generator) -> int | None:
    """The least number of runs found whose settings tell every term; None where none do."""
    leads: Any = space.sample(CHOICES, rng).drop_duplicates(subset=space.hard)
    blocks = [
        linear.matrix(pd.concat([leads.iloc[[i]], plots.siblings(space, leads.iloc[i], 64, rng)]))
        for i in range(len(leads))
    ]
    whole = np.zeros((0, len(linear.names)))
    rank = count = 0
    while rank < len(linear.names):
        # greedily: the run that tells most of what the others do not
        ranks = [int(np.linalg.matrix_rank(np.concatenate([whole, b]))) for b in blocks]
        best = int(np.argmax(ranks))
        if ranks[best] <= rank:
            return None
        whole, rank, count = np.concatenate([whole, blocks[best]]), ranks[best], count + 1
    return count


def _runs(space: Space, n: int, runs: int | None) -> int | None:
    """Number of runs that share hard-to-change factors, None where nothing is shared."""
    if not plots.has_runs(space):
        if runs is not None:
            raise SpaceError("runs is for a space with hard-to-change factors beside others")
        return None
    if runs is None:
        if space.per_run is None:
            raise SpaceError(
                f"how many runs may differ in {', '.join(space.hard)}? Give runs=..., or per_run "
                "to the space"
            )
        return -(-n // space.per_run)
    if isinstance(runs, bool) or not isinstance(runs, (int, np.integer)) or not 1 <= runs <= n:
        raise SpaceError(f"runs={runs!r} must be a whole number from 1 to n={n}")
    if space.per_run is not None and runs * space.per_run < n:
        raise SpaceError(f"runs={runs} of per_run={space.per_run} hold less than n={n} settings")
    return int(runs)


def _unused(kind: str, **given: bool) -> None:
    """Refuse arguments of optimal designs for a kind that would not look at them."""
    for argument, wanted in given.items():
        if wanted:
            raise SpaceError(
                f"{argument} is for optimal designs, and kind={kind!r} does not look at it; leave "
                "it out, or take kind='d_optimal'"
            )


def _no_more(kind: str, options: dict[str, Any]) -> None:
    if options:
        raise SpaceError(f"kind={kind!r} has no option {next(iter(options))!r}")
