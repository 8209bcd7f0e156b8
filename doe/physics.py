"""The physics as the surrogate sees it: a few hundred draws of expected values and scatter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import surrogate
from .errors import CampaignError

if TYPE_CHECKING:
    from ..models.engine.lab_model import LabModel
    from .space import Space

_PREFIX = "posterior:"
SAMPLER: dict[str, Any] = {"draws": 400, "tune": 400, "chains": 2, "rhat": 1.1}
"""For the few hundred draws that are kept; chains that disagree by less move no suggestion. Two
chains find that out as well as four, for half the warm-up."""


@dataclass(frozen=True)
class Physics:
    """A fitted model's response for one objective at one condition.

    The draws are those that a campaign keeps: rounded to 32 bit first, so that the process that
    fitted and the one that reads them back say the same.
    """

    response: Any
    objective: str
    fixed: Mapping[str, Any]
    notes: list[str] = field(default_factory=list)

    @classmethod
    def learn(
        cls,
        model: LabModel,
        rows: pd.DataFrame,
        space: Space,
        objective: str,
        fixed: Mapping[str, Any],
        seed: int,
        options: Mapping[str, Any],
        kept: dict[str, np.ndarray],
    ) -> Physics:
        """Fit the model, or take the draws of ``kept``; new draws are put there."""
        rows, notes = comparable(rows, model)
        table = _with_condition(rows, space, objective, fixed)
        statements = bool(options.get("statements", False))
        fit = None
        if any(name.startswith(_PREFIX) for name in kept):
            try:
                fit = _restored(model, table, statements, kept)
            except KeyError:
                kept.clear()
                notes.append("the kept draws are of another version of the model: fitted again")
        if fit is None:
            sampled = model.fit(table, seed=seed, statements=statements, **SAMPLER)
            kept |= _thinned(sampled)
            notes += sampled.convergence.sentences
            fit = _restored(model, table, statements, kept)
        known = {
            name: value
            for name, value in fixed.items()
            if not isinstance(value, str) or name in _named_groups(model)
        }
        return cls(fit.response(objective), objective, known, notes)

    def mean(self, settings: pd.DataFrame) -> np.ndarray:
        """Expected value over new runs, batches and cells, ``(draws, settings)``."""
        return self._blocks(lambda table: self.response.mean(table), settings)

    def scatter(self, settings: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Sd of a cell within its batch, and of a batch's mean, ``(settings,)`` each."""
        _, noise, batch = self.moments(settings)
        return np.sqrt((noise**2).mean(axis=0)), batch

    def moments(self, settings: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Expected value and sd of a cell within its batch, ``(draws, settings)`` each, and the sd
        of a batch's mean, ``(settings,)``; all in one pass."""
        outcome = self.response.outcome
        names = (f"mean:{outcome}", f"noise:{outcome}")

        def both(table: pd.DataFrame) -> np.ndarray:
            values = self.response.evaluate(names, table)
            drawn = self.response.draw(table, "batch", np.random.default_rng(0))
            return np.stack([values[names[0]], values[names[1]], drawn])

        mean, noise, drawn = self._blocks(both, settings, 3)
        batch = ((drawn - mean) ** 2).mean(axis=0) if len(settings) else np.zeros(0)
        return mean, noise, np.sqrt(batch)

    def _blocks(self, function: Any, settings: pd.DataFrame, *shape: int) -> np.ndarray:
        """Evaluate in blocks of one size, so that another number of settings compiles nothing.

        The function's values have settings on their last axis, and ``shape`` before the draws.
        """
        table = settings.assign(**self.fixed)
        size = surrogate.BLOCK if len(table) > 64 else 64
        blocks = []
        for start in range(0, len(table), size):
            block = table.iloc[start : start + size]
            lack = size - len(block)
            full = block.iloc[np.r_[np.arange(len(block)), np.full(lack, len(block) - 1)]]
            values = function(full.reset_index(drop=True))
            blocks.append(np.asarray(values)[..., : len(block)])
        if not blocks:
            return np.zeros((*shape, self.response.n_draws, 0))
        return np.concatenate(blocks, axis=-1)


def comparable(rows: pd.DataFrame, model: LabModel) -> tuple[pd.DataFrame, list[str]]:
    """Rows whose readings say of what kind they are, as the model asks; and what was assumed.

    A result written into the form of a suggestion says neither its basis nor its cycles or charge
    mode. Beside readings that do (the literature's) it is taken as one of their kind; the
    campaign's file keeps it as it was given.

    Raises
    ------
    CampaignError
        If readings say of themselves that they are of unlike kinds.
    """
    rows, assumed = rows.copy(), {}
    for outcome in model.outcomes:
        if outcome.name not in rows:
            continue
        read: Any = rows[outcome.name].notna()
        for column in (c for c in outcome.alike if c in rows and c not in model.pooled):
            said: Any = rows[column].where(rows[column].notna() & rows[column].ne(""))
            kinds = said[read].dropna().unique()
            if len(kinds) > 1:
                told = ", ".join(f"{kind} ({int(said[read].eq(kind).sum())})" for kind in kinds)
                raise CampaignError(
                    f"{outcome.name} of unlike {column} would be pooled, by number of readings: "
                    f"{told}. Take back those of the other kind (campaign.withdraw; `ssbayes rows` "
                    "shows their numbers)")
            silent: Any = read & said.isna()
            if len(kinds) and silent.any():
                rows.loc[silent, column] = kinds[0]
                key = outcome.name, int(silent.sum())
                assumed.setdefault(key, []).append(f"{column} {kinds[0]}")
    return rows, [f"readings of {name} that do not say of what kind they are ({count}) are taken "
                  f"as the others: {', '.join(kinds)}" for (name, count), kinds in assumed.items()]


def _named_groups(model: LabModel) -> set[str]:
    """Levels that a prediction must know (a mill, a method), unlike runs, batches and cells."""
    return {group.name for group in model.groups if not group.varies}


def _with_condition(
    rows: pd.DataFrame, space: Space, objective: str, fixed: Mapping[str, Any]
) -> pd.DataFrame:
    """The rows and one unmeasured setting at the fixed condition.

    It makes the fit know the levels that are asked for, a mill without readings for instance.
    """
    blank = space.sample(1, np.random.default_rng(0)).assign(**fixed)
    if not len(rows):
        return blank.assign(**{objective: np.nan})
    told = rows.reset_index(drop=True)
    return pd.concat([told, blank.reindex(columns=told.columns)], ignore_index=True)


def _thinned(fit: Any) -> dict[str, np.ndarray]:
    """As many draws as there are paths, without effects of runs, batches and cells."""
    varying = {g.name for g in fit.model.groups if g.varies}
    effects = fit.graph.registry.effects
    draws = fit.parameters(fit.thin(surrogate.DRAWS))
    return {
        _PREFIX + name: values.astype(np.float32)
        for name, values in draws.items()
        if effects.get(name) not in varying
    }


def _restored(
    model: LabModel, table: pd.DataFrame, statements: bool, kept: Mapping[str, np.ndarray]
) -> Any:
    """A fit with the kept draws; effects that were not kept are zero, nobody asks for them."""
    from ..models import Fit

    draws = {
        name.removeprefix(_PREFIX): values
        for name, values in kept.items()
        if name.startswith(_PREFIX)
    }
    return Fit.from_draws(model, table, draws, statements=statements)
