"""When to stop: gains, closeness to the optimum, readings that a ranking still needs."""

import numpy as np
import pytest
from scipy.stats import norm
from ssbayes import doe
from ssbayes.doe import standing, stopping


def draws(mean, sd, n=4000, seed=0):
    return np.asarray(mean) + np.asarray(sd) * np.random.default_rng(seed).standard_normal(
        (n, len(mean)))


def improvement(lack, sd):
    """E[max(N(-lack, sd^2), 0)]."""
    return sd * norm.pdf(lack / sd) - lack * norm.cdf(-lack / sd)


@pytest.mark.parametrize("noise", [0.0, 1.0, 4.0])
def test_gain_of_one_more_setting_is_expected_improvement_as_far_as_a_reading_tells(noise):
    values = draws([10.0, 9.0], [0.0, 2.0], 40_000)
    exact = improvement(1.0, 4.0 / np.hypot(2.0, noise))
    found = stopping.expected_gain(values[:, :1], values[:, 1:], np.array([noise]))
    assert found == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_the_gain_of_a_batch_is_the_same_in_any_unit(unit):
    values = draws([10.0, 9.0], [0.5, 2.0])
    asked = [stopping.expected_gain(u * values[:, :1], u * values[:, 1:], u * np.ones(1)) / u
             for u in (1.0, unit)]
    assert asked[1] == pytest.approx(asked[0], rel=1e-6)


def test_repeats_of_two_rivals_are_worth_what_they_tell_and_no_new_setting_is_needed():
    values = draws([10.0, 10.0], [2.0, 2.0], 40_000)
    exact = improvement(0.0, np.sqrt(2.0 * 4.0**2 / (2.0**2 + 1.0)))
    found = stopping.expected_gain(values, values, np.ones(2))
    assert found == pytest.approx(exact, rel=0.03)
    more = stopping.expected_gain(values, np.tile(values, 8), np.ones(16))
    assert exact < more < improvement(0.0, np.sqrt(2.0) * 2.0) * 1.02
    assert stopping.expected_gain(values, values, np.full(2, 1e6)) < 1e-3


def test_readings_of_one_run_share_its_error_and_tell_less_of_a_new_setting():
    """A setting read four times in one run, all of whose error is shared, is read once."""
    values = draws([10.0, 9.0], [0.0, 2.0], 40_000)
    batch = np.repeat(values[:, 1:], 4, axis=1)
    one = stopping.expected_gain(values[:, :1], values[:, 1:], np.full(1, 3.0))
    apart = stopping.expected_gain(values[:, :1], batch, np.full(4, 3.0))
    alike = standing._alike(np.zeros(4), np.full(4, 3.0), ["s1"] * 4)
    shared = stopping.expected_gain(values[:, :1], batch, np.full(4, 3.0), 0, alike)
    assert shared == pytest.approx(one, rel=0.02) and apart > 1.5 * one
    half = standing._alike(np.ones(3), np.array([1.0, 1.0, np.nan]), ["s1", "s1", "s1"])
    assert half == pytest.approx(np.array([[1.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 1.0]]))


def test_closeness_to_the_optimum_counts_settings_that_nobody_has_tried():
    tried, space = draws([10.0], [0.1]), draws([9.0, 12.0], [0.1, 0.1], seed=1)
    assert stopping.within(tried, space[:, :1], 0, 1.0) > 0.99
    assert stopping.within(tried, space, 0, 1.0) < 0.01
    assert stopping.within(tried, space, 0, 3.0) > 0.99


def test_where_nothing_keeps_a_requirement_nothing_is_near_the_optimum_or_known():
    """In such a draw every setting is worth the same."""
    holds = np.random.default_rng(1).random((4000, 3)) < 0.1
    worth = np.where(holds, draws([10.0, 11.0, 12.0], [1.0, 1.0, 1.0]), 5.0)
    chance = holds[:, 2].mean()
    assert stopping.within(worth, worth, 2, 0.5, holds) <= chance < 0.15
    assert stopping.within(worth, worth, 2, 0.5) > 0.7
    assert stopping.equal_to(worth, 2, 20.0, holds=holds) == []
    assert stopping.readings_to_settle(worth, np.ones(3), margin=0.5, level=0.7) == 0
    assert stopping.readings_to_settle(worth, np.ones(3), 0.7, margin=0.5, holds=holds) is None
    told = stopping.progress(worth, worth, worth, np.ones(3), np.ones(3), chosen=2, margin=0.5,
                             unit="", holds=holds).table.set_index("what")["value"]
    assert told["P(the recommended setting is the best of those tried)"] == pytest.approx(
        chance + (~holds.any(axis=1)).mean() / 3.0, abs=0.03)


def test_the_optimum_is_looked_for_at_the_edges_of_many_factors():
    """A draw is a plane over six factors: its best setting is a corner, far from most samples."""
    space = doe.Space([doe.Real(f"f{k}", 0.0, 1.0) for k in range(6)])
    slope = np.random.default_rng(0).standard_normal((64, 6))

    def reached(many):
        return many, slope @ np.asarray(many).T

    tried = space.sample(10, np.random.default_rng(1))
    found = standing._best_of_space(space, reached, tried, np.random.default_rng(2)).max(axis=1)
    top = np.maximum(slope, 0.0).sum(axis=1)
    blind = reached(space.sample(7000, np.random.default_rng(3)))[1].max(axis=1)
    assert (top - found).mean() < 0.5 * (top - blind).mean()


def test_a_clear_ranking_needs_nothing_more_and_a_tie_never_settles():
    noise = np.full(2, 3.0)
    assert stopping.readings_to_settle(draws([0.0, 20.0], [1.0, 1.0]), noise) == 0
    equal = draws([0.0, 0.0], [0.01, 0.01])
    assert stopping.readings_to_settle(equal, noise) is None
    assert stopping.readings_to_settle(equal, noise, margin=1.0) == 0


def test_twice_the_noise_needs_four_times_the_readings():
    values = draws([0.0, 1.0], [4.0, 4.0], 1000)
    few, many = (stopping.readings_to_settle(values, np.full(2, s), level=0.9, seed=1)
                 for s in (2.0, 4.0))
    assert few is not None and many is not None
    assert 2.0 <= many / few <= 8.0


def test_number_of_readings_is_that_of_two_normal_means():
    # the probability of choosing right after k readings of each, for a difference N(0, 2 s^2)
    values = draws([0.0, 0.0], [5.0, 5.0], 2000)
    found = stopping.readings_to_settle(values, np.full(2, 5.0), level=0.9, seed=2)
    rng = np.random.default_rng(3)
    truth = rng.standard_normal((20_000, 2)) * 5.0
    exact = None
    for k in range(1, 65):
        seen = truth + 5.0 / np.sqrt(k) * rng.standard_normal(truth.shape)
        shrunk = seen / (1.0 + 1.0 / k)
        sd = np.sqrt(2.0 * 25.0 / (1.0 + k))
        if norm.cdf(np.abs(shrunk[:, 1] - shrunk[:, 0]) / sd).mean() >= 0.9:
            exact = k
            break
    assert found is not None and exact is not None
    assert exact / 2.0 <= found <= exact * 2.0


def test_deciding_is_settled_by_the_levels_and_not_by_their_settings():
    """Two settings of one method are equal, the other method is far behind."""
    values = draws([10.0, 10.0, 0.0], [1.0, 1.0, 1.0], 2000)
    noise = np.full(3, 1e3)
    given = {"chosen": 0, "margin": 0.1, "unit": ""}
    every = stopping.progress(values, values, values, noise, noise, **given)
    levels = stopping.progress(values, values, values, noise, noise, **given,
                               rivals=np.array([0, 2]), decide="method")
    assert "would not settle which is the best" in every.sentence
    assert "which method is the best is known well enough" in levels.sentence
    assert levels.table.iloc[-1].tolist()[1] > 0.99
    assert levels.table["what"].iloc[-1].startswith("P(its method is the best")


def test_equal_settings_are_named():
    values = draws([10.0, 10.2, 14.0], [0.1, 0.1, 0.1])
    assert stopping.equal_to(values, 0, 1.0) == [1]


class TestCampaign:
    SPACE = doe.Space([doe.Real("rpm", 200, 1000)])

    def campaign(self, rows=12):
        made = doe.Campaign(self.SPACE, maximize="capacity_mAh_g", seed=1)
        rng = np.random.default_rng(0)
        table = self.SPACE.sample(rows, rng)
        x = (table["rpm"] - 600.0) / 400.0
        made.record(table.assign(
            kind="simulated", capacity_mAh_g=160.0 - 40.0 * x**2 + rng.normal(0, 1.0, rows)))
        return made

    def test_a_settled_campaign_says_stop_and_a_young_one_goes_on(self):
        late = self.campaign(30).progress(within=3.0, price=2.0)
        assert late.stop and "stop" in late.sentence
        value = late.table.set_index("what")["value"]
        assert value.iloc[1] > 0.9
        early = self.campaign(4).progress(within=3.0, price=0.01)
        assert not early.stop and "go on" in early.sentence

    def test_it_changes_nothing_that_is_recorded(self):
        made = self.campaign()
        before = len(made.suggestions())
        told = made.progress(within=3.0)
        assert told.stop is None and len(made.suggestions()) == before
        assert "mAh/g" in told.sentence
        with pytest.raises(doe.CampaignError, match="within=0"):
            made.progress(within=0.0)
        with pytest.raises(doe.CampaignError, match="n=0 must be a whole number"):
            made.progress(within=3.0, n=0)

    def test_a_setting_that_may_not_be_recommended_is_nothing_to_better(self):
        made = self.campaign(6)
        made.record({"rpm": 1500.0, "kind": "simulated", "capacity_mAh_g": 400.0})
        told = made.progress(within=3.0).table["value"]
        assert told.iloc[0] > 0.0 and told.iloc[2] > 0.2
        outside = doe.Campaign(self.SPACE, maximize="capacity_mAh_g", seed=1)
        outside.record({"rpm": 1500.0, "kind": "simulated", "capacity_mAh_g": 400.0})
        with pytest.raises(doe.CampaignError, match="outside the space"):
            outside.progress(within=3.0)
