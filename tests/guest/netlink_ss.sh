#!/bin/sh
# ss: sockets of every kind, its filters, and SOCK_DESTROY. Through sock_diag, in a network namespace of its own.
unshare -rn sh -c '
ip link set lo up
python3 - <<P
import os, socket, subprocess
l = socket.socket(); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); l.bind(("127.0.0.1", 8080)); l.listen(5)
l6 = socket.socket(socket.AF_INET6); l6.bind(("::", 9090)); l6.listen(7)
c = socket.socket(); c.bind(("127.0.0.1", 2001)); c.connect(("127.0.0.1", 8080)); a, _ = l.accept()
d = socket.socket(); d.bind(("127.0.0.1", 2002)); d.connect(("127.0.0.1", 9090)); e, _ = l6.accept()
f = socket.socket(socket.AF_INET6); f.bind(("::1", 2003)); f.connect(("::1", 9090)); g, _ = l6.accept()
c.send(b"hello")
h = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); h.bind(("127.0.0.1", 5000))
i = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); i.bind(("127.0.0.1", 5001)); i.connect(("127.0.0.1", 5000)); i.send(b"abc")
j = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); j.bind(("::", 6000))
k = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
m = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
u = socket.socket(socket.AF_UNIX); u.bind("\0netlink_ss"); u.listen(3)
v = socket.socket(socket.AF_UNIX); v.connect("\0netlink_ss"); w, _ = u.accept()
def ss(*args):
    print("$ ss", *args, flush=True)
    out = subprocess.run(["ss", "-H", *args], capture_output=True, text=True)
    for line in sorted(" ".join(x.split()) for x in out.stdout.splitlines()):
        print(line)
    if out.stderr: print(out.stderr, end="")
ss("-tan")
ss("-ltn")
ss("-tn", "state", "established", "( dport = :8080 or sport = :9090 )")
ss("-tn", "dst", "127.0.0.1")
ss("-tn", "src", "[::1]")
ss("-tan", "sport", "gt", "8999")
ss("-tan", "sport", "le", "2002")
ss("-tan", "not", "dport", "=", "8080")
ss("-tan", "src", "127.0.0.0/8", "and", "dst", "127.0.0.1:9090")
ss("-tan", "dev", "lo")
ss("-4tan", "state", "listening")
ss("-6tan", "state", "listening")
ss("-tan", "state", "time-wait")
ss("-uan")
ss("-uan", "state", "established")
ss("-uan", "sport", "=", "5000")
ss("-wan")
ss("-0an")
print(len(subprocess.run(["ss", "-Hxa", "src", "@netlink_ss"], capture_output=True, text=True).stdout.splitlines()))
print("LISTEN 0 3 @netlink_ss" in " ".join(subprocess.run(["ss", "-Hxl"], capture_output=True, text=True).stdout.split()))
ss("-Ktn", "dst", "127.0.0.1", "dport", "=", "9090")
try:
    d.recv(1)
except OSError as err:
    print(os.strerror(err.errno))
try:
    e.recv(1)
except OSError as err:
    print(os.strerror(err.errno))
ss("-tn")
P
'
