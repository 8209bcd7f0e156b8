"""Impedance of a solid-state cell as an equivalent circuit: R-(RQ)-(RQ)-Q, in real arithmetic.

    Z(w) = R_0 + R_1 / (1 + (j w tau_1)^a_1) + R_2 / (1 + (j w tau_2)^a_2) + 1 / (Q (j w)^a_Q)

R_0 is the separator, the arc of short time constant the cathode, that of long time constant the
anode, and the last Q what goes on into the electrodes at low frequency. An RQ element, R beside a
constant-phase element 1 / (Q (j w)^a), is an arc with tau = (R Q)^(1/a). Resistances are in ohm
cm2 (measured ohm times cell area), frequencies in Hz, time constants in s.

The source prints the circuit and not its element equations; the constant-phase element here is the
usual one. Source: Kissel (2025), doctoral thesis, lines 2116-2118 and 2185.
"""

from __future__ import annotations

from typing import Any

from .engine.arrays import namespace

HALF_PI = 1.5707963267948966
TWO_PI = 6.283185307179586


def arc(frequency: Any, resistance: Any, ln_tau: Any, exponent: Any) -> tuple[Any, Any]:
    """Real and imaginary part of an RQ element.

    Parameters
    ----------
    frequency : array
        Hz.
    resistance : array
        Diameter of the arc, ohm cm2.
    ln_tau : array
        Logarithm of its time constant in s.
    exponent : array
        Exponent of the constant-phase element: 1 is a capacitor and a half-circle.

    Returns
    -------
    real, imaginary : array
        ohm cm2; the imaginary part is negative (capacitive).
    """
    xp = namespace(frequency, resistance, ln_tau, exponent)
    x = xp.exp(exponent * (xp.log(TWO_PI * frequency) + ln_tau))
    across, along = x * xp.cos(HALF_PI * exponent), x * xp.sin(HALF_PI * exponent)
    size = resistance / ((1.0 + across) ** 2 + along**2)
    return size * (1.0 + across), -size * along


def constant_phase(frequency: Any, size: Any, exponent: Any) -> tuple[Any, Any]:
    """Real and imaginary part of 1 / (Q (j w)^a), ``size`` being 1 / Q (ohm cm2 at 1 rad/s)."""
    xp = namespace(frequency, size, exponent)
    z = size * xp.exp(-exponent * xp.log(TWO_PI * frequency))
    return z * xp.cos(HALF_PI * exponent), -z * xp.sin(HALF_PI * exponent)


def impedance(
    frequency: Any, separator: Any, cathode: Any, anode: Any, ln_tau: Any, ln_ratio: Any,
    cathode_exponent: Any, anode_exponent: Any, tail: Any, tail_exponent: Any,
) -> tuple[Any, Any]:
    """Real and imaginary part (ohm cm2) of the whole circuit.

    Parameters
    ----------
    frequency : array
        Hz.
    separator, cathode, anode, tail : array
        R_0, R_1, R_2 in ohm cm2, and 1 / Q in ohm cm2 at 1 rad/s.
    ln_tau : array
        Logarithm of the cathode arc's time constant in s.
    ln_ratio : array
        ln(tau_2 / tau_1), positive: the arcs are ordered by frequency, whatever the values.
    cathode_exponent, anode_exponent, tail_exponent : array
        Exponents of the three constant-phase elements.
    """
    first = arc(frequency, cathode, ln_tau, cathode_exponent)
    second = arc(frequency, anode, ln_tau + ln_ratio, anode_exponent)
    last = constant_phase(frequency, tail, tail_exponent)
    return separator + first[0] + second[0] + last[0], first[1] + second[1] + last[1]
