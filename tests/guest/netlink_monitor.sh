#!/bin/sh
# What "ip monitor" is told of changes: links, addresses, routes, neighbours.
unshare -rn sh -c '
mask() { sed -E "s/[0-9a-f]{2}(:[0-9a-f]{2}){5}/MAC/g"; }
out=$(mktemp)
ip -4 monitor link address route neigh > $out 2>&1 &
m=$!
sleep 0.3
ip link set lo up
ip link set lo mtu 1400
ip addr add 127.0.0.5/32 dev lo
ip route add 10.0.0.0/8 dev lo
ip route replace 10.0.0.0/8 dev lo metric 3
ip route change 10.0.0.0/8 dev lo mtu 700
ip route del 10.0.0.0/8
ip addr del 127.0.0.5/32 dev lo
ip link add a type veth peer name b
ip link set a name c
ip neigh add 10.0.0.1 lladdr 02:00:00:00:00:01 dev c
ip neigh del 10.0.0.1 dev c
ip link del c
sleep 0.3
kill $m
grep -e "^[0-9]*: lo" -e "^[0-9]*:.*inet" -e 10.0.0 -e 127.0.0.5 $out | grep -v "^[0-9]*:.*: <" | mask
grep "^[0-9]*: lo: <" $out | tail -1 | sed "s/lo: <[^>]*>/lo: <FLAGS>/"
grep -c "^Deleted.*c" $out | sed "s/[1-9][0-9]*/some/"
rm $out
'
