# `make demo` shows the main job; `make test` passes every test. Both do all the set-up they need
# on a machine with rustup, make and a C compiler.

# Every plugin under plugins/, so that a new folder there is built without being listed.
GUESTS   := $(filter-out sdk,$(patsubst plugins/%/Cargo.toml,%,$(wildcard plugins/*/Cargo.toml)))
WASM     := wasm32-wasip2
TARGET   := $(or $(CARGO_TARGET_DIR),target)
BUILT    := $(TARGET)/$(WASM)/guest
DIST     := plugins/dist
BENCH    := $(TARGET)/bench

.PHONY: demo announce run test torture plugins build lint toolchain clean bench bench-long bench-plugins bench-js bench-guests bench-lanes microbench foreign schemathesis fuzz fuzz-keep fuzz-tools

demo: announce build plugins
	@$(TARGET)/release/examples/demo --plugins $(DIST) $(DEMO)

announce:
	@echo "Builds the server and the plugins (minutes the first time, seconds later), then shows a dozen"
	@echo "events on their way to three hooks: a few seconds, and it stays up for you to try."

run: build plugins
	$(TARGET)/release/whisperer serve $(RUN)

test: toolchain
	cargo test --release --workspace

# What a minute cannot show: a million calls that leak, a hundred thousand that are given up, five
# minutes of swaps under load, a hundred kills at a thousand events a second, thousands of power cuts,
# failing disks and altered files, and thirty thousand seeds of the simulation. About three quarters
# of an hour; neither `make test` nor CI runs it.
torture: toolchain
	TORTURE=1 cargo test --release --workspace --test isolation -- --nocapture what_leaks_in_a_call calls_that_are_given_up
	TORTURE=1 cargo test --release --workspace --test black_box -- --nocapture --test-threads=1 swapping_a_plugin killed_again_and_again kills_while_the_file
	TORTURE=1 POWER_CUT_SEEDS=5000 cargo test --release --workspace --lib -- --nocapture faults::
	SIMULATION_SEEDS=30000 cargo test --release --workspace --test simulation

# The whole workspace, though one package is wanted: cargo then chooses the same features of all
# dependencies as for the tests, and wasmtime is compiled once for both.
build: toolchain
	@echo "Building the server. The first time this compiles wasmtime and takes some minutes."
	cargo build --release --workspace --bins --examples

# The shipped plugins, each straight to a component: plugins/dist/NAME.wasm. One by one and without
# the library for native tests: beside an rlib, cargo leaves out the optimisation at link time.
plugins: toolchain
	@for name in $(GUESTS); do cargo rustc --profile guest --target $(WASM) -p $$name --lib --crate-type cdylib || exit 1; done
	@mkdir -p $(DIST)
	@for name in $(GUESTS); do cp $(BUILT)/$$name.wasm $(DIST)/$$name.wasm && ls -l $(DIST)/$$name.wasm; done

# What plugins cost, as a table. JavaScript and Python are measured too where npm and python3 are.
bench-plugins: build plugins bench-guests
	$(TARGET)/release/examples/bench_plugins $(DIST) $(BUILT)/unchanged.wasm \
		$(BENCH)/js-redact/dist/js-redact.wasm $(BENCH)/py-hello/dist/py-hello.wasm

# Those of the guests that `make bench` measures too; JavaScript where npm is.
bench-js: build
	cargo rustc --profile guest --target $(WASM) -p unchanged --lib --crate-type cdylib
	@rm -rf $(BENCH)/js-redact
	@$(TARGET)/release/whisperer plugin new js-redact --lang javascript --path $(BENCH)/js-redact
	@cp tests/foreign/redact.js $(BENCH)/js-redact/src/plugin.js
	@$(TARGET)/release/whisperer plugin build $(BENCH)/js-redact || echo "JavaScript is left out."

bench-guests: bench-js
	@test -d $(BENCH)/py-hello || $(TARGET)/release/whisperer plugin new py-hello --lang python --path $(BENCH)/py-hello
	@$(TARGET)/release/whisperer plugin build $(BENCH)/py-hello || echo "Python is left out."

# How fast the release binary is, less than ten minutes of load on loopback, the machine's own limits
# beside it; tests/bench/README.md says what is measured and how to read it. SPEED='--quick' tries it
# out, SPEED='--only base' measures one point, SPEED='--only base --against OTHER' compares another
# build with this one, in turns.
bench: build plugins bench-js
	$(TARGET)/release/whisperer-bench speed --folder $(TARGET)/bench-speed --json $(TARGET)/bench.json \
		--component $(BUILT)/unchanged.wasm --component $(DIST)/redact.wasm \
		--component $(BENCH)/js-redact/dist/js-redact.wasm $(SPEED)

# How that changes as work grows: backlogs that are drained, many hooks, a long history. About half an
# hour; LONG='--quick' tries it out.
bench-long: build
	$(TARGET)/release/whisperer-bench long --folder $(TARGET)/bench-long --json $(TARGET)/bench-long.json $(LONG)

# What lanes promise, measured over the release binary: about 20 minutes of load on loopback.
# LANES='--quick' tries it out, LANES='--only drain' runs one scenario, `--help` tells more.
bench-lanes: build
	$(TARGET)/release/whisperer-bench lanes --folder $(TARGET)/bench-lanes \
		--json $(TARGET)/bench-lanes.json $(LANES)

# What the parts of a delivery cost by themselves: signing, scanning, records, commits, lanes, chains.
# About four minutes; MICROBENCH='commits' runs those with this in their name.
MICROBENCH :=
microbench: toolchain
	cargo bench --workspace --bench '*' -- --noplot $(MICROBENCH)

# What a server signs, verified by what receivers in Python and JavaScript use; components of others'
# tools, made straight from wit/, through a real server; and the templates that need such tools. Needs
# npm and python3 and installs what it takes, so neither `make test` nor CI runs it.
foreign: build
	tests/foreign.sh $(TARGET)/release/whisperer $(TARGET)/foreign

# Every route against what /openapi.json says of it. Needs python3 and installs schemathesis.
EXAMPLES := 200
schemathesis: build
	tests/schemathesis/run.sh $(TARGET)/release/whisperer $(TARGET)/schemathesis $(EXAMPLES)

# Looks for inputs that break a property (tests/properties): ten minutes a target, one after the
# other; FUZZ_SECS=3600 and FUZZ_TARGETS="url_policy event_json" say otherwise. What it meets on the
# way stays in $(FUZZED) and is where it goes on the next time; `make fuzz-keep` puts what of it reaches
# new code into the corpus, which `make test` replays. No sanitizer: our code has no `unsafe`, and
# without one it tries twice as much.
FUZZ_SECS    := 600
FUZZ_TARGETS := url_policy retry_after event_json header_filter record_codec plugin_patch filter_expr cloud_event
FUZZ         := cargo +nightly fuzz
FUZZED       := $(abspath $(TARGET))/fuzz
FUZZ_FLAGS    = --fuzz-dir tests/fuzz --sanitizer none --target-dir $(FUZZED)/build

fuzz: fuzz-tools
	@for target in $(FUZZ_TARGETS); do \
		mkdir -p $(FUZZED)/$$target $(FUZZED)/failed/$$target; \
		$(FUZZ) run $(FUZZ_FLAGS) $$target $(FUZZED)/$$target tests/fuzz/corpus/$$target -- \
			-dict=tests/fuzz/dict/$$target.dict -artifact_prefix=$(FUZZED)/failed/$$target/ \
			-max_total_time=$(FUZZ_SECS) -max_len=4096 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
		|| { echo; echo "$$target does not hold for the input that is named above. To see it again:"; \
			echo "    $(FUZZ) run $(FUZZ_FLAGS) $$target INPUT"; \
			echo "Mend what is wrong and put the input into tests/fuzz/corpus/$$target/."; exit 1; }; \
	done

# The fewest short inputs that reach as many lines as all of them do: a corpus is read by people too.
fuzz-keep: fuzz-tools
	@for target in $(FUZZ_TARGETS); do \
		mkdir -p $(FUZZED)/$$target; rm -rf $(FUZZED)/kept/$$target; mkdir -p $(FUZZED)/kept/$$target; \
		$(FUZZ) build $(FUZZ_FLAGS) $$target || exit 1; \
		$(FUZZED)/build/*-linux-gnu/release/$$target -merge=1 -set_cover_merge=1 -use_counters=0 -max_len=300 \
			$(FUZZED)/kept/$$target tests/fuzz/corpus/$$target $(FUZZED)/$$target || exit 1; \
		cp -n $(FUZZED)/kept/$$target/* tests/fuzz/corpus/$$target/; \
	done

fuzz-tools:
	@rustup toolchain list | grep -q ^nightly || rustup toolchain install nightly --profile minimal
	@cargo fuzz --version 2>/dev/null | grep -qx "cargo-fuzz $(CARGO_FUZZ)" || cargo install cargo-fuzz --version $(CARGO_FUZZ) --locked

CARGO_FUZZ := 0.13.2

lint: toolchain
	cargo fmt --all --check
	cargo clippy --release --workspace --all-targets -- -D warnings

# Installs what rust-toolchain.toml names, if it is not there yet.
toolchain:
	@rustup show active-toolchain >/dev/null 2>&1 && rustup target list --installed | grep -qx $(WASM) || rustup toolchain install

clean:
	cargo clean
	rm -rf $(DIST)
