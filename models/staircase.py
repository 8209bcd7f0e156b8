"""Conductivity from a direct-current staircase: steady current against voltage steps.

A composite between contacts that stop one carrier passes the other alone at direct current. A line
through its steps,

    I = I_0 + V / R + d t,    sigma = L / (R A),

has the resistance as its slope, a current at no voltage (leak, offset of the instrument, a voltage
of the cell's own) as its intercept, and a drift along the order of the steps where that order is
not the voltages' own (a staircase that goes up and down). Under noise of equal, unknown size the
slope's posterior is a Student-t, exactly; thickness and area add their errors. Three departures are
tested together by an F test each: a bend (V^2, V^3), and a conductance that changes from step to
step (V t). One that moves the slope by more than ``TOLERANCE`` refuses the staircase, a smaller one
widens the interval by its size.

Sources: sigma = L / (R A) and the comparison with impedance, Alabdali et al. (2024), doi
10.1002/batt.202400709, lines 76 and 195-197; no current of it is printed. The regression is the
usual one with a flat prior on line and logarithm of the noise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ..data.problems import Problem, TableError
from ..data.validation import validate
from .blocking_cells import geometry_error
from .transmission_line import ELECTRON, ION, SERIES_COLUMN, conductivity_mS_cm

VOLTAGE, CURRENT = "voltage_step_mV", "current_uA"
LABELS = ("study", "lot", "run", "batch", "cell")
FEWEST = 5
"""Steps that a staircase needs: three numbers of the line, and two steps to judge them by."""
LEVEL = 0.01
"""Share of straight, steady staircases of which a departure is said."""
TOLERANCE = 0.03
"""Relative change of the slope up to which a departure is taken into the interval."""
ALIASED = 0.95
"""Correlation of voltage and order of the steps from which a drift is not told from a slope."""
DRAWS = 20_000


@dataclass(frozen=True)
class Staircases:
    """Answer of ``staircases``.

    Attributes
    ----------
    table : DataFrame
        One row a cell; columns as in ``staircases``.
    draws : dict
        Position in ``table`` -> draws of the conductivity, mS/cm.
    sentences : list of str
    """

    table: pd.DataFrame
    draws: dict[int, np.ndarray] = field(repr=False)
    sentences: list[str]

    def __str__(self) -> str:
        return "\n".join(self.sentences)


def staircases(steps: pd.DataFrame, *, seed: int = 1) -> Staircases:
    """Conductivity of each cell from its staircase.

    Parameters
    ----------
    steps
        One row a step, in the order in which they were held (or with ``time_s``):
        ``voltage_step_mV``, ``current_uA``, ``thickness_um``, ``area_cm2`` (or
        ``cell_diameter_mm``), ``blocking``; a label ``cell`` where there are several;
        ``thickness_um_sd`` and ``area_cm2_sd`` where they are known (3 % and 1 % otherwise);
        ``series_ohm_cm2`` (with ``_sd``) to be taken off.
    seed
        Of the draws.

    Returns
    -------
    Staircases
        With ``table`` of the labels; ``electronic_mS_cm`` where ions are blocked and
        ``ionic_mS_cm`` where electrons are (medians), with ``_sd``, ``_low``, ``_high`` (90 %
        equal-tailed); ``resistance_ohm`` with the same; ``offset_uA`` and ``offset_p`` (of no
        offset); ``drift_uA``, from the first step to the last, and ``drift_p``, empty where the
        steps do not tell it; ``bend_p``, ``change_p`` and ``departure``, the largest relative
        change of the slope by a departure that is told; ``noise_uA``; ``status``, ``reason``.

    Raises
    ------
    data.TableError
        Naming what is missing or cannot be: fewer than ``FEWEST`` steps, one voltage only,
        currents that run against their voltages, values that change within a cell.
    """
    table = _checked(steps)
    rows, draws, sentences = [], {}, []
    for position, (labels, part) in enumerate(_cells(table)):
        found, drawn = _one(part, np.random.default_rng([seed, position, 41]))
        rows.append({**labels, "blocking": part["blocking"].iloc[0],
                     "technique": "direct current", **found})
        if drawn is not None:
            draws[position] = drawn
        named = " ".join(str(v) for v in labels.values() if v is not None)
        sentences.append(f"{named}: {_sentence(rows[-1])}" if named else _sentence(rows[-1]))
    return Staircases(pd.DataFrame(rows), draws, sentences)


def _checked(steps: pd.DataFrame) -> Any:
    needs = {VOLTAGE: "in mV", CURRENT: "in uA", "thickness_um": "in um",
             "blocking": "'ion' or 'electron': which carrier the contacts stop"}
    # a voltage that comes twice, going up and coming down, is two readings: a step tells them apart
    numbered = isinstance(steps, pd.DataFrame) and "time_s" not in steps
    table: Any = validate(steps.assign(time_s=np.arange(len(steps), dtype=float)) if numbered
                          else steps, where="staircase", open=True)
    if numbered:
        table = table.drop(columns="time_s")
    problems = [Problem(None, name, None, f"this column is missing ({what})")
                for name, what in needs.items() if name not in table]
    if "area_cm2" not in table and "cell_diameter_mm" not in table:
        problems.append(Problem(None, "area_cm2", None, "this column is missing (in cm2); give it, "
                                "or cell_diameter_mm"))
    if problems:
        raise TableError("staircase", problems)
    if "area_cm2" not in table:
        table["area_cm2"] = np.pi / 4 * (table["cell_diameter_mm"] / 10) ** 2
    for name in (*needs, "area_cm2"):
        problems += [Problem(row, name, None, "this cell is empty")
                     for row in table.index[table[name].isna()]]
    if problems:
        raise TableError("staircase", problems)
    for labels, part in _cells(table):
        problems += _cell_problems(part, str(labels.get("cell") or "the cell"))
    if problems:
        raise TableError("staircase", problems)
    return table


def _cell_problems(part: Any, label: str) -> list[Problem]:
    first, problems = part.index[0], []
    for name in ("thickness_um", "area_cm2", "blocking", SERIES_COLUMN):
        if name in part and part[name].nunique(dropna=False) > 1:
            problems.append(Problem(first, name, f"{part[name].nunique(dropna=False)} values",
                                    f"one value in the staircase of {label}; are these two cells "
                                    "without labels?"))
    if len(part) < FEWEST:
        problems.append(Problem(first, VOLTAGE, f"{len(part)} steps",
                                f"at least {FEWEST} of {label}: a line, a drift, and what is left "
                                "to judge them by"))
        return problems
    v, i = part[VOLTAGE].to_numpy(float), part[CURRENT].to_numpy(float)
    if len(np.unique(v)) < 3:
        problems.append(Problem(first, VOLTAGE, f"{len(np.unique(v))} different voltages",
                                f"at least three of {label}: two cannot show a bend"))
    elif np.cov(v, i)[0, 1] <= 0:
        problems.append(Problem(first, CURRENT, None, f"currents of {label} do not rise with the "
                                "voltage; has a sign been lost, or have the columns changed "
                                "places?"))
    return problems


def _cells(table: pd.DataFrame) -> list[tuple[dict[str, Any], Any]]:
    names = [name for name in LABELS if name in table]
    if not names:
        return [({}, table)]
    groups: Any = table.groupby(names, sort=False, dropna=False)
    return [(dict(zip(names, key, strict=True)), part) for key, part in groups]


def _one(part: Any, rng: np.random.Generator) -> tuple[dict[str, Any], np.ndarray | None]:
    """Columns of the answer and draws of the conductivity of one cell."""
    v, i = part[VOLTAGE].to_numpy(float), part[CURRENT].to_numpy(float)
    order = (part["time_s"].to_numpy(float) if "time_s" in part and part["time_s"].notna().all()
             else np.arange(len(part), dtype=float))
    t = (order - order[0]) / np.ptp(order) if np.ptp(order) > 0 else np.zeros(len(v))
    scale = np.abs(v).max()
    x = v / scale
    told_apart = len(v) > FEWEST and abs(np.corrcoef(x, t)[0, 1]) < ALIASED
    basis = np.column_stack([np.ones_like(x), x, t] if told_apart else [np.ones_like(x), x])
    line = _Line.through(basis, i)
    out: dict[str, Any] = {
        "noise_uA": line.noise, "offset_uA": float(line.at[0]), "offset_p": line.p(0),
        "drift_uA": float(line.at[2]) if told_apart else np.nan,
        "drift_p": line.p(2) if told_apart else np.nan}
    departure, why = 0.0, []
    extras = {"bend": np.column_stack([x**2, x**3])}
    if told_apart:
        extras["change"] = (x * (t - 0.5))[:, None]
    for name, extra in extras.items():
        p, moved = _departure(basis, extra, i, line, x)
        out[f"{name}_p"] = p
        if p < LEVEL:
            departure = max(departure, moved)
            text = ("the current is not proportional to the voltage" if name == "bend" else
                    "the conductance changes from step to step")
            why.append(f"{text} (p = {p:.2g}, {100 * moved:.2g} % of the slope)")
    out["change_p"] = out.get("change_p", np.nan)
    out["departure"] = departure
    if departure > TOLERANCE:
        return _failed(out, part, "; ".join(why) + ": use smaller steps and wait until each "
                       "current is steady"), None
    freedom = len(i) - basis.shape[1]
    slope = line.at[1] + line.sd(1) * rng.standard_t(freedom, DRAWS)
    slope = slope * (1 + departure * rng.uniform(-1, 1, DRAWS))
    if (slope <= 0).mean() > 0.05:
        return _failed(out, part, "the noise of the currents hides their slope: larger steps, or "
                       "a smaller current range"), None
    resistance = 1e3 * scale / slope[slope > 0]  # mV / uA is kiloohm
    area = float(part["area_cm2"].iloc[0])
    if SERIES_COLUMN in part and part[SERIES_COLUMN].notna().all():
        read = float(part[SERIES_COLUMN].iloc[0])
        sd = (float(part[f"{SERIES_COLUMN}_sd"].iloc[0])
              if f"{SERIES_COLUMN}_sd" in part else 0.02 * read)
        resistance = resistance - (read + sd * rng.normal(size=len(resistance))) / area
        if (resistance <= 0).mean() > 0.05:
            return _failed(out, part, "the series resistance is the whole of it: the electrode "
                           "is not seen"), None
        resistance = resistance[resistance > 0]
    off = np.exp(geometry_error(part) * rng.normal(size=len(resistance)))
    sigma = conductivity_mS_cm(float(part["thickness_um"].iloc[0]), resistance, area) * off
    rail = "electronic" if part["blocking"].iloc[0] == ION else "ionic"
    out |= _summary("resistance_ohm", resistance) | _summary(f"{rail}_mS_cm", sigma)
    note = [] if told_apart else ["a drift cannot be told from the slope: the order of the steps "
                                  "is that of the voltages; go up and down"]
    return out | {"status": "done", "reason": "; ".join([*why, *note])}, sigma


@dataclass(frozen=True)
class _Line:
    """Least squares: coefficients, residual sd, the inverse of the normal equations, freedom."""

    at: np.ndarray
    noise: float
    inverse: np.ndarray
    freedom: int
    squares: float

    @classmethod
    def through(cls, basis: np.ndarray, y: np.ndarray) -> _Line:
        at = np.linalg.lstsq(basis, y, rcond=None)[0]
        off = y - basis @ at
        freedom = len(y) - basis.shape[1]
        squares = float(off @ off)
        return cls(at, float(np.sqrt(squares / freedom)), np.linalg.inv(basis.T @ basis), freedom,
                   squares)

    def sd(self, k: int) -> float:
        return self.noise * float(np.sqrt(self.inverse[k, k]))

    def p(self, k: int) -> float:
        """Two-sided p of no such coefficient."""
        from scipy.stats import t as student

        return float(2 * student.sf(abs(self.at[k]) / max(self.sd(k), 1e-300), self.freedom))


def _departure(basis: np.ndarray, extra: np.ndarray, y: np.ndarray, line: _Line,
               x: np.ndarray) -> tuple[float, float]:
    """p of the line without the extra terms, and how far they move the slope, relative."""
    from scipy.stats import f as f_distribution

    full = np.column_stack([basis, extra])
    freedom = len(y) - full.shape[1]
    if freedom < 1 or np.linalg.matrix_rank(full) < full.shape[1]:
        return float("nan"), 0.0
    bent = _Line.through(full, y)
    count = extra.shape[1]
    ratio = (line.squares - bent.squares) / count / max(bent.squares / freedom, 1e-300)
    p = float(f_distribution.sf(max(ratio, 0.0), count, freedom))
    added = extra @ bent.at[basis.shape[1]:]
    largest = np.abs(added[np.abs(x) > 0.2]).max() if (np.abs(x) > 0.2).any() else 0.0
    at_zero = abs(bent.at[1] - line.at[1])
    return p, float(max(largest, at_zero) / abs(line.at[1]))


def _summary(name: str, values: np.ndarray) -> dict[str, float]:
    low, median, high = (float(q) for q in np.quantile(values, [0.05, 0.5, 0.95]))
    return {name: median, f"{name}_sd": median * float(np.log(values).std()),
            f"{name}_low": low, f"{name}_high": high}


def _failed(out: dict[str, Any], part: Any, why: str) -> dict[str, Any]:
    rail = "ionic" if part["blocking"].iloc[0] == ELECTRON else "electronic"
    blank = {f"{name}{end}": np.nan for name in ("resistance_ohm", f"{rail}_mS_cm")
             for end in ("", "_sd", "_low", "_high")}
    return out | blank | {"status": "failed", "reason": why}


def _sentence(found: dict[str, Any]) -> str:
    if found["status"] == "failed":
        return f"refused: {found['reason']}"
    rail = "ionic" if found["blocking"] == ELECTRON else "electronic"
    name = f"{rail}_mS_cm"
    text = (f"{rail} {found[name]:.4g} mS/cm (90 % interval {found[f'{name}_low']:.4g} to "
            f"{found[f'{name}_high']:.4g}, equal-tailed)")
    if found["offset_p"] < LEVEL:
        text += f"; {found['offset_uA']:.3g} uA flow at no voltage"
    if found["drift_p"] < LEVEL:
        text += f"; the current has drifted by {found['drift_uA']:.3g} uA, which is taken off"
    return f"{text}; {found['reason']}" if found["reason"] else text
