"""Mixing methods: what nine cells of three batches can and cannot decide."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from ssbayes import data, models
from ssbayes.models import comparison, electrode, mixing, planning
from ssbayes.models.engine import published, summaries
from ssbayes.models.engine.encode import encode

POOLED_HAND = "g1"
LAW = (202.0, 0.34, 0.56)


def literature():
    tables = [data.load("kissel2025_mixing"), data.load("kissel2025_active_capacity")]
    return pd.concat(tables, ignore_index=True)


def at_low_rate():
    rows = literature()
    return rows[rows["c_rate"].eq(0.1) | rows["c_rate"].isna()]


def with_divisor(rows, ddof):
    """All SDs under one convention; the pooled hand SD cannot divide by n - 1."""
    known = rows["capacity_mAh_g_sd"].notna() & ~(rows["row_id"].eq(POOLED_HAND) & (ddof == 1))
    return rows.assign(capacity_mAh_g_sd_ddof=np.where(known, float(ddof), np.nan))


@pytest.fixture(scope="module")
def model():
    return models.get("mixing")


@pytest.fixture(scope="module")
def low(model):
    return model.fit(at_low_rate(), seed=1, draws=1000)


@pytest.fixture(scope="module")
def all_rates(model):
    return model.fit(literature(), seed=1, draws=1000)


def chances(fit, **options):
    table = mixing.compare(fit, "machine", "hand", **options).table
    return table["probability"].set_axis(
        ["mean", "next batch", "next cell", "equal", "batch SD", "cell SD", "next cell SD"])


# --- physics


@pytest.mark.parametrize("rate", [0.05, 0.1, 1.0, 3.0])
def test_slope_is_the_derivative_of_gross_capacity(rate):
    up, down = (electrode.gross_capacity(0.88 + d, rate, *LAW) for d in (1e-6, -1e-6))
    assert electrode.utilization_slope(0.88, rate, *LAW) == pytest.approx((up - down) / 2e-6)


def test_capacity_falls_with_rate_and_rises_with_utilization():
    rates = np.geomspace(0.02, 5, 30)
    assert np.all(np.diff(electrode.gross_capacity(0.9, rates, *LAW)) < 0)
    better = electrode.gross_capacity(0.95, rates, *LAW) / electrode.gross_capacity(
        0.76, rates, *LAW)
    # Better connected material also runs at a lower effective rate.
    assert np.all(better > 0.95 / 0.76) and np.all(np.diff(better) > 0)
    assert electrode.active_capacity(0.1, *LAW) == pytest.approx(202.0)


def test_physics_runs_on_numpy_jax_and_pytensor():
    import jax
    import jax.numpy as jnp
    import pytensor.tensor as pt

    jax.config.update("jax_enable_x64", True)
    rate = np.array([0.1, 0.3, 1.0])
    symbol = pt.vector("rate")
    for f in (electrode.gross_capacity, electrode.utilization_slope):
        plain = f(0.88, rate, *LAW)
        assert np.allclose(plain, jax.jit(f)(0.88, jnp.array(rate), *LAW))
        assert np.allclose(plain, f(0.88, symbol, *LAW).eval({symbol: rate}))
    mass = np.array([0.0, 12.0])
    assert electrode.balance_error(mass).tolist() == pytest.approx([0.0, 0.1 / 12])
    symbol = pt.vector("mass")
    assert np.allclose(electrode.balance_error(symbol).eval({symbol: mass}), [0.0, 0.1 / 12])


def test_static_and_kinetic_parts_make_up_the_variance_at_the_reference_rate():
    static, kinetic = electrode.spread_factors(0.1, 213.0, 213.0, 0.8, 0.5)
    assert static**2 + kinetic**2 == pytest.approx(1.0)
    static, kinetic = electrode.spread_factors(1.0, 188.0, 213.0, 0.8, 0.5)
    assert static < 0.8**0.5 and kinetic == pytest.approx((0.2 * 10) ** 0.5)


# --- what the printed summaries decide


def test_machine_is_less_scattered_but_less_certainly_than_cells_as_replicates_would_say(low):
    found = chances(low, c_rate=0.1)
    assert 0.86 <= found["batch SD"] <= 0.96
    assert 0.92 <= found["cell SD"] <= 0.97
    assert 0.90 <= found["next cell SD"] <= 0.995
    answer = mixing.compare(low, "machine", "hand", c_rate=0.1)
    assert "0.9994" in answer.sentence
    assert any("operator not separable from batch" in note for note in answer.notes)
    # The mean differs by 1.5 mAh/g only: the benefit is in the spread.
    assert 0.3 < found["mean"] < 0.85 and found["equal"] < 0.8


@pytest.mark.parametrize(("scale", "ddof"), [
    (2.5, 1), (20.0, 0),
    *(pytest.param(*case, marks=pytest.mark.slow) for case in ((2.5, 0), (20.0, 1), (5.0, 0),
                                                               (5.0, 1)))])
def test_verdicts_hold_under_other_prior_numbers_and_divisors(model, scale, ddof):
    fit = model.with_priors(batch_sd=scale).fit(
        with_divisor(at_low_rate(), ddof), seed=3, draws=1000, chains=2)
    found = chances(fit, c_rate=0.1)
    slack = 0.025  # two Monte-Carlo errors at some 800 effective draws
    assert 0.86 - slack <= found["batch SD"] <= 0.96 + slack
    assert 0.92 - slack <= found["cell SD"] <= 0.97 + slack
    assert 0.90 - slack <= found["next cell SD"] <= 0.995


def exact(rows, log_prior):
    """Posterior weights on a grid over both SDs of one method; a flat mean, summed analytically."""
    tau = np.exp(np.linspace(np.log(0.02), np.log(400), 160))
    sigma = np.exp(np.linspace(np.log(0.02), np.log(60), 120))
    t, s = (v.ravel() for v in np.meshgrid(tau, sigma, indexing="ij"))
    total = log_prior(t) + np.log(t) + stats.halfnorm.logpdf(s, scale=5.0) + np.log(s)
    precision, weighted, square = np.zeros(t.size), np.zeros(t.size), np.zeros(t.size)
    for mean, ss, cells, batches in rows:
        constants = summaries.summary_constants(cells, batches)
        total += summaries.log_density_sum_of_squares(np.full(t.size, ss), t, s, constants)
        variance = summaries.mean_variance(t, s, cells, batches)
        total -= 0.5 * np.log(variance)
        precision += 1 / variance
        weighted += mean / variance
        square += mean**2 / variance
    total += -0.5 * np.log(precision) - 0.5 * (square - weighted**2 / precision)
    weight = np.exp(total - total.max())
    return t, s, weight / weight.sum()


def less(a, weight_a, b, weight_b):
    order = np.argsort(b)
    above = 1.0 - np.concatenate([[0.0], np.cumsum(weight_b[order])])
    sides = [np.searchsorted(b[order], a, side) for side in ("left", "right")]
    return float((weight_a * 0.5 * (above[sides[0]] + above[sides[1]])).sum())


def log_prior_of(prior):
    if prior.family == "LogNormal":
        return stats.lognorm(prior.numbers[1], scale=prior.numbers[0]).logpdf
    family = {"HalfNormal": stats.halfnorm, "HalfCauchy": stats.halfcauchy}[prior.family]
    return family(scale=prior.numbers[0]).logpdf


def exact_chances(prior, ddof):
    rows = with_divisor(at_low_rate(), ddof)
    rows = rows[rows["c_rate"].eq(0.1) & rows["method"].notna()]
    found, _ = published.read_summaries(rows, with_divisor(at_low_rate(), ddof),
                                        "capacity_mAh_g", "c_rate")
    method = rows["method"].to_numpy()
    grids = [exact([(one.mean, one.ss[ddof], one.cells, one.batches) for one in found
                    if one.counted and method[one.row] == name], log_prior_of(prior))
             for name in ("machine", "hand")]
    (t, s, w), (u, v, x) = grids
    return (less(t, w, u, x), less(s, w, v, x), less(np.hypot(t, s), w, np.hypot(u, v), x))


@pytest.mark.parametrize("ddof", [0, 1])
@pytest.mark.parametrize("name", mixing.BATCH_SD_PRIORS)
def test_all_six_priors_agree_on_the_exact_posterior(name, ddof):
    batch, cell, total = exact_chances(mixing.BATCH_SD_PRIORS[name], ddof)
    assert 0.86 <= batch <= 0.96
    assert 0.92 <= cell <= 0.97
    assert 0.90 <= total <= 0.995


def test_sampled_posterior_equals_the_exact_one(model):
    fit = model.fit(with_divisor(at_low_rate(), 0), seed=5, draws=2000)
    found = chances(fit, c_rate=0.1)
    expected = exact_chances(mixing.BATCH_SD_PRIORS["half-normal 10"], 0)
    for name, value in zip(("batch SD", "cell SD", "next cell SD"), expected, strict=True):
        assert found[name] == pytest.approx(value, abs=0.02)


def test_more_rates_of_the_same_cells_do_not_multiply_the_evidence(low, all_rates):
    assert chances(all_rates, c_rate=0.1)["batch SD"] <= 0.97
    spread = [np.std(np.log(comparison.draws(fit, "batch_sd")[:, 1])) for fit in (low, all_rates)]
    # Three independent sets of cells would narrow it by about the square root of three.
    assert spread[1] > 0.75 * spread[0]


def test_scatter_explains_the_printed_correlations(all_rates):
    printed = data.load("kissel2025_correlations")
    printed = printed[printed["outcome"].eq("capacity_mAh_g") & printed["over"].eq("utilization")]
    ranges = data.load("kissel2025_utilization")
    ranges = ranges[ranges["row_id"].isin(["u1", "u2"])]
    found = mixing.explained_by_utilization(all_rates, ranges, printed["c_rate"].to_list())
    assert np.abs(found["r_squared"].to_numpy() - printed["r_squared"].to_numpy()).max() < 0.1


def test_low_rate_correlations_are_not_built_in(low):
    """With one rate alone the growth of kinetic scatter is the prior's, and the fit says so."""
    said = low.summary()["informed_by"]
    assert said["mixing.kinetic_growth"] == "from the prior"
    assert said["mixing.static_share[hand]"] == "from the prior"


def test_variance_components_add_up_and_name_what_is_confounded(all_rates):
    found = mixing.components(all_rates, c_rate=1.0, composite_mass_mg=12.0)
    for method in ("hand", "machine"):
        parts = mixing.at_rate(all_rates, method, 1.0, 12.0)
        total = sum(parts[k] ** 2 for k in ("batch_static", "batch_kinetic", "cell_static",
                                            "cell_reading", "balance"))
        assert np.allclose(total, parts["next_cell_sd"] ** 2)
    text = found.loc[("hand", "batch, utilization"), "confounded with"]
    assert "operator not separable from batch" in text
    assert found.loc[("hand", "balance"), "SD, mAh/g"] == pytest.approx(133 / 120, rel=0.05)


def test_convergence_is_good(low, all_rates):
    for fit in (low, all_rates):
        assert fit.convergence.worst_rhat < 1.03
        assert fit.convergence.divergences < 0.02 * fit.n_draws


# --- evidence of linked summaries


def linked_density(mean, ss, truth, mu, linked):
    """Log density of simulated studies of nine cells at three rates, ``(rates, studies)`` in."""
    batch_sd, cell_sd, share, growth = truth
    rates = np.array([0.1, 0.3, 1.0])
    slope = electrode.utilization_slope(0.89, rates, *LAW)
    static, kinetic = electrode.spread_factors(rates, slope, slope[0], share, growth)
    count, studies = mean.shape
    row = np.repeat(np.arange(count), studies)
    at = np.arange(row.size)
    link = np.where(row > 0, float(linked), 0.0)
    given = {
        "row": row, "before": np.where(row > 0, at - studies, at), "mean": mean.ravel(),
        "ss_0": ss.ravel(), "ss_1": ss.ravel(), "log_chance_0": np.log(0.5),
        "log_chance_1": np.log(0.5), "typical_ss": ss.ravel(), "spread": 1.0, "counted": 1.0,
        "linked": link, "linked_spread": link, **summaries.summary_constants(9.0, 3.0)}
    density = published.log_density(
        given, mu=np.full(3, mu), batch=[batch_sd * static, batch_sd * kinetic],
        cell=[cell_sd * static], own=cell_sd * kinetic)
    return density.reshape(count, studies).sum(axis=0)


def simulated_studies(rng, size, truth):
    batch_sd, cell_sd, share, growth = truth
    rates = np.array([0.1, 0.3, 1.0])
    slope = electrode.utilization_slope(0.89, rates, *LAW)
    static, kinetic = (f[:, None, None, None] for f in electrode.spread_factors(
        rates, slope, slope[0], share, growth))
    y = batch_sd * (static * rng.normal(size=(1, size, 3, 1))
                    + kinetic * rng.normal(size=(1, size, 3, 1)))
    y = y + cell_sd * (static * rng.normal(size=(1, size, 3, 3))
                       + kinetic * rng.normal(size=(3, size, 3, 3)))
    y = y.reshape(3, size, 9)
    return y.mean(axis=2), ((y - y.mean(axis=2, keepdims=True)) ** 2).sum(axis=2)


@pytest.mark.parametrize("truth", [(9.0, 4.0, 0.9, 0.5), (2.0, 2.0, 0.75, 0.5),
                                   (3.0, 5.0, 0.95, 0.5)])
def test_linked_summaries_hold_as_much_information_as_they_claim(truth):
    """The variance of the score equals the curvature where evidence is counted once."""
    mean, ss = simulated_studies(np.random.default_rng(6), 3000, truth)
    ratios = {}
    for linked in (True, False):
        for name, step in (("mean", 0.05), ("batch SD", 0.01)):
            def at(d, linked=linked, name=name):
                moved = (truth[0] * np.exp(d), *truth[1:]) if name == "batch SD" else truth
                return linked_density(mean, ss, moved, d if name == "mean" else 0.0, linked)

            up, here, down = at(step), at(0.0), at(-step)
            score = (up - down) / (2 * step)
            ratios[linked, name] = score.var() / -((up - 2 * here + down) / step**2).mean()
    assert 0.85 < ratios[True, "mean"] < 1.2 and 0.85 < ratios[True, "batch SD"] < 1.3
    assert ratios[False, "mean"] > 2.0 and ratios[False, "batch SD"] > 1.8


# --- planning


def test_planning_needs_batches_not_cells():
    assert planning.fewest_batches(lambda n: planning.power_for_spread(2.1, 10.0, n)) == 5
    assert planning.fewest_batches(lambda n: planning.power_for_spread(2.4, 7.0, n)) == 8
    few, many = (planning.batch_mean_sd(9.0, 4.0, c) for c in (1, 100))
    assert many > 9.0 and few / many < 1.1


def test_powers_are_those_of_simulated_experiments():
    rng, batches, count = np.random.default_rng(8), 6, 40_000
    a, b = 2.0 * rng.normal(size=(count, batches)), 6.0 * rng.normal(size=(count, batches))
    ratio = b.var(axis=1, ddof=1) / a.var(axis=1, ddof=1)
    decided = np.mean(ratio > stats.f.ppf(0.95, 5, 5))
    assert planning.power_for_spread(2.0, 6.0, batches) == pytest.approx(decided, abs=0.01)
    found = stats.ttest_ind(a + 5.0, b, axis=1, equal_var=False, alternative="greater").pvalue
    assert planning.power_for_mean(5.0, 2.0, 6.0, batches) == pytest.approx(
        np.mean(found < 0.05), abs=0.03)
    assert planning.power_for_equality(0.0, 1.0, 1.0, 10, 3.0) > 0.99
    assert planning.power_for_equality(0.0, 5.0, 5.0, 4, 3.0) < 0.05


def test_plan_states_what_is_possible(low):
    found = mixing.plan(low, "machine", "hand", cells=(3,), draws=100)
    spread = found.loc[("machine less scattered between batches", 3)]
    assert 4 <= spread["batches if SDs are the medians"] <= 14
    power = spread[[f"expected power at {n} batches" for n in (5, 10, 20)]].to_numpy(float)
    assert np.all(np.diff(power) > 0) and power[-1] < chances(low)["batch SD"] + 0.05


# --- mistakes


def test_published_means_of_unlike_charging_are_not_pooled_in_silence(model):
    rows = data.load("kissel2025_mixing")
    encode(rows, model)
    for other in (rows["row_id"].eq("g8"), rows["row_id"].eq("g1")):
        with pytest.raises(ValueError, match="capacity_mAh_g of unlike charge_mode"):
            encode(rows.assign(charge_mode=np.where(other, "CCCV", "CC")), model)


def test_a_mean_beside_batches_that_it_does_not_name_is_told(model):
    def told(rows):
        return [note for note in encode(rows, model).notes if "count twice" in note]

    rows = data.load("kissel2025_mixing")
    assert not told(rows)
    forgotten = rows.assign(contains=rows["contains"].mask(rows["row_id"].eq(POOLED_HAND)))
    (note,) = told(forgotten)
    assert "row g1 is a mean" in note and "(g4, g5)" in note and "'contains'" in note
    other = forgotten.assign(study=np.where(rows["row_id"].eq(POOLED_HAND), "another", "this"))
    assert not told(other)


def test_mistakes_are_named(low):
    with pytest.raises(ValueError, match="'hnad' is no method of this fit; it has: hand, machine"):
        mixing.compare(low, "hnad", "machine")
    with pytest.raises(ValueError, match="must not be negative"):
        mixing.compare(low, "hand", "machine", equal_within=-1.0)
    with pytest.raises(ValueError, match="3 readings"):
        mixing.explained_by_utilization(low, pd.DataFrame({"utilization": [0.9]}), [0.1])
