#!/usr/bin/env python3
"""How a container gets its network: name resolution on Docker's user-defined networks, modes, namespaces that are shared, odd interfaces, and what is
left behind. RUNTIME=runc runs what it can with runc. The host of the containers is a network namespace of the tests' own (lib.py)."""
import json, os, re, shutil, signal, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib import *

PROGRAMS = os.path.join(HERE, "programs")
UPSTREAM = "172.17.0.1"  # docker0: where the tests' own DNS server listens
docker = podman = work = None
background = []


def setup():
    global docker, podman, work
    tar = image_tarball("network")
    work = tempfile.mkdtemp(prefix="rn-work-", dir="/tmp")
    os.chmod(work, 0o755)
    atexit.register(lambda: shutil.rmtree(work, ignore_errors=True))
    docker = Docker(bridge=True, args=["--dns", UPSTREAM, "--live-restore"])
    docker("import", tar, "debian:network", timeout=600, check=0)
    podman = Podman(bridge=True)
    podman("import", tar, "debian:network", timeout=600, check=0)
    docker("network", "create", "names", check=0)
    run_on_host("python3", f"{PROGRAMS}/dns_server.py", UPSTREAM)
    wait_for(lambda: docker.host(f"dig +short +tries=1 +time=1 @{UPSTREAM} x.example.test").out == "192.0.2.77\n", "the tests' DNS server answers")
    atexit.register(lambda: [p.kill() for p in background])


def run_on_host(*argv, **kw):
    background.append(subprocess.Popen(docker.inside(*argv), stdin=subprocess.DEVNULL, **kw))
    return background[-1]


def after():
    ids = docker("ps", "-aq").out.split()
    if ids:
        docker("rm", "-f", *ids, check=0)
    podman("pod", "rm", "-fa", "-t", "0")
    podman("rm", "-fa", "-t", "0")


def container(name, *opts, cmd=("sleep", "1000"), network="names"):
    docker("run", "-d", "--runtime", RUNTIME_NAME, "--network", network, "--name", name, "-v", f"{PROGRAMS}:/p:ro", *opts, "debian:network", *cmd, check=0)
    return address(name, network)


def address(name, network="names", key="IPAddress"):
    return docker("inspect", "-f", f'{{{{(index .NetworkSettings.Networks "{network}").{key}}}}}', name, check=0).out.strip()


def pid(name):
    return int(docker("inspect", "-f", "{{.State.Pid}}", name, check=0).out)


def inside(name, *argv, **kw):
    return docker("exec", name, *argv, **kw)


def in_netns(name, command):
    """On the host's side of the container's network namespace."""
    return sh(["nsenter", "-t", str(pid(name)), "-n", "sh", "-c", command])


def bridge(network="names"):
    return "br-" + docker("network", "inspect", "-f", "{{.Id}}", network, check=0).out[:12]


def askers():
    return [l for l in sh("ps ax -o pid,args").out.splitlines() if "runsc-notify-dns" in l and "ps ax" not in l]


class Capture:
    """What passes an interface of the host while the block runs: .lines, as tcpdump prints them."""

    def __init__(self, interface, what=""):
        self.argv = docker.inside("tcpdump", "-i", interface, "-nn", "-l", "--immediate-mode", what)

    def __enter__(self):
        self.p = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for line in self.p.stderr:
            if "listening on" in line:
                break
        return self

    def __exit__(self, *exc):
        time.sleep(0.4)
        self.p.terminate()
        self.lines = self.p.communicate(timeout=10)[0].splitlines()

    def count(self, *parts):
        return sum(all(p in l for p in parts) for l in self.lines)


# ---- names ----------------------------------------------------------------------------------------------------------

@test(timeout=90)
def names_of_containers():
    a, b = container("one"), container("two", "--network-alias", "also-two")
    contains(inside("one", "cat", "/etc/resolv.conf").out, "nameserver 127.0.0.11")
    for name, want in (("one", a), ("two", b), ("also-two", b), ("two.names", b)):
        equal(inside("one", "getent", "hosts", name, check=0).out.split()[0], want)
    for how in ("+notcp", "+tcp"):
        equal(inside("one", "dig", "+short", how, "@127.0.0.11", "two", check=0).out, f"{b}\n")
    equal(inside("one", "dig", "+short", "@127.0.0.11", "-x", b, check=0).out, "two.names.\n")
    equal(inside("one", "getent", "hosts", "nobody.invalid").returncode, 2)
    docker("rm", "-f", "two", check=0)
    equal(inside("one", "getent", "hosts", "two").returncode, 2)
    equal(inside("one", "getent", "hosts", container("two")).returncode, 0)
    equal(inside("one", "ping", "-c", "1", "-W", "3", "two").returncode, 0)


@test(timeout=90)
def names_of_the_world():
    """dockerd asks the servers behind it through the host's stack in the container's namespace."""
    container("one")
    contains(inside("one", "getent", "ahosts", "www.example.test", check=0).out, "192.0.2.77")
    equal(inside("one", "dig", "+short", "@127.0.0.11", "six.example.test", "AAAA", check=0).out, "2001:db8::77\n")
    equal(inside("one", "dig", "+short", "@127.0.0.11", "www.example.test", check=0).out, "192.0.2.77\n")
    out = inside("one", "dig", "@127.0.0.11", "+noedns", "+ignore", "big.example.test", "TXT", check=0).out
    expect(" tc " in out, f"a long answer over UDP is not truncated: {out}")
    out = inside("one", "dig", "@127.0.0.11", "+noedns", "big.example.test", "TXT", check=0).out  # dig asks again over TCP
    contains(out, "ANSWER: 10")
    contains(inside("one", "dig", "@127.0.0.11", "+bufsize=4096", "+notcp", "big.example.test", "TXT", check=0).out, "ANSWER: 10")
    contains(inside("one", "dig", "@127.0.0.11", "nobody.invalid").out, "NXDOMAIN")
    equal(inside("one", "dig", "+short", f"@{UPSTREAM}", "www.example.test", check=0).out, "192.0.2.77\n")


@test(timeout=90)
def many_questions_at_once():
    container("one")
    for proto, server, name, n in (("udp", "127.0.0.11", "one", 200), ("udp", "127.0.0.11", "x.example.test", 80), ("tcp", "127.0.0.11", "x.example.test", 80),
                                   ("udp", UPSTREAM, "x.example.test", 80), ("tcp", UPSTREAM, "x.example.test", 80)):
        equal(inside("one", "python3", "/p/dns_ask.py", proto, server, name, "1", str(n)).out, f"{n} rcode 0 answers 1 truncated 0\n", f"{proto} {server} {name}")


@test(timeout=60)
def port_53_is_the_containers():
    """A server in the container may have it, on all addresses and on TCP too; 127.0.0.11 is dockerd's all the same."""
    a = container("one", cmd=("python3", "/p/dns_server.py", "0.0.0.0"))
    b = container("two")
    wait_for(lambda: inside("two", "dig", "+short", "+tries=1", "+time=1", "@one", "y.example.test").out == "192.0.2.77\n", "the container's own server answers")
    equal(inside("two", "dig", "+short", "+tcp", f"@{a}", "y.example.test", check=0).out, "192.0.2.77\n")
    for how in ("+notcp", "+tcp"):
        equal(inside("one", "dig", "+short", how, "@127.0.0.11", "two", check=0).out, f"{b}\n")
        contains(inside("one", "dig", how, "@127.0.0.1", "two").out, "NXDOMAIN")
    equal(inside("two", "bash", "-c", "</dev/tcp/127.0.0.11/54").returncode, 1)


@test(timeout=90)
def one_answer_to_everything():
    """The host's stack in the container's namespace has the same addresses: it must answer nothing that is ours, and ours nothing that is its."""
    a = container("one")
    gateway = address("one", key="Gateway")
    with Capture(bridge()) as c:
        inside("one", "python3", "/p/dns_ask.py", "udp", "127.0.0.11", "x.example.test", "1", "20", check=0)
        inside("one", "python3", "/p/dns_ask.py", "tcp", "127.0.0.11", "x.example.test", "1", "10", check=0)
        inside("one", "python3", "/p/dns_ask.py", "udp", UPSTREAM, "x.example.test", "1", "20", check=0)
        inside("one", "python3", "/p/dns_ask.py", "tcp", UPSTREAM, "x.example.test", "1", "10", check=0)
    equal(c.count("unreachable"), 0, f"ICMP errors: {c.lines}")
    # Linux's own resets of a connection that is closed with unread data apart: nobody resets what has not been answered.
    equal(c.count(f"{a}.", "Flags [R", "seq 1"), 0, f"resets: {[l for l in c.lines if 'Flags [R' in l]}")
    equal(sum(f"IP {a}." in l and "Flags [R" in l for l in c.lines), 0, "resets of the container")
    docker.host(f"ip neigh flush dev {bridge()}")
    with Capture(bridge()) as c:
        docker.host(f"ping -c 1 -W 10 {a}; timeout 10 bash -c '</dev/tcp/{a}/9'; timeout 10 dig +tries=1 +time=5 -p 99 @{a} x")
        docker.host(f"python3 -c 'import socket\nfor port in (9, 40000, 61001):\n for t in (1, 2):\n  s = socket.socket(2, t); s.settimeout(0.5); "
                    f"s.setsockopt(1, 2, 1); s.bind((\"{gateway}\", 53))\n  try:\n   s.connect((\"{a}\", port)); s.send(b\"x\"); s.recv(1)\n  except OSError: pass'")
    asked = c.count("Request who-has", f" {a} ")  # more than once if the machine is busy
    expect(asked and c.count("Reply", a) == asked, f"ARP replies: {c.lines}")
    equal(c.count("echo reply"), 1, f"echo replies: {c.lines}")
    for port, sport in ((9, None), (9, 53), (40000, 53)):
        equal(sum(bool(re.search(rf"IP {a}\.{port} > [0-9.]+\.{sport or '[0-9]{4,5}'}: Flags \[R", l)) for l in c.lines), 1, f"resets from {port}: {c.lines}")
    equal(c.count(f"{a} udp port 99 unreachable"), 1, f"{c.lines}")
    equal(c.count(f"{a} udp port 9 unreachable"), 1, f"{c.lines}")
    equal(c.count(f"{a} udp port 40000 unreachable"), 1, f"{c.lines}")


@test(timeout=60, ours_only=True)
def host_stack_is_silent():
    """On the default bridge nothing at all comes from it: no resolver runs there."""
    before = len(askers())
    a = container("one", network="bridge")
    equal(len(askers()), before, "processes that ask")
    expect("table inet" not in in_netns("one", "nft list tables").out, "more rules than are needed")
    with Capture("docker0", f"host {a}") as c:
        docker.host(f"ping -c 1 -W 10 {a}; timeout 10 bash -c '</dev/tcp/{a}/9'")
    snmp = in_netns("one", "cat /proc/net/snmp").out.split("\nIp: ")[1].split()
    equal(snmp[2], "0", "packets that the host's stack received")
    equal(c.count("echo reply"), 1, f"{c.lines}")
    equal(c.count("Flags [R"), 1, f"{c.lines}")


@test(timeout=90)
def dockerd_is_restarted():
    """The resolver comes back on other ports. (With live-restore containers run on.)"""
    container("one"), container("two")
    equal(inside("one", "getent", "hosts", "two").returncode, 0)
    docker.procs[-1].terminate()
    docker.procs.pop().wait(30)
    docker.spawn("dockerd", docker.dockerd)
    wait_for(lambda: docker("version", timeout=10).returncode == 0, "dockerd answers", 30)
    wait_for(lambda: inside("one", "getent", "hosts", "two").returncode == 0, "names are resolved again", 20)
    equal(inside("one", "dig", "+short", "+tcp", "@127.0.0.11", "two", check=0).out.strip(), address("two"))


@test(timeout=60, ours_only=True)
def nobody_asks_when_it_is_over():
    before = askers()
    container("one")
    mine = [l for l in askers() if l not in before]
    equal(len(mine), 1)
    asker = mine[0].split()[0]
    status = open(f"/proc/{asker}/status").read()
    for line in ("CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"):
        contains(status, line)
    expect(os.stat(f"/proc/{asker}").st_uid >= 2000000000, "it is not a user of its own")
    equal(len(os.listdir(f"/proc/{asker}/fd")), 4, "descriptors")
    equal(os.listdir(f"/proc/{asker}/root"), [], "files")
    docker("kill", "one", check=0)
    wait_for(lambda: askers() == before, "it has ended", 5)
    docker("start", "one", check=0)
    asker = [l for l in askers() if l not in before][0].split()[0]
    os.kill(int(asker), signal.SIGKILL)
    began = time.monotonic()
    equal(inside("one", "dig", "+tries=1", "+time=30", "@127.0.0.11", "one").returncode in (9, 10), True)
    expect(time.monotonic() - began < 20, "nothing says that nobody answers")
    equal(inside("one", "true").returncode, 0)


# ---- modes and shared namespaces --------------------------------------------------------------------------------------

def refused(*args, engine=None):
    r = (engine or docker)(*args)
    expect(r.returncode in (125, 126), f"exit status {r.returncode}: {r.out}")
    return r.out


@test(timeout=90, ours_only=True)
def modes():
    run = ("run", "--rm", "--runtime", RUNTIME_NAME)
    equal(docker(*run, "--network", "none", "debian:network", "ls", "/sys/class/net", check=0).out, "lo\n")
    contains(refused(*run, "--network", "host", "debian:network", "true"), "the host's network cannot be used")
    equal(podman("run", "--rm", "--network", "none", "debian:network", "ls", "/sys/class/net", check=0).out, "lo\n")
    contains(refused("run", "--rm", "--network", "host", "debian:network", "true", engine=podman), "the host's network cannot be used")


@test(timeout=90, ours_only=True)
def namespaces_are_not_shared():
    """Two stacks of ours, or ours and the host's, would answer for the same addresses."""
    container("one")
    cid = docker("inspect", "-f", "{{.Id}}", "one").out.strip()
    run = ("run", "--rm", "--runtime", RUNTIME_NAME)
    contains(refused(*run, "--network", "container:one", "debian:network", "true"), f"in use by the sandbox of container {cid}")
    equal(inside("one", "ping", "-c", "1", "-W", "3", address("one", key="Gateway")).returncode, 0)
    docker("run", "-d", "--runtime", "runc", "--network", "names", "--name", "native", "debian:network", "sleep", "1000", check=0)
    contains(refused(*run, "--network", "container:native", "debian:network", "true"), "(sleep), which would be cut off")
    equal(inside("native", "ping", "-c", "1", "-W", "3", "one").returncode, 0)


@test(timeout=120)
def podman_networks():
    """The default network with a published port; a pod; a network of the user's own."""
    podman("run", "-d", "--name", "web", "-p", "8080:80", "debian:network", "python3", "-m", "http.server", "80", check=0)
    wait_for(lambda: podman.host("curl -sS -m 2 http://127.0.0.1:8080/etc/hostname").returncode == 0, "the published port answers", 20)
    addr = podman("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "web").out.strip()
    equal(podman.host(f"curl -sS -m 5 http://{addr}/etc/hostname").returncode, 0)
    podman("network", "create", "own", check=0)
    podman("run", "-d", "--name", "there", "--network", "own", "debian:network", "sleep", "1000", check=0)
    addr = podman("inspect", "-f", "{{.NetworkSettings.Networks.own.IPAddress}}", "there").out.strip()
    equal(podman("run", "--rm", "--network", "own", "debian:network", "ping", "-c", "1", "-W", "3", addr).returncode, 0)
    podman("exec", "there", "ping", "-c", "1", "-W", "3", addr.rsplit(".", 1)[0] + ".1", check=0)


@test(timeout=120, ours_only=True)
def podman_pods():
    """A pod with one container has its network; another is refused, for it would need the same stack."""
    if not shutil.which("catatonit"):
        raise Skip("catatonit is not installed")
    podman("pod", "create", "--name", "pod", "-p", "8081:80", check=0)
    podman("run", "-d", "--pod", "pod", "--name", "first", "debian:network", "python3", "-m", "http.server", "80", check=0)
    wait_for(lambda: podman.host("curl -sS -m 2 http://127.0.0.1:8081/etc/hostname").returncode == 0, "the pod's port answers", 20)
    contains(refused("run", "-d", "--pod", "pod", "--name", "second", "debian:network", "sleep", "100", engine=podman), "a network namespace cannot be shared")
    podman("stop", "-t", "0", "first", check=0)
    podman("start", "second", check=0)
    equal(podman("exec", "second", "ping", "-c", "1", "-W", "3", "10.88.0.1").returncode, 0)


# ---- interfaces --------------------------------------------------------------------------------------------------------

@test(timeout=90)
def ipv6_and_another_mtu():
    docker("network", "create", "--ipv6", "--subnet", "fd00:77::/64", "-o", "com.docker.network.driver.mtu=1400", "six", check=0)
    try:
        container("one", network="six", cmd=("python3", "-m", "http.server", "-b", "::", "80"))
        addr = address("one", "six", "GlobalIPv6Address")
        wait_for(lambda: docker.host(f"curl -gsS -m 2 http://[{addr}]/etc/hostname").returncode == 0, "it serves over IPv6", 15)
        equal(inside("one", "cat", "/sys/class/net/eth0/mtu").out, "1400\n")
        equal(inside("one", "ping", "-6", "-c", "1", "-W", "3", "fd00:77::1").returncode, 0)
        equal(docker.host(f"ping -c 1 -W 3 -M do -s 1352 {addr}").returncode, 0)
        equal(inside("one", "getent", "ahostsv6", "one").out.split()[0], addr)
    finally:
        after()
        docker("network", "rm", "six")


def transfer(name, addr):
    """A file each way, whole."""
    want = sh(["sha256sum", f"{work}/file"], check=0).out.split()[0]
    equal(docker.host(f"curl -sS -m 30 http://{addr}/file | sha256sum").out.split()[0], want, "what came out of the container")
    equal(inside(name, "bash", "-c", f"curl -sS -m 30 http://{address(name, key='Gateway')}:8000/file | sha256sum").out.split()[0], want, "what came in")


@test(timeout=120)
def offloads_are_off():
    sh(f"head -c 10000000 /dev/urandom >{work}/file", check=0)
    addr = container("one", "-v", f"{work}:/srv:ro", "-w", "/srv", cmd=("python3", "-m", "http.server", "80"))
    server = run_on_host("python3", "-m", "http.server", "8000", cwd=work, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: docker.host(f"curl -sS -m 2 -o /dev/null http://{addr}/ && curl -sS -m 2 -o /dev/null http://127.0.0.1:8000/").returncode == 0, "both serve", 20)
        transfer("one", addr)
        index = in_netns("one", "cat /sys/class/net/eth0/iflink || ip -o link show eth0").out.split()[0]
        veth = next(l["ifname"] for l in json.loads(docker.host("ip -j link").out) if str(l["ifindex"]) == index or l["ifname"].startswith("veth"))
        docker.host(f"ethtool -K {veth} tx off sg off tso off gso off gro off", check=0)
        transfer("one", addr)
        equal(in_netns("one", "ethtool -K eth0 tx off sg off tso off gso off").returncode, 0)
        transfer("one", addr)
        equal(inside("one", "getent", "hosts", "x.example.test").returncode, 0)
    finally:
        server.kill()


@test(timeout=120)
def macvlan():
    other = f"rn-mac-{os.getpid()}"
    sh(f"ip netns add {other}", check=0)
    docker.host(f"ip link add mvp type veth peer name mvq netns {other} && ip link set mvp up", check=0)
    sh(f"ip -n {other} link set mvq up && ip -n {other} addr add 10.77.0.1/24 dev mvq", check=0)
    docker("network", "create", "-d", "macvlan", "--subnet", "10.77.0.0/24", "--gateway", "10.77.0.1", "-o", "parent=mvp", "mac", check=0)
    try:
        addr = container("one", network="mac", cmd=("python3", "-m", "http.server", "80"))
        container("two", network="mac")
        wait_for(lambda: sh(f"ip netns exec {other} curl -sS -m 2 http://{addr}/etc/hostname").returncode == 0, "it serves", 15)
        equal(inside("two", "curl", "-sS", "-m", "5", "-o", "/dev/null", "http://one/").returncode, 0)
        docker.host("ip link set mvp down")
        equal(sh(f"ip netns exec {other} ping -c 1 -W 1 {addr}").returncode, 1)
        docker.host("ip link set mvp up")
        wait_for(lambda: sh(f"ip netns exec {other} curl -sS -m 2 http://{addr}/etc/hostname").returncode == 0, "it serves again", 15)
    finally:
        after()
        docker("network", "rm", "mac")
        sh(f"ip netns del {other}")


@test(timeout=120, ours_only=True)
def networks_come_and_go():
    """What is connected at start is there; what comes later is seen after a restart; what is taken away goes."""
    docker("network", "create", "more", check=0)
    try:
        container("one")
        container("there", network="more")
        docker("network", "connect", "more", "one", check=0)
        equal(inside("one", "ls", "/sys/class/net").out.split(), ["eth0", "lo"])
        equal(docker.host(f"ping -c 1 -W 1 {address('one', 'more')}").returncode, 1, "the host's stack answers")
        docker("restart", "-t", "0", "one", check=0)
        equal(inside("one", "ls", "/sys/class/net").out.split(), ["eth0", "eth1", "lo"])
        equal(inside("one", "ping", "-c", "1", "-W", "3", "there").returncode, 0)
        docker("network", "disconnect", "more", "one", check=0)
        wait_for(lambda: len(inside("one", "ls", "/sys/class/net").out.split()) == 2, "its interface is gone")
        equal(inside("one", "ping", "-c", "1", "-W", "3", address("one", key="Gateway")).returncode, 0)
    finally:
        after()
        docker("network", "rm", "more")


# ---- without an engine -------------------------------------------------------------------------------------------------

class Namespace:
    """A network namespace as an engine would have set it up, and one that is its link's other end."""

    def __init__(self, *commands):
        self.name, self.peer = f"rn-own-{os.getpid()}", f"rn-far-{os.getpid()}"
        sh(f"ip netns add {self.name} && ip netns add {self.peer} && ip -n {self.name} link set lo up", check=0)
        sh(f"ip link add c0 netns {self.name} type veth peer name p0 netns {self.peer}", check=0)
        self.far("ip addr add 10.99.0.1/24 dev p0 && ip link set p0 up", check=0)
        for c in commands:
            self.do(c, check=0)

    def do(self, command, **kw):
        return sh(["nsenter", f"--net=/run/netns/{self.name}", "sh", "-c", command], **kw)

    def far(self, command, **kw):
        return sh(["nsenter", f"--net=/run/netns/{self.peer}", "sh", "-c", command], **kw)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for cid in list(self.ids):
            sh([RUNTIME, "--root", f"{work}/state", "delete", "--force", cid])
        for n in (self.name, self.peer):
            sh(["ip", "netns", "del", n])

    ids = []

    def rt(self, *args, wrap=(), **kw):
        with open(f"{work}/out", "w") as f:
            rc = subprocess.run([*wrap, RUNTIME, "--root", f"{work}/state", "--log", f"{work}/log", *args], stdin=subprocess.DEVNULL, stdout=f, stderr=f, timeout=30).returncode
        self.out = open(f"{work}/out").read()
        return rc

    def create(self, *flags, wrap=()):
        b, cid = tempfile.mkdtemp(prefix="bundle-", dir=work), f"netsetup-{os.getpid()}-{len(self.ids)}"
        spec = {"ociVersion": "1.0.2", "process": {"args": ["sleep", "100"], "env": ["PATH=/bin:/usr/bin"], "cwd": "/", "user": {"uid": 0, "gid": 0},
                                                   "capabilities": {k: ["CAP_NET_RAW"] for k in ("bounding", "effective", "permitted")}},
                "root": {"path": "/", "readonly": False}, "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}, {"destination": "/sys", "type": "sysfs", "source": "sysfs"}],
                "linux": {"cgroupsPath": f"/rn-netsetup-{os.getpid()}/{cid}",
                          "namespaces": [{"type": t} for t in ("pid", "ipc", "uts", "mount")] + [{"type": "network", "path": f"/run/netns/{self.name}"}]}}
        with open(f"{b}/config.json", "w") as f:
            json.dump(spec, f)
        self.ids.append(cid)
        equal(self.rt(*flags, "create", "--bundle", b, "--pid-file", f"{b}/pid", cid, wrap=wrap), 0, f"create: {self.out if hasattr(self, 'out') else ''}")
        self.pid = int(open(f"{b}/pid").read())
        return cid

    def start(self, *flags, wrap=()):
        cid = self.create(*flags, wrap=wrap)
        return cid, self.rt("start", cid, wrap=wrap)

    def answers(self):
        return self.far("ping -c 1 -W 5 10.99.0.2").returncode == 0

    def host_hears(self):
        """Does a packet reach the host's stack there?"""
        received = lambda: int(self.do("cat /proc/net/snmp").out.split("\nIp: ")[1].split()[2])
        before = received()
        self.far("ping -c 1 -W 1 10.99.0.2")
        return received() > before

    def rules(self):
        return self.do("nft list tables").out.strip()


READY = ("ip addr add 10.99.0.2/24 dev c0", "ip link set c0 up", "ip route add default via 10.99.0.1")


@test(timeout=60, ours_only=True)
def failures_name_the_interface():
    with Namespace("ip link set c0 up", "sysctl -qw net.ipv6.conf.c0.disable_ipv6=1") as n:
        cid, rc = n.start()
        equal(rc, 1)
        contains(n.out, "network interface c0 has no address")
        wait_for(lambda: n.rt("state", cid) == 0 and '"stopped"' in n.out, "a failed start ends the container")
        equal(n.rules(), "", "rules left")
    with Namespace(*READY, "ip link add d0 type veth peer name e0", "ip link set d0 down") as n:
        equal(n.start()[1], 0, "an interface that is down needs no address")
        expect(n.answers(), "it does not answer")
    with Namespace(*READY, "ip tuntap add t0 mode tun", "ip addr add 10.98.0.1/24 dev t0", "ip link set t0 up") as n:
        equal(n.start()[1], 1)
        contains(n.out, "network interface t0: only Ethernet is supported")
        equal(n.rules(), "", "rules left")
        expect(n.host_hears(), "the host's stack is deaf")
    gone = refuse_sockets("packet")
    with Namespace(*READY) as n:
        equal(n.start(wrap=gone)[1], 1)
        contains(n.out, "network interface c0: packet socket: operation not permitted")
        equal(n.rules(), "", "rules left")


def refuse_sockets(what):
    """A command prefix: a host that refuses such sockets."""
    src, out = f"{HERE}/no_sockets.c", f"{work}/no_sockets"
    if not os.path.exists(out):
        sh(["gcc", "-O2", "-o", out, src, "-lseccomp"], check=0)
    return [out, what]


@test(timeout=60, ours_only=True)
def host_without_nf_tables():
    """The host's stack loses its addresses instead, and gets them back."""
    with Namespace(*READY, "ip -6 addr add 2001:db8:9::2/64 dev c0 nodad", "ip route add 10.50.0.0/16 via 10.99.0.1 metric 7") as n:
        shown = "ip -o addr show dev c0 scope global | awk '{print $4, $6}'; ip route show table main; ip -6 route show table main | grep -v '^fe80' | grep -v '^multicast'"
        before = n.do(shown).out
        cid, rc = n.start(wrap=refuse_sockets("nftables"))
        equal(rc, 0, n.out)
        contains(open(f"{work}/log").read(), "its addresses are taken off")
        expect("10.99.0.2" not in n.do("ip addr").out, "the host's stack has its address")
        expect(n.answers(), "the sandbox does not answer")
        n.rt("delete", "--force", cid)
        equal(n.do(shown).out, before, "addresses and routes")
        expect(n.host_hears(), "the host's stack is deaf")


@test(timeout=90, ours_only=True)
def nothing_stays_in_the_namespace():
    """However a sandbox dies, who uses the namespace next has its network: the host's stack, or another sandbox."""
    with Namespace(*READY) as n:
        n.create()
        expect(n.host_hears(), "deaf before start")
        os.kill(n.pid, signal.SIGKILL)
        for who, sig in (("monitor", signal.SIGKILL), ("sandbox", signal.SIGKILL), ("sandbox", signal.SIGSEGV), ("gofer", signal.SIGKILL)):
            cid, rc = n.start()
            equal(rc, 0, n.out)
            contains(n.rules(), "netdev runsc-notify")
            expect(n.answers() and not n.host_hears(), "who answers?")
            pids = [l.split()[0] for l in sh("ps ax -o pid,args").out.splitlines() if l.endswith(f"runsc-notify-{who} {cid}")]
            os.kill(int(pids[0]), sig)
            wait_for(lambda: n.rules() == "", f"the rules are gone after {who} got {sig}", 10)
            expect(n.host_hears(), f"the host's stack is deaf after {who} got {sig}")
        for delay in (0.002, 0.01, 0.02, 0.04):
            cid = n.create()
            p = subprocess.Popen([RUNTIME, "--root", f"{work}/state", "start", cid], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(delay)
            os.kill(n.pid, signal.SIGKILL)
            p.wait(20)
            wait_for(lambda: n.rules() == "" and n.host_hears(), f"the host's stack hears after a death {delay} s into start", 10)
        cid, rc = n.start()
        equal(rc, 0, n.out)
        expect(n.answers(), "it does not answer")
        cid, rc = n.start()
        equal(rc, 1)
        contains(n.out, "a network namespace cannot be shared")


@test(timeout=60, ours_only=True)
def permanent_neighbours():
    with Namespace(*READY, "ip neigh add 10.99.0.9 lladdr 02:00:00:00:00:09 dev c0 nud permanent") as n:
        n.far("ip link set p0 promisc on; ip addr add 10.99.0.9/24 dev p0")
        mac = json.loads(n.far("ip -j link show p0").out)[0]["address"]
        n.do(f"ip neigh replace 10.99.0.9 lladdr {mac} dev c0 nud permanent")
        n.far("sysctl -qw net.ipv4.conf.p0.arp_ignore=8")  # answers no ARP at all
        cid, rc = n.start()
        equal(rc, 0, n.out)
        equal(n.rt("exec", cid, "ping", "-c", "1", "-W", "2", "10.99.0.9"), 0, "ping")


if __name__ == "__main__":
    sys.exit(run_tests("netsetup", setup, after=after))
