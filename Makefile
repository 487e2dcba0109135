# Each target installs what it needs, once. Python 3.11 or newer, make, git and a pip that reaches a package registry.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt
ARGS ?=

.PHONY: retrain test unit coverage evidence check bench ui clean

retrain: $(VENV)/.main ## the main job, on the embedded default (ARGS="--profile quick")
	@$(BIN)/bitface retrain $(ARGS) || { code=$$?; \
	test $$code -ne 3 || echo "(The next line, Error 3, is make's word for the gate's answer above. Nothing has crashed.)" >&2; exit $$code; }

test: $(VENV)/.test ## all tests (ARGS="-k gate")
	$(BIN)/pytest $(ARGS)

unit: $(VENV)/.test ## the tests of single modules (ARGS="-k gate")
	$(BIN)/pytest tests/unit tests/architecture -n2 -m "not tools and not trains" $(ARGS)

coverage: $(VENV)/.test ## which lines the tests of modules and adapters run
	$(BIN)/pytest tests/unit tests/architecture tests/adapters --cov=bitface --cov-branch --cov-report=term:skip-covered $(ARGS)

check: $(VENV)/.check ## lint, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

evidence: $(VENV)/.test ## the long statistical and fault tests at full n, into docs/evidence.md (hours; goes on where it stopped)
	BITFACE_EVIDENCE=full $(BIN)/pytest tests/evidence --timeout=36000 $(ARGS)
	BITFACE_EVIDENCE=full $(BIN)/pytest tests/flows -m long --timeout=36000 $(ARGS)
	BITFACE_EVIDENCE=full $(BIN)/pytest tests/unit $(ARGS)

bench: $(VENV)/.bench ## latency and size against other runtimes (ARGS="--against fp32,int8")
	$(BIN)/bitface bench $(ARGS)

ui: $(VENV)/.main ## MLflow's UI on 127.0.0.1
	$(BIN)/bitface ui

clean: ## what can be made again; data and .bitface stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache

$(VENV)/.venv:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "bitface needs Python 3.11 or newer; set PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.main: $(VENV)/.venv pyproject.toml constraints.txt
	@echo "Installing what the main job needs into $(VENV) (once, about four minutes) ..."
	$(PIP) -e .
	touch $@

$(VENV)/.bench: $(VENV)/.main
	@echo "Installing what the benchmark needs ..."
	$(PIP) -e '.[bench]'
	touch $@

$(VENV)/.test: $(VENV)/.main
	@echo "Installing what the tests need ..."
	$(PIP) -e '.[test]'
	touch $@

$(VENV)/.check: $(VENV)/.test
	@echo "Installing what the checks need ..."
	$(PIP) -e '.[test,check]'
	touch $@
