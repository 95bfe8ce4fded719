#!/usr/bin/env python3
"""UDP between two network namespaces with a veth: what lo cannot show. Fragments, path MTU, devices, multicast and
broadcast over a link, errors that a peer sends. Prints the same on Linux."""
import ctypes, errno, os, select, socket, struct, subprocess, sys

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
IP_MTU_DISCOVER, IP_MTU, IP_RECVERR, IP_PKTINFO, IP_MULTICAST_ALL = 10, 14, 11, 8, 49
IPV6_RECVERR, IPV6_DONTFRAG, IPV6_MTU, IPV6_RECVPKTINFO = 25, 62, 24, 49
MSG_ERRQUEUE = 0x2000


def sh(cmd):
    subprocess.run(cmd, shell=True, check=True, stdout=subprocess.DEVNULL)


def attempt(what, fn, *a):
    try:
        r = fn(*a)
        print(what, r if isinstance(r, int) else "ok")
    except OSError as e:
        print(what, errno.errorcode[e.errno])


def get(s, what, timeout=1.0):
    if not select.select([s], [], [], timeout)[0]:
        print(what, "nothing")
        return None
    data, anc, flags, frm = s.recvmsg(70000, 512)
    print(what, len(data), data[:8], frm[0], flags, [(l, t, len(d)) for l, t, d in anc])
    return anc


def error(s, what):
    select.select([], [], [s], 0.3)
    try:
        data, anc, flags, to = s.recvmsg(2000, 512, MSG_ERRQUEUE)
    except OSError as e:
        print(what, errno.errorcode[e.errno])
        return
    for l, t, d in anc:
        if (l, t) in ((0, IP_RECVERR), (41, IPV6_RECVERR)):
            no, origin, typ, code, _, info, _ = struct.unpack_from("IBBBBII", d)
            fam = struct.unpack_from("H", d, 16)[0]
            by = socket.inet_ntop(fam, d[20:24] if fam == 2 else d[24:40]) if fam else "-"
            print(what, errno.errorcode[no], origin, typ, code, info, "by", by, "data", len(data))


def child(r, w):
    """The other end: echoes on port 7000, is silent elsewhere."""
    if libc.unshare(CLONE_NEWNET):
        os._exit(9)
    os.write(w, b"u")
    os.read(r, 1)
    sh("ip link set lo up; ip link set v1 up; ip addr add 10.9.0.2/24 brd + dev v1; "
       "ip -6 addr add fd09::2/64 dev v1 nodad")
    socks = []
    for fam, a in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        s = socket.socket(fam, socket.SOCK_DGRAM)
        if fam == socket.AF_INET6:
            s.setsockopt(41, socket.IPV6_V6ONLY, 1)
        s.bind((a, 7000))
        socks.append(s)
    idx = socket.if_nametoindex("v1")
    socks[0].setsockopt(0, socket.IP_ADD_MEMBERSHIP, struct.pack("4s4si", socket.inet_aton("239.9.9.9"), b"\0" * 4, idx))
    socks[1].setsockopt(41, socket.IPV6_JOIN_GROUP, struct.pack("16si", socket.inet_pton(10, "ff05::99"), idx))
    os.write(w, b"r")
    while True:
        for s in select.select(socks + [r], [], [])[0]:
            if s == r:
                os._exit(0)
            data, frm = s.recvfrom(70000)
            s.sendto(data if len(data) < 100 else struct.pack("!I", len(data)), frm)


def main():
    sys.stdout.reconfigure(line_buffering=True)
    if libc.unshare(CLONE_NEWNET):
        sys.exit("unshare: " + os.strerror(ctypes.get_errno()))
    a, b = os.pipe(), os.pipe()
    pid = os.fork()
    if not pid:
        os.close(a[1])
        os.close(b[0])
        child(a[0], b[1])
    os.close(a[0])
    os.close(b[1])
    os.read(b[0], 1)
    sh(f"ip link set lo up; ip link add v0 type veth peer name v1 netns {pid}; ip link set v0 up; "
       "ip addr add 10.9.0.1/24 brd + dev v0; ip -6 addr add fd09::1/64 dev v0 nodad")
    os.write(a[1], b"g")
    os.read(b[0], 1)
    v0 = socket.if_nametoindex("v0")
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(0, IP_RECVERR, 1)
    s.setsockopt(0, IP_PKTINFO, 1)
    print("-- ordinary")
    s.sendto(b"hello", ("10.9.0.2", 7000))
    anc = get(s, "echo")
    for l, t, d in anc or []:
        if (l, t) == (0, IP_PKTINFO):
            print("pktinfo", struct.unpack_from("i", d)[0] == v0, socket.inet_ntoa(d[4:8]), socket.inet_ntoa(d[8:12]))
    print("-- fragments")
    for n in (1472, 1473, 5000, 65507):
        attempt(f"send {n}", s.sendto, b"x" * n, ("10.9.0.2", 7000))
        get(s, "echo")
    print("-- path MTU")
    s.setsockopt(0, IP_MTU_DISCOVER, 2)
    attempt("DO", s.sendto, b"x" * 1473, ("10.9.0.2", 7000))
    error(s, "error")
    attempt("fits", s.sendto, b"x" * 1472, ("10.9.0.2", 7000))
    get(s, "echo")
    s.connect(("10.9.0.2", 7000))
    print("IP_MTU", s.getsockopt(0, IP_MTU), "local", s.getsockname()[0])
    s.setsockopt(0, IP_MTU_DISCOVER, 3)
    attempt("PROBE", s.send, b"x" * 1473)
    error(s, "error")
    print("-- refused")
    t = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    t.setsockopt(0, IP_RECVERR, 1)
    t.sendto(b"nobody", ("10.9.0.2", 7001))
    error(t, "error")
    t.connect(("10.9.0.2", 7001))
    t.send(b"nobody")
    select.select([t], [], [], 0.5)
    attempt("recv", t.recv, 10)
    print("-- no route")
    attempt("send", socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto, b"x", ("192.0.2.1", 1))
    attempt("connect", socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect, ("192.0.2.1", 1))
    attempt("multicast without a route", socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto, b"x", ("239.9.9.9", 7000))
    print("-- multicast")
    m = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    m.setsockopt(0, socket.IP_MULTICAST_IF, struct.pack("4s4si", b"\0" * 4, b"\0" * 4, v0))
    attempt("send", m.sendto, b"group", ("239.9.9.9", 7000))
    get(m, "echo")
    attempt("another group", m.sendto, b"group", ("239.9.9.8", 7000))
    get(m, "echo", 0.1)
    m.setsockopt(0, socket.IP_ADD_MEMBERSHIP, struct.pack("4s4si", socket.inet_aton("239.9.9.9"), b"\0" * 4, v0))
    m.setsockopt(0, socket.IP_MULTICAST_TTL, 0)
    attempt("ttl 0", m.sendto, b"group", ("239.9.9.9", 7000))
    get(m, "echo", 0.1)
    m = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    m.setsockopt(41, socket.IPV6_MULTICAST_IF, v0)
    attempt("send6", m.sendto, b"group6", ("ff05::99", 7000))
    get(m, "echo")
    attempt("all nodes", m.sendto, b"nodes", ("ff02::1", 7000))
    anc = get(m, "echo")
    print("-- loop")
    me = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    me.bind(("", 7002))
    me.setsockopt(0, socket.IP_ADD_MEMBERSHIP, struct.pack("4s4si", socket.inet_aton("239.9.9.7"), b"\0" * 4, v0))
    m = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    m.setsockopt(0, socket.IP_MULTICAST_IF, struct.pack("4s4si", b"\0" * 4, b"\0" * 4, v0))
    m.sendto(b"looped", ("239.9.9.7", 7002))
    get(me, "copy", 0.3)
    m.setsockopt(0, socket.IP_MULTICAST_LOOP, 0)
    m.sendto(b"not", ("239.9.9.7", 7002))
    get(me, "copy", 0.1)
    print("-- broadcast")
    c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    attempt("not allowed", c.sendto, b"all", ("10.9.0.255", 7000))
    c.setsockopt(1, socket.SO_BROADCAST, 1)
    attempt("subnet", c.sendto, b"all", ("10.9.0.255", 7000))
    get(c, "echo")
    attempt("limited, no route", c.sendto, b"all", ("255.255.255.255", 7000))
    c.setsockopt(1, socket.SO_BINDTODEVICE, b"v0")
    attempt("limited", c.sendto, b"all", ("255.255.255.255", 7000))
    get(c, "echo")
    print("-- devices")
    d = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    d.setsockopt(1, socket.SO_BINDTODEVICE, b"lo")
    attempt("not there", d.sendto, b"x", ("10.9.0.2", 7000))
    d = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    d.setsockopt(1, socket.SO_BINDTODEVICE, b"lo")
    d.bind(("", 7003))
    e = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    e.setsockopt(1, socket.SO_BINDTODEVICE, b"v0")
    attempt("the same port", e.bind, ("", 7003))
    e.sendto(b"to v0", ("10.9.0.2", 7000))
    get(e, "v0")
    get(d, "lo", 0.1)
    print("-- IPv6")
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.setsockopt(41, IPV6_RECVERR, 1)
    for n in (1452, 1453, 20000, 65527):
        attempt(f"send {n}", s.sendto, b"x" * n, ("fd09::2", 7000))
        get(s, "echo")
    s.setsockopt(41, IPV6_DONTFRAG, 1)
    attempt("DONTFRAG", s.sendto, b"x" * 1453, ("fd09::2", 7000))
    s.setsockopt(41, IPV6_DONTFRAG, 0)
    s.setsockopt(41, IPV6_MTU, 1280)
    attempt("IPV6_MTU", s.sendto, b"x" * 1400, ("fd09::2", 7000))
    get(s, "echo")
    s.sendto(b"nobody", ("fd09::2", 7001))
    error(s, "refused")
    print("-- segments")
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect(("10.9.0.2", 7000))
    s.setsockopt(17, 103, 1000)
    attempt("UDP_SEGMENT", s.send, b"y" * 3500)
    for _ in range(4):
        get(s, "echo")
    s.setsockopt(17, 103, 1473)
    attempt("longer than the link", s.send, b"y" * 3500)
    os.write(a[1], b"q")
    os.waitpid(pid, 0)


main()
