#!/bin/sh
# tcpdump, which reads its frames from a mapped ring: on a veth between two namespaces, on lo, with filters, into a file.
[ "$TCPDUMP_IN" ] || exec env TCPDUMP_IN=1 unshare -nm sh "$0"
mount -t tmpfs none /run
echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6
ip link set lo up
ip netns add a
ip link add v0 address 02:00:00:00:00:01 type veth peer name eth0 address 02:00:00:00:00:02 netns a
ip addr add 10.9.0.1/24 dev v0
ip link set v0 up
ip -n a addr add 10.9.0.2/24 dev eth0
ip -n a link set eth0 up
watch() { # the rest are tcpdump's arguments; it ends by itself, with -c
  rm -f /run/out /run/err
  tcpdump --immediate-mode -nte "$@" > /run/out 2> /run/err & dump=$!
  for i in $(seq 200); do grep -qs 'listening on' /run/err && break; sleep 0.05; done
}
seen() {
  for i in $(seq 100); do kill -0 $dump 2>/dev/null || break; sleep 0.05; done
  kill $dump 2>/dev/null
  wait $dump
  sed 's/id [0-9]*/id N/; s/seq [0-9]*, ack/seq N, ack/; s/seq [0-9]\{4,\}/seq N/; s/ack [0-9]\{4,\}/ack N/; s/\.[0-9]\{5\}\b/.PORT/g; s/win.*//' /run/out
  grep listening /run/err
}
watch -i v0 -c 6 arp or icmp
ping -qc 2 -i 0.2 10.9.0.2 > /run/ping
seen
grep -o '2 packets transmitted, 2 received' /run/ping
watch -i v0 -c 2 -Q in icmp
ip netns exec a ping -qc 2 -i 0.2 10.9.0.1 > /run/ping
seen
watch -i lo -c 2 icmp
ping -qc 1 127.0.0.1 > /run/ping
seen
watch -i lo -c 2 'tcp port 5000 and tcp[tcpflags] & tcp-syn != 0'
python3 -c '
import socket
s = socket.create_server(("127.0.0.1", 5000))
c = socket.create_connection(("127.0.0.1", 5000))
c.sendall(b"hello")
s.accept()[0].recv(10)'
seen
watch -i v0 -c 1 -s 40 -x 'icmp[0] == 8'
ping -qc 1 -s 100 -p 61 10.9.0.2 > /run/ping
seen | sed 's/^\(.0x00[12]0:\).*/\1/'
tcpdump -i v0 -c 4 -U -w /run/file icmp 2> /run/err & dump=$!
for i in $(seq 200); do grep -qs 'listening on' /run/err && break; sleep 0.05; done
ping -qc 2 -i 0.2 10.9.0.2 > /run/ping
wait $dump
sed -n 's/ received by filter.*//; /captured/p' /run/err
tcpdump -nter /run/file 2>/dev/null | sed 's/id [0-9]*/id N/'
ip netns exec a tcpdump -D | sed 's/^[0-9]*\.//' | grep -e '^eth0' -e '^lo' -e '^any' | sort
