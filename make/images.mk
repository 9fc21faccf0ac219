# Container images, built without a container engine. Included by the Makefile at the root.
#
#   make images                     hello v1.0.0, v2.0.0, and v2.0.0-bad that fails 5 % of its requests, in target/images/
#   make images HELLO_VERSIONS=v3   another version

CARGO ?= cargo
IMAGES_DIR ?= target/images
HELLO_NAME ?= docker.io/library/hello
HELLO_VERSIONS ?= v1.0.0 v2.0.0 v2.0.0-bad

# Naming the target keeps +crt-static away from build scripts and procedural macros, which can't be static. An own
# target folder keeps these flags from rebuilding everything else. The paths of this machine are mapped away, so that
# they neither show up in the binary nor change the image's digest.
STATIC_TARGET ?= $(shell rustc --print host-tuple)
STATIC_DIR := target/static
STATIC_BIN := $(STATIC_DIR)/$(STATIC_TARGET)/image
STATIC_CARGO_HOME := $(or $(CARGO_HOME),$(HOME)/.cargo)
STATIC_RUSTFLAGS := -C target-feature=+crt-static \
  --remap-path-prefix=$(CURDIR)=/src --remap-path-prefix=$(STATIC_CARGO_HOME)=/cargo
# $(call static-build,SELECTION) puts the binaries of these packages into $(STATIC_BIN).
static-build = RUSTFLAGS="$(STATIC_RUSTFLAGS)" $(CARGO) build --locked --profile image $(1) \
  --target $(STATIC_TARGET) --target-dir $(STATIC_DIR)

IMAGE_TOOL := $(CARGO) run --quiet --locked --package bluegreen-image --

.PHONY: images hello-images hello-static hello-program

images: hello-images ## Build the sample app's images into target/images

hello-images: $(HELLO_VERSIONS:%=hello-image-%)

# Cargo knows best what is out of date, so both steps always ask; an unchanged input gives the same bytes.
# Naming the operator's package builds nothing of it: it gives the crates that both are made of the same features, so that
# they are built once (`cargo suite features` checks that).
hello-static:
	$(call static-build,--package hello --package bluegreen-operator --bin hello)

# Where hello-static leaves it.
hello-program:
	@echo $(STATIC_BIN)/hello

hello-image-%: hello-static
	@$(IMAGE_TOOL) --name $(HELLO_NAME) --tag $* \
	  --binary $(STATIC_BIN)/hello --entrypoint /hello --port 8888 --user 65532:65532 \
	  --env VERSION=$* $(if $(filter %-bad,$*),--env FAIL_PERCENT=5) \
	  --label org.opencontainers.image.title=hello \
	  --label org.opencontainers.image.version=$* \
	  --output $(IMAGES_DIR)/hello-$*.tar

OPERATOR_NAME ?= docker.io/library/bluegreen-operator
OPERATOR_VERSION ?= $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)

OPERATOR_IMAGE := $(IMAGES_DIR)/bluegreen-operator-$(OPERATOR_VERSION)
# Outside of a git checkout there is none to name. With edits that are not committed, new files among them, it is not what was built.
REVISION := $(shell git rev-parse HEAD 2>/dev/null || echo unknown)$(shell \
  [ -z "$$(git status --porcelain 2>/dev/null | head -n 1)" ] || echo -dirty)

# The time of the commit, in seconds since 1970.
COMMITTED = $(shell git log -1 --format=%ct 2>/dev/null || echo 0)

# $(call parts,PACKAGE) prints what a program is made of (SBOM).
parts = $(CARGO) tree --locked -p $(1) --target $(STATIC_TARGET) -e normal,no-proc-macro \
  --prefix depth -f '|{p}|{l}|{r}' | $(CARGO) run --quiet --locked --package bluegreen-image --bin sbom -- --lock Cargo.lock \
  --revision $(REVISION) --created $(or $(SOURCE_DATE_EPOCH),$(COMMITTED)) --rustc "$$(rustc --version | cut -d' ' -f2)" --libc "$$(getconf GNU_LIBC_VERSION)"

.PHONY: image image-twice
image: ## Build the operator's image into target/images, and the list of its parts (SBOM) beside it
	BLUEGREEN_REVISION=$(REVISION) $(call static-build,--package bluegreen-operator)
	@$(IMAGE_TOOL) --name $(OPERATOR_NAME) --tag $(OPERATOR_VERSION) \
	  --binary $(STATIC_BIN)/bluegreen-operator --entrypoint /bluegreen-operator --port 8081 --user 65532:65532 \
	  --label org.opencontainers.image.title=bluegreen-operator \
	  --label org.opencontainers.image.licenses=Apache-2.0 \
	  --label org.opencontainers.image.version=$(OPERATOR_VERSION) \
	  --label org.opencontainers.image.revision=$(REVISION) \
	  --output $(OPERATOR_IMAGE).tar
	@$(call parts,bluegreen-operator) > $(OPERATOR_IMAGE).cdx.json

image-twice: ## Build the image twice, from two folders with nothing in common, and compare the digests
	@make/image-twice

# The command line tool, for `make release`: the program, and its list of parts on standard output.
.PHONY: cli-static cli-parts
cli-static:
	$(call static-build,--package kubectl-bluegreen)

cli-parts:
	@$(call parts,kubectl-bluegreen)
