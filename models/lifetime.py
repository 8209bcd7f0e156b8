"""Answers of a fading fit: a cell's course over the cycles, and its retention at a later one.

Everything is computed from the posterior draws of a fit of ``models.fading``. A course is drawn as
a whole: the capacities of one draw at several cycles belong to one cell, known or new. Intervals
are equal-tailed. No forecast knows of a mechanism that starts after the last cycle seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

if TYPE_CHECKING:
    from .engine.fit import Fit

LEVEL = 0.9
KNEE = ("cycles {first:g}-{last:g} were seen; a mechanism that starts later (a knee) is not in "
        "them, so the interval does not hold it: real loss could then only be larger")
FEWEST_SEEN = 10
LEVELS = ("cell", "batch")
CONDITIONS = ("c_rate", "charge_mode", "coating", "method")


def paths(
    fit: Fit, options: pd.DataFrame, cycles: Sequence[float] | np.ndarray, of: str = "cell", *,
    quantity: str = "capacity_mAh_g", reading: bool = False, seed: int = 1,
) -> xr.DataArray:
    """Courses over the cycles, one a draw and option.

    Parameters
    ----------
    fit
        A fit of ``models.get("fading")``.
    options
        One row a course: ``c_rate``, and ``charge_mode``, ``coating`` and ``method`` where the fit
        holds several; ``batch`` and ``cell`` name known ones. What is not named is new, a different
        one in each option.
    cycles
        Cycle numbers, 1 the first.
    of
        ``"cell"``: a cell, the next one if it is not named. ``"batch"``: the typical cell of a
        batch.
    quantity
        ``"capacity_mAh_g"``, ``"utilization"``, ``"kinetic_efficiency"`` or
        ``"resistance_ratio"``.
    reading
        Whether the noise of one reading is added (capacity only).
    seed
        Of new batches, new cells and reading noise.

    Returns
    -------
    DataArray
        Dims ``draw, option, cycle``.

    Raises
    ------
    ValueError
        If the fit is of another model, a level is unknown, or a condition is missing.
    """
    from .engine.response import evaluator, setting_columns
    from .fading import NU

    if fit.model.name != "fading":
        raise ValueError(f"courses are drawn from a fit of 'fading', not of {fit.model.name!r}")
    if of not in LEVELS:
        raise ValueError(f"of={of!r} is none of {', '.join(LEVELS)}")
    main = quantity == "capacity_mAh_g"
    known = fit.graph.registry.quantities
    if not main and quantity not in known:
        raise ValueError(f"{quantity!r} is no quantity of a course; there are capacity_mAh_g, "
                         f"{', '.join(known)}")
    if reading and not main:
        raise ValueError(f"reading noise is that of capacity_mAh_g, not of {quantity!r}")
    at = np.asarray(cycles, dtype=float)
    if not (at.ndim == 1 and at.size and (at >= 1).all()):
        raise ValueError(f"cycles = {cycles!r} must be a list of numbers from 1 on")
    table = pd.DataFrame(options).reset_index(drop=True)
    count = len(table)
    codes = setting_columns(fit, table)
    courses = [_course(fit, {n: codes[n][k] for n in ("cell", "c_rate", "charge_mode")})
               for k in range(count)]
    rng = np.random.default_rng(seed)
    # the law is needed where it is asked for and where readings hold it
    wanted = [np.append(at, course["cycle"]) for course in courses]
    long = table.loc[np.repeat(np.arange(count), [len(w) for w in wanted])].reset_index(drop=True)
    long["cycle"] = np.concatenate(wanted)
    columns = setting_columns(fit, long)
    option = np.repeat(np.arange(count), [len(w) for w in wanted])
    variables = dict(fit.variables())
    draws = len(next(iter(variables.values())))
    unnamed = [g.name for g in fit.model.groups if g.varies and not np.any(columns[g.name] > 0)]
    for z, shape in fit.effect_shapes.items():
        group = fit.graph.registry.effects[z]
        if group in unnamed:
            fresh = rng.normal(size=(draws, count, *shape))
            variables[z] = np.zeros_like(fresh) if group == "cell" and of == "batch" else fresh
    for group in unnamed:
        columns[group] = option + 1
    name = "quantity:course" if main else f"quantity:{quantity}"
    law = evaluator(fit.graph, name)(variables, columns)[name]
    scale = fit.parameters()["fading.wander_sd"]
    answer = np.empty((draws, count, at.size))
    for k, course in enumerate(courses):
        mine = law[:, option == k]
        answer[:, k] = mine[:, : at.size]
        if main and of == "cell":
            answer[:, k] *= np.exp(_deviation(rng, at, mine[:, at.size:], course, scale))
    if reading:
        noise = _reading_sd(fit)
        answer *= 1.0 + noise * rng.standard_t(NU, size=answer.shape)
    return xr.DataArray(answer, dims=("draw", "option", "cycle"),
                        coords={"option": np.arange(count), "cycle": at}, name=quantity)


def _course(fit: Fit, which: Mapping[str, float]) -> dict[str, np.ndarray]:
    """Blocks of a known cell under one condition: cycle, value, and each median's own error."""
    from .courses import READING_SD, ROUNDING

    columns = fit.encoded.columns
    row = columns["capacity_mAh_g__row"]
    mine = np.full(len(row), which["cell"] > 0)
    for name, value in which.items():
        mine &= columns[name][row] == value
    order = np.argsort(columns["cycle"][row[mine]], kind="stable")
    value, both = (columns[f"capacity_mAh_g__{part}"][mine][order] for part in ("value", "sd"))
    own = np.zeros(len(value))
    for k, total in enumerate(both):  # a step holds the errors of both of its ends
        own[k] = max(total**2 - (own[k - 1] ** 2 if k else 0.0), 0.0) ** 0.5
    cycle = columns["cycle"][row[mine]][order]
    if len(value) == 1:  # one capacity and a retention make a second block
        told = columns["retention__row"] == row[mine][0]
        kept = columns["retention__value"][told]
        error = np.full(len(kept), np.hypot(READING_SD, ROUNDING))
        span = columns["retention_cycles"][columns["retention__row"][told]]
        cycle = np.append(cycle, cycle + span)
        value, own = np.append(value, value * kept), np.append(own, value * kept * error)
    return {"cycle": cycle, "value": value, "error": own}


def _deviation(rng: np.random.Generator, at: np.ndarray, law: np.ndarray,
               course: Mapping[str, np.ndarray], scale: np.ndarray) -> np.ndarray:
    """ln of a cell's course over the law, ``(draws, cycles)``.

    Between readings it is interpolated in the walk's time; after the last it walks on. A new cell
    has a level of its own and walks from the first cycle.
    """
    from .courses import walk_time
    from .fading import CELL_SD, NU

    draws = len(scale)
    when, seen = walk_time(at), walk_time(course["cycle"])
    if len(seen):
        read = course["value"] * (1.0 + course["error"] / course["value"]
                                  * rng.normal(size=(draws, len(seen))))
        off = np.log(np.maximum(read, 1e-9)) - np.log(law)
        start = float(seen[-1])
        if len(seen) > 1:
            place = np.clip(np.searchsorted(seen, when, side="right") - 1, 0, len(seen) - 2)
            part = np.clip((when - seen[place]) / (seen[place + 1] - seen[place]), 0.0, 1.0)
            level = (1.0 - part) * off[:, place] + part * off[:, place + 1]
        else:
            level = np.repeat(off, at.size, axis=1)
    else:
        level = CELL_SD * rng.standard_t(NU, size=(draws, 1))
        level, start = np.repeat(level, at.size, axis=1), 0.0
    later = np.maximum(when, start)
    ticks = np.unique(np.concatenate([later, start + np.arange(int(later.max() - start) + 1)]))
    steps = rng.standard_t(NU, size=(draws, len(ticks) - 1)) * np.diff(ticks) ** 0.5
    walked = np.concatenate([np.zeros((draws, 1)), np.cumsum(steps, axis=1)], axis=1)
    return level + scale[:, None] * walked[:, np.searchsorted(ticks, later)]


_UNIT = ("study", "mill", "run", "batch", "cell")


def _reading_sd(fit: Fit) -> float:
    """SD of ln of one reading about its course, the median over the cells of a fit."""
    from .courses import READING_SD, reading_noise

    if not {"capacity_mAh_g", "cycle"} <= set(fit.table):
        return READING_SD
    given: Any = fit.table
    table = given[given["capacity_mAh_g"].notna()].sort_values("cycle")
    keys = [c for c in (*_UNIT, *CONDITIONS) if c in table]
    parts = table.groupby(keys, dropna=False) if keys else [(None, table)]
    found = [reading_noise(part["capacity_mAh_g"].to_numpy()) for _, part in parts]
    return float(np.median(found)) if found else READING_SD


def seen_cells(fit: Fit) -> pd.DataFrame:
    """Cells of a fit under each condition: first and last cycle read, number of readings."""
    from .engine.encode import number, text, usable

    used, _ = usable(fit.table, fit.model)
    keys = [c for c in (*_UNIT, *CONDITIONS) if c in used]
    raw: Any = used.assign(
        first=number(used, "cycle", 1.0), readings=1.0,
        last=number(used, "cycle", 1.0) + number(used, "retention_cycles", 0.0))
    if "cell" not in raw:
        raw["cell"] = None
    raw["cell"] = text(raw, "cell").where(text(raw, "cell").ne(""), raw.index.map("row {}".format))
    keys = list(dict.fromkeys([*keys, "cell"]))
    has = ~np.isnan(number(used, "capacity_mAh_g")) | ~np.isnan(number(used, "retention"))
    group = raw[has].groupby(keys, sort=False, dropna=False)
    told = group.agg(first=("first", "min"), last=("last", "max"), readings=("readings", "sum"))
    at = {label: k for k, label in enumerate(fit.encoded.index)}
    codes = fit.encoded.columns
    rows = []
    for (_, part), counts in zip(group, told.to_dict("records"), strict=True):
        k = next((at[label] for label in part.index if label in at), None)
        if k is None:
            continue
        rows.append({
            **{g: ["", *fit.encoded.levels[g]][codes[g][k]] for g in ("batch", "cell")},
            **{c: part[c].iloc[0] if c in part else None for c in CONDITIONS},
            **counts})
    return pd.DataFrame(rows)


def interval(values: np.ndarray, level: float) -> np.ndarray:
    return np.quantile(values, [0.5, 0.5 - level / 2, 0.5 + level / 2], axis=0)


def predict_retention(
    fit: Fit, cycle: float = 100.0, *, start: float = 1.0, level: float = LEVEL,
    reading: bool = False, seed: int = 1,
) -> pd.DataFrame:
    """Retention at a cycle, of every cell of a fit and of a new cell under each condition.

    Parameters
    ----------
    fit
        A fit of ``models.get("fading")``.
    cycle, start
        The capacity in cycle ``cycle`` is compared with that in cycle ``start`` of the same cell.
    level
        Level of the intervals.
    reading
        Whether the later capacity is one reading, with its noise, or the cell's own course.
    seed
        Of new batches and cells.

    Returns
    -------
    DataFrame
        One row a cell and condition: ``batch``, ``cell`` (empty: a new cell of a new batch),
        ``c_rate``, ``charge_mode``, ``coating``, ``method``, ``last_cycle`` seen,
        ``readings``; ``retention`` and ``capacity_mAh_g`` at the cycle (medians) with the ends of
        their intervals, whose kind and level stand in the column names; ``note`` where the answer
        rests on little.
        ``attrs["note"]`` says what no forecast can see.

    Raises
    ------
    ValueError
        If ``cycle`` is not after ``start``, or the fit is of another model.
    """
    from .fading import NU

    if fit.model.name != "fading":
        raise ValueError(f"retention is predicted from a fit of 'fading', not {fit.model.name!r}")
    if not cycle > start >= 1:
        raise ValueError(f"cycle = {cycle:g} must come after start = {start:g}, and both from 1 on")
    seen: Any = seen_cells(fit)
    new = seen.groupby(list(CONDITIONS), sort=False, dropna=False).agg(
        first=("first", "min"), last=("last", "max"), readings=("readings", "sum")).reset_index()
    parts: list[Any] = []
    kind = f"{100 * level:g} % equal-tailed"
    for known, rows in ((True, seen), (False, new)):
        settings = rows[[*(("batch", "cell") if known else ()), *CONDITIONS]]
        course = paths(fit, settings, [start, cycle], seed=seed).to_numpy()
        later = course[:, :, 1]
        if reading:
            noise = np.random.default_rng([seed, 1]).standard_t(
                NU, size=later.shape)
            later = later * (1.0 + _reading_sd(fit) * noise)
        table = rows.rename(columns={"last": "last_cycle"}).drop(columns="first")
        if not known:
            table = table.assign(batch="", cell="")
        for name, values in (("retention", later / course[:, :, 0]), ("capacity_mAh_g", later)):
            middle, low, high = interval(values, level)
            table[name] = middle
            table[f"{name} low ({kind})"], table[f"{name} high ({kind})"] = low, high
        table["note"] = [_note(row, cycle, known) for row in table.to_dict("records")]
        parts.append(table)
    whole: Any = pd.concat(parts, ignore_index=True)
    lead = ["batch", "cell", *CONDITIONS, "last_cycle", "readings"]
    whole = whole[[*lead, *(c for c in whole if c not in lead)]]
    first, last = float(seen["first"].min()), float(seen["last"].max())
    whole.attrs["note"] = KNEE.format(first=first, last=last) if (
        cycle > last) else "the cycle lies within those seen"
    return whole


def _note(row: Mapping[Any, Any], cycle: float, known: bool) -> str:
    said = []
    if known and row["readings"] < FEWEST_SEEN:
        said.append(f"{row['readings']:g} readings: mostly the other cells and the priors speak")
    if cycle > 5 * row["last_cycle"]:
        said.append(f"{cycle / row['last_cycle']:.0f} times as far as was seen")
    return "; ".join(said)
