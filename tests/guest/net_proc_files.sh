#!/bin/bash
# /proc/net and /sys/class/net of a namespace in which only lo is: contents and shapes.
if [ "$1" != inside ]; then exec unshare -rnm --propagation private "$BASH" "$0" inside; fi
python3 - <<'PY'
import ctypes, fcntl, socket, struct  # lo up, without tools
s = socket.socket(socket.AF_UNIX)
r = fcntl.ioctl(s, 0x8913, struct.pack("16sh22x", b"lo", 0))
fcntl.ioctl(s, 0x8914, struct.pack("16sh22x", b"lo", struct.unpack("16xh22x", r)[0] | 1))
PY
cd /proc/net || exit 1
for f in dev if_inet6 ipv6_route igmp igmp6 dev_mcast arp route mcfilter mcfilter6 psched tcp tcp6 udp udp6 udplite raw \
  raw6 icmp icmp6 packet anycast6 sockstat6; do
  echo "== $f $(stat -c '%A %s %U' $f)"
  cat $f
done
head -1 unix; head -1 netlink; head -1 protocols; head -1 ptype
cut -d: -f1 snmp | sort | uniq -c
awk '{print NF}' snmp | head -4
cut -f1 snmp6 | tr -d ' ' | sort | head -40
echo "== another process's is another namespace's"
sleep 100 & pid=$!
unshare -n true
readlink /proc/net
[ "$(cat /proc/$pid/net/dev | wc -l)" = 3 ] && echo 3 lines
unshare -n sh -c "grep -c lo /proc/$pid/net/if_inet6; cat /proc/self/net/if_inet6; echo none"
kill $pid
mount -t sysfs -o ro,nosuid,nodev,noexec x /mnt || exit 1
cd /mnt/class/net || exit 1
ls -l | awk 'NR > 1 {print $1, $(NF-2), $(NF-1), $NF}'
cd lo || exit 1
for f in addr_assign_type addr_len address broadcast carrier dormant flags ifindex iflink mtu operstate tx_queue_len type \
  uevent duplex speed ifalias; do
  echo "$f $(cat $f 2>&1)"
done
readlink subsystem
ls statistics | wc -l
cat statistics/collisions
cat /mnt/devices/virtual/net/lo/ifindex
