# Everything a person or a CI machine runs. `make` alone lists it.
#
# A stamp file in the environment stands for each step that is done, so a second run costs no time; delete .venv to start again. One that
# was made in a folder of another name, or for a Python that is another version by now, is made anew by itself; a link to one never is.

VENV := .venv
BIN := $(VENV)/bin
# The machine's uv if it has one, else the locked one in the environment.
UV = $(or $(shell command -v uv 2>/dev/null),$(BIN)/uv)
# More arguments for a tool: make test ARGS="-k calendar"
ARGS ?=
CODE := agent bench bots config inference mcp_servers nano soak tests
SHELL := /bin/bash

# What the environment stands and falls with: its programs name its folder, its packages lie in a folder named after the version.
MADE_FOR = $$(cd $(VENV) && pwd -P) $$($(BIN)/python -ISc "import sys; print(*sys.version_info[:2])" 2>/dev/null)
# Only looked at here: this file is also read for `make help` and `make -n`.
stale := $(shell [ ! -s $(VENV)/.made ] || [ "$$(cat $(VENV)/.made)" = "$(MADE_FOR)" ] || echo FORCE)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: FORCE help setup chat test check bench soak dojo nano schemas lock format clean llama-server

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## Make .venv with everything locked in it (the others do this by themselves)

chat: setup ## Talk to Variet in a throw-away home with a week of sample events and mails
	@$(BIN)/variet chat --demo $(ARGS)

# Most of a test's time is waiting for processes of its own, so two run side by side; ARGS="-n 0" has one after the other.
test: setup ## Run all tests (ARGS="-k name" for some)
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

check: setup ## Lint, formatting, strict types, import rules (all of them, also when one fails)
	@failed=""; \
	for each in "ruff check ." "ruff format --check ." "basedpyright" "lint-imports --no-cache"; do \
	  echo "== $$each"; $(BIN)/$$each || failed="$$failed; $$each"; done; \
	if [ -n "$$failed" ]; then echo "failed: $${failed#; }" >&2; exit 1; fi

bench: setup ## Measure starts, the engine, the tool servers and the agent, beside direct figures and other libraries (ARGS="--only agent-turns")
	@$(MAKE) --no-print-directory $(PEERS)/.installed || echo "Without peers: they could not be installed." >&2
	@$(BIN)/python -m bench $(ARGS)

# Other agent libraries, never in our own environment: some pin what we use in other versions.
PEERS := .cache/peers

$(PEERS)/.installed: bench/peers.lock | setup
	@$(BIN)/python -m venv --clear $(PEERS)
	@"$(UV)" pip install --quiet --python $(PEERS)/bin/python --no-deps --require-hashes --only-binary :all: -r $<
	@touch $@

soak: setup ## Swap 1,000 times under 8 clients while models die, clients leave and settings change (ARGS="--swaps 60 --seed 7")
	@$(BIN)/python -m soak $(ARGS)
	@$(BIN)/python -m tests.fakes.outbox_killings --runs 200
	@$(BIN)/python -m tests.fakes.turn_killings --runs 500

# Apart from the environment: only the packages that the suite cannot do without, found by its own path.
DOJO := .cache/dojo

dojo: setup $(DOJO)/.installed ## Run AgentDojo's workspace suite (560 attacks) through the turn and its policy (ARGS="--tasks 5 --every 7")
	@PYTHONPATH="$(abspath $(DOJO))" $(BIN)/python -m tests.dojo $(ARGS)

$(DOJO)/.installed: .ci/dojo.lock | setup
	@rm -rf $(DOJO) && mkdir -p $(DOJO)
	@"$(UV)" pip install --quiet --python $(BIN)/python --target $(DOJO) --no-deps --require-hashes --only-binary :all: -r $<
	@touch $@

nano: ## Generate, train, export and score the small model that ships (an environment of its own, .venv-nano)
	@$(MAKE) --no-print-directory -C nano ARGS="$(ARGS)"

schemas: setup ## Write the JSON Schemas of the settings files
	@$(BIN)/python -m config.editors

format: setup ## Format all code
	@$(BIN)/ruff check --quiet --fix-only . ; $(BIN)/ruff format .

lock: setup ## Lock the newest dependencies that pyproject.toml allows (no addresses, only hashes)
	@"$(UV)" pip compile pyproject.toml --universal --python-version 3.11 --all-extras --group dev --generate-hashes --no-header \
	  --no-emit-index-url --no-emit-find-links --upgrade --quiet --output-file requirements.lock

clean: ## Remove what tools left behind (not the environments)
	@rm -rf dist build .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find $(CODE) -name __pycache__ -prune -exec rm -rf {} +

FORCE:

# Through a link other checkouts and programs would lose theirs.
$(VENV)/.made: $(stale)
	@if [ -L $(VENV) ] && [ -n "$$(ls -A $(VENV)/)" ]; then \
	  echo "$(VENV) is a link to $$(cd $(VENV) && pwd -P); what is there was made elsewhere or for another Python, and is not cleared" \
	       "through a link. Run make where it lies, empty that folder, or remove the link." >&2; exit 1; fi
	@python=""; for each in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
	  if $$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$each; break; fi; done; \
	if [ -z "$$python" ]; then \
	  echo "Python 3.11 or newer is missing. On Debian or Ubuntu: apt-get install python3 python3-venv" >&2; exit 1; fi; \
	if ! $$python -c 'import ensurepip, venv' 2>/dev/null; then \
	  package=$$($$python -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
	  echo "$$python is there, but its venv module is missing. On Debian or Ubuntu: apt-get install $$package" >&2; exit 1; fi; \
	echo "Making $(VENV) with $$($$python --version)"; \
	$$python -m venv --clear $(VENV) && echo "$(MADE_FOR)" >$@

$(VENV)/.uv: $(VENV)/.made
	@if ! command -v uv >/dev/null; then \
	  awk '/^[^ ]/ {wanted = /^uv==/} wanted' requirements.lock >$(VENV)/uv.txt; \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all: -r $(VENV)/uv.txt; fi
	@touch $@

# Nothing is compiled: a package without a ready-made wheel for this machine is an error that says so.
$(VENV)/.locked: requirements.lock $(VENV)/.uv
	@echo "Installing what requirements.lock names"
	@VIRTUAL_ENV="$(abspath $(VENV))" "$(UV)" pip sync --quiet --python $(BIN)/python --require-hashes --only-binary :all: requirements.lock || { \
	  echo "Could not install the locked packages. If a wheel is missing above: there are ready-made ones for CPython 3.11 to 3.14 on" \
	       "Linux x86-64 with glibc 2.28 or newer; nothing is compiled here." >&2; exit 1; }
	@touch $@

$(VENV)/.installed: pyproject.toml $(VENV)/.locked
	@"$(UV)" pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

# llama.cpp's own server, for the journeys: built from the sources that llama-cpp-python's source distribution carries. Never part of `make test`.
LLAMA := .cache/llama-server
# More for cmake: make llama-server LLAMA_CMAKE=-DGGML_CUDA=ON
LLAMA_CMAKE ?=
# Its web page would be fetched from the network, and a static program can be copied.
LLAMA_OPTIONS := -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF -DLLAMA_OPENSSL=OFF \
  -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF

llama-server: $(LLAMA)/build/bin/llama-server ## Build llama.cpp's own server for the journeys (optional: cmake, a C++ compiler and many minutes)
	@echo "To use it: VARIET_LLAMA_SERVER=\"$(abspath $<)\" make test ARGS=tests/journeys"

$(LLAMA)/build/bin/llama-server: $(LLAMA)/.configured
	@cmake --build $(LLAMA)/build --target llama-server --parallel $(shell getconf _NPROCESSORS_ONLN) && touch $@

# Says for which options it was configured: with others it is built anew.
llama_stale := $(shell [ "$$(cat $(LLAMA)/.configured 2>/dev/null)" = '$(LLAMA_OPTIONS) $(LLAMA_CMAKE)' ] || echo FORCE)
$(LLAMA)/.configured: $(LLAMA)/.sources $(llama_stale)
	@if ! command -v cmake >/dev/null || ! command -v c++ >/dev/null; then \
	  echo "cmake or a C++ compiler is missing. On Debian or Ubuntu: apt-get install cmake g++" >&2; exit 1; fi
	@rm -f $@ $(LLAMA)/build/CMakeCache.txt # It would keep the options of before, also of a try that fails.
	@cmake -S $(LLAMA)/src -B $(LLAMA)/build $(LLAMA_OPTIONS) $(LLAMA_CMAKE)
	@printf '%s' '$(LLAMA_OPTIONS) $(LLAMA_CMAKE)' >$@

# pip reads a source distribution's metadata with the distribution's own build tool, so that is pinned too, and comes first.
$(LLAMA)/.sources: llama-server.lock | $(VENV)/.made
	@rm -rf $(LLAMA) && mkdir -p $(LLAMA)/src && $(BIN)/python -m venv $(LLAMA)/pip
	@awk '/^[^ ]/ {wanted = !/^llama-cpp-python==/} wanted' $< >$(LLAMA)/tools.txt
	@$(LLAMA)/pip/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all: -r $(LLAMA)/tools.txt
	@awk '/^[^ ]/ {wanted = /^llama-cpp-python==/} wanted' $< >$(LLAMA)/sources.txt
	@$(LLAMA)/pip/bin/python -m pip download --quiet --disable-pip-version-check --require-hashes --no-deps --no-build-isolation \
	  --no-binary llama-cpp-python -r $(LLAMA)/sources.txt --dest $(LLAMA)
	@for each in $(LLAMA)/*.tar.gz; do name=$${each##*/}; \
	  tar -xzf $$each -C $(LLAMA)/src --strip-components=3 "$${name%.tar.gz}/vendor/llama.cpp"; done
	@touch $@
