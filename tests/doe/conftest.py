"""Shared by the tests of this room."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from ssbayes.doe import strategies

HERE = Path(__file__).parent


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261)


@pytest.fixture
def calls(monkeypatch):
    """The fake strategy in place of the real one; the fixture is the list of its calls."""
    spec = importlib.util.spec_from_file_location("fake_strategy", HERE / "fake_strategy.py")
    assert spec is not None
    assert spec.loader is not None
    fake = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fake)
    monkeypatch.setattr(strategies, "proposer", lambda name: fake.propose)
    monkeypatch.setattr(strategies, "estimator", fake.estimator)
    return fake.CALLS
