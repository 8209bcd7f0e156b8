"""Figures: axes with units, intervals with their kind and level, simulated data marked as such."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

INK, BLUE, ORANGE, GREY = "#222222", "#2b6cb0", "#c05621", "#888888"
STYLE: Any = {
    "font.size": 9.0, "axes.spines.top": False, "axes.spines.right": False,
    "svg.fonttype": "none", "font.family": "sans-serif",
}


def capacity_over_energy(
    energy: np.ndarray, draws: np.ndarray, readings: pd.DataFrame, level: float = 0.9,
    simulated: bool = False,
) -> Figure:
    """Expected capacity along a path of specific energy, with the readings.

    Parameters
    ----------
    energy
        Specific energy of each setting of the path (J/g), ``(settings,)``.
    draws
        Draws of the mean capacity (mAh/g), ``(draws, settings)``.
    readings
        Columns ``specific_energy_J_g``, ``capacity_mAh_g`` and ``label``.
    level
        Level of the equal-tailed interval.
    simulated
        Whether the readings are simulated; the figure then says so.
    """
    from ..doe.errors import percent

    figure, axes = _axes(6.4, 3.6)
    low, middle, high = np.quantile(draws, [0.5 - level / 2, 0.5, 0.5 + level / 2], axis=0)
    axes.fill_between(energy, low, high, color=BLUE, alpha=0.2, linewidth=0,
                      label=f"{percent(level)} equal-tailed interval of the mean")
    axes.plot(energy, middle, color=BLUE, label="median")
    axes.plot(readings["specific_energy_J_g"], readings["capacity_mAh_g"], "o", color=ORANGE,
              label="simulated readings" if simulated else "published readings")
    groups: Any = readings.groupby(["specific_energy_J_g", "capacity_mAh_g"])
    for place, same in groups:
        right = place[0] > np.sqrt(energy.min() * energy.max())
        axes.annotate(" and\n".join(map(str, same["label"])), place,
                      xytext=(-6 if right else 6, 2), ha="right" if right else "left",
                      textcoords="offset points", fontsize=7, color=GREY)
    axes.set_xscale("log")
    axes.set_xlabel("specific energy of milling, E_m (J/g)")
    axes.set_ylabel("discharge capacity, gross (mAh/g)")
    axes.legend(loc="lower center", fontsize=8, frameon=False)
    return figure


def intervals(
    table: pd.DataFrame, labels: list[str], xlabel: str, level: float = 0.9,
    cell_sd: str | None = None,
) -> Figure:
    """Predicted means with intervals, one line a setting, best on top.

    Parameters
    ----------
    table
        Columns ``predicted_mean``, ``predicted_low``, ``predicted_high``.
    labels
        One for each row.
    xlabel
        Quantity and unit.
    level
        Level of the equal-tailed intervals.
    cell_sd
        Column with the spread of the next cell, drawn as a thin line of plus-minus one sd.
    """
    from ..doe.errors import percent

    figure, axes = _axes(6.4, 0.9 + 0.38 * len(table))
    y = np.arange(len(table))[::-1]
    mean = table["predicted_mean"].to_numpy(dtype=float)
    if cell_sd is not None:
        sd = table[cell_sd].to_numpy(dtype=float)
        axes.hlines(y, mean - sd, mean + sd, color=GREY, linewidth=1,
                    label="next cell, mean ± 1 sd")
    axes.hlines(y, table["predicted_low"], table["predicted_high"], color=BLUE, linewidth=4,
                alpha=0.5, label=f"mean of the setting, {percent(level)} equal-tailed interval")
    axes.plot(mean, y, "o", color=BLUE)
    axes.set_yticks(y, labels)
    axes.set_ylim(-0.6, len(table) + 0.2)
    axes.set_xlabel(xlabel)
    axes.legend(loc="upper left", fontsize=8, ncols=2, bbox_to_anchor=(0.0, 1.2),
                frameon=False)
    return figure


def probabilities(values: Any, labels: list[str], xlabel: str) -> Figure:
    """Probabilities as bars, one a setting."""
    figure, axes = _axes(6.4, 0.9 + 0.3 * len(labels))
    y = np.arange(len(labels))[::-1]
    axes.barh(y, np.asarray(values, dtype=float), color=BLUE, height=0.6)
    axes.set_yticks(y, labels)
    axes.set_xlim(0, 1)
    axes.set_xlabel(xlabel)
    return figure


def losses(table: pd.DataFrame, labels: list[str]) -> Figure:
    """Static and kinetic loss with intervals (mAh/g); an undetermined split is drawn pale."""
    figure, axes = _axes(6.4, 0.9 + 0.55 * len(table))
    y = np.arange(len(table))[::-1]
    for name, shift, colour in (("static_loss", 0.14, BLUE), ("kinetic_loss", -0.14, ORANGE)):
        said = False
        for k, row in enumerate(table.to_dict("records")):
            sure = row["split"] == "determined"
            axes.hlines(y[k] + shift, row[f"{name}_low"], row[f"{name}_high"], color=colour,
                        linewidth=4, alpha=0.6 if sure else 0.2,
                        label=None if said else
                        f"{name.replace('_', ' ')}, 90 % equal-tailed interval")
            said = True
            if sure:
                axes.plot([row[name]], [y[k] + shift], "o", color=colour)
            elif name == "static_loss":
                axes.annotate("split undetermined", (row[f"{name}_high"], y[k]), fontsize=8,
                              xytext=(6, -3), textcoords="offset points", color=GREY)
    axes.set_yticks(y, labels)
    axes.set_ylim(-0.6, len(table))
    axes.set_xlabel("capacity lost against the liquid cell (mAh/g)")
    axes.legend(loc="upper left", fontsize=8, ncols=2, bbox_to_anchor=(0.0, 1.2),
                frameon=False)
    return figure


def svg(figure: Figure) -> str:
    """A figure as SVG text to be put into a page; nothing in it points outside."""
    import matplotlib as mpl

    made = io.StringIO()
    with mpl.rc_context({**STYLE, "svg.hashsalt": "ssbayes"}):
        figure.savefig(made, format="svg", bbox_inches="tight", metadata={"Date": None})
    text = made.getvalue()
    return re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg"):], flags=re.DOTALL)


def _axes(width: float, height: float) -> tuple[Figure, Any]:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height))
        axes = figure.add_subplot()
    axes.tick_params(colors=INK)
    return figure, axes
