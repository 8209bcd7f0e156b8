"""Criteria as objectives: quality index, desirability, Pareto front, studies, agglomerates."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from ssbayes import data, doe, models
from ssbayes.data.quality_criteria import criteria
from ssbayes.models import agglomerates, desirability, quality
from ssbayes.models.desirability import Goal

# --- quality index

Z = {"porosity": 0.8, "homogeneity_SE": 1.5, "contact_CC_CC": -0.5}
WEIGHTS = {"porosity": 2.0, "homogeneity_SE": 1.0, "contact_CC_CC": 0.5}


def test_the_index_adds_weighted_criteria_with_their_sign():
    assert quality.quality_index(Z, WEIGHTS) == pytest.approx(-1.6 + 1.5 - 0.25)
    assert quality.quality_index(Z, WEIGHTS, towards="ionic") == pytest.approx(-1.6 + 1.5)
    assert quality.quality_index(Z, WEIGHTS, towards="electronic") == pytest.approx(-1.6 - 0.25)
    many = {name: np.full((3, 2), z) for name, z in Z.items()}
    assert quality.quality_index(many, WEIGHTS).shape == (3, 2)


def test_where_a_sign_was_printed_plays_no_part_in_the_index():
    table: Any = criteria()
    apart = table.copy()
    apart["merged"] = [() for _ in range(len(apart))]
    assert table["merged"].ne(apart["merged"]).any()
    assert quality.quality_index(Z, WEIGHTS, table=apart) == quality.quality_index(Z, WEIGHTS)


@pytest.mark.parametrize(("z", "weights", "message"), [
    (Z, {"porosity": 1.0}, "Weights are yours"),
    ({"porosity": 1.0}, WEIGHTS, "Weights are yours"),
    ({"softness": 1.0}, {"softness": 1.0}, "'softness' is no criterion"),
    (Z, {**WEIGHTS, "porosity": -1.0}, "not below 0"),
])
def test_an_index_without_the_users_weights_is_refused(z, weights, message):
    with pytest.raises(ValueError, match=message):
        quality.quality_index(z, weights)


# --- desirability


def test_single_desirabilities_reach_their_ends():
    y = np.array([0.0, 1.0, 2.0, 3.0, 9.0])
    np.testing.assert_allclose(desirability.larger(y, 1.0, 3.0), [0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(desirability.smaller(y, 1.0, 3.0), [1, 1, 0.5, 0, 0])
    np.testing.assert_allclose(desirability.on_target(y, 0.0, 2.0, 4.0), [0, 0.5, 1, 0.5, 0])
    np.testing.assert_allclose(desirability.larger(y, 1.0, 3.0, 2.0), [0, 0, 0.25, 1, 1])


def test_the_overall_one_is_a_weighted_geometric_mean_and_zero_if_one_is():
    values = {"porosity": np.array([[0.2, 0.1, 0.5]]), "grade": np.array([[3.0, 1.0, 4.0]])}
    goals = [Goal("porosity", "smaller", 0.1, 0.4, weight=3.0),
             Goal("grade", "larger", 1.0, 4.0, weight=1.0)]
    found = desirability.desirability(values, goals)
    assert found.draws[0, 0] == pytest.approx((2 / 3) ** 0.75 * (2 / 3) ** 0.25)
    assert found.draws[0, 1] == 0 and found.draws[0, 2] == 0
    assert found.weights == {"porosity": 0.75, "grade": 0.25}
    assert found.table["p_best"].tolist() == [1, 0, 0]
    assert found.table["p_useless"].tolist() == [0, 1, 1]


def test_weights_decide_and_only_their_ratio_counts():
    rng = np.random.default_rng(1)
    values = {"a": rng.normal([1.0, 0.5], 0.01, (400, 2)),
              "b": rng.normal([0.5, 1.0], 0.01, (400, 2))}

    def best(wa, wb):
        goals = [Goal("a", "larger", 0, 2, wa), Goal("b", "larger", 0, 2, wb)]
        return desirability.desirability(values, goals).table["p_best"].tolist()[0]

    assert best(3, 1) == best(6, 2) == 1.0 and best(1, 3) == 0.0
    assert 0.3 < best(1, 1) < 0.7


@pytest.mark.parametrize(("goal", "message"), [
    (lambda: Goal("a", "biggest", 0, 1, 1), "none of larger, smaller, target"),
    (lambda: Goal("a", "larger", 1, 1, 1), "must be below"),
    (lambda: Goal("a", "larger", 0, np.inf, 1), "must be below"),
    (lambda: Goal("a", "larger", 0, 1, 0), "above 0"),
    (lambda: Goal("a", "target", 0, 1, 1), "a target belongs"),
    (lambda: Goal("a", "target", 0, 1, 1, target=2), "must lie between"),
    (lambda: desirability.desirability({"a": np.ones((2, 2))}, []), "there is no goal"),
    (lambda: desirability.desirability({"a": np.ones((2, 2))}, [Goal("b", "larger", 0, 1, 1)]),
     "no values of 'b'"),
    (lambda: desirability.desirability({"a": np.ones(2)}, [Goal("a", "larger", 0, 1, 1)]),
     "draws x settings"),
])
def test_goals_that_cannot_be_are_refused(goal, message):
    with pytest.raises(ValueError, match=message):
        goal()


def test_a_goal_has_no_weight_unless_given():
    with pytest.raises(TypeError, match="weight"):
        Goal("a", "larger", 0.0, 1.0)  # type: ignore[call-arg]


# --- Pareto front


def test_dominated_points_are_found_and_equal_ones_do_not_dominate_each_other():
    points = np.array([[1.0, 3.0], [2.0, 2.0], [1.0, 2.0], [2.0, 2.0], [3.0, 0.0]])
    assert desirability.not_dominated(points).tolist() == [True, True, False, True, True]


def test_the_front_uses_the_directions_of_the_criteria_and_its_probability():
    rng = np.random.default_rng(2)
    values = {"porosity": rng.normal([0.2, 0.3, 0.3], 0.01, (2000, 3)),
              "homogeneity_SE": rng.normal([1.0, 1.0, 2.0], 0.3, (2000, 3))}
    front = desirability.pareto(values)
    assert front.table["on_front"].tolist()[0] and front.table["on_front"].tolist()[2]
    chance = front.table["p_not_dominated"].tolist()
    exact = [np.mean([desirability.not_dominated(np.array([[-p, h] for p, h in zip(
        values["porosity"][k], values["homogeneity_SE"][k], strict=True)]))[s]
        for k in range(300)]) for s in range(3)]
    np.testing.assert_allclose(chance, exact, atol=0.1)
    assert chance[0] == pytest.approx(1.0, abs=0.01) and chance[1] < 0.5
    turned = desirability.pareto(values, {"porosity": 1})
    assert turned.table["p_not_dominated"].tolist()[0] < 0.6
    assert "of 3 settings are on the front" in front.sentence
    with pytest.raises(ValueError, match="'energy' has no direction"):
        desirability.pareto({"energy": np.ones((2, 2))})


# --- studies


def test_a_route_is_judged_by_all_criteria_and_a_parameter_may_be_by_one():
    assert quality.Study("route").criteria == data.columns.CRITERIA
    one = quality.Study("parameter", varied="milling_min", criteria="homogeneity_SE")
    assert one.criteria == ("homogeneity_SE",) and one.varied == ("milling_min",)
    assert "one aspect" in one.advice()
    some = quality.Study("process", ["milling_min", "rpm"], ["porosity", "contact_SE_SE"])
    assert some.criteria == ("porosity", "contact_SE_SE")
    assert "fine tuning" in some.advice() and "all criteria" in quality.Study("route").advice()


@pytest.mark.parametrize(("declare", "message"), [
    (lambda: quality.Study("plant"), "none of the three"),
    (lambda: quality.Study("route", criteria=["poros"]), "did you mean 'porosity'"),
    (lambda: quality.Study("route", criteria=["porosity"] * 2), "each once"),
    (lambda: quality.Study("route", criteria=[]), "one criterion or more"),
    (lambda: quality.Study("parameter", ["rpm", "milling_min"]), "scope='process'"),
    (lambda: quality.Study("parameter", criteria="porosity").campaign("contact_SE_SE"),
     "no criterion of this study"),
])
def test_a_study_that_cannot_be_is_refused(declare, message):
    with pytest.raises(ValueError, match=message):
        declare()


def test_what_is_quick_and_well_measurable_comes_first_and_contacts_of_carbon_last():
    plan = quality.Study("route").plan()
    assert plan["criterion"].iloc[0] == "porosity" and plan["methods"].iloc[0] == ("VMM",)
    assert set(plan["criterion"].iloc[-2:]) == {"contact_CC_CAM", "contact_CC_CC"}
    assert plan["measurable"].tolist() == [True] * 6 + [False] * 2
    assert all("MIP" not in methods for methods in plan["methods"])
    short = {name for name, m in zip(plan["criterion"], plan["short_list_methods"], strict=True)
             if m == ("MIP",)}
    assert len(short) == 6


def test_fulfilment_counts_draws_that_meet_the_users_limits():
    study = quality.Study("process", criteria=["porosity", "homogeneity_SE"])
    values = {"porosity": np.array([[0.1, 0.3], [0.3, 0.3]]),
              "homogeneity_SE": np.array([[3.0, 4.0], [3.0, 4.0]])}
    table = study.evaluate(values, {"porosity": 0.2, "homogeneity_SE": 4.0})
    assert table["porosity"].tolist() == [0.5, 0.0]
    assert table["homogeneity_SE"].tolist() == [0.0, 1.0]
    assert table["all"].tolist() == [0.0, 0.0]
    assert table["lacking"].tolist() == ["homogeneity_SE", "porosity"]
    with pytest.raises(ValueError, match="no entry in limits"):
        study.evaluate(values, {"porosity": 0.2})


def test_a_study_leads_to_a_campaign():
    study = quality.Study("parameter", varied="milling_min",
                          criteria=["homogeneity_SE", "porosity"])
    space = doe.Space([doe.Real("milling_min", 4, 128, log=True)])
    campaign = doe.Campaign(space, **study.campaign("homogeneity_SE"), initial=2, seed=1)
    offered = campaign.suggest(2)
    assert len(offered) == 2 and offered["milling_min"].between(4, 128).all()
    assert study.campaign()["minimize"] == "calendered_porosity"
    assert study.campaign("porosity", pressed=False)["minimize"] == "dry_porosity"
    doe.Campaign(space, **study.campaign(), initial=2, seed=1)


@pytest.mark.slow
def test_the_campaign_goes_on_from_graded_images():
    study = quality.Study("parameter", criteria="homogeneity_SE")
    space = doe.Space([doe.Real("milling_min", 4, 128, log=True)])
    campaign = doe.Campaign(space, **study.campaign(), seed=1)
    graded = [(4, (1, 1)), (16, (3, 4)), (64, (4, 3)), (128, (2, 1))]
    rows = [{"milling_min": t, "run": str(k), "batch": str(k), "image": str(i), "rater": "r1",
             "criterion": "homogeneity_SE", "compacted": 1.0, "grade": float(g)}
            for k, (t, grades) in enumerate(graded) for i, g in enumerate(grades)]
    campaign.record(pd.DataFrame(rows))
    offered = campaign.suggest(1)
    assert 4 <= float(offered["milling_min"].iloc[0]) <= 128
    best = campaign.best()
    assert 5 < float(np.ravel(best["milling_min"])[0]) < 128


# --- agglomerates


def test_agglomerates_are_delivered_ones_left_and_grown_ones():
    t = np.array([0.0, 5.0, 64.0, 1e4])
    found = agglomerates.agglomerates(t, 8.0, 0.1, 3.0, 0.02)
    assert found[0] == pytest.approx(8.0) and found[-1] == pytest.approx(3.0)
    np.testing.assert_allclose(found, agglomerates.delivered(t, 8.0, 0.1)
                               + agglomerates.grown(t, 3.0, 0.02))
    # Many at 2 min, fewer at 32, more again at 64: both causes together can do that.
    two, middle, long = agglomerates.agglomerates(np.array([2.0, 32.0, 64.0]), 8.0, 0.2, 3.0, 0.01)
    assert middle < long < two


def test_lots_at_one_time_differ_by_what_is_left_of_the_delivered():
    first, second = (agglomerates.agglomerates(32.0, brought, 0.05, 3.0, 0.02)
                     for brought in (8.0, 5.0))
    assert first - second == pytest.approx(3.0 * np.exp(-1.6))


def design(lots, times, copies):
    return pd.DataFrame([
        {"lot": lot, "milling_min": float(t), "run": f"{lot}{t}{c}", "image": str(i)}
        for lot in lots for t in times for c in range(copies) for i in range(5)])


@pytest.mark.parametrize(("table", "separable", "said"), [
    (design("A", (2, 32, 64), 1), False, "second electrolyte lot"),
    (design("A", (2, 32, 64), 4), False, "second electrolyte lot"),
    (design("AB", (32,), 2), False, "second mixing time"),
    (design("AB", (32, 64), 1), False, "repeated slurry"),
    (pd.concat([design("A", (2, 32), 2), design("B", (64, 90), 2)]), False, "both mixed"),
    (design("AB", (32, 64), 2), True, "can be told apart"),
])
def test_causes_are_separable_only_with_lots_crossed_with_times_and_repeated(
        table, separable, said):
    found = agglomerates.causes(table)
    assert found.separable is separable and said in found.sentence


def test_the_published_times_inform_fewer_directions_than_there_are_parameters():
    rank, count = agglomerates.information_rank([2.0, 32.0, 64.0], [0, 0, 0], [8.0], 0.1, 3.0, 0.02)
    assert rank < count == 4
    crossed = np.tile([2.0, 16.0, 32.0, 64.0], 2), np.repeat([0, 1], 4)
    rank, count = agglomerates.information_rank(*crossed, [8.0, 3.0], 0.1, 3.0, 0.02)
    assert rank == count == 5


def test_missing_columns_are_named():
    with pytest.raises(ValueError, match="'lot'"):
        agglomerates.causes(design("A", (2, 32), 1).drop(columns="lot"))
    with pytest.raises(ValueError, match="milling_min"):
        quality.units(pd.DataFrame({"run": ["a"]}))


def test_the_model_is_in_the_catalog():
    row = models.catalog().set_index("name").loc["quality"]
    assert "nothing published" in row["what"] and "grade" in row["outcomes"]
