#!/bin/sh
# Proves memory placement on two nodes: boots a Debian or Ubuntu kernel on an emulated machine with two sockets and runs the
# TestGuest tests of numa inside. It needs no privileges and no KVM, and takes about half a minute.
#
#   PULSE_KERNEL=FILE   use this kernel image and download none
#   PULSE_REQUIRE=all   fail where something is missing instead of skipping
set -eu
cd "$(dirname "$0")/.."

lack() {
	if [ "${PULSE_REQUIRE:-}" = all ]; then
		echo "numa-guest: FAIL: $1" >&2
		exit 1
	fi
	echo "numa-guest: SKIP: $1"
	exit 0
}

[ "$(uname -s) $(uname -m)" = "Linux x86_64" ] || lack "the emulated machine is built on Linux amd64 only"
for tool in go timeout; do
	command -v $tool >/dev/null || lack "$tool is not installed"
done
command -v qemu-system-x86_64 >/dev/null ||
	lack "qemu-system-x86_64 is not installed (apt-get install --no-install-recommends qemu-system-x86)"

tmp=$(mktemp -d "${TMPDIR:-/tmp}/pulse-numa.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM

# A distribution kernel brings NUMA and the serial console built in. Meta packages name the version of the day.
fetch_kernel() {
	for meta in linux-image-6.12-cloud-amd64 linux-image-cloud-amd64 linux-image-virtual; do
		package=$(apt-cache depends "$meta" 2>/dev/null | awk '/Depends: linux-image/ {print $2; exit}')
		[ -n "$package" ] || continue
		(cd "$tmp" && apt-get -q download "$package" >download.log 2>&1) || continue
		dpkg-deb --fsys-tarfile "$tmp/$package"_*.deb | tar -xO --wildcards './boot/vmlinuz-*' >"$tmp/vmlinuz" || continue
		[ -s "$tmp/vmlinuz" ] || continue
		mkdir -p "$cache"
		mv "$tmp/vmlinuz" "$cache/vmlinuz.$$"
		mv "$cache/vmlinuz.$$" "$cache/vmlinuz"
		echo "numa-guest: kernel $package kept in $cache"
		return 0
	done
	return 1
}

cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/pulse/numa-guest
kernel=${PULSE_KERNEL:-$cache/vmlinuz}
if [ -n "${PULSE_KERNEL:-}" ]; then
	[ -r "$kernel" ] || lack "PULSE_KERNEL=$kernel cannot be read"
elif [ ! -s "$kernel" ]; then
	for tool in apt-get apt-cache dpkg-deb; do
		command -v $tool >/dev/null || lack "$tool is not installed to fetch a kernel; set PULSE_KERNEL to a kernel image"
	done
	# A fresh image has no package lists.
	fetch_kernel || { [ "$(id -u)" = 0 ] && apt-get -q update >"$tmp/update.log" 2>&1 && fetch_kernel; } ||
		lack "no kernel package can be downloaded (try apt-get update, or set PULSE_KERNEL to a kernel image)"
fi

export CGO_ENABLED=0 GOOS=linux GOARCH=amd64
go test -c -o "$tmp/t.test" ./numa
go build -o "$tmp/init" ./internal/guestinit
printf '%s\n' -test.v -test.short '-test.run=^TestGuest|Pinned|FIFO|LosesNoWakeUp|Prefaulted' >"$tmp/args"
go run ./internal/mkcpio "$tmp/initrd.cpio" init="$tmp/init" t.test="$tmp/t.test" args="$tmp/args"

timeout 120 qemu-system-x86_64 -machine q35 -accel tcg,thread=multi -cpu max -m 1024 -smp 4,sockets=2,cores=2,threads=1 \
	-object memory-backend-ram,id=m0,size=512M -object memory-backend-ram,id=m1,size=512M \
	-numa node,nodeid=0,cpus=0-1,memdev=m0 -numa node,nodeid=1,cpus=2-3,memdev=m1 -numa dist,src=0,dst=1,val=21 \
	-kernel "$kernel" -initrd "$tmp/initrd.cpio" \
	-append "console=ttyS0 panic=-1 quiet isolcpus=domain,managed_irq,3 nohz_full=3" \
	-nodefaults -no-user-config -display none -serial stdio -no-reboot </dev/null >"$tmp/console" 2>&1 || true
tr -d '\r' <"$tmp/console" >"$tmp/log"
grep -v '^=== RUN\|^ *$\|^\[' "$tmp/log" || true
grep -q '^GUEST-EXIT=0$' "$tmp/log" || {
	echo "numa-guest: FAIL: the guest did not end with GUEST-EXIT=0" >&2
	exit 1
}
if grep -q '^ *--- SKIP' "$tmp/log"; then
	lack "the guest skipped tests"
fi
echo "numa-guest: ok"
