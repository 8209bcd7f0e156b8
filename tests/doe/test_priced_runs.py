"""Gain for the price of whole runs: change-overs, runs, cells, under every kind of goal."""

# pyright: reportGeneralTypeIssues=false, reportArgumentType=false, reportAttributeAccessIssue=false

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
from ssbayes import doe
from ssbayes.doe import asking, physics, plots, surrogate
from ssbayes.doe.goals import Goals, goals
from ssbayes.doe.propose import propose
from ssbayes.doe.run_prices import RunPrices, said, shared_price

SPACE = doe.Space([doe.Real("anneal_C", 400, 800, hard=True), doe.Real("load", 0, 1)])
METHODS = doe.Space([doe.Real("anneal_C", 400, 800, hard=True), doe.Choice("sort", ["a", "b"]),
                     doe.Real("load", 0, 1)])  # fmt: skip


def measured(space, runs=4, each=2, seed=0):
    """Simulated: a broad peak at 600 and 0.5, runs scatter by 1, cells by 0.5."""
    rng = np.random.default_rng(seed)
    at = np.repeat(np.arange(runs), each)
    rows = space.sample(len(at), rng)
    rows["anneal_C"] = np.linspace(400, 800, runs)[at]
    far = (rows["anneal_C"] - 600) / 200
    value = 50 - 6 * far**2 - 6 * (rows["load"] - 0.5) ** 2 + rng.standard_normal(runs)[at]
    if "sort" in rows:
        value += 0.5 * (rows["sort"] == "b")
    return rows.assign(run=[f"r{k}" for k in at], y=value + 0.5 * rng.standard_normal(len(at)))


def ask(space=SPACE, n=6, places=None, seed=1, **given):
    rows = measured(space)
    return propose(space, rows, objective="y", n=n, seed=seed, places=places,
                   goals=goals(maximize="y", **given))  # fmt: skip


def runs(asked):
    return asked.settings["anneal_C"].nunique()


class TestPrices:
    def test_a_file_gives_the_same_prices_back_and_an_old_one_has_none(self):
        prices = doe.Prices(change_over=3, run=1, per_factor={"anneal_C": {"down": 0.05}}, unit="h")
        given = goals(maximize="y", prices=prices, cost="1 + load")
        assert Goals.from_dict(given.to_dict()) == given and not given.plain
        assert "prices" not in goals(maximize="y", robust=1.0).to_dict()
        assert goals(maximize="y").plain

    @pytest.mark.parametrize(("bad", "told"), [
        (doe.Prices(change_over=3), "would cost nothing"), (5.0, "must be doe.Prices"),
        (doe.Prices(cell=1, per_factor={"anneal_K": 2.0}), "anneal_K"),
        (doe.Prices(cell=1, per_factor={"load": 2.0}), "hard=True"),
    ])  # fmt: skip
    def test_what_cannot_be_is_named_with_its_mend(self, bad, told):
        with pytest.raises(doe.CampaignError, match=told):
            doe.Campaign(SPACE, maximize="y", prices=bad)

    @pytest.mark.parametrize(("bad", "told"), [
        (doe.Prices(change_over=4, run=1), "change_over=4 would never be charged"),
        (doe.Prices(run=1, per_factor={"sort": {"down": 1.0}}), "and sort is text"),
    ])  # fmt: skip
    def test_what_a_space_without_hard_factors_cannot_follow_is_named(self, bad, told):
        space = doe.Space([doe.Choice("sort", ["a", "b"]), doe.Real("load", 0, 1, unit="")])
        with pytest.raises(doe.CampaignError, match=told):
            doe.Campaign(space, maximize="y", prices=bad)
        doe.Campaign(space, maximize="y", prices=doe.Prices(run=1, per_factor={"sort": 2.0}))

    def test_a_factor_that_was_not_in_use_has_no_price_upwards(self):
        space = doe.Space(
            [doe.Choice("sort", ["a", "b"], hard=True), doe.Real("load", 0, 1, unit=""),
             doe.Real("anneal_C", 400, 800, hard=True, only_if="sort == 'b'")])  # fmt: skip
        at = pd.DataFrame({"sort": ["a", "b", "b"], "load": 0.5, "anneal_C": [0.0, 600.0, 700.0]})
        prices = doe.Prices(run=1, per_factor={"anneal_C": {"up": 0.01, "down": 0.02}})
        for place, want in ((0, [1.0, 1.0, 1.0]), (2, [1.0, 3.0, 1.0])):
            found = RunPrices.of(space, prices, at.iloc[[place]]).begin(at)
            np.testing.assert_allclose(found, want)

    def test_a_run_begins_where_that_is_cheapest(self):
        prices = doe.Prices(change_over=2, run=1, cell=1,
                            per_factor={"anneal_C": {"up": 0.01, "down": 0.1}})
        at = pd.DataFrame({"anneal_C": [500.0, 600.0, 700.0, 600.0], "load": 0.5})
        nowhere = RunPrices.of(SPACE, prices, None)
        assert nowhere.begin(at).tolist() == [1.0] * 4
        found = RunPrices.of(SPACE, prices, at.iloc[[1]])
        np.testing.assert_allclose(found.begin(at), [13.0, 1.0, 4.0, 1.0])
        found.visit({"anneal_C": 500.0})
        np.testing.assert_allclose(found.begin(at), [1.0, 1.0, 4.0, 1.0])

    def test_words(self):
        at = pd.DataFrame({"anneal_C": [500.0, 600.0, 500.0, 500.0], "load": [0, 0.1, 0.2, 0.3]})
        assert said(SPACE, at) == "4 settings in 2 runs (3, 1)"
        assert said(SPACE, at.iloc[[0, 2]]) == "2 settings in 1 run (2)"
        assert not shared_price(doe.Prices(cell=1, per_factor={"anneal_C": {"up": 0.0}}))
        assert shared_price(doe.Prices(cell=1, per_factor={"anneal_C": 2.0}))


class TestImprovement:
    @pytest.mark.parametrize("cost", [None, "1 + load"])
    def test_without_a_price_of_runs_it_is_the_answer_without_prices(self, cost):
        free = ask(cost=cost)
        same = ask(cost=cost, prices=doe.Prices(cell=1.0) if cost is None else doe.Prices())
        pd.testing.assert_frame_equal(free.settings, same.settings)

    def test_a_dear_change_over_makes_fuller_runs(self):
        count = [runs(ask(prices=doe.Prices(change_over=price, cell=1.0)))
                 for price in (0.01, 1000.0)]  # fmt: skip
        assert count[0] >= 4 and count[1] <= 2

    def test_no_run_holds_more_than_it_can(self):
        space = doe.Space(SPACE.factors, per_run=2)
        asked = ask(space, prices=doe.Prices(change_over=1000.0, cell=1.0))
        assert len(asked.settings.drop_duplicates()) == 6
        assert any("6 settings in 3 runs (2, 2, 2)" in note for note in asked.notes)
        dear = ask(space, prices=doe.Prices(run=1000.0, cell=1.0))
        assert dear.settings.groupby("anneal_C").size().max() == 2

    def test_what_is_dear_to_reach_is_left_alone(self):
        """The furnace stands at 500: with dear change-overs it stays there."""
        place = pd.DataFrame({"anneal_C": [500.0], "load": [0.5]})
        for price, stays in ((0.0, False), (1e5, True)):
            asked = ask(n=3, places=place, prices=doe.Prices(change_over=price, run=0.1, cell=1))
            assert (asked.settings["anneal_C"] == 500.0).all() == stays

    def test_cooling_that_is_dear_is_avoided(self):
        place = pd.DataFrame({"anneal_C": [590.0], "load": [0.5]})
        warm, cool = (
            ask(n=3, places=place, prices=doe.Prices(cell=1, per_factor={"anneal_C": {way: 1.0}}))
            for way in ("down", "up")
        )
        assert warm.settings["anneal_C"].min() >= 590.0 - 1e-9
        assert cool.settings["anneal_C"].max() <= 590.0 + 1e-9

    def test_rules_hold_and_nothing_is_repeated(self):
        space = doe.Space(SPACE.factors, forbidden=["anneal_C > 600 and load > 0.5"])
        asked = ask(space, n=8, prices=doe.Prices(change_over=2.0, run=1.0, cell=0.5))
        assert space.feasible(asked.settings).all()
        assert len(asked.settings.drop_duplicates()) == 8

    @pytest.mark.parametrize("seed", range(6))
    def test_whatever_the_prices_rules_hold_and_nothing_underway_comes_again(self, seed):
        rng = np.random.default_rng(seed)
        space = doe.Space(
            [doe.Integer("anneal_C", 400, 800, hard=True), doe.Choice("sort", ["a", "b"]),
             doe.Real("load", 0, 1, step=0.25)],
            forbidden=["anneal_C > 650 and load > 0.5"], per_run=int(rng.integers(1, 4)),
        )  # fmt: skip
        prices = doe.Prices(*10.0 ** rng.uniform(-2, 2, 4),
                            per_factor={"anneal_C": {"up": float(rng.uniform(0, 1))}})
        rows, underway = measured(SPACE), space.sample(3, rng)
        rows = rows.assign(sort=rng.choice(["a", "b"], len(rows)), load=rows["load"].round(0),
                           anneal_C=rows["anneal_C"].round(0))  # fmt: skip
        decide = "sort" if seed % 2 else None
        asked = propose(
            space, rows, objective="y", n=5, seed=seed, pending=underway, places=underway,
            goals=goals(maximize="y", prices=prices, decide=decide),
        )  # fmt: skip
        assert len(asked.settings) == 5 and space.feasible(asked.settings).all()
        assert not len(asked.settings.merge(underway, on=space.names))

    def test_a_space_without_hard_factors_pays_for_each_setting_on_its_own(self):
        space = doe.Space([doe.Real("anneal_C", 400, 800), doe.Real("load", 0, 1)])
        place = pd.DataFrame({"anneal_C": [500.0], "load": [0.5]})
        asked = ask(space, n=2, places=place,
                    prices=doe.Prices(cell=1, per_factor={"anneal_C": {"change": 1e5}}))
        assert (asked.settings["anneal_C"] == 500.0).all() or runs(asked) == 1


@dataclass
class Told:
    """Stands in for a fitted model: response = 50 + slope * (load - 0.5), runs scatter by 2."""

    batch: float
    notes: list = field(default_factory=list)

    def mean(self, settings):
        return 50.0 + SLOPE[:, None] * (settings["load"].to_numpy(float) - 0.5)

    def moments(self, settings):
        cell = np.full((surrogate.DRAWS, len(settings)), 0.5)
        return self.mean(settings), cell, np.full(len(settings), self.batch)

    def scatter(self, settings):
        return np.full(len(settings), 0.5), np.full(len(settings), self.batch)


SLOPE = np.random.default_rng(5).normal(0.0, 3.0, surrogate.DRAWS).astype(np.float32)


@pytest.fixture
def physics_with(monkeypatch):
    def install(batch):
        def learn(*given):
            given[-1]["posterior:slope"] = SLOPE
            return Told(batch)

        monkeypatch.setattr(physics.Physics, "learn", learn)
        return object()

    return install


def test_runs_are_priced_before_anything_is_read_while_settings_are_underway(physics_with):
    underway = SPACE.sample(2, np.random.default_rng(0))
    asked = propose(
        SPACE, measured(SPACE).iloc[:0], objective="y", n=2, seed=1, model=physics_with(1.0),
        pending=underway, places=underway,
        goals=goals(maximize="y", prices=doe.Prices(change_over=2, cell=1)),
    )  # fmt: skip
    assert len(asked.settings) == 2 and SPACE.feasible(asked.settings).all()


class TestTeaching:
    def test_a_run_tells_of_contrasts_within_it(self, physics_with):
        """Its error cancels between two loads: a shared run at both ends tells of the slope."""
        asked = propose(
            SPACE, measured(SPACE).iloc[:0], objective="y", n=4, seed=1, model=physics_with(4.0),
            goals=goals(maximize="y", learn=["slope"], prices=doe.Prices(change_over=2, cell=1)),
        )  # fmt: skip
        assert len(asked.settings) == 4
        first = asked.settings[asked.settings["anneal_C"] == asked.settings["anneal_C"][0]]
        assert len(first) >= 2
        assert first["load"].min() < 0.1 and first["load"].max() > 0.9

    @pytest.mark.parametrize("hard", [True, False])
    def test_what_is_underway_will_tell_and_is_not_asked_for_again(self, physics_with, hard):
        """The slope is all but known from both ends underway: little is left to tell of it."""
        space = doe.Space([doe.Real("anneal_C", 400, 800, hard=hard), doe.Real("load", 0, 1)])
        ends = pd.DataFrame({"anneal_C": 600.0, "load": [0.0, 1.0] * 8})

        def told(pending):
            asked = propose(
                space, measured(space).iloc[:0], objective="y", n=2, seed=1, pending=pending,
                model=physics_with(0.5), goals=goals(maximize="y", learn=["slope"]),
            )  # fmt: skip
            return float(asked.reason[0].split(": ")[1].split(" nat")[0])

        ends["anneal_C"] += np.arange(16)
        assert told(ends) < 0.5 * told(None)

    def test_a_limit_does_not_make_readings_noiseless(self, physics_with):
        asked = propose(
            SPACE, measured(SPACE).iloc[:0], objective="y", n=1, seed=1, model=physics_with(2.0),
            goals=goals(maximize="y", learn=["slope"], require={"y >= 70": 0.5}),
        )  # fmt: skip
        assert float(asked.reason[0].split(": ")[1].split(" nat")[0]) < 1.0

    def test_where_nothing_tells_the_models_apart_the_least_known_is_asked_for(self, physics_with):
        rows = measured(SPACE).iloc[:2]
        asked = propose(
            SPACE, rows, objective="y", n=3, seed=1, model=physics_with(2.0),
            goals=goals(maximize="y", learn="models"),
        )  # fmt: skip
        assert not asked.settings.duplicated().any()
        assert abs(asked.settings["load"] - 0.5).max() > 0.4

    @pytest.mark.parametrize("learn", [["slope"], "models"])
    def test_a_dear_change_over_makes_fuller_runs_for_learning(self, physics_with, learn):
        count = []
        for price in (1e-6, 100.0):
            asked = propose(
                SPACE, measured(SPACE), objective="y", n=4, seed=1, model=physics_with(2.0),
                goals=goals(maximize="y", learn=learn,
                            prices=doe.Prices(change_over=price, cell=1.0)),
            )  # fmt: skip
            count.append(len(plots.companions(SPACE, asked.settings)) - runs(asked))
        assert count[0] <= count[1] and count[1] >= 2

    def test_deciding_compares_levels_within_a_run_where_change_overs_are_dear(self):
        cheap, dear = (
            ask(METHODS, n=4, decide="sort", prices=doe.Prices(change_over=price, cell=1.0))
            for price in (1e-6, 1000.0)
        )
        assert runs(dear) <= min(2, runs(cheap))
        assert dear.settings["sort"].nunique() == 2
        assert "which sort is best" in dear.reason[0]

    @pytest.mark.parametrize("seed", range(3))
    def test_without_prices_a_run_compares_levels_too(self, seed):
        """Its error cancels between two sorts of one run, and not between two runs."""
        asked = propose(METHODS, measured(METHODS, seed=seed), objective="y", n=4, seed=1,
                        goals=goals(maximize="y", decide="sort"))  # fmt: skip
        assert runs(asked) == 1 and asked.settings["sort"].nunique() == 2

    def test_without_prices_runs_are_filled_in_view_of_those_before(self):
        asked = propose(METHODS, measured(METHODS), objective="y", n=10, seed=1,
                        goals=goals(maximize="y", decide="sort"))  # fmt: skip
        assert len(asked.settings) == len(asked.reason) == 10
        assert not asked.settings.duplicated().any()


def test_the_equipment_stands_where_it_was_run_and_not_where_others_were():
    made = doe.Campaign(SPACE, maximize="y", prices=doe.Prices(change_over=4, run=1), seed=2,
                        fixed={"mill": "B"})  # fmt: skip

    def stands():
        return asking.places(made.declaration, made._log.state())["anneal_C"].tolist()

    assert stands() == []
    made.record({"study": "a paper", "anneal_C": 450.0, "load": 0.5, "y": 3.0})
    assert stands() == []
    made.record({"anneal_C": 500.0, "load": 0.5, "y": 3.0})
    made.record([
        {"study": "a paper", "mill": "A", "anneal_C": 700.0, "load": 0.5, "y": 3.0},
        {"mill": "A", "anneal_C": 720.0, "load": 0.5, "y": 3.0},
        {"kind": "statement", "anneal_C": 740.0, "load": 0.5, "statement": "highest_at",
         "outcome": "y", "over": "anneal_C", "value": 3.0},
        {"status": "abandoned", "anneal_C": 760.0, "load": 0.5},
    ])  # fmt: skip
    assert stands() == [500.0]
    made.record({"status": "failed", "reason": "stuck", "anneal_C": 600.0, "load": 0.5})
    assert stands() == [600.0]


def test_a_campaign_knows_its_prices_and_where_the_furnace_stands(tmp_path):
    prices = doe.Prices(change_over=500.0, run=1.0, cell=1.0, unit="h")
    made = doe.Campaign(SPACE, maximize="y", prices=prices, store=tmp_path / "a.db", seed=2)
    rows = measured(SPACE)
    made.record(rows)
    asked = made.suggest(3)
    assert (asked["anneal_C"] == 800.0).sum() >= 2  # the last run done was at 800
    assert made.card("s0001").lines["cost"] == (
        "1 h for the setting, and for its run 1 h and the change-over")
    again = doe.Campaign.open(tmp_path / "a.db")
    assert again.declaration.goals.prices == prices
    pd.testing.assert_frame_equal(again.suggest(3), asked)
    assert again.plan().price == made.plan(prices).price > 0.0
    with pytest.raises(doe.CampaignError, match="another campaign"):
        doe.Campaign(SPACE, maximize="y", store=tmp_path / "a.db", seed=2)
    with pytest.raises(doe.CampaignError, match="leave strategy"):
        doe.Campaign(SPACE, maximize="y", prices=prices, strategy="skopt")
