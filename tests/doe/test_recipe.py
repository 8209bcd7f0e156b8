"""What to weigh, and what was really made of it."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from ssbayes import data, doe
from ssbayes.doe.recipe import COMPONENTS, Recipe, cards

WEIGHED = {"active": 15.81, "electrolyte": 3.97, "carbon": 0.12}


@pytest.fixture(scope="module")
def published() -> pd.DataFrame:
    return data.load("kissel2025_recipes")


def test_a_card_weighs_what_was_published(published):
    """Masses are printed to 0.01 g for 4.91 mL of solid; active material to 0.2 %."""
    assert len(published) > 10
    for row in published.to_dict("records"):
        cb = 0.0 if pd.isna(row["cb_parts"]) else row["cb_parts"]
        card = Recipe(row["electrolyte_parts"], cb)
        for name, target in zip(COMPONENTS, card._masses().values(), strict=True):
            printed = row[f"weighed_{name}_g"]
            if not pd.isna(printed):
                # printed contents of carbon are rounded to 0.1 parts, volumes to 0.01 mL
                off = 0.025 if name == "carbon" else 0.02
                assert target == pytest.approx(printed, abs=off, rel=0.006), (row["row_id"], name)


def test_the_masses_fill_the_wanted_volume():
    card = Recipe(20, 3, solid_volume_mL=7.5, density={"active": 5.0})
    assert np.sum(card.table["volume_mL"].to_numpy()) == pytest.approx(7.5)
    assert card.fill_degree == pytest.approx(7.5 / 49.1)
    by_name: Any = card.table.set_index("component")["target_g"]
    assert by_name["carbon black"] / by_name["electrolyte"] == pytest.approx(3 / 20)
    assert by_name["electrolyte"] / by_name["active material"] == pytest.approx(20 / 80)


@pytest.mark.parametrize(("electrolyte", "carbon"), [(20, 0.5), (5, 0.0), (1, 0.2), (20, 3)])
def test_what_is_weighed_to_the_target_gives_the_composition_back(electrolyte, carbon):
    card = Recipe(electrolyte, carbon)
    actual = card.actual(card._masses())
    assert actual["electrolyte_parts"] == pytest.approx(electrolyte)
    assert actual["cb_parts"] == pytest.approx(carbon)
    assert actual["fill_degree"] == pytest.approx(0.1)
    assert actual["batch_mass_mg"] == pytest.approx(1000 * card.table["target_g"].sum())
    known = data.COLUMNS
    assert all(name in known for name in actual)


def test_weighed_masses_flow_back_as_the_actual_setting():
    actual = Recipe(20, 0.5).actual(WEIGHED)
    assert actual["electrolyte_parts"] == pytest.approx(100 * 3.97 / 19.78)
    assert actual["cb_parts"] == pytest.approx(100 * 0.12 / 19.78)
    assert actual["batch_mass_mg"] == pytest.approx(19_900)
    solid = 15.81 / 4.75 + 3.97 / 2.59 + 0.12 / 1.96
    assert actual["fill_degree"] == pytest.approx(solid / 49.1)


def test_samples_taken_lower_the_filling_and_nothing_else():
    card = Recipe(20, 0.5)
    full, less = card.actual(WEIGHED), card.actual(WEIGHED, taken_g=1.99)
    assert less["fill_degree"] == pytest.approx(0.9 * full["fill_degree"])
    del full["fill_degree"], less["fill_degree"]
    assert less == full


def test_a_campaign_learns_from_what_was_weighed(calls):
    campaign = doe.Campaign(
        doe.spaces.mechanofusion(premix=False),
        maximize="composite_capacity_mAh_g", fixed={"c_rate": 1}, initial=8,
    )  # fmt: skip
    asked = campaign.suggest(8)
    card = cards(asked)[0]
    masses = {n: 1.01 * m if n == "electrolyte" else m for n, m in card._masses().items()}
    recorded = campaign.record(
        {"suggestion": card.suggestions[0], **card.actual(masses), "composite_capacity_mAh_g": 90.0}
    )
    wanted = card.electrolyte_parts
    assert recorded["electrolyte_parts"].item() == pytest.approx(wanted * 1.01, rel=0.004)
    assert any("electrolyte_parts" in note for note in recorded.attrs["notes"])
    assert campaign.best()["electrolyte_parts"] == recorded["electrolyte_parts"].item()


def test_the_balance_is_stated_and_a_few_divisions_are_a_remark():
    card = Recipe(20, 0.2)
    row: Any = card.table.set_index("component").loc["carbon black"]
    assert row["weigh_g"] == 0.04
    assert row["error_pct"] == pytest.approx(100 * 0.01 / row["target_g"])
    assert "4.0 divisions of the balance (0.01 g)" in card.notes[0]
    fine = Recipe(20, 0.2, balance_g=0.0001)
    assert fine.notes == []
    assert "0.0398 g" in str(fine)
    np.testing.assert_allclose(fine.table["weigh_g"] * 1e4 % 1, 0, atol=1e-6)


def test_the_card_says_what_to_do_in_order():
    text = str(Recipe(20, 0.5, rpm=10_000, minutes=(60, 5), suggestions=("s0001", "s0002")))
    steps = [line.strip() for line in text.splitlines() if line.strip()[:2] in ("1.", "2.", "3.")]
    assert steps == [
        "1. Premix 0.10 g carbon black with 3.96 g electrolyte: 5000 1/min, 10 min.",
        "2. Add 15.83 g active material.",
        "3. Mix at 10000 1/min; take samples after 5 min (s0002), 60 min (s0001), and weigh each "
        "one.",
    ]
    assert "Balance: 0.01 g" in text


def test_suggestions_stay_with_their_minutes():
    card = Recipe(20, 0.5, minutes=(15, 5, 60), suggestions=("s0001", "s0002", "s0003"))
    assert card.minutes == (5, 15, 60)
    assert card.suggestions == ("s0002", "s0001", "s0003")
    with pytest.raises(doe.DoeError, match="minutes are 2 and suggestions 3"):
        Recipe(20, 0.5, minutes=(15, 5), suggestions=card.suggestions)


def test_without_carbon_there_is_no_premix():
    card = Recipe(20, 0, rpm=5000, minutes=(10,))
    assert list(card.table["component"]) == ["active material", "electrolyte"]
    assert "no premix" in card.steps[0]
    assert card.actual({"active": 16, "electrolyte": 4})["cb_parts"] == 0.0


def test_the_page_has_room_to_write_and_no_markup_from_outside():
    page = Recipe(20, 0.5, suggestions=("<b>s1</b>",)).to_html()
    assert "<b>" not in page
    assert page.count("<td>&nbsp;</td>") == 3
    assert "weighed" in page


def test_suggestions_of_one_run_are_on_one_card(calls):
    campaign = doe.Campaign(
        doe.spaces.mechanofusion(), maximize="composite_capacity_mAh_g", fixed={"c_rate": 1}
    )
    asked: Any = campaign.suggest(8)
    made = cards(asked, balance_g=0.001)
    assert [len(card.minutes) for card in made] == [4, 4]
    named = [s for card in made for s in card.suggestions]
    assert sorted(named) == list(asked["suggestion"])
    for card in made:
        part = asked.set_index("suggestion").loc[list(card.suggestions)]
        assert list(part["milling_min"]) == list(card.minutes) == sorted(card.minutes)
        assert (part["rpm"] == card.rpm).all()
        assert (part["cb_parts"] == card.cb_parts).all()
        assert card.balance_g == 0.001


def test_a_fixed_electrolyte_is_told_to_the_cards():
    table = pd.DataFrame({"cb_parts": [0.0, 0.5]})
    assert [c.cb_parts for c in cards(table, electrolyte_parts=20)] == [0.0, 0.5]
    with pytest.raises(doe.DoeError, match="electrolyte_parts=20"):
        cards(table)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Recipe(120), "electrolyte_parts"),
        (lambda: Recipe(20, -1), "cb_parts"),
        (lambda: Recipe(20, balance_g=0), "balance_g=0"),
        (lambda: Recipe(20, solid_volume_mL=60), "more than the chamber"),
        (lambda: Recipe(20, solid_volume_mL=-1), "volume in mL above 0"),
        (lambda: Recipe(20, density={"activ": 4.7}), "did you mean 'active'"),
        (lambda: Recipe(20, density={"active": 0.0}), "above 0 g/mL"),
        (lambda: Recipe(20, 0.5).actual({"active": 15.8, "electrolyte": 4.0}), "lack 'carbon'"),
        (lambda: Recipe(20, 0.5).actual({**WEIGHED, "active": 15810}), "another unit"),
        (lambda: Recipe(20, 0.5).actual({**WEIGHED, "active": 0.0158}), "another unit"),
        (lambda: Recipe(20, 0.5).actual({**WEIGHED, "carbon": -0.1}), "0 or more"),
        (lambda: Recipe(20, 0.5).actual({**WEIGHED, "cb": 0.1}), "'cb' is no component"),
        (lambda: Recipe(20, 0.5).actual(WEIGHED, taken_g=30), "taken_g=30"),
    ],
)
def test_mistakes_are_named(call, words):
    with pytest.raises(doe.DoeError, match=words):
        call()
