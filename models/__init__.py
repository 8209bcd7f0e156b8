"""Models of the process steps, each with its physics, its priors and its hierarchy."""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import pandas as pd

    from .chains import Chain
    from .engine.fit import Fit
    from .engine.lab_model import LabModel
    from .engine.priors import Prior

NAMES = ("milling", "capacity", "mixing", "utilization", "fading", "annealing", "mechanofusion",
         "impedance", "interphase", "quality", "cell", "compaction", "conduction", "composition",
         "slurry", "transmission_line")

__all__ = ["NAMES", "Fit", "LabModel", "Prior", "catalog", "chain", "get"]


def get(name: str, **priors: Any) -> LabModel:
    """Return a model by name, with some priors replaced.

    Parameters
    ----------
    name
        A name in ``catalog()``, or of a chain: ``"milling+capacity+cell"``, for another material
        ``"milling+capacity+cell for electrolyte: Li3InCl6"``.
    **priors
        ``parameter=(numbers …)`` or ``parameter=Prior(…)``, see ``LabModel.with_priors``.

    Raises
    ------
    ValueError
        If there is no such model (with the nearest name) or no such parameter.
    """
    if "+" in name:
        from .chains import named

        return named(name).with_priors(**priors)
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise ValueError(f"{name!r} is no model{hint} There are: {', '.join(NAMES)}")
    return import_module(f".{name}", __package__).MODEL.with_priors(**priors)


def chain(*steps: str | LabModel, material: str | None = None, **priors: Any) -> Chain:
    """Models of successive process steps as one model: one fit, one response.

    Parameters
    ----------
    *steps
        Names of models, or models, in the order of the process. What one gives the next takes.
    material
        What the chain is used for, in parts ``role: name`` (``"active: NCM82; electrolyte:
        Li3InCl6"``); a role that is not named, and all if not given, is that of the first step
        that names it. Steps that were learned on another material get a study effect.
    **priors
        As in ``get``.

    Returns
    -------
    Chain
        A ``LabModel`` with ``links()``; ``models.get(chain.name)`` returns it again.

    Raises
    ------
    ValueError
        If a link is missing (with its column and the nearest model that gives it), the order is
        wrong, or two steps give one column.
    """
    from .chains import compose

    return cast("Chain", compose(steps, material).with_priors(**priors))


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
