"""Growth of the cathode resistance: what one value a coating can and cannot say."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from ssbayes import data, models
from ssbayes.doe.coating_noise import p_holds_smallest
from ssbayes.models import charge_state, interphase
from ssbayes.models.interphase_rows import RESTED, prepare

GROWTH, RESISTANCE = "growth_ohm_cm2_sqrth", "resistance_ohm_cm2"
TRUTH = {"good": (20.0, 70.0, 4.0, 0.25), "bad": (60.0, 240.0, 30.0, 0.4)}
"""Simulated coatings: R_s, R_0, k, ln(R_end / R_s)."""


def printed() -> Any:
    return data.load("kissel2025_coatings")


def simulated(rng, truth=TRUTH, batches=2, cells=2, spectra=12, offset_mV=0.0):
    """Cells of a benchmark with raw series of the hold; sd of ln 0.15 (batch), 0.2 (cell)."""
    rows = []
    for coating, (start, initial, k, rise) in truth.items():
        for b in range(batches):
            of_batch = rng.normal(0, 0.15, 2)
            for c in range(cells):
                level, growth = of_batch + rng.normal(0, 0.2, 2)
                own, later = rng.normal(0, 0.1, 2)
                cell = {"study": "simulated", "kind": "simulated", "coating": coating,
                        "batch": f"{coating} {b + 1}", "cell": str(c + 1),
                        "soc_offset_mV": offset_mV}
                rested = {"charge": (2, 0.0), "discharge": (4, rise + later)}
                for direction, (cycle, more) in rested.items():
                    rows.append(cell | {"direction": direction, "cycle": cycle,
                                        RESISTANCE: start * np.exp(level + more)})
                for t in np.linspace(0.1, 10.0, spectra):
                    r = initial * np.exp(level + own) + k * np.exp(growth) * np.sqrt(t)
                    rows.append(cell | {"direction": "hold", "hold_h": t, RESISTANCE: r})
    table = pd.DataFrame(rows)
    table[RESISTANCE] *= np.exp(rng.normal(0, 0.02, len(table)))
    return table


@pytest.fixture(scope="module")
def model():
    return models.get("interphase")


@pytest.fixture(scope="module")
def of_table(model):
    return model.fit(printed(), seed=1, chains=2)


@pytest.fixture(scope="module")
def of_series(model):
    return model.fit(simulated(np.random.default_rng(4)), seed=1, chains=2)


# --- the printed table


def wide() -> Any:
    table = printed()
    table["what"] = np.where(table[GROWTH].notna(), "k", table["time_point"])
    value = table[RESISTANCE].fillna(table[GROWTH])
    return table.assign(value=value).pivot(index="coating", columns="what", values="value")


def test_resistance_grows_more_in_the_hold_than_at_rest_for_every_sample():
    seen = wide()
    at_rest = seen["3.1 V end"] - seen["3.1 V start"]
    assert (at_rest > 0).all()
    assert (seen["3.7 V hold end"] - seen["3.7 V hold start"] > at_rest).all()
    assert at_rest["bare"] / seen.loc["bare", "3.1 V start"] == pytest.approx(0.68, abs=0.005)


def test_the_first_printed_resistance_of_a_hold_is_not_its_intercept():
    """k sqrt(10 h) exceeds the printed difference: the first spectrum ended at 0.06 to 0.23 h."""
    seen = wide()
    first = np.sqrt(10) - (seen["3.7 V hold end"] - seen["3.7 V hold start"]) / seen["k"]
    assert (first > 0).all()
    assert (first**2).min() == pytest.approx(0.06, abs=0.01)
    assert (first**2).max() == pytest.approx(0.23, abs=0.01)


# --- physics


def test_growth_follows_the_root_of_time_from_a_free_intercept():
    t = np.array([0.0, 1.0, 4.0, 9.0])
    np.testing.assert_allclose(interphase.held_resistance(100.0, 15.0, t), [100, 115, 130, 145])


def test_rest_is_read_at_start_on_charge_and_at_end_on_discharge():
    def at(cycle, discharged):
        return interphase.rested_resistance(22.0, np.log(37 / 22), cycle, discharged, 0.1)

    assert at(2.0, 0.0) == pytest.approx(22.0)
    assert at(4.0, 1.0) == pytest.approx(37.0)
    # the other direction changes either by the shift
    assert at(2.0, 1.0) == pytest.approx(22.0 * np.exp(0.1))
    assert at(4.0, 0.0) == pytest.approx(37.0 * np.exp(-0.1))
    assert interphase.end_fraction(np.array([1.0, 3.0, 9.0])).tolist() == [0.0, 0.5, 1.0]


def test_one_relative_slope_gives_both_printed_slopes_of_the_bare_sample():
    """24 and 57 ohm cm2 for 46 mV, said to be 30 to 40 % of the resistance."""
    factor = interphase.potential_factor(interphase.SOC_SLOPE, 46.0)
    assert 1.30 < factor < 1.40
    for printed_change, cycle in ((24.0, 1), (57.0, 2)):
        resistance = printed_change / (factor - 1)
        absolute = resistance * interphase.SOC_SLOPE
        assert absolute == pytest.approx({1: 0.5, 2: 1.2}[cycle], rel=0.15)
    # that of the second cycle is a resistance that the hold's table prints for that state
    assert 105 < 57.0 / (factor - 1) < 170


# --- what one value a coating says


def test_slopes_and_resistances_come_back_with_a_free_intercept(of_table):
    found = interphase.coating_draws(of_table)
    k = wide()["k"][found.ln_growth.columns]
    end = wide()["3.1 V end"][found.ln_end.columns]
    # a quarter of ln is the noise; a prior of a factor of 7 pulls by little of it
    assert np.abs(found.ln_growth.median() - np.log(k)).max() < 0.1
    assert np.abs(found.ln_end.median() - np.log(end)).max() < 0.1
    assert found.ln_growth.std().between(0.18, 0.40).all()
    summary = of_table.summary()
    for coating, row in wide().iterrows():
        start = summary.loc[f"interphase.initial_resistance[{coating}]", "median"]
        line = row["3.7 V hold end"] - row["k"] * np.sqrt(10)
        assert start == pytest.approx(line, rel=0.1)
        assert line < row["3.7 V hold start"]


def test_the_fit_says_that_its_noise_is_the_prior(of_table):
    said = of_table.summary()["informed_by"]
    for name in ("batch_growth_sd", "cell_growth_sd", "batch_resistance_sd",
                 "cell_resistance_sd", "shared", "direction_shift", "soc_scale"):
        assert said[f"interphase.{name}"] == "from the prior", name
    assert said["interphase.growth[Coating-06]"] == "data"
    assert "an assumption" in interphase.noise(of_table)
    assert any("name no cell" in note for note in of_table.check().sentences)
    assert of_table.convergence.worst_rhat < 1.03


@pytest.mark.parametrize("sd", [pytest.param(0.1, marks=pytest.mark.slow), 0.3])
def test_with_the_noise_given_the_order_is_that_of_independent_normals(model, sd):
    """The sampled posterior against an integral; other prior numbers compile nothing."""
    part = sd / np.sqrt(2)
    known = {f"{level}_growth_sd": (part, 0.02) for level in ("batch", "cell")}
    given = model.with_priors(**known, growth_reading_sd=(0.01, 0.02))
    fit = given.fit(printed(), seed=2, chains=2)
    draws = interphase.coating_draws(fit).ln_growth
    centre = np.log(wide()["k"][draws.columns].to_numpy())
    best = draws.to_numpy().argmin(axis=1)
    for k, name in enumerate(draws.columns):
        exact = p_holds_smallest(centre, np.full(7, sd), [k],
                                 [j for j in range(7) if j != k])
        # 0.02: the prior of a factor of 7 draws neighbours together
        assert np.mean(best == k) == pytest.approx(exact, abs=0.02 + 3 * 0.5 / np.sqrt(1000)), name


@pytest.mark.slow
def test_without_readings_the_posterior_is_the_prior(model):
    """Also of effects that the sampler walks in place."""
    rows = simulated(np.random.default_rng(1), spectra=1)
    fit = model.fit(rows.assign(**{RESISTANCE: np.nan}), seed=3)
    for effect in ("cell_resistance", "cell_growth", "cell_initial", "cell_rise", "batch"):
        z = fit.posterior[f"interphase.{effect}__z"].to_numpy()
        z = z.reshape(4000, -1)[:, :8]
        assert np.abs(z.mean()) < 0.1, effect
        assert z.std() == pytest.approx(1.0, abs=0.1), effect
    summary = fit.summary()
    assert summary["sd_over_prior_sd"].between(0.85, 1.2).all()
    assert set(summary["informed_by"]) == {"from the prior"}


# --- raw series of several cells


def test_series_of_several_cells_recover_coatings_and_their_spread(of_series):
    found = interphase.coating_draws(of_series)
    for coating, (start, _, k, rise) in TRUTH.items():
        for draws, value in ((found.ln_growth, np.log(k)), (found.ln_end, np.log(start) + rise)):
            low, high = np.quantile(draws[coating], [0.005, 0.995])
            assert low < value < high, coating
    summary = of_series.summary()
    assert summary.loc["interphase.reading_sd", "median"] == pytest.approx(0.02, rel=0.25)
    assert summary.loc["interphase.reading_sd", "informed_by"] == "data"
    assert of_series.convergence.worst_rhat < 1.03
    said = interphase.noise(of_series)
    assert "between cells is learnt from 8 cells of 2 coatings" in said
    # four batches hardly move the prior of their spread, and the sentence agrees with the table
    ratio = summary.loc[["interphase.batch_growth_sd", "interphase.batch_resistance_sd"],
                        "sd_over_prior_sd"].min()
    assert ("to which 4 batches add little" in said) == bool(ratio > 0.8)
    assert found.cells.tolist() == [4, 4] and found.batches.tolist() == [2, 2]


def test_several_cells_say_more_than_one(of_series, of_table):
    wide_one = interphase.coating_draws(of_table).ln_growth.std().mean()
    assert interphase.coating_draws(of_series).ln_growth.std().mean() < 0.85 * wide_one


def test_predictions_grow_in_the_hold_and_are_wider_for_a_new_batch(of_series):
    hold = pd.DataFrame({"coating": "bad", "direction": "hold", "hold_h": [0.1, 1.0, 10.0]})
    mean = of_series.predict(hold, outcome=RESISTANCE).to_numpy()
    assert (np.diff(mean, axis=1) > 0).all()
    cell = of_series.predict(hold, of="cell", outcome=RESISTANCE).to_numpy()
    assert (np.log(cell).std(axis=0) > np.log(mean).std(axis=0)).all()
    known = hold.assign(study="simulated", batch="bad 1", cell="2")
    own = of_series.predict(known, outcome=RESISTANCE).to_numpy()
    assert np.log(own).std(axis=0).max() < 0.05


def test_a_fit_is_kept_and_reopened(of_series, tmp_path):
    again = models.Fit.open(of_series.save(tmp_path / "fit.nc"))
    pd.testing.assert_frame_equal(again.summary(), of_series.summary())
    assert interphase.noise(again) == interphase.noise(of_series)


def test_a_potential_offset_is_corrected_with_the_error_that_is_known(of_table):
    settings = pd.DataFrame({
        "coating": ["bare", "bare", "Coating-03", "Coating-03"], "cycle": 2.0,
        "direction": "charge", "soc_offset_mV": [0.0, 20.0, 0.0, 20.0]})
    r = of_table.predict(settings, outcome=RESISTANCE).to_numpy()
    slopes = np.log(np.log(r[:, [1, 3]] / r[:, [0, 2]]) / 20.0)
    assert np.exp(slopes.mean(axis=0)) == pytest.approx(2 * [interphase.SOC_SLOPE], rel=0.1)
    assert slopes[:, 0].std() == pytest.approx(0.25, rel=0.1)
    assert slopes[:, 1].std() == pytest.approx(np.hypot(0.25, np.log(2)), rel=0.1)
    measured = settings.assign(soc_slope_per_mV=0.004)
    r = of_table.predict(measured, outcome=RESISTANCE).to_numpy()
    slopes = np.log(np.log(r[:, 3] / r[:, 2]) / 20.0)
    assert slopes.std() == pytest.approx(0.25, rel=0.1)
    assert np.exp(slopes.mean()) == pytest.approx(0.004, rel=0.1)


def test_coatings_without_a_slope_or_an_end_are_not_ranked_by_it(of_table):
    """Their k or R_end would be the prior's."""
    table = printed()
    drop = (table["coating"].eq("Coating-03") & table["direction"].eq("hold")) | (
        table["coating"].eq("Coating-06") & table["time_point"].eq("3.1 V end"))
    fit = models.Fit.from_draws(of_table.model, table[~drop], of_table.parameters())
    found = interphase.coating_draws(fit)
    assert "Coating-03" not in found.ln_growth and "Coating-03" in found.ln_end
    assert "Coating-06" in found.ln_growth and "Coating-06" not in found.ln_end


@pytest.mark.slow
def test_intervals_cover_at_their_level_on_simulated_benchmarks(model):
    """Fixed truth, 40 data sets of eight cells: 90 % intervals of ln k and ln R_end."""
    inside = total = 0
    for seed in range(40):
        fit = model.fit(simulated(np.random.default_rng(seed), spectra=6), seed=seed, draws=300)
        found = interphase.coating_draws(fit)
        for coating, (start, _, k, rise) in TRUTH.items():
            for draws, value in ((found.ln_growth, np.log(k)),
                                 (found.ln_end, np.log(start) + rise)):
                low, high = np.quantile(draws[coating], [0.05, 0.95])
                inside += low < value < high
                total += 1
    # four intervals of one data set share their noise parameters: count half of them
    low, high = stats.binom.interval(0.99, total // 2, 0.9)
    assert low <= inside / 2 <= high


# --- rows


def test_states_are_read_from_direction_hold_cycle_and_time_point():
    rows: Any
    rows, notes = prepare(printed(), True)
    first = rows.iloc[:5]
    assert first["hold_h"].tolist() == [RESTED, RESTED, 0.0, 10.0, 0.0]
    assert first["direction"].tolist() == [0.0, 1.0, 0.0, 0.0, 0.0]
    assert first["cycle"].tolist()[:2] == [2.0, 4.0]
    assert rows["soc_slope_per_mV"].gt(0).groupby(rows["coating"]).all().to_dict() == {
        name: name == "bare" for name in rows["coating"].unique()}
    named = pd.DataFrame({"coating": [None, "A"], "time_point": ["start", "END at rest"],
                          RESISTANCE: [20.0, 30.0], "batch": ["1", "1"], "cell": ["a", "a"]})
    rows, notes = prepare(named, True)
    assert rows["coating"].tolist() == ["bare", "A"]
    assert rows["cycle"].tolist() == [2.0, 4.0]
    assert rows["batch"].nunique() == 2  # batch 1 of one coating is not batch 1 of another
    assert not notes


def test_what_was_corrected_to_one_potential_is_not_corrected_again():
    table = pd.DataFrame({
        "coating": ["bare", "A"], "direction": "charge", "cycle": 2, "relaxed_V": [3.72, 3.74],
        RESISTANCE: [22.0, 90.0], f"{RESISTANCE}_sd": [0.5, 1.0]})
    corrected = charge_state.correct(table, reference_V=3.72, cycle=2).table
    assert corrected["soc_offset_mV"].tolist() == pytest.approx([0.0, 20.0])
    rows: Any
    rows, notes = prepare(corrected, True)
    assert rows["soc_offset_mV"].tolist() == [0.0, 0.0]
    assert any("1 resistances came corrected" in note for note in notes)
    assert corrected[RESISTANCE].iloc[1] < 90.0


@pytest.mark.parametrize(("row", "says"), [
    ({"direction": "hold"}, "row 0: a resistance in the hold needs hold_h"),
    ({"direction": "charge"}, "row 0: a resistance at rest needs its cycle"),
    ({"direction": "charge", "cycle": 40}, "cycle 40 is beyond the benchmark"),
    ({"direction": "charge", "cycle": 2, "soc_offset_mV": -60.0}, "-60 mV off"),
])
def test_a_reading_whose_state_is_not_said_is_named(model, row, says):
    with pytest.raises(ValueError, match=says):
        model.fit(pd.DataFrame([{"coating": "A", RESISTANCE: 20.0, **row}]))


def test_hand_and_machine_mixed_cells_are_not_pooled(model):
    table = printed()
    table.loc[table["coating"].eq("bare"), "method"] = "hand"
    with pytest.raises(ValueError, match="unlike method"):
        model.fit(table)


def test_priors_are_those_of_any_coating(model):
    """All coatings share one prior, and it spans a factor of fifty."""
    declared = model.graph({}).registry.priors
    for name in ("growth", "start_resistance", "initial_resistance"):
        assert declared[f"interphase.{name}"].numbers[1] >= 2.0
    assert declared["interphase.batch_growth_sd"].numbers[0] == 0.15
    assert declared["interphase.cell_growth_sd"].numbers[0] == 0.2
