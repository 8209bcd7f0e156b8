"""What was written is read back, from whatever spreadsheet it came."""

import datetime

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ssbayes import data

labels = st.none() | st.text(st.characters(codec="utf-8"), max_size=8)
rows = st.fixed_dictionaries(
    {
        "batch": labels,
        "note": labels,
        "capacity_mAh_g": st.floats(0, 400),
        "capacity_mAh_g_n": st.none() | st.integers(1, 9),
        "c_rate": st.none() | st.floats(0.001, 100),
    }
)


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".xlsx", ".csv.gz"])
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(table=st.lists(rows, min_size=1, max_size=6))
def test_a_valid_table_comes_back_as_it_was_written(tmp_path, ending, table):
    clean = data.validate(pd.DataFrame(table))
    path = data.write(clean, tmp_path / f"t{ending}")
    pd.testing.assert_frame_equal(data.read(path), clean, rtol=1e-14)


def test_a_character_that_cannot_be_seen_leaves_no_second_space():
    clean = data.validate(pd.DataFrame({"rpm": [600.0], "note": ["0\r\U00018cd6\r0"]}))
    assert clean["note"].iloc[0] == "0 0"


@pytest.mark.parametrize("note", ["=0", "=SUM(A1:A2)", "#N/A!", "'quoted", "+1"])
def test_a_note_is_no_formula_in_a_workbook(tmp_path, note):
    clean = data.validate(pd.DataFrame({"rpm": [600.0], "note": [note]}))
    assert data.read(data.write(clean, tmp_path / "t.xlsx"))["note"].tolist() == [note]


def test_every_literature_table_comes_back(tmp_path):
    for name in data.catalog()["name"]:
        table = data.load(name)
        pd.testing.assert_frame_equal(data.read(data.write(table, tmp_path / "t.csv")), table)


def test_a_write_that_is_refused_leaves_the_old_file_and_no_other(tmp_path):
    path = data.write(pd.DataFrame({"rpm": [600]}), tmp_path / "t.csv")
    before = path.read_bytes()
    with pytest.raises(data.TableError):
        data.write(pd.DataFrame({"rpm": ["fast"]}), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]


def test_writing_names_the_endings_it_knows_and_a_missing_folder(tmp_path):
    table = pd.DataFrame({"rpm": [600]})
    with pytest.raises(data.TableError, match=r"use \.csv"):
        data.write(table, tmp_path / "t.doc")
    with pytest.raises(data.TableError, match="no folder"):
        data.write(table, tmp_path / "no" / "t.csv")


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_german_spreadsheet_is_understood(tmp_path, separator):
    path = tmp_path / "t.csv"
    lines = ["rpm,milling_min,capacity_mAh_g,note", "600,10,165|3,gut|besser", "600,7|5,120,"]
    text = "\r\n".join(x.replace(",", separator).replace("|", ",") for x in lines)
    path.write_text("\ufeff" + text, encoding="utf-8")
    table = data.read(path)
    assert table["capacity_mAh_g"].tolist() == [165.3, 120.0]
    assert table["milling_min"].tolist() == [10.0, 7.5]
    assert table["note"].tolist() == ["gut,besser", None]


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;"])
def test_the_line_that_names_the_separator_for_a_spreadsheet_is_no_header(tmp_path, first):
    path = tmp_path / "t.csv"
    path.write_text(f"\ufeff{first}\nrpm;capacity_mAh_g\n600;165,3\n", encoding="utf-8")
    assert data.read(path)["capacity_mAh_g"].tolist() == [165.3]
    path.write_text(f"{first}\nrpm;capacity_mAh_g\n600;many\n")
    with pytest.raises(data.TableError, match="row 3"):
        data.read(path)
    path.write_text(f"{first}\n")
    with pytest.raises(data.TableError, match="the file is empty"):
        data.read(path)


def test_decimal_comma_and_thousands_point_in_one_file_are_not_guessed(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("rpm;capacity_mAh_g\n1.200;165,3\n")
    with pytest.raises(data.TableError, match=r"column 'rpm': found '1.200'.*one decimal sign"):
        data.read(path)


def test_other_encodings(tmp_path):
    path = tmp_path / "t.csv"
    text = "rpm,note\n600,größer\n"
    path.write_bytes(text.encode("utf-16"))
    assert data.read(path)["note"].tolist() == ["größer"]
    path.write_bytes(text.encode("cp1252"))
    assert data.read(path, encoding="cp1252")["note"].tolist() == ["größer"]
    with pytest.raises(data.TableError, match="encoding='klingon' is not known"):
        data.read(path, encoding="klingon")


def test_rows_are_counted_as_in_the_file_blank_lines_and_line_breaks_included(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('rpm,note\n600,"two\nlines"\n\nfast,x\n')
    with pytest.raises(data.TableError) as told:
        data.read(path)
    assert [p.row for p in told.value.problems] == [5]


def test_an_excel_sheet_with_labels_as_numbers_empty_edges_and_a_date(tmp_path):
    path = tmp_path / "t.xlsx"
    table = pd.DataFrame({"rpm": [600, 800], "batch": [1, 2], "capacity_mAh_g": [165.5, None]})
    with pd.ExcelWriter(path) as book:
        table.to_excel(book, sheet_name="cells", index=False)
        bad = pd.DataFrame({"rpm": [600, datetime.datetime(2025, 5, 12)]})
        bad.to_excel(book, sheet_name="bad", index=False)
    read = data.read(path)
    assert read["batch"].tolist() == ["1", "2"]
    assert read["capacity_mAh_g"].isna().tolist() == [False, True]
    with pytest.raises(data.TableError, match=r"row 3, column 'rpm'.*turned it into a date"):
        data.read(path, sheet="bad")
    with pytest.raises(data.TableError, match="no sheet 'x'; it has cells, bad"):
        data.read(path, sheet="x")


def test_columns_of_a_campaign_without_physics_are_known_from_its_declaration(tmp_path):
    wanted = pd.DataFrame(
        {
            "name": ["drying_min", "binder", "peel_N"],
            "role": ["factor", "factor", "outcome"],
            "level": ["batch", "batch", "row"],
            "unit": ["min", "", "N"],
            "needed": [True, True, False],
            "kind": ["number", "text", "number"],
        }
    )
    path = tmp_path / "t.csv"
    path.write_text("drying_min,binder,peel_N,peel_N_sd,predicted_mean\n5,PTFE,2.5,0.1,2\n")
    table = data.read(path, wanted)
    assert table["binder"].tolist() == ["PTFE"]
    path.write_text("drying_min,binder,peel_N\n5,PTFE,good\n")
    with pytest.raises(data.TableError, match="a number in N"):
        data.read(path, wanted)
