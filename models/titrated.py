"""One titrated cell evaluated: utilization, its window, its steps, its drift, in numbers and words.

What a titration supports is a mean over a window. The window is a choice; which one was taken, what
the other windows that could be constant give, and how far they lie apart are part of the answer.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ..data import titration as tables
from ..data.titration import instrument_error
from . import constancy
from .constancy import Drift, Level
from .titration import Curve, TitrationError, check_mass, counter, points, reference_curve, stepwise
from .utilization import FEWEST_PAIRS, MODEL, draws_of, fit_cells

EDGE_V = 2e-3
"""A window's ends are met within this (V): they are printed rounded."""
EXPLANATIONS = (
    ("electronic percolation",
     "without carbon the active material is its own electron path and conducts better the more "
     "lithium has left it: particles join while the cell charges, and utilization rises",
     "titrate in discharge as well: what has joined stays until the cell is nearly empty, so the "
     "steps of the discharge lie at the late, high level"),
    ("lagging particles",
     "slow grains have not caught up when the rest ends: early steps look too small, later ones "
     "too large, and their mean is right",
     "rest three times as long at the two lowest potentials: the steps even out"),
    ("charge of the electrolyte",
     "the electrolyte is oxidised and gives charge that is no utilization, more at high potential",
     "compare charge and discharge of one window: what the electrolyte gave does not come back"),
)
"""Why utilization may seem to rise: name, what happens, the measurement that tells it apart."""

Table = pd.DataFrame | str | os.PathLike[str]


@dataclass(frozen=True)
class Utilization:
    """Answer of ``utilization``; shares, not per cent.

    Attributes
    ----------
    median, low, high, sd
        Of the latent utilization in (0, 1], mean over the window; 90 % equal-tailed interval.
    measured
        Least squares in the same window, not bounded: may exceed 1.
    sd_mass
        Part of the error that both masses make.
    spread
        SD of the utilization between all windows compatible with constancy: a term of its own.
    window, stated
        Its ends (V vs Li+/Li), and whether the caller stated it.
    windows, steps, stepwise, drift
        See ``constancy`` and ``titration.stepwise``.
    record
        Relaxed points of the raw record beside the table's; ``None`` without a record.
    record_steps, record_drift
        Steps and drift with the record's points where the two disagree.
    explanations
        Why it drifts, with the measurement that separates the causes; empty if it does not.
    sentences
        All this in words. ``notes`` are assumptions and flags.
    draws, fit, points, curve
        Draws of the utilization, the fit, the points looked at, the reference.
    """

    median: float
    low: float
    high: float
    sd: float
    measured: Level
    sd_mass: float
    spread: float
    window: tuple[float, float]
    window_steps: tuple[int, int]
    stated: bool
    windows: pd.DataFrame
    steps: pd.DataFrame
    stepwise: pd.DataFrame
    drift: Drift
    record: pd.DataFrame | None
    record_steps: pd.DataFrame | None
    record_drift: Drift | None
    explanations: pd.DataFrame
    sentences: list[str]
    notes: list[str]
    draws: np.ndarray = field(repr=False)
    fit: Any = field(repr=False)
    points: pd.DataFrame = field(repr=False)
    curve: Curve = field(repr=False)

    def row(self) -> dict[str, float]:
        """This cell's utilization as a measured intermediate of ``mixing`` and ``capacity``.

        ``utilization_sd`` holds everything but the weighing of the cell, which those models share
        between the utilization and the capacities of one cell, and the spread between windows.
        """
        first = self.points.iloc[0]
        own = self.median * first["active_mass_error_mg"] / first["active_mass_mg"]
        rest = max(self.sd**2 - own**2, (0.3 * self.sd) ** 2)
        return {"utilization": self.median, "utilization_sd": float(np.hypot(rest**0.5,
                                                                             self.spread))}

    def __str__(self) -> str:
        return "\n".join([*self.sentences, *(f"note: {n}" for n in self.notes)])


def evaluate(
    cell: Table, reference: Table, *, vs: str, mass_mg: float, mass_sd_mg: float,
    reference_mass_mg: float, reference_mass_sd_mg: float,
    window: tuple[float, float] | None = None, record: Table | None = None,
    xrd: tuple[float, float] | None = None, counter_V: float | None = None,
    counter_sd_V: float | None = None, method: str = "joint", errors: str = "published",
    seed: int = 1,
) -> Utilization | pd.DataFrame:
    """Static utilization of one cell by titration against a reference.

    Parameters
    ----------
    cell, reference
        Relaxed points, as paths or tables (``data.titration``).
    vs
        Counter electrode that the cell's potentials refer to, ``"Li"`` or ``"InLi"``.
    mass_mg, mass_sd_mg, reference_mass_mg, reference_mass_sd_mg
        Active material in both cells and their standard deviations.
    window
        Lowest and highest relaxed potential (V vs Li+/Li) of the points used. If none is stated,
        the widest window compatible with constancy is taken, and the answer says so.
    record
        Raw record of voltage and charge, to hold the relaxed points against.
    xrd
        Utilization by diffraction and its standard deviation, a second instrument.
    counter_V, counter_sd_V
        Potential of the counter electrode and its sd (V), if not the usual ones.
    method, errors
        ``"joint"``; or ``"stepwise"``, the published evaluation (``errors="published"`` or
        ``"worst"``), as a table.
    seed
        Of the sampler.

    Raises
    ------
    data.TableError, titration.TitrationError
        If a table or number cannot be right; the message says what and how to mend it.
    """
    if method not in {"joint", "stepwise"}:
        raise TitrationError(f"method={method!r} is none of joint, stepwise")
    check_mass("mass", mass_mg, mass_sd_mg)
    check_mass("reference_mass", reference_mass_mg, reference_mass_sd_mg)
    relaxed = tables.given(cell, tables.read_cell, tables.cell_table)
    curve = reference_curve(
        tables.given(reference, tables.read_reference, tables.reference_table),
        mass_mg=reference_mass_mg, mass_sd_mg=reference_mass_sd_mg)
    shift, _ = counter(vs, counter_V, counter_sd_V)
    said = {"vs": vs, "mass_mg": mass_mg, "mass_sd_mg": mass_sd_mg, "counter_V": counter_V,
            "counter_sd_V": counter_sd_V}
    every, notes = points(relaxed, curve, **said)
    published = stepwise(relaxed, curve, mass_mg=mass_mg, mass_sd_mg=mass_sd_mg, errors=errors,
                         counter_V=shift)
    if method == "stepwise":
        return published
    if len(every) < 3:
        raise TitrationError(f"{len(every)} relaxed points make one step; a joint evaluation needs "
                             "3 points, or use method='stepwise'")
    listed = constancy.windows(every)
    first, last = _chosen(every, listed, window, notes)
    used = every.iloc[first : last + 1]
    rows = used if xrd is None else pd.concat([used, pd.DataFrame([{
        "cell": used["cell"].iloc[0], "xrd_utilization": xrd[0], "xrd_utilization_sd": xrd[1],
        "active_mass_mg": float(mass_mg), "active_mass_error_mg": float(mass_sd_mg),
        "reference": used["reference"].iloc[0]}])])
    fit = fit_cells(rows, model=MODEL, seed=seed)
    notes += fit.convergence.sentences
    draws = draws_of(fit)
    low, median, high = (float(v) for v in np.quantile(draws, [0.05, 0.5, 0.95]))
    joint = constancy.step_draws(every, seed=seed)
    found = {
        "median": median, "low": low, "high": high, "sd": float(draws.std()),
        "measured": constancy.level(used), "sd_mass": median * constancy.mass_share(used),
        "spread": constancy.spread(listed),
        "window": (float(used["relaxed_V"].iloc[0]), float(used["relaxed_V"].iloc[-1])),
        "window_steps": (first + 1, last), "stated": window is not None, "windows": listed,
        "steps": constancy.steps(every, joint), "stepwise": published,
        "drift": constancy.drift(every, joint)}
    compared = record_steps = record_drift = None
    if record is not None:
        raw = record if isinstance(record, pd.DataFrame) else tables.read_record(record)
        rests = tables.relaxed_points(raw)
        notes += rests.attrs["notes"]
        compared = compare(relaxed, rests)
        other, _ = points(_with_record(relaxed, compared), curve, **said)
        other_draws = constancy.step_draws(other, seed=seed)
        record_steps = constancy.steps(other, other_draws)
        record_drift = constancy.drift(other, other_draws)
    found |= {"record": compared, "record_steps": record_steps, "record_drift": record_drift}
    drifts = found["drift"].p_constant < constancy.REJECTED
    why = pd.DataFrame(EXPLANATIONS if drifts else [],
                       columns=["explanation", "what happens", "measurement"])
    sentences = _sentences(found, why, xrd, curve)
    return Utilization(**found, explanations=why, sentences=sentences, notes=notes, draws=draws,
                       fit=fit, points=every, curve=curve)


def compare(relaxed: pd.DataFrame, rests: pd.DataFrame) -> pd.DataFrame:
    """Relaxed points of a table beside those of a record, matched by charge.

    Returns
    -------
    DataFrame
        One row a point of the table: ``table_V``, ``record_V``, ``difference_mV`` (record minus
        table), ``limit_mV``, ``agrees``, ``rested``, ``record_mAh`` on the table's charge scale.
        A record's charge starts anywhere; its offset is the median over the points.
    """
    q, at = relaxed["charge_mAh"].to_numpy(float), rests["charge_mAh"].to_numpy(float)
    from_end = min(len(q), len(at))
    offset = float(np.median(q[-from_end:] - at[-from_end:]))
    near = np.abs(q[:, None] - offset - at[None, :]).argmin(axis=1)
    u = relaxed["relaxed_V"].to_numpy(float)
    gap = 1e3 * (rests["relaxed_V"].to_numpy(float)[near] - u)
    limit = 1e3 * instrument_error(u)
    rested = rests["rested"].to_numpy(bool)[near]
    return pd.DataFrame({
        "table_V": u, "record_V": u + gap / 1e3, "difference_mV": gap, "limit_mV": limit,
        "agrees": (np.abs(gap) <= limit) & rested, "rested": rested,
        "record_mAh": at[near] + offset}, index=relaxed.index)


def _with_record(relaxed: pd.DataFrame, compared: pd.DataFrame) -> pd.DataFrame:
    """The table with the record's potential and charge where the two disagree."""
    apart = ~compared["agrees"]
    other = relaxed.assign(
        relaxed_V=relaxed["relaxed_V"].where(~apart, compared["record_V"]),
        charge_mAh=relaxed["charge_mAh"].where(~apart, compared["record_mAh"]))
    other.attrs = dict(relaxed.attrs)
    return other


def _chosen(every: pd.DataFrame, listed: pd.DataFrame, window: tuple[float, float] | None,
            notes: list[str]) -> tuple[int, int]:
    """Positions of the window's first and last point."""
    u = every["relaxed_V"].to_numpy(float)
    if window is not None:
        low, high = window
        inside = np.flatnonzero((u >= low - EDGE_V) & (u <= high + EDGE_V))
        if not low < high or len(inside) < 3:
            raise TitrationError(
                f"window={window!r} holds {len(inside)} of the relaxed potentials "
                f"{', '.join(f'{v:.3f}' for v in u)} V; it needs at least 3")
        return int(inside[0]), int(inside[-1])
    good: Any = listed[listed["compatible"].astype(bool)]
    if len(good):
        best = good.loc[(good["to_V"] - good["from_V"]).idxmax()]
        return int(best["first_step"]) - 1, int(best["last_step"])
    notes.append("no window of three steps or more is compatible with a constant utilization: all "
                 "points are used, and the mean is one of something that changes")
    return 0, len(every) - 1


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _p(value: float) -> str:
    """A p-value in words."""
    return "below 1e-6" if value < 1e-6 else f"{value:.2g}"


def _share(value: float) -> str:
    """A probability that was counted in some thousand draws: never a bare 0 or 1."""
    if 0.001 <= value <= 0.999:
        return f"{value:.3f}"
    return "below 0.001" if value < 0.5 else "above 0.999"


def _sentences(found: dict[str, Any], why: pd.DataFrame, xrd: tuple[float, float] | None,
               curve: Curve) -> list[str]:
    first, last = found["window_steps"]
    low, high = found["window"]
    chosen = "stated" if found["stated"] else "not stated; the widest compatible one"
    level: Level = found["measured"]
    told = [
        f"Utilization {_percent(found['median'])} %, 90 % interval {_percent(found['low'])} to "
        f"{_percent(found['high'])} % (latent, at most 100 %), mean over {low:.3f} to {high:.3f} V,"
        f" steps {first} to {last} (window: {chosen}).",
        f"Measured there: {_percent(level.value)} +- {_percent(level.sd_total)} points (1 sd, may "
        f"exceed 100 %); the two masses alone make {_percent(found['sd_mass'])} points."]
    good = found["windows"][found["windows"]["compatible"].astype(bool)]
    if len(good):
        best = good.sort_values("weight", ascending=False).iloc[0]
        told.append(
            f"{len(good)} windows of three steps or more are compatible with constancy, from "
            f"{_percent(good['utilization'].min())} to {_percent(good['utilization'].max())} %: "
            f"the choice of the window adds {_percent(found['spread'])} points (sd), a term of its "
            f"own. The most probable one is steps {best['first_step']:.0f} to "
            f"{best['last_step']:.0f} ({_percent(best['utilization'])} %, weight "
            f"{best['weight']:.2f}).")
    drift: Drift = found["drift"]
    told.append(
        f"Over all steps, p of a constant utilization: {_p(drift.p_constant)}. Probability "
        f"that it rises by more than {_percent(constancy.SAME)} points: {_share(drift.rises)}, "
        f"that it falls: {_share(drift.falls)} (change {_percent(drift.change)} points, "
        f"{_percent(drift.low)} to {_percent(drift.high)}).")
    if drift.first_below > 0.99 or drift.first_below < 0.01:
        side = "below" if drift.first_below > 0.5 else "above"
        told.append(f"Step 1 lies {side} the mean of the others; probability "
                    f"{_share(max(drift.first_below, 1 - drift.first_below))}.")
    if len(why):
        told.append("A drift may be " + "; ".join(
            f"{row['explanation']} (to tell: {row['measurement']})" for _, row in why.iterrows())
            + ".")
    if found["record"] is not None:
        told += _record_sentences(found)
    if xrd is not None:
        told.append(
            f"Diffraction ({_percent(xrd[0])} +- {_percent(xrd[1])} %) makes one pair where "
            f"{FEWEST_PAIRS} are needed: how far it is biased against titration is the prior's to "
            "say, and it hardly moves the utilization.")
    told.append(
        "Active capacity (charge per connected gram) does not contain the cell's mass but the "
        f"reference's: {100 * curve.mass_sd_mg / curve.mass_mg:.1f} %, common to all cells of this "
        "reference, which cancels in comparisons.")
    return told


def _record_sentences(found: dict[str, Any]) -> list[str]:
    compared: Any = found["record"]
    apart = compared[~compared["agrees"]]
    told = [f"Of {len(compared)} relaxed points, {len(compared) - len(apart)} agree with the "
            "record within the instrument's error."]
    for row, line in apart.to_dict("index").items():
        rest = "" if line["rested"] else "; the record has no rest there"
        told.append(f"The point at {line['table_V']:.5f} V (row {row}) differs from the record's "
                    f"{line['record_V']:.5f} V by {abs(line['difference_mV']):.1f} mV{rest}.")
    if len(apart):
        one, other = found["steps"].iloc[0], found["record_steps"].iloc[0]
        told.append(
            f"Both versions were run: the first step is {_percent(one['utilization'])} % with the "
            f"table, {_percent(other['utilization'])} % with the record, and p of constancy "
            f"{_p(found['drift'].p_constant)} or "
            f"{_p(found['record_drift'].p_constant)}: the size of the drift hangs on "
            + ("that one point." if len(apart) == 1 else f"those {len(apart)} points."))
    return told
