"""What is believed of every outcome that goals or uncertain rules name, where it is asked for.

Outcomes that the model predicts share one fit of it; an outcome that the model does not know is
believed by its readings alone. Draws of two outcomes go together as far as the physics does: the
discrepancies of two outcomes are independent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import belief
from .belief import Belief
from .errors import DoeError, unknown
from .goals import MODELS, Goals

if TYPE_CHECKING:
    from ..models.engine.lab_model import LabModel
    from .space import Space

PARAMETER = "posterior:"


@dataclass(frozen=True)
class Outlook:
    """Beliefs by outcome, the first aim's first."""

    beliefs: dict[str, Belief]

    @property
    def first(self) -> Belief:
        """The belief of the first aim."""
        return next(iter(self.beliefs.values()))

    @property
    def tried(self) -> pd.DataFrame:
        """Settings with a reading of the first aim."""
        return self.first.tried

    @property
    def kept(self) -> dict[str, np.ndarray]:
        """What is kept of all of them."""
        return {name: a for found in self.beliefs.values() for name, a in found.kept.items()}

    @property
    def notes(self) -> list[str]:
        """What each belief has to say; of several outcomes each says whose it is."""
        many = len(self.beliefs) > 1
        said = [
            f"{name}: {note}" if many else note
            for name, found in self.beliefs.items()
            for note in found.notes
        ]
        return list(dict.fromkeys(said))

    def values(self, settings: pd.DataFrame) -> dict[str, np.ndarray]:
        """Draws of the true means, ``(draws, m)`` an outcome."""
        return {name: found.mean(settings) for name, found in self.beliefs.items()}

    def sd(self, settings: pd.DataFrame) -> dict[str, np.ndarray]:
        """Sd of one reading of the next cell about its setting's mean, ``(m,)`` an outcome."""
        return {name: found.noise(settings) for name, found in self.beliefs.items()}

    def parameters(self, names: tuple[str, ...]) -> np.ndarray:
        """Draws of parameters of the physics in the same order as those of the means.

        Raises
        ------
        DoeError
            If the model has no such parameter.
        """
        kept = self.first.kept
        known = sorted(k.removeprefix(PARAMETER) for k in kept if k.startswith(PARAMETER))
        columns = []
        for name in names:
            if name not in known:
                raise DoeError(unknown(name, known, "parameter of the model"))
            draws = np.asarray(kept[PARAMETER + name], dtype=float)[belief.ORDER]
            columns.append(draws.reshape(len(draws), -1))
        return np.concatenate(columns, axis=1)


def look(
    space: Space,
    rows: pd.DataFrame,
    *,
    goals: Goals,
    model: LabModel | None,
    fixed: Mapping[str, Any],
    seed: int,
    options: Mapping[str, Any] | None = None,
    kept: Mapping[str, np.ndarray] | None = None,
) -> Outlook:
    """Learn from rows about every outcome; parameters as for `belief.believe`.

    Raises
    ------
    DoeError
        If nothing is known of an outcome: the message names it.
    """
    assumed = None
    if goals.learn:
        if model is None:
            raise DoeError("learn= is about a model's parameters; give the campaign a model")
        assumed = 0.5 if goals.learn == (MODELS,) else 1.0
    known = dict(kept or {})
    beliefs: dict[str, Belief] = {}
    names = list(dict.fromkeys([*goals.outcomes, *space.asks]))
    for k, name in enumerate(names):
        knows = len(names) == 1 or predicts(model, name)
        beliefs[name] = belief.believe(
            space, rows, objective=name, model=model if knows else None,
            fixed=fixed, seed=seed, options=options, kept=known, key=f":{name}" if k else "",
            assumed=assumed,
        )  # fmt: skip
        known |= beliefs[name].kept
    return Outlook(beliefs)


def predicts(model: LabModel | None, outcome: str) -> bool:
    """Whether the model has the outcome."""
    if model is None:
        return False
    table: Any = model.columns
    return bool(((table["role"] == "outcome") & (table["name"] == outcome)).any())
