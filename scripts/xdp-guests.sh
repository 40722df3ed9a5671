#!/bin/sh
# Proves xdp on kernels that people run: boots Debian's 6.1 and 6.12 on an emulated machine (scripts/guest.sh) and runs the tests of
# xdp inside, in network namespaces that the ip command of this machine makes there. It takes about 50 s for each.
#
#   PULSE_KERNELS="6.1 6.12"   the series to run
#   PULSE_REQUIRE=all          fail where something is missing instead of skipping
set -eu
cd "$(dirname "$0")/.."
me=xdp-guests
. scripts/guest.sh

programs=$(program ip setpriv prlimit) || lack "ip, setpriv or prlimit is not installed (packages iproute2, util-linux)"
go test -c -o "$tmp/xdp.test" ./xdp

# Packets of several chunks take Linux 6.6, checksums left to the kernel 6.11, drivers that say what they can 6.3. How xdp does without, a test made for guests shows.
too_new='LargePackets|Checksum|WholePacketIfItCan|Loopback|AProbe'

failed='' missing='' ran=''
for series in ${PULSE_KERNELS:-6.1 6.12}; do
	if ! fetch "$series"; then
		missing="$missing; no kernel $series: $(refusal)"
		continue
	fi
	echo "xdp.test -test.v" >"$tmp/tests"
	[ "$series" != 6.1 ] || echo "xdp.test -test.v -test.skip=$too_new" >"$tmp/tests"
	set -- xdp.test="$tmp/xdp.test" tests="$tmp/tests"
	for module in "$kernel"/veth.ko*; do
		set -- "$@" "${module##*/}=$module"
	done
	# shellcheck disable=SC2086 # one word for each file
	boot "$kernel/vmlinuz" "$@" $programs || failed="$failed $series"
	version=$(sed -n 's/^guest: //p' "$tmp/log")
	case $version in
	"Linux $series."*) ;;
	*) failed="$failed $series(is ${version:-unknown})" ;;
	esac
	if grep '^ *--- SKIP' "$tmp/log" >&2; then
		failed="$failed $series(skipped tests)"
	fi
	ran="$ran; $version: $(grep -c '^--- PASS: ' "$tmp/log") tests passed"
done
if [ -n "$failed" ]; then
	echo "$me: FAIL:$failed" >&2
	exit 1
fi
[ -z "$missing" ] || lack "${missing#; }$ran"
echo "$me: ok${ran}"
