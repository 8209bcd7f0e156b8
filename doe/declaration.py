"""What a campaign is about: its space, objective, model and constants, as plain values."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .. import data
from ..data.entries import text
from . import factors as fac
from . import goals as going
from . import plan_runs, plots, space_words, weighing
from .errors import CampaignError, listing, unknown
from .factor_checks import check_spelling
from .goals import Aim, Goals
from .space import Space

if TYPE_CHECKING:
    from ..models.engine.lab_model import LabModel

STRATEGIES = ("bayes", "random", "skopt")
OPTIONS = ("statements", "estimator")


@dataclass(frozen=True)
class Declaration:
    """A campaign's declaration; `to_dict` is what the file stores and compares."""

    space: Space
    objective: str
    maximize: bool
    fixed: dict[str, Any]
    seed: int
    strategy: str
    initial: int | None
    unit: str | None
    options: dict[str, Any]
    model_body: dict[str, Any] | None
    given_model: LabModel | None = None
    further: Goals | None = None

    @cached_property
    def model(self) -> LabModel | None:
        """The model, looked up when first needed: reading a file does not load it."""
        if self.model_body is None or self.given_model is not None:
            return self.given_model
        from .. import models

        name = self.model_body["name"]
        try:
            found = models.get(name)
        except ValueError:
            raise CampaignError(
                f"this campaign uses the model {name!r}, which is not in the catalog; "
                "give it: Campaign.open(path, model=...)"
            ) from None
        overrides = {k: _prior(v) for k, v in self.model_body["priors"].items()}
        pooled = tuple(self.model_body["pooled"])
        return replace(found, overrides=overrides, pooled=pooled)

    @property
    def goals(self) -> Goals:
        """What the campaign is after; its first aim is the objective."""
        plain = Goals((Aim(self.objective, "largest" if self.maximize else "smallest"),))
        return self.further or plain

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Every outcome column that goals or uncertain rules name, the objective first."""
        return tuple(dict.fromkeys([*self.goals.outcomes, *self.space.asks]))

    @property
    def conditions(self) -> list[str]:
        """Fixed columns at which readings must have been taken to be comparable.

        A model accounts for the columns that it knows; without one, all constants must agree.
        """
        known = [] if self.model_body is None else self.model_body["columns"]
        return [n for n in self.fixed if n not in known]

    def columns(self, needed: bool) -> pd.DataFrame:
        """What a results table may hold, for `data.validate`.

        With `needed` False nothing is demanded, as for a file whose gaps are filled later.
        """
        rows: list[dict[str, Any]] = []
        if self.model is not None:
            rows += self.model.columns.to_dict("records")  # pyright: ignore
            asked = _needed(self.model, self.objective)
            rows = [{**row, "needed": row["name"] in asked} for row in rows]
        named = {row["name"] for row in rows}
        mixed = {n for m in self.space.mixtures for n in m.parts}
        for factor in self.space.factors:
            if factor.name not in named:
                rows.append(_column(factor.name, "factor", fac.unit(factor), factor.kind))
                if factor.name in mixed:
                    rows[-1]["part"] = True
        for name, value in self.fixed.items():
            if name not in named:
                kind = "text" if isinstance(value, str) else "number"
                rows.append(_column(name, "factor", "", kind))
        for name in self.outcomes:
            if name not in named:
                unit = self.unit or "" if name == self.objective else ""
                rows.append(_column(name, "outcome", unit, "number"))
        named = {row["name"] for row in rows}
        rows += [row for row in weighing.columns(self.space) if row["name"] not in named]
        table = pd.DataFrame(rows)
        if self.model is None:  # what may differ within a run is no property of it
            table.loc[table["name"].isin(_of_runs(self.space, table)), "level"] = "batch"
        table["needed"] = table["needed"].astype(bool) if needed else False
        return table

    def to_dict(self) -> dict[str, Any]:
        return {
            "space": {k: v for k, v in self.space.to_dict().items() if k != "fixed"},
            "objective": self.objective,
            "maximize": self.maximize,
            "fixed": self.fixed,
            "model": self.model_body,
            "seed": self.seed,
            "strategy": self.strategy,
            "initial": self.initial,
            "unit": self.unit,
            "options": self.options,
        } | ({} if self.further is None else {"goals": self.further.to_dict()})


def declare(
    space: Space,
    *,
    maximize: str | Sequence[str] | None = None,
    minimize: str | Sequence[str] | None = None,
    fixed: Mapping[str, Any] | None = None,
    model: str | LabModel | None = None,
    seed: int = 1,
    strategy: str = "bayes",
    initial: int | None = None,
    unit: str | None = None,
    options: Mapping[str, Any] | None = None,
    **further: Any,
) -> Declaration:
    """Check a declaration as a user writes it; parameters as in `Campaign`."""
    if not isinstance(space, Space):
        raise CampaignError(f"space is a {type(space).__name__}; give a doe.Space")
    wanted = going.goals(maximize=maximize, minimize=minimize, **further)
    objective = wanted.aims[0].outcome
    if strategy not in STRATEGIES:
        raise CampaignError(unknown(strategy, STRATEGIES, "strategy"))
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise CampaignError(f"seed={seed!r} must be a whole number of 0 or more")
    if initial is not None and (not isinstance(initial, (int, np.integer)) or initial < 0):
        raise CampaignError(f"initial={initial!r} must be a whole number of 0 or more")
    constants = _constants(space, fixed or {})
    for name in wanted.outcomes:
        _check_objective(name, space, constants)
    _check_unit(unit, objective)
    lab_model = _resolve(model)
    made = Declaration(
        space=space.given(constants),
        objective=objective,
        maximize=wanted.aims[0].kind == "largest",
        fixed=constants,
        seed=int(seed),
        strategy=strategy,
        initial=None if initial is None else int(initial),
        unit=unit,
        options=_plain_options(options or {}),
        model_body=None if lab_model is None else _model_body(lab_model),
        given_model=lab_model,
        further=None if wanted.plain else wanted,
    )
    if lab_model is not None:
        _check_model(made, lab_model)
    _check_goals(made, lab_model)
    return made


def _check_goals(made: Declaration, model: LabModel | None) -> None:
    """Refuse goals that the strategy, the model or the space cannot follow."""
    wanted = made.goals
    if made.strategy == "skopt" and not wanted.plain:
        raise CampaignError(
            "strategy 'skopt' knows one outcome, largest or smallest; leave strategy= out"
        )
    if made.strategy != "bayes" and made.space.uncertain:
        raise CampaignError(
            f"strategy {made.strategy!r} does not look at rules that are to hold with a "
            f"probability, {listing(space_words.uncertain(made.space))}; leave strategy= out"
        )
    if wanted.cost:
        going.price(made.space, wanted.cost, made.space.sample(16, np.random.default_rng(0)))
    if wanted.prices is not None:
        plan_runs.checked(made.space, prices=wanted.prices)
    if wanted.learn and model is None:
        raise CampaignError("learn= is about a model's parameters; give the campaign a model")
    if wanted.learn and wanted.learn != (going.MODELS,):
        known = [str(name) for name in model.priors.index] if model is not None else []
        for name in wanted.learn:
            if name not in known:
                raise CampaignError(unknown(name, known, "parameter of the model"))
    if wanted.decide is not None:
        if wanted.decide not in made.space.names:
            raise CampaignError(unknown(wanted.decide, made.space.names, "factor of the space"))
        if made.space.factor(wanted.decide).levels is None:
            raise CampaignError(
                f"decide={wanted.decide!r} is a continuous factor; name one with a few values, a "
                "Choice for instance"
            )


def from_dict(body: Mapping[str, Any], model: LabModel | None = None) -> Declaration:
    """The declaration that a file holds."""
    return Declaration(
        space=Space.from_dict({**body["space"], "fixed": body["fixed"]}),
        objective=body["objective"],
        maximize=body["maximize"],
        fixed=body["fixed"],
        seed=body["seed"],
        strategy=body["strategy"],
        initial=body["initial"],
        unit=body["unit"],
        options=body["options"],
        model_body=body["model"],
        given_model=model,
        further=Goals.from_dict(body["goals"]) if "goals" in body else None,
    )


def differences(stored: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """One line for each thing that differs, empty where the declarations are identical."""
    old_flat, new_flat = (_flat(json.loads(json.dumps(d))) for d in (stored, new))
    said = []
    for key in [*old_flat, *(k for k in new_flat if k not in old_flat)]:
        old, now = old_flat.get(key, "absent"), new_flat.get(key, "absent")
        if old != now and key != "model.columns":  # a later version may know further ones
            said.append(f"{key}: the file has {old}, now {now}")
    return said


def plain(value: Any) -> Any:
    """A value as JSON holds it: NumPy scalars unwrapped, missing numbers as None."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _flat(body: Any, path: str = "") -> dict[str, Any]:
    if isinstance(body, dict) and body:
        return {k: v for name in body for k, v in _flat(body[name], f"{path}.{name}").items()}
    if isinstance(body, list) and body and all(isinstance(v, dict) and "name" in v for v in body):
        by_name = {v["name"]: {k: w for k, w in v.items() if k != "name"} for v in body}
        return _flat(by_name, path)
    return {path.lstrip("."): body}


def _column(name: str, role: str, unit: str, kind: str) -> dict[str, Any]:
    return {
        "name": name,
        "role": role,
        "level": data.COLUMNS[name].level if name in data.COLUMNS else "row",
        "unit": unit,
        "kind": kind,
        "needed": False,
    }


def _constants(space: Space, fixed: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(fixed, Mapping):
        raise CampaignError(f"fixed={fixed!r} is no mapping; write fixed={{'c_rate': 0.1}}")
    constants = {str(k): plain(v) for k, v in {**space.fixed, **fixed}.items()}
    constants |= {k: text(v) for k, v in constants.items() if isinstance(v, str)}
    for name, value in constants.items():
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise CampaignError(f"fixed[{name!r}] = {value!r} must be one number or one text")
        if name in space.names:
            raise CampaignError(f"{name} is a factor of the space and also fixed; keep one")
    known = {k: v for k, v in constants.items() if k in data.COLUMNS}
    if known:
        clean = data.validate(pd.DataFrame([known]), where="fixed").iloc[0]
        for name, value in known.items():  # "0.1" and 3 for a label are read as in a table
            if isinstance(value, str) != isinstance(clean[name], str):
                constants[name] = plain(clean[name])
    return constants


def _check_objective(objective: str, space: Space, constants: Mapping[str, Any]) -> None:
    if objective in space.names or objective in constants:
        raise CampaignError(f"{objective} is set in this campaign, so it cannot be its outcome")
    if objective.startswith("predicted_"):
        raise CampaignError(f"{objective}: names in predicted_ are kept for predictions")
    column = data.COLUMNS.get(objective)
    if column is None:
        check_spelling(objective)
        if data.carbon.is_bare(objective):
            raise CampaignError(data.carbon.no_basis(objective))
    if column is not None and column.kind == "text":
        raise CampaignError(f"{objective} is a text column; an objective is a number")


def _check_unit(unit: Any, objective: str) -> None:
    if unit is None:
        return
    if not isinstance(unit, str):
        raise CampaignError(f"unit={unit!r} must be a text, such as 'mAh/g'")
    known = data.COLUMNS.get(objective)
    if known is not None and unit != known.unit:
        raise CampaignError(
            f"unit={unit!r}, but {objective} is in {known.unit!r}; convert the readings and leave "
            "unit out, or choose another name"
        )


def _resolve(model: Any) -> LabModel | None:
    if model is None:
        return None
    if isinstance(model, str):
        from .. import models

        try:
            return models.get(model)
        except ValueError as problem:
            raise CampaignError(str(problem)) from None
    if not (hasattr(model, "fit") and hasattr(model, "columns") and hasattr(model, "name")):
        raise CampaignError(
            f"model is a {type(model).__name__}; give a name of models.catalog(), a model of "
            "models.get(...) or None"
        )
    return model


def _check_model(made: Declaration, model: LabModel) -> None:
    table = model.columns
    outcomes = list(table.loc[table["role"] == "outcome", "name"])
    if made.objective not in outcomes:
        raise CampaignError(
            unknown(made.objective, outcomes, f"outcome of the model {model.name!r}")
        )
    why = {o.name: o.not_sought for o in getattr(model, "outcomes", ())}.get(made.objective)
    if why:
        raise CampaignError(f"{made.objective} is no objective of the model {model.name!r}: {why}")
    needed = [n for n in table["name"] if n in _needed(model, made.objective)]
    have = {*made.space.names, *made.fixed}
    missing = [n for n in needed if n not in have]
    if missing:
        stray = [n for n in have if n not in set(table["name"])]
        hint = f" (it does not use {listing(stray)})" if stray else ""
        given = ", ".join(f"{n!r}: ..." for n in missing)
        raise CampaignError(
            f"the model {model.name!r} needs {listing(missing)}, which neither the space nor "
            f"fixed gives{hint}; add fixed={{{given}}} or a factor"
        )
    for name in made.fixed:
        near = data.columns.did_you_mean(name, [n for n in table["name"] if n not in have], 0.8)
        if name not in data.COLUMNS and near:
            raise CampaignError(
                f"fixed gives {name!r}, which the model {model.name!r} does not use{near}"
            )
    shared = _of_runs(made.space, table)
    if shared:
        raise CampaignError(
            f"{listing(shared)} would differ between the samples of one run, and the model "
            f"{model.name!r} takes it as the run's own; write hard=True there as well, or leave "
            "the model out"
        )
    for factor in made.space.factors:
        if factor.name not in data.COLUMNS and factor.unit is None:
            raise CampaignError(
                f"{factor.name!r} is no known column and has no unit; correct its name, or give "
                f"{type(factor).__name__}({factor.name!r}, ..., unit='...')"
            )


def _of_runs(space: Space, columns: pd.DataFrame) -> list[str]:
    """Easy factors of a space with hard ones that a table's columns hold to belong to the run."""
    if not plots.has_runs(space):
        return []
    runs = set(columns.loc[columns["level"] == "run", "name"])
    return [n for n in space.names if n in runs and n not in space.hard]


def _needed(model: LabModel, objective: str) -> set[str]:
    """Columns that the model needs for the objective; a chain needs fewer for an early one."""
    if getattr(model, "flow", None) is not None:
        return set(model.needed_for(objective))
    table = model.columns
    return set(table.loc[table["needed"].astype(bool), "name"])


def _model_body(model: LabModel) -> dict[str, Any]:
    overrides = getattr(model, "overrides", {})
    return {
        "name": model.name,
        "priors": {k: _plain_prior(v) for k, v in sorted(overrides.items())},
        "pooled": list(getattr(model, "pooled", ())),
        "columns": [str(name) for name in model.columns["name"]],
    }


def _plain_prior(value: Any) -> Any:
    if hasattr(value, "family"):
        return {"family": value.family, "numbers": _plain_prior(value.numbers)}
    if isinstance(value, (tuple, list, np.ndarray)):
        return [_plain_prior(v) for v in value]
    return plain(value)


def _prior(value: Any) -> Any:
    if isinstance(value, dict):
        from ..models import Prior

        return Prior(value["family"], _prior(value["numbers"]))
    return tuple(_prior(v) for v in value) if isinstance(value, list) else value


def _plain_options(options: Mapping[str, Any]) -> dict[str, Any]:
    for name in options:
        if name not in OPTIONS:
            raise CampaignError(unknown(name, OPTIONS, "option of a strategy"))
    made = {str(k): plain(v) for k, v in options.items()}
    try:
        return json.loads(json.dumps(made, allow_nan=False))
    except (TypeError, ValueError):
        raise CampaignError(
            f"options={options!r} hold something that a file cannot; give numbers and text"
        ) from None
