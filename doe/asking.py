"""New suggestions: the start design first, then the strategy; pure functions of the state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from . import designs, failures, plots, posterior, space_words, strategies
from . import state as states
from .declaration import Declaration, plain
from .errors import CampaignError, listing
from .outlook import predicts
from .readings import BLIND, UNNAMED, UNSPLIT, all_given
from .space import Space
from .state import BATCH, GAIN, OPEN, PREDICTED, State

START = 4
"""Settings of a start design."""
AT_ONCE = 96
"""Most suggestions that may be open for one who asks."""
FAR = "far from the other settings"


def check_number(n: object) -> None:
    """Refuse a number of suggestions that cannot be chosen.

    Raises
    ------
    CampaignError
        If it is no whole number from 1 to `AT_ONCE`.
    """
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or not 1 <= n <= AT_ONCE:
        raise CampaignError(f"n={n!r} must be a whole number from 1 to {AT_ONCE}")


def new_suggestions(
    declaration: Declaration, state: State, need: int, by: str | None
) -> tuple[dict[str, Any], Mapping[str, np.ndarray]]:
    """Body of a suggest event with `need` suggestions, and the draws of the fit behind it.

    Suggestions are numbered on from those of the state, so that an append which is refused when
    the state has changed never gives a number twice.
    """
    space = declaration.space
    start = start_settings(declaration, state, need)
    repeats = start.attrs.get("repeats", [False] * len(start))
    entries = [
        _entry(setting, None, f"start design: {'repeats a setting' if again else FAR}")
        for setting, again in zip(start.to_dict("records"), repeats, strict=True)
    ]
    notes = _unlooked(space) if len(start) else []
    body: dict[str, Any] = {"by": by or "", "weight": None, "notes": notes}
    draws: Mapping[str, np.ndarray] = {}
    rest = need - len(start)
    if rest:
        blank = pd.DataFrame(columns=space.names)
        works = failures.learn(space, state.rows)
        told = posterior.question(declaration)
        if works is not None:
            told |= {"success": works}
        if len(gone := lost(declaration, state)):
            told |= {"lost": gone}
        waiting = [t for t in (pending(declaration, state), start) if len(t)]
        if declaration.goals.prices is not None:
            told |= {"places": places(declaration, state)}
        if declaration.unit:
            told |= {"units": {declaration.objective: declaration.unit}}
        proposal = strategies.proposer(declaration.strategy)(
            space,
            states.learned(state, declaration),
            n=rest,
            pending=pd.concat(waiting, ignore_index=True) if waiting else blank,
            seed=states.seed_for("suggest", state, declaration),
            kept=posterior.kept(state),
            **told,
        )
        settings = space.snap(proposal.settings)
        if len(settings) != rest or not space.feasible(settings).all():
            raise CampaignError(
                f"strategy {declaration.strategy!r} proposed {len(settings)} settings for {rest}, "
                "or some outside the space"
            )
        predicted, gain = proposal.predicted.to_dict("records"), proposal.gain or [None] * rest
        entries += [
            _entry(setting, predicted[i], proposal.reason[i], gain[i])
            for i, setting in enumerate(settings.to_dict("records"))
        ]
        body |= {"weight": plain(proposal.weight), "notes": notes + _unsaid(proposal.notes, state)}
        if works is not None:
            body["notes"].append(
                f"{works.failed} failed and {works.worked} worked: suggestions weigh the chance "
                "that the process does not fail"
            )
        draws = proposal.draws
    first = len(state.suggestions) + 1
    body["suggestions"] = [
        {"suggestion": f"s{number:04d}", **entry} for number, entry in enumerate(entries, first)
    ]
    _tell_runs(space, body["suggestions"])
    body["notes"] += _unbounded(space, body["suggestions"]) + _remarks(space, body["suggestions"])
    return body, draws


def start_settings(declaration: Declaration, state: State, need: int) -> pd.DataFrame:
    """Settings of the start design that are still to come, at most `need`.

    Where nothing has been measured, and nothing is known of the physics, all are of the start.
    Where the physics tells whether an uncertain rule holds, it is asked from the beginning.

    In a finite space they keep away from what has failed too, and repeat nothing unless all are of
    the start and no others are left; ``attrs["repeats"]`` says of each whether it does.
    """
    blank = pd.DataFrame(columns=declaration.space.names)
    strategy, initial = declaration.strategy, declaration.initial
    physics = declaration.model_body is not None and strategy == "bayes"
    if strategy == "random":
        initial = initial or 0
    elif initial is None:
        asks, rows = declaration.space.asks, states.learned(state, declaration)
        # what the physics tells of an uncertain rule, a start design would not look at
        told = bool(asks) and physics and all(predicts(declaration.model, n) for n in asks)
        initial = 0 if told or (physics and len(rows)) else START
    tried = len(states.tried(state.rows, declaration))
    wanted = min(need, max(0, initial - tried - len(state.open())))
    alone = not tried and not physics and strategy != "random"
    if alone:
        wanted = need
    if not wanted:
        return blank
    space, names, made = declaration.space, declaration.space.names, state.suggestions
    parts: list[Any] = [states.tried(state.rows, declaration), made]
    every = space.grid()
    if every is not None:
        failed: Any = state.rows[failures.process_failures(state.rows)]
        parts.append(failed[all_given(failed, names)])
    known = [t[names] for t in parts if len(t)]
    beside = pd.DataFrame(pd.concat(known)) if known else None
    if every is not None and not alone:
        wanted = min(wanted, int(designs.fresh(space, every, beside).sum()))
        if not wanted:
            return blank
    if beside is not None:
        table = designs.start(space, wanted, declaration.seed, beside=beside)
    else:
        table = designs.start(space, max(initial, wanted), declaration.seed).head(wanted)
    if every is not None:
        table.attrs["repeats"] = (~designs.fresh(space, table, beside)).tolist()
    return table


def pending(declaration: Declaration, state: State) -> pd.DataFrame:
    """Settings to keep away from: open suggestions, and those that were dropped or only failed.

    One whose assay failed may be tried again.
    """
    names = declaration.space.names
    table: Any = state.suggestions
    answered: Any = state.rows
    if "failure" in answered:
        lost = failures.process_failures(answered)
        assay = set(answered.loc[answered["failure"] == failures.ASSAY, "suggestion"])
        assay -= set(answered.loc[lost, "suggestion"])
        table = table[~(table.index.isin(assay) & (table["state"] == "failed"))]
    measured = states.tried(state.rows, declaration)[names]
    done = set(measured.itertuples(index=False, name=None))
    left = table.loc[table["state"].isin(["abandoned", "failed"]), names]
    again = [setting in done for setting in left.itertuples(index=False, name=None)]
    left = left[~np.array(again, dtype=bool)]
    parts = [table.loc[table["state"].isin(OPEN), names], left]
    parts = [p for p in parts if len(p)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=names)


def lost(declaration: Declaration, state: State) -> pd.DataFrame:
    """Of the settings of `pending` those dropped or only failed: nothing will be read there."""
    names, table = declaration.space.names, state.suggestions
    open_ = table.loc[table["state"].isin(OPEN), names]
    waits = set(open_.itertuples(index=False, name=None))
    away: Any = pending(declaration, state)
    keys = away.itertuples(index=False, name=None)
    return away[np.array([k not in waits for k in keys], dtype=bool)]


def places(declaration: Declaration, state: State) -> pd.DataFrame:
    """Where the equipment stands or will stand: the last own run done, and what is underway.

    Own is what was suggested, and what names no study or the campaign's, on the campaign's mill
    where that is fixed. Runs that failed were done; plans and statements were not.
    """
    names, rows = declaration.space.names, state.rows
    own = np.ones(len(rows), dtype=bool)
    if "study" in rows:
        own &= (rows["study"].isna() | rows["suggestion"].notna()).to_numpy() | (
            rows["study"] == declaration.fixed.get("study")
        ).to_numpy()
    if "mill" in declaration.fixed:
        own &= (rows["mill"] == declaration.fixed["mill"]).to_numpy()
    if "status" in rows:
        own &= (rows["status"].isna() | rows["status"].isin(["done", "failed"])).to_numpy()
    if "kind" in rows:
        own &= (rows["kind"] != "statement").to_numpy()
    done: Any = rows.loc[own, names]
    done = done.dropna(subset=declaration.space.hard or names).tail(1)
    parts: Any = [t for t in (done, state.open()[names]) if len(t)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=names)


def _tell_runs(space: Space, entries: list[dict[str, Any]]) -> None:
    """Name the run of each suggestion after its first one, and say in the reason who shares it."""
    if not plots.has_runs(space):
        return
    table = pd.DataFrame([e["settings"] for e in entries])
    for entry, partner in zip(entries, plots.companions(space, table), strict=True):
        first = entry if partner is None else entries[partner]
        entry["run"] = first["suggestion"]
        if partner is not None:
            easy = [n for n in space.names if n not in space.hard]
            entry["reason"] += (
                f"; same run as {entries[partner]['suggestion']}, which differs in {listing(easy)}"
            )


def _unbounded(space: Space, entries: list[dict[str, Any]]) -> list[str]:
    """That all suggestions are of one run, where nobody said how many a run takes."""
    together = len(entries) > 1 and len({entry.get("run") for entry in entries}) == 1
    if not together or space.per_run is not None or not plots.has_runs(space):
        return []
    return [f"all {len(entries)} settings share one run: {listing(space.hard)} "
            f"{'is' if len(space.hard) == 1 else 'are'} hard to change, and the space does not "
            "say how many settings a run takes; to spread them over several give it per_run"]


def _unlooked(space: Space) -> list[str]:
    """That a start design is made before anything is known of uncertain rules."""
    if not space.uncertain:
        return []
    return [f"start design: {designs.UNLOOKED} {listing(space_words.uncertain(space))}"]


def _unsaid(notes: list[str], state: State) -> list[str]:
    """The notes, without those on batches where an earlier suggestion has said them."""
    before = {n for e in state.events if e.kind == "suggest" for n in e.body["notes"]}
    return [n for n in notes if not (n.endswith((UNSPLIT, UNNAMED, BLIND)) and n in before)]


def _remarks(space: Space, entries: list[dict[str, Any]]) -> list[str]:
    """What is known of the soft regions that suggestions lie in, each region said once."""
    said: dict[str, list[str]] = {}
    remarks = space.remarks(pd.DataFrame([e["settings"] for e in entries]))
    for entry, texts in zip(entries, remarks, strict=True):
        for text in texts:
            said.setdefault(text, []).append(entry["suggestion"])
    return [f"{', '.join(names)}: {text}" for text, names in said.items()]


def _entry(
    setting: Mapping[Any, Any], predicted: Mapping[Any, Any] | None, reason: str,
    gain: float | None = None,
) -> dict[str, Any]:  # fmt: skip
    values = {k: None if predicted is None else plain(float(predicted[k])) for k in PREDICTED}
    if values[BATCH] is None:  # a file says it where it is known
        del values[BATCH]
    further = {k: plain(float(v)) for k, v in (predicted or {}).items() if k not in PREDICTED}
    entry = {"settings": {k: plain(v) for k, v in setting.items()}, **values}
    entry |= {} if gain is None else {GAIN: plain(gain)}
    return entry | {"reason": str(reason)} | ({"further": further} if further else {})
