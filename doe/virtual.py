"""Virtual laboratories: a milling laboratory simulated from a seed. Nothing here was measured.

``mill(seed, law)`` draws one laboratory whose mill, contact, breakage and damage scales and
whose noise are its own. It answers settings with readings, as a laboratory would, and tells
what no laboratory knows: the true mean of a setting and the best setting there is. Strategies
are compared on many of them (``benchmarks/sample_efficiency.py``). The laws themselves, and
what is frozen about them, are in `virtual_laws`.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from .errors import DoeError, did_you_mean, unknown
from .factors import Choice, Real
from .space import Space
from .virtual_laws import LAW_VERSIONS, LAWS, Law

__all__ = ["BEADS_MM", "LAW_VERSIONS", "RULE", "VirtualMill", "feasible", "mill", "space"]

RPM = (200.0, 1000.0)
MINUTES = (5.0, 300.0)
LOG_MINUTES = (math.log(5.0), math.log(300.0))
BEADS_MM = (1.75, 3.0, 5.0)
RULE = "rpm >= 800 and milling_min > 20"
FILLING, C_RATE = 0.5, 0.1
FACTORS = ("rpm", "milling_min", "bead_mm")
TAIL = 6.0  # degrees of freedom of a cell's scatter: about one cell in 200 is beyond 4 sd
BLOCK = 8192

Settings = pd.DataFrame | Mapping[str, Any]


def space() -> Space:
    """The space of every virtual mill: speed, time (log) and bead, with the rule on hot runs."""
    return Space(
        [
            Real("rpm", *RPM),
            Real("milling_min", *MINUTES, log=True),
            Choice("bead_mm", list(BEADS_MM)),
        ],
        forbidden=[RULE],
    )


def feasible(settings: Settings) -> np.ndarray:
    """Which settings lie in the ranges and keep the rule; bool, shape (settings,)."""
    rpm, minutes, bead = _factors(settings)
    inside = (rpm >= RPM[0]) & (rpm <= RPM[1]) & (minutes >= MINUTES[0]) & (minutes <= MINUTES[1])
    return inside & np.isin(bead, BEADS_MM) & ~((rpm >= 800.0) & (minutes > 20.0))


def random_settings(n: int, seed: int) -> pd.DataFrame:
    """``n`` feasible settings: speed uniform, time log-uniform, bead uniform over its choices."""
    rng = np.random.default_rng(seed)
    # Two thirds of all draws are feasible: three times as many leave a shortage of no account.
    many = 3 * n + 20
    draw = pd.DataFrame(
        {
            "rpm": rng.uniform(RPM[0], RPM[1], many),
            "milling_min": np.exp(rng.uniform(LOG_MINUTES[0], LOG_MINUTES[1], many)),
            "bead_mm": rng.choice(BEADS_MM, many),
        }
    )
    return draw.iloc[np.flatnonzero(feasible(draw))[:n]].reset_index(drop=True)


def mill(seed: int, law: str = "breakage") -> VirtualMill:
    """The virtual laboratory of a seed under a law: ``breakage``, ``regime`` or ``gp``."""
    return VirtualMill(seed, law)


class VirtualMill:
    """One simulated laboratory.

    Parameters
    ----------
    seed
        Which laboratory; the same seed and law version give the same one everywhere.
    law
        ``"breakage"``, ``"regime"`` or ``"gp"``.

    Attributes
    ----------
    batch_sd, cell_sd
        Standard deviations in mAh/g of the batches of one setting and of the cells of one batch
        (Student-t with six degrees of freedom, scaled to this sd).
    law_version, name
        Stamp of the law, and the mill's label: ``"simulated breakage-1 mill 7"``.

    Raises
    ------
    DoeError
        For an unknown law or a seed that is no whole number.
    """

    def __init__(self, seed: int, law: str = "breakage") -> None:
        if law not in LAWS:
            raise DoeError(f"law: {unknown(law, LAWS, 'law of the virtual mills')}")
        if not isinstance(seed, (int, np.integer)) or isinstance(seed, bool) or seed < 0:
            raise DoeError(f"seed={seed!r} must be a whole number from 0.")
        self.seed, self.law = int(seed), law
        self.law_version = LAWS[law].version
        self.name = f"simulated {self.law_version} mill {self.seed}"
        self._calls = 0
        self._optimum: tuple[pd.DataFrame, float] | None = None
        rng = self._rng(0)
        self._lab = self._law.draw(rng)
        self.batch_sd = float(rng.uniform(1.7, 2.3))
        self.cell_sd = float(rng.uniform(2.4, 3.0))

    def __repr__(self) -> str:
        return f"VirtualMill({self.seed}, {self.law!r})  # {self.name}"

    @property
    def _law(self) -> Law:
        return LAWS[self.law]

    def _rng(self, *stream: int) -> np.random.Generator:
        """A stream of its own for every law version, laboratory and purpose."""
        return np.random.default_rng([zlib.crc32(self.law_version.encode()), self.seed, *stream])

    def true(self, settings: Settings) -> np.ndarray:
        """Expected capacity at 0.1C over all batches, mAh/g, shape (settings,).

        ``settings`` has ``rpm``, ``milling_min`` and, unless all are 5 mm, ``bead_mm``; other
        columns are ignored. Settings beyond the space are answered too.
        """
        return self._blocks(self._law.capacity, settings)

    def specific_energy(self, settings: Settings) -> np.ndarray:
        """Specific energy that the mill really puts in, J/g, shape (settings,)."""
        return self._blocks(self._law.energy, settings)

    def _blocks(self, function: Any, settings: Settings) -> np.ndarray:
        rpm, minutes, bead = _factors(settings)
        parts = [slice(start, start + BLOCK) for start in range(0, len(rpm), BLOCK)]
        values = [function(self._lab, rpm[p], minutes[p], bead[p]) for p in parts]
        return np.concatenate(values) if values else np.empty(0)

    def run(
        self,
        settings: Settings,
        seed: int | None = None,
        *,
        cells: int = 1,
        power_log: bool = False,
    ) -> pd.DataFrame:
        """Mill, build and measure: one new batch for each setting, ``cells`` cells of each.

        Parameters
        ----------
        settings
            As for `true`; a column ``suggestion`` is handed on.
        seed
            Which draw of the noise. Two calls with one seed meet the same noise, row by row,
            whatever the settings. Left out, every call of this object is a new one.
        power_log
            Adds ``specific_energy_J_g`` as a power log would give it, 3 % off at random.

        Returns
        -------
        DataFrame
            One row a cell with the settings, labels, ``capacity_mAh_g`` and what says that it is
            simulated: ``kind``, ``law``, ``law_version``, ``source``.

        Raises
        ------
        DoeError
            Where a setting breaks `RULE`: the laboratory refuses hot runs.
        """
        rpm, minutes, bead = _factors(settings)
        for row in np.flatnonzero((rpm >= 800.0) & (minutes > 20.0)):
            raise DoeError(
                f"row {row}: rpm={rpm[row]:g}, milling_min={minutes[row]:g} is forbidden "
                f"({RULE}): mill for at most 20 min, or slower."
            )
        if seed is None:
            self._calls += 1
            rng, call = self._rng(1, self._calls), f"{self._calls}"
        else:
            rng, call = self._rng(2, int(seed)), f"s{int(seed)}"
        # Row by row, so that the noise of the first rows does not hang on how many follow.
        scale = self.cell_sd * np.sqrt((TAIL - 2.0) / TAIL)
        draws = [
            (
                self.batch_sd * rng.standard_normal(),
                scale * rng.standard_t(TAIL, cells),
                rng.normal(),
            )
            for _ in rpm
        ]
        batch = np.array([d[0] for d in draws])
        cell = np.array([d[1] for d in draws]).reshape(len(rpm), cells)
        reading = self.true(settings)[:, None] + batch[:, None] + cell

        rows = np.repeat(np.arange(len(rpm)), cells)
        label = np.array([f"{call}-{i + 1}" for i in range(len(rpm))], dtype=object)
        table = pd.DataFrame({"rpm": rpm, "milling_min": minutes, "bead_mm": bead}).iloc[rows]
        table = table.reset_index(drop=True)
        if isinstance(settings, pd.DataFrame) and "suggestion" in settings:
            table.insert(0, "suggestion", settings["suggestion"].to_numpy()[rows])
        table = table.assign(
            filling=FILLING,
            c_rate=C_RATE,
            capacity_mAh_g=np.clip(reading.ravel(), 0.0, None),
            study=self.name,
            mill=self.name,
            run=label[rows],
            batch=label[rows],
            cell=[f"{label[r]}-{c + 1}" for r in range(len(rpm)) for c in range(cells)],
            kind="simulated",
            law=self.law,
            law_version=self.law_version,
            source=f"simulated by ssbayes.doe.virtual: {self.name}",
        )
        if power_log:
            error = np.exp(0.03 * np.array([d[2] for d in draws]))
            table["specific_energy_J_g"] = (self.specific_energy(settings) * error)[rows]
        return table

    def optimum(self, space: Space | None = None) -> tuple[pd.DataFrame, float]:
        """The best feasible setting (one row) and its true capacity in mAh/g.

        Dense search: a grid with every edge of the rule on it, then ever finer grids about the
        best of each bead. With another ``space`` over the same factors: its random settings,
        then ever smaller steps from the best.
        """
        if space is not None:
            return self._search(space)
        if self._optimum is None:
            self._optimum = self._grid_search()
        best, value = self._optimum
        return best.copy(), value

    def _grid_search(self) -> tuple[pd.DataFrame, float]:
        best, value = pd.DataFrame(), -np.inf
        for bead in BEADS_MM:
            rpm, log_minutes = np.linspace(*RPM, 61), np.linspace(*LOG_MINUTES, 49)
            for _ in range(5):
                grid = _grid(rpm, np.exp(log_minutes), bead)
                capacity = self.true(grid)
                top = int(np.argmax(capacity))
                if capacity[top] > value:
                    best, value = grid.iloc[[top]].reset_index(drop=True), float(capacity[top])
                at, wide = grid.iloc[top], rpm[1] - rpm[0]
                rpm = np.linspace(at["rpm"] - wide, at["rpm"] + wide, 21)
                wide, log_at = log_minutes[1] - log_minutes[0], np.log(at["milling_min"])
                log_minutes = np.linspace(log_at - wide, log_at + wide, 21)
        return best, value

    def _search(self, space: Space) -> tuple[pd.DataFrame, float]:
        rng = np.random.default_rng(0)
        pool = space.sample(20_000, rng)
        for scale in (0.2, 0.1, 0.05, 0.02, 0.01, 0.003, 0.001):
            pool = pool.iloc[np.argsort(-self.true(pool))[:8]].reset_index(drop=True)
            near = space.neighbours(pool, rng, 200, scale)
            pool = pd.concat([pool, near], ignore_index=True)
            pool = pool.iloc[np.flatnonzero(space.feasible(pool))].reset_index(drop=True)
        values = self.true(pool)
        top = int(np.argmax(values))
        return pool.iloc[[top]].reset_index(drop=True), float(values[top])

    def ratio(self, settings: Settings) -> np.ndarray:
        """True capacity over that of the optimum, shape (settings,); at most 1 if feasible."""
        return self.true(settings) / self.optimum()[1]


def _grid(rpm: np.ndarray, minutes: np.ndarray, bead: float) -> pd.DataFrame:
    """Feasible grid with the ranges' ends and both sides of the rule's edges among its points."""
    rpm = np.unique(np.clip(np.append(rpm, [799.999, 800.0]), RPM[0], RPM[1]))
    minutes = np.unique(np.clip(np.append(minutes, 20.0), MINUTES[0], MINUTES[1]))
    points = [axis.ravel() for axis in np.meshgrid(rpm, minutes, [bead], indexing="ij")]
    grid = pd.DataFrame(dict(zip(FACTORS, points, strict=True)))
    return grid.iloc[np.flatnonzero(feasible(grid))].reset_index(drop=True)


def _factors(settings: Settings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Speed, time and bead as arrays; the bead is 5 mm where no column says otherwise."""
    columns = []
    for name in FACTORS:
        if name not in settings and name != "bead_mm":
            raise DoeError(f"settings lack {name!r}{did_you_mean(name, settings)}")
        columns.append(np.atleast_1d(np.asarray(settings.get(name, 5.0), dtype=float)))
    rpm, minutes, bead = np.broadcast_arrays(*columns)
    for name, values in zip(FACTORS, (rpm, minutes, bead), strict=True):
        if not (np.isfinite(values) & (values > 0.0)).all():
            wrong = values[~(np.isfinite(values) & (values > 0.0))][0]
            raise DoeError(f"{name}={wrong} must be a finite number above zero.")
    return rpm, minutes, bead
