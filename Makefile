# Two commands matter: `make run` shows the device at work, `make test` proves it. Both set up what they need in .venv.
#
#   make run    [CAMERA=simulated:] [SCREEN=auto] [FIELDS=30]    CAMERA=auto takes the camera that is attached
#   make test   [ARGS="tests/smear -k mask"]
#   make test-device    the same on a booted Debian 13 with virtual cameras (root); make test-hardware: on a Pi (root)
#   make test-machine    on an emulated machine with a kernel, a screen and a finger (root); make test-arm64: its wheels (root)
#   make breaks    [ARGS="rgb kick sync policy"]    breaks the device on purpose and sees that a test notices (root)
#   make deb    [WHEELS=DIR]    the Debian package, in dist/; WHEELS as made by systemd/wheels.sh: installs without a network
#   make check  ruff, mypy, import-linter and the documentation
#   make docs   the documentation as a site in build/site
#   make bench  [REFERENCE=BUNDLE] [QUICK=1] [TORCH=1] [PEERS=1]    measures everything, writes the README's table and plot
#               and keeps the result in benchmarks/reference; docs/benchmarks.md
#   make sbom   the device's install as a CycloneDX bill of materials, in dist/; make licences: docs/licences.md
#   make clean; make pins
# PYTHON=python3.12 chooses the interpreter of a new .venv.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := run
.DELETE_ON_ERROR:
.PHONY: run test test-device test-machine test-arm64 test-hardware breaks deb check docs bench sbom licences clean pins

CAMERA ?= simulated:
SCREEN ?= auto
FIELDS ?= 30
ARGS ?=
PYTHON ?=
WHEELS ?=

REFERENCE ?=
TFLITE_PYTHON ?= python3.11
QUICK ?=
TORCH ?=
PEERS ?=

VENV := .venv
TFLITE := .venv-tflite
PYTORCH := .venv-torch
DEVICE := .venv-device
SBOM := .venv-sbom
SEGMENTERS := .venv-scikit-image .venv-stardist .venv-cellpose
BIN := $(VENV)/bin
EXTRAS := device screen sign web hl7 gphoto2 micromanager network s3 parquet cluster slides train train-gpu convert bench docs tflite dev

run: $(VENV)/.device
	@echo "to look at it in a browser: $(BIN)/smearscope web serve (docs/how-to/web.md)"
	$(BIN)/smearscope run --camera $(CAMERA) --display $(SCREEN) --fields $(FIELDS)

test: $(VENV)/.dev
	$(BIN)/python -m pytest $(ARGS)

test-device: $(VENV)/.dev
	$(BIN)/python -m pytest tests/virtual_device $(ARGS)

test-machine: $(VENV)/.dev
	nice $(BIN)/python -m pytest tests/virtual_device/machine $(ARGS)

test-arm64: $(VENV)/.dev
	nice $(BIN)/python -m pytest tests/virtual_device/arm64 $(ARGS)

test-hardware: $(VENV)/.dev
	$(BIN)/python -m pytest tests/hardware $(ARGS)

breaks: $(VENV)/.dev
	$(BIN)/python tests/virtual_device/breaks.py $(ARGS)

deb:
	bash systemd/build-deb.sh dist $(WHEELS)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(MAKE) docs

docs: $(VENV)/.dev
	NO_MKDOCS_2_WARNING=1 TF_CPP_MIN_LOG_LEVEL=2 $(BIN)/python -m mkdocs build --strict --quiet

# Everything, beside what excludes it and so has an environment of its own; writes the README's table and plot,
# docs/reference/speed.md, and this machine's result. Full: about eight minutes on a desktop. QUICK=1: a look, which keeps nothing.
bench: $(VENV)/.dev $(TFLITE)/.done $(if $(TORCH),$(PYTORCH)/.done) $(if $(PEERS),$(SEGMENTERS:%=%/.done))
	$(BIN)/smearscope bench $(if $(QUICK),--quick,--full --readme README.md --keep benchmarks/reference) \
		$(if $(REFERENCE),--reference $(REFERENCE)) --peers .

# tflite-runtime is built against NumPy 1 and for Python up to 3.11 only; without it the other runtimes are measured.
$(TFLITE)/.done: requirements/build.txt requirements/tflite.txt
	@mkdir -p $(TFLITE)
	@bash requirements/venv.sh $(TFLITE) $(TFLITE_PYTHON) && bash requirements/install.sh $(TFLITE) $^ \
		|| echo "tflite-runtime is left out: it needs Python 3.11 (make bench TFLITE_PYTHON=python3.11)"
	@touch $@

# Peers, and tools that need nothing of the project. PyTorch, for the training step and for Cellpose, is asked for by name: on
# x86-64 its registry has it with CUDA only, 5 GB.
$(PYTORCH)/.done $(SBOM)/.done $(SEGMENTERS:%=%/.done): .venv-%/.done: requirements/%.txt | $(VENV)/.dev
	@bash requirements/venv.sh $(@D) $(PYTHON)
	$(UV) pip install --python $(@D) --require-hashes --requirement $<
	@touch $@

# What a device installs, alone in an environment, described by a tool that lives in another one.
$(DEVICE)/.done: requirements/build.txt requirements/device.txt requirements/screen.txt requirements/sign.txt requirements/web.txt pyproject.toml
	@bash requirements/venv.sh $(DEVICE) $(PYTHON)
	@bash requirements/install.sh $(DEVICE) $(filter %.txt,$^)
	@touch $@

sbom: $(DEVICE)/.done $(SBOM)/.done
	@mkdir -p dist
	$(SBOM)/bin/cyclonedx-py environment $(DEVICE)/bin/python --pyproject pyproject.toml --output-reproducible \
		--output-format JSON --output-file dist/smearscope.cdx.json

licences: $(DEVICE)/.done
	$(DEVICE)/bin/python requirements/licences.py > docs/licences.md

# Results (runs/, slides/) are not ours to delete.
clean:
	rm -rf $(VENV) $(TFLITE) $(PYTORCH) $(SEGMENTERS) $(DEVICE) $(SBOM) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the environment: made once, each set of pins installed once per change ---------------------------------------

$(BIN)/python:
	@bash requirements/venv.sh $(VENV) $(PYTHON)

# `dev` holds `device` and `screen` at the same versions, so all live in one environment.
$(VENV)/.device: requirements/build.txt requirements/device.txt requirements/screen.txt requirements/web.txt
$(VENV)/.dev: requirements/build.txt requirements/dev.txt
$(VENV)/.device $(VENV)/.dev: pyproject.toml | $(BIN)/python
	@bash requirements/install.sh $(VENV) $(filter %.txt,$^)
	@touch $@

# --- pins: every extra at the versions of `dev`, with hashes and without the name of any registry -----------------

UV = $(shell command -v uv || echo $(BIN)/uv)
COMPILE = $(UV) pip compile --quiet --no-config --universal --python-version 3.11 --fork-strategy fewest --upgrade \
	--generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make pins" \
	--constraints requirements/constraints.in

pins: | $(VENV)/.dev
	$(COMPILE) pyproject.toml --extra dev --output-file requirements/dev.txt
	for extra in $(filter-out dev tflite,$(EXTRAS)); do \
		$(COMPILE) pyproject.toml --extra $$extra --constraints requirements/dev.txt --output-file requirements/$$extra.txt; \
	done
	$(COMPILE) pyproject.toml --extra tflite --output-file requirements/tflite.txt   # NumPy 1: cannot follow `dev`
	for other in build torch sbom; do \
		$(COMPILE) requirements/$$other.in --constraints requirements/dev.txt --output-file requirements/$$other.txt; \
	done
	for peer in $(SEGMENTERS:.venv-%=%); do \
		$(COMPILE) requirements/$$peer.in --output-file requirements/$$peer.txt; \
	done   # each with the NumPy that it was made for
