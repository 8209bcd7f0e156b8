"""Pressing: what a pellet has seen cannot be taken back; simulated pellets are what they say."""

import numpy as np
import pandas as pd
import pytest
from ssbayes import data, doe
from ssbayes.doe import pressing, virtual_pellets

DONE = pd.DataFrame({"cell": ["p1", "p1", "p2"], "pelletizing_MPa": [100.0, 300.0, 500.0]})


def test_a_lower_pelletising_pressure_is_rejected_with_row_pellet_and_mend():
    asked = pd.DataFrame({"cell": ["p1", "p2"], "pelletizing_MPa": [400.0, 380.0]},
                         index=["first", "second"])
    with pytest.raises(doe.SpaceError, match=r"row second.*= 380, but pellet 'p2' has seen 500"):
        pressing.check_pressing(asked, DONE)
    good = pressing.check_pressing(asked.iloc[:1], DONE)
    assert good["pressed_MPa"].tolist() == [300.0]


def test_a_staircase_must_rise_within_the_proposal_too():
    stairs = pd.DataFrame({"cell": "p1", "pelletizing_MPa": [400.0, 600.0, 500.0]})
    with pytest.raises(doe.SpaceError, match=r"row 2.*has seen 600"):
        pressing.check_pressing(stairs, DONE)
    assert len(pressing.check_pressing(stairs.iloc[:2], DONE)) == 2


def test_new_pellets_may_be_pressed_as_one_likes():
    asked = pd.DataFrame({"pelletizing_MPa": [50.0, 20.0]})
    assert np.isnan(pressing.check_pressing(asked, DONE)["pressed_MPa"]).sum() == 2
    other = pd.DataFrame({"cell": ["p1"], "lot": ["B"], "pelletizing_MPa": [50.0]})
    known = DONE.assign(lot="A")
    assert np.isnan(pressing.check_pressing(other, known)["pressed_MPa"].iloc[0])


def test_a_stack_pressure_above_the_pelletising_pressure_is_rejected():
    asked = pd.DataFrame({"pelletizing_MPa": [50.0], "stack_MPa": [80.0]})
    with pytest.raises(doe.SpaceError, match="stack_MPa = 80 is above"):
        pressing.check_pressing(asked, DONE)
    with pytest.raises(doe.SpaceError, match="no column pelletizing_MPa"):
        pressing.check_pressing(asked.drop(columns="pelletizing_MPa"), DONE)


def test_the_space_of_a_pellet_in_hand_begins_where_it_stands():
    space = pressing.pressing(pressed_MPa=300.0)
    rows = pd.DataFrame({"pelletizing_MPa": [200.0, 300.0, 500.0], "stack_MPa": 100.0})
    assert space.feasible(rows).tolist() == [False, True, True]
    assert any("pelletizing_MPa >= 300.0" in said for said in space.objections(rows))
    drawn = space.sample(50, np.random.default_rng(1))
    assert np.min(drawn["pelletizing_MPa"]) >= 300.0
    assert doe.Space.from_dict(space.to_dict()).feasible(rows).tolist() == [False, True, True]


def test_the_space_of_new_pellets():
    space = pressing.pressing(sieve=("fine", "coarse"))
    assert space.hard == ["sieve"]
    low = {"pelletizing_MPa": 50.0, "stack_MPa": 100.0, "sieve": "fine"}
    assert not space.feasible(low)[0]
    assert "under-compacted" in space.remarks({**low, "stack_MPa": 10.0})[0][0]
    with pytest.raises(doe.SpaceError, match="take a new pellet"):
        pressing.pressing(pressed_MPa=1700.0)
    with pytest.raises(doe.SpaceError, match="has its sieve fraction"):
        pressing.pressing(pressed_MPa=300.0, sieve=("fine",))


def test_simulated_pellets_say_so_and_pass_the_door():
    table = virtual_pellets.sweeps(1)
    assert set(table["kind"]) == {"simulated"}
    assert len(data.validate(table)) == len(table)
    assert table.equals(virtual_pellets.sweeps(1))


def test_simulated_densities_rise_with_pressure_and_cycle_and_stay_below_one():
    for powder in virtual_pellets.POWDERS.values():
        found = virtual_pellets.density(powder, np.linspace(10, 1700, 100))
        assert np.all(np.diff(found) > 0) and found[-1] < 1
        assert virtual_pellets.density(powder, 1700.0, 2.0) > found[-1]
    fine, coarse = (virtual_pellets.density(virtual_pellets.POWDERS[name], 1700.0)
                    for name in ("fine", "coarse"))
    assert fine > coarse
