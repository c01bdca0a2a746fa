# make demo | make test | make ui | make docs | make wheel | make bench | make mutants | make clean. Needs python3 (3.11 or newer) with venv, make and git.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-slow coverage check docs ui pictures wheel bench bench-ingest bench-morning bench-usual bench-funnel \
	bench-diagnosis bench-promotions bench-editions bench-figures bench-gate bench-life mutants kills lock clean

demo: .venv/ready
	$(BIN)/funnelscope demo

test: .venv/ready-dev
	$(BIN)/pytest -n 2 --dist loadfile

test-slow: .venv/ready-dev
	$(BIN)/pytest -m slow -n 2 --dist loadfile

# Which lines the fast tests leave out.
coverage: .venv/ready-dev
	$(BIN)/pytest -n 2 --dist loadfile --cov --cov-report=term-missing:skip-covered

check: .venv/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/sqlfluff lint sql --processes 1
	FUNNELSCOPE_HOME=var/check $(BIN)/python -W ignore -m dagster definitions validate -w workspace.yaml

# The parts of the documentation that the code writes.
docs: .venv/ready-dev
	$(BIN)/python docs/generate.py

wheel: .venv/ready-dev
	$(BIN)/pip wheel . --disable-pip-version-check --quiet --no-deps --no-build-isolation --wheel-dir dist

ui: .venv/ready
	$(BIN)/funnelscope ui

# Every picture of the READMEs in docs/pictures, from a demo that is run for them; needs a Chromium. Ten minutes.
pictures: export FUNNELSCOPE_HOME = var/pictures
pictures: .venv/ready-dev
	$(BIN)/funnelscope demo --language en
	$(BIN)/python tests/pictures.py docs/pictures

bench: .venv/ready-dev
	$(BIN)/python benchmarks/daily_run.py

# Seconds of a processor for all editions of the newest day in FUNNELSCOPE_HOME.
bench-editions: .venv/ready-dev
	$(BIN)/python benchmarks/edition_cost.py

bench-ingest: .venv/ready-dev
	$(BIN)/python benchmarks/intake.py

bench-morning: .venv/ready-dev
	$(BIN)/python benchmarks/marketplace_morning.py

bench-usual: .venv/ready-dev
	$(BIN)/python benchmarks/usual_ranges.py

bench-funnel: .venv/ready-dev var/chdb/bin/chdb-ready
	$(BIN)/python benchmarks/ordered_funnels.py --chdb-python var/chdb/bin/python

# ClickHouse in a process, for the bench alone: in an environment of its own and in no lock file.
var/chdb/bin/chdb-ready:
	$(PYTHON) -m venv var/chdb
	var/chdb/bin/pip install --disable-pip-version-check --quiet chdb
	touch $@

# Planted faults: stage cubes alone (many seeds), then landing files to findings. Hours; resumes in the same FOLDER.
FOLDER ?= var/bench-diagnosis
bench-diagnosis: .venv/ready-dev
	$(BIN)/python benchmarks/localization_cubes.py
	$(BIN)/python benchmarks/stage_cubes_to_findings.py --folder $(FOLDER)
	$(BIN)/python benchmarks/landing_files_to_findings.py --folder $(FOLDER)
	$(BIN)/python benchmarks/landing_files_to_findings.py --folder $(FOLDER) --sessions 200000 --seeds 1 --clean-shops 0 \
		--kinds broken_coupon slow_first_screen payment_outage

# Years of six sales each, every day of a sale judged. Hours of a processor.
bench-promotions: .venv/ready-dev
	$(BIN)/python benchmarks/promotion_days_to_findings.py --folder $(FOLDER)

# Planted breaks in the figures of drawn marketplace shops. An hour of a processor; FIRST_SEED draws others.
FIRST_SEED ?= 1000
bench-figures: .venv/ready-dev
	$(BIN)/python benchmarks/figures_to_findings.py --first-seed $(FIRST_SEED) --clean 60 --breaks 400

# Planted faults of the export on 40 shops, and their clean days. Some ten minutes of a processor.
bench-gate: .venv/ready-dev
	$(BIN)/python benchmarks/gate_faults.py --first-seed $(FIRST_SEED)

# Disk, time and Dagster's storage over a hundred days of a small shop. An hour; resumes in the same LIFE.
LIFE ?= var/bench-life
bench-life: .venv/ready-dev
	$(BIN)/python benchmarks/life.py --folder $(LIFE)

# Is anything lost when a command is killed? 216 kills of nine commands. An hour.
kills: .venv/ready-dev
	$(BIN)/python benchmarks/kills.py

# Do the tests notice? 200 small faults, planted in copies of the tree; resumes. Some forty minutes of a processor.
mutants: .venv/ready-dev
	$(BIN)/python benchmarks/mutants.py

# Pins every dependency with its hashes; the files name no host.
lock: .venv/ready-dev
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header -q -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-header -q -o requirements-dev.lock

clean:
	rm -rf .venv var build dist .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/ready: requirements.lock pyproject.toml | .venv/bin/python
	$(BIN)/pip install --disable-pip-version-check --quiet --require-hashes --no-deps -r requirements.lock
	$(BIN)/pip install --disable-pip-version-check --quiet --no-deps --editable .
	touch $@

.venv/ready-dev: requirements-dev.lock .venv/ready
	$(BIN)/pip install --disable-pip-version-check --quiet --require-hashes --no-deps -r requirements-dev.lock
	touch $@
