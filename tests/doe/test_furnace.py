"""A furnace run holds several powders: they share temperature, time and gas, and nothing else."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from ssbayes import data, doe

GROWTH = "growth_ohm_cm2_sqrth"
pytestmark = pytest.mark.usefixtures("calls")


def begin() -> doe.Campaign:
    space = doe.spaces.annealing(precursor_wt_pct=(0.5, 2.0))
    return doe.Campaign(space, minimize=GROWTH, seed=1, initial=8)


def test_powders_of_one_furnace_run_may_differ_in_their_precursor():
    campaign = begin()
    asked: Any = campaign.suggest(8)
    read = {"coverage": np.linspace(0.2, 0.9, 8), GROWTH: 2.0}
    told: Any = campaign.record(asked.assign(**read))
    assert told["coverage"].nunique() == 8
    assert told.groupby("run").size().tolist() == [4, 4]
    assert told.groupby("run")["anneal_degC"].nunique().tolist() == [1, 1]
    assert told.groupby("run")["precursor_wt_pct"].nunique().tolist() == [4, 4]


@pytest.mark.parametrize("hard", [("anneal_degC",), ("anneal_degC", "anneal_h")])
def test_a_batch_says_that_it_is_one_run_where_nobody_named_its_size(hard):
    factors = [doe.Real("anneal_degC", 250, 500, hard=True),
               doe.Real("anneal_h", 1, 10, hard="anneal_h" in hard),
               doe.Real("precursor_wt_pct", 0.5, 2.0)]  # fmt: skip

    def asked(n, **changes):
        return doe.Campaign(doe.Space(factors, **changes), minimize=GROWTH, seed=1).suggest(n)

    told: Any = asked(6)
    assert told["anneal_degC"].nunique() == 1
    (note,) = told.attrs["notes"]
    assert note.startswith(f"all 6 settings share one run: {', '.join(hard)} ")
    assert "per_run" in note
    assert asked(6, per_run=2).attrs["notes"] == asked(4, per_run=4).attrs["notes"] == []
    assert asked(1).attrs["notes"] == []


@pytest.mark.parametrize("seed", range(4))
def test_runs_of_a_start_design_lie_apart_in_what_is_hard_to_change(seed):
    space = doe.Space([doe.Real("anneal_degC", 250, 500, step=25, hard=True),
                       doe.Real("precursor_wt_pct", 0.5, 2.0)], per_run=3)  # fmt: skip
    table = doe.design(space, "lhs", 9, seed=seed)
    runs = np.sort(table["anneal_degC"].unique())
    assert len(runs) == 3 and np.diff(runs).min() >= 50


def test_one_powder_lot_may_be_annealed_in_many_ways():
    """Lots of powder are blocks of a plan, whatever the furnace is set to."""
    campaign = begin()
    asked: Any = campaign.suggest(8)
    plan = campaign.plan(blocks={"lot": ["A", "B"]})
    lots: Any = plan.table.set_index("suggestion")["lot"]
    told = campaign.record(
        asked[["suggestion"]].assign(lot=asked["suggestion"].map(lots), **{GROWTH: 2.0})
    )
    assert set(told["lot"]) == {"A", "B"}


def test_a_run_that_was_hotter_than_planned_is_still_one_run():
    campaign = begin()
    asked: Any = campaign.suggest(8)
    rows = asked[["suggestion"]].assign(**{GROWTH: 2.0})
    first = asked["anneal_degC"] == asked["anneal_degC"][0]
    told: Any = campaign.record(rows.assign(anneal_degC=asked["anneal_degC"].where(~first, 412.0)))
    assert told.groupby("run").size().tolist() == [4, 4]
    said = "s0001, s0002, s0003, s0004 were run with anneal_degC = 412"
    assert any(said in note for note in told.attrs["notes"])


def test_two_temperatures_in_one_run_are_refused():
    campaign = begin()
    asked: Any = campaign.suggest(4)
    rows = asked[["suggestion"]].assign(**{GROWTH: 2.0}, run="Monday")
    rows["anneal_degC"] = [300.0, 300.0, 300.0, 310.0]
    with pytest.raises(data.TableError, match="anneal_degC belongs to the run"):
        campaign.record(rows)


def test_eight_cells_need_one_control_cell():
    campaign = begin()
    campaign.control({"anneal_degC": 350, "anneal_h": 1, "o2_fraction": 0.21,
                      "precursor_wt_pct": 1})  # fmt: skip
    campaign.suggest(8)
    roles: Any = campaign.plan().table["role"]
    assert roles.tolist().count("control") == 1


def test_a_card_names_what_shares_the_furnace():
    campaign = begin()
    campaign.suggest(8)
    assert campaign.card("s0002").lines["in the same run"] == "s0001, s0003, s0004"


def test_a_plan_with_readings_written_into_it_is_recorded_as_it_stands(tmp_path):
    """The control cells too; what only a plan knows is no result."""
    campaign = begin()
    recipe = {"anneal_degC": 350, "anneal_h": 1, "o2_fraction": 0.21, "precursor_wt_pct": 1}
    campaign.control(recipe)
    labels = []
    for week in range(3):
        campaign.suggest(8)
        plan = campaign.plan(doe.Prices(run=6, cell=1)).table
        path = tmp_path / f"week {week}.csv"
        plan.assign(**{GROWTH: 2.0 + 0.1 * week}).to_csv(path, index=False)
        told: Any = campaign.record(path, id=f"week {week}")
        again: Any = campaign.record(path, id=f"week {week}")
        assert again["batch"].tolist() == told["batch"].tolist()
        assert len(told) == 9
        assert week or told.groupby("run").size().tolist() == [1, 4, 4]
        labels += told.loc[told["suggestion"].isna(), "batch"].tolist()
    assert len(set(labels)) == 3
    assert len(campaign.results()) == 27
    assert len(campaign.chart().table) == 3


def test_control_cells_of_a_plan_that_were_not_read_wait():
    campaign = begin()
    campaign.control({"anneal_degC": 350, "anneal_h": 1, "o2_fraction": 0.21,
                      "precursor_wt_pct": 1})  # fmt: skip
    campaign.suggest(8)
    plan = campaign.plan().table
    read = plan["role"].eq("setting") & plan["anneal_degC"].eq(plan["anneal_degC"].iloc[0])
    told: Any = campaign.record(plan.assign(**{GROWTH: np.where(read, 2.0, np.nan)}))
    assert len(told) == 4
    assert len(campaign.suggest(1)) == 4


class TestPartsOfAPlan:
    """Names of control cells are those of the whole plan, whatever part of it is recorded."""

    def begun(self, rpm=None):
        space = doe.Space([doe.Real("rpm", 200, 1000, hard=True) if rpm is None else
                           doe.Choice("rpm", rpm, hard=True), doe.Real("milling_min", 5, 60)],
                          per_run=4)  # fmt: skip
        campaign = doe.Campaign(space, maximize="capacity_mAh_g", seed=1)
        campaign.suggest(12)
        campaign.control({"rpm": 500.0, "milling_min": 20.0})
        form: Any = campaign.plan(blocks={"lot": ["A", "B", "C"]}).table
        return campaign, form.assign(capacity_mAh_g=np.arange(len(form)) + 100.0)

    def recorded(self, campaign):
        rows: Any = campaign.results().sort_values("capacity_mAh_g")
        return rows[["batch", "run", "cell"]].fillna("").to_numpy().tolist()

    @pytest.mark.parametrize("rpm", [None, [400.0, 500.0]])
    def test_the_control_cells_alone_are_a_batch_for_each_block(self, rpm, tmp_path):
        whole, form = self.begun(rpm)
        whole.record(form)
        parts, same = self.begun(rpm)
        control = same["role"] == "control"
        same[control].to_csv(tmp_path / "control.csv", index=False)
        told: Any = parts.record(tmp_path / "control.csv")
        assert told["batch"].nunique() == same["block"].nunique() == 3
        for _, block in same[~control].groupby("block"):
            parts.record(block)
        assert self.recorded(parts) == self.recorded(whole)
        assert len(parts.chart().table) == 3

    def test_without_names_and_suggestions_of_the_block_they_are_refused(self):
        campaign, form = self.begun()
        bare = form.drop(columns=["batch", "cell", "planned_run"])
        control = bare["role"] == "control"
        with pytest.raises(data.TableError, match=r"'batch'.*record the plan as a whole"):
            campaign.record(bare[control])
        assert campaign.results().empty
        told: Any = campaign.record(bare[control].assign(batch=["x", "y", "z"]))
        assert told["run"].tolist() == ["x", "y", "z"]
        assert told["cell"].nunique() == 3


class TestFactorsOfRuns:
    """Jars of one mill turn at one speed; each may hold beads of its own."""

    JARS = doe.Space([doe.Real("rpm", 200, 600, hard=True), doe.Choice("bead_mm", [3.0, 5.0]),
                      doe.Real("milling_min", 5, 60)], per_run=2)

    def test_what_may_differ_within_a_run_is_recorded_so(self):
        campaign = doe.Campaign(self.JARS, maximize="capacity_mAh_g", seed=1)
        jars = pd.DataFrame({"rpm": 300.0, "bead_mm": [3.0, 5.0], "milling_min": 20.0,
                             "run": "r1", "batch": ["a", "b"], "capacity_mAh_g": [150.0, 152.0]})
        campaign.record(jars)
        assert len(campaign.results()) == 2
        wrong = jars.assign(rpm=[300.0, 400.0], batch=["c", "d"])
        with pytest.raises(data.TableError, match="rpm belongs to the run"):
            campaign.record(wrong)

    def test_a_model_that_takes_it_as_the_runs_own_is_refused_at_once(self):
        with pytest.raises(doe.CampaignError, match="bead_mm would differ"):
            doe.Campaign(self.JARS, maximize="capacity_mAh_g", model="capacity",
                         fixed={"mill": "a", "filling": 0.5, "c_rate": 0.1})
