# `make demo` and `make test` are the two commands; both set everything up first.
PYTHON ?= python3.11
PORT ?= 3000
BIN := .venv/bin

.PHONY: setup demo test lint types lock docs inventory clean

PIP := $(BIN)/pip install --quiet --disable-pip-version-check

setup: .venv/ready

# pip compiles bytecode as it installs: imports and the service start several times faster.
.venv/ready: requirements.lock pyproject.toml
	@echo "setting up .venv with everything, the checks included (a minute or two, once)"
	$(PYTHON) -m venv .venv
	$(PIP) --require-hashes --no-deps -r requirements.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch .venv/serving $@

# What serving needs and no more; `make setup` adds training, the checks, and pandas for the public face.
.venv/serving: requirements.serving.lock pyproject.toml
	@echo "setting up .venv to score and serve: $$(grep -c == requirements.serving.lock) packages, about 130 MB to download and 530 MB on disk"
	$(PYTHON) -m venv .venv
	$(PIP) --require-hashes --no-deps -r requirements.serving.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

demo: .venv/serving
	$(BIN)/tender-risk score examples/manchester-lco.json --stage draft
	$(BIN)/tender-risk serve --port $(PORT)

# Three processes for two cores: the tests of services wait more than they compute.
test: setup lint types
	$(BIN)/pytest --numprocesses 3 --dist loadfile --no-loadscope-reorder

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
