"""Split plots: the run is a random effect, exactly; cells of one run are no replicates."""

# pyright: reportCallIssue=false, reportArgumentType=false, reportAttributeAccessIssue=false
# pyright: reportGeneralTypeIssues=false, reportIndexIssue=false, reportOperatorIssue=false
# pyright: reportReturnType=false, reportOptionalMemberAccess=false

import importlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from scipy.stats import t as student
from ssbayes import doe
from ssbayes.doe import belief, mixed, split_rows

ROOT = Path(__file__).parents[2]


def rows_of(runs=6, cells=4, effect=3.0, run_sd=1.0, cell_sd=0.5, seed=0):
    rng = np.random.default_rng(seed)
    run = np.repeat(np.arange(runs), cells)
    minutes = np.tile(np.linspace(5.0, 30.0, cells), runs)
    y = 100.0 + effect * (run % 2) + 0.1 * minutes
    y = y + run_sd * rng.standard_normal(runs)[run] + cell_sd * rng.standard_normal(len(run))
    return pd.DataFrame({
        "kind": "simulated", "run": [f"r{k}" for k in run], "minutes": minutes, "y": y,
        "method": np.where(run % 2, "mill", "hand")})


def dense(x, y, group, weight, between, within, precision):
    """Log marginal likelihood, mean and covariance of coefficients with the full covariance."""
    v = np.diag(within**2 / weight) + between**2 * (group[:, None] == group)
    inverse = np.linalg.inv(v)
    a = x.T @ inverse @ x + np.diag(precision)
    mean = np.linalg.solve(a, x.T @ inverse @ y)
    fit = y @ inverse @ y - mean @ a @ mean
    log_p = -0.5 * (np.linalg.slogdet(v)[1] + np.linalg.slogdet(a)[1] + fit)
    return log_p, mean, np.linalg.inv(a)


class TestMixed:
    def data(self):
        rng = np.random.default_rng(3)
        group = np.array([0, 0, 0, 1, 1, 2, 3, 3, 3, 3])
        weight = np.array([1.0, 2, 1, 1, 3, 1, 1, 1, 1, 2])
        x = np.column_stack([np.ones(10), rng.standard_normal((10, 2))])
        y = 50.0 + rng.normal(0, 2, 4)[group] + rng.standard_normal(10)
        return x, y, group, weight

    @pytest.mark.parametrize("precision", [[0.0, 0, 0], [0.0, 0, 0.3]])
    def test_agrees_with_the_full_covariance_on_a_dense_grid(self, precision):
        x, y, group, weight = self.data()
        precision = np.array(precision)
        found = mixed.fit(x, y, group, 2.0, 1.5, weight, precision)
        sds = [np.linspace(1e-3, 12.0, 160), np.linspace(0.15, 8.0, 160)]
        at = [dense(x, y, group, weight, a, b, precision) for a in sds[0] for b in sds[1]]
        a, b = (m.ravel() for m in np.meshgrid(*sds, indexing="ij"))
        log_p = np.array([r[0] for r in at]) - 0.5 * ((a / 2.0) ** 2 + (b / 1.5) ** 2)
        share = np.exp(log_p - log_p.max())
        share /= share.sum()
        for k in range(3):
            centre = np.array([r[1][k] for r in at])
            sd = np.sqrt([r[2][k, k] for r in at])
            low, high = found.interval(np.eye(3)[k], 0.9)
            assert low == pytest.approx(mixed.quantile(share, centre, sd, 0.05), abs=0.01)
            assert high == pytest.approx(mixed.quantile(share, centre, sd, 0.95), abs=0.01)
        assert found.weight @ found.between == pytest.approx(share @ a, rel=0.01)

    def test_evidence_is_the_average_of_the_likelihood_over_the_priors(self):
        x, y, group, weight = self.data()
        rng = np.random.default_rng(0)

        def brute(columns, precision):
            a, b = 2.0 * np.abs(rng.standard_normal(4000)), 1.5 * np.abs(rng.standard_normal(4000))
            log_p = np.array([
                dense(columns, y, group, weight, s, t, precision)[0]
                for s, t in zip(a, b, strict=True)])
            proper = 0.5 * np.log(precision[precision > 0]).sum()
            return np.log(np.mean(np.exp(log_p - log_p.max()))) + log_p.max() + proper

        full, part = np.array([0.0, 0.3]), np.array([0.0])
        ours = (mixed.fit(x[:, :2], y, group, 2.0, 1.5, weight, full).log_evidence
                - mixed.fit(x[:, :1], y, group, 2.0, 1.5, weight, part).log_evidence)
        assert ours == pytest.approx(brute(x[:, :2], full) - brute(x[:, :1], part), abs=0.1)

    def test_units_do_not_matter(self):
        x, y, group, weight = self.data()
        one = mixed.fit(x, y, group, 2.0, 1.5, weight).interval(np.eye(3)[1], 0.9)
        other = mixed.fit(x * [1, 1e4, 1], 1e-3 * y, group, 2e-3, 1.5e-3, weight)
        assert np.array(other.interval(np.eye(3)[1], 0.9)) == pytest.approx(
            1e-7 * np.array(one), rel=1e-4)

    def test_quantile_of_one_normal(self):
        assert mixed.quantile(np.ones(1), np.array([2.0]), np.array([3.0]), 0.95) == (
            pytest.approx(norm.ppf(0.95, 2.0, 3.0), abs=1e-9))


class TestLimits:
    def test_without_scatter_of_runs_it_is_the_ordinary_analysis(self):
        rows = rows_of(runs=12, run_sd=0.0, seed=1)
        found = doe.split_plot(
            rows, "y", hard=["method"], easy=["minutes"], run_sd=1e-4, cell_sd=50.0).table
        for row in found.to_dict("records"):
            assert row["mean"] == pytest.approx(row["naive_mean"], abs=1e-3)
            assert row["high"] - row["low"] == pytest.approx(
                row["naive_high"] - row["naive_low"], rel=0.06)

    def test_with_many_runs_it_is_the_t_test_of_their_means(self):
        rows = rows_of(runs=40, run_sd=2.0, seed=2)
        found = doe.split_plot(rows, "y", hard=["method"], run_sd=500.0, cell_sd=50.0).table.iloc[0]
        means = rows.groupby("run", sort=False)["y"].mean().to_numpy()
        a, b = means[::2], means[1::2]
        half = student.ppf(0.95, 38) * np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 20)
        assert found["mean"] == pytest.approx(b.mean() - a.mean(), abs=1e-6)
        assert found["high"] - found["low"] == pytest.approx(2 * half, rel=0.04)

    def test_more_cells_do_not_narrow_what_only_runs_tell(self):
        few, many = (doe.split_plot(rows_of(cells=c, run_sd=2.0), "y", hard=["method"],
                                    run_sd=2.0, cell_sd=0.5).table.iloc[0] for c in (2, 40))
        assert many["units"] == few["units"] == "6 runs"
        assert many["high"] - many["low"] > 0.6 * (few["high"] - few["low"])
        assert many["naive_high"] - many["naive_low"] < 0.4 * (
            few["naive_high"] - few["naive_low"])

    def test_easy_factors_are_free_of_the_scatter_of_runs(self):
        width = []
        for run_sd in (0.1, 30.0):
            rows = rows_of(run_sd=run_sd, seed=4)
            row = doe.split_plot(rows, "y", hard=["method"], easy=["minutes"],
                                 run_sd=30.0, cell_sd=0.5).table.iloc[1]
            assert row["varies"] == "within runs"
            width.append(row["high"] - row["low"])
        assert width[1] == pytest.approx(width[0], rel=0.1)

    def test_mean_next_run_and_next_cell_are_kept_apart(self):
        found = doe.split_plot(rows_of(), "y", hard=["method"], easy=["minutes"])
        told = found.predict({"method": ["hand", "mill"], "minutes": [10.0, 20.0]})
        for row in told.to_dict("records"):
            assert row["cell_low"] < row["run_low"] < row["mean_low"] < row["mean"]
            assert row["mean"] < row["mean_high"] < row["run_high"] < row["cell_high"]

    def test_two_runs_are_told_to_rest_on_the_prior(self):
        rows = rows_of(runs=2)
        found = [doe.split_plot(rows, "y", hard=["method"], run_sd=s, cell_sd=0.5)
                 for s in (1.0, 4.0)]
        assert "prior" in found[0].notes[0] and "alone" in found[0].notes[0]
        widths = [f.table["high"].iloc[0] - f.table["low"].iloc[0] for f in found]
        assert widths[1] == pytest.approx(4.0 * widths[0], rel=0.1)

    def test_readings_of_one_cell_are_no_replicates(self):
        rows = rows_of().assign(cell=lambda t: [f"c{k}" for k in range(len(t))])
        twice = pd.concat([rows, rows], ignore_index=True)
        one, two = (doe.split_plot(t, "y", hard=["method"]) for t in (rows, twice))
        assert two.cells == one.cells
        pd.testing.assert_frame_equal(one.table, two.table)
        assert any("averaged" in n for n in two.notes)

    def test_a_mean_of_cells_counts_as_so_many(self):
        rows = rows_of(cells=1, cell_sd=2.0, run_sd=0.2)
        one, nine = (doe.split_plot(rows.assign(y_n=n), "y", hard=["method"], run_sd=0.2,
                                    cell_sd=6.0) for n in (1, 9))
        assert nine.scatter.at["cell", "median"] > 2.0 * one.scatter.at["cell", "median"]


def test_intervals_hold_the_truth_as_often_as_they_say_and_the_naive_ones_do_not():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        bench = importlib.import_module("split_plots")
    finally:
        sys.path.pop(0)
    rng = np.random.default_rng(7)
    drawn = np.abs(rng.standard_normal((200, 2))) * (1.0, 0.5)
    results = [bench.covered(3, a, b, (1.0, 0.5), rng) for a, b in drawn]
    assert 0.83 <= np.mean([r[0] for r in results]) <= 0.955  # 99.8 % band of 200 at 0.9
    fixed = [bench.covered(3, 1.0, 0.5, (1.0, 0.5), rng) for _ in range(150)]
    assert np.mean([r[1] for r in fixed]) < 0.72


class TestModelFreeCampaigns:
    """The Gaussian process of a campaign without physics takes a run as one batch."""

    SPACE = doe.Space([doe.Choice("anneal_degC", [500.0, 700.0], hard=True),
                       doe.Real("milling_min", 5, 30)], per_run=4)

    def rows(self, run_sd, seed, cells=20):
        rng = np.random.default_rng(seed)
        run = np.repeat(np.arange(6), cells)
        minutes = np.tile(np.linspace(5.0, 30.0, cells), 6)
        y = 150.0 + 10.0 * (run % 2) + run_sd * rng.standard_normal(6)[run]
        y = y + rng.standard_normal(len(run))
        y = y - 20.0 * ((minutes - 18.0) / 12.5) ** 2
        return pd.DataFrame({
            "anneal_degC": np.where(run % 2, 700.0, 500.0),
            "milling_min": minutes, "capacity_mAh_g": y,
            "run": [f"r{k}" for k in run], "batch": [f"b{k}" for k in range(len(run))]})

    def width(self, rows):
        found = belief.believe(self.SPACE, rows, objective="capacity_mAh_g", model=None, fixed={},
                               seed=1)
        pair = pd.DataFrame({"anneal_degC": [500.0, 700.0], "milling_min": [15.0, 15.0]})
        draws = found.mean(pair)
        low, high = np.quantile(draws[:, 1] - draws[:, 0], [0.05, 0.95])
        return high - low

    def test_effect_of_a_whole_plot_factor_is_less_sure_than_with_cells_as_replicates(self):
        # many cells: what is unsure of the temperature is the furnace, not the cells
        ratios = []
        for seed in range(5):
            rows = self.rows(8.0, seed)
            ratios.append(self.width(rows) / self.width(rows.drop(columns="run")))
        assert np.median(ratios) > 1.3

    def test_recorded_suggestions_of_one_run_share_its_label(self):
        campaign = doe.Campaign(self.SPACE, maximize="capacity_mAh_g", seed=1)
        table = campaign.suggest(8)
        told = campaign.record(table[["suggestion"]].assign(
            kind="simulated", capacity_mAh_g=np.arange(8.0) + 150.0))
        assert told["run"].nunique() == 2
        assert (told.groupby("run")["anneal_degC"].nunique() == 1).all()


class TestBadInput:
    def test_a_hard_factor_that_differs_within_a_run_is_named(self):
        rows = rows_of()
        rows.loc[1, "method"] = "mill"
        with pytest.raises(doe.CampaignError, match=r"run 'r0' has more than one method .*easy"):
            doe.split_plot(rows, "y", hard=["method"])

    def test_confounded_effects_are_named(self):
        rows = rows_of().assign(jar=lambda t: t["method"])
        with pytest.raises(doe.CampaignError, match="method, jar cannot be told apart"):
            doe.split_plot(rows, "y", hard=["method", "jar"])

    def test_a_missing_run_label(self):
        rows = rows_of()
        rows.loc[3, "run"] = None
        with pytest.raises(doe.CampaignError, match="run is empty in row 3"):
            doe.split_plot(rows, "y", hard=["method"])

    @pytest.mark.parametrize(("given", "said"), [
        ({"hard": ["methode"]}, "did you mean 'method'"),
        ({"hard": []}, "needs factors"),
        ({"hard": ["method"], "easy": ["method"]}, "name it once"),
        ({"hard": ["method"], "run_sd": -1.0}, "run_sd=-1.0 must be above 0"),
        ({"hard": ["kind"]}, "no effect to be seen"),
    ])
    def test_other_mistakes(self, given, said):
        with pytest.raises(doe.CampaignError, match=said):
            doe.split_plot(rows_of(), "y", **given)


@pytest.mark.parametrize("groups", [3, 4, 8])
def test_a_prior_far_wider_than_the_readings_costs_no_digits(groups):
    """Three orders or five of it: nearly flat either way, and so the same interval."""
    code = np.repeat(np.arange(groups), 3)
    rng = np.random.default_rng(0)
    y = 10.0 + rng.standard_normal(groups)[code] + 0.3 * rng.standard_normal(len(code))
    one = np.ones((len(y), 1))
    found = [mixed.fit(one, y, code, wide, wide) for wide in (1e3, 1e5)]
    ends = [f.interval(np.ones(1), 0.9) for f in found]
    np.testing.assert_allclose(ends[0], ends[1], atol=0.02 * (ends[1][1] - ends[1][0]))
    # the prior of each scatter is a hundred times as thin where the readings are
    fall = found[0].log_evidence - found[1].log_evidence
    assert fall == pytest.approx(2.0 * np.log(100.0), abs=0.05)


@pytest.mark.parametrize(("given", "said"), [
    ({"run_sd": 2e-3, "cell_sd": 1.0}, "run_sd=0.002, but"),
    ({"run_sd": 2.0, "cell_sd": 1e-3}, "cell_sd=0.001, but"),
    ({"run_sd": 2.0, "cell_sd": 1.0}, ""), ({}, ""),
])
def test_a_scale_in_another_unit_is_doubted(given, said):
    rows = rows_of(runs=8, run_sd=2.0, cell_sd=1.0)
    notes = doe.split_plot(rows, "y", hard=["method"], **given).notes
    doubts = [n for n in notes if "slip of unit" in n]
    assert len(doubts) == bool(said) and "".join(doubts).startswith(said)


def test_a_bound_is_no_reading():
    rows = pd.DataFrame(
        {"run": ["a", "a", "b"], "y": [1.0, 9.0, 2.0], "y_censored": [None, "<", ""]})
    found = split_rows.readings_of(rows, "y", ["run"])
    assert found["_value"].tolist() == [1.0, 2.0]
