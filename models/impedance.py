"""Cathode resistance from impedance spectra: Kramers-Kronig gate, circuit, and what it can tell.

Each spectrum goes through three questions.

1. Is it one steady cell's? (``kramers_kronig``) If not, it is refused for fitting and kept, with
   the size of its residual and the place in frequency.
2. What are the resistances? The circuit R-(RQ)-(RQ)-Q with arcs ordered by frequency
   (``circuit``), the posterior by importance sampling (``circuit_fit``) or, where that cannot be
   trusted (k-hat above 0.7), by NUTS from the same priors and likelihood.
3. Would another circuit say the same? (``separability``) A resistance that a circuit as good moves
   by less than ``tolerance`` is widened to reach it; one that moves by more is not given: "arcs not
   separable". So is one whose spectrum the circuit does not describe.

Resistances are per area (ohm cm2), of the geometric area. The cathode arc holds charge transfer,
constriction, coating and interphase together.

Cells with blocking contacts have an evaluation of their own (``conductivities``): two rails and
their interface in place of arcs; so have direct-current staircases (``staircases``).

Sources: Kissel (2025), doctoral thesis, lines 2116-2118 (circuit, Kramers-Kronig test of every
spectrum), 2183 (arcs overlap at low and high charge), 2187 (what the cathode arc holds).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ..data import impedance as tables
from ..data.problems import Problem, TableError
from . import circuit_fit as fitting
from . import separability
from .adequacy import IN_ROWS, LEVEL, described
from .blocking_cells import Conductivities, conductivities, informed
from .blocking_design import expected
from .blocking_pool import pool
from .circuit_fit import KHAT_LIMIT, R1, R2, Spectrum
from .circuit_model import MODEL, by_nuts
from .kramers_kronig import KramersKronig, kramers_kronig
from .staircase import staircases
from .transmission_line import blocking_impedance, conductivity_mS_cm

__all__ = ["MODEL", "Conductivities", "Impedances", "blocking_impedance", "conductivities",
           "conductivity_mS_cm", "described", "evaluate", "expected", "informed", "pool",
           "resistances", "staircases"]

TOLERANCE = 0.05
"""Relative difference between circuits up to which a resistance is widened, not refused."""
WIDEST = 0.5
"""Largest standard deviation of ln R of a resistance that is given."""
KEPT = ("coating", "relaxed_V", "direction", "hold_V", "hold_h", "cycle", "time_point",
        "temperature_degC", "stack_MPa", "kind")


@dataclass(frozen=True)
class Impedances:
    """Answer of ``evaluate``.

    Attributes
    ----------
    table : DataFrame
        One row a spectrum, refused ones too (``status`` failed, with the ``reason``); columns as
        in ``evaluate``.
    spectra : DataFrame
        All points, those of refused spectra too.
    draws : dict
        Position in ``table`` -> natural parameters by name, arrays of draws.
    gates : list of KramersKronig
    sentences : list of str
    """

    table: pd.DataFrame
    spectra: pd.DataFrame = field(repr=False)
    draws: dict[int, dict[str, np.ndarray]] = field(repr=False)
    gates: list[KramersKronig] = field(repr=False)
    sentences: list[str]

    def covariance(self, position: int) -> pd.DataFrame:
        """Posterior covariance (ohm2 cm4) of separator, cathode and anode of one spectrum.

        Raises
        ------
        KeyError
            If that spectrum was refused before it was fitted.
        """
        if position not in self.draws:
            raise KeyError(f"spectrum {position} was not fitted: "
                           f"{self.table['reason'].iloc[position]}")
        names = ["separator", "cathode", "anode"]
        drawn = [self.draws[position][name] for name in names]
        return pd.DataFrame(np.cov(drawn), index=names, columns=names)

    def __str__(self) -> str:
        return "\n".join(self.sentences)


def evaluate(
    spectra: pd.DataFrame | str | os.PathLike[str], *, anode: tuple[float, float] | None = None,
    tolerance: float = TOLERANCE, seed: int = 1, nuts: bool = True, draws: int = fitting.DRAWS,
) -> Impedances:
    """Resistances of all spectra of a table.

    Parameters
    ----------
    spectra
        A path or table as `data.impedance.read_spectra` takes it.
    anode
        Anode resistance (ohm cm2) and its sd where it is known, from a symmetric or three-electrode
        cell: it separates arcs that the spectrum alone cannot.
    tolerance
        Relative difference between circuits that is taken into the error; a larger one refuses.
    seed
        Of the samplers.
    nuts
        Whether NUTS samples where importance sampling cannot be trusted; compiles once (10 s).
        Without it such a spectrum is refused.
    draws
        Number of posterior draws.

    Returns
    -------
    Impedances
        With ``table`` of: the labels and conditions of each spectrum; ``resistance_ohm_cm2`` (the
        cathode), ``resistance_ohm_cm2_sd``, ``resistance_low``, ``resistance_high`` (90 %
        equal-tailed); the same for ``anode_resistance_ohm_cm2`` and ``separator_ohm_cm2``;
        ``arcs_total_ohm_cm2`` (cathode + anode, known also where the two are not separable);
        ``cathode_anode_correlation``; ``arcs``; ``status``, ``reason``; the gate's ``kk_p``,
        ``kk_residual_pct``, ``kk_worst_pct``, ``kk_low_Hz``, ``kk_high_Hz``; ``circuit_p``,
        ``noise_pct``, ``khat``, ``posterior``. A resistance that is not given is empty.

    Raises
    ------
    data.TableError
        If the table cannot be right.
    ValueError
        If an argument cannot be.
    """
    if not 0 <= tolerance < 1:
        raise ValueError(f"tolerance is {tolerance}; a relative difference from 0 to below 1")
    if anode is not None and not (anode[0] > 0 and anode[1] > 0):
        raise ValueError(f"anode is {anode}; give its resistance and sd in ohm cm2, both above 0")
    table = (tables.spectra_table(spectra) if isinstance(spectra, pd.DataFrame)
             else tables.read_spectra(spectra))
    known = None if anode is None else (anode[0], float(np.sqrt(np.log1p(
        (anode[1] / anode[0]) ** 2))))
    prior = fitting.prior_scale({} if known is None else {"anode": known})
    rows, kept, gates, sentences = [], {}, [], []
    for position, (labels, part) in enumerate(tables.spectra(table)):
        row: dict[str, Any] = dict(labels)
        row |= {name: part[name].iloc[0] for name in KEPT if name in part}
        row |= {"area_cm2": float(part["area_cm2"].iloc[0]), "technique": "impedance"}
        gate, found, drawn = _one(part, prior, known, tolerance, seed + position, nuts, draws)
        gates.append(gate)
        rows.append(row | found)
        if drawn is not None:
            kept[position] = fitting.natural(drawn)
        sentences.append(f"{' '.join(str(v) for v in labels.values() if v is not None)}: "
                         + _sentence(found))
    return Impedances(pd.DataFrame(rows), table, kept, gates, sentences)


def _one(part: Any, prior: np.ndarray, known: tuple[float, float] | None,
         tolerance: float, seed: int, nuts: bool, draws: int,
         ) -> tuple[KramersKronig, dict[str, Any], np.ndarray | None]:
    """Gate, columns of the answer, draws on the unbounded scale."""
    area = float(part["area_cm2"].iloc[0])
    f, re, im = (part[name].to_numpy(float) for name in
                 (tables.FREQUENCY, tables.REAL, tables.IMAGINARY))
    gate = kramers_kronig(f, re * area, im * area)
    told: dict[str, Any] = {
        "kk_passed": gate.passed, "kk_p": gate.p, "kk_residual_pct": 100 * gate.residual,
        "kk_worst_pct": 100 * gate.worst, "kk_worst_Hz": gate.worst_Hz, "kk_low_Hz": gate.low_Hz,
        "kk_high_Hz": gate.high_Hz}
    if not gate.passed:
        return gate, _refused(gate.sentence, told), None
    # inductive points belong to the cables, not to the circuit; they are at the high end
    use = im < 0
    spectrum = Spectrum(f[use], re[use] * area, im[use] * area, gate.modulus[use], gate.residual,
                        prior)
    found = fitting.modes(spectrum)
    if not found:
        return gate, _refused("no fit of the circuit has converged", told), None
    best = found[0]
    told["circuit_p"], correlated = described(spectrum, best, gate)
    if told["circuit_p"] < LEVEL:
        return gate, _refused(
            f"the circuit R-(RQ)-(RQ)-Q does not describe this spectrum (p = "
            f"{told['circuit_p']:.2g} against a free sum of relaxations); the resistances of its "
            "arcs would mean nothing", told), None
    if correlated > IN_ROWS:
        return gate, _refused(
            "residuals of the circuit run in rows along frequency: the circuit does not describe "
            "this spectrum, or its noise is not independent", told), None
    drawn = fitting.sample(spectrum, found, seed, draws)
    rivals = [r for r in separability.rivals(spectrum, best)
              if r.chi_square < best.chi_square + separability.AS_GOOD]
    verdicts = {arc: separability.judge(rivals, drawn.u, arc, tolerance, WIDEST)
                for arc in ("cathode", "anode", "total")}
    told |= {"khat": drawn.khat, "posterior": "importance sampling"}
    if drawn.khat > KHAT_LIMIT and verdicts["cathode"].known:
        if not nuts:
            return gate, _refused("importance sampling cannot be trusted (k-hat "
                                  f"{drawn.khat:.2f}); sample by NUTS (nuts=True)", told), None
        drawn = by_nuts(part[use], known, seed, draws)
        told["posterior"] = "NUTS"
        if np.isnan(drawn.khat):
            return gate, _refused("the posterior has several modes: importance sampling and the "
                                  "chains of NUTS both fail", told), None
        verdicts = {arc: separability.judge(rivals, drawn.u, arc, tolerance, WIDEST)
                    for arc in ("cathode", "anode", "total")}
    return gate, told | _answers(drawn.u, verdicts), drawn.u


def _answers(u: np.ndarray, verdicts: dict[str, separability.Verdict]) -> dict[str, Any]:
    """Columns of the answer from draws and what may be said of them."""
    drawn = np.exp(u[:, [fitting.R0, R1, R2]])
    out: dict[str, Any] = {"separator_ohm_cm2": float(drawn[:, 0].mean()),
                           "separator_ohm_cm2_sd": float(drawn[:, 0].std())}
    for arc, name in (("cathode", "resistance"), ("anode", "anode_resistance"),
                      ("total", "arcs_total")):
        verdict = verdicts[arc]
        low, high = verdict.interval
        blank = float("nan")
        out[f"{name}_ohm_cm2"] = verdict.mean if verdict.known else blank
        out[f"{name}_ohm_cm2_sd"] = verdict.sd if verdict.known else blank
        out[f"{name}_low"], out[f"{name}_high"] = (low, high) if verdict.known else (blank, blank)
    out["cathode_anode_correlation"] = float(np.corrcoef(drawn[:, 1], drawn[:, 2])[0, 1])
    out["noise_pct"] = 100 * float(np.exp(u[:, fitting.NOISE]).mean())
    apart = verdicts["cathode"].known and verdicts["anode"].known
    out["arcs"] = ("separable" if apart else "cathode only" if verdicts["cathode"].known
                   else "not separable")
    out["status"] = "done" if verdicts["cathode"].known else "failed"
    out["reason"] = "" if apart else _reason(verdicts)
    return out


def _reason(verdicts: dict[str, separability.Verdict]) -> str:
    cathode, anode = verdicts["cathode"], verdicts["anode"]
    if cathode.known:
        return f"anode arc not separable: {anode.why}"
    total = verdicts["total"]
    if total.known:
        return (f"arcs not separable: {cathode.why}; together they are {total.mean:.3g} +- "
                f"{total.sd:.2g} ohm cm2. A known anode resistance (anode=) may separate them")
    return f"arcs not separable: {cathode.why}"


def _refused(why: str, told: dict[str, Any]) -> dict[str, Any]:
    """A spectrum without numbers: the same columns, empty."""
    names = [f"{name}{end}" for name in ("resistance", "anode_resistance", "arcs_total")
             for end in ("_ohm_cm2", "_ohm_cm2_sd", "_low", "_high")]
    blank = dict.fromkeys(["separator_ohm_cm2", "separator_ohm_cm2_sd", *names,
                           "cathode_anode_correlation", "circuit_p", "noise_pct", "khat"],
                          float("nan"))
    return blank | {"posterior": ""} | told | {"arcs": "", "status": "failed", "reason": why}


def _sentence(found: dict[str, Any]) -> str:
    if found["status"] == "failed":
        return f"refused: {found['reason']}"
    told = (f"cathode {found['resistance_ohm_cm2']:.3g} ohm cm2 (90 % interval "
            f"{found['resistance_low']:.3g} to {found['resistance_high']:.3g}, equal-tailed)")
    if found["arcs"] == "separable":
        return told + (f", anode {found['anode_resistance_ohm_cm2']:.3g} "
                       f"({found['anode_resistance_low']:.3g} to "
                       f"{found['anode_resistance_high']:.3g})")
    return f"{told}; {found['reason']}"


def resistances(found: Impedances) -> pd.DataFrame:
    """Rows of ``found.table`` that have a cathode resistance, for fits over time and coating.

    Raises
    ------
    data.TableError
        If every spectrum was refused; the reasons are named.
    """
    done: Any = found.table[found.table["status"].eq("done")]
    if not len(done):
        raise TableError("spectra", [Problem(k, None, None, f"refused: {why}") for k, why in
                                     found.table["reason"].items()])
    return done.reset_index(drop=True)
