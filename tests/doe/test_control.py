"""Control recipes: limits that know blocks from cells, changes with their probability, bridges."""

# pyright: reportCallIssue=false, reportArgumentType=false, reportAttributeAccessIssue=false
# pyright: reportGeneralTypeIssues=false, reportIndexIssue=false, reportOperatorIssue=false
# pyright: reportReturnType=false, reportOptionalMemberAccess=false

import numpy as np
import pandas as pd
import pytest
from ssbayes import doe

RECIPE = {"rpm": 500.0}


def cells(blocks=10, per=2, block_sd=2.0, cell_sd=1.0, shift=0.0, seed=0):
    rng = np.random.default_rng(seed)
    block = np.repeat(np.arange(blocks), per)
    y = 150.0 + block_sd * rng.standard_normal(blocks)[block]
    y = y + cell_sd * rng.standard_normal(len(block)) + shift * (block >= blocks // 2)
    return pd.DataFrame({"kind": "simulated", "batch": [f"b{k}" for k in block], "rpm": 500.0,
                         "q": y, "operator": np.where(block % 2, "x", "y")})


def test_a_new_block_falls_outside_its_limits_as_rarely_as_they_say():
    # limits of 90 %: one block in ten lies outside, with four blocks or with eight
    rng, outside = np.random.default_rng(1), []
    for seed in range(24):
        sds = np.abs(rng.standard_normal(2)) * (2.0, 1.0)
        rows = cells(5 if seed % 2 else 8, 2, *sds, seed=seed)
        chart = doe.control_chart(rows, "q", block_sd=2.0, cell_sd=1.0, limits=0.9)
        outside += list(chart.table["out"] != "")
    assert 0.05 < np.mean(outside) < 0.15


def test_cells_of_one_block_do_not_narrow_the_limits():
    few, many = (doe.control_chart(cells(per=p), "q", block_sd=2.0, cell_sd=1.0).table
                 for p in (2, 30))
    width = [float((t["high"] - t["low"]).mean()) for t in (few, many)]
    assert width[1] > 0.6 * width[0]


def test_more_blocks_narrow_the_limits_to_those_of_a_known_process():
    rows = cells(blocks=60, per=1, block_sd=2.0, cell_sd=0.5, seed=3)
    chart = doe.control_chart(rows, "q", block_sd=2.0, cell_sd=0.5)
    width = float((chart.table["high"] - chart.table["low"]).mean())
    assert width == pytest.approx(6.0 * np.hypot(2.0, 0.5), rel=0.25)


def test_a_step_is_found_and_placed_and_a_steady_laboratory_is_called_steady():
    moved = doe.control_chart(cells(shift=12.0), "q", RECIPE).change
    assert moved.at["steady", "probability"] < 0.05
    assert moved.at["step", "at"] == "b5"
    assert moved.at["step", "low"] < 12.0 < moved.at["step", "high"]
    steady = doe.control_chart(cells(), "q", RECIPE, change=10.0).change
    assert steady.at["steady", "probability"] > 0.6
    assert steady["probability"].sum() == pytest.approx(1.0)


def test_probability_of_a_change_is_right_as_often_as_it_says():
    rng, said, true = np.random.default_rng(5), [], []
    for seed in range(50):
        change = seed % 2 == 1
        rows = cells(8, 2, *(np.abs(rng.standard_normal(2)) * (2.0, 1.0)), seed=seed)
        at = np.repeat(np.arange(8), 2)
        if change and rng.random() < 0.5:
            rows["q"] += 6.0 * rng.standard_normal() * at / 7.0
        elif change:
            rows["q"] += 6.0 * rng.standard_normal() * (at >= rng.integers(1, 8))
        found = doe.control_chart(rows, "q", block_sd=2.0, cell_sd=1.0, change=6.0).change
        said.append(1.0 - found.at["steady", "probability"])
        true.append(change)
    said, true = np.array(said), np.array(true, dtype=float)
    spread = np.sqrt((said * (1.0 - said)).sum())
    assert abs((said - true).sum()) < 3.0 * spread
    assert said[true == 1].mean() > said[true == 0].mean() + 0.2


def test_the_weighted_mean_sees_a_slow_drift_before_single_blocks_do():
    rows = cells(blocks=16, block_sd=0.5, cell_sd=0.5, seed=2)
    rows["q"] += 0.2 * np.repeat(np.arange(16), 2)
    table = doe.control_chart(rows, "q", block_sd=0.5, cell_sd=0.5).table
    assert (table["ewma_out"] != "").sum() > (table["out"] != "").sum()


def test_readings_of_other_recipes_and_failures_are_left_out():
    rows = cells()
    other = rows.assign(rpm=700.0, q=0.0)
    failed = rows.assign(q=0.0, status="failed", reason="short circuit")
    whole = pd.concat([rows.assign(status="done"), other, failed], ignore_index=True)
    pd.testing.assert_frame_equal(
        doe.control_chart(whole, "q", RECIPE).table, doe.control_chart(rows, "q").table)


def test_a_scale_in_another_unit_is_doubted():
    rows = cells()
    said = [doe.control_chart(rows, "q", block_sd=s, cell_sd=1.0).notes for s in (2e-3, 2.0)]
    said += [doe.bridge(rows, "q", between="operator", block_sd=s, cell_sd=1.0).notes
             for s in (2e-3, 2.0)]
    doubted = [[n for n in notes if n.startswith("block_sd=0.002, but")] for notes in said]
    assert [len(d) for d in doubted] == [1, 0, 1, 0]


class TestBridge:
    def test_offset_is_right_as_often_as_it_says(self):
        rng, held = np.random.default_rng(0), []
        for seed in range(120):
            rows = cells(6, 2, *(np.abs(rng.standard_normal(2)) * (2.0, 1.0)), seed=seed)
            rows.loc[rows["operator"] == "x", "q"] += 5.0
            found = doe.bridge(rows, "q", RECIPE, between="operator", reference="y",
                               block_sd=2.0, cell_sd=1.0).table.loc["x"]
            held.append(found["low"] <= 5.0 <= found["high"])
        assert 0.82 <= np.mean(held) <= 0.97

    def test_applied_it_takes_the_offset_off_and_says_how_unsure_it_is(self):
        rows = cells(8, 2, 0.3, 0.3)
        rows.loc[rows["operator"] == "x", "q"] += 5.0
        found = doe.bridge(rows, "q", between="operator", reference="y")
        moved = found.apply(rows)
        means = moved.groupby("operator")["q"].mean()
        assert means["x"] == pytest.approx(means["y"], abs=0.05)
        assert (moved.loc[moved["operator"] == "y", "q_offset_sd"] == 0.0).all()
        assert (moved.loc[moved["operator"] == "x", "q_offset_sd"] > 0.0).all()

    def test_too_few_control_cells_are_said_and_not_applied(self):
        rows = cells()
        one = rows.assign(operator="z", batch="c1").head(1)
        none = rows.assign(operator="w", rpm=700.0).head(2)
        found = doe.bridge(pd.concat([rows, one, none], ignore_index=True), "q", RECIPE,
                           between="operator")
        assert not found.table.at["z", "usable"]
        assert np.isnan(found.table.at["w", "offset"])
        assert any("w: no control cell" in n for n in found.notes)
        for part, said in ((one, "'z' has 1 control cells"), (none, "'w' has 0 control cells")):
            with pytest.raises(doe.CampaignError, match=said):
                found.apply(part)

    def test_one_group_is_nothing_to_bridge(self):
        with pytest.raises(doe.CampaignError, match="nothing to bridge"):
            doe.bridge(cells().assign(operator="x"), "q", between="operator")


class TestCampaign:
    SPACE = doe.Space([doe.Real("rpm", 200, 1000)])

    def test_the_recipe_is_kept_and_does_not_change_suggestions(self, tmp_path):
        told = []
        for name, recipe in (("a", None), ("b", {"rpm": 500.0})):
            campaign = doe.Campaign(self.SPACE, maximize="capacity_mAh_g",
                                    store=tmp_path / f"{name}.db", seed=1)
            if recipe:
                assert campaign.control(recipe) == recipe
                campaign.control(recipe)
                assert doe.Campaign.open(tmp_path / f"{name}.db").control() == recipe
                assert (campaign.history()["kind"] == "note").sum() == 1
            told.append(campaign.suggest(4)["rpm"].tolist())
        assert told[0] == told[1]

    def test_chart_of_recorded_control_cells(self):
        campaign = doe.Campaign(self.SPACE, maximize="capacity_mAh_g", seed=1)
        with pytest.raises(doe.CampaignError, match="no control recipe"):
            campaign.chart()
        campaign.control({"rpm": 500.0})
        rows = cells().drop(columns="operator").rename(columns={"q": "capacity_mAh_g"})
        rows["cell"] = [f"c{k}" for k in range(len(rows))]
        campaign.record(rows)
        assert len(campaign.chart().table) == 10

    def test_cells_at_other_constants_or_of_another_study_are_not_in_the_chart(self):
        campaign = doe.Campaign(self.SPACE, maximize="capacity_mAh_g", seed=1,
                                fixed={"c_rate": 0.1})  # fmt: skip
        campaign.control({"rpm": 500.0})
        rows = cells().drop(columns="operator").rename(columns={"q": "capacity_mAh_g"})
        rows["cell"] = [f"c{k}" for k in range(len(rows))]
        fast = rows.assign(c_rate=1.0, capacity_mAh_g=100.0)
        paper = rows.assign(study="a paper", capacity_mAh_g=50.0)
        campaign.record(pd.concat([rows.assign(c_rate=0.1), fast, paper], ignore_index=True))
        alone = doe.control_chart(rows, "capacity_mAh_g")
        pd.testing.assert_frame_equal(campaign.chart().table, alone.table)

    def test_where_all_cells_name_a_study_all_are_in_the_chart(self):
        campaign = doe.Campaign(self.SPACE, maximize="capacity_mAh_g", seed=1)
        campaign.control({"rpm": 500.0})
        rows = cells().drop(columns="operator").rename(columns={"q": "capacity_mAh_g"})
        campaign.record(rows.assign(study="ours", cell=[f"c{k}" for k in range(len(rows))]))
        assert len(campaign.chart().table) == 10

    def test_a_recipe_outside_the_space_is_refused(self):
        campaign = doe.Campaign(self.SPACE, maximize="capacity_mAh_g", seed=1)
        with pytest.raises(doe.CampaignError, match="outside the space"):
            campaign.control({"rpm": 5000.0})


@pytest.mark.parametrize(("given", "said"), [
    ({"recipe": {"rpm": 9.0}}, "no row is of the control recipe"),
    ({"recipe": {"rmp": 9.0}}, "did you mean 'rpm'"),
    ({"block": "day"}, "'day' is no column"),
    ({"smoothing": 0.0}, "smoothing=0.0"), ({"block_sd": -1.0}, "block_sd=-1.0 must be above 0"),
    ({"level": 90}, "level=90 must lie between 0 and 1"), ({"limits": 3}, "limits=3 must lie"),
])
def test_bad_input(given, said):
    with pytest.raises(doe.CampaignError, match=said):
        doe.control_chart(cells(), "q", **given)


def test_two_blocks_are_no_chart():
    with pytest.raises(doe.CampaignError, match="needs 3"):
        doe.control_chart(cells(blocks=2), "q")
