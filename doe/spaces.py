"""Ready-made spaces."""

from __future__ import annotations

from .factors import Choice, Real
from .space import Space


def milling() -> Space:
    """Planetary milling of composite cathodes: speed, time and bead size.

    High speed for long is forbidden: beyond about 20 min at 800 rpm and more, milling damages
    the electrolyte and overheats the bowl.
    """
    return Space(
        [
            Real("rpm", 200, 1000),
            Real("milling_min", 5, 300, log=True),
            Choice("bead_mm", [1.75, 3.0, 5.0]),
        ],
        forbidden=["rpm >= 800 and milling_min > 20"],
    )
