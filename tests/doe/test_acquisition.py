"""What a new setting and a repeat are worth, and that picks of one batch differ."""

# pyright: reportArgumentType=false

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from ssbayes import doe
from ssbayes.doe import acquisition, pool, reasons
from ssbayes.doe.goals import goals


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


def test_a_weight_counts_from_the_second_pick_where_nothing_was_known_before():
    values = normals([3.0, 2.8, 2.7], [0.1, 1.0, 0.9])
    picks = acquisition.greedy(
        values, np.zeros(3, dtype=int), np.ones(3), 2, np.random.default_rng(0),
        weight=np.array([1.0, 0.01, 1.0]),
    )  # fmt: skip
    assert [p.index for p in picks] == [0, 2]


def test_the_gain_is_told_whatever_it_costs():
    values = normals([0.0, 1.0, 0.9], [0.1, 1.0, 1.0])
    state = np.array([acquisition.TRIED, acquisition.NEW, acquisition.NEW])
    plain, priced = (
        acquisition.greedy(values, state, np.ones(3), 1, np.random.default_rng(0), weight=weight)[0]
        for weight in (None, np.array([1.0, 0.01, 0.02]))
    )
    assert (plain.index, priced.index) == (1, 2)
    found = acquisition.gains(values, state)
    assert plain.gain == pytest.approx(found[1]) and priced.gain == pytest.approx(found[2])


def test_no_repeat_is_better_than_the_best_that_is_read_again_already():
    """Two middling settings rival each other, but neither the best, which is underway again."""
    values = normals([9.0, 0.0, 0.0], [0.1, 1.0, 1.0])
    state = np.array([acquisition.UNDERWAY, acquisition.TRIED, acquisition.TRIED])
    alone = acquisition.greedy(values, state, np.ones(3), 1, np.random.default_rng(0))
    among = acquisition.greedy(values, state, np.ones(3), 1, np.random.default_rng(0),
                               read=np.arange(3))
    assert alone[0].gain > 0.1 and among[0].gain < 1e-6


class Known:
    """Stands in for what is believed: mean x, sd 0.1 (of 6: 1), one reading's sd 0.2."""

    beliefs = {"y": None}  # noqa: RUF012
    first = SimpleNamespace(physical=0)
    tried = pd.DataFrame({"x": [5.0, 2.0], "readings": [1, 1]})

    def values(self, settings):
        z = np.random.default_rng(0).standard_normal((256, 7))
        at = settings["x"].to_numpy().astype(int)
        return {"y": at + np.where(at == 6, 1.0, 0.1) * z[:, at]}

    def sd(self, settings):
        return {"y": np.full(len(settings), 0.2)}


def test_the_best_tried_stays_the_best_tried_while_it_is_read_again():
    space, rng = doe.Space([doe.Choice("x", [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])]), np.random.default_rng
    again = pd.DataFrame({"x": [5.0]})
    found = [pool.listed(space, Known(), again.head(k), goals(maximize="y"), rng(0), None)
             for k in (0, 1)]
    new = [int(np.flatnonzero(p.settings["x"] == 6.0)[0]) for p in found]
    said = [reasons.told([acquisition.Pick(k, False, 0.1)], p)[0]
            for k, p in zip(new, found, strict=True)]
    assert "expected 1" in said[0] and said[0] == said[1]
    at, draws = found[1].read(rng(0))
    assert sorted(found[1].settings["x"].iloc[at]) == [2.0, 5.0]
    sd = dict(zip(found[1].settings["x"].iloc[at], draws.std(axis=0), strict=True))
    assert sd[5.0] == pytest.approx(1 / np.sqrt(1 / 0.1**2 + 1 / 0.2**2), rel=0.1)
    assert sd[2.0] > 0.09


def test_repeats_picked_for_earlier_runs_are_not_worth_the_same_again():
    space, rng = doe.Space([doe.Choice("x", [2.0, 5.0])]), np.random.default_rng
    made = pool.listed(space, Known(), None, goals(maximize="y"), rng(0), None)
    one = int(np.flatnonzero(made.settings["x"] == 5.0)[0])
    spread = [made.read(rng(0), [acquisition.Pick(one, True, 0.0)] * k)[1] for k in range(3)]
    where = list(np.flatnonzero(made.known)).index(one)
    sds = [draws[:, where].std() for draws in spread]
    assert sds[0] > 1.05 * sds[1] > 1.05**2 * sds[2]
