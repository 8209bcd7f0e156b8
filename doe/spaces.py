"""Ready-made spaces."""

from __future__ import annotations

from .factors import Choice, Real
from .space import Space


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
