"""The campaign file: nothing that was acknowledged is lost, nothing is half-written."""

import base64
import io
import shutil
import sqlite3
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from ssbayes import doe
from ssbayes.doe.store import Event, IdTaken, Store, StoreChanged, event, pack, unpack


def declared(path=None) -> Store:
    store = Store(path)
    store.create([event("declare", {"declaration": {}})])
    return store


@pytest.fixture(params=["file", "memory"])
def store(request, tmp_path):
    made = declared(tmp_path / "mill.db" if request.param == "file" else None)
    yield made
    made.close()


def test_events_come_back_in_order(store):
    seqs = store.append([event("note", {"text": "a"}), event("note", {"text": "µ ü"})])
    assert seqs == [2, 3]
    assert [e.body.get("text") for e in store.read(after=1)] == ["a", "µ ü"]
    assert all(e.at.endswith("+00:00") for e in store.read())


def test_a_retry_with_the_same_ids_is_harmless(store):
    new = [event("record", {"rows": []}), event("note", {})]
    first = store.append(new, after=1)
    store.append([event("note", {"text": "meanwhile"})])
    assert store.append(new, after=1) == first
    assert len(store.read()) == 4


def test_an_id_with_another_content_is_refused(store):
    known = event("note", {"text": "a"})
    store.append([known])
    with pytest.raises(IdTaken, match="use a new id"):
        store.append([event("note", {}), Event("note", {"text": "b"}, known.id)])
    assert len(store.read()) == 2


def test_an_append_after_a_change_is_refused_as_a_whole(store):
    store.append([event("note", {})])
    with pytest.raises(StoreChanged, match="1 new events"):
        store.append([event("note", {}), event("note", {})], after=1)
    assert len(store.read()) == 2


def test_two_who_read_and_then_write_lose_nothing_of_each_other(tmp_path):
    """Each counts on from what it read; another toolkit's default would let both write the same."""
    path, wrong = tmp_path / "mill.db", []
    declared(path).close()
    start = threading.Barrier(2)

    def count() -> None:
        try:
            store = Store(path)
            start.wait()
            for _ in range(15):
                while True:
                    seen = store.read()
                    try:
                        store.append([event("note", {"i": len(seen)})], after=seen[-1].seq)
                        break
                    except StoreChanged:
                        continue
            store.close()
        except BaseException as problem:
            wrong.append(problem)
            raise

    both = [threading.Thread(target=count) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert not wrong
    notes = [e.body["i"] for e in Store(path).read() if e.kind == "note"]
    assert notes == list(range(1, 31))


OTHER = """
import sqlite3, sys
try:
    sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None).execute("begin immediate")
    print("free")
except sqlite3.OperationalError as problem:
    print(problem)
"""


def test_a_look_at_the_file_leaves_the_locks_of_its_process(tmp_path):
    """Closing a file drops every lock that the process holds on it, those of SQLite too."""
    path = tmp_path / "mill.db"
    declared(path)
    (tmp_path / "link.db").symlink_to(path)

    def other() -> str:
        done = subprocess.run(
            [sys.executable, "-c", OTHER, str(path)], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    assert other() == "free"
    with Store(path)._transaction():
        assert Store(path).exists() and Store(tmp_path / "link.db").exists()
        assert len(Store(path).read()) == 1
        assert other() == "database is locked"


def test_an_older_copy_in_the_place_of_a_file_is_noticed(tmp_path):
    path = tmp_path / "mill.db"
    store = declared(path)
    shutil.copy(path, tmp_path / "stick.db")
    seen = [*store.read(), event("note", {"i": 1}), event("note", {"i": 2})]
    store.append(seen[1:], after=1)
    assert [e.seq for e in store.read(2, seen[1].id)] == [3]
    shutil.copy(tmp_path / "stick.db", path)
    with pytest.raises(StoreChanged, match="another copy"):
        store.append([event("note", {})], after=3)
    with pytest.raises(StoreChanged, match="another copy"):
        store.read(3, seen[2].id)
    Store(path).append([event("note", {"i": k}) for k in (3, 4)], after=1)
    with pytest.raises(StoreChanged, match="another copy"):  # as many events, but others
        store.read(3, seen[2].id)
    assert [e.body.get("i") for e in store.read()] == [None, 3, 4]


def test_a_body_that_is_no_json_leaves_nothing_behind(store):
    with pytest.raises(ValueError, match="JSON"):
        store.append([event("note", {}), event("note", {"x": float("nan")})])
    assert len(store.read()) == 1


def test_events_are_neither_changed_nor_removed(tmp_path):
    store = declared(tmp_path / "mill.db")
    connection = sqlite3.connect(tmp_path / "mill.db")
    for order in ("delete from event", "update event set body = '{}'"):
        with pytest.raises(sqlite3.IntegrityError, match="append only"):
            connection.execute(order)
    connection.close()
    assert len(store.read()) == 1


def test_an_unknown_kind_is_refused():
    with pytest.raises(doe.StoreError, match="no kind of event"):
        event("delete", {})


def test_a_copied_file_is_whole(tmp_path):
    store = declared(tmp_path / "mill.db")
    for i in range(20):
        store.append([event("note", {"i": i})])
        shutil.copy(tmp_path / "mill.db", tmp_path / "stick.db")
        assert len(Store(tmp_path / "stick.db").read()) == i + 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mill.db", "stick.db"]


WRITER = """
import sys
from ssbayes.doe.store import Store, event
store = Store(sys.argv[1])
for i in range(10_000):
    store.append([event("note", {"i": i, "part": k}) for k in range(3)])
    print(i, flush=True)
"""


@pytest.mark.parametrize("patience", [0.05, 0.2])
def test_killed_while_writing_it_keeps_what_was_acknowledged(tmp_path, patience):
    path = tmp_path / "mill.db"
    declared(path)
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == "0\n"
    time.sleep(patience)
    writer.kill()
    acknowledged = [0, *map(int, writer.stdout.read().split())]
    writer.wait()
    writer.stdout.close()
    notes = [e.body for e in Store(path).read() if e.kind == "note"]
    assert len(notes) % 3 == 0
    assert {b["i"] for b in notes} >= set(acknowledged)
    assert Store(path).append([event("note", {})]) == [len(notes) + 2]


@pytest.mark.parametrize("what", ["text", "picture", "database", "newer", "cut", "folder"])
def test_what_is_no_campaign_is_refused_and_untouched(tmp_path, what):
    path = tmp_path / "mill.db"
    messages = {
        "text": "no campaign file",
        "picture": "no campaign file",
        "database": "a database but no campaign",
        "newer": "newer ssbayes",
        "cut": "damaged",
        "folder": "is a folder",
    }
    if what == "text":
        path.write_text("rpm,capacity\n600,165\n", encoding="utf-8")
    elif what == "picture":
        path.write_bytes(b"\x89PNG" + bytes(200))
    elif what == "folder":
        path.mkdir()
    elif what == "database":
        with sqlite3.connect(path) as connection:
            connection.execute("create table stock(id integer)")
        connection.close()
    else:
        declared(path).append([event("note", {"text": "x" * 20_000})])
        if what == "cut":
            path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 9000)
        else:
            connection = sqlite3.connect(path)
            connection.execute("pragma user_version = 99")
            connection.close()
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(doe.StoreError, match=messages[what]):
        Store(path).read()
    with pytest.raises(doe.StoreError, match=messages[what]):
        doe.Campaign(doe.spaces.milling(), maximize="capacity_mAh_g", store=path)
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_file_cut_in_its_head_says_so_and_an_empty_one_is_no_near_name(tmp_path):
    declared(tmp_path / "mill.db")
    whole = (tmp_path / "mill.db").read_bytes()
    (tmp_path / "mill.db").write_bytes(whole[:50])
    with pytest.raises(doe.StoreError, match="cut short; nothing was written to it"):
        doe.Campaign.open(tmp_path / "mill.db")
    (tmp_path / "mill.db").write_bytes(b"")
    with pytest.raises(doe.StoreError, match=r"store=\.\.\.\) makes one"):
        doe.Campaign.open(tmp_path / "mill.db")


def test_a_missing_file_or_folder_is_named(tmp_path):
    declared(tmp_path / "mill.db")
    with pytest.raises(doe.StoreError, match=r"did you mean 'mill\.db'"):
        doe.Campaign.open(tmp_path / "mil.db")
    with pytest.raises(doe.StoreError, match="no folder"):
        Store(tmp_path / "nowhere" / "mill.db").exists()


def test_draws_come_back_and_nothing_is_unpickled():
    draws = {"a": np.arange(6.0).reshape(2, 3), "names": np.array(["x", "y"])}
    back = unpack(pack(draws))
    assert back["a"].tolist() == draws["a"].tolist()
    assert back["names"].tolist() == ["x", "y"]
    with pytest.raises(doe.StoreError, match="Python objects"):
        pack({"a": np.array([{}], dtype=object)})
    buffer = io.BytesIO()
    np.savez(buffer, a=np.array([{}], dtype=object))
    with pytest.raises(doe.StoreError, match="damaged"):
        unpack(base64.b64encode(buffer.getvalue()).decode())["a"]
    with pytest.raises(doe.StoreError, match="damaged"):
        unpack("bm8gemlw")
