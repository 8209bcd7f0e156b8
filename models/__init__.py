"""Models of the process steps, each with its physics, its priors and its hierarchy."""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from .engine.fit import Fit
    from .engine.lab_model import LabModel
    from .engine.priors import Prior

NAMES = ("milling", "capacity", "mixing", "utilization", "fading", "annealing", "mechanofusion",
         "impedance", "interphase", "cell")

__all__ = ["NAMES", "Fit", "LabModel", "Prior", "catalog", "get"]


def get(name: str, **priors: Any) -> LabModel:
    """Return a model by name, with some priors replaced.

    Parameters
    ----------
    name
        A name in ``catalog()``.
    **priors
        ``parameter=(numbers …)`` or ``parameter=Prior(…)``, see ``LabModel.with_priors``.

    Raises
    ------
    ValueError
        If there is no such model (with the nearest name) or no such parameter.
    """
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"{name!r} is no model{hint} There are: {', '.join(NAMES)}")
    return import_module(f".{name}", __package__).MODEL.with_priors(**priors)


def catalog() -> pd.DataFrame:
    """All models: name, factors, outcomes, what it is, source."""
    import pandas as pd

    rows = []
    for name in NAMES:
        model = get(name)
        rows.append({
            "name": name, "factors": ", ".join(f.name for f in model.factors),
            "groups": ", ".join(g.name for g in model.groups),
            "outcomes": ", ".join(o.name for o in model.outcomes),
            "what": model.what, "source": model.source,
        })
    return pd.DataFrame(rows)


def __getattr__(name: str) -> Any:
    if name == "Fit":
        from .engine.fit import Fit

        return Fit
    if name in {"LabModel", "Prior", "Factor", "Group", "Outcome"}:
        return getattr(import_module(".engine", __package__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
