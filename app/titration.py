"""`ssbayes utilization`: one titrated cell, printed and drawn."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from . import commands, show

PAGE, PICTURE = (".html",), (".png", ".svg", ".pdf")
TEXT = """\
Static utilization of a cell from its coulometric titration against a liquid reference: the share
of active material that is electronically connected. All relaxed points are evaluated at once, with
both masses, unfinished rests, self-discharge and the counter electrode in the interval; then: is it
constant, which windows could be, and what the choice of the window adds.

The counter electrode must be named: potentials in a file may have been converted already, and a
wrong electrode gives a wrong answer in silence. The masses are those of the active material.

examples:
  ssbayes utilization cell.txt --reference ref.txt --vs Li --mass-mg 9.00 --mass-sd-mg 0.1 \\
      --reference-mass-mg 5.25 --reference-mass-sd-mg 0.09
  ... --window 3.629 4.011               the window that you have decided on before
  ... --record raw.txt                   holds the relaxed points against the raw record
  ... --method stepwise --errors worst   the published evaluation, with its true worst case
  ... --out page.html                    a page with the picture; .png, .svg, .pdf: the picture
"""


def arguments(made: ArgumentParser) -> None:
    """Arguments of the command."""
    made.add_argument("cell", help="relaxed points of the cell (text table)")
    made.add_argument("--reference", required=True, help="titration of the reference cell")
    made.add_argument("--vs", required=True, choices=("Li", "InLi"),
                      help="counter electrode that the cell's potentials refer to")
    for name, what in (("mass", "active material in the cell"),
                       ("reference-mass", "active material in the reference cell")):
        made.add_argument(f"--{name}-mg", required=True, type=float, help=f"{what}, mg")
        made.add_argument(f"--{name}-sd-mg", required=True, type=float, help="its sd, mg")
    made.add_argument("--window", nargs=2, type=float, metavar=("LOW_V", "HIGH_V"),
                      help="relaxed potentials used, V vs Li+/Li")
    made.add_argument("--record", help="raw record of voltage and charge")
    made.add_argument("--xrd", nargs=2, type=float, metavar=("VALUE", "SD"),
                      help="utilization by diffraction and its sd, as shares")
    made.add_argument("--counter-sd-mV", type=float, help="sd of the counter electrode, mV")
    made.add_argument("--method", choices=("joint", "stepwise"), default="joint")
    made.add_argument("--errors", choices=("published", "worst"), default="published",
                      help="which stepwise error bars")
    made.add_argument("--seed", type=commands.seed, default=1, help="seed of the sampler (1)")
    made.add_argument("--out", metavar="FILE", help=".html page, or .png, .svg, .pdf picture")
    made.set_defaults(run=run)


def run(given: Namespace) -> None:
    """Evaluate, print, draw."""
    from ..models.utilization import utilization
    from .titration_page import page, percent, picture, tables

    out = Path(given.out) if given.out else None
    if out is not None and out.suffix not in (*PAGE, *PICTURE):
        raise ValueError(f"--out {given.out}: its ending is none of "
                         f"{', '.join((*PAGE, *PICTURE))}")
    if out is not None and given.method == "stepwise":
        raise ValueError("--out draws the joint evaluation; leave it out with --method stepwise")
    options: dict[str, Any] = {
        "vs": given.vs, "mass_mg": given.mass_mg, "mass_sd_mg": given.mass_sd_mg,
        "reference_mass_mg": given.reference_mass_mg,
        "reference_mass_sd_mg": given.reference_mass_sd_mg,
        "window": tuple(given.window) if given.window else None, "record": given.record,
        "xrd": tuple(given.xrd) if given.xrd else None, "method": given.method,
        "counter_sd_V": None if given.counter_sd_mV is None else given.counter_sd_mV / 1e3,
        "errors": given.errors, "seed": given.seed}
    with show.working("evaluating the titration (compiling takes about 10 s)"):
        found: Any = utilization(given.cell, given.reference, **options)
    if given.method == "stepwise":
        show.table(percent(found, ("utilization", "plus", "minus")),
                   f"step by step, error bars {given.errors} (%)", index=True)
        return
    if out is not None and out.suffix in PAGE:
        page(found, out, Path(given.cell).name)
    elif out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        picture(found).savefig(out, bbox_inches="tight", dpi=200)
    for sentence in found.sentences:
        show.say(sentence)
    for note in found.notes:
        show.say(f"note: {note}")
    for table, title in tables(found):
        show.table(table, title)
    if out is not None:
        show.say(f"written: {out}")
