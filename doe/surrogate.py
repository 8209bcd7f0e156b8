"""Gaussian processes on paths: what the readings say where the physics is silent or wrong.

A hypothesis is a mean that is already known for each posterior draw (the physics, or zero) plus a
Gaussian process that explains the residuals. Its posterior is kept as *paths*: functions drawn
from the prior by random Fourier features and corrected by the data (Matheron's rule), one for
each draw. A path can be evaluated anywhere, at any time, and neighbouring settings stay
correlated, which is what joint acquisition needs.

All arrays are padded to powers of two, with a mask, so that a new reading compiles nothing.

References
----------
Wilson et al., "Efficiently sampling functions from Gaussian process posteriors", ICML 2020.
Rahimi and Recht, "Random features for large-scale kernel machines", NeurIPS 2007.
"""

from __future__ import annotations

import functools
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from scipy.optimize import minimize

DRAWS = 256
"""Paths of one hypothesis."""
FEATURES = 256
"""Random Fourier features of one path."""
BLOCK = 256
"""Settings evaluated in one compiled call."""
LEARNING_ROWS = 256
"""Readings used to learn the hyperparameters; all are used for conditioning."""

SMALLEST = 32
AMPLITUDE, NOISE, BATCH, LENGTH = 0, 1, 2, 3
"""Where each hyperparameter's logarithm stands; length scales from the last on."""


@dataclass(frozen=True)
class Prior:
    """Priors of the hyperparameters, on residuals divided by their scale.

    Attributes
    ----------
    amplitude, batch : float
        Scales of half-normal priors: of the process and of the batch effect. Both may be absent.
    noise, noise_sd : float
        Median and sd of the logarithm of the factor on the given noise.
    length, length_sd : float
        Median and sd of the logarithm of the length scales, in widths of the unit cube.
    """

    amplitude: float
    batch: float
    noise: float
    noise_sd: float
    length: float
    length_sd: float

    def arrays(self, d: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Half-normal precisions, and means and sds of logarithms (infinite where unused)."""
        half = np.zeros(LENGTH + d)
        half[[AMPLITUDE, BATCH]] = self.amplitude**-2, self.batch**-2
        mean = np.zeros(LENGTH + d)
        mean[NOISE], mean[LENGTH:] = np.log(self.noise), np.log(self.length)
        sd = np.full(LENGTH + d, np.inf)
        sd[NOISE], sd[LENGTH:] = self.noise_sd, self.length_sd
        return half, mean, sd

    def sample(self, n: int, d: int, rng: np.random.Generator) -> np.ndarray:
        """Logarithms of ``n`` draws, shape ``(n, 3 + d)``."""
        half, mean, sd = self.arrays(d)
        z = rng.standard_normal((n, LENGTH + d))
        with np.errstate(divide="ignore", invalid="ignore"):
            scales = np.log(np.abs(z)) - 0.5 * np.log(half)
            return np.where(half > 0.0, scales, mean + np.where(np.isfinite(sd), sd, 0.0) * z)

    def log_density(self, theta: np.ndarray) -> np.ndarray:
        """Normalised log density of logarithms ``theta``, shape ``(n, 3 + d)`` to ``(n,)``."""
        half, mean, sd = self.arrays(theta.shape[-1] - LENGTH)
        with np.errstate(divide="ignore", invalid="ignore"):
            scales = 0.5 * np.log(2.0 * half / np.pi) + theta - 0.5 * half * np.exp(2.0 * theta)
            logs = -0.5 * ((theta - mean) / sd) ** 2 - np.log(sd * np.sqrt(2.0 * np.pi))
        return np.where(half > 0.0, scales, logs).sum(-1)


def cache_folder() -> Path:
    """Folder of compiled functions: ``SSBAYES_CACHE``, else the user's cache folder."""
    own = os.environ.get("SSBAYES_CACHE")
    if own:
        return Path(own)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "ssbayes"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/ssbayes"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ssbayes"


@functools.cache
def _jax():
    """JAX in 64 bit, with its compiled functions kept on disk where that is possible."""
    import jax

    jax.config.update("jax_enable_x64", True)
    if not jax.config.jax_compilation_cache_dir:
        try:
            folder = cache_folder() / "jax"
            folder.mkdir(parents=True, exist_ok=True)
            writable = os.access(folder, os.W_OK)
        except (OSError, RuntimeError):
            return jax
        if writable:
            jax.config.update("jax_compilation_cache_dir", str(folder))
            jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.05)
            jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    return jax


def _matern(xp, x1, x2, length):
    """Matern-5/2 correlation between two sets of encoded settings."""
    a, b = x1 / length, x2 / length
    square = (a * a).sum(-1)[:, None] + (b * b).sum(-1)[None, :] - 2.0 * a @ b.T
    r = xp.sqrt(5.0 * xp.maximum(square, 1e-12))
    return (1.0 + r + r * r / 3.0) * xp.exp(-r)


@functools.cache
def compiled() -> SimpleNamespace:
    """The four compiled functions; each is traced once for a padded size."""
    jax = _jax()
    jnp = jax.numpy

    def covariance(theta, x, mask, base, same):
        scale = jnp.exp(theta)
        k = scale[AMPLITUDE] ** 2 * (1.0 + _matern(jnp, x, x, scale[LENGTH:]))
        k = k + scale[BATCH] ** 2 * same
        noise = jnp.where(mask > 0.0, (scale[NOISE] * base) ** 2, 1.0)
        return k * mask[:, None] * mask[None, :] + jnp.diag(noise)

    def log_prior(theta, half, mean, sd):
        scales = theta - 0.5 * half * jnp.exp(2.0 * theta)
        return jnp.where(half > 0.0, scales, -0.5 * ((theta - mean) / sd) ** 2).sum()

    def value(theta, x, mask, base, same, second, half, mean, sd):
        low = jnp.linalg.cholesky(covariance(theta, x, mask, base, same))
        inverse = jax.scipy.linalg.cho_solve((low, True), jnp.eye(x.shape[0]))
        fit = 0.5 * jnp.sum(inverse * second) + jnp.sum(jnp.log(jnp.diag(low)))
        return fit - log_prior(theta, half, mean, sd), inverse

    def objective(theta, x, mask, base, same, second, half, mean, sd):
        v, inverse = value(theta, x, mask, base, same, second, half, mean, sd)
        slope = inverse - inverse @ second @ inverse

        def linear(t):
            tilt = 0.5 * jnp.sum(slope * covariance(t, x, mask, base, same))
            return tilt - log_prior(t, half, mean, sd)

        return v, jax.grad(linear)(theta)

    def assess(thetas, *fixed):
        return jax.lax.map(lambda t: value(t, *fixed)[0], thetas)

    def invert(thetas, x, mask, base, same):
        def one(theta):
            low = jnp.linalg.cholesky(covariance(theta, x, mask, base, same))
            return jax.scipy.linalg.cho_solve((low, True), jnp.eye(x.shape[0]))

        return jax.lax.map(one, thetas)

    def paths(at, x, mask, thetas, omega, phase, weight, offset, data):
        def one(part):
            theta, om, ph, w, c, v = part
            scale = jnp.exp(theta)
            # single precision is ample for prior draws; the correction by the data cancels
            place = (at / scale[LENGTH:]).astype(jnp.float32)
            features = jnp.cos(place @ om.T + ph) * np.float32(np.sqrt(2.0 / om.shape[0]))
            k = 1.0 + _matern(jnp, at, x, scale[LENGTH:])
            a = scale[AMPLITUDE]
            return (a * (features @ w + c) + a * a * (k * mask) @ v).T

        return jax.lax.map(one, (thetas, omega, phase, weight, offset, data))

    return SimpleNamespace(**{f.__name__: jax.jit(f) for f in (objective, assess, invert, paths)})


def padded(n: int) -> int:
    """The next power of two, at least 32."""
    return max(SMALLEST, 1 << max(n - 1, 0).bit_length())


def _pad(a: np.ndarray, size: int, axes: tuple[int, ...] = (0,)) -> np.ndarray:
    return np.pad(a, [(0, size - s if i in axes else 0) for i, s in enumerate(a.shape)])


@dataclass(frozen=True)
class Process:
    """A Gaussian process given its residuals, as paths.

    Attributes
    ----------
    theta : ndarray, shape (H, 3 + d)
        Posterior draws of the logarithms: amplitude, noise factor, batch sd, length scales.
    log_density : ndarray, shape (n,)
        Leave-one-out log predictive density of each residual.
    """

    theta: np.ndarray
    log_density: np.ndarray
    scale: float
    parts: tuple[np.ndarray, ...]

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Values of all paths at encoded settings, shape ``(m, d)`` to ``(draws, m)``."""
        return self.scale * _evaluate(x, *self.parts)

    def factor(self, which: int) -> np.ndarray:
        """``NOISE``: factor on the given noise; ``BATCH``: batch sd over ``scale``; ``(H,)``."""
        return np.exp(self.theta[:, which])


def _evaluate(at, x, mask, thetas, *parts) -> np.ndarray:
    run = compiled().paths
    blocks = [np.zeros((thetas.shape[0] * parts[-1].shape[-1], 0))]
    for start in range(0, len(at), BLOCK):
        block = at[start : start + BLOCK]
        out = run(_pad(block, BLOCK), x, mask, thetas, *parts)
        blocks.append(np.asarray(out).reshape(-1, BLOCK)[:, : len(block)])
    return np.concatenate(blocks, axis=1)


def learn(
    x: np.ndarray,
    residuals: np.ndarray,
    noise: np.ndarray,
    batch: np.ndarray,
    prior: Prior,
    scale: float,
    rng: np.random.Generator,
    draws: int = DRAWS,
    theta: np.ndarray | None = None,
) -> Process:
    """Condition a Gaussian process on residuals, hyperparameters included.

    Parameters
    ----------
    x : ndarray, shape (n, d)
        Encoded settings of the readings, 0 to 1.
    residuals : ndarray, shape (1, n) or (draws, n)
        Readings minus the known mean, for each posterior draw; in the outcome's unit.
    noise : ndarray, shape (n,)
        Noise sd of each reading up to the factor that is learned, in the outcome's unit.
    batch : ndarray of int, shape (n,)
        Batch codes; negative where none is known.
    prior : Prior
        On residuals divided by ``scale``.
    scale : float
        What the priors are relative to, in the outcome's unit.
    rng : numpy.random.Generator
        Source of all randomness.
    draws : int
        Number of paths.
    theta : ndarray, optional
        `Process.theta` of an earlier call with the same data: the hyperparameters are not
        learned again.

    Returns
    -------
    Process
    """
    n, size = len(x), padded(len(x))
    residuals, noise = residuals / scale, noise / scale
    same = ((batch[:, None] == batch[None, :]) & (batch[:, None] >= 0)).astype(float)
    learning, rng = rng.spawn(2)
    if theta is None:
        theta = _hyperparameters(x, residuals, noise, same, prior, learning)
    count = len(theta)
    xs, mask = _pad(x, size), _pad(np.ones(n), size)
    grid = (xs, mask, _pad(noise, size), _pad(same, size, (0, 1)))
    inverse = np.asarray(compiled().invert(theta, *grid))[:, :n, :n]

    d, per = x.shape[1], draws // count
    omega = rng.standard_normal((count, FEATURES, d))
    omega *= np.sqrt(5.0 / rng.chisquare(5.0, (count, FEATURES, 1)))
    phase = rng.uniform(0.0, 2.0 * np.pi, (count, FEATURES))
    weight = rng.standard_normal((count, FEATURES, per))
    offset = rng.standard_normal((count, per))
    single = [a.astype(np.float32) for a in (omega, phase, weight)]
    prior_path = (xs, mask, theta, *single, offset)
    before = _evaluate(x, *prior_path, np.zeros((count, size, per))).reshape(count, per, n)
    scales = np.exp(theta)[:, :, None, None]
    shock = rng.standard_normal((count, per, n)) * scales[:, NOISE] * noise
    group = rng.standard_normal((count, per, int(batch.max(initial=0)) + 1))
    shock += np.where(batch >= 0, group[:, :, np.maximum(batch, 0)], 0.0) * scales[:, BATCH]
    target = np.broadcast_to(residuals, (draws, n)).reshape(count, per, n)
    data = np.einsum("hij,hsj->his", inverse, target - before - shock)
    data = np.pad(data, ((0, 0), (0, size - n), (0, 0)))
    return Process(
        theta=theta,
        log_density=_leave_one_out(inverse, target, noise) - np.log(scale),
        scale=scale,
        parts=(*prior_path, data),
    )


def _hyperparameters(x, residuals, noise, same, prior, rng) -> np.ndarray:
    """Posterior draws by importance sampling around the mode, with the prior as a safeguard.

    The proposal is half the prior, which covers what few readings leave open, and half a
    Student-t at the mode with the curvature there. With many readings only the second is needed.
    """
    n, d = x.shape
    if n > LEARNING_ROWS:
        keep = np.sort(rng.choice(n, LEARNING_ROWS, replace=False))
        x, residuals, noise = x[keep], residuals[:, keep], noise[keep]
        same, n = same[np.ix_(keep, keep)], LEARNING_ROWS
    size = padded(n)
    half, mean, sd = prior.arrays(d)
    second = residuals.T @ residuals / len(residuals)
    fixed = (
        _pad(x, size),
        _pad(np.ones(n), size),
        _pad(noise, size),
        _pad(same, size, (0, 1)),
        _pad(second, size, (0, 1)),
        half,
        mean,
        sd,
    )
    tools = compiled()

    def objective(theta):
        v, g = tools.objective(theta, *fixed)
        return float(v), np.asarray(g)

    half_count = 128 if size <= 64 else 32 if size <= 128 else 16
    broad = np.clip(prior.sample(half_count, d, rng), -12.0, 6.0)
    broad_value = np.asarray(tools.assess(broad, *fixed))
    start = broad[np.argmin(broad_value)]
    found = minimize(
        objective, start, jac=True, method="L-BFGS-B",
        bounds=[(-12.0, 6.0)] * len(start), options={"maxiter": 60},
    )  # fmt: skip
    mode = found.x
    step = 1e-3
    curvature = np.array(
        [
            (objective(mode + e)[1] - objective(mode - e)[1]) / (2.0 * step)
            for e in step * np.eye(len(mode))
        ]
    )
    values, vectors = np.linalg.eigh(0.5 * (curvature + curvature.T))
    root = vectors / np.sqrt(np.clip(values, 0.3, None))
    freedom = 5.0
    z = rng.standard_normal((half_count, len(mode)))
    z *= np.sqrt(freedom / rng.chisquare(freedom, (half_count, 1)))
    narrow = np.clip(mode + z @ root.T, -12.0, 6.0)
    narrow_value = np.asarray(tools.assess(narrow, *fixed))

    theta = np.concatenate([broad, narrow])
    log_target = -np.concatenate([broad_value, narrow_value])
    p = len(mode)
    distance = np.square((theta - mode) @ np.linalg.inv(root).T).sum(-1)
    log_t = -0.5 * (freedom + p) * np.log1p(distance / freedom) - np.log(
        np.abs(np.linalg.det(root))
    )
    from scipy.special import gammaln

    log_t += gammaln(0.5 * (freedom + p)) - gammaln(0.5 * freedom)
    log_t -= 0.5 * p * np.log(freedom * np.pi)
    log_weight = log_target - np.logaddexp(prior.log_density(theta), log_t)
    weight = np.exp(log_weight - log_weight.max())
    count = 16 if size <= 128 else 4
    picks = np.searchsorted(
        np.cumsum(weight) / weight.sum(), (np.arange(count) + rng.uniform()) / count
    )
    return theta[np.minimum(picks, len(theta) - 1)]


def _leave_one_out(inverse: np.ndarray, target: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Log predictive density of each residual given the others, averaged over draws.

    ``inverse`` has shape (H, n, n), ``target`` (H, s, n), ``noise`` (n,). The hyperparameters
    and the known means have seen the residual that is left out. Importance weights undo that:
    one over its density under each of them, truncated (Ionides, J. Comput. Graph. Stat. 17
    (2008) 295).
    """
    precision = np.einsum("hii->hi", inverse)[:, None, :]
    error = np.einsum("hij,hsj->hsi", inverse, target) / precision
    log_p = 0.5 * np.log(precision / (2.0 * np.pi)) - 0.5 * precision * error**2
    by_theta = _truncated(-log_p.mean(axis=1), (0,))[:, None, :]
    by_mean = _truncated(0.5 * (target / noise) ** 2, (0, 1))
    weight = by_theta * by_mean
    density = (weight * np.exp(log_p)).sum(axis=(0, 1)) / weight.sum(axis=(0, 1))
    return np.log(np.maximum(density, 1e-300))


def _truncated(log_weight: np.ndarray, axis: tuple[int, ...]) -> np.ndarray:
    """Importance weights cut at their mean times the root of their number."""
    weight = np.exp(log_weight - log_weight.max(axis=axis, keepdims=True))
    count = np.prod([log_weight.shape[a] for a in axis])
    return np.minimum(weight, weight.mean(axis=axis, keepdims=True) * np.sqrt(count))
