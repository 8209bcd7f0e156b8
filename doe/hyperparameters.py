"""Posterior draws of a Gaussian process's hyperparameters, in milliseconds.

Importance sampling from two proposals at once: the prior, which covers all that few readings
leave open, and a Student-t at the posterior's mode with the curvature there, which finds what
many readings have pinned down. Each alone fails at the other's task.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import gammaln
from scipy.stats import t as student

from .compiled import AMPLITUDE, BATCH, LENGTH, NOISE, SLOPE, compiled, pad, padded
from .errors import DoeError

LEARNING_ROWS = 256
"""Readings used to learn hyperparameters; all are used for conditioning."""
LOW, HIGH = -12.0, 6.0
"""Range of the logarithms."""
_FREEDOM = 5.0
_STEP = 1e-3


@dataclass(frozen=True)
class Prior:
    """Priors of the hyperparameters, on residuals divided by their scale.

    Attributes
    ----------
    amplitude, batch, slope : float
        Scales of half-normal priors of what may be absent: the process, the batch effect, the
        relative error of the known mean's slope.
    noise, noise_sd : float
        Median and sd of the logarithm of the factor on the given noise.
    length, length_sd : float
        Median and sd of the logarithm of the length scales, in widths of the unit cube.
    trend : float
        Sd, about zero, of the change of the noise's logarithm from end to end of each column of
        the encoded settings; 0 where the noise is the same everywhere.
    freedom : float
        Of the amplitude, whose prior is half-Student-t with so many degrees of freedom where the
        scale that it is relative to was itself learned from so many; infinite: half-normal.
    """

    amplitude: float
    batch: float
    noise: float
    noise_sd: float
    length: float
    length_sd: float
    slope: float = 1e-3
    trend: float = 0.0
    freedom: float = np.inf

    def arrays(self, d: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Precisions of half-normals, their tails (one over the degrees of freedom of Student's
        t), and means and sds of logarithms (infinite where unused)."""
        count = LENGTH + (2 * d if self.trend else d)
        half = np.zeros(count)
        half[[AMPLITUDE, BATCH, SLOPE]] = self.amplitude**-2, self.batch**-2, self.slope**-2
        tail = np.zeros(count)
        tail[AMPLITUDE] = 1.0 / self.freedom
        mean, lengths = np.zeros(count), slice(LENGTH, LENGTH + d)
        mean[NOISE], mean[lengths] = np.log(self.noise), np.log(self.length)
        sd = np.full(count, np.inf)
        sd[NOISE], sd[lengths], sd[LENGTH + d :] = self.noise_sd, self.length_sd, self.trend
        return half, tail, mean, sd

    def sample(self, n: int, d: int, rng: np.random.Generator) -> np.ndarray:
        """Logarithms of ``n`` draws, shape ``(n, 4 + d)``, or with a trend ``(n, 4 + 2 d)``."""
        half, _, mean, sd = self.arrays(d)
        z = rng.standard_normal((n, len(half)))
        if np.isfinite(self.freedom):
            z[:, AMPLITUDE] *= np.sqrt(self.freedom / rng.chisquare(self.freedom, n))
        with np.errstate(divide="ignore", invalid="ignore"):
            scales = np.log(np.abs(z)) - 0.5 * np.log(half)
            return np.where(half > 0.0, scales, mean + np.where(np.isfinite(sd), sd, 0.0) * z)

    def log_density(self, theta: np.ndarray) -> np.ndarray:
        """Normalised log density of such draws ``theta``, shape ``(n,)``."""
        many = theta.shape[-1] - LENGTH
        half, _, mean, sd = self.arrays(many // 2 if self.trend else many)
        with np.errstate(divide="ignore", invalid="ignore"):
            square = half * np.exp(2.0 * theta)
            scales = 0.5 * np.log(2.0 * half / np.pi) + theta - 0.5 * square
            if np.isfinite(self.freedom):
                at = theta[..., AMPLITUDE] + 0.5 * np.log(half[AMPLITUDE])
                scales[..., AMPLITUDE] = np.log(2.0) + at + student.logpdf(np.exp(at), self.freedom)
            logs = -0.5 * ((theta - mean) / sd) ** 2 - np.log(sd * np.sqrt(2.0 * np.pi))
        return np.where(half > 0.0, scales, logs).sum(-1)


def posterior(
    x: np.ndarray,
    residuals: np.ndarray,
    noise: np.ndarray,
    same: np.ndarray,
    bent: np.ndarray,
    prior: Prior,
    rng: np.random.Generator,
    stated: np.ndarray | None = None,
    within: np.ndarray | None = None,
) -> np.ndarray:
    """Draws of the logarithms, shape (H, 4 + d), or (H, 4 + 2 d) with a trend of the noise.

    All have equal weight.

    Parameters
    ----------
    x : ndarray, shape (n, d)
        Encoded settings.
    residuals : ndarray, shape (s, n)
        Readings minus the known mean, for each of its draws: their log densities are averaged.
    noise : ndarray, shape (n,)
        Noise sd up to the factor that is learned.
    same : ndarray, shape (n, n)
        One where two readings share a batch.
    bent : ndarray, shape (n, n)
        Outer product of the known mean's deviations from its level.
    prior : Prior
        Residuals, noise and prior are in the same unit.
    rng : numpy.random.Generator
    stated : ndarray, shape (n,), optional
        Known sd of each reading on top of the noise, in that unit too.
    within : ndarray, shape (2, n), optional
        Degrees of freedom of the scatter of the cells behind each reading, and their sum of
        squares over the variance of one cell up to the factor's square; 0 where there is none.

    Raises
    ------
    DoeError
        If the density is no number at every draw.

    Notes
    -----
    With more than `LEARNING_ROWS` readings, so many at random are used. A draw at which the
    density is no number (a matrix that cannot be factorised) gets no weight.
    """
    n, d = x.shape
    stated = np.zeros(n) if stated is None else stated
    within = np.zeros((2, n)) if within is None else within
    if n > LEARNING_ROWS:
        keep = np.sort(rng.choice(n, LEARNING_ROWS, replace=False))
        x, residuals, noise = x[keep], residuals[:, keep], noise[keep]
        stated, within = stated[keep], within[:, keep]
        pairs = np.ix_(keep, keep)
        same, bent, n = same[pairs], bent[pairs], LEARNING_ROWS
    size = padded(n)
    second = residuals.T @ residuals / len(residuals)
    both = (0, 1)
    fixed = (pad(x, size), pad(np.ones(n), size), pad(noise, size), pad(stated, size),
             pad(same, size, both), pad(bent, size, both), pad(within, size, (1,)),
             pad(second, size, both), *prior.arrays(d))  # fmt: skip
    tools = compiled()

    def objective(theta: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = tools.objective(theta, *fixed)
        return float(value), np.asarray(slope)

    # Many readings make a draw dear and the posterior narrow: fewer do.
    count, kept = (128, 16) if size <= 64 else (32, 16) if size <= 128 else (16, 4)
    broad = np.clip(prior.sample(count, d, rng), LOW, HIGH)
    broad_value = _assessed(tools.assess(broad, *fixed))
    mode = minimize(
        objective, broad[np.argmin(broad_value)], jac=True, method="L-BFGS-B",
        bounds=[(LOW, HIGH)] * broad.shape[1], options={"maxiter": 60},
    ).x  # fmt: skip
    root = _root(objective, mode)
    z = rng.standard_normal((count, len(mode)))
    z *= np.sqrt(_FREEDOM / rng.chisquare(_FREEDOM, (count, 1)))
    narrow = np.clip(mode + z @ root.T, LOW, HIGH)
    narrow_value = _assessed(tools.assess(narrow, *fixed))
    theta = np.concatenate([broad, narrow])
    proposed = np.logaddexp(prior.log_density(theta), _student_t(theta, mode, root))
    log_weight = -np.concatenate([broad_value, narrow_value]) - proposed
    if not np.isfinite(log_weight.max()):
        raise DoeError(
            f"the density of the surrogate's hyperparameters is no number at any of {len(theta)} "
            f"draws, with {n} readings: look for readings, stated errors (_sd) or predictions of "
            "the model that are infinite, or larger than the others by many powers of ten"
        )
    share = np.cumsum(np.exp(log_weight - log_weight.max()))
    picks = np.searchsorted(share / share[-1], (np.arange(kept) + rng.uniform()) / kept)
    return theta[np.minimum(picks, len(theta) - 1)]


def _assessed(values: object) -> np.ndarray:
    """Negative log densities; infinite where one is no number, since no draw can rest on that."""
    found = np.asarray(values, dtype=float)
    return np.where(np.isnan(found), np.inf, found)


def _root(objective, mode: np.ndarray) -> np.ndarray:
    """Square root of the inverse curvature at the mode; flat directions are kept in bounds."""
    steps = _STEP * np.eye(len(mode))
    curvature = np.array([objective(mode + e)[1] - objective(mode - e)[1] for e in steps])
    curvature = np.nan_to_num(curvature, nan=0.0, posinf=0.0, neginf=0.0)
    values, vectors = np.linalg.eigh((curvature + curvature.T) / (4.0 * _STEP))
    return vectors / np.sqrt(np.maximum(values, 0.3))


def _student_t(theta: np.ndarray, mode: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Log density of the multivariate Student-t with scale matrix ``root @ root.T``."""
    p = len(mode)
    square = np.square((theta - mode) @ np.linalg.inv(root).T).sum(axis=-1)
    constant = gammaln(0.5 * (_FREEDOM + p)) - gammaln(0.5 * _FREEDOM)
    constant -= 0.5 * p * np.log(_FREEDOM * np.pi) + np.linalg.slogdet(root)[1]
    return constant - 0.5 * (_FREEDOM + p) * np.log1p(square / _FREEDOM)
