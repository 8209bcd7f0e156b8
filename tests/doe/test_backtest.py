"""Backtests: replays draw one replicate, seeds are paired, peers run in their own interpreter."""

import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ssbayes import doe
from ssbayes.doe import backtest, players

FACTORS = [doe.Real("rpm", 200, 1000), doe.Real("milling_min", 5, 60)]


def pool(n=60, replicates=3, noise=2.0, seed=0):
    rng = np.random.default_rng(seed)
    table = doe.Space(FACTORS).sample(n, rng)
    x = (table["rpm"] - 700.0) / 500.0
    table = table.assign(mean=150.0 - 60.0 * x**2 - 0.2 * table["milling_min"])
    table = table.loc[np.repeat(table.index, replicates)].reset_index(drop=True)
    value = table["mean"] + noise * rng.normal(size=len(table))
    return backtest.Pool(table.drop(columns="mean").assign(capacity_mAh_g=value), FACTORS,
                         "capacity_mAh_g", name="made up")


class TestListed:
    def test_only_listed_settings_leave_it(self):
        space = pool().space
        rng = np.random.default_rng(1)
        every = space.grid()
        assert every is not None and len(every) == 60 == space.size
        keys = set(every.itertuples(index=False, name=None))
        for table in (space.sample(20, rng), space.neighbours(every.head(2), rng, 5),
                      space.from_unit(rng.random((10, 2))), space.snap(every.head(3) + 0.3)):
            assert set(table.itertuples(index=False, name=None)) <= keys
        assert not space.feasible({"rpm": 555.5, "milling_min": 7.7})[0]

    def test_a_campaign_stays_on_the_list_also_when_it_is_opened_again(self, tmp_path):
        space = pool().space
        made = doe.Campaign(space, maximize="capacity_mAh_g", store=tmp_path / "a.db", seed=1)
        start = made.suggest(4)
        made.record(start[["suggestion"]].assign(capacity_mAh_g=[1.0, 2.0, 3.0, 4.0]))
        asked = made.suggest(3)
        assert space.feasible(asked).all()
        again = doe.Campaign.open(tmp_path / "a.db")
        pd.testing.assert_frame_equal(again.suggest(3), asked)
        assert space.feasible(pd.DataFrame([dict(again.best("space"))])[space.names])[0]

    def test_a_list_outside_the_bounds_is_refused(self):
        with pytest.raises(doe.SpaceError, match="none of the 1 settings"):
            doe.Listed(FACTORS, pd.DataFrame({"rpm": [5.0], "milling_min": [10.0]}))


class TestPool:
    def test_a_setting_without_a_reading_is_not_replayed(self):
        table = pd.DataFrame({"rpm": [500.0, 600.0, 700.0], "milling_min": 10.0,
                              "capacity_mAh_g": [1.0, 2.0, np.nan]})
        bench = backtest.Pool(table, FACTORS, "capacity_mAh_g")
        every = bench.space.grid()
        assert every is not None and len(every) == 2
        assert len(bench.score(every)) == 2

    def test_what_is_no_table_is_refused(self):
        with pytest.raises(doe.DoeError, match="give a DataFrame"):
            backtest.Pool([{"rpm": 500, "capacity_mAh_g": 1.0}], FACTORS,  # pyright: ignore
                          "capacity_mAh_g")

    def test_nothing_to_play_is_one_message(self):
        with pytest.raises(doe.DoeError, match="put it into a list"):
            backtest.run(pool(), ["random"])  # pyright: ignore
        with pytest.raises(doe.DoeError, match="nothing to play"):
            backtest.run([], ["random"])

    def test_an_experiment_is_one_replicate_and_not_their_mean(self):
        bench = pool()
        setting = bench.truth.iloc[[0]][bench.space.names]
        key = tuple(setting.iloc[0])
        drawn = {float(bench.run(setting, k)["capacity_mAh_g"].iloc[0]) for k in range(60)}
        assert drawn == set(bench.replicates[key])
        assert len(drawn) == 3

    def test_scores_are_ranks_of_the_means(self):
        bench = pool()
        best = bench.truth.loc[bench.truth["mean"].idxmax(), bench.space.names]
        assert bench.score(pd.DataFrame([best]))[0] == 1.0
        assert bench.truth["score"].min() == pytest.approx(1 / 60)
        assert 0.05 < bench.noise_ratio < 0.3


@pytest.fixture(scope="module")
def found():
    return backtest.run([pool()], ["random", "latin_hypercube", "skopt_gp", "ssbayes"],
                        experiments=12, seeds=3, progress=False)


class TestRun:
    def test_every_strategy_meets_the_same_starts_and_draws(self, found):
        first = found[found["experiments"] == backtest.STARTS]
        spread = first[first["strategy"].isin(["random", "latin_hypercube"])].groupby("seed")
        assert spread.ngroups == 3 and (spread["strategy"].nunique() == 2).all()
        assert (spread["score"].nunique() == 1).all()

    def test_those_that_learn_are_better_than_chance(self, found):
        last = found[found["experiments"] == 12].groupby("strategy")["score"].mean()
        assert last["ssbayes"] > last["random"] and last["skopt_gp"] > last["random"] - 0.05

    def test_the_report_has_pairs_with_intervals(self, found):
        table = backtest.report(found, within=0.1, at=(12,))
        ours = table[(table["strategy"] == "ssbayes, no physics") & (table["against"] == "random")]
        assert len(ours) == 1
        assert (ours["enhancement_low"] <= ours["enhancement_points"]).all()
        assert (ours["enhancement_points"] <= ours["enhancement_high"]).all()
        assert (ours["acceleration_low"] <= ours["acceleration_high"]).all()

    def test_a_strategy_against_its_twin_gains_nothing(self, found):
        twin = found[found["strategy"] == "ssbayes"].assign(strategy="skopt_gp")
        both = pd.concat([found[found["strategy"] == "ssbayes"], twin])
        table = backtest.report(both, against=("skopt_gp",), at=(12,))
        assert table["enhancement_points"].tolist() == [0.0]
        assert table["acceleration"].tolist() == [1.0]


PEER = """
import json, sys
for line in sys.stdin:
    told = json.loads(line)
    if "seed" in told:
        answer = {}
    else:
        y = told["y"]
        answer = {"best": y.index(min(y)), "pick": 0}
    print(json.dumps(answer), flush=True)
"""


def test_a_strategy_in_another_interpreter_plays_along(tmp_path):
    script = tmp_path / "peer.py"
    script.write_text(PEER)

    def run():
        return backtest.run([pool()], ["random"], experiments=6, seeds=1, progress=False,
                            elsewhere={"peer": [sys.executable, str(script)]})

    found = run()
    assert found["strategy"].tolist() == ["random"] * 3 + ["peer"] * 3
    assert found["score"].between(0, 1).all()
    script.write_text("raise SystemExit(3)")
    with pytest.raises(doe.DoeError, match="code 3"):
        run()


@pytest.mark.parametrize(("lab", "model"), [
    (doe.virtual.mill(1), "capacity"), (doe.virtual_coating.furnace(1), "annealing")])
def test_physics_is_a_strategy_on_virtual_laboratories(lab, model):
    bench = backtest.Laboratory(lab)
    player: Any = backtest.STRATEGIES["ssbayes_physics"](bench, 1)
    declared = player.campaign.declaration
    own = {"mill": lab.name} if model == "capacity" else {}
    assert declared.model_body["name"] == model
    assert declared.fixed == {**lab.space.fixed, **lab.kind.fixed, **own}
    assert set(backtest.STRATEGIES) | {"botorch"} == set(players.TITLES)
    with pytest.raises(doe.DoeError, match="virtual mills, mixers and furnaces"):
        backtest.run([pool()], ["ssbayes_physics"], experiments=6, seeds=1, progress=False)


def test_an_unknown_strategy_is_named():
    with pytest.raises(doe.DoeError, match="skopt_gp"):
        backtest.run([pool()], ["skopt_pg"], progress=False)
