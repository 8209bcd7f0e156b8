"""What a cell weighs, what each improvement of it gains, and energy against power.

Everything takes settings with the columns of the ``cell`` model and carries draws through: a
capacity may be one number or the posterior draws of another model, and the voltage those of a fit
of ``cell``, or of its prior. Capacity and voltage are then drawn apart; where they were learned
together use a chain, whose draws know of each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from .. import data
from .cell import (
    FACTORS,
    INDIUM_V,
    MODEL,
    PRESS_CELL_CM2,
    areal_capacity,
    composite_density,
    current_density,
    energy_density,
    layer_mass,
    layer_thickness,
    mean_voltage,
    prepare,
    separator_resistance,
    specific_energy,
    specific_power,
)
from .electrode import ANODE_OHM_CM2

LEVEL = 0.9
REFERENCE_STEP = "no excess lithium"
"""Printed step from which the mean potential is taken; the others then follow from masses."""


def settings_of(table: Any) -> pd.DataFrame:
    """The settings with every column of the cell filled: weighed masses, names, ordinary values.

    Raises
    ------
    ValueError
        As `cell.prepare`; or for a column with a value outside of what the registry allows.
    """
    frame = pd.DataFrame(table)
    known: Any = frame[[c for c in frame if c in data.COLUMNS]]
    rows, _ = prepare(data.validate(known, where="settings", open=True), False)
    for factor in FACTORS:
        if factor.name == "capacity_mAh_g":
            continue
        given = rows[factor.name] if factor.name in rows else pd.Series(np.nan, rows.index)
        rows[factor.name] = given.astype(float).fillna(factor.default)
    return rows


def bill(table: Any) -> pd.DataFrame:
    """What the cell weighs, part by part.

    Parameters
    ----------
    table
        Settings, one row a cell; what they leave out is that of the press cell.

    Returns
    -------
    DataFrame
        One row for each setting and part (active material, rest of the composite, separator,
        anode, collectors and casing): ``mg_cm2`` and ``share`` of the cell's mass.
    """
    rows = settings_of(table)
    parts = _parts(rows, None)
    total = np.sum(list(parts.values()), axis=0)
    return pd.DataFrame([
        {"setting": label, "part": part, "mg_cm2": float(values[k]),
         "share": float(values[k] / total[k])}
        for k, label in enumerate(rows.index) for part, values in parts.items()])


def _parts(rows: pd.DataFrame, density: Any) -> dict[str, Any]:
    """Areal masses (mg/cm2), ``(rows,)`` or ``(draws, rows)``."""
    loading, share = _column(rows, "areal_loading_mg_cm2"), _column(rows, "active_fraction")
    weighed = _column(rows, "separator_mg_cm2")
    dense = 1.5 if density is None else density
    separator = np.where(weighed > 0, weighed, layer_mass(_column(rows, "separator_um"), dense))
    return {"active material": loading * share, "rest of the composite": loading * (1.0 - share),
            "separator": separator, "anode": _column(rows, "anode_mg_cm2"),
            "collectors and casing": _column(rows, "inactive_mg_cm2")}


def _column(rows: pd.DataFrame, name: str) -> np.ndarray:
    return rows[name].to_numpy(dtype=float)


def cell_draws(count: int, fit: Any = None, seed: int = 1) -> dict[str, np.ndarray]:
    """Draws of what the ``cell`` model knows of voltage, separator and pores.

    Parameters
    ----------
    count
        Number of draws.
    fit
        A fit of ``cell``, or of a chain that ends with it; the prior if not given.

    Returns
    -------
    dict
        Parameter without its prefix -> ``(count, 1)``.
    """
    rng = np.random.default_rng(seed)
    if fit is None:
        declared = MODEL.graph({}).registry.priors
        return {name.removeprefix("cell."): MODEL.prior(name, prior).draw(rng, (count, 1))
                for name, prior in declared.items()}
    which = rng.integers(fit.n_draws, size=count)
    return {name.removeprefix("cell."): values[which].reshape(count, 1)
            for name, values in fit.parameters().items()
            if name.startswith("cell.") and not name.endswith("__z")}


def outcomes(capacity: Any, table: Any, drawn: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Energy, power and voltage of a typical cell at settings, ``(draws, settings)`` each.

    Parameters
    ----------
    capacity
        Gross capacity (mAh/g): one number, ``(settings,)`` or ``(draws, settings)``.
    table
        Settings.
    drawn
        As `cell_draws` returns them.

    Returns
    -------
    dict
        ``cell_energy_Wh_kg``, ``cell_power_W_kg``, ``cell_energy_Wh_L``, ``mean_voltage_V``,
        ``areal_capacity_mAh_cm2``, ``composite_energy_Wh_kg`` and ``composite_power_W_kg`` (over
        the mass of the composite alone).
    """
    rows = settings_of(table)
    w, loading = _column(rows, "active_fraction"), _column(rows, "areal_loading_mg_cm2")
    loading = loading * (1.0 + drawn["loading_error"])
    parts = _parts(rows, drawn["separator_density"])
    mass = loading + parts["separator"] + parts["anode"] + parts["collectors and casing"]
    separator = _column(rows, "separator_um")
    anode = _column(rows, "anode_resistance_ohm_cm2")
    resistance = (drawn["polarization"]
                  + separator_resistance(separator, drawn["separator_conductivity"])
                  + np.where(anode > 0, anode, ANODE_OHM_CM2))
    charge = areal_capacity(np.asarray(capacity, dtype=float), w, loading)
    current = current_density(
        _column(rows, "c_rate"), _column(rows, "c_rate_basis_mAh_g"), w, loading)
    voltage = mean_voltage(drawn["potential"], _column(rows, "anode_potential_V"), current,
                           resistance)
    dense = composite_density(w) * (1.0 - drawn["composite_porosity"])
    thickness = (layer_thickness(loading, dense) + separator + _column(rows, "anode_um")
                 + _column(rows, "inactive_um"))
    return {"cell_energy_Wh_kg": specific_energy(charge, voltage, mass),
            "cell_power_W_kg": specific_power(current, voltage, mass),
            "cell_energy_Wh_L": energy_density(charge, voltage, thickness),
            "mean_voltage_V": voltage, "areal_capacity_mAh_cm2": charge,
            "composite_energy_Wh_kg": specific_energy(charge, voltage, loading),
            "composite_power_W_kg": specific_power(current, voltage, loading)}


def improvements(capacity: Any, table: Any, fit: Any = None, *, draws: int = 2000,
                 level: float = LEVEL, seed: int = 1) -> pd.DataFrame:
    """What each change of a cell gains, the changes listed one after the other.

    Parameters
    ----------
    capacity
        Gross capacity (mAh/g): one number, or posterior draws ``(n,)`` of it.
    table
        One row for each step: as built, with a thin separator, with lithium, ...
    fit
        A fit of ``cell``; its prior if not given.

    Returns
    -------
    DataFrame
        The settings' labels with ``mass_mg_cm2``, median and interval of ``cell_energy_Wh_kg``
        and of ``gain_Wh_kg`` over the step before (draw by draw, so what the steps share
        cancels).
    """
    drawn = cell_draws(draws, fit, seed)
    one = np.atleast_1d(np.asarray(capacity, dtype=float))
    picked = one[np.random.default_rng([seed, 1]).integers(len(one), size=draws)][:, None]
    rows = settings_of(table)
    energy = outcomes(picked, table, drawn)["cell_energy_Wh_kg"]
    found = pd.DataFrame(index=rows.index)
    found["mass_mg_cm2"] = np.sum(list(_parts(rows, None).values()), axis=0)
    gain = np.diff(energy, axis=1, prepend=energy[:, :1])
    for name, values in (("cell_energy_Wh_kg", energy), ("gain_Wh_kg", gain)):
        _interval(found, name, values, level)
    return found


def _interval(found: pd.DataFrame, name: str, values: np.ndarray, level: float) -> None:
    low, middle, high = np.quantile(values, [0.5 - level / 2, 0.5, 0.5 + level / 2], axis=0)
    kind = f"({100 * level:g} % equal-tailed)"
    found[name], found[f"{name} low {kind}"], found[f"{name} high {kind}"] = middle, low, high


def ragone(capacity: Any, table: Any, c_rates: Sequence[float], fit: Any = None, *,
           per: str = "cell", draws: int = 1000, level: float = LEVEL,
           seed: int = 1) -> pd.DataFrame:
    """Energy against power over rates.

    Parameters
    ----------
    capacity
        A fit with the outcome ``capacity_mAh_g`` and the factor ``c_rate`` (``capacity``,
        ``composition``, ``fading``, a chain), or draws ``(n, rates)`` in mAh/g of active
        material weighed in.
    table
        One setting of the cell, with the settings that the capacity's model needs.
    c_rates
        Rates (1/h), above 0.
    fit
        A fit of ``cell``; its prior if not given.
    per
        ``"cell"``: over the mass of the whole cell. ``"composite"``: over that of the composite
        alone, the hypothetical specific energy that model cells are compared by.

    Returns
    -------
    DataFrame
        One row a rate: ``c_rate``, then median and interval of ``energy_Wh_kg``,
        ``power_W_kg``, ``capacity_mAh_g`` and ``mean_voltage_V``.

    Raises
    ------
    ValueError
        If ``per`` is neither, a rate is not above 0, or draws do not fit the rates.
    """
    if per not in {"cell", "composite"}:
        raise ValueError(f"per={per!r} is none of cell, composite")
    rates = np.asarray(c_rates, dtype=float)
    if rates.ndim != 1 or not len(rates) or not (rates > 0).all():
        raise ValueError(f"c_rates={list(np.ravel(rates))} must be rates in 1/h above 0")
    frame = pd.DataFrame(table)
    if len(frame) != 1:
        raise ValueError(f"{len(frame)} settings are given; a Ragone curve is of one: give one row")
    frame = pd.concat([frame] * len(rates), ignore_index=True)
    frame["c_rate"] = rates
    if hasattr(capacity, "predict"):
        capacity = capacity.predict(frame, of="mean", outcome="capacity_mAh_g").to_numpy()
    values = np.atleast_2d(np.asarray(capacity, dtype=float))
    if values.shape[1] != len(rates):
        raise ValueError(f"capacity has {values.shape[1]} columns for {len(rates)} rates; "
                         "give draws of shape (draws, rates)")
    drawn = cell_draws(draws, fit, seed)
    picked = values[np.random.default_rng([seed, 2]).integers(len(values), size=draws)]
    found = outcomes(picked, frame.drop(columns="capacity_mAh_g", errors="ignore"), drawn)
    answer = pd.DataFrame({"c_rate": rates})
    for name, draw in (("energy_Wh_kg", found[f"{per}_energy_Wh_kg"]),
                       ("power_W_kg", found[f"{per}_power_W_kg"]),
                       ("capacity_mAh_g", picked), ("mean_voltage_V", found["mean_voltage_V"])):
        _interval(answer, name, draw, level)
    return answer


def printed_steps(capacity: float | None = None, potential: float | None = None) -> pd.DataFrame:
    """The published series of cells, from a press cell to one without excess lithium, reworked.

    The masses are as printed; that of 20 um lithium is not, and is a fifth of that of 100 um (3.4
    mg, a 9 mm disc). The capacity is not printed beside them; taken is that of the same
    composite, machine-mixed, at 0.1C (179.5 mAh/g). Nor is the mean potential: taken is the one
    that gives the printed energy of the step without excess lithium at that capacity, 3.94 V
    against lithium, and in an indium cell 0.62 V less. The other energies follow from masses.

    Parameters
    ----------
    capacity
        Gross capacity (mAh/g).
    potential
        Mean potential against Li+/Li (V).

    Returns
    -------
    DataFrame
        One row a step: areal masses times area (mg), ``voltage_V``, ``charge_mAh``,
        ``computed_Wh_kg`` and ``printed_Wh_kg`` with its qualifier; ``potential_V`` in the
        attributes.
    """
    table = data.load("kissel2025_cell_energy").set_index("row_id")
    foil = table.loc["lithium 100 um"]
    per_um = float(np.asarray(foil["anode_mass_mg"])) / float(np.asarray(foil["anode_um"]))
    table["anode_mass_mg"] = table["anode_mass_mg"].fillna(per_um * table["anode_um"])
    rows = settings_of(table)
    if capacity is None:
        mixing = data.load("kissel2025_mixing").set_index("row_id")
        capacity = float(np.asarray(mixing.loc["g7", "capacity_mAh_g"]))
    parts = _parts(rows, None)
    charge = areal_capacity(capacity, _column(rows, "active_fraction"),
                            _column(rows, "areal_loading_mg_cm2"))
    mass = np.sum(list(parts.values()), axis=0)
    printed = table["value"].to_numpy(dtype=float)
    if potential is None:
        k = list(table.index).index(REFERENCE_STEP)
        potential = float(printed[k] * mass[k] / (1000.0 * charge[k]))
    voltage = potential - _column(rows, "anode_potential_V")
    found = pd.DataFrame({
        "composite_mg": _column(rows, "areal_loading_mg_cm2") * PRESS_CELL_CM2,
        "separator_mg": parts["separator"] * PRESS_CELL_CM2,
        "anode_mg": parts["anode"] * PRESS_CELL_CM2, "cell_mg": mass * PRESS_CELL_CM2,
        "voltage_V": voltage, "charge_mAh": charge * PRESS_CELL_CM2,
        "computed_Wh_kg": specific_energy(charge, voltage, mass),
        "printed_Wh_kg": printed, "qualifier": table["value_q"].to_numpy()}, index=table.index)
    found.attrs["potential_V"] = potential
    return found


def implied_by_print() -> dict[str, tuple[float, float]]:
    """Charge and mean potential that the printed energies alone imply, each with its half-width.

    With indium, thin separator: E_1 m_1 = Q (V - 0.62); with lithium: E_2 m_2 = Q V. Their
    difference is 0.62 Q. The half-widths are those of rounding to 1 Wh/kg (0.5), added linearly.

    Returns
    -------
    dict
        ``charge_mAh``, ``potential_V`` and ``capacity_mAh_g`` -> (value, half-width).
    """
    steps = printed_steps()
    indium, lithium = steps.loc["thin separator"], steps.loc["no excess lithium"]
    stored = [float(s["printed_Wh_kg"] * s["cell_mg"] / 1000.0) for s in (indium, lithium)]
    error = [0.5 * float(s["cell_mg"]) / 1000.0 for s in (indium, lithium)]
    charge = (stored[1] - stored[0]) / INDIUM_V
    wide = sum(error) / INDIUM_V
    ends = [e / q for e in (stored[1] - error[1], stored[1] + error[1])
            for q in (charge - wide, charge + wide)]
    active = float(indium["composite_mg"]) * 0.7 / 1000.0
    return {"charge_mAh": (charge, wide),
            "potential_V": (stored[1] / charge, 0.5 * (max(ends) - min(ends))),
            "capacity_mAh_g": (charge / active, wide / active)}
