"""Published summaries of nested cells: the exact density of a printed mean and a printed SD.

Cells ``y = mu + b + e`` come from ``k`` batches with ``c = n / k`` cells each; the batch
deviations ``b ~ Normal(0, tau)`` and the cell deviations ``e ~ Normal(0, sigma)`` (all in the unit
of the outcome). A paper prints the mean of all ``n`` cells and their standard deviation, whose
sum of squares about the mean, ``SS = sd^2 (n - ddof)``, mixes both spreads:

``SS = sigma^2 X + (sigma^2 + c tau^2) Y``,  ``X ~ chi2(n - k)``,  ``Y ~ chi2(k - 1)``,

and is independent of the mean, ``Normal(mu, sqrt(tau^2 / k + sigma^2 / n))``. Nine cells of three
batches are therefore not nine replicates: taken as such, 90 % intervals of the mean cover 66 %.

The density of SS is exact up to one smooth integral over the share ``v`` of the within-batch part
(a confluent hypergeometric function). It is taken by the trapezoid rule on ``logit v``, whose
nodes and weights depend on the numbers of cells and batches alone: they are constants of a summary,
as many as it takes for the log density to be right within 1e-6 down to cell SDs of a few
thousandths of the printed SD.

Every function runs on NumPy, JAX and PyTensor values alike. Exact for equal numbers of cells in
each batch; with unequal numbers ``c = n / k`` is an approximation. Rounding of the printed figures
is neglected: a half unit of the last digit is small against the spread of an SD over few cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .arrays import namespace

LEAST_LOGIT = -14.0
"""Smallest ``logit v`` at which the integrand may peak: cell SDs to 0.001 of the printed SD."""
_LOG_2PI = float(np.log(2.0 * np.pi))


def summary_constants(cells: Any, batches: Any) -> dict[str, np.ndarray]:
    """Constants of each summary that the density needs, to be computed once with NumPy.

    Parameters
    ----------
    cells, batches
        Numbers of cells ``n`` and of batches ``k`` behind each summary.

    Returns
    -------
    dict
        ``cells``, ``batches``; ``within_df = n - k``, ``between_df = k - 1``; ``log_constant``,
        the part of the log density of SS that holds no parameter, all ``(summaries,)``; ``share``
        and ``log_weight``, ``(summaries, nodes)``: nodes v of the integral and the logarithm of
        their weights. A single cell has no sum of squares; its constants are those of two cells,
        so that they stay finite where unused.

    Raises
    ------
    ValueError
        If there is no cell, no batch, or more batches than cells.
    """
    from scipy.special import gammaln

    n, k = (np.atleast_1d(np.asarray(a, dtype=float)) for a in (cells, batches))
    n, k = np.broadcast_arrays(n, k)
    wrong = ~((n >= 1) & (k >= 1) & (k <= n))
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise ValueError(
            f"summary {at}: {n[at]:g} cells of {k[at]:g} batches; there must be at least 1 batch "
            "and at most as many batches as cells"
        )
    within, between = np.where(n > 1, n - k, 1.0), k - 1
    share, log_weight = _nodes(within, between)
    return {
        "cells": n.copy(),
        "batches": k.copy(),
        "within_df": within,
        "between_df": between,
        "log_constant": -0.5 * (within + between) * np.log(2.0) - gammaln(
            0.5 * (within + between)),
        "share": share,
        "log_weight": log_weight,
    }


def _nodes(p: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and log weights of the mean over v ~ Beta(p/2, q/2), ``(summaries, nodes)``.

    A single batch has all of its scatter within (v = 1), one cell a batch has none (v = 0).
    """
    from scipy.special import betaln

    both = (p > 0) & (q > 0)
    half_p, half_q = (0.5 * np.where(both, df, 2.0) for df in (p, q))
    # Below its peak the integrand falls as v^(p/2); 15 / (p/2) leaves out 3e-7 of it. Above the
    # bulk of v it falls as (1 - v)^(q/2), slowly: there the nodes stretch exponentially.
    low = LEAST_LOGIT - 15.0 / half_p
    bend = np.log((half_p + 2.0) / half_q) + 1.0
    high = bend + 3.7
    # It is never narrower than a log-gamma density of shape p/2, whose SD is (p/2)^-0.5.
    size = int(np.max((high - low) * np.maximum(half_p, 1.0) ** 0.5 / 0.6, initial=1.0)) + 2
    step = (high - low) / (size - 1)
    t = low[:, None] + step[:, None] * np.arange(size)
    stretch = np.exp(t - bend[:, None])
    x = t + stretch
    log_v, log_rest = -np.logaddexp(0.0, -x), -np.logaddexp(0.0, x)
    log_weight = (half_p[:, None] * log_v + half_q[:, None] * log_rest + np.log1p(stretch)
                  + (np.log(step) - betaln(half_p, half_q))[:, None])
    flat = np.broadcast_to(-np.log(size), x.shape)
    share = np.where(both[:, None], np.exp(log_v), np.where(q > 0, 0.0, 1.0)[:, None])
    return share, np.where(both[:, None], log_weight, flat)


def sum_of_squares(sd: Any, cells: Any, ddof: Any) -> Any:
    """Sum of squared deviations from the mean that a printed SD stands for, ``sd^2 (n - ddof)``."""
    return sd**2 * (cells - ddof)


def mean_variance(batch_sd: Any, cell_sd: Any, cells: Any, batches: Any) -> Any:
    """Variance of the mean of nested cells, ``tau^2 / k + sigma^2 / n``."""
    return batch_sd**2 / batches + cell_sd**2 / cells


def log_density_normal(value: Any, mu: Any, variance: Any) -> Any:
    """Log density of a normal distribution with this mean and variance."""
    xp = namespace(value, mu, variance)
    return -0.5 * (_LOG_2PI + xp.log(variance) + (value - mu) ** 2 / variance)


def log_density_mean(
    mean: Any, mu: Any, batch_sd: Any, cell_sd: Any, cells: Any, batches: Any
) -> Any:
    """Log density of the mean of nested cells, batch and cell deviations integrated out."""
    return log_density_normal(mean, mu, mean_variance(batch_sd, cell_sd, cells, batches))


def log_density_sum_of_squares(
    ss: Any, batch_sd: Any, cell_sd: Any, constants: Mapping[str, Any]
) -> Any:
    """Log density of the sum of squares of nested cells about their mean.

    Parameters
    ----------
    ss
        Sums of squares, ``(summaries,)``, above zero, in the squared unit of the outcome.
    batch_sd, cell_sd
        Standard deviations between batches and between the cells of a batch, scalars or
        ``(summaries,)``; ``cell_sd`` above zero.
    constants
        Of ``summary_constants``, as arrays or as data nodes; one entry serves all ``ss`` alike.

    Returns
    -------
    array
        ``(summaries,)``.
    """
    xp = namespace(ss, batch_sd, cell_sd, constants["cells"])
    p, q = constants["within_df"], constants["between_df"]
    a = cell_sd**2
    b = a + constants["cells"] / constants["batches"] * batch_sd**2
    pull = 0.5 * ss * (1.0 / a - 1.0 / b)
    terms = constants["log_weight"] - pull[:, None] * constants["share"]
    top = terms.max(axis=1)
    integral = top + xp.log(xp.exp(terms - top[:, None]).sum(axis=1))
    return (
        constants["log_constant"] + (0.5 * (p + q) - 1.0) * xp.log(ss) - 0.5 * ss / b
        - 0.5 * p * xp.log(a) - 0.5 * q * xp.log(b) + integral
    )


def log_density_sd(
    sd: Any, ddof: Any, batch_sd: Any, cell_sd: Any, constants: Mapping[str, Any]
) -> Any:
    """Log density of a printed SD of nested cells.

    Parameters
    ----------
    sd
        Printed standard deviations, above zero.
    ddof
        Whether the divisor was ``n`` (0) or ``n - 1`` (1); between them, the probability that it
        was ``n - 1``: 0.5 where a paper does not say.
    batch_sd, cell_sd, constants
        As in ``log_density_sum_of_squares``.

    Returns
    -------
    array
        ``(summaries,)``; the two conventions are mixed on the scale of what is printed, so that
        the answer is a density of ``sd``.
    """
    xp = namespace(sd, ddof, batch_sd, cell_sd, constants["cells"])
    each = []
    for convention in (0.0, 1.0):
        ss = sum_of_squares(sd, constants["cells"], convention)
        log_jacobian = xp.log(2.0 * ss / sd)
        each.append(log_density_sum_of_squares(ss, batch_sd, cell_sd, constants) + log_jacobian)
    tiny = 1e-300
    population = each[0] + xp.log(xp.maximum(1.0 - ddof, tiny))
    sample = each[1] + xp.log(xp.maximum(ddof + 0.0 * sd, tiny))
    top = xp.maximum(population, sample)
    return top + xp.log(xp.exp(population - top) + xp.exp(sample - top))


def score_of_sum_of_squares(
    ss: Any, batch_sd: Any, cell_sd: Any, constants: Mapping[str, Any]
) -> Any:
    """Standard-normal score of a sum of squares (Wilson and Hilferty, moments matched).

    The cube root of SS, scaled by its first two moments, is close to standard normal: within 0.03
    in the bulk for 2 degrees of freedom, better for more. Used to link summaries of the same cells.
    """
    p, q = constants["within_df"], constants["between_df"]
    a = cell_sd**2 + 0.0 * ss
    b = a + constants["cells"] / constants["batches"] * batch_sd**2
    expected = p * a + q * b
    freedom = expected**2 / (p * a**2 + q * b**2)
    shrink = 2.0 / (9.0 * freedom)
    return ((ss / expected) ** (1.0 / 3.0) - 1.0 + shrink) / shrink**0.5


def correlation_of_sums_of_squares(
    batch_sd: tuple[Any, Any], cell_sd: tuple[Any, Any],
    batch_covariance: Any, cell_covariance: Any, constants: Mapping[str, Any],
) -> Any:
    """Correlation between the sums of squares of the same cells under two conditions.

    Parameters
    ----------
    batch_sd, cell_sd
        Standard deviations under the one and the other condition.
    batch_covariance, cell_covariance
        Covariance between the two conditions of a batch's, and of a cell's, deviation.
    constants
        Of ``summary_constants``; both summaries have the same cells.
    """
    p, q = constants["within_df"], constants["between_df"]
    c = constants["cells"] / constants["batches"]
    within = [s**2 for s in cell_sd]
    between = [w + c * t**2 for w, t in zip(within, batch_sd, strict=True)]
    shared = p * cell_covariance**2 + q * (cell_covariance + c * batch_covariance) ** 2
    own = [p * w**2 + q * b**2 for w, b in zip(within, between, strict=True)]
    return shared / (own[0] * own[1]) ** 0.5


def log_dependence(score: Any, before: Any, correlation: Any) -> Any:
    """Log of the Gaussian copula density of two standard-normal scores.

    Added to the log density of a summary, it turns it into the density given the summary of the
    same cells under the condition before: what two conditions share is counted once.
    """
    xp = namespace(score, before, correlation)
    rest = 1.0 - correlation**2
    square = correlation**2 * (score**2 + before**2) - 2.0 * correlation * score * before
    return -0.5 * xp.log(rest) - 0.5 * square / rest


def remainder(
    pooled: dict[str, float], parts: Sequence[dict[str, float]], *, ddof: int, part_ddof: int,
    decimals: int = 1,
) -> dict[str, float]:
    """What a pooled mean and SD say about the cells that the printed parts leave over.

    Sums and sums of squares are additive, so a pooled row and the parts it contains fix the rest
    exactly; the rest can be used beside the parts, the pooled row then not.

    Parameters
    ----------
    pooled
        ``mean``, ``sd``, ``n`` of all cells.
    parts
        The same of each printed part.
    ddof, part_ddof
        Divisor ``n - ddof`` of the pooled SD, and of the parts' SDs.
    decimals
        Decimals of the printed means and SDs, which set the rounding.

    Returns
    -------
    dict
        ``n``, ``mean``, ``ss`` (sum of squares about the mean) and ``mean_low``, ``mean_high``,
        ``ss_low``, ``ss_high``: what rounding leaves open. Where the figures as printed give a
        negative sum of squares and rounding allows a positive one, ``ss`` is the middle of the
        allowed range.

    Raises
    ------
    ValueError
        If no cells are left over, or if no rounding makes the sum of squares positive: the
        figures then contradict each other under this convention.
    """
    left = pooled["n"] - sum(part["n"] for part in parts)
    if left < 1:
        raise ValueError(
            f"the parts hold {sum(part['n'] for part in parts):g} cells and the pooled row "
            f"{pooled['n']:g}: nothing is left over"
        )
    rows = [pooled, *parts]
    counts = np.array([row["n"] for row in rows])
    divisors = counts - np.array([ddof, *[part_ddof] * len(parts)])
    signs = np.array([1.0, *[-1.0] * len(parts)])

    def rest(figures: np.ndarray) -> np.ndarray:
        mean, sd = figures[:, : len(rows)], figures[:, len(rows):]
        total = (signs * counts * mean).sum(axis=1)
        raw_squares = (signs * (divisors * sd**2 + counts * mean**2)).sum(axis=1)
        return np.stack([total / left, raw_squares - total**2 / left], axis=1)

    printed = np.array([[row["mean"] for row in rows] + [row["sd"] for row in rows]], dtype=float)
    mean, ss = rest(printed)[0]
    half = 0.5 * 10.0**-decimals
    corners = np.indices((2,) * printed.shape[1]).reshape(printed.shape[1], -1).T * 2.0 - 1.0
    ends = rest(np.maximum(printed + half * corners, np.where(printed > 0, 0.0, -np.inf)))
    ss_low, ss_high = max(float(ends[:, 1].min()), 0.0), float(ends[:, 1].max())
    if ss_high <= 0 or (left < 2 and ss_low > 0):
        raise ValueError(
            f"with ddof {ddof} for the pooled SD and {part_ddof} for the parts, the {left:g} cells "
            f"left over would have a sum of squares of {ss:.3g} (rounding: up to {ss_high:.3g}); "
            "the figures contradict each other under this convention"
        )
    return {
        "n": float(left), "mean": float(mean), "mean_low": float(ends[:, 0].min()),
        "mean_high": float(ends[:, 0].max()), "ss": float(ss if ss > 0 else 0.5 * ss_high),
        "ss_low": ss_low, "ss_high": ss_high,
    }

