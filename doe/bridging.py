"""Offsets between campaigns, operators, lots or mills, from the control recipe that all ran."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from . import mixed
from .control import WIDTH, check_levels, check_scales, of_recipe
from .errors import CampaignError, listing, percent, unknown
from .ranking import LEVEL
from .split_rows import readings_of

BLOCKS = 2
"""Blocks of control cells below which an offset rests on its prior."""


@dataclass(frozen=True)
class Bridge:
    """How far each group reads from the reference, at the same recipe.

    Attributes
    ----------
    table : DataFrame
        One row a group, indexed by its name: ``blocks``, ``cells``, ``offset`` (group minus
        reference), ``low``, ``high`` (equal-tailed at `level`), ``usable`` (two blocks or more
        in it and in the reference). Groups without a control cell have no offset.
    between, reference, outcome : str
    sentence : str
    notes : list of str
    """

    table: pd.DataFrame
    between: str
    reference: object
    outcome: str
    sentence: str
    notes: list[str]
    level: float

    def apply(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Rows with the outcome as the reference would have read it.

        The offset is subtracted; ``<outcome>_offset_sd`` says how unsure it is. It is the same
        for all rows of a group: more rows do not average it out.

        Raises
        ------
        CampaignError
            If a row's group has no offset, or one that control cells are too few for.
        """
        for name in (self.between, self.outcome):
            if name not in rows.columns:
                raise CampaignError(unknown(name, rows.columns, "column of the rows"))
        groups = rows[self.between]
        for name in groups.unique():
            known = name in self.table.index
            if not known or not bool(self.table.at[name, "usable"]):
                cells = int(self.table.at[name, "cells"]) if known else 0
                raise CampaignError(
                    f"{self.between} {name!r} has {cells} control cells, too few for an offset to "
                    f"{self.reference!r}: run the control recipe there in {BLOCKS} blocks or more"
                )
        moved, table = rows.copy(), self.table
        offset: Any = table["offset"]
        unsure: Any = table["sd"]
        moved[self.outcome] = rows[self.outcome] - groups.map(offset)
        moved[f"{self.outcome}_offset_sd"] = groups.map(unsure)
        return moved

    def __str__(self) -> str:
        return "\n\n".join([self.table.to_string(), self.sentence, *self.notes])

    def _repr_html_(self) -> str:
        said = "".join(f"<p>{escape(text)}</p>" for text in (self.sentence, *self.notes))
        return self.table.to_html() + said


def bridge(
    rows: pd.DataFrame,
    outcome: str,
    recipe: Mapping[str, Any] | None = None,
    *,
    between: str = "study",
    block: str = "batch",
    reference: object = None,
    block_sd: float | None = None,
    cell_sd: float | None = None,
    level: float = LEVEL,
) -> Bridge:
    """Offsets between groups from their control cells.

    Parameters
    ----------
    rows : DataFrame
        One row a reading; those of other recipes only tell which groups there are.
    outcome : str
    recipe : mapping, optional
        Settings of the control recipe; without it all rows are control cells.
    between : str
        Column of the groups: study, operator, lot, mill.
    block : str
        Column of what shares an error within a group: batch, run, day. Blocks, not cells, are
        what an offset is counted in.
    reference : optional
        The group that offsets are from; without it, that of most blocks.
    block_sd, cell_sd : float, optional
        Scales of the half-normal priors of both scatters; without them, twice the standard
        deviation of the residuals of the control cells.
    level : float

    Returns
    -------
    Bridge

    Raises
    ------
    CampaignError
        If fewer than two groups have control cells, or a scale or a level cannot be.
    """
    check_scales(block_sd=block_sd, cell_sd=cell_sd)
    check_levels(level=level)
    for name in (outcome, between, block):
        if name not in rows.columns:
            raise CampaignError(unknown(name, rows.columns, "column of the rows"))
    cells = readings_of(of_recipe(rows, recipe), outcome, [between, block])
    own: Any = cells.groupby(between, sort=False)
    blocks, counts = own[block].nunique(), own.size()
    if len(counts) < 2:
        raise CampaignError(
            f"control cells of one {between} only ({counts.index[0]!r}): nothing to bridge. Run "
            f"the control recipe under another {between} too"
        )
    first = blocks.idxmax() if reference is None else reference
    if first not in counts.index:
        raise CampaignError(unknown(first, counts.index, f"{between} with control cells"))
    others = [g for g in counts.index if g != first]
    x = np.column_stack([np.ones(len(cells)), *(cells[between] == g for g in others)]).astype(float)
    y, w = cells["_value"].to_numpy(dtype=float), cells["_weight"].to_numpy(dtype=float)
    group = cells.groupby([between, block], sort=False).ngroup().to_numpy()
    spread = WIDTH * mixed.residual_sd(x, y)
    found = mixed.fit(x, y, group, block_sd or spread, cell_sd or spread, w)
    made = {first: (blocks[first], counts[first], 0.0, 0.0, 0.0, 0.0, True)}
    for k, name in enumerate(others, 1):
        one = np.eye(x.shape[1])[k]
        mean = found.average(one)
        centre, variance = found.moments(one)
        sd = float(np.sqrt(found.weight @ (variance + (centre - mean) ** 2)))
        enough = bool(min(blocks[name], blocks[first]) >= BLOCKS)
        made[name] = (
            blocks[name], counts[name], mean, *found.interval(one, level), sd, enough
        )  # fmt: skip
    lost = [g for g in rows[between].dropna().unique() if g not in made]
    nothing = np.nan
    made |= {g: (0, 0, nothing, nothing, nothing, nothing, False) for g in lost}
    table = pd.DataFrame.from_dict(
        made, orient="index", columns=["blocks", "cells", "offset", "low", "high", "sd", "usable"]
    )
    table.index.name = between
    notes = _notes(table, between, first) + mixed.slips(
        x, y, group, outcome, w, between=("block_sd", block_sd), within=("cell_sd", cell_sd)
    )
    return Bridge(table, between, first, outcome, _said(table, between, first, outcome, level),
                  notes, level)  # fmt: skip


def _said(table: pd.DataFrame, between: str, first: object, outcome: str, level: float) -> str:
    rows: Any = table[table["cells"] > 0].drop(index=[first])
    said = [
        f"{name} reads {r.offset:+.3g} ({r.low:+.3g} to {r.high:+.3g})"
        for name, r in zip(rows.index, rows.itertuples(), strict=True)
    ]
    return (
        f"{outcome} at the control recipe, against {between} {first}: {'; '.join(said)}. "
        f"{percent(level)} equal-tailed intervals, counted in blocks."
    )


def _notes(table: pd.DataFrame, between: str, first: object) -> list[str]:
    notes = []
    cells, blocks = table["cells"].to_numpy(), table["blocks"].to_numpy()
    none, few = table.index[cells == 0], table.index[(cells > 0) & (blocks < BLOCKS)]
    if len(none):
        notes.append(f"{between} {listing(none)}: no control cell, no offset")
    if len(few):
        notes.append(
            f"{between} {listing(few)}: one block of control cells; an offset from or to it rests "
            "on the prior of the blocks' scatter, and is not applied"
        )
    return notes
