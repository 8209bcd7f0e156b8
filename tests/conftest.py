"""Shared by all tests."""

import os

import pytest

# two cores are shared by the samplers' chains: nested threads only get in each other's way
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

SAME_MODEL = {
    "test_mixing.py": "mixing", "test_mixing_cells.py": "mixing", "test_triage.py": "mixing",
    "test_capacity.py": "capacity", "test_demo.py": "capacity", "test_campaign.py": "capacity",
    "test_physics_goals.py": "capacity",
}  # fmt: skip
"""Files that fit the same model share a worker: a sampler takes some ten seconds to compile."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """A file, or several that fit the same model, stay in one worker, in their order."""
    for item in items:
        group = SAME_MODEL.get(item.path.name, str(item.path))
        item.add_marker(pytest.mark.xdist_group(group))
