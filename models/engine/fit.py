"""A fit: draws of the posterior with the data, priors and graph that they belong to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from ... import data
from . import checks, response
from .encode import Encoded, encode, text
from .graph import Graph
from .priors import Prior

if TYPE_CHECKING:
    from .lab_model import LabModel

LEVEL = 0.9
INTERVAL = "90 % equal-tailed interval"
FROM_PRIOR = 0.8
"""Above this ratio of posterior to prior width a parameter is shown as "from the prior"."""


def priors_of(model: LabModel, graph: Graph) -> dict[str, Prior]:
    """Priors in force, by parameter."""
    return {name: model.prior(name, declared)
            for name, declared in graph.registry.priors.items()}


class Fit:
    """The posterior of a model given a table.

    Attributes
    ----------
    model, table, options
        What was fitted to what, and how it was sampled.
    posterior, statistics
        Draws (dims ``chain, draw, …``) and the sampler's statistics.
    """

    def __init__(self, model: LabModel, table: pd.DataFrame, encoded: Encoded, graph: Graph,
                 posterior: xr.Dataset, statistics: xr.Dataset, options: dict[str, Any]) -> None:
        self.model = model
        self.table = table
        self.encoded = encoded
        self.graph = graph
        self.posterior = posterior
        self.statistics = statistics
        self.options = options

    @cached_property
    def _variables(self) -> dict[str, np.ndarray]:
        named = {str(k): v.to_numpy().reshape(-1, *v.shape[2:]) for k, v in self.posterior.items()}
        return self.graph.variables(named)

    @classmethod
    def from_draws(cls, model: LabModel, table: pd.DataFrame,
                   parameters: Mapping[str, np.ndarray], *, statements: bool = False) -> Fit:
        """A fit from kept draws of its parameters, without sampling.

        Parameters
        ----------
        model, table, statements
            As in ``LabModel.fit``.
        parameters
            Parameter or group effect -> ``(draws, …)``; group effects that are not given are
            zero, so predictions for levels that they stand for are those of a typical one.

        Raises
        ------
        KeyError
            If a parameter other than a group effect is missing.
        """
        clean = data.validate(table, model.table_columns, where="table", open=True)
        encoded = encode(clean, model, statements=statements)
        slots = model.slots(encoded.levels)
        graph = model.graph(slots)
        count = len(next(iter(parameters.values())))
        filled = {}
        for name, shape in graph.shapes.items():
            if name in parameters:
                values = np.asarray(parameters[name], dtype=float)
            elif name in graph.registry.effects:
                values = np.zeros((count, *shape))
            else:
                raise KeyError(f"the draws hold no {name!r}")
            dims = ("chain", "draw", *(f"{name}_{k}" for k in range(values.ndim - 1)))
            filled[name] = (dims, values[None])
        options = {"statements": statements, "engine": "kept draws"}
        return cls(model, clean, encoded, graph, xr.Dataset(filled), xr.Dataset(), options)

    def parameters(self, draws: Any = None) -> dict[str, np.ndarray]:
        """Draws of every parameter and group effect under its own name, ``(draws, …)``."""
        return self.graph.parameters(self.variables(draws))

    @property
    def n_draws(self) -> int:
        """Number of draws over all chains."""
        return int(self.posterior.sizes["chain"] * self.posterior.sizes["draw"])

    @cached_property
    def priors(self) -> dict[str, Prior]:
        """Priors in force, by parameter."""
        return priors_of(self.model, self.graph)

    @cached_property
    def effect_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of one level's entry of each group effect."""
        return {z: self._variables[z].shape[2:] for z in self.graph.registry.effects}

    def variables(self, draws: Any = None) -> dict[str, np.ndarray]:
        """Draws of the graph's variables, ``(draws, …)``; flat indices or ``None`` for all."""
        flat = self._variables
        return flat if draws is None else {k: v[draws] for k, v in flat.items()}

    def at_rows(self, outputs: tuple[str, ...], draws: Any = None) -> dict[str, np.ndarray]:
        """Outputs of the graph at the fitted rows with their group effects, ``(draws, rows)``."""
        return response.at_rows(self.graph, self.encoded.columns, outputs, self.variables(draws))

    def response(self, outcome: str | None = None) -> response.Response:
        """The fitted response of one outcome (the main one if not named) as a fast function."""
        return response.Response(self, self._outcome(outcome))

    def _outcome(self, outcome: str | None) -> str:
        names = [o.name for o in self.model.outcomes]
        if outcome is None:
            return names[0]
        if outcome not in names:
            raise ValueError(f"{outcome!r} is no outcome of {self.model.name!r}; "
                             f"it has: {', '.join(names)}")
        return outcome

    def predict(self, settings: pd.DataFrame | Mapping[str, Any], of: str = "mean", *,
                outcome: str | None = None, seed: int = 1,
                draws: int | None = None) -> xr.DataArray | xr.Dataset:
        """Predictive draws at settings.

        Parameters
        ----------
        settings
            Columns of the model's factors (those with defaults may be left out); label columns
            (``mill``, ``batch``, ...) name known levels.
        of
            ``"mean"``: mean of the setting over new runs, batches and cells. ``"batch"``: the
            next batch (its mean over cells). ``"cell"``: one reading of the next cell.
        outcome
            An outcome column for a DataArray; all of them as a Dataset if not given.
        seed
            Seed for new batches and cells.
        draws
            Use only so many draws.

        Returns
        -------
        DataArray or Dataset
            Dims ``draw, setting``; attributes give the unit, the level, the model, and whether the
            readings that were fitted are simulated (``yes``, ``in part``, ``no``).

        Raises
        ------
        ValueError
            If a needed column is missing, one is misspelt so that a default would stand in for it,
            a level is unknown, or ``of`` is none of the three.

        Notes
        -----
        Draws of a cell are readings: of a normal or Student-t outcome, some may lie below zero
        where its mean is a few sd away. ``share_below_zero`` of the attributes says how many.
        """
        if of not in response.LEVELS:
            raise ValueError(f"of={of!r} is none of {', '.join(response.LEVELS)}")
        table = pd.DataFrame(settings) if not isinstance(settings, pd.DataFrame) else settings
        self._refuse_misspelt(table)
        data.validate(table.drop(columns=[c for c in table if c not in data.COLUMNS]),
                      where="settings", open=True)
        which = None if draws is None else self.thin(draws)
        names = [self._outcome(outcome)] if outcome else [o.name for o in self.model.outcomes]
        answer = {}
        for k, name in enumerate(names):
            what = self.response(name)
            if of == "mean":
                values = what.mean(table, which)
            else:
                values = what.draw(table, of, np.random.default_rng([seed, k]), which)
            answer[name] = xr.DataArray(
                values, dims=("draw", "setting"),
                coords={"setting": np.arange(len(table))}, name=name,
                attrs={"unit": data.COLUMNS[name].unit, "of": of, "model": self.model.name,
                       "simulated": self._simulated(),
                       "share_below_zero": float((values < 0).mean())},
            )
        return answer[names[0]] if outcome else xr.Dataset(answer)

    def _simulated(self) -> str:
        made_up = text(self.table, "kind").eq("simulated")
        return "yes" if made_up.any() and made_up.all() else "in part" if made_up.any() else "no"

    def _refuse_misspelt(self, table: pd.DataFrame) -> None:
        known = [*(f.name for f in self.model.factors), *(g.name for g in self.model.groups)]
        absent = [name for name in known if name not in table]
        for name in table.columns:
            near = data.columns.did_you_mean(str(name), absent, cutoff=0.8)
            if name not in data.COLUMNS and near:
                raise ValueError(
                    f"settings have a column {name!r}, which model {self.model.name!r} does not "
                    f"use{near}")

    def quantity(self, name: str, settings: pd.DataFrame) -> xr.DataArray:
        """Draws of a reported intermediate quantity at settings, dims ``draw, setting``."""
        known = self.graph.registry.quantities
        if name not in known:
            raise ValueError(f"{name!r} is no quantity of {self.model.name!r}; "
                             f"it has: {', '.join(known)}")
        self._refuse_misspelt(settings)
        output, model = f"quantity:{name}", self.graph.registry.reported_by[name]
        values = self.response().evaluate((output,), settings, of=model)[output]
        return xr.DataArray(values, dims=("draw", "setting"), name=name)

    def reweighted(self, rows: pd.DataFrame | Mapping[str, Any], seed: int = 1) -> Fit:
        """The fit as it would be with more rows, without sampling: for what-if questions.

        Draws are resampled with Pareto-smoothed importance weights. Levels that are new (a batch
        not seen) get effects of their own.

        Parameters
        ----------
        rows
            New rows of readings, in the columns of the table fitted.
        seed
            Seed of the effects of new levels and of the resampling.

        Returns
        -------
        Fit
            Of the table and the rows; ``options`` has ``khat`` (above 0.7, which is also warned
            of, only another fit tells) and ``effective_draws`` (number of equally weighted draws
            that are worth as much).

        Raises
        ------
        ValueError
            If a row is a published mean, a bound or a statement, or the levels outgrow the fit's.
        """
        from .reweighting import reweighted

        return reweighted(self, rows, seed)

    def thin(self, count: int) -> np.ndarray:
        """Evenly spaced flat indices of ``count`` draws over all chains."""
        return np.linspace(0, self.n_draws - 1, min(count, self.n_draws)).astype(int)

    @cached_property
    def convergence(self) -> checks.Convergence:
        """R-hat, effective sample size and divergences of every parameter."""
        return checks.convergence(self)

    def summary(self, level: float = LEVEL) -> pd.DataFrame:
        """One row for each parameter: unit, median, interval, and whether the data speak.

        Returns
        -------
        DataFrame
            Index ``parameter``; the interval's kind and level stand in the column names.
            ``sd_over_prior_sd`` compares widths (on the logarithm for scale parameters);
            above 0.8 ``informed_by`` says "from the prior". "data, with X" means that the data
            tell little more than a combination of the parameter and X. Where published statements
            took part it is "data or statements", which one fit cannot tell apart, or "statements"
            if the table holds nothing else.
        """
        return checks.summary(self, level)

    def check(self) -> checks.Report:
        """Convergence, predictive checks and leave-one-out by reading, cell and batch."""
        return checks.report(self)

    def save(self, path: str | Path) -> Path:
        """Write draws, table, priors, units and versions to one netCDF file."""
        path = Path(path)
        used = {}
        for name, values in self.posterior.items():
            group = self.graph.registry.effects.get(str(name))
            dims = ("chain", "draw", *(f"{name}_{k}".replace(".", "_")
                                       for k in range(values.ndim - 2)))
            array = values.to_numpy()
            if group is not None:
                fresh = any(g.name == group and g.fresh for g in self.model.groups)
                array = array[:, :, : len(self.encoded.levels[group]) + fresh]
            used[str(name)] = (dims, array)
        meta = {
            "format": "ssbayes fit 1", "model": self.model.name, "options": self.options,
            "pooled": list(self.model.pooled),
            "overrides": {k: _plain(v) for k, v in self.model.overrides.items()},
            "levels": self.encoded.levels, "versions": versions(),
            "units": {k: p.unit for k, p in self.graph.registry.priors.items()},
            "priors": {k: str(p) for k, p in self.priors.items()},
            "table": _exact(self.table).to_json(orient="split"),
            "dtypes": {c: str(t) for c, t in self.table.dtypes.items()},
        }
        tree = xr.DataTree.from_dict({
            "/": xr.Dataset(attrs={"ssbayes": json.dumps(meta)}),
            "/posterior": xr.Dataset(used),
            "/sample_stats": xr.Dataset({
                str(k): (v.dims, v.to_numpy().astype(float)) for k, v in self.statistics.items()
            }),
        })
        tree.to_netcdf(path, engine="h5netcdf")
        return path

    @classmethod
    def open(cls, path: str | Path) -> Fit:
        """Read a fit that ``save`` wrote; its model must exist in this installation.

        Raises
        ------
        FileNotFoundError, ValueError
            If there is no such file, or it holds no fit of this version.
        """
        from .. import get

        path = Path(path)
        if not path.exists():
            raise FileNotFoundError(f"there is no fit at {path}")
        try:
            with xr.open_datatree(path, engine="h5netcdf") as tree:
                meta = json.loads(tree.attrs["ssbayes"])
                posterior = tree["posterior"].to_dataset().load()
                statistics = tree["sample_stats"].to_dataset().load()
        except (OSError, KeyError, ValueError) as error:
            raise ValueError(f"{path} holds no fit of ssbayes ({error})") from error
        if meta["format"] != "ssbayes fit 1":
            raise ValueError(f"{path} is a {meta['format']!r}; this version reads 'ssbayes fit 1'")
        model = get(meta["model"])
        from dataclasses import replace

        overrides = {k: Prior(v["family"], _tuple(v["numbers"])) if isinstance(v, dict)
                     else _tuple(v) for k, v in meta["overrides"].items()}
        model = replace(model, overrides=overrides, pooled=tuple(meta["pooled"]))
        table = pd.DataFrame(**json.loads(meta["table"]))
        for column, kind in meta["dtypes"].items():
            table[column] = table[column].astype(float if "float" in kind else table[column].dtype)
        encoded = encode(table, model, statements=meta["options"]["statements"])
        if encoded.levels != meta["levels"]:
            raise ValueError(f"{path}: the levels of its table are not those of its draws")
        graph = model.graph(model.slots(encoded.levels))
        posterior = _padded(posterior, graph)
        if set(posterior) != set(graph.parameter_names):
            odd = sorted(set(map(str, posterior)) ^ set(graph.parameter_names))
            raise ValueError(f"{path} was written by another version of model {model.name!r}: "
                             f"parameters differ ({', '.join(odd[:6])})")
        return cls(model, table, encoded, graph, posterior, statistics, meta["options"])

    def __repr__(self) -> str:
        return (f"Fit({self.model.name!r}, {len(self.encoded.index)} rows, "
                f"{self.n_draws} draws)")


def _padded(posterior: xr.Dataset, graph: Graph) -> xr.Dataset:
    full = {}
    for name, values in posterior.items():
        array = values.to_numpy()
        group = graph.registry.effects.get(str(name))
        if group is not None:
            lack = graph.registry.slots[group] - array.shape[2]
            array = np.pad(array, [(0, 0), (0, 0), (0, lack)] + [(0, 0)] * (array.ndim - 3))
        dims = ("chain", "draw", *(f"{name}_{k}" for k in range(array.ndim - 2)))
        full[str(name)] = (dims, array)
    return xr.Dataset(full)


def _exact(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its numbers as texts of all their digits; pandas' JSON cuts small ones off."""
    return table.assign(**{
        str(name): [None if np.isnan(v) else repr(float(v)) for v in table[name].to_numpy(float)]
        for name, kind in table.dtypes.items() if "float" in str(kind)})


def _plain(value: Any) -> Any:
    if hasattr(value, "family"):
        return {"family": value.family, "numbers": list(value.numbers)}
    return list(value) if isinstance(value, tuple) else value


def _tuple(value: Any) -> Any:
    return tuple(_tuple(v) for v in value) if isinstance(value, list) else value


def versions() -> dict[str, str]:
    """Versions of what a fit depends on."""
    found = {}
    for package in ("ssbayes", "pymc", "pytensor", "nutpie", "jax", "numpy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
