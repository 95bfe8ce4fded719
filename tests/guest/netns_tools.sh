#!/bin/sh
# ip-netns(8): named network namespaces are nsfs files bound under /run/netns, which is shared for that.
[ "$NETNS_IN" ] || exec env NETNS_IN=1 unshare -nm sh "$0"
mount -t tmpfs none /run
try() { echo "\$ $*"; "$@" 2>&1; r=$?; [ $r = 0 ] || echo "  exit $r"; }
try ip netns
try ip netns add one
try ip netns add two
try ip netns add one
try ip netns add ../x
ip netns | sed 's/ (id.*//' | sort
tail -2 /proc/self/mountinfo | sed 's/^[^/n]*//; s/\[[0-9]*\]/[N]/; s/shared:[0-9]*/shared/'
tail -3 /proc/self/mountinfo | grep ' /run/netns ' | grep -c 'shared:'
stat -f -c %t /run/netns/one
[ "$(stat -L -c %i /run/netns/one)" = "$(ip netns exec one stat -L -c %i /proc/self/ns/net)" ] && echo same
[ "$(stat -L -c %i /run/netns/one)" = "$(stat -L -c %i /proc/self/ns/net)" ] || echo other
try ip netns exec one sh -c 'ls /sys/class/net; cat /proc/net/dev | grep -c :'
try ip netns exec one ip -br link
try ip netns exec none true
try ip netns exec two false
ip netns exec one sleep 5 &
p=$!
for i in $(seq 40); do [ "$(ip netns identify $p)" ] && break; sleep 0.02; done
ip netns identify $p
[ "$(ip netns pids one)" = $p ] && echo "its only process"
kill $p; wait $p 2>/dev/null
try ip netns exec one ip link add v0 type veth peer name v1 netns two
try ip -n two -br link show v1 | sed 's/v1@[^ ]* .*/v1/'
try ip -n two netns set one 77
ip -n two netns list-id | sed 's/ *(.*//; s/ *$//'
try ip -n two link set v1 netns one
try ip -n two link show v1
try nsenter --net=/run/netns/one ip -br link show v1 | sed 's/v1.*/v1/'
try ip netns del two
try ip -all netns exec true
ls /run/netns
try ip netns del one
try ip netns del one
ls /run/netns
python3 - <<'P'
import ctypes, os, socket
libc = ctypes.CDLL(None, use_errno=True)
libc.unshare(0x40000000)
fd = os.open("/proc/self/ns/net", os.O_RDONLY)
ino = os.fstat(fd).st_ino
libc.unshare(0x40000000)
print("moved", os.stat("/proc/self/ns/net").st_ino != ino)
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)  # of this namespace, whatever comes
print("back", libc.setns(fd, 0x40000000), os.stat("/proc/self/ns/net").st_ino == ino)
print("wrong kind", libc.setns(fd, 0x20000000), os.strerror(ctypes.get_errno()))
print(len(socket.if_nameindex()) >= 1)
P
