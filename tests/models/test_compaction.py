"""Compaction: densities in and out of the die, on the density scale and never pooled.

All densities here are simulated; none is printed for any powder.
"""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from ssbayes import data, models
from ssbayes.models import compaction

LOOSE, BOUNDARY, MODULUS = 0.72, 420.0, 26_000.0
GAIN = {"in die": 0.75, "out of die": 0.6}
YIELD = {"in die": 900.0, "out of die": 1500.0}
ERROR = {"in die": 0.004, "out of die": 0.006}
STEPS = (100.0, 200.0, 300.0, 450.0, 600.0, 800.0, 1000.0, 1250.0, 1500.0, 1700.0)


def lines(table: pd.DataFrame, above_MPa: float) -> Any:
    """Heckel's lines; Any, for pandas' own types cannot follow a column by name."""
    return compaction.heckel_lines(table, above_MPa=above_MPa)


def yields(given: Any, **how: Any) -> Any:
    return compaction.yield_pressures(given, **how).set_index(["density_state", "lot"])


def labelled(fit: Any, **settings: Any) -> Any:
    return compaction.densities(fit, pd.DataFrame(settings))


def true_density(state, highest, now, yield_MPa):
    y = compaction.pore_logarithm(highest, LOOSE, GAIN[state], BOUNDARY, yield_MPa)
    return compaction.heckel_density(y) * compaction.elastic_factor(now, MODULUS)


def simulated(seed, *, lots=2, states=("in die", "out of die"), error=1.0, steps=STEPS):
    """Pellets of some powders; the truth of each powder's yield pressures beside the table."""
    rng = np.random.default_rng(seed)
    rows, truth = [], {}
    for k in range(lots):
        own = np.exp(0.12 * rng.normal(size=2) * (error > 0))
        for state, factor in zip(("in die", "out of die"), own, strict=True):
            pellet = np.exp(0.01 * error * rng.normal())
            truth[state, f"L{k}"] = YIELD[state] * factor
            path = [(p, p if state == "in die" else 10.0, "compression") for p in steps]
            if state == "in die":
                path += [(steps[-1], now, "release") for now in (1200.0, 600.0, 100.0)
                         if now < steps[-1]]
            for p, now, sweep in path:
                density = true_density(state, p, now, YIELD[state] * factor) * pellet
                density += error * ERROR[state] * rng.normal()
                if state in states and not (state == "out of die" and density > 1.0):
                    rows.append({"lot": f"L{k}", "cell": f"L{k} {state}", "density_state": state,
                                 "pelletizing_MPa": p, "stack_MPa": now, "sweep": sweep,
                                 "relative_density": density, "kind": "simulated"})
    return pd.DataFrame(rows), truth


@pytest.fixture(scope="module")
def model():
    return models.get("compaction")


@pytest.fixture(scope="module")
def both(model):
    table, truth = simulated(3)
    return model.fit(table, seed=1, chains=2), truth


@pytest.fixture(scope="module")
def inside(model):
    return model.fit(simulated(3, states=("in die",))[0], seed=1, chains=2)


# --- physics


def test_yield_pressures_and_their_errors_from_slopes_of_the_line():
    slope = np.array([1.052632, 0.606061])  # 1/GPa
    assert compaction.mean_yield_pressure(slope) == pytest.approx([0.95, 1.65], abs=2e-6)
    error = 0.03 / compaction.mean_yield_pressure(slope) ** 2
    assert error == pytest.approx([0.0332, 0.0110], abs=1e-4)


@pytest.mark.parametrize(("yield_MPa", "expected"), [(950.0, 0.9576), (1650.0, 0.9275)])
def test_heckels_line_from_one_density_to_another(yield_MPa, expected):
    y = compaction.heckel_transform(0.85) + 1200.0 / yield_MPa
    assert compaction.heckel_density(y) == pytest.approx(expected, abs=1e-4)
    assert compaction.heckel_transform(compaction.heckel_density(y)) == pytest.approx(y)


def test_bulk_modulus_from_scaled_cells():
    found = compaction.bulk_modulus_from_scaling(np.array([0.8, 1.7]), np.array([0.99, 0.98]))
    assert found == pytest.approx([26.9, 28.9], abs=0.05)


def test_the_early_regime_starts_at_the_loose_packing_and_meets_the_line_without_a_kink():
    p = np.array([0.0, BOUNDARY - 1e-3, BOUNDARY, BOUNDARY + 1e-3, 1200.0])
    y = compaction.pore_logarithm(p, LOOSE, 0.6, BOUNDARY, 900.0)
    assert y[0] == LOOSE
    assert y[4] - y[2] == pytest.approx((1200.0 - BOUNDARY) / 900.0)
    slopes = np.diff(y[1:4]) / np.diff(p[1:4])
    assert slopes == pytest.approx([1 / 900.0, 1 / 900.0], rel=1e-2)
    low = compaction.pore_logarithm(np.linspace(0, BOUNDARY, 50), LOOSE, 0.6, BOUNDARY, 900.0)
    assert (np.diff(low) > 0).all() and (np.diff(low, 2) < 1e-12).all()  # steep first


def test_a_solid_under_pressure_reads_above_one_and_out_of_the_die_below():
    highest = np.array([500.0, 1700.0])
    assert true_density("in die", highest, highest, 900.0)[1] > 1.02
    assert (true_density("out of die", highest, 0.0, 900.0) < 1.0).all()
    assert compaction.heckel_density(50.0) <= 1.0


def test_recovery_is_the_elastic_part():
    assert compaction.elastic_recovery(1700.0, 1700.0, 4e4) == 0.0
    assert compaction.elastic_recovery(1700.0, 0.0, 41_000.0) == pytest.approx(0.04, abs=1e-3)
    before, after = (true_density("in die", 1700.0, now, 900.0) for now in (1700.0, 10.0))
    assert 1 - after / before == pytest.approx(compaction.elastic_recovery(1700.0, 10.0, MODULUS))


def test_active_material_does_not_yield():
    shares = np.array([0.0, 0.3, 0.6])
    yields = compaction.yielding_share(shares, 1.0)
    assert yields == pytest.approx(1 - shares)
    y = compaction.pore_logarithm(1000.0, LOOSE, 0.6, BOUNDARY, 900.0, yields)
    assert (np.diff(compaction.heckel_density(y)) < 0).all()
    # 70:30 by mass, NCM 4.7 and LPSCl 1.9 g/cm3
    assert compaction.composite_volume_fraction(0.7, 4.7, 1.9) == pytest.approx(0.485, abs=1e-3)


def test_elastic_compression_passes_for_softness_in_a_transformed_slope():
    line = (1700.0, LOOSE, 0.6, BOUNDARY, 1500.0, 1.0)
    assert compaction.apparent_yield_pressure(*line, 0.0) == pytest.approx(1500.0, rel=1e-6)
    assert compaction.apparent_yield_pressure(*line, 1 / 41_000.0) < 1100.0
    # where the readings would be above 1 nobody could have printed a line
    assert compaction.apparent_yield_pressure(1700.0, 3.0, 1.5, BOUNDARY, 300.0, 1.0, 4e-5) < 60.0


# --- the classical line


def exact(state="out of die", yield_MPa=950.0, pressures=(100, 300, 600, 900, 1200, 1500, 1700)):
    p = np.array(pressures, dtype=float)
    return pd.DataFrame({
        "cell": "P", "lot": "A", "density_state": state, "pelletizing_MPa": p,
        "relative_density": true_density(state, p, 0.0, yield_MPa)})


def test_the_line_is_exact_above_the_boundary_and_wrong_with_the_early_regime_in_it():
    found = lines(exact(), 500.0).iloc[0]
    assert found["yield_pressure_MPa"] == pytest.approx(950.0, rel=1e-6)
    assert found["intercept"] == pytest.approx(LOOSE + GAIN["out of die"], rel=1e-6)
    assert (found["readings"], found["left_out"]) == (5, 2)
    wrong = lines(exact(), 1.0).iloc[0]
    assert wrong["yield_pressure_MPa"] < 0.9 * 950.0
    assert wrong["standard error, MPa"] > 10.0 > found["standard error, MPa"]


def test_lines_in_and_out_of_the_die_are_two():
    table = pd.concat([exact(), exact("in die", 600.0).assign(cell="Q")], ignore_index=True)
    found = lines(table, 500.0)["yield_pressure_MPa"]
    assert found["out of die", "A", "P"] == pytest.approx(950.0)
    assert found["in die", "A", "Q"] == pytest.approx(600.0)


def test_a_density_that_is_a_bound_is_no_point_of_a_line():
    told = exact().assign(relative_density_censored=None)
    bound = told.tail(1).assign(relative_density=0.80, relative_density_censored=">")
    found = lines(pd.concat([told, bound], ignore_index=True), 500.0).iloc[0]
    assert found["yield_pressure_MPa"] == pytest.approx(950.0, rel=1e-6)
    assert found["readings"] == 5


def test_releases_and_further_cycles_are_not_part_of_a_line():
    more = exact("in die", 600.0)
    released = more.tail(1).assign(stack_MPa=10.0, sweep="release", relative_density=0.7)
    again = more.assign(cycle=2.0, relative_density=0.99)
    found = lines(pd.concat([more, released, again], ignore_index=True), 500.0)
    assert found["yield_pressure_MPa"].tolist() == pytest.approx([600.0])


def test_a_reading_of_one_or_more_is_refused_by_the_transform_only(model):
    table: Any = simulated(3)[0]
    above = table.index[table["relative_density"].ge(1.0) & table["sweep"].eq("compression")]
    assert len(above) > 2 and (table.loc[above, "density_state"] == "in die").all()
    with pytest.raises(data.TableError, match=f"row {above[0]}, column 'relative_density'.*does "
                                              "not exist") as told:
        compaction.yield_pressures(table, method="classical", above_MPa=500.0)
    assert len(told.value.problems) == len(above)
    data.validate(table, model.columns)


def test_the_line_asks_for_a_boundary_and_for_three_readings():
    with pytest.raises(ValueError, match="needs above_MPa"):
        compaction.yield_pressures(exact(), method="classical")
    with pytest.raises(ValueError, match="early regime; fit the model"):
        compaction.heckel_lines(exact(pressures=(100, 200, 380)), above_MPa=500.0)
    with pytest.raises(ValueError, match="neither 'model' nor 'classical'"):
        compaction.yield_pressures(exact(), method="heckel")
    with pytest.raises(data.TableError, match="never pooled"):
        compaction.heckel_lines(exact().assign(density_state=None), above_MPa=500.0)


def test_errors_weigh_three_times_as_much_on_the_transformed_axis_at_095():
    step = 1e-6
    loud, soft = ((compaction.heckel_transform(d + step) - compaction.heckel_transform(d)) / step
                  for d in (0.95, 0.85))
    assert loud / soft == pytest.approx(3.0, rel=1e-3)


# --- the posterior


def test_all_readings_are_kept_above_one_too(both):
    fit, _ = both
    assert len(fit.encoded.columns["relative_density__value"]) == len(fit.table)
    assert (fit.encoded.columns["relative_density__value"] > 1.0).sum() > 2
    assert not fit.encoded.left_out
    assert fit.convergence.worst_rhat < 1.02 and fit.convergence.divergences < 20


def test_intervals_hold_the_truth_and_say_their_kind(both):
    fit, truth = both
    known = yields(fit, level=0.95).drop(index="", level="lot")
    for key, value in truth.items():
        low, high = (known.loc[key, f"95 % equal-tailed interval, {end}"]
                     for end in ("low", "high"))
        assert low < value < high and high / low < 2.0
    assert (known["informed_by"] == "data").all()
    draws = fit.parameters()
    for name, value in (("regime_boundary", BOUNDARY), ("elastic_modulus", MODULUS)):
        low, high = np.quantile(draws[f"compaction.{name}"], [0.005, 0.995])
        assert low < value < high and high / low < 1.6


def test_in_die_and_out_of_die_are_never_pooled(both, inside):
    """In-die readings say nothing about yield out of the die, and out-of-die ones nothing in it."""
    alone, together = yields(inside), yields(both[0])
    outside = alone.loc[("out of die", "")]
    assert outside["informed_by"] == "from the prior" and outside["readings"] == 0
    assert outside["median, MPa"] == pytest.approx(500.0, rel=0.15)
    for lot in ("L0", "L1"):
        a, b = (t.loc[("in die", lot), "median, MPa"] for t in (alone, together))
        assert a == pytest.approx(b, rel=0.06)  # below half a posterior sd
    low = together.loc[("out of die", "L1"), "90 % equal-tailed interval, low"]
    assert low > together.loc[("in die", "L1"), "90 % equal-tailed interval, high"]


def test_what_was_not_varied_is_from_the_prior(both):
    said = both[0].summary()["informed_by"]
    for name in ("hindrance_power", "composite_packing", "size_slope_in_die", "cycle_gain"):
        assert said[f"compaction.{name}"] == "from the prior"


def test_a_cathode_pressed_at_380_mpa_is_labelled_from_the_prior(both):
    found = labelled(both[0], pelletizing_MPa=[380.0, 380.0, 1000.0, 60.0],
                     active_volume_fraction=[0.485, 0.0, 0.0, 0.0])
    assert found["informed_by"].tolist() == ["from the prior", "data", "data", "from the prior"]
    assert "0.48 of active material" in found["why"][0]
    assert "early regime with probability" in found["why"][3]
    width = (found["90 % equal-tailed interval, high"] - found["90 % equal-tailed interval, low"])
    assert width[0] > 3 * width[1]
    assert (found["density_state"] == "out of die").all()


def test_a_powder_read_above_the_boundary_only_tells_nothing_of_what_is_pressed_below(model):
    table, _ = simulated(5, states=("out of die",), steps=(700.0, 900.0, 1200.0, 1500.0, 1700.0))
    found = labelled(model.fit(table, seed=2, chains=2), pelletizing_MPa=[150.0, 1200.0])
    assert found["informed_by"].tolist() == ["from the prior", "data"]
    assert "no density was read at so low a pressure" in found["why"][0]


def test_recovery_is_predicted_with_an_interval(both):
    draws = both[0].predict(pd.DataFrame({
        "pelletizing_MPa": [1700.0], "stack_MPa": [0.0], "density_state": ["in die"]}),
        outcome="elastic_recovery").to_numpy()
    low, high = np.quantile(draws, [0.01, 0.99])
    assert low < compaction.elastic_recovery(1700.0, 0.0, MODULUS) < high


def test_readings_of_one_pellet_share_its_error(model):
    """Ten readings of one pellet leave its mass and thickness unknown; five pellets do not."""
    table, _ = simulated(7, lots=1, states=("out of die",), steps=STEPS[2:])
    one = table.assign(cell=None)
    five = table.assign(cell=[f"P{k}" for k in range(len(table))])
    at = pd.DataFrame({"pelletizing_MPa": [1000.0], "lot": ["L0"]})
    sd = [model.fit(t, seed=3, chains=2).quantity("expected_density", at).to_numpy().std()
          for t in (one, five)]
    assert sd[0] > 1.4 * sd[1]


# --- bad input


def told(table, model=None):
    with pytest.raises(data.TableError) as error:
        data.validate(pd.DataFrame(table)) if model is None else model.fit(pd.DataFrame(table))
    return str(error.value)


PELLET = {"cell": ["P"] * 3, "density_state": ["out of die"] * 3,
          "pelletizing_MPa": [200.0, 500.0, 900.0], "relative_density": [0.7, 0.8, 0.88]}


def test_a_density_above_one_out_of_the_die_is_refused_with_place_and_reason():
    message = told(PELLET | {"relative_density": [0.7, 0.8, 1.02]})
    assert "row 2, column 'relative_density': found '1.02'" in message
    assert "no pressure compresses the solid" in message and "thickness" in message
    data.validate(pd.DataFrame(PELLET | {"density_state": ["in die"] * 3,
                                         "relative_density": [0.7, 0.8, 1.02]}))


def test_a_highest_pressure_that_falls_within_a_pellet_is_refused():
    message = told(PELLET | {"pelletizing_MPa": [200.0, 900.0, 500.0]})
    assert "row 2, column 'pelletizing_MPa': found '500'" in message
    assert "at least 900 as in row 1 of the same pellet 'P'" in message
    assert "into stack_MPa" in message and "its own cell label" in message
    data.validate(pd.DataFrame(PELLET | {"pelletizing_MPa": [200.0, 900.0, 500.0],
                                         "cell": ["P", "P", "Q"]}))


def test_the_order_within_a_pellet_is_that_of_its_cycles_then_of_its_rows():
    sorted_by_cycle = PELLET | {"pelletizing_MPa": [900.0, 200.0, 500.0], "cycle": [2, 1, 1]}
    data.validate(pd.DataFrame(sorted_by_cycle))
    assert "row 1" in told(sorted_by_cycle | {"cycle": [1, 1, 2]})


def test_series_of_one_pellet_may_be_listed_one_after_the_other():
    """A staircase that is read at two held pressures, one block each."""
    data.validate(pd.DataFrame({
        "cell": ["P"] * 4, "pelletizing_MPa": [100.0, 500.0, 100.0, 500.0],
        "stack_MPa": [10.0, 10.0, 100.0, 100.0], "conductivity_mS_cm": [0.5, 1.0, 1.5, 2.0]}))


def test_no_reading_can_be_under_more_than_the_highest_pressure():
    message = told({"cell": ["P"], "pelletizing_MPa": [300.0], "stack_MPa": [400.0]})
    assert "at most pelletizing_MPa, which is 300" in message


def test_rows_that_the_model_cannot_place_are_refused_by_name(model):
    message = told(PELLET | {"density_state": ["in die", None, "in die"]}, model)
    assert "row 1, column 'density_state'" in message and "never pooled" in message
    message = told(PELLET | {"density_state": ["in die"] * 3, "sweep": ["release"] * 3}, model)
    assert "on release needs stack_MPa" in message
    message = told(PELLET | {"active_fraction": [0.7] * 3}, model)
    assert "composite_volume_fraction" in message


def test_pellets_without_a_label_are_one_for_each_powder(model):
    rows, notes = model.prepare(pd.DataFrame(PELLET).drop(columns="cell"), True)
    assert rows["cell"].nunique() == 1 and "taken as one" in notes[0]
    assert rows["stack_MPa"].tolist() == [0.0] * 3
    again, _ = model.prepare(rows, True)  # a row that has been read once stays as it is
    assert again["density_state"].tolist() == [1.0] * 3


def test_other_models_and_unknown_powders_are_refused(both):
    with pytest.raises(ValueError, match="'L9' is no lot of this fit; it knows: L0, L1"):
        compaction.densities(both[0], pd.DataFrame({"pelletizing_MPa": [500.0], "lot": ["L9"]}))


# --- the printed numbers, and coverage


@pytest.mark.slow
def test_what_the_printed_numbers_inform_and_what_they_leave_to_the_prior(model):
    table = data.load("schneider2023_pellets")
    plain, told_so = (model.fit(table, seed=2, statements=said) for said in (False, True))
    assert plain.convergence.worst_rhat < 1.03
    said = plain.summary()["informed_by"]
    assert said["compaction.elastic_modulus"] == "data"
    assert said["compaction.yield_pressure_in_die"] == "data"
    for name in ("yield_pressure_out_of_die", "regime_boundary", "loose_packing", "lot_yield_sd"):
        assert said[f"compaction.{name}"] == "from the prior"
    found: Any = compaction.yield_pressures(plain).set_index(["density_state", "sieve"])
    fine, coarse = (found.loc[("in die", s), "median, MPa"] for s in ("<50 um", ">50 um"))
    # A printed slope holds the elastic part: the plastic yield pressures are higher than it.
    assert fine > 1.2 * 950 and coarse > 1.1 * 1650 and coarse > fine
    widths = [np.log(f.parameters()["compaction.regime_boundary"]).std() for f in (plain, told_so)]
    assert widths[1] < 0.6 * widths[0]
    cathode = labelled(told_so, pelletizing_MPa=[380.0], active_volume_fraction=[0.485])
    assert cathode["informed_by"].item() == "from the prior"
    assert "early regime" in cathode["why"].item()
    assert cathode["sd_over_prior_sd"].item() > 0.8


@pytest.mark.slow
def test_intervals_of_yield_pressures_are_right_as_often_as_they_say(model):
    inside = []
    for seed in range(40):
        table, truth = simulated(100 + seed)
        found = yields(model.fit(table, seed=seed))
        inside += [found.loc[key, "90 % equal-tailed interval, low"] < value
                   < found.loc[key, "90 % equal-tailed interval, high"]
                   for key, value in truth.items()]
    # 160 intervals, four a table: twice the binomial error, for those of one table hang together
    assert np.mean(inside) == pytest.approx(0.9, abs=0.08)
