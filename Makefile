# `make demo` and `make test` are the two commands; both set everything up first.
PYTHON ?= python3.11
PORT ?= 3000
BIN := .venv/bin

# Where the environment forbids bytecode, each of the hundreds of processes that tests start would compile the program again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test lint types lock upgrade docs inventory clean

PIP := $(BIN)/pip install --quiet --disable-pip-version-check --no-compile
# Imports and the service start several times faster with it. pip would do it in one process.
COMPILE := $(BIN)/python -m compileall -qq -j 0 .venv/lib || true

setup: .venv/ready

.venv/ready: requirements.lock pyproject.toml
	@echo "setting up .venv with everything, the checks included (a minute or two, once)"
	$(PYTHON) -m venv .venv
	$(PIP) --require-hashes --no-deps -r requirements.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	$(COMPILE)
	@touch .venv/serving $@

# What serving needs and no more; `make setup` adds training, the checks, and pandas for the public face.
.venv/serving: requirements.serving.lock pyproject.toml
	@echo "setting up .venv to score and serve: $$(grep -c == requirements.serving.lock) packages, about 130 MB to download and 530 MB on disk"
	$(PYTHON) -m venv .venv
	$(PIP) --require-hashes --no-deps -r requirements.serving.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	$(COMPILE)
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
	$(BIN)/mypy --num-workers 2

# The pages that follow from the code.
docs: setup
	$(BIN)/python docs/build.py
	$(BIN)/python docs/refresh.py

# Hashes, no index addresses.
lock:
	$(BIN)/uv pip compile pyproject.toml $(UPGRADE) --all-extras --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-annotate --no-header --output-file requirements.lock
	$(BIN)/uv pip compile pyproject.toml --extra install --constraint requirements.lock --no-emit-package pandas --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-annotate --no-header --output-file requirements.serving.lock

# Chooses the newest version of every package anew, and notes the day; run all tests after it. `make lock` keeps what is pinned.
upgrade: UPGRADE := --upgrade
upgrade: lock
	date -u +%F > requirements.chosen

# What the product is made of, and under which licences. Ends with 1 once packages are older than SECURITY.md allows.
inventory: setup
	$(BIN)/python docs/inventory.py build

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
