#!/bin/sh
# Network namespaces that know each other by number, and one that listens to all of them: ip-netns(8), ip-monitor(8).
unshare -rnm sh -c '
exec 2>&1
mount -t tmpfs none /run
ip netns add foo
ip netns
ip netns list-id
ip netns set foo 5
ip netns set foo 6
ip netns list-id
ip netns add bar
ip netns set bar 5
ip link add v0 type veth peer name v1
ip link set v1 netns foo
ip -o link show v0 | grep -o "v0@if[0-9]*:"
ip -o -n foo link show v1 | grep -o "v1@if[0-9]*:"
ip -n foo netns list-id
ip link set v0 netns 99999
ip -n foo link set v1 name w1
ip -n bar link add v0 type bridge
ip link set v0 netns bar
out=$(mktemp -p /run)
ip monitor all-nsid link address > $out &
m=$!
sleep 0.3
ip -n foo link set lo up
ip link set lo up
sleep 0.3
kill $m
grep -o "^.nsid.*lo.*inet .*" $out
ip netns del foo
sleep 0.2
ip netns list-id
ip link show v0 | grep -c v0
'
