"""The command line: words in, a command called, errors as one message and exit status 2."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from . import cells, coatings, commands, titration

INTRO = """\
Bayesian models and experiment design for composite cathodes of solid-state batteries.

Three questions:
  what do my data say?          ssbayes fit runs.csv
  what should I run next?       ssbayes suggest --store mill.db ...
  how sure is this ranking?     ssbayes rank mill.db

`ssbayes COMMAND --help` explains a command with examples."""

OUTRO = """\
start here:
  ssbayes demo                  the three questions answered on published data (1.5 min)
  ssbayes catalog               the bundled tables and models
  ssbayes catalog capacity      the columns of a table for the model "capacity"
  ssbayes cells week12 --sheet cells.xlsx --vs InLi     a table from the cycler's exports
"""

CATALOG = """\
examples:
  ssbayes catalog                                      models and literature tables
  ssbayes catalog capacity                             columns of a table for this model
  ssbayes catalog kissel2025_mixing --out mixing.csv   a literature table as a file
"""

CELLS = """\
Turns a folder of cycler exports and a cell sheet into the table that the models fit: one row a
cell and rate, the mean of the cycles at that rate. Technical faults (soft short, wrong mass or
current, swapped polarity, broken or incomplete or duplicated file, a file or a sheet row without
the other) are named per cell with what to do, and kept out of averages.

Files: BioLogic .mpt and .mpr, BaSyTec text, Battery Data Format, or text with voltage and charge.
A file belongs to the cell whose label its name begins with, or to the one that names it in the
sheet's column `file`.

The sheet (Excel or CSV) has one row a cell and needs the columns
  cell, composite_mass_mg, active_fraction, c_rate_basis_mAh_g
and understands, among others,
  rate_plan ("1x0.1, 3x0.1, 5x0.3, 5x1": full cycles x discharge rate), batch, method, lot,
  operator, cell_diameter_mm, separator_mass_mg, anode_preparation, anode_resistance_ohm_cm2,
  torque_Nm, frame (steel, aluminium), temperature_degC, file, counter_electrode, status, reason.

The counter electrode must be named, here or in the sheet: a wrong one moves every potential by
0.62 V. What the curves contradict is refused.

examples:
  ssbayes cells week12 --sheet cells.xlsx --vs InLi --out table.csv
  ssbayes cells week12 --sheet cells.csv --vs Li --out table.csv --cycles cycles.csv
  ssbayes fit table.csv --model mixing
"""

FIT = """\
Fits a model to a table and prints every parameter with its unit, its interval, and whether the
data or the prior speaks: where the posterior is more than 0.8 times as wide as the prior, the
number is the prior's and your data have not changed it. Compiling takes about 15 s.

examples:
  ssbayes fit runs.csv                                   a table of yours, model "capacity"
  ssbayes fit frankenberg2025_milling                    a bundled table by its name
  ssbayes fit runs.xlsx --model milling --out power.csv --save power.nc
  ssbayes fit kissel2025_mixing --model mixing --check
"""

SUGGEST = """\
Prints the open suggestions of a campaign, topped up to the number asked for. Asked again, the
same ones come back until their results are recorded. Write them to a file, run them, fill in what
you measured, and give the same file to `ssbayes record`.

A campaign file that does not exist is begun from the options; one that does is resumed, and an
option that differs from what the file says is an error.

examples:
  ssbayes suggest --store mill.db --space milling --model capacity \\
      --maximize capacity_mAh_g --fixed c_rate=0.1 --fixed filling=0.5
  ssbayes suggest --store mill.db -n 4 --out next.csv
  ssbayes suggest --store plain.db --space space.json --maximize my_score --unit 1

space.json holds factors (Real, Integer, Choice, Ordinal, Mixture, as in `ssbayes.doe`) and rules:
  {"factors": [{"kind": "Real", "name": "rpm", "low": 200, "high": 1000, "hard": true},
               {"kind": "Choice", "name": "bead_mm", "values": [3, 5]},
               {"kind": "Mixture", "parts": {"active_fraction": [0.6, 0.8],
                                             "electrolyte_fraction": [0.2, 0.4]}}],
   "forbidden": ["rpm > 900 and bead_mm == 5"]}
"""

RECORD = """\
Records results, all rows of a file or none. One row a cell and condition: the id in `suggestion`,
or the settings, and what was measured; `status` = failed with a `reason` for what went wrong. A
file from `ssbayes suggest --out` with the outcome filled in is right as it is.

examples:
  ssbayes record mill.db next.csv
  ssbayes record mill.db frankenberg2025_milling         a bundled table by its name
"""

WITHDRAW = """\
Takes back results that were recorded by mistake: of suggestions by their ids, or single rows by
their numbers (the left column of `ssbayes rows`). The file keeps them; nothing learns from them. A
suggestion without a result left is open again.

examples:
  ssbayes withdraw mill.db s0003 --reason "balance not tared"
  ssbayes withdraw mill.db 12 13
"""

ROWS = """\
Lists every recorded row with its number, those taken back left out.

examples:
  ssbayes rows mill.db
  ssbayes rows mill.db --out results.csv
"""

RANK = """\
Ranks the settings tried by their true mean: probability of being best, interval of the rank, and
what choosing a setting loses on average against the best. While nothing new is recorded the kept
draws answer; after new results the model is fitted once.

examples:
  ssbayes rank mill.db
  ssbayes rank mill.db --out ranking.csv
"""

DEMO = """\
Loads the bundled literature tables, fits milling and capacity, prints what the data say, ranks the
settings tried, proposes the next four experiments, and writes one HTML page with the figures.

examples:
  ssbayes demo
  ssbayes demo --statements     lets the fit use published statements (the optimum) as well
"""


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="ssbayes", description=INTRO, epilog=OUTRO,
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
    )
    top.add_argument("--version", action="store_true", help="print the version and stop")
    commands_ = top.add_subparsers(dest="command", metavar="COMMAND", title="commands")

    def command(name: str, short: str, text: str) -> argparse.ArgumentParser:
        return commands_.add_parser(
            name, help=short, description=text, allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    out: Any = {"metavar": "FILE",
                "help": "write the table as .csv, .xlsx or .parquet; - prints CSV"}

    made = command("catalog", "what is here: models, tables, columns", CATALOG)
    made.add_argument("name", nargs="?", help="a model or a literature table")
    made.add_argument("--out", **out)
    made.set_defaults(run=commands.catalog)

    made = command("cells", "a table from cycler exports and a cell sheet", CELLS)
    made.add_argument("folder", metavar="FOLDER", help="where the exports are")
    made.add_argument("--sheet", required=True, metavar="FILE", help="the cell sheet")
    made.add_argument("--vs", metavar="ELECTRODE", help="the counter electrode, Li or InLi")
    made.add_argument("--formation", type=int, default=1, metavar="N",
                      help="first cycles that no average contains (1)")
    made.add_argument("--cycles", metavar="FILE", help="write every cycle as well")
    made.add_argument("--faults", metavar="FILE", help="write the faults as well, as .csv")
    made.add_argument("--out", **out)
    made.set_defaults(run=cells.run)

    made = command("fit", "what do my data say?", FIT)
    made.add_argument("table", help="a file, or the name of a literature table")
    made.add_argument("--model", default="capacity", help="a model of the catalog (capacity)")
    made.add_argument("--statements", action="store_true", help="use published statements too")
    made.add_argument("--pool", action="append", default=[], metavar="COLUMN",
                      help="pool rows that differ in this column (capacity_cycles, ...)")
    made.add_argument("--check", action="store_true",
                      help="predictive checks and leave-one-out as well (some seconds more)")
    made.add_argument("--seed", type=commands.seed, default=1, help="seed of the sampler (1)")
    made.add_argument("--save", metavar="FILE.nc", help="keep the fit: models.Fit.open reads it")
    made.add_argument("--out", **out)
    made.set_defaults(run=commands.fit)

    made = command("suggest", "what should I run next?", SUGGEST)
    made.add_argument("file", nargs="?", metavar="STORE", help="the campaign file")
    made.add_argument("--store", metavar="STORE", help="the campaign file, said by name")
    made.add_argument("-n", "--number", type=int, default=4, help="how many experiments (4)")
    made.add_argument("--by", metavar="BENCH", help="a bench that gets suggestions of its own")
    made.add_argument("--out", **out)
    new = made.add_argument_group("a new campaign")
    new.add_argument("--space", help="a ready-made space (milling, mechanofusion,\n"
                     "annealing, slurry), or a .json file")
    goal = new.add_mutually_exclusive_group()
    goal.add_argument("--maximize", metavar="COLUMN", help="the outcome to make large")
    goal.add_argument("--minimize", metavar="COLUMN", help="the outcome to make small")
    new.add_argument("--fixed", action="append", default=[], metavar="COLUMN=VALUE",
                     help="what stays the same; may be given several times")
    new.add_argument("--model", help="the physics; none without it")
    new.add_argument("--unit", help="unit of an outcome that the registry does not know")
    new.add_argument("--strategy", choices=("bayes", "random", "skopt"), help="default: bayes")
    new.add_argument("--seed", type=commands.seed, help="default: 1")
    made.set_defaults(run=commands.suggest)

    made = command("record", "put results into a campaign", RECORD)
    made.add_argument("store", metavar="STORE", help="the campaign file")
    made.add_argument("results", help="a file, or the name of a literature table")
    made.add_argument("--out", **out)
    made.set_defaults(run=commands.record)

    made = command("rows", "what has been recorded", ROWS)
    made.add_argument("store", metavar="STORE", help="the campaign file")
    made.add_argument("--out", **out)
    made.set_defaults(run=commands.rows)

    made = command("withdraw", "take back results recorded by mistake", WITHDRAW)
    made.add_argument("store", metavar="STORE", help="the campaign file")
    made.add_argument("what", nargs="+", metavar="ID|ROW", help="a suggestion, or a row's number")
    made.add_argument("--reason", default="", help="why; kept in the file")
    made.set_defaults(run=commands.withdraw)

    made = command("rank", "how sure is this ranking?", RANK)
    made.add_argument("store", metavar="STORE", help="the campaign file")
    made.add_argument("--out", **out)
    made.set_defaults(run=commands.rank)

    made = command("utilization", "static utilization from a titration", titration.TEXT)
    titration.arguments(made)

    made = command("coatings", "which coating is best?", coatings.TEXT)
    coatings.arguments(made)

    made = command("demo", "the three questions answered on published data", DEMO)
    made.add_argument("--folder", default="out", help="where the page and the campaign go (out)")
    made.add_argument("--statements", action="store_true", help="use published statements too")
    made.add_argument("--seed", type=commands.seed, default=1)
    made.set_defaults(run=commands.demo)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns
    -------
    int
        0; 2 where the user's input was wrong (one message on stderr); 130 when interrupted.
    """
    top = parser()
    given = top.parse_args(argv)
    if given.version:
        from importlib.metadata import version

        print(f"ssbayes {version('ssbayes')}")
        return 0
    if given.command is None:
        top.print_help()
        return 0
    try:
        commands.check_targets(given)
        given.run(given)
    except KeyboardInterrupt:
        print("\ninterrupted; a campaign file is as it was before", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0
    except (ValueError, LookupError, OSError) as error:
        if not users(error):
            raise
        print(f"ssbayes {given.command}: {message(error)}", file=sys.stderr)
        return 2
    return 0


def users(error: BaseException) -> bool:
    """Whether an error is about what the user gave: we raised it, or the file system did.

    Anything else is a mistake of this program, and its traceback is worth seeing.
    """
    if isinstance(error, OSError):
        return True
    last: TracebackType | None = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return last is not None and str(last.tb_frame.f_globals.get("__name__")).startswith("ssbayes.")


def message(error: BaseException) -> str:
    """The sentence of an error."""
    if isinstance(error, OSError) and error.strerror:
        where = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{where}"
    if type(error) is KeyError:
        return f"unknown name {error}"
    return str(error)
