"""Goals in words, what settings are worth under them, and experiments that teach."""

import math
from itertools import pairwise

import numpy as np
import pytest
from ssbayes import doe
from ssbayes.doe import acquisition, learning, stopping, worth
from ssbayes.doe.goals import Goals, goals

TWO = goals(maximize="capacity_mAh_g", minimize="porosity")


def fixed(given, values, shown=None, seed=0):
    sd = {name: np.zeros(v.shape[1]) for name, v in values.items()}
    return worth.worth(given, values, sd, np.random.default_rng(seed), shown), sd


def area(points, low):
    """Exact area between a reference point and the front of points, two aims."""
    best, total = low[1], 0.0
    for x, y in sorted(points, key=lambda p: -p[0]):
        if y > best and x > low[0]:
            total += (x - low[0]) * (y - best)
            best = y
    return total


class TestWords:
    def test_one_outcome_is_plain_and_adds_nothing_to_a_file(self):
        assert goals(maximize="capacity_mAh_g").plain
        assert not TWO.plain and not goals(target={"porosity": 0.2}).plain
        assert not goals(maximize="capacity_mAh_g", robust=1.0).plain

    @pytest.mark.parametrize("given", [
        TWO, goals(target={"viscosity_Pa_s": 0.45}), goals(maximize="a", learn="models"),
        goals(maximize="a", require={"retention >= 0.9": 0.7}, cost="30 + milling_min"),
        goals(wanted=[doe.Goal("a", "larger", 0.0, 1.0, 2.0)], robust=0.5),
        goals(minimize="a", decide="method"),
    ])
    def test_a_file_gives_the_same_goals_back(self, given):
        assert Goals.from_dict(given.to_dict()) == given

    @pytest.mark.parametrize(("bad", "told"), [
        ({}, "give either maximize= or minimize="),
        ({"maximize": "a", "minimize": "a"}, "a is aimed at twice"),
        ({"maximize": "a", "robust": -1.0}, "robust=-1.0"),
        ({"maximize": "a", "require": "b >= 1"}, "write require="),
        ({"maximize": "a", "require": ["b + 1"]}, "not a comparison"),
        ({"maximize": "a", "require": {"b >= 1": 1.5}}, "between 0 and 1"),
        ({"maximize": "a", "require": ["rpm <= 500"]}, "space's constraints"),
        ({"maximize": ["a", "b"], "learn": "models"}, "look at one outcome"),
        ({"maximize": "a", "wanted": [doe.Goal("b", "larger", 0, 1, 1)]}, "give either"),
        ({"target": {"a": math.nan}}, "must be one number"),
    ])
    def test_what_cannot_be_is_named_with_its_mend(self, bad, told):
        with pytest.raises(doe.CampaignError, match=told.replace("+", r"\+")):
            goals(**bad)


class TestWorth:
    def test_one_aim_is_worth_its_own_value(self):
        values = {"a": np.random.default_rng(1).normal(size=(8, 5))}
        for given, sign in ((goals(maximize="a"), 1.0), (goals(minimize="a"), -1.0)):
            told, sd = fixed(given, values)
            np.testing.assert_array_equal(told(values, sd), sign * values["a"])

    def test_mean_over_directions_is_the_hypervolume(self):
        # the area of a quarter disc of radius 1, pi / 4, is what the mean is to be multiplied by
        rng = np.random.default_rng(2)
        points = rng.uniform(size=(6, 2))
        values = {"capacity_mAh_g": np.tile(points[:, 0], (4000, 1)),
                  "porosity": np.tile(1.0 - points[:, 1], (4000, 1))}
        told, sd = fixed(TWO, values, np.ones(6, bool))
        found = np.pi / 4.0 * told(values, sd).max(axis=1)
        scaled = (np.column_stack([points[:, 0], points[:, 1] - 1.0]) - told.low) / told.extent
        error = found.std() / np.sqrt(len(found))
        assert found.mean() == pytest.approx(area(scaled, (0.0, 0.0)), abs=4.0 * error)

    def test_where_all_is_known_no_reading_tells_anything_whatever_the_directions(self):
        at = {"capacity_mAh_g": [[100.0, 150.0, 135.0]], "porosity": [[0.1, 0.3, 0.18]]}
        values = {n: np.repeat(v, 256, axis=0) for n, v in at.items()}
        told, _ = fixed(TWO, values, np.ones(3, bool))
        sd = {"capacity_mAh_g": np.full(3, 2.0), "porosity": np.full(3, 0.01)}
        known, noise = told.averaged(values, sd), told.noise(values, sd, np.random.default_rng(0))
        assert known.shape == (256, 3) and np.ptp(known, axis=0).max() == 0.0
        by_direction = told(values, sd)
        error = 4.0 * by_direction.std(axis=0) / np.sqrt(256)
        assert (np.abs(known.mean(axis=0) - by_direction.mean(axis=0)) < error).all()
        assert acquisition.knowledge(known, noise).max() < 1e-12 < noise.min()
        assert stopping.expected_gain(known, known[:, :2], noise[:2]) < 1e-6

    def test_gain_of_a_dominated_setting_is_nothing_and_of_one_beyond_the_front_is_something(self):
        at = {"capacity_mAh_g": [[100.0, 150.0, 120.0, 140.0]], "porosity": [[0.1, 0.3, 0.3, 0.15]]}
        values = {n: np.repeat(v, 500, axis=0) for n, v in at.items()}
        told, sd = fixed(TWO, values, np.array([True, True, False, False]))
        state = np.array([1, 1, 0, 0])
        gains = acquisition.gains(told(values, sd), state)
        assert gains[2] == 0.0 and gains[3] > 0.0

    def test_a_draw_that_breaks_a_requirement_is_worth_no_more_than_the_worst(self):
        given = goals(maximize="a", require=["retention >= 0.9"])
        values = {"a": np.array([[1.0, 5.0], [2.0, 6.0]]),
                  "retention": np.array([[0.95, 0.8], [0.95, 0.95]])}
        told, sd = fixed(given, values)
        assert told(values, sd).tolist() == [[1.0, 1.5], [2.0, 6.0]]
        assert worth.kept(given, values).tolist() == [True, False]
        assert worth.chances(given, values)["retention >= 0.9"].tolist() == [1.0, 0.5]

    def test_a_reading_tells_something_of_a_setting_whose_mean_breaks_a_requirement(self):
        given = goals(maximize="a", require=["b >= 0"])
        rng = np.random.default_rng(0)
        values = {"a": 10.0 + rng.normal(size=(2000, 1)), "b": rng.normal(size=(2000, 1)) - 1.0}
        sd = {"a": np.full(1, 3.0), "b": np.full(1, 0.1)}
        told = worth.worth(given, values, sd, np.random.default_rng(0))
        holds = (values["b"] >= 0).mean()
        found = told.noise(values, sd, np.random.default_rng(1))
        assert 0.8 * 3.0 * np.sqrt(holds) < found[0] < 1.5 * 3.0 * np.sqrt(holds)

    def test_reproducible_beats_best_where_it_is_asked_for(self):
        values = {"a": np.array([[10.0, 11.0]])}
        sd = {"a": np.array([0.5, 3.0])}
        for k, first in ((0.0, 1), (1.0, 0)):
            given = goals(maximize="a", robust=k)
            told = worth.worth(given, values, sd, np.random.default_rng(0))
            assert told(values, sd)[0].argmax() == first

    def test_a_target_is_best_where_it_is_met(self):
        values = {"viscosity_Pa_s": np.array([[0.1, 0.44, 0.9]])}
        told, sd = fixed(goals(target={"viscosity_Pa_s": 0.45}), values)
        assert told(values, sd)[0].argmax() == 1

    def test_desirability_is_zero_as_soon_as_one_outcome_is_useless(self):
        wanted = [doe.Goal("a", "larger", 0.0, 1.0, 1.0), doe.Goal("b", "smaller", 0.0, 1.0, 3.0)]
        values = {"a": np.array([[0.5, 1.0]]), "b": np.array([[0.5, 1.0]])}
        told, sd = fixed(goals(wanted=wanted), values)
        np.testing.assert_allclose(told(values, sd), [[0.5, 0.0]])

    def test_robust_holds_for_a_target_among_desirabilities_too(self):
        wanted = [doe.Goal("a", "target", 0.0, 2.0, 1.0, target=1.0)]
        given = goals(wanted=wanted, robust=1.0)
        values, sd = {"a": np.array([[0.9, 1.1, 1.0, 1.0]])}, {"a": np.array([0.3, 0.3, 0.3, 0.0])}
        told = worth.worth(given, values, sd, np.random.default_rng(0))
        np.testing.assert_allclose(told(values, sd), [[0.6, 0.6, 0.7, 1.0]])

    def test_cost_turns_the_choice(self):
        values = np.array([[0.0, 1.0, 1.5]] * 4) + np.arange(4)[:, None] * [0.0, 0.3, 0.3]
        state, noise = np.array([1, 0, 0]), np.ones(3)
        for cost, first in (([1.0, 1.0, 1.0], 2), ([1.0, 1.0, 4.0], 1)):
            pick = acquisition.greedy(values, state, noise, 1, np.random.default_rng(0),
                                      weight=1.0 / np.array(cost))[0]
            assert pick.index == first


class TestLearning:
    def test_information_about_a_slope_is_the_exact_one(self):
        rng = np.random.default_rng(3)
        phi = rng.standard_normal((4000, 1))
        x, noise = np.array([0.0, 0.5, 2.0]), np.full(3, 0.7)
        values = phi * x
        found = learning.parameter_information(values, phi, noise)
        exact = 0.5 * np.log1p(phi.var() * x**2 / noise**2)
        np.testing.assert_allclose(found, exact, atol=0.01)

    def test_what_a_nuisance_moves_is_not_information(self):
        rng = np.random.default_rng(4)
        phi, other = rng.standard_normal((2, 4000, 1))
        values = np.concatenate([phi, other], axis=1)
        found = learning.parameter_information(values, phi, np.full(2, 0.1))
        assert found[0] > 2.0 and found[1] < 0.02

    def test_two_models_far_apart_are_told_apart_and_alike_ones_are_not(self):
        rng = np.random.default_rng(5)
        member = np.repeat([0, 1], 2000)
        values = rng.standard_normal((4000, 2)) * 0.1
        values[:, 1] += 10.0 * member
        found = learning.class_information(values, member, np.full(2, 0.1))
        assert found[0] < 0.01
        assert found[1] == pytest.approx(math.log(2.0), abs=0.01)

    def test_a_reading_of_what_one_has_just_read_tells_less(self):
        rng = np.random.default_rng(6)
        phi = rng.standard_normal((2000, 2))
        values = phi @ np.array([[1.0, 0.0], [0.0, 0.9]])
        noise = np.full(2, 0.3)

        def told(v, extra):
            return learning.parameter_information(v, extra, noise)

        picks = learning.greedy(values, phi, told, noise, np.ones(2, int), 4, rng,
                                np.ones(2, bool))
        assert [p.index for p in picks[:2]] == [0, 1]
        new = learning.greedy(values, phi, told, noise, np.array([0, 2]), 2, rng, np.ones(2, bool))
        assert new[0].index == 0  # the second is underway
        assert all(a.gain > b.gain - 0.15 for a, b in pairwise(picks))

    def test_deciding_asks_where_the_best_levels_are_in_doubt(self):
        rng = np.random.default_rng(7)
        mean = np.array([0.0, 3.0, 3.1])
        values = mean + rng.standard_normal((3000, 3)) * [1.0, 0.5, 0.5]
        level, noise = np.arange(3), np.full(3, 0.2)
        found = learning.class_information(values, learning.best_class(values, level), noise)
        assert found[0] < 0.25 * min(found[1:])

    def test_where_nothing_is_in_doubt_the_best_two_are_confirmed(self):
        rng = np.random.default_rng(8)
        values = np.array([0.0, 50.0, 30.0]) + rng.standard_normal((3000, 3)) * [3.0, 1.0, 1.5]
        level, noise = np.arange(3), np.ones(3)
        member = learning.best_class(values, level)
        assert learning.class_information(values, member, noise).max() == 0.0
        told = learning.confirmation(values, level, noise)
        assert told.argmax() == 2 and told[0] < 0.01
        # normal means: the share of Var(d) = 1 + 2.25 that a reading of the third takes away
        assert told[2] == pytest.approx(2.25**2 / (2.25 + 1.0) / 3.25, rel=0.15)
