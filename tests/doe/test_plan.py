"""Plans: runs that share hard factors, the cheapest order, what fits, blocks and control cells."""

# pyright: reportCallIssue=false, reportArgumentType=false, reportAttributeAccessIssue=false
# pyright: reportGeneralTypeIssues=false, reportIndexIssue=false, reportOperatorIssue=false
# pyright: reportReturnType=false, reportOptionalMemberAccess=false

from itertools import pairwise, permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ssbayes import doe
from ssbayes.doe import plots, pressing, route, store
from ssbayes.doe import state as states
from ssbayes.doe.store import Store

SPACE = doe.Space(
    [doe.Choice("anneal_degC", [400.0, 500.0, 600.0, 700.0], hard=True),
     doe.Real("anneal_h", 1, 10)],
    ["anneal_h <= 9"], per_run=4)
PRICES = doe.Prices(change_over=1.0, run=4.0, cell=0.5, reading=0.1,
                    per_factor={"anneal_degC": {"up": 0.002, "down": 0.01}}, unit="h")
CONTROL = {"anneal_degC": 500.0, "anneal_h": 5.0}


def some(n, seed=0):
    table = SPACE.sample(n, np.random.default_rng(seed))
    return table.assign(suggestion=[f"s{k:04d}" for k in range(n)])


def own(table):
    return table[table["role"] == "setting"]


class TestRoute:
    @settings(max_examples=30, deadline=None)
    @given(n=st.integers(2, 6), seed=st.integers(0, 10_000))
    def test_few_runs_are_in_the_cheapest_order_there_is(self, n, seed):
        rng = np.random.default_rng(seed)
        price, first = rng.integers(0, 9, (n, n)).astype(float), rng.integers(0, 9, n).astype(float)
        path = route.order(price, first, rng)
        assert sorted(path) == list(range(n))
        least = min(route.total(price, first, list(p)) for p in permutations(range(n)))
        assert route.total(price, first, path) == pytest.approx(least)

    def test_many_runs_on_a_line_are_walked_from_end_to_end(self):
        rng = np.random.default_rng(0)
        place = rng.permutation(40).astype(float)
        path = route.order(np.abs(place[:, None] - place), place, rng)
        assert place[path].tolist() == sorted(place)

    def test_two_opt_never_loses_to_nearest_neighbours(self):
        rng = np.random.default_rng(1)
        for _ in range(10):
            price, first = rng.random((25, 25)), rng.random(25)
            full = np.zeros((27, 27))
            full[:25, :25], full[25, :25] = price, first
            near = route._nearest(full, 25)
            better = route._improved(full, near)
            assert sorted(better) == list(range(25))
            assert route.total(price, first, better) <= route.total(price, first, near) + 1e-9

    def test_orders_of_equal_price_are_all_drawn_equally_often(self):
        rng = np.random.default_rng(2)
        drawn = [tuple(route.order(np.zeros((3, 3)), np.zeros(3), rng)) for _ in range(600)]
        counts = pd.Series(drawn).value_counts()
        assert len(counts) == 6
        assert counts.min() > 60  # of 100 expected, sd 9


@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 24), seed=st.integers(0, 1000), with_control=st.booleans(),
       budget=st.one_of(st.none(), st.floats(0, 80)), days=st.one_of(st.none(), st.integers(1, 6)))
def test_whatever_is_asked_runs_share_their_hard_factors_and_the_price_is_right(
        n, seed, with_control, budget, days):
    table = some(n, seed)
    made = doe.plan(SPACE, table, PRICES, seed=seed, budget=budget, days=days,
                    control=CONTROL if with_control else None)
    plan = made.table
    assert sorted([*own(plan)["suggestion"], *made.left_out["suggestion"]]) == sorted(
        table["suggestion"])
    if not len(plan):
        return
    by = plan.groupby("run")
    assert (by["anneal_degC"].nunique() == 1).all()
    assert by.size().max() <= 4
    assert (by["position"].apply(list).map(lambda p: p == list(range(1, len(p) + 1)))).all()
    assert SPACE.feasible(plan).all()
    temperature = by["anneal_degC"].first().tolist()
    change = sum(1.0 + (b - a) * (0.002 if b > a else -0.01)
                 for a, b in pairwise(temperature) if a != b)
    assert made.price == pytest.approx(change + 4.0 * len(temperature) + 0.6 * len(plan))
    assert plan["total"].iloc[-1] == pytest.approx(made.price)
    if budget is not None:
        assert made.price <= budget + 1e-6
    if days is not None:
        assert plan["day"].max() <= days
    if with_control:
        assert (plan[plan["role"] == "control"].groupby("block").size() >= 1).all()
        assert plan.loc[plan["role"] == "control", "block"].nunique() == plan["block"].nunique()


def test_the_same_seed_gives_the_same_plan_and_another_another_order_within_runs():
    first, again, other = (doe.plan(SPACE, some(14), PRICES, seed=s).table for s in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert first["suggestion"].tolist() != other["suggestion"].tolist()


def test_the_furnace_is_walked_upwards_where_cooling_is_dear():
    made = doe.plan(SPACE, some(14), PRICES)
    assert made.table["anneal_degC"].is_monotonic_increasing
    assert "not at random" in made.notes[0]


def test_the_order_begins_where_the_furnace_stands():
    dear = doe.Prices(per_factor={"anneal_degC": {"up": 1.0, "down": 1.0}})
    made = doe.plan(SPACE, some(14), dear, start={"anneal_degC": 700.0})
    assert made.table["anneal_degC"].is_monotonic_decreasing


def test_repeats_go_to_runs_of_their_own():
    one = pd.DataFrame({"anneal_degC": 500.0, "anneal_h": [3.0, 3.0, 6.0]})
    made = doe.plan(SPACE, one)
    assert made.table.loc[made.table["anneal_h"] == 3.0, "run"].nunique() == 2
    assert any("set it up anew" in n for n in made.notes)


@pytest.mark.parametrize("seed", range(4))
def test_the_control_is_not_run_twice_in_a_row(seed):
    made = doe.plan(SPACE, some(56, seed), PRICES, control=CONTROL, seed=seed).table
    alone = made.groupby("run", sort=False)["role"].agg(lambda r: (r == "control").all())
    assert made["block"].nunique() > 3
    assert not (alone.to_numpy()[1:] & alone.to_numpy()[:-1]).any()


def test_about_one_cell_in_eight_is_of_the_control_recipe():
    made = doe.plan(SPACE, some(56), PRICES, control=CONTROL).table
    share = (made["role"] == "control").mean()
    assert 0.1 <= share <= 0.16
    held = made[made["role"] == "control"]
    assert (held[list(CONTROL)] == list(CONTROL.values())).all(axis=None)


def test_blocks_are_in_balance():
    table = pd.DataFrame([{"anneal_degC": t, "anneal_h": h} for t in (400.0, 600.0)
                          for h in np.linspace(1, 8.9, 16)])
    made = own(doe.plan(SPACE, table, blocks={"lot": ["A", "B"]}, seed=3).table)
    counts = pd.crosstab(made["anneal_degC"], made["lot"])
    assert (counts == 8).all(axis=None)


def test_two_blocking_factors_are_crossed_where_the_blocks_allow_it():
    blocks = {"lot": ["A", "B"], "operator": ["x", "y"]}
    made = doe.plan(SPACE, some(28), blocks=blocks, control=CONTROL).table
    assert len(made[["lot", "operator"]].drop_duplicates()) == 4
    few = doe.plan(SPACE, some(6), blocks=blocks)
    assert any("cannot be told apart" in n for n in few.notes)


def test_what_rises_never_falls_within_a_run():
    space = doe.Space([doe.Choice("sieve", ["fine", "coarse"], hard=True),
                       doe.Real("pelletizing_MPa", 50, 500), doe.Real("stack_MPa", 5, 50)])
    table = space.sample(12, np.random.default_rng(0))
    one = doe.plan(space, table, rises=["pelletizing_MPa"]).table
    assert one["run"].nunique() == 2
    both = doe.plan(space, table, rises=["pelletizing_MPa", "stack_MPa"]).table
    assert both["run"].nunique() > 2
    for plan, names in ((one, ["pelletizing_MPa"]), (both, ["pelletizing_MPa", "stack_MPa"])):
        for _, run in plan.groupby("run"):
            assert (run[names].diff().dropna() >= 0).all(axis=None)


def test_a_budget_is_spent_where_the_gain_is():
    table = some(20).assign(expected=lambda t: (t["anneal_degC"] == 600.0) * 10.0 + 0.1)
    made = doe.plan(SPACE, table, PRICES, budget=14.0, gain="expected")
    assert (own(made.table)["anneal_degC"] == 600.0).mean() > 0.7
    assert "left out" in made.sentence


def test_a_run_is_not_split_over_two_days_and_a_long_one_takes_several():
    hours = doe.Prices(run=5.0)
    made = doe.plan(SPACE, some(14), hours=hours, hours_per_day=8.0).table
    assert (made.groupby("day")["run"].nunique() == 1).all()
    long = doe.plan(SPACE, some(14), hours=doe.Prices(run=20.0), hours_per_day=8.0).table
    assert np.diff(sorted(long["day"].unique())).min() >= 2
    named = doe.plan(SPACE, some(14), days=["Mon", "Tue"], hours=hours)
    assert set(named.table["day"]) == {"Mon", "Tue"}
    assert len(named.left_out)


def test_a_campaign_plans_its_open_suggestions_in_the_runs_that_it_named():
    campaign = doe.Campaign(SPACE, maximize="capacity_mAh_g", seed=1)
    with pytest.raises(doe.CampaignError, match="no open suggestion"):
        campaign.plan()
    table = campaign.suggest(8)
    campaign.control(CONTROL)
    made = campaign.plan(PRICES).table
    assert set(own(made)["suggestion"]) == set(table["suggestion"])
    assert (made["role"] == "control").any()
    named = campaign.suggestions().set_index("suggestion")["run"]
    mine = own(made)
    assert (named[mine["suggestion"]].groupby(mine["run"].to_numpy()).nunique() == 1).all()


@pytest.mark.usefixtures("calls")
class TestOrder:
    """The column ``order`` of the suggestions: a plan's, kept batch by batch."""

    @staticmethod
    def begun(space=SPACE, **given):
        return doe.Campaign(space, maximize="capacity_mAh_g", seed=1, **given)

    def test_it_is_the_plans_and_keeps_runs_together(self):
        campaign = self.begun()
        asked = campaign.suggest(8)
        planned = campaign.plan().table
        assert asked.sort_values("order")["suggestion"].tolist() == planned["suggestion"].tolist()
        assert sorted(asked["order"]) == list(range(1, 9))
        run = campaign.suggestions().set_index("suggestion")["run"]
        by_order = run[asked.sort_values("order")["suggestion"]]
        assert (by_order != by_order.shift()).sum() == by_order.nunique() == 2

    def test_what_is_recorded_or_topped_up_changes_nothing_of_what_was_said(self, tmp_path):
        campaign = self.begun(doe.spaces.milling(), store=tmp_path / "a.db")
        first = campaign.suggest(6)
        campaign.record({"suggestion": "s0002", "capacity_mAh_g": 150.0})
        more = campaign.suggest(8)
        left = first[first["suggestion"] != "s0002"].sort_values("order")["suggestion"].tolist()
        assert more.sort_values("order")["suggestion"].tolist()[:5] == left
        assert set(more.sort_values("order")["suggestion"][5:]) == {"s0007", "s0008", "s0009"}
        again = doe.Campaign.open(tmp_path / "a.db").suggest(8)
        pd.testing.assert_frame_equal(again, more)

    def test_batches_of_one_size_are_not_drawn_alike(self):
        orders = set()
        for seed in range(3):
            campaign = doe.Campaign(doe.spaces.milling(), maximize="capacity_mAh_g", seed=seed)
            for _ in range(3):
                asked = campaign.suggest(5)
                orders.add(tuple(asked["order"]))
                campaign.record(asked.assign(capacity_mAh_g=150.0))
        assert len(orders) >= 7

    def test_samples_of_a_mixers_run_come_in_rising_time_and_charges_of_their_own_do_not(self):
        mixer = doe.Campaign(doe.spaces.mechanofusion(), maximize="composite_capacity_mAh_g")
        minutes = mixer.suggest(8).sort_values("order")["milling_min"].to_numpy()
        assert (np.diff(minutes[:4]) > 0).all() and (np.diff(minutes[4:]) > 0).all()
        assert "rising milling_min" in " ".join(mixer.plan().notes)
        jars = doe.Space([doe.Real("rpm", 200, 1000, hard=True), doe.Real("milling_min", 5, 60),
                          doe.Choice("bead_mm", [3, 5])])
        assert plots.rising(jars) == []
        assert plots.rising(doe.Space([doe.Real("rpm", 200, 1000),
                                       doe.Real("milling_min", 5, 60)])) == []

    def test_a_pellet_in_hand_is_pressed_upwards(self):
        space = doe.pressing.pressing(pressed_MPa=50.0)
        made = doe.Campaign(space, maximize="ionic_conductivity_S_cm")
        pressures = made.suggest(6).sort_values("order")["pelletizing_MPa"]
        assert pressures.is_monotonic_increasing
        assert not pressing.in_hand(doe.pressing.pressing())

    def test_it_is_no_result_and_a_factor_of_that_name_stays_one(self, tmp_path):
        campaign = self.begun()
        sheet = campaign.suggest(4).assign(capacity_mAh_g=[150.0, 140.0, None, None])
        sheet.to_csv(tmp_path / "next.csv", index=False)
        assert "order" not in campaign.record(tmp_path / "next.csv")
        assert "order" not in campaign.record(sheet.tail(2).assign(capacity_mAh_g=120.0))
        mixed = self.begun(doe.Space([doe.Choice("order", ["dry first", "wet first"], unit=""),
                                      doe.Real("rpm", 200, 1000)]))
        asked = mixed.suggest(2)
        assert set(asked["order"]) <= {"dry first", "wet first"}
        assert "order" in mixed.record(asked.assign(capacity_mAh_g=150.0))


@pytest.mark.usefixtures("calls")
class TestGain:
    """A budget is spent where the gain is that was expected when settings were suggested."""

    @staticmethod
    def waiting(store=None):
        campaign = doe.Campaign(doe.spaces.milling(), maximize="capacity_mAh_g", store=store)
        campaign.record(campaign.suggest(4).assign(capacity_mAh_g=[150.0, 160.0, 140.0, 100.0]))
        campaign.suggest(4)
        return campaign

    def test_it_is_kept_and_fills_a_budget(self, tmp_path):
        path = tmp_path / "mill.db"
        self.waiting(path)
        campaign = doe.Campaign.open(path)
        assert campaign.suggestions()["expected_gain"].tolist()[4:] == [2.0, 1.0, 0.0, -1.0]
        prices = doe.Prices(cell=1.0)
        made = campaign.plan(prices, budget=2)
        assert set(made.table["suggestion"]) == {"s0005", "s0006"}
        assert any("expected gain for their price" in note for note in made.notes)
        assert list(made.left_out) == ["suggestion", *campaign.space.names]
        lowest = -campaign.suggestions()["predicted_mean"][4:]
        for gain in ("predicted_mean", lowest):  # another column, or numbers of one's own
            values = campaign.suggestions()["predicted_mean"][4:] if gain is not lowest else lowest
            best = campaign.suggestions().loc[values.idxmax(), "suggestion"]
            assert campaign.plan(prices, budget=1, gain=gain).table["suggestion"].tolist() == [best]

    def test_an_old_file_without_it_opens_and_plans_in_the_order_of_suggestion(self, tmp_path):
        campaign = self.waiting(tmp_path / "new.db")
        old = Store(tmp_path / "old.db")
        events = []
        for e in Store(tmp_path / "new.db").read():
            body = dict(e.body)
            if e.kind == "suggest":
                body["suggestions"] = [{k: v for k, v in s.items() if k != "expected_gain"}
                                       for s in body["suggestions"]]
            events.append(store.event(e.kind, body, e.id))
        old.create(events)
        opened = doe.Campaign.open(tmp_path / "old.db")
        assert "expected_gain" not in opened.suggestions()
        prices = doe.Prices(cell=1.0)
        made = opened.plan(prices, budget=2)
        assert set(made.table["suggestion"]) == {"s0005", "s0006"}
        assert any(note.startswith("no expected gain is kept of s0005") for note in made.notes)
        pd.testing.assert_frame_equal(opened.suggest(4), campaign.suggest(4))
        one, other = (states.seed_for("suggest", c._log.state(), c.declaration)
                      for c in (opened, campaign))
        assert one == other  # the next suggestions are the same
        with pytest.raises(doe.CampaignError, match="'expected_gain' is no column"):
            opened.plan(prices, gain="expected_gain")

    def test_settings_of_the_start_design_have_none(self):
        campaign = doe.Campaign(doe.spaces.milling(), maximize="capacity_mAh_g")
        campaign.record(campaign.suggest(3).assign(capacity_mAh_g=[150.0, 160.0, 140.0]))
        campaign.suggest(2)
        made = campaign.plan(doe.Prices(cell=1.0), budget=1)
        assert made.table["suggestion"].tolist() == ["s0004"]
        assert any("kept of s0004: settings matter" in note for note in made.notes)
        with pytest.raises(doe.CampaignError, match="gain is not known of s0004"):
            campaign.plan(doe.Prices(cell=1.0), budget=1, gain="expected_gain")


class TestCost:
    """What a setting costs by the declared formula is a part of a plan's price."""

    PRICES = doe.Prices(run=1.0, cell=0.5, unit="EUR")

    def begun(self, **given):
        campaign = doe.Campaign(SPACE, maximize="capacity_mAh_g", seed=1,
                                cost="30 + 2 * anneal_h", **given)
        return campaign, campaign.suggest(8).set_index("suggestion")["anneal_h"]

    def test_a_plan_costs_what_the_cards_say(self):
        campaign, hours = self.begun(prices=self.PRICES)
        made = campaign.plan()
        assert made.parts["setting"] == pytest.approx(240.0 + 2.0 * hours.sum())
        assert made.price == pytest.approx(sum(made.parts.values()))
        assert made.table["total"].iloc[-1] == pytest.approx(made.price)
        assert f"settings {made.parts['setting']:.6g} EUR" in made.sentence
        row = made.table[made.table["position"] == 2].iloc[0]
        assert campaign.card(row["suggestion"]).lines["cost"].startswith(f"{row['price']:.4g} EUR")
        several = campaign.plan(cells=3, readings=2)
        assert several.parts["setting"] == made.parts["setting"]
        assert several.parts["cell"] == 3.0 * made.parts["cell"]
        assert campaign.plan(cost=None).price == pytest.approx(made.price - made.parts["setting"])

    @pytest.mark.parametrize("prices", [PRICES, None])
    def test_a_budget_counts_it(self, prices):
        campaign, hours = self.begun(prices=prices)
        made = campaign.plan(budget=120)
        assert 0 < len(made.table) <= 3 and len(made.left_out) == 8 - len(made.table)
        assert made.price <= 120.0
        assert campaign.plan(budget=29).sentence == "Nothing fits: 8 settings left out."
        assert set(made.table["suggestion"]) <= set(hours.index)

    def test_gain_is_looked_at_for_it(self):
        table = pd.DataFrame({"anneal_degC": [400.0, 700.0], "anneal_h": [8.0, 1.0]})
        most = doe.plan(SPACE, table, doe.Prices(run=1.0), budget=9.5, gain=[3.0, 2.0],
                        cost="anneal_h")  # fmt: skip
        assert most.table["anneal_h"].tolist() == [1.0]

    def test_the_control_recipe_costs_it_once_in_each_run(self):
        held = {"anneal_degC": 500.0, "anneal_h": 5.0}
        table = pd.DataFrame({"anneal_degC": 600.0, "anneal_h": [1.0, 3.0, 6.0, 8.0]})
        free = doe.plan(SPACE, table, PRICES, control=held, cells=7)
        made = doe.plan(SPACE, table, PRICES, control=held, cells=7, cost="anneal_h")
        control = made.table[made.table["role"] == "control"]
        runs = control["run"].nunique()
        assert len(control) == 4 and runs == 1
        want = own(made.table)["anneal_h"].sum() + 5.0 * runs
        assert made.parts["setting"] == pytest.approx(want)
        assert made.price == pytest.approx(free.price + want)
        assert made.table["total"].iloc[-1] == pytest.approx(made.price)


def test_a_factor_that_was_not_in_use_is_set_up_without_a_price_upwards():
    space = doe.Space(
        [doe.Choice("anneal", ["no", "yes"], hard=True), doe.Real("load", 0, 1, unit=""),
         doe.Real("anneal_C", 400, 800, hard=True, only_if="anneal == 'yes'")])
    prices = doe.Prices(change_over=2.0, run=1.0,
                        per_factor={"anneal_C": {"change": 0.5, "up": 0.01, "down": 0.02}})
    off = {"anneal": "no", "load": 0.5, "anneal_C": 0.0}
    on = {"anneal": "yes", "load": 0.5, "anneal_C": 600.0}
    for start, setting in ((off, on), (on, off)):
        made = doe.plan(space, setting, prices, start=start)
        assert made.parts["change_over"] == pytest.approx(2.5)
    hot = doe.plan(space, on, prices, start={**on, "anneal_C": 500.0})
    assert hot.parts["change_over"] == pytest.approx(3.5)


def test_what_results_cannot_hold_is_no_block_of_a_campaign():
    campaign = doe.Campaign(SPACE, maximize="capacity_mAh_g", seed=1)
    campaign.suggest(8)
    with pytest.raises(doe.CampaignError, match="'powder_bag' is no column of results"):
        campaign.plan(blocks={"powder_bag": ["A", "B"]})
    campaign.record(campaign.plan(blocks={"lot": ["A", "B"]}).table.assign(capacity_mAh_g=150.0))
    assert set(campaign.results()["lot"]) == {"A", "B"}


def test_an_option_that_a_plan_does_not_have_is_named():
    campaign = doe.Campaign(SPACE, maximize="capacity_mAh_g", seed=1)
    campaign.suggest(2)
    with pytest.raises(doe.CampaignError, match="did you mean 'days'"):
        campaign.plan(day=3)


FREE = doe.Space([doe.Choice("anneal", ["no", "yes"]), doe.Real("load", 0, 1, unit="")])


@pytest.mark.parametrize(("options", "said"), [
    ({"prices": doe.Prices(change_over=4, run=1)}, "prices: change_over=4 would never be charged"),
    ({"hours": doe.Prices(change_over=4, run=1)}, "hours: change_over=4 would never be charged"),
    ({"prices": doe.Prices(run=1, per_factor={"anneal": {"up": 1}})}, "and anneal is text"),
])
def test_prices_that_the_space_cannot_follow(options, said):
    with pytest.raises(doe.CampaignError, match=said):
        doe.plan(FREE, {"anneal": ["no", "yes"], "load": [0.1, 0.9]}, **options)


@pytest.mark.parametrize(("table", "options", "said"), [
    (some(2).head(0), {}, "no setting to plan"),
    (some(2), {"budget": 10.0}, "budget=10.0, but nothing has a price"),
    (some(2), {"start": {"anneal_h": 3.0}}, "start lacks anneal_degC"),
    (some(2), {"start": {"aneal_degC": 3.0}}, "did you mean 'anneal_degC'"),
    (some(2), {"start": {"anneal_degC": "hot"}}, "must be a number"),
    (some(2), {"start": 500.0}, "start=500.0 is no mapping"),
    (some(2), {"cost": "2 * hours"}, "cost: "),
    (some(2), {"prices": {"run": 3}}, "must be doe.Prices"),
    (some(2).assign(anneal_h=9.5), {}, "outside the space"),
    (some(2), {"control": {"anneal_degC": 500.0, "anneal_h": 9.5}}, "control recipe is outside"),
    (some(2), {"prices": doe.Prices(per_factor={"anneal_h": 1.0})}, "may differ within a run"),
    (some(2), {"prices": doe.Prices(per_factor={"aneal_degC": 1.0})}, "did you mean"),
    (some(2), {"rises": ["anneal_degC"]}, "cannot rise within one"),
    (some(2), {"blocks": {"lot": ["A"]}}, "two or more different levels"),
    (some(2), {"blocks": {"run": ["A", "B"]}}, "column of the plan already"),
    (some(2), {"gain": [1.0]}, "one number for each of 2"),
    (some(2), {"cells": 0}, "cells=0"),
    (some(2), {"budget": -1.0}, "budget=-1.0"),
    (some(2), {"runs_per_day": 0}, "runs_per_day=0"),
    (some(2), {"days": 2.5}, "or the names of the days"),
    (some(2), {"days": -1}, "days=-1"),
    (some(2), {"days": []}, "or the names of the days"),
    (some(2), {"days": 2, "hours": doe.Prices(run=2), "hours_per_day": 0}, "hours_per_day=0"),
])
def test_bad_input(table, options, said):
    with pytest.raises(doe.CampaignError, match=said):
        doe.plan(SPACE, table, **options)


@pytest.mark.parametrize("bad", [{"run": -1.0}, {"per_factor": {"rpm": {"sideways": 1.0}}},
                                 {"per_factor": {"rpm": {"up": -1.0}}}])
def test_bad_prices(bad):
    with pytest.raises(doe.CampaignError):
        doe.Prices(**bad)


@pytest.mark.parametrize(("given", "message"), [
    ({"budget": "5"}, "budget='5' must be a price"),
    ({"blocks": {"lot": 2}}, "needs two or more different levels"),
    ({"blocks": ["A", "B"]}, "blocks=.* is no mapping"),
    ({"gain": ["a"] * 4}, "gain needs one number for each of 4"),
    ({"seed": -1}, "seed=-1 must be a whole number of 0 or more"),
])  # fmt: skip
def test_slips_in_a_plan_are_named(given, message):
    with pytest.raises(doe.CampaignError, match=message):
        doe.plan(SPACE, some(4), doe.Prices(run=1.0), **given)
