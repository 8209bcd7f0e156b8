"""Designs: feasible always, the textbook ones where nothing cuts them, optimal ones as known."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from ssbayes import doe
from ssbayes.doe import designs, optimal, terms

PARTS = {"active": (0.6, 0.8), "electrolyte": (0.15, 0.35), "fibre_part": (0, 0.05)}
SQUARE = doe.Space([doe.Real("x", 0, 1), doe.Real("z", 0, 1)])


def furnace() -> doe.Space:
    return doe.Space(
        [
            doe.Mixture(PARTS),
            doe.Real("rpm", 200, 1000, hard=True),
            doe.Integer("rest", 1, 20, log=True),
            doe.Choice("method", ["hand", "mill"]),
            doe.Choice("additive", ["fibre", "black"], only_if="fibre_part > 0.01"),
        ],
        ["rpm * fibre_part <= 20"],
        ["method == 'hand' and rpm > 600"],
        per_run=3,
    )


@pytest.mark.parametrize("kind", [*designs.FILLING, *designs.OPTIMAL])
def test_a_design_keeps_rules_mixtures_conditions_and_runs(kind):
    space = furnace()
    made: Any = doe.design(space, kind, 12, seed=3)
    assert len(made) == 12
    assert space.feasible(made).all()
    assert np.abs(made[list(PARTS)].sum(axis=1) - 1).max() < 1e-9
    if kind in designs.OPTIMAL:
        runs = np.array(made.attrs["runs"])
        assert np.bincount(runs).max() <= 3
        assert all(made["rpm"][runs == k].nunique() == 1 for k in np.unique(runs))
    if kind not in ("a_optimal", "i_optimal"):
        pd.testing.assert_frame_equal(made, doe.design(space, kind, 12, seed=3))


SHELF = doe.Space([doe.Choice("jar", list("abcde"), hard=True), doe.Choice("ball", ["x", "y"])],
                  ["ball == 'x' or jar != 'e'"], per_run=2)  # fmt: skip


@pytest.mark.parametrize("space", [SHELF, doe.Space([
    doe.Choice("jar", list("abcde")), doe.Integer("balls", 1, 2)])])  # fmt: skip
@pytest.mark.parametrize("kind", ["lhs", "sobol"])
def test_a_start_in_a_finite_space_repeats_nothing_while_there_are_others(space, kind):
    every: Any = space.grid()
    for seed in range(3):
        for n in (1, 4, 8, len(every)):
            made = designs.start(space, n, seed, kind)
            assert len(made) == n and not made.duplicated().any()
            more = designs.start(space, len(every) - n, seed, kind, beside=made) if n < 9 else made
            assert not more.duplicated().any()
            assert n >= 9 or not pd.concat([made, more]).duplicated().any()
        full = designs.start(space, len(every) + 3, seed, kind, beside=every.head(0))
        assert full.value_counts().max() == 2
        assert len(designs.start(space, 2, seed, kind, beside=every)) == 2


def test_a_campaign_starts_with_settings_that_are_untried():
    space = doe.Space([doe.Choice("jar", ["x", "y", "z"])])
    campaign = doe.Campaign(space, maximize="capacity_mAh_g", seed=1)
    failed = {"status": "failed", "reason": "jar broke"}
    campaign.record([{"jar": "x", **failed}, {"jar": "y", **failed}])
    assert campaign.suggest(2)["jar"].tolist() == ["z", "z"]  # nothing else is left to learn from
    measured = doe.Campaign(space, maximize="capacity_mAh_g", seed=1)
    measured.record({"jar": ["x", "y", "z"], "capacity_mAh_g": [150.0, 151.0, 120.0]})
    assert not measured.suggest(2)["reason"].str.startswith("start design").any()


def test_a_low_discrepancy_design_fills_better_than_chance():
    from scipy.stats import qmc

    chance = np.median([qmc.discrepancy(np.random.default_rng(s).random((64, 2)))
                        for s in range(20)])  # fmt: skip
    for kind in ("sobol", "halton", "lhs"):
        made = doe.design(SQUARE, kind, 64, seed=2)
        assert qmc.discrepancy(np.clip(made.to_numpy(), 0, 1)) < 0.5 * chance, kind


def test_a_full_factorial_has_every_combination_on_the_factors_scales():
    space = doe.Space(
        [doe.Real("t_min", 1, 100, log=True), doe.Choice("method", ["a", "b", "c"]),
         doe.Ordinal("size", ["fine", "coarse"])]
    )  # fmt: skip
    made = doe.design(space, "full_factorial", levels=3)
    assert len(made) == len(made.drop_duplicates()) == 3 * 3 * 2
    assert sorted(set(made["t_min"])) == pytest.approx([1, 10, 100])


@pytest.mark.parametrize(("factors", "resolution", "size"), [(3, 3, 4), (5, 3, 8), (7, 4, 16)])
def test_a_fraction_has_its_resolution(factors, resolution, size):
    space = doe.Space([doe.Real(f"x{i}", -1, 1) for i in range(factors)])
    made = doe.design(space, "fractional_factorial", resolution=resolution)
    x = made.to_numpy()
    assert len(x) == size
    assert np.abs(x.T @ x / size - np.eye(factors)).max() < 1e-12
    if resolution == 4:
        pairs = [x[:, i] * x[:, j] for i in range(factors) for j in range(i)]
        assert np.abs(np.array(pairs) @ x).max() < 1e-9
    assert all(note.startswith("aliased: ") for note in made.attrs["notes"])
    assert made.attrs["notes"]


def test_the_note_of_aliases_agrees_with_the_report_on_a_design():
    from ssbayes.models import aliasing

    space = doe.Space([doe.Real(n, -1, 1) for n in ("a", "b", "c")])
    made = doe.design(space, "fractional_factorial", generators="a b ab")
    assert "aliased: c, a * b" in made.attrs["notes"]
    both = made.assign(a_by_b=made["a"] * made["b"])
    assert aliasing.report(both).partners("c") == ("c", "a_by_b")
    assert aliasing.report(made).separable == ["a", "b", "c"]


def test_response_surface_designs_stay_inside_and_tell_a_quadratic():
    space = doe.Space([doe.Real(f"x{i}", 10, 20) for i in range(3)])
    for kind, size in (("central_composite", 8 + 6 + 4), ("box_behnken", 12 + 3)):
        made = doe.design(space, kind)
        assert len(made) == size
        assert made.to_numpy().min() == 10 and made.to_numpy().max() == 20
        x = terms.terms(space, "quadratic").matrix(made)
        assert np.linalg.matrix_rank(x) == x.shape[1] == 10
    faced = doe.design(space, "central_composite", face="faced", center=1)
    assert set(np.unique(faced)) == {10, 15, 20}


def test_settings_that_a_rule_cuts_are_moved_or_left_out_and_told():
    space = doe.Space([doe.Real("x", 0, 1), doe.Real("z", 0, 1)], ["x + z <= 1.5"])
    moved = doe.design(space, "full_factorial")
    assert len(moved) == 4 and space.feasible(moved).all()
    assert moved.iloc[3].to_numpy() == pytest.approx([0.75, 0.75], abs=0.01)
    assert moved.attrs["notes"][0].startswith(
        "1 of 4 settings break constraint 'x + z <= 1.5' and are moved: row 3: x 1 -> 0.75"
    )
    left = doe.design(space, "full_factorial", cut="drop")
    assert len(left) == 3
    assert "left out" in left.attrs["notes"][0]


def test_optimal_designs_are_those_known():
    """Corners for main effects; Scheffe's lattice; Box and Draper's six points.

    Box and Draper, Technometrics 13 (1971) 731: |X'X| = 5.74e-3 * 6^6 for a quadratic in 6 runs.
    """
    corners = doe.design(SQUARE, "d_optimal", 4, model="interactions")
    assert sorted(map(tuple, corners.to_numpy())) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert corners.attrs["worth"] == pytest.approx(4 * np.log(4), abs=1e-6)
    six = doe.design(SQUARE, "d_optimal", 6, model="quadratic")
    assert six.attrs["worth"] > np.log(5.74e-3 * 6**6) - 0.02
    simplex = doe.Space([doe.Mixture({"a": (0, 1), "b": (0, 1), "c": (0, 1)})])
    lattice = doe.design(simplex, "d_optimal", 6, model="quadratic")
    known = {(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)}
    assert set(map(tuple, lattice.to_numpy().round(6))) == known


def test_a_design_is_best_by_its_own_criterion(rng):
    """Against the other two criteria's designs and 100 random ones, in a space with a cut."""
    space = doe.Space(SQUARE.factors, ["x + z <= 1.4", "x >= 0.1 or z >= 0.3"])
    linear = terms.terms(space, "quadratic")
    made = {c: doe.design(space, f"{c.lower()}_optimal", 8, model="quadratic") for c in "DAI"}
    by_chance = [space.sample(8, rng) for _ in range(100)]
    for criterion in "DAI":
        posed = optimal.problem(space, linear.matrix, criterion)
        worth = {c: optimal.value(posed, table) for c, table in made.items()}
        slack = 0.02 * abs(worth[criterion])
        assert worth[criterion] >= max(worth.values()) - slack
        assert worth[criterion] > max(optimal.value(posed, table) for table in by_chance)


def test_a_shared_error_asks_for_contrasts_within_runs():
    """With a large run error, an easy factor is told within runs: its levels are balanced there."""
    space = doe.Space([doe.Real("heat", 0, 1, hard=True), doe.Real("z", 0, 1)], per_run=4)
    made: Any = doe.design(space, "d_optimal", 16, run_variance=10)
    for k in range(4):
        run = made[np.array(made.attrs["runs"]) == k]
        assert run["heat"].nunique() == 1
        assert run["z"].mean() == pytest.approx(0.5, abs=0.1)
    assert set(made["heat"]) == {0, 1}


def test_information_of_a_run_is_that_of_generalised_least_squares(rng):
    """Against X' V^-1 X with V = 1 + r J written out."""
    posed = optimal.problem(SQUARE, lambda s: np.ones((1, len(s), 3)), ratio=0.7)
    x = rng.normal(size=(4, 3))
    v = np.eye(4) + 0.7 * np.ones((4, 4))
    found = posed.information(x[:, None, :])[0]
    assert found == pytest.approx(x.T @ np.linalg.solve(v, x))


def test_a_design_from_a_response_finds_the_known_times_of_a_decay():
    """y = exp(-k t), sd 1: one run at t = 1 / k; two rates known apart are told where they differ.

    The D-optimal time of a single rate is 1 / k (Box and Lucas, Biometrika 46 (1959) 77).
    """
    space = doe.Space([doe.Real("t_h", 0.01, 10, log=True)])
    draws = {"k": np.array([0.499, 0.5, 0.501])}

    def decay(settings, parameters):
        return np.exp(-parameters["k"][:, None] * settings["t_h"].to_numpy()[None])

    jacobian, prior = optimal.of_response(decay, draws, noise=1e-3)
    posed = optimal.problem(space, jacobian, "D", prior)
    made, _, _ = optimal.search_design(space, 1, posed, seed=1)
    assert made["t_h"].iloc[0] == pytest.approx(2.0, rel=0.1)
    t = np.array([0.5, 2.0, 4.0])
    exact = -t * np.exp(-0.5 * t) * draws["k"].std() / 1e-3
    assert jacobian(pd.DataFrame({"t_h": t}))[1, :, 0] == pytest.approx(exact, rel=1e-4)


def test_terms_that_a_space_cannot_tell_are_left_out_and_said():
    space = doe.Space([doe.Mixture(PARTS), doe.Real("x", 0, 1)])
    made = doe.design(space, "d_optimal", 10, model="interactions")
    assert made.attrs["terms"][:4] == ["active", "electrolyte", "fibre_part", "x"]
    assert "fibre_part * x" in made.attrs["notes"][0]
    asked = terms.terms(SQUARE, ["x", "x ** 2", "x * z"])
    assert asked.names == ["1", "x", "x * x", "x * z"]


def mill(**options: Any) -> doe.Space:
    return doe.Space(
        [doe.Mixture(PARTS), doe.Real("rpm", 200, 1000, hard=True),
         doe.Real("milling_min", 5, 60, log=True)], **options,
    )  # fmt: skip


@pytest.mark.parametrize("kind", designs.FILLING)
def test_a_space_filling_design_has_the_runs_that_were_asked_for(kind):
    space = mill()
    for runs, sizes in ((4, [3, 3, 3, 3]), (5, [3, 3, 2, 2, 2]), (1, [12])):
        made: Any = doe.design(space, kind, 12, runs=runs)
        assert made["rpm"].value_counts().tolist() == sizes
        assert space.feasible(made).all()


def test_runs_that_have_no_room_are_more_and_said_to_be():
    space = doe.Space([doe.Choice("jar", list("abcde"), hard=True), doe.Choice("ball", ["x", "y"])])
    made = doe.design(space, "sobol", 9, runs=3)
    assert made.attrs["notes"][0].startswith("5 runs, not 3")


@pytest.mark.parametrize(
    ("asked", "told", "least"),
    [
        ({"runs": 1}, "heat", 2),
        ({"runs": 2, "model": "quadratic"}, "heat * heat", 3),
        ({"runs": 1, "model": ["z", "heat * z"]}, "heat * z", 2),
    ],
)
def test_too_few_runs_for_a_model_are_refused_with_the_least_number(asked, told, least):
    heat = [doe.Real("heat", 0, 1, hard=True), doe.Real("z", 0, 1)]
    with pytest.raises(doe.SpaceError) as caught:
        doe.design(doe.Space(heat), "d_optimal", 12, **asked)
    assert f"cannot tell {told}, " in str(caught.value)
    assert f"take runs={least} at least" in str(caught.value)
    made: Any = doe.design(doe.Space(heat), "d_optimal", 12, **{**asked, "runs": least})
    x = terms.terms(doe.Space(heat), asked.get("model", "linear")).matrix(made)
    assert np.linalg.matrix_rank(x) == x.shape[1]


def test_a_run_that_holds_all_settings_of_a_space_is_one_run_too_few():
    space = doe.Space([doe.Real("heat", 0, 1, hard=True), doe.Real("z", 0, 1)], per_run=12)
    with pytest.raises(doe.SpaceError, match=r"1 run cannot tell heat, .* take runs=2"):
        doe.design(space, "d_optimal", 12)
    parts = doe.Space([doe.Mixture(PARTS, hard=True), doe.Real("z", 0, 1)])
    with pytest.raises(doe.SpaceError, match="take runs=3 at least"):
        doe.design(parts, "d_optimal", 12, runs=2)


def beads(levels: Any, others: int) -> doe.Space:
    factor = doe.Choice("bead_mm", levels) if isinstance(levels, list) else levels
    return doe.Space([factor, *(doe.Real(f"x{i}", 0, 1) for i in range(others))])


@pytest.mark.parametrize(
    ("levels", "options", "message"),
    [
        ([1, 3, 5], {}, "bead_mm has 3 levels, and this design needs five; take face='faced', or"),
        ([1, 5], {}, "bead_mm has 2 levels, and this design needs five; take kind='d_optimal'"),
        ([1, 5], {"face": "faced"}, "bead_mm has 2 levels, and this design needs three"),
        ([1, 2, 3, 4, 30], {"face": "faced"}, "bead_mm has no levels near 15.5"),
    ],
)
def test_a_response_surface_needs_levels_apart(levels, options, message):
    with pytest.raises(doe.SpaceError) as caught:
        doe.design(beads(levels, 4), "central_composite", **options)
    assert message in str(caught.value)
    if options:
        with pytest.raises(doe.SpaceError, match="needs three"):
            doe.design(beads(levels, 4), "box_behnken")


@pytest.mark.parametrize(
    ("levels", "kind", "options"),
    [
        ([1.75, 3, 5], "central_composite", {"face": "faced"}),
        ([1, 3, 5], "box_behnken", {}),
        ([1, 2, 3, 4, 5], "central_composite", {}),
        (doe.Real("x", 0, 1, step=0.01), "central_composite", {}),
        (doe.Integer("n", 1, 40, log=True), "central_composite", {}),
    ],
)
def test_levels_nearly_where_a_response_surface_has_them_serve(levels, kind, options):
    space = beads(levels, 3)
    x = terms.terms(space, "quadratic").matrix(doe.design(space, kind, **options))
    assert np.linalg.matrix_rank(x) == x.shape[1]


@pytest.mark.parametrize(("factors", "size"), [(3, 4), (7, 8), (11, 12), (24, 32), (30, 32)])
def test_screening_says_what_main_effects_mix_with(factors, size):
    space = doe.Space([doe.Real(f"x{i}", -1, 1) for i in range(factors)])
    made = doe.design(space, "plackett_burman")
    x = made.to_numpy()
    assert len(x) == size
    assert np.abs(x.T @ x / size - np.eye(factors)).max() < 1e-12
    part = " in part" if factors == 11 else ""
    assert made.attrs["notes"][0].startswith(f"aliased{part}: {factors} of {factors} main effects")


def test_a_fraction_of_many_factors_sums_up_what_is_aliased():
    space = doe.Space([doe.Real(f"x{i}", -1, 1) for i in range(12)])
    told = {}
    for resolution in (3, 4, 5):
        made = doe.design(space, "fractional_factorial", resolution=resolution)
        told[resolution] = made.attrs["notes"]
    assert told[3][0].startswith("aliased: 12 of 12 main effects with products of two factors")
    assert told[4][0].startswith("aliased: products of two factors with each other, 66 of them in")
    assert told[5] == []


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: doe.design(SQUARE, "d_optimum", 4), "did you mean 'd_optimal'"),
        (lambda: doe.design(SQUARE, "lhs"), "how many settings"),
        (lambda: doe.design(SQUARE, "box_behnken"), "needs 3 factors that are numbers"),
        (lambda: doe.design(SQUARE, "full_factorial", 4), "leave n out"),
        (lambda: doe.design(SQUARE, "full_factorial", levels=200), "more than 20000"),
        (lambda: doe.design(SQUARE, "full_factorial", points=3), "points"),
        (lambda: doe.design(SQUARE, "lhs", 4, levels=3), "no option 'levels'"),
        (lambda: doe.design(SQUARE, "d_optimal", 4, model="quadratic"), "take n=6 at least"),
        (lambda: doe.design(SQUARE, "d_optimal", 4, model=["y"]), "'y' is no factor"),
        (lambda: doe.design(SQUARE, "d_optimal", 4, model="cubic"), "'cubic' is no model"),
        (lambda: doe.design(SQUARE, "d_optimal", 4, runs=2), "hard-to-change"),
        (lambda: doe.design(furnace(), "box_behnken"), "take kind='d_optimal'"),
        (lambda: doe.design(SQUARE, "central_composite", face="ccc"), "beyond the bounds"),
        (lambda: doe.design(SQUARE, "fractional_factorial", generators="a"), "1 words for 2"),
        (lambda: doe.design(furnace(), "d_optimal", 12, runs=2), "hold less than n=12"),
        (lambda: doe.design(mill(per_run=3), "sobol", 12, runs=2), "hold less than n=12"),
        (lambda: doe.design(mill(), "lhs", 12, runs=13), "from 1 to n=12"),
        (lambda: doe.design(SQUARE, "sobol", 12, runs=4), "hard-to-change"),
        (lambda: doe.design(SQUARE, "full_factorial", runs=4), "leave runs out"),
        (lambda: doe.design(SQUARE, "lhs", 4, model="quadratic"), "model is for optimal designs"),
        (lambda: doe.design(SQUARE, "full_factorial", model=["x"]), "model is for optimal designs"),
        (lambda: doe.design(SQUARE, "random", 4, fit="fit"), "fit is for optimal designs"),
        (lambda: doe.design(SQUARE, "maximin", 4, run_variance=2), "run_variance is for optimal"),
        (lambda: doe.design(beads([1, 5], 2), "fractional_factorial", generators="a b +"),
         "make 2 columns for 3 factors"),
    ],
)
def test_bad_designs_say_what_is_wrong(make, message):
    with pytest.raises(doe.SpaceError) as caught:
        make()
    assert message in str(caught.value)


@pytest.mark.slow
def test_a_design_from_a_fitted_mill_teaches_more_than_chance(rng):
    """Contact energy and rate power of a simulated mill: 4 settings beat 30 random fours."""
    from ssbayes import models
    from ssbayes.doe import fitted, virtual

    lab = virtual.mill(0)
    rows = lab.run(virtual.random_settings(8, 1), cells=1)
    fit = models.get("capacity").fit(rows, seed=1, draws=150, tune=150, chains=2, rhat=1.2)
    space = virtual.space()
    asked = {
        "outcome": "capacity_mAh_g",
        "parameters": ["capacity.contact_energy", "capacity.rate_power"],
        "fixed": {n: rows[n].iloc[0] for n in ("mill", "filling", "c_rate") if n in rows},
    }
    made = doe.design(space, "d_optimal", 4, fit=fit, **asked)
    assert space.feasible(made).all()
    assert made.attrs["terms"] == asked["parameters"]
    jacobian, prior = fitted.jacobian(fit, space, seed=1, **asked)
    posed = optimal.problem(space, jacobian, "D", prior)
    chance = [optimal.value(posed, space.sample(4, rng)) for _ in range(30)]
    assert optimal.value(posed, made) > max(chance)
    with pytest.raises(doe.SpaceError, match="no parameter of this fit"):
        doe.design(space, "d_optimal", 4, fit=fit, **{**asked, "parameters": ["contact"]})
    with pytest.raises(doe.SpaceError, match="hold several numbers"):
        vector = ["milling.stress_energy_bead_exponent"]
        doe.design(space, "d_optimal", 4, fit=fit, **{**asked, "parameters": vector})
