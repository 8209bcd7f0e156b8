"""Which factors of a design can be told apart, and which run would tell them apart.

Two factors that always change together are *aliased*: the readings hold the effect of their sum
and nothing about either. With y = a + X b for the factors' columns X (centred, in units of their
own spread), any b + n with X n = 0 fits as well, and only the combinations in the row space of X
are told by the data. A model with priors returns numbers for the single effects all the same; they
are the priors' and not the data's. So a design is looked at before, and beside, every fit.

Dependences of more than two factors (shares that add up to 1) are found in the same way. Factors
that are almost a combination of others are told by R^2, and by the variance inflation
1 / (1 - R^2) of their effect.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..data.columns import did_you_mean

__all__ = ["Aliasing", "breaking_runs", "report"]

NEAR = 0.9
"""Multiple correlation with the other factors from which a factor is called nearly aliased."""
TINY = 1e-8


@dataclass(frozen=True)
class Aliasing:
    """What a design can tell.

    Attributes
    ----------
    table
        One row a factor: levels tried, ``told`` (``alone``, ``nearly aliased``, ``in a sum only``
        or ``not varied``), the factors it is aliased with, its largest correlation with another
        factor, and the variance inflation of its effect (infinite where aliased).
    sets
        Factors that are exactly aliased with each other, one tuple a set.
    contrasts
        For each set, the two tried settings that lie farthest apart along it: the effect of going
        from the one to the other is what the data tell. Index ``(set, end)``.
    sentences
        The same in words.
    """

    table: pd.DataFrame
    sets: tuple[tuple[str, ...], ...]
    contrasts: pd.DataFrame
    sentences: tuple[str, ...]

    @property
    def separable(self) -> list[str]:
        """Factors whose single effect the design tells, nearly aliased ones included."""
        told: Any = self.table["told"]
        return [str(name) for name in told.index[told.isin(["alone", "nearly aliased"])]]

    def partners(self, factor: str) -> tuple[str, ...]:
        """The set that a factor is aliased in; empty where it stands alone."""
        return next((one for one in self.sets if factor in one), ())

    def __str__(self) -> str:
        return self.table.to_string() + "\n" + "\n".join(self.sentences)


def report(
    design: pd.DataFrame, factors: Sequence[str] | None = None, *, log: Iterable[str] = (),
    near: float = NEAR,
) -> Aliasing:
    """Tell which factors of a design are aliased, exactly or nearly.

    Parameters
    ----------
    design
        One row an independent unit (a sheet, not a punch). Text columns are taken as categories,
        numbers as straight lines; a product of two columns may stand beside them as an
        interaction.
    factors
        Columns to look at; all if not given.
    log
        Factors whose logarithm acts.
    near
        Multiple correlation from which a factor is called nearly aliased.

    Returns
    -------
    Aliasing

    Raises
    ------
    ValueError
        If a factor is missing, has gaps, is not above zero under a logarithm, or there are no
        rows.
    """
    names = _names(design, factors)
    blocks = _blocks(design, names, set(log))
    varied = [name for name in names if blocks[name].shape[1]]
    x = _beside(blocks, varied, len(design))
    rank = _rank(x)
    owner = [name for name in varied for _ in range(blocks[name].shape[1])]
    free = {name: rank - _rank(_beside(blocks, [v for v in varied if v != name], len(design)))
            == _rank(blocks[name]) for name in varied}
    sets = _sets(x, owner, [name for name in varied if not free[name]])
    rows, sentences = [], []
    for name in names:
        column: Any = design[name]
        others = [v for v in varied if v != name]
        squared = _explained(blocks[name], _beside(blocks, others, len(design)))
        mate, r = _closest(blocks, name, others)
        partners = next((one for one in sets if name in one), ())
        if name not in varied:
            told = "not varied"
        elif partners:
            told = "in a sum only"
        else:
            told = "nearly aliased" if squared >= near**2 else "alone"
        rows.append({
            "factor": name, "levels": int(column.nunique()), "told": told,
            "aliased_with": ", ".join(p for p in partners if p != name),
            "largest_correlation": r, "correlated_with": mate,
            "variance_inflation": np.inf if partners else 1.0 / (1.0 - squared),
        })
        if told == "not varied":
            sentences.append(f"{name} was not varied: the design tells nothing of its effect")
        if told == "nearly aliased":
            sentences.append(
                f"{name} is nearly aliased with the other factors (multiple correlation "
                f"{squared**0.5:.3f}): its effect is told with {1 / (1 - squared):.0f} times the "
                "variance of a crossed design")
    contrasts = _contrasts(design, sets, blocks)
    sentences = [_told(design, one, blocks, contrasts) for one in sets] + sentences
    if not sentences:
        sentences = ["every factor can be told from the others"]
    return Aliasing(pd.DataFrame(rows).set_index("factor"), sets, contrasts, tuple(sentences))


def breaking_runs(
    design: pd.DataFrame, candidates: pd.DataFrame, factors: Sequence[str] | None = None, *,
    log: Iterable[str] = (), near: float = NEAR,
) -> pd.DataFrame:
    """Which one further run tells the most aliased factors apart.

    Parameters
    ----------
    design, factors, log, near
        As in ``report``.
    candidates
        Settings that could be run; those that a rule forbids are left out beforehand (a ``Space``
        does that: ``candidates[space.allowed(candidates)]``).

    Returns
    -------
    DataFrame
        The candidates that the design lacks, best first: the factors' settings, ``separates``
        (factors that the run makes separable), ``still_aliased``, and ``variance_inflation``, the
        largest of the separable factors with that run.

    Raises
    ------
    ValueError
        As in ``report``; of the candidates too.
    """
    names = _names(design, factors)
    _names(candidates, names)
    before = set(report(design, names, log=log, near=near).separable)
    tried = {tuple(row) for row in design[names].itertuples(index=False, name=None)}
    rows = []
    for key in dict.fromkeys(candidates[names].itertuples(index=False, name=None)):
        if key in tried:
            continue
        one = pd.DataFrame([dict(zip(names, key, strict=True))])
        more: Any = pd.concat([design[names], one], ignore_index=True)
        found = report(more, names, log=log, near=near)
        inflation = found.table.loc[found.separable, "variance_inflation"].to_numpy(float)
        rows.append({
            **one.iloc[0].to_dict(),
            "separates": ", ".join(n for n in found.separable if n not in before),
            "gained": len(set(found.separable) - before),
            "still_aliased": ", ".join(n for n in names if found.partners(n)),
            "variance_inflation": inflation.max() if len(inflation) else np.nan,
        })
    columns = [*names, "separates", "gained", "still_aliased", "variance_inflation"]
    found = pd.DataFrame(rows, columns=pd.Index(columns))
    order = found.sort_values(["gained", "variance_inflation"], ascending=[False, True])
    return order.drop(columns="gained").reset_index(drop=True)


def _names(design: pd.DataFrame, factors: Sequence[str] | None) -> list[str]:
    names = list(design.columns) if factors is None else list(factors)
    if not len(design):
        raise ValueError("the design has no rows: give one row for each unit that is made")
    for name in names:
        if name not in design:
            raise ValueError(f"{name!r} is no column of the design"
                             f"{did_you_mean(name, map(str, design.columns))}; it has: "
                             f"{', '.join(map(str, design.columns))}")
        column: Any = design[name]
        if column.isna().any():
            at = design.index[column.isna()][0]
            raise ValueError(f"row {at!r} has no {name}: a design needs every factor of every row; "
                             "fill it in, or leave the row out")
    return names


def _blocks(design: pd.DataFrame, names: list[str], log: set[str]) -> dict[str, np.ndarray]:
    """Centred columns of each factor in units of its spread, ``(n, width)``; none if constant."""
    blocks = {}
    for name in names:
        values: Any = design[name]
        if pd.api.types.is_numeric_dtype(values):
            column = values.to_numpy(dtype=float)
            if name in log:
                if np.any(column <= 0):
                    at = design.index[column <= 0][0]
                    raise ValueError(f"row {at!r}: {name} = {column.min():g} has no logarithm; "
                                     "give values above 0, or take it out of log")
                column = np.log(column)
            block = column[:, None]
        else:
            levels = list(dict.fromkeys(values))
            block = np.array([[v == level for level in levels[1:]] for v in values], dtype=float)
        size = np.abs(block).max(initial=1.0)
        block = block - block.mean(axis=0)
        spread = block.std(axis=0)
        keep = spread > TINY * size
        blocks[name] = block[:, keep] / spread[keep]
    return blocks


def _beside(blocks: dict[str, np.ndarray], names: Sequence[str], rows: int) -> np.ndarray:
    return np.concatenate([np.zeros((rows, 0)), *(blocks[n] for n in names)], axis=1)


def _rank(x: np.ndarray) -> int:
    if not x.size:
        return 0
    values = np.linalg.svd(x, compute_uv=False)
    return int((values > TINY * max(values[0], 1.0)).sum())


def _sets(x: np.ndarray, owner: list[str], bound: list[str]) -> tuple[tuple[str, ...], ...]:
    """Aliased factors, joined where the null space of the design joins their columns."""
    if not bound:
        return ()
    _, values, right = np.linalg.svd(x, full_matrices=True)
    null = right[int((values > TINY * values[0]).sum()):]
    joint = np.abs(null.T @ null) > 1e-6
    home = {name: name for name in bound}

    def root(name: str) -> str:
        return name if home[name] == name else root(home[name])

    for i, one in enumerate(owner):
        for j, other in enumerate(owner[:i]):
            if joint[i, j] and one in home and other in home:
                home[root(one)] = root(other)
    found: dict[str, list[str]] = {}
    for name in bound:
        found.setdefault(root(name), []).append(name)
    return tuple(tuple(names) for names in found.values())


def _explained(block: np.ndarray, others: np.ndarray) -> float:
    """Largest share of the variance of a factor's columns that the other factors explain."""
    if not block.shape[1] or not others.shape[1]:
        return 0.0
    fitted = others @ np.linalg.lstsq(others, block, rcond=None)[0]
    return float(np.clip((fitted**2).sum(axis=0) / (block**2).sum(axis=0), 0, 1).max())


def _closest(
    blocks: dict[str, np.ndarray], name: str, others: list[str]
) -> tuple[str, float]:
    """The factor that goes most with this one, and the signed correlation of their columns."""
    best, r = "", 0.0
    for other in others:
        found = blocks[name].T @ blocks[other] / len(blocks[name])
        if found.size and (largest := found.flat[np.abs(found).argmax()]) ** 2 > r**2:
            best, r = other, float(largest)
    return best, r


def _contrasts(
    design: pd.DataFrame, sets: Sequence[tuple[str, ...]], blocks: dict[str, np.ndarray]
) -> pd.DataFrame:
    rows, index = [], []
    for names in sets:
        x = _beside(blocks, names, len(design))
        along = np.linalg.svd(x, full_matrices=False)[2][0]
        score = x @ (along if along[0] >= 0 else -along)
        for end, at in (("from", int(score.argmin())), ("to", int(score.argmax()))):
            rows.append({name: design[name].iloc[at] for name in names})
            index.append((" + ".join(names), end))
    table = pd.DataFrame(rows)
    table.index = pd.MultiIndex.from_tuples(index, names=["set", "end"]) if index else table.index
    return table


def _told(
    design: pd.DataFrame, names: tuple[str, ...], blocks: dict[str, np.ndarray],
    contrasts: pd.DataFrame,
) -> str:
    ends = contrasts.loc[" + ".join(names)]
    low, high = (", ".join(f"{n} {_plain(ends.at[end, n])}" for n in names)
                 for end in ("from", "to"))
    how = f"linearly dependent (rank {_rank(_beside(blocks, names, len(design)))})"
    if len(names) == 2 and all(blocks[n].shape[1] == 1 for n in names):
        r = float((blocks[names[0]] * blocks[names[1]]).mean())
        how = f"correlation {r:.3g}"
    listed = f"{', '.join(names[:-1])} and {names[-1]}"
    return (f"{listed} are aliased ({how}): the effect of going from ({low}) to "
            f"({high}) is told, their single effects are not separable")


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float | np.number) else str(value)
