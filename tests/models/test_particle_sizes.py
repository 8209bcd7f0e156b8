"""Particle sizes: what is counted is said, and a misread convention is caught."""

import numpy as np
import pytest
from scipy import stats
from ssbayes import data
from ssbayes.models import particle_sizes

BOX = (210.0, 210.0, 1700.0)


@pytest.fixture(scope="module")
def fine():
    table = data.load("schneider2023_pellets")
    row = table[table["size_gamma_a"].notna()].iloc[0]
    return particle_sizes.read_gamma(row["size_gamma_a"], row["size_gamma_b"], second="scale",
                                     bin_um=row["size_bin_um"])


def test_the_printed_distribution_by_number(fine):
    assert fine.mean_um == pytest.approx(13.704, abs=1e-3)
    assert fine.sd_um == pytest.approx(9.828, abs=1e-3)
    assert fine.mode_um == pytest.approx(6.656, abs=1e-3)


def test_by_volume_the_same_powder_is_coarser(fine):
    volume = fine.weighted("volume")
    assert volume.shape == pytest.approx(4.94431)
    assert volume.quantile([0.1, 0.5, 0.9]) == pytest.approx([16.87, 32.53, 55.83], abs=0.01)
    assert fine.sauter_um == pytest.approx(27.80, abs=0.01)
    assert fine.volume_mean_um == pytest.approx(34.85, abs=0.01)
    assert fine.mean_um < fine.sauter_um < fine.volume_mean_um
    assert 1 - fine.below(50) == pytest.approx(0.0061, abs=1e-4)
    assert 1 - volume.below(50) == pytest.approx(0.159, abs=1e-3)


def test_weights_undo_each_other(fine):
    back = fine.weighted("volume").weighted("surface").weighted("number")
    assert back.shape == pytest.approx(fine.shape)
    assert fine.weighted("volume").sauter_um == pytest.approx(fine.sauter_um)
    with pytest.raises(ValueError, match="countless"):
        particle_sizes.GammaSizes(2.0, 5.0, "volume").weighted("number")


def test_the_spheres_of_the_simulation_fill_half_of_their_box(fine):
    assert fine.packing_fraction(9591, BOX) == pytest.approx(0.5295, abs=1e-4)
    assert fine.packing_fraction(9591, BOX, below_um=50.0) == pytest.approx(0.448, abs=1e-3)


def test_read_as_a_rate_the_mean_is_below_one_bin_and_refused():
    with pytest.raises(ValueError, match=r"0\.276 um, below the histogram's bin of 1 um\. Read as "
                                         r"a scale the mean is 13\.7 um"):
        particle_sizes.read_gamma(1.94431, 7.04802, second="rate", bin_um=1.0)
    same = particle_sizes.read_gamma(1.94431, 1 / 7.04802, second="rate", bin_um=1.0)
    assert same.mean_um == pytest.approx(13.704, abs=1e-3)


def test_the_second_number_must_be_said():
    with pytest.raises(ValueError, match="say what the second number"):
        particle_sizes.read_gamma(1.9, 7.0, second="b")


def test_means_are_those_of_drawn_particles(fine):
    d = stats.gamma(fine.shape, scale=fine.scale_um).rvs(400_000, random_state=3)
    assert fine.sauter_um == pytest.approx((d**3).sum() / (d**2).sum(), rel=0.01)
    assert fine.mean_particle_volume() == pytest.approx(np.pi / 6 * (d**3).mean(), rel=0.02)
    sieved = d[d < 50]
    assert fine.mean_particle_volume(50.0) == pytest.approx(np.pi / 6 * (sieved**3).mean(),
                                                            rel=0.02)


def test_a_histogram_by_number_becomes_one_by_volume(fine):
    edges = np.arange(0.0, 120.0)
    counts = np.diff(fine.below(edges))
    volume = particle_sizes.histogram(edges, counts, given="number", wanted="volume")
    exact = np.diff(fine.weighted("volume").below(edges))
    assert volume["share by volume"].to_numpy() == pytest.approx(exact, abs=2e-3)
    assert volume["cumulative share by volume"].iloc[-1] == pytest.approx(1.0)
    assert particle_sizes.moment_mean(edges, counts, 3, 2) == pytest.approx(27.8, rel=0.01)
    again = particle_sizes.moment_mean(edges, volume["share by volume"], 3, 2, "volume")
    assert again == pytest.approx(27.8, rel=0.01)


@pytest.mark.parametrize(("edges", "shares", "told"), [
    ([0, 1, 2], [1, 2, 3], "3 classes need 4 edges"),
    ([0, 2, 1], [1, 2], "look at edge 2"),
    ([0, 1, 2], [1, -2], "look at class 1"),
])
def test_histograms_that_cannot_be_are_refused(edges, shares, told):
    with pytest.raises(ValueError, match=told):
        particle_sizes.histogram(edges, shares, given="number", wanted="volume")


def test_unknown_weights_are_refused():
    with pytest.raises(ValueError, match="'mass' is no weighting"):
        particle_sizes.GammaSizes(2.0, 5.0, "mass")
    with pytest.raises(ValueError, match="0 <= q < p"):
        particle_sizes.gamma_mean(2.0, 5.0, 2, 2)
