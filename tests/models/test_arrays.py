"""The physics is written once: floats, NumPy, pandas, JAX and PyTensor give the same answer."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytensor.tensor as pt
import pytest
from pytensor.compile.maker import function as compile_function
from pytensor.gradient import grad as gradient_of
from ssbayes.models import (
    activation_volume,
    agglomerates,
    annealing_kinetics,
    capacity,
    carbon_network,
    cell,
    circuit,
    compaction,
    composition,
    conduction,
    courses,
    desirability,
    fading,
    interphase,
    mechanofusion,
    microstructure,
    milling,
    networks,
    particle_sizes,
    powder,
    quality,
    shell,
    slurry,
    slurry_recipe,
    transmission_line,
    transport_bounds,
)
from ssbayes.models.engine import expit, namespace, ordinal
from ssbayes.models.engine.arrays import without_gradient

jax.config.update("jax_enable_x64", True)

RPM = np.array([200.0, 400.0, 600.0, 1000.0])
TIME = np.array([300.0, 30.0, 10.0, 20.0])
BEAD = np.array([5.0, 3.0, 1.75, 5.0])
FILLING = np.array([0.12, 0.3, 0.41, 0.5])
ENERGY = np.array([8.0, 90.0, 500.0, 4700.0])
HOT = np.array([60.0, 150.0, 330.0, 700.0])
PARTS = np.array([1.0, 10.0, 20.0, 100.0])
PRESSED = np.array([90.0, 380.0, 1000.0, 1700.0])
CARBON = np.array([0.0, 0.5, 3.0, 15.0])
LN_SE = np.array([0.1, 1.8, 2.9, 4.2])
LN_SN = np.array([4.1, 0.3, 1.0, 1.8])


def several(*values):
    return tuple(np.full(4, v) for v in values)


FUNCTIONS = {
    "filling_weights": (lambda f: sum(k * w for k, w in enumerate(milling.filling_weights(f))),
                        (FILLING,)),
    "power_law": (milling.power_law, (np.log(RPM), np.log(BEAD), *several(2.6, 3.8))),
    "stress_energy_rel": (milling.stress_energy_rel, (RPM, BEAD, FILLING)),
    "stress_frequency_rel": (milling.stress_frequency_rel, (RPM, BEAD, FILLING)),
    "stress_number_rel": (milling.stress_number_rel, (RPM, TIME, BEAD, FILLING)),
    "specific_energy": (
        lambda n, t, d, f: milling.specific_energy(n, t, d, f, power_constant=2.1),
        (RPM, TIME, BEAD, FILLING)),
    "contact_formation": (capacity.contact_formation,
                          (np.log(ENERGY / 150.0), *several(0.8), LN_SE + 1.2)),
    "milling_damage": (capacity.milling_damage,
                       (np.log(ENERGY / 2000.0), LN_SE, LN_SN, *several(1.0, 0.6))),
    "rate_capability": (capacity.rate_capability,
                        (np.log([0.01, 0.2, 1.0, 20.0]), np.array([0.45, 0.5, 0.6, 0.75]))),
    "crystallite_size": (microstructure.crystallite_size,
                         (np.array([0.0, 0.1, 1.0, 9.0]), *several(50.0, 0.5))),
    "lattice_strain": (microstructure.lattice_strain,
                       (LN_SE, LN_SN, *several(0.15, 0.3, 6.0, 1.0, 0.8))),
    "logarithmic_density": (powder.logarithmic_density, (BEAD, BEAD * 1.3, TIME)),
    "porosity": (powder.porosity, (BEAD, BEAD * 1.3)),
    "ramp_hours": (annealing_kinetics.ramp_hours,
                   (HOT, *several(110.0, 2.0), np.array([2.0, 5.0, 1.0, 300.0]))),
    "ln_rate": (annealing_kinetics.ln_rate, (HOT, *several(330.0, 110.0))),
    "dose": (annealing_kinetics.dose, (HOT, *several(1.5, 330.0, 110.0, 2.0, 3.0))),
    "oxygen_factor": (annealing_kinetics.oxygen_factor,
                      (np.array([1e-3, 0.21, 0.5, 1.0]), *several(0.6))),
    "conversion": (annealing_kinetics.conversion, (np.array([0.0, 0.1, 1.0, 40.0]),)),
    "covered_share": (annealing_kinetics.covered_share,
                      (np.array([0.0, 1.0, 1.0, 2.0]), np.array([1.0, 0.9, 0.5, 0.1]),
                       np.array([0.0, 0.3, 0.9, 1.0]), np.array([0.0, 0.1, 1.0, 9.0]),
                       *several(1.2, 0.6))),
    "protection": (annealing_kinetics.protection,
                   (np.array([0.2, 0.8, 0.9, 0.1]), np.array([1e-9, 0.4, 0.9, 1.0]),
                    *several(1.3))),
    "arc": (lambda f, r, t, a: sum(circuit.arc(f, r, t, a)),
            (10 ** np.array([-1.0, 1.0, 3.0, 6.0]), *several(30.0, -9.0, 0.85))),
    "constant_phase": (lambda f, z, a: sum(circuit.constant_phase(f, z, a)),
                       (10 ** np.array([-1.0, 1.0, 3.0, 6.0]), *several(5.0, 0.7))),
    "impedance": (lambda f, *v: circuit.impedance(f, *v)[0] - 2 * circuit.impedance(f, *v)[1],
                  (10 ** np.array([-1.0, 1.0, 3.0, 6.0]),
                   *several(20.0, 30.0, 8.0, -9.0, 5.0, 0.85, 0.8, 5.0, 0.7))),
    "blocking_line": (lambda e, c, i, d, t, u: transmission_line.line((e, -c), (i, -d), (t, -u))[0]
                      - 2 * transmission_line.line((e, -c), (i, -d), (t, -u))[1],
                      (np.array([1.0, 1.0, 9.0, 2.0]), *several(0.3, 20.0, 0.1),
                       np.array([1e-9, 0.3, 5.0, 1e6]), np.array([1e-8, 2.0, 3.0, 5e6]))),
    "blocking_cell": (lambda f, *v: transmission_line.blocking_cell(f, *v)[0]
                      - 2 * transmission_line.blocking_cell(f, *v)[1],
                      (10 ** np.array([-1.0, 1.0, 3.0, 6.0]), np.array([0.0, 0.0, 1.0, 1.0]),
                       *several(1.0, 20.0, 0.3, -11.5, 0.85, -6.0, 0.9, 0.05, 0.16))),
    "rails": (lambda *v: sum(transmission_line.rails(*v)),
              (*several(2.0, 0.1), np.array([0.3, 1.0, 10.0, 77.0]),
               np.array([0.0, 1.0, 0.0, 1.0]))),
    "interface_ohm_cm3": (transmission_line.interface_ohm_cm3,
                          several(1.0, 20.0, -6.0, 0.9, 100.0)),
    "direct_conductivity": (transmission_line.conductivity_mS_cm,
                            (TIME, *several(1.0), np.array([0.5, 0.785, 1.0, 2.0]))),
    "held_resistance": (interphase.held_resistance,
                        (*several(90.0, 14.6), np.array([0.1, 1.0, 5.0, 10.0]))),
    "rested_resistance": (interphase.rested_resistance,
                          (*several(22.0, 0.5), np.array([2.0, 2.5, 3.0, 4.0]),
                           np.array([0.0, 1.0, 0.0, 1.0]), *several(0.1))),
    "potential_factor": (interphase.potential_factor,
                         (np.array([-0.01, 0.0, 0.005, 0.02]), np.array([-46.0, 5.0, 20.0, 46.0]))),
    "power_growth": (fading.power_growth, (np.array([1.0, 2.0, 20.0, 100.0]), *several(0.6))),
    "utilization_after": (fading.utilization_after,
                          (np.array([1.0, 2.0, 20.0, 100.0]), *several(2.0),
                           np.array([-0.1, -0.1, 0.05, 0.02]), *several(6.0, 0.03, 0.8))),
    "resistance_ratio": (fading.resistance_ratio,
                         (np.array([1.0, 2.0, 20.0, 100.0]), *several(0.4, 0.5))),
    "kinetic_index": (fading.kinetic_index,
                      (np.array([0.1, 0.3, 1.0, 3.0]), *several(0.8, 1.3, 0.25, 0.6))),
    "kinetic_efficiency": (fading.kinetic_efficiency,
                           (np.array([0.0, 0.1, 0.4, 2.0]), *several(0.5, 0.7))),
    "cv_share": (fading.cv_share, (np.array([0.0, 0.1, 0.4, 2.0]), *several(0.5, 0.7))),
    "walk_time": (courses.walk_time, (np.array([1.0, 2.0, 20.0, 100.0]),)),
    "part_volumes": (lambda e, x: sum(shell.part_volumes(e, x)), (PARTS, CARBON)),
    "carbon_share": (shell.carbon_share, (PARTS, CARBON)),
    "volume_shares": (lambda e, x, p: sum(shell.volume_shares(e, x, p)[1:3]),
                      (PARTS, CARBON, *several(0.2))),
    "coating_density": (shell.coating_density, (PARTS, CARBON)),
    "thesis_thickness": (shell.thesis_thickness, (PARTS, CARBON)),
    "coating_thickness": (shell.coating_thickness, (PARTS, CARBON)),
    "stress_intensity": (shell.stress_intensity, (RPM * 10, *several(0.12, 1.9))),
    "covered_share_of_mixer": (shell.covered_share, (np.array([-3.0, -1.0, 0.0, 1.3]),
                                            np.array([0.7, 0.0, -1.8, 0.7]),
                                            *several(3.0, 1.0, 0.7))),
    "visible_coverage": (shell.visible_coverage, (np.array([0.02, 0.3, 0.8, 1.0]), BEAD * 3)),
    "network_excess": (carbon_network.network_excess,
                       (np.array([0.001, 0.04, 0.06, 0.2]), *several(0.05))),
    "matrix_electronic": (carbon_network.matrix_electronic,
                          (np.array([0.001, 0.04, 0.06, 0.2]), *several(0.05, 1.1, 3e3, 1e-3))),
    "effective_threshold": (carbon_network.effective_threshold,
                            (*several(0.05, 0.4), np.array([5.0, 100.0, 250.0, 1e6]))),
    "composite_electronic": (carbon_network.composite_electronic,
                             (np.array([0.0, 0.5, 0.64, 0.7]), np.array([1.0, 0.5, 0.36, 0.3]),
                              *several(0.07), np.array([200.0, 5.0, 900.0, 0.01]),
                              *several(2.5))),
    "ionic": (carbon_network.ionic, (np.array([1.0, 0.5, 0.34, 0.3]),
                                     np.array([0.0, 0.02, 0.1, 0.16]), *several(1.0, 2.2, 10.0))),
    "matrix_porosity": (carbon_network.matrix_porosity,
                        (np.array([0.0, 0.02, 0.1, 0.15]), *several(0.03, 0.3, 0.08))),
    "carbon_effect": (mechanofusion.carbon_effect,
                      (np.log([1e-6, 0.01, 0.15, 0.4]), *several(2.0, 1.3))),
    "delivered_share": (mechanofusion.delivered_share,
                        (np.array([-2.0, 0.0, 0.4, 2.0]), *several(2.0),
                         np.array([0.0, 1.0, 6.0, 9.0]), *several(-0.1, 1.4))),
    "ln_viscosity": (slurry.ln_viscosity, (*several(-0.7), np.array([44.0, 49.0, 50.0, 56.0]),
                                           *several(0.2), np.array([-2.3, 0.0, 0.5, 2.3]),
                                           *several(0.35))),
    "viscosity": (lambda g, s, level, b, n: slurry.viscosity(
        g, s, level=level, solid_slope=b, thinning=n),
        (np.array([10.0, 40.0, 100.0, 1000.0]), np.array([44.0, 49.0, 50.0, 56.0]),
         *several(0.4, 0.2, 0.35))),
    "dry_logit": (slurry.dry_logit, (*several(0.4), np.array([-2.0, 0.0, 1.0, 2.0]), *several(-0.1),
                                     np.array([-0.3, 0.1, 0.2, 0.3]), *several(0.5),
                                     np.array([-1.0, 0.1, 0.2, 0.6]), *several(0.2))),
    "calendered_logit": (slurry.calendered_logit,
                         (*several(-0.9, 0.4), np.array([-0.5, 0.1, 0.2, 0.5]), *several(0.1, 0.5),
                          np.array([-0.7, 0.0, 0.3, 1.4]))),
    "solid_content_after": (slurry_recipe.solid_content_after,
                            (np.array([1.0, 48.0, 63.0, 99.0]), np.array([0.0, 2.0, 30.0, 900.0]),
                             *several(0.003))),
    "solvent_for": (slurry_recipe.solvent_for, (*several(5.0), np.array([30.0, 48.0, 52.0, 63.0]))),
    "extra_solvent": (lambda m, s, b, c: slurry_recipe.extra_solvent(
        m, s, binder_fraction=b, binder_solution_pct=c),
        (*several(5.0), np.array([30.0, 48.0, 52.0, 63.0]), *several(0.03, 5.0))),
    "highest_solid_content": (slurry_recipe.highest_solid_content,
                              (np.array([0.01, 0.03, 0.04, 0.1]), *several(5.0))),
    "punch_pressure": (slurry_recipe.punch_pressure, (np.array([0.1, 1.0, 1.6, 5.0]),
                                                      np.array([6.0, 10.0, 14.0, 40.0]))),
    "coating_shear_rate": (slurry_recipe.coating_shear_rate,
                           (np.array([1.0, 5.0, 10.0, 99.0]),
                            np.array([50.0, 100.0, 200.0, 300.0]))),
    "density_of": (slurry_recipe.density_of, (np.array([0.1, 0.3, 0.5, 0.7]), *several(3.055))),
    "areal_capacity": (cell.areal_capacity, (ENERGY, *several(0.7, 19.1))),
    "current_density": (cell.current_density, (BEAD, *several(200.0, 0.7, 19.1))),
    "layer_mass": (lambda t, d: cell.layer_mass(cell.layer_thickness(t, d), 2 * d),
                   (RPM, *several(1.5))),
    "separator_resistance": (cell.separator_resistance, (RPM, BEAD)),
    "mean_voltage": (cell.mean_voltage, (*several(3.8, 0.62), np.array([0.0, 0.3, 3.0, 300.0]),
                                         np.array([40.0, 90.0, 90.0, 500.0]))),
    "energy_over_mass": (cell.specific_energy, (BEAD, *several(3.2), RPM)),
    "power_over_mass": (cell.specific_power, (BEAD, *several(3.2), RPM)),
    "energy_density": (cell.energy_density, (BEAD, *several(3.2), RPM)),
    "composite_density": (cell.composite_density, (np.array([0.1, 0.5, 0.7, 1.0]),)),
    "volume_shares_of_masses": (
        lambda a, e, c, b, p: networks.volume_shares(a, e, c, b, p)[1],
        (np.array([0.5, 0.7, 0.8, 1.0]), np.array([0.5, 0.27, 0.18, 0.0]), *several(0.02, 0.01),
         np.array([0.0, 0.1, 0.2, 0.4]))),
    "mass_shares": (lambda a, e, c, b: networks.mass_shares(a, e, c, b)[0],
                    (np.array([0.5, 0.7, 0.8, 1.0]), np.array([0.5, 0.27, 0.18, 0.0]),
                     *several(0.02, 0.01))),
    "solid_density": (networks.solid_density, (np.array([0.5, 0.7, 0.8, 0.97]),
                                               np.array([0.47, 0.27, 0.17, 0.0]),
                                               *several(0.02, 0.01))),
    "surface_share": (networks.surface_share, (np.array([0.0, 0.3, 0.5, 0.8]),
                                               np.array([0.8, 0.5, 0.3, 0.1]),
                                               np.array([-1.4, 0.7, 1.4, 3.0]), *several(0.6))),
    "contacts": (networks.contacts, (np.array([0.0, 0.3, 0.5, 1.0]), *several(6.0, 0.15))),
    "percolating": (networks.percolating, (np.array([0.0, 1.5, 2.5, 8.0]), *several(5.0))),
    "touching": (networks.touching, (np.array([0.0, 0.3, 0.5, 1.0]), *several(1.4, 0.5, 6.0, 0.15),
                                     np.array([0.0, 0.4, 0.9, 1.0]))),
    "effective_ionic": (networks.effective_ionic,
                        (np.array([0.0, 0.2, 0.4, 0.9]), np.array([0.0, 0.01, 0.05, 0.0]),
                         np.array([0.0, 0.4, 0.9, 1.0]), *several(2.0, 0.9, 0.05))),
    "effective_electronic": (networks.effective_electronic,
                             (np.array([0.0, 0.2, 0.4, 0.9]), np.array([0.0, 0.01, 0.05, 0.0]),
                              np.array([0.0, 0.4, 0.9, 1.0]), *several(2.0, 3000.0))),
    "ohmic_time": (networks.ohmic_time, (np.array([0.01, 0.1, 1.0, 2.0]),
                                         np.array([1.0, 0.1, 0.01, 30.0]),
                                         np.array([10.0, 19.1, 40.0, 19.1]), *several(0.7, 2.7))),
    "relative_time": (composition.relative_time, (np.array([0.01, 0.1, 1.0, 20.0]),
                                                  *several(0.4), BEAD)),
    "delivered": (agglomerates.delivered, (TIME, *several(8.0, 0.1))),
    "grown": (agglomerates.grown, (TIME, *several(3.0, 0.02))),
    "agglomerates": (agglomerates.agglomerates, (TIME, *several(8.0, 0.1, 3.0, 0.02))),
    "doublings": (quality.doublings, (TIME,)),
    "bent": (quality.bent, (np.array([-4.5, -0.5, 0.5, 2.0]), *several(-1.0, 0.2, 0.1))),
    "best_minutes": (quality.best_minutes, (np.array([-0.3, 0.0, 0.1, 0.4]), *several(0.1))),
    "larger": (desirability.larger, (BEAD, *several(2.0, 4.5, 1.5))),
    "smaller": (desirability.smaller, (BEAD, *several(2.0, 4.5, 1.5))),
    "on_target": (desirability.on_target, (BEAD, *several(1.0, 2.5, 6.0, 1.5))),
    "cuts": (lambda *v: sum(k * c for k, c in enumerate(ordinal.cuts_from(v[1:], v[0])[:1], 1)),
             (np.array([1.5, 2.5, 4.5, 7.5]), *several(0.5, 1.0, 1.5, 0.7, 1.2, 0.9))),
    "ordered": (lambda r, m, s, a, b: ordinal.log_probability(r, m, s, [a, b, 1e4]),
                (np.array([1.0, 2.0, 3.0, 2.0]), np.array([-30.0, 0.0, 4.0, 9.0]),
                 *several(1.3, -0.8, 0.9))),
    "rank": (lambda m, s, a, b: sum(ordinal.moments(m, s, [a, b])),
             (np.array([-30.0, 0.0, 4.0, 9.0]), *several(1.3, -0.8, 0.9))),
    "pressure_factor": (activation_volume.pressure_factor,
                        (*several(1.4), np.array([0.0, 100.0, 500.0, 1700.0]), *several(25.0))),
    "pellet_compaction": (conduction.compaction,
                          (np.array([10.0, 100.0, 500.0, 1700.0]),
                           *several(1.8, 120.0, 0.3, 1000.0))),
    "of_density": (conduction.of_density, (np.array([0.55, 0.8, 0.95, 1.03]), *several(2.5))),
    "contact_resistivity": (conduction.contact_resistivity,
                            (np.array([10.0, 80.0, 300.0, 1500.0]), *several(1700.0),
                             np.array([1.0, 2.0, 3.0, 1.0]),
                             *several(500.0, 1.2, 150.0, 0.1, 1.0))),
    "thermal_factor": (conduction.thermal_factor, (np.array([-20.0, 25.5, 60.0, 100.0]),
                                                   *several(0.3))),
    "pellet_conductivity": (conduction.pellet_conductivity,
                            (*several(8.0, -0.1, 1.4), np.array([10.0, 80.0, 300.0, 1500.0]),
                             *several(25.0), np.array([500.0, 60.0, 5.0, 0.0]))),
    "wiener": (transport_bounds.wiener, (np.array([0.1, 0.36, 0.7, 1.0]), *several(1.25))),
    "hashin_shtrikman": (transport_bounds.hashin_shtrikman,
                         (np.array([0.1, 0.36, 0.7, 1.0]), *several(1.25))),
    "bruggeman": (transport_bounds.bruggeman, (np.array([0.1, 0.36, 0.7, 1.0]), *several(1.25))),
    "expit": (expit, (np.array([-40.0, -1.0, 0.0, 3.0]),)),
    "heckel_transform": (compaction.heckel_transform, (np.array([0.1, 0.5, 0.85, 0.99]),)),
    "heckel_density": (compaction.heckel_density, (np.array([0.1, 0.7, 1.9, 5.0]),)),
    "mean_yield_pressure": (compaction.mean_yield_pressure, (1.0 / PRESSED,)),
    "rearranged_share": (compaction.rearranged_share, (PRESSED, *several(420.0))),
    "yielding_share": (compaction.yielding_share,
                       (np.array([0.0, 0.2, 0.48, 0.7]), *several(1.5))),
    "pore_logarithm": (compaction.pore_logarithm,
                       (PRESSED, *several(0.7, 0.6, 420.0, 900.0, 0.4))),
    "elastic_factor": (compaction.elastic_factor, (PRESSED, *several(3e4))),
    "elastic_recovery": (compaction.elastic_recovery, (PRESSED, *several(10.0, 3e4))),
    "apparent_yield_pressure": (
        lambda *a: compaction.apparent_yield_pressure(*a[:-1], 1.0 / a[-1]),
        (PRESSED, *several(0.7, 0.6, 420.0, 1500.0, 0.9, 4e4))),
    "bulk_modulus_from_scaling": (compaction.bulk_modulus_from_scaling,
                                  (PRESSED, np.array([0.999, 0.99, 0.985, 0.98]))),
    "composite_volume_fraction": (compaction.composite_volume_fraction,
                                  (np.array([0.1, 0.5, 0.7, 0.9]), *several(4.7, 1.9))),
    "gamma_mean": (lambda a, b: particle_sizes.gamma_mean(a, b, 3, 2),
                   (np.array([0.5, 1.9, 4.0, 9.0]), *several(7.0))),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_floats_pandas_jax_and_pytensor_agree_with_numpy(name):
    function, arguments = FUNCTIONS[name]
    expected = np.asarray(function(*arguments))
    assert np.isfinite(expected).all()
    assert expected.shape == (4,)

    floats = [float(function(*(float(a[k]) for a in arguments))) for k in range(4)]
    np.testing.assert_allclose(floats, expected, rtol=1e-12)

    labels = ["a", "b", "c", "d"]
    series = function(*(pd.Series(a, index=labels) for a in arguments))
    np.testing.assert_allclose(np.asarray(series), expected, rtol=1e-12)

    traced = jax.jit(function)(*(jnp.asarray(a) for a in arguments))
    np.testing.assert_allclose(traced, expected, rtol=1e-10)
    mapped = jax.vmap(function)(*(jnp.asarray(a) for a in arguments))
    np.testing.assert_allclose(mapped, expected, rtol=1e-10)

    symbols = [pt.dvector(f"a{k}") for k in range(len(arguments))]
    compiled: Any = compile_function(symbols, function(*symbols), mode="FAST_COMPILE")
    np.testing.assert_allclose(compiled(*arguments), expected, rtol=1e-10)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_are_those_of_finite_differences(name):
    function, arguments = FUNCTIONS[name]
    at = [float(a[1]) for a in arguments]
    if name in {"filling_weights", "stress_energy_rel", "stress_frequency_rel",
                "stress_number_rel", "specific_energy"}:
        at[-1] = 0.37
    # The rate law is solved in two steps; the last one carries the gradient.
    within = 2e-3 if name == "rate_capability" else 2e-4
    gradient = jax.grad(lambda v: function(*v))(at)
    for k, value in enumerate(at):
        step = 1e-5 * max(abs(value), 1.0)
        ends = [float(function(*(v + sign * step * (j == k) for j, v in enumerate(at))))
                for sign in (1.0, -1.0)]
        slope = (ends[0] - ends[1]) / (2.0 * step)
        assert float(gradient[k]) == pytest.approx(slope, rel=within, abs=1e-8), f"argument {k}"


@pytest.mark.parametrize("name", ["rate_capability", "milling_damage", "contact_formation"])
def test_pytensor_and_jax_have_the_same_gradient(name):
    function, arguments = FUNCTIONS[name]
    symbols = [pt.dvector(f"a{k}") for k in range(len(arguments))]
    slopes = gradient_of(function(*symbols).sum(), symbols)
    compiled: Any = compile_function(symbols, slopes, mode="FAST_COMPILE")
    ours = compiled(*arguments)
    theirs = jax.grad(lambda v: function(*v).sum())([jnp.asarray(a) for a in arguments])
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("value", [1.0, np.ones(2), pd.Series([1.0])])
def test_plain_values_belong_to_numpy(value):
    assert namespace(value) is np


def test_one_symbolic_value_makes_all_symbolic():
    assert namespace(1.0, jnp.ones(2)) is jnp
    assert namespace(1.0, np.ones(2), pt.dvector("x")) is pt


def test_no_gradient_flows_even_where_the_graph_is_canonicalised_first():
    """As nutpie does, before it differentiates; PyTensor's own op for this would be lost there."""
    from pytensor.graph.rewriting.utils import rewrite_graph

    x = pt.dvector("x")
    y = (x * without_gradient(pt.exp(x))).sum()
    slope = gradient_of(rewrite_graph(y, include=["canonicalize", "stabilize"]), x)
    at = np.array([0.3, 1.2])
    for mode in ("FAST_COMPILE", "NUMBA"):
        compiled: Any = compile_function([x], slope, mode=mode)
        np.testing.assert_allclose(compiled(at), np.exp(at), rtol=1e-12)


@pytest.mark.parametrize("power", [0.4, 0.75])
def test_rate_capability_stays_a_share_at_any_index(power):
    y = capacity.rate_capability(np.linspace(-60.0, 60.0, 400), power)
    assert np.isfinite(y).all() and (y >= 0).all() and (y <= 1 + 1e-12).all()
    assert (np.diff(y) <= 1e-7).all()
