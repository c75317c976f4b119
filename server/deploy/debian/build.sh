#!/usr/bin/env bash
# build - a Debian package of BINARY in the folder OUT; prints its path.
#   build.sh BINARY OUT [VERSION]
# Needs dpkg-dev. The same commit and binary give the same bytes. Without VERSION it is made of the
# newest tag, else of the commit's time, so that a later one is an upgrade.
set -euo pipefail
binary=$(realpath "$1") out=$(realpath "$2") version=${3:-}
cd "$(dirname "$0")/../../.."
here=server/deploy/debian

commit_time() { git log -1 --format=%ct 2>/dev/null || stat -c %Y Makefile; }
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(commit_time)}
if [ -z "$version" ]; then
    tag=$(git describe --tags 2>/dev/null || true)
    tag=${tag#v}
    version=${tag//-/+}
    : "${version:=0+$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S)}"
fi
arch=$(dpkg --print-architecture)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root doc=$work/root/usr/share/doc/darkroom
umask 022
put() { install -D -m "$1" "$2" "$root/$3"; } # mode, file, where
put 755 "$binary" usr/bin/darkroom
strip --strip-unneeded --remove-section=.comment "$root/usr/bin/darkroom"
put 644 server/deploy/darkroom.service lib/systemd/system/darkroom.service
put 644 server/deploy/darkroom.ini etc/darkroom/darkroom.ini
while IFS= read -r file; do
    put 644 "weights/tiny/$file" "usr/share/darkroom/tiny/$file"
done < <(cd weights/tiny && find . -type f -printf '%P\n' | sort)
install -d "$root/usr/share/man/man1"
gzip -9n <$here/darkroom.1 >"$root/usr/share/man/man1/darkroom.1.gz"
for file in server/{OPERATING,OPTIONS,TROUBLESHOOTING}.md proto/{PROTOCOL,HTTP}.md; do
    put 644 "$file" "usr/share/doc/darkroom/${file##*/}"
done
sed -i 's|](\.\./proto/|](|g; s|](\.\./server/|](|g' "$doc"/*.md
for file in nginx.conf nginx-basic-auth.conf grafana.json alerts.yml darkroom.service; do
    put 644 "server/deploy/$file" "usr/share/doc/darkroom/deploy/$file"
done
{
    cat $here/copyright
    sed '1,/^$/d; s/^$/./; s/^/ /' COPYING
} >"$doc/copyright"
maintainer=$(sed -n 's/^Maintainer: //p' $here/control)
{
    printf 'darkroom (%s) stable; urgency=medium\n\n' "$version"
    printf '  * The commits are the list of changes.\n\n'
    printf ' -- %s  %s\n' "$maintainer" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")"
} | gzip -9n >"$doc/changelog.gz"

# dpkg-shlibdeps wants a source package around it
mkdir -p "$work/debian"
touch "$work/debian/control"
depends=$(cd "$work" && dpkg-shlibdeps -O -e root/usr/bin/darkroom)
depends=${depends#shlibs:Depends=}

install -d "$root/DEBIAN"
install -m 755 $here/{postinst,prerm,postrm} "$root/DEBIAN/"
echo /etc/darkroom/darkroom.ini >"$root/DEBIAN/conffiles"
(cd "$root" && find usr lib -type f -print0 | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
size=$(du -sk --exclude=DEBIAN "$root" | cut -f1)
sed -e "s/@VERSION@/$version/; s/@ARCH@/$arch/; s/@DEPENDS@/$depends/" \
    -e "s/@SIZE@/$size/" $here/control >"$root/DEBIAN/control"
find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
deb=$out/darkroom_${version}_$arch.deb
dpkg-deb --root-owner-group -Zgzip --build "$root" "$deb" >/dev/null
echo "$deb"
