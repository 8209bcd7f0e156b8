"""Electrons and ions in a matrix of electrolyte and carbon black, and in a composite with it.

Electrons have two paths in parallel: contacts between the grains of active material, and the
carbon in the matrix, which conducts once its volume share v (pores counted) exceeds v_c:

    sigma_e = sigma_c phi_a^2 + phi_m^b [sigma_b + sigma_n ((v - v_c) / (1 - v_c))^t].

Without the first path a composite without carbon would not conduct at all, and it does. Ions move
in the electrolyte, whose share of the whole volume is phi_s; carbon costs them more than its
volume does:

    sigma_i = sigma_0 phi_s^alpha exp(-kappa v).

phi_a and phi_m are the volume shares of active material and of the porous matrix; a pellet of the
matrix has phi_m = 1. In a shell thinner than the aggregates of the carbon (some 250 nm) a network
should form at less carbon, v_c exp(-shift / (1 + s / 250 nm)). No published number lies between
thick pellets and thin shells: the shift is a one-sided prior and nothing else.

Conductivities are reported and never searched for: they do not go with the capacity of cells
(lines 1343, 1372).

Source: Kissel (2025), doctoral thesis, lines 1319-1343; powers of shares: effective-medium rules
with free exponents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .engine import namespace
from .shell import THESIS, carbon_share, coating_thickness, volume_shares

if TYPE_CHECKING:
    from .engine import Inputs

AGGREGATE_NM = 250.0
"""Median size of the carbon black's aggregates, nm (line 1185)."""
ROUNDING = 0.05
"""Width of the rounded foot of the network's onset, as a share of the threshold."""
CONTACT_POWER = 2.0
"""Exponent of the active material's volume share in the contact path; a universal network."""


def network_excess(carbon: Any, threshold: Any) -> Any:
    """(v - v_c) / (1 - v_c) above the threshold, next to nothing below it, smooth between.

    Parameters
    ----------
    carbon, threshold
        Volume share v of carbon in the porous matrix, and v_c (1).
    """
    xp = namespace(carbon, threshold)
    u = xp.clip((carbon / threshold - 1.0) / ROUNDING, -30.0, 1e6)
    above = xp.maximum(u, 0.0) + xp.log1p(xp.exp(-xp.abs(u)))
    return ROUNDING * threshold * above / (1.0 - threshold)


def matrix_electronic(carbon: Any, threshold: Any, exponent: Any, network: Any,
                      blocked: Any) -> Any:
    """Electronic conductivity of the porous matrix, in the unit of ``network``.

    Parameters
    ----------
    carbon, threshold
        Volume share of carbon in the porous matrix, and that at which a network forms (1).
    exponent
        t: growth above the threshold; 2 for a random network, less where aggregates touch.
    network
        Conductivity of the carbon on the scale of v = 1.
    blocked
        Conductivity without a network.
    """
    xp = namespace(carbon, threshold, exponent, network)
    return blocked + network * xp.exp(exponent * xp.log(network_excess(carbon, threshold)))


def effective_threshold(threshold: Any, shift: Any, thickness: Any) -> Any:
    """Threshold in a shell of a thickness (nm): lower where the shell is thin, never higher."""
    xp = namespace(threshold, shift, thickness)
    return threshold * xp.exp(-shift / (1.0 + thickness / AGGREGATE_NM))


def composite_electronic(active: Any, matrix: Any, contact: Any, in_matrix: Any,
                         matrix_power: Any) -> Any:
    """Electronic conductivity of a composite: both paths in parallel, in one unit.

    Parameters
    ----------
    active, matrix
        Volume shares of active material and porous matrix (1), the latter above 0.
    contact
        Conductivity of the contact path on the scale of a share of 1.
    in_matrix
        Conductivity of the matrix.
    matrix_power
        b: what the winding way of thin shells costs.
    """
    xp = namespace(active, matrix, contact, in_matrix, matrix_power)
    return contact * active**CONTACT_POWER + in_matrix * xp.exp(matrix_power * xp.log(matrix))


def ionic(electrolyte: Any, carbon: Any, bulk: Any, exponent: Any, blocking: Any) -> Any:
    """Ionic conductivity, in the unit of ``bulk``.

    Parameters
    ----------
    electrolyte
        Volume share of electrolyte in the pellet, pores counted (1), above 0.
    carbon
        Volume share of carbon in the porous matrix (1).
    bulk
        Conductivity of the dense electrolyte.
    exponent
        alpha; 1.5 is Bruggeman's rule, which is ten times too high here.
    blocking
        kappa: fall of ln conductivity per volume share of carbon, beyond the volume it takes.
    """
    xp = namespace(electrolyte, carbon, bulk, exponent, blocking)
    return bulk * xp.exp(exponent * xp.log(electrolyte) - blocking * carbon)


def matrix_porosity(ratio: Any, without: Any, gain: Any, onset: Any) -> Any:
    """Porosity of the pressed matrix (1), rising with carbon and saturating.

    Parameters
    ----------
    ratio
        Carbon over electrolyte by mass (1).
    without, gain
        Porosity without carbon, and what much carbon adds.
    onset
        Ratio at which 63 % of the gain is reached.
    """
    xp = namespace(ratio, without, gain, onset)
    return without - gain * xp.expm1(-((ratio / onset) ** 2))


def porosity(x: Inputs, ratio: Any) -> Any:
    """Porosity of the pressed matrix over rows; its readings are those of matrix pellets."""
    generic = "pressed pellets, dense to a third pores; not centred on the published pellets"
    without = x.prior("matrix_porosity", "Beta", 2.0, 30.0, unit="1", source=generic,
                      meaning="porosity of the pressed matrix without carbon")
    gain = x.prior("carbon_porosity", "Beta", 2.0, 6.0, unit="1", source=generic,
                   meaning="porosity that much carbon adds: it springs back after pressing")
    onset = x.prior("porosity_onset", "LogNormal", 0.1, 0.7, unit="1", source=generic,
                    meaning="carbon over electrolyte, by mass, at which 63 % of it is there")
    found = x.report("matrix_porosity", matrix_porosity(ratio, without, gain, onset))
    if x.wants("porosity"):
        x.observe("porosity", "Normal", mu=found, sigma=0.02)
    return found


def conduction(x: Inputs, pores: Any) -> dict[str, tuple[Any, Any]]:
    """Declare the conductivities that are wanted.

    Parameters
    ----------
    x
        The builder's inputs.
    pores
        Porosity of the matrix over rows.

    Returns
    -------
    dict
        Outcome -> median and sd of ln, for those who read bounds.
    """
    parts, carbon_parts = x["electrolyte_parts"], x["cb_parts"]
    active, matrix, electrolyte, _ = volume_shares(parts, carbon_parts, pores)
    carbon = carbon_share(parts, carbon_parts) * (1.0 - pores)
    found = {}
    if x.wants("electronic_mS_cm"):
        threshold = x.prior("percolation_threshold", "LogNormal", 0.05, 0.5, unit="1",
                            meaning="volume share of carbon in a thick matrix at which a network "
                                    "forms",
                            source="structured carbon blacks percolate at 2 to 11 %")
        exponent = x.prior("percolation_exponent", "Uniform", 0.5, 2.0,
                           meaning="growth of the network's conductivity above the threshold",
                           source="2 for a random network, less for aggregates that touch")
        network = x.prior("network_conductivity", "LogNormal", 3000.0, 1.2, unit="mS/cm",
                          meaning="conductivity of the carbon on the scale of a share of 1",
                          source="pressed carbon blacks, 0.3 to 30 S/cm")
        blocked = x.prior("blocked_conductivity", "LogNormal", 1e-3, 2.0, unit="mS/cm",
                          meaning="electronic conductivity of the matrix without a network",
                          source="order of magnitude; between the electrolyte's and a bad contact")
        contact = x.prior("contact_conductivity", "LogNormal", 0.1, 2.0, unit="mS/cm",
                          meaning="contact path between grains, on the scale of a share of 1",
                          source="nickel-rich oxides 1 to 10 mS/cm, less at contacts; two decades")
        winding = x.prior("matrix_path_exponent", "LogNormal", 2.5, 0.5,
                          meaning="exponent of the matrix's volume share in its electronic path",
                          source="1.5 for spheres (Bruggeman), more where necks are thin")
        shift = x.prior("thin_coating_shift", "HalfNormal", 0.5, unit="1",
                        meaning="fall of ln threshold in the thinnest shell; one-sided",
                        source="finite size lowers it; no published number informs it")
        spread = x.prior("electronic_sd", "LogNormal", 0.3, 0.4,
                         meaning="sd of ln of one electronic conductivity",
                         source="dispersion of carbon; no scatter is printed (line 1339)")
        lower = effective_threshold(threshold, shift, coating_thickness(parts, carbon_parts))
        in_matrix = matrix_electronic(carbon, lower, exponent, network, blocked)
        value = composite_electronic(active, matrix, contact, in_matrix, winding)
        x.observe("electronic_mS_cm", "LogNormal", mu=value, sigma=spread)
        found["electronic_mS_cm"] = (value, spread)
    if x.wants("ionic_mS_cm"):
        bulk = x.prior("ionic_bulk", "LogNormal", 1.0, 0.7, unit="mS/cm",
                       meaning="ionic conductivity of the dense electrolyte",
                       source="halides of indium and yttrium, 0.3 to 3 mS/cm")
        power = x.prior("ionic_exponent", "LogNormal", 2.2, 0.4,
                        meaning="alpha: exponent of the electrolyte's volume share",
                        source="1.5 for spheres, 2 to 4 in pressed composites")
        blocking = x.prior("ionic_blocking", "HalfNormal", 10.0, unit="1",
                           meaning="kappa: fall of ln ionic conductivity per volume share of "
                                   "carbon, beyond its volume",
                           source="0 is a carbon that only takes room; wide")
        spread = x.prior("ionic_sd", "LogNormal", 0.2, 0.4,
                         meaning="sd of ln of one ionic conductivity",
                         source=f"{THESIS}, line 1339: not strictly monotonic; none printed")
        value = ionic(electrolyte, carbon, bulk, power, blocking)
        x.observe("ionic_mS_cm", "LogNormal", mu=value, sigma=spread)
        found["ionic_mS_cm"] = (value, spread)
    return found
