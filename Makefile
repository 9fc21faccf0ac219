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
test: ## Every test: units, the model's small bound, the real API server, a real node
	@GIGABYTES=23 make/preflight
	@make/test

.PHONY: install-test
install-test: preflight ## Install from manifest and chart on a real node: switch, kill, upgrade, roll back, remove, with traffic on
	@make/install-test

.PHONY: ingress-test
ingress-test: preflight ## A real HAProxy that follows EndpointSlices late, in front of an app that is switched, on a real node (UPDATE_DOCS=1 writes its table)
	@make/install-test ingress::

.PHONY: release
release: ## Everything that a user downloads, into target/release-files (KEY=FILE signs, URL=… says where it will be)
	@make/release

.PHONY: release-twice
release-twice: ## Make the release twice, from two folders with nothing in common, and compare the checksums
	@make/release-twice

.PHONY: release-test
release-test: preflight ## Install from the files of a release alone, on a real node with traffic on; signed with a throwaway key
	@make/release-test

.PHONY: versions
versions: preflight ## Run e2e and waits on every pinned Kubernetes (VERSIONS="1.30 1.37", DATASTORE=kine), into docs/compatibility.md
	@make/versions
.PHONY: docs-test
docs-test: preflight ## Run the commands of the documents as they stand on a real node (about 7 min; DOCUMENT=part of a name)
	@make/docs-test

.PHONY: site
site: ## The documents as a site with search, each tag v* and the work tree, in target/site/book, every link checked (SHOTS=1 takes pictures, with chromium)
	@make/site

.PHONY: upgrade-test
upgrade-test: preflight ## The release before this one hands over to it and back, mid-switch, on the real API server (needs git history)
	@make/upgrade-test

.PHONY: pipeline-test
pipeline-test: preflight ## Run every job of examples/gitlab on a real node with traffic on (needs Node and Python)
	@make/pipeline-test

.PHONY: gitops-test
gitops-test: preflight ## What Helm, kubectl and a real Argo CD say of every state; Argo CD deploys from Git with traffic on; a real Renovate writes tags (needs npm)
	@make/gitops-test

.PHONY: dashboard-test
dashboard-test: preflight ## The dashboard in a real Chromium: a tour, 500 apps, accessibility (needs chromium and npm; UPDATE_DOCS=1 keeps the pictures)
	@make/dashboard-test

.PHONY: group-test
group-test: preflight ## A group of 20 apps with real pods is switched under traffic, one app fails, and all are taken back (about 3 min)
	REQUIRE_REAL_NODE=1 $(CARGO) test --locked -p bluegreen-suites --test cli -- group_traffic --ignored --nocapture

.PHONY: notify-test
notify-test: preflight ## The notifier, and the recipe for an exporter of Events with a real OpenTelemetry Collector, on the real API server (builds it the first time, about 5 min)
	$(CARGO) test --locked -p bluegreen-suites --test e2e -- notify --include-ignored --nocapture

.PHONY: apps-test
apps-test: preflight ## The shapes of docs/apps.md with real pods, switched under traffic on every port (about 5 min; UPDATE_DOCS=1 writes their table)
	REQUIRE_REAL_NODE=1 $(CARGO) test --locked -p bluegreen-suites --test e2e -- apps::real --ignored --nocapture

.PHONY: neighbors
neighbors: preflight ## The main job beside a real Kyverno that changes and refuses what is written, on a real node with traffic on (builds it the first time, about 7 min)
	@make/install-test kyverno::

.PHONY: autoscaler-test
autoscaler-test: ## Real HPA, KEDA and VPA change an app that is switched all the time, with traffic on (UPDATE_DOCS=1 writes their table)
	@GO_MODULES=tests/cluster/keda/go.mod make/preflight
	@make/autoscaler-test

.PHONY: faults
faults: preflight ## Every trouble at every write of every flow, on the real API server; kept by flow in docs/faults.jsonl (RESUME=1 goes on; `make test` runs a sample)
	FULL=1 KEEP=1 PARALLEL=$(or $(PARALLEL),12) $(CARGO) test --locked -p bluegreen-suites --test faults -- --nocapture

.PHONY: hostile
hostile: preflight ## Thousands of sequences of mad edits, on the real API server (`make test` runs a sample)
	SEQUENCES=$(or $(SEQUENCES),2000) PARALLEL=$(or $(PARALLEL),24) $(CARGO) test --locked -p bluegreen-suites --test hostile -- --nocapture

.PHONY: model
model: ## Explore every state of the planner against an abstract cluster, then take out each guard
	$(CARGO) build --locked --profile model -p bluegreen-model
	$(CARGO) run -q --locked --profile model -p bluegreen-model
	$(CARGO) run -q --locked --profile model -p bluegreen-model -- --guards

.PHONY: model-larger
model-larger: ## The bounds that are too large to be explored to the end, as deep as 12 million states go
	$(CARGO) run -q --locked --profile model -p bluegreen-model -- --larger

.PHONY: conformance
conformance: preflight ## Random lives on the real API server, replayed through the model's rules (`make test` plays a few)
	SECONDS=$(or $(SECONDS),600) $(CARGO) test --locked -p bluegreen-suites --test conformance -- --nocapture

.PHONY: fuzz
fuzz: ## Anything at all through decoding, planning and reporting (`make test` does so for seconds)
	SECONDS=$(or $(SECONDS),600) $(CARGO) test --locked --test fuzz -- --nocapture

.PHONY: fuzz-guided
fuzz-guided: ## The same, guided by what the input reaches in the code; needs a C++ compiler (MINUTES=10)
	@make/fuzz-guided

.PHONY: mutants
mutants: ## Change the deciding code in every small way and see whether the tests notice (hours; `cargo install cargo-mutants`)
	$(CARGO) mutants --output $(or $(CARGO_TARGET_DIR),target)

.PHONY: traffic
traffic: preflight ## Every row of docs/traffic.md under real traffic, resumable; then the report (PEER=FILE drives a peer)
	@make/traffic

.PHONY: bad-release
bad-release: preflight ## Release a bad version under traffic until a check takes it back, beside Argo Rollouts, resumable; into docs/checks.md (about 25 min)
	@. make/common.sh; build_programs "[1/5]"; install_node "[2/5]"; build_kubernetes "[3/5]"; \
	  build_images "[4/5]" >/dev/null; build_operator_image "[5/5]" >/dev/null; \
	  "$$(built traffic)" release --releases $(or $(RELEASES),20) --write docs/checks.md

.PHONY: outage
outage: preflight ## 200 apps whose Prometheus dies while they are watched; the figures go into docs/checks.md (about 5 min)
	$(CARGO) build --locked --profile image --bin bluegreen-operator
	APPS=$(or $(APPS),200) UPDATE_DOCS=1 OPERATOR=$(CURDIR)/target/image/bluegreen-operator \
	  $(CARGO) test --locked -p bluegreen-suites --test e2e outage -- --nocapture

.PHONY: traffic-report
traffic-report: ## Write docs/traffic.md from what was measured of this commit
	$(CARGO) run -q --locked -p bluegreen-traffic -- report

.PHONY: screenshots
screenshots: preflight ## The sample page in Chromium before and after a switch, into docs/traffic
	@$(CARGO) build -q --locked --workspace --bins
	@$(CARGO) run -q --locked -p bluegreen-traffic -- screenshots

.PHONY: tenants
tenants: preflight ## One tenant writes all that is known to harm, another one switches; the figures go into docs/tenants.md (about 10 min)
	$(CARGO) build --locked --profile image --bin bluegreen-operator
	FULL=1 OPERATOR=$(CURDIR)/target/image/bluegreen-operator \
	  $(CARGO) test --locked -p bluegreen-suites --test tenants -- --nocapture

.PHONY: bench
bench: preflight ## Measure the operator beside Argo Rollouts and Flagger on the same work (about 50 min; ALONE=1 leaves the others out)
	$(CARGO) build --locked --profile image --bin bluegreen-operator
	$(CARGO) run -q --locked -p bluegreen-bench -- --operator target/image/bluegreen-operator \
	  $(if $(ALONE),--alone,--write docs/benchmarks.md)

.PHONY: cluster-up
cluster-up: preflight ## Start a cluster with a real node and leave it running; prints its kubeconfig (NAME=…, SIMULATED=1)
	@. make/common.sh; build_programs "[1/3]"; $(if $(SIMULATED),,install_node "[2/3]";) build_kubernetes "[3/3]"
	@$(CLUSTER_BIN) up --name $(NAME) $(if $(SIMULATED),,--real-node)

.PHONY: cluster-load
cluster-load: ## Import all images of target/images into that cluster
	@ls target/images/*.tar >/dev/null 2>&1 || { echo "no image in target/images: run \`make images image\` first" >&2; exit 1; }
	@$(CARGO) build -q --locked --workspace --bins
	@for image in target/images/*.tar; do echo "$$image"; $(CLUSTER_BIN) load-image --name $(NAME) "$$image"; done

.PHONY: cluster-down
cluster-down: ## Remove that cluster with every trace, also after a crash
	@$(CARGO) build -q --locked --workspace --bins
	@$(CLUSTER_BIN) down --name $(NAME)

.PHONY: helm
helm: preflight ## Build the pinned Helm into target (about 2 min, once) and print the line that puts it on the PATH
	@$(CARGO) build -q --locked --workspace --bins
	@echo "export PATH=$$($(CLUSTER_BIN) build --helm):\$$PATH"

.PHONY: lint
lint: ## Formatting, clippy and the supply chain
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path tests/grpc/Cargo.toml --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	@make/deny

.PHONY: dist
dist: ## Build dist/install.yaml from config/, and the generated documents
	UPDATE_DIST=1 $(CARGO) test -q --locked -p bluegreen-suites --test chart is_the_install_manifest
	UPDATE_DOCS=1 $(CARGO) test -q --locked --test docs

.PHONY: crd
crd: ## Generate the CRD from the types
	$(CARGO) run -q --bin bluegreen-operator -- crd > crds/bluegreen.dev_bluegreenapps.yaml
	cp crds/bluegreen.dev_bluegreenapps.yaml charts/bluegreen-operator/files/
