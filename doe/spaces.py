"""Ready-made spaces: bounds are the extremes that were tried, regions known to be bad are said.

>>> from ssbayes import doe
>>> doe.spaces.mechanofusion().hard
['rpm', 'electrolyte_parts', 'cb_parts', 'premix_rpm', 'premix_min']
"""

from __future__ import annotations

from collections.abc import Sequence

from .errors import SpaceError
from .factors import Choice, Factor, Real
from .space import Space

NAMES = ("milling", "mechanofusion", "annealing", "slurry")
"""Ready-made spaces that need no argument."""
PUBLISHED_PREMIX = {"premix_rpm": 5000.0, "premix_min": 10.0}
"""Premixing of carbon and electrolyte as published, 1/min and min: Kissel (2025), doctoral thesis,
line 1402."""
SMALLEST_CARBON = 0.05
"""Step of the carbon content in parts: 0.01 g, what a balance tells, in a batch of 20 g."""


def milling() -> Space:
    """Planetary milling of composite cathodes: speed, time and bead size.

    Ranges of the published experiments. Milling beyond 20 min at 800 rpm and more is forbidden: it
    brought strong heat and degraded the sulfide electrolyte (doi:10.1002/smll.202507279).
    """
    return Space(
        [
            Real("rpm", 200, 1000),
            Real("milling_min", 5, 300, log=True),
            Choice("bead_mm", [1.75, 3.0, 5.0]),
        ],
        forbidden=["rpm >= 800 and milling_min > 20"],
    )


def mechanofusion(*, premix: bool = True, polycrystalline: bool = False) -> Space:
    """Coating of active material with electrolyte and carbon in a high-intensity mixer.

    Rotor speed, time, electrolyte and carbon content, and the premixing of carbon with electrolyte,
    which is void without carbon. Speed, composition and premixing are hard to change: one run at
    fixed speed and composition gives samples after up to four times (5, 10, 30, 60 min were
    taken), so suggestions of one batch come in runs of four. The bounds are the extremes tried,
    but for premixing, which was always at 5000 1/min for 10 min; its bounds are a choice around
    that. Carbon beyond 0.2 of the electrolyte mass is refused: no composition held more.

    Parameters
    ----------
    premix : bool
        Whether premixing is a factor; without it, it is as in `PUBLISHED_PREMIX`.
    polycrystalline : bool
        Whether the active material has grain boundaries that a fast rotor may open.

    Returns
    -------
    Space
        ``rpm`` 1000 to 10 000 1/min (log), ``milling_min`` 5 to 60 min (log),
        ``electrolyte_parts`` 1 to 20 (log), ``cb_parts`` 0 to 3 (square root, in steps of 0.05),
        ``premix_rpm`` and ``premix_min`` if ``cb_parts > 0``. The regions in ``soft`` are allowed:
        no cell was built away from 10 000 1/min, 60 min and 20 parts, so what they cost a cell is
        not known.

    Notes
    -----
    Kissel (2025), doctoral thesis: factors and levels, lines 1187 to 1204 and 1402; coverage,
    1255 to 1297; carbon, 1323 to 1370; broken particles, 1311 and 3340.
    """
    factors: list[Factor] = [
        Real("rpm", 1000, 10_000, log=True, hard=True),
        Real("milling_min", 5, 60, log=True),
        Real("electrolyte_parts", 1, 20, log=True, hard=True),
        Real("cb_parts", 0, 3, step=SMALLEST_CARBON, sqrt=True, hard=True),
    ]
    if premix:
        carbon = "cb_parts > 0"
        factors += [
            Real("premix_rpm", 1000, 10_000, log=True, hard=True, only_if=carbon),
            Real("premix_min", 2, 60, log=True, hard=True, only_if=carbon),
        ]
    soft = {
        "rpm <= 2500": "coverage stayed below 97 % within 60 min, and free electrolyte was left at "
        "1000 1/min (thesis of Kissel, 2025, lines 1257 and 1297)",
        "electrolyte_parts < 2": "a shell of about 5 nm protects but is no conducting matrix "
        "(lines 1232 and 1236)",
        "cb_parts >= 0.05 * electrolyte_parts": "carbon percolates between 2 and 5 % of the "
        "electrolyte; at 20 parts of electrolyte, 1 part and more lost capacity at 1C and held "
        "82 % or less of it over 80 cycles (lines 1345 and 3370)",
        "cb_parts >= 0.1 * electrolyte_parts": "pellets of such a matrix kept 25 to 30 % pores, "
        "and utilization fell with cycling (line 1370)",
    }
    if polycrystalline:
        soft["rpm >= 10000 and milling_min >= 60"] = (
            "a few of the largest polycrystalline particles broke (lines 1311 and 3340); gentler "
            "limits are not known"
        )
    return Space(factors, ["cb_parts <= 0.2 * electrolyte_parts"], soft=soft, per_run=4)


def annealing(
    *, precursor_wt_pct: float | Sequence[float] = 1.0, whole_range: bool = False
) -> Space:
    """Annealing of a sulfide-coated active material in oxygen: temperature, hold time, oxygen.

    Parameters
    ----------
    precursor_wt_pct : float or (low, high)
        Coating precursor by mass of powder, %; 1 was tried. Two bounds make it a factor: then
        temperature, time and gas are shared by the up to four powders of one furnace run, and only
        the precursor differs between them.
    whole_range : bool
        All temperatures tried (25 to 700 degC) instead of those at which something is to be
        gained.

    Returns
    -------
    Space
        ``anneal_degC`` 200 to 500 degC; ``anneal_h`` 1 to 10 h (log), of which only 1 h is printed
        and 10 h is a choice, one night; ``o2_fraction`` 0.21 (synthetic air) to 1 (oxygen); 2 K/min
        belongs to all. What is outside the main range, and hold times that lose coverage, is in
        ``soft``.

    Notes
    -----
    Kissel (2025), doctoral thesis: process, lines 1744 to 1746; temperatures, 1775 and 1802;
    incomplete below and lost above, 1781 to 1858; time and oxygen, 3447 and 3456.
    """
    shared = not isinstance(precursor_wt_pct, (int, float))
    low, high = (25, 700) if whole_range else (200, 500)
    factors: list[Factor] = [
        Real("anneal_degC", low, high, hard=shared),
        Real("anneal_h", 1, 10, log=True, hard=shared),
        Real("o2_fraction", 0.21, 1.0, hard=shared),
    ]
    soft = {
        "anneal_degC <= 200": "after 1 h in air oxidation was incomplete and the first cycle less "
        "efficient than that of the bare powder (thesis of Kissel, 2025, line 1832)",
        "anneal_degC >= 400 and anneal_h > 1": "coverage falls with time, read at 400 degC (line "
        "3447)",
    }
    if whole_range:
        soft["anneal_degC > 500"] = (
            "the coating evaporates and gathers in islands (lines 1787 and 1822)"
        )
    fixed = {}
    if shared:
        bounds = list(precursor_wt_pct)
        if len(bounds) != 2:
            raise SpaceError(
                f"precursor_wt_pct={bounds} must be one number or two bounds, such as (0.5, 2)"
            )
        factors.append(Real("precursor_wt_pct", bounds[0], bounds[1], log=True))
    else:
        fixed = {"precursor_wt_pct": float(precursor_wt_pct)}
    return Space(factors, fixed=fixed, soft=soft, per_run=4 if shared else None)


def slurry(*, whole_range: bool = False, sheets_per_slurry: int = 2) -> Space:
    """Casting of composite cathodes: size of the active material, solid content, blade gap.

    A slurry is one active material at one solid content, and its sheets differ in the gap. A gap of
    100 um is forbidden for the coarser material: such sheets were unstable and short-circuited.

    Parameters
    ----------
    whole_range : bool
        Solid contents up to 63.5 %, just below what a binder solution of 5 % can reach, instead of
        those tried.
    sheets_per_slurry : int
        Sheets that are coated from one slurry; a choice, for the source coated one.

    Returns
    -------
    Space
        ``active_d50_um`` 4 or 6 um, ``solid_content_pct`` 48 to 52 % in steps of 0.5 (both hard to
        change), ``gap_um`` 100 to 300 um in steps of 10. The source tried one gap for each
        material, so 4 um with more than 100 um was never made (``models.aliasing``).

    Notes
    -----
    Alabdali et al. (2024), doi:10.1002/batt.202400709: materials, line 59; solid contents, gaps and
    the failed sheet, line 61; standing slurries, line 135.
    """
    factors: list[Factor] = [
        Choice("active_d50_um", [4.0, 6.0], hard=True),
        Real("solid_content_pct", 48, 63.5 if whole_range else 52, step=0.5, hard=True),
        Real("gap_um", 100, 300, step=10),
    ]
    soft = {}
    if whole_range:
        soft["solid_content_pct > 52"] = (
            "above what was tried (line 61); viscosity rises with solids, and nothing was cast"
        )
    return Space(
        factors,
        forbidden=["active_d50_um >= 6 and gap_um <= 100"],
        soft=soft,
        per_run=sheets_per_slurry,
    )
