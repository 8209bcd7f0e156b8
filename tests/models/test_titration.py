"""Titration: the published evaluation to the digit, and what its joint errors say of constancy."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest
from ssbayes.data import titration as tables
from ssbayes.doe import virtual_titration as virtual
from ssbayes.models import constancy, rests
from ssbayes.models import titration as methods
from ssbayes.models.titration import TitrationError

ROOT = Path(__file__).parents[2]
FOUND = [p for p in (ROOT / "shared/data/ctc", ROOT.parent / "shared/data/ctc") if p.is_dir()]
real = pytest.mark.skipif(not FOUND, reason="the measured titrations are not on this machine")
MASS = {"bad": 9.0, "good": 10.47}
BAD = [(53.50, 4.93, 3.05), (67.51, 6.97, 3.38), (79.92, 5.88, 4.46), (82.96, 9.88, 4.68),
       (75.04, 9.63, 4.51), (88.96, 17.75, 5.15)]


def measured(name):
    reference = methods.reference_curve(
        tables.read_reference(FOUND[0] / "LIB_titration-data.txt"), mass_mg=5.25, mass_sd_mg=0.09)
    return tables.read_cell(FOUND[0] / f"{name}SSB_titration-data.txt"), reference


def joint(name) -> Any:
    cell, reference = measured(name)
    return methods.points(cell, reference, vs="Li", mass_mg=MASS[name], mass_sd_mg=0.1)


def made(scenario="constant", seed=3) -> Any:
    case = virtual.simulate(scenario, seed)
    curve = methods.reference_curve(tables.reference_table(case.reference), mass_mg=5.25,
                                    mass_sd_mg=0.09)
    return case, tables.cell_table(case.cell), curve


def made_points(scenario="constant", seed=3, **options: Any) -> Any:
    case, cell, curve = made(scenario, seed)
    options = {"vs": "Li", "mass_mg": case.mass_mg, "mass_sd_mg": case.mass_sd_mg} | options
    return methods.points(cell, curve, **options)[0]


# --- the published evaluation


@real
def test_stepwise_gives_the_published_values_and_bars_of_the_bad_cell():
    cell, reference = measured("bad")
    found = methods.stepwise(cell, reference, mass_mg=9.0, mass_sd_mg=0.1)
    np.testing.assert_allclose(100 * found[["utilization", "plus", "minus"]], BAD, atol=0.0101)


@real
@pytest.mark.parametrize(("name", "last", "mean", "sd"), [("bad", 5, 76.36, 5.84),
                                                          ("good", 6, 101.19, 2.58)])
def test_stepwise_averages_are_the_published_ones(name, last, mean, sd):
    cell, reference = measured(name)
    found = methods.stepwise(cell, reference, mass_mg=MASS[name], mass_sd_mg=0.1)
    assert 100 * np.array(methods.average(found, 2, last)) == pytest.approx([mean, sd], abs=0.005)


@real
def test_the_true_worst_case_pairs_opposite_sides():
    cell, reference = measured("bad")
    found = methods.stepwise(cell, reference, mass_mg=9.0, mass_sd_mg=0.1, errors="worst")
    first = 100 * found.loc[1, ["plus", "minus"]].to_numpy(float)
    assert first == pytest.approx([3.82, 3.92], abs=0.005)


# --- the reference curve


def test_the_curve_is_monotone_and_passes_its_points():
    _, _, curve = made()
    fine = np.linspace(curve.potential[0], curve.potential[-1], 3000)
    assert (np.diff(curve.charge(fine)) > 0).all()
    assert (curve.slope(fine) > 0).all()
    np.testing.assert_allclose(curve.charge(curve.potential),
                               curve.table["charge_mAh"] / 5.25e-3, rtol=1e-12)
    down, up = curve.band(fine)
    assert (down >= up).all(), "lost charge and unfinished rests are one-sided"


def test_a_curve_that_turns_back_is_refused_and_a_ripple_evened_out():
    case = virtual.simulate("constant", 1)
    table = tables.reference_table(case.reference)
    table.loc[20, "relaxed_V"] = table.loc[18, "relaxed_V"]
    with pytest.raises(TitrationError, match="not monotone: its potential falls at row 20"):
        methods.reference_curve(table, mass_mg=5.25, mass_sd_mg=0.09)
    table = tables.reference_table(case.reference)
    table.loc[20, "relaxed_V"] = table.loc[19, "relaxed_V"] - 2e-4
    curve = methods.reference_curve(table, mass_mg=5.25, mass_sd_mg=0.09)
    assert (np.diff(curve.potential) > 0).all()
    assert "evened out" in curve.notes[-1]


# --- what is refused or flagged


def test_zero_masses_are_refused():
    wrong: Any = ({"mass_mg": 0.0}, {"mass_sd_mg": -0.1}, {"mass_sd_mg": 5.0})
    for options in wrong:
        with pytest.raises(TitrationError, match="mass"):
            made_points(**options)
    case = virtual.simulate("constant", 1)
    with pytest.raises(TitrationError, match="reference_mass_mg is 0"):
        methods.reference_curve(tables.reference_table(case.reference), mass_mg=0, mass_sd_mg=0.09)


def test_the_counter_electrode_must_be_named():
    _, cell, curve = made()
    unnamed: Any = {"mass_mg": 9.0, "mass_sd_mg": 0.1}
    with pytest.raises(TypeError, match="vs"):
        methods.points(cell, curve, **unnamed)
    with pytest.raises(TitrationError, match="name the counter electrode"):
        made_points(vs="Na")


def test_a_counter_electrode_that_contradicts_the_curve_is_refused():
    with pytest.raises(TitrationError, match="vs='InLi' contradicts the curve"):
        made_points(vs="InLi")
    _, cell, curve = made()
    raw = cell.assign(relaxed_V=cell["relaxed_V"] - 0.62)
    with pytest.raises(TitrationError, match="vs='Li' contradicts the curve"):
        methods.points(raw, curve, vs="Li", mass_mg=9.0, mass_sd_mg=0.1)
    found, _ = methods.points(raw, curve, vs="InLi", mass_mg=9.0, mass_sd_mg=0.1)
    np.testing.assert_allclose(found["relaxed_V"], cell["relaxed_V"])
    with pytest.raises(TitrationError, match="which is right"):
        methods.points(raw.assign(vs="Li"), curve, vs="InLi", mass_mg=9.0, mass_sd_mg=0.1)


@real
@pytest.mark.parametrize("rows", [slice(0, 4), slice(0, 7)])
def test_converted_potentials_are_not_converted_again(rows):
    cell, reference = measured("bad")
    with pytest.raises(TitrationError, match="contradicts the curve"):
        methods.points(cell.iloc[rows], reference, vs="InLi", mass_mg=9.0, mass_sd_mg=0.1)


def test_points_outside_the_reference_are_refused():
    _, cell, curve = made()
    far = cell.assign(relaxed_V=cell["relaxed_V"].where(cell.index > 0, 3.3))
    with pytest.raises(TitrationError, match=r"outside it lies 3\.3000 V \(row 0\)"):
        methods.points(far, curve, vs="Li", mass_mg=9.0, mass_sd_mg=0.1)


@real
def test_the_good_cells_first_point_is_flagged_as_outside():
    _, notes = joint("good")
    assert any("2.9 mV outside the reference" in n and "an assumption" in n for n in notes)
    _, notes = joint("bad")
    assert not any("outside" in n for n in notes)


def test_a_plateau_is_refused():
    u = np.concatenate([np.linspace(3.40, 3.42, 5), np.linspace(3.4201, 3.4206, 20),
                        np.linspace(3.43, 3.6, 5)])
    flat = pd.DataFrame({"relaxed_V": u, "charge_mAh": np.linspace(0.0, 0.8, 30)})
    curve = methods.reference_curve(tables.reference_table(flat), mass_mg=5.25, mass_sd_mg=0.09)
    cell = tables.cell_table(pd.DataFrame({
        "relaxed_V": [3.4, 3.4203, 3.55], "charge_mAh": [0.0, 0.5, 1.0]}))
    with pytest.raises(TitrationError, match=r"flat at 3\.4203 V"):
        methods.points(cell, curve, vs="Li", mass_mg=9.0, mass_sd_mg=0.1)


def test_a_reference_against_another_electrode_is_refused():
    table = tables.reference_table(virtual.simulate("constant", 1).reference.assign(vs="InLi"))
    with pytest.raises(TitrationError, match="give it vs Li"):
        methods.reference_curve(table, mass_mg=5.25, mass_sd_mg=0.09)


# --- constancy


@real
def test_windows_of_the_bad_cell_at_75_78_and_82_are_compatible():
    found: Any = constancy.windows(joint("bad")[0]).set_index(["first_step", "last_step"])
    for (first, last), near in {(2, 5): 0.75, (2, 6): 0.78, (3, 6): 0.82}.items():
        line = found.loc[(first, last)]
        assert line["compatible"]
        assert line["weight"] > 0.01
        assert line["direct"] == pytest.approx(near, abs=0.006)
        assert line["utilization"] == pytest.approx(near, abs=0.025)
    assert found.loc[[k for k in found.index if k[0] == 1], "p"].max() < 1e-4
    assert found["weight"].sum() == pytest.approx(1.0)
    assert constancy.spread(found.reset_index()) == pytest.approx(0.03, abs=0.01)


@real
def test_step_one_is_flagged_in_both_cells():
    for name in ("bad", "good"):
        points, _ = joint(name)
        found = constancy.drift(points, constancy.step_draws(points))
        assert found.first_below > 0.99
        assert found.p_constant < 1e-3
        assert found.direction == "rises"


def test_neighbouring_steps_that_share_a_point_are_anticorrelated():
    shared = ("active_mass_error_mg", "reference_mass_error", "reference_lost_mAh_g",
              "reference_gain_mAh_g", "relaxation_V", "reference_relaxation_V", "counter_error_V")
    points = made_points().assign(**dict.fromkeys(shared, 0.0))
    found: Any = constancy.steps(points, constancy.step_draws(points))
    assert (found["with_next"].dropna() < -0.2).all()
    assert (found["low_all"] <= found["low"]).all()
    assert (found["high_all"] >= found["high"]).all()


def test_masses_move_the_level_but_not_its_constancy():
    points = made_points()
    exact = points.assign(active_mass_error_mg=0.0, reference_mass_error=0.0)
    with_, without = constancy.level(points), constancy.level(exact)
    assert with_.chi2 == pytest.approx(without.chi2)
    assert with_.sd_total > with_.sd == pytest.approx(without.sd_total)


def test_p_of_constancy_is_uniform_where_the_errors_are_the_stated_ones():
    points = made_points()
    rng = np.random.default_rng(5)
    shift, cov = constancy.moments(points, 0.8)
    root = np.linalg.cholesky(cov)
    mean = 0.8 * (points["reference_mAh_g"].to_numpy() + shift)
    found = [constancy.level(points.assign(charge_mAh=(mean + root @ rng.normal(size=7)) * 9e-3)).p
             for _ in range(300)]
    assert kstest(found, "uniform").pvalue > 0.01


def test_a_strong_drift_is_found_with_its_direction():
    points = made_points(seed=2)
    x = points["reference_mAh_g"].to_numpy()
    for sign, says in ((1, "rises"), (-1, "falls")):
        theta = 0.75 + sign * 0.15 * np.linspace(-1, 1, 7)
        y = np.concatenate([[0], np.cumsum(np.diff(x) * (theta[1:] + theta[:-1]) / 2)])
        drifting = points.assign(charge_mAh=y * 9e-3)
        assert constancy.drift(drifting, constancy.step_draws(drifting)).direction == says


# --- planning


def test_a_longer_rest_is_needed_for_a_smaller_error():
    points = made_points("incomplete rest")
    now = constancy.level(points).sd
    floor = constancy.level(points.assign(relaxation_V=0.0)).sd
    found = rests.next_rest(points, rest_h=2.0, target_sd=(now + floor) / 2)
    assert 2.0 < found.hours_fast < found.hours_slow
    assert "h if" in found.sentence
    never = rests.next_rest(points, rest_h=2.0, target_sd=0.9 * floor)
    assert np.isinf(never.hours_fast)
    assert "No rest is long enough" in never.sentence


def test_the_sharpest_pair_is_better_than_a_narrow_one_and_fits_the_time():
    _, _, curve = made()
    points = made_points()
    found: Any = rests.best_pair(points, curve, hours=20.0, rest_h=8.0, count=4000)
    best, narrow = found.iloc[0], found[found["to_V"] - found["from_V"] < 0.06].iloc[0]
    assert best["sd"] < 0.5 * narrow["sd"]
    assert (2 * found["rest_h"] < 20).all()
    assert rests.best_pair(points, curve, hours=60.0, rest_h=8.0)["sd"].iloc[0] < best["sd"]
    with pytest.raises(TitrationError, match="leave no time"):
        rests.best_pair(points, curve, hours=0.5, rest_h=8.0)
