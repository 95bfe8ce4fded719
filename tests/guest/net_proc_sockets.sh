#!/bin/bash
# Rows of /proc/net/tcp and its relatives, and a table that is larger than any buffer. Inodes, pointers, places in hash
# tables and times are left out.
if [ "$1" != inside ]; then exec unshare -rn "$BASH" "$0" inside; fi
exec python3 - <<'PY'
import ctypes, fcntl, os, re, resource, select, socket, struct
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
u = socket.socket(socket.AF_UNIX)
fl = struct.unpack("16xh22x", fcntl.ioctl(u, 0x8913, struct.pack("16sh22x", b"lo", 0)))[0]
fcntl.ioctl(u, 0x8914, struct.pack("16sh22x", b"lo", fl | 1))
open("/proc/sys/net/ipv4/ping_group_range", "w").write("0 0")
open("/proc/sys/net/ipv4/ip_local_port_range", "w").write("40000 40000")

def rows(name, columns):
    with open("/proc/net/" + name) as f:
        lines = f.read().splitlines()
    print("==", name, len(lines) - 1)
    for l in sorted(" ".join(l.split()[i] for i in columns) for l in lines[1:]):
        print(l)

s = socket.create_server(("127.0.0.1", 2345), backlog=3)
d = socket.create_server(("", 2346), family=socket.AF_INET6, dualstack_ipv6=True)
c = socket.create_connection(("127.0.0.1", 2345))
a, _ = s.accept()
c.send(b"x" * 100)
select.select([a], [], [])
c2 = socket.socket()
c2.bind(("127.0.0.2", 2347))
c2.connect(("127.0.0.1", 2346))
a2, _ = d.accept()
w = socket.socket()
w.bind(("127.0.0.3", 2348))
w.connect(("127.0.0.1", 2345))  # waits to be accepted
select.select([s], [], [])
closed = socket.socket()
closed.bind(("127.0.0.1", 2399))
u1 = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u1.bind(("127.0.0.1", 8200))
u2 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
u2.bind(("::", 8201))
u3 = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u3.bind(("127.0.0.1", 8202))
u3.connect(("127.0.0.1", 8200))
none = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, 253)
raw6 = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 254)
ping = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM, socket.IPPROTO_ICMPV6)
ping.bind(("::1", 77))
for n in "tcp", "tcp6":
    rows(n, (1, 2, 3, 4, 6, 7, 8))
for n in "udp", "udp6", "raw", "raw6", "icmp", "icmp6":
    rows(n, (1, 2, 3, 4, 5, 6, 7, 8, 10, 12))
rows("packet", (2, 3, 4))
inodes = {l.split()[9] for l in open("/proc/net/tcp")}
print("inodes:", [str(os.fstat(x.fileno()).st_ino) in inodes for x in (s, c, a, c2, w, closed, u1)])
print([l.split(":")[1].split()[1] for l in open("/proc/net/sockstat") if l[:3] in ("TCP", "UDP", "RAW")])
mine = {str(os.fstat(u.fileno()).st_ino)}
print([l.split()[1:6] for l in open("/proc/net/unix") if l.split()[6] in mine])

many = []
for i in range(1500):
    x = socket.socket(socket.AF_UNIX)
    x.bind("\0many-%d" % i)
    many.append(x)
want = {"@many-%d" % i for i in range(1500)}
def names(text):
    return [l.split()[7] for l in text.decode().splitlines()[1:] if len(l.split()) > 7]
f = os.open("/proc/net/unix", os.O_RDONLY)
text = b""
while chunk := os.read(f, 7001):
    text += chunk
print(len(names(text)), set(names(text)) == want)
print(os.pread(f, 100, 3000) == text[3000:3100], os.pread(f, 50, 100000) == text[100000:100050], os.pread(f, 10, 10**7))
os.lseek(f, 0, 0)
print(os.read(f, 30) == text[:30])
PY
