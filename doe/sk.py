"""scikit-optimize behind one file: dimensions to and from, its samplers, its optimizer.

Its values come out as NumPy scalars, a NaN ends its optimizer, GBRT does not work, and batches by
constant liar repeat themselves: what is told is cleaned here and what is asked is made legal here.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import factors as fac
from . import plots, pointwise, search, strategies
from .errors import CampaignError, SpaceError, unknown
from .factors import Choice, Factor, Integer, Real
from .state import PREDICTED

if TYPE_CHECKING:
    from ..models.engine.lab_model import LabModel
    from .propose import Proposal
    from .space import Space

ESTIMATORS = ("GP", "RF", "ET")
SAMPLERS = ("lhs", "sobol", "halton", "hammersly", "grid")


def to_skopt(item: Factor | Space) -> Any:
    """A factor as a scikit-optimize dimension, a space as the list of its dimensions.

    Steps, units, conditions and square roots have no place there: `Real` with a step becomes a
    continuum, and a `Choice` of numbers a categorical without distances.
    """
    from skopt.space import Categorical
    from skopt.space import Integer as SkInteger
    from skopt.space import Real as SkReal

    if not isinstance(item, Factor):
        return [to_skopt(f) for f in item.factors]
    prior = "log-uniform" if item.log else "uniform"
    if isinstance(item, Real):
        return SkReal(item.low, item.high, prior=prior, name=item.name)
    if isinstance(item, Integer):
        return SkInteger(item.low, item.high, prior=prior, name=item.name)
    return Categorical(list(item.values), name=item.name)


def from_skopt(dimension: Any, name: str | None = None, unit: str | None = None) -> Factor:
    """A scikit-optimize dimension as a factor.

    Raises
    ------
    SpaceError
        If it has no name and none is given, or is of an unknown kind.
    """
    kind = type(dimension).__name__
    name = name or dimension.name
    if not name:
        raise SpaceError(f"{dimension!r} has no name; give from_skopt(dimension, name='rpm')")
    if kind == "Categorical":
        return Choice(name, [_plain(v) for v in dimension.categories], unit=unit)
    if kind not in ("Real", "Integer"):
        raise SpaceError(f"{kind} is no dimension that can be read; there are Real, Integer, "
                         "Categorical")  # fmt: skip
    low, high = _plain(dimension.low), _plain(dimension.high)
    log = dimension.prior == "log-uniform"
    return (Real if kind == "Real" else Integer)(name, low, high, log=log, unit=unit)


def unit_design(d: int, n: int, seed: int, sampler: str = "lhs") -> np.ndarray:
    """`n` points of a space-filling design on the unit cube, shape (n, d)."""
    from skopt import sampler as skopt_sampler

    makers: dict[str, Callable[[], Any]] = {
        "lhs": lambda: skopt_sampler.Lhs(criterion="maximin", iterations=100),
        "sobol": skopt_sampler.Sobol,
        "halton": skopt_sampler.Halton,
        "hammersly": skopt_sampler.Hammersly,
        "grid": skopt_sampler.Grid,
    }
    if sampler not in makers:
        raise SpaceError(unknown(sampler, makers, "sampler"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Sobol remarks on n that are no power of two
        points = makers[sampler]().generate([(0.0, 1.0)] * d, n, random_state=seed % 2**32)
    return np.clip(np.asarray(points, dtype=float).reshape(n, d), 0, np.nextafter(1, 0))


def propose(
    space: Space,
    rows: pd.DataFrame,
    *,
    objective: str,
    maximize: bool,
    model: LabModel | None,
    fixed: Mapping[str, Any],
    n: int,
    pending: pd.DataFrame,
    seed: int,
    options: Mapping[str, Any],
    kept: Mapping[str, np.ndarray] | None = None,
    **_: Any,
) -> Proposal:
    """Suggestions by scikit-optimize's `Optimizer`, a baseline: it knows no model, no levels.

    ``options={"estimator": "GP" | "RF" | "ET"}``. Pending settings are told with its constant lie.
    """
    from skopt import Optimizer

    from .propose import Proposal

    estimator = options.get("estimator", "GP")
    if estimator not in ESTIMATORS:
        raise CampaignError(unknown(estimator, ESTIMATORS, "estimator"))
    measured: Any = rows.dropna(subset=[*space.names, objective])
    measured = measured[_inside(space, measured)]
    if measured.empty:
        raise CampaignError("scikit-optimize needs one measured setting of the space at least")
    readings = measured[objective].to_numpy(dtype=float) * (-1.0 if maximize else 1.0)
    waiting: Any = pending[_inside(space, pending)]
    told = points(space, measured) + points(space, waiting)
    values = [*readings.tolist(), *[float(readings.min())] * len(waiting)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it remarks on every repeated point
        optimizer = Optimizer(
            to_skopt(space),
            estimator,
            n_initial_points=1,
            random_state=seed % 2**32,
            space_constraint=allows(space) if space.rules else None,
        )
        optimizer.tell(told, values)
        asked: Any = optimizer.ask(n_points=n)
    settings = pd.DataFrame([[_plain(v) for v in point] for point in asked], columns=space.names)
    rng = np.random.default_rng(seed)
    chosen = plots.share(space, legal(space, settings, rng), rng)
    moved = strategies.repeated(space, chosen, pending)
    settings = _apart(space, chosen, pending, moved, rng)
    blank = pd.DataFrame(np.nan, index=settings.index, columns=list(PREDICTED))
    twice = strategies.repeated(space, settings, pending)
    reason = [
        f"scikit-optimize {estimator}, "
        + ("its choice for improvement" if not off else
           "next to its choice for improvement, which waits already" if not again else
           "its choice for improvement; repeats a setting that waits")
        for off, again in zip(moved, twice, strict=True)
    ]  # fmt: skip
    return Proposal(
        settings=settings, predicted=blank, reason=reason, draws={}, weight=0.0, notes=[]
    )


def allows(space: Space) -> Callable[[Any], bool]:
    """The rules of a space as scikit-optimize's `space_constraint`."""
    names, constants = space.names, space.fixed
    rules = [pointwise.predicate(rule) for rule in space.rules]

    def allowed(point: Any) -> bool:
        values = {**constants, **dict(zip(names, point, strict=True))}
        for name, formula in space.formulas.items():
            values[name] = formula(values)
        return all(holds(values) for holds in rules)

    return allowed


def _inside(space: Space, settings: Any) -> np.ndarray:
    good = np.ones(len(settings), dtype=bool)
    for f in space.factors:
        good &= fac.within(f, settings[f.name])
    return good


def points(space: Space, settings: pd.DataFrame) -> list[list[Any]]:
    """Settings as scikit-optimize is told them: lists of plain values, none out of its bounds.

    A part of a mixture, what is left for it of one, may be out of its own by a rounding.
    """
    columns = []
    for f in space.factors:
        # what is not in use has no place among its values: it stands in the middle
        at = settings[f.name].to_numpy()
        at = np.where(fac.is_void(f, at), fac.middle(f), at) if f.only_if is not None else at
        if isinstance(f, (Real, Integer)):
            at = np.clip(at.astype(float), f.low, f.high)
        values = [_plain(v) for v in at]
        columns.append([int(v) for v in values] if isinstance(f, Integer) else values)
    return [list(point) for point in zip(*columns, strict=True)]


def legal(space: Space, settings: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Steps restored; where that breaks a rule, the nearest of many legal settings instead."""
    settings = space.snap(settings)
    bad = np.flatnonzero(~space.feasible(settings))
    if len(bad):
        legal = space.sample(2048, rng)
        distance = np.linalg.norm(
            space.encode(legal)[None] - space.encode(settings.iloc[bad])[:, None], axis=-1
        )
        for row, nearest in zip(bad, distance.argmin(axis=1), strict=True):
            for name in space.names:
                settings.loc[settings.index[row], name] = legal[name].iloc[nearest]
    return search.tidy(space, settings)


def _apart(
    space: Space, settings: pd.DataFrame, pending: pd.DataFrame, twice: np.ndarray,
    rng: np.random.Generator,
) -> pd.DataFrame:  # fmt: skip
    """What waits, or stands in the batch already, put next to it: the nearest legal setting left.

    ``twice`` says which these are. Settings that share a run stay.
    """
    if space.hard or not twice.any():
        return settings
    settings = settings.copy()
    taken: Any = pd.concat([pending.reindex(columns=space.names), settings[space.names]])
    left: Any = space.sample(2048, rng).reset_index(drop=True)
    left = left[~strategies.repeated(space, left, taken)]
    for row in np.flatnonzero(twice)[: len(left)]:
        apart = space.encode(left) - space.encode(settings.iloc[[row]])
        nearest = left.index[int(np.linalg.norm(apart, axis=1).argmin())]
        for name in space.names:
            settings.loc[settings.index[row], name] = left.loc[nearest, name]
        left = left.drop(index=nearest)
    return settings


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
