# make test | long | headless | demo | lint | msrv | bench | beside | faults | fuzz | golden | contributing | clean. Each sets up what is missing (Debian; sudo where needed).
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup test long headless demo lint style msrv bench beside faults fuzz golden screens contributing clean

help:
	@echo "make demo    a private PostgreSQL with planted problems and live traffic, and the console on it"
	@echo "make test    all tests but those of make long"
	@echo "make long    the tests of features that take a quarter of a minute and more each, most of them several switchovers"
	@echo "make headless  the tests that need no console, in a build without a terminal"
	@echo "make lint    formatting, clippy, documentation, licences and advisories of dependencies, spelling"
	@echo "make msrv    the build with the oldest compiler that Cargo.toml promises"
	@echo "make bench   side-by-side measurements, as ratios"
	@echo "make beside  OTHER=directory: the benches of this build and of another checkout, turn about, as ratios"
	@echo "make faults  every operation hurt at every step, and the tables of it (docs/fault-matrix*.md)"
	@echo "make fuzz    spoiled configurations, profiles, plans, journals, arguments and keys: COUNT of each (100000); prints the counts"
	@echo "make golden  the golden fixture of this build, into the directory MIDWATCH_GOLDEN (tests/fixtures/golden/README.md)"
	@echo "make screens the README's pictures, taken anew"
	@echo "make contributing  what CONTRIBUTING.md says to add, added to a copy of the crate that is then built"
	@echo "make clean   what was built"

setup:
	@./.ci/setup

test: setup
	cargo test --no-fail-fast

# `make test` says `ignored` of them. `.ci/run` runs both.
long: setup
	cargo test --no-fail-fast --test features -- --ignored

# A debug build: ready in a fraction of the time, and quick enough to work with. ARGS="--rows 1000000"
demo:
	@./.ci/setup demo
	cargo build --bin midwatch
	@cargo run --quiet --bin midwatch -- demo $(ARGS)

# A build without the console has no terminal crate. Every target compiles there without a warning, and all tests run but
# those that need the console: tests/tui, pages and pictures, parts of tests/faults and tests/cli.
headless: setup
	@tree=$$(cargo tree --no-default-features -e normal) || exit 1; \
	if grep -E 'ratatui|crossterm' <<<"$$tree"; then echo "headless: this build has a terminal crate" >&2; exit 1; fi
	cargo clippy --no-default-features --all-targets -- -D warnings
	cargo test --no-default-features --no-fail-fast

lint: style
	@./.ci/supply

# Without what comes from outside.
style:
	@./.ci/setup lint
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps

msrv:
	@./.ci/msrv

bench: setup
	cargo bench --bench '*'

# Another checkout of this repository, e.g. a worktree of an older commit. ARGS="--pairs 5 --only parity"
beside: setup
	@[ -n "$(OTHER)" ] || { echo "beside: set OTHER to another checkout's directory" >&2; exit 2; }
	benches/beside "$(OTHER)" $(ARGS)

# The inputs are the same in every run: more of them come with a larger COUNT.
fuzz: setup
	set -o pipefail; MIDWATCH_FUZZ=$(or $(COUNT),100000) cargo test --test security fuzz:: -- --nocapture --test-threads 2 | grep -E 'fuzz|result'
	set -o pipefail; MIDWATCH_FUZZ=$(or $(COUNT),100000) cargo test --test tui fuzz:: -- --nocapture | grep -E 'fuzz|result'

# Minutes: every operation × step × fault. MIDWATCH_FAULTS="undo,commit" for those whose titles have both words.
faults: setup
	MIDWATCH_FAULTS="$${MIDWATCH_FAULTS:-all}" cargo test --test faults -- --ignored the_whole_matrix --test-threads=1 --nocapture

# Never over the fixture that is kept: a fixture of today only proves what today's build wrote.
golden: setup
	@[ -n "$$MIDWATCH_GOLDEN" ] || { echo "golden: set MIDWATCH_GOLDEN to an empty directory" >&2; exit 2; }
	cargo test --test golden -- --ignored the_fixture_is_made --nocapture

# The README's pictures, from the real program on the demo.
screens: setup
	cargo build --bin midwatch --example screens
	cargo run --quiet --example screens -- target/debug/midwatch assets/screens

# The library is built once more, beside ours.
contributing:
	cargo test --test contributing -- --ignored

clean:
	cargo clean
