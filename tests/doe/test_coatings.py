"""Which coating is best: order, ties, shortlist, break-even noise, one more cell."""

import inspect
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ssbayes import data, doe, models
from ssbayes.doe import coatings
from ssbayes.doe.coating_evidence import Evidence, score
from ssbayes.doe.coating_noise import p_all_before, p_holds_smallest

BY_K = ["Coating-06", "Coating-03", "Coating-02", "Coating-01", "bare", "Coating-04", "Coating-05"]
BY_END = ["Coating-03", "Coating-06", "Coating-02", "bare", "Coating-01", "Coating-05",
          "Coating-04"]
WORST = ["Coating-04", "Coating-05"]


def table():
    return data.load("kissel2025_coatings")


def values(k, end=None, cells=1):
    """Values of coatings a, b, ... in the form that `coatings.printed` returns."""
    names = pd.Index(list("abcdefgh")[: len(k)], name="coating")
    frame = pd.DataFrame({"growth": k, "growth_cells": cells}, index=names)
    return frame if end is None else frame.assign(end_resistance=end, end_resistance_cells=cells)


@pytest.fixture(scope="module")
def evidence():
    return coatings.assumed(table(), 0.2)


# --- what the published table supports


def test_the_orders_are_those_of_the_printed_numbers(evidence):
    seen: Any = coatings.printed(table())
    assert seen["growth"].sort_values().index.tolist() == BY_K
    assert seen["end_resistance"].sort_values().index.tolist() == BY_END
    assert (seen[["growth_cells", "end_resistance_cells"]] == 1).all(axis=None)
    assert coatings.rank(evidence, "growth").table.index.tolist() == BY_K
    assert coatings.order(evidence, "end_resistance").table["order"].iloc[0] == " < ".join(BY_END)


@pytest.mark.parametrize("sd", [0.1, 0.2, 0.3, 0.4])
def test_by_growth_two_coatings_share_the_first_place(sd):
    chance: Any = coatings.rank(coatings.assumed(table(), sd), "growth").table["p_best"]
    assert chance[["Coating-06", "Coating-03"]].max() < 0.70
    assert chance[["Coating-06", "Coating-03"]].sum() > 0.99


@pytest.mark.parametrize("sd", [0.1, 0.2, 0.3])
def test_by_end_resistance_one_coating_leads(sd):
    ranking = coatings.rank(coatings.assumed(table(), sd), "end_resistance")
    assert ranking.table.index[0] == "Coating-03"
    assert 0.60 < ranking.table["p_best"].iloc[0] < 0.95


def test_two_coatings_are_the_worst_up_to_a_noise_that_is_printed(evidence):
    printed = {"growth": (1.00, 0.994, 0.938, 0.83), "end_resistance": (1.00, 0.97, 0.85, 0.71)}
    limits = {"growth": (0.28, 0.30), "end_resistance": (0.21, 0.23)}
    for by, chances in printed.items():
        found = coatings.break_even(evidence, by, worst=WORST)
        assert found.table.loc[[0.1, 0.2, 0.3, 0.4], "probability"].tolist() == pytest.approx(
            chances, abs=0.006)
        assert limits[by][0] < found.noise < limits[by][1]
        under = coatings.under_noise(evidence, by, worst=WORST, at=[limits[by][0]])
        assert under.table.iloc[0, -1] > 0.95


def test_every_answer_says_that_the_noise_is_an_assumption(evidence):
    answers = [coatings.side_by_side(evidence)]
    for by in ("growth", "end_resistance", "both"):
        answers += [
            coatings.rank(evidence, by), coatings.order(evidence, by), coatings.ties(evidence, by),
            coatings.shortlist(evidence, by), coatings.under_noise(evidence, by, worst=WORST),
            coatings.break_even(evidence, by, worst=WORST),
            coatings.one_more_cell(evidence, by, studies=16, draws=64)]
    for answer in answers:
        assert "The noise is an assumption" in answer.sentence
        assert answer.sentence.endswith("prints none.")
        assert len(answer.table) and answer.sentence in str(answer)


def test_rankings_side_by_side_disagree_about_the_first(evidence):
    found: Any = coatings.side_by_side(evidence, weights={"growth": 1, "end_resistance": 3})
    assert found.table["k"]["p_best"].idxmax() == "Coating-06"
    assert found.table["R_end"]["p_best"].idxmax() == "Coating-03"
    assert "0.25 ln k + 0.75 ln R_end" in found.table.columns.get_level_values(0)
    assert "depends on what is ranked" in found.sentence


def test_ties_are_said_as_ties(evidence):
    found = coatings.ties(evidence, "growth")
    assert found.order.startswith("Coating-06 ~ Coating-03 < Coating-02")
    assert "Coating-06 and Coating-03 (0." in found.sentence
    pair = found.table.set_index(["a", "b"]).loc[("Coating-06", "Coating-03")]
    assert pair["verdict"] == "not told apart"
    assert pair["ratio"] == pytest.approx(3.0 / 3.2, rel=0.02)
    # with a margin of practical equality that exceeds the noise the two are equal
    equal = coatings.ties(evidence, "growth", equal_within=1.0)
    assert equal.order.startswith("Coating-06 = Coating-03")
    assert "Practically equal: Coating-06 and Coating-03" in equal.sentence


def test_the_weights_are_printed_and_scaled(evidence):
    assert "By 0.5 ln k + 0.5 ln R_end:" in coatings.rank(evidence).sentence
    heavy: Any = coatings.rank(evidence, "both", weights={"growth": 10}).table["p_best"]
    alone: Any = coatings.rank(evidence, "growth").table["p_best"]
    pd.testing.assert_series_equal(heavy, alone)


def test_early_capacity_is_never_what_coatings_are_ranked_by(evidence):
    for name in ("rank", "order", "ties", "shortlist", "under_noise", "break_even",
                 "one_more_cell"):
        assert inspect.signature(getattr(coatings, name)).parameters["by"].default == "both"
    for by in ("capacity_mAh_g", "first_cycle_efficiency"):
        with pytest.raises(doe.CampaignError, match="do not rank coatings"):
            coatings.rank(evidence, by)


# --- numbers against brute force


def test_integrals_equal_a_count_of_draws(rng):
    n = 200_000
    for _ in range(4):
        centre, sd = rng.normal(0, 0.5, 5), rng.uniform(0.05, 0.6, 5)
        draws = rng.normal(centre, sd, (n, 5))
        front, back = [0, 3], [1, 2, 4]
        counted = (draws[:, front].max(axis=1) < draws[:, back].min(axis=1)).mean()
        assert p_all_before(centre, sd, front, back) == pytest.approx(counted, abs=0.005)
        counted = (draws[:, front].min(axis=1) < draws[:, back].min(axis=1)).mean()
        assert p_holds_smallest(centre, sd, front, back) == pytest.approx(counted, abs=0.005)


@pytest.mark.parametrize("sd", [0.01, 0.2, 2.0])
def test_chances_of_being_best_sum_to_one(rng, sd):
    centre = rng.normal(0, 0.5, 6)
    total = sum(p_holds_smallest(centre, np.full(6, sd), [k], [j for j in range(6) if j != k])
                for k in range(6))
    assert total == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("by", ["growth", "end_resistance", "both"])
def test_break_even_noise_is_where_the_draws_flip(evidence, by):
    """Brute force: evidence drawn anew at the break-even noise gives the level."""
    noise = coatings.break_even(evidence, by, worst=WORST).noise
    given = coatings.assumed(table(), 0.2, draws=2)
    one_cell = float(score(given, by).noise[0]) / 0.2  # noise of the score per noise of one cell
    draws = score(coatings.assumed(table(), noise / one_cell, draws=100_000), by).draws
    rest = [c for c in draws if c not in WORST]
    counted = (draws[WORST].min(axis=1) > draws[rest].max(axis=1)).mean()
    assert counted == pytest.approx(0.95, abs=0.003)


def test_more_cells_bear_more_noise():
    few = coatings.assumed(values([1.0, 1.5, 3.0]), 0.2)
    many = coatings.assumed(values([1.0, 1.5, 3.0], cells=4), 0.2)
    noises = [coatings.break_even(e, "growth", leader="a").noise for e in (few, many)]
    assert noises[1] == pytest.approx(2 * noises[0], rel=1e-3)
    assert many.draws["growth"].std().mean() == pytest.approx(0.1, rel=0.02)


def test_a_verdict_against_the_values_holds_at_no_noise(evidence):
    found = coatings.break_even(evidence, "growth", leader="Coating-05")
    assert found.noise == 0.0 and "at any noise" in found.sentence
    far = coatings.assumed(values([1e-9, 1.0]), 0.2)
    assert coatings.break_even(far, "growth", leader="a").noise == np.inf


def test_the_best_is_on_the_shortlist_as_often_as_said(rng):
    """400 worlds of five coatings, with the exact posterior of each."""
    said, right = [], []
    for _ in range(400):
        truth = rng.normal(0, 0.3, 5)
        reading = truth + rng.normal(0, 0.2, 5)
        # a prior of sd 0.3 and a noise of 0.2, in closed form
        mean, sd = reading * 0.09 / 0.13, np.sqrt(0.09 * 0.04 / 0.13)
        draws = pd.DataFrame(mean + sd * rng.normal(size=(800, 5)), columns=list("abcde"))
        found = coatings.shortlist(known(draws, 0.2), "growth", confidence=0.8)
        assert found.probability >= 0.8 and len(found.members) == found.table["on_the_list"].sum()
        said.append(found.probability)
        right.append("abcde"[truth.argmin()] in found.members)
    error = np.sqrt(np.mean(said) * (1 - np.mean(said)) / len(said))
    assert np.mean(right) == pytest.approx(np.mean(said), abs=3 * error)


def known(draws, noise):
    """Evidence of one quantity from draws and a noise."""
    n = len(draws)
    noise = np.broadcast_to(noise, n)
    centred = (draws - draws.mean()).to_numpy() / noise[:, None]
    relative = pd.DataFrame(centred.T @ centred / n, index=draws.columns, columns=draws.columns)
    return Evidence({"growth": draws}, {"growth": noise}, {"growth": draws.mean()},
                    {"growth": relative}, np.zeros(n), "Simulated.")


# --- one more cell


def test_two_equal_coatings_are_chosen_rightly_three_times_in_four():
    """By arithmetic: half now, and 3/4 after a second cell of each."""
    found = coatings.one_more_cell(coatings.assumed(values([1.0, 1.0, 50.0]), 0.2), "growth")
    assert found.table.loc["none", "p_correct"] == pytest.approx(0.5, abs=0.01)
    assert found.table.loc["one of each", "p_correct"] == pytest.approx(0.75, abs=0.01)
    assert found.table.loc["none", "entropy_bits"] == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("by", ["growth", "end_resistance"])
@pytest.mark.parametrize("chosen", [BY_K, ["Coating-03"]])
def test_one_more_cell_agrees_with_making_it(evidence, by, chosen, rng):
    """Brute force: draw truths, make the cells, choose, count."""
    found = coatings.one_more_cell(evidence, by, plans={"plan": chosen}, studies=1024).table
    what = score(evidence, by)
    names = list(what.draws.columns)
    worlds, sd = 40_000, 0.2
    mean = what.centre.to_numpy()
    truth = rng.normal(mean, sd, (worlds, len(names)))
    reading = truth + rng.normal(0, sd, truth.shape)
    read = np.isin(names, chosen)
    after = np.where(read, (mean + reading) / 2, mean)
    spread = np.where(read, sd / np.sqrt(2), sd)
    choice = most_probable(after, spread, rng)
    right = (choice == truth.argmin(axis=1)).mean()
    assert found.loc["plan", "p_correct"] == pytest.approx(
        right, abs=0.008 + 2 * found.loc["plan", "p_correct_se"])
    now = most_probable(mean[None], np.full(len(names), sd), rng)[0]
    assert found.loc["plan", "p_changed"] == pytest.approx((choice != now).mean(), abs=0.03)


def most_probable(means, spread, rng):
    z = rng.normal(size=(400, means.shape[1])) * spread
    z = np.concatenate([z, -z])
    choice = []
    for block in np.array_split(means, max(len(means) // 500, 1)):
        best = (block[:, None] + z).argmin(axis=2)
        choice.append([np.bincount(b, minlength=means.shape[1]).argmax() for b in best])
    return np.concatenate(choice)


def test_with_an_uncertain_noise_the_answer_still_agrees(rng):
    """A noise known to a factor of two: the scale of the posterior and of the new cell is one."""
    noise = 0.2 * np.exp(rng.normal(0, 0.5, 20_000))
    mean = np.array([0.0, 0.1, 0.3])
    draws = pd.DataFrame(mean + noise[:, None] * rng.normal(size=(20_000, 3)), columns=list("abc"))
    found = coatings.one_more_cell(known(draws, noise), "growth", studies=1024).table
    truth = draws.to_numpy()
    reading = truth + noise[:, None] * rng.normal(size=truth.shape)
    choice = ((mean + reading) / 2).argmin(axis=1)  # equal cells: the smallest mean is the choice
    right = (choice == truth.argmin(axis=1)).mean()
    assert found.loc["one of each", "p_correct"] == pytest.approx(
        right, abs=0.01 + 2 * found.loc["one of each", "p_correct_se"])


def test_cells_never_harm_and_are_worth_most_where_the_doubt_is(evidence):
    found: Any = coatings.one_more_cell(
        evidence, "growth", plans={"leaders": BY_K[:2], "worst": WORST, "all": BY_K}).table
    assert (found["gain"] >= 0).all()
    assert found.loc["worst", "gain"] == 0.0
    assert found.loc["worst", "p_changed"] == 0.0
    assert found.loc["leaders", "gain"] > 0.1
    assert found.loc["all", "gain"] == pytest.approx(found.loc["leaders", "gain"], abs=0.005)
    assert found.loc["leaders", "entropy_bits"] < found.loc["none", "entropy_bits"]
    more = coatings.one_more_cell(evidence, "growth", plans={"leaders": BY_K[:2]}, cells=4).table
    assert more.loc["leaders", "p_correct"] > found.loc["leaders", "p_correct"] + 0.03
    assert more.loc["leaders", "cells"] == 8


# --- evidence of a fit, and of several cells


def test_evidence_of_a_fit_ranks_and_says_where_its_noise_is_from(rng):
    """Kept draws in place of a sampled posterior: coatings known to 0.25 of ln."""
    model = models.get("interphase")
    seen: Any = coatings.printed(table())
    slots, n = 8, 2000
    parameters = {}
    for name, prior in model.graph({}).registry.priors.items():
        group = model.graph({}).registry.prior_group.get(name)
        size = (n, slots + 1) if group else (n,)
        parameters[name] = prior.draw(rng, size)
    around = 0.25 * rng.normal(size=(n, 7))
    parameters["interphase.growth"][:, 1:] = 1.0
    parameters["interphase.growth"][:, 1:8] = seen["growth"].to_numpy() * np.exp(around)
    start = seen["end_resistance"].to_numpy() * np.exp(-0.3 + around)
    parameters["interphase.start_resistance"][:, 1:8] = start
    parameters["interphase.rise"][:, 1:8] = 0.3
    fit = models.Fit.from_draws(model, table(), parameters)
    found = coatings.from_fit(fit)
    assert coatings.rank(found, "growth").table.index.tolist() == BY_K
    assert "holds one cell a coating" in coatings.rank(found).sentence
    assert found.noise["growth"].mean() == pytest.approx(0.3, abs=0.06)
    assert 0 < np.median(found.correlation) < 0.5
    assert coatings.break_even(found, "growth", worst=WORST).noise > 0
    assert len(coatings.one_more_cell(found, studies=64, draws=256).table) > 3
    with pytest.raises(ValueError, match="ranked on a fit of 'interphase'"):
        coatings.from_fit(other_fit())


def other_fit():
    runs = pd.DataFrame({"rpm": [200.0], "milling_min": [5.0], "run": ["a"]})
    model = models.get("milling")
    graph = model.graph({})
    rng = np.random.default_rng(1)
    parameters = {name: prior.draw(rng, (5, *prior.shape))
                  for name, prior in graph.registry.priors.items()}
    return models.Fit.from_draws(model, runs, parameters)


def test_cells_of_one_coating_are_averaged_on_the_scale_of_ln():
    rows = pd.DataFrame({
        "coating": ["A", "A", "B"], "batch": ["1", "2", "3"], "cell": ["1", "1", "1"],
        "growth_ohm_cm2_sqrth": [2.0, 8.0, 5.0]})
    seen: Any = coatings.printed(rows)
    assert seen.loc["A", "growth"] == pytest.approx(4.0)
    assert seen["growth_cells"].tolist() == [2, 1]
    found = coatings.assumed(rows, 0.3)
    assert found.quantities == ["growth"]
    assert np.diag(found.relative["growth"]).tolist() == [0.5, 1.0]
    assert "not learnt from the table's own spread" in found.basis


@pytest.mark.parametrize(("call", "says"), [
    (lambda e: coatings.assumed(table(), 0.0), "must be a number above 0"),
    (lambda e: coatings.assumed(table(), {"growh": 0.2}), "did you mean 'growth'"),
    (lambda e: coatings.assumed(table(), {"growth": 0.2}), "sd_ln of end_resistance is nan"),
    (lambda e: coatings.assumed(table(), 0.2, correlation=2), "between -1 and 1"),
    (lambda e: coatings.rank(e, "groth"), "did you mean 'growth'"),
    (lambda e: coatings.rank(e, weights={"growth": -1}), "not all zero"),
    (lambda e: coatings.rank(e, weights={"k": 1}), "is no quantity of coatings"),
    (lambda e: coatings.break_even(e), "exactly one verdict"),
    (lambda e: coatings.break_even(e, leader="Coating-3"), "did you mean 'Coating-03'"),
    (lambda e: coatings.break_even(e, worst=BY_K), "at least one coating and not all 7"),
    (lambda e: coatings.under_noise(e, at=[-1.0]), "above 0"),
    (lambda e: coatings.ties(e, told_apart=0.3), "between 0.5 and 1"),
    (lambda e: coatings.ties(e, equal_within=-0.1), "must be 0 or more"),
    (lambda e: coatings.shortlist(e, confidence=95), "between 0 and 1"),
    (lambda e: coatings.shortlist(e, keep=["X"]), "'X' is no coating"),
    (lambda e: coatings.one_more_cell(e, cells=0), "cells=0 must be 1 or more"),
    (lambda e: coatings.one_more_cell(e, plans={"p": ["X"]}), "'X' is no coating"),
    (lambda e: coatings.rank(coatings.assumed(values([1.0, 2.0]), 0.2), "both"),
     "no coating has a reading of end_resistance"),
    (lambda e: coatings.printed(table().assign(soc_offset_mV=12.0)), "12 mV off"),
    (lambda e: coatings.printed(table().query("time_point == '3.1 V start'")), "neither"),
])  # fmt: skip
def test_what_cannot_be_answered_says_why(evidence, call, says):
    with pytest.raises(doe.CampaignError, match=says):
        call(evidence)


def test_a_coating_may_be_kept_on_the_list(evidence):
    found = coatings.shortlist(evidence, "growth", keep=["bare"])
    assert found.members == ["Coating-06", "Coating-03", "bare"]


def test_nothing_to_rank_by_is_told():
    nothing = Evidence({}, {}, {}, {}, np.zeros(4), "assumed")
    with pytest.raises(doe.CampaignError, match="no coating has a reading to rank by"):
        coatings.side_by_side(nothing)

def test_one_coating_alone_is_the_best_with_or_without_another_cell():
    found = coatings.one_more_cell(coatings.assumed(values([1.0]), 0.2), "growth").table
    assert found["p_correct"].tolist() == pytest.approx([1.0] * len(found))
