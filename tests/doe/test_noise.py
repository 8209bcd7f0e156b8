"""Noise that depends on the setting, and stated scatter, in the belief without physics."""

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from ssbayes import doe
from ssbayes.doe import belief, compiled, hyperparameters, surrogate
from ssbayes.doe.compiled import AMPLITUDE
from ssbayes.doe.propose import estimate
from ssbayes.doe.readings import blind_to, readings

SPACE = doe.Space([doe.Real("time", 0, 1), doe.Real("load", 0, 1)])
ENDS = pd.DataFrame({"time": [0.05, 0.95], "load": 0.5})
PRIOR = hyperparameters.Prior(1.5, 0.3, 0.1, 1.0, 0.8, 0.75, trend=0.7)


def cells(seed, ratio, settings=16, each=3):
    """Simulated: the sd of a cell is 1 in the middle and rises along time by a ratio."""
    rng = np.random.default_rng(seed)
    rows = SPACE.sample(settings, rng)
    rows = rows.iloc[np.repeat(np.arange(settings), each)].reset_index(drop=True)
    sd = ratio ** (rows["time"] - 0.5)
    value = 5 * np.sin(3 * rows["load"]) + sd * rng.standard_normal(len(rows))
    return rows.assign(y=value, batch=[f"b{k}" for k in range(len(rows))])


def believed(rows, **more):
    return belief.believe(SPACE, rows, objective="y", model=None, fixed={}, seed=1, **more)


def summed_up(rows):
    """One row a setting: mean, sd and number of its cells."""
    told = rows.groupby(SPACE.names)["y"].agg(["mean", "std", "count"]).reset_index()
    return told.rename(columns={"mean": "y", "std": "y_sd", "count": "y_n"})


@pytest.mark.parametrize(("ratio", "low", "high"), [(1.0, 0.6, 1.7), (6.0, 1.7, 7.0)])
def test_the_noise_rises_where_the_cells_say_so(ratio, low, high):
    told = [believed(cells(seed, ratio)).noise(ENDS) for seed in range(4)]
    assert low < np.median([loud / quiet for quiet, loud in told]) < high


def test_without_repeats_the_noise_is_the_same_everywhere():
    found = believed(cells(0, 6.0, settings=40, each=1))
    assert np.ptp(found.noise(ENDS)) == 0.0
    assert found.kept["theta_alone"].shape[1] == compiled.LENGTH + 2


def test_hyperparameters_that_were_kept_without_a_trend_still_speak():
    rows = cells(0, 6.0)
    old = {"theta_alone": believed(rows).kept["theta_alone"][:, : compiled.LENGTH + 2]}
    assert np.ptp(believed(rows, kept=old).noise(ENDS)) == 0.0


def test_leave_one_out_with_trend_and_stated_error_equals_leaving_one_out():
    rng = np.random.default_rng(0)
    x, y = rng.random((9, 2)), rng.standard_normal(9)
    stated = np.where(np.arange(9) % 3, 0.0, 0.7)
    theta = np.log([[1.2, 0.2, 1e-6, 1e-9, 0.4, 0.9]])
    theta = np.repeat(np.concatenate([theta, [[0.9, -0.5]]], axis=1), 16, axis=0)
    process = surrogate.learn(
        x, y[None], np.full(9, 0.9), np.full(9, -1), PRIOR, 1.0, rng, theta=theta, stated=stated
    )
    r = np.sqrt(5.0) * np.linalg.norm((x[:, None] - x[None]) / [0.4, 0.9], axis=-1)
    loud = 0.2 * np.exp((x - 0.5) @ [0.9, -0.5])
    whole = 1.44 * (1.0 + (1.0 + r + r**2 / 3.0) * np.exp(-r))
    whole += np.diag((0.9 * loud) ** 2 + stated**2)
    np.testing.assert_allclose(process.loudness(x)[0], loud)
    precision = np.linalg.inv(whole)
    var = 1.0 / np.diag(precision)
    expected = -0.5 * np.log(2 * np.pi * var) - 0.5 * (precision @ y) ** 2 * var
    np.testing.assert_allclose(process.log_density, expected, atol=1e-8)


def test_density_of_scatter_and_its_gradient_are_the_written_out_ones():
    """Against the chi-square density of a sum of squares, and finite differences."""
    from scipy import stats

    rng = np.random.default_rng(1)
    n, size = 5, 32
    x, freedom = rng.random((n, 2)), np.array([2.0, 0.0, 4.0, 1.0, 0.0])
    squares = np.where(freedom > 0, rng.random(n) + 0.5, 0.0)
    prior = PRIOR.arrays(2)
    zero, zeros = np.zeros(size), np.zeros((size, size))
    given = [compiled.pad(a, size) for a in (x, np.ones(n), np.full(n, 0.8))]

    def asked(theta, on):
        within = compiled.pad(on * np.array([freedom, squares]), size, (1,))
        value, slope = compiled.compiled().objective(
            theta, *given, zero, zeros, zeros, within, zeros, *prior)
        return float(value), np.asarray(slope)

    here = np.array([0.1, -0.5, -1.0, -3.0, -0.3, 0.2, 0.6, -0.4])
    moved = here + np.array([0, 0.3, 0, 0, 0, 0, -0.8, 0.5])

    def exact(theta):
        level = 2 * (theta[1] + (x - 0.5) @ theta[6:])
        seen = freedom > 0
        log_p = stats.chi2.logpdf(squares[seen] / np.exp(level[seen]), freedom[seen])
        return -(log_p - level[seen]).sum()

    told = [asked(t, 1.0)[0] - asked(t, 0.0)[0] for t in (here, moved)]
    assert told[1] - told[0] == pytest.approx(exact(moved) - exact(here))
    steps = 1e-5 * np.eye(8)
    found = [(asked(here + e, 1.0)[0] - asked(here - e, 1.0)[0]) / 2e-5 for e in steps]
    np.testing.assert_allclose(asked(here, 1.0)[1], found, atol=1e-5)


def test_a_mean_with_its_sd_tells_as_much_of_the_noise_as_its_cells():
    for seed in range(2):
        rows = cells(seed, 4.0)
        apart, together = believed(rows).noise(ENDS), believed(summed_up(rows)).noise(ENDS)
        np.testing.assert_allclose(together, apart, rtol=0.3)
        assert together[1] > 1.3 * together[0]


def test_a_printed_sd_counts_by_its_divisor_and_not_across_batches():
    row = pd.DataFrame({"time": [0.5], "load": 0.5, "y": 1.0, "y_sd": 2.0, "y_n": 5})
    for more, freedom, squares in (
        ({}, 4, 16.0), ({"y_sd_ddof": 0}, 4, 20.0), ({"y_batches": 1}, 4, 16.0),
        ({"y_batches": 5}, 0, 0.0), ({"y_n": 1}, 0, 0.0),
    ):
        seen = readings(SPACE, row.assign(**more), "y", {})
        assert (seen.freedom[0], seen.squares[0]) == (freedom, squares)
        assert seen.error[0] == (2.0 if more == {"y_n": 1} else 0.0)
        assert seen.repeats == freedom


def test_a_reading_with_a_large_stated_error_is_leaned_on_less():
    rows = SPACE.sample(10, np.random.default_rng(3))
    rows = rows.assign(y=rows["load"] + 0.1, y_sd=0.0)
    rows.loc[4, "y"] += 3.0
    at = rows.iloc[[4]]
    pulled = [
        estimate(SPACE, rows.assign(y_sd=np.where(rows.index == 4, sd, 0.01)), at,
                 objective="y", seed=1).draws.mean() - at["load"].iloc[0] - 0.1
        for sd in (0.0, 6.0)
    ]  # fmt: skip
    assert pulled[0] > 0.6 and pulled[1] < 0.4 * pulled[0]


def test_batches_are_told_apart_by_the_readings_that_are_used_and_no_others():
    """Cells read at two rates: at one of them each batch was read once."""
    row = pd.DataFrame({"time": [0.2, 0.4, 0.6], "load": 0.5, "y": [1.0, 2.0, 3.0],
                        "batch": ["b1", "b2", "b3"]})
    rates = pd.concat([row.assign(rate=1.0), row.assign(rate=2.0)], ignore_index=True)
    assert not readings(SPACE, rates, "y", {"rate": 1.0}).told_apart
    assert readings(SPACE, rates, "y", {}).told_apart


def test_readings_without_a_label_are_of_one_batch_for_each_setting():
    rows = pd.DataFrame({"time": [0.2, 0.2, 0.6, 0.6, 0.8], "load": 0.5, "y": 1.0,
                         "batch": ["b1", "b1", None, None, None]})
    seen = readings(SPACE, rows, "y", {})
    assert seen.batch.tolist() == [0, 0, 1, 1, 2] and seen.unnamed
    alone = readings(SPACE, rows.iloc[2:].drop(columns="batch").drop_duplicates(), "y", {})
    assert alone.batch.tolist() == [-1, -1] and not alone.unnamed
    rates = doe.Space([doe.Real("rpm", 200, 1000), doe.Choice("c_rate", [0.1, 1.0])])
    cell = pd.DataFrame({"rpm": 300.0, "c_rate": [0.1, 1.0], "y": 1.0})
    assert readings(rates, cell, "y", {}).batch.tolist() == [0, 0]


def test_unlabelled_cells_of_one_batch_are_no_replicates_and_that_is_said():
    """Simulated: batches scatter by 1, cells by 0.3; three cells of one batch at each setting."""
    off = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        rows = SPACE.sample(10, rng).iloc[np.repeat(np.arange(10), 3)].reset_index(drop=True)
        error = np.repeat(rng.standard_normal(10), 3) + 0.3 * rng.standard_normal(30)
        found = believed(rows.assign(y=5 * rows["load"] + error))
        mean = found.mean(rows.iloc[::3])
        off.append((mean.mean(axis=0) - 5 * rows["load"].iloc[::3]) / mean.std(axis=0))
        assert any("name no batch" in note for note in found.notes)
    assert np.sqrt(np.mean(np.square(off))) < 2.0


def test_means_of_cells_do_not_hide_the_scatter_of_their_batches():
    """Simulated: batches scatter by 2, cells by 0.3; one row a batch, with mean, sd and number."""
    told = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        rows = SPACE.sample(8, rng).iloc[np.repeat(np.arange(8), 2)].reset_index(drop=True)
        made = 2.0 * rng.standard_normal((16, 1)) + 0.3 * rng.standard_normal((16, 3))
        rows = rows.assign(y=5 * rows["load"] + made.mean(axis=1), y_n=3, y_sd=made.std(1, ddof=1))
        cell, batch = believed(rows).scatter(ENDS)
        told.append((cell[0], batch[0]))
    cell, batch = np.median(told, axis=0)
    assert 0.15 < cell < 0.6 and batch > 1.2


@pytest.mark.parametrize("n", [np.full(10, 3), np.where(np.arange(10) < 2, 20, 1)])
def test_the_mean_of_several_cells_without_sd_has_the_error_of_its_batch(n):
    """Simulated: batches scatter by 1, cells by 0.3; ten rows, means of n cells of one batch."""
    off, sd = [], []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        rows = SPACE.sample(10, rng)
        error = rng.standard_normal(10) + 0.3 * rng.standard_normal(10) / np.sqrt(n)
        found = believed(rows.assign(y=5 * rows["load"] + error, y_n=n))
        at = rows.iloc[:2]
        mean = found.mean(at)
        off.append((mean.mean(axis=0) - 5 * at["load"]) / mean.std(axis=0))
        sd.append(found.noise(at)[0])
        assert np.isnan(found.scatter(at)[1]).all() and len(found.notes) == 1
    assert np.sqrt(np.mean(np.square(off))) < 1.5
    assert 0.7 < np.median(sd) < 1.5


def test_the_mean_of_cells_of_several_batches_counts_these():
    row = pd.DataFrame({"time": [0.5], "load": 0.5, "y": 1.0, "y_sd": 2.0, "y_n": 6})
    seen = readings(SPACE, row.assign(y_batches=2), "y", {})
    assert seen.cells[0] == 2 and not seen.told_apart and seen.batch[0] == -1


class Straight:
    """A physics of a straight line that takes cells and batches to scatter by 1 each."""

    notes = ()

    def mean(self, settings):
        off = np.random.default_rng(3).normal(0.0, 0.3, surrogate.DRAWS)
        return 5.0 * settings["load"].to_numpy() + off[:, None]

    def moments(self, settings):
        return self.mean(settings), np.ones((surrogate.DRAWS, len(settings))), self.scatter(
            settings)[1]

    def scatter(self, settings):
        return np.ones(len(settings)), np.ones(len(settings))


@pytest.mark.parametrize("truth", [(0.2, 1.0), (1.0, 0.2)])
def test_the_scatter_of_cells_says_nothing_of_that_of_batches(truth):
    """Simulated: ten batches of three cells, and a physics that is wrong on one of the two."""
    told = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        rows = SPACE.sample(10, rng).iloc[np.repeat(np.arange(10), 3)].reset_index(drop=True)
        off = np.repeat(truth[1] * rng.standard_normal(10), 3) + truth[0] * rng.standard_normal(30)
        batch = np.repeat([f"b{k}" for k in range(10)], 3)
        rows = rows.assign(y=5 * rows["load"] + off, batch=batch)
        physics: Any = Straight()
        seen = readings(SPACE, rows, "y", {})
        scatter = belief._with_physics(physics, seen, SPACE, 1, {}, [])[1]
        told.append([sd[0] for sd in scatter(ENDS)])
    found = np.median(told, axis=0)
    assert (found > 0.5 * np.array(truth)).all() and (found < 2.5 * np.array(truth)).all()


def test_three_readings_that_agree_by_chance_do_not_narrow_the_whole_space():
    """Simulated: 40 random functions, read at three settings; intervals over the space."""
    held = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        a, b, c = 10.0 * rng.standard_normal(3)

        def truth(at, a=a, b=b, c=c):
            return 100.0 + a * at["load"] + b * at["time"] + c * np.sin(4.0 * at["load"])

        rows, at = SPACE.sample(3, rng), SPACE.sample(30, rng)
        mean = believed(rows.assign(y=truth(rows) + 0.5 * rng.standard_normal(3))).mean(at)
        low, high = np.quantile(mean, [0.05, 0.95], axis=0)
        held.append(np.mean((low < truth(at)) & (truth(at) < high)))
    assert np.mean(held) > 0.75


@pytest.mark.parametrize("freedom", [1.0, 3.0, np.inf])
def test_the_amplitudes_prior_is_half_student_t(freedom):
    prior = replace(PRIOR, freedom=freedom)
    drawn = np.exp(prior.sample(20_000, 2, np.random.default_rng(0))[:, AMPLITUDE])
    shape = stats.t(freedom) if np.isfinite(freedom) else stats.norm()
    for q in (0.25, 0.5, 0.9):
        edge = 1.5 * shape.ppf(0.5 + 0.5 * q)
        assert np.mean(drawn < edge) == pytest.approx(q, abs=5 * np.sqrt(q * (1 - q) / 20_000))
    theta = np.zeros((2, 8))
    theta[:, AMPLITUDE] = np.log([1.5, 6.0])
    ratio = np.subtract(*prior.log_density(theta))
    expected = np.subtract(*(shape.logpdf([1.0, 4.0]) + theta[:, AMPLITUDE]))
    assert ratio == pytest.approx(expected)
    fixed = (np.zeros((4, 2)), np.zeros(4), np.ones(4), np.zeros(4), np.zeros((4, 4)),
             np.zeros((4, 4)), np.zeros((2, 4)), np.zeros((4, 4)), *prior.arrays(2))  # fmt: skip
    told = -np.subtract(*compiled.compiled().assess(theta, *fixed))
    assert told == pytest.approx(expected, abs=1e-6)


def test_cells_of_one_setting_say_nothing_of_the_spread_over_the_space():
    rows = SPACE.sample(1, np.random.default_rng(0)).iloc[[0, 0, 0]].assign(y=[10.0, 10.01, 9.99])
    assert believed(rows).mean(ENDS).std(axis=0).min() > 0.3


def test_readings_do_not_agree_better_than_their_known_error():
    rows = SPACE.sample(4, np.random.default_rng(0)).assign(y=1.0, y_sd=2.0)
    assert belief._spread(readings(SPACE, rows, "y", {}))[0] == 2.0


@pytest.mark.parametrize(("value", "n"), [(0.1, 3), (2e-10, 1)])
def test_equal_readings_and_one_in_a_small_unit_keep_a_sensible_spread(value, n):
    rows = SPACE.sample(n, np.random.default_rng(0)).assign(y=value)
    sd = believed(rows).mean(ENDS).std(axis=0)
    assert ((sd > 1e-3 * value) & (sd < value)).all()


@pytest.mark.slow
def test_loud_cells_are_covered_and_the_reproducible_peak_is_found(monkeypatch):
    """40 data sets: 90 % intervals of the next cell at both ends, before and after."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    noise: Any = importlib.import_module("noise")
    told = []
    for seed in range(40):
        rows = noise.data_set(seed, 16, 6.0)
        told.append([[noise.measured(rows, 6.0, seed, prior)[name]
                      for name in ("coverage loud", "coverage quiet", "right peak")]
                     for prior in (noise.ONE, belief.ALONE)])  # fmt: skip
    before, after = np.mean(told, axis=0)
    assert after[0] > before[0] + 0.03
    assert abs(after[1] - 0.9) < 0.07
    assert after[2] > before[2] + 0.15


def test_lots_that_no_effect_is_learned_for_are_told():
    rows = SPACE.sample(6, np.random.default_rng(0)).assign(
        y=range(6), lot=["A", "A", "A", "B", "B", None], operator="one")
    assert any(n.startswith("lot differs") for n in believed(rows).notes)
    assert not any("differs" in n for n in believed(rows.assign(lot="A")).notes)
    assert blind_to(rows, ["lot"]) == []
