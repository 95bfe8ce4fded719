#!/bin/sh
# A bridge's table of addresses and its ports' settings: bridge(8)
[ "$BRIDGE_IN" ] || exec env BRIDGE_IN=1 unshare -nm sh "$0"
mount -t tmpfs none /run
try() { echo "\$ $*"; "$@" 2>&1; r=$?; [ $r = 0 ] || echo "  exit $r"; }
fdb() { # what is the bridge's; Linux shows VLANs and multicast groups of devices too
  bridge -j fdb show $1 | python3 -c '
import json, sys
for e in sorted(json.load(sys.stdin), key=lambda e: (e["mac"], e["ifname"])):
    if "vlan" not in e and "self" not in e["flags"]:
        print(" ", e["mac"], e["ifname"], e.get("master"), e.get("state"), *e["flags"])'
}
ports() {
  bridge -d link show | python3 -c '
import re, sys
keys = "hairpin", "learning", "flood", "mcast_flood", "bcast_flood", "isolated"
for port in re.split(r"(?m)^\d+: ", sys.stdin.read()):
    if "master" in port:
        words = port.split()
        print(" ", words[0].split("@")[0], words[words.index("state") + 1], *(k + "=" + words[words.index(k) + 1] for k in keys))'
}
ip link add br0 address 02:00:00:00:00:99 type bridge
for n in a b; do
  ip netns add $n
  ip link add p$n address 02:00:00:00:01:0$n type veth peer name eth0 address 02:00:00:00:00:0$n netns $n
  ip -n $n link set eth0 arp off
  ip link set p$n master br0
done
bridge link show | wc -l
fdb
for n in a b; do ip link set p$n up; ip -n $n link set eth0 up; done
ip link set br0 up
bridge link show | grep -c forwarding
# A frame from a to b, and one back.
cat > /run/send.py <<'P'
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
for dst in sys.argv[2:]:
    s.send(bytes.fromhex(dst) + bytes.fromhex(sys.argv[1]) + b"\x88\xb5" + b"x" * 46)
P
cat > /run/count.py <<'P'
import os, socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88b5))
s.bind((sys.argv[1], 0x88b5))
s.settimeout(0.05)
n = [0, 0, 0, 0, 0]
print("ready", flush=True)
while True:
    try:
        n[s.recvfrom(100)[1][2]] += 1
    except TimeoutError:
        if os.path.exists("/run/stop"):
            break
print(*n)
P
listen() { # until heard: counts of frames that arrive: for us, broadcast, multicast, for others
  rm -f /run/stop /run/b /run/br
  ip netns exec b python3 /run/count.py eth0 > /run/b & b=$!
  python3 /run/count.py br0 > /run/br & r=$!
  for i in $(seq 200); do grep -qs ready /run/b && grep -qs ready /run/br && break; sleep 0.05; done
}
heard() { touch /run/stop; wait $b $r; echo "b: $(tail -1 /run/b), br0: $(tail -1 /run/br)"; }
listen
# flooded, twice for all, the bridge's own, what stays on the link; and from what is no station
ip netns exec a python3 /run/send.py 02000000000a 02000000000b ffffffffffff 01005e000001 020000000099 0180c2000003
ip netns exec a python3 /run/send.py 01000000000a 02000000000b
heard
fdb
listen
ip netns exec b python3 /run/send.py 02000000000b 02000000000a
try bridge link set dev pb flood off mcast_flood off bcast_flood off
ip netns exec a python3 /run/send.py 02000000000a 02000000000b 02000000000c ffffffffffff 01005e000001
heard
fdb
ports
try bridge link set dev pb learning off isolated on hairpin on
ports
try bridge link set dev eth9 learning off
try bridge link set dev br0 learning off
try bridge fdb add 02:00:00:00:02:01 dev pb master
try bridge fdb add 02:00:00:00:02:01 dev pb master
try bridge fdb add 02:00:00:00:02:02 dev pb master static
try bridge fdb add 02:00:00:00:02:03 dev pb master dynamic
try bridge fdb add 01:00:5e:00:02:03 dev pb master dynamic
try bridge fdb add 02:00:00:00:02:04 dev lo master dynamic
try bridge fdb replace 02:00:00:00:02:02 dev pa master dynamic
try bridge fdb del 02:00:00:00:02:03 dev pa master
try bridge fdb del 02:00:00:00:02:03 dev pb master
try bridge fdb del 02:00:00:00:02:09 dev pb master
fdb
fdb "dev pa"
fdb "br br0" 2>/dev/null
ip link set pb down
fdb
ports
