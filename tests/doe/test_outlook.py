"""Beliefs of several outcomes: what their draws share, and what they do not."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from ssbayes import doe
from ssbayes.doe import belief, outlook, posterior, surrogate
from ssbayes.doe.goals import goals


def test_data_alone_of_two_outcomes_have_nothing_in_common():
    space = doe.Space([doe.Real("x", 0.0, 1.0), doe.Real("y", 0.0, 1.0)])
    rng = np.random.default_rng(0)
    tried = space.sample(8, rng)
    rows = tried.assign(a=rng.standard_normal(8), b=rng.standard_normal(8))
    both = goals(maximize=["a", "b"])
    found = outlook.look(space, rows, goals=both, model=None, fixed={}, seed=1)
    at = found.values(space.sample(100, rng))
    together = [np.corrcoef(at["a"][:, k], at["b"][:, k])[0, 1] for k in range(100)]
    assert abs(np.mean(together)) < 4.0 / np.sqrt(surrogate.DRAWS)


@pytest.mark.parametrize("count", [13, 230, 243])
def test_draws_that_two_outcomes_give_to_the_physics_are_of_the_same_parameters(count):
    first, alone = belief._shared_out(count / surrogate.DRAWS, 2, True)
    every = belief._shared_out(1.0, 1, True)[0]
    assert len(first) == count and len(alone) == surrogate.DRAWS - count
    np.testing.assert_array_equal(first, every[:count])
    assert sorted(every) == list(range(surrogate.DRAWS))
    share = np.bincount(first // 16, minlength=16)  # of each hyperparameter's paths
    assert np.ptp(share) <= 1


def test_draws_of_parameters_are_in_the_order_of_those_of_the_means():
    kept = {"posterior:k": np.arange(256.0)}
    mean = SimpleNamespace(kept=kept)
    found = outlook.Outlook({"a": mean}).parameters(("k",))  # type: ignore[dict-item]
    np.testing.assert_array_equal(found[:, 0], belief.ORDER)


def test_answers_of_an_earlier_kind_of_belief_are_not_given_again():
    state = SimpleNamespace(draws=lambda purpose: {"for": purpose, "npz": ""})
    assert posterior._answered(state, "rank") is None  # type: ignore[arg-type]
    state = SimpleNamespace(draws=lambda purpose: {"for": purpose, "belief": posterior.BELIEF})
    assert posterior._answered(state, "rank") is not None  # type: ignore[arg-type]


def test_few_readings_do_not_change_the_scatter_of_the_physics(monkeypatch):
    """Nor larger: hyperparameters differ, but no reading speaks against the model's own scatter."""
    space = doe.Space([doe.Real("x", 0.0, 1.0)])

    class Physics:
        notes: list[str] = []  # noqa: RUF012

        def mean(self, settings):
            return np.random.default_rng(0).normal(100.0, 1.0, (surrogate.DRAWS, len(settings)))

        def moments(self, settings):
            return self.mean(settings), np.full((surrogate.DRAWS, len(settings)), 3.0), np.full(
                len(settings), 2.0)

        def scatter(self, settings):
            return np.full(len(settings), 3.0), np.full(len(settings), 2.0)

    monkeypatch.setattr(belief.physics.Physics, "learn", lambda *_: Physics())
    rows = pd.DataFrame({"x": [0.2, 0.8], "a": [100.0, 101.0]})
    for count in (1, 2):
        model = SimpleNamespace(groups=())
        found = belief.believe(
            space, rows.head(count), objective="a", model=model, fixed={}, seed=1  # type: ignore
        )
        cell, batch = found.scatter(rows[["x"]])
        assert cell == pytest.approx(3.0) and batch == pytest.approx(2.0)
