"""The three questions answered on published data: fit, rank, suggest; and one page of it all."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import figures, report, show

if TYPE_CHECKING:
    import pandas as pd

    from ..doe import Campaign
    from ..models import Fit

TABLE = "frankenberg2025_milling"
FIXED: Mapping[str, Any] = {"c_rate": 0.1, "filling": 0.5, "mill": "Pulverisette 7"}
SPLIT_AT = [
    {"rpm": 200.0, "milling_min": 5.0}, {"rpm": 600.0, "milling_min": 10.0},
    {"rpm": 1000.0, "milling_min": 20.0},
]
"""Published settings of E_m = 10, 500 and 4700 J/g, 5 mm beads."""
DAMAGE = [f"capacity.{name}" for name in (
    "damage_energy", "damage_stress_energy_exponent", "damage_stress_number_exponent",
    "crack_exponent", "static_damage_share")]
RUNS = {"rpm": (200.0, 300.0, 400.0, 600.0, 800.0, 1000.0),
        "milling_min": (5.0, 10.0, 20.0, 60.0, 300.0), "bead_mm": (1.75, 3.0, 5.0)}
"""Runs among which the one is looked for that tells most about damage."""
INTERVAL = "90 % equal-tailed interval"


def run(folder: Path, *, statements: bool = False, seed: int = 1) -> Path:
    """Print the answers and write the page.

    Parameters
    ----------
    folder
        Where ``ssbayes-demo.html`` and the campaign file go.
    statements
        Whether the fit uses published statements on the optimum.
    seed
        Seed of the fit and the campaign.

    Returns
    -------
    Path
        The page.
    """
    from .. import doe

    start = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    name = "demo-statements.db" if statements else "demo.db"
    campaign = doe.Campaign(
        doe.spaces.milling(), maximize="capacity_mAh_g", fixed=FIXED, model="capacity",
        store=folder / name, seed=seed, options={"statements": True} if statements else None)
    sections = [
        *what_the_data_say(statements, seed),
        how_sure(campaign),
        what_next(campaign, folder / name),
        mixing(seed),
    ]
    page = report.write(
        folder / "ssbayes-demo.html", "What published milling and mixing data say",
        "Capacities are per gram of active material weighed in (gross), at 0.1C. Numbers were "
        "typed from two papers, each with its line; none was read off a figure. No reading is "
        "simulated.",
        sections, "Sources: Frankenberg et al., Small (2025), doi 10.1002/smll.202507279; Kissel "
        "et al., Adv. Energy Mater. (2025) 2405405, doi 10.1002/aenm.202405405.")
    show.say(f"\n{time.perf_counter() - start:.0f} s. The page with the figures: {page}")
    return page


def what_the_data_say(statements: bool, seed: int) -> list[report.Section]:
    """Fit milling and capacity; parameters, losses, the place of the optimum."""
    from .. import data, models
    from ..models.capacity import losses
    from ..models.optimum import optimum

    table: Any = data.load(TABLE)
    kind, capacity = table["kind"], table["capacity_mAh_g"]
    opening = (
        f"{TABLE}: {int(kind.eq('measured').sum())} milling runs, of which the paper prints a "
        f"capacity for {int(capacity.notna().sum())}; the others have it in figures only. "
        f"{int(kind.eq('statement').sum())} published statements are "
        f"{'used' if statements else 'not used (ssbayes demo --statements uses them)'}.")
    section = _open("1. What do the data say?", opening)
    with show.working("fitting milling and capacity"):
        # so few readings leave a curved posterior: a longer warm-up is quicker than a second try
        fit = models.get("capacity").fit(table, seed=seed, statements=statements, tune=1000)
        summary = fit.summary().reset_index()
        split = losses(fit, _settings(SPLIT_AT))
        best = optimum(fit)
        teaching = what_teaches(fit)
        figure = _capacity_figure(fit, table)
    _parameters(summary, section)
    for sentence in fit.convergence.sentences:
        _say(section, sentence)
    section.figure(figure, f"Median and {INTERVAL} of the mean capacity, speed and time rising "
                   "together from 200 rpm, 5 min to 1000 rpm, 20 min. The dose of a reading "
                   "without a printed E_m is not drawn.")
    second = _open("Where is the optimum, and where is capacity lost?", best.sentence)
    _losses(split, second)
    _say(second, teaching)
    return [section, second]


def what_teaches(fit: Fit) -> str:
    """Which single run would tell most about milling damage, in a sentence.

    Parameters
    ----------
    fit
        A fit of the capacity model.

    Returns
    -------
    str
        The run of `RUNS` within the rule of the space of which one cell of one new batch is
        expected to tell most about the parameters of `DAMAGE` together (nat), if the model holds.
    """
    from itertools import product

    import numpy as np
    import pandas as pd

    from .. import doe
    from ..doe.learning import parameter_information

    grid = pd.DataFrame(list(product(*RUNS.values())), columns=list(RUNS))
    grid = pd.DataFrame(grid[np.asarray(doe.spaces.milling().allowed(grid))].reset_index(drop=True))
    settings, which = grid.assign(**FIXED), fit.thin(1000)
    response = fit.response("capacity_mAh_g")
    names = ("mean:capacity_mAh_g", "noise:capacity_mAh_g")
    found = response.evaluate(names, settings, which)
    mean, noise = (found[name] for name in names)
    batch = response.draw(settings, "batch", np.random.default_rng(0), which) - mean
    known = fit.parameters(which)
    told = parameter_information(
        mean, np.log(np.column_stack([np.ravel(known[name]) for name in DAMAGE])),
        np.sqrt((noise**2 + batch**2).mean(axis=0)))
    labels, order = _labels(grid), np.argsort(-told)
    return (
        f"The single run that would tell most about damage is {labels[order[0]]} beads: "
        f"{told[order[0]]:.2f} nat expected from one cell of one batch about its onset, its growth "
        "with stress energy and number of collisions, and its static share together, if the model "
        f"holds; the median run of {len(grid)} looked at tells {np.median(told):.2f}.")


def how_sure(campaign: Campaign) -> report.Section:
    """Record the literature in a campaign and rank its settings."""
    from .. import data

    section = _open(
        "2. How sure is the ranking of the settings tried?",
        "The ranking is of true means: the model beside a smooth deviation from it, weighed by "
        "how well each predicts the readings left out.")
    with show.working("ranking the settings tried"):
        campaign.record(data.load(TABLE), id="literature")
        ranking = campaign.rank()
    columns = ["rpm", "milling_min", "bead_mm", "readings", "predicted_mean", "predicted_low",
               "predicted_high", "p_best", "rank_lo", "rank_hi", "expected_regret"]
    shown: Any = ranking.table[columns]
    _table(section, shown,
           f"mean capacity (mAh/g), {INTERVAL}; rank_lo to rank_hi: {INTERVAL} of the rank; "
           "expected_regret (mAh/g): what choosing it loses on average")
    _say(section, ranking.sentence)
    labels = _labels(ranking.table)
    section.figure(figures.intervals(ranking.table, labels, "mean capacity (mAh/g)"),
                   "Settings tried, best first.")
    section.figure(figures.probabilities(ranking.table["p_best"], labels, "probability of being "
                                         "the best of those tried (1)"),
                   "How sure the first place is.")
    return section


def what_next(campaign: Campaign, store: Path) -> report.Section:
    """Propose the next four experiments."""
    section = _open(
        "3. What should be run next?",
        "Four experiments at once, chosen to find a better setting together; the rule of the "
        f"space (no more than 20 min at 800 rpm and above) holds. The campaign is in {store}; "
        "`ssbayes record` puts results into it.")
    with show.working("choosing four experiments"):
        table = campaign.suggest(4)
    _table(section, table.drop(columns="reason"),
           f"predicted_mean (mAh/g) with its {INTERVAL}, mean of the setting; predicted_batch_sd: "
           "spread of the mean of the next batch, predicted_cell_sd: of the next cell (mAh/g)")
    for row in table.to_dict("records"):
        _say(section, f"{row['suggestion']}: {row['reason']}")
    for note in table.attrs["notes"]:
        _say(section, note)
    if bool(table["predicted_mean"].notna().all()):
        section.figure(
            figures.intervals(table, _labels(table), "capacity (mAh/g)",
                              cell_sd="predicted_cell_sd"),
            "The next four experiments: what is expected of the setting, and of a single cell.")
    return section


def mixing(seed: int) -> report.Section:
    """Hand against machine: is one better, and is one less scattered?"""
    from .. import data, models
    from ..models.mixing import compare

    section = _open(
        "And the mixing method?",
        "kissel2025_mixing: printed means and SDs of cells nested in batches. Nine cells of three "
        "batches are three batches.")
    with show.working("fitting the mixing methods"):
        table = data.load("kissel2025_mixing")
        fit = models.get("mixing").fit(table, seed=seed)
        methods = sorted(table["method"].dropna().unique(), key=lambda name: name == "hand")
        # 1.5 mAh/g: the weighing error of one cell
        answer = compare(fit, methods[0], "hand", c_rate=0.1, better_by=1.5)
    _table(section, answer.table.reset_index(), f"at 0.1C; estimates with their {INTERVAL}")
    _say(section, answer.sentence)
    for note in answer.notes:
        _say(section, note)
    return section


def _open(heading: str, opening: str) -> report.Section:
    show.heading(heading)
    section = report.Section(heading)
    _say(section, opening)
    return section


def _say(section: report.Section, text: str) -> None:
    show.say(text)
    section.say(text)


def _table(section: report.Section, frame: pd.DataFrame, caption: str) -> None:
    show.table(frame, caption)
    section.table(frame, caption)


def _parameters(summary: pd.DataFrame, section: report.Section) -> None:
    told = summary["informed_by"].ne("from the prior")
    columns = [name for name in summary.columns if name not in ("prior", "meaning")]
    show.table(summary.loc[told, columns], "parameters of which these data say something")
    show.table(summary.loc[~told, columns[:5]],
               "from the prior: these numbers are what was assumed, not what was found")
    section.table(summary.loc[told], "Parameters of which these data say something.")
    section.table(summary.loc[~told], "From the prior (posterior sd over prior sd above 0.8): "
                  "what was assumed, not what was found.")


def _losses(split: pd.DataFrame, section: report.Section) -> None:
    labels = _labels(split)
    for label, row in zip(labels, split.to_dict("records"), strict=True):
        if row["split"] == "determined":
            told = " and ".join(
                f"{what} {row[name]:.0f} ({row[f'{name}_low']:.0f} to {row[f'{name}_high']:.0f})"
                for what, name in (("static loss", "static_loss"), ("kinetic", "kinetic_loss")))
            _say(section, f"{label}: {told} mAh/g, {INTERVAL}s.")
        else:
            _say(section, f"{label}: static against kinetic is undetermined; no utilization was "
                 f"measured there (it may be {row['utilization_low']:.2f} to "
                 f"{row['utilization_high']:.2f}, {INTERVAL}).")
    section.figure(figures.losses(split, labels), "Static loss: material without electronic "
                   "contact. Kinetic loss: connected, but not reached at 0.1C.")


def _capacity_figure(fit: Fit, table: pd.DataFrame) -> Any:
    import numpy as np
    import pandas as pd

    path = _settings(pd.DataFrame({"rpm": np.geomspace(200, 1000, 64),
                                   "milling_min": np.geomspace(5, 20, 64)}))
    answer = fit.predict(path)
    energy = np.median(answer["specific_energy_J_g"].to_numpy(), axis=0)
    both = table["capacity_mAh_g"].notna() & table["specific_energy_J_g"].notna()
    readings = table.loc[both].assign(label=lambda rows: _labels(rows))
    return figures.capacity_over_energy(energy, answer["capacity_mAh_g"].to_numpy(), readings)


def _settings(rows: Any) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows).assign(bead_mm=5.0, **FIXED)


def _labels(table: pd.DataFrame) -> list[str]:
    return [f"{row['rpm']:.0f} rpm, {row['milling_min']:.3g} min"
            + (f", {row['bead_mm']:.3g} mm" if "bead_mm" in row else "")
            for row in table.to_dict("records")]
