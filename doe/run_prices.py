"""What a proposed run costs: its change-over, the run itself, and each of its settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import plan_runs, plots
from .prices import Prices

if TYPE_CHECKING:
    from .space import Space


def shared_price(prices: Prices) -> bool:
    """Whether anything has a price that the settings of a run share."""
    return bool(prices.change_over or prices.run or any(_numbers(prices)))


def _numbers(prices: Prices) -> list[float]:
    given: list[float] = []
    for price in prices.per_factor.values():
        given += price.values() if isinstance(price, Mapping) else [price]
    return given


@dataclass
class RunPrices:
    """Prices of runs in view of where the equipment stands or will stand.

    A new run is put where it costs the least: its change-over is the cheapest from any of the
    `places`, which are the hard factors of the last run done, of those underway, and of those
    proposed before it. Where there is no place yet, the first run is set up at no price.

    Attributes
    ----------
    prices : Prices
    factors : list of str
        What changes over between runs.
    places : list of mapping
    space : Space, optional
        It tells which factors are not in use; without it, all are.
    """

    prices: Prices
    factors: list[str]
    places: list[Mapping[str, Any]]
    space: Space | None = None

    @staticmethod
    def of(space: Space, prices: Prices, places: pd.DataFrame | None) -> RunPrices:
        """Of a space; ``places`` holds a row for each place."""
        factors = plan_runs.changing(space, prices)
        made = RunPrices(prices, factors, [], space)
        if places is not None:
            rows: Any = places[factors].drop_duplicates()
            for row in rows.to_dict("records"):
                made.visit(row)
        return made

    def visit(self, setting: Mapping[Any, Any]) -> None:
        """The equipment will stand at a setting."""
        self.places.append({name: setting[name] for name in self.factors})

    def begin(self, settings: pd.DataFrame) -> np.ndarray:
        """Price of a run at each setting without what it holds, shape (m,)."""
        if not self.places or not self.factors:
            return np.full(len(settings), self.prices.run)
        change = np.min([self._change(place, settings) for place in self.places], axis=0)
        return change + self.prices.run

    def _change(self, place: Mapping[str, Any], settings: pd.DataFrame) -> np.ndarray:
        """`Prices.changing` to each setting."""
        keys: Any = settings[self.factors]
        codes, distinct = keys.groupby(self.factors, sort=False, dropna=False).ngroup(), {}
        first = ~codes.duplicated()
        for code, row in zip(codes[first], keys[first].to_dict("records"), strict=True):
            distinct[code] = self.prices.changing(place, row, self.factors, self.space)
        return codes.map(distinct).to_numpy(dtype=float)


def said(space: Space, settings: pd.DataFrame) -> str:
    """``"4 settings in 2 runs (3, 1)"``, as settings that share hard factors are put together."""
    partners = plots.companions(space, settings)
    first = [i if partner is None else partner for i, partner in enumerate(partners)]
    sizes = [first.count(i) for i in dict.fromkeys(first)]
    many = "1 run" if len(sizes) == 1 else f"{len(sizes)} runs"
    return f"{len(settings)} settings in {many} ({', '.join(map(str, sizes))})"
