"""A campaign's events as they are read and written: each decision is taken on all that is known.

Other processes may write to the same file. What is appended was decided on the newest state, or is
decided again.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import state as states
from .declaration import Declaration, differences, from_dict
from .errors import CampaignError
from .state import State
from .store import Event, ReadOnly, Store, StoreChanged, event

if TYPE_CHECKING:
    from ..models.engine.lab_model import LabModel

RETRIES = 50


class Log:
    """The events of one campaign, and what it was declared as.

    Attributes
    ----------
    declaration : Declaration
    name : str
        Where the events are kept.
    """

    def __init__(self, store: Store, declaration: Declaration) -> None:
        self.declaration, self._store = declaration, store
        self._events: list[Event] = []
        self.name, self.close = store.name, store.close

    @classmethod
    def begin(cls, store: Store, made: Declaration) -> Log:
        """A new campaign, or the one in the file if it was declared with the same words.

        Raises
        ------
        CampaignError
            If the file holds another one; the message names the differences.
        """
        body = made.to_dict()
        try:
            if not store.exists():
                store.create([event("declare", {"declaration": body})])
                return cls(store, made)
        except StoreChanged:
            pass  # another process has just created it: compare with what it declared
        stored = _declared(store.read(), store.name)
        said = differences(stored, body)
        if said:
            raise CampaignError(
                f"{store.name} holds another campaign. "
                + "; ".join(said)
                + ". Declare it as it was, use Campaign.open, or choose another file"
            )
        return cls(store, from_dict(stored, made.given_model))  # in the file's order of factors

    @classmethod
    def open(cls, path: str | Path, model: LabModel | None) -> Log:
        """The campaign in a file; ``model`` as for `Campaign.open`."""
        store = Store(path)
        return cls(store, from_dict(_declared(store.read(), store.name), model))

    def state(self) -> State:
        """What is known now.

        Raises
        ------
        CampaignError
            If another campaign has been put in the place of the file.
        """
        known = self._events
        try:
            new = self._store.read(known[-1].seq, known[-1].id) if known else self._store.read()
        except StoreChanged:  # another copy of the file is in its place: what it says counts
            new = self._store.read()
            if not new or new[0].id != known[0].id:
                raise CampaignError(
                    f"{self.name} holds another campaign than before; open it anew"
                ) from None
            known = []
        self._events = [*known, *new]
        return states.read(self._events, self.declaration)

    def write[T](self, decide: Callable[[State], tuple[list[Event], T]]) -> T:
        """Append what `decide` makes of the state; if the state has changed meanwhile, again.

        Where the file cannot be written, an answer is given all the same if only draws would have
        been kept for the next time.
        """
        for _ in range(RETRIES):
            state = self.state()
            events, answer = decide(state)
            if not events:
                return answer
            try:
                self._store.append(events, after=state.seq)
            except StoreChanged:
                continue
            except ReadOnly:
                if any(e.kind != "draws" for e in events):
                    raise
            return answer
        raise CampaignError(f"{self.name} is being changed all the time; try again")


def _declared(events: list[Event], name: str) -> dict[str, Any]:
    for e in events:
        if e.kind == "declare":
            return dict(e.body["declaration"])
    raise CampaignError(f"{name} holds no declaration; it is no campaign file")
