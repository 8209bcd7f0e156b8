"""`ssbayes utilization`: its sentences, a page, and errors as one message."""

import pytest
from ssbayes.app.cli import main
from ssbayes.doe import virtual_titration as virtual

SAID = ["--mass-mg", "9.00", "--mass-sd-mg", "0.1", "--reference-mass-mg", "5.25",
        "--reference-mass-sd-mg", "0.09"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("titration")
    case = virtual.simulate("constant", 11)
    case.cell.to_csv(folder / "cell.txt", sep="\t", index=False)
    case.reference.to_csv(folder / "ref.txt", sep="\t", index=False)
    return [str(folder / "cell.txt"), "--reference", str(folder / "ref.txt")]


def test_a_page_and_the_sentences(files, tmp_path, capsys):
    page = tmp_path / "page.html"
    assert main(["utilization", *files, "--vs", "Li", *SAID, "--out", str(page)]) == 0
    told = capsys.readouterr().out
    assert "90 % interval" in told
    assert "windows" in told
    text = page.read_text(encoding="utf-8")
    assert "<svg" in text
    assert "simulated cell, per connected gram" in text
    assert "The cell is simulated." in text


def test_stepwise_needs_no_sampler(files, capsys):
    assert main(["utilization", *files, "--vs", "Li", *SAID, "--method", "stepwise"]) == 0
    assert "step by step" in capsys.readouterr().out


@pytest.mark.parametrize(("change", "says"), [
    (["--vs", "InLi"], "contradicts the curve"),
    (["--vs", "Li", "--mass-mg", "0"], "mass_mg is 0"),
    (["--vs", "Li", "--out", "page.docx"], "its ending is none of"),
    (["--vs", "Li", "--method", "stepwise", "--out", "a.png"], "leave it out"),
])
def test_what_cannot_be_is_one_message(files, change, says, capsys):
    assert main(["utilization", *files, *SAID, *change]) == 2
    assert says in capsys.readouterr().err


def test_the_counter_electrode_has_no_default(files, capsys):
    with pytest.raises(SystemExit):
        main(["utilization", *files, *SAID])
    assert "--vs" in capsys.readouterr().err
