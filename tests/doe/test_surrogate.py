"""Paths of Gaussian processes: equal to the closed form, blind to padding, quick to extend."""

from types import SimpleNamespace

import numpy as np
import pytest
from ssbayes.doe import compiled, hyperparameters, surrogate
from ssbayes.doe.errors import DoeError

PRIOR = hyperparameters.Prior(
    amplitude=1.5, batch=0.3, noise=0.1, noise_sd=1.0, length=0.8, length_sd=0.75
)
THETA = np.log([[1.2, 0.2, 0.3, 1e-9, 0.4, 0.9]])


def readings(n, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.random((n, 2))
    y = np.sin(4.0 * x[:, 0]) + x[:, 1] + 0.1 * rng.standard_normal(n)
    return x, y[None], np.full(n, 0.9), rng.integers(-1, 3, n)


def learn(n, theta=None, seed=1, known=None, **changes):
    x, y, noise, batch = readings(n)
    given = {"residuals": y, "noise": noise, "batch": batch} | changes
    return surrogate.learn(
        x, given["residuals"], given["noise"], given["batch"], PRIOR, 1.0,
        np.random.default_rng(seed), known=known, theta=theta,
    )  # fmt: skip


def matern(x1, x2, length):
    r = np.sqrt(5.0) * np.linalg.norm((x1[:, None] - x2[None]) / length, axis=-1)
    return (1.0 + r + r**2 / 3.0) * np.exp(-r)


def dense(x, noise, batch, theta):
    """Covariance of readings, written out: process with its constant, batches, noise."""
    a, factor, tau, _, *length = np.exp(theta)
    same = np.array([[i == j and i >= 0 for j in batch] for i in batch])
    process = a**2 * (1.0 + matern(x, x, np.array(length)))
    return process + tau**2 * same + np.diag((factor * noise) ** 2)


def test_paths_have_the_mean_and_covariance_of_dense_conditioning():
    x, y, noise, batch = readings(12)
    at = np.random.default_rng(5).random((6, 2))
    theta = np.repeat(THETA, 16, axis=0)
    paths = np.concatenate([learn(12, theta, seed)(at) for seed in range(12)])
    cross = np.exp(2 * THETA[0, 0]) * (1.0 + matern(at, x, np.exp(THETA[0, 4:])))
    prior = np.exp(2 * THETA[0, 0]) * (1.0 + matern(at, at, np.exp(THETA[0, 4:])))
    gain = cross @ np.linalg.inv(dense(x, noise, batch, THETA[0]))
    mean, covariance = gain @ y[0], prior - gain @ cross.T
    sd = np.sqrt(np.diag(covariance))
    assert np.all(np.abs(paths.mean(0) - mean) < 4.5 * sd / np.sqrt(len(paths)))
    # features of finite number share their error within a seed, hence the wider margin
    assert np.all(np.abs(np.cov(paths.T) - covariance) < 0.12 * np.outer(sd, sd))


def test_without_readings_paths_are_the_prior():
    theta = np.repeat(THETA, 16, axis=0)
    at = np.random.default_rng(5).random((3, 2))
    nothing = np.zeros((0, 2))
    draws = [
        surrogate.learn(
            nothing, np.zeros((1, 0)), np.zeros(0), np.zeros(0, int), PRIOR, 2.0,
            np.random.default_rng(seed), theta=theta,
        )(at)
        for seed in range(8)
    ]  # fmt: skip
    sd = 2.0 * 1.2 * np.sqrt(2.0)
    assert np.std(np.concatenate(draws), axis=0) == pytest.approx(sd, rel=0.1)


def test_padding_changes_nothing(monkeypatch):
    at = np.random.default_rng(5).random((7, 2))
    small = learn(9, np.repeat(THETA, 16, axis=0))
    monkeypatch.setattr(compiled, "SMALLEST", 64)
    large = learn(9, np.repeat(THETA, 16, axis=0))
    assert small.parts[0].shape != large.parts[0].shape
    np.testing.assert_allclose(small(at), large(at), atol=1e-9)
    np.testing.assert_allclose(small.log_density, large.log_density, atol=1e-9)


def test_a_new_reading_compiles_nothing():
    learn(5)
    tools = vars(compiled.compiled()).values()
    before = [f._cache_size() for f in tools]
    for n in (6, 7, 8, 20):
        learn(n)(np.random.default_rng(0).random((n, 2)))
    assert [f._cache_size() for f in tools] == before


def test_same_seed_same_paths_and_kept_hyperparameters_too():
    at = np.random.default_rng(5).random((4, 2))
    first = learn(8)
    np.testing.assert_array_equal(first(at), learn(8)(at))
    np.testing.assert_array_equal(first(at), learn(8, first.theta)(at))
    assert not np.allclose(first(at), learn(8, seed=2)(at))


def test_leave_one_out_equals_leaving_one_out():
    x, y, noise, batch = readings(8)
    left = learn(8, np.repeat(THETA, 16, axis=0)).log_density
    for i in range(8):
        rest = np.arange(8) != i
        whole = dense(x, noise, batch, THETA[0])
        gain = whole[i, rest] @ np.linalg.inv(whole[np.ix_(rest, rest)])
        mean, var = gain @ y[0, rest], whole[i, i] - gain @ whole[rest, i]
        expected = -0.5 * np.log(2 * np.pi * var) - 0.5 * (y[0, i] - mean) ** 2 / var
        assert left[i] == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(("before", "error"), [(0.1, 0.02), (0.3, 0.03), (1e3, 0.06)])
def test_known_means_that_have_seen_a_reading_are_made_to_forget_it(before, error):
    """Draws of a level, of sd ``before`` before the readings: the density is that of a refit."""
    n, sd = 12, 0.9
    y = 0.3 + sd * np.linspace(-1.4, 1.4, n)
    theta = np.repeat(np.log([[1e-5, 1.0, 1e-5, 1e-9, 1.0, 1.0]]), 16, axis=0)

    def posterior(count, total):
        precision = before**-2 + count / sd**2
        return total / sd**2 / precision, precision**-0.5

    centre, width = posterior(n, y.sum())
    found = []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        draws = centre + width * rng.standard_normal((surrogate.DRAWS, 1))
        process = surrogate.learn(
            readings(n)[0], y - draws, np.full(n, sd), np.full(n, -1), PRIOR, 1.0, rng,
            theta=theta,
        )  # fmt: skip
        found.append(process.log_density)
    rest, wide = posterior(n - 1, y.sum() - y)
    var = sd**2 + wide**2
    expected = -0.5 * np.log(2 * np.pi * var) - 0.5 * (y - rest) ** 2 / var
    np.testing.assert_allclose(np.mean(found, axis=0), expected, atol=error)


@pytest.mark.parametrize("factor", [1.0, 0.7, 0.4])
@pytest.mark.parametrize(("level", "amplitude"), [
    (0.1, 1.0), (0.3, 0.2), (0.3, 1.0), (1.0, 0.5), (3.0, 0.1), (3.0, 0.25), (3.0, 1.0),
])
def test_draws_that_have_seen_the_readings_do_not_count_them_twice(level, amplitude, factor):
    """Of a linear mean and a process the sum is as uncertain as their joint posterior says.

    The draws of the linear mean are those of its own posterior, as if there were no process. A
    tight prior (a small level) keeps it from the readings: the process must then explain them.
    They have seen the readings in the light of a scatter that is one over ``factor`` too large.
    """
    x, _, _, batch = readings(7)
    basis = np.column_stack([np.ones(7), x[:, 0] - 0.5])
    y = 1.0 + np.sin(4.0 * x[:, 0]) + 0.5 * np.random.default_rng(1).standard_normal(7)
    length, shared = np.array([0.4, 0.9]), 0.3
    theta = np.repeat(np.log([[amplitude, factor, shared * factor, 1e-9, *length]]), 16, axis=0)
    same = np.array([[i == j and i >= 0 for j in batch] for i in batch])
    base = 0.25 * np.eye(7) + shared**2 * same

    def conditioned(prior, factor=1.0):
        gain = prior @ np.linalg.inv(prior + factor**2 * base)
        return gain @ y, prior - gain @ prior

    linear = level**2 * basis @ basis.T
    mean, covariance = conditioned(linear)
    root = np.linalg.cholesky(covariance + 1e-10 * np.eye(7))
    found = []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        known = mean + rng.standard_normal((surrogate.DRAWS, 7)) @ root.T
        made = surrogate.learn(
            x, y - known, np.full(7, 0.5), batch,
            hyperparameters.Prior(1.5, shared, 0.1, 1.0, 0.8, 0.75), 1.0, rng,
            theta=theta,
        )  # fmt: skip
        found.append(known + made(x))
    exact, covariance = conditioned(linear + amplitude**2 * (1.0 + matern(x, x, length)), factor)
    found, sd = np.concatenate(found), np.sqrt(np.diag(covariance))
    ratio = found.std(axis=0) / sd
    off = np.abs(found.mean(axis=0) - exact)
    assert ratio.min() > 0.97
    if factor == 1.0:
        assert ratio.max() < 1.1
        assert off.max() < 0.35 * sd.min()
        assert off.sum() < max(0.5 * np.abs(mean - exact).sum(), 7 * 0.05 * sd.max())
    else:  # cautious: what the process has no amplitude for is left
        assert ratio.max() < (1.1 if amplitude > 0.25 else 2.0)
        assert off.max() < sd.min()
        assert off.sum() < 0.6 * np.abs(mean - exact).sum()


@pytest.mark.parametrize("amplitude", [0.1, 0.25, 1.0])
def test_noise_that_may_be_less_or_more_does_not_make_them_surer(amplitude):
    """Half of the hyperparameters know of less noise than the mean did, half of more.

    What the mean has followed is then not explained again, though some of the hyperparameters
    would: the joint posterior, averaged over both, is not surer.
    """
    factors = np.sqrt([0.36, 1.64])
    x, batch = readings(7)[0], np.full(7, -1)
    basis = np.column_stack([np.ones(7), x[:, 0] - 0.5])
    y = 1.0 + np.sin(4.0 * x[:, 0]) + 0.5 * np.random.default_rng(1).standard_normal(7)
    length = np.array([0.4, 0.9])
    theta = [[amplitude, factor, 1e-9, 1e-9, *length] for factor in factors]

    def conditioned(prior, factor):
        gain = prior @ np.linalg.inv(prior + (0.5 * factor) ** 2 * np.eye(7))
        return gain @ y, prior - gain @ prior

    linear = 9.0 * basis @ basis.T
    mean, covariance = conditioned(linear, 1.0)
    root = np.linalg.cholesky(covariance + 1e-10 * np.eye(7))
    found = []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        known = mean + rng.standard_normal((surrogate.DRAWS, 7)) @ root.T
        made = surrogate.learn(
            x, y - known, np.full(7, 0.5), batch,
            hyperparameters.Prior(1.5, 1e-3, 0.1, 1.0, 0.8, 0.75), 1.0, rng,
            theta=np.log(np.repeat(theta, 8, axis=0)),
        )  # fmt: skip
        found.append(known + made(x))
    joint = linear + amplitude**2 * (1.0 + matern(x, x, length))
    means, covariances = zip(*(conditioned(joint, factor) for factor in factors), strict=True)
    sd = np.sqrt(np.diag(np.mean(covariances, axis=0)) + np.var(means, axis=0))
    found = np.concatenate(found)
    assert (found.std(axis=0) / sd).min() > 0.95
    assert np.all(np.abs(found.mean(axis=0) - np.mean(means, axis=0)) < 0.35 * sd)


def test_hyperparameters_match_their_posterior_on_a_grid():
    """One length scale matters here; its posterior mean is integrated by brute force."""
    rng = np.random.default_rng(0)
    x = np.sort(rng.random(10))[:, None]
    y = np.sin(6.0 * x[:, 0]) + 0.05 * rng.standard_normal(10)
    free = hyperparameters.Prior(1.0, 1e-3, 0.05, 0.02, 0.5, 0.7)
    found = np.concatenate(
        [
            surrogate.learn(
                x, y[None], np.ones(10), np.full(10, -1), free, 1.0, np.random.default_rng(s)
            ).theta
            for s in range(6)
        ]
    )
    total = np.zeros(2)
    for a in np.linspace(-2.0, 1.5, 40):
        for length in np.linspace(-3.0, 1.5, 60):
            theta = np.array([a, np.log(0.05), np.log(1e-3), -9.0, length])
            c = dense(x, np.ones(10), np.full(10, -1), theta)
            log_p = -0.5 * y @ np.linalg.solve(c, y) - 0.5 * np.linalg.slogdet(c)[1]
            log_p += a - 0.5 * np.exp(2 * a) - 0.5 * ((length - np.log(0.5)) / 0.7) ** 2
            total += np.exp(log_p) * np.array([1.0, length])
    assert found[:, 4].mean() == pytest.approx(total[1] / total[0], abs=0.12)


def test_noise_is_learned_from_repeats():
    rng = np.random.default_rng(1)
    x = np.repeat(rng.random((12, 2)), 3, axis=0)
    y = 3.0 * np.sin(4.0 * x[:, 0]) + 0.5 * rng.standard_normal(36)
    scale = y.std()
    process = surrogate.learn(
        x, (y - y.mean())[None], np.full(36, scale), np.full(36, -1), PRIOR, scale,
        np.random.default_rng(0),
    )  # fmt: skip
    assert scale * process.factor(compiled.NOISE).mean() == pytest.approx(0.5, rel=0.3)


def test_a_batch_effect_widens_what_is_known_of_its_setting():
    rng = np.random.default_rng(2)
    x = np.repeat(rng.random((8, 2)), 3, axis=0)
    batch = np.repeat(np.arange(8), 3)
    y = 2.0 * x[:, 0] + np.repeat(0.5 * rng.standard_normal(8), 3) + 0.1 * rng.standard_normal(24)
    sd = []
    for codes in (batch, np.full(24, -1)):
        process = surrogate.learn(
            x, (y - y.mean())[None], np.ones(24), codes,
            hyperparameters.Prior(1.5, 0.5, 0.1, 1.0, 0.8, 0.75), 1.0, np.random.default_rng(0),
        )  # fmt: skip
        sd.append(process(x).std(axis=0).mean())
    assert sd[0] > 1.3 * sd[1]


def test_discrepancy_stays_small_until_residuals_demand_it():
    x = np.random.default_rng(4).random((20, 2))
    shy = hyperparameters.Prior(0.2, 1e-3, 1.0, 0.3, 0.7, 0.6)
    noise = np.random.default_rng(5).standard_normal((1, 20))
    sizes = []
    for bend in (0.0, 12.0):
        residuals = noise + bend * np.sin(5.0 * x[:, 0])
        process = surrogate.learn(
            x, residuals, np.ones(20), np.full(20, -1), shy, 20.0, np.random.default_rng(0)
        )
        sizes.append(np.abs(process(x).mean(axis=0)).mean())
    assert sizes[0] < 0.7
    assert sizes[1] > 5.0


def test_a_known_mean_that_is_too_steep_is_made_flatter():
    """Equal to Bayesian regression on the known mean, with a covariance of process and noise."""
    x, *_ = readings(12)
    known = 3.0 * np.sin(5.0 * x[:, 0])
    y = 0.4 * known + 0.1 * np.random.default_rng(1).standard_normal(12)
    theta = np.repeat(np.log([[0.05, 1.0, 1e-5, 0.5, 0.7, 0.7]]), 16, axis=0)
    draws = np.broadcast_to(known, (surrogate.DRAWS, 12))
    process = learn(
        12, theta, residuals=y - draws, noise=np.full(12, 0.1), batch=np.full(12, -1), known=known
    )
    inverse = np.linalg.inv(dense(x, np.full(12, 0.1), np.full(12, -1), theta[0]))
    precision = 0.5**-2 + known @ inverse @ known
    mean = known @ inverse @ (y - known) / precision
    assert process.slope.mean() == pytest.approx(mean, abs=4 / np.sqrt(256 * precision))
    assert process.slope.std() == pytest.approx(precision**-0.5, rel=0.2)
    assert mean == pytest.approx(-0.6, abs=0.05)
    i, rest = 3, np.arange(12) != 3
    whole = np.linalg.inv(inverse) + 0.25 * np.outer(known, known)
    gain = whole[i, rest] @ np.linalg.inv(whole[np.ix_(rest, rest)])
    var = whole[i, i] - gain @ whole[rest, i]
    error = (y - known)[i] - gain @ (y - known)[rest]
    expected = -0.5 * np.log(2 * np.pi * var) - 0.5 * error**2 / var
    assert process.log_density[i] == pytest.approx(expected, abs=1e-8)


def test_many_readings_are_all_used():
    n = hyperparameters.LEARNING_ROWS + 44
    x, y, *_ = readings(n)
    process = learn(n)
    assert process.log_density.shape == (n,)
    assert np.sqrt(np.mean((process(x).mean(axis=0) - y[0]) ** 2)) < 0.2


def test_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("SSBAYES_CACHE", str(tmp_path))
    assert compiled.cache_folder() == tmp_path
    monkeypatch.delenv("SSBAYES_CACHE")
    assert "ssbayes" in str(compiled.cache_folder())


def test_linear_algebra_is_held_to_one_thread_and_let_go_again():
    from threadpoolctl import threadpool_info

    def threads():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    compiled.compiled()
    before = threads()
    assert set(compiled.one_thread(threads)()) == {1}
    with pytest.raises(ZeroDivisionError):
        compiled.one_thread(lambda: 1 / 0)()
    assert threads() == before


@pytest.mark.parametrize("length", [1e-5, 3e-3, 0.2])
def test_correlations_are_exact_or_next_to_nothing_and_never_almost_zero(length):
    x = np.linspace(0.0, 1.0, 400)[:, None]
    found = np.asarray(compiled._matern(np, x, x, np.array([length])))
    assert found == pytest.approx(matern(x, x, length), abs=1e-4)
    assert found.min() > 1e-30


def faked(monkeypatch, assess):
    """`hyperparameters.posterior` on a density of one's own, normal about 0 in every logarithm."""
    tools = SimpleNamespace(
        assess=assess, objective=lambda theta, *_: (0.5 * float(theta @ theta), theta))
    monkeypatch.setattr(hyperparameters, "compiled", lambda: tools)
    one = np.eye(3)
    return hyperparameters.posterior(
        np.zeros((3, 1)), np.zeros((1, 3)), np.ones(3), one, 0.0 * one, PRIOR,
        np.random.default_rng(0))


def test_a_density_that_is_no_number_at_some_draws_leaves_the_others(monkeypatch):
    def assess(theta, *_):
        value = 0.5 * (theta**2).sum(axis=1)
        value[::7] = np.nan
        return value

    theta = faked(monkeypatch, assess)
    assert len(np.unique(theta, axis=0)) > 4 and np.isfinite(theta).all()


def test_a_density_that_is_no_number_anywhere_is_named(monkeypatch):
    with pytest.raises(DoeError, match="is no number at any of 256 draws, with 3 readings"):
        faked(monkeypatch, lambda theta, *_: np.full(len(theta), np.nan))
