"""A space: factors and the rules that hold between them.

Every setting that leaves a space (a start design, a suggestion, a reported optimum) is legal for
every factor and breaks no rule. Regions that are allowed but known to be bad are `soft`: whoever
goes there is told.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from . import conditional, rules, scales, search, space_checks
from . import factors as fac
from .errors import RuleError, SpaceError, listing
from .factors import Factor
from .rules import Rule


class Space:
    """Settings that a campaign may choose from.

    Parameters
    ----------
    factors : sequence of Real, Integer, Choice
    constraints : sequence of str
        Rules that every setting keeps, such as ``"rpm * milling_min <= 60000"``.
    forbidden : sequence of str
        Rules that no setting may meet, such as ``"rpm >= 800 and milling_min > 20"``.
    fixed : mapping, optional
        Constants that rules may use, such as ``{"filling": 0.5}``; a campaign adds its own.
    derived : mapping of name to formula, optional
        Quantities computed from factors and constants, for use in rules.
    soft : mapping of rule to text, optional
        Regions that are allowed, with what is known of them; `remarks` tells.
    per_run : int, optional
        How many settings one run can take that share the hard-to-change factors; without it, all
        suggestions of one batch.

    Raises
    ------
    SpaceError
        If nothing is feasible: the message names the rules that clash.
    RuleError
        If a rule cannot be read.
    """

    def __init__(
        self,
        factors: Sequence[Factor],
        constraints: Sequence[str] = (),
        forbidden: Sequence[str] = (),
        fixed: Mapping[str, Any] | None = None,
        derived: Mapping[str, str] | None = None,
        soft: Mapping[str, str] | None = None,
        per_run: int | None = None,
    ) -> None:
        self.factors: tuple[Factor, ...] = tuple(factors)
        self.constraints = space_checks.texts("constraints", constraints)
        self.forbidden = space_checks.texts("forbidden", forbidden)
        self.fixed = dict(fixed or {})
        self.derived = dict(derived or {})
        self.soft = dict(soft or {})
        self.per_run = per_run
        space_checks.check_names(self)
        space_checks.check_run(self)
        kinds = space_checks.kinds(self)
        self.awaits: tuple[str, ...] = tuple(
            n
            for n in kinds
            if n not in self.names and n not in self.fixed and n not in self.derived
        )
        self.formulas = {n: rules.parse_formula(t, kinds) for n, t in self.derived.items()}
        self.rules: list[Rule] = [rules.parse(t, kinds) for t in self.constraints]
        self.rules += [rules.parse(t, kinds, negated=True) for t in self.forbidden]
        self.remarked: list[Rule] = [rules.parse(t, kinds) for t in self.soft]
        plain = {n: k for n, k in kinds.items() if n not in self.derived}
        self.conditions: dict[str, Rule] = conditional.conditions(self.factors, plain)
        if self.rules and not self.awaits:
            search.sample(self, 1, np.random.default_rng(0))

    @property
    def names(self) -> list[str]:
        """Factor names in order."""
        return [f.name for f in self.factors]

    @property
    def hard(self) -> list[str]:
        """Names of the factors that are hard to change."""
        return [f.name for f in self.factors if f.hard]

    def factor(self, name: str) -> Factor:
        """A factor by its name."""
        return self.factors[self.names.index(name)]

    @property
    def units(self) -> dict[str, str]:
        return {f.name: fac.unit(f) for f in self.factors}

    @property
    def width(self) -> int:
        """Columns of an encoded setting."""
        return sum(fac.width(f) for f in self.factors)

    @property
    def size(self) -> float:
        """Number of combinations before rules; infinite with a continuous factor."""
        return math.prod(math.inf if f.levels is None else len(f.levels) for f in self.factors)

    def given(self, fixed: Mapping[str, Any]) -> Space:
        """The same space with more constants for its rules."""
        clash = [n for n in fixed if n in self.fixed and self.fixed[n] != fixed[n]]
        if clash:
            raise SpaceError(
                f"{clash[0]} is {self.fixed[clash[0]]!r} in the space and {fixed[clash[0]]!r} in "
                "fixed; keep one"
            )
        return Space(
            self.factors,
            self.constraints,
            self.forbidden,
            {**self.fixed, **{k: v for k, v in fixed.items() if k not in self.derived}},
            self.derived,
            self.soft,
            self.per_run,
        )

    def frame(self, settings: object) -> pd.DataFrame:
        """One setting (a mapping), several, or a table, as a table with every factor.

        Raises
        ------
        SpaceError
            If a factor is missing or misspelt.
        """
        if isinstance(settings, pd.DataFrame):
            table = settings
        elif isinstance(settings, (Mapping, pd.Series)):
            several = any(np.ndim(v) for v in dict(settings).values())
            table = pd.DataFrame(dict(settings) if several else [dict(settings)])
        else:
            table = pd.DataFrame(settings)  # pyright: ignore[reportArgumentType]
        missing = [n for n in self.names if n not in table.columns]
        if missing:
            stray = [c for c in table.columns if c not in self.names]
            raise SpaceError(
                f"settings lack {listing(missing)}; every factor is needed: {listing(self.names)}"
                + (f". They have: {listing(stray)}" if stray else "")
            )
        return table

    def encode(self, settings: object) -> np.ndarray:
        """Settings on [0, 1], shape (n, `width`).

        Numbers are placed between their bounds, on the log scale where declared; a text choice
        takes one 0/1 column a value. A factor that is not in use is in the middle. Settings
        outside the space are not clipped.
        """
        table: Any = self.frame(settings)
        return np.concatenate([fac.encode(f, table[f.name]) for f in self.factors], axis=1)

    def from_unit(self, u: np.ndarray) -> pd.DataFrame:
        """Legal (not always feasible) settings from the unit cube, one column a factor."""
        u = np.asarray(u, dtype=float)
        table = pd.DataFrame({f.name: fac.draw(f, u[:, i]) for i, f in enumerate(self.factors)})
        return conditional.settle(self, table)

    def snap(self, settings: object) -> pd.DataFrame:
        """Nearest legal value of every factor, void where not in use; other columns are dropped."""
        table: Any = self.frame(settings)
        near = {f.name: fac.snap(f, table[f.name]) for f in self.factors}
        return conditional.settle(self, pd.DataFrame(near, index=table.index))

    def feasible(self, settings: object) -> np.ndarray:
        """Where a setting is legal for every factor and breaks no rule, shape (n,)."""
        table: Any = self.frame(settings)
        good = np.ones(len(table), dtype=bool)
        for f in self.factors:
            good &= fac.contains(f, table[f.name])
        return good & self._kept(table)

    def allowed(self, settings: object) -> np.ndarray:
        """Where a setting that was run is within all bounds and breaks no rule, shape (n,).

        Milder than `feasible`: a value between two steps or two choices is no offence.
        """
        table: Any = self.frame(settings)
        good = np.ones(len(table), dtype=bool)
        for f in self.factors:
            good &= fac.within(f, table[f.name])
        return good & self._kept(table)

    def _kept(self, table: Any) -> np.ndarray:
        """Where every rule holds and exactly the factors in use are set."""
        good = np.ones(len(table), dtype=bool)
        if not len(table):
            return good
        values = self._values(table) if self.rules else {}
        for rule in self.rules:
            good &= rule.satisfied(values)
        return good & conditional.consistent(self, table)

    def violation(self, settings: object) -> np.ndarray:
        """How far each rule is from holding, shape (n, rules); zero where it holds."""
        table: Any = self.frame(settings)
        if not self.rules:
            return np.zeros((len(table), 0))
        values = self._values(table)
        return np.stack([rule.violation(values) for rule in self.rules], axis=1)

    def objections(self, settings: object) -> list[str]:
        """Why settings are outside: one sentence a row that is, naming factor or rule."""
        table: Any = self.frame(settings)
        said = []
        for f in self.factors:
            outside = ~fac.contains(f, table[f.name])
            for label, value in table[f.name][outside].items():
                said.append(f"row {label}: {f.name} = {value} is not in {_extent(f)}")
        values = self._values(table)
        for rule in self.rules:
            for label in table.index[~rule.satisfied(values)]:
                said.append(f"row {label} breaks {rule}")
        return said + conditional.objections(self, table)

    def remarks(self, settings: object) -> list[list[str]]:
        """What is known of the soft regions that each setting lies in, a list a row."""
        table: Any = self.frame(settings)
        said: list[list[str]] = [[] for _ in range(len(table))]
        values = self._values(table) if self.remarked and len(table) else {}
        for rule in self.remarked if len(table) else ():
            for row in np.flatnonzero(np.broadcast_to(rule.satisfied(values), len(table))):
                said[row].append(f"{rule.text}: {self.soft[rule.text]}")
        return said

    def sample(self, n: int, rng: np.random.Generator) -> pd.DataFrame:
        """`n` feasible settings, uniform on the factors' own scales."""
        self._need_constants()
        return search.sample(self, n, rng)

    def neighbours(
        self, settings: object, rng: np.random.Generator, n: int, scale: float = 0.1
    ) -> pd.DataFrame:
        """Feasible settings near given ones.

        Parameters
        ----------
        settings : table of feasible settings
        n : int
            Moves for each row; fewer come back where nothing feasible is near.
        scale : float
            Standard deviation of a move in encoded units.
        """
        self._need_constants()
        return search.neighbours(self, self.frame(settings).loc[:, self.names], rng, n, scale)

    def grid(self, limit: int = 100_000) -> pd.DataFrame | None:
        """Every feasible setting of a finite space, None where there are more than `limit`."""
        if self.size > limit:
            return None
        rows = list(itertools.product(*(f.levels for f in self.factors)))  # pyright: ignore
        table: Any = pd.DataFrame(rows, columns=self.names)
        table = conditional.settle(self, table).drop_duplicates()
        return table[self.feasible(table)].reset_index(drop=True)

    def describe(self) -> pd.DataFrame:
        """Table of factors: name, kind, unit, values, scale, step, hard, only_if."""
        return pd.DataFrame(
            [
                {
                    "name": f.name,
                    "kind": type(f).__name__,
                    "unit": fac.unit(f),
                    "values": _extent(f),
                    "scale": scales.name(f),
                    "step": getattr(f, "step", None),
                    "hard": f.hard,
                    "only_if": f.only_if or "",
                }
                for f in self.factors
            ]
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values that a campaign file stores; rules as their text."""
        body = {
            "factors": [fac.to_dict(f) for f in self.factors],
            "constraints": list(self.constraints),
            "forbidden": list(self.forbidden),
            "fixed": self.fixed,
            "derived": self.derived,
        }
        # said only where given: a file of before these existed stays the same declaration
        return body | {k: v for k in ("soft", "per_run") if (v := getattr(self, k))}

    @staticmethod
    def from_dict(body: Mapping[str, Any]) -> Space:
        """Inverse of `to_dict`."""
        return Space(
            [fac.from_dict(f) for f in body["factors"]],
            body["constraints"],
            body["forbidden"],
            body["fixed"],
            body["derived"],
            body.get("soft"),
            body.get("per_run"),
        )

    def __repr__(self) -> str:
        held = [*self.constraints, *(f"not ({t})" for t in self.forbidden)]
        inner = "; ".join(f"{f.name} {_extent(f)}" for f in self.factors)
        return f"Space({inner}" + (f" | {'; '.join(held)})" if held else ")")

    def _values(self, table: pd.DataFrame) -> dict[str, Any]:
        """Columns that rules see: constants, the table's own columns above them, derived ones."""
        self._need_constants(table.columns)
        values: dict[str, Any] = {**self.fixed}
        for name in table.columns:
            values[str(name)] = table[name].to_numpy()
        for name, formula in self.formulas.items():
            values[name] = formula(values)
        return values

    def _need_constants(self, present: object = ()) -> None:
        missing = [n for n in self.awaits if n not in present]  # pyright: ignore
        if missing:
            raise RuleError(
                f"a rule of this space uses {listing(missing)}, which is no factor; "
                f"give it as fixed={{{missing[0]!r}: ...}}"
            )


def _extent(factor: Factor) -> str:
    if isinstance(factor, fac.Choice):
        values = [v if isinstance(v, str) else f"{v:g}" for v in factor.values]
        return "{" + ", ".join(values) + "}"
    unit = fac.unit(factor)
    step = f" in steps of {factor.step:g}" if factor.step not in (None, 1) else ""
    return f"[{factor.low:g}, {factor.high:g}]" + step + (f" {unit}" if unit else "")
