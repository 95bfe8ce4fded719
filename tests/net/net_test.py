#!/usr/bin/env python3
"""The container's stack against Linux at the other end of a veth. RUNTIME=runc runs the same with Linux at both ends."""
import os, re, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from topo import *
import topo

FAMILIES = (PEER4, BOX4), (PEER6, BOX6)
MIB = 1 << 20


# ---- ARP, neighbour discovery, ICMP ------------------------------------------------------------------------------------
def ping(net, ns, *args, **kw):
    """Sent and received."""
    argv = ["ping", "-n", "-q", *args]
    out = net.run(*argv, **kw).out if ns == "box" else net.at(ns, " ".join(argv), check=None, **kw)
    m = re.search(r"(\d+) packets transmitted, (\d+) received", out)
    expect(m, f"{argv}: {out}")
    return int(m[1]), int(m[2]), out


@test
def ping_of_all_sizes():
    with Link() as net:
        for addr in BOX4, BOX6:
            for size in 0, 1, 56, 1472, 1473, 9000, 65507 if addr == BOX4 else 65487:
                equal(ping(net, "peer", "-c3", "-i0.02", "-W2", f"-s{size}", addr)[:2], (3, 3), f"{size} bytes to {addr}")


@test
def ping_multicast_and_broadcast():
    """All IPv6 nodes answer, a broadcast of IPv4 is ignored."""
    with Link() as net:
        contains(net.at("peer", "ping -n -c2 -i0.1 -W2 ff02::1%vp", check=None), " bytes from fe80:")
        equal(ping(net, "peer", "-b", "-c2", "-i0.1", "-W1", "10.77.1.255")[1], 0)


@test
def ping_from_the_container():
    with Link() as net:
        for addr in PEER4, PEER6:
            for size in 56, 1472, 20000:
                equal(ping(net, "box", "-c3", "-i0.02", "-W2", f"-s{size}", addr)[:2], (3, 3), f"{size} bytes to {addr}")


@test
def neighbour_cache_of_the_peer():
    """Both protocols name the container's MAC address; what is asked of it by unicast is answered too."""
    with Link() as net:
        for addr in BOX4, BOX6:
            ping(net, "peer", "-c1", addr)
            out = net.at("peer", f"ip neigh show {addr} dev vp")
            expect("lladdr" in out and "FAILED" not in out, out)
        net.at("peer", f"ip neigh change {BOX4} dev vp nud probe; ip neigh change {BOX6} dev vp nud probe")
        for addr in BOX4, BOX6:
            wait_for(lambda: "REACHABLE" in net.at("peer", f"ip neigh show {addr} dev vp"), f"{addr} is reachable again", 5)


@test
def duplicate_address():
    """Linux gives up an address that the container has."""
    with Link() as net:
        net.at("peer", "sysctl -qw net.ipv6.conf.vp.accept_dad=1 net.ipv6.conf.all.accept_dad=1; ip addr add fd77:1::2/128 dev vp")
        wait_for(lambda: "dadfailed" in net.at("peer", "ip addr show dev vp"), "the address is a duplicate", 5)
        equal(net.at("peer", f"arping -D -c1 -w1 -I vp {BOX4} >/dev/null 2>&1; echo $?", check=None) in ("1\n", "127\n"), True)


@test
def port_unreachable():
    """Both ways and both families: ECONNREFUSED at a connected UDP socket, and of a TCP connection."""
    with Link() as net:
        for client, addrs in (net.peer, (BOX4, BOX6)), (net.box, (PEER4, PEER6)):
            for addr in addrs:
                client(f"u = sock('{addr}', SOCK_DGRAM); u.settimeout(3); u.connect(('{addr}', 9)); u.send(b'x')")
                equal(client("failure(u.recv, 1)"), "ECONNREFUSED", addr)
                equal(client(f"failure(connect, '{addr}', 9)"), "ECONNREFUSED", addr)


@test
def host_unreachable():
    with Link() as net:
        calls = [(a, net.box.start(f"failure(connect, '{a}', 9)")) for a in ("10.77.1.99", "fd77:1::99")]
        for a, c in calls:
            equal(c.result(10), "EHOSTUNREACH", a)


@test
def traceroute():
    with Routed() as net:
        for args, hops in ((["-n", PEER4], ["10.77.2.254", PEER4]), (["-n", "-6", PEER6], ["fd77:2::fe", PEER6]), (["-n", "-T", PEER4], ["10.77.2.254", PEER4]),
                           (["-n", "-I", PEER4], ["10.77.2.254", PEER4])):
            out = net.run("traceroute", "-q1", "-w2", *args, timeout=30).out
            equal([l.split()[1] for l in out.splitlines()[1:]], hops, out)
            out = net.at("peer", f"traceroute -q1 -w2 {' '.join(args[:-1])} {'fd77:2::2' if ':' in hops[1] else '10.77.2.2'}")
            equal(len(out.splitlines()), 3, out)


# ---- TCP ---------------------------------------------------------------------------------------------------------------
def four(net, n, timeout=60):
    """Both families, opened from either end, all at once: 8 transfers of n bytes."""
    calls = []
    for i, (client, server, addr) in enumerate(((net.peer, net.box, BOX4), (net.box, net.peer, PEER4),
                                                (net.peer, net.box, BOX6), (net.box, net.peer, PEER6))):
        server(f"l{i} = listen('{addr}', {5000 + i})")
        s = server.start(f"serve_once(l{i}, lambda s: both_ways(s, {2 * i}, {n}))")
        c = client.start(f"both_ways(connect('{addr}', {5000 + i}), {2 * i + 1}, {n})")
        calls.append((addr, i, s, c))
    end = time.monotonic() + timeout
    for addr, i, s, c in calls:
        (back, arrived), (sent, got) = (x.result(max(0.1, end - time.monotonic())) for x in (s, c))
        equal((arrived, got), (sent, back), f"SHA-256 of {n} bytes over {addr}, opened by the {'container' if i % 2 else 'peer'}")


@test
def transfers():
    with Link() as net:
        four(net, 8 * MIB)


def of_mtu(mtu):
    def run():
        with Link(mtu=mtu) as net:
            four(net, MIB)
            if mtu <= 1500:
                for addr, client in (BOX4, "peer"), (PEER4, "box"):
                    equal(ping(net, client, "-c2", "-i0.1", "-W2", f"-s{3 * mtu}", addr)[:2], (2, 2))
    run.__name__ = f"mtu_{mtu}"
    return run


for mtu in 1280, 1500, 9000, 65535:
    test(of_mtu(mtu))


@test
def mtu_576():
    """IPv4 only."""
    with Link(mtu=576) as net:
        for client, server, addr in (net.peer, net.box, BOX4), (net.box, net.peer, PEER4):
            server(f"l = listen('{addr}', 5000)")
            s = server.start(f"serve_once(l, lambda s: both_ways(s, 1, {MIB}))")
            sent, got = client(f"both_ways(connect('{addr}', 5000), 2, {MIB})")
            equal(s.result(), (got, sent))


# name: (what impair.c does in both directions, bytes of each of the 8 transfers, limit in s, long)
BAD = {"loss_0_1": ("loss=0.1", 4 * MIB, 60, False), "loss_1": ("loss=1,delay=0.5", 4 * MIB, 60, False), "loss_5": ("loss=5,delay=0.5", MIB, 60, True),
       "loss_20": ("loss=20,delay=1", 100000, 100, True),
       "delay_1": ("delay=0.5", 4 * MIB, 60, True), "delay_20": ("delay=10", 4 * MIB, 60, True), "delay_200": ("delay=100", MIB, 60, False),
       "jitter": ("delay=10,jitter=1", 2 * MIB, 60, True), "jitter_wild": ("delay=20,jitter=20", MIB, 100, True),
       "reorder": ("delay=5,reorder=25", 2 * MIB, 60, False),
       "duplicate": ("dup=10", 4 * MIB, 60, False), "corrupt": ("corrupt=1,delay=0.5", MIB, 60, False), "rate_10": ("rate=10,limit=200", MIB, 60, False),
       "rate_small_queue": ("rate=10,limit=10,delay=5", MIB, 90, True),
       "everything": ("loss=1,dup=1,corrupt=0.5,delay=5,jitter=3,reorder=5,rate=50", MIB, 90, True)}


def of_bad(name, bad, n, limit, long):
    def run():
        with Link(bad=bad) as net:
            four(net, n, limit)
    run.__name__ = f"link_{name}"
    return test(run, timeout=limit + 20, long=long)


for name, how in BAD.items():
    of_bad(name, *how)


def pair(net, opener, addr_family=0, port=6000, **options):
    """A connection: variable `a` of the peer's agent and `b` of the container's."""
    peer4, box4 = FAMILIES[addr_family]
    client, server, addr, c, s = (net.peer, net.box, box4, "a", "b") if opener == "peer" else (net.box, net.peer, peer4, "b", "a")
    server(f"l = listen('{addr}', {port})")
    client(f"{c} = connect('{addr}', {port}, **{options})")
    server(f"{s} = l.accept()[0]; l.close()")


@test
def half_close():
    with Link() as net:
        for opener in "peer", "box":
            for x, y, p, q in (net.peer, net.box, "a", "b"), (net.box, net.peer, "b", "a"):
                pair(net, opener)
                x(f"{p}.sendall(b'question'); {p}.shutdown(SHUT_WR)")
                equal(y(f"recv_all({q}, 100)"), b"question")
                time.sleep(0.1)
                y(f"h = later(lambda: (send_data({q}, 3, 2000000), {q}.close()))")
                got = x(f"hash_rest({p})")
                equal(y("(h.join(), h.result[0])")[1], got)
                x(f"{p}.close()")


@test
def reset_by_linger():
    with Link() as net:
        for opener in "peer", "box":
            for x, y, p, q in (net.peer, net.box, "a", "b"), (net.box, net.peer, "b", "a"):
                pair(net, opener)
                y(f"{q}.sendall(b'unread')")
                x(f"{p}.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack('ii', 1, 0)); {p}.close()")
                time.sleep(0.1)
                equal(y(f"failure({q}.recv, 1) if not select.select([{q}], [], [], 3)[2] else 0") in ("ECONNRESET", "no error but b''"), True)
                equal(y(f"failure({q}.send, b'x')"), "EPIPE")
                y(f"{q}.close()")


@test
def reset_by_unread_data():
    """close(2) with data in the receive queue resets (RFC 2525, 2.17)."""
    with Link() as net:
        for x, y, p, q in (net.peer, net.box, "a", "b"), (net.box, net.peer, "b", "a"):
            pair(net, "peer")
            y(f"{q}.sendall(b'unread')")
            x(f"select.select([{p}], [], [], 10)[0] and {p}.close()")
            time.sleep(0.1)
            equal(y(f"failure({q}.recv, 1)"), "ECONNRESET")
            y(f"{q}.close()")


@test
def urgent_data():
    with Link() as net:
        for x, y, p, q in (net.peer, net.box, "a", "b"), (net.box, net.peer, "b", "a"):
            pair(net, "peer")
            x(f"{p}.sendall(b'abc'); {p}.send(b'!', MSG_OOB); {p}.sendall(b'def')")
            time.sleep(0.1)
            equal(y(f"[bool(e) for e in select.select([{q}], [], [{q}], 3)]"), [True, False, True])
            equal(y(f"{q}.recv(1, MSG_OOB)"), b"!")
            equal(y(f"{q}.recv(100)"), b"abc")
            mark = "struct.unpack('i', __import__('fcntl').ioctl({}, SIOCATMARK, b'0000'))[0]"
            equal(y(mark.format(q)), 1)
            equal(y(f"{q}.recv(100)"), b"def")
            equal(y(mark.format(q)), 0)
            y(f"{q}.setsockopt(SOL_SOCKET, SO_OOBINLINE, 1)")
            x(f"{p}.sendall(b'gh'); {p}.send(b'?', MSG_OOB); {p}.sendall(b'i')")
            time.sleep(0.1)
            equal(y(f"{q}.recv(100)"), b"gh")
            equal(y(f"recv_all({q}, 2)"), b"?i")
            x(f"{p}.close()")
            y(f"{q}.close()")


def states(net, port):
    """Those of the peer's connections with that port."""
    return net.at("peer", f"ss -Htan '( sport = :{port} or dport = :{port} )'").split()[::5]


@test
def simultaneous_close():
    """The delay is what the two have to be simultaneous: a busy machine may need more than one attempt."""
    with Link(bad="delay=300") as net:
        for port in range(6000, 6004):
            pair(net, "box", port=port)
            with Capture(net) as cap:
                calls = net.peer.start("a.close()"), net.box.start("b.close()")
                for c in calls:
                    c.result()
                wait_for(lambda: states(net, port) in ([], ["TIME-WAIT"]), "the peer's connection is closed")
            equal(cap.read("tcp.flags.reset == 1", "frame.number"), [])
            fins = cap.read("tcp.flags.fin == 1", "ip.src", "tcp.seq", "tcp.ack")
            equal({f[0] for f in fins}, {PEER4, BOX4})
            # Neither FIN acknowledges the other.
            if len({f[2] for f in fins}) == 1:
                equal(len(fins), 2)
                equal(states(net, port), ["TIME-WAIT"])
                return
    raise Failure("four attempts, and the two never closed at once")


@test
def simultaneous_open():
    """As above: who comes late is refused."""
    with Link(bad="delay=300") as net:
        ping(net, "peer", "-c1", BOX4)
        for port in range(6000, 6010, 2):
            net.peer(f"a = socket(); a.bind(('{PEER4}', {port}))")
            net.box(f"b = socket(); b.bind(('{BOX4}', {port + 1}))")
            calls = net.peer.start(f"failure(a.connect, ('{BOX4}', {port + 1}))"), net.box.start(f"failure(b.connect, ('{PEER4}', {port}))")
            said = [c.result() for c in calls]
            if "ECONNREFUSED" not in said:
                break
            net.peer("a.close()"), net.box("b.close()")
        equal(said, ["no error but None"] * 2)
        p, b = net.peer.start("both_ways(a, 1, 200000)"), net.box.start("both_ways(b, 2, 200000)")
        (sent, got), (back, arrived) = p.result(), b.result()
        equal((sent, got), (arrived, back))


@test
def keepalive():
    """Probes are answered; when they are not any more, the connection ends."""
    with Link(bad="delay=0") as net:
        for x, p, other in (net.peer, "a", BOX4), (net.box, "b", PEER4):
            pair(net, "peer")
            x(f"{p}.setsockopt(SOL_SOCKET, SO_KEEPALIVE, 1); {p}.setsockopt(IPPROTO_TCP, TCP_KEEPIDLE, 1); "
              f"{p}.setsockopt(IPPROTO_TCP, TCP_KEEPINTVL, 1); {p}.setsockopt(IPPROTO_TCP, TCP_KEEPCNT, 2); {p}.settimeout(20)")
            with Capture(net) as cap:
                time.sleep(2.5)
            expect(len(cap.read(f"tcp.flags.ack == 1 and ip.src == {other}", "frame.number")) >= 1, f"no answer of {other} to a keepalive")
            net.impair("loss=100")
            equal(x(f"failure({p}.recv, 1)"), "ETIMEDOUT")
            net.impair("delay=0")
            net.peer("a.close()")
            net.box("b.close()")


@test
def closed_window():
    """The reader sleeps, the writer fills the window and probes, then all goes on."""
    with Link(offload=False) as net:
        for x, y, p, q in (net.peer, net.box, "a", "b"), (net.box, net.peer, "b", "a"):
            pair(net, "peer")
            with Capture(net) as cap:
                x(f"h = later(lambda: (send_data({p}, 5, 20 << 20), {p}.close()))")
                time.sleep(1.5)
                got = y(f"hash_rest({q})")
                equal(x("(h.join(), h.result[0])")[1], got)
            expect(cap.read("tcp.analysis.zero_window", "frame.number"), "the window was never closed")
            equal(cap.read("tcp.analysis.window_full and tcp.len == 0", "frame.number"), [])
            y(f"{q}.close()")


def both_kinds(net):
    """TCP in both families, opened from either end, and a datagram in fragments each way."""
    four(net, MIB)
    for x, y, to in (net.peer, net.box, BOX4), (net.box, net.peer, PEER4):
        u = f"u = sock('{BOX4}', SOCK_DGRAM); u.bind(('', 7000)); u.settimeout(5)"
        net.peer(u), net.box(u)
        x(f"u.sendto(b'x' * 5000, ('{to}', 7000))")
        equal(y("len(u.recv(10000))"), 5000)
        net.peer("u.close()"), net.box("u.close()")


def repetitions(frames, box):
    """Of the container's frames: those that do not begin where the last has ended, as (frame, ms since the same bytes were sent before, by the
    timestamps in them: on a busy machine frames are late), and acknowledgements said again."""
    streams, again, dup = {}, [], []
    for number, at, stream, src, seq, n, fin, is_dup in frames:
        if src not in box:
            continue
        if is_dup:
            dup.append(number)
        at, start = int(at), int(seq)
        end, sent = start + int(n) + (fin in ("1", "True")), streams.setdefault(stream, [])
        if end == start:
            continue
        if sent and start < max(e for _, e, _ in sent):
            again.append((number, at - max((t for b, e, t in sent if b < end and start < e), default=at)))
        sent.append((start, end, at))
    return again, dup


PROBE_AFTER = 2  # ms: no timer that repeats is faster


@test(timeout=180)
def clean_capture():
    """A clean link with checksums on the wire: nothing of the container's is malformed, repeated, or outside the window. On a busy machine a timer
    may be faster than the answer, and the host's CPUs change the order of frames; but not each time."""
    box = f"(ip.src == {BOX4} or ipv6.src == {BOX6})"
    # Of 0 Linux makes 0xffff where it sums in software, whatever the protocol; tshark knows that of UDP only.
    bad = ("(tcp.checksum.status == 0 and tcp.checksum != 0xffff)", "ip.checksum.status == 0", "udp.checksum.status == 0", "tcp.analysis.ack_lost_segment", "tcp.flags.reset == 1",
           "_ws.malformed and tcp.len == 0", "tcp.window_size_value == 0 and tcp.flags.syn == 1")
    said = []
    with Link(offload=False) as net:
        for attempt in range(6):
            with Capture(net) as cap:
                both_kinds(net)
            equal(cap.read(f"(({') or ('.join(bad)})) and {box}", "frame.number", "_ws.col.Info", "tcp.checksum.status")[:5], [], "frames of the container")
            syn = cap.read(f"tcp.flags.syn == 1 and ip.src == {BOX4}", "tcp.srcport", "tcp.options.mss_val", "tcp.options.wscale.shift", "tcp.options.sack_perm")
            equal(len({s[0] for s in syn}), 2)
            for _, mss, scale, sack in syn:
                equal((mss, bool(scale), bool(sack)), ("1460", True, True))
            frames = [(n, t, s, a4 or a6, *rest) for n, t, s, a4, a6, *rest in
                      cap.read("tcp", "frame.number", "tcp.options.timestamp.tsval", "tcp.stream", "ip.src", "ipv6.src", "tcp.seq", "tcp.len", "tcp.flags.fin", "tcp.analysis.duplicate_ack")]
            expect(len(frames) > 2000, "captured little")
            equal(len({f[2] for f in frames if f[3] in (BOX4, BOX6) and f[6] in ("1", "True")}), 4, "connections that the container closes")
            again, dup = repetitions(frames, (BOX4, BOX6))
            if len(dup) <= 4 and len(again) <= 4 and all(late >= PROBE_AFTER for _, late in again):
                return
            said.append((again[:4], dup[:4]))
            time.sleep(0.5)
    raise Failure(f"something is said again each time: {said}")


@test
def path_mtu():
    """A router with a smaller MTU behind it: the container learns of it, and transfers go on."""
    with Routed(mtu=1300) as net:
        for addr, level, name in (PEER4, "IPPROTO_IP", 14), (PEER6, "IPPROTO_IPV6", 24):
            net.peer(f"l = listen('{addr}', 6000)")
            s = net.peer.start(f"serve_once(l, lambda s: both_ways(s, 1, {MIB}))")
            net.box(f"c = connect('{addr}', 6000)")
            sent, got = net.box(f"both_ways(c.dup(), 2, {MIB})")
            equal(s.result(), (got, sent))
            equal(net.box(f"c.getsockopt({level}, {name})"), 1300, f"path MTU to {addr}")
            net.box("c.close()")
        for addr in PEER4, PEER6:
            # 1400 bytes with DF: the first is lost, later ones are in fragments or refused.
            net.peer(f"u = sock('{addr}', SOCK_DGRAM); u.bind(('{addr}', 7000)); u.settimeout(5)")
            net.box(f"u = sock('{addr}', SOCK_DGRAM); u.connect(('{addr}', 7000))")
            net.box("[(u.send(bytes([i]) * 1400), time.sleep(0.1)) for i in range(4)]")
            equal(net.peer("len(u.recv(9999))"), 1400)
            net.peer("u.close()"), net.box("u.close()")


# ---- UDP ---------------------------------------------------------------------------------------------------------------
@test
def datagrams():
    """Of all sizes, both ways, in fragments."""
    with Link() as net:
        for peer, box in FAMILIES:
            for n, addr in (net.peer, peer), (net.box, box):
                n(f"u = sock('{addr}', SOCK_DGRAM); u.bind(('{addr}', 7000)); u.settimeout(5); u.setsockopt(SOL_SOCKET, SO_RCVBUF, 1 << 20)")
            for x, y, to in (net.peer, net.box, box), (net.box, net.peer, peer):
                for size in 0, 1, 1452, 1472, 1473, 3000, 20000, 65507 if ":" not in to else 65527:
                    x(f"u.sendto(random.Random({size}).randbytes({size}), ('{to}', 7000))")
                    equal(y(f"u.recv(70000) == random.Random({size}).randbytes({size})"), True, f"{size} bytes to {to}")
                equal(x(f"failure(u.sendto, bytes(65536), ('{to}', 7000))"), "EMSGSIZE")
            net.peer("u.close()"), net.box("u.close()")


@test
def first_datagram_is_big():
    """All of its fragments wait for the neighbour's address."""
    with Link() as net:
        for peer, box in FAMILIES:
            net.peer(f"u = sock('{peer}', SOCK_DGRAM); u.bind(('{peer}', 7000)); u.settimeout(5)")
            net.box(f"u = sock('{peer}', SOCK_DGRAM); u.sendto(bytes(60000), ('{peer}', 7000))")
            equal(net.peer("len(u.recv(70000))"), 60000)
            net.peer("u.close()")


@test
def fragments_over_a_bad_link():
    with Link(bad="delay=2,jitter=2,dup=5,loss=0.2") as net:
        for n, addr in (net.peer, PEER4), (net.box, BOX4):
            n(f"u = sock('{addr}', SOCK_DGRAM); u.bind(('{addr}', 7000)); u.settimeout(2); u.setsockopt(SOL_SOCKET, SO_RCVBUF, 4 << 20)")
            n("""def drain():
    seen = {}
    while True:
        try: b = u.recv(70000)
        except TimeoutError: return sorted(seen), all(seen.values())
        seen[b[0]] = b == bytes([b[0]]) * 8000""")
        for x, y, to in (net.peer, net.box, BOX4), (net.box, net.peer, PEER4):
            x(f"u.sendto(bytes(100), ('{to}', 7000))")
            y("u.recv(100)")
            h = y.start("drain()")
            x(f"[(u.sendto(bytes([i]) * 8000, ('{to}', 7000)), time.sleep(0.002)) for i in range(100)]")
            numbers, right = h.result()
            expect(right, "a damaged datagram")
            expect(len(numbers) >= 85, f"only {len(numbers)} of 100 arrived")


# ---- iperf3 ------------------------------------------------------------------------------------------------------------
def iperf(net, family, *args):
    """What the client at the peer's end says at the end."""
    for _ in range(10):
        r = json.loads(net.at("peer", f"iperf3 -c {BOX6 if family == 6 else BOX4} -J {' '.join(args)}", check=None, timeout=60))
        if "busy" not in r.get("error", ""):
            break
        time.sleep(0.2)
    expect("error" not in r, f"iperf3 {args}: {r.get('error')}")
    return r["end"]


def iperf_server(net):
    log = open(tempfile.mktemp(dir=topo.work), "w+")
    net.procs.append(subprocess.Popen(net.exec_argv("iperf3", "-s", "--forceflush"), stdin=subprocess.DEVNULL, stdout=log, stderr=log))
    wait_for(lambda: "listening" in open(log.name).read(), "the server listens")


def of_iperf(streams, long):
    def run():
        with Link() as net:
            iperf_server(net)
            for family in 4, 6:
                for reverse in [], ["-R"]:
                    r = iperf(net, family, "-t1", f"-P{streams}", *reverse)
                    expect(r["sum_received"]["bits_per_second"] > 50e6, f"IPv{family} {reverse}: {r['sum_received']}")
                    equal(len(r["streams"]), streams)
    run.__name__ = f"iperf3_{streams}"
    test(run, long=long)


for streams in 1, 8, 64:
    of_iperf(streams, streams == 8)


@test
def iperf3_udp():
    with Link() as net:
        iperf_server(net)
        for family in 4, 6:
            for reverse in [], ["-R"]:
                r = iperf(net, family, "-t1", "-u", "-b5M", "-l1400", "-w256K", *reverse)["sum"]
                expect(r["packets"] > 200 and r["lost_percent"] < 20, f"IPv{family} {reverse}: {r}")


if __name__ == "__main__":
    sys.exit(run_tests("net", setup, after=close_all))
