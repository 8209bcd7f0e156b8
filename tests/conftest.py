"""Shared by all tests."""

import os

# two cores are shared by the samplers' chains: nested threads only get in each other's way
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
