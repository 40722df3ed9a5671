#!/usr/bin/env bash
# Every check of the project, one after the other; goes on after a failure and ends with a table and the counts.
#
#   PULSE_SCALE    divides the counts of storms and crash tests (default 20; 1 runs them whole)
#   PULSE_RACE_SCALE  the same under the race detector, which is an order of magnitude slower (default PULSE_SCALE)
#   PULSE_FUZZ     how long each fuzz target runs (default 3s)
#   PULSE_REQUIRE  all: a skipped step or test fails the run, unless another step of it holds the test (scripts/lib.sh)
set -euo pipefail
cd "$(dirname "$0")/.."

export PULSE_SCALE=${PULSE_SCALE:-20} PULSE_FUZZ=${PULSE_FUZZ:-3s}
test_timeout=${PULSE_TIMEOUT:-9m}
# One setting of cgo for every build but the race one: the standard library is compiled once.
export CGO_ENABLED=0

. scripts/lib.sh

formatted() {
  local files
  files=$(gofmt -l .)
  [ -z "$files" ] || { printf 'not formatted (make tidy):\n%s\n' "$files"; return 1; }
}

# Other systems and processors compile: vet type-checks darwin with its tests, build reaches the arm64 assembler.
cross() { GOOS=darwin go vet ./... && GOARCH=arm64 go build ./... && GOARCH=arm64 go vet ./internal/sys/...; }

# tests FLAGS...: the unit tests. vet ran once for all of them, and a cached pass proves nothing about this machine.
tests() { go test -vet=off -count=1 -timeout "$test_timeout" -v "$@" ./...; }

# What is checked and where tests kill by label is the same for whoever speaks with brokers, and the race detector's build checks there, too:
# brokers start and die for two of the three runs only.
invariants() {
  local packages
  packages=$(go list ./... | grep -v -E '/(mqadapt/(kafka|rabbitmq|redis)|internal/(cmd/)?brokers)$')
  go test -vet=off -count=1 -timeout "$test_timeout" -v -tags invariants $packages
}

race() { CGO_ENABLED=1 PULSE_SCALE=${PULSE_RACE_SCALE:-$PULSE_SCALE} tests -race; }

demo() {
  make -s build && bin/pulse demo --for 3s --json
}

step "gofmt" formatted
step "go vet" go vet ./...
step "staticcheck" go tool -modfile=tools/go.mod staticcheck ./...
step "other systems (darwin, arm64)" cross
step "tests" tests
step "tests, invariants on" invariants
step "tests, race detector" race
fuzz_all
step "pulse demo" demo
step "Debian package" scripts/deb-test.sh
step "vendor hash of the flake" scripts/vendor-hash.sh
[ "${PULSE_REQUIRE:-}" != all ] || scripts/setup.sh nix || true
if command -v nix >/dev/null 2>&1; then
  step "nix" scripts/nix-check.sh
else
  skip "nix" "no nix command here (scripts/setup.sh nix)"
fi
if [ "${PULSE_REQUIRE:-}" = all ] || [ "$PULSE_SCALE" = 1 ]; then
  scripts/setup.sh numa || true
  step "two memory nodes, emulated" scripts/numa-guest.sh
fi
[ "$PULSE_SCALE" != 1 ] || step "xdp on older kernels, emulated" scripts/xdp-guests.sh

closing
