"""The joint model of a titration: what its interval holds, and which error makes it wide."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytensor.tensor as pt
import pytest
from scipy import integrate, stats
from ssbayes import models
from ssbayes.data import titration as tables
from ssbayes.doe import virtual_titration as virtual
from ssbayes.models import titrated, titration
from ssbayes.models.titration import TitrationError
from ssbayes.models.utilization import (
    draws_of,
    fit_cells,
    log_normal_cdf,
    log_skewed,
    utilization,
)

jax.config.update("jax_enable_x64", True)
ROOT = Path(__file__).parents[2]
FOUND = [p for p in (ROOT / "shared/data/ctc", ROOT.parent / "shared/data/ctc") if p.is_dir()]
real = pytest.mark.skipif(not FOUND, reason="the measured titrations are not on this machine")
SAID = {"vs": "Li", "mass_mg": 9.0, "mass_sd_mg": 0.1, "reference_mass_mg": 5.25,
        "reference_mass_sd_mg": 0.09}
WINDOW = (3.629, 4.011)


def files(name):
    return [FOUND[0] / f"{name}SSB_titration-data.txt", FOUND[0] / "LIB_titration-data.txt"]


def half(draws):
    low, high = np.quantile(draws, [0.05, 0.95])
    return (high - low) / 2


@pytest.fixture(scope="module")
def bad():
    return utilization(*files("bad"), window=WINDOW,
                       record=FOUND[0] / "badSSB_measurement.txt", **SAID)


@pytest.fixture(scope="module")
def good():
    return utilization(*files("good"), record=FOUND[0] / "goodSSB_measurement.txt",
                       **(SAID | {"mass_mg": 10.47}))


def made_points(case, name="cell"):
    curve = titration.reference_curve(tables.reference_table(case.reference), mass_mg=5.25,
                                      mass_sd_mg=0.09)
    return titration.points(tables.cell_table(case.cell), curve, vs="Li", mass_mg=case.mass_mg,
                            mass_sd_mg=case.mass_sd_mg, name=name)[0]


# --- the density


@pytest.mark.parametrize("one_sided", [0.0, 0.3, 2.5])
def test_an_unfinished_rest_is_a_normal_minus_a_half_normal(one_sided):
    rest = np.array([-3.0, -1.0, 0.0, 0.7])

    def joint(r, e):
        return stats.norm.pdf(e + r, 0.0, 0.5) * stats.halfnorm.pdf(r, scale=one_sided)

    expected = [stats.norm.pdf(e, 0, 0.5) if one_sided == 0.0 else
                integrate.quad(joint, 0, 30, args=(e,), points=[max(-e, 0.01)])[0] for e in rest]
    np.testing.assert_allclose(np.exp(log_skewed(rest, 0.5, one_sided)), expected, rtol=1e-6)
    reference = stats.skewnorm.logpdf(rest, -one_sided / 0.5, 0, np.hypot(0.5, one_sided))
    np.testing.assert_allclose(log_skewed(rest, 0.5, one_sided), reference, rtol=1e-9)


def test_the_density_is_the_same_in_three_libraries_far_into_the_tail():
    z = np.array([-60.0, -12.0, -10.01, -9.99, 0.0, 3.0, 9.0])
    expected = stats.norm.logcdf(z)
    np.testing.assert_allclose(log_normal_cdf(z), expected, rtol=1e-10)
    np.testing.assert_allclose(log_normal_cdf(jnp.asarray(z)), expected, rtol=1e-6, atol=1e-15)
    symbol = pt.dvector()
    found = log_normal_cdf(symbol).eval({symbol: z}, mode="FAST_COMPILE")
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-15)


# --- the measured cells


@real
def test_the_stated_window_holds_the_direct_ratio_and_the_published_mean(bad):
    assert bad.low < 0.752 < bad.high
    assert bad.low < 0.764 < bad.high
    assert 0.025 < half(bad.draws) < 0.05
    assert bad.stated
    assert bad.window_steps == (2, 5)
    assert bad.measured.sd_total == pytest.approx(0.021, abs=0.004)
    assert bad.spread == pytest.approx(0.03, abs=0.01)


@real
def test_without_mass_errors_the_interval_shrinks(bad):
    """To two thirds: the rest is unfinished rests and the reference's self-discharge."""
    exact = bad.points.iloc[1:6].assign(active_mass_error_mg=0.0, reference_mass_error=0.0)
    assert half(draws_of(fit_cells(exact, draws=700))) < 0.78 * half(bad.draws)


@real
def test_masses_are_the_larger_part_beside_rests_and_instruments(bad):
    """Constant utilization, a reference without self-discharge: masses exact leave half."""
    constant = models.get("utilization", drift=(0.0, 1e-4))
    window = bad.points.iloc[1:6].assign(reference_lost_mAh_g=0.0, reference_self_discharge_V=0.0)
    exact = window.assign(active_mass_error_mg=0.0, reference_mass_error=0.0)
    wide, narrow = (draws_of(fit_cells(rows, model=constant, draws=700))
                    for rows in (window, exact))
    assert half(narrow) < 0.6 * half(wide)
    assert np.quantile(wide, [0.05, 0.5, 0.95]) == pytest.approx([0.728, 0.757, 0.786], abs=0.005)


@real
def test_the_report_names_window_drift_and_what_tells_its_causes_apart(bad):
    told = " ".join(bad.sentences)
    assert "steps 2 to 5 (window: stated)" in told
    assert "6 windows of three steps or more are compatible" in told
    assert "Step 1 lies below the mean of the others" in told
    assert list(bad.explanations["explanation"]) == [
        "electronic percolation", "lagging particles", "charge of the electrolyte"]
    assert "does not contain the cell's mass but the reference's: 1.7 %" in told


@real
@pytest.mark.parametrize(("name", "gap"), [("bad", "15.7 mV"), ("good", "1.4 mV")])
def test_the_first_point_is_told_apart_from_the_records(name, gap, request):
    found = request.getfixturevalue(name)
    assert list(found.record["agrees"]) == [False] + [True] * (len(found.record) - 1)
    assert found.record["difference_mV"].abs().iloc[1:].max() < 0.65
    told = " ".join(found.sentences)
    assert f"by {gap}" in told
    assert "hangs on that one point" in told


@real
def test_both_versions_of_the_first_step_are_shown(bad):
    assert bad.steps["utilization"].iloc[0] == pytest.approx(0.535, abs=0.002)
    assert bad.record_steps["utilization"].iloc[0] == pytest.approx(0.681, abs=0.002)
    assert bad.drift.p_constant < 1e-10 < bad.record_drift.p_constant
    assert "53.5 % with the table, 68.1 % with the record" in " ".join(bad.sentences)


@real
def test_a_measured_value_above_one_stays_while_the_latent_one_is_bounded(good):
    assert good.measured.value > 1.0
    assert good.draws.max() <= 1.0
    assert not good.stated
    assert "not stated" in good.sentences[0]


@real
def test_cells_of_one_reference_share_its_error(bad, good):
    """The good cell cannot be above 1, so the reference was lighter: the bad one falls too."""
    rows = pd.concat([bad.points.iloc[1:6], good.points.iloc[1:7].assign(cell="good")],
                     ignore_index=True)
    fit = fit_cells(rows, draws=400)
    assert np.median(draws_of(fit, 0)) < np.median(bad.draws) - 0.01
    masses = fit.posterior["utilization.reference_mass__z"].to_numpy()[:, :, 0]
    assert masses.mean() < -0.3


@real
def test_stepwise_is_a_method_of_the_same_call():
    found = utilization(*files("bad"), method="stepwise", errors="worst", **SAID)
    assert 100 * found.loc[1, "plus"] == pytest.approx(3.82, abs=0.005)


# --- simulated cells


@pytest.fixture(scope="module")
def simulated():
    found = {}
    for k, scenario in enumerate(virtual.SCENARIOS):
        case = virtual.simulate(scenario, 900 + k)
        found[k] = (case, draws_of(fit_cells(made_points(case), draws=400, tune=500)))
    return found


def test_simulated_cells_say_so_and_their_truth_is_found(simulated):
    distance = []
    for case, draws in simulated.values():
        assert case.cell["kind"].eq("simulated").all()
        distance.append((draws.mean() - case.truth) / draws.std())
    assert np.max(np.abs(distance)) < 3.3
    assert np.mean(np.square(distance)) < stats.chi2.ppf(0.999, 4) / 4


def test_scenarios_do_what_their_names_say():
    with pytest.raises(ValueError, match="no scenario"):
        virtual.simulate("melting", 1)
    rested = np.mean([virtual.simulate("constant", s).cell["relaxation_V"].mean()
                      for s in range(20)])
    hasty = np.mean([virtual.simulate("incomplete rest", s).cell["relaxation_V"].mean()
                     for s in range(20)])
    assert hasty > 1.5 * rested
    assert virtual.simulate("wrong mass", 1).mass_sd_mg == pytest.approx(0.3)
    one, other = (virtual.simulate("drifting", 4).cell for _ in range(2))
    pd.testing.assert_frame_equal(one, other)


def test_diffraction_is_a_second_instrument_whose_bias_is_the_priors():
    case = virtual.simulate("constant", 7)
    options = SAID | {"mass_mg": case.mass_mg, "mass_sd_mg": case.mass_sd_mg}
    alone = utilization(case.cell, case.reference, **options)
    both = utilization(case.cell, case.reference, xrd=(case.truth + 0.1, 0.02), **options)
    assert both.median == pytest.approx(alone.median, abs=0.3 * alone.sd)
    assert "one pair where 6 are needed" in str(both)
    bias = draws_of_bias(both.fit)
    assert bias.mean() == pytest.approx(case.truth + 0.1 - both.median, abs=0.03)
    assert {"utilization", "utilization_sd"} == set(both.row())


@pytest.mark.slow
def test_a_dozen_pairs_tell_the_bias_of_diffraction():
    """Simulated: diffraction reads four points too much on cells that were titrated as well."""
    rng, parts = np.random.default_rng(5), []
    for k in range(12):
        case = virtual.simulate("constant", 300 + k)
        points = made_points(case, f"cell {k}")
        points["reference"] = f"reference {k}"
        read = case.truth + 0.04 + 0.01 * rng.normal()
        parts += [points, pd.DataFrame({"cell": [f"cell {k}"], "reference": [f"reference {k}"],
                                        "xrd_utilization": [read], "xrd_utilization_sd": [0.01]})]
    fit = fit_cells(pd.concat(parts, ignore_index=True), draws=500, tune=800)
    bias = draws_of_bias(fit)
    low, high = np.quantile(bias, [0.005, 0.995])
    assert low < 0.04 < high
    assert bias.std() < 0.02  # prior 0.1


def test_a_saved_utilization_reopens(simulated, tmp_path):
    case, _ = simulated[0]
    fit = fit_cells(made_points(case), draws=200, tune=300)
    again = models.Fit.open(fit.save(tmp_path / "cell.fit"))
    assert np.allclose(draws_of(again), draws_of(fit))


def draws_of_bias(fit):
    return fit.posterior["utilization.xrd_bias"].to_numpy().ravel()


# --- refusals of the call


@pytest.mark.parametrize(("change", "says"), [
    ({"mass_mg": 0.0}, "mass_mg is 0"),
    ({"reference_mass_mg": -1.0}, "reference_mass_mg is -1"),
    ({"vs": "Na"}, "name the counter electrode"),
    ({"window": (3.9, 3.95)}, "needs at least 3"),
    ({"method": "average"}, "none of joint, stepwise"),
])
def test_wrong_numbers_are_refused_before_anything_is_fitted(change, says):
    case = virtual.simulate("constant", 7)
    with pytest.raises(TitrationError, match=says):
        utilization(case.cell, case.reference, **(SAID | change))


@pytest.mark.parametrize("name", ["vs", "mass_sd_mg", "reference_mass_mg", "reference_mass_sd_mg"])
def test_nothing_that_matters_has_a_default(name):
    case = virtual.simulate("constant", 7)
    with pytest.raises(TypeError, match=name):
        utilization(case.cell, case.reference, **{k: v for k, v in SAID.items() if k != name})


def test_two_points_make_no_joint_evaluation():
    case = virtual.simulate("constant", 7)
    with pytest.raises(TitrationError, match="2 relaxed points make one step"):
        titrated.evaluate(case.cell.iloc[[1, 5]], case.reference, **SAID)
