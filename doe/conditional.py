"""Factors that are in use only under a condition: premixing, where there is carbon to premix.

A setting is consistent where each such factor is void exactly where its condition does not hold.
Void is encoded in the middle of the scale, so that two settings that differ only in what neither
uses lie on one point for a surrogate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import factors as fac
from . import rules
from .errors import SpaceError
from .factors import Factor
from .rules import Rule

if TYPE_CHECKING:
    from .space import Space


def conditions(factors: tuple[Factor, ...], kinds: dict[str, str]) -> dict[str, Rule]:
    """The parsed condition of every factor that has one.

    Raises
    ------
    SpaceError
        If a condition names a factor that has a condition itself.
    RuleError
        If it cannot be read.
    """
    made = {f.name: rules.parse(f.only_if, kinds) for f in factors if f.only_if is not None}
    for name, rule in made.items():
        clash = [n for n in rule.names if n in made]
        if clash:
            raise SpaceError(
                f"{name}: only_if={rule.text!r} uses {clash[0]}, which has a condition itself; "
                "write out the condition of that one"
            )
    return made


def used(space: Space, table: Any) -> dict[str, np.ndarray]:
    """Where the condition of each conditional factor holds, shape (n,) each."""
    if not space.conditions:
        return {}
    values = {**space.fixed, **{str(c): table[c].to_numpy() for c in table.columns}}
    return {
        name: np.broadcast_to(rule.satisfied(values), len(table))
        for name, rule in space.conditions.items()
    }


def settle(space: Space, table: Any) -> pd.DataFrame:
    """The table with unused factors void, and used ones that were void in mid-scale."""
    if not space.conditions or not len(table):
        return table
    table = table.copy()
    for name, needed in used(space, table).items():
        factor = space.factor(name)
        values = table[name].to_numpy(copy=True)
        values[~needed] = fac.void(factor)
        values[needed & fac.is_void(factor, values)] = fac.middle(factor)
        table[name] = values
    return table


def consistent(space: Space, table: Any) -> np.ndarray:
    """Where every conditional factor is void exactly where it is not in use, shape (n,)."""
    good = np.ones(len(table), dtype=bool)
    for name, needed in used(space, table).items():
        good &= needed != fac.is_void(space.factor(name), table[name])
    return good


def filled(space: Space, table: Any) -> pd.DataFrame:
    """A table of what was run with the gaps of unused factors void; other gaps stay."""
    if not space.conditions or not len(table):
        return table
    table = table.copy()
    for name, rule in space.conditions.items():
        factor = space.factor(name)
        if name not in table:
            table[name] = None
        given = [n for n in rule.names if n in table]
        known = table.index[table[name].isna() & table[given].notna().all(axis=1)]
        if len(known) and all(n in table or n in space.fixed for n in rule.names):
            values = {**space.fixed, **{n: table.loc[known, n].to_numpy() for n in given}}
            idle = ~np.broadcast_to(rule.satisfied(values), len(known))
            table.loc[known[idle], name] = fac.void(factor)
        if table[name].isna().all():
            table = table.drop(columns=name)
    return table


def objections(space: Space, table: Any) -> list[str]:
    """One sentence for each row whose unused factor is set, or whose used one is not."""
    said = []
    for name, needed in used(space, table).items():
        idle = fac.is_void(space.factor(name), table[name])
        rule, void = space.conditions[name], fac.void(space.factor(name))
        for label, value in table[name][~needed & ~idle].items():
            said.append(f"row {label}: {name} = {value}, but without {rule.text} it is {void}")
        for label in table.index[needed & idle]:
            said.append(f"row {label}: {name} = {void}, but with {rule.text} it is in use")
    return said
