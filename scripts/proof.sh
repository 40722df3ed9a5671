#!/usr/bin/env bash
# The full counts: storms whole, each fuzz target for a minute, then every workload of "pulse bench", the codec's
# nanoseconds and memory placement on an emulated machine. Everything printed is kept in report/proof.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p report
export PULSE_SCALE=1 PULSE_RACE_SCALE=20 PULSE_FUZZ=${PULSE_FUZZ:-60s} PULSE_TIMEOUT=${PULSE_TIMEOUT:-60m}

proof() {
  local held=0
  echo "proof of $(git describe --always --dirty 2>/dev/null || echo 'a tree without git'), $(go env GOVERSION), $(uname -srm), $(nproc) cpus"
  scripts/test.sh || held=1
  make -s build || return
  for workload in $(bin/pulse bench --list | awk 'NF { print $1 }'); do
    printf '\n== bench %s\n' "$workload"
    bin/pulse bench "$workload" || held=1
  done
  printf '\n== the codec, per message\n'
  go test -vet=off -run '^$' -bench . -benchmem ./tlv || held=1
  [ "$held" = 0 ] && echo 'proof: everything held' || echo 'proof: something did not hold'
  return "$held"
}

proof 2>&1 | tee report/proof.txt
