"""Campaigns with other goals than one outcome: through the public calls, without physics."""

import re

import numpy as np
import pandas as pd
import pytest
from ssbayes import doe
from ssbayes.doe.goals import goals
from ssbayes.doe.propose import propose

SPACE = doe.Space([doe.Real("rpm", 200, 1000), doe.Real("milling_min", 5, 60)])
START = SPACE.sample(8, np.random.default_rng(3))


def measured(table):
    """Simulated: capacity rises with speed, porosity too; viscosity falls with time."""
    x = (table["rpm"] - 200.0) / 800.0
    t = (table["milling_min"] - 5.0) / 55.0
    return table.assign(
        kind="simulated", capacity_mAh_g=100.0 + 80.0 * x - 20.0 * t,
        porosity=0.1 + 0.2 * x**2, viscosity_Pa_s=1.0 - 0.8 * t)


def campaign(store=None, **wanted):
    made = doe.Campaign(SPACE, seed=4, store=store, **wanted)
    if made.results().empty:
        made.record(measured(START)[[*SPACE.names, "kind", *made.declaration.outcomes]])
    return made


def test_reasons_have_the_unit_of_an_outcome_of_ones_own():
    made = doe.Campaign(SPACE, seed=4, maximize="peel_force", unit="N/m")
    made.record(START.assign(kind="simulated", peel_force=START["rpm"] / 10.0))
    for reason in made.suggest(2)["reason"]:
        assert re.search(r"\d N/m", reason), reason


class TestSeveralOutcomes:
    def test_suggestions_spread_along_the_front_and_say_what_each_outcome_will_be(self):
        made = campaign(maximize="capacity_mAh_g", minimize="porosity")
        table = made.suggest(4)
        assert {"predicted_mean", "predicted_mean_porosity"} <= set(table)
        assert (table["milling_min"] < 30).sum() >= 3  # time only costs capacity
        assert np.ptp(table["rpm"]) > 200
        assert "front" in table["reason"].iloc[0]
        ranked = made.rank().table
        assert {"p_front", "predicted_mean_porosity"} <= set(ranked)

    def test_a_suggestion_is_done_when_every_outcome_is_read(self):
        made = campaign(maximize="capacity_mAh_g", minimize="porosity")
        table = made.suggest(1)
        name = table["suggestion"].iloc[0]
        made.record({"suggestion": name, "porosity": 0.2})
        assert made.suggestions().set_index("suggestion").loc[name, "state"] == "running"
        made.record({"suggestion": name, "capacity_mAh_g": 150.0})
        assert made.suggestions().set_index("suggestion").loc[name, "state"] == "done"

    def test_the_same_file_gives_the_same_answers(self, tmp_path):
        wanted = {"maximize": "capacity_mAh_g", "minimize": "porosity"}
        made = campaign(tmp_path / "two.db", **wanted)
        asked, ranked = made.suggest(2), made.rank().table
        again = doe.Campaign.open(tmp_path / "two.db")
        pd.testing.assert_frame_equal(again.suggest(2), asked)
        pd.testing.assert_frame_equal(again.rank().table, ranked)
        assert again.declaration.goals == made.declaration.goals
        with pytest.raises(doe.CampaignError, match="another campaign"):
            doe.Campaign(SPACE, seed=4, store=tmp_path / "two.db", maximize="capacity_mAh_g")

    def test_factors_in_another_order_are_the_same_campaign_and_the_same_answer(self, tmp_path):
        wanted = {"maximize": "capacity_mAh_g", "seed": 4, "store": tmp_path / "one.db"}
        made = doe.Campaign(SPACE, **wanted)
        made.record(measured(START)[[*SPACE.names, "kind", "capacity_mAh_g"]])
        made.suggest(1)
        turned = doe.Campaign(doe.Space(list(reversed(SPACE.factors))), **wanted)
        assert turned.space.names == SPACE.names
        pd.testing.assert_frame_equal(turned.rank().table, made.rank().table)
        pd.testing.assert_frame_equal(turned.suggest(2), made.suggest(2))

    def test_a_margin_among_several_outcomes_is_a_share_and_said_to_be(self):
        made = campaign(maximize="capacity_mAh_g", minimize="porosity")
        first, other = (dict(START.iloc[k]) for k in (0, 1))
        with pytest.raises(doe.CampaignError, match=r"equal_within=3: .*a share, such as 0\.02"):
            made.compare(first, other, equal_within=3.0)
        with pytest.raises(doe.CampaignError, match="within=3: with several outcomes"):
            made.progress(within=3.0)
        assert "that of the hypervolume" in made.compare(first, other, 0.02).sentence
        told = made.progress(within=0.02, n=1).table.set_index("what")["unit"]
        assert "hypervolume" in told["expected gain of the next batch"]

    def test_desirability_asks_where_all_limits_are_met(self):
        wanted = [doe.Goal("capacity_mAh_g", "larger", 110, 160, 1.0),
                  doe.Goal("porosity", "smaller", 0.12, 0.2, 1.0)]
        made = campaign(goals=wanted)
        table = made.suggest(2)
        assert (table["predicted_mean_porosity"] < 0.2).all()
        assert "desirability" in table["reason"].iloc[0]


class TestOneOutcome:
    def test_a_difference_is_that_of_a_and_b_whatever_is_better_and_however_robust(self):
        plain = campaign(minimize="capacity_mAh_g")
        sure = campaign(minimize="capacity_mAh_g", robust=0.01)
        value = measured(START)["capacity_mAh_g"]
        low, high = dict(START.loc[value.idxmin()]), dict(START.loc[value.idxmax()])
        one, other = plain.compare(low, high), sure.compare(low, high)
        assert one.difference < 0 and other.difference == pytest.approx(one.difference, rel=0.1)
        assert one.p_better > 0.9 and other.p_better > 0.9

    def test_a_level_that_is_no_probability_is_refused(self):
        made = campaign(maximize="capacity_mAh_g")
        for ask in (made.best, made.rank):
            with pytest.raises(doe.CampaignError, match="level=95 must lie between 0 and 1"):
                ask(level=95)

    def test_a_target_is_gone_for(self):
        made = campaign(target={"viscosity_Pa_s": 0.6})
        table = made.suggest(2)
        assert np.abs(table["predicted_mean"] - 0.6).max() < 0.1
        assert "to 0.6" in table["reason"].iloc[0]
        best = made.best("space")
        assert best["predicted_mean"] == pytest.approx(0.6, abs=0.05)

    def test_a_requirement_is_kept_by_suggestions_and_by_the_recommended_setting(self):
        made = campaign(maximize="capacity_mAh_g", require={"porosity <= 0.2": 0.9})
        table = made.suggest(2)
        assert (table["predicted_p_meets"] >= 0.45).all()
        for over in ("tried", "space"):
            best = made.best(over)
            x = (best["rpm"] - 200.0) / 800.0
            assert 0.1 + 0.2 * x**2 <= 0.205
            assert best["P(porosity <= 0.2)"] >= 0.9
        free = campaign(maximize="capacity_mAh_g").best("space")
        assert free["rpm"] > best["rpm"] + 100

    def test_an_uncertain_rule_is_kept_too(self):
        space = doe.Space(SPACE.factors, probable={"porosity <= 0.2": 0.9})
        made = doe.Campaign(space, maximize="capacity_mAh_g", seed=4)
        made.record(measured(START)[[*SPACE.names, "kind", "capacity_mAh_g", "porosity"]])
        for rpm in [*made.suggest(3)["rpm"], made.best("space")["rpm"]]:
            assert 0.1 + 0.2 * ((rpm - 200.0) / 800.0) ** 2 <= 0.21

    def test_an_uncertain_rule_that_nothing_keeps_is_told_with_what_it_reaches(self):
        space = doe.Space(SPACE.factors, probable={"porosity <= -5": 0.9})
        made = doe.Campaign(space, maximize="capacity_mAh_g", seed=4)
        made.record(measured(START)[[*SPACE.names, "kind", "capacity_mAh_g", "porosity"]])
        with pytest.raises(doe.DoeError, match=r"holds with P .* asked is 0.9\. Nearest: rpm = "):
            made.suggest(1)
        assert "No setting found keeps" in made.best("space").attrs["sentence"]

    def test_what_cannot_look_at_an_uncertain_rule_says_so(self):
        space = doe.Space(SPACE.factors, probable={"porosity <= 0.2": 0.9})
        said = "made without a look at .*'porosity <= 0.2' .P 0.9."
        for kind in ("sobol", "random", "box_behnken", "d_optimal"):
            if kind == "box_behnken":
                wide = doe.Space([*SPACE.factors, doe.Real("bead_mm", 1, 5)],
                                 probable=space.probable)
                made = doe.design(wide, kind)
            else:
                made = doe.design(space, kind, 4)
            assert re.search(said, made.attrs["notes"][-1])
        begun = doe.Campaign(space, maximize="capacity_mAh_g", seed=4).suggest(2)
        assert any(re.search(said, note) for note in begun.attrs["notes"])
        for strategy in ("random", "skopt"):
            with pytest.raises(doe.CampaignError, match=r"porosity <= 0\.2.*leave strategy= out"):
                doe.Campaign(space, maximize="capacity_mAh_g", strategy=strategy)

    def test_where_the_physics_tells_of_an_uncertain_rule_it_is_asked_from_the_first(self, calls):
        factors = [doe.Real("rpm", 200, 1000), doe.Real("milling_min", 5, 60, log=True)]
        fixed = {"c_rate": 0.1, "filling": 0.5, "bead_mm": 5.0}
        asked = []
        for probable in ({}, {"specific_energy_J_g <= 800": 0.9}):
            made = doe.Campaign(doe.Space(factors, probable=probable), fixed=fixed, seed=1,
                                maximize="capacity_mAh_g", model="capacity")
            made.suggest(2)
            asked.append([call.what for call in calls].count("propose"))
        assert asked == [0, 1]

    def test_the_optimum_that_progress_speaks_of_keeps_uncertain_rules(self):
        """Beyond the rule the outcome rises on: nothing there is to be reached."""
        found = []
        for probable in ({}, {"porosity <= 0.15": 0.9}):
            space = doe.Space(SPACE.factors, probable=probable)
            made = doe.Campaign(space, maximize="capacity_mAh_g", seed=4)
            rows = measured(START)[[*SPACE.names, "kind", "capacity_mAh_g", "porosity"]]
            made.record(rows[rows["porosity"] <= 0.2])
            found.append(made.progress(within=3.0).table["value"].iloc[1])
        assert found[1] > found[0]

    def test_gain_per_cost_keeps_to_cheap_settings(self):
        dear = campaign(maximize="porosity", cost="1 + 0.2 * milling_min").suggest(3)
        free = campaign(maximize="porosity").suggest(3)
        assert dear["milling_min"].mean() <= free["milling_min"].mean()
        with pytest.raises(doe.CampaignError, match="above 0"):
            campaign(maximize="porosity", cost="milling_min - 30")

    def test_deciding_compares_the_levels(self):
        space = doe.Space([doe.Choice("method", ["hand", "mill", "shake"]),
                           doe.Real("milling_min", 5, 60)])
        rng = np.random.default_rng(1)
        mean = {"hand": 100.0, "mill": 150.0, "shake": 151.0}
        table = pd.concat([space.sample(3, rng).assign(method=m) for m in mean])
        level = table["method"].map(mean)
        made = doe.Campaign(space, maximize="capacity_mAh_g", decide="method", seed=2)
        made.record(table.assign(capacity_mAh_g=level + rng.normal(0, 3, len(table))))
        asked = made.suggest(4)
        assert (asked["method"] != "hand").sum() >= 3 and asked["method"].iloc[0] != "hand"
        assert "which method is best" in asked["reason"].iloc[0]
        told = made.progress(within=0.1).table["what"]
        assert told.str.contains("contending method").any() and "its method" in told.iloc[-1]
        with pytest.raises(doe.CampaignError, match="continuous"):
            doe.Campaign(space, maximize="capacity_mAh_g", decide="milling_min")

    @pytest.mark.parametrize("wanted", [
        {"target": {"y": 150.0}}, {"maximize": "y", "require": {"porosity <= 0.5": 0.8}}])
    def test_levels_are_compared_by_what_is_wanted(self, wanted):
        """The press reads highest, too high for a target, and too porous for a limit."""
        space = doe.Space([doe.Choice("method", ["hand", "mill", "shake", "press"])])
        mean = {"hand": 100.0, "mill": 150.0, "shake": 151.0, "press": 200.0}
        rng = np.random.default_rng(1)
        table = pd.DataFrame({"method": list(mean) * 3})
        table["y"] = table["method"].map(mean) + rng.normal(0, 3, len(table))
        table["porosity"] = np.where(table["method"] == "press", 0.9, 0.1)
        table["porosity"] += rng.normal(0, 0.02, len(table))
        table["batch"] = [f"b{k}" for k in range(len(table))]
        asked = propose(space, table, objective="y", n=2, seed=2,
                        goals=goals(decide="method", **wanted))
        assert set(asked.settings["method"]) <= {"mill", "shake"}
        assert "nat" in asked.reason[0]

    def test_learning_needs_a_model_and_skopt_only_knows_one_outcome(self):
        with pytest.raises(doe.CampaignError, match="give the campaign a model"):
            campaign(maximize="capacity_mAh_g", learn="models")
        with pytest.raises(doe.CampaignError, match="leave strategy"):
            campaign(maximize="capacity_mAh_g", minimize="porosity", strategy="skopt")


def falling(noise=0.002):
    """Simulated: capacity rises with speed and retention falls; only 250 rpm keeps 0.958."""
    rpm = np.array([250.0, 300, 400, 500, 600, 700, 800, 900, 350, 650])
    table = pd.DataFrame({"rpm": rpm, "milling_min": [10.0, 20, 30, 40, 50, 15, 25, 35, 45, 55]})
    rng = np.random.default_rng(0)
    return table.assign(
        kind="simulated", capacity_mAh_g=100 + 0.1 * (rpm - 200) + rng.normal(0, 1, 10),
        retention=0.98 - 0.0003 * (rpm - 200) + rng.normal(0, noise, 10))


class TestRequirementsInRankings:
    """Whatever breaks a requirement comes behind whatever keeps it."""

    @pytest.fixture
    def kept(self):
        made = doe.Campaign(
            SPACE, maximize="capacity_mAh_g", require={"retention >= 0.958": 0.8}, seed=1)
        made.record(falling())
        return made

    def test_the_only_setting_that_keeps_it_is_ranked_first(self, kept):
        table = kept.rank().table
        assert table["rpm"].iloc[0] == 250 == kept.best()["rpm"]
        keeps = float(table["P(retention >= 0.958)"].iloc[0])
        assert keeps > 0.9
        assert table["p_best"].iloc[0] == pytest.approx(keeps, abs=0.02)
        assert table["p_best"].sum() == pytest.approx(1.0)
        assert (table["expected_regret"].iloc[1:] > table["expected_regret"].iloc[0]).all()

    def test_nothing_that_breaks_it_is_as_good(self, kept):
        said = kept.progress(within=3.0)
        assert said.equal == []
        value = said.table.set_index("what")["value"]
        assert value["P(the recommended setting is the best of those tried)"] > 0.9

    def test_it_is_better_than_one_of_more_capacity_that_breaks_it(self, kept):
        keeper, breaker = ({"rpm": r, "milling_min": t} for r, t in ((250, 10), (900, 35)))
        found = kept.compare(keeper, breaker, equal_within=3.0)
        assert found.p_better > 0.9 and found.p_equal < 0.05
        assert found.difference == pytest.approx(-65, abs=5)  # of the capacity alone
        assert "keeps every requirement" in found.sentence
        assert kept.compare(breaker, keeper).p_better == pytest.approx(
            1.0 - found.p_better, abs=0.05)  # of other draws


class TestComparisons:
    def test_two_of_several_outcomes_are_measured_on_the_front_of_all_tried(self):
        made = doe.Campaign(SPACE, maximize=["capacity_mAh_g", "retention"], seed=1)
        made.record(falling())
        first, other = ({"rpm": r, "milling_min": t} for r, t in ((600, 50), (700, 15)))
        ranked = made.rank().table.set_index("rpm")["p_best"]
        assert ranked[600] > 0.8 > 0.1 > ranked[700]
        assert made.compare(first, other).p_better > 0.9
        near = made.compare(first, {"rpm": 602, "milling_min": 50}, equal_within=0.05)
        assert near.p_equal > 0.95 and abs(near.high - near.low) < 0.05

    @pytest.mark.parametrize(("wanted", "what"), [
        ({"target": {"capacity_mAh_g": 140.0}}, "how close capacity_mAh_g is to 140"),
        ({"maximize": "capacity_mAh_g", "robust": 2.0},
         "capacity_mAh_g less 2 sd of the next cell"),
        ({"minimize": "capacity_mAh_g", "robust": 0.5},
         "capacity_mAh_g plus 0.5 sd of the next cell"),
    ])  # fmt: skip
    def test_the_sentence_says_of_what_the_difference_is(self, wanted, what):
        made = doe.Campaign(SPACE, seed=1, **wanted)
        made.record(falling()[[*SPACE.names, "kind", "capacity_mAh_g"]])
        pair = ({"rpm": r, "milling_min": t} for r, t in ((600, 50), (700, 15)))
        assert made.compare(*pair).sentence.endswith(f"The difference is that of {what}.")


def test_a_reason_says_how_well_the_mean_of_the_outcome_is_known():
    """Of a target the worth is the distance to it, of which less is known than of the mean."""
    made = doe.Campaign(SPACE, seed=1, target={"viscosity_Pa_s": 0.6})
    for cell in "ab":
        table = measured(START)[[*SPACE.names, "kind", "viscosity_Pa_s"]]
        made.record(table.assign(cell=cell, batch=[f"b{k}" for k in range(len(table))]))
    for row in made.suggest(3).to_dict("records"):
        told = re.search(r"known to \+/- ([\d.e-]+)|not sure here \(sd ([\d.e-]+)", row["reason"])
        if told:
            wide = (row["predicted_high"] - row["predicted_low"]) / 3.29
            assert float(told[1] or told[2]) == pytest.approx(wide, rel=0.35)


@pytest.mark.parametrize(("wanted", "message"), [
    ({"target": "visc"}, r"target='visc': .*write target=\{outcome: value\}"),
    ({"target": 0.45}, r"write target=\{outcome: value\}"),
    ({"goals": doe.Goal("visc", "larger", 0.0, 1.0, 1.0)}, r"write goals=\[\.\.\.\]"),
    ({"maximize": 3}, "maximize=3 must be a column name"),
    ({"maximize": "visc", "require": 3}, "require=3 is no list of rules"),
])  # fmt: skip
def test_slips_in_goals_are_named(wanted, message):
    with pytest.raises(doe.CampaignError, match=message):
        doe.Campaign(SPACE, unit="1", **wanted)


def test_numbers_out_of_a_table_are_numbers():
    made = goals(target={"visc": np.int64(3)}, robust=np.float32(1.0))
    assert (made.aims[0].target, made.robust) == (3.0, 1.0)


def test_slips_in_questions_are_named():
    made = campaign(maximize="capacity_mAh_g")
    one, other = ({"rpm": r, "milling_min": 20} for r in (300, 500))
    for ask, message in (
        (lambda: made.progress(within=None), "within=None must be above 0"),
        (lambda: made.progress(within=3, price="2"), "price='2' must be a number"),
        (lambda: made.progress(within=3, price=doe.Prices(run=1)), "price=.* must be a number"),
        (lambda: made.compare(one, other, equal_within="3"), "equal_within='3' must be a number"),
        (lambda: made.rank(level="0.9"), "level='0.9' must lie between 0 and 1"),
    ):
        with pytest.raises(doe.CampaignError, match=message):
            ask()


def test_a_share_is_said_without_a_unit():
    made = doe.Campaign(SPACE, seed=4, maximize="score", unit="1")
    made.record(START.assign(kind="simulated", score=START["rpm"] / 1000.0))
    said = made.progress(within=0.05, price=0.01).sentence
    assert re.search(r"experiments: [\d.e-]+; the recommended", said), said


@pytest.mark.parametrize("wanted", [
    {"maximize": "a"}, {"minimize": "a", "require": {"b >= 0.5": 0.9}, "robust": 1.0},
    {"target": {"a": 2.0}, "cost": "1 + rpm", "prices": doe.Prices(run=2.0)},
    {"maximize": ["a", "b"], "minimize": "c"}, {"maximize": "a", "decide": "rpm"},
    {"wanted": [doe.Goal("a", "larger", 0.0, 1.0, 2.0),
                doe.Goal("b", "target", 0.0, 2.0, 1.0, 1.0)]},
])  # fmt: skip
def test_keywords_declare_the_same_goals_again(wanted):
    made = goals(**wanted)
    said = made.keywords()
    said = {"wanted" if word == "goals" else word: given for word, given in said.items()}
    assert goals(**said) == made
