"""A laboratory simulated from a seed: what all virtual laboratories share. Nothing is measured.

A `Kind` says what such a laboratory sets and reads, and how it scatters; a law says what its
settings truly give. `VirtualLaboratory` answers settings with readings, as a laboratory would, and
tells what no laboratory knows: the true mean of a setting and the best setting there is.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pandas as pd

from . import conditional, plots
from .errors import DoeError, did_you_mean
from .space import Space

TAIL = 6.0  # degrees of freedom of a cell's scatter: about one cell in 200 is beyond 4 sd
BLOCK = 8192

Settings = pd.DataFrame | Mapping[str, Any]
Columns = dict[str, np.ndarray]


class Law(Protocol):
    """How a laboratory is drawn, and what its settings give; frozen under its version.

    ``outcomes(lab, columns)`` is the true mean of the objective and of what is read beside it,
    shape (settings,) each.
    """

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def draw(self) -> Callable[[np.random.Generator], dict[str, Any]]: ...

    @property
    def outcomes(self) -> Callable[[dict[str, Any], Columns], Columns]: ...


@dataclass(frozen=True)
class Kind:
    """What laboratories of one kind have in common.

    Attributes
    ----------
    word
        What one is called, ``"mill"``.
    space
        Makes the space that they explore.
    usual
        Factors that settings may leave out, with their values then.
    zero
        Factors that may be zero.
    objective, maximize
        Outcome column and its better direction.
    fixed
        Conditions that every row has.
    batch_sd, cell_sd
        Ranges of the sd between batches of a setting and cells of a batch, drawn for each
        laboratory: in the objective's unit, or as shares of the true mean where ``relative``.
    run_share
        Share of the batch variance that settings of one run have in common.
    beside
        Readings beside the objective, with the sd of one.
    within
        How near to the optimum counts as found, as a share of it.
    source
        Module that makes the rows.
    """

    word: str
    space: Callable[[], Space]
    objective: str
    maximize: bool
    batch_sd: tuple[float, float]
    cell_sd: tuple[float, float]
    source: str
    usual: Mapping[str, float] = field(default_factory=dict)
    zero: tuple[str, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    relative: bool = False
    run_share: float = 0.0
    beside: Mapping[str, float] = field(default_factory=dict)
    within: float = 0.02


class VirtualLaboratory:
    """One simulated laboratory.

    Parameters
    ----------
    seed
        Which laboratory; the same seed and law version give the same one everywhere.
    law, kind

    Attributes
    ----------
    batch_sd, cell_sd
        Standard deviations of the batches of one setting and of the cells of one batch (Student-t
        with six degrees of freedom, scaled to this sd), as `Kind` says.
    law, law_version, name
        Stamp of the law, and the laboratory's label: ``"simulated breakage-1 mill 7"``.

    Raises
    ------
    DoeError
        For a seed that is no whole number.
    """

    def __init__(self, seed: int, law: Law, kind: Kind) -> None:
        if not isinstance(seed, (int, np.integer)) or isinstance(seed, bool) or seed < 0:
            raise DoeError(f"seed={seed!r} must be a whole number from 0.")
        self.kind, self._law = kind, law
        self.seed, self.law, self.law_version = int(seed), law.name, law.version
        self.name = f"simulated {law.version} {kind.word} {self.seed}"
        self.space = kind.space()
        self._calls = 0
        self._optimum: tuple[pd.DataFrame, float] | None = None
        rng = self._rng(0)
        self._lab = law.draw(rng)
        self.batch_sd = float(rng.uniform(*kind.batch_sd))
        self.cell_sd = float(rng.uniform(*kind.cell_sd))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.seed}, {self.law!r})  # {self.name}"

    def _rng(self, *stream: int) -> np.random.Generator:
        """A stream of its own for every law version, laboratory and purpose."""
        return np.random.default_rng([zlib.crc32(self.law_version.encode()), self.seed, *stream])

    def columns(self, settings: Settings) -> Columns:
        """Factors as arrays, those left out at their usual values.

        Raises
        ------
        DoeError
            Where a factor is missing, not finite, or not above zero.
        """
        names = [*self.space.names, *(n for n in self.kind.usual if n not in self.space.names)]
        found = []
        for name in names:
            if name not in settings and name not in self.kind.usual:
                raise DoeError(f"settings lack {name!r}{did_you_mean(name, settings)}")
            value = settings.get(name, self.kind.usual.get(name))
            found.append(np.atleast_1d(np.asarray(value, dtype=float)))
        columns = dict(zip(names, np.broadcast_arrays(*found), strict=True))
        for name, values in columns.items():
            least = -np.inf if name in self.kind.zero else 0.0
            good = np.isfinite(values) & (values > least) & (values >= 0.0)
            if not good.all():
                above = "of zero or more" if name in self.kind.zero else "above zero"
                raise DoeError(f"{name}={values[~good][0]} must be a finite number {above}.")
        return columns

    def outcomes(self, settings: Settings) -> Columns:
        """True means of the objective and of the readings beside it, shape (settings,) each."""
        columns = self.columns(settings)
        n = len(next(iter(columns.values())))
        parts = [
            self._law.outcomes(self._lab, {k: v[i : i + BLOCK] for k, v in columns.items()})
            for i in range(0, n, BLOCK)
        ]
        names = parts[0] if parts else {self.kind.objective: None, **self.kind.beside}
        return {k: np.concatenate([p[k] for p in parts]) if parts else np.empty(0) for k in names}

    def true(self, settings: Settings) -> np.ndarray:
        """Expected objective over all batches, shape (settings,).

        Columns other than factors are ignored. Settings beyond the space are answered too.
        """
        return self.outcomes(settings)[self.kind.objective]

    def run(
        self, settings: Settings, seed: int | None = None, *, cells: int = 1, beside: bool = False
    ) -> pd.DataFrame:
        """Make and measure: one new batch for each setting, ``cells`` cells of each.

        Parameters
        ----------
        settings
            As for `true`; a column ``suggestion`` is handed on. Rows that share all hard-to-change
            factors are one run, as far as the space's ``per_run`` allows.
        seed
            Which draw of the noise. Two calls with one seed meet the same noise, row by row,
            whatever the settings. Left out, every call of this object is a new one.
        beside
            Adds what is read beside the objective, once a batch.

        Returns
        -------
        DataFrame
            One row a cell with the settings, labels, the objective and what says that it is
            simulated: ``kind``, ``law``, ``law_version``, ``source``.

        Raises
        ------
        DoeError
            Where a setting breaks a rule of the space: the laboratory refuses it.
        """
        return self._run(settings, seed, cells, beside)[0]

    def _run(
        self, settings: Settings, seed: int | None, cells: int, beside: bool
    ) -> tuple[pd.DataFrame, np.ndarray]:
        """The table of `run`, and one more standard normal a row of it."""
        made: Any = conditional.settle(self.space, pd.DataFrame(self.columns(settings)))
        self._refuse(made)
        if seed is None:
            self._calls += 1
            rng, call = self._rng(1, self._calls), f"{self._calls}"
        else:
            rng, call = self._rng(2, int(seed)), f"s{int(seed)}"
        scale = math.sqrt((TAIL - 2.0) / TAIL)
        n, kind = len(made), self.kind
        # Row by row, so that the noise of the first rows does not hang on how many follow.
        draws = [
            (rng.standard_normal(), rng.standard_t(TAIL, cells), rng.normal()) for _ in range(n)
        ]
        begun = self._runs(made)
        batch = np.array([d[0] for d in draws]) * math.sqrt(1.0 - kind.run_share)
        spare = np.array([d[2] for d in draws])
        batch = self.batch_sd * (batch + math.sqrt(kind.run_share) * spare[begun])
        cell = self.cell_sd * scale * np.array([d[1] for d in draws]).reshape(n, cells)
        true = self.outcomes(made)
        reading = true[kind.objective][:, None]
        if kind.relative:
            reading = reading * np.exp(batch - self.batch_sd**2 / 2.0)[:, None] * (1.0 + cell)
        else:
            reading = reading + batch[:, None] + cell

        rows = np.repeat(np.arange(n), cells)
        label = np.array([f"{call}-{i + 1}" for i in range(n)], dtype=object)
        table = made.iloc[rows].reset_index(drop=True)
        if isinstance(settings, pd.DataFrame) and "suggestion" in settings:
            table.insert(0, "suggestion", settings["suggestion"].to_numpy()[rows])
        table = table.assign(
            **dict(kind.fixed),
            **{kind.objective: np.clip(reading.ravel(), 0.0, None)},
            study=self.name,
            **({"mill": self.name} if kind.word in ("mill", "mixer") else {}),
            run=label[begun][rows],
            batch=label[rows],
            cell=[f"{label[r]}-{c + 1}" for r in range(n) for c in range(cells)],
            kind="simulated",
            law=self.law,
            law_version=self.law_version,
            source=f"simulated by {kind.source}: {self.name}",
        )
        if beside:
            noise = np.random.default_rng(rng.integers(2**63)).standard_normal((n, 8))
            for i, (name, sd) in enumerate(kind.beside.items()):
                table[name] = np.clip(true[name] + sd * noise[:, i], 0.0, 1.0)[rows]
        return table, spare[rows]

    def _runs(self, made: Any) -> np.ndarray:
        """For each setting the first one of its run, shape (settings,)."""
        partner = plots.companions(self.space, made)
        return np.array([i if p is None else p for i, p in enumerate(partner)], dtype=int)

    def _refuse(self, made: Any) -> None:
        for row in np.flatnonzero(~self.space.allowed(made)):
            told = self.space.objections(made.iloc[[row]])
            raise DoeError(f"the laboratory refuses a setting: {told[0]}")

    def optimum(self, space: Space | None = None) -> tuple[pd.DataFrame, float]:
        """The best feasible setting (one row) and its true objective.

        Parameters
        ----------
        space
            Another space over the same factors, in which to search instead.
        """
        if space is not None:
            return self._search(space)
        if self._optimum is None:
            self._optimum = self._best()
        best, value = self._optimum
        return best.copy(), value

    def _best(self) -> tuple[pd.DataFrame, float]:
        return self._search(self.space)

    def _search(self, space: Space) -> tuple[pd.DataFrame, float]:
        """Random settings, then ever smaller steps from the best of them."""
        rng = np.random.default_rng(0)
        pool = space.sample(20_000, rng)
        for scale in (0.2, 0.1, 0.05, 0.02, 0.01, 0.003, 0.001):
            pool = pool.iloc[np.argsort(-self._gain(pool))[:8]].reset_index(drop=True)
            near = space.neighbours(pool, rng, 200, scale)
            pool = pd.concat([pool, near], ignore_index=True)
            pool = pool.iloc[np.flatnonzero(space.feasible(pool))].reset_index(drop=True)
        top = int(np.argmax(self._gain(pool)))
        best = pool.iloc[[top]].reset_index(drop=True)
        return best, float(self.true(best)[0])

    def _gain(self, settings: Settings) -> np.ndarray:
        return self.true(settings) if self.kind.maximize else -self.true(settings)

    def ratio(self, settings: Settings) -> np.ndarray:
        """How near settings come to the optimum, shape (settings,); at most 1 if feasible.

        True objective over that of the optimum, or the other way round where less is better.
        """
        share = self.true(settings) / self.optimum()[1]
        return share if self.kind.maximize else 1.0 / share

    def random_settings(self, n: int, seed: int) -> pd.DataFrame:
        """``n`` feasible settings, uniform on the scales of the factors."""
        return self.space.sample(n, np.random.default_rng(seed)).reset_index(drop=True)
