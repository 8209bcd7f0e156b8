"""Conductivities of one composite from several blocking cells.

Cells of one composite share its conductivities up to their own scatter and the errors of their
thickness and area:

    ln sigma_cell = ln sigma + cell's own (sd tau) + error of L / A (one for both rails of a cell).

The posterior of each cell alone (``blocking_cells``) takes the place of its readings: its draws are
divided by the prior that they were made with, so that nothing is counted twice. Cells that block
ions and cells that block electrons are pooled alike; a rail that is weak in one may be sharp in the
other. Contacts and interface stay each cell's own.

One or two cells say nothing about tau, which keeps its prior; the interval is wider for it.

Sources: as ``transmission_line``; the scatter of cells is not printed there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ..data import impedance as tables
from . import circuit_fit as circuits
from . import transmission_fit as fitting
from . import transmission_line as lines
from .blocking_cells import RAILS, ROUGH, Conductivities, verdict
from .blocking_design import RATIO_LIMIT
from .circuit_fit import Mode
from .engine.arrays import expit
from .walkers import walk

LOCATION = np.log([1.0, 3.0, 0.15, 0.15])
WIDTH = np.array([2.5, 2.5, 0.6, 0.6])
"""Priors of ln electronic (mS/cm), ln ratio, and ln of the cells' scatter of either rail: decades
wide, and 5 to 50 % (cells of one batch are more alike than laboratories, whose sd of ln
conductivity is 0.34 to 0.47, line 208)."""
THINNED = 800
"""Draws of each cell that stand for its readings."""


@dataclass(frozen=True)
class Pooled:
    """Answer of ``pool``.

    Attributes
    ----------
    table : DataFrame
        One row a ``quantity`` (``electronic_mS_cm``, ``ionic_mS_cm``, ``ratio``, and
        ``electronic_scatter``, ``ionic_scatter``, the sd of ln conductivity between cells):
        ``median``, ``low``, ``high`` (90 % equal-tailed), ``sd_ln``, ``sd_ratio`` (posterior over
        prior sd), ``informed_by``.
    draws : dict
        Quantity -> draws.
    khat : float
    sentence : str
    """

    table: pd.DataFrame
    draws: dict[str, np.ndarray] = field(repr=False)
    khat: float
    sentence: str


@dataclass(frozen=True)
class _Cells:
    """Draws of each cell (ln electronic, ln ionic), their prior's log density, geometry error."""

    x: list[np.ndarray]
    before: list[np.ndarray]
    error: list[float]

    def log_density(self, u: np.ndarray) -> np.ndarray:
        """Log posterior density of (ln electronic, ln ratio, ln scatter, ln scatter)."""
        out = -0.5 * (((u - LOCATION) / WIDTH) ** 2).sum(axis=-1)
        centre = np.stack([u[:, 0], u[:, 0] - u[:, 1]], axis=1)
        own = np.exp(2 * np.clip(u[:, 2:], -30, 30))
        for x, before, error in zip(self.x, self.before, self.error, strict=True):
            shared = error**2
            a, b = own[:, 0] + shared, own[:, 1] + shared
            determinant = a * b - shared**2
            e, i = (x[None, :, k] - centre[:, None, k] for k in (0, 1))
            square = (b[:, None] * e**2 - 2 * shared * e * i + a[:, None] * i**2)
            each = -0.5 * square / determinant[:, None] - before
            top = each.max(axis=1)
            out = (out + top + np.log(np.exp(each - top[:, None]).mean(axis=1))
                   - 0.5 * np.log(determinant))
        return out


def pool(found: Conductivities, *, seed: int = 1, draws: int = circuits.DRAWS) -> Pooled:
    """Conductivities of the composite that the cells are made of.

    Parameters
    ----------
    found
        Answer of ``conductivities`` for the cells of one composite, of either kind.
    seed
        Of the sampler.
    draws
        Number of posterior draws.

    Raises
    ------
    ValueError
        If no spectrum was fitted, if they are of several batches, or if a cell has several
        spectra (they are no replicates).
    """
    table = found.table
    done: Any = table.loc[list(found.draws)]
    if not len(done):
        raise ValueError("no spectrum was fitted: " + "; ".join(found.sentences))
    for level in ("study", "lot", "run", "batch"):
        if level in done and done[level].nunique(dropna=False) > 1:
            names = ", ".join(map(str, done[level].unique()))
            raise ValueError(f"spectra of more than one {level} ({names}) would be pooled as one "
                             "composite; pool each alone")
    if "cell" in done:
        twice = done.loc[done["cell"].notna() & done["cell"].duplicated(), "cell"]
        if len(twice):
            raise ValueError(f"cell {twice.iloc[0]!r} has several spectra; sweeps of one cell are "
                             "no replicates: keep one of each")
    parts = {k: part for k, (_, part) in enumerate(tables.spectra(found.spectra))}
    rng = np.random.default_rng([seed, 37])
    cells = _Cells([], [], [])
    for position, drawn in found.draws.items():
        cell = fitting.cell_of(parts[position])
        chosen = rng.permutation(len(drawn["electronic"]))[:THINNED]
        x = np.stack([np.log(drawn[name] / drawn["geometry"]) for name in RAILS], axis=1)[chosen]
        cells.x.append(x)
        cells.before.append(_prior_density(x, cell, rng))
        cells.error.append(float(done.at[position, "geometry_error"]))
    weight = np.array([1 / (x.var(axis=0) + 0.03) for x in cells.x])
    mean = (np.array([x.mean(axis=0) for x in cells.x]) * weight).sum(axis=0) / weight.sum(axis=0)
    spread = 1 / weight.sum(axis=0)
    start = np.array([mean[0], mean[0] - mean[1], *LOCATION[2:]])
    mode = Mode(start, 0.0, 0.0, np.diag([spread[0], spread.sum(), *WIDTH[2:] ** 2]))
    sampled = circuits.sample(cells, [mode], seed, draws)
    u, khat = sampled.u, sampled.khat
    if khat > ROUGH:
        u = walk(cells.log_density, u, seed).u
    return _told(u, khat, [float(fitting.cell_of(p).swap) for k, p in parts.items()
                           if k in found.draws])


def _prior_density(x: np.ndarray, cell: fitting.Cell, rng: np.random.Generator) -> np.ndarray:
    """Log prior density of a cell's (ln electronic, ln ionic) in its own fit, up to a constant."""
    (total, _, ratio, *_), (wide, share_sd, ratio_sd, *_) = fitting.prior_scale()
    left = np.log1p(-expit(cell.logit + share_sd * rng.normal(size=20_000)))
    opened = x[:, 1] if cell.swap > 0.5 else x[:, 0]
    centre = np.log(lines.areal_resistance(cell.thickness_um, 1.0)) - total - left.mean()
    return (-0.5 * (opened - centre) ** 2 / (wide**2 + left.var())
            - 0.5 * ((x[:, 0] - x[:, 1] - ratio) / ratio_sd) ** 2)


def _told(u: np.ndarray, khat: float, swaps: list[float]) -> Pooled:
    """Table and sentence from draws."""
    drawn = {"electronic_mS_cm": np.exp(u[:, 0]), "ionic_mS_cm": np.exp(u[:, 0] - u[:, 1]),
             "ratio": np.exp(u[:, 1]), "electronic_scatter": np.exp(u[:, 2]),
             "ionic_scatter": np.exp(u[:, 3])}
    before = dict(zip(drawn, (WIDTH[0], np.hypot(*WIDTH[:2]), *WIDTH[1:]), strict=True))
    ratio = float(np.median(drawn["ratio"]))
    # a rail that some cell's contacts feed is nobody's weak one
    beaten = {"ionic_mS_cm": 0.0 if any(swaps) else ratio,
              "electronic_mS_cm": 0.0 if not all(swaps) else 1 / ratio}
    rows = []
    for name, values in drawn.items():
        low, median, high = (float(v) for v in np.quantile(values, [0.05, 0.5, 0.95]))
        sd = float(np.log(values).std())
        sd_ratio = sd / float(before[name])
        source = (verdict(low, high, sd_ratio, beaten.get(name, 0.0))
                  if "scatter" not in name else "prior" if sd_ratio > 0.8 else "data")
        rows.append({"quantity": name, "median": median, "low": low, "high": high, "sd_ln": sd,
                     "sd_ratio": sd_ratio, "informed_by": source})
    table = pd.DataFrame(rows)
    told = []
    for row in table.head(2).to_dict("records"):
        rail = str(row["quantity"]).partition("_")[0]
        text = f"{rail} {row['median']:.3g} mS/cm (90 % interval {row['low']:.3g} to "
        text += f"{row['high']:.3g}, equal-tailed)"
        told.append(text if row["informed_by"] == "data" else f"{text}, {row['informed_by']}")
    if ratio > RATIO_LIMIT and not any(swaps):
        told.append("a cell that blocks electrons would show the ionic rail itself")
    if ratio < 1 / RATIO_LIMIT and all(swaps):
        told.append("a cell that blocks ions would show the electronic rail itself")
    return Pooled(table, drawn, khat, f"{len(swaps)} cells: " + "; ".join(told))
