"""Rows of the composition model: shares read, completed and checked before anything is fitted."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from .engine.encode import number, text
from .networks import mass_shares, solid_density, volume_shares

SHARES = ("active_fraction", "electrolyte_fraction", "carbon_fraction", "binder_fraction")
NONE = "none"
"""Kind of carbon of a composite without any."""
ROUNDING = 0.006
"""How far printed shares may add up beside 1: four shares of two digits, or 70:30:1 as 0.69, 0.30,
0.01."""
VOLUME_ROUNDING = 0.03
"""How far a stated volume share may lie from that of the mass shares: true densities differ by a
few percent."""
KINDS = {
    "active_fraction": ("cam", "am", "ncm", "nmc", "nca", "lco", "lno", "lfp"),
    "electrolyte_fraction": ("se", "lps", "lpscl", "lic", "llzo", "lgps"),
    "carbon_fraction": ("cnf", "cb", "vgcf", "cnt", "carbon", "c65", "superp", "c"),
    "binder_fraction": ("ptfe", "pvdf", "binder", "nbr"),
}
_RATIO = re.compile(r"^\s*([A-Za-z0-9]+(?::[A-Za-z0-9]+)+)\s+(\d+\.?\d*(?::\d+\.?\d*)+)")
_TYPE = re.compile(r"\b(CNF|CNT|VGCF|CB)\s+type\s+\w+", re.I)


def ratio_shares(composition: str) -> dict[str, float] | None:
    """Mass shares of a ratio such as "CAM:SE:CNF 70:30:1"; None where it is not one.

    >>> ratio_shares("CAM:SE 80:20")["active_fraction"]
    0.8
    """
    found = _RATIO.match(composition)
    if not found:
        return None
    names, parts = found.group(1).split(":"), [float(v) for v in found.group(2).split(":")]
    if len(names) != len(parts) or not sum(parts) > 0:
        return None
    shares: dict[str, float] = dict.fromkeys(SHARES, 0.0)
    for name, part in zip(names, parts, strict=True):
        column = next((c for c, words in KINDS.items()
                       if re.sub(r"\d+$", "", name.lower()) in words or name.lower() in words),
                      None)
        if column is None:
            return None
        shares[column] += part / sum(parts)
    return shares


def carbon_kind(composition: str) -> str:
    """Kind of carbon that a composition names ("CNF type 2", else "CNF"); "" if none."""
    typed = _TYPE.search(composition)
    if typed:
        return typed.group(0)
    named = _RATIO.match(composition)
    if named:
        for name in named.group(1).split(":"):
            if name.lower() in KINDS["carbon_fraction"]:
                return name
    return ""


def prepare(rows: pd.DataFrame, fitting: bool) -> tuple[pd.DataFrame, list[str]]:
    """The same rows with all four mass shares and the kind of carbon, checked.

    Shares that a row leaves empty come from its ``composition``; one without carbon or binder has
    none; the electrolyte is the rest. An active capacity that gross capacity and utilization of
    its row already tell is left out, with a note.

    Raises
    ------
    ValueError
        Naming the row and the mend: shares that do not add up to 1, more than there can be, shares
        of volume in the place of shares of mass, carbon without a kind, no composition at all.
    """
    rows = rows.copy()
    notes: list[str] = []
    ratio = [ratio_shares(c) or {} for c in text(rows, "composition")]
    shares = {}
    empty = np.isnan(np.stack([number(rows, name) for name in SHARES])).all(axis=0)
    for name in SHARES:
        read = np.array([r.get(name, np.nan) for r in ratio], dtype=float)
        shares[name] = np.where(empty, read, number(rows, name))
    unknown = np.isnan(shares["active_fraction"])
    if unknown.any():
        raise ValueError(f"row {rows.index[_first(unknown)]}: its composition is not known; give "
                         "active_fraction (by mass), or composition as 'CAM:SE:CNF 70:30:1'")
    for name in ("carbon_fraction", "binder_fraction"):
        shares[name] = np.where(np.isnan(shares[name]), 0.0, shares[name])
    rest = 1.0 - np.sum(
        [shares[n] for n in SHARES if n != "electrolyte_fraction"], axis=0)
    over = rest < -1e-9
    if over.any():
        raise ValueError(_over(rows, shares, over))
    derived = np.isnan(shares["electrolyte_fraction"])
    shares["electrolyte_fraction"] = np.where(derived, np.maximum(rest, 0.0),
                                              shares["electrolyte_fraction"])
    total = np.sum(list(shares.values()), axis=0)
    off = np.abs(total - 1.0) > ROUNDING
    if off.any():
        raise ValueError(_off(rows, shares, total, off))
    for name, values in shares.items():
        rows[name] = values / total
    _check_pores(rows)
    _check_volume(rows)
    rows["carbon_type"] = _kinds(rows, shares["carbon_fraction"])
    if fitting:
        notes += _told_twice(rows)
    return rows, notes


def _show(shares: dict[str, np.ndarray], k: int) -> str:
    return ", ".join(f"{name} {values[k]:.4g}" for name, values in shares.items()
                     if not np.isnan(values[k]))


def _first(where: np.ndarray) -> int:
    return int(np.flatnonzero(where)[0])


def _over(rows: pd.DataFrame, shares: dict[str, np.ndarray], over: np.ndarray) -> str:
    k = _first(over)
    total = np.nansum([values[k] for values in shares.values()])
    return (f"row {rows.index[k]}: {_show(shares, k)} are {total:.4g} of the mass; a composite has "
            "no more than 1. Shares are of the whole composite: of 70:30:1 they are 0.693, 0.297 "
            "and 0.0099, the parts over their sum")


def _off(rows: pd.DataFrame, shares: dict[str, np.ndarray], total: np.ndarray,
         off: np.ndarray) -> str:
    k = _first(off)
    lack = ("something is missing: binder_fraction, or carbon_fraction?" if total[k] < 1.0 else
            "parts of 70:30:1 are shares only after division by their sum")
    return (f"row {rows.index[k]}: {_show(shares, k)} add up to {total[k]:.4g}, not to 1 "
            f"within {ROUNDING}; {lack} Leave electrolyte_fraction empty to have it as the rest")


def _check_pores(rows: pd.DataFrame) -> None:
    pores = number(rows, "porosity", 0.0)
    bad = (pores < 0) | (pores >= 0.9)
    if bad.any():
        k = _first(bad)
        raise ValueError(f"row {rows.index[k]}: porosity {pores[k]:.4g} is none of a pressed "
                         "composite; it is the share of pores in the whole volume, 0 to 0.9")


def _check_volume(rows: pd.DataFrame) -> None:
    """Refuse mass shares that are shares of volume, where the row gives them away."""
    mass: Any = [number(rows, name) for name in SHARES]
    solid = np.asarray(volume_shares(*mass, porosity=0.0)[0])
    stated = number(rows, "active_volume_fraction")
    odd = np.abs(stated - solid) > VOLUME_ROUNDING
    if odd.any():
        k = _first(odd)
        swapped = abs(stated[k] - mass[0][k]) <= VOLUME_ROUNDING
        back = mass_shares(*(m[k] for m in mass))
        hint = (f"; the shares look like shares of volume: as such they are {back[0]:.3f} active "
                "material by mass (networks.mass_shares)" if swapped
                else "; check densities and shares")
        raise ValueError(
            f"row {rows.index[k]}: active_fraction {mass[0][k]:.3f} by mass is {solid[k]:.3f} of "
            f"the solid volume, but active_volume_fraction says {stated[k]:.3f}{hint}")
    density, stated = np.asarray(solid_density(*mass)), number(rows, "mixed_density_g_mL")
    odd = np.abs(stated / density - 1.0) > 2.0 * VOLUME_ROUNDING
    if odd.any():
        k = _first(odd)
        by_volume = float(np.asarray(solid_density(*mass_shares(*(m[k] for m in mass)))))
        near = abs(stated[k] / by_volume - 1.0) <= 2.0 * VOLUME_ROUNDING
        hint = ("the shares look like shares of volume: convert them with networks.mass_shares"
                if near else "check the shares; densities are those of NCM82 and Li6PS5Cl")
        raise ValueError(
            f"row {rows.index[k]}: shares by mass give {density[k]:.3f} g/mL without pores, but "
            f"mixed_density_g_mL says {stated[k]:.3f}; {hint}")


def _kinds(rows: pd.DataFrame, carbon: np.ndarray) -> list[str]:
    given = text(rows, "carbon_type").to_numpy()
    said = [carbon_kind(c) for c in text(rows, "composition")]
    kinds = []
    for k, share in enumerate(carbon):
        kind = str(given[k] or said[k])
        if not share > 0:
            kind = NONE
        elif kind in {"", NONE}:
            raise ValueError(
                f"row {rows.index[k]}: carbon_fraction is {share:.4g} but no kind of carbon is "
                "named; give carbon_type, such as 'fibre' or 'black'")
        kinds.append(kind)
    return kinds


def _told_twice(rows: pd.DataFrame) -> list[str]:
    name = "active_capacity_mAh_g"
    twice = (~np.isnan(number(rows, name)) & ~np.isnan(number(rows, "capacity_mAh_g"))
             & ~np.isnan(number(rows, "utilization")))
    if not twice.any():
        return []
    values: Any = number(rows, name)
    rows[name] = np.where(twice, np.nan, values)
    return [f"{int(twice.sum())} active capacities are left out: gross capacity and utilization of "
            "the same row already tell them"]
