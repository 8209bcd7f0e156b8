"""Failed processes teach where not to go; failed assays do not."""

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from ssbayes import doe
from ssbayes.doe import asking, failures
from ssbayes.doe.propose import propose

SPACE = doe.Space([doe.Real("rpm", 0 + 200, 1000), doe.Real("milling_min", 5, 60)])


def rows(n, seed, lost=lambda t: t["rpm"] > 700):
    table = SPACE.sample(n, np.random.default_rng(seed))
    bad = lost(table).to_numpy()
    return table.assign(
        kind="simulated", status=np.where(bad, "failed", "done"),
        reason=np.where(bad, "caked", None), capacity_mAh_g=np.where(bad, np.nan, 150.0))


def test_nothing_failed_means_nothing_to_learn():
    assert failures.learn(SPACE, rows(10, 1, lambda t: t["rpm"] > 2000)) is None
    assert failures.learn(SPACE, SPACE.sample(3, np.random.default_rng(0))) is None


def test_settings_beyond_an_edge_are_found_doubtful_and_others_are_not():
    works = failures.learn(SPACE, rows(40, 2))
    assert works is not None
    fresh = SPACE.sample(400, np.random.default_rng(9))
    chance = works(fresh)
    bad = (fresh["rpm"] > 760).to_numpy()
    good = (fresh["rpm"] < 640).to_numpy()
    assert np.median(chance[bad]) < 0.25 and np.median(chance[good]) > 0.85
    assert ((chance > 0.0) & (chance < 1.0)).all()


def test_one_failure_lowers_the_chance_near_it_more_than_far_away():
    one = pd.DataFrame([{"rpm": 900.0, "milling_min": 50.0, "status": "failed", "reason": "stuck"}])
    works = failures.learn(SPACE, one)
    assert works is not None
    near, far = works(pd.DataFrame({"rpm": [900.0, 250.0], "milling_min": [50.0, 8.0]}))
    assert near < 0.6 < far < 0.95


def test_a_failed_assay_says_nothing():
    table = rows(20, 3).assign(failure=None)
    table.loc[table["status"] == "failed", "failure"] = "assay"
    assert failures.learn(SPACE, table) is None


def test_rows_of_one_cell_failed_once():
    one = pd.DataFrame([{"rpm": 900.0, "milling_min": 50.0, "cell": "a", "status": "failed",
                         "reason": "stuck"}])
    works = failures.learn(SPACE, pd.concat([one] * 5, ignore_index=True))
    assert works is not None and works.failed == 1


def test_the_samples_of_a_run_that_caked_are_one_failure_in_all():
    hot = doe.Real("anneal_degC", 100, 500, hard=True)
    space = doe.Space([hot, doe.Real("milling_min", 5, 60)])

    def caked(minutes, run):
        return pd.DataFrame({"anneal_degC": 450.0, "milling_min": minutes, "run": run,
                             "cell": [str(m) for m in minutes], "status": "failed"})

    asked = pd.DataFrame({"anneal_degC": [450.0], "milling_min": [30.0]})
    one, run, apart = (failures.learn(space, table) for table in (
        caked([30.0], "r1"), caked([28.0, 29.0, 31.0, 32.0], "r1"),
        caked([28.0, 29.0, 31.0, 32.0], ["r1", "r2", "r3", "r4"])))
    assert one is not None and run is not None and apart is not None
    assert (one.failed, run.failed, apart.failed) == (1, 1, 4)
    assert run(asked) == pytest.approx(one(asked), abs=0.02)
    assert apart(asked)[0] < run(asked)[0] - 0.1


def test_the_approximation_is_close_to_the_exact_posterior_of_one_logit():
    # one setting, tried six times: the logit is normal times binomial, integrated on a grid
    table = pd.DataFrame({"rpm": 600.0, "milling_min": 30.0, "cell": list("abcdef"),
                          "status": ["failed"] * 2 + ["done"] * 4, "reason": "x"})
    works = failures.learn(SPACE, table)
    assert works is not None
    middle = np.log(failures.BEFORE / (1 - failures.BEFORE))
    z = np.linspace(-15, 15, 4001)
    p = expit(middle + z)
    weight = np.exp(-0.5 * (z / failures.AMPLITUDE) ** 2) * p**4 * (1 - p) ** 2
    exact = (p * weight).sum() / weight.sum()
    assert works(table.iloc[[0]])[0] == pytest.approx(exact, abs=0.03)


def test_cells_of_one_batch_that_worked_are_one_success():
    row = {"rpm": 600.0, "milling_min": 30.0, "status": "done"}
    bad = {"rpm": 900.0, "milling_min": 30.0, "status": "failed", "batch": "b0"}
    several = [row | {"batch": "b1", "cell": c} for c in "abcd"]
    works = failures.learn(SPACE, pd.DataFrame([bad, *several]))
    assert works is not None and (works.worked, works.failed) == (1, 1)


class TestCampaign:
    def test_suggestions_and_the_optimum_leave_where_the_process_fails(self, monkeypatch):
        made = doe.Campaign(SPACE, maximize="capacity_mAh_g", seed=5)
        table = SPACE.sample(40, np.random.default_rng(4))
        bad = (table["rpm"] > 700).to_numpy()
        value = 100.0 + 0.1 * table["rpm"]
        made.record(table.assign(
            kind="simulated", capacity_mAh_g=np.where(bad, np.nan, value),
            status=np.where(bad, "failed", "done"), reason=np.where(bad, "caked", None)))
        asked = made.suggest(3)
        assert (asked["rpm"] < 850).all()
        assert any("failed" in note for note in asked.attrs["notes"])
        # the mean rises on beyond the edge, where nobody will read it
        works = failures.learn(SPACE, made.results())
        best = made.best(over="space")
        assert works is not None
        assert works(pd.DataFrame([best[SPACE.names]]).astype(float))[0] >= failures.LEAST
        near = made.progress(within=10.0).table["value"].iloc[1]
        monkeypatch.setattr(failures, "learn", lambda *_: None)
        assert near > made.progress(within=10.0).table["value"].iloc[1]

    def test_only_a_failed_assay_may_be_tried_again(self):
        made = doe.Campaign(
            doe.Space([doe.Choice("bead_mm", [1.0, 2.0, 3.0])]), maximize="capacity_mAh_g")
        made.record([{"bead_mm": b, "capacity_mAh_g": 100.0 + b} for b in (1.0, 2.0)])
        asked = made.suggest(3)
        name = asked.set_index("bead_mm").loc[3.0, "suggestion"]
        keep_away = []
        for failure in ("assay", "process"):
            made.record({"suggestion": name, "status": "failed", "failure": failure,
                         "reason": "cell shorted"})
            state = made._log.state()
            away = asking.pending(made.declaration, state)["bead_mm"]
            keep_away.append(3.0 in set(away))
        assert keep_away == [False, True]

    def test_a_setting_that_failed_is_nothing_to_improve_on(self):
        """It looked best, it cakes, and it will never be read: the next best is gone for."""
        space = doe.Space([doe.Integer("n", 1, 12, unit="1")])
        rows = pd.DataFrame({"n": [1, 2, 3, 4, 5, 6], "y": [10.0, 20.0, 30.0, 40.0, 50.0, 60.0]})

        def works(settings):
            return np.where(settings["n"] > 10, 0.1, 1.0)

        lost = pd.DataFrame({"n": [11, 12]})
        told = propose(space, rows, objective="y", seed=1, success=works, pending=lost, lost=lost)
        assert told.settings["n"].tolist() == [10] and "highest expected" in told.reason[0]

    def test_what_failed_or_was_dropped_is_told_from_what_waits(self):
        made = doe.Campaign(SPACE, maximize="capacity_mAh_g", seed=3)
        names = made.suggest(4)["suggestion"]
        made.record({"suggestion": names[0], "status": "failed", "reason": "caked"})
        made.drop(names[1])
        state = made._log.state()
        lost = asking.lost(made.declaration, state)
        assert (len(asking.pending(made.declaration, state)), len(lost)) == (4, 2)
        assert set(lost["rpm"]) == set(state.suggestions.loc[names[:2], "rpm"])

    def test_a_dropped_suggestion_is_nothing_to_improve_on(self):
        """The most promising setting will not be made: the next best is gone for."""
        made = doe.Campaign(doe.Space([doe.Integer("n", 1, 12, unit="1")]), maximize="y", unit="1")
        made.record([{"n": n, "y": 10.0 * n, "kind": "simulated"} for n in range(1, 7)])
        names = made.suggest(1)["suggestion"]
        assert made.suggestions()["n"].tolist() == [12]
        made.drop(names)
        asked = made.suggest(1)
        assert asked["n"].tolist() == [11] and "highest expected" in asked["reason"].iloc[0]


@pytest.mark.usefixtures("calls")
class TestAnswers:
    MIDDLE: ClassVar[dict[str, float]] = {"rpm": 600.0, "milling_min": 32.5}
    EDGE: ClassVar[dict[str, float]] = {"rpm": 200.0, "milling_min": 5.0}

    def played(self, *failed):
        made = doe.Campaign(SPACE, maximize="capacity_mAh_g")
        made.record([{**self.MIDDLE, "cell": "a", "capacity_mAh_g": 150.0},
                     {**self.EDGE, "cell": "b", "capacity_mAh_g": 120.0}])
        if failed:
            made.record([{"status": "failed", "reason": "caked"} | row for row in failed])
        return made

    def test_without_a_failed_process_nothing_is_said(self):
        for made in (self.played(), self.played({**self.MIDDLE, "cell": "c", "failure": "assay"})):
            assert "p_works" not in made.rank().table and "p_works" not in made.best()
            assert "fail" not in made.rank().sentence + made.best().attrs["sentence"]

    def test_a_recommended_setting_that_failed_before_says_how_often(self):
        made = self.played({**self.MIDDLE, "cell": "c"}, {**self.MIDDLE, "cell": "d"})
        works = failures.learn(SPACE, made.results())
        table, best = made.rank().table, made.best()
        assert works is not None
        np.testing.assert_allclose(table["p_works"], works(table[SPACE.names]))
        assert best["rpm"] == 600.0 and best["p_works"] == table["p_works"].iloc[0] < 0.9
        said = "the process failed in 2 of 3 experiments, P(the process does not fail) "
        assert f"There: {said}{best['p_works']:.2f}." in best.attrs["sentence"]
        assert f"At 600 rpm, 32.5 milling_min: {said}" in made.rank().sentence

    def test_one_whose_neighbour_failed_says_how_likely_it_works(self):
        made = self.played({"rpm": 620.0, "milling_min": 33.0}, {"rpm": 580.0, "milling_min": 32.0})
        assert made.best()["p_works"] < 0.9
        assert "There: P(the process does not fail) 0." in made.best().attrs["sentence"]

    def test_one_far_from_every_failure_says_nothing(self):
        made = self.played({"rpm": 1000.0, "milling_min": 60.0})
        made.record([{**self.MIDDLE, "cell": c, "capacity_mAh_g": 150.0} for c in "efghijkl"])
        assert made.best()["p_works"] > 0.9
        assert "fail" not in made.best().attrs["sentence"] + made.rank().sentence
        over = made.best(over="space")
        assert 0.5 <= over["p_works"] <= 1.0

    def test_a_composition_within_its_grain_of_the_plan_is_the_setting_that_failed(self):
        one = pd.DataFrame([{**self.MIDDLE, "status": "failed", "cell": "a"},
                            {**self.MIDDLE, "rpm": 600.0 + 1e-10, "status": "failed", "cell": "b"},
                            {**self.EDGE, "status": "done", "cell": "c"}])
        told = failures.record(SPACE, one, pd.DataFrame([self.MIDDLE, self.EDGE]))
        assert told is not None
        assert (told.failed.tolist(), told.made.tolist()) == ([2, 0], [2, 1])


@pytest.mark.parametrize(("failed", "worked"), [(3, 1), (6, 4), (30, 1)])
def test_a_setting_that_failed_often_and_worked_once_is_not_given_up(failed, worked):
    """The chance of one setting tried so often, against the integral over its logit."""
    one = pd.DataFrame({"rpm": 900.0, "milling_min": 50.0, "batch": np.arange(failed + worked)})
    one["status"] = np.where(one["batch"] < failed, "failed", "done")
    works = failures.learn(SPACE, one)
    assert works is not None and (works.failed, works.worked) == (failed, worked)
    logit = np.linspace(-20.0, 20.0, 4001)
    p = expit(logit)
    middle = np.log(failures.BEFORE / (1.0 - failures.BEFORE))
    weight = p**worked * (1.0 - p) ** failed * np.exp(
        -0.5 * ((logit - middle) / failures.AMPLITUDE) ** 2)
    assert works(one.head(1))[0] == pytest.approx(p @ weight / weight.sum(), abs=0.03)


def test_the_mode_is_found_wherever_failures_lie():
    rng = np.random.default_rng(0)
    for _ in range(60):
        at = rng.random((int(rng.integers(5, 40)), int(rng.integers(1, 5))))
        y = np.where(at[:, 0] + 0.2 * rng.standard_normal(len(at)) > 0.6, 1.0, -1.0)
        k = failures._kernel(at, at)
        slope = failures._laplace(k, y, np.ones(len(y)))[0]
        middle = np.log(failures.BEFORE / (1.0 - failures.BEFORE))
        np.testing.assert_allclose(slope, (y + 1) / 2 - expit(middle + k @ slope), atol=1e-6)
