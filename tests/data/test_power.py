"""A power log is read only when smoothing and summing it make sense."""

import pytest
from ssbayes import data

GOOD = "time_s,power_W\n" + "".join(f"{5 * i},{100 + i % 3}\n" for i in range(20))


def read(path, text, **options):
    path.write_text(text)
    return data.read_power_log(path, **options)


def test_a_good_log_carries_its_sample_mass(tmp_path):
    log = read(tmp_path / "p.csv", GOOD, sample_mass_g=17.5)
    assert list(log.columns) == ["time_s", "power_W", "sample_mass_g"]
    assert set(log["sample_mass_g"]) == {17.5}
    assert log["time_s"].iloc[-1] == 95


def test_an_idle_log_has_no_sample(tmp_path):
    assert list(read(tmp_path / "p.csv", GOOD).columns) == ["time_s", "power_W"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (GOOD.replace("10,102", "10,"), "row 4, column 'power_W': an empty cell"),
        (GOOD.replace("\n10,", "\n4,"), "row 4, column 'time_s'.*after that of the row before"),
        (GOOD.replace("\n10,102", ""), "row 4.*the step is 10 s; cut the log"),
        (GOOD.replace("10,102", "10,-3"), "row 4, column 'power_W': found '-3'"),
        (GOOD.replace("time_s", "time_min"), "did you mean 'time_"),
        ("time_s,power_W\n0,1\n5,1\n", "at least 3"),
    ],
)
def test_a_bad_log_is_refused_with_the_place(tmp_path, text, told):
    with pytest.raises(data.TableError, match=told):
        read(tmp_path / "p.csv", text)


@pytest.mark.parametrize("mass", [0, -1, float("nan")])
def test_a_mass_that_is_none_is_refused(tmp_path, mass):
    with pytest.raises(ValueError, match="sample_mass_g is"):
        read(tmp_path / "p.csv", GOOD, sample_mass_g=mass)
