"""Results as people hand them in: headers, indexes, ranges and bounds; and settings to compare."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from ssbayes import data, doe
from ssbayes.doe.readings import readings

pytestmark = pytest.mark.usefixtures("calls")

SETTING = {"rpm": 300.0, "milling_min": 10.0, "powder": "fine"}


def begin(**options: Any) -> doe.Campaign:
    space = doe.Space([doe.Real("rpm", 200, 1000), doe.Real("milling_min", 5, 60),
                       doe.Choice("powder", ["fine", "coarse"])])  # fmt: skip
    campaign = doe.Campaign(space, maximize="capacity_mAh_g", seed=1, **options)
    campaign.suggest(2)
    return campaign


def sheet(campaign: doe.Campaign) -> Any:
    """A form of settings with a reading of each."""
    names = ["suggestion", *campaign.space.names]
    return campaign.suggestions()[names].assign(capacity_mAh_g=[150.0, 160.0])


class TestHeaders:
    def test_ids_in_the_index_are_read(self):
        campaign = begin()
        told: Any = campaign.record(sheet(campaign).set_index("suggestion"))
        assert told["suggestion"].tolist() == ["s0001", "s0002"]
        assert campaign.suggestions()["state"].tolist() == ["done", "done"]

    def test_what_a_table_was_grouped_by_is_read(self):
        campaign = begin()
        cells = pd.concat([sheet(campaign).assign(rpm=r) for r in (300.0, 302.0)])
        means = cells.groupby(["suggestion", "powder"]).mean()
        told: Any = campaign.record(means)
        assert told["suggestion"].tolist() == ["s0001", "s0002"]
        assert told["powder"].tolist() == campaign.suggestions()["powder"].tolist()

    def test_an_index_that_repeats_a_column_or_is_nothing_known_is_left_alone(self):
        campaign = begin()
        table = sheet(campaign)
        table.index = pd.MultiIndex.from_arrays([table["suggestion"], [7, 8], ["a", "b"]],
                                                names=["suggestion", "number", "cell"])  # fmt: skip
        told: Any = campaign.record(table)
        assert told["suggestion"].tolist() == ["s0001", "s0002"]
        assert told["cell"].tolist() == ["a", "b"]

    @pytest.mark.parametrize("header", ["suggestion ", " suggestion", "suggestion\u200b"])
    def test_blanks_around_a_header_do_not_matter(self, header):
        campaign = begin()
        campaign.record({header: "s0001", "capacity_mAh_g": 150.0})
        assert campaign.suggestions()["state"].tolist() == ["done", "open"]
        with pytest.raises(data.TableError, match=r"'s0009'.*the id of a suggestion"):
            campaign.record({header: "s0009", "capacity_mAh_g": 150.0})

    @pytest.mark.parametrize("name", ["suggestion", "reason", "order"])
    def test_a_name_that_two_columns_have_is_refused(self, name):
        campaign = begin()
        table = sheet(campaign).assign(reason="", order=1)
        twice = pd.concat([table, table[[name]]], axis=1)
        with pytest.raises(data.TableError, match=f"'{name}': two columns .* rename one"):
            campaign.record(twice)
        assert campaign.results().empty


class TestOffScale:
    """A number that its factor's scale cannot hold would leave every later question unanswered."""

    @pytest.mark.parametrize(
        ("factor", "value", "words"),
        [
            (doe.Real("soak_h", 0.1, 10, log=True, unit="h"), 0.0, "soak_h.*above 0.*sqrt=True"),
            (doe.Real("soak_h", 0.1, 10, log=True, unit="h"), -1.0, "soak_h.*above 0.*log=True"),
            (doe.Real("add_pct", 0, 10, sqrt=True, unit="%"), -1.0, "add_pct.*0 or more.*sqrt"),
        ],
    )
    def test_it_is_refused_and_the_campaign_goes_on(self, factor, value, words):
        space = doe.Space([factor, doe.Real("rpm", 200, 1000)])
        campaign = doe.Campaign(space, maximize="capacity_mAh_g", seed=1)
        campaign.suggest(2)
        wrong = pd.DataFrame({"suggestion": ["s0001", "s0002"], factor.name: [None, value],
                              "capacity_mAh_g": [150.0, 151.0]})  # fmt: skip
        with pytest.raises(data.TableError, match=f"row 1, .*{words}"):
            campaign.record(wrong)
        with pytest.raises(data.TableError, match=f"row 0, .*{words}"):
            campaign.record({"suggestion": "s0002", factor.name: value, "status": "failed",
                             "reason": "caked"})
        campaign.record(wrong.head(1))
        assert len(campaign.rank().table) == 1
        assert len(campaign.suggest(2)) == 2

    def test_zero_is_no_slip_where_the_scale_holds_it_or_the_factor_is_not_in_use(self):
        """Stirring is void without carbon; below zero it is nothing."""
        space = doe.Space([doe.Real("cb_parts", 0, 5, sqrt=True),
                           doe.Real("stir_s", 1, 30, log=True, unit="s", only_if="cb_parts > 0")])
        campaign = doe.Campaign(space, maximize="capacity_mAh_g", seed=1)
        campaign.record({"cb_parts": 0.0, "stir_s": 0.0, "capacity_mAh_g": 150.0})
        with pytest.raises(data.TableError, match=r"stir_s.*above 0"):
            campaign.record({"cb_parts": 1.0, "stir_s": -1.0, "capacity_mAh_g": 150.0})
        assert len(campaign.rank().table) == 1

    def test_a_published_statement_may_say_anything(self):
        space = doe.Space([doe.Real("soak_h", 0.1, 10, log=True, unit="h")])
        campaign = doe.Campaign(space, maximize="capacity_mAh_g", seed=1)
        said = {"soak_h": 0.0, "study": "a paper"}
        with pytest.raises(data.TableError, match=r"soak_h.*above 0"):
            campaign.record({**said, "capacity_mAh_g": 150.0})
        campaign.record({**said, "kind": "statement", "statement": "best_between",
                         "outcome": "capacity_mAh_g", "over": "soak_h", "value_low": 1.0,
                         "value_high": 2.0})  # fmt: skip
        assert len(campaign.results()) == 1


class TestRangesAndBounds:
    def test_a_range_alone_is_refused_with_what_to_write(self):
        campaign = begin()
        rows = {"suggestion": ["s0001", "s0002"], "capacity_mAh_g": [None, 155.0],
                "capacity_mAh_g_low": [150.0, 150.0], "capacity_mAh_g_high": [160.0, 160.0]}
        words = "row 0, .*'capacity_mAh_g'.*capacity_mAh_g_sd: 155 and 5"
        with pytest.raises(data.TableError, match=words):
            campaign.record(rows)
        assert campaign.results().empty
        campaign.record({"suggestion": "s0001", "capacity_mAh_g": 155, "capacity_mAh_g_sd": 5})
        campaign.record({"suggestion": "s0002", "status": "failed", "reason": "torn",
                         "capacity_mAh_g_low": 0.0})
        assert campaign.suggestions()["state"].tolist() == ["done", "failed"]

    def test_a_range_in_one_cell_is_answered_with_a_reading_that_counts(self):
        campaign = begin()
        with pytest.raises(data.TableError, match=r"the middle, 155, .*5, .*capacity_mAh_g_sd"):
            campaign.record({"suggestion": "s0001", "capacity_mAh_g": "150-160"})

    def test_a_bound_is_kept_and_is_no_reading(self):
        campaign = begin()
        told = campaign.record(
            sheet(campaign).assign(capacity_mAh_g=[5.0, 150.0], capacity_mAh_g_censored=["<", None])
        )
        note = "row 0: capacity_mAh_g is a bound (< 5); kept, not used for suggestions"
        assert note in told.attrs["notes"]
        assert len(campaign.results()) == 2
        ranked: Any = campaign.rank().table
        assert ranked["suggestion"].tolist() == ["s0002"]
        found = readings(campaign.space, campaign.results(), "capacity_mAh_g", {})
        np.testing.assert_array_equal(found.value, [150.0])


class TestCompare:
    @staticmethod
    def begun() -> doe.Campaign:
        campaign = begin()
        campaign.record(sheet(campaign))
        return campaign

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"powder": "Fine"}, "'Fine' is no value of powder; did you mean 'fine'"),
            ({"powder": None}, "None is no value of powder"),
            ({"rpm": [300.0, 400.0]}, "rpm has 2 values, and one setting is wanted"),
            ({"rpm": [300.0, 400.0], "milling_min": [1, 2, 3]}, "one setting is wanted"),
            ({"rpm": None}, "rpm: None .*no number"),
            ({"powder": " fine"}, "the same setting"),
            ({"rpm": "300"}, "the same setting"),
        ],
    )
    def test_what_is_no_setting_or_the_same_is_named(self, change, words):
        campaign = self.begun()
        with pytest.raises(doe.DoeError, match=words):
            campaign.compare(SETTING, {**SETTING, **change})

    def test_a_setting_as_a_sheet_holds_it_is_one(self):
        campaign = self.begun()
        typed = {"rpm": ["400"], "milling_min": 10, "powder": "coarse "}
        plain = {"rpm": 400.0, "milling_min": 10.0, "powder": "coarse"}
        one, other = (campaign.compare("s0001", s).p_better for s in (typed, plain))
        assert one == other
