"""In which regime a mill setting lies: too weak collisions, contacts forming, or damage.

Of a fit of the capacity model, or of a chain that holds it. Three things decide the regime, draw
by draw of the posterior:

- *Stress energy against the contact threshold.* Below the threshold SE_t a collision forms hardly
  any contact between active material and electrolyte: milling adds E_m, no more.
- *What missing contacts cost*: the capacity with all contacts, less that of the setting.
- *What gentler milling gains*: the best capacity of a shorter time and a lower speed with the same
  beads, less that of the setting. Contacts alone would always be fewer there, so that a gain is
  damage undone: the setting is beyond its optimum, damage-dominated.

A cost and a gain count from 2 mAh/g. A setting that is not damage-dominated forms contacts where
some are missing, unless its collisions are too weak for them; else its contacts are complete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..data import columns as registry
from .statements import DECLINE

if TYPE_CHECKING:
    from .engine.fit import Fit

LEVEL = 0.9
SURE = 0.8
"""Probability from which one regime is named."""
REGIMES = ("collisions too weak", "contact formation", "damage-dominated", "contacts complete")
CAPACITY = "capacity_mAh_g"
THRESHOLD, CONTACT, DAMAGE = (
    f"capacity.{name}" for name in ("contact_threshold", "contact_energy", "damage_energy"))
AT_ONCE = 1e-12
"""Contact energy (J/g) and threshold (1) with which the first collision forms all contacts."""
GENTLER = [{"rpm": slower, "milling_min": shorter} for slower in np.geomspace(1.0, 0.25, 7)
           for shorter in np.geomspace(1.0, 1.0 / 1024.0, 11)]
"""Factors on speed and time of the settings that are gentler than one, itself first."""


def tells(fit: Fit) -> bool:
    """Whether a fit knows regimes of milling: one of ``capacity``, or of a chain with it."""
    return THRESHOLD in fit.graph.registry.priors


def regime(fit: Fit, settings: Any) -> pd.DataFrame:
    """E_m, stress energy and regime of mill settings, with their probabilities.

    Parameters
    ----------
    fit
        A fit of ``models.get("capacity")`` or of a chain with it.
    settings
        Settings as for ``fit.predict``, one a row.

    Returns
    -------
    DataFrame
        The settings with ``specific_energy_J_g`` (J/g), ``stress_energy_rel`` (1 at 200 rpm and
        5 mm beads of the reference mill), ``contact_cost_mAh_g`` and ``gentler_gain_mAh_g`` (what
        missing contacts cost and milling down to a quarter of the speed and 1/1024 of the time
        gains, mAh/g): medians of the mean over new runs and batches, with the ends of 90 %
        equal-tailed intervals (``_low``, ``_high``). ``p_above_threshold``, probability that
        collisions are above the contact threshold; ``p_damage_dominated``, that gentler milling
        gains 2 mAh/g or more; and ``regime``, one of `REGIMES` where its probability is 0.8 or
        more, else "open" with the two most probable. ``attrs["note"]`` says what the intervals
        are and which of the parameters that decide the regime the data do not tell.

    Raises
    ------
    ValueError
        If the fit is of a model without milling damage, or a setting lacks a factor, has a
        misspelt one or an unknown level.
    """
    if not tells(fit):
        raise ValueError(f"the fit is of {fit.model.name!r}; regimes of milling need one of "
                         "'capacity' or of a chain with it")
    table = pd.DataFrame(settings).reset_index(drop=True)
    as_it_is = np.asarray(fit.predict(table, outcome=CAPACITY))
    gain = np.stack([_best(fit, table.iloc[[k]]) for k in range(len(table))], axis=1) - as_it_is
    contact = np.asarray(_contacted(fit).predict(table, outcome=CAPACITY)) - as_it_is
    stress = np.exp(np.asarray(fit.quantity("ln_stress_energy", table)))
    above = stress > fit.parameters()[THRESHOLD].reshape(-1, 1)
    found = {"specific_energy_J_g": np.asarray(fit.quantity("specific_energy", table)),
             "stress_energy_rel": stress, "contact_cost_mAh_g": contact,
             "gentler_gain_mAh_g": gain}
    for name, values in found.items():
        low, middle, high = np.quantile(values, [0.5 - LEVEL / 2, 0.5, 0.5 + LEVEL / 2], axis=0)
        table[name], table[f"{name}_low"], table[f"{name}_high"] = middle, low, high
    harmed = gain >= DECLINE
    missing = (contact >= DECLINE) & ~harmed
    table["p_above_threshold"] = above.mean(axis=0)
    table["p_damage_dominated"] = harmed.mean(axis=0)
    shares = [(missing & ~above).mean(axis=0), (missing & above).mean(axis=0),
              harmed.mean(axis=0), (~missing & ~harmed).mean(axis=0)]
    table["regime"] = [_named(share) for share in np.stack(shares, axis=1)]
    table.attrs["note"] = _note(fit)
    return table


def _best(fit: Fit, setting: pd.DataFrame) -> np.ndarray:
    """Capacity at the best of one setting and those that are gentler, ``(draws,)``."""
    around = pd.concat([setting.assign(**{
        name: np.maximum(factor * setting[name], registry.column(name).low or 0.0)
        for name, factor in factors.items()}) for factors in GENTLER], ignore_index=True)
    return np.asarray(fit.predict(around, outcome=CAPACITY)).max(axis=1)


def _contacted(fit: Fit) -> Fit:
    """The same draws, in which milling forms all contacts at once."""
    draws = fit.parameters()
    draws |= {name: np.full_like(draws[name], AT_ONCE) for name in (CONTACT, THRESHOLD)}
    return type(fit).from_draws(
        fit.model, fit.table, draws, statements=bool(fit.options["statements"]))


def _named(shares: np.ndarray) -> str:
    """The regime of these probabilities, or the two between which it is open."""
    first, second = np.argsort(-shares, kind="stable")[:2]
    if shares[first] >= SURE:
        return REGIMES[first]
    return f"open: {REGIMES[first]} or {REGIMES[second]}"


def _note(fit: Fit) -> str:
    said = fit.summary()["informed_by"]
    assumed = [name for name in (THRESHOLD, CONTACT, DAMAGE)
               if str(said.at[name]) == "from the prior"]
    note = ("90 % equal-tailed intervals of the mean over new runs and batches; probabilities are "
            "shares of the posterior draws.")
    return note + (f" From the prior, not from data: {', '.join(assumed)}." if assumed else "")
