"""Shared by all tests."""

import os

import pytest

# two cores are shared by the samplers' chains: nested threads only get in each other's way
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

SAME_MODEL = {
    name: model
    for model, names in {
        "mixing and capacity": (
            "01_milling.ipynb", "10_decide.ipynb", "test_mixing.py", "test_mixing_cells.py",
            "test_capacity.py", "test_physics_goals.py", "test_demo.py",
        ),
        "milling": ("test_engine.py", "test_milling.py", "test_priors.py"),
        "utilization": (
            "02_utilization.ipynb", "test_utilization.py", "tests/app/test_titration.py",
        ),
        "mechanofusion": ("03_carbon_black.ipynb", "test_mechanofusion.py"),
        "annealing": ("04_annealing.ipynb", "09_campaign.ipynb", "test_annealing.py"),
        "interphase": ("05_coating_ranking.ipynb", "test_interphase.py"),
        "pellets": ("06_pressing.ipynb", "test_compaction.py", "test_conduction.py"),
        "slurry": ("07_slurry.ipynb", "test_slurry.py"),
    }.items()
    for name in names
}
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
