#!/bin/sh
# Prints the path of the test image, a tarball of a Debian system made by debootstrap; makes it if it is not cached.
set -eu
cache=${RUNSC_NOTIFY_TEST_CACHE:-/var/cache/runsc-notify-tests}
# The version in the name changes when the list of packages does.
image=$cache/debian-bookworm-2.tar
packages=python3,perl,gcc,libc6-dev,make,git,procps,sqlite3,bsdextrautils,file
if [ ! -s "$image" ]; then
  mkdir -p "$cache"
  root=$(mktemp -d "$cache/root.XXXXXX")
  trap 'rm -rf "$root" "$image.part"' EXIT
  mirror=$(cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null |
    sed -n -e 's/^URIs: *\([^ ]*debian\)\/\{0,1\}$/\1/p' -e 's/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*debian\)\/\{0,1\} .*/\2/p' | head -n 1)
  debootstrap --variant=minbase --include="$packages" bookworm "$root" "${mirror:-http://deb.debian.org/debian}" >&2
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/doc "$root"/usr/share/man
  tar -C "$root" --one-file-system -cf "$image.part" .
  mv "$image.part" "$image"
fi
echo "$image"
