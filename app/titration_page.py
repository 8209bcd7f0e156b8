"""What a titration says as tables, as a picture, and as one self-contained page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import figures, report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..models.titrated import Utilization


def percent(table: Any, names: tuple[str, ...]) -> Any:
    """The table with shares as per cent, their columns renamed."""
    made = table.copy()
    for name in names:
        made[name] = 100 * made[name]
    return made.rename(columns={name: f"{name} (%)" for name in names})


def tables(found: Utilization) -> list[tuple[Any, str]]:
    """Tables of an evaluation with their titles."""
    steps = percent(found.steps, ("utilization", "low", "high", "low_all", "high_all"))
    steps["published (+)"] = 100 * found.stepwise["plus"]
    steps["published (-)"] = 100 * found.stepwise["minus"]
    shown = [(steps.drop(columns="median").reset_index(),
              "steps: direct ratio; 90 % interval of each (low, high) and of all at once (_all) "
              "under joint errors; with_next: correlation with the next step; the published bars"),
             (percent(found.windows, ("direct", "utilization", "sd", "sd_total")),
              "windows: least squares (sd without and with masses), chi-square test of constancy, "
              "weight among the compatible ones")]
    if found.record is not None:
        shown.append((found.record, "relaxed points of the table and of the record"))
    return shown


def simulated(found: Utilization) -> bool:
    """Whether the points of the cell are simulated."""
    return "kind" in found.points and set(found.points["kind"]) == {"simulated"}


def picture(found: Utilization) -> Figure:
    """Reference curve with its band and the cell's points; below, steps with their intervals."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(figures.STYLE):
        figure = Figure(figsize=(6.4, 6.2))
        top, bottom = figure.subplots(2, 1, sharex=True, gridspec_kw={"hspace": 0.35})
    first, last = found.window_steps
    points, curve = found.points, found.curve
    u = points["relaxed_V"].to_numpy(float)
    grid = np.linspace(max(u[0] - 0.03, curve.potential[0]), u[-1] + 0.03, 300)
    down, up = curve.band(grid)
    q = curve.charge(grid)
    top.fill_between(grid, q - down, q + up, color=figures.BLUE, alpha=0.2, linewidth=0,
                     label="largest stated error of the reference")
    top.plot(grid, q, color=figures.BLUE, label="reference")
    gram = points["charge_mAh"].to_numpy(float) / points["active_mass_mg"].to_numpy(float) * 1e3
    inside = slice(first - 1, last + 1)
    shift = (points["reference_mAh_g"].to_numpy(float)[inside].mean()
             - gram[inside].mean() / found.measured.value)
    top.plot(u, gram / found.measured.value + shift, "o", color=figures.ORANGE,
             label=f"{'simulated ' if simulated(found) else ''}cell, per connected gram")
    top.set_ylabel("charge (mAh/g)")
    top.legend(frameon=False, fontsize=8, loc="upper left")
    steps = found.steps
    middle = (steps["from_V"] + steps["to_V"]) / 2
    bottom.hlines(100 * steps["utilization"], steps["from_V"], steps["to_V"],
                  color=figures.ORANGE, label="step, direct ratio")
    bottom.vlines(middle, 100 * steps["low"], 100 * steps["high"], color=figures.ORANGE, alpha=0.5,
                  linewidth=3, label="90 % interval, joint errors")
    bottom.fill_between(found.window, 100 * found.low, 100 * found.high, color=figures.BLUE,
                        alpha=0.25, linewidth=0,
                        label="window mean, 90 % equal-tailed interval (at most 100 %)")
    bottom.set_xlabel("relaxed potential (V vs Li+/Li)")
    bottom.set_ylabel("utilization (%)")
    bottom.legend(frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0.0, 1.0))
    for axes in (top, bottom):
        axes.tick_params(colors=figures.INK)
    return figure


def page(found: Utilization, path: Path, name: str) -> Path:
    """One self-contained page."""
    says = report.Section("What the titration says")
    for sentence in found.sentences:
        says.say(sentence)
    for note in found.notes:
        says.say(f"Note: {note}.")
    drawn = report.Section("Curve and steps")
    drawn.figure(picture(found), "Points of the cell are scaled by the utilization of the window.")
    numbers = report.Section("Numbers")
    for table, title in tables(found):
        numbers.table(table, title)
    if len(found.explanations):
        numbers.table(found.explanations, "Why it may drift, and what tells the causes apart")
    kind = " The cell is simulated." if simulated(found) else ""
    return report.write(path, f"Static utilization of {name}", "Coulometric titration against a "
                        f"reference cell, all relaxed points at once.{kind}",
                        [says, drawn, numbers], "Intervals are 90 % equal-tailed.")
