"""What a new setting and a repeat are worth, and that picks of one batch differ."""

import numpy as np
import pytest
from scipy.stats import norm
from ssbayes.doe import acquisition


def normals(means, sds, seed=0, draws=4096):
    z = np.random.default_rng(seed).standard_normal((draws, len(means)))
    return np.asarray(means) + np.asarray(sds) * z


NOTHING = np.zeros((4096, 0))


def choose(new, tried, n, underway=NOTHING, noise=1.0, repeats=True):
    """Picks; indices of new settings come first, then those tried, then those underway."""
    parts = [new, tried, underway]
    sizes = [p.shape[1] for p in parts]
    state = np.repeat([acquisition.NEW, acquisition.TRIED, acquisition.UNDERWAY], sizes)
    legal = np.repeat([True, repeats, False], sizes)
    return acquisition.greedy(
        np.concatenate(parts, axis=1), state, np.full(len(state), noise), n,
        np.random.default_rng(0), legal,
    )  # fmt: skip


def test_improvement_is_the_closed_form():
    new = normals([1.0, -2.0], [2.0, 3.0])
    u = np.array([1.0 / 2.0, -2.0 / 3.0])
    expected = np.array([2.0, 3.0]) * (u * norm.cdf(u) + norm.pdf(u))
    error = 3.5 * np.maximum(new, 0.0).std(axis=0) / 64.0
    assert np.all(np.abs(acquisition.improvement(new, np.zeros(4096)) - expected) < error)


def test_knowledge_of_two_settings_is_the_closed_form():
    tried = normals([0.0, 0.5], [2.0, 0.0])
    noise = np.array([1.0, 1.0])
    rise = 4.0 / np.sqrt(5.0)
    expected = rise * (norm.pdf(0.5 / rise) - 0.5 / rise * norm.cdf(-0.5 / rise))
    found = acquisition.knowledge(tried, noise)
    assert found[0] == pytest.approx(expected, rel=0.08)
    assert found[1] == pytest.approx(0.0, abs=1e-12)


def test_more_noise_makes_a_repeat_worth_less():
    tried = normals([0.0, 0.0], [1.0, 1.0])
    worth = [acquisition.knowledge(tried, np.full(2, s)).max() for s in (0.1, 1.0, 10.0)]
    assert worth[0] > worth[1] > worth[2] > 0.0


def test_a_batch_takes_each_promising_region_once():
    """Ten copies of one promise are one promise: the second pick is the other region."""
    one, other = normals([1.0], [2.0], seed=1), normals([0.5], [2.0], seed=2)
    new = np.concatenate([np.repeat(one, 10, axis=1), other], axis=1)
    new = new + 1e-3 * normals(np.zeros(11), np.ones(11), seed=3)
    picks = choose(new, normals([0.0], [0.1]), 2)
    assert picks[0].index < 10
    assert picks[1].index == 10
    assert picks[0].gain > picks[1].gain


def test_settings_underway_repel_their_like():
    one, other = normals([1.0], [2.0], seed=1), normals([0.5], [2.0], seed=2)
    new, tried = np.concatenate([one, other], axis=1), normals([0.0], [0.1])
    assert choose(new, tried, 1)[0].index == 0
    assert choose(new, tried, 1, underway=one + 1e-3)[0].index == 1


def test_four_picks_are_four_settings():
    picks = choose(normals(np.zeros(6), np.ones(6)), normals([1.0], [0.1]), 4)
    assert len({(p.repeat, p.index) for p in picks}) == 4


def test_where_nothing_is_new_the_contenders_are_repeated():
    tried = normals([10.0, 9.5, 0.0], [1.0, 1.0, 1.0])
    picks = choose(NOTHING, tried, 4, noise=2.0)
    assert all(p.repeat for p in picks)
    assert {p.index for p in picks} == {0, 1}


def test_a_repeat_gives_way_to_a_promising_new_setting():
    tried = normals([1.0, 1.0], [1.0, 1.0])
    assert not choose(normals([3.0], [1.0], seed=4), tried, 1)[0].repeat
    assert choose(normals([-9.0], [1.0], seed=4), tried, 1)[0].repeat


def test_settings_that_may_not_be_picked_are_not():
    tried = normals([1.0, 1.0], [1.0, 1.0])
    picks = choose(normals([-9.0, -9.0], [1.0, 1.0], seed=4), tried, 2, repeats=False)
    assert {p.index for p in picks} == {0, 1}
    with pytest.raises(ValueError, match="no setting may be picked"):
        choose(NOTHING, tried, 1, repeats=False)


def test_a_space_smaller_than_the_batch_is_filled_by_the_best_again():
    picks = choose(normals([2.0, 1.0], [0.1, 0.1]), NOTHING, 5)
    assert [p.index for p in picks] == [0, 1, 0, 1, 0]
    assert [p.repeat for p in picks] == [False, False, True, True, True]


def test_with_nothing_tried_the_best_expected_comes_first():
    picks = choose(normals([0.0, 3.0, 2.9], [1.0, 0.5, 0.5]), NOTHING, 2)
    assert picks[0].index == 1
    assert picks[1].index == 2


def test_where_all_must_come_again_what_is_underway_comes_last():
    tried, waiting = normals(np.linspace(1.0, 1.01, 20), np.ones(20)), normals([5.0], [0.1], seed=1)
    state = np.repeat([acquisition.TRIED, acquisition.UNDERWAY], [20, 1])
    picks = acquisition.greedy(np.concatenate([tried, waiting], axis=1), state, np.ones(21), 3,
                               np.random.default_rng(0))
    assert all(p.index < 20 for p in picks)
