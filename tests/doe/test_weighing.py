"""Weighed masses in the place of planned compositions, in every campaign that mixes."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as setup
from hypothesis import strategies as st
from ssbayes import data, doe
from ssbayes.doe import weighing

PARTS = {
    "active_fraction": (0.6, 0.8),
    "electrolyte_fraction": (0.15, 0.4),
    "carbon_fraction": (0.0, 0.05),
}
MASSES = ("weighed_active_g", "weighed_electrolyte_g", "weighed_carbon_g")
PLAN = {"active_fraction": 0.7, "electrolyte_fraction": 0.27, "carbon_fraction": 0.03}


def begin(mixture: doe.Mixture | None = None, **options: Any) -> doe.Campaign:
    space = doe.Space([mixture or doe.Mixture(PARTS), doe.Real("milling_min", 5, 60, log=True)])
    return doe.Campaign(space, maximize="capacity_mAh_g", seed=1, **options)


def weighed(setting: Any, total: float = 10.0, **factors: float) -> dict[str, float]:
    """Masses of a composition, each off by a factor."""
    return {
        m: total * float(setting[n]) * factors.get(n, 1.0)
        for n, m in zip(PARTS, MASSES, strict=True)
    }


@setup(max_examples=60, deadline=None)
@given(
    shares=st.tuples(*[st.floats(0.0, 1.0)] * 4).filter(lambda s: sum(s) > 0.01),
    grams=st.floats(1e-3, 1e3),
    total=st.sampled_from([1.0, 100.0]),
)
def test_masses_give_their_composition_whatever_their_sum(shares, grams, total):
    parts = {f"p{i}": (0.0, total) for i in range(4)}
    space = doe.Space([doe.Mixture(parts, total=total)])
    one = pd.DataFrame([{f"weighed_p{i}_g": s * grams for i, s in enumerate(shares)}])
    table = one.assign(**{n: None for n in parts}).astype(object)
    assert weighing.replace(table, space, pd.DataFrame()) == []
    made = table[list(parts)].to_numpy(dtype=float)[0]
    assert made.sum() == pytest.approx(total, rel=1e-12)
    np.testing.assert_allclose(made * sum(shares), total * np.array(shares), atol=1e-9 * total)
    assert space.allowed(table[list(parts)].astype(float)).all()


def test_what_was_weighed_replaces_the_plan_and_the_plan_stays_beside(calls):
    campaign = begin()
    asked = campaign.suggest(2).iloc[0]
    masses = weighed(asked, active_fraction=1.03)
    told: Any = campaign.record(
        {"suggestion": asked["suggestion"], **masses, "capacity_mAh_g": 150.0}
    )
    row = told.iloc[0]
    for name, mass in zip(PARTS, MASSES, strict=True):
        assert row[name] == pytest.approx(masses[mass] / sum(masses.values()))
        assert row[f"planned_{name}"] == asked[name]
        assert row[mass] == masses[mass]
    again: Any = campaign.results()
    assert again[list(PARTS)].iloc[0].tolist() == row[list(PARTS)].tolist()
    campaign.suggest(6)
    learned = calls[-1].rows if calls else again
    assert learned["active_fraction"].iloc[0] == row["active_fraction"]


def test_masses_alone_say_the_setting_of_a_row_without_a_suggestion(calls):
    campaign = begin()
    told: Any = campaign.record({**weighed(PLAN), "milling_min": 20.0, "capacity_mAh_g": 150.0})
    assert told[list(PARTS)].iloc[0].to_dict() == pytest.approx(PLAN)
    assert not any(c.startswith("planned_") for c in told)
    stated: Any = campaign.record(
        {**PLAN, **weighed(PLAN, carbon_fraction=1.3), "milling_min": 20.0, "capacity_mAh_g": 151.0}
    )
    assert stated["planned_carbon_fraction"].item() == 0.03
    assert stated["carbon_fraction"].item() == pytest.approx(0.039 / 1.009)
    assert any("carbon_fraction as weighed is" in n for n in stated.attrs["notes"])


def test_a_departure_is_noted_beyond_the_step_and_not_below(calls):
    campaign = begin(doe.Mixture(PARTS, step=0.01))
    near = {**PLAN, **weighed(PLAN, active_fraction=1.02)}  # 0.006: below the step
    far = {**PLAN, **weighed(PLAN, active_fraction=1.10)}  # 0.020
    quiet = campaign.record({**near, "milling_min": 20.0, "capacity_mAh_g": 150.0})
    assert quiet.attrs["notes"] == []
    loud = campaign.record({**far, "milling_min": 20.0, "capacity_mAh_g": 150.0})
    assert any("its step of 0.01" in n and "active_fraction" in n for n in loud.attrs["notes"])
    assert campaign.history()["what"].str.contains("as weighed is").any()


def test_repeats_that_differ_by_the_balance_are_one_setting_in_a_ranking(calls):
    """The model learns from what was made; a recipe that can be weighed again is recommended."""
    campaign = begin()
    edge = {"active_fraction": 0.8, "electrolyte_fraction": 0.18, "carbon_fraction": 0.02}
    for off in (1.001, 0.999, 1.0):  # of which the first is beyond the bound
        masses = weighed(edge, active_fraction=off)
        campaign.record({**edge, **masses, "milling_min": 20.0, "capacity_mAh_g": 170.0 * off})
    table: Any = campaign.rank().table
    assert len(table) == 1
    assert table["readings"].item() == 3
    assert table["allowed"].item()
    best: Any = campaign.best()
    assert best["active_fraction"] == 0.8
    learned = calls[-1].rows["active_fraction"].to_numpy()
    assert len(set(learned)) == 3
    assert max(learned) > 0.8


def test_a_setting_that_was_not_weighed_stays_among_those_tried_beside_one_that_was(calls):
    campaign = begin()
    asked: Any = campaign.suggest(2)
    masses = weighed(asked.iloc[0], active_fraction=1.05)
    campaign.record([
        {"suggestion": "s0001", **masses, "capacity_mAh_g": 150.0},
        {"suggestion": "s0002", "capacity_mAh_g": 160.0},
    ])
    table: Any = campaign.rank().table
    assert len(table) == 2 and table[list(PARTS)].notna().all(axis=None)
    plain = table[table["suggestion"] == "s0002"].iloc[0]
    assert [plain[n] for n in PARTS] == [asked.iloc[1][n] for n in PARTS]


def test_a_later_reading_is_of_what_was_made(calls):
    """Porosity now, capacity next week: the second row need not repeat what was weighed."""
    campaign = begin()
    asked = campaign.suggest(1).iloc[0]
    masses = weighed(asked, active_fraction=1.05)
    first: Any = campaign.record({"suggestion": "s0001", **masses, "porosity": 0.12})
    second: Any = campaign.record({"suggestion": "s0001", "capacity_mAh_g": 150.0})
    names = [*PARTS, *(f"planned_{n}" for n in PARTS)]
    assert second[names].iloc[0].tolist() == first[names].iloc[0].tolist()
    assert len(campaign.rank().table) == 1


def test_what_was_run_instead_is_remembered_too(calls):
    campaign = begin()
    asked = campaign.suggest(1).iloc[0]
    minutes = 33.0 if asked["milling_min"] < 30 else 7.0
    campaign.record({"suggestion": "s0001", "milling_min": minutes, "porosity": 0.12})
    later: Any = campaign.record({"suggestion": "s0001", "capacity_mAh_g": 150.0})
    assert later["milling_min"].item() == minutes
    other: Any = campaign.record(
        {"suggestion": "s0001", "batch": "another", "capacity_mAh_g": 149.0}
    )
    assert other["milling_min"].item() == asked["milling_min"]


def test_a_reading_without_a_batch_is_of_the_one_that_was_made(calls):
    campaign = begin()
    asked = campaign.suggest(1).iloc[0]
    minutes = 33.0 if asked["milling_min"] < 30 else 7.0
    made = {"suggestion": "s0001", "capacity_mAh_g": 150.0}
    campaign.record({**made, "batch": "B7", "milling_min": minutes, "cell": "c1"})
    later: Any = campaign.record({**made, "cell": "c2"})
    assert later[["batch", "milling_min"]].iloc[0].tolist() == ["B7", minutes]
    assert later.attrs["notes"] == [
        f"s0001 was run with milling_min = {minutes:.6g}, suggested was "
        f"{asked['milling_min']:.6g}"
    ]
    fresh = begin()
    fresh.suggest(1)
    with pytest.raises(data.TableError, match=r"milling_min.*batch 'B9' again"):
        fresh.record([{**made, "batch": "B9", "cell": "c5", "milling_min": 9.0},
                      {**made, "cell": "c6"}])  # fmt: skip
    campaign.record({**made, "batch": "B8", "cell": "c3"}, id="again")
    known: Any = campaign.record({**made, "cell": "c3", "c_rate": 1.0})
    assert known["batch"].tolist() == ["B8"]
    told: Any = campaign.record({**made, "cell": "c4"})
    assert told["batch"].tolist() == ["B7"]
    assert told.attrs["notes"][0].startswith(
        "s0001: taken to be of batch B7, since no batch is named and there are B7, B8"
    )
    assert campaign.record({**made, "batch": "B8", "cell": "c3"}, id="again")["cell"][0] == "c3"


def test_what_was_weighed_is_kept_until_it_is_measured(calls):
    campaign = begin()
    asked: Any = campaign.suggest(4)
    rows: list[Any] = [{"suggestion": s} for s in asked["suggestion"]]
    rows[0] |= {"capacity_mAh_g": 150.0, **weighed(asked.iloc[0])}
    rows[1] |= {"batch": "B2", **weighed(asked.iloc[1], active_fraction=1.1)}
    rows[2] |= {"batch": "B3", "weighed_active_g": 7.0}
    told: Any = campaign.record(rows)
    assert told["suggestion"].tolist() == ["s0001", "s0002"]
    assert told["status"].tolist() == [None, "running"]
    assert told.attrs["notes"][:3] == [
        "s0002: weighed and nothing measured yet, kept as running",
        "s0003: nothing measured yet, left open; give weighed_active_g, batch again with the "
        "reading",
        "s0004: nothing measured yet, left open",
    ]
    campaign.suggest(6)
    assert len(calls[-1].rows) == 1 and len(campaign.rank().table) == 1
    states: Any = campaign.suggestions()["state"]
    assert states[:4].tolist() == ["done", "running", "open", "open"]
    rows[2] = {"suggestion": "s0003", "capacity_mAh_g": 140.0, **weighed(asked.iloc[2])}
    again = campaign.record(rows[1:])
    assert again.attrs["notes"][0] == "s0002: nothing measured yet, left open"
    with pytest.raises(doe.CampaignError, match="nothing to record"):
        campaign.record(rows[1])
    later: Any = campaign.record({"suggestion": "s0002", "capacity_mAh_g": 160.0})
    assert later["batch"].tolist() == ["B2"]
    assert later["active_fraction"][0] == told["active_fraction"][1]
    assert later["planned_active_fraction"][0] == asked["active_fraction"][1]


def test_a_batch_that_is_named_with_its_reading_is_what_was_weighed(calls):
    campaign = begin()
    asked: Any = campaign.suggest(1)
    masses = weighed(asked.iloc[0], active_fraction=1.1)
    kept: Any = campaign.record({"suggestion": "s0001", **masses})
    reading = {"suggestion": "s0001", "batch": "B1", "capacity_mAh_g": 150.0}
    told: Any = campaign.record({**reading, "cell": "a"})
    assert "s0001: B1 taken to be what was weighed for s0001" in told.attrs["notes"]
    names = [*PARTS, *(f"planned_{n}" for n in PARTS)]
    assert told[names].iloc[0].tolist() == kept[names].iloc[0].tolist()
    later: Any = campaign.record({"suggestion": "s0001", "capacity_mAh_g": 151.0, "cell": "b"})
    assert later["batch"].tolist() == ["B1"]
    assert later[names].iloc[0].tolist() == kept[names].iloc[0].tolist()
    second: Any = campaign.record({**reading, "batch": "B2", "cell": "c"})
    assert second["active_fraction"][0] == asked["active_fraction"][0]
    assert second.attrs["notes"][0].startswith("s0001: B2 taken to be as suggested or given; what "
                                               "was weighed is of batch B1")
    assert campaign.suggestions()["state"].tolist() == ["done"]


def test_a_batch_that_says_what_it_is_made_of_is_none_that_was_weighed_before(calls):
    campaign = begin()
    asked: Any = campaign.suggest(2)
    campaign.record([{"suggestion": s, **weighed(asked.iloc[k], active_fraction=1.1)}
                     for k, s in enumerate(asked["suggestion"])])  # fmt: skip
    own = weighed(asked.iloc[0], active_fraction=0.95)
    told: Any = campaign.record({"suggestion": "s0001", "batch": "B1", **own,
                                 "capacity_mAh_g": 150.0})  # fmt: skip
    assert told["active_fraction"][0] == pytest.approx(own[MASSES[0]] / sum(own.values()))
    assert not any("taken to be" in n for n in told.attrs["notes"])
    sheet = asked.iloc[1:].assign(batch="B2", capacity_mAh_g=150.0)
    given: Any = campaign.record(sheet)
    assert given["active_fraction"].tolist() == [asked["active_fraction"][1]]
    assert "s0002: B2 taken to be as suggested or given" in given.attrs["notes"][0]


def test_a_named_batch_that_was_weighed_is_not_another_one_that_is_read(calls):
    campaign = begin()
    asked: Any = campaign.suggest(1)
    masses = weighed(asked.iloc[0], active_fraction=1.1)
    campaign.record({"suggestion": "s0001", "batch": "B1", **masses})
    told = campaign.record({"suggestion": "s0001", "batch": "B2", "capacity_mAh_g": 150.0})
    assert "what was weighed is of batch B1" in told.attrs["notes"][0]


def test_a_file_and_a_retry_say_the_same(calls, tmp_path):
    path = tmp_path / "mix.db"
    campaign = begin(store=path)
    asked = campaign.suggest(1).iloc[0]
    row = {"suggestion": "s0001", **weighed(asked), "capacity_mAh_g": 150.0}
    pd.DataFrame([row]).to_csv(tmp_path / "week.csv", index=False)
    first: Any = campaign.record(tmp_path / "week.csv", id="week 1")
    again: Any = doe.Campaign.open(path).record(tmp_path / "week.csv", id="week 1")
    pd.testing.assert_frame_equal(first, again)
    assert len(campaign.results()) == 1


def test_the_control_recipe_is_known_although_it_was_weighed(calls):
    campaign = begin()
    recipe = {**PLAN, "milling_min": 20.0}
    campaign.control(recipe)
    for day, off in enumerate((1.0, 1.0005, 0.9995, 1.0)):
        masses = weighed(PLAN, active_fraction=off)
        campaign.record(
            {**recipe, **masses, "batch": f"day {day}", "capacity_mAh_g": 150.0 + day % 2}
        )
    assert len(campaign.chart().table) == 4


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"weighed_carbon_g": None}, "weighed_carbon_g.*0 if there was none"),
        ({"weighed_active_g": -7.0}, "weighed_active_g.*-7"),
        (dict.fromkeys(MASSES, 0.0), "one at least is above 0"),
        ({"weighed_carbon_g": 300.0}, "0.3 g would be what was planned"),
        ({"weighed_active_g": 0.007}, "7 g would be what was planned"),
        ({"weighed_activ_g": 7.0}, "did you mean 'weighed_active_g'"),
    ],
)
def test_impossible_masses_are_named_with_their_mend(calls, change, words):
    campaign = begin()
    row = {**PLAN, **weighed(PLAN), "milling_min": 20.0, "capacity_mAh_g": 150.0, **change}
    with pytest.raises(data.TableError, match=words):
        campaign.record(row)
    assert campaign.results().empty


def test_a_part_that_was_not_planned_need_not_be_weighed(calls):
    campaign = begin(doe.Mixture({**PARTS, "carbon_fraction": (0.01, 0.05)},
                                 optional=["carbon_fraction"]))  # fmt: skip
    plan = {"active_fraction": 0.7, "electrolyte_fraction": 0.3, "carbon_fraction": 0.0}
    told: Any = campaign.record(
        {**plan, "weighed_active_g": 7.1, "weighed_electrolyte_g": 3.0, "milling_min": 20.0,
         "capacity_mAh_g": 150.0}
    )  # fmt: skip
    assert told["carbon_fraction"].item() == 0.0
    assert told["active_fraction"].item() == pytest.approx(7.1 / 10.1)


def test_a_paper_keeps_what_it_states(calls):
    """Printed masses are rounded, and the recipe is what the source says."""
    campaign = begin()
    told: Any = campaign.record(
        {**PLAN, "weighed_active_g": 7.1, "study": "a paper", "milling_min": 20.0,
         "capacity_mAh_g": 150.0}
    )  # fmt: skip
    assert told["active_fraction"].item() == 0.7


def test_parts_of_a_mixer_are_weighed_likewise(calls):
    campaign = doe.Campaign(
        doe.spaces.mechanofusion(premix=False), maximize="composite_capacity_mAh_g",
        fixed={"c_rate": 1.0}, initial=4,
    )  # fmt: skip
    asked: Any = campaign.suggest(4)
    card = doe.recipe.cards(asked)[0]
    masses = {f"weighed_{n}_g": 1.02 * m if n == "electrolyte" else m
              for n, m in card._masses().items()}  # fmt: skip
    told: Any = campaign.record(
        [{"suggestion": s, **masses, "composite_capacity_mAh_g": 90.0 + i}
         for i, s in enumerate(card.suggestions)]
    )  # fmt: skip
    actual = card.actual({n.split("_")[1]: m for n, m in masses.items()})
    assert told["electrolyte_parts"].to_numpy() == pytest.approx(actual["electrolyte_parts"])
    assert told["cb_parts"].to_numpy() == pytest.approx(actual["cb_parts"])
    assert told["planned_electrolyte_parts"].nunique() == 1
    assert told["run"].nunique() == 1  # what is weighed once is of one run


def test_samples_of_a_run_that_was_set_otherwise_stay_one_run(calls):
    campaign = doe.Campaign(
        doe.spaces.mechanofusion(premix=False), maximize="composite_capacity_mAh_g",
        fixed={"c_rate": 1.0}, initial=8,
    )  # fmt: skip
    asked: Any = campaign.suggest(8)
    rows = asked[["suggestion"]].assign(composite_capacity_mAh_g=90.0)
    first = asked["rpm"] == asked["rpm"][0]
    rows.loc[first, "rpm"] = 4321.0
    told: Any = campaign.record(rows)
    assert told.groupby("run").size().tolist() == [4, 4]


def test_runs_that_were_set_otherwise_are_not_one(calls):
    """Of a hard factor that no registry knows, too; and a run as planned is none of them."""
    space = doe.Space([doe.Real("oven", 200, 1000, unit="degC", hard=True),
                       doe.Real("milling_min", 5, 60)], per_run=4)  # fmt: skip
    campaign = doe.Campaign(space, maximize="capacity_mAh_g", seed=1)
    asked: Any = campaign.suggest(4)
    assert asked["oven"].nunique() == 1
    rows = asked[["suggestion"]].assign(capacity_mAh_g=150.0, oven=[300.0, 900.0, 300.0, None])
    told: Any = campaign.record(rows)
    assert told["run"].tolist() == ["s0001", "s0002", "s0001", "s0004"]
    again: Any = campaign.record(
        {"suggestion": "s0003", "oven": asked["oven"][0], "batch": "B2", "capacity_mAh_g": 151.0}
    )
    assert again["run"].tolist() == ["s0004"]
    campaign.withdraw("s0004")
    campaign.withdraw(4)
    planned: Any = campaign.record(
        {"suggestion": "s0001", "oven": asked["oven"][0], "batch": "B2", "capacity_mAh_g": 151.0}
    )
    assert planned["run"].tolist() == ["s0001 (2)"]


def test_parts_by_volume_have_no_masses():
    space = doe.Space([doe.Mixture({"a_vol": (0.2, 0.8), "b_vol": (0.2, 0.8)})])
    assert weighing.known(space) == []


def test_a_card_says_what_to_weigh_and_how_to_record_it(calls):
    told = begin()
    told.suggest(1)
    line = told.card("s0001").lines["what to weigh"]
    assert line.startswith("for each g of powder: ") and "weighed_electrolyte_g" in line
    known = begin(fixed={"batch_mass_mg": 5000})
    asked = known.suggest(1).iloc[0]
    line = known.card("s0001").lines["what to weigh"]
    assert f"of 5 g: {5 * asked['active_fraction']:.4g} g active" in line
    mixer = doe.Campaign(doe.spaces.mechanofusion(), maximize="composite_capacity_mAh_g",
                         fixed={"c_rate": 1.0})  # fmt: skip
    mixer.suggest(1)
    assert "g active material" in mixer.card("s0001").lines["what to weigh"]
