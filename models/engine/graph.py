"""One PyMC graph of a model, and the functions compiled from it.

A graph is built on an empty table for a given padding of the groups, and kept for the process.
Swapping data or prior numbers compiles nothing; only another family of a prior or a group that
outgrows its slots does.

The sampler's compile time grows with the number of data nodes (about half a second each) and of
variables. So all numeric columns are rows of one node, all codes of another, all prior numbers
stand in a third, all readings in a fourth; parameters of one prior family share one vector
variable; and there is one likelihood. ``pack`` fills the nodes from named columns.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np

from . import ordinal
from .inputs import LN, Inputs, Registry, values_of
from .priors import FAMILIES, Prior

log = logging.getLogger("ssbayes")

NUMBERS, CODES, PRIORS, READINGS = "columns", "codes", "prior_numbers", "readings"

_GRAPHS: dict[tuple, Graph] = {}
_GROUPS: dict[tuple, set[str]] = {}
compilations: dict[str, int] = {"graph": 0, "nutpie": 0, "jax": 0}
"""How often something was built or compiled in this process."""


def use_64_bit() -> None:
    """Set JAX to 64 bit for the process."""
    import jax

    if not jax.config.jax_enable_x64:
        jax.config.update("jax_enable_x64", True)


class Graph:
    """The PyMC graph of one model at one padding.

    Parameters
    ----------
    name
        The model's name, prefix of its parameters.
    build
        The model's builder.
    slots
        Padded number of levels of each group.
    overrides
        Priors that replace the builder's.
    wanted
        Optional parts to build; all if ``None``.

    Attributes
    ----------
    model
        The PyMC model.
    registry
        What the builder declared.
    places
        Parameter -> (family, positions in that family's vector).
    """

    def __init__(
        self, name: str, build: Callable[[Inputs], None], slots: Mapping[str, int],
        overrides: Mapping[str, Any], wanted: frozenset[str] | None = None,
    ) -> None:
        import pymc as pm

        compilations["graph"] += 1
        declared = Registry(slots=dict(slots), overrides=dict(overrides), wanted=wanted)
        with pm.Model():
            build(Inputs(declared, name))
        self.places = _places(declared)
        self.numbers, self.codes = list(declared.numbers), list(declared.codes)
        with pm.Model(check_bounds=False) as self.model:
            numbers: Any = pm.Data(NUMBERS, np.zeros((len(self.numbers), 0)))
            codes: Any = pm.Data(CODES, np.zeros((max(len(self.codes), 1), 0), dtype="int64"))
            self.registry = Registry(
                slots=dict(slots), overrides=dict(overrides), wanted=wanted,
                pool=self._pool(declared.priors),
                numbers={column: numbers[k] for k, column in enumerate(self.numbers)},
                codes={group: codes[k] for k, group in enumerate(self.codes)})
            build(Inputs(self.registry, name))
            self._observe()

    def _pool(self, priors: Mapping[str, Prior]) -> dict[str, Any]:
        import pymc as pm
        import pytensor.tensor as pt

        pooled = self.pooled_numbers(priors)
        lists = [values for numbers in pooled.values() for values in numbers.values()]
        node = pm.Data(PRIORS, np.concatenate(lists))
        parts: Any = pt.split(node, [len(v) for v in lists], n_splits=len(lists))
        given = iter(parts)
        pool = {}
        for family, numbers in pooled.items():
            size = len(next(iter(numbers.values())))
            vector = FAMILIES[family].pymc(
                f"priors.{family}", [next(given) for _ in numbers], size)
            names = [name for name, (home, _) in self.places.items() if home == family]
            sizes = [len(self.places[name][1]) for name in names]
            pieces: Any = (pt.split(vector, sizes, n_splits=len(sizes)) if len(sizes) > 1
                      else [vector])
            pool |= dict(zip(names, pieces, strict=True))
        return pool

    def pooled_numbers(self, priors: Mapping[str, Prior]) -> dict[str, dict[str, np.ndarray]]:
        """Prior numbers as vectors: family -> data node -> numbers in the order of ``places``."""
        found: dict[str, dict[str, list[float]]] = {}
        for name, (family, at) in self.places.items():
            lists = found.setdefault(
                family, {f"priors.{family}__{a}": [] for a in FAMILIES[family].arguments})
            for values, given in zip(lists.values(), priors[name].numbers, strict=True):
                values += list(np.broadcast_to(np.asarray(given, dtype=float), len(at)))
        return {f: {k: np.array(v) for k, v in lists.items()} for f, lists in found.items()}

    def _observe(self) -> None:
        """The likelihood of all readings, row by row.

        An outcome that a row lacks counts zero times. Lists of row numbers would be gathered and
        scattered between the response and its gradient; like this the sampler's target is one
        loop over the rows, which keeps nothing in between.
        """
        import pymc as pm
        import pytensor.tensor as pt

        if not self.registry.readings:
            return
        block = Inputs(self.registry, "").data(READINGS, ndim=2)
        total: Any = 0.0
        for k, r in enumerate(self.registry.readings.values()):
            value, times, count, stated = (block[4 * k + part] for part in range(4))
            if r.family == ordinal.FAMILY:
                total = total + times * ordinal.log_probability(value, r.location, r.scale, r.cuts)
                continue
            spread = pt.sqrt(r.noise**2 / count + stated**2)
            where: Any = pt.log(r.expected) if r.family == "LogNormal" else r.expected
            kind: Any = (pm.StudentT.dist(nu=r.nu, mu=where, sigma=spread)
                         if r.family == "StudentT" else pm.Normal.dist(where, spread))
            total = total + times * pm.logp(kind, value)
        pm.Potential("likelihood", total.sum())

    def pack(
        self, columns: Mapping[str, np.ndarray], priors: Mapping[str, Prior] | None = None
    ) -> dict[str, np.ndarray]:
        """Fill the graph's data nodes from named columns.

        Parameters
        ----------
        columns
            Numeric columns and codes over rows; for a fit also ``<outcome>__row``, ``__value``,
            ``__n`` and ``__sd`` of every outcome, and the model's own nodes.
        priors
            Priors in force; needed for a fit.

        Returns
        -------
        dict
            Node name -> array.
        """
        numbers = [values_of(columns, name) for name in self.numbers]
        rows = len(numbers[0])
        codes = [columns[g] for g in self.codes] or [np.zeros(rows, dtype="int64")]
        nodes = {NUMBERS: np.stack(numbers),
                 CODES: np.stack(codes).astype("int64")}
        if priors is None:
            return nodes
        nodes[PRIORS] = np.concatenate(
            [v for numbers in self.pooled_numbers(priors).values() for v in numbers.values()])
        for name in self.registry.prior_group:
            nodes |= priors[name].nodes(name)
        if self.registry.readings:
            block = np.tile([[0.0], [0.0], [1.0], [0.0]], (len(self.registry.readings), rows))
            for k, (outcome, r) in enumerate(self.registry.readings.items()):
                at, value = columns[f"{outcome}__row"], columns[f"{outcome}__value"]
                block[4 * k, at] = np.log(value) if r.family == "LogNormal" else value
                block[4 * k + 1, at] = 1.0
                block[4 * k + 2, at] = columns[f"{outcome}__n"]
                block[4 * k + 3, at] = columns[f"{outcome}__sd"]
            nodes[READINGS] = block
        own = set(self.registry.nodes) - set(nodes)
        return nodes | {name: columns[name] for name in own}

    @cached_property
    def nutpie(self) -> Any:
        """The compiled NUTS target; about 10 s, once a process."""
        import nutpie

        compilations["nutpie"] += 1
        log.info("compiling the sampler (about 10 s, once a process)")
        with warnings.catch_warnings(), _light_rewrites():
            warnings.simplefilter("ignore")
            return nutpie.compile_pymc_model(self.model)

    @cached_property
    def row_columns(self) -> list[str]:
        """Encoded columns over rows that the graph takes: numbers (of any logarithm) and codes."""
        numbers = (name.removeprefix(LN) for name in self.numbers)
        return list(dict.fromkeys([*numbers, *self.codes]))

    def nutpie_names(self) -> set[str]:
        """The data that the sampler knows; others are not to be passed to it."""
        return {variable.name for variable in self.nutpie.shared_var_keys}

    @cached_property
    def variable_names(self) -> list[str]:
        """Random variables: a vector for each prior family, and the group effects."""
        return [variable.name for variable in _inputs(self.model, self.registry.placed)]

    @cached_property
    def parameter_names(self) -> list[str]:
        """Parameters under their own names, group effects (``…__z``) included."""
        return [*self.registry.priors, *self.registry.effects]

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of one draw of each parameter and group effect, unused slots included."""
        found = {}
        for name in self.parameter_names:
            if name in self.places:
                found[name] = self.registry.priors[name].shape
            else:
                found[name] = tuple(int(size) for size in self.model[name].type.shape)
        return found

    def parameters(self, variables: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Draws of parameters under their own names, from draws of the graph's variables.

        Arrays have the draw axes first: ``(…, k)`` in, ``(…,)`` or ``(…, k)`` out.
        """
        found = {}
        for name, prior in self.registry.priors.items():
            if name in self.places:
                family, at = self.places[name]
                block = variables[f"priors.{family}"]
                found[name] = block[..., at[0]] if prior.shape == () else (
                    block[..., at[0] : at[-1] + 1])
            else:
                found[name] = variables[name]
        return found | {z: variables[z] for z in self.registry.effects}

    def variables(self, parameters: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The inverse of ``parameters``."""
        found: dict[str, Any] = {z: parameters[z] for z in self.registry.effects}
        blocks: dict[str, list[np.ndarray]] = {}
        for name, prior in self.registry.priors.items():
            values = np.asarray(parameters[name])
            if name in self.places:
                blocks.setdefault(f"priors.{self.places[name][0]}", []).append(
                    values[..., None] if prior.shape == () else values)
            else:
                found[name] = values
        return found | {name: np.concatenate(parts, axis=-1) for name, parts in blocks.items()}

    def jax(self, *outputs: str) -> Callable[[Mapping, Mapping], dict[str, Any]]:
        """A JAX function ``(variables of one draw, columns) -> {output: array}``.

        Outputs are named ``mean:<outcome>``, ``noise:<outcome>``, ``nu:<outcome>``, for ordered
        categories also ``location:``, ``scale:`` and ``cut1:``, ``cut2:``, ...;
        ``quantity:<name>`` or ``term:<name>``. Not jitted and not mapped over draws: the caller
        chooses.
        """
        key = tuple(sorted(outputs))
        if key not in self._jax:
            compilations["jax"] += 1
            self._jax[key] = as_jax(
                self.model, {name: self._tensor(name) for name in key}, self.registry.placed)
        return self._jax[key]

    @cached_property
    def _jax(self) -> dict[tuple[str, ...], Callable]:
        use_64_bit()
        return {}

    def _tensor(self, output: str) -> Any:
        kind, _, name = output.partition(":")
        if kind == "quantity":
            return self.registry.quantities[name]
        if kind == "term":
            return self.registry.terms[name]
        readings = self.registry.readings[name]
        import pytensor.tensor as pt

        known = {"mean": readings.expected, "noise": readings.noise, "nu": readings.nu,
                 "location": readings.location, "scale": readings.scale}
        known |= {f"cut{k}": cut for k, cut in enumerate(readings.cuts, 1)}
        return pt.as_tensor_variable(known[kind])


@contextmanager
def _light_rewrites() -> Iterator[None]:
    """Leave out the in-place rewrite of fused operations and the search for common factors: most
    of PyTensor's compile time, for nothing that a table of a hundred rows would notice."""
    from pytensor.compile import mode

    kept = mode.predefined_modes["NUMBA"]
    mode.predefined_modes["NUMBA"] = kept.excluding(
        "inplace_elemwise", "local_mul_exp_to_exp_add", "local_mul_pow_to_pow_add",
        "local_greedy_distributor")
    try:
        yield
    finally:
        mode.predefined_modes["NUMBA"] = kept


def _places(declared: Registry) -> dict[str, tuple[str, list[int]]]:
    """Where each parameter stands in the vector of its family."""
    places: dict[str, tuple[str, list[int]]] = {}
    taken: dict[str, int] = {}
    for name, prior in declared.priors.items():
        if name in declared.prior_group:
            continue
        start = taken.get(prior.family, 0)
        size = int(np.prod(prior.shape))
        places[name] = (prior.family, list(range(start, start + size)))
        taken[prior.family] = start + size
    return places


def graph_of(
    name: str, build: Callable, slots: Mapping[str, int], overrides: Mapping[str, Any],
    wanted: frozenset[str] | None = None,
) -> Graph:
    """The graph for this padding and these families of priors, built at most once a process."""
    replaced = {k: v for k, v in sorted(overrides.items()) if isinstance(v, Prior)}
    family = (name, build, wanted, tuple((k, v.family, v.shape) for k, v in replaced.items()))

    def padding() -> tuple:
        # A group without effects in this graph may grow as it likes.
        return tuple(sorted((g, n) for g, n in slots.items() if g in _GROUPS.get(family, slots)))

    if (family, padding()) not in _GRAPHS:
        graph = Graph(name, build, slots, replaced, wanted)
        registry = graph.registry
        _GROUPS[family] = {*registry.effects.values(), *registry.prior_group.values()}
        _GRAPHS[family, padding()] = graph
    return _GRAPHS[family, padding()]


def _inputs(model: Any, placed: Mapping[str, Any]) -> list[Any]:
    """Free random variables; of an effect that is sampled in place, its standard normals."""
    return [placed.get(variable.name, variable) for variable in model.free_RVs]


def as_jax(
    model: Any, outputs: Mapping[str, Any], placed: Mapping[str, Any] | None = None
) -> Callable[[Mapping, Mapping], dict[str, Any]]:
    """Compile tensors of a PyMC graph to one JAX function of (variables, columns).

    Random variables and data become inputs of unknown size, so that another number of rows, or
    of group effects, is only another shape. Indices out of range are clamped by JAX: check them
    before. The function's ``needs`` names its inputs.
    """
    from pytensor.compile.mode import get_mode
    from pytensor.graph.fg import FunctionGraph
    from pytensor.graph.replace import clone_replace
    from pytensor.graph.traversal import ancestors
    from pytensor.link.jax.dispatch.basic import jax_funcify
    from pytensor.tensor import TensorType

    wanted = list(outputs.values())
    variables = _inputs(model, placed or {})
    above = set(ancestors(wanted, blockers=variables))
    nodes = [v for v in [*variables, *model.data_vars] if v in above]
    blank = [
        TensorType(v.dtype, v.type.shape if str(v.name).startswith("priors.")
                   else (None,) * v.ndim)(v.name)
        for v in nodes
    ]
    clones = clone_replace(wanted, dict(zip(nodes, blank, strict=True)), rebuild_strict=False)
    fgraph = FunctionGraph(blank, clones, clone=True)
    get_mode("JAX").optimizer.rewrite(fgraph)
    with warnings.catch_warnings():  # lengths are checked before; tracing drops its own check
        warnings.filterwarnings("ignore", "Skipping Assert", UserWarning)
        function, names = jax_funcify(fgraph), [v.name for v in nodes]

    def run(variables: Mapping, columns: Mapping) -> dict[str, Any]:
        known = {**columns, **variables}
        return dict(zip(outputs, function(*(known[name] for name in names)), strict=True))

    run.needs = set(names)  # type: ignore[attr-defined]
    return run
