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

from ..data import columns
from . import acquisition, belief, plots
from .acquisition import NEW, TRIED, UNDERWAY, Pick
from .belief import TAIL, Belief

if TYPE_CHECKING:
    from ..models.engine.lab_model import LabModel
    from .space import Space

CANDIDATES = 1024
NEAR = 256
PREDICTED = ["predicted_mean", "predicted_low", "predicted_high", "predicted_cell_sd"]


@dataclass(frozen=True)
class Proposal:
    """Settings to run next.

    Attributes
    ----------
    settings : DataFrame
        One row an experiment, one column a factor.
    predicted : DataFrame
        ``predicted_mean``, ``predicted_low``, ``predicted_high`` (90 % equal-tailed interval of
        the setting's mean) and ``predicted_cell_sd`` (of one reading of the next cell).
    reason : list of str
        One sentence for each setting.
    draws : dict of arrays
        What `propose` and `estimate` take as ``kept`` to repeat this without a fit.
    weight : float
        Share of the physics in the belief, 0 without a model.
    notes : list of str
    """

    settings: pd.DataFrame
    predicted: pd.DataFrame
    reason: list[str]
    draws: dict[str, np.ndarray]
    weight: float
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Estimate:
    """Posterior of the true mean at settings.

    Attributes
    ----------
    draws : ndarray, shape (draw, setting)
        Joint draws.
    cell_sd : ndarray, shape (setting,)
        Standard deviation of one reading of the next cell.
    weight : float
        Share of the physics, 0 without a model.
    notes : list of str
    kept : dict of arrays
        As `Proposal.draws`.
    """

    draws: np.ndarray
    cell_sd: np.ndarray
    weight: float
    notes: list[str] = field(default_factory=list)
    kept: dict[str, np.ndarray] = field(default_factory=dict)


def estimate(
    space: Space,
    rows: pd.DataFrame,
    settings: pd.DataFrame,
    *,
    objective: str,
    maximize: bool = True,
    model: LabModel | None = None,
    fixed: Mapping[str, Any] | None = None,
    seed: int = 1,
    options: Mapping[str, Any] | None = None,
    kept: Mapping[str, np.ndarray] | None = None,
) -> Estimate:
    """What is believed of the true mean of settings; parameters as for `propose`.

    Returns
    -------
    Estimate
        Draws in the unit of the objective, whichever direction is better.
    """
    found = belief.believe(
        space, rows, objective=objective, model=model, fixed=fixed or {}, seed=seed,
        options=options, kept=kept,
    )  # fmt: skip
    draws = found.mean(settings)
    return Estimate(draws, found.cell_sd(settings, draws), found.weight, found.notes, found.kept)


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

    Returns
    -------
    Proposal

    Raises
    ------
    DoeError
        If nothing is known, or nothing is feasible.
    """
    found = belief.believe(
        space, rows, objective=objective, model=model, fixed=fixed or {}, seed=seed,
        options=options, kept=kept,
    )  # fmt: skip
    sign = 1.0 if maximize else -1.0
    rng = np.random.default_rng([seed, 5])
    pool = _listed(space, found, pending, sign, rng)
    picks = _search(pool, n, rng)
    chosen = [p.index for p in picks]
    settings = pool.settings.iloc[chosen].reset_index(drop=True)
    means = sign * pool.values[:, chosen]
    low, high = np.quantile(means, [TAIL, 1.0 - TAIL], axis=0)
    predicted = pd.DataFrame(
        {
            "predicted_mean": means.mean(axis=0),
            "predicted_low": low,
            "predicted_high": high,
            "predicted_cell_sd": found.cell_sd(settings, means),
        }
    )
    notes = list(found.notes)
    again = sum(p.repeat for p in picks)
    if again:
        notes.append(
            f"{again} of {n} suggestions repeat settings: knowing their means better is worth "
            "more than any setting that is left"
        )
    reason = _reasons(picks, pool, objective, sign)
    return Proposal(settings, predicted, reason, found.kept, found.weight, notes)


@dataclass
class _Pool:
    """Settings listed so far, their state, and the draws of their means, larger being better."""

    space: Space
    found: Belief
    sign: float
    settings: pd.DataFrame
    values: np.ndarray
    state: np.ndarray
    legal: np.ndarray
    noise: np.ndarray
    seen: set[bytes]

    def add(self, settings: pd.DataFrame, state: int) -> None:
        """List the settings that are not listed yet."""
        settings = settings.reindex(columns=self.space.names)
        codes = np.round(self.space.encode(settings), 9) + 0.0
        fresh = []
        for i, row in enumerate(codes):
            if row.tobytes() not in self.seen:
                self.seen.add(row.tobytes())
                fresh.append(i)
        if not fresh:
            return
        more = settings.iloc[fresh]
        parts = [self.settings, more] if len(self.settings) else [more]
        self.settings = pd.concat(parts, ignore_index=True)
        values = self.sign * self.found.mean(more)
        self.values = np.concatenate([self.values, values], axis=1)
        self.state = np.append(self.state, np.full(len(more), state))
        legal = np.ones(len(more), bool) if state == NEW else self.space.feasible(more)
        self.legal = np.append(self.legal, legal)
        noise = self.found.noise(more) if state == TRIED else np.zeros(len(more))
        self.noise = np.append(self.noise, noise)

    def choose(self, n: int, rng: np.random.Generator) -> list[Pick]:
        return acquisition.greedy(self.values, self.state, self.noise, n, rng, self.legal)


def _listed(
    space: Space, found: Belief, pending: pd.DataFrame | None, sign: float,
    rng: np.random.Generator,
) -> _Pool:  # fmt: skip
    """Settings underway, those tried that keep the rules, and candidates over the space."""
    blank = found.tried.iloc[:0].reindex(columns=space.names)
    none = np.zeros(0)
    pool = _Pool(
        space, found, sign, blank, np.zeros((belief.surrogate.DRAWS, 0)), none.astype(int),
        none.astype(bool), none, set(),
    )  # fmt: skip
    if pending is not None and len(pending):
        pool.add(space.frame(pending), UNDERWAY)
    if len(found.tried):
        pool.add(found.tried.iloc[np.flatnonzero(space.allowed(found.tried))], TRIED)
    every = space.grid(2 * CANDIDATES)
    pool.add(space.sample(CANDIDATES, rng) if every is None else every, NEW)
    return pool


def _search(pool: _Pool, n: int, rng: np.random.Generator) -> list[Pick]:
    """Choose from the pool after two looks, each closer, around what is promising in it.

    Where factors are hard to change, the first of each run is chosen freely and the others among
    the settings that share its hard factors.
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
    many = plots.size(pool.space, n)
    return pool.choose(n, rng) if many == 1 else _in_runs(pool, n, many, rng)


def _in_runs(pool: _Pool, n: int, many: int, rng: np.random.Generator) -> list[Pick]:
    """Choose ``n`` settings in runs of ``many`` that share the hard-to-change factors."""
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


def _one(pool: _Pool, picks: list[Pick], legal: np.ndarray, rng: np.random.Generator) -> Pick:
    """The next pick among the legal, in view of those before it."""
    state = pool.state.copy()
    state[[p.index for p in picks if not p.repeat]] = UNDERWAY
    return acquisition.greedy(pool.values, state, pool.noise, 1, rng, legal)[0]


def _reasons(picks: list[Pick], pool: _Pool, objective: str, sign: float) -> list[str]:
    """Why each pick was made, in one sentence."""
    known = columns.COLUMNS.get(objective)
    unit = f" {known.unit}" if known is not None and known.unit not in ("", "1") else ""
    means = pool.values.mean(axis=0)
    tried = np.flatnonzero(pool.state == TRIED)
    if not len(tried):
        told = "no reading at this condition yet: from the physics, its priors and other rows"
        return [told] * len(picks)
    best = pool.values[:, tried[np.argmax(means[tried])]]
    top = pool.values[:, tried].max(axis=1)
    highest = means[(pool.state == NEW) & pool.legal].max(initial=-np.inf)
    said = []
    for pick in picks:
        value = pool.values[:, pick.index]
        sd, gain, better = value.std(), (value - best).mean(), (value > best).mean()
        if pick.repeat:
            told = (
                f"repeats a setting: its mean is known to +/- {sd:.2g}{unit} (sd), and it is the "
                f"best tried with probability {(value >= top).mean():.2f}"
            )
        elif gain < 0.0:
            told = f"explores: not sure here (sd {sd:.2g}{unit}), P(better) {better:.2f}"
        else:
            told = f"expected {gain:.2g}{unit} better than the best tried, P(better) {better:.2f}"
            if means[pick.index] >= highest - 0.1 * sd:
                most = "highest" if sign > 0.0 else "lowest"
                told = f"{most} expected {objective}: {told}"
        said.append(told + _whose(value > best, pool.found))
    return said


def _whose(better: np.ndarray, found: Belief) -> str:
    """Which hypothesis expects more of a setting, where they differ."""
    count = found.physical
    if not 0 < count < len(better):
        return ""
    physical, alone = better[:count].mean(), better[count:].mean()
    if abs(physical - alone) < 0.25:
        return ""
    leads = "the physics" if physical > alone else "the model-free fit"
    return f" ({leads} leads: {physical:.2f} by the physics, {alone:.2f} without)"
