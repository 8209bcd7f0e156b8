"""Planning a titration: how long to rest, and at which potentials.

An unfinished rest is what a longer rest mends. How fast depends on a law that a few rests cannot
tell; two are used as bounds, what is left after a rest of t hours being

    r(t) = r(t_0) (t_0 / t)^n,       n = 0.5 (slow, diffusion in large grains) to 1 (faster).

Both answers use the errors of ``constancy``; masses are left out, as no rest mends them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .constancy import level
from .titration import Curve, TitrationError

SLOW, FAST = 0.5, 1.0
LONGEST = 64.0
"""Rests more than so many times as long are not proposed."""


@dataclass(frozen=True)
class NextRest:
    """Length of the next rest for a wanted error.

    Attributes
    ----------
    hours_fast, hours_slow
        Rest (h) under the fast and the slow law; infinite where no rest is long enough.
    sd_now, sd_floor
        Error of the utilization with today's rest, and with endless rests; masses left out.
    """

    hours_fast: float
    hours_slow: float
    sd_now: float
    sd_floor: float

    @property
    def sentence(self) -> str:
        """The answer in words."""
        now = f"{100 * self.sd_now:.1f} points (masses left out)"
        if not np.isfinite(self.hours_fast):
            return (f"No rest is long enough: the error is {now} now and stays at "
                    f"{100 * self.sd_floor:.1f} points with endless rests.")
        slow = f"{self.hours_slow:.0f} h" if np.isfinite(self.hours_slow) else "no rest at all"
        return (f"The error is {now} now; the next rest should take {self.hours_fast:.0f} h if "
                f"relaxation is fast, {slow} if it is slow.")


def next_rest(points: pd.DataFrame, *, rest_h: float, target_sd: float) -> NextRest:
    """How long the next cell must rest so that the utilization is known to ``target_sd``.

    Parameters
    ----------
    points
        Points of the window, with the errors of a rest of ``rest_h`` hours.
    rest_h
        Length of the rests so far (h).
    target_sd
        Wanted standard deviation of the utilization, masses left out (0.01 is one point).
    """
    if not rest_h > 0 or not target_sd > 0:
        raise TitrationError(f"rest_h={rest_h!r} and target_sd={target_sd!r} must be above 0")

    def sd(left: float) -> float:
        return level(points.assign(relaxation_V=points["relaxation_V"] * left)).sd

    floor = sd(0.0)
    hours = []
    for power in (FAST, SLOW):
        lengths = np.geomspace(1.0, LONGEST, 80)
        good = [k for k in lengths if sd(k**-power) <= target_sd]
        hours.append(rest_h * good[0] if good else np.inf)
    return NextRest(float(hours[0]), float(hours[1]), sd(1.0), floor)


def best_pair(
    points: pd.DataFrame, reference: Curve, *, hours: float, rest_h: float, c_rate: float = 0.1,
    theta: float = 0.8, highest_V: float = 4.15, count: int = 5,
) -> pd.DataFrame:
    """Which two potentials give the sharpest utilization in a given time.

    Parameters
    ----------
    points
        Points of a cell like the next one; their errors are interpolated over potential.
    reference
        The reference curve.
    hours
        Time for both rests and the charge between them (h).
    rest_h
        Length of the rests behind the stated errors (h).
    c_rate
        Rate of the charge between the rests, 1/h, for 200 mAh/g.
    theta
        Utilization expected.
    highest_V
        Above, contraction of the active material may break contacts.
    count
        Number of pairs returned.

    Returns
    -------
    DataFrame
        ``from_V``, ``to_V``, ``rest_h`` (each), ``sd`` (masses left out), sharpest first.
    """
    u = points["relaxed_V"].to_numpy(float)
    grid = np.arange(np.ceil(100 * max(u.min(), reference.potential[0])) / 100,
                     min(u.max(), highest_V) + 1e-9, 0.01)
    q, s = reference.charge(grid), reference.slope(grid)
    at = {n: np.interp(grid, u, points[n].to_numpy(float))
          for n in ("relaxation_V", "potential_error_V", "reference_relaxation_V",
                    "reference_self_discharge_V", "reference_lost_mAh_g", "reference_gain_mAh_g")}
    per_gram = points["charge_error_mAh"].to_numpy(float) / points["active_mass_mg"].to_numpy(float)
    charge_sd = 1e3 * float(per_gram.mean())
    counter = float(points["counter_error_V"].iloc[0])
    i, k = np.triu_indices(len(grid), 1)
    dq = q[k] - q[i]
    rest = (hours - theta * dq / (200.0 * c_rate)) / 2
    usable = rest > 0.25
    if not usable.any():
        raise TitrationError(f"{hours:g} h leave no time to rest at {c_rate:g}/h")
    left = np.sqrt(rest_h / np.where(usable, rest, np.nan))
    spread = 1 - 2 / np.pi

    def both(values: np.ndarray) -> np.ndarray:
        return values[i] ** 2 + values[k] ** 2

    def between(values: np.ndarray) -> np.ndarray:
        return (values[k] - values[i]) ** 2

    variance = (2 * (charge_sd / theta) ** 2 + both(s * at["potential_error_V"])
                + spread * left**2 * both(s * at["relaxation_V"]) + between(s * counter)
                + spread * between(s * at["reference_relaxation_V"])
                + spread * between(s * at["reference_self_discharge_V"]
                                   + at["reference_lost_mAh_g"])
                + between(at["reference_gain_mAh_g"]))
    sd = np.where(usable, theta * np.sqrt(variance) / dq, np.inf)
    order = np.argsort(sd)[:count]
    return pd.DataFrame({"from_V": grid[i[order]], "to_V": grid[k[order]],
                         "rest_h": rest[order], "sd": sd[order]})
