"""What a design can tell: aliased factors are found, named, and the run that separates them too."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from ssbayes.models import aliasing

SIZES, GAPS, SOLIDS = (4.0, 6.0), (100.0, 300.0), (48.0, 50.0, 52.0)
NAMES = ["active_d50_um", "gap_um", "solid_content_pct"]


def plan() -> pd.DataFrame:
    """Two materials, each with a gap of its own, at three solid contents."""
    pairs = zip(SIZES, GAPS, strict=True)
    return pd.DataFrame([(d, g, s) for d, g in pairs for s in SOLIDS], columns=pd.Index(NAMES))


def crossed() -> pd.DataFrame:
    rows = [(d, g, s) for d in SIZES for g in GAPS for s in SOLIDS if (d, g) != (6.0, 100.0)]
    return pd.DataFrame(rows, columns=pd.Index(NAMES))


def test_size_and_gap_of_the_published_plan_are_one_factor():
    found = aliasing.report(plan())
    assert found.sets == (("active_d50_um", "gap_um"),)
    assert found.table.loc["active_d50_um", "largest_correlation"] == pytest.approx(1.0)
    assert found.table["told"].to_list() == ["in a sum only", "in a sum only", "alone"]
    assert found.table["variance_inflation"].to_list() == [np.inf, np.inf, pytest.approx(1.0)]
    assert found.separable == ["solid_content_pct"]
    assert found.partners("gap_um") == ("active_d50_um", "gap_um")
    assert "not separable" in found.sentences[0] and "correlation 1" in found.sentences[0]
    ends = found.contrasts.loc["active_d50_um + gap_um"]
    assert ends.to_numpy().tolist() == [[4, 100], [6, 300]]


@pytest.mark.parametrize("log", [(), ("gap_um", "active_d50_um")])
def test_the_run_that_separates_them_is_the_fine_material_at_the_wide_gap(log):
    found = aliasing.breaking_runs(plan(), crossed(), log=log)
    assert found[["active_d50_um", "gap_um"]].drop_duplicates().to_numpy().tolist() == [[4, 300]]
    best = found.iloc[0]
    assert best["solid_content_pct"] == 50  # in the middle it costs the slope nothing
    assert best["separates"] == "active_d50_um, gap_um" and best["still_aliased"] == ""
    after = aliasing.report(pd.concat([plan(), found.iloc[[0]][NAMES]]), NAMES, log=log)
    assert after.sets == () and after.separable == NAMES
    assert best["variance_inflation"] == pytest.approx(after.table["variance_inflation"].max())


def test_the_verdict_is_that_of_least_squares():
    """A single effect is told where its variance in a regression is finite, and only there."""
    rng = np.random.default_rng(2)
    for _ in range(40):
        x = rng.integers(0, 3, size=(6, 4)).astype(float)
        if rng.random() < 0.5:
            x[:, 3] = x[:, 0] - 2 * x[:, 1]
        design = pd.DataFrame(x, columns=pd.Index(list("abcd")))
        centred = x - x.mean(axis=0)
        hat = np.linalg.pinv(centred) @ centred
        told = np.isclose(np.diag(hat), 1.0) & (centred.std(axis=0) > 0)
        found = aliasing.report(design)
        assert found.separable == [n for n, t in zip("abcd", told, strict=True) if t]


def test_units_of_the_factors_do_not_matter():
    moved = plan().assign(gap_um=lambda t: t.gap_um / 25_400 - 7, solid_content_pct=lambda t:
                          t.solid_content_pct * 1e6)
    first, other = (aliasing.report(t) for t in (plan(), moved))
    assert first.sets == other.sets
    assert first.table["told"].equals(other.table["told"])


def test_shares_that_add_up_to_one_are_aliased_all_three():
    rng = np.random.default_rng(1)
    names = pd.Index(["cam", "se", "carbon"])
    shares: Any = pd.DataFrame(rng.dirichlet([1, 1, 1], 9), columns=names)
    found = aliasing.report(shares.assign(rpm=rng.normal(size=9)))
    assert found.sets == (("cam", "se", "carbon"),)
    assert found.separable == ["rpm"]
    assert "rank 2" in found.sentences[0]
    assert aliasing.report(shares[["cam", "se"]]).separable == ["cam", "se"]


def test_two_aliases_side_by_side_are_two_sets():
    t = pd.DataFrame({"a": [0, 0, 1, 1.0], "b": [0, 0, 2, 2.0], "c": [0, 1, 0, 1.0],
                      "d": [5, 3, 5, 3.0]})
    found = aliasing.report(t)
    assert found.sets == (("a", "b"), ("c", "d"))
    assert found.table.loc["d", "largest_correlation"] == pytest.approx(-1.0)


def test_text_takes_part_and_what_never_changes_is_said():
    t = plan().assign(operator=["Ann", "Ann", "Ann", "Bo", "Bo", "Bo"], rpm=2000.0)
    found = aliasing.report(t)
    assert set(found.sets[0]) == {"active_d50_um", "gap_um", "operator"}
    assert found.table.loc["rpm", "told"] == "not varied"
    assert any("rpm was not varied" in s for s in found.sentences)


def test_nearly_aliased_is_told_with_what_it_costs():
    t = plan()
    t["gap_um"] += [9, -4, 6, -8, 3, -7]
    found = aliasing.report(t, NAMES)
    assert found.sets == ()
    assert found.table.loc["gap_um", "told"] == "nearly aliased"
    # the inflation is that of the variance in a regression
    x = t[NAMES].to_numpy()
    x = x - x.mean(axis=0)
    variance = np.linalg.inv(x.T @ x).diagonal() * (x**2).sum(axis=0)
    assert found.table["variance_inflation"].to_numpy() == pytest.approx(variance)
    assert f"{variance[1]:.0f} times" in " ".join(found.sentences)


def test_an_interaction_is_a_column_of_its_own():
    t = plan()
    t["size x solids"] = (t.active_d50_um - 5) * (t.solid_content_pct - 50)
    assert aliasing.report(t).separable == ["solid_content_pct", "size x solids"]


def test_too_few_runs_alias_everything():
    found = aliasing.report(crossed().iloc[[0, 4]], NAMES)
    assert found.separable == []


@pytest.mark.parametrize(("change", "call", "message"), [
    ({}, {"factors": ["gap"]}, "'gap' is no column of the design.*did you mean 'gap_um'"),
    ({"gap_um": np.nan}, {}, "row 0 has no gap_um"),
    ({"gap_um": 0.0}, {"log": ["gap_um"]}, "row 0: gap_um = 0 has no logarithm"),
])
def test_bad_designs_are_named(change, call, message):
    with pytest.raises(ValueError, match=message):
        aliasing.report(plan().assign(**change), **call)
    with pytest.raises(ValueError, match="no rows"):
        aliasing.report(plan().iloc[:0])
