"""Rows of a slurry study as its model reads them: densities, labels, pressures, statements."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from . import aliasing
from .engine.encode import PARENTS, number, text
from .engine.inputs import slots_for
from .slurry_recipe import COMPOSITION, pore_free_density, punch_pressure

VISCOSITY = "viscosity_Pa_s"
DRY, CALENDERED = "dry_porosity", "calendered_porosity"
DRY_DENSITY, CALENDERED_DENSITY = "dry_density_g_cm3", "calendered_density_g_cm3"
DENSITY_OF = {DRY: DRY_DENSITY, CALENDERED: CALENDERED_DENSITY}
SETTINGS = ("active_d50_um", "gap_um", "solid_content_pct")
"""Settings of a sheet whose effects a table may hold together or apart."""
STATEMENT = "viscosity_statement__numbers"
SLOTS = 8
SLURRIES, SAMPLES = "slurry_home__numbers", "sample_home__numbers"
SOLIDS = "mixed_density_g_mL"
SHARES = tuple(f"{name}_fraction" for name in COMPOSITION)
DEFAULT_DENSITY = float(pore_free_density())
ABOUT_SD = 0.03
"""Error of a porosity that is printed as "about", to the nearest ten per cent."""
AGREE = 0.03
"""Largest difference of a porosity from that of the density in the same row."""


def prepare(rows: pd.DataFrame, fitting: bool) -> tuple[pd.DataFrame, list[str]]:
    """The same rows with pore-free densities, pressures and labels filled in.

    Raises
    ------
    ValueError
        Naming the row: mass shares that do not add up, a pressure that contradicts load and
        punch, a viscosity without its shear rate, a density above that of the solids, or one that
        contradicts the porosity beside it.
    """
    rows, notes = rows.copy(), []
    rows[SOLIDS] = _pore_free(rows)
    rows["pelletizing_MPa"] = _pressure(rows)
    if not fitting or not len(rows):
        return rows, notes
    has = {name: ~np.isnan(number(rows, name)) for name in (VISCOSITY, *DENSITY_OF,
                                                             *DENSITY_OF.values())}
    bare = has[VISCOSITY] & np.isnan(number(rows, "shear_rate_1_s"))
    if bare.any():
        raise ValueError(f"row {rows.index[bare][0]!r}: {VISCOSITY} without shear_rate_1_s; a "
                         "slurry thins under shear, so give the rate of every reading")
    sheet = has[DRY] | has[CALENDERED] | has[DRY_DENSITY] | has[CALENDERED_DENSITY]
    given_solids = ~np.isnan(rows[SOLIDS].to_numpy())
    by_density = has[DRY_DENSITY] | has[CALENDERED_DENSITY]
    if (by_density & ~given_solids).any():
        notes.append(
            f"densities are read with solids of {DEFAULT_DENSITY:.3f} g/cm3 (64:30:3:3 of NMC811, "
            f"Li6PS5Cl, carbon and PVDF) where neither {SOLIDS} nor the mass shares are given")
    for porosity, density in DENSITY_OF.items():
        notes += _one_of_both(rows, porosity, density)
        about = text(rows, f"{porosity}_q").eq("~").to_numpy() & np.isnan(
            number(rows, f"{porosity}_sd")) & has[porosity]
        if about.any():
            sd = np.where(about, ABOUT_SD, number(rows, f"{porosity}_sd"))
            rows[f"{porosity}_sd"] = sd
            # rounding does not average out over punches
            rows[f"{porosity}_n"] = np.where(about, np.nan, number(rows, f"{porosity}_n"))
            notes.append(f"{porosity}: {int(about.sum())} readings printed as 'about' are given "
                         f"an error of {ABOUT_SD:g}")
    for name in SETTINGS:
        lacking = sheet & np.isnan(number(rows, name))
        if lacking.any():
            notes.append(f"{int(lacking.sum())} rows of sheets name no {name}: taken at the "
                         "model's reference")
    _label_slurries(rows, has[VISCOSITY] & ~sheet)
    notes += _aliased(rows.loc[sheet])
    return rows, notes


def _pore_free(rows: pd.DataFrame) -> np.ndarray:
    """Density of the solids (g/cm3): as given, else from the mass shares, else empty."""
    found = number(rows, SOLIDS)
    shares = np.stack([number(rows, name) for name in SHARES], axis=1)
    some, whole = ~np.isnan(shares).all(axis=1), ~np.isnan(shares).any(axis=1)
    need = np.isnan(found)
    for at in np.flatnonzero(need & some):
        if not whole[at]:
            lack = [n for n, value in zip(SHARES, shares[at], strict=True) if np.isnan(value)]
            raise ValueError(f"row {rows.index[at]!r} has no {', '.join(lack)}; give all four mass "
                             f"shares (0 for what is not in it), or {SOLIDS}")
        if abs(shares[at].sum() - 1.0) > 0.02:
            raise ValueError(f"row {rows.index[at]!r}: the mass shares add up to "
                             f"{shares[at].sum():.3g}; they must add up to 1")
        found[at] = pore_free_density(*shares[at])
    return found


def _pressure(rows: pd.DataFrame) -> np.ndarray:
    """Pressing pressure (MPa): as given, else from load and punch."""
    found = number(rows, "pelletizing_MPa")
    load, punch = number(rows, "load_t"), number(rows, "punch_mm")
    computed = punch_pressure(load, punch)
    apart = np.abs(computed / found - 1.0) > 0.05
    if apart.any():
        at = np.flatnonzero(apart)[0]
        raise ValueError(
            f"row {rows.index[at]!r}: {load[at]:g} t on {punch[at]:g} mm is {computed[at]:.1f} "
            f"MPa, but pelletizing_MPa says {found[at]:g}; correct one of them")
    return np.where(np.isnan(found), computed, found)


def _one_of_both(rows: pd.DataFrame, porosity: str, density: str) -> list[str]:
    """Check a density, and drop the porosity beside it: the two are one reading."""
    of_solids = np.where(np.isnan(rows[SOLIDS]), DEFAULT_DENSITY, rows[SOLIDS])
    value, pores = number(rows, density), number(rows, porosity)
    implied = 1.0 - value / of_solids
    if (implied < 0).any():
        at = np.flatnonzero(implied < 0)[0]
        raise ValueError(
            f"row {rows.index[at]!r}: {density} = {value[at]:g} g/cm3 is above the "
            f"{of_solids[at]:.3f} g/cm3 of its solids without pores; correct the thickness or the "
            f"mass, or give the composition ({SOLIDS}, or all four mass shares)")
    apart = np.abs(implied - pores) > AGREE
    if apart.any():
        at = np.flatnonzero(apart)[0]
        raise ValueError(
            f"row {rows.index[at]!r}: {density} = {value[at]:g} g/cm3 is a porosity of "
            f"{implied[at]:.3f} with solids of {of_solids[at]:.3f} g/cm3, but {porosity} says "
            f"{pores[at]:g}; correct one of them, or {SOLIDS}")
    both = ~np.isnan(value) & ~np.isnan(pores)
    if not both.any():
        return []
    rows[porosity] = np.where(both, np.nan, pores)
    return [f"{int(both.sum())} rows give {density} and {porosity}: one reading, counted once"]


def _label_slurries(rows: pd.DataFrame, read: np.ndarray) -> None:
    """Viscosities that name their slurry belong to no sheet, and to one sample if none is named."""
    run = text(rows, "run")
    named = read & run.ne("").to_numpy()
    for column, label in (("batch", "slurry"), ("cell", "sample")):
        here = text(rows, column)
        rows[column] = np.where(named & here.eq("").to_numpy(), label, here)


def _aliased(sheets: pd.DataFrame) -> list[str]:
    """What the sheets of a table cannot tell apart."""
    found = sheet_aliasing(sheets)
    return [] if found is None else [s for s in found.sentences if "aliased" in s]


def sheet_aliasing(sheets: pd.DataFrame) -> aliasing.Aliasing | None:
    """Aliasing of the settings that the sheets of a table name; ``None`` below two settings.

    Parameters
    ----------
    sheets
        Rows of sheets and punches; those of one sheet count once.
    """
    named = [n for n in SETTINGS if n in sheets and bool(sheets[n].notna().all())]
    if len(named) < 2 or not len(sheets):
        return None
    labels = pd.DataFrame({n: text(sheets, n) for n in ("study", "run", "batch")})
    first = sheets.loc[~labels.assign(**{n: sheets[n] for n in named}).duplicated().to_numpy()]
    logs = [n for n in ("active_d50_um", "gap_um") if n in named]
    return aliasing.report(first, named, log=logs)


def encode_statements(
    rows: pd.DataFrame, table: pd.DataFrame, statements: bool
) -> dict[str, np.ndarray]:
    """Published least rises of the viscosity: solid contents, factor, samples averaged."""
    said = table.loc[
        text(table, "kind").eq("statement") & text(table, "outcome").eq(VISCOSITY)
        & text(table, "over").eq("solid_content_pct") & text(table, "statement").eq("rises_by")
        & text(table, "value_q").isin([">", ">="])]
    if not statements:
        said = said.iloc[:0]
    columns: list[Any] = [number(said, n) for n in ("value_low", "value_high", "value")]
    return {STATEMENT: np.stack([*columns, number(said, f"{VISCOSITY}_n", 1.0)], axis=1)}


def encode_homes(
    rows: pd.DataFrame, table: pd.DataFrame, statements: bool
) -> dict[str, np.ndarray]:
    """What each slot of the slurries and of the samples is, where it has a viscosity.

    ``(slots, 5)``: 1 if it has one, slot of its slurry, solid content, doublings of the size above
    5 um, soaking time of its first reading.
    """
    first = ~np.isnan(number(rows, VISCOSITY))
    solid, size = number(rows, "solid_content_pct"), number(rows, "active_d50_um", 5.0)
    numbers = np.stack([solid, np.log2(size / 5.0), number(rows, "soaking_min", 0.0)], axis=1)
    slots = {}
    for group in ("run", "cell"):
        labels = (text(rows, column) for column in PARENTS[group])
        keys = list(zip(*labels, strict=True))
        known = {key: k + 1 for k, key in enumerate(dict.fromkeys(keys))}
        slots[group] = np.array([known[key] for key in keys], dtype=int)
    found = {}
    for name, group in ((SLURRIES, "run"), (SAMPLES, "cell")):
        home = np.zeros((slots_for(int(slots[group].max(initial=0)), SLOTS), 5))
        home[:, 2] = 50.0
        for at in np.flatnonzero(first)[::-1]:
            home[slots[group][at] - 1] = 1.0, slots["run"][at], *numbers[at]
        found[name] = home
    return found
