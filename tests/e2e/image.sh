#!/bin/sh
# image.sh [base|programs|network]: prints the path of a test image, a tarball of a Debian system made by debootstrap; makes it
# if it is not cached. `programs` is the base with language runtimes and servers on top; `network` has what speaks TCP/IP,
# and no compiler.
set -eu
cache=${RUNSC_NOTIFY_TEST_CACHE:-/var/cache/runsc-notify-tests}
# The number in a name changes when the list of packages does.
base=$cache/debian-bookworm-2.tar
base_packages=python3,perl,gcc,libc6-dev,make,git,procps,sqlite3,bsdextrautils,file
programs=$cache/debian-bookworm-programs-1.tar
programs_packages="nodejs openjdk-17-jdk-headless golang-go golang-src ruby php-cli postgresql postgresql-contrib redis-server
  mariadb-server stress-ng strace gdb bubblewrap util-linux-extra uidmap libpython3.11-testsuite systemd"
network=$cache/debian-bookworm-network-1.tar
network_packages="python3 git procps nginx-light apache2 redis-server memcached postgresql nodejs openssh-server openssh-client curl wget
  dnsmasq-base dnsutils iperf3 iputils-ping traceroute tcpdump iproute2 netcat-openbsd"

kind=${1:-base}
case $kind in
base) image=$base ;;
programs) image=$programs ;;
network) image=$network ;;
*) echo "image.sh: no image $kind" >&2 && exit 2 ;;
esac

bootstrap() { # ROOT PACKAGE,…
  mirror=$(cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null |
    sed -n -e 's/^URIs: *\([^ ]*debian\)\/\{0,1\}$/\1/p' -e 's/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*debian\)\/\{0,1\} .*/\2/p' | head -n 1)
  debootstrap --variant=minbase --include="$2" bookworm "$1" "${mirror:-http://deb.debian.org/debian}" >&2
}

# The packages' scripts want /proc (Java) and must not start servers.
add_packages() { # ROOT PACKAGE…
  printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d"
  chmod +x "$1/usr/sbin/policy-rc.d"
  cp /etc/resolv.conf "$1/etc/resolv.conf"
  cp /etc/apt/apt.conf.d/*proxy* "$1/etc/apt/apt.conf.d/" 2>/dev/null || true
  # shellcheck disable=SC2016
  unshare -m sh -euc 'mount -t proc proc "$1/proc"; mount --rbind /dev "$1/dev"; root=$1; shift
    export DEBIAN_FRONTEND=noninteractive
    chroot "$root" apt-get -qq update
    chroot "$root" apt-get -qq install -y --no-install-recommends "$@"' sh "$@" >&2
}

if [ ! -s "$image" ]; then
  mkdir -p "$cache"
  root=$(mktemp -d "$cache/root.XXXXXX")
  trap 'rm -rf "$root" "$image.part"' EXIT
  # shellcheck disable=SC2086
  case $kind in
  base) bootstrap "$root" $base_packages ;;
  programs)
    tar -C "$root" -xf "$("$0" base)"
    add_packages "$root" $programs_packages
    ;;
  network)
    bootstrap "$root" ca-certificates
    add_packages "$root" $network_packages
    rm -rf "$root"/usr/share/locale "$root"/usr/share/i18n
    ;;
  esac
  rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/doc "$root"/usr/share/man
  tar -C "$root" --one-file-system -cf "$image.part" .
  mv "$image.part" "$image"
fi
echo "$image"
