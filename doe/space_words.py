"""A space in words: its table, its one line, and what is wrong with or known of settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import conditional, scales
from . import factors as fac
from .factors import Factor
from .mixture import Mixture

if TYPE_CHECKING:
    from .space import Space


def describe(space: Space) -> pd.DataFrame:
    """Table of factors: name, kind, unit, values, scale, step, hard, only_if; mixture if any."""
    sums = {n: f"{m.name} = {m.total:g}" for m in space.mixtures for n in m.names}
    rows = [
        {
            "name": f.name,
            "kind": type(f).__name__,
            "unit": fac.unit(f),
            "values": extent(f),
            "scale": "rank" if f.ordered else scales.name(f),
            "step": getattr(f, "step", None),
            "hard": f.hard,
            "only_if": f.only_if or "",
        }
        for f in space.factors
    ]
    table = pd.DataFrame(rows)
    if sums:
        table["mixture"] = [sums.get(n, "") for n in table["name"]]
    return table


def represent(space: Space) -> str:
    """The space in one line."""
    held = [f"{m.name} = {m.total:g}" for m in space.mixtures]
    held += [*space.constraints, *(f"not ({t})" for t in space.forbidden)]
    held += [f"P({t}) >= {p:g}" for t, p in space.probable.items()]
    inner = "; ".join(f"{f.name} {extent(f)}" for f in space.factors)
    return f"Space({inner}" + (f" | {'; '.join(held)})" if held else ")")


def objections(space: Space, table: Any) -> list[str]:
    """Why settings are outside: one sentence a row that is, naming factor or rule."""
    said = []
    for f in space.factors:
        outside = ~fac.contains(f, table[f.name])
        for label, value in table[f.name][outside].items():
            said.append(f"row {label}: {f.name} = {value} is not in {extent(f)}")
    for m in space.mixtures:
        said += m.objections(table)
    values = space.values(table) if len(table) else {}
    for rule in space.rules if len(table) else ():
        for label in table.index[~rule.satisfied(values)]:
            said.append(f"row {label} breaks {rule}")
    return said + conditional.objections(space, table)


def remarks(space: Space, table: Any) -> list[list[str]]:
    """What is known of the soft regions that each setting lies in, a list a row."""
    said: list[list[str]] = [[] for _ in range(len(table))]
    values = space.values(table) if space.remarked and len(table) else {}
    for rule in space.remarked if len(table) else ():
        for row in np.flatnonzero(np.broadcast_to(rule.satisfied(values), len(table))):
            said[row].append(f"{rule.text}: {space.soft[rule.text]}")
    return said


def uncertain(space: Space) -> list[str]:
    """Rules that are to hold with a probability: ``"'porosity <= 0.2' (P 0.9)"``."""
    return [f"{rule.text!r} (P {p:g})" for rule, p in space.uncertain]


def extent(factor: Factor) -> str:
    """Values of a factor as a person writes them."""
    if isinstance(factor, fac.Ordinal):
        return "{" + " < ".join(factor.values) + "}"
    if isinstance(factor, fac.Choice):
        values = [v if isinstance(v, str) else f"{v:g}" for v in factor.values]
        return "{" + ", ".join(values) + "}"
    unit = fac.unit(factor)
    step = f" in steps of {factor.step:g}" if factor.step not in (None, 1) else ""
    return f"[{factor.low:g}, {factor.high:g}]" + step + (f" {unit}" if unit else "")


def setting(space: Space, row: Any) -> str:
    """One setting as text: ``"rpm = 640, method = 'mill'"``."""
    shown = (f"{n} = {row[n]!r}" if isinstance(row[n], str) else f"{n} = {row[n]:g}"
             for n in space.names)  # fmt: skip
    return ", ".join(shown)


def changes(space: Space, old: Any, new: Any) -> str:
    """What differs between two settings: ``"rpm 900 -> 640"``; empty where nothing does."""
    said = []
    mixed = {n for m in space.mixtures if isinstance(m, Mixture) for n in m.names}
    for f in space.factors:
        a, b = old[f.name], new[f.name]
        if isinstance(a, str) or isinstance(b, str):
            if a != b:
                said.append(f"{f.name} {a!r} -> {b!r}")
        elif abs(a - b) > (1e-9 if f.name in mixed else 1e-12) * max(abs(f.low), abs(f.high)):
            said.append(f"{f.name} {a:g} -> {b:g}")
    return ", ".join(said)
