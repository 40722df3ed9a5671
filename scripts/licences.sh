#!/usr/bin/env bash
# The licence of Pulse, and of everything that is linked into a program: scripts/licences.sh PROGRAM. Most ask for their text wherever
# the program goes.
set -euo pipefail
cd "$(dirname "$0")/.."

# texts DIR NAME: every licence and notice in a directory; one without is not to be handed out.
texts() {
  local file any=false
  for file in "$1"/LICENSE* "$1"/LICENCE* "$1"/COPYING* "$1"/NOTICE*; do
    [ -f "$file" ] || continue
    any=true
    printf '\n==== %s: %s\n\n' "$2" "$(basename "$file")"
    cat "$file"
  done
  $any || { echo "licences: $2 has none in $1" >&2; exit 1; }
}

echo "Pulse, https://github.com/alphapulse/transport. What follows is its licence, and those of what it is made of."
texts . "github.com/alphapulse/transport"
texts "$(go env GOROOT)" "Go $(go env GOVERSION)"
go version -m "$1" | awk '$1 == "dep" { print $2, $3 }' | while read -r path version; do
  dir=$(go list -m -f '{{.Dir}}' "$path")
  texts "$dir" "$path $version"
done
