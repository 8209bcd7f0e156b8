"""What cells and fragments show of an annealed coating, beside the bare powder of their batch.

Arguments are tensors over rows: ``worth`` the protection, ``raw`` the cover of unoxidised sulfide.
Each function declares one outcome with its parameters where a table has readings of it, or a
statement may be about it, and returns the curve that statements compare.
"""

from __future__ import annotations

from typing import Any

from .engine import Inputs, Outcome, expit
from .level_statements import Curve

GENERIC = "generic: from no effect to a large one, not taken from a result"
ALIKE = ("window", "charge_mode")
OUTCOMES = (
    Outcome("growth_ohm_cm2_sqrth", "LogNormal", optional=True),
    Outcome("first_cycle_efficiency", alike=ALIKE, optional=True),
    Outcome("relative_degradation", "LogNormal", optional=True),
    Outcome("relaxation_shift_mV", "LogNormal", alike=ALIKE, optional=True),
    Outcome("charge_capacity_mAh_g", alike=(*ALIKE, "capacity_basis"), optional=True),
)


def _spread(x: Inputs, noise: Any, batch_sd: Any) -> Any:
    """SD of one reading, with the batch's own where the batch has no other reading."""
    import pytensor.tensor as pt

    return pt.sqrt(noise**2 + (x.alone("batch") * batch_sd) ** 2)


def growth(x: Inputs, worth: Any) -> None:
    """Growth of the cathode's resistance: bare growth exp(batch - strength P)."""
    import pytensor.tensor as pt

    if not x.wants("growth_ohm_cm2_sqrth"):
        return
    bare = x.prior("bare_growth", "LogNormal", 10.0, 0.8, unit="ohm cm2 h^-1/2", source=GENERIC,
                   meaning="growth of the resistance of a bare cell")
    strength = x.prior("growth_strength", "LogNormal", 0.8, 0.7, source=GENERIC,
                       meaning="fall of ln growth at full protection")
    batch_sd = x.prior("growth_batch_sd", "HalfNormal", 0.3, source=GENERIC,
                       meaning="spread of ln growth between batches")
    noise = x.prior("growth_noise", "LogNormal", 0.2, 0.5, source=GENERIC,
                    meaning="relative SD of the growth of one cell")
    level = bare * pt.exp(x.effect("batch_growth", "batch", batch_sd) - strength * worth)
    x.observe("growth_ohm_cm2_sqrth", "LogNormal", mu=level, sigma=_spread(x, noise, batch_sd))


def efficiency(x: Inputs, worth: Any, raw: Any) -> None:
    """First-cycle efficiency: expit(bare + batch + gain P - cost raw)."""
    if not x.wants("first_cycle_efficiency"):
        return
    bare = x.prior("bare_efficiency_logit", "Normal", 1.8, 0.5,
                   meaning="logit of the first-cycle efficiency of a bare cell",
                   source="nickel-rich composites, 0.7 to 0.93")
    gain = x.prior("efficiency_gain", "HalfNormal", 0.8, source=GENERIC,
                   meaning="gain of the logit at full protection")
    cost = x.prior("efficiency_cost", "HalfNormal", 0.8, source=GENERIC,
                   meaning="fall of the logit by a full cover of unoxidised sulfide, which is "
                           "oxidised in the first charge instead")
    batch_sd = x.prior("efficiency_batch_sd", "HalfNormal", 0.2, source=GENERIC,
                       meaning="spread of the logit between batches")
    noise = x.prior("efficiency_noise", "LogNormal", 0.008, 0.5, unit="1", source=GENERIC,
                    meaning="SD of the efficiency of one cell")
    level = expit(bare + gain * worth - cost * raw
                  + x.effect("batch_efficiency", "batch", batch_sd))
    x.observe("first_cycle_efficiency", "Normal", mu=level,
              sigma=_spread(x, noise, batch_sd * level * (1.0 - level)))


def degradation(x: Inputs, worth: Any) -> dict[str, Curve]:
    """Degradation relative to the bare reference: exp(batch - strength P), 1 for bare.

    The batch's deviation is the error of its reference, which all its samples are divided by.
    """
    import pytensor.tensor as pt

    name = "relative_degradation"
    if not (x.wants(name) or x.wants("statements")):
        return {}
    strength = x.prior("degradation_strength", "LogNormal", 1.0, 0.7, source=GENERIC,
                       meaning="fall of ln degradation at full protection")
    noise = x.prior("degradation_noise", "LogNormal", 0.15, 0.5,
                    meaning="relative SD of one relative degradation",
                    source="14 regions or more of a sample (line 1762)")
    if x.wants(name):
        batch_sd = x.prior("degradation_batch_sd", "HalfNormal", 0.2, source=GENERIC,
                           meaning="error of ln degradation by the bare reference of a batch")
        level = pt.exp(x.effect("batch_degradation", "batch", batch_sd) - strength * worth)
        x.observe(name, "LogNormal", mu=level, sigma=_spread(x, noise, batch_sd))
    return {name: Curve(strength * worth, noise, -strength * worth)}


def relaxation(x: Inputs, worth: Any) -> dict[str, Curve]:
    """Fall of the voltage in the rest after a charge: bare relaxation exp(batch - strength P)."""
    import pytensor.tensor as pt

    name = "relaxation_shift_mV"
    if not (x.wants(name) or x.wants("statements")):
        return {}
    strength = x.prior("relaxation_strength", "LogNormal", 0.7, 0.7, source=GENERIC,
                       meaning="fall of ln relaxation at full protection")
    noise = x.prior("relaxation_noise", "LogNormal", 0.1, 0.5, source=GENERIC,
                    meaning="relative SD of the relaxation of one cell")
    if x.wants(name):
        bare = x.prior("bare_relaxation", "LogNormal", 50.0, 1.0, unit="mV", source=GENERIC,
                       meaning="fall of the voltage of a bare cell in the rest after a charge")
        batch_sd = x.prior("relaxation_batch_sd", "HalfNormal", 0.2, source=GENERIC,
                           meaning="spread of ln relaxation between batches")
        level = bare * pt.exp(x.effect("batch_relaxation", "batch", batch_sd) - strength * worth)
        x.observe(name, "LogNormal", mu=level, sigma=_spread(x, noise, batch_sd))
    return {name: Curve(strength * worth, noise, -strength * worth)}


def second_charge(x: Inputs, oxidised: Any, coverage: Any) -> dict[str, Curve]:
    """Charge capacity of the second cycle: bare + batch + gain oxidised - hindrance coverage.

    Recorded and predicted, never the objective by default: it is highest where the least coating
    is in the way. ``oxidised`` is the oxidised share of what was ground on, wherever it sits now.
    """
    name = "charge_capacity_mAh_g"
    if not (x.wants(name) or x.wants("statements")):
        return {}
    gain = x.prior("charge_gain", "HalfNormal", 10.0, unit="mAh/g", source=GENERIC,
                   meaning="gain by an oxidised coating, wherever it sits")
    hindrance = x.prior("charge_hindrance", "HalfNormal", 10.0, unit="mAh/g", source=GENERIC,
                        meaning="loss by a coating in the way, at full coverage")
    noise = x.prior("charge_noise", "LogNormal", 2.0, 0.5, unit="mAh/g", source=GENERIC,
                    meaning="SD of the second charge of one cell")
    change = gain * oxidised - hindrance * coverage
    if x.wants(name):
        bare = x.prior("bare_charge", "Normal", 190.0, 12.0, unit="mAh/g",
                       meaning="second charge of a bare cell",
                       source="nickel-rich layered oxides to 4.3 V against lithium")
        batch_sd = x.prior("charge_batch_sd", "HalfNormal", 4.0, unit="mAh/g", source=GENERIC,
                           meaning="spread between batches")
        x.observe(name, "Normal", mu=bare + change + x.effect("batch_charge", "batch", batch_sd),
                  sigma=_spread(x, noise, batch_sd))
    return {name: Curve(change, noise)}
