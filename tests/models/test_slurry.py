"""Slurry and sheet: arithmetic of the recipe, laws, what a plan tells, recoveries (simulated)."""

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from ssbayes import data, doe, models
from ssbayes.models import aliasing, powder, slurry, slurry_recipe, slurry_rows
from ssbayes.models.crossing import sd_of_ln

TRUTH = {"level": 0.35, "slope": 0.2, "thinning": 0.35, "evaporation": 0.003, "size": 0.0,
         "dry": 0.6, "dry_solid": -0.1, "dry_size": -0.5, "dry_gap": -0.1, "pressed": 0.27,
         "memory": 0.4, "pressed_size": 0.6, "pressed_gap": 0.1}
"""Laws of the simulated laboratory: the coarser sheet has fewer pores dry and more when pressed."""
PLAN = [(d, g, s) for d, g in ((4.0, 100.0), (6.0, 300.0)) for s in (48.0, 50.0, 52.0)]
CROSSED = [(4.0, 100.0, 48.0), (6.0, 300.0, 48.0), (4.0, 300.0, 50.0), (6.0, 200.0, 50.0),
           (4.0, 100.0, 52.0), (6.0, 300.0, 52.0)]


def casting(*given, **options) -> Any:
    """As the model's own; Any, for pandas' own types cannot follow a column by name."""
    return slurry.casting(*given, **options)


def logit(p):
    return np.log(p / (1 - p))


def simulated(rng, plan, *, samples=2, punches=2, sheet_sd=0.06, slurry_sd=0.1, **changes):
    """A simulated study, one slurry and one sheet a setting: written apart from the model."""
    law, rows = TRUTH | changes, []
    for k, (size, gap, solid) in enumerate(plan):
        of_slurry = slurry_sd * rng.normal()
        label = {"kind": "simulated", "run": f"r{k}", "active_d50_um": size,
                 "solid_content_pct": solid}
        for j in range(samples):
            standing, of_sample = (2.0, 40.0)[j % 2], 0.05 * rng.normal()
            wet = (100 - solid) * np.exp(-law["evaporation"] * standing)
            now = 100 * solid / (solid + wet)
            for rate in (10.0, 100.0, 1000.0):
                ln = (np.log(law["level"]) + law["slope"] * (now - 50) + of_slurry + of_sample
                      + law["size"] * np.log2(size / 5) - law["thinning"] * np.log(rate / 100))
                rows.append(label | {"cell": f"sample {j}", "soaking_min": standing,
                                     "shear_rate_1_s": rate,
                                     "viscosity_Pa_s": np.exp(ln + 0.03 * rng.normal())})
        dry = (law["dry_solid"] * (solid - 50) + law["dry_size"] * np.log2(size / 5)
               + law["dry_gap"] * np.log2(gap / 200) + sheet_sd * rng.normal())
        pressed = (logit(law["pressed"]) + law["memory"] * dry + sheet_sd * rng.normal()
                   + law["pressed_size"] * np.log2(size / 5)
                   + law["pressed_gap"] * np.log2(gap / 200))
        for j in range(punches):
            pores = 1 / (1 + np.exp(-np.array([logit(law["dry"]) + dry, pressed])))
            pores += np.array([0.015, 0.01]) * rng.normal(size=2)
            rows.append(label | {"batch": "sheet", "cell": f"punch {j}", "gap_um": gap,
                                 "dry_porosity": pores[0], "calendered_porosity": pores[1],
                                 "pelletizing_MPa": 100.0})
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def model():
    return models.get("slurry")


@pytest.fixture(scope="module")
def aliased(model):
    return model.fit(simulated(np.random.default_rng(1), PLAN), seed=1, chains=2)


@pytest.fixture(scope="module")
def said(model):
    """The published statements alone: no viscosity of a slurry is printed."""
    table = data.load("alabdali2024_slurry")
    return model.fit(table[table["kind"].eq("statement")], statements=True, seed=1)


# --- arithmetic


def test_solvent_for_a_solid_content_and_what_to_add_beside_the_binder_solution():
    solid = np.array([48.0, 50.0, 52.0])
    assert slurry_recipe.solvent_for(100.0, solid) == pytest.approx([108.33, 100.0, 92.31],
                                                                    abs=5e-3)
    assert slurry_recipe.solution_solvent(3.0) == pytest.approx(57.0)
    assert slurry_recipe.extra_solvent(100.0, solid) == pytest.approx([51.33, 43.0, 35.31],
                                                                      abs=5e-3)
    assert slurry_recipe.highest_solid_content() == pytest.approx(63.69, abs=5e-3)
    assert slurry_recipe.extra_solvent(
        7.0, slurry_recipe.highest_solid_content()) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("solid", [48.0, 52.0, 63.6])
def test_what_is_weighed_makes_the_slurry_that_was_asked_for(solid):
    table: Any = slurry_recipe.weighing(5.0, solid)
    weigh = table["weigh_g"]
    binder = 0.05 * weigh["binder solution"]
    solids = weigh[["active", "electrolyte", "carbon"]].sum() + binder
    assert solids == pytest.approx(5.0)
    assert 100 * solids / weigh.sum() == pytest.approx(solid)
    assert weigh["active"] / solids == pytest.approx(0.64)
    assert table["of_slurry_pct"].sum() == pytest.approx(100.0)
    # active material is a third of the slurry: 30.7, 32.0, 33.3 %
    assert table.loc["active", "of_slurry_pct"] == pytest.approx(0.64 * solid)


def test_a_solid_content_out_of_reach_is_refused_with_the_solution_that_reaches_it():
    with pytest.raises(ValueError, match=r"63\.7 % at most; take a solution of 5\.5 %"):
        slurry_recipe.weighing(5.0, 66.0)
    assert slurry_recipe.weighing(5.0, 66.0, binder_solution_pct=5.6).loc[
        "extra solvent", "weigh_g"] > 0


@pytest.mark.parametrize(("call", "message"), [
    ({"solids_g": 0.0}, "solids_g = 0.0"),
    ({"solid_content_pct": 101.0}, "between 0 and 100"),
    ({"binder_solution_pct": 0.0}, "binder_solution_pct"),
    ({"composition": {"active": 1.0}}, "it needs mass shares of active, electrolyte"),
    ({"composition": {**slurry_recipe.COMPOSITION, "binder": 0.05}}, "add up to 1.02"),
])
def test_impossible_recipes_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        slurry_recipe.weighing(**{"solids_g": 5.0, "solid_content_pct": 50.0} | call)


def test_loads_on_punches_are_pressures_and_the_cell_press_exceeds_the_pressing():
    pressed, measured = slurry_recipe.punch_pressure(np.array([1.6, 1.0]), np.array([14.0, 10.0]))
    assert pressed == pytest.approx(101.9, abs=0.05)
    assert measured == pytest.approx(124.9, abs=0.05)


def test_porosity_from_density_and_back():
    solids = slurry_recipe.pore_free_density()
    assert solids == pytest.approx(3.055, abs=5e-4)
    assert powder.porosity(np.array([2.14, 2.44]), 3.055) == pytest.approx([0.300, 0.201],
                                                                           abs=5e-4)
    pores = np.array([0.18, 0.5, 0.7])
    assert powder.porosity(slurry_recipe.density_of(pores, solids), solids) == pytest.approx(pores)
    # a printed dry porosity of 0.70 lies below the printed range of densities, 1.0 to 1.5
    assert slurry_recipe.density_of(0.70, solids) == pytest.approx(0.917, abs=1e-3)
    assert slurry_recipe.pore_free_density(density={"active": 4.0}) < solids
    with pytest.raises(ValueError, match="'nmc' is no component"):
        slurry_recipe.pore_free_density(density={"nmc": 4.0})


def test_the_shear_rate_of_a_coating_is_speed_over_gap():
    assert slurry_recipe.coating_shear_rate(10.0, 100.0) == pytest.approx(100.0)


def test_relative_sds_between_laboratories_on_the_logarithm():
    row = data.load("alabdali2024_slurry").set_index("row_id").loc["laboratories"]
    found = [sd_of_ln(row[c] / 100) for c in ("value_low", "value_high")]
    assert found == pytest.approx([0.340, 0.472], abs=5e-4)


# --- laws


def test_viscosity_rises_with_solids_and_falls_with_shear():
    law = {"level": 0.4, "solid_slope": 0.2, "thinning": 0.4}
    assert slurry.viscosity(100.0, 50.0, **law) == pytest.approx(0.4)
    rates = np.geomspace(10, 1000, 9)
    curve = slurry.viscosity(rates, 50.0, **law)
    assert np.all(np.diff(curve) < 0)
    assert np.diff(np.log(curve)) / np.diff(np.log(rates)) == pytest.approx(-0.4)
    assert np.all(np.diff(slurry.viscosity(100.0, np.linspace(40, 60, 9), **law)) > 0)


def test_more_than_twofold_over_four_points_is_a_slope_above_0_1733():
    bound = np.log(2) / 4
    assert bound == pytest.approx(0.1733, abs=5e-5)
    rates = np.array([10.0, 100.0, 1000.0])
    for slope, more in ((0.99 * bound, False), (1.01 * bound, True)):
        law = {"level": 0.4, "solid_slope": slope, "thinning": 0.3}
        ratio = slurry.viscosity(rates, 52.0, **law) / slurry.viscosity(rates, 48.0, **law)
        assert np.all((ratio > 2) == more)


def test_a_standing_slurry_loses_solvent_only():
    time = np.array([0.0, 10.0, 60.0, 600.0])
    found = slurry.solid_content_after(50.0, time, 0.01)
    assert found[0] == pytest.approx(50.0) and np.all(np.diff(found) > 0) and found[-1] < 100
    solvent = (100 - found) / found  # per mass of solids, which stay
    assert solvent == pytest.approx(np.exp(-0.01 * time))
    assert slurry.solid_content_after(100.0, 60.0, 0.01) == pytest.approx(100.0)


def test_three_windows_are_kept_apart():
    windows: Any = [(w.low, w.high) for w in slurry.WINDOWS.values()]
    assert windows == [(0.3, 0.6), (0.1, 0.3), (1.0, 2.0)]
    ordered = sorted(windows)
    assert all(high <= low for (_, high), (low, _) in itertools.pairwise(ordered))
    printed = data.load("alabdali2024_slurry")
    printed = printed[printed["over"].eq("viscosity_Pa_s")]
    assert windows == list(zip(printed["value_low"], printed["value_high"], strict=True))


# --- the published plan, simulated


def test_effects_of_the_published_plan_are_a_sum_and_no_single_ones(aliased):
    found = slurry.effects(aliased)
    told: Any = found.table["told"]
    for stage in ("dry porosity", "pressed porosity"):
        assert told[stage, "active_d50_um + gap_um"] == "as a sum"
        assert told[stage, "active_d50_um"] == told[stage, "gap_um"] == "not separable"
        assert told[stage, "solid_content_pct"] == "alone"
        assert np.isnan(found.table.loc[(stage, "gap_um"), "median"])
    # no gap touches the slurry in a rheometer: there the size stands alone
    assert told["ln viscosity", "active_d50_um"] == "alone"
    assert "not separable" in found.sentence
    assert any("aliased" in s for s in aliased.check().sentences)


def test_the_sum_is_recovered_and_the_single_effects_are_the_priors(aliased, model):
    found = slurry.effects(aliased).table.loc["dry porosity"]
    sizes, gaps = np.log2(np.array([4, 6]) / 5), np.log2(np.array([100, 300]) / 200)
    x = logit(TRUTH["dry"]) + TRUTH["dry_size"] * sizes + TRUTH["dry_gap"] * gaps
    true = np.diff(1 / (1 + np.exp(-x))).item()
    row = found.loc["active_d50_um + gap_um"]
    assert row.iloc[4] < true < row.iloc[5]
    # the engine's ratio of widths calls the gap informed, for the sum is: a prior decides the rest
    moved = model.with_priors(dry_size=(1.0, 0.1)).fit(aliased.table, seed=1, chains=2)
    gap = [np.median(f.posterior["slurry.dry_gap"]) for f in (aliased, moved)]
    sums = [slurry.effects(f).table.loc[("dry porosity", "active_d50_um + gap_um"), "median"]
            for f in (aliased, moved)]
    assert gap[0] - gap[1] > 0.25
    assert abs(sums[0] - sums[1]) < 0.01


def test_the_reversal_of_ranks_is_recovered_and_not_called_an_effect_of_size(aliased):
    fine = {"active_d50_um": 4.0, "gap_um": 100.0, "solid_content_pct": 50.0}
    coarse = {"active_d50_um": 6.0, "gap_um": 300.0, "solid_content_pct": 50.0}
    found = slurry.rank_reversal(aliased, fine, coarse)
    assert found.table.loc["dry", "p_one_denser"] < 0.05
    assert found.table.loc["pressed", "p_one_denser"] > 0.95
    assert "P(rank reversed by pressing) = 0.9" in found.sentence or "= 1.00" in found.sentence
    assert "active_d50_um and gap_um are aliased" in found.sentence


def test_viscosity_law_is_recovered(aliased):
    draws = aliased.parameters()
    for name, key in (("viscosity_level", "level"), ("solid_slope", "slope"),
                      ("thinning", "thinning"), ("evaporation", "evaporation")):
        low, high = np.quantile(draws[f"slurry.{name}"], [0.005, 0.995])
        assert low < TRUTH[key] < high
    assert aliased.convergence.worst_rhat < 1.03
    assert aliased.convergence.divergences < 0.01 * aliased.n_draws
    summary = aliased.summary()["informed_by"]
    assert summary["slurry.hardness"] == "from the prior"  # one pressure
    assert summary["slurry.solid_slope"] == "data"


def test_probability_of_the_window(aliased):
    settings = {"solid_content_pct": [44.0, 48.0, 50.0, 52.0, 58.0], "shear_rate_1_s": 100.0,
                "soaking_min": 2.0}
    found = casting(aliased, settings)
    total = found[["p_below", "p_inside", "p_above"]].sum(axis=1)
    assert total.to_numpy() == pytest.approx(1.0)
    assert found["p_below"].iloc[0] > 0.95 and found["p_above"].iloc[-1] > 0.95
    assert found["p_inside"].idxmax() == 2
    # the next slurry scatters more than the typical one; standing thickens
    typical = casting(aliased, settings, of="mean")
    width = [t.filter(like="high").iloc[2, 0] - t.filter(like="low").iloc[2, 0]
             for t in (found, typical)]
    assert width[0] > 1.3 * width[1]
    later = casting(aliased, settings | {"soaking_min": 60.0})
    assert np.all(later["median_Pa_s"] > found["median_Pa_s"])
    # one slurry has one viscosity: the windows share no draw
    three = [casting(aliased, settings, w)["p_inside"] for w in slurry.WINDOWS]
    assert np.all(sum(three) <= 1.0 + 1e-12)


def test_the_probability_is_that_of_the_next_slurry(aliased):
    """Its scatter integrated by hand: the law of each draw, and a new slurry about it."""
    draws = aliased.parameters()
    mu = np.log(draws["slurry.viscosity_level"]) + 2 * draws["slurry.solid_slope"]
    ends = [(np.log(v) - mu) / draws["slurry.slurry_sd"] for v in (0.3, 0.6)]
    expected = np.mean(stats.norm.cdf(ends[1]) - stats.norm.cdf(ends[0]))
    found = casting(aliased, {"solid_content_pct": [52.0], "shear_rate_1_s": 100.0})
    assert 0.1 < expected < 0.95
    assert found["p_inside"].iloc[0] == pytest.approx(expected, abs=0.03)  # four standard errors


# --- statements


def test_the_rise_is_not_in_the_prior_and_moves_it_only_when_told_to(said, model):
    prior = model.graph({}).registry.priors["slurry.solid_slope"]
    assert (prior.family, prior.numbers) == ("LogNormal", (0.1, 0.8))
    before = stats.lognorm(0.8, scale=0.1).sf(np.log(2) / 4)
    assert before < 0.3
    settings = {"solid_content_pct": [48.0, 52.0], "shear_rate_1_s": 100.0}
    draws = said.predict(settings, outcome="viscosity_Pa_s").to_numpy()
    ratio = draws[:, 1] / draws[:, 0]
    assert np.median(ratio) > 2
    # a bound on two slurries that scatter, not on the law itself
    assert 0.7 < (ratio > 2).mean() < 0.95
    assert said.convergence.worst_rhat < 1.03


def test_the_statement_has_the_weight_that_it_should(said):
    """Importance weights of prior draws give the same posterior."""
    rng = np.random.default_rng(3)
    n = 200_000
    slope = 0.1 * np.exp(0.8 * rng.normal(size=n))
    sds = [m * np.exp(0.5 * rng.normal(size=n)) for m in (0.1, 0.05, 0.03)]
    scatter = np.sqrt(2 * (sds[0] ** 2 + (sds[1] ** 2 + sds[2] ** 2) / 4))
    weight = stats.norm.cdf((4 * slope - np.log(2)) / scatter)
    expected = np.average(4 * slope > np.log(2), weights=weight)
    found = said.posterior["slurry.solid_slope"].to_numpy().ravel()
    assert np.mean(4 * found > np.log(2)) == pytest.approx(expected, abs=0.04)


def test_without_being_told_statements_stay_outside():
    table = data.load("alabdali2024_slurry")
    for told, rows in ((False, 0), (True, 1)):
        numbers = slurry_rows.encode_statements(table, table, told)[slurry_rows.STATEMENT]
        assert numbers.shape == (rows, 4)
    assert numbers.tolist() == [[48, 52, 2, 4]]


def test_nothing_published_informs_the_viscosity(said, model):
    assert "nothing published" in model.what
    summary = said.summary()["informed_by"]
    assert summary.drop("slurry.solid_slope").eq("from the prior").all()


# --- structure


def test_two_punches_of_one_sheet_are_one_unit():
    table = simulated(np.random.default_rng(2), PLAN, samples=4)
    found = slurry.units(table).set_index("outcome")
    sheets = found.loc["dry_porosity"]
    assert (sheets["sub_samples"] == 2).all() and (sheets["units"] == 1).all()
    assert (sheets["spread_df"] == 0).all() and len(sheets) == 6
    samples = found.loc["viscosity_Pa_s"]
    assert (samples["sub_samples"] == 4).all() and (samples["units"] == 1).all()
    second = table[table["batch"].notna()].assign(batch="second sheet")
    both = slurry.units(pd.concat([table, second])).set_index("outcome").loc["dry_porosity"]
    assert (both["units"] == 2).all() and (both["spread_df"] == 1).all()


def test_more_punches_of_the_same_sheets_hardly_narrow_what_is_known_of_the_recipe(model):
    width = []
    for punches in (1, 3):
        table = simulated(np.random.default_rng(5), CROSSED, punches=punches, sheet_sd=0.25)
        fit = model.fit(table, seed=2, draws=500, chains=2, rhat=1.1)
        here = {"active_d50_um": 5.0, "gap_um": 200.0, "solid_content_pct": 50.0}
        width.append(fit.predict(pd.DataFrame([here]), outcome="dry_porosity").to_numpy().std())
    assert width[1] > 0.75 * width[0]  # counted as sheets it would be 0.58


def test_densities_and_porosities_are_one_reading(model):
    table = pd.DataFrame({"solid_content_pct": [50.0], "dry_porosity": [0.6],
                          "dry_density_g_cm3": [1.222], "run": ["a"], "batch": ["s"],
                          "cell": ["p"]})
    rows, notes = slurry_rows.prepare(table, True)
    assert np.isnan(rows["dry_porosity"].iloc[0]) and "counted once" in " ".join(notes)
    assert "3.055" in " ".join(notes)


def test_pressures_come_from_load_and_punch_and_solids_from_the_shares():
    table = pd.DataFrame({
        "load_t": [1.6], "punch_mm": [14.0], "active_fraction": [0.64],
        "electrolyte_fraction": [0.30], "carbon_fraction": [0.03], "binder_fraction": [0.03]})
    rows, _ = slurry_rows.prepare(table, False)
    assert rows["pelletizing_MPa"].iloc[0] == pytest.approx(101.9, abs=0.05)
    assert rows["mixed_density_g_mL"].iloc[0] == pytest.approx(3.055, abs=5e-4)


def test_rounded_porosities_are_not_taken_as_exact():
    table: Any = data.load("alabdali2024_slurry")
    rows, notes = slurry_rows.prepare(table[table["batch"].notna()], True)
    rows: Any
    assert rows["dry_porosity_sd"].dropna().tolist() == [0.03] * 3
    assert rows["dry_porosity_n"].isna().all()
    assert any("about" in n for n in notes)


@pytest.mark.parametrize(("change", "message"), [
    ({"viscosity_Pa_s": 0.5}, "row 0: viscosity_Pa_s without shear_rate_1_s"),
    ({"dry_density_g_cm3": 3.4}, "row 0: dry_density_g_cm3 = 3.4 g/cm3 is above the 3.055"),
    ({"calendered_density_g_cm3": 2.3, "calendered_porosity": 0.4}, "porosity of 0.247"),
    ({"active_fraction": 0.7}, "row 0 has no electrolyte_fraction, carbon_fraction"),
    ({"active_fraction": 0.7, "electrolyte_fraction": 0.5, "carbon_fraction": 0.0,
      "binder_fraction": 0.0}, "add up to 1.2"),
    ({"load_t": 1.0, "punch_mm": 10.0, "pelletizing_MPa": 102.0}, "124.9 MPa, but"),
])
def test_rows_that_cannot_be_are_named(change, message):
    row = {"solid_content_pct": 50.0, "run": "a", "batch": "s", **change}
    with pytest.raises(ValueError, match=message):
        slurry_rows.prepare(pd.DataFrame([row]), True)


def test_one_slurry_has_one_solid_content(model):
    table = pd.DataFrame({"run": ["a", "a"], "solid_content_pct": [48.0, 50.0],
                          "shear_rate_1_s": 100.0, "viscosity_Pa_s": [0.3, 0.4]})
    with pytest.raises(data.TableError, match="solid_content_pct belongs to the run"):
        model.fit(table)


def test_questions_that_cannot_be_answered_are_named(aliased):
    with pytest.raises(ValueError, match="'lib' is no casting window; there are: desired"):
        casting(aliased, {"solid_content_pct": [50.0], "shear_rate_1_s": 10.0}, "lib")
    with pytest.raises(ValueError, match="the smaller one first"):
        casting(aliased, {"solid_content_pct": [50.0], "shear_rate_1_s": 10.0}, (2.0, 1.0))
    with pytest.raises(ValueError, match="need shear_rate_1_s"):
        casting(aliased, {"solid_content_pct": [50.0]})


# --- the space


def test_the_failed_sheet_is_forbidden_and_the_separating_one_is_not():
    space = doe.spaces.slurry()
    asked = {"active_d50_um": [6.0, 4.0, 6.0], "gap_um": [100, 300, 110],
             "solid_content_pct": 50.0}
    assert space.feasible(asked).tolist() == [False, True, True]
    assert space.hard == ["active_d50_um", "solid_content_pct"]
    every: Any = pd.DataFrame([(d, g, s) for d in (4.0, 6.0) for g in (100.0, 300.0)
                          for s in (48.0, 50.0, 52.0)],
                         columns=pd.Index(["active_d50_um", "gap_um", "solid_content_pct"]))
    plan = pd.DataFrame(PLAN, columns=every.columns)
    best = aliasing.breaking_runs(plan, every[space.allowed(every)]).iloc[0]
    assert (best["active_d50_um"], best["gap_um"]) == (4, 300)
    assert doe.spaces.slurry(whole_range=True).factors[1].high <= (
        slurry_recipe.highest_solid_content())


# --- coverage


@pytest.mark.slow
def test_intervals_cover_as_often_as_they_say(model):
    """Thirty simulated laboratories of one law, which is not the priors' centre."""
    sizes = np.log2(np.array([4, 6]) / 5) * TRUTH["dry_size"]
    gaps = np.log2(np.array([100, 300]) / 200) * TRUTH["dry_gap"]
    change = np.diff(1 / (1 + np.exp(-(logit(TRUTH["dry"]) + sizes + gaps)))).item()
    hits = {"slope": 0, "thinning": 0, "sum": 0}
    for k in range(30):
        fit = model.fit(simulated(np.random.default_rng(100 + k), PLAN), seed=k, draws=300)
        for name, key in (("slope", "solid_slope"), ("thinning", "thinning")):
            low, high = np.quantile(fit.parameters()[f"slurry.{key}"], [0.05, 0.95])
            hits[name] += low < TRUTH[name] < high
        row = slurry.effects(fit).table.loc[("dry porosity", "active_d50_um + gap_um")]
        hits["sum"] += row.iloc[4] < change < row.iloc[5]
    low, _ = stats.binom.interval(0.997, 30, 0.9)
    assert min(hits.values()) >= low, hits
