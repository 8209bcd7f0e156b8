"""A folder of exports and a sheet become the table that models fit; faults are named."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ssbayes import data, models
from ssbayes.data import cell_table, cycler, cycles
from ssbayes.models.engine import encode

_spec = importlib.util.spec_from_file_location(
    "simulated_exports", Path(__file__).with_name("simulated_exports.py"))
assert _spec is not None and _spec.loader is not None
sim: Any = importlib.util.module_from_spec(_spec)
sys.modules["simulated_exports"] = sim
_spec.loader.exec_module(sim)
cells: Any = data.cells
read_cycler: Any = data.read_cycler


@pytest.fixture(scope="module")
def week(tmp_path_factory):
    """Two hundred simulated exports, twenty of them faulty, and what they become."""
    folder = sim.folder(tmp_path_factory.mktemp("week") / "exports", 200)
    return folder, cells(folder.path, folder.sheet, vs="InLi")


def test_two_hundred_exports_become_the_right_table(week):
    folder, made = week
    done = made.cycles[made.cycles["status"] == "done"]
    both = done.merge(folder.truth, on=["cell", "cycle"], suffixes=("", "_true"))
    assert len(both) == len(done) > 1400
    assert both["c_rate"].eq(both["c_rate_true"]).all()
    for found, true in (("capacity_mAh_g", "discharge_mAh_g"),
                        ("charge_capacity_mAh_g", "charge_mAh_g")):
        np.testing.assert_allclose(both[found], both[true], rtol=1e-6)
    table = made.table[made.table["status"] == "done"]
    later = folder.truth[folder.truth["cycle"].between(2, 7)]
    mean = later.groupby(["cell", "c_rate"])["discharge_mAh_g"].mean()
    expected = mean.reindex(pd.MultiIndex.from_frame(table[["cell", "c_rate"]]))
    np.testing.assert_allclose(table["capacity_mAh_g"], expected, rtol=1e-6)
    sound = set(folder.truth["cell"]) - set(folder.faults)
    assert sound <= set(table["cell"])
    assert (table[table["cell"].isin(sound)].groupby("cell").size() == 3).all()


def test_each_of_six_kinds_of_fault_is_named(week):
    folder, made = week
    assert set(folder.faults.values()) == set(sim.FAULTS)
    assert made.faults.set_index("cell")["fault"].to_dict() == folder.faults
    assert len(made.faults) == len(folder.faults)
    assert made.faults["what_to_do"].str.len().gt(20).all()


def test_faulty_readings_are_listed_and_not_averaged(week):
    folder, made = week
    whole = [c for c, f in folder.faults.items()
             if f in ("wrong mass", "wrong current", "swapped polarity", "duplicated export")]
    rows = made.table[made.table["cell"].isin(whole)]
    assert rows["capacity_mAh_g"].isna().all()
    assert set(rows["status"]) == {"failed"}
    assert rows["reason"].notna().all()
    shorted = [c for c, f in folder.faults.items() if f == "soft short"]
    kept = made.cycles[made.cycles["cell"].isin(shorted) & (made.cycles["status"] == "done")]
    assert set(kept["cycle"]) == {1, 2, 3}
    assert "23 cells have a fault" in made.sentence


def test_the_models_take_the_table_as_it_is(week):
    table = week[1].table
    model = models.get("mixing")
    clean = data.validate(table, model.columns)
    coded = encode.encode(clean, model)
    assert len(coded.columns["capacity_mAh_g__row"]) == table["capacity_mAh_g"].notna().sum()
    capacity = models.get("capacity")
    with_mill = table.assign(rpm=400, milling_min=20)
    coded = encode.encode(data.validate(with_mill, capacity.columns), capacity)
    assert len(coded.columns["capacity_mAh_g__row"]) == table["capacity_mAh_g"].notna().sum()
    assert len(data.unlike(table)) == 1


def test_what_the_sheet_says_of_assembly_is_in_the_table(week):
    table = week[1].table
    first = table.iloc[0]
    assert first["areal_loading_mg_cm2"] == pytest.approx(first["composite_mass_mg"] / 0.7853982)
    assert first["stack_MPa"] == 80
    assert first["window"] == "1.9-3.7 V vs In/InLi"
    for name in ("anode_preparation", "anode_resistance_ohm_cm2", "separator_mass_mg", "operator",
                 "temperature_degC", "lot", "torque_Nm"):
        assert table[name].notna().all()


def test_the_tables_come_back_from_a_file(week, tmp_path):
    for table in (week[1].table, week[1].cycles):
        pd.testing.assert_frame_equal(data.read(data.write(table, tmp_path / "t.csv")), table)


def one(tmp_path, cell=None, kind="bdf", table=None, vs="InLi", options=None, **sheet):
    """The cell table of a folder with one simulated cell."""
    cell = cell or sim.Cell()
    sim.write(sim.record(cell)[0] if table is None else table, tmp_path / cell.name, kind)
    row = {**sim.sheet_row(cell, "K1", "hand"), **sheet}
    row = pd.DataFrame([{k: v for k, v in row.items() if v is not None}])
    return cells(tmp_path, row, vs=vs, **(options or {}))


def fault(made) -> str:
    assert len(made.faults) == 1, made.faults.to_string()
    return made.faults["fault"][0]


def test_first_cycle_efficiency_blocks_and_retention(tmp_path):
    cell = sim.Cell()
    made = one(tmp_path, cell)
    _, truth = sim.record(cell)
    cycles_ = made.cycles
    assert made.faults.empty
    first = truth.iloc[0]
    ice = first["discharge_mAh_g"] / first["charge_mAh_g"]
    assert made.table["first_cycle_efficiency"].iloc[0] == pytest.approx(ice)
    assert cycles_["block"].tolist() == [1, 2, 2, 3, 3, 4, 4, 5]
    last = truth.iloc[5:7][["discharge_mAh_g", "charge_mAh_g"]].sum()
    assert cycles_["block_efficiency"][6] == pytest.approx(last.iloc[0] / last.iloc[1])
    slow = made.table[made.table["c_rate"] == 0.1].iloc[0]
    mean = truth["discharge_mAh_g"][1:3].mean()
    assert slow["retention"] == pytest.approx(truth["discharge_mAh_g"][7] / mean)
    assert slow["retention_cycles"] == 6
    assert made.table["decomposition_mAh_g"].iloc[0] == pytest.approx(4.0, rel=0.02)
    every = cells(tmp_path, pd.DataFrame([sim.sheet_row(cell, "K1", "hand")]), vs="InLi",
                       formation=0)
    slow = every.table[every.table["c_rate"] == 0.1].iloc[0]
    assert slow["capacity_mAh_g"] == pytest.approx(truth["discharge_mAh_g"][:3].mean())


def test_a_poor_cell_is_not_taken_for_a_broken_one(tmp_path):
    rng = np.random.default_rng(5)
    rows = []
    for k in range(24):
        cell = sim.Cell(f"P{k}", utilization=float(rng.uniform(0.35, 1.0)), hold=bool(k % 2),
                        resistance=float(rng.uniform(20, 250)), lost=float(rng.uniform(0.05, 0.5)),
                        decomposition_mAh_g=float(rng.uniform(0, 20)))
        sim.write(sim.record(cell)[0], tmp_path / cell.name, sim.KINDS[k % 6])
        rows.append(sim.sheet_row(cell, "P", "hand"))
    made = cells(tmp_path, pd.DataFrame(rows), vs="InLi")
    assert made.faults.empty, made.faults.to_string()
    assert (made.table["status"] == "done").all()


def test_a_hold_makes_the_charge_cccv_with_its_share(tmp_path):
    made = one(tmp_path, sim.Cell(hold=True), kind="basytec")
    assert set(made.table["charge_mode"]) == {"CCCV"}
    assert made.cycles["charge_cv_share"].between(0.001, 0.3).all()
    assert made.cycles["discharge_cv_share"].eq(0).all()
    fast, slow = (made.cycles.loc[made.cycles["c_rate"] == r, "charge_cv_share"].mean()
                  for r in (1.0, 0.1))
    assert fast > slow


def test_without_a_plan_the_nearest_usual_rate_is_taken_and_told(tmp_path):
    made = one(tmp_path, rate_plan=None)
    assert made.faults.empty
    assert made.cycles["c_rate"].tolist() == sim.RATES
    assert any("nearest usual rate" in note for note in made.notes)
    odd = one(tmp_path, rate_plan=None, composite_mass_mg=12.0 * 1.4)
    assert fault(odd) == "unknown rate"


def test_a_plan_that_is_no_plan():
    assert cycles.rate_plan("1x0.1, 2 × 0.3C; C/2".replace(";", ",")) == [0.1, 0.3, 0.3, 0.5]
    assert cycles.rate_plan("2xC/10; 0.5") == [0.1, 0.1, 0.5]
    for text in ("", "fast", "0x0.1", "3x-1", "2x0", "1x0,1x"):
        with pytest.raises(ValueError, match="no part of a rate plan"):
            cycles.rate_plan(text)


def test_the_hindrance_peak_of_the_first_discharge(tmp_path):
    t = np.arange(0, 3000.0)
    up = np.linspace(1.9, 3.7, 1500)
    down = up[::-1]
    hump = 1.0 + np.exp(-0.5 * ((down - 2.9) / 0.02) ** 2) + 3 * np.exp(
        -0.5 * ((down - 3.15) / 0.06) ** 2)
    q = np.cumsum(np.full(1500, 1e-3))
    charge = np.concatenate([q, q[-1] - np.cumsum(hump / hump.sum() * q[-1])])
    frame = pd.DataFrame({"Test Time / s": t, "Voltage / V": np.concatenate([up, down]),
                          "Net Capacity / Ah": 1e-3 * charge})
    frame.to_csv(tmp_path / "a.csv", index=False)
    record = read_cycler(tmp_path / "a.csv", vs="InLi", plateau_V=None)
    where, height = cycles.hindrance_peak(record)
    assert where == pytest.approx(2.9 + 0.62, abs=0.015)
    assert height > 0
    flat = sim.record(sim.Cell())[0]
    plain = read_cycler(sim.write(flat, tmp_path / "b", "bdf"), vs="InLi")
    assert np.isnan(cycles.hindrance_peak(plain)).all()


def test_a_charge_without_end_is_a_soft_short(tmp_path):
    table, _ = sim.record(sim.Cell(rates=[0.1, 0.1]))
    last = table["step"] == 6
    table.loc[last, "charge_mAh"] += np.linspace(0, 3.0, last.sum())
    table.loc[table["step"] > 6, "charge_mAh"] += 3.0
    table["time_s"] += np.where(table["step"] >= 6, 1.0, 0.0) * 1e5
    made = one(tmp_path, sim.Cell(rates=[0.1, 0.1]), table=table, rate_plan="2x0.1")
    assert fault(made) == "soft short"
    assert "charge without end" in made.faults["found"][0]


def test_an_interrupted_discharge_is_left_out_and_named(tmp_path):
    cell = sim.Cell()
    table, _ = sim.record(cell)
    made = one(tmp_path, cell, table=table[table["step"] <= 16].iloc[:-15], rate_plan=None)
    assert fault(made) == "incomplete file"
    assert made.cycles["status"].tolist() == ["done"] * 3 + ["failed"]
    assert "cycle 4 stops before its cut-off" in made.cycles["reason"][3]
    assert made.table["c_rate"].tolist() == [0.1, 0.3]
    assert made.table["status"].tolist() == ["done", "failed"]
    charged = one(tmp_path, cell, table=table[table["step"] <= 15], rate_plan=None)
    assert charged.faults.empty  # a record may end charged, as the utilization protocol does


def test_a_current_of_the_wrong_sign_is_swapped_polarity(tmp_path):
    table, _ = sim.record(sim.Cell())
    table[["current_mA", "charge_mAh"]] *= -1
    made = one(tmp_path, table=table)
    assert fault(made) == "swapped polarity"
    assert "wrong sign" in made.faults["what_to_do"][0]


@pytest.mark.parametrize(("factor", "named"), [(1.8, "wrong mass"), (0.6, "wrong mass")])
def test_with_one_cell_alone_a_wrong_mass_shows_in_its_capacity(factor, named, tmp_path):
    assert fault(one(tmp_path, composite_mass_mg=12.0 * factor)) == named


def test_a_small_slip_that_could_be_either_is_said_to_be_either(tmp_path):
    assert fault(one(tmp_path, composite_mass_mg=12.0 * 1.15)) == "wrong mass or current"


def test_a_wrong_current_alone(tmp_path):
    assert fault(one(tmp_path, sim.Cell(current_factor=2.0))) == "wrong current"


def test_a_file_without_a_row_and_a_row_without_a_file(tmp_path):
    cells_ = [sim.Cell("K1-1"), sim.Cell("K1-2"), sim.Cell("K1-3")]
    for cell in cells_[:2]:
        sim.write(sim.record(cell)[0], tmp_path / cell.name, "bdf")
    rows = [sim.sheet_row(c, "K1", "hand") for c in (cells_[0], cells_[2])]
    made = cells(tmp_path, pd.DataFrame(rows), vs="InLi")
    assert made.faults[["cell", "file", "fault"]].fillna("").values.tolist() == [
        ["", "K1-2.csv", "file without sheet row"], ["K1-3", "", "sheet row without file"]]
    assert made.table.set_index("cell").loc["K1-3", "status"] == "failed"
    rows[1]["status"] = "running"
    made = cells(tmp_path, pd.DataFrame(rows), vs="InLi")
    assert made.faults["fault"].tolist() == ["file without sheet row"]


def test_files_are_found_by_label_or_by_the_sheet(tmp_path):
    long, short = sim.Cell("K1-11"), sim.Cell("K1-1", mass_mg=11.0)
    sim.write(sim.record(long)[0], tmp_path / "K1-11_rate_C01", "bdf")
    sim.write(sim.record(short)[0], tmp_path / "channel 7", "bdf")
    rows = [sim.sheet_row(c, "K1", "hand") for c in (long, short)]
    rows[1]["file"] = "channel 7.csv"
    made = cells(tmp_path, pd.DataFrame(rows), vs="InLi")
    assert made.faults.empty
    assert set(made.table["file"]) == {"K1-11_rate_C01.csv", "channel 7.csv"}
    sim.write(sim.record(long)[0], tmp_path / "K1-11_again", "bdf")
    made = cells(tmp_path, pd.DataFrame(rows), vs="InLi")
    assert fault(made) == "several files"
    assert "overlap" in made.faults["found"][0]


def test_a_plan_that_is_shifted_by_a_cycle_is_noticed(tmp_path):
    made = one(tmp_path, rate_plan="2x0.1, 2x0.3, 2x1, 2x0.1")
    assert fault(made) == "wrong current"
    assert made.faults["from_cycle"][0] == 3
    assert "cycle 3 runs at 0.1 C, but the plan says 0.3 C" in made.faults["found"][0]
    assert (made.cycles["status"] == "done").tolist() == [True, True] + [False] * 6


def test_a_titration_between_the_cycles_is_neither_counted_nor_averaged(tmp_path):
    cell = sim.Cell(titrated=2, rates=[0.1, *sim.RATES])
    made = one(tmp_path, cell)
    assert made.faults.empty
    assert made.cycles["c_rate"].tolist() == [0.1, *sim.RATES]
    assert made.cycles["status"].tolist() == ["done", "failed", *["done"] * 7]
    assert "before its cut-off" in made.cycles["reason"][1]
    truth = sim.record(cell)[1]
    assert made.table["capacity_mAh_g"][0] == pytest.approx(truth["discharge_mAh_g"][2:4].mean())


def test_a_cell_that_is_still_running_is_not_incomplete(tmp_path):
    cell = sim.Cell()
    table, _ = sim.record(cell)
    made = one(tmp_path, cell, table=table[table["step"] <= 16].iloc[:-15], status="running")
    assert made.faults.empty
    assert made.table["status"].tolist() == ["done", "failed"]


def test_a_broken_file_is_one_cell_s_fault(tmp_path):
    sim.write(sim.record(sim.Cell("K1-2"))[0], tmp_path / "K1-2", "bdf")
    (tmp_path / "K1-1.mpt").write_text("EC-Lab ASCII FILE\nNb header lines : 90\n")
    rows = pd.DataFrame([sim.sheet_row(sim.Cell(n), "K1", "hand") for n in ("K1-1", "K1-2")])
    made = cells(tmp_path, rows, vs="InLi")
    assert fault(made) == "broken file"
    assert made.table["status"].tolist() == ["failed", "done", "done", "done"]


def test_one_contradicting_cell_is_a_fault_and_most_are_a_refusal(tmp_path):
    names = ["K1-1", "K1-2", "K1-3"]
    for name in names:
        cell = sim.Cell(name, vs="Li" if name == "K1-3" else "InLi")
        sim.write(sim.record(cell)[0], tmp_path / name, "bdf")
    rows = pd.DataFrame([sim.sheet_row(sim.Cell(n), "K1", "hand") for n in names])
    made = cells(tmp_path, rows, vs="InLi")
    assert fault(made) == "counter electrode"
    assert made.faults["cell"][0] == "K1-3"
    with pytest.raises(cycler.CounterElectrodeError, match="2 of 3 curves contradict"):
        cells(tmp_path, rows, vs="Li")
    stated = rows.assign(counter_electrode=["InLi", "InLi", "Li"])
    assert cells(tmp_path, stated).faults.empty
    with pytest.raises(data.TableError, match="'InLi' as vs says"):
        cells(tmp_path, stated, vs="InLi")


@pytest.fixture
def folder(tmp_path):
    sim.write(sim.record(sim.Cell())[0], tmp_path / "K1-1", "bdf")
    return tmp_path


SHEETS = {
    "zero mass": ({"composite_mass_mg": 0}, r"column 'composite_mass_mg': found 0"),
    "grams": ({"composite_mass_mg": 0.012}, "If these are grams, write 12"),
    "no mass": ({"composite_mass_mg": None}, "an empty cell; every cell of the sheet needs it"),
    "per cent": ({"active_fraction": 69.3}, "If these are per cent, write 0.693"),
    "no plan": ({"rate_plan": "fast"}, "'fast' is no part of a rate plan"),
    "another electrode": ({"counter_electrode": "Na"}, "one of Li, InLi"),
    "failed without a reason": ({"status": "failed"}, "why the experiment is failed"),
    "a column of no name known": ({"torque": 10}, "did you mean 'torque_Nm'"),
}


@pytest.mark.parametrize("case", SHEETS)
def test_a_wrong_sheet_is_refused_whole(case, folder):
    change, why = SHEETS[case]
    good = sim.sheet_row(sim.Cell(), "K1", "hand")
    rows = pd.DataFrame([good, {**good, "cell": "K1-2", **change}])
    with pytest.raises(data.TableError, match=why):
        cells(folder, rows, vs="InLi")


def test_wrong_words(folder):
    rows = pd.DataFrame([sim.sheet_row(sim.Cell(), "K1", "hand")])
    with pytest.raises(data.TableError, match="no such folder"):
        cells(folder / "none", rows, vs="InLi")
    with pytest.raises(data.TableError, match="name the folder"):
        cells(folder / "K1-1.csv", rows, vs="InLi")
    with pytest.raises(data.TableError, match="say vs='Li' or vs='InLi'"):
        cells(folder, rows)
    with pytest.raises(data.TableError, match="'inli' is no counter"):
        cells(folder, rows, vs="inli")
    with pytest.raises(data.TableError, match="column 'c_rate_basis_mAh_g'"):
        cells(folder, rows.drop(columns="c_rate_basis_mAh_g"), vs="InLi")
    with pytest.raises(data.TableError, match="has a row already"):
        twice = pd.concat([rows, rows], ignore_index=True)
        cells(folder, twice.drop(columns="anode_resistance_ohm_cm2"), vs="InLi")
    with pytest.raises(ValueError, match="formation is -1"):
        cells(folder, rows, vs="InLi", formation=-1)
    empty = folder / "empty"
    empty.mkdir()
    with pytest.raises(data.TableError, match="no export in this folder"):
        cells(empty, rows, vs="InLi")


def test_a_sheet_that_failed_says_so(folder):
    row = {**sim.sheet_row(sim.Cell(), "K1", "hand"), "status": "failed", "reason": "dropped"}
    made = cells(folder, pd.DataFrame([row]), vs="InLi")
    assert fault(made) == "failed"
    assert made.table["capacity_mAh_g"].isna().all()


def test_voltage_and_charge_alone_are_enough_where_the_sheet_states_the_rates(tmp_path):
    table, truth = sim.record(sim.Cell())
    sim.bdf(table)[["Voltage / V", "Net Capacity / Ah"]].to_csv(tmp_path / "K1-1.csv", index=False)
    row = pd.DataFrame([sim.sheet_row(sim.Cell(), "K1", "hand")])
    made = cells(tmp_path, row, vs="InLi")
    assert made.faults.empty
    np.testing.assert_allclose(made.cycles["capacity_mAh_g"], truth["discharge_mAh_g"], rtol=1e-6)
    assert made.cycles["c_rate_measured"].isna().all()


def test_torque_and_frame_give_the_stack_pressure():
    assert cell_table.stack_pressure(10, "steel") == 80
    assert cell_table.stack_pressure(10, "aluminium") == 50
    assert cell_table.stack_pressure(5, "Aluminum") == 25
    assert np.isnan(cell_table.stack_pressure(10, "brass"))
    assert cell_table.stack_pressure(10, "brass", {"brass": 60}) == 60
