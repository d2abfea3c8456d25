# Every development and CI task. `make demo` and `make test` need only python3 (3.11 or newer), make and git.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input
# CI has two cores; many tests wait for a process or a server, which leaves room for four workers.
JOBS ?= 4
# Modules are compiled once, not by each worker and by each of the hundreds of processes that the tests start.
unexport PYTHONDONTWRITEBYTECODE
# How long `make fuzz` searches for inputs; the check for superlinear run time adds about a minute.
FUZZ_SECONDS ?= 120

# Stamps of what is installed; a stamp newer than pyproject.toml is up to date.
DEMO := $(VENV)/.installed-demo
DEV := $(VENV)/.installed-dev
BENCH := $(VENV)/.installed-bench
# The engines bring many packages and a gigabyte, so they get an environment of their own.
ENGINES_VENV := $(VENV)-engines
ENGINES := $(ENGINES_VENV)/.installed

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(DEMO) ## watch a simulated fleet on an embedded nats-server
	@$(BIN)/lifecycle demo $(DEMO_ARGS)

.PHONY: test
test: drift lint types imports pytest ## run every check that a change must pass

.PHONY: pytest
pytest: $(DEV) ## run the tests only: make pytest ARGS='-k codec'
	@$(BIN)/python -m pytest -n $(JOBS) -m 'not slow' $(ARGS)

.PHONY: slow
slow: $(DEV) ## run the tests that are too slow for `make test`
	@$(BIN)/python -m pytest -n $(JOBS) -m slow $(ARGS)

.PHONY: soak
soak: $(DEV) ## run the service shutdown tests twenty times, and long faults of a stream
	@SOAK_ROUNDS=20 $(BIN)/python -m pytest -n $(JOBS) --timeout 600 tests/integration/test_service_*.py \
		tests/integration/test_late.py \
		tests/integration/test_run.py \
		tests/integration/test_stream_faults.py $(ARGS)

.PHONY: drift
drift: $(DEV) ## check that generated/ is up to date with schemas/
	@$(BIN)/python -m codegen drift

.PHONY: changes
changes: $(DEV) ## show how schemas/ differs from generated/, and whom it breaks: make changes ARGS='--against v0.1.0'
	@$(BIN)/python -m codegen changes $(ARGS)

.PHONY: generate
generate: $(DEV) ## write generated/ from schemas/
	@$(BIN)/python -m codegen generate

.PHONY: sync
sync: $(DEV) ## update schemas/ from upstream: make sync SYNC_ARGS='--from ../schemas --ref master'
	@$(BIN)/python -m codegen sync $(SYNC_ARGS)

.PHONY: lint
lint: $(DEV) ## run ruff: lint rules and formatting
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --quiet --check

.PHONY: format
format: $(DEV) ## format the code, fix lint findings, and report the rest
	@$(BIN)/ruff check --quiet --fix-only
	@$(BIN)/ruff format --quiet
	@$(BIN)/ruff check --quiet

.PHONY: types
types: $(DEV) ## run mypy --strict on all code but the tests, and pyright on what ships; all that is public is annotated
	@$(BIN)/mypy
	@$(BIN)/pyright --pythonpath $(BIN)/python
	@# --verifytypes ignores --pythonpath, and fails below 100 %.
	@PATH="$$(cd $(BIN) && pwd):$$PATH"; for package in choria_schemas choria_lifecycle; do \
		report="$$(pyright --verifytypes $$package --ignoreexternal)" \
			|| { echo "$$report" | sed '/^Public modules/,/^$$/d'; exit 1; }; done

.PHONY: imports
imports: $(DEV) ## check the import contracts of pyproject.toml
	@$(BIN)/lint-imports --no-logo

.PHONY: fuzz
fuzz: $(DEV) ## try hostile inputs for FUZZ_SECONDS, and check for superlinear run time
	@$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS) $(ARGS)

.PHONY: interop
interop: $(DEV) ## compare with go-choria: verdicts, parsing, broker; needs go
	@$(BIN)/python -m tests.interop $(ARGS)

.PHONY: bench
bench: $(BENCH) ## measure speed relative to peer libraries; writes tests/bench/RESULTS.md
	@$(BIN)/python -m tests.bench $(ARGS)

.PHONY: engines
engines: $(ENGINES) ## compare validation by Dask, Ray, Spark (needs java) and DuckDB with one process
	@$(ENGINES_VENV)/bin/python -m tests.engines $(ARGS)

.PHONY: clean
clean: ## remove everything that these targets create
	@rm -rf $(VENV) $(ENGINES_VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(f"{sys.executable} is Python {sys.version.split()[0]}; 3.11 or newer is required: make PYTHON=python3.12 ..." if sys.version_info < (3, 11) else 0)'
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

$(ENGINES): pyproject.toml | $(BIN)/python
	@echo "installing the engines into $(ENGINES_VENV) ..." >&2
	@$(BIN)/python -m venv --without-pip $(ENGINES_VENV)
	@$(PIP) --python $(ENGINES_VENV) install --editable '.[cli]' --group engines
	@touch $@
