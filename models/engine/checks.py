"""Did the sampler converge, does the model describe the data, and who speaks: data or prior?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from .bounds import NODE as BOUNDS
from .encode import NOT_DONE, text
from .published import columns_of
from .response import draw_family, log_density, readings_at

if TYPE_CHECKING:
    from .fit import Fit

RHAT_LIMIT = 1.02
ESS_LIMIT = 400.0
KHAT_LIMIT = 0.7
NODES = 128
IN_A_SUM = (0.9, 0.8, 0.5)
"""Correlation of two parameters, sum of their squared width ratios, and width ratio of the one,
from which it counts as told in a sum with the other only."""


@dataclass(frozen=True)
class Convergence:
    """Convergence of the sampler.

    Attributes
    ----------
    table
        Index parameter (group effects by their worst level); ``rhat``, ``ess_bulk``.
    divergences
        Number of divergent transitions after warm-up.
    sentences
        One warning for each thing that is wrong; empty if all is well.
    """

    table: pd.DataFrame
    divergences: int
    sentences: list[str]

    @property
    def worst_rhat(self) -> float:
        """Largest R-hat over all parameters."""
        return float(self.table["rhat"].to_numpy().max())


@dataclass(frozen=True)
class Report:
    """Answer of ``fit.check()``.

    Attributes
    ----------
    table
        One row for each check: what, value, limit, verdict.
    sentences
        The same in words, with what to do.
    loo
        Leave-one-out by reading: expected log density, Pareto k-hat, outcome, row. Published
        means of cells and bounds are no readings and not in it; a sentence counts them.
    """

    table: pd.DataFrame
    sentences: list[str]
    loo: pd.DataFrame

    def __str__(self) -> str:
        return self.table.to_string(index=False) + "\n" + "\n".join(self.sentences)


def used_draws(fit: Fit) -> dict[str, np.ndarray]:
    """Draws ``(chain, draw, …)`` without unused slots of group effects."""
    kept = {}
    for name in fit.graph.parameter_names:
        array = fit.posterior[name].to_numpy()
        group = fit.graph.registry.effects.get(name) or fit.graph.registry.prior_group.get(name)
        if group is not None:
            extra = 1 if name in fit.graph.registry.prior_group else 0
            array = array[:, :, extra : len(fit.encoded.levels[group]) + extra]
        if array.size:
            kept[name] = array.reshape(*array.shape[:2], -1)
    return kept


def worst_rhat(posterior: xr.Dataset) -> float:
    """Largest rank-normalised R-hat of the parameters, group effects not looked at."""
    from arviz_stats.base.array import array_stats

    draws = [v.to_numpy().reshape(*v.shape[:2], -1) for k, v in posterior.items()
             if not str(k).endswith("__z")]
    return float(np.nanmax(array_stats.rhat(
        np.concatenate(draws, axis=2), chain_axis=0, draw_axis=1)))


def convergence(fit: Fit) -> Convergence:
    """Rank-normalised R-hat and bulk effective sample size of every used parameter."""
    from arviz_stats.base.array import array_stats

    draws = used_draws(fit)
    stacked = np.concatenate(list(draws.values()), axis=2)
    rhat = np.nan_to_num(array_stats.rhat(stacked, chain_axis=0, draw_axis=1), nan=np.inf)
    ess = np.nan_to_num(array_stats.ess(stacked, chain_axis=0, draw_axis=1), nan=0.0)
    rows, at = {}, 0
    for name, array in draws.items():
        part = slice(at, at + array.shape[2])
        rows[name] = {"rhat": rhat[part].max(), "ess_bulk": ess[part].min()}
        at += array.shape[2]
    table = pd.DataFrame.from_dict(rows, orient="index")
    diverging = fit.statistics.get("diverging")
    divergences = int(np.sum(diverging.to_numpy())) if diverging is not None else 0
    sentences = []
    if table["rhat"].to_numpy().max() > RHAT_LIMIT:
        sentences.append(
            f"R-hat of {table['rhat'].idxmax()} is {table['rhat'].max():.3f} (above {RHAT_LIMIT}): "
            "the chains disagree; draw more (draws=2000, tune=1000) before trusting intervals")
    if table["ess_bulk"].to_numpy().min() < min(ESS_LIMIT, fit.n_draws / 10):
        sentences.append(
            f"only {table['ess_bulk'].min():.0f} effective draws of {table['ess_bulk'].idxmin()}: "
            "draw more")
    if divergences > 0.01 * fit.n_draws:
        sentences.append(
            f"{divergences} of {fit.n_draws} draws diverged: intervals may be too narrow")
    return Convergence(table, divergences, sentences)


def summary(fit: Fit, level: float) -> pd.DataFrame:
    """See ``Fit.summary``."""
    from .fit import FROM_PRIOR

    low, high = 0.5 - level / 2, 0.5 + level / 2
    kind = f"{100 * level:g} % equal-tailed"
    source = evidence(fit)
    rows, compared = [], []
    for name, array in used_draws(fit).items():
        if name in fit.graph.registry.effects:
            continue
        prior = fit.priors[name]
        widths = np.ravel(prior.width())
        group = fit.graph.registry.prior_group.get(name)
        for k in range(array.shape[2]):
            flat = array[:, :, k].ravel()
            width = widths[k % len(widths)]
            compared.append(np.log(flat) if prior.log_scale else flat)
            spread = compared[-1].std()
            label = name
            if group is not None:
                label = f"{name}[{fit.encoded.levels[group][k // len(widths)]}]"
            elif array.shape[2] > 1:
                label = f"{name}[{k}]"
            ratio = float(spread / width)
            rows.append({
                "parameter": label, "unit": prior.unit, "median": np.median(flat),
                f"low ({kind})": np.quantile(flat, low), f"high ({kind})": np.quantile(flat, high),
                "sd_over_prior_sd": ratio,
                "informed_by": "from the prior" if ratio > FROM_PRIOR else source,
                "prior": str(prior), "meaning": prior.meaning,
            })
    partners = partners_in_a_sum(compared, [row["sd_over_prior_sd"] for row in rows])
    for row, k in zip(rows, partners, strict=True):
        if k is not None and row["informed_by"] == source:
            row["informed_by"] = f"{source}, with {rows[k]['parameter']}"
    return pd.DataFrame(rows).set_index("parameter")


def evidence(fit: Fit) -> str:
    """What can have moved the parameters of a fit: "data", "statements", or "data or statements".

    Where both took part, one fit cannot tell which of them it was.
    """
    said = text(fit.table, "kind").eq("statement")
    if not (fit.options["statements"] and said.any()):
        return "data"
    columns = fit.model.columns
    names = columns.loc[columns["role"].isin(["outcome", "context"]), "name"]
    rows = fit.table.loc[~said & ~text(fit.table, "status").isin(NOT_DONE),
                         [name for name in names if name in fit.table]]
    measured = rows.apply(pd.to_numeric, errors="coerce").notna().to_numpy().any()
    return "data or statements" if measured else "statements"


def not_in_loo(fit: Fit) -> list[str]:
    """Sentences on evidence of the fit that is no single reading and has no leave-one-out density.
    """
    columns, model, said = fit.encoded.columns, fit.model, []
    told = columns.get(BOUNDS, np.zeros((0, 1)))[:, 0]
    for k, name in enumerate(model.bounds):
        if (told == k).any():
            said.append(f"{int((told == k).sum())} of {name} are bounds")
    for name in model.summaries:
        given = columns_of(columns[f"{name}_summary__numbers"])
        used = (given["counted"] > 0) | (given["linked"] > 0)
        if used.any():
            linked = int((given["linked"] > 0).sum())
            said.append(
                f"{len(np.unique(given['row'][used]))} of {name} are published means of cells ("
                + (f"{linked} linked to the same cells at another condition, the others taken as "
                   "cells of their own)" if linked else "each taken as cells of its own)"))
    return [f"rows that took part in the fit and are in no leave-one-out density: {one}"
            for one in said]


def partners_in_a_sum(draws: Sequence[np.ndarray], ratios: Sequence[float]) -> list[int | None]:
    """For each parameter the one that it is told in a sum with, where it is hardly told alone.

    If the data fix only c_1 b_1 + c_2 b_2, the squared ratios of posterior to prior width of b_1
    and b_2 add up to 1, whatever the priors' widths, and the draws of the two lie on a line. With
    equal priors each ratio is 0.71: narrower than the prior, and told by no reading alone.

    Parameters
    ----------
    draws
        Draws of each parameter on the scale on which widths are compared, ``(draws,)`` each.
    ratios
        Posterior over prior width of each.

    Returns
    -------
    list
        Position of the partner, or ``None``.
    """
    width = np.asarray(ratios, dtype=float)
    if len(width) < 2:
        return [None] * len(width)
    with np.errstate(invalid="ignore", divide="ignore"):
        together = np.abs(np.nan_to_num(np.corrcoef(np.stack(draws))))
    np.fill_diagonal(together, 0.0)
    together[(width[:, None] ** 2 + width**2) < IN_A_SUM[1]] = 0.0
    best = together.argmax(axis=1)
    return [int(k) if together[j, k] >= IN_A_SUM[0] and width[j] > IN_A_SUM[2] else None
            for j, k in enumerate(best)]


def log_likelihood(
    fit: Fit, variables: Any = None
) -> tuple[np.ndarray, list[tuple[str, int]]]:
    """Pointwise log-likelihood, ``(draws, readings)``, and ``(outcome, row)`` of each reading.

    Parameters
    ----------
    variables
        Draws of the graph's variables; the posterior's if not given.
    """
    if variables is None:
        variables = fit.variables()
    columns = fit.encoded.columns
    parts, where = [], []
    for outcome in fit.model.outcomes:
        rows = columns[f"{outcome.name}__row"]
        if len(rows):
            mu, sigma, nu = readings_at(fit.graph, columns, outcome.name, variables)
            value = columns[f"{outcome.name}__value"]
            parts.append(log_density(outcome.family, value, mu, sigma, nu))
            where += [(outcome.name, int(row)) for row in rows]
    if not parts:
        return np.zeros((len(next(iter(variables.values()))), 0)), []
    return np.concatenate(parts, axis=1), where


def pareto_smoothed(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pareto-smoothed log weights and k-hat for log importance ratios ``(draws, n)``.

    Returns
    -------
    log_weights, khat
        ``(draws, n)``, each column's exponentials summing to one, and ``(n,)``.
    """
    from arviz_stats.base.array import array_stats

    smoothed, khat = [], []
    for column in weights.T:
        try:
            with np.errstate(all="ignore"):  # a tail next to zero overflows in the fit of its shape
                values, k = array_stats.psislw(-column, r_eff=1, axis=-1)
        except ValueError:  # all values of the tail are equal
            values, k = column - np.logaddexp.reduce(column), np.nan
        smoothed.append(np.asarray(values))
        # a tail whose shape cannot be fitted is no tail at all, or far from any
        khat.append(float(k) if not np.isnan(k) else np.inf if np.ptp(column) > 1e-9 else 0.0)
    return np.array(smoothed).reshape(len(khat), -1).T, np.array(khat)


def leave_out(loglik: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Expected log predictive density of each left-out unit, and its k-hat.

    Parameters
    ----------
    loglik
        ``(draws, units)``, summed over a unit's readings.
    """
    if loglik.shape[1] == 0:
        return np.zeros(0), np.zeros(0)
    log_weights, khat = pareto_smoothed(-loglik)
    terms = log_weights + loglik
    top = terms.max(axis=0)
    return top + np.log(np.exp(terms - top).sum(axis=0)), khat


def by_level(fit: Fit, level: str, draws: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Log-likelihood of whole batches (or runs, cells), their own effects integrated out.

    The effects of the level and of all levels that vary are replaced by ``NODES`` scrambled
    Sobol normals and the likelihood of each unit is averaged over them: the density of a *new*
    unit, as in "the next batch".

    Returns
    -------
    loglik, names
        ``(draws, units)`` and the unit's label; a row alone in its level is a unit of its own.
    """
    from scipy.special import logsumexp
    from scipy.stats import norm, qmc

    varying = [g.name for g in fit.model.groups if g.varies]
    variables = dict(fit.variables(draws))
    effects = [z for z, group in fit.graph.registry.effects.items() if group in varying]
    widths = [int(np.prod(variables[z].shape[1:])) for z in effects]
    nodes = norm.ppf(
        np.clip(qmc.Sobol(max(sum(widths), 1), rng=0).random(NODES), 1e-6, 1 - 1e-6))
    codes = fit.encoded.columns[level]
    # Rows without a level, or alone in theirs (slot 0), are units of their own.
    codes = np.where(codes > 0, codes, -1 - np.arange(len(codes)))
    total, unit = [], np.zeros(0, dtype=int)
    for node in nodes:
        at = 0
        for z, width in zip(effects, widths, strict=True):
            block = node[at : at + width].reshape(variables[z].shape[1:])
            variables[z] = np.broadcast_to(block, variables[z].shape)
            at += width
        pointwise, where = log_likelihood(fit, variables)
        unit = codes[[row for _, row in where]]
        total.append(np.stack(
            [pointwise[:, unit == u].sum(axis=1) for u in np.unique(unit)], axis=1))
    names = [fit.encoded.levels[level][u - 1] if u > 0 else f"row {fit.encoded.index[-1 - u]}"
             for u in np.unique(unit)]
    return logsumexp(np.stack(total), axis=0) - np.log(len(nodes)), names


def report(fit: Fit) -> Report:
    """See ``Fit.check``."""
    rows: list[dict[str, Any]] = []
    sentences = list(fit.convergence.sentences)

    def add(check: str, value: float, limit: str, good: bool) -> None:
        rows.append({"check": check, "value": value, "limit": limit,
                     "verdict": "good" if good else "look"})

    worst = fit.convergence.worst_rhat
    add("largest R-hat", worst, f"<= {RHAT_LIMIT}", worst <= RHAT_LIMIT)
    ess = float(fit.convergence.table["ess_bulk"].to_numpy().min())
    add("smallest effective sample size", ess, f">= {ESS_LIMIT:g}", ess >= ESS_LIMIT)
    add("divergent draws", fit.convergence.divergences, "<= 1 %",
        fit.convergence.divergences <= 0.01 * fit.n_draws)
    loglik, where = log_likelihood(fit)
    elpd, khat = leave_out(loglik)
    loo = pd.DataFrame({
        "outcome": [w[0] for w in where], "row": [fit.encoded.index[w[1]] for w in where],
        "elpd": elpd, "khat": khat})
    if len(loo):
        bad = int((khat > KHAT_LIMIT).sum())
        add("LOO by reading: expected log density", elpd.sum(), "", True)
        add("readings with k-hat above 0.7", bad, "0", bad == 0)
        if bad:
            names = ", ".join(f"{o} of row {r}" for o, r, _, k in loo.itertuples(index=False)
                              if k > KHAT_LIMIT)
            sentences.append(
                f"{bad} readings move the fit by themselves ({names[:300]}): for these the "
                "leave-one-out density is an estimate with large error")
    some = fit.thin(400)
    for level in ("cell", "batch"):
        if level in fit.encoded.levels and len(loo):
            density, names = by_level(fit, level, some)
            elpd_level, k = leave_out(density)
            add(f"LOO by {level}, its effects integrated out ({len(names)})",
                elpd_level.sum(), "", True)
            many = "batches" if level == "batch" else f"{level}s"
            add(f"{many} with k-hat above 0.7", int((k > KHAT_LIMIT).sum()), "0",
                not (k > KHAT_LIMIT).any())
    for outcome in fit.model.outcomes:
        inside, n = predictive_coverage(fit, outcome.name, 0.9)
        if n:
            add(f"{outcome.name}: readings inside their 90 % predictive interval", inside / n,
                "0.9", n < 5 or inside / n > 0.6)
            if n >= 5 and inside / n < 0.6:
                sentences.append(
                    f"only {inside} of {n} readings of {outcome.name} lie inside their 90 % "
                    "predictive interval: the model does not describe them")
    if not len(loo):
        sentences.append("no single reading took part in this fit: there is nothing to hold the "
                         "model against")
    sentences += not_in_loo(fit)
    sentences += fit.encoded.unused()
    sentences += fit.encoded.notes
    if fit.options["statements"]:
        sentences.append("published statements (rows of kind 'statement') took part in this fit, "
                         "those that the model has a term for")
    if not sentences:
        sentences.append("the chains agree and the readings lie where the model expects them")
    return Report(pd.DataFrame(rows), sentences, loo)


def predictive_coverage(fit: Fit, outcome: str, level: float) -> tuple[int, int]:
    """Readings inside their posterior predictive interval (own group effects known), and count."""
    what = fit.response(outcome)
    values = what.readings
    if not len(values):
        return 0, 0
    draws = fit.thin(1000)
    rng = np.random.default_rng(0)
    replicated = draw_readings(fit, outcome, draws, rng)
    low, high = np.quantile(replicated, [0.5 - level / 2, 0.5 + level / 2], axis=0)
    return int(((values >= low) & (values <= high)).sum()), len(values)


def draw_readings(fit: Fit, outcome: str, draws: Any, rng: np.random.Generator) -> np.ndarray:
    """Replicated readings of an outcome at the fitted rows, ``(draws, n)``."""
    family = fit.graph.registry.readings[outcome].family
    return draw_family(family, *fit.response(outcome).at_readings(draws), rng)
