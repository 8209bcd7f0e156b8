"""Conductivities of one composite from several blocking cells.

Cells of one composite share its conductivities up to their own scatter and the errors of their
thickness and area:

    ln sigma_cell = ln sigma + cell's own (sd tau) + error of L / A (one for both rails of a cell).

The posterior of each cell alone (``blocking_cells``) takes the place of its readings: its draws are
divided by the prior that they were made with, so that nothing is counted twice. The rail that the
contacts feed is read from each cell anew. The other one is told from the contacts' arc by the shape
of the spectrum, and contacts and interface are the composite's: what misleads one cell misleads all
of its kind. So cells of one kind count as one for the ratio of the rails (their log likelihoods are
averaged), and only a cell of the other kind adds to it.

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
    """Of each cell: draws of ln conductivity of its open rail and of ln ratio with the log density
    of the prior that they had, the open rail (0 electronic, 1 ionic), and its geometry error."""

    opened: list[tuple[np.ndarray, np.ndarray]]
    ratio: list[tuple[np.ndarray, np.ndarray]]
    rail: list[int]
    error: list[float]

    def log_density(self, u: np.ndarray) -> np.ndarray:
        """Log posterior density of (ln electronic, ln ratio, ln scatter, ln scatter)."""
        out = -0.5 * (((u - LOCATION) / WIDTH) ** 2).sum(axis=-1)
        centre = np.stack([u[:, 0], u[:, 0] - u[:, 1]], axis=1)
        own = np.exp(2 * np.clip(u[:, 2:], -30, 30))
        for opened, ratio, rail, error in zip(self.opened, self.ratio, self.rail, self.error,
                                              strict=True):
            out = out + _averaged(*opened, centre[:, rail], own[:, rail] + error**2)
            out = out + (_averaged(*ratio, u[:, 1], own.sum(axis=1))
                         / sum(r == rail for r in self.rail))
        return out


def _averaged(draws: np.ndarray, before: np.ndarray, mean: np.ndarray,
              variance: np.ndarray) -> np.ndarray:
    """Log of a normal density averaged over a cell's likelihood, up to a constant."""
    each = -0.5 * (draws - mean[:, None]) ** 2 / variance[:, None] - before
    top = each.max(axis=1)
    return top + np.log(np.exp(each - top[:, None]).mean(axis=1)) - 0.5 * np.log(variance)


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
    cells = _Cells([], [], [], [])
    for position, drawn in found.draws.items():
        cell = fitting.cell_of(parts[position])
        chosen = rng.permutation(len(drawn["electronic"]))[:THINNED]
        rail = int(cell.swap > 0.5)
        opened = np.log(drawn[RAILS[rail]] / drawn["geometry"])[chosen]
        ratio = np.log(drawn["ratio"])[chosen]
        for held, x, before in ((cells.opened, opened, _prior_of_open(cell, rng)),
                                (cells.ratio, ratio, fitting.prior_scale()[:, fitting.RATIO])):
            held.append((x, -0.5 * ((x - before[0]) / before[1]) ** 2))
        cells.rail.append(rail)
        cells.error.append(float(done.at[position, "geometry_error"]))
    open_, ratio = (np.array([(x.mean(), x.var() + 0.03) for x, _ in held])
                    for held in (cells.opened, cells.ratio))
    ln_ratio = float(np.average(ratio[:, 0], weights=1 / ratio[:, 1]))
    electronic = open_[:, 0] + ln_ratio * np.array(cells.rail)
    start = np.array([electronic.mean(), ln_ratio, *LOCATION[2:]])
    spread = [0.03 + electronic.var(), ratio[:, 1].min(), *WIDTH[2:] ** 2]
    sampled = circuits.sample(cells, [Mode(start, 0.0, 0.0, np.diag(spread))], seed, draws)
    u, khat = sampled.u, sampled.khat
    if khat > ROUGH:
        u = walk(cells.log_density, u, seed).u
    return _told(u, khat, cells.rail)


def _prior_of_open(cell: fitting.Cell, rng: np.random.Generator) -> tuple[float, float]:
    """Mean and sd of the prior of ln conductivity of the open rail in a cell's own fit."""
    (total, *_), (wide, share_sd, *_) = fitting.prior_scale()
    left = np.log1p(-expit(cell.logit + share_sd * rng.normal(size=20_000)))
    centre = np.log(lines.areal_resistance(cell.thickness_um, 1.0)) - total - left.mean()
    return float(centre), float(np.sqrt(wide**2 + left.var()))


def _told(u: np.ndarray, khat: float, swaps: list[int]) -> Pooled:
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
