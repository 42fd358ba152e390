# `make demo` and `make test` do all the set-up that they need, in .venv. `make PYTHON=/path/to/python3.12 test` picks a Python.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))
PYTHON ?= $(firstword $(foreach name,python3 python3.12 python3.11,$(shell $(name) -c '$(SUPPORTED)' 2> /dev/null && echo $(name))) python3)
LOWEST ?= python3.11
NEWEST ?= python3.12
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help install demo test quick bench lint lock ends clean

help:  ## list the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

install: $(INSTALLED)  ## make .venv and install everything there

$(VENV)/bin/python:
	@command -v $(PYTHON) > /dev/null || { echo "make: '$(PYTHON)' was not found; install Python 3.11 or 3.12, or name one: make PYTHON=/path/to/python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c '$(SUPPORTED)' || { echo "make: '$(PYTHON)' is not Python 3.11 or 3.12, which the project needs; name one: make PYTHON=/path/to/python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { echo "make: $(PYTHON) has no venv; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The stamp is newer than the lock and the project's declaration: nothing is installed twice.
$(INSTALLED): $(VENV)/bin/python requirements.lock requirements-no-deps.lock pyproject.toml
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --requirement requirements-no-deps.lock
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(INSTALLED)  ## curate the sample video and compare with what is known of it
	$(BIN)/gaia-curate run --source samples --out out/demo --preset embedded
	$(BIN)/gaia-curate stats out/demo
	$(BIN)/python samples/show_truth.py out/demo

test: lint  ## lint, then all tests
	$(BIN)/python -m pytest -n 3 --dist loadfile

quick: $(INSTALLED)  ## the tests that take seconds
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

bench: $(INSTALLED)  ## measure the speed on the sample video, a few minutes
	$(BIN)/python -m benchmarks.speed

lint: $(INSTALLED)  ## ruff, mypy and the arrows between the packages
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

lock: $(INSTALLED)  ## resolve requirements.lock anew from pyproject.toml
	$(BIN)/python .ci/lock.py > requirements.lock.new
	mv requirements.lock.new requirements.lock

ends:  ## install the lowest and the newest versions of pyproject.toml, and go all the way with each
	$(PYTHON) .ci/ends.py out/ends --lowest $(LOWEST) --newest $(NEWEST)

clean:  ## remove .venv, caches and what demo made
	rm -rf $(VENV) out build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
