"""Is the utilization constant? Steps, windows and drift of one titration, from its joint errors.

The charge per weighed gram at point k follows the reference,

    y_k = c + theta q(U_k) + e_k,      e ~ (mean shift, covariance C)

with these stated errors, in mAh per gram of weighed active material (s = dq/dU, theta scales all):

    charge reading            independent          charge_error / m
    potential readings        independent          s x instrument error of cell and reference
    unfinished rest, cell     one-sided, each      -s x relaxation        (half-normal)
    counter electrode         shared               s x its sd
    unfinished rest, ref.     one-sided, shared    +s x relaxation        (half-normal)
    self-discharge, ref.      one-sided, shared    -s x dU - lost charge  (half-normal)
    gain of the charge, ref.  shared               cumulative instrument error

A stated symmetric error is taken as a standard deviation, a one-sided one as the scale of a
half-normal, whose mean sqrt(2/pi) moves the point. The two masses scale everything alike: they do
not touch constancy and enter only the total error. Neighbouring steps share a point, so their
errors are anti-correlated; C carries that.

A window of steps is compatible with constancy if the chi-square of its residuals under C is not
rejected at 1 %. Its weight is the probability of "constant inside, free outside" among the
compatible windows,

    w ~ |S|^(-1/2) (1' S^-1 1)^(-1/2) exp(-chi2 / 2) (2 pi)^(-(n - 1)/2),

S the covariance of the window's step values, flat priors of unit width for every free value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

HALF_MEAN = float(np.sqrt(2 / np.pi))
REJECTED = 0.01
"""A window whose chi-square has a smaller p is not compatible with constancy."""
FEWEST_STEPS = 3
SAME = 0.05
"""A change of utilization over the window that counts as none."""
RELAXATION_SD_LN = 0.5
"""How well a stated relaxation error is known (sd of its logarithm): to within a factor of two."""


def specific_charge(points: pd.DataFrame) -> np.ndarray:
    """Charge per gram of weighed active material (mAh/g), zero at the first point."""
    q = points["charge_mAh"].to_numpy(float)
    return (q - q[0]) / points["active_mass_mg"].to_numpy(float) * 1e3


def moments(points: pd.DataFrame, theta: float) -> tuple[np.ndarray, np.ndarray]:
    """Shift of the reference charge (mAh/g) and covariance of y (mAh2/g2), masses left out."""
    f = {name: points[name].to_numpy(float) for name in points
         if name not in {"cell", "reference", "kind"}}
    s = f["reference_slope_mAh_g_V"]
    one = s * f["relaxation_V"]
    shared = (s * f["reference_relaxation_V"],
              -s * f["reference_self_discharge_V"] - f["reference_lost_mAh_g"])
    shift = HALF_MEAN * (-one + sum(shared))
    spread = 1 - 2 / np.pi
    own = (f["charge_error_mAh"] / f["active_mass_mg"] * 1e3) ** 2
    own = own + theta**2 * ((s * f["potential_error_V"]) ** 2 + spread * one**2)
    cov = np.diag(own)
    for v in shared:
        cov += theta**2 * spread * np.outer(v, v)
    cov += theta**2 * np.outer(f["reference_gain_mAh_g"], f["reference_gain_mAh_g"])
    cov += theta**2 * np.outer(s * f["counter_error_V"], s * f["counter_error_V"])
    return shift, cov


def mass_share(points: pd.DataFrame) -> float:
    """Relative error of the utilization by both masses."""
    first = points.iloc[0]
    return float(np.hypot(first["active_mass_error_mg"] / first["active_mass_mg"],
                          first["reference_mass_error"]))


@dataclass(frozen=True)
class Level:
    """A constant utilization through some points: value, sd without and with masses, test."""

    value: float
    sd: float
    sd_total: float
    chi2: float
    dof: int
    p: float


def level(points: pd.DataFrame) -> Level:
    """Generalized least squares of a constant utilization through the points."""
    from scipy.stats import chi2 as chi_square

    y, x = specific_charge(points), points["reference_mAh_g"].to_numpy(float)

    def fitted(theta: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Constant and level, their covariance, weighted residuals, for errors at theta."""
        shift, cov = moments(points, theta)
        design = np.stack([np.ones_like(x), x + shift], axis=1)
        weight = np.linalg.inv(cov)
        normal = np.linalg.inv(design.T @ weight @ design)
        beta = normal @ design.T @ weight @ y
        return beta, normal, (y - design @ beta) @ weight * (y - design @ beta)

    theta = float(np.ptp(y) / np.ptp(x))
    for _ in range(20):
        before, theta = theta, float(fitted(theta)[0][1])
        if abs(before - theta) < 1e-9:
            break
    _, normal, squares = fitted(theta)
    chi2, dof = float(squares.sum()), len(x) - 2
    sd = float(np.sqrt(normal[1, 1]))
    return Level(theta, sd, float(np.hypot(sd, theta * mass_share(points))), chi2, dof,
                 float(chi_square.sf(chi2, dof)) if dof > 0 else 1.0)


def direct(points: pd.DataFrame) -> float:
    """Utilization from the first and the last point alone, errors left aside."""
    y, x = specific_charge(points), points["reference_mAh_g"].to_numpy(float)
    return float((y[-1] - y[0]) / (x[-1] - x[0]))


def _log_evidence(points: pd.DataFrame, found: Level) -> float:
    """Log density of the window's step values under one common value with a flat prior."""
    shift, cov = moments(points, found.value)
    dx = np.diff(points["reference_mAh_g"].to_numpy(float) + shift)
    to_steps = np.diff(np.eye(len(points)), axis=0) / dx[:, None]
    s = to_steps @ cov @ to_steps.T
    ones = np.ones(len(dx))
    _, ln_det = np.linalg.slogdet(s)
    return float(-0.5 * (found.chi2 + ln_det + np.log(ones @ np.linalg.solve(s, ones))
                         + (len(dx) - 1) * np.log(2 * np.pi)))


def windows(points: pd.DataFrame) -> pd.DataFrame:
    """Every window of at least three steps, with its value and whether it can be constant.

    Returns
    -------
    DataFrame
        ``first_step``, ``last_step``, ``from_V``, ``to_V``, ``direct`` (ratio of the charges
        between its ends), ``utilization`` (least squares), ``sd`` (masses left out),
        ``sd_total``, ``chi2``, ``dof``, ``p``, ``compatible``, ``weight`` (0 where not
        compatible), widest first.
    """
    rows: list[dict[str, Any]] = []
    steps = len(points) - 1
    for size in range(steps, FEWEST_STEPS - 1, -1):
        for first in range(steps - size + 1):
            part = points.iloc[first : first + size + 1]
            found = level(part)
            rows.append({
                "first_step": first + 1, "last_step": first + size,
                "from_V": part["relaxed_V"].iloc[0], "to_V": part["relaxed_V"].iloc[-1],
                "direct": direct(part), "utilization": found.value, "sd": found.sd,
                "sd_total": found.sd_total, "chi2": found.chi2, "dof": found.dof, "p": found.p,
                "compatible": found.p >= REJECTED, "evidence": _log_evidence(part, found)})
    columns = ["first_step", "last_step", "from_V", "to_V", "direct", "utilization", "sd",
               "sd_total", "chi2", "dof", "p", "compatible", "evidence"]
    table = pd.DataFrame(rows, columns=columns)
    if len(table):
        kept = table["compatible"].to_numpy(bool)
        weight = np.where(kept, np.exp(table["evidence"] - table["evidence"].max()), 0.0)
        if kept.any():
            weight = np.where(kept, np.exp(table["evidence"] - table["evidence"][kept].max()), 0.0)
        table["weight"] = weight / weight.sum() if weight.sum() > 0 else 0.0
    else:
        table["weight"] = pd.Series(dtype=float)
    return table.drop(columns="evidence")


def spread(table: pd.DataFrame) -> float:
    """SD of the utilization between compatible windows, each counted once; 0 where one or none."""
    values = table.loc[table["compatible"].astype(bool), "utilization"].to_numpy(float)
    return float(values.std()) if len(values) > 1 else 0.0


def step_draws(points: pd.DataFrame, draws: int = 4000, seed: int = 1) -> np.ndarray:
    """Utilization of every step under joint draws of all errors, masses included.

    Returns
    -------
    ndarray
        ``(draws, steps)``. Flat in every step's utilization: it may exceed 1 and jump.
    """
    rng = np.random.default_rng(seed)
    f = {name: points[name].to_numpy(float) for name in points
         if name not in {"cell", "reference", "kind"}}
    n = len(points)
    s = f["reference_slope_mAh_g_V"]
    factor = rng.lognormal(0.0, RELAXATION_SD_LN, (draws, 1))

    def half() -> np.ndarray:
        return np.abs(rng.normal(size=(draws, 1)))

    q = (f["reference_mAh_g"]
         - s * f["relaxation_V"] * factor * np.abs(rng.normal(size=(draws, n)))
         + s * f["potential_error_V"] * rng.normal(size=(draws, n))
         + s * f["counter_error_V"] * rng.normal(size=(draws, 1))
         + s * f["reference_relaxation_V"] * half()
         - (s * f["reference_self_discharge_V"] + f["reference_lost_mAh_g"]) * half()
         + f["reference_gain_mAh_g"] * rng.normal(size=(draws, 1)))
    charge = f["charge_mAh"] + f["charge_error_mAh"] * rng.normal(size=(draws, n))
    mass = f["active_mass_mg"][0] + f["active_mass_error_mg"][0] * rng.normal(size=(draws, 1))
    reference = 1 + f["reference_mass_error"][0] * rng.normal(size=(draws, 1))
    dq = np.diff(q, axis=1)
    least = 0.05 * np.diff(f["reference_mAh_g"])  # a draw that turns a step round says nothing
    return 1e3 * np.diff(charge, axis=1) * reference / (mass * np.maximum(dq, least))


def steps(points: pd.DataFrame, draws: np.ndarray, chance: float = 0.9) -> pd.DataFrame:
    """Per-step utilization with intervals of the joint draws.

    Returns
    -------
    DataFrame
        Index ``step``; ``from_V``, ``to_V``, ``utilization`` (direct ratio); of the utilization
        ``median``, ``low``, ``high`` (equal-tailed interval of level ``chance``, each step for
        itself), ``low_all``, ``high_all`` (the same widened by one factor, so that all steps at
        once lie inside with probability ``chance``); and ``with_next``, the correlation with the
        next step.
    """
    y, x = specific_charge(points), points["reference_mAh_g"].to_numpy(float)
    low, middle, high = np.quantile(draws, [0.5 - chance / 2, 0.5, 0.5 + chance / 2], axis=0)
    below, above = middle - low, high - middle
    reach = np.maximum((draws - middle) / above, (middle - draws) / below).max(axis=1)
    wide = float(np.quantile(reach, chance))
    linked = np.corrcoef(draws.T) if draws.shape[1] > 1 else np.ones((1, 1))
    u = points["relaxed_V"].to_numpy(float)
    return pd.DataFrame({
        "from_V": u[:-1], "to_V": u[1:], "utilization": np.diff(y) / np.diff(x),
        "median": middle, "low": low, "high": high,
        "low_all": middle - wide * below, "high_all": middle + wide * above,
        "with_next": np.append(np.diagonal(linked, 1), np.nan),
    }, index=pd.RangeIndex(1, len(u), name="step"))


@dataclass(frozen=True)
class Drift:
    """How the utilization changes over the steps looked at.

    Attributes
    ----------
    change, low, high
        Change over the range of charge, median and 90 % equal-tailed interval, in utilization.
    rises, falls, same
        Probabilities that it rises by more than ``SAME``, falls by more, or neither.
    first_below
        Probability that the first step lies below the mean of the others.
    p_constant
        p of the chi-square test of one constant value over all steps.
    """

    change: float
    low: float
    high: float
    rises: float
    falls: float
    same: float
    first_below: float
    p_constant: float

    @property
    def direction(self) -> str:
        """``rises``, ``falls`` or ``undecided`` (no probability above 0.9)."""
        return "rises" if self.rises > 0.9 else "falls" if self.falls > 0.9 else "undecided"


def drift(points: pd.DataFrame, draws: np.ndarray) -> Drift:
    """Straight line through the step values over charge, and the test of constancy.

    The line weighs the steps by their joint precision; its draws are those of the steps.
    """
    x = points["reference_mAh_g"].to_numpy(float)
    middle = (x[1:] + x[:-1]) / 2
    weight = np.diff(x)
    tame = np.clip(draws, *np.quantile(draws, [0.01, 0.99], axis=0))
    precision = np.linalg.inv(np.atleast_2d(np.cov(tame.T)))
    design = np.stack([np.ones_like(middle), middle - middle.mean()], axis=1)
    to_line = np.linalg.solve(design.T @ precision @ design, design.T @ precision)
    change = draws @ to_line[1] * np.ptp(middle)
    low, mid, high = np.quantile(change, [0.05, 0.5, 0.95])
    others = np.average(draws[:, 1:], weights=weight[1:], axis=1)
    rises, falls = float((change > SAME).mean()), float((change < -SAME).mean())
    return Drift(float(mid), float(low), float(high), rises, falls, 1 - rises - falls,
                 float((draws[:, 0] < others).mean()), level(points).p)
