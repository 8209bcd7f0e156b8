"""The posterior: NUTS on a graph that was compiled once."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import xarray as xr

from .graph import Graph

STATISTICS = ("diverging", "energy", "logp", "depth", "step_size", "n_steps")
ENGINES = ("nutpie", "numpyro", "pymc")
QUICK, THOROUGH = 4, 10
"""Depth of the trees in a first try, whose warm-up is half as long a way, and in a second."""


def sample(
    graph: Graph, values: dict[str, np.ndarray], *, engine: str, seed: int, draws: int,
    tune: int, chains: int, target_accept: float = 0.8, adaptation: str = "low_rank",
    depth: int = QUICK,
) -> tuple[xr.Dataset, xr.Dataset]:
    """Draw from the posterior.

    Parameters
    ----------
    graph
        The compiled graph.
    values
        Data and prior numbers by node name, already checked.
    engine, seed, draws, tune, chains
        As in ``LabModel.fit``.
    target_accept
        Acceptance rate to which the step size is adapted.
    adaptation
        As in ``LabModel``; nutpie's only.
    depth
        Largest depth of a trajectory's tree (nutpie): 2^depth - 1 steps.

    Returns
    -------
    posterior, statistics
        Datasets with dims ``chain, draw, …``.
    """
    if engine not in ENGINES:
        raise ValueError(f"engine {engine!r} is none of {', '.join(ENGINES)}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if engine == "nutpie":
            return _nutpie(graph, values, seed, draws, tune, chains, target_accept, adaptation,
                           depth)
        return _pymc(graph, values, engine, seed, draws, tune, chains, target_accept)


def _nutpie(
    graph: Graph, values: dict[str, np.ndarray], seed: int, draws: int, tune: int, chains: int,
    target_accept: float, adaptation: Any, depth: int,
) -> tuple[xr.Dataset, xr.Dataset]:
    import nutpie

    known = graph.nutpie_names()
    compiled = graph.nutpie.with_data(**{k: v for k, v in values.items() if k in known})
    trace = nutpie.sample(
        compiled, draws=draws, tune=tune, chains=chains, seed=seed, progress_bar=False,
        target_accept=target_accept, cores=min(chains, 4), adaptation=adaptation,
        maxdepth=depth,
    )
    return _split(graph, trace)


def _pymc(
    graph: Graph, values: dict[str, np.ndarray], engine: Any, seed: int, draws: int, tune: int,
    chains: int, target_accept: float,
) -> tuple[xr.Dataset, xr.Dataset]:
    import pymc as pm

    if engine == "numpyro":
        from .graph import use_64_bit

        use_64_bit()
    with graph.model:
        pm.set_data(values)
        sampler: Any = engine
        trace = pm.sample(
            draws=draws, tune=tune, chains=chains, random_seed=seed, progressbar=False,
            target_accept=target_accept, nuts_sampler=sampler, compute_convergence_checks=False,
            cores=1,
        )
    return _split(graph, trace)


def _split(graph: Graph, trace: Any) -> tuple[xr.Dataset, xr.Dataset]:
    raw = {name: trace["posterior"][name].to_numpy() for name in graph.variable_names}
    posterior = xr.Dataset({
        name: (("chain", "draw", *(f"{name}_{k}" for k in range(values.ndim - 2))), values)
        for name, values in graph.parameters(raw).items()
    })
    statistics = trace["sample_stats"].to_dataset()
    kept = [name for name in STATISTICS if name in statistics]
    return posterior, statistics[kept]
