"""What the steps of a chain make together: columns, groups, outcomes, and how rows are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from .engine import Factor, Group, Inputs, LabModel, Outcome, Prior
from .engine.flow import Flow


class ChainError(ValueError):
    """Models that do not make a chain: a missing link, a wrong order, a column given twice."""


@dataclass(frozen=True)
class Link:
    """One step of a chain as its graph needs it."""

    name: str
    build: Callable[[Inputs], Any]
    outcomes: tuple[str, ...]
    takes: tuple[str, ...]
    handed_on: tuple[str, ...]
    effects: tuple[tuple[str, Prior], ...]


def factors(models: list[LabModel], links: set[str]) -> tuple[Factor, ...]:
    """All factors but the links; the first default of a column holds, and its finest level."""
    found: dict[str, Factor] = {}
    order = ("study", "lot", "mill", "run", "batch", "cell", "row")
    for factor in (f for m in models for f in m.factors if f.name not in links):
        if factor.name not in found:
            found[factor.name] = factor
            continue
        old = found[factor.name]
        defaults = {d for d in (old.default, factor.default) if d is not None}
        if len(defaults) > 1:
            raise ChainError(f"the steps have different defaults of {factor.name}: "
                             f"{', '.join(f'{d:g}' for d in sorted(defaults))}")
        level = max(old.level, factor.level, key=order.index)
        found[factor.name] = Factor(factor.name, next(iter(defaults), None), level)
    return tuple(found.values())


def groups(models: list[LabModel], links: list[Link]) -> tuple[Group, ...]:
    """All groups; where an effect is handed on, levels with one reading keep it.

    A level that one step must know is known in the chain.
    """
    found: dict[str, Group] = {}
    users: dict[str, list[int]] = {}
    for k, model in enumerate(models):
        for group in model.groups:
            old = found.setdefault(group.name, group)
            users.setdefault(group.name, []).append(k)
            references = {r for r in (old.reference, group.reference) if r}
            if len(references) > 1 or (references and old.reference != group.reference):
                first = models[users[group.name][0]].name
                raise ChainError(f"{first!r} and {model.name!r} mean different levels of "
                                 f"{group.name!r} by zero effect: {old.reference!r}, "
                                 f"{group.reference!r}")
            found[group.name] = replace(
                old, needed=old.needed or group.needed, varies=old.varies and group.varies,
                reference=old.reference if old.reference == group.reference else None,
                lone_in_noise=old.lone_in_noise and group.lone_in_noise)
    names = [model.name for model in models]
    for name, group in found.items():
        if group.lone_in_noise:
            inside = {i for k in users[name] for i in models[k].includes}
            own = [o for k, link in enumerate(links) for o in link.outcomes
                   if k in users[name] or names[k] in inside]
            found[name] = replace(group, lone_outcomes=tuple(own))
    return tuple(found.values())


def outcomes(models: list[LabModel], links: list[Link]) -> tuple[Outcome, ...]:
    """All outcomes, those of the last step first.

    A step whose evidence is its readings alone is left out of the sampler where it has none.
    """
    found: dict[str, Outcome] = {}
    for model, link in reversed(list(zip(models, links, strict=True))):
        plain = not (model.encoders or model.bounds or model.extra_rows)
        for outcome in model.outcomes:
            if outcome.name in link.outcomes:
                found[outcome.name] = replace(outcome, optional=outcome.optional or plain)
    return tuple(found.values())


def encoders(models: list[LabModel]) -> Callable[..., dict[str, Any]]:
    """All encoders as one; two models that fill one node cannot be in one chain."""
    def encode(rows: pd.DataFrame, table: pd.DataFrame, statements: bool) -> dict[str, Any]:
        arrays: dict[str, Any] = {}
        filled_by: dict[str, str] = {}
        for model in models:
            for encoder in model.encoders:
                found = encoder(rows, table, statements)
                for node in found:
                    if filled_by.setdefault(node, model.name) != model.name:
                        raise ChainError(f"{filled_by[node]!r} and {model.name!r} both fill "
                                         f"{node!r}: they cannot be in one chain")
                arrays |= found
        return arrays

    return encode


def preparer(
    models: list[LabModel], flow: Flow
) -> Callable[..., tuple[pd.DataFrame, list[str]]] | None:
    """Each row is prepared by the steps that are computed for it, first to last."""
    if all(model.prepare is None for model in models):
        return None

    def prepare(
        rows: pd.DataFrame, fitting: bool, of: str | None = None
    ) -> tuple[pd.DataFrame, list[str]]:
        notes: list[str] = []
        reached = flow.reached(rows, of)
        rows = rows.copy()
        for model in models:
            here = reached[model.name]
            if model.prepare is None or not here.any():
                continue
            part, said = model.prepare(rows.loc[here], fitting)
            notes += said
            for column in part:
                if column not in rows:
                    rows[column] = part[column].reindex(rows.index)
                elif not part[column].equals(rows.loc[here, column]):
                    rows[column] = _merged(rows, part, column, here)
        for factor in {f.name for m in models for f in m.factors if f.name in rows}:
            used = np.any([reached[m.name] for m in models
                           if any(f.name == factor for f in m.factors)], axis=0)
            if not pd.api.types.is_numeric_dtype(rows[factor]):
                rows[factor] = pd.to_numeric(rows[factor].where(used), errors="raise")
        return rows, notes

    return prepare


def _merged(
    rows: pd.DataFrame, part: pd.DataFrame, column: str, here: np.ndarray
) -> pd.Series:
    """A column with its rows ``here`` replaced by those of the part, of whatever kind they are."""
    values = rows[column].astype(object).to_numpy(copy=True)
    values[here] = part[column].to_numpy()
    made = pd.Series(values, index=rows.index)
    numeric = all(pd.api.types.is_numeric_dtype(t[column]) for t in (rows, part))
    return made.astype(float) if numeric else made


def extra_rows(
    models: list[LabModel],
) -> Callable[[pd.DataFrame, bool], pd.DataFrame] | None:
    """Rows that the steps put behind a table, together."""
    steps = [model.extra_rows for model in models if model.extra_rows is not None]
    if not steps:
        return None

    def behind(table: pd.DataFrame, statements: bool) -> pd.DataFrame:
        found = [rows for step in steps if len(rows := step(table, statements))]
        return pd.concat(found) if found else pd.DataFrame()

    return behind
