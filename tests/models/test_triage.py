"""A low cell is judged given its utilization and its anode, and never dropped for being low."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from ssbayes import models
from ssbayes.models.triage import triage

COUNT = 400


@pytest.fixture(scope="module")
def fit() -> models.Fit:
    """A method whose cells are known well: theta 0.90, batch SD 3, cell SD 3 mAh/g."""
    model = models.get("mixing")
    table = pd.DataFrame({
        "method": ["machine"] * 2, "batch": ["1", "2"], "cell": ["1", "2"], "c_rate": [0.1, 1.0],
        "capacity_mAh_g": [180.0, 140.0]})
    rng = np.random.default_rng(0)
    numbers = {"utilization": 0.90, "active_capacity": 201.0, "rate_loss": 0.32, "rate_power": 0.6,
               "batch_sd": 3.0, "cell_sd": 3.0, "static_share": 0.8, "kinetic_growth": 0.3,
               "active_scatter": 4.0, "reference_error": 0.0, "noise_nu": 8.0,
               "utilization_noise": 0.005, "anode_cost": 0.2, "operator_sd": 1.0}
    slots = model.graph({}).shapes
    draws = {}
    for name, shape in slots.items():
        short = name.partition(".")[2]
        if short in numbers:
            wobble = np.exp(0.005 * rng.normal(size=(COUNT, *shape)))
            draws[name] = numbers[short] * wobble
    return models.Fit.from_draws(model, table, draws)


def cell(capacity: float, utilization: float | None = None, **more: object) -> pd.DataFrame:
    row = {"method": "machine", "c_rate": 0.1, "capacity_mAh_g": capacity,
           "composite_mass_mg": 15.0}
    if utilization is not None:
        row |= {"utilization": utilization, "utilization_sd": 0.005}
    return pd.DataFrame([row | more])


def test_a_usual_cell_is_kept(fit: models.Fit) -> None:
    found = triage(fit, cell(181.0, 0.9))
    assert found.action == "keep" and found.p_given > 0.2


def test_a_low_cell_whose_utilization_is_low_is_the_methods_own_result(fit: models.Fit) -> None:
    found = triage(fit, cell(166.0, 0.83))
    assert found.p_any < 0.05 < found.p_given
    assert found.action == "keep" and "utilization explains it" in str(found)


def test_a_low_cell_with_good_utilization_is_repeated(fit: models.Fit) -> None:
    found = triage(fit, cell(155.0, 0.91))
    assert found.action == "repeat" and found.p_given < 0.01
    assert "Its utilization does not explain it" in str(found)


def test_a_resistive_anode_is_not_read_as_bad_mixing(fit: models.Fit) -> None:
    found = triage(fit, cell(155.0, 0.91), anode_ohm_cm2=9.0, anode="pressed with the cell")
    assert found.action == "repeat" and found.p_anode < 0.001 and "new anode" in str(found)
    usual = triage(fit, cell(155.0, 0.91), anode_ohm_cm2=9.0, anode="individual")
    assert usual.p_anode > 0.05 and "new anode" not in str(usual)


def test_only_what_was_measured_is_said_not_to_explain_a_cell(fit: models.Fit) -> None:
    both = triage(fit, cell(155.0, 0.91, anode_resistance_ohm_cm2=5.0))
    assert "Neither its utilization nor its anode explains it" in str(both)
    nothing = str(triage(fit, cell(120.0)))
    assert "Nothing was measured that could explain it" in nothing and "Neither" not in nothing


def test_what_a_bad_anode_explains_is_not_called_the_utilizations(fit: models.Fit) -> None:
    found = triage(fit, cell(155.0, 0.91, anode_resistance_ohm_cm2=450.0))
    assert found.p_any < 0.05 < found.p_given and found.action == "keep"
    assert "its anode (450 ohm cm2) explains it" in str(found)
    assert "utilization explains it" not in str(found)


def test_the_resistance_of_the_row_is_compared_with_published_ones(fit: models.Fit) -> None:
    row = cell(155.0, 0.91, anode_resistance_ohm_cm2=9.0)
    assert triage(fit, row, anode="pressed with the cell").p_anode < 0.001
    assert np.isnan(triage(fit, row).p_anode)


def test_too_high_points_to_the_mass(fit: models.Fit) -> None:
    assert "weighed mass" in str(triage(fit, cell(200.0, 0.9)))


def test_a_technical_fault_is_discarded_and_without_utilization_it_is_said(
    fit: models.Fit,
) -> None:
    assert triage(fit, cell(181.0, 0.9), fault="soft short").action == "discard"
    assert "No utilization was measured" in str(triage(fit, cell(181.0)))


def test_chances_are_those_of_simulated_cells(fit: models.Fit) -> None:
    """Cells drawn from the method itself are called outliers as often as the threshold says."""
    law, rng = (201.0, 0.32, 0.6), np.random.default_rng(5)
    from ssbayes.models import electrode

    slope = electrode.utilization_slope(0.9, 0.1, *law)
    called, count = 0, 200
    for k in range(count):
        theta = 0.9 + np.sqrt(0.8 * 18.0) / slope * rng.normal()
        kinetic = np.sqrt(0.2) * (3.0 * rng.normal() + 3.0 * rng.normal())
        capacity = electrode.gross_capacity(theta, 0.1, *law) + kinetic
        found = triage(fit, cell(capacity, theta + 0.007 * rng.normal()), seed=k)
        called += found.p_given < 0.05
    assert called <= 0.05 * count + 2.6 * np.sqrt(0.05 * 0.95 * count)


@pytest.mark.parametrize(("rows", "message"), [
    (cell(np.nan), "no row of this cell"), (cell(180.0, method="moon"), "has no method 'moon'")])
def test_bad_input_is_named(fit: models.Fit, rows: pd.DataFrame, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        triage(fit, rows)


def test_unknown_anode_is_named(fit: models.Fit) -> None:
    with pytest.raises(ValueError, match="is none of: individual"):
        triage(fit, cell(180.0), anode_ohm_cm2=2.0, anode="glue")
