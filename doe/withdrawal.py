"""Taking back what was recorded by mistake: it stays in the file, and nothing learns from it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import CampaignError, unknown
from .store import Event

if TYPE_CHECKING:
    from .state import State


def standing(events: Sequence[Event]) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Recorded rows that were not taken back, and the number of each, ``(n,)``.

    Rows are numbered from 0 in the order in which they were recorded; a number is never used again.
    """
    rows = [row for e in events if e.kind == "record" for row in e.body["rows"]]
    gone = {k for e in events if e.kind == "withdraw" for k in e.body["rows"]}
    left = [k for k in range(len(rows)) if k not in gone]
    return [rows[k] for k in left], np.array(left, dtype=int)


def numbers(rows: Any, state: State) -> list[int]:
    """Numbers of the rows that are meant: row numbers, ids of suggestions, one or several.

    Raises
    ------
    CampaignError
        If a row or a suggestion is not there, has no result, or was taken back already.
    """
    single = isinstance(rows, str) or not isinstance(rows, Iterable)
    found: list[int] = []
    for given in [rows] if single else rows:
        if isinstance(given, str):
            if given not in state.suggestions.index:
                known = state.suggestions.index
                raise CampaignError(unknown(given, known, "suggestion of this campaign"))
            answers = state.numbers[(state.rows["suggestion"] == given).to_numpy()]
            if not len(answers):
                raise CampaignError(f"{given} has no result that could be taken back")
            found += [int(k) for k in answers]
        elif isinstance(given, (int, np.integer)) and not isinstance(given, bool):
            if given not in state.numbers:
                raise CampaignError(
                    f"there is no row {given}, or it was taken back already; "
                    "results() and the command `ssbayes rows` show the number of each"
                )
            found.append(int(given))
        else:
            raise CampaignError(
                f"{given!r} is neither the number of a row in results() nor the id of a suggestion"
            )
    if not found:
        raise CampaignError("no row is named; give numbers of rows in results(), or a suggestion")
    return list(dict.fromkeys(found))
