"""Is a cell an outlier, given how much of it is connected and how good its anode is?

A low capacity has three kinds of cause: little connected material (the mixing's own result, which
must stay in the data), a resistive anode (not the cathode's fault), or something unexplained. The
mixing model predicts the capacity that a cell of its method should have *given* its measured
utilization and the voltage that its anode takes; what that leaves unexplained is judged, and the
anode's resistance is compared with published ones of the same preparation.

Limits: no published table has resistances and capacities of single cells, so what a millivolt on
the anode costs is the prior's until the fit has cells with measured anodes. A cell that took part
in the fit has pulled the fit towards itself a little.

Source of the resistances: Kissel et al., Adv. Energy Mater. (2025) 2405405, lines 871-873.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import electrode
from .comparison import of_method, operator_spread
from .engine.encode import text

if TYPE_CHECKING:
    from .engine.fit import Fit

ODD, STRANGE = 0.05, 0.001
"""Two-sided predictive probability below which a cell is an outlier, and a gross one."""
ANODES = {"individual": (6.3, 2.8), "pressed with the cell": (2.5, 1.0)}
"""Areal anode resistance at the start (ohm cm2), mean and SD by anode preparation."""


@dataclass(frozen=True)
class Verdict:
    """Answer of ``triage``.

    Attributes
    ----------
    action
        ``keep``, ``repeat`` or ``discard``.
    sentences
        Why, in words.
    table
        One row a rate: the reading, what the method predicts for any of its cells, what it
        predicts given this cell's utilization (medians and 90 % equal-tailed intervals, mAh/g),
        and the two-sided predictive probabilities.
    p_any, p_given
        The smallest of those probabilities times the number of rates: for any cell of the method,
        and given the utilization.
    p_anode
        Probability of so high a resistance for this anode preparation; NaN if not measured.
    """

    action: str
    sentences: list[str]
    table: pd.DataFrame
    p_any: float
    p_given: float
    p_anode: float

    def __str__(self) -> str:
        return f"{self.action}: " + " ".join(self.sentences)


def triage(fit: Fit, cell: Any, *, anode_ohm_cm2: float | None = None,
           anode: str | None = None, fault: str | None = None, seed: int = 1) -> Verdict:
    """Judge one cell against its mixing method.

    Parameters
    ----------
    fit
        A fit of the mixing model.
    cell
        Rows of one cell: ``method``, ``c_rate``, ``capacity_mAh_g``; ``utilization`` (with
        ``utilization_sd``) and ``composite_mass_mg`` where known.
    anode_ohm_cm2, anode
        Areal anode resistance and preparation, ``individual`` or ``pressed with the cell``.
    fault
        A technical fault that was seen (a soft short, a broken contact).
    seed
        Of the predictive draws.

    Raises
    ------
    ValueError
        If the rows are not one cell of a method of the fit, or the preparation is unknown.
    """
    rows = pd.DataFrame(cell)
    judged = rows["capacity_mAh_g"].notna() & text(rows, "capacity_mAh_g_censored").eq("")
    rows = rows.loc[judged].reset_index(drop=True)
    if rows.empty:
        raise ValueError("no row of this cell has a capacity_mAh_g that is no bound: "
                         "there is nothing to judge")
    methods = rows["method"].astype(str).unique()
    if len(methods) != 1:
        raise ValueError(f"rows of one cell have several methods: {', '.join(methods)}")
    if fit.model.name != "mixing" or methods[0] not in fit.encoded.levels["method"]:
        raise ValueError(f"the fit ({fit.model.name}) has no method {methods[0]!r}")
    ohm_cm2 = _first(rows, "anode_resistance_ohm_cm2", 0.0) if anode_ohm_cm2 is None else (
        anode_ohm_cm2)
    drawn = {given: _predicted(fit, rows, methods[0], given, seed) for given in (False, True)}
    drop = electrode.anode_drop(rows["c_rate"].to_numpy(dtype=float)[None, :], ohm_cm2)
    before_anode = drawn[True]
    drawn[True] = before_anode - of_method(fit, "anode_cost", methods[0])[:, None] * drop
    read = rows["capacity_mAh_g"].to_numpy(dtype=float)
    table = pd.DataFrame({"c_rate": rows["c_rate"], "capacity_mAh_g": read})
    chance = {}
    for given, label in ((False, "any"), (True, "given")):
        low, middle, high = np.quantile(drawn[given], [0.05, 0.5, 0.95], axis=0)
        p = _two_sided(drawn[given], read)
        table[label], table[f"{label}_low"], table[f"{label}_high"] = middle, low, high
        table[f"p_{label}"] = p
        chance[label] = float(min(1.0, p.min() * len(p)))
    chance["before_anode"] = float(min(1.0, _two_sided(before_anode, read).min() * len(read)))
    known_ohm = ohm_cm2 if ohm_cm2 > 0 and anode is not None else anode_ohm_cm2
    p_anode = _anode(known_ohm, anode)
    worst = int(np.argmin(table["p_given"]))
    measured = bool("utilization" in rows and rows["utilization"].notna().any())
    action, sentences = _judge(
        table.iloc[worst], chance, p_anode, ohm_cm2, fault, measured)
    if not measured:
        sentences.append("No utilization was measured: static and kinetic causes are not apart.")
    return Verdict(action, sentences, table, chance["any"], chance["given"], p_anode)


def _two_sided(draws: np.ndarray, read: np.ndarray) -> np.ndarray:
    """Two-sided predictive probability of each reading, ``(rates,)``."""
    below = (draws < read).mean(axis=0)
    return 2.0 * np.clip(np.minimum(below, 1.0 - below), 0.5 / len(draws), 0.5)


def _predicted(fit: Fit, rows: pd.DataFrame, method: str, given: bool, seed: int) -> np.ndarray:
    """Predictive draws of this cell's capacities, ``(draws, rates)``."""
    rng = np.random.default_rng([seed, int(given)])

    def of(name: str) -> np.ndarray:
        return of_method(fit, name, method)

    law = (of("active_capacity"), of("rate_loss"), of("rate_power"))
    theta, total = of("utilization"), np.hypot(of("batch_sd"), of("cell_sd"))
    slope_0 = electrode.utilization_slope(theta, electrode.REFERENCE_RATE, *law)
    static_sd = np.hypot(of("static_share") ** 0.5 * total, operator_spread(fit, method))
    spread = static_sd / slope_0
    mass = float(electrode.balance_error(np.float64(_first(rows, "composite_mass_mg", 0.0))))
    weighed = mass * rng.normal(size=len(theta))
    read = _first(rows, "utilization", math.nan)
    if given and not math.isnan(read):
        # The balance error of the cell moves its utilization and its capacities alike; that of
        # the titration's reference moves the utilization alone.
        noise = np.hypot(of("utilization_noise"), _first(rows, "utilization_sd", 0.0))
        gain = spread**2 / (spread**2 + noise**2)
        connected = read / ((1.0 + weighed) * (1.0 + of("reference_error")))
        theta = theta + gain * (connected - theta)
        spread = spread * np.sqrt(1.0 - gain)
    connected = np.clip(theta + spread * rng.normal(size=len(theta)), 0.02, None)
    rate = rows["c_rate"].to_numpy(dtype=float)[None, :]
    columns = tuple(value[:, None] for value in law)
    static = electrode.gross_capacity(connected[:, None], rate, *columns)
    kinetic = ((1.0 - of("static_share")) ** 0.5)[:, None] * (
        rate / electrode.REFERENCE_RATE) ** of("kinetic_growth")[:, None]
    nu = (2.0 + of("noise_nu"))[:, None]
    student = rng.standard_t(np.broadcast_to(nu, static.shape)) * np.sqrt((nu - 2.0) / nu)
    of_batch = of("batch_sd")[:, None] * rng.normal(size=(len(theta), 1))
    moved = static + kinetic * (of_batch + of("cell_sd")[:, None] * student)
    return moved * (1.0 + weighed[:, None])


def _first(rows: pd.DataFrame, column: str, default: float) -> float:
    values = rows[column].dropna() if column in rows else pd.Series(dtype=float)
    return float(values.iloc[0]) if len(values) else default


def _anode(ohm_cm2: float | None, preparation: str | None) -> float:
    """Probability of a resistance at least as high, log-normal with the published mean and SD."""
    if ohm_cm2 is None:
        return math.nan
    if not ohm_cm2 > 0:
        raise ValueError(f"anode_ohm_cm2 = {ohm_cm2} must be above 0")
    if preparation not in ANODES:
        raise ValueError(f"anode={preparation!r} is none of: {', '.join(ANODES)}")
    mean, sd = ANODES[preparation]
    width = math.sqrt(math.log1p((sd / mean) ** 2))
    z = (math.log(ohm_cm2 / mean) + 0.5 * width**2) / width
    return 0.5 * math.erfc(z / math.sqrt(2.0))


def _judge(row: Any, chance: dict[str, float], p_anode: float, ohm_cm2: float,
           fault: str | None, utilization: bool) -> tuple[str, list[str]]:
    side = "low" if row["capacity_mAh_g"] < row["given"] else "high"
    seen = (f"{row['capacity_mAh_g']:.1f} mAh/g at {row['c_rate']:g}C; expected of this cell "
            f"{row['given']:.1f} (90 % equal-tailed interval {row['given_low']:.1f} to "
            f"{row['given_high']:.1f})")
    if fault:
        return "discard", [f"A technical fault was seen ({fault}); the row stays, with status "
                           "failed, and no average counts it."]
    if chance["given"] >= ODD:
        said = [f"Not an outlier given what is known of it: {seen}."]
        if chance["any"] < ODD and ohm_cm2 > 0 and chance["before_anode"] < ODD:
            said.append(f"Its method rarely gives such a cell; its anode ({ohm_cm2:g} ohm cm2) "
                        "explains it, which is not the mixing's result.")
        elif chance["any"] < ODD and utilization:
            said.append("Its method rarely gives such a cell; its utilization explains it. That "
                        "is the mixing's own result: dropping it would flatter the method.")
        return "keep", said
    gross = " grossly" if chance["given"] < STRANGE else ""
    said = [f"It is{gross} too {side}: {seen} (probability {chance['given']:.2g})."]
    known = [name for name, there in (("its utilization", utilization),
                                      ("its anode", ohm_cm2 > 0)) if there]
    if side == "low" and p_anode < ODD:
        said.append(f"Its anode is resistive ({ohm_cm2:g} ohm cm2; so high in {100 * p_anode:.2g} "
                    "% of anodes of this preparation): build it again with a new anode before "
                    "reading it as bad mixing.")
    elif side == "high":
        said.append("More than its connected material can give: look at the weighed mass, the "
                    "utilization's window and the cycler's current.")
    else:
        why = {2: "Neither its utilization nor its anode explains it",
               1: f"{''.join(known).capitalize()} does not explain it",
               0: "Nothing was measured that could explain it"}[len(known)]
        said.append(f"{why}: repeat the cell from the same batch, and keep both.")
    return "repeat", said
