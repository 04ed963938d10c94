# One command each, the same on a laptop and in CI. `make` alone lists them; ARGS="…" is passed on.

VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
PYTHON ?= $(shell for each in python3.13 python3.12 python3.11 python3; do \
	$$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$each; break; }; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input -q
NO_NETWORK := without a network, reach one or name a mirror in PIP_INDEX_URL, then start again.
LOCK := uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

.DEFAULT_GOAL := help
.PHONY: help docs venv demo up test check bench bench-capture bench-audit test-long wheel lock

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

venv: $(VENV)/dev.stamp ## make .venv with everything that development needs

demo: $(VENV)/demo.stamp ## show the whole service on real data; ARGS="--check --json" does it without a person
	@exec $(BIN)/python -m reviewsvc.cli demo $(ARGS)

up: $(VENV)/demo.stamp ## run the service on this machine, data kept in ~/.local/share/reviewsvc
	@exec $(BIN)/python -m reviewsvc.cli up $(ARGS)

test: $(VENV)/dev.stamp ## run all tests but the long ones
	@marks=$$(.ci/tools) && exec $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not long$$marks" $(ARGS)

test-long: $(VENV)/dev.stamp ## run the long tests: kills and floods, minutes each
	@exec $(BIN)/python -m pytest -m long $(ARGS)

check: $(VENV)/dev.stamp ## lint, types, import contracts and unit tests, in under a minute
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@exec $(BIN)/python -m pytest -q -n 2 -m unit $(ARGS)

bench: $(VENV)/dev.stamp ## measure, print a table and write build/bench.json
	@exec $(BIN)/python -m tests.benchmarks $(ARGS)

bench-capture: $(VENV)/dev.stamp ## measure capture under its full load
	@exec $(BIN)/python -m tests.benchmarks --only capture --full $(ARGS)

bench-audit: $(VENV)/dev.stamp ## measure seals, verification, proofs, bundles and the log's growth
	@exec $(BIN)/python -m tests.benchmarks --only audit $(ARGS)

wheel: $(VENV)/dev.stamp ## build dist/*.whl with its CycloneDX SBOM, and verify.py beside it
	@rm -rf dist
	@$(BIN)/python -m hatchling build -t wheel >/dev/null
	@PYTHONWARNINGS=ignore $(BIN)/cyclonedx-py requirements requirements/run.txt --pyproject pyproject.toml --mc-type application \
		--output-reproducible --of JSON -o "$$(ls dist/*.whl | sed 's/-py3-none-any.whl$$//').cdx.json"
	@cp reviewsvc/verify.py dist/
	@ls dist

docs: $(VENV)/dev.stamp ## write docs/commands.md from the commands
	@$(BIN)/python -m tests.contract.commands_page

lock: ## resolve the requirements again, from pyproject.toml (needs uv)
	@command -v uv >/dev/null || { echo "uv is missing: see https://docs.astral.sh/uv/ for how to install it." >&2; exit 1; }
	@$(LOCK) $(UPGRADE) pyproject.toml --all-extras --group dev -o requirements/dev.txt
	@$(LOCK) pyproject.toml -c requirements/dev.txt -o requirements/run.txt
	@$(LOCK) pyproject.toml -c requirements/dev.txt --extra local --extra demo --group build -o requirements/demo.txt
	@$(LOCK) --group pyproject.toml:build -c requirements/dev.txt -o requirements/build.txt

$(VENV)/pyvenv.cfg:
	@.ci/venv $(VENV) "$(PYTHON)"

# A stamp is as old as the last install, so that unchanged requirements cost nothing.
$(VENV)/%.stamp: requirements/%.txt pyproject.toml | $(VENV)/pyvenv.cfg
	@echo "Installing requirements/$*.txt into $(VENV) …" >&2
	@$(PIP) install --require-hashes -r requirements/$*.txt 2>$(VENV)/pip.log || \
		{ echo "Cannot install requirements/$*.txt (all of it in $(VENV)/pip.log): $(NO_NETWORK)" >&2; exit 1; }
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@
