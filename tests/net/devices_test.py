#!/usr/bin/env python3
"""Devices inside a container beside the launcher's one: that is moved between namespaces, bridged, watched by tcpdump; guests' own
namespaces reach the peer through it. RUNTIME=runc runs the same with Linux at both ends."""
import os, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from topo import *
import topo

topo.CAPS += ["CAP_SYS_ADMIN", "CAP_NET_RAW"]


def sh_in(net, script, ok=True):
    r = net.run("sh", "-ec", script)
    expect(not ok or r.returncode == 0, f"{script}: {r.out}")
    return r.out


def pings(net, addr, n=3):
    out = net.at("peer", f"ping -n -q -c{n} -i0.05 -W2 {addr}", check=None)
    contains(out, f"{n} packets transmitted, {n} received")


@test
def moved_and_back():
    """A namespace that ends gives the device back to the container's own, down and without addresses."""
    with Link() as net:
        pings(net, BOX4)
        sh_in(net, f"""
            unshare -n sleep 1000 & p=$!
            until [ "$(readlink /proc/$p/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.01; done
            ip link set eth0 netns $p
            ! ip link show eth0 2>/dev/null
            nsenter -t $p -n ip link set lo up
            nsenter -t $p -n ip addr add {BOX4}/24 dev eth0
            nsenter -t $p -n ip link set eth0 up
            nsenter -t $p -n ping -q -c2 -i0.05 -W2 {PEER4}
            kill $p
            for i in $(seq 200); do ip link show eth0 >/dev/null 2>&1 && break; sleep 0.01; done
            ip addr show eth0 | grep -q inet && exit 1
            ip link show eth0 | grep -q UP, && exit 1
            ip addr add {BOX4}/24 dev eth0
            ip link set eth0 up
            ping -q -c2 -i0.05 -W2 {PEER4}""")
        pings(net, BOX4)


@test
def dumped():
    """tcpdump in the container, as in Linux: both directions, of what comes from outside."""
    with Link() as net:
        p = subprocess.Popen(net.exec_argv("tcpdump", "-Z", "root", "--immediate-mode", "-nti", "eth0", "-c", "4", "icmp"), stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
        try:
            while "listening on" not in (line := p.stderr.readline()):
                expect(line, "tcpdump has ended")
            pings(net, BOX4, 2)
            lines = p.communicate(timeout=20)[0].splitlines()
        finally:
            p.kill()
        equal([l.split(", id")[0] for l in lines], [f"IP {PEER4} > {BOX4}: ICMP echo request", f"IP {BOX4} > {PEER4}: ICMP echo reply"] * 2)


@test
def bridged():
    """The container's address moves to a bridge that its device is a port of, as virtual machines' hosts do it."""
    with Link() as net:
        mac = sh_in(net, "cat /sys/class/net/eth0/address").strip()
        sh_in(net, f"""
            ip link add br0 address {mac} type bridge
            ip link set eth0 master br0
            ip addr flush dev eth0
            ip addr add {BOX4}/24 dev br0
            ip link set br0 up
            ping -q -c2 -i0.05 -W2 {PEER4}""")
        pings(net, BOX4)
        sh_in(net, f"ip link del br0; ip addr add {BOX4}/24 dev eth0; ping -q -c2 -i0.05 -W2 {PEER4}")


@test
def routed_through_a_veth():
    """A namespace of the container's own, behind a veth: the container forwards."""
    with Link() as net:
        net.at("peer", f"ip route add 10.78.0.0/24 via {BOX4}")
        sh_in(net, f"""
            echo 1 > /proc/sys/net/ipv4/ip_forward
            ip netns add in
            ip link add v0 type veth peer name eth0 netns in
            ip addr add 10.78.0.1/24 dev v0
            ip link set v0 up
            ip -n in addr add 10.78.0.2/24 dev eth0
            ip -n in link set eth0 up
            ip -n in route add default via 10.78.0.1
            ip netns exec in ping -q -c2 -i0.05 -W2 {PEER4}""")


if __name__ == "__main__":
    sys.exit(run_tests("devices", setup, after=close_all))
