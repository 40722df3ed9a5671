#!/usr/bin/env bash
# Every fuzz target of the module, PULSE_FUZZ each (default 60s).
set -euo pipefail
cd "$(dirname "$0")/.."
export PULSE_FUZZ=${PULSE_FUZZ:-60s} CGO_ENABLED=0
. scripts/lib.sh
fuzz_all
closing
