"""What a cell with blocking contacts can tell, before it is made.

Around assumed conductivities the law of ``transmission_line`` is taken as linear, noise as
proportional to the impedance, and the priors of the model as normal: the posterior's spread then
follows without any data. In a cell that blocks ions the ionic rail is seen as the share
1 / (1 + ratio) of the impedance, ratio being electronic over ionic conductivity. Above a ratio of
about 30 that is less than what series resistance, cables and the calibration of an instrument
leave uncertain, whatever the noise; the cell that blocks electrons shows the ionic rail itself.

Sources: as ``transmission_line``; the limit follows from the formula, no published number is in it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from . import transmission_fit as fitting
from . import transmission_line as lines

RATIO_LIMIT = 30.0
"""Conductivity ratio above which the worse rail of the better rail's cell is reported as weak."""
THICKNESS_ERROR, AREA_ERROR = 0.03, 0.01
"""Relative sd of a thickness and of an area that state none: 3 um of 100 um, 0.05 mm of 10 mm."""
Z90 = 1.6448536269514722


def arc_share(ratio: float, blocking: str = lines.ION) -> float:
    """Share of the electrode's impedance that is the arc between the two limits (0 to 1).

    Parameters
    ----------
    ratio
        Electronic over ionic conductivity.
    blocking
        ``"ion"`` or ``"electron"``.
    """
    return 1.0 / (1.0 + (ratio if blocking == lines.ION else 1.0 / ratio))


def expected(
    electronic: float, ionic: float, *, thickness_um: float = 100.0, area_cm2: float = 0.785,
    noise: float = 0.01, highest_Hz: float = 1e6, lowest_Hz: float = 0.1,
    points: int = 50, series: tuple[float, float] | None = None,
    geometry_error: float = float(np.hypot(THICKNESS_ERROR, AREA_ERROR)),
    held: Collection[str] = (), **at: float,
) -> pd.DataFrame:
    """Expected spread of both conductivities from one spectrum of either cell.

    Parameters
    ----------
    electronic, ionic
        Assumed effective conductivities, mS/cm.
    thickness_um, area_cm2
        Of the electrode.
    noise
        Relative standard deviation of either part of the impedance.
    highest_Hz, lowest_Hz, points
        The sweep.
    series
        Series resistance (ohm cm2) and its relative sd, where it is measured apart.
    geometry_error
        Relative sd of thickness over area.
    held
        Parameters of the model that are taken as known.
    **at
        Parameters of the model (``contact_logit``, ``line_ln_tau``, ...) at which it is asked;
        otherwise where the priors are centred.

    Returns
    -------
    DataFrame
        Index ``ion`` and ``electron`` (what the contacts stop); ``arc_share``;
        ``electronic_sd_ln``, ``ionic_sd_ln``; ``electronic_factor``, ``ionic_factor``, the upper
        over the lower end of the 90 % interval; ``ratio_sd_ln``.

    Raises
    ------
    ValueError
        On a conductivity, thickness, area or noise that is not above 0, or an unknown parameter.
    """
    for name, value in (("electronic", electronic), ("ionic", ionic), ("noise", noise),
                        ("thickness_um", thickness_um), ("area_cm2", area_cm2)):
        if not value > 0:
            raise ValueError(f"{name} is {value}; it must be above 0")
    unknown = [name for name in (*held, *at) if name not in lines.NAMES]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no parameter of the transmission line; it has "
                         f"{', '.join(lines.NAMES)}")
    f = np.logspace(np.log10(highest_Hz), np.log10(lowest_Hz), points)
    rows = {}
    for kind in lines.BLOCKING:
        spread = _spread(kind, f, electronic, ionic, thickness_um, area_cm2, noise, series,
                         held, at)
        electrons, ions = (float(np.hypot(s, geometry_error)) for s in spread[:2])
        rows[kind] = {
            "arc_share": arc_share(electronic / ionic, kind), "electronic_sd_ln": electrons,
            "ionic_sd_ln": ions, "electronic_factor": float(np.exp(2 * Z90 * electrons)),
            "ionic_factor": float(np.exp(2 * Z90 * ions)), "ratio_sd_ln": spread[2]}
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index.name = "blocking"
    return table


def _spread(kind: str, f: np.ndarray, electronic: float, ionic: float, um: float, area: float,
            noise: float, series: tuple[float, float] | None, held: Collection[str],
            at: dict[str, float]) -> tuple[float, float, float]:
    """Sd of ln electronic, ln ionic and their ratio, thickness and area known."""
    swap = float(kind == lines.ELECTRON)
    before = lines.SERIES[kind] if series is None else series[0]
    opened = lines.areal_resistance(um, ionic if swap else electronic)
    logit = float(lines.expected_logit(opened + before, swap))
    u = fitting.prior_scale()[0].copy()
    for k, (name, family, *_) in enumerate(lines.PARAMETERS):
        if name in at:
            u[k] = np.log(at[name]) if family == "LogNormal" else at[name]
    u[fitting.TOTAL] = np.log(opened + before)
    u[fitting.SERIES] = np.log(before / opened) - logit
    u[fitting.RATIO] = np.log(electronic / ionic)
    free = [k for k, name in enumerate(lines.NAMES) if name != "noise" and name not in held]

    def looked(v: np.ndarray) -> tuple[np.ndarray, Any]:
        re, im = fitting.curve(v, f, logit=logit, swap=swap, area_cm2=area)
        return np.concatenate([re, im]), fitting.resistances(v, logit, swap)

    def steps(k: int) -> tuple[np.ndarray, np.ndarray]:
        ends = []
        for sign in (1.0, -1.0):
            v = u.copy()
            v[k] += sign * 1e-5
            ends.append(looked(v))
        lns = [np.log(np.array(end[1], dtype=float)) for end in ends]
        return (ends[0][0] - ends[1][0]) / 2e-5, (lns[0] - lns[1]) / 2e-5

    here, _ = looked(u)
    size = np.tile(np.hypot(*np.split(here, 2)), 2) * noise
    found = [steps(k) for k in free]
    curves = np.stack([one for one, _ in found], axis=1) / size[:, None]
    lns = np.stack([two for _, two in found], axis=1)
    precision = curves.T @ curves + np.diag(1.0 / fitting.prior_scale()[1][free] ** 2)
    if series is not None:
        precision += np.outer(lns[0], lns[0]) / series[1] ** 2
    covariance = np.linalg.inv(precision)
    of = np.stack([-lns[1], -lns[2], lns[2] - lns[1]])
    spread = np.sqrt(np.einsum("ij,jk,ik->i", of, covariance, of))
    return float(spread[0]), float(spread[1]), float(spread[2])
