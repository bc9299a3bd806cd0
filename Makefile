# The verbs of the project. `make demo` and `make test` are all a newcomer needs.

CARGO ?= cargo
SIPLENS = target/release/siplens

help:           ## list the verbs
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' Makefile | expand -t 12

deps:           ## install what is missing, or say what to install
	@sh scripts/deps

build: deps     ## build the release
	$(CARGO) build --release --locked

demo: build     ## run every command on the samples; leaves report.html
	@sh scripts/demo $(SIPLENS)

test: check     ## everything that CI runs; ends with the summary of the tests
	@sh scripts/deps-tests
	$(CARGO) test --locked

check: deps fmt-check lint pure docs  ## all but the tests

fmt-check:      ## the format is the formatter's
	@sh scripts/with fmt $(CARGO) fmt --check

lint:           ## no warning, of the compiler or of clippy
	@sh scripts/with clippy $(CARGO) clippy --locked --all-targets -- -D warnings

pure:           ## the core compiles without I/O, the command line without libpcap
	@sh scripts/with clippy $(CARGO) clippy --locked --lib --no-default-features -- -D warnings
	@sh scripts/with clippy $(CARGO) clippy --locked --no-default-features --features cli -- -D warnings

docs:           ## the documentation of the code has no broken link
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --quiet

bless:          ## accept goldens and generated pages; then read the diff
	BLESS=1 INSTA_UPDATE=always INSTA_FORCE_PASS=1 $(CARGO) test --locked

rule:           ## begin a rule: make rule SCOPE=message CODE=M022 NAME=some-name
	@python3 scripts/new-rule "$(SCOPE)" "$(CODE)" "$(NAME)"

mutate:         ## damage samples and messages 100,000 times: no panic, no hang
	SIPLENS_MUTATIONS=100000 $(CARGO) test --locked --release --test it mutation -- --nocapture

fuzz:           ## run a fuzz target: make fuzz TARGET=whole_capture SECONDS=60
	@sh scripts/fuzz "$(or $(TARGET),whole_capture)" "$(or $(SECONDS),60)"

bench: build    ## race against tshark and sngrep; writes docs/performance.md
	python3 benches/race.py $(SIPLENS)

bench-live: build ## live capture beside tcpdump and sngrep, as root; adds to docs/performance.md
	python3 benches/live.py $(SIPLENS) --soak 20

install: build  ## put siplens, its manual page and completions under PREFIX (/usr/local)
	@sh scripts/install $(SIPLENS) "$(or $(PREFIX),/usr/local)"

.PHONY: help deps build demo test check fmt-check lint pure docs bless rule mutate fuzz bench bench-live install
