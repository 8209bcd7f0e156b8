"""What is checked of a space when it is declared, and which names its rules may use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import columns, entries
from ..data.carbon import is_bare, no_basis
from . import factor_checks, rules
from .errors import SpaceError
from .factors import Factor, Ordinal
from .mixture import Mixture
from .rules import Formula, Listed, Ordered

if TYPE_CHECKING:
    from .space import Space


def texts(argument: str, texts: object) -> tuple[str, ...]:
    if isinstance(texts, str):
        raise SpaceError(f"{argument} is a list of rules; write {argument}=[{texts!r}]")
    return tuple(texts)  # pyright: ignore[reportArgumentType]


def mapping(argument: str, given: object, example: str) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise SpaceError(f"{argument}={given!r} maps no names; write {argument}={example}")
    return dict(given)


def in_turn(formulas: Mapping[str, Formula]) -> dict[str, Formula]:
    """Derived quantities, each after those that it uses, in whatever order they are declared."""
    uses = {n: [m for m in f.names if m in formulas] for n, f in formulas.items()}
    try:
        return {n: formulas[n] for n in TopologicalSorter(uses).static_order()}
    except CycleError as problem:
        circle = problem.args[1][::-1]
        raise SpaceError(
            f"derived: {' needs '.join(circle)}; compute one of them from factors or constants"
        ) from None


def blocks(factors: Sequence[Any]) -> tuple[Factor | Mixture, ...]:
    """The factors and mixtures as declared."""
    if isinstance(factors, (Factor, Mixture)):
        raise SpaceError(f"factors is a list; write Space([{type(factors).__name__}(...)])")
    made = tuple(factors)
    if not made:
        raise SpaceError("a space needs one factor at least, such as Real('rpm', 200, 1000)")
    for factor in made:
        if not isinstance(factor, (Factor, Mixture)):
            raise SpaceError(
                f"{factor!r} is no factor; use Real, Integer, Choice, Ordinal or Mixture"
            )
    return made


def soft(given: Mapping[str, str] | None) -> dict[str, str]:
    """Regions that are allowed, with what is known of them."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise SpaceError(
            "soft maps a rule to what is known there; write soft={'rpm > 900': 'the jar gets hot'}"
        )
    return dict(given)


def probable(given: Mapping[str, float] | None) -> dict[str, float]:
    """Rules with the probability at which they must hold."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise SpaceError("probable maps a rule to a probability; write probable={'a <= 1': 0.9}")
    for text, p in given.items():
        if isinstance(p, bool) or not isinstance(p, (int, float, np.number)) or not 0 < p < 1:
            raise SpaceError(
                f"probable[{text!r}] = {p!r} must be a probability between 0 and 1; a rule that "
                "always holds belongs in constraints"
            )
    return {text: float(p) for text, p in given.items()}


def check_names(space: Space) -> None:
    mixed = {n for m in space.mixtures for n in m.parts}
    for name in space.names:
        if name not in columns.COLUMNS and name not in mixed and is_bare(name):
            raise SpaceError(f"{no_basis(name)}. A part of a Mixture needs none")
    for name, value in space.fixed.items():
        _check_constant(name, value)
    for group in (space.fixed, space.derived):
        for name in group:
            factor_checks.check_letters(name)
            if name in space.names:
                raise SpaceError(f"{name} is a factor and also given a value; keep one")
    twice = [n for n in space.names if space.names.count(n) > 1]
    if twice:
        raise SpaceError(f"{twice[0]} is declared twice; keep one")


def _check_constant(name: str, value: Any) -> None:
    """A constant is one number or text, plausible for its column, and says what it is of."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str, np.generic)):
        raise SpaceError(f"fixed[{name!r}] = {value!r} must be one number or one text")
    if isinstance(value, (float, np.floating)) and not np.isfinite(value):
        raise SpaceError(f"fixed[{name!r}] = {value} must be a finite number; leave it out instead")
    known = columns.COLUMNS.get(name)
    if known is None:
        if is_bare(name):
            raise SpaceError(no_basis(name))
        factor_checks.check_spelling(name)
    elif known.kind != "text":
        if isinstance(value, str) and not entries.number(value, known)[1]:
            raise SpaceError(f"fixed[{name!r}] = {value!r} is a text; write it without quotes")
        wrong = entries.number(value, known)[1]
        if wrong:
            raise SpaceError(f"fixed[{name!r}] = {value!r}; expected {wrong}")


def check_run(space: Space) -> None:
    size = space.per_run
    if size is None:
        return
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
        raise SpaceError(f"per_run={size!r} must be a whole number from 1")
    space.per_run = int(size)  # a campaign file holds no NumPy numbers
    if not space.hard:
        raise SpaceError(
            f"per_run={size} needs a factor that the settings of a run share; "
            "write hard=True at what is hard to change"
        )


def kinds(space: Space, certain: bool) -> dict[str, str]:
    """Kind of every name that a rule may use; registry columns may be given a value later.

    Unless `certain`, those of uncertain rules come too: a model gives their values.
    """
    kinds: dict[str, str] = {
        f.name: _kind(f) for f in space.factors
    }
    kinds |= {n: "text" if isinstance(v, str) else "number" for n, v in space.fixed.items()}
    kinds |= dict.fromkeys(space.derived, "number")
    texts = [*space.constraints, *space.forbidden, *space.derived.values(), *space.soft]
    texts += [f.only_if for f in space.factors if f.only_if is not None]
    texts += [*space.features, *([] if certain else space.probable)]
    for text in texts:
        for name in rules.names_in(text):
            known = columns.COLUMNS.get(name)
            if name not in kinds and known is not None:
                kinds[name] = "text" if known.kind == "text" else "number"
    return kinds


def _kind(factor: Factor) -> str:
    """"number", or "text" with the values that rules may name."""
    if isinstance(factor, Ordinal):
        return Ordered(factor.values)
    if factor.kind != "text":
        return "number"
    assert factor.levels is not None
    return Listed([*factor.levels, *([] if factor.only_if is None else ["none"])])
