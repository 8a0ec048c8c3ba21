# Everything is set up by the targets themselves; only Python 3.11 or newer and make are needed.
.DEFAULT_GOAL := help
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
READY := .venv/.ready
PEERS := .venv/.peers
PARALLEL ?= --numprocesses auto --maxprocesses 8 --dist worksteal
TESTS ?=

.PHONY: help demo test check bench lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-7s %s\n", $$1, $$2}' Makefile

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(READY) ## Three states of a small collection: history, time travel, differences, blame, PROV
	@$(BIN)/python -m samples.demo

test: $(READY) ## Run the tests (embedded PostgreSQL, or the server that DATABASE_URL names)
	@$(BIN)/python -m pytest $(PARALLEL) $(TESTS)

check: $(READY) ## Style, types and layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

$(PEERS): requirements-bench.lock $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.lock
	@touch $@

bench: $(READY) $(PEERS) ## Measure, beside the limits of the machine and the peers
	@$(BIN)/python -m benchmarks

lock: ## Choose dependency versions anew
	@$(PYTHON) -m venv .venv-lock && .venv-lock/bin/pip install --quiet uv
	@.venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-header --group dev pyproject.toml --output-file requirements.lock
	@.venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-header --constraint requirements.lock --group pyproject.toml:bench --output-file requirements-bench.lock
	@rm -rf .venv-lock

clean: ## Remove what the targets made
	@rm -rf .venv .venv-lock .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info
