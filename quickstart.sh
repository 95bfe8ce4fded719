#!/bin/sh
# Installs what the build needs on Debian 12, builds build/runsc-notify, and runs a sandbox over this machine's own files.
set -eu
cd "$(dirname "$0")"
[ "$(id -u)" = 0 ] || { echo "quickstart.sh: run it as root: sudo ./quickstart.sh" >&2; exit 1; }
. scripts/packages.sh
# shellcheck disable=SC2086
install_packages $build_packages

cmake --preset release >/dev/null
cmake --build build --target runsc-notify

run() {
  echo
  echo "\$ runsc-notify do $*"
  build/runsc-notify do -- "$@"
}
run uname -a
run dmesg
run ps aux
run sh -c 'ls /usr/bin | wc -l; echo "written inside" > /tmp/note; cat /tmp/note | tr a-z A-Z'

cat <<'END'

Each of these commands ran on a kernel of its own, in user space; the files below it were this machine's, read-only,
with a writable layer in memory on top. Next:

  build/runsc-notify do bash                      an interactive shell inside
  build/runsc-notify --strace --debug-log /tmp/log do ls    see every call it makes
  sudo build/runsc-notify install                 register with Docker, then:
  docker run --rm --runtime=runsc-notify debian dmesg
  sudo ./test.sh                                  every test
END
