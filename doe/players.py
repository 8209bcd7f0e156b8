"""Strategies that play on a bench, one experiment at a time: ours, peers, and plain sampling.

A player is made with ``(bench, seed)``. ``tell(rows)`` hands it the readings of one experiment,
``ask()`` gives its next setting, ``recommend()`` the tried setting that it holds for the best. All
see the same start settings and one replicate an experiment.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd

from . import sk
from .errors import DoeError
from .space import Space

AT_RANDOM = 2048
"""Settings that a peer without a list of its own chooses from first."""
CLOSER = (0.1, 0.03, 0.01)
"""Then it chooses among its pick's neighbours, by moves of these sizes in encoded units."""


class Bench(Protocol):
    """Where strategies play: a virtual laboratory or a measured pool."""

    space: Space
    objective: str
    maximize: bool
    fixed: Mapping[str, Any]

    def run(self, setting: pd.DataFrame, seed: int) -> pd.DataFrame:
        """Readings of one experiment, one replicate."""
        ...

    def score(self, settings: pd.DataFrame) -> np.ndarray:
        """How good settings truly are, 1 being the best there is, ``(n,)``."""
        ...


class Player(Protocol):
    def tell(self, rows: pd.DataFrame) -> None: ...
    def ask(self) -> pd.DataFrame: ...
    def recommend(self) -> pd.DataFrame: ...


Maker = Callable[[Any, int], Player]


class _Remembers:
    """Keeps rows; recommends the best reading, and avoids what has been run where it can."""

    def __init__(self, bench: Bench, seed: int) -> None:
        self.bench, self.rng = bench, np.random.default_rng([seed, 11])
        self.rows = pd.DataFrame()

    @property
    def losses(self) -> np.ndarray:
        """Readings, smaller is better."""
        sign = -1.0 if self.bench.maximize else 1.0
        return sign * self.rows[self.bench.objective].to_numpy(dtype=float)

    @property
    def tried(self) -> pd.DataFrame:
        """Settings run so far, in order."""
        rows: Any = self.rows
        return rows[self.bench.space.names]

    def tell(self, rows: pd.DataFrame) -> None:
        """Remember readings."""
        self.rows = pd.concat([self.rows, rows], ignore_index=True)

    def recommend(self) -> pd.DataFrame:
        """The setting of the best reading."""
        return self.tried.iloc[[int(np.argmin(self.losses))]].reset_index(drop=True)

    def candidates(self, again: bool = True) -> pd.DataFrame:
        """Settings to choose from; without ``again``, those that have been run are left out."""
        every: Any = self.bench.space.grid(4096)
        if every is None:
            return self.bench.space.sample(AT_RANDOM, self.rng)
        if again:
            return every
        seen = set(self.tried.itertuples(index=False, name=None)) if len(self.rows) else set()
        fresh = [row not in seen for row in every.itertuples(index=False, name=None)]
        return every[fresh] if any(fresh) else every


class Random(_Remembers):
    """Settings at random."""

    def ask(self) -> pd.DataFrame:
        """One that has not been run, where there is one."""
        at = self.candidates(again=False)
        return at.iloc[[int(self.rng.integers(len(at)))]].reset_index(drop=True)


class LatinHypercube(_Remembers):
    """Settings of one Latin hypercube, in random order."""

    def __init__(self, bench: Bench, seed: int, size: int = 64) -> None:
        super().__init__(bench, seed)
        unit = sk.unit_design(len(bench.space.factors), size, seed, "lhs")
        table = bench.space.from_unit(unit)
        table = table[bench.space.feasible(table)]
        self.design = table.iloc[self.rng.permutation(len(table))].reset_index(drop=True)

    def ask(self) -> pd.DataFrame:
        """The next of the design, then settings at random."""
        at = len(self.rows)
        if at < len(self.design):
            return self.design.iloc[[at]].reset_index(drop=True)
        return self.bench.space.sample(1, self.rng)


class Skopt(_Remembers):
    """scikit-optimize: its surrogate with its defaults, and expected improvement.

    On a list of settings its acquisition is taken over that list; else its own optimizer asks,
    with the rules as ``space_constraint``.
    """

    estimator = "GP"

    def __init__(self, bench: Bench, seed: int) -> None:
        from skopt import Optimizer

        super().__init__(bench, seed)
        self.told = 0
        self.listed = bench.space.grid(4096) is not None
        more: dict[str, Any] = {} if self.listed else {"space_constraint": sk.allows(bench.space)}
        self.optimizer: Any = Optimizer(
            sk.to_skopt(bench.space), base_estimator=self.estimator, n_initial_points=1,
            random_state=seed, **more,
        )  # fmt: skip

    def _learn(self) -> None:
        if self.told < len(self.rows):
            new = sk.points(self.bench.space, self.tried.iloc[self.told :])
            self.optimizer.tell(new, [float(v) for v in self.losses[self.told :]])
            self.told = len(self.rows)

    def ask(self) -> pd.DataFrame:
        """The largest expected improvement of the list, or what its optimizer asks."""
        self._learn()
        space = self.bench.space
        if self.listed:
            from skopt.acquisition import gaussian_ei

            at = self.candidates()
            x = self.optimizer.space.transform(sk.points(space, at))
            gain = gaussian_ei(x, self.optimizer.models[-1], float(self.losses.min()))
            return at.iloc[[int(np.argmax(gain))]].reset_index(drop=True)
        asked = pd.DataFrame([self.optimizer.ask()], columns=space.names)
        setting = space.snap(asked)
        return setting if space.feasible(setting)[0] else sk.legal(space, setting, self.rng)

    def recommend(self) -> pd.DataFrame:
        """The tried setting of the best mean under its surrogate."""
        self._learn()
        x = self.optimizer.space.transform(sk.points(self.bench.space, self.tried))
        best = int(np.argmin(self.optimizer.models[-1].predict(x)))
        return self.tried.iloc[[best]].reset_index(drop=True)


class SkoptForest(Skopt):
    """scikit-optimize's random forest."""

    estimator = "RF"


class Campaigns(_Remembers):
    """A campaign of this project through its public calls, with or without a model."""

    def __init__(self, bench: Bench, seed: int, model: Any = None) -> None:
        from .campaign import Campaign

        super().__init__(bench, seed)
        goal: Any = {"maximize" if bench.maximize else "minimize": bench.objective}
        if bench.objective not in _known():
            goal["unit"] = "1"
        self.campaign = Campaign(
            bench.space, fixed=dict(bench.fixed), model=model, seed=seed, initial=0, **goal
        )
        self.suggestion: str | None = None

    def tell(self, rows: pd.DataFrame) -> None:
        """Record readings of the suggestion, or of a start."""
        super().tell(rows)
        names = [*self.bench.space.names, self.bench.objective, "mill", "run", "batch", "cell"]
        told = rows.filter(names)
        if self.suggestion is not None:
            told.insert(0, "suggestion", self.suggestion)
            self.suggestion = None
        self.campaign.record(told)

    def ask(self) -> pd.DataFrame:
        """Its next suggestion."""
        table: Any = self.campaign.suggest(1)
        self.suggestion = str(table["suggestion"].iloc[0])
        return table[self.bench.space.names].reset_index(drop=True)

    def recommend(self) -> pd.DataFrame:
        """What `Campaign.best` recommends."""
        best: Any = self.campaign.best()
        names = self.bench.space.names
        return pd.DataFrame([[best[n] for n in names]], columns=names)


class External(_Remembers):
    """A strategy in another interpreter, which reads and writes one line of JSON each time.

    It is sent ``{"seed", "low", "high"}`` once (the unit cube's sides), then ``{"x", "y"}`` (all
    encoded settings and losses so far) and ``{"candidates"}``; it answers with
    ``{"pick": row of the candidates, "best": row of x}``. For ``{"anywhere"}``, more settings, it
    answers with ``{"top"}``, the row of those and ``x`` after them that it expects most of.
    Settings travel encoded, so that it needs to know nothing of factors and rules.
    """

    def __init__(self, bench: Bench, seed: int, command: Sequence[str]) -> None:
        super().__init__(bench, seed)
        self.process: Any = subprocess.Popen(
            list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._send({"seed": seed, "width": bench.space.width})

    def _send(self, body: dict[str, Any]) -> dict[str, Any]:
        try:
            self.process.stdin.write(json.dumps(body) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            self._ended()
        answer = self.process.stdout.readline()
        return json.loads(answer) if answer else self._ended()

    def _ended(self) -> dict[str, Any]:
        self.close()
        raise DoeError(
            f"the strategy {' '.join(self.process.args)} has ended with code "
            f"{self.process.returncode}; run it by hand to see why"
        )

    def _told(self) -> dict[str, Any]:
        space = self.bench.space
        return {"x": space.encode(self.tried).tolist(), "y": self.losses.tolist()}

    def ask(self) -> pd.DataFrame:
        """What it picks among candidates; without a list, then among ever closer neighbours."""
        space, at = self.bench.space, self.candidates()
        if space.grid(4096) is not None:
            return self._pick(at)
        near: Any = space.neighbours(self.recommend(), self.rng, 128)
        pick = self._pick(pd.concat([at, near], ignore_index=True))
        for scale in CLOSER:
            near = space.neighbours(pick, self.rng, 256, scale)
            pick = self._pick(pd.concat([pick, near], ignore_index=True))
        return pick

    def _pick(self, at: pd.DataFrame) -> pd.DataFrame:
        x = self.bench.space.encode(at).tolist()
        pick = int(self._send({**self._told(), "candidates": x})["pick"])
        return at.iloc[[pick]].reset_index(drop=True)

    def recommend(self) -> pd.DataFrame:
        """The tried setting that it expects most of."""
        best = int(self._send({**self._told(), "candidates": []})["best"])
        return self.tried.iloc[[best]].reset_index(drop=True)

    def foresee(self, settings: pd.DataFrame) -> pd.DataFrame:
        """Of these settings and those tried, the one that it expects most of."""
        names = self.bench.space.names
        every = pd.concat([settings[names], self.tried], ignore_index=True)
        body = {"candidates": [], "anywhere": self.bench.space.encode(settings).tolist()}
        top = int(self._send({**self._told(), **body})["top"])
        return every.iloc[[top]].reset_index(drop=True)

    def close(self) -> None:
        """End the other interpreter."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(timeout=60)
        self.process.stdout.close()


def _known() -> set[str]:
    from ..data import COLUMNS

    return set(COLUMNS)


PLAYERS: dict[str, Maker] = {
    "random": Random,
    "latin_hypercube": LatinHypercube,
    "skopt_gp": Skopt,
    "skopt_forest": SkoptForest,
    "ssbayes": Campaigns,
}
TITLES = {
    "random": "random",
    "latin_hypercube": "Latin hypercube",
    "skopt_gp": "scikit-optimize GP",
    "skopt_forest": "scikit-optimize forest",
    "ssbayes": "ssbayes, no physics",
    "ssbayes_physics": "ssbayes, physics",
    "botorch": "BoTorch qLogNEI",
}
