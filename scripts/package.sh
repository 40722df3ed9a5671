#!/usr/bin/env bash
# What is handed out: a Debian package, or a tarball with its checksum.
#
#   scripts/package.sh deb|tar [DIR]    into DIR (bin/dist)
#
#   GOARCH             for which processor (default: this machine's)
#   VERSION            its name (default: the tag, or 0~DATE.COMMIT)
#   SOURCE_DATE_EPOCH  the date of everything in it (default: the commit's); the same source gives the same bytes
set -euo pipefail
cd "$(dirname "$0")/.."
umask 022
kind=${1:?deb or tar}
out=${2:-bin/dist}
arch=${GOARCH:-$(go env GOHOSTARCH)}
unset GOARCH # what builds runs here

described() {
  local tag
  tag=$(git describe --tags --exact-match --match 'v[0-9]*' 2>/dev/null) && { echo "${tag#v}"; return; }
  git log -1 --date=format:%Y%m%d --format='0~%cd.%h' --abbrev=12 2>/dev/null || echo '0~unknown'
}
version=${VERSION:-$(described)}
commit=$(git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || stat -c %Y go.mod)}
export CGO_ENABLED=0 GOOS=linux TZ=UTC LC_ALL=C

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"
out=$(realpath "$out")

# build ARCH FILE: no build ids, no paths of this machine, no time.
build() {
  GOARCH=$1 go build -trimpath -buildvcs=false -ldflags "-s -X main.version=$version -X github.com/alphapulse/transport/bench.Commit=$commit" -o "$2" ./cmd/pulse
}

# The tree below a prefix.
tree=$work/tree
doc=$tree/share/doc/pulse
mkdir -p "$tree/bin" "$tree/lib/systemd/system" "$doc/examples"
build "$arch" "$tree/bin/pulse"
pulse=$tree/bin/pulse
if [ "$arch" != "$(go env GOHOSTARCH)" ]; then
  pulse=$work/pulse
  build "$(go env GOHOSTARCH)" "$pulse"
fi
"$pulse" man "$tree/share/man/man1"
gzip -9n "$tree"/share/man/man1/*
complete() { mkdir -p "$tree/share/$(dirname "$2")" && "$pulse" completion "$1" >"$tree/share/$2"; }
complete bash bash-completion/completions/pulse
complete zsh zsh/vendor-completions/_pulse
complete fish fish/vendor_completions.d/pulse.fish
cp packaging/pulse@.service "$tree/lib/systemd/system/"
cp packaging/examples/* examples/*.yaml "$doc/examples/"
go run ./internal/cmd/tunedhost sysctl >"$doc/examples/60-pulse.conf"
go run ./internal/cmd/tunedhost tuned >"$doc/examples/tuned.conf"
go run ./internal/cmd/sbom "$tree/bin/pulse" "$version" >"$doc/sbom.cdx.json"
scripts/licences.sh "$tree/bin/pulse" >"$doc/copyright"
gzip -9nc CHANGELOG.md >"$doc/changelog.gz"

# dated: everything below a directory is of one time.
dated() { find "$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +; }

deb() {
  local root=$work/deb file=$out/pulse_${version}_$arch.deb
  mkdir -p "$root/DEBIAN" "$root/etc/pulse"
  mv "$tree" "$root/usr"
  printf 'pulse (%s) unstable; urgency=medium\n\n  * Built from commit %s; changelog.gz says what changed.\n\n -- The Pulse authors <maintainers@alphapulse.invalid>  %s\n' \
    "$version" "$commit" "$(date -Rd "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$root/usr/share/doc/pulse/changelog.Debian.gz"
  cp packaging/deb/{postinst,prerm,postrm} "$root/DEBIAN/"
  chmod 0755 "$root"/DEBIAN/p*
  sed "s/@VERSION@/$version/; s/@ARCH@/$arch/; s/@SIZE@/$(du -sk --apparent-size "$root/usr" | cut -f 1)/" packaging/deb/control >"$root/DEBIAN/control"
  (cd "$root" && find usr -type f | sort | xargs md5sum >DEBIAN/md5sums)
  dated "$root"
  dpkg-deb --root-owner-group -Zxz -z1 --build "$root" "$file" >/dev/null
  echo "$file"
}

tarball() {
  local name=pulse-$version-linux-$arch file
  file=$out/$name.tar.gz
  mkdir "$tree/share/zsh/site-functions"
  mv "$tree/share/zsh/vendor-completions/_pulse" "$tree/share/zsh/site-functions/" && rmdir "$tree/share/zsh/vendor-completions"
  sed -i 's|=/usr/bin/pulse|=/usr/local/bin/pulse|' "$tree/lib/systemd/system/pulse@.service"
  cp "$tree/share/doc/pulse/sbom.cdx.json" "$out/$name.cdx.json"
  mv "$tree" "$work/$name"
  cp LICENSE README.md "$work/$name/"
  tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -c "$name" | gzip -9n >"$file"
  (cd "$out" && sha256sum pulse-*.tar.gz pulse-*.cdx.json >SHA256SUMS)
  echo "$file"
}

case $kind in
  deb) deb ;;
  tar) tarball ;;
  *) echo "package: no kind $kind (deb, tar)" >&2; exit 2 ;;
esac
