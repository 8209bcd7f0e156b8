"""Gaussian processes on paths: what the readings say where the physics is silent or wrong.

A hypothesis is a mean that is already known for each posterior draw (the physics, or zero) plus a
Gaussian process that explains what it leaves of the readings. Its posterior is kept as *paths*:
functions drawn from the prior by random Fourier features and corrected by the data (Matheron's
rule), one for each draw. A path can be evaluated anywhere, at any time, and
neighbouring settings stay correlated, which is what joint acquisition needs.

References
----------
Wilson et al., "Efficiently sampling functions from Gaussian process posteriors", ICML 2020.
Rahimi and Recht, "Random features for large-scale kernel machines", NeurIPS 2007.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .compiled import BATCH, SLOPE, compiled, loudness, one_thread, pad, padded
from .hyperparameters import Prior, posterior

DRAWS = 256
"""Paths of one hypothesis."""
FEATURES = 256
"""Random Fourier features of one path."""
BLOCK = 256
"""Settings evaluated in one compiled call."""
FREEST = 2.0
"""Most that a mean is believed to have varied before the readings, as a variance over that of their
noise, where a reading is left out. Draws that keep close to the readings tell that it was free, but
hardly how free, which is one over what little they leave. On simulated laboratories for
development, 1 and 4 told wrong physics from right about as well."""



@dataclass(frozen=True)
class Process:
    """A Gaussian process given its residuals, as paths.

    Attributes
    ----------
    theta : ndarray, shape (H, 4 + d) or (H, 4 + 2 d)
        Posterior draws of the logarithms: amplitude, noise factor, batch sd, slope error,
        length scales; then the trend of the noise, where it has one.
    log_density : ndarray, shape (n,)
        Leave-one-out log predictive density of each reading.
    slope : ndarray, shape (draws,)
        By what share the known mean's deviations from its level are to be enlarged.
    """

    theta: np.ndarray
    log_density: np.ndarray
    slope: np.ndarray
    scale: float
    parts: tuple[np.ndarray, ...]

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Values of all paths at encoded settings, shape ``(m, d)`` to ``(draws, m)``."""
        return self.scale * _evaluate(x, *self.parts)

    def factor(self, which: int) -> np.ndarray:
        """``NOISE``: factor on the given noise; ``BATCH``: batch sd over ``scale``; ``(H,)``."""
        return np.exp(self.theta[:, which])

    def loudness(self, x: np.ndarray) -> np.ndarray:
        """Factor on the given noise at encoded settings, trend included, ``(m, d)`` to (H, m)."""
        return loudness(self.theta, x)


def _evaluate(at, x, mask, thetas, *parts) -> np.ndarray:
    run = compiled().paths
    blocks = [np.zeros((thetas.shape[0] * parts[-1].shape[-1], 0))]
    for start in range(0, len(at), BLOCK):
        block = at[start : start + BLOCK]
        out = run(pad(block, BLOCK), x, mask, thetas, *parts)
        blocks.append(np.asarray(out).reshape(-1, BLOCK)[:, : len(block)])
    return np.concatenate(blocks, axis=1)


@one_thread
def learn(
    x: np.ndarray,
    residuals: np.ndarray,
    noise: np.ndarray,
    batch: np.ndarray,
    prior: Prior,
    scale: float,
    rng: np.random.Generator,
    known: np.ndarray | None = None,
    theta: np.ndarray | None = None,
    stated: np.ndarray | None = None,
    within: np.ndarray | None = None,
) -> Process:
    """Condition a Gaussian process on residuals, hyperparameters included.

    Parameters
    ----------
    x : ndarray, shape (n, d)
        Encoded settings of the readings, 0 to 1.
    residuals : ndarray, shape (1, n) or (draws, n)
        Readings minus the known mean, for each posterior draw; in the outcome's unit. With draws,
        it is a mean that has seen these readings (`_beside_draws`).
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
    known : ndarray, shape (n,), optional
        Deviations of the known mean, averaged over its draws, from its level; in the outcome's
        unit. They may all be too large or too small by a factor, which is learned.
    theta : ndarray, optional
        `Process.theta` of an earlier call with the same data: the hyperparameters are not
        learned again.
    stated : ndarray, shape (n,), optional
        Known sd of each reading on top of the noise, in the outcome's unit.
    within : ndarray, shape (2, n), optional
        As for `hyperparameters.posterior`.

    Returns
    -------
    Process
    """
    n, size = len(x), padded(len(x))
    residuals, noise = residuals / scale, noise / scale
    stated = np.zeros(n) if stated is None else stated / scale
    known = np.zeros(n) if known is None else known / scale
    same = ((batch[:, None] == batch[None, :]) & (batch[:, None] >= 0)).astype(float)
    bent = np.outer(known, known)
    learning, rng = rng.spawn(2)
    if theta is None:
        theta = posterior(x, residuals, noise, same, bent, prior, learning, stated, within)
    count, per = len(theta), DRAWS // len(theta)
    xs, mask = pad(x, size), pad(np.ones(n), size)
    grid = (xs, mask, pad(noise, size), pad(stated, size), pad(same, size, (0, 1)))
    inverse = compiled().invert(theta, *grid, pad(bent, size, (0, 1)))
    inverse = np.asarray(inverse)[:, :n, :n]

    omega = rng.standard_normal((count, FEATURES, x.shape[1]))
    omega *= np.sqrt(5.0 / rng.chisquare(5.0, (count, FEATURES, 1)))
    phase = rng.uniform(0.0, 2.0 * np.pi, (count, FEATURES))
    weight = rng.standard_normal((count, FEATURES, per))
    offset = rng.standard_normal((count, per))
    single = [a.astype(np.float32) for a in (omega, phase, weight)]
    prior_path = (xs, mask, theta, *single, offset)
    before = _evaluate(x, *prior_path, np.zeros((count, size, per))).reshape(count, per, n)

    scales = np.exp(theta)[:, :, None, None]
    slope = scales[:, SLOPE, :, 0] * rng.standard_normal((count, per))
    before += slope[:, :, None] * known
    before += rng.standard_normal((count, per, n)) * np.hypot(
        loudness(theta, x)[:, None] * noise, stated
    )
    group = rng.standard_normal((count, per, int(batch.max(initial=0)) + 1))
    before += np.where(batch >= 0, group[:, :, np.maximum(batch, 0)], 0.0) * scales[:, BATCH]

    if n and len(residuals) > 1:
        base = np.diag(noise**2 + stated**2) + prior.batch**2 * same
        inner = np.linalg.inv(base)
        # learned noise over that of the mean, times n: the trace of one in units of the other
        found = (loudness(theta, x) * noise) ** 2 + stated**2
        found = found @ np.diag(inner) + np.exp(2.0 * theta[:, BATCH]) * (inner * same).sum()
        followed = _followed(residuals, base)
        data = _beside_draws(residuals, inverse, found.mean() / n, *followed) - before @ inverse
        log_density = _leave_one_out(*_unfollowed(residuals, inverse, inner, *followed))
    else:
        data = (np.broadcast_to(residuals, (DRAWS, n)).reshape(count, per, n) - before) @ inverse
        log_density = _leave_one_out(inverse, residuals[0])
    slope = slope + scales[:, SLOPE, :, 0] ** 2 * (data @ known)
    data = np.pad(data.transpose(0, 2, 1), ((0, 0), (0, size - n), (0, 0)))
    return Process(
        theta=theta,
        log_density=log_density - np.log(scale),
        slope=slope.ravel(),
        scale=scale,
        parts=(*prior_path, data),
    )


def _followed(residuals: np.ndarray, base: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far draws of a mean have followed the readings that they have seen, ``(draws, n)``.

    Returns directions, shape (n, k), in units of the noise ``base`` (n, n) in whose light the mean
    was learned, and ``C``, shape (k,): the draws' variance along each, as a share of the noise's.
    A linear mean of variance ``K`` before the readings has ``C = K / (1 + K)`` after them.
    """
    low = np.linalg.cholesky(base)
    apart = np.linalg.solve(low, (residuals - residuals.mean(axis=0)).T)
    vector, size, _ = np.linalg.svd(apart / np.sqrt(len(residuals) - 1.0), full_matrices=False)
    return low @ vector, np.minimum(size, 1.0) ** 2  # draws of unlike noise may lie farther apart


def _beside_draws(
    residuals: np.ndarray,
    inverse: np.ndarray,
    found: float,
    along: np.ndarray,
    share: np.ndarray,
) -> np.ndarray:
    """Weights of the readings in paths beside draws of a mean that has followed the readings.

    To pull each draw to the readings, which it has seen, by all that it leaves of them would count
    these twice. ``inverse`` (H, n, n) is that of process and noise, ``D + N``; ``B`` is the noise
    in whose light the mean was learned. From the draws' own covariance (`_followed`) follows ``K``,
    what the mean might have been before the readings; the mean of the residuals is weighted by the
    inverse of ``K + D + N``, and each draw's distance from it by the average of both inverses. If
    all is Gaussian, the mean is linear, the matrices commute and ``N = B``, the sum of draw and
    process then has the joint posterior's mean at the readings, and its sd or up to 3 % more while
    ``D`` is not above ``B`` (11 % in the worst case). What a mean that cannot bend leaves (a tight
    prior, ``K`` small) is explained in full; of what a free one has followed nothing is explained
    again.
    A wrong mean takes its own error for noise and keeps its distance from the readings: ``found``
    is ``N / B``. In the light of less noise it would have left less. The share ``1 - N / B`` of
    what is held back is therefore explained after all, which is never more than the joint posterior
    explains, and mostly less. ``N`` is its mean over hyperparameters, as the draws of the mean are
    an average over noises too: where readings say nothing of the noise, nothing is explained.
    Hyperparameters learn from the residuals as they are: their second moment is that of the noise,
    since what the mean has followed is in the draws' own.
    """
    middle, root = residuals.mean(axis=0), along * np.sqrt(share)
    pulled = inverse @ root
    inner = np.diag(1.0 - share) + root.T @ pulled
    beside = inverse - pulled @ np.linalg.solve(inner, pulled.transpose(0, 2, 1))
    beside += max(1.0 - found, 0.0) * (inverse - beside)
    distance = (residuals - middle).reshape(len(inverse), -1, residuals.shape[1])
    return (middle @ beside)[:, None, :] + distance @ (0.5 * (inverse + beside))


def _unfollowed(
    residuals: np.ndarray,
    inverse: np.ndarray,
    inner: np.ndarray,
    along: np.ndarray,
    share: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Inverse covariance and deviation of the readings from what the mean was before it saw them.

    A linear mean of variance ``K`` has left ``(1 + K / B)^-1`` of that deviation; ``inner`` (n, n)
    is the inverse of ``B``. ``K`` is taken as no more than `FREEST` times ``B``.
    """
    ratio = np.minimum(share, FREEST / (1.0 + FREEST))
    ratio = ratio / (1.0 - ratio)
    middle, root = residuals.mean(axis=0), along * np.sqrt(ratio)
    pulled = inverse @ root
    small = np.eye(len(ratio)) + root.T @ pulled
    together = inverse - pulled @ np.linalg.solve(small, pulled.transpose(0, 2, 1))
    return together, middle + root @ (root.T @ (inner @ middle))


def _leave_one_out(inverse: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Log predictive density of each reading given the others, shape (n,).

    ``inverse`` (H, n, n) of the readings' covariance, over hyperparameters; ``deviation`` (n,) from
    their mean before any was seen. The hyperparameters have seen the reading that is left out;
    importance weights, one over its density under each of them, undo that. They are truncated
    (Ionides, J. Comput. Graph. Stat. 17 (2008) 295).
    """
    precision = np.einsum("hii->hi", inverse)
    error = inverse @ deviation / precision
    log_p = 0.5 * np.log(precision / (2.0 * np.pi)) - 0.5 * precision * error**2
    weight = _truncated(-log_p)
    density = (weight * np.exp(log_p)).sum(axis=0) / weight.sum(axis=0)
    return np.log(np.maximum(density, 1e-300))


def _truncated(log_weight: np.ndarray) -> np.ndarray:
    """Importance weights along the first axis, cut at their mean times the root of their number."""
    weight = np.exp(log_weight - log_weight.max(axis=0))
    return np.minimum(weight, weight.mean(axis=0) * np.sqrt(len(weight)))
