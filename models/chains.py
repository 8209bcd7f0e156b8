"""Chains: models of successive process steps as one model, with one fit and one response.

    chain = models.chain("milling", "capacity", "cell")

Output columns of one step are input columns of the next. The chain is a model like any other: it is
fitted, predicts, checks itself and drives campaigns, and its physics is that of its steps, built
once. An intermediate that was measured enters as a reading of its column. A row gives only what its
readings are computed from; one that lacks the settings of an early step but gives the column that
the step would predict starts there (``engine.flow``).

Each link was learned on a material. Where that is not the material that the chain is used for, what
the link hands on is multiplied by a factor for each study (``crossing``):

    y = y_step exp(s z[study]),    z ~ Normal(0, 1),    s with a stated prior,

so that predictions for a study without readings are wider, by s in ln, and close as the study's own
cells are recorded. Rows without a label of their study are of one study, the table's own.

Limits: an energy that was computed from a recorded capacity repeats that reading; give one of the
two. The error of a value at which a row starts is not carried.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from . import crossing, joining
from .engine import Group, Inputs, LabModel, Prior
from .engine.flow import Flow, Stage
from .joining import ChainError, Link

PLUS, FOR = "+", " for "


@dataclass(frozen=True)
class Build:
    """Builder of a chain: the builders of its steps, and the effects of studies between them."""

    links: tuple[Link, ...]

    def __call__(self, x: Inputs) -> None:
        for link in self.links:
            if not (x.wants("statements") or any(x.wants(name) for name in link.outcomes)):
                continue  # nothing was measured of this step, nor of one that it leads to
            x.include(link.build, link.name)
            for outcome, prior in link.effects:
                if x.has(outcome):
                    _study_effect(x.part("chain"), outcome, prior)
            for outcome in filter(x.has, link.handed_on):
                x.start(outcome)


def _study_effect(x: Inputs, outcome: str, prior: Prior) -> None:
    import pytensor.tensor as pt

    sd = x.prior(f"{outcome}_study_sd", prior.family, *prior.numbers, unit=prior.unit,
                 meaning=prior.meaning, source=prior.source)
    x.multiply(outcome, pt.exp(x.effect(f"{outcome}_study", "study", sd)))


@dataclass(frozen=True, repr=False)
class Chain(LabModel):
    """A chain of models; see ``LabModel`` for what it can do.

    Attributes
    ----------
    steps
        The models, first to last.
    """

    steps: tuple[LabModel, ...] = ()

    def links(self) -> pd.DataFrame:
        """What each step gives, takes, and was learned on.

        Returns
        -------
        DataFrame
            One row a step: ``step``; ``gives`` and ``takes``, columns that are handed on (the last
            step gives its main outcome); ``material`` and ``study`` behind the step's priors;
            ``crossing``, in which role that is not the material that the chain is used for;
            ``study_effect``, the spread that this adds, and its source.
        """
        target = crossing.parts(self.material)
        rows = []
        for link, step in zip(_build_of(self).links, self.steps, strict=True):
            off = crossing.differs(step.material, target)
            effects = "; ".join(
                f"{outcome}: sd of ln {prior.numbers[0]:.2g} ({prior.source})"
                for outcome, prior in link.effects)
            if off and _own_effect(step):
                effects = f"{step.name}'s own effect of the laboratory"
            inside = [name for name in step.includes if any(s.name == name for s in self.steps)]
            rows.append({
                "step": step.name,
                "gives": ", ".join(link.handed_on or link.outcomes[:1]),
                "takes": ", ".join([*link.takes, *(f"all of {name}" for name in inside)]),
                "material": step.material or "none: it is tied to no material",
                "study": step.source,
                "crossing": "; ".join(off) or "none",
                "study_effect": effects or "none",
            })
        return pd.DataFrame(rows)


def _build_of(chain: Chain) -> Build:
    assert isinstance(chain.build, Build)
    return chain.build


def compose(steps: Sequence[str | LabModel], material: str | None = None) -> Chain:
    """See ``models.chain``."""
    from . import get

    models = [get(step) if isinstance(step, str) else step for step in steps]
    _check_steps(models)
    takes = [_taken(models, k) for k in range(len(models))]
    _check_links(models, takes)
    used_for = _used_for(models, material)
    links: list[Link] = []
    for k, model in enumerate(models):
        outcomes = tuple(o.name for o in model.outcomes if o.name not in _given(models[:k]))
        later = {column for taken in takes[k + 1 :] for column in taken}
        handed_on = tuple(name for name in outcomes if name in later)
        last = outcomes[:1] if k == len(models) - 1 else ()
        effects = _effects(model, (*handed_on, *last), used_for)
        links.append(Link(model.name, model.build, outcomes, takes[k], handed_on, effects))
    said = "" if material is None else FOR + "; ".join(
        f"{role}: {name}" for role, name in crossing.parts(material).items())
    return _chain(models, links, PLUS.join(m.name for m in models) + said, used_for)


def _chain(models: list[LabModel], links: list[Link], name: str, used_for: dict[str, str]) -> Chain:
    columns = {column for link in links for column in link.takes}
    stages = tuple(
        Stage(model.name, model.includes, link.outcomes, link.takes, frozenset(
            n for n in model.needed_for(*(o.name for o in model.outcomes)) if n not in link.takes))
        for model, link in zip(models, links, strict=True))
    crosses = any(crossing.differs(m.material, used_for) and (link.effects or _own_effect(m))
                  for m, link in zip(models, links, strict=True))
    return Chain(
        name, Build(tuple(links)), steps=tuple(models), flow=Flow(stages),
        factors=joining.factors(models, columns),
        groups=_with_study(joining.groups(models, links), crosses),
        outcomes=joining.outcomes(models, links),
        context=tuple(dict.fromkeys(c for m in models for c in m.context)),
        summaries=tuple(dict.fromkeys(s for m in models for s in m.summaries)),
        encoders=(joining.encoders(models),),
        prepare=joining.preparer(models, Flow(stages)),
        bounds=tuple(dict.fromkeys(b for m in models for b in m.bounds)),
        extra_rows=joining.extra_rows(models),
        what="chain: " + " -> ".join(m.what or m.name for m in models),
        adaptation=_adaptation(models),
        accept=max(m.accept for m in models),
        least_slots=max(m.least_slots for m in models),
        source="; ".join(dict.fromkeys(m.source for m in models if m.source)),
        material="; ".join(f"{role}: {name}" for role, name in used_for.items()),
        includes=tuple(dict.fromkeys(i for m in models for i in m.includes)),
        overrides={k: v for m in models for k, v in m.overrides.items()},
        pooled=tuple(dict.fromkeys(p for m in models for p in m.pooled)),
    )


def _adaptation(models: list[LabModel]) -> str:
    """Low rank for one model with what it includes alone.

    Effects of two models' levels are too many for a few hundred steps of warm-up to tell which of
    them go together; low rank then costs several times as much and ends with chains that disagree.
    """
    inside = {name for model in models for name in model.includes}
    whole = [model for model in models if model.name not in inside]
    plain = len(whole) == 1 and all(model.adaptation == "low_rank" for model in models)
    return "low_rank" if plain else "diag"


def _own_effect(model: LabModel) -> bool:
    """Whether a model has an effect of the study itself."""
    return any(group.name == "study" for group in model.groups)


def _with_study(groups: tuple[Group, ...], crosses: bool) -> tuple[Group, ...]:
    """The groups with that of studies, of which a new one may be asked for."""
    if not crosses:
        return groups
    own = [group for group in groups if group.name == "study"] or [Group("study", varies=False)]
    others = tuple(group for group in groups if group.name != "study")
    return (*others, replace(own[0], fresh=True))


def _given(models: Iterable[LabModel]) -> set[str]:
    return {outcome.name for model in models for outcome in model.outcomes}


def _taken(models: list[LabModel], k: int) -> tuple[str, ...]:
    """Input columns of a step that steps before it give."""
    before = _given(models[:k])
    return tuple(f.name for f in models[k].factors if f.name in before)


def _check_steps(models: list[LabModel]) -> None:
    names = [model.name for model in models]
    if len(names) < 2:
        raise ChainError(f"a chain has two steps or more, not {len(names)}: "
                         "models.chain('milling', 'capacity', 'cell')")
    for k, model in enumerate(models):
        if model.name in names[:k]:
            raise ChainError(f"{model.name!r} stands twice in the chain")
        if model.flow is not None:
            raise ChainError(f"{model.name!r} is a chain itself; name its steps one by one")
        for name in model.includes:
            if name in names[k:]:
                raise ChainError(f"{model.name!r} builds on {name!r}; name that one first")
        for j in range(k):
            both = (_given([models[j]]) & _given([model])) - (
                _given([models[j]]) if names[j] in model.includes else set())
            if both:
                raise ChainError(f"{names[j]!r} and {model.name!r} both give {min(both)}; a chain "
                                 "has one model for each column")
            back = {f.name for f in models[j].factors} & _given([model])
            if back and names[j] not in model.includes:
                raise ChainError(f"{names[j]!r} computes from {min(back)}, which {model.name!r} "
                                 f"gives after it; put {model.name!r} first")


def _check_links(models: list[LabModel], takes: list[tuple[str, ...]]) -> None:
    """Refuse a step that takes nothing from those before it, or gives nothing to those behind."""
    for k, model in enumerate(models):
        if k and not takes[k] and not any(m.name in model.includes for m in models[:k]):
            raise ChainError(_missing_link(models, k))
    for k, model in enumerate(models):
        behind = models[k + 1 :]
        gives = {o.name for o in model.outcomes}
        if behind and not any(gives & set(takes[k + 1 + j]) or model.name in later.includes
                              for j, later in enumerate(behind)):
            raise ChainError(
                f"nothing behind {model.name!r} takes what it gives ({', '.join(sorted(gives))}); "
                f"{behind[-1].name!r} computes from {', '.join(f.name for f in behind[-1].factors)}"
            )


def _missing_link(models: list[LabModel], k: int) -> str:
    from . import NAMES, get

    model, names = models[k], [m.name for m in models]
    wanted = {f.name for f in model.factors}
    best: tuple[int, LabModel, str] | None = None
    for name in (n for n in NAMES if n not in names):
        other = get(name)
        both = [f.name for f in model.factors if f.name in _given([other])]
        if not both or name == model.name:
            continue
        near = sum(m.name in other.includes for m in models[:k])
        near += len({f.name for f in other.factors} & _given(models[:k]))
        if best is None or near > best[0]:
            best = (near, other, both[0])
    told = f"{model.name!r} takes nothing that {', '.join(map(repr, names[:k]))} gives"
    if best is None:
        return (f"{told}: it computes from {', '.join(sorted(wanted))}, and no model of the "
                "catalog stands between")
    whole = ", ".join(map(repr, [*names[:k], best[1].name, *names[k:]]))
    return (f"{told}: no step before it gives {best[2]}. {best[1].name!r} would: "
            f"models.chain({whole})")


def _used_for(models: list[LabModel], material: str | None) -> dict[str, str]:
    """Material that the chain is used for: as told, else that of the first step that names one."""
    found = crossing.parts(material or "")
    for model in models:
        for role, name in crossing.parts(model.material).items():
            if role in crossing.COMPARED:
                found.setdefault(role, name)
    return found


def _effects(
    model: LabModel, outcomes: tuple[str, ...], used_for: dict[str, str]
) -> tuple[tuple[str, Prior], ...]:
    if not crossing.differs(model.material, used_for) or _own_effect(model):
        return ()
    effects = []
    for outcome in outcomes:
        spread = crossing.spread_of(outcome)
        if spread.sd == 0:
            continue
        if outcome in model.summaries or outcome in model.bounds:
            raise ChainError(
                f"{model.name!r} reads published means or bounds of {outcome}, which a study "
                f"effect does not reach; fit it on its own material ({model.material})")
        effects.append((outcome, spread.prior(outcome)))
    return tuple(effects)


def named(name: str) -> Chain:
    """The chain of a name: ``"milling+capacity+cell"``, ``"... for electrolyte: Li3InCl6"``.

    Raises
    ------
    ValueError
        If a step is no model of the catalog, or the steps make no chain.
    """
    steps, _, material = name.partition(FOR)
    return compose([step.strip() for step in steps.split(PLUS)], material or None)

