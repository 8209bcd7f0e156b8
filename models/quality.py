"""Quality of composite cathodes: grades of images and porosities, by mixing time and pressing.

Informed by: nothing published. The one experiment of the source prints no value, only orderings;
every prior here is generic, and recoveries in the tests are of simulated data.

Seven of the eight criteria (`data.quality_criteria`) are judged by eye on images. A grade is an
ordered category, so only its order enters, as the rank among the grades that were given:

    P(rank <= k) = F((c_k - h - u_image - v_rater) / s),        F logistic,
    h = level + trend x - bend x^2 + pressed + slurry + sheet,  x = log2(t / 45 min)

h is the latent homogeneity or contact of a sheet. Its whole unit is the slurry: trend and bend are
learned from slurries, however many sheets, punches, images and raters a slurry has. Raters are
crossed with everything. Each criterion has its own level, trend, slurries, sheets and images. How
well a criterion can be measured sets the prior of what an image adds. Pressing improves contacts
(one gain, not negative) and is expected to leave distributions alone (a shift, narrow about zero).

Porosity is measured, before and after pressing, on punches (``dry_porosity``,
``calendered_porosity``):

    logit e = level + trend x + bend x^2 - pressing + slurry + sheet

It has a minimum at some mixing time, inside or beyond what was tried. 32 and 64 min lie at equal
distance of x = 0, so which of them is more porous is the sign of the trend: even odds before data.
A mixing time at which the slurry fails has no porosity.

Limits: slurries of one lot of powder; criteria deviate independently from slurry to slurry though
distributions of active material and electrolyte are coupled; one pressing step, its pressure not
printed.

Source: Prein, Toepper and Daub, 3rd Conference on Production Systems and Logistics (2022), lines
65-122; ordered categories: McCullagh (1980), see `engine.ordinal`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from ..data.problems import Problem, TableError
from ..data.quality_criteria import criteria
from .engine import Factor, Group, Inputs, LabModel, Outcome, expit, namespace
from .engine.bounds import log_normal_tail
from .engine.encode import PARENTS, number, text
from .engine.inputs import slots_for
from .engine.ordinal import LOGISTIC_VARIANCE, MOST, cuts_from
from .quality_answers import Latent, Units, grade_distribution, latent, quality_index, units
from .quality_study import Study

__all__ = ["FAILED_MIN", "MODEL", "MONOTONE", "Latent", "Study", "Units", "fails",
           "grade_distribution", "latent", "quality_index", "units"]

SOURCE = "Prein, Toepper and Daub, 3rd Conference on Production Systems and Logistics (2022)"
MIDDLE_MIN = math.sqrt(32.0 * 64.0)
"""Mixing time (min) that is as far from 32 as from 64 min in ln t."""
FAILED_MIN = 2.0
"""Mixing time (min) at which the published slurry failed: large agglomerates (line 118)."""
POROSITIES = ("dry_porosity", "calendered_porosity")
POROSITY = "porosity"
ORDERINGS = "porosity_orderings__numbers"
EFFECTS = {"slurry": "run", "sheet": "batch"}
HOMES = {"run": "slurry__home", "batch": "sheet__home"}
LEAST = 8
"""Least number of slots of each group."""
MONOTONE: dict[str, Any] = {"porosity_trend": (0.0, 0.3, -5.0, 0.0), "porosity_bend": (1e-3, 0.1)}
"""Priors under which porosity only falls with mixing time, to see what they cannot describe."""


def doublings(milling_min: Any) -> Any:
    """x: doublings of the mixing time, from 45 min (the middle of 32 and 64 in ln t)."""
    return namespace(milling_min).log(milling_min / MIDDLE_MIN) / math.log(2.0)


def bent(x: Any, level: Any, trend: Any, bend: Any) -> Any:
    """Parabola in doublings of the time; ``bend`` above 0 opens it upwards (a minimum)."""
    return level + trend * x + bend * x * x


def best_minutes(trend: Any, bend: Any) -> Any:
    """Mixing time (min) of the extremum of ``bent``; ``bend`` must not be zero."""
    xp = namespace(trend, bend)
    return MIDDLE_MIN * xp.exp(-0.5 * math.log(2.0) * trend / bend)


def fails(milling_min: Any) -> Any:
    """Whether a mixing time is in the class of failures (at most 2 min): no sheet, no porosity."""
    return milling_min <= FAILED_MIN


def build(x: Inputs) -> None:
    """Grades and porosities over mixing time and pressing; slurries, sheets, images, raters."""
    time = x.log("milling_min") * (1.0 / math.log(2.0)) - math.log2(MIDDLE_MIN)
    if any(map(x.wants, (*POROSITIES, "statements"))):
        slurry, sheet = _porosity(x, time)
    else:
        slurry, sheet = (x.normals(name, group)[x.code(group)] for name, group in EFFECTS.items())
    if x.wants("grade"):
        _grades(x, time, slurry, sheet)


def _porosity(x: Inputs, time: Any) -> tuple[Any, Any]:
    """Porosities; returns the standard normals of slurries and sheets over rows."""
    import pytensor.tensor as pt

    unprinted = "no porosity is printed in the source; generic"
    level = x.prior("porosity_level", "Normal", -1.0, 1.0, unit="logit", source=unprinted,
                    meaning="logit of the dry porosity at 45 min (5 to 65 %)")
    trend = x.prior("porosity_trend", "TruncatedNormal", 0.0, 0.3, -5.0, 5.0, unit="logit",
                    source="either sign, even odds",
                    meaning="change of that logit with each doubling of the mixing time")
    bend = x.prior("porosity_bend", "LogNormal", 0.05, 0.7, unit="logit",
                   source="too short mixing fails, too long mixing was more porous (line 118)",
                   meaning="growth of that logit with the square of doublings away from 45 min")
    press = x.prior("pressing", "HalfNormal", 0.7, unit="logit",
                    source="pressing closes pores; pressure not printed",
                    meaning="fall of that logit in the pressing step")
    slurry_sd = x.prior("porosity_slurry_sd", "LogNormal", 0.15, 0.5, unit="logit",
                        source=unprinted + ": 3 points of porosity",
                        meaning="sd between slurries of one recipe")
    sheet_sd = x.prior("porosity_sheet_sd", "LogNormal", 0.08, 0.5, unit="logit",
                       source=unprinted + ": 2 points of porosity",
                       meaning="sd between sheets of one slurry")
    sample_sd = x.prior("porosity_noise", "LogNormal", 0.02, 0.5, unit="1",
                        meaning="sd of one porosity by volume and mass",
                        source="thickness to 1 um of some 50 um, mass to 0.1 mg; generic")
    # Punches tell a sheet's porosity more closely than slurries and sheets are alike: the sampler
    # walks in the logits themselves. Slots of graded criteria have no such place.
    places: dict[Any, Any] = {}
    mean: Any = None
    whole: Any = None
    for (name, group), sd in zip(EFFECTS.items(), (slurry_sd, sheet_sd), strict=True):
        home = x.data(HOMES[group], ndim=2)
        here, of = home[:, 0] > 0.5, home[:, 2].astype("int64")
        mean = bent(home[:, 1], level, trend, bend) if whole is None else whole[of]
        own = x.normals(name, group, around=(pt.where(here, mean, 0.0), pt.where(here, sd, 1.0)))
        places[group] = own[x.code(group)]
        whole = pt.concatenate([pt.zeros(1), mean + sd * own[1:]])
    slurry, sheet = places["run"], places["batch"]
    logit = bent(time, level, trend, bend) + slurry_sd * slurry + sheet_sd * sheet
    for name, fall in zip(POROSITIES, (0.0 * press, press), strict=True):
        x.observe(name, "Normal", mu=expit(logit - fall), sigma=sample_sd)
    if x.wants("statements"):
        told = x.data(ORDERINGS, ndim=2)
        told.set_value(np.zeros((0, 2)))
        more = bent(told[:, 0], level, trend, bend) - bent(told[:, 1], level, trend, bend)
        x.term("porosity_orderings", log_normal_tail(
            more / pt.sqrt(2.0 * (slurry_sd**2 + sheet_sd**2))))
    return slurry, sheet


def _grades(x: Inputs, time: Any, slurry: Any, sheet: Any) -> None:
    import pytensor.tensor as pt

    scale = "in units of the logistic scatter of one grading"
    criterion = x.code("criterion")
    level = x.prior("level", "Normal", 0.0, 1.5, group="criterion", source="centred on the scale",
                    meaning=f"latent quality at 45 min before pressing, {scale}")
    trend = x.prior("trend", "Normal", 0.0, 0.3, group="criterion", source="either sign",
                    meaning="change of it with each doubling of the mixing time")
    bend = x.prior("bend", "LogNormal", 0.05, 0.7, group="criterion",
                   source="much worse at 2 than at 32 min, more agglomerates at 64 (line 118)",
                   meaning="fall of it with the square of doublings away from 45 min")
    gain = x.prior("contact_gain", "HalfNormal", 1.0, source="pressing improves contacts: line 118",
                   meaning="gain of contacts in the pressing step")
    shift = x.prior("homogeneity_shift", "Normal", 0.0, 0.2,
                    source="pressing does not improve distributions: line 118",
                    meaning="change of distributions in the pressing step")
    slurry_sd = x.prior("slurry_sd", "LogNormal", 0.5, 0.5,
                        source="generic; one slurry a level is published",
                        meaning="sd between slurries of one recipe")
    sheet_sd = x.prior("sheet_sd", "LogNormal", 0.3, 0.5, source="generic",
                       meaning="sd between sheets of one slurry")
    clear = x.prior("image_sd", "LogNormal", 0.5, 0.4, source="measurability high",
                    meaning="sd between images of one sheet, criteria that images show well")
    unclear = x.prior("image_sd_unclear", "LogNormal", 1.5, 0.4, source="measurability low",
                      meaning="the same where images hardly show them (contacts of carbon)")
    rater_sd = x.prior("rater_sd", "LogNormal", 0.5, 0.5,
                       source="judged by eye; no scale is printed",
                       meaning="sd between raters: severe or mild")
    steps = x.prior("step", "LogNormal", (1.2,) * (MOST - 2), (0.5,) * (MOST - 2),
                    source="neighbouring grades lie about one scatter apart; a third to three",
                    meaning="distance between cuts, from the lowest grades seen upwards")

    contact = x["criterion_contact"]
    pressed = x["compacted"] * (contact * gain + (1.0 - contact) * shift)
    unit = bent(time, level[criterion], trend[criterion], -bend[criterion])
    unit = x.report("slurry_quality", unit + slurry_sd * slurry + pressed)
    measurable = x["criterion_measurable"]
    image_sd = measurable * clear + (1.0 - measurable) * unclear
    place = unit + sheet_sd * sheet + x.effect("image", "image", image_sd)
    # An image that was graded once has its deviation in the scatter of that grade.
    scatter = pt.sqrt(1.0 + x.alone("image") * image_sd**2 / LOGISTIC_VARIANCE)
    cuts = cuts_from([steps[k : k + 1] for k in range(MOST - 2)], x.categories("grade"))
    x.observe("grade", "Ordered", mu=place - x.effect("rater", "rater", rater_sd), sigma=scatter,
              cuts=cuts)


def prepare(rows: pd.DataFrame, fitting: bool) -> tuple[pd.DataFrame, list[str]]:
    """The same rows with a criterion each and what it is about in numbers; whole units counted.

    Rows without one are about the porosity.

    Raises
    ------
    data.TableError
        In a table that is fitted: for grades without criterion, rater or image, outside their
        scale, or of the porosity; for porosities beside a grade, or at a failing mixing time.
    """
    if fitting:
        _refuse(rows)
    known = criteria()
    rows = rows.copy()
    name = text(rows, "criterion").where(text(rows, "criterion").ne(""), POROSITY)
    rows["criterion"] = name
    rows["criterion_measurable"] = known["measurable"].reindex(name).to_numpy(dtype=float)
    rows["criterion_contact"] = name.str.startswith("contact").to_numpy(dtype=float)
    return rows, [units(rows).sentence] if fitting else []


def _refuse(rows: pd.DataFrame) -> None:
    grade = number(rows, "grade")
    graded = ~np.isnan(grade)
    porous = [(name, ~np.isnan(number(rows, name))) for name in POROSITIES]
    labels = {name: text(rows, name) for name in ("criterion", "rater", "image")}
    low, high = number(rows, "scale_from"), number(rows, "scale_to")
    minutes = number(rows, "milling_min")
    problems = []
    mend = {
        "criterion": "the criterion that the grade is about",
        "rater": "who graded the image; grades of unnamed raters cannot be told from differences "
                 "between cathodes (one name for all if one person graded all)",
        "image": "the image (field of view); grades of one image are not several images",
    }
    for k, label in enumerate(rows.index):
        if graded[k]:
            for name, what in mend.items():
                if not labels[name].iloc[k]:
                    problems.append(Problem(label, name, "nothing", what))
            if labels["criterion"].iloc[k] == POROSITY:
                problems.append(Problem(label, "grade", grade[k], "no grade: porosity is measured; "
                                        "it goes into dry_porosity or calendered_porosity"))
            if grade[k] < low[k] or grade[k] > high[k]:
                problems.append(Problem(label, "grade", int(grade[k]),
                                        f"a grade of its scale, {low[k]:g} to {high[k]:g}"))
        for name, has in porous:
            if not has[k]:
                continue
            if graded[k] or labels["criterion"].iloc[k] not in ("", POROSITY):
                problems.append(Problem(label, name, number(rows, name)[k], "a row of its own, "
                                        "without grade and criterion"))
            if fails(minutes[k]):
                problems.append(Problem(
                    label, name, number(rows, name)[k],
                    f"no porosity: slurries mixed for {FAILED_MIN:g} min or less have large "
                    "agglomerates and give no sheet; enter status failed with the reason"))
    if problems:
        raise TableError("grades and porosities", problems)


def encode_orderings(
    rows: pd.DataFrame, table: pd.DataFrame, statements: bool
) -> dict[str, np.ndarray]:
    """Stated orderings of porosity over mixing time: doublings of the higher, of the lower.

    An ordering names the more porous end as ``value`` of a pair ``value_low``, ``value_high``. The
    same pair before and after pressing is the same slurries, and counts once.

    Raises
    ------
    data.TableError
        If a porosity stands on a slurry that failed.
    """
    _refuse_failed(table)
    kind, about = text(table, "kind"), text(table, "outcome")
    use = (kind.eq("statement") & about.isin(POROSITIES) & text(table, "over").eq("milling_min")
           & text(table, "statement").eq("ordering")).to_numpy()
    value, low, high = (number(table, c) for c in ("value", "value_low", "value_high"))
    pairs = {(text(table, "study").iloc[k], value[k], low[k] + high[k] - value[k])
             for k in np.flatnonzero(use) if value[k] in (low[k], high[k])} if statements else set()
    found = [(doublings(more), doublings(less)) for _, more, less in sorted(pairs)]
    return {ORDERINGS: np.array(found, dtype=float).reshape(-1, 2)}


def encode_homes(
    rows: pd.DataFrame, table: pd.DataFrame, statements: bool
) -> dict[str, np.ndarray]:
    """Of each slurry and sheet: whether it is one of porosities, doublings, slot of its slurry."""
    codes = {}
    for group in HOMES:
        labels = (text(rows, column) for column in ("criterion", *PARENTS[group]))
        keys = list(zip(*labels, strict=True))
        known = {key: slot for slot, key in enumerate(dict.fromkeys(keys), 1)}
        codes[group] = np.array([known[key] for key in keys], dtype="int64")
    told = np.stack([text(rows, "criterion").eq(POROSITY).to_numpy(dtype=float),
                     doublings(number(rows, "milling_min")), codes["run"].astype(float)], axis=1)
    homes = {}
    for group, name in HOMES.items():
        homes[name] = np.zeros((slots_for(len(set(codes[group])), LEAST), 3))
        homes[name][codes[group] - 1] = told
    return homes


def _refuse_failed(table: pd.DataFrame) -> None:
    failed = text(table, "status").eq("failed")
    unit = text(table, "study") + "|" + text(table, "run")
    dead = set(unit[failed & text(table, "run").ne("")])
    problems = []
    for name in POROSITIES:
        has = ~np.isnan(number(table, name))
        for k in np.flatnonzero(has & (failed | unit.isin(dead)).to_numpy()):
            problems.append(Problem(table.index[k], name, number(table, name)[k],
                                    "no porosity: this slurry failed (column status)"))
    if problems:
        raise TableError("grades and porosities", problems)


MODEL = LabModel(
    name="quality",
    build=build,
    factors=(Factor("milling_min"), Factor("compacted", default=0.0, level="row"),
             Factor("criterion_measurable", default=1.0, level="row"),
             Factor("criterion_contact", default=0.0, level="row")),
    groups=(Group("criterion", varies=False, reference=POROSITY),
            Group("run", within=("criterion",)), Group("batch", within=("criterion",)),
            Group("image", within=("criterion",), reference="", lone_in_noise=True),
            Group("rater", reference="")),
    outcomes=(Outcome("grade", "Ordered", ("scale_from", "scale_to"), optional=True),
              Outcome("dry_porosity", optional=True),
              Outcome("calendered_porosity", optional=True)),
    encoders=(encode_orderings, encode_homes),
    prepare=prepare,
    adaptation="diag",
    accept=0.9,
    least_slots=LEAST,
    what="Grades of images by quality criterion, and porosity before and after pressing, over "
         "mixing time. Informed by: nothing published",
    source=SOURCE,
)
