"""Other studies are related tasks: they help where they are alike, and do little harm elsewhere."""

import numpy as np
import pandas as pd
from ssbayes import doe
from ssbayes.doe import belief, readings
from ssbayes.doe import state as states

SPACE = doe.Space([doe.Real("rpm", 200, 1000), doe.Real("milling_min", 5, 60)])


def surface(table, phase=0.0):
    x = (table["rpm"] - 200.0) / 800.0
    t = (table["milling_min"] - 5.0) / 55.0
    return 150.0 + 20.0 * np.sin(3.0 * x + phase) - 15.0 * (t - 0.4) ** 2


def rows(own=4, other=25, phase=0.0, offset=8.0, seed=0):
    rng = np.random.default_rng(seed)
    mine = SPACE.sample(own, rng)
    theirs = SPACE.sample(other, rng)
    mine = mine.assign(study=None, capacity_mAh_g=surface(mine) + rng.normal(0, 1.0, own))
    value = surface(theirs, phase) + offset + rng.normal(0, 1.0, other)
    theirs = theirs.assign(study="last year", capacity_mAh_g=value)
    return pd.concat([mine, theirs], ignore_index=True).assign(kind="simulated")


def error(table, seed):
    found = belief.believe(SPACE, table, objective="capacity_mAh_g", model=None, fixed={}, seed=1)
    fresh = SPACE.sample(200, np.random.default_rng(99))
    return float(np.sqrt(np.mean((found.mean(fresh).mean(axis=0) - surface(fresh)) ** 2)))


def ratio(**how):
    with_memory, alone = [], []
    for seed in range(6):
        table = rows(seed=seed, **how)
        with_memory.append(error(table, seed))
        alone.append(error(table[table["study"].isna()].reset_index(drop=True), seed))
    return np.exp(np.mean(np.log(with_memory) - np.log(alone)))


def test_a_study_alike_but_for_an_offset_helps():
    assert ratio() < 0.7


def test_a_study_unlike_does_little_harm():
    assert ratio(phase=3.0) < 1.25


def test_own_settings_are_those_tried_and_one_study_alone_is_ones_own():
    table = rows()
    seen = readings.readings(SPACE, table, "capacity_mAh_g", {})
    assert seen.tasks == 1 and len(seen.tried()) == 4
    assert seen.beside(SPACE.encode(seen.settings)).shape == (29, 3)
    assert seen.beside(np.zeros((5, 2)), own=True)[:, 2].sum() == 0.0
    theirs = table[table["study"].notna()]
    assert readings.readings(SPACE, theirs, "capacity_mAh_g", {}).tasks == 0
    fixed = readings.readings(SPACE, table, "capacity_mAh_g", {"study": "last year"})
    assert fixed.tasks == 0 and len(fixed) == 25


def test_another_mill_is_a_related_task_like_another_study():
    """Without physics; a model that knows mills tells them apart by itself."""
    table, at = rows(), {"mill": "B"}
    mills = table.assign(mill=np.where(table["study"].isna(), "B", "A"), study=None)
    fresh = SPACE.sample(20, np.random.default_rng(9))
    said = [
        belief.believe(SPACE, t, objective="capacity_mAh_g", model=None, fixed=f, seed=1)
        .mean(fresh)
        for t, f in ((table, {}), (mills, at))
    ]
    assert np.array_equal(*said)
    assert len(readings.readings(SPACE, mills, "capacity_mAh_g", at)) == 4
    only = mills[mills["mill"] == "A"]
    seen = readings.readings(SPACE, only, "capacity_mAh_g", at, readings.MEMORY)
    assert seen.tasks == 1 and (seen.task == 1).all()  # never taken for the campaign's own


def test_a_campaign_remembers_another_mill_and_ranks_its_own_settings():
    table = rows(own=4, other=6)
    mills = table.assign(mill=np.where(table["study"].isna(), "B", "A")).drop(columns="study")
    made = doe.Campaign(SPACE, maximize="capacity_mAh_g", fixed={"mill": "B"}, seed=1)
    told = made.record(mills)
    assert sum("related task" in note for note in told.attrs["notes"]) == 6
    assert len(states.learned(made._log.state(), made.declaration)) == 10
    assert len(states.tried(made.results(), made.declaration)) == 4
    other = doe.Campaign(SPACE, maximize="capacity_mAh_g", fixed={"mill": "B"}, strategy="random")
    assert "not used" in other.record(mills).attrs["notes"][0]
    assert len(states.learned(other._log.state(), other.declaration)) == 4


def test_of_many_small_studies_the_largest_are_learned_one_by_one():
    table = pd.concat([rows(4, n, seed=n).assign(
        study=lambda t, n=n: t["study"].where(t["study"].isna(), f"study {n}"))
        for n in (3, 9, 6, 5, 4)], ignore_index=True)
    seen = readings.readings(SPACE, table, "capacity_mAh_g", {})
    assert seen.tasks == readings.TASKS
    assert (seen.task == 1).sum() == 9
