"""Split plots: effects of factors that whole runs share, and of those that vary within a run.

One furnace run at one temperature gives four samples: for the temperature that is one reading, not
four. A run's own error (how the furnace stood that day) is a random effect beside the scatter of
the cells:

    reading = mean + effects of hard factors + effects of easy factors + run + cell

with half-normal priors on the standard deviations of runs and cells, and flat priors on the mean
and on the effects. Few runs say little about their own scatter: with two runs an arm the interval
rests on its prior as much as on the data, and is said to.

References
----------
Jones and Nachtsheim, J. Qual. Technol. 41 (2009) 340 (split plots: what, why, how).
Gelman, Bayesian Anal. 1 (2006) 515 (priors of group scatter).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t as student

from . import mixed
from .errors import CampaignError, listing, percent
from .mixed import Mixed
from .ranking import LEVEL
from .split_rows import Part, units

FEW = 4
"""Runs beyond the number of effects that they bear, below which their scatter is hardly seen."""
WIDTH = 2.0
"""Scale of a prior that is not given, in standard deviations of the residuals."""


@dataclass(frozen=True)
class SplitPlot:
    """Effects, their intervals, and what the analysis that ignores the runs would have said.

    Attributes
    ----------
    table : DataFrame
        One row an effect: ``factor``, ``effect`` (``600 -> 700`` or ``mill - hand``), ``varies``
        (between runs, or within them), ``mean``, ``low``, ``high``, ``p_above`` (probability of
        being above zero), ``units`` (runs or cells that tell of it), and ``naive_mean``,
        ``naive_low``, ``naive_high``: least squares with every cell counted as a replicate.
        Intervals are equal-tailed at `level`; those of the effects are Bayesian.
    scatter : DataFrame
        ``run`` and ``cell``: posterior median and interval of the standard deviation, its prior's
        scale.
    runs, cells : int
    sentence : str
    notes : list of str
    """

    table: pd.DataFrame
    scatter: pd.DataFrame
    runs: int
    cells: int
    sentence: str
    notes: list[str]
    level: float
    outcome: str
    posterior: Mixed
    parts: tuple[Part, ...]

    def predict(self, settings: object) -> pd.DataFrame:
        """The mean of settings, of their next run, and of its next cell, kept apart.

        Parameters
        ----------
        settings : table with the factors

        Returns
        -------
        DataFrame
            ``mean``, and equal-tailed intervals at `level`: ``mean_low`` to ``mean_high`` of the
            setting's true mean, ``run_low`` to ``run_high`` of the true mean of its next run,
            ``cell_low`` to ``cell_high`` of one cell of that run.
        """
        table = pd.DataFrame(settings).reset_index(drop=True)  # pyright: ignore
        x = np.column_stack([np.ones(len(table)), *(c for p in self.parts for c in p.code(table))])
        run, cell = self.posterior.between**2, self.posterior.within**2
        rows = []
        for at in x:
            made: dict[str, float] = {"mean": self.posterior.average(at)}
            for name, further in (("mean", 0.0), ("run", run), ("cell", run + cell)):
                ends = self.posterior.interval(at, self.level, further)
                made[f"{name}_low"], made[f"{name}_high"] = ends
            rows.append(made)
        return pd.concat([table, pd.DataFrame(rows)], axis=1)

    def __str__(self) -> str:
        return "\n\n".join(
            [self.table.to_string(index=False), self.scatter.to_string(), self.sentence,
             *self.notes]
        )

    def _repr_html_(self) -> str:
        said = "".join(f"<p>{text}</p>" for text in (self.sentence, *self.notes))
        return self.table.to_html(index=False) + self.scatter.to_html() + said


def split_plot(
    rows: pd.DataFrame,
    outcome: str,
    *,
    hard: Sequence[str],
    easy: Sequence[str] = (),
    run: str = "run",
    run_sd: float | None = None,
    cell_sd: float | None = None,
    level: float = LEVEL,
) -> SplitPlot:
    """Effects of factors of whole runs and of factors within them.

    Parameters
    ----------
    rows : DataFrame
        One row a reading; failed and planned ones are left out. Readings of one ``cell`` at the
        same setting are averaged; ``<outcome>_n`` is how many cells a row is the mean of.
    outcome : str
    hard : list of str
        Factors that are the same in all of a run: text compares each level with the first, a
        number has a linear effect from its lowest to its highest value.
    easy : list of str
        Factors that vary within runs.
    run : str
        Column of the run's label.
    run_sd, cell_sd : float, optional
        Scales of the half-normal priors of the scatter of runs and of cells, in the unit of the
        outcome: from earlier work, or the most that would not surprise. Without one, twice the
        standard deviation of the residuals of these data.
    level : float

    Returns
    -------
    SplitPlot

    Raises
    ------
    CampaignError
        If a column is missing, a hard factor differs within a run, or effects cannot be told
        apart.
    """
    if not hard and not easy:
        raise CampaignError("split_plot needs factors: hard=['anneal_degC'], easy=['milling_min']")
    if not 0.0 < level < 1.0:
        raise CampaignError(f"level={level!r} must lie between 0 and 1, such as 0.9")
    made = units(rows, outcome, hard, easy, run)
    x = np.column_stack([np.ones(len(made.y)), *(c for p in made.parts for c in p.columns)])
    if np.linalg.matrix_rank(x) < x.shape[1]:
        names = [p.name for p in made.parts]
        raise CampaignError(
            f"the effects of {listing(names)} cannot be told apart: {len(made.y)} cells in "
            f"{made.runs} runs have too few different settings. Leave a factor out, or add runs"
        )
    spread = WIDTH * mixed.residual_sd(x, made.y)
    scales = {"run": _scale("run_sd", run_sd, spread), "cell": _scale("cell_sd", cell_sd, spread)}
    found = mixed.fit(x, made.y, made.group, scales["run"], scales["cell"], made.weight)
    table = _effects(found, x, made.y, made.weight, made.parts, level)
    scatter = pd.DataFrame(
        [
            (*found.scatter(which, level), scales[name])
            for name, which in (("run", "between"), ("cell", "within"))
        ],
        index=pd.Index(["run", "cell"], name="sd of"),
        columns=["median", "low", "high", "prior_scale"],
    )
    said = _told(table, made.runs, len(made.y), outcome, level)
    notes = _notes(made.parts, made.runs, scales, (run_sd, cell_sd)) + made.notes
    notes += mixed.slips(
        x, made.y, made.group, outcome, made.weight,
        between=("run_sd", run_sd), within=("cell_sd", cell_sd),
    )  # fmt: skip
    return SplitPlot(
        table, scatter, made.runs, len(made.y), said, notes, level, outcome, found, made.parts
    )


def _scale(name: str, given: float | None, spread: float) -> float:
    if given is None:
        return spread
    if not np.isfinite(given) or given <= 0.0:
        raise CampaignError(
            f"{name}={given!r} must be above 0: the scale of a half-normal prior, in the unit of "
            "the outcome"
        )
    return float(given)


def _effects(
    found: Mixed, x: np.ndarray, y: np.ndarray, w: np.ndarray, parts: Sequence[Part], level: float
) -> pd.DataFrame:
    mean, sd, free = _least_squares(x, y, w)
    wide = student.ppf(0.5 + level / 2.0, free) if free else np.inf
    rows, at = [], 1
    for part in parts:
        for label, count in zip(part.labels, part.units, strict=True):
            one = np.zeros(x.shape[1])
            one[at] = 1.0
            low, high = found.interval(one, level)
            rows.append(
                {
                    "factor": part.name,
                    "effect": label,
                    "varies": "between runs" if part.hard else "within runs",
                    "mean": found.average(one),
                    "low": low,
                    "high": high,
                    "p_above": found.above(one),
                    "units": f"{count} {'runs' if part.hard else 'cells'}",
                    "naive_mean": mean[at],
                    "naive_low": mean[at] - wide * sd[at],
                    "naive_high": mean[at] + wide * sd[at],
                }
            )
            at += 1
    return pd.DataFrame(rows)


def _least_squares(
    x: np.ndarray, y: np.ndarray, w: np.ndarray
) -> tuple[np.ndarray, np.ndarray, int]:
    """Coefficients, standard errors and degrees of freedom with every cell a replicate."""
    inverse = np.linalg.inv(x.T @ (w[:, None] * x))
    mean = inverse @ (x.T @ (w * y))
    free = len(y) - x.shape[1]
    rest = y - x @ mean
    variance = float(w @ rest**2) / free if free else 0.0
    return mean, np.sqrt(variance * np.diag(inverse)), free


def _told(table: pd.DataFrame, runs: int, cells: int, outcome: str, level: float) -> str:
    said = []
    for row in table.to_dict("records"):
        wide = row["high"] - row["low"]
        naive = row["naive_high"] - row["naive_low"]
        text = (
            f"{row['factor']} ({row['effect']}) changes {outcome} by {row['mean']:.3g} "
            f"({row['low']:.3g} to {row['high']:.3g})"
        )
        if row["varies"] == "between runs" and np.isfinite(naive) and wide > naive > 0.0:
            text += (
                f"; counting cells as replicates would have given an interval {wide / naive:.1f} "
                "times as narrow"
            )
        said.append(text)
    return (
        f"{'; '.join(said)}. {percent(level)} equal-tailed intervals, from {runs} runs with "
        f"{cells} cells."
    )


def _notes(
    parts: Sequence[Part], runs: int, scales: dict[str, float], given: tuple[float | None, ...]
) -> list[str]:
    hard = [p for p in parts if p.hard]
    left = runs - 1 - sum(len(p.labels) for p in hard)
    notes = []
    if hard and left <= 0:
        notes.append(
            f"{runs} runs leave nothing to see their scatter by: intervals of "
            f"{listing(p.name for p in hard)} rest on its prior (scale {scales['run']:.3g}) alone"
        )
    elif hard and left < FEW:
        notes.append(
            f"{runs} runs show little of their scatter ({left} degrees of freedom): intervals of "
            f"{listing(p.name for p in hard)} lean on its prior (scale {scales['run']:.3g})"
        )
    if None in given:
        notes.append(
            "priors of the scatter are twice the residuals' standard deviation of these data; "
            "give run_sd and cell_sd where earlier work knows them"
        )
    return notes
