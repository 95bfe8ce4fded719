#!/bin/sh
# iproute2 in a new network namespace: links, addresses, routes, neighbours, rules; what is refused, and in which words.
unshare -rn sh -c '
exec 2>&1
mask() { sed -E "s/(tstamp|queue|reachable|numtxqueues|numrxqueues) [0-9]+/\1 N/g; s/[0-9a-f]{2}(:[0-9a-f]{2}){5}/MAC/g
  /^[0-9]+: [^l]/{s/<[^>]*>/<F>/; s/state [A-Z]+/state S/}; s/ linkdown//"; } # a carrier is noticed a little later
try() { echo "$ $*"; "$@" | mask; }
try ip -d link
try ip -s link show lo
try ip -j -d addr
try ip -4 route show table all
try ip link set lo up
try ip -d addr
try ip -4 route show table all
try ip -6 route show table all
try ip rule
try ip -6 rule
try ip neigh
try ip ntable show name nosuch
try ip addrlabel
try tc qdisc
try ip route get 127.0.0.1
try ip -6 route get ::1
try ip route get 10.1.1.1
try ip route show table 100
try ip -6 route show table 100
ip link add d0 type veth peer name d1
ip link set d0 address 02:00:00:00:00:01
ip link set d1 address 02:00:00:00:00:02
try ip link show d1
try ip addr add 10.1.0.1/24 dev d0
try ip addr add 10.1.0.1/24 dev d0
ip link set d0 up
try ip link show d0
ip link set d1 up
try ip addr add fd00::1/64 dev d0 nodad
try ip addr add fd00::1/64 dev d0 nodad
try ip route add 10.2.0.0/16 via 10.1.0.2
try ip route add 10.2.0.0/16 via 10.1.0.3 metric 5
try ip route add 10.2.0.0/16 via 10.1.0.3
try ip route add default via 10.1.0.2
try ip -6 route add default via fd00::2
try ip route add blackhole 10.9.0.0/16
try ip -6 route add unreachable fd01::/16
try ip route add 10.3.0.0/16 via 10.1.0.2 mtu 1400 advmss 1360 src 10.1.0.1 proto static
try ip -6 route add fd05::/64 via fd00::2 mtu 1400 src fd00::1
try ip -4 route show table all
ip -6 route show table all | grep -v -e fe80 -e ff00
try ip route get 10.2.3.4
try ip route get 10.3.3.4
try ip route get 10.9.3.4
try ip -6 route get fd00::55
try ip -6 route get fd01::55
try ip route get fibmatch 10.2.3.4
try ip -6 route get fibmatch fd05::4
try ip -d link show d0
try ip -4 -d addr show d0
try ip neigh add 10.1.0.9 lladdr 02:00:00:00:00:09 dev d0
try ip neigh add 10.1.0.9 lladdr 02:00:00:00:00:09 dev d0
try ip neigh replace 10.1.0.9 lladdr 02:00:00:00:00:08 dev d0 nud reachable
try ip neigh show to 10.1.0.9
try ip neigh del 10.1.0.9 dev d0
try ip neigh get 10.1.0.77 dev d0
for i in 40 70000 1400; do try ip link set d0 mtu $i; done
ip link set d0 alias hello; ip link set d0 group 7; ip link set d0 txqueuelen 55
try ip link set nosuch up
try ip link show nosuch
try ip link show d0
try ip link show group 7
ip link set d1 down
ip link set d1 name eth7
try ip link
try ip link show type veth
try ip link set eth7 master d0
try ip addr del 10.1.0.7/24 dev d0
try ip addr del 10.1.0.1/24 dev d0
try ip route
ip addr add 10.5.0.1/24 brd + dev d0 label d0:x
ip addr add 10.5.0.2/24 brd + dev d0
ip addr add 10.6.0.2 peer 10.6.0.3 dev d0
try ip -4 addr show d0
ip addr change 10.5.0.1/24 brd + dev d0 label d0:x valid_lft 1000 preferred_lft 500
ip -4 addr show d0 | sed "s/_lft [0-9]*sec/_lft N/g"
ip addr flush dev d0
try ip -4 addr show d0
try ip link del lo
ip link del d0
try ip link
try ip link add foo type nosuch
ip link add br0 type bridge
ip link add v0 type veth peer name v1
ip link set v0 master br0
try ip link show master br0
ip link set v0 nomaster
try ip link show v0
try ip link add v0 type veth peer name v2
try ip route add 10.0.0.0/8 via 1.2.3.4
try ip route del 10.0.0.0/8
try ip route add 10.0.0.0/8 dev v0
ip link set v0 up
try ip route add 10.0.0.1/8 dev v0
try ip route add 10.0.0.0/8 dev v0
try ip route replace 10.0.0.0/8 dev v0 scope link mtu 1300
try ip route append 10.0.0.0/8 dev v0
try ip route
try ip route flush dev v0
try ip route
printf "link show lo\nroute add 10.8.0.0/16 dev v0\nroute\n" > /tmp/netlink_ip.$$
ip -batch /tmp/netlink_ip.$$
rm /tmp/netlink_ip.$$
ip link set v1 netns 1 2>&1 | sed "s/.*/refused/"
'
