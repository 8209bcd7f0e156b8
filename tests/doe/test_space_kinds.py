"""Ordered categories, features, probable rules, nearest settings, clashes, and large spaces."""

import json
import resource
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ssbayes import doe
from ssbayes.doe import designs, rules
from ssbayes.doe import factors as fac

SIZES = ["fine", "medium", "coarse"]


# ordered categories


def test_an_ordinal_is_encoded_by_rank_and_moves_to_its_neighbours(rng):
    space = doe.Space([doe.Ordinal("size", SIZES)])
    assert space.width == 1
    assert space.encode({"size": SIZES}).ravel() == pytest.approx([0, 0.5, 1])
    moved = space.neighbours({"size": "fine"}, rng, 200, 0.01)
    assert set(moved["size"]) == {"medium"}
    assert fac.from_dict(json.loads(json.dumps(fac.to_dict(space.factors[0])))) == space.factors[0]
    assert repr(space) == "Space(size {fine < medium < coarse})"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("size >= 'medium'", ["medium", "coarse"]),
        ("size < 'coarse'", ["fine", "medium"]),
        ("'medium' <= size", ["medium", "coarse"]),
        ("'fine' < size < 'coarse'", ["medium"]),
        ("not (size > 'fine')", ["fine"]),
        ("size != 'medium' and x >= 0", ["fine", "coarse"]),
    ],
)
def test_rules_compare_ordered_text_by_order(text, kept):
    space = doe.Space([doe.Ordinal("size", SIZES), doe.Real("x", 0, 1)], [text])
    table = pd.DataFrame({"size": SIZES, "x": 0.5})
    assert table["size"][space.feasible(table)].tolist() == kept
    assert (space.violation(table)[:, 0] == 0).tolist() == [s in kept for s in SIZES]


def test_unknown_and_impossible_ranks_are_refused():
    kinds = {"size": rules.Ordered(SIZES)}
    with pytest.raises(doe.RuleError, match="did you mean 'medium'"):
        rules.parse("size >= 'midium'", kinds)
    with pytest.raises(doe.RuleError, match="nothing is below 'fine'"):
        rules.parse("size < 'fine'", kinds)
    with pytest.raises(doe.SpaceError, match="must be text"):
        doe.Ordinal("size", [1, 2, 3])  # type: ignore[list-item]


# features


def test_features_are_appended_scaled_and_left_out_on_demand(rng):
    space = doe.Space(
        [doe.Real("rpm", 200, 1000), doe.Real("milling_min", 5, 300, log=True)],
        derived={"turns": "rpm * milling_min"}, features=["turns", "rpm / 100"],
    )  # fmt: skip
    drawn = space.sample(500, rng)
    code = space.encode(drawn)
    assert code.shape == (500, space.width) == (500, 4)
    assert space.encode(drawn, features=False).shape == (500, 2)
    assert np.quantile(code, 0.02, axis=0).min() > -0.1
    assert np.quantile(code, 0.98, axis=0).max() < 1.1
    turns = np.log(drawn["rpm"] * drawn["milling_min"])  # more than a decade: on the log scale
    assert np.corrcoef(code[:, 2], turns)[0, 1] == pytest.approx(1, abs=1e-6)
    again = doe.Space.from_dict(json.loads(json.dumps(space.to_dict())))
    assert np.array_equal(again.encode(drawn), code)
    with pytest.raises(doe.SpaceError, match="has no number"):
        doe.Space([doe.Real("x", 1, 2)], features=["log(-x)"]).encode({"x": 1})
    with pytest.raises(doe.SpaceError, match="leave it out"):
        doe.Space([doe.Real("x", 1, 2)], features=["0 * x"]).encode({"x": 1})


# probable rules


def test_an_uncertain_rule_holds_as_probably_as_its_draws(rng):
    space = doe.Space(
        [doe.Real("rpm", 200, 1000)],
        probable={"specific_energy_J_g <= 5000": 0.9, "rpm + specific_energy_J_g <= 6000": 0.5},
    )
    assert space.asks == ["specific_energy_J_g"]
    table = pd.DataFrame({"rpm": [300.0, 600.0]})
    draws = np.array([4000.0, 5000.0]) + 500 * rng.standard_normal((4000, 2))
    chances = space.chances(table, {"specific_energy_J_g": draws})
    assert chances[:, 0] == pytest.approx([0.977, 0.5], abs=0.03)
    assert space.meets(table, {"specific_energy_J_g": draws}).tolist() == [True, False]
    with pytest.raises(doe.RuleError, match="needs 'specific_energy_J_g'"):
        space.meets(table, {})
    again = doe.Space.from_dict(json.loads(json.dumps(space.to_dict())))
    assert again.probable == space.probable
    assert "P(specific_energy_J_g <= 5000) >= 0.9" in repr(space)


def test_a_probable_rule_on_known_quantities_is_a_plain_one():
    space = doe.Space([doe.Real("rpm", 200, 1000)], probable={"rpm <= 500": 0.9})
    assert space.asks == []
    assert space.feasible({"rpm": [400, 600]}).tolist() == [True, False]
    assert space.meets({"rpm": [400, 600]}, {}).tolist() == [True, True]
    for wrong in (1.0, 0, "0.9", True):
        with pytest.raises(doe.SpaceError, match="between 0 and 1"):
            doe.Space([doe.Real("rpm", 200, 1000)], probable={"rpm <= 500": wrong})  # type: ignore


def test_old_declarations_hold_no_new_keys():
    keys = set(doe.spaces.milling().to_dict())
    assert keys == {"factors", "constraints", "forbidden", "fixed", "derived"}


# nearest and nothing


def test_the_nearest_setting_is_the_projection():
    space = doe.Space([doe.Real("x", 0, 1), doe.Real("z", 0, 1)], ["x + z <= 1"])
    near = space.nearest({"x": [0.9, 0.2], "z": [0.7, 0.3]})
    assert near.to_numpy()[0] == pytest.approx([0.6, 0.4], abs=3e-3)
    assert near.to_numpy()[1].tolist() == [0.2, 0.3]
    assert near.attrs["moved"][1] == "row 1: feasible as it is"
    assert near.attrs["moved"][0].startswith("row 0: x 0.9 -> 0.6")


def test_the_nearest_setting_of_an_awkward_space_is_nearer_than_ten_thousand_drawn(rng):
    space = doe.Space(
        [
            doe.Mixture({"a": (0.2, 0.8), "b": (0.1, 0.6), "c": (0, 0.3)}),
            doe.Real("rpm", 200, 1000, step=50),
            doe.Choice("method", ["hand", "mill"]),
        ],
        ["rpm * c <= 60", "a >= 1.5 * b", "method == 'mill' or rpm <= 400"],
    )
    wanted = {"a": 0.3, "b": 0.5, "c": 0.3, "rpm": 990, "method": "hand"}
    near = space.nearest(wanted)
    assert space.feasible(near).all()
    goal = space.encode(pd.DataFrame([wanted]))
    gap = np.linalg.norm(space.encode(near) - goal)
    others = np.linalg.norm(space.encode(space.sample(10_000, rng)) - goal, axis=1)
    assert gap <= others.min() + 1e-6


def test_a_clash_names_rules_bounds_and_the_setting_that_breaks_least():
    with pytest.raises(doe.SpaceError) as caught:
        doe.Space(
            [doe.Real("rpm", 200, 1000), doe.Real("feed", 0, 10), doe.Real("other", 0, 1)],
            ["rpm * feed >= 6000", "rpm <= 500", "other >= 0.5"],
        )
    problem: Any = caught.value
    assert problem.clash == ["rpm * feed >= 6000", "rpm <= 500"]
    assert "rpm in [200, 1000] 1/min" in str(problem)
    assert "other >= 0.5" not in str(problem)
    near = problem.nearest
    assert near["other"] >= 0.5
    broken = [near["rpm"] * near["feed"] < 6000, near["rpm"] > 500]
    assert sum(broken) == 1
    assert "breaks only" in str(problem)
    by_product, by_speed = near["rpm"] * near["feed"], near["rpm"]
    assert by_product >= 4900 or by_speed <= 610  # the edge of the one that is kept


@pytest.mark.slow
def test_two_clashes_drop_two_rules():
    with pytest.raises(doe.SpaceError) as caught:
        doe.Space(
            [doe.Real("x", 0, 1), doe.Real("z", 0, 1)],
            ["x >= 0.7", "x <= 0.3", "z >= 0.8", "z <= 0.2"],
        )
    problem: Any = caught.value
    assert len(problem.clash) == 2
    assert str(problem).count(" (by ") == 2


# large discrete spaces


def large() -> doe.Space:
    return doe.Space(
        [doe.Integer(f"x{i}", 1, 20) for i in range(20)],
        ["x0 + x1 + x2 <= 12", "x3 * x4 >= 300"],
    )


def test_twenty_factors_of_twenty_levels_need_no_list_of_combinations(rng):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    space = large()
    assert space.size == pytest.approx(20.0**20)
    assert space.grid() is None
    drawn = space.sample(500, rng)
    moved = space.neighbours(drawn.head(50), rng, 5, 0.1)
    start = designs.start(space, 6, seed=1)
    for table in (drawn, moved, start):
        assert space.feasible(table).all()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 300_000  # kB; 20^20 combinations would be 1e27


def test_a_campaign_runs_on_twenty_factors_of_twenty_levels():
    space = large()
    campaign = doe.Campaign(space, maximize="worth", unit="1", seed=3)
    for _ in range(2):
        asked = campaign.suggest(2)
        assert space.feasible(asked[space.names]).all()
        made = {"suggestion": asked["suggestion"], "worth": asked["x0"] - asked["x5"]}
        campaign.record(pd.DataFrame(made))


# random spaces


@st.composite
def spaces(draw):
    """Spaces of every kind of factor with a few rules that leave something."""
    made: list[Any] = []
    numbers: list[tuple[str, float, float]] = []
    for i in range(draw(st.integers(1, 4))):
        name = f"f{i}"
        kind = draw(st.sampled_from(["real", "log", "step", "integer", "choice", "text", "rank"]))
        low = draw(st.integers(1, 20))
        high = low + draw(st.integers(2, 80))
        hard = draw(st.booleans()) and draw(st.booleans())
        if kind == "text":
            made.append(doe.Choice(name, ["u", "v", "w"], hard=hard))
        elif kind == "rank":
            made.append(doe.Ordinal(name, SIZES, hard=hard))
        elif kind == "choice":
            made.append(doe.Choice(name, [low, (low + high) / 2, high], hard=hard))
        elif kind == "integer":
            made.append(doe.Integer(name, low, high, hard=hard))
        else:
            step = (high - low) / draw(st.integers(1, 9)) if kind == "step" else None
            made.append(doe.Real(name, low, high, log=kind == "log", step=step, hard=hard))
        if kind not in ("text", "rank"):
            numbers.append((name, low, high))
    if draw(st.booleans()):
        cells = [draw(st.integers(0, 20)) for _ in range(draw(st.integers(2, 5)))]
        parts = {f"m{j}": (c / 100, c / 100 + draw(st.integers(5, 60)) / 100)
                 for j, c in enumerate(cells)}  # fmt: skip
        least, most = (sum(b[k] for b in parts.values()) for k in (0, 1))
        share = draw(st.integers(10, 90)) / 100
        total = round(least + share * (most - least), 2)
        step = draw(st.sampled_from([None, None, 0.01]))
        made.append(doe.Mixture(parts, total=total, step=step, hard=draw(st.booleans())))
        numbers += [(n, *b) for n, b in made[-1].bounds.items()]
    if numbers and draw(st.booleans()):
        name, low, high = draw(st.sampled_from(numbers))
        made.append(doe.Real("extra", 1, 9, only_if=f"{name} > {(low + high) / 2}"))
    held = []
    for _ in range(draw(st.integers(0, 2)) if len(numbers) > 1 else 0):
        (a, la, ha), (b, lb, hb) = draw(st.permutations(numbers))[:2]
        share = draw(st.integers(30, 95)) / 100
        kind = draw(st.sampled_from(["sum", "product", "either"]))
        if kind == "sum":
            bound = (la + lb) + share * (ha + hb - la - lb)
            held.append(f"{a} + {b} <= {bound:.6g}")
        elif kind == "product":
            held.append(f"{a} * {b} <= {la * lb + share * (ha * hb - la * lb):.6g}")
        else:
            held.append(f"{a} <= {la + share * (ha - la):.6g} or {b} >= {(lb + hb) / 2:.6g}")
    return made, held


def legal(space: doe.Space, table: pd.DataFrame, what: str) -> None:
    assert space.feasible(table).all(), (what, space.objections(table[~space.feasible(table)]))
    for mixture in space.mixtures:
        total = table[mixture.names].to_numpy(dtype=float).sum(axis=1)
        assert np.abs(total - mixture.total).max(initial=0) <= 1e-9, what


def ways_out(declared: tuple[list[Any], list[str]], seed: int, optimal: bool) -> None:
    """Every way out of a space is legal, and nothing legal is changed by snapping."""
    try:
        space = doe.Space(*declared)
    except doe.SpaceError as problem:
        assert "no setting is feasible" in str(problem)
        return
    rng = np.random.default_rng(seed)
    drawn = space.sample(40, rng)
    legal(space, drawn, "sample")
    legal(space, space.neighbours(drawn.head(10), rng, 4, 0.15), "neighbours")
    again = space.snap(drawn)
    for name in space.names:
        assert (again[name].to_numpy() == drawn[name].to_numpy()).all(), name
    legal(space, designs.start(space, 4, seed=seed), "start")
    assert np.isfinite(space.encode(drawn)).all()
    back = doe.Space.from_dict(json.loads(json.dumps(space.to_dict())))
    assert back.to_dict() == space.to_dict()
    if not optimal:
        return
    off = drawn.head(2).copy()
    for f in space.factors:
        if f.kind == "number":
            off[f.name] = rng.uniform(0.5 * f.low, 1.5 * f.high, 2)
    legal(space, space.nearest(off), "nearest")
    # so many runs as tell every effect of what is hard to change
    many = 1 + sum(fac.width(f) for f in space.factors if f.hard)
    many = many if 0 < len(space.hard) < len(space.factors) else None
    made: Any = doe.design(space, "d_optimal", len(space.factors) * 3 + 4, seed=seed, runs=many)
    legal(space, made, "d_optimal")
    if many:
        for k in range(many):
            run = made[np.array(made.attrs["runs"]) == k]
            assert (run[space.hard].nunique() == 1).all()
    if not space.mixtures:
        legal(space, doe.design(space, "full_factorial"), "full_factorial")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spaces(), st.integers(0, 2**31))
def test_nothing_illegal_leaves_a_space(declared, seed):
    ways_out(declared, seed, optimal=False)


@pytest.mark.slow
@settings(max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spaces(), st.integers(0, 2**31))
def test_nothing_illegal_leaves_thousands_of_spaces(declared, seed):
    ways_out(declared, seed, optimal=False)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spaces(), st.integers(0, 2**31))
def test_no_design_and_no_nearest_setting_is_illegal(declared, seed):
    ways_out(declared, seed, optimal=True)
