#!/bin/sh
# bridge(8): ports and their settings, the table of addresses; further names of links; counters alone.
unshare -rn sh -c '
exec 2>&1
mask() { sed -E "s/[0-9a-f]{2}(:[0-9a-f]{2}){5} brd/MAC brd/; s/state [A-Za-z]+ //; s/ vlan 1//"; }
try() { echo "$ $*"; "$@" | mask; }
ip link add br0 type bridge
ip link set br0 address 02:00:00:00:00:99
ip link add p0 type veth peer name q0
ip link set p0 address 02:00:00:00:00:11
ip link set q0 address 02:00:00:00:00:12
ip link set p0 master br0
ip link set br0 up
ip link set p0 up
try bridge link show dev q0
bridge link | grep -o "mtu.*master.*" | mask
try bridge link set dev p0 hairpin on
try bridge link set dev q0 hairpin on
bridge -d link show dev p0 | grep -o "hairpin [a-z]*"
try bridge fdb add 02:00:00:00:00:55 dev p0 master
try bridge fdb add 02:00:00:00:00:55 dev p0 master
try bridge fdb add 02:00:00:00:00:56 dev p0 master static
bridge fdb show br br0 | grep "^02:.*5[56]" | mask | sort
bridge fdb show dev p0 | grep "^02:.*5[56]" | mask | sort
try bridge fdb del 02:00:00:00:00:55 dev p0 master
try bridge fdb del 02:00:00:00:00:55 dev p0 master
try bridge fdb del 02:00:00:00:00:55 dev nosuch master
bridge fdb show br br0 | grep "^02:.*5[56]" | mask
try ip link property add dev q0 altname hello altname a_very_long_name_for_a_device_indeed
try ip link show hello
try ip addr show a_very_long_name_for_a_device_indeed
try ip link property add dev p0 altname hello
try ip link property add dev p0 altname br0
try ip link add hello type bridge
try ip link property del dev q0 altname hello
try ip link property del dev q0 altname hello
try ip link property del dev q0 altname q0
try ip link show hello
try ip link show q0
try ip nexthop
try ip -j stats show dev lo group link
'
