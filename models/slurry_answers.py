"""Questions to a fitted slurry: the casting window, effects that are told, reversed ranks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import aliasing
from .engine.encode import NOT_DONE, number, text
from .slurry_rows import (
    CALENDERED,
    CALENDERED_DENSITY,
    DENSITY_OF,
    DRY,
    DRY_DENSITY,
    SETTINGS,
    VISCOSITY,
    sheet_aliasing,
)

if TYPE_CHECKING:
    from .engine.fit import Fit

LEVEL = 0.9
KIND = "90 % equal-tailed"


@dataclass(frozen=True)
class Window:
    """Viscosities between which a slurry is said to cast well (Pa s), for what, and the line."""

    low: float
    high: float
    what: str
    line: str


WINDOWS = {
    "desired": Window(0.3, 0.6, "uniform casting of the solid-state slurry, as desired", "149"),
    "typical solid-state": Window(
        0.1, 0.3, "butyl acetate, 50 % solids, 64 % active material, from literature", "47"),
    "lithium-ion": Window(
        1.0, 2.0, "NMP, 70 % solids, more than 95 % active material, from literature", "47"),
}
"""Three windows of one paper (doi 10.1002/batt.202400709), which do not overlap and are never
merged; it names no shear rate for any of them."""


@dataclass(frozen=True)
class Answer:
    """A table with the sentence that reads it."""

    table: pd.DataFrame
    sentence: str

    def __str__(self) -> str:
        return self.table.to_string() + "\n" + self.sentence


def casting(
    fit: Fit, settings: pd.DataFrame | Mapping[str, Any], window: str | tuple[float, float] =
    "desired", *, of: str = "batch", seed: int = 1,
) -> pd.DataFrame:
    """Probability that a slurry lies in a casting window.

    Parameters
    ----------
    fit
        A fit of the slurry model.
    settings
        Recipes and conditions; ``shear_rate_1_s`` is that of the coating
        (``slurry_recipe.coating_shear_rate``), ``soaking_min`` the time until then.
    window
        A name in ``WINDOWS``, or two viscosities (Pa s).
    of
        ``"batch"``: the next slurry of the recipe. ``"mean"``: the typical one. ``"cell"``: one
        reading of one sample.
    seed
        Seed of new slurries.

    Returns
    -------
    DataFrame
        The settings with ``median_Pa_s`` and its 90 % equal-tailed interval (Pa s), and the
        probabilities ``p_below``, ``p_inside``, ``p_above``, which add up to 1.

    Raises
    ------
    ValueError
        If the window is unknown or empty, or no shear rate is given.
    """
    low, high = _ends(window)
    table = pd.DataFrame(settings).reset_index(drop=True)
    if np.isnan(number(table, "shear_rate_1_s")).any():
        raise ValueError("the settings need shear_rate_1_s: a slurry that thins under shear is in "
                         "a window at one rate and out of it at another")
    draws = fit.predict(table, of=of, outcome=VISCOSITY, seed=seed).to_numpy()
    ends = np.quantile(draws, [0.5 - LEVEL / 2, 0.5, 0.5 + LEVEL / 2], axis=0)
    table[f"low ({KIND})"], table["median_Pa_s"], table[f"high ({KIND})"] = ends
    table["p_below"] = (draws < low).mean(axis=0)
    table["p_inside"] = ((draws >= low) & (draws <= high)).mean(axis=0)
    table["p_above"] = (draws > high).mean(axis=0)
    return table


def _ends(window: str | tuple[float, float]) -> tuple[float, float]:
    if isinstance(window, str):
        if window not in WINDOWS:
            raise ValueError(f"{window!r} is no casting window; there are: {', '.join(WINDOWS)}, "
                             "or give two viscosities in Pa s")
        return WINDOWS[window].low, WINDOWS[window].high
    low, high = (float(v) for v in window)
    if not 0 <= low < high:
        raise ValueError(f"window ({low:g}, {high:g}) must be two viscosities in Pa s, the smaller "
                         "one first")
    return low, high


def effects(fit: Fit) -> Answer:
    """What the settings do to viscosity and porosity, single effects only where they are told.

    Each separable setting goes from the lowest to the highest value that the fitted table has,
    the others in the middle. Of aliased settings the effect of going from one tried setting to
    another is given, and the single ones are called not separable: a number for them would be the
    prior's.

    Returns
    -------
    Answer
        Index ``(outcome, setting)``: ``from``, ``to``, ``told`` (``alone``, ``nearly aliased``,
        ``as a sum``, ``not separable``), and the median and 90 % equal-tailed interval of the
        change: of ln viscosity, or of the porosity.
    """
    rows, sentences = {}, []
    for outcome, name in _measured(fit).items():
        table = _rows_of(fit, outcome)
        viscous = outcome == VISCOSITY
        named = [n for n in SETTINGS if not (viscous and n == "gap_um") and n in table
                 and bool(table[n].notna().all()) and np.unique(number(table, n)).size > 1]
        if not named:
            continue
        found = (aliasing.report(table.drop_duplicates(["run", *named]), named) if viscous
                 else sheet_aliasing(table))
        if found is None:
            continue
        middle = {n: 0.5 * (number(table, n).min() + number(table, n).max()) for n in named}
        for one in (*((n,) for n in found.separable if n in named), *found.sets):
            label = " + ".join(one)
            if len(one) == 1:
                tried = number(table, one[0])
                ends = [{one[0]: tried.min()}, {one[0]: tried.max()}]
                told = str(found.table.at[one[0], "told"])
            else:
                pair = found.contrasts.loc[label]
                ends = [{n: float(pair.at[end, n]) for n in one} for end in ("from", "to")]
                told = "as a sum"
            change = _change(fit, outcome, [{**middle, **end} for end in ends])
            low, mid, high = np.quantile(change, [0.5 - LEVEL / 2, 0.5, 0.5 + LEVEL / 2])
            rows[name, label] = {
                "from": _named(ends[0]), "to": _named(ends[1]), "told": told, "median": mid,
                f"low ({KIND})": low, f"high ({KIND})": high}
            if len(one) > 1:
                for single in one:
                    rows[name, single] = {"told": "not separable"}
        sentences += [f"{name}: {s}" for s in found.sentences if "aliased" in s]
    columns = ["from", "to", "told", "median", f"low ({KIND})", f"high ({KIND})"]
    answer = pd.DataFrame.from_dict(rows, orient="index", columns=pd.Index(columns))
    answer.index = pd.MultiIndex.from_tuples(answer.index, names=["change of", "setting"])
    return Answer(answer, "\n".join(sentences) or "every setting that was varied is told alone")


def rank_reversal(
    fit: Fit, one: Mapping[str, Any], other: Mapping[str, Any]
) -> Answer:
    """Probability that the sheet that is denser dry is the less dense one when pressed.

    Parameters
    ----------
    fit
        A fit of the slurry model with porosities or densities.
    one, other
        Two settings (``active_d50_um``, ``gap_um``, ``solid_content_pct``, ``pelletizing_MPa``,
        ...).

    Returns
    -------
    Answer
        Index ``dry``, ``pressed``: porosity of the one less that of the other (median and 90 %
        equal-tailed interval), and the probability that the one has fewer pores. The sentence
        gives the probability of a reversal, of typical sheets, and what is aliased in the pair.
    """
    settings = pd.DataFrame([dict(one), dict(other)])
    rows, fewer = {}, []
    for name, outcome in (("dry", DRY), ("pressed", CALENDERED)):
        draws = fit.predict(settings, of="mean", outcome=outcome).to_numpy()
        apart = draws[:, 0] - draws[:, 1]
        low, mid, high = np.quantile(apart, [0.5 - LEVEL / 2, 0.5, 0.5 + LEVEL / 2])
        fewer.append(apart < 0)
        rows[name] = {"difference": mid, f"low ({KIND})": low, f"high ({KIND})": high,
                      "p_one_denser": float((apart < 0).mean())}
    reversed_ = fewer[0] != fewer[1]
    first_dry = fewer[0] & ~fewer[1]
    sentence = (f"P(rank reversed by pressing) = {reversed_.mean():.2f} for typical sheets: "
                f"{first_dry.mean():.2f} that the one is denser dry and not when pressed, "
                f"{(~fewer[0] & fewer[1]).mean():.2f} the other way round")
    differ = [n for n in SETTINGS if np.ptp(number(settings, n, 0.0)) > 0]
    found = sheet_aliasing(_rows_of(fit, DRY))
    together = [] if found is None else [p for p in found.sets if set(p) & set(differ)]
    for partners in together:
        sentence += (f"; {' and '.join(partners)} are aliased in the table: this is not the effect "
                     "of one of them")
    return Answer(pd.DataFrame.from_dict(rows, orient="index"), sentence)


def units(table: pd.DataFrame) -> pd.DataFrame:
    """How many independent units stand behind the readings of a table.

    Samples of a slurry and punches of a sheet are sub-samples: they tell a slurry or a sheet
    better, and nothing of how slurries or sheets differ.

    Parameters
    ----------
    table
        Rows of a slurry study.

    Returns
    -------
    DataFrame
        One row an outcome and setting: ``sub_samples`` (samples or punches), ``units`` (slurries
        of a viscosity, sheets of a density or porosity), and ``spread_df``, the degrees of
        freedom that the setting has for the spread between units; 0 with a single one.
    """
    done = table.loc[~text(table, "status").isin(NOT_DONE) & text(table, "kind").ne("statement")]
    found = []
    for outcome in (VISCOSITY, DRY, CALENDERED, DRY_DENSITY, CALENDERED_DENSITY):
        rows = done.loc[~np.isnan(number(done, outcome))]
        level = ["study", "run"] if outcome == VISCOSITY else ["study", "run", "batch"]
        keys = pd.DataFrame({n: text(rows, n) for n in (*level, "cell")})
        named = [n for n in SETTINGS if n in rows and not (outcome == VISCOSITY and n == "gap_um")]
        if not len(rows):
            continue
        for setting, part in (rows.groupby(named, dropna=False) if named else [((), rows)]):
            of = keys.loc[part.index]
            count = len(of[level].drop_duplicates())
            found.append({"outcome": outcome, **dict(zip(named, setting, strict=True)),
                          "sub_samples": len(of.drop_duplicates()), "units": count,
                          "spread_df": count - 1})
    return pd.DataFrame(found)


def _measured(fit: Fit) -> dict[str, str]:
    """Outcomes of a fit that have readings, a density under its porosity, and their names."""
    words = {VISCOSITY: "ln viscosity", DRY: "dry porosity", CALENDERED: "pressed porosity"}
    return {outcome: words[outcome] for outcome in words if len(_rows_of(fit, outcome))}


def _rows_of(fit: Fit, outcome: str) -> pd.DataFrame:
    """Rows of the fitted table with a reading of an outcome, or of the density that tells it."""
    columns = fit.encoded.columns
    at: set[Any] = set()
    for name in (outcome, DENSITY_OF.get(outcome, outcome)):
        at |= {fit.encoded.index[k] for k in columns[f"{name}__row"]}
    rows = fit.table.loc[[label for label in fit.table.index if label in at]]
    return rows.assign(**{n: text(rows, n) for n in ("study", "run", "batch")})


def _change(fit: Fit, outcome: str, ends: list[dict[str, float]]) -> np.ndarray:
    draws = fit.predict(pd.DataFrame(ends), of="mean", outcome=outcome).to_numpy()
    if outcome == VISCOSITY:
        draws = np.log(draws)
    return draws[:, 1] - draws[:, 0]


def _named(settings: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in settings.items())
