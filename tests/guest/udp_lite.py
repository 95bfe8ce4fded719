#!/usr/bin/env python3
# UDP-Lite, RFC 3828: what the checksum covers, and what the receiver wants covered.
import errno, os, socket
SEND, RECV = 10, 11
for fam, addr in (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"):
    def sock():
        return socket.socket(fam, socket.SOCK_DGRAM, socket.IPPROTO_UDPLITE)
    a, b = sock(), sock()
    a.bind((addr, 0))
    u = socket.socket(fam, socket.SOCK_DGRAM)
    u.bind((addr, a.getsockname()[1]))  # another protocol's port
    b.connect(a.getsockname()[:2])
    b.settimeout(5), a.settimeout(5), u.settimeout(0)
    for cover in None, 0, 8, 3, 12, 20, 1000, 70000:
        if cover is not None:
            b.setsockopt(socket.IPPROTO_UDPLITE, SEND, cover)
        print(cover, b.getsockopt(socket.IPPROTO_UDPLITE, SEND), b.send(b"x" * 12), a.recv(100))
    b.setsockopt(socket.IPPROTO_UDPLITE, SEND, 9)
    for want in 9, 10, 0, 65535:
        a.setsockopt(socket.IPPROTO_UDPLITE, RECV, want)
        b.send(b"partly")
        try:
            a.settimeout(0)
            print(want, a.getsockopt(socket.IPPROTO_UDPLITE, RECV), a.recv(100))
        except BlockingIOError:
            print(want, "dropped")
    b.setsockopt(socket.IPPROTO_UDPLITE, SEND, 20)
    a.setsockopt(socket.IPPROTO_UDPLITE, RECV, 9)
    a.settimeout(5)
    print(b.send(b""), a.recv(10), b.send(b"y" * 5000), len(a.recv(9000)))
    try:
        u.recv(10)
    except BlockingIOError:
        print("nothing for UDP")
    for s, level in (u, socket.IPPROTO_UDP), (u, socket.IPPROTO_UDPLITE):
        try:
            print(s.getsockopt(level, SEND))
            s.setsockopt(level, SEND, 8)
        except OSError as e:
            print(errno.errorcode[e.errno])
    a.close()
    b.send(b"gone")
    try:
        b.recv(10)
    except OSError as e:
        print(errno.errorcode[e.errno])
