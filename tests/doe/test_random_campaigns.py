"""Random spaces and states: no campaign breaks a rule, repeats a pending setting, or forgets."""

import shutil
import subprocess
import sys
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
    """A mixture or not, numbers with and without steps, shared by runs or not, a choice, rules."""
    factors, rules = [], []
    if draw(st.booleans()):
        low = draw(st.floats(0.0, 0.3))
        factors.append(doe.Mixture({"am": (0.4, 0.8), "se": (low, 0.6), "cb": (0.0, 0.1)}))
        if draw(st.booleans()):
            rules.append("se >= 2 * cb")
    step, hard = draw(st.sampled_from([None, 0.5])), draw(st.booleans())
    factors.append(doe.Real("x", 0, 10, unit="1", step=step, hard=hard))
    factors.append(doe.Real("t", 1, 100, unit="1", log=True))
    if draw(st.booleans()):
        factors.append(doe.Choice("sort", ["a", "b", "c"], unit=""))
        rules.append("sort != 'b' or x <= 6")
    if draw(st.booleans()):
        rules.append("x * t <= 600")
    if draw(st.booleans()):
        factors.append(doe.Integer("n", 1, 4, unit="1", only_if="x > 3"))
    return doe.Space(factors, constraints=rules, per_run=2 if hard else None)


def filled(space, n, seed):
    table = space.sample(n, np.random.default_rng(seed))
    value = 100.0 + 5.0 * table["x"] - 0.1 * table["t"]
    return table.assign(**{OUTCOME: value + np.random.default_rng(seed).normal(0, 1, len(table))})


def goals(which, space):
    change = 2 if space.hard else 0
    return {
        "one": {"maximize": OUTCOME}, "two": {"maximize": OUTCOME, "minimize": "porosity"},
        "target": {"target": {OUTCOME: 120.0}},
        "limit": {"maximize": OUTCOME, "require": ["porosity <= 0.5"]},
        "cost": {"minimize": OUTCOME, "cost": "1 + t"},
        "robust": {"maximize": OUTCOME, "robust": 1.0},
        "prices": {"maximize": OUTCOME, "prices": doe.Prices(change_over=change, run=1, cell=0.5)},
        "desirable": {"goals": [doe.Goal(OUTCOME, "larger", 90, 150, 1.0),
                                doe.Goal("porosity", "smaller", 0.1, 0.5, 1.0)]},
    }[which]  # fmt: skip


ELSEWHERE = """
import sys
from pathlib import Path
import pandas as pd
from ssbayes import doe
for path in map(Path, sys.argv[1:]):
    asked = pd.read_pickle(path.with_suffix(".asked"))
    pd.testing.assert_frame_equal(doe.Campaign.open(path).suggest(len(asked)), asked)
    print(path.name)
"""


def same_in_another_process(copies: list[Path]) -> None:
    """Each copy, made before a campaign was asked, is asked the same by a fresh process."""
    done = subprocess.run([sys.executable, "-c", ELSEWHERE, *map(str, copies)],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert copies and done.stdout.splitlines() == [path.name for path in copies]


def ask(made, path: Path, n: int) -> tuple[pd.DataFrame, Path]:
    """What is suggested, legal and nothing twice, and a copy of the file as it was before."""
    space, still = made.space, made.suggestions()
    copy = path.with_name(f"{path.stem} {len(made.history())}.db")
    shutil.copy(path, copy)
    asked = made.suggest(n)
    assert len(asked) == n
    assert space.feasible(asked).all(), space.objections(asked)
    begun = still["suggestion"][still["state"].eq("planned")].tolist() if len(still) else []
    assert asked["suggestion"].tolist()[: len(begun)] == begun
    twice = asked.duplicated(space.names) & ~asked["reason"].str.contains("repeats")
    assert not twice.any() or space.grid(4) is not None, asked
    pd.testing.assert_frame_equal(doe.Campaign.open(path).suggest(n), asked)
    asked.to_pickle(copy.with_suffix(".asked"))
    return asked, copy


def check(space, which, rows, steps, folder: Path, seed, strategy="bayes") -> list[Path]:
    """Play a campaign whose batches are never recorded whole; copies of it before each question."""
    path = folder / f"{strategy}{seed}.db"
    for old in folder.glob(f"{path.stem}*"):
        old.unlink()
    made = doe.Campaign(space, store=path, seed=seed, strategy=strategy, **goals(which, space))
    start = filled(space, rows, seed)
    made.record(start.assign(porosity=0.2 + 0.02 * start["x"]))
    copies = []
    for k in range(steps):
        for n in (2, 3):  # one more while two are waiting
            asked, copy = ask(made, path, n)
            copies.append(copy)
        told = asked[["suggestion"]].head(2).assign(**{OUTCOME: 100.0 + k, "porosity": 0.3})
        if k == 0:
            told = told.assign(
                status=["failed", None], reason=["stuck", None],
                **{OUTCOME: [np.nan, 101.0], "porosity": [np.nan, 0.3]})
        made.record(told)
        if k % 2:
            made.drop(asked["suggestion"].iloc[2], reason="no powder")
    for over in ("tried", "space") if strategy == "bayes" else ():
        best = pd.DataFrame([dict(made.best(over))])
        assert space.allowed(best[space.names])[0]
        again = doe.Campaign.open(path).best(over)
        assert dict(again[space.names]) == dict(best[space.names].iloc[0])
    before = made.results()
    pd.testing.assert_frame_equal(doe.Campaign.open(path).results(), before)
    assert len(before) == rows + 2 * steps
    return copies


PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""Without shrinking: a campaign takes seconds."""
KINDS = st.sampled_from(
    ["one", "two", "target", "limit", "cost", "robust", "prices", "desirable"])
SEEDS = st.integers(0, 10_000)


def play(folder: Path, examples: int, rows: int, steps: int, strategy: str, fixed: bool = True
         ) -> None:
    """That many random campaigns, the last ten of them in another process as well."""
    copies: list[list[Path]] = []

    @settings(max_examples=examples, deadline=None, derandomize=fixed,
              phases=(Phase.generate,) if fixed else PHASES, database=None,
              suppress_health_check=list(HealthCheck))
    @given(spaces(), KINDS, SEEDS)
    def one(space, which, seed):
        if strategy == "skopt":
            which = "one"
        copies.append(check(space, which, rows, steps, folder, seed, strategy))

    one()
    kept = {path: None for played in copies[-10:] for path in played if path.exists()}
    same_in_another_process(list(kept))


def test_a_few_random_campaigns(tmp_path):
    play(tmp_path, 4, 6, 1, "bayes")


def test_random_states_of_the_baseline(tmp_path):
    play(tmp_path, 6, 3, 2, "random")


@pytest.mark.slow
@pytest.mark.parametrize(("strategy", "examples"), [
    ("bayes", 60), ("random", 2000), ("skopt", 40)])
def test_many_random_campaigns(tmp_path, strategy, examples):
    play(tmp_path, examples, 8, 3, strategy, fixed=False)
