"""Strategies that play on virtual mills, one experiment at a time.

A strategy is made with ``(mill, seed)`` and has four methods: ``tell(rows)`` hands it the
readings of one more experiment, ``ask()`` gives the next setting, ``recommend()`` the tried
setting that it holds for the best, ``foresee()`` the one anywhere in the space. `STRATEGIES`
names them, `version` stamps their code, so that results of changed code are measured again.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable
from functools import cache
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from ssbayes.doe import virtual

ROOT = Path(__file__).resolve().parent.parent
PHYSICS = ("capacity.py", "microstructure.py", "milling.py", "statements.py")
FACTORS = ["rpm", "milling_min", "bead_mm"]


class Strategy(Protocol):
    def tell(self, rows: pd.DataFrame) -> None: ...
    def ask(self) -> pd.DataFrame: ...
    def recommend(self) -> pd.DataFrame: ...
    def foresee(self) -> pd.DataFrame: ...


class Random:
    """The settings that a random design would have tried; recommends the best reading."""

    def __init__(self, mill: virtual.VirtualMill, seed: int) -> None:
        self.design = starts(seed, 64)
        self.rows = pd.DataFrame()

    def tell(self, rows: pd.DataFrame) -> None:
        self.rows = pd.concat([self.rows, rows], ignore_index=True)

    def ask(self) -> pd.DataFrame:
        return self.design.iloc[[len(self.rows)]].reset_index(drop=True)

    def recommend(self) -> pd.DataFrame:
        return best_measured(self.rows)

    def foresee(self) -> pd.DataFrame:
        return self.recommend()


class Skopt:
    """scikit-optimize's Gaussian process, its defaults, with the rule as `space_constraint`.

    Recommends the tried setting of the largest expected mean under its own surrogate.
    """

    def __init__(self, mill: virtual.VirtualMill, seed: int) -> None:
        from skopt import Optimizer
        from skopt.space import Categorical, Real

        self.optimizer: Any = Optimizer(
            [
                Real(*virtual.RPM),
                Real(*virtual.MINUTES, prior="log-uniform"),
                Categorical(list(virtual.BEADS_MM)),
            ],
            base_estimator="GP",
            n_initial_points=1,
            random_state=seed,
            space_constraint=lambda x: not (x[0] >= 800.0 and x[1] > 20.0),
        )
        self.tried: list[list[float]] = []
        self.losses: list[float] = []
        self.told = 0

    def tell(self, rows: pd.DataFrame) -> None:
        self.tried.append(rows[FACTORS].to_numpy(dtype=float)[0].tolist())
        self.losses.append(-float(np.mean(rows["capacity_mAh_g"].to_numpy(dtype=float))))

    def _learn(self) -> None:
        """All new readings at once: one fit of the surrogate, as by one call of `tell`."""
        if self.told < len(self.tried):
            self.optimizer.tell(self.tried[self.told :], self.losses[self.told :])
            self.told = len(self.tried)

    def ask(self) -> pd.DataFrame:
        self._learn()
        return pd.DataFrame([[float(v) for v in self.optimizer.ask()]], columns=FACTORS)

    def recommend(self) -> pd.DataFrame:
        self._learn()
        surrogate = self.optimizer.models[-1]
        expected = surrogate.predict(self.optimizer.space.transform(self.tried))
        return pd.DataFrame([self.tried[int(np.argmin(expected))]], columns=FACTORS)

    def foresee(self) -> pd.DataFrame:
        """The best expected mean of its surrogate among many random settings and those tried."""
        self._learn()
        many = virtual.random_settings(8192, 0)[FACTORS].to_numpy().tolist() + self.tried
        expected = self.optimizer.models[-1].predict(self.optimizer.space.transform(many))
        return pd.DataFrame([many[int(np.argmin(expected))]], columns=FACTORS)


class Ssbayes:
    """A campaign of this project, through its public calls; recommends `Campaign.best`."""

    def __init__(self, mill: virtual.VirtualMill, seed: int) -> None:
        from ssbayes import doe

        model = self.physics()
        fixed: dict[str, Any] = {"c_rate": virtual.C_RATE, "filling": virtual.FILLING}
        if model is not None:
            fixed["mill"] = mill.name
        self.campaign = doe.Campaign(
            virtual.space(),
            maximize="capacity_mAh_g",
            fixed=fixed,
            model=model,
            seed=seed,
            initial=0,
        )
        self.suggestion: str | None = None

    def physics(self) -> Any:
        return None

    def tell(self, rows: pd.DataFrame) -> None:
        rows = rows.filter([*FACTORS, "capacity_mAh_g", "mill", "run", "batch", "cell"])
        if self.suggestion is not None:
            rows.insert(0, "suggestion", self.suggestion)
            self.suggestion = None
        self.campaign.record(rows)

    def ask(self) -> pd.DataFrame:
        table = self.campaign.suggest(1)
        self.suggestion = str(table["suggestion"].iloc[0])
        return table.filter(FACTORS).astype(float).reset_index(drop=True)

    def recommend(self) -> pd.DataFrame:
        return self._best("tried")

    def foresee(self) -> pd.DataFrame:
        return self._best("space")

    def _best(self, over: Any) -> pd.DataFrame:
        best: Any = self.campaign.best(over)
        return pd.DataFrame([[float(best[name]) for name in FACTORS]], columns=FACTORS)


class Physics(Ssbayes):
    """With the milling and capacity model under its own priors."""

    def physics(self) -> Any:
        return "capacity"


class WrongPhysics(Ssbayes):
    """The same model made to believe, almost surely, what is false in every virtual mill.

    Contacts complete at 3 J/g, ruin from 15 J/g on, and mills all alike: the gentlest and
    shortest run would be the best.
    """

    def physics(self) -> Any:
        from ssbayes import models

        return models.get(
            "capacity",
            contact_energy=(3.0, 0.05),
            contact_power=(2.0, 0.05),
            damage_energy=(15.0, 0.05),
            damage_stress_energy_exponent=(1.5, 0.05),
            damage_stress_number_exponent=(1.5, 0.05),
            milling__mill_stress_energy_sd=(0.1, 0.05),
            milling__mill_stress_frequency_sd=(0.1, 0.05),
        )


STRATEGIES: dict[str, Callable[[virtual.VirtualMill, int], Strategy]] = {
    "random": Random,
    "skopt_gp": Skopt,
    "physics": Physics,
    "wrong": WrongPhysics,
    "none": Ssbayes,
}
TITLES = {
    "random": "random search",
    "skopt_gp": "scikit-optimize GP",
    "physics": "ssbayes, physics",
    "wrong": "ssbayes, wrong physics",
    "none": "ssbayes, no physics",
}


def starts(seed: int, n: int) -> pd.DataFrame:
    """The first ``n`` of the random settings that belong to a mill's seed (64 at most)."""
    return virtual.random_settings(64, 10_000 + seed).head(n)


def best_measured(rows: pd.DataFrame) -> pd.DataFrame:
    """The setting of the largest reading."""
    top = int(np.argmax(rows["capacity_mAh_g"].to_numpy()))
    return rows.loc[[top], FACTORS].astype(float).reset_index(drop=True)


@cache
def version(strategy: str) -> str:
    """Stamp of a strategy: versions of peers, or a digest of our code without its comments."""
    made_by: Any = STRATEGIES[strategy]
    own = _digest([Path(__file__)], only=[base.__name__ for base in made_by.__mro__])
    if strategy == "random":
        return f"random-{own}"
    if strategy == "skopt_gp":
        return f"scikit-optimize-{installed('scikit-optimize')}-{own}"
    rooms = [*(ROOT / "doe").glob("*.py")]
    rooms = [p for p in rooms if not p.name.startswith(("virtual", "spaces"))]
    if strategy != "none":
        rooms += [*(ROOT / "models").glob("engine/*.py")]
        rooms += [ROOT / "models" / name for name in PHYSICS]
    return f"ssbayes-{_digest(rooms)}-{own}"


def _digest(files: list[Path], only: list[str] | None = None) -> str:
    """Eight hex digits of what the code says; docstrings and comments do not count."""
    digest = hashlib.sha256()
    for path in sorted(p for p in files if p.exists()):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if only is not None and getattr(node, "name", None) not in only:
                continue
            for inner in ast.walk(node):
                body = getattr(inner, "body", None)
                if isinstance(body, list) and body and _is_text(body[0]):
                    body[:1] = [ast.Pass()]
            digest.update(ast.dump(node).encode())
    return digest.hexdigest()[:8]


def _is_text(node: ast.AST) -> bool:
    constant = getattr(node, "value", None) if isinstance(node, ast.Expr) else None
    return isinstance(constant, ast.Constant) and isinstance(constant.value, str)
