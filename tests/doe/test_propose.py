"""Suggestions: they keep rules, differ, explain themselves, and find out a wrong physics."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
from ssbayes import data, doe, models
from ssbayes.doe import belief, physics, surrogate
from ssbayes.doe.propose import estimate, propose
from ssbayes.models.engine.encode import encode

OBJECTIVE = "capacity_mAh_g"
SPACE = doe.Space(
    [
        doe.Real("rpm", 200, 1000),
        doe.Real("milling_min", 5, 300, log=True),
        doe.Choice("bead_mm", [1.75, 3.0, 5.0]),
    ],
    forbidden=["rpm >= 800 and milling_min > 20"],
)


def truth(settings):
    """Simulated: one maximum of 165 mAh/g at 500 1/min and 30 min."""
    rpm, ln_min = settings["rpm"].to_numpy(float), np.log(settings["milling_min"].to_numpy(float))
    return 165.0 * np.exp(-(((rpm - 500.0) / 500.0) ** 2) - 0.3 * (ln_min - np.log(30.0)) ** 2)


def run(n, seed=0, noise=2.0):
    """Simulated readings of random settings."""
    rng = np.random.default_rng(seed)
    rows = SPACE.sample(n, rng)
    return rows.assign(**{OBJECTIVE: truth(rows) + noise * rng.standard_normal(n)})


def ask(rows, n=4, **more):
    return propose(SPACE, rows, objective=OBJECTIVE, n=n, seed=3, **more)


@dataclass
class Told:
    """Stands in for a fitted model: draws of a law that may be right or wrong."""

    law: object
    objective: str = OBJECTIVE
    notes: list = field(default_factory=list)

    def mean(self, settings):
        z = np.random.default_rng(0).standard_normal((surrogate.DRAWS, 1))
        return self.law(settings)[None, :] + z

    def moments(self, settings):
        cell = np.full((surrogate.DRAWS, len(settings)), 2.0)
        return self.mean(settings), cell, np.full(len(settings), 1.0)

    def scatter(self, settings):
        return np.full(len(settings), 2.0), np.full(len(settings), 1.0)


@pytest.fixture
def with_law(monkeypatch):
    def install(law):
        monkeypatch.setattr(physics.Physics, "learn", lambda *_: Told(law))
        return object()

    return install


def test_suggestions_keep_the_rules_and_differ():
    proposal = ask(run(8))
    assert SPACE.feasible(proposal.settings).all()
    assert len(proposal.settings.drop_duplicates()) == 4
    codes = SPACE.encode(proposal.settings)
    apart = np.linalg.norm(codes[:, None] - codes[None], axis=-1)[np.triu_indices(4, 1)]
    assert apart.min() > 0.02


def test_suggestions_keep_away_from_what_is_pending():
    rows = run(8)
    first = ask(rows, n=1).settings
    second = ask(rows, n=1, pending=first).settings
    assert np.linalg.norm(SPACE.encode(first) - SPACE.encode(second)) > 0.02


def test_same_seed_and_kept_draws_give_the_same_suggestion():
    rows = run(8)
    first = ask(rows)
    again = propose(SPACE, rows, objective=OBJECTIVE, n=4, seed=3, kept=first.draws)
    pd.testing.assert_frame_equal(first.settings, ask(rows).settings)
    pd.testing.assert_frame_equal(first.settings, again.settings)
    pd.testing.assert_frame_equal(first.predicted, again.predicted)


def test_minimizing_the_negative_is_maximizing():
    rows = run(8)
    up = ask(rows)
    down = ask(rows.assign(**{OBJECTIVE: -rows[OBJECTIVE]}), maximize=False)
    worth = truth(down.settings).mean()
    assert worth > truth(SPACE.sample(200, np.random.default_rng(0))).mean()
    assert (down.predicted["predicted_mean"] < 0.0).all()
    assert (up.predicted["predicted_mean"] > 0.0).all()


def test_predictions_are_ordered_and_a_cell_scatters_more_than_the_mean():
    predicted = ask(run(20)).predicted
    assert list(predicted) == [
        "predicted_mean", "predicted_low", "predicted_high", "predicted_batch_sd",
        "predicted_cell_sd",
    ]  # fmt: skip
    assert (predicted["predicted_low"] < predicted["predicted_mean"]).all()
    assert (predicted["predicted_mean"] < predicted["predicted_high"]).all()
    width = (predicted["predicted_high"] - predicted["predicted_low"]) / (2 * 1.645)
    assert (predicted["predicted_cell_sd"] > width).all()


def in_batches(batches, cells, between, within, seed=0):
    """Simulated cells of batches, two batches a setting."""
    rng = np.random.default_rng(seed)
    at = np.repeat(np.arange(batches), cells)
    rows = SPACE.sample(batches, rng).iloc[at // 2].reset_index(drop=True)
    value = truth(rows) + between * rng.standard_normal(batches)[at]
    value += within * rng.standard_normal(len(at))
    return rows.assign(batch=[f"b{k}" for k in at], **{OBJECTIVE: value})


@pytest.mark.parametrize(("between", "within"), [(0.5, 6.0), (8.0, 2.0)])
def test_next_batch_and_next_cell_are_kept_apart(between, within):
    """Without physics: medians over data sets, for one data set knows its batches badly."""
    sds = []
    for seed in range(5):
        rows = in_batches(16, 4, between, within, seed)
        found = belief.believe(SPACE, rows, objective=OBJECTIVE, model=None, fixed={}, seed=1)
        cell, batch = found.scatter(rows.head(1))
        sds.append([batch[0], cell[0]])
        mean = found.mean(rows.head(3))
        next_cell, next_batch = found.spread(rows.head(3), mean)
        np.testing.assert_allclose(next_batch**2, mean.var(axis=0) + batch[0] ** 2)
        np.testing.assert_allclose(next_cell**2, next_batch**2 + cell[0] ** 2)
        np.testing.assert_allclose(found.noise(rows.head(1)), np.hypot(cell, batch))
    told_batch, told_cell = np.median(sds, axis=0)
    assert told_cell == pytest.approx(within, rel=0.3)
    assert (told_batch < 0.7 * within) if between < 1.0 else (5.0 < told_batch < 12.0)


def test_without_batches_their_scatter_is_not_made_up():
    asked = ask(run(8))
    assert asked.predicted["predicted_batch_sd"].isna().all()
    assert sum("cannot be told apart" in note for note in asked.notes) == 1
    once = run(8).assign(batch=[f"b{k}" for k in range(8)])
    assert ask(once).predicted["predicted_batch_sd"].isna().all()
    asked = ask(in_batches(5, 3, 3.0, 2.0))
    between, cell = asked.predicted["predicted_batch_sd"], asked.predicted["predicted_cell_sd"]
    wide = asked.predicted["predicted_high"] - asked.predicted["predicted_low"]
    assert (between > 0.8 * wide / (2 * 1.645)).all() and (between < cell).all()
    assert not any("cannot be told apart" in note for note in asked.notes)


def test_the_physics_tells_batches_from_cells_for_both(with_law):
    """Where data alone cannot split the scatter, it is shared out as the physics does: 4 to 1."""
    asked = belief.believe(
        SPACE, run(8), objective=OBJECTIVE, model=with_law(truth), fixed={}, seed=1
    )
    cell, batch = asked.scatter(run(2))
    np.testing.assert_allclose(cell / batch, 2.0)
    assert not any("cannot be told apart" in note for note in asked.notes)


def test_every_suggestion_says_why():
    proposal = ask(run(8))
    assert len(proposal.reason) == 4
    assert all(any(w in r for w in ("expected", "explores", "repeats")) for r in proposal.reason)
    assert any("mAh/g" in r for r in proposal.reason)


def test_a_few_rounds_come_close_to_the_optimum():
    rows = run(4, seed=1)
    rng = np.random.default_rng(2)
    for _ in range(4):
        new = ask(rows, n=3).settings
        new[OBJECTIVE] = truth(new) + 2.0 * rng.standard_normal(3)
        rows = pd.concat([rows, new], ignore_index=True)
    means = estimate(SPACE, rows, rows, objective=OBJECTIVE, seed=1).draws.mean(axis=0)
    assert truth(rows)[np.argmax(means)] > 0.97 * 165.0


def test_intervals_of_the_mean_cover_the_truth():
    at = SPACE.sample(50, np.random.default_rng(9))
    covered = []
    for seed in range(12):
        draws = estimate(SPACE, run(14, seed), at, objective=OBJECTIVE, seed=1).draws
        low, high = np.quantile(draws, [0.05, 0.95], axis=0)
        covered.append(((truth(at) > low) & (truth(at) < high)).mean())
    assert 0.8 < np.mean(covered) <= 1.0


def test_estimates_of_tried_settings_shrink_lucky_readings():
    rows = run(12, noise=12.0)
    found = estimate(SPACE, rows, rows, objective=OBJECTIVE, seed=1)
    error = np.abs(found.draws.mean(axis=0) - truth(rows)).mean()
    assert error < np.abs(rows[OBJECTIVE] - truth(rows)).mean()
    assert found.weight == 0.0


def test_repeated_readings_are_one_tried_setting():
    rows = run(5)
    doubled = pd.concat([rows, rows], ignore_index=True)
    tried = belief.believe(SPACE, doubled, objective=OBJECTIVE, model=None, fixed={}, seed=1).tried
    assert tried["readings"].tolist() == [2] * 5


def test_a_finite_space_is_exhausted_and_then_repeated():
    space = doe.Space([doe.Choice("method", ["hand", "mixer", "mill"])])
    rows = pd.DataFrame({"method": ["hand", "mixer"], OBJECTIVE: [150.0, 160.0]})
    first = propose(space, rows, objective=OBJECTIVE, n=1, seed=1)
    assert first.settings["method"].tolist() == ["mill"]
    rows = pd.DataFrame(
        {"method": ["hand", "mixer", "mill"] * 2, OBJECTIVE: [150, 160, 158, 149, 162, 161]}
    )
    again = propose(space, rows, objective=OBJECTIVE, n=2, seed=1)
    assert set(again.settings["method"]) <= {"mixer", "mill"}
    assert all(r.startswith("repeats") for r in again.reason)
    assert any("repeats of settings" in note for note in again.notes)


def test_rows_at_another_condition_or_without_reading_are_left_out():
    rows = run(6).assign(c_rate=[0.1] * 4 + [1.0, 0.1])
    rows.loc[5, OBJECTIVE] = np.nan
    seen = belief.readings(SPACE, rows, OBJECTIVE, {"c_rate": 0.1})
    assert seen.settings.index.tolist() == [0, 1, 2, 3]


def test_nothing_known_is_an_error_that_names_the_mend():
    with pytest.raises(doe.DoeError, match="no row has a reading of capacity_mAh_g"):
        ask(run(3).assign(**{OBJECTIVE: np.nan}))


def test_right_physics_leads_and_is_nearly_as_good_without_readings_nearby(with_law):
    rows = run(6)
    proposal = ask(rows, n=1, model=with_law(truth))
    assert proposal.weight > 0.8
    assert truth(proposal.settings)[0] > 0.98 * 165.0
    assert "better than a model-free fit" in " ".join(proposal.notes)


def test_wrong_physics_is_found_out_and_said_so(with_law):
    def elsewhere(settings):
        rpm, minutes = settings["rpm"].to_numpy(float), settings["milling_min"].to_numpy(float)
        return 165.0 - 60.0 * np.sin(6.0 * rpm / 800.0) * np.cos(2.0 * np.log(minutes))

    proposal = ask(run(25), model=with_law(elsewhere))
    assert proposal.weight < 0.8 * belief.BELIEVED
    assert not any("better than a model-free" in note for note in proposal.notes)
    assert any("multiply" in note for note in proposal.notes)
    assert truth(proposal.settings).max() > 0.95 * 165.0


def test_physics_whose_contrasts_are_too_large_is_scaled_and_said_so(with_law):
    def exaggerated(settings):
        return 165.0 + 3.0 * (truth(settings) - 165.0)

    proposal = ask(run(15), n=1, model=with_law(exaggerated))
    assert truth(proposal.settings)[0] > 0.97 * 165.0
    assert any("multiply" in note for note in proposal.notes)


def test_the_discrepancy_repairs_physics_that_is_off_somewhere(with_law):
    def tilted(settings):
        return truth(settings) + 0.05 * (settings["rpm"].to_numpy(float) - 600.0)

    rows = run(25, seed=4)
    model, at = with_law(tilted), SPACE.sample(100, np.random.default_rng(1))
    draws = estimate(SPACE, rows, at, objective=OBJECTIVE, model=model, seed=1).draws
    repaired = np.abs(draws.mean(axis=0) - truth(at)).mean()
    assert repaired < 0.6 * np.abs(tilted(at) - truth(at)).mean()


def test_without_readings_the_physics_speaks_alone(with_law):
    rows = run(2).iloc[:0]
    proposal = ask(rows, n=3, model=with_law(truth))
    assert proposal.weight == 1.0
    assert len(proposal.settings.drop_duplicates()) == 3
    assert truth(proposal.settings)[0] > 0.95 * 165.0
    assert all("no reading" in r for r in proposal.reason)


def test_each_hypothesis_keeps_its_least_share():
    rng = np.random.default_rng(0)
    worse, better = np.full(30, -9.0), np.full(30, -1.0)
    assert belief.share(better, worse, rng) == pytest.approx(1.0 - belief.LEAST)
    assert belief.share(worse, better, rng) == pytest.approx(belief.LEAST)
    assert belief.share(better, better, rng) == pytest.approx(belief.BELIEVED)


def test_one_reading_does_not_decide_the_weight():
    """Spread over ten readings, the same evidence against the physics weighs more."""
    rng, none = np.random.default_rng(0), np.zeros(10)
    one = np.append(np.full(9, 0.0), -4.0)
    assert belief.share(none - 0.4, none, rng) < belief.share(one, none, rng) < belief.BELIEVED
    huge = np.append(np.full(9, 0.0), -400.0)
    assert belief.share(huge, none, rng) == pytest.approx(belief.share(one, none, rng), abs=0.03)


def test_the_verdict_is_in_words():
    for weight, words in ((0.1, "worse"), (0.5, "equally"), (0.9, "better")):
        assert words in belief._verdict(weight, 8)


def test_a_campaign_without_physics_runs_on_these_suggestions():
    """Simulated: 12 readings in three batches; the best of all settings gives 165."""
    found = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        campaign = doe.Campaign(SPACE, maximize=OBJECTIVE, seed=1 + seed)
        for _ in range(3):
            asked = campaign.suggest(4)
            done = asked[["suggestion", *SPACE.names]].copy()
            done[OBJECTIVE] = truth(asked) + 2.0 * rng.standard_normal(4)
            campaign.record(done)
        found.append(truth(campaign.best().to_frame().T)[0] / 165.0)
        assert SPACE.feasible(campaign.suggest(2)).all()
    assert np.mean(found) > 0.88


def test_draws_of_another_version_of_the_model_are_not_used(monkeypatch):
    class Fitted:
        convergence = type("Convergence", (), {"sentences": []})

        def response(self, objective):
            return objective

    class Model:
        groups = outcomes = ()

        def fit(self, *_, **__):
            return Fitted()

    def restored(model, table, statements, kept):
        if "posterior:new" not in kept:
            raise KeyError("the draws hold no 'new'")
        return Fitted()

    monkeypatch.setattr(physics, "_restored", restored)
    monkeypatch.setattr(physics, "_thinned", lambda fit: {"posterior:new": np.zeros(3)})
    kept = {"posterior:old": np.zeros(3), "theta_physics": np.zeros(3)}
    told = physics.Physics.learn(Model(), run(3), SPACE, OBJECTIVE, {}, 1, {}, kept)
    assert "another version of the model" in told.notes[0]
    assert set(kept) == {"posterior:new"}


def test_results_that_do_not_say_their_kind_are_taken_as_the_literatures_and_that_is_said():
    model, printed = models.get("capacity"), data.load("frankenberg2025_milling")
    own = pd.DataFrame({"mill": "Pulverisette 7", "rpm": [400.0, 700.0], "milling_min": 15.0,
                        "bead_mm": 5.0, "filling": 0.5, "c_rate": 0.1,
                        "capacity_mAh_g": [150.0, 151.0]})
    rows = pd.concat([printed, own], ignore_index=True)
    with pytest.raises(ValueError, match="unlike capacity_basis"):
        encode(rows, model)
    table, notes = physics.comparable(rows, model)
    assert len(encode(table, model).columns["capacity_mAh_g__row"]) == 4 + 2
    assert len(notes) == 1 and "(2) are taken as the others: capacity_basis gross" in notes[0]
    assert "window 2.2-3.7 V vs In/InLi" in notes[0]
    assert rows["capacity_basis"].iloc[-1] is None or pd.isna(rows["capacity_basis"].iloc[-1])
    assert physics.comparable(own, model)[1] == physics.comparable(printed, model)[1] == []
    mixed = rows.assign(charge_mode=[*printed["charge_mode"], "CCCV", "CCCV"])
    with pytest.raises(doe.CampaignError, match=r"CC \(4\), CCCV \(2\).*withdraw"):
        physics.comparable(mixed, model)
