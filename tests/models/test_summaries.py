"""Published means and SDs of nested cells carry exactly the evidence that they hold."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import gammaln
from ssbayes.models.engine import published, summaries


def log_density(ss, batch_sd, cell_sd, cells, batches):
    constants = summaries.summary_constants(cells, batches)
    return summaries.log_density_sum_of_squares(
        np.atleast_1d(np.asarray(ss, float)), batch_sd, cell_sd, constants)


def simulate(rng, size, batch_sd, cell_sd, batches=3, cells=3, mu=0.0):
    batch = batch_sd * rng.normal(size=(size, batches, 1))
    y = mu + batch + cell_sd * rng.normal(size=(size, batches, cells))
    y = y.reshape(size, -1)
    return y.mean(axis=1), ((y - y.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)


def by_brute_force(ss, batch_sd, cell_sd, cells, batches):
    """The same integral on 400,001 nodes."""
    p, q = cells - batches, batches - 1
    a, b = cell_sd**2, cell_sd**2 + cells / batches * batch_sd**2
    x = np.linspace(-90, 90, 400_001)
    log_v, log_rest = -np.logaddexp(0, -x), -np.logaddexp(0, x)
    terms = (p / 2 * log_v + q / 2 * log_rest
             - ss / 2 * (np.exp(log_v) / a + np.exp(log_rest) / b))
    top = terms.max()
    return ((p + q) / 2 - 1) * np.log(ss) - (p + q) / 2 * np.log(2) - gammaln(p / 2) - gammaln(
        q / 2) - p / 2 * np.log(a) - q / 2 * np.log(b) + top + np.log(
            np.exp(terms - top).sum() * (x[1] - x[0]))


@pytest.mark.parametrize("ratio", [0.3, 3.0, 30.0])
def test_density_is_that_of_simulated_cells(ratio):
    rng = np.random.default_rng(1)
    _, ss = simulate(rng, 400_000, ratio, 1.0)
    edges = np.quantile(ss, np.linspace(0, 1, 41)[1:-1])
    counts = np.histogram(ss, np.concatenate([[0.0], edges, [np.inf]]))[0]
    grid = np.exp(np.linspace(np.log(edges[0]), np.log(edges[-1]), 20_001))
    density = np.exp(log_density(grid, ratio, 1.0, 9, 3)) * grid
    cumulative = np.concatenate([[0.0], np.cumsum(
        0.5 * (density[1:] + density[:-1]) * np.diff(np.log(grid)))])
    expected = np.diff(np.interp(edges, grid, cumulative))
    share = counts[1:-1] / 400_000
    error = np.sqrt(expected * (1 - expected) / 400_000)
    assert np.abs((share - expected) / error).max() < 4.5


@pytest.mark.parametrize(("cells", "batches"), [(4, 2), (9, 3), (40, 2), (100, 10), (6, 5), (3, 2)])
def test_density_is_exact_from_few_cells_to_many(cells, batches):
    for ratio in (0.0, 0.1, 1.0, 3.0, 300.0):
        typical = (cells - batches) + (batches - 1) * (1 + cells / batches * ratio**2)
        for share in (0.05, 0.3, 1.0, 3.0):
            found = log_density(share * typical, ratio, 1.0, cells, batches)[0]
            exact = by_brute_force(share * typical, ratio, 1.0, cells, batches)
            assert abs(found - exact) < 1e-6


@pytest.mark.parametrize("ratio", [0.0, 0.3, 3.0, 30.0])
def test_density_integrates_to_one(ratio):
    x = np.linspace(-25, 20, 4001)
    density = np.exp(log_density(np.exp(x), ratio, 1.0, 9, 3) + x)
    assert np.trapezoid(density, x) == pytest.approx(1.0, abs=1e-6)


def test_density_has_the_chi_square_limits():
    ss = np.array([0.5, 3.0, 12.0, 40.0])
    one_batch = stats.chi2.logpdf(ss / 4.0, 4) - np.log(4.0)
    assert log_density(ss, 7.0, 2.0, 5, 1) == pytest.approx(one_batch)
    one_cell_a_batch = stats.chi2.logpdf(ss / 13.0, 4) - np.log(13.0)
    assert log_density(ss, 3.0, 2.0, 5, 5) == pytest.approx(one_cell_a_batch)
    no_batch_spread = stats.chi2.logpdf(ss / 4.0, 8) - np.log(4.0)
    assert log_density(ss, 0.0, 2.0, 9, 3) == pytest.approx(no_batch_spread, abs=1e-8)


def test_an_unknown_divisor_is_an_even_mixture_of_densities_of_the_printed_sd():
    constants = summaries.summary_constants([9.0], [3.0])
    n, sample, unknown = (summaries.log_density_sd(np.array([9.0]), ddof, 5.0, 4.0, constants)
                          for ddof in (0.0, 1.0, 0.5))
    assert np.exp(unknown) == pytest.approx(0.5 * (np.exp(n) + np.exp(sample)))
    sd = np.linspace(1e-3, 60, 6001)
    density = np.exp(summaries.log_density_sd(sd, 0.5, 5.0, 4.0, constants))
    assert np.trapezoid(density, sd) == pytest.approx(1.0, abs=1e-4)


def test_mean_of_nested_cells_is_normal_with_both_spreads():
    rng = np.random.default_rng(2)
    mean, ss = simulate(rng, 100_000, 3.0, 2.0)
    variance = summaries.mean_variance(3.0, 2.0, 9, 3)
    assert variance == pytest.approx(9 / 3 + 4 / 9)
    assert mean.var() == pytest.approx(variance, rel=5 * np.sqrt(2 / 1e5))
    assert abs(np.corrcoef(mean, ss)[0, 1]) < 5 / np.sqrt(1e5)
    density = summaries.log_density_mean(np.array([1.2]), 0.5, 3.0, 2.0, 9, 3)
    assert density == pytest.approx(stats.norm.logpdf(1.2, 0.5, np.sqrt(variance)))


def test_numpy_jax_and_pytensor_agree():
    import jax
    import jax.numpy as jnp
    import pytensor.tensor as pt

    jax.config.update("jax_enable_x64", True)
    constants = summaries.summary_constants([9.0, 3.0, 5.0], [3.0, 1.0, 5.0])
    sd, tau, sigma = np.array([9.0, 0.8, 2.0]), np.array([8.0, 5.0, 1.0]), np.array([3.0, 1.0, 2.0])
    plain = summaries.log_density_sd(sd, 0.5, tau, sigma, constants)
    with_jax = jax.jit(summaries.log_density_sd)(
        sd, 0.5, jnp.array(tau), jnp.array(sigma), constants)
    t, s = pt.vector("t"), pt.vector("s")
    graph = summaries.log_density_sd(sd, 0.5, t, s, constants).eval({t: tau, s: sigma})
    assert np.allclose(plain, with_jax, rtol=1e-12) and np.allclose(plain, graph, rtol=1e-12)


def test_gradient_equals_finite_differences():
    import jax

    jax.config.update("jax_enable_x64", True)
    constants = summaries.summary_constants([9.0], [3.0])

    def total(tau, sigma):
        return summaries.log_density_sd(
            np.array([9.0]), 0.5, tau, sigma, constants).sum()

    for at in ((8.0, 3.0), (0.01, 3.0), (90.0, 0.5)):
        for k in (0, 1):
            step = 1e-5 * at[k]
            up, down = ([*at], [*at])
            up[k] += step
            down[k] -= step
            slope = (total(*up) - total(*down)) / (2 * step)
            assert jax.grad(total, argnums=k)(*at) == pytest.approx(slope, rel=1e-5, abs=1e-8)


def test_impossible_counts_are_refused_by_name():
    with pytest.raises(ValueError, match="2 cells of 3 batches"):
        summaries.summary_constants([9.0, 2.0], [3.0, 3.0])


def interval_of_the_mean(mean, ss, batches):
    """90 % interval of the mean on a grid over both SDs, wide half-Cauchy priors."""
    tau = np.exp(np.linspace(np.log(0.02), np.log(100), 50))
    sigma = np.exp(np.linspace(np.log(0.05), np.log(30), 40))
    t, s = (v.ravel() for v in np.meshgrid(tau, sigma, indexing="ij"))
    log_prior = (stats.halfcauchy.logpdf(t, scale=3) + stats.halfcauchy.logpdf(s, scale=3)
                 + np.log(t) + np.log(s))
    constants = summaries.summary_constants(9.0, batches)
    mu = np.linspace(-40, 40, 2001)
    covered = []
    for m, one in zip(mean, ss, strict=True):
        weight = log_prior + summaries.log_density_sum_of_squares(
            np.full(t.size, one), t, s, constants)
        weight = np.exp(weight - weight.max())
        sd = np.sqrt(summaries.mean_variance(t, s, 9.0, float(batches)))
        order = np.argsort(sd)
        # Scale mixture of normals: 60 quantiles of the mixing weight are plenty for a coverage.
        share = np.cumsum(weight[order]) / weight.sum()
        scales = sd[order][np.searchsorted(share, (np.arange(60) + 0.5) / 60)]
        cumulative = stats.norm.cdf((mu[:, None] - m) / scales).mean(axis=1)
        low, high = np.interp([0.05, 0.95], cumulative, mu)
        covered.append(low <= 0.0 <= high)
    return float(np.mean(covered))


def test_intervals_cover_when_cells_are_nested_and_not_when_they_are_taken_as_replicates():
    rng = np.random.default_rng(3)
    tau, sigma = 3 * np.abs(rng.standard_cauchy(600)), 3 * np.abs(rng.standard_cauchy(600))
    keep = (tau < 60) & (sigma < 20)
    drawn = [simulate(rng, 1, t, s) for t, s in zip(tau[keep], sigma[keep], strict=True)]
    mean, ss = np.concatenate([d[0] for d in drawn]), np.concatenate([d[1] for d in drawn])
    error = np.sqrt(0.9 * 0.1 / keep.sum())
    assert interval_of_the_mean(mean, ss, 3) == pytest.approx(0.9, abs=3 * error)
    naive = stats.t.ppf(0.95, 8) * np.sqrt(ss / 8 / 9)
    assert 0.55 < np.mean(np.abs(mean) < naive) < 0.78


PRINTED = {"mean": 178.0, "sd": 9.0, "n": 9}
PARTS = [{"mean": 187.0, "sd": 0.8, "n": 3}, {"mean": 166.9, "sd": 3.8, "n": 3}]


def test_remainder_of_simulated_cells_is_exact():
    y = np.random.default_rng(4).normal(170, 8, size=(3, 4))
    rest = summaries.remainder(
        {"mean": y.mean(), "sd": y.std(), "n": 12},
        [{"mean": b.mean(), "sd": b.std(), "n": 4} for b in y[:2]], ddof=0, part_ddof=0)
    assert rest["mean"] == pytest.approx(y[2].mean())
    assert rest["ss"] == pytest.approx(((y[2] - y[2].mean()) ** 2).sum())


def test_third_hand_batch_follows_from_the_printed_rows():
    rest = summaries.remainder(PRINTED, PARTS, ddof=0, part_ddof=0)
    assert rest["mean"] == pytest.approx(180.1)
    assert np.sqrt(np.array([rest["ss_low"], rest["ss"], rest["ss_high"]]) / 3) == pytest.approx(
        [3.7, 4.4, 5.0], abs=0.05)
    sample = summaries.remainder(PRINTED, PARTS, ddof=1, part_ddof=1)
    assert np.sqrt(sample["ss_high"] / 2) == pytest.approx(2.0, abs=0.05)
    with pytest.raises(ValueError, match="contradict"):
        summaries.remainder(PRINTED, PARTS, ddof=1, part_ddof=0)
    with pytest.raises(ValueError, match="nothing is left over"):
        summaries.remainder(PRINTED, [PARTS[0]] * 3, ddof=0, part_ddof=0)


def table(**changes):
    rows = pd.DataFrame({
        "row_id": ["all", "one", "two"], "method": "hand", "study": "s", "batch": ["", "1", "2"],
        "c_rate": 0.1, "capacity_mAh_g": [178.0, 187.0, 166.9],
        "capacity_mAh_g_sd": [9.0, 0.8, 3.8], "capacity_mAh_g_n": [9.0, 3.0, 3.0],
        "capacity_mAh_g_batches": [3.0, 1.0, 1.0], "contains": ["one;two", "", ""],
        "same_cells": ["hand", "hand 1", "hand 2"],
    })
    return rows.assign(**changes)


def with_third_batch(**columns):
    """A row that prints only a range of the third batch's SD, as the paper does."""
    third = table().iloc[[2]].assign(
        row_id="three", batch="3", capacity_mAh_g=np.nan, capacity_mAh_g_sd=np.nan,
        capacity_mAh_g_sd_low=2.2, capacity_mAh_g_sd_high=5.9, contains="", **columns)
    return pd.concat([table(contains=["one;two;three", "", ""]), third], ignore_index=True)


def read(rows):
    return published.read_summaries(rows, rows, "capacity_mAh_g", "c_rate")


def test_a_pooled_row_and_its_parts_are_never_used_twice():
    found, used = read(with_third_batch())
    assert used.tolist() == [True, True, True, False]
    counted = [one for one in found if one.counted]
    assert [one.name for one in counted] == ["all without one, two", "one", "two"]
    assert sum(one.cells for one in counted) == 9 and sum(one.batches for one in counted) == 3
    rest = counted[0]
    assert rest.ss is not None and rest.ss[0] == pytest.approx(57.9)
    # With n - 1 in the pooled SD the third batch's would be below 2.0, against 2.2 to 5.9 printed;
    # with n - 1 in the parts alone it would be 6.0, of which the range leaves 5.9.
    assert rest.ss[1] == pytest.approx(2 * 5.9**2)


def test_a_pooled_row_with_all_its_parts_adds_nothing():
    parts = table()
    third = parts.iloc[[2]].assign(row_id="three", batch="3", capacity_mAh_g=180.1,
                                   capacity_mAh_g_sd=4.39, same_cells="hand 3")
    found, _ = read(pd.concat([parts.assign(contains=["one;two;three", "", ""]), third],
                              ignore_index=True))
    assert [one.name for one in found if one.counted] == ["one", "two", "three"]


def test_contradicting_rows_name_their_row():
    with pytest.raises(ValueError, match="row all and the rows it contains"):
        read(table(capacity_mAh_g_sd_ddof=[1.0, 0.0, 0.0]))
    with pytest.raises(ValueError, match=r"row all: .*how many batches"):
        read(table(capacity_mAh_g_batches=[np.nan, 1.0, 1.0]))
    with pytest.raises(ValueError, match="another c_rate"):
        read(table(c_rate=[0.1, 1.0, 0.1]))
    cell = table().iloc[[1]].assign(row_id="cell", capacity_mAh_g_n=1.0, capacity_mAh_g_sd=np.nan)
    with pytest.raises(ValueError, match="count twice"):
        read(pd.concat([table(), cell], ignore_index=True))


def test_rows_of_the_same_cells_are_linked_and_others_are_not():
    rows = pd.concat([table().iloc[[0]].assign(row_id=r, c_rate=c, contains="", same_cells=s)
                      for r, c, s in (("a", 1.0, "x"), ("b", 0.1, "x"), ("c", 0.1, "y"))],
                     ignore_index=True)
    made = published.columns_of(published.arrays(read(rows)[0], "q")["q_summary__numbers"])
    assert made["before"].tolist() == [1, 1, 2]
    assert made["linked"].tolist() == [1.0, 0.0, 0.0]


def test_means_that_would_count_cells_or_a_batch_twice_are_refused():
    one = table().iloc[[1]].assign(same_cells="")
    with pytest.raises(ValueError, match="both means of cells of batch '1'"):
        read(pd.concat([one, one.assign(row_id="again", capacity_mAh_g=181.0)], ignore_index=True))
    # a batch of another mill or method may have the same label
    for other in ({"method": "machine"}, {"mill": "B"}):
        rows = pd.concat([one, one.assign(row_id="other", **other),
                          one.assign(row_id="cell", capacity_mAh_g_n=1.0, method="third")])
        assert read(rows.reset_index(drop=True))[1].tolist() == [True, True, False]
    label = table().iloc[[1]]
    for other, why in (({"c_rate": 1.0, "capacity_mAh_g_n": 2.0}, "means of 3 cells of 1 batches"),
                       ({"batch": "2"}, "Keep one row for each c_rate")):
        with pytest.raises(ValueError, match=why):
            read(pd.concat([label, label.assign(row_id="again", **other)], ignore_index=True))


def test_equal_labels_of_two_mills_are_not_the_same_cells():
    one = table().iloc[[1]].assign(same_cells="", mill="A")
    rows = pd.concat([one, one.assign(row_id="r", c_rate=1.0, mill="B"),
                      one.assign(row_id="s", c_rate=1.0)], ignore_index=True)
    made = published.columns_of(published.arrays(read(rows)[0], "q")["q_summary__numbers"])
    assert made["linked"].tolist() == [0.0, 0.0, 1.0] and made["before"][2] == 0


def test_no_summaries_are_legal():
    given = published.columns_of(published.arrays([], "q")["q_summary__numbers"])
    assert given["ss_0"].shape == (0,)
    none = np.zeros(0)
    density = published.log_density(given, mu=none, batch=[none], cell=[none], own=none)
    assert density.shape == (0,)


@pytest.mark.parametrize(("figures", "decimals"), [
    ([178.0, 9.0], 0), ([178.0, 0.8, 166.9], 1), ([0.1 + 0.2, 3.25], 2), ([1 / 3.0001], 6)])
def test_rounding_is_that_of_the_figures_as_printed(figures, decimals):
    assert published._decimals(figures) == decimals
