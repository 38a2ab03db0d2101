# geoforge on one machine. `make` alone lists what can be made.

PYTHON := .venv/bin/python
STACK := $(PYTHON) -m local.stack
# `make lock UPGRADE=1` takes the newest versions in place of those that are locked.
COMPILE := .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-header $(if $(UPGRADE),--upgrade)

.DEFAULT_GOAL := help
.PHONY: help setup is-set-up up down status logs env demo test screenshots lint format bench lock worker-check clean

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  Ports: GEOFORGE_HTTP_PORT (7071), GEOFORGE_POSTGRES_PORT (55432),"
	@echo "         GEOFORGE_SERVICE_BUS_PORT (5672), GEOFORGE_BLOB_PORT (10000)"

setup:
	@local/setup.sh

is-set-up:
	@test -e .local/setup/check || { echo "Nothing is set up here yet: run make setup." >&2; exit 1; }

demo: setup ## Start the stack, ingest a collection, bring countries onto a map, show it all
	@$(STACK) demo

up: setup ## Start the stack and wait until it is healthy (PARTS="postgres azurite": only these)
	@$(STACK) up $(PARTS)

down: is-set-up ## Stop the stack; its data stays
	@$(STACK) down

status: is-set-up ## Show each part of the stack
	@$(STACK) status

logs: is-set-up ## Show the parts' logs (PARTS=host LINES=100 FOLLOW=1)
	@$(STACK) logs $(PARTS) $(if $(LINES),--lines $(LINES)) $(if $(FOLLOW),--follow)

env: is-set-up ## Print KEY=VALUE lines of the running stack
	@$(STACK) env

# In the order of their names: the long files first, and many short ones to fill the end.
test: ## Run the tests, on stacks of their own, three files at a time (ARGS="tests/unit -k ports")
	@local/setup.sh tests
	@$(PYTHON) -m pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder $(ARGS)

screenshots: is-set-up ## Take pictures of the pages of the running stack into docs/images
	@local/setup.sh tests
	@$(PYTHON) -m tests.screenshots --url "$$($(STACK) env | sed -n 's/^GEOFORGE_URL=//p')" $(ARGS)

lint: setup ## Check style, types and the walls between packages
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports

format: setup ## Put the code into the style that lint wants
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

bench: ## Measure beside the peers: Prefect, pypgstac, ogr2ogr, exactextract, ... (ARGS=...)
	@local/setup.sh bench
	@$(PYTHON) -m benchmarks $(ARGS)

worker-check: setup ## Load the app in Microsoft's own worker, where Python 3.13 is installed
	@bash local/worker_check.sh

lock: setup ## Lock the dependencies again (UPGRADE=1: to their newest versions)
	$(COMPILE) pyproject.toml --group local --group test --group lint --group tools \
		--output-file requirements.lock
	$(COMPILE) pyproject.toml --constraint requirements.lock --output-file requirements.txt
	$(COMPILE) --group bench --output-file requirements-bench.lock

clean: is-set-up ## Stop the stack and delete all that it holds
	@$(STACK) erase
