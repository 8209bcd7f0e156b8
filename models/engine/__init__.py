"""The machinery that every model shares: one PyMC graph, its posterior and its fast response."""

from .arrays import expit, namespace
from .inputs import Inputs
from .lab_model import Factor, Group, LabModel, Outcome
from .priors import FAMILIES, Prior, PriorError

__all__ = [
    "FAMILIES", "Factor", "Group", "Inputs", "LabModel", "Outcome", "Prior", "PriorError",
    "expit", "namespace",
]
