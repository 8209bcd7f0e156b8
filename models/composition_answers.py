"""What a fit of ``composition`` answers: thresholds, levers, kinds of carbon, what to hand on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .. import data
from ..data import quality_criteria
from .cell_answers import cell_draws, outcomes
from .composition_rows import NONE, SHARES, carbon_kind, prepare
from .engine.encode import text

LEVEL = 0.9
GOOD_CARBON, BAD_CARBON = "CNF type 1", "CNF type 2"
RATIO = "CAM:SE:CNF 70:30:1"
STEPS = {"CAM_SE_ratio": 0.02, "loading": 0.2, "CC_share": 0.005, "binder_share": 0.01}
"""How far each lever is moved: shares of the mass, the loading by a fifth."""
SLOW, HALF = 0.02, 0.5
"""Rate (1/h) of the energy, and the share of it that a power must still deliver."""
RATES = np.geomspace(SLOW, 40.0, 24)


def _fit_of(fit: Any) -> None:
    names = {o.name for o in fit.model.outcomes}
    if "capacity_mAh_g" not in names or "utilization" not in names:
        raise ValueError(f"{fit.model.name!r} is no fit of composition, nor of a chain that begins "
                         "with it")


def literature(statements: bool = False) -> pd.DataFrame:
    """Published rows that the model can read, with shares and kind of carbon named.

    Utilizations by titration or relaxed potentials and active capacities of the mixing study and
    of the titration study. Left out: the range of utilizations, which has no cell behind it, and
    those by diffraction, which measure something else (systematically lower for good cells). The
    plain fibre of the titration study is that of type 1 (line 2731). The composition of the ten
    cells with type 2 is taken as 70:30:1; whether cells with 80 wt% active material are among them
    is not stated.

    Parameters
    ----------
    statements
        Whether the published statements on kinds of fibre stand behind the rows.
    """
    used = data.load("kissel2025_utilization").set_index("row_id").loc[["u2", "u3", "u4", "u5"]]
    active = data.load("kissel2025_active_capacity").set_index("row_id")
    rows = pd.concat([used, active]).reset_index()
    rows["carbon_type"] = [GOOD_CARBON if "CNF" in c else NONE for c in rows["composition"]]
    rows.loc[rows["row_id"].eq("u3"), "carbon_type"] = BAD_CARBON
    rows.loc[rows["row_id"].eq("u3"), "composition"] = f"{RATIO}, {BAD_CARBON}"
    rows["batch"] = [{"u3": "type 2", "u4": "without carbon", "u5": "titrated"}.get(r, "type 1")
                     for r in rows["row_id"]]
    if statements:
        rows = pd.concat([rows, data.load("kissel2025_carbon_fibre")], ignore_index=True)
    return rows


def networks(fit: Any, settings: Any, *, level: float = LEVEL) -> pd.DataFrame:
    """Networks, utilization and conductivities at settings, with intervals.

    Returns
    -------
    DataFrame
        The settings with the median and interval of ``electronic_network`` and ``ionic_network``
        (share of the particles in it), ``touching_electrolyte``, ``utilization``,
        ``kinetic_efficiency`` at the setting's rate, ``ionic_conductivity`` and
        ``electronic_conductivity`` (mS/cm) and their bound ``wiener_bound``; ``limited_by`` names
        the network that costs more utilization in most draws.
    """
    _fit_of(fit)
    table = pd.DataFrame(settings).reset_index(drop=True)
    found = table.copy()
    kind = f"({100 * level:g} % equal-tailed)"
    kept = {}
    for name in ("electronic_network", "ionic_network", "touching_electrolyte", "utilization",
                 "kinetic_efficiency", "ionic_conductivity", "electronic_conductivity",
                 "wiener_bound"):
        kept[name] = fit.quantity(name, table).to_numpy()
        low, middle, high = np.quantile(
            kept[name], [0.5 - level / 2, 0.5, 0.5 + level / 2], axis=0)
        found[name], found[f"{name} low {kind}"], found[f"{name} high {kind}"] = middle, low, high
    electrons = (kept["electronic_network"] < kept["touching_electrolyte"]).mean(axis=0)
    found["p_electrons_limit"] = electrons
    found["limited_by"] = np.where(electrons > 0.5, "electrons", "ions")
    return found


def window(fit: Any, setting: Any, *, least: float = 0.8, level: float = LEVEL,
           points: int = 97) -> pd.DataFrame:
    """Between which shares of active material enough of it is used: a threshold on either side.

    Parameters
    ----------
    fit
        A fit of ``composition``.
    setting
        One row; its ``active_fraction`` and ``electrolyte_fraction`` are varied, carbon and binder
        stay.
    least
        Utilization that is enough (1).

    Returns
    -------
    DataFrame
        Rows ``electrons`` (below it too few grains touch) and ``ions`` (above it too little
        electrolyte): median and equal-tailed interval of ``active_fraction`` at the threshold, in
        draws that have a window; ``p_window``, the share of those draws; and ``p_no_threshold``,
        the share of them in which still enough is used at the end of the shares looked at (0.02,
        and all but 0.001 of what carbon and binder leave): these count with that end, which is
        no threshold.
    """
    _fit_of(fit)
    one = _single(setting)
    fixed = sum(_number(one, name) for name in ("carbon_fraction", "binder_fraction"))
    grid = np.linspace(0.02, 0.999 - fixed, points)
    rows = pd.concat([one] * points, ignore_index=True)
    rows["active_fraction"], rows["electrolyte_fraction"] = grid, 1.0 - fixed - grid
    used = fit.quantity("utilization", rows).to_numpy()
    enough = used >= least
    has = enough.any(axis=1)
    kind = f"({100 * level:g} % equal-tailed)"
    ends = {"electrons": (grid[enough.argmax(axis=1)], enough[:, 0]),
            "ions": (grid[points - 1 - enough[:, ::-1].argmax(axis=1)], enough[:, -1])}
    answer = []
    for name, (values, beyond) in ends.items():
        low, middle, high = (np.quantile(values[has], [0.5 - level / 2, 0.5, 0.5 + level / 2])
                             if has.any() else (np.nan,) * 3)
        answer.append({"threshold_of": name, "active_fraction": middle, f"low {kind}": low,
                       f"high {kind}": high, "p_window": float(has.mean()),
                       "p_no_threshold": float(beyond[has].mean()) if has.any() else np.nan})
    return pd.DataFrame(answer).set_index("threshold_of")


def _single(setting: Any) -> pd.DataFrame:
    one = pd.DataFrame(setting).reset_index(drop=True)
    if len(one) != 1:
        raise ValueError(f"{len(one)} settings are given; give one row")
    return prepare(one, False)[0]


def _kind(setting: Any) -> str:
    """Kind of carbon that a setting names, also where it has none of it yet."""
    frame = pd.DataFrame(setting)
    given = text(frame, "carbon_type").iloc[0] or carbon_kind(text(frame, "composition").iloc[0])
    return "" if given == NONE else given


def _number(one: pd.DataFrame, name: str, default: float = 0.0) -> float:
    if name not in one:
        return default
    value = float(np.asarray(one[name])[0])
    return default if np.isnan(value) else value


def moved(setting: Any, lever: str, step: float | None = None) -> pd.DataFrame:
    """The setting with one lever raised; other shares make room in proportion.

    Parameters
    ----------
    setting
        One row.
    lever
        ``CAM_SE_ratio`` (active material in the place of electrolyte), ``loading``, ``CC_share``
        or ``binder_share``.
    step
        Rise of the share, or of the loading relative to itself; that of `STEPS` if not given.

    Raises
    ------
    ValueError
        If there is no such lever, no room for the step, or no kind of the carbon that is added.
    """
    if lever not in STEPS:
        raise ValueError(f"{lever!r} is no lever of a composition; there are: {', '.join(STEPS)}")
    by = STEPS[lever] if step is None else step
    one = _single(setting)
    if lever == "loading":
        one["areal_loading_mg_cm2"] = _number(one, "areal_loading_mg_cm2", 19.1) * (1.0 + by)
        return one
    raised = {"CAM_SE_ratio": "active_fraction", "CC_share": "carbon_fraction",
              "binder_share": "binder_fraction"}[lever]
    others = (["electrolyte_fraction"] if lever == "CAM_SE_ratio"
              else [name for name in SHARES if name != raised])
    room = sum(_number(one, name) for name in others)
    if by >= room:
        raise ValueError(f"{lever} cannot rise by {by:g}: only {room:.3g} of the mass can give way")
    if lever == "CC_share":
        kind = _kind(setting)
        if not kind:
            raise ValueError("CC_share: which carbon is added? Name it in carbon_type")
        one["carbon_type"] = kind
    for name in others:
        one[name] = _number(one, name) * (1.0 - by / room)
    one[raised] = _number(one, raised) + by
    return one


def energy_and_power(fit: Any, settings: pd.DataFrame, cell: Any = None, *, draws: int = 500,
                     seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Energy of a slow discharge, and the power at which half of it is still delivered.

    Parameters
    ----------
    fit
        A fit of ``composition``.
    settings
        Settings of composite and cell.
    cell
        A fit of ``cell``; its prior if not given.

    Returns
    -------
    energy, power
        Wh/kg and W/kg of the cell, ``(draws, settings)``.
    """
    _fit_of(fit)
    count = len(settings)
    rows = pd.concat([settings] * len(RATES), ignore_index=True)
    rows["c_rate"] = np.repeat(RATES, count)
    capacity = fit.predict(rows, of="mean", outcome="capacity_mAh_g", draws=draws).to_numpy()
    known = rows.drop(columns=[c for c in ("capacity_mAh_g", *SHARES[1:]) if c in rows])
    found = outcomes(capacity, known, cell_draws(len(capacity), cell, seed))
    energy = found["cell_energy_Wh_kg"].reshape(len(capacity), len(RATES), count)
    power = np.log(found["cell_power_W_kg"].reshape(energy.shape))
    share = np.log(np.maximum(energy, 1e-12)) - np.log(np.maximum(energy[:, :1], 1e-12))
    falling = np.minimum.accumulate(share, axis=1)
    at = np.empty((len(capacity), count))
    for k in range(len(capacity)):
        for j in range(count):
            at[k, j] = np.interp(-np.log(HALF), -falling[k, :, j], power[k, :, j])
    return energy[:, 0], np.exp(at)


def levers(fit: Any, setting: Any, cell: Any = None, *, draws: int = 500,
           seed: int = 1) -> pd.DataFrame:
    """The published levers of a composition beside what the fit says at one setting.

    Parameters
    ----------
    fit
        A fit of ``composition``.
    setting
        One composite with its cell, the point from which each lever is raised by `STEPS`; that of
        carbon only if a ``carbon_type`` is named.
    cell
        A fit of ``cell``; its prior if not given.

    Returns
    -------
    DataFrame
        Index lever: the published signs ``energy_sign`` and ``power_sign`` (by the text),
        ``conflict`` where the table of the source prints the opposite, ``p_energy_rises`` and
        ``p_power_rises`` of the fit, and ``agrees`` where both go with the text in most draws.
        Power is that at which half of the slow energy is still delivered.

    Notes
    -----
    The source gives no numbers, and says that the ratio has thresholds on both sides. Beyond one
    a lever may honestly turn round: then the fit is on the other side of it.
    """
    one = _single(setting)
    names = [name for name in STEPS if name != "CC_share" or _kind(setting)]
    rows = pd.concat([one, *(moved(setting, name) for name in names)], ignore_index=True)
    energy, power = energy_and_power(fit, rows, cell, draws=draws, seed=seed)
    published = quality_criteria.levers()
    answer = published[["energy_sign", "power_sign", "conflict"]].loc[names].copy()
    answer["p_energy_rises"] = (energy[:, 1:] > energy[:, :1]).mean(axis=0)
    answer["p_power_rises"] = (power[:, 1:] > power[:, :1]).mean(axis=0)
    said = np.stack([answer["p_energy_rises"], answer["p_power_rises"]], axis=1) > 0.5
    answer["agrees"] = (said == (answer[["energy_sign", "power_sign"]].to_numpy() > 0)).all(axis=1)
    answer["note"] = published.loc[names, "note"]
    return answer


def contrast(fit: Any, *, active_share: float = 0.8, level: float = LEVEL) -> pd.DataFrame:
    """What the second kind of fibre costs, by the fit and as printed.

    Parameters
    ----------
    fit
        A fit whose table names both kinds of fibre, such as that of `literature`.
    active_share
        Share of active material at which the fibre is said to matter less.

    Returns
    -------
    DataFrame
        One row for each printed finding: ``reduced_by`` (median and interval over draws, the mean
        composite), ``printed`` with its meaning. The printed reductions are those of the worst of
        ten cells, which no mean has to reach; they take no part in a fit.
    """
    shares = {"active_fraction": 70 / 101, "electrolyte_fraction": 30 / 101,
              "carbon_fraction": 1 / 101}
    more = {"active_fraction": active_share, "carbon_fraction": 1 / 101,
            "electrolyte_fraction": 1.0 - active_share - 1 / 101}
    rows = pd.DataFrame([
        {**recipe, "carbon_type": kind, "c_rate": rate, "c_rate_basis_mAh_g": 190.0}
        for recipe in (shares, more) for rate in (0.1, 1.0) for kind in (GOOD_CARBON, BAD_CARBON)])
    used = fit.quantity("utilization", rows).to_numpy()
    fast = fit.quantity("kinetic_efficiency", rows).to_numpy()
    lost = {"utilization": 1.0 - used[:, 1] / used[:, 0],
            "active capacity at 0.1C": 1.0 - fast[:, 1] / fast[:, 0],
            "active capacity at 1C": 1.0 - fast[:, 3] / fast[:, 2]}
    lost[f"gross capacity at 1C, {100 * active_share:g} wt% active"] = (
        1.0 - used[:, 7] * fast[:, 7] / (used[:, 6] * fast[:, 6]))
    printed = _printed_contrast()
    kind = f"({100 * level:g} % equal-tailed)"
    answer = []
    for name, values in lost.items():
        low, middle, high = np.quantile(values, [0.5 - level / 2, 0.5, 0.5 + level / 2])
        number, meaning = printed.get(name, (np.nan, "closer to cells with the first kind"))
        answer.append({"finding": name, "reduced_by": middle, f"low {kind}": low,
                       f"high {kind}": high, "printed": number, "meaning": meaning})
    return pd.DataFrame(answer).set_index("finding")


def _printed_contrast() -> dict[str, tuple[float, str]]:
    """Printed reductions by the second kind of fibre, each with what it means."""
    used = data.load("kissel2025_utilization").set_index("row_id")["utilization"]
    good, bad = float(np.asarray(used["u2"])), float(np.asarray(used["u3"]))
    said = data.load("kissel2025_carbon_fibre").set_index("row_id")["value"]
    return {
        "utilization": (1.0 - bad / good,
                        f"averages {100 * bad:.1f} % against {100 * good:.1f} %"),
        "active capacity at 0.1C": (float(np.asarray(said["worst at 0.1C"])),
                                    "up to: worst of ten cells"),
        "active capacity at 1C": (float(np.asarray(said["worst at 1C"])),
                                  "up to: worst of ten cells")}


def capacity_priors(fit: Any, setting: Any, *, widen: float = 1.5) -> dict[str, tuple]:
    """Priors of the ``capacity`` model for composites of one composition.

    What the fit knows of utilization and of the time constant at the setting becomes the prior of
    ``utilization_logit`` and ``loss_index``: ``models.get("capacity", **capacity_priors(...))``.

    Parameters
    ----------
    setting
        One composition.
    widen
        Factor on both widths: another mill, another powder.
    """
    one = _single(setting)
    used = np.clip(fit.quantity("utilization", one).to_numpy()[:, 0], 1e-6, 1.0 - 1e-6)
    logit = np.log(used) - np.log1p(-used)
    drawn = fit.parameters()
    ln_time = fit.quantity("ln_time", one).to_numpy()[:, 0]
    power, start = (np.ravel(drawn[f"composition.{n}"]) for n in ("rate_power", "loss_index"))
    ln_index = np.log(start) + power * ln_time
    return {
        "capacity__utilization_logit": (float(logit.mean()), float(widen * logit.std())),
        "capacity__loss_index": (float(np.exp(ln_index.mean())), float(widen * ln_index.std())),
    }
