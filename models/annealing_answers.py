"""Answers from a fit of the annealing model: the best temperature, and what each statement adds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import annealing_kinetics as kinetics
from .best_setting import BestSetting, best_setting
from .engine.encode import refuse_fixed

if TYPE_CHECKING:
    from .engine.fit import Fit

RANGE = (25.0, 700.0)
"""Tested annealing temperatures, degC (line 1775)."""
WITHIN = (300.0, 400.0)
POINTS = 136
EXPONENTS = (0.5, 1.0, 2.0)
LITERATURE = "kissel2025_annealing"
ONE_BY_ONE = (("ocv", "sims"), ("complete400",), ("incomplete300",), ("coverage300",))
"""Statements (row_id) in the order in which the table lets them in."""


def _path(fit: Fit, bounds: tuple[float, float], fixed: dict[str, float]) -> pd.DataFrame:
    if fit.model.name != "annealing":
        raise ValueError(f"the fit is of {fit.model.name!r}; this needs one of 'annealing'")
    if not bounds[0] < bounds[1]:
        raise ValueError(f"bounds={bounds!r} must be two temperatures (degC), the lower one first")
    refuse_fixed(fixed, "anneal_degC")
    return pd.DataFrame({"anneal_degC": np.linspace(*bounds, POINTS)}).assign(**fixed)


def best_temperature(
    fit: Fit, a: float | None = 1.0, *, anneal_h: float = 1.0, o2_fraction: float = kinetics.AIR,
    bounds: tuple[float, float] = RANGE, within: tuple[float, float] = WITHIN, **fixed: float,
) -> BestSetting:
    """Annealing temperature with the largest protection, coverage x oxidation^a.

    Parameters
    ----------
    fit
        A fit of ``models.get("annealing")``.
    a
        Exponent of oxidation in the protection; ``None`` takes each draw's own (0.5 to 2).
    anneal_h, o2_fraction
        Hold time (h) and oxygen fraction.
    bounds
        Range of temperatures (degC).
    within
        Temperatures (degC), ends included, between which the probability is asked.
    **fixed
        Further columns of the setting (``heating_K_min``, ``precursor_wt_pct``, ...).

    Returns
    -------
    BestSetting
        ``draws`` of the best temperature (degC), ``probability``, 90 % equal-tailed interval,
        sentence.

    Raises
    ------
    ValueError
        If the fit is of another model, or the exponent is not above 0.
    KeyError
        If a fixed column is unknown.
    """
    if a is not None and not a > 0:
        raise ValueError(f"a={a!r} must be above 0, or None for the exponents of the fit")
    path = _path(fit, bounds, {"anneal_h": anneal_h, "o2_fraction": o2_fraction, **fixed})
    if a is None:
        worth, name = fit.quantity("protection", path).to_numpy(), "a from 0.5 to 2"
    else:
        coverage, oxidation = (fit.quantity(q, path).to_numpy() for q in ("coverage", "oxidation"))
        worth, name = kinetics.protection(coverage, oxidation, a), f"a = {a:g}"
    return best_setting(worth, path["anneal_degC"], within=within, unit="degC",
                        of=f"protection (coverage x oxidation^a, {name})")


def outcome_optimum(
    fit: Fit, outcome: str, *, larger: bool = True, bounds: tuple[float, float] = RANGE,
    within: tuple[float, float] | None = None, **fixed: float,
) -> BestSetting:
    """Annealing temperature at which one outcome is best, or the edge of the tested range.

    Parameters
    ----------
    fit
        A fit of ``models.get("annealing")``.
    outcome
        An outcome column (``charge_capacity_mAh_g``, ``growth_ohm_cm2_sqrth``, ...).
    larger
        Whether larger is better.
    bounds, within, **fixed
        As in ``best_temperature``.

    Returns
    -------
    BestSetting
        Its ``verdict`` says whether the optimum is only the edge of the range.
    """
    path = _path(fit, bounds, fixed)
    values = np.asarray(fit.predict(path, outcome=outcome))
    return best_setting(values, path["anneal_degC"], larger=larger, within=within, of=outcome,
                        unit="degC")


def statement_table(
    table: pd.DataFrame | None = None, *, order: Sequence[Iterable[str]] = ONE_BY_ONE,
    a: float | None = None, within: tuple[float, float] = WITHIN, model: Any = None,
    seed: int = 1, draws: int = 1000,
) -> pd.DataFrame:
    """P(best temperature within a range) as published statements enter one by one.

    The first row is the prior alone; each further one adds a group of statements to those above.
    With ``a`` given, the same exponent stands in the protection that is maximised and in the one
    that relaxation and degradation are taken to fall with.

    Parameters
    ----------
    table
        Rows with statements, named by ``row_id``; the literature table if not given.
    order
        Groups of ``row_id``.
    a
        Exponent of oxidation in the protection; ``None`` averages over 0.5 to 2.
    within
        Temperatures (degC), ends included.
    model
        The annealing model with priors of the user's own.
    seed, draws
        Of the sampler.

    Returns
    -------
    DataFrame
        ``statements`` (what the row adds), ``source_line``, ``p_within``, ``median``, ``low`` and
        ``high`` (degC, 90 % equal-tailed interval), ``a``.

    Raises
    ------
    ValueError
        If a row_id is no statement of the table, or cannot be read (with the reason).
    """
    from .. import data
    from . import get

    rows = data.load(LITERATURE) if table is None else table
    model = get("annealing") if model is None else model
    if a is not None:
        model = model.with_priors(oxidation_exponent=(0.999 * a, 1.001 * a))
    groups = [[names] if isinstance(names, str) else list(names) for names in order]
    said = _named(rows, [name for names in groups for name in names])
    found, used = [], []
    for names in [[], *groups]:
        used += names
        fit = (model.fit(said.loc[used], seed=seed, statements=True, draws=draws) if used
               else prior_fit(model, 4 * draws, seed))
        best = best_temperature(fit, None, within=within)
        lines = [str(v) for v in said.loc[names].get("source_line", []) if v == v]
        found.append({"statements": "none: the prior" if not used else "+ " + ", ".join(names),
                      "source_line": "; ".join(lines), "p_within": best.probability,
                      "median": best.median, "low": best.low, "high": best.high,
                      "a": "0.5 to 2" if a is None else f"{a:g}"})
    return pd.DataFrame(found)


def prior_fit(model: Any, draws: int = 4000, seed: int = 1) -> Fit:
    """Draws of the prior as a fit, for what was believed before anything was read."""
    from .engine.fit import Fit

    rng = np.random.default_rng([seed, 11])
    declared = model.graph({}).registry.priors
    parameters = {name: model.prior(name, prior).draw(rng, (draws, *prior.shape))
                  for name, prior in declared.items()}
    return Fit.from_draws(model, pd.DataFrame({"anneal_degC": [RANGE[0]]}), parameters)


def _named(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """The statements of these names, by name."""
    from .annealing import LEVELS

    if "row_id" not in table or "kind" not in table:
        raise ValueError("the table needs the columns 'row_id' and 'kind' to name its statements")
    said = table[table["kind"].eq("statement")].set_index("row_id", drop=False)
    readable, notes = LEVELS.readable(said)
    for name in names:
        if name not in readable.index:
            why = [note for note in notes if repr(name) in note]
            raise ValueError(why[0] if why else f"there is no statement {name!r}; there are: "
                             f"{', '.join(map(str, said.index))}")
    return readable
