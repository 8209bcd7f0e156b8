"""Suggestion cards: what a suggestion is for, on one page for the bench.

A card holds what is expected of the next cell, why the setting was chosen, the nearest run that was
done, E_m and the regime of milling where the model knows them, what to weigh where the setting is a
recipe, what it costs, and which reading would change the plan.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from .. import data
from . import acquisition, outlook, posterior, recommend, weighing, worth
from . import factors as fac
from . import state as states
from .declaration import Declaration
from .errors import CampaignError, DoeError, unknown
from .goals import price
from .ranking import LEVEL
from .readings import is_bound
from .space import Space
from .state import State

ENERGY = "specific_energy_J_g"
_LIKELY = 4.0
"""Standard deviations beyond which no reading is to be thought of."""


@dataclass(frozen=True)
class Card:
    """One suggestion, ready to be taken to the bench.

    Attributes
    ----------
    suggestion : str
    lines : dict of heading to text
        In the order in which they are shown.
    """

    suggestion: str
    lines: dict[str, str]

    def __str__(self) -> str:
        wide = max(len(h) for h in self.lines)
        body = "\n".join(f"  {h:<{wide}}  {t}" for h, t in self.lines.items())
        return f"{self.suggestion}\n{body}"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(h)}</th><td>{html.escape(t)}</td></tr>"
            for h, t in self.lines.items()
        )
        return f"<h4>{html.escape(self.suggestion)}</h4><table>{rows}</table>"


def card(declaration: Declaration, state: State, name: str) -> Card:
    """The card of one suggestion of a campaign.

    Raises
    ------
    CampaignError
        If there is no such suggestion.
    """
    if name not in state.suggestions.index:
        raise CampaignError(unknown(name, state.suggestions.index, "suggestion of this campaign"))
    space, told = declaration.space, state.suggestions.loc[name]
    setting = state.suggestions.loc[[name], space.names].reset_index(drop=True)
    lines = {"what to run": words(space, setting.iloc[0], declaration.fixed)}
    lines["state"] = str(told["state"])
    if "run" in state.suggestions:
        others = state.suggestions["run"] == told["run"]
        names = [str(n) for n in state.suggestions.index[others] if n != name]
        if names:
            lines["in the same run"] = ", ".join(names)
    if np.isfinite(told["predicted_mean"]):
        lines["expected"] = expected(declaration, told)
    lines["why"] = str(told["reason"])
    if name in states.outlived(state):
        lines["beware"] = states.OUTLIVED
    tried = states.tried(state.rows, declaration)
    if len(tried):
        lines["nearest run done"] = nearest(declaration, state, setting, tried)
    lines |= _milling(declaration, state, setting)
    if region := space.remarks(setting)[0]:
        lines["known of this region"] = "; ".join(region)
    weigh = _weighing(declaration, setting)
    if weigh:
        lines["what to weigh"] = weigh
    if declaration.goals.cost or declaration.goals.prices:
        lines["cost"] = _cost(declaration, setting)
    if declaration.goals.single and len(tried):
        lines["what would change the plan"] = _turn(declaration, state, setting, tried)
    return Card(name, lines)


def words(space: Space, setting: Any, fixed: Mapping[str, Any]) -> str:
    """A setting with its units, constants behind it."""
    parts = []
    for factor in space.factors:
        if fac.is_void(factor, [setting[factor.name]])[0]:
            continue
        parts.append(_said(factor.name, setting[factor.name], fac.unit(factor)))
    constant = [
        _said(n, v, data.COLUMNS[n].unit if n in data.COLUMNS else "") for n, v in fixed.items()
    ]
    return ", ".join(parts) + (f" (at {', '.join(constant)})" if constant else "")


def expected(declaration: Declaration, told: Any) -> str:
    """Of each outcome the next cell, the mean of the next batch where known, and the setting's."""
    said = []
    for name in declaration.outcomes:
        end = "" if name == declaration.objective else f"_{name}"
        if np.isfinite(told.get(f"predicted_mean{end}", np.nan)):
            said.append(_expected(declaration, told, name, end))
    if np.isfinite(meets := told.get("predicted_p_meets", np.nan)):
        said.append(f"requirements kept with P {meets:.2f}")
    return "; ".join(said)


def _expected(declaration: Declaration, told: Any, name: str, end: str) -> str:
    wide = norm.ppf(0.5 + LEVEL / 2)
    mean, sd = told[f"predicted_mean{end}"], told[f"predicted_cell_sd{end}"]
    known = data.COLUMNS.get(name)
    unit = known.unit if known is not None else ""
    unit = (declaration.unit if not end else None) or unit
    unit = "" if unit in ("", "1") else f" {unit}"
    batch = told[f"predicted_batch_sd{end}"]
    between = f"mean of the next batch {mean - wide * batch:.4g} to {mean + wide * batch:.4g}; "
    low, high = told[f"predicted_low{end}"], told[f"predicted_high{end}"]
    return (
        f"{name} of the next cell {mean:.4g}{unit}, {LEVEL:.0%} interval "
        f"{mean - wide * sd:.4g} to {mean + wide * sd:.4g} (as of a normal); "
        f"{between if np.isfinite(batch) else ''}mean of the setting "
        f"{low:.4g} to {high:.4g} ({LEVEL:.0%} equal-tailed)"
    )


def nearest(declaration: Declaration, state: State, setting: pd.DataFrame, tried: Any) -> str:
    """The setting tried that is nearest on the factors' own scales, with its readings."""
    space = declaration.space
    gap = np.linalg.norm(
        space.encode(tried[space.names], features=False)
        - space.encode(setting, features=False), axis=1
    )  # fmt: skip
    at = int(gap.argmin())
    rows: Any = weighing.as_planned(state.rows, space)
    same = np.ones(len(rows), dtype=bool)
    for name in space.names:
        same &= (rows[name] == tried[name].iloc[at]).to_numpy()
    same &= states.usable(rows) & states.at_conditions(rows, declaration)
    same &= ~is_bound(rows, declaration.objective)
    values = rows.loc[same, declaration.objective].dropna().to_numpy(float)
    read = f"{len(values)} readings, {values.min():.4g} to {values.max():.4g}"
    if len(values) == 1:
        read = f"one reading, {values[0]:.4g}"
    far = "the same setting" if gap[at] < 1e-9 else words(space, tried.iloc[at], {})
    return f"{far}: {declaration.objective} {read}"


def turning_point(draws: np.ndarray, noise: float, at: int, against: int) -> float | None:
    """Reading of one setting after which it is expected to be as good as another.

    Parameters
    ----------
    draws : ndarray, shape (draws, m)
        Of the true means.
    noise : float
        Sd of one reading.
    at, against : int
        The setting that is read and the other.

    Returns
    -------
    float or None
        None where no reading changes what separates them: both would move together.
    """
    lead = _lead(draws, noise, at, against)
    if at == against or abs(lead) <= 1e-6:
        return None
    mean = draws.mean(axis=0)
    return float(mean[at] + (mean[against] - mean[at]) / lead)


def _lead(draws: np.ndarray, noise: float, at: int, against: int) -> float:
    """How much farther a setting moves than another per unit of its own reading."""
    off = draws - draws.mean(axis=0)
    slope = off.T @ off[:, at] / (off[:, at] @ off[:, at] + len(off) * noise**2 + 1e-300)
    return float(slope[at] - slope[against])


def turning_range(
    draws: np.ndarray, noise: float, at: int, against: int, target: float,
    off: tuple[float, float] = (0.0, 0.0),
) -> tuple[float, float] | None:  # fmt: skip
    """Readings of one setting, from and to, that leave it nearer to a target than another.

    Parameters as for `turning_point`; ``off`` is what `robust=` takes off both. None where no
    reading within six standard deviations would do.
    """
    both = draws[:, [at, against]]
    mean = both.mean(axis=0)
    centred = both - mean
    reach = 6.0 * float(np.hypot(centred[:, 0].std(), noise))
    slope = centred.T @ centred[:, 0] / len(both) / (centred[:, 0].var() + noise**2 + 1e-300)
    left = acquisition.after_reading(both, 0, noise, np.random.default_rng(0))
    surprise = np.linspace(-reach, reach, 481)
    gap = np.abs(left + (surprise[:, None] * slope)[:, None] - target).mean(axis=1) + off
    good = mean[0] + surprise[gap[:, 0] < gap[:, 1]]
    return (float(good[0]), float(good[-1])) if len(good) else None


def _said(name: str, value: Any, unit: str) -> str:
    shown = str(value) if isinstance(value, str) else f"{value:.12g}"
    return f"{name} {shown}" + (f" {unit}" if unit not in ("", "1") else "")


def _milling(declaration: Declaration, state: State, setting: pd.DataFrame) -> dict[str, str]:
    """E_m of the setting and its regime where the model knows them, from its draws."""
    if declaration.model is None or not outlook.predicts(declaration.model, ENERGY):
        return {}
    kept = posterior.kept(state)
    if kept is None:
        return {}
    from ..models import regime
    from .physics import Physics

    told = Physics.learn(
        declaration.model, states.learned(state, declaration), declaration.space, ENERGY,
        declaration.fixed, declaration.seed, declaration.options, dict(kept),
    )  # fmt: skip
    lines = {}
    if ENERGY not in declaration.outcomes:
        draws = told.mean(setting)[:, 0]
        low, high = np.quantile(draws, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
        lines["specific energy"] = (
            f"{np.median(draws):.3g} J/g ({LEVEL:.0%} equal-tailed interval {low:.3g} to "
            f"{high:.3g})")  # fmt: skip
    if regime.tells(told.response.fit):
        row = regime.regime(told.response.fit, setting.assign(**told.fixed)).iloc[0]
        lines["regime of milling"] = (
            f"{row['regime']}; stress energy above the contact threshold with P "
            f"{row['p_above_threshold']:.2f}, damage-dominated (gentler milling would give more) "
            f"with P {row['p_damage_dominated']:.2f}")
    return lines


def _cost(declaration: Declaration, setting: pd.DataFrame) -> str:
    """What the setting costs, and beside it what its run shares."""
    formula, prices = declaration.goals.cost, declaration.goals.prices
    cost = price(declaration.space, formula, setting)[0] if formula else 0.0
    told = f" ({formula})" if formula else ""
    if prices is None:
        return f"{cost:.4g}{told}"
    return (
        f"{prices.say(cost + prices.holding(1, 1))} for the setting{told}, and for its run "
        f"{prices.say(prices.run)} and the change-over"
    )


def _weighing(declaration: Declaration, setting: pd.DataFrame) -> str | None:
    """What to weigh, where the setting is a mixture by mass or a recipe of a mixer."""
    row, mixtures = setting.iloc[0], declaration.space.mixtures
    weighed = {n for w in weighing.known(declaration.space) for n in w.factors}
    mass = row.get("batch_mass_mg", declaration.fixed.get("batch_mass_mg"))
    total = None if mass is None else float(mass) / 1000.0
    said = [weighing.targets(m, row, total) for m in mixtures if weighed >= set(m.names)]
    if said:
        return "; ".join(said)
    given = {k: v for k, v in declaration.fixed.items() if k in ("electrolyte_parts", "cb_parts")}
    table = setting.assign(**given)
    if "electrolyte_parts" not in table:
        return None
    from . import recipe

    try:
        made = recipe.cards(table)[0].table
    except DoeError:
        return None
    each = zip(made["weigh_g"], made["component"], strict=True)
    return ", ".join(f"{grams:.2f} g {name}" for grams, name in each)


def _lacking(declaration: Declaration, seen: posterior.Views) -> str:
    """Which requirement the first setting does not keep as probably as asked; "" if none."""
    found = worth.chances(declaration.goals, seen.values)
    lacking = [
        f"{text!r} holds with P {found[text][0]:.2f}, asked is {p:g}"
        for text, p in declaration.goals.require
        if found[text][0] < p
    ]
    return " and ".join(lacking)


def _turn(declaration: Declaration, state: State, setting: pd.DataFrame, tried: Any) -> str:
    """Which reading would make the suggestion the recommended setting."""
    space, aim = declaration.space, declaration.goals.aims[0]
    settings = pd.concat([setting, tried[space.names]], ignore_index=True)
    found = posterior.estimator(declaration, state, "card")(settings)
    draws = np.asarray(found.draws, dtype=float)
    seen = posterior.Views.of(found.values, found.sd)
    known, allowed = seen.part(slice(1, None)), space.allowed(tried[space.names])
    allowed = allowed if allowed.any() else ~allowed
    merit = recommend.Merit.learn(declaration, known)
    leader = 1 + recommend.choice(tried, known, merit, allowed)[0]
    off = declaration.goals.robust * seen.sd[aim.outcome]
    noise = float(np.sqrt(max(found.cell_sd[0] ** 2 - draws[:, 0].var(), 0.0)))
    same = bool((settings.iloc[0] == settings.iloc[leader]).all())
    against = leader
    if same:
        others = allowed & (np.arange(len(tried)) != leader - 1)
        if not others.any():
            return "nothing: it is the only setting tried"
        against = 1 + recommend.choice(tried, known, merit, others)[0]
    name = recommend.label(settings.iloc[against], space)
    end = f"would make {name} the recommended setting" if same else (
        f"would make this the recommended setting, in place of {name}")  # fmt: skip
    if declaration.goals.require:
        readings, wins = _settled(merit, seen, [0, against], noise)
        return _readings(readings, wins != same, end, _lacking(declaration, seen), aim.outcome)
    if aim.target is not None:
        ends = (float(off[0]), float(off[against]))
        span = turning_range(draws, noise, 0, against, aim.target, ends)
        if span is None:
            return f"any one reading {end}" if same else f"no one reading {end}"
        return f"one reading {'outside ' * same}{span[0]:.4g} to {span[1]:.4g} {end}"
    sign = 1.0 if declaration.maximize else -1.0
    levels = draws - sign * off
    turn = turning_point(levels, noise, 0, against)
    ahead = sign * float(levels[:, 0].mean() - levels[:, against].mean())
    if turn is None:
        return f"{'any' if (ahead > 0) != same else 'no'} one reading {end}"
    if abs(levels[:, 0].mean() - turn) > _LIKELY * float(np.hypot(draws[:, 0].std(), noise)):
        return f"{'any' if (ahead > 0) != same else 'no'} likely reading {end}"
    above = sign * _lead(levels, noise, 0, against) > 0
    return f"one reading {'above' if above != same else 'below'} {turn + sign * off[0]:.4g} {end}"


def _settled(
    merit: recommend.Merit, seen: posterior.Views, two: list[int], noise: float
) -> tuple[np.ndarray, np.ndarray]:
    """Likely readings of the first of two settings, and after which of them it is recommended.

    Each reading moves the draws of every outcome, so that what is required is looked at anew.
    """
    goals = merit.declaration.goals
    names = list(seen.values)
    both = np.concatenate([seen.values[name][:, two] for name in names], axis=1)
    mean = both.mean(axis=0)
    centred = both - mean
    slope = centred.T @ centred[:, 0] / len(both) / (centred[:, 0].var() + noise**2 + 1e-300)
    left = acquisition.after_reading(both, 0, noise, np.random.default_rng(0))
    reach = _LIKELY * float(np.hypot(centred[:, 0].std(), noise))
    surprise = np.linspace(-reach, reach, 161)
    sd = {name: seen.sd[name][two] for name in names}
    wins = []
    for off in surprise:
        after = left + off * slope
        values = {name: after[:, 2 * k : 2 * k + 2] for k, name in enumerate(names)}
        keeps, value = worth.kept(goals, values), merit.worth.averaged(values, sd).mean(axis=0)
        if not keeps.any():  # then the likelier to keep it is recommended
            keeps = worth.met(goals, values).mean(axis=0)
        wins.append((keeps[0], value[0]) > (keeps[1], value[1]))
    return mean[0] + surprise, np.array(wins)


def _readings(
    readings: np.ndarray, would: np.ndarray, end: str, lack: str, outcome: str
) -> str:
    """Which readings of a rising row do something, in words."""
    if would.all():
        return f"any likely reading {end}"
    if not would.any():
        return f"no reading of {outcome} alone would: {lack}" if lack else (
            f"no likely reading {end}")  # fmt: skip
    first, last = np.flatnonzero(would)[[0, -1]]
    if not would[first : last + 1].all():
        first, last = np.flatnonzero(~would)[[0, -1]]
        return f"one reading outside {readings[first]:.4g} to {readings[last]:.4g} {end}"
    if first == 0:
        return f"one reading below {readings[last]:.4g} {end}"
    if last == len(would) - 1:
        return f"one reading above {readings[first]:.4g} {end}"
    return f"one reading {readings[first]:.4g} to {readings[last]:.4g} {end}"
