"""Virtual laboratories: reproducible, honest about their noise, neither trivial nor hopeless."""

import numpy as np
import pandas as pd
import pytest
from ssbayes.doe import virtual
from ssbayes.doe.errors import DoeError
from ssbayes.doe.virtual_laws import SIZES_UM, fragments

LAWS = list(virtual.LAW_VERSIONS)
CORNERS = pd.DataFrame(
    {
        "rpm": [200.0, 200.0, 400.0, 600.0, 1000.0, 1000.0],
        "milling_min": [5.0, 300.0, 30.0, 10.0, 20.0, 20.0],
        "bead_mm": [5.0, 5.0, 5.0, 5.0, 5.0, 1.75],
    }
)
# Who changes a law changes its version; these are the values of the versions named here.
FROZEN = {
    "breakage-1": [94.475968, 134.478013, 149.482254, 143.976021, 73.56767, 77.066478],
    "regime-1": [88.775016, 93.836629, 138.875124, 152.471176, 154.87812, 89.007059],
    "gp-1": [178.575934, 139.986987, 136.685698, 157.521485, 142.823989, 103.02294],
}


@pytest.fixture(scope="module")
def settings():
    return virtual.random_settings(2000, seed=11)


@pytest.mark.parametrize("law", LAWS)
def test_a_version_stamp_holds_its_law(law):
    mill = virtual.mill(0, law)
    np.testing.assert_allclose(mill.true(CORNERS), FROZEN[mill.law_version], rtol=1e-5)


@pytest.mark.parametrize("law", LAWS)
def test_the_same_seed_is_the_same_laboratory_and_another_seed_another(law, settings):
    truth = virtual.mill(3, law).true(settings)
    np.testing.assert_array_equal(truth, virtual.mill(3, law).true(settings))
    assert np.abs(truth - virtual.mill(4, law).true(settings)).mean() > 1.0


@pytest.mark.parametrize("law", LAWS)
def test_runs_repeat_by_seed_and_differ_by_call(law):
    one, two = virtual.mill(5, law), virtual.mill(5, law)
    first, second = one.run(CORNERS), one.run(CORNERS)
    pd.testing.assert_frame_equal(first, two.run(CORNERS))
    assert not np.isin(first["capacity_mAh_g"], second["capacity_mAh_g"]).any()
    assert set(first["batch"]).isdisjoint(second["batch"])
    pd.testing.assert_frame_equal(one.run(CORNERS, seed=9), two.run(CORNERS, seed=9))


def test_one_noise_seed_gives_the_same_noise_whatever_the_setting():
    mill = virtual.mill(1)
    here, there = CORNERS.iloc[[1]], CORNERS.iloc[[3]]
    noise = [mill.run(s, seed=8)["capacity_mAh_g"] - mill.true(s) for s in (here, there)]
    np.testing.assert_allclose(noise[0], noise[1], atol=1e-9)
    both = mill.run(CORNERS.iloc[[1, 2]], seed=8)["capacity_mAh_g"].iloc[0]
    assert both == mill.run(here, seed=8)["capacity_mAh_g"].iloc[0]


@pytest.mark.parametrize("law", LAWS)
def test_batches_and_cells_scatter_as_stated(law):
    mill, batches, cells = virtual.mill(2, law), 4000, 3
    same = pd.DataFrame({"rpm": np.full(batches, 400.0), "milling_min": 30.0, "bead_mm": 5.0})
    reading = mill.run(same, cells=cells)["capacity_mAh_g"].to_numpy().reshape(batches, cells)
    cell_variance = reading.var(axis=1, ddof=1).mean()
    batch_variance = reading.mean(axis=1).var(ddof=1) - cell_variance / cells
    assert 1.7 <= mill.batch_sd <= 2.3
    assert 2.4 <= mill.cell_sd <= 3.0
    # Relative error of a variance: sqrt(2/n), larger by the kurtosis 6 of six degrees of freedom.
    assert cell_variance == pytest.approx(mill.cell_sd**2, rel=4 * np.sqrt(5.0 / (2 * batches)))
    assert batch_variance == pytest.approx(mill.batch_sd**2, rel=4 * np.sqrt(8.0 / batches))
    standard_error = reading.mean(axis=1).std() / np.sqrt(batches)
    assert reading.mean() == pytest.approx(mill.true(same.head(1))[0], abs=4 * standard_error)


@pytest.mark.parametrize("law", LAWS)
def test_every_row_says_that_it_is_simulated(law):
    table = virtual.mill(0, law).run(CORNERS, cells=2, power_log=True)
    assert len(table) == 2 * len(CORNERS)
    assert np.all(table["kind"] == "simulated")
    assert np.all(table["law"] == law)
    assert np.all(table["law_version"] == virtual.LAW_VERSIONS[law])
    assert np.all(table["source"].str.contains("simulated"))
    assert np.all(table["study"].str.contains("simulated"))
    assert np.all(table["mill"].str.contains("simulated"))
    assert np.all(table["specific_energy_J_g"] > 0.0)
    assert table["cell"].is_unique


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("seed", range(8))
def test_capacities_lie_between_0_and_200(law, seed, settings):
    truth = virtual.mill(seed, law).true(settings)
    assert (truth > 0.0).all()
    assert (truth < 200.0).all()


@pytest.mark.parametrize("law", LAWS)
def test_no_feasible_setting_beats_the_optimum(law, settings):
    for seed in range(12):
        mill = virtual.mill(seed, law)
        best, value = mill.optimum()
        assert virtual.feasible(best).all()
        assert mill.true(best)[0] == pytest.approx(value, rel=1e-12)
        assert mill.true(settings).max() <= value * (1.0 + 1e-6)


def test_the_search_in_a_declared_space_agrees_with_the_grid():
    for law in LAWS:
        mill = virtual.mill(6, law)
        found, value = mill.optimum(virtual.space())
        assert virtual.feasible(found).all()
        assert value == pytest.approx(mill.optimum()[1], rel=1e-3)


def edges(best: pd.DataFrame) -> tuple[bool, bool]:
    """Whether a setting lies on the rule's edge, and on the rule's edge or a range's end."""
    rpm, minutes = best["rpm"].item(), best["milling_min"].item()
    rule = (rpm >= 799.99 and abs(minutes - 20.0) < 0.01) or (
        abs(rpm - 800.0) < 0.01 and minutes >= 20.0
    )
    ends = rpm < 200.01 or rpm > 999.99 or minutes < 5.001 or minutes > 299.9
    return rule, rule or ends


def test_the_regime_law_has_its_optimum_on_an_edge_and_breakage_inside():
    found = {
        law: np.array([edges(virtual.mill(seed, law).optimum()[0]) for seed in range(100)])
        for law in ("regime", "breakage")
    }
    assert found["regime"][:, 1].mean() >= 0.70
    assert found["regime"][:, 0].mean() >= 0.40
    assert found["breakage"][:, 0].mean() == 0.0
    assert found["breakage"][:, 1].mean() <= 0.10


@pytest.mark.parametrize("law", LAWS)
def test_near_optimal_settings_are_rare_but_findable(law, settings):
    """Share of the space within 2 %, and what eight random experiments find by their best
    reading: the task is neither trivial nor hopeless."""
    shares, successes = [], []
    for seed in range(40):
        mill = virtual.mill(seed, law)
        good = (mill.ratio(settings) >= 0.98).reshape(-1, 8)
        reading = mill.run(settings)["capacity_mAh_g"].to_numpy().reshape(-1, 8)
        shares.append(good.mean())
        successes.append(good[np.arange(len(good)), np.argmax(reading, axis=1)].mean())
    assert 0.002 <= np.median(shares) <= 0.10
    assert 0.09 <= np.mean(successes) <= 0.35


def test_breaking_keeps_the_mass_and_only_makes_it_finer():
    lab = {"selection_power": 0.7, "daughter_power": 1.1}
    mass = fragments(lab, np.array([0.0, 0.5, 3.0, 1e4]))
    np.testing.assert_allclose(mass.sum(axis=1), 1.0, atol=1e-9)
    assert (mass > -1e-9).all()
    assert (np.diff(mass @ SIZES_UM) < 0.0).all()
    np.testing.assert_allclose(mass[-1], [0, 0, 0, 0, 0, 1], atol=1e-6)


def test_beads_change_regime_between_200_and_400_rpm():
    rpm = np.geomspace(180.0, 1000.0, 200)
    for seed in range(10):
        energy = virtual.mill(seed, "regime").specific_energy({"rpm": rpm, "milling_min": 10.0})
        power = np.gradient(np.log(energy), np.log(rpm))
        assert 200.0 < rpm[np.argmax(power)] < 400.0
        assert power.max() > power[-1] + 0.5
        assert np.ptp(power[rpm > 600.0]) < 0.05


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: virtual.mill(0, "braekage"), "did you mean 'breakage'"),
        (lambda: virtual.mill(-1), "whole number"),
        (lambda: virtual.mill(0).true({"rmp": 400.0, "milling_min": 5.0}), "did you mean 'rmp'"),
        (lambda: virtual.mill(0).true({"rpm": 400.0, "milling_min": -5.0}), "milling_min=-5.0"),
        (lambda: virtual.mill(0).run({"rpm": 900.0, "milling_min": 30.0}), "forbidden"),
    ],
)
def test_mistakes_are_named(call, words):
    with pytest.raises(DoeError, match=words):
        call()
