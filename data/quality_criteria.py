"""Quality criteria of sulfidic composite cathodes and levers of their composition, decoded.

Eight criteria describe a composite cathode: its porosity, the distribution of active material
(CAM), electrolyte (SE) and conductive carbon (CC), and the contacts between them. The source prints
signs: which way is better, whether a process is easily adapted to it, what more of it does to
either conductivity, and how well it can be measured. The arrows of the digital text are damaged;
here they are decoded, an unknown glyph is an error, and a blank cell is a merged one: the value of
the first row of its material holds, and ``merged`` says so.

Source: Prein, Toepper and Daub, 3rd Conference on Production Systems and Logistics (2022),
tables 1 and 2 and the text around them.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from .columns import CRITERIA
from .literature import load
from .problems import Problem, TableError

UP, DOWN, NONE = 1, -1, 0
ARROWS = {
    "↑": UP, "\\uparrow": UP, "1": UP, "Ţ": UP, "Ť": UP, "ſ": UP, "¢": UP,
    "↓": DOWN, "\\downarrow": DOWN, "Ļ": DOWN,
    "0": NONE, "o": NONE,
}
"""Arrows as they stand in the digital text, damaged ones included: up, down, no effect."""
MARKS = {"+": True, "-": False, "−": False}
"""Plus and minus of the columns on ease and on measurability."""
_PROSE = {"rises": UP, "falls": DOWN}
_SIGNS = {"optimum_glyph": "direction", "electronic_glyph": "electronic_sign",
          "ionic_glyph": "ionic_sign"}


def decode(glyph: object, *, row: object = None, column: str | None = None) -> int:
    """Sign of a printed arrow: 1 (up), -1 (down) or 0 (no effect).

    Parameters
    ----------
    glyph
        The arrow as it stands in the text.
    row, column
        Where it stands, for the message.

    Raises
    ------
    data.TableError
        If the glyph is unknown; the message names the place.
    """
    known = str(glyph).strip()
    if known not in ARROWS:
        raise TableError("printed signs", [_unknown(glyph, row, column, ARROWS)])
    return ARROWS[known]


def decode_mark(glyph: object, *, row: object = None, column: str | None = None) -> bool:
    """Whether a printed mark is a plus.

    Raises
    ------
    data.TableError
        If it is neither plus nor minus; the message names the place.
    """
    known = str(glyph).strip()
    if known not in MARKS:
        raise TableError("printed signs", [_unknown(glyph, row, column, MARKS)])
    return MARKS[known]


def criteria(table: pd.DataFrame | None = None) -> pd.DataFrame:
    """The quality criteria with decoded signs.

    Parameters
    ----------
    table
        A table like ``data.load("prein2022_criteria")``, which it is if not given: columns
        ``criterion``, ``component``, the glyphs, ``methods``.

    Returns
    -------
    DataFrame
        Index ``criterion``: ``component``; ``direction`` (1: more is better, -1: less);
        ``easy`` (a process is easily adapted to it, not how well a sample fulfils it);
        ``electronic_sign`` and ``ionic_sign`` (effect of more of it on that conductivity);
        ``measurable`` (measurability high); ``methods`` (tuple); ``merged`` (columns that come
        from a merged cell, a tuple); ``source_line``.

    Raises
    ------
    data.TableError
        Naming every cell with an unknown glyph, every criterion without a value to inherit, and
        every criterion that is unknown or stands twice.
    """
    rows = load("prein2022_criteria") if table is None else table
    problems: list[Problem] = []
    first: dict[Any, pd.Series] = {}
    found: dict[str, dict[str, Any]] = {}
    for label, row in rows.iterrows():
        name = row.get("criterion")
        if name not in CRITERIA or name in found:
            why = "a criterion that stands once" if name in found else "one of "
            problems.append(Problem(label, "criterion", name or "nothing",
                                    why + ("" if name in found else ", ".join(CRITERIA))))
            continue
        top = first.setdefault(row["component"], row)
        entry: dict[str, Any] = {"component": row["component"]}
        merged = []
        for column in (*_SIGNS, "ease_glyph", "measurability_glyph"):
            cell = row.get(column)
            if _blank(cell):
                cell = top.get(column)
                merged.append(column)
            if _blank(cell):
                problems.append(Problem(label, column, "nothing",
                                        "a sign, here or in the first row of its material"))
                continue
            codes: dict[str, Any] = ARROWS if column in _SIGNS else MARKS
            if str(cell).strip() not in codes:
                problems.append(_unknown(cell, label, column, codes))
                continue
            value = codes[str(cell).strip()]
            if column == "optimum_glyph" and value == NONE:
                problems.append(Problem(label, column, cell, "an arrow up or down"))
            entry[_name(column)] = value
        found[name] = entry | {
            "methods": tuple(part.strip() for part in str(row["methods"]).split(";")),
            "merged": tuple(_name(column) for column in merged),
            "source_line": row.get("source_line"),
        }
    if problems:
        raise TableError("quality criteria", problems)
    return pd.DataFrame.from_dict(found, orient="index").rename_axis("criterion")


def levers(table: pd.DataFrame | None = None) -> pd.DataFrame:
    """What more of a composition lever does to energy and power density.

    The running text decides; where the printed table says the opposite, ``conflict`` is true. That
    is so for the loading: its row shows the arrows of a *lower* loading.

    Parameters
    ----------
    table
        A table like ``data.load("prein2022_levers")``, which it is if not given.

    Returns
    -------
    DataFrame
        Index ``lever``: ``energy_sign``, ``power_sign`` (to be used); ``table_energy_sign``,
        ``table_power_sign`` (as the printed table decodes); ``conflict``; ``note``;
        ``source_line``.

    Raises
    ------
    data.TableError
        If a glyph is unknown; the message names the place.
    """
    rows = load("prein2022_levers") if table is None else table
    found: dict[str, dict[str, Any]] = {}
    for label, row in rows.iterrows():
        entry: dict[str, Any] = {}
        conflict = False
        for what in ("energy", "power"):
            printed = decode(row[f"{what}_glyph"], row=label, column=f"{what}_glyph")
            said = row.get(f"{what}_prose")
            entry[f"{what}_sign"] = printed if _blank(said) else _PROSE[str(said)]
            entry[f"table_{what}_sign"] = printed
            conflict |= entry[f"{what}_sign"] != printed
        found[str(row["lever"])] = entry | {
            "conflict": conflict, "note": row.get("note"), "source_line": row.get("source_line")}
    return pd.DataFrame.from_dict(found, orient="index").rename_axis("lever")


def _name(column: str) -> str:
    own = {"ease_glyph": "easy", "measurability_glyph": "measurable"}
    return own.get(column) or _SIGNS[column]


def _blank(cell: object) -> bool:
    return cell is None or cell != cell or not str(cell).strip()


def _unknown(glyph: object, row: object, column: str | None, codes: dict[str, Any]) -> Problem:
    return Problem(row, column, glyph, "a printed sign that is known: " + " ".join(codes))
