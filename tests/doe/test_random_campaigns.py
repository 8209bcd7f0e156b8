"""Random spaces and states: no campaign breaks a rule, repeats a pending setting, or forgets."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from ssbayes import doe

OUTCOME = "capacity_mAh_g"


@st.composite
def spaces(draw):
    """A mixture or not, numbers with and without steps, a choice, rules between them."""
    factors, rules = [], []
    if draw(st.booleans()):
        low = draw(st.floats(0.0, 0.3))
        factors.append(doe.Mixture({"am": (0.4, 0.8), "se": (low, 0.6), "cb": (0.0, 0.1)}))
        if draw(st.booleans()):
            rules.append("se >= 2 * cb")
    factors.append(doe.Real("x", 0, 10, unit="1", step=draw(st.sampled_from([None, 0.5]))))
    factors.append(doe.Real("t", 1, 100, unit="1", log=True))
    if draw(st.booleans()):
        factors.append(doe.Choice("sort", ["a", "b", "c"], unit=""))
        rules.append("sort != 'b' or x <= 6")
    if draw(st.booleans()):
        rules.append("x * t <= 600")
    if draw(st.booleans()):
        factors.append(doe.Integer("n", 1, 4, unit="1", only_if="x > 3"))
    return doe.Space(factors, constraints=rules)


def filled(space, n, seed):
    table = space.sample(n, np.random.default_rng(seed))
    value = 100.0 + 5.0 * table["x"] - 0.1 * table["t"]
    return table.assign(**{OUTCOME: value + np.random.default_rng(seed).normal(0, 1, len(table))})


def goals(which):
    return {
        "one": {"maximize": OUTCOME}, "two": {"maximize": OUTCOME, "minimize": "porosity"},
        "target": {"target": {OUTCOME: 120.0}},
        "limit": {"maximize": OUTCOME, "require": ["porosity <= 0.5"]},
        "cost": {"minimize": OUTCOME, "cost": "1 + t"},
    }[which]  # fmt: skip


def check(space, which, rows, steps, folder: Path, seed):
    path = folder / f"{seed}.db"
    path.unlink(missing_ok=True)
    made = doe.Campaign(space, store=path, seed=seed, **goals(which))
    start = filled(space, rows, seed)
    made.record(start.assign(porosity=0.2 + 0.02 * start["x"]))
    for k in range(steps):
        asked = made.suggest(2)
        assert space.feasible(asked).all(), space.objections(asked)
        pending = asked[space.names].drop_duplicates()
        if rows > 4 and space.grid(4) is None:
            again = any("repeats" in text for text in asked["reason"])
            assert again or len(pending) == len(asked)
        other = doe.Campaign.open(path)
        pd.testing.assert_frame_equal(other.suggest(2), asked)
        told = asked[["suggestion"]].assign(**{OUTCOME: 100.0 + k, "porosity": 0.3})
        if k == 0:
            told = told.assign(
                status=["failed", None], reason=["stuck", None],
                **{OUTCOME: [np.nan, 101.0], "porosity": [np.nan, 0.3]})
        made.record(told)
    for over in ("tried", "space"):
        best = pd.DataFrame([dict(made.best(over))])
        assert space.allowed(best[space.names])[0]
    before = made.results()
    pd.testing.assert_frame_equal(doe.Campaign.open(path).results(), before)
    assert len(before) >= rows + 2 * steps - 1


PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""Without shrinking: a campaign takes seconds."""
KINDS = st.sampled_from(["one", "two", "target", "limit", "cost"])


@settings(max_examples=4, deadline=None, derandomize=True, phases=(Phase.generate,),
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spaces(), KINDS, st.integers(0, 10_000))
def test_a_few_random_campaigns(tmp_path, space, which, seed):
    check(space, which, 6, 1, tmp_path, seed)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, phases=PHASES,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spaces(), KINDS, st.integers(0, 10_000))
def test_many_random_campaigns(tmp_path, space, which, seed):
    check(space, which, 8, 3, tmp_path, seed)
