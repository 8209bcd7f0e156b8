"""Mixtures add up by construction: drawn uniformly, moved, rounded, never thrown away."""

import itertools
import json
import time
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ssbayes import data, doe
from ssbayes.doe.polytope import polytope, tightened

CATHODE = {"active": (0.6, 0.9), "electrolyte": (0.15, 0.35), "carbon": (0, 0.05)}


def sums(table: pd.DataFrame, mixture: doe.Mixture) -> np.ndarray:
    return table[mixture.names].to_numpy(dtype=float).sum(axis=1)


def test_draws_are_uniform_over_the_bounded_simplex(rng):
    """Against rejection from the box, part by part: Kolmogorov-Smirnov at 1e-4."""
    from scipy import stats

    mixture = doe.Mixture({"a": (0.1, 0.5), "b": (0.2, 0.6), "c": (0.0, 0.3), "d": (0.05, 0.2)})
    drawn: Any = pd.DataFrame(mixture.from_unit(rng.random((20_000, 4))))
    box = rng.uniform([0.1, 0.0, 0.05], [0.5, 0.3, 0.2], (60_000, 3))
    b = 1 - box.sum(axis=1)
    kept = np.column_stack([box[:, 0], b, box[:, 1:]])[(b >= 0.2) & (b <= 0.6)]
    for i, name in enumerate("abcd"):
        found: Any = stats.ks_2samp(drawn[name], kept[:, i])
        assert found.pvalue > 1e-4
    pairs = itertools.combinations(range(4), 2)
    for i, j in pairs:
        mine = np.corrcoef(drawn.iloc[:, i], drawn.iloc[:, j])[0, 1]
        assert mine == pytest.approx(np.corrcoef(kept[:, i], kept[:, j])[0, 1], abs=0.03)


@pytest.mark.parametrize("parts", [3, 6, 20])
def test_the_whole_simplex_has_its_known_moments(parts, rng):
    """Uniform on the simplex is Dirichlet(1, ..., 1): sd sqrt((k - 1) / (k^2 (k + 1)))."""
    mixture = doe.Mixture({f"p{i}": (0, 1) for i in range(parts)})
    x = np.column_stack(list(mixture.from_unit(rng.random((20_000, parts))).values()))
    sd = np.sqrt((parts - 1) / (parts**2 * (parts + 1)))
    error = 4 * sd / np.sqrt(len(x))
    assert x.mean(axis=0) == pytest.approx(np.full(parts, 1 / parts), abs=error)
    assert x.std(axis=0) == pytest.approx(np.full(parts, sd), rel=0.05)
    assert np.abs(x.sum(axis=1) - 1).max() < 1e-12


def test_a_six_part_mixture_is_drawn_at_once(rng):
    mixture = doe.Mixture({f"p{i}": (0.02 * i, 0.5) for i in range(6)})
    mixture.from_unit(rng.random((10, 6)))
    start = time.perf_counter()
    mixture.from_unit(rng.random((100_000, 6)))
    assert time.perf_counter() - start < 5  # 0.15 s when idle


def test_steps_give_every_composition_the_same_chance(rng):
    mixture = doe.Mixture({"a": (10, 90), "b": (5, 60), "c": (0, 50)}, total=100, step=5)
    every = mixture.every()
    known = [
        (a, b, 100 - a - b)
        for a in range(10, 91, 5) for b in range(5, 61, 5) if 0 <= 100 - a - b <= 50
    ]  # fmt: skip
    assert sorted(map(tuple, every.to_numpy().tolist())) == sorted(known)
    assert mixture.count == len(known)
    drawn = np.column_stack(list(mixture.from_unit(rng.random((60_000, 3))).values()))
    _, counts = np.unique(drawn, axis=0, return_counts=True)
    assert len(counts) == len(known)
    expected = 60_000 / len(known)
    chi = ((counts - expected) ** 2 / expected).sum()
    assert chi < len(known) + 5 * np.sqrt(2 * len(known))


def test_bounds_are_tightened_to_what_is_reached():
    bounds = doe.Mixture(CATHODE).bounds
    assert bounds["active"] == pytest.approx((0.6, 0.85))
    assert bounds["electrolyte"] == (0.15, 0.35)
    wide = doe.Mixture({"a": (0.0, 1.0), "b": (0.3, 0.4), "c": (0.1, 1.0)}).bounds
    assert wide["a"] == pytest.approx((0.0, 0.6))
    assert wide["c"] == pytest.approx((0.1, 0.7))


def test_an_optional_part_is_absent_or_at_least_its_low(rng):
    mixture = doe.Mixture(
        {"a": (0.3, 0.9), "b": (0.1, 0.6), "c": (0.05, 0.3), "d": (0.02, 0.2)},
        optional=["c", "d"], at_most=3,
    )  # fmt: skip
    drawn = pd.DataFrame(mixture.from_unit(rng.random((2000, 4))))
    table: Any
    for table in (drawn, pd.DataFrame(mixture.move(drawn, rng, np.full(2000, 0.1)))):
        for name, low in (("c", 0.05), ("d", 0.02)):
            assert ((table[name] == 0) | (table[name] >= low)).all()
            assert 0.1 < (table[name] == 0).mean() < 0.95
        assert ((table > 0).sum(axis=1) <= 3).all()
        assert mixture.contains(table).all()
    assert not mixture.contains(pd.DataFrame({"a": [0.5], "b": [0.48], "c": [0.02], "d": [0.0]}))


def test_snap_is_the_nearest_composition_and_keeps_compositions(rng):
    mixture = doe.Mixture(CATHODE)
    drawn = pd.DataFrame(mixture.from_unit(rng.random((200, 3))))
    same = pd.DataFrame(mixture.snap(drawn))
    assert (same.to_numpy() == drawn.to_numpy()).all()
    off = drawn + rng.normal(0, 0.1, drawn.shape)
    near = pd.DataFrame(mixture.snap(off))
    assert mixture.contains(near).all()
    wide = np.array([high - low for low, high in mixture.bounds.values()])
    gap = (((near - off) / wide) ** 2).sum(axis=1)
    many = np.column_stack(list(mixture.from_unit(rng.random((5000, 3))).values()))
    for row in range(20):
        other = (((many - off.to_numpy()[row]) / wide) ** 2).sum(axis=1)
        assert gap[row] <= other.min() + 1e-9


def test_a_walk_stays_uniform(rng):
    """Moves go as often back as forth: 60 of them leave the distribution as it was."""
    mixture = doe.Mixture(CATHODE)
    drawn: Any = pd.DataFrame(mixture.from_unit(rng.random((4000, 3))))
    walked: Any = drawn
    for _ in range(60):
        walked = pd.DataFrame(mixture.move(walked, rng, np.full(4000, 0.3)))
    assert np.abs(sums(walked, mixture) - 1).max() < 1e-12
    for name in mixture.names:
        spread = drawn[name].std()
        assert walked[name].mean() == pytest.approx(drawn[name].mean(), abs=0.08 * spread)
        assert walked[name].std() == pytest.approx(spread, rel=0.05)


def test_suggested_compositions_are_rounded_and_add_up(rng):
    space = doe.Space([doe.Mixture(CATHODE)])
    drawn = space.sample(200, rng)
    for name in drawn:
        assert np.mean([round(v, 4) == v for v in drawn[name]]) > 0.95
    assert np.abs(sums(drawn, space.mixtures[0]) - 1).max() < 1e-12


def test_a_mixture_in_a_space_is_columns_rules_and_a_declaration(rng):
    space = doe.Space(
        [
            doe.Real("rpm", 200, 1000),
            doe.Mixture(CATHODE, hard=True),
            doe.Choice("additive", ["fibre", "black"], only_if="carbon > 0.01"),
        ],
        ["active >= 2.5 * electrolyte", "rpm * carbon <= 20"],
        derived={"matrix": "electrolyte + carbon"},
        per_run=4,
    )
    assert space.names == ["rpm", "active", "electrolyte", "carbon", "additive"]
    assert space.hard == ["active", "electrolyte", "carbon"]
    assert space.width == 6
    drawn = space.sample(300, rng)
    np.testing.assert_array_equal(drawn["additive"] == "none", drawn["carbon"] <= 0.01)
    body = json.loads(json.dumps(space.to_dict()))
    again = doe.Space.from_dict(body)
    assert again.to_dict() == space.to_dict()
    assert repr(again) == repr(space)
    pd.testing.assert_frame_equal(again.sample(5, np.random.default_rng(3)),
                                  space.sample(5, np.random.default_rng(3)))  # fmt: skip
    assert space.given({"c_rate": 0.1}).mixtures[0].total == 1


def test_weighed_fractions_are_allowed_but_not_suggested():
    space = doe.Space([doe.Mixture(CATHODE)])
    weighed = {"active": 0.7, "electrolyte": 0.26, "carbon": 0.039}
    assert space.allowed(weighed).tolist() == [True]
    assert space.feasible(weighed).tolist() == [False]
    said = space.objections(weighed)
    assert said == ["row 0: active + electrolyte + carbon = 0.999, not 1"]
    wrong = {"active": 0.7, "electrolyte": 0.2, "carbon": 0.039}
    assert not space.allowed(wrong)[0]


def test_a_campaign_without_physics_runs_on_a_mixture():
    space = doe.Space([doe.Mixture(CATHODE, hard=True), doe.Real("stir_min", 2, 20)], per_run=2)
    campaign = doe.Campaign(space, maximize="worth", unit="1", seed=4)
    for _ in range(2):
        asked = campaign.suggest(4)
        assert space.feasible(asked[space.names]).all()
        assert np.abs(sums(asked, space.mixtures[0]) - 1).max() < 1e-9
        made = asked["active"] - (asked["carbon"] - 0.03) ** 2 * 1000
        campaign.record(pd.DataFrame({"suggestion": asked["suggestion"], "worth": made}))
    best = campaign.best(over="space")
    assert space.feasible(pd.DataFrame([best[space.names]])).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: doe.Mixture({"a": (0.6, 0.8), "b": (0.5, 0.6)}), "give 1.1 at least"),
        (lambda: doe.Mixture({"a": (0.1, 0.2), "b": (0.5, 0.6)}), "give 0.8 at most"),
        (lambda: doe.Mixture({"a": (0.1, 0.4), "b": (0.1, 0.6)}), "one composition only"),
        (lambda: doe.Mixture({"a": (0.105, 0.4), "b": (0.2, 0.7)}, step=0.01), "by their steps"),
        (lambda: doe.Mixture({"a": (0, 1)}), "two parts or more"),
        (lambda: doe.Mixture({"a": (0.3, 0.3), "b": (0, 1)}), "lower the total"),
        (lambda: doe.Mixture({"a": (-0.1, 0.3), "b": (0, 1)}), "no less than 0"),
        (lambda: doe.Mixture({"a": (0, 1), "b": (0, 1)}, optional=["c"]), "'c' is no part"),
        (lambda: doe.Mixture({"a": (0, 1), "b": (0, 1)}, optional=["a"]), "a low above 0"),
        (lambda: doe.Mixture({"a": (0.1, 1), "b": (0, 1)}, at_most=1), "always there"),
        (lambda: doe.Mixture({"a": doe.Real("a", 0.1, 1, log=True), "b": (0, 1)}), "has no log"),
        (lambda: doe.Mixture({"a": doe.Real("a", 0, 1, hard=True), "b": (0, 1)}), "hard=True)"),
        (lambda: doe.Mixture({"a": 0.3, "b": (0, 1)}), "no bounds"),
        (lambda: doe.Mixture({"a": (0, 1), "b": (0, 1)}, total=0), "above 0"),
        (lambda: doe.Space([doe.Mixture(CATHODE), doe.Real("active", 0, 1)]), "declared twice"),
        (lambda: doe.Space(doe.Mixture(CATHODE)), "is a list"),  # type: ignore[arg-type]
    ],
)
def test_bad_mixtures_say_what_is_wrong(make, message):
    with pytest.raises(doe.SpaceError) as caught:
        make()
    assert message in str(caught.value)


@st.composite
def boxes(draw):
    """Bounds with a total inside of what they can make up, and steps on some of them."""
    k = draw(st.integers(2, 7))
    cells = [draw(st.integers(0, 20)) for _ in range(k)]
    spans = [draw(st.integers(1, 40)) for _ in range(k)]
    total = sum(cells) + draw(st.integers(1, max(sum(spans) - 1, 1)))
    steps = [draw(st.sampled_from([None, None, 1, 2, 5])) for _ in range(k)]
    return cells, spans, total, steps


@settings(max_examples=150, deadline=None)
@given(boxes(), st.integers(0, 2**31))
def test_whatever_leaves_a_mixture_adds_up_and_keeps_bounds_and_steps(box, seed):
    """Any bounds and steps: it is refused when declared, or every way out of it is legal."""
    cells, spans, total, steps = box
    parts = {
        f"p{i}": {"low": c / 100, "high": (c + s) / 100}
        | ({} if q is None or q > s else {"step": q / 100})
        for i, (c, s, q) in enumerate(zip(cells, spans, steps, strict=True))
    }
    try:
        mixture = doe.Mixture(parts, total=total / 100)
    except doe.SpaceError as problem:
        assert "p" in str(problem)
        return
    rng = np.random.default_rng(seed)
    k = len(parts)
    drawn = pd.DataFrame(mixture.from_unit(rng.random((50, k))))
    far = pd.DataFrame(rng.uniform(-0.5, 1.5, (20, k)), columns=mixture.names)
    ways = {
        "drawn": drawn,
        "ends": pd.DataFrame(mixture.from_unit(np.array([np.zeros(k), np.full(k, 1 - 1e-12)]))),
        "moved": pd.DataFrame(mixture.move(drawn, rng, np.full(50, 0.2))),
        "snapped": pd.DataFrame(mixture.snap(far)),
        "kept": pd.DataFrame(mixture.snap(drawn)),
        "tidy": pd.DataFrame(mixture.tidy(drawn)),
    }
    for name, table in ways.items():
        assert np.abs(sums(table, mixture) - total / 100).max() <= 1e-9, name
        assert mixture.contains(table).all(), name
        for i, part in enumerate(parts.values()):
            x = table[f"p{i}"].to_numpy()
            assert (x >= part["low"] - 1e-9).all() and (x <= part["high"] + 1e-9).all(), name
            if "step" in part:
                at = (x - part["low"]) / part["step"]
                assert np.abs(at - np.rint(at)).max() < 1e-6, name
    np.testing.assert_array_equal(ways["kept"], drawn)


def test_bounds_of_a_polytope_are_reached(rng):
    low, high = tightened(np.array([0.0, 0.1, 0.0]), np.array([1.0, 0.2, 0.9]), 1.0)
    made = polytope(tuple(low), tuple(high), 1.0, (None, None, None))
    x = made.from_unit(rng.random((20_000, 3)))
    assert x.min(axis=0) == pytest.approx(low, abs=0.01)
    assert x.max(axis=0) == pytest.approx(high, abs=0.01)


@pytest.mark.parametrize(
    "active, said",
    [
        (0.8, r"row 1, column 'active \+ electrolyte': found 1\.1, .* add up to 1; correct a part"),
        (79.7, r"found 80.0, expected parts that add up to 1; correct a part"),
        (99.7, r"found 100.0, expected parts that add up to 1; divide by 100, these are percent"),
        (-0.3, r"row 1, column 'active': found -0\.3, expected a part of 0 or more"),
        (-0.29, r"column 'active': found -0\.29, expected a part of 0 or more"),
    ],
)
def test_results_that_no_powder_can_be_are_refused_and_nothing_is_kept(active, said):
    parts = {"active": (0.6, 0.9), "electrolyte": (0.1, 0.4)}
    campaign = doe.Campaign(doe.Space([doe.Mixture(parts)]), maximize="strength", unit="MPa")
    good = {"active": 0.7, "electrolyte": 0.3, "strength": 2.0}
    with pytest.raises(data.TableError, match=said):
        campaign.record([good, good | {"active": active}])
    assert not len(campaign.results())


def test_fractions_where_percent_were_declared_are_refused():
    parts = {"active_pct": (60.0, 90.0), "electrolyte_pct": (10.0, 40.0)}
    space = doe.Space([doe.Mixture(parts, total=100, unit="%")])
    campaign = doe.Campaign(space, maximize="strength", unit="MPa")
    with pytest.raises(data.TableError, match="multiply by 100, these are fractions"):
        campaign.record({"active_pct": 0.7, "electrolyte_pct": 0.3, "strength": 2.0})
    assert not len(campaign.results())


@pytest.mark.parametrize("active", [0.71, 0.69, 0.65])
def test_results_off_the_whole_by_rounding_or_short_of_it_are_kept_with_a_note(active):
    parts = {"active": (0.6, 0.9), "electrolyte": (0.1, 0.4)}
    campaign = doe.Campaign(doe.Space([doe.Mixture(parts)]), maximize="strength", unit="MPa")
    told = campaign.record({"active": active, "electrolyte": 0.3, "strength": 2.0})
    assert f"= {active + 0.3:.10g}, not 1" in " ".join(told.attrs["notes"])
    assert len(campaign.results()) == 1
