"""What a sequence of runs costs, or how long it takes: change-overs, runs, cells, readings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import CampaignError, unknown
from .factors import is_void

if TYPE_CHECKING:
    from .space import Space

WAYS = ("change", "up", "down")


@dataclass(frozen=True)
class Prices:
    """Prices in one unit: money, hours, grams of powder.

    Attributes
    ----------
    change_over : float
        For setting any hard-to-change factor anew between two runs.
    run : float
        For a run, whatever it holds: a furnace programme, a jar, a pellet.
    cell : float
        For each cell.
    reading : float
        For each reading of a cell.
    per_factor : mapping of factor to number or mapping
        On top of `change_over`: a number for any change of that factor, or
        ``{"change": 1, "up": 0.01, "down": 0.05}`` with a price for each unit upwards and downwards
        (a furnace cools slower than it heats).
    unit : str
        For tables and sentences, such as ``"h"``.

    Raises
    ------
    CampaignError
        For a price below zero or a way of changing that is not known.
    """

    change_over: float = 0.0
    run: float = 0.0
    cell: float = 0.0
    reading: float = 0.0
    per_factor: Mapping[str, float | Mapping[str, float]] = field(default_factory=dict)
    unit: str = ""

    def __post_init__(self) -> None:
        told: dict[str, Any] = {
            n: getattr(self, n) for n in ("change_over", "run", "cell", "reading")
        }
        for name, price in self.per_factor.items():
            if isinstance(price, Mapping):
                for way, value in price.items():
                    if way not in WAYS:
                        raise CampaignError(unknown(way, WAYS, f"way of changing {name}"))
                    told[f"per_factor[{name!r}][{way!r}]"] = value
            else:
                told[f"per_factor[{name!r}]"] = price
        for name, value in told.items():
            good = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
            if not good or not np.isfinite(value) or value < 0:
                raise CampaignError(f"{name}={value!r} must be a price of zero or more")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a campaign's file; only what is not as usual."""
        body: dict[str, Any] = {
            n: float(getattr(self, n)) for n in ("change_over", "run", "cell", "reading")
        }
        factors = {
            n: {w: float(v) for w, v in p.items()} if isinstance(p, Mapping) else float(p)
            for n, p in self.per_factor.items()
        }
        body |= {"per_factor": factors, "unit": self.unit}
        return {k: v for k, v in body.items() if v}

    def changing(self, before: Mapping[str, Any], after: Mapping[str, Any],
                 factors: Sequence[str], space: Space | None = None) -> float:  # fmt: skip
        """Price of the change-over from one run's setting to the next.

        Where the space is given, a factor that is in use in one of them only has no price upwards
        or downwards: it was set to nothing before.
        """
        changed = [n for n in factors if differs(before[n], after[n])]
        if not changed:
            return 0.0
        total = self.change_over
        for name in changed:
            price = self.per_factor.get(name, 0.0)
            if not isinstance(price, Mapping):
                total += price
                continue
            total += price.get("change", 0.0)
            if price.get("up") or price.get("down"):
                step = float(after[name]) - float(before[name])
                ends = [before[name], after[name]]
                idle = space is not None and is_void(space.factor(name), ends).any()
                step = 0.0 if idle or np.isnan(step) else step
                total += step * price.get("up", 0.0) if step > 0 else -step * price.get("down", 0.0)
        return float(total)

    def holding(self, cells: int, readings: int) -> float:
        """Price of so many cells, each read so often."""
        return cells * (self.cell + readings * self.reading)

    def say(self, value: float) -> str:
        """``"12.5 h"``."""
        return f"{value:.6g} {self.unit}".rstrip()


def differs(before: object, after: object) -> bool:
    """Whether two values of a factor differ; gaps (a factor that is not in use) do not."""
    return before != after and not (before != before and after != after)
