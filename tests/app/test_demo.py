"""The demo from end to end: the three answers on the terminal, and one page."""

import re

import numpy as np
import pandas as pd
import pytest
from ssbayes import doe, models
from ssbayes.app import demo
from ssbayes.app.cli import main
from ssbayes.models.engine.fitting import before_data


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Folder of one run, and what it printed."""
    import contextlib
    import io

    folder = tmp_path_factory.mktemp("demo")
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main(["demo", "--folder", str(folder)]) == 0
    return folder, " ".join(out.getvalue().split())


def test_it_says_whether_the_data_or_the_prior_speaks(told):
    _, text = told
    assert "J/(g min)" in text
    assert "from the prior: these numbers are what was assumed" in text
    assert "without the published statements" in text


def test_the_split_of_the_loss_is_undetermined_where_nothing_supports_it(told):
    _, text = told
    assert "200 rpm, 5 min, 5 mm: static loss" in text
    assert "600 rpm, 10 min, 5 mm: static loss" in text
    assert "1000 rpm, 20 min, 5 mm: static against kinetic is undetermined" in text
    assert text.count("The single run that would tell most about damage is") == 1


def test_the_run_that_teaches_is_computed_from_the_fit():
    settings = pd.DataFrame({"rpm": [600.0], "milling_min": [10.0], "mill": "Pulverisette 7"})
    prior = before_data(models.get("capacity"), settings, 400, 1)
    known = prior.parameters()
    none = models.Fit.from_draws(prior.model, prior.table, known | {
        "capacity.damage_energy": np.full_like(known["capacity.damage_energy"], 1e9)})
    said = [re.search(r"([\d.]+) nat expected", demo.what_teaches(fit)) for fit in (prior, none)]
    some, nothing = (float(found[1]) for found in said if found)
    assert some > 0.1 > nothing


def test_it_ranks_and_suggests_within_the_rule(told):
    folder, text = told
    assert "is best with probability" in text
    campaign = doe.Campaign.open(folder / "demo.db")
    table = campaign.suggest(4)
    assert len(table) == 4
    assert not ((table["rpm"] >= 800) & (table["milling_min"] > 20)).any()
    assert table["predicted_cell_sd"].gt(0).all()
    assert table["reason"].str.len().gt(0).all()
    for name in table["suggestion"]:
        assert f"{name}:" in text


def test_the_page_holds_all_of_it(told):
    folder, _ = told
    page = (folder / "ssbayes-demo.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 5
    assert page.count("<h2>") == 5
    assert "What do the data say?" in page


def test_the_kept_draws_answer_again(told, monkeypatch, capsys):
    def refuse(*_, **__):
        raise AssertionError("fitted again")

    monkeypatch.setattr("ssbayes.models.engine.fitting.run_fit", refuse)
    folder, _ = told
    assert main(["rank", str(folder / "demo.db")]) == 0
    assert main(["suggest", str(folder / "demo.db")]) == 0
    assert "s0004" in capsys.readouterr().out
