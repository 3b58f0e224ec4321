# One list of commands. On a fresh machine with Rust, Node, Python and make, `make run` and `make test` are all
# that needs to be known.

# The binary that the conformance suites drive. Any path does; `make soak` takes the faster build.
DEBUG   := target/debug/deskbell
QUICK   := target/quick/deskbell
BIN     ?= $(DEBUG)
PYTHON  ?= python3
# Seconds that each fuzz target runs: in `make test`, and in `make fuzz`.
FUZZ_SHORT ?= 3
FUZZ_TIME  ?= 600
# What the random tests start from. The same tree passes or fails alike everywhere; `make soak` draws anew.
SEED ?= 20261126
# Where the suites keep what they install and write; never committed.
WORK    := .work

export BINARY_UNDER_TEST = $(abspath $(BIN))

.PHONY: help run build release fmt lint setup deps test check unit sim sim-full bench-test tally-test conformance autobahn clients pusher \
	portico cuts sdk pages pages-test socketio appointease five-screens api browser all-tests fuzz-short docs-test deny mutants fuzz soak bench

help: ## Show this list.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

run: ## Start Deskbell on 127.0.0.1:8080 without any configuration; everything it writes is in deskbell-data.
	cargo run --locked --profile quick --bin deskbell -- serve

release: ## Build the binary as it is shipped. Needs neither Node nor Python.
	cargo build --release --locked --bin deskbell

fmt: ## Format the code.
	cargo fmt --all
	cargo fmt --manifest-path fuzz/Cargo.toml -p deskbell-fuzz

lint: ## Look for what the compiler lets pass.
	cargo clippy --locked --workspace --all-targets -- -D warnings

# --- Tests ------------------------------------------------------------------------------------------------------

test: ## Everything that every change must pass, in a quarter of an hour on two cores.
test: setup check lint unit sim bench-test tally-test pages-test conformance portico fuzz-short docs-test deny

setup: ## Install the programs that the tests run beside Deskbell, where they are missing.
	./setup.sh
	conformance/setup.sh

check: ## Is the code formatted, and do the planted bugs still fit it?
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml -p deskbell-fuzz --check
	for bug in sim/mutants/*.patch; do git apply --check "$$bug" || exit 1; done

unit: ## Every Rust test but the simulator's, the house rules included; those of the ledger over both stores.
	PROPTEST_RNG_SEED=$(SEED) cargo test --locked --workspace --exclude deskbell-sim --no-fail-fast
	DESKBELL_TEST_STORE=postgres cargo test --locked -p deskbell --test suite --no-fail-fast -- ledger crash durable post:: \
		webhooks calendars appointease portico::applications portico::shown

sim: ## The store over a disk that breaks, and 300 seeds of people, crashes and clocks; every answer is checked.
	cargo test --locked -p deskbell-sim --no-fail-fast

bench-test: ## Are the verdicts of the measurements right?
	cd bench && $(PYTHON) -m unittest 2>&1

tally-test: ## Does the count at the end of a run count right?
	cd conformance && $(PYTHON) -m unittest 2>&1

conformance: ## Programs that others wrote, against our binary.
conformance: autobahn clients pusher socketio appointease five-screens api browser

autobahn: build ## The Autobahn suite for WebSocket servers, its quick part.
	$(PYTHON) conformance/autobahn/run.py quick

clients: build ## WebSocket and EventSource clients from npm and PyPI.
	cd conformance/clients && $(abspath $(WORK))/python/bin/python -m unittest 2>&1
	node --test --test-reporter=tap conformance/clients/*.test.mjs

pusher: build sdk ## pusher-js, laravel-echo, the Pusher libraries of npm and PyPI, Laravel, and the plugin of web/sdk.
	cd conformance/pusher && $(abspath $(WORK))/python/bin/python -m unittest 2>&1
	node --test --test-reporter=tap --test-force-exit --test-concurrency=1 conformance/pusher/*.test.mjs

cuts: build sdk ## Only the cuts of pusher-js with its plugin.
	node --test --test-reporter=tap --test-force-exit conformance/pusher/cursor.test.mjs

sdk: ## The packages for browsers, out of their TypeScript.
	cd web/sdk && npm run --silent build

pages: ## Build /websocket-test out of its TypeScript, into the file that the server is built with.
	cd web/websocket-test && npm run --silent build

pages-test: ## Is the page that is there the one of its sources, and do its codecs read what they must?
	cd web/websocket-test && npm run --silent check && npm run --silent test

socketio: build ## socket.io-client in Node and Chromium, python-socketio, laravel-echo, and the marketplace's story.
	cd conformance/socketio && $(abspath $(WORK))/python/bin/python -m unittest 2>&1
	node --test --test-reporter=tap --test-force-exit --test-concurrency=1 conformance/socketio/*.test.mjs

appointease: build ## Debian's WordPress on MariaDB, behind the lines of docs/appointease.md, with its pages in Chromium.
	node --test --test-reporter=tap --test-force-exit conformance/appointease/*.test.mjs

five-screens: build sdk ## One booking, and any event, on screens of all five protocols at once.
	node --test --test-reporter=tap --test-force-exit --test-concurrency=1 conformance/five-screens/*.test.mjs

api: build ## Schemathesis: every answer is one that openapi.json describes; as far as it comes in a minute.
	$(PYTHON) conformance/api/run.py quick

browser: build ## The start page, /websocket-test and the browser's own transports, in Chromium.
	node --test --test-reporter=tap --test-concurrency=1 conformance/browser/*.test.mjs

all-tests: build ## Only /websocket-test's own tests, in two browsers at once.
	node --test --test-reporter=tap conformance/browser/all-tests.test.mjs

portico: build ## What a PorticoEstate site takes over: its PHP helper, its client, its commands; its pages in Chromium, behind Apache.
	cd integrations/portico && $(PYTHON) -m unittest 2>&1
	node --experimental-websocket --test --test-reporter=tap --test-force-exit integrations/portico/*.test.mjs
	node --test --test-reporter=tap --test-concurrency=1 conformance/portico/*.test.mjs

fuzz-short: ## Every fuzz target for a few seconds, from its committed seeds.
	CARGO_TARGET_DIR=$(abspath target) cargo run --locked --manifest-path fuzz/Cargo.toml --bin short -- $(FUZZ_SHORT)

docs-test: build ## Every marked command of README.md and docs/ runs as written.
	$(PYTHON) conformance/documents/run.py

deny: ## Licences, sources and doubled crates, where cargo-deny is installed.
	@if cargo deny --version >/dev/null 2>&1; then cargo deny --locked check bans licenses sources; \
	elif [ -n "$$CI_DENY" ]; then cargo install cargo-deny --locked && cargo deny --locked check bans licenses sources; \
	else echo "deny: cargo-deny is not installed; CI_DENY=1 installs it"; fi

build: $(if $(filter $(QUICK),$(BIN)),build-quick,build-debug)

.PHONY: build-debug build-quick
build-debug:
	cargo build --locked --bin deskbell

build-quick:
	cargo build --locked --profile quick --bin deskbell

# --- Long runs --------------------------------------------------------------------------------------------------

soak: ## The same tests with their full counts; takes hours. Its record is bench/results/soak.md.
	$(MAKE) BIN=$(QUICK) setup build-quick
	$(PYTHON) bench/soak.py

.PHONY: autobahn-full
autobahn-full: build
	$(PYTHON) conformance/autobahn/run.py full

.PHONY: api-full
api-full: build
	$(PYTHON) conformance/api/run.py full

sim-full: ## The same with 10,000 seeds.
	DESKBELL_TEST_FULL=1 cargo test --locked --profile quick -p deskbell-sim --no-fail-fast -- --nocapture

mutants: ## Known bugs, planted one at a time in a copy: is each of them caught?
	$(PYTHON) sim/mutants.py

fuzz: ## Every fuzz target for FUZZ_TIME seconds, guided by coverage.
	fuzz/run.sh $(FUZZ_TIME)

bench: ## Measure, beside Sockudo too, and fail when a target is missed.
	bench/setup.sh
	$(PYTHON) bench/run.py
