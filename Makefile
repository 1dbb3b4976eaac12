# Two commands are enough: `make demo` and `make test`. `make help` lists the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Most of the tests wait for servers most of the time.
JOBS ?= 3

.DEFAULT_GOAL := help
.PHONY: help screenshots demo servers test test-fast test-integration lint lint-ruff lint-mypy lint-pyright lint-imports format proto bench docs lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 20

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed (set PYTHON=…)"; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "the venv module is missing; on Debian: apt-get install python3-venv"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

demo: $(STAMP) ## the whole data path on this machine, with a tour (ONCE=1: end after it; FILE=1: without a portal)
	@$(BIN)/kong-app-auth demo $(if $(ONCE),--once,) $(if $(FILE),--from-file,)

servers: ## PostgreSQL, Redis with TLS and a browser for the tests: Debian's packages, for no wheels serve
	@set -- ; \
	command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || set -- "$$@" postgresql; \
	command -v redis-server >/dev/null || command -v valkey-server >/dev/null || set -- "$$@" redis-server; \
	command -v chromium >/dev/null || set -- "$$@" chromium fonts-dejavu-core; \
	if [ $$# -gt 0 ]; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "installing Debian's $$* for the tests: no wheels serve"; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "$$@" >/dev/null; \
	  else \
	    echo "not installed, so their tests are skipped (Debian: apt-get install $$*)"; \
	  fi; \
	fi

test: lint servers ## everything: linters, types, unit, integration, conformance and fault tests (JOBS=3 at a time)
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

test-fast: $(STAMP) ## the tests without servers, in seconds
	$(BIN)/python -m pytest tests/unit

test-integration: $(STAMP) ## integration tests only; ARGS='--kong-proxy URL --kong-admin URL' for a real Kong
	$(BIN)/python -m pytest tests/integration $(ARGS)

lint: $(STAMP) ## ruff, mypy, pyright, import-linter; two at a time
	@$(MAKE) --no-print-directory --output-sync=target --jobs=2 lint-pyright lint-mypy lint-ruff lint-imports

lint-ruff:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

lint-mypy:
	$(BIN)/mypy

lint-pyright:
	$(BIN)/pyright

lint-imports:
	$(BIN)/lint-imports

format: $(STAMP) ## rewrite the code in the project's form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP) ## measure; writes tables and plots to bench/results/ and the page made from them
	$(BIN)/python -m bench
	$(BIN)/python -m bench.reporting
	$(BIN)/python -m bench.control_plane
	$(BIN)/python -m bench.token_requests
	$(BIN)/python -m bench.managed_plugin
	$(BIN)/python -m scripts.growth_table

proto: $(STAMP) ## generate the protocol's message classes from the .proto file
	$(BIN)/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. plugin_server/wire/kong_plugin_protocol.proto

screenshots: $(STAMP) servers ## pictures of the portal's pages, for people to look at, in build/screenshots
	$(BIN)/python -m scripts.screenshots build/screenshots

docs: $(STAMP) ## write the pages that are made from the code: settings, operations
	$(BIN)/python -m scripts.configuration_table
	$(BIN)/python -m scripts.operations_table
	$(BIN)/python -m scripts.growth_table

lock: ## renew requirements/dev.txt from pyproject.toml; with the oldest Python (PYTHON=…), which needs the most
	$(PYTHON) -m venv --clear build/lock
	build/lock/bin/pip install --quiet --disable-pip-version-check pip-tools
	build/lock/bin/pip-compile --quiet --all-extras --allow-unsafe --strip-extras --generate-hashes --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --output-file requirements/dev.txt pyproject.toml
	build/lock/bin/pip-compile --quiet --extra portal --allow-unsafe --strip-extras --generate-hashes --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --constraint requirements/dev.txt --output-file kong/image/requirements.txt pyproject.toml

clean: ## remove the virtual environment and build output
	rm -rf $(VENV) build dist
