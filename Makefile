# make run: install, build the history of the sample, serve the web UI.   make test: the tests.
# make new-project FROM=TABLE [TARGET=COLUMN] [OUT=FOLDER] [FLAGS=--yes]: settings for your own table.

PORT ?= 3000
PYTHON ?= python3
VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run history new-project clean-history test test-quick test-slow faults check fix schema pictures reference docs benchmarks install
.DEFAULT_GOAL := run

run: install
	@$(BIN)/mlops-assets run --port $(PORT)

history: install
	@$(BIN)/mlops-assets history

new-project: install
	@test -n "$(FROM)" || { echo "name the table: make new-project FROM=sales.csv" >&2; exit 2; }
	@$(BIN)/mlops-assets new "$(FROM)" $(if $(OUT),--out "$(OUT)") \
	    $(if $(TARGET),--target "$(TARGET)") $(FLAGS)

clean-history:
	rm -rf $(CURDIR)/.dagster $(CURDIR)/storage

# One process more than there are processors: now and then, a test waits for a server.
test: install check
	@$(BIN)/python -m pytest --numprocesses $$(($$(nproc) + 1)) --dist loadfile --no-loadscope-reorder

# For the inner loop: nothing that serves, browses, runs assets, builds a whole history or takes long.
test-quick: install
	@$(BIN)/python -m pytest -m 'not (browser or history or lab or long or postgresql or served or slow)' \
	    --numprocesses auto --dist loadfile

# The long form of mlops_tests/faults: odd input by the thousand; every kind of stored file damaged in every way.
faults: install
	@MLOPS_FAULTS=1500 $(BIN)/python -m pytest mlops_tests/faults --numprocesses auto --dist loadfile \
	    --deselect mlops_tests/faults/test_damage.py
	@$(BIN)/python -m mlops_tests.faults.damage

test-slow: install
	@$(BIN)/python -m pytest -m slow --numprocesses auto --durations 0 --verbose

check: install
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo --no-cache

fix: install
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

schema: install
	@$(BIN)/mlops-assets schema --out mlops_assets/project.schema.json

# The pictures of the docs, of a built history as it is served; needs chromium and chromedriver.
pictures: history
	@$(BIN)/python docs/pictures.py

reference: install
	@$(BIN)/python docs/reference.py

# The docs as a site, in build/site.
docs: install
	@$(BIN)/python -c "import mkdocs, material" 2>/dev/null || $(BIN)/python -m pip install --quiet \
	    --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "build/site/index.html is the first page of the docs."

benchmarks: install
	@$(BIN)/python benchmarks/run.py

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@echo "Installing into .venv, which takes a minute or two."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@
