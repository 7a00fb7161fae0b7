# labelstream: the few commands one needs. `make` or `make help` lists them.
# Every target installs what it needs first (tools/install), inside .tools where that is possible.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo train test test-kills test-training test-pipelines test-deploy test-compose test-image test-release image release check lint deny doc build bench bench-drift tools clean-tools

# Shown before anything long, so that a quiet compiler is no surprise.
say = @echo "make: $(1)" >&2

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | while IFS=$$'\t' read -r name text; do printf '  make %-13s %s\n' "$$name" "$$text"; done

# The quick profile: dependencies are optimised, and the model runs in ONNX Runtime's own library, so a release
# build would only make a newcomer wait longer.
demo: ## run the whole pipeline in one process on sample messages (ARGS="--seconds 60")
	@tools/install build onnxruntime
	$(call say,building labelstream; the first build takes some minutes)
	@cargo build --locked --package cli
	@target/debug/labelstream demo $(ARGS)

# A package from labelled texts. TIER=fast needs no torch; `make train ARGS=--help` lists what else there is to say.
DATA ?= ../shared/datasets/banking77
TIER ?= encoder
OUT ?= training/runs/$(basename $(notdir $(DATA)))-$(TIER)
with_torch = $(if $(filter fast,$(TIER)),training,training-torch)

train: ## train a model package (DATA=FILE_OR_DIR TIER=encoder|fast OUT=DIR ARGS="--minutes 30")
	@tools/install $(with_torch)
	@PYTHONPATH=training .tools/$(with_torch)/bin/python -m labelstream_train run --data "$(DATA)" --tier $(TIER) \
	  --out "$(OUT)" $(ARGS)

test: ## every check and every test, on devbroker and on Apache Kafka
	@tools/install build onnxruntime
	$(call say,fetching what the tests need beside checking the code)
	@$(MAKE) --no-print-directory -j2 tools lint
	@$(MAKE) --no-print-directory doc
	$(call say,building labelstream and its tests)
	@cargo build --locked --workspace --all-targets
	$(call say,testing; NOT RUN here: make test-training (torch); make test-pipelines; make test-compose; make test-image)
	@PYTEST_ARGS="$(PYTEST_ARGS)" tools/kafka/kafka with tools/suites

test-pipelines: ## the stages of training by DVC (with an S3 server) and by Kubeflow's local runner, for minutes
	@tools/install training pipelines
	@cd training && ../.tools/training/bin/python -m pytest -q -rs -m pipelines tests/test_pipeline_dvc.py \
	  tests/test_pipeline_kubeflow.py $(PYTEST_ARGS)

test-training: ## every test of training, with torch too (installs 6 GB)
	@tools/install build onnxruntime training-torch pipelines
	$(call say,building the labelstream program that the tests of training compare with)
	@cargo build --locked --workspace --all-targets
	@cd training && ../.tools/training-torch/bin/python -m pytest -q -rs $(PYTEST_ARGS)
	$(call say,holding Rust and Python to each other on 10000 texts a package)
	@cargo test --locked --workspace --test parity -- --ignored --nocapture

# Whoever has no Go or npm still gets the rest; -rs tells what was skipped.
test-deploy: ## k8s/ and charts/: rendered, held equal, against schemas and promises, and with the program itself
	@tools/install build onnxruntime java kafka deploy
	$(call say,building the labelstream program that the manifests configure)
	@cargo build --locked --package cli
	@.tools/deploy/bin/python -m pytest -q -rs tests/deploy $(PYTEST_ARGS)

# Kafka, S3 and Prometheus are the real ones; what cannot be installed is named and skipped.
test-compose: ## the services of docker-compose.yml, on real Kafka, S3 and Prometheus, without an engine (3 minutes)
	@tools/install build onnxruntime kafka kafka-tools kcat python training shipping
	@tools/install prometheus || true
	@if type -P go >/dev/null; then tools/install versitygw; fi
	@cargo build --locked --package cli
	@.tools/shipping/bin/python -m pytest -q -rs -s tests/shipping/test_compose.py $(PYTEST_ARGS)

# Needs root. FULL=1 compiles in the image, as `docker build` does; else the image gets a binary that is there already.
test-image: ## build the image and run its commands on Kafka, without an engine (FULL=1 compiles in it, too)
	@tools/install build onnxruntime kafka kafka-tools kcat shipping
	@tools/install image || true
	@if [ -z "$(FULL)" ]; then cargo build --locked --release --package cli; fi
	@LABELSTREAM_IMAGE=$(if $(FULL),full) LABELSTREAM_BINARY=$(CURDIR)/target/release/labelstream tools/kafka/kafka with \
	  .tools/shipping/bin/python -m pytest -q -rs -s tests/shipping/test_image.py $(PYTEST_ARGS)

test-release: release ## install the archive and the wheel into empty folders, and label a file with each
	@tools/install shipping
	@.tools/shipping/bin/python -m pytest -q -rs -s tests/shipping/test_release.py $(PYTEST_ARGS)

test-kills: tools ## the long campaign: kill -9 for 10 minutes on real text (LABELSTREAM_KILL_MINUTES)
	@cargo build --locked --workspace --all-targets
	@tools/kafka/kafka with cargo test --locked --workspace --test kills -- --ignored --nocapture

check: lint ## the quick check: format, lints, unit tests
	@cargo test --locked --workspace --lib --bins

lint:
	@tools/install build onnxruntime ruff
	@.tools/ruff/bin/ruff format --quiet --check training tests/deploy tests/shipping tools/wheel
	@.tools/ruff/bin/ruff check --quiet training tests/deploy tests/shipping tools/wheel
	@cargo fmt --all --check
	@cargo clippy --locked --workspace --all-targets -- -D warnings
	@$(MAKE) --no-print-directory deny

deny:
	@if cargo deny --version >/dev/null 2>&1; then cargo deny check advisories bans licenses sources; \
	  else echo "make: NOT RUN: cargo deny check (licences, security advisories, sources, duplicates); cargo-deny is not" \
	  "installed: cargo install --locked cargo-deny" >&2; fi

doc: ## build the API documentation, warnings are errors
	@tools/install build
	@RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps

build: ## the release binary: target/release/labelstream
	@tools/install build onnxruntime
	@cargo build --locked --release --package cli

image: ## build the image for this machine with Docker (docker-bake.hcl: both architectures)
	@docker build --tag labelstream:0.1.0 --build-arg REVISION=$$(git rev-parse HEAD) .

release: build ## what users download, for this machine's system: target/dist/ has the archive, the wheel, SHA256SUMS
	@tools/release archive
	@tools/release wheel

bench: tools ## measure throughput beside a bare loop, and latency (needs the data sets; ARGS="--help")
	@cargo build --locked --release --package cli --package bench
	@tools/kafka/kafka with target/release/bench $(ARGS)

# The texts, and Evidently on them, go through Python; the folder may be deleted at any time.
bench-drift: ## measure the drift tests: false alarms, power beside Evidently, delay, cost (needs the data sets)
	@tools/install build onnxruntime evidently
	@cargo build --locked --release --package bench --bin bench-drift
	@mkdir -p target/bench-drift
	@.tools/evidently/bin/python bench/drift/events.py target/bench-drift
	@.tools/evidently/bin/python bench/drift/judge_evidently.py target/bench-drift
	@for question in "false-positives" "test-costs" "counting --events-max 10000000" "power target/bench-drift" \
	  "delay target/bench-drift" "month target/bench-drift"; do target/release/bench-drift $$question; done

tools: ## install all that tests need; says what it does
	@tools/install build onnxruntime java kafka kcat python training shipping

clean-tools: ## remove what was installed into .tools
	@tools/kafka/kafka stop
	@rm -rf .tools
