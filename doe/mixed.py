"""Readings in groups (whole plots, blocks, batches): a linear mean and two scatters, exactly.

    y = X b + u[group] + e,    u ~ Normal(0, between^2),    e ~ Normal(0, within^2 / weight)

Half-normal priors on both standard deviations; each coefficient has a flat or a normal prior.
Given the two standard deviations everything is normal and in closed form; over them it is
integrated by Gauss-Legendre quadrature on the window that holds the posterior. No sampling: the
same data give the same answer to many digits, within milliseconds.

References
----------
Gelman, Bayesian Anal. 1 (2006) 515 (half-normal and half-t priors of group scatter).
Harville, J. Am. Stat. Assoc. 72 (1977) 320 (restricted likelihood: flat coefficients are integrated
out).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

NODES = 40
"""Quadrature nodes along each standard deviation."""
_COARSE = 17
_CUT = 22.0
"""Posterior densities below exp(-_CUT) of the highest are left out."""
SLIP = 5.0
"""Scatter, in scales of its prior, from which on the scale is doubted: a half-normal prior gives a
larger one less than a millionth."""
_FARTHEST = 40.0
"""Largest standard deviation, in scales of its prior."""
_WIDTH = 2.0
"""Where scatters are searched, in standard deviations of the residuals at most."""
_SMALLEST = 1e-3
"""Smallest scatter within groups, relative to the residuals: identical readings are rounded."""


@dataclass(frozen=True)
class Mixed:
    """Posterior as a mixture of normals, one for each pair of standard deviations.

    Attributes
    ----------
    weight : ndarray, shape (k,)
    mean : ndarray, shape (k, p)
        Coefficients given the standard deviations.
    cov : ndarray, shape (k, p, p)
    between, within : ndarray, shape (k,)
        Standard deviations of groups, and of units within them.
    log_evidence : float
        Comparable between models of the same readings that share their flat coefficients.
    """

    weight: np.ndarray
    mean: np.ndarray
    cov: np.ndarray
    between: np.ndarray
    within: np.ndarray
    log_evidence: float

    def moments(self, contrast: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of ``contrast @ b`` at each node, shape ``(k,)`` each."""
        return self.mean @ contrast, np.einsum("i,kij,j->k", contrast, self.cov, contrast)

    def average(self, contrast: np.ndarray) -> float:
        return float(self.weight @ (self.mean @ contrast))

    def interval(
        self, contrast: np.ndarray, level: float, further: np.ndarray | float = 0.0
    ) -> tuple[float, float]:
        """Equal-tailed interval of ``contrast @ b`` plus noise of variance ``further``."""
        centre, variance = self.moments(contrast)
        sd = np.sqrt(variance + further)
        tail = (1.0 - level) / 2.0
        return quantile(self.weight, centre, sd, tail), quantile(self.weight, centre, sd, 1 - tail)

    def above(self, contrast: np.ndarray, limit: float = 0.0) -> float:
        """P(contrast @ b > limit)."""
        centre, variance = self.moments(contrast)
        return float(self.weight @ ndtr((centre - limit) / np.sqrt(variance)))

    def scatter(self, which: str, level: float) -> tuple[float, float, float]:
        """Posterior median and equal-tailed interval of ``"between"`` or ``"within"``."""
        values = getattr(self, which)
        order = np.argsort(values)
        share = np.cumsum(self.weight[order]) - 0.5 * self.weight[order]
        tail = (1.0 - level) / 2.0
        low, mid, high = np.interp([tail, 0.5, 1.0 - tail], share, values[order])
        return float(mid), float(low), float(high)


def quantile(weight: np.ndarray, centre: np.ndarray, sd: np.ndarray, p: float) -> float:
    """Quantile of a mixture of normals, to twelve digits of its spread."""
    reach = -float(ndtri(min(p, 1.0 - p))) + 1.0
    low, high = float((centre - reach * sd).min()), float((centre + reach * sd).max())
    return float(
        brentq(  # pyright: ignore
            lambda x: weight @ ndtr((x - centre) / sd) - p, low, high, xtol=1e-12 * (high - low)
        )
    )


def residual_sd(x: np.ndarray, y: np.ndarray) -> float:
    """Standard deviation of the residuals of least squares; that of `y` where nothing is left."""
    free = len(y) - x.shape[1]
    rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    if free > 0 and rest @ rest > 0.0:
        return float(np.sqrt(rest @ rest / free))
    sd = float(np.std(y))
    return sd if sd > 0.0 else max(1e-6 * float(np.abs(y).max()), 1e-12)


def fit(
    x: np.ndarray,
    y: np.ndarray,
    group: np.ndarray,
    between: float,
    within: float,
    weight: np.ndarray | None = None,
    precision: np.ndarray | None = None,
) -> Mixed:
    """Posterior of the coefficients and of both standard deviations.

    Parameters
    ----------
    x : ndarray, shape (n, p)
        Of full column rank.
    y : ndarray, shape (n,)
    group : ndarray of int, shape (n,)
        Codes 0, 1, ... of the groups.
    between, within : float
        Scales of the half-normal priors, in the unit of `y`.
    weight : ndarray, shape (n,), optional
        How many units a reading is the mean of.
    precision : ndarray, shape (p,), optional
        1 / variance of a coefficient's normal prior about zero; 0 for a flat one.

    Returns
    -------
    Mixed
    """
    n, p = x.shape
    w = np.ones(n) if weight is None else np.asarray(weight, dtype=float)
    prior = np.zeros(p) if precision is None else np.asarray(precision, dtype=float)
    size = np.linalg.norm(x, axis=0)
    columns, prior = x / size, prior / size**2
    flat = prior == 0.0
    shift = np.zeros(p)
    if flat.any():
        shift[flat] = np.linalg.lstsq(columns[:, flat], y, rcond=None)[0]
    table = np.column_stack([columns, y - columns @ shift])
    sums = _Sums.of(table, w, group)
    # a scatter s is searched as s / (s + scale), which has an end at infinity; a prior far wider
    # than the readings must not leave all of them at one end
    priors, spread = np.array([between, within]), residual_sd(x, y)
    scales = np.minimum(priors, _WIDTH * spread)
    least = _SMALLEST * min(spread, within)
    ends = np.array([[0.0, 1.0], [least / (least + scales[1]), 1.0]])
    ends[:, 1] = _FARTHEST * priors / (scales + _FARTHEST * priors)

    def value(t: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        sd = scales[:, None] * t / (1.0 - t)
        log_like, mean, cov = sums.solve(sd[0], sd[1], prior)
        log_prior = -0.5 * ((sd / priors[:, None]) ** 2).sum(axis=0)
        return log_like + log_prior - 2.0 * np.log1p(-t).sum(axis=0), sd, mean, cov

    for _ in range(12):
        axes = [np.linspace(a, b, _COARSE) for a, b in ends]
        first, second = np.meshgrid(*axes, indexing="ij")
        log_p = value(np.stack([first.ravel(), second.ravel()]))[0].reshape(_COARSE, _COARSE)
        new = np.array(
            [_window(axes[0], log_p.max(axis=1)), _window(axes[1], log_p.max(axis=0))]
        )
        shrunk = np.diff(new).ravel() / np.diff(ends).ravel()
        ends = new
        if (shrunk > 0.6).all():
            break
    nodes, node_weight = np.polynomial.legendre.leggauss(NODES)
    places = [a + 0.5 * (b - a) * (nodes + 1.0) for a, b in ends]
    first, second = np.meshgrid(*places, indexing="ij")
    area = np.outer(node_weight, node_weight).ravel() * np.prod(0.5 * np.diff(ends))
    log_p, sd, mean, cov = value(np.stack([first.ravel(), second.ravel()]))
    top = log_p.max()
    mass = np.exp(log_p - top) * area
    # normalised half-normal priors and normal priors of coefficients
    constant = np.log(2.0 / np.pi) + np.log(scales / priors).sum()
    constant += 0.5 * np.log(prior[~flat]).sum() - np.log(size[flat]).sum()
    share = mass / mass.sum()
    use = share > 1e-12
    return Mixed(
        weight=share[use] / share[use].sum(),
        mean=(mean[use] + shift) / size,
        cov=cov[use] / np.outer(size, size),
        between=sd[0, use],
        within=sd[1, use],
        log_evidence=float(top + np.log(mass.sum()) + constant),
    )


def slips(
    x: np.ndarray, y: np.ndarray, group: np.ndarray, outcome: str,
    weight: np.ndarray | None = None, **given: tuple[str, float | None],
) -> list[str]:  # fmt: skip
    """What to say of scales that were given and that the readings contradict: a slip of unit?

    A scatter that its own prior holds down hides in the other one, so that the posterior under the
    given scales does not show it. The readings are asked under wide priors instead.

    Parameters
    ----------
    x, y, group, weight
        As for `fit`.
    outcome : str
        Whose unit the scales are in.
    **given : (argument, scale)
        For ``between`` and ``within``: what the scale of its prior is called, and the scale, None
        where nobody gave one.

    Returns
    -------
    list of str
        Empty where nothing speaks against the scales.
    """
    if all(scale is None for _, scale in given.values()):
        return []
    wide = 2.0 * residual_sd(x, y)
    free = fit(x, y, group, wide, wide, weight)
    said = []
    for which, (name, scale) in given.items():
        middle, low, _ = free.scatter(which, 0.9)
        if scale is not None and low > SLIP * scale:
            said.append(
                f"{name}={scale:.3g}, but these readings show a scatter of about {middle:.3g} "
                f"(above {low:.3g} with probability 0.95): a slip of unit? It is in the unit of "
                f"{outcome}; intervals under it are not to be trusted"
            )
    return said


def _window(axis: np.ndarray, log_p: np.ndarray) -> tuple[float, float]:
    """The part of an axis that matters, one step wider on either side."""
    inside = np.flatnonzero(log_p > log_p.max() - _CUT)
    low, high = max(inside[0] - 1, 0), min(inside[-1] + 1, len(axis) - 1)
    return float(axis[low]), float(axis[high])


@dataclass(frozen=True)
class _Sums:
    """Sums of squares of the columns and the readings, within groups and between them.

    ``V^-1`` of a group of weight W is ``(diag(w) - r w w' / (1 + r W)) / within^2`` with
    ``r = (between / within)^2``; its second part is split so that nothing cancels at large r.
    """

    inner: np.ndarray
    outer: np.ndarray
    total: np.ndarray
    count: np.ndarray
    n: int
    log_w: float

    @staticmethod
    def of(table: np.ndarray, w: np.ndarray, group: np.ndarray) -> _Sums:
        many = int(group.max()) + 1
        weight = np.bincount(group, w, many)
        means = np.stack([np.bincount(group, w * c, many) for c in table.T], axis=1)
        means /= weight[:, None]
        rest = table - means[group]
        inner = rest.T @ (w[:, None] * rest)
        total, which = np.unique(np.round(weight, 9), return_inverse=True)
        outer = np.zeros((len(total), *inner.shape))
        np.add.at(outer, which, weight[:, None, None] * means[:, :, None] * means[:, None, :])
        count = np.bincount(which, minlength=len(total)).astype(float)
        return _Sums(inner, outer, total, count, len(table), float(np.log(w).sum()))

    def solve(
        self, between: np.ndarray, within: np.ndarray, prior: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Log likelihood, mean and covariance of the coefficients, at pairs of sds, (k, ...)."""
        swollen = 1.0 + (between / within)[:, None] ** 2 * self.total
        grams = self.inner + np.einsum("kg,gij->kij", 1.0 / swollen, self.outer)
        grams = grams / within[:, None, None] ** 2
        p = len(prior)
        precise, right = grams[:, :p, :p] + np.diag(prior), grams[:, :p, p]
        cov = np.linalg.inv(precise)
        mean = np.einsum("kij,kj->ki", cov, right)
        rest = np.maximum(grams[:, p, p] - (right * mean).sum(axis=1), 0.0)
        log_like = -self.n * np.log(within) - 0.5 * (self.count * np.log(swollen)).sum(axis=1)
        log_like = log_like + 0.5 * self.log_w
        log_like = log_like - 0.5 * (np.linalg.slogdet(precise)[1] + rest)
        return log_like, mean, cov
