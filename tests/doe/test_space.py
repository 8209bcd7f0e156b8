"""Whatever leaves a space is legal for every factor and breaks no rule."""

import json
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from ssbayes import doe
from ssbayes.doe import designs
from ssbayes.doe import factors as fac


def mixed() -> doe.Space:
    return doe.Space(
        [
            doe.Real("rpm", 200, 1000, step=50),
            doe.Real("milling_min", 5, 300, log=True),
            doe.Integer("cycles_of_rest", 1, 40, log=True),
            doe.Choice("bead_mm", [5, 1.75, 3], log=True),
            doe.Choice("method", ["hand", "mill"]),
        ],
        constraints=["rpm * milling_min <= 60000"],
        forbidden=["rpm >= 800 and milling_min > 20", "method == 'hand' and rpm > 500"],
    )


SPACES = {
    "milling": doe.spaces.milling(),
    "mixed": mixed(),
    "narrow band": doe.Space(
        [doe.Real("rpm", 200, 1000), doe.Real("milling_min", 5, 300, log=True)],
        ["abs(rpm * milling_min - 12000) <= 0.5"],
    ),
    "small corner": doe.Space(
        [doe.Real(f"x{i}", 0, 1) for i in range(5)],
        [f"x{i} > 0.97" for i in range(5)],
    ),
    "few settings": doe.Space(
        [doe.Integer("a", 1, 40), doe.Integer("b", 1, 40), doe.Integer("c", 1, 40)],
        ["a * b * c == 1147"],
    ),
}


@pytest.mark.parametrize("name", SPACES)
def test_samples_moves_and_designs_are_feasible(name, rng):
    space = SPACES[name]
    drawn = space.sample(200, rng)
    assert len(drawn) == 200
    assert space.feasible(drawn).all()
    moved = space.neighbours(drawn.head(20), rng, 5, 0.1)
    assert space.feasible(moved).all()
    design = designs.start(space, 6, seed=3)
    assert len(design) == 6
    assert space.feasible(design).all()


@pytest.mark.parametrize("name", ["milling", "mixed", "narrow band"])
def test_the_same_seed_draws_the_same(name):
    space = SPACES[name]
    first, second = (space.sample(50, np.random.default_rng(5)) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)
    one, two = (space.neighbours(first, np.random.default_rng(5), 3, 0.1) for _ in range(2))
    pd.testing.assert_frame_equal(one, two)


def test_samples_are_uniform_on_the_declared_scale(rng):
    space = doe.Space(
        [
            doe.Real("milling_min", 5, 300, log=True),
            doe.Integer("n", 1, 4),
            doe.Choice("c", ["a", "b"]),
        ]
    )
    drawn = space.sample(4000, rng)
    below = np.mean(drawn["milling_min"] < np.sqrt(5 * 300))
    assert below == pytest.approx(0.5, abs=0.03)
    assert drawn["n"].value_counts(normalize=True).to_numpy() == pytest.approx(0.25, abs=0.03)
    assert np.mean(drawn["c"] == "a") == pytest.approx(0.5, abs=0.03)


def test_a_walk_in_a_small_region_covers_it(rng):
    """The corner x > 0.97 of five factors holds 2e-8 of the cube; its middle is 0.985."""
    space = SPACES["small corner"]
    drawn = space.sample(1000, rng)
    assert drawn.mean().to_numpy() == pytest.approx(0.985, abs=0.002)
    assert drawn.std().to_numpy() == pytest.approx(0.03 / np.sqrt(12), abs=0.0015)


def test_encoding_places_numbers_on_their_scale_and_text_in_columns():
    space = mixed()
    at = space.encode(
        {"method": "mill", "rpm": 600, "milling_min": np.sqrt(1500), "cycles_of_rest": 40,
         "bead_mm": 1.75, "more": 1}
    )  # fmt: skip
    assert space.width == at.shape[1] == 6
    assert at[0] == pytest.approx([0.5, 0.5, 1, 0, 0, 1])


def test_encoding_does_not_clip_what_was_really_run():
    at = doe.spaces.milling().encode({"rpm": 1200, "milling_min": 5, "bead_mm": 5})
    assert at[0, 0] == pytest.approx(1.25)


def test_steps_are_decimals_that_a_person_can_type():
    factor = doe.Real("filling", 0.1, 0.5, step=0.1)
    assert factor.levels is not None
    assert factor.levels.tolist() == [0.1, 0.2, 0.3, 0.4, 0.5]


def test_suggested_numbers_are_rounded_where_no_rule_forbids_it(rng):
    drawn = doe.spaces.milling().sample(100, rng)
    assert np.all(drawn["rpm"] % 1 == 0)
    assert all(float(f"{v:.3g}") == v for v in drawn["milling_min"])


def test_snap_finds_the_nearest_legal_value():
    space = mixed()
    snapped = space.snap(
        {"rpm": 630, "milling_min": 400, "cycles_of_rest": 3.4, "bead_mm": 2.4, "method": "mill"}
    )
    assert snapped.iloc[0].tolist() == [650, 300, 3, 3, "mill"]


def test_neighbours_of_a_step_move_by_a_step_at_least(rng):
    space = doe.Space([doe.Real("rpm", 200, 1000, step=50)])
    moved = space.neighbours({"rpm": 600}, rng, 200, 0.001)
    assert set(moved["rpm"]) == {550, 650}


@pytest.mark.parametrize(
    ("constraints", "forbidden", "named", "not_named"),
    [
        (["rpm >= 900", "milling_min > 100", "bead_mm > 2"],
         ["rpm >= 800 and milling_min > 20"], ["rpm >= 900", "milling_min > 100"], "bead_mm > 2"),
        (["rpm > 5000", "bead_mm > 2"], [], ["rpm > 5000"], "bead_mm > 2"),
        (["rpm * milling_min == 6000.123"], [], ["abs(a - b) <= tolerance"], "clash"),
    ],
)  # fmt: skip
def test_an_empty_space_names_the_rules_that_clash(constraints, forbidden, named, not_named):
    with pytest.raises(doe.SpaceError, match="no setting is feasible") as caught:
        doe.Space(doe.spaces.milling().factors, constraints, forbidden)
    for text in named:
        assert text in str(caught.value)
    assert not_named not in str(caught.value)


def test_rules_may_use_constants_and_derived_quantities(rng):
    space = doe.Space(
        [doe.Real("rpm", 200, 1000), doe.Real("milling_min", 5, 300, log=True)],
        constraints=["turns * filling <= 6000"],
        derived={"turns": "rpm * milling_min"},
    )
    assert space.awaits == ("filling",)
    with pytest.raises(doe.RuleError, match=r"filling.*fixed="):
        space.sample(3, rng)
    drawn = space.given({"filling": 0.5}).sample(100, rng)
    assert np.max(drawn["rpm"] * drawn["milling_min"]) <= 12000


def test_derived_quantities_may_use_each_other_in_any_order(tmp_path):
    formulas = {"turns": "rpm * milling_min", "energy": "2 * turns"}
    factors = [doe.Real("rpm", 200, 1000), doe.Real("milling_min", 5, 300)]
    spaces = [
        doe.Space(factors, ["energy <= 400000"], derived=dict(items))
        for items in (formulas.items(), reversed(formulas.items()))
    ]
    one, two = (s.sample(50, np.random.default_rng(1)) for s in spaces)
    pd.testing.assert_frame_equal(one, two)
    asked = {"maximize": "worth", "unit": "1", "store": tmp_path / "m.db", "seed": 1}
    first = doe.Campaign(spaces[0], **asked).suggest(2)
    pd.testing.assert_frame_equal(doe.Campaign.open(tmp_path / "m.db").suggest(2), first)
    pd.testing.assert_frame_equal(doe.Campaign(spaces[1], **asked).suggest(2), first)


def test_a_mixture_of_steps_keeps_the_settings_on_its_limit():
    space = doe.Space(
        [doe.Real("am", 0.6, 0.8, step=0.01), doe.Real("se", 0.15, 0.35, step=0.01)],
        ["am + se <= 0.95"],
    )
    assert space.feasible({"am": 0.67, "se": 0.28}).all()
    every: Any = space.grid()
    assert len(every) == sum(a + b <= 95 for a in range(60, 81) for b in range(15, 36))
    thirds = doe.Space([doe.Real(n, 0.1, 1, step=0.1) for n in "abc"], ["a + b + c == 1"])
    assert len(cast(Any, thirds.grid())) == 36


PARTS = {"host": (0, 1), "dop1": (0, 1), "dop2": (0, 1), "dop3": (0, 1)}


@pytest.mark.parametrize(
    ("factors", "constraints"),
    [
        ([doe.Real("x", 0, 1)], ["x <= 1e-9"]),
        ([doe.Real(n, 0, 10) for n in "abc"], [f"{n} <= 1e-5" for n in "abc"]),
        ([doe.Mixture(PARTS)], ["dop1 + dop2 + dop3 <= 1e-6"]),
        ([doe.Real("x", 0, 1), doe.Real("z", 0, 1)], ["abs(x * z - 0.3) <= 1e-9"]),
    ],
)
def test_a_thin_region_is_found(factors, constraints, rng):
    space = doe.Space(factors, constraints)
    drawn = space.sample(5, rng)
    assert len(drawn) == 5 and space.feasible(drawn).all()


def test_an_equality_in_a_continuum_is_refused_with_a_setting_that_keeps_it():
    with pytest.raises(doe.SpaceError, match=r"abs\(a - b\) <= tolerance.* such as x = ") as caught:
        doe.Space([doe.Real("x", 0, 1), doe.Real("y", 0, 1)], ["x + y == 1"])
    near = cast(Any, caught.value.nearest)
    assert near["x"] + near["y"] == pytest.approx(1, abs=1e-12)


def test_what_was_searched_and_what_was_listed_is_told_apart():
    with pytest.raises(doe.SpaceError, match="as far as a search finds"):
        doe.Space([doe.Real("x", 1, 5)], ["x > 5"])
    with pytest.raises(doe.SpaceError, match="no setting is feasible: "):
        doe.Space([doe.Integer("x", 1, 5)], ["x > 5"])


def test_numpy_flags_and_counts_are_stored_as_plain_ones():
    one = np.True_
    space = doe.Space(
        [doe.Real("rpm", 200, 1000, hard=cast(Any, one), log=cast(Any, one)), doe.Real("x", 0, 1),
         doe.Mixture({"a": (0.1, 0.9), "b": (0.1, 0.9), "c": (0.1, 0.5)}, hard=cast(Any, one),
                     optional=["c"], at_most=cast(Any, np.int64(3)))],
        per_run=cast(Any, np.int64(2)),
    )  # fmt: skip
    assert json.loads(json.dumps(space.to_dict())) == space.to_dict()


def test_what_was_run_between_steps_is_allowed_but_not_feasible():
    space = doe.Space([doe.Real("rpm", 200, 1000, step=50)], forbidden=["rpm > 900"])
    assert space.allowed({"rpm": [610, 930]}).tolist() == [True, False]
    assert space.feasible({"rpm": [610, 600]}).tolist() == [False, True]


def test_objections_say_where_and_why():
    said = doe.spaces.milling().objections({"rpm": 900, "milling_min": 30, "bead_mm": 4})
    assert said == [
        "row 0: bead_mm = 4 is not in {1.75, 3, 5}",
        "row 0 breaks forbidden 'rpm >= 800 and milling_min > 20'",
    ]


def test_declaration_round_trip():
    space = mixed()
    again = doe.Space.from_dict(space.to_dict())
    assert again.to_dict() == space.to_dict()
    assert repr(again) == repr(space)
    assert list(space.describe()["unit"]) == ["1/min", "min", "", "mm", ""]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: doe.Real("rpm", 1000, 200), "low=1000 must be below high=200"),
        (lambda: doe.Real("rpm", cast(Any, "200"), 1000), "low='200' is no number"),
        (lambda: doe.Real("rpm", np.nan, 1000), "must be finite"),
        (lambda: doe.Real("x", 0, 1, log=True), "log=True needs low above 0"),
        (lambda: doe.Real("x", 0, 1, step=2), "step=2 must be above 0 and at most"),
        (lambda: doe.Real("x", 0, 1, step=1e-7), "levels, more than"),
        (lambda: doe.Real("milling time", 0, 1), "no column name"),
        (lambda: doe.Real("rpm", 200, 1000, unit="rad/s"), "this column is in '1/min'"),
        (lambda: doe.Real("porosity", 10, 40), "is it in another unit"),
        (lambda: doe.Integer("n", 1, cast(Any, 2.5)), "use Real"),
        (lambda: doe.Choice("bead_mm", [3]), "two values at least"),
        (lambda: doe.Choice("bead_mm", [3, "5"]), "all numbers or all text"),
        (lambda: doe.Choice("bead_mm", [3, 3]), "one value twice"),
        (lambda: doe.Choice("method", "hand"), "is no list"),
        (lambda: doe.Choice("method", [1, 2]), "is a text column"),
        (lambda: doe.Space([]), "one factor at least"),
        (lambda: doe.Space([doe.Real("x", 0, 1)] * 2), "declared twice"),
        (lambda: doe.Space([doe.Real("x", 0, 1)], "x < 1"), "is a list of rules"),
        (lambda: doe.Space([doe.Real("x", 0, 1)], ["y < 1"]), "'y' is no factor here"),
        (lambda: doe.Space([doe.Real("x", 0, 1)], fixed={"x": 1}), "also given a value"),
        (lambda: doe.Real("RPM", 200, 1000), "write 'rpm', in 1/min"),
        (lambda: doe.Real("lambda", 0, 1), "a word of rules"),
        (lambda: doe.Real("predicted_x", 0, 1), "kept for predictions"),
        (lambda: doe.Real("planned_x", 0, 1), "what was planned"),
        (lambda: doe.Choice("state", ["a", "b"]), "such as 'state_set'"),
        (lambda: doe.Real("readings", 0, 1), "is a column of suggestions"),
        (lambda: doe.Real("x", 0, 1, hard=cast(Any, "no")), "must be True or False"),
        (lambda: doe.Space([doe.Real("x", 0, 1)], fixed={"cb_wt_pct": 3}), "name the basis"),
        (lambda: doe.Space([doe.Real("x", 0, 1)], fixed={"bead_mm": 1750}), "write 1.75"),
        (lambda: doe.Space([doe.Real("x", 0, 1)], fixed={"bead_mm": None}), "one number or one"),
        (lambda: doe.Space([doe.Real("x", 0, 1)], fixed={"C-rate": 1}), "write 'c_rate'"),
        (lambda: doe.Space([doe.Real("x", 0, 1)], soft=cast(Any, ["x > 1"])), "soft={'rpm"),
        (lambda: doe.Space([doe.Choice("p", ["a", "b"])], forbidden=["p == 'c'"]),
         "'c' is no value of p"),
        (lambda: doe.spaces.annealing(precursor_wt_pct=-1), "expected"),
        (lambda: doe.Real("d50_\u00b5m", 1, 10), "write 'd50_\u03bcm'"),
        (lambda: doe.Space([doe.Real("x", 0, 1)], fixed={"d_\u00b5m": 1}), "write 'd_\u03bcm'"),
        (lambda: doe.Space([doe.Real("x", 0, 1)], derived={"d_\u00b5m": "2 * x"}),
         "write 'd_\u03bcm'"),
        (lambda: doe.Space([doe.Real("x", 0, 1)], derived={"a": "b + x", "b": "2 * a"}),
         "derived: a needs b needs a"),
        (lambda: doe.Space([doe.Real("x", 0, 1)], derived=cast(Any, ["x * 2"])), "write derived={"),
        (lambda: doe.Mixture({"a": {"min": 0.1, "max": 0.5}, "b": (0.1, 0.9)}), "{'low': ..."),
        (lambda: doe.spaces.milling().encode({"rpm": 300}), "lack milling_min, bead_mm"),
        (
            lambda: doe.spaces.milling().encode({"rpm": "fast", "milling_min": 5, "bead_mm": 3}),
            "'fast' in row 0 is no number",
        ),
        (lambda: mixed().snap(mixed().sample(1, np.random.default_rng(0)).assign(method="mil")),
         "did you mean 'mill'"),
    ],
)  # fmt: skip
def test_bad_declarations_say_what_is_wrong(make, message):
    with pytest.raises(doe.DoeError) as caught:
        make()
    assert message in str(caught.value)


def test_every_factor_kind_round_trips_as_plain_values():
    for factor in mixed().factors:
        assert fac.from_dict(fac.to_dict(factor)) == factor


def test_a_start_design_keeps_away_from_what_there_is():
    space = doe.spaces.milling()
    known = designs.start(space, 4, seed=1)
    more = designs.start(space, 4, seed=1, beside=known)
    gaps = np.linalg.norm(space.encode(more)[:, None] - space.encode(known)[None], axis=-1)
    assert gaps.min() > 0.3


def test_no_settings_asked_for_are_none():
    space = doe.Space([doe.Real("rpm", 200, 1000)], forbidden=["rpm > 900"])
    assert list(space.sample(0, np.random.default_rng(0)).columns) == ["rpm"]
    assert len(space.sample(0, np.random.default_rng(0))) == 0
