"""Spaces and checks for pressing: what a pellet has seen cannot be taken back.

The highest pressure so far only rises. A pellet can be measured at any lower stack pressure and
pressed higher; for a lower pelletising pressure it takes a new pellet.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .errors import SpaceError, did_you_mean
from .factors import Choice, Factor, Real
from .space import Space

HIGHEST, NOW = "pelletizing_MPa", "stack_MPa"
LEVELS = ("study", "mill", "run", "batch", "lot", "sieve", "cell")
LARGEST_MPA = 1700.0


def pressing(
    *, pressed_MPa: float | None = None, largest_MPa: float = LARGEST_MPA,
    stack_MPa: tuple[float, ...] = (10.0, 100.0), sieve: tuple[str, ...] = (),
) -> Space:
    """Pelletising pressure, stack pressure and, if wanted, sieve fraction.

    Parameters
    ----------
    pressed_MPa
        Highest pressure that the pellet in hand has seen; settings below are no longer possible.
        Without it, settings are for new pellets.
    largest_MPa
        What the press and the die bear.
    stack_MPa
        Stack pressures to choose from.
    sieve
        Sieve fractions to choose from; a factor of new pellets only.

    Returns
    -------
    Space
        ``pelletizing_MPa`` 10 MPa to the largest (log), with the rule that the stack pressure
        never exceeds it.

    Raises
    ------
    SpaceError
        If the pellet has seen more than the largest pressure, or a sieve fraction is asked of a
        pellet that is pressed already.

    Notes
    -----
    Range, and what is known of its ends: doi 10.1002/aenm.202203873, lines 79, 158 to 168, 201.
    """
    if pressed_MPa is not None and not 0 < pressed_MPa < largest_MPa:
        raise SpaceError(
            f"pressed_MPa={pressed_MPa:g}: the pellet has seen that already, and the largest "
            f"pressure is {largest_MPa:g} MPa; take a new pellet or raise largest_MPa")
    if pressed_MPa is not None and sieve:
        raise SpaceError("a pellet that is pressed has its sieve fraction; leave sieve out, or "
                         "pressed_MPa for new pellets")
    factors: list[Factor] = [Real(HIGHEST, 10, largest_MPa, log=True),
                             Choice(NOW, list(stack_MPa))]
    if sieve:
        factors.append(Choice("sieve", list(sieve), hard=True))
    rules = [f"{NOW} <= {HIGHEST}"]
    if pressed_MPa is not None:
        rules.append(f"{HIGHEST} >= {pressed_MPa!r}")
    return Space(factors, rules, soft={
        f"{HIGHEST} < 300": "under-compacted: conductivity still rises with pressing (line 160)",
        f"{HIGHEST} > 1000": "little to gain for a glass-ceramic thiophosphate above some 500 MPa; "
        "side phase and cracks were found at 1700 MPa (lines 98, 154, 160)",
        f"{NOW} <= 10": "contacts and cracks rule the reading (lines 158, 166)",
    })


def in_hand(space: Space) -> bool:
    """Whether all settings are for one pellet that has been pressed already (`pressing`)."""
    told = any(rule.startswith(f"{HIGHEST} >= ") for rule in space.constraints)
    return told and set(space.names) <= {HIGHEST, NOW}


def check_pressing(proposed: pd.DataFrame, recorded: pd.DataFrame) -> pd.DataFrame:
    """Hold proposed pressures against what each pellet has seen.

    Parameters
    ----------
    proposed
        Rows with ``pelletizing_MPa`` and, for a pellet in hand, its label (``cell``, with ``lot``,
        ``sieve`` and so on where labels repeat), in the order they are to be run. Rows without a
        label are new pellets.
    recorded
        Rows that were run.

    Returns
    -------
    DataFrame
        The proposed rows with ``pressed_MPa``: what the pellet has seen before (NaN if new).

    Raises
    ------
    SpaceError
        Naming every row that asks for less than its pellet has seen, or for a stack pressure above
        its pelletising pressure.
    """
    for name, table in (("proposed", proposed), ("recorded", recorded)):
        if HIGHEST not in table:
            raise SpaceError(f"the {name} rows have no column {HIGHEST}"
                             + did_you_mean(HIGHEST, table.columns))
    by = [c for c in LEVELS if c in proposed and c in recorded]
    seen: dict[tuple[str, ...], float] = {}
    for _, row in recorded.iterrows():
        key = _key(row, by)
        if key is not None:
            seen[key] = np.fmax(seen.get(key, -np.inf), _highest(row))
    wrong, before = [], []
    for label, row in proposed.iterrows():
        key = _key(row, by)
        asked, now = _number(row, HIGHEST), _number(row, NOW)
        peak = seen.get(key, -np.inf) if key is not None else -np.inf
        before.append(peak if np.isfinite(peak) else np.nan)
        if asked < peak * (1 - 1e-9):
            wrong.append(
                f"row {label}: {HIGHEST} = {asked:g}, but pellet {row['cell']!r} has seen "
                f"{peak:g} MPa, which cannot be undone; take a new pellet, or {peak:g} and more")
        if now > asked * (1 + 1e-9):
            wrong.append(f"row {label}: {NOW} = {now:g} is above {HIGHEST} = {asked:g}, the "
                         "highest pressure so far")
        if key is not None:
            seen[key] = float(np.fmax(peak, asked))
    if wrong:
        raise SpaceError("; ".join(wrong))
    return proposed.assign(pressed_MPa=before)


def _key(row: Any, by: list[str]) -> tuple[str, ...] | None:
    """Label of a row's pellet; None for one that has none."""
    if "cell" not in row or pd.isna(row["cell"]) or str(row["cell"]) == "":
        return None
    return tuple("" if pd.isna(row[name]) else str(row[name]) for name in by)


def _number(row: Any, name: str) -> float:
    return float(row[name]) if name in row and not pd.isna(row[name]) else -np.inf


def _highest(row: Any) -> float:
    return max(_number(row, HIGHEST), _number(row, NOW))
