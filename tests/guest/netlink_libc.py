#!/usr/bin/env python3
# What the C library makes of netlink, in a new network namespace: interfaces, addresses, the order of getaddrinfo(3).
import ctypes, os, socket, subprocess, sys
if len(sys.argv) == 1:
    sys.exit(subprocess.run(["unshare", "-rn", sys.executable, sys.argv[0], "inside"]).returncode)
libc = ctypes.CDLL(None, use_errno=True)

class sockaddr(ctypes.Structure):
    _fields_ = [("family", ctypes.c_ushort), ("data", ctypes.c_ubyte * 26)]
class ifaddrs(ctypes.Structure):
    pass
ifaddrs._fields_ = [("next", ctypes.POINTER(ifaddrs)), ("name", ctypes.c_char_p), ("flags", ctypes.c_uint),
                    ("addr", ctypes.POINTER(sockaddr)), ("netmask", ctypes.POINTER(sockaddr)),
                    ("broad", ctypes.POINTER(sockaddr)), ("data", ctypes.c_void_p)]

def text(p):
    if not p:
        return "-"
    s = p.contents
    if s.family == socket.AF_INET:
        return socket.inet_ntop(s.family, bytes(s.data[2:6]))
    if s.family == socket.AF_INET6:
        return socket.inet_ntop(s.family, bytes(s.data[6:22]))
    return "family %d" % s.family

def show():
    print([(i, n) for i, n in socket.if_nameindex()])
    head = ctypes.POINTER(ifaddrs)()
    print(libc.getifaddrs(ctypes.byref(head)))
    p = head
    while p:
        i = p.contents
        print(i.name.decode(), hex(i.flags), text(i.addr), text(i.netmask), text(i.broad), bool(i.data))
        p = i.next
    libc.freeifaddrs(head)

def resolve(host, **kw):
    try:
        print(host, [(a[0].name, a[4][0]) for a in socket.getaddrinfo(host, 80, type=socket.SOCK_STREAM, **kw)])
    except OSError as e:
        print(host, e)

show()
resolve("localhost", flags=socket.AI_ADDRCONFIG)
for c in ("link set lo up", "link add a type veth peer name b", "addr add 10.0.0.1/24 brd + dev a",
          "addr add fd00::1/64 dev a nodad", "link set a up"):
    subprocess.run(["ip"] + c.split(), check=True)
show()
resolve("127.0.0.1")
resolve("::1")
resolve(None)
resolve(None, flags=socket.AI_PASSIVE)
print(socket.if_nametoindex("lo"), socket.if_indextoname(1))
for f in (lambda: socket.if_nametoindex("nosuch"), lambda: socket.if_indextoname(99)):
    try:
        print(f())
    except OSError as e:
        print(os.strerror(e.errno) if e.errno else e)
