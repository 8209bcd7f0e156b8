"""The circuit R-(RQ)-(RQ)-Q as a model like any other: one spectrum, ten parameters, NUTS.

Slower than importance sampling (``circuit_fit``) and of the same posterior: it serves where that
cannot be trusted, and to check it. One spectrum a fit; spectra are not pooled.

Source: Kissel (2025), doctoral thesis, lines 2116-2118 and 2185.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..data import impedance as tables
from . import circuit
from . import circuit_fit as fitting
from .circuit_fit import Draws
from .engine import Factor, Inputs, LabModel, Outcome

RHAT, RHAT_AGAIN = 1.05, 10.0
"""Largest R-hat of NUTS that is trusted; R-hat at which it would sample again (never)."""


def build(x: Inputs) -> None:
    """One spectrum: ten parameters, two outcomes a frequency."""
    import pytensor.tensor as pt

    given = {name: x.prior(name, family, location, width, unit=unit, meaning=meaning,
                           source=source)
             for name, family, location, width, unit, meaning, source in fitting.PARAMETERS}
    first, second, last = fitting.exponents(
        given["cathode_logit"], given["anode_logit"], given["tail_logit"])
    real, imaginary = circuit.impedance(
        x["frequency_of_signal_Hz"], given["separator"], given["cathode"], given["anode"],
        given["cathode_ln_tau"], given["ln_ratio"], first, second, given["tail"], last)
    area = x["area_cm2"]
    noise = given["noise"] * pt.sqrt(real**2 + imaginary**2) / area
    x.observe("z_re_ohm", "Normal", mu=real / area, sigma=noise)
    x.observe("z_im_ohm", "Normal", mu=imaginary / area, sigma=noise)


MODEL = LabModel(
    name="impedance",
    build=build,
    factors=(Factor("frequency_of_signal_Hz", level="row"), Factor("area_cm2", level="cell")),
    groups=(),
    outcomes=(Outcome("z_re_ohm", alike=("spectrum",)), Outcome("z_im_ohm", alike=("spectrum",))),
    what="Resistances of separator, cathode and anode from one impedance spectrum",
    source="Kissel (2025), doctoral thesis, lines 2116-2118; circuit R-(RQ)-(RQ)-Q",
)


def by_nuts(part: Any, known: tuple[float, float] | None, seed: int,
            draws: int = fitting.DRAWS) -> Draws:
    """The same posterior by NUTS; compiles once a process. k-hat is NaN if the chains disagree."""
    from .engine import checks

    model = MODEL if known is None else MODEL.with_priors(anode=known)
    columns = [tables.FREQUENCY, tables.REAL, tables.IMAGINARY, "area_cm2", "spectrum"]
    # chains that sit in different modes do not meet by sampling longer: refused, not repeated
    fit = model.fit(part[columns].reset_index(drop=True), seed=seed, draws=max(draws // 4, 100),
                    rhat=RHAT_AGAIN)
    values = []
    for name, family, *_ in fitting.PARAMETERS:
        column = fit.posterior[f"impedance.{name}"].to_numpy().ravel()
        values.append(np.log(column) if family == "LogNormal" else column)
    rhat = checks.worst_rhat(fit.posterior)
    return Draws(np.stack(values, axis=1), float("nan") if rhat > RHAT else 0.0,
                 float(len(values[0])))
