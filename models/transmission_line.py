"""A composite cathode between blocking contacts, as two rails with an interface between them.

Electrons move in one rail, ions in the other; the rails have the impedances z_e and z_i per length
and the interface between them z_int times length. Contacts that stop one carrier leave its rail
without ends. With the electrode's thickness L, E = z_e L, I = z_i L and T = z_int / L, a cell that
blocks ions has

    Z = E (I + E g) / (E + I),   g = tanh(x) / x,   x^2 = (E + I) / (4 T),

and one that blocks electrons has E and I exchanged. This is the formula of the sources,

    Z = z_i z_e L / S + 2 z_e^2 z_int^(1/2) S^(-3/2) tanh((L / 2) (S / z_int)^(1/2)),

S = z_e + z_i, written so that nothing overflows. (The second source prints S^2 in place of S^(3/2):
that has the unit of ohm^(1/2) m^(1/2), changes with the unit of length, and misses the limit of
direct current.) Limits: at low frequency g -> 1 and Z -> E, the open rail alone; at high frequency
g -> 0 and both rails are in parallel. The arc between the limits is the share E / (E + I) of Z: a
rail that conducts 77 times worse than the open one is seen as 1.3 % of the impedance.

The electronic rail is a bulk resistance and the contact between active material and carbon, a
resistance beside a constant-phase element; the ionic rail is ohmic; the interface is a
constant-phase element, since no charge passes it (blocking, no faradaic reaction). In series come
cables, foils or layers of electrolyte, and the cables' inductance. Everything is per area (ohm
cm2), complex numbers are pairs (real, imaginary) so that they differentiate in all three array
libraries.

Informed by: nothing published. The source prints its spectra as figures only; no number of it is
fitted here, and no prior is centred on what it reports.

Sources: Siroma, Sato, Takeuchi, Nagai, Ota, Ioroi, J. Power Sources 316 (2016) 215 (both blocking
cells); Alabdali et al., Batteries & Supercaps (2024), doi 10.1002/batt.202400709, lines 184-195
(ion-blocking cell of a slurry-cast cathode; elements of the rails).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import circuit
from . import circuit_fit as fitting
from .engine import Factor, Inputs, LabModel, Outcome, expit
from .engine.arrays import namespace

Pair = tuple[Any, Any]
ION, ELECTRON = "ion", "electron"
BLOCKING = (ION, ELECTRON)
SERIES_COLUMN, LOW = "series_ohm_cm2", "low_frequency_ohm_cm2"

PARAMETERS: tuple[tuple[str, str, float, float, str, str, str], ...] = (
    ("total", "LogNormal", 10.0, 2.0, "ohm cm2", "resistance at direct current, series and open "
     "rail", "50 to 200 um of 0.01 to 100 mS/cm; wide"),
    ("series_logit", "Normal", 0.0, 1.0, "1", "share of the series resistance in the total, as "
     "logit, less that of the expected one", "a factor of three where it was not measured"),
    ("ratio", "LogNormal", 3.0, 2.5, "1", "electronic over ionic conductivity",
     "0.02 to 400: composites without carbon and with much of it"),
    ("contact_logit", "Normal", -1.0, 1.5, "1",
     "share of contacts in the electronic rail's resistance, as logit", "2 to 88 %"),
    ("line_ln_tau", "Normal", -6.0, 2.5, "ln s", "logarithm of the line's time constant",
     "10 uF/cm2 on some 1000 cm2/cm3 of interface behind 1 to 1000 ohm cm2"),
    ("line_logit", "Normal", 1.0, 1.0, "1",
     "exponent of the interface's constant-phase element, as logit of 2 a - 1", "0.65 to 0.97"),
    ("ln_lag", "LogNormal", 4.5, 0.8, "1", "logarithm of the line's time constant over that of "
     "the contacts", "contacts are a small part of interface and resistance, so shorter: a factor "
     "of 3 to a million, as for the arcs of ``circuit_fit``"),
    ("contact_exponent_logit", "Normal", 1.0, 1.0, "1",
     "exponent of the contacts' constant-phase element, as logit of 2 a - 1", "0.65 to 0.97"),
    ("inductance", "LogNormal", 0.2, 1.0, "uH", "inductance of the cables", "0.2 to 1 m of cable"),
    ("noise", "LogNormal", 0.01, 0.7, "1", "relative standard deviation of either part",
     "potentiostats state 0.3 to 3 %"),
)
"""Name, family, location (median), width, unit, meaning, source."""
NAMES = tuple(row[0] for row in PARAMETERS)
SERIES = {ION: 0.05, ELECTRON: 20.0}
"""Expected series resistance in ohm cm2: cables and foils; two layers of electrolyte."""
SERIES_READING = 0.02
"""Relative error of a series resistance that was measured apart, beside a stated one."""


# --- arithmetic of pairs


def product(a: Pair, b: Pair) -> Pair:
    """(real, imaginary) of a b."""
    return a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]


def quotient(a: Pair, b: Pair) -> Pair:
    """(real, imaginary) of a / b."""
    size = b[0] ** 2 + b[1] ** 2
    return (a[0] * b[0] + a[1] * b[1]) / size, (a[1] * b[0] - a[0] * b[1]) / size


def root(a: Pair) -> Pair:
    """Square root in the right half-plane, of a number there (real part above zero)."""
    xp = namespace(*a)
    real = xp.sqrt(0.5 * (xp.sqrt(a[0] ** 2 + a[1] ** 2) + a[0]))
    return real, 0.5 * a[1] / real


def tangent(a: Pair) -> Pair:
    """tanh(a) for a real part of zero or more; no exponential of it can overflow."""
    xp = namespace(*a)
    small = xp.exp(-2.0 * a[0])
    turn = 2.0 * a[1]
    below = 1.0 + small**2 + 2.0 * small * xp.cos(turn)
    return -xp.expm1(-4.0 * a[0]) / below, 2.0 * small * xp.sin(turn) / below


# --- the line


def line(open_rail: Pair, blocked_rail: Pair, interface: Pair) -> Pair:
    """Impedance of an electrode whose contacts stop one of the two carriers.

    Parameters
    ----------
    open_rail, blocked_rail : pair of arrays
        z L of the rail that the contacts feed, and of the other one (ohm cm2).
    interface : pair of arrays
        z_int / L (ohm cm2).

    Returns
    -------
    real, imaginary : array
        ohm cm2.
    """
    whole = open_rail[0] + blocked_rail[0], open_rail[1] + blocked_rail[1]
    square = quotient(whole, interface)
    x = root((0.25 * square[0], 0.25 * square[1]))
    share = quotient(tangent(x), x)
    both = product(open_rail, share)
    return quotient(product(open_rail, (blocked_rail[0] + both[0], blocked_rail[1] + both[1])),
                    whole)


def blocking_impedance(z_e: Any, z_ion: Any, z_int: Any, thickness: Any,
                       blocking: str = ION) -> Any:
    """The formula as the sources write it, in any units that belong together.

    Parameters
    ----------
    z_e, z_ion : array
        Impedance of the electronic and the ionic rail per length (ohm/m), real or complex.
    z_int : array
        Impedance of the interface times length (ohm m).
    thickness : array
        Of the electrode (m).
    blocking
        ``"ion"`` or ``"electron"``: which carrier the contacts stop.

    Returns
    -------
    array
        Complex impedance (ohm).

    Raises
    ------
    ValueError
        If ``blocking`` is neither.
    """
    if blocking not in BLOCKING:
        raise ValueError(f"blocking is {blocking!r}; the contacts stop {' or '.join(BLOCKING)}")
    xp = namespace(z_e, z_ion, z_int, thickness)
    first, second = ((xp.real(z) * thickness, xp.imag(z) * thickness) for z in (z_e, z_ion))
    if blocking == ELECTRON:
        first, second = second, first
    real, imaginary = line(first, second,
                           (xp.real(z_int) / thickness, xp.imag(z_int) / thickness))
    return real + 1j * imaginary


def areal_resistance(thickness_um: Any, conductivity_mS_cm: Any) -> Any:
    """L / sigma in ohm cm2 from um and mS/cm."""
    return 0.1 * thickness_um / conductivity_mS_cm


def conductivity_mS_cm(thickness_um: Any, resistance_ohm: Any, area_cm2: Any) -> Any:
    """sigma = L / (R A) in mS/cm, from um, ohm and cm2 (line 197)."""
    return 0.1 * thickness_um / (resistance_ohm * area_cm2)


def mS_cm(siemens_per_metre: Any) -> Any:
    """A conductivity of S/m in mS/cm: ten times the number."""
    return 10.0 * siemens_per_metre


def exponents(contact_logit: Any, interface_logit: Any) -> tuple[Any, Any]:
    """Exponents of the two constant-phase elements, from unbounded numbers."""
    least = fitting.LEAST_EXPONENT
    return (least + (1.0 - least) * expit(contact_logit),
            least + (1.0 - least) * expit(interface_logit))


def rails(total: Any, series_share: Any, ratio: Any, electron_blocking: Any) -> tuple[
        Any, Any, Any]:
    """Series resistance and direct-current resistances of the electronic and the ionic rail.

    Parameters
    ----------
    total : array
        Resistance at direct current (ohm cm2).
    series_share : array
        Share of it in series with the electrode (0 to 1).
    ratio : array
        Electronic over ionic conductivity.
    electron_blocking : array
        1 where the contacts stop electrons, 0 where they stop ions.

    Returns
    -------
    series, electronic, ionic : array
        ohm cm2.
    """
    opened = total * (1.0 - series_share)
    electronic = opened * (1.0 + electron_blocking * (1.0 / ratio - 1.0))
    return total * series_share, electronic, electronic * ratio


def blocking_cell(
    frequency: Any, electron_blocking: Any, electronic: Any, ionic: Any, contact_share: Any,
    contact_ln_tau: Any, contact_exponent: Any, line_ln_tau: Any, line_exponent: Any, series: Any,
    inductance: Any,
) -> Pair:
    """Real and imaginary part (ohm cm2) of a cell with blocking contacts.

    Parameters
    ----------
    frequency : array
        Hz.
    electron_blocking : array
        1 where the contacts stop electrons, 0 where they stop ions.
    electronic, ionic : array
        Resistance of each rail over the thickness, L / sigma (ohm cm2); the electronic one at
        direct current.
    contact_share : array
        Share of the contacts in the electronic rail's resistance (0 to 1).
    contact_ln_tau, contact_exponent : array
        Logarithm of the contacts' time constant in s, and the exponent of their constant-phase
        element.
    line_ln_tau, line_exponent : array
        Logarithm of the line's time constant tau in s, and the interface's exponent b:
        x^2 = (j w tau)^b at direct-current rails, so z_int / L = (E + I) / (4 (j w tau)^b).
    series : array
        Resistance in series, ohm cm2.
    inductance : array
        Of the cables times the cell's area, uH cm2.
    """
    xp = namespace(electronic, ionic, line_ln_tau, line_exponent)
    arc = circuit.arc(frequency, electronic * contact_share, contact_ln_tau, contact_exponent)
    electrons = electronic * (1.0 - contact_share) + arc[0], arc[1]
    swap = electron_blocking
    first = electrons[0] + swap * (ionic - electrons[0]), (1.0 - swap) * electrons[1]
    second = ionic + swap * (electrons[0] - ionic), swap * electrons[1]
    size = 0.25 * (electronic + ionic) * xp.exp(-line_exponent * line_ln_tau)
    real, imaginary = line(first, second, circuit.constant_phase(frequency, size, line_exponent))
    return real + series, imaginary + circuit.TWO_PI * 1e-6 * frequency * inductance


def interface_ohm_cm3(electronic: Any, ionic: Any, line_ln_tau: Any, line_exponent: Any,
                      thickness_um: Any) -> Any:
    """|z_int| times area at 1 rad/s (ohm cm3) of rails in ohm cm2; 1 / (F/cm3) if capacitive."""
    xp = namespace(electronic, ionic, line_ln_tau, line_exponent)
    size = 0.25 * (electronic + ionic) * xp.exp(-line_exponent * line_ln_tau)
    return size * 1e-4 * thickness_um


# --- one spectrum as a model


def expected_logit(resistance: Any, electron_blocking: Any) -> Any:
    """Logit of the expected series resistance over the total, in ohm cm2.

    Parameters
    ----------
    resistance : array
        Real part at the lowest frequency, ohm cm2; above 0.
    electron_blocking : array
        1 where the contacts stop electrons, 0 where they stop ions.
    """
    xp = namespace(resistance, electron_blocking)
    series = SERIES[ION] + electron_blocking * (SERIES[ELECTRON] - SERIES[ION])
    share = xp.clip(series / resistance, 1e-6, 0.9)
    return xp.log(share / (1.0 - share))


def prepare(rows: Any, fitting_rows: bool) -> tuple[Any, list[str]]:
    """The kind of cell as a number, its impedance at low frequency, its series resistance once."""
    rows = rows.copy()
    if "blocking" in rows:
        kind = rows["blocking"].where(rows["blocking"].notna(), ION)
        rows["blocking"] = kind.eq(ELECTRON).astype(float)
    if not fitting_rows:
        return rows, []
    if LOW not in rows and "z_re_ohm" in rows:
        slowest = rows.loc[rows["frequency_of_signal_Hz"].idxmin()]
        rows[LOW] = max(float(slowest["z_re_ohm"]) * float(slowest["area_cm2"]), 1e-6)
    if SERIES_COLUMN in rows:  # one reading of the cell, not one of every frequency
        rows[SERIES_COLUMN] = rows[SERIES_COLUMN].where(np.arange(len(rows)) == 0)
    return rows, []


def build(x: Inputs) -> None:
    """One spectrum: ten parameters, two outcomes a frequency.

    The share of the series resistance is seen against ``low_frequency_ohm_cm2``, which a fit takes
    from its spectrum; settings of a prediction must name it.
    """
    import pytensor.tensor as pt

    given = {name: x.prior(name, family, location, width, unit=unit, meaning=meaning,
                           source=source)
             for name, family, location, width, unit, meaning, source in PARAMETERS}
    swap, area, um = x["blocking"], x["area_cm2"], x["thickness_um"]
    share = expit(given["series_logit"] + expected_logit(x[LOW], swap))
    series, electronic, ionic = rails(given["total"], share, given["ratio"], swap)
    contact, line_exponent = exponents(given["contact_exponent_logit"], given["line_logit"])
    line_ln_tau = given["line_ln_tau"]
    real, imaginary = blocking_cell(
        x["frequency_of_signal_Hz"], swap, electronic, ionic, expit(given["contact_logit"]),
        line_ln_tau - given["ln_lag"], contact, line_ln_tau, line_exponent, series,
        given["inductance"] * area)
    noise = given["noise"] * pt.sqrt(real**2 + imaginary**2) / area
    x.observe("z_re_ohm", "Normal", mu=real / area, sigma=noise)
    x.observe("z_im_ohm", "Normal", mu=imaginary / area, sigma=noise)
    x.observe(SERIES_COLUMN, "LogNormal", mu=series, sigma=SERIES_READING)
    x.report("electronic_conductivity", 0.1 * um / electronic)
    x.report("ionic_conductivity", 0.1 * um / ionic)


MODEL = LabModel(
    name="transmission_line",
    build=build,
    factors=(Factor("frequency_of_signal_Hz", level="row"), Factor("area_cm2", level="cell"),
             Factor("thickness_um", level="cell"), Factor("blocking", 0.0, "cell"),
             Factor(LOW, PARAMETERS[0][2], "cell")),
    groups=(),
    outcomes=(Outcome("z_re_ohm", alike=("spectrum",)), Outcome("z_im_ohm", alike=("spectrum",)),
              Outcome(SERIES_COLUMN, "LogNormal", alike=("spectrum",))),
    prepare=prepare,
    what="Electronic and ionic conductivity from one spectrum of a blocking cell (two rails and "
         "their interface); informed by: nothing published",
    source="Siroma et al., J. Power Sources 316 (2016) 215; Alabdali et al. (2024), "
           "doi 10.1002/batt.202400709, lines 184-195",
)
