"""Ready-made spaces start campaigns; unused factors are void, and runs share what is hard."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ssbayes import data, doe
from ssbayes.doe import conditional, designs, plots
from ssbayes.doe import factors as fac
from ssbayes.doe.declaration import declare, differences
from ssbayes.doe.propose import propose
from ssbayes.doe.readings import readings

SPACES = {
    "mechanofusion": doe.spaces.mechanofusion(),
    "without premix": doe.spaces.mechanofusion(premix=False),
    "polycrystalline": doe.spaces.mechanofusion(polycrystalline=True),
    "annealing": doe.spaces.annealing(),
    "whole range": doe.spaces.annealing(whole_range=True),
    "precursor": doe.spaces.annealing(precursor_wt_pct=(0.5, 3)),
    "slurry": doe.spaces.slurry(),
    "slurry, whole range": doe.spaces.slurry(whole_range=True),
}
CAPACITY = {"maximize": "composite_capacity_mAh_g", "fixed": {"c_rate": 1}}
WITHOUT = {"rpm": 10_000, "milling_min": 60, "electrolyte_parts": 20, "cb_parts": 0}


def mixing(**changes: Any) -> doe.Campaign:
    return doe.Campaign(doe.spaces.mechanofusion(), **{**CAPACITY, **changes})


# bounds and regions


@pytest.mark.parametrize("name", SPACES)
def test_what_leaves_a_ready_made_space_is_feasible(name, rng):
    space = SPACES[name]
    drawn = space.sample(300, rng)
    moved = space.neighbours(drawn.head(30), rng, 5, 0.1)
    for settings in (drawn, moved, designs.start(space, 6, seed=3), space.snap(moved)):
        assert space.feasible(settings).all()
        assert space.allowed(settings).all()


@pytest.mark.parametrize("name", SPACES)
def test_a_ready_made_space_round_trips_through_a_file(name):
    body = json.loads(json.dumps(SPACES[name].to_dict()))
    again = doe.Space.from_dict(body)
    assert again.to_dict() == SPACES[name].to_dict()
    assert repr(again) == repr(SPACES[name])


def test_the_published_points_are_inside():
    space = doe.spaces.mechanofusion()
    tried = pd.DataFrame(
        {
            "rpm": [1000, 2500, 10_000, 10_000, 10_000],
            "milling_min": [5, 30, 60, 60, 60],
            "electrolyte_parts": [20, 5, 20, 20, 1],
            "cb_parts": [3, 0.8, 0, 0.5, 0.2],
            "premix_rpm": [5000, 5000, 0, 5000, 5000],
            "premix_min": [10, 10, 0, 10, 10],
        }
    )
    assert space.feasible(tried).all()
    furnace = doe.spaces.annealing(whole_range=True)
    levels = {"anneal_degC": [25, 100, 200, 300, 400, 500, 700], "anneal_h": 1, "o2_fraction": 0.21}
    assert furnace.feasible(levels).all()


def test_more_carbon_than_a_shell_holds_is_refused():
    space = doe.spaces.mechanofusion(premix=False)
    point = {"rpm": 5000, "milling_min": 10, "electrolyte_parts": 5, "cb_parts": [1.0, 1.05]}
    assert space.feasible(point).tolist() == [True, False]


def test_known_bad_regions_are_allowed_and_told(calls):
    space = doe.spaces.mechanofusion(premix=False)
    said = space.remarks({**WITHOUT, "rpm": [2000, 5000], "cb_parts": [3.0, 0.5]})
    assert [text.split(":")[0] for text in said[0]] == [
        "rpm <= 2500",
        "cb_parts >= 0.05 * electrolyte_parts",
        "cb_parts >= 0.1 * electrolyte_parts",
    ]
    assert said[1] == []
    hot = {"anneal_degC": 400, "anneal_h": 5, "o2_fraction": 1}
    assert "coverage falls" in doe.spaces.annealing().remarks(hot)[0][0]
    campaign = doe.Campaign(
        doe.Space([doe.Real("rpm", 1000, 2000)], soft={"rpm <= 2500": "never coats"}), **CAPACITY
    )
    assert campaign.suggest(2).attrs["notes"] == ["s0001, s0002: rpm <= 2500: never coats"]


def test_polycrystals_bring_a_remark_of_their_own():
    fast = {**WITHOUT, "premix_rpm": 0, "premix_min": 0}
    assert doe.spaces.mechanofusion().remarks(fast) == [[]]
    assert "broke" in doe.spaces.mechanofusion(polycrystalline=True).remarks(fast)[0][0]


# square roots


def test_a_root_scale_spreads_small_amounts_and_reaches_zero(rng):
    space = doe.Space([doe.Real("cb_parts", 0, 3, step=0.05, sqrt=True)])
    drawn = space.sample(4000, rng)["cb_parts"]
    assert np.mean(drawn < 0.75) == pytest.approx(0.5, abs=0.04)
    # as the log scale does, the lowest level owns a whole step: 0.22 of 1.85 in roots
    assert np.mean(drawn == 0) == pytest.approx(0.12, abs=0.02)
    assert space.encode({"cb_parts": [0, 0.75, 3]}).ravel() == pytest.approx([0, 0.5, 1])
    assert space.snap({"cb_parts": [0.51, -1, 4]})["cb_parts"].tolist() == [0.5, 0, 3]


@pytest.mark.parametrize(
    ("factor", "text"),
    [
        (doe.Real("cb_parts", 0, 3, step=0.05, sqrt=True, hard=True), "cb_parts > 1"),
        (doe.Integer("n", 1, 9, sqrt=True, only_if="cb_parts > 0"), "n > 3"),
        (doe.Choice("additive", ["fibre", "black"], only_if="cb_parts > 0", hard=True), None),
    ],
)
def test_the_new_attributes_round_trip_and_old_ones_are_not_stored(factor, text):
    assert fac.from_dict(fac.to_dict(factor)) == factor
    plain = {"kind", "name", "low", "high", "log", "step", "unit"}
    assert set(fac.to_dict(doe.Real("rpm", 200, 1000))) == plain
    assert set(doe.spaces.milling().to_dict()) == {
        "factors", "constraints", "forbidden", "fixed", "derived"
    }  # fmt: skip


# factors with a condition


def test_premixing_is_void_exactly_without_carbon(rng):
    space = doe.spaces.mechanofusion()
    drawn = space.sample(2000, rng)
    moved = space.neighbours(drawn.head(100), rng, 10, 0.2)
    for settings in (drawn, moved):
        none = (settings["cb_parts"] == 0).to_numpy()
        assert 0.02 < none.mean() < 0.4
        for name in ("premix_rpm", "premix_min"):
            np.testing.assert_array_equal(settings[name] == 0, none)


def test_inconsistent_settings_are_refused_and_said():
    space = doe.spaces.mechanofusion()
    settings = pd.DataFrame(
        [
            {**WITHOUT, "premix_rpm": 5000, "premix_min": 0},
            {**WITHOUT, "cb_parts": 1, "premix_rpm": 0, "premix_min": 10},
        ]
    )
    assert not space.feasible(settings).any()
    assert space.objections(settings) == [
        "row 0: premix_rpm = 5000, but without cb_parts > 0 it is 0",
        "row 1: premix_rpm = 0, but with cb_parts > 0 it is in use",
    ]
    snapped = space.snap(settings)
    assert snapped["premix_rpm"].tolist()[0] == 0
    assert space.feasible(snapped).all()


def test_what_is_not_in_use_makes_no_distance():
    space = doe.spaces.mechanofusion()
    at = space.encode({**WITHOUT, "premix_rpm": 0, "premix_min": 0})
    assert at[0, 4:] == pytest.approx([0.5, 0.5])


def test_text_may_have_a_condition_too(rng):
    space = doe.Space(
        [
            doe.Choice("cb_parts", [0, 1]),
            doe.Choice("additive", ["fibre", "black"], only_if="cb_parts > 0"),
        ]
    )
    every = space.grid()
    assert every is not None
    assert every.to_numpy().tolist() == [[0.0, "none"], [1.0, "fibre"], [1.0, "black"]]
    assert space.encode(every)[0].tolist() == [0, 0, 0]
    assert set(space.sample(200, rng)["additive"]) == {"none", "fibre", "black"}
    assert len(set(space.neighbours(every, rng, 20)["additive"])) == 3


def test_results_without_carbon_need_no_premix(calls):
    campaign = mixing()
    done = campaign.record({**WITHOUT, "composite_capacity_mAh_g": 85.0})
    assert done[["premix_rpm", "premix_min"]].to_numpy().tolist() == [[0, 0]]
    with pytest.raises(data.TableError, match="premix_min"):
        campaign.record({**WITHOUT, "cb_parts": 1, "composite_capacity_mAh_g": 75.0})


def test_what_was_run_decides_what_was_in_use(calls):
    campaign = mixing(initial=12)
    asked = campaign.suggest(12)
    name = asked.loc[asked["cb_parts"] > 0, "suggestion"].iloc[0]
    done = campaign.record(
        {"suggestion": name, "cb_parts": 0, "composite_capacity_mAh_g": 85.0}, id="bench-1"
    )
    assert done[["premix_rpm", "premix_min"]].to_numpy().tolist() == [[0, 0]]
    assert any("suggested was" in note for note in done.attrs["notes"])
    assert not any("outside" in note for note in done.attrs["notes"])
    assert "premix" not in campaign.best().attrs["sentence"]


def test_weighed_contents_between_steps_are_no_departure_from_the_space(calls):
    campaign = mixing()
    ran = {**WITHOUT, "cb_parts": 0.487, "premix_rpm": 5000, "premix_min": 10}
    assert campaign.record({**ran, "composite_capacity_mAh_g": 99.0}).attrs["notes"] == []


# runs


def hard_values(space: doe.Space, table: pd.DataFrame) -> int:
    return len(table[space.hard].drop_duplicates())


@pytest.mark.parametrize("strategy", ["random", "skopt"])
def test_suggestions_of_one_batch_come_in_runs(strategy):
    campaign = mixing(strategy=strategy)
    asked: Any = campaign.suggest(8)
    assert hard_values(campaign.space, asked) == 2
    assert len(asked[campaign.space.names].drop_duplicates()) == 8
    campaign.record(asked.assign(composite_capacity_mAh_g=np.linspace(60, 95, 8)))
    more = campaign.suggest(4)
    assert hard_values(campaign.space, more) == 1
    assert len(set(more["milling_min"])) == 4
    assert more["reason"].str.contains("same run as s0009").tolist() == [False, True, True, True]


def test_samples_of_one_run_are_recorded_as_one_run_and_are_no_replicates(calls):
    campaign = mixing(initial=8)
    asked: Any = campaign.suggest(8)
    rows = campaign.record(asked.assign(composite_capacity_mAh_g=np.linspace(60, 95, 8)))
    first = rows["suggestion"].iloc[0]
    assert len(set(rows["run"])) == 2
    assert rows["run"].iloc[0] == first
    assert len(set(rows["batch"])) == 8
    found = readings(campaign.space, rows, "composite_capacity_mAh_g", {"c_rate": 1})
    assert len(set(found.batch)) == 2
    assert (found.batch >= 0).all()
    plain = readings(doe.spaces.mechanofusion().given({"c_rate": 1}), rows.drop(columns="run"),
                     "composite_capacity_mAh_g", {"c_rate": 1})  # fmt: skip
    assert (plain.batch == -1).all()


def test_a_sample_made_at_another_speed_is_a_run_of_its_own(calls):
    campaign = mixing(initial=4)
    campaign.suggest(4)
    for name, changes in (("s0001", {}), ("s0002", {"rpm": 4321}), ("s0003", {"run": "mine"})):
        done = campaign.record({"suggestion": name, **changes, "composite_capacity_mAh_g": 80.0})
        expected = {"s0001": "s0001", "s0002": "s0002", "s0003": "mine"}[name]
        assert done["run"].item() == expected


def test_our_strategy_fills_runs_and_keeps_the_rules():
    space = doe.spaces.mechanofusion()
    rows = space.sample(10, np.random.default_rng(1))
    rows = rows.assign(composite_capacity_mAh_g=np.linspace(60, 95, 10))
    asked = propose(space, rows, objective="composite_capacity_mAh_g", n=6, seed=2).settings
    assert space.feasible(asked).all()
    assert len(asked.drop_duplicates()) == 6
    sizes = asked.groupby(space.hard, sort=False).size().tolist()
    assert sizes == [4, 2]


def test_where_all_or_nothing_is_hard_there_are_no_runs():
    easy = doe.Space([doe.Real("x", 0, 1), doe.Real("y", 0, 1)])
    hard = doe.Space([doe.Real("x", 0, 1, hard=True), doe.Real("y", 0, 1, hard=True)])
    assert plots.size(easy, 4) == plots.size(hard, 4) == 1
    assert plots.size(doe.spaces.mechanofusion(), 9) == 4


def test_a_run_has_no_more_samples_than_it_has_easy_settings(rng):
    space = doe.Space([doe.Real("rpm", 200, 1000, hard=True), doe.Choice("bead_mm", [3, 5])])
    shared = plots.share(space, space.sample(4, rng), rng)
    assert len(shared.drop_duplicates()) == 4
    assert space.feasible(shared).all()
    assert shared["rpm"].value_counts().tolist() == [2, 2]


def test_a_run_moves_settings_that_a_rule_forbids_at_its_speed(rng):
    space = doe.Space(
        [doe.Real("rpm", 200, 1000, hard=True), doe.Real("milling_min", 5, 300, log=True)],
        forbidden=["rpm >= 800 and milling_min > 20"],
    )
    drawn = pd.DataFrame({"rpm": [900.0, 300, 300, 300], "milling_min": [10.0, 200, 100, 6]})
    shared = plots.share(space, drawn, rng)
    assert shared["rpm"].tolist() == [900.0] * 4
    assert space.feasible(shared).all()


def test_powders_share_a_furnace_run():
    space = SPACES["precursor"]
    assert space.hard == ["anneal_degC", "anneal_h", "o2_fraction"]
    assert len(set(designs.start(space, 4, seed=1)["precursor_wt_pct"])) == 4
    assert doe.spaces.annealing().hard == []


# declarations


def test_campaigns_of_ready_made_spaces_resume_and_differences_are_named(calls, tmp_path):
    first = mixing(store=tmp_path / "mix.db").suggest(4)
    pd.testing.assert_frame_equal(mixing(store=tmp_path / "mix.db").suggest(4), first)
    opened = doe.Campaign.open(tmp_path / "mix.db")
    pd.testing.assert_frame_equal(opened.suggest(4), first)
    with pytest.raises(doe.CampaignError, match="holds another campaign"):
        doe.Campaign(doe.spaces.mechanofusion(premix=False), store=tmp_path / "mix.db", **CAPACITY)


def test_a_change_in_what_is_hard_is_a_difference():
    soft, hard = (doe.Space([doe.Real("rpm", 200, 1000, hard=h), doe.Real("x", 0, 1)])
                  for h in (False, True))  # fmt: skip
    one, two = (declare(s, maximize="y_of_mine").to_dict() for s in (soft, hard))
    assert differences(one, one) == []
    assert differences(one, two) == ["space.factors.rpm.hard: the file has absent, now True"]


@pytest.mark.parametrize(
    ("space", "model", "goal", "fixed"),
    [
        (doe.spaces.mechanofusion(), "mechanofusion",
         {"maximize": "composite_capacity_mAh_g"}, {"c_rate": 1}),
        (doe.spaces.mechanofusion(premix=False), "mechanofusion",
         {"maximize": "composite_capacity_mAh_g"}, {"c_rate": 1}),
        (doe.spaces.annealing(), "annealing", {"minimize": "growth_ohm_cm2_sqrth"}, {}),
        (doe.spaces.annealing(precursor_wt_pct=(0.5, 3)), "annealing",
         {"minimize": "growth_ohm_cm2_sqrth"}, {}),
        (doe.spaces.milling(), "capacity", {"maximize": "capacity_mAh_g"},
         {"c_rate": 0.1, "filling": 0.5}),
    ],
)  # fmt: skip
def test_a_ready_made_space_gives_what_its_model_needs(space, model, goal, fixed):
    campaign = doe.Campaign(space, model=model, fixed=fixed, **goal)
    asked = campaign.suggest(4)
    assert space.feasible(asked).all()
    assert campaign.history()["what"].iloc[0] == "{} {}".format(*next(iter(goal.items())))


@pytest.mark.parametrize("name", doe.spaces.NAMES)
def test_named_spaces_need_no_argument(name):
    assert isinstance(getattr(doe.spaces, name)(), doe.Space)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: doe.Real("cb_parts", 0, 3, log=True, sqrt=True), "needs low above 0"),
        (lambda: doe.Real("cb_parts", 1, 3, log=True, sqrt=True), "two scales; keep one"),
        (lambda: doe.Real("x", -1, 3, sqrt=True), "sqrt=True needs low of 0 or more"),
        (lambda: doe.Real("x", 0, 3, only_if="y > 0"), "low must be above 0"),
        (lambda: doe.Real("anneal_degC", 200, 500, only_if="y > 0"), "outside the plausible"),
        (lambda: doe.Choice("a", ["none", "b"], only_if="y > 0"), "leave it out of the values"),
        (lambda: doe.Space([doe.Real("x", 1, 3, only_if="y > 0")]), "'y' is no factor here"),
        (
            lambda: doe.Space(
                [doe.Real("x", 1, 3, only_if="y > 0"), doe.Real("y", 1, 3, only_if="x > 0")]
            ),
            "which has a condition itself",
        ),
        (lambda: doe.Space([doe.Real("x", 0, 1)], per_run=4), "write hard=True"),
        (lambda: doe.Space([doe.Real("x", 0, 1, hard=True)], per_run=0), "whole number from 1"),
        (lambda: doe.Space([doe.Real("x", 0, 1)], soft={"y > 1": "bad"}), "'y' is no factor here"),
        (
            lambda: doe.spaces.annealing(precursor_wt_pct=(1.0,)),
            "one number or two bounds",
        ),
        (lambda: doe.Space([doe.Real("x", 0, 4, sqrt=True)]).encode({"x": -1}), "no square root"),
    ],
)
def test_bad_declarations_say_what_is_wrong(make, message):
    with pytest.raises(doe.DoeError) as caught:
        make()
    assert message in str(caught.value)


def test_gaps_of_unused_factors_are_filled_and_others_left():
    space = doe.spaces.mechanofusion()
    rows = pd.DataFrame({"cb_parts": [0.0, 1.0, None], "premix_min": [None] * 3}, dtype=object)
    filled = conditional.filled(space, rows)
    assert filled["premix_min"].tolist()[0] == 0
    assert filled["premix_min"].isna().tolist() == [False, True, True]
