"""Where along one factor a response is best, and whether that is only the edge of its range."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

EDGE = 0.5
"""Probability above which an optimum is called the edge of the tested range."""
EQUAL = 0.01
"""Share of a curve's span within which the edge counts as good as the best point."""

SAID = 0.05
"""Probability from which an end of the range is named in the sentence."""


@dataclass(frozen=True)
class BestSetting:
    """The best point of each draw of a curve.

    Attributes
    ----------
    draws
        The best point of each draw, in the unit of the axis.
    probability
        That the best point lies within ``within`` (NaN if nothing was asked).
    within
        The two ends that were asked about.
    median, low, high
        Of ``draws``; the ends of the 90 % equal-tailed interval.
    at_low_edge, at_high_edge
        Probability that the curve is as good at that end of the range as anywhere, and not at the
        other; where it is at both, the range has no best point, as the sentence then says.
    verdict
        ``"inside the tested range"`` or ``"edge of the tested range"``.
    sentence
        The same in words.
    """

    draws: np.ndarray
    probability: float
    within: tuple[float, float] | None
    median: float
    low: float
    high: float
    at_low_edge: float
    at_high_edge: float
    verdict: str
    sentence: str


def best_setting(curves: Any, axis: Any, *, larger: bool = True,
                 within: tuple[float, float] | None = None, of: str = "the response",
                 unit: str = "") -> BestSetting:
    """Find the best point of every draw of a curve over a tested range.

    A curve that rises (or falls) to the end of its range has no optimum there: a wider range
    would have moved it. Such an answer is called "edge of the tested range".

    Parameters
    ----------
    curves
        ``(draws, points)``.
    axis
        ``(points,)``, increasing: the tested range.
    larger
        Whether larger values are better.
    within
        Two values of the axis between which, ends included, the probability is asked.
    of, unit
        Name of the curve and unit of the axis, for the sentence.

    Returns
    -------
    BestSetting

    Raises
    ------
    ValueError
        If the shapes do not fit, the axis does not increase, or a value is not finite.
    """
    values, points = np.asarray(curves, dtype=float), np.asarray(axis, dtype=float)
    if values.ndim != 2 or points.ndim != 1 or values.shape[1] != len(points) or len(points) < 3:
        raise ValueError(f"curves are {values.shape} and the axis {points.shape}; give (draws, "
                         "points) and (points,) with three points or more")
    if np.any(np.diff(points) <= 0):
        raise ValueError("the axis must increase")
    if not np.isfinite(values).all() or not len(values):
        raise ValueError("the curves hold values that are not finite, or no draw")
    values = values if larger else -values
    top, span = values.max(axis=1), np.ptp(values, axis=1)
    best = points[values.argmax(axis=1)]
    good_low = values[:, 0] >= top - EQUAL * span
    good_high = values[:, -1] >= top - EQUAL * span
    flat = good_low & good_high
    at_low, at_high = float((good_low & ~flat).mean()), float((good_high & ~flat).mean())
    low, median, high = (float(v) for v in np.quantile(best, [0.05, 0.5, 0.95]))
    edge, neither = at_low + at_high > EDGE, float(flat.mean())
    verdict = "edge of the tested range" if edge else "inside the tested range"
    suffix = f" {unit}" if unit else ""
    if edge:
        ends = sorted([(at_low, points[0]), (at_high, points[-1])], reverse=True)
        other = (f" (and at {ends[1][1]:g}{suffix}, the other edge, with {ends[1][0]:.2f})"
                 if ends[1][0] >= SAID else "")
        sentence = (
            f"{of} is best at {ends[0][1]:g}{suffix}, the edge of the tested range, with "
            f"probability {ends[0][0]:.2f}{other}: this is no optimum, a wider range could move "
            "it.")
    elif neither > EDGE:
        sentence = (f"{of} is as good at both ends of the tested range as anywhere, with "
                    f"probability {neither:.2f}: no setting within is better.")
    else:
        low_, middle, high_ = (_written(v, points) for v in (low, median, high))
        sentence = (f"{of} is best at {middle}{suffix} (median; 90 % equal-tailed interval "
                    f"{low_} to {high_}).")
        if at_low + at_high >= SAID:
            sentence += (f" With probability {at_low + at_high:.2f} it is an end of the range "
                         "looked at.")
    probability = float("nan")
    if within is not None:
        probability = float(((best >= within[0]) & (best <= within[1])).mean())
        sentence += (f" P(best between {within[0]:g} and {within[1]:g}{suffix}) = "
                     f"{probability:.2f}.")
    return BestSetting(best, probability, within, median, low, high, at_low, at_high, verdict,
                       sentence)


def _written(value: float, points: np.ndarray) -> str:
    """A place on the axis with as many decimals as its points have about there."""
    k = int(np.clip(np.searchsorted(points, value), 1, len(points) - 1))
    gap = float(points[k] - points[k - 1])
    decimals = next((d for d in range(12) if abs(round(gap, d) - gap) <= 0.05 * gap), 12)
    return f"{value:.{decimals}f}"
