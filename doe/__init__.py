"""Experiment design: spaces and rules, campaigns and their file, rankings, virtual laboratories.

>>> from ssbayes import doe
>>> space = doe.Space([doe.Real("rpm", 200, 1000)], forbidden=["rpm > 900"])
>>> space.feasible({"rpm": 950}).tolist()
[False]
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .errors import CampaignError, DoeError, RuleError, SpaceError, StoreError
from .factors import Choice, Integer, Ordinal, Real
from .mixture import Mixture
from .space import Space

if TYPE_CHECKING:
    from ..models.desirability import Goal
    from . import (
        backtest,
        coatings,
        pressing,
        recipe,
        spaces,
        virtual,
        virtual_coating,
        virtual_pellets,
    )
    from .bridging import bridge
    from .campaign import Campaign
    from .control import control_chart
    from .designs import design
    from .listed import Listed
    from .planning import plan
    from .prices import Prices
    from .ranking import compare, rank
    from .split_plots import split_plot

# read on first use: a space alone needs neither the store nor the virtual laboratories
_LATER = {"Campaign": "campaign", "design": "designs", "rank": "ranking", "compare": "ranking",
          "Listed": "listed", "Prices": "prices", "plan": "planning", "bridge": "bridging",
          "control_chart": "control", "split_plot": "split_plots"}
_MODELS = {"Goal": "desirability"}
_ROOMS = ("backtest", "coatings", "pressing", "recipe", "spaces", "virtual", "virtual_coating",
          "virtual_pellets")

__all__ = [
    "Campaign",
    "CampaignError",
    "Choice",
    "DoeError",
    "Goal",
    "Integer",
    "Listed",
    "Mixture",
    "Ordinal",
    "Prices",
    "Real",
    "RuleError",
    "Space",
    "SpaceError",
    "StoreError",
    "backtest",
    "bridge",
    "coatings",
    "compare",
    "control_chart",
    "design",
    "plan",
    "pressing",
    "rank",
    "recipe",
    "spaces",
    "split_plot",
    "virtual",
    "virtual_coating",
    "virtual_pellets",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f".{name}", __name__)
    if name in _MODELS:
        return getattr(importlib.import_module(f"..models.{_MODELS[name]}", __name__), name)
    if name in _LATER:
        return getattr(importlib.import_module(f".{_LATER[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
