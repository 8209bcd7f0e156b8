"""scikit-optimize behind one file: its dimensions, its samplers, its optimizer as a baseline."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from ssbayes import doe
from ssbayes.doe import sk
from ssbayes.doe.propose import Proposal


@pytest.mark.parametrize(
    "factor",
    [
        doe.Real("rpm", 200, 1000),
        doe.Real("milling_min", 5, 300, log=True),
        doe.Integer("n", 1, 40, log=True, unit="1"),
        doe.Choice("bead_mm", [1.75, 3.0, 5.0]),
        doe.Choice("method", ["hand", "mill"]),
    ],
)
def test_factors_go_there_and_back(factor):
    dimension = sk.to_skopt(factor)
    assert dimension.name == factor.name
    assert sk.from_skopt(dimension, unit=factor.unit) == factor


def test_a_space_goes_there_as_its_dimensions():
    dimensions = sk.to_skopt(doe.spaces.milling())
    assert [type(d).__name__ for d in dimensions] == ["Real", "Real", "Categorical"]


def test_a_dimension_without_a_name_or_of_another_kind_is_refused():
    with pytest.raises(doe.SpaceError, match="has no name"):
        sk.from_skopt(sk.to_skopt(doe.Real("rpm", 200, 1000)).__class__(0.0, 1.0))
    with pytest.raises(doe.SpaceError, match="no dimension that can be read"):
        sk.from_skopt(3, name="x")


@pytest.mark.parametrize("sampler", sk.SAMPLERS)
def test_samplers_fill_the_unit_cube_and_repeat_themselves(sampler):
    points = sk.unit_design(3, 16, 5, sampler)
    assert points.shape == (16, 3)
    assert points.min() >= 0
    assert points.max() < 1
    assert np.ptp(points, axis=0).min() > 0.4
    if sampler != "grid":
        assert np.array_equal(points, sk.unit_design(3, 16, 5, sampler))


def test_an_unknown_sampler_is_named():
    with pytest.raises(doe.SpaceError, match="did you mean 'sobol'"):
        sk.unit_design(3, 4, 1, "sobo")


def truth(settings) -> np.ndarray:
    return 165 - 60 * ((doe.spaces.milling().encode(settings) - 0.5) ** 2).sum(axis=1)


@pytest.mark.parametrize(("estimator", "steps"), [("GP", 12), ("RF", 6), ("ET", 6)])
def test_its_optimizer_takes_feasible_steps(estimator, steps, tmp_path):
    """A canary: an upgrade of scikit-optimize or of what it stands on shows here."""
    campaign = doe.Campaign(
        doe.spaces.milling(),
        maximize="capacity_mAh_g",
        strategy="skopt",
        options={"estimator": estimator},
        store=tmp_path / "mill.db",
    )
    for _ in range(steps // 2):
        table: Any = campaign.suggest(2)
        assert campaign.space.feasible(table).all()
        campaign.record(table.assign(capacity_mAh_g=truth(table)))
    results = campaign.results()
    assert len(results) == steps
    assert np.max(results["capacity_mAh_g"]) > 130
    reasons: Any = campaign.suggestions()["reason"]
    assert reasons.str.contains(estimator).sum() == steps - 4


def ask(space, rows, pending, **changes) -> Proposal:
    question = {
        "objective": "capacity_mAh_g",
        "maximize": True,
        "model": None,
        "fixed": {},
        "n": 2,
        "pending": pending,
        "seed": 3,
        "options": {},
    }
    return sk.propose(space, rows, **{**question, **changes})


def test_steps_rows_outside_and_missing_readings_do_no_harm(rng):
    space = doe.Space(
        [doe.Real("rpm", 200, 1000, step=50), doe.Integer("n", 1, 9)], forbidden=["rpm > 900"]
    )
    rows = space.sample(5, rng).assign(capacity_mAh_g=[150.0, np.nan, 160.0, 140.0, 120.0])
    rows.loc[4, "rpm"] = 4000.0
    proposal = ask(space, rows, space.sample(1, rng))
    assert space.feasible(proposal.settings).all()
    assert proposal.settings["n"].dtype.kind == "i"


def test_it_needs_a_reading_and_a_known_estimator(rng):
    space = doe.spaces.milling()
    rows = space.sample(2, rng).assign(capacity_mAh_g=np.nan)
    with pytest.raises(doe.CampaignError, match="one measured setting"):
        ask(space, rows, rows)
    with pytest.raises(doe.CampaignError, match="There are: GP, RF, ET"):
        ask(space, rows, rows, options={"estimator": "GBRT"})


def test_at_random_is_feasible_and_asks_for_no_start():
    campaign = doe.Campaign(doe.spaces.milling(), maximize="capacity_mAh_g", strategy="random")
    table: Any = campaign.suggest(6)
    assert campaign.space.feasible(table).all()
    assert set(table["reason"]) == {"at random within the space"}


@pytest.mark.parametrize("strategy", ["random", "skopt"])
def test_nothing_that_waits_comes_again_while_another_setting_is_left(strategy):
    space = doe.Space([doe.Choice("bead_mm", [1.0, 2.0, 3.0, 4.0, 5.0])])
    for seed in range(6 if strategy == "random" else 2):
        campaign = doe.Campaign(space, maximize="capacity_mAh_g", strategy=strategy, seed=seed)
        if strategy == "skopt":
            campaign.record(pd.DataFrame({"bead_mm": [1.0, 5.0], "capacity_mAh_g": [90.0, 120.0]}))
        campaign.suggest(2)
        asked: Any = campaign.suggest(5)
        assert sorted(asked["bead_mm"]) == [1.0, 2.0, 3.0, 4.0, 5.0]
        more: Any = campaign.suggest(6)
        told = more["reason"].str.contains("repeats a setting that waits").tolist()
        assert told == [False] * 5 + [True]


def test_a_point_that_scikit_optimize_asks_for_again_is_put_next_to_it(monkeypatch):
    """Its constant lie asks for one corner again and again."""
    monkeypatch.setattr("skopt.Optimizer.ask", lambda self, n_points: [[600.0, 30.0]] * n_points)
    space = doe.Space([doe.Real("rpm", 200, 1000), doe.Real("milling_min", 5, 60)])
    campaign = doe.Campaign(space, maximize="capacity_mAh_g", strategy="skopt", seed=1)
    rows = space.sample(8, np.random.default_rng(1))
    campaign.record(rows.assign(capacity_mAh_g=50.0 + rows["rpm"] / 10.0))
    campaign.suggest(2)
    asked: Any = campaign.suggest(5)
    assert not asked.duplicated(space.names).any() and space.feasible(asked).all()
    assert asked["reason"].str.contains("next to its choice").tolist() == [False] + [True] * 4
    far = np.linalg.norm(space.encode(asked) - space.encode(asked.head(1)), axis=1)
    assert far.max() < 0.1


def test_a_part_of_a_mixture_out_of_its_bounds_by_a_rounding_is_told_within_them():
    from skopt.space import Space

    space = doe.Space([doe.Mixture({"am": (0.4, 0.8), "se": (0.2, 0.6)})])
    told = sk.points(space, pd.DataFrame({"am": [0.8 + 1e-9, 0.4], "se": [0.2 - 1e-9, 0.6]}))
    assert all(point in Space(sk.to_skopt(space)) for point in told)
    np.testing.assert_allclose(told, [[0.8, 0.2], [0.4, 0.6]], atol=1e-8)
