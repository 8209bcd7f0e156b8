"""The table of pressed pellets: as printed, with arithmetic that agrees, and pressures in MPa."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from ssbayes import data


def load() -> Any:
    """Load the table by row; Any, for pandas' own types cannot follow a column by name."""
    return data.load("schneider2023_pellets").set_index("row_id", drop=False)


PELLETS = load()
SIGMA = PELLETS.conductivity_mS_cm


def ratio(above: str, below: str) -> float:
    return SIGMA[above] / SIGMA[below]


def test_rows_have_names_of_their_own_and_a_statement_has_no_reading():
    assert PELLETS.row_id.is_unique
    readings = [c for c in PELLETS if c in data.COLUMNS and data.COLUMNS[c].reading]
    said = PELLETS[PELLETS.kind == "statement"]
    assert len(said) == 13 and said[readings].isna().all(axis=None)


def test_ratios_of_the_printed_conductivities():
    assert ratio("sigma compression >50", "sigma compression <50") == pytest.approx(1.390, abs=5e-4)
    assert ratio("sigma release >50", "sigma release <50") == pytest.approx(1.245, abs=5e-4)
    assert ratio("sigma released 1 >50", "sigma released 1 <50") == pytest.approx(0.289, abs=6e-4)
    assert ratio("sigma released 2 >50", "sigma released 1 >50") == pytest.approx(1.909, abs=5e-4)
    assert ratio("sigma released 2 <50", "sigma released 1 <50") == pytest.approx(1.158, abs=5e-4)


def test_the_coarse_powder_conducts_better_except_where_contact_is_lost():
    """The text says 'in all experiments'; the printed values say otherwise, and are kept."""
    for state in ("powder", "compression", "release"):
        assert ratio(f"sigma {state} >50", f"sigma {state} <50") > 1.2
    for cycle in (1, 2):
        assert ratio(f"sigma released {cycle} >50", f"sigma released {cycle} <50") < 0.5
    assert "say the reverse" in PELLETS.note["coarser conducts better"]


def test_the_side_phase_grows_by_what_the_text_says():
    share = PELLETS.side_phase_wt_pct
    coarse = share["side phase pressed >50"] - share["side phase powder >50"]
    fine = share["side phase pressed <50"] - share["side phase powder <50"]
    assert coarse == pytest.approx(1.2) and fine == pytest.approx(1.5)


def test_pressures_are_in_mpa_and_paths_can_be_followed():
    first = PELLETS[PELLETS.cell.eq("pellet <50") & PELLETS.cycle.eq(1) & SIGMA.notna()]
    assert first.pelletizing_MPa.tolist() == [10, 500, 1700, 1700]
    assert first.sweep.tolist() == ["compression", "compression", "release", "release"]
    release = PELLETS.loc["sigma release <50"]
    assert pd.isna(release.stack_MPa)  # printed as a range only
    assert (release.stack_MPa_low, release.stack_MPa_high) == (100, 200)


def test_yield_pressures_are_printed_in_the_die_only_and_with_the_error_of_a_line():
    lines = PELLETS[PELLETS.yield_pressure_MPa.notna()]
    assert (lines.density_state == "in die").all()
    assert lines.yield_pressure_MPa.tolist() == [950, 1650]
    assert lines.yield_pressure_MPa_sd.tolist() == [30, 30]
    a, b = lines.yield_pressure_MPa
    assert b / a == pytest.approx(1.737, abs=1e-3)
    # pores that a line of that slope leaves between 0.5 and 1.7 GPa
    assert np.exp(-1200 / a) == pytest.approx(0.283, abs=1e-3)
    assert np.exp(-1200 / b) == pytest.approx(0.483, abs=1e-3)


def test_no_density_is_invented():
    assert "relative_density" not in PELLETS
    recovery = PELLETS[PELLETS.elastic_recovery.notna()]
    assert recovery.elastic_recovery.tolist() == [0.04, 0.04]
    assert recovery.elastic_recovery_shared.nunique() == 1  # one printed number, two pellets


def test_one_value_of_the_activation_volume_is_printed_for_both_fractions():
    rows = PELLETS[PELLETS.activation_volume_cm3_mol_shared.notna()]
    assert rows.activation_volume_cm3_mol.tolist() == [1.4, 1.4]
    assert rows.sweep.eq("release").all()


def test_both_fractions_have_a_sieve_each():
    both = PELLETS[PELLETS.sieve.notna()]
    assert set(zip(both.lot, both.sieve, strict=True)) == {
        ("t-Li7SiPS8 <50", "<50 um"), ("t-Li7SiPS8 >50", ">50 um")}
