#!/bin/sh
# Two network namespaces joined by a bridge: addresses are learned, frames forwarded, flooded, and seen; TCP across it.
[ "$BRIDGE_IN" ] || exec env BRIDGE_IN=1 unshare -nm sh "$0"
mount -t tmpfs none /run
echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6 2>/dev/null
links() { # without what Linux tells of a little later (carriers)
  ip $1 -j -d link | python3 -c '
import json, sys
for l in sorted(json.load(sys.stdin), key=lambda l: l["ifname"]):
    if l.get("linkinfo", {}).get("info_kind") not in ("veth", "bridge", "dummy"):
        continue
    s = l["linkinfo"].get("info_slave_data", {})
    d = l["linkinfo"].get("info_data", {}) or {}
    print(" ", l["ifname"], l["address"], "up" if "UP" in l["flags"] else "down", l["mtu"], l.get("master"), s.get("state"), s.get("no"), l["promiscuity"], d.get("ageing_time"), d.get("stp_state"))'
}
try() { echo "\$ $*"; "$@" 2>&1; r=$?; [ $r = 0 ] || echo "  exit $r"; }
try ip link add br0 address 02:00:00:00:00:99 type bridge
try ip link add br1 type bridge ageing_time 2000
links | sed 's/br1 [^ ]*/br1/'
for n in a b c; do
  ip netns add $n
  ip link add p$n address 02:00:00:00:01:0$n type veth peer name eth0 address 02:00:00:00:00:0$n netns $n
done
try ip link set pa master br0
try ip link set pa master br0
try ip link set pb master br1
links
try ip link set pb master br0
try ip link set pc master br0
try ip link set br1 master br0
try ip link set lo master br0
try ip link set br1 netns a
try ip link set br0 up
links
for n in a b c; do
  ip link set p$n up
  ip -n $n link set eth0 up
done
try ip link set pb mtu 1400
links
try ip link set pb mtu 1500
try ip addr add 10.9.0.254/24 dev br0
i=0
for n in a b c; do
  i=$((i + 1))
  ip -n $n addr add 10.9.0.$i/24 dev eth0
  ip -n $n link set lo up
done
links
cat > /run/server.py <<'P'
import socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((sys.argv[1], 5000))
s.listen(5)
print("ready", flush=True)
for i in range(int(sys.argv[2])):
    c, peer = s.accept()
    n = 0
    while d := c.recv(1 << 16):
        n += len(d)
    print("server", peer[0], n, flush=True)
P
cat > /run/client.py <<'P'
import socket, sys
s = socket.create_connection((sys.argv[1], 5000), 5)
for i in range(20):
    s.sendall(b"x" * 100000)
s.close()
P
ip netns exec b python3 /run/server.py 10.9.0.2 3 > /run/out &
for k in $(seq 200); do grep -q ready /run/out && break; sleep 0.05; done
ip netns exec a python3 /run/client.py 10.9.0.2
ip netns exec c python3 /run/client.py 10.9.0.2
python3 /run/client.py 10.9.0.2
wait
cat /run/out
ip netns exec a python3 -c '
import socket
try:
    socket.create_connection(("10.9.0.3", 5000), 5)
except OSError as e:
    print(e.strerror)'
try ip link set pa nomaster
links
try ip link del br0
links
