"""What the stack pressure does to a conductivity, as a factor that knows what it does not know.

Between 50 and 80 MPa the bulk itself (activation volume) loses some 2 %. The rest are contacts,
for which no number is published between 10 MPa and the maximum on release, and none for cathodes:
the factor is the prior's unless a laboratory has read its own pellets at both pressures. The law
between two pressures, a power, is assumed as well: its own error makes the 90 % interval at least
+-15 % from 50 to 80 MPa, and more over a wider gap.

Source: Schneider et al., Adv. Energy Mater. (2023), doi 10.1002/aenm.202203873, lines 158 to 168.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from .activation_volume import pressure_factor, thermal_energy
from .engine.encode import number, text

FORM_ERROR = 0.15
"""Half-width of the 90 % interval that the assumed law alone gives from 50 to 80 MPa."""
FORM_SD = math.log1p(FORM_ERROR) / 1.6448536269514722 / math.log(80.0 / 50.0)
"""The same as an sd of ln factor, per ln of the ratio of two pressures."""
SAME = 0.1
"""Relative distance within which a pressure counts as read."""
RELEASED = 0.7
"""Share of the highest pressure below which a pellet counts as released."""
PRIOR_DRAWS = 4000


@dataclass(frozen=True)
class StackCorrection:
    """Conductivity at one stack pressure over that at another.

    Attributes
    ----------
    from_MPa, to_MPa
        The two pressures; a reading at the first times ``factor`` is one at the second.
    factor, low, high
        Median, and the equal-tailed interval at ``level``.
    level
        Probability of the interval.
    intrinsic
        Median of the bulk's part, exp(-dV (p2 - p1) / R T).
    sd_ln
        Sd of ln factor: what a comparison across the two pressures widens by.
    prior_driven
        True unless released pellets of the fraction were read at both pressures.
    draws
        Draws of the factor, ``(draws,)``.
    """

    from_MPa: float
    to_MPa: float
    factor: float
    low: float
    high: float
    level: float
    intrinsic: float
    sd_ln: float
    prior_driven: bool
    draws: np.ndarray

    @property
    def sentence(self) -> str:
        """What it says, with the label."""
        whence = ("from the prior: no released pellet was read at both" if self.prior_driven
                  else "informed by readings")
        return (f"From {self.from_MPa:g} to {self.to_MPa:g} MPa the conductivity changes by a "
                f"factor of {self.factor:.2f} ({100 * self.level:.0f} % equal-tailed interval "
                f"{self.low:.2f} to {self.high:.2f}; {whence}). The bulk's own part is "
                f"{100 * (self.intrinsic - 1):+.1f} %; the rest are contacts.")


def stack_correction(
    source: Any = None, from_MPa: float = 50.0, to_MPa: float = 80.0, *,
    pelletizing_MPa: float = 380.0, temperature_degC: float = 25.0, cycle: float = 1.0,
    sieve: str | None = None, level: float = 0.9, seed: int = 1,
) -> StackCorrection:
    """Factor that brings a conductivity from one stack pressure to another.

    Parameters
    ----------
    source
        A fit of ``conduction``; or that model, or nothing, for what the prior says.
    from_MPa, to_MPa
        Stack pressures, above 0.
    pelletizing_MPa, temperature_degC, cycle
        Highest pressure before (raised to the stack pressures if below), temperature, number of
        the compression cycle.
    sieve
        Sieve fraction of the fit; may be left out where there is one.
    level, seed
        Probability of the interval, seed of the prior's draws.

    Raises
    ------
    ValueError
        If a pressure is not above zero, or the fit has several sieve fractions and none is named.
    """
    if not (from_MPa > 0 and to_MPa > 0):
        raise ValueError(f"stack pressures of {from_MPa:g} and {to_MPa:g} MPa: both must be above "
                         "0, for contacts part without any")
    if not 0 < level < 1:
        raise ValueError(f"level = {level} must lie between 0 and 1")
    at = (from_MPa, to_MPa, pelletizing_MPa, temperature_degC, cycle)
    rng = np.random.default_rng(seed)
    fitted = hasattr(source, "posterior")
    draws = draws_of(source, sieve) if fitted else draws_of(_model(source), rng=rng)
    ln_factor = _ln_factor(draws, *at)
    prior_driven = not (fitted and _was_read(source, sieve, (from_MPa, to_MPa)))
    if prior_driven:
        form = FORM_SD * abs(math.log(to_MPa / from_MPa))
        # spaced, not drawn: the same sd at any number of draws
        spaced = ndtri((np.arange(len(ln_factor)) + 0.5) / len(ln_factor))
        ln_factor = ln_factor + form * rng.permutation(spaced)
    ends = np.quantile(ln_factor, [0.5 - level / 2, 0.5, 0.5 + level / 2])
    ends = _at_least(ends, from_MPa, to_MPa, level) if prior_driven else ends
    volume = np.median(draws["apparent_activation_volume"])
    intrinsic = pressure_factor(volume, to_MPa - from_MPa, temperature_degC)
    low, middle, high = np.exp(ends)
    return StackCorrection(from_MPa, to_MPa, float(middle), float(low), float(high), level,
                           float(intrinsic), float(ln_factor.std()), prior_driven,
                           np.exp(ln_factor))


def at_stack_pressure(
    table: pd.DataFrame, to_MPa: float, source: Any = None, *,
    outcome: str = "conductivity_mS_cm", **options: Any,
) -> pd.DataFrame:
    """Bring readings to one stack pressure, with the correction's error in their sd.

    The error is common to all rows of one pressure: it widens a comparison across pressures, and
    averaging rows does not lessen it.

    Parameters
    ----------
    table
        Rows with the outcome and ``stack_MPa``.
    to_MPa
        Pressure to bring them to.
    source, options
        As in ``stack_correction``.
    outcome
        A conductivity.

    Returns
    -------
    DataFrame
        The rows with the outcome corrected, ``<outcome>_sd`` widened, ``stack_MPa`` replaced, and
        ``correction``, ``correction_sd_ln`` and ``prior_driven`` beside them.

    Raises
    ------
    ValueError
        Naming a row without a stack pressure, or a mean of several cells at another pressure.
    """
    now = number(table, "stack_MPa")
    value, sd = number(table, outcome), number(table, f"{outcome}_sd", 0.0)
    lacking = np.flatnonzero(np.isnan(now) & ~np.isnan(value))
    if len(lacking):
        raise ValueError(f"row {table.index[lacking[0]]} states no stack_MPa: it cannot be brought "
                         "to another pressure")
    means = np.flatnonzero((number(table, f"{outcome}_n") > 1) & ~np.isnan(value) & (now != to_MPa))
    if len(means):
        raise ValueError(
            f"row {table.index[means[0]]} is a mean of several cells: its {outcome}_sd is their "
            "spread and cannot hold the error of the correction; give one row a cell")
    found = {p: stack_correction(source, float(p), to_MPa, **options)
             for p in np.unique(now[~np.isnan(now)]) if p != to_MPa}
    factor = np.array([found[p].factor if p in found else 1.0 for p in now])
    extra = np.array([found[p].sd_ln if p in found else 0.0 for p in now])
    done = table.copy()
    done[outcome] = value * factor
    wider = np.sqrt((sd * factor) ** 2 + (value * factor * extra) ** 2)
    unknown = np.isnan(number(table, f"{outcome}_sd")) & (extra == 0)
    done[f"{outcome}_sd"] = np.where(unknown, np.nan, wider)
    done["stack_MPa"] = to_MPa
    done["correction"], done["correction_sd_ln"] = factor, extra
    done["prior_driven"] = [p in found and found[p].prior_driven for p in now]
    return done


def draws_of(source: Any, sieve: str | None = None, rng: np.random.Generator | None = None,
             ) -> dict[str, np.ndarray]:
    """Draws of the parameters of one sieve fraction by their short names, ``(draws,)`` each.

    Of a fit those of its posterior; of a model those of its priors.
    """
    if not hasattr(source, "posterior"):
        rng = np.random.default_rng(1) if rng is None else rng
        declared = source.graph({}).registry.priors
        return {name.partition(".")[2]: source.prior(name, prior).draw(rng, (PRIOR_DRAWS,))
                for name, prior in declared.items()}
    if source.model.name != "conduction":
        raise ValueError(f"this is a fit of {source.model.name!r}; it needs one of 'conduction'")
    slot = _slot(source, sieve)
    found = {}
    for name in source.graph.registry.priors:
        values = source.posterior[name].to_numpy()
        values = values.reshape(-1, *values.shape[2:])
        found[name.partition(".")[2]] = values if values.ndim == 1 else values[:, slot]
    return found


def _slot(fit: Any, sieve: str | None) -> int:
    known = fit.encoded.levels["sieve"]
    if sieve is None and len(known) == 1:
        return 1
    if sieve not in known:
        raise ValueError(f"sieve={sieve!r}: name one of the fit's sieve fractions, "
                         + ", ".join(map(repr, known)))
    return known.index(sieve) + 1


def _model(source: Any) -> Any:
    if source is None:
        from .conduction import MODEL

        return MODEL
    return source.model if hasattr(source, "posterior") else source


def _ln_factor(p: dict[str, np.ndarray], first: float, second: float, pelletizing_MPa: float,
               temperature_degC: float, cycle: float) -> np.ndarray:
    from .conduction import compaction, contact_resistivity, thermal_factor

    highest = max(pelletizing_MPa, first, second)
    ln_g = compaction(highest, p["joining"], p["joining_pressure"], p["densification"],
                      p["joining_pressure"] + p["densification_pressure"])
    ln_bulk = thermal_factor(temperature_degC, p["activation_energy"]) + ln_g
    dense = 1000.0 / p["bulk_conductivity"] * np.exp(-ln_bulk)
    total = []
    for now in (first, second):
        pressed = np.exp(p["apparent_activation_volume"] * now / thermal_energy(temperature_degC))
        total.append(dense * pressed + contact_resistivity(
            now, highest, cycle, p["contact_resistivity"], p["contact_exponent"],
            p["closing_pressure"], p["history_exponent"], p["cycle_exponent"]))
    return np.log(total[0] / total[1])


def _was_read(fit: Any, sieve: str | None, pressures: tuple[float, float]) -> bool:
    rows = fit.encoded.columns["conductivity_mS_cm__row"]
    taken = fit.table.loc[[fit.encoded.index[k] for k in rows]]
    mine = taken if sieve is None else taken[text(taken, "sieve").eq(sieve)]
    now = number(mine, "stack_MPa")
    now = now[now < RELEASED * number(mine, "pelletizing_MPa")]
    return all(np.any(np.abs(now / p - 1.0) <= SAME) for p in pressures)


def _at_least(ends: np.ndarray, first: float, second: float, level: float) -> np.ndarray:
    """The interval, no narrower to either side than the law's own error."""
    half = FORM_SD * abs(math.log(second / first)) * float(ndtri(0.5 + level / 2))
    return np.array([min(ends[0], ends[1] - half), ends[1], max(ends[2], ends[1] + half)])
