"""The next experiments of a campaign, with what is expected of each and why it was chosen.

`propose` and `estimate` share one belief about the true means (`belief`): the same rows and the
same kept draws give the same answer in any process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import acquisition, outlook, plots, reasons, run_choice, run_prices, worth
from .acquisition import NEW, UNDERWAY, Pick
from .belief import TAIL
from .compiled import one_thread
from .errors import counted
from .goals import Aim, Goals
from .pool import CANDIDATES, Pool, listed

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..models.engine.lab_model import LabModel
    from .space import Space

NEAR = 256


@dataclass(frozen=True)
class Proposal:
    """Settings to run next.

    Attributes
    ----------
    settings : DataFrame
        One row an experiment, one column a factor.
    predicted : DataFrame
        ``predicted_mean``, ``predicted_low``, ``predicted_high`` (90 % equal-tailed interval of
        the setting's mean), ``predicted_batch_sd`` (of the mean of the next batch: that of the
        setting's mean and the scatter of batches; NaN where batches cannot be told from cells)
        and ``predicted_cell_sd`` (of one reading of the next cell: all of it).
    reason : list of str
        One sentence for each setting.
    draws : dict of arrays
        What `propose` and `estimate` take as ``kept`` to repeat this without a fit.
    weight : float
        Share of the physics in the belief, 0 without a model.
    notes : list of str
    gain : list of float or None
        Gain expected of each, in view of those before it, times the chance that its process works:
        in the unit of the worth that the campaign goes for, or in nats where readings are to
        teach. None where there is nothing yet to improve on; empty where nothing is expected.
    """

    settings: pd.DataFrame
    predicted: pd.DataFrame
    reason: list[str]
    draws: dict[str, np.ndarray]
    weight: float
    notes: list[str] = field(default_factory=list)
    gain: list[float | None] = field(default_factory=list)


@dataclass(frozen=True)
class Estimate:
    """Posterior of the true mean at settings.

    Attributes
    ----------
    draws : ndarray, shape (draw, setting)
        Joint draws of the first outcome.
    cell_sd, batch_sd : ndarray, shape (setting,)
        Standard deviation of one reading of the next cell, and of the next batch's mean.
    weight : float
        Share of the physics, 0 without a model.
    notes : list of str
    kept : dict of arrays
        As `Proposal.draws`.
    values, sd : dict of outcome to ndarray
        Draws of every outcome that goals name, and the sd of the next cell about its setting's
        mean (only where goals take it off).
    """

    draws: np.ndarray
    cell_sd: np.ndarray
    weight: float
    notes: list[str] = field(default_factory=list)
    kept: dict[str, np.ndarray] = field(default_factory=dict)
    values: dict[str, np.ndarray] = field(default_factory=dict)
    sd: dict[str, np.ndarray] = field(default_factory=dict)
    batch_sd: np.ndarray = field(default_factory=lambda: np.zeros(0))


@one_thread
def estimator(
    space: Space,
    rows: pd.DataFrame,
    *,
    objective: str,
    maximize: bool = True,
    model: LabModel | None = None,
    fixed: Mapping[str, Any] | None = None,
    seed: int = 1,
    options: Mapping[str, Any] | None = None,
    kept: Mapping[str, np.ndarray] | None = None,
    goals: Goals | None = None,
) -> Callable[[pd.DataFrame], Estimate]:
    """What is believed of the true mean, to be asked for settings; parameters as for `propose`.

    Returns
    -------
    callable
        Settings to an `Estimate`: draws in the unit of the objective, whichever direction is
        better. All that it is asked rests on the same draws.
    """
    wanted = goals or Goals((Aim(objective, "largest" if maximize else "smallest"),))
    found = outlook.look(
        space, rows, goals=wanted, model=model, fixed=fixed or {}, seed=seed, options=options,
        kept=kept,
    )  # fmt: skip

    @one_thread
    def estimate(settings: pd.DataFrame) -> Estimate:
        values = found.values(settings)
        draws = values[objective]
        cell, batch = found.first.spread(settings, draws)
        return Estimate(
            draws, cell, found.first.weight, found.notes, found.kept, values,
            found.sd(settings) if wanted.robust else {}, batch,
        )  # fmt: skip

    return estimate


def estimate(
    space: Space, rows: pd.DataFrame, settings: pd.DataFrame, **question: Any
) -> Estimate:
    """`estimator` asked once."""
    return estimator(space, rows, **question)(settings)


@one_thread
def propose(
    space: Space,
    rows: pd.DataFrame,
    *,
    objective: str,
    maximize: bool = True,
    model: LabModel | None = None,
    fixed: Mapping[str, Any] | None = None,
    n: int = 1,
    pending: pd.DataFrame | None = None,
    seed: int = 1,
    options: Mapping[str, Any] | None = None,
    kept: Mapping[str, np.ndarray] | None = None,
    goals: Goals | None = None,
    success: Callable[[pd.DataFrame], np.ndarray] | None = None,
    places: pd.DataFrame | None = None,
    lost: pd.DataFrame | None = None,
    units: Mapping[str, str] | None = None,
) -> Proposal:
    """Choose the next ``n`` experiments together.

    Parameters
    ----------
    space : Space
        Factors and rules; every suggestion keeps them.
    rows : DataFrame
        What has been measured: factors, fixed columns, levels, outcomes; may be empty with a
        model.
    objective : str
        Outcome column to improve.
    maximize : bool
        Whether larger is better.
    model : LabModel, optional
        The physics.
    fixed : mapping
        Columns that are the same for every suggestion.
    n : int
        Number of suggestions, 1 or more.
    pending : DataFrame, optional
        Settings that are underway or not wanted: suggestions keep away from them.
    seed : int
        Source of all randomness, apart from ``kept``.
    options : mapping, optional
        See `belief.believe`.
    kept : mapping of arrays, optional
        `Proposal.draws` of the same rows and model.
    goals : Goals, optional
        What to go for where it is not just the objective.
    success : callable, optional
        Chance that the process does not fail, ``(m,)``, at settings.
    places : DataFrame, optional
        Settings at which the equipment stands or will stand: where goals price change-overs,
        the next run starts from one of them.
    lost : DataFrame, optional
        Settings that failed or were dropped, be they among the pending or not: they are not
        suggested again, and nothing to improve on. How far to keep away from failures, `success`
        says.
    units : mapping, optional
        Units of outcomes that are no known column, for the reasons.

    Returns
    -------
    Proposal

    Raises
    ------
    DoeError
        If nothing is known, or nothing is feasible.
    """
    wanted = goals or Goals((Aim(objective, "largest" if maximize else "smallest"),))
    found = outlook.look(
        space, rows, goals=wanted, model=model, fixed=fixed or {}, seed=seed, options=options,
        kept=kept,
    )  # fmt: skip
    rng = np.random.default_rng([seed, 5])
    pool = listed(space, found, pending, wanted, rng, success, lost)
    picks, priced = _search(pool, n, rng, places)
    chosen = [p.index for p in picks]
    settings = pool.settings.iloc[chosen].reset_index(drop=True)
    predicted = predictions(pool, settings, chosen)
    notes = list(found.notes)
    again = sum(p.repeat for p in picks)
    if again and not (wanted.learn or wanted.decide):
        notes.append(
            f"repeats of settings in {counted(n, 'suggestion')}: {again}; knowing their means "
            "better is worth more than any setting that is left"
        )
    if priced:
        notes.append(
            f"{run_prices.said(space, settings)}: most gain for the price of each run, change-over "
            "and run included"
        )
    reason = reasons.told(picks, pool, units)
    gain: list[float | None] = [p.gain * float(pool.chance[p.index]) for p in picks]
    if not (pool.teaches or (pool.state != NEW).any()):
        gain[0] = None  # an expected value, with nothing that it could be better than
    return Proposal(settings, predicted, reason, found.kept, found.first.weight, notes, gain)


def predictions(pool: Pool, settings: pd.DataFrame, chosen: list[int]) -> pd.DataFrame:
    """``predicted_*`` of the settings chosen; with several outcomes, those of each."""
    first = pool.goals.aims[0].outcome
    table = pd.DataFrame(index=range(len(chosen)))
    for name, draws in pool.raw.items():
        means = draws[:, chosen]
        low, high = np.quantile(means, [TAIL, 1.0 - TAIL], axis=0)
        end = "" if name == first else f"_{name}"
        table[f"predicted_mean{end}"] = means.mean(axis=0)
        table[f"predicted_low{end}"], table[f"predicted_high{end}"] = low, high
        cell, batch = pool.found.beliefs[name].spread(settings, means)
        table[f"predicted_batch_sd{end}"], table[f"predicted_cell_sd{end}"] = batch, cell
    if pool.goals.require:
        at = {name: draws[:, chosen] for name, draws in pool.raw.items()}
        table["predicted_p_meets"] = worth.met(pool.goals, at).mean(axis=0)
    return table


def _search(
    pool: Pool, n: int, rng: np.random.Generator, places: pd.DataFrame | None
) -> tuple[list[Pick], bool]:
    """Choose from the pool after two looks, each closer, around what is promising in it.

    Where factors are hard to change, the first of each run is chosen freely and the others among
    the settings that share its hard factors. Where something that a run shares has a price, runs
    are chosen whole, which is said beside.
    """
    if pool.space.grid(2 * CANDIDATES) is None:
        for scale in (0.1, 0.03):
            mean = pool.values.mean(axis=0)
            gain = acquisition.gains(pool.values, pool.state)
            centres = [p.index for p in pool.choose(min(n, 8), rng)]
            for worth, count in ((gain, 6), (mean, 6)):
                worth = np.where(pool.legal, worth, -np.inf)
                centres += [int(i) for i in np.argsort(-worth, kind="stable")[:count]]
            near = pool.settings.iloc[[i for i in dict.fromkeys(centres) if pool.legal[i]]]
            many = -(-NEAR // len(near))
            pool.add(pool.space.neighbours(near, rng, many, scale), NEW)
    many, prices = plots.size(pool.space, n), pool.goals.prices
    priced = prices is not None and run_prices.shared_price(prices)
    if prices is not None and priced and (pool.teaches or (pool.state != NEW).any()):
        known = run_prices.RunPrices.of(pool.space, prices, places)
        return run_choice.choose(pool, n, many, rng, known), True
    return pool.choose(n, rng) if many == 1 else _in_runs(pool, n, many, rng), False


def _in_runs(pool: Pool, n: int, many: int, rng: np.random.Generator) -> list[Pick]:
    """Choose ``n`` settings in runs of ``many`` that share the hard-to-change factors."""
    if pool.teaches:
        return run_choice.filled(pool, n, many, rng)
    picks: list[Pick] = []
    while len(picks) < n:
        lead = _one(pool, picks, pool.legal, rng)
        picks.append(lead)
        setting = pool.settings.iloc[lead.index]
        pool.add(plots.siblings(pool.space, setting, NEAR, rng), NEW)
        fellows = pool.legal & plots.same_run(pool.space, pool.settings, setting)
        fellows[lead.index] = False
        for _ in range(min(many, n - len(picks) + 1) - 1):
            if not fellows.any():
                break
            picks.append(_one(pool, picks, fellows, rng))
            fellows[picks[-1].index] = False
    return picks


def _one(pool: Pool, picks: list[Pick], legal: np.ndarray, rng: np.random.Generator) -> Pick:
    """The next pick among the legal, in view of those before it."""
    state = pool.state.copy()
    state[[p.index for p in picks if not p.repeat]] = UNDERWAY
    return pool.pick(1, rng, legal, state, picks)[0]
