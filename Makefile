# Two commands matter: `make study` and `make test`. Each sets itself up, once, inside .venv and nowhere else.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin

study: .venv/ready            ## every notebook in its quick setting, then the gallery
	$(BIN)/retailkit study

test: .venv/ready             ## style, types, fast tests, notebooks
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/pytest -n 2 --dist loadfile

test-slow: .venv/ready        ## the long ones alone: those that use both cores by themselves, then the statistical ones
	$(BIN)/pytest -m slow --ignore tests/store --ignore tests/simulate
	$(BIN)/pytest -m slow -n 2 --dist loadfile tests/store tests/simulate

lab: .venv/ready              ## JupyterLab on this machine only
	$(BIN)/jupyter lab --ip 127.0.0.1 notebooks

ui: .venv/ready               ## MLflow's pages on this machine only
	$(BIN)/retailkit ui

bench: .venv/ready            ## ratios against named peers, on an otherwise idle machine; the last five need RETAILKIT_DATA
	$(BIN)/python -m benchmarks.notebook_sweep
	$(BIN)/python -m benchmarks.store_days --stores 40
	$(BIN)/python -m benchmarks.camera_days
	$(BIN)/python -m benchmarks.who_took_what
	$(BIN)/python -m benchmarks.read_streams
	$(BIN)/python -m benchmarks.shelf_detector
	$(BIN)/python -m benchmarks.customer_detector
	$(BIN)/python -m benchmarks.trackers
	$(BIN)/python -m benchmarks.line_counters
	$(BIN)/python -m benchmarks.camera_faults
	$(BIN)/python -m benchmarks.checkout_replay

browser:                      ## Debian's chromium and postgresql, which the browser and database tests need
	apt-get update -q && apt-get install -q -y --no-install-recommends chromium postgresql

constraints.txt: pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
	  --no-header --no-annotate --no-emit-index-url --quiet --output-file $@

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip install --compile-bytecode --python $(BIN)/python --constraint constraints.txt --editable '.[test,cluster]'
	$(BIN)/jupyter kernelspec install --sys-prefix --log-level ERROR retailkit/lab/kernelspec --name retailkit-warm
	touch $@

.PHONY: study test test-slow lab ui bench browser
