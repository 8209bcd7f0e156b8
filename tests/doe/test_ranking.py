"""Rankings state probabilities that are right as often as they say."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from ssbayes import doe


def test_probabilities_equal_a_count_by_hand():
    draws = {"a": [1.0, 5.0, 3.0, 4.0], "b": [2.0, 4.0, 2.0, 1.0], "c": [0.0, 0.0, 9.0, 0.0]}
    table = doe.rank(draws).table
    assert table.loc["a", "p_best"] == 0.5
    assert table.loc["b", "p_best"] == 0.25
    assert table.loc["c", "p_best"] == 0.25
    assert table.loc["a", "expected_rank"] == pytest.approx((2 + 1 + 2 + 1) / 4)
    assert table.loc["a", "expected_regret"] == pytest.approx((1 + 0 + 6 + 0) / 4)
    assert next(iter(table.index)) == "a"


def test_smallest_mirrors_largest(rng):
    draws = rng.normal(size=(200, 5))
    up = doe.rank(draws, best="largest").table.sort_index()
    down = doe.rank(-draws, best="smallest").table.sort_index()
    pd.testing.assert_frame_equal(up, down)


def test_probabilities_sum_to_one_and_three(rng):
    table = doe.rank(rng.normal(size=(300, 7))).table
    assert np.sum(table["p_best"]) == pytest.approx(1)
    assert np.sum(table["p_top3"]) == pytest.approx(3)
    assert np.sum(table["expected_rank"]) == pytest.approx(28)


def test_exact_ties_share():
    table = doe.rank({"a": [1.0, 1.0], "b": [1.0, 1.0], "c": [0.0, 0.0], "d": [0.0, 0.0]}).table
    assert table["p_best"].to_dict() == {"a": 0.5, "b": 0.5, "c": 0.0, "d": 0.0}
    assert table["p_top3"].to_dict() == {"a": 1.0, "b": 1.0, "c": 0.5, "d": 0.5}
    assert table.loc["c", "expected_rank"] == 3.5


def test_every_kind_of_draws_gives_the_same(rng):
    values = rng.normal(size=(50, 3))
    names = ["x", "y", "z"]
    array = xr.DataArray(values.T, dims=("setting", "draw"), coords={"setting": names})
    frame = pd.DataFrame(values, columns=names)
    mapping = {n: values[:, i] for i, n in enumerate(names)}
    expected = doe.rank(values, names=names).table
    for draws in (array, frame, mapping):
        pd.testing.assert_frame_equal(doe.rank(draws).table, expected)


def test_p_best_is_right_as_often_as_it_says(rng):
    """1,000 worlds: the item said to be best with mean probability p is best in a share p."""
    said, right = [], []
    for _ in range(1000):
        truth = rng.normal(0, 1, 4)
        reading = truth + rng.normal(0, 1, 4)
        draws = reading / 2 + rng.normal(0, np.sqrt(0.5), (400, 4))  # the exact posterior
        table = doe.rank(draws).table
        leader = table["p_best"].idxmax()
        said.append(table.loc[leader, "p_best"])
        right.append(leader == truth.argmax())
    error = np.sqrt(np.mean(said) * (1 - np.mean(said)) / 1000)
    assert np.mean(right) == pytest.approx(np.mean(said), abs=3 * error)


def test_compare_counts_and_equal_margin():
    result = doe.compare({"a": [1.0, 2.0, 3.0, 4.0], "b": [1.5, 2.0, 1.0, 1.0]}, "a", "b", 0.5)
    assert result.p_better == pytest.approx((0 + 0.5 + 1 + 1) / 4)
    assert result.p_equal == 0.5
    assert result.difference == pytest.approx(1.0)
    assert "equal within 0.5" in result.sentence
    assert result.table.loc[0, "p_equal"] == 0.5


def test_compare_uses_shared_draws(rng):
    shared = rng.normal(0, 100, 500)
    assert doe.compare({"a": shared + 1, "b": shared}, "a", "b").p_better == 1
    assert doe.compare({"a": shared + 1, "b": shared}, "a", "b", best="smallest").p_better == 0


def test_sentences_never_claim_certainty(rng):
    sentence = doe.compare({"a": np.ones(200), "b": np.zeros(200)}, "a", "b").sentence
    assert "above 0.995" in sentence


@pytest.mark.parametrize(
    ("draws", "options", "message"),
    [
        ({"a": [1.0], "b": [1.0, 2.0]}, {}, "not joint"),
        ({"a": [1.0, np.nan]}, {}, "draws of a are not all finite"),
        ({"a": ["x"]}, {}, "no number"),
        ([1.0, 2.0], {}, "need \\(draw, item\\)"),
        ({"a": [1.0]}, {"best": "larges"}, "did you mean 'largest'"),
        ({"a": [1.0]}, {"level": 90}, "between 0 and 1"),
        ({"a": [1.0]}, {"names": ["a", "b"]}, "2 names for 1 items"),
    ],
)
def test_bad_draws_say_what_is_wrong(draws, options, message):
    with pytest.raises(doe.CampaignError, match=message):
        doe.rank(draws, **options)


def test_compare_names_the_unknown_item():
    with pytest.raises(doe.CampaignError, match="did you mean 'hand'"):
        doe.compare({"hand": [1.0], "mill": [2.0]}, "hnad", "mill")
    with pytest.raises(doe.CampaignError, match="equal_within"):
        doe.compare({"hand": [1.0], "mill": [2.0]}, "hand", "mill", -1)


def test_a_name_with_markup_is_shown_as_it_was_written(rng):
    draws = rng.normal([2.0, 0.0], 0.1, size=(400, 2))
    names = ["<b>fine</b>", "coarse"]
    for made in (doe.rank(draws, names=names), doe.compare(draws, *names, names=names)):
        assert "<b>" not in made._repr_html_()
        assert "&lt;b&gt;fine" in made._repr_html_()


@pytest.mark.parametrize(("level", "said"), [(0.9, "90%"), (0.975, "97.5%"), (0.999, "99.9%")])
def test_a_level_is_said_as_it_was_given(rng, level, said):
    draws = rng.normal(size=(200, 2))
    assert f"({said} equal-tailed interval" in doe.rank(draws, level=level).sentence
    assert f"({said} equal-tailed interval" in doe.compare(draws, 0, 1, level=level).sentence
