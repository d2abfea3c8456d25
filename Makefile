# Everything a person or CI runs. `make demo` and `make test` need only python3 (3.11 or newer), make and git.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input
# Two cores are what CI has; many tests wait for a process or a server, so that a third worker has something to do.
JOBS ?= 3
# How long `make fuzz` looks for inputs; whether time grows faster than the input comes on top, about a minute.
FUZZ_SECONDS ?= 120

# One stamp for what is installed: newer than pyproject.toml means there is nothing to do.
DEMO := $(VENV)/.installed-demo
DEV := $(VENV)/.installed-dev
BENCH := $(VENV)/.installed-bench

.PHONY: help
help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(DEMO) ## a simulated fleet on an embedded nats-server, seen through the viewer
	@$(BIN)/lifecycle demo $(DEMO_ARGS)

.PHONY: test
test: drift lint types imports pytest ## everything that must hold before a change lands

.PHONY: pytest
pytest: $(DEV) ## the tests alone, for example: make pytest ARGS='-k codec'
	@$(BIN)/python -m pytest -n $(JOBS) $(ARGS)

.PHONY: soak
soak: $(DEV) ## every way in which a process with a service ends, twenty times, and what takes too long for test
	@SOAK_ROUNDS=20 $(BIN)/python -m pytest -n $(JOBS) --timeout 600 tests/integration/test_service_*.py \
		tests/integration/test_run.py \
		tests/integration/test_tally.py::test_brokers_whose_jetstream_is_not_ready $(ARGS)

.PHONY: drift
drift: $(DEV) ## does generated/ say what schemas/ say?
	@$(BIN)/python -m codegen drift

.PHONY: generate
generate: $(DEV) ## write generated/ from schemas/
	@$(BIN)/python -m codegen generate

.PHONY: sync
sync: $(DEV) ## bring schemas/ up to upstream: make sync SYNC_ARGS='--from ../schemas --ref master'
	@$(BIN)/python -m codegen sync $(SYNC_ARGS)

.PHONY: lint
lint: $(DEV) ## ruff: lint and format
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --quiet --check

.PHONY: format
format: $(DEV) ## let ruff mend what it can
	@$(BIN)/ruff check --quiet --fix
	@$(BIN)/ruff format --quiet

.PHONY: types
types: $(DEV) ## mypy --strict and pyright on both packages
	@$(BIN)/mypy
	@$(BIN)/pyright --pythonpath $(BIN)/python

.PHONY: imports
imports: $(DEV) ## the import contracts of pyproject.toml
	@$(BIN)/lint-imports --no-logo

.PHONY: fuzz
fuzz: $(DEV) ## hostile inputs for FUZZ_SECONDS, and does anything grow faster than its input?
	@$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS) $(ARGS)

.PHONY: interop
interop: $(DEV) ## both ways with go-choria itself: its verdicts, its reading, its broker; needs go
	@$(BIN)/python -m tests.interop $(ARGS)

.PHONY: bench
bench: $(BENCH) ## speed, as ratios against named peers, written to tests/bench/RESULTS.md
	@$(BIN)/python -m tests.bench $(ARGS)

.PHONY: clean
clean: ## remove what these targets made
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(f"{sys.executable} is Python {sys.version.split()[0]}; 3.11 or newer is needed: make PYTHON=python3.12 ..." if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install 'pip>=25.1'

$(DEMO): pyproject.toml | $(BIN)/python
	@echo "installing into $(VENV) ..." >&2
	@$(PIP) install --editable '.[demo]'
	@touch $@

$(DEV): pyproject.toml | $(BIN)/python
	@echo "installing into $(VENV), with the development tools ..." >&2
	@$(PIP) install --editable '.[demo]' --group dev
	@touch $@ $(DEMO)

$(BENCH): $(DEV)
	@$(PIP) install --group bench
	@touch $@
