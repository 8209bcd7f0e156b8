"""What a fit of grades and porosities says, unit by unit; and how many units there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..data.quality_criteria import criteria
from .engine.encode import NOT_DONE, number, text

if TYPE_CHECKING:
    from .engine.fit import Fit

LEVEL = 0.9
READINGS = ("grade", "dry_porosity", "calendered_porosity")
TOWARDS = {"quality": "direction", "ionic": "ionic_sign", "electronic": "electronic_sign"}


@dataclass(frozen=True)
class Units:
    """What counts as how many in a table of sheets, punches and images.

    Attributes
    ----------
    table
        Index ``milling_min``: numbers of slurries (whole units), failed slurries, sheets, punches,
        images, and of readings; ``porosity`` says whether the time has one that is usable.
    whole_units, usable_levels
        Number of slurries, and of mixing times with a usable porosity.
    sentence
        The same in words.
    """

    table: pd.DataFrame
    whole_units: int
    usable_levels: int
    sentence: str

    def __str__(self) -> str:
        return f"{self.table.to_string()}\n{self.sentence}"


def units(table: pd.DataFrame) -> Units:
    """Count whole units: slurries, whatever was cut from them and read on them.

    Eight punches of a slurry are one slurry; two punches of one sheet are one sheet. A row without
    a slurry (``run``) is taken as of the one slurry of its study and mixing time.

    Parameters
    ----------
    table
        Rows of a quality table; statements are not counted.

    Raises
    ------
    ValueError
        If there is no mixing time.
    """
    if "milling_min" not in table:
        raise ValueError("the table has no column 'milling_min'; units are counted by mixing time")
    rows: Any = table.loc[~text(table, "kind").eq("statement") & table["milling_min"].notna()]
    status = text(rows, "status")
    rows = rows.loc[~status.isin(NOT_DONE - {"failed"})]
    failed = text(rows, "status").eq("failed").to_numpy()
    minutes = number(rows, "milling_min")
    study, run = text(rows, "study"), text(rows, "run")
    slurry = np.array([f"{s}|{r or m}" for s, r, m in zip(study, run, minutes, strict=True)])
    parts = {"slurries": slurry}
    above = slurry
    for name, column in (("sheets", "batch"), ("punches", "cell")):
        label = text(rows, column).to_numpy()
        above = np.array([f"{a}|{b}" if b else "" for a, b in zip(above, label, strict=True)])
        parts[name] = above
    view = text(rows, "image").to_numpy()
    parts["images"] = np.array([f"{s}|{b}|{v}" if v else "" for s, b, v in zip(
        slurry, text(rows, "batch"), view, strict=True)])
    measured = {name: ~np.isnan(number(rows, name)) for name in READINGS}
    porous = (measured["dry_porosity"] | measured["calendered_porosity"]) & ~failed
    found = []
    for time in np.unique(minutes):
        here = minutes == time
        found.append({
            "milling_min": float(time),
            **{name: len(set(labels[here]) - {""}) for name, labels in parts.items()},
            "failed": len(set(slurry[here & failed])),
            "readings": int(sum(has[here].sum() for has in measured.values())),
            "porosity": bool(porous[here].any())})
    counts: Any = pd.DataFrame(found, columns=[
        "milling_min", "slurries", "failed", "sheets", "punches", "images", "readings",
        "porosity"]).set_index("milling_min")
    whole, usable = int(counts["slurries"].sum()), int(counts["porosity"].sum())
    readings, lone = int(counts["readings"].sum()), bool((counts["slurries"] <= 1).all())
    sentence = (f"{readings} readings of {whole} slurries at {len(counts)} mixing times: {whole} "
                f"whole units, {usable} mixing times with a usable porosity")
    if int(counts["failed"].sum()):
        sentence += f"; {int(counts['failed'].sum())} slurries failed"
    if whole and lone:
        sentence += ("; one slurry a mixing time, so that the spread between slurries is the "
                     "prior's and no number of punches or images replaces a second slurry")
    return Units(counts, whole, usable, sentence)


@dataclass(frozen=True)
class Latent:
    """Latent homogeneity or contact of each slurry, criterion by criterion.

    Attributes
    ----------
    table
        One row for each criterion, slurry and state (pressed or not): what stands behind it, median
        and interval.
    draws
        ``(draws, rows of the table)``.
    """

    table: pd.DataFrame
    draws: np.ndarray

    def better(self, criterion: str, compacted: float | None = None) -> pd.DataFrame:
        """P(the slurry of the row is better than that of the column) in one criterion.

        Parameters
        ----------
        criterion
            One that was graded.
        compacted
            0 or 1 where a slurry was graded in both states.

        Raises
        ------
        ValueError
            If the criterion was not graded.
        """
        table: Any = self.table
        use = table["criterion"].eq(criterion)
        if not use.any():
            raise ValueError(f"{criterion!r} was not graded; there are grades of "
                             f"{', '.join(dict.fromkeys(table['criterion']))}")
        if compacted is not None:
            use &= table["compacted"].eq(compacted)
        at = np.flatnonzero(use.to_numpy())
        values = self.draws[:, at]
        chance = (values[:, :, None] > values[:, None, :]).mean(axis=0)
        np.fill_diagonal(chance, np.nan)
        state = table["compacted"].map({0.0: "", 1.0: " pressed"})
        names = (table["slurry"] + state).iloc[at].to_list()
        return pd.DataFrame(chance, index=names, columns=names)


def latent(fit: Fit, level: float = LEVEL) -> Latent:
    """Latent quality of every graded slurry, freed of sheet, image and rater.

    Parameters
    ----------
    fit
        A fit of ``models.get("quality")`` to a table with grades.
    level
        Level of the equal-tailed intervals.

    Raises
    ------
    ValueError
        If the table has no grades.
    """
    columns, levels = fit.encoded.columns, fit.encoded.levels
    read = columns["grade__row"]
    if not len(read):
        raise ValueError("this fit has no grades: there is no latent quality to speak of")
    values = fit.at_rows(("quantity:slurry_quality",))["quantity:slurry_quality"]
    given: Any = fit.table.loc[[fit.encoded.index[k] for k in read]]
    keys = list(zip(columns["criterion"][read], columns["run"][read], columns["compacted"][read],
                    columns["milling_min"][read], strict=True))
    low, high = 0.5 - level / 2, 0.5 + level / 2
    rows, draws = [], []
    for key in dict.fromkeys(keys):
        mine = np.array([k == key for k in keys])
        criterion, run, compacted, minutes = key
        part = given.loc[mine]
        own = values[:, read[np.flatnonzero(mine)[0]]]
        draws.append(own)
        name = levels["run"][int(run) - 1].split(" / ", 1)[1]
        rows.append({
            "criterion": levels["criterion"][int(criterion) - 1], "slurry": name,
            "milling_min": float(minutes), "compacted": float(compacted),
            "sheets": len(set(columns["batch"][read][mine])),
            "images": part[["image", *(c for c in ("batch",) if c in part)]].drop_duplicates()
            .shape[0],
            "raters": part["rater"].nunique(), "grades": int(mine.sum()),
            "median": float(np.median(own)),
            f"low ({100 * level:g} % equal-tailed)": float(np.quantile(own, low)),
            f"high ({100 * level:g} % equal-tailed)": float(np.quantile(own, high))})
    return Latent(pd.DataFrame(rows), np.stack(draws, axis=1))


def grade_distribution(fit: Fit, settings: pd.DataFrame, *, seed: int = 1) -> pd.DataFrame:
    """Probability of each grade for one new image of a new slurry, by an unknown rater.

    Parameters
    ----------
    fit
        A fit of ``models.get("quality")`` to a table with grades.
    settings
        ``criterion``, ``milling_min`` and ``compacted``; labels of ``run``, ``batch`` or ``rater``
        name known ones.
    seed
        Of the new slurries, images and raters.

    Returns
    -------
    DataFrame
        One row for each setting, one column for each grade that the table holds, summing to 1; a
        grade that nobody gave has no column.

    Raises
    ------
    ValueError
        If a setting names no criterion that was graded, or the table has no grades.
    """
    known = fit.encoded.categories["grade"]
    if not known:
        raise ValueError("this fit has no grades: it predicts none")
    names = text(settings, "criterion")
    graded = fit.encoded.levels["criterion"]
    for label, name in names.items():
        if name not in graded:
            raise ValueError(f"setting {label!r}: criterion {name or 'nothing'!r} was not graded; "
                             f"there are grades of {', '.join(graded)}")
    drawn = fit.predict(settings, of="cell", outcome="grade", seed=seed).to_numpy()
    shares = {int(grade): (drawn == rank).mean(axis=0) for rank, grade in enumerate(known, 1)}
    return pd.DataFrame(shares, index=settings.index)


def quality_index(z: Mapping[str, Any], weights: Mapping[str, float], *, towards: str = "quality",
                  table: pd.DataFrame | None = None) -> Any:
    """Q = sum of weight x sign x z over criteria.

    Parameters
    ----------
    z
        Criterion -> its value on a common scale, numbers or arrays of one shape.
    weights
        Criterion -> weight, not negative. They are yours: none is published.
    towards
        Whose sign: ``"quality"`` (whether more is better), ``"ionic"`` or ``"electronic"`` (effect
        on that conductivity; criteria without one count nothing).
    table
        Criteria as ``data.quality_criteria.criteria`` returns them; the published ones if not
        given. Where a sign comes from (``merged``) plays no part.

    Raises
    ------
    ValueError
        If a weight or a criterion is missing, unknown or negative.
    """
    known = criteria() if table is None else table
    if towards not in TOWARDS:
        raise ValueError(f"towards={towards!r} is none of {', '.join(TOWARDS)}")
    unknown = [name for name in z if name not in known.index]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no criterion; there are {', '.join(known.index)}")
    lacking = [*(name for name in z if name not in weights),
               *(name for name in weights if name not in z)]
    if lacking:
        raise ValueError(f"weights and values do not name the same criteria: {lacking[0]!r} is in "
                         "one of them only. Weights are yours to give; the source has none")
    if min(weights.values()) < 0:
        raise ValueError("a weight is not below 0: the sign is the criterion's")
    sign: Any = known[TOWARDS[towards]]
    return sum(weights[name] * float(sign[name]) * np.asarray(value) for name, value in z.items())
