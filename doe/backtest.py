"""Backtests: how few experiments a strategy needs, on virtual laboratories and measured tables.

    pool = doe.backtest.Pool(table, factors, "toughness")
    found = doe.backtest.run([pool], ["random", "skopt_gp", "ssbayes"], experiments=30, seeds=20)
    doe.backtest.report(found)

A measured table is replayed: each experiment draws *one* of the setting's replicates at random, as
an experiment does, never their mean; the mean of the replicates only judges. Seeds are paired: all
strategies meet the same starts and the same draw of the k-th experiment. What is judged is the
tried setting that a strategy recommends, by its true score, not the luckiest reading.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from .errors import DoeError, unknown
from .factors import Factor
from .listed import Listed
from .players import PLAYERS, TITLES, Bench, Campaigns, External, Maker, Player
from .space import Space

STARTS = 4
LEVEL = 0.95
TOP = 0.05
"""Share of a pool's settings that counts as found."""
BOOTSTRAP = 2000
PHYSICS = {"mill": "capacity", "mixer": "mechanofusion", "furnace": "annealing"}
"""The model of each kind of virtual laboratory, for the strategy ``ssbayes_physics``."""


class Pool:
    """A measured table as a bench: settings with replicates.

    Parameters
    ----------
    table : DataFrame
        One row a reading: factors and the outcome; repeated settings are replicates.
    factors : sequence of factors
    outcome : str
    maximize : bool
    name : str

    Attributes
    ----------
    truth : DataFrame
        Settings with ``mean`` and ``n`` of their replicates, and ``score``: the share of all
        settings that are no better, 1 for the best.
    """

    def __init__(
        self, table: pd.DataFrame, factors: Sequence[Factor], outcome: str,
        maximize: bool = True, name: str = "pool",
    ) -> None:  # fmt: skip
        if not isinstance(table, pd.DataFrame):
            raise DoeError(
                f"table is a {type(table).__name__}; give a DataFrame, one row a reading: its "
                "factors and the outcome"
            )
        if outcome not in table:
            raise DoeError(unknown(outcome, table.columns, "column of the table"))
        self.objective, self.maximize, self.name = outcome, maximize, name
        self.fixed: Mapping[str, Any] = {}
        table = table.dropna(subset=[outcome])  # a setting without a reading cannot be replayed
        self.space: Space = Listed(factors, table)
        names = self.space.names
        groups = table.groupby(names, sort=False)[outcome]
        self.replicates = {key: part.to_numpy(dtype=float) for key, part in groups}
        keys = [tuple(row) for row in self.space.grid().itertuples(index=False, name=None)]  # pyright: ignore
        self.replicates = {k: self.replicates[k] for k in keys if k in self.replicates}
        mean = np.array([v.mean() for v in self.replicates.values()])
        order = (mean if maximize else -mean).argsort().argsort()
        self.truth = pd.DataFrame(list(self.replicates), columns=names).assign(
            mean=mean, n=[len(v) for v in self.replicates.values()],
            score=(order + 1.0) / len(mean),
        )  # fmt: skip
        self._score = dict(zip(self.replicates, self.truth["score"], strict=True))

    def run(self, setting: pd.DataFrame, seed: int) -> pd.DataFrame:
        """One replicate of one setting, drawn by the seed of the experiment: a batch of its own."""
        key = tuple(setting[self.space.names].iloc[0])
        values = self.replicates[key]
        drawn = values[int(np.random.default_rng([seed, 17]).random() * len(values))]
        return setting[self.space.names].assign(
            **{self.objective: drawn, "batch": f"experiment {seed}"}
        )

    def score(self, settings: pd.DataFrame) -> np.ndarray:
        """Share of the pool that is no better than each setting, ``(n,)``."""
        keys = settings[self.space.names].itertuples(index=False, name=None)
        return np.array([self._score[tuple(key)] for key in keys])

    @property
    def noise_ratio(self) -> float:
        """Standard deviation within settings over that of their means."""
        within = [v.var(ddof=1) for v in self.replicates.values() if len(v) > 1]
        return float(np.sqrt(np.mean(within)) / self.truth["mean"].std()) if within else 0.0


@dataclass(frozen=True)
class Laboratory:
    """A virtual laboratory as a bench; the score is its truth over the optimum.

    ``fixed`` are conditions beside those that every row of its kind has.
    """

    lab: Any
    fixed: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fixed", {**self.lab.kind.fixed, **self.fixed})

    @property
    def space(self) -> Space:
        return self.lab.space

    @property
    def name(self) -> str:
        return str(self.lab.name)

    @property
    def objective(self) -> str:
        return self.lab.kind.objective

    @property
    def maximize(self) -> bool:
        return bool(self.lab.kind.maximize)

    def run(self, setting: pd.DataFrame, seed: int) -> pd.DataFrame:
        """One cell of one batch."""
        return self.lab.run(setting.filter(self.space.names), seed=seed)

    def score(self, settings: pd.DataFrame) -> np.ndarray:
        """True mean over the best there is (or its inverse), ``(n,)``."""
        return np.asarray(self.lab.ratio(settings.filter(self.space.names)))


def with_physics(bench: Any, seed: int) -> Player:
    """A campaign with the model of a virtual laboratory's kind."""
    model = PHYSICS.get(bench.lab.kind.word) if isinstance(bench, Laboratory) else None
    if model is None:
        raise DoeError(
            "strategy 'ssbayes_physics' is for virtual mills, mixers and furnaces; for a bench of "
            "your own give strategies={'ssbayes_physics': maker}, with "
            "maker = functools.partial(doe.backtest.Campaigns, model='capacity')"
        )
    played: Any = bench
    if model == "capacity":  # the mill's own constants are learned
        played = replace(bench, fixed={**bench.fixed, "mill": bench.name})
    return Campaigns(played, seed, model)


STRATEGIES: dict[str, Maker] = {**PLAYERS, "ssbayes_physics": with_physics}


def play(
    bench: Bench, maker: Maker, experiments: int, seed: int, starts: int = STARTS
) -> np.ndarray:
    """True score of the recommended setting after each experiment, ``(experiments,)``.

    The first ``starts`` settings are drawn at random by the seed, the same for every strategy.
    """
    begin = bench.space.sample(starts, np.random.default_rng([seed, 13]))
    player = maker(bench, seed)
    found = np.full(experiments, np.nan)
    try:
        for k in range(experiments):
            setting = begin.iloc[[k]] if k < starts else player.ask()
            player.tell(bench.run(setting.reset_index(drop=True), seed * 10_000 + k))
            if k + 1 >= starts:
                found[k] = float(bench.score(player.recommend())[0])
    finally:
        getattr(player, "close", lambda: None)()
    return found


def run(
    benches: Iterable[Bench],
    strategies: Sequence[str] | Mapping[str, Maker],
    *,
    experiments: int = 30,
    seeds: int | Sequence[int] = 10,
    starts: int = STARTS,
    progress: bool = True,
    elsewhere: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    """Play every strategy on every bench and seed.

    Parameters
    ----------
    benches : iterable of Pool, Laboratory or anything like them
    strategies : names, or mapping of name to maker of a player
        ``"random"``, ``"latin_hypercube"``, ``"skopt_gp"``, ``"skopt_forest"``, ``"ssbayes"``
        (without physics), ``"ssbayes_physics"`` (on virtual laboratories).
    experiments : int
        Experiments of one campaign, starts included.
    seeds : int or sequence of int
        Paired over strategies.
    starts : int
    progress : bool
        Print a line for each finished campaign.
    elsewhere : mapping of name to command, optional
        Further strategies, each in an interpreter of its own, see `players.External`: BoTorch's
        qLogNEI is ``{"botorch": [python, "benchmarks/botorch_peer.py"]}``, python being one that
        has botorch.

    Returns
    -------
    DataFrame
        ``bench``, ``strategy``, ``seed``, ``experiments``, ``score`` of the recommended setting.
    """
    if not isinstance(benches, Iterable):
        raise DoeError(f"benches is one {type(benches).__name__}; put it into a list")
    makers = {}
    for name in strategies:
        if not isinstance(strategies, Mapping) and name not in STRATEGIES:
            raise DoeError(unknown(name, STRATEGIES, "strategy"))
        makers[name] = strategies[name] if isinstance(strategies, Mapping) else STRATEGIES[name]
    for name, command in (elsewhere or {}).items():
        makers[name] = functools.partial(External, command=command)
    tables = []
    for bench in benches:
        for seed in range(seeds) if isinstance(seeds, int) else seeds:
            for name, maker in makers.items():
                score = play(bench, maker, experiments, int(seed), starts)
                told = {"bench": getattr(bench, "name", "bench"), "strategy": name, "seed": seed}
                table = pd.DataFrame({"experiments": np.arange(1, experiments + 1), "score": score})
                tables.append(table.dropna().assign(**told))
                if progress:
                    print(f"{told['bench']}, seed {seed}, {name}: {score[-1]:.3f}", flush=True)
    if not tables:
        raise DoeError("nothing to play: give at least one bench, one strategy and one seed")
    found: Any = pd.concat(tables, ignore_index=True)
    return found[["bench", "strategy", "seed", "experiments", "score"]]


def found_share(found: pd.DataFrame, at: int, within: float) -> pd.Series:
    """Share of campaigns whose recommended setting scores ``1 - within`` or more, by strategy."""
    part: Any = found[found["experiments"] == at]
    return (part["score"] >= 1.0 - within).groupby(part["strategy"], sort=False).mean()


def experiments_until(found: pd.DataFrame, share: float, within: float) -> dict[str, float]:
    """Experiments until a share of the campaigns has found it, by strategy; infinite if never."""
    good = found.assign(good=found["score"] >= 1.0 - within)
    means: Any = good.groupby(["strategy", "experiments"], sort=False)["good"].mean()
    by = means.unstack()
    made = {}
    for name, row in by.iterrows():
        hit = row.index[row.to_numpy() >= share]
        made[str(name)] = float(hit[0]) if len(hit) else float("inf")
    return made


def report(
    found: pd.DataFrame, within: float = TOP, at: Sequence[int] = (10, 20, 30),
    against: Sequence[str] = ("random", "skopt_gp", "skopt_forest", "botorch"),
    share: float = 0.5,
    seed: int = 0, of: Sequence[str] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Enhancement and acceleration of each strategy over others, paired, with intervals.

    Parameters
    ----------
    found : DataFrame
        Of `run`.
    within : float
        A recommended setting has found it when it scores ``1 - within`` or more.
    at : sequence of int
        Numbers of experiments.
    against : sequence of str
        Strategies to compare with.
    share : float
        Acceleration is the ratio of experiments until this share of campaigns has found it.
    of : sequence of str, optional
        Strategies to report; all by default.

    Returns
    -------
    DataFrame
        One row a bench, strategy, peer and number: ``share`` that has found it, ``enhancement``
        (difference of shares in points, for a ratio of two small shares says little) and
        ``acceleration`` (the peer's experiments over the strategy's), with 95 % intervals of a
        bootstrap over seeds, pairs kept together.
    """
    rng = np.random.default_rng(seed)
    tail = 100 * (1 - LEVEL) / 2
    rows = []
    for bench, part in found.groupby("bench", sort=False):
        scores: Any = part.pivot_table("score", ["seed", "experiments"], "strategy")
        seeds = np.array(sorted(part["seed"].unique()))
        steps = np.array(sorted(part["experiments"].unique()))
        cube = {s: scores[s].unstack().loc[seeds, steps].to_numpy() >= 1 - within for s in scores}
        draws = rng.integers(len(seeds), size=(BOOTSTRAP, len(seeds)))
        for name, good in cube.items():
            if of is not None and name not in of:
                continue
            for peer in [p for p in against if p in cube and p != name]:
                fast = until_ratio(good[draws].mean(1), cube[peer][draws].mean(1), steps, share)
                own = until_ratio(good.mean(0)[None], cube[peer].mean(0)[None], steps, share)[0]
                for k in at:
                    if k not in steps:
                        continue
                    j = int(np.flatnonzero(steps == k)[0])
                    gap = 100.0 * (good[:, j].astype(float) - cube[peer][:, j])
                    low, high = np.percentile(gap[draws].mean(axis=1), [tail, 100 - tail])
                    rows.append({
                        "bench": bench, "strategy": TITLES.get(str(name), str(name)),
                        "against": TITLES.get(peer, peer), "after": k, "campaigns": len(seeds),
                        "share": good[:, j].mean(), "enhancement_points": gap.mean(),
                        "enhancement_low": low, "enhancement_high": high, "acceleration": own,
                        "acceleration_low": np.percentile(fast, tail),
                        "acceleration_high": np.percentile(fast, 100 - tail),
                    })  # fmt: skip
    return pd.DataFrame(rows)


def until_ratio(
    ours: np.ndarray, theirs: np.ndarray, steps: np.ndarray, share: float
) -> np.ndarray:
    """Experiments of the peer over ours until a share of campaigns has found it, ``(draws,)``.

    Both are shares over experiments, ``(draws, steps)``. Who never reaches it is counted with one
    experiment more than were made: the ratio is then a bound towards 1.
    """
    return until(theirs, steps, share) / until(ours, steps, share)


def until(curves: np.ndarray, steps: np.ndarray, share: float) -> np.ndarray:
    """Experiments until each curve of shares ``(draws, steps)`` reaches one, ``(draws,)``; one more
    than were made where none does."""
    hit = curves >= share
    return np.where(hit.any(axis=1), steps[hit.argmax(axis=1)], steps[-1] + 1)
