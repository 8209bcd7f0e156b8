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
from . import acquisition, belief
from .acquisition import Pick
from .belief import Belief

if TYPE_CHECKING:
    from ..models.engine.lab_model import LabModel
    from .space import Space

CANDIDATES = 1024
NEAR = 256
PREDICTED = ["predicted_mean", "predicted_low", "predicted_high", "predicted_cell_sd"]
TAIL = 0.05
"""Tail on either side of the 90 % equal-tailed intervals."""


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
    rng = np.random.default_rng([seed, 5])
    sign = 1.0 if maximize else -1.0
    allowed = found.tried[space.allowed(found.tried)] if len(found.tried) else found.tried
    tried = allowed[space.names].reset_index(drop=True)
    waiting = space.frame(pending)[space.names] if pending is not None and len(pending) else None
    search = _Search(space, found, sign, tried, waiting, rng)
    picks = search.run(n)
    repeated = search.tried.iloc[[p.index for p in picks if p.repeat]]
    settings = pd.DataFrame(
        [(search.tried if p.repeat else search.new).iloc[p.index] for p in picks],
        columns=space.names,
    ).reset_index(drop=True)
    settings = settings.astype({name: search.new[name].dtype for name in space.names})
    means = np.stack(
        [(search.f_tried if p.repeat else search.f_new)[:, p.index] for p in picks], axis=1
    )
    low, high = np.quantile(sign * means, [TAIL, 1.0 - TAIL], axis=0)
    predicted = pd.DataFrame(
        {
            "predicted_mean": sign * means.mean(axis=0),
            "predicted_low": low,
            "predicted_high": high,
            "predicted_cell_sd": found.cell_sd(settings, means),
        }
    )
    notes = list(found.notes)
    if len(repeated):
        notes.append(
            f"{len(repeated)} of {n} suggestions repeat tried settings: knowing their means "
            "better is worth more than another setting"
        )
    reason = _reasons(picks, search, found, objective)
    return Proposal(settings, predicted, reason, found.kept, found.weight, notes)


class _Search:
    """Candidates over the space, then around the best of them, and the paths' values at all."""

    def __init__(
        self,
        space: Space,
        found: Belief,
        sign: float,
        tried: pd.DataFrame,
        waiting: pd.DataFrame | None,
        rng: np.random.Generator,
    ) -> None:
        self.space, self.found, self.sign, self.rng = space, found, sign, rng
        self.tried = tried
        draws = np.zeros((belief.surrogate.DRAWS, 0))
        self.f_tried = self._value(tried) if len(tried) else draws
        self.f_waiting = draws if waiting is None else self._value(waiting)
        known = [space.encode(tried)] if len(tried) else []
        known += [] if waiting is None else [space.encode(waiting)]
        self._seen = {tuple(row) for part in known for row in np.round(part, 9)}
        self.noise = found.noise(tried) if len(tried) else np.zeros(0)
        again = space.feasible(tried) if len(tried) else np.zeros(0, dtype=bool)
        if waiting is not None and len(tried):
            open_ones = {tuple(row) for row in np.round(space.encode(waiting), 9)}
            again &= [tuple(r) not in open_ones for r in np.round(space.encode(tried), 9)]
        self.again = again
        self.new = tried.iloc[:0]
        self.f_new = draws

    def run(self, n: int) -> list[Pick]:
        every = self.space.grid(2 * CANDIDATES)
        self._add(self.space.sample(CANDIDATES, self.rng) if every is None else every)
        if every is None:
            if len(self.tried):
                order = np.argsort(-self.f_tried.mean(axis=0), kind="stable")[:4]
                legal = self.tried.iloc[order]
                self._near(legal[self.space.feasible(legal)], 0.1)
            for scale in (0.1, 0.03):
                self._near(self._promising(n), scale)
        return self._choose(n)

    def _choose(self, n: int) -> list[Pick]:
        return acquisition.greedy(
            self.f_new, self.f_tried, self.f_waiting, self.noise, n, self.rng, self.again
        )

    def _promising(self, n: int) -> pd.DataFrame:
        """Settings worth a closer look: this round's picks, the best gains, the best means."""
        known = np.concatenate([self.f_tried, self.f_waiting], axis=1)
        mean = self.f_new.mean(axis=0)
        gain = (
            mean if not known.shape[1] else acquisition.improvement(self.f_new, known.max(axis=1))
        )
        chosen = [p.index for p in self._choose(n) if not p.repeat][:8]
        chosen += [*np.argsort(-gain, kind="stable")[:6], *np.argsort(-mean, kind="stable")[:4]]
        return self.new.iloc[list(dict.fromkeys(int(i) for i in chosen))]

    def _near(self, centres: pd.DataFrame, scale: float) -> None:
        if len(centres):
            many = -(-NEAR // len(centres))
            self._add(self.space.neighbours(centres, self.rng, many, scale))

    def _add(self, settings: pd.DataFrame) -> None:
        """Settings that are not tried, waiting or listed already, with their values."""
        settings = settings[self.space.names].reset_index(drop=True)
        codes = np.round(self.space.encode(settings), 9)
        fresh = []
        for i, row in enumerate(map(tuple, codes)):
            if row not in self._seen:
                self._seen.add(row)
                fresh.append(i)
        if not fresh:
            return
        settings = settings.iloc[fresh]
        self.f_new = np.concatenate([self.f_new, self._value(settings)], axis=1)
        self.new = (
            pd.concat([self.new, settings], ignore_index=True) if len(self.new) else settings
        ).reset_index(drop=True)

    def _value(self, settings: pd.DataFrame) -> np.ndarray:
        return self.sign * self.found.mean(settings)


def _reasons(picks: list[Pick], search: _Search, found: Belief, objective: str) -> list[str]:
    """Why each pick was made, in one sentence."""
    known = columns.COLUMNS.get(objective)
    unit = f" {known.unit}" if known is not None and known.unit not in ("", "1") else ""
    said = []
    if not search.f_tried.shape[1]:
        return ["from the physics and its priors alone: no reading at this condition yet"] * len(
            picks
        )
    means = search.f_tried.mean(axis=0)
    best = search.f_tried[:, int(np.argmax(means))]
    top = search.f_new.mean(axis=0).max(initial=-np.inf)
    for pick in picks:
        value = (search.f_tried if pick.repeat else search.f_new)[:, pick.index]
        sd = value.std()
        if pick.repeat:
            first = (value >= search.f_tried.max(axis=1)).mean()
            said.append(
                f"repeats a tried setting: its mean is known to +/- {sd:.2g}{unit} (sd) and it "
                f"is the best tried with probability {first:.2f}"
            )
            continue
        gain, better = (value - best).mean(), (value > best).mean()
        if gain >= 0.0 and value.mean() >= top - 0.1 * sd:
            most = "highest" if search.sign > 0.0 else "lowest"
            told = f"{most} expected {objective}: {gain:.2g}{unit} better than the best tried"
        elif gain >= 0.0:
            told = f"expected to be {gain:.2g}{unit} better than the best tried"
        else:
            told = f"explores: not sure here (sd {sd:.2g}{unit})"
        told += f", P(better) {better:.2f}"
        said.append(told + _whose(value > best, found))
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
    return f" ({leads} expects it: {physical:.2f} by the physics, {alone:.2f} without)"
