"""Annealing: what the published statements settle, and what one hold time cannot know."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ssbayes import data, doe, models
from ssbayes.models import annealing, level_statements
from ssbayes.models import annealing_kinetics as kinetics
from ssbayes.models.annealing_answers import outcome_optimum
from ssbayes.models.annealing_pairs import is_bare
from ssbayes.models.best_setting import best_setting

NAMED = ["ocv", "sims", "complete400", "incomplete300", "coverage300"]


@pytest.fixture(scope="module")
def literature():
    return data.load("kissel2025_annealing")


@pytest.fixture(scope="module")
def model():
    return models.get("annealing")


def statements(table, *names):
    return table[table["row_id"].isin(names)]


@pytest.fixture(scope="module")
def told(model, literature):
    """All five statements on temperature."""
    return model.fit(statements(literature, *NAMED), statements=True, chains=2)


@pytest.fixture(scope="module")
def entering(literature):
    return annealing.statement_table(literature)


# --- kinetics


def dense_ramp_hours(anneal_degC, energy, rate):
    """One ramp by the trapezoidal rule on 200,001 points (h)."""
    hot = anneal_degC + 273.15
    kelvin = np.linspace(298.15, hot, 200_001)
    inside = np.exp(-energy / kinetics.GAS_CONSTANT * (1 / kelvin - 1 / hot))
    return np.trapezoid(inside, kelvin) / rate / 60.0


@pytest.mark.parametrize("energy", [20.0, 50.0, 100.0, 200.0, 400.0])
@pytest.mark.parametrize("anneal_degC", [60.0, 200.0, 400.0, 700.0])
def test_ramp_integral_agrees_with_dense_integration(energy, anneal_degC):
    exact = dense_ramp_hours(anneal_degC, energy, 2.0) + dense_ramp_hours(anneal_degC, energy, 5.0)
    assert kinetics.ramp_hours(anneal_degC, energy, 2.0, 5.0) == pytest.approx(exact, rel=1e-3)


def test_a_ramp_of_2_K_a_minute_is_worth_7_to_40_min_of_the_hold():
    energy, hot = (g.ravel() for g in np.meshgrid([50.0, 100.0, 200.0], [300.0, 400.0, 500.0]))
    heating = 60.0 * kinetics.ramp_hours(hot, energy, 2.0, np.inf)
    assert heating.min() == pytest.approx(6.5, abs=0.5)
    assert heating.max() == pytest.approx(40.0, abs=1.0)
    np.testing.assert_allclose(60.0 * kinetics.ramp_hours(hot, energy), 2.0 * heating)


def test_half_is_converted_in_one_hour_at_the_half_temperature():
    share = kinetics.conversion(kinetics.dose(330.0, 1.0, 330.0, 120.0, np.inf, np.inf))
    assert share == pytest.approx(0.5)


def test_conversion_rises_with_temperature_time_and_oxygen_and_falls_with_the_ramp_rate():
    def share(T: Any = 330.0, h=1.0, o2=0.21, rate=2.0):
        done = kinetics.dose(np.asarray(T), h, 340.0, 110.0, rate, rate)
        return kinetics.conversion(done * kinetics.oxygen_factor(o2, 0.5))

    assert np.all(np.diff(share(np.linspace(25.0, 700.0, 50))) >= 0)
    assert share(h=4.0) > share() > share(rate=1000.0)
    assert share(o2=1.0) > share() > share(o2=0.0)
    assert share(o2=0.0) < 0.01
    assert share(T=25.0, h=1.0) < 1e-4
    assert np.isfinite(share(np.array([20.0, 25.0, 1500.0]), h=1000.0)).all()


def test_coagulation_bares_the_surface_and_evaporation_thins_the_coating_too():
    whole = kinetics.covered_share(1.0, 1.0, 1.0, 0.0, 1.2, 0.5)
    gathered = kinetics.covered_share(1.0, 1.0, 1.0, 1.0, 1.2, 0.5)
    lost = kinetics.covered_share(1.0, 0.3, 1.0, 0.0, 1.2, 0.5)
    assert whole > gathered and whole > lost
    # thickness where covered is what remains over what is covered
    assert 1.0 / gathered > 1.0 / whole > 0.3 / lost
    assert kinetics.covered_share(0.0, 1.0, 1.0, 0.0, 1.2, 0.5) == 0.0


@pytest.mark.parametrize(("a", "worth"), [(0.5, 0.8 * 0.5**0.5), (1.0, 0.4), (2.0, 0.2)])
def test_protection_is_coverage_times_a_power_of_oxidation(a, worth):
    assert kinetics.protection(0.8, 0.5, a) == pytest.approx(worth)
    assert kinetics.protection(0.8, 0.0, a) == pytest.approx(0.0, abs=1e-5)


# --- statements entering one by one


def test_published_statements_narrow_the_best_temperature_one_by_one(entering):
    p = entering["p_within"].to_numpy()
    assert entering["statements"].tolist() == [
        "none: the prior", "+ ocv, sims", "+ complete400", "+ incomplete300", "+ coverage300"]
    assert p[0] < 0.4
    assert 0.3 < p[1] < 0.6
    assert 0.45 < p[2] < 0.7
    assert 0.65 < p[3] < 0.9
    assert p[4] > 0.9
    width = (entering["high"] - entering["low"]).to_numpy()
    assert width[0] > 350 and width[-1] < 130


def test_orderings_of_cells_alone_leave_the_temperature_wide(entering):
    low, high = (entering[name].to_numpy()[1] for name in ("low", "high"))
    assert low < 260 and high > 480


def test_completeness_without_its_lower_end_moves_the_optimum_down(entering):
    """"Complete at 400" is as true of a coating that is complete at 250."""
    middle = entering["median"].to_numpy()
    assert middle[2] < middle[1]
    assert middle[3] > middle[2]


def test_the_utility_is_varied_and_the_answer_stays(told):
    chances = [annealing.best_temperature(told, a).probability for a in (0.5, 1.0, 2.0, None)]
    assert min(chances) > 0.88
    best = annealing.best_temperature(told, 2.0)
    assert best.median >= annealing.best_temperature(told, 0.5).median
    assert "P(best between 300 and 400 degC)" in best.sentence


def test_energies_and_oxygen_order_are_labelled_as_from_the_prior(told):
    rows = told.summary()
    for name in ("oxidation_energy", "evaporation_energy", "coagulation_energy", "oxygen_order",
                 "oxidation_exponent"):
        assert rows.loc[f"annealing.{name}", "sd_over_prior_sd"] > 0.8
        assert rows.loc[f"annealing.{name}", "informed_by"] == "from the prior"
    assert rows.loc["annealing.oxidation_half_degC", "informed_by"] == "statements"


def test_statements_of_others_are_used_only_when_asked_for(model, literature):
    from ssbayes.models.engine.encode import encode

    rows = statements(literature, *NAMED)
    assert encode(rows, model).columns[level_statements.NODE].size == 0
    assert len(encode(rows, model, statements=True).columns[level_statements.NODE]) == 5


def test_a_verdict_is_listed_and_never_fitted(literature):
    readable, notes = annealing.LEVELS.readable(literature)
    assert not {"verdict", "verdict_cells"} & set(readable["row_id"])
    assert any("'verdict'" in note and "no curve" in note for note in notes)
    with pytest.raises(ValueError, match="'verdict' is listed and not used"):
        annealing.statement_table(literature, order=[["verdict"]])
    with pytest.raises(ValueError, match="there is no statement 'ovc'"):
        annealing.statement_table(literature, order=[["ovc"]])


@pytest.mark.parametrize(("row", "why"), [
    ({"statement": "ordering"}, "its form 'ordering' is none of"),
    ({"over": "rpm"}, "over 'rpm'"),
    ({"value": np.nan}, "complete_at needs value"),
    ({"statement": "best_between", "value": np.nan}, "needs value_low and value_high"),
    ({"over": "o2_fraction", "value": 1.0}, "it names no anneal_degC"),
    ({"statement": "declines_above", "over": "anneal_h", "value": 0.0, "anneal_degC": 400.0},
     "value above 0"),
])
def test_a_statement_that_cannot_be_read_says_why(row, why):
    said = {"kind": "statement", "row_id": "s", "outcome": "sulfur_oxidation",
            "over": "anneal_degC", "statement": "complete_at", "value": 400.0} | row
    readable, notes = annealing.LEVELS.readable(pd.DataFrame([said]))
    assert not len(readable) and why in notes[0]


def test_forms_have_the_probability_of_one_noisy_reading_a_level():
    """Each form's term against its definition, at heights set by hand."""
    import pymc as pm
    import pytensor.tensor as pt
    from ssbayes.models.engine.inputs import Inputs, Registry

    def said(form, **numbers):
        return {"kind": "statement", "outcome": "share", "over": "x", "statement": form, **numbers}

    levels = level_statements.Levels(["share"], {"x": (1.0, 2.0, 3.0)}, {"x": np.nan})
    table = pd.DataFrame([
        said("best_between", value_low=2.0, value_high=3.0), said("highest_at", value=3.0),
        said("declines_above", value=1.5), said("complete_at", value=2.0),
        said("incomplete_at", value=2.0)])
    rows = level_statements.level_rows(levels)(table, True)
    nodes = level_statements.level_encoder(levels)(rows, table, True)
    assert level_statements.level_rows(levels)(table, False).empty
    x = rows["x"].to_numpy()
    share, sd = 0.95 - 0.1 * x, 0.2
    registry = Registry(slots={}, overrides={})
    with pm.Model():
        level_statements.read_level_statements(
            Inputs(registry, "m"), levels,
            {"share": level_statements.Curve(pt.as_tensor(-share), sd, pt.as_tensor(share))})
        for name, values in nodes.items():
            node = registry.nodes[name]
            node.set_value(values.astype(node.dtype))
        got = registry.terms["level_statement"].eval()
    at = dict(zip(x, share, strict=True))
    scale = sd * np.sqrt(6) / np.pi
    worse = {k: np.exp(-v / scale) for k, v in at.items()}
    larger = {k: np.exp(v / scale) for k, v in at.items()}
    three = [1.0, 2.0, 3.0]
    apart = ((1 - at[2.0]) / sd) ** 2 / 2
    expected = [
        np.log((worse[2.0] + worse[3.0]) / sum(worse[k] for k in three)),
        np.log(larger[3.0] / sum(larger[k] for k in three)),
        np.log(larger[1.5] / (larger[1.5] + larger[3.0])), -apart, np.log(-np.expm1(-apart))]
    np.testing.assert_allclose(got, expected, rtol=1e-6)


# --- ignoring the ramp


def oxidation_readings(seed=3):
    """Simulated: an oxidised share read at ten temperatures and two hold times."""
    rng = np.random.default_rng(seed)
    hot, hold = (g.ravel() for g in np.meshgrid(np.linspace(250.0, 340.0, 10), [1.0, 3.0]))
    share = kinetics.conversion(kinetics.dose(hot, hold, 330.0, 110.0))
    return pd.DataFrame({
        "kind": "simulated", "anneal_degC": hot, "anneal_h": hold, "o2_fraction": 0.21,
        "sulfur_oxidation": np.clip(share + 0.02 * rng.normal(size=len(hot)), 0.0, 1.0)})


def test_ignoring_the_ramp_biases_the_half_temperature(model, literature):
    rows = pd.concat([oxidation_readings(), statements(literature, "unreacted25")],
                     ignore_index=True)
    lows, highs = {}, {}
    for name, rate in (("integrated", 2.0), ("isothermal", 1000.0)):
        fit = model.fit(rows.assign(heating_K_min=rate, cooling_K_min=rate), statements=True,
                        chains=2)
        half = fit.posterior["annealing.oxidation_half_degC"].to_numpy()
        lows[name], highs[name] = np.quantile(half, [0.005, 0.995])
    assert lows["integrated"] < 330.0 < highs["integrated"]
    assert highs["isothermal"] < 330.0
    assert highs["isothermal"] < lows["integrated"]


# --- the edge of the tested range


@pytest.mark.parametrize(("curve", "larger", "verdict"), [
    (lambda T: T, True, "edge of the tested range"),
    (lambda T: -np.exp(-T / 50.0), True, "edge of the tested range"),
    (lambda T: T, False, "edge of the tested range"),
    (lambda T: -(T - 350.0) ** 2, True, "inside the tested range"),
    (lambda T: 0.0 * T, True, "inside the tested range"),
])
def test_a_monotone_response_has_its_optimum_at_the_edge(curve, larger, verdict):
    axis = np.linspace(25.0, 700.0, 60)
    found = best_setting(curve(axis)[None, :] * np.ones((50, 1)), axis, larger=larger, unit="degC")
    assert found.verdict == verdict
    assert ("wider range" in found.sentence) == (verdict == "edge of the tested range")
    assert found.at_low_edge == (1.0 if not larger else 0.0)


def test_both_edges_and_flat_curves_are_told_as_such():
    axis = np.linspace(0.0, 1.0, 11)
    rising, inside = axis, 1.0 - 4.0 * (axis - 0.5) ** 2

    def of(*parts):
        return best_setting(np.concatenate([np.tile(c, (n, 1)) for c, n in parts]), axis)

    both = of((rising, 30), (-rising, 26), (inside, 44))
    assert "best at 1, the edge of the tested range, with probability 0.30" in both.sentence
    assert "at 0, the other edge, with 0.26" in both.sentence
    assert "the other edge" not in of((rising, 90), (inside, 10)).sentence
    some = of((rising, 20), (inside, 80))
    assert "probability 0.20 it is an end of the range" in some.sentence
    flat = of((0.0 * axis, 60), (inside, 40))
    assert "as good at both ends" in flat.sentence and "best at" not in flat.sentence


def test_what_is_held_fixed_is_a_column_and_not_the_one_looked_along():
    told: Any = SimpleNamespace(model=SimpleNamespace(name="annealing"))
    with pytest.raises(KeyError, match="anneal_h"):
        annealing.best_temperature(told, aneal_h=2.0)
    with pytest.raises(ValueError, match="anneal_degC cannot be fixed"):
        annealing.best_temperature(told, anneal_degC=300.0)


@pytest.mark.parametrize(("axis", "words"), [
    (np.linspace(0.0, 1.0, 11), "best at 0.3 (median; 90 % equal-tailed interval 0.3 to 0.3)"),
    (np.linspace(0.0, 1.0, 21), "best at 0.30 (median; 90 % equal-tailed interval 0.30 to 0.30)"),
    (np.linspace(25.0, 700.0, 136), "best at 350 (median"),
])
def test_a_best_point_is_written_as_finely_as_its_axis(axis, words):
    at = 0.3 if axis[-1] == 1.0 else 350.0
    found = best_setting(-(axis[None, :] - at) ** 2 * np.ones((50, 1)), axis)
    assert words in found.sentence


def test_second_charge_capacity_is_best_at_the_edge_of_the_tested_range(model, literature):
    fit = model.fit(statements(literature, "capacity700", "complete400", "coverage300"),
                    statements=True, chains=2)
    found = outcome_optimum(fit, "charge_capacity_mAh_g")
    assert found.verdict == "edge of the tested range"
    assert found.at_high_edge > 0.8
    assert "700 degC, the edge of the tested range" in found.sentence
    inside = outcome_optimum(fit, "coverage")
    assert inside.verdict == "inside the tested range"


@pytest.mark.parametrize(("curves", "axis", "why"), [
    (np.ones((3, 4)), np.arange(5.0), "three points or more"),
    (np.ones((3, 4)), np.array([0.0, 2.0, 1.0, 3.0]), "must increase"),
    (np.full((3, 4), np.nan), np.arange(4.0), "not finite"),
])
def test_best_setting_refuses_what_is_no_curve(curves, axis, why):
    with pytest.raises(ValueError, match=why):
        best_setting(curves, axis)


# --- beside the bare reference of the same batch


def cells(seed=5, batches=6, batch_sd=0.4, references=True):
    """Simulated cells: each batch one bare and three coated, whose level the batch shares."""
    rng = np.random.default_rng(seed)
    rows = []
    for b in range(batches):
        level = np.exp(batch_sd * rng.normal())
        for k, hot in enumerate((None, 200.0, 330.0, 550.0)):
            worth = 0.0 if hot is None else {200.0: 0.1, 330.0: 0.7, 550.0: 0.2}[hot]
            if hot is None and not references:
                continue
            rows.append({
                "kind": "simulated", "batch": f"b{b}", "cell": f"b{b}-{k}",
                "lot": "bare" if hot is None else f"LPS {hot:g}",
                "coating": "bare" if hot is None else "LPS", "anneal_degC": hot,
                "growth_ohm_cm2_sqrth": 12.0 * level * np.exp(-worth + 0.08 * rng.normal())})
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def grown(model):
    return model.fit(cells(), chains=2, rhat=1.05)


def test_growth_relative_to_bare_is_sharper_than_its_level(grown):
    settings = pd.DataFrame({"anneal_degC": [25.0, 330.0], "precursor_wt_pct": [0.0, 1.0]})
    mean = grown.predict(settings, of="mean", outcome="growth_ohm_cm2_sqrth").to_numpy()
    ratio = np.log(mean[:, 1] / mean[:, 0])
    assert ratio.std() < 0.6 * np.log(mean[:, 1]).std()
    pairs = annealing.paired(cells())
    seen = np.log(pairs.loc[pairs["anneal_degC"] == 330.0, "against_bare"].to_numpy())
    assert np.median(ratio) == pytest.approx(seen.mean(), abs=0.1)
    assert np.quantile(ratio, 0.95) < -0.4


def test_bare_and_unreacted_powder_grow_alike(grown):
    settings = pd.DataFrame({"anneal_degC": [25.0, 25.0], "precursor_wt_pct": [0.0, 1.0]})
    mean = grown.predict(settings, outcome="growth_ohm_cm2_sqrth").to_numpy()
    np.testing.assert_allclose(np.median(mean[:, 1] / mean[:, 0]), 1.0, atol=0.05)


def test_a_coated_cell_without_its_reference_is_named(model):
    from ssbayes.models.engine.encode import encode

    whole, lacking = cells(batches=2), cells(batches=2, references=False)
    assert not encode(whole, model).notes
    notes = encode(lacking, model).notes
    assert any("no bare reference in their batch" in note for note in notes)
    mixed = whole.drop(index=4)
    note = next(n for n in encode(mixed, model).notes if "no bare reference" in n)
    assert "rows 5, 6, 7 " in note


def test_pairs_are_ratios_or_differences_within_a_batch():
    table = pd.DataFrame({
        "batch": ["1", "1", "1", "2", "2", "3", None],
        "coating": ["bare", "bare", "LPS", "bare", "LPS", "LPS", "LPS"],
        "anneal_degC": [np.nan, np.nan, 400.0, np.nan, 400.0, 400.0, 400.0],
        "growth_ohm_cm2_sqrth": [10.0, 14.0, 6.0, 20.0, 10.0, 7.0, 7.0],
        "first_cycle_efficiency": [0.85, 0.87, 0.90, np.nan, 0.91, np.nan, np.nan]})
    found = annealing.paired(table).set_index(["outcome", "row"])
    assert found.loc[("growth_ohm_cm2_sqrth", 2), "against_bare"] == pytest.approx(0.5)
    assert found.loc[("growth_ohm_cm2_sqrth", 2), "bare_n"] == 2
    assert found.loc[("growth_ohm_cm2_sqrth", 4), "against_bare"] == pytest.approx(0.5)
    assert found.loc[("first_cycle_efficiency", 2), "against_bare"] == pytest.approx(0.04)
    assert found.loc[("first_cycle_efficiency", 2), "how"] == "difference"
    missing = found.loc[("growth_ohm_cm2_sqrth", 5)]
    assert np.isnan(missing["against_bare"]) and "no bare reference" in missing["note"]
    assert "names no batch" in found.loc[("growth_ohm_cm2_sqrth", 6), "note"]
    assert np.isnan(found.loc[("first_cycle_efficiency", 4), "against_bare"])


def test_what_a_bare_sample_cannot_have_is_left_out_with_a_note(model):
    from ssbayes.models.engine.encode import encode

    table = pd.DataFrame({
        "batch": ["1", "1"], "coating": ["bare", "LPS"], "anneal_degC": [np.nan, 300.0],
        "relative_degradation": [1.0, 0.6], "charge_capacity_mAh_g": [185.0, 190.0],
        "cycle": [1, 2]})
    encoded = encode(table, model)
    assert encoded.columns["relative_degradation__row"].tolist() == [1]
    assert encoded.columns["charge_capacity_mAh_g__row"].tolist() == [1]
    assert encoded.columns["precursor_wt_pct"].tolist() == [0.0, 1.0]
    assert encoded.columns["anneal_degC"].tolist() == [25.0, 300.0]
    assert any("relative_degradation of rows 0" in note for note in encoded.notes)
    assert any("second charge" in note for note in encoded.notes)


def test_rows_that_cannot_be_read_are_named_with_the_mend(model):
    from ssbayes.models.engine.encode import encode

    cold = pd.DataFrame({"coating": ["LPS", "LPS"], "anneal_degC": [np.nan, 300.0],
                         "coverage": [0.4, 0.7]})
    encoded = encode(cold, model)
    assert any("rows 0 are coated and name no anneal_degC" in note for note in encoded.notes)
    assert encoded.columns["coverage__row"].tolist() == [0] and encoded.index == [1]
    two = cold.assign(coating=["LPS", "LIC"], anneal_degC=300.0)
    with pytest.raises(ValueError, match="several coatings"):
        encode(two, model)
    assert is_bare(cold.assign(coating="")).tolist() == [True, False]


def test_a_setting_without_temperature_is_refused(told):
    with pytest.raises(ValueError, match="needs 'anneal_degC'"):
        told.predict(pd.DataFrame({"anneal_h": [1.0]}), outcome="coverage")


def test_answers_refuse_another_model_and_odd_exponents(told):
    with pytest.raises(ValueError, match="above 0"):
        annealing.best_temperature(told, 0.0)
    with pytest.raises(ValueError, match="the lower one first"):
        annealing.best_temperature(told, bounds=(500.0, 100.0))


# --- what to run next


@pytest.mark.slow
def test_suggestions_lie_where_coatings_form_and_vary_time_or_oxygen(literature):
    """As the notebook on annealing asks and asserts, which the quick tests run."""
    space = doe.Space([doe.Real("anneal_degC", 25, 700), doe.Real("anneal_h", 1, 10, log=True),
                       doe.Real("o2_fraction", 0.21, 1)])
    campaign = doe.Campaign(space, minimize="growth_ohm_cm2_sqrth", model="annealing", seed=1,
                            options={"statements": True})
    campaign.record(statements(literature, *NAMED))
    asked = campaign.suggest(4)
    hot, hold, oxygen = asked[["anneal_degC", "anneal_h", "o2_fraction"]].to_numpy().T
    assert len(hot) == 4 and hot.min() > 200.0 and hot.max() < 500.0
    assert hold.max() > 1.1 or oxygen.max() > 0.25


@pytest.mark.slow
@pytest.mark.parametrize("priors", [
    {"oxidation_half_degC": (350.0, 110.0, 25.0, 1200.0)},
    {"oxidation_half_degC": (300.0, 150.0, 25.0, 1200.0)},
    {"evaporation_half_degC": (650.0, 150.0, 25.0, 1200.0),
     "coagulation_half_degC": (550.0, 150.0, 25.0, 1200.0)},
    {"oxidation_energy": (110.0, 0.6), "evaporation_energy": (110.0, 0.6),
     "coagulation_energy": (110.0, 0.6)},
    {"spreading": (0.3,)},
    {"coverage_noise": (0.02, 0.4), "degradation_noise": (0.05, 0.5)},
])
def test_the_table_of_statements_holds_under_other_priors(literature, model, priors):
    p = annealing.statement_table(literature, model=model.with_priors(**priors))["p_within"]
    one, two, three, four = p.to_numpy()[1:]
    # a coating that hardly spreads when oxidised leaves the last just below 0.9
    assert 0.3 < one < 0.6 and 0.45 < two < 0.7 and 0.65 < three < 0.9 and four > 0.85


@pytest.mark.slow
def test_the_whole_literature_table_fits_with_time_and_oxygen(literature, model):
    fit = model.fit(literature, statements=True)
    report = fit.check()
    assert fit.convergence.worst_rhat < 1.02
    assert any("no bare reference" in sentence for sentence in report.sentences)
    assert annealing.best_temperature(fit).probability > 0.8
    found = outcome_optimum(fit, "charge_capacity_mAh_g")
    assert found.verdict == "edge of the tested range"
    assert fit.summary().loc["annealing.oxygen_order", "informed_by"] == "from the prior"
    readable = annealing.LEVELS.readable(literature)[0]["row_id"].tolist()
    assert {"oxygen300", "coverage_oxygen300", "time400"} <= set(readable)
