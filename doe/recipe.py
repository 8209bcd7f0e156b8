"""A recipe card: from a composition and a filling to what to weigh, and back from what was weighed.

>>> from ssbayes import doe
>>> card = doe.recipe.Recipe(electrolyte_parts=20, cb_parts=0.5)
>>> card.table["weigh_g"].tolist()
[15.83, 3.96, 0.1]
>>> actual = card.actual({"active": 15.81, "electrolyte": 3.97, "carbon": 0.12})
>>> round(actual["cb_parts"], 3), round(actual["electrolyte_parts"], 2)
(0.607, 20.07)

`Recipe.actual` gives columns that `Campaign.record` takes beside the readings, so that a campaign
learns from the composition that was made, not from the one that was wanted.
"""

from __future__ import annotations

import html
import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ..data import recipes
from ..data.carbon import DENSITY
from .errors import DoeError, listing, unknown
from .spaces import PUBLISHED_PREMIX

COMPONENTS = ("active", "electrolyte", "carbon")
WORDS = {"active": "active material", "electrolyte": "electrolyte", "carbon": "carbon black"}
USUAL_DENSITY = dict(zip(COMPONENTS, DENSITY.values(), strict=True))
CHAMBER_ML = 49.1
"""Chamber [mL] of which the published 4.91 mL of solid are a tenth: Kissel (2025), doctoral thesis,
lines 1187 and 1402."""
FEW = 20
"""Divisions of a balance below which a mass is known to worse than about 2 %."""
ANOTHER_UNIT = 3.0
"""Ratio to the target from which a mass is taken for a slip of unit."""


@dataclass(frozen=True)
class Recipe:
    """What to weigh and do for one run of the mixer.

    Parameters
    ----------
    electrolyte_parts : float
        Electrolyte, parts per 100 parts of active material + electrolyte by mass.
    cb_parts : float
        Carbon black on top of these 100 parts.
    solid_volume_mL : float
        Volume of powder without pores that fills the mixer.
    chamber_mL : float
        Volume of the mixing chamber.
    balance_g : float
        Smallest division of the balance.
    density : mapping, optional
        ``active``, ``electrolyte``, ``carbon`` in g/mL; those left out as published for NCM82,
        Li3InCl6 and Super C65.
    rpm : float, optional
        Speed of the mixing, 1/min.
    minutes : sequence of float
        When samples are taken, or when mixing ends.
    premix_rpm, premix_min : float
        Premixing of carbon and electrolyte, as published if left out; void without carbon.
    suggestions : sequence of str
        Ids of what the samples answer, in the order of ``minutes``.

    Raises
    ------
    DoeError
        If a number is impossible, or there are more or fewer suggestions than minutes.
    """

    electrolyte_parts: float
    cb_parts: float = 0.0
    solid_volume_mL: float = recipes.SOLID_VOLUME_ML
    chamber_mL: float = CHAMBER_ML
    balance_g: float = 0.01
    density: Mapping[str, float] = field(default_factory=dict)
    rpm: float | None = None
    minutes: tuple[float, ...] = ()
    premix_rpm: float = PUBLISHED_PREMIX["premix_rpm"]
    premix_min: float = PUBLISHED_PREMIX["premix_min"]
    suggestions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        stray = [n for n in self.density if n not in COMPONENTS]
        if stray:
            raise DoeError(f"density: {unknown(stray[0], COMPONENTS, 'component')}")
        for name in ("chamber_mL", "balance_g"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise DoeError(f"{name}={value!r} must be a number above 0")
        object.__setattr__(self, "density", {**USUAL_DENSITY, **self.density})
        minutes, ids = [float(m) for m in self.minutes], tuple(self.suggestions)
        if minutes and ids and len(minutes) != len(ids):
            raise DoeError(
                f"minutes are {len(minutes)} and suggestions {len(ids)}; give one suggestion for "
                "each of the minutes, in the same order"
            )
        order = sorted(range(len(minutes)), key=minutes.__getitem__)
        object.__setattr__(self, "minutes", tuple(minutes[k] for k in order))
        if minutes and ids:
            object.__setattr__(self, "suggestions", tuple(ids[k] for k in order))
        if self.solid_volume_mL > self.chamber_mL:
            raise DoeError(
                f"solid_volume_mL={self.solid_volume_mL:g} is more than the chamber's "
                f"{self.chamber_mL:g} mL; correct chamber_mL, or fill less"
            )
        try:
            self._masses()
        except ValueError as problem:
            raise DoeError(str(problem)) from None

    def _densities(self) -> dict[str, float]:
        return {f"{name}_density": self.density[name] for name in COMPONENTS}

    def _masses(self) -> dict[str, float]:
        found = recipes.weighing(
            self.electrolyte_parts, self.cb_parts, self.solid_volume_mL, **self._densities()
        )
        return {name: float(found[f"weighed_{name}_g"]) for name in COMPONENTS}

    @property
    def fill_degree(self) -> float:
        """Solid volume over chamber volume."""
        return self.solid_volume_mL / self.chamber_mL

    @property
    def table(self) -> pd.DataFrame:
        """What to weigh: target and what the balance can show, and what that leaves open.

        Returns
        -------
        DataFrame
            One row a component that is wanted: ``component``, ``density_g_mL``, ``target_g``,
            ``weigh_g`` (the target to the balance's division), ``error_pct`` (one division, half
            at taring and half at reading, over the mass), ``volume_mL``.
        """
        rows = []
        for name, target in self._masses().items():
            if target <= 0.0:
                continue
            shown = round(round(target / self.balance_g) * self.balance_g, 9)
            rows.append(
                {
                    "component": WORDS[name],
                    "density_g_mL": self.density[name],
                    "target_g": target,
                    "weigh_g": shown,
                    "error_pct": 100.0 * self.balance_g / target,
                    "volume_mL": target / self.density[name],
                }
            )
        return pd.DataFrame(rows)

    @property
    def notes(self) -> list[str]:
        """What the balance cannot tell."""
        said = []
        for row in self.table.to_dict("records"):
            divisions = row["target_g"] / self.balance_g
            if divisions < FEW:
                said.append(
                    f"The {row['component']} is {divisions:.1f} divisions of the balance "
                    f"({self.balance_g:g} g): weighed so, it is known to {row['error_pct']:.0f} %. "
                    "Take a finer balance, or write down what it shows."
                )
        return said

    @property
    def steps(self) -> list[str]:
        """What to do, one sentence a step."""
        masses = dict(zip(self.table["component"], self.table["weigh_g"], strict=True))

        def grams(name: str) -> str:
            return f"{masses[WORDS[name]]:.{_decimals(self.balance_g)}f} g {WORDS[name]}"

        said = []
        if self.cb_parts > 0 and self.electrolyte_parts > 0:
            said.append(
                f"Premix {grams('carbon')} with {grams('electrolyte')}: "
                f"{self.premix_rpm:g} 1/min, {self.premix_min:g} min."
            )
            said.append(f"Add {grams('active')}.")
        else:
            wanted = [n for n in COMPONENTS if WORDS[n] in masses]
            said.append(f"Fill in {' and '.join(grams(n) for n in wanted)}; no premix.")
        speed = "Mix" if self.rpm is None else f"Mix at {self.rpm:g} 1/min"
        if len(self.minutes) > 1:
            each = [f"{m:g} min" for m in self.minutes]
            if len(self.suggestions) == len(each):
                each = [f"{t} ({s})" for t, s in zip(each, self.suggestions, strict=True)]
            said.append(f"{speed}; take samples after {listing(each)}, and weigh each one.")
        elif self.minutes:
            named = f" ({self.suggestions[0]})" if len(self.suggestions) == 1 else ""
            said.append(f"{speed} for {self.minutes[0]:g} min{named}.")
        elif self.rpm is not None:
            said.append(f"{speed}.")
        return said

    def actual(self, masses: Mapping[str, float], taken_g: float = 0.0) -> dict[str, float]:
        """Tell what was really made, as columns for `Campaign.record`.

        Parameters
        ----------
        masses : mapping
            Grams weighed of ``active``, ``electrolyte`` and ``carbon`` (0 if left out).
        taken_g : float
            Powder taken out as samples before: it lowers the filling, not the composition.

        Returns
        -------
        dict
            ``electrolyte_parts``, ``cb_parts``, ``active_fraction``, ``batch_mass_mg``,
            ``fill_degree``, and the masses as ``weighed_active_g``, ``weighed_electrolyte_g`` and
            ``weighed_carbon_g``.

        Raises
        ------
        DoeError
            If a mass is missing, negative, or so far from the target that it is in another unit.
        """
        stray = [n for n in masses if n not in COMPONENTS]
        if stray:
            raise DoeError(f"masses: {unknown(stray[0], COMPONENTS, 'component')}")
        weighed = {name: self._weighed(name, masses) for name in COMPONENTS}
        total = sum(weighed.values())
        if not 0.0 <= taken_g < total:
            raise DoeError(
                f"taken_g={taken_g:g} must be from 0 to below the {total:g} g that were filled in"
            )
        electrolyte, carbon = recipes.parts_of_weighing(*weighed.values())
        density = recipes.mixed_density(weighed.values(), [self.density[n] for n in COMPONENTS])
        return {
            "electrolyte_parts": float(electrolyte),
            "cb_parts": float(carbon),
            "active_fraction": float(recipes.active_fraction(electrolyte, carbon)),
            "batch_mass_mg": 1000.0 * total,
            "fill_degree": float((total - taken_g) / density / self.chamber_mL),
            **{f"weighed_{name}_g": value for name, value in weighed.items()},
        }

    def _weighed(self, name: str, masses: Mapping[str, float]) -> float:
        target = self._masses()[name]
        if name not in masses:
            if target > 0.0:
                raise DoeError(
                    f"masses lack {name!r}; {target:.3g} g were to be weighed. Give what the "
                    "balance showed, 0 if there was none"
                )
            return 0.0
        value = masses[name]
        if isinstance(value, (str, bool)) or not math.isfinite(value) or value < 0.0:
            raise DoeError(f"masses[{name!r}]={value!r} must be a mass in g of 0 or more")
        off = self.balance_g  # a mass of few divisions may be far from its target
        if value > ANOTHER_UNIT * (target + off) or (
            name != "carbon" and value < target / ANOTHER_UNIT - off
        ):
            raise DoeError(
                f"masses[{name!r}]={value:g} g, but {target:.3g} g were to be weighed; is it in "
                "another unit? If it is what the mixer got, make its own Recipe"
            )
        return float(value)

    def __str__(self) -> str:
        places = _decimals(self.balance_g)
        head = [f"Recipe {self._title()}"]
        head += [f"  {text}" for text in self._about()]
        lines = [
            f"  {row['component']:<16}{row['weigh_g']:>10.{places}f} g"
            f"   ({row['target_g']:.4f} g, +/- {row['error_pct']:.2g} %)"
            for row in self.table.to_dict("records")
        ]
        steps = [f"  {i}. {text}" for i, text in enumerate(self.steps, 1)]
        return "\n".join([*head, "", *lines, "", *steps, *(f"  Note: {n}" for n in self.notes)])

    def _title(self) -> str:
        parts = f"{100 - self.electrolyte_parts:g}:{self.electrolyte_parts:g}:{self.cb_parts:g}"
        named = f" for {', '.join(self.suggestions)}" if self.suggestions else ""
        return f"{parts} (active : electrolyte : carbon, by mass){named}"

    def _about(self) -> list[str]:
        total = sum(self._masses().values())
        return [
            f"{total:.2f} g, {self.solid_volume_mL:g} mL of solid in {self.chamber_mL:g} mL "
            f"(filled to {self.fill_degree:.1%})",
            f"Balance: {self.balance_g:g} g. Write down what it shows.",
        ]

    def to_html(self) -> str:
        """The card for a printer: masses with an empty column for what the balance shows."""
        places = _decimals(self.balance_g)
        rows = "".join(
            f"<tr><td>{html.escape(row['component'])}</td><td>{row['weigh_g']:.{places}f} g</td>"
            f"<td>&plusmn; {row['error_pct']:.2g} %</td><td>&nbsp;</td></tr>"
            for row in self.table.to_dict("records")
        )
        about = "".join(f"<p>{html.escape(text)}</p>" for text in self._about())
        steps = "".join(f"<li>{html.escape(text)}</li>" for text in self.steps)
        notes = "".join(f"<p><em>{html.escape(text)}</em></p>" for text in self.notes)
        return (
            f"<article class='recipe'><h3>Recipe {html.escape(self._title())}</h3>{about}"
            "<table><thead><tr><th>component</th><th>weigh</th><th>one division is</th>"
            f"<th>weighed</th></tr></thead><tbody>{rows}</tbody></table>"
            f"<ol>{steps}</ol>{notes}</article>"
        )

    _repr_html_ = to_html


def cards(suggestions: pd.DataFrame, **given: Any) -> list[Recipe]:
    """One card for each run among the suggestions of a mechanofusion campaign.

    Suggestions that agree in speed, composition and premixing are samples of one run.

    Parameters
    ----------
    suggestions : DataFrame
        As `Campaign.suggest` gives it: ``electrolyte_parts``, and ``cb_parts``, ``rpm``,
        ``milling_min``, ``premix_rpm``, ``premix_min``, ``suggestion`` where there are.
    **given
        What all cards share: ``solid_volume_mL``, ``chamber_mL``, ``balance_g``, ``density``; also
        a column that the suggestions lack, such as ``electrolyte_parts=20``.

    Raises
    ------
    DoeError
        If the electrolyte is not given.
    """
    names = ("electrolyte_parts", "cb_parts", "rpm", "premix_rpm", "premix_min")
    present = [n for n in names if n in suggestions]
    if "electrolyte_parts" not in present and "electrolyte_parts" not in given:
        raise DoeError(
            "suggestions lack electrolyte_parts; give electrolyte_parts=20 for 80:20, or another"
        )
    runs: dict[tuple[Hashable, ...], list[int]] = {}
    for i, key in enumerate(suggestions[present].itertuples(index=False, name=None)):
        runs.setdefault(key, []).append(i)
    made = []
    for key, rows in runs.items():
        part: Any = suggestions.iloc[rows]
        if "milling_min" in part:
            part = part.iloc[np.argsort(part["milling_min"].to_numpy(), kind="stable")]
        told = {n: float(v) for n, v in zip(present, key, strict=True)}  # pyright: ignore
        minutes = tuple(float(v) for v in part.get("milling_min", ()))
        ids = tuple(str(v) for v in part.get("suggestion", ()))
        made.append(Recipe(**{**given, **told}, minutes=minutes, suggestions=ids))
    return made


def _decimals(balance_g: float) -> int:
    return max(0, -math.floor(math.log10(balance_g) + 1e-9))
