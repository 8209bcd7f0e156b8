"""Mixing methods, from single cells: several rates, weighed, titrated, with their anodes."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from ssbayes import data, models
from ssbayes.models import comparison, electrode, mixing
from ssbayes.models.engine import encode

LAW = (202.0, 0.34, 0.56)


@pytest.fixture(scope="module")
def model():
    return models.get("mixing")


def chances(fit, **options):
    table = mixing.compare(fit, "machine", "hand", **options).table
    return table["probability"].set_axis(
        ["mean", "next batch", "next cell", "equal", "batch SD", "cell SD", "next cell SD"])


def simulated_cells(rng, batches=6, cells=3):
    rows = []
    for method, theta, batch_sd, cell_sd in (("hand", 0.86, 9.0, 4.0), ("machine", 0.9, 2.0, 2.0)):
        for b in range(batches):
            static, kinetic = rng.normal(size=2)
            for c in range(cells):
                own, mass = rng.normal(), 12.0 + rng.uniform(-1, 1)
                weighed = 1 + 0.1 / mass * rng.normal()
                slope = electrode.utilization_slope(theta, 0.1, *LAW)
                connected = theta + 0.85**0.5 / slope * (batch_sd * static + cell_sd * own)
                reading = (connected * weighed) + 0.01 * rng.normal()
                for rate in (0.1, 1.0):
                    grown = (0.15**0.5) * (rate / 0.1) ** 0.5
                    q = electrode.gross_capacity(connected, rate, *LAW) + grown * (
                        batch_sd * kinetic + cell_sd * rng.standard_t(5) * (3 / 5) ** 0.5)
                    rows.append({
                        "study": "simulated", "kind": "simulated", "method": method,
                        "batch": f"{method} {b}", "cell": str(c), "c_rate": rate,
                        "composite_mass_mg": round(mass, 2), "utilization": reading,
                        "capacity_mAh_g": q * weighed, "capacity_basis": "gross"})
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def cells():
    return simulated_cells(np.random.default_rng(7))


@pytest.fixture(scope="module")
def of_cells(model, cells):
    return model.fit(cells, seed=2, draws=500, chains=2, rhat=1.1)


def test_single_cells_recover_the_methods(of_cells):
    truth = {"utilization": (0.86, 0.9), "batch_sd": (9.0, 2.0), "cell_sd": (4.0, 2.0)}
    order = of_cells.encoded.levels["method"]
    for name, values in truth.items():
        draws = comparison.draws(of_cells, name)
        for method, value in zip(("hand", "machine"), values, strict=True):
            low, high = np.quantile(draws[:, order.index(method) + 1], [0.005, 0.995])
            assert low < value < high, (name, method)
    found = chances(of_cells, c_rate=0.1)
    assert found["batch SD"] > 0.99 and found["cell SD"] > 0.95
    assert of_cells.convergence.worst_rhat < 1.1  # chains are short, and walk slowly here


def test_a_utilization_repeated_at_every_rate_is_one_reading(of_cells, cells):
    assert len(of_cells.encoded.columns["utilization__value"]) == cells.groupby(
        ["batch", "cell"]).ngroups


@pytest.mark.slow
def test_summaries_say_what_the_cells_they_summarise_say(model, cells):
    one = cells[cells["c_rate"].eq(0.1)].drop(columns="utilization").assign(composite_mass_mg=0.0)
    one = one.drop(columns="composite_mass_mg")
    group = one.groupby(["study", "kind", "method", "batch", "c_rate", "capacity_basis"])
    means = group["capacity_mAh_g"].agg(["mean", "std", "size"]).reset_index().rename(columns={
        "mean": "capacity_mAh_g", "std": "capacity_mAh_g_sd", "size": "capacity_mAh_g_n"})
    means = means.assign(capacity_mAh_g_batches=1, capacity_mAh_g_sd_ddof=1)
    fits = [model.fit(rows, seed=4) for rows in (one, means)]
    for name in ("batch_sd", "cell_sd"):
        for method in (1, 2):
            a, b = (np.log(comparison.draws(fit, name)[:, method]) for fit in fits)
            assert np.median(a) == pytest.approx(np.median(b), abs=0.35 * b.std() + 0.05)


def test_predictions_widen_from_mean_to_batch_to_cell(of_cells):
    settings = pd.DataFrame({"method": ["hand", "machine"], "c_rate": [0.1, 1.0]})
    spread = [of_cells.predict(settings, of=of, outcome="capacity_mAh_g").std("draw").to_numpy()
              for of in ("mean", "batch", "cell")]
    assert np.all(spread[0] < spread[1]) and np.all(spread[1] < spread[2])
    parts = mixing.at_rate(of_cells, "hand", 0.1)
    mean = of_cells.predict(settings, of="mean", outcome="capacity_mAh_g").mean("draw")
    assert float(mean[0]) == pytest.approx(parts["mean"].mean(), abs=0.5)


# --- what is not the mixing's fault


@pytest.fixture(scope="module")
def bad_anodes():
    """Simulated: equally good methods; the machine's cells had worse anodes, by 40 ohm cm2."""
    rng = np.random.default_rng(11)
    table = simulated_cells(rng, batches=4, cells=2)
    table = table[table["c_rate"].isin([0.1, 1.0])].reset_index(drop=True)
    worse = {"hand": 8.0, "machine": 48.0}
    cell = table.groupby(["method", "batch", "cell"]).ngroup()
    spread = np.exp(0.4 * rng.normal(size=cell.max() + 1))[cell]
    table["anode_resistance_ohm_cm2"] = table["method"].map(worse) * spread
    drop = electrode.anode_drop(table["c_rate"], table["anode_resistance_ohm_cm2"])
    table["capacity_mAh_g"] -= 0.25 * drop
    return table


def test_a_bad_anode_is_not_read_as_bad_mixing(model, bad_anodes):
    blind = bad_anodes.drop(columns="anode_resistance_ohm_cm2")
    gain = {}
    for name, table in (("told", bad_anodes), ("blind", blind)):
        fit = model.fit(table, seed=3, draws=400, chains=2, rhat=1.1)
        at = pd.DataFrame({"method": ["machine", "hand"], "c_rate": 1.0})
        mean = fit.predict(at, outcome="capacity_mAh_g").to_numpy()
        gain[name] = mean[:, 0] - mean[:, 1]
        if name == "told":
            low, high = np.quantile(comparison.draws(fit, "anode_cost"), [0.005, 0.995])
            assert low < 0.25 < high
    true = (electrode.gross_capacity(0.9, 1.0, *LAW) - electrode.gross_capacity(0.86, 1.0, *LAW))
    low, high = np.quantile(gain["told"], [0.005, 0.995])
    assert low < true < high
    assert np.mean(gain["blind"]) < true - 10.0


def test_an_unmeasured_anode_is_an_ordinary_one():
    assert electrode.anode_drop(1.0, 0.0) == 0.0
    assert electrode.anode_drop(1.0, electrode.ANODE_OHM_CM2) == 0.0
    assert electrode.anode_drop(0.5, 25.0) == pytest.approx(0.5 * 2.7 * 20.0)


def test_an_operator_with_one_batch_is_that_batch(model):
    table = pd.DataFrame({
        "method": "hand", "batch": ["1", "2", "3", "3"], "cell": ["a", "b", "c", "d"],
        "operator": ["Ada", "Ada", "Bo", "Bo"], "c_rate": 0.1,
        "capacity_mAh_g": [180.0, 181.0, 170.0, 171.0], "capacity_basis": "gross"})
    codes = encode.encode(data.validate(table, model.columns, where="t", open=True), model)
    assert codes.columns["operator"].tolist() == [1, 1, 0, 0]


def test_a_next_batch_is_of_a_new_operator_where_the_batch_sd_does_not_hold_that(model):
    table = pd.DataFrame({
        "method": ["hand", "hand", "mill", "mill"], "batch": ["1", "2", "3", "4"],
        "cell": ["a", "b", "c", "d"], "operator": ["Ada", "Ada", "Bo", "Bo"], "c_rate": 0.1,
        "capacity_mAh_g": [180.0, 181.0, 170.0, 171.0]})
    numbers = {"utilization": 0.9, "active_capacity": 201.0, "rate_loss": 0.32, "rate_power": 0.6,
               "batch_sd": 3.0, "cell_sd": 4.0, "static_share": 0.8, "kinetic_growth": 0.3,
               "active_scatter": 4.0, "reference_error": 0.0, "noise_nu": 8.0,
               "utilization_noise": 0.005, "anode_cost": 0.2, "operator_sd": 12.0}
    kept = {name: np.full((50, *shape), numbers[name.partition(".")[2]])
            for name, shape in model.graph({}).shapes.items()
            if name.partition(".")[2] in numbers}
    spread, note, drawn = {}, {}, {}
    at = pd.DataFrame({"method": ["hand"] * 40, "c_rate": 0.1})
    for name, rows in (("told", table), ("not told", table.drop(columns="operator"))):
        fit = models.Fit.from_draws(model, rows, kept)
        spread[name] = mixing.at_rate(fit, "hand", 0.1)["next_cell_sd"]
        drawn[name] = fit.predict(at, of="batch", outcome="capacity_mAh_g").to_numpy().std()
        note[name] = comparison.confounded(fit, ["hand"])[-1]
        shown = mixing.components(fit).index.get_level_values("component")
        assert ("operator" in shown) == (name == "told")
        assert np.allclose(mixing.components(fit)["share"].groupby("method").sum(), 1.0)
    assert np.allclose(spread["not told"], 5.0) and np.allclose(spread["told"], 13.0)
    # 2,000 draws: three standard errors of an sd are 5 %
    assert drawn["not told"] == pytest.approx(3.0, rel=0.05)
    assert drawn["told"] == pytest.approx(np.hypot(3.0, 12.0), rel=0.05)
    assert "of a new operator" in note["told"] and "operator, day" in note["not told"]


def kept_draws(model, rows, draws=5):
    """A fit of simulated rows whose draws are all alike."""
    numbers = {"utilization": 0.9, "active_capacity": 201.0, "rate_loss": 0.32, "rate_power": 0.6,
               "batch_sd": 3.0, "cell_sd": 4.0, "static_share": 0.8, "kinetic_growth": 0.3,
               "active_scatter": 4.0, "reference_error": 0.0, "noise_nu": 8.0,
               "utilization_noise": 0.005, "anode_cost": 0.2, "operator_sd": 12.0}
    return models.Fit.from_draws(model, pd.DataFrame(rows), {
        name: np.full((draws, *shape), numbers[name.partition(".")[2]])
        for name, shape in model.graph({}).shapes.items() if name.partition(".")[2] in numbers})


def test_an_operator_counts_for_the_method_of_which_one_made_several_batches(model):
    fit = kept_draws(model, {
        "method": ["hand", "hand", "mill", "mill"], "batch": ["1", "2", "3", "4"],
        "cell": ["a", "b", "c", "d"], "operator": ["Ada", "Bo", "Cy", "Cy"], "c_rate": 0.1,
        "capacity_mAh_g": [180.0, 181.0, 170.0, 171.0]})
    assert np.allclose(mixing.at_rate(fit, "hand", 0.1)["next_cell_sd"], 5.0)
    assert np.allclose(mixing.at_rate(fit, "mill", 0.1)["next_cell_sd"], 13.0)
    at = pd.DataFrame({"method": ["hand", "mill"] * 400, "c_rate": 0.1})
    drawn = fit.predict(at, of="batch", outcome="capacity_mAh_g").to_numpy()
    # 2,000 draws: three standard errors of an sd are 5 %
    assert drawn[:, ::2].std() == pytest.approx(3.0, rel=0.05)
    assert drawn[:, 1::2].std() == pytest.approx(np.hypot(3.0, 12.0), rel=0.05)
    assert comparison.confounded(fit, ["hand"])[-1] == comparison.BATCH_HOLDS


@pytest.mark.parametrize(("batches", "cells", "says"), [
    (["1", "1"], ["a", "b"], ["SD between batches is the prior's"]),
    (["1", "2"], ["a", "b"], ["told in their sum only"]),
    (["1", "1"], ["a", "a"], ["SD between batches is the prior's", "SD between cells is the"]),
    (["1", "2", "2"], ["a", "b", "c"], [])])
def test_spreads_that_no_reading_tells_are_said_to_be_the_priors(model, batches, cells, says):
    own = pd.DataFrame({"method": "hand", "batch": batches, "cell": cells,
                        "c_rate": [0.1, 1.0, 0.3][:len(cells)], "capacity_mAh_g": 180.0})
    fit = kept_draws(model, own)
    found = list(comparison.lacking(fit, "hand").values())
    assert len(found) == len(says)
    assert all(word in sentence for word, sentence in zip(says, found, strict=True))
    notes = comparison.confounded(fit, ["hand"])
    assert [f"hand: {sentence}" for sentence in found] == notes[:-1]


def test_printed_spreads_tell_what_they_hold(model):
    printed = data.load("kissel2025_mixing")
    fit = kept_draws(model, printed)
    assert not comparison.lacking(fit, "hand") and not comparison.lacking(fit, "machine")
    one = kept_draws(model, printed[printed["row_id"].eq("g4")])
    assert list(comparison.lacking(one, "hand")) == ["batch"]


def test_margins_and_quantiles_are_those_of_the_next_batch_and_cell(model):
    rows = {"method": ["hand", "hand", "mill", "mill"], "batch": ["1", "2", "3", "4"],
            "cell": ["a", "b", "c", "d"], "c_rate": 0.1,
            "capacity_mAh_g": [180.0, 181.0, 170.0, 171.0]}
    fit = kept_draws(model, rows, draws=4000)  # both methods alike: sd 3 of batches, 4 of cells
    plain = mixing.compare(fit, "hand", "mill")
    found = mixing.compare(fit, "hand", "mill", better_by=1.5, quantile=0.1)
    assert list(found.table.index[:7]) == list(plain.table.index) and len(found.table) == 10
    asked = found.table.iloc[7:]
    assert asked.index.str.startswith("hand better by 1.5 mAh/g or more in the ").all()
    # three standard errors of a share of 4,000 draws are 0.024
    expected = [0.0, stats.norm.sf(1.5 / (3 * 2**0.5)), stats.norm.sf(1.5 / (5 * 2**0.5))]
    assert asked["probability"].to_numpy() == pytest.approx(expected, abs=0.024)
    below = found.quantiles["10 % quantile, mAh/g"].loc["hand"]
    off = below - mixing.at_rate(fit, "hand", 0.1)["mean"][0]
    assert off["mean"] == pytest.approx(0.0)
    assert off["next batch"] == pytest.approx(3 * stats.norm.ppf(0.1), abs=0.15)
    assert off["next cell"] == pytest.approx(5 * stats.norm.ppf(0.1), abs=0.25)
    assert "5 % quantile, mAh/g" in plain.quantiles and "probability of 5 %" in plain.sentence
    for wrong in ({"better_by": -1.0}, {"equal_within": np.nan}, {"quantile": 5}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            mixing.compare(fit, "hand", "mill", **wrong)


def test_numbers_of_a_plan_and_a_missing_method_are_named(model):
    fit = kept_draws(model, data.load("kissel2025_mixing"))
    for given, why in (({"level": 95}, "share between 0 and 1"), ({"difference": -3.0}, "above 0"),
                       ({"equal_within": 0.0}, "above 0")):
        with pytest.raises(ValueError, match=why):
            mixing.plan(fit, "machine", "hand", **given)
    with pytest.raises(ValueError, match=r"whose rate law is meant.*hand, machine"):
        mixing.explained_by_utilization(fit, pd.DataFrame({"utilization": [0.9]}), [0.1])


@pytest.mark.parametrize("name", ["mixing", "capacity"])
def test_a_broken_anode_is_named_with_the_mend(name):
    rows = pd.DataFrame({
        "method": "machine", "rpm": 400.0, "milling_min": 30.0, "mill": "Pulverisette 7",
        "c_rate": [0.1, 1.0], "capacity_mAh_g": [170.0, 20.0], "capacity_basis": "gross",
        "anode_resistance_ohm_cm2": [6.0, 800.0]})
    with pytest.raises(ValueError, match=r"take 1 \(2\.1 V\) of the cell voltage.*unit of anode"):
        encode.encode(rows, models.get(name))
    fine = rows.assign(status=["done", "failed"])
    assert len(encode.encode(fine, models.get(name)).index) == 1
