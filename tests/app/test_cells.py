"""`ssbayes cells`: a folder in, a table out, faults named, one message on error."""

import importlib.util
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ssbayes.app import cells, cli
from ssbayes.app.cli import main, parser

_spec = importlib.util.spec_from_file_location(
    "simulated_exports", Path(__file__).parents[1] / "data" / "simulated_exports.py")
assert _spec is not None and _spec.loader is not None
sim: Any = importlib.util.module_from_spec(_spec)
sys.modules["simulated_exports"] = sim
_spec.loader.exec_module(sim)


@pytest.fixture(scope="module")
def week(tmp_path_factory):
    return sim.folder(tmp_path_factory.mktemp("week") / "exports", 16)


@pytest.fixture
def words(week):
    return ["cells", str(week.path), "--sheet", str(week.sheet), "--vs", "InLi"]


def test_a_folder_becomes_tables_and_faults_are_named(week, words, tmp_path, capsys):
    out = [str(tmp_path / name) for name in ("table.csv", "cycles.parquet", "faults.csv")]
    assert main([*words, "--out", out[0], "--cycles", out[1], "--faults", out[2]]) == 0
    table: Any = pd.read_csv(out[0])
    named: Any = pd.read_csv(out[2])
    assert (table["status"] == "done").sum() > 40
    assert named.set_index("cell")["fault"].to_dict() == week.faults
    every: Any = pd.read_parquet(out[1])
    assert every["cycle"].max() == 8
    told = capsys.readouterr()
    assert "soft short" in told.out
    assert "2 cells have a fault" in told.out
    assert f"ssbayes fit {out[0]} --model mixing" in told.out
    assert "reading exports ..." in told.err


def test_without_a_file_the_table_is_printed(words, capsys):
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "capacity" in told
    assert "B01-1" in told


def test_a_dash_prints_csv_and_nothing_else(words, capsys):
    assert main([*words, "--out", "-"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("lot,batch,method,cell,")
    assert "fault" not in told.splitlines()[0]


def test_a_long_folder_says_how_far_it_is(capsys):
    with cells.bar("reading") as told:
        for k in range(200):
            told(k + 1, 200, "a")
    assert capsys.readouterr().err.splitlines() == [
        "reading ...", "  50 of 200", "  100 of 200", "  150 of 200", "  200 of 200"]


WRONG = {
    "no folder": (["cells", "nowhere", "--sheet", "{sheet}", "--vs", "InLi"], "no such folder"),
    "no sheet": (["cells", "{folder}", "--sheet", "none.xlsx", "--vs", "InLi"], "no such file"),
    "no counter electrode": (["cells", "{folder}", "--sheet", "{sheet}"], "--vs"),
    "an unknown one": (["cells", "{folder}", "--sheet", "{sheet}", "--vs", "Na"],
                       "'Na' is no counter electrode"),
    "one that the curves contradict": (["cells", "{folder}", "--sheet", "{sheet}", "--vs", "Li"],
                                       "contradict the counter electrode"),
    "a formation below zero": (["cells", "{folder}", "--sheet", "{sheet}", "--vs", "InLi",
                                "--formation", "-1"], "formation is -1"),
    "a sheet that is no sheet": (["cells", "{folder}", "--sheet", "{folder}/bad.csv", "--vs",
                                  "InLi"], "bad.csv"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_a_user_gets_wrong_is_one_message_and_status_two(case, week, capsys):
    (week.path / "bad.csv").write_text("cell\nK1\n", encoding="utf-8")
    given, mend = WRONG[case]
    filled = [w.format(folder=week.path, sheet=week.sheet) for w in given]
    try:
        assert main(filled) == 2
    finally:
        (week.path / "bad.csv").unlink()
    told = capsys.readouterr().err
    assert mend in told
    assert "Traceback" not in told


def test_help_teaches_with_examples_that_are_understood(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["cells", "--help"])
    assert stop.value.code == 0
    told = capsys.readouterr().out
    assert "rate_plan" in told
    examples = [x.strip() for x in cli.CELLS.splitlines() if x.strip().startswith("ssbayes ")]
    assert len(examples) >= 3
    for line in examples:
        words = shlex.split(re.split(r"\s{2,}(?![-\s])", line)[0])
        assert parser().parse_args(words[1:]).command == words[1]
