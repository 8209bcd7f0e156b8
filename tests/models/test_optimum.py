"""The place of the optimum, on draws whose optimum is known."""

from types import SimpleNamespace

import numpy as np
import pytest
from ssbayes.models.optimum import optimum

TRUE = np.array([200.0, 500.0, 800.0, 3000.0])


class Known:
    """Stands in for a fit: E_m is the speed, capacity falls with the distance from TRUE."""

    options = {"statements": False}  # noqa: RUF012
    model = SimpleNamespace(name="capacity")

    def predict(self, path, outcome):
        assert outcome == "capacity_mAh_g"
        return -np.abs(np.log(path["rpm"].to_numpy() * 3 / TRUE[:, None]))

    def quantity(self, name, path):
        assert name == "specific_energy"
        energies = np.tile(path["rpm"].to_numpy() * 3.0, (len(TRUE), 1))
        return SimpleNamespace(to_numpy=lambda: energies)


def test_the_optimum_of_each_draw_is_found_within_the_path():
    found = optimum(Known())
    assert found.energy == pytest.approx(np.clip(TRUE, 600, 3300), rel=0.03)
    assert found.within == (300.0, 1000.0)
    assert found.probability == 0.75
    assert "without the published statements" in found.sentence
    assert "90 % equal-tailed" in found.sentence
    assert "probability 0.50 it is an end of the path" in found.sentence  # 200 and 500 are outside


def test_a_fit_of_another_model_is_refused():
    fit = Known()
    fit.model = SimpleNamespace(name="mixing")
    with pytest.raises(ValueError, match="'mixing'"):
        optimum(fit)


def test_a_misspelt_column_and_a_range_the_wrong_way_round_are_refused():
    with pytest.raises(KeyError, match="c_rate"):
        optimum(Known(), c_rte=1.0)
    with pytest.raises(ValueError, match="rpm cannot be fixed"):
        optimum(Known(), rpm=600.0)
    with pytest.raises(ValueError, match="lower one first"):
        optimum(Known(), within=(1000.0, 300.0))
