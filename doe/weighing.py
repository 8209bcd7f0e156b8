"""Weighed masses in the place of planned compositions.

Nobody weighs exactly what was planned. A recorded row may hold what the balance showed, in g:
``weighed_active_g``, ``weighed_electrolyte_g``, ... for the parts of a mixture by mass, or for
``electrolyte_parts`` and ``cb_parts``. The composition of the row is then that of the masses, and
the planned one is kept beside it (``planned_active_fraction``).

A composition within a factor's step of its plan, or where there is no step within the digits that
a suggestion shows, is the planned one made as well as a balance can: the model learns from what
was made, and a ranking counts it as the setting that was planned.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .. import data
from ..data import recipes
from .errors import did_you_mean

if TYPE_CHECKING:
    from .factors import Factor
    from .mixture import Mixture
    from .space import Space

PLANNED = "planned_"
ENDINGS = ("_mass_fraction", "_fraction", "_wt_pct", "_parts", "_pct")
SLIP = 1000.0
"""Ratio of g to mg and of kg to g, the slips of unit that are looked for."""
ALIKE = 0.1
"""Relative error up to which a composition is the planned one but for a slip of unit."""


@dataclass(frozen=True)
class Weighing:
    """Masses that tell some factors of a space.

    Attributes
    ----------
    masses : tuple of str
        Columns, g each.
    factors : tuple of str
        What they tell.
    composition : callable
        Values of the factors from one mass for each of `masses`; their sum is above 0.
    idle : callable
        Which masses may be left out, as they are zero, given the planned values.
    base : int
        So many of the first masses make up what the others are shares of.
    """

    masses: tuple[str, ...]
    factors: tuple[str, ...]
    composition: Callable[[list[float]], list[float]]
    idle: Callable[[Mapping[str, float]], set[str]]
    base: int


def column(part: str) -> str:
    """``weighed_active_g`` for ``active_fraction`` and for ``active``."""
    stem = next((part.removesuffix(e) for e in ENDINGS if part.endswith(e)), part)
    return f"weighed_{stem or part}_g"


def known(space: Space) -> list[Weighing]:
    """What can be told from masses in a space; parts by volume cannot."""
    found = [_of_mixture(m) for m in space.mixtures if not any("vol" in n for n in m.names)]
    of_parts = tuple(n for n in ("electrolyte_parts", "cb_parts") if n in space.names)
    mixed = {n for m in space.mixtures for n in m.names}
    if of_parts and not mixed & set(of_parts):
        found.append(_of_parts(of_parts))
    return found


def columns(space: Space) -> list[dict[str, Any]]:
    """Columns that results may have for it, as rows for `data.validate`."""
    masses = dict.fromkeys(n for w in known(space) for n in w.masses)
    kept = dict.fromkeys(PLANNED + n for w in known(space) for n in w.factors)
    rows: list[dict[str, Any]] = [
        {"name": n, "role": "factor", "level": "batch", "unit": "g", "kind": "number",
         "needed": False, "low": 0.0, "high": 1e6} for n in masses
    ]  # fmt: skip
    rows += [
        {"name": n, "role": "context", "level": "row", "unit": "", "kind": "number",
         "needed": False, "part": True} for n in kept
    ]  # fmt: skip
    return rows


def replace(filled: Any, space: Space, suggestions: pd.DataFrame) -> list[data.Problem]:
    """Put the composition of the masses in the place of the planned one, in place.

    A row of the literature (``study`` without a suggestion) keeps what its source says.

    Parameters
    ----------
    filled : DataFrame
        Results whose gaps are filled from suggestions.
    suggestions : DataFrame
        Indexed by id: the plan of rows that answer one; that of others is what they state.

    Returns
    -------
    list of Problem
        Masses that cannot be.
    """
    problems: list[data.Problem] = []
    for weighing in known(space):
        if not any(n in filled for n in weighing.masses):
            continue
        for label in filled.index:
            row = filled.loc[label]
            if not _told(row, weighing.masses) or _exempt(row):
                continue
            name = row.get("suggestion")
            source = row if _missing(name) else suggestions.loc[name]
            plan = _plan(source, weighing.factors)
            found, wrong = _made(weighing, row, plan, label)
            problems += wrong
            for factor, value in found.items():
                if factor not in filled:
                    filled[factor] = None
                filled.at[label, factor] = value
                if factor in plan:
                    kept = PLANNED + factor
                    if kept not in filled:
                        filled[kept] = None
                    filled.at[label, kept] = plan[factor]
    return problems


def grain(factor: Factor, value: float, step: float | None = None) -> float:
    """What a recipe tells apart at a value: the step, else the digit a suggestion is rounded to."""
    if step is not None:
        return step
    if factor.log and factor.high >= 2 * factor.low and value > 0:
        return 10.0 ** (math.floor(math.log10(value)) - 2)
    return 10.0 ** math.floor(math.log10((factor.high - factor.low) / 200))


def as_planned(rows: pd.DataFrame, space: Space) -> pd.DataFrame:
    """Rows whose weighed composition is the planned one, to the grain, at their plan."""
    if not any(str(c).startswith(PLANNED) for c in rows.columns):
        return rows
    made = rows.copy()
    for weighing in known(space):
        names = [n for n in weighing.factors if PLANNED + n in rows]
        near = np.array([bool(names)] * len(rows))
        for name in names:
            plan = rows[PLANNED + name]  # of rows that were not weighed there is none
            near &= ~_off(space, name, rows[name], plan) & plan.notna().to_numpy()
        for name in names:
            made.loc[near, name] = rows.loc[near, PLANNED + name]
    return made


def notes(clean: Any, space: Space) -> list[str]:
    """Remarks on compositions that are further from their plan than its grain."""
    said = []
    for weighing in known(space):
        for name in weighing.factors:
            if PLANNED + name not in clean:
                continue
            plan, step = clean[PLANNED + name], _step(space, name)
            for label in clean.index[_off(space, name, clean[name], plan)]:
                made, wanted = clean.at[label, name], plan[label]
                own = clean.at[label, "suggestion"] if "suggestion" in clean else None
                which = f"row {label}" if _missing(own) else own
                width = grain(space.factor(name), float(wanted), step)
                word = f"its step of {width:g}" if step else f"the {width:g} of a suggestion"
                said.append(
                    f"{which}: {name} as weighed is {made:.6g}, planned was {wanted:.6g}, off by "
                    f"more than {word}; the weighed one counts"
                )
    return said


def targets(mixture: Mixture, setting: Any, total_g: float | None) -> str:
    """``"7.10 g active, ..."`` for a total mass, per 1 g of powder where it is not known."""
    weigh = [float(setting[n]) / mixture.total * (total_g or 1.0) for n in mixture.names]
    each = ", ".join(
        f"{m:.4g} g {column(n)[8:-2]}" for m, n in zip(weigh, mixture.names, strict=True) if m > 0
    )
    names = ", ".join(column(n) for n, m in zip(mixture.names, weigh, strict=True) if m > 0)
    head = f"of {total_g:g} g: " if total_g else "for each g of powder: "
    return f"{head}{each}; record what the balance shows as {names}"


def _of_mixture(mixture: Mixture) -> Weighing:
    names = tuple(mixture.names)
    masses = tuple(column(n) for n in names)
    if len(set(masses)) < len(masses):
        masses = tuple(f"weighed_{n}_g" for n in names)

    def composition(grams: list[float]) -> list[float]:
        return [mixture.total * m / sum(grams) for m in grams]

    def idle(plan: Mapping[str, float]) -> set[str]:
        return {c for c, n in zip(masses, names, strict=True) if plan.get(n) == 0.0}

    return Weighing(masses, names, composition, idle, len(masses))


def _of_parts(names: tuple[str, ...]) -> Weighing:
    masses = ("weighed_active_g", "weighed_electrolyte_g", "weighed_carbon_g")

    def composition(grams: list[float]) -> list[float]:
        found = recipes.parts_of_weighing(*grams)
        told: dict[str, Any] = {"electrolyte_parts": found[0], "cb_parts": found[1]}
        return [float(told[n]) for n in names]

    def idle(plan: Mapping[str, float]) -> set[str]:
        free = set() if plan.get("electrolyte_parts") != 0.0 else {masses[1]}
        return free if "cb_parts" in names and plan.get("cb_parts") != 0.0 else free | {masses[2]}

    return Weighing(masses, names, composition, idle, 2)


def _made(
    weighing: Weighing, row: Any, plan: Mapping[str, float], label: Hashable
) -> tuple[dict[str, float], list[data.Problem]]:
    """Factors of one row from its masses, or what is wrong with these."""
    idle, grams, problems = weighing.idle(plan), [], []
    for name in weighing.masses:
        value = row.get(name)
        if not _missing(value):
            grams.append(float(value))
            continue
        grams.append(0.0)
        if name in idle:
            continue
        hint = did_you_mean(name, [c for c in row.index if c not in weighing.masses])
        other = [n for n in weighing.masses if not _missing(row.get(n))]
        problems.append(
            data.Problem(
                label, name, "nothing",
                f"what the balance showed in g, 0 if there was none of it, since {other[0]} is "
                f"given{hint.rstrip('.') if 'weighed' in hint else ''}",
            )
        )  # fmt: skip
    if problems:
        return {}, problems
    if not sum(grams[: weighing.base]) > 0.0:
        shown = ", ".join(weighing.masses[: weighing.base])
        wrong = f"masses in g ({shown}) of which one at least is above 0"
        return {}, [data.Problem(label, weighing.masses[0], grams[0], wrong)]
    slip = _slip(weighing, grams, plan)
    if slip is not None:
        name, factor = slip
        text = (
            f"a mass in g; {grams[weighing.masses.index(name)] * factor:.4g} g would be what was "
            "planned. If it is what was filled in, record it with the settings and without masses"
        )
        return {}, [data.Problem(label, name, row[name], text)]
    return dict(zip(weighing.factors, weighing.composition(grams), strict=True)), []


def _slip(
    weighing: Weighing, grams: list[float], plan: Mapping[str, float]
) -> tuple[str, float] | None:
    """The mass that is in another unit: a thousandth or a thousandfold of it fits the plan."""
    if set(plan) != set(weighing.factors):
        return None
    wanted = np.array([plan[n] for n in weighing.factors])

    def fits(given: list[float]) -> bool:
        made = np.array(weighing.composition(given))
        return bool((np.abs(made - wanted) <= ALIKE * np.abs(wanted)).all())

    if fits(grams):
        return None
    for i, name in enumerate(weighing.masses):
        for factor in (1.0 / SLIP, SLIP):
            if grams[i] > 0.0 and fits([*grams[:i], grams[i] * factor, *grams[i + 1 :]]):
                return name, factor
    return None


def _step(space: Space, name: str) -> float | None:
    """The step of a factor; that of an optional part stands in its mixture only."""
    for mixture in space.mixtures:
        if name in mixture.parts:
            return mixture.parts[name].get("step")
    return getattr(space.factor(name), "step", None)


def _off(space: Space, name: str, made: Any, plan: Any) -> np.ndarray:
    """Where a value is further from its plan than the grain, shape (n,); nowhere without a plan."""
    factor, step = space.factor(name), _step(space, name)
    there = np.asarray(plan.notna() & made.notna(), dtype=bool)
    value, wanted = made.to_numpy(dtype=float), plan.to_numpy(dtype=float)
    each = zip(wanted, there, strict=True)
    widths = np.array([grain(factor, w, step) if t else 0.0 for w, t in each])
    off = np.abs(np.where(there, value - wanted, 0.0))
    return off > widths * (1.0 + 1e-9)


def _plan(source: Any, names: tuple[str, ...]) -> dict[str, float]:
    given = {n: source[n] for n in names if n in source.index and not _missing(source[n])}
    return {n: float(v) for n, v in given.items()}


def _told(row: Any, masses: tuple[str, ...]) -> bool:
    return any(not _missing(row.get(n)) for n in masses)


def _exempt(row: Any) -> bool:
    """Rows of the literature, and those that were never run."""
    paper = not _missing(row.get("study")) and _missing(row.get("suggestion"))
    return paper or row.get("kind") == "statement" or row.get("status") == "abandoned"


def _missing(value: Any) -> bool:
    return value is None or value != value
