"""Tables, sentences and progress on a terminal, and tables into files."""

from __future__ import annotations

import logging
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

WIDE = 150
"""Columns of text where the output is no terminal."""


def console(stderr: bool = False) -> Console:
    """The terminal, or a page of fixed width where the output goes into a file or a pipe."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else WIDE, highlight=False,
                   soft_wrap=False)


def say(text: str = "") -> None:
    """Print a sentence."""
    console().print(text, markup=False)


def heading(text: str) -> None:
    """Print a heading."""
    console().print(f"\n{text}", style="bold", markup=False)


def number(value: Any, exact: bool = False) -> str:
    """A value as a person reads it: four significant digits, a missing one as a dash.

    What somebody is to set is shown ``exact``: as it is.
    """
    if value is None or value != value:
        return "-"
    if exact and isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{value:.12g}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)) or hasattr(value, "dtype"):
        if str(getattr(value, "dtype", "")) == "bool":
            return "yes" if value else "no"
        size = abs(float(value))
        if size >= 1e5 or 0 < size < 1e-3:
            return f"{float(value):.3g}"
        return f"{float(value):.4g}"
    return str(value)


def table(
    frame: pd.DataFrame, title: str = "", index: bool = False, exact: Collection[str] = ()
) -> None:
    """Print a table; long texts are folded, numbers never cut, those of ``exact`` columns whole."""
    import pandas as pd
    from rich import box
    from rich.table import Table

    shown = frame.reset_index() if index else frame
    made = Table(title=title or None, title_justify="left", title_style="italic", pad_edge=False,
                 box=box.SIMPLE_HEAD)
    for name in shown.columns:
        numeric = pd.api.types.is_numeric_dtype(shown[name])
        texts = [number(value, name in exact) for value in shown[name]] if numeric else []
        made.add_column(_folded(str(name)), justify="right" if numeric else "left",
                        overflow="fold", min_width=max(map(len, texts), default=None))
    for row in shown.itertuples(index=False, name=None):
        each = zip(shown.columns, row, strict=True)
        made.add_row(*(number(value, name in exact) for name, value in each))
    console().print(made, markup=False)


def _folded(name: str, width: int = 10) -> str:
    """A column's name on lines of about ten characters, broken where words end."""
    lines = [""]
    for part in name.replace("_", "_ ").split():
        joint = "" if lines[-1].endswith("_") or not lines[-1] else " "
        if lines[-1] and len(lines[-1]) + len(joint) + len(part) > width:
            lines.append(part)
        else:
            lines[-1] += joint + part
    return "\n".join(lines)


def write(frame: pd.DataFrame, out: str | None) -> bool:
    """Write a table where ``--out`` says.

    Returns
    -------
    bool
        Whether it went to standard output, so that nothing else should.
    """
    if out is None:
        return False
    if out == "-":
        frame.to_csv(sys.stdout, index=False, lineterminator="\n")
        return True
    from .. import data

    path = data.write(frame, out)
    print(f"written: {path}", file=sys.stderr)
    return False


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show that something is going on, and what the engine says about it, on stderr.

    A spinner with a clock on a terminal; plain lines elsewhere.
    """
    log = logging.getLogger("ssbayes")
    before = log.level, log.propagate
    place = console(stderr=True)
    if place.is_terminal:
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        progress = Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(),
                            console=place, transient=True)
        task = progress.add_task(what, total=None)

        def told(text: str, level: int) -> None:
            if level >= logging.WARNING:
                place.print(text, markup=False)
            else:
                progress.update(task, description=f"{what}: {text}")

        with progress, _listening(log, told):
            yield
    else:
        print(f"{what} ...", file=sys.stderr, flush=True)

        def told(text: str, level: int) -> None:
            print(f"  {text}", file=sys.stderr, flush=True)

        with _listening(log, told):
            yield
    log.level, log.propagate = before


@contextmanager
def _listening(log: logging.Logger, told: Any) -> Iterator[None]:
    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told(record.getMessage(), record.levelno)

    handler = Handler()
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
