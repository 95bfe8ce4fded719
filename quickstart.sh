#!/bin/bash
# From a fresh Debian 12 to a first command in a sandbox:  sudo ./quickstart.sh
set -eu
cd "$(dirname "$(readlink -f "$0")")"
. scripts/packages.sh
packages "${build_packages[@]}"

cmake --preset release >/tmp/runsc-notify-cmake.log 2>&1 || { cat /tmp/runsc-notify-cmake.log; exit 1; }
echo "building build/runsc-notify"
ninja -C build runsc-notify >/tmp/runsc-notify-ninja.log 2>&1 || { tail -n 40 /tmp/runsc-notify-ninja.log; exit 1; }

sandbox() {
  printf '\n$ runsc-notify do %s\n' "$1"
  # shellcheck disable=SC2086
  build/runsc-notify do -- /bin/sh -c "$1" </dev/null
}
echo "
What follows runs in a sandbox: its system calls are answered by our own kernel in user space, not by this machine's.
It sees this machine's files, read-only underneath; what it writes stays in memory and ends with it."
sandbox 'uname -a'
sandbox 'dmesg'
sandbox 'ps -ef || ps'
sandbox 'seq 1 100000 | sort -rn | head -n 3; ls / | wc -l; echo written > /etc/marker && cat /etc/marker'
[ ! -e /etc/marker ] && echo "(and there is no /etc/marker on this machine)"
cat <<'END'

It works. Next:
  sudo build/runsc-notify do bash                        # a shell in a sandbox
  sudo build/runsc-notify do python3 -c 'print(6 * 7)'
  sudo build/runsc-notify --debug-log /tmp/log --strace do true; less /tmp/log    # every call it makes

With Docker:
  sudo build/runsc-notify install && sudo systemctl restart docker
  docker run --rm -it --runtime=runsc-notify debian bash

All tests: sudo ./test.sh
END
