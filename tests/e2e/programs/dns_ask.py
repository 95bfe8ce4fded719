"""Ask a DNS server many times at once: dns_ask.py udp|tcp SERVER NAME TYPE COUNT. Prints how many answers came, and what they say."""
import socket, struct, sys

proto, server, name, qtype, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])


def query(ident):
    labels = b"".join(bytes([len(l)]) + l.encode() for l in name.split("."))
    return struct.pack(">HHHHHH", ident, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", qtype, 1)


def exactly(c, n):
    b = b""
    while len(b) < n:
        x = c.recv(n - len(b))
        if not x:
            raise EOFError
        b += x
    return b


def said(a, ident):
    i, flags, _, n, _, _ = struct.unpack(">HHHHHH", a[:12])
    return f"rcode {flags & 15} answers {n} truncated {flags >> 9 & 1}" if i == ident else "a wrong id"


answers = []
if proto == "tcp":
    s = socket.create_connection((server, 53), timeout=15)
    s.sendall(b"".join(struct.pack(">H", len(query(i))) + query(i) for i in range(count)))
    for i in range(count):
        answers.append(said(exactly(s, struct.unpack(">H", exactly(s, 2))[0]), i))
else:
    socks = []
    for i in range(count):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.settimeout(15)
        s.connect((server, 53))
        s.send(query(i))
        socks.append(s)
    for i, s in enumerate(socks):
        try:
            answers.append(said(s.recv(65535), i))
        except OSError as e:
            answers.append(type(e).__name__)
for a in sorted(set(answers)):
    print(answers.count(a), a)
