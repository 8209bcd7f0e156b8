"""Titration curves: the monotone reference, the published step-wise comparison, points for a fit.

A cell is charged in steps with long rests. Between two relaxed potentials it takes up the charge
dQ; a reference cell, all of whose active material takes part, takes up dq per gram over the same
range. Their ratio is the mass that takes part, and over the weighed mass the static utilization:

    theta = dQ(U1, U2) / (m dq(U1, U2))

`stepwise` is the published evaluation, kept as a cross-check: linear interpolation of the reference
(extended beyond its ends), each step for itself, error sides added in the worst way but for one
choice, the pairing of the two ends' potential errors (same side at both ends; ``errors="worst"``
takes opposite sides). Its average carries the population SD between steps, no mass error.

`points` prepares the joint analysis: for each relaxed point the reference charge q(U), its slope
dq/dU, and how far each stated error could move it.

Assumptions of the method: reference fully active; both cells on the curve of the pristine material,
relaxed, charged in the same direction; charge only from the active material; known masses and
counter electrode. Insertion materials with a sloping potential only: on a plateau the potential
says nothing about the charge.

Sources: Vettori, Kissel et al., Chem. Commun. 62 (2026) 5241 with SI (equations 1 to 23).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ..data.titration import instrument_error

BEYOND_V = 5e-3
"""A point may lie so far outside the reference (V): flagged, on the reference's last slope."""
COUNTER = {"Li": (0.0, 0.5e-3), "InLi": (0.620, 5e-3)}
"""Counter electrode: potential against Li+/Li (V), and what it is uncertain by (sd, V)."""
SLOPE_BEYOND = 0.3
"""How far the slope may change there: the extension is off by this share of the distance."""
FLAT_FLAG, FLAT_REFUSE = 0.05, 0.25
"""Share of the window's charge that the potential error of one point may be worth."""


class TitrationError(ValueError):
    """A titration that cannot be evaluated, with the reason and the mend."""


@dataclass(frozen=True)
class Curve:
    """The reference's charge per gram over potential, monotone, with its stated errors.

    Attributes
    ----------
    table
        As ``data.titration.read_reference`` returns it; potential rising (V), charge (mAh).
    mass_mg, mass_sd_mg
        Active material of the reference cell and its standard deviation.
    notes
        What was assumed.
    """

    table: pd.DataFrame
    mass_mg: float
    mass_sd_mg: float
    notes: tuple[str, ...] = ()

    @cached_property
    def _pchip(self) -> Any:
        from scipy.interpolate import PchipInterpolator

        return PchipInterpolator(self.potential, self.table["charge_mAh"] / self.mass_mg * 1e3)

    @property
    def potential(self) -> np.ndarray:
        """Relaxed potentials (V), rising."""
        return self.table["relaxed_V"].to_numpy(float)

    def charge(self, potential: Any) -> np.ndarray:
        """Charge per gram (mAh/g); beyond the ends along the last slope."""
        u = np.asarray(potential, dtype=float)
        inside = np.clip(u, self.potential[0], self.potential[-1])
        return self._pchip(inside) + self._pchip(inside, 1) * (u - inside)

    def slope(self, potential: Any) -> np.ndarray:
        """dq/dU (mAh/g/V), positive."""
        u = np.asarray(potential, dtype=float)
        return self._pchip(np.clip(u, self.potential[0], self.potential[-1]), 1)

    def error(self, name: str, potential: Any) -> np.ndarray:
        """A stated error, interpolated linearly between the relaxed points, in its own unit."""
        return np.interp(potential, self.potential, self.table[name].to_numpy(float))

    def band(self, potential: Any) -> tuple[np.ndarray, np.ndarray]:
        """Largest stated error of the charge per gram, downward and upward (mAh/g).

        Charge errors add linearly to those of the mass, as they are systematic (SI equation 12),
        and to those of the potential on the local slope.
        """
        u = np.asarray(potential, dtype=float)
        weighing = self.charge(u) * self.mass_sd_mg / self.mass_mg
        gain, lost = (self.error(n, u) / self.mass_mg * 1e3 for n in ("gain_mAh", "lost_mAh"))
        up, down = (self.error(n, u) * self.slope(u) for n in ("up_V", "down_V"))
        return gain + lost + weighing + up, gain + weighing + down


def reference_curve(table: pd.DataFrame, *, mass_mg: float, mass_sd_mg: float) -> Curve:
    """Make a monotone curve of a reference titration.

    Potentials that fall by less than twice the instrument's error are evened out (pool adjacent
    violators) and noted; a larger fall is refused.

    Raises
    ------
    TitrationError
        If a mass is not above zero, the curve is not monotone, or it is not against Li+/Li.
    """
    check_mass("reference_mass", mass_mg, mass_sd_mg)
    if "vs" in table and str(table["vs"].iloc[0]) not in {"Li", "nan", "None"}:
        raise TitrationError(f"the reference is said to be vs {table['vs'].iloc[0]!r}; give it vs "
                             "Li+/Li, which the counter electrode of the cell is converted to")
    u = table["relaxed_V"].to_numpy(float)
    falls = np.flatnonzero(np.diff(u) <= 0)
    notes = list(table.attrs.get("notes", []))
    if len(falls):
        worst = falls[np.diff(u)[falls] < -2 * instrument_error(u[falls])]
        if len(worst):
            rows = ", ".join(str(table.index[k + 1]) for k in worst[:5])
            raise TitrationError(
                f"the reference curve is not monotone: its potential falls at row {rows} while "
                "charge grows. A curve that turns back gives no charge at a potential; correct the "
                "rests there, or give the charge branch only")
        from scipy.optimize import isotonic_regression

        even = isotonic_regression(u).x + 1e-9 * np.arange(len(u))
        table = table.assign(relaxed_V=even)
        notes.append(f"the reference potential falls at {len(falls)} points by less than the "
                     "instrument's error; it is evened out there")
    return Curve(table, float(mass_mg), float(mass_sd_mg), tuple(notes))


def check_mass(name: str, mass_mg: float, sd_mg: float) -> None:
    """Refuse a mass that is not above zero, or an error that is negative or a fifth of the mass."""
    if not (np.isfinite(mass_mg) and mass_mg > 0):
        raise TitrationError(f"{name}_mg is {mass_mg!r}; it must be a mass in mg above 0")
    if not (np.isfinite(sd_mg) and 0 <= sd_mg <= 0.2 * mass_mg):
        raise TitrationError(
            f"{name}_sd_mg is {sd_mg!r}; it must be the standard deviation of the weighed "
            f"{mass_mg:g} mg in mg, at most a fifth of it")


def stepwise(
    cell: pd.DataFrame, reference: Curve, *, mass_mg: float, mass_sd_mg: float,
    errors: str = "published", counter_V: float = 0.0,
) -> pd.DataFrame:
    """The published step-by-step evaluation.

    Parameters
    ----------
    cell
        As ``data.titration.read_cell`` returns it.
    reference
        The reference curve; its points are interpolated linearly here.
    mass_mg, mass_sd_mg
        Active material weighed into the cell, and its error (taken as a worst case here).
    errors
        ``"published"``: potential errors of the same side at both ends of a step. ``"worst"``:
        opposite sides, the true worst case.
    counter_V
        Added to the cell's potentials.

    Returns
    -------
    DataFrame
        One row a step: ``from_V``, ``to_V``, ``charge_mAh``, ``reference_mAh_g``,
        ``utilization``, ``plus``, ``minus``; utilization as a share, not in per cent.
    """
    if errors not in {"published", "worst"}:
        raise TitrationError(f"errors={errors!r} is none of published, worst")
    check_mass("mass", mass_mg, mass_sd_mg)
    low, high = cell["from_V"].to_numpy(float)[1:], cell["relaxed_V"].to_numpy(float)[1:]
    low, high = low + counter_V, high + counter_V
    table = reference.table
    u_ref, q_ref = reference.potential, table["charge_mAh"].to_numpy(float)

    def linear(values: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        k = np.clip(np.searchsorted(u_ref, at) - 1, 0, len(u_ref) - 2)
        rise = (values[k + 1] - values[k]) / (u_ref[k + 1] - u_ref[k])
        return values[k] + rise * (at - u_ref[k]), rise

    def column(name: str, at: np.ndarray) -> np.ndarray:
        return linear(table[name].to_numpy(float), at)[0]

    (q_1, slope_1), (q_2, slope_2) = linear(q_ref, low), linear(q_ref, high)
    gain = column("gain_mAh", high) - column("gain_mAh", low)
    lost = column("lost_mAh", high) - column("lost_mAh", low)
    first_up, first_down = ("up_V", "down_V") if errors == "published" else ("down_V", "up_V")
    up = slope_2 * column("up_V", high) + slope_1 * column(first_up, low) + gain
    down = slope_2 * column("down_V", high) + slope_1 * column(first_down, low) + gain + lost
    m = reference.mass_mg / 1e3
    dq = (q_2 - q_1) / m
    weighing = dq * reference.mass_sd_mg / reference.mass_mg
    charge = np.diff(cell["charge_mAh"].to_numpy(float))
    plus, minus = (cell[n].to_numpy(float) for n in ("charge_up_mAh", "charge_down_mAh"))
    theta = charge / dq / (mass_mg / 1e3)
    highest = (charge + plus[1:] + minus[:-1]) / (dq - down / m - weighing) / (
        (mass_mg - mass_sd_mg) / 1e3)
    lowest = (charge - minus[1:] - plus[:-1]) / (dq + up / m + weighing) / (
        (mass_mg + mass_sd_mg) / 1e3)
    return pd.DataFrame({
        "from_V": low, "to_V": high, "charge_mAh": charge, "reference_mAh_g": dq,
        "utilization": theta, "plus": highest - theta, "minus": theta - lowest,
    }, index=pd.RangeIndex(1, len(theta) + 1, name="step"))


def average(steps: pd.DataFrame, first: int, last: int) -> tuple[float, float]:
    """Plain mean and *population* SD between steps first to last, as the published averages.

    The SD is the spread between steps of one cell. It holds no mass error and is no error of the
    mean.
    """
    chosen = steps.loc[first:last, "utilization"].to_numpy(float)
    if not len(chosen):
        raise TitrationError(f"steps {first} to {last} are none of 1 to {len(steps)}")
    return float(chosen.mean()), float(chosen.std())


def points(
    cell: pd.DataFrame, reference: Curve, *, vs: str, mass_mg: float, mass_sd_mg: float,
    counter_V: float | None = None, counter_sd_V: float | None = None, name: str = "cell",
    reference_name: str = "reference",
) -> tuple[pd.DataFrame, list[str]]:
    """Relaxed points of a cell beside the reference: one row a point, errors as columns.

    Parameters
    ----------
    cell, reference
        The cell's relaxed points and the reference curve.
    vs
        Counter electrode that the potentials refer to: ``"Li"`` or ``"InLi"``.
    mass_mg, mass_sd_mg
        Active material weighed into the cell, standard deviation.
    counter_V, counter_sd_V
        Replace the numbers in ``COUNTER``.
    name, reference_name
        Labels of the two cells.

    Returns
    -------
    rows, notes
        Columns of the model ``utilization`` (units in their names), and sentences on what was
        assumed or looks wrong.

    Raises
    ------
    TitrationError
        If the counter electrode is not named or contradicts the curve, a mass is wrong, a point
        lies outside the reference, or the curve is flat at a point.
    """
    check_mass("mass", mass_mg, mass_sd_mg)
    shift, shift_sd = counter(vs, counter_V, counter_sd_V)
    if "vs" in cell and str(cell["vs"].iloc[0]) not in {vs, "nan", "None"}:
        raise TitrationError(f"the table says vs {cell['vs'].iloc[0]!r}, but vs={vs!r} was named: "
                             "which is right?")
    contradiction(cell, reference, vs, shift, mass_mg)
    u = cell["relaxed_V"].to_numpy(float) + shift
    notes = [*reference.notes, *cell.attrs.get("notes", [])]
    low, high = reference.potential[0], reference.potential[-1]
    beyond = np.maximum(np.maximum(low - u, u - high), 0.0)
    if (beyond > BEYOND_V).any():
        told = ", ".join(f"{p:.4f} V (row {r})" for p, r in zip(
            u[beyond > BEYOND_V], cell.index[beyond > BEYOND_V], strict=True))
        raise TitrationError(
            f"the reference spans {low:.4f} to {high:.4f} V vs Li+/Li; outside it lies {told}. "
            "Leave such points out, or measure the reference there")
    for k in np.flatnonzero(beyond > 0):
        notes.append(
            f"the point at {u[k]:.5f} V (row {cell.index[k]}) lies {1e3 * beyond[k]:.1f} mV outside"
            f" the reference ({low:.5f} to {high:.5f} V): its charge is extended along the last "
            f"slope, an assumption; {100 * SLOPE_BEYOND:.0f} % of that distance joins its error")
    slope = reference.slope(u)
    accuracy = np.sqrt(cell["instrument_V"].to_numpy(float) ** 2
                       + reference.error("instrument_V", u) ** 2 + (SLOPE_BEYOND * beyond) ** 2)
    q = reference.charge(u)
    worth = slope * np.hypot(accuracy, cell["relaxation_V"].to_numpy(float)) / np.ptp(q)
    flat = slope * accuracy / np.ptp(q)
    if (flat > FLAT_REFUSE).any():
        k = int(np.argmax(flat))
        raise TitrationError(
            f"the reference is flat at {u[k]:.4f} V: {1e3 * accuracy[k]:.1f} mV of potential error "
            f"are worth {100 * flat[k]:.0f} % of the charge of all points. On a plateau the "
            "potential says nothing about the charge; choose points on both sides of it")
    for k in np.flatnonzero(worth > FLAT_FLAG):
        notes.append(f"at {u[k]:.4f} V the stated potential errors are worth {100 * worth[k]:.0f} %"
                     " of the charge of all points (flat curve or unfinished rest)")
    charge_sd = (cell["charge_up_mAh"] + cell["charge_down_mAh"]).to_numpy(float) / 2
    per_gram = 1e3 / reference.mass_mg
    rows = pd.DataFrame({
        "cell": name, "reference": reference_name, "relaxed_V": u,
        "charge_mAh": cell["charge_mAh"].to_numpy(float), "charge_error_mAh": charge_sd,
        "active_mass_mg": float(mass_mg), "active_mass_error_mg": float(mass_sd_mg),
        "reference_mass_error": reference.mass_sd_mg / reference.mass_mg,
        "reference_mAh_g": q, "reference_slope_mAh_g_V": slope,
        "potential_error_V": accuracy, "counter_error_V": shift_sd,
        "relaxation_V": cell["relaxation_V"].to_numpy(float),
        "reference_relaxation_V": reference.error("relaxation_V", u),
        "reference_self_discharge_V": reference.error("self_discharge_V", u),
        "reference_gain_mAh_g": reference.error("gain_mAh", u) * per_gram,
        "reference_lost_mAh_g": reference.error("lost_mAh", u) * per_gram,
    }, index=cell.index)
    if "kind" in cell:
        rows["kind"] = cell["kind"]
    return rows, notes


def counter(vs: str, value: float | None = None, sd: float | None = None) -> tuple[float, float]:
    """Potential of the counter electrode against Li+/Li and its sd (V).

    Raises
    ------
    TitrationError
        If it is none of the known ones: a wrong electrode gives a wrong answer in silence.
    """
    if vs not in COUNTER:
        raise TitrationError(
            f"vs={vs!r}: name the counter electrode that the potentials refer to, one of "
            f"{', '.join(COUNTER)} (InLi is taken as {COUNTER['InLi'][0]:.3f} V vs Li+/Li)")
    known = COUNTER[vs]
    shift = known[0] if value is None else float(value)
    spread = known[1] if sd is None else float(sd)
    if not np.isfinite(shift) or not spread >= 0:
        raise TitrationError(f"counter electrode at {shift!r} V with sd {spread!r} V")
    return shift, spread


def contradiction(cell: pd.DataFrame, reference: Curve, vs: str, shift: float,
                  mass_mg: float) -> None:
    """Refuse a counter electrode under which the curve fits far worse than under the other.

    Compared is how even the step utilizations are (their relative spread), for both electrodes
    that the data could be against, where the potentials lie inside the reference at all.

    Raises
    ------
    TitrationError
        With what the other electrode would give.
    """
    raw = cell["relaxed_V"].to_numpy(float)
    charge = cell["charge_mAh"].to_numpy(float)

    def unevenness(by: float) -> tuple[float, float]:
        u = raw + by
        low, high = reference.potential[0] - BEYOND_V, reference.potential[-1] + BEYOND_V
        inside = (u >= low) & (u <= high)
        if inside.sum() < 3 or inside.mean() < 0.7:
            return np.inf, np.nan
        theta = np.diff(charge[inside]) / np.diff(reference.charge(u[inside])) / mass_mg * 1e3
        weight = np.diff(charge[inside])
        mean = float(np.average(theta, weights=weight))
        spread = np.sqrt(np.average((theta / mean - 1) ** 2, weights=weight))
        return (float(spread) if 0.05 < mean < 1.3 else np.inf), mean

    said, _ = unevenness(shift)
    others = {name: unevenness(by) for name, (by, _) in COUNTER.items() if name != vs}
    better, (found, mean) = min(others.items(), key=lambda item: item[1][0])
    if np.isfinite(found) and found < 0.3 and (said > 3 * found) and said > 0.3:
        told = ("most points leave the reference or the utilization is impossible"
                if not np.isfinite(said)
                else f"the steps then scatter by {100 * said:.0f} %")
        raise TitrationError(
            f"vs={vs!r} contradicts the curve: {told}, while against {better} they scatter by "
            f"{100 * found:.0f} % about {100 * mean:.0f} %. Name the electrode that the numbers in "
            "the file refer to (a file may have been converted already)")
