# Everything an engineer does with Belfry, one target each. `make help` lists them.
SHELL := bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
HOME_DIR := .belfry
# Two test processes at most: the suite runs real servers beside them.
WORKERS ?= 2
export PYTHONPATH := .

.DEFAULT_GOAL := help
.PHONY: help setup run test browser mariadb lint types terraform tick day check pages migrate drill reload replay doctor plan deploy faults volume bench lock clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

setup: $(VENV)/.ready ## .venv with what the local cloud needs

$(VENV)/.ready: infra/local/requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r infra/local/requirements.txt
	$(BIN)/python -m compileall -q $(VENV)/lib shared functions infra >/dev/null || true
	touch $@

$(VENV)/.tested: tests/requirements.txt $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/requirements.txt
	touch $@

run: setup ## the whole of Belfry on this machine; ARGS="--home DIR --port N" go on to it
	exec $(BIN)/python -m infra up $(ARGS)

tick: setup ## one tick of a job: JOB=... [AT=2026-03-02T09:00+08:00] [DRY_RUN=1]
	$(BIN)/python -m infra tick $(JOB) $(if $(AT),--at $(AT)) $(if $(DRY_RUN),--dry-run) $(ARGS)

day: setup ## a whole day on a virtual clock: DATE=2026-03-02
	$(BIN)/python -m infra day --date $(DATE) $(ARGS)

migrate: setup ## bring the database to the newest schema; ARGS="--url URL" that of a cloud
	$(BIN)/python -m infra migrate $(ARGS)

drill: setup ## lose Postgres, bring it back to an earlier hour, see that nobody is told twice
	$(BIN)/python -m infra drill $(ARGS)

reload: setup ## make the jobs table and Cloud Scheduler equal to cron.yaml; ARGS=--dry-run
	$(BIN)/python -m infra reload $(ARGS)

replay: setup ## look at messages again: ARGS="--since T [--channel C] [--apply]"
	$(BIN)/python -m infra replay $(ARGS)

doctor: setup ## does everything load, is all registered, which jobs can the ERP feed; ARGS="--database URL" asks another one
	$(BIN)/python -m infra doctor $(ARGS)

check: setup ## is cron.yaml valid, and what does its change do before it is merged; ARGS="--against REF"; then style, types, terraform
	$(BIN)/python -m infra check $(ARGS)
	@$(MAKE) --no-print-directory lint types terraform

pages: setup ## write README's table of jobs and infra/catalogue.md anew from cron.yaml
	$(BIN)/python -m infra.pages $(ARGS)

plan: setup ## what a deployment would change: ENV=staging
	$(BIN)/python -m infra plan $(ENV) $(ARGS)

deploy: setup ## deploy: ENV=staging [ARGS=--yes]
	$(BIN)/python -m infra deploy $(ENV) $(ARGS)

test: $(VENV)/.tested browser mariadb lint types ## everything CI runs
	$(BIN)/pytest -n $(WORKERS) --dist worksteal --reruns 1 $(ARGS)

browser: ## Chromium and a Chinese font for the browser tests (Debian)
	@command -v chromium >/dev/null && fc-list 2>/dev/null | grep -qi "noto.*cjk" || (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk fontconfig >/dev/null)

mariadb: ## a MariaDB server for the tests that watch one (Debian); without root or network they are skipped
	@test -x /usr/sbin/mariadbd || (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mariadb-server-core >/dev/null) || echo "no mariadb-server-core: the tests that watch a MariaDB are skipped"

lint: $(VENV)/.tested
	$(BIN)/ruff check .

types: $(VENV)/.tested
	$(BIN)/mypy

terraform: $(VENV)/.tested ## the cloud configuration offline: fmt to destroy against the provider's schema
	$(BIN)/python -m tests.infra.terraform.cycle

faults: $(VENV)/.tested ## every crash point of the kill sweep, not only CI's short version
	BELFRY_FULL_SWEEP=1 $(BIN)/pytest -n $(WORKERS) tests/faults tests/shared/test_state_machine.py $(ARGS)

volume: $(VENV)/.tested ## fifty thousand rows for every job within its timeout, ten thousand by the statements of ten; JOB=... asks one
	BELFRY_FULL_SWEEP=1 $(BIN)/pytest tests/functions/test_acceptance.py -q --durations=0 -k "$(if $(JOB),$(JOB) and) (fifty or number_of_statements)" $(ARGS)

bench: $(VENV)/.tested ## ours beside peers and floors, as ratios; ARGS=--quick
	$(BIN)/python -m tests.bench $(ARGS)

lock: $(VENV)/.tested ## write the four requirements files anew from pyproject.toml
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 pyproject.toml -o requirements.txt
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 --extra migrate pyproject.toml -o infra/migrations/requirements.txt -c requirements.txt
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 --extra local pyproject.toml -o infra/local/requirements.txt -c requirements.txt
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 --extra local --extra test pyproject.toml -o tests/requirements.txt -c requirements.txt -c infra/local/requirements.txt

clean: ## remove the venv and the local home
	rm -rf $(VENV) $(HOME_DIR)
