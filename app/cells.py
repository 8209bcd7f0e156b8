"""`ssbayes cells`: a table from a folder of cycler exports."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from . import show

SHOWN = 60


def run(given: Namespace) -> None:
    """Read the exports, print and write the table, and name the faults."""
    from .. import data

    with bar("reading exports") as moved:
        made = data.cells(given.folder, given.sheet, given.vs, formation=given.formation,
                          progress=moved)
    if given.cycles:
        show.write(made.cycles, given.cycles)
    if given.faults and len(made.faults):
        show.write(made.faults, given.faults)
    if show.write(made.table, given.out):
        return
    wanted = ["batch", "cell", "method", "c_rate", "capacity_mAh_g", "charge_mode",
              "first_cycle_efficiency", "retention", "status"]
    kept = [name for name in wanted if name in made.table]
    if given.out is None:
        show.table(made.table.loc[:SHOWN - 1, kept], "discharge capacity per gram of active "
                   "material weighed in, mean of the cycles at each rate, formation left out")
        if len(made.table) > SHOWN:
            show.say(f"and {len(made.table) - SHOWN} more rows; --out FILE keeps them all")
    if len(made.faults):
        show.table(made.faults, "faults; readings from from_cycle on are out, 0: the whole cell, "
                   "-: none")
    for note in made.notes:
        show.say(note)
    show.say(made.sentence)
    if given.out:
        show.say(f"next: ssbayes fit {given.out} --model mixing")


@contextmanager
def bar(what: str) -> Iterator[Callable[[int, int, str], None]]:
    """Show how far a long work is: a bar on a terminal, some lines elsewhere, both on stderr."""
    place = show.console(stderr=True)
    if not place.is_terminal:
        print(f"{what} ...", file=sys.stderr, flush=True)

        def told(done: int, of: int, name: str) -> None:
            if of >= 100 and done % (of // 4) == 0:
                print(f"  {done} of {of}", file=sys.stderr, flush=True)

        yield told
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                  TimeElapsedColumn(), console=place, transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, of, name: progress.update(
            task, completed=done, total=of, description=f"{what}: {name}")
