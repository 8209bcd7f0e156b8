"""Virtual laboratories: a milling laboratory simulated from a seed. Nothing here was measured.

``mill(seed, law)`` draws one laboratory whose mill, contact, breakage and damage scales and
whose noise are its own. It answers settings with readings, as a laboratory would, and tells
what no laboratory knows: the true mean of a setting and the best setting there is. Strategies
are compared on many of them (``benchmarks/sample_efficiency.py``). The laws themselves, and
what is frozen about them, are in `virtual_laws`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .errors import DoeError, unknown
from .factors import Choice, Real
from .laboratory import Columns, Kind, Settings, VirtualLaboratory
from .space import Space
from .virtual_laws import LAW_VERSIONS, LAWS, Lab, Law

__all__ = ["BEADS_MM", "LAW_VERSIONS", "RULE", "VirtualMill", "feasible", "mill", "space"]

RPM = (200.0, 1000.0)
MINUTES = (5.0, 300.0)
LOG_MINUTES = (math.log(5.0), math.log(300.0))
BEADS_MM = (1.75, 3.0, 5.0)
RULE = "rpm >= 800 and milling_min > 20"
FILLING, C_RATE = 0.5, 0.1
FACTORS = ("rpm", "milling_min", "bead_mm")


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
    rpm, minutes, bead = (np.asarray(settings[n], dtype=float) for n in FACTORS)
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


KIND = Kind(
    word="mill",
    space=space,
    objective="capacity_mAh_g",
    maximize=True,
    batch_sd=(1.7, 2.3),
    cell_sd=(2.4, 3.0),
    source="ssbayes.doe.virtual",
    usual={"bead_mm": 5.0},
    fixed={"filling": FILLING, "c_rate": C_RATE},
)


@dataclass(frozen=True)
class MillLaw:
    """A law of `virtual_laws` as the laboratory asks it."""

    law: Law

    @property
    def name(self) -> str:
        return self.law.name

    @property
    def version(self) -> str:
        return self.law.version

    @property
    def draw(self) -> Callable[[np.random.Generator], Lab]:
        return self.law.draw

    def outcomes(self, lab: Lab, columns: Columns) -> Columns:
        """Capacity at 0.1C in mAh/g."""
        return {"capacity_mAh_g": self.law.capacity(lab, *(columns[n] for n in FACTORS))}


class VirtualMill(VirtualLaboratory):
    """One simulated milling laboratory; standard deviations are in mAh/g.

    Parameters
    ----------
    seed
        Which laboratory; the same seed and law version give the same one everywhere.
    law
        ``"breakage"``, ``"regime"`` or ``"gp"``.

    Raises
    ------
    DoeError
        For an unknown law or a seed that is no whole number.
    """

    def __init__(self, seed: int, law: str = "breakage") -> None:
        if law not in LAWS:
            raise DoeError(f"law: {unknown(law, LAWS, 'law of the virtual mills')}")
        super().__init__(seed, MillLaw(LAWS[law]), KIND)

    def specific_energy(self, settings: Settings) -> np.ndarray:
        """Specific energy that the mill really puts in, J/g, shape (settings,)."""
        columns = self.columns(settings)
        return LAWS[self.law].energy(self._lab, *(columns[n] for n in FACTORS))

    def run(
        self,
        settings: Settings,
        seed: int | None = None,
        *,
        cells: int = 1,
        beside: bool = False,
        power_log: bool = False,
    ) -> pd.DataFrame:
        """As `VirtualLaboratory.run`; ``power_log`` adds ``specific_energy_J_g`` as a power log
        would give it, 3 % off at random."""
        table, spare = self._run(settings, seed, cells, beside)
        if power_log:
            table["specific_energy_J_g"] = self.specific_energy(table) * np.exp(0.03 * spare)
        return table

    def random_settings(self, n: int, seed: int) -> pd.DataFrame:
        """As the function of this name."""
        return random_settings(n, seed)

    def _refuse(self, made: Any) -> None:
        rpm, minutes = made["rpm"].to_numpy(), made["milling_min"].to_numpy()
        for row in np.flatnonzero((rpm >= 800.0) & (minutes > 20.0)):
            raise DoeError(
                f"row {row}: rpm={rpm[row]:g}, milling_min={minutes[row]:g} is forbidden "
                f"({RULE}): mill for at most 20 min, or slower."
            )

    def _best(self) -> tuple[pd.DataFrame, float]:
        """Dense search: a grid with every edge of the rule on it, then ever finer grids about
        the best of each bead."""
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


def _grid(rpm: np.ndarray, minutes: np.ndarray, bead: float) -> pd.DataFrame:
    """Feasible grid with the ranges' ends and both sides of the rule's edges among its points."""
    rpm = np.unique(np.clip(np.append(rpm, [799.999, 800.0]), RPM[0], RPM[1]))
    minutes = np.unique(np.clip(np.append(minutes, 20.0), MINUTES[0], MINUTES[1]))
    points = [axis.ravel() for axis in np.meshgrid(rpm, minutes, [bead], indexing="ij")]
    grid = pd.DataFrame(dict(zip(FACTORS, points, strict=True)))
    return grid.iloc[np.flatnonzero(feasible(grid))].reset_index(drop=True)
