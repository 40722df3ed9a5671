#!/usr/bin/env bash
# Makes this machine able to run the Makefile's targets, and does nothing when it already is.
#
#   scripts/setup.sh [go] [race] [net] [numa] [nix] [deb] [brokers] [reports] [monitor]
#
# go: go itself, which is checked and never installed. race: a C compiler, the race detector links with it. net: network
# namespaces and their filters, on Linux; elsewhere their tests skip. numa: an emulator for guests, and the ip command, which
# goes into them. nix: the nix command. deb: dpkg-deb. brokers: Redis and RabbitMQ, whose services are not started, and for Kafka Java and Maven, which
# gets its jars once, from where its settings say. reports: Node.js and a second reader of histogram logs, which npm gets once. monitor:
# Prometheus with promtool, whose service is not started, and a browser. What is missing is installed on Debian and Ubuntu when root or passwordless sudo
# is there; elsewhere it is named and the script ends with 1.
set -euo pipefail

min_go=1.26
PATH=$PATH:/usr/sbin:/sbin # where ip and nft lie, and not everybody looks
packages=()  # Debian packages to install
missing=()   # what has no package here, or cannot be installed
fetch=false  # Kafka's jars
reader=false # hdr-histogram-js

# want COMMAND PACKAGE...: the packages that bring a command.
want() {
  command -v "$1" >/dev/null 2>&1 && return
  missing+=("$1")
  packages+=("${@:2}")
}

check_go() {
  if ! command -v go >/dev/null 2>&1; then
    echo "setup: go is missing: install Go $min_go or newer from https://go.dev/dl, or use: nix develop" >&2
    exit 1
  fi
  local have
  have=$(go env GOVERSION)
  have=${have#go}
  if [ "$(printf '%s\n%s\n' "$min_go" "$have" | sort -V | head -n 1)" != "$min_go" ]; then
    echo "setup: go $have is too old: Go $min_go or newer is needed (https://go.dev/dl), or use: nix develop" >&2
    exit 1
  fi
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

can_install() {
  command -v apt-get >/dev/null 2>&1 || return 1
  [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null
}

for stage in "${@:-go}"; do
  case $stage in
    go) check_go ;;
    race)
      check_go
      cc=$(go env CC) # the compiler go was told to use, perhaps with arguments
      want "${cc%% *}" gcc libc6-dev
      ;;
    net)
      [ "$(uname -s)" = Linux ] || continue
      want ip iproute2
      want nft nftables
      want tcpdump tcpdump
      ;;
    numa)
      want qemu-system-x86_64 qemu-system-x86
      want dpkg-deb dpkg
      want ip iproute2
      ;;
    nix) want nix nix-bin ;;
    deb) want dpkg-deb dpkg ;;
    brokers)
      [ "$(uname -s)" = Linux ] || continue
      command -v valkey-server >/dev/null 2>&1 || want redis-server redis-server
      want rabbitmq-server rabbitmq-server
      check_go
      want java default-jre-headless
      want mvn maven
      fetch=true
      ;;
    reports)
      want node nodejs
      want npm npm
      reader=true
      ;;
    monitor)
      [ "$(uname -s)" = Linux ] || continue
      want prometheus prometheus
      want promtool prometheus
      want chromium chromium
      ;;
    *)
      echo "setup: no stage $stage (go, race, net, numa, nix, deb, brokers, reports, monitor)" >&2
      exit 2
      ;;
  esac
done

install() {
  if ! can_install; then
    echo "setup: missing ${missing[*]}; on Debian or Ubuntu: apt-get install ${packages[*]}" >&2
    exit 1
  fi
  echo "setup: installing ${packages[*]}"
  log=$(mktemp)
  policy=/usr/sbin/policy-rc.d # has the last word on whether a package starts its service (invoke-rc.d); tests start brokers of their own
  if [ -e "$policy" ]; then
    trap 'rm -f "$log"' EXIT
  else
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null && as_root chmod +x "$policy"
    trap 'rm -f "$log"; as_root rm -f "$policy"' EXIT
  fi
  export DEBIAN_FRONTEND=noninteractive
  if ! as_root apt-get install -y --no-install-recommends "${packages[@]}" >"$log" 2>&1; then
    # A fresh image has no package lists; a kept one may have stale ones.
    as_root apt-get update >>"$log" 2>&1 &&
      as_root apt-get install -y --no-install-recommends "${packages[@]}" >>"$log" 2>&1 || {
      tail -n 20 "$log" >&2
      exit 1
    }
  fi
}

[ ${#missing[@]} = 0 ] || install
if $fetch; then
  (cd "$(dirname "$0")/.." && CGO_ENABLED=0 go run ./internal/cmd/brokers fetch) ||
    echo "setup: no Kafka: its tests skip, and fail under PULSE_REQUIRE=all" >&2
fi
modules=${XDG_CACHE_HOME:-$HOME/.cache}/pulse/hdr
if $reader && [ ! -e "$modules/node_modules/hdr-histogram-js/package.json" ]; then
  mkdir -p "$modules" && npm install --prefix "$modules" --ignore-scripts --no-audit --no-fund --silent hdr-histogram-js@3.0.1 ||
    echo "setup: no hdr-histogram-js: its test skips, and fails under PULSE_REQUIRE=all" >&2
fi
