"""Regimes of milling: what decides them, and what is said where the data do not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from ssbayes import models
from ssbayes.models import regime
from ssbayes.models.engine.fitting import before_data

pytestmark = pytest.mark.filterwarnings("ignore")

MILD, HARD = {"rpm": 200.0, "milling_min": 5.0}, {"rpm": 1000.0, "milling_min": 300.0}


@pytest.fixture(scope="module")
def fit() -> models.Fit:
    """Draws of the prior: no sampler is compiled."""
    settings = pd.DataFrame([MILD, HARD])
    return before_data(models.get("capacity"), settings, 400, 1)


def held(fit: models.Fit, **values: float) -> models.Fit:
    """The same draws with some parameters of the capacity model held at a value."""
    draws = fit.parameters()
    draws |= {f"capacity.{name}": np.full_like(draws[f"capacity.{name}"], value)
              for name, value in values.items()}
    return models.Fit.from_draws(fit.model, fit.table, draws)


def test_below_the_threshold_collisions_are_too_weak(fit: models.Fit) -> None:
    slow = {"damage_energy": 1e9, "contact_energy": 5000.0, "loss_index": 0.5}
    weak, strong = (regime.regime(held(fit, contact_threshold=at, **slow), [MILD])
                    for at in (50.0, 0.01))
    assert weak["regime"].tolist() == ["collisions too weak"]
    assert strong["regime"].tolist() == ["contact formation"]
    assert weak["p_above_threshold"][0] == 0.0 and strong["p_above_threshold"][0] == 1.0
    assert weak["p_damage_dominated"][0] == strong["p_damage_dominated"][0] == 0.0
    assert weak["gentler_gain_mAh_g"][0] == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("share", [0.01, 0.99])
def test_damage_dominates_where_gentler_milling_gives_more(
    fit: models.Fit, share: float
) -> None:
    """Kinetic or static damage, to the point where nothing is left to lose."""
    known = {"contact_energy": 5.0, "contact_threshold": 0.01, "static_damage_share": share,
             "crack_exponent": 2.0}
    found = regime.regime(held(fit, damage_energy=100.0, **known), [HARD, MILD])
    assert found["regime"][0] == "damage-dominated"
    assert found["p_damage_dominated"][0] > found["p_damage_dominated"][1]
    whole = regime.regime(held(fit, damage_energy=1e9, **known), [HARD])
    assert whole["regime"][0] == "contacts complete"
    energy = fit.quantity("specific_energy", pd.DataFrame([HARD])).to_numpy()
    assert found["specific_energy_J_g"][0] == pytest.approx(np.median(energy))
    assert found["specific_energy_J_g_low"][0] < found["specific_energy_J_g_high"][0]


def test_before_data_the_regime_is_open_and_said_to_be_the_priors(fit: models.Fit) -> None:
    found = regime.regime(fit, {"rpm": [400.0], "milling_min": [10.0]})
    assert found["regime"][0].startswith("open: ") and " or " in found["regime"][0]
    assert "equal-tailed" in found.attrs["note"]
    assert found.attrs["note"].endswith(
        "data: capacity.contact_threshold, capacity.contact_energy, capacity.damage_energy.")


def test_what_has_no_regime_is_told(fit: models.Fit) -> None:
    milling = before_data(models.get("milling"), pd.DataFrame([MILD]), 4, 1)
    with pytest.raises(ValueError, match="'milling'; regimes of milling need"):
        regime.regime(milling, [MILD])
    with pytest.raises(ValueError, match="bed_mm"):
        regime.regime(fit, [MILD | {"bed_mm": 3.0}])
