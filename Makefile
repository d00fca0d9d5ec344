# The doors to the project. Needs make and Python 3.11 to 3.13 with venv; everything else goes into .venv, from the lock files.

PYTHON ?=
TAXONOMY ?= examples/tiny/taxonomy.toml

SHELL = /bin/sh
VENV = .venv/bin
GLAND = $(VENV)/gland --taxonomy '$(TAXONOMY)'
PYTEST = $(VENV)/python -m pytest

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo ui test test-ui test-services check check-format check-lint check-types check-floors check-lock format lock clean moved

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name text; do printf '  make %-14s %s\n' "$$name" "$$text"; done
	@echo
	@echo '  PYTHON=...    the Python to use; by default the newest of 3.13, 3.12 and 3.11 that works'
	@echo '  TAXONOMY=...  the project that demo and ui open; by default $(TAXONOMY)'

demo: .venv/.runtime ## build a tiny dataset with the bundled model, and look at it: no key, no account
	@$(GLAND) build --yes || { code=$$?; [ $$code -eq 1 ] || exit $$code; echo 'Some rows failed; the rest stands. gland sql 9 says why.'; }
	@$(GLAND) show
	@$(GLAND) status
	@echo
	@echo 'Next:'
	@echo "  $(GLAND) plan      what another build would do: nothing, until something changes"
	@echo "  $(GLAND) sql       the tables, and ten queries to start from"
	@echo "  $(GLAND) export --format messages out    the dataset, for training"
	@echo "  make ui    the same in Dagster's web interface"
	@echo '  $(VENV)/gland init my-dataset    a project of your own'

ui: .venv/.runtime ## Dagster's web interface on the same project
	@$(GLAND) ui

test: .venv/.dev ## the tests that need nothing but this checkout
	$(PYTEST) -n 2 --ignore=tests/ui --ignore=tests/services tests

test-ui: .venv/.dev ## the web interface in a real browser; needs chromium
	$(PYTEST) tests/ui

test-services: .venv/.dev ## a build through a real proxy; needs nginx
	$(PYTEST) tests/services

check: check-format check-lint check-types check-floors check-lock ## format, lint, types, floors, locks

check-format: .venv/.dev
	$(VENV)/ruff format --check .

check-lint: .venv/.dev
	$(VENV)/ruff check .

check-types: .venv/.dev
	$(VENV)/mypy

check-floors: .venv/.dev
	$(VENV)/lint-imports

check-lock: .venv/.dev
	$(VENV)/python .ci/lock.py check

format: .venv/.dev ## put the source in form, and mend what ruff can mend
	$(VENV)/ruff check --fix .
	$(VENV)/ruff format .

lock: .venv/.dev ## write the two lock files anew from pyproject.toml, keeping the pins that still fit
	$(VENV)/python .ci/lock.py write

clean: ## remove .venv and all caches; warehouses stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps: written last, so that an install that was cut off is taken up again.
.venv/.runtime: requirements.lock pyproject.toml .ci/venv
	@PYTHON='$(PYTHON)' sh .ci/venv requirements.lock
	@touch $@

.venv/.dev: requirements-dev.lock .venv/.runtime
	@PYTHON='$(PYTHON)' sh .ci/venv requirements-dev.lock
	@touch $@

# A checkout that was moved or copied takes its .venv along, whose scripts still point at the old place.
ifneq "$(wildcard .venv/.home)" ""
ifneq "$(shell cat .venv/.home)" "$(CURDIR)"
.venv/.runtime: moved
endif
endif
