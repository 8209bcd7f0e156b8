"""The Gaussian process's arithmetic, compiled by JAX: once for a padded size.

Hyperparameters travel as a vector of logarithms: amplitude, factor on the given noise, batch
standard deviation, error of the known mean's slope, then one length scale a column of the encoded
settings. The process has a constant of its own amplitude: ``amplitude^2 (1 + Matern-5/2)``. Where
as many numbers again follow, they are the noise's trend: by how much its logarithm rises along
each column, from end to end.

All arrays are padded to powers of two, with a mask, so that a new reading compiles nothing.
Compiled code is kept between processes in `cache_folder`, where that can be written.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np

AMPLITUDE, NOISE, BATCH, SLOPE, LENGTH = 0, 1, 2, 3, 4
"""Where each hyperparameter's logarithm stands; length scales from the last on."""
FAR = 500.0
"""Square of a distance in length scales beyond which a correlation (1e-19) gets no smaller."""
SMALLEST = 32
"""Smallest padded number of readings."""


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


@functools.cache
def _pools():
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def one_thread[**P, T](function: Callable[P, T]) -> Callable[P, T]:
    """Let a function's linear algebra run on one thread.

    Its matrices are small: more threads gain nothing, and on a busy machine they wait for each
    other, thirty times as long as the work takes.
    """

    @functools.wraps(function)
    def limited(*args: P.args, **kwargs: P.kwargs) -> T:
        _jax()  # what is not loaded yet cannot be limited
        with _pools().limit(limits=1, user_api="blas"):
            return function(*args, **kwargs)

    return limited


def _matern(xp, x1, x2, length):
    """Matern-5/2 correlation between two sets of encoded settings."""
    a, b = x1 / length, x2 / length
    square = (a * a).sum(-1)[:, None] + (b * b).sum(-1)[None, :] - 2.0 * a @ b.T
    # where nothing is left of a correlation, numbers next to zero would slow the machine 30-fold
    r = xp.sqrt(5.0 * xp.clip(square, 1e-12, FAR))
    return (1.0 + r + r * r / 3.0) * xp.exp(-r)


def loudness(theta: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Factor on the given noise at encoded settings, trend included, ``(H, n)``."""
    trend = theta[:, LENGTH + x.shape[-1] :]
    middle = np.exp(theta[:, NOISE])[:, None]
    if not trend.shape[1]:
        return np.broadcast_to(middle, (len(theta), len(x)))
    return middle * np.exp(trend @ (x - 0.5).T)


@functools.cache
def compiled() -> SimpleNamespace:
    """The four compiled functions; each is traced once for a padded size."""
    jax = _jax()
    jnp = jax.numpy

    def loud(theta, x):
        trend = theta[LENGTH + x.shape[1] :]
        return theta[NOISE] + ((x - 0.5) @ trend if trend.shape[0] else 0.0)

    def covariance(theta, x, mask, base, stated, same, bent):
        scale, d = jnp.exp(theta), x.shape[1]
        k = scale[AMPLITUDE] ** 2 * (1.0 + _matern(jnp, x, x, scale[LENGTH : LENGTH + d]))
        k = k + scale[BATCH] ** 2 * same + scale[SLOPE] ** 2 * bent
        noise = (jnp.exp(loud(theta, x)) * base) ** 2 + stated**2
        noise = jnp.where(mask > 0.0, noise, 1.0)
        return k * mask[:, None] * mask[None, :] + jnp.diag(noise)

    def scattered(theta, x, freedom, squares):
        """Minus the log density of sums of squares within readings, over a cell's variance."""
        level = loud(theta, x)
        return jnp.sum(freedom * level + 0.5 * squares * jnp.exp(-2.0 * level))

    def log_prior(theta, half, tail, mean, sd):
        square, safe = half * jnp.exp(2.0 * theta), jnp.where(tail > 0.0, tail, 1.0)
        heavy = 0.5 * (1.0 + safe) / safe * jnp.log1p(safe * square)
        scales = theta - jnp.where(tail > 0.0, heavy, 0.5 * square)
        return jnp.where(half > 0.0, scales, -0.5 * ((theta - mean) / sd) ** 2).sum()

    def value(theta, x, mask, base, stated, same, bent, within, second, *prior):
        low = jnp.linalg.cholesky(covariance(theta, x, mask, base, stated, same, bent))
        inverse = jax.scipy.linalg.cho_solve((low, True), jnp.eye(x.shape[0]))
        fit = 0.5 * jnp.sum(inverse * second) + jnp.sum(jnp.log(jnp.diag(low)))
        fit = fit + scattered(theta, x, *within)
        return fit - log_prior(theta, *prior), inverse

    def objective(theta, x, mask, base, stated, same, bent, within, second, *prior):
        known = (x, mask, base, stated, same, bent)
        v, inverse = value(theta, *known, within, second, *prior)
        slope = inverse - inverse @ second @ inverse

        def linear(t):
            tilt = 0.5 * jnp.sum(slope * covariance(t, *known)) + scattered(t, x, *within)
            return tilt - log_prior(t, *prior)

        return v, jax.grad(linear)(theta)

    def assess(thetas, *fixed):
        return jax.lax.map(lambda t: value(t, *fixed)[0], thetas)

    def invert(thetas, *known):
        def one(theta):
            low = jnp.linalg.cholesky(covariance(theta, *known))
            x = known[0]
            return jax.scipy.linalg.cho_solve((low, True), jnp.eye(x.shape[0]))

        return jax.lax.map(one, thetas)

    def paths(at, x, mask, thetas, omega, phase, weight, offset, data):
        def one(part):
            theta, om, ph, w, c, v = part
            scale = jnp.exp(theta)
            length = scale[LENGTH : LENGTH + x.shape[1]]
            # single precision is ample for prior draws; the correction by the data cancels
            place = (at / length).astype(jnp.float32)
            features = jnp.cos(place @ om.T + ph) * np.float32(np.sqrt(2.0 / om.shape[0]))
            k = 1.0 + _matern(jnp, at, x, length)
            a = scale[AMPLITUDE]
            return (a * (features @ w + c) + a * a * (k * mask) @ v).T

        return jax.lax.map(one, (thetas, omega, phase, weight, offset, data))

    return SimpleNamespace(**{f.__name__: jax.jit(f) for f in (objective, assess, invert, paths)})


def padded(n: int) -> int:
    """The next power of two, at least 32."""
    return max(SMALLEST, 1 << max(n - 1, 0).bit_length())


def pad(a: np.ndarray, size: int, axes: tuple[int, ...] = (0,)) -> np.ndarray:
    return np.pad(a, [(0, size - s if i in axes else 0) for i, s in enumerate(a.shape)])
