"""Carbon-black content in its bases, and exact conversion among them.

"5 wt% carbon" may mean four different powders. Here a content always names what it is a share of,
and each basis follows exactly from the parts of a recipe: of 100 parts of active material and
electrolyte by mass, ``electrolyte_parts`` e are electrolyte, and ``cb_parts`` x of carbon black
come on top (80:20:3 is e = 20, x = 3). With the densities rho_e and rho_c

    cb_per_electrolyte_wt_pct = 100 x / e
    cb_in_matrix_wt_pct       = 100 x / (e + x)
    cb_in_composite_wt_pct    = 100 x / (100 + x)
    cb_in_matrix_vol_pct      = 100 (x / rho_c) / (e / rho_e + x / rho_c)

The matrix is electrolyte and carbon without the active material. Numbers and arrays of any kind
may stand for e and x.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from .problems import Problem, TableError

DENSITY = {"NCM82": 4.75, "Li3InCl6": 2.59, "carbon black": 1.96}
"""Densities [g/mL] of single-crystalline NCM82, Li3InCl6 and Super C65.

Kissel (2025), doctoral thesis, line 1462; 10.1038/s41467-026-71305-2.
"""

BASES = {
    "cb_parts": "parts per 100 parts of active material + electrolyte",
    "cb_per_electrolyte_wt_pct": "% of the electrolyte's mass",
    "cb_in_matrix_wt_pct": "% of the mass of electrolyte + carbon",
    "cb_in_composite_wt_pct": "% of the mass of the whole composite",
    "cb_in_matrix_vol_pct": "% of the volume of electrolyte + carbon",
}
"""The legal bases of a carbon content: column and what it is a share of."""

SHARE_OF_WHOLE = "carbon_fraction"
"""The one share whose name needs no basis: with `active_fraction`, `electrolyte_fraction` and
`binder_fraction` it adds up to one, the whole dry composite."""

_NEEDS_ELECTROLYTE = tuple(b for b in BASES if b not in ("cb_parts", "cb_in_composite_wt_pct"))
_CARBON = {"cb", "carbon", "carbonblack", "c65", "superc65", "soot"}
_FILLERS = {"black", "super", "additive", "conductive"}
_PER_CENT = {"%", "pct", "percent", "perc"}
_BY_MASS = {"wt", "w", "m", "weight", "mass"}
_SHARES = _PER_CENT | {"wt", "wtpct", "vol", "volpct", "content", "fraction", "share", "ratio"}
_SMALL = {"in", "by", "of", "the", "sd", "low", "high", "q"}


def is_bare(name: str) -> bool:
    """Whether a name is a carbon content, or a plain "wt%", that does not say of what.

    >>> is_bare("cb_wt_pct"), is_bare("wt%"), is_bare("cb_in_matrix_wt_pct")
    (True, True, False)
    """
    if str(name) == SHARE_OF_WHOLE:
        return False
    words = set(re.sub(r"[^a-z0-9%]+", " ", str(name).lower()).replace("%", " % ").split())
    if words & _CARBON:
        # any other word may be a basis, or one misspelt: the nearest column is the better advice
        known = words <= _CARBON | _FILLERS | _SHARES | _BY_MASS | _SMALL
        return known and (bool(words & _SHARES) or words <= _CARBON | _FILLERS)
    plain = words <= _PER_CENT | _BY_MASS and bool(words & _BY_MASS)
    return words == {"wtpct"} or words == {"wt"} or (plain and bool(words & _PER_CENT))


def no_basis(name: str) -> str:
    """Say what is wrong with a bare carbon content, and the bases to choose from."""
    legal = ", ".join(f"{column} ({meaning})" for column, meaning in BASES.items())
    return f"{name!r} does not say what the carbon is a share of; name the basis: {legal}"


def cb_parts_of(
    value: Any,
    basis: str,
    electrolyte_parts: Any = None,
    *,
    electrolyte_density: float = DENSITY["Li3InCl6"],
    carbon_density: float = DENSITY["carbon black"],
) -> Any:
    """Carbon black in parts per 100 parts of active material + electrolyte.

    Parameters
    ----------
    value : float or array
        Content on ``basis``, in parts or per cent.
    basis : str
        One of `BASES`.
    electrolyte_parts : float or array, optional
        Electrolyte, parts per 100 parts of active material + electrolyte; needed unless the basis
        is ``cb_parts`` or ``cb_in_composite_wt_pct``.
    electrolyte_density, carbon_density : float
        [g/mL]; only the basis by volume uses them.

    Returns
    -------
    float or array
        Shape of ``value`` and ``electrolyte_parts`` broadcast.

    Raises
    ------
    ValueError
        If the basis is none of `BASES`, the electrolyte is missing, or a number is impossible.
    """
    _check_basis(basis)
    check_densities(electrolyte_density, carbon_density)
    value = check_share(value, basis)
    if basis == "cb_parts":
        return value
    if basis == "cb_in_composite_wt_pct":
        return 100.0 * value / (100.0 - value)
    e = _electrolyte(electrolyte_parts, basis)
    if basis == "cb_per_electrolyte_wt_pct":
        return e * value / 100.0
    part = e * value / (100.0 - value)
    return part if basis == "cb_in_matrix_wt_pct" else part * carbon_density / electrolyte_density


def convert(
    value: Any,
    basis: str,
    to: str,
    electrolyte_parts: Any = None,
    *,
    electrolyte_density: float = DENSITY["Li3InCl6"],
    carbon_density: float = DENSITY["carbon black"],
) -> Any:
    """Carry a carbon content from one basis to another.

    Parameters and errors are those of `cb_parts_of`; ``to`` is the basis wanted.

    >>> round(convert(15.0, "cb_per_electrolyte_wt_pct", "cb_in_matrix_wt_pct", 20.0), 2)
    13.04
    """
    _check_basis(to)
    x = cb_parts_of(value, basis, electrolyte_parts, electrolyte_density=electrolyte_density,
                    carbon_density=carbon_density)
    if to == "cb_parts":
        return x
    if to == "cb_in_composite_wt_pct":
        return 100.0 * x / (100.0 + x)
    e = _electrolyte(electrolyte_parts, to)
    if to == "cb_per_electrolyte_wt_pct":
        return 100.0 * x / e
    if to == "cb_in_matrix_wt_pct":
        return 100.0 * x / (e + x)
    return 100.0 * x / (x + e * carbon_density / electrolyte_density)


def with_cb_parts(
    table: pd.DataFrame,
    *,
    electrolyte_density: float = DENSITY["Li3InCl6"],
    carbon_density: float = DENSITY["carbon black"],
    within: float = 0.02,
) -> pd.DataFrame:
    """Fill ``cb_parts`` from whichever basis a row gives.

    A row without any carbon content stays empty, and so does a pellet of matrix (``phase``) that
    names no ``electrolyte_parts``, for it has no active material to refer to. A bound on the
    content stays a bound: ``_censored`` and ``_q`` are carried over.

    Parameters
    ----------
    table : DataFrame
        With any of the columns of `BASES`, and ``electrolyte_parts``.
    electrolyte_density, carbon_density : float
        [g/mL]
    within : float
        How far two bases of one row may differ in ``cb_parts``, as a share of the larger; printed
        contents are rounded.

    Returns
    -------
    DataFrame
        A copy with a column ``cb_parts``.

    Raises
    ------
    TableError
        Naming every row whose bases contradict each other, or whose electrolyte is missing, and
        every column that is a carbon content without a basis.
    """
    problems = [
        Problem(None, c, None, no_basis(c)) for c in map(str, table.columns) if is_bare(c)
    ]
    densities = {"electrolyte_density": electrolyte_density, "carbon_density": carbon_density}
    parts: list[float] = []
    marks: dict[str, list[str | None]] = {"_q": [], "_censored": []}
    for label, row in zip(table.index, table.to_dict("records"), strict=True):
        known, wrong = _parts_of_row(label, row, densities)
        if not wrong and (odd := _contradiction(label, row, known, within)):
            wrong = [odd]
        problems += wrong
        first = next(iter(known), "")
        parts.append(known.get(first, np.nan))
        for suffix, told in marks.items():
            mark = row.get(first + suffix)
            told.append(mark if isinstance(mark, str) else None)
    if problems:
        raise TableError("carbon content", problems)
    out = table.copy()
    out["cb_parts"] = parts
    for suffix, told in marks.items():
        if f"cb_parts{suffix}" in table or any(told):
            out[f"cb_parts{suffix}"] = pd.Series(told, index=table.index, dtype=object)
    return out


def _parts_of_row(
    label: Any, row: dict[Any, Any], densities: dict[str, float]
) -> tuple[dict[str, float], list[Problem]]:
    """Return ``cb_parts`` by each basis that a row gives, and what keeps it from being told."""
    known: dict[str, float] = {}
    problems: list[Problem] = []
    e = _given(row, "electrolyte_parts")
    for basis in BASES:
        value = _given(row, basis)
        if np.isnan(value):
            continue
        if basis in _NEEDS_ELECTROLYTE and np.isnan(e):
            if row.get("phase") != "matrix":
                problems.append(Problem(label, "electrolyte_parts", "nothing", (
                    "the electrolyte's parts of 100 parts of active material + electrolyte; "
                    f"{basis} cannot be converted without")))
            continue
        try:
            known[basis] = float(cb_parts_of(value, basis, e, **densities))
        except ValueError as error:
            problems.append(Problem(label, basis, None, str(error)))
    return known, problems


def _given(row: dict[Any, Any], name: str) -> float:
    value = row.get(name)
    return np.nan if value is None else float(value)


def _contradiction(
    label: Any, row: dict[Any, Any], known: dict[str, float], within: float
) -> Problem | None:
    first = next(iter(known), "")
    for basis, x in known.items():
        if abs(x - known[first]) > within * max(x, known[first]):
            return Problem(label, basis, f"{row[basis]:g}", (
                f"the same powder as {first} = {row[first]:g}, but they are {x:.3g} and "
                f"{known[first]:.3g} parts per 100 parts of active material + electrolyte; "
                "correct one, or leave it empty"))
    return None


def _check_basis(basis: str) -> None:
    if basis not in BASES:
        raise ValueError(no_basis(basis))


def check_densities(*densities: float) -> None:
    """Raise ValueError for a density [g/mL] that is not above 0."""
    for rho in densities:
        if not (np.isfinite(rho) and rho > 0):
            raise ValueError(f"a density is {rho!r}; it must be above 0 g/mL")


def _numbers(value: Any) -> np.ndarray | None:
    """Read the numbers of a value; None of a symbolic array, for they are not known yet."""
    try:
        return np.asarray(value, dtype="float64")
    except (TypeError, ValueError):
        return None


def check_share(value: Any, name: str) -> Any:
    """Refuse what cannot be, and return it; a list becomes an array."""
    if isinstance(value, (str, bytes, bool)) or value is None:
        raise ValueError(f"{name} is {value!r}; it must be a number")
    numbers = _numbers(value)
    if numbers is None:
        return value
    if name == "electrolyte_parts":
        bad, rule = (numbers < 0) | (numbers > 100), "0 to 100"
    elif name in ("cb_parts", "cb_per_electrolyte_wt_pct"):
        bad, rule = numbers < 0, "at least 0"
    else:
        bad, rule = (numbers < 0) | (numbers >= 100), "at least 0 and below 100"
    if np.any(bad):
        raise ValueError(f"{name} is {numbers[bad].flat[0]:g}; it must be {rule}")
    return numbers if isinstance(value, (list, tuple)) else value


def _electrolyte(parts: Any, basis: str) -> Any:
    if parts is None:
        raise ValueError(f"{basis} needs electrolyte_parts, the electrolyte's parts of 100 parts "
                         "of active material + electrolyte (20 for 80:20)")
    parts = check_share(parts, "electrolyte_parts")
    numbers = _numbers(parts)
    if numbers is not None and np.any(numbers == 0):
        raise ValueError(f"electrolyte_parts is 0; {basis} is a share of electrolyte, which this "
                         "composite lacks: use cb_parts or cb_in_composite_wt_pct")
    return parts
