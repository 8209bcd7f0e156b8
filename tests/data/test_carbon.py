"""A carbon content says what it is a share of, and every basis follows from every other."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from ssbayes import data
from ssbayes.data import carbon, currents, recipes

PARTS = np.array([0.0, 0.2, 0.5, 1.0, 2.0, 3.0])
AT_80_20 = {  # carbon in 80:20:x, from the parts by hand
    "cb_per_electrolyte_wt_pct": [0, 1.0, 2.5, 5.0, 10.0, 15.0],
    "cb_in_matrix_wt_pct": [0, 0.99, 2.44, 4.76, 9.09, 13.04],
    "cb_in_composite_wt_pct": [0, 0.20, 0.50, 0.99, 1.96, 2.91],
    "cb_in_matrix_vol_pct": [0, 1.3, 3.2, 6.2, 11.7, 16.5],
}
DIGITS = {"cb_per_electrolyte_wt_pct": 1, "cb_in_matrix_vol_pct": 1}


def load(name: str) -> Any:
    return data.load(name)


RECIPES = load("kissel2025_recipes").set_index("row_id")


@pytest.mark.parametrize("basis", AT_80_20)
def test_a_composite_of_80_to_20_has_the_contents_of_a_hand_calculation(basis):
    got = carbon.convert(PARTS, "cb_parts", basis, 20.0)
    assert np.round(got, DIGITS.get(basis, 2)).tolist() == AT_80_20[basis]


def test_what_is_not_carbon_in_80_to_20_follows_as_well():
    active = 100 * recipes.active_fraction(20.0, PARTS)
    guest = 100 * recipes.guest_volume_fraction(20.0, PARTS)
    assert np.round(active, 2).tolist() == [80.00, 79.84, 79.60, 79.21, 78.43, 77.67]
    assert np.round(guest, 1).tolist() == [31.4, 31.7, 32.1, 32.8, 34.2, 35.5]


@pytest.mark.parametrize("to", carbon.BASES)
@pytest.mark.parametrize("basis", carbon.BASES)
def test_every_basis_converts_to_every_other_and_back(basis, to):
    rng = np.random.default_rng(1)
    content, electrolyte = rng.uniform(0, 40, 200), rng.uniform(1, 60, 200)
    there = carbon.convert(content, basis, to, electrolyte)
    back = carbon.convert(there, to, basis, electrolyte)
    assert back == pytest.approx(content, rel=1e-9)


def test_per_electrolyte_always_exceeds_the_share_of_the_matrix_and_that_of_the_composite():
    x, e = np.meshgrid([0.1, 1.0, 5.0], [1.0, 20.0, 60.0])
    per, matrix, composite = (carbon.convert(x, "cb_parts", b, e) for b in (
        "cb_per_electrolyte_wt_pct", "cb_in_matrix_wt_pct", "cb_in_composite_wt_pct"))
    assert (per > matrix).all()
    assert (matrix > composite).all()


def test_the_volume_share_is_the_mass_share_where_the_densities_are_alike():
    by_mass, by_volume = (
        carbon.convert(PARTS, "cb_parts", b, 20.0, electrolyte_density=2.0, carbon_density=2.0)
        for b in ("cb_in_matrix_wt_pct", "cb_in_matrix_vol_pct"))
    assert by_volume == pytest.approx(by_mass)


@pytest.mark.parametrize("name", [
    "wt%", "wt_pct", "cb_wt_pct", "carbon_wt_pct", "CB (wt.%)", "carbon black wt%", "cb_content",
    "cb_vol_pct", "cb", "C65 %",
])  # fmt: skip
def test_a_bare_per_cent_is_refused_as_a_column_and_as_an_argument(name, tmp_path):
    file = tmp_path / "runs.csv"
    file.write_text(f'rpm,"{name}"\n10000,3\n')
    with pytest.raises(data.TableError) as told:
        data.read(file)
    assert [p.column for p in told.value.problems] == [name]
    for message in (str(told.value), _error(data.ColumnError, lambda: data.column(name)),
                    _error(ValueError, lambda: carbon.convert(3.0, name, "cb_parts", 20.0)),
                    _error(ValueError, lambda: carbon.convert(3.0, "cb_parts", name, 20.0)),
                    _error(data.TableError, lambda: data.with_cb_parts(
                        pd.DataFrame({name: [3.0]})))):
        assert repr(name) in message
        assert all(basis in message for basis in carbon.BASES)


def test_declaring_a_bare_per_cent_or_leaving_a_table_open_does_not_let_it_pass():
    table = pd.DataFrame({"cb_wt_pct": [3.0]})
    wanted = pd.DataFrame({"name": ["cb_wt_pct"], "role": "factor", "level": "batch", "unit": "%",
                           "needed": True})
    with pytest.raises(data.TableError, match="cb_in_matrix_wt_pct"):
        data.validate(table, open=True)
    with pytest.raises(data.TableError, match="cb_in_matrix_wt_pct"):
        data.validate(table, wanted)


def test_no_column_of_the_registry_and_no_other_quantity_is_taken_for_a_bare_content():
    others = ["mass", "weight", "carbon_mass_g", "coating_wt_pct", "cb_in_matrx_wt_pct", "note"]
    assert not [n for n in [*data.COLUMNS, *others] if carbon.is_bare(n)]


def test_a_misspelt_basis_still_brings_its_nearest_name():
    with pytest.raises(data.TableError, match="did you mean 'cb_in_matrix_wt_pct'"):
        data.validate(pd.DataFrame({"cb_in_matrx_wt_pct": [3.0]}))


def test_any_basis_gives_the_parts_of_its_row():
    table = pd.DataFrame({
        "electrolyte_parts": [20.0, 20.0, 20.0, np.nan, np.nan, np.nan],
        "cb_per_electrolyte_wt_pct": [15.0, np.nan, np.nan, np.nan, np.nan, np.nan],
        "cb_in_matrix_wt_pct": [np.nan, 9.09, np.nan, np.nan, np.nan, np.nan],
        "cb_in_matrix_vol_pct": [np.nan, np.nan, 6.2, np.nan, np.nan, np.nan],
        "cb_in_composite_wt_pct": [np.nan, np.nan, np.nan, 2.91, np.nan, np.nan],
        "cb_parts": [np.nan, np.nan, np.nan, np.nan, 0.5, np.nan],
    })  # fmt: skip
    before = table.copy()
    got: Any = data.with_cb_parts(table)
    assert got["cb_parts"].tolist() == pytest.approx([3, 2, 1, 3, 0.5, np.nan], rel=2e-3,
                                                     nan_ok=True)
    pd.testing.assert_frame_equal(table, before)


def test_rounded_bases_of_one_powder_agree_and_others_are_an_error_that_names_the_row():
    table = pd.DataFrame({"electrolyte_parts": 20.0, "cb_parts": [3.0, 3.0],
                          "cb_in_matrix_wt_pct": [13.04, 15.0]}, index=["a", "b"])
    assert data.with_cb_parts(table.loc[["a"]])["cb_parts"].tolist() == [3.0]
    with pytest.raises(data.TableError, match="row b, column 'cb_in_matrix_wt_pct': found '15'"):
        data.with_cb_parts(table)


def test_a_basis_without_its_electrolyte_is_an_error_but_a_pellet_of_matrix_is_not():
    table = pd.DataFrame({"cb_per_electrolyte_wt_pct": [5.0]})
    with pytest.raises(data.TableError, match=r"row 0, column 'electrolyte_parts'.*cannot"):
        data.with_cb_parts(table)
    pellet: Any = data.with_cb_parts(table.assign(phase="matrix"))
    assert pellet["cb_parts"].isna().all()


def test_a_bound_on_a_content_stays_a_bound():
    table = pd.DataFrame({"electrolyte_parts": [20.0, 20.0], "cb_in_matrix_wt_pct": [9.09, 4.76],
                          "cb_in_matrix_wt_pct_censored": ["<", None]})
    got: Any = data.with_cb_parts(table)
    assert got["cb_parts_censored"].tolist() == ["<", None]
    assert "cb_parts_q" not in got


@pytest.mark.parametrize(
    ("value", "basis", "electrolyte", "told"),
    [
        (-1.0, "cb_parts", None, "at least 0"),
        (100.0, "cb_in_matrix_wt_pct", 20.0, "below 100"),
        (5.0, "cb_in_matrix_wt_pct", None, "needs electrolyte_parts"),
        (5.0, "cb_per_electrolyte_wt_pct", 0.0, "electrolyte_parts is 0"),
        (5.0, "cb_per_electrolyte_wt_pct", 120.0, "0 to 100"),
        ("5", "cb_parts", None, "must be a number"),
    ],
)
def test_impossible_contents_are_refused(value, basis, electrolyte, told):
    with pytest.raises(ValueError, match=told):
        carbon.cb_parts_of(value, basis, electrolyte)


def test_a_list_of_contents_is_an_array_of_them():
    assert carbon.cb_parts_of([15.0, 5.0], "cb_per_electrolyte_wt_pct", 20).tolist() == [3.0, 1.0]


def test_the_weighings_of_all_published_recipes_follow_from_one_solid_volume():
    recipe = recipes.weighing(RECIPES.electrolyte_parts, RECIPES.cb_parts)
    assert len(RECIPES) == 18
    assert (recipe["sample_mass_g"] - RECIPES.sample_mass_g).abs().max() < 0.05
    for part in ("weighed_active_g", "weighed_electrolyte_g"):
        assert (recipe[part] - RECIPES[part]).abs().max() < 0.06
    assert (recipe["weighed_carbon_g"] - RECIPES.weighed_carbon_g).abs().max() < 0.02
    parts = (recipe["weighed_active_g"] + recipe["weighed_electrolyte_g"]
             + recipe["weighed_carbon_g"])
    assert parts.to_numpy() == pytest.approx(recipe["sample_mass_g"].to_numpy())


def test_mixed_densities_of_80_to_20_without_and_with_carbon():
    assert recipes.weighing(20.0, 0.0)["mixed_density_g_mL"] == pytest.approx(4.07, abs=0.005)
    assert 3.94 <= recipes.weighing(20.0, 3.0)["mixed_density_g_mL"] <= 3.95
    assert recipes.mixed_density([1.0, 1.0], [2.0, 2.0]) == pytest.approx(2.0)
    printed = RECIPES[RECIPES.mixed_density_g_mL.notna()]
    got = recipes.weighing(printed.electrolyte_parts, printed.cb_parts)["mixed_density_g_mL"]
    assert (got - printed.mixed_density_g_mL).abs().max() < 0.006


def test_weighed_masses_flow_back_as_the_actual_parts():
    plan = recipes.weighing(20.0, 0.5)
    back = recipes.parts_of_weighing(
        plan["weighed_active_g"], plan["weighed_electrolyte_g"], plan["weighed_carbon_g"])
    assert back == pytest.approx((20.0, 0.5))
    actual = RECIPES.loc["matrix 80:20:3"]
    got = recipes.parts_of_weighing(
        actual.weighed_active_g, actual.weighed_electrolyte_g, actual.weighed_carbon_g)
    assert got[1] == pytest.approx(3.08, abs=0.005)  # the label says 3
    with pytest.raises(ValueError, match="weigh nothing"):
        recipes.parts_of_weighing(0.0, 0.0, 0.1)


def test_impossible_recipes_are_refused():
    with pytest.raises(ValueError, match="solid_volume_mL is 0"):
        recipes.weighing(20.0, 0.5, 0)
    with pytest.raises(ValueError, match="electrolyte_parts is 101"):
        recipes.weighing(101.0, 0.5)
    with pytest.raises(ValueError, match="2 masses and 1 densities"):
        recipes.mixed_density([1.0, 2.0], [4.75])
    with pytest.raises(ValueError, match="a density is 0"):
        recipes.mixed_density([1.0], [0.0])


def test_one_c_and_its_current_density():
    assert currents.one_c_current_mA(12.0, 0.8, 190.0) == pytest.approx(1.824, abs=5e-4)
    assert currents.cell_area_cm2(10.0) == pytest.approx(0.785, abs=5e-4)
    assert 1e3 * currents.current_density_mA_cm2(0.05, 10.0) == pytest.approx(64, abs=0.5)
    assert currents.current_density_mA_cm2(1.824, 10.0) == pytest.approx(2.3, abs=0.05)


def _error(kind: type[Exception], call: Any) -> str:
    with pytest.raises(kind) as told:
        call()
    return str(told.value)
