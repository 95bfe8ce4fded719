#!/usr/bin/env python3
"""Servers and clients in containers on Docker's bridge, with published ports. RUNTIME=runc runs the same with runc. The host of the containers
is a network namespace of the tests' own (lib.py)."""
import os, re, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib import *

PROGRAMS = os.path.join(HERE, "programs")
GATEWAY = "172.17.0.1"
docker = work = None


def setup():
    global docker, work
    tar = image_tarball("network")
    docker = Docker(bridge=True)
    work = tempfile.mkdtemp(prefix="rn-work-", dir="/tmp")
    os.chmod(work, 0o755)
    atexit.register(lambda: shutil.rmtree(work, ignore_errors=True))
    docker("import", tar, "debian:network", timeout=600, check=0)
    sh(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{work}/key"], check=0)
    os.mkdir(f"{work}/www")
    sh(f"head -c 20000000 /dev/urandom >{work}/www/big; head -c 1000 /dev/urandom >{work}/www/small; ln {work}/www/small {work}/www/index.html", check=0)


def cleanup():
    """Between tests."""
    for p in servers:
        p.kill()
        p.wait()
    servers.clear()
    ids = docker("ps", "-aq").out.split()
    if ids:
        docker("rm", "-f", *ids, check=0)


servers = []  # on the host


def serve(*argv):
    servers.append(subprocess.Popen(docker.inside(*argv), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=f"{work}/www"))


def bash(script, *opts, image="debian:network", **kw):
    """In a new container."""
    return docker.run("--rm", "-v", f"{work}:/w:ro", *opts, image, "bash", "-c", "exec 2>&1; cd /tmp; " + script, **kw).out


def start(name, script, port, *opts, published=None, image="debian:network", timeout=20):
    """A server in a container; its address, when it listens."""
    publish = ["-p", f"{published}:{port}"] if published else []
    docker.run("-d", "--name", name, "-v", f"{work}:/w:ro", "-v", f"{PROGRAMS}:/p:ro", *publish, *opts, image, "bash", "-c", script, check=0)
    addr = docker("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", name, check=0).out.strip()
    try:
        wait_for(lambda: listens(addr, port), f"{name} listens", timeout)
    except Failure as e:
        raise Failure(f"{e}: {docker('logs', name).out[-1500:]}")
    return addr


def listens(addr, port):
    return docker.host(f"timeout 1 bash -c '</dev/tcp/{addr}/{port}'").returncode == 0


def ways(addr, port, published):
    """From the host to the container: straight, through the rule of the published port, through docker-proxy."""
    return f"{addr}:{port}", f"{GATEWAY}:{published}", f"127.0.0.1:{published}"


def digest(path):
    return sh(["sha256sum", path], check=0).out.split()[0]


def fetch(url):
    """The SHA-256 of what curl gets."""
    out = docker.host(f"curl -sS --max-time 30 {url} | sha256sum", check=0).out
    return out.split()[0] if len(out.split()) == 2 else out


def wrk(url, seconds, connections=50):
    out = docker.host(f"wrk -t2 -c{connections} -d{seconds} --timeout 10 {url}", timeout=seconds + 30, check=0).out
    expect("Socket errors" not in out and "Non-2xx" not in out, out)
    rate = re.search(r"Requests/sec: *([\d.]+)", out)
    expect(rate and float(rate[1]) > 20, out)


def web_server(name, script, seconds):
    addr = start(name, script, 80, published=8080)
    big, small = digest(f"{work}/www/big"), digest(f"{work}/www/small")
    for where in ways(addr, 80, 8080):
        equal(fetch(f"http://{where}/big"), big, where)
        equal(fetch(f"http://{where}/index.html"), small, where)
    equal(docker.host(f"curl -s -o /dev/null -w '%{{http_code}} ' http://{addr}/none http://{addr}/").out.split()[0], "404")
    equal(docker.host(f"curl -s -r 1000000-1000999 http://{addr}/big | wc -c").out.strip(), "1000")
    for where in ways(addr, 80, 8080)[:2]:
        wrk(f"http://{where}/index.html", seconds)


NGINX = "rm -rf /var/www/html; ln -s /w/www /var/www/html; exec nginx -g 'daemon off;'"
# With threads it closes some connections of those who are as fast as wrk.
APACHE = ("rm -rf /var/www/html; ln -s /w/www /var/www/html; a2dismod -q mpm_event; a2enmod -q mpm_prefork; "
          "exec apache2ctl -DFOREGROUND -c 'ServerName x' -c 'MaxKeepAliveRequests 0' -c 'StartServers 60' -c 'MaxSpareServers 100'")


@test
def nginx():
    web_server("nginx", NGINX, 3)


@test
def apache():
    web_server("apache", APACHE, 2)


@test(timeout=200, long=True)
def nginx_a_minute_of_wrk():
    web_server("nginx", NGINX, 60)


@test(timeout=200, long=True)
def apache_a_minute_of_wrk():
    web_server("apache", APACHE, 60)


@test(timeout=120)
def redis():
    addr = start("redis", "exec redis-server --bind 0.0.0.0 --protected-mode no --save ''", 6379, published=6379)
    for where in ways(addr, 6379, 6379):
        host, port = where.split(":")
        out = docker.host(f"redis-benchmark -h {host} -p {port} -q -n 2000 -c 50 -t set,get,lpush,lrange_100; "
                          f"redis-benchmark -h {host} -p {port} -q -n 10000 -c 20 -P 16 -t set,get", timeout=100, check=0).out
        equal(out.count("requests per second"), 7, out)
        expect("rror" not in out, out)
    equal(docker.host(f"head -c 10000000 {work}/www/big | redis-cli -h {addr} -x set big; redis-cli -h {addr} --raw get big | head -c 10000000 | cmp - "
                      f"-n 10000000 {work}/www/big; redis-cli -h {addr} strlen big").out.split(), ["OK", "10000000"])


@test
def memcached():
    addr = start("memcached", "exec memcached -u nobody -l 0.0.0.0 -U 11211 -I 4m", 11211, published=11211)
    script = f"""
import random, socket, struct
for addr in ("{addr}", "127.0.0.1"):
    f = socket.create_connection((addr, 11211)).makefile("rwb")
    for i in range(200):
        b = random.Random(i).randbytes(i * 1000)
        f.write(b"set k%d 0 0 %d\\r\\n%s\\r\\n" % (i, len(b), b)); f.flush()
        assert f.readline() == b"STORED\\r\\n"
    for i in range(200):
        f.write(b"get k%d\\r\\n" % i)
    f.flush()
    for i in range(200):
        n = int(f.readline().split()[3]); assert f.read(n) == random.Random(i).randbytes(i * 1000); assert f.readline() + f.readline() == b"\\r\\nEND\\r\\n"
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.settimeout(5); u.connect(("{addr}", 11211))
    u.send(struct.pack("!HHHH", 7, 0, 1, 0) + b"get k1\\r\\n"); b = u.recv(2000)
    assert b[8:] == b"VALUE k1 0 1000\\r\\n" + random.Random(1).randbytes(1000) + b"\\r\\nEND\\r\\n", b
print("right")
"""
    equal(docker.host(f"python3 - <<'E'\n{script}\nE").out, "right\n")


POSTGRES = """d=/tmp/pg; b=$(echo /usr/lib/postgresql/*/bin); mkdir $d; chown postgres $d
su postgres -c "$b/initdb -D $d -A trust >/dev/null && echo 'host all all all trust' >>$d/pg_hba.conf && exec $b/postgres -D $d -c listen_addresses='*'"
"""


def postgres_load(seconds):
    addr = start("postgres", POSTGRES, 5432, published=5432, timeout=60)
    env = "PGUSER=postgres PGDATABASE=postgres"
    out = docker.host(f"{env} psql -h {addr} -qtAc \"create table t as select i, repeat(md5(i::text), 10) x from generate_series(1, 100000) i; "
                      f"select sum(length(x)) from t\"; {env} psql -h 127.0.0.1 -tAc 'copy t to stdout' | wc -lc", timeout=60).out.split()
    equal(out[:2], ["32000000", "100000"], str(out))
    for host in addr, GATEWAY:
        out = docker.host(f"{env} pgbench -h {host} -i -q -s 1 2>&1 && {env} pgbench -h {host} -c 8 -j 2 -T {seconds} 2>&1", timeout=seconds + 50, check=0).out
        contains(out, "number of failed transactions: 0 ")
    equal(docker.host(f"{env} psql -h {addr} -tAc 'select sum(abalance) = (select sum(bbalance) from pgbench_branches) from pgbench_accounts'").out, "t\n")


@test(timeout=120)
def postgres():
    postgres_load(2)


@test
def node_http():
    """A server and its clients: bodies of any size, keep-alive, chunks, an upgrade, a client that goes away."""
    addr = start("node", "exec node /p/http.js 8000", 8000, published=8000)
    for where in ways(addr, 8000, 8000):
        equal(docker.host(f"curl -sS --max-time 30 --data-binary @{work}/www/big http://{where}/hash", check=0).out, digest(f"{work}/www/big"), where)
    wrk(f"http://{addr}:8000/hello", 2)
    equal(docker("exec", "node", "node", "/p/http_client.js", "8000", timeout=40, check=0).out.split("\n"),
          ["50 requests 50", "chunks 1000000", "upgrade echo", "aborted ECONNRESET", "refused ECONNREFUSED", "server saw abort", ""])


@test
def python_servers():
    addr = start("python", "cd /w/www; exec python3 -m http.server 8000", 8000, published=8000)
    for where in ways(addr, 8000, 8000):
        equal(fetch(f"http://{where}/big"), digest(f"{work}/www/big"), where)
    addr = start("asyncio", "exec python3 /p/asyncio_net.py", 9000)
    equal(docker.host(f"python3 {PROGRAMS}/asyncio_net.py {addr}", timeout=40).out, "100 connections, 100 datagrams\n")
    equal(docker("exec", "asyncio", "python3", "/p/asyncio_net.py", "127.0.0.1", timeout=40).out, "100 connections, 100 datagrams\n")


@test
def clients_to_the_host():
    """curl, wget, git, nc, ssh's key exchange … from a container to a server on the host, and beyond it through NAT."""
    serve("python3", "-m", "http.server", "8100")
    wait_for(lambda: listens(GATEWAY, 8100), "the host's server listens")
    out = bash(f"curl -sS http://{GATEWAY}:8100/big | sha256sum; wget -qO- http://{GATEWAY}:8100/big | sha256sum; python3 -c 'import urllib.request as u, hashlib; "
               f"print(hashlib.sha256(u.urlopen(\"http://{GATEWAY}:8100/big\").read()).hexdigest())'; curl -sS --max-time 5 http://{GATEWAY}:8101/; echo $?", timeout=50)
    want = digest(f"{work}/www/big")
    equal([w for w in out.split() if len(w) == 64], [want] * 3, out)
    equal(out.split()[-1], "7")


@test
def beyond_the_host():
    """Through the host's NAT to another namespace: what is there sees the host's address, and reaches published ports by it."""
    world = f"rn-world-{os.getpid()}"
    sh(f"ip netns add {world} && ip -n {world} link set lo up && ip link add up0 netns {docker.netns} type veth peer name w0 netns {world} && "
       f"ip -n {docker.netns} addr add 198.51.100.1/24 dev up0 && ip -n {docker.netns} link set up0 up && "
       f"ip -n {world} addr add 198.51.100.2/24 dev w0 && ip -n {world} link set w0 up", check=0)
    try:
        p = subprocess.Popen(["nsenter", f"--net=/run/netns/{world}", "python3", "-c",
                              "import socket\nl = socket.create_server(('', 80))\nwhile True:\n s, a = l.accept()\n if not s.recv(9999): continue\n"
                              " b = a[0].encode() + b'x' * 3000000; s.sendall(b'HTTP/1.0 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n' % len(b) + b); s.close()"])
        servers.append(p)
        out = bash("curl -sS --retry 5 --retry-connrefused --max-time 20 http://198.51.100.2/ | cut -c1-12; ping -c2 -i0.1 -W3 -q 198.51.100.2 | grep -o '2 received'", timeout=50)
        equal(out.split("\n")[:2], ["198.51.100.1", "2 received"])
        start("nginx", NGINX, 80, published=8080)
        equal(sh(["nsenter", f"--net=/run/netns/{world}", "sh", "-c", "curl -sS --max-time 20 http://198.51.100.1:8080/big | sha256sum"]).out.split()[0], digest(f"{work}/www/big"))
    finally:
        sh(["ip", "netns", "del", world])


@test
def container_to_container():
    addr = start("nginx", NGINX, 80)
    out = bash(f"curl -sS http://{addr}/big | sha256sum; ping -c3 -i0.1 -W3 -q {addr} | grep -o '3 received'", timeout=50)
    equal(out.split()[0], digest(f"{work}/www/big"))
    contains(out, "3 received")


@test
def git_over_http_and_git():
    docker.run("-d", "--name", "git", "debian:network", "bash", "-c",
               "cd /srv; git config --global user.email a@b; git config --global user.name n; git config --global init.defaultBranch main; git init -q r; cd r; "
               "for i in $(seq 30); do head -c 100000 /dev/urandom >f$i; git add -A; git commit -qm $i; done; cd ..; git clone -q --bare r r.git; "
               "cd r.git; git update-server-info; git config daemon.receivepack true; cd ..; git daemon --export-all --base-path=/srv --detach; exec python3 -m http.server 80", check=0)
    addr = docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "git", check=0).out.strip()
    wait_for(lambda: listens(addr, 80), "the servers listen", 30)
    out = bash(f"set -e; git clone -q http://{addr}/r.git h; git clone -q git://{addr}/r.git g; diff -r -x .git h g && echo same; cd g; git fsck 2>&1 | grep -c error || true; "
               f"git log --oneline | wc -l; git config user.email c@d; git config user.name m; head -c 3000000 /dev/urandom >new; git add new; git commit -qm new; "
               f"git push -q origin main; cd ..; git clone -q git://{addr}/r.git again; cmp again/new g/new && echo pushed", timeout=55)
    equal(out.split(), ["same", "0", "30", "pushed"])


@test
def ssh():
    """sshd in a container: commands, their status, 20 MB each way, a terminal, forwarded ports, scp."""
    addr = start("sshd", "mkdir -p /run/sshd ~/.ssh; cp /w/key.pub ~/.ssh/authorized_keys; chmod 700 ~ ~/.ssh; ssh-keygen -qA; exec /usr/sbin/sshd -De", 22, published=2222)
    flags = f"-i {work}/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ConnectTimeout=10"
    for host, port in (addr, 22), ("127.0.0.1", 2222):
        r = docker.host(f"ssh {flags} -p {port} root@{host} 'echo out; exit 7'")
        equal((r.out, r.returncode), ("out\n", 7))
    big = digest(f"{work}/www/big")
    equal(docker.host(f"ssh {flags} root@{addr} sha256sum <{work}/www/big; ssh {flags} root@{addr} cat /w/www/big | sha256sum").out.split()[::2], [big, big])
    contains(docker.host(f"ssh -tt {flags} root@{addr} 'tty; stty size; exit'").out, "/dev/pts/")
    docker.host(f"scp -q {flags} {work}/www/big root@{addr}:/tmp/copy; scp -q {flags} root@{addr}:/tmp/copy {work}/back", check=0)
    equal(digest(f"{work}/back"), big)
    docker("exec", "-d", "sshd", "python3", "-m", "http.server", "-b", "127.0.0.1", "-d", "/w/www", "8001", check=0)
    equal(docker.host(f"ssh -f -N -M -S {work}/ctl -L 8001:127.0.0.1:8001 -R 8002:{GATEWAY}:22 {flags} root@{addr}; sleep 0.5; curl -sS --retry 5 --retry-connrefused http://127.0.0.1:8001/big | sha256sum; "
                      f"ssh -S {work}/ctl -O exit x 2>/dev/null").out.split()[0], big)
    out = bash(f"cp /w/key k; chmod 600 k; ssh {flags.replace(f'{work}/key', 'k')} root@{addr} 'echo between; uname'", timeout=40)
    equal(out.split(), ["between", "Linux"])


@test
def dns():
    """dnsmasq in a container; dig over UDP and TCP, a big answer that comes over TCP after all, many at once; getaddrinfo."""
    records = " ".join(f"--host-record=h{i}.test,10.1.{i // 200}.{i % 200 + 1}" for i in range(50)) + " ".join([""] + [f"--txt-record=big.test,{'x' * 200}{i}" for i in range(15)])
    addr = start("dns", f"exec dnsmasq -k -R -h -u root --auth-ttl=60 --edns-packet-max=1232 {records}", 53, "-p", "5353:53/udp", published=5353)
    for where, port in (addr, 53), (GATEWAY, 5353), ("127.0.0.1", 5353):
        for tcp in "+notcp", "+tcp":
            equal(docker.host(f"dig +short +tries=1 +time=5 {tcp} -p {port} @{where} h7.test").out, "10.1.0.8\n", f"{where} {tcp}")
        equal(len(docker.host(f"dig +short +time=5 -p {port} @{where} big.test TXT").out.split()), 15)
    equal(docker.host(f"for i in $(seq 0 49); do echo h$i.test; done >{work}/names; dig +short +time=5 @{addr} -f {work}/names | wc -l", timeout=40).out.split(), ["50"])
    out = bash("getent ahostsv4 h9.test | head -n 1; dig +short h3.test; dig +short +tcp h4.test; curl -sS --max-time 3 http://h5.test.nowhere.test; echo $?", "--dns", addr, timeout=40)
    equal(out.split(), ["10.1.0.10", "STREAM", "h9.test", "10.1.0.4", "10.1.0.5", *out.split()[5:-1], "6"])


@test
def iperf3():
    addr = start("iperf3", "exec iperf3 -s", 5201)
    for args in "", "-R", "-P 4", "-u -b 5M -l 1400":
        r = json.loads(docker.host(f"iperf3 -c {addr} -J -t 1 {args}").out)
        expect("error" not in r, str(r.get("error")))
        expect((r["end"].get("sum_received") or r["end"]["sum"])["bytes"] > 300000, f"{args}: {r['end']}")


@test
def ping_and_traceroute():
    addr = start("nginx", NGINX, 80)
    equal(docker.host(f"ping -q -c5 -i0.1 -W3 {addr} | grep -o '5 received'; ping -q -c3 -i0.1 -W3 -s 20000 {addr} | grep -o '3 received'").out.split("\n")[:2], ["5 received", "3 received"])
    out = bash(f"ping -q -c3 -i0.2 -W3 {GATEWAY} | grep -o '3 received'; ping -q -c3 -i0.2 -s 5000 127.0.0.1 | grep -o '3 received'; "
               f"traceroute -n -q1 -w3 {GATEWAY} | tail -n 1; traceroute -n -T -p 80 -q1 -w3 {addr} | tail -n 1", timeout=50).split("\n")
    equal(out[:2], ["3 received"] * 2)
    for line, to in zip(out[2:], (GATEWAY, addr)):
        contains(line, f" 1  {to} ")


@test
def tcpdump():
    """In the container: the SYN of who connects, and what is sent."""
    addr = start("nginx", "tcpdump -i eth0 -nn -U -c 40 -w /tmp/cap tcp port 80 & while ! test -s /tmp/cap; do sleep 0.1; done; " + NGINX, 80)
    docker.host(f"curl -s http://{addr}/small >/dev/null; curl -s http://{addr}/big >/dev/null")
    out = wait_for(lambda: (o := docker("exec", "nginx", "tcpdump", "-nn", "-r", "/tmp/cap").out) and "HTTP/1.1 200" in o and o, "the answer is in the capture")
    expect(re.search(rf"IP {GATEWAY}\.\d+ > {addr}\.80: Flags \[S\]", out), out)
    expect(re.search(rf"IP {addr}\.80 > {GATEWAY}\.\d+: Flags \[S\.\]", out), out)


@test
def published_udp_and_ranges():
    script = ("exec python3 -c 'import socket, select\nu = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]\n"
              "[s.bind((\"\", 7000 + i)) for i, s in enumerate(u)]\nt = socket.create_server((\"\", 7000))\n"
              "while True:\n for s in select.select(u, [], [])[0]:\n  b, a = s.recvfrom(70000); s.sendto(b\"%d \" % s.getsockname()[1] + b, a)'")
    addr = start("echo", script, 7000, "-p", "7100-7102:7000-7002/udp")
    for where, first in (addr, 7000), (GATEWAY, 7100), ("127.0.0.1", 7100):
        for i in range(3):
            for size in 1, 1400, 8000, 30000:
                equal(docker.host(f"python3 -c 'import socket; u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.settimeout(5); u.connect((\"{where}\", {first + i})); "
                                  f"u.send(b\"y\" * {size}); b = u.recv(70000); print(b[:5].decode(), len(b))'").out, f"{7000 + i}  {size + 5}\n", f"{where} {first + i}")


@test
def sysctls_and_old_tools():
    """Settings of the spec are in force before the program begins; what the older programs read and ask."""
    out = bash("cat /proc/sys/net/core/somaxconn /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/tcp_keepalive_time; "
               "python3 -c 'import socket; s = socket.create_server((\"\", 80)); print(s.getsockname()[1])'; "
               "cat /sys/class/net/eth0/mtu /sys/class/net/eth0/operstate; cut -d: -f1 /proc/net/dev | tail -n +3; "
               "awk 'NR > 1 {print $1, $2, $8}' /proc/net/route; hostname -I",
               "--user", "1000", "--sysctl", "net.core.somaxconn=77", "--sysctl", "net.ipv4.ip_unprivileged_port_start=10",
               "--sysctl", "net.ipv4.tcp_keepalive_time=123").split("\n")
    equal(out[:3], ["77", "10", "123"])
    equal(out[3], "80")
    equal(out[4:6], ["1500", "up"])
    equal(sorted(l.strip() for l in out[6:8]), ["eth0", "lo"])
    equal(out[8:10], ["eth0 00000000 00000000", "eth0 000011AC 0000FFFF"])
    contains(out[10], "172.17.0.")


@test(timeout=400, long=True)
def podman_a_minute_of_wrk():
    """podman's default network, with a published port: nginx, then httpd."""
    podman = Podman(bridge=True)
    try:
        podman("import", image_tarball("network"), "debian:network", timeout=200, check=0)
        for name, script in ("nginx", NGINX), ("apache", APACHE):
            podman("run", "-d", "--name", name, "-p", "8080:80", "-v", f"{work}:/w:ro", "debian:network", "bash", "-c", script, timeout=60, check=0)
            addr = podman("inspect", "-f", "{{.NetworkSettings.IPAddress}}", name, check=0).out.strip()
            wait_for(lambda: podman.host(f"timeout 1 bash -c '</dev/tcp/{addr}/80'").returncode == 0, f"{name} listens")
            for where in addr, "127.0.0.1:8080":
                equal(podman.host(f"curl -sS --max-time 30 http://{where}/big | sha256sum").out.split()[0], digest(f"{work}/www/big"), where)
            out = podman.host(f"wrk -t2 -c50 -d60 --timeout 10 http://{addr}/index.html", timeout=100, check=0).out
            expect("Socket errors" not in out and "Non-2xx" not in out, out)
            podman("rm", "-f", name, timeout=60, check=0)
    finally:
        podman.stop()


@test(timeout=400, long=True)
def go_and_java_servers():
    docker("import", image_tarball("programs"), "debian:programs", timeout=200, check=0)
    for i, script in enumerate(("cd /tmp; go build -o http /p/http.go && exec ./http", "cd /tmp; javac -d . /p/Http.java && exec java -Xmx128m -cp . Http")):
        addr = start(f"server{i}", script, 8000, "-e", "HOME=/tmp", published=8000 + i, image="debian:programs", timeout=150)
        for where in ways(addr, 8000, 8000 + i):
            equal(docker.host(f"curl -sS --max-time 30 --data-binary @{work}/www/big http://{where}/hash", check=0).out, digest(f"{work}/www/big"), where)
        wrk(f"http://{addr}:8000/hello", 3)


if __name__ == "__main__":
    sys.exit(run_tests("network", setup, after=cleanup))
