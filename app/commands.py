"""What each command does. Rooms are imported inside, so that ``--help`` answers at once."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import show

if TYPE_CHECKING:
    import pandas as pd

    from ..doe import Campaign, Space


PARTS_OF_A_SPACE = ("factors", "constraints", "forbidden", "fixed", "derived", "soft", "per_run",
                    "features", "probable", "listed")


class InputError(ValueError):
    """What was said on the command line cannot be done."""


def check_targets(given: Namespace) -> None:
    """Refuse a file that cannot be written before anything is fitted, suggested or recorded."""
    named = [getattr(given, name, None) for name in ("out", "cycles", "faults", "save")]
    if given.command == "utilization" or not any(named):
        return
    from ..data.reading import check_place, check_target

    for text in filter(None, named[:3]):
        if text != "-":
            check_target(Path(text))
    if named[3]:
        if Path(named[3]).suffix != ".nc":
            raise InputError(f"--save {named[3]}: a fit is kept in a file ending in .nc")
        check_place(Path(named[3]))


def catalog(given: Namespace) -> None:
    """Print models and tables, the columns of a model, or a table."""
    from .. import data, models

    if given.name is None:
        tables = data.catalog()
        if show.write(tables, given.out):
            return
        kinds: Any = models.catalog()[["name", "what", "outcomes", "source"]]
        show.table(kinds, "models")
        show.table(tables, "literature tables (numbers as printed, with their source lines)")
        show.say("`ssbayes catalog NAME` shows the columns of a model, or a table.")
    elif given.name in models.NAMES or "+" in given.name:
        columns = models.get(given.name).columns
        if not show.write(columns, given.out):
            show.table(columns, f"columns of a table for the model {given.name}")
    else:
        frame = literature(given.name)
        if frame is None:
            from ..doe.errors import unknown

            known = [*models.NAMES, *data.catalog()["name"]]
            raise InputError(unknown(given.name, known, "model or table of the catalog"))
        if not show.write(frame, given.out):
            show.table(frame.dropna(axis=1, how="all"), given.name)


def fit(given: Namespace) -> None:
    """Fit a model to a table; print and write what it says."""
    from .. import data, models

    model = models.get(given.model)
    rows = literature(given.table)
    if rows is None:
        rows = data.read(given.table, model.columns)
    with show.working(f"fitting {given.model} to {len(rows)} rows"):
        made = model.fit(rows, seed=given.seed, statements=given.statements, pool=given.pool)
        summary = made.summary().reset_index()
    if not show.write(summary, given.out):
        summary_table(summary, f"{given.model}, {given.table}")
        for note in [*made.encoded.unused(), *made.encoded.notes]:
            show.say(note)
    if given.check:
        with show.working("checking against the data"):
            report = made.check()
        show.table(report.table, "checks")
        for sentence in report.sentences:
            show.say(sentence)
    if given.save:
        show.say(f"kept: {made.save(given.save)}")


def summary_table(summary: pd.DataFrame, title: str) -> None:
    """Print a fit's summary, then one sentence on what the data say nothing about."""
    show.table(summary.drop(columns=["prior", "meaning"]), title)
    quiet = summary.loc[summary["informed_by"].eq("from the prior"), "parameter"]
    if len(quiet):
        show.say(f"The data say little about {len(quiet)} of {len(summary)} parameters; these "
                 f"numbers are the prior's: {', '.join(quiet)}.")


def suggest(given: Namespace) -> None:
    """Print and write the open suggestions of a campaign."""
    from ..doe.asking import check_number

    if given.file and given.store and given.file != given.store:
        raise InputError(f"two campaign files are given, {given.file} and {given.store}; keep one")
    store = given.store or given.file
    if not store:
        raise InputError("which campaign? say its file: --store mill.db")
    check_number(given.number)  # before a new file is made
    campaign = opened(Path(store), given)
    with show.working(f"choosing {given.number} experiments"):
        table = campaign.suggest(given.number, by=given.by)
    blank = table.assign(**dict.fromkeys(reversed(campaign.declaration.outcomes)))
    if show.write(blank, given.out):
        return
    told = [name for name in table if str(name).startswith("predicted_")]
    if table[told].isna().to_numpy().all():
        show.table(table.drop(columns=[*told, "reason"]),
                   "to be run; nothing is predicted before results are recorded",
                   exact=campaign.space.names)
    else:
        show.table(table.drop(columns="reason"),
                   f"predicted {_objective(campaign)}; predicted_low to _high: "
                   f"{table.attrs['interval']}; predicted_batch_sd: spread of the mean of the next "
                   "batch; predicted_cell_sd: spread of the next cell", exact=campaign.space.names)
    for row in table.to_dict("records"):
        show.say(f"{row['suggestion']}: {row['reason']}")
    for note in table.attrs["notes"]:
        show.say(note)


def opened(store: Path, given: Namespace) -> Campaign:
    """The campaign in a file, or a new one from the options."""
    from .. import data, doe

    said = {
        key: value
        for key in ("maximize", "minimize", "model", "unit", "strategy", "seed")
        if (value := getattr(given, key)) is not None
    }
    fixed = dict(assignment(text) for text in given.fixed)
    if not store.exists():
        if given.space is None or not said.keys() & {"maximize", "minimize"}:
            raise InputError(
                f"there is no campaign at {store}. To begin one, say its space and its goal, "
                "for example: --space milling --model capacity --maximize capacity_mAh_g "
                "--fixed c_rate=0.1 --fixed filling=0.5")
        space = space_of(given.space)
        outcome = said.get("maximize") or said.get("minimize", "")
        near = data.columns.did_you_mean(outcome, data.COLUMNS)
        if near and outcome not in data.COLUMNS and not said.keys() & {"model", "unit"}:
            raise InputError(f"{outcome!r} is no column that is known{near} If it is one of yours, "
                             "say its unit with --unit")
        return doe.Campaign(space, fixed=fixed, store=store, **said)
    campaign = doe.Campaign.open(store)
    if not said and not fixed and given.space is None:
        return campaign
    old = campaign.declaration
    same: dict[str, Any] = {
        **old.goals.keywords(), "unit": old.unit,
        "strategy": old.strategy, "seed": old.seed, "initial": old.initial,
        "model": old.model, "options": old.options,
    }
    for word in ("maximize", "minimize"):
        if said.get(word) in same.get(word, ()):  # whatever else it goes for
            del said[word]
    alike = all(k != "model" and k in same and same[k] == v for k, v in said.items())
    if alike and given.space is None and {**old.fixed, **fixed} == old.fixed:
        return campaign
    if said.keys() & {"maximize", "minimize"}:
        for word in ("maximize", "minimize", "target", "goals"):
            same.pop(word, None)
    space = old.space if given.space is None else space_of(given.space)
    return doe.Campaign(space, fixed={**old.fixed, **fixed}, store=store, **{**same, **said})


def space_of(text: str) -> Space:
    """A ready-made space by its name, or one from a JSON file."""
    from .. import doe

    if text in doe.spaces.NAMES:
        return getattr(doe.spaces, text)()
    if not text.endswith(".json"):
        ready = ", ".join(doe.spaces.NAMES)
        raise InputError(f"--space {text}: neither a ready-made space ({ready}) nor a .json file")
    try:
        body = json.loads(Path(text).read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{text} is no JSON ({error})") from None
    if not isinstance(body, dict) or not isinstance(body.get("factors"), list):
        raise InputError(f'{text} must hold {{"factors": [...]}}; see `ssbayes suggest --help`')
    strange = [key for key in body if key not in PARTS_OF_A_SPACE]
    if strange:
        from ..doe.errors import unknown

        raise InputError(f"{text}: {unknown(strange[0], PARTS_OF_A_SPACE, 'part of a space')}")
    whole = {"constraints": [], "forbidden": [], "fixed": {}, "derived": {}, **body}
    try:
        return doe.Space.from_dict(whole)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{text}: a factor cannot be read ({error}); each needs kind (Real, Integer, Choice, "
            "Ordinal or Mixture), name, and low and high, values or parts") from None


def seed(text: str) -> int:
    """A seed of random numbers, as argparse reads it."""
    if not text.strip().isdecimal():
        raise ArgumentTypeError(f"{text} must be a whole number of 0 or more")
    return int(text)


def assignment(text: str) -> tuple[str, float | str]:
    """``c_rate=0.1`` as a name and a value; what is no number is a text."""
    name, sign, value = text.partition("=")
    if not (name.strip() and sign and value.strip()):
        raise InputError(f"--fixed {text}: write COLUMN=VALUE, for example --fixed c_rate=0.1")
    try:
        return name.strip(), float(value)
    except ValueError:
        return name.strip(), value.strip()


def record(given: Namespace) -> None:
    """Put results into a campaign."""
    campaign = existing(given.store)
    rows = literature(given.results)
    table = campaign.record(given.results if rows is None else rows)
    if show.write(table, given.out):
        return
    show.say(f"{len(table)} rows recorded in {given.store}")
    for note in table.attrs["notes"]:
        show.say(note)


WIDE = 16
"""Columns up to which a table of results is shown whole."""
ALWAYS = ("study", "run", "batch", "cell", "status", "reason", "kind")
"""Columns of a wide one that are shown beside the settings and the outcome."""


def rows(given: Namespace) -> None:
    """List what has been recorded."""
    campaign = existing(given.store)
    table = campaign.results().rename_axis("row").reset_index()
    if not len(table):
        raise InputError(f"nothing is recorded in {given.store} yet; `ssbayes record` puts results "
                         "into it")
    if show.write(table, given.out):
        return
    filled = table.dropna(axis=1, how="all")
    wanted = ["row", "suggestion", *campaign.space.names, campaign.objective, *ALWAYS]
    shown: Any = filled
    if len(filled.columns) > WIDE:
        shown = filled[[name for name in wanted if name in filled]]
    show.table(shown, f"{len(table)} rows recorded in {given.store}",
               exact=["row", *campaign.space.names, *campaign.declaration.outcomes])
    if len(shown.columns) < len(filled.columns):
        show.say(f"columns filled, but not shown: {len(filled.columns) - len(shown.columns)}; "
                 "--out FILE.csv writes all")


def withdraw(given: Namespace) -> None:
    """Take back rows recorded by mistake."""
    meant = [int(word) if word.isdecimal() else word for word in given.what]
    gone = existing(given.store).withdraw(meant, reason=given.reason)
    rows = "1 row" if len(gone) == 1 else f"{len(gone)} rows"
    show.say(f"{rows} taken back: kept in {given.store}, and no longer learned from")


def rank(given: Namespace) -> None:
    """Print and write the ranking of the settings tried."""
    from ..doe.errors import percent

    campaign = existing(given.store)
    with show.working("ranking the settings tried"):
        ranking = campaign.rank()
    if show.write(ranking.table, given.out):
        return
    show.table(ranking.table, f"{_objective(campaign)}, best first; intervals: "
               f"{percent(ranking.level)} equal-tailed, mean of the setting",
               exact=campaign.space.names)
    show.say(ranking.sentence)
    for note in ranking.notes:
        show.say(note)


def _objective(campaign: Campaign) -> str:
    """The objective, with the unit of one whose name does not say it."""
    unit = campaign.declaration.unit
    return f"{campaign.objective} ({unit})" if unit not in (None, "", "1") else campaign.objective


def existing(store: str) -> Campaign:
    """The campaign in a file that must be there."""
    from .. import doe

    if not Path(store).exists():
        raise InputError(f"there is no campaign at {store}; begin one with `ssbayes suggest`")
    return doe.Campaign.open(store)


def literature(name: str) -> pd.DataFrame | None:
    """A literature table, if the name is one's and no file is called so."""
    from .. import data
    from ..data.literature import WHAT

    if Path(name).exists():
        return None
    if name not in WHAT and not Path(name).suffix:
        near = data.columns.did_you_mean(name, WHAT)
        if near:
            raise InputError(f"{name!r} is neither a file nor a literature table{near}")
    return data.load(name) if name in WHAT else None


def demo(given: Namespace) -> None:
    """Answer the three questions on published data."""
    from . import demo as study

    study.run(Path(given.folder), statements=given.statements, seed=given.seed)
