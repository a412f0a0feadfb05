# `make demo` and `make test` need Python 3.11 or newer and nothing else; a second run installs nothing.
# Another interpreter: `make PYTHON=/path/to/python3.13 test`.

PYTHON ?= python3
CANDIDATES := '$(PYTHON)' $(if $(filter file,$(origin PYTHON)),python3.13 python3.12 python3.11 python3.14 python)
BIN := .venv/bin
LOWEST := .venv-lowest/bin
LOWEST_PYTHON ?= python3.11
WORKERS ?= auto
DATASET ?=
MXNET_PYTHON ?=
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt
TESTS := -m "not slow" -n $(WORKERS) --maxprocesses 8 --dist loadfile

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-lowest lint docs bench clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do \
	    printf '  make %-11s %s\n' "$$name" "$$text"; done

demo: .venv/runtime-installed ## the whole trip on drawn street scenes, into demo/
	rm -rf demo
	$(BIN)/pixelwise demo --output demo

test: lint ## all checks and all tests but the slow ones
	OMP_NUM_THREADS=1 $(BIN)/pytest $(TESTS)

test-lowest: .venv-lowest/installed ## the same tests with the lowest versions that pyproject.toml allows
	OMP_NUM_THREADS=1 $(LOWEST)/pytest $(TESTS)

lint: .venv/dev-installed ## style, types and the import ladder
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: .venv/dev-installed ## the documentation as a site, into build/docs
	$(BIN)/python docs/write_settings.py
	$(BIN)/sphinx-build -W --keep-going -b html docs build/docs

bench: .venv/dev-installed ## speed against peers; with DATASET=FOLDER also the data path and accuracy
	$(BIN)/python benchmarks/training_speed.py $(if $(MXNET_PYTHON),--mxnet-python $(MXNET_PYTHON))
	$(BIN)/python benchmarks/endpoint_load.py $(if $(DATASET),$(DATASET)/validation)
	$(if $(DATASET),$(BIN)/python benchmarks/data_path.py $(DATASET))
	$(if $(DATASET),$(BIN)/python benchmarks/time_to_accuracy.py $(DATASET))
	$(if $(DATASET),$(BIN)/python benchmarks/recipes.py $(DATASET) --seconds 120)

clean: ## remove the environment, caches and the demo
	rm -rf .venv .venv-lowest build dist demo src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/runtime-installed: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e .
	@touch $@

# The tools stand on the runtime, so this stamp sets the other one too.
.venv/dev-installed: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e '.[dev]'
	@touch .venv/runtime-installed $@

# pip takes the newest version that is allowed; uv can be asked for the lowest, on the lowest Python too.
.venv-lowest/installed: pyproject.toml constraints.txt
	rm -rf .venv-lowest
	$(LOWEST_PYTHON) -m venv .venv-lowest
	$(LOWEST)/python -m pip install --disable-pip-version-check -c constraints.txt uv
	$(LOWEST)/uv pip install --python $(LOWEST)/python --resolution lowest-direct -e '.[dev]'
	@touch $@

# The first of these interpreters that is new enough makes the environment; a half-made one is not kept.
$(BIN)/python:
	@for python in $(CANDIDATES); do \
	    if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	        echo "Making .venv with $$($$python --version)"; \
	        "$$python" -m venv .venv && exit 0; \
	        rm -rf .venv; \
	        echo "$$python cannot make an environment; install its venv module and run make again."; \
	        exit 1; \
	    fi; \
	done; \
	echo "Python 3.11 or newer was not found ($(PYTHON) is $$($(PYTHON) --version 2>&1))."; \
	echo "Install it, or name it: make PYTHON=/path/to/python3.13 test"; \
	exit 1
