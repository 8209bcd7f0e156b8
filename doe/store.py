"""The campaign file: one append-only table of events in SQLite.

Nothing is ever changed or removed; what a campaign knows is what its events say. Every append is
one immediate transaction on a rollback journal with full synchronisation, so that a process
killed half-way loses nothing that was acknowledged and leaves nothing half-written, and a copy of
the one file is whole. (A write-ahead log would keep recent events in a second file.)

Event ids are made by the caller: the same append sent twice does no harm. Bodies are JSON; draws
are base64 text of an ``.npz`` archive without pickles. Nothing in a file is ever executed.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import io
import json
import sqlite3
import threading
import uuid
import weakref
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from .errors import StoreError

VERSION = 1
APPLICATION = 0x53534259  # "SSBY" in the file's header: tells a campaign from other databases
KINDS = ("declare", "suggest", "record", "abandon", "withdraw", "draws", "note")
WAIT_S = 30.0
RESTORE = "nothing was written to it; put a whole copy in its place"
HEAD = 100
"""Bytes of a database's header."""

_LOOKED: set[Path] = set()
_LOOKING = threading.Lock()

_SCHEMA = f"""
create table event(seq integer primary key autoincrement, id text unique not null,
                   kind text not null, at text not null, body text not null) strict;
create trigger no_update before update on event begin select raise(abort, 'append only'); end;
create trigger no_delete before delete on event begin select raise(abort, 'append only'); end;
pragma application_id = {APPLICATION};
pragma user_version = {VERSION};
"""


class StoreChanged(StoreError):
    """Another process has written since the caller last read: read again and decide anew."""


class ReadOnly(StoreError):
    """The file cannot be written."""


class IdTaken(StoreError):
    """The id of a new event is stored already, with another content."""


@dataclass(frozen=True)
class Event:
    """One event. `seq` and `at` are given by the store."""

    kind: str
    body: Mapping[str, Any]
    id: str
    seq: int = 0
    at: str = ""


def event(kind: str, body: Mapping[str, Any], id: str | None = None) -> Event:
    """A new event, with a fresh id unless the caller has one."""
    if kind not in KINDS:
        raise StoreError(f"{kind!r} is no kind of event; there are: {', '.join(KINDS)}")
    return Event(kind, body, id or uuid.uuid4().hex)


class Store:
    """Events of one campaign, in a file or, without a path, in memory.

    A file is opened for each call and closed again: it can be copied, moved or read by other
    processes at any time.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = None if path is None else Path(path).expanduser()
        self._memory: sqlite3.Connection | None = None
        if self.path is None:
            self._memory = sqlite3.connect(":memory:", isolation_level=None)
            self._closing = weakref.finalize(self, self._memory.close)

    def exists(self) -> bool:
        """Whether there is a campaign already; refuses a file that is something else.

        Raises
        ------
        StoreError
            For a folder, a file of another kind or of a newer version. The file is untouched.
        """
        if self.path is None:
            with self._open() as connection:
                return _tables(connection) == {"event"}
        if self.path.is_dir():
            raise StoreError(f"{self.path} is a folder; name a file in it, such as mill.db")
        if not self.path.parent.is_dir():
            raise StoreError(f"there is no folder {self.path.parent}; make it first")
        try:
            size = self.path.stat().st_size if self.path.exists() else 0
        except OSError as problem:
            raise StoreError(f"{self.path} cannot be read: {problem.strerror}") from None
        if not size:
            return False
        _look(self.path)
        if size < HEAD:
            raise StoreError(f"{self.path} is cut short; {RESTORE}")
        with self._open() as connection:
            if not _number(connection, "page_count"):
                return False  # its creation was cut off, and is undone
            _check_kind(
                self.path,
                _number(connection, "application_id"),
                _number(connection, "user_version"),
            )
            found = _tables(connection)
            if not found:
                return False
            if found != {"event"}:
                raise StoreError(
                    f"{self.path} is a database but no campaign; choose another file name"
                )
        return True

    def create(self, events: Sequence[Event]) -> list[int]:
        """Start a campaign with its first events, in one transaction.

        Raises
        ------
        StoreChanged
            If another process has created it meanwhile.
        """
        if self.exists():
            raise StoreChanged(f"{self.name} exists already; read it")
        with self._transaction() as connection:
            if _tables(connection):
                raise StoreChanged(f"{self.name} has just been created; read it")
            for statement in _statements(_SCHEMA):
                connection.execute(statement)
            return [_insert(connection, e) for e in events]

    def append(self, events: Sequence[Event], after: int | None = None) -> list[int]:
        """Add events, all or none.

        Parameters
        ----------
        events : sequence of Event
            An id that is stored already with the same content is left as it is.
        after : int, optional
            The last sequence number that the caller has seen.

        Returns
        -------
        list of int
            Sequence numbers.

        Raises
        ------
        StoreChanged
            If there are events beyond `after`, or fewer: an older copy has been put in its place.
        IdTaken
            If an id is stored with another content.
        StoreError
            If the file cannot be written.
        """
        with self._transaction() as connection:
            known = [_find(connection, e) for e in events]
            if events and all(seq is not None for seq in known):
                return [seq for seq in known if seq is not None]
            last = connection.execute("select coalesce(max(seq), 0) from event").fetchone()[0]
            if after is not None and last > after:
                raise StoreChanged(f"{self.name} has {last - after} new events; read them")
            if after is not None and last < after:
                raise StoreChanged(_replaced(self.name))
            return [
                _insert(connection, e) if seq is None else seq
                for e, seq in zip(events, known, strict=True)
            ]

    def read(self, after: int = 0, id: str | None = None) -> list[Event]:
        """Events with a sequence number beyond `after`, in order.

        Parameters
        ----------
        after : int
        id : str, optional
            Id of the event `after`, as the caller knows it.

        Raises
        ------
        StoreChanged
            If the event `after` is not there or has another id: another copy has been put in the
            place of the file.
        StoreError
            If the file is missing, of another kind or damaged.
        """
        if not self.exists():
            raise StoreError(f"there is no campaign in {self.name}{self._near()}")
        with self._open() as connection:
            rows = connection.execute(
                "select seq, id, kind, at, iif(seq > ?, body, null) from event where seq >= ? "
                "order by seq",
                (after, after),
            ).fetchall()
        if id is not None and (not rows or rows[0][:2] != (after, id)):
            raise StoreChanged(_replaced(self.name))
        rows = [row for row in rows if row[0] > after]
        try:
            return [Event(kind, json.loads(body), id, seq, at) for seq, id, kind, at, body in rows]
        except ValueError:
            raise StoreError(
                f"{self.name} is damaged: an event cannot be read; {RESTORE}"
            ) from None

    def close(self) -> None:
        """Forget a campaign in memory; a file needs no closing."""
        if self._memory is not None:
            self._closing()

    @property
    def name(self) -> str:
        return "memory" if self.path is None else str(self.path)

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        connection = self._memory
        try:
            if self.path is not None:
                _look(self.path)
                connection = sqlite3.connect(str(self.path), isolation_level=None, timeout=WAIT_S)
                connection.execute("pragma synchronous = full")
            assert connection is not None
            yield connection
        except sqlite3.Error as problem:
            refused = ReadOnly if "readonly" in str(problem) else StoreError
            raise refused(_told(self.name, problem)) from None
        finally:
            if connection is not None and connection is not self._memory:
                connection.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._open() as connection:
            connection.execute("begin immediate")
            try:
                yield connection
                connection.execute("commit")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("rollback")
                raise

    def _near(self) -> str:
        if self.path is None:
            return ""
        from .errors import did_you_mean

        others = [p for p in self.path.parent.iterdir() if p.suffix == self.path.suffix]
        here = [p.name for p in others if p.name != self.path.name]
        near = did_you_mean(self.path.name, here)
        return near if near != "." else "; a Campaign(..., store=...) makes one"


def pack(arrays: Mapping[str, Any]) -> str:
    """Arrays as base64 text of an ``.npz`` file; numbers and text only."""
    clean: dict[str, Any] = {str(k): np.asarray(v) for k, v in arrays.items()}
    for name, array in clean.items():
        if array.dtype == object:
            raise StoreError(f"draws {name!r} hold Python objects; give numbers")
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **clean)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def unpack(text: str) -> dict[str, np.ndarray]:
    """Inverse of `pack`; never unpickles."""
    try:
        with np.load(io.BytesIO(base64.b64decode(text)), allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, binascii.Error) as problem:
        raise StoreError(f"stored draws are damaged: {problem}") from None


def _look(path: Path) -> None:
    """Refuse by the header alone, so that a stranger's file is not even opened by SQLite.

    A process looks once at each path, before its first connection: where it closes a file that it
    has opened itself, the system drops the locks of all its connections to that file.
    """
    place = path.resolve()
    with _LOOKING:
        if place in _LOOKED:
            return
        try:
            with path.open("rb") as file:
                header = file.read(HEAD)
        except FileNotFoundError:
            header = b""
        except OSError as problem:
            raise StoreError(f"{path} cannot be read: {problem.strerror}") from None
        if header:
            _check_header(path, header)
        _LOOKED.add(place)


def _check_header(path: Path, header: bytes) -> None:
    """Refuse a file by its first bytes."""
    if not header.startswith(b"SQLite format 3\0"):
        raise StoreError(f"{path} is no campaign file; choose another name, such as mill.db")
    if len(header) < HEAD:
        raise StoreError(f"{path} is cut short; {RESTORE}")
    if path.with_name(path.name + "-journal").exists():
        return  # another process is writing, or was killed: SQLite must look first
    _check_kind(path, int.from_bytes(header[68:72], "big"), int.from_bytes(header[60:64], "big"))


def _check_kind(path: Path, application: int, version: int) -> None:
    if application != APPLICATION:
        raise StoreError(f"{path} is a database but no campaign; choose another file name")
    if version > VERSION:
        raise StoreError(
            f"{path} was written by a newer ssbayes (file version {version}, this one reads "
            f"{VERSION}); update ssbayes to open it"
        )


def _number(connection: sqlite3.Connection, name: str) -> int:
    """A number that SQLite keeps of the file."""
    return connection.execute(f"pragma {name}").fetchone()[0]


def _tables(connection: sqlite3.Connection) -> set[str]:
    rows = connection.execute(
        "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'"
    )
    return {row[0] for row in rows}


def _statements(script: str) -> Iterator[str]:
    # executescript would commit the running transaction
    statement = ""
    for part in script.split(";"):
        statement += part + ";"
        if sqlite3.complete_statement(statement):
            if statement.strip("; \n"):
                yield statement
            statement = ""


def _text(body: Mapping[str, Any]) -> str:
    return json.dumps(body, sort_keys=True, ensure_ascii=False, allow_nan=False)


def _find(connection: sqlite3.Connection, new: Event) -> int | None:
    row = connection.execute("select seq, kind, body from event where id = ?", (new.id,)).fetchone()
    if row is None:
        return None
    if (row[1], row[2]) != (new.kind, _text(new.body)):
        raise IdTaken(f"event id {new.id!r} is stored already with another content; use a new id")
    return row[0]


def _insert(connection: sqlite3.Connection, new: Event) -> int:
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    cursor = connection.execute(
        "insert into event(id, kind, at, body) values (?, ?, ?, ?)",
        (new.id, new.kind, at, _text(new.body)),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def _replaced(name: str) -> str:
    return f"another copy has been put in the place of {name}; read it again"


def _told(name: str, problem: sqlite3.Error) -> str:
    text = str(problem)
    if "locked" in text or "busy" in text:
        return f"{name} is being written by another process for {WAIT_S:g} s; try again"
    if "readonly" in text or "unable to open" in text:
        return f"{name} cannot be written ({text}); check its folder and permissions"
    if "malformed" in text or "not a database" in text:
        return f"{name} is damaged or no campaign file ({text}); {RESTORE}"
    return f"{name}: {text}"
