"""Every bad table is refused with one message that names the place and the mend."""

import pandas as pd
import pytest
from ssbayes import data

WANTED = pd.DataFrame(
    [
        ("rpm", "factor", "run", "1/min", True),
        ("milling_min", "factor", "batch", "min", True),
        ("cell", "group", "cell", "", False),
        ("capacity_mAh_g", "outcome", "row", "mAh/g", False),
    ],
    columns=["name", "role", "level", "unit", "needed"],
)
HEADER = "rpm,milling_min,porosity,cell,capacity_mAh_g\n"


def refuse(path, content, **options) -> data.TableError:
    if isinstance(content, str):
        content = content.encode()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(data.TableError) as told:
        data.read(path, WANTED, **options)
    return told.value


@pytest.mark.parametrize(
    ("line", "column", "mend"),
    [
        ("10,5,0.3,c1,165", "rpm", "revolutions per second, write 600"),
        ("600,-5,0.3,c1,165", "milling_min", "cannot be negative"),
        ("600,0.08,0.3,c1,165", "milling_min", "hours, write 4.8"),
        ("600,18000,0.3,c1,165", "milling_min", "seconds, write 300"),
        ("600,0,0.3,c1,165", "milling_min", "leave the cell empty where there was none"),
        ("600,5,37.6,c1,165", "porosity", "per cent, write 0.376"),
        ("600,5,-0.1,c1,165", "porosity", "0 to 0.95"),
        ("600,5,0.3,c1,165000", "capacity_mAh_g", "unit in the wrong column"),
        ("600,5,0.3,c1,ca. 165", "capacity_mAh_g", "write 165 and put ~ into a column"),
        ('600,5,0.3,c1,"12,5"', "capacity_mAh_g", "decimal comma: write 12.5"),
        ('600,5,0.3,c1,"1.165,3"', "capacity_mAh_g", "thousands separators"),
        ("600,5,0.3,c1,165 ± 3", "capacity_mAh_g", "put 3 into a column capacity_mAh_g_sd"),
        ("600,5,0.3,c1,<90", "capacity_mAh_g", "put < into a column capacity_mAh_g_censored"),
        ("600,5,0.3,c1,90-95", "capacity_mAh_g", "capacity_mAh_g_low and capacity_mAh_g_high"),
        ("600,5 min,0.3,c1,165", "milling_min", "write 5 alone, without unit"),
        ("600,1.5 h,0.3,c1,165", "milling_min", "write 1.5 alone if that is in min, without"),
        ("600 rpm,5,0.3,c1,165", "rpm", "write 600 alone, without unit"),
        ("1 600,5,0.3,c1,165", "rpm", "thousands separators"),
        ("1'600,5,0.3,c1,165", "rpm", "thousands separators"),
        ("600,5,0.3,c1,05.03.2025", "capacity_mAh_g", "this is a date"),
        ("600,5,0.3,c1,2025-03-05", "capacity_mAh_g", "this is a date"),
        ("600,5. Mrz,0.3,c1,165", "milling_min", "this is a date"),
        ("600,Mar-05,0.3,c1,165", "milling_min", "this is a date"),
        ("600,00:10,0.3,c1,165", "milling_min", "a time of the clock"),
        ("1/min,5,0.3,c1,165", "rpm", "leave out the row of units"),
        ("600,5,30 %,c1,165", "porosity", "write 0.3"),
        ("600,5,0.3,c1,inf", "capacity_mAh_g", "finite"),
        ("600,5,0.3,c1,#DIV/0!", "capacity_mAh_g", "formula"),
        ("600,5,0.3,c1,-", "capacity_mAh_g", "leave the cell empty"),
        ("600,5,0.3,c1,short circuit", "capacity_mAh_g", "'note'"),
        ("600,5,0.3,c1,True", "capacity_mAh_g", "a number in mAh/g"),
    ],
)
def test_a_bad_cell_is_named_with_its_row_its_value_and_the_mend(tmp_path, line, column, mend):
    error = refuse(tmp_path / "runs.csv", HEADER + "600,10,0.3,c0,165\n" + line + "\n")
    assert len(error.problems) == 1
    assert (error.problems[0].row, error.problems[0].column) == (3, column)
    assert mend in str(error)
    assert str(error).startswith("runs.csv: row 3, column")


@pytest.mark.parametrize(
    ("utilization", "mend"), [("88", "per cent, write 0.88"), ("88 %", "write 0.88")]
)
def test_a_utilization_in_per_cent(tmp_path, utilization, mend):
    error = refuse(tmp_path / "u.csv", f"rpm,milling_min,utilization\n600,5,{utilization}\n")
    assert mend in str(error)


def test_a_rate_as_a_fraction_of_c(tmp_path):
    error = refuse(tmp_path / "u.csv", "rpm,milling_min,c_rate\n600,5,C/20\n")
    assert "write 0.05" in str(error)


@pytest.mark.parametrize(
    ("cell", "mend"),
    [("1/10", "write the fraction as a number: 0.1"), ("10^-1", "one plain number"),
     ("1_0", "one plain number")],
)
def test_a_rate_that_is_computed_in_the_cell_is_not_cut_short(tmp_path, cell, mend):
    error = refuse(tmp_path / "u.csv", f"rpm,milling_min,c_rate\n600,5,{cell}\n")
    assert mend in str(error)
    assert "alone" not in str(error)


def test_two_readings_in_one_cell(tmp_path):
    error = refuse(tmp_path / "runs.csv", HEADER + "600,5,0.3,c1,165/163\n")
    assert "give each reading a row of its own" in str(error)


def test_a_thousands_point_is_thought_of_where_the_value_is_out_of_bounds(tmp_path):
    error = refuse(tmp_path / "u.csv", "rpm;milling_min\n1.000;5\n")
    assert "or 1000 if the point parts the thousands" in str(error)


def test_all_bad_cells_come_at_once_and_a_long_list_is_cut_in_print_only(tmp_path):
    error = refuse(tmp_path / "runs.csv", HEADER + "x,-1,38,c,1\n" * 25)
    assert len(error.problems) == 75
    assert len(str(error).splitlines()) == 22
    assert "55 more" in str(error)


def test_bad_cells_do_not_hide_what_is_wrong_between_sound_rows(tmp_path):
    lines = "600,10,0.3,c1,165\n600,10,0.3,c1,160\nx,10,0.3,c2,150\n"
    error = refuse(tmp_path / "runs.csv", HEADER + lines)
    assert [(p.row, p.column) for p in error.problems] == [(3, "capacity_mAh_g"), (4, "rpm")]


def test_a_missing_column_is_named_with_its_unit(tmp_path):
    error = refuse(tmp_path / "runs.csv", "rpm,cell\n600,c1\n")
    assert "column 'milling_min': this column is missing (in min)" in str(error)


def test_a_column_in_another_unit_is_recognised_as_the_missing_one(tmp_path):
    error = refuse(tmp_path / "runs.csv", "rpm,milling_h\n600,0.5\n")
    assert "did you mean 'milling_min'? (in min)" in str(error)
    assert "is it 'milling_h'?" in str(error)


def test_a_unit_in_a_header_does_not_hide_the_column(tmp_path):
    error = refuse(tmp_path / "runs.csv", "rpm (1/min),milling_min [min]\n600,5\n")
    assert "did you mean 'rpm'" in str(error)
    assert "did you mean 'milling_min'" in str(error)


@pytest.mark.parametrize("columns", ["capacity", ["rpm"]])
def test_what_is_no_table_of_columns_is_told(tmp_path, columns):
    (tmp_path / "runs.csv").write_text("rpm,milling_min\n600,5\n")
    with pytest.raises(data.TableError, match="a table of columns"):
        data.read(tmp_path / "runs.csv", columns)
    with pytest.raises(data.TableError, match="a table of columns"):
        data.validate(pd.DataFrame({"rpm": [600]}), columns)


def test_a_needed_column_may_have_gaps_but_not_be_empty(tmp_path):
    (tmp_path / "gap.csv").write_text("rpm,milling_min,cell\n600,,c1\n600,10,c2\n")
    assert data.read(tmp_path / "gap.csv", WANTED)["milling_min"].isna().tolist() == [True, False]
    error = refuse(tmp_path / "runs.csv", "rpm,milling_min,cell\n600,,c1\n600,,c2\n")
    assert "every cell of this column is empty" in str(error)


def test_an_unknown_column_is_refused_unless_the_table_is_open(tmp_path):
    text = "rpm,milling_min,humour\n600,10,good\n"
    assert "column 'humour'" in str(refuse(tmp_path / "runs.csv", text))
    assert data.read(tmp_path / "runs.csv", WANTED, open=True)["humour"].tolist() == ["good"]


def test_two_columns_of_one_name(tmp_path):
    error = refuse(tmp_path / "runs.csv", "rpm,rpm,milling_min\n600,700,10\n")
    assert "two columns have this name" in str(error)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "the file is empty"),
        ("\n \n", "the file is empty"),
        (HEADER, "no rows below its header"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "it is a PNG picture"),
        (b"PK\x03\x04something", "an Excel or ZIP file"),
        (bytes(range(256)), "a binary file"),
        ("Dear colleague,\nplease find the data attached\n", "not a table"),
        ("One line\nand another\n", "not a table"),
        ("My runs,,,,\n" + HEADER, "take out what stands above the header"),
        (HEADER.encode() + "600,10,0.3,Zelle ä,165\n".encode("cp1252"), "row 2: byte 0xe4"),
        (HEADER + '600,10,0.3,"c1,165\n', "quote"),
        (HEADER + "600,10,0.3,c1,165,3\n", "decimal comma"),
        (HEADER + "600,10\n", "it has 2 cells, but the header has 5"),
        ("rpm,,milling_min\n600,1,5\n", "column 2 has no name"),
    ],
    ids=lambda v: repr(v)[:24],
)
def test_a_file_that_is_no_table(tmp_path, content, told):
    assert told in str(refuse(tmp_path / "runs.csv", content))


def test_a_missing_file_a_folder_and_a_wrong_ending(tmp_path):
    (tmp_path / "here.csv").write_text("rpm\n600\n")
    assert "the folder has here.csv" in str(refuse(tmp_path / "gone.csv", None))
    assert "a folder" in str(refuse(tmp_path, None))
    assert "its ending is .docx" in str(refuse(tmp_path / "a.docx", "x"))
    assert "save it as .xlsx" in str(refuse(tmp_path / "a.xls", "x"))
    assert "its ending is missing" in str(refuse(tmp_path / "table", "x"))


@pytest.mark.parametrize("name", ["a.xlsx", "a.parquet", "a.csv.gz"])
def test_a_file_that_is_not_what_its_ending_says(tmp_path, name):
    assert "this is not a" in str(refuse(tmp_path / name, "rpm,milling_min\n600,10\n"))


def test_an_excel_file_whose_first_sheet_holds_no_table(tmp_path):
    from openpyxl import Workbook
    from openpyxl.chart import BarChart, Reference

    path = tmp_path / "a.xlsx"
    book = Workbook()
    book.create_sheet("runs").append(["rpm", "milling_min"])
    book.save(path)
    assert "the sheet 'Sheet' is empty; put the table on the first" in str(refuse(path, None))
    chart = BarChart()
    chart.add_data(Reference(book.worksheets[1], min_col=1, min_row=1))
    book.create_chartsheet("picture", 0).add_chart(chart)
    book.save(path)
    assert "the sheet 'picture' is a chart; put the table on the first" in str(refuse(path, None))


def test_an_excel_file_with_a_broken_sheet(tmp_path):
    import zipfile

    from openpyxl import Workbook

    book = Workbook()
    for row in (["rpm", "milling_min"], [600, 10]):
        book.worksheets[0].append(row)
    book.save(tmp_path / "whole.xlsx")
    with (zipfile.ZipFile(tmp_path / "whole.xlsx") as whole,
          zipfile.ZipFile(tmp_path / "a.xlsx", "w") as cut):
        for name in whole.namelist():
            body = whole.read(name)
            cut.writestr(name, body[: len(body) // 2] if "sheet1" in name else body)
    assert "this is not an Excel file" in str(refuse(tmp_path / "a.xlsx", None))


def test_a_label_that_is_a_date_is_the_same_from_excel_and_from_text(tmp_path):
    from datetime import datetime

    from openpyxl import Workbook

    book = Workbook()
    for row in (["rpm", "milling_min", "cell"], [600, 10, datetime(2025, 3, 5)]):
        book.worksheets[0].append(row)
    book.save(tmp_path / "a.xlsx")
    (tmp_path / "a.csv").write_text("rpm,milling_min,cell\n600,10,2025-03-05\n")
    labels = [data.read(tmp_path / f"a.{e}", WANTED)["cell"].tolist() for e in ("xlsx", "csv")]
    assert labels == [["2025-03-05"]] * 2


def test_a_cell_read_twice_under_one_condition(tmp_path):
    error = refuse(tmp_path / "runs.csv", HEADER + "600,10,0.3,c1,165\n600,10,0.3,c1,165\n")
    assert "row 2 has it already" in str(error)
    assert error.problems[0].row == 3


def test_a_cell_at_two_rates_is_no_duplicate():
    table = pd.DataFrame({"cell": ["a", "a"], "c_rate": [0.1, 1], "capacity_mAh_g": [165, 120]})
    assert len(data.validate(table)) == 2


def test_cell_labels_are_unique_within_their_batch_only():
    table = pd.DataFrame(
        {
            "study": "s",
            "batch": ["b1", "b1", "b2", "b2"],
            "cell": ["1", "2", "1", "2"],
            "milling_min": [10, 10, 20, 20],
            "capacity_mAh_g": [165, 160, 150, 151],
        }
    )
    assert len(data.validate(table)) == 4


@pytest.mark.parametrize(
    ("column", "values"), [("porosity", [0.3, 0.31]), ("method", ["hand", "machine"])]
)
def test_a_value_that_differs_down_its_level_is_an_error(column, values):
    table = pd.DataFrame({"batch": ["b", "b"], "cell": ["1", "2"], column: values})
    with pytest.raises(data.TableError, match=r"belongs to the batch.*batch 'b' again") as told:
        data.validate(table)
    assert told.value.problems[0].row == 1


def test_without_a_run_label_a_cell_still_has_one_speed():
    table = pd.DataFrame({"cell": ["a", "a"], "c_rate": [0.1, 1], "rpm": [200, 400]})
    with pytest.raises(data.TableError, match="rpm belongs to the run, and this is cell 'a'"):
        data.validate(table)


def test_two_lots_may_meet_in_one_mill():
    table = pd.DataFrame({"mill": "m", "batch": ["a", "b"], "coating_wt_pct": [0.5, 1.0]})
    assert len(data.validate(table)) == 2


def test_a_figure_reading_needs_a_reading_error():
    table = pd.DataFrame({"kind": ["digitised"], "capacity_mAh_g": [165.0]})
    with pytest.raises(data.TableError, match=r"capacity_mAh_g_sd.*read off a figure"):
        data.validate(table)
    assert len(data.validate(table.assign(capacity_mAh_g_sd=2.0))) == 1


def test_simulated_rows_stay_marked_and_an_empty_kind_is_measured():
    table = data.validate(pd.DataFrame({"kind": ["simulated", None], "capacity_mAh_g": [1, 2]}))
    assert table["kind"].tolist() == ["simulated", "measured"]


def test_a_capacity_of_another_basis_belongs_into_another_column():
    table = pd.DataFrame({"capacity_mAh_g": [100.0], "capacity_basis": ["composite"]})
    with pytest.raises(data.TableError, match="column composite_capacity_mAh_g"):
        data.validate(table)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"status": ["failed"], "rpm": [600]}, "why the experiment is failed"),
        ({"status": ["planned"], "capacity_mAh_g": [165]}, "has a reading of capacity_mAh_g"),
        ({"status": ["dona"], "rpm": [600]}, "did you mean 'done'"),
        ({"kind": ["statement"], "statement": ["optimum"]}, "names its statement, outcome"),
        ({"capacity_mAh_g_n": [2], "capacity_mAh_g_batches": [3]}, "at least one cell"),
        ({"capacity_mAh_g_n": [2.5]}, "a whole number"),
        ({"capacity_mAh_g_sd": [-1]}, "at least 0"),
        ({"porosity_low": [0.3], "porosity_high": [0.2]}, "at most porosity_high"),
        ({"row_id": ["g1"], "contains": ["g9"]}, "a row_id of this table"),
    ],
)
def test_columns_that_only_make_sense_together(table, told):
    with pytest.raises(data.TableError, match=told):
        data.validate(pd.DataFrame(table))


def test_a_failed_experiment_is_kept_with_its_reason():
    table = pd.DataFrame({"status": ["failed"], "reason": ["short circuit"], "rpm": [600]})
    assert data.validate(table)["reason"].tolist() == ["short circuit"]


def test_rows_of_a_frame_are_named_by_its_index_even_when_labels_repeat():
    table = pd.DataFrame({"rpm": [600, "fast"]}, index=["a", "a"])
    with pytest.raises(data.TableError) as told:
        data.validate(table, where="my table")
    assert [p.row for p in told.value.problems] == ["a"]
    assert str(told.value).startswith("my table: row a, column 'rpm': found 'fast'")


def test_validate_leaves_its_argument_as_it_was():
    table = pd.DataFrame({"rpm": ["600"], "batch": [1.0]})
    clean = data.validate(table)
    assert table["rpm"].tolist() == ["600"]
    assert clean["rpm"].tolist() == [600.0]
    assert clean["batch"].tolist() == ["1"]


def test_something_that_is_no_frame_is_refused():
    with pytest.raises(data.TableError, match="a pandas DataFrame"):
        data.validate([1, 2])  # type: ignore[arg-type]
