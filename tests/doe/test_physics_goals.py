"""Goals of campaigns with a model: knowledge of its parameters, rules on what it predicts."""

import numpy as np
import pytest
from ssbayes import doe
from ssbayes.doe import outlook

FIXED = {"c_rate": 0.1, "filling": 0.5, "bead_mm": 5.0, "mill": "made up"}
FACTORS = [doe.Real("rpm", 200, 1000), doe.Real("milling_min", 5, 60, log=True)]


def record(campaign, n=6):
    rng = np.random.default_rng(0)
    table = campaign.space.sample(n, rng)
    x = np.log(table["rpm"] ** 2 * table["milling_min"] / 3e6)
    campaign.record(table.assign(
        kind="simulated", batch=[f"b{k}" for k in range(n)],
        capacity_mAh_g=150.0 - 6.0 * x**2 + rng.normal(0, 2, n)))


@pytest.fixture(scope="module")
def campaign():
    made = doe.Campaign(doe.Space(FACTORS), maximize="capacity_mAh_g", model="capacity", seed=2,
                        fixed=FIXED, learn=["capacity.damage_energy"])
    record(made)
    return made


def test_suggestions_tell_about_the_parameter_and_say_how_much(campaign):
    asked = campaign.suggest(2)
    assert "capacity.damage_energy" in asked["reason"].iloc[0]
    assert "nat" in asked["reason"].iloc[0]
    assert any("assumed" in note for note in asked.attrs["notes"])


def test_a_parameter_that_is_not_there_is_named():
    with pytest.raises(doe.CampaignError, match=r"did you mean 'capacity\.damage_energy'"):
        doe.Campaign(doe.Space(FACTORS), maximize="capacity_mAh_g", model="capacity", fixed=FIXED,
                     learn=["capacity.damage_enrgy"])


def test_a_rule_on_the_energy_is_kept_with_its_probability(campaign):
    rule = {"specific_energy_J_g <= 800": 0.9}
    made = doe.Campaign(doe.Space(FACTORS, probable=rule), maximize="capacity_mAh_g",
                        model="capacity", seed=2, fixed=FIXED)
    record(made)
    asked = made.suggest(3)
    assert (asked["predicted_mean_specific_energy_J_g"] < 800).all()
    wide = made.space.sample(64, np.random.default_rng(1))
    found = outlook.look(
        made.space, made.results(), goals=made.declaration.goals, model=made.declaration.model,
        fixed=FIXED, seed=1)
    energy = found.values(wide)["specific_energy_J_g"]
    assert ((energy <= 800).mean(axis=0) < 0.9).any()  # the rule leaves something out


def test_a_misspelt_constant_is_no_default():
    space = doe.Space([doe.Real("rpm", 200, 1000), doe.Real("milling_min", 5, 300, log=True)])
    known = {"filling": 0.5, "bead_mm": 3.0, "c_rat": 0.1}
    with pytest.raises(doe.CampaignError, match=r"'c_rat'.*did you mean 'c_rate'"):
        doe.Campaign(space, maximize="capacity_mAh_g", model="capacity", fixed=known)
