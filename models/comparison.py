"""Answers of a mixing fit: is a method better, is it less scattered, and where scatter comes from.

Everything is computed from the posterior draws of a fit of ``models.mixing``; intervals are
equal-tailed. Batch and cell SDs are those between true values at the stated rate; a next cell adds
both, its reading noise included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import electrode
from .engine.encode import number, text, usable
from .engine.published import columns_of, perhaps_twice

if TYPE_CHECKING:
    from .engine.fit import Fit

LEVEL = 0.9
REPEATS = 10
"""Next cells of each draw from which their quantile is read."""
BATCH_HOLDS = (
    "the batch SD holds everything that changes from batch to batch (operator, day, grinding, "
    "powder); such data do not separate them"
)
OPERATORS_APART = (
    "operators who made several batches have an SD of their own, which the batch SD does not hold; "
    "a next batch is that of a new operator"
)


@dataclass(frozen=True)
class Comparison:
    """Two methods compared.

    Attributes
    ----------
    table
        Index ``question``; ``probability`` that it is so, ``estimate`` with its interval, and
        ``is`` saying what the estimate is.
    sentence
        The same in words, with the naive answer beside it where the data allow one.
    notes
        What is confounded, which SDs rest on the prior, and which rows may count cells twice.
    quantiles
        Index ``method, of`` (``mean``, ``next batch``, ``next cell``); the value (mAh/g) below
        which it lies with a probability of 5 %, or of what was asked: of the mean a quantile of
        the posterior, of the next batch and the next cell one of the predictive distribution, in
        which everything uncertain is averaged over.
    """

    table: pd.DataFrame
    sentence: str
    notes: list[str]
    quantiles: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __str__(self) -> str:
        return "\n".join([self.table.to_string(), self.quantiles.to_string(), self.sentence,
                          *self.notes])


def draws(fit: Fit, name: str) -> np.ndarray:
    """Draws of a parameter of the mixing model, chains joined, ``(draws, …)``."""
    values = fit.posterior[f"mixing.{name}"].to_numpy()
    return values.reshape(-1, *values.shape[2:])


def of_method(fit: Fit, name: str, method: str) -> np.ndarray:
    """Draws of a parameter for one method, ``(draws,)``."""
    values = draws(fit, name)
    return values[:, fit.encoded.levels["method"].index(method) + 1] if values.ndim > 1 else values


def operator_spread(fit: Fit, method: str) -> np.ndarray:
    """SD between operators at 0.1C (mAh/g), one value a draw; 0 where the batch SD holds it.

    An operator has an effect apart from that of a batch where one made several batches; a method
    of which each batch was made by another one has it in its batch SD.
    """
    mine = fit.encoded.columns["method"] == fit.encoded.levels["method"].index(method) + 1
    told = bool(np.any(fit.encoded.columns["operator"][mine] > 0))
    return draws(fit, "operator_sd") if told else np.zeros(fit.n_draws)


def _refuse_unknown(fit: Fit, method: str) -> None:
    if fit.model.name != "mixing":
        raise ValueError(f"methods are compared on a fit of 'mixing', not of {fit.model.name!r}")
    known = fit.encoded.levels["method"]
    if method not in known:
        raise ValueError(f"{method!r} is no method of this fit; it has: "
                         f"{', '.join(name or '(none)' for name in known)}")


def at_rate(
    fit: Fit, method: str, c_rate: float, composite_mass_mg: float = 0.0
) -> dict[str, np.ndarray]:
    """Mean and spreads of a method at a rate, one value a draw (mAh/g).

    Returns
    -------
    dict
        ``mean``; ``batch_sd``, ``cell_sd`` and ``next_cell_sd``; their parts ``batch_static``,
        ``batch_kinetic``, ``cell_static``, ``cell_reading`` (kinetic deviations and reading noise)
        and ``balance`` (zero without a composite mass); ``operator`` (zero where no operator
        made several batches), which is no part of ``batch_sd``; ``slope``, dq/dtheta;
        ``noise_nu``.

    Raises
    ------
    ValueError
        If the fit is of another model or holds no such method.
    """
    _refuse_unknown(fit, method)

    def of(name: str) -> np.ndarray:
        return of_method(fit, name, method)

    law = (of("active_capacity"), of("rate_loss"), of("rate_power"))
    theta = of("utilization")
    mean = electrode.gross_capacity(theta, c_rate, *law)
    slope = electrode.utilization_slope(theta, c_rate, *law)
    slope_0 = electrode.utilization_slope(theta, electrode.REFERENCE_RATE, *law)
    static, kinetic = electrode.spread_factors(
        c_rate, slope, slope_0, of("static_share"), of("kinetic_growth"))
    parts = {
        "batch_static": of("batch_sd") * static, "batch_kinetic": of("batch_sd") * kinetic,
        "cell_static": of("cell_sd") * static, "cell_reading": of("cell_sd") * kinetic,
        "balance": mean * float(electrode.balance_error(np.float64(composite_mass_mg))),
        "operator": operator_spread(fit, method) * slope / slope_0,
    }
    batch_sd = np.hypot(parts["batch_static"], parts["batch_kinetic"])
    cell_sd = np.sqrt(parts["cell_static"]**2 + parts["cell_reading"]**2 + parts["balance"]**2)
    return parts | {
        "mean": mean, "slope": slope, "batch_sd": batch_sd, "cell_sd": cell_sd,
        "next_cell_sd": np.sqrt(batch_sd**2 + cell_sd**2 + parts["operator"] ** 2),
        "noise_nu": 2.0 + of("noise_nu"),
    }


def compare(
    fit: Fit, first: str, second: str, *, c_rate: float = 0.1, equal_within: float = 3.0,
    better_by: float | None = None, quantile: float = 0.05, composite_mass_mg: float = 0.0,
    level: float = LEVEL, seed: int = 1,
) -> Comparison:
    """Compare two mixing methods at a rate.

    Parameters
    ----------
    fit
        A fit of ``models.get("mixing")``.
    first, second
        Labels of the column ``method``; better means more capacity.
    c_rate
        Nominal rate (1/h).
    equal_within
        Means closer than this (mAh/g) are practically equal.
    better_by
        Margin (mAh/g) of which the probabilities are asked that the first method is better by it
        or more, in the mean, the next batch and the next cell (1.5 is a weighing error of 0.1 mg
        on 12 mg); three rows at the end of the table.
    quantile
        Probability with which the next cell lies below what ``quantiles`` says.
    composite_mass_mg
        Composite weighed into the next cell (mg); its balance error then adds to the cell SD
        (0: cell SDs as the table gave them).
    level
        Level of the equal-tailed intervals.
    seed
        Seed of the next batch and the next cell.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        If the fit holds no such method, or a margin or the quantile makes no sense.
    """
    for name, margin in (("equal_within", equal_within), ("better_by", better_by)):
        if margin is not None and not margin >= 0:
            raise ValueError(f"{name} = {margin} mAh/g must be a number and must not be negative")
    if not 0 < quantile < 1:
        raise ValueError(f"quantile={quantile} must be a share between 0 and 1, such as 0.05")
    a, b = (at_rate(fit, m, c_rate, composite_mass_mg) for m in (first, second))
    rng = np.random.default_rng(seed)
    batches = [m["mean"] + np.hypot(m["batch_sd"], m["operator"]) * rng.normal(
        size=m["mean"].shape) for m in (a, b)]
    cells = [batch + _cell_deviation(m, rng) for m, batch in zip((a, b), batches, strict=True)]
    rows: dict[str, dict[str, Any]] = {}

    def row(question: str, true: np.ndarray, values: np.ndarray, what: str) -> None:
        low, mid, high = np.quantile(values, [0.5 - level / 2, 0.5, 0.5 + level / 2])
        rows[question] = {
            "probability": float(np.mean(true)), "estimate": mid,
            f"low ({100 * level:g} % equal-tailed)": low,
            f"high ({100 * level:g} % equal-tailed)": high, "is": what}

    gain = a["mean"] - b["mean"]
    difference = f"{first} - {second}, mAh/g"
    row(f"{first} better in the mean", gain > 0, gain, difference)
    for name, pair in (("next batch", batches), ("next cell", cells)):
        row(f"{first} better in the {name}", pair[0] > pair[1], pair[0] - pair[1], difference)
    row(f"means equal within {equal_within:g} mAh/g", np.abs(gain) < equal_within, gain, difference)
    for name, key in (("batches", "batch_sd"), ("cells of a batch", "cell_sd"),
                      ("the next cell", "next_cell_sd")):
        row(f"{first} less scattered: {name}", a[key] < b[key], a[key] / b[key],
            f"SD {first} / SD {second}")
    if better_by is not None:
        for name, difference_of in (("mean", gain), ("next batch", batches[0] - batches[1]),
                                    ("next cell", cells[0] - cells[1])):
            row(f"{first} better by {better_by:g} mAh/g or more in the {name}",
                difference_of >= better_by, difference_of, difference)
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("question")
    quantiles = _quantiles({first: a, second: b}, quantile, seed)
    chance = table["probability"].to_list()
    low, high = np.quantile(gain, [0.5 - level / 2, 0.5 + level / 2])
    sentence = (
        f"At {c_rate:g}C {first} has the higher mean with probability {chance[0]:.2f} (next batch "
        f"{chance[1]:.2f}, next cell {chance[2]:.2f}): {np.median(gain):+.1f} mAh/g, "
        f"{100 * level:g} % equal-tailed interval {low:+.1f} to {high:+.1f}; the means are equal "
        f"within {equal_within:g} mAh/g with probability {chance[3]:.2f}. {first} is less "
        f"scattered with probability {chance[4]:.2f} between batches, {chance[5]:.2f} between the "
        f"cells of a batch and {chance[6]:.2f} for a next cell.")
    if better_by is not None:
        sentence += (
            f" {first} is better by {better_by:g} mAh/g or more with probability {chance[7]:.2f} "
            f"in the mean (next batch {chance[8]:.2f}, next cell {chance[9]:.2f}).")
    ends = [float(quantiles.loc[(m, "next cell")].iloc[0]) for m in (first, second)]
    sentence += (f" A next cell lies below {ends[0]:.1f} ({first}) and {ends[1]:.1f} mAh/g "
                 f"({second}) with a probability of {100 * quantile:g} %.")
    naive = naive_spread(fit, first, second, c_rate)
    if naive is not None:
        sentence += (f" An F test that takes all cells as independent would say {naive:.4f}; cells "
                     "of one batch are not replicates of the method.")
    twice = perhaps_twice(usable(fit.table, fit.model)[0], "capacity_mAh_g", "c_rate")
    return Comparison(table, sentence, [*confounded(fit, (first, second)), *twice], quantiles)


def _quantiles(methods: dict[str, dict[str, np.ndarray]], share: float, seed: int) -> pd.DataFrame:
    """Quantile of the mean, the next batch and the next cell of each method, see `Comparison`.

    Several batches a draw: one alone would leave a few percent of the SD to chance.
    """
    rng, rows = np.random.default_rng([seed, 1]), {}
    for name, method in methods.items():
        many = {key: np.tile(values, REPEATS) for key, values in method.items()}
        batch = many["mean"] + np.hypot(many["batch_sd"], many["operator"]) * rng.normal(
            size=many["mean"].shape)
        drawn = {"mean": method["mean"], "next batch": batch,
                 "next cell": batch + _cell_deviation(many, rng)}
        rows |= {(name, of): np.quantile(values, share) for of, values in drawn.items()}
    index = pd.MultiIndex.from_tuples(rows, names=["method", "of"])
    return pd.DataFrame({f"{100 * share:g} % quantile, mAh/g": list(rows.values())}, index=index)


def _cell_deviation(method: dict[str, np.ndarray], rng: np.random.Generator) -> np.ndarray:
    nu = method["noise_nu"]
    tail = rng.standard_t(nu) * np.sqrt((nu - 2.0) / nu)
    normal = np.hypot(method["cell_static"], method["balance"])
    return normal * rng.normal(size=nu.shape) + method["cell_reading"] * tail


def naive_spread(fit: Fit, first: str, second: str, c_rate: float) -> float | None:
    """What an F test on pooled SDs, all cells taken as independent, would give as confidence.

    One minus its one-sided p value for "first is less scattered"; ``None`` where a method has no
    summary of several batches, and fewer than 3 single cells, at the rate.
    """
    from scipy.stats import f as f_distribution

    found = [_pooled_variance(fit, method, c_rate) for method in (first, second)]
    if found[0] is None or found[1] is None:
        return None
    (variance_a, df_a), (variance_b, df_b) = found[0], found[1]
    return float(f_distribution.cdf(variance_b / variance_a, df_b, df_a))


def _pooled_variance(fit: Fit, method: str, c_rate: float) -> tuple[float, float] | None:
    columns = fit.encoded.columns
    code = fit.encoded.levels["method"].index(method) + 1
    here = (columns["method"] == code) & np.isclose(columns["c_rate"], c_rate)
    given = columns_of(columns["capacity_mAh_g_summary__numbers"])
    use = here[given["row"]] & (given["batches"] > 1) & (given["spread"] > 0)
    if use.any():
        k = int(np.flatnonzero(use)[np.argmax(given["cells"][use])])
        df = float(given["cells"][k] - 1)
        return float(given["typical_ss"][k]) / df, df
    values = columns["capacity_mAh_g__value"][here[columns["capacity_mAh_g__row"]]]
    if len(values) < 3:
        return None
    return float(np.var(values, ddof=1)), float(len(values) - 1)


def confounded(fit: Fit, methods: Sequence[str]) -> list[str]:
    """Sentences on what the batch SD of these methods cannot be told from, and what is not told."""
    said = []
    notes, labels = text(fit.table, "note"), text(fit.table, "method")
    for method in methods:
        for note in dict.fromkeys(notes[labels.eq(method)]):
            for part in (p.strip() for p in note.split(";")):
                sentence = f"{method}: {part}"
                if "not separable" in part and sentence not in said:
                    said.append(sentence)
        said += [f"{method}: {sentence}" for sentence in lacking(fit, method).values()]
    apart = any(operator_spread(fit, method).any() for method in methods)
    return [*said, OPERATORS_APART if apart else BATCH_HOLDS]


def lacking(fit: Fit, method: str) -> dict[str, str]:
    """Sentences on SDs of a method that its readings do not tell, by level (``batch``, ``cell``).

    Two batches, or a printed SD over several, tell that between batches; two cells of a batch, or
    a printed SD over more cells than batches, that between cells. Both without cells apart are
    told in their sum.
    """
    columns = fit.encoded.columns
    mine = columns["method"] == fit.encoded.levels["method"].index(method) + 1
    given = columns_of(columns["capacity_mAh_g_summary__numbers"])
    use = mine[given["row"]] & (given["counted"] > 0) & (given["linked"] == 0)
    spread = use & (given["spread"] > 0)
    read = np.union1d(columns["capacity_mAh_g__row"], columns["utilization__row"]).astype(int)
    cells = {(int(columns["batch"][k]), int(columns["cell"][k])) for k in read[mine[read]]}
    batches = {batch for batch, _ in cells}
    between = (np.any(spread & (given["batches"] > 1)) or int(use.sum()) + len(batches) > 1)
    within = np.any(spread & (given["cells"] > given["batches"])) or len(cells) > len(batches)
    found = {}
    if not between:
        found["batch"] = (
            "no two batches were read apart, so that its SD between batches is the prior's")
    if not within:
        told = ("SDs between batches and between cells are told in their sum only" if between else
                "SD between cells is the prior's")
        found["cell"] = f"no two cells of a batch were read apart, so that its {told}"
    return found


def components(
    fit: Fit, *, c_rate: float = 0.1, methods: Sequence[str] | None = None,
    composite_mass_mg: float = 0.0, level: float = LEVEL,
) -> pd.DataFrame:
    """Variance components of one reading of a next cell, by method.

    Returns
    -------
    DataFrame
        Index ``method, component``; the SD (mAh/g) and the share of the variance, each with its
        interval, and what the component is confounded with.
    """
    names = {
        "batch_static": ("batch, utilization", "operator, day and powder of a batch"),
        "batch_kinetic": ("batch, kinetics", "operator, day and powder of a batch"),
        "cell_static": ("cell, utilization", "balance error where no composite mass is given"),
        "cell_reading": ("cell, kinetics and reading noise", "each other: one reading a rate"),
        "balance": ("balance", ""),
        "operator": ("operator", "what differs between operators besides their hand"),
    }
    known = [m for m in fit.encoded.levels["method"] if m]
    rows = []
    for method in known if methods is None else methods:
        found = at_rate(fit, method, c_rate, composite_mass_mg)
        for key, (name, with_what) in names.items():
            if key in ("balance", "operator") and not found[key].any():
                continue
            share = found[key] ** 2 / found["next_cell_sd"] ** 2
            said = [n.partition(": ")[2] for n in confounded(fit, [method])[:-1]]
            row: dict[str, Any] = {"method": method, "component": name}
            for label, values in (("SD, mAh/g", found[key]), ("share", share)):
                low, mid, high = np.quantile(values, [0.5 - level / 2, 0.5, 0.5 + level / 2])
                row |= {label: mid, f"{label}: low ({100 * level:g} % equal-tailed)": low,
                        f"{label}: high ({100 * level:g} % equal-tailed)": high}
            own = lacking(fit, method)
            row["confounded with"] = "; ".join(
                [with_what, *said] if key.startswith("batch") else
                [with_what, own["cell"]] if key.startswith("cell") and "cell" in own else
                [with_what])
            rows.append(row)
    return pd.DataFrame(rows).set_index(["method", "component"])


def explained_by_utilization(
    fit: Fit, utilization: pd.DataFrame, c_rates: Sequence[float], *, method: str = "",
    cells: tuple[int, int] = (30, 60), level: float = LEVEL, seed: int = 1,
) -> pd.DataFrame:
    """Posterior predictive R2 of gross capacity on utilization over many composites.

    Composites differ in utilization by what ``utilization`` says, and in active capacity by the
    scatter that the fit has learnt from printed active capacities.

    Parameters
    ----------
    fit
        A fit of ``models.get("mixing")`` whose table held active capacities.
    utilization
        Rows with ``utilization_low`` and ``utilization_high`` (a printed range over cells) or
        with several readings of ``utilization``; a printed mean is used if there is one.
    c_rates
        Nominal rates (1/h).
    method
        Method whose rate law is meant; none for composites of all kinds.
    cells
        Least and largest number of cells behind the range, where a paper does not state it, and
        of the cells that R2 is predicted for. The spread of a normal sample is its range over the
        range of as many standard normals, drawn anew for each posterior draw.
    level, seed
        Level of the intervals; seed of the predicted cells.

    Returns
    -------
    DataFrame
        Index ``c_rate``; ``r_squared`` and its interval. The reading error of the utilization is
        part of its spread and not taken off.
    """
    if not method and "" not in fit.encoded.levels["method"]:
        raise ValueError("every row of this fit has a method: whose rate law is meant? Name one "
                         f"in method: {', '.join(fit.encoded.levels['method'])}")
    _refuse_unknown(fit, method)
    rng = np.random.default_rng(seed)
    count = fit.n_draws
    mean, spread = _utilization_spread(utilization, cells, count, rng)
    names = ("active_capacity", "rate_loss", "rate_power")
    law = tuple(of_method(fit, name, method) for name in names)
    n = int(np.mean(cells))
    theta = np.clip(mean[:, None] + spread[:, None] * rng.normal(size=(count, n)), 0.05, None)
    kinetic = rng.normal(size=(count, n))
    rows = []
    for rate in c_rates:
        scatter = draws(fit, "active_scatter") * (
            rate / electrode.REFERENCE_RATE) ** draws(fit, "kinetic_growth")
        q = electrode.gross_capacity(theta, rate, *(p[:, None] for p in law))
        q = q + theta * scatter[:, None] * kinetic
        a, b = (v - v.mean(axis=1, keepdims=True) for v in (theta, q))
        r2 = (a * b).sum(axis=1) ** 2 / ((a**2).sum(axis=1) * (b**2).sum(axis=1))
        low, mid, high = np.quantile(r2, [0.5 - level / 2, 0.5, 0.5 + level / 2])
        rows.append({"c_rate": rate, "r_squared": mid,
                     f"low ({100 * level:g} % equal-tailed)": low,
                     f"high ({100 * level:g} % equal-tailed)": high})
    return pd.DataFrame(rows).set_index("c_rate")


def _utilization_spread(
    table: pd.DataFrame, cells: tuple[int, int], count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    value = number(table, "utilization")
    value = value[~np.isnan(value)]
    low, high = (number(table, f"utilization_{end}") for end in ("low", "high"))
    ranged = np.flatnonzero(~np.isnan(low) & ~np.isnan(high))
    if len(ranged):
        bottom, top = float(low[ranged].min()), float(high[ranged].max())
        size = rng.integers(cells[0], cells[1] + 1, size=count)
        sample = rng.normal(size=(count, cells[1]))
        beyond = np.arange(cells[1]) >= size[:, None]
        width = np.where(beyond, -np.inf, sample).max(1) - np.where(beyond, np.inf, sample).min(1)
        centre = float(value.mean()) if len(value) else 0.5 * (bottom + top)
        return np.full(count, centre), (top - bottom) / width
    if len(value) < 3:
        raise ValueError(
            "the spread of the utilization needs utilization_low and utilization_high of a "
            f"printed range, or 3 readings; the table has {len(value)}")
    df = len(value) - 1
    spread = np.std(value, ddof=1) * np.sqrt(df / rng.chisquare(df, size=count))
    return np.full(count, float(value.mean())), spread
