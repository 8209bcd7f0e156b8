"""Printed signs of quality criteria and levers: decoded, merged cells inherited, conflicts told."""

from typing import Any

import pandas as pd
import pytest
from ssbayes import data
from ssbayes.data import quality_criteria as quality

KNOWN: Any = quality.criteria()
SE = ["contact_SE_CAM", "contact_SE_SE", "homogeneity_SE"]
CC = ["contact_CC_CAM", "contact_CC_CC", "homogeneity_CC"]


def names(mask) -> set[str]:
    return set(KNOWN.index[mask])


def test_there_are_eight_criteria_by_material():
    assert list(KNOWN.index) == list(data.columns.CRITERIA)
    assert KNOWN["component"].value_counts().to_dict() == {"SE": 3, "CC": 3, "CAM": 1, "whole": 1}


def test_only_porosity_is_better_when_smaller():
    assert names(KNOWN["direction"] == -1) == {"porosity"}
    assert names(KNOWN["direction"] == 1) == set(KNOWN.index) - {"porosity"}


def test_contacts_of_carbon_alone_are_hard_to_measure():
    assert names(~KNOWN["measurable"]) == {"contact_CC_CAM", "contact_CC_CC"}


def test_porosity_and_the_electrolyte_are_hard_to_adjust():
    assert names(~KNOWN["easy"]) == {"porosity", *SE}


def test_signs_on_both_conductivities():
    signs = list(zip(KNOWN["electronic_sign"], KNOWN["ionic_sign"], strict=True))
    expected = {"porosity": (-1, -1), "homogeneity_CAM": (1, 1)}
    expected |= dict.fromkeys(SE, (0, 1)) | dict.fromkeys(CC, (1, 0))
    assert dict(zip(KNOWN.index, signs, strict=True)) == expected
    assert names(KNOWN["ionic_sign"] != 0) == {"porosity", "homogeneity_CAM", *SE}
    assert names(KNOWN["electronic_sign"] != 0) == {"porosity", "homogeneity_CAM", *CC}


def test_methods():
    def using(method):
        return {name for name, listed in KNOWN["methods"].items() if method in listed}

    assert using("MIP") == {"porosity", *SE, "contact_CC_CC", "homogeneity_CC"}
    assert using("EDS") == {"homogeneity_CAM", "homogeneity_SE", "homogeneity_CC"}
    assert using("VMM") == {"porosity"}


def test_merged_cells_say_that_they_are_and_take_the_first_row_of_their_material():
    merged = {name for name, columns in KNOWN["merged"].items() if columns}
    assert merged == {"contact_SE_SE", "homogeneity_SE", "contact_CC_CC", "homogeneity_CC"}
    first = KNOWN.loc["contact_SE_CAM"]
    for name in ("contact_SE_SE", "homogeneity_SE"):
        assert KNOWN.at[name, "merged"] == ("direction", "electronic_sign", "ionic_sign", "easy")
        for column in KNOWN.at[name, "merged"]:
            assert KNOWN.at[name, column] == first[column]


@pytest.mark.parametrize(("glyphs", "sign"), [
    (("1", "Ţ", "Ť", "ſ", "¢", "↑", "\\uparrow"), 1), (("Ļ", "\\downarrow", "↓"), -1),
    (("0", "o"), 0)])
def test_damaged_arrows_are_decoded(glyphs, sign):
    assert {quality.decode(glyph) for glyph in glyphs} == {sign}


def test_an_unknown_glyph_is_an_error_that_names_the_place():
    with pytest.raises(data.TableError, match=r"row 7, column 'ionic_glyph': found 'Ŧ'"):
        quality.decode("Ŧ", row=7, column="ionic_glyph")
    with pytest.raises(data.TableError, match=r"row 7, column 'ease_glyph': found '\?'"):
        quality.decode_mark("?", row=7, column="ease_glyph")
    table = data.load("prein2022_criteria")
    table.loc[4, "measurability_glyph"] = "~"
    table.loc[1, "electronic_glyph"] = "Ŧ"
    with pytest.raises(data.TableError) as told:
        quality.criteria(table)
    assert [(p.row, p.column) for p in told.value.problems] == [
        (1, "electronic_glyph"), (4, "measurability_glyph")]


def test_what_cannot_be_inherited_or_stands_twice_is_refused():
    table = data.load("prein2022_criteria")
    table.loc[2, "ionic_glyph"] = None
    with pytest.raises(data.TableError) as told:
        quality.criteria(table)
    assert {p.row for p in told.value.problems} == {2, 3, 4}
    table = data.load("prein2022_criteria")
    table.loc[0, "optimum_glyph"] = "0"
    with pytest.raises(data.TableError, match="an arrow up or down"):
        quality.criteria(table)
    with pytest.raises(data.TableError, match="stands once"):
        quality.criteria(pd.concat([data.load("prein2022_criteria")] * 2, ignore_index=True))


def test_the_loading_conflicts_with_its_table_and_the_text_decides():
    levers: Any = quality.levers()
    assert list(levers.index[levers["conflict"]]) == ["loading"]
    loading = levers.loc["loading"]
    assert (loading["energy_sign"], loading["power_sign"]) == (1, -1)
    assert (loading["table_energy_sign"], loading["table_power_sign"]) == (-1, 1)
    signs = {name: (row["energy_sign"], row["power_sign"]) for name, row in levers.iterrows()}
    assert signs == {"CAM_SE_ratio": (1, -1), "loading": (1, -1), "CC_share": (-1, 1),
                     "binder_share": (-1, -1)}


def test_a_corrected_table_of_levers_has_no_conflict_and_a_new_one_is_found():
    table = data.load("prein2022_levers")
    table.loc[1, ["energy_glyph", "power_glyph"]] = ["↑", "↓"]
    assert list(quality.levers(table)["conflict"]) == [False] * 4
    table.loc[2, "power_glyph"] = "Ļ"
    assert list(quality.levers(table)["conflict"]) == [False, False, True, False]
    table.loc[3, "energy_glyph"] = "x"
    with pytest.raises(data.TableError, match="row 3, column 'energy_glyph'"):
        quality.levers(table)


def test_two_minutes_is_a_failure_and_no_porosity_is_in_the_table():
    table: Any = data.load("prein2022_mixing")
    failed = table[table["status"].eq("failed")]
    assert failed["milling_min"].tolist() == [2.0]
    assert "agglomerates" in failed["reason"].iloc[0]
    readings = table[table["kind"].eq("measured")]
    assert readings["milling_min"].tolist() == [2.0, 32.0, 64.0]
    assert not {"dry_porosity", "calendered_porosity", "porosity", "grade"} & set(table.columns)
