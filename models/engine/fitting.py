"""Fitting: a table validated, encoded, sampled and looked at; or priors drawn, before any data."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from ... import data
from . import checks
from .bounds import NODE as BOUNDS
from .encode import Encoded, check_columns, encode, same_length
from .fit import Fit, priors_of
from .graph import Graph
from .sampling import QUICK, THOROUGH, sample

if TYPE_CHECKING:
    from .lab_model import LabModel

log = logging.getLogger("ssbayes")


def run_fit(model: LabModel, table: pd.DataFrame, *, seed: int, statements: bool, engine: str,
            draws: int, tune: int, chains: int, rhat: float) -> Fit:
    """Validate, encode, check, sample, and look at the convergence."""
    clean = data.validate(table, model.table_columns, where="table", open=True)
    if not clean.index.is_unique:
        clean = clean.reset_index(drop=True)
    encoded = encode(clean, model, statements=statements)
    slots = model.slots(encoded.levels)
    graph = model.graph(slots)
    check_columns(encoded.columns, len(encoded.index), {**graph.registry.slots, **slots})
    same_length(encoded.columns, [outcome.name for outcome in model.outcomes])
    sampler = model.graph(slots, wanted_parts(model, encoded, statements))
    values = sampler.pack(encoded.columns, priors_of(model, sampler))
    posterior, statistics = sample(
        sampler, values, engine=engine, seed=seed, draws=draws, tune=tune, chains=chains,
        target_accept=model.accept, adaptation=model.adaptation,
        depth=trajectory_depth(model, encoded))
    if checks.worst_rhat(posterior) > rhat:
        log.info("the chains disagree: sampling again, with longer trajectories and warm-up")
        posterior, statistics = sample(
            sampler, values, engine=engine, seed=seed + 1, draws=2 * draws, tune=3 * tune,
            chains=chains, target_accept=model.accept, adaptation=model.adaptation, depth=THOROUGH)
        posterior, statistics = (
            part.isel(draw=slice(None, None, 2)) for part in (posterior, statistics))
    posterior = with_prior_draws(posterior, model, graph, seed)
    options = {"seed": seed, "statements": statements, "engine": engine, "draws": draws,
               "tune": tune, "chains": chains}
    fit = Fit(model, clean, encoded, graph, posterior, statistics, options)
    for sentence in fit.convergence.sentences:
        log.warning(sentence)
    return fit


def trajectory_depth(model: LabModel, encoded: Encoded) -> int:
    """Largest depth of the sampler's first try.

    Short trajectories do for a posterior without group effects, whose ridges low-rank adaptation
    follows. With effects of runs, batches or cells most first tries of that kind would fail.
    """
    codes = (encoded.columns.get(group.name) for group in model.groups if group.varies)
    effects = any(code is not None and np.any(code > 0) for code in codes)
    return QUICK if model.adaptation == "low_rank" and not effects else THOROUGH


def wanted_parts(model: LabModel, encoded: Encoded, statements: bool) -> frozenset[str]:
    """Outcomes that are not optional or have a reading, and ``statements`` if they take part."""
    told = encoded.columns.get(BOUNDS, np.zeros((0, 1)))
    bounded = {model.bounds[int(k)] for k in told[:, 0]}
    parts = {outcome.name for outcome in model.outcomes
             if not outcome.optional or len(encoded.columns[f"{outcome.name}__row"])}
    wanted = frozenset(parts | bounded | ({"statements"} if statements else set()))
    return wanted if model.flow is None else model.flow.parts(wanted)


def with_prior_draws(posterior: xr.Dataset, model: LabModel, graph: Graph,
                     seed: int) -> xr.Dataset:
    """Add what the sampler left out: nothing informs it, so its posterior is its prior."""
    rng = np.random.default_rng([seed, 7])
    size = (posterior.sizes["chain"], posterior.sizes["draw"])
    added = {}
    for name in graph.parameter_names:
        if name in posterior:
            continue
        if name in graph.registry.effects:
            values = rng.normal(size=(*size, *graph.shapes[name]))
        else:
            prior = model.prior(name, graph.registry.priors[name])
            group = graph.registry.prior_group.get(name)
            extra = () if group is None else (graph.registry.slots[group] + 1,)
            values = prior.draw(rng, (*size, *extra, *prior.shape))
        added[name] = (("chain", "draw", *(f"{name}_{k}" for k in range(values.ndim - 2))), values)
    return posterior.assign(added)


def before_data(model: LabModel, settings: pd.DataFrame, draws: int, seed: int) -> Fit:
    """A fit to no reading: the settings give the levels, the priors all draws."""
    kept = [column.name for column in (*model.factors, *model.groups)]
    given = pd.DataFrame(settings[[name for name in kept if name in settings]])
    rows = data.validate(given, model.table_columns, where="settings", open=True)
    encoded = encode(rows, model)
    graph = model.graph(model.slots(encoded.levels))
    blank = xr.Dataset(coords={"chain": [0], "draw": np.arange(draws)})
    options = {"seed": seed, "statements": False, "engine": "prior", "draws": draws}
    return Fit(model, rows, encoded, graph, with_prior_draws(blank, model, graph, seed),
               xr.Dataset(), options)
