"""The registry is whole, and says so when it does not know a column."""

import pytest
from ssbayes import data
from ssbayes.data import columns


@pytest.mark.parametrize("spec", data.COLUMNS.values(), ids=lambda c: c.name)
def test_every_column_is_described(spec):
    assert spec.meaning
    assert spec.kind in ("number", "integer", "text")
    assert spec.level in ("row", "", *data.LEVELS)
    if spec.kind != "text" and spec.low is not None:
        assert spec.low < spec.high


def test_companions_are_known_for_numbers_only():
    assert data.column("porosity_sd").unit == "1"
    assert data.column("capacity_mAh_g_sd_ddof").kind == "integer"
    assert data.column("capacity_mAh_g_sd_low").unit == "mAh/g"
    assert data.column("c_rate_q").choices == columns.QUALIFIERS
    with pytest.raises(data.ColumnError):
        data.column("batch_sd")


@pytest.mark.parametrize(
    ("asked", "meant"),
    [("rmp", "rpm"), ("RPM", "rpm"), ("milling_h", "milling_min"), ("capacity", "capacity_mAh_g")],
)
def test_an_unknown_column_brings_the_nearest_name(asked, meant):
    with pytest.raises(data.ColumnError, match=f"{asked}.*did you mean '{meant}'"):
        data.column(asked)


def test_a_wild_name_brings_no_guess():
    with pytest.raises(data.ColumnError) as told:
        data.column("zzzz")
    assert "did you mean" not in str(told.value)
