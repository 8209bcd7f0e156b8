"""What is known of coatings: joint draws of ln k and ln R_end, and the noise of one more cell.

Two ways lead here. ``from_fit`` takes a fit of the interphase model. ``assumed`` takes printed
values and a noise that somebody assumes: with one value a coating and no spread printed there is
nothing else, and every answer says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .errors import CampaignError, unknown

if TYPE_CHECKING:
    from ..models.engine.fit import Fit

GROWTH, END, BOTH = "growth", "end_resistance", "both"
QUANTITIES = {
    GROWTH: "k, the growth in the hold (ohm cm2 h^-1/2)",
    END: "R_end, the resistance at rest after it (ohm cm2)",
}
WEIGHTS: Mapping[str, float] = {GROWTH: 0.5, END: 0.5}
"""Weights of ln k and ln R_end in a ranking by both, where none are given."""
CORRELATION = 0.5
"""Correlation of the noise of ln k with that of ln R_end, where it is assumed: little contact area
raises both, and nothing printed says how much of the noise that is."""
LARGEST_OFFSET_MV = 10.0
"""Offset of a relaxed potential beyond which values are not compared without a correction."""


@dataclass(frozen=True)
class Evidence:
    """What is known of some coatings, on the scale of ln; small is good.

    Attributes
    ----------
    draws
        Quantity -> DataFrame of joint draws ``(draw, coating)``.
    noise
        Quantity -> sd of ln of one more cell, of a new batch, ``(draw,)``.
    centre
        Quantity -> best value of each coating.
    relative
        Quantity -> covariance of the coatings' values in units of the noise squared: 1 / n on the
        diagonal for n independent cells.
    correlation
        Correlation of the noise of both quantities, ``(draw,)``.
    basis
        One sentence on where the noise comes from; part of every answer.
    """

    draws: Mapping[str, pd.DataFrame]
    noise: Mapping[str, np.ndarray]
    centre: Mapping[str, pd.Series]
    relative: Mapping[str, pd.DataFrame]
    correlation: np.ndarray
    basis: str

    @property
    def quantities(self) -> list[str]:
        """Quantities that coatings can be ranked by."""
        return [*self.draws, BOTH] if len(self.draws) == 2 else list(self.draws)


@dataclass(frozen=True)
class Score:
    """One number a coating, to be small: a quantity's ln, or the weighted sum of both.

    Attributes
    ----------
    draws, noise, centre, relative
        As in `Evidence`, of the one number.
    name
        What it is, weights included.
    """

    draws: pd.DataFrame
    noise: np.ndarray
    centre: pd.Series
    relative: pd.DataFrame
    name: str


def printed(table: pd.DataFrame) -> pd.DataFrame:
    """Values of each coating in a long table: one row a reading, as the interphase model takes it.

    Parameters
    ----------
    table
        Columns ``coating``, ``growth_ohm_cm2_sqrth``, ``resistance_ohm_cm2`` with ``cycle`` or
        ``time_point``, ``direction``, ``hold_h``.

    Returns
    -------
    DataFrame
        Index ``coating``; for each quantity its geometric mean over cells and, in
        ``<quantity>_cells``, how many cells that is (rows without a label are one cell).

    Raises
    ------
    CampaignError
        If nothing is there to rank by, a value is not above zero, or relaxed potentials differ by
        more than `LARGEST_OFFSET_MV`.
    """
    from ..models.engine.encode import number, text
    from ..models.interphase_rows import GROWTH as SLOPE
    from ..models.interphase_rows import RESISTANCE, RESTED, START_CYCLE, prepare

    usable = ~text(table, "kind").eq("statement") & text(table, "status").isin(["", "done"])
    kept: Any = table[usable]
    rows, _ = prepare(kept, True)
    offset = np.abs(number(rows, "soc_offset_mV", 0.0))
    if (offset > LARGEST_OFFSET_MV).any():
        label = rows.index[int(np.argmax(offset > LARGEST_OFFSET_MV))]
        raise CampaignError(
            f"row {label}: its relaxed potential is {offset.max():g} mV off, and resistances more "
            f"than {LARGEST_OFFSET_MV:g} mV apart are not compared as they are; fit the interphase "
            "model to the table, which corrects them with the error of the correction")
    at_end = (number(rows, "hold_h") == RESTED) & (number(rows, "cycle") > START_CYCLE)
    found = {}
    for name, values in ((GROWTH, number(rows, SLOPE)),
                         (END, np.where(at_end, number(rows, RESISTANCE), np.nan))):
        seen: Any = pd.DataFrame({"coating": rows["coating"].to_numpy(), "value": values,
                             "cell": (rows["batch"] + " / " + rows["cell"]).to_numpy()}).dropna()
        if (seen["value"] <= 0).any():
            raise CampaignError(
                f"{name} of {seen.loc[seen['value'] <= 0, 'coating'].iloc[0]} is not above zero: "
                "its logarithm cannot be ranked; leave that row out")
        logs: Any = np.log(seen.set_index(["coating", "cell"])["value"])
        by_cell = logs.groupby(level=[0, 1], sort=False).mean()
        by_coating = by_cell.groupby(level=0, sort=False)
        found[name] = np.exp(by_coating.mean())
        found[f"{name}_cells"] = by_coating.size()
    if found[GROWTH].empty and found[END].empty:
        raise CampaignError(f"the table holds neither {SLOPE} nor a {RESISTANCE} at rest after the "
                            "hold; fit the interphase model to series of the hold")
    order = list(dict.fromkeys(rows["coating"]))
    return pd.DataFrame(found).reindex([c for c in order if c in set().union(
        found[GROWTH].index, found[END].index)]).rename_axis("coating")


def assumed(
    table: pd.DataFrame, sd_ln: float | Mapping[str, float], *,
    correlation: float = CORRELATION, draws: int = 20_000, seed: int = 1,
) -> Evidence:
    """Evidence of printed values under an assumed noise.

    The true ln of a coating is normal about the printed one with sd ``sd_ln / sqrt(cells)``; no
    prior draws the coatings together.

    Parameters
    ----------
    table
        A long table (see `printed`), or what `printed` returns.
    sd_ln
        Sd of ln of one cell of a new batch, for both quantities or by quantity. It is never
        guessed: give it.
    correlation
        Of the noise of both quantities in one cell.
    draws, seed
        Number of joint draws and their seed.

    Raises
    ------
    CampaignError
        For an sd that is not above zero, an unknown quantity, a correlation outside -1 to 1.
    """
    values: Any = table if {GROWTH, END} & set(table.columns) else printed(table)
    kinds = [name for name in QUANTITIES if name in values and values[name].notna().any()]
    given = {name: sd_ln for name in kinds} if not isinstance(sd_ln, Mapping) else dict(sd_ln)
    for name in given:
        if name not in QUANTITIES:
            raise CampaignError(unknown(name, QUANTITIES, "quantity of coatings"))
    sds = {name: float(given.get(name, np.nan)) for name in kinds}  # type: ignore[arg-type]
    for name, sd in sds.items():
        if not (np.isfinite(sd) and sd > 0):
            raise CampaignError(f"sd_ln of {name} is {sd:g}; it must be a number above 0, such as "
                                "0.2 for values that scatter by 20 % from cell to cell")
    if not -1 <= correlation <= 1:
        raise CampaignError(f"correlation={correlation} must lie between -1 and 1")
    rng = np.random.default_rng(seed)
    first = rng.normal(size=(draws, len(values)))
    second = (correlation * first
              + np.sqrt(1 - correlation**2) * rng.normal(size=(draws, len(values))))
    found: dict[str, dict[str, Any]] = {"draws": {}, "noise": {}, "centre": {}, "relative": {}}
    for name, z in zip(kinds, (first, second), strict=False):
        here = values[name].notna().to_numpy()
        names = values.index[here]
        centre = np.log(values.loc[names, name].astype(float))
        cells = values.loc[names, f"{name}_cells"].astype(float) if (
            f"{name}_cells" in values) else pd.Series(1.0, index=names)
        spread = sds[name] / np.sqrt(cells.to_numpy())
        found["draws"][name] = pd.DataFrame(
            centre.to_numpy() + spread * z[:, here], columns=list(names))
        found["noise"][name] = np.full(draws, sds[name])
        found["centre"][name] = centre
        found["relative"][name] = pd.DataFrame(
            np.diag(1 / cells.to_numpy()), index=list(names), columns=list(names))
    said = ", ".join(f"{sd:g} for {'k' if name == GROWTH else 'R_end'}"
                     for name, sd in sds.items())
    single = all(np.all(np.diag(r) == 1) for r in found["relative"].values())
    why = ("the table holds one value a coating and prints none" if single else
           "it was not learnt from the table's own spread, as a fit would")
    return Evidence(
        **found, correlation=np.full(draws, float(correlation)),
        basis=f"The noise is an assumption (sd of ln for one cell: {said}): {why}.")


def from_fit(fit: Fit) -> Evidence:
    """Evidence of a fit of the interphase model.

    Raises
    ------
    ValueError
        If the fit is of another model.
    """
    from ..models.interphase import coating_draws, noise

    found = coating_draws(fit)
    draws = {name: frame for name, frame in ((GROWTH, found.ln_growth), (END, found.ln_end))
             if frame.shape[1]}
    noises = {name: found.growth_sd if name == GROWTH else found.end_sd for name in draws}
    return Evidence(
        draws, noises, {name: frame.mean() for name, frame in draws.items()},
        {name: _relative(frame, noises[name]) for name, frame in draws.items()},
        found.correlation, noise(fit))


def _relative(draws: pd.DataFrame, noise: np.ndarray) -> pd.DataFrame:
    """Covariance of the coatings in units of the noise squared, draw by draw."""
    values = (draws - draws.mean()).to_numpy() / noise[:, None]
    return pd.DataFrame(np.atleast_2d(values.T @ values / len(values)), index=draws.columns,
                        columns=draws.columns)


def score(
    evidence: Evidence, by: str = BOTH, weights: Mapping[str, float] | None = None
) -> Score:
    """The one number to rank by.

    Parameters
    ----------
    evidence
        What is known.
    by
        ``"growth"``, ``"end_resistance"`` or ``"both"``.
    weights
        Weights of ln k and ln R_end for ``"both"``; scaled to sum to one. `WEIGHTS` if not given.

    Raises
    ------
    CampaignError
        For an unknown quantity, one without readings, or weights that are negative or all zero.
        Early capacity is refused with the reason.
    """
    if "capacity" in by or "efficiency" in by:
        raise CampaignError(
            f"by={by!r}: early capacity and first-cycle efficiency do not rank coatings (all six "
            "published coatings, the two worst included, exceed the bare sample's efficiency); "
            f"they are recorded, and coatings are ranked by {', '.join([*QUANTITIES, BOTH])}")
    if by not in (*QUANTITIES, BOTH):
        raise CampaignError(unknown(by, (*QUANTITIES, BOTH), "quantity to rank coatings by"))
    if by not in evidence.quantities:
        lacks = [name for name in QUANTITIES if name not in evidence.draws]
        raise CampaignError(f"by={by!r}: no coating has a reading of {', '.join(lacks)}; "
                            f"rank by {', '.join(evidence.draws)}")
    if by != BOTH:
        return Score(evidence.draws[by], evidence.noise[by], evidence.centre[by],
                     evidence.relative[by], "k" if by == GROWTH else "R_end")
    share = _shares(WEIGHTS if weights is None else weights)
    a, b = share[GROWTH], share[END]
    names = [c for c in evidence.draws[GROWTH] if c in evidence.draws[END]]
    if not names:
        raise CampaignError("no coating has readings of both k and R_end; rank by one of them")
    draws: Any = a * evidence.draws[GROWTH][names] + b * evidence.draws[END][names]
    one, two, rho = evidence.noise[GROWTH], evidence.noise[END], evidence.correlation
    noise = np.sqrt((a * one) ** 2 + (b * two) ** 2 + 2 * rho * a * b * one * two)
    centre: Any = a * evidence.centre[GROWTH][names] + b * evidence.centre[END][names]
    return Score(draws, noise, centre, _both(evidence, names, a, b, noise, draws),
                 f"{a:g} ln k + {b:g} ln R_end")


def _both(
    evidence: Evidence, names: list[str], a: float, b: float, noise: np.ndarray,
    draws: pd.DataFrame,
) -> pd.DataFrame:
    """Relative covariance of the weighted sum; exact where the noise is one assumed number."""
    one, two, rho = (float(v[0]) for v in (
        evidence.noise[GROWTH], evidence.noise[END], evidence.correlation))
    if any(np.ptp(v) > 0 for v in (*evidence.noise.values(), evidence.correlation)):
        return _relative(draws, noise)
    first, second = (np.sqrt(np.diag(evidence.relative[q].loc[names, names]))
                     for q in (GROWTH, END))
    variance = ((a * one * first) ** 2 + (b * two * second) ** 2
                + 2 * rho * a * b * one * two * first * second)
    return pd.DataFrame(np.diag(variance / noise[0] ** 2), index=names, columns=names)


def _shares(weights: Mapping[str, float]) -> dict[str, float]:
    for name in weights:
        if name not in QUANTITIES:
            raise CampaignError(unknown(name, QUANTITIES, "quantity of coatings"))
    values = np.array([float(weights.get(name, 0.0)) for name in QUANTITIES])
    if not (np.isfinite(values).all() and (values >= 0).all() and values.sum() > 0):
        raise CampaignError(f"weights {dict(weights)} must be 0 or more and not all zero")
    return dict(zip(QUANTITIES, (values / values.sum()).tolist(), strict=True))
