# Emulated machines that run tests: a Debian or Ubuntu kernel on two sockets of two CPUs and two memory nodes, the last CPU isolated.
# It takes no privileges and no KVM. Sourced from the module root by scripts that set "me", their name, before.
#
#   PULSE_REQUIRE=all   fail where something is missing instead of skipping
# shellcheck shell=sh disable=SC2154

# lack REASON: this machine cannot do it.
lack() {
	if [ "${PULSE_REQUIRE:-}" = all ]; then
		echo "$me: FAIL: $1" >&2
		exit 1
	fi
	echo "$me: SKIP: $1"
	exit 0
}

[ "$(uname -s) $(uname -m)" = "Linux x86_64" ] || lack "the emulated machine is built on Linux amd64 only"
for tool in go timeout; do
	command -v $tool >/dev/null || lack "$tool is not installed"
done
command -v qemu-system-x86_64 >/dev/null ||
	lack "qemu-system-x86_64 is not installed (apt-get install --no-install-recommends qemu-system-x86)"

tmp=$(mktemp -d "${TMPDIR:-/tmp}/pulse-guest.XXXXXX")
kernels=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/pulse/kernels
trap 'rm -rf "$tmp" "$kernels/.new.$$"' EXIT
trap 'exit 130' INT TERM

# package_of KERNEL: the newest Debian kernel for virtual machines of a series such as 6.12, or what a meta package depends on.
package_of() {
	case $1 in
	[0-9]*) apt-cache pkgnames "linux-image-$1." | grep 'cloud-amd64$' | sort -V | tail -n 1 ;;
	*) apt-cache depends "$1" 2>/dev/null | awk '/Depends: linux-image/ {print $2; exit}' ;;
	esac
}

# download KERNEL: keeps the kernel and the module for virtual Ethernet in $kernels/KERNEL. Such a kernel brings NUMA, AF_XDP and the
# serial console built in. What was refused is in $tmp/refused.
download() {
	package=$(package_of "$1")
	if [ -z "$package" ]; then
		echo "the package lists have no kernel $1" >"$tmp/refused"
		return 1
	fi
	new=$kernels/.new.$$ # beside the others, so that it gets its name at once
	rm -rf "$tmp/fetch" "$new"
	mkdir -p "$tmp/fetch" "$new"
	(cd "$tmp/fetch" && apt-get -q download "$package" && dpkg-deb -x "$package"_*.deb .) >"$tmp/refused" 2>&1 || return 1
	cp "$tmp/fetch/boot"/vmlinuz-* "$new/vmlinuz" 2>"$tmp/refused" || return 1
	find "$tmp/fetch" -path '*/drivers/net/veth.ko*' -exec cp {} "$new" \;
	rm -rf "$tmp/fetch"
	mv -T "$new" "$kernels/$1" 2>"$tmp/refused" || return 1
	echo "$me: kernel $package kept in $kernels/$1"
}

# fetch KERNEL...: sees that the first of these that can be had is there, and sets kernel to its directory.
fetch() {
	for name; do
		kernel=$kernels/$name
		[ ! -s "$kernel/vmlinuz" ] || return 0
	done
	for tool in apt-get apt-cache dpkg-deb; do
		command -v $tool >/dev/null || { echo "$tool is not installed" >"$tmp/refused" && return 1; }
	done
	for update in false true; do
		# A fresh image has no package lists, and a kept one may have stale ones.
		! $update || { [ "$(id -u)" = 0 ] && apt-get -q update >"$tmp/update" 2>&1; } || return 1
		for name; do
			kernel=$kernels/$name
			! download "$name" || return 0
		done
	done
	return 1
}

# refusal is fetch's, on one line.
refusal() { grep -v '^W: Download is performed unsandboxed' "$tmp/refused" | tail -n 3 | tr '\n' ' '; }

# Everything inside is for this processor and stands alone, but for program.
export CGO_ENABLED=0 GOOS=linux GOARCH=amd64

# program NAME...: what the archive takes for a program of this machine, with its libraries.
program() {
	for name; do
		at=$(PATH=$PATH:/usr/sbin:/sbin command -v "$name") || return 1
		echo "$name=$at"
		ldd "$at" 2>/dev/null | awk '{ for (i = 1; i <= NF; i++) if ($i ~ "^/") print substr($i, 2) "=" $i }' || true
	done | sort -u
}

# boot KERNEL-FILE FILE...: runs the machine with these files (NAME=FILE). Inside, internal/guestinit loads the modules among them and
# runs what "tests" says, a program and its arguments on each line. Leaves what the machine prints in $tmp/log, prints what is of
# interest of it, and fails if a test does or a program runs none.
boot() {
	image=$1
	shift
	go build -o "$tmp/init" ./internal/guestinit || return
	go run ./internal/mkcpio "$tmp/initrd.cpio" init="$tmp/init" "$@" || return
	timeout 120 qemu-system-x86_64 -machine q35 -accel tcg,thread=multi -cpu max -m 1024 -smp 4,sockets=2,cores=2,threads=1 \
		-object memory-backend-ram,id=m0,size=512M -object memory-backend-ram,id=m1,size=512M \
		-numa node,nodeid=0,cpus=0-1,memdev=m0 -numa node,nodeid=1,cpus=2-3,memdev=m1 -numa dist,src=0,dst=1,val=21 \
		-kernel "$image" -initrd "$tmp/initrd.cpio" \
		-append "console=ttyS0 panic=-1 quiet isolcpus=domain,managed_irq,3 nohz_full=3" \
		-nodefaults -no-user-config -display none -serial stdio -no-reboot </dev/null >"$tmp/console" 2>&1 || true
	tr -d '\r' <"$tmp/console" >"$tmp/log"
	grep -v '^=== RUN\|^ *$\|^\[' "$tmp/log" || true
	if ! grep -q '^GUEST-EXIT=0$' "$tmp/log"; then
		echo "$me: FAIL: the guest did not end with GUEST-EXIT=0" >&2
		return 1
	fi
	if ! grep -q '^--- PASS: ' "$tmp/log" || grep -q '^testing: warning: no tests to run' "$tmp/log"; then
		echo "$me: FAIL: a test program of the guest ran no test" >&2
		return 1
	fi
}
