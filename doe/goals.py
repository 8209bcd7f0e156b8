"""What a campaign is after, in words: one outcome or several, limits on others, or knowledge.

    maximize="capacity_mAh_g"                        one outcome, as large as can be
    maximize="capacity_mAh_g", minimize="porosity"   two at once: the front between them
    target={"viscosity_Pa_s": 0.45}                  as close to a value as can be
    goals=[Goal("retention", "larger", 0.8, 0.95, weight=2), ...]   desirability, weights given
    require={"retention >= 0.9": 0.8}                a limit on an outcome, held with P >= 0.8
    robust=1.0                                       the mean less 1.0 sd of the next cell
    cost="30 + milling_min"                          gain per cost instead of gain
    prices=Prices(change_over=4, run=1, cell=0.5)    gain per price of a whole run
    learn=["capacity.transport_loss"]                knowledge of named physical parameters
    learn="models"                                   whether the physics or data alone is right
    decide="method"                                  which level of a factor is best

A requirement speaks of the true mean of a setting, as an objective does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import data
from . import rules
from .errors import CampaignError, RuleError, is_number, listing
from .prices import Prices
from .rules import Rule

if TYPE_CHECKING:
    import pandas as pd

    from .space import Space

KINDS = ("largest", "smallest", "target")
MODELS = "models"
LITTLE = 1e-3
"""Nats that confirming the best two levels is worth, and a reading of what is least known where the
models are to be told apart: it decides only where nothing else tells."""
MEETS = 0.8
"""Probability with which a requirement must hold where none is given."""


@dataclass(frozen=True)
class Aim:
    """One outcome and what is wanted of it: ``largest``, ``smallest``, or near a ``target``."""

    outcome: str
    kind: str
    target: float | None = None

    @property
    def sign(self) -> float:
        return -1.0 if self.kind == "smallest" else 1.0

    def __str__(self) -> str:
        if self.kind == "target":
            return f"{self.outcome} near {self.target:g}"
        return f"{'maximize' if self.kind == 'largest' else 'minimize'} {self.outcome}"


@dataclass(frozen=True)
class Goals:
    """All that a campaign is after.

    Attributes
    ----------
    aims : tuple of Aim
        One, or several that are traded against each other.
    desirable : tuple of dict
        Fields of a desirability `Goal` for each aim; empty for a Pareto front.
    require : dict of rule to probability
    robust : float
        Standard deviations of the next cell that are taken off the mean.
    cost : str or None
        Formula over factors and constants.
    prices : Prices or None
        Of change-overs, runs and cells.
    learn : tuple of str
        Parameters of the model, or ("models",).
    decide : str or None
        A factor whose levels are to be ranked.
    """

    aims: tuple[Aim, ...]
    desirable: tuple[dict[str, Any], ...] = ()
    require: tuple[tuple[str, float], ...] = ()
    robust: float = 0.0
    cost: str | None = None
    learn: tuple[str, ...] = ()
    decide: str | None = None
    prices: Prices | None = None

    @property
    def plain(self) -> bool:
        """Whether it is one outcome, largest or smallest, and nothing else."""
        return self == Goals(self.aims[:1]) and self.aims[0].kind != "target"

    @property
    def single(self) -> bool:
        """Whether one outcome's draws are the worth of a setting, in its own unit."""
        return len(self.aims) == 1 and not self.desirable

    @property
    def measure(self) -> str:
        """What settings are worth where several outcomes count, in words."""
        if self.desirable:
            return "the overall desirability, 0 to 1"
        return "the hypervolume above the reference point, in units of the extent of the front"

    def check_margin(self, margin: float, argument: str) -> None:
        """Refuse a margin that cannot be one of `measure`.

        Raises
        ------
        CampaignError
            If it is 1 or more.
        """
        if margin >= 1:
            raise CampaignError(
                f"{argument}={margin:g}: with several outcomes it is a difference in "
                f"{self.measure}, of which 1 is about all there is; give a share, such as 0.02"
            )

    @property
    def limits(self) -> dict[str, Rule]:
        """Requirements as rules on outcomes."""
        return {text: requirement(text) for text, _ in self.require}

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Every outcome that something must be believed of, the first aim's first."""
        named = [aim.outcome for aim in self.aims]
        named += [name for rule in self.limits.values() for name in rule.names]
        return tuple(dict.fromkeys(named))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a campaign's file; only what is not as usual."""
        body: dict[str, Any] = {"aims": [[a.outcome, a.kind, a.target] for a in self.aims]}
        body |= {"desirable": [dict(d) for d in self.desirable], "require": dict(self.require)}
        body |= {"robust": self.robust, "cost": self.cost, "learn": list(self.learn)}
        body |= {"decide": self.decide, "prices": self.prices and self.prices.to_dict()}
        return {k: v for k, v in body.items() if v}

    @staticmethod
    def from_dict(body: Mapping[str, Any]) -> Goals:
        """Inverse of `to_dict`."""
        return Goals(
            aims=tuple(Aim(*entry) for entry in body["aims"]),
            desirable=tuple(body.get("desirable", ())),
            require=tuple(body.get("require", {}).items()),
            robust=body.get("robust", 0.0),
            cost=body.get("cost"),
            learn=tuple(body.get("learn", ())),
            decide=body.get("decide"),
            prices=Prices(**body["prices"]) if "prices" in body else None,
        )

    def keywords(self) -> dict[str, Any]:
        """Arguments of `Campaign` that declare these goals; only what is not as usual."""
        from ..models.desirability import Goal

        said: dict[str, Any] = {"goals": [Goal(**told) for told in self.desirable]}
        if not self.desirable:
            for word, kind in (("maximize", "largest"), ("minimize", "smallest")):
                said[word] = [aim.outcome for aim in self.aims if aim.kind == kind]
            said["target"] = {a.outcome: a.target for a in self.aims if a.target is not None}
        said |= {"require": dict(self.require), "robust": self.robust, "cost": self.cost}
        said |= {"learn": list(self.learn), "decide": self.decide, "prices": self.prices}
        return {word: given for word, given in said.items() if given}

    def __str__(self) -> str:
        what = " and ".join(map(str, self.aims))
        if self.learn:
            what = f"learn {listing(self.learn)} from {self.aims[0].outcome}"
        elif self.decide:
            what = f"decide which {self.decide} is best ({what})"
        if self.robust:
            what += f", less {self.robust:g} sd of the next cell"
        return what + "".join(f"; {text} with P >= {p:g}" for text, p in self.require)


def goals(
    *,
    maximize: str | Sequence[str] | None = None,
    minimize: str | Sequence[str] | None = None,
    target: Mapping[str, float] | None = None,
    wanted: Sequence[Any] | None = None,
    require: Sequence[str] | Mapping[str, float] | None = None,
    robust: float = 0.0,
    cost: str | None = None,
    learn: str | Sequence[str] | None = None,
    decide: str | None = None,
    prices: Prices | None = None,
) -> Goals:
    """Read goals as a user writes them; ``wanted`` are desirability goals.

    Raises
    ------
    CampaignError
        Naming what is missing, twice there, or out of range.
    """
    aims = [Aim(name, "largest") for name in _names("maximize", maximize)]
    aims += [Aim(name, "smallest") for name in _names("minimize", minimize)]
    if target is not None and not isinstance(target, Mapping):
        raise CampaignError(
            f"target={target!r}: say of which outcome it is the value; write "
            "target={outcome: value}"
        )
    for name, value in dict(target or {}).items():
        if not (is_number(value) and math.isfinite(value)):
            raise CampaignError(f"target[{name!r}] = {value!r} must be one number")
        aims.append(Aim(str(name), "target", float(value)))
    if wanted is not None and not isinstance(wanted, (list, tuple)):
        raise CampaignError(f"goals={wanted!r} is no list; write goals=[...]")
    desirable = [_desirable(goal) for goal in wanted or ()]
    if aims and desirable:
        raise CampaignError(
            "give either maximize=, minimize= and target=, or goals=[...] with limits and weights"
        )
    kinds = {"larger": "largest", "smaller": "smallest", "target": "target"}
    aims += [Aim(d["name"], kinds[d["kind"]], d["target"]) for d in desirable]
    if not aims:
        raise CampaignError(
            "give either maximize= or minimize=, the name of one outcome column (or several), "
            "target={outcome: value}, or goals=[...]"
        )
    twice = [a.outcome for a in aims if [b.outcome for b in aims].count(a.outcome) > 1]
    if twice:
        raise CampaignError(f"{twice[0]} is aimed at twice; give it once")
    if not (is_number(robust) and 0 <= robust <= 10):
        raise CampaignError(f"robust={robust!r} must be a number from 0 to 10: how many sd of the "
                            "next cell are taken off the mean")
    if learn is not None and decide is not None:
        raise CampaignError("give either learn= or decide=; each is a goal of its own")
    if (learn or decide) and len(aims) > 1:
        raise CampaignError("learn= and decide= look at one outcome; give one in maximize=")
    if prices is not None and not isinstance(prices, Prices):
        raise CampaignError(f"prices={prices!r} must be doe.Prices(change_over=..., cell=...)")
    if prices is not None and not (prices.run or prices.holding(1, 1) or cost):
        raise CampaignError(
            "prices: another run at the same hard-to-change factors would cost nothing; give "
            "run=, cell= or reading= above 0, or cost= a formula"
        )
    return Goals(
        tuple(aims), tuple(desirable), _required(require), float(robust), cost,
        tuple(_names("learn", learn)), decide, prices,
    )  # fmt: skip


def requirement(text: str) -> Rule:
    """A requirement on outcomes as a rule.

    Raises
    ------
    CampaignError
        If it is no comparison of outcome columns.
    """
    try:
        rule = rules.parse(text, dict.fromkeys(rules.names_in(text), "number"))
    except RuleError as problem:
        raise CampaignError(f"require: {problem}") from None
    for name in rule.names:
        known = data.COLUMNS.get(name)
        if known is not None and not known.reading:
            raise CampaignError(
                f"require {text!r}: {name} is set and not measured; put the rule into the space's "
                "constraints"
            )
    return rule


def price(space: Space, text: str, settings: pd.DataFrame) -> np.ndarray:
    """Cost of each setting by a formula over factors, constants and derived quantities, ``(m,)``.

    Raises
    ------
    CampaignError
        If the formula cannot be read, or a cost is not above 0.
    """
    kinds = {f.name: f.kind for f in space.factors}
    kinds |= {n: "text" if isinstance(v, str) else "number" for n, v in space.fixed.items()}
    kinds |= dict.fromkeys(space.formulas, "number")
    try:
        formula = rules.parse_formula(text, kinds)
    except RuleError as problem:
        raise CampaignError(f"cost: {problem}") from None
    values: dict[str, Any] = {**space.fixed}
    values |= {str(n): settings[n].to_numpy() for n in settings.columns}
    values |= {n: f(values) for n, f in space.formulas.items() if n in formula.names}
    found = np.broadcast_to(formula({n: values[n] for n in formula.names}), len(settings))
    if len(found) and not (np.isfinite(found) & (found > 0.0)).all():
        at = int(np.flatnonzero(~(np.isfinite(found) & (found > 0.0)))[0])
        raise CampaignError(
            f"cost={text!r} is {found[at]:g} at {settings.iloc[at].to_dict()}; a cost is above 0 "
            "everywhere: add what every experiment costs"
        )
    return np.asarray(found, dtype=float)


def _required(given: Sequence[str] | Mapping[str, float] | None) -> tuple[tuple[str, float], ...]:
    if given is None:
        return ()
    if isinstance(given, str):
        raise CampaignError(f"require is a list of rules; write require=[{given!r}]")
    if not isinstance(given, (Mapping, Sequence)):
        raise CampaignError(
            f"require={given!r} is no list of rules, and no mapping of rules to probabilities; "
            'write require=["retention >= 0.9"]'
        )
    pairs = dict(given) if isinstance(given, Mapping) else dict.fromkeys(given, MEETS)
    for text, p in pairs.items():
        requirement(text)
        if not (is_number(p) and 0.0 < p < 1.0):
            raise CampaignError(f"require[{text!r}] = {p!r} must be a probability between 0 and 1")
    return tuple((str(text), float(p)) for text, p in pairs.items())


def _names(argument: str, given: str | Sequence[str] | None) -> list[str]:
    if given is None:
        return []
    several = isinstance(given, Iterable) and not isinstance(given, str)
    named: list[Any] = list(given) if several else [given]
    for name in named:
        if not isinstance(name, str) or not name:
            raise CampaignError(f"{argument}={given!r} must be a column name, or a list of them")
    return named


def _desirable(goal: Any) -> dict[str, Any]:
    fields = ("name", "kind", "low", "high", "weight", "target", "power")
    if not all(hasattr(goal, f) for f in fields):
        raise CampaignError(
            f"goals=[{goal!r}]: give doe.Goal(outcome, kind, low, high, weight), kind one of "
            "larger, smaller, target"
        )
    return {f: getattr(goal, f) for f in fields}
