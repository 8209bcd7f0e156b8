"""`ssbayes coatings`: which coating is best, and how sure is that?"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from . import commands, show

TEXT = """\
Ranks coatings by k (growth of the cathode resistance in a hold), by the resistance at rest after
it, and by both: probability of being the best, ties, a shortlist, the noise at which "these two
are the worst" flips, and what one more cell of each would change.

Without --sd the interphase model is fitted (a quarter of a minute to compile): for series of the
hold of several cells and batches. With --sd the values are ranked as they stand under that
assumed noise: for printed values with no spread. Every answer says which it is.

The table has one row a reading and the columns
  coating, direction (charge, discharge, hold), cycle or time_point (start, end), hold_h,
  resistance_ohm_cm2, growth_ohm_cm2_sqrth; batch and cell where there are several

examples:
  ssbayes coatings kissel2025_coatings --sd 0.2       printed values, 20 % from cell to cell
  ssbayes coatings cells.csv --out ranking.csv        cells of yours
  ssbayes coatings cells.csv --weight growth=1 --weight end_resistance=3
"""


def arguments(parser: ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("table", help="a file, or the name of a literature table")
    parser.add_argument("--sd", type=float, metavar="SD",
                        help="assumed sd of ln of one cell, such as 0.2; without it: a fit")
    parser.add_argument("--weight", action="append", default=[], metavar="QUANTITY=NUMBER",
                        help="weight in the ranking by both (growth, end_resistance); half each")
    parser.add_argument("--equal-within", type=float, default=0.1, metavar="SHARE",
                        help="differences up to this are practically none (0.1)")
    parser.add_argument("--confidence", type=float, default=0.95,
                        help="probability that the best is on the shortlist (0.95)")
    parser.add_argument("--seed", type=commands.seed, default=1)
    parser.add_argument("--out", metavar="FILE",
                        help="write the table as .csv, .xlsx or .parquet; - prints CSV")
    parser.set_defaults(run=run)


def run(given: Namespace) -> None:
    """Print and write the rankings of a table's coatings."""
    from .. import data, models
    from ..doe import coatings
    from .commands import InputError, literature

    model = models.get("interphase")
    rows = literature(given.table)
    if rows is None:
        rows = data.read(given.table, model.columns)
    weights = dict(_weight(text) for text in given.weight) or None
    read = [name for name in ("resistance_ohm_cm2", "growth_ohm_cm2_sqrth") if name in rows]
    if not len(read) or not rows[read].notna().to_numpy().any():
        raise InputError(f"{given.table} has no reading of resistance_ohm_cm2 or "
                         "growth_ohm_cm2_sqrth; the columns are in `ssbayes coatings --help`")
    if given.sd is not None:
        evidence = coatings.assumed(rows, given.sd, seed=given.seed)
    else:
        with show.working(f"fitting interphase to {len(rows)} rows"):
            fit = model.fit(rows, seed=given.seed)
        evidence = coatings.from_fit(fit)
        for note in [*fit.encoded.unused(), *fit.encoded.notes]:
            show.say(note)
    answer = coatings.side_by_side(evidence, weights=weights)
    table = answer.table.copy()
    table.columns = [f"{name}: {kind}" for name, kind in table.columns]
    if show.write(table.reset_index(), given.out):
        return
    show.table(table, "probability of being the best and expected rank; small is good", index=True)
    show.say(answer.sentence)
    for by in evidence.quantities:
        show.heading(by)
        for said in _answers(evidence, by, weights, given):
            show.say(said)


def _answers(evidence: Any, by: str, weights: dict[str, float] | None,
             given: Namespace) -> list[str]:
    from ..doe import coatings

    ranked = coatings.rank(evidence, by, weights=weights)
    answers: list[Any] = [
        ranked, coatings.ties(evidence, by, weights=weights, equal_within=given.equal_within),
        coatings.shortlist(evidence, by, weights=weights, confidence=given.confidence)]
    if len(ranked.table) > 3:
        answers.append(coatings.break_even(evidence, by, weights=weights,
                                           worst=list(ranked.table.index[-2:])))
    if len(ranked.table) > 1:
        answers.append(coatings.one_more_cell(evidence, by, weights=weights, seed=given.seed))
    return [answer.sentence for answer in answers]


def _weight(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        raise ValueError(f"--weight {text}: write QUANTITY=NUMBER, for example "
                         "--weight growth=1") from None
