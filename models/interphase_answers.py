"""Answers of an interphase fit: joint draws of its coatings, and where its noise comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .interphase_rows import GROWTH, RESISTANCE, RESTED, START_CYCLE

if TYPE_CHECKING:
    from .engine.fit import Fit


@dataclass(frozen=True)
class CoatingDraws:
    """What a fit says about its coatings, one value a draw.

    Attributes
    ----------
    ln_growth, ln_end
        Columns are coatings, rows draws: ln of k (ohm cm2 h^-1/2) and of the resistance at rest
        after hold and discharge (ohm cm2), both of a typical cell. Coatings without a reading of
        the one or the other are not among its columns.
    growth_sd, end_sd
        Sd of the same logarithms for one more cell of a new batch, reading error included.
    correlation
        Correlation of the two in one more cell of a new batch.
    cells, batches
        Number of cells and of batches of each coating.
    """

    ln_growth: pd.DataFrame
    ln_end: pd.DataFrame
    growth_sd: np.ndarray
    end_sd: np.ndarray
    correlation: np.ndarray
    cells: pd.Series
    batches: pd.Series


def _draws(fit: Fit, name: str) -> np.ndarray:
    values = fit.posterior[f"interphase.{name}"].to_numpy()
    return values.reshape(-1, *values.shape[2:])


def coating_draws(fit: Fit) -> CoatingDraws:
    """Joint draws of the coatings of a fit.

    Raises
    ------
    ValueError
        If the fit is of another model.
    """
    if fit.model.name != "interphase":
        raise ValueError(f"coatings are ranked on a fit of 'interphase', not of "
                         f"{fit.model.name!r}")
    names = fit.encoded.levels["coating"]
    at = slice(1, len(names) + 1)
    end = np.log(_draws(fit, "start_resistance")[:, at]) + _draws(fit, "rise")[:, at]
    sd = {name: _draws(fit, name) for name in (
        "batch_resistance_sd", "cell_resistance_sd", "batch_growth_sd", "cell_growth_sd",
        "state_sd", "reading_sd", "growth_reading_sd")}
    growth_sd = np.sqrt(
        sd["batch_growth_sd"]**2 + sd["cell_growth_sd"]**2 + sd["growth_reading_sd"]**2)
    end_sd = np.sqrt(sd["batch_resistance_sd"]**2 + sd["cell_resistance_sd"]**2
                     + sd["state_sd"]**2 + sd["reading_sd"]**2)
    common = (sd["batch_resistance_sd"] * sd["batch_growth_sd"]
              + sd["cell_resistance_sd"] * sd["cell_growth_sd"])
    cells, batches = _counts(fit)
    k = pd.DataFrame(np.log(_draws(fit, "growth")[:, at]), columns=names)
    after = pd.DataFrame(end, columns=names)
    with_growth, with_end = _read(fit)
    return CoatingDraws(
        k.loc[:, [n in with_growth for n in names]], after.loc[:, [n in with_end for n in names]],
        growth_sd, end_sd, _draws(fit, "shared") * common / (growth_sd * end_sd), cells, batches)


def _read(fit: Fit) -> tuple[set[str], set[str]]:
    """Coatings with a slope or two resistances of one hold, and those with a rested end."""
    columns, names = fit.encoded.columns, fit.encoded.levels["coating"]
    of = columns["coating"]
    slopes = set(of[columns[f"{GROWTH}__row"]])
    rows = columns[f"{RESISTANCE}__row"]
    held = rows[columns["hold_h"][rows] >= 0]
    cells, count = np.unique(columns["cell"][held], return_counts=True)
    series = set(of[held[np.isin(columns["cell"][held], cells[count > 1])]])
    rested = rows[columns["hold_h"][rows] == RESTED]
    end = set(of[rested[columns["cycle"][rested] > START_CYCLE]])
    return {names[c - 1] for c in slopes | series}, {names[c - 1] for c in end}


def _counts(fit: Fit) -> tuple[pd.Series, pd.Series]:
    columns, names = fit.encoded.columns, fit.encoded.levels["coating"]
    read = np.unique(np.concatenate([columns[f"{RESISTANCE}__row"], columns[f"{GROWTH}__row"]]))
    seen = pd.DataFrame({level: columns[level][read] for level in ("coating", "batch", "cell")})
    cells, batches = (
        pd.Series([seen.loc[seen["coating"].eq(k + 1), level].nunique()
                   for k in range(len(names))], index=names) for level in ("cell", "batch"))
    return cells, batches


def noise(fit: Fit) -> str:
    """One sentence: is the spread between cells and between batches learnt or assumed?

    It counts as learnt where the posterior of its sd is at most 0.8 times as wide as the prior,
    for ln k or for ln R.
    """
    cells, batches = _counts(fit)
    found = coating_draws(fit)
    widths = (f"sd of ln k {np.median(found.growth_sd):.2f}, of ln R_end "
              f"{np.median(found.end_sd):.2f} for one more cell, posterior medians")
    coatings = int((cells > 0).sum())
    if cells.sum() == coatings:
        return (f"The noise is an assumption: the table holds one cell a coating and no spread, so "
                f"that the spread between batches and cells is the prior's ({widths}).")
    of = "coating" if coatings == 1 else "coatings"
    said = {}
    for level, count in (("cell", cells), ("batch", batches)):
        kinds = f"{int(count.sum())} {'cells' if level == 'cell' else 'batches'}"
        said[level] = (f"learnt from {kinds} of {coatings} {of}" if _learnt(fit, level) else
                       f"an assumption, the prior's, to which {kinds} add little")
    return (f"The noise between cells is {said['cell']}; that between batches is {said['batch']} "
            f"({widths}).")


def _learnt(fit: Fit, level: str) -> bool:
    from .engine.fit import FROM_PRIOR

    ratios = [np.log(_draws(fit, name)).std() / fit.priors[f"interphase.{name}"].width()
              for name in (f"{level}_growth_sd", f"{level}_resistance_sd")]
    return bool(min(ratios) <= FROM_PRIOR)
