"""The graph as a fast function: expected values at settings, level by level, for every draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .encode import PARENTS, number, stand_in, text
from .inputs import ALONE, GIVEN
from .ordinal import CATEGORIES, FAMILY, draw, log_probability

if TYPE_CHECKING:
    from .fit import Fit

LEVELS = ("mean", "batch", "cell")


def pad(size: int, least: int = 64) -> int:
    """Next power of two, or one and a half of one from 384 on, so that few sizes are ever compiled.

    The half steps are for three group effects, whose cubature has six points.
    """
    whole = max(least, 1 << max(size - 1, 0).bit_length())
    half = 3 * whole // 4
    return half if half >= max(size, 384) else whole


class Evaluator:
    """Evaluates outputs of a graph over draws and rows, in padded, jitted blocks."""

    def __init__(self, graph: Any, outputs: tuple[str, ...]) -> None:
        import jax

        self.function = graph.jax(*outputs)
        self.needs: set[str] = self.function.needs  # type: ignore[attr-defined]
        self.pack = graph.pack
        self.run: Callable = jax.jit(jax.vmap(self.function, in_axes=(0, None)))
        self.outputs = outputs

    def __call__(
        self, variables: Mapping[str, np.ndarray], columns: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Outputs with shape ``(draws, rows)``; scalars are broadcast over rows."""
        rows = len(next(iter(columns.values())))
        size = pad(rows)
        filled = {name: np.concatenate([v, np.repeat(v[-1:], size - rows, axis=0)])
                  for name, v in columns.items()}
        given = {k: v for k, v in self.pack(filled).items() if k in self.needs}
        draws = {name: variables[name] for name in self.needs & set(variables)}
        missing = self.needs - set(given) - set(draws)
        if missing:
            raise KeyError(f"the response needs {sorted(missing)}")
        count = len(next(iter(draws.values()))) if draws else len(next(iter(variables.values())))
        answer = {}
        # what no draw enters is the same for all of them, and nothing to be mapped over
        values_of = self.run if draws else self.function
        for name, values in values_of(draws, given).items():
            values = np.asarray(values).reshape(count if draws else 1, -1)
            answer[name] = np.broadcast_to(values, (count, size))[:, :rows]
        return answer


def at_rows(graph: Any, columns: Mapping[str, np.ndarray], outputs: tuple[str, ...],
            variables: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Outputs at the rows of an encoded table, ``(draws, rows)`` each."""
    rows = {name: columns[name] for name in graph.row_columns}
    return evaluator(graph, *outputs)(variables, rows)


def evaluator(graph: Any, *outputs: str) -> Evaluator:
    """The evaluator of these outputs, compiled once for each graph."""
    kept = graph.__dict__.setdefault("_evaluators", {})
    key = tuple(sorted(outputs))
    if key not in kept:
        kept[key] = Evaluator(graph, key)
    return kept[key]


def cubature(effects: int) -> np.ndarray:
    """Points of equal weight that integrate polynomials of degree 3 over standard normals.

    Returns
    -------
    ndarray
        ``(2 * effects, effects)``; one point at zero where there is no effect.
    """
    if effects == 0:
        return np.zeros((1, 0))
    step = np.sqrt(effects)
    return np.concatenate([step * np.eye(effects), -step * np.eye(effects)])


class Response:
    """What a fit says about one outcome at any setting, as plain arrays.

    Parameters
    ----------
    fit
        The fit.
    outcome
        An outcome of its model.

    Notes
    -----
    ``draws`` arguments are indices into the flattened posterior. Levels differ only in what is
    put into the group effects: cubature points and their average (``mean``), fresh normals
    (``batch``, ``cell``), posterior values (a level that the settings name).
    """

    def __init__(self, fit: Fit, outcome: str) -> None:
        self.fit = fit
        self.outcome = outcome
        self.graph = fit.graph
        self._varying = [g.name for g in fit.model.groups if g.varies]

    @property
    def n_draws(self) -> int:
        """Number of posterior draws."""
        return self.fit.n_draws

    @property
    def readings(self) -> np.ndarray:
        """Readings of the outcome in the fit, ``(n,)``."""
        return self.fit.encoded.columns[f"{self.outcome}__value"]

    @property
    def reading_labels(self) -> list[Any]:
        """Row labels of the readings."""
        rows = self.fit.encoded.columns[f"{self.outcome}__row"]
        return [self.fit.encoded.index[k] for k in rows]

    @property
    def row_settings(self) -> pd.DataFrame:
        """The table's rows behind the readings, without labels of runs, batches and cells."""
        table = self.fit.table.loc[self.reading_labels]
        return table.drop(columns=[c for c in self._varying if c in table])

    def rows(self, draws: Any = None) -> np.ndarray:
        """Expected value at each reading with its group effects, ``(draws, n)``."""
        if self.graph.registry.readings[self.outcome].family == FAMILY:
            return self._of_readings("mean", draws)
        return self.at_readings(draws)[0]

    def row_noise(self, draws: Any = None) -> np.ndarray:
        """Noise scale of each reading, ``(draws, n)``."""
        if self.graph.registry.readings[self.outcome].family == FAMILY:
            return self._of_readings("noise", draws)
        return self.at_readings(draws)[1]

    def _of_readings(self, kind: str, draws: Any) -> np.ndarray:
        name, columns = f"{kind}:{self.outcome}", self.fit.encoded.columns
        values = at_rows(self.graph, columns, (name,), self.fit.variables(draws))[name]
        return values[:, columns[f"{self.outcome}__row"]]

    def row_mean(self, draws: Any = None) -> np.ndarray:
        """Mean of each reading's setting, group effects averaged over, ``(draws, n)``."""
        return self.mean(self.row_settings, draws)

    def at_readings(self, draws: Any = None) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Location, scale and shape of each reading, see ``readings_at``."""
        return readings_at(self.graph, self.fit.encoded.columns, self.outcome,
                           self.fit.variables(draws))

    def mean(self, settings: pd.DataFrame, draws: Any = None) -> np.ndarray:
        """Mean of each setting over new runs, batches and cells, ``(draws, settings)``."""
        return self.evaluate((f"mean:{self.outcome}",), settings, draws)[f"mean:{self.outcome}"]

    def noise(self, settings: pd.DataFrame, draws: Any = None) -> np.ndarray:
        """Scale of one reading's noise, group effects not included, ``(draws, settings)``."""
        name = f"noise:{self.outcome}"
        return self.evaluate((name,), settings, draws)[name]

    def evaluate(
        self, outputs: tuple[str, ...], settings: pd.DataFrame, draws: Any = None,
        of: str | None = None,
    ) -> dict[str, np.ndarray]:
        """Outputs averaged over new levels by cubature, ``(draws, settings)`` each.

        ``of`` names the model of a chain that the outputs belong to, if not this outcome's.
        """
        columns = setting_columns(self.fit, settings, of or self.outcome)
        effects = [(z, shape) for z, shape in self.fit.effect_shapes.items()
                   if self.graph.registry.effects[z] in self._varying]
        named = [g for g in self._varying if np.any(columns[g] > 0)]
        free = [(z, s) for z, s in effects if self.graph.registry.effects[z] not in named]
        width = sum(int(np.prod(s)) for _, s in free)
        points = cubature(width)
        parameters = dict(self.fit.variables(draws))
        at = 0
        for z, shape in free:
            size = int(np.prod(shape))
            block = points[:, at : at + size].reshape(len(points), *shape)
            parameters[z] = np.broadcast_to(
                block, (len(next(iter(parameters.values()))), *block.shape))
            at += size
        n = len(settings)
        tiled = {name: np.tile(values, len(points)) for name, values in columns.items()}
        codes = np.repeat(np.arange(1, len(points) + 1), n)
        for group in self._varying:
            if group not in named:
                tiled[group] = codes
        values = evaluator(self.graph, *outputs)(parameters, tiled)
        return {
            name: array.reshape(array.shape[0], len(points), n).mean(axis=1)
            for name, array in values.items()
        }

    def draw(self, settings: pd.DataFrame, of: str, rng: np.random.Generator,
             draws: Any = None) -> np.ndarray:
        """Predictive draws for the next batch or the next cell of each setting."""
        columns = setting_columns(self.fit, settings, self.outcome)
        n = len(settings)
        parameters = dict(self.fit.variables(draws))
        count = len(next(iter(parameters.values())))
        held = {g.name: self._held(g.name, columns) for g in self.fit.model.groups if g.inside}
        for z, shape in self.fit.effect_shapes.items():
            group = self.graph.registry.effects[z]
            if group in self._varying and not np.any(columns[group] > 0):
                fresh = rng.normal(size=(count, n, *shape))
                if group in held:
                    fresh[:, held[group]] = 0.0
                if group == "cell" and of == "batch":
                    fresh[:] = 0.0
                parameters[z] = fresh
        for group in self._varying:
            if not np.any(columns[group] > 0):
                columns[group] = np.arange(1, n + 1)
        readings = self.graph.registry.readings[self.outcome]
        if of == "batch":
            name = f"mean:{self.outcome}"
            return evaluator(self.graph, name)(parameters, columns)[name]
        names = shape_outputs(readings, self.outcome)
        values = evaluator(self.graph, *names)(parameters, columns)
        return draw_family(readings.family, values[names[0]], values[names[1]],
                           shape_of(readings, values, names), rng)


    def _held(self, group: str, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Settings of whose kind (method, mill) no row of the fit tells the group apart, ``(n,)``.

        The level that holds the group (``Group.inside``) then has its spread in its own.
        """
        kinds = [g.name for g in self.fit.model.groups if not g.varies]
        coded = self.fit.encoded.columns
        told = np.flatnonzero(coded[group] > 0)
        known = {tuple(int(coded[kind][k]) for kind in kinds) for k in told}
        return np.array([tuple(int(columns[kind][k]) for kind in kinds) not in known
                         for k in range(len(columns[group]))], dtype=bool)


def shape_outputs(readings: Any, outcome: str) -> list[str]:
    """Outputs of the graph that describe one reading: location, scale, and the shape."""
    if readings.family == FAMILY:
        return [f"{kind}:{outcome}" for kind in (
            "location", "scale", *(f"cut{k}" for k in range(1, len(readings.cuts) + 1)))]
    kinds = ("mean", "noise") if readings.nu is None else ("mean", "noise", "nu")
    return [f"{kind}:{outcome}" for kind in kinds]


def shape_of(readings: Any, values: Mapping[str, np.ndarray], names: list[str]) -> Any:
    """Degrees of freedom ``(draws, n)``, cuts ``(cuts, draws, n)``, or none."""
    if readings.family == FAMILY:
        return np.stack([values[name] for name in names[2:]])
    return values[names[2]] if len(names) > 2 else None


def readings_at(
    graph: Any, columns: Mapping[str, np.ndarray], outcome: str,
    variables: Mapping[str, np.ndarray],
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Location, scale ``(draws, n)`` and shape at each reading of an outcome.

    The scale is that of the reading: of a mean of cells, with its stated error added. The shape is
    the degrees of freedom of Student's t, ``(draws, n)``, or the cuts between ordered categories,
    ``(cuts, draws, n)``.
    """
    readings = graph.registry.readings[outcome]
    names = shape_outputs(readings, outcome)
    values = at_rows(graph, columns, tuple(names), variables)
    row = columns[f"{outcome}__row"]
    values = {name: value[:, row] for name, value in values.items()}
    scale = values[names[1]]
    if readings.family != FAMILY:
        count, stated = columns[f"{outcome}__n"], columns[f"{outcome}__sd"]
        scale = np.sqrt(scale**2 / count + stated**2)
    return values[names[0]], scale, shape_of(readings, values, names)


def draw_family(family: str, mu: np.ndarray, sigma: np.ndarray, nu: np.ndarray | None,
                rng: np.random.Generator) -> np.ndarray:
    """Random readings of a family at the given location, scale and shape; ranks if ordered."""
    if family == FAMILY:
        assert nu is not None
        return draw(mu, sigma, list(nu), rng)
    if family == "StudentT":
        assert nu is not None
        return mu + sigma * rng.standard_t(np.broadcast_to(nu, mu.shape))
    if family == "LogNormal":
        return mu * np.exp(sigma * rng.normal(size=mu.shape))
    return mu + sigma * rng.normal(size=mu.shape)


def log_density(family: str, value: np.ndarray, mu: np.ndarray, sigma: np.ndarray,
                nu: np.ndarray | None) -> np.ndarray:
    """Log density of readings; of the logarithm of the reading for ``LogNormal``."""
    from scipy import stats

    if family == FAMILY:
        assert nu is not None
        return log_probability(value, mu, sigma, list(nu))
    if family == "StudentT":
        assert nu is not None
        return stats.t.logpdf(value, nu, mu, sigma)
    if family == "LogNormal":
        return stats.norm.logpdf(np.log(value), np.log(mu), sigma)
    return stats.norm.logpdf(value, mu, sigma)


def setting_columns(
    fit: Fit, settings: pd.DataFrame, of: str | None = None
) -> dict[str, np.ndarray]:
    """Encode settings for the response; unknown or missing ones are errors that name them.

    ``of`` names an outcome, or a model of a chain: only what it is computed from must be given.
    """
    model, flow = fit.model, fit.model.flow
    starts: dict[str, np.ndarray] = {}
    if flow is not None:
        asked = flow.asked(settings, flow.start_of(of))
        _refuse_missing(model, settings, {
            f.name: text(settings, f.name).eq("").to_numpy() & asked[f.name]
            for f in model.factors if f.name in asked})
        starts = {column: np.where(rows, number(settings, column), 0.0)
                  for column, rows in flow.starts(settings).items()}
    if model.prepare is not None:
        given = (settings, False) if flow is None else (settings, False, flow.start_of(of))
        settings, _ = model.prepare(*given)
    columns: dict[str, np.ndarray] = {}
    for factor in model.factors:
        values = number(settings, factor.name, np.nan if factor.default is None else factor.default)
        if flow is None:
            _refuse_missing(model, settings, {factor.name: np.isnan(values)})
        columns[factor.name] = values if flow is None else stand_in(values, factor.name)
    columns |= {f"{column}{GIVEN}": values for column, values in starts.items()}
    for group in model.groups:
        columns[group.name] = _codes(fit, settings, group)
        if group.lone_in_noise:
            columns[f"{group.name}{ALONE}"] = np.zeros(len(settings))
    for outcome, known in fit.encoded.categories.items():
        columns[f"{outcome}{CATEGORIES}"] = np.full(len(settings), float(max(len(known), 2)))
    return columns


def _refuse_missing(
    model: Any, settings: pd.DataFrame, missing: Mapping[str, np.ndarray]
) -> None:
    for name, rows in missing.items():
        if rows.any():
            at = settings.index[np.flatnonzero(rows)[0]]
            raise ValueError(
                f"model {model.name!r} needs {name!r} to predict; setting {at!r} has none")


def _codes(fit: Fit, settings: pd.DataFrame, group: Any) -> np.ndarray:
    labels = text(settings, group.name).to_numpy()
    known = fit.encoded.levels[group.name]
    if group.fresh:
        return np.array([_fresh(label, group.name, group.reference, known) for label in labels],
                        dtype="int64")
    if group.varies:
        if (labels == "").all() or (group.name == "run" and "batch" not in settings):
            return np.zeros(len(settings), dtype="int64")
        parts = [text(settings, column)
                 for column in (*group.within, *PARENTS.get(group.name, (group.name,)))]
        full = [" / ".join(p for p in key if p) for key in zip(*parts, strict=True)]
        ends: dict[str, list[int]] = {}
        for k, name in enumerate(known):
            ends.setdefault(name, []).append(k)
            ends.setdefault(name.rpartition(" / ")[2], []).append(k)
        codes = []
        for name, label in zip(full, labels, strict=True):
            found = ends.get(name) or ends.get(label) or []
            if len(set(found)) != 1:
                raise ValueError(_unknown(group.name, label, known))
            codes.append(found[0] + 1)
        return np.array(codes, dtype="int64")
    if group.reference is not None and (labels == "").any():
        used = fit.encoded.columns[group.name]
        kinds = np.unique(used)
        if len(kinds) > 1:
            raise ValueError(
                f"the fit holds several {group.name}s ({group.reference}, {', '.join(known)}): "
                f"name one in the column {group.name!r} of the settings"
            )
        only = int(kinds[0]) if len(kinds) else 0
    else:
        only = -1
    codes = []
    for label in labels:
        if label == "" and only >= 0:
            codes.append(only)
        elif group.reference is not None and label == group.reference:
            codes.append(0)
        elif label in known:
            codes.append(known.index(label) + 1)
        else:
            raise ValueError(_unknown(group.name, label, known))
    return np.array(codes, dtype="int64")


def _fresh(label: str, group: str, reference: str | None, known: list[str]) -> int:
    """Slot of a known level, or the first unused one, whose draws are the prior's."""
    if label == reference:
        return 0
    if label in known:
        return known.index(label) + 1
    if label:
        raise ValueError(_unknown(group, label, known))
    return len(known) + 1


def _unknown(group: str, label: str, known: list[str]) -> str:
    import difflib

    near = difflib.get_close_matches(label, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    if not label:
        return f"the settings name no {group!r}; the fit knows: {', '.join(known[:12])}"
    return (f"{label!r} is no {group} of this fit{hint} It knows: {', '.join(known[:12])}. "
            "Leave the column out to predict for a new one")
