"""A DNS server for tests: dns_server.py ADDRESS…. Names below example.test: A is 192.0.2.77; six* has an AAAA; big* has 3,000 bytes of TXT, which
over UDP are truncated unless EDNS gives the room. All else does not exist."""
import socket, struct, sys, threading


def question(q):
    i, labels = 12, []
    while q[i]:
        labels.append(q[i + 1:i + 1 + q[i]].decode().lower())
        i += 1 + q[i]
    return ".".join(labels), struct.unpack(">H", q[i + 1:i + 3])[0], i + 5


def record(qtype, data):
    return b"\xc0\x0c" + struct.pack(">HHIH", qtype, 1, 60, len(data)) + data


def answer(q, udp):
    ident, _, _, _, _, additional = struct.unpack(">HHHHHH", q[:12])
    name, qtype, end = question(q)
    room = struct.unpack(">H", q[end + 3:end + 5])[0] if additional else 512
    found = name.endswith("example.test")
    rrs = []
    if found and name.startswith("big") and qtype == 16:
        rrs = [record(16, (bytes([99]) + b"x" * 99) * 3)] * 10
    elif found and qtype == 1:
        rrs = [record(1, socket.inet_aton("192.0.2.77"))]
    elif found and qtype == 28 and name.startswith("six"):
        rrs = [record(28, socket.inet_pton(socket.AF_INET6, "2001:db8::77"))]

    def pack(rrs, truncated):
        return struct.pack(">HHHHHH", ident, 0x8180 | truncated << 9 | (0 if found else 3), 1, len(rrs), 0, 0) + q[12:end] + b"".join(rrs)

    whole = pack(rrs, 0)
    return pack([], 1) if udp and len(whole) > room else whole


def serve_udp(s):
    while True:
        q, peer = s.recvfrom(65535)
        s.sendto(answer(q, True), peer)


def exactly(c, n):
    b = b""
    while len(b) < n:
        x = c.recv(n - len(b))
        if not x:
            raise EOFError
        b += x
    return b


def serve_conn(c):
    try:
        while True:
            a = answer(exactly(c, struct.unpack(">H", exactly(c, 2))[0]), False)
            c.sendall(struct.pack(">H", len(a)) + a)
    except (EOFError, OSError):
        c.close()


def serve_tcp(s):
    while True:
        threading.Thread(target=serve_conn, args=(s.accept()[0],), daemon=True).start()


for addr in sys.argv[1:]:
    family = socket.AF_INET6 if ":" in addr else socket.AF_INET
    u, t = socket.socket(family, socket.SOCK_DGRAM), socket.socket(family, socket.SOCK_STREAM)
    t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for s in (u, t):
        s.bind((addr, 53))
    t.listen(50)
    threading.Thread(target=serve_udp, args=(u,), daemon=True).start()
    threading.Thread(target=serve_tcp, args=(t,), daemon=True).start()
threading.Event().wait()
