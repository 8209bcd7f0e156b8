"""What is believed of the true mean at any setting: physics and data alone, sharing the draws.

Two hypotheses explain the readings of an objective:

physics
    true mean = response of a posterior draw of the model, + the expected contrasts times a factor,
    + a Gaussian process; the factor and the amplitude are drawn towards zero, so that both stay
    small until the residuals demand them;
data alone
    true mean = an unknown constant + a Gaussian process.

The draws of the model have seen the readings; what the process is to explain beside them makes up
for that (`surrogate`), so that no reading counts twice.

Leave-one-out predictive densities of the two hypotheses decide which share of the draws each
gets, never below a twentieth. A wrong model is therefore found out by its own predictions; what it
costs until then is measured in ``benchmarks/README.md``.

References
----------
Yao et al., "Using stacking to average Bayesian predictive distributions", Bayesian Anal. 13
(2018) 917 (pseudo-BMA with the Bayesian bootstrap).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import physics, surrogate
from .compiled import BATCH, LENGTH, NOISE
from .errors import DoeError, counted
from .hyperparameters import Prior
from .plots import has_runs
from .readings import MEMORY, UNNAMED, UNSPLIT, Readings, blind_to, readings

if TYPE_CHECKING:
    from ..models.engine.lab_model import LabModel
    from .space import Space

LEAST = 0.05
"""Smallest share of the draws that either hypothesis keeps."""
TAIL = 0.05
"""Tail on either side of the 90 % equal-tailed intervals."""
BELIEVED = 0.95
"""Probability of the physics before any reading is predicted: its laws are published and its
priors wide, and leave-one-out over four or five readings is mostly chance."""

ALONE = Prior(
    amplitude=1.5, batch=0.2, noise=0.1, noise_sd=1.0, length=1.0, length_sd=1.0, trend=0.5
)
"""Data alone, relative to the sd of the readings (`_spread`: the amplitude's prior has longer tails
where they are of few settings); the length is that of one factor. It is long and wide: few readings
cannot show wiggles, and a prior of short lengths keeps looking at corners (Hvarfner et al. 2024
have four times this length; half of it found fewer optima on simulated laboratories). The noise's
trend makes it 1.6 times as large from end to end of a factor at one sd of its prior, cautiously:
the same noise everywhere is the rule. `REPEATS` let it in."""
REPEATS = 12
"""Degrees of freedom of the scatter of cells from which on the noise may depend on the setting."""
TRENDS = 12
"""Columns of the encoded settings up to which it may."""
WHOLE_PLOT = 0.5
"""Scale of the batch effect, data alone, where batches are runs that share hard-to-change factors,
or where readings are means of a batch's cells, with little but the batch in their scatter: a
furnace set anew scatters more than batches do, and a tight prior took its scatter for an effect
(of 20 data sets with 20 cells a run, 90 % intervals held the truth in 13, now in 19)."""
DISCREPANCY = Prior(
    amplitude=0.25, batch=1e-3, noise=1.0, noise_sd=0.5, length=0.5, length_sd=0.6, slope=0.3
)
"""Discrepancy of the physics, relative to its spread over the space.

Its noise is relative to the model's, which may be too large where wrong physics took its own error
for noise. The readings have to say so: a median below one made rankings too sure where they did
not, and told wrong physics no better (benchmarks). The width is that of the models' own priors.
"""
SHOWN = 3
"""Readings from which on the physics is weighed against data alone, and its scatter learned."""
LOUDEST = 3.0
"""Most that a single reading may say for or against the physics, in units of log density."""

ORDER = np.arange(surrogate.DRAWS).reshape((2,) * (surrogate.DRAWS.bit_length() - 1)).T.ravel()
"""Order in which paths are used: bits reversed, so that any number of the first ones is spread
evenly over the hyperparameters."""

Values = Callable[[pd.DataFrame], np.ndarray]
Scatter = Callable[[pd.DataFrame], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Belief:
    """Joint posterior draws of the true mean, evaluated where they are asked for.

    Attributes
    ----------
    mean : callable
        Draws of the true mean at settings, shape (draws, settings).
    scatter : callable
        Sd of a cell within its batch, and of a batch's mean about its setting's, (settings,)
        each. Where `Readings.told_apart` is false and there is no physics, the first is that of
        both together and the second NaN.
    weight : float
        Share of the draws that belong to the physics; these come first.
    tried : DataFrame
        Settings with readings, one row each, with their number of ``readings``.
    notes : list of str
    kept : dict of arrays
        What `believe` needs to come to the same belief again without a fit.
    """

    mean: Values
    scatter: Scatter
    weight: float
    tried: pd.DataFrame
    notes: list[str]
    kept: dict[str, np.ndarray]

    @property
    def physical(self) -> int:
        """How many of the draws, the first ones, belong to the physics."""
        return round(self.weight * surrogate.DRAWS)

    def noise(self, settings: pd.DataFrame) -> np.ndarray:
        """Sd of one reading of the next cell about its setting's mean, shape (settings,)."""
        cell, batch = self.scatter(settings)
        return np.hypot(cell, np.nan_to_num(batch))

    def spread(self, settings: pd.DataFrame, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sd of one reading of the next cell and of the next batch's mean, ``(settings,)`` each.

        Both with the uncertainty of the setting's mean, whose draws are given; the second is NaN
        where batches cannot be told from cells.
        """
        cell, batch = self.scatter(settings)
        known = mean.var(axis=0)
        total = known + cell**2 + np.nan_to_num(batch) ** 2
        return np.sqrt(total), np.sqrt(known + batch**2)


def believe(
    space: Space,
    rows: pd.DataFrame,
    *,
    objective: str,
    model: LabModel | None,
    fixed: Mapping[str, Any],
    seed: int,
    options: Mapping[str, Any] | None = None,
    kept: Mapping[str, np.ndarray] | None = None,
    key: str = "",
    assumed: float | None = None,
) -> Belief:
    """Learn from rows.

    Parameters
    ----------
    space : Space
    rows : DataFrame
        One row a measured thing and condition: factors, fixed columns, levels, outcomes.
    objective : str
        Outcome column; rows without it inform the physics only.
    model : LabModel or None
    fixed : mapping
        Condition that the objective is asked for; with physics, rows at other conditions inform
        it too.
    seed : int
    options : mapping, optional
        ``statements``: whether published statements among the rows take part.
    kept : mapping of arrays, optional
        `Belief.kept` of the same rows and model: nothing is fitted again.
    key : str
        Set apart what is kept of this outcome from what is kept of another; the draws of the
        model are shared.
    assumed : float, optional
        Share of the draws that the physics gets whatever the readings say of it; 1 to learn
        about its parameters, 0.5 to tell it from data alone.

    Raises
    ------
    DoeError
        If there is no reading and no physics.
    """
    seen = readings(space, rows, objective, fixed, MEMORY if model is None else ())
    if model is None and not len(seen):
        raise DoeError(
            f"no row has a reading of {objective}, and there is no model: nothing is known yet. "
            "Record a result, or give the campaign a model"
        )
    known, notes = dict(kept or {}), []
    parts: list[tuple[Values, Scatter, np.ndarray]] = []
    if model is not None:
        told = physics.Physics.learn(
            model, rows, space, objective, fixed, seed, dict(options or {}), known
        )
        parts.append(_with_physics(told, seen, space, seed, known, notes, key))
    if assumed != 1.0 and (model is None or len(seen) >= SHOWN):
        parts.append(_alone(seen, space, seed, known, key))
    weight = float(model is not None)
    if len(parts) == 2:
        weight = share(parts[0][2], parts[1][2], np.random.default_rng([seed, 3]))
        notes.append(_verdict(weight, len(seen)))
        weight = weight if assumed is None else assumed
    elif assumed == 1.0 and model is not None:
        notes.append("what is learned is about the parameters of the physics, which is assumed")
    elif model is not None:
        notes.append(
            f"{counted(len(seen), 'reading')} of {objective} at this condition, too few to weigh "
            "the physics: it speaks alone, from its priors and all rows"
        )
    chosen = _shared_out(weight, len(parts), model is not None)

    def mean(settings: pd.DataFrame) -> np.ndarray:
        return np.concatenate(
            [part[0](settings)[pick] for part, pick in zip(parts, chosen, strict=True)]
        )

    def scatter(settings: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        told = [part[1](settings) for part in parts]
        return _together(told, [len(p) for p in chosen])

    groups = {g.name for g in getattr(model, "groups", ())}
    notes += blind_to(rows.loc[seen.settings.index], {*groups, *space.names})
    if seen.unnamed:
        notes.append(UNNAMED)
    if model is None and not seen.told_apart:
        notes.append(UNSPLIT)
    return Belief(mean, scatter, weight, seen.tried(), notes, known)


def _together(
    told: list[tuple[np.ndarray, np.ndarray]], count: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Scatter of cells and batches over both hypotheses, so many draws of each.

    The physics tells them apart; where data alone do not, their scatter is shared out in the same
    way.
    """
    cell, batch = (np.array([np.square(part[k]) for part in told]) for k in (0, 1))
    if len(told) == 2 and np.isnan(batch[1]).any():
        both = cell[0] + batch[0]
        share = np.divide(batch[0], both, out=np.zeros_like(both), where=both > 0.0)
        blind = np.isnan(batch[1])
        batch[1] = np.where(blind, share * cell[1], batch[1])
        cell[1] = np.where(blind, (1.0 - share) * cell[1], cell[1])
    one, other = (np.sqrt(np.average(s, axis=0, weights=count)) for s in (cell, batch))
    return one, other


def share(physical: np.ndarray, alone: np.ndarray, rng: np.random.Generator) -> float:
    """Weight of the physics from leave-one-out log densities of the same readings.

    Pseudo-BMA averaged over the Bayesian bootstrap of the readings, so that a difference that
    hangs on one reading does not decide, and bounded for each reading, since it is known only
    roughly what the physics would say without an influential one; never below a twentieth, nor
    above nineteen.
    """
    each = np.clip(physical - alone, -LOUDEST, LOUDEST)
    gain = len(each) * rng.dirichlet(np.ones(len(each)), 1000) @ each
    odds = np.log(BELIEVED / (1.0 - BELIEVED)) + gain
    weight = (1.0 / (1.0 + np.exp(-np.clip(odds, -50.0, 50.0)))).mean()
    return float(np.clip(weight, LEAST, 1.0 - LEAST))


def _with_physics(
    told: physics.Physics,
    seen: Readings,
    space: Space,
    seed: int,
    kept: dict[str, np.ndarray],
    notes: list[str],
    key: str = "",
) -> tuple[Values, Scatter, np.ndarray]:
    """Mean, scatter of cells and batches, and leave-one-out log densities under the physics."""
    mean, noises, batch = told.moments(seen.settings)
    noise = np.sqrt((noises**2).mean(axis=0) / seen.cells)
    if not seen.told_apart:
        noise, batch = np.hypot(noise, batch), np.zeros(len(seen))
    apart = told.mean(space.sample(256, np.random.default_rng([seed, 4]))).mean(axis=0)
    level = apart.mean()
    scale = max(apart.std(), seen.value.std() if len(seen) else 0.0, 1e-6 * np.abs(apart).max())
    within = float(np.sqrt(np.mean(batch**2))) / scale if len(seen) else 0.0
    prior = replace(DISCREPANCY, batch=max(within, 1e-3), length=_length(DISCREPANCY, space))
    process = surrogate.learn(
        seen.beside(space.encode(seen.settings)),
        seen.value - mean,
        noise,
        seen.batch,
        prior,
        scale,
        np.random.default_rng([seed, 1, *key.encode()]),
        known=mean.mean(axis=0) - level,
        stated=seen.error,
        theta=kept.get(f"theta_physics{key}"),
    )
    kept[f"theta_physics{key}"] = process.theta
    # a usual value: the model's own draws are as uncertain of the scatter as their priors
    factor = between = float(np.exp(np.log(process.factor(NOISE)).mean()))
    if len(seen) < SHOWN:  # no reading speaks against the model's own scatter
        factor = between = 1.0
    elif seen.told_apart:  # the scatter of cells says nothing of that of batches
        between = float(np.sqrt(np.mean(process.factor(BATCH) ** 2))) / prior.batch
    notes += told.notes
    scaled = 1.0 + np.quantile(process.slope, [TAIL, 0.5, 1.0 - TAIL])
    if len(seen) and not scaled[0] < 1.0 < scaled[2]:
        notes.append(
            "the data multiply the physics' expected differences between settings by "
            f"{scaled[1]:.2g} (90 % equal-tailed interval {scaled[0]:.2g} to {scaled[2]:.2g})"
        )

    def at(settings: pd.DataFrame) -> np.ndarray:
        mean = told.mean(settings)
        own = process(seen.beside(space.encode(settings), own=True))
        return mean + process.slope[:, None] * (mean.mean(axis=0) - level) + own

    def scatter(settings: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        cell, batch = told.scatter(settings)
        return factor * cell, between * batch

    return at, scatter, process.log_density


def _alone(
    seen: Readings, space: Space, seed: int, kept: dict[str, np.ndarray], key: str = ""
) -> tuple[Values, Scatter, np.ndarray]:
    """The same without physics; the noise is learned from the readings."""
    centre = float(seen.value.mean())
    scale, freedom = _spread(seen)
    batch = WHOLE_PLOT if has_runs(space) or (seen.cells > 1).any() else ALONE.batch
    x = seen.beside(space.encode(seen.settings))
    bent = seen.repeats >= REPEATS and x.shape[1] <= TRENDS
    trend = ALONE.trend if bent else 0.0
    theta = kept.get(f"theta_alone{key}")
    if theta is not None and theta.shape[1] - LENGTH not in (x.shape[1], 2 * x.shape[1]):
        theta = None  # kept by a version that knew less of other mills
    prior = replace(
        ALONE, freedom=freedom, length=_length(ALONE, space), batch=batch, trend=trend
    )
    process = surrogate.learn(
        x,
        (seen.value - centre)[None],
        scale / np.sqrt(seen.cells),
        seen.batch,
        prior,
        scale,
        np.random.default_rng([seed, 2, *key.encode()]),
        theta=theta,
        stated=seen.error,
        within=np.array([seen.freedom, seen.squares / scale**2]),
    )
    kept[f"theta_alone{key}"] = process.theta
    known = (seen.batch >= 0).any()
    between = scale * np.sqrt(np.mean(process.factor(BATCH) ** 2)) if known else 0.0

    def at(settings: pd.DataFrame) -> np.ndarray:
        return centre + process(seen.beside(space.encode(settings), own=True))

    def scatter(settings: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        loud = process.loudness(seen.beside(space.encode(settings), own=True))
        cell = scale * np.sqrt(np.mean(loud**2, axis=0))
        if not seen.told_apart:
            return np.hypot(cell, between), np.full(len(settings), np.nan)
        return cell, np.full(len(settings), between)

    return at, scatter, process.log_density


def _spread(seen: Readings) -> tuple[float, float]:
    """Sd of the readings that priors are relative to, and its degrees of freedom.

    Two or three settings that agree by chance say little of the spread over the space: a half-
    normal in units of a sd that is itself uncertain is a half-Student-t in units of its estimate.
    The sd is never below the usual known error of a reading, without which readings agree by
    chance only. Of one setting it is a guess, and is taken as known.
    """
    centre = abs(float(seen.value.mean()))
    count = len(seen.settings.assign(task=seen.task).drop_duplicates())
    cells = np.sqrt(seen.squares / np.maximum(seen.freedom, 1.0) / seen.cells)
    scale = float(seen.value.std(ddof=1)) if len(seen) > 1 else 0.0
    scale = max(scale, float(np.median(np.hypot(seen.error, cells))))
    if count == 1 or scale <= 1e-9 * centre:
        # one setting, or equal readings but for rounding, says nothing of the spread; a tenth of
        # its size is a usual one
        scale = max(scale, 0.1 * centre) or 1e-9
    return scale, np.inf if count == 1 else count - 1.0


def _length(prior: Prior, space: Space) -> float:
    """Median length scale: distances grow with the root of the number of factors."""
    return prior.length * float(np.sqrt(space.width))


def _shared_out(weight: float, parts: int, physical: bool) -> list[np.ndarray]:
    """Which paths of each hypothesis are used: the first so many of `ORDER`.

    Of two outcomes with unlike weights of the physics, the draws that both give to it are then of
    the same parameters, row by row.
    """
    first = round(weight * surrogate.DRAWS)
    counts = [first, surrogate.DRAWS - first] if parts == 2 else [surrogate.DRAWS]
    return [ORDER[:count] for count in counts]


def _verdict(weight: float, n: int) -> str:
    told = f"(weight of the physics {weight:.2f}, by leaving out each of {n} readings)"
    if weight < 0.3:
        return (
            f"the physics explains these data worse than a model-free fit {told}: suggestions "
            "lean on the data alone"
        )
    if weight > 0.7:
        return f"the physics predicts these data better than a model-free fit {told}"
    return f"physics and model-free fit predict these data about equally well {told}"
