"""Virtual cells that fade: simulated from a seed, by laws that the fading model is not made of.

    course(n) = level x law(n) x exp(wandering) x (1 + reading noise), n = cycle - 1

=============  =============================================================================
``stretched``  exp(-(n / tau)^beta), beta 0.45 to 1.1
``two_phase``  a loss that saturates within tens of cycles, and a steady one
``rising``     capacity gained over the first cycles by a logistic rise, then a steady loss
``knee``       a steady loss, and from a cycle beyond 30 one that accelerates quadratically
=============  =============================================================================

Batches and cells of a laboratory differ in level and speed. The wandering is an autoregressive
process over cycles with a daily wave in it, which repeats itself neither in ln cycle nor as a
random walk; one cycle in a hundred or so is spoiled by the cycler. Nothing here was measured:
every table says ``kind = simulated``. All numbers are invented.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from .errors import DoeError, unknown

__all__ = ["LAW_VERSIONS", "SMOOTH", "VirtualCells", "cells"]

LAW_VERSIONS = {"stretched": "stretched-1", "two_phase": "two-phase-1", "rising": "rising-1",
                "knee": "knee-1"}
SMOOTH = ("stretched", "two_phase", "rising")
"""Laws without a knee."""

Lab = dict[str, float]
Array = np.ndarray


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    """Log-uniform between two numbers."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _stretched(lab: Lab, n: Array, speed: float) -> Array:
    return np.exp(-((n / lab["tau"]) ** lab["beta"]) * speed)


def _two_phase(lab: Lab, n: Array, speed: float) -> Array:
    return 1.0 - speed * (lab["early"] * -np.expm1(-n / lab["span"]) + lab["steady"] * n)


def _rising(lab: Lab, n: Array, speed: float) -> Array:
    rise = 1.0 / (1.0 + np.exp(-(n - lab["half"]) / lab["width"]))
    at_zero = 1.0 / (1.0 + np.exp(lab["half"] / lab["width"]))
    return 1.0 + lab["gain"] * (rise - at_zero) - speed * lab["steady"] * n


def _knee(lab: Lab, n: Array, speed: float) -> Array:
    beyond = np.maximum(n - lab["onset"] / speed**0.5, 0.0)
    return 1.0 - speed * lab["steady"] * n - lab["late"] * (beyond / 50.0) ** 2


LAWS: dict[str, tuple[Callable[[np.random.Generator], Lab], Callable[[Lab, Array, float], Array]]]
LAWS = {
    "stretched": (lambda r: {"tau": _between(r, 150, 4000), "beta": r.uniform(0.45, 1.1)},
                  _stretched),
    "two_phase": (lambda r: {"early": _between(r, 0.01, 0.08), "span": _between(r, 4, 25),
                             "steady": _between(r, 1e-4, 1.5e-3)}, _two_phase),
    "rising": (lambda r: {"gain": _between(r, 0.005, 0.06), "half": r.uniform(2, 6),
                          "width": r.uniform(1, 3), "steady": _between(r, 1e-4, 1.5e-3)}, _rising),
    "knee": (lambda r: {"steady": _between(r, 1e-4, 1e-3), "onset": r.uniform(30, 70),
                        "late": _between(r, 0.05, 0.3)}, _knee),
}


def cells(seed: int, law: str = "stretched") -> VirtualCells:
    """The virtual cells of a seed under a law."""
    return VirtualCells(seed, law)


class VirtualCells:
    """Cells of one simulated laboratory.

    Parameters
    ----------
    seed
        Which laboratory.
    law
        A key of ``LAW_VERSIONS``.

    Attributes
    ----------
    name
        Its label, ``"simulated stretched-1 cells 7"``.

    Raises
    ------
    DoeError
        For an unknown law or a seed that is no whole number from 0.
    """

    def __init__(self, seed: int, law: str = "stretched") -> None:
        if law not in LAWS:
            raise DoeError(f"law: {unknown(law, LAWS, 'law of the virtual cells')}")
        if not isinstance(seed, (int, np.integer)) or isinstance(seed, bool) or seed < 0:
            raise DoeError(f"seed={seed!r} must be a whole number from 0.")
        self.seed, self.law = int(seed), law
        self.name = f"simulated {LAW_VERSIONS[law]} cells {self.seed}"
        rng = self._rng(0)
        self._lab = LAWS[law][0](rng)
        self._level = rng.uniform(120.0, 190.0)
        self._batch, self._cell = rng.uniform(0.05, 0.4), rng.uniform(0.05, 0.35)
        self._noise = _between(rng, 3e-4, 3e-3)
        self._wander, self._memory = _between(rng, 3e-4, 3e-3), rng.uniform(0.3, 0.95)
        self._wave, self._period = _between(rng, 1e-4, 2e-3), rng.uniform(3.0, 12.0)
        self._bad = rng.uniform(0.0, 0.02)

    def _rng(self, *key: int) -> np.random.Generator:
        return np.random.default_rng([zlib.crc32(LAW_VERSIONS[self.law].encode()), self.seed, *key])

    def table(self, batches: int = 3, cells: int = 2, cycles: int = 100) -> pd.DataFrame:
        """Readings of every cycle.

        Parameters
        ----------
        batches, cells, cycles
            Batches, cells of each, cycles of each.

        Returns
        -------
        DataFrame
            One row a cell and cycle: ``study``, ``kind`` ("simulated"), ``batch``, ``cell``,
            ``cycle``, ``c_rate``, ``charge_mode``, ``capacity_basis`` and ``capacity_mAh_g``.
        """
        n = np.arange(cycles, dtype=float)
        rows: list[pd.DataFrame] = []
        for b in range(batches):
            shared = self._rng(1, b)
            level, speed = 0.03 * shared.normal(), self._batch * shared.normal()
            for c in range(cells):
                rng = self._rng(2, b, c)
                own = self._level * np.exp(level + 0.02 * rng.normal())
                fast = float(np.exp(speed + self._cell * rng.normal()))
                course = np.maximum(LAWS[self.law][1](self._lab, n, fast), 0.02)
                wave = self._wave * np.sin(2 * np.pi * (n / self._period + rng.uniform()))
                # drawn to 2000 so that a longer table begins like a shorter one
                push = rng.normal(size=2000) * self._wander * (1 - self._memory**2) ** 0.5
                stray = np.zeros(cycles)
                stray[0] = self._wander * rng.normal()
                for k in range(1, cycles):
                    stray[k] = self._memory * stray[k - 1] + push[k]
                noise = self._noise * rng.normal(size=2000)[:cycles]
                bad = rng.uniform(size=2000)[:cycles] < self._bad
                fall = np.where(bad, rng.uniform(0.03, 0.3, size=2000)[:cycles], 0.0)
                rows.append(pd.DataFrame({
                    "study": self.name, "kind": "simulated", "batch": f"b{b}", "cell": f"b{b}c{c}",
                    "cycle": n + 1.0, "c_rate": 0.5, "charge_mode": "CCCV",
                    "capacity_basis": "gross",
                    "capacity_mAh_g": own * course * np.exp(stray + wave + noise) * (1 - fall)}))
        return pd.concat(rows, ignore_index=True)

    def __repr__(self) -> str:
        return f"VirtualCells({self.seed}, {self.law!r})  # {self.name}"


def last_cycles(table: pd.DataFrame, cycle: float) -> Any:
    """The reading of every cell in a cycle, by cell."""
    return table[table["cycle"].eq(cycle)].set_index("cell")["capacity_mAh_g"]
