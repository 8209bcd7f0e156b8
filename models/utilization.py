"""Static utilization of titrated cells: one joint model of all relaxed points.

At the relaxed points k of a window, with the reference's charge per gram q(U), slope s = dq/dU,
x_k = q(U_k) minus the middle of the window and h half its width,

    y_k = c + theta (1 + e_m) / (1 + e_r) [x_k + d_k - s_k r_k] + delta x_k^2 / (2 h) + noise,
    d_k = -s_k U_c + a s_k R_k - b (s_k D_k + L_k) + g G_k

y is the cell's charge per gram of weighed active material. theta, the share of active material that
is electronically connected, is the mean over the window and lies in (0, 1]; delta is its change
from the middle of the window to the end, so that a drift widens theta instead of biasing it. A
*measured* ratio may exceed 1: by the masses (cell e_m; reference e_r, shared by all cells compared
with it), by the counter electrode U_c, by the reference's unfinished rests (a R), its
self-discharge (b D in potential, b L in lost charge), its charge scale (g G). R, D, L, G are stated
errors.

r_k >= 0 is what the cell's potential had still to fall when its rest ended: half-normal with the
stated error times ``relaxation_scale``, which a statement "drift x rest x 1.63" is right about to a
factor of two. It is integrated out: normal noise minus a half-normal is a skew-normal density, so
that no point has a latent of its own.

Readings by diffraction are a second instrument of the same theta, with a bias and a scatter of
their own; below six pairs the bias is the prior's.

Limits: charge direction only; a charge of the electrolyte counts as utilization; slow particles
that lag by more than the stated relaxation look like less utilization early and more later.

Sources: Vettori, Kissel et al., Chem. Commun. 62 (2026) 5241 with SI (errors); Kissel et al., Adv.
Energy Mater. (2025) 2405405 (meaning of utilization).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .constancy import RELAXATION_SD_LN
from .engine import Factor, Group, Inputs, LabModel, Outcome
from .engine.arrays import namespace
from .engine.encode import number, text
from .engine.fit import Fit

FEWEST_PAIRS = 6
"""Cells read by both instruments below which the bias of diffraction is the prior's."""
OFFSET_SCALE = 10.0
"""Width of the free constant c (mAh/g); y and x are centred, so that it is small."""


def log_normal_cdf(z: Any) -> Any:
    """Logarithm of the standard normal distribution function, finite in the far tail."""
    xp = namespace(z)
    if xp is np:
        from scipy.special import log_ndtr

        return log_ndtr(z)
    if xp.__name__.startswith("jax"):
        from jax.scipy.special import erfc
    else:
        erfc = xp.erfc
    near = xp.maximum(z, -10.0)
    far = xp.minimum(z, -10.0)
    tail = -0.5 * far**2 - xp.log(-far) - 0.5 * np.log(2 * np.pi) + xp.log1p(
        -1 / far**2 + 3 / far**4 - 15 / far**6)
    return xp.where(z > -10.0, xp.log(0.5 * erfc(-near / np.sqrt(2.0))), tail)


def log_skewed(rest: Any, sd: Any, one_sided: Any) -> Any:
    """Log density of normal noise minus a half-normal (an unfinished rest).

    Parameters
    ----------
    rest
        Reading minus expectation.
    sd
        Standard deviation of the normal part, above 0.
    one_sided
        Scale of the half-normal that is subtracted, 0 or more; all three in one unit.
    """
    xp = namespace(rest, sd, one_sided)
    width = xp.sqrt(sd**2 + one_sided**2)
    z = rest / width
    return (0.5 * np.log(2 / np.pi) - xp.log(width) - 0.5 * z**2
            + log_normal_cdf(-(one_sided / sd) * z))


def build(x: Inputs) -> None:
    """Cells, their references, their relaxed points, and diffraction."""
    stated = "stated with the table"
    theta_of = x.prior("utilization", "Beta", 1.0, 1.0, group="cell",
                       meaning="mean share of connected active material over the window",
                       source="flat")
    drift_of = x.prior("drift", "Normal", 0.0, 0.1, group="cell",
                       meaning="change of utilization from the middle of the window to its end",
                       source="wide: 20 points across a window are within two sd")
    scale_of = x.prior("relaxation_scale", "LogNormal", 1.0, RELAXATION_SD_LN, group="cell",
                       meaning="unfinished relaxation over its stated error",
                       source="the factor on drift x rest is a convention, good to about two")
    rest_of = x.prior("reference_relaxation_scale", "HalfNormal", 1.0, group="reference",
                      meaning="reference's unfinished relaxation over its stated error",
                      source=stated)
    lost_of = x.prior("self_discharge_scale", "HalfNormal", 1.0, group="reference",
                      meaning="reference's self-discharge over its stated error", source=stated)

    theta = theta_of[x.code("cell")]
    points = x.data("titration__points", ndim=2)
    points.set_value(np.zeros((0, 4)))
    row = points[:, 0].astype("int64")
    y, centred, bend = points[:, 1], points[:, 2], points[:, 3]
    cell, reference = x.code("cell")[row], x.code("reference")[row]

    def at(column: str) -> Any:
        return x[column][row]

    def normal(name: str, group: str) -> Any:
        return x.normals(name, group)[cell if group == "cell" else reference]

    slope = at("reference_slope_mAh_g_V")
    masses = (1.0 + at("active_mass_error_mg") / at("active_mass_mg") * normal("mass", "cell")) / (
        1.0 + at("reference_mass_error") * normal("reference_mass", "reference"))
    moved = (
        -slope * at("counter_error_V") * normal("counter", "cell")
        + slope * at("reference_relaxation_V") * rest_of[reference]
        - (slope * at("reference_self_discharge_V") + at("reference_lost_mAh_g"))
        * lost_of[reference]
        + at("reference_gain_mAh_g") * normal("reference_gain", "reference"))
    level = theta_of[cell] * masses
    expected = (OFFSET_SCALE * normal("charge_offset", "cell") + level * (centred + moved)
                + drift_of[cell] * bend)
    reading = 1e3 * at("charge_error_mAh") / at("active_mass_mg")
    noise = (reading**2 + (level * slope * at("potential_error_V")) ** 2) ** 0.5
    one_sided = level * slope * at("relaxation_V") * scale_of[cell]
    x.term("titration", log_skewed(y - expected, noise, one_sided))

    bias = x.prior("xrd_bias", "Normal", 0.0, 0.1,
                   meaning="diffraction minus titration, systematic",
                   source="phases read to 5 % by mass; two published pairs differ by 0 and 11")
    scatter = x.prior("xrd_noise", "HalfNormal", 0.05,
                      meaning="scatter of diffraction beside its stated error",
                      source="phases read to 5 % by mass")
    x.observe("xrd_utilization", "Normal", mu=theta + bias, sigma=scatter)


def encode_points(
    rows: pd.DataFrame, table: pd.DataFrame, statements: bool
) -> dict[str, np.ndarray]:
    """Centre the points of each cell's window: charge per weighed gram, reference charge, bend."""
    charge, q = number(rows, "charge_mAh"), number(rows, "reference_mAh_g")
    mass = number(rows, "active_mass_mg", 1.0)
    labels = list(zip(*(text(rows, n) for n in ("study", "batch", "cell")), strict=True))
    use = ~np.isnan(charge) & ~np.isnan(q) & (number(rows, "reference_slope_mAh_g_V", 0.0) > 0)
    found = []
    for label in dict.fromkeys(labels):
        mine = np.flatnonzero(use & np.array([other == label for other in labels]))
        if len(mine) == 0:
            continue
        if len(mine) < 3:
            raise ValueError(f"cell {label[-1]!r} has {len(mine)} relaxed points in its window; a "
                             "level and its error need at least 3")
        mine = mine[np.argsort(q[mine])]
        half = np.ptp(q[mine]) / 2
        centred = q[mine] - (q[mine[0]] + q[mine[-1]]) / 2
        y = charge[mine] / mass[mine] * 1e3
        y = y - (y[0] + y[-1]) / 2
        bend = (centred**2 - half**2) / (2 * half)
        found.append(np.stack([mine.astype(float), y, centred, bend], axis=1))
    return {"titration__points": np.concatenate(found) if found else np.zeros((0, 4))}


_ROW = ("reference_slope_mAh_g_V", "charge_error_mAh", "potential_error_V", "counter_error_V",
        "relaxation_V", "reference_relaxation_V", "reference_self_discharge_V",
        "reference_gain_mAh_g", "reference_lost_mAh_g", "reference_mass_error")

MODEL = LabModel(
    name="utilization",
    build=build,
    factors=(Factor("reference_mAh_g", 0.0, "row"), *(Factor(n, 0.0, "row") for n in _ROW),
             Factor("active_mass_mg", 1.0, "cell"), Factor("active_mass_error_mg", 0.0, "cell")),
    groups=(Group("cell", varies=False), Group("reference", varies=False, reference="")),
    outcomes=(Outcome("xrd_utilization"),),
    context=("charge_mAh", "relaxed_V", "kind"),
    encoders=(encode_points,),
    adaptation="diag", accept=0.98, least_slots=1,
    what="Static utilization of cells titrated against a reference, all relaxed points at once",
    source="Vettori, Kissel et al., Chem. Commun. 62 (2026) 5241",
    material="active: NCM82 (LiNi0.82Mn0.07Co0.11O2, single crystals); electrolyte: Li6PS5Cl; "
             "powder: 70:30:1 by mass with carbon fibres, and 60:40 without",
)


def draws_of(fit: Any, cell: int = 0, name: str = "utilization") -> np.ndarray:
    """Draws of one cell's parameter, ``(draws,)``; cells in the order of the table."""
    return fit.posterior[f"utilization.{name}"].to_numpy()[:, :, cell + 1].ravel()


def fit_cells(rows: pd.DataFrame, *, model: LabModel = MODEL, seed: int = 1, draws: int = 1500,
              tune: int = 800) -> Fit:
    """Fit the points of a few cells.

    Compiled once for one, two, four, ... cells; then a re-fit takes some seconds.

    Parameters
    ----------
    rows
        Points of the cells' windows, as ``titration.points`` returns them; diffraction readings
        as further rows (``cell``, ``xrd_utilization``).
    model, seed, draws, tune
        As in ``LabModel.fit``.
    """
    return model.fit(rows.reset_index(drop=True), seed=seed, draws=draws, tune=tune)


def utilization(cell: Any, reference: Any, **options: Any) -> Any:
    """Static utilization of one titrated cell: the one public call, see ``titrated.evaluate``.

    Parameters
    ----------
    cell, reference
        Relaxed points of the cell and of the reference: paths or tables.
    **options
        ``vs``, ``mass_mg``, ``mass_sd_mg``, ``reference_mass_mg``, ``reference_mass_sd_mg`` are
        needed; ``window``, ``record``, ``xrd``, ``method``, ``errors``, ``seed`` may be given.

    Returns
    -------
    titrated.Utilization
        Or the table of steps where ``method="stepwise"``.
    """
    from .titrated import evaluate

    return evaluate(cell, reference, **options)
