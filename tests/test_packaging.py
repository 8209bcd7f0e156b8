"""The layout keeps its promises: packages by hand, arrows one way, imports that load little."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ["data", "models", "doe", "app"]
LATE = ["pymc", "jax", "nutpie", "numpyro", "skopt", "arviz", "matplotlib", "numba"]


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def sources(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def test_the_package_list_names_every_folder_with_code():
    folders = {file.parent for room in ROOMS for file in sources(room)}
    found = {"ssbayes." + ".".join(f.relative_to(ROOT).parts) for f in folders}
    assert set(project()["tool"]["setuptools"]["packages"]) == found


def test_every_package_is_importable_by_its_init():
    for room in ROOMS:
        for file in sources(room):
            assert (file.parent / "__init__.py").exists(), file.parent


def test_there_is_no_package_at_the_top():
    assert not (ROOT / "__init__.py").exists()
    assert not (ROOT / "ssbayes").exists()


def rooms_imported(file: Path, room: str) -> set[str]:
    """Rooms that a file imports from, its own left out."""
    depth = len(file.relative_to(ROOT).parts)
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level == depth:
                names = [module] if module else [alias.name for alias in node.names]
            elif node.level == 0:
                names = [f"{module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            parts = name.removeprefix("ssbayes.").split(".")
            if (getattr(node, "level", 0) or name.startswith("ssbayes.")) and parts[0] in ROOMS:
                found.add(parts[0])
    return found - {room}


@pytest.mark.parametrize("room", ROOMS)
def test_arrows_never_run_back(room):
    allowed = set(ROOMS[: ROOMS.index(room)])
    for file in sources(room):
        assert rooms_imported(file, room) <= allowed, file.relative_to(ROOT)


def test_importing_a_room_loads_no_engine():
    """One process, one room after the other: each brings nothing heavy to those before it."""
    rooms = {"data": [*LATE, "pytensor", "scipy", "openpyxl"], "models": [*LATE, "pytensor"],
             "doe": LATE, "doe.propose": LATE, "app.cli": LATE}
    code = (f"import sys, importlib\nfor room, late in {rooms}.items():\n"
            "    room = importlib.import_module('ssbayes.' + room)\n"
            "    getattr(room, 'catalog', None)\n"
            "    print([m for m in late if m in sys.modules])")
    told = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True,
                          text=True, check=True)
    assert told.stderr == ""
    found = dict(zip(rooms, told.stdout.splitlines(), strict=True))
    assert found == dict.fromkeys(rooms, "[]")


def test_no_process_is_forked():
    """A fork after JAX was imported may hang for ever; a new process is spawned."""
    pool = re.compile(r"ProcessPoolExecutor\(([^)]*)\)")
    files = [*(ROOT / "benchmarks").glob("*.py"), *(f for room in ROOMS for f in sources(room))]
    given = []
    for file in files:
        text = file.read_text(encoding="utf-8")
        bad = r"os\.fork|[\"'](fork|forkserver)[\"']|multiprocessing\.(Pool|Process)\("
        assert not re.search(bad, text), file
        given += pool.findall(text)
    assert given and all("mp_context" in each for each in given)


def test_jax_keeps_its_default_precision_until_an_engine_is_used():
    code = ("import jax; from ssbayes import data, models, doe; "
            "models.get('capacity').columns; print(jax.config.jax_enable_x64)")
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"


def test_build_files_name_no_host():
    for name in ["pyproject.toml", "constraints.txt", "Makefile", ".ci/run"]:
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "://" not in text, name
        assert "index-url" not in text, name


def test_constraints_are_exact_and_cover_the_dependencies():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    have = {name.lower().replace("_", "-") for name in pins}
    body = project()["project"]
    for wanted in [*body["dependencies"], *body["optional-dependencies"]["test"]]:
        name = wanted.split(">")[0].split("<")[0].split("=")[0].strip()
        assert name in have, wanted


def test_the_test_command_is_the_readmes():
    told = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert told[-1] == "make test"
    assert "    make test" in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()


def test_the_readmes_code_uses_names_that_exist():
    from ssbayes import data, doe, models

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) >= 4
    rooms = {"data": data, "doe": doe, "models": models}
    used = {
        (node.value.id, node.attr)
        for block in blocks
        for node in ast.walk(ast.parse(block))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    for room, name in used:
        if room in rooms:
            assert hasattr(rooms[room], name), f"{room}.{name}"
        elif room == "campaign":
            assert hasattr(doe.Campaign, name), f"{room}.{name}"
        elif room == "fit":
            assert hasattr(models.Fit, name), f"{room}.{name}"
