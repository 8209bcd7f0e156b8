"""Results at the door of a campaign: read, completed from suggestions, checked, noted.

Nothing here writes: a table is checked as a whole before anything of it is recorded.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .. import data
from ..data import entries
from ..data.reading import read_rows
from . import completion, weighing, withdrawal
from . import factors as fac
from .declaration import Declaration, plain
from .errors import CampaignError, did_you_mean, listing
from .factors import Factor
from .readings import is_bound
from .state import State, remembered
from .store import Event

NEEDS_SETTINGS = ("planned", "running", "done", "failed")


def read_results(results: object, declaration: Declaration) -> tuple[pd.DataFrame, str]:
    """Results as a table with a name for messages: a table, one row, rows, columns or a file."""
    if isinstance(results, (str, os.PathLike)):
        path = Path(results)
        known = pd.concat([completion.PLAN_COLUMNS, declaration.columns(needed=False)])
        return read_rows(path, known), path.name  # rows as a person counts them in the file
    if isinstance(results, pd.DataFrame):
        known = ["suggestion", *data.COLUMNS, *declaration.columns(needed=False)["name"]]
        named = [entries.text(n) for n in results.index.names]
        headers = {entries.text(c) for c in results.columns}
        levels = [i for i, n in enumerate(named) if n in known and n not in headers]
        table = results.reset_index(level=levels) if levels else results.copy()
    elif isinstance(results, pd.Series):
        table = results.to_frame().T
    elif isinstance(results, Mapping):
        single = all(np.ndim(v) == 0 for v in results.values())  # pyright: ignore
        try:
            table = pd.DataFrame([dict(results)] if single else dict(results))
        except ValueError:
            told = ", ".join(f"{k}: {np.size(v)}" for k, v in results.items())
            raise CampaignError(
                f"results have columns of unlike length ({told}); give each as many values"
            ) from None
    elif isinstance(results, (list, tuple)) and not all(isinstance(r, Mapping) for r in results):
        raise CampaignError(
            "results are a list of something else than rows; give one mapping a row, such as "
            "[{'suggestion': 's0001', ...}]"
        )
    else:
        try:
            table = pd.DataFrame(results)  # pyright: ignore
        except (TypeError, ValueError):
            raise CampaignError(
                f"results are a {type(results).__name__}; give a table, a mapping or a file name"
            ) from None
    if not table.index.is_unique:
        table = table.reset_index(drop=True)
    return table, "results"


def check_results(
    table: Any, where: str, declaration: Declaration, state: State, again: bool = False
) -> tuple[list[dict[str, Any]], list[str]]:
    """Rows to record and notes about them.

    Parameters
    ----------
    table, where : DataFrame, str
        As `read_results` gives them.
    again : bool
        Rows that are recorded already are let through, for a repeated call with the same id.

    Raises
    ------
    TableError
        With everything that is wrong, at once.
    CampaignError
        If there is nothing to record.
    """
    table = _with_headers(table, where)
    if "suggestion" in table and completion.ORDER in table and completion.has_order(declaration):
        table = table.drop(columns=completion.ORDER)
    table = table.astype(object).where(table.notna(), None)
    table = completion.from_plan(table, where, declaration.outcomes, state)
    _check_suggestions(table, where, state)
    table = _without_suggested_reasons(table, state)
    # misspelt columns and bad cells are told before anything is said to be missing
    table = data.validate(table, declaration.columns(needed=False), where=where)
    if not again and (ranges := _ranges(table, declaration)):
        raise data.TableError(where, ranges)
    table, notes = _without_empty(table, declaration, state)
    table, known, assumed = completion.with_batches(table, declaration, state)
    filled, impossible = completion.completed(table, declaration, known)
    if impossible:
        raise data.TableError(where, impossible)
    wanted = declaration.columns(needed=True)
    clean = data.validate(filled, wanted, where=where)
    problems = _incomplete(clean, declaration) + _slips(clean, declaration)
    rows = [{k: plain(v) for k, v in r.items()} for r in clean.to_dict("records")]
    rows = [{str(k): v for k, v in r.items() if v is not None and v == v} for r in rows]
    if not again:
        problems += _off_scale(clean, declaration)
        problems += _repeated(rows, list(clean.index), state)
    if problems:
        raise data.TableError(where, problems)
    if not again and len(state.rows):
        _check_together(clean, wanted, where, state)
    return rows, notes + assumed + _notes(clean, declaration, state)


def _with_headers(table: Any, where: str) -> pd.DataFrame:
    """The table without predictions, its headers as `data.validate` reads them, each once."""
    table = table.set_axis([entries.text(c) or "" for c in table.columns], axis=1)
    table = table.loc[:, [not c.startswith("predicted_") for c in table.columns]]
    twice = dict.fromkeys(table.columns[table.columns.duplicated()])
    if twice:
        told = "two columns have this name; rename one"
        raise data.TableError(where, [data.Problem(None, name, None, told) for name in twice])
    return table


def _check_suggestions(table: Any, where: str, state: State) -> None:
    if "suggestion" not in table:
        return
    known = list(state.suggestions.index)
    problems = []
    for label, value in table["suggestion"].items():
        if value is None or str(value).strip() == "":
            table.at[label, "suggestion"] = None
        elif str(value).strip() in known:
            table.at[label, "suggestion"] = str(value).strip()
        else:
            hint = did_you_mean(value, known)
            expected = "the id of a suggestion of this campaign" + hint.rstrip(".")
            expected += "" if known else ", which has made none yet; leave the column out"
            problems.append(data.Problem(label, "suggestion", value, expected))
    if problems:
        raise data.TableError(where, problems)


def _without_suggested_reasons(table: Any, state: State) -> pd.DataFrame:
    """Clear the reason *for* a suggestion, so that it is not read as the reason of a failure."""
    if "reason" not in table or "suggestion" not in table:
        return table
    table = table.copy()
    for label, name in table["suggestion"].items():
        if name is not None and table.at[label, "reason"] == state.suggestions.at[name, "reason"]:
            table.at[label, "reason"] = None
    return table.drop(columns="reason") if table["reason"].isna().all() else table


def _without_empty(
    table: Any, declaration: Declaration, state: State
) -> tuple[pd.DataFrame, list[str]]:
    """Leave out suggestions that nothing has been measured of yet: they stay open.

    What was weighed for one is kept, with status = running: its composition is that of the
    readings to come. A note tells what else is not kept.
    """
    if "suggestion" not in table:
        return table, []
    readings = [c for c in table.columns if completion.is_reading(str(c), declaration.outcomes)]
    empty = table["suggestion"].notna() & table[readings].isna().all(axis=1)
    if "status" in table:
        empty &= table["status"].isna() | table["status"].isin(["planned", "running", ""])
    notes = []
    for label in table.index[empty]:
        row, name = table.loc[label], table.at[label, "suggestion"]
        plan, masses = state.suggestions.loc[name], _masses(row, declaration)
        before = _is_known(row, masses, state.rows[state.rows["suggestion"] == name])
        if masses and not before and completion.weighed(row, declaration.space, plan):
            empty[label] = False
            table = table.assign(status=table.get("status")).astype({"status": object})
            table.at[label, "status"] = "running"
            notes.append(f"{name}: weighed and nothing measured yet, kept as running")
            continue
        lost = [] if before else [*masses, *_further(row, plan, declaration)]
        notes.append(
            f"{name}: nothing measured yet, left open"
            + (f"; give {listing(lost)} again with the reading" if lost else "")
        )
    if len(table) and empty.all():
        raise CampaignError(
            f"nothing to record: no row has a reading such as {declaration.objective}, "
            "or status = failed with a reason"
        )
    return table[~empty], notes


def _ranges(table: Any, declaration: Declaration) -> list[data.Problem]:
    """Ranges in the place of a reading, which a campaign without a model cannot learn from."""
    if declaration.model_body is not None:
        return []
    exempt = completion.equals(table, "status", ("failed", "abandoned"))
    exempt |= completion.equals(table, "kind", ("statement",))
    problems = []
    for name in declaration.outcomes:
        ends = [n for n in (f"{name}_low", f"{name}_high") if n in table]
        alone = ~exempt & table[ends].notna().any(axis=1)
        if name in table:
            alone &= table[name].isna()
        for label in table.index[alone]:
            given = [float(v) for v in table.loc[label, ends] if not completion.none(v)]
            told = "one reading; put the middle of the range here and half its width into a column "
            told += f"{name}_sd"
            if len(given) == 2:
                told += f": {sum(given) / 2:g} and {abs(given[1] - given[0]) / 2:g}"
            problems.append(data.Problem(label, name, "a range alone", told))
    return problems


def _masses(row: Any, declaration: Declaration) -> list[str]:
    """Columns of masses that a row gives."""
    every = dict.fromkeys(n for w in weighing.known(declaration.space) for n in w.masses)
    return [n for n in every if not completion.none(row.get(n))]


def _is_known(row: Any, names: list[str], rows: Any) -> bool:
    """Whether one of the recorded rows has the same values there."""
    there = bool(names) and all(n in rows for n in names)
    return there and bool((rows[names] == row[names]).all(axis=1).any())


def _further(row: Any, plan: Any, declaration: Declaration) -> list[str]:
    """Labels that a row gives, and factors that were set otherwise than suggested."""
    given = [n for n in ("batch", "cell") if not completion.none(row.get(n))]
    for factor in declaration.space.factors:
        got = row.get(factor.name)
        if not completion.none(got) and not _same(factor, got, plan[factor.name]):
            given.append(factor.name)
    return given


def _incomplete(table: Any, declaration: Declaration) -> list[data.Problem]:
    """A finished row needs every factor, and something measured unless a paper only names it."""
    exempt = completion.equals(table, "kind", ("statement",))
    if "status" in table:
        exempt |= table["status"].notna() & ~table["status"].isin(NEEDS_SETTINGS)
    problems = []
    for name in declaration.space.names:
        gaps = ~exempt if name not in table else ~exempt & table[name].isna()
        for label in table.index[gaps]:
            problems.append(
                data.Problem(
                    label,
                    name,
                    "nothing",
                    "the setting that was run; a row without a suggestion names every factor",
                )
            )
    readings = [c for c in table.columns if completion.is_reading(str(c), declaration.outcomes)]
    silent = ~exempt & table[readings].isna().all(axis=1)
    silent &= ~completion.equals(table, "status", ("failed",))
    if "suggestion" in table:  # `_without_empty` has kept it for what was weighed
        silent &= ~(table["suggestion"].notna() & completion.equals(table, "status", ("running",)))
    if "study" in table:
        silent &= table["study"].isna()
    for label in table.index[silent]:
        problems.append(
            data.Problem(
                label,
                declaration.objective,
                "nothing",
                "a reading, or status = failed with a reason",
            )
        )
    return problems


def _slips(table: Any, declaration: Declaration) -> list[data.Problem]:
    """Mixtures that no powder can be; what is only outside the space is kept with a note."""
    problems = []
    for mixture in declaration.space.mixtures:
        if {*mixture.names} <= {*table.columns}:
            whole = table[mixture.names].dropna()
            problems += [data.Problem(*said) for said in mixture.slips(whole)]
    return problems


def _off_scale(table: Any, declaration: Declaration) -> list[data.Problem]:
    """Numbers that have no place on the scale of their factor: nothing could be learned there."""
    exempt = completion.equals(table, "kind", ("statement",))
    exempt |= completion.equals(table, "status", ("abandoned",))
    problems = []
    for factor in declaration.space.factors:
        if factor.kind == "text" or not (factor.log or factor.sqrt) or factor.name not in table:
            continue
        told = table.loc[~exempt, factor.name].dropna()
        told = told[~fac.is_void(factor, told)]
        for label, value in told[told <= 0 if factor.log else told < 0].items():
            least, scale = ("above 0", "log") if factor.log else ("of 0 or more", "sqrt")
            also = " (sqrt=True takes 0)" if factor.log and value == 0 else ""
            problems.append(
                data.Problem(
                    label, factor.name, value,
                    f"a number {least}, as the space has {scale}=True there; leave the row out, or "
                    f"record it in a campaign whose space has another scale{also}",
                )
            )  # fmt: skip
    return problems


def _repeated(rows: list[dict[str, Any]], labels: list[Any], state: State) -> list[data.Problem]:
    """Rows that are recorded already, or twice in one table, to the last cell."""
    stored = zip(state.numbers, _stored(state), strict=True)
    before = {_fingerprint(r): f"recorded row {k}" for k, r in stored}
    problems = []
    for label, row in zip(labels, rows, strict=True):
        key = _fingerprint(row)
        if key in before:
            problems.append(
                data.Problem(
                    label,
                    None,
                    None,
                    f"the same in every cell as {before[key]}, so it counts once; "
                    "a further cell needs a name of its own in the column 'cell'",
                )
            )
        before.setdefault(key, f"row {label}")
    return problems


def _stored(state: State) -> list[dict[str, Any]]:
    return withdrawal.standing(state.events)[0]


def _fingerprint(row: Mapping[str, Any]) -> str:
    """A row in a word; without the plan beside it, which follows from the rest."""
    told = {k: v for k, v in row.items() if not k.startswith(weighing.PLANNED)}
    return json.dumps(told, sort_keys=True, ensure_ascii=False)


def alike(a: list[dict[str, Any]], b: list[dict[str, Any]]) -> bool:
    """Whether two records are of the same rows."""
    return [_fingerprint(r) for r in a] == [_fingerprint(r) for r in b]


def taken_back(record: Event, state: State) -> list[str]:
    """A note on rows of a record that were taken back since; none if all stand."""
    first = sum(
        len(e.body["rows"]) for e in state.events if e.kind == "record" and e.seq < record.seq
    )
    rows = [first + k for k in range(len(record.body["rows"]))]
    gone = [k for k in rows if k not in state.numbers]
    if not gone:
        return []
    which = f"row{'s' if len(gone) > 1 else ''} {listing(gone)}"
    return [
        f"{which} recorded under this id and taken back since, not recorded again; use a new id "
        "to record anew"
    ]


def _check_together(clean: Any, wanted: pd.DataFrame, where: str, state: State) -> None:
    """New rows with the recorded ones: a cell measured twice, a batch with two porosities."""
    old = state.rows.copy()
    old.index = pd.Index([f"recorded {k}" for k in state.numbers])
    both = pd.concat([old.astype(object), clean.astype(object)])
    data.validate(both, wanted, where=f"{where}, with what is recorded")


def _notes(clean: Any, declaration: Declaration, state: State) -> list[str]:
    space = declaration.space
    whole = clean[[n for n in space.names if n in clean]].dropna()
    notes: list[str] = weighing.notes(clean, space)
    if len(whole) and len(whole.columns) == len(space.names):
        ran: Any = weighing.as_planned(clean.loc[whole.index], space)
        outside = space.objections(ran[~space.allowed(ran)])
        notes += [f"outside the space: {text}" for text in outside]
    if "suggestion" in clean:
        notes += _departures(clean, declaration, state)
    for name in declaration.outcomes:
        bound = is_bound(clean, name)
        if not bound.any() or name in getattr(declaration.model, "bounds", ()):
            continue
        for label in clean.index[bound & clean[name].notna()]:
            notes.append(
                f"row {label}: {name} is a bound ({clean.at[label, f'{name}_censored']} "
                f"{clean.at[label, name]:g}); kept, not used for suggestions"
            )
    for name in declaration.conditions:
        other = clean[name].notna() & (clean[name] != declaration.fixed[name])
        for label in clean.index[other]:
            notes.append(
                f"row {label}: {name} is {clean.at[label, name]}, the campaign's is "
                f"{declaration.fixed[name]}; kept, "
                + ("a related task, of which it is learned how much it tells"
                   if name in remembered(declaration)
                   else "not used for suggestions")
            )
    return notes


def _same(factor: Factor, got: Any, wanted: Any) -> bool:
    """Whether a value is the one that was suggested, to the digits that a file keeps."""
    return got == wanted if factor.kind == "text" else bool(np.isclose(got, wanted, rtol=1e-9))


def _departures(clean: Any, declaration: Declaration, state: State) -> list[str]:
    """What was run otherwise than suggested, each way said once."""
    notes: list[str] = []
    otherwise: dict[str, list[str]] = {}
    further: dict[str, None] = {}
    for label, name in clean["suggestion"].dropna().items():
        row, asked = clean.loc[label], state.suggestions.loc[name]
        if asked["state"] == "abandoned":
            notes.append(f"{name} had been dropped and was run after all")
        if asked["state"] == "done" and completion.none(row.get("cell")):
            further.setdefault(str(name))
        for factor in declaration.space.factors:
            if not completion.none(row.get(weighing.PLANNED + factor.name)):
                continue  # `weighing.notes` tells of it
            got, wanted = row[factor.name], asked[factor.name]
            if not _same(factor, got, wanted):
                shown = [v if isinstance(v, str) else f"{v:.6g}" for v in (got, wanted)]
                text = f"run with {factor.name} = {shown[0]}, suggested was {shown[1]}"
                otherwise.setdefault(text, []).append(str(name))
    if further:
        notes.append(
            f"{', '.join(further)} had a reading before: the new one counts as a further cell and "
            "replaces nothing; a name in the column 'cell' says which"
        )
    for text, names in otherwise.items():
        each = sorted(set(names))
        notes.append(f"{', '.join(each)} {'was' if len(each) == 1 else 'were'} {text}")
    return notes
