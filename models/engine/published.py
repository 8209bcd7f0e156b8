"""Published summaries in a fit: from rows that hold a mean of cells to likelihood terms.

A row whose outcome has ``x_n > 1`` is a summary of ``x_n`` cells from ``x_batches`` batches; batch
and cell deviations are integrated out (see ``summaries``). Three rules keep the evidence honest:

- *Nothing is used twice.* A summary that names other rows in ``contains`` is not used beside
  them: what it says about the cells they leave over (a remainder, exact arithmetic) is.
- *The same cells under several conditions are not several sets of cells.* Summaries with one
  ``same_cells`` label are linked along a condition (the C-rate): each is used given the one before,
  with the correlation that the model implies for its means and sums of squares. The link is a
  Gaussian copula; what reaches two conditions back passes through the one between.
- *An unknown divisor stays unknown.* Where ``x_sd_ddof`` is empty both conventions enter with equal
  weight, except where arithmetic excludes one (a remainder with a negative sum of squares, or
  outside its own printed range).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from . import summaries
from .arrays import namespace
from .encode import number, text
from .inputs import Inputs

IMPOSSIBLE = -1e4
"""Log weight of a divisor that arithmetic excludes."""


CONSTANTS = ("cells", "batches", "within_df", "between_df", "log_constant")
COLUMNS = ("row", "before", "mean", "ss_0", "ss_1", "log_chance_0", "log_chance_1", "typical_ss",
           "spread", "counted", "linked", "linked_spread", *CONSTANTS)


@dataclass
class Summary:
    """One mean of cells, before it becomes arrays.

    ``ss`` and ``log_chance`` have one entry for each divisor, n and n - 1; the latter hold the
    probability of the divisor and what turns a density of SS into one of the printed SD.
    """

    row: int
    name: str
    mean: float
    cells: float
    batches: float
    ss: tuple[float, float] | None = None
    log_chance: tuple[float, float] = (IMPOSSIBLE, IMPOSSIBLE)
    counted: bool = True
    series: str = ""
    condition: float = 0.0


def summary_encoder(outcome: str, along: str) -> Callable[..., dict[str, Any]]:
    """An encoder (for ``LabModel.encoders``) of the summaries of an outcome.

    Parameters
    ----------
    outcome
        Column whose summaries are wanted.
    along
        Column of the condition that differs between rows of the same cells.
    """

    def encode(rows: pd.DataFrame, table: pd.DataFrame, statements: bool) -> dict[str, Any]:
        found, used = read_summaries(rows, table, outcome, along)
        value = number(rows, outcome)
        reading = np.flatnonzero(~np.isnan(value) & ~used & text(
            rows, f"{outcome}_censored").eq("").to_numpy())
        sd = number(rows, f"{outcome}_sd", 0.0)
        return arrays(found, outcome) | {
            f"{outcome}__row": reading.astype("int64"),
            f"{outcome}__value": value[reading],
            f"{outcome}__n": np.ones(len(reading)),
            f"{outcome}__sd": sd[reading],
        }

    return encode


def read_summaries(
    rows: pd.DataFrame, table: pd.DataFrame, outcome: str, along: str
) -> tuple[list[Summary], np.ndarray]:
    """Summaries of an outcome among the rows of a fit.

    Parameters
    ----------
    rows
        Rows that the fit uses.
    table
        The whole table, in which ``contains`` may name rows.
    outcome, along
        As in ``summary_encoder``.

    Returns
    -------
    summaries, is_summary
        The list, remainders included, and which rows were taken.

    Raises
    ------
    ValueError
        If a summary states no number of batches, if a batch has single cells or a second summary
        beside a summary that does not name them, if rows with one ``same_cells`` label cannot be
        of the same cells, or if a pooled row and its parts contradict each other.
    """
    value, cells = number(rows, outcome), number(rows, f"{outcome}_n")
    used = ~np.isnan(value) & (cells > 1)
    names = text(rows, "row_id").to_numpy()
    named = dict(zip(text(table, "row_id"), table.index, strict=True))
    position = {label: k for k, label in enumerate(rows.index)}
    condition = number(rows, along)
    series = text(rows, "same_cells").to_numpy()
    study = text(rows, "study").to_numpy()
    given_batch = text(table, "batch").loc[rows.index].to_numpy()
    _refuse_overlap(rows, used, ~np.isnan(value) & ~used, condition, given_batch)
    found: list[Summary] = []
    for k in map(int, np.flatnonzero(used)):
        name = str(names[k] or rows.index[k])
        one = _row(rows, k, outcome, name, given_batch[k] != "")
        own_series = series[k] or "|".join(
            [*(text(rows, c).to_numpy()[k] for c in ("method", "mill")), given_batch[k],
             f"{one.cells:g}"])
        one.series, one.condition = f"{study[k]}|{own_series}", float(condition[k])
        labels = [part.strip() for part in text(rows, "contains").iloc[k].split(";")]
        inside = [named[part] for part in labels if part and part in named]
        parts = [position[label] for label in inside
                 if label in position and not np.isnan(value[position[label]])]
        for part in parts:
            if condition[part] != condition[k]:
                raise ValueError(
                    f"row {name} contains row {names[part] or rows.index[part]}, which was "
                    f"measured at another {along} ({condition[part]:g}, not {condition[k]:g})")
        found.append(one)
        if parts:
            one.counted = False
            missing = table.loc[[label for label in inside if label not in
                                 [rows.index[p] for p in parts]]]
            found += _left_over(one, [_row(rows, p, outcome, str(names[p]), True) for p in parts],
                                rows, k, parts, missing, outcome)
    _refuse_unlike_cells(found, series, along)
    return found, used


def _refuse_unlike_cells(found: Sequence[Summary], series: np.ndarray, along: str) -> None:
    """Refuse summaries of one ``same_cells`` label that cannot be linked along the condition."""
    seen: dict[str, list[Summary]] = {}
    for one in found:
        if one.series and series[one.row]:
            seen.setdefault(one.series, []).append(one)
    for label, several in seen.items():
        first, told = several[0], f"same_cells {label.partition('|')[2]!r}"
        for one in several[1:]:
            if (one.cells, one.batches) != (first.cells, first.batches):
                raise ValueError(
                    f"rows {first.name} and {one.name} are both of {told}, but means of "
                    f"{first.cells:g} cells of {first.batches:g} batches and of {one.cells:g} of "
                    f"{one.batches:g}. Give means over the cells that both have, or the single "
                    "cells as rows")
        conditions = [one.condition for one in several]
        if len(set(conditions)) < len(conditions):
            raise ValueError(
                f"rows {', '.join(one.name for one in several)} are all of {told} and some of one "
                f"{along}: the cells would count twice. Keep one row for each {along}")


def _row(
    rows: pd.DataFrame, k: int, outcome: str, name: str, of_one_batch: bool
) -> Summary:
    row = rows.iloc[[k]]
    cells = float(number(row, f"{outcome}_n", 1.0)[0])
    batches = float(number(row, f"{outcome}_batches", 1.0 if of_one_batch else np.nan)[0])
    if np.isnan(batches):
        raise ValueError(
            f"row {name}: {outcome} is a mean of {cells:g} cells, of how many batches? Fill "
            f"{outcome}_batches (or name the one batch in the column 'batch'); cells of a few "
            "batches are not so many replicates")
    one = Summary(k, name, float(number(row, outcome)[0]), cells, batches)
    sd = float(number(row, f"{outcome}_sd")[0])
    if cells > 1 and sd > 0:
        ddof = float(number(row, f"{outcome}_sd_ddof", 0.5)[0])
        one.ss = (sd**2 * cells, sd**2 * (cells - 1.0))
        one.log_chance = _log_chances(ddof, sd, cells)
    return one


def _log_chances(ddof: float, sd: float, cells: float) -> tuple[float, float]:
    """Log of probability x dSS/dsd of each divisor."""
    with np.errstate(divide="ignore"):
        chance = np.maximum(np.log([1.0 - ddof, ddof]), IMPOSSIBLE)
    jacobian = np.log(2.0 * sd * np.array([cells, cells - 1.0]))
    return float(chance[0] + jacobian[0]), float(chance[1] + jacobian[1])


def _decimals(figures: Sequence[float]) -> int:
    """Decimals that printed figures have, at most six: they set the rounding."""
    values = np.asarray(figures, dtype=float)
    return next((d for d in range(6) if np.allclose(values, values.round(d), rtol=0, atol=1e-9)), 6)


def _left_over(
    pooled: Summary, parts: list[Summary], rows: pd.DataFrame, k: int, at: list[int],
    missing: pd.DataFrame, outcome: str,
) -> list[Summary]:
    """The cells that a pooled row has beyond its printed parts, as one further summary."""
    left = pooled.cells - sum(part.cells for part in parts)
    if left <= 0:
        return []
    rest = Summary(pooled.row, f"{pooled.name} without {', '.join(p.name for p in parts)}", np.nan,
                   left, pooled.batches - sum(part.batches for part in parts))
    if rest.batches < 1:
        raise ValueError(
            f"row {pooled.name}: its parts hold all its batches but not all its cells")
    sd = number(rows, f"{outcome}_sd", 0.0)
    stated = number(rows, f"{outcome}_sd_ddof")
    low = float(np.nanmax(number(missing, f"{outcome}_sd_low", 0.0), initial=0.0))
    high = float(np.nanmin(number(missing, f"{outcome}_sd_high", np.inf), initial=np.inf))
    ss, weights, reasons = [1.0, 1.0], [IMPOSSIBLE, IMPOSSIBLE], []
    for convention in (0, 1):
        known = stated[at][~np.isnan(stated[at])]
        if len(known) and not np.any(known == convention):
            continue
        own = [int(stated[k])] if not np.isnan(stated[k]) else [convention, 1 - convention]
        for ddof in own:
            try:
                found = summaries.remainder(
                    {"mean": pooled.mean, "sd": sd[k], "n": pooled.cells},
                    [{"mean": p.mean, "sd": sd[p.row], "n": p.cells} for p in parts],
                    ddof=ddof, part_ddof=convention,
                    decimals=_decimals([v for p in (pooled, *parts) for v in (p.mean, sd[p.row])]))
                bounds = _inside(found, left - convention, low, high)
            except ValueError as error:
                reasons.append(str(error))
                continue
            rest.mean = found["mean"]
            ss[convention] = float(np.clip(found["ss"], *bounds))
            weights[convention] = float(np.log(0.5 * 2.0 * sd[k] * (pooled.cells - ddof)))
            break
    if max(weights) <= IMPOSSIBLE:
        raise ValueError(f"row {pooled.name} and the rows it contains: {'; '.join(reasons)}")
    if left > 1:
        rest.ss, rest.log_chance = (ss[0], ss[1]), (weights[0], weights[1])
    return [rest]


def _inside(
    found: dict[str, float], divisor: float, low: float, high: float
) -> tuple[float, float]:
    """Range of SS that rounding and a printed range of the SD leave open."""
    if divisor <= 0:
        return found["ss_low"], found["ss_high"]
    bottom = max(found["ss_low"], low**2 * divisor, 1e-6)
    top = min(found["ss_high"], high**2 * divisor)
    if bottom > top:
        raise ValueError(
            f"the SD left over lies in {np.sqrt(found['ss_low'] / divisor):.1f} to "
            f"{np.sqrt(found['ss_high'] / divisor):.1f}, its printed range is {low:g} to {high:g}")
    return bottom, top


def _refuse_overlap(
    rows: pd.DataFrame, summary: np.ndarray, single: np.ndarray, condition: np.ndarray,
    batch: np.ndarray,
) -> None:
    """Refuse single cells, or a second summary, of a batch beside a summary that does not name
    them."""
    ids = text(rows, "row_id").to_numpy()
    parents = [text(rows, column).to_numpy() for column in ("study", "mill", "method")]
    contained = {part.strip() for cell in text(rows, "contains") for part in cell.split(";")}
    keys = [(*(parent[k] for parent in parents), batch[k], condition[k]) for k in range(len(rows))]
    own = [bool(batch[k]) and ids[k] not in contained for k in range(len(rows))]
    cells = {keys[k]: rows.index[k] for k in np.flatnonzero(single) if own[k]}
    before: dict[tuple, Any] = {}
    for k in np.flatnonzero(summary):
        other = cells.get(keys[k]) if batch[k] else None
        if other is not None:
            raise ValueError(
                f"row {rows.index[k]} is a mean of cells of batch {batch[k]!r} and row {other} a "
                "single cell of it at the same condition: the cell would count twice. Name the "
                "single cells in 'contains' of the mean (by row_id), or keep one of them")
        if own[k] and keys[k] in before:
            raise ValueError(
                f"rows {before[keys[k]]} and {rows.index[k]} are both means of cells of batch "
                f"{batch[k]!r} at the same condition: its deviation would count as that of two "
                "batches. Give one mean of all its cells, or the single cells as rows")
        if own[k]:
            before[keys[k]] = rows.index[k]


def perhaps_twice(rows: pd.DataFrame, outcome: str, along: str) -> list[str]:
    """Sentences on means over several batches that may hold cells which other rows give again.

    Such a mean has no batch label, and stands beside batches of one study, mill and method at one
    condition that it does not name in ``contains``, while it has more batches than it names. They
    may be others, so that it is told and not refused.
    """
    value, cells = number(rows, outcome), number(rows, f"{outcome}_n")
    batch, inside = text(rows, "batch").to_numpy(), text(rows, "contains").to_numpy()
    ids = text(rows, "row_id").to_numpy()
    names = [str(name or label) for name, label in zip(ids, rows.index, strict=True)]
    kinds = list(zip(*(text(rows, c) for c in ("study", "mill", "method")), number(rows, along),
                     strict=True))
    batches = number(rows, f"{outcome}_batches", np.inf)
    said = []
    for k in np.flatnonzero(~np.isnan(value) & (cells > 1) & (batch == "")):
        named = {part.strip() for part in inside[k].split(";")} - {""}
        beside = [j for j in np.flatnonzero(~np.isnan(value) & (batch != ""))
                  if kinds[j] == kinds[k] and ids[j] not in named]
        if beside and batches[k] > len(named):
            rest = " ..." if len(beside) > 4 else ""
            said.append(
                f"row {names[k]} is a mean of cells of several batches, beside rows of batches of "
                f"the same study, method and {along} that it does not name "
                f"({', '.join(names[j] for j in beside[:4])}{rest}): if it holds their cells, they "
                "count twice. Then name them in 'contains' of the mean (by row_id)")
    return said


def arrays(found: Sequence[Summary], outcome: str) -> dict[str, np.ndarray]:
    """Summaries as the matrix that ``observe_summaries`` asks for, linked along the condition.

    One matrix of all numbers: with a vector for each, the graph would check their lengths against
    one another wherever two meet, and take three times as long to compile.
    """
    before, linked = np.arange(len(found)), np.zeros(len(found))
    last: dict[str, int] = {}
    own_rows = [k for k, one in enumerate(found) if one.series]
    for k in sorted(own_rows, key=lambda k: found[k].condition):
        one, j = found[k], last.get(found[k].series)
        if j is not None and (found[j].cells, found[j].batches) == (one.cells, one.batches):
            before[k], linked[k] = j, float(found[j].condition != one.condition)
        last[one.series] = k
    spread = np.array([one.ss is not None for one in found], dtype=float)
    ss = np.array([one.ss or (1.0, 1.0) for one in found]).reshape(-1, 2)
    weight = np.array([one.log_chance for one in found]).reshape(-1, 2)
    share = np.exp(weight - weight.max(axis=1, keepdims=True, initial=IMPOSSIBLE))
    share /= share.sum(axis=1, keepdims=True)
    parts = {
        "row": np.array([one.row for one in found]),
        "before": before,
        "mean": np.array([one.mean for one in found]),
        "ss_0": ss[:, 0], "ss_1": ss[:, 1],
        "log_chance_0": weight[:, 0], "log_chance_1": weight[:, 1],
        "typical_ss": np.exp((share * np.log(ss)).sum(axis=1)),
        "spread": spread,
        "counted": np.array([one.counted for one in found]),
        "linked": linked,
        "linked_spread": linked * spread * spread[before],
        **summaries.summary_constants(
            np.array([one.cells for one in found]), np.array([one.batches for one in found])),
    }
    columns = np.stack([np.asarray(parts[name], dtype=float) for name in COLUMNS], axis=1)
    nodes = np.stack([parts["share"], parts["log_weight"]], axis=2)
    nodes = nodes.reshape(len(found), nodes.shape[1] * 2)
    return {f"{outcome}_summary__numbers": np.concatenate([columns, nodes], axis=1)}


def observe_summaries(
    x: Inputs, outcome: str, *, mu: Any, batch: Sequence[Any], cell: Sequence[Any], own: Any
) -> None:
    """Likelihood of the summaries of an outcome, one term for each.

    Parameters
    ----------
    x
        The builder's inputs.
    outcome
        Column of the summaries; the model needs its ``summary_encoder``.
    mu
        Expected value over rows.
    batch, cell
        Loadings over rows of the independent standard-normal deviations that a batch, and a cell,
        keeps under all conditions: one tensor each.
    own
        SD over rows of what is new in every reading of a cell.
    """
    numbers = x.data(f"{outcome}_summary__numbers", ndim=2)
    numbers.set_value(np.zeros((0, len(COLUMNS) + 2)))
    x.term(f"{outcome}_summary", log_density(
        columns_of(numbers), mu=mu, batch=batch, cell=cell, own=own))


def columns_of(numbers: Any) -> dict[str, Any]:
    """The named columns of the matrix that ``arrays`` makes."""
    given = {name: numbers[:, k] for k, name in enumerate(COLUMNS)}
    for name in ("row", "before"):
        given[name] = given[name].astype("int64")
    start = len(COLUMNS)
    return given | {"share": numbers[:, start::2], "log_weight": numbers[:, start + 1 :: 2]}


def log_density(
    given: Mapping[str, Any], *, mu: Any, batch: Sequence[Any], cell: Sequence[Any], own: Any
) -> Any:
    """Log density of each summary, linked to the one before of the same cells.

    Parameters
    ----------
    given
        Columns of summaries (``columns_of``), for NumPy, JAX or PyTensor.
    mu, batch, cell, own
        As in ``observe_summaries``.

    Returns
    -------
    array
        ``(summaries,)``. The entry of a summary that is not counted holds its link alone.
    """
    xp = namespace(*given.values(), mu, own, *batch, *cell)
    row, before = given["row"], given["before"]
    cells, batches = given["cells"], given["batches"]
    batch_at, cell_at, own_at = [b[row] for b in batch], [c[row] for c in cell], own[row]
    batch_sd = sum(b**2 for b in batch_at) ** 0.5
    cell_sd = (sum(c**2 for c in cell_at) + own_at**2) ** 0.5
    variance = summaries.mean_variance(batch_sd, cell_sd, cells, batches)
    off = given["mean"] - mu[row]
    density = summaries.log_density_normal(off, 0.0, variance)
    each = [summaries.log_density_sum_of_squares(given[f"ss_{k}"], batch_sd, cell_sd, given)
            + given[f"log_chance_{k}"] for k in (0, 1)]
    density = density + given["spread"] * xp.logaddexp(each[0], each[1])

    kept_batch = sum(b * b[before] for b in batch_at)
    kept_cell = sum(c * c[before] for c in cell_at)
    together = (kept_batch / batches + kept_cell / cells) / (variance * variance[before]) ** 0.5
    score = off / variance**0.5
    link = summaries.log_dependence(score, score[before], given["linked"] * together)
    ss_score = summaries.score_of_sum_of_squares(given["typical_ss"], batch_sd, cell_sd, given)
    ss_together = summaries.correlation_of_sums_of_squares(
        (batch_sd, batch_sd[before]), (cell_sd, cell_sd[before]), kept_batch, kept_cell, given)
    link = link + summaries.log_dependence(
        ss_score, ss_score[before], given["linked_spread"] * ss_together)
    return given["counted"] * density + link
