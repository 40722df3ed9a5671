#!/bin/sh
# Proves memory placement on two nodes: boots an emulated machine (scripts/guest.sh) and runs the TestGuest tests of numa inside, and
# those of xdp that say where the kernel's chunks lie. It takes about half a minute.
#
#   PULSE_KERNEL=FILE   use this kernel image and download none
#   PULSE_REQUIRE=all   fail where something is missing instead of skipping
set -eu
cd "$(dirname "$0")/.."
me=numa-guest
. scripts/guest.sh

if [ -n "${PULSE_KERNEL:-}" ]; then
	[ -r "$PULSE_KERNEL" ] || lack "PULSE_KERNEL=$PULSE_KERNEL cannot be read"
else
	fetch 6.12 6.1 linux-image-virtual ||
		lack "no kernel can be downloaded (try apt-get update, or set PULSE_KERNEL to a kernel image): $(refusal)"
fi
ip=$(program ip) || lack "ip is not installed (package iproute2)"
go test -c -o "$tmp/numa.test" ./numa
go test -c -o "$tmp/xdp.test" ./xdp
cat >"$tmp/tests" <<'END'
numa.test -test.v -test.short -test.run=^TestGuest|Pinned|FIFO|LosesNoWakeUp|Prefaulted
xdp.test -test.v -test.run=^TestGuestXDPChunks
END
# shellcheck disable=SC2086 # one word for each file
boot "${PULSE_KERNEL:-${kernel:-}/vmlinuz}" numa.test="$tmp/numa.test" xdp.test="$tmp/xdp.test" tests="$tmp/tests" $ip
if grep -q '^ *--- SKIP' "$tmp/log"; then
	lack "the guest skipped tests"
fi
echo "$me: ok"
