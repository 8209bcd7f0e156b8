"""Suggestion cards: what is expected, what is near, and which reading would change the plan."""

import re

import numpy as np
import pandas as pd
import pytest
from ssbayes import doe, models
from ssbayes.doe import cards, physics
from ssbayes.models.engine.fitting import before_data

SPACE = doe.Space([doe.Real("rpm", 200, 1000), doe.Real("milling_min", 5, 60, log=True)])


@pytest.fixture(scope="module")
def campaign():
    made = doe.Campaign(SPACE, maximize="capacity_mAh_g", seed=3, cost="30 + milling_min",
                        fixed={"c_rate": 0.1})
    table = SPACE.sample(8, np.random.default_rng(0))
    x = (table["rpm"] - 600.0) / 400.0
    made.record(table.assign(kind="simulated", capacity_mAh_g=150.0 - 30.0 * x**2))
    return made


def test_a_card_holds_what_the_bench_needs(campaign):
    asked = campaign.suggest(2)
    card = campaign.card(asked["suggestion"][0])
    assert list(card.lines)[:4] == ["what to run", "state", "expected", "why"]
    assert "rpm" in card.lines["what to run"] and "1/min" in card.lines["what to run"]
    assert "c_rate 0.1" in card.lines["what to run"]
    assert "90%" in card.lines["expected"] and "next cell" in card.lines["expected"]
    minutes = asked["milling_min"][0]
    assert card.lines["cost"].startswith(f"{30 + minutes:.4g}")
    assert "reading" in card.lines["what would change the plan"]
    assert "<table>" in card._repr_html_() and card.suggestion in str(card)


def test_a_card_tells_the_next_batch_from_the_next_cell():
    made = doe.Campaign(SPACE, maximize="capacity_mAh_g", seed=3)
    rng = np.random.default_rng(0)
    at = np.repeat(np.arange(6), 3)
    table = SPACE.sample(6, rng).iloc[at].reset_index(drop=True)
    value = 150.0 + table["rpm"] / 100.0 + rng.normal(0, 3, 6)[at] + rng.normal(0, 2, 18)
    made.record(table.assign(kind="simulated", batch=[f"b{k}" for k in at], capacity_mAh_g=value))
    asked = made.suggest(1)
    assert asked["predicted_batch_sd"][0] < asked["predicted_cell_sd"][0]
    assert "mean of the next batch" in made.card("s0001").lines["expected"]


def test_where_batches_are_unknown_it_is_said_once():
    made = doe.Campaign(SPACE, maximize="capacity_mAh_g", seed=3)
    table = SPACE.sample(8, np.random.default_rng(0))
    made.record(table.assign(kind="simulated", capacity_mAh_g=150.0 + table["rpm"] / 100.0))
    first, more = made.suggest(1), made.suggest(2)
    assert more["predicted_batch_sd"].isna().all()
    said = [any("cannot be told apart" in n for n in t.attrs["notes"]) for t in (first, more)]
    assert said == [True, False]
    assert "mean of the next batch" not in made.card("s0002").lines["expected"]


def test_the_nearest_run_is_the_nearest(campaign):
    asked = campaign.suggest(2)
    results = campaign.results()
    gap = np.linalg.norm(
        SPACE.encode(results[SPACE.names]) - SPACE.encode(asked.loc[[0], SPACE.names]), axis=1)
    nearest = results.iloc[gap.argmin()]
    told = campaign.card(asked["suggestion"][0]).lines["nearest run done"]
    assert f"rpm {nearest['rpm']:.4g}" in told
    assert f"{nearest['capacity_mAh_g']:.4g}" in told


def test_an_unknown_suggestion_is_named(campaign):
    with pytest.raises(doe.CampaignError, match="s9999"):
        campaign.card("s9999")


def test_a_reading_at_the_turning_point_makes_both_equal():
    rng = np.random.default_rng(1)
    draws = np.array([10.0, 12.0]) + rng.standard_normal((20_000, 2)) * [3.0, 1.0]
    turn = cards.turning_point(draws, 2.0, 0, 1)
    # conjugate normal: mean after a reading y is m + (y - m) 9 / (9 + 4)
    assert turn == pytest.approx(10.0 + 2.0 * 13.0 / 9.0, rel=0.02)
    assert cards.turning_point(draws[:, [0, 0]], 2.0, 0, 1) is None
    # a rival that moves twice as far with it is caught up with from above
    rival = np.stack([draws[:, 0], 2.0 * draws[:, 0] - 6.0], axis=1)
    turn = cards.turning_point(rival, 2.0, 0, 1)
    after = 10.0 + (turn - 10.0) * 9.0 / 13.0
    assert 2.0 * after - 6.0 == pytest.approx(after, abs=0.1) and turn < 10.0


def test_a_reading_at_the_ends_of_the_turning_range_makes_both_as_near():
    rng = np.random.default_rng(1)
    draws = np.array([10.0, 12.0]) + rng.standard_normal((4000, 2)) * [3.0, 0.01]
    low, high = cards.turning_range(draws, 0.01, 0, 1, target=14.0) or (0.0, 0.0)
    # the rival is 2 away, and this setting's mean will be its reading
    assert (low, high) == pytest.approx((12.0, 16.0), abs=0.15)
    assert cards.turning_range(draws, 0.01, 0, 1, 12.0, (5.0, 0.0)) is None


@pytest.mark.parametrize("wanted", [
    {"target": {"y": 20.0}}, {"maximize": "y", "robust": 1.0},
    {"minimize": "y", "require": {"porosity <= 0.5": 0.8}}])
def test_a_card_speaks_of_the_setting_that_is_recommended(wanted):
    space = doe.Space([doe.Integer("n", 1, 12, unit="1")], soft={"n > 8": "the jar gets hot"})
    made = doe.Campaign(space, seed=3, unit="1", **wanted)
    rng = np.random.default_rng(0)
    rows = [{"n": n, "y": 5.0 * n + rng.normal(0, 0.5 * n), "cell": f"{n}{k}", "batch": f"b{n}{k}",
             "porosity": 0.1 * n + rng.normal(0, 0.01)} for n in (1, 3, 5, 7, 9) for k in range(4)]
    if "require" not in wanted:
        rows = [{k: v for k, v in row.items() if k != "porosity"} for row in rows]
    made.record(rows)
    asked = made.suggest(3)
    best = made.best()
    for name, n in zip(asked["suggestion"], asked["n"], strict=True):
        lines = made.card(name).lines
        told = lines["what would change the plan"]
        assert (f"{best['n']:g} n" in told) == (n != best["n"]), told
        assert ("known of this region" in lines) == (n > 8)
        assert ("porosity of the next cell" in lines["expected"]) == ("require" in wanted)


def test_a_card_says_which_requirement_no_reading_would_make_up_for():
    space = doe.Space([doe.Integer("n", 1, 12, unit="1")])
    made = doe.Campaign(space, seed=3, unit="1", maximize="y", require={"porosity <= 0.5": 0.8})
    rng = np.random.default_rng(0)
    made.record([{"n": n, "y": 5.0 * n + rng.normal(0, 0.1), "cell": f"{n}{k}", "batch": f"b{n}{k}",
                  "porosity": 0.1 * n + rng.normal(0, 0.01)} for n in (1, 3, 5, 9) for k in "ab"])
    state, declaration = made._log.state(), made.declaration
    tried = cards.states.tried(state.rows, declaration)
    told = cards._turn(declaration, state, pd.DataFrame({"n": [8]}), tried)
    assert told.startswith("no reading of y alone would: 'porosity <= 0.5' holds with P 0.")


def test_a_card_says_the_setting_to_its_last_digit():
    space = doe.Space([doe.Real("temp_K", 1000.0, 1100.0, step=0.5)])
    made = doe.Campaign(space, seed=3, unit="1", maximize="y")
    asked = made.suggest(4)
    for name, value in zip(asked["suggestion"], asked["temp_K"], strict=True):
        assert made.card(name).lines["what to run"] == f"temp_K {value:.12g}"
    assert (asked["temp_K"] % 1 == 0.5).any()


def test_a_card_tells_that_it_rests_on_a_row_taken_back():
    made = doe.Campaign(doe.Space([doe.Real("p", 0.0, 10.0)]), seed=3, unit="1", maximize="y")
    made.record(pd.DataFrame({"p": range(5), "y": [1, 2, 3, 1000, 2]}))
    first = made.suggest(1)
    assert "beware" not in made.card("s0001").lines and "taken back" not in str(first.attrs)
    made.withdraw(3)
    assert "taken back" in made.card("s0001").lines["beware"]
    assert "s0001: chosen in view of rows" in str(made.suggest(1).attrs["notes"])
    made.drop("s0001")
    fresh = made.suggest(1)
    assert fresh["suggestion"][0] == "s0002" and "s0002:" not in str(fresh.attrs["notes"])


def test_a_card_says_the_energy_and_the_regime_where_the_model_knows_them(monkeypatch):
    fixed = {"c_rate": 0.1, "mill": "Pulverisette 7"}
    made = doe.Campaign(SPACE, maximize="capacity_mAh_g", model="capacity", fixed=fixed)
    setting = pd.DataFrame({"rpm": [200.0], "milling_min": [5.0]})
    prior = before_data(models.get("capacity"), setting.assign(**fixed), 200, 1)
    told = physics.Physics(prior.response(cards.ENERGY), cards.ENERGY, fixed)
    monkeypatch.setattr(physics.Physics, "learn", lambda *given: told)
    monkeypatch.setattr(cards.posterior, "kept", lambda state: {})
    monkeypatch.setattr(cards.states, "learned", lambda state, declaration: None)
    lines = cards._milling(made.declaration, None, setting)
    assert list(lines) == ["specific energy", "regime of milling"]
    assert "J/g (90% equal-tailed" in lines["specific energy"]
    said = lines["regime of milling"]
    assert "above the contact threshold with P 0." in said and "damage-dominated (gentler" in said
    plain = doe.Campaign(SPACE, maximize="capacity_mAh_g")
    assert cards._milling(plain.declaration, None, setting) == {}


def with_requirement(rows=slice(None), **wanted):
    """Simulated: capacity rises with the speed, retention falls."""
    rpm = np.array([250.0, 300, 400, 500, 600, 700, 800, 900, 350, 650])
    table = pd.DataFrame({"rpm": rpm, "milling_min": [10.0, 20, 30, 40, 50, 15, 25, 35, 45, 55]})
    rng = np.random.default_rng(0)
    table = table.assign(
        kind="simulated", capacity_mAh_g=100 + 0.1 * (rpm - 200) + rng.normal(0, 1, 10),
        retention=0.98 - 0.0003 * (rpm - 200) + rng.normal(0, 0.002, 10))
    space = doe.Space([doe.Real("rpm", 200, 1000), doe.Real("milling_min", 5, 60)])
    made = doe.Campaign(space, seed=1, **wanted)
    made.record(table.iloc[rows][[*space.names, "kind", *made.declaration.outcomes]])
    return made, made.suggest(1).iloc[0]


@pytest.mark.parametrize("off", [-1.0, 1.0])
def test_a_requirement_on_the_objective_is_what_a_reading_settles(off):
    made, asked = with_requirement(
        minimize="capacity_mAh_g", require={"capacity_mAh_g >= 140": 0.8})
    told = made.card("s0001").lines["what would change the plan"]
    found = re.match(r"one reading above ([\d.]+) would make this the recommended", told)
    assert found, told
    made.record({"suggestion": "s0001", "capacity_mAh_g": float(found[1]) + off})
    best = made.best()
    assert (best["rpm"] == asked["rpm"]) == (off > 0)


def test_where_nothing_tried_keeps_what_is_required_the_likelier_to_is_recommended():
    made, asked = with_requirement(
        slice(3, 8), maximize="capacity_mAh_g", require={"retention >= 0.9": 0.8})
    told = made.card("s0001").lines["what would change the plan"]
    assert told.startswith("any likely reading would make this the recommended"), told
    made.record({"suggestion": "s0001", "capacity_mAh_g": 110.0})
    assert made.best()["rpm"] == asked["rpm"]


@pytest.mark.parametrize(("would", "said"), [
    ([1, 1, 1, 1, 1], "any likely reading"), ([0, 0, 1, 1, 1], "one reading above 3"),
    ([1, 1, 0, 0, 0], "one reading below 2"), ([0, 1, 1, 0, 0], "one reading 2 to 3"),
    ([1, 0, 0, 0, 1], "one reading outside 2 to 4"), ([0, 0, 0, 0, 0], "no likely reading"),
])  # fmt: skip
def test_readings_are_said_as_a_range(would, said):
    readings, would = np.arange(1.0, 6.0), np.array(would, dtype=bool)
    assert cards._readings(readings, would, "would", "", "y") == f"{said} would"
