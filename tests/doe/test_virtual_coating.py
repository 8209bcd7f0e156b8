"""Virtual mixers and furnaces: reproducible, honest about their noise, physical at the limits."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from ssbayes import doe
from ssbayes.doe import virtual_coating as virtual
from ssbayes.doe.errors import DoeError
from ssbayes.doe.virtual_coating_laws import LAWS, giant_component, oxidised, shape

KINDS = list(virtual.KINDS)
SETTINGS = {
    "mechanofusion": pd.DataFrame(
        {
            "rpm": [1000.0, 5000, 10_000, 10_000, 7000],
            "milling_min": [60.0, 10, 60, 60, 20],
            "electrolyte_parts": [20.0, 20, 20, 20, 5],
            "cb_parts": [0.5, 0.5, 0, 3, 0.1],
            "premix_rpm": [5000.0, 5000, 0, 5000, 8000],
            "premix_min": [10.0, 10, 0, 10, 30],
        }
    ),
    "annealing": pd.DataFrame(
        {
            "anneal_degC": [25.0, 200, 300, 400, 500, 350],
            "anneal_h": [1.0, 1, 3, 1, 1, 10],
            "o2_fraction": [0.21, 0.21, 1, 0.21, 0.21, 0.5],
        }
    ),
}
# Who changes a law changes its version; these are the values of the versions named here.
FROZEN = {
    "mechanofusion-1": [57.322843, 85.697228, 89.842145, 52.075122, 46.214702],
    "annealing-1": [7.626367, 7.657985, 4.04504, 5.711234, 11.472685, 5.826104],
}
PLACES = {name: settings.tail(4).reset_index(drop=True) for name, settings in SETTINGS.items()}


@pytest.mark.parametrize("law", KINDS)
def test_a_version_stamp_holds_its_law(law):
    lab = virtual.laboratory(0, law)
    np.testing.assert_allclose(lab.true(SETTINGS[law]), FROZEN[lab.law_version], rtol=1e-5)


@pytest.mark.parametrize("law", KINDS)
def test_the_same_seed_is_the_same_laboratory_and_another_seed_another(law):
    settings = virtual.laboratory(0, law).random_settings(500, 3)
    truth = virtual.laboratory(3, law).true(settings)
    np.testing.assert_array_equal(truth, virtual.laboratory(3, law).true(settings))
    other = virtual.laboratory(4, law).true(settings)
    assert np.abs(np.log(truth / other)).mean() > 0.05


@pytest.mark.parametrize("law", KINDS)
def test_runs_repeat_by_seed_and_differ_by_call(law):
    one, two = (virtual.laboratory(5, law) for _ in range(2))
    goal, places = one.kind.objective, PLACES[law]
    first, second = one.run(places), one.run(places)
    pd.testing.assert_frame_equal(first, two.run(places))
    assert not np.isin(first[goal], second[goal]).any()
    assert set(first["batch"]).isdisjoint(second["batch"])
    pd.testing.assert_frame_equal(
        one.run(places, seed=9, beside=True), two.run(places, seed=9, beside=True)
    )


@pytest.mark.parametrize("law", KINDS)
def test_one_noise_seed_gives_the_same_noise_whatever_the_setting(law):
    lab, places = virtual.laboratory(1, law), PLACES[law]
    goal = lab.kind.objective
    here, there = places.iloc[[0]], places.iloc[[2]]
    noise = [lab.run(s, seed=8)[goal] / lab.true(s) for s in (here, there)]
    np.testing.assert_allclose(noise[0], noise[1], rtol=1e-9)
    both = lab.run(places.iloc[[0, 2]], seed=8)[goal].iloc[0]
    assert both == lab.run(here, seed=8)[goal].iloc[0]


@pytest.mark.parametrize("law", KINDS)
def test_batches_and_cells_scatter_as_stated(law):
    lab, batches, cells = virtual.laboratory(2, law), 4000, 3
    places = pd.concat([PLACES[law].iloc[[1]]] * batches, ignore_index=True)
    if law == "mechanofusion":  # each at a speed of its own, or they would share a run
        places["rpm"] = np.linspace(5000, 10_000, batches)
    table = lab.run(places, seed=1, cells=cells)
    reading = table[lab.kind.objective].to_numpy().reshape(batches, cells)
    reading = reading / lab.true(places)[:, None]
    low, high = lab.kind.batch_sd
    assert low <= lab.batch_sd <= high
    # Mean of three cells over mean of the batch: relative variance of cells, then of batches.
    relative = reading / reading.mean(axis=1, keepdims=True)
    cell_variance = (relative**2).sum(axis=1).mean() / (cells - 1) - cells / (cells - 1)
    assert cell_variance == pytest.approx(lab.cell_sd**2, rel=0.12)
    batch = np.log(reading.mean(axis=1)).var() - cell_variance / cells
    assert batch == pytest.approx(lab.batch_sd**2, rel=4 * np.sqrt(2 / batches) + 0.03)
    error = reading.mean(axis=1).std() / np.sqrt(batches)
    assert reading.mean() == pytest.approx(1.0, abs=4 * error)


def test_samples_of_one_run_share_most_of_the_batch_error():
    lab = virtual.mixer(3)
    times = pd.DataFrame({"rpm": 10_000.0, "milling_min": [5.0, 10, 30, 60], "cb_parts": 0.5})
    table = lab.run(times, seed=0)
    assert len(table["run"].drop_duplicates()) == 1
    assert len(table["batch"].drop_duplicates()) == 4
    noise = np.stack([np.log(lab.run(times, seed=k)[lab.kind.objective] / lab.true(times))
                      for k in range(400)])  # fmt: skip
    shared = 2 / 3 * lab.batch_sd**2 / (lab.batch_sd**2 + lab.cell_sd**2)
    correlation = np.corrcoef(noise.T)[np.triu_indices(4, 1)]
    assert correlation.mean() == pytest.approx(shared, abs=0.1)
    fifth = pd.concat([times, times.head(1).assign(milling_min=20.0)], ignore_index=True)
    assert len(lab.run(fifth, seed=0)["run"].drop_duplicates()) == 2
    apart = lab.run(times.assign(rpm=[1e4, 9e3, 8e3, 7e3]), seed=0)
    assert len(apart["run"].drop_duplicates()) == 4


@pytest.mark.parametrize("law", KINDS)
def test_every_row_says_that_it_is_simulated(law):
    lab = virtual.laboratory(0, law)
    table = lab.run(PLACES[law], cells=2, beside=True)
    assert len(table) == 2 * len(PLACES[law])
    assert np.all(table["kind"] == "simulated")
    assert np.all(table["law_version"] == virtual.LAW_VERSIONS[law])
    for name in ("source", "study"):
        assert np.all(table[name].str.contains("simulated"))
    assert table["cell"].is_unique
    for name in lab.kind.beside:
        assert table[name].between(0, 1).all()
        assert np.all(table.groupby("batch")[name].nunique() == 1)


@pytest.mark.parametrize("law", KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_truths_stay_in_physical_bounds(law, seed):
    lab = virtual.laboratory(seed, law)
    found = lab.outcomes(lab.random_settings(2000, 11))
    goal = found.pop(lab.kind.objective)
    assert np.all(goal > 0)
    assert np.all(goal < (200 if law == "mechanofusion" else 100))
    for share in found.values():
        assert share.min() >= 0
        assert share.max() <= 1 + 1e-12


@pytest.mark.parametrize("law", KINDS)
def test_no_feasible_setting_beats_the_optimum(law):
    for seed in range(4):
        lab = virtual.laboratory(seed, law)
        best, value = lab.optimum()
        assert lab.space.feasible(best).all()
        assert lab.true(best)[0] == pytest.approx(value, rel=1e-12)
        many = lab.random_settings(20_000, 5)
        assert lab.ratio(many).max() <= 1 + 1e-6
        top = many.iloc[np.argsort(-lab.ratio(many))[:20]]
        near = lab.space.neighbours(top, np.random.default_rng(1), 200, 0.05)
        assert lab.ratio(near).max() <= 1 + 2e-3


@pytest.mark.parametrize("law", KINDS)
def test_near_optimal_settings_are_rare_but_there(law):
    """The task is neither trivial nor hopeless."""
    shares, middle = [], []
    for seed in range(16):
        lab = virtual.laboratory(seed, law)
        ratio = lab.ratio(lab.random_settings(1000, 2))
        shares.append(np.mean(ratio >= 1 - lab.kind.within))
        middle.append(np.median(ratio))
    assert 0.002 <= np.median(shares) <= 0.10
    assert np.median(middle) < 0.75


def test_laboratories_disagree_on_whether_carbon_helps():
    best = [virtual.mixer(seed).optimum()[0]["cb_parts"].item() for seed in range(12)]
    assert 0.2 <= np.mean(np.array(best) == 0) <= 0.8


def test_the_best_temperature_is_inside_and_below_where_coatings_are_lost():
    best = [virtual.furnace(seed).optimum()[0]["anneal_degC"].item() for seed in range(12)]
    assert min(best) > 220
    assert max(best) < 450


def test_coverage_rises_with_speed_and_time_as_published():
    """5000 1/min and 5 to 10 min reach the plateau of 97 %, 1000 1/min does not in an hour."""
    fast, slow = [], []
    for seed in range(20):
        lab = virtual.mixer(seed)
        place = {"electrolyte_parts": 20.0, "cb_parts": 3.0}
        over = lab.outcomes({**place, "rpm": 5000, "milling_min": [5, 10, 30, 60]})["coverage"]
        assert np.all(np.diff(over) >= 0)
        fast.append(over[1])
        slow.append(lab.outcomes({**place, "rpm": 1000, "milling_min": 60})["coverage"][0])
    assert np.median(fast) > 0.93
    assert np.median(slow) < 0.8


def test_a_giant_component_begins_at_one_link_each():
    degree = np.array([0.0, 0.5, 0.99, 1.2, 2.0, 30.0])
    share = giant_component(degree)
    assert share[:3] == pytest.approx(0, abs=0.02)
    np.testing.assert_allclose(share[3:], -np.expm1(-degree[3:] * share[3:]), atol=1e-4)
    assert share[-1] == pytest.approx(1)


def test_oxidation_rises_with_temperature_time_and_oxygen():
    lab = LAWS["annealing"].draw(np.random.default_rng(0))
    one = np.ones(40)
    hot = oxidised(lab, np.linspace(25, 700, 40), one, 0.21 * one)
    long = oxidised(lab, 300 * one, np.geomspace(0.1, 100, 40), 0.21 * one)
    rich = oxidised(lab, 300 * one, one, np.linspace(0.01, 1, 40))
    for share in (hot, long, rich):
        assert np.all(np.diff(share) >= -1e-12)
    assert hot[0] < 0.01
    assert hot[-1] > 0.99


def test_without_precursor_a_powder_grows_as_bare():
    lab = virtual.furnace(1)
    columns = shape("annealing", anneal_degC=25.0, anneal_h=1.0, o2_fraction=0.21,
                    precursor_wt_pct=1e-9)  # fmt: skip
    found = LAWS["annealing"].outcomes(lab._lab, columns)
    assert found["growth_ohm_cm2_sqrth"][0] == pytest.approx(lab._lab["bare_growth"], rel=1e-2)


def test_less_growth_is_better_and_a_ratio_is_at_most_one():
    lab = virtual.furnace(0)
    assert not lab.kind.maximize
    best, value = lab.optimum()
    assert lab.ratio(best)[0] == pytest.approx(1.0)
    assert lab.ratio({"anneal_degC": 200.0, "anneal_h": 1.0})[0] < 1
    assert value < lab.true({"anneal_degC": 200.0})[0]


@pytest.mark.parametrize(
    ("law", "goal"), [("mechanofusion", "maximize"), ("annealing", "minimize")]
)
def test_a_campaign_takes_what_a_virtual_laboratory_reads(law, goal):
    lab = virtual.laboratory(0, law)
    aim: Any = {goal: lab.kind.objective}
    campaign = doe.Campaign(lab.space, fixed=dict(lab.kind.fixed), strategy="random", **aim)
    asked = campaign.suggest(6)
    rows = lab.run(asked).drop(columns=["kind", "law", "law_version", "source"])
    campaign.record(rows)
    assert len(campaign.results()) == 6
    readings = rows[lab.kind.objective].to_numpy()
    best: Any = campaign.rank().table.iloc[0]
    # the best reading of six is partly luck, of its run above all: less is expected than was read
    ends = sorted([readings.mean(), readings.max() if lab.kind.maximize else readings.min()])
    slack = 0.15 * abs(ends[1])
    assert ends[0] - slack < best["predicted_mean"] < ends[1] + slack


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: virtual.laboratory(0, "anealing"), "did you mean 'annealing'"),
        (lambda: virtual.mixer(-1), "whole number"),
        (lambda: virtual.mixer(0).true({"rmp": 5000.0, "milling_min": 5.0}), "did you mean 'rmp'"),
        (lambda: virtual.furnace(0).true({"anneal_degC": -5.0}), "anneal_degC=-5.0"),
        (
            lambda: virtual.mixer(0).run(
                {"rpm": 5000.0, "milling_min": 5.0, "electrolyte_parts": 1.0, "cb_parts": 3.0}
            ),
            "refuses a setting.*0.2",
        ),
        (lambda: virtual.furnace(0).run({"anneal_degC": 700.0}), "refuses a setting.*anneal_degC"),
    ],
)
def test_mistakes_are_named(call, words):
    with pytest.raises(DoeError, match=words):
        call()
