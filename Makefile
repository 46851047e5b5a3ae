# `make demo` and `make test` are the two commands; both set everything up first.
PYTHON ?= python3.11
PORT ?= 3000
BIN := .venv/bin

.PHONY: setup demo test lint types lock docs inventory clean

setup: .venv/ready

# pip compiles bytecode as it installs: imports and the service start several times faster.
.venv/ready: requirements.lock pyproject.toml
	@echo "setting up .venv (a minute or two, once)"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup
	$(BIN)/tender-risk score examples/manchester-lco.json --stage draft
	$(BIN)/tender-risk serve --port $(PORT)

test: setup lint types
	$(BIN)/pytest --numprocesses 2 --dist loadfile

lint: setup
	$(BIN)/ruff check .

types: setup
	$(BIN)/mypy

# The pages that follow from the code.
docs: setup
	$(BIN)/python docs/build.py
	$(BIN)/python docs/refresh.py

# Hashes, no index addresses.
lock:
	$(BIN)/uv pip compile pyproject.toml --all-extras --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-annotate --no-header --output-file requirements.lock
	$(BIN)/uv pip compile pyproject.toml --extra install --constraint requirements.lock --no-emit-package pandas --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-annotate --no-header --output-file requirements.serving.lock

# What the product is made of, and under which licences.
inventory: setup
	$(BIN)/python docs/inventory.py build

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
