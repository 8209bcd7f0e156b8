"""Resistances from spectra: right as often as they say, or not given. All spectra are simulated."""

from typing import Any

import arviz as az
import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from ssbayes import models
from ssbayes.data import TableError
from ssbayes.doe import virtual_impedance as virtual
from ssbayes.models import charge_state, circuit, impedance, separability
from ssbayes.models import circuit_fit as fitting
from ssbayes.models.circuit_model import MODEL, by_nuts
from ssbayes.models.kramers_kronig import by_library, kramers_kronig

F = np.logspace(6.5, -1, 53)
W = 2 * np.pi * F


def gate(table):
    return kramers_kronig(*(table[name].to_numpy() for name in
                            ("frequency_of_signal_Hz", "z_re_ohm", "z_im_ohm")))


def as_seen(made):
    """A simulated spectrum as the fit sees it."""
    found, area = gate(made.table), virtual.AREA_CM2
    return fitting.Spectrum(F, made.table["z_re_ohm"].to_numpy() * area,
                            made.table["z_im_ohm"].to_numpy() * area, found.modulus * area,
                            found.residual, fitting.prior_scale())


# --- the circuit


def test_the_circuit_is_that_of_complex_numbers():
    real, imaginary = circuit.impedance(F, 20.0, 30.0, 5.0, np.log(1e-4), np.log(200.0), 0.9, 0.8,
                                        3.0, 0.7)
    expected = (20 + 30 / (1 + (1j * W * 1e-4) ** 0.9) + 5 / (1 + (1j * W * 2e-2) ** 0.8)
                + 3 / (1j * W) ** 0.7)
    np.testing.assert_allclose(real + 1j * imaginary, expected, rtol=1e-12)


def test_an_arc_goes_from_its_diameter_to_nothing_and_peaks_at_its_time_constant():
    real, _ = circuit.arc(np.array([1e-9, 1e12]), 30.0, np.log(1e-3), 0.9)
    np.testing.assert_allclose(real, [30.0, 0.0], atol=1e-3)
    fine = np.logspace(0, 5, 4001)
    _, imaginary = circuit.arc(fine, 30.0, np.log(1e-3), 0.9)
    assert 2 * np.pi * fine[imaginary.argmin()] == pytest.approx(1e3, rel=0.01)


def test_arcs_are_ordered_whatever_the_parameters():
    u = np.random.default_rng(1).normal(size=(500, fitting.COUNT)) * 3
    assert (fitting.natural(u)["ln_ratio"] > 0).all()


def test_the_model_and_the_quick_fit_have_one_density():
    made = virtual.simulate("separated", 4)
    spectrum = as_seen(made)
    fit = MODEL.fit(made.table, seed=3, draws=150, tune=400, chains=4)
    values: dict[str, Any] = {k: fit.posterior[f"impedance.{k}"].to_numpy().ravel()
                              for k in fitting.NAMES}
    u = np.stack([np.log(values[n]) if row[1] == "LogNormal" else values[n]
                  for n, row in zip(fitting.NAMES, fitting.PARAMETERS, strict=True)], axis=1)
    z, area = made.table, virtual.AREA_CM2
    real, imaginary = fitting.curve(u, F)
    scale = values["noise"][:, None] * np.hypot(real, imaginary) / area
    own = 0.0
    for got, mean in ((z["z_re_ohm"], real / area), (z["z_im_ohm"], imaginary / area)):
        own = own - (0.5 * ((got.to_numpy() - mean) / scale) ** 2 + np.log(scale)).sum(axis=1)
    own = own - 0.5 * (((u - spectrum.prior[0]) / spectrum.prior[1]) ** 2).sum(axis=1)
    difference = own - spectrum.log_density(u)
    assert np.ptp(difference) < 1e-6

    quick = fitting.sample(spectrum, fitting.modes(spectrum), seed=2)
    assert quick.khat < fitting.KHAT_LIMIT
    # a chain may rest in a minor mode, which the quick fit weighs and a chain cannot leave
    chains = own.reshape(fit.posterior.sizes["chain"], -1)
    found = np.median(chains, axis=1) > np.median(chains, axis=1).max() - 5.0
    for k in (fitting.R0, fitting.R1, fitting.NOISE):
        there = u[:, k].reshape(chains.shape)[found]
        error = there.std() * np.sqrt(1 / float(az.ess(there)) + 1 / quick.effective)
        assert abs(there.mean() - quick.u[:, k].mean()) < 4.5 * error
        assert quick.u[:, k].std() == pytest.approx(there.std(), rel=0.35)


def test_priors_of_the_model_are_those_of_the_quick_fit():
    declared = MODEL.graph({}).registry.priors
    assert [name.partition(".")[2] for name in declared] == list(fitting.NAMES)
    assert "impedance" in models.NAMES


def test_two_spectra_are_not_pooled_into_one_fit():
    both = pd.concat([virtual.simulate("separated", s).table for s in (1, 2)], ignore_index=True)
    with pytest.raises(ValueError, match="spectrum"):
        MODEL.fit(both)


def test_nuts_stands_in_for_importance_sampling():
    made = virtual.simulate("separated", 2)
    drawn = by_nuts(made.table, None, seed=1, draws=800)
    low, high = np.exp(np.quantile(drawn.u[:, fitting.R1], [0.005, 0.995]))
    assert low < made.cathode < high


# --- Kramers-Kronig


def test_the_gate_refuses_sound_spectra_as_rarely_as_it_says():
    laws = ("separated", "close arcs", "blocked diffusion", "open diffusion", "gerischer")
    failed = sum(not gate(virtual.simulate(law, seed).table).passed
                 for law in laws for seed in range(60))
    low, high = binom.interval(0.999, 300, 0.01)
    assert low <= failed <= high


def test_the_gate_refuses_more_as_the_drift_grows():
    share = [np.mean([not gate(virtual.simulate("drift", s, drift=d).table).passed
                      for s in range(40)]) for d in (0.05, 0.4, 1.5)]
    assert share[0] < share[1] <= share[2]
    assert share[1] > 0.5
    assert share[2] > 0.9


def test_the_residual_is_the_noise():
    found = np.median([gate(virtual.simulate("separated", s, noise=0.02).table).residual
                       for s in range(20)])
    assert found == pytest.approx(0.02, rel=0.1)


def test_a_drifting_spectrum_is_refused_for_fitting_and_kept():
    made = virtual.simulate("drift", 3, drift=1.5)
    found = impedance.evaluate(made.table)
    row = found.table.iloc[0]
    assert row["status"] == "failed"
    assert "Kramers-Kronig" in row["reason"]
    assert np.isnan(row["resistance_ohm_cm2"])
    assert row["kk_residual_pct"] > 1
    # the time goes to low frequency, and so does the drift
    assert row["kk_high_Hz"] < 100
    assert len(found.spectra) == len(made.table)
    with pytest.raises(KeyError, match="was not fitted"):
        found.covariance(0)


def test_noise_beyond_use_is_refused():
    found = gate(virtual.simulate("separated", 1, noise=0.12).table)
    assert not found.passed
    assert "too noisy" in found.sentence or "fails" in found.sentence


def test_a_point_astray_is_named():
    table = virtual.simulate("separated", 1).table
    table.loc[20, "z_re_ohm"] *= 1.15
    assert table.loc[20, "frequency_of_signal_Hz"] in gate(table).outliers_Hz


def test_the_library_sees_the_same_residual():
    pytest.importorskip("pyimpspec")
    table = virtual.simulate("separated", 1).table
    _, residual = by_library(*(table[name].to_numpy() for name in
                               ("frequency_of_signal_Hz", "z_re_ohm", "z_im_ohm")))
    assert gate(table).residual == pytest.approx(residual, rel=0.4)


# --- coverage


def evaluated(scenario, seeds) -> Any:
    made = [virtual.simulate(scenario, seed) for seed in seeds]
    table = pd.concat([m.table for m in made], ignore_index=True)
    return made, impedance.evaluate(table, nuts=False, draws=2000)


@pytest.fixture(scope="module")
def separated():
    return evaluated("separated", range(500, 530))


def inside(made, found, name, arc):
    return np.array([low <= getattr(m, arc) <= high for m, low, high in zip(
        made, found.table[f"{name}_low"], found.table[f"{name}_high"], strict=True)])


@pytest.mark.parametrize("arc", ["cathode", "anode"])
def test_the_posterior_covers_at_its_nominal_rate(separated, arc):
    made, found = separated
    covered = [np.quantile(drawn[arc], 0.05) <= getattr(made[k], arc) <= np.quantile(drawn[arc],
               0.95) for k, drawn in found.draws.items()]
    low, high = binom.interval(0.99, len(covered), 0.9)
    assert low <= sum(covered) <= high


def test_most_separated_cathodes_are_given_and_most_intervals_are_narrow(separated):
    _, found = separated
    done: Any = impedance.resistances(found)
    assert len(done) > 0.5 * len(found.table)
    share = done["resistance_ohm_cm2_sd"] / done["resistance_ohm_cm2"]
    assert share.median() < 0.03
    assert set(found.table["kind"]) == {"simulated"}


@pytest.mark.parametrize("scenario", ["close arcs", "blocked diffusion", "open diffusion",
                                      "skewed arc", "gerischer", "correlated noise"])
def test_coverage_holds_or_the_fit_says_that_it_does_not_know(scenario):
    made, found = evaluated(scenario, range(600, 610))
    for name, arc in (("resistance", "cathode"), ("anode_resistance", "anode")):
        given = found.table[f"{name}_ohm_cm2"].notna().to_numpy()
        honest = inside(made, found, name, arc) | ~given
        assert honest.sum() >= binom.ppf(0.005, len(made), 0.9), (scenario, arc)


def test_close_arcs_are_said_to_be_not_separable_and_their_sum_is_given():
    made, found = evaluated("close arcs", range(700, 710))
    rows = found.table[found.table["kk_passed"].astype(bool)]
    assert (rows["arcs"] != "separable").all()
    told = rows["reason"].str.contains("not separable")
    assert told.mean() > 0.8
    given = found.table["arcs_total_ohm_cm2"].notna().to_numpy()
    assert given.sum() >= 3
    total = np.array([m.cathode + m.anode for m in made])
    covered = ((found.table["arcs_total_low"] <= total) & (total <= found.table["arcs_total_high"]))
    assert covered[given].sum() >= binom.ppf(0.005, given.sum(), 0.9)
    ratio = found.table["arcs_total_ohm_cm2"].to_numpy()[given] / total[given]
    np.testing.assert_allclose(ratio, 1.0, atol=0.1)


def test_a_known_anode_separates_what_the_spectrum_cannot():
    without, with_it = 0, 0
    for seed in range(700, 706):
        made = virtual.simulate("close arcs", seed)
        alone: Any = impedance.evaluate(made.table, nuts=False).table["status"]
        without += int(alone.eq("done").sum())
        found: Any = impedance.evaluate(made.table, nuts=False,
                                        anode=(made.anode, 0.1 * made.anode)).table.iloc[0]
        if found["status"] == "done":
            with_it += 1
            assert found["resistance_ohm_cm2"] == pytest.approx(made.cathode, rel=0.25)
    assert with_it > without


def test_a_rival_that_moves_a_resistance_widens_or_refuses():
    u = np.tile(fitting.prior_scale()[0], (4000, 1))
    u[:, fitting.R1] = np.log(50.0) + 0.01 * np.random.default_rng(1).normal(size=4000)
    for factor, known, wider in ((1.005, True, False), (1.03, True, True), (1.2, False, False)):
        rival = separability.Rival("another", 100.0, 50.0 * factor, 10.0)
        verdict = separability.judge([rival], u, "cathode", 0.05, 0.5)
        assert verdict.known is known
        if wider:
            assert verdict.interval[1] > 50.0 * factor
            assert verdict.sd > 1.4
        elif known:
            assert verdict.interval[1] == pytest.approx(50 * np.exp(0.01645), rel=0.003)


def test_a_hold_gives_a_growing_resistance_with_all_that_a_fit_over_time_needs():
    table, truth = virtual.simulate_hold(2, spectra=6, coating="bare", cell="A1", batch="b",
                                         relaxed_V=3.7)
    done = impedance.resistances(impedance.evaluate(table, draws=1500))
    assert {"resistance_ohm_cm2", "resistance_ohm_cm2_sd", "hold_h", "coating", "batch", "cell",
            "relaxed_V", "direction", "status", "reason"} <= set(done)
    near = np.interp(done["hold_h"], np.linspace(10 / 6, 10, 6), truth)
    assert (np.abs(done["resistance_ohm_cm2"] - near) < 5 * done["resistance_ohm_cm2_sd"]).all()
    assert len(done) >= 4


def test_a_covariance_of_the_arcs_belongs_to_each_fitted_spectrum(separated):
    _, found = separated
    k = next(iter(found.draws))
    matrix = found.covariance(k)
    assert list(matrix) == ["separator", "cathode", "anode"]
    assert (np.linalg.eigvalsh(matrix.to_numpy()) > 0).all()
    np.testing.assert_allclose(matrix, matrix.T)


def test_all_refused_is_an_error_that_gives_the_reasons():
    found = impedance.evaluate(virtual.simulate("drift", 3, drift=1.5).table)
    with pytest.raises(TableError, match="Kramers-Kronig"):
        impedance.resistances(found)


@pytest.mark.parametrize(("options", "told"), [
    ({"tolerance": 1.5}, "tolerance is 1.5"), ({"anode": (5.0, 0.0)}, "both above 0")])
def test_bad_arguments_are_refused(options, told):
    with pytest.raises(ValueError, match=told):
        impedance.evaluate(virtual.simulate("separated", 1).table, **options)


def test_a_simulator_without_such_a_law_says_which_there_are():
    with pytest.raises(ValueError, match="close arcs"):
        virtual.simulate("warburg", 1)


# --- comparison at one state of charge


def cells(**columns):
    return pd.DataFrame({"coating": ["bare", "A", "A"], "resistance_ohm_cm2": [105.0, 60.0, 62.0],
                         "resistance_ohm_cm2_sd": [1.0, 1.0, 1.0],
                         "relaxed_V": [3.646, 3.62, 3.60]}).assign(**columns)


@pytest.mark.parametrize(("cycle", "difference"), [(1, 24.0), (2, 57.0)])
def test_the_bare_sample_is_corrected_by_the_published_difference(cycle, difference):
    found = charge_state.correct(cells(), reference_V=3.6, cycle=cycle,
                                 ).table.set_index("relaxed_V")
    mean = difference * np.exp(0.5 * charge_state.SD_LN_BARE**2)
    if cycle == 1:
        assert found.at[3.646, "correction_ohm_cm2"] == pytest.approx(-mean)
        assert found.at[3.646, "resistance_ohm_cm2"] == pytest.approx(105 - mean)
    else:  # 57 of 105 ohm cm2 is more than half
        assert "more than half" in found.at[3.646, "reason"]


def test_a_coated_sample_carries_a_factor_of_two():
    found = charge_state.correct(cells(), reference_V=3.6, cycle=1)
    row = found.table.iloc[1]
    draws = np.random.default_rng(1).lognormal(np.log(24 / 46), np.log(2), 400_000) * 20
    assert -row["correction_ohm_cm2"] == pytest.approx(draws.mean(), rel=0.01)
    assert row["correction_sd"] == pytest.approx(draws.std(), rel=0.02)
    assert any("factor of two" in note for note in found.notes)
    assert found.table.iloc[2]["resistance_ohm_cm2"] == 62.0


def test_more_than_ten_millivolts_apart_is_refused_without_correction():
    found = charge_state.correct(cells(), reference_V=3.605, correction=False).table
    assert list(found["status"]) == ["failed", "failed", "done"]
    assert "mV" in found["reason"].iloc[0]
    assert found["measured_ohm_cm2"].tolist() == [105.0, 60.0, 62.0]


def test_an_own_slope_holds_for_all_rows():
    found = charge_state.correct(cells(), reference_V=3.6, slope=(0.1, 0.0)).table
    np.testing.assert_allclose(found["resistance_ohm_cm2"], [100.4, 58.0, 62.0])
    np.testing.assert_allclose(found["resistance_ohm_cm2_sd"], 1.0)


def test_unknown_potentials_and_slopes_are_not_guessed():
    found = charge_state.correct(cells(relaxed_V=[3.6, np.nan, 3.6]), cycle=1).table
    assert found["status"].tolist() == ["done", "failed", "done"]
    with pytest.raises(ValueError, match="which slope"):
        charge_state.correct(cells())
    with pytest.raises(TableError, match="relaxed_V"):
        charge_state.correct(cells(relaxed_V=np.nan), cycle=1)
    with pytest.raises(TableError, match="missing"):
        charge_state.correct(cells().drop(columns="coating"), cycle=1)


def test_charge_and_discharge_in_one_comparison_are_pointed_out():
    found = charge_state.correct(cells(direction=["charge", "discharge", "charge"]), cycle=1)
    assert any("hysteresis" in note for note in found.notes)
