# What can be done with this repository; `make` alone lists it. Everything that is built or fetched lies in
# CHAT4ALL_CACHE, outside the checkout. The scripts under e2e/ do the work and can be run by themselves.
export CHAT4ALL_CACHE ?= $(HOME)/.cache/chat4all
export CARGO_TARGET_DIR ?= $(CHAT4ALL_CACHE)/target
export PATH := $(CHAT4ALL_CACHE)/bin:$(CHAT4ALL_CACHE)/tools/bin:$(PATH)

# One selection of packages for clippy and all tests: cargo unites features per selection, and another
# one would compile the dependencies once more. The e2e cases are no part of a plain `cargo test`.
PACKAGES = --workspace

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help up down dev test lint unit integration independent charts e2e proof soak images cluster simulate-scaling bench bench-assignment bench-connectors measure-offsets generate

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: ## a kind cluster with the sample in it, and a first message sent, delivered and read
	@e2e/up.sh

down: ## remove the cluster; the caches stay
	@e2e/down.sh

dev: ## everything in one process, without Docker or Kubernetes; keeps nothing
	@e2e/prepare.sh build
	@cargo run --locked -p chat4all -- dev

test: ## every check and test: lint, unit, integration, independent, charts, e2e
	@e2e/phases.sh lint unit+integration independent+cluster charts e2e

lint: ## format, clippy, dependencies (that generated files are current is a unit test)
	@e2e/prepare.sh build lint
	cargo fmt --all --check
	cargo clippy --locked $(PACKAGES) --all-targets -- -D warnings
	cargo clippy --locked $(PACKAGES) --test e2e -- -D warnings
	@e2e/deny.sh

unit: ## tests that need nothing but a compiler
	@e2e/prepare.sh build
	cargo test --locked $(PACKAGES)

# They wait for pauses, time-outs and rebalances more than they compute.
integration: ## tests on a real Kafka and Cassandra, which are started under Docker and then removed
	@e2e/prepare.sh build
	@RUST_TEST_THREADS=4 e2e/with-backends.sh cargo test --locked $(PACKAGES) -- --ignored

independent: ## our connectors and our simulator against stand-ins and client libraries that others wrote
	@e2e/prepare.sh build
	cargo test --locked $(PACKAGES) --test independent --no-run
	cargo clippy --locked $(PACKAGES) --test independent -- -D warnings
	cargo build --locked $(PACKAGES) --bin chat4all
	@e2e/with-backends.sh e2e/independent/with-stand-ins.sh \
	  'cargo test --locked $(PACKAGES) --test independent' 'python e2e/independent/clients.py'

charts: ## the Helm charts with good and bad values
	@e2e/charts.sh

e2e: cluster ## the tests that install, kill and count, on the cluster of `make cluster`
	KUBECONFIG=$(CHAT4ALL_CACHE)/kubeconfig cargo test --locked $(PACKAGES) --test e2e -- --nocapture --test-threads=1

proof: cluster ## every fault ten times under load, and a report of what became of each message; takes two to three hours on two cores, goes on where it was
	cargo build --locked $(PACKAGES) --bin proof
	KUBECONFIG=$(CHAT4ALL_CACHE)/kubeconfig "$(CARGO_TARGET_DIR)/debug/proof"

soak: cluster ## an hour of load with a pod deleted each minute: no process grows and nothing is lost; C4A_SOAK_MINUTES, _RATE and _SEED change it
	cargo build --locked $(PACKAGES) --bin soak
	KUBECONFIG=$(CHAT4ALL_CACHE)/kubeconfig "$(CARGO_TARGET_DIR)/debug/soak"

images: ## the images of the programs and of the engines
	@e2e/prepare.sh build cluster
	@e2e/images/programs.sh
	@e2e/images/engines.sh

cluster: ## a kind cluster with the images loaded, and nothing installed in it
	@e2e/cluster.sh

simulate-scaling: ## compare the scaling of routers with ceil(lag / threshold), on a model of a consumer group
	@e2e/prepare.sh build
	cargo run --locked --quiet -p chat4all-operator --example simulate-scaling

bench: ## what the API accepts and a router moves, beside floors, and how cost grows; PARTS="accept router read growth" chooses
	@e2e/prepare.sh build
	cargo build --locked --release $(PACKAGES) --bin chat4all --example bench
	@e2e/with-backends.sh "$(CARGO_TARGET_DIR)/release/examples/bench" $(PARTS)

bench-assignment: ## compare the ways in which consumers share partitions, on a Kafka under Docker
	@e2e/prepare.sh build
	cargo build --locked $(PACKAGES) --example bench-assignment
	@e2e/with-backends.sh "$(CARGO_TARGET_DIR)/debug/examples/bench-assignment"

bench-connectors: ## what one connector replica carries a second and holds in memory, on a Kafka and a Cassandra under Docker
	@e2e/prepare.sh build
	cargo build --locked --release $(PACKAGES) --example bench-connectors
	@e2e/with-backends.sh "$(CARGO_TARGET_DIR)/release/examples/bench-connectors"

measure-offsets: ## what looking at the offsets of 1, 10 and 100 clusters costs the operator, on a Kafka under Docker
	@e2e/prepare.sh build
	cargo build --locked --release $(PACKAGES) --example measure-offsets
	@e2e/with-backends.sh "$(CARGO_TARGET_DIR)/release/examples/measure-offsets"

generate: ## write what is made from the code: the CRD, in crds/ and in the chart
	@e2e/generate.sh
