"""From one material to another: how far what was learned on one may be off for the next.

A model's ``material`` says what its published data were measured on, in parts ``role: name``. Two
materials differ where both name an active material, or both an electrolyte, and the names differ
(remarks in brackets or behind a comma apart); other parts (the powder) describe. Where a chain uses
a model for another material, what it gives is multiplied by a factor for each study, ln of which
has the spread stated here. A study nobody has measured in is a new draw of it: the interval opens.
Cells of that study inform its factor: the interval closes.

The only spread between laboratories that is printed is that of conductivities: nominally equal
powders differ by 35 to 50 % (relative standard deviation), an sd of ln of 0.34 to 0.47. It is the
least that another material can differ by. The others are assumptions, and say so.

Source: round robin of thiophosphates, Ohno et al., ACS Energy Lett. 5 (2020) 910, as printed in
Alabdali et al., Batteries & Supercaps (2024), line 208.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .engine import Prior

COMPARED = ("active", "electrolyte")
"""Roles whose names make one material another."""
ROUND_ROBIN = (0.35, 0.50)
"""Relative standard deviations of conductivities between laboratories, as printed."""


def sd_of_ln(relative_sd: float) -> float:
    """Standard deviation of ln of a log-normal quantity from its relative standard deviation."""
    return float(np.sqrt(np.log1p(relative_sd**2)))


@dataclass(frozen=True)
class Spread:
    """Spread of a quantity between studies of unlike materials.

    Attributes
    ----------
    sd, sd_ln
        Median and sd of ln of the standard deviation of ln(quantity); 0 for none.
    source
        Where it comes from, or that it is assumed and why.
    """

    sd: float
    sd_ln: float
    source: str

    def prior(self, outcome: str) -> Prior:
        """Prior of the standard deviation."""
        return Prior("LogNormal", (self.sd, self.sd_ln), "1",
                     f"sd of ln {outcome} between studies of other materials", self.source)


_LOW, _HIGH = (sd_of_ln(r) for r in ROUND_ROBIN)
CONDUCTIVITY = Spread(
    float(np.sqrt(_LOW * _HIGH)), float(np.log(_HIGH / _LOW) / (2 * 1.645)),
    "round robin of sulfide electrolytes, relative sd 35 to 50 %, sd of ln 0.34 to 0.47 (Ohno et "
    "al. 2020, printed in Alabdali et al. 2024, line 208) as 90 % interval")
SPREADS: dict[str, Spread] = {
    "conductivity_mS_cm": CONDUCTIVITY,
    "ionic_mS_cm": CONDUCTIVITY,
    "electronic_mS_cm": CONDUCTIVITY,
    "capacity_mAh_g": Spread(
        0.15, 0.3, "assumed: capacities of nickel-rich oxides over one window differ by 10 %, "
        "utilizations of composites (74 to 95 %, mixing study, line 913) by as much"),
    "utilization": Spread(
        0.08, 0.3, "assumed: 74 to 95 % over the composites of one laboratory (mixing study, line "
        "913)"),
    "relative_density": Spread(
        0.03, 0.3, "assumed: sulfides pressed alike end within a few percent of each other"),
    "specific_energy_J_g": Spread(
        0.0, 0.0, "none: what a mill takes up depends on its beads and speed; mills have effects "
        "of their own"),
    "cell_energy_Wh_kg": Spread(
        0.03, 0.3, "assumed: mean voltages of layered oxides differ by 0.1 V in 3.8 V; masses are "
        "weighed"),
}
"""Spread between studies by outcome; ``ANY`` for all others."""
ANY = Spread(0.3, 0.4, "assumed: nobody has compared laboratories; a factor of 1.35 either way")


class MaterialError(ValueError):
    """A material that is not written as parts ``role: name``."""


def parts(material: str) -> dict[str, str]:
    """Roles of a material: ``"active: A; electrolyte: B"`` as a dictionary.

    Raises
    ------
    MaterialError
        If a part has no role, or a role is named twice.
    """
    found: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in material.split(";"))):
        role, colon, name = (piece.strip() for piece in part.partition(":"))
        if not (colon and role and name):
            raise MaterialError(
                f"material {material!r}: {part!r} names no role; write it as 'active: ...; "
                "electrolyte: ...' (a role that does not matter may be left out)")
        if role in found:
            raise MaterialError(f"material {material!r} names its {role} twice")
        found[role] = name
    return found


def differs(learned_on: str, used_for: Mapping[str, str]) -> list[str]:
    """Sentences on the roles in which a model's material is not the one it is used for."""
    own = parts(learned_on)
    return [f"{role} {own[role]}, used for {used_for[role]}" for role in COMPARED
            if role in own and role in used_for and _plain(own[role]) != _plain(used_for[role])]


def _plain(name: str) -> str:
    """A name without its remarks: what stands behind a comma or in brackets."""
    return "".join(name.lower().split("(")[0].split(",")[0].split())


def spread_of(outcome: str) -> Spread:
    """Spread of an outcome between studies of unlike materials."""
    return SPREADS.get(outcome, ANY)
