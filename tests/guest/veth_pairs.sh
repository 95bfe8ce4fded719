#!/bin/sh
# veth pairs: making, moving, carrier, what goes with what. ip-link(8)
[ "$VETH_IN" ] || exec env VETH_IN=1 unshare -nm sh "$0"
mount -t tmpfs none /run
links() {
  ip $1 -j -d link | python3 -c '
import json, sys
for l in sorted(json.load(sys.stdin), key=lambda l: l["ifname"]):
    if l["ifname"] in ("sit0", "ip6tnl0", "tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "ip6gre0", "teql0", "tunl0"):
        continue
    f = [x for x in sorted(l["flags"])]
    print(" ", l["ifname"], ",".join(f), l["mtu"], l["operstate"], l.get("linkinfo", {}).get("info_kind"), l.get("master"), l["promiscuity"], len(l["address"]))'
}
try() { echo "\$ $*"; "$@" 2>&1; r=$?; [ $r = 0 ] || echo "  exit $r"; }
try ip link add v0 type veth peer name v1
try ip link add v0 type veth peer name v2
try ip link add v3 type veth peer name v1
try ip link add v3 type veth peer name v3
try ip link add name12345678901 type veth
links
try ip link add type veth
links
try ip link set v0 up
links
try ip link set v1 up
links
try ip link set v1 down
for i in $(seq 30); do ip link show v0 | grep -q NO-CARRIER && break; sleep 0.05; done # Linux tells of it a little later
links
try ip link set v0 mtu 67
try ip link set v0 mtu 68
try ip link set v0 mtu 65535
try ip link set v0 mtu 65536
try ip link set v0 mtu 9000
try ip link set v0 address 02:00:00:00:00:01
try ip link set v0 address 01:00:00:00:00:01
ip -o link show v0 | grep -o 'link/ether [^ ]*'
try ip netns add a
try ip netns add b
try ip link set v1 netns a
links; links "-n a"
try ip -n a link set v1 up
links; links "-n a"
try ip -n a link set v1 netns b
links "-n a"; links "-n b"
try ip -n b link set v1 name other
try ip link del v0
links; links "-n b"
try ip link add w0 netns a type veth peer name w1 netns b
links "-n a"; links "-n b"
try ip netns del a
for i in 1 2 3 4 5 6 7 8 9 10; do ip -n b link show w1 >/dev/null 2>&1 || break; sleep 0.1; done
links "-n b"
try ip link del veth0
try ip link add x type nothing
links
