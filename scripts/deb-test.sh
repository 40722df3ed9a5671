#!/usr/bin/env bash
# The Debian package on a machine that is thrown away: an overlay over this one's files, in namespaces of its own. It is built twice
# and must come out the same; installed with dpkg, its program runs the demo, and a node as the unit says, as the unit's user and without
# a capability; removed and purged, nothing is left. Then another such machine starts systemd and nothing else, which runs the unit with all
# that it forbids. Commands are those of docs/install.md. Nothing outside the overlay changes.
set -euo pipefail
cd "$(dirname "$0")/.."

says() { printf '%-10s %s\n' "$1" "$2"; }
dies() { echo "deb-test: $*" >&2; exit 1; }

# block N is the Nth block of commands in docs/install.md. What make would have built lies in bin/dist below the current directory.
block() { printf 'set -ex\nmake() { :; }\n'; awk -v n="$1" '/^```/ { on = /^```sh$/ && ++seen == n; next } on' /tmp/install.md; }

# inside runs in the namespaces, with the overlay as its root.
inside() {
  local deb=$1 node=/var/lib/pulse/left pid commands command
  dpkg -i "$deb" >/dev/null
  [ "$(dpkg -s pulse | sed -n 's/^Status: //p')" = "install ok installed" ] || dies "not installed"
  cd /
  says installs "$(pulse version)"
  dpkg --verify pulse || dies "files are not as packed"

  pulse demo --for 2s --out '' --json >/tmp/demo.json 2>/tmp/demo.err || { cat /tmp/demo.json /tmp/demo.err; dies "the demo failed"; }
  says runs "pulse demo, every message accounted for"

  # What the package's documents promise of the bill and the licences.
  while read -r module; do
    grep -q "\"name\": \"$module\"" /usr/share/doc/pulse/sbom.cdx.json || dies "$module is not in the bill of materials"
    grep -q "^==== $module " /usr/share/doc/pulse/copyright || dies "no licence of $module"
  done < <(pulse version --build-info | awk 'NF == 3 && $3 ~ /^h1:/ { print $1 }')
  for shell in bash zsh fish; do
    command -v "$shell" >/dev/null || continue
    "$shell" -n "$(dpkg -L pulse | grep -E "/($shell-completion/completions/pulse|_pulse|pulse\.$shell)$" | grep "$shell")" || dies "completions for $shell"
  done
  commands=$(bash -c '. /usr/share/bash-completion/completions/pulse && complete -p pulse')
  says completes "$commands"
  if command -v man >/dev/null; then
    for page in $(dpkg -L pulse | grep '/man1/.*\.gz$'); do
      [ -z "$(man --warnings -E UTF-8 -l "$page" 2>&1 >/dev/null)" ] || dies "man warns of $page"
    done
    says pages "$(dpkg -L pulse | grep -c '/man1/.*\.gz$') manual pages format without a warning"
  fi
  if command -v systemd-analyze >/dev/null; then
    SYSTEMD_OFFLINE=1 systemd-analyze verify --man=no pulse@left.service || dies "systemd-analyze verify"
    says verifies "$(systemd-analyze security --offline=true --threshold=25 pulse@left.service | sed -n 's/^.*Overall exposure level.*: \([0-9.]*\).*/exposure level \1 of 10, systemd-analyze security/p')"
  fi

  # A node, as the unit starts it: its command line, its user, no capability.
  install -d -o pulse -g pulse -m 0700 /var/lib/pulse "$node"
  sed 's/^  here:/  left:/; s/node: here/node: left/' /usr/share/doc/pulse/examples/single_host.yaml >/etc/pulse/topology.yaml
  command=$(sed -n 's/^ExecStart=//p' /usr/lib/systemd/system/pulse@.service | sed 's/%i/left/; s/\$PULSE_ARGS//')
  setpriv --reuid=pulse --regid=pulse --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs $command >/tmp/node.log 2>&1 &
  pid=$!
  until grep -q 'rings in /dev/shm/pulse-' /tmp/node.log; do
    kill -0 $pid 2>/dev/null || { cat /tmp/node.log; dies "the node ended"; }
    sleep 0.05
  done
  kill -HUP $pid
  until grep -q reloaded /tmp/node.log; do
    kill -0 $pid 2>/dev/null || { cat /tmp/node.log; dies "the node ended at a reload"; }
    sleep 0.05
  done
  grep -q '^CapEff:[[:space:]]*0*$' /proc/$pid/status || dies "the node has capabilities"
  kill -TERM $pid
  wait $pid || { cat /tmp/node.log; dies "the node ended with $?"; }
  [ -n "$(find /dev/shm -maxdepth 1 -name 'pulse-*' -user pulse)" ] || dies "no rings of the user pulse"
  says serves "${command% }, as pulse, without capabilities; reloads, ends"

  rm -rf /etc/pulse/topology.yaml /var/lib/pulse/left /tmp/demo.json /tmp/demo.err /tmp/node.log
  dpkg -r pulse >/dev/null 2>&1
  [ ! -e /usr/bin/pulse ] || dies "removed, and its program is there"
  getent passwd pulse >/dev/null || dies "removed only, and its user is gone"
  dpkg -P pulse >/dev/null 2>&1
  ! getent passwd pulse >/dev/null || dies "purged, and its user is there"
  [ -z "$(find /dev/shm -name 'pulse-*')" ] || dies "purged, and there are rings"
  cd /tmp && mkdir -p bin/dist && ln -s "$deb" bin/dist/
  block 1 | bash >/tmp/block.log 2>&1 || { cat /tmp/block.log; dies "the commands for Debian in docs/install.md"; }
  cd / && rm -rf /tmp/bin /tmp/block.log
}

# under runs as a unit of a systemd that has started nothing else.
under() {
  local left=pulse@left.service drop=/etc/systemd/system/pulse@left.service.d pid rings
  mkdir /tmp/a && cd /tmp/a && mkdir -p bin && ln -s /mnt bin/dist
  dpkg -i bin/dist/pulse_*.deb >/dev/null
  sed 's/^  here:/  left:/; s/node: here/node: left/' /usr/share/doc/pulse/examples/single_host.yaml >/etc/pulse/topology.yaml
  mkdir -p "$drop" # of what the unit waits for nothing is here, and no journal either
  printf '[Unit]\nDefaultDependencies=no\nWants=\nAfter=\n[Service]\nStandardOutput=file:/tmp/node\nStandardError=file:/tmp/node\n' >"$drop/test.conf"
  systemctl daemon-reload
  block 3 | bash >/tmp/block.log 2>&1 || { cat /tmp/block.log /tmp/node; systemctl --no-pager status $left; dies "the commands for systemd in docs/install.md"; }
  until grep -q reloaded /tmp/node; do sleep 0.05; done
  pid=$(systemctl show -P MainPID $left)
  grep -q '^CapEff:[[:space:]]*0*$' "/proc/$pid/status" && grep -q '^Seccomp:[[:space:]]*2$' "/proc/$pid/status" || dies "the unit forbids less than it says"
  kill -KILL "$pid"
  until [ "$(systemctl show -P NRestarts $left)" = 1 ] && [ "$(systemctl show -P ActiveState $left)" = active ]; do sleep 0.05; done
  systemctl stop $left
  [ "$(systemctl show -P Result $left)" = success ] || dies "the unit ended with $(systemctl show -P Result $left)"
  rings=$(find /dev/shm -maxdepth 1 -name 'pulse-*' -user pulse)
  [ -n "$rings" ] || dies "stopped, and its rings are gone"
  sed -i 's/^channels:/chanels:/' /etc/pulse/topology.yaml
  ! systemctl start $left 2>/dev/null || until [ "$(systemctl show -P ActiveState $left)" = failed ]; do sleep 0.05; done
  [ "$(systemctl show -P ExecMainStatus $left) $(systemctl show -P NRestarts $left)" = "2 0" ] || dies "a wrong topology: $(systemctl show -p ExecMainStatus,NRestarts $left)"
  sed -i 's/^chanels:/channels:/' /etc/pulse/topology.yaml
  systemctl start $left
  dpkg -P pulse >/dev/null 2>&1
  [ "$(systemctl show -P ActiveState $left)" != active ] && [ ! -e /etc/systemd/system/multi-user.target.wants/$left ] || dies "purged, and the unit is there"
  [ -z "$(find /dev/shm -name 'pulse-*')" ] && ! getent passwd pulse >/dev/null || dies "purged, and there are rings or the user"
  says unit "$left under systemd: enabled, reloaded, killed and back, stopped with its rings kept, not restarted with a wrong topology, purged"
  block 2 | bash >/tmp/block.log 2>&1 || { cat /tmp/block.log; dies "the commands for a tarball in docs/install.md"; }
  SYSTEMD_OFFLINE=1 systemd-analyze verify --man=no /usr/local/lib/systemd/system/pulse@.service || dies "the tarball's unit"
  says tarball "$(tail -n 1 /tmp/block.log)"
}

# changed lists what differs between the overlay and the machine. What dpkg and useradd keep of every installation may: their own books and
# the copies of the former ones.
changed() {
  local upper=$1 path
  (cd "$upper" && find . -mindepth 1 ! -type d -printf '%P\n') | while read -r path; do
    case $path in
      var/lib/dpkg/status | var/lib/dpkg/status-old | var/lib/dpkg/lock | var/lib/dpkg/triggers/* | var/log/dpkg.log | etc/.pwd.lock) continue ;;
      var/cache/man/* | var/cache/ldconfig/* | etc/passwd- | etc/group- | etc/shadow- | etc/gshadow- | etc/sub[ug]id-) continue ;;
    esac
    if [ -c "$upper/$path" ]; then
      echo "gone: /$path"
    elif [ ! -e "/$path" ]; then
      echo "left: /$path"
    elif ! cmp -s "$upper/$path" "/$path"; then
      echo "other: /$path"
    fi
  done
  # Directories that the machine does not have.
  (cd "$upper" && find . -mindepth 1 -type d -printf '%P\n') | while read -r path; do
    [ -d "/$path" ] || echo "left: /$path"
  done
}

# machine makes the overlay in WORK, and shows it DIR as /mnt.
machine() {
  local work=$1 dir=$2
  mount -t tmpfs -o mode=0755 tmpfs "$work"
  mkdir "$work"/{upper,work,root}
  mount -t overlay overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" "$work/root"
  mount --bind "$dir" "$work/root/mnt"
  mount -t proc proc "$work/root/proc"
  mount --rbind /dev "$work/root/dev"
  mount -t tmpfs tmpfs "$work/root/dev/shm"
  mount -t tmpfs tmpfs "$work/root/tmp"
  mount -t tmpfs tmpfs "$work/root/run"
  cp "$0" docs/install.md "$work/root/tmp/"
}
clean=(/usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8)

# around runs inside and looks at what is left.
around() {
  local work=$1 dir=$2 left
  machine "$work" "$dir"
  chroot "$work/root" "${clean[@]}" bash /tmp/deb-test.sh inside "/mnt/$(basename "$dir"/pulse_*.deb)"
  left=$(changed "$work/upper")
  [ -z "$left" ] || dies "purged, and it is not as before:"$'\n'"$left"
  says purges "no file more, none less, none other"
}

# boot becomes systemd, with one unit: under. The kernel's settings are not its to change.
boot() {
  local work=$1 dir=$2
  machine "$work" "$dir"
  cd "$work/root"
  mount --bind proc/sys proc/sys && mount -o remount,bind,ro proc/sys
  mount -t sysfs -o ro sysfs sys && mount -t cgroup2 cgroup2 sys/fs/cgroup
  touch "$work/console" && mount --bind "$work/console" dev/console
  printf '[Unit]\nDefaultDependencies=no\nWants=test.service\n' >etc/systemd/system/test.target
  printf '[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nExecStart=/bin/bash /tmp/deb-test.sh under\nExecStopPost=/bin/systemctl --no-block exit 0\nStandardOutput=file:/mnt/said\nStandardError=file:/mnt/said\n' >etc/systemd/system/test.service
  mkdir old && pivot_root . old
  exec chroot . /bin/sh -c 'umount -l /old && exec "$@"' sh "${clean[@]}" container=other /lib/systemd/systemd --system --unit=test.target --log-target=null
}

case ${1:-} in
  inside | under | around | boot) "$@"; exit ;;
esac

# Named like a skipped test, so that PULSE_REQUIRE=all holds for it, too.
command -v dpkg-deb >/dev/null || { echo "--- SKIP: deb-test (no dpkg-deb here)"; exit 0; }
[ "$(id -u)" = 0 ] || { echo "--- SKIP: deb-test (mounts need root)"; exit 0; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
deb=$(scripts/package.sh deb "$work/first")
again=$(umask 077 && TZ=Asia/Tokyo scripts/package.sh deb "$work/second")
cmp "$deb" "$again" || dies "the same source made another package"
says builds "$(basename "$deb"), $(du -h "$deb" | cut -f 1), the same twice"
mkdir "$work/machine"
namespaces=(--mount --pid --fork --kill-child --net --uts --ipc --propagation private)
unshare "${namespaces[@]}" "$0" around "$work/machine" "$work/first"

if [ ! -x /lib/systemd/systemd ]; then
  echo "--- SKIP: deb-test's unit (no systemd here)"
  exit 0
fi
scripts/package.sh tar "$work/first" >/dev/null
timeout 60 unshare "${namespaces[@]}" --cgroup "$0" boot "$work/machine" "$work/first" || true # its own word counts
cat "$work/first/said" || dies "systemd did not come so far"
grep -q '^tarball ' "$work/first/said" || dies "the unit under systemd"
