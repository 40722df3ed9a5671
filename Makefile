# An index: every target is one line that says what it runs. Scripts do the work.
ARGS ?=
W ?=
LEAVES := ./tlv/... ./internal/narhash/... ./internal/cmd/sbom/... ./internal/cmd/tunedhost/...
COMMIT := $(shell git describe --always --dirty --abbrev=12 2>/dev/null)

.PHONY: help build demo check test race fuzz bench tidy proof brokers numa-test xdp-guests nix-check vendor-hash vuln cross deb dist clean
.DEFAULT_GOAL := help

help: ## these lines
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

build: ## the program, bin/pulse
	@scripts/setup.sh go && CGO_ENABLED=0 go build -trimpath -ldflags '-X github.com/alphapulse/transport/bench.Commit=$(COMMIT)' -o bin/pulse ./cmd/pulse

demo: build ## real trades through three processes, with a report (ARGS="--for 30s")
	@bin/pulse demo $(ARGS)

test: ## every check, storms and fuzzers at 1/20
	@scripts/setup.sh race net deb brokers reports monitor && scripts/test.sh

check: ## what needs neither a machine nor a network: leaves, vetted and tested; the flake's package runs it
	@go vet $(LEAVES) && go test -vet=off $(LEAVES)

race: ## the tests under the race detector
	@scripts/setup.sh race && CGO_ENABLED=1 go test -race ./...

fuzz: ## every fuzz target for a minute each (PULSE_FUZZ=10s)
	@scripts/setup.sh go && scripts/fuzz.sh

bench: build ## every workload, or one: make bench W=ring/pingpong
	@for w in $(or $(W),$$(bin/pulse bench --list | awk 'NF { print $$1 }')); do bin/pulse bench $$w $(ARGS) || exit; done

proof: ## full counts, to the terminal and report/proof.txt
	@scripts/setup.sh race net deb brokers reports monitor && scripts/proof.sh

brokers: ## private brokers on loopback (ARGS=down takes them down): for a shell: make -s brokers
	@scripts/setup.sh go brokers >&2 && tools/brokers $(or $(ARGS),up)

numa-test: ## memory placement on an emulated two-node machine
	@scripts/setup.sh go numa && scripts/numa-guest.sh

xdp-guests: ## the tests of xdp on Debian's 6.1 and 6.12, emulated
	@scripts/setup.sh go numa && PULSE_REQUIRE=all scripts/xdp-guests.sh

nix-check: ## the flake against the stub package set, offline
	@scripts/setup.sh go nix && scripts/nix-check.sh

vendor-hash: ## the flake's vendorHash, recomputed and compared
	@scripts/setup.sh go && scripts/vendor-hash.sh

vuln: ## known vulnerabilities (needs https://vuln.go.dev)
	@scripts/setup.sh go && scripts/vuln.sh

cross: ## the other systems compile
	@scripts/setup.sh go && GOOS=darwin go vet ./... && GOARCH=arm64 go build ./...

tidy: ## rewrites what can be derived: formatting, go.mod, vendorHash, nix/tuned-host.json
	@scripts/setup.sh go && gofmt -w . && go mod tidy && go -C tools mod tidy && scripts/vendor-hash.sh --write && go run ./internal/cmd/tunedhost > nix/tuned-host.json

deb: ## a Debian package, bin/dist (GOARCH=arm64)
	@scripts/setup.sh go deb && scripts/package.sh deb

dist: ## tarballs for amd64 and arm64 with bills of materials and SHA256SUMS, bin/dist
	@scripts/setup.sh go && rm -rf bin/dist && for a in amd64 arm64; do GOARCH=$$a scripts/package.sh tar || exit; done

clean: ## what builds and reports leave behind
	@rm -rf bin report
