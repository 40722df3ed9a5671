#!/usr/bin/env bash
# The flake's vendorHash, recomputed from go.mod and go.sum and compared with what flake.nix says.
#
#   scripts/vendor-hash.sh            compare; 1 when they differ
#   scripts/vendor-hash.sh --write    put the computed one into flake.nix
#
# Nix is not needed; where it is, it must come to the same hash.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go mod vendor -o "$work/vendor"
mkdir -p "$work/vendor" # go writes none when the module needs nobody
computed=$(go run ./internal/cmd/narhash "$work/vendor")
if command -v nix >/dev/null 2>&1; then
  nixs=$(HOME=$work NIX_CONFIG='experimental-features = nix-command' nix hash path "$work/vendor")
  [ "$nixs" = "$computed" ] || { echo "vendor-hash: nix says $nixs, narhash says $computed" >&2; exit 1; }
fi
written=$(sed -n 's/.*vendorHash = "\(.*\)";.*/\1/p' flake.nix)

if [ "$written" = "$computed" ]; then
  echo "vendorHash $computed"
elif [ "${1:-}" = --write ]; then
  sed -i "s|vendorHash = \".*\";|vendorHash = \"$computed\";|" flake.nix
  echo "vendorHash $written → $computed"
else
  echo "vendor-hash: flake.nix says $written, go.mod and go.sum give $computed (make tidy)" >&2
  exit 1
fi
