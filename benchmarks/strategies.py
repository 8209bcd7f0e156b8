"""Strategies that play on virtual laboratories, one experiment at a time.

A strategy is made with ``(laboratory, seed)`` and has four methods: ``tell(rows)`` hands it the
readings of one more experiment, ``ask()`` gives the next setting, ``recommend()`` the tried
setting that it holds for the best, ``foresee()`` the one anywhere in the space. `STRATEGIES`
names them, `version` stamps their code, so that results of changed code are measured again.
"""

from __future__ import annotations

import ast
import hashlib
import os
import subprocess
from collections.abc import Callable
from functools import cache
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from ssbayes.doe import backtest, players, sk, virtual, virtual_coating
from ssbayes.doe.laboratory import VirtualLaboratory

ROOT = Path(__file__).resolve().parent.parent
LAW_VERSIONS = virtual.LAW_VERSIONS | virtual_coating.LAW_VERSIONS
PHYSICS = dict.fromkeys(virtual.LAW_VERSIONS, "capacity") | {
    "mechanofusion": "mechanofusion",
    "annealing": "annealing",
}
"""The model of each law's laboratories."""
BOTORCH = "SSBAYES_BOTORCH"
"""Variable of the environment with an interpreter that has botorch."""
NO_PART = ("virtual", "spaces", "laboratory", "recipe", "coatings", "players", "backtest")
"""Files of experiment design that no strategy runs through, by how their names begin."""


def laboratory(law: str, seed: int) -> VirtualLaboratory:
    """The virtual laboratory of a law and seed, whatever its kind."""
    if law in virtual_coating.LAW_VERSIONS:
        return virtual_coating.laboratory(seed, law)
    return virtual.mill(seed, law)


class Strategy(Protocol):
    def tell(self, rows: pd.DataFrame) -> None: ...
    def ask(self) -> pd.DataFrame: ...
    def recommend(self) -> pd.DataFrame: ...
    def foresee(self) -> pd.DataFrame: ...


class Random:
    """The settings that a random design would have tried; recommends the best reading."""

    def __init__(self, lab: VirtualLaboratory, seed: int) -> None:
        self.lab, self.design = lab, starts(lab, seed, 64)
        self.rows = pd.DataFrame()

    def tell(self, rows: pd.DataFrame) -> None:
        self.rows = pd.concat([self.rows, rows], ignore_index=True)

    def ask(self) -> pd.DataFrame:
        return self.design.iloc[[len(self.rows)]].reset_index(drop=True)

    def recommend(self) -> pd.DataFrame:
        return best_measured(self.lab, self.rows)

    def foresee(self) -> pd.DataFrame:
        return self.recommend()


class Skopt:
    """scikit-optimize's Gaussian process, its defaults, with the rules as `space_constraint`.

    Recommends the tried setting of the largest expected mean under its own surrogate. Steps and
    unused factors, which it does not know, are made legal after it has chosen.
    """

    def __init__(self, lab: VirtualLaboratory, seed: int) -> None:
        from skopt import Optimizer

        self.lab, self.rng = lab, np.random.default_rng(seed)
        self.optimizer: Any = Optimizer(
            sk.to_skopt(lab.space),
            base_estimator="GP",
            n_initial_points=1,
            random_state=seed,
            space_constraint=sk.allows(lab.space),
        )
        self.tried = pd.DataFrame()
        self.losses: list[float] = []
        self.told = 0

    def tell(self, rows: pd.DataFrame) -> None:
        setting = rows[self.lab.space.names].astype(float).head(1)
        self.tried = pd.concat([self.tried, setting], ignore_index=True)
        sign = -1.0 if self.lab.kind.maximize else 1.0
        readings = rows[self.lab.kind.objective].to_numpy(dtype=float)
        self.losses.append(sign * float(np.mean(readings)))

    def _learn(self) -> None:
        """All new readings at once: one fit of the surrogate, as by one call of `tell`."""
        if self.told < len(self.tried):
            new = sk.points(self.lab.space, self.tried.iloc[self.told :])
            self.optimizer.tell(new, self.losses[self.told :])
            self.told = len(self.tried)

    def ask(self) -> pd.DataFrame:
        self._learn()
        space = self.lab.space
        asked = pd.DataFrame([[float(v) for v in self.optimizer.ask()]], columns=space.names)
        setting = space.snap(asked)
        return setting if space.feasible(setting)[0] else sk.legal(space, setting, self.rng)

    def recommend(self) -> pd.DataFrame:
        self._learn()
        return self._best_of(self.tried)

    def foresee(self) -> pd.DataFrame:
        """The best expected mean of its surrogate among many random settings and those tried."""
        self._learn()
        many = self.lab.random_settings(8192, 0)[self.lab.space.names]
        return self._best_of(pd.concat([many, self.tried], ignore_index=True))

    def _best_of(self, settings: Any) -> pd.DataFrame:
        at = self.optimizer.space.transform(sk.points(self.lab.space, settings))
        best = int(np.argmin(self.optimizer.models[-1].predict(at)))
        return settings.iloc[[best]].astype(float).reset_index(drop=True)


class Botorch(players.External):
    """BoTorch's qLogNEI in the interpreter that the environment names (`BOTORCH`)."""

    def __init__(self, lab: VirtualLaboratory, seed: int) -> None:
        peer = str(Path(__file__).with_name("botorch_peer.py"))
        bench: Any = backtest.Laboratory(lab)
        super().__init__(bench, seed, [os.environ[BOTORCH], peer])
        self.lab = lab

    def foresee(self, settings: pd.DataFrame | None = None) -> pd.DataFrame:
        """The best expected mean of its surrogate among many random settings and those tried."""
        return super().foresee(self.lab.random_settings(8192, 0) if settings is None else settings)


class Ssbayes:
    """A campaign of this project, through its public calls; recommends `Campaign.best`."""

    def __init__(self, lab: VirtualLaboratory, seed: int) -> None:
        from ssbayes import doe

        self.lab, kind = lab, lab.kind
        model = self.physics()
        fixed: dict[str, Any] = dict(kind.fixed)
        if model is not None and kind.word == "mill":
            fixed["mill"] = lab.name
        goal: Any = {"maximize" if kind.maximize else "minimize": kind.objective}
        self.campaign = doe.Campaign(
            lab.space, fixed=fixed, model=model, seed=seed, initial=0, **goal
        )
        self.suggestion: str | None = None

    def physics(self) -> Any:
        return None

    def tell(self, rows: pd.DataFrame) -> None:
        told = [*self.lab.space.names, self.lab.kind.objective, "mill", "run", "batch", "cell"]
        rows = rows.filter(told)
        if self.suggestion is not None:
            rows.insert(0, "suggestion", self.suggestion)
            self.suggestion = None
        self.campaign.record(rows)

    def ask(self) -> pd.DataFrame:
        table = self.campaign.suggest(1)
        self.suggestion = str(table["suggestion"].iloc[0])
        return table.filter(self.lab.space.names).astype(float).reset_index(drop=True)

    def recommend(self) -> pd.DataFrame:
        return self._best("tried")

    def foresee(self) -> pd.DataFrame:
        return self._best("space")

    def _best(self, over: Any) -> pd.DataFrame:
        best: Any = self.campaign.best(over)
        names = self.lab.space.names
        return pd.DataFrame([[float(best[name]) for name in names]], columns=names)


class Physics(Ssbayes):
    """With the model of its kind of laboratory, under the model's own priors."""

    def physics(self) -> Any:
        return PHYSICS[self.lab.law]


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


STRATEGIES: dict[str, Callable[[VirtualLaboratory, int], Strategy]] = {
    "random": Random,
    "skopt_gp": Skopt,
    "botorch": Botorch,
    "physics": Physics,
    "wrong": WrongPhysics,
    "none": Ssbayes,
}
TITLES = {
    "random": "random search",
    "skopt_gp": "scikit-optimize GP",
    "botorch": "BoTorch qLogNEI",
    "physics": "ssbayes, physics",
    "wrong": "ssbayes, wrong physics",
    "none": "ssbayes, no physics",
}


def plays(strategy: str, law: str) -> bool:
    """Whether a strategy can play: wrong physics is for mills only, BoTorch must be there."""
    if strategy == "botorch":
        return BOTORCH in os.environ
    return strategy != "wrong" or law in virtual.LAW_VERSIONS


def starts(lab: VirtualLaboratory, seed: int, n: int) -> pd.DataFrame:
    """The first ``n`` of the random settings that belong to a laboratory's seed (64 at most)."""
    return lab.random_settings(64, 10_000 + seed).head(n)


def best_measured(lab: VirtualLaboratory, rows: pd.DataFrame) -> pd.DataFrame:
    """The setting of the best reading."""
    readings = rows[lab.kind.objective].to_numpy()
    top = int(np.argmax(readings) if lab.kind.maximize else np.argmin(readings))
    return rows.loc[[top], lab.space.names].astype(float).reset_index(drop=True)


@cache
def version(strategy: str, law: str) -> str:
    """Stamp of a strategy: versions of peers, or a digest of our code without its comments."""
    made_by: Any = STRATEGIES[strategy]
    own = _digest([Path(__file__)], only=[base.__name__ for base in made_by.__mro__])
    if strategy == "random":
        return f"random-{own}"
    if strategy == "skopt_gp":
        return f"scikit-optimize-{installed('scikit-optimize')}-{own}"
    if strategy == "botorch":
        code = "from importlib.metadata import version; print(version('botorch'))"
        told = subprocess.run(
            [os.environ.get(BOTORCH, ""), "-c", code], capture_output=True, text=True
        )
        peers = _digest([Path(__file__).with_name("botorch_peer.py"), ROOT / "doe" / "players.py"])
        return f"botorch-{told.stdout.strip()}-{peers}"
    rooms = [*(ROOT / "doe").glob("*.py")]
    rooms = [p for p in rooms if not p.name.startswith(NO_PART)]
    if strategy != "none":
        rooms += [*(ROOT / "models").glob("engine/*.py"), *_reached(f"{PHYSICS[law]}.py")]
    return f"ssbayes-{_digest(rooms)}-{own}"


def _reached(name: str) -> list[Path]:
    """A model's file and those of the models' room that it imports, directly or not."""
    found, waiting = [], [ROOT / "models" / name]
    while waiting:
        path = waiting.pop()
        if path in found or not path.exists():
            continue
        found.append(path)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 1:
                names = [node.module] if node.module else [alias.name for alias in node.names]
                waiting += [path.parent / f"{n}.py" for n in names]
    return found


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
