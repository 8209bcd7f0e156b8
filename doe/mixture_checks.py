"""What is checked of a mixture when it is declared: names, bounds, whether they can add up."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import SpaceError, unknown
from .factors import Real

if TYPE_CHECKING:
    from .mixture import Mixture

MOST_OPTIONAL = 12


def check(mixture: Mixture) -> None:
    """Whether the arguments are of their kinds; `optional` becomes a tuple."""
    parts, total = mixture.parts, mixture.total
    if not isinstance(parts, Mapping) or len(parts) < 2:
        raise SpaceError(
            f"parts={parts!r} must map two parts or more to their bounds, such as "
            "{'active': (0.6, 0.8), 'electrolyte': (0.2, 0.4)}"
        )
    if isinstance(total, bool) or not isinstance(total, (int, float, np.number)):
        raise SpaceError(f"total={total!r} of {mixture.name} is no number")
    if not math.isfinite(total) or total <= 0:
        raise SpaceError(f"total={total:g} of {mixture.name} must be a finite number above 0")
    if not isinstance(mixture.hard, (bool, np.bool_)):
        raise SpaceError(f"{mixture.name}: hard={mixture.hard!r} must be True or False")
    object.__setattr__(mixture, "hard", bool(mixture.hard))
    given = (mixture.optional,) if isinstance(mixture.optional, str) else tuple(mixture.optional)
    object.__setattr__(mixture, "total", float(total))
    object.__setattr__(mixture, "optional", given)
    for name in given:
        if name not in parts:
            raise SpaceError(unknown(name, parts, "part of this mixture"))
    if len(given) > MOST_OPTIONAL:
        raise SpaceError(f"{len(given)} optional parts are more than {MOST_OPTIONAL}")


def part(mixture: Mixture, name: str, given: Any) -> Real:
    """A part as it was declared, from its bounds, their mapping or a `Real`."""
    if isinstance(given, Real):
        if given.name != name:
            raise SpaceError(f"part {name!r} is declared as {given.name!r}; keep one name")
        wrong = [k for k in ("log", "sqrt", "hard", "only_if") if getattr(given, k)]
        if wrong:
            hint = "; write Mixture(..., hard=True)" if wrong[0] == "hard" else ""
            raise SpaceError(f"{name}: a part of a mixture has no {wrong[0]}{hint}")
        return given
    if isinstance(given, Mapping):
        wrong = [k for k in given if k == "name" or k not in Real.__dataclass_fields__]
        if wrong or not {"low", "high"} <= set(given):
            raise SpaceError(
                f"{name}: {given!r} are no bounds; give (low, high), or "
                "{'low': ..., 'high': ..., 'step': ...}"
            )
        return part(mixture, name, Real(name, **given))
    try:
        low, high = given
    except (TypeError, ValueError):
        raise SpaceError(f"{name}: {given!r} are no bounds; give (low, high)") from None
    if low == high:
        raise SpaceError(
            f"{name}: low = high = {low!r} is no factor; leave it out, lower the total by it, "
            f"and give fixed={{{name!r}: {low!r}}}"
        )
    return Real(name, low, high, step=mixture.step, unit=mixture.unit)


def check_sums(mixture: Mixture, declared: list[Real]) -> None:
    """Whether the bounds can add up to the total, in more than one way."""
    for f in declared:
        if f.low < 0:
            raise SpaceError(f"{f.name}: a part of a mixture is no less than 0, got {f.low:g}")
        if f.name in mixture.optional and f.low == 0:
            raise SpaceError(
                f"{f.name} may be 0 by its bounds; an optional part is 0 or at least its low, so "
                "give a low above 0, or leave it out of optional"
            )
    told = ", ".join(f"{f.name} {f.low:g} to {f.high:g}" for f in declared)
    least = math.fsum(0.0 if f.name in mixture.optional else f.low for f in declared)
    most = math.fsum(f.high for f in declared)
    total, slack = mixture.total, 1e-9 * mixture.total
    if least > total + slack or most < total - slack:
        end = f"{least:g} at least" if least > total else f"{most:g} at most"
        raise SpaceError(
            f"{mixture.name} cannot add up to {total:g}: their bounds ({told}) give {end}; "
            "widen a bound or change the total"
        )
    if least >= total - slack or most <= total + slack:
        raise SpaceError(
            f"{mixture.name} add up to {total:g} at one composition only ({told}); widen a bound "
            "or change the total"
        )


def check_count(mixture: Mixture) -> None:
    """Whether `at_most` leaves room for the parts that are always there."""
    if mixture.at_most is None:
        return
    if isinstance(mixture.at_most, bool) or not isinstance(mixture.at_most, (int, np.integer)):
        raise SpaceError(f"at_most={mixture.at_most!r} must be a whole number")
    object.__setattr__(mixture, "at_most", int(mixture.at_most))
    always = len(mixture.parts) - len(mixture.optional)
    if mixture.at_most < max(always, 1):
        raise SpaceError(
            f"at_most={mixture.at_most}, but {always} parts are always there; name more of them "
            "in optional"
        )
