"""A model of a process step as users hold it: its columns, its priors, and ``fit``."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sized
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import TYPE_CHECKING, Any

import pandas as pd

from ...data import columns as registry
from .priors import Prior, PriorError

if TYPE_CHECKING:
    import xarray as xr

    from .fit import Fit
    from .flow import Flow
    from .graph import Graph
    from .inputs import Inputs


FEW = 4
"""Least number of slots for studies, of which a table has few."""


@dataclass(frozen=True)
class Factor:
    """A column that the model computes from.

    Attributes
    ----------
    name
        Column name in the registry.
    default
        Value for rows that do not give it; ``None`` where it is needed.
    level
        Level at which it is set: ``batch`` for a process setting, ``row`` for a condition of the
        measurement.
    """

    name: str
    default: float | None = None
    level: str = "batch"


@dataclass(frozen=True)
class Group:
    """A grouping column.

    Attributes
    ----------
    name
        Column name.
    needed
        True where a row without a label cannot be used (a mixing method).
    varies
        True for levels that a prediction averages over or draws anew (run, batch, cell); false
        for those that it must know (mill, method).
    reference
        Label whose effect is zero by definition.
    lone_in_noise
        True where the effect of a level with one reading is part of that reading's noise.
    within
        Columns that split every level: each slurry has an effect of its own for each criterion.
    lone_outcomes
        Outcomes whose noise takes that effect in; all of the model's if empty.
    fresh
        True for a level that does not vary from reading to reading, yet may be one that nobody has
        measured (another study, another material): settings without a label are of such a new
        one, whose effect has one value a draw for all settings.
    inside
        Level whose effect holds this one's where the fit tells none of its own: an operator who
        made one batch is that batch. A prediction then adds nothing for it.
    """

    name: str
    needed: bool = False
    varies: bool = True
    reference: str | None = None
    lone_in_noise: bool = False
    within: tuple[str, ...] = ()
    lone_outcomes: tuple[str, ...] = ()
    fresh: bool = False
    inside: str = ""


@dataclass(frozen=True)
class Outcome:
    """A measured column that the model explains.

    Attributes
    ----------
    name, family
        Column name and family of its readings.
    alike
        Columns that must agree among the readings that are pooled.
    optional
        True for what the sampler leaves out until a table has a reading of it.
    not_sought
        Why this outcome is reported but no campaign searches for its largest or smallest value;
        empty for an outcome that may be an objective.
    """

    name: str
    family: str = "Normal"
    alike: tuple[str, ...] = ()
    optional: bool = False
    not_sought: str = ""


@dataclass(frozen=True)
class LabModel:
    """A hierarchical model of one process step or a chain of them.

    ``models.get(name)`` returns one. It holds no data and no draws: ``fit`` returns a ``Fit``.

    Attributes
    ----------
    name
        Name in ``models.catalog()``.
    build
        The builder, run once on an empty table.
    factors, groups, outcomes
        The columns; the first outcome is the main one.
    context
        Further columns that a table for this model may have.
    summaries
        Outcomes that also take published means with their standard deviation over cells.
    encoders
        Further functions ``(rows, table, statements) -> arrays`` for nodes of the model's own.
    prepare
        ``(rows, fitting) -> (rows, notes)``: the same rows with what the model reads as numbers
        or labels written so (a direction as 0 or 1); on a table that is fitted and on settings. In
        a chain a third argument names the outcome that settings are for.
    bounds
        Outcomes whose bounds (``x_censored``) one of the encoders reads; all other bounds are
        left out, and the report says so.
    extra_rows
        ``(table, statements) -> rows`` without readings that are put behind the table's own, for
        likelihood terms that look at the response elsewhere.
    adaptation
        How the sampler learns the posterior's shape: ``low_rank`` follows correlated parameters,
        ``diag`` costs less where there are hundreds of group effects and no such ridge.
    least_slots
        Slots that every group has at least; fewer where a level has many numbers of its own, and
        empty slots would be most of the posterior.
    accept
        Acceptance rate of the sampler; above 0.8 it takes smaller steps, for narrow funnels.
    source
        Where the physics comes from.
    material
        What the published data behind the priors were measured on, as parts ``role: name``
        (``active: ...; electrolyte: ...; powder: ...``); empty where nothing is tied to one.
    includes
        Models that the builder runs itself.
    flow
        The stages of a chain, whose rows need only give what their readings are computed from;
        other models ask every row for every factor without a default.
    """

    name: str
    build: Callable[[Inputs], Any]
    factors: tuple[Factor, ...]
    groups: tuple[Group, ...]
    outcomes: tuple[Outcome, ...]
    context: tuple[str, ...] = ()
    summaries: tuple[str, ...] = ()
    encoders: tuple[Callable[..., dict[str, Any]], ...] = ()
    prepare: Callable[..., tuple[pd.DataFrame, list[str]]] | None = None
    bounds: tuple[str, ...] = ()
    extra_rows: Callable[[pd.DataFrame, bool], pd.DataFrame] | None = None
    what: str = ""
    adaptation: str = "low_rank"
    accept: float = 0.8
    least_slots: int = 16
    source: str = ""
    material: str = ""
    includes: tuple[str, ...] = ()
    flow: Flow | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    pooled: tuple[str, ...] = ()

    @property
    def columns(self) -> pd.DataFrame:
        """Columns of a table for this model: name, role, level, unit, needed, meaning."""
        rows: list[dict[str, Any]] = []

        def add(name: str, role: str, needed: bool, level: str | None = None) -> None:
            if all(row["name"] != name for row in rows):
                column = registry.column(name)
                rows.append({
                    "name": name, "role": role, "level": level or column.level,
                    "unit": column.unit, "needed": needed, "meaning": column.meaning,
                })

        needed = self.needed_for(self.outcomes[0].name)
        for factor in self.factors:
            add(factor.name, "factor", factor.name in needed)
        for group in self.groups:
            add(group.name, "group", group.name in needed)
        for name in ("study", "lot", "mill", "run", "batch", "cell"):
            add(name, "group", False)
        for outcome in self.outcomes:
            add(outcome.name, "outcome", False)
        for name in (*self.context, *(a for o in self.outcomes for a in o.alike)):
            add(name, "context", False)
        return pd.DataFrame(rows)

    @property
    def priors(self) -> pd.DataFrame:
        """Every parameter with its prior, unit, meaning and source."""
        found = self.graph({}).registry.priors
        return pd.DataFrame(
            [{"parameter": name, "prior": str(self.prior(name, prior)), "unit": prior.unit,
              "meaning": prior.meaning, "source": self.prior(name, prior).source}
             for name, prior in found.items()]
        ).set_index("parameter")

    def prior(self, name: str, declared: Prior) -> Prior:
        """The prior in force: the declared one, or the override."""
        if name in self.overrides:
            return declared.with_numbers(self.overrides[name])
        return declared

    def with_priors(self, **priors: Any) -> LabModel:
        """The same model with other prior numbers; keywords are parameter names.

        Parameters
        ----------
        **priors
            ``parameter=(numbers …)`` keeps the family, ``parameter=Prior(…)`` replaces it. The
            model's own prefix may be left out; a dot in a name is written as two underscores
            (``milling__power_constant``).

        Raises
        ------
        PriorError
            If no parameter has that name (with the nearest one), or the numbers do not suit.
        """
        if not priors:
            return self
        declared = self.graph({}).registry.priors
        overrides = dict(self.overrides)
        for key, value in priors.items():
            name = key.replace("__", ".")
            if name not in declared:
                ends = [full for full in declared if full.partition(".")[2] == name]
                if len(ends) != 1:
                    short = [full.partition(".")[2] for full in declared]
                    near = difflib.get_close_matches(name, [*declared, *short], n=1)
                    hint = f"; did you mean {near[0]!r}?" if near else ""
                    raise PriorError(
                        f"{key!r} is no parameter of model {self.name!r}{hint} "
                        f"It has: {', '.join(declared)}"
                    )
                name = ends[0]
            declared[name].with_numbers(value)
            overrides[name] = value
        return replace(self, overrides=overrides)

    def needed_for(self, *outcomes: str) -> frozenset[str]:
        """Factors and groups that a row with readings of these outcomes must give."""
        if self.flow is not None:
            return self.flow.needed_for(*outcomes)
        return frozenset([f.name for f in self.factors if f.default is None]
                         + [g.name for g in self.groups if g.needed])

    @property
    def table_columns(self) -> pd.DataFrame:
        """``columns`` for a table that is fitted; in a chain no column is needed in every row."""
        columns = self.columns
        if self.flow is not None:  # row by row, in ``encode``
            columns["needed"] = False
        return columns

    def slots(self, levels: Mapping[str, Sized]) -> dict[str, int]:
        """Padded number of slots for the levels of each group; one is left for a fresh level."""
        from .inputs import slots_for

        fresh = {group.name for group in self.groups if group.fresh}
        return {group: slots_for(len(labels) + 1, min(self.least_slots, FEW)) if group in fresh
                else slots_for(len(labels), self.least_slots)
                for group, labels in levels.items()}

    def graph(self, slots: Mapping[str, int], wanted: frozenset[str] | None = None) -> Graph:
        """The PyMC graph at this padding (the least where a group is not named), these parts."""
        from .graph import graph_of

        full = {group.name: slots.get(
            group.name, min(self.least_slots, FEW) if group.fresh else self.least_slots)
            for group in self.groups}
        return graph_of(self.name, self.build, full, self.overrides, wanted)

    def fit(
        self,
        table: pd.DataFrame,
        *,
        seed: int = 1,
        statements: bool = False,
        engine: str = "nutpie",
        draws: int = 1000,
        tune: int = 500,
        chains: int = 4,
        rhat: float = 1.02,
        pool: Iterable[str] = (),
    ) -> Fit:
        """Fit the model to a table.

        Parameters
        ----------
        table
            Rows as ``data.read`` or ``data.load`` return them; validated again here.
        seed
            Seed of the sampler.
        statements
            Whether published statements (rows of kind ``statement``) are used.
        engine
            ``"nutpie"`` (default), ``"numpyro"`` (where a GPU is) or ``"pymc"``.
        draws, tune, chains
            Draws kept and warm-up steps per chain; number of chains.
        rhat
            R-hat above which the sampling is repeated once, with longer trajectories and warm-up.
        pool
            Columns whose unlike values may be pooled (``capacity_cycles``, ...).

        Returns
        -------
        Fit

        Raises
        ------
        data.TableError
            If a cell of the table is wrong; every one is named.
        ValueError
            If unlike quantities would be pooled, ``pool`` names a column that keeps none apart, the
            engine is unknown, or one of the numbers makes no sense.
        """
        from .fitting import run_fit

        for argument, number in (("draws", draws), ("tune", tune), ("chains", chains)):
            if isinstance(number, bool) or not isinstance(number, Integral) or number < 1:
                raise ValueError(f"{argument}={number!r} must be a whole number from 1")
        pool = (pool,) if isinstance(pool, str) else tuple(pool)
        known = dict.fromkeys(name for outcome in self.outcomes for name in outcome.alike)
        for name in pool:
            if name not in known:
                told = ", ".join(known) or "none"
                raise ValueError(
                    f"pool={name!r} is no column in which readings of the model {self.name!r} must "
                    f"agree; there are: {told}")
        model = replace(self, pooled=(*self.pooled, *pool))
        return run_fit(model, table, seed=seed, statements=statements, engine=engine,
                       draws=draws, tune=tune, chains=chains, rhat=rhat)

    def prior_predict(
        self, settings: pd.DataFrame | Mapping[str, Any], of: str = "mean", *,
        outcome: str | None = None, seed: int = 1, draws: int = 1000,
    ) -> xr.DataArray | xr.Dataset:
        """Predictive draws at settings before any data: what the priors alone hold possible.

        Parameters
        ----------
        settings
            As for ``Fit.predict``. Readings, and labels of runs, batches and cells, of which
            nothing is known yet, are not looked at.
        of, outcome, seed
            As for ``Fit.predict``.
        draws
            Number of draws.

        Returns
        -------
        DataArray or Dataset
            Dims ``draw, setting``, as of ``Fit.predict``.

        Raises
        ------
        data.TableError
            If a needed column is missing or a cell is wrong.
        ValueError
            If a column is misspelt, or ``of`` or ``outcome`` is unknown.
        """
        from .fitting import before_data

        new = {group.name for group in self.groups if group.varies}
        table = pd.DataFrame(settings)
        table = table.drop(columns=[name for name in table if name in new]).reset_index(drop=True)
        made = before_data(self, table, draws, seed)
        return made.predict(table, of, outcome=outcome, seed=seed)

    def __repr__(self) -> str:
        return (f"LabModel({self.name!r}: {', '.join(f.name for f in self.factors)} -> "
                f"{', '.join(o.name for o in self.outcomes)})")
