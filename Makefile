# make demo   the main job, end to end, on embedded data
# make test   every test
# make lint   ruff and mypy
# make docs   the site of docs/, in site/
# make bench  cost of training, kept saliency, all of Keras' networks, a large one
# make bench-delegate  speed of the delegate, into the README
# Each sets up what it needs in .venv from constraints.txt.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PIP_INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: setup demo test lint docs bench bench-delegate clean

setup: .venv/ready

# what the delegate is built from
DELEGATE := $(wildcard $(addprefix tflite_delegate/,CMakeLists.txt *.map *.cc *.h kernels/*))

.venv/ready: constraints.txt pyproject.toml setup.py build_backend.py $(DELEGATE)
	$(PYTHON) -m venv .venv
	$(PIP_INSTALL) -e .
	touch $@

.venv/ready-dev: .venv/ready
	$(PIP_INSTALL) -e .[dev]
	touch $@

.venv/ready-docs: .venv/ready
	$(PIP_INSTALL) -e .[docs]
	touch $@

# tflite_runtime needs numpy 1, so the oldest supported runtime has its own environment
.venv-tflite-runtime/ready:
	$(PYTHON) -m venv .venv-tflite-runtime
	.venv-tflite-runtime/bin/pip install --quiet --disable-pip-version-check \
		tflite-runtime==2.14.0 numpy==1.26.4
	touch $@

demo: .venv/ready
	$(BIN)/onexn demo

test: .venv/ready-dev .venv-tflite-runtime/ready
	$(BIN)/python -m pytest -n auto --dist worksteal -q

lint: .venv/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# a warning, such as a broken link, is an error
docs: .venv/ready-docs
	$(BIN)/mkdocs build --strict

bench: .venv/ready
	$(BIN)/python -m tfmot_onexn.experiments.training_cost
	$(BIN)/python -m tfmot_onexn.experiments.kept_saliency $(PRETRAINED)
	$(BIN)/python -m tfmot_onexn.experiments.tracing
	$(BIN)/python -m tfmot_onexn.experiments.equality
	$(BIN)/python -m tfmot_onexn.experiments.large_network

TESTING := PATH="$(CURDIR)/$(BIN):$$PATH" cmake

bench-delegate: .venv/ready-dev
	$(TESTING) -S tflite_delegate -B build/testing -G Ninja -DONEXN_TESTING=ON
	$(TESTING) --build build/testing --target onexn_testing
	$(BIN)/python -m tfmot_onexn.experiments.delegate_speed --readme README.md

clean:
	rm -rf .venv .venv-tflite-runtime build site *.egg-info
	rm -f tfmot_onexn/tflite/libonexn_delegate.so
