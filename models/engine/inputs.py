"""What a model's builder sees: columns, priors, group effects, readings. Never a table size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .ordinal import CATEGORIES, FAMILY, moments
from .priors import FAMILIES, Prior

ALONE = " alone"
GIVEN = " given"
LN = "ln "


def values_of(columns: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """An encoded column, or the logarithm of one that ``Inputs.log`` has asked for."""
    if name in columns:
        return columns[name]
    if name.endswith(ALONE):  # no level of the group was set aside
        return np.zeros(len(columns[name.removesuffix(ALONE)]))
    return np.log(columns[name.removeprefix(LN)])


def slots_for(levels: int, least: int = 16) -> int:
    """Number of padded slots for a group of so many levels: a power of two, ``least`` or more."""
    return max(least, 1 << max(levels - 1, 0).bit_length())


@dataclass(frozen=True)
class Readings:
    """Readings of one outcome: its expected value and noise over rows, and their family.

    Ordered categories have a latent ``location`` and ``scale`` and cuts between them as well;
    ``expected`` and ``noise`` are then mean and sd of the rank.
    """

    family: str
    expected: Any
    noise: Any
    nu: Any = None
    location: Any = None
    scale: Any = None
    cuts: tuple[Any, ...] = ()


@dataclass
class Registry:
    """Everything that a build leaves behind for the engine; shared by all parts of a chain."""

    slots: Mapping[str, int]
    overrides: Mapping[str, Any]
    wanted: frozenset[str] | None = None
    pool: Mapping[str, Any] | None = None
    numbers: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, Any] = field(default_factory=dict)
    priors: dict[str, Prior] = field(default_factory=dict)
    prior_group: dict[str, str] = field(default_factory=dict)
    effects: dict[str, str] = field(default_factory=dict)
    placed: dict[str, Any] = field(default_factory=dict)
    nodes: dict[str, Any] = field(default_factory=dict)
    upstream: dict[str, Any] = field(default_factory=dict)
    included: dict[str, Callable[..., Any]] = field(default_factory=dict)
    readings: dict[str, Readings] = field(default_factory=dict)
    terms: dict[str, Any] = field(default_factory=dict)
    quantities: dict[str, Any] = field(default_factory=dict)
    reported_by: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)


class Inputs:
    """The builder's window on the table.

    A model's ``build(x)`` runs inside a PyMC model, on an empty table. It asks for columns and
    parameters by name and declares its outcomes with ``observe``.
    """

    def __init__(self, registry: Registry, prefix: str) -> None:
        self._all = registry
        self._prefix = prefix

    def data(self, name: str, *, dtype: str = "float64", ndim: int = 1) -> Any:
        """A data node of the model's own, filled by one of its ``encoders``.

        ``ndim`` axes, all of unknown length. Each node costs about half a second to compile: put
        what belongs together into one of two axes.
        """
        if name not in self._all.nodes:
            import pymc as pm

            shape = (0,) * ndim if ndim == 1 else (0,) + (1,) * (ndim - 1)
            self._all.nodes[name] = pm.Data(name, np.zeros(shape, dtype))
        return self._all.nodes[name]

    def __getitem__(self, column: str) -> Any:
        """A numeric column over rows: an upstream outcome of the chain, else the table's."""
        if column in self._all.upstream:
            return self._all.upstream[column]
        return self._row(self._all.numbers, column, "float64")

    def log(self, column: str) -> Any:
        """Logarithm of a positive column over rows, taken once and not at every step."""
        if column in self._all.upstream:
            import pytensor.tensor as pt

            return pt.log(self._all.upstream[column])
        return self._row(self._all.numbers, LN + column, "float64")

    def code(self, group: str) -> Any:
        """Slot of each row in a group: 0 for "none", 1, 2, ... for its levels."""
        return self._row(self._all.codes, group, "int64")

    def _row(self, found: dict[str, Any], name: str, dtype: str) -> Any:
        if name not in found:
            if self._all.pool is not None:
                raise KeyError(f"column {name!r} was not asked for in the first build")
            import pytensor.tensor as pt

            found[name] = pt.TensorType(dtype, (None,))(name)
        return found[name]

    def include(self, build: Callable[[Inputs], None], name: str) -> None:
        """Run an upstream model; its outcomes are seen from here under their column names.

        One that another part of the chain has run already is not run again.
        """
        if name in self._all.included:
            if self._all.included[name] is not build:
                raise ValueError(f"two models of the name {name!r} cannot be in one chain")
            return
        self._all.included[name] = build
        before = set(self._all.readings)
        build(Inputs(self._all, name))
        for column, readings in self._all.readings.items():
            if column not in before:
                self._all.upstream[column] = readings.expected

    def prior(
        self,
        name: str,
        family: str,
        *numbers: Any,
        unit: str = "",
        meaning: str = "",
        source: str = "",
        group: str | None = None,
    ) -> Any:
        """A parameter ``<model>.<name>`` with its prior.

        Parameters
        ----------
        name, family, numbers
            See ``Prior``; a tuple of numbers makes a vector parameter.
        unit, meaning, source
            Shown beside the parameter in every report.
        group
            If given, one parameter for each level: a vector over slots, whose slot 0 ("none")
            is the first entry. Index it with ``x.code(group)``.

        Returns
        -------
        tensor
            A scalar parameter has shape ``(1,)`` and broadcasts over rows; a vector ``(k,)``.
        """
        import pymc as pm
        import pytensor.tensor as pt

        full = f"{self._prefix}.{name}"
        prior = Prior(family, numbers, unit, meaning, source)
        if full in self._all.overrides:
            prior = prior.with_numbers(self._all.overrides[full])
        if full in self._all.priors:
            raise ValueError(f"parameter {full!r} is declared twice")
        self._all.priors[full] = prior
        if group is not None:
            self._all.prior_group[full] = group
            values = [pm.Data(node, array) for node, array in prior.nodes(full).items()]
            shape = (self._all.slots[group] + 1, *prior.shape)
            found = FAMILIES[prior.family].pymc(full, values, shape)
        elif self._all.pool is None:
            found = pt.TensorType("float64", prior.shape or (1,))(full)
        else:
            found = self._all.pool[full]
        self._all.parameters[full] = found
        return found

    def wants(self, part: str) -> bool:
        """Whether an optional part (an outcome, ``statements``) is to be built.

        The sampler's graph leaves out what no reading informs: its parameters keep their prior,
        and fewer of them make every step cheaper. The response's graph has every part.
        """
        return self._all.wanted is None or part in self._all.wanted

    def has(self, outcome: str) -> bool:
        """Whether an included model has declared this outcome."""
        return outcome in self._all.readings

    def part(self, prefix: str) -> Inputs:
        """The same window for parameters under another prefix."""
        return Inputs(self._all, prefix)

    def start(self, outcome: str) -> None:
        """Let later models compute from a row's own value of an upstream outcome where it is all
        that the row gives (see ``engine.flow``); elsewhere from the expected value."""
        import pytensor.tensor as pt

        given = self._row(self._all.numbers, f"{outcome}{GIVEN}", "float64")
        expected = self._all.readings[outcome].expected
        self._all.upstream[outcome] = pt.where(given > 0, given, expected)

    def multiply(self, outcome: str, factor: Any) -> None:
        """Multiply the expected value of an outcome of an included model, over rows.

        Its readings, and the models that compute from it, then see the product.
        """
        readings = self._all.readings[outcome]
        changed = replace(readings, expected=readings.expected * factor)
        self._all.readings[outcome] = changed
        self._all.upstream[outcome] = changed.expected

    def parameter(self, name: str) -> Any:
        """A parameter of an upstream model by its full name (``milling.power_constant``)."""
        return self._all.parameters[name]

    def normals(
        self, name: str, group: str, width: int | None = None,
        around: tuple[Any, Any] | None = None,
    ) -> Any:
        """Standard normals for the levels of a group, padded, with zeros in front as slot 0.

        Parameters
        ----------
        name, group
            Name of the effect, and the group whose levels it belongs to.
        width
            Number of normals a level; one if not given.
        around
            Mean and sd over slots, ``(slots,)`` each, of the quantity that the effect is a part
            of. The sampler then walks in the quantity itself, ``mean + sd z``, which is quick
            where readings are far more precise than the levels are alike. The model, and what a
            prediction sees, are the same. For one number a level.

        Returns
        -------
        tensor
            ``(slots + 1,)``, or ``(slots + 1, width)``.
        """
        import pymc as pm
        import pytensor.tensor as pt
        from pytensor.tensor.shape import specify_shape

        full = f"{self._prefix}.{name}__z"
        size = self._all.slots[group]
        tail = () if width is None else (width,)
        if around is not None and self._all.wanted is not None:
            mean, sd = around
            place: Any = pm.Flat(f"{self._prefix}.{name}__place", shape=(size,))
            whole: Any = specify_shape((place - mean) / sd, (size,))
            z: Any = pm.Deterministic(full, whole)
            pm.Potential(f"{full}__placed", (-0.5 * z**2 - pt.log(sd)).sum())
            self._all.placed[place.name] = z
        else:
            z = pm.Normal(full, 0.0, 1.0, shape=(size, *tail))
        self._all.effects[full] = group
        return pt.concatenate([pt.zeros((1, *tail)), z])

    def effect(self, name: str, group: str, sd: Any) -> Any:
        """A non-centred random effect of a group, over rows; zero where the row has no level."""
        return sd * self.normals(name, group)[self.code(group)]

    def alone(self, group: str) -> Any:
        """1 for rows whose level has no other reading, else 0, over rows.

        Such a level's effect cannot be told from the noise of its one reading. The encoder gives
        it slot 0, and the model adds the effect's variance to the noise instead: the same
        likelihood to first order, without an effect for each row that NUTS must walk along.
        """
        return self._row(self._all.numbers, f"{group}{ALONE}", "float64")

    def categories(self, outcome: str) -> Any:
        """Number of ordered categories that the table holds of an outcome, over rows."""
        return self._row(self._all.numbers, f"{outcome}{CATEGORIES}", "float64")

    def report(self, name: str, value: Any) -> Any:
        """Name a per-row quantity that users may ask for (``fit.quantity(name, settings)``).

        Where an upstream model has one of this name already, it is ``<model>.<name>``.
        """
        if self._all.reported_by.get(name, self._prefix) != self._prefix:
            name = f"{self._prefix}.{name}"
        self._all.reported_by[name] = self._prefix
        self._all.quantities[name] = value
        return value

    def quantity(self, name: str) -> Any:
        """A quantity that this model or one upstream has reported."""
        own = f"{self._prefix}.{name}"
        return self._all.quantities[own if own in self._all.quantities else name]

    def observe(
        self, outcome: str, family: str, *, mu: Any, sigma: Any, nu: Any = None,
        cuts: Sequence[Any] = (),
    ) -> None:
        """Declare an outcome column: its expected value and one reading's noise, over rows.

        Parameters
        ----------
        outcome
            Column name.
        family
            ``Normal``; ``StudentT`` (with ``nu``); ``LogNormal`` (``mu`` is the median, ``sigma``
            the scale of the logarithm); ``Ordered`` (ordered categories, with ``cuts``: ``mu`` and
            ``sigma`` are location and scale of the latent logistic).
        mu, sigma, nu
            Tensors over rows; ``sigma`` and ``nu`` may be scalars. A reading that is itself a
            mean of n cells has ``sigma / sqrt(n)``; one that states its own standard deviation
            has it added in quadrature.
        cuts
            For ``Ordered``: cuts between ranks, see ``ordinal.cuts_from``.
        """
        if family not in {"Normal", "StudentT", "LogNormal", FAMILY}:
            raise ValueError(f"{family!r} is no family of readings: Normal, StudentT, LogNormal, "
                             f"{FAMILY}")
        if outcome in self._all.readings:
            raise ValueError(f"outcome {outcome!r} is declared twice")
        if family == FAMILY:
            mean, spread = moments(mu, sigma, cuts)
            self._all.readings[outcome] = Readings(
                family, mean, spread, location=mu, scale=sigma, cuts=tuple(cuts))
            return
        self._all.readings[outcome] = Readings(family, mu, sigma, nu)

    def term(self, name: str, logp: Any) -> None:
        """Any further pointwise log-likelihood (a vector), part of the posterior and of checks."""
        import pymc as pm

        pm.Potential(f"{name}__term", logp.sum())
        self._all.terms[name] = logp
