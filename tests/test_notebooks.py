"""Notebooks are tests (`notebooks/conftest.py`): one that stops or warns is told with its cell."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["x = 1", "assert x == 2"], "in code cell 2 of some.ipynb"),
        (["x = 1", "x = ("], "in code cell 2 of some.ipynb"),
        (["import warnings", "warnings.warn('old')"], "in code cell 2 of some.ipynb"),
        (["x = 1", "assert x == 1\nfrom pathlib import Path\nPath('some.ipynb').stat()"], ""),
    ],
)
def test_a_notebook_fails_where_one_of_its_cells_does(tmp_path, cells, said):
    shutil.copy(ROOT / "notebooks" / "conftest.py", tmp_path)
    body = {"cells": [{"cell_type": "code", "source": [c]} for c in cells]}
    (tmp_path / "some.ipynb").write_text(json.dumps(body), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-W", "error", "--rootdir", tmp_path, tmp_path],
        capture_output=True, text=True, cwd=tmp_path, timeout=120,
    )  # fmt: skip
    assert (done.returncode == 0) == (not said), done.stdout
    assert said in done.stdout


def test_every_notebook_is_collected():
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n", "0", "notebooks"],
        capture_output=True, text=True, cwd=ROOT, timeout=120,
    )  # fmt: skip
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert f"notebooks/{path.name}: 1" in done.stdout
