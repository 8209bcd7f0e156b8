"""Losses in both conventions, and which mass is in which of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from ssbayes.models.losses import COLUMNS, cell_losses

REFERENCE = {"reference_capacity": 200.0, "reference_capacity_sd": 0.0, "reference_error": 0.0}


def cell(**more: object) -> pd.DataFrame:
    return pd.DataFrame([{"cell": "a", "c_rate": 0.1, "capacity_mAh_g": 165.0,
                          "utilization": 0.88, "utilization_sd": 0.02} | more])


def width(table: pd.DataFrame, name: str) -> float:
    return float((table[f"{name}_high"] - table[f"{name}_low"]).iloc[0])


def test_without_errors_the_printed_arithmetic_holds() -> None:
    found = cell_losses(cell(utilization_sd=0.0), **REFERENCE).iloc[0]
    assert found["static_loss_gross_mAh_g"] == pytest.approx(24.0)
    assert found["kinetic_loss_gross_mAh_g"] == pytest.approx(11.0)
    assert found["active_capacity_mAh_g"] == pytest.approx(187.5)
    assert found["kinetic_loss_active_mAh_g"] == pytest.approx(12.5)
    assert found["kinetic_loss_active_mAh_g"] * 0.88 == pytest.approx(
        found["kinetic_loss_gross_mAh_g"])


def test_the_cells_mass_cancels_in_the_active_capacity_and_the_references_does_not() -> None:
    balance = cell_losses(cell(utilization_sd=0.01, composite_mass_mg=8.8), **REFERENCE)
    assert width(balance, "active_capacity_mAh_g") < 0.02 * 187.5 * 0.1
    assert width(balance, "static_loss_gross_mAh_g") > 5.0
    shared = cell_losses(cell(utilization_sd=0.015), **REFERENCE | {"reference_error": 0.017})
    # 0.017 of 187.5 is 3.2 mAh/g; a 90 % interval is 3.29 sd wide.
    assert width(shared, "active_capacity_mAh_g") == pytest.approx(3.29 * 3.2, rel=0.1)


def test_a_measured_utilization_above_one_gives_a_latent_one_below() -> None:
    found = cell_losses(cell(utilization=1.01, capacity_mAh_g=190.0), **REFERENCE).iloc[0]
    assert found["utilization_latent_high"] <= 1.0
    assert found["static_loss_gross_mAh_g_low"] >= 0.0
    with pytest.raises(ValueError, match=r"cell a: utilization 1.2 .* cannot be at most 1"):
        cell_losses(cell(utilization=1.2), **REFERENCE)


def test_rates_of_one_cell_share_its_utilization() -> None:
    rows = pd.concat([cell(), cell(c_rate=1.0, capacity_mAh_g=130.0)])
    found = cell_losses(rows, **REFERENCE)
    static = found["static_loss_gross_mAh_g"].to_numpy()
    assert static[0] == static[1]
    assert np.diff(found["kinetic_loss_gross_mAh_g"]) == pytest.approx(35.0, abs=0.5)


def test_every_column_has_its_interval_and_what_is_missing_is_named() -> None:
    found = cell_losses(cell(), **REFERENCE)
    for name in COLUMNS:
        assert (found[f"{name}_low"] <= found[name]).all()
        assert (found[name] <= found[f"{name}_high"]).all()
    assert "cancels" in found.attrs["note"]
    with pytest.raises(ValueError, match="no column 'utilization_sd'"):
        cell_losses(cell().drop(columns="utilization_sd"), **REFERENCE)


@pytest.mark.parametrize("sd", [np.nan, -0.01])
def test_a_utilization_without_an_error_is_refused(sd: float) -> None:
    with pytest.raises(ValueError, match="row 0: utilization_sd is missing or below 0"):
        cell_losses(cell(utilization_sd=sd), **REFERENCE)


def test_a_reference_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="reference_capacity must be above 0"):
        cell_losses(cell(), **REFERENCE | {"reference_capacity": 0.0})


def test_the_error_of_a_capacity_is_in_its_losses_and_a_bound_is_none() -> None:
    alone = cell_losses(cell(utilization_sd=0.0, capacity_mAh_g_sd=3.0), **REFERENCE)
    # 3.29 sd of a reading of 3 mAh/g; a mean of nine knows it three times as well
    assert width(alone, "kinetic_loss_gross_mAh_g") == pytest.approx(3.29 * 3.0, rel=0.1)
    nine = cell_losses(cell(utilization_sd=0.0, capacity_mAh_g_sd=3.0, capacity_mAh_g_n=9),
                       **REFERENCE)
    assert width(nine, "kinetic_loss_gross_mAh_g") == pytest.approx(3.29, rel=0.1)
    rows = pd.concat([cell(), cell(cell="b", capacity_mAh_g_censored="<")])
    found = cell_losses(rows, **REFERENCE)
    assert found["cell"].tolist() == ["a"]
    assert "1 readings are bounds" in found.attrs["note"]
    assert "lack" not in found.attrs["note"]
    rows = pd.concat([cell(), cell(cell="b", utilization=np.nan)])
    assert "1 rows lack a capacity or a utilization" in cell_losses(rows, **REFERENCE).attrs["note"]


@pytest.mark.parametrize("status", ["failed", "abandoned", "planned"])
def test_rows_that_are_not_done_are_left_out_and_counted(status: str) -> None:
    rows = pd.concat([cell(status="done"), cell(cell="b", status=status, utilization=1.2,
                                                utilization_sd=np.nan)])
    found = cell_losses(rows, **REFERENCE)
    assert found["cell"].tolist() == ["a"]
    assert "1 rows are not done" in found.attrs["note"]
    assert "not done" not in cell_losses(cell(), **REFERENCE).attrs["note"]
