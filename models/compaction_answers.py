"""What users ask of compaction: yield pressures, the transformed regression, labelled densities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..data.pressing import DENSITY, HIGHEST, NOW, STATE
from ..data.problems import Problem, TableError
from .compaction_rows import IN, OUT, PHI, YIELD
from .engine.encode import NOT_DONE, number, text
from .heckel import heckel_transform, mean_yield_pressure

if TYPE_CHECKING:
    from .engine.fit import Fit

NAMES = {IN: "in die", OUT: "out of die"}
NEAR_PHI = 0.1
"""A composite counts as measured where one of a like share of active material was."""


def heckel_lines(table: pd.DataFrame, *, above_MPa: float) -> pd.DataFrame:
    """Heckel's line through transformed densities, pellet by pellet and state by state.

    The classical evaluation: ln 1/(1 - rho) = K p + A by unweighted least squares over the first
    compression, P_y = 1/K. On the transformed axis an error of the density is 1/(1 - rho) times
    as large, 3 times at 0.95 of what it is at 0.85, so the densest readings rule the line; and in
    the die elastic compression is part of the slope. The model avoids both.

    Parameters
    ----------
    table
        Rows with ``pelletizing_MPa``, ``relative_density`` and ``density_state``; a density that
        is a bound is no point of a line, and left out.
    above_MPa
        Lowest pressure of the line: the regime boundary. What was pressed less is rearranging,
        and left out.

    Returns
    -------
    DataFrame
        Index ``density_state``, ``lot``, ``cell``; ``yield_pressure_MPa`` with the standard error
        of the line (no interval of the powder: readings of one pellet are no replicates),
        ``slope_1_MPa`` and ``intercept`` with theirs, ``readings``, ``left_out``.

    Raises
    ------
    TableError
        If a reading to be transformed is 1 or above, or a density has no state; every one named.
    ValueError
        If no pellet has three readings above the boundary.
    """
    density, highest = number(table, DENSITY), number(table, HIGHEST)
    status, kind = text(table, "status"), text(table, "kind")
    usable = (~np.isnan(density) & ~np.isnan(highest) & ~status.isin(NOT_DONE).to_numpy()
              & kind.ne("statement").to_numpy()
              & text(table, f"{DENSITY}_censored").eq("").to_numpy())
    state = text(table, STATE)
    problems = [Problem(label, STATE, None, "'in die' or 'out of die': the two are never pooled")
                for label in table.index[usable & state.eq("").to_numpy()]]
    inside = state.eq("in die").to_numpy()
    now = number(table, NOW)
    sweeping = np.isnan(now) | np.isclose(now, highest)
    first = (number(table, "cycle", 1.0) == 1.0) & text(table, "sweep").ne("release").to_numpy()
    usable &= first & (~inside | sweeping)
    line = usable & (highest >= above_MPa * (1.0 - 1e-9))
    for label in table.index[line & (density >= 1.0)]:
        problems.append(Problem(
            label, DENSITY, f"{float(density[table.index.get_loc(label)]):.6g}",
            "a density below 1, for ln 1/(1 - density) of this one does not exist. In the die such "
            "a reading is no error: the model keeps it (method='model'); a line leaves it out only "
            "if you do, and is then too flat at its end"))
    if problems:
        raise TableError("Heckel's line", problems)
    keys = pd.DataFrame({STATE: state, "lot": text(table, "lot"), "cell": text(table, "cell")})
    found = []
    groups: dict[Any, Any] = keys[usable].groupby([STATE, "lot", "cell"], sort=False).indices
    for key, at in groups.items():
        rows = np.flatnonzero(usable)[at]
        above = rows[line[rows]]
        if len(above) < 3 or len(np.unique(highest[above])) < 2:
            continue
        found.append(dict(zip((STATE, "lot", "cell"), key, strict=True))
                     | _line(highest[above], heckel_transform(density[above]))
                     | {"readings": len(above), "left_out": len(rows) - len(above)})
    if not found:
        raise ValueError(
            f"no pellet has three first compressions at {above_MPa:g} MPa or more: a line needs "
            "them. What was pressed less is in the early regime; fit the model instead")
    return pd.DataFrame(found).set_index([STATE, "lot", "cell"])


def _line(pressure: np.ndarray, transformed: np.ndarray) -> dict[str, float]:
    from scipy.stats import linregress

    fit: Any = linregress(pressure, transformed)
    y_p = float(mean_yield_pressure(fit.slope))
    return {YIELD: y_p, "standard error, MPa": float(fit.stderr) * y_p**2,
            "slope_1_MPa": float(fit.slope), "standard error of the slope": float(fit.stderr),
            "intercept": float(fit.intercept),
            "standard error of the intercept": float(fit.intercept_stderr)}


def yield_pressures(
    given: Fit | pd.DataFrame, *, method: str = "model", above_MPa: float | None = None,
    level: float = 0.9, seed: int = 1,
) -> pd.DataFrame:
    """Mean yield pressures in the die and out of it, which are two quantities.

    Parameters
    ----------
    given
        A fit of ``models.get("compaction")``, or a table (which is then fitted).
    method
        ``"model"``: posterior on the density scale. ``"classical"``: ``heckel_lines`` of the table,
        see there; needs ``above_MPa``.
    above_MPa
        Regime boundary of the classical line; the model has its own.
    level
        Level of the equal-tailed intervals.
    seed
        Seed of the fit, where a table is given.

    Returns
    -------
    DataFrame
        For the model one row a state, powder and sieve fraction that has a reading, and one a
        state for a typical powder of the kind: median and interval (MPa), ``readings``,
        ``sd_over_prior_sd`` of ln P_y, ``informed_by``.

    Raises
    ------
    ValueError
        If the method is unknown, the boundary is missing or the fit is of another model.
    """
    if method == "classical":
        if above_MPa is None:
            raise ValueError("method='classical' needs above_MPa, the pressure from which the "
                             "Heckel plot is a line (the posterior of the regime boundary tells)")
        table = given if isinstance(given, pd.DataFrame) else given.table
        return heckel_lines(table, above_MPa=above_MPa)
    if method != "model":
        raise ValueError(f"method={method!r} is neither 'model' nor 'classical'")
    if isinstance(given, pd.DataFrame):
        from .compaction import MODEL

        given = MODEL.fit(given, seed=seed)
    settings, readings = _powders(_checked(given))
    columns = _columns(given, settings)
    draws = np.log(_posterior(given, "yield_pressure", columns))
    prior = np.log(_prior(given, "yield_pressure", columns))
    edge = (1.0 - level) / 2.0
    low, median, high = np.exp(np.quantile(draws, [edge, 0.5, 1.0 - edge], axis=0))
    ratio = draws.std(axis=0) / prior.std(axis=0)
    name = f"{100 * level:.4g} % equal-tailed interval"
    return settings[[STATE, "lot", "sieve"]].assign(**{
        "median, MPa": median, f"{name}, low": low, f"{name}, high": high,
        "readings": readings, "sd_over_prior_sd": ratio,
        "informed_by": [_informed(r) for r in ratio]})


def _informed(ratio: float) -> str:
    from .engine.fit import FROM_PRIOR

    return "from the prior" if ratio > FROM_PRIOR else "data"


def _checked(fit: Fit) -> Fit:
    if fit.model.name != "compaction":
        raise ValueError(f"the fit is of {fit.model.name!r}; this needs one of 'compaction'")
    return fit


def _powders(fit: Fit) -> tuple[pd.DataFrame, list[int]]:
    """Settings of every powder with a reading in each state, then of a typical one."""
    columns, levels = fit.encoded.columns, fit.encoded.levels
    read = np.concatenate([columns[f"{name}__row"] for name in (DENSITY, YIELD)])
    codes = ("density_state", "lot", "sieve", "d50_um", PHI)
    seen = pd.DataFrame({name: columns[name][read.astype(int)] for name in codes})
    rows, count = [], []
    groups: Any = seen.groupby([STATE, "lot", "sieve", "d50_um"], sort=True)
    for key, part in groups:
        state, lot, sieve, size = (float(v) for v in key)
        rows.append({STATE: NAMES[state], "lot": levels["lot"][int(lot) - 1],
                     "sieve": levels["sieve"][int(sieve) - 1] if sieve else "", "d50_um": size})
        count.append(len(part))
    for state in (IN, OUT):
        rows.append({STATE: NAMES[state], "lot": "", "sieve": "", "d50_um": np.nan})
        count.append(int(np.sum(seen[STATE].to_numpy() == state)))
    return pd.DataFrame(rows).assign(**{HIGHEST: 1000.0, NOW: 0.0}), count


def _columns(fit: Fit, settings: pd.DataFrame) -> dict[str, np.ndarray]:
    """Encoded settings, with a typical powder or sieve fraction where none is named."""
    from .engine.response import setting_columns

    named = [name for name in ("lot", "sieve", "cell") if name in settings]
    columns = setting_columns(fit, settings.drop(columns=named))
    for group in ("lot", "sieve"):
        slots: dict[str, int] = {}
        for slot, label in enumerate(fit.encoded.levels[group], 1):
            slots |= {label: slot, label.rpartition(" / ")[2]: slot}
        labels = text(settings, group)
        for label in set(labels) - {""} - set(slots):
            raise ValueError(f"{label!r} is no {group} of this fit; it knows: "
                             f"{', '.join(fit.encoded.levels[group])}. Leave it empty for a "
                             "typical one")
        columns[group] = np.array([slots.get(label, 0) for label in labels], dtype="int64")
    return columns


def _posterior(fit: Fit, quantity: str, columns: dict[str, np.ndarray]) -> np.ndarray:
    """Posterior draws of a reported quantity, ``(draws, settings)``."""
    from .engine.response import at_rows

    name = f"quantity:{quantity}"
    return at_rows(fit.graph, columns, (name,), fit.variables())[name]


def _prior(
    fit: Fit, quantity: str, columns: dict[str, np.ndarray], draws: int = 4000
) -> np.ndarray:
    """Prior draws of a reported quantity, ``(draws, settings)``."""
    from .engine.response import at_rows

    rng = np.random.default_rng(11)
    parameters: dict[str, np.ndarray] = {}
    for name, shape in fit.graph.shapes.items():
        parameters[name] = (rng.normal(size=(draws, *shape)) if name in fit.graph.registry.effects
                            else fit.priors[name].draw(rng, (draws, *shape)))
    name = f"quantity:{quantity}"
    return at_rows(fit.graph, columns, (name,), fit.graph.variables(parameters))[name]


def densities(fit: Fit, settings: pd.DataFrame, *, level: float = 0.9) -> pd.DataFrame:
    """Expected densities at settings, each with what it rests on.

    Parameters
    ----------
    fit
        A fit of ``models.get("compaction")``.
    settings
        ``pelletizing_MPa``; ``density_state`` (out of the die where it is not said), ``stack_MPa``,
        ``active_volume_fraction``, ``d50_um``, ``cycle`` as far as they matter; ``lot`` and
        ``sieve`` name known powders.
    level
        Level of the equal-tailed intervals.

    Returns
    -------
    DataFrame
        Per setting: median and interval of the density, the probability that the pressure is
        below the regime boundary, ``sd_over_prior_sd``, ``informed_by`` ("data" or "from the
        prior") and ``why``. A number is the prior's where its width is (ratio above 0.8), where
        no density was read in that state or at a like share of active material, and where the
        pressure is more likely than not in the early regime and nothing was read so low.
    """
    fit = _checked(fit)
    columns = _columns(fit, settings)
    draws = _posterior(fit, "expected_density", columns)
    prior = _prior(fit, "expected_density", columns)
    ratio = draws.std(axis=0) / prior.std(axis=0)
    boundary = fit.parameters()["compaction.regime_boundary"].reshape(-1, 1)
    below = (columns[HIGHEST][None, :] < boundary).mean(axis=0)
    why = [_reasons(fit, {k: float(columns[k][s]) for k in (STATE, HIGHEST, PHI)},
                    float(below[s]), float(ratio[s])) for s in range(len(settings))]
    edge = (1.0 - level) / 2.0
    low, median, high = np.quantile(draws, [edge, 0.5, 1.0 - edge], axis=0)
    name = f"{100 * level:.4g} % equal-tailed interval"
    return pd.DataFrame({
        HIGHEST: columns[HIGHEST], STATE: [NAMES[s] for s in columns[STATE]], PHI: columns[PHI],
        "median": median, f"{name}, low": low, f"{name}, high": high,
        "P(below the regime boundary)": below, "sd_over_prior_sd": ratio,
        "informed_by": ["from the prior" if said else "data" for said in why],
        "why": ["; ".join(said) for said in why]}, index=settings.index)


def _reasons(fit: Fit, at: dict[str, float], below: float, ratio: float) -> list[str]:
    from .engine.fit import FROM_PRIOR

    columns = fit.encoded.columns
    rows = columns[f"{DENSITY}__row"]
    read = {name: columns[name][rows] for name in (STATE, HIGHEST, PHI)}
    same = read[STATE] == at[STATE]
    why = []
    if not same.any():
        why.append(f"no density {NAMES[at[STATE]]} was read")
    like = np.abs(read[PHI] - at[PHI]) <= NEAR_PHI
    if not (same & like).any():
        what = (f"with about {at[PHI]:.2f} of active material by volume" if at[PHI] > 0
                else "without active material")
        why.append(f"no density of a solid {what} was read")
    low = read[HIGHEST][same & like] <= 1.1 * at[HIGHEST]
    if below > 0.5 and not low.any():
        why.append(f"{at[HIGHEST]:g} MPa is in the early regime with probability {below:.2f}, and "
                   "no density was read at so low a pressure")
    if ratio > FROM_PRIOR:
        why.append(f"its interval is {ratio:.2f} of the prior's")
    return why
