"""Milling as published: exponents, energies, densities, sizes, and what a power log is worth."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ssbayes import data, doe, models
from ssbayes.models import microstructure, milling, powder
from ssbayes.models.engine.encode import encode
from ssbayes.models.engine.lab_model import Group, LabModel, Outcome
from ssbayes.models.transfer import transfer

LOAD_G = 17.5
RECIPE = {"rpm": 600.0, "milling_min": 10.0, "bead_mm": 5.0, "filling": 0.5}


@pytest.fixture(scope="module")
def anchors():
    """The five printed specific energies."""
    table = data.load("frankenberg2025_milling")
    found = table.loc[table["specific_energy_J_g"].notna() & table["kind"].eq("measured")]
    assert len(found) == 5
    return found.sort_values(["rpm", "milling_min"])


@pytest.fixture(scope="module")
def power_constant(anchors):
    """Geometric mean of E_m per minute, brought to 200 rpm (J/(g min))."""
    relative = milling.specific_energy(anchors["rpm"], anchors["milling_min"], power_constant=1.0)
    return float(np.exp(np.log(anchors["specific_energy_J_g"] / relative).mean()))


class TestPublishedArithmetic:
    @pytest.mark.parametrize(("filling", "speed", "bead"), [
        (0.1, 3.02, -0.49), (0.3, 3.01, -0.35), (0.5, 2.91, -0.21)])
    def test_energy_exponents_are_sums_of_those_of_stress_energy_and_frequency(
            self, filling, speed, bead):
        def slope(**at):
            low = {"rpm": 200.0, "bead_mm": 5.0, "filling": filling, "milling_min": 1.0}
            energies = [milling.specific_energy(**s, power_constant=1.0) for s in (low, low | at)]
            return np.log(energies[1] / energies[0])

        assert slope(rpm=200.0 * np.e) == pytest.approx(speed, abs=1e-9)
        assert slope(bead_mm=5.0 * np.e) == pytest.approx(bead, abs=1e-9)

    def test_bundled_exponents_are_those_of_the_model(self):
        table = data.load("frankenberg2025_dem_exponents")
        printed = {
            ("SE", "n"): milling.STRESS_ENERGY_SPEED, ("SE", "d"): milling.STRESS_ENERGY_BEAD,
            ("SF", "n"): milling.STRESS_FREQUENCY_SPEED, ("SF", "d"): milling.STRESS_FREQUENCY_BEAD,
        }
        ours = sorted(v for values in printed.values() for v in values)
        numbers = table.select_dtypes("number")
        column = next(c for c in numbers if sorted(numbers[c].dropna()) == ours)
        assert column

    def test_fivefold_speed_is_108_times_the_power(self):
        ratio = milling.specific_energy(1000.0, 1.0, power_constant=1.0)
        assert ratio == pytest.approx(108.144, abs=1e-3)

    def test_power_constant_of_the_anchors(self, power_constant):
        assert power_constant == pytest.approx(2.1347, abs=5e-4)

    def test_residuals_of_the_anchors(self, anchors, power_constant):
        expected = milling.specific_energy(anchors["rpm"], anchors["milling_min"],
                                           power_constant=power_constant)
        ratio = anchors["specific_energy_J_g"] / expected
        found = dict(zip(zip(anchors["rpm"], anchors["milling_min"], strict=True), np.log(ratio),
                         strict=True))
        printed = {(200, 5): -0.0652, (200, 20): 0.0526, (600, 10): -0.0433, (400, 30): 0.0380,
                   (1000, 20): 0.0178}
        for key, value in printed.items():
            assert found[key] == pytest.approx(value, abs=2e-4)
        assert np.abs(ratio - 1.0).max() < 0.065

    def test_free_exponent_agrees_with_the_simulated_one(self, anchors):
        x = np.log(anchors["rpm"].to_numpy())
        y = np.log((anchors["specific_energy_J_g"] / anchors["milling_min"]).to_numpy())
        design = np.stack([np.ones(5), x], axis=1)
        coefficients, rest, *_ = np.linalg.lstsq(design, y)
        covariance = rest[0] / 3 * np.linalg.inv(design.T @ design)
        assert coefficients[1] == pytest.approx(2.9138, abs=1e-4)
        assert np.sqrt(covariance[1, 1]) == pytest.approx(0.0425, abs=1e-4)
        assert abs(coefficients[1] - 2.91) < np.sqrt(covariance[1, 1])

    @pytest.mark.parametrize(("rpm", "minutes", "energy"), [
        (200, 300, 640.4), (200, 60, 128.1), (400, 30, 481.3), (600, 10, 522.1)])
    def test_specific_energy(self, rpm, minutes, energy, power_constant):
        found = milling.specific_energy(rpm, minutes, power_constant=power_constant)
        assert found == pytest.approx(energy, abs=0.1)

    def test_where_runs_lie_against_the_published_window(self, power_constant):
        def energy(rpm, minutes, constant=power_constant):
            return milling.specific_energy(rpm, minutes, power_constant=constant)

        assert 400 < energy(400, 30) < 600
        assert 400 < energy(600, 10) < 600
        assert energy(200, 60) < 400
        assert [energy(200, 300, c) for c in (2.0, 2.25)] == pytest.approx([600, 675])
        assert energy(200, 300, 2.25) <= 600 * 1.13

    def test_net_power_at_full_speed(self, power_constant):
        watts = milling.specific_energy(1000, 1, power_constant=power_constant) * LOAD_G / 60
        assert watts == pytest.approx(67, abs=0.5)

    def test_smaller_beads_collide_more_often_and_more_softly(self):
        more = milling.stress_frequency_rel(600, 3.0) / milling.stress_frequency_rel(600, 5.0)
        softer = milling.stress_energy_rel(600, 1.75) / milling.stress_energy_rel(600, 5.0)
        assert more == pytest.approx(7.80, abs=5e-3)
        assert 1 / softer == pytest.approx(54.6, abs=0.05)

    def test_small_beads_need_a_thousand_rpm_for_a_gentle_collision_of_large_ones(self):
        rpm = milling.equal_stress_energy_rpm(217.0, 5.0, 1.75)
        assert rpm == pytest.approx(998.8, abs=0.5)
        assert milling.stress_energy_rel(rpm, 1.75) == pytest.approx(
            milling.stress_energy_rel(217.0, 5.0))

    def test_relative_quantities_are_one_at_the_reference(self):
        assert milling.stress_energy_rel(200.0) == 1.0
        assert milling.stress_number_rel(200.0, 5.0) == 1.0


class TestDensities:
    def test_composite(self):
        density = powder.mixing_density([12.25, 5.25], [4.75, 1.87])
        assert density == pytest.approx(3.249, abs=5e-4)
        assert round(density, 2) == 3.25

    def test_film(self):
        composite = powder.mixing_density([12.25, 5.25], [4.75, 1.87])
        assert powder.mixing_density([97, 3], [composite, 2.2]) == pytest.approx(3.20, abs=5e-3)

    @pytest.mark.parametrize(("pellet", "printed"), [(2.028, 0.376), (2.389, 0.265)])
    def test_pellets(self, pellet, printed):
        assert powder.porosity(pellet, 3.25) == pytest.approx(printed, abs=5e-4)

    @pytest.mark.parametrize("median_um", [1.0, 10.0, 44.0])
    def test_size_distribution_sums_to_one_per_decade(self, median_um):
        edges = np.geomspace(0.01, 5000.0, 400)
        middle = np.sqrt(edges[1:] * edges[:-1])
        per_um = np.exp(-0.5 * (np.log(middle / median_um) / 0.6) ** 2) / (
            middle * 0.6 * np.sqrt(2 * np.pi))
        per_decade = powder.logarithmic_density(edges[:-1], edges[1:], 1000.0 * per_um)
        total = (per_decade * np.log10(edges[1:] / edges[:-1])).sum()
        assert total == pytest.approx(1.000, abs=5e-4)


class TestLosses:
    """Capacity = 200 mAh/g x utilization x kinetic efficiency, as the paper counts it."""

    @pytest.fixture
    def pairs(self):
        """Utilization x 200 mAh/g, and kinetic efficiency, of the samples that have both."""
        tables = [data.load(name) for name in ("frankenberg2025_milling", "frankenberg2025_film")]
        rows = pd.concat(tables, ignore_index=True)
        rows = rows[rows["utilization"].notna() & rows["capacity_mAh_g"].notna()]
        connected = 200.0 * rows["utilization"]
        return list(zip(connected, rows["capacity_mAh_g"] / connected, strict=True))

    @pytest.mark.parametrize("printed", [(176.0, 0.625), (176.0, 0.9375), (192.0, 0.9375)])
    def test_printed_samples_split_as_the_paper_says(self, pairs, printed):
        assert any(pair == pytest.approx(printed) for pair in pairs)


class TestStrain:
    @staticmethod
    def strain(energy, number, **numbers):
        given = {"base": 0.15, "scale": 0.3, "threshold": 6.0, "energy_exponent": 1.0,
                 "number_exponent": 1.0} | numbers
        return microstructure.lattice_strain(np.log(energy), np.log(number), **given)

    @pytest.mark.parametrize("numbers", [
        {}, {"threshold": 1.5}, {"threshold": 20.0}, {"energy_exponent": 0.5},
        {"number_exponent": 0.4}, {"energy_exponent": 2.0, "number_exponent": 2.0}])
    def test_needs_hard_and_many_collisions(self, numbers):
        both = self.strain(37.8, 6.0, **numbers)
        assert self.strain(1.0, 60.0, **numbers) < both
        assert self.strain(37.8, 1.5, **numbers) < both

    def test_grows_with_either(self):
        energies = np.geomspace(8, 70, 20)
        assert np.all(np.diff(self.strain(energies, 3.0)) > 0)
        assert np.all(np.diff(self.strain(30.0, np.geomspace(0.5, 20, 20))) > 0)


def test_long_milling_at_high_speed_is_no_setting():
    space = doe.spaces.milling()
    tried = pd.DataFrame({"rpm": [800.0, 800.0, 600.0, 200.0], "milling_min": [20.0, 21, 30, 300],
                          "bead_mm": 5.0})
    assert list(space.feasible(tried)) == [True, False, True, True]


def test_samples_of_one_run_are_no_replicate_runs():
    model = LabModel(
        "split plot", lambda x: None, factors=milling.FACTORS,
        groups=(*milling.GROUPS, Group("batch"), Group("cell")),
        outcomes=(Outcome("capacity_mAh_g"),))
    table = pd.DataFrame([
        {"run": "run 1", "batch": f"{minutes} min", "cell": f"cell {cell}", "rpm": 600.0,
         "milling_min": float(minutes), "capacity_mAh_g": 150.0 + cell}
        for minutes in (5, 10, 20, 30) for cell in (1, 2)])
    encoded = encode(data.validate(table, model.columns), model)
    assert [len(encoded.levels[level]) for level in ("run", "batch", "cell")] == [1, 4, 8]
    assert len(encoded.columns["capacity_mAh_g__value"]) == 8


class TestPowerLog:
    time = np.arange(0.0, 1800.0, 5.0)

    def energy(self, power, **other):
        given: Any = {"idle_power_W": 300.0, "idle_sd_W": 2.0, "sample_mass_g": 100.0} | other
        return milling.specific_energy_from_power(self.time, power, **given)

    def test_constant_net_power_is_power_times_time(self):
        found = self.energy(np.full(len(self.time), 350.0))
        assert found == pytest.approx(50.0 * self.time[-1] / 100.0, rel=1e-12)

    def test_noise_averages_out(self):
        rng = np.random.default_rng(4)
        power = 350.0 + 2.0 * rng.normal(size=len(self.time))
        exact = 50.0 * self.time[-1] / 100.0
        error = 2.0 * self.time[-1] / np.sqrt(len(self.time)) / 100.0
        assert self.energy(power) == pytest.approx(exact, abs=4 * error)

    def test_slow_drift_is_followed(self):
        power = 350.0 + 20.0 * self.time / self.time[-1]
        assert self.energy(power) == pytest.approx(60.0 * self.time[-1] / 100.0, rel=1e-9)

    def test_weak_net_power_calibrates_nothing(self):
        power = np.full(len(self.time), 305.0)
        with pytest.raises(ValueError, match="three times the idle noise"):
            self.energy(power)
        assert self.energy(power, idle_sd_W=1.6) > 0

    def test_gaps_and_disorder_are_refused(self):
        power = np.full(len(self.time), 350.0)
        holed = power.copy()
        holed[7] = np.nan
        with pytest.raises(ValueError, match="gaps"):
            self.energy(holed)
        with pytest.raises(ValueError, match="must increase"):
            milling.specific_energy_from_power(
                self.time[::-1], power, idle_power_W=300.0, idle_sd_W=2.0, sample_mass_g=100.0)
        with pytest.raises(ValueError, match="one length"):
            self.energy(power[:-1])
        with pytest.raises(ValueError, match="sample_mass_g"):
            self.energy(power, sample_mass_g=0.0)


@pytest.fixture(scope="module")
def two_mills(anchors):
    """Fit to the published energies and to power readings of a mill 'B' (simulated)."""
    rng = np.random.default_rng(11)
    other = pd.DataFrame({
        "study": "simulated", "mill": "B", "rpm": [200.0, 300.0, 400.0, 500.0, 600.0, 700.0],
        "milling_min": [60.0, 40.0, 20.0, 15.0, 10.0, 5.0], "bead_mm": 5.0, "filling": 0.5})
    other["run"] = [f"B{k}" for k in range(len(other))]
    exact = milling.specific_energy(other["rpm"], other["milling_min"], power_constant=3.4)
    other["specific_energy_J_g"] = exact * np.exp(0.05 * rng.normal(size=len(other)))
    kept = ["study", "mill", "run", "rpm", "milling_min", "bead_mm", "filling",
            "specific_energy_J_g", "specific_energy_J_g_shared"]
    table = pd.concat([anchors[kept], other], ignore_index=True)
    return models.get("milling").fit(table, draws=3000)


class TestTransfer:
    def test_power_fixes_the_product_and_not_the_stress_energy(self, two_mills):
        card = transfer(two_mills, RECIPE, milling.REFERENCE_MILL, "B")
        assert 0.65 <= card.stress_energy_sd_ratio < 1.1
        row = card.table.iloc[0]
        assert row["p_stress_energy"] < 0.35
        assert row["p_both"] <= min(row["p_stress_energy"], row["p_specific_energy"])
        for word in ("product", "geometry", "simulation", "reaction"):
            assert word in card.sentence

    @pytest.mark.parametrize(("pair", "unknown"), [
        (("A", "B"), "A"), (("B", "A"), "A"), (("A", "A"), None), (("B", "B"), None)])
    def test_an_unknown_stress_energy_of_either_mill_counts_unless_they_are_one(
        self, pair, unknown
    ):
        """Simulated draws: the stress energy of A is the prior's, that of B is known."""
        own = {"A": np.random.default_rng(5).normal(0.0, 0.7, 4000), "B": np.full(4000, 0.1)}

        def quantity(name, rows):
            ln_speed = np.log(rows["rpm"].to_numpy(float) / 200.0)
            made = np.stack([own[m] for m in rows["mill"]], axis=1) + 2.5 * ln_speed
            if name == "specific_energy":
                made = rows["milling_min"].to_numpy(float) * np.exp(3.0 * ln_speed + 0.0 * made)
            return SimpleNamespace(to_numpy=lambda: made)

        model = models.get("milling")
        priors = {name: model.prior(name, prior)
                  for name, prior in model.graph({}).registry.priors.items()}
        fit: Any = SimpleNamespace(quantity=quantity, priors=priors)
        card = transfer(fit, RECIPE, *pair)
        assert (card.stress_energy_sd_ratio > 0.9) == (unknown is not None)
        assert (f"stress energy of {unknown} is not determined" in card.sentence) == bool(unknown)
        assert ("not determined" in card.sentence) == bool(unknown)

    def test_product_is_learnt_from_power(self, two_mills):
        settings = pd.DataFrame({"rpm": [400.0], "milling_min": 20.0, "mill": "B"})
        energy = two_mills.quantity("specific_energy", settings).to_numpy()[:, 0]
        exact = milling.specific_energy(400.0, 20.0, power_constant=3.4)
        assert np.log(energy).std() < 0.15
        assert np.median(energy) == pytest.approx(exact, rel=0.12)

    def test_same_speed_on_the_other_mill_needs_the_time_of_equal_energy(self, two_mills):
        pinned = transfer(two_mills, RECIPE, milling.REFERENCE_MILL, "B",
                          rpm_range=(599.999, 600.001)).table.iloc[0]
        assert pinned["rpm"] == pytest.approx(600.0, abs=0.01)
        assert pinned["milling_min"] == pytest.approx(10.0 * 2.1347 / 3.4, rel=0.15)
        assert pinned["p_specific_energy"] > 0.7

    def test_a_mill_onto_itself_is_the_recipe(self, two_mills):
        card = transfer(two_mills, RECIPE, "B", "B")
        row = card.table.iloc[0]
        assert row["rpm"] == pytest.approx(600.0, rel=1e-6)
        assert row["milling_min"] == pytest.approx(10.0, rel=1e-6)
        assert row["p_both"] == 1.0

    def test_smaller_beads_need_more_speed(self, two_mills):
        table = transfer(two_mills, {"rpm": 217.0, "milling_min": 10.0}, "B", "B",
                         bead_mm=[5.0, 3.0, 1.75], rpm_range=(50.0, 2000.0)).table
        assert list(table["rpm"]) == sorted(table["rpm"])
        assert table["rpm"].iloc[2] == pytest.approx(998.8, rel=0.15)
        assert table["p_stress_energy"].iloc[0] > table["p_stress_energy"].iloc[2]

    def test_unreachable_stress_energy_is_said(self, two_mills):
        card = transfer(two_mills, RECIPE, "B", "B", bead_mm=[1.75])
        assert not card.table["inside"].iloc[0]
        assert "outside" in card.sentence

    @pytest.mark.parametrize(("change", "says"), [
        ({"mill_b": "C"}, "'C' is no mill of this fit"),
        ({"rpm_range": (900.0, 200.0)}, "lower one first"),
        ({"within": 20}, "share between 0 and 1"),
        ({"settings_on_a": {"rpm": 600.0}}, "lacks milling_min"),
    ])
    def test_wrong_arguments_are_named(self, two_mills, change, says):
        given = {"settings_on_a": RECIPE, "mill_a": milling.REFERENCE_MILL, "mill_b": "B"}
        with pytest.raises(ValueError, match=says):
            transfer(two_mills, **(given | change))
