"""A space: factors and the rules that hold between them.

Every setting that leaves a space (a start design, a suggestion, a reported optimum) is legal for
every factor and breaks no rule. Regions that are allowed but known to be bad are `soft`: whoever
goes there is told.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from . import closest, conditional, rules, search, space_checks, space_words
from . import factors as fac
from . import features as feats
from .errors import RuleError, SpaceError, listing
from .factors import Factor
from .mixture import Mixture, flat
from .rules import Rule


class Space:
    """Settings that a campaign may choose from.

    Parameters
    ----------
    factors : sequence of Real, Integer, Choice, Ordinal, Mixture
        The parts of a mixture are factors too, each with a column of its own.
    constraints : sequence of str
        Rules that every setting keeps, such as ``"rpm * milling_min <= 60000"``.
    forbidden : sequence of str
        Rules that no setting may meet, such as ``"rpm >= 800 and milling_min > 20"``.
    fixed : mapping, optional
        Constants that rules may use, such as ``{"filling": 0.5}``; a campaign adds its own.
    derived : mapping of name to formula, optional
        Quantities computed from factors, constants and each other, for use in rules.
    soft : mapping of rule to text, optional
        Regions that are allowed, with what is known of them; `remarks` tells.
    per_run : int, optional
        How many settings one run can take that share the hard-to-change factors; without it, all
        suggestions of one batch, which then says so.
    features : sequence of str
        Derived quantities, or formulas, that a model-free fit sees beside the factors, such as
        ``"rpm * milling_min"``: `encode` appends them, scaled.
    probable : mapping of rule to probability, optional
        Rules on quantities that are only known with uncertainty, which must hold at least so
        probably: ``{"specific_energy_J_g <= 5000": 0.9}``. `meets` tells where they do, given
        draws of these quantities; on known quantities they are plain constraints.

    Raises
    ------
    SpaceError
        If nothing is feasible: the message names the rules that clash, and the setting that
        breaks as little of them as possible.
    RuleError
        If a rule cannot be read.
    """

    def __init__(
        self,
        factors: Sequence[Factor | Mixture],
        constraints: Sequence[str] = (),
        forbidden: Sequence[str] = (),
        fixed: Mapping[str, Any] | None = None,
        derived: Mapping[str, str] | None = None,
        soft: Mapping[str, str] | None = None,
        per_run: int | None = None,
        features: Sequence[str] = (),
        probable: Mapping[str, float] | None = None,
    ) -> None:
        self.blocks: tuple[Factor | Mixture, ...] = space_checks.blocks(factors)
        self.factors: tuple[Factor, ...] = flat(self.blocks)
        self.constraints = space_checks.texts("constraints", constraints)
        self.forbidden = space_checks.texts("forbidden", forbidden)
        self.fixed = space_checks.mapping("fixed", fixed, "{'filling': 0.5}")
        self.derived = space_checks.mapping("derived", derived, "{'turns': 'rpm * milling_min'}")
        self.soft = space_checks.soft(soft)
        self.per_run = per_run
        self.features = space_checks.texts("features", features)
        self.probable = space_checks.probable(probable)
        space_checks.check_names(self)
        space_checks.check_run(self)
        kinds = space_checks.kinds(self, certain=True)
        self.awaits: tuple[str, ...] = tuple(
            n
            for n in kinds
            if n not in self.names and n not in self.fixed and n not in self.derived
        )
        formulas = {n: rules.parse_formula(t, kinds) for n, t in self.derived.items()}
        self.formulas = space_checks.in_turn(formulas)
        self.rules: list[Rule] = [rules.parse(t, kinds) for t in self.constraints]
        self.rules += [rules.parse(t, kinds, negated=True) for t in self.forbidden]
        self.remarked: list[Rule] = [rules.parse(t, kinds) for t in self.soft]
        told = space_checks.kinds(self, certain=False)
        unsure = [(rules.parse(t, told), p) for t, p in self.probable.items()]
        known = {*self.names, *self.fixed, *self.derived}
        self.uncertain: list[tuple[Rule, float]] = [
            (rule, p) for rule, p in unsure if not known.issuperset(rule.names)
        ]
        self.rules += [rule for rule, p in unsure if known.issuperset(rule.names)]
        self.featured = {t: rules.parse_formula(t, kinds) for t in self.features}
        plain = {n: k for n, k in kinds.items() if n not in self.derived}
        self.conditions: dict[str, Rule] = conditional.conditions(self.factors, plain)
        if self.rules and not self.awaits:
            search.sample(self, 1, np.random.default_rng(0))

    @property
    def names(self) -> list[str]:
        """Factor names in order."""
        return [f.name for f in self.factors]

    @property
    def mixtures(self) -> list[Mixture]:
        """Groups of factors that add up to a total."""
        return [b for b in self.blocks if isinstance(b, Mixture)]

    @property
    def asks(self) -> list[str]:
        """Uncertain quantities of which `meets` needs draws."""
        known = {*self.names, *self.fixed, *self.derived}
        return list(dict.fromkeys(n for r, _ in self.uncertain for n in r.names if n not in known))

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
        return sum(_width(b) for b in self.blocks) + len(self.features)

    @property
    def size(self) -> float:
        """Number of combinations before rules; infinite with a continuous factor."""
        return math.prod(_count(b) for b in self.blocks)

    def given(self, fixed: Mapping[str, Any]) -> Space:
        """The same space with more constants for its rules."""
        clash = [n for n in fixed if n in self.fixed and self.fixed[n] != fixed[n]]
        if clash:
            raise SpaceError(
                f"{clash[0]} is {self.fixed[clash[0]]!r} in the space and {fixed[clash[0]]!r} in "
                "fixed; keep one"
            )
        return Space(
            self.blocks,
            self.constraints,
            self.forbidden,
            {**self.fixed, **{k: v for k, v in fixed.items() if k not in self.derived}},
            self.derived,
            self.soft,
            self.per_run,
            self.features,
            self.probable,
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

    def encode(self, settings: object, features: bool = True) -> np.ndarray:
        """Settings on [0, 1], shape (n, `width`).

        Numbers are placed between their bounds, on the log scale where declared; a text choice
        takes one 0/1 column a value, an ordinal its rank; the parts of a mixture one column each,
        two parts one in all. A factor that is not in use is in the middle. Settings outside the
        space are not clipped. Features come last, unless they are not wanted.
        """
        table: Any = self.frame(settings)
        columns = [
            b.encode(table) if isinstance(b, Mixture) else fac.encode(b, table[b.name])
            for b in self.blocks
        ]
        if features and self.features:
            columns.append(feats.encode(self, table))
        return np.concatenate(columns, axis=1)

    @functools.cached_property
    def feature_scales(self) -> list[feats.Scale]:
        """How each feature is placed on [0, 1]; the same in every process."""
        return feats.scales(self)

    def from_unit(self, u: np.ndarray) -> pd.DataFrame:
        """Legal (not always feasible) settings from the unit cube, one column a factor."""
        u = np.asarray(u, dtype=float)
        drawn: dict[str, np.ndarray] = {}
        at = 0
        for b in self.blocks:
            if isinstance(b, Mixture):
                drawn |= b.from_unit(u[:, at : at + len(b.parts)])
            else:
                drawn[b.name] = fac.draw(b, u[:, at])
            at = len(drawn)
        return conditional.settle(self, pd.DataFrame(drawn))

    def snap(self, settings: object) -> pd.DataFrame:
        """Nearest legal value of every factor, void where not in use; other columns are dropped.

        The parts of a mixture are moved together so that they add up. What is legal stays as it
        is. Rules may still be broken: `nearest` keeps them.
        """
        table: Any = self.frame(settings)
        near: dict[str, np.ndarray] = {}
        for b in self.blocks:
            if isinstance(b, Mixture):
                near |= b.snap(table)
            else:
                near[b.name] = fac.snap(b, table[b.name])
        return conditional.settle(self, pd.DataFrame(near, index=table.index))

    def feasible(self, settings: object) -> np.ndarray:
        """Where a setting is legal for every factor and breaks no rule, shape (n,)."""
        table: Any = self.frame(settings)
        good = np.ones(len(table), dtype=bool)
        for f in self.factors:
            good &= fac.contains(f, table[f.name])
        for m in self.mixtures:
            good &= m.contains(table)
        return good & self._kept(table)

    def allowed(self, settings: object) -> np.ndarray:
        """Where a setting that was run is within all bounds and breaks no rule, shape (n,).

        Milder than `feasible`: a value between two steps or two choices is no offence, nor are
        parts of a mixture that add up to within 0.2 %, as weighed ones do.
        """
        table: Any = self.frame(settings)
        good = np.ones(len(table), dtype=bool)
        for f in self.factors:
            good &= fac.within(f, table[f.name])
        for m in self.mixtures:
            good &= m.within(table)
        return good & self._kept(table)

    def _kept(self, table: Any) -> np.ndarray:
        """Where every rule holds and exactly the factors in use are set."""
        good = np.ones(len(table), dtype=bool)
        if not len(table):
            return good
        values = self.values(table) if self.rules else {}
        for rule in self.rules:
            good &= rule.satisfied(values)
        return good & conditional.consistent(self, table)

    def violation(self, settings: object) -> np.ndarray:
        """How far each rule is from holding, shape (n, rules); zero where it holds."""
        table: Any = self.frame(settings)
        if not self.rules:
            return np.zeros((len(table), 0))
        values = self.values(table)
        return np.stack([rule.violation(values) for rule in self.rules], axis=1)

    def objections(self, settings: object) -> list[str]:
        """Why settings are outside: one sentence a row that is, naming factor or rule."""
        return space_words.objections(self, self.frame(settings))

    def remarks(self, settings: object) -> list[list[str]]:
        """What is known of the soft regions that each setting lies in, a list a row."""
        return space_words.remarks(self, self.frame(settings))

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

    def nearest(self, settings: object) -> pd.DataFrame:
        """The nearest feasible setting to each given one, found by search.

        Distance is that of encoded settings: each factor in units of its range, on its own scale.
        A feasible setting is its own nearest. ``attrs["moved"]`` says what was changed, a
        sentence a row.
        """
        self._need_constants()
        return closest.nearest(self, self.frame(settings))

    def chances(self, settings: object, quantities: Mapping[str, Any]) -> np.ndarray:
        """Probability that each uncertain rule of `probable` holds, shape (n, rules).

        Parameters
        ----------
        settings : table, n rows
        quantities : mapping of name to array
            Draws of every quantity in `asks`, shape (draws, n), joint over rows and names.

        Raises
        ------
        RuleError
            If a quantity is not given.
        """
        table: Any = self.frame(settings)
        if not self.uncertain or not len(table):
            return np.ones((len(table), len(self.uncertain)))
        values = {**self.values(table), **quantities}
        held = [np.atleast_2d(rule.satisfied(values)).mean(axis=0) for rule, _ in self.uncertain]
        return np.stack([np.broadcast_to(h, len(table)) for h in held], axis=1)

    def meets(self, settings: object, quantities: Mapping[str, Any]) -> np.ndarray:
        """Where every uncertain rule holds at least as probably as declared, shape (n,).

        Parameters as in `chances`. This is the hook for whoever has a model: a campaign keeps to
        settings that are `feasible` and for which this is true, with posterior draws of what
        `asks` names. Without anything in `asks` it is true everywhere.
        """
        wanted = np.array([p for _, p in self.uncertain])
        return (self.chances(settings, quantities) >= wanted).all(axis=1)

    def grid(self, limit: int = 100_000) -> pd.DataFrame | None:
        """Every feasible setting of a finite space, None where there are more than `limit`."""
        if self.size > limit:
            return None
        tables = [
            b.every() if isinstance(b, Mixture) else pd.DataFrame({b.name: b.levels})
            for b in self.blocks
        ]
        sizes = [len(t) for t in tables]
        places = np.unravel_index(np.arange(math.prod(sizes)), sizes)
        table: Any = pd.DataFrame(
            {n: t[n].to_numpy()[at] for t, at in zip(tables, places, strict=True) for n in t}
        )
        table = conditional.settle(self, table).drop_duplicates()
        return table[self.feasible(table)].reset_index(drop=True)

    def describe(self) -> pd.DataFrame:
        """Table of factors: name, kind, unit, values, scale, step, hard, only_if."""
        return space_words.describe(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain values that a campaign file stores; rules as their text."""
        body = {
            "factors": [
                b.to_dict() if isinstance(b, Mixture) else fac.to_dict(b) for b in self.blocks
            ],
            "constraints": list(self.constraints),
            "forbidden": list(self.forbidden),
            "fixed": self.fixed,
            "derived": self.derived,
        }
        # said only where given: a file of before these existed stays the same declaration
        body |= {k: v for k in ("soft", "per_run", "probable") if (v := getattr(self, k))}
        return body | ({"features": list(self.features)} if self.features else {})

    @staticmethod
    def from_dict(body: Mapping[str, Any]) -> Space:
        """Inverse of `to_dict`."""
        if "listed" in body:
            from .listed import Listed

            plain = Space.from_dict({k: v for k, v in body.items() if k != "listed"})
            return Listed.among(plain, pd.DataFrame(body["listed"]))
        return Space(
            [
                Mixture.from_dict(f) if f["kind"] == "Mixture" else fac.from_dict(f)
                for f in body["factors"]
            ],
            body["constraints"],
            body["forbidden"],
            body["fixed"],
            body["derived"],
            body.get("soft"),
            body.get("per_run"),
            body.get("features", ()),
            body.get("probable"),
        )

    def __repr__(self) -> str:
        return space_words.represent(self)

    def values(self, table: pd.DataFrame) -> dict[str, Any]:
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


def _width(block: Factor | Mixture) -> int:
    return block.width if isinstance(block, Mixture) else fac.width(block)


def _count(block: Factor | Mixture) -> float:
    if isinstance(block, Mixture):
        return block.count
    return math.inf if block.levels is None else len(block.levels)
