"""`ssbayes coatings`: rankings of printed values under an assumed noise, in words."""

from typing import Any

import pandas as pd
import pytest
from ssbayes.app.cli import main


@pytest.fixture(autouse=True)
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_printed_values_are_ranked_and_every_answer_names_the_noise(capsys):
    assert main(["coatings", "kissel2025_coatings", "--sd", "0.2"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "by k Coating-06 leads" in told.replace("By k", "by k")
    assert "by R_end Coating-03 leads" in told
    assert "Coating-06 ~ Coating-03" in told
    assert '"Coating-04, Coating-05 are the worst" holds with 95%' in told
    assert "after 7 more cells (one of each)" in told
    assert told.count("The noise is an assumption (sd of ln for one cell: 0.2") == 16


def test_the_table_is_written_with_its_weights(capsys):
    words = ["coatings", "kissel2025_coatings", "--sd", "0.2", "--weight", "growth=1",
             "--weight", "end_resistance=3", "--out", "ranking.csv"]
    assert main(words) == 0
    table: Any = pd.read_csv("ranking.csv").set_index("coating")
    assert "0.25 ln k + 0.75 ln R_end: p_best" in table
    assert table["k: p_best"].idxmax() == "Coating-06"


@pytest.mark.parametrize(("words", "says"), [
    (["kissel2025_coatings", "--sd", "0"], "must be a number above 0"),
    (["kissel2025_coatings", "--sd", "0.2", "--weight", "growth"], "--weight growth=1"),
    (["kissel2025_coatings", "--sd", "0.2", "--weight", "k=1"], "is no quantity of coatings"),
    (["kissel2025_mixing", "--sd", "0.2"], "has no reading of resistance_ohm_cm2 or growth"),
    (["none.csv"], "none.csv"),
])
def test_what_cannot_be_ranked_is_one_message(words, says, capsys):
    assert main(["coatings", *words]) == 2
    told = capsys.readouterr().err
    assert says in told and "Traceback" not in told
