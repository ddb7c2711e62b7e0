# Few targets, for ever. CI calls `make test` and knows nothing more.

SHELL := /bin/bash
TARGET := $(shell rustc -vV | sed -n 's/^host: //p')
MOTIF := target/$(TARGET)/release/motif

.PHONY: demo test checked bench update release tools fuzz

demo: ## the main job, end to end
	@scripts/packages cc=gcc curl
	@scripts/engine
	@cargo build --release --quiet
	@scripts/demo $(MOTIF)

test: ## set-up, format, lints, every test
	@scripts/packages cc=gcc
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=line tools checked
	@scripts/test

checked: ## format, lints and the tests that need cargo alone
	cargo fmt --check
	cargo clippy --quiet --all-targets -- -D warnings
	cargo test --quiet --lib
	cargo test --quiet --test it --no-run

tools: ## what the tests need besides cargo
	@scripts/engine
	@scripts/base-image
	@scripts/tools

update: ## rewrite goldens, completions, schema and the man page
	UPDATE_GOLDEN=1 cargo test --lib --test it

release: ## the static binary
	cargo build --release
	@ls -l $(MOTIF)

bench: ## every figure of docs/benchmarks.md
	@scripts/engine
	@scripts/peers
	cargo build --release
	@benches/run $(MOTIF)

fuzz: ## each target, ten minutes
	@cargo +nightly fuzz --version >/dev/null 2>&1 || cargo +nightly install cargo-fuzz --locked
	cd fuzz && for target in $$(cargo +nightly fuzz list); do \
	  mkdir -p corpus/$$target && cargo +nightly fuzz run $$target --target $(TARGET) corpus/$$target seeds/$$target ../tests/stacks -- -max_total_time=600 || exit 1; done
