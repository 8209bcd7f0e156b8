"""Shared by all tests."""

import os

import pytest

# two cores are shared by the samplers' chains: nested threads only get in each other's way
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

SAME_MODEL = {
    "test_mixing.py": "mixing and capacity", "test_mixing_cells.py": "mixing and capacity",
    "test_capacity.py": "mixing and capacity", "test_physics_goals.py": "mixing and capacity",
    "test_demo.py": "mixing and capacity",
    "test_engine.py": "milling", "test_milling.py": "milling", "test_priors.py": "milling",
    "test_utilization.py": "utilization", "tests/app/test_titration.py": "utilization",
}  # fmt: skip
"""Files that fit one model share a worker: its sampler takes some ten seconds to compile."""


def worker_share(nodeid: str) -> str:
    """What must stay in one worker: a file, or the files that fit one model."""
    path = nodeid.split("::", 1)[0]
    return SAME_MODEL.get(path, SAME_MODEL.get(path.rsplit("/", 1)[-1], path))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """As ``--dist loadfile``, but several files may go together."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class ByModel(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return worker_share(nodeid)

    return ByModel(config, log)
