"""Figures and the page: units on the axes, levels on the intervals, nothing from outside."""

import re

import numpy as np
import pandas as pd
import pytest
from ssbayes.app import figures, report, show

SETTINGS = pd.DataFrame({
    "predicted_mean": [160.0, 150.0], "predicted_low": [150.0, 130.0],
    "predicted_high": [170.0, 170.0], "predicted_cell_sd": [4.0, 6.0],
})
LOSSES = pd.DataFrame({
    **{f"{k}{e}": [20.0, 60.0] for k in ("static_loss", "kinetic_loss")
       for e in ("", "_low", "_high")},
    "split": ["determined", "undetermined"],
})


def text(figure) -> str:
    return re.sub(r"<[^>]+>", " ", figures.svg(figure))


def test_axes_carry_units_and_intervals_their_kind_and_level():
    energy = np.geomspace(10, 5000, 8)
    draws = np.random.default_rng(1).normal(150, 5, size=(50, 8))
    readings = pd.DataFrame({"specific_energy_J_g": [500.0], "capacity_mAh_g": [165.0],
                             "label": ["600 rpm"]})
    told = text(figures.capacity_over_energy(energy, draws, readings))
    for word in ["J/g", "mAh/g", "90% equal-tailed", "published"]:
        assert word in told
    assert "simulated" in text(
        figures.capacity_over_energy(energy, draws, readings, simulated=True))


def test_intervals_show_the_next_cell_only_where_asked():
    told = text(figures.intervals(SETTINGS, ["a", "b"], "capacity (mAh/g)"))
    assert "next cell" not in told
    told = text(figures.intervals(SETTINGS, ["a", "b"], "capacity (mAh/g)",
                                  cell_sd="predicted_cell_sd"))
    assert "next cell" in told


def test_an_undetermined_split_is_said_to_be_so():
    assert text(figures.losses(LOSSES, ["a", "b"])).count("undetermined") == 1


def test_the_page_is_one_file_and_points_nowhere(tmp_path):
    section = report.Section("Ranking")
    section.say("A sentence with <angle> brackets.")
    section.table(SETTINGS, "mAh/g")
    section.figure(figures.intervals(SETTINGS, ["a", "b"], "capacity (mAh/g)"), "caption")
    page = report.write(tmp_path / "new" / "page.html", "Title", "Intro", [section], "foot")
    told = page.read_text(encoding="utf-8")
    assert "&lt;angle&gt;" in told
    assert told.count("<svg") == 1
    assert "<script" not in told
    assert "<metadata" not in told
    targets = re.findall(r"""(?:src|href)=["']([^"']*)""", told)
    assert all(target.startswith("#") for target in targets)
    assert not re.search(r"url\((?!#)", told)
    assert list(tmp_path.rglob("*.*")) == [page]


def test_the_page_can_be_read_aloud_and_holds_no_markup_of_the_user(tmp_path):
    section = report.Section("Ranking")
    section.table(SETTINGS.rename(columns={"predicted_mean": "<b>mean"}), "in <mAh/g>")
    figure = figures.probabilities([0.5, 0.5], ["<i>a", "b"], "probability (1)")
    section.figure(figure, 'how "sure" <it> is')
    page = report.write(tmp_path / "page.html", "Title", "Intro", [section], "foot")
    told = page.read_text(encoding="utf-8")
    assert "<caption>in &lt;mAh/g&gt;</caption>" in told
    assert told.count('<th scope="col">') == len(SETTINGS.columns)
    assert '<svg role="img" aria-label="how &quot;sure&quot; &lt;it&gt; is"' in told
    assert not re.search("<b>|<i>|<it>|<mAh", told)


@pytest.mark.parametrize(("value", "told"), [
    (None, "-"), (float("nan"), "-"), (True, "yes"), (np.bool_(False), "no"), (162.888, "162.9"),
    (0.00012, "0.00012"), (4, "4"), ("text", "text"), (123456.0, "1.23e+05"),
])
def test_numbers_have_four_digits_and_what_is_missing_a_dash(value, told):
    assert show.number(value) == told


@pytest.mark.parametrize(("value", "told"), [(12168, "12168"), (1020.5, "1020.5"), ("a", "a")])
def test_what_is_to_be_set_is_shown_as_it_is(value, told):
    assert show.number(value, exact=True) == told
