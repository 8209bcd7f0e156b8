"""Spectra enter in ohm, hertz and the right sign, or are told what is wrong with them."""

import sys

import numpy as np
import pandas as pd
import pytest
from ssbayes.data import TableError
from ssbayes.data import impedance as tables
from ssbayes.data import protocol as steps

F = np.logspace(5.5, -1, 46)


def spectrum(label="a", **columns):
    z = 20 + 30 / (1 + (2j * np.pi * F * 1e-4) ** 0.9) + 3 / (2j * np.pi * F) ** 0.8
    return pd.DataFrame({"spectrum": label, "frequency_of_signal_Hz": F, "z_re_ohm": z.real,
                         "z_im_ohm": z.imag, "area_cm2": 0.785}).assign(**columns)


class TestGoodSpectra:
    def test_a_file_gives_back_what_was_written_to_it(self, tmp_path):
        made = pd.concat([spectrum("a", cell="A1", relaxed_V=3.62, hold_h=0.5),
                          spectrum("b", cell="A1", relaxed_V=3.63, hold_h=1.0)])
        made.to_csv(tmp_path / "hold.csv", index=False)
        read = tables.read_spectra(tmp_path / "hold.csv")
        np.testing.assert_allclose(read["z_im_ohm"], made["z_im_ohm"])
        assert [labels["spectrum"] for labels, _ in tables.spectra(read)] == ["a", "b"]

    def test_area_follows_from_the_diameter(self):
        made = spectrum().drop(columns="area_cm2").assign(cell_diameter_mm=10.0)
        assert tables.spectra_table(made)["area_cm2"].iloc[0] == pytest.approx(np.pi / 4)

    def test_a_sweep_from_low_to_high_is_turned_round(self):
        read = tables.spectra_table(spectrum().iloc[::-1])
        assert read["frequency_of_signal_Hz"].is_monotonic_decreasing

    def test_one_unlabelled_spectrum_gets_a_label(self):
        assert set(tables.spectra_table(spectrum().drop(columns="spectrum"))["spectrum"]) == {"1"}

    def test_labels_are_added_by_the_call(self, tmp_path):
        spectrum().drop(columns="area_cm2").to_csv(tmp_path / "s.csv", index=False)
        read = tables.read_spectra(tmp_path / "s.csv", area_cm2=0.5, cell="A7")
        assert set(read["cell"]) == {"A7"}
        with pytest.raises(TableError, match="has this column already"):
            tables.read_spectra(tmp_path / "s.csv", area_cm2=0.5, spectrum="x")

    def test_spectra_of_two_cells_may_have_one_name(self):
        read = tables.spectra_table(pd.concat([spectrum(cell="A"), spectrum(cell="B")],
                                              ignore_index=True))
        assert len(list(tables.spectra(read))) == 2


def changed(column, row, value):
    made = spectrum()
    made.loc[row, column] = value
    return made


BAD = {
    "no area": (lambda: spectrum().drop(columns="area_cm2"), "cell_diameter_mm"),
    "no imaginary part": (lambda: spectrum().drop(columns="z_im_ohm"), "negative where capacitive"),
    "the other sign": (lambda: spectrum().assign(z_im_ohm=-spectrum()["z_im_ohm"]),
                       "multiply it by -1"),
    "columns exchanged": (lambda: spectrum().assign(z_re_ohm=spectrum()["z_im_ohm"]),
                          "changed places"),
    "kilohertz": (lambda: spectrum().assign(frequency_of_signal_Hz=F / 1e6), "kHz or MHz"),
    "few points": (lambda: spectrum().iloc[::3], "has 16 points"),
    "few points per decade": (lambda: spectrum().assign(
        frequency_of_signal_Hz=np.logspace(9, -5, len(F))), "points per decade"),
    "a repeated point": (lambda: changed("frequency_of_signal_Hz", 5, F[4]), "remove the repeated"),
    "two sweeps": (lambda: pd.concat([spectrum(), spectrum().iloc[1:]], ignore_index=True),
                   "two sweeps need two labels"),
    "an empty cell": (lambda: changed("z_re_ohm", 7, np.nan), "row 7, column 'z_re_ohm'"),
    "a potential that changes": (lambda: spectrum(relaxed_V=np.where(F > 10, 3.6, 3.7)),
                                 "one spectrum has one value"),
    "area against diameter": (lambda: spectrum(cell_diameter_mm=20.0), "one of the two is wrong"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_spectrum_is_told_where_and_how_to_mend_it(name):
    make, told = BAD[name]
    with pytest.raises(TableError, match=told):
        tables.spectra_table(make())


def test_an_instrument_file_needs_a_package_and_says_which(tmp_path, monkeypatch):
    (tmp_path / "a.dta").write_text("x", encoding="utf-8")
    monkeypatch.setitem(sys.modules, "pyimpspec", None)
    with pytest.raises(TableError, match=r"ssbayes\[impedance\]"):
        tables.read_spectra(tmp_path / "a.dta", area_cm2=0.785)


def test_an_instrument_file_is_read_by_the_package(tmp_path):
    pytest.importorskip("pyimpspec")
    lines = ["EXPLAIN", "TAG\tEISPOT", "ZCURVE\tTABLE",
             "\tPt\tTime\tFreq\tZreal\tZimag\tZsig\tZmod\tZphz\tIdc\tVdc\tIERange",
             "\t#\ts\tHz\tohm\tohm\tV\tohm\t°\tA\tV\t#"]
    made = spectrum()
    for k, (f, re, im) in enumerate(zip(F, made["z_re_ohm"], made["z_im_ohm"], strict=True)):
        lines.append(f"\t{k}\t{k}\t{f:.8g}\t{re:.8g}\t{im:.8g}\t1\t{np.hypot(re, im):.8g}\t"
                     f"{np.degrees(np.arctan2(im, re)):.8g}\t0\t0\t1")
    (tmp_path / "cell.dta").write_text("\n".join(lines) + "\n", encoding="latin-1")
    read = tables.read_spectra(tmp_path / "cell.dta", area_cm2=0.785, cell="A1")
    np.testing.assert_allclose(read["z_im_ohm"], made["z_im_ohm"], rtol=1e-5)
    assert set(read["spectrum"]) == {"cell"}


# --- the benchmark's steps


def done():
    return steps.protocol().fillna({"c_rate": 0.1}).assign(charge_mAh=np.nan)


def remarks(table, kind="deviation", **cell):
    found = steps.check_protocol(table, **cell)
    return found[found["kind"] == kind]


def test_the_protocol_takes_its_steps_from_the_source():
    table = steps.protocol()
    assert len(table) == 12
    assert table.set_index("step").at[11, "hold_h"] == 10
    assert table.loc[table["measure"] == "start", "limit_V"].item() == 3.1


def test_a_record_that_follows_it_has_no_deviation():
    assert remarks(done()).empty


@pytest.mark.parametrize(("step", "column", "value", "told"), [
    (2, "c_rate", 0.1, "0.05 C"), (5, "limit_V", 3.4, "potential of the impedance"),
    (11, "hold_h", 6.0, "shorter"), (4, "rest_h", 1.0, "3 h"), (3, "until_c_rate", 0.05, "0.005 C"),
    (12, "limit_V", 2.9, "potential of the impedance"), (8, "action", "charge", "discharge"),
])
def test_each_departure_is_named(step, column, value, told):
    table = done().set_index("step")
    table.loc[step, column] = value
    if column == "until_c_rate":
        table.loc[step, "at_most_h"] = np.nan
    found = remarks(table.reset_index())
    assert list(found["step"]) == [step]
    assert told in found["sentence"].item()


def test_a_missing_hold_is_named():
    found = remarks(done().query("step != 11"))
    assert found["what"].item() == "hold"
    assert "10 h" in found["sentence"].item()


def test_rates_that_the_source_does_not_state_must_be_recorded():
    found = remarks(steps.protocol(), kind="not recorded")
    assert set(found.loc[found["what"] == "rate", "step"]) == {7, 8, 12}


def test_the_charge_of_the_hold_is_a_share_of_the_nominal_capacity():
    t = np.linspace(0, 10, 101)
    low, high = (steps.hold_charge(t, np.full(101, i * 1e-3)) for i in (1.5, 15.0))
    shares = [steps.check_protocol(done().assign(charge_mAh=q), composite_mass_mg=12.0,
                                   active_fraction=0.8).attrs["hold_charge_share"]
              for q in (low, high)]
    np.testing.assert_allclose(shares, [0.015 / 1.824, 0.15 / 1.824], rtol=1e-6)


def test_bad_steps_are_refused():
    with pytest.raises(TableError, match="1 to 12"):
        steps.check_protocol(pd.DataFrame({"step": [13]}))
    with pytest.raises(TableError, match="each step once"):
        steps.check_protocol(pd.DataFrame({"step": [1, 1]}))
    with pytest.raises(ValueError, match="rising"):
        steps.hold_charge(np.array([0.0, 0.0]), np.array([1.0, 1.0]))
