"""How a quality study is declared: what is looked at, by which criteria, and whether it is good.

Three stages. First the object: a whole manufacturing route, one process step with its parameters,
or one single parameter. Then cathodes are made and criteria chosen: all of them for a route or for
first trials, one aspect for fine tuning; each is measured by its methods. Last the fulfilment of
the criteria is judged. The answer is the start of the next study, so a study also states the
campaign that it leads to.

The order of measuring is this library's rule, from the printed measurability and methods: what is
quick and well measurable first and on everything (volume and mass; SEM and EDS), mercury intrusion
for a short list, what images hardly show last. Thresholds and weights are the user's.

Source: Prein, Toepper and Daub, 3rd Conference on Production Systems and Logistics (2022), lines
98-106 (procedure), 67-96 (methods).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..data.columns import CRITERIA, did_you_mean
from ..data.quality_criteria import criteria

SCOPES = {
    "route": "a whole manufacturing route of several processes",
    "process": "one process step with its parameters",
    "parameter": "one single parameter",
}
QUICK = ("VMM", "SEM", "EDS")
"""Methods for every cathode, quickest first; the others are for a short list."""
POROSITY = "porosity"


@dataclass(frozen=True, init=False)
class Study:
    """A quality study.

    Parameters
    ----------
    scope
        ``"route"``, ``"process"`` or ``"parameter"``.
    varied
        What is varied: processes of the route, or columns of the process. At most one for a
        parameter.
    criteria
        Quality criteria to judge by, one or more; all eight if not given.

    Raises
    ------
    ValueError
        If the scope or a criterion is unknown, a criterion stands twice, or a study of one
        parameter varies several.
    """

    scope: str
    varied: tuple[str, ...] = ()
    criteria: tuple[str, ...] = ()

    def __init__(self, scope: str, varied: Sequence[str] | str = (),
                 criteria: Sequence[str] | str | None = None) -> None:
        if scope not in SCOPES:
            known = "; ".join(f"{name!r}: {what}" for name, what in SCOPES.items())
            raise ValueError(f"scope {scope!r} is none of the three: {known}")
        objects = (varied,) if isinstance(varied, str) else tuple(varied)
        if scope == "parameter" and len(objects) > 1:
            raise ValueError(f"a study of one parameter varies one, not {', '.join(objects)}; "
                             "several parameters of one step are scope='process'")
        chosen = CRITERIA if criteria is None else (
            (criteria,) if isinstance(criteria, str) else tuple(criteria))
        for name in chosen:
            if name not in CRITERIA:
                raise ValueError(f"{name!r} is no quality criterion{did_you_mean(name, CRITERIA)}; "
                                 f"there are: {', '.join(CRITERIA)}")
        if not chosen or len(set(chosen)) < len(chosen):
            raise ValueError("a study has one criterion or more, each once")
        object.__setattr__(self, "scope", scope)
        object.__setattr__(self, "varied", objects)
        object.__setattr__(self, "criteria", chosen)

    def plan(self) -> pd.DataFrame:
        """Which criterion is measured when, by what, on which cathodes.

        Returns
        -------
        DataFrame
            In the order of measuring: ``criterion``, ``methods`` (on all cathodes),
            ``short_list_methods`` (on the best few), ``measurable``, ``easy``, ``when``.
        """
        known = criteria()
        rows = []
        for name in self.criteria:
            row = known.loc[name]
            quick = tuple(m for m in QUICK if m in row["methods"])
            rows.append({
                "criterion": name, "methods": quick,
                "short_list_methods": tuple(m for m in row["methods"] if m not in QUICK),
                "measurable": bool(row["measurable"]), "easy": bool(row["easy"]),
                "when": "first, on all cathodes" if row["measurable"] else
                        "last, on a short list: images hardly show it",
                "rank": (not row["measurable"], QUICK.index(quick[0]), len(quick))})
        rows.sort(key=lambda row: row.pop("rank"))
        return pd.DataFrame(rows)

    def advice(self) -> str:
        """What the scope says about the number of criteria."""
        count = len(self.criteria)
        if self.scope == "route":
            return (f"{count} of {len(CRITERIA)} criteria: for a route or first trials all of them "
                    "are judged at once" if count < len(CRITERIA) else
                    "all criteria at once, as for a route or first trials")
        return ("one aspect, as for fine tuning" if count == 1 else
                f"{count} criteria: first trials judge all, fine tuning of {SCOPES[self.scope]} "
                "may look at the one that it is meant to move")

    def evaluate(self, values: Mapping[str, Any], limits: Mapping[str, float]) -> pd.DataFrame:
        """Probability that each setting fulfils the criteria.

        Parameters
        ----------
        values
            Criterion -> draws ``(draws, settings)``, drawn together: porosity (1), grades or
            latent quality.
        limits
            Criterion -> what it must reach: at most for the porosity, at least for the others.
            Yours: none is published.

        Returns
        -------
        DataFrame
            One row for each setting: P(fulfilled) of each criterion and of ``all``; ``lacking``
            names the criterion that is most often missed.

        Raises
        ------
        ValueError
            If a criterion of the study has no values or no limit.
        """
        direction: Any = criteria()["direction"]
        met: dict[str, np.ndarray] = {}
        for name in self.criteria:
            if name not in values or name not in limits:
                what = "draws in values" if name not in values else "entry in limits"
                raise ValueError(f"criterion {name!r} of this study has no {what}; give it, or "
                                 "declare the study without it")
            sign = int(direction[name])
            met[name] = sign * np.asarray(values[name], dtype=float) >= sign * limits[name]
        table = pd.DataFrame({name: ok.mean(axis=0) for name, ok in met.items()})
        worst = table.idxmin(axis=1)
        table["all"] = np.logical_and.reduce(list(met.values())).mean(axis=0)
        table["lacking"] = worst
        return table

    def campaign(self, criterion: str | None = None, *, pressed: bool = True,
                 **fixed: Any) -> dict[str, Any]:
        """Keywords of the campaign that searches for the best of one criterion.

        ``doe.Campaign(space, **study.campaign("homogeneity_SE"))``.

        Parameters
        ----------
        criterion
            One of the study's; the first to be measured if not given.
        pressed
            Whether cathodes are judged after pressing.
        **fixed
            Further columns that stay as they are.

        Raises
        ------
        ValueError
            If the criterion is not one of the study's.
        """
        name = self.plan()["criterion"].iloc[0] if criterion is None else criterion
        if name not in self.criteria:
            raise ValueError(f"{name!r} is no criterion of this study; it has: "
                             f"{', '.join(self.criteria)}")
        if name == POROSITY:
            goal = {"minimize": "calendered_porosity" if pressed else "dry_porosity"}
        else:
            goal = {"maximize": "grade"}
            fixed = {"criterion": name, "compacted": float(pressed)} | fixed
        return goal | {"model": "quality", "fixed": fixed}

    def __str__(self) -> str:
        what = f" ({', '.join(self.varied)})" if self.varied else ""
        return (f"{SCOPES[self.scope]}{what}: {self.advice()}\n"
                f"{self.plan().to_string(index=False)}")
