"""The command line, on campaigns without physics: words in, tables out, one message on error."""

import json
import re
import shlex
import subprocess
import sys

import pandas as pd
import pytest
from ssbayes import doe
from ssbayes.app import cli
from ssbayes.app.cli import main, parser

BEGIN = ["suggest", "--store", "plain.db", "--space", "milling", "--maximize", "my_score",
         "--unit", "1"]
COMMANDS = ["catalog", "fit", "suggest", "record", "rows", "withdraw", "rank", "demo"]


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def recorded(in_folder, capsys):
    """A campaign file with three results."""
    assert main([*BEGIN, "-n", "3", "--out", "next.csv"]) == 0
    table = pd.read_csv("next.csv")
    table["my_score"] = [1.0, 2.0, 1.5]
    table.to_csv("next.csv", index=False)
    assert main(["record", "plain.db", "next.csv"]) == 0
    capsys.readouterr()
    return in_folder / "plain.db"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_with_examples(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    told = capsys.readouterr().out
    assert "example" in told
    assert f"ssbayes {command}" in told


def test_without_a_command_the_three_questions_are_shown(capsys):
    assert main([]) == 0
    told = capsys.readouterr().out
    for command in COMMANDS:
        assert command in told
    assert "what should I run next?" in told


def test_help_loads_no_room():
    code = ("import sys; from ssbayes.app.cli import parser; parser().format_help(); "
            "print([m for m in ('pandas', 'numpy', 'rich') if m in sys.modules])")
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


@pytest.mark.parametrize("text", [getattr(cli, name.upper()) for name in COMMANDS])
def test_examples_in_the_help_are_understood(text):
    lines = [line.strip() for line in text.replace("\\\n", " ").splitlines()]
    examples = [line for line in lines if line.startswith("ssbayes ")]
    assert examples
    for line in examples:
        words = shlex.split(re.split(r"\s{2,}(?![-\s])", line)[0])
        assert parser().parse_args(words[1:]).command == words[1]


def test_catalog_lists_models_and_tables_and_shows_one(capsys):
    assert main(["catalog"]) == 0
    told = capsys.readouterr().out
    for name in ["capacity", "mixing", "kissel2025_mixing"]:
        assert name in told
    assert main(["catalog", "capacity"]) == 0
    assert "milling_min" in capsys.readouterr().out
    assert main(["catalog", "kissel2025_mixing", "--out", "mixing.csv"]) == 0
    assert len(pd.read_csv("mixing.csv")) == 9


def test_suggestions_make_the_round_from_file_to_file(recorded, capsys):
    assert main(["rank", "plain.db", "--out", "ranking.csv"]) == 0
    ranking = pd.read_csv("ranking.csv")
    assert len(ranking) == 3
    assert ranking["p_best"].sum() == pytest.approx(1.0)
    assert ranking["predicted_mean"].is_monotonic_decreasing
    told = " ".join(capsys.readouterr().out.split())
    assert "best with probability" in told
    assert "cannot be told apart" in told  # what the belief notes


def test_many_columns_are_not_squeezed_into_one_table(recorded, capsys, monkeypatch):
    monkeypatch.setattr("ssbayes.app.commands.WIDE", 3)
    monkeypatch.setattr("ssbayes.app.commands.ALWAYS", ())
    assert main(["rows", "plain.db"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "3 rows recorded" in told and "not shown: " in told and "--out FILE.csv" in told


def test_a_result_is_listed_and_taken_back(recorded, capsys):
    assert main(["rows", "plain.db", "--out", "rows.csv"]) == 0
    listed = pd.read_csv("rows.csv")
    assert listed["row"].tolist() == [0, 1, 2]
    assert main(["withdraw", "plain.db", "1", "--reason", "balance not tared"]) == 0
    assert "1 row taken back" in capsys.readouterr().out
    assert main(["rows", "plain.db"]) == 0
    assert "2 rows" in capsys.readouterr().out
    assert main(["withdraw", "plain.db", "s0009"]) == 2
    assert "no suggestion of this campaign" in capsys.readouterr().err


def test_suggestions_asked_again_are_the_same(capsys):
    assert main([*BEGIN, "-n", "2", "--out", "-"]) == 0
    first = capsys.readouterr().out
    assert main(["suggest", "plain.db", "-n", "2", "--out", "-"]) == 0
    assert capsys.readouterr().out == first
    assert first.splitlines()[0].startswith("suggestion,rpm,milling_min,bead_mm,predicted_mean")


def test_an_option_that_differs_from_the_file_is_an_error(capsys):
    assert main(BEGIN) == 0
    capsys.readouterr()
    assert main(["suggest", "plain.db", "--seed", "2"]) == 2
    assert "seed: the file has 1, now 2" in capsys.readouterr().err
    assert main([*BEGIN, "--seed", "1"]) == 0


@pytest.mark.parametrize(("wanted", "again"), [
    ({"target": {"visc": 1.5}, "require": {"yield_wt >= 0.9": 0.9}}, []),
    ({"maximize": "visc", "minimize": "porosity", "cost": "1 + rpm"}, ["--maximize", "visc"]),
    ({"minimize": "visc", "robust": 1.0, "prices": doe.Prices(run=2.0)}, ["--minimize", "visc"]),
])  # fmt: skip
def test_further_goals_of_the_file_stay_what_they_are(wanted, again, in_folder, capsys):
    space = doe.Space([doe.Real("rpm", 200, 1000), doe.Choice("bead_mm", [3, 5])])
    doe.Campaign(space, store="t.db", unit="1", seed=1, **wanted)
    (in_folder / "space.json").write_text(json.dumps(space.to_dict()), encoding="utf-8")
    said = ["suggest", "t.db", "-n", "1", "--space", "space.json", *again]
    assert main(said) == 0
    capsys.readouterr()
    assert main([*said, "--fixed", "c_rate=0.1"]) == 2
    told = capsys.readouterr().err
    assert "c_rate" in told and "goals" not in told, told
    assert main([*said[:6], "--maximize", "other"]) == 2
    assert "goals" in capsys.readouterr().err


def test_a_seed_below_zero_is_refused(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["coatings", "kissel2025_coatings", "--sd", "0.2", "--seed", "-1"])
    assert stop.value.code == 2
    assert "-1 must be a whole number of 0 or more" in capsys.readouterr().err


def test_before_any_result_nothing_is_said_to_be_predicted(capsys):
    assert main(BEGIN) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "nothing is predicted before results are recorded" in told
    assert "predicted_" not in told


def test_an_outcome_of_ones_own_is_named_with_its_unit(capsys):
    campaign = doe.Campaign(doe.Space([doe.Real("rpm", 200, 1000)]), store="peel.db", seed=1,
                            maximize="peel_force", unit="N/m", initial=0)
    campaign.record(pd.DataFrame({"rpm": [300.0, 500.0, 800.0], "peel_force": [4.0, 6.0, 5.0]}))
    assert main(["suggest", "peel.db", "-n", "1"]) == 0
    assert "predicted peel_force (N/m);" in " ".join(capsys.readouterr().out.split())
    assert main(["rank", "peel.db"]) == 0
    assert "peel_force (N/m), best first" in " ".join(capsys.readouterr().out.split())


def test_a_space_from_a_file(in_folder):
    text = ('{"factors": [{"kind": "Real", "name": "rpm", "low": 200, "high": 1000}, '
            '{"kind": "Choice", "name": "bead_mm", "values": [3, 5]}], '
            '"forbidden": ["rpm > 900 and bead_mm == 5"]}')
    (in_folder / "space.json").write_text(text, encoding="utf-8")
    assert main(["suggest", "--store", "a.db", "--space", "space.json", "--maximize", "score",
                 "--unit", "1", "--out", "next.csv"]) == 0
    assert doe.Campaign.open("a.db").space.names == ["rpm", "bead_mm"]
    assert len(pd.read_csv("next.csv")) == 4


WRONG = {
    "no store": (["suggest"], "--store mill.db"),
    "a store that is not there": (["rank", "nothere.db"], "no campaign at nothere.db"),
    "no space": (["suggest", "--store", "new.db"], "--space milling"),
    "a misspelt space": (["suggest", "--store", "n.db", "--space", "miling", "--maximize", "x"],
                         "--space miling"),
    "a broken space": (["suggest", "--store", "n.db", "--space", "bad.json", "--maximize", "x"],
                       "bad.json is no JSON"),
    "a misspelt part of a space": (
        ["suggest", "--store", "n.db", "--space", "odd.json", "--maximize", "x"],
        "did you mean 'forbidden'"),
    "a space file that is missing": (
        ["suggest", "--store", "n.db", "--space", "none.json", "--maximize", "x"], "none.json"),
    "a constant without a value": (
        ["suggest", "--store", "n.db", "--space", "milling", "--maximize", "x", "--fixed", "c"],
        "COLUMN=VALUE"),
    "an unknown model": (
        ["suggest", "--store", "n.db", "--space", "milling", "--maximize", "capacity_mAh_g",
         "--model", "capcity"], "did you mean 'capacity'"),
    "a factor that the model lacks": (
        ["suggest", "--store", "n.db", "--space", "milling", "--maximize", "capacity_mAh_g",
         "--model", "mixing"], "needs c_rate"),
    "a missing table": (["fit", "none.csv"], "none.csv"),
    "a misspelt literature table": (["fit", "kissel2025_mixin"], "'kissel2025_mixing'"),
    "a column that keeps nothing apart": (["fit", "kissel2025_mixing", "--model", "mixing",
                                           "--pool", "nix"], "pool='nix' is no column"),
    "coatings without a reading": (["coatings", "kissel2025_mixing"], "has no reading of"),
    "a fit file of another kind": (["fit", "kissel2025_mixing", "--save", "fit.txt"], ".nc"),
    "an unknown name": (["catalog", "capacty"], "did you mean 'capacity'"),
    "a file that is no campaign": (["rank", "bad.json"], "bad.json"),
    "no number of suggestions": (
        ["suggest", "--store", "n.db", *BEGIN[3:], "-n", "0"], "n=0"),
    "a folder that is missing": (["catalog", "--out", "nowhere/t.csv"], "nowhere"),
    "a fit into a folder that is missing": (
        ["fit", "kissel2025_mixing", "--save", "nowhere/f.nc"], "make it first"),
    "a new campaign with suggestions into a folder that is missing": (
        ["suggest", "--store", "n.db", *BEGIN[3:], "--out", "nowhere/t.csv"], "make it first"),
    "a constraint that nothing satisfies": (
        ["suggest", "--store", "n.db", "--space", "empty.json", "--maximize", "score", "--unit",
         "1"], "rpm > 100"),
    "a rule on an unknown factor": (
        ["suggest", "--store", "n.db", "--space", "strange.json", "--maximize", "score", "--unit",
         "1"], "did you mean 'rpm'"),
    "an outcome that is nearly a known one": (
        ["suggest", "--store", "n.db", "--space", "milling", "--maximize", "capacity"],
        "did you mean 'capacity_mAh_g'? If it is one of yours, say its unit with --unit"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_a_user_gets_wrong_is_one_message_and_status_two(case, in_folder, capsys):
    (in_folder / "bad.json").write_text("{not json", encoding="utf-8")
    (in_folder / "odd.json").write_text('{"factors": [{"kind": "Real", "name": "rpm", "low": 200, '
                                        '"high": 1000}], "forbiden": ["rpm > 900"]}')
    for name, rule in (("empty", "rpm > 100"), ("strange", "rmp > 900")):
        (in_folder / f"{name}.json").write_text(
            '{"factors": [{"kind": "Real", "name": "rpm", "low": 200, "high": 1000}], '
            f'"forbidden": ["{rule}"]}}')
    words, mend = WRONG[case]
    assert main(words) == 2
    told = capsys.readouterr().err
    assert mend in told
    assert "Traceback" not in told
    assert not (in_folder / "n.db").exists()


ROWS = {
    "text in a number": ("suggestion,my_score\ns0004,high\n", "row 2"),
    "an unknown suggestion": ("suggestion,my_score\ns0099,1.0\n", "s0099"),
    "a negative time": ("rpm,milling_min,bead_mm,my_score\n400,-5,5,1.0\n", "milling_min"),
    "an unknown column": ("rpm,miling_min,bead_mm,my_score\n400,5,5,1.0\n", "milling_min"),
    "a missing column": ("rpm,bead_mm,my_score\n400,5,1.0\n", "milling_min"),
    "a unit in the wrong column": (
        "rpm,milling_min,bead_mm,my_score\n400,18000,5,1.0\n", "seconds, write 300"),
    "a duplicate cell": (
        "suggestion,cell,my_score\ns0001,a,1.0\ns0001,a,1.2\n", "one reading of cell 'a'"),
    "an empty file": ("", "empty"),
    "no table": ("\x00\x01\x02", "n.csv"),
    "an unknown suggestion below empty lines": (
        "suggestion,my_score\n\n\ns0001,1.0\n,\ns0099,1.0\n", "row 6, column 'suggestion'"),
    "a missing setting below a line for Excel": (
        "sep=,\nrpm,milling_min,bead_mm,my_score\n400,,5,1.0\n", "row 3, column 'milling_min'"),
}


@pytest.mark.parametrize("case", ROWS)
def test_a_wrong_table_leaves_the_campaign_as_it_was(case, recorded, capsys):
    text, place = ROWS[case]
    (recorded.parent / "n.csv").write_text(text, encoding="utf-8")
    before = recorded.read_bytes()
    assert main(["record", "plain.db", "n.csv"]) == 2
    told = capsys.readouterr().err
    assert place in told
    assert "Traceback" not in told
    assert recorded.read_bytes() == before


def test_results_are_not_recorded_when_their_table_cannot_be_written(recorded, capsys):
    (recorded.parent / "n.csv").write_text("suggestion,my_score\ns0001,1.3\n", encoding="utf-8")
    before = recorded.read_bytes()
    assert main(["record", "plain.db", "n.csv", "--out", "nowhere/t.csv"]) == 2
    assert "make it first" in capsys.readouterr().err
    assert recorded.read_bytes() == before


def test_a_campaign_without_results_has_no_rows_to_list(capsys):
    assert main([*BEGIN, "-n", "1"]) == 0
    assert main(["rows", "plain.db"]) == 2
    assert "nothing is recorded in plain.db yet" in capsys.readouterr().err


def test_a_mistake_of_the_program_keeps_its_traceback(monkeypatch):
    import json

    from ssbayes.app import commands

    monkeypatch.setattr(commands, "existing", lambda store: json.loads("{"))
    with pytest.raises(ValueError, match="Expecting"):
        main(["rank", "plain.db"])


def test_the_module_runs_as_a_command():
    told = subprocess.run([sys.executable, "-m", "ssbayes.app", "--version"], capture_output=True,
                          text=True, check=True)
    assert told.stdout.startswith("ssbayes ")
