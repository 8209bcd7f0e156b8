"""A cycler's export, whatever its format, is one tidy table; what cannot be read says why."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ssbayes import data
from ssbayes.data import cycler, exports

_spec = importlib.util.spec_from_file_location(
    "simulated_exports", Path(__file__).with_name("simulated_exports.py"))
assert _spec is not None and _spec.loader is not None
sim: Any = importlib.util.module_from_spec(_spec)
sys.modules["simulated_exports"] = sim
_spec.loader.exec_module(sim)
read_cycler: Any = data.read_cycler
rests: Any = data.rests
dq_dv: Any = data.dq_dv
tidy: Any = cycler.tidy


@pytest.fixture(scope="module")
def cell():
    return sim.Cell(rates=[0.1, 0.1, 0.3], hold=True)


@pytest.fixture(scope="module")
def simulated(cell):
    return sim.record(cell)


@pytest.mark.parametrize("kind", [*sim.KINDS, "mpr"])
def test_every_format_gives_the_same_table(kind, simulated, tmp_path):
    if kind == "mpr":
        pytest.importorskip("galvani")
    table, _ = simulated
    record = read_cycler(sim.write(table, tmp_path / "K1-1", kind), vs="InLi")
    read = record.table
    assert len(read) == len(table)
    start = table["time_s"].iloc[0]
    np.testing.assert_allclose(read["time_s"], table["time_s"] - start, atol=0.05)
    np.testing.assert_allclose(read["voltage_V"], table["voltage_V"], atol=2e-6)
    np.testing.assert_allclose(read["potential_V"], read["voltage_V"] + 0.62, atol=1e-12)
    np.testing.assert_allclose(read["current_mA"], table["current_mA"], atol=1e-6)
    np.testing.assert_allclose(read["charge_mAh"], table["charge_mAh"], atol=1e-6)
    assert read["cycle"].iloc[0] == 1
    assert read["cycle"].max() == 3
    truth = table["mode"].map({1: "CC", 2: "CV", 3: "rest"})
    assert (read["mode"].astype(str) == truth).mean() > 0.995


def test_formats_are_recognised_by_content_not_by_ending(simulated, tmp_path):
    path = sim.write(simulated[0], tmp_path / "a", "mpt")
    other = path.rename(tmp_path / "a.txt")
    assert read_cycler(other, vs="InLi").format == "BioLogic text"
    path = sim.write(simulated[0], tmp_path / "b", "parquet").rename(tmp_path / "b.dat")
    assert read_cycler(path, vs="InLi").format == "Battery Data Format"


def test_a_biologic_table_without_its_header_and_in_other_encodings(simulated, tmp_path):
    path = sim.write(simulated[0], tmp_path / "a", "mpt comma")
    text = path.read_bytes().decode("latin-1")
    bare = text[text.index("mode\t"):]
    for encoding in ("utf-8-sig", "utf-16", "latin-1"):
        path.write_bytes((bare if encoding == "utf-16" else text).encode(encoding))
        assert read_cycler(path, vs="InLi").table["cycle"].max() == 3


HEADERS = {
    "Ewe/V": ("ewe", "v"), "<I>/mA": ("<i>", "ma"), "(Q-Qo)/mA.h": ("(q-qo)", "ma.h"),
    "~Time[h]": ("time", "h"), "Test Time / s": ("test time", "s"), "U [V]": ("u", "v"),
    "Voltage(V)": ("voltage", "v"), "control/V/mA": ("control", "v/ma"),
}


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_is_a_name_and_a_unit(header):
    assert exports._split(header) == HEADERS[header]


def test_units_in_the_header_are_converted(tmp_path):
    path = tmp_path / "a.csv"
    t = np.arange(30)
    pd.DataFrame({"Time [min]": t, "Voltage [mV]": 3000.0 + 10 * t,
                  "Current [A]": 2e-3}).to_csv(path, index=False)
    table = read_cycler(path, vs="InLi").table
    assert table["time_s"].iloc[-1] == pytest.approx(29 * 60)
    assert table["voltage_V"].iloc[-1] == pytest.approx(3.29)
    assert table["current_mA"].iloc[-1] == pytest.approx(2.0)
    assert table["charge_mAh"].iloc[-1] == pytest.approx(2.0 * 29 / 60, rel=1e-9)


def test_words_for_mode_and_step_are_left_alone(simulated, tmp_path):
    path = tmp_path / "a.csv"
    sim.bdf(simulated[0]).assign(Mode="CC_DChg").rename(columns={"Step ID": "Step"}).assign(
        Step="formation").to_csv(path, index=False)
    assert read_cycler(path, vs="InLi").table["cycle"].max() == 3


def test_a_charge_counter_that_is_reset_gives_way_to_the_integral(simulated, tmp_path):
    table = simulated[0].copy()
    table["charge_mAh"] -= table.groupby("step")["charge_mAh"].transform("first")
    record = read_cycler(sim.write(table, tmp_path / "a", "bdf"), vs="InLi")
    assert any("reset" in note for note in record.notes)
    assert record.table["charge_mAh"].iloc[-1] == pytest.approx(
        simulated[0]["charge_mAh"].iloc[-1], abs=0.06 * simulated[0]["charge_mAh"].max())


def test_without_a_current_it_is_the_slope_of_the_charge(simulated, tmp_path):
    path = tmp_path / "a.csv"
    sim.bdf(simulated[0]).drop(columns="Current / A").to_csv(path, index=False)
    record = read_cycler(path, vs="InLi")
    assert any("slope" in note for note in record.notes)
    cc = record.table["mode"] == "CC"
    ratio = record.table.loc[cc, "current_mA"] / simulated[0].loc[cc.to_numpy(), "current_mA"]
    assert ratio.median() == pytest.approx(1.0, abs=0.01)


def test_voltage_and_charge_alone_give_rests_but_no_drift(tmp_path):
    path = tmp_path / "a.txt"
    rows = ["U [V]\tQ [mAh]"]
    q = 0.0
    for k in range(4):
        rows += [f"{3.6 + 0.1 * k + 0.001 * i:.5f}\t{q + 1e-3 * i:.6f}" for i in range(1, 60)]
        q += 0.059
        rows += [f"{3.62 + 0.1 * k + 0.03 * np.exp(-i / 20):.5f}\t{q:.6f}" for i in range(100)]
    path.write_text("\n".join(rows))
    record = read_cycler(path, vs="Li")
    assert not record.timed
    found = rests(record)
    assert len(found) == 4
    assert found["relaxed_potential_V"].tolist() == pytest.approx(
        [3.62, 3.72, 3.82, 3.92], abs=1e-3)
    assert found["drift_V_s"].isna().all()
    assert set(found["drift"]) == {"unavailable: the file has no time"}


def test_relaxed_potentials_and_the_drift_at_the_end_of_a_rest(tmp_path):
    t = np.arange(0, 40_000.0, 20.0)
    rest = t > 20_000
    volts = np.where(rest, 3.2 - 2e-7 * (t - 20_000) + 0.02 * np.exp(-(t - 20_000) / 300),
                     3.0 + 1e-5 * t)
    pd.DataFrame({"Test Time / s": t, "Voltage / V": volts,
                  "Current / A": np.where(rest, 0.0, 1e-4)}).to_csv(tmp_path / "a.csv", index=False)
    record = read_cycler(tmp_path / "a.csv", vs="InLi")
    found = rests(record)
    assert found[["after", "drift"]].values.tolist() == [["charge", "fitted"]]
    row = found.iloc[0]
    assert row["relaxed_voltage_V"] == volts[-1]
    assert row["relaxed_potential_V"] == volts[-1] + 0.62
    assert row["drift_V_s"] == pytest.approx(-2e-7, rel=1e-3)
    assert rests(record, last_s=30_000)["drift"][0].startswith("unavailable: the rest is sho")
    with pytest.raises(ValueError, match="last_s is 0"):
        rests(record, last_s=0)


def test_a_hold_is_constant_voltage_also_where_the_file_does_not_say(simulated, tmp_path):
    record = read_cycler(sim.write(simulated[0], tmp_path / "a", "basytec"), vs="InLi")
    held = record.table[record.table["mode"] == "CV"]
    assert len(held) >= 40
    assert np.ptp(held["voltage_V"]) < 5e-3
    assert (held["direction"] == 1).all()


def test_pulses_and_rests_do_not_make_cycles(cell):
    table, _ = sim.record(cell)
    pulse = table.iloc[[29]].assign(current_mA=-1.0)
    pulse["time_s"] += 5.0
    joined = pd.concat([table.iloc[:30], pulse, table.iloc[30:]], ignore_index=True)
    export = exports.Export("made", {c: joined[c].to_numpy() for c in
                                     ("time_s", "voltage_V", "current_mA", "charge_mAh")},
                            np.arange(len(joined)))
    record = tidy(export, "a", cycler.counter_electrode("InLi"))
    assert record.table["cycle"].max() == 3


def test_the_differential_capacity_sums_to_the_capacity(simulated, tmp_path):
    record = read_cycler(sim.write(simulated[0], tmp_path / "a", "parquet"), vs="InLi")
    table = record.table
    for direction, way in (("charge", 1), ("discharge", -1)):
        curve = dq_dv(record, 2, direction)
        part = table[(table["cycle"] == 2) & (table["direction"] == way) & (table["mode"] == "CC")]
        passed = abs(part["charge_mAh"].iloc[-1] - part["charge_mAh"].iloc[0])
        assert (curve["dq_dv_mAh_V"] >= 0).all()
        assert curve["dq_dv_mAh_V"].sum() * 0.005 == pytest.approx(passed, rel=1e-6)
        assert np.all(np.diff(curve["voltage_V"]) > 0)
    with pytest.raises(ValueError, match="no cycle 9; it has 1 to 3"):
        dq_dv(record, 9)
    with pytest.raises(ValueError, match="direction is 'up'"):
        dq_dv(record, 1, "up")


def test_the_counter_electrode_has_no_default_and_no_guess(simulated, tmp_path):
    path = sim.write(simulated[0], tmp_path / "a", "bdf")
    with pytest.raises(cycler.CounterElectrodeError, match="name the counter electrode"):
        read_cycler(path)
    with pytest.raises(data.TableError, match=r"'inli' is no counter electrode.*mean 'InLi'"):
        read_cycler(path, vs="inli")


@pytest.mark.parametrize(("true", "said"), [("InLi", "Li"), ("Li", "InLi")])
@pytest.mark.parametrize("resistance", [10.0, 120.0])
def test_a_counter_electrode_that_the_curve_contradicts_is_refused(
    true, said, resistance, tmp_path
):
    table, _ = sim.record(sim.Cell(vs=true, rates=[0.1, 1.0], resistance=resistance))
    path = sim.write(table, tmp_path / "a", "bdf")
    assert read_cycler(path, vs=true).counter.name == true
    with pytest.raises(cycler.CounterElectrodeError, match=f"vs='{true}' would put it at 3"):
        read_cycler(path, vs=said)
    assert read_cycler(path, vs=said, plateau_V=None).counter.name == said


def broken(tmp_path, text: str | bytes) -> str:
    path = tmp_path / "bad.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    with pytest.raises(data.TableError) as told:
        read_cycler(path, vs="InLi")
    return str(told.value)


GOOD = "".join(f"{10 * i},{3.0 + 0.01 * i:.3f},0.001\n" for i in range(20))
HEAD = "Test Time / s,Voltage / V,Current / A\n"
BAD = {
    "an empty file": ("", "empty"),
    "blanks": ("  \n\n", "empty"),
    "prose": ("The cell was built on Monday.\nIt failed.\n", "looked for BioLogic text"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(40), "binary file of no known format"),
    "a header alone": (HEAD, "no rows"),
    "columns without units": (
        "time,voltage,current\n1,2,3\n", "'voltage', 'current' without a unit"),
    "no voltage": ("Test Time / s,Current / A\n1,2\n3,4\n", "without a column for the voltage"),
    "no current": ("Test Time / s,Voltage / V\n1,2\n3,4\n", "for the current or charge"),
    "too few rows": (HEAD + "0,3,0.1\n1,3,0.1\n", "it has 2 rows"),
    "a word": (HEAD + GOOD + "200,high,0.001\n210,3.2,0.001\n", "row 22, column 'Voltage / V'"),
    "a hole": (HEAD + GOOD + "200,,0.001\n210,3.2,0.001\n", "row 22, column 'Voltage / V': an emp"),
    "time that goes back": (HEAD + GOOD + "15,3.2,0.001\n", "row 22, column 'time': found '15 s'"),
    "millivolts": (HEAD + GOOD + "200,3200,0.001\n", "within 10 V"),
    "commas and points": ("Time [s];U [V];I [mA]\n" + "".join(
        f"{i};3,{i:02d};1.5\n" for i in range(20)), "decimal comma (row 2) and a decimal point"),
    "a comma far below": ("Time [s];U [V];I [mA]\n" + "".join(
        f"{i};3.1;1.5\n" if i != 300 else f"{i};3,1;1.5\n" for i in range(500)),
        "one decimal sign in the whole file"),
    "a BioLogic header without its number": ("EC-Lab ASCII FILE\nhello\n", "Nb header lines"),
    "a BioLogic file cut in its header": (
        "EC-Lab ASCII FILE\nNb header lines : 60\nx\n", "ends before its column names"),
    "a BioLogic impedance file": (
        "EC-Lab ASCII FILE\nNb header lines : 3\nfreq/Hz\tRe(Z)/Ohm\n1\t2\n",
        "a BioLogic text file without columns that are known: 'freq/Hz'"),
    "BaSyTec without names": ("~Resultfile from Basytec\n1 2 3\n", "no line begins with '~Time['"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_read_says_why(case, tmp_path):
    text, why = BAD[case]
    assert why in broken(tmp_path, text)


def test_a_missing_file_and_a_folder(tmp_path):
    for path in (tmp_path / "none.mpt", tmp_path):
        with pytest.raises(data.TableError, match=r"no such file|this is no file"):
            read_cycler(path, vs="Li")


@pytest.mark.parametrize("kind", sim.KINDS)
def test_a_file_that_was_damaged_on_its_way_is_read_or_refused(kind, tmp_path):
    path = sim.write(sim.record(sim.Cell(rates=[0.1], points=15))[0], tmp_path / "a", kind)
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    for k in range(30):
        piece = bytearray(whole[: int(rng.integers(1, len(whole)))] if k % 2 else whole)
        for place in rng.integers(0, len(piece), size=k % 5):
            piece[place] = int(rng.integers(256))
        path.write_bytes(bytes(piece))
        try:
            assert len(read_cycler(path, vs="InLi").table) >= cycler.FEWEST
        except data.TableError as told:
            assert len(str(told)) < 1500


def test_a_last_row_that_is_cut_off_is_left_out_and_told(simulated, tmp_path):
    path = sim.write(simulated[0], tmp_path / "a", "mpt")
    text = path.read_bytes().rstrip()
    path.write_bytes(text[: text.rindex(b"\r\n") + 40])
    record = read_cycler(path, vs="InLi")
    assert len(record.table) == len(simulated[0]) - 1
    assert "the last row is cut off and was left out" in record.notes


def test_files_of_one_test_are_joined_by_their_times(simulated, tmp_path):
    table = simulated[0]
    whole = read_cycler(sim.write(table, tmp_path / "whole", "mpt"), vs="InLi").table
    paths = []
    for k, part in enumerate((table.iloc[:20], table.iloc[20:300], table.iloc[300:])):
        fresh = part.assign(charge_mAh=part["charge_mAh"] - table["charge_mAh"].iloc[0])
        paths.append(sim.write(fresh, tmp_path / f"a_{k}", "mpt"))
    made = read_cycler([paths[2], paths[0], paths[1]], vs="InLi")
    assert "3 files were joined by their times" in made.notes
    pd.testing.assert_frame_equal(made.table.drop(columns="charge_mAh"),
                                  whole.drop(columns="charge_mAh"))
    np.testing.assert_allclose(made.table["charge_mAh"], whole["charge_mAh"], atol=0.1)
    with pytest.raises(data.TableError, match="times of the two files overlap"):
        read_cycler([paths[1], paths[1]], vs="InLi")
    (tmp_path / "b.csv").write_text("U [V],Q [mAh]\n" + "3.1,0.1\n" * 20)
    with pytest.raises(data.TableError, match="it has no time"):
        read_cycler([paths[1], tmp_path / "b.csv"], vs="InLi")
    with pytest.raises(ValueError, match="empty list"):
        read_cycler([], vs="InLi")


def test_without_galvani_an_mpr_file_says_what_to_install(simulated, tmp_path, monkeypatch):
    path = sim.write(simulated[0], tmp_path / "a", "mpr")
    monkeypatch.setitem(sys.modules, "galvani", None)
    monkeypatch.setitem(sys.modules, "galvani.BioLogic", None)
    with pytest.raises(data.TableError, match=r"pip install 'ssbayes\[biologic\]'"):
        read_cycler(path, vs="InLi")


def test_an_mpr_file_that_is_broken_says_so(simulated, tmp_path):
    pytest.importorskip("galvani")
    path = sim.write(simulated[0], tmp_path / "a", "mpr")
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(data.TableError, match=r"this \.mpr file cannot be read"):
        read_cycler(path, vs="InLi")


def test_a_long_record_is_divided_whole(tmp_path):
    table, _ = sim.record(sim.Cell(points=6000, rates=[0.1] * 8))
    record = read_cycler(sim.write(table, tmp_path / "a", "parquet"), vs="InLi")
    assert len(record.table) == len(table) > 90_000
    assert record.table["cycle"].max() == 8
    assert len(rests(record)) == 17
