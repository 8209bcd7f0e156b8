"""What is checked of a factor when it is declared: name, bounds, condition, and the registry.

Each check raises `SpaceError` with the factor's name, what is wrong, and the mend.
"""

from __future__ import annotations

import keyword
import math
import unicodedata
from typing import Any

import numpy as np

from ..data import columns, entries
from .errors import SpaceError, unknown

MAX_LEVELS = 100_000
KEPT = ("predicted_", "planned_")
"""What columns of suggestions and recorded rows begin with that no one sets."""


OWN = (
    "allowed", "by", "day", "expected_gain", "further", "p_best", "position", "price",
    "readings", "reason", "role", "settings", "state", "status", "suggestion", "total",
)  # fmt: skip
"""Names of columns and entries that stand beside factors."""


def number(factor: Any, argument: str) -> float:
    value = getattr(factor, argument)
    try:
        if isinstance(value, (bool, str)):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError):
        raise SpaceError(f"{factor.name}: {argument}={value!r} is no number") from None
    if not math.isfinite(number):
        raise SpaceError(f"{factor.name}: {argument}={number} must be finite")
    return number


def steps(factor: Any) -> int:
    assert factor.step is not None
    return math.floor((factor.high - factor.low) / factor.step + 1e-9) + 1


def listed(factor: Any) -> list[Any]:
    """The values of a choice as a list of plain values; text must be more than blanks."""
    check_name(factor)
    if isinstance(factor.values, (str, bytes)) or not np.iterable(factor.values):
        raise SpaceError(
            f"{factor.name}: values={factor.values!r} is no list; write "
            f"{type(factor).__name__}({factor.name!r}, ['a', 'b'])"
        )
    values = [v.item() if isinstance(v, np.generic) else v for v in factor.values]
    # as a table reads them: "hand " in a declaration would never meet the "hand" of a result
    values = [entries.text(v) if isinstance(v, str) else v for v in values]
    if any(v is None for v, given in zip(values, factor.values, strict=True) if given is not None):
        raise SpaceError(f"{factor.name}: an empty text is no choice; give it a name")
    return values


def distinct(factor: Any, values: list[Any]) -> tuple[Any, ...]:
    """The values, of which there must be two at least, each once."""
    if len(set(values)) != len(values):
        raise SpaceError(f"{factor.name}: values {values} name one value twice")
    if len(values) < 2:
        raise SpaceError(
            f"{factor.name}: a choice needs two values at least, got {values}; "
            f"put a single one in the campaign's fixed={{{factor.name!r}: ...}}"
        )
    return tuple(values)


def check_name(factor: Any) -> None:
    if not isinstance(factor.name, str) or not factor.name.isidentifier():
        raise SpaceError(
            f"{factor.name!r} is no column name; use letters, digits and _, such as 'milling_min'"
        )
    check_letters(factor.name)
    if keyword.iskeyword(factor.name):
        raise SpaceError(
            f"{factor.name!r} is a word of rules and cannot name a factor; choose another"
        )
    if factor.name.startswith(KEPT):
        raise SpaceError(
            f"{factor.name}: names in predicted_ are kept for predictions, those in planned_ for "
            "what was planned; choose another"
        )
    if factor.name in OWN:
        raise SpaceError(
            f"{factor.name!r} is a column of suggestions, rankings and plans themselves; choose "
            f"another name, such as '{factor.name}_set'"
        )
    check_spelling(factor.name)
    for argument in ("log", "sqrt", "hard"):
        value = getattr(factor, argument)
        if not isinstance(value, (bool, np.bool_)):
            raise SpaceError(f"{factor.name}: {argument}={value!r} must be True or False")
        if isinstance(value, np.bool_):  # a campaign file holds no NumPy values
            object.__setattr__(factor, argument, bool(value))


def check_letters(name: Any) -> None:
    """Refuse a name with letters that reading a rule replaces, such as the micro sign by mu."""
    read = unicodedata.normalize("NFKC", str(name))
    if read != str(name):
        raise SpaceError(
            f"{name!r} is read as {read!r} in a rule, which is another name "
            f"({name!a}, {read!a}); write {read!r}"
        )


def check_spelling(name: str) -> None:
    """Refuse a known column with other capitals, blanks or dashes: a table would not know it."""
    if name in columns.COLUMNS:
        return
    same = [n for n in columns.COLUMNS if _bare_letters(n) == _bare_letters(name)]
    if same:
        known = columns.COLUMNS[same[0]]
        unit = f", in {known.unit}" if known.unit not in ("", "1") else ""
        raise SpaceError(f"{name!r} is no column that is known; write {same[0]!r}{unit}")


def _bare_letters(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())


def check_bounds(factor: Any) -> None:
    check_name(factor)
    if factor.low >= factor.high:
        raise SpaceError(
            f"{factor.name}: low={factor.low:g} must be below high={factor.high:g}; "
            f"a constant belongs in the campaign's fixed={{{factor.name!r}: ...}}"
        )
    if factor.log and factor.low <= 0:
        raise SpaceError(f"{factor.name}: log=True needs low above 0, got {factor.low:g}")
    if factor.sqrt and factor.low < 0:
        raise SpaceError(f"{factor.name}: sqrt=True needs low of 0 or more, got {factor.low:g}")
    if factor.sqrt and factor.log:
        raise SpaceError(f"{factor.name}: log and sqrt are two scales; keep one")
    if factor.step is not None:
        if factor.step <= 0 or factor.step > factor.high - factor.low:
            raise SpaceError(
                f"{factor.name}: step={factor.step:g} must be above 0 and at most "
                f"high - low = {factor.high - factor.low:g}"
            )
        if steps(factor) > MAX_LEVELS:
            raise SpaceError(
                f"{factor.name}: step={factor.step:g} makes {steps(factor)} levels, more than "
                f"{MAX_LEVELS}; use a wider step, or Real without a step"
            )
    check_registry(factor)


def _check_condition(factor: Any) -> None:
    """A value that says "not in use" must be none that is used."""
    if factor.only_if is None:
        return
    if factor.kind == "text":
        if "none" in factor.levels:
            raise SpaceError(f"{factor.name}: 'none' is what it is where only_if does not hold; "
                             "leave it out of the values")  # fmt: skip
    elif factor.low <= 0 <= factor.high:
        raise SpaceError(
            f"{factor.name}: 0 says that it is not in use where only_if does not hold, so low must "
            f"be above 0, got {factor.low:g}"
        )


def check_registry(factor: Any) -> None:
    _check_condition(factor)
    known = columns.COLUMNS.get(factor.name)
    if known is None:
        return
    if factor.unit is not None and factor.unit != known.unit:
        raise SpaceError(
            f"{factor.name}: unit={factor.unit!r}, but this column is in {known.unit!r}; "
            "convert the bounds and leave unit out, or choose another name"
        )
    if (known.kind == "text") != (factor.kind == "text"):
        raise SpaceError(f"{factor.name} is a {known.kind} column, not a {factor.kind}")
    if factor.kind == "text":
        used = [*factor.levels, *([] if factor.only_if is None else ["none"])]
        wrong = [v for v in used if known.choices and v not in known.choices]
        if wrong:
            raise SpaceError(unknown(wrong[0], known.choices, f"value of {factor.name}"))
        return
    for bound, limit, name in (
        (factor.low if factor.only_if is None else min(factor.low, 0), known.low, "low"),
        (factor.high, known.high, "high"),
    ):
        if limit is not None and (bound < limit if name == "low" else bound > limit):
            raise SpaceError(
                f"{factor.name}: {name}={bound:g} is outside the plausible "
                f"{known.low} to {known.high} {known.unit}; is it in another unit?"
            )
