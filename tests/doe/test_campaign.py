"""A campaign goes on where it stopped, loses nothing, and says what it cannot use."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from ssbayes import data, doe, models
from ssbayes.doe.store import ReadOnly, Store

DECLARED: dict[str, Any] = {
    "maximize": "capacity_mAh_g",
    "fixed": {"c_rate": 0.1, "filling": 0.5},
    "seed": 1,
}
HERE = Path(__file__).parent


def begin(store=None, **changes) -> doe.Campaign:
    return doe.Campaign(doe.spaces.milling(), store=store, **{**DECLARED, **changes})


def started(store=None, **changes) -> doe.Campaign:
    """A campaign whose four start settings have been measured."""
    campaign = begin(store, **changes)
    first: Any = campaign.suggest(4)
    campaign.record(first.assign(capacity_mAh_g=[150.0, 160.0, 140.0, 100.0]))
    return campaign


pytestmark = pytest.mark.usefixtures("calls")


# what to run next


def test_the_first_suggestions_fill_the_space_and_the_next_are_the_strategys(calls):
    campaign = begin()
    first: Any = campaign.suggest(4)
    assert list(first["suggestion"]) == ["s0001", "s0002", "s0003", "s0004"]
    assert first["reason"].str.startswith("start design").all()
    assert not calls
    campaign.record(first.assign(capacity_mAh_g=[150.0, 160.0, 140.0, 100.0]))
    after: Any = campaign.suggest(2)
    assert list(after["suggestion"]) == ["s0005", "s0006"]
    assert list(after["reason"]) == ["looks good"] * 2
    assert after["predicted_mean"].notna().all()
    assert after.attrs["notes"] == ["simulated strategy"]


def test_asked_again_the_same_suggestions_come_back_topped_up(tmp_path):
    campaign = started(tmp_path / "mill.db")
    two = campaign.suggest(2)
    again = begin(tmp_path / "mill.db").suggest(2)
    pd.testing.assert_frame_equal(two, again)
    four = campaign.suggest(4)
    pd.testing.assert_frame_equal(four.head(2), two)
    assert len(four) == 4
    assert len(campaign.suggest(1)) == 4


def test_equal_campaigns_suggest_the_same_in_any_file(tmp_path):
    one, two = started(tmp_path / "one.db"), started(tmp_path / "two.db")
    one.rank()  # what has been looked at does not count, what is known does
    pd.testing.assert_frame_equal(one.suggest(3), two.suggest(3))
    other = started(seed=2).suggest(3)
    assert not np.allclose(other["rpm"], one.suggest(3)["rpm"])


def test_the_strategy_is_told_of_open_dropped_and_failed_settings(calls):
    campaign = started()
    campaign.suggest(3)
    campaign.drop("s0005", reason="mill is away")
    campaign.record({"suggestion": "s0006", "status": "failed", "reason": "jar broke"})
    campaign.suggest(2)
    assert len(calls[-1].pending) == 3
    assert len(calls[-1].rows) == 4
    assert calls[-1].rows["filling"].tolist() == [0.5] * 4


def test_draws_of_a_fit_are_kept_for_the_same_data_and_no_longer(calls):
    campaign = started()
    campaign.suggest(1)
    assert calls[-1].kept is None
    campaign.suggest(2)
    kept: Any = calls[-1].kept
    assert kept["theta"].shape == (8,)
    campaign.rank()
    again: Any = calls[-1].kept
    assert again["theta"].tolist() == kept["theta"].tolist()
    campaign.record({"suggestion": "s0005", "capacity_mAh_g": 155.0})
    campaign.suggest(2)
    assert calls[-1].kept is None


def test_benches_get_suggestions_of_their_own(calls):
    campaign = started()
    a, b = campaign.suggest(2, by="a"), campaign.suggest(2, by="b")
    assert not set(a["suggestion"]) & set(b["suggestion"])
    assert len(calls[-1].pending) == 2
    pd.testing.assert_frame_equal(campaign.suggest(2, by="a"), a)
    assert len(campaign.suggest(1)) == 4


def test_a_start_design_of_any_size_and_none():
    assert len(begin(initial=2).suggest(3)) == 3
    campaign = begin(initial=0)
    campaign.record({"rpm": 600, "milling_min": 10, "bead_mm": 5, "capacity_mAh_g": 165.0})
    assert list(campaign.suggest(1)["reason"]) == ["looks good"]
    more = begin(initial=6)
    more.record({"rpm": 600, "milling_min": 10, "bead_mm": 5, "capacity_mAh_g": 165.0})
    told: Any = more.suggest(6)["reason"].str.startswith("start design")
    assert told.tolist() == [True] * 5 + [False]


# what came out


def test_a_sheet_filled_in_by_hand_is_recorded_and_the_rest_stays_open(tmp_path):
    campaign = begin()
    sheet = campaign.suggest(4)
    sheet["capacity_mAh_g"] = [150.0, None, 140.0, None]
    sheet["status"] = [None, None, None, "failed"]
    sheet.loc[3, "reason"] = "short circuit"
    sheet.to_csv(tmp_path / "sheet.csv", index=False)
    recorded = campaign.record(tmp_path / "sheet.csv")
    assert list(recorded["suggestion"]) == ["s0001", "s0003", "s0004"]
    assert recorded["batch"].tolist() == ["s0001", "s0003", "s0004"]
    assert recorded.attrs["notes"] == ["s0002: nothing measured yet, left open"]
    states = campaign.suggestions().set_index("suggestion")["state"].to_dict()
    assert states == {"s0001": "done", "s0002": "open", "s0003": "done", "s0004": "failed"}
    assert recorded["reason"].tolist() == [None, None, "short circuit"]


def test_what_was_really_run_counts_and_is_noted():
    campaign = begin()
    asked = campaign.suggest(1).iloc[0]
    recorded = campaign.record(
        {"suggestion": "s0001", "rpm": asked["rpm"] + 7, "capacity_mAh_g": 150.0}
    )
    assert recorded["rpm"].tolist() == [asked["rpm"] + 7]
    assert recorded["milling_min"].tolist() == [asked["milling_min"]]
    assert "s0001 was run with rpm" in recorded.attrs["notes"][0]


def test_settings_outside_the_space_are_kept_and_noted_but_never_recommended():
    campaign = begin()
    rows = {"rpm": [800, 250], "milling_min": [40, 6], "bead_mm": [3, 5],
            "capacity_mAh_g": [190.0, 165.0]}  # fmt: skip
    recorded = campaign.record(rows)
    assert "breaks forbidden" in recorded.attrs["notes"][0]
    ranking = campaign.rank()
    table: Any = ranking.table
    assert table["allowed"].tolist() == [False, True]
    assert "best of those allowed is 250 rpm, 6 milling_min, 5 bead_mm." in ranking.sentence
    best: Any = campaign.best()
    assert best["rpm"] == 250


def test_several_cells_and_conditions_of_one_suggestion(calls):
    campaign = begin()
    campaign.suggest(1)
    campaign.record(
        [{"suggestion": "s0001", "cell": c, "c_rate": r, "capacity_mAh_g": 150.0 - 9 * r}
         for c in ("c1", "c2") for r in (0.1, 1.0)]
    )  # fmt: skip
    assert len(campaign.results()) == 4
    table: Any = campaign.rank().table
    assert table["readings"].tolist() == [2]  # without physics, only the campaign's own rate counts
    assert len(calls[-1].rows) == 2


def test_a_partly_measured_suggestion_is_still_open():
    campaign = begin()
    campaign.suggest(1)
    campaign.record({"suggestion": "s0001", "specific_energy_J_g": 400.0})
    assert list(campaign.suggestions()["state"]) == ["running"]
    assert list(campaign.suggest(1)["suggestion"]) == ["s0001"]
    campaign.record({"suggestion": "s0001", "capacity_mAh_g": 150.0})
    assert list(campaign.suggestions()["state"]) == ["done"]


def test_a_reading_beside_the_objective_is_used_at_once(calls):
    """The model learns from the energy today, from the capacity next week."""
    campaign = begin(model=Toy())
    campaign.record({"rpm": 600, "milling_min": 10, "bead_mm": 5, "capacity_mAh_g": 150.0})
    campaign.suggest(1)
    campaign.record({"suggestion": "s0001", "specific_energy_J_g": 400.0})
    campaign.suggest(2)
    assert calls[-1].rows["specific_energy_J_g"].tolist()[-1] == 400.0
    assert np.isnan(calls[-1].rows["capacity_mAh_g"].iloc[-1])


def test_the_literature_is_recorded_as_it_is_and_only_its_readings_are_used(calls):
    campaign = begin()
    table: Any = data.load("frankenberg2025_milling")
    campaign.record(table)
    assert len(campaign.results()) == len(table)
    ranked: Any = campaign.rank().table
    measured = table["capacity_mAh_g"].notna() & (table["status"] == "done")
    assert ranked["readings"].sum() == measured.sum()
    assert calls[-1].rows["kind"].isin(["measured", "digitised"]).all()


def test_the_same_rows_again_are_refused_and_the_same_call_again_is_harmless(tmp_path):
    campaign = begin(tmp_path / "mill.db")
    sheet = campaign.suggest(2).assign(capacity_mAh_g=[150.0, 160.0])
    campaign.record(sheet, id="monday")
    before = len(campaign.history())
    campaign.record(sheet, id="monday")
    assert len(campaign.history()) == before
    with pytest.raises(data.TableError, match="the same in every cell as recorded row 0"):
        campaign.record(sheet)
    with pytest.raises(doe.CampaignError, match="names another record"):
        campaign.record(sheet.assign(capacity_mAh_g=[1.0, 2.0]), id="monday")


WRONG = [
    ({"suggestion": "s0009", "capacity_mAh_g": 1.0}, "the id of a suggestion"),
    ({"suggestion": "s001", "capacity_mAh_g": 1.0}, "did you mean 's0001'"),
    ({"suggestion": "s0001", "capacity_mAhg": 1.0}, "did you mean 'capacity_mAh_g'"),
    ({"suggestion": "s0001", "capacity_mAh_g": "high"}, "'high'"),
    ({"suggestion": "s0001", "capacity_mAh_g": -4.0}, "capacity_mAh_g"),
    ({"suggestion": "s0001", "milling_min": -4, "capacity_mAh_g": 1.0}, "milling_min"),
    ({"suggestion": "s0001", "capacity_mAh_g": 1.0, "porosity": 37.6}, "porosity"),
    ({"suggestion": "s0001"}, "nothing to record"),
    ({"suggestion": "s0001", "status": "failed"}, "why the experiment is failed"),
    ({"rpm": 600, "capacity_mAh_g": 1.0}, "milling_min"),
    ({"rpm": 600, "milling_min": 10, "bead_mm": 5}, "a reading, or status = failed"),
    ({"suggestion": ["s0001"] * 2, "cell": ["a", "a"], "capacity_mAh_g": [1.0, 2.0]}, "cell 'a'"),
    ({"suggestion": ["s0001"] * 2, "capacity_mAh_g": [1.0, 1.0]}, "a name of its own"),
    ({"suggestion": ["s0001"] * 2, "porosity": [0.2, 0.3]}, "belongs to the batch"),
    ("no_such_file.csv", "no_such_file.csv"),
    (7, "give a table"),
    ([1, 2], "one mapping a row"),
    ({"suggestion": ["s0001"], "capacity_mAh_g": [1.0, 2.0]}, "suggestion: 1, capacity_mAh_g: 2"),
    ([], "no rows"),
]


@pytest.mark.parametrize(("results", "message"), WRONG)
def test_bad_results_name_the_place_and_leave_the_file_as_it_was(tmp_path, results, message):
    campaign = begin(tmp_path / "mill.db")
    campaign.suggest(1)
    before = (tmp_path / "mill.db").read_bytes()
    with pytest.raises(ValueError) as caught:
        campaign.record(results)
    assert isinstance(caught.value, (data.TableError, doe.CampaignError))
    assert message in str(caught.value)
    assert (tmp_path / "mill.db").read_bytes() == before


def test_a_good_row_beside_a_bad_one_is_not_recorded():
    campaign = begin()
    sheet = campaign.suggest(2).assign(capacity_mAh_g=["150", "many"])
    with pytest.raises(data.TableError, match="many"):
        campaign.record(sheet)
    assert campaign.results().empty


def test_a_cell_measured_twice_is_found_across_records():
    campaign = begin()
    campaign.suggest(1)
    campaign.record({"suggestion": "s0001", "cell": "a", "capacity_mAh_g": 150.0})
    with pytest.raises(data.TableError, match="with what is recorded"):
        campaign.record({"suggestion": "s0001", "cell": "a", "capacity_mAh_g": 151.0})


def test_a_second_reading_of_a_suggestion_says_that_it_replaces_nothing():
    campaign = begin()
    campaign.suggest(1)
    first = campaign.record({"suggestion": "s0001", "capacity_mAh_g": 150.0})
    again = campaign.record({"suggestion": "s0001", "capacity_mAh_g": 160.0})
    named = campaign.record({"suggestion": "s0001", "cell": "c", "capacity_mAh_g": 155.0})
    assert not first.attrs["notes"] and not named.attrs["notes"]
    assert "s0001 had a reading before" in again.attrs["notes"][0]


def test_blanks_around_a_text_do_not_part_a_declaration_from_its_results():
    space = doe.Space([doe.Choice("powder", ["fine ", "very  coarse"], unit=""),
                       doe.Real("rpm", 200, 1000)])  # fmt: skip
    campaign = doe.Campaign(space, maximize="capacity_mAh_g", fixed={"mill": " P7 "}, seed=1)
    asked: Any = campaign.suggest(2)
    assert set(asked["powder"]) == {"fine", "very coarse"}
    done = campaign.record(asked.assign(capacity_mAh_g=[150.0, 160.0]))
    assert not done.attrs["notes"] and set(done["mill"]) == {"P7"}


def test_a_margin_typed_as_text_is_told():
    margin: Any = "1"
    with pytest.raises(doe.CampaignError, match="within='1' must be above 0"):
        started().progress(margin)


def test_a_constant_typed_as_text_is_the_number():
    campaign = begin(fixed={"c_rate": "0.1", "filling": 0.5, "study": 3})
    assert campaign.declaration.fixed == {"c_rate": 0.1, "filling": 0.5, "study": "3"}


def test_drop_names_what_it_cannot_drop():
    campaign = started()
    campaign.suggest(1)
    with pytest.raises(doe.CampaignError, match="'s0099' is no suggestion"):
        campaign.drop(["s0005", "s0099"])
    number: Any = 1
    with pytest.raises(doe.CampaignError, match="1 is no suggestion"):
        campaign.drop(number)
    with pytest.raises(doe.CampaignError, match="recorded already"):
        campaign.drop("s0001")
    campaign.drop("s0005", reason="no powder")
    campaign.drop("s0005")
    assert campaign.history()["what"].str.contains("dropped s0005: no powder").sum() == 1
    assert list(campaign.suggest(1)["suggestion"]) == ["s0006"]


def test_a_reading_typed_wrong_is_taken_back_and_stays_in_the_file(tmp_path):
    campaign = started(tmp_path / "mill.db")
    assert "s0002" in set(campaign.rank().table["suggestion"])
    gone = campaign.withdraw("s0002", reason="a digit too many")
    assert gone["capacity_mAh_g"].tolist() == [160.0]
    assert campaign.suggestions().set_index("suggestion").loc["s0002", "state"] == "open"
    assert campaign.results().index.tolist() == [0, 2, 3]
    assert "s0002" not in set(campaign.rank().table["suggestion"])
    campaign.record({"suggestion": "s0002", "capacity_mAh_g": 106.0})
    again = doe.Campaign.open(tmp_path / "mill.db")
    assert again.results().index.tolist() == [0, 2, 3, 4]
    assert again.rank().table["readings"].tolist() == [1, 1, 1, 1]
    assert again.history()["what"].str.contains("took back 1 row: a digit too many").sum() == 1
    assert again.withdraw([0, 4])["capacity_mAh_g"].tolist() == [150.0, 106.0]


def test_messages_after_a_withdrawal_name_rows_by_their_number():
    campaign = started()
    campaign.withdraw(0)
    again = {"suggestion": "s0004", "capacity_mAh_g": 100.0}
    with pytest.raises(data.TableError, match="the same in every cell as recorded row 3"):
        campaign.record(again)
    campaign.record({**again, "cell": "a"})
    with pytest.raises(data.TableError, match="recorded 4"):
        campaign.record({**again, "cell": "a", "capacity_mAh_g": 101.0})


def test_a_call_whose_rows_were_taken_back_says_so_when_it_is_repeated():
    campaign = begin()
    sheet = campaign.suggest(2).assign(capacity_mAh_g=[150.0, 160.0])
    campaign.record(sheet, id="monday")
    assert not campaign.record(sheet, id="monday").attrs["notes"]
    campaign.withdraw([0, 1])
    note = campaign.record(sheet, id="monday").attrs["notes"][0]
    assert note.startswith("rows 0, 1 recorded under this id and taken back since")
    assert campaign.results().empty
    campaign.record(sheet, id="tuesday")
    assert campaign.results().index.tolist() == [2, 3]


def test_control_cells_of_a_second_plan_are_a_block_of_their_own():
    campaign = begin()
    campaign.suggest(4)
    campaign.control({"rpm": 600, "milling_min": 10, "bead_mm": 5})

    def fill(table: Any, *, control: float, **readings: float) -> Any:
        table = table.copy()
        table["capacity_mAh_g"] = table["suggestion"].map(readings)
        own = table.index[table["role"] == "control"]
        table.loc[own[:1], "capacity_mAh_g"] = control
        return table

    first = campaign.plan().table
    assert "s0001" in set(first["suggestion"])
    monday = fill(first, control=150.0, s0002=140.0)
    one: Any = campaign.record(monday, id="monday")
    again: Any = fill(first, control=150.0, s0003=141.0)
    with pytest.raises(data.TableError, match="the same in every cell"):
        campaign.record(again)
    two: Any = campaign.record(fill(campaign.plan().table, control=151.0, s0001=142.0))
    named = [t.loc[t["suggestion"].isna(), "batch"].tolist() for t in (one, two)]
    assert named == [["control with s0001"], ["control with s0001 (2)"]]
    assert campaign.record(monday, id="monday")["batch"].tolist() == one["batch"].tolist()


@pytest.mark.parametrize(("rows", "says"), [
    ("s0099", "is no suggestion"), ("s0005", "no result that could be taken back"),
    (7, "no row 7"), (True, "neither the number of a row"), ([], "no row is named"),
])
def test_what_cannot_be_taken_back_is_named(rows, says):
    campaign = started()
    campaign.suggest(1)
    before = len(campaign.history())
    with pytest.raises(doe.CampaignError, match=says):
        campaign.withdraw(rows)
    assert len(campaign.history()) == before
    campaign.withdraw(3)
    with pytest.raises(doe.CampaignError, match="taken back already"):
        campaign.withdraw(3)


def test_a_copy_that_cannot_be_written_is_ranked_all_the_same(tmp_path, monkeypatch):
    path = tmp_path / "mill.db"
    table = started(path).rank().table
    started_fresh = tmp_path / "copy.db"
    campaign = started(started_fresh)

    def refuse(*_, **__):
        raise ReadOnly("copy.db cannot be written")

    monkeypatch.setattr(Store, "append", refuse)
    pd.testing.assert_frame_equal(campaign.rank().table, table)
    with pytest.raises(doe.DoeError, match="cannot be written"):
        campaign.suggest(1)


# how sure


def test_settings_that_differ_in_the_fifth_digit_are_compared_and_one_setting_is_not(calls):
    campaign = started()
    near = {**dict(campaign.suggestions().loc[0, campaign.space.names]), "rpm": 512.34}
    verdict = campaign.compare(near, {**near, "rpm": 512.31})
    assert "512.34" in verdict.sentence and "512.31" in verdict.sentence
    same = campaign.suggestions().loc[0, campaign.space.names].to_dict()
    with pytest.raises(doe.CampaignError, match="same setting"):
        campaign.compare("s0001", same)


def test_rank_recommend_and_compare_speak_of_the_same_draws(calls):
    campaign = started()
    table: Any = campaign.rank().table
    best: Any = campaign.best()
    assert best["predicted_mean"] == pytest.approx(table["predicted_mean"].max())
    assert best["p_best"] == pytest.approx(table["p_best"].iloc[0])
    assert best["predicted_low"] < best["predicted_mean"] < best["predicted_high"]
    assert table["p_best"].sum() == pytest.approx(1)
    a, b = table["suggestion"].iloc[[0, -1]]
    assert campaign.compare(a, b).p_better > 0.5
    count = len(calls)
    campaign.rank()
    campaign.best()
    campaign.compare(a, b, equal_within=3.0)
    assert len(calls) == count  # kept draws answered


def test_best_is_the_best_expected_mean_not_the_luckiest_reading():
    campaign = begin()
    middle, edge = {"rpm": 600, "milling_min": 38.7, "bead_mm": 3}, {"rpm": 250, "milling_min": 6}
    campaign.record([{**middle, "capacity_mAh_g": 150.0},
                     {**edge, "bead_mm": 5, "capacity_mAh_g": 180.0}])  # fmt: skip
    best: Any = campaign.best()
    assert best["rpm"] == 600


def test_what_the_belief_notes_reaches_answers_and_those_of_another_process(tmp_path, calls):
    campaign = started(tmp_path / "mill.db")
    for made in (campaign, doe.Campaign.open(tmp_path / "mill.db")):
        ranking = made.rank()
        assert ranking.notes == ranking.table.attrs["notes"] == ["simulated belief"]
        assert str(ranking).endswith("simulated belief")
        assert "<p>simulated belief</p>" in ranking._repr_html_()
        assert made.best().attrs["notes"] == ["simulated belief"]
        assert made.best(over="space").attrs["notes"] == ["simulated belief"]


def test_minimize_mirrors_maximize():
    campaign = started(maximize=None, minimize="capacity_mAh_g")
    table: Any = campaign.rank().table
    assert table["predicted_mean"].is_monotonic_increasing
    best: Any = campaign.best()
    assert best["predicted_mean"] == pytest.approx(table["predicted_mean"].iloc[0])


def test_the_best_of_the_space_keeps_every_rule_and_beats_what_was_tried(calls):
    campaign = started()
    best: Any = campaign.best(over="space")
    assert len({call.belief for call in calls}) == 1 < len(calls)  # one serves the whole search
    assert campaign.space.feasible(best[campaign.space.names]).all()
    assert best["predicted_mean"] > campaign.best()["predicted_mean"]
    assert 0.5 < best["p_best"] <= 1
    pd.testing.assert_series_equal(best, campaign.best(over="space"))


def test_nothing_measured_is_said_plainly():
    campaign = begin()
    for ask in (campaign.rank, campaign.best, lambda: campaign.best(over="space")):
        with pytest.raises(doe.CampaignError, match="record results first"):
            ask()
    with pytest.raises(doe.CampaignError, match="'s0001' is no suggestion"):
        campaign.compare("s0001", "s0002")


def test_kept_draws_answer_in_a_fresh_process_that_loads_no_engine(tmp_path):
    campaign = started(tmp_path / "mill.db")
    campaign.suggest(2)
    expected = campaign.rank().table["p_best"].tolist()
    script = (
        "import sys, json; from ssbayes import doe\n"
        f"c = doe.Campaign.open({str(tmp_path / 'mill.db')!r})\n"
        "c.suggest(2); c.best(); p = c.rank().table['p_best'].tolist()\n"
        "heavy = {'pymc', 'jax', 'nutpie', 'skopt', 'arviz', 'matplotlib'} & set(sys.modules)\n"
        "print(json.dumps([p, sorted(heavy)]))\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert json.loads(told.stdout) == [expected, []]


# declarations and files


def test_the_same_declaration_resumes_and_another_names_the_difference(tmp_path):
    path = tmp_path / "mill.db"
    started(path)
    assert len(begin(path).results()) == 4
    assert len(doe.Campaign.open(path).results()) == 4
    before = path.read_bytes()
    with pytest.raises(doe.CampaignError, match="seed: the file has 1, now 2"):
        begin(path, seed=2)
    with pytest.raises(doe.CampaignError, match=r"fixed\.c_rate: the file has 0\.1, now 1"):
        begin(path, fixed={"c_rate": 1, "filling": 0.5})
    other = doe.Space([doe.Real("rpm", 200, 900), *doe.spaces.milling().factors[1:]])
    with pytest.raises(doe.CampaignError, match=r"rpm\.high: the file has 1000"):
        doe.Campaign(other, store=path, **DECLARED)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"maximize": None}, "either maximize= or minimize="),
        ({"minimize": "capacity_mAh_g"}, "is aimed at twice"),
        ({"maximize": "rpm"}, "cannot be its outcome"),
        ({"maximize": "method"}, "is a text column"),
        ({"maximize": "predicted_mean"}, "kept for predictions"),
        ({"strategy": "bayse"}, "did you mean 'bayes'"),
        ({"seed": 1.5}, "seed=1.5"),
        ({"initial": -1}, "initial=-1"),
        ({"fixed": {"rpm": 600}}, "also given a value|also fixed"),
        ({"fixed": {"filling": 50}}, "filling"),
        ({"fixed": {"filling": [1, 2]}}, "one number or one text"),
        ({"fixed": 3}, "is no mapping"),
        ({"model": "capacty"}, "did you mean 'capacity'"),
        ({"model": 3}, "give a name of models.catalog"),
        ({"options": {"statements": object()}}, "that a file cannot"),
        ({"options": {"statement": True}}, "did you mean 'statements'"),
        ({"maximize": "capacity_mAhg"}, "write 'capacity_mAh_g', in mAh/g"),
        ({"maximize": "cb_wt_pct"}, "name the basis"),
        ({"unit": "Ah/kg"}, "capacity_mAh_g is in 'mAh/g'"),
        ({"unit": 3}, "must be a text"),
        ({"fixed": {"crate": 0.1}}, "write 'c_rate'"),
        ({"fixed": {"carbon_wt_pct": 3}}, "name the basis"),
    ],
)
def test_bad_declarations_say_what_is_wrong(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        begin(tmp_path / "mill.db", **changes)
    assert not (tmp_path / "mill.db").exists()


def test_a_model_names_what_it_needs_and_what_it_explains():
    needs: dict[str, Any] = {"maximize": "capacity_mAh_g", "model": "capacity"}
    space = doe.Space([doe.Real("rpm", 200, 1000)])
    with pytest.raises(doe.CampaignError, match=r"milling_min.*fixed="):
        doe.Campaign(space, **needs, fixed={"c_rate": 0.1})
    with pytest.raises(doe.CampaignError, match="outcome of the model"):
        begin(model="capacity", maximize="viscosity_Pa_s")


class Toy:
    """The least that a campaign asks of a model."""

    name = "toy"
    overrides: ClassVar[dict[str, Any]] = {}
    pooled = ()
    columns = pd.DataFrame(
        [("rpm", "factor", "1/min", True), ("c_rate", "factor", "1/h", True),
         ("capacity_mAh_g", "outcome", "mAh/g", False)],
        columns=["name", "role", "unit", "needed"],
    ).assign(level="row", meaning="")  # fmt: skip

    def fit(self, table, **options): ...


def test_with_a_model_rows_at_other_conditions_count_and_statements_when_told(calls):
    for statements in (False, True):
        campaign = begin(model=Toy(), options={"statements": statements})
        campaign.record(data.load("frankenberg2025_milling"))
        campaign.record(
            {"rpm": 600, "milling_min": 10, "bead_mm": 5, "c_rate": 1, "capacity_mAh_g": 99.0}
        )
        campaign.suggest(1)
        rows: Any = calls[-1].rows
        assert 1.0 in set(rows["c_rate"])
        assert ("statement" in set(rows["kind"])) == statements


def test_a_model_of_ones_own_is_given_again_when_its_file_is_opened(tmp_path):
    path = tmp_path / "mill.db"
    first = started(path, model=Toy())
    first.rank()
    again = doe.Campaign.open(path)
    assert again.rank().sentence == first.rank().sentence  # kept draws need no model
    with pytest.raises(doe.CampaignError, match=r"Campaign\.open\(path, model=\.\.\.\)"):
        again.suggest(1)
    own: Any = Toy()
    assert len(doe.Campaign.open(path, model=own).suggest(1)) == 1


def test_priors_set_by_the_user_are_declared_and_come_back(tmp_path):
    numbers = {
        "capacity.one": (1.0, 2.0),
        "capacity.two": models.Prior("Normal", (0.0, (1.0, 2.0))),
        "capacity.three": 4.0,
    }
    model = replace(models.get("capacity"), overrides=numbers)
    begin(tmp_path / "mill.db", model=model)
    opened = doe.Campaign.open(tmp_path / "mill.db").declaration.model
    assert opened is not None
    assert dict(opened.overrides) == numbers
    begin(tmp_path / "mill.db", model=model)
    with pytest.raises(doe.CampaignError, match=r"model\.priors"):
        begin(tmp_path / "mill.db", model="capacity")


def test_rules_may_use_the_campaigns_constants():
    space = doe.Space(doe.spaces.milling().factors, ["rpm * filling <= 300"])
    campaign = doe.Campaign(space, **DECLARED)
    assert np.max(campaign.suggest(4)["rpm"]) <= 600
    with pytest.raises(doe.SpaceError, match="no setting is feasible"):
        doe.Campaign(doe.Space(space.factors, ["rpm * filling <= 3"]), **DECLARED)


def test_history_tells_every_event(tmp_path):
    campaign = started(tmp_path / "mill.db")
    campaign.rank()
    kinds = list(campaign.history()["kind"])
    assert kinds == ["declare", "suggest", "record", "draws", "draws"]
    assert len(Store(tmp_path / "mill.db").read()) == 5


WORKER = """
import sys
sys.path.insert(0, sys.argv[3])
import fake_strategy
from ssbayes import doe
fake_strategy.install()
campaign = doe.Campaign.open(sys.argv[1])
for round in range(6):
    mine = campaign.suggest(2, by=sys.argv[2])
    print(*mine["suggestion"], flush=True)
    campaign.record(mine.assign(capacity_mAh_g=[100.0 + round, 120.0 + round]))
"""


def test_two_processes_at_once_lose_nothing_and_share_no_suggestion(tmp_path):
    path = tmp_path / "mill.db"
    started(path)
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(path), name, str(HERE)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("a", "b")
    ]
    given = [w.communicate(timeout=120)[0].split() for w in workers]
    assert [w.returncode for w in workers] == [0, 0]
    assert len(given[0]) == len(given[1]) == 12
    assert not set(given[0]) & set(given[1])
    campaign = doe.Campaign.open(path)
    assert len(campaign.results()) == 4 + 24
    table: Any = campaign.suggestions()
    assert (table["state"] == "done").all()
    assert table["suggestion"].is_unique
    assert not table[campaign.space.names].duplicated().any()


def test_a_campaign_goes_on_with_the_copy_that_was_put_in_the_place_of_its_file(tmp_path):
    path, mill = tmp_path / "mill.db", {"milling_min": 10, "bead_mm": 5}
    campaign = begin(path)

    def record(rpm: int) -> None:
        campaign.record({"rpm": rpm, **mill, "capacity_mAh_g": 150.0})

    record(300)
    shutil.copy(path, tmp_path / "stick.db")
    record(400)
    record(500)
    shutil.copy(tmp_path / "stick.db", path)
    record(600)
    assert campaign.results()["rpm"].tolist() == [300, 600]
    assert doe.Campaign.open(path).results()["rpm"].tolist() == [300, 600]
    begin(tmp_path / "other.db")
    shutil.copy(tmp_path / "other.db", path)
    with pytest.raises(doe.CampaignError, match="holds another campaign than before"):
        record(700)


def test_two_processes_that_begin_at_once_share_one_file(tmp_path):
    path = tmp_path / "mill.db"
    script = (
        f"from ssbayes import doe\nc = doe.Campaign(doe.spaces.milling(), store={str(path)!r}, "
        f"**{DECLARED!r})\nprint(*c.suggest(4)['suggestion'])"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told: Any = [p.communicate(timeout=120)[0].split() for p in both]
    assert told[0] == told[1] == ["s0001", "s0002", "s0003", "s0004"]
    assert list(doe.Campaign.open(path).history()["kind"]).count("declare") == 1


def test_copies_of_a_file_get_the_same_suggestions_from_the_real_strategy_elsewhere(tmp_path):
    started(tmp_path / "one.db")
    shutil.copy(tmp_path / "one.db", tmp_path / "two.db")
    script = (
        "import sys; from ssbayes import doe\n"
        "print(doe.Campaign.open(sys.argv[1]).suggest(2).to_json(double_precision=15))"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path / name)], stdout=subprocess.PIPE, text=True
        )
        for name in ("one.db", "two.db")
    ]
    told = [json.loads(p.communicate(timeout=300)[0]) for p in both]
    assert told[0] == told[1]
    assert len(told[0]["rpm"]) == 2


def test_notes_are_shown_below_the_table_and_what_is_cut_from_it():
    from ssbayes.doe.noted import noted

    table = noted(pd.DataFrame({"rpm": [300.0, 400.0]}), ["warm <up> first"])
    assert "note: warm <up> first" in repr(table)
    assert "<li>warm &lt;up&gt; first</li>" in table._repr_html_()
    assert "note: warm" in repr(table[["rpm"]]) and "note: warm" in repr(table.head(1))
    pd.testing.assert_frame_equal(table, noted(table, []))
    assert "note" not in repr(noted(table, [])) and "note" not in repr(table["rpm"])
