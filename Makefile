# An index: every target is one line that says what it runs. Scripts do the work.
SHELL := /bin/bash
ARGS ?=
W ?=

.PHONY: help build demo test race fuzz bench tidy proof numa-test nix-check vendor-hash vuln cross clean
.DEFAULT_GOAL := help

help: ## these lines
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup:
	@scripts/setup.sh

build: setup ## the program, bin/pulse
	@CGO_ENABLED=0 go build -trimpath -o bin/pulse ./cmd/pulse

demo: build ## real trades through three processes, with a report (ARGS="--for 30s")
	@bin/pulse demo $(ARGS)

test: setup ## every check, storms and fuzzers at 1/20
	@scripts/test.sh

race: setup ## the tests under the race detector
	@CGO_ENABLED=1 go test -race ./...

fuzz: setup ## every fuzz target for a minute each (PULSE_FUZZ=10s)
	@scripts/fuzz.sh

bench: build ## every workload, or one: make bench W=ring/pingpong
	@for w in $(or $(W),$$(bin/pulse bench --list | awk 'NF { print $$1 }')); do bin/pulse bench $$w $(ARGS) || exit; done

proof: setup ## full counts, to the terminal and report/proof.txt
	@scripts/proof.sh

numa-test: ## memory placement on an emulated two-node machine
	@scripts/setup.sh base numa && scripts/numa-test.sh

nix-check: ## the flake against the stub package set, offline
	@scripts/setup.sh base nix && scripts/nix-check.sh

vendor-hash: setup ## the flake's vendorHash, recomputed and compared
	@scripts/vendor-hash.sh

vuln: setup ## known vulnerabilities (needs https://vuln.go.dev)
	@scripts/vuln.sh

cross: setup ## the other systems compile
	@GOOS=darwin go vet ./... && GOARCH=arm64 go build ./...

tidy: setup ## rewrites what can be derived: formatting, go.mod, vendorHash
	@gofmt -w . && go mod tidy && go -C tools mod tidy && scripts/vendor-hash.sh --write

clean: ## what builds and reports leave behind
	@rm -rf bin report
