"""The slurry paper as printed: what is there, what is only in figures, and what cannot be."""

from typing import Any

import pandas as pd
import pytest
from ssbayes import data

TABLE: Any = data.load("alabdali2024_slurry").set_index("row_id", drop=False)
SAID = TABLE[TABLE.kind == "statement"]
READINGS = [c for c in TABLE if c in data.COLUMNS and data.COLUMNS[c].reading]


def test_rows_have_names_of_their_own_and_a_statement_has_no_reading():
    assert TABLE.row_id.is_unique
    assert SAID[READINGS].isna().all(axis=None)
    assert len(SAID) == 14


def test_no_viscosity_of_a_slurry_is_printed():
    read = TABLE.dropna(subset="viscosity_Pa_s")
    assert read.viscosity_Pa_s.to_dict() == {"butyl acetate": 0.00069, "NMP": 0.00189}
    assert read.solid_content_pct.isna().all()
    curve = TABLE.loc["flow curve"]
    assert (curve.shear_rate_1_s_low, curve.shear_rate_1_s_high) == (10, 1000)
    assert (curve.soaking_min, curve.viscosity_Pa_s_n, curve.temperature_degC) == (2, 4, 20)


def test_densities_are_ranges_and_porosities_of_single_sheets_are_rounded():
    assert "dry_density_g_cm3" not in TABLE and "calendered_density_g_cm3" not in TABLE
    dry, pressed = TABLE.loc["all dry"], TABLE.loc["all pressed"]
    assert (dry.dry_density_g_cm3_low, dry.dry_density_g_cm3_high) == (1.0, 1.5)
    assert (pressed.calendered_density_g_cm3_low, pressed.calendered_density_g_cm3_high) == (2, 2.5)
    assert (pressed.calendered_porosity_low, pressed.calendered_porosity_high) == (0.2, 0.3)
    read = TABLE.dropna(subset="dry_porosity")
    assert read.dry_porosity.tolist() == [0.7, 0.7, 0.5]
    assert (read.active_d50_um == 4).all() and (read.dry_porosity_q == "~").all()
    # one printed number for two sheets, each of two punches of one sheet
    assert read.dry_porosity_shared.notna().tolist() == [True, True, False]
    assert (read.dry_porosity_n == 2).all() and (read.dry_porosity_batches == 1).all()


def test_the_published_plan_has_one_gap_for_each_material_and_one_failed_sheet():
    sheets = TABLE[TABLE.batch.notna()]
    assert sheets.groupby("active_d50_um").gap_um.unique().map(list).to_dict() == {4: [100],
                                                                                   6: [300]}
    assert sorted(sheets.solid_content_pct) == [48, 48, 50, 50, 52, 52]
    assert sheets.run.is_unique
    failed = TABLE[TABLE.status == "failed"]
    assert (failed.active_d50_um.item(), failed.gap_um.item()) == (6, 100)
    assert "short circuit" in failed.reason.item()


def test_the_impossible_ionic_conductivity_is_a_conflict_with_its_reason():
    odd = TABLE[TABLE.status == "conflict"]
    assert odd.row_id.tolist() == ["ionic simulated"]
    assert "mS/m" in odd.reason.item() and "1.25" in odd.reason.item()
    bulk = TABLE.loc["bulk electrolyte", "ionic_mS_cm"]
    assert bulk == 1.25
    assert odd.ionic_mS_cm_low.item() / bulk == pytest.approx(9.6)  # a share above one
    assert odd.ionic_mS_cm_low.item() / 100 / bulk == pytest.approx(0.096)  # read as mS/m
    # the effective electronic conductivity, said to be above the ionic one
    kept = 1 - TABLE.loc["electronic loss", "value"]
    electronic = TABLE.loc["carbon + binder electronic", "electronic_mS_cm"] * kept
    assert electronic == pytest.approx(10.35, abs=0.01)
    assert odd.ionic_mS_cm_low.item() > electronic


@pytest.mark.parametrize(("name", "printed_S_m"), [
    ("carbon + binder electronic", 15.93), ("carbon + binder fitted", 9.88),
    ("active electronic", 0.005)])
def test_conductivities_in_siemens_per_metre_are_ten_times_as_many_milli_per_centimetre(
    name, printed_S_m
):
    row = TABLE.loc[name]
    assert row.electronic_mS_cm == pytest.approx(10 * printed_S_m)
    assert f"{printed_S_m:g} S/m" in row.note


def test_what_the_simulation_kept_and_what_it_was_fitted_to():
    nominal = TABLE.loc["carbon + binder electronic", "electronic_mS_cm"] / 10
    fitted = TABLE.loc["carbon + binder fitted", "electronic_mS_cm"] / 10
    assert nominal * (1 - TABLE.loc["electronic loss", "value"]) == pytest.approx(1.035, abs=5e-4)
    assert fitted / nominal == pytest.approx(0.6202, abs=5e-5)
    assert TABLE.loc["carbon + binder fitted", "kind"] == "simulated"


def test_particles_of_carbon_and_binder_shrink_to_a_few_hundredths():
    wet, dry = TABLE.loc["domain in slurry"], TABLE.loc["domain dry", "binder_domain_um"]
    assert (dry / wet.binder_domain_um_high) ** 3 == pytest.approx(0.0343, abs=5e-5)
    assert (dry / wet.binder_domain_um_low) ** 3 == pytest.approx(0.0535, abs=5e-5)
    # more than the solvent that it would hold: an effective size, no balance of mass
    solvent = (52 / 48) / (48 / 52)
    assert (wet.binder_domain_um_high / wet.binder_domain_um_low) ** 3 > 1.3 * solvent


def test_statements_keep_sense_and_range():
    rise = SAID.loc["doubling"]
    assert (rise.outcome, rise.over) == ("viscosity_Pa_s", "solid_content_pct")
    assert (rise.value, rise.value_q, rise.value_low, rise.value_high) == (2, ">", 48, 52)
    assert SAID.loc["dry order", "value"] == 6 and SAID.loc["pressed order", "value"] == 4
    windows = SAID[SAID.outcome.eq("viscosity_Pa_s") & SAID.over.eq("viscosity_Pa_s")]
    assert windows.value_low.tolist() == [0.3, 0.1, 1.0]
    assert windows.value_high.tolist() == [0.6, 0.3, 2.0]


def test_loads_stand_as_printed_and_no_pressure_is_derived():
    loads = TABLE.dropna(subset="load_t")
    assert loads[["load_t", "punch_mm"]].to_numpy().tolist() == [[1.6, 14], [1, 10]]
    assert "pelletizing_MPa" not in TABLE and "stack_MPa" not in TABLE


def test_a_rise_by_a_factor_names_the_factor_and_both_ends():
    row = {"kind": "statement", "statement": "rises_by", "outcome": "viscosity_Pa_s",
           "over": "solid_content_pct", "value": 2.0, "value_low": 48.0}
    with pytest.raises(data.TableError, match="value_high"):
        data.validate(pd.DataFrame([row]))
    data.validate(pd.DataFrame([row | {"value_high": 52.0}]))
