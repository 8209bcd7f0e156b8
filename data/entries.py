"""One cell of a table: from what a person typed to a number or a text, with the mend if not."""

from __future__ import annotations

import datetime
import math
import numbers
import re

from .columns import Column

MISSING = frozenset({"", "nan", "na", "n/a", "n.a.", "none", "null", "<na>", "nat"})
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_PLAIN = r"[+-]?\d+(?:[.,]\d+)?"

_MONTH = (
    r"(?:jan(?:uary|uar)?|feb(?:ruary|ruar)?|mar(?:ch)?|mär(?:z)?|mrz|apr(?:il)?|may|mai|june?|juni"
    r"|july?|juli|aug(?:ust)?|sept?(?:ember)?|o[ck]t(?:ober)?|nov(?:ember)?|de[cz](?:ember)?)\.?"
)
_DATE = re.compile(
    r"\d{1,2}([./-])\d{1,2}\1\d{2,4}(\s.*)?|\d{4}([./-])\d{1,2}\3\d{1,2}([\sT].*)?"
    rf"|\d{{1,2}}[.\s-]*{_MONTH}[\s-]*\d{{0,4}}|{_MONTH}[\s-]*\d{{1,4}}",
    re.I,
)
_SAME_UNIT = {"1/min": ("rpm", "u/min", "upm", "min-1"), "1/h": ("c",), "degC": ("°c", "c")}
"""How a unit of the registry is also typed beside a number."""

# unit -> (factor to that unit, the unit that was probably typed)
_SLIPS: dict[str, list[tuple[float, str]]] = {
    "1": [(0.01, "per cent")],
    "min": [(60.0, "hours"), (1 / 60, "seconds")],
    "h": [(1 / 60, "minutes"), (1 / 3600, "seconds")],
    "1/min": [(60.0, "revolutions per second")],
    "1/s": [(1 / 60, "1/min")],
    "mm": [(1e3, "metres"), (1e-3, "micrometres")],
    "um": [(1e3, "millimetres"), (1e-3, "nanometres"), (1e6, "metres")],
    "nm": [(1e3, "micrometres"), (1e9, "metres")],
    "mg": [(1e3, "grams"), (1e-3, "micrograms")],
    "g": [(1e-3, "milligrams"), (1e3, "kilograms")],
    "J/g": [(1e-3, "J/kg"), (1e3, "kJ/g")],
    "mAh/g": [(1e3, "Ah/g"), (1e-3, "uAh/g")],
    "MPa": [(1e3, "GPa"), (1e-6, "Pa"), (1e-3, "kPa")],
    "W": [(1e-3, "milliwatts")],
    "degC": [(1.0, "kelvin")],
}


def is_missing(value: object) -> bool:
    """Whether a cell is empty (None, NaN, blank text)."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return True
    if isinstance(value, str):
        return not value.strip()
    return type(value).__name__ in ("NAType", "NaTType")


def number(value: object, spec: Column) -> tuple[float, str]:
    """Read a number; return (value, "") or (nan, what was expected and how to mend it)."""
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return math.nan, f"{_wanted(spec)}, not a yes or no"
    if isinstance(value, numbers.Real):
        number_ = float(value)
    elif isinstance(value, (datetime.date, datetime.time)):
        return math.nan, (
            f"{_wanted(spec)}; the spreadsheet turned it into a date: format the column as "
            "number and type it again"
        )
    else:
        text = str(value).strip().replace("\u2212", "-")
        if text.lower() in MISSING:
            return math.nan, ""
        if re.fullmatch(r"[+-]?inf(inity)?", text, re.I):
            return math.nan, f"{_wanted(spec)}, and a finite one"
        if not _NUMBER.fullmatch(text):
            return math.nan, f"{_wanted(spec)}{_mend(text, spec)}"
        number_ = float(text)
    if math.isnan(number_):
        return math.nan, ""
    if math.isinf(number_):
        return math.nan, f"{_wanted(spec)}, and a finite one"
    told = _bounds(number_, spec)
    if told and re.fullmatch(r"[+-]?[1-9]\d{0,2}\.\d{3}", str(value).strip()):
        whole = number_ * 1000
        if isinstance(value, str) and not _bounds(whole, spec):
            told += f", or {whole:.0f} if the point parts the thousands"
    return number_, told


def text(value: object) -> str | None:
    """Read a text or label; 3.0 from a spreadsheet becomes "3".

    A date keeps its clock only where it has one, so that "2025-03-05" is one label in every kind of
    file. Line breaks and repeated blanks become one blank, invisible characters go: two labels that
    look alike are alike.
    """
    if is_missing(value):
        return None
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        value_ = float(value)
        return str(int(value_)) if value_.is_integer() and abs(value_) < 1e15 else repr(value_)
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        value = value.date()
    seen = "".join(c for c in str(value) if c.isprintable() or c.isspace())
    return " ".join(seen.split()) or None


def _wanted(spec: Column) -> str:
    word = "a whole number" if spec.kind == "integer" else "a number"
    return f"{word} in {spec.unit}" if spec.unit not in ("", "1") else word


def _mend(text: str, spec: Column) -> str:
    """Say how a text that is not a number should have been written."""
    x = spec.name
    if text.strip("[]()") == spec.unit:
        return "; this is the unit, which is fixed for this column: leave out the row of units"
    if _DATE.fullmatch(text):
        return (
            "; this is a date, perhaps made by a spreadsheet: format the column as number and "
            "type it again"
        )
    if re.fullmatch(r"\d{1,3}:\d{2}(:\d{2}(\.\d+)?)?", text):
        return "; this is a time of the clock: write one number in the unit of the column"
    if spec.unit == "1/h" and (found := re.fullmatch(r"C\s*/\s*(\d+(?:[.,]\d+)?)", text, re.I)):
        per = float(found[1].replace(",", "."))
        return f"; write {1 / per:.4g}" if per else "; write the rate as a number, such as 0.1"
    if found := re.fullmatch(rf"({_PLAIN})\s*/\s*({_PLAIN})", text):
        over, under = (float(t.replace(",", ".")) for t in found.groups())
        if spec.unit not in ("1/h", "1"):
            return "; these are two numbers: give each reading a row of its own"
        if under:
            return f"; write the fraction as a number: {over / under:.4g}"
    if re.fullmatch(
        r"[+-]?\d{1,3}(,\d{3})+\.\d+|[+-]?\d{1,3}(\.\d{3})+,\d+"
        r"|[+-]?\d{1,3}([\s'’]\d{3})+([.,]\d+)?", text,
    ):  # fmt: skip
        return "; write it without thousands separators"
    if re.fullmatch(r"[+-]?\d*,\d+([eE][+-]?\d+)?", text):
        return (
            f"; it has a decimal comma: write {text.replace(',', '.')}, "
            "or save the file with ';' between the columns"
        )
    if found := re.fullmatch(rf"(?:ca\.?|circa|approx\.?|about|etwa|~|≈)\s*({_PLAIN})", text, re.I):
        return f"; write {found[1].replace(',', '.')} and put ~ into a column {x}_q"
    if found := re.fullmatch(rf"([<>])=?\s*({_PLAIN})", text):
        return f"; write {found[2].replace(',', '.')} and put {found[1]} into a column {x}_censored"
    if found := re.fullmatch(rf"({_PLAIN})\s*(?:±|\+-|\+/-)\s*({_PLAIN})", text):
        a, b = (t.replace(",", ".") for t in found.groups())
        return f"; write {a} and put {b} into a column {x}_sd"
    if found := re.fullmatch(rf"({_PLAIN})\s*(?:-|–|\.\.|to|bis)\s*({_PLAIN})", text):
        a, b = (t.replace(",", ".") for t in found.groups())
        middle, half = (float(a) + float(b)) / 2, abs(float(b) - float(a)) / 2
        return (
            f"; write the middle, {middle:g}, and put half the width, {half:g}, into a column "
            f"{x}_sd; or, of a printed range, leave it empty and put {a} and {b} into columns "
            f"{x}_low and {x}_high"
        )
    if spec.unit in ("1", "%") and (found := re.fullmatch(rf"({_PLAIN})\s*%", text)):
        share = float(found[1].replace(",", ".")) / (1 if spec.unit == "%" else 100)
        return f"; write {share:g}"
    if re.fullmatch(rf"{_PLAIN}\s*[_^*×·x]\s*[+-]?\d.*", text):
        return "; write one plain number, such as 0.1 or 1.5e3"
    if found := re.fullmatch(rf"({_PLAIN})\s*([^\d\s].*)", text):
        same = {spec.unit.lower(), *_SAME_UNIT.get(spec.unit, ())}
        sure = spec.unit in ("", "1") or found[2].strip(" []()").lower() in same
        unless = "" if sure else f" if that is in {spec.unit}"
        return f"; write {found[1].replace(',', '.')} alone{unless}, without unit or remark"
    if text in ("-", "–", "?", "x", "/"):
        return "; leave the cell empty when nothing was measured"
    if text.startswith("#"):
        return "; the spreadsheet reports an error in this cell's formula"
    return "; leave it empty when it is missing, remarks go into a column 'note'"


def _bounds(value: float, spec: Column) -> str:
    """Return "" for a plausible value, else the rule and, where it can be told, the slip."""
    if spec.kind == "integer" and not value.is_integer():
        return _wanted(spec)
    below = spec.low is not None and value < spec.low
    above = spec.high is not None and value > spec.high
    if not (below or above):
        return ""
    if value < 0 and spec.unit in ("min", "h", "s"):
        return "a time, which cannot be negative"
    if spec.low is not None and spec.high is not None:
        rule = f"{spec.low:g} to {spec.high:g}"
    else:
        rule = f"at least {spec.low:g}" if below else f"at most {spec.high:g}"
    rule += f" {spec.unit}" if spec.unit not in ("", "1") else ""
    if value == 0:
        return f"{rule}; leave the cell empty where there was none"
    for factor, slip in _SLIPS.get(spec.unit, []):
        moved = value - 273.15 if slip == "kelvin" else value * factor
        inside = (spec.low is None or moved >= spec.low) and (
            spec.high is None or moved <= spec.high
        )
        if inside and value > 0:
            return f"{rule}; unit in the wrong column? If these are {slip}, write {moved:.6g}"
    return f"{rule}; unit in the wrong column?"
