"""Mechanofusion with carbon: what a coated composite delivers, and what carbon costs.

    q = w U q_act e^b,       q_act = q_ref y,       R = C q_1C / (U q_ref)

Per gram of composite the capacity q is the mass fraction w of active material, times the static
utilization U, times what connected material delivers. Carbon acts on both in opposite ways. It
connects grains, so U rises with the ratio r of carbon to electrolyte (by mass), and it blocks ions
and springs back after pressing, so that the share y of the connected capacity that is delivered at
a rate falls:

    logit U = u_0 + G (r / 0.15)^s,
    logit y = y_0 - D (r / 0.15)^m + p (a ln(phi_m / 0.314) + d ln c - ln R)

with phi_m the volume share of the matrix and c the share of the surface that the mixer has
covered (``shell``). R (1/h) is the rate on the connected capacity: low U raises it. G and D are
what the most carbon of practice (15 % of the electrolyte) does; s and m say how early: at 1 each
bit of carbon does as much as the one before, above 1 most happens near the end, as at a threshold.
A best carbon content exists only if carbon connects earlier than it blocks.

Batches of one recipe differ: b is normal with ``batch_sd`` (0.1 to 0.2 is usual, and never 0),
and the logit of U with ``utilization_batch_sd``. So two questions about the best carbon content
have two answers: which of the batches at hand is best (``best_of_tried``), and at which content a
*new* batch should be made (``optimum``). Six batches of six contents may settle the first and leave
the second open.

Retention is an outcome of its own, not a property of the initial capacity: utilization falls with
cycling where the matrix is porous, and may rise where it is dense,

    U(N) / U(0) = exp(N / 80 (g - f (eps - eps_0))).

The first cycle may deliver less or more than the next ones before any fading: contacts settle, and
the first discharge is hindered. Readings of cycle 1 therefore share a factor e^h; where no cycle is
stated a later one is meant.

Conductivities and matrix porosity are in ``carbon_network``. They inform nothing that a cell
delivers, and are no objective.

Limits: speed, time and electrolyte content act on a cell through priors only, since no cell is
published for any other than 10,000 1/min, 60 min and 80:20; damage by too much stress is left
out. A first cycle and later ones at one utilization may contradict each other (``rate_order``).

Source: Kissel (2025), doctoral thesis, publication III (lines 1128-1668, 3156-3394), doi
10.1038/s41467-026-71305-2.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pandas as pd

from ..data.recipes import active_fraction, guest_volume_fraction
from . import carbon_network, shell
from .batch_statements import About, batch_encoder, batch_rows, read_batch_statements
from .carbon_answers import Collapse, NewBatch, Tried, best_of_tried, collapse, optimum
from .carbon_rows import as_parts, closed_shells, set_aside
from .engine import Factor, Group, Inputs, LabModel, Outcome, expit, namespace
from .engine.bounds import Bounded, bound_encoder, observe_bounds
from .milling import specific_energy_from_power
from .rate_order import contradictions

__all__ = ["MODEL", "Collapse", "NewBatch", "Tried", "best_of_tried", "collapse", "contradictions",
           "optimum", "specific_energy"]

DOI = "10.1038/s41467-026-71305-2"
MATRIX_REFERENCE = 0.314
"""Volume share of the matrix in 80:20:0 (line 1223)."""
LEAST_RATIO = 1e-6
LN_MOST = math.log(0.15)
"""ln of the largest ratio of carbon to electrolyte that was published (80:20:3)."""
CYCLES = 80.0
"""Cycles over which the fading parameters are stated."""
LATER = 2.0
"""Cycle that a row without one is taken for: not the first."""
CAPACITY = "composite_capacity_mAh_g"
BOUNDED = (CAPACITY, "coverage", "electronic_mS_cm", "ionic_mS_cm", "porosity")
ABOUT = About((CAPACITY, "utilization"), "cb_parts",
              ("cb_parts", "electrolyte_parts", "rpm", "milling_min"))


def carbon_ratio(electrolyte_parts: Any, cb_parts: Any) -> Any:
    """Carbon over electrolyte by mass (1)."""
    return cb_parts / electrolyte_parts


def carbon_effect(ln_ratio: Any, at_most: Any, power: Any) -> Any:
    """What carbon adds (1): ``at_most`` at 15 % of the electrolyte's mass, growing as a power.

    Parameters
    ----------
    ln_ratio
        ln of carbon over electrolyte by mass.
    at_most
        The effect at a ratio of 0.15.
    power
        1 if each bit of carbon does as much as the one before, more if most happens near the end.
    """
    xp = namespace(ln_ratio, at_most, power)
    return at_most * xp.exp(xp.minimum(power * (ln_ratio - LN_MOST), 3.0))


def delivered_share(ln_rate: Any, at_one: Any, blocked: Any, ln_access: Any,
                    steepness: Any) -> Any:
    """Share y of the connected capacity that is delivered at a rate (1).

    Parameters
    ----------
    ln_rate
        ln of the rate on the connected capacity (1/h).
    at_one
        y_0: logit of that share at 1/h in 80:20:0 with a closed shell.
    blocked
        Fall of the logit through carbon, see `carbon_effect`.
    ln_access
        a ln(phi_m / 0.314) + d ln c: ln of the rate that matrix and coverage carry, relative.
    steepness
        p: fall of the logit with ln rate; y = 1 / (1 + (R / R_half)^p).
    """
    return expit(at_one - blocked + steepness * (ln_access - ln_rate))


def build(x: Inputs) -> None:
    """Composition and stress, then coverage, utilization, kinetics, capacity and fading."""
    import pytensor.tensor as pt

    shape = ("1 as carbon acts on ions in the matrix; a third to three. The same for both powers: "
             "a prior that let carbon connect before it blocks would itself be the optimum")
    untested = f"no published cell varies it; {shell.THESIS}, line 1319"
    parts, carbon = x["electrolyte_parts"], x["cb_parts"]
    ratio = carbon_ratio(parts, carbon)
    ln_ratio = pt.log(pt.maximum(ratio, LEAST_RATIO))
    covered, bounded = shell.coverage(x, parts, carbon)

    level = x.prior("utilization_logit", "Normal", 1.0, 1.0,
                    meaning="logit of the static utilization without carbon",
                    source="composites without additive connect 35 to 93 % of their material")
    gain = x.prior("utilization_gain", "HalfNormal", 2.0, source="sign only; wide",
                   meaning="G: growth of that logit with carbon of 15 % of the electrolyte")
    rise = x.prior("utilization_power", "LogNormal", 1.0, 0.6,
                   meaning="s: how early carbon connects; above 1 late", source=shape)
    reference = x.prior("active_reference", "Normal", 195.0, 15.0, unit="mAh/g",
                        meaning="capacity of connected material at a low rate",
                        source="nickel-rich layered oxides below 4.3 V against lithium")
    at_one = x.prior("delivered_logit", "Normal", 2.0, 1.2,
                     meaning="y_0: logit of the share delivered at 1/h, 80:20 without carbon",
                     source="pellets of 10 to 20 mg/cm2 deliver half to nearly all of it")
    steep = x.prior("rate_steepness", "LogNormal", 1.3, 0.4,
                    meaning="p: steepness of the fall in ln rate",
                    source="0.5 diffusion, 1 resistance, more at a cut-off voltage")
    loss = x.prior("blocking", "HalfNormal", 4.0, source="sign only; up to a factor of 3000",
                   meaning="D: fall of that logit with carbon of 15 % of the electrolyte")
    late = x.prior("blocking_power", "LogNormal", 1.0, 0.6,
                   meaning="m: how early carbon blocks; above 1 late", source=shape)
    matrix_power = x.prior("matrix_exponent", "LogNormal", 2.2, 0.4,
                           meaning="growth of that rate with the matrix's volume share",
                           source="as ionic conduction in composites; " + untested)
    cover_power = x.prior("coverage_exponent", "HalfNormal", 1.0, source=untested,
                          meaning="growth of that rate with the covered share of the surface")
    batch_sd = x.prior("batch_sd", "LogNormal", 0.14, 0.35, unit="1",
                       meaning="sd of ln capacity between batches of one recipe",
                       source="dispersion of carbon (line 1366); hand-mixed batches 0.06, "
                              "published trends with carbon are not monotonic by 0.2")
    batch_use = x.prior("utilization_batch_sd", "LogNormal", 0.15, 0.5, unit="1",
                        meaning="sd of logit utilization between batches",
                        source="mixing study: up to 0.4 by hand, 0.1 by machine")
    first = x.prior("first_cycle", "Normal", 0.0, 0.1, unit="1",
                    meaning="h: ln capacity of the first cycle over that of the next ones",
                    source="hindered first discharge, contacts that settle (line 1368); either "
                           "sign, some percent")
    cell_sd = x.prior("cell_noise", "LogNormal", 0.02, 0.5, unit="1",
                      meaning="relative sd of one cell's capacity at 0.1C",
                      source="mixing study: 1.3 % of machine-mixed cells (line 841)")
    growth = x.prior("noise_growth", "Normal", 0.3, 0.15,
                     meaning="growth of that sd with the rate",
                     source="mixing study: 1.3 / 1.8 / 3.1 % at 0.1C / 0.3C / 1C (line 841)")

    pores, drift = _fading(x, ratio)
    rows = x.effect("batch", "batch", batch_sd)
    shift = x.effect("utilization_batch", "batch", batch_use)
    start = expit(level + carbon_effect(ln_ratio, gain, rise) + shift)
    cycle = x["cycle"]
    faded: Any = pt.maximum(cycle - LATER, 0.0)
    use = pt.minimum(start * pt.exp(faded / CYCLES * drift), 1.0)
    matrix: Any = guest_volume_fraction(parts, carbon)
    ln_matrix = pt.log(matrix / MATRIX_REFERENCE)
    ln_access = matrix_power * ln_matrix + cover_power * pt.log(pt.maximum(covered, 1e-6))
    blocked = carbon_effect(ln_ratio, loss, late)
    ln_rate = x.log("c_rate") + x.log("c_rate_basis_mAh_g") - pt.log(reference * use)
    hindered = pt.where(cycle < 1.5, first, 0.0)
    share = delivered_share(ln_rate, at_one, blocked, ln_access, steep)
    active = reference * share * pt.exp(rows + hindered)
    fraction = active_fraction(parts, carbon)
    capacity = fraction * use * active
    x.report("utilization", start)
    x.report("active_capacity", active)
    x.report("delivered_share", share)
    x.report("coverage", covered)
    relative = cell_sd * pt.exp(growth * (x.log("c_rate") - math.log(0.1)))

    def noise(value: Any) -> Any:
        return pt.sqrt((relative * value) ** 2 + 1.0)  # 1 mAh/g: where little is delivered

    x.observe(CAPACITY, "Normal", mu=capacity, sigma=noise(capacity))
    bounded[CAPACITY] = Bounded(capacity, noise(capacity))
    curves: dict[str, Any] = {CAPACITY: (capacity, noise(capacity)), "utilization": None}
    if x.wants("utilization"):
        read = x.prior("utilization_sd", "LogNormal", 0.03, 0.4, unit="1",
                       meaning="sd of one measured utilization",
                       source="mass error 2 % (mixing study, titration), cells of a batch")
        x.observe("utilization", "Normal", mu=use, sigma=read)
        curves["utilization"] = (use, read)
    if x.wants("active_capacity_mAh_g"):
        x.observe("active_capacity_mAh_g", "Normal", mu=active, sigma=noise(active))
    if x.wants("retention"):
        spread = x.prior("retention_sd", "LogNormal", 0.15, 0.5, unit="1",
                         meaning="sd of ln retention between cells and batches",
                         source="twin cells kept 64 and 75 % over 500 cycles (line 2227)")
        kept = pt.exp(x["retention_cycles"] / CYCLES * drift)
        x.observe("retention", "LogNormal", mu=kept, sigma=spread)
    for name, (value, sd) in carbon_network.conduction(x, pores).items():
        bounded[name] = Bounded(value, sd, log=True)
    bounded["porosity"] = Bounded(pores, 0.02) if x.wants("porosity") else None
    observe_bounds(x, {name: bounded.get(name) for name in BOUNDED})
    if x.wants("statements"):
        read_batch_statements(x, ABOUT, curves)


def _fading(x: Inputs, ratio: Any) -> tuple[Any, Any]:
    """Porosity of the matrix, and the change of ln utilization over 80 cycles."""
    pores = carbon_network.porosity(x, ratio)
    base = x.parameter("mechanofusion.matrix_porosity")
    rise = x.prior("utilization_drift", "Normal", 0.0, 0.1, unit="1",
                   meaning="g: change of ln utilization over 80 cycles in a dense matrix",
                   source="settles or fades by some percent; either sign (line 1368)")
    loss = x.prior("pore_fading", "HalfNormal", 5.0, unit="1",
                   meaning="f: fall of ln utilization over 80 cycles per porosity of the matrix",
                   source="sign only: pores let contacts open; wide")
    return pores, rise - loss * (pores - base)


def specific_energy(log: pd.DataFrame, *, mixing_s: tuple[float, float], idle_power_W: float,
                    idle_sd_W: float, sample_mass_g: float | None = None) -> float:
    """Specific energy of the mixing phase from a logged power trace (J/g).

    The log is smoothed (Savitzky-Golay, some 50 readings at 5 s), the idle power at that speed is
    taken off, and the rest is summed over the phase in which all components are in the mixer.
    Premixing of carbon and electrolyte does not count.

    Parameters
    ----------
    log
        ``time_s`` and ``power_W``, as ``data.read_power_log`` returns them.
    mixing_s
        Start and end of the mixing phase on the log's clock (s).
    idle_power_W, idle_sd_W
        Mean and sd of the power at the same speed without powder (W).
    sample_mass_g
        Mass of powder (g); the log's column ``sample_mass_g`` if not given.

    Raises
    ------
    ValueError
        If the phase is not within the log, no mass is given, or the net power is within the idle
        noise.

    References
    ----------
    Kissel (2025), doctoral thesis, Eq. 3 of publication III, lines 1406-1410.
    """
    time = log["time_s"].to_numpy("float64")
    start, end = mixing_s
    if not (time[0] <= start < end <= time[-1]):
        raise ValueError(f"mixing_s={mixing_s} is not within the log, {time[0]:g} to {time[-1]:g} "
                         "s; give start and end of the phase in which all components are mixed")
    if sample_mass_g is None:
        if "sample_mass_g" not in log:
            raise ValueError("the log has no column sample_mass_g; give sample_mass_g=")
        sample_mass_g = float(log["sample_mass_g"].iloc[0])
    phase = log[(time >= start) & (time <= end)]
    return specific_energy_from_power(
        phase["time_s"], phase["power_W"], idle_power_W=idle_power_W, idle_sd_W=idle_sd_W,
        sample_mass_g=sample_mass_g)


def prepare(rows: pd.DataFrame, fitting: bool) -> tuple[pd.DataFrame, list[str]]:
    """The same rows with carbon in parts, coverage near 1 as a bound, and no contradictions."""
    rows, notes = as_parts(rows, fitting)
    if fitting:
        for step in (closed_shells, partial(set_aside, outcome=CAPACITY)):
            rows, said = step(rows)
            notes += said
    return rows, notes


NOT_SOUGHT = ("conductivities do not go with the capacity of cells; it is reported beside "
              "composite_capacity_mAh_g, utilization and retention")
_ALIKE = ("charge_mode", "window")

MODEL = LabModel(
    name="mechanofusion",
    build=build,
    factors=(Factor("rpm", default=10_000.0), Factor("milling_min", default=60.0),
             Factor("electrolyte_parts", default=20.0), Factor("cb_parts", default=math.nan),
             Factor("c_rate", default=1.0, level="row"),
             Factor("c_rate_basis_mAh_g", default=200.0, level="row"),
             Factor("cycle", default=LATER, level="row"),
             Factor("retention_cycles", default=CYCLES, level="row")),
    groups=(Group("batch"),),
    outcomes=(Outcome(CAPACITY, alike=_ALIKE), Outcome("utilization", optional=True),
              Outcome("active_capacity_mAh_g", alike=_ALIKE, optional=True),
              Outcome("retention", "LogNormal", optional=True),
              Outcome("coverage", optional=True),
              Outcome("stress_intensity_J_kg", "LogNormal", optional=True),
              Outcome("electronic_mS_cm", "LogNormal", optional=True, not_sought=NOT_SOUGHT),
              Outcome("ionic_mS_cm", "LogNormal", optional=True, not_sought=NOT_SOUGHT),
              Outcome("porosity", optional=True)),
    context=("phase", "cb_per_electrolyte_wt_pct", "cb_in_matrix_wt_pct",
             "cb_in_composite_wt_pct", "row_id"),
    encoders=(bound_encoder(*BOUNDED), batch_encoder(ABOUT)),
    extra_rows=batch_rows(ABOUT),
    prepare=prepare,
    bounds=BOUNDED,
    accept=0.95,
    what="Composite capacity, utilization, retention, coverage and conduction of mechanofused "
         "composites over carbon, electrolyte, speed and time",
    source=f"{shell.THESIS}; doi {DOI}",
    material="active: NCM82 (LiNi0.82Mn0.07Co0.11O2, single crystals, d50 3.3 um); electrolyte: "
             "Li3InCl6; powder: 80:20 by mass with 0 to 3 parts of carbon black, dry-coated",
)
