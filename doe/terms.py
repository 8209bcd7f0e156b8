"""A stated linear model of the factors: its columns, for optimal designs.

Numbers are coded from -1 to 1 on their own scale, categories by effects that add up to zero,
ordered ones by rank. Parts of a mixture are pseudo-components (what is above the least amounts, as
a share), in Scheffe's form: they stand for the constant, and their squares for nothing.

References
----------
Scheffe, J. R. Stat. Soc. B 20 (1958) 344 (mixture polynomials).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from . import factors as fac
from .errors import SpaceError, unknown
from .mixture import Mixture

if TYPE_CHECKING:
    from .space import Space

MODELS = ("linear", "interactions", "quadratic")
REFERENCE = 1024


@dataclass(frozen=True)
class Terms:
    """Terms of a linear model, those left out that the space cannot tell from the others.

    Attributes
    ----------
    space : Space
    wanted : tuple of tuple of str
        Each term as the factors that it multiplies; the empty one is the constant.
    """

    space: Space
    wanted: tuple[tuple[str, ...], ...]

    @cached_property
    def _kept(self) -> np.ndarray:
        """Columns that are no combination of those before them, over the space."""
        reference = self.space.sample(REFERENCE, np.random.default_rng(0))
        x, _ = self._columns(reference)
        kept: list[int] = []
        basis = np.zeros((len(x), 0))
        for j, column in enumerate(x.T):
            rest = column - basis @ (basis.T @ column)
            rest = rest - basis @ (basis.T @ rest)
            size = np.linalg.norm(rest)
            if size > 1e-7 * max(float(np.linalg.norm(column)), 1.0):
                kept.append(j)
                basis = np.column_stack([basis, rest / size])
        return np.array(kept, dtype=int)

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        every = self._columns(self.space.sample(2, np.random.default_rng(0)))[1]
        return [every[j] for j in self._kept]

    @property
    def left_out(self) -> list[str]:
        """Columns that are combinations of others over the space, or constant in it."""
        every = self._columns(self.space.sample(2, np.random.default_rng(0)))[1]
        return [name for j, name in enumerate(every) if j not in set(self._kept.tolist())]

    def matrix(self, settings: Any) -> np.ndarray:
        """Model matrix, shape (n, columns)."""
        return self._columns(settings)[0][:, self._kept]

    def _columns(self, settings: Any) -> tuple[np.ndarray, list[str]]:
        mains = _mains(self.space, settings)
        columns, names = [], []
        for term in self.wanted:
            for parts in itertools.product(*(mains[n].items() for n in term)):
                column = np.ones(len(settings))
                for _, values in parts:
                    column = column * values
                columns.append(column)
                names.append(" * ".join(name for name, _ in parts) or "1")
        return np.stack(columns, axis=1), names


def terms(space: Space, model: str | Sequence[str]) -> Terms:
    """The terms of a model.

    Parameters
    ----------
    space : Space
    model : {"linear", "interactions", "quadratic"} or sequence of str
        Main effects; with products of two factors; and with squares. Or the terms themselves,
        such as ``["rpm", "milling_min", "rpm * milling_min", "rpm ** 2"]``; the constant, or the
        parts of a mixture, are always there.
    """
    mixed = {n for m in space.mixtures for n in m.parts}
    # with all parts of one mixture there the constant is their sum
    base: list[tuple[str, ...]] = [] if mixed else [()]
    if isinstance(model, str):
        if model not in MODELS:
            raise SpaceError(unknown(model, MODELS, "model") + " A list of terms is one too")
        wanted = [*base, *((n,) for n in space.names)]
        if model != "linear":
            wanted += list(itertools.combinations(space.names, 2))
        if model == "quadratic":
            wanted += [(f.name, f.name) for f in space.factors
                       if _curved(f) and f.name not in mixed]  # fmt: skip
    else:
        wanted = [*base, *((n,) for n in space.names if n in mixed)]
        wanted += [t for t in (_read(text, space) for text in model) if t not in wanted]
    return Terms(space, tuple(dict.fromkeys(wanted)))


def _curved(f: fac.Factor) -> bool:
    """Whether three places of a factor can tell a curve."""
    if f.kind == "text" and not f.ordered:
        return False
    return f.levels is None or len(f.levels) > 2


def _read(text: str, space: Space) -> tuple[str, ...]:
    names: list[str] = []
    for piece in text.replace("**", "^").split("*"):
        name, _, power = (p.strip() for p in piece.partition("^"))
        if name not in space.names:
            raise SpaceError(f"term {text!r}: {unknown(name, space.names, 'factor')}")
        if power and not power.isdigit():
            raise SpaceError(f"term {text!r}: the power {power!r} is no whole number")
        names += [name] * int(power or 1)
    return tuple(sorted(names, key=space.names.index))


def _mains(space: Space, settings: Any) -> dict[str, dict[str, np.ndarray]]:
    """Columns of each factor by name."""
    made: dict[str, dict[str, np.ndarray]] = {}
    for block in space.blocks:
        if isinstance(block, Mixture):
            lows = np.array([f.low for f in block.factors])
            room = block.total - lows.sum()
            if room <= 1e-9 * block.total:
                lows, room = np.zeros(len(lows)), block.total
            for f, low in zip(block.factors, lows, strict=True):
                at = (settings[f.name].to_numpy(dtype=float) - low) / room
                made[f.name] = {f.name: at}
            continue
        code = fac.encode(block, settings[block.name])
        if block.kind == "text" and not block.ordered:
            assert block.levels is not None
            used = code.sum(axis=1)
            last = code[:, -1]
            made[block.name] = {
                f"{block.name}[{level}]": (code[:, j] - last) * used
                for j, level in enumerate(block.levels[:-1])
            }
        else:
            made[block.name] = {block.name: 2.0 * code[:, 0] - 1.0}
    return made
