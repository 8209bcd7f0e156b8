"""Classical designs on coded levels: factorials, central composites, Box-Behnken, screening.

The coded tables come from pyDOE (BSD licence); here they are mapped to the factors' own scales.
Categories that a design has no levels for are crossed with it: one copy for each.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import factors as fac
from . import scales
from .errors import SpaceError, unknown
from .mixture import Mixture

if TYPE_CHECKING:
    from .space import Space

MOST = 20_000
LISTED = 10
"""Factors up to which aliased effects are named one by one."""
NEAR = 0.125
"""Share of its range by which a factor's own level may be off a coded one."""


def full_factorial(space: Space, levels: int = 2) -> pd.DataFrame:
    """Every combination: all categories, `levels` places of each number (all, if it has fewer)."""
    if isinstance(levels, bool) or not isinstance(levels, (int, np.integer)) or levels < 2:
        raise SpaceError(f"levels={levels!r} must be a whole number from 2")
    chosen = [_spread(f, levels) for f in _plain(space, "full_factorial")]
    size = int(np.prod([float(len(c)) for c in chosen]))
    if size > MOST:
        raise SpaceError(
            f"a full factorial of {size} runs is more than {MOST}; take fewer levels, "
            "kind='fractional_factorial' or kind='d_optimal'"
        )
    from pydoe import fullfact

    places = fullfact(np.array([len(c) for c in chosen])).astype(int)
    columns = zip(space.names, chosen, places.T, strict=True)
    return pd.DataFrame({name: values[at] for name, values, at in columns})


def fractional_factorial(
    space: Space, resolution: int = 4, generators: str | None = None
) -> tuple[pd.DataFrame, list[str]]:
    """Two levels of each factor in a fraction of the combinations, and which effects are aliased.

    Parameters
    ----------
    resolution : int
        3: main effects are aliased with products of two factors; 4: only such products with each
        other; 5: neither. The smallest design that reaches it.
    generators : str, optional
        Instead: one word a factor, ``"a b c ab"``.
    """
    import pydoe

    factors = _plain(space, "fractional_factorial")
    _need_two(factors)
    if generators is not None:
        words = generators.split()
        if len(words) != len(factors):
            raise SpaceError(
                f"generators={generators!r} are {len(words)} words for {len(factors)} factors "
                f"({', '.join(space.names)}); give one each"
            )
        coded = _asked(
            lambda: pydoe.fracfact(generators), "write one word a factor, such as 'a b ab'"
        )
        if coded.shape[1] != len(factors):
            raise SpaceError(
                f"generators={generators!r} make {coded.shape[1]} columns for {len(factors)} "
                "factors; write one word of letters each, such as 'a b ab'"
            )
    elif len(factors) < 3:
        coded = pydoe.ff2n(len(factors))
    else:
        if resolution not in (3, 4, 5):
            raise SpaceError(f"resolution={resolution!r} must be 3, 4 or 5")
        coded = _asked(
            lambda: pydoe.fracfact_by_res(len(factors), int(resolution)), "take kind='d_optimal'"
        )
    notes = []
    if len(factors) > 2 and len(coded) < 2 ** len(factors):
        notes = (_aliases if len(factors) <= LISTED else _mixed)(coded, space.names)
    return _at(factors, coded), notes


def plackett_burman(space: Space) -> tuple[pd.DataFrame, list[str]]:
    """Two levels of each factor in few runs, a multiple of four, and what main effects mix with."""
    factors = _plain(space, "plackett_burman")
    _need_two(factors)
    coded = _screening(len(factors))
    return _at(factors, coded), _mixed(coded, space.names)


def _screening(factors: int) -> np.ndarray:
    """The smallest design of main effects that there is for so many factors, or for more."""
    from pydoe import pbdesign

    for more in range(factors, 2 * factors + 4):  # a power of two is among them
        try:
            return np.asarray(pbdesign(more))[:, :factors]
        except ValueError:  # not every multiple of four is known there
            continue
    raise SpaceError(f"no screening design of {factors} factors; take kind='d_optimal'")


def central_composite(space: Space, face: str = "inscribed", center: int = 4) -> pd.DataFrame:
    """Factorial corners, star points and centres, for a quadratic model of numbers.

    Parameters
    ----------
    face : {"inscribed", "faced"}
        Star points at the bounds and corners inside (rotatable, five levels), or both at the
        bounds (three levels).
    center : int
        Repeats of the central point.
    """
    if face not in ("inscribed", "faced"):
        raise SpaceError(
            unknown(face, ("inscribed", "faced"), "value of face")
            + " Star points beyond the bounds are no settings of this space"
        )
    from pydoe import ccdesign

    def coded(count: int) -> np.ndarray:
        made = ccdesign(count, center=(0, _count(center)), alpha="r", face=face)  # pyright: ignore
        return np.asarray(made)

    return _crossed(space, "central_composite", 2, coded)


def box_behnken(space: Space, center: int = 3) -> pd.DataFrame:
    """Middles of the edges and centres: three levels, no corner, for a quadratic model."""
    from pydoe import bbdesign

    return _crossed(
        space, "box_behnken", 3, lambda count: np.asarray(bbdesign(count, center=_count(center)))
    )


def _crossed(
    space: Space, kind: str, least: int, coded: Callable[[int], np.ndarray]
) -> pd.DataFrame:
    """A design of the numbers for every combination of the categories."""
    factors = _plain(space, kind)
    numbers = [f for f in factors if f.kind == "number"]
    texts = [f for f in factors if f.kind == "text"]
    if len(numbers) < least:
        raise SpaceError(
            f"kind={kind!r} needs {least} factors that are numbers, this space has {len(numbers)}; "
            "take kind='full_factorial' or kind='d_optimal'"
        )
    design = coded(len(numbers))
    for i, f in enumerate(numbers):
        _check_levels(f, design[:, i])
    base = _at(numbers, design)
    parts = []
    for values in itertools.product(*(list(f.levels) for f in texts)):  # pyright: ignore
        parts.append(base.assign(**{f.name: v for f, v in zip(texts, values, strict=True)}))
    return pd.concat(parts, ignore_index=True).loc[:, space.names]


def _plain(space: Space, kind: str) -> list[fac.Factor]:
    """The factors, none of which belongs to a mixture."""
    for block in space.blocks:
        if isinstance(block, Mixture):
            raise SpaceError(
                f"kind={kind!r} sets factors apart from each other, which the parts of "
                f"{block.name} cannot be; take kind='d_optimal' or kind='i_optimal'"
            )
    return list(space.factors)


def _need_two(factors: list[fac.Factor]) -> None:
    for f in factors:
        if f.kind == "text" and len(fac_levels(f)) > 2:
            raise SpaceError(
                f"{f.name} has {len(fac_levels(f))} values, and this design two levels; take "
                "kind='full_factorial' or kind='d_optimal'"
            )


def fac_levels(factor: fac.Factor) -> np.ndarray:
    """Legal values of a factor that has a list of them."""
    assert factor.levels is not None
    return factor.levels


def _check_levels(f: fac.Factor, coded: np.ndarray) -> None:
    """Refuse a factor whose steps or values merge the coded levels, or set them much apart."""
    wanted = _distinct(coded)
    if f.levels is None or _reached(f, wanted).all():
        return
    faced = len(wanted) > 3 and _reached(f, np.array([0.0, 0.5, 1.0])).all()
    mend = "take face='faced', or kind='d_optimal'" if faced else "take kind='d_optimal'"
    needed = {3: "three", 5: "five"}.get(len(wanted), str(len(wanted)))
    if len(f.levels) < len(wanted):
        raise SpaceError(
            f"{f.name} has {len(f.levels)} levels, and this design needs {needed}; {mend}"
        )
    inner = wanted[1:-1]  # the ends are levels always
    far = scales.number(f, inner[~_reached(f, wanted)[1:-1]])
    raise SpaceError(
        f"{f.name} has no levels near {', '.join(f'{v:.4g}' for v in far)}, and this design needs "
        f"{needed} apart from each other; {mend}"
    )


def _distinct(coded: np.ndarray) -> np.ndarray:
    """The places on [0, 1] that a coded column takes, in rising order."""
    return np.unique(np.round((coded + 1) / 2, 9))


def _reached(f: fac.Factor, wanted: np.ndarray) -> np.ndarray:
    """Where the nearest level is near, and no other place's too."""
    found = scales.place(f, _from_places(f, wanted).astype(float))
    alone = np.array([(np.abs(found - at) < 1e-9).sum() == 1 for at in found])
    return alone & (np.abs(found - wanted) <= NEAR)


def _spread(f: fac.Factor, levels: int) -> np.ndarray:
    if f.levels is not None and (f.kind == "text" or len(f.levels) <= levels):
        return f.levels
    return _from_places(f, np.linspace(0, 1, levels))


def _at(factors: list[fac.Factor], coded: np.ndarray) -> pd.DataFrame:
    """Coded levels from -1 to 1 on the factors' scales."""
    return pd.DataFrame(
        {f.name: _from_places(f, (coded[:, i] + 1) / 2) for i, f in enumerate(factors)}
    )


def _from_places(f: fac.Factor, at: np.ndarray) -> np.ndarray:
    if f.kind == "text":
        return fac_levels(f)[np.rint(at * (len(fac_levels(f)) - 1)).astype(int)]
    return np.asarray(fac.snap(f, pd.Series(scales.number(f, at))))


def _count(center: Any) -> int:
    if isinstance(center, bool) or not isinstance(center, (int, np.integer)) or center < 1:
        raise SpaceError(f"center={center!r} must be a whole number from 1")
    return int(center)


def _asked(make: Callable[[], Any], mend: str) -> np.ndarray:
    try:
        return np.asarray(make())
    except (ValueError, IndexError) as problem:
        why = str(problem).rstrip(".")
        raise SpaceError(f"no such fractional factorial: {why}; {mend}") from None


def _aliases(coded: np.ndarray, names: list[str]) -> list[str]:
    """Which main effects and products of two factors cannot be told apart, a sentence a set."""
    effects = {name: coded[:, i] for i, name in enumerate(names)}
    for (i, a), (j, b) in itertools.combinations(enumerate(names), 2):
        effects[f"{a} * {b}"] = coded[:, i] * coded[:, j]
    sets: list[list[tuple[str, float]]] = []
    for name, column in effects.items():
        for known in sets:
            r = float(column @ effects[known[0][0]]) / len(coded)
            if abs(abs(r) - 1) < 1e-9:
                known.append((name, r))
                break
        else:
            sets.append([(name, 1.0)])
    return [
        "aliased: " + ", ".join(f"{'-' if r < 0 else ''}{n}" for n, r in known)
        for known in sets
        if len(known) > 1
    ]


def _mixed(coded: np.ndarray, names: list[str]) -> list[str]:
    """What main effects share with products of two factors, in one or two sentences."""
    pairs = itertools.combinations(range(len(names)), 2)
    products = np.array([coded[:, i] * coded[:, j] for i, j in pairs]).reshape(-1, len(coded))
    most = np.abs(products @ coded).max(axis=0, initial=0.0) / len(coded)
    wholly = most > 1 - 1e-9
    partly = (most > 1e-9) & ~wholly
    told = "; hold them for effects only where such products are small"
    if wholly.any() or partly.any():
        said = {"aliased": wholly, "aliased in part": partly}
        return [
            f"{what}: {which.sum()} of {len(names)} main effects with products of two factors{told}"
            for what, which in said.items()
            if which.any()
        ]
    signed = products * np.sign(products[:, :1])
    sets = len(np.unique(signed, axis=0))
    if sets == len(products):
        return []
    return [
        f"aliased: products of two factors with each other, {len(products)} of them in {sets} sets"
    ]
