# Everything there is to do with this workspace; `make` lists it. docs/development.md tells what each target needs.
.NOTPARALLEL:
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

CARGO ?= cargo
export CARGO_TARGET_DIR ?= target
# Some steps work in a directory below.
ifeq ($(filter /%,$(CARGO_TARGET_DIR)),)
CARGO_TARGET_DIR := $(CURDIR)/$(CARGO_TARGET_DIR)
endif
# Seconds that each fuzz target runs.
FUZZ_SECONDS ?= 60
# How often imports are killed in each way; half as often for each way to lose the server, and on a full disk.
KILLS ?= 40
# An assignment in front of a command would hide that nothing was found.
WITH_POSTGRES = ZULIP_BACKUP_PG_BIN=$$(scripts/find-postgres); export ZULIP_BACKUP_PG_BIN;
# Tests send signals to the command, and what a shell in the background ignores its children ignore too.
SIGNALS := $(shell env --default-signal=INT true 2>/dev/null && echo env --default-signal=HUP,INT,QUIT,TERM)
# What a Python installs a wheel of ours with, in place of an older one.
INSTALL := -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps --no-index
# Words for the demo, the benchmark and for pytest.
ARGS ?=

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: test
test: about lint test-rust test-python test-django ## all checks and tests, as CI runs them

.PHONY: about
about:
	@bin=$$(scripts/find-postgres); echo "PostgreSQL: $$("$$bin/postgres" --version) in $$bin"
	@if [[ -d ../shared/zulip ]]; then \
	    echo "../shared/zulip: present, its golden files are compared with"; \
	else \
	    echo "../shared/zulip: absent, the comparisons with its golden files are skipped"; \
	fi

.PHONY: lint
lint: ## formatting and clippy
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

# The extension has no tests in Rust, and the wheel would compile it again.
.PHONY: test-rust
test-rust: ## the Rust tests and the examples in the documentation
	$(WITH_POSTGRES) $(SIGNALS) $(CARGO) test --locked --workspace --exclude zulip-backup-py

# The wheel is built in the tests' own profile and out of what they have compiled already.
.PHONY: test-wheel
test-wheel:
	@python=$$(scripts/python-tools test); set -x; \
	rm -rf "$$CARGO_TARGET_DIR/test-wheels"; \
	"$$python" -m maturin build --quiet --locked --compatibility linux --strip --manifest-path zulip-backup-py/Cargo.toml \
	    --out "$$CARGO_TARGET_DIR/test-wheels"; \
	$(CARGO) build --quiet --locked --package zulip-backup-cli; \
	scripts/add-command-to-wheel "$$python" "$$CARGO_TARGET_DIR"/test-wheels/*.whl "$$CARGO_TARGET_DIR/debug/zulip-backup"; \
	"$$python" $(INSTALL) "$$CARGO_TARGET_DIR"/test-wheels/*.whl; \
	$(CARGO) build --quiet --locked --package zulip-backup-examples --bin sample-server

.PHONY: test-python
test-python: test-wheel ## build the wheel (unoptimised), check its types, run pytest; ARGS="-k name"
	@$(WITH_POSTGRES) python=$$(scripts/python-tools test); set -x; \
	cd zulip-backup-py; \
	"$$python" -m mypy --cache-dir "$$CARGO_TARGET_DIR/mypy" --package zulip_backup; \
	"$$python" -m mypy --cache-dir "$$CARGO_TARGET_DIR/mypy" tests; \
	"$$python" -m mypy.stubtest --mypy-config-file pyproject.toml zulip_backup._native; \
	$(SIGNALS) "$$python" -m pytest -p no:cacheprovider $(ARGS)

# The same wheel once more, on the newest Python that is here, which is seldom the one that `python3` is.
.PHONY: test-django
test-django: test-wheel ## pytest on the newest Python, with Django's newest release; ARGS="-k name"
	@if ! python=$$(scripts/newest-python 3.12); then \
	    echo "Django's newest release is not tested with: it needs Python 3.12 or newer, and there is none here"; exit; \
	fi; \
	$(WITH_POSTGRES) python=$$(PYTHON=$$python scripts/python-tools django); set -x; \
	"$$python" $(INSTALL) "$$CARGO_TARGET_DIR"/test-wheels/*.whl; \
	cd zulip-backup-py; $(SIGNALS) "$$python" -m pytest -p no:cacheprovider $(ARGS)

.PHONY: kill
kill: ## end imports at hundreds of moments: killed, without their server, on a full disk
	$(WITH_POSTGRES) IMPORT_KILLS=$(KILLS) $(SIGNALS) $(CARGO) test --locked --package zulip-backup-core --test import_kill

.PHONY: example-django
example-django: test-wheel ## show Django's commands on a throw-away server
	@$(WITH_POSTGRES) "$$(scripts/python-tools test)" examples/django_project/run.py

.PHONY: demo
demo: ## show the whole way of a sample server: back up, verify, restore
	$(CARGO) build --locked --release --package zulip-backup-cli --package zulip-backup-examples
	$(WITH_POSTGRES) "$$CARGO_TARGET_DIR/release/demo" $(ARGS)

.PHONY: bench
bench: wheel ## measure, optimised; ARGS="…" for the benchmark
	@$(WITH_POSTGRES) python=$$(scripts/python-tools bench); set -x; \
	"$$python" $(INSTALL) "$$CARGO_TARGET_DIR"/wheels/*.whl; \
	$(CARGO) build --locked --release --package zulip-backup-cli --package zulip-backup-benches; \
	"$$CARGO_TARGET_DIR/release/bench" --python "$$python" $(ARGS)

.PHONY: wheel
wheel: ## build the wheel, with the command in it, optimised, into target/wheels
	@python=$$(scripts/python-tools test); set -x; \
	rm -f "$$CARGO_TARGET_DIR"/wheels/*.whl; \
	"$$python" -m maturin build --locked --release --strip --manifest-path zulip-backup-py/Cargo.toml \
	    --out "$$CARGO_TARGET_DIR/wheels"; \
	$(CARGO) build --locked --release --package zulip-backup-cli; \
	scripts/add-command-to-wheel "$$python" "$$CARGO_TARGET_DIR"/wheels/*.whl "$$CARGO_TARGET_DIR/release/zulip-backup"

.PHONY: doc
doc: ## build the library's documentation into target/doc
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --package zulip-backup-core

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZ_SECONDS (needs cargo-fuzz)
	@command -v cargo-fuzz >/dev/null || { echo "make fuzz needs cargo-fuzz: cargo install cargo-fuzz" >&2; exit 1; }
	@[[ -d fuzz ]] || { echo "there is no directory fuzz/ with fuzz targets" >&2; exit 1; }
	@export RUSTC_BOOTSTRAP=1 ASAN_OPTIONS=detect_odr_violation=0; unset CARGO_TARGET_DIR; \
	for target in $$($(CARGO) fuzz list); do \
	    (set -x; $(CARGO) fuzz run "$$target" -- -max_total_time=$(FUZZ_SECONDS) -max_len=16384); \
	done

.PHONY: deny
deny: ## licences, advisories and sources of all dependencies (needs cargo-deny)
	@command -v cargo-deny >/dev/null || { echo "make deny needs cargo-deny: cargo install cargo-deny" >&2; exit 1; }
	$(CARGO) deny --locked --workspace check

.PHONY: clean
clean: ## remove everything that was built
	rm -rf "$$CARGO_TARGET_DIR"
	find zulip-backup-py -name __pycache__ -type d -prune -exec rm -rf {} +
