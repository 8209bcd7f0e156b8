"""What a campaign knows, read off its events. Plain functions: the same events, the same state."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .. import data
from ..data import entries
from . import factors as fac
from . import plots, weighing, withdrawal
from .declaration import Declaration
from .errors import CampaignError, counted, unknown
from .factors import Integer
from .goals import Goals
from .readings import MEMORY, is_bound
from .store import Event

BATCH = "predicted_batch_sd"
PREDICTED = ("predicted_mean", "predicted_low", "predicted_high", BATCH, "predicted_cell_sd")
GAIN = "expected_gain"
OPEN = ("open", "running")
KNOWN = ("suggest", "record", "abandon", "withdraw")
"""Kinds of events that change what is known."""


@dataclass(frozen=True)
class State:
    """Everything that the events up to `seq` say.

    Attributes
    ----------
    seq : int
        Last event seen; an append after it is refused if there are newer ones.
    data_seq : int
        Last event that recorded results or took them back: what depends on the data alone is kept
        under it.
    suggestions : DataFrame
        Every suggestion ever made, indexed by its id: factors, ``predicted_*``, ``reason``,
        ``by``, ``state`` (open, running, done, failed, abandoned); with hard-to-change factors
        ``run``, the first suggestion of its run; ``expected_gain`` (see `propose.Proposal`) where
        one is kept of any.
    rows : DataFrame
        Every recorded row that was not taken back.
    numbers : ndarray of int
        Number of each row, in the order in which rows were recorded.
    """

    seq: int
    data_seq: int
    suggestions: pd.DataFrame
    rows: pd.DataFrame
    numbers: np.ndarray
    events: Sequence[Event]

    def open(self, by: str | None = None) -> pd.DataFrame:
        """Open suggestions, those of one worker or of all."""
        table: Any = self.suggestions[self.suggestions["state"].isin(OPEN)]
        return table if by is None else table[table["by"] == by]

    def draws(self, purpose: str) -> Mapping[str, Any] | None:
        """Body of the draws kept for this purpose on the present data, if there are."""
        for e in reversed(self.events):
            if e.kind == "draws" and e.body["for"] == purpose and e.body["data"] == self.data_seq:
                return e.body
        return None


def read(events: Sequence[Event], declaration: Declaration) -> State:
    """State after `events`."""
    rows, numbers = withdrawal.standing(events)
    recorded = [e.seq for e in events if e.kind in ("record", "withdraw")]
    table = rows_table(rows, declaration)
    return State(
        seq=max((e.seq for e in events), default=0),
        data_seq=max(recorded, default=0),
        suggestions=_suggestions(events, table, declaration),
        rows=table,
        numbers=numbers,
        events=events,
    )


def rows_table(rows: Sequence[Mapping[str, Any]], declaration: Declaration) -> pd.DataFrame:
    """Recorded rows as a table: suggestion, factors, objective first; numbers as float64."""
    names = [*declaration.space.names, *declaration.fixed]
    first = ["suggestion", *names, declaration.objective]
    rest = dict.fromkeys(k for row in rows for k in row if k not in first)
    text = _text_columns(declaration)
    table = pd.DataFrame(index=range(len(rows)))
    for name in [*first, *rest]:
        values = [row.get(name) for row in rows]
        if name in text or any(isinstance(v, str) for v in values):
            table[name] = pd.Series(values, dtype=object)
        else:
            table[name] = np.array([np.nan if v is None else v for v in values], dtype=float)
    return table


OUTLIVED = (
    "chosen in view of rows that have since been taken back, and so is what is predicted; drop it "
    "(campaign.drop) for a new one"
)


def outlived(state: State) -> set[str]:
    """Suggestions, beyond a start design, in view of rows that were taken back since."""
    since = [e.seq for e in state.events if e.kind == "record" for _ in e.body["rows"]]
    gone = [(k, e.seq) for e in state.events if e.kind == "withdraw" for k in e.body["rows"]]
    return {
        entry["suggestion"]
        for e in state.events
        if e.kind == "suggest" and any(since[k] < e.seq < later for k, later in gone)
        for entry in e.body["suggestions"]
        if entry.get("predicted_mean") is not None
    }


def usable(rows: Any) -> np.ndarray:
    """Where a row is a finished experiment, not a failure, a plan or a published statement."""
    good = np.ones(len(rows), dtype=bool)
    if "status" in rows:
        good &= (rows["status"].isna() | (rows["status"] == "done")).to_numpy()
    if "kind" in rows:
        good &= (rows["kind"] != "statement").to_numpy()
    return good


def at_conditions(
    rows: pd.DataFrame, declaration: Declaration, beside: Sequence[str] = ()
) -> np.ndarray:
    """Where a row was measured at the campaign's constants (those no model accounts for).

    Those named ``beside`` may be others.
    """
    good = np.ones(len(rows), dtype=bool)
    for name in [n for n in declaration.conditions if n not in beside]:
        value = declaration.fixed[name]
        if isinstance(value, str):
            good &= (rows[name] == value).to_numpy()
        else:
            good &= np.isclose(rows[name].to_numpy(dtype=float), value, rtol=1e-9, atol=0)
    return good


def remembered(declaration: Declaration) -> Sequence[str]:
    """Constants whose other values are related tasks; the baselines would take them for own."""
    alone = declaration.strategy == "bayes" and declaration.model_body is None
    return MEMORY if alone else ()


def learned(state: State, declaration: Declaration) -> pd.DataFrame:
    """Rows that a strategy learns from: finished, comparable, every factor given.

    Those of another mill are a related task where no model tells mills apart. The baselines get no
    row whose objective is only a bound.

    With ``options={"statements": True}`` and a model, published statements come along.
    """
    rows: Any = state.rows
    good = usable(rows) & at_conditions(rows, declaration, remembered(declaration))
    good &= rows[declaration.space.names].notna().all(axis=1).to_numpy()
    if declaration.strategy != "bayes":
        good &= ~is_bound(rows, declaration.objective)
    wanted = declaration.options.get("statements") and declaration.model_body is not None
    if wanted and "kind" in rows:
        good |= (rows["kind"] == "statement").to_numpy()
    return rows[good].reset_index(drop=True)


def tried(rows: Any, declaration: Declaration) -> pd.DataFrame:
    """Distinct settings with a reading of the objective, in the order of their first reading.

    A composition that was weighed as well as a recipe can tell counts as the planned one. What is
    only a bound is no reading.

    Returns
    -------
    DataFrame
        Factors, ``suggestion`` (of the first row that answers one) and ``readings``.
    """
    names = declaration.space.names
    rows = weighing.as_planned(rows, declaration.space)
    good = usable(rows) & at_conditions(rows, declaration)
    good &= ~is_bound(rows, declaration.objective)
    part = rows[good & rows[declaration.objective].notna().to_numpy()]
    part = part.dropna(subset=names)
    if part.empty:
        return pd.DataFrame(columns=[*names, "suggestion", "readings"])
    groups = part.groupby(names, sort=False, dropna=False)
    table = groups["suggestion"].first().to_frame()
    table["readings"] = groups.size()
    table = table.reset_index()[[*names, "suggestion", "readings"]]
    for factor in declaration.space.factors:
        if isinstance(factor, Integer) and (table[factor.name] % 1 == 0).all():
            table[factor.name] = table[factor.name].astype("int64")
    return table


def seed_for(purpose: str, state: State, declaration: Declaration) -> int:
    """A seed from the campaign's own and from what is known: equal files, equal seeds."""
    known = [_without_gain(e) for e in state.events if e.kind in KNOWN]
    return int(digest([declaration.seed, purpose, known]), 16) % 2**31


def _without_gain(e: Event) -> Mapping[str, Any]:
    """A body without what was not kept always: an old file and a new one draw the same."""
    if e.kind != "suggest":
        return e.body
    entries = [{k: v for k, v in s.items() if k != GAIN} for s in e.body["suggestions"]]
    return {**e.body, "suggestions": entries}


def digest(value: Any) -> str:
    """Short name of plain values."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _text_columns(declaration: Declaration) -> set[str]:
    text = {n for n, c in data.COLUMNS.items() if c.kind == "text"}
    text |= {f.name for f in declaration.space.factors if f.kind == "text"}
    return text | {n for n, v in declaration.fixed.items() if isinstance(v, str)} | {"suggestion"}


def _suggestions(
    events: Sequence[Event], rows: pd.DataFrame, declaration: Declaration
) -> pd.DataFrame:
    further = [
        name
        for e in events
        if e.kind == "suggest"
        for entry in e.body["suggestions"]
        for name in entry.get("further", ())
    ]
    columns = [*declaration.space.names, *PREDICTED, *dict.fromkeys(further)]
    columns += ["reason", "by", "state"]
    columns += ["run"] if plots.has_runs(declaration.space) else []
    made = [
        {**entry["settings"], **entry, **entry.get("further", {}), "by": e.body["by"]}
        for e in events
        if e.kind == "suggest"
        for entry in e.body["suggestions"]
    ]
    dropped = {s for e in events if e.kind == "abandon" for s in e.body["suggestions"]}
    answered: Any = rows[rows["suggestion"].notna()]
    status = answered["status"] if "status" in answered else pd.Series(None, answered.index)
    failed = set(answered.loc[status == "failed", "suggestion"])
    left = set(answered.loc[status == "abandoned", "suggestion"]) | dropped
    good = answered[usable(answered)]
    done = set(good["suggestion"])
    for name in declaration.goals.outcomes:
        read = good[name].notna() if name in good else pd.Series(False, good.index)
        done &= set(good.loc[read, "suggestion"])
    begun = set(answered["suggestion"])

    def state(name: str) -> str:
        ends = (("done", done), ("failed", failed), ("abandoned", left), ("running", begun))
        return next((word for word, group in ends if name in group), "open")

    gained = [GAIN] if any(GAIN in entry for entry in made) else []
    table = pd.DataFrame(made, columns=["suggestion", *columns, *gained]).set_index("suggestion")
    table["state"] = [state(name) for name in table.index]
    for name in [*PREDICTED, *dict.fromkeys(further), *gained]:
        table[name] = np.asarray(table[name], dtype=float)
    for factor in declaration.space.factors:
        if factor.kind == "number":
            table[factor.name] = pd.to_numeric(table[factor.name])
    return table


def history(events: Sequence[Event]) -> pd.DataFrame:
    """Every event as a row: ``seq``, ``at`` (UTC), ``kind``, ``what``, ``id``."""
    table = pd.DataFrame(
        [(e.seq, e.at, e.kind, _told(e), e.id) for e in events],
        columns=["seq", "at", "kind", "what", "id"],
    )
    return table.set_index("seq")


def _told(e: Event) -> str:
    body = e.body
    match e.kind:
        case "declare":
            d = body["declaration"]
            if "goals" in d:
                return str(Goals.from_dict(d["goals"]))
            return f"{'maximize' if d['maximize'] else 'minimize'} {d['objective']}"
        case "suggest":
            names = ", ".join(s["suggestion"] for s in body["suggestions"])
            return f"suggested {names}" + (f" for {body['by']}" if body["by"] else "")
        case "record":
            names = dict.fromkeys(r["suggestion"] for r in body["rows"] if "suggestion" in r)
            text = counted(len(body["rows"]), "row") + (f" of {', '.join(names)}" if names else "")
            return text + "".join(f"; {note}" for note in body["notes"])
        case "abandon":
            text = f"dropped {', '.join(body['suggestions'])}"
            return text + (f": {body['reason']}" if body["reason"] else "")
        case "withdraw":
            text = f"took back {counted(len(body['rows']), 'row')}"
            return text + (f": {body['reason']}" if body["reason"] else "")
        case "draws":
            return f"draws kept for {body['for'].split()[0]}, data up to event {body['data']}"
    return str(body.get("text", ""))


def setting(given: Any, state: State, declaration: Declaration) -> pd.DataFrame:
    """One setting, one row: of a suggestion by its id, as it was run if it was, or as it is given.

    Raises
    ------
    CampaignError
        If there is no such suggestion, it is neither an id nor one setting, or a text is none of
        its factor's values.
    SpaceError
        If a factor is missing or is no number.
    """
    names = declaration.space.names
    if isinstance(given, str):
        if given not in state.suggestions.index:
            raise CampaignError(
                unknown(given, state.suggestions.index, "suggestion of this campaign")
            )
        ran: Any = state.rows[state.rows["suggestion"] == given]
        ran = weighing.as_planned(ran, declaration.space)
        source = ran.iloc[0] if len(ran) else state.suggestions.loc[given]
        return pd.DataFrame([{n: source[n] for n in names}])
    if isinstance(given, (Mapping, pd.Series)):
        several = [k for k, v in dict(given).items() if np.ndim(v) and np.size(v) != 1]
        if several:
            raise CampaignError(
                f"{several[0]} has {np.size(given[several[0]])} values, and one setting is wanted; "
                "give one value for each factor"
            )
        return _checked(declaration.space.frame(given).loc[:, names].reset_index(drop=True),
                        declaration)  # fmt: skip
    raise CampaignError(
        f"{given!r} is neither the id of a suggestion nor a setting; write 's0001' or "
        f"{{{names[0]!r}: ...}}"
    )


def _checked(settings: Any, declaration: Declaration) -> pd.DataFrame:
    """Settings as results are read: texts tidied and among the values, numbers as numbers."""
    for factor in declaration.space.factors:
        given = settings[factor.name]
        if factor.kind != "text":
            numbers = fac.numeric(factor, given)
            if not pd.api.types.is_numeric_dtype(given):
                settings[factor.name] = numbers
            continue
        assert factor.levels is not None
        values = pd.Series([entries.text(v) for v in given], dtype=object)
        wrong = [v for v in values if not fac.contains(factor, pd.Series([v], dtype=object)).all()]
        if wrong:
            raise CampaignError(unknown(wrong[0], factor.levels, f"value of {factor.name}"))
        settings[factor.name] = values
    return settings
