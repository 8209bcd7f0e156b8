"""A plan as a table, a sentence and remarks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import plan_runs
from .errors import counted, listing
from .plan_runs import Run
from .prices import Prices, differs

if TYPE_CHECKING:
    from .space import Space


PARTS = ("change_over", "run", "setting", "cell", "reading")
"""What a price is made of."""


@dataclass(frozen=True)
class Request:
    """What is asked of a plan, checked; see `planning.plan`.

    ``costs``, shape (n,), and ``recipe_cost`` are what the settings of ``table`` and those of the
    control recipe cost by the formula of ``cost``, in the unit of the prices.
    """

    space: Space
    table: pd.DataFrame
    prices: Prices
    shared: list[str]
    recipe: dict[str, Any] | None
    blocks: dict[str, Any]
    rises: tuple[str, ...]
    cells: int
    readings: int
    start: dict[str, Any] | None
    hours: Prices | None
    hours_per_day: float
    runs_per_day: int | None
    days: list[Any] | None
    budget: float | None
    seed: int
    costs: np.ndarray
    recipe_cost: float

    def changing(self, prices: Prices, before: Mapping[str, Any], after: Mapping[str, Any]
                 ) -> float:  # fmt: skip
        """Price, or hours, of the change-over from one run to the next."""
        return prices.changing(before, after, self.shared, self.space)


@dataclass(frozen=True)
class Draft:
    """Runs in order, block by block, with the levels of the blocking factors and the days."""

    blocks: list[list[Run]]
    levels: pd.DataFrame
    said: list[str]
    day: list[tuple[int, int]]

    @property
    def runs(self) -> list[Run]:
        return [r for block in self.blocks for r in block]

    def price(self, asked: Request) -> float:
        """Of all of it."""
        return float(sum(sum(p.values()) for p in run_prices(asked, self)))


def run_prices(asked: Request, made: Draft) -> list[dict[str, float]]:
    """What each run's price is made of."""
    found, at = [], asked.start
    for run in made.runs:
        cells = asked.cells * len(run.rows) + run.controls
        own = float(asked.costs[list(run.rows)].sum())
        own += asked.recipe_cost if run.controls else 0.0
        found.append(
            {
                "change_over": 0.0 if at is None
                else asked.changing(asked.prices, at, run.hard),
                "run": asked.prices.run,
                "setting": own,
                "cell": cells * asked.prices.cell,
                "reading": cells * asked.readings * asked.prices.reading,
            }
        )  # fmt: skip
        at = run.hard
    return found


def table_of(asked: Request, made: Draft) -> tuple[pd.DataFrame, dict[str, float]]:
    """The plan's table, and what its price is made of."""
    rng = np.random.default_rng([asked.seed, 3])
    parts: dict[str, float] = dict.fromkeys(PARTS, 0.0)
    priced, rows, at, number = run_prices(asked, made), [], asked.start, 0
    names = [] if "suggestion" not in asked.table else ["suggestion"]
    for k, block in enumerate(made.blocks):
        for run in block:
            parts = {n: v + priced[number][n] for n, v in parts.items()}
            extra = priced[number]["change_over"] + priced[number]["run"]
            changes = _changes(at, run.hard)
            cells = plan_runs.within(asked.table, run, asked.rises, asked.recipe, rng)
            for position, cell in enumerate(cells, 1):
                cost = asked.recipe_cost if cell < 0 else float(asked.costs[cell])
                if cell < 0 and cell in cells[: position - 1]:
                    cost = 0.0  # made already
                source: Any = asked.recipe if cell < 0 else asked.table.iloc[cell]
                count = 1 if cell < 0 else asked.cells
                rows.append(
                    {
                        "block": k + 1,
                        **{n: made.levels[n].iloc[k] for n in asked.blocks},
                        "day": _day(asked, made, number),
                        "run": number + 1,
                        "position": position,
                        **{n: None if cell < 0 else source[n] for n in names},
                        **{n: source[n] for n in asked.space.names},
                        "role": "control" if cell < 0 else "setting",
                        "changes": changes if position == 1 else "",
                        "price": cost
                        + asked.prices.holding(count, asked.readings)
                        + (extra if position == 1 else 0.0),
                    }
                )
            at, number = run.hard, number + 1
    columns = ["block", *asked.blocks, "day", "run", "position", *names, *asked.space.names,
               "role", "changes", "price"]  # fmt: skip
    table = pd.DataFrame(rows, columns=columns)
    if not made.day:
        table = table.drop(columns="day")
    return table.assign(total=table["price"].cumsum()), parts


def _changes(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> str:
    """``"anneal_degC 500 -> 600"``; everything is set up for the first run."""
    if before is None:
        return "set up: " + ", ".join(f"{n} {_short(v)}" for n, v in after.items()) if after else ""
    return ", ".join(
        f"{n} {_short(before[n])} -> {_short(v)}" for n, v in after.items() if differs(before[n], v)
    )


def _short(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, (float, np.floating)) else str(value)


def _day(asked: Request, made: Draft, number: int) -> object:
    if not made.day:
        return None
    first = made.day[number][0]
    return first if asked.days is None or first > len(asked.days) else asked.days[first - 1]


def sentence(
    asked: Request, made: Draft, table: pd.DataFrame, parts: Mapping[str, float],
    left: pd.DataFrame,
) -> str:  # fmt: skip
    """How much, in how many runs, at what price, and what is left out."""
    if not len(table):
        return f"Nothing fits: {counted(len(left), 'setting')} left out."
    controls = list(table["role"]).count("control")
    settings = len(table) - controls
    said = f"{settings} {'setting' if settings == 1 else 'settings'}"
    said += f" and {controls} control {'cell' if controls == 1 else 'cells'}" if controls else ""
    runs, blocks = len(made.runs), len(made.blocks)
    said += f" in {runs} {'run' if runs == 1 else 'runs'}"
    said += f" and {blocks} blocks" if blocks > 1 else ""
    if made.day:
        said += f" on {counted(made.day[-1][1], 'day')}"
    total = sum(parts.values())
    if total:
        split = ", ".join(
            f"{n.replace('_', '-')}s {asked.prices.say(v)}" for n, v in parts.items() if v
        )
        said += f", for {asked.prices.say(total)} ({split})"
    if asked.budget is not None:
        said += f" of {asked.prices.say(asked.budget)}"
    if len(left):
        names = counted(len(left), "setting")
        names = listing(left["suggestion"]) if "suggestion" in left else names
        said += f"; left out, as they do not fit: {names}"
    return said + "."


def notes(asked: Request, made: Draft, table: pd.DataFrame) -> list[str]:
    """What was drawn at random and what was not, and what cannot be told apart."""
    runs = made.runs
    if not runs:
        return []
    told = list(made.said)
    priced = [
        asked.changing(asked.prices, a.hard, b.hard)
        for a in runs for b in runs if a is not b
    ]  # fmt: skip
    free = len(set(np.round(priced, 9))) <= 1
    names = listing(asked.shared)
    inside = "rises" if asked.rises else "is drawn"
    if asked.rises:
        inside = f"is that of rising {listing(asked.rises)}"
    if len(runs) > 1 and free:
        told.append(f"order of runs is drawn (seed {asked.seed}); that within runs {inside}")
    elif len(runs) > 1:
        drift = (
            "the control cells show one" if asked.recipe is not None
            else "a control recipe would show one"
        )  # fmt: skip
        told.append(
            f"runs are in the order of the cheapest change-over of {names}, not at random: a drift "
            f"would look like their effect, {drift}; the order within runs {inside} "
            f"(seed {asked.seed})"
        )
    again = any(
        len(b.rows) and len(a.rows) and asked.shared and not _changes(a.hard, b.hard)
        for a, b in pairwise(runs)
    )
    if again:
        told.append(
            f"where a run has the {names} of the one before, set it up anew all the same: only so "
            "does it tell of the scatter of runs"
        )
    return told + _confounded(asked, made)


def _confounded(asked: Request, made: Draft) -> list[str]:
    """Levels of hard factors that only one level of a blocking factor sees."""
    told = []
    for name, levels in asked.blocks.items():
        if len(set(made.levels[name])) < len(levels):
            told.append(f"{len(made.blocks)} blocks are too few for all levels of {name}")
        for factor in asked.shared:
            seen: dict[Any, set[Any]] = {}
            runs: dict[Any, int] = {}
            for k, block in enumerate(made.blocks):
                for run in (r for r in block if r.rows):
                    value = run.hard[factor]
                    seen.setdefault(value, set()).add(made.levels[name].iloc[k])
                    runs[value] = runs.get(value, 0) + 1
            alone = [v for v, s in seen.items() if len(s) == 1]
            if len(seen) > 1 and alone:
                be = "is" if len(alone) == 1 else "are"
                told.append(
                    f"{factor} {listing(_short(v) for v in alone)} {be} run with one {name} only: "
                    "there the two are told apart by the control cells and the model alone"
                )
    return told
