"""Every notebook is a test: its cells run in order, and no warning is let through.

They run in the test process, each in a shell of its own, so that a sampler that a notebook and a
test both need is compiled once.
"""

import io
import json
import os

import pytest

os.environ.setdefault("MPLBACKEND", "Agg")


def pytest_collect_file(file_path, parent):
    if file_path.suffix == ".ipynb":
        return NotebookFile.from_parent(parent, path=file_path)
    return None


class NotebookFile(pytest.File):
    def collect(self):
        yield Notebook.from_parent(self, name=self.path.name)


class Notebook(pytest.Item):
    def runtest(self):
        from IPython.core.interactiveshell import InteractiveShell
        from traitlets.config import Config

        cells = json.loads(self.path.read_text(encoding="utf-8"))["cells"]
        cells = [c for c in cells if c["cell_type"] == "code"]
        shell = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
        here = os.getcwd()
        os.chdir(self.path.parent)
        try:
            for k, cell in enumerate(cells, 1):
                done = shell.run_cell("".join(cell["source"]), store_history=True)
                error = done.error_before_exec or done.error_in_exec
                if error is not None:
                    error.add_note(f"in code cell {k} of {self.path.name}")
                    raise error
                draw_figures()
        finally:
            os.chdir(here)
            shell.restore_sys_module_state()

    def reportinfo(self):
        return self.path, None, self.name


def draw_figures():
    """As a notebook does at the end of a cell."""
    from matplotlib import pyplot as plt

    for number in plt.get_fignums():
        plt.figure(number).savefig(io.BytesIO())
    plt.close("all")
