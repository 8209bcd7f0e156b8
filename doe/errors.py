"""Errors of this room. Each message names the argument, the value, the rule and the mend."""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Iterable


class DoeError(ValueError):
    """Anything in a space, a rule, a campaign or its file that a person has to mend."""


class RuleError(DoeError):
    """A rule that cannot be read, or that meets a missing value."""


class SpaceError(DoeError):
    """A factor or a space that is badly declared, or in which nothing is feasible.

    In the second case `clash` lists the rules that leave nothing, and `nearest` is a setting that
    breaks as little of them as was found.
    """

    clash: list[str] = []  # noqa: RUF012
    nearest: dict[str, object] | None = None


class StoreError(DoeError):
    """A campaign file that cannot be read or written."""


class CampaignError(DoeError):
    """A campaign that is badly declared, or results that do not fit it."""


def did_you_mean(name: object, known: Iterable[object]) -> str:
    """``"; did you mean 'rpm'?"`` for the nearest known name, else a full stop."""
    folded = {str(k).casefold(): str(k) for k in known}
    near = difflib.get_close_matches(str(name).casefold(), list(folded), n=1, cutoff=0.6)
    return f"; did you mean {folded[near[0]]!r}?" if near else "."


def unknown(name: object, known: Iterable[object], what: str) -> str:
    """``"'rmp' is no factor here; did you mean 'rpm'? There are: rpm, milling_min"``."""
    known = list(known)
    return f"{name!r} is no {what}{did_you_mean(name, known)} There are: {listing(known)}"


def is_number(value: object) -> bool:
    """Whether it is one real number, of Python or NumPy; no bool, text or list."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def counted(n: int, what: str) -> str:
    """``"1 row"``, ``"2 rows"``."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def percent(level: float) -> str:
    """``"90%"``, ``"99.5%"``: a level as it was given, which ``:.0%`` would round to 100%."""
    return f"{100.0 * level:.6g}%"


def probability(p: float, n: int) -> str:
    """A probability from n draws, never said to be 0 or 1."""
    least = max(1 / n, 0.0005)
    if p < least:
        return f"below {least:.2g}"
    if 1 - p < least:
        return f"above {1 - least:.4g}"
    return f"{p:.3f}" if min(p, 1 - p) < 0.01 else f"{p:.2f}"


def listing(values: Iterable[object], limit: int = 12) -> str:
    """Comma-separated values, cut after `limit` of them."""
    values = list(values)
    text = ", ".join(str(v) for v in values[:limit])
    return (text + f", ... ({len(values)} in all)") if len(values) > limit else text or "none"
