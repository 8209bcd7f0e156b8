"""The tables of coatings, carbon and annealing: as printed, with arithmetic that agrees."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from ssbayes import data

KISSEL = [
    "kissel2025_carbon_cells", "kissel2025_carbon_conductivity", "kissel2025_recipes",
    "kissel2025_stress_intensity", "kissel2025_annealing", "kissel2025_annealed_film",
    "kissel2025_coatings", "kissel2025_coating_cells",
]  # fmt: skip


def load(name: str) -> Any:
    """Load a table by row; Any, for pandas' own types cannot follow a column by name."""
    return data.load(name).set_index("row_id", drop=False)


CELLS = load("kissel2025_carbon_cells")
ANNEALING = load("kissel2025_annealing")
COATINGS = load("kissel2025_coatings")
COATED_CELLS = load("kissel2025_coating_cells")
WIDE = COATINGS.pivot_table(index="coating", columns="time_point", values="resistance_ohm_cm2")
GROWTH = COATINGS.dropna(subset="growth_ohm_cm2_sqrth").set_index("coating").growth_ohm_cm2_sqrth


@pytest.mark.parametrize("name", KISSEL)
def test_rows_have_names_of_their_own_and_a_statement_has_no_reading(name):
    table = load(name)
    assert table.row_id.is_unique
    readings = [c for c in table if c in data.COLUMNS and data.COLUMNS[c].reading]
    said = table[table.kind == "statement"]
    assert said[readings].isna().all(axis=None)
    lows = [f"{c}_low" for c in readings if f"{c}_low" in table]
    found = table[table.kind == "measured"][[*readings, *lows]].notna().any(axis=1)
    assert found.all() or name == "kissel2025_recipes"  # what was weighed is a setting


@pytest.mark.parametrize("name", KISSEL)
def test_a_number_printed_once_for_several_rows_is_marked_as_one(name):
    table = load(name)
    for column in (c for c in table if c.endswith("_shared")):
        what = column.removesuffix("_shared")
        groups = table.dropna(subset=column).groupby(column)
        assert (groups.size() > 1).all()
        ends = [c for c in (what, f"{what}_low", f"{what}_high") if c in table]
        assert (groups[ends].nunique() <= 1).all(axis=None)


@pytest.mark.parametrize("name", KISSEL)
def test_a_bound_says_on_which_side_the_truth_is(name):
    table = load(name)
    for column in (c for c in table if c.endswith("_censored")):
        bound = table[column].notna()
        printed = table[column.replace("_censored", "_q")]
        assert (printed[bound].str[0] == table[column][bound]).all()
        assert not printed[~bound].isin(["<", ">"]).any()


def test_the_printed_initial_efficiencies_follow_from_the_printed_charges():
    first = CELLS[CELLS.first_cycle_efficiency.notna()]
    charge = first.composite_charge_cc_mAh_g + first.composite_charge_cv_mAh_g
    off = 100 * (first.composite_capacity_mAh_g / charge - first.first_cycle_efficiency)
    assert len(first) == 6
    assert off.abs().max() < 0.05


def test_carbon_rows_say_which_cycle_and_how_it_was_charged():
    first = CELLS[CELLS.row_id.str.startswith("first")]
    assert (first.cycle == 1).all()
    assert (first.c_rate == 0.1).all()
    assert first.cb_parts.tolist() == [0, 0.2, 0.5, 1, 2, 3]
    rates = CELLS[CELLS.c_rate.notna() & (CELLS.kind == "measured")]
    assert (rates.charge_mode == "CCCV").all()
    assert CELLS[CELLS.row_id.str.startswith("1C")].cycle.isna().all()  # not printed


def test_the_capacities_at_1c_and_the_retentions_as_printed():
    fast = CELLS.loc[["1C-0", "1C-0.5", "1C-3"]]
    assert fast.composite_capacity_mAh_g.tolist() == [85, 100, 10]
    assert fast.composite_capacity_mAh_g_q.tolist() == ["~", "=", "<"]
    assert fast.composite_capacity_mAh_g_censored.tolist()[2] == "<"
    kept = CELLS.dropna(subset="retention")
    assert kept.retention.tolist() == [0.917, 1.085, 0.967, 0.818, 0.218, 0.301]
    assert (kept.retention_cycles == 80).all()
    assert CELLS.utilization.dropna().tolist() == [0.65, 0.65, 0.65, 0.9]
    assert CELLS.active_capacity_mAh_g.dropna().tolist() == [180, 10]


def test_without_carbon_the_fast_capacity_exceeds_the_first_slow_one_and_the_row_says_so():
    fast, slow = (CELLS.loc[n, "composite_capacity_mAh_g"] for n in ("1C-0", "first-0"))
    assert fast > slow
    assert "78.3" in CELLS.loc["1C-0", "note"]


def test_the_best_carbon_content_is_a_statement_about_those_tested():
    best = CELLS.loc["best1C"]
    assert (best.kind, best.statement, best.value) == ("statement", "highest_at", 0.5)
    assert (best.outcome, best.over) == ("composite_capacity_mAh_g", "cb_parts")
    assert best.value in set(CELLS.cb_parts)


def test_conductivities_name_the_basis_of_their_carbon():
    table = load("kissel2025_carbon_conductivity")
    assert table.electronic_mS_cm.dropna().tolist() == [0.01, 200, 1000, 0.03, 1.8]
    assert table.ionic_mS_cm.dropna().tolist() == [0.7, 0.03, 0.04, 0.006]
    parts: Any = data.with_cb_parts(table)
    composite = parts[parts.phase == "composite"]
    label = composite.composition.str.rsplit(":", n=1).str[1].astype(float)
    assert composite.cb_parts.to_numpy() == pytest.approx(label.to_numpy())
    assert parts[parts.phase == "matrix"].cb_parts.isna().all()


def test_stress_intensity_rises_with_almost_the_square_of_speed():
    table = load("kissel2025_stress_intensity").dropna(subset="stress_intensity_J_kg")
    rpm, intensity = table.rpm.to_numpy(), table.stress_intensity_J_kg.to_numpy()
    assert intensity.tolist() == [0.006, 0.033, 0.123]
    steps = np.diff(np.log(intensity)) / np.diff(np.log(rpm))
    assert ((steps > 1.8) & (steps < 2.0)).all()


def test_volumes_of_the_recipes_are_masses_over_densities():
    recipes = load("kissel2025_recipes")
    for part, rho in (("active", 4.75), ("electrolyte", 2.59), ("carbon", 1.96)):
        volume = recipes[f"weighed_{part}_g"] / rho
        assert (volume - recipes[f"{part}_volume_mL"]).abs().max() < 0.012
    parts = ["weighed_active_g", "weighed_electrolyte_g", "weighed_carbon_g"]
    assert (recipes[parts].sum(axis=1) - recipes.sample_mass_g).abs().max() < 0.015
    assert recipes.solid_volume_mL.between(4.90, 4.92).all()


def test_premixing_belongs_to_recipes_with_carbon_only():
    recipes = load("kissel2025_recipes")
    assert (recipes.premix_rpm.notna() == (recipes.cb_parts > 0)).all()


@pytest.mark.parametrize(
    ("row", "statement", "outcome", "values"),
    [
        ("sims", "best_between", "relative_degradation", (np.nan, 300, 500)),
        ("ocv", "best_between", "relaxation_shift_mV", (np.nan, 300, 500)),
        ("complete400", "complete_at", "sulfur_oxidation", (400, np.nan, np.nan)),
        ("incomplete300", "incomplete_at", "sulfur_oxidation", (300, np.nan, np.nan)),
        ("coverage300", "highest_at", "coverage", (300, np.nan, np.nan)),
        ("capacity700", "highest_at", "charge_capacity_mAh_g", (700, np.nan, np.nan)),
        ("onset", "incomplete_at", "sulfur_oxidation", (200, 100, 200)),
        ("ICE_below_bare", "ordering", "first_cycle_efficiency", (200, 25, 200)),
        ("ICE_above_bare", "ordering", "first_cycle_efficiency", (300, 300, 700)),
        ("verdict", "best_between", "verdict", (np.nan, 300, 400)),
    ],
)
def test_statements_on_the_annealing_temperature(row, statement, outcome, values):
    said = ANNEALING.loc[row]
    assert (said.kind, said.statement, said.outcome) == ("statement", statement, outcome)
    assert said.over == "anneal_degC"
    got = [said.value, said.value_low, said.value_high]
    assert got == pytest.approx(list(values), nan_ok=True)
    assert pd.isna(said.anneal_degC)
    assert (said.anneal_h, said.o2_fraction, said.heating_K_min) == (1, 0.21, 2)


def test_the_authors_verdict_is_no_reading_and_says_that_it_is_never_fitted():
    assert not data.column("verdict").reading
    for row in ("verdict", "verdict_cells"):
        assert "never" in ANNEALING.loc[row, "note"]


def test_the_highest_capacity_is_a_second_charge_at_the_edge_of_the_range():
    row = ANNEALING.loc["q2_700"]
    assert (row.charge_capacity_mAh_g, row.cycle, row.anneal_degC) == (199.5, 2, 700)


def test_a_potential_is_kept_against_lithium_with_what_was_printed():
    kinks = ANNEALING.dropna(subset="hindrance_peak_V")
    assert kinks.hindrance_peak_V.to_numpy() == pytest.approx(2.9 + 0.62)
    assert kinks.note.str.contains("2.9 V vs In/InLi").all()
    held = COATINGS[COATINGS.direction == "hold"]
    assert held.hold_V.to_numpy() == pytest.approx(3.7 + 0.62)
    assert held.note.str.contains("3.7 V vs In/InLi").all()


def test_the_films_keep_the_printed_share_of_their_slow_capacity():
    film = load("kissel2025_annealed_film")
    rates = film[film.cycle.isna() & film.capacity_mAh_g.notna()]
    coated = rates[rates.coating == "LPS"].set_index("c_rate").capacity_mAh_g
    assert (100 * coated / coated[0.1]).round().tolist() == [100, 97, 90, 81]
    bare = rates[rates.coating == "bare"].set_index("c_rate").capacity_mAh_g
    assert bare.tolist() == [199, 190, 175, 160]
    assert film.first_cycle_efficiency.dropna().tolist() == [0.927, 0.871]
    assert film.retention.dropna().tolist() == [0.85, 0.79]


def test_every_coating_has_four_resistances_and_one_growth():
    assert WIDE.shape == (7, 4)
    assert WIDE.notna().all(axis=None)
    assert set(GROWTH.index) == {"bare", *(f"Coating-0{i}" for i in range(1, 7))}
    assert WIDE.loc["bare", ["3.1 V start", "3.1 V end"]].tolist() == [22.0, 37.0]
    assert WIDE.loc["bare", ["3.7 V hold start", "3.7 V hold end"]].tolist() == [105.0, 146.2]
    assert GROWTH["Coating-05"] == 40.8


def test_the_resistance_of_the_bare_material_rises_by_68_per_cent():
    rise = WIDE["3.1 V end"] / WIDE["3.1 V start"] - 1
    assert 100 * rise["bare"] == pytest.approx(68, abs=0.5)
    assert COATED_CELLS.loc["rise bare", "resistance_rise"] == pytest.approx(rise["bare"], abs=5e-3)


def test_every_resistance_grows_and_more_so_at_the_high_potential():
    low = WIDE["3.1 V end"] - WIDE["3.1 V start"]
    high = WIDE["3.7 V hold end"] - WIDE["3.7 V hold start"]
    assert (low > 0).all()
    assert (high > low).all()


def test_the_order_by_growth_is_not_that_by_the_last_resistance():
    def short(names):
        return [n.removeprefix("Coating-") for n in names]

    assert short(GROWTH.sort_values().index) == ["06", "03", "02", "01", "bare", "04", "05"]
    assert short(WIDE["3.1 V end"].sort_values().index) == [
        "03", "06", "02", "bare", "01", "05", "04"]  # fmt: skip


def test_the_first_spectrum_of_the_hold_has_no_printed_time_and_the_growth_needs_its_own_start():
    start = COATINGS[COATINGS.time_point == "3.7 V hold start"]
    end = COATINGS[COATINGS.time_point == "3.7 V hold end"]
    assert len(start) == len(end) == 7
    assert start.hold_h.isna().all()
    assert (end.hold_h == 10).all()
    gain = WIDE["3.7 V hold end"] - WIDE["3.7 V hold start"]
    assert (GROWTH[gain.index] * np.sqrt(10) > gain).all()


def test_start_and_end_at_3_1_v_differ_in_cycle_and_direction():
    marks = COATINGS.groupby("time_point")[["direction", "cycle"]].agg(["unique"])
    got = {t: [c[0] for c in row] for t, row in zip(marks.index, marks.to_numpy(), strict=True)}
    assert got["3.1 V start"] == ["charge", 2]
    assert got["3.1 V end"] == ["discharge", 4]


def test_what_the_text_says_against_the_table_is_a_conflict_and_only_that():
    odd = COATED_CELLS[COATED_CELLS.status == "conflict"]
    assert set(odd.index) == {"drop 01", "rise 01", "rise 02"}
    assert odd.reason.notna().all()
    rise = WIDE["3.1 V end"] / WIDE["3.1 V start"] - 1
    assert abs(odd.loc["rise 01", "resistance_rise"] - rise["Coating-01"]) > 0.05
    assert rise["Coating-02"] > odd.loc["rise 02", "resistance_rise"]
    first, second = (COATED_CELLS.loc[f"active {i} 01", "active_capacity_mAh_g"] for i in (1, 2))
    assert second / first == pytest.approx(0.896, abs=1e-3)
    assert odd.loc["drop 01", "retention"] == 0.64
    sound = COATED_CELLS[COATED_CELLS.status == "done"].dropna(subset="resistance_rise")
    held = sound[sound.resistance_rise_censored == "<"]
    assert held.coating.tolist() == ["Coating-03", "Coating-06"]
    assert (rise[held.coating].to_numpy() < held.resistance_rise.to_numpy()).all()


def test_the_bounds_on_the_rise_of_the_best_three_hold_in_the_table():
    bound = COATED_CELLS.dropna(subset="resistance_change_ohm_cm2_censored")
    gain = WIDE["3.1 V end"] - WIDE["3.1 V start"]
    assert (gain[bound.coating].to_numpy() < bound.resistance_change_ohm_cm2.to_numpy()).all()


def test_twin_cells_differ_and_keep_their_labels():
    twins = COATED_CELLS.dropna(subset="cell")
    assert twins.retention.tolist() == [0.64, 0.75]
    assert (twins.retention_cycles == 500).all()
    assert (twins.charge_mode == "CC").all()
    assert (twins.temperature_degC == 45).all()


def test_a_range_needs_both_its_ends_and_other_statements_their_value():
    row = {"kind": "statement", "outcome": "coverage", "over": "anneal_degC"}
    good = pd.DataFrame([
        row | {"statement": "best_between", "value_low": 300.0, "value_high": 400.0},
        row | {"statement": "highest_at", "value": 300.0},
    ])
    assert len(data.validate(good)) == 2
    with pytest.raises(data.TableError, match="row 0, column 'value_high'"):
        data.validate(good.assign(value_high=np.nan))
    with pytest.raises(data.TableError, match="row 1, column 'value'"):
        data.validate(good.assign(value=np.nan))
