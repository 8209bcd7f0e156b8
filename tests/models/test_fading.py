"""Fading: a hundred cycles of a cell are one cell, and a knee ahead is not seen."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from ssbayes import data, models
from ssbayes.doe import virtual_fading
from ssbayes.doe.errors import DoeError
from ssbayes.models import courses, fading, lifetime
from ssbayes.models.engine.encode import encode

CYCLES = np.arange(1.0, 121.0)


@pytest.fixture(scope="module")
def model():
    return models.get("fading")


def smooth(batches=2, cells=2, cycles=20, seed=3, **extra):
    """Cells whose course is the model's own law."""
    rng = np.random.default_rng(seed)
    rows = []
    for b in range(batches):
        for c in range(cells):
            n = np.arange(1.0, cycles + 1)
            u = fading.utilization_after(n, 2.2, 0.02, 5.0, 0.03 * np.exp(0.2 * rng.normal()), 0.9)
            q = 190 * np.exp(0.02 * rng.normal()) * u * np.exp(2e-3 * rng.normal(size=cycles))
            rows += [{"study": "sim", "kind": "simulated", "batch": f"b{b}", "cell": f"b{b}c{c}",
                      "cycle": k, "c_rate": 0.5, "charge_mode": "CC", "capacity_basis": "gross",
                      "capacity_mAh_g": v, **extra} for k, v in zip(n, q, strict=True)]
    return pd.DataFrame(rows)


# --- physics


def test_nothing_is_lost_in_the_first_cycle_and_zero_power_has_no_gradient_trouble():
    assert fading.power_growth(1.0, 0.3) == 0.0
    assert fading.power_growth(31.0, 0.3) == pytest.approx(1.0)
    assert fading.resistance_ratio(1.0, 5.0, 0.5) == 1.0


def test_resistance_grows_with_the_square_root_of_cycles():
    rise = fading.resistance_ratio(np.array([26.0, 101.0]), 0.4, 0.5) - 1.0
    assert rise[1] / rise[0] == pytest.approx(2.0)


def test_settling_may_raise_capacity_but_never_connects_more_than_there_is():
    up = fading.utilization_after(CYCLES, 0.6, 0.12, 4.0, 0.0, 1.0)
    assert up[-1] / up[0] > 1.08 and np.all(np.diff(up) > 0)
    assert np.all(fading.utilization_after(CYCLES, 3.0, 20.0, 4.0, 0.0, 1.0) <= 1.0)
    assert fading.utilization_after(CYCLES, 3.0, -0.15, 4.0, 0.0, 1.0)[-1] < 0.85


def test_a_hold_wins_back_the_end_of_the_charge_only_and_shows_how_much():
    index, share = 0.4, 0.6
    cc, held, all_back = (fading.kinetic_efficiency(index, share, v) for v in (0.0, 0.7, 1.0))
    assert cc < held < all_back == pytest.approx(np.exp(-0.4 * 0.4))
    # charge reached with the hold = charge at constant current / (1 - share at the hold)
    at_current, with_hold = np.exp(-share * index), np.exp(-(1 - 0.7) * share * index)
    assert fading.cv_share(index, share, 0.7) == pytest.approx(1 - at_current / with_hold)
    assert fading.cv_share(index, share, 0.0) == 0.0


def test_the_share_at_constant_voltage_rises_as_resistance_does():
    ratio = fading.resistance_ratio(CYCLES, 0.8, 0.5)
    index = fading.kinetic_index(1.0, 0.9, ratio, 0.25, 0.6)
    assert np.all(np.diff(fading.cv_share(index, 0.5, 0.7)) > 0)
    # so that the same rise of resistance costs a cell charged at constant current more
    lost = [1 - y[-1] / y[0] for y in (fading.kinetic_efficiency(index, 0.5, v) for v in (0, 0.7))]
    assert lost[0] > 1.3 * lost[1]


# --- courses


def test_twenty_cycles_are_six_blocks_and_a_hundred_nine():
    cut = np.floor(courses.walk_time(CYCLES) + 1e-9)
    assert len(set(cut[:20])) == 6 and len(set(cut[:100])) == 9


def test_one_bad_cycle_moves_a_block_by_less_than_the_noise_of_a_reading(model):
    table = smooth(1, 1)
    bad = table.copy()
    bad.loc[14, "capacity_mAh_g"] *= 0.6
    good, spoiled = (encode(t, model).columns for t in (table, bad))
    moved = spoiled["capacity_mAh_g__value"] / good["capacity_mAh_g__value"] - 1
    assert np.abs(moved).max() < 3e-3
    assert courses.reading_noise(bad["capacity_mAh_g"].to_numpy()) < 4e-3


def test_noise_of_a_reading_is_told_from_fading():
    rng = np.random.default_rng(1)
    q = 180 * np.exp(-0.004 * np.arange(200) + 1e-3 * rng.normal(size=200))
    assert courses.reading_noise(q) == pytest.approx(1e-3, rel=0.2)
    assert courses.reading_noise(q[:4]) == courses.READING_SD


def test_a_table_of_every_cycle_holds_few_independent_steps(model):
    encoded = encode(smooth(2, 2, cycles=100), model)
    assert len(encoded.index) == 4 * 9
    assert "400 capacities condensed to 36 blocks" in " ".join(encoded.notes)
    first = encoded.columns["previous_cycle"] == 0
    assert first.sum() == 4


def test_retention_derived_from_capacities_is_not_counted_again(model):
    table = smooth(1, 1)
    table["retention"] = table["capacity_mAh_g"] / table["capacity_mAh_g"].iloc[0]
    assert len(encode(table, model).columns["retention__row"]) == 0
    table["retention_cycles"] = table["cycle"]
    assert len(encode(table, model).columns["retention__row"]) == 0


def test_utilization_may_differ_between_cycles_but_one_carried_down_counts_once(model):
    table = smooth(1, 1)
    table["utilization"] = 0.9
    assert len(encode(data.validate(table), model).columns["utilization__row"]) == 1
    table["utilization"] = np.where(table["cycle"].isin([1, 20]), 0.9 - 0.001 * table["cycle"],
                                    np.nan)
    assert len(encode(data.validate(table), model).columns["utilization__row"]) == 2
    table["utilization"] = np.where(table["cycle"].eq(20), 0.8, 0.9)
    two = pd.concat([table, table.assign(c_rate=1.0, utilization=0.7)])
    with pytest.raises(data.TableError, match="utilization belongs to the cell"):
        data.validate(two)


def test_rows_that_do_not_say_how_they_were_charged_are_left_out(model):
    film: Any = data.load("kissel2025_annealed_film")
    kept = film[film["retention"].notna()]
    encoded = encode(kept, model)
    assert not encoded.index
    assert {why for _, why in encoded.left_out} == {"no charge_mode"}


def test_unlike_windows_are_not_pooled(model):
    table = pd.concat([smooth(1, 1, window="2.0-3.7 V vs In/InLi"),
                       smooth(1, 1, window="2.2-3.7 V vs In/InLi").assign(cell="other")],
                      ignore_index=True)
    with pytest.raises(ValueError, match="unlike window"):
        encode(table, model)


def test_bare_and_unnamed_are_one_reference_coating(model):
    table = smooth(1, 2)
    table["coating"] = np.where(table["cell"].eq("b0c0"), "bare", "")
    assert np.all(encode(table, model).columns["coating"] == 0)


# --- forecasts


@pytest.fixture(scope="module")
def lab():
    return virtual_fading.cells(2, "two_phase").table(cycles=100)


@pytest.fixture(scope="module")
def early(model, lab):
    return model.fit(lab[lab["cycle"] <= 20], seed=1, chains=2, rhat=1.1)


def width(table: Any, name="retention"):
    low, high = (next(c for c in table if str(c).startswith(f"{name} {end}"))
                 for end in ("low", "high"))
    return (table[high] - table[low]).to_numpy()


def test_every_cell_and_a_new_one_are_forecast_with_the_interval_named(early, lab):
    found: Any = fading.predict_retention(early, 100)
    assert len(found) == lab["cell"].nunique() + 1
    assert "retention low (90 % equal-tailed)" in found
    assert found["last_cycle"].eq(20).all() and "cycles 1-20 were seen" in found.attrs["note"]
    new = found["cell"].eq("").to_numpy()
    assert width(found)[new][0] > np.median(width(found)[~new])
    near = fading.predict_retention(early, 15)
    assert "within those seen" in near.attrs["note"]
    assert width(near)[:-1].max() < width(found)[:-1].min()


def test_early_forecast_holds_what_came(early, lab):
    found: Any = fading.predict_retention(early, 100, reading=True).set_index("cell")
    truth = virtual_fading.last_cycles(lab, 100)
    inside = [found.loc[label, "capacity_mAh_g low (90 % equal-tailed)"] < truth[name]
              < found.loc[label, "capacity_mAh_g high (90 % equal-tailed)"]
              for name in truth.index
              for label in [next(i for i in found.index if i.endswith(name))]]
    # six cells of one laboratory are not six trials: this asks for no more than most of them
    assert sum(inside) >= 4


def test_a_named_cell_continues_its_own_course(early, lab):
    cells = pd.DataFrame({"batch": "b0", "cell": ["b0c0", "b0c1"], "c_rate": 0.5,
                          "charge_mode": "CCCV", "study": lab["study"].iloc[0]})
    course = fading.paths(early, cells, [1, 15, 20, 21]).median("draw").to_numpy()
    read = lab.set_index(["cell", "cycle"])["capacity_mAh_g"]
    for k, name in enumerate(("b0c0", "b0c1")):
        assert course[k, 1] == pytest.approx(read[name, 15.0], rel=0.01)
        assert course[k, 3] == pytest.approx(course[k, 2], rel=0.01)


def test_priors_are_named_where_capacities_alone_cannot_tell(early):
    said = early.summary()["informed_by"]
    assert said["fading.kinetic_part"] == "from the prior"
    assert said["fading.cv_recovery"] == "from the prior"
    assert said["fading.fade"] == "data"


def test_convergence(early):
    assert early.convergence.worst_rhat < 1.05
    assert early.convergence.divergences < 0.01 * early.n_draws


def test_what_cannot_be_asked_is_refused_with_the_mend(early):
    with pytest.raises(ValueError, match="must come after start"):
        fading.predict_retention(early, 1)
    with pytest.raises(ValueError, match="is no cell of this fit"):
        fading.paths(early, pd.DataFrame([{"c_rate": 0.5, "charge_mode": "CCCV", "cell": "b9c9"}]),
                     [1, 100])
    with pytest.raises(ValueError, match="is none of cell, batch"):
        fading.paths(early, pd.DataFrame([{"c_rate": 0.5}]), [100], of="mean")
    with pytest.raises(ValueError, match="is no quantity of a course"):
        fading.paths(early, pd.DataFrame([{"c_rate": 0.5}]), [100], quantity="voltage")
    with pytest.raises(ValueError, match="from 1 on"):
        fading.paths(early, pd.DataFrame([{"c_rate": 0.5}]), [0])


def test_a_fit_of_another_model_is_refused(early):
    class Other:
        model = models.get("milling")

    with pytest.raises(ValueError, match="from a fit of 'fading'"):
        lifetime.predict_retention(Other(), 100)  # type: ignore[arg-type]


# --- capacity against life


def test_printed_films_break_even_at_five_per_point():
    assert fading.break_even_weight((180, 0.94), (165, 0.97)) == pytest.approx(5.0)
    with pytest.raises(ValueError, match="more of both"):
        fading.break_even_weight((180, 0.97), (165, 0.94))


@pytest.fixture(scope="module")
def films(model):
    table = data.load("frankenberg2025_film")
    table["method"] = [f"pre-milled {rpm:g} rpm" for rpm in table["rpm"]]
    return model.fit(table, seed=1, chains=2, rhat=1.1)


FIRST = {"method": "pre-milled 600 rpm", "c_rate": 0.1, "charge_mode": "CC"}
SECOND = FIRST | {"method": "pre-milled 200 rpm"}


def test_films_of_one_reading_each_are_weighed_as_such(films):
    these = fading.tradeoff(films, FIRST | {"batch": "film-600rpm-10min"},
                            SECOND | {"batch": "film-200rpm-5min"})
    # 15 of 172 mAh/g against a cell SD of 3 %, 3 points against cells that age apart
    assert 0.85 < these.table["probability"].iloc[0] < 0.99
    assert 0.6 < these.table["probability"].iloc[1] < 0.9
    worth = these.table.loc["both: there is something to weigh"]
    assert worth["low"] < 5.0 < worth["high"] and worth["high"] > 5 * worth["low"]
    chance = these.weights["probability_first"].to_numpy()
    assert np.all(np.diff(chance) < 0) and chance[0] > 0.8
    assert np.all(np.diff(these.use["probability_first"]) < 0)
    assert "one batch each" in these.notes[0] and "beyond cycle 61" in these.notes[1]


def test_the_next_batch_of_each_is_less_decided_than_these_two(films):
    next_ones = fading.tradeoff(films, FIRST, SECOND)
    assert 0.55 < next_ones.table["probability"].iloc[0] < 0.85
    assert 0.5 < next_ones.table["probability"].iloc[1] < 0.8
    assert "no batch is named" in next_ones.notes[0]
    with pytest.raises(ValueError, match="no weight below 0"):
        fading.tradeoff(films, FIRST, SECOND, weights=[-1.0])


def test_a_printed_retention_is_the_course_of_its_own_cell(films):
    found: Any = fading.predict_retention(films, 61)
    of_films = found[found["cell"] != ""].set_index("method")["retention"]
    assert of_films["pre-milled 600 rpm"] == pytest.approx(0.94, abs=0.004)
    assert of_films["pre-milled 200 rpm"] == pytest.approx(0.97, abs=0.004)


# --- twins


@pytest.mark.slow
def test_twin_cells_leave_the_next_one_wide_open(model):
    """64 and 75 % after 500 cycles: a third cell alike in name may be anywhere between."""
    table: Any = data.load("kissel2025_coating_cells")
    twins = table[table["retention_cycles"].eq(500)]
    fit = model.fit(twins, seed=1)
    found: Any = fading.predict_retention(fit, 501)
    assert width(found[found["cell"].eq("")])[0] > 0.25
    assert "readings" in found["note"].iloc[0]


@pytest.mark.slow
def test_a_retention_above_one_can_be_held(model):
    """108.5 % over 80 cycles, printed, beside 21.8 %: no prior forbids either."""
    table: Any = data.load("kissel2025_carbon_cells")
    kept = table[table["retention"].notna()]
    fit = model.fit(kept, seed=1)
    inside, count = lifetime_coverage(fit)
    assert count == 6 and inside >= 4
    course = fading.paths(fit, kept[["batch", "c_rate", "charge_mode"]], [1, 81], "batch")
    ratio = (course[:, :, 1] / course[:, :, 0]).median("draw").to_numpy()
    assert ratio[list(kept["batch"]).index("80:20:0.2")] > 0.98
    assert ratio[list(kept["batch"]).index("80:20:2")] < 0.7


def lifetime_coverage(fit):
    from ssbayes.models.engine.checks import predictive_coverage

    return predictive_coverage(fit, "retention", 0.9)


# --- what informs what


@pytest.mark.slow
def test_readings_of_utilization_and_resistance_tell_the_two_losses_apart(model):
    rng = np.random.default_rng(5)
    rows = []
    for cell in range(4):
        for mode, held in (("CC", 0.0), ("CCCV", 0.7)):
            n = np.arange(1.0, 61.0)
            u = fading.utilization_after(n, 2.2, 0.0, 5.0, 0.02, 0.9)
            ratio = fading.resistance_ratio(n, 0.6, 0.5)
            index = fading.kinetic_index(1.0, u, ratio, 0.3, 0.6)
            q = 200 * u * fading.kinetic_efficiency(index, 0.5, held)
            seen = np.isin(n, [1, 20, 40, 60])
            share = fading.cv_share(index, 0.5, held) + held * 0.005 * rng.normal()
            stray = np.diff(courses.walk_time(n), prepend=0.0) ** 0.5 * rng.normal(size=60)
            q = q * np.exp(0.002 * np.cumsum(stray))
            rows.append(pd.DataFrame({
                "study": "sim", "kind": "simulated", "batch": f"b{cell % 2}",
                "cell": f"{mode}{cell}", "cycle": n, "c_rate": 1.0, "charge_mode": mode,
                "capacity_mAh_g": q * np.exp(1e-3 * rng.normal(size=60)),
                "utilization": np.where(seen, u + 0.004 * rng.normal(size=60), np.nan),
                "resistance_ohm_cm2": np.where(
                    seen, 30 * ratio * np.exp(0.03 * rng.normal(size=60)), np.nan),
                "charge_cv_share": share}))
    fit = model.fit(pd.concat(rows, ignore_index=True), seed=1, rhat=1.1)
    summary = fit.summary()
    truth = {"growth_power": 0.5, "kinetic_loss": 0.3, "fade": 0.02 + 0.3 * 0.6 * 0.5**0.6}
    for name, value in truth.items():
        low, high = np.quantile(fit.parameters()[f"fading.{name}"], [0.005, 0.995])
        assert low < value < high, name
    assert summary.loc["fading.kinetic_part", "informed_by"] == "data"
    # the product of charge share and recovery is what a hold shows
    at, back = (fit.parameters()[f"fading.{n}"] for n in ("charge_end_share", "cv_recovery"))
    assert np.median(at * back) == pytest.approx(0.35, abs=0.08)
    options = pd.DataFrame({"c_rate": 1.0, "charge_mode": ["CC", "CCCV"]})
    course = fading.paths(fit, options, [1.0], "batch").median("draw").to_numpy()[:, 0]
    assert course[1] > course[0]


# --- simulated laboratories


@pytest.mark.parametrize("law", virtual_fading.LAW_VERSIONS)
def test_virtual_cells_say_what_they_are_and_a_longer_table_begins_like_a_shorter(law):
    lab = virtual_fading.cells(4, law)
    short, long = lab.table(cycles=20), lab.table(cycles=100)
    assert set(long["kind"]) == {"simulated"} and lab.name in set(long["study"])
    same: Any = long[long["cycle"] <= 20].reset_index(drop=True)
    pd.testing.assert_frame_equal(short, same)
    data.validate(long)


def test_virtual_cells_refuse_what_they_do_not_know():
    with pytest.raises(DoeError, match="did you mean 'knee'"):
        virtual_fading.cells(1, "kneee")
    with pytest.raises(DoeError, match="whole number"):
        virtual_fading.cells(-1)


def test_a_knee_lies_beyond_what_is_seen():
    lost = []
    for seed in range(20):
        lab = virtual_fading.cells(seed, "knee").table(1, 1, 100)["capacity_mAh_g"].to_numpy()
        lost.append((lab[0] / lab[18:21].mean() - 1, np.median(lab[17:21]) / lab[-3:].mean() - 1))
    early, late = np.median(lost, axis=0)
    assert late > 8 * early


def the_benchmark() -> Any:
    path = Path(__file__).parents[2] / "benchmarks" / "fading.py"
    found: Any = importlib.util.spec_from_file_location("fading_benchmark", path)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_forecasts_cover_without_a_knee_and_are_too_high_with_one():
    """A smaller run of the benchmark; laboratories are the replicates."""
    benchmark = the_benchmark()
    rows = [row for law in ("stretched", "two_phase", "knee") for seed in range(5)
            for row in benchmark.one_lab(seed, law, 20, 100, draws=300)]
    table: Any = benchmark.table_of(rows).set_index(["law (simulated)", "method"])
    for law in ("stretched", "two_phase"):
        ours = table.loc[(law, "fading model")]
        # nominal less two binomial standard errors of five laboratories
        assert ours["coverage of 90 %"] > 0.9 - 2 * np.sqrt(0.9 * 0.1 / 5)
        for other in ("straight line", "last value"):
            theirs = table.loc[(law, other)]
            assert ours["coverage of 90 %"] > theirs["coverage of 90 %"]
            assert ours["mean |error|, points"] < theirs["mean |error|, points"]
    knee = table.loc[("knee", "fading model")]
    assert knee["interval too high"] > 0.5 and knee["mean error, points"] > 3


def test_regression_line_has_its_textbook_interval():
    benchmark = the_benchmark()
    n = np.arange(1.0, 21.0)
    y = 1 - 1e-3 * n + 1e-3 * np.random.default_rng(1).normal(size=20)
    middle, low, high = benchmark.line(n, y, 100.0, lambda v: v)
    slope: Any = stats.linregress(n, y)
    assert middle == pytest.approx(slope.intercept + 100 * slope.slope)
    rest = y - slope.intercept - slope.slope * n
    expected = stats.t.ppf(0.95, 18) * np.sqrt(
        (rest**2).sum() / 18 * (1 + 1 / 20 + (100 - n.mean()) ** 2 / ((n - n.mean()) ** 2).sum()))
    assert high - middle == pytest.approx(expected) == pytest.approx(middle - low)
