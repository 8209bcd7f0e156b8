"""Agglomerates of electrolyte in a slurry: delivered with the powder, or grown while mixing.

    A(t) = A_0 exp(-k_d t) + A_g (1 - exp(-k_g t))

What the powder lot brings along (A_0) is dispersed at the rate k_d; what mixing itself makes grows
towards A_g at the rate k_g. A slurry shows the sum. Two lots mixed for the same time differ by
(A_0 - A_0') exp(-k_d t) alone, growth cancels: only lots crossed with mixing times, each
combination made more than once, tell the two causes apart. The published experiment, one lot at
each of three times, leaves the cause open, as its authors say.

Source of the two hypotheses: Prein, Toepper and Daub, 3rd Conference on Production Systems and
Logistics (2022), line 118; the equation is this library's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .engine import namespace
from .engine.encode import NOT_DONE, number, text


def delivered(milling_min: Any, brought: Any, dispersion_per_min: Any) -> Any:
    """Agglomerates that are left of those in the powder, in the unit of ``brought``."""
    return brought * namespace(milling_min, brought, dispersion_per_min).exp(
        -dispersion_per_min * milling_min)


def grown(milling_min: Any, most: Any, growth_per_min: Any) -> Any:
    """Agglomerates that mixing has made, in the unit of ``most``."""
    return -most * namespace(milling_min, most, growth_per_min).expm1(
        -growth_per_min * milling_min)


def agglomerates(milling_min: Any, brought: Any, dispersion_per_min: Any, most: Any,
                 growth_per_min: Any) -> Any:
    """Agglomerates in a slurry: delivered and not yet dispersed, plus grown.

    Parameters
    ----------
    milling_min
        Mixing time t (min).
    brought, dispersion_per_min
        A_0, number (or area share) that the lot brings, and k_d (1/min).
    most, growth_per_min
        A_g, what long mixing makes, in the unit of A_0, and k_g (1/min).
    """
    return (delivered(milling_min, brought, dispersion_per_min)
            + grown(milling_min, most, growth_per_min))


@dataclass(frozen=True)
class Causes:
    """Whether a design can tell delivered from grown agglomerates.

    Attributes
    ----------
    table
        Slurries of each lot (index) at each mixing time in minutes (columns).
    separable
        True if two lots or more are crossed with two times or more, and a combination is repeated.
    sentence
        The verdict, and what is missing.
    """

    table: pd.DataFrame
    separable: bool
    sentence: str

    def __str__(self) -> str:
        return f"{self.table.to_string()}\n{self.sentence}"


def causes(table: pd.DataFrame) -> Causes:
    """Whether the slurries of a table can tell the two causes of agglomerates apart.

    Parameters
    ----------
    table
        Rows with ``run`` (one slurry), ``lot`` (of the electrolyte powder) and ``milling_min``;
        failed slurries count, for agglomerates are why they fail.

    Raises
    ------
    ValueError
        If a column is missing.
    """
    missing = [c for c in ("run", "lot", "milling_min") if c not in table]
    if missing:
        raise ValueError(f"the table has no column {missing[0]!r}; agglomerates are told apart by "
                         "electrolyte lot (lot) and mixing time (milling_min) of slurries (run)")
    use = ~text(table, "kind").eq("statement") & ~text(table, "status").isin(NOT_DONE - {"failed"})
    rows: Any = pd.DataFrame({
        "lot": text(table, "lot"), "minutes": number(table, "milling_min"),
        "run": text(table, "study") + "|" + text(table, "run")})[use]
    rows = rows[rows["lot"].ne("") & ~rows["minutes"].isna()]
    counts = rows.groupby(["lot", "minutes"])["run"].nunique().unstack(fill_value=0)
    made = counts.to_numpy(dtype=int)
    lacks = []
    if made.shape[0] < 2:
        lacks.append("a second electrolyte lot")
    if made.size == 0 or made.shape[1] < 2:
        lacks.append("a second mixing time")
    crossed = (made > 0).sum(axis=0) >= 2
    if not lacks and crossed.sum() < 2:
        lacks.append("two mixing times at which two lots were both mixed")
    if not lacks and not (made >= 2).any():
        lacks.append("a repeated slurry, without which scatter and lot are one")
    if lacks:
        sentence = ("delivered and grown agglomerates cannot be told apart here: there is no "
                    + ", no ".join(lack.removeprefix("a ") for lack in lacks)
                    + ". Only electrolyte lots crossed with mixing times, repeated, separate them")
    else:
        sentence = ("delivered and grown agglomerates can be told apart: lots differ at one time "
                    "by what is left of the delivered ones, growth is what they share")
    return Causes(counts, not lacks, sentence)


def information_rank(milling_min: Any, lot: Any, brought: Any, dispersion_per_min: float,
                     most: float, growth_per_min: float) -> tuple[int, int]:
    """Directions that agglomerate counts inform, and the number of parameters.

    Parameters
    ----------
    milling_min, lot
        Mixing time (min) and number of the lot (0, 1, ...) of each slurry, ``(n,)``.
    brought
        A_0 of each lot, ``(lots,)``.
    dispersion_per_min, most, growth_per_min
        As in ``agglomerates``.

    Returns
    -------
    rank, parameters
        Of the derivatives of the counts by ln of all parameters; singular values below 1 % of the
        largest count as none, which is what readings with a few percent of error see.
    """
    time, which = np.asarray(milling_min, dtype=float), np.asarray(lot, dtype=int)
    start = np.concatenate([np.log(np.asarray(brought, dtype=float)),
                            np.log([dispersion_per_min, most, growth_per_min])])

    def counts(p: np.ndarray) -> np.ndarray:
        rest = np.exp(p[-3:])
        return agglomerates(time, np.exp(p[:-3])[which], *rest)

    step = 1e-5
    columns = [(counts(start + step * e) - counts(start - step * e)) / (2 * step)
               for e in np.eye(len(start))]
    values = np.linalg.svd(np.stack(columns, axis=1), compute_uv=False)
    return int((values > 0.01 * values[0]).sum()), len(start)
