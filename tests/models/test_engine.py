"""The machinery behind every model, held against a linear model whose posterior is known exactly.

Traps of the stack that are guarded here: per-row deterministics (no model has one), group indices
out of range, silence about chains that disagree, draws that differ for one seed, unnamed intervals,
utilization above 1, data that a compiled sampler takes unchecked (index ranges, NaN, truncated
floats, columns that nothing observes, NaN in an unused factor), compiling on every call, imputation
of missing readings, 32-bit JAX, and libraries that load when we are imported.
"""

import logging
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from ssbayes import data, models
from ssbayes.models.engine import Factor, Group, LabModel, Outcome, checks
from ssbayes.models.engine.encode import check_columns, encode, same_length
from ssbayes.models.engine.fit import Fit
from ssbayes.models.engine.fitting import wanted_parts
from ssbayes.models.engine.graph import compilations
from ssbayes.models.engine.inputs import slots_for
from ssbayes.models.engine.response import cubature

BATCH_SD, CELL_SD = 6.0, 3.0
LEVEL, SLOPE, OFFSET = (150.0, 20.0), (0.0, 10.0), (0.0, 5.0)


def build(x):
    """Capacity linear in time, with an offset for each method and an effect for each batch."""
    level = x.prior("level", "Normal", *LEVEL, unit="mAh/g")
    slope = x.prior("slope", "Normal", *SLOPE, unit="mAh/g")
    offset = x.prior("offset", "Normal", *OFFSET, unit="mAh/g", group="method")
    mu = (level + slope * (x["milling_min"] - 10.0) / 10.0 + offset[x.code("method")]
          + x.effect("batch_effect", "batch", BATCH_SD))
    x.report("twice", 2.0 * mu)
    x.observe("capacity_mAh_g", "Normal", mu=mu, sigma=CELL_SD)
    if x.wants("utilization"):
        share = x.prior("utilization_level", "TruncatedNormal", 0.8, 0.1, 0.0, 1.0)
        x.observe("utilization", "Normal", mu=share + 0.0 * mu, sigma=0.1)


TOY = LabModel(
    "toy", build, factors=(Factor("milling_min"), Factor("filling", default=0.5)),
    groups=(Group("method", varies=False), Group("batch")),
    outcomes=(Outcome("capacity_mAh_g", alike=("charge_mode",)),
              Outcome("utilization", optional=True)),
)


def simulated(batches=5, cells=3, seed=0):
    """Readings of the linear model (simulated)."""
    rng = np.random.default_rng(seed)
    rows = []
    for b in range(batches):
        minutes, method = float(rng.choice([5, 10, 20])), ["hand", "mill"][b % 2]
        middle = 160 + 8 * (minutes - 10) / 10 - 6 * (method == "hand") + BATCH_SD * rng.normal()
        rows += [{"study": "simulated", "batch": f"b{b}", "cell": f"c{c}", "method": method,
                  "milling_min": minutes, "capacity_mAh_g": middle + CELL_SD * rng.normal()}
                 for c in range(cells)]
    return pd.DataFrame(rows)


def design(table, other=None):
    """Design matrix of (level, slope, offsets, batch effects) over rows; labels from ``table``."""
    rows = table if other is None else other
    methods, batches = list(dict.fromkeys(table["method"])), list(dict.fromkeys(table["batch"]))
    minutes = (rows["milling_min"].to_numpy() - 10.0) / 10.0
    return np.concatenate([
        np.ones((len(rows), 1)), minutes[:, None],
        (rows["method"].to_numpy()[:, None] == np.array(methods)).astype(float),
        (rows["batch"].to_numpy()[:, None] == np.array(batches)).astype(float)], axis=1), methods


def exact(table, variance=None):
    """Mean and covariance of the parameters given the table, in closed form."""
    matrix, methods = design(table)
    mean = np.array([LEVEL[0], SLOPE[0], *[OFFSET[0]] * len(methods)])
    sd = np.array([LEVEL[1], SLOPE[1], *[OFFSET[1]] * len(methods)])
    batches = matrix.shape[1] - len(mean)
    mean, sd = np.append(mean, np.zeros(batches)), np.append(sd, np.full(batches, BATCH_SD))
    noise = np.full(len(table), CELL_SD**2) if variance is None else np.asarray(variance)
    precision = np.diag(sd**-2.0) + matrix.T @ (matrix / noise[:, None])
    covariance = np.linalg.inv(precision)
    right = mean / sd**2 + matrix.T @ (table["capacity_mAh_g"].to_numpy() / noise)
    return covariance @ right, covariance


def assert_posterior(fit, mean, covariance):
    """Posterior of level, slope and offsets within five Monte-Carlo standard errors."""
    flat = {k: v.to_numpy().reshape(fit.n_draws, -1) for k, v in fit.posterior.items()}
    methods = len(fit.encoded.levels["method"])
    draws = np.concatenate([flat["toy.level"], flat["toy.slope"],
                            flat["toy.offset"][:, 1 : methods + 1]], axis=1)
    sd = np.sqrt(np.diag(covariance))[: draws.shape[1]]
    effective = fit.convergence.table["ess_bulk"].min()
    error = (draws.mean(axis=0) - mean[: draws.shape[1]]) / sd
    assert np.abs(error).max() < 5.0 / np.sqrt(effective)
    np.testing.assert_allclose(draws.std(axis=0), sd, rtol=5.0 / np.sqrt(effective))


@pytest.fixture(scope="module")
def table():
    return simulated()


@pytest.fixture(scope="module")
def fit(table):
    return TOY.fit(table)


class TestPosterior:
    def test_agrees_with_the_closed_form(self, fit, table):
        assert not fit.convergence.sentences
        assert_posterior(fit, *exact(table))

    @pytest.mark.parametrize(("batches", "cells"), [(1, 1), (8, 2), (16, 3)])
    def test_other_tables_are_fitted_as_exactly_without_compiling(self, fit, batches, cells):
        before = dict(compilations)
        other = simulated(batches, cells, seed=batches)
        assert_posterior(TOY.fit(other, draws=500), *exact(other))
        assert compilations["nutpie"] == before["nutpie"]

    def test_rows_without_readings_change_nothing(self, fit, table):
        more = pd.concat([table, table.assign(capacity_mAh_g=np.nan, cell="not measured")],
                         ignore_index=True)
        before = dict(compilations)
        again = TOY.fit(more)
        assert compilations["nutpie"] == before["nutpie"]
        assert len(again.response().readings) == len(table)
        assert_posterior(again, *exact(table))

    def test_without_readings_the_posterior_is_the_prior(self, fit, table):
        before = dict(compilations)
        empty = TOY.fit(table.assign(capacity_mAh_g=np.nan))
        assert compilations["nutpie"] == before["nutpie"]
        for name, (mu, sd) in {"level": LEVEL, "slope": SLOPE}.items():
            draws = empty.posterior[f"toy.{name}"].to_numpy().ravel()
            assert draws.mean() == pytest.approx(mu, abs=5 * sd / np.sqrt(1000))
            assert draws.std() == pytest.approx(sd, rel=0.1)
        share = empty.posterior["toy.utilization_level"].to_numpy().ravel()
        reference = stats.truncnorm(-8, 2, 0.8, 0.1)
        assert share.mean() == pytest.approx(reference.mean(), abs=0.01)
        assert set(empty.summary()["informed_by"]) == {"from the prior"}

    def test_other_prior_numbers_compile_nothing_and_count(self, fit, table):
        before = dict(compilations)
        sure = TOY.with_priors(level=(140.0, 0.01)).fit(table, draws=200)
        assert compilations["nutpie"] == before["nutpie"]
        assert sure.posterior["toy.level"].mean() == pytest.approx(140.0, abs=0.01)
        assert "set by the user" in sure.priors["toy.level"].source

    def test_a_level_that_outgrows_its_slots_compiles_once(self, fit):
        assert [slots_for(n) for n in (0, 1, 16, 17, 40)] == [16, 16, 16, 32, 64]
        many = simulated(17, 1)
        before = compilations["nutpie"]
        assert_posterior(TOY.fit(many, draws=500), *exact(many))
        TOY.fit(simulated(30, 1), draws=50, tune=100)
        assert compilations["nutpie"] == before + 1

    @pytest.mark.parametrize("engine", ["numpyro", pytest.param("pymc", marks=pytest.mark.slow)])
    def test_other_engines_agree(self, table, engine):
        assert_posterior(TOY.fit(table, engine=engine, chains=2, draws=500), *exact(table))

    @pytest.mark.slow
    @pytest.mark.parametrize("engine", ["numpyro", "pymc"])
    def test_other_engines_take_another_table_in_the_same_process(self, table, engine):
        TOY.fit(table, engine=engine, chains=2, draws=100)
        other = simulated(3, 4, seed=8)
        assert_posterior(TOY.fit(other, engine=engine, chains=2, draws=500), *exact(other))

    def test_an_unknown_engine_is_named(self, fit, table):
        with pytest.raises(ValueError, match="'stan' is none of nutpie"):
            TOY.fit(table, engine="stan")

    def test_the_graph_holds_nothing_per_row(self, fit):
        assert not fit.graph.model.deterministics
        assert not models.get("milling").graph({}).model.deterministics


class TestReweighting:
    """What if these rows came too? Against the closed form of the posterior of both."""

    def of(self, fit, rows, table):
        more = pd.concat([table, rows], ignore_index=True)
        again, (mean, covariance) = fit.reweighted(rows), exact(more)
        draws = again.parameters()
        flat = np.stack([draws["toy.level"], draws["toy.slope"]], axis=1)
        sd = np.sqrt(np.diag(covariance))[:2]
        ess = min(again.options["effective_draws"], fit.convergence.table["ess_bulk"].min())
        assert np.abs((flat.mean(axis=0) - mean[:2]) / sd).max() < 5.0 / np.sqrt(ess)
        np.testing.assert_allclose(flat.std(axis=0), sd, rtol=5.0 / np.sqrt(ess))
        return again

    def test_one_more_cell_of_a_known_batch(self, fit, table):
        cell = table.tail(1).assign(cell="one more", capacity_mAh_g=150.0)
        again = self.of(fit, cell, table)
        assert again.options["khat"] < 0.7 and again.encoded.levels == fit.encoded.levels

    def test_a_new_batch_has_an_effect_of_its_own(self, fit, table):
        rows = table.head(3).assign(batch="new", milling_min=20.0, capacity_mAh_g=165.0)
        again = self.of(fit, rows, table)
        assert len(again.encoded.levels["batch"]) == len(fit.encoded.levels["batch"]) + 1
        low, high = again.predict(rows.head(1), outcome="capacity_mAh_g").quantile([0.05, 0.95])
        assert low < 165.0 < high

    def test_rows_that_move_it_too_far_are_told(self, fit, table, caplog):
        far = simulated(8, 3, seed=5).assign(capacity_mAh_g=30.0)
        far["batch"] = "far " + far["batch"]
        with caplog.at_level("WARNING", logger="ssbayes"):
            assert fit.reweighted(far).options["khat"] > 0.7
        assert "fit the table with them" in caplog.text

    def test_more_batches_than_there_is_room_for_are_refused(self, fit):
        many = simulated(15, 1, seed=6)
        many["batch"] = "more " + many["batch"]
        with pytest.raises(ValueError, match="20 levels of batch are more than the 16"):
            fit.reweighted(many)


class TestReadings:
    def test_mean_of_cells_counts_as_so_many(self, fit, table):
        one = table.assign(capacity_mAh_g_n=4.0)
        assert_posterior(TOY.fit(one), *exact(one, np.full(len(one), CELL_SD**2 / 4)))

    def test_stated_error_is_added(self, fit, table):
        told = table.assign(capacity_mAh_g_sd=4.0)
        assert_posterior(TOY.fit(told), *exact(told, np.full(len(told), CELL_SD**2 + 16.0)))

    def test_one_printed_number_on_two_rows_is_one_number(self, fit, table):
        twice = pd.concat([table, table.assign(cell=table["cell"] + " again")], ignore_index=True)
        label = twice["batch"] + " " + twice["cell"].str[:2]
        assert_posterior(TOY.fit(twice.assign(capacity_mAh_g_shared=label)), *exact(table))

    def test_row_labels_that_repeat_are_told_apart(self, fit, table):
        both = pd.concat([table, table.assign(study="another")])
        response = TOY.fit(both, draws=50, tune=100).response()
        assert response.row_mean().shape == response.rows().shape == (200, len(both))

    def test_a_bound_is_left_out_and_said(self, table):
        told = table.assign(capacity_mAh_g_censored=["<"] + [None] * (len(table) - 1))
        encoded = encode(data.validate(told, TOY.columns), TOY)
        assert len(encoded.columns["capacity_mAh_g__value"]) == len(table) - 1
        assert "bound" in encoded.left_out[0][1]

    @pytest.mark.parametrize("status", ["failed", "planned", "running", "abandoned"])
    def test_rows_that_are_not_done_are_left_out_with_the_reason(self, table, status):
        told = table.assign(status=[status] + ["done"] * (len(table) - 1), reason="broke")
        told.loc[0, "capacity_mAh_g"] = np.nan
        encoded = encode(data.validate(told, TOY.columns, open=True), TOY)
        assert encoded.left_out == [(0, f"status {status}")]

    def test_what_is_not_used_is_told_once_for_each_reason(self, table):
        kind = ["statement"] * 3 + ["measured"] * (len(table) - 3)
        status = ["done"] * 3 + ["planned"] + ["done"] * (len(table) - 4)
        said = dict.fromkeys(["statement", "outcome", "over", "value"])
        told = table.assign(kind=kind, status=status, **said)
        told.loc[:2, list(said)] = ["optimum", "capacity_mAh_g", "rpm", 500.0]
        told.loc[:2, "capacity_mAh_g"] = np.nan
        told.loc[3, "capacity_mAh_g"] = np.nan
        clean = data.validate(told, TOY.columns, open=True)
        assert encode(clean, TOY).unused() == [
            "3 rows (0, 1, 2) are not used: a published statement, not a reading",
            "row 3 is not used: status planned"]
        assert encode(clean, TOY, statements=True).unused() == ["row 3 is not used: status planned"]

    @pytest.mark.parametrize(("options", "said"), [
        ({"draws": 0}, "draws=0 must be a whole number from 1"),
        ({"tune": 2.5}, "tune=2.5"),
        ({"chains": True}, "chains=True"),
        ({"pool": "charge_mod"}, "pool='charge_mod' is no column"),
    ])
    def test_numbers_and_columns_that_make_no_sense_are_told_before_a_fit(
        self, table, options, said
    ):
        with pytest.raises(ValueError, match=said):
            TOY.fit(table, **options)

    def test_unlike_kinds_are_not_pooled_in_silence(self, fit, table):
        mixed = table.assign(charge_mode=["CC"] * 6 + ["CCCV"] * (len(table) - 6))
        with pytest.raises(ValueError, match=r"unlike charge_mode .*CC: rows 0, 1.*pool="):
            TOY.fit(mixed)
        pooled = TOY.fit(mixed, pool=["charge_mode"], draws=50, tune=100)
        assert len(pooled.response().readings) == len(mixed)

    def test_utilization_above_one_is_a_reading(self, table):
        told = table.assign(utilization=1.04)
        again = TOY.fit(told, draws=500)
        share = again.posterior["toy.utilization_level"].to_numpy()
        assert 0.9 < share.mean() < 1.0
        assert share.max() <= 1.0
        assert again.summary().loc["toy.utilization_level", "informed_by"] == "data"

    def test_optional_outcomes_without_readings_stay_out_of_the_sampler(self, fit, table):
        encoded = encode(data.validate(table, TOY.columns), TOY)
        assert wanted_parts(TOY, encoded, False) == {"capacity_mAh_g"}
        assert "toy.utilization_level" in fit.posterior

    def test_rows_of_equal_settings_without_batch_are_one_batch(self, table):
        bare = table.drop(columns=["batch", "cell", "method"])
        encoded = encode(data.validate(bare, TOY.columns), TOY)
        assert len(encoded.levels["batch"]) == bare["milling_min"].nunique()
        assert "no batch" in encoded.notes[0]

    def test_equal_labels_of_two_studies_are_two_batches(self, table):
        both = pd.concat([table, table.assign(study="another")], ignore_index=True)
        encoded = encode(data.validate(both, TOY.columns), TOY)
        assert len(encoded.levels["batch"]) == 2 * table["batch"].nunique()


class TestDoor:
    """What a compiled sampler would take in silence is refused before it is handed over."""

    @pytest.fixture
    def columns(self, table):
        return encode(data.validate(table, TOY.columns), TOY).columns

    slots = (("method", 16), ("batch", 16))

    @pytest.mark.parametrize(("name", "change", "says"), [
        ("batch", lambda v: v + 16, "slots are 0 to 16"),
        ("batch", lambda v: v - 2, "slots are 0 to 16"),
        ("method", lambda v: v.astype(float), "whole numbers"),
        ("milling_min", lambda v: np.where(v == v[0], np.nan, v), "'milling_min' holds nan"),
        ("milling_min", lambda v: np.where(v == v[0], np.inf, v), "'milling_min' holds inf"),
        ("filling", lambda v: v[:-1], "values for"),
        ("capacity_mAh_g__row", lambda v: v + 1, "points to row"),
        ("capacity_mAh_g__row", lambda v: v.astype(float), "whole numbers"),
        ("capacity_mAh_g__value", lambda v: np.where(v == v[0], np.nan, v), "holds nan"),
    ])
    def test_bad_columns_are_named(self, columns, table, name, change, says):
        check_columns(columns, len(table), dict(self.slots))
        with pytest.raises(ValueError, match=says):
            check_columns(columns | {name: change(columns[name])}, len(table), dict(self.slots))

    def test_unlike_lengths_of_readings_are_named(self, columns):
        with pytest.raises(ValueError, match="unlike lengths"):
            same_length(columns | {"capacity_mAh_g__n": np.ones(1)}, ["capacity_mAh_g"])

    def test_a_missing_factor_keeps_only_its_row_out(self, fit, table):
        holed = table.assign(milling_min=[np.nan] * 3 + list(table["milling_min"][3:]))
        again = TOY.fit(holed)
        assert [why for _, why in again.encoded.left_out] == ["no milling_min"] * 3
        assert_posterior(again, *exact(holed[3:]))


class TestBeforeData:
    settings = pd.DataFrame({"milling_min": [10.0, 20.0], "method": "mill", "batch": "b0",
                             "capacity_mAh_g": 300.0})

    @pytest.mark.parametrize(("of", "more"), [("mean", 0.0), ("batch", BATCH_SD**2),
                                              ("cell", BATCH_SD**2 + CELL_SD**2)])
    def test_predictions_are_those_of_the_prior(self, of, more):
        drawn = TOY.prior_predict(self.settings, of, outcome="capacity_mAh_g", draws=4000)
        assert drawn.dims == ("draw", "setting")
        sd = np.sqrt(LEVEL[1]**2 + OFFSET[1]**2 + more + SLOPE[1]**2 * np.array([0.0, 1.0]))
        np.testing.assert_allclose(drawn.mean("draw"), LEVEL[0], atol=5 * sd.max() / 4000**0.5)
        np.testing.assert_allclose(drawn.std("draw"), sd, rtol=0.06)

    def test_prior_numbers_of_the_user_count(self):
        sure = TOY.with_priors(level=(140.0, 0.01), slope=(0.0, 0.01), offset=(0.0, 0.01))
        drawn = sure.prior_predict(self.settings, outcome="capacity_mAh_g", draws=50)
        np.testing.assert_allclose(drawn, 140.0, atol=0.2)

    def test_a_missing_column_is_named(self):
        with pytest.raises(data.TableError, match="milling_min"):
            TOY.prior_predict({"method": ["mill"]})


class TestPredictions:
    settings = pd.DataFrame({"milling_min": [5.0, 20.0], "method": ["mill", "hand"]})

    def moments(self, table):
        mean, covariance = exact(table)
        rows = design(table, self.settings.assign(batch="new"))[0]
        return rows @ mean, np.sqrt(np.diag(rows @ covariance @ rows.T))

    def test_levels_spread_as_they_must(self, fit, table):
        mean, sd = self.moments(table)
        expected = {"mean": sd**2, "batch": sd**2 + BATCH_SD**2,
                    "cell": sd**2 + BATCH_SD**2 + CELL_SD**2}
        for of, variance in expected.items():
            draws = fit.predict(self.settings, of=of, outcome="capacity_mAh_g")
            assert draws.dims == ("draw", "setting")
            assert draws.attrs["of"] == of
            assert draws.attrs["unit"] == "mAh/g"
            error = (draws.mean("draw") - mean) / np.sqrt(variance)
            assert float(np.abs(error).max()) < 0.15
            np.testing.assert_allclose(draws.std("draw"), np.sqrt(variance), rtol=0.1)

    def test_a_known_batch_is_known_better_than_a_new_one(self, fit, table):
        known = table.drop_duplicates("batch")[["study", "batch", "method", "milling_min"]]
        draws = fit.predict(known, of="batch", outcome="capacity_mAh_g")
        rows = design(table, known)[0]
        mean, covariance = exact(table)
        np.testing.assert_allclose(draws.std("draw"), np.sqrt(np.diag(rows @ covariance @ rows.T)),
                                   rtol=0.15)
        np.testing.assert_allclose(draws.mean("draw"), rows @ mean, atol=0.5)

    def test_all_outcomes_at_once(self, fit):
        found = fit.predict(self.settings)
        assert set(found) == {"capacity_mAh_g", "utilization"}

    def test_quantities(self, fit):
        twice = fit.quantity("twice", self.settings)
        once = fit.predict(self.settings, outcome="capacity_mAh_g")
        np.testing.assert_allclose(twice, 2.0 * once, rtol=1e-10)

    def test_same_seed_same_draws(self, fit):
        first, second, third = (
            fit.predict(self.settings, of="cell", outcome="capacity_mAh_g", seed=s).to_numpy()
            for s in (1, 1, 2))
        np.testing.assert_array_equal(first, second)
        assert not np.array_equal(first, third)

    def test_more_settings_do_not_change_the_first(self, fit):
        many = pd.concat([self.settings] * 60, ignore_index=True)
        np.testing.assert_allclose(
            fit.predict(many, outcome="capacity_mAh_g")[:, :2],
            fit.predict(self.settings, outcome="capacity_mAh_g"), rtol=1e-10)

    @pytest.mark.parametrize(("change", "of", "says"), [
        ({"method": "handd"}, "mean", "'handd' is no method of this fit; did you mean 'hand'"),
        ({"batch": ["b0", "b9"]}, "batch", "'b9' is no batch of this fit.*b0"),
        ({"milling_min": np.nan}, "mean", "needs 'milling_min'"),
        ({}, "reading", "of='reading' is none of mean, batch, cell"),
        ({"milling_min": -5.0}, "mean", "milling_min"),
    ])
    def test_wrong_settings_are_named(self, fit, change, of, says):
        with pytest.raises(ValueError, match=says):
            fit.predict(self.settings.assign(**change), of=of)

    def test_a_missing_column_is_named(self, fit):
        with pytest.raises(ValueError, match="needs 'milling_min'"):
            fit.predict(pd.DataFrame({"method": ["mill"]}))
        with pytest.raises(ValueError, match="is no outcome of 'toy'"):
            fit.predict(self.settings, outcome="porosity")
        with pytest.raises(ValueError, match="is no quantity of 'toy'"):
            fit.quantity("thrice", self.settings)

    def test_response_is_in_double_precision(self, fit):
        import jax

        assert fit.response().mean(self.settings).dtype == np.float64
        assert jax.config.jax_enable_x64

    @pytest.mark.parametrize("effects", [0, 1, 2, 5])
    def test_cubature_is_exact_for_cubics(self, effects):
        points = cubature(effects)
        moments = points.T @ points / len(points)
        np.testing.assert_allclose(points.sum(axis=0), 0.0, atol=1e-12)
        np.testing.assert_allclose(moments, np.eye(effects), atol=1e-12)
        np.testing.assert_allclose((points**3).sum(axis=0), 0.0, atol=1e-9)


class TestChecks:
    def left_out(self, table, units):
        """Exact log density of each unit given all others."""
        matrix, methods = design(table)
        sd = np.array([LEVEL[1], SLOPE[1], *[OFFSET[1]] * len(methods)])
        sd = np.append(sd, np.full(matrix.shape[1] - len(sd), BATCH_SD))
        mean = matrix[:, 0] * LEVEL[0]
        joint = (matrix * sd**2) @ matrix.T + CELL_SD**2 * np.eye(len(table))
        y, found = table["capacity_mAh_g"].to_numpy(), []
        for unit in dict.fromkeys(units):
            inside = np.asarray(units) == unit
            gain = joint[np.ix_(inside, ~inside)] @ np.linalg.inv(joint[np.ix_(~inside, ~inside)])
            given: Any = (mean[inside] + gain @ (y - mean)[~inside],
                          joint[np.ix_(inside, inside)] - gain @ joint[np.ix_(~inside, inside)])
            found.append(stats.multivariate_normal.logpdf(y[inside], *given))
        return np.array(found)

    def test_leave_one_out_by_reading(self, fit, table):
        loo = fit.check().loo
        expected = self.left_out(table, np.arange(len(table)))
        good = loo["khat"].to_numpy() < checks.KHAT_LIMIT
        assert good.mean() > 0.8
        np.testing.assert_allclose(loo["elpd"][good], expected[good], atol=0.2)
        assert loo["elpd"].sum() == pytest.approx(expected.sum(), abs=0.7)

    def test_leave_one_out_by_batch_integrates_its_effect(self, fit, table):
        density, names = checks.by_level(fit, "batch", fit.thin(1000))
        assert [name.rpartition(" / ")[2] for name in names] == list(dict.fromkeys(table["batch"]))
        elpd, khat = checks.leave_out(density)
        expected = self.left_out(table, table["batch"].to_numpy())
        good = khat < checks.KHAT_LIMIT
        assert good.sum() >= 3
        np.testing.assert_allclose(elpd[good], expected[good], atol=0.6)

    def test_rows_alone_in_their_level_are_units_of_their_own(self, fit, table):
        columns = dict(fit.encoded.columns)
        columns["batch"] = np.where(columns["batch"] == 1, 0, columns["batch"])
        lone = Fit(fit.model, fit.table, replace(fit.encoded, columns=columns), fit.graph,
                   fit.posterior, fit.statistics, fit.options)
        density, names = checks.by_level(lone, "batch", fit.thin(50))
        assert sum(name.startswith("row ") for name in names) == 3
        assert density.shape == (50, len(names)) == (50, 3 + table["batch"].nunique() - 1)

    def test_importance_weights_sum_to_one(self):
        ratios = np.random.default_rng(0).normal(size=(400, 3))
        weights, khat = checks.pareto_smoothed(ratios)
        np.testing.assert_allclose(np.exp(weights).sum(axis=0), 1.0, atol=1e-10)
        assert khat.shape == (3,)

    def test_a_tail_that_cannot_be_fitted_is_none_or_beyond_trust(self):
        spread = np.random.default_rng(0).normal(size=400)
        ratios = np.stack([np.zeros(400), spread, np.r_[np.zeros(399), 800.0]], axis=1)
        weights, khat = checks.pareto_smoothed(ratios)
        np.testing.assert_allclose(np.exp(weights).sum(axis=0), 1.0)
        assert khat[0] == 0.0 and khat[1] < checks.KHAT_LIMIT and khat[2] == np.inf

    def test_report_is_a_table_and_sentences(self, fit):
        report = fit.check()
        assert list(report.table) == ["check", "value", "limit", "verdict"]
        assert report.sentences
        assert "largest R-hat" in str(report)

    def test_bounds_and_published_means_are_said_to_be_in_no_leave_one_out_density(self):
        rows = pd.concat([data.load("kissel2025_mixing"), pd.DataFrame([
            {"study": "own", "method": "hand", "batch": "b", "c_rate": 0.1,
             "capacity_mAh_g": 170.0, "capacity_mAh_g_n": 4, "capacity_mAh_g_sd": 3.0}])])
        model = replace(models.get("mixing"), pooled=("capacity_basis", "charge_mode", "window",
                                                      "c_rate_basis_mAh_g"))
        coded = encode(rows.reset_index(drop=True), model)
        made: Any = SimpleNamespace(encoded=coded, model=model)
        (said,) = checks.not_in_loo(made)
        assert "9 of capacity_mAh_g are published means of cells (4 linked" in said
        bounds = replace(TOY, bounds=("utilization",))
        made = SimpleNamespace(model=bounds, encoded=SimpleNamespace(
            columns={"bounds__numbers": np.zeros((2, 6))}))
        assert "2 of utilization are bounds" in checks.not_in_loo(made)[0]

    def test_a_fit_without_a_single_reading_says_so(self, table):
        rng = np.random.default_rng(0)
        bare = table.assign(capacity_mAh_g=np.nan)
        empty = Fit.from_draws(TOY, bare, {
            name: rng.normal(0.5, 0.1, (800, *shape)) for name, shape in TOY.graph(
                {}).shapes.items()})
        assert "no single reading" in " ".join(checks.report(empty).sentences)

    def test_readings_far_from_the_model_are_noticed(self, fit, table):
        shift = np.where(np.arange(len(table)) % 3 == 0, 80.0, -40.0)
        odd = TOY.fit(table.assign(capacity_mAh_g=table["capacity_mAh_g"] + shift), draws=200)
        assert any("does not describe them" in s for s in odd.check().sentences)

    def test_chains_that_disagree_are_said_aloud(self, fit, table, caplog):
        with caplog.at_level(logging.WARNING, logger="ssbayes"):
            TOY.fit(table, draws=20, tune=5)
        assert "R-hat" in caplog.text

    def test_a_good_fit_is_silent(self, fit, table, caplog):
        with caplog.at_level(logging.WARNING, logger="ssbayes"):
            TOY.fit(table)
        assert not caplog.text

    def test_summary_names_interval_unit_and_used_levels_only(self, fit):
        summary = fit.summary(level=0.8)
        assert "low (80 % equal-tailed)" in summary
        assert set(summary.index) == {
            "toy.level", "toy.slope", "toy.offset[hand]", "toy.offset[mill]",
            "toy.utilization_level"}
        assert summary.loc["toy.level", "unit"] == "mAh/g"
        assert summary.loc["toy.level", "informed_by"] == "data"
        assert summary.loc["toy.utilization_level", "informed_by"] == "from the prior"


    def test_aliased_parameters_are_told_in_a_sum_only(self, table):
        rng = np.random.default_rng(0)
        half = OFFSET[1] / np.sqrt(2.0) * rng.normal(size=4000)
        kept = {"toy.level": rng.normal(150.0, 1.0, 4000), "toy.slope": rng.normal(0, 1.0, 4000),
                "toy.utilization_level": TOY.prior(
                    "toy.utilization_level", TOY.graph({}).registry.priors[
                        "toy.utilization_level"]).draw(rng, (4000,))}
        slots = TOY.graph({}).shapes["toy.offset"]
        for sign, word in ((-1.0, "data, with toy.offset[mill]"), (0.0, "data")):
            offset = np.zeros((4000, *slots))
            offset[:, 1] = half
            offset[:, 2] = sign * half + (sign == 0) * 3.0 * rng.normal(size=4000)
            fit = Fit.from_draws(TOY, table, kept | {"toy.offset": offset})
            said = fit.summary()["informed_by"]
            assert said["toy.offset[hand]"] == word
            assert said["toy.level"] == "data"
            assert said["toy.utilization_level"] == "from the prior"


class TestStatements:
    def test_a_parameter_that_statements_may_have_moved_is_not_told_by_data(self, table):
        rng = np.random.default_rng(0)
        shapes = TOY.graph({}).shapes
        kept = {name: rng.normal(0.5, 0.01, (800, *shapes[name])) for name in shapes}
        table = table.assign(statement="optimum", outcome="capacity_mAh_g", over="milling_min",
                             value=10.0)
        told = table.assign(kind=["statement", *["measured"] * (len(table) - 1)])
        for rows, statements, word in (
                (told, True, "data or statements"), (told, False, "data"), (table, True, "data"),
                (told.assign(kind="statement"), True, "statements")):
            made = Fit.from_draws(TOY, rows, kept, statements=statements)
            assert made.summary()["informed_by"]["toy.level"].split(", with")[0] == word

    def test_are_used_only_when_told_to(self):
        model, table = models.get("capacity"), data.load("frankenberg2025_milling")
        silent, told = (encode(table, model, statements=s) for s in (False, True))
        for name in ("statement_optimum__value", "statement_declines__value"):
            assert len(silent.columns[name]) == 0
            assert len(told.columns[name]) == 1
        assert len(told.index) > len(silent.index)
        assert "statements" not in wanted_parts(model, silent, False)
        assert "statements" in wanted_parts(model, told, True)
        reasons = [why for _, why in silent.left_out]
        assert reasons.count("a published statement, not a reading") == 2


@pytest.fixture(scope="module")
def milling_fit():
    """A short fit of the milling model to the published energies."""
    return models.get("milling", run_sd=(0.1,)).fit(
        data.load("frankenberg2025_milling"), draws=250, chains=2)


OPEN = """
import sys
import numpy as np, pandas as pd
from ssbayes import models
fit = models.Fit.open(sys.argv[1])
settings = pd.DataFrame({"rpm": [200.0, 600.0], "milling_min": [5.0, 10.0]})
np.save(sys.argv[2], fit.predict(settings, of="cell", outcome="specific_energy_J_g").to_numpy())
print(fit.priors["milling.run_sd"], fit.options["draws"])
"""


def test_a_misspelt_factor_is_no_default(milling_fit):
    with pytest.raises(ValueError, match=r"'bead'.*did you mean 'bead_mm'"):
        milling_fit.predict({"rpm": [200.0], "milling_min": [5.0], "bead": [10.0]})
    milling_fit.predict({"rpm": [200.0], "milling_min": [5.0], "colour": ["grey"]})


class TestKeeping:
    settings = pd.DataFrame({"rpm": [200.0, 600.0], "milling_min": [5.0, 10.0]})

    def test_another_process_predicts_the_same(self, milling_fit, tmp_path):
        path = milling_fit.save(tmp_path / "fit.nc")
        done = subprocess.run([sys.executable, "-c", OPEN, str(path), str(tmp_path / "p.npy")],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "HalfNormal(sd=0.1) 250" in done.stdout
        ours = milling_fit.predict(self.settings, of="cell", outcome="specific_energy_J_g")
        np.testing.assert_allclose(np.load(tmp_path / "p.npy"), ours, rtol=1e-9)

    def test_summary_survives(self, milling_fit, tmp_path):
        again = models.Fit.open(milling_fit.save(tmp_path / "fit.nc"))
        pd.testing.assert_frame_equal(again.summary(), milling_fit.summary())
        assert again.check().sentences == milling_fit.check().sentences

    def test_kept_draws_predict_the_same(self, milling_fit):
        again = Fit.from_draws(milling_fit.model, milling_fit.table, milling_fit.parameters())
        ours, theirs = (f.quantity("specific_energy", self.settings) for f in (milling_fit, again))
        np.testing.assert_allclose(theirs, ours, rtol=1e-10)
        known = milling_fit.parameters()
        known.pop("milling.power_constant")
        with pytest.raises(KeyError, match="power_constant"):
            Fit.from_draws(milling_fit.model, milling_fit.table, known)

    def test_numbers_are_kept_with_all_their_digits(self, tmp_path):
        model, tiny = models.get("milling"), 3.21987654321e-11
        table = pd.DataFrame({"rpm": [200.0, 600.0], "milling_min": [5.0, 10.0],
                              "electronic_mS_cm": [tiny, np.nan], "note": ["a", None]})
        drawn = {name: np.full((2, *shape), 0.5) for name, shape in model.graph({}).shapes.items()}
        path = Fit.from_draws(model, table, drawn).save(tmp_path / "fit.nc")
        again = models.Fit.open(path).table
        assert again["electronic_mS_cm"].iloc[0] == tiny
        assert np.isnan(again["electronic_mS_cm"].iloc[1])
        assert again["rpm"].tolist() == [200.0, 600.0]

    @pytest.mark.parametrize(("kinds", "said"), [
        (["simulated"] * 2, "yes"), (["simulated", "measured"], "in part"), (None, "no")])
    def test_predictions_say_whether_the_readings_were_simulated(self, kinds, said):
        model = models.get("milling")
        table = pd.DataFrame({"rpm": [200.0, 600.0], "milling_min": [5.0, 10.0]})
        drawn = {name: np.full((2, *shape), 0.5) for name, shape in model.graph({}).shapes.items()}
        fit = Fit.from_draws(model, table if kinds is None else table.assign(kind=kinds), drawn)
        found = fit.predict(self.settings, outcome="specific_energy_J_g")
        assert found.attrs["simulated"] == said

    def test_wrong_files_are_named(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="no fit at"):
            models.Fit.open(tmp_path / "none.nc")
        (tmp_path / "text.nc").write_text("not a fit")
        with pytest.raises(ValueError, match="holds no fit"):
            models.Fit.open(tmp_path / "text.nc")
