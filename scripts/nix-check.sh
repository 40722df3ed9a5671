#!/usr/bin/env bash
# The flake without the network: parsed, evaluated, checked and built against the small package set in nix/ci, with
# Nix's files in a temporary directory. What this cannot show: that the names in the flake are those of today's nixpkgs.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v nix >/dev/null 2>&1; then
  echo "nix-check: no nix command here (scripts/setup.sh nix)" >&2
  exit 1
fi

# Nix wants a path without links in it for its store.
work=$(realpath "$(mktemp -d)")
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
# The vendored modules come from go's own cache, before HOME moves away from it.
mkdir -p "$work/nixpkgs"
go mod vendor -o "$work/nixpkgs/vendor"
mkdir -p "$work/nixpkgs/vendor" # go writes none when the module needs nobody

export HOME=$work/home NIX_STORE_DIR=$work/store NIX_STATE_DIR=$work/state NIX_LOG_DIR=$work/log NIX_LOCALSTATE_DIR=$work/var
export NIX_CONFIG='experimental-features = nix-command flakes
sandbox = false
substituters =
build-users-group =
flake-registry ='
unset NIX_REMOTE # no daemon: the store above is ours
mkdir -p "$HOME"

# The tree a clone would hold, and the stub with what it needs of this machine beside it.
mkdir "$work/src"
if git rev-parse --git-dir >/dev/null 2>&1; then
  git ls-files -z --cached --others --exclude-standard |
    tar --null --ignore-failed-read -T - -c 2>/dev/null | tar -x -C "$work/src"
else
  tar --exclude=./bin --exclude=./report -c . | tar -x -C "$work/src"
fi
cp -r nix/ci/nixpkgs-stub/. "$work/nixpkgs"
printf '%s:%s\n' "$(go env GOROOT)/bin" "$PATH" >"$work/nixpkgs/path"
go env GOCACHE >"$work/nixpkgs/gocache"
go env GOVERSION | sed 's/^go//' >"$work/nixpkgs/goversion"

flake=path:$work/src
stub=(--override-input nixpkgs "path:$work/nixpkgs" --no-write-lock-file)
system=$(nix eval --impure --raw --expr builtins.currentSystem)

# Nix repeats at every call that the lock file stays unwritten.
nix() { command nix "$@" 2> >(grep -vE "^warning: not writing|^• Added input|^    'path:|^evaluating " >&2); }
says() { printf '%-9s %s\n' "$1" "$2"; }

for file in flake.nix nix/*.nix nix/ci/*.nix nix/ci/nixpkgs-stub/*.nix; do
  nix-instantiate --parse "$file" >/dev/null
done
says parse "flake.nix, the module and the stub"
nix flake show "$flake" "${stub[@]}" >/dev/null
nix flake check --no-build "$flake" "${stub[@]}"
says check "outputs of every system evaluate"
says package "$(nix eval --raw "$flake#packages.$system.default.name" "${stub[@]}")"
says overlay "$(nix eval --raw --apply "o: (o { stdenv.hostPlatform.system = \"$system\"; } { }).pulse.name" "$flake#overlays.default" "${stub[@]}")"
says module "$(nix eval --impure --json --file nix/ci/module-test.nix --apply 'f: f { }') checks hold"
# A module that says something else than the doctor's table must be refused, or the checks above prove nothing about it.
mkdir "$work/module" && cp -r nix packaging "$work/module"
sed -i 's/mapAttrs (_: fill) sysctl/mapAttrs (_: _: "7") sysctl/' "$work/module/nix/module.nix"
if nix eval --impure --json --file "$work/module/nix/ci/module-test.nix" --apply 'f: f { }' >"$work/module.log" 2>&1; then
  echo "nix-check: a module that differs from nix/tuned-host.json was accepted" >&2
  exit 1
fi
says refusal "a module that differs from nix/tuned-host.json"
says shell "$(nix eval --raw "$flake#devShells.$system.default.name" "${stub[@]}")"

# A wrong vendorHash must be refused, or the build below proves nothing about it.
mkdir "$work/wrong" && cp -r "$work/src/." "$work/wrong"
sed -i 's|vendorHash = ".*";|vendorHash = "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";|' "$work/wrong/flake.nix"
if nix eval --raw "path:$work/wrong#packages.$system.default.drvPath" "${stub[@]}" >"$work/wrong.log" 2>&1; then
  echo "nix-check: a wrong vendorHash was accepted" >&2
  exit 1
fi
grep -q mismatch "$work/wrong.log" || { cat "$work/wrong.log" >&2; exit 1; }
says refusal "a wrong vendorHash"

nix build --print-build-logs -o "$work/result" "$flake#packages.$system.default" "${stub[@]}"
"$work/result/bin/pulse" version
test -s "$work/result/share/man/man1/pulse-run.1" -a -s "$work/result/share/completions/pulse.fish"
says build "bin/pulse runs, has manual pages and completions"
nix build -o "$work/checks" "$flake#checks.$system.format" "$flake#checks.$system.module" "${stub[@]}"
says checks "format, module"
