# `make run` and `make test` are all the set-up that a fresh machine needs (Python 3.11 or newer, make).

# The embedded Redis has wheels for 3.11 and 3.12, so these are preferred where several are installed.
PYTHON ?= $(shell for python in python3 python3.12 python3.11; do \
            $$python -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null \
            && echo $$python && exit; done; echo python3)
PORT   ?= 8000
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.installed
OSRM   := $(VENV)/osrm/.installed
CODE   := $(wildcard src tests bench)
UV     := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
          --no-emit-index-url --no-emit-find-links --no-header --no-annotate

.PHONY: install run test image faults fuzz check bench lock clean

install: $(READY) $(OSRM)

$(READY): locks/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Storefold needs Python 3.11 or newer; name one: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r locks/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# Real roads for the tests. The programs in the wheel need no Python, so that any takes the one for 3.12.
$(OSRM): locks/osrm.txt | $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r locks/osrm.txt --no-deps \
	    --only-binary=:all: --python-version 3.12 --upgrade --target $(VENV)/osrm && touch $@ \
	    || echo "no OSRM for this machine: the tests on real roads are skipped"

run: $(READY)
	$(BIN)/shop serve --demo --port $(PORT)

# Four at once, on two cores too: a third of the time they wait for processes.
test: $(READY) $(OSRM)
	$(BIN)/python -m pytest -n 4 --dist worksteal

# What the Dockerfile does to make a shop, done here: most of a minute of downloads.
image: $(READY)
	$(BIN)/python -m pytest tests/test_container.py -m long

# Hours of bad luck in minutes; FAULTS_SEED=... repeats a run.
faults: $(READY) $(OSRM)
	$(BIN)/python -m pytest tests/faults tests/journeys tests/ordering tests/delivery -m long -s --deselect tests/journeys/test_strangers.py

# Whatever happens to money, and whatever strangers ask, in other orders each time; FUZZ_SEED=... repeats what these asked,
# FUZZ_SECONDS=... gives them more time than five minutes.
fuzz: $(READY)
	$(BIN)/python -m pytest tests/payment/test_money_machine.py tests/journeys/test_strangers.py -m long

check: $(READY)
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports

bench: $(READY)
	$(BIN)/python -m bench

# The newest versions that pyproject.toml allows, for every platform at once.
lock: $(READY)
	$(UV) pyproject.toml --all-extras --group dev --output-file locks/dev.txt
	$(UV) pyproject.toml --extra embedded --extra tracing --constraint locks/dev.txt --output-file locks/run.txt
	$(UV) --group build --constraint locks/dev.txt --output-file locks/build.txt
	$(UV) --group osrm --output-file locks/osrm.txt

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage* build dist
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
