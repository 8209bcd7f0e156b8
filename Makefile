# `make demo` and `make test` set up what they need in .venv first; any Python 3.12 to 3.14 will do.
# A name on the PATH may be a stand-in that fails (pyenv), so each candidate is tried.
PYTHON ?= $(shell for p in python3.12 python3.13 python3.14 python3 python \
    "$(HOME)"/.pyenv/versions/3.1[234]*/bin/python "$(PYENV_ROOT)"/versions/3.1[234]*/bin/python \
    "$(HOME)"/.local/share/uv/python/*3.1[234]*/bin/python3 /opt/homebrew/bin/python3.1[234] \
    /usr/local/bin/python3.1[234] /opt/python*/bin/python3 "$(HOME)"/*conda3/bin/python \
    "$(HOME)"/miniforge3/bin/python /opt/*conda*/bin/python; do \
    "$$p" -c 'import sys, venv, ensurepip; sys.exit(not (3, 12) <= sys.version_info[:2] < (3, 15))' \
    >/dev/null 2>&1 && { command -v "$$p"; break; }; done)
READY := .venv/.ready

.PHONY: demo test lint types calibration benchmarks clean

demo: $(READY)
	.venv/bin/ssbayes demo

test: $(READY)
	.venv/bin/python -m pytest

lint: $(READY) types
	.venv/bin/python -m ruff check .
	.venv/bin/python -m pyright

# pyright does not follow an editable install; this link shows it the rooms as `ssbayes.*`
types:
	@mkdir -p build/types && { test -e build/types/ssbayes || ln -s ../.. build/types/ssbayes; }

calibration: $(READY)
	for model in milling capacity mixing mechanofusion annealing interphase fading compaction \
	    conduction composition cell slurry quality; do \
	    .venv/bin/python benchmarks/calibration.py $$model || exit 1; done
	.venv/bin/python benchmarks/transmission_line.py --prior-draws 400 --start 700000
	.venv/bin/python -m pytest -m slow

benchmarks: $(READY)
	@mkdir -p out
	.venv/bin/python benchmarks/speed.py
	.venv/bin/python benchmarks/sample_efficiency.py --mills 100 --jobs 2 --out out/efficiency.jsonl

$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "ssbayes needs Python 3.12 to 3.14 with venv and pip, and found none (python3 is: $$(python3 --version 2>&1 | head -1)). Install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 2; }
	@echo "setting up .venv with $(PYTHON) (some minutes, once)"
	@"$(PYTHON)" -m venv .venv
	.venv/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt -e ".[test]"
	@touch $@

clean:
	rm -rf build out .pytest_cache .ruff_cache .hypothesis
