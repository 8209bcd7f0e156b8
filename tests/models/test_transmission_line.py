"""Blocking cells: the right formula, intervals that hold, and weak rails that are said to be weak.

All spectra and staircases are simulated: no number of the published ones is printed.
"""

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom
from ssbayes import models
from ssbayes.data import TableError
from ssbayes.doe import virtual_blocking as virtual
from ssbayes.models import blocking_cells as cells
from ssbayes.models import blocking_design as design
from ssbayes.models import blocking_pool as pooling
from ssbayes.models import impedance, staircase, walkers
from ssbayes.models import transmission_fit as fitting
from ssbayes.models import transmission_line as lines
from ssbayes.models.kramers_kronig import kramers_kronig

Z_E, Z_ION, Z_INT, L = 50.0, 2000.0, 1e-3, 0.01
"""ohm/m, ohm/m, ohm m, m"""
F = np.logspace(6, -1, 50)


def with_power(power, z_e, z_ion, z_int, length):
    """The formula as printed (power 2) and as its dimensions ask for (power 3/2)."""
    whole = z_e + z_ion
    x = length * np.sqrt(whole / z_int)
    return (z_ion * z_e * length / whole
            + 2 * z_e**2 * np.sqrt(z_int) / whole**power * np.tanh(x / 2))


# --- the formula


def test_the_form_without_overflow_is_the_formula_of_the_sources():
    rng = np.random.default_rng(1)
    for _ in range(20):
        z_e, z_ion, z_int = np.exp(rng.normal(size=3) * 2) * np.exp(
            1j * rng.uniform([-1.0, 0.0, -1.5], [0.0, 0.0, 0.0]))
        expected = with_power(1.5, z_e, z_ion, z_int, 0.7)
        assert lines.blocking_impedance(z_e, z_ion, z_int, 0.7) == pytest.approx(expected, rel=1e-9)


def test_at_direct_current_the_conducting_rail_is_alone():
    assert lines.blocking_impedance(Z_E, Z_ION, 1e6, L).real == pytest.approx(0.5, rel=1e-8)
    electron = lines.blocking_impedance(Z_E, Z_ION, 1e6, L, "electron")
    assert electron.real == pytest.approx(Z_ION * L, rel=1e-6)


def test_at_high_frequency_both_rails_are_in_parallel():
    for blocking in lines.BLOCKING:
        found = lines.blocking_impedance(Z_E, Z_ION, 1e-22, L, blocking).real
        assert found == pytest.approx(Z_ION * Z_E * L / (Z_ION + Z_E), abs=1e-6)
        assert found == pytest.approx(0.487805, abs=1e-6)


def test_the_unit_of_length_does_not_matter():
    metres = lines.blocking_impedance(Z_E, Z_ION, Z_INT, L).real
    centimetres = lines.blocking_impedance(Z_E / 100, Z_ION / 100, 100 * Z_INT, 100 * L).real
    assert metres == pytest.approx(0.489508, abs=1e-6)
    assert centimetres == pytest.approx(metres, rel=1e-12)


def test_the_printed_exponent_fails_all_three():
    direct = with_power(2, Z_E, Z_ION, 1e6, L)
    assert direct == pytest.approx(0.48807, abs=1e-5)  # 0.5 would be right
    metres = with_power(2, Z_E, Z_ION, Z_INT, L)
    centimetres = with_power(2, Z_E / 100, Z_ION / 100, 100 * Z_INT, 100 * L)
    assert metres == pytest.approx(0.48784, abs=1e-5)
    assert centimetres == pytest.approx(0.48818, abs=1e-5)
    assert with_power(1.5, Z_E, Z_ION, 1e6, L) == pytest.approx(0.5, rel=1e-6)


def test_half_the_argument_and_nothing_overflows():
    x = np.array([1e-3, 0.5, 3.0, 20.0])
    np.testing.assert_allclose(np.tanh(x / 2), (np.cosh(x) - 1) / np.sinh(x), rtol=1e-9)
    with np.errstate(over="raise", invalid="raise"):
        real, imaginary = lines.tangent((np.array([1e-9, 1e4, 1e8]), np.array([0.0, 3.0, 1e3])))
    np.testing.assert_allclose(real, [1e-9, 1.0, 1.0])
    np.testing.assert_allclose(imaginary, 0.0, atol=1e-12)
    far = lines.blocking_impedance(Z_E, Z_ION, Z_INT * (L / 1e4) ** 2, L)
    assert np.isfinite(far)


@pytest.mark.parametrize("swap", [0.0, 1.0])
def test_the_formula_is_that_of_a_ladder(swap):
    """An independent solution: both rails cut into 600 pieces, currents from linear equations."""
    e, i, f = 3.0, 40.0, np.logspace(4, -1, 6)
    ln_tau, bend = np.log(4e-3), 0.9
    contact = (0.3, -11.5, 0.85)
    real, imaginary = lines.blocking_cell(f, swap, e, i, *contact, ln_tau, bend, 0.0, 0.0)
    jw = 2j * np.pi * f
    rail = e * (0.7 + 0.3 / (1 + (jw * np.exp(-11.5)) ** 0.85))
    between = 0.25 * (e + i) * (jw * np.exp(ln_tau)) ** -bend
    electrons, ions = (np.repeat(r[None] / 600, 600, axis=0) for r in (rail, i + 0 * rail))
    cut = (virtual.ladder(ions, electrons, between) if swap
           else virtual.ladder(electrons, ions, between))
    np.testing.assert_allclose(real + 1j * imaginary, cut, rtol=2e-3)


def test_contacts_that_stop_nothing_known_are_refused():
    with pytest.raises(ValueError, match="ion or electron"):
        lines.blocking_impedance(Z_E, Z_ION, Z_INT, L, "lithium")


# --- conductivities


def test_conductivity_is_thickness_over_resistance_and_area():
    assert lines.conductivity_mS_cm(100.0, 1.0, 0.7854) == pytest.approx(12.73, abs=0.005)
    assert 1 / (lines.areal_resistance(100.0, 12.73)) == pytest.approx(1 / 0.7854, rel=1e-3)


@pytest.mark.parametrize(("si", "here"), [(15.93, 159.3), (9.88, 98.8), (0.005, 0.05)])
def test_siemens_per_metre_are_ten_millisiemens_per_centimetre(si, here):
    assert lines.mS_cm(si) == pytest.approx(here)


def test_users_find_blocking_cells_where_they_look_for_impedance():
    for name in ("conductivities", "blocking_impedance", "conductivity_mS_cm", "staircases", "pool",
                 "expected", "informed"):
        assert name in impedance.__all__
        assert hasattr(impedance, name)
    assert "nothing published" in str(models.catalog().set_index("name").at[
        "transmission_line", "what"])


# --- posterior


@cache
def found(ratio, seeds, **options) -> Any:
    made = [virtual.simulate(ratio, seed) for seed in seeds]
    table = pd.concat([m.table for m in made], ignore_index=True)
    return made, cells.conductivities(table, draws=2000)


def inside(made, answer) -> np.ndarray:
    """Whether each 90 % interval that was given holds the truth: (given, rails)."""
    rows = answer.table[answer.table["status"].eq("done")]
    return np.array([[row[f"{rail}_mS_cm_low"] <= getattr(made[k], rail)
                      <= row[f"{rail}_mS_cm_high"] for rail in cells.RAILS]
                     for k, row in rows.iterrows()])


RATIOS = (0.3, 1.0, 3.0, 10.0)


def seeds_of(ratio, count, start):
    first = start + 1000 * RATIOS.index(ratio)
    return tuple(range(first, first + count))


@pytest.mark.slow
def test_intervals_hold_as_often_as_they_say_from_a_third_to_ten():
    held = np.concatenate([inside(*found(ratio, seeds_of(ratio, 5, 40))) for ratio in RATIOS])
    assert len(held) >= 16
    low, high = binom.interval(0.99, len(held), 0.9)
    for k in range(2):
        assert low <= held[:, k].sum() <= high, cells.RAILS[k]


@pytest.mark.slow
@pytest.mark.parametrize("ratio", RATIOS)
def test_intervals_hold_at_each_ratio(ratio):
    held = inside(*found(ratio, seeds_of(ratio, 50, 100)))
    low, high = binom.interval(0.995, len(held), 0.9)
    assert len(held) >= 44
    assert (low <= held.sum(axis=0)).all() and (held.sum(axis=0) <= high).all()


def test_most_rails_up_to_three_come_from_the_data():
    rows: Any = pd.concat([found(r, seeds_of(r, 5, 40))[1].table for r in (0.3, 1.0, 3.0)])
    rows = rows[rows["status"].eq("done")]
    assert rows["electronic_informed_by"].eq("data").mean() > 0.9
    assert rows["ionic_informed_by"].eq("data").mean() > 0.75
    assert set(rows["kind"]) == {"simulated"}
    assert (rows["geometry_error"] > 0.03).all()
    share = rows["electronic_mS_cm_sd"] / rows["electronic_mS_cm"]
    assert share.min() > 0.028  # never better than thickness over area is known


def test_at_77_the_weak_rail_is_reported_as_weak_and_the_other_cell_is_proposed():
    _, answer = found(77.0, (300, 301, 302))
    rows: Any = answer.table[answer.table["status"].eq("done")]
    assert len(rows) >= 2
    assert rows["electronic_informed_by"].eq("data").mean() > 0.7
    assert rows["ionic_informed_by"].isin(["weak", "prior"]).all()
    assert rows["ionic_factor"].median() > 4 * rows["electronic_factor"].median()
    assert rows["next_cell"].str.contains("blocks electrons would give").all()
    told = str(answer)
    assert "ionic weak" in told or "ionic from the prior" in told
    kept: Any = impedance.informed(answer)
    assert kept["ionic_mS_cm"].isna().all()
    assert kept["electronic_mS_cm"].notna().any()


def test_the_electron_blocking_cell_brings_what_was_proposed():
    """The weak rail of one cell is the sharp one of the other, of the same composite."""
    of = virtual.material(77.0, 12)
    both = [virtual.simulate(77.0, 500 + k, made_of=of, blocking=kind, cell=kind, batch="a")
            for k, kind in enumerate(lines.BLOCKING)]
    answer = cells.conductivities(pd.concat([m.table for m in both], ignore_index=True), draws=2000)
    ion, electron = (answer.table.iloc[k] for k in (0, 1))
    assert electron["ionic_factor"] < 0.5 * ion["ionic_factor"]
    assert electron["ionic_informed_by"] == "data"
    assert electron["electronic_informed_by"] != "data"
    alone = pooling.pool(cells.conductivities(both[0].table, draws=2000)).table
    joint = pooling.pool(answer).table.set_index("quantity")
    at = joint.loc["ionic_mS_cm"]
    assert at["low"] <= of.ionic <= at["high"]
    assert at["informed_by"] == "data"
    weak = alone.set_index("quantity").loc["ionic_mS_cm"]
    assert weak["informed_by"] != "data"
    assert at["sd_ln"] < weak["sd_ln"]


@pytest.mark.parametrize(("low", "high", "sd_ratio", "beaten", "told"), [
    (1.0, 1.2, 0.1, 0.0, "data"), (1.0, 1.2, 0.1, 29.0, "data"), (1.0, 1.2, 0.1, 31.0, "weak"),
    (1.0, 3.1, 0.1, 5.0, "weak"), (1.0, 1.2, 0.81, 5.0, "prior")])
def test_a_rail_is_weak_by_its_interval_by_the_ratio_or_by_its_prior(low, high, sd_ratio, beaten,
                                                                    told):
    assert cells.verdict(low, high, sd_ratio, beaten) == told


# --- the honest limit, from the design alone


def test_the_spread_of_the_weak_rail_grows_with_the_ratio():
    """Everything but the two rails and the interface known; 1 % noise, 50 frequencies."""
    known = ("series_logit", "contact_logit", "ln_lag", "contact_exponent_logit", "inductance")
    spread = [design.expected(0.3 * r, 0.3, geometry_error=0.0, held=known, contact_logit=-12.0)[
        "ionic_sd_ln"].loc["ion"] for r in (10, 30, 77, 200)]
    np.testing.assert_allclose(spread, [0.041, 0.109, 0.288, 0.845], rtol=0.05)
    shares = [design.arc_share(r) for r in (10, 30, 77, 200)]
    product = np.array(spread) * np.array(shares)
    assert np.ptp(np.log(product)) < 0.2  # sd ln ~ noise / arc
    assert design.arc_share(77.0) == pytest.approx(0.013, abs=5e-4)
    assert design.arc_share(77.0, "electron") == pytest.approx(77 / 78)


def test_above_thirty_the_other_cell_is_better_below_it_need_not_be():
    strong, weak = (design.expected(0.3 * r, 0.3)["ionic_factor"] for r in (3.0, 77.0))
    assert weak.loc["electron"] < 1.2 < 3 < weak.loc["ion"]
    assert strong.loc["ion"] < 1.5
    thin = design.expected(0.3 * 77, 0.3, series=(0.05, 0.02))
    assert thin["electronic_sd_ln"].loc["ion"] < design.expected(
        0.3 * 77, 0.3)["electronic_sd_ln"].loc["ion"]


@pytest.mark.parametrize(("options", "told"), [
    ({"ionic": 0.0}, "ionic is 0.0; it must be above 0"), ({"held": ("rho",)}, "'rho'")])
def test_a_design_that_cannot_be_is_refused(options, told):
    with pytest.raises(ValueError, match=told):
        design.expected(**({"electronic": 3.0, "ionic": 0.3} | options))


# --- the sampler


@pytest.mark.slow
def test_the_model_and_the_quick_fit_have_one_density():
    part = virtual.simulate(1.0, 2).table.assign(series_ohm_cm2=0.06)
    spectrum, cell = as_seen(part)
    priors = lines.MODEL.graph({}).registry.priors
    assert [name.partition(".")[2] for name in priors] == list(fitting.NAMES)
    fit = lines.MODEL.fit(part, seed=1, draws=60, tune=400, chains=2, rhat=99.0)
    values: dict[str, Any] = {n: fit.posterior[f"transmission_line.{n}"].to_numpy().ravel()
                              for n in fitting.NAMES}
    u = np.stack([np.log(values[row[0]]) if row[1] == "LogNormal" else values[row[0]]
                  for row in fitting.PARAMETERS], axis=1)
    logp = fit.statistics["logp"].to_numpy().ravel()
    # nutpie's density is of the unbounded scale too
    np.testing.assert_allclose(np.diff(spectrum.log_density(u)), np.diff(logp), atol=1e-5)
    series, electronic, _ = fitting.resistances(u, cell.logit, cell.swap)
    settings = part.iloc[:1].assign(
        low_frequency_ohm_cm2=part["z_re_ohm"].iloc[-1] * cell.area_cm2)
    sigma = fit.quantity("electronic_conductivity", settings).to_numpy().ravel()
    np.testing.assert_allclose(np.sort(sigma), np.sort(0.1 * cell.thickness_um / electronic),
                               rtol=1e-8)
    assert np.median(series) == pytest.approx(0.06, rel=0.05)


def as_seen(part):
    cell = fitting.cell_of(part)
    z = [part[name].to_numpy() * cell.area_cm2 for name in ("z_re_ohm", "z_im_ohm")]
    gate = kramers_kronig(part["frequency_of_signal_Hz"].to_numpy(), *z)
    return fitting.seen(part, gate, cell), cell


def test_walkers_leave_a_bent_posterior_as_it_is():
    """From right draws to right ones; from draws half as wide as they should be, wider."""

    def banana(u):
        return -0.5 * (u[:, 0] ** 2 + ((u[:, 1] - u[:, 0] ** 2) / 0.1) ** 2 + u[:, 2] ** 2)

    rng = np.random.default_rng(3)
    ends = {}
    for width in (1.0, 0.5):
        z = width * rng.normal(size=(2000, 3))
        start = np.stack([z[:, 0], z[:, 0] ** 2 + 0.1 * z[:, 1], z[:, 2]], axis=1)
        ends[width] = walkers.walk(banana, start, seed=1, steps=600)
    assert ends[1.0].settled
    np.testing.assert_allclose(ends[1.0].u[:, [0, 2]].std(axis=0), 1.0, atol=0.1)
    assert ends[1.0].u[:, 1].mean() == pytest.approx(1.0, abs=0.2)
    assert (ends[0.5].u[:, [0, 2]].std(axis=0) > 0.75).all()


# --- several cells of one composite


def test_cells_of_one_composite_are_pooled_and_their_scatter_is_kept():
    of = virtual.Material(3.0, 1.0, 0.3, -12.0, 0.85, 5.0, 0.9)
    table = pd.concat([virtual.simulate(3.0, 700 + k, made_of=of, scatter=0.1, batch="a",
                                        cell=str(k)).table for k in range(3)], ignore_index=True)
    answer = cells.conductivities(table, draws=2000)
    pooled = pooling.pool(answer)
    rows = pooled.table.set_index("quantity")
    for rail in cells.RAILS:
        at = rows.loc[f"{rail}_mS_cm"]
        assert at["low"] / 1.15 <= getattr(of, rail) <= at["high"] * 1.15
        each = answer.table[f"{rail}_mS_cm"]
        assert each.min() / 1.3 < at["median"] < each.max() * 1.3
    # three cells of 10 % scatter: never as sharp as one spectrum would have it
    assert rows.at["electronic_mS_cm", "sd_ln"] > 0.04
    assert rows.at["electronic_scatter", "high"] < 0.6
    assert "3 cells" in pooled.sentence
    with pytest.raises(ValueError, match="more than one batch"):
        pooling.pool(replaced(answer, batch=["a", "b", "a"]))
    with pytest.raises(ValueError, match="no replicates"):
        pooling.pool(replaced(answer, cell=["1", "1", "2"]))


def replaced(answer, **columns):
    return cells.Conductivities(answer.table.assign(**columns), answer.spectra, answer.draws,
                                answer.gates, answer.sentences)


# --- bad input


def test_an_effective_conductivity_above_the_electrolyte_is_refused():
    table = virtual.simulate(1.0, 2).table
    answer = cells.conductivities(table, draws=1500)
    sigma = float(answer.table["ionic_mS_cm"].iloc[0])
    bad = cells.conductivities(table, electrolyte_mS_cm=sigma / 9.6, draws=1500).table.iloc[0]
    assert bad["status"] == "failed"
    assert "impossible" in bad["reason"] and "electrolyte" in bad["reason"]
    good = cells.conductivities(table, electrolyte_mS_cm=sigma / 0.096, draws=1500).table.iloc[0]
    assert good["status"] == "done"
    with pytest.raises(ValueError, match="above 0"):
        cells.conductivities(table, electrolyte_mS_cm=0.0)


def test_the_wrong_sign_is_told_from_a_drifting_cell():
    table = virtual.simulate(1.0, 2).table
    row = cells.conductivities(table.assign(z_im_ohm=-table["z_im_ohm"])).table.iloc[0]
    assert "multiply it by -1" in row["reason"]
    passed = np.linspace(0, 1, len(table)) ** 3
    drifting = table.assign(z_re_ohm=table["z_re_ohm"] * (1 + 0.5 * passed))
    row = cells.conductivities(drifting).table.iloc[0]
    assert row["status"] == "failed"
    assert "Kramers-Kronig" in row["reason"]
    assert np.isnan(row["electronic_mS_cm"])


@pytest.mark.parametrize(("change", "told"), [
    (lambda t: t.drop(columns="thickness_um"), "thickness_um.*missing"),
    (lambda t: t.drop(columns="blocking"), "blocking.*'ion' for metal foils"),
    (lambda t: t.assign(blocking="lithium"), "blocking"),
    (lambda t: t.assign(thickness_um=np.where(t.index < 9, 80.0, 90.0)), "one value"),
    (lambda t: t.assign(thickness_um=0.0), "thickness_um"),
    (lambda t: t.drop(columns="area_cm2"), "area_cm2")])
def test_a_bad_table_is_told_where_and_how_to_mend_it(change, told):
    with pytest.raises(TableError, match=told):
        cells.conductivities(change(virtual.simulate(1.0, 2).table))


def test_a_nearly_ohmic_spectrum_is_no_error_of_sign():
    """Noise gives the imaginary part of a good electronic conductor either sign."""
    table: Any = virtual.simulate(200.0, 3).table
    assert (table["z_im_ohm"] > 0).mean() > 0.2
    assert len(cells.checked(table)) == len(table)


def test_simulators_say_what_there_is():
    with pytest.raises(ValueError, match="graded"):
        virtual.simulate(1.0, 1, scenario="warburg")
    with pytest.raises(ValueError, match="electron"):
        virtual.simulate(1.0, 1, blocking="proton")


# --- direct-current staircases


def test_staircases_cover_at_their_nominal_rate():
    held = []
    for seed in range(200):
        table, truth = virtual.staircase(3.0, seed, offset_uA=30.0, drift_uA=50.0)
        row = staircase.staircases(table).table.iloc[0]
        if row["status"] == "done":
            held.append([row["electronic_mS_cm_low"] <= 3.0 <= row["electronic_mS_cm_high"],
                         row["resistance_ohm_low"] <= truth["resistance_ohm"]
                         <= row["resistance_ohm_high"]])
    low, high = binom.interval(0.99, len(held), 0.9)
    assert len(held) > 188
    for count in np.sum(held, axis=0):
        assert low <= count <= high


def test_leak_and_drift_are_told_and_taken_off():
    clean = staircase.staircases(virtual.staircase(3.0, 1)[0]).table.iloc[0]
    leaking = staircase.staircases(virtual.staircase(3.0, 1, offset_uA=500.0)[0])
    row = leaking.table.iloc[0]
    assert row["offset_uA"] - clean["offset_uA"] == pytest.approx(500.0)
    assert row["resistance_ohm"] == pytest.approx(clean["resistance_ohm"], rel=2e-3)
    assert "at no voltage" in str(leaking)
    drifting = staircase.staircases(virtual.staircase(3.0, 1, drift_uA=300.0)[0])
    row = drifting.table.iloc[0]
    assert row["drift_uA"] - clean["drift_uA"] == pytest.approx(300.0)
    assert row["resistance_ohm"] == pytest.approx(clean["resistance_ohm"], rel=2e-3)
    assert "drifted" in str(drifting)


@pytest.mark.parametrize(("options", "told"), [
    ({"bend": 0.1}, "not proportional"), ({"fall": 0.15}, "from step to step")])
def test_a_bend_and_a_falling_conductance_refuse_a_staircase(options, told):
    row = staircase.staircases(virtual.staircase(3.0, 1, **options)[0]).table.iloc[0]
    assert row["status"] == "failed"
    assert told in row["reason"]
    assert np.isnan(row["electronic_mS_cm"])


def test_a_small_bend_widens_the_interval():
    straight, bent = (staircase.staircases(virtual.staircase(
        3.0, 1, bend=b, noise=0.0005)[0]).table.iloc[0] for b in (0.0, 0.015))
    assert bent["status"] == "done"
    width = [row["resistance_ohm_high"] / row["resistance_ohm_low"] for row in (straight, bent)]
    assert width[1] - 1 > 3 * (width[0] - 1)


def test_steps_that_only_rise_do_not_tell_a_drift():
    table = virtual.staircase(3.0, 1, steps=(10.0, 20.0, 30.0, 40.0, 50.0, 60.0))[0]
    row: Any = staircase.staircases(table).table.iloc[0]
    assert np.isnan(row["drift_uA"])
    assert "go up and down" in row["reason"]


def test_an_electron_blocking_staircase_gives_the_ionic_conductivity_less_its_separator():
    table, truth = virtual.staircase(3.0, 4, noise=0.001)
    read = 1.0 * float(table["area_cm2"].iloc[0])
    current = table["current_uA"] * truth["resistance_ohm"] / (truth["resistance_ohm"] + 1.0)
    found_ = staircase.staircases(table.assign(blocking="electron", current_uA=current,
                                               series_ohm_cm2=read))
    row = found_.table.iloc[0]
    assert "electronic_mS_cm" not in found_.table
    assert row["resistance_ohm"] == pytest.approx(truth["resistance_ohm"], rel=0.01)
    sd = row["ionic_mS_cm_sd"] / row["ionic_mS_cm"]
    assert abs(np.log(row["ionic_mS_cm"] / 3.0)) < 3.5 * sd


def test_staircase_and_spectrum_of_one_cell_agree():
    """As the source compares them: direct current gives the open rail alone."""
    of = virtual.material(10.0, 31)
    made = virtual.simulate(10.0, 900, made_of=of)
    row = cells.conductivities(made.table, draws=2000).table.iloc[0]
    table = virtual.staircase(made.electronic, 5)[0]
    direct = staircase.staircases(table).table.iloc[0]
    apart = np.log(row["electronic_mS_cm"] / direct["electronic_mS_cm"])
    sd = np.hypot(row["electronic_mS_cm_sd"] / row["electronic_mS_cm"],
                  direct["electronic_mS_cm_sd"] / direct["electronic_mS_cm"])
    assert abs(apart) < 3.5 * sd


@pytest.mark.parametrize(("change", "told"), [
    (lambda t: t.drop(columns="current_uA"), "current_uA.*missing"),
    (lambda t: t.iloc[:4], "at least 5"),
    (lambda t: t.assign(current_uA=-t["current_uA"]), "do not rise with the voltage"),
    (lambda t: t.assign(voltage_step_mV=[10.0, 20.0] * 7), "at least three"),
    (lambda t: t.assign(thickness_um=np.where(t.index < 5, 80.0, 90.0)), "two cells without"),
    (lambda t: t.assign(current_uA=[None, *t["current_uA"].iloc[1:]]), "this cell is empty")])
def test_a_bad_staircase_is_told_where_and_how_to_mend_it(change, told):
    with pytest.raises(TableError, match=told):
        staircase.staircases(change(virtual.staircase(3.0, 1)[0]))


def test_staircases_of_several_cells_are_told_apart():
    table = pd.concat([virtual.staircase(s, k, cell=f"c{k}", batch="b")[0]
                       for k, s in enumerate((1.0, 5.0))], ignore_index=True)
    answer = staircase.staircases(table)
    assert list(answer.table["cell"]) == ["c0", "c1"]
    np.testing.assert_allclose(answer.table["electronic_mS_cm"], [1.0, 5.0], rtol=0.15)
    assert set(answer.draws) == {0, 1}
