#!/usr/bin/env bash
# The full counts: storms whole, each fuzz target for a minute, then every workload of "pulse bench".
# Everything printed is kept in report/proof.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p report
exec > >(tee report/proof.txt) 2>&1

export PULSE_SCALE=1 PULSE_FUZZ=${PULSE_FUZZ:-60s} PULSE_TIMEOUT=60m
echo "proof of $(git describe --always --dirty 2>/dev/null || echo 'a tree without git'), $(go env GOVERSION), $(uname -srm), $(nproc) cpus"
status=0
scripts/test.sh || status=1

go build -o bin/pulse ./cmd/pulse
for workload in $(bin/pulse bench --list --quiet 2>/dev/null || bin/pulse bench --list | awk 'NF { print $1 }'); do
  printf '\n== bench %s\n' "$workload"
  bin/pulse bench "$workload" || status=1
done
printf '\n== the codec, per message\n'
go test -vet=off -run '^$' -bench . -benchmem ./tlv || status=1

[ "$status" = 0 ] && echo "proof: everything held" || echo "proof: something did not hold"
exit $status
