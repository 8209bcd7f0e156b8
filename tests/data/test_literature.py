"""The literature tables say what the papers print, no more and no less."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from ssbayes import data


def load(name: str) -> Any:
    """Load a table; Any, for pandas' own types cannot follow a column by name."""
    return data.load(name)


MILLING = load("frankenberg2025_milling")
MIXING = load("kissel2025_mixing").set_index("row_id")


def run(rpm, milling_min):
    table = MILLING[(MILLING.rpm == rpm) & (MILLING.milling_min == milling_min)]
    assert len(table) == 1
    return table.iloc[0]


def test_the_catalog_lists_every_file_of_the_folder_and_nothing_else():
    catalog = data.catalog()
    files = {p.stem for p in data.literature.FOLDER.glob("*.csv")}
    assert set(catalog["name"]) == files
    rows = dict(zip(catalog["name"], catalog["rows"], strict=True))
    assert rows == {
        "frankenberg2025_milling": 17,
        "frankenberg2025_dem_exponents": 12,
        "frankenberg2025_film": 2,
        "kissel2025_mixing": 9,
        "kissel2025_active_capacity": 3,
        "kissel2025_utilization": 7,
        "kissel2025_correlations": 10,
        "kissel2025_anode_resistance": 4,
        "kissel2025_carbon_cells": 26,
        "kissel2025_carbon_conductivity": 11,
        "kissel2025_recipes": 18,
        "kissel2025_stress_intensity": 22,
        "kissel2025_annealing": 24,
        "kissel2025_coatings": 35,
        "kissel2025_annealed_film": 12,
        "kissel2025_coating_cells": 39,
        "kissel2025_carbon_fibre": 3,
        "kissel2025_cell_energy": 6,
        "schneider2023_pellets": 42,
        "prein2022_criteria": 8,
        "prein2022_levers": 4,
        "prein2022_mixing": 9,
        "alabdali2024_slurry": 42,
    }


@pytest.mark.parametrize("name", data.catalog()["name"])
def test_every_row_names_its_source_its_line_and_its_kind(name):
    table = load(name)
    others = (r"Kissel \(2025\), doctoral thesis|"  # its own chapters have no DOI
              r"3rd Conference on Production Systems and Logistics \(2022\)")
    assert table["source"].str.fullmatch(rf"10\.\d{{4,5}}/\S+|{others}").all()
    assert table["source_line"].str.fullmatch(r"\d+(;\d+)*").all()
    assert table["kind"].isin(["measured", "statement", "simulated"]).all()
    # what a source has simulated is set apart, and stands in one table only
    assert not table["kind"].eq("simulated").any() or name == "alabdali2024_slurry"


@pytest.mark.parametrize("name", data.catalog()["name"])
def test_every_column_of_the_literature_is_in_the_registry(name):
    for column in load(name).columns:
        assert data.column(column).name == column


def test_an_unknown_table_is_refused_with_the_nearest_name():
    with pytest.raises(KeyError, match="did you mean 'kissel2025_mixing'"):
        load("kissel2025_mixng")


def test_loading_twice_gives_tables_that_do_not_share_memory():
    first = load("kissel2025_mixing")
    first.loc[0, "capacity_mAh_g"] = 0.0
    assert load("kissel2025_mixing").loc[0, "capacity_mAh_g"] == 178.0


@pytest.mark.parametrize(
    ("rpm", "milling_min", "energy", "capacity"),
    [
        (200, 5, 10, 110),
        (200, 20, 45, np.nan),
        (400, 30, 500, 165),
        (600, 10, 500, 165),
        (1000, 20, 4700, 90),
    ],
)
def test_energy_anchors_and_capacities_as_printed(rpm, milling_min, energy, capacity):
    row = run(rpm, milling_min)
    assert row.specific_energy_J_g == energy
    assert row.capacity_mAh_g == pytest.approx(capacity, nan_ok=True)


def test_no_energy_or_capacity_is_there_that_the_text_does_not_print():
    readings = MILLING[MILLING.kind == "measured"]
    assert readings.specific_energy_J_g.sum() == 10 + 45 + 500 + 500 + 4700
    assert readings.capacity_mAh_g.sum() == 110 + 165 + 165 + 90
    assert sorted(readings.porosity.dropna()) == [0.265, 0.376]
    assert readings.utilization.dropna().tolist() == [0.88, 0.88]
    assert readings.areal_loading_mg_cm2.isna().all()
    assert readings.c_rate_basis_mAh_g.isna().all()


def test_one_printed_number_for_two_runs_is_marked_as_one():
    a, b = run(400, 30), run(600, 10)
    assert a.specific_energy_J_g_shared == b.specific_energy_J_g_shared is not None
    assert a.capacity_mAh_g_shared == b.capacity_mAh_g_shared is not None
    assert run(200, 5).utilization_shared == b.utilization_shared is not None
    assert a.specific_energy_J_g_sd == b.specific_energy_J_g_sd == 100


def test_qualifiers_are_kept():
    assert run(200, 5).capacity_mAh_g_q == "="
    assert run(600, 10).capacity_mAh_g_q == "~"
    assert run(1000, 20).capacity_mAh_g_q == "~"
    assert run(1000, 20).specific_energy_J_g_q == "="


def test_the_register_holds_the_runs_that_the_text_names():
    named = MILLING[(MILLING.kind == "measured") & (MILLING.status == "done")]
    assert set(zip(named.rpm, named.milling_min, strict=True)) == {
        (200, 5), (200, 20), (200, 30), (200, 60), (200, 300), (400, 30), (600, 5), (600, 10),
        (600, 20), (800, 5), (800, 20), (1000, 5), (1000, 20),
    }  # fmt: skip


def test_no_fittable_row_mills_fast_for_long():
    fittable = MILLING[MILLING.status == "done"]
    assert not ((fittable.rpm >= 800) & (fittable.milling_min > 20)).any()
    odd = MILLING[MILLING.status == "conflict"]
    assert odd.reason.notna().all()
    assert set(odd.porosity) == {0.376, 0.265}


def test_published_statements_are_rows_of_their_own_kind_without_a_reading():
    said = MILLING[MILLING.kind == "statement"].set_index("statement")
    assert said.loc["optimum", ["value", "value_sd"]].tolist() == [500, 100]
    assert said.loc["optimum", "source_line"] == "237"
    assert said.loc["declines_above", "value"] == 1000
    assert said.loc["declines_above", "source_line"] == "179"
    assert (said.outcome == "capacity_mAh_g").all()
    assert (said.over == "specific_energy_J_g").all()
    assert said[["capacity_mAh_g", "specific_energy_J_g", "rpm"]].isna().all(axis=None)


def test_exponents_sum_to_those_of_the_energy():
    table = load("frankenberg2025_dem_exponents")
    sums = table.groupby(["filling", "over"])["exponent"].sum().round(9)
    assert sums.xs("rpm", level="over").tolist() == [3.02, 3.01, 2.91]
    assert sums.xs("bead_mm", level="over").tolist() == [-0.49, -0.35, -0.21]


def test_the_film_from_the_slower_mill_is_better_used_but_gives_less():
    film = load("frankenberg2025_film").set_index("rpm")
    assert film.utilization.to_dict() == {200: 0.99, 600: 0.96}
    assert film.capacity_mAh_g.to_dict() == {200: 165, 600: 180}
    assert film.retention.to_dict() == {200: 0.97, 600: 0.94}


def test_mixing_summaries_as_printed():
    pooled = MIXING[MIXING.capacity_mAh_g_n == 9]
    by = pooled.set_index(["method", "c_rate"])
    assert by.loc["hand", "capacity_mAh_g"].tolist() == [178.0, 162.6, 133.3]
    assert by.loc["hand", "capacity_mAh_g_sd"].tolist() == [9.0, 9.7, 10.8]
    assert by.loc["machine", "capacity_mAh_g"].tolist() == [179.5, 164.9, 138.5]
    assert by.loc["machine", "capacity_mAh_g_sd"].tolist() == [2.4, 3.0, 4.3]
    assert (pooled.capacity_mAh_g_batches == 3).all()
    assert MIXING.capacity_mAh_g_sd_ddof.isna().all()
    assert (MIXING.c_rate_basis_mAh_g == 190).all()


def test_a_pooled_row_names_the_batches_inside_it():
    inside = MIXING.loc["g1", "contains"].split(";")
    assert inside == ["g4", "g5", "g6"]
    assert MIXING.loc[inside, "capacity_mAh_g_n"].sum() == MIXING.loc["g1", "capacity_mAh_g_n"]
    assert MIXING.loc[inside, "batch"].tolist() == ["1", "2", "3"]


def test_the_third_batch_has_a_range_of_scatters_and_no_mean():
    third = MIXING.loc["g6"]
    assert pd.isna(third.capacity_mAh_g)
    assert pd.isna(third.capacity_mAh_g_sd)
    assert (third.capacity_mAh_g_sd_low, third.capacity_mAh_g_sd_high) == (2.2, 5.9)


def test_the_printed_coefficients_of_variation_follow_from_the_printed_figures_but_for_one():
    printed = MIXING[MIXING.capacity_cv_pct.notna()]
    low = 100 * (printed.capacity_mAh_g_sd - 0.05) / (printed.capacity_mAh_g + 0.05) - 0.05
    high = 100 * (printed.capacity_mAh_g_sd + 0.05) / (printed.capacity_mAh_g - 0.05) + 0.05
    odd = printed.index[~printed.capacity_cv_pct.between(low, high)]
    assert odd.tolist() == ["g2"]


def test_active_capacities_and_utilizations():
    active = load("kissel2025_active_capacity")
    assert active.active_capacity_mAh_g.tolist() == [201.4, 184.2, 151.5]
    assert active.active_capacity_mAh_g_sd.tolist() == [3.0, 4.9, 9.5]
    assert (active.capacity_basis == "active").all()
    used = load("kissel2025_utilization").set_index("row_id")
    assert used.utilization.dropna().tolist() == [0.898, 0.756, 0.764, 1.012, 0.897, 0.77]
    assert used.loc["u1", ["utilization_low", "utilization_high"]].tolist() == [0.74, 0.95]


def test_printed_determination_is_the_square_of_the_printed_correlation_within_rounding():
    table = load("kissel2025_correlations")
    both = table[table.pearson_r.notna() & table.r_squared.notna()]
    assert len(both) == 3
    assert ((both.pearson_r**2 - both.r_squared).abs() < 0.015).all()


def test_the_pressed_anode_starts_lower_and_less_scattered():
    anode = load("kissel2025_anode_resistance")
    start = anode[anode.time_point == "start of protocol"].set_index("anode_preparation")
    assert start.anode_resistance_ohm_cm2.tolist() == [6.3, 2.5]
    assert start.anode_resistance_ohm_cm2_sd.tolist() == [2.8, 1.0]


def test_unlike_capacities_are_told_apart():
    both = pd.concat([MILLING, MIXING.reset_index()], ignore_index=True)
    assert len(data.unlike(MILLING)) == 1
    assert len(data.unlike(both)) > 1
