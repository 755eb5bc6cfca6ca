# Two commands: `make run` builds everything and serves a demo, `make test` runs every test.
TARGET := $(or $(CARGO_TARGET_DIR),target)
NORTHING := $(TARGET)/release/northing
DEMO ?= data/demo
LISTEN ?= 127.0.0.1:7878

.PHONY: build run test long web rust-test web-test e2e shots bench clean

build: web/dist/index.html
	cargo build --release -p northing

run: build
	$(NORTHING) demo --data $(DEMO) --serve --listen $(LISTEN)

web/node_modules/.package-lock.json: web/package-lock.json
	cd web && npm ci --no-audit --no-fund
	@touch $@

web/dist/index.html: web/node_modules/.package-lock.json $(shell find web/src web/public web/scripts web/index.html web/vite.config.ts -type f -not -path '*/compiled/*' 2>/dev/null)
	cd web && npm run --silent build
	@touch $@

test: build rust-test web-test e2e

rust-test:
	cargo test --release --workspace

# Random histories against the oracle, some minutes of them; HISTORIES=10000 takes most of an hour. Then the whole OpenAPI
# document is asked for SECONDS; another SEED asks other things.
HISTORIES ?= 1500
SECONDS ?= 300
SEED ?= 20261124
long: histories document

.PHONY: histories document
histories:
	NORTHING_HISTORIES=$(HISTORIES) cargo test --release -p northing-testkit random_histories

document: build python
	python3 crates/testkit/openapi/run.py --northing "$(abspath $(NORTHING))" --seconds $(SECONDS) --seed $(SEED)

# The tester of the document is installed by Python's own means, which Debian has in packages of their own.
.PHONY: python
python:
	@python3 -c 'import ensurepip' 2>/dev/null || python3 -m pip --version >/dev/null 2>&1 || \
	{ echo "installing python3-venv"; S=$$([ "$$(id -u)" = 0 ] || echo sudo); $$S apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$S apt-get install -y -qq python3 python3-venv; }

web-test: web/dist/index.html
	cd web && npx --no-install tsc --noEmit && npx --no-install vitest run

# A real browser. Chromium comes from the system's packages.
e2e: build chromium
	cd web && NORTHING="$(abspath $(NORTHING))" node e2e/run.mjs

.PHONY: chromium
chromium:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
	{ echo "installing Chromium"; S=$$([ "$$(id -u)" = 0 ] || echo sudo); $$S apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$S apt-get install -y -qq chromium; }

shots: build chromium
	cd web && NORTHING="$(abspath $(NORTHING))" SHOTS="$(abspath docs/screenshots)" node e2e/run.mjs

bench: build
	python3 bench/run.py --northing "$(abspath $(NORTHING))"

clean:
	rm -rf web/dist web/node_modules target data/demo
