"""What if these rows came too? Draws of a fit weighed by the rows' likelihood, without sampling.

The weight of a draw is what the new readings multiply its likelihood by. Levels that the fit does
not know (a new batch) get fresh draws of their effects, so that the weighted draws are the joint
posterior of both. Weights are Pareto-smoothed; k-hat above 0.7 says that the new rows move the
posterior too far from the draws at hand: then only another fit tells.

References
----------
Vehtari et al., "Pareto smoothed importance sampling", J. Mach. Learn. Res. 25 (2024) 72.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from ... import data
from .checks import KHAT_LIMIT, log_likelihood, pareto_smoothed
from .encode import Encoded, encode

if TYPE_CHECKING:
    from .fit import Fit

log = logging.getLogger("ssbayes")

PLACES = ("__home", "__used")
"""Ends of the names of nodes that only say which level belongs where."""


def reweighted(fit: Fit, rows: Any, seed: int) -> Fit:
    """See ``Fit.reweighted``."""
    fresh = data.validate(pd.DataFrame(rows), fit.model.table_columns, where="rows", open=True)
    table = pd.concat([fit.table, fresh], ignore_index=True)
    encoded = encode(table, fit.model, statements=fit.options["statements"])
    _refuse_terms(fit, encoded)
    rng = np.random.default_rng([seed, 11])
    both = _resampled(fit, _at_levels(fit, encoded, rng), table, encoded)
    gain = log_likelihood(both)[0].sum(axis=1) - log_likelihood(fit)[0].sum(axis=1)
    smoothed, khat = pareto_smoothed(gain[:, None])
    weights = np.exp(smoothed[:, 0])
    weights /= weights.sum()
    if khat[0] > KHAT_LIMIT:
        log.warning(
            "k-hat is %.2f (above %.1f): the new rows move the posterior too far from the draws "
            "of this fit; fit the table with them", khat[0], KHAT_LIMIT)
    ends = np.cumsum(weights)
    at = np.searchsorted(ends / ends[-1], (rng.random() + np.arange(len(weights))) / len(weights))
    posterior = xr.Dataset({
        name: (values.dims, values.to_numpy()[:, at]) for name, values in both.posterior.items()})
    again = _resampled(fit, posterior, table, encoded)
    again.options |= {"khat": float(khat[0]), "effective_draws": float(1.0 / (weights**2).sum())}
    return again


def _resampled(fit: Fit, posterior: xr.Dataset, table: pd.DataFrame, encoded: Encoded) -> Fit:
    options = {**fit.options, "engine": "re-weighted draws"}
    return type(fit)(fit.model, table, encoded, fit.graph, posterior, xr.Dataset(), options)


def _refuse_terms(fit: Fit, encoded: Encoded) -> None:
    """Published means, bounds and statements have no density of their own to weigh draws by."""
    old, new = fit.encoded.columns, encoded.columns
    for name in fit.graph.registry.nodes:
        if name in old and not name.endswith(PLACES) and len(old[name]) != len(new[name]):
            raise ValueError(
                "published means, bounds and statements cannot be weighed in; fit the table with "
                "the new rows, or leave these out")


def _at_levels(fit: Fit, encoded: Encoded, rng: np.random.Generator) -> xr.Dataset:
    """All draws in one chain, group effects at the slots of the longer table's levels."""
    registry, moved = fit.graph.registry, {}
    for name, values in fit.posterior.items():
        name = str(name)
        flat = values.to_numpy().reshape(fit.n_draws, *values.shape[2:])
        group = registry.effects.get(name) or registry.prior_group.get(name)
        if group is not None:
            slots = registry.slots[group]
            if len(encoded.levels[group]) > slots:
                raise ValueError(
                    f"{len(encoded.levels[group])} levels of {group} are more than the {slots} "
                    "that this fit has room for; fit the table with the new rows")
            first = 1 if name in registry.prior_group else 0
            old = {level: k + first for k, level in enumerate(fit.encoded.levels[group])}
            new = flat.copy()
            for k, level in enumerate(encoded.levels[group]):
                if level in old:
                    new[:, k + first] = flat[:, old[level]]
                elif first:
                    prior = fit.priors[name]
                    new[:, k + first] = prior.draw(rng, (fit.n_draws, *prior.shape))
                else:
                    new[:, k + first] = rng.normal(size=new[:, k + first].shape)
            flat = new
        moved[name] = (values.dims, flat[None])
    return xr.Dataset(moved)
