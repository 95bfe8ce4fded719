# Sourced: packages NAME... installs those of the named Debian packages that are missing, and does nothing, not even
# ask the network, if none is.
packages() {
  local missing=() p
  for p in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing+=("$p")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  if [ "$(id -u)" != 0 ]; then
    echo "missing packages: ${missing[*]}; run this as root (sudo), or install them" >&2
    return 1
  fi
  echo "installing: ${missing[*]}"
  # Services of the packages (a system dockerd, say) need not start for us.
  local policy=/usr/sbin/policy-rc.d made=
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && made=1
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get -qq update && apt-get -qq install -y --no-install-recommends "${missing[@]}" >/tmp/runsc-notify-apt.log 2>&1
  local rc=$?
  [ -z "$made" ] || rm -f "$policy"
  [ $rc -eq 0 ] || tail -n 20 /tmp/runsc-notify-apt.log >&2
  return $rc
}
build_packages=(cmake ninja-build gcc libc6-dev pkg-config libseccomp-dev liburing-dev libnl-3-dev libnl-route-3-dev libjansson-dev uthash-dev
  libbsd-dev libcap-dev linux-libc-dev)
test_packages=("${build_packages[@]}" check docker.io containerd runc podman netavark catatonit conmon debootstrap busybox-static
  python3 file strace git procps bpftrace libasan8 libubsan1 perl sqlite3 iptables nftables libpython3.11-testsuite
  iproute2 python3-scapy iperf3 iputils-ping traceroute tcpdump tshark ethtool curl wrk redis-tools postgresql-contrib openssh-client dnsutils)
