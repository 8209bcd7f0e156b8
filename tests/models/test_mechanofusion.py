"""Mechanofusion with carbon: what six batches settle, and what they leave open."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ssbayes import data, doe, models
from ssbayes.data.recipes import guest_volume_fraction
from ssbayes.models import carbon_network, mechanofusion, shell
from ssbayes.models.annealing_answers import prior_fit
from ssbayes.models.carbon_answers import tried_batches
from ssbayes.models.carbon_rows import as_parts
from ssbayes.models.rate_order import contradictions

pytestmark = pytest.mark.filterwarnings("ignore")

LEVELS = (0.0, 0.2, 0.5, 1.0, 2.0, 3.0)
CAPACITY = "composite_capacity_mAh_g"


@pytest.fixture(scope="module")
def model():
    return models.get("mechanofusion")


@pytest.fixture(scope="module")
def cells():
    return data.load("kissel2025_carbon_cells")


@pytest.fixture(scope="module")
def everything(cells):
    """Cells, pellets and powders."""
    tables = [cells, data.load("kissel2025_carbon_conductivity"),
              data.load("kissel2025_stress_intensity")]
    return pd.concat(tables, ignore_index=True)


@pytest.fixture(scope="module")
def fit(model, everything):
    return model.fit(everything, seed=1, chains=2)


@pytest.fixture(scope="module")
def later(model, everything):
    """Without the first cycles at 0.1C."""
    return model.fit(everything[~everything["row_id"].str.startswith("first")], seed=1, chains=2)


@pytest.fixture(scope="module")
def told(model, cells):
    """With the published statements."""
    return model.fit(cells, seed=1, statements=True)


def ends(draws):
    return np.quantile(draws, [0.05, 0.95], axis=0)


# --- shells


def test_thickness_by_the_formula_of_the_thesis():
    assert shell.thesis_thickness(1.0) == pytest.approx(6.29, abs=0.005)
    assert shell.thesis_thickness(20.0) == pytest.approx(137.4, abs=0.05)
    # The volume of the shell is that of the coating: per mass of active material, not of all.
    radius, s = 1025.0, shell.thesis_thickness(20.0)
    assert ((radius + s) ** 3 / radius**3 - 1.0) * 2.59 / 4.75 == pytest.approx(20 / 80)


def test_thickness_by_the_sauter_diameter_conserves_the_coating_of_many_grains():
    d32 = shell.sauter_diameter(2.05, 3.3)
    assert 2.05 < d32 < 3.3
    rng = np.random.default_rng(1)
    sizes = np.exp(np.log(2.05) + np.sqrt(np.log(3.3 / 2.05) / 3) * rng.normal(size=400_000))
    assert (sizes**3).sum() / (sizes**2).sum() == pytest.approx(d32, rel=0.02)
    # A thin even layer on all of them has the volume of the coating.
    thin = shell.coating_thickness(0.1) * 1e-3
    volume = (np.pi * sizes**2 * thin).sum() / (np.pi / 6 * sizes**3).sum()
    assert volume == pytest.approx(0.1 / 99.9 * 4.75 / 2.59, rel=0.02)
    assert shell.coating_thickness(20.0, sauter_um=2.05) == pytest.approx(
        shell.thesis_thickness(20.0))
    with pytest.raises(ValueError, match="not below the one by number"):
        shell.sauter_diameter(3.3, 2.05)


def test_volumes_and_densities_are_those_of_the_recipe():
    assert guest_volume_fraction(20.0, 0.0) == pytest.approx(0.314, abs=5e-4)
    assert guest_volume_fraction(20.0, 3.0) == pytest.approx(0.356, abs=2e-3)
    assert shell.coating_density(20.0, 0.0) == pytest.approx(2.59)
    assert shell.coating_density(20.0, 3.0) == pytest.approx(2.48, abs=0.01)
    assert shell.carbon_share(100.0, 5.0) == pytest.approx(0.062, abs=5e-4)
    active, matrix, electrolyte, carbon = shell.volume_shares(20.0, 3.0, 0.3)
    assert active + matrix == pytest.approx(1.0)
    assert electrolyte + carbon == pytest.approx(0.7 * matrix)


def test_photoelectrons_see_a_thin_shell_as_less_than_all():
    assert shell.visible_coverage(1.0, 150.0) == pytest.approx(1.0)
    assert shell.visible_coverage(1.0, 10.0) == pytest.approx(0.95, abs=0.001)
    assert shell.visible_coverage(1.0, 5.0) < 0.8
    # The same amount on half of the surface is thicker there, and still half is bare.
    assert 0.4 < shell.visible_coverage(0.5, 10.0) < 0.5


def test_coverage_rises_with_stress_and_time_and_saturates():
    grid = np.linspace(-4, 3, 40)
    for a, b in ((grid, 0.0), (0.0, grid)):
        covered = shell.covered_share(a, b, 3.0, 1.0, 0.7)
        assert (np.diff(covered) >= 0).all() and covered[0] < 0.4 and covered[-1] > 0.999
        assert (covered <= 1.0).all()


# --- conduction


def test_the_matrix_steps_by_decades_at_the_threshold():
    below, above = carbon_network.matrix_electronic(
        np.array([0.025, 0.062]), 0.045, 1.0, 5000.0, 1e-3)
    assert below < 0.01 and above > 50
    v = np.linspace(0.0, 0.3, 200)
    assert (np.diff(carbon_network.matrix_electronic(v, 0.045, 1.0, 5000.0, 1e-3)) > 0).all()


def test_without_carbon_grains_still_conduct_through_their_contacts():
    assert carbon_network.composite_electronic(0.69, 0.31, 0.1, 0.0, 2.0) > 0
    assert carbon_network.composite_electronic(0.0, 1.0, 0.1, 200.0, 2.0) == 200.0


def test_a_thin_coating_never_raises_the_threshold():
    thickness = np.array([1.0, 100.0, 1000.0, 1e12])
    found = carbon_network.effective_threshold(0.05, 0.5, thickness)
    assert (np.diff(found) > 0).all() and found[-1] == pytest.approx(0.05)
    assert carbon_network.effective_threshold(0.05, 0.0, thickness) == pytest.approx(0.05)


def test_bruggeman_with_volume_and_pores_is_ten_times_too_high():
    pores, solid = 0.3, shell.carbon_share(100.0, 15.0)
    free = carbon_network.ionic((1 - solid) * (1 - pores), solid * (1 - pores), 0.7, 1.5, 0.0)
    assert 8 < free / 0.03 < 13


# --- rows that no rate law holds


def rates(**columns):
    table = pd.DataFrame({"batch": "a", "c_rate": [0.1, 1.0], CAPACITY: [100.0, 120.0]})
    return table.assign(**columns)


def test_more_at_a_higher_rate_is_flagged_with_both_rows():
    (found,) = contradictions(rates(row_id=["slow", "fast"]), CAPACITY)
    assert (found.slow, found.fast) == (0, 1)
    for word in ("row 0 (slow)", "row 1 (fast)", "100 at 0.1C", "120 at 1C", "set aside"):
        assert word in found.sentence


@pytest.mark.parametrize("harmless", [
    {CAPACITY: [100.0, 95.0]}, {CAPACITY: [100.0, 104.0]}, {"batch": ["a", "b"]},
    {"c_rate": [1.0, 1.0]}, {"batch": None}, {CAPACITY: [100.0, np.nan]},
    {f"{CAPACITY}_censored": [None, "<"]}, {"status": ["done", "failed"]},
    {f"{CAPACITY}_sd": [10.0, 10.0]}, {"utilization": [0.6, 0.75]},
])
def test_what_noise_or_another_batch_or_utilization_explains_is_not_flagged(harmless):
    assert contradictions(rates(**harmless), CAPACITY) == []


def test_the_worst_of_several_lower_rates_is_named():
    table = pd.DataFrame({"batch": "a", "c_rate": [0.05, 0.1, 1.0],
                          CAPACITY: [110.0, 90.0, 120.0]})
    assert [(f.slow, f.fast) for f in contradictions(table, CAPACITY)] == [(1, 2)]


def test_the_published_pair_does_not_enter_one_likelihood(fit, everything):
    where = {row_id: k for k, row_id in enumerate(everything["row_id"])}
    used = set(fit.encoded.columns[f"{CAPACITY}__row"])
    assert where["first-0"] in used and where["1C-0"] not in used
    said = [note for note in fit.encoded.notes if "no rate law" in note.lower()]
    assert len(said) == 1 and "(1C-0)" in said[0] and "(first-0)" in said[0]


def test_without_the_first_cycle_the_row_is_used(later, cells):
    labels = later.response(CAPACITY).reading_labels
    assert "1C-0" in set(later.table.loc[labels, "row_id"])
    assert not any("no rate law" in note.lower() for note in later.encoded.notes)


# --- two answers about the best carbon content


@pytest.mark.parametrize("evidence", ["fit", pytest.param("told", marks=pytest.mark.slow)])
def test_of_the_six_batches_half_a_part_is_best(evidence, request):
    answer = mechanofusion.best_of_tried(request.getfixturevalue(evidence))
    chance = dict(zip(answer.table["cb_parts"], answer.table["p_best"], strict=True))
    assert sorted(chance) == list(LEVELS)
    assert chance[0.5] > 0.85
    assert sum(chance.values()) == pytest.approx(1.0)
    assert "0.5 parts" in answer.sentence and "not about their carbon contents" in answer.sentence


def test_without_the_first_cycles_even_that_is_open(later):
    table = mechanofusion.best_of_tried(later).table
    chance = dict(zip(table["cb_parts"], table["p_best"], strict=True))[0.5]
    assert 0.4 < chance < 0.9


@pytest.mark.parametrize("evidence", [
    "fit", "later", pytest.param("told", marks=pytest.mark.slow)])
def test_for_a_new_batch_the_best_content_is_unresolved(evidence, request):
    found = request.getfixturevalue(evidence)
    tested = mechanofusion.optimum(found, levels=LEVELS)
    assert 0.3 < tested.probability < 0.85
    assert tested.at_zero > 0.2
    # Over all contents between those tested a flat curve has its top almost anywhere.
    free = mechanofusion.optimum(found)
    assert 0.2 < free.probability < 0.6
    assert free.low < 0.05 and free.high > 0.8
    assert not free.resolved and "unresolved" in free.sentence
    assert 0.08 < free.batch_sd < 0.25


@pytest.mark.slow
@pytest.mark.parametrize("sd", [0.1, 0.2])
def test_that_holds_for_either_end_of_the_usual_spread_of_batches(model, cells, sd):
    found = model.with_priors(batch_sd=(sd, 0.05)).fit(cells, seed=2)
    tested = mechanofusion.optimum(found, levels=LEVELS)
    assert 0.3 < tested.probability < 0.85
    assert mechanofusion.optimum(found).low < 0.05
    assert mechanofusion.best_of_tried(found).table.set_index("cb_parts").loc[0.5, "p_best"] > 0.85


def test_the_spread_of_batches_is_never_zero(model):
    prior = model.priors.loc["mechanofusion.batch_sd"]
    assert prior["prior"].startswith("LogNormal")


@pytest.mark.parametrize(("best", "said"), [(3.0, True), (0.5, False)])
def test_a_best_content_at_the_end_of_the_range_is_called_that(best, said):
    curve = SimpleNamespace(mean=lambda at: -np.abs(
        np.tile(at["cb_parts"].to_numpy(), (10, 1)) - best))
    stub: Any = SimpleNamespace(
        model=SimpleNamespace(name="mechanofusion"), response=lambda _: curve,
        posterior={"mechanofusion.batch_sd": SimpleNamespace(to_numpy=lambda: np.full(10, 0.1))},
        options={"statements": False})
    found = mechanofusion.optimum(stub)
    assert ("P(3, the end of the range, is best) = 1.00" in found.sentence) == said


# --- the collapse


@pytest.mark.parametrize("of", ["batches", "mean"])
def test_the_initial_collapse_is_kinetic(fit, of):
    table = mechanofusion.collapse(fit, 3.0, 0.5, of=of).table
    assert table.loc["static", "low"] < 1.38 < table.loc["static", "high"]
    assert table.loc["static", "median"] == pytest.approx(1.38, abs=0.08)
    assert 0.04 < table.loc["kinetic", "median"] < 0.07
    assert table.loc["kinetic", "high"] < 0.15 and table.loc["kinetic", "excludes 1"]


def test_the_factors_multiply_to_the_capacity_of_the_composite(fit):
    found = mechanofusion.collapse(fit, 3.0, 0.5)
    mass = (80 / 103) / (80 / 100.5)
    assert np.allclose(found.static * found.kinetic * mass, found.total, rtol=1e-6)


def test_all_batches_of_a_content_are_compared_not_the_first_alone(model):
    table = pd.DataFrame({
        "batch": ["a", "b", "c"], "cell": ["1", "2", "3"], "cb_parts": [3.0, 3.0, 0.5],
        "c_rate": 1.0, CAPACITY: [5.0, 20.0, 100.0]})
    kept = {k: v[:20] for k, v in prior_fit(model, 20).parameters().items() if v.ndim < 3}
    fit = models.Fit.from_draws(model, table, kept)
    slots = fit.effect_shapes
    rng = np.random.default_rng(0)
    kept |= {name: rng.normal(size=fit.posterior[name].shape[1:]) for name in slots}
    fit = models.Fit.from_draws(model, table, kept)
    each = []
    for name in ("a", "b"):
        one = table[table["batch"].isin([name, "c"])]
        at = fit.response(CAPACITY).mean(tried_batches(fit).assign(c_rate=1.0)[
            lambda t, one=one: t["batch"].isin(one["batch"])])
        each.append(at[:, 0] / at[:, 1])
    found = mechanofusion.collapse(fit, 3.0, 0.5)
    assert np.allclose(found.total, np.sqrt(each[0] * each[1]))
    assert "measured batches, 2 against 1" in found.sentence


def test_capacity_of_a_batch_is_the_product_of_its_parts(fit):
    at = tried_batches(fit).assign(c_rate=1.0)
    names = ("quantity:utilization", "quantity:active_capacity", f"mean:{CAPACITY}")
    values = fit.response().evaluate(names, at)
    product = values[names[0]] * values[names[1]] * (80 / (100 + at["cb_parts"].to_numpy()))
    assert np.allclose(product, values[names[2]])


def test_utilization_rises_and_active_capacity_falls_with_carbon(fit):
    at = pd.DataFrame({"cb_parts": np.linspace(0, 3, 13)})
    use = fit.quantity("utilization", at).to_numpy()
    active = fit.predict(at, outcome="active_capacity_mAh_g").to_numpy()
    assert (np.diff(use, axis=1) >= -1e-9).all()
    # Better connected material runs at a lower rate, so a little carbon may even gain at first.
    assert (active[:, -1] < 0.5 * active[:, 0]).all()
    middle = np.median(active[:, 4:], axis=0).tolist()
    assert middle == sorted(middle, reverse=True)
    slow = fit.predict(at.assign(c_rate=0.1), outcome="active_capacity_mAh_g").to_numpy()
    assert (slow >= active - 1e-9).all()


# --- retention, conduction, stress


def test_retention_is_an_outcome_of_its_own(fit):
    at = pd.DataFrame({"cb_parts": [0.2, 3.0]})
    kept = fit.predict(at, outcome="retention").to_numpy()
    assert np.median(kept[:, 1]) < 0.45 < 0.8 < np.median(kept[:, 0])
    same = fit.predict(at.assign(c_rate=0.1), outcome="retention").to_numpy()
    assert np.allclose(kept, same)
    longer = fit.predict(at.assign(retention_cycles=160.0), outcome="retention").to_numpy()
    assert np.allclose(longer, kept**2)
    start = fit.predict(at, outcome=CAPACITY).to_numpy()
    assert np.allclose(start, fit.predict(at.assign(retention_cycles=300.0), outcome=CAPACITY))
    # Within the cycling, utilization fades as the retention says.
    late = fit.predict(at.assign(cycle=82.0), outcome="utilization").to_numpy()
    early = fit.predict(at, outcome="utilization").to_numpy()
    assert np.median(late[:, 1] / early[:, 1]) == pytest.approx(np.median(kept[:, 1]), abs=0.05)


def test_printed_conductivities_lie_in_their_intervals(fit):
    pellets = pd.DataFrame({"electrolyte_parts": [100.0, 100, 20, 20, 20],
                            "cb_parts": [5.0, 15, 0, 0.2, 3]})
    of = {"electronic_mS_cm": [200, 1000, 0.03, None, 1.8],
          "ionic_mS_cm": [None, 0.03, None, 0.04, 0.006]}
    for outcome, printed in of.items():
        low, high = ends(fit.predict(pellets, of="cell", outcome=outcome).to_numpy())
        for value, a, b in zip(printed, low, high, strict=True):
            assert value is None or a < value < b
    assert (ends(fit.predict(pd.DataFrame({"electrolyte_parts": [100.0], "cb_parts": [2.0]}),
                               outcome="electronic_mS_cm").to_numpy())[1] < 0.1).all()


def test_the_step_lies_between_two_and_five_percent_and_is_no_universal_one(fit):
    draws = {k: fit.posterior[f"mechanofusion.{k}"].to_numpy() for k in (
        "percolation_threshold", "percolation_exponent", "ionic_blocking")}
    shares = [shell.carbon_share(100.0, x) for x in (1.5, 5.0)]
    low, high = ends(draws["percolation_threshold"].ravel())
    assert shares[0] < low and high < shares[1]
    assert ends(draws["percolation_exponent"].ravel())[1] < 1.8
    assert ends(draws["ionic_blocking"].ravel())[0] > 2.0  # its own carbon term is needed


def test_what_no_number_informs_is_from_the_prior(fit):
    summary = fit.summary()
    for name in ("thin_coating_shift", "matrix_exponent", "coverage_exponent"):
        assert summary.loc[f"mechanofusion.{name}", "informed_by"] == "from the prior"


def test_printed_stress_intensities_within_five_percent(fit):
    speeds = pd.DataFrame({"rpm": [1000.0, 2500, 5000], "cb_parts": 3.0})
    found = fit.predict(speeds, outcome="stress_intensity_J_kg").to_numpy()
    assert np.median(found, axis=0) == pytest.approx([0.006, 0.033, 0.123], rel=0.05)
    exponent = fit.posterior["mechanofusion.stress_exponent"].to_numpy()
    assert 1.8 < exponent.mean() < 1.95


def test_bounds_on_coverage_are_heard(fit):
    at = pd.DataFrame({"rpm": [1000.0, 2500, 5000, 10_000], "milling_min": [60.0, 60, 5, 60],
                       "cb_parts": 3.0})
    low, high = ends(fit.predict(at, outcome="coverage").to_numpy())
    assert (high[:2] < 1.0).all() and (low[2:] > 0.9).all()
    assert np.median(fit.predict(at.iloc[1:2], outcome="coverage")) < 0.98


def test_the_chains_agree(fit, later):
    for found in (fit, later):
        assert found.convergence.worst_rhat < 1.02
        assert found.convergence.divergences < 0.02 * found.n_draws


def test_no_campaign_searches_for_a_conductivity():
    space = doe.Space([doe.Real("cb_parts", 0, 3)])
    with pytest.raises(doe.CampaignError, match=r"no objective.*do not go with the capacity"):
        doe.Campaign(space, maximize="electronic_mS_cm", model="mechanofusion")


# --- energy


def power_log(idle=40.0, net=60.0, premix=600.0, mixing=3600.0):
    time = np.arange(0.0, premix + mixing + 1, 5.0)
    rng = np.random.default_rng(2)
    power = idle + np.where(time < premix, 200.0, net) + rng.normal(0, 3, len(time))
    return pd.DataFrame({"time_s": time, "power_W": power, "sample_mass_g": 20.0})


def test_only_the_mixing_phase_counts_as_energy():
    found = mechanofusion.specific_energy(power_log(), mixing_s=(600.0, 4200.0),
                                          idle_power_W=40.0, idle_sd_W=3.0)
    assert found == pytest.approx(60.0 * 3600 / 20, rel=0.01)


@pytest.mark.parametrize("phase", [(600.0, 9000.0), (700.0, 700.0), (-5.0, 100.0)])
def test_a_phase_outside_the_log_is_refused(phase):
    with pytest.raises(ValueError, match="not within the log, 0 to 4200 s"):
        mechanofusion.specific_energy(power_log(), mixing_s=phase, idle_power_W=40.0, idle_sd_W=3.0)


# --- rows and bad input


def test_carbon_is_read_in_whichever_basis_a_row_gives():
    rows = pd.DataFrame({
        "phase": ["matrix", "composite", "composite", None],
        "electrolyte_parts": [np.nan, 20.0, 20.0, 20.0],
        "cb_parts": [np.nan, np.nan, 0.5, np.nan],
        "cb_per_electrolyte_wt_pct": [5.0, 15.0, np.nan, np.nan],
        "porosity": [0.05, 0.2, np.nan, np.nan]})
    read, notes = as_parts(rows, True)
    assert read["cb_parts"].tolist() == pytest.approx([5.0, 3.0, 0.5])
    assert read["electrolyte_parts"].tolist() == [100.0, 20.0, 20.0]
    assert read["porosity"].notna().tolist() == [True, False, False]
    assert len(notes) == 1 and "row 3" in notes[0] and "0 if none" in notes[0]


def test_a_quotient_is_not_counted_beside_its_parts(fit, everything):
    rows = everything.iloc[fit.encoded.columns["active_capacity_mAh_g__row"]]
    assert rows["row_id"].tolist() == ["active-3"]  # its composite capacity is only a bound


def test_a_prediction_without_carbon_content_is_refused(fit):
    with pytest.raises(ValueError, match="needs 'cb_parts'"):
        fit.predict(pd.DataFrame({"rpm": [5000.0]}), outcome=CAPACITY)


def test_questions_that_have_no_answer_are_refused(fit):
    with pytest.raises(ValueError, match=r"no batch of 1\.5 parts was measured; there are 0, 0\.2"):
        mechanofusion.collapse(fit, 1.5, 0.5)
    with pytest.raises(ValueError, match="none of 'batches', 'mean'"):
        mechanofusion.collapse(fit, 3.0, 0.5, of="cells")
    with pytest.raises(ValueError, match="increasing"):
        mechanofusion.optimum(fit, within=(1.0, 0.2))
    with pytest.raises(ValueError, match="two contents"):
        mechanofusion.optimum(fit, levels=[0.5])


def test_another_models_fit_is_refused(fit):
    class Other:
        model = models.get("milling")

    with pytest.raises(ValueError, match="needs one of 'mechanofusion'"):
        mechanofusion.optimum(Other())  # pyright: ignore[reportArgumentType]


@pytest.mark.slow
def test_suggestions_repeat_low_contents_and_ask_where_blocking_begins(cells):
    """With the published ordering as data; the space is that of carbon alone.

    Between 0.5 and 3 parts no number at 1C says where ions are blocked, so new batches near one
    part are worth as much as repeats below a half. What collapses is left alone.
    """
    asked = []
    for seed in (1, 2, 3):
        campaign = doe.Campaign(
            doe.Space([doe.Real("cb_parts", 0, 3)]), maximize=CAPACITY, model="mechanofusion",
            seed=seed, options={"statements": True},
            fixed={"c_rate": 1.0, "rpm": 1e4, "milling_min": 60.0, "electrolyte_parts": 20.0})
        campaign.record(cells)
        asked.append(campaign.suggest(4)["cb_parts"].to_numpy(float))
    every = np.concatenate(asked)
    assert (every <= 0.5).sum() >= 3
    assert (every > 1.5).sum() <= 3
