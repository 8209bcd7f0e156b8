"""Conduction of pressed pellets: units, path, what release sweeps tell, bounds, bad input."""

import numpy as np
import pandas as pd
import pytest
from ssbayes import data, models
from ssbayes.doe import virtual_pellets
from ssbayes.models import activation_volume as volumes
from ssbayes.models import conduction, heckel
from ssbayes.models import transport_bounds as bounds

AT_298_K = 24.85
OUTCOME = "conductivity_mS_cm"
VOLUME = "conduction.apparent_activation_volume"


@pytest.fixture(scope="module")
def printed():
    return conduction.complete(data.load("schneider2023_pellets"), temperature_degC=25.0)


@pytest.fixture(scope="module")
def published(printed):
    return models.get("conduction").fit(printed, seed=1, draws=500, chains=2)


@pytest.fixture(scope="module")
def sweeps():
    return virtual_pellets.sweeps(5, 1.4)


@pytest.fixture(scope="module")
def fit(sweeps):
    return models.get("conduction").fit(sweeps, seed=1, draws=500, chains=2)


# --- activation volume: units


def test_energy_per_pressure_at_298_K():
    assert volumes.thermal_energy(AT_298_K) / 1000 == pytest.approx(2.47771, abs=5e-6)


def test_slope_volume_and_volume_per_ion():
    volume = volumes.from_slope(-0.565038, AT_298_K)
    assert volume == pytest.approx(1.4, abs=5e-5)
    assert volumes.per_ion(volume) == pytest.approx(2.3248, abs=5e-5)
    assert volumes.per_mole(volumes.per_ion(volume)) == pytest.approx(volume)


@pytest.mark.parametrize(("volume", "slope"), [(1.7, -0.6861), (2.0, -0.8072), (2.17, -0.8758)])
def test_slopes_of_other_volumes(volume, slope):
    assert volumes.slope(volume, AT_298_K) == pytest.approx(slope, abs=5e-5)


def test_pressure_takes_half_by_1700_MPa_and_a_twentieth_at_100():
    between = volumes.pressure_factor(1.4, 1200.0, AT_298_K)
    assert between == pytest.approx(0.5076, abs=5e-5)
    # "can be neglected" is 5.5 %, not nothing
    assert 1 - volumes.pressure_factor(1.4, 100.0, AT_298_K) == pytest.approx(0.055, abs=5e-4)


def test_release_maxima_extrapolate_to_the_compression_values(printed):
    values = printed.set_index("row_id")[OUTCOME]
    for name, expected in ((">50", 5.42), ("<50", 4.35)):
        there = values[f"sigma release {name}"] * volumes.pressure_factor(1.4, 350.0, AT_298_K)
        assert there == pytest.approx(expected, abs=0.005)
        assert there == pytest.approx(values[f"sigma compression {name}"], rel=0.062)


def test_bulk_modulus_from_scaled_cells(printed):
    cells = printed[printed["cell_scaling"].notna()].set_index("cell_scaling")["stack_MPa"]
    if cells.isna().any():
        cells = printed[printed["cell_scaling"].notna()].set_index("cell_scaling")[
            "pelletizing_MPa"]
    found = {f: heckel.bulk_modulus_from_scaling(p / 1000, f) for f, p in cells.items()}
    assert found[0.99] == pytest.approx(26.9, abs=0.05)
    assert found[0.98] == pytest.approx(28.9, abs=0.05)


def test_printed_ratios(printed):
    value = printed.set_index("row_id")[OUTCOME]
    ratios = {
        ("sigma compression >50", "sigma compression <50"): 1.390,
        ("sigma release >50", "sigma release <50"): 1.245,
        ("sigma released 1 >50", "sigma released 1 <50"): 0.289,
        ("sigma released 2 >50", "sigma released 1 >50"): 1.909,
        ("sigma released 2 <50", "sigma released 1 <50"): 1.158,
    }
    for (above, below), expected in ratios.items():
        assert value[above] / value[below] == pytest.approx(expected, abs=6e-4)


# --- physics of a pellet


def test_conductivity_depends_on_the_highest_pressure_and_the_pressure_now():
    law = (2.0, 120.0, 0.3, 1000.0)
    highest = np.geomspace(10, 1700, 40)
    ln_g = conduction.compaction(highest, *law)
    assert np.all(np.diff(ln_g) > 0) and ln_g.max() < 0
    r_c = conduction.contact_resistivity(
        np.array([10.0, 100.0]), 500.0, 1.0, 100.0, 1.0, 1e9, 0.1, 1.0)
    assert r_c.tolist() == pytest.approx([100.0, 10.0])
    for change in ({"highest_MPa": 1000.0}, {"cycle": 2.0}, {"now_MPa": 20.0}):
        given = {"now_MPa": 10.0, "highest_MPa": 500.0, "cycle": 1.0} | change
        assert conduction.contact_resistivity(
            **given, at_reference=100.0, now_exponent=1.0, closing_MPa=200.0,
            highest_exponent=0.1, cycle_exponent=1.0) < 100.0


def test_without_contacts_only_the_bulk_is_left():
    value = conduction.pellet_conductivity(5.0, 0.0, 1.4, 0.0, 25.0, 0.0)
    assert value == pytest.approx(5.0)
    # 200 ohm cm and 100 ohm cm in series
    assert conduction.pellet_conductivity(5.0, 0.0, 1.4, 0.0, 25.0, 100.0) == pytest.approx(
        1000 / 300)


def test_a_release_passes_through_a_maximum():
    now = np.geomspace(10, 1700, 200)
    r_c = conduction.contact_resistivity(now, 1700.0, 1.0, 500.0, 1.5, 1000.0, 0.1, 1.0)
    value = conduction.pellet_conductivity(8.0, -0.05, 1.4, now, 25.0, r_c)
    assert 100 < now[value.argmax()] < 300 and value[0] < 0.5 * value.max()


def test_round_robin_as_sd_of_ln():
    assert conduction.sd_of_ln(0.35) == pytest.approx(0.34, abs=0.005)
    assert conduction.sd_of_ln(0.50) == pytest.approx(0.47, abs=0.005)
    prior = models.get("conduction").priors.loc["conduction.laboratory_sd", "prior"]
    assert prior == "LogNormal(median=0.4, sd_ln=0.1)"  # its 90 % interval is 0.34 to 0.47


# --- the printed values


def settings(sieve, path):
    rows = [{"stack_MPa": now, "pelletizing_MPa": top, "cycle": cycle} for now, top, cycle in path]
    label = {"<50 um": "<50", ">50 um": ">50"}[sieve]
    return pd.DataFrame(rows).assign(sieve=sieve, temperature_degC=25.0, cell=f"pellet {label}",
                                     lot=f"t-Li7SiPS8 {label}", study="schneider2023")


def test_hysteresis_and_the_reversal_after_release(published):
    """Released pellets conduct better than powder; only there does the coarse one conduct less."""
    path = [(10, 10, 1), (500, 500, 1), (141, 1700, 1), (10, 1700, 1), (10, 1700, 2)]
    fine, coarse = (published.predict(settings(sieve, path), outcome=OUTCOME).to_numpy()
                    for sieve in ("<50 um", ">50 um"))
    for values in (fine, coarse):
        assert np.mean(values[:, 0] < values[:, 3]) > 0.9
        assert np.mean(values[:, 3] < values[:, 4]) > 0.9
    above = np.mean(coarse > fine, axis=0)
    assert np.all(above[:3] > 0.9) and np.all(above[3:] < 0.1)


def test_printed_values_say_little_and_the_fit_says_so(published):
    summary = published.summary()
    assert summary.loc[VOLUME, "informed_by"] == "data"  # the printed 1.4, no curve
    unknown = ["laboratory_sd", "lot_sd", "pellet_sd", "geometry_sd", "contact_sd",
               "prefactor_share", "density_exponent", "activation_energy"]
    for name in unknown:
        assert summary.loc[f"conduction.{name}", "informed_by"] == "from the prior", name
    answer = conduction.activation_volume(published)
    low, high = answer.table.loc["cm3/mol", ["low", "high"]]
    assert low < 1.4 < high and high - low > 0.2 * 1.4 * 0.9
    assert "pre-exponential" in answer.sentence and answer.informed
    ratio = answer.table.loc["A3 per ion"] / answer.table.loc["cm3/mol"]
    assert ratio.to_numpy(float) == pytest.approx(1.66054, abs=1e-5)


def test_one_volume_printed_for_two_fractions_counts_once(published):
    assert published.encoded.columns["printed_volume__numbers"].tolist() == [1.4]


def test_what_a_table_leaves_open_is_filled_in_and_said(printed):
    rows = printed.set_index("row_id")
    row = rows.loc["sigma release <50"]
    assert row["stack_MPa"] == pytest.approx(np.sqrt(100 * 200))
    assert "middle of the printed range" in row["note"] and "assumed" in row["note"]


# --- simulated sweeps of two powders


def prepared(rows, model=conduction.MODEL):
    assert model.prepare is not None
    return model.prepare(rows, True)


def test_readings_under_rising_pressure_are_left_out_and_said(fit, sweeps):
    rows = sweeps.iloc[fit.encoded.columns[f"{OUTCOME}__row"]]
    assert not (rows["sweep"].eq("compression") & rows["stack_MPa"].gt(500)).any()
    assert rows["sweep"].eq("compression").any()  # below, they tell of compaction
    assert any("under rising pressure are left out" in note for note in fit.encoded.notes)
    both = prepared(sweeps, conduction.with_compression())[0]
    assert not np.isnan(both[OUTCOME]).any()


def test_volume_of_the_fit_is_that_of_the_release_sweeps(fit, sweeps):
    table = conduction.activation_volume(fit).table.loc["cm3/mol"]
    assert table["low"] < 1.4 < table["high"]
    assert table["median"] == pytest.approx(1.4, abs=0.12)
    # the systematic term rules: ten per cent either way
    statistical = table["high_statistical"] - table["low_statistical"]
    assert table["high"] - table["low"] > 2 * statistical
    found = conduction.classical(sweeps).table.loc["all"]
    assert found["volume_cm3_mol"] == pytest.approx(1.4, abs=4 * found["sd_cm3_mol"] + 0.05)
    assert found["systematic_cm3_mol"] == pytest.approx(0.1 * found["volume_cm3_mol"])


def test_compression_sweeps_bias_the_volume_downwards():
    errors = {name: [] for name in ("release", "compression")}
    for seed in range(20):
        table = virtual_pellets.sweeps(seed, 1.4)
        for name, found in errors.items():
            slopes = conduction.classical(table, sweeps=(name,)).table.loc["all"]
            found.append(slopes["volume_cm3_mol"] - 1.4)
    off = {name: (np.mean(e), np.std(e, ddof=1) / np.sqrt(len(e))) for name, e in errors.items()}
    assert off["compression"][0] + 3 * off["compression"][1] < -0.1
    assert abs(off["release"][0]) < 0.05


def simulated_lines(rng, different):
    rows = []
    for sieve, volume in (("fine", 1.4), ("coarse", 1.4 + different)):
        for cycle in (1, 2, 3):
            for now in np.linspace(500, 1700, 7):
                ln = -volume * now / volumes.thermal_energy(25.0) + 0.02 * rng.normal()
                rows.append({"sieve": sieve, "cell": sieve, "cycle": cycle, "sweep": "release",
                             "stack_MPa": now, OUTCOME: 5 * np.exp(ln)})
    return pd.DataFrame(rows)


def test_a_shared_volume_costs_no_fit_where_the_volumes_are_equal():
    rng = np.random.default_rng(3)
    rejected = {}
    for different in (0.0, 0.6):
        count = 0
        for _ in range(100):
            table = simulated_lines(rng, different)
            one, two = (conduction.classical(table, temperature_degC=25.0, shared=s)
                        for s in (True, False))
            f = (one.residual_ss - two.residual_ss) / (two.residual_ss / two.degrees)
            count += f > 4.12  # 95 % quantile of F(1, 34)
        rejected[different] = count / 100
    assert rejected[0.0] < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 100) and rejected[0.6] > 0.9


# --- stack pressure


def test_stack_correction_of_the_prior_is_wide_and_says_whence():
    found = conduction.stack_correction()
    assert found.prior_driven and "from the prior" in found.sentence
    assert found.low <= found.factor / 1.15 * 1.001 and found.high >= 1.15 * found.factor * 0.999
    back = conduction.stack_correction(None, 80.0, 50.0)
    assert back.factor == pytest.approx(1 / found.factor, rel=0.05)
    assert conduction.stack_correction(None, 10.0, 80.0).sd_ln > found.sd_ln
    same = conduction.stack_correction(None, 50.0, 50.0)
    assert (same.factor, same.sd_ln) == (1.0, 0.0)


def test_the_bulk_of_the_measured_powder_loses_two_per_cent_from_50_to_80_MPa(fit):
    found = conduction.stack_correction(fit, sieve="coarse", pelletizing_MPa=1700.0)
    assert found.intrinsic == pytest.approx(0.983, abs=0.003)
    assert not found.prior_driven and "informed by readings" in found.sentence
    # pressed pellets were not read at 60 MPa: the law between the pressures is assumed there
    assumed = conduction.stack_correction(fit, 50.0, 60.0, sieve="coarse", pelletizing_MPa=1700.0)
    assert assumed.prior_driven and assumed.sd_ln > 0.03


def test_pellets_read_at_both_pressures_narrow_the_correction(fit):
    read = conduction.stack_correction(fit, 30.0, 80.0, sieve="coarse", pelletizing_MPa=1700.0)
    prior = conduction.stack_correction(None, 30.0, 80.0, pelletizing_MPa=1700.0)
    assert not read.prior_driven and "informed by readings" in read.sentence
    assert prior.prior_driven and read.factor > 1.1
    truth = [sum(virtual_pellets.resistivity(virtual_pellets.POWDERS["coarse"], 1.4, now, 1700., 1))
             for now in (30.0, 80.0)]
    assert read.factor == pytest.approx(truth[0] / truth[1], rel=0.35)


def test_comparisons_across_pressures_widen():
    table = pd.DataFrame({"stack_MPa": [50.0, 80.0], "ionic_mS_cm": [0.20, 0.24],
                          "ionic_mS_cm_sd": [0.01, 0.01]})
    done = conduction.at_stack_pressure(table, 80.0, outcome="ionic_mS_cm")
    assert done["stack_MPa"].tolist() == [80.0, 80.0]
    assert done["ionic_mS_cm_sd"].iloc[1] == 0.01 and done["ionic_mS_cm_sd"].iloc[0] > 0.017
    assert done["prior_driven"].tolist() == [True, False]
    bare = conduction.at_stack_pressure(
        table.drop(columns="ionic_mS_cm_sd"), 80.0, outcome="ionic_mS_cm")
    assert bare["ionic_mS_cm_sd"].iloc[0] > 0  # an error that was never stated is not stated as 0
    assert np.isnan(bare["ionic_mS_cm_sd"].iloc[1])


def test_a_mean_of_pellets_has_no_room_for_the_error_of_its_correction():
    table = pd.DataFrame({"stack_MPa": [50.0, 80.0], "ionic_mS_cm": [0.20, 0.24],
                          "ionic_mS_cm_sd": [0.01, 0.01], "ionic_mS_cm_n": [3, 3]})
    with pytest.raises(ValueError, match="row 0 is a mean of several cells"):
        conduction.at_stack_pressure(table, 80.0, outcome="ionic_mS_cm")


def test_another_laboratory_reads_a_third_to_a_half_off(fit):
    rows = pd.DataFrame({"sieve": ["fine", "coarse"], "stack_MPa": 100.0, "pelletizing_MPa": 500.0,
                         "temperature_degC": 25.0})
    home = np.log(fit.predict(rows, outcome=OUTCOME).to_numpy())
    away = np.log(conduction.other_laboratory(fit, rows))
    assert away.std(axis=0).min() > 0.34 > 1.5 * home.std(axis=0).max()
    # what two powders differ by is the same in both
    assert (away[:, 0] - away[:, 1]).std() < 0.34


# --- bounds of effective conductivities


def test_bounds_of_a_composite():
    share = 0.364
    assert bounds.wiener(share, 1.25) == pytest.approx(0.455)
    assert bounds.hashin_shtrikman(share, 1.25) == pytest.approx(0.345, abs=5e-4)
    assert bounds.bruggeman(share, 1.25) == pytest.approx(0.275, abs=5e-4)
    shares = np.linspace(0.01, 1, 50)
    assert np.all(bounds.hashin_shtrikman(shares, 1.0) <= bounds.wiener(shares, 1.0) + 1e-15)
    assert bounds.hashin_shtrikman(1.0, 1.25) == 1.25


def test_pores_count_in_the_volume_share():
    parts = {"active": 70.0, "electrolyte": 30.0}
    dense = {"active": 4.7, "electrolyte": 1.85}
    solid = bounds.volume_share(parts, dense, "electrolyte", 0.0)
    assert solid == pytest.approx((30 / 1.85) / (30 / 1.85 + 70 / 4.7))
    assert bounds.volume_share(parts, dense, "electrolyte", 0.3) == pytest.approx(0.7 * solid)
    with pytest.raises(ValueError, match="divide by 100"):
        bounds.volume_share(parts, dense, "electrolyte", 30.0)
    with pytest.raises(ValueError, match="densities_g_cm3 lacks electrolyte"):
        bounds.volume_share(parts, {"active": 4.7}, "electrolyte", 0.1)


def test_hard_and_soft_flags():
    table = pd.DataFrame({"ionic_mS_cm": [0.13, 0.30, 0.40, 0.60, np.nan]}, index=list("abcde"))
    found = bounds.check(table, 1.25, 0.364)
    assert found["flag"].tolist() == ["", "", bounds.SOFT, bounds.HARD]
    assert found.loc["b", "reading"] > found.loc["b", "bruggeman"]  # no bound
    assert "unit" in found.loc["d", "reason"]


def test_a_reading_below_something_is_not_above_a_bound():
    table = pd.DataFrame({"ionic_mS_cm": [0.60, 5.0, 0.60],
                          "ionic_mS_cm_censored": ["<", "<", ">"]})
    assert bounds.check(table, 1.25, 0.364)["flag"].tolist() == ["", "", bounds.HARD]


def test_a_unit_that_cannot_be_is_refused_with_its_mend():
    table = pd.DataFrame({"ionic_mS_cm": [0.13, 12.0]}, index=["first", "second"])
    with pytest.raises(data.TableError) as refused:
        bounds.check(table, 1.25, 0.364, where="composites.csv")
    told = str(refused.value)
    assert "composites.csv: row second, column 'ionic_mS_cm': found '12'" in told
    assert "at most 1.25 mS/cm" in told and "is its unit mS/m? 12 mS/m is 0.12 mS/cm" in told
    with pytest.raises(ValueError, match="pores count"):
        bounds.check(table.iloc[:1], 1.25, 36.4)


# --- bad input


def test_a_falling_sequence_of_pressures_is_refused(sweeps):
    wrong = sweeps[sweeps["cell"].eq("fine 1") & sweeps["cycle"].eq(1)].copy()
    at = wrong.index[15]
    wrong.loc[at, ["pelletizing_MPa", "stack_MPa"]] = 600.0, 300.0
    with pytest.raises(data.TableError, match=f"row {at}, column 'pelletizing_MPa'.*fine 1"):
        models.get("conduction").fit(wrong)


def test_pressures_that_cannot_be(sweeps):
    above = sweeps.iloc[:5].copy()
    above["stack_MPa"] = 800.0
    with pytest.raises(data.TableError, match="highest pressure so far"):
        models.get("conduction").fit(above)
    none = sweeps.iloc[:5].copy()
    none["stack_MPa"] = 0.0
    with pytest.raises(data.TableError, match="contacts part without any"):
        models.get("conduction").fit(none)
    with pytest.raises(ValueError, match="above 0"):
        conduction.stack_correction(None, 0.0, 80.0)


def test_a_temperature_is_stated_or_given(sweeps):
    with pytest.raises(data.TableError, match="temperature_degC"):
        models.get("conduction").fit(sweeps.drop(columns="temperature_degC"))
    with pytest.raises(ValueError, match="states no temperature_degC"):
        conduction.classical(sweeps.drop(columns="temperature_degC"))


def test_questions_without_an_answer(fit, sweeps):
    with pytest.raises(ValueError, match="name one of the fit's sieve fractions, 'fine', 'coarse'"):
        conduction.stack_correction(fit)
    with pytest.raises(ValueError, match="record the column 'sweep'"):
        conduction.classical(sweeps.drop(columns="sweep"))
    with pytest.raises(ValueError, match="name compression, release, or both"):
        conduction.classical(sweeps, sweeps=("falling",))

    class Other:
        model = models.get("milling")

    with pytest.raises(ValueError, match="needs one of 'conduction'"):
        conduction.activation_volume(Other())


def test_densities_read_in_the_die_are_not_used(sweeps):
    rows = sweeps.iloc[:3].assign(relative_density=0.9, density_state="in die")
    done, notes = prepared(rows)
    assert np.isnan(done["relative_density"]).sum() == 3
    assert any("read in the die" in note for note in notes)


def test_pellets_without_a_label_are_one_pellet_for_each_fraction(sweeps):
    done, notes = prepared(sweeps.drop(columns="cell"))
    assert len(set(done["cell"])) == 2 and any("taken as one pellet" in note for note in notes)


# --- coverage, slow


def drawn_from_the_prior(seed):
    """Sweeps of a fine and a coarse pellet with all numbers drawn from the model's priors."""
    rng = np.random.default_rng(seed)
    model = models.get("conduction")
    priors = model.graph({}).registry.priors
    numbers = [{name.partition(".")[2]: float(prior.draw(rng, (1,))[0])
                for name, prior in priors.items()} for _ in range(2)]
    p, rows = numbers[0], []
    for sieve, own in zip(("fine", "coarse"), numbers, strict=True):
        level = p["lot_sd"] * rng.normal() + np.hypot(
            p["pellet_sd"], p["geometry_sd"]) * rng.normal()
        contact = own["contact_resistivity"] * np.exp(p["contact_sd"] * rng.normal())
        path = [(x, x, "compression") for x in (10.0, 100.0, 300.0, 500.0, 1000.0, 1500.0)]
        path += [(x, 1500.0, "release") for x in (1400.0, 1000.0, 700.0, 500.0, 200.0, 50.0, 10.0)]
        for now, top, sweep in path:
            ln_g = conduction.compaction(top, own["joining"], p["joining_pressure"],
                                         p["densification"],
                                         p["joining_pressure"] + p["densification_pressure"])
            r_c = conduction.contact_resistivity(
                now, top, 1.0, contact, p["contact_exponent"], p["closing_pressure"],
                p["history_exponent"], p["cycle_exponent"])
            value = conduction.pellet_conductivity(
                own["bulk_conductivity"] * np.exp(level), ln_g, p["apparent_activation_volume"],
                now, 25.0, r_c)
            sd = np.hypot(p["reading_sd"], p["contact_scatter"] * value * r_c / 1000)
            rows.append({"kind": "simulated", "sieve": sieve, "lot": sieve, "cell": sieve,
                         "sweep": sweep, "stack_MPa": now, "pelletizing_MPa": top,
                         "temperature_degC": 25.0, OUTCOME: value * np.exp(sd * rng.normal())})
    return pd.DataFrame(rows), p["apparent_activation_volume"], p["prefactor_share"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_activation_volume_of_two_powders_is_covered_at_its_nominal_rate():
    """Binomial 99 % band of 60 sets at 0.9: 47 to 59."""
    slope, whole = 0, 0
    for k in range(60):
        table, volume, share = drawn_from_the_prior(k)
        one = models.get("conduction").fit(table, seed=k, draws=250, tune=400, rhat=1.05)
        found = conduction.activation_volume(one).table.loc["cm3/mol"]
        slope += found["low_statistical"] < volume < found["high_statistical"]
        whole += found["low"] < volume * (1 + share) < found["high"]
    assert 47 <= slope <= 59
    assert 47 <= whole <= 60


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_under_another_law_the_systematic_term_covers_what_the_slope_alone_does_not():
    """Another law of density, cracks and contacts, and what compression sweeps do to the fit."""
    whole, errors = 0, {"without": [], "with": []}
    for k in range(40):
        table = virtual_pellets.sweeps(1000 + k, 1.4)
        fits = {"without": models.get("conduction"), "with": conduction.with_compression()}
        for name, model in fits.items():
            one = model.fit(table, seed=k, draws=250, tune=400, rhat=1.05)
            errors[name].append(float(np.median(one.posterior[VOLUME])) - 1.4)
            if name == "without":
                found = conduction.activation_volume(one).table.loc["cm3/mol"]
                whole += found["low"] < 1.4 < found["high"]
    assert whole >= 36
    assert abs(np.mean(errors["without"])) < 0.03
    # straight lines lose 0.1 to 0.2 cm3/mol here; the model has a densification to put it in
    assert abs(np.mean(errors["with"])) < 0.05
