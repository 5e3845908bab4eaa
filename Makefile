# Everything a person or a CI machine runs. `make` alone lists it.
#
# A stamp file in the environment stands for each step that is done, so a second run costs no time; delete .venv to start again.

VENV := .venv
BIN := $(VENV)/bin
# The machine's uv if it has one, else the locked one in the environment.
UV = $(or $(shell command -v uv 2>/dev/null),$(BIN)/uv)
# More arguments for a tool: make test ARGS="-k calendar"
ARGS ?=
CODE := agent bench bots config inference mcp_servers nano tests
SHELL := /bin/bash

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup chat test check bench nano schemas lock format clean

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## Make .venv with everything locked in it (the others do this by themselves)

chat: setup ## Talk to Variet in a throw-away home with a week of sample events and mails
	@$(BIN)/variet chat --demo $(ARGS)

test: setup ## Run all tests (ARGS="-k name" for some)
	@$(BIN)/python -m pytest $(ARGS)

check: setup ## Lint, formatting, strict types, import rules (all of them, also when one fails)
	@failed=""; \
	for each in "ruff check ." "ruff format --check ." "basedpyright" "lint-imports --no-cache"; do \
	  echo "== $$each"; $(BIN)/$$each || failed="$$failed; $$each"; done; \
	if [ -n "$$failed" ]; then echo "failed: $${failed#; }" >&2; exit 1; fi

bench: setup ## Measure a start, and what the engine adds to a request, a stream and a swap, beside the direct figures
	@$(BIN)/python -m bench $(ARGS)

nano: ## Generate, train, export and score the small model that ships (an environment of its own, .venv-nano)
	@$(MAKE) --no-print-directory -C nano ARGS="$(ARGS)"

schemas: setup ## Write the JSON Schemas of the settings files
	@$(BIN)/python -m config.editors

format: setup ## Format all code
	@$(BIN)/ruff check --quiet --fix-only . ; $(BIN)/ruff format .

lock: setup ## Lock the newest dependencies that pyproject.toml allows (no addresses, only hashes)
	@$(UV) pip compile pyproject.toml --universal --python-version 3.11 --all-extras --group dev --generate-hashes --no-header \
	  --no-emit-index-url --no-emit-find-links --upgrade --quiet --output-file requirements.lock

clean: ## Remove what tools left behind (not the environments)
	@rm -rf dist build .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find $(CODE) -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/.made:
	@python=""; for each in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
	  if $$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$each; break; fi; done; \
	if [ -z "$$python" ]; then \
	  echo "Python 3.11 or newer is missing. On Debian or Ubuntu: apt-get install python3 python3-venv" >&2; exit 1; fi; \
	if ! $$python -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "$$python is there, but its venv module is missing. On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; fi; \
	echo "Making $(VENV) with $$($$python --version)"; \
	$$python -m venv --clear $(VENV) && touch $@

$(VENV)/.uv: $(VENV)/.made
	@if ! command -v uv >/dev/null; then \
	  awk '/^[^ ]/ {wanted = /^uv==/} wanted' requirements.lock >$(VENV)/uv.txt; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all: -r $(VENV)/uv.txt; fi
	@touch $@

# Nothing is compiled: a package without a ready-made wheel for this machine is an error that says so.
$(VENV)/.locked: requirements.lock $(VENV)/.uv
	@echo "Installing what requirements.lock names"
	@VIRTUAL_ENV=$(abspath $(VENV)) $(UV) pip sync --quiet --python $(BIN)/python --require-hashes --only-binary :all: requirements.lock || { \
	  echo "Could not install the locked packages. If a wheel is missing above: there are ready-made ones for CPython 3.11 to 3.14 on" \
	       "Linux x86-64 with glibc 2.28 or newer; nothing is compiled here." >&2; exit 1; }
	@touch $@

$(VENV)/.installed: pyproject.toml $(VENV)/.locked
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@
