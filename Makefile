# Everything a person or CI runs. `make help` lists it.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
CARGO ?= cargo
include make/images.mk

CLUSTER_BIN := $(or $(CARGO_TARGET_DIR),target)/debug/cluster
NAME ?= default

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | sed -E 's/:[^#]*## /\t/' | column -ts $$'\t'

.PHONY: preflight
preflight: ## Say what is missing on this machine, and how to get it
	@make/preflight

.PHONY: demo
demo: preflight ## Switch a real app on a real node with traffic on (KEEP=1 leaves it up, CLUSTER=current uses yours)
	@make/demo

.PHONY: test
test: preflight ## Every test: units, the model's small bound, the real API server, a real node
	@make/test

.PHONY: faults
faults: preflight ## Every fault at every write of a switch, on the real API server (`make test` runs a sample)
	FULL=1 $(CARGO) test --locked --test faults -- --nocapture

.PHONY: model
model: ## Explore every state of the planner against an abstract cluster, then take out each guard
	$(CARGO) build --locked --release -p bluegreen-model
	$(CARGO) run -q --locked --release -p bluegreen-model
	$(CARGO) run -q --locked --release -p bluegreen-model -- --guards

.PHONY: cluster-up
cluster-up: preflight ## Start a cluster with a real node and leave it running; prints its kubeconfig
	@$(CARGO) build -q --locked --workspace --bins
	@$(if $(SIMULATED),,$(CLUSTER_BIN) node-deps --install >&2)
	@$(CLUSTER_BIN) up --name $(NAME) $(if $(SIMULATED),,--real-node)

.PHONY: cluster-down
cluster-down: ## Remove that cluster with every trace, also after a crash
	@$(CARGO) build -q --locked --workspace --bins
	@$(CLUSTER_BIN) down --name $(NAME)

.PHONY: lint
lint: ## Formatting, clippy, and the supply chain where cargo-deny is installed
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	@if command -v cargo-deny >/dev/null; then cargo deny --log-level error check; \
	else echo "cargo-deny is not installed: cargo install cargo-deny --locked"; fi

.PHONY: crd
crd: ## Generate the CRD from the types
	$(CARGO) run -q --bin bluegreen-operator -- crd > crds/bluegreen.dev_bluegreenapps.yaml
	cp crds/bluegreen.dev_bluegreenapps.yaml charts/bluegreen-operator/files/
