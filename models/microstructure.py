"""Microstructure between milling and capacity: porosity, crystallites, strain, conductivities.

Each is a marker of what the capacity feels: porosity and conduction of the contacts that milling
has formed, crystallite size and lattice strain of the damage. A table that has readings of one
lets it inform the same fit; without readings it is left out of the sampler and predicted from its
prior. The published trends give signs only: their values stand in figures.

Source: Frankenberg et al., Small (2025), doi 10.1002/smll.202507279, lines 152-200.
"""

from __future__ import annotations

from typing import Any

from .engine import Inputs, Outcome, namespace

SIGNS = "doi 10.1002/smll.202507279, signs only (lines 152-200); values stand in figures"
MARKERS = (
    Outcome("porosity", optional=True),
    Outcome("crystallite_nm", "LogNormal", optional=True),
    Outcome("strain_pct", "LogNormal", optional=True),
    Outcome("ionic_mS_cm", "LogNormal", optional=True),
    Outcome("electronic_mS_cm", "LogNormal", optional=True),
)


def crystallite_size(damage: Any, start: Any, fall: Any) -> Any:
    """Electrolyte crystallite size (nm): start (1 + D)^-fall, from damage D (1)."""
    xp = namespace(damage, start, fall)
    return start * xp.exp(-fall * xp.log1p(damage))


def lattice_strain(ln_stress_energy: Any, ln_stress_number: Any, base: Any, scale: Any,
                   threshold: Any, energy_exponent: Any, number_exponent: Any) -> Any:
    """Lattice strain of the active material (%), which needs hard *and* many collisions.

    s = s_0 + k (max(0, SE - SE*) / 30)^a (SN / e)^b with stress energy and number relative to
    200 rpm, 5 min; ``threshold`` is SE*, ``base`` s_0 and ``scale`` k in %.
    """
    xp = namespace(ln_stress_energy, ln_stress_number, scale, threshold)
    excess = xp.maximum(xp.exp(ln_stress_energy) - threshold, 1e-6) / 30.0
    growth = energy_exponent * xp.log(excess) + number_exponent * (ln_stress_number - 1.0)
    return base + scale * xp.exp(xp.clip(growth, -30.0, 6.0))


def microstructure(x: Inputs, contact: Any, damage: Any, ln_transport: Any, ln_se: Any,
                   ln_sn: Any, damage_se: Any, damage_sn: Any) -> None:
    """Declare the markers that are wanted; all arguments are tensors over rows."""
    import pytensor.tensor as pt

    if x.wants("porosity"):
        loose = x.prior("porosity_loose", "Beta", 20.0, 32.0, unit="1",
                        meaning="porosity of a barely milled pellet",
                        source="cold-pressed powders, 0.3 to 0.5")
        drop = x.prior("porosity_drop", "HalfNormal", 0.12, unit="1", source=SIGNS,
                       meaning="fall of porosity when contacts are complete")
        x.observe("porosity", "Normal", mu=loose - drop * contact, sigma=0.015)
    if x.wants("crystallite_nm"):
        start = x.prior("crystallite_start", "LogNormal", 50.0, 0.4, unit="nm", source=SIGNS,
                        meaning="electrolyte crystallite size before damage")
        fall = x.prior("crystallite_fall", "LogNormal", 0.5, 0.6, source=SIGNS,
                       meaning="fall of ln crystallite size with ln(1 + damage)")
        x.observe("crystallite_nm", "LogNormal", mu=crystallite_size(damage, start, fall),
                  sigma=0.08)
    if x.wants("strain_pct"):
        base = x.prior("strain_base", "LogNormal", 0.15, 0.6, unit="%", source=SIGNS,
                       meaning="lattice strain of unmilled active material")
        scale = x.prior("strain_scale", "LogNormal", 0.3, 0.8, unit="%", source=SIGNS,
                        meaning="strain gained at hard and many collisions")
        threshold = x.prior("strain_threshold", "LogNormal", 6.0, 0.8, source=SIGNS,
                            meaning="relative stress energy below which no strain is stored")
        strain = lattice_strain(ln_se, ln_sn, base, scale, threshold, damage_se, damage_sn)
        x.observe("strain_pct", "LogNormal", mu=strain, sigma=0.1)
    if x.wants("ionic_mS_cm"):
        bulk = x.prior("ionic_full_contact", "LogNormal", 0.3, 0.8, unit="mS/cm", source=SIGNS,
                       meaning="ionic conductivity at full contact without damage")
        power = x.prior("ionic_transport_power", "LogNormal", 0.7, 0.4, source=SIGNS,
                        meaning="growth of ln conductivity with ln transport")
        fallen = pt.exp(power * pt.maximum(ln_transport, -14.0))
        x.observe("ionic_mS_cm", "LogNormal", mu=bulk * fallen, sigma=0.15)
    if x.wants("electronic_mS_cm"):
        start = x.prior("electronic_start", "LogNormal", 5.0, 1.2, unit="mS/cm", source=SIGNS,
                        meaning="electronic conductivity of a barely milled composite")
        fall = x.prior("electronic_fall", "HalfNormal", 1.5, source=SIGNS,
                       meaning="fall of ln conductivity when contacts are complete")
        saturating = damage / (1.0 + damage)
        x.observe("electronic_mS_cm", "LogNormal",
                  mu=start * pt.exp(-fall * contact - 0.5 * saturating), sigma=0.2)
