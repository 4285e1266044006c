# The verbs of the house. `make help` lists them.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check docs bench lock clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ROC := .venv-roc
FLWR := .venv-flwr
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --no-header

help:  ## list the verbs
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 8

demo: $(VENV)/.ready  ## a whole federation on this machine, on synthetic data
	$(BIN)/cinque demo

test: system check $(if $(CI),$(ROC)/.ready $(FLWR)/.ready)  ## system packages, check, tests (with CI=true the slow ones too)
	$(BIN)/python -m pytest -n 2 --dist loadfile $(if $(CI),,-m "not slow")

check: $(VENV)/.ready  ## style, types and import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

docs: $(VENV)/.ready  ## print the reference pages from the code, and build the documentation
	$(BIN)/python tools/reference-pages
	$(BIN)/python -m sphinx -W -q -b html docs docs/_build/html

bench: $(VENV)/.ready $(ROC)/.ready  ## measure a federation, the checking of crates and the statistics on this machine
	-@$(MAKE) --silent $(FLWR)/.ready  # a peer: without it, the rest is measured all the same
	$(BIN)/python -m cinque.federation.bench
	$(BIN)/python tools/bench-crate
	$(BIN)/python tools/bench-statistics --large
	$(BIN)/python tools/bench-flower

lock: $(BIN)/uv  ## renew the pins: versions and hashes, never an address; UPGRADE=--upgrade for newer versions
	$(COMPILE) $(UPGRADE) pyproject.toml --all-extras --group dev --group docs -o requirements/dev.txt
	$(COMPILE) $(UPGRADE) pyproject.toml --all-extras -c requirements/dev.txt -o requirements/run.txt
	$(COMPILE) $(UPGRADE) --group build -c requirements/dev.txt -o requirements/build.txt
	echo uv | $(COMPILE) $(UPGRADE) - -c requirements/dev.txt -o requirements/uv.txt
	echo roc-validator | $(COMPILE) $(UPGRADE) - -o requirements/roc.txt
	printf 'flwr\npyarrow\n' | $(COMPILE) $(UPGRADE) - -o requirements/flwr.txt
	@! grep -nE '://|^-' requirements/*.txt || { echo "The pins above name an address or an option."; exit 1; }

clean:  ## remove what can be made again
	rm -rf $(VENV) $(ROC) $(FLWR) build dist docs/_build docs/_pictures .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: system
system:
	@sh tools/system-packages

# The environment is right when it is newer than what it is made from.
$(VENV)/.ready: pyproject.toml requirements/dev.txt requirements/build.txt $(BIN)/uv
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes --build-constraint requirements/build.txt \
		--only-binary :all: --no-binary bagit --no-binary autograd-gamma requirements/dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --build-constraint requirements/build.txt --no-deps -e .
	@touch $@

# rocrate-validator pins old packages: an environment of its own, for slow tests and the benchmark, never at run time.
$(ROC)/.ready: requirements/roc.txt $(BIN)/uv
	test -x $(ROC)/bin/python || $(PYTHON) -m venv $(ROC)
	$(BIN)/uv pip sync --quiet --python $(ROC)/bin/python --require-hashes --only-binary :all: requirements/roc.txt
	@touch $@

# Flower, for the benchmark beside it and that one's slow test, never at run time. Each of its tasks is a process that
# starts from nothing: with its bytecode at hand.
$(FLWR)/.ready: requirements/flwr.txt $(BIN)/uv
	test -x $(FLWR)/bin/python || $(PYTHON) -m venv $(FLWR)
	$(BIN)/uv pip sync --quiet --python $(FLWR)/bin/python --require-hashes --only-binary :all: --compile-bytecode \
		requirements/flwr.txt
	@touch $@

$(BIN)/uv: requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Cinque needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || sh tools/python-venv
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
		-r requirements/uv.txt
	@touch $@
