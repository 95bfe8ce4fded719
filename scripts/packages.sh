# Debian packages, sourced by quickstart.sh and test.sh.

build_packages="gcc cmake ninja-build pkg-config libseccomp-dev liburing-dev libnl-3-dev libnl-route-3-dev
  libjansson-dev uthash-dev libbsd-dev libcap-dev procps"
test_packages="check python3 docker.io containerd runc podman conmon netavark debootstrap busybox-static git perl make
  sqlite3 iptables"

# Installs those of its arguments that are missing. Works without a network if there is nothing to do.
install_packages() {
  missing=""
  for p in "$@"; do
    dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q "ok installed" || missing="$missing $p"
  done
  [ -z "$missing" ] && return 0
  echo "installing:$missing"
  apt-get update -qq
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}
