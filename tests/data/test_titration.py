"""Titration tables and records: what is read, and what is refused with the row and the mend."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ssbayes.data import TableError
from ssbayes.data import titration as tables

ROOT = Path(__file__).parents[2]
FOUND = [p for p in (ROOT / "shared/data/ctc", ROOT.parent / "shared/data/ctc") if p.is_dir()]
real = pytest.mark.skipif(not FOUND, reason="the measured titrations are not on this machine")


def good_table() -> Any:
    return pd.DataFrame({"relaxed_V": [3.56, 3.66, 3.8, 4.0], "charge_mAh": [0.0, 0.3, 0.7, 1.1],
                         "relaxation_V": 0.002, "instrument_V": 7e-4, "charge_up_mAh": 1e-3,
                         "charge_down_mAh": 1e-3})


def record(rests, start_rested=True):
    """Voltage and charge of pulses with rests; 40 rows a pulse."""
    u, q, at = [], [], 0.0
    for k, level in enumerate(rests):
        if k or not start_rested:
            for _ in range(40):
                at += 0.01
                u.append(level + 0.1)
                q.append(at)
        u += list(level + 0.08 * np.exp(-np.arange(200) / 20))
        q += [at] * 200
    return pd.DataFrame({"voltage_V": u, "charge_mAh": q})


@real
def test_the_published_tables_are_read_with_their_errors():
    reference = tables.read_reference(FOUND[0] / "LIB_titration-data.txt")
    assert list(reference) == list(tables.REFERENCE_UNITS)
    assert len(reference) == 76
    assert reference["relaxation_V"].iloc[0] == pytest.approx(1.26232e-3, rel=1e-4)
    cell = tables.read_cell(FOUND[0] / "badSSB_titration-data.txt")
    assert len(cell) == 7
    assert cell["relaxation_V"].iloc[4] == pytest.approx(0.0120, abs=1e-4)
    assert cell["relaxed_V"].iloc[0] == 3.5465389


@real
@pytest.mark.parametrize("name", ["bad", "good"])
def test_rests_of_the_raw_records_end_at_the_tabulated_potentials(name):
    cell = tables.read_cell(FOUND[0] / f"{name}SSB_titration-data.txt")
    found: Any = tables.relaxed_points(tables.read_record(FOUND[0] / f"{name}SSB_measurement.txt"))
    assert len(found) == len(cell)
    gap = 1e3 * np.abs(found["relaxed_V"].to_numpy() - cell["relaxed_V"].to_numpy())
    assert gap[1:].max() < 0.65
    assert gap[0] == pytest.approx({"bad": 15.7, "good": 1.4}[name], abs=0.05)
    assert bool(found["rested"].iloc[0]) is (name == "bad")
    assert found["drift_V_s"].isna().all()
    assert "unavailable" in found.attrs["notes"][0]


def test_rests_are_found_by_constant_charge():
    found: Any = tables.relaxed_points(record([3.55, 3.7, 3.9]))
    np.testing.assert_allclose(found["relaxed_V"], [3.55, 3.7, 3.9], atol=1e-4)
    np.testing.assert_allclose(found["charge_mAh"], [0.0, 0.4, 0.8])
    assert found["rested"].all()


def test_a_record_that_starts_while_charging_has_an_unrested_first_point():
    found = tables.relaxed_points(record([3.55, 3.7], start_rested=False))
    assert list(found["rested"]) == [False, True, True]


def test_a_record_without_rests_is_refused():
    pulses = record([3.5, 3.6]).drop_duplicates("charge_mAh").iloc[1:]
    with pytest.raises(TableError, match="no rest: its charge is never constant"):
        tables.relaxed_points(pulses)


def test_what_a_table_does_not_state_is_assumed_and_said():
    found: Any = tables.cell_table(good_table()[["relaxed_V", "charge_mAh"]])
    assert (found["relaxation_V"] == tables.UNKNOWN_RELAXATION_V).all()
    told = " ".join(found.attrs["notes"])
    assert "5 mV, one-sided, is assumed" in told
    assert "no charge errors are given" in told


def test_drift_and_rest_give_the_relaxation_error():
    table = good_table().drop(columns="relaxation_V").assign(drift_V_s=-1e-7, rest_h=8.0)
    found = tables.cell_table(table)
    assert found["relaxation_V"].iloc[0] == pytest.approx(1e-7 * 8 * 3600 * 1.63)


@pytest.mark.parametrize(("change", "says"), [
    ({"relaxed_V": [3.56, 3.66, 3.65, 4.0]}, "relaxed potentials rise while a cell charges"),
    ({"charge_mAh": [0.0, 0.3, 0.3, 1.1]}, "charge only grows in a charge titration"),
    ({"relaxed_V": [3.56, 3.66, np.nan, 4.0]}, "row 2.*relaxed_V"),
    ({"relaxed_V": [3560.0, 3660.0, 3800.0, 4000.0]}, "a number from -1 to 7"),
    ({"relaxation_V": [0.0, -0.001, 0.0, 0.0]}, "a number of at least 0"),
    ({"vs": ["InLi", "InLi", "Li", "InLi"]}, "unlike counter electrodes cannot stand in one"),
    ({"from_V": [3.5, 3.56, 3.70, 3.8], "to_V": [3.56, 3.66, 3.8, 4.0]}, "is a row missing"),
])
def test_bad_cells_are_refused_with_their_row(change, says):
    with pytest.raises(TableError, match=says):
        tables.cell_table(good_table().assign(**change))


def test_too_few_points_and_missing_columns_are_refused():
    with pytest.raises(TableError, match="1 points; 2 are needed"):
        tables.cell_table(good_table().iloc[:1])
    with pytest.raises(TableError, match="'charge_mAh': missing; the table has"):
        tables.cell_table(good_table().drop(columns="charge_mAh"))


def test_a_file_with_text_among_its_numbers_names_the_row(tmp_path):
    file = tmp_path / "cell.txt"
    good_table().astype(object).replace({3.8: "3,80 V"}).to_csv(file, sep="\t", index=False)
    with pytest.raises(TableError, match="row 4, column 'relaxed_V': found '3,80 V'"):
        tables.read_cell(file)
    with pytest.raises(TableError, match="there is no such file"):
        tables.read_cell(tmp_path / "none.txt")


def test_a_table_written_as_text_comes_back(tmp_path):
    file = tmp_path / "cell.txt"
    good_table().to_csv(file, sep="\t", index=False)
    read = tables.read_cell(file)
    for name in ("relaxed_V", "charge_mAh", "relaxation_V"):
        np.testing.assert_allclose(read[name], good_table()[name])
