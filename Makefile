# One command each: make demo, make test, make check, make bench.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check bench clean
.DEFAULT_GOAL := demo

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "runner needs Python 3.11 or newer")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-test: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "runner needs Python 3.11 or newer")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,check]'
	@touch $@ $(VENV)/.installed

demo: $(VENV)/.installed   ## install, then make one emulated video
	@$(BIN)/python -m runner

test: $(VENV)/.installed-test   ## run every test
	@$(BIN)/python -m pytest

check: $(VENV)/.installed-test   ## lint, format and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: $(VENV)/.installed-test   ## measure against a bare SDK script, side by side
	@$(BIN)/python tests/benchmarks/bench.py

clean:   ## remove the virtual environment and the caches; outputs/ stays
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache build dist
