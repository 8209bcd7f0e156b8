"""Ordered categories: probabilities, ranks and draws of the cumulative logit."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit
from ssbayes.models.engine import ordinal

STEPS = [0.7, 1.5, 1.1, 0.9, 1.0, 1.3]
CUTS = ordinal.cuts_from(STEPS, 5.0)


def probabilities(location, scale, cuts=CUTS, categories=5):
    return np.exp([ordinal.log_probability(float(k), location, scale, cuts)
                   for k in range(1, categories + 1)])


def test_cuts_in_use_rise_with_the_given_steps_about_zero_and_the_others_are_out_of_reach():
    used = np.array(CUTS[:4], dtype=float)
    np.testing.assert_allclose(np.diff(used), STEPS[:3])
    assert used.mean() == pytest.approx(0.0)
    assert (np.array(CUTS[4:]) == ordinal.FAR).all()
    assert len(CUTS) == ordinal.MOST - 1 == len(STEPS) + 1


@pytest.mark.parametrize("location", [-30.0, -1.0, 0.3, 4.0])
def test_probabilities_are_differences_of_logistics_and_sum_to_one(location):
    found = probabilities(location, 1.4)
    tails = np.concatenate([[0.0], expit((np.array(CUTS[:4]) - location) / 1.4), [1.0]])
    np.testing.assert_allclose(found, np.diff(tails), rtol=1e-9, atol=1e-15)
    assert found.sum() == pytest.approx(1.0)


def test_far_from_a_category_its_log_probability_stays_finite_and_falls_linearly():
    far, farther = (float(ordinal.log_probability(5.0, -x, 1.0, CUTS)) for x in (200.0, 300.0))
    assert np.isfinite(farther) and far - farther == pytest.approx(100.0)


def test_moments_are_those_of_the_probabilities():
    location = np.array([-2.0, 0.0, 1.7])
    found = probabilities(location, 0.8)
    mean, sd = ordinal.moments(location, 0.8, CUTS)
    rank = np.arange(1, 6)[:, None]
    np.testing.assert_allclose(mean, (found * rank).sum(axis=0))
    np.testing.assert_allclose(sd**2, (found * (rank - mean) ** 2).sum(axis=0))


def test_draws_have_these_probabilities():
    rng = np.random.default_rng(4)
    drawn = ordinal.draw(np.full(20_000, 0.4), 1.2, CUTS, rng)
    counts = np.bincount(drawn.astype(int), minlength=6)[1:]
    assert stats.chisquare(counts, 20_000 * probabilities(0.4, 1.2)).pvalue > 1e-3


def test_only_the_order_of_the_values_that_were_seen_enters():
    plain, known = ordinal.ranks(np.array([2.0, 5.0, 1.0, 2.0]), "grade")
    assert plain.tolist() == [2, 3, 1, 2] and known == [1, 2, 5]
    other, _ = ordinal.ranks(np.array([-3.0, 90.0, -7.0, -3.0]), "grade")
    assert other.tolist() == plain.tolist()


def test_too_many_categories_are_refused_with_the_mend():
    with pytest.raises(ValueError, match="coarser scale"):
        ordinal.ranks(np.arange(30.0), "grade")


def test_a_third_kind_of_readings_is_still_unknown():
    from ssbayes.models.engine.inputs import Inputs, Registry

    x = Inputs(Registry(slots={}, overrides={}), "m")
    with pytest.raises(ValueError, match="Normal, StudentT, LogNormal, Ordered"):
        x.observe("grade", "Poisson", mu=0.0, sigma=1.0)
