"""Plan a sequence of runs: in which order, on which day, at what price, and what fits.

Suggestions say what to run; a plan says how: which settings share a run, in which order the runs
cost the least to change over, what may be drawn at random and is, which powder lot and operator
each block gets, and where the control recipe comes back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import goals, plan_runs, route
from .errors import CampaignError, is_number, listing, unknown
from .plan_runs import CONTROL_IN, Run
from .plan_table import Draft, Request, notes, sentence, table_of
from .prices import Prices
from .run_prices import shared_price

if TYPE_CHECKING:
    from .space import Space

SLACK = 1e-9


@dataclass(frozen=True)
class Plan:
    """A sequence of runs.

    Attributes
    ----------
    table : DataFrame
        One row a setting in the order of the work: ``block``, the blocking factors, ``day`` (where
        days are counted), ``run``, ``position`` in it, ``suggestion``, the factors, ``role``
        (``setting`` or ``control``), ``changes`` (what to set anew before it), ``price`` (that of
        a run and of its change-over stands at its first setting, what the control recipe costs at
        the first of its cells in a run) and ``total`` so far.
    left_out : DataFrame
        Settings that did not fit, as they were given.
    price : float
        Of all of it.
    parts : dict
        ``change_over``, ``run``, ``setting``, ``cell``, ``reading``: what the price is made of.
    sentence : str
    notes : list of str
    """

    table: pd.DataFrame
    left_out: pd.DataFrame
    price: float
    parts: dict[str, float]
    sentence: str
    notes: list[str]

    def __str__(self) -> str:
        return "\n\n".join([self.table.to_string(index=False), self.sentence, *self.notes])

    def _repr_html_(self) -> str:
        said = "".join(f"<p>{escape(text)}</p>" for text in (self.sentence, *self.notes))
        return self.table.to_html(index=False) + said


def plan(
    space: Space,
    settings: object,
    prices: Prices | None = None,
    *,
    budget: float | None = None,
    days: int | Sequence[Any] | None = None,
    hours: Prices | None = None,
    hours_per_day: float = 8.0,
    runs_per_day: int | None = None,
    gain: str | Sequence[float] | None = None,
    blocks: Mapping[str, Sequence[Any]] | None = None,
    control: Mapping[str, Any] | None = None,
    rises: Sequence[str] = (),
    start: Mapping[str, Any] | None = None,
    cells: int = 1,
    readings: int = 1,
    seed: int = 1,
    cost: str | None = None,
) -> Plan:
    """Put settings into runs and runs into an order.

    Parameters
    ----------
    space : Space
        Its hard-to-change factors are shared by a run, `Space.per_run` settings at most.
    settings : table
        With every factor; ``suggestion`` and ``run`` (named by a campaign) are kept.
    prices : Prices, optional
    budget : float, optional
        Most that all of it may cost, in the unit of the prices.
    days : int or sequence, optional
        How many days there are, or their names in order. A run is never split over two days,
        unless it is longer than a day: it then takes as many as it needs.
    hours : Prices, optional
        How long everything takes, in hours; without it `runs_per_day` counts.
    hours_per_day : float
    runs_per_day : int, optional
        One, where `days` are given without hours.
    gain : str or sequence, optional
        Expected gain of each setting, or its column: of what does not fit all, runs of the most
        gain for their price come first. Without it, settings matter in the order given.
    blocks : mapping of name to levels, optional
        Blocking factors, such as ``{"lot": ["A", "B"], "operator": ["x", "y"]}``: every block
        has one level of each, and as much of every hard level as the others.
    control : mapping, optional
        Settings of the control recipe: comes back in every block, in about one cell in eight.
    rises : sequence of str
        Factors that may only rise within a run: a pellet pressed up a staircase (the pellet is
        the run: its price is ``run``), a jar sampled at 5, 10 and 20 minutes.
    start : mapping, optional
        How what changes over between runs is set now: the hard factors, or without any those with
        a price of their own; without it, the first run is set up at no price.
    cells, readings : int
        Cells of each setting, readings of each cell.
    seed : int
        Of everything that is drawn: order within runs, between runs of equal price, of blocks.
    cost : str, optional
        Formula of what a setting costs on top of the prices, in their unit and however many cells
        it has, such as ``"30 + milling_min"``; the control recipe costs it once in each run.

    Returns
    -------
    Plan

    Raises
    ------
    CampaignError
        If a setting breaks a rule, a name or number makes no sense, or there is a budget and
        nothing has a price.
    """
    table = space.frame(settings).reset_index(drop=True)
    prices = prices or Prices()
    shared = _checked(space, table, prices, hours, rises, cells, readings, budget, control,
                      start, cost)  # fmt: skip
    plan_runs.check_blocks(blocks, [*table.columns, "block", "day", "run", "role"])
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise CampaignError(f"seed={seed!r} must be a whole number of 0 or more")
    recipe = None if control is None else dict(space.frame(control).iloc[0])
    worth = _worth(table, gain)
    priority = worth if worth is not None else -np.arange(len(table), dtype=float)
    found = plan_runs.runs_of(space, table, shared, rises, priority)
    days_given = _calendar(days, hours_per_day, runs_per_day)
    if runs_per_day is None and hours is None and days is not None:
        runs_per_day = 1
    asked = Request(
        space, table, prices, shared, recipe, dict(blocks or {}), tuple(rises), cells, readings,
        dict(start) if start else None, hours, hours_per_day, runs_per_day, days_given, budget,
        seed, _costs(space, cost, table), 0.0 if control is None
        else float(_costs(space, cost, space.frame(control))[0]),
    )  # fmt: skip
    chosen = _fill(asked, found, worth)
    made = _draft(asked, chosen)
    used = {k for r in chosen for k in r.rows}
    left = table.loc[[k for k in range(len(table)) if k not in used]]
    whole, parts = table_of(asked, made)
    return Plan(
        whole, left, float(sum(parts.values())), parts, sentence(asked, made, whole, parts, left),
        notes(asked, made, whole),
    )  # fmt: skip


def order(
    space: Space, settings: pd.DataFrame, prices: Prices | None = None, rises: Sequence[str] = (),
    seed: int = 1,
) -> list[int]:  # fmt: skip
    """Positions of settings in the order in which `plan` runs them where it leaves none out.

    Parameters as for `plan`; without its checks, for settings that were checked before.
    """
    prices = prices or Prices()
    table = settings.reset_index(drop=True)
    table["suggestion"] = range(len(table))
    shared = plan_runs.changing(space, prices)
    asked = Request(
        space, table, prices, shared, None, {}, tuple(rises), 1, 1, None, None, 8.0, None, None,
        None, seed, np.zeros(len(table)), 0.0,
    )  # fmt: skip
    runs = plan_runs.runs_of(space, table, shared, rises, -np.arange(len(table), dtype=float))
    return [int(k) for k in table_of(asked, _draft(asked, runs))[0]["suggestion"]]


def _checked(
    space: Space, table: pd.DataFrame, prices: Prices, hours: Prices | None, rises: Sequence[str],
    cells: int, readings: int, budget: float | None, control: Mapping[str, Any] | None,
    start: Mapping[str, Any] | None, cost: str | None,
) -> list[str]:  # fmt: skip
    """Complain about what makes no sense; the factors that change over between runs."""
    if not len(table):
        raise CampaignError("there is no setting to plan; ask for suggestions first")
    for name, given in (("prices", prices), ("hours", hours)):
        if not isinstance(given, Prices) and not (name == "hours" and given is None):
            raise CampaignError(f"{name}={given!r} must be doe.Prices(change_over=..., run=...)")
    for name, number in (("cells", cells), ("readings", readings)):
        if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or number < 1:
            raise CampaignError(f"{name}={number!r} must be a whole number from 1")
    if budget is not None and not (is_number(budget) and budget >= 0):
        raise CampaignError(f"budget={budget!r} must be a price of zero or more")
    if budget is not None and not (cost or shared_price(prices) or prices.holding(1, 1)):
        raise CampaignError(
            f"budget={budget!r}, but nothing has a price; give prices=doe.Prices(run=..., cell=...)"
        )
    for name in rises:
        if name not in space.names:
            raise CampaignError(unknown(name, space.names, "factor of this space"))
        if name in space.hard:
            raise CampaignError(
                f"rises: {name} is hard to change, so it is the same in all of a run; it cannot "
                "rise within one"
            )
    own = {n: control[n] for n in space.names if n in control} if control is not None else None
    for what, part in (("setting", table), ("control recipe", own)):
        if part is None:
            continue
        part = space.frame(part)
        wrong = ~space.feasible(part)
        if wrong.any():
            which: Any = part[wrong]
            said = listing(space.objections(which), 3)
            raise CampaignError(f"a {what} is outside the space: {said}")
    shared = plan_runs.checked(space, prices=prices, hours=hours)
    _check_start(space, shared, start)
    return shared


def _check_start(space: Space, shared: Sequence[str], start: Mapping[str, Any] | None) -> None:
    """Where the equipment stands is a value of each factor that changes over."""
    if start is None:
        return
    if not isinstance(start, Mapping):
        raise CampaignError(f"start={start!r} is no mapping; write start={{'rpm': 300}}")
    for name in start:
        if name not in space.names:
            raise CampaignError(unknown(name, space.names, "factor of this space"))
    lacking = [n for n in shared if n not in start]
    if start and lacking:
        raise CampaignError(
            f"start lacks {listing(lacking)}; say of each factor that changes over between runs "
            f"how it is set now: {listing(shared)}"
        )
    for name in shared if start else ():
        text = space.factor(name).kind == "text"
        if isinstance(start[name], str) != text or pd.isna(start[name]):
            raise CampaignError(
                f"start[{name!r}]={start[name]!r} must be {'a text' if text else 'a number'}: "
                f"how {name} is set now"
            )


def _costs(space: Space, cost: str | None, settings: pd.DataFrame) -> np.ndarray:
    """What each setting costs by a formula, shape (n,); nothing without one."""
    if not cost:
        return np.zeros(len(settings))
    return goals.price(space, cost, pd.DataFrame(settings[space.names]))


def _calendar(
    days: int | Sequence[Any] | None, hours_per_day: float, runs_per_day: int | None
) -> list[Any] | None:
    """Names of the days, None where they are not counted; complain about what is no calendar."""
    if not 0.0 < hours_per_day < np.inf:
        raise CampaignError(f"hours_per_day={hours_per_day!r} must be a number of hours above 0")
    named: Any = list(days) if np.ndim(days) == 1 else None  # pyright: ignore
    counted: dict[str, Any] = {"runs_per_day": runs_per_day, "days": None if named else days}
    for name, number in counted.items():
        whole = isinstance(number, (int, np.integer)) and not isinstance(number, bool)
        if number is not None and not (whole and number >= 1):
            or_names = ", or the names of the days" if name == "days" else ""
            raise CampaignError(f"{name}={number!r} must be a whole number from 1{or_names}")
    return named or (None if days is None else list(range(1, counted["days"] + 1)))


def _worth(table: pd.DataFrame, gain: str | Sequence[float] | None) -> np.ndarray | None:
    if gain is None:
        return None
    if isinstance(gain, str):
        if gain not in table:
            raise CampaignError(unknown(gain, table.columns, "column of the settings"))
        gain = table[gain].tolist()
    try:
        worth = np.asarray(gain, dtype=float)
    except (TypeError, ValueError):
        worth = np.empty(0)
    if worth.shape == (len(table),) and not np.isfinite(worth).all() and "suggestion" in table:
        lack = table["suggestion"][~np.isfinite(worth)]
        raise CampaignError(
            f"gain is not known of {listing(lack)}; give a number for each, or gain=None: settings "
            "then matter in the order given"
        )
    if worth.shape != (len(table),) or not np.isfinite(worth).all():
        raise CampaignError(f"gain needs one number for each of {len(table)} settings")
    return worth


def _fill(asked: Request, runs: list[Run], worth: np.ndarray | None) -> list[Run]:
    """Runs that fit the budget and the calendar; of a run that does not, what fits of it."""
    if asked.budget is None and asked.days is None:
        return runs
    queue = list(runs)
    if worth is not None:
        each = asked.prices.holding(asked.cells, asked.readings) + asked.costs

        def rate(run: Run) -> float:
            rows = list(run.rows)
            paid = asked.prices.run + each[rows].sum()
            return -float(worth[rows].sum() / (paid + SLACK))

        queue = sorted(runs, key=rate)
    chosen: list[Run] = []
    for run in queue:
        for count in range(len(run.rows), 0, -1):
            trial = [*chosen, replace(run, rows=run.rows[:count])]
            if _fits(asked, trial):
                chosen = trial
                break
    return chosen


def _fits(asked: Request, runs: list[Run]) -> bool:
    made = _draft(asked, runs)
    if asked.days is not None and made.day and made.day[-1][1] > len(asked.days):
        return False
    return asked.budget is None or made.price(asked) <= asked.budget * (1.0 + SLACK) + SLACK


def _draft(asked: Request, runs: list[Run]) -> Draft:
    """Blocks, their levels and the order of their runs; the same seed, the same draft."""
    if not runs:
        return Draft([], pd.DataFrame(), [], [])
    deal, way = (np.random.default_rng([asked.seed, k]) for k in (1, 2))
    shuffled = [runs[k] for k in deal.permutation(len(runs))]
    size = asked.cells * sum(len(r) for r in runs)
    count = round(size / (CONTROL_IN - 1)) if asked.recipe is not None else 1
    count = max(count, *(len(v) for v in asked.blocks.values()), 1)
    count = min(count, len(runs))
    if asked.blocks:
        groups = plan_runs.blocks_of(asked.table, shuffled, count, asked.shared, deal)
    else:
        groups = _cut(asked, [shuffled[k] for k in _ordered(asked, shuffled, asked.start, way)],
                      count)  # fmt: skip
    levels, said = plan_runs.levels_of(asked.blocks, len(groups), deal)
    at, blocks = asked.start, []
    for group in groups:
        whole = group
        if asked.recipe is not None:
            whole = plan_runs.with_control(
                asked.space, group, asked.recipe, asked.shared, asked.cells, deal
            )
        fresh = bool(blocks) and not blocks[-1][-1].rows
        blocks.append([whole[k] for k in _ordered(asked, whole, at, way, fresh)])
        at = blocks[-1][-1].hard
    return Draft(blocks, levels, said, _days(asked, blocks))


def _ordered(
    asked: Request, runs: list[Run], at: Mapping[str, Any] | None, rng: np.random.Generator,
    controlled: bool = False,
) -> list[int]:  # fmt: skip
    """The cheapest order; not with the control first where it has just been run, for two in a row
    see no drift."""
    price = np.array(
        [[asked.changing(asked.prices, a.hard, b.hard) for b in runs] for a in runs]
    )
    first = np.zeros(len(runs))
    if at is not None:
        first = np.array([asked.changing(asked.prices, at, b.hard) for b in runs])
    if controlled and any(r.rows for r in runs):
        first = first + np.array([0.0 if r.rows else 1.0 + 2.0 * price.sum() for r in runs])
    return route.order(price, first, rng)


def _cut(asked: Request, runs: list[Run], count: int) -> list[list[Run]]:
    """Runs in their order, cut into blocks of about as many settings."""
    ends = np.cumsum([len(r) for r in runs])
    which = np.minimum(((ends - 0.5) * count / ends[-1]).astype(int), count - 1)
    return [[r for r, k in zip(runs, which, strict=True) if k == b] for b in np.unique(which)]


def _days(asked: Request, blocks: list[list[Run]]) -> list[tuple[int, int]]:
    """First and last day of each run, counted from 1; empty where days are not counted."""
    if asked.hours is None and asked.runs_per_day is None:
        return []
    made: list[tuple[int, int]] = []
    day, used, count, at = 1, 0.0, 0, asked.start
    for run in (r for block in blocks for r in block):
        need = 0.0
        if asked.hours is not None:
            if at is not None:
                need += asked.changing(asked.hours, at, run.hard)
            cells = asked.cells * len(run.rows) + run.controls
            need += asked.hours.run + asked.hours.holding(cells, asked.readings)
        full = asked.runs_per_day is not None and count >= asked.runs_per_day
        if full or (used > 0.0 and used + need > asked.hours_per_day * (1.0 + SLACK)):
            day, used, count = day + 1, 0.0, 0
        more = max(0, int(np.ceil((used + need) / asked.hours_per_day - SLACK)) - 1)
        made.append((day, day + more))
        used, count, at = used + need - more * asked.hours_per_day, count + 1, run.hard
        day += more
    return made
