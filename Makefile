# `make help` lists what there is. Needs Python >= 3.11 with venv and pip; everything else comes from pip.
# A Python that was configured without optimisation, as pyenv does unless told otherwise, is a fifth slower at everything. Then
# the system's is taken, where it is of the same version and can make environments. PYTHON=… takes any other.
OPTIMISED := import sys, sysconfig; sys.exit("--enable-optimizations" not in str(sysconfig.get_config_var("CONFIG_ARGS")))
VERSION := import ensurepip, sys, venv; print(*sys.version_info[:2])
PYTHON ?= $(shell python3 -c '$(OPTIMISED)' || test "$$(/usr/bin/python3 -c '$(VERSION)' 2>&1)" != "$$(python3 -c '$(VERSION)')" \
	&& echo python3 || echo /usr/bin/python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
NAME ?= first-forecast
# Tests side by side. Three on two cores were no quicker, and stories met their limits of time.
WORKERS ?= 2
# What is compiled is kept: compiling it anew takes a second of every start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: $(shell grep -oE '^[a-z][a-z-]*:' $(MAKEFILE_LIST) | tr -d ':')

help: ## what can be made
	@grep -hE '^[a-z][a-z-]*:.*##' $(MAKEFILE_LIST) | sort | awk 'BEGIN {FS = ":.*## "} {printf "  %-18s %s\n", $$1, $$2}'

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: $(BIN)/python requirements.txt pyproject.toml
	$(PIP) -r requirements.txt
	$(PIP) --no-deps -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.txt
	$(PIP) -r requirements-dev.txt
	@touch $@

setup: $(VENV)/.runtime ## the environment in ./.venv, so that .venv/bin/lims runs
setup-dev: $(VENV)/.dev ## the same with what tests and checks need

demo: setup ## a trial laboratory with demonstration data on http://127.0.0.1:8000
	@$(BIN)/lims demo

faults: setup-dev ## every fault at full size, its figures beside what they must be (two hours)
	LIMS_FAULTS=long $(BIN)/python -m pytest tests/faults -p no:cacheprovider --timeout=0

test: setup-dev ## the whole suite on SQLite and PostgreSQL
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-fast: setup-dev ## what needs neither a browser nor PostgreSQL
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not browser and not postgresql"

test-browser: setup-dev ## only the tests in a real browser
	$(BIN)/python -m pytest -m browser

story: setup-dev ## one user's story in the browser: make story NAME=first-forecast
	$(BIN)/python -m pytest tests/stories/test_$(subst -,_,$(NAME)).py

stories: setup-dev ## every user's story
	$(BIN)/python -m pytest tests/stories

look: setup-dev ## every page: axe, own origin, fits its window, weight, translations, SQL count
	$(BIN)/python -m pytest tests/look tests/web tests/base/test_traps.py

lint: setup-dev ## ruff and the arrows between packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

types: setup-dev ## mypy, strict
	$(BIN)/mypy

format: setup-dev ## put the code in shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: lint types test ## what .ci/run looks at, but for the load

notices: setup-dev ## write THIRD_PARTY.md anew from what is installed
	$(BIN)/pip-licenses --from=mixed --format=markdown --with-system --order=name | sed "1i # Third-party packages\n\nMade by make notices from what is installed, what tests and benchmarks need included. UNKNOWN stands where the metadata names none: the licence files say MIT (huey, axe-playwright-python) and zlib (pysqlite3). What else the repository holds: lims/web/vendor.md (browser), reports/fonts/LICENCE.md, lims/importing/data/LICENCES.md.\n" > THIRD_PARTY.md

messages: setup-dev ## gather texts for translation and compile what is translated
	$(BIN)/pybabel -q extract -F babel.cfg -k _l -k N_ -k ngettext:1,2 --no-location --sort-output -o $(VENV)/messages.pot .
	$(BIN)/pybabel -q update -i $(VENV)/messages.pot -d lims/translations --no-fuzzy-matching --ignore-obsolete
	@# Babel takes "15 % rule" for a placeholder; the true ones are checked by tests/web/test_translations.py.
	$(BIN)/pybabel -q compile -f -d lims/translations 2>&1 | grep -v "placeholders are incompatible\|errors encountered" || true

screenshots: setup-dev ## every page in three languages, light and dark, two widths, into screenshots/; the README's into docs/images
	$(BIN)/python -m tests.screenshots --all

templates: setup-dev ## write import_templates/*.xlsx anew from the schemas
	$(BIN)/lims import templates

fuzz-workbooks: setup-dev ## 1,000 damaged workbooks, read and uploaded: none crashes, none is read slowly (part of make faults)
	LIMS_FAULTS=long $(BIN)/python -m pytest tests/faults/test_damaged_uploads.py -p no:cacheprovider --timeout=0

fuzz-api: setup-dev ## fifty requests, right and wrong, for each operation of the API's description (LIMS_FUZZ_API)
	LIMS_FUZZ_API=$${LIMS_FUZZ_API:-50} $(BIN)/python -m pytest tests/attacks/test_api_fuzz.py -p no:cacheprovider --timeout=0

bench-workbooks: setup-dev ## workbooks in and out beside pandas, django-import-export and bare writers
	$(BIN)/python -m benchmarks.workbooks

bench: $(filter bench-%,$(shell grep -oE '^bench-[a-z]+' $(MAKEFILE_LIST))) ## every benchmark but load and the ten million of PostgreSQL
bench-forecast: setup-dev ## forecast error, coverage and speed beside their targets
	$(BIN)/python -m benchmarks.forecast

bench-comparison: setup-dev ## strength laws on public data; coverage of comparisons, false alarms of changes
	$(BIN)/python -m benchmarks.comparison

bench-search: setup-dev ## the search box among 1,000,000 specimens
	$(BIN)/python -m benchmarks.search

bench-press: setup-dev ## a set from scan to saved; the cockpit with 100,000 open specimens
	$(BIN)/python -m benchmarks.press

bench-audit: setup-dev ## what the record of changes costs, beside none and beside SQLAlchemy-Continuum; verifying a million entries
	@$(BIN)/python -m benchmarks.audit; missed=$$?; $(BIN)/python -m benchmarks.trace && exit $$missed

tamper: setup-dev ## a thousand alterations of each kind against the record of changes, on both databases
	$(BIN)/python -m tests.audit.tamper

load: setup-dev ## fifty technicians for 30 minutes on waitress and SQLite, then on gunicorn and PostgreSQL (LIMS_LOAD_SECONDS, LIMS_LOAD_READS)
	$(BIN)/python -m benchmarks.load

bench-pages: setup-dev ## our lists beside a stock Flask-AppBuilder and bare Core on the same data (LIMS_PAGES_SPECIMENS)
	$(BIN)/python -m benchmarks.pages

bench-growth: setup-dev ## pages and exports from 100,000 to 1,000,000 specimens on SQLite (LIMS_BIG_SPECIMENS)
	$(BIN)/python -m benchmarks.growth

bench-growth-postgresql: setup-dev ## the same to 10,000,000 on PostgreSQL (LIMS_BIG_SPECIMENS, LIMS_BIG_DATABASE_URL)
	$(BIN)/python -m benchmarks.growth postgresql

big-data: setup-dev ## 1,000,000 specimens, seeded, into LIMS_BIG_DATA (var/big)
	LIMS_BIG_DATA=$${LIMS_BIG_DATA:-var/big} $(BIN)/python -m benchmarks.growth write

big-data-postgresql: setup-dev ## 10,000,000 specimens, seeded, into the server that LIMS_BIG_DATABASE_URL names
	LIMS_BIG_DATA=$${LIMS_BIG_DATA:-var/big-postgresql} $(BIN)/python -m benchmarks.growth write postgresql

bench-share: setup-dev ## the trial sheet among 1,000,000 specimens; a million guesses
	$(BIN)/python -m benchmarks.sharing

clean: ## remove what was built (never data)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache build dist *.egg-info
