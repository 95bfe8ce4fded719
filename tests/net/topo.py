"""Networks for the tests: `peer`, a network namespace with Linux in it, and a container with the runtime that is tested, joined by a veth
(Link), a bad link (Link with `bad`) or a router (Routed). In each an agent runs Python (agent.py)."""
import ast, ctypes, itertools, json, os, queue, shutil, subprocess, sys, tempfile, threading, time
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))
from lib import *

HERE = os.path.dirname(os.path.abspath(__file__))
PEER4, PEER6, BOX4, BOX6 = "10.77.1.1", "fd77:1::1", "10.77.1.2", "fd77:1::2"
CAPS = ["CAP_" + c for c in ("CHOWN DAC_OVERRIDE FOWNER SETUID SETGID KILL NET_BIND_SERVICE NET_RAW NET_ADMIN SYS_CHROOT").split()]
work = None
serial = itertools.count()
live = []


def setup():
    global work
    work = tempfile.mkdtemp(prefix="rn-net-", dir="/tmp")
    os.chmod(work, 0o755)
    atexit.register(lambda: rmtree(work))
    atexit.register(close_all)
    sh(["gcc", "-O2", "-D_GNU_SOURCE", "-o", f"{work}/impair", f"{HERE}/impair.c"], check=0)


def close_all():
    for n in list(live):
        n.close()


class RemoteError(Failure):
    def __init__(self, answer, source):
        super().__init__(f"{source}: {answer['error']}\n{answer['trace']}")
        self.name = answer["error"]


class Agent:
    """agent("source") evaluates or executes it there; .start() does so in the background."""

    def __init__(self, argv):
        self.err = tempfile.TemporaryFile()
        self.p = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.err, text=True)
        self.numbers, self.answers, self.lock = itertools.count(), {}, threading.Lock()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.p.stdout:
            answer = json.loads(line)
            self.answers[answer["number"]].put(answer)
        self.err.seek(0)
        end = {"error": "ended", "trace": self.err.read()[-2000:].decode(errors="replace")}
        with self.lock:
            for q in self.answers.values():
                q.put(end)

    def start(self, source):
        with self.lock:
            n = next(self.numbers)
            q = self.answers[n] = queue.Queue()
            try:
                self.p.stdin.write(json.dumps([n, source]) + "\n")
                self.p.stdin.flush()
            except BrokenPipeError:
                raise Failure(f"the agent has ended: {self.error_text()}")
        return Pending(q, source)

    def __call__(self, source, timeout=30):
        return self.start(source).result(timeout)

    def error_text(self):
        self.err.seek(0)
        return self.err.read()[-2000:].decode(errors="replace")

    def close(self):
        self.p.stdin.close()
        try:
            self.p.wait(5)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()


class Pending:
    def __init__(self, q, source):
        self.q, self.source = q, source

    def result(self, timeout=30):
        try:
            answer = self.q.get(timeout=timeout)
        except queue.Empty:
            raise Failure(f"{self.source}: no answer in {timeout} s")
        self.q.put(answer)
        if "error" in answer:
            raise RemoteError(answer, self.source)
        return ast.literal_eval(answer["value"])


def config(cid, netns):
    """The host's programs in an ordinary container."""
    usr = {"destination": "/usr", "type": "bind", "source": "/usr", "options": ["rbind", "ro"]}
    etc = {"destination": "/etc", "type": "bind", "source": "/etc", "options": ["rbind", "ro"]}
    here = {"destination": "/t", "type": "bind", "source": HERE, "options": ["rbind", "ro"]}
    tmp = [{"destination": d, "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777"]} for d in ("/tmp", "/run", "/var")]
    return {"ociVersion": "1.0.2", "hostname": "box",
            "process": {"terminal": False, "user": {"uid": 0, "gid": 0}, "args": ["sleep", "100000"], "cwd": "/",
                        "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONDONTWRITEBYTECODE=1", "HOME=/tmp"],
                        "capabilities": {k: CAPS for k in ("bounding", "effective", "permitted")},
                        "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 20000, "hard": 20000}]},
            "root": {"path": f"{work}/rootfs"},
            "mounts": [usr, etc, here, *tmp, {"destination": "/proc", "type": "proc", "source": "proc"},
                       {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"]},
                       {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]}],
            "linux": {"cgroupsPath": f"/{cid}", "namespaces": [{"type": t} for t in ("pid", "ipc", "uts", "mount")] +
                      [{"type": "network", "path": f"/run/netns/{netns}"}]}}


def rt(*args, **kw):
    return sh([RUNTIME, "--root", f"{work}/state", *args], **kw)


class Net:
    """The namespaces; a subclass joins them. What is made is deleted by close()."""

    def __init__(self):
        self.id, self.namespaces, self.procs, self.agents, self.cid = f"rnnet{os.getpid()}-{next(serial)}", [], [], {}, None
        live.append(self)
        try:
            self.make()
        except BaseException:
            self.close()
            raise

    def ns(self, name):
        n = f"{self.id}-{name}"
        sh(["ip", "netns", "add", n], check=0)
        self.namespaces.append(n)
        # Addresses are there at once, and nobody but the tests speaks.
        self.at(name, "sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.router_solicitations=0; "
                "ip link set lo up")

    def at(self, name, command, **kw):
        kw.setdefault("check", 0)
        return sh(["nsenter", f"--net=/run/netns/{self.id}-{name}", "sh", "-c", command], **kw).out

    def veth(self, a, dev_a, b, dev_b, mtu=1500, offload=True):
        sh(f"ip link add {dev_a} mtu {mtu} netns {self.id}-{a} type veth peer name {dev_b} mtu {mtu} netns {self.id}-{b}", check=0)
        for n, d in ((a, dev_a), (b, dev_b)):
            self.at(n, f"ip link set {d} up" + ("" if offload else f"; ethtool -K {d} tx off tso off gso off gro off >/dev/null"))

    def container(self, ns="box"):
        """What the namespace has now is what the container gets."""
        self.cid, b = self.id, tempfile.mkdtemp(prefix="bundle-", dir=work)
        if not os.path.isdir(f"{work}/rootfs"):
            for d in "usr", "etc", "t", "tmp", "run", "var", "proc", "sys", "dev":
                os.makedirs(f"{work}/rootfs/{d}")
            for d in "bin", "sbin", "lib", "lib64":
                os.symlink(f"usr/{d}", f"{work}/rootfs/{d}")
        with open(f"{b}/config.json", "w") as f:
            json.dump(config(self.cid, f"{self.id}-{ns}"), f)
        with open(f"{b}/out", "w+b") as f:
            debug = ["--debug-log", os.environ["DEBUG_LOG"]] if OURS and "DEBUG_LOG" in os.environ else []
            for cmd in [*debug, "create", "--bundle", b, self.cid], ["start", self.cid]:
                r = subprocess.run([RUNTIME, "--root", f"{work}/state", *cmd], stdin=subprocess.DEVNULL, stdout=f, stderr=f, timeout=60)
                f.seek(0)
                expect(r.returncode == 0, f"{cmd[-3:]}: {f.read().decode(errors='replace')}")

    def exec_argv(self, *argv):
        return [RUNTIME, "--root", f"{work}/state", "exec", self.cid, *argv]

    def run(self, *argv, **kw):
        """In the container."""
        return sh(self.exec_argv(*argv), **kw)

    def agent(self, name):
        if name not in self.agents:
            if name == "box":
                argv = self.exec_argv("python3", "/t/agent.py")
            else:
                argv = ["nsenter", f"--net=/run/netns/{self.id}-{name}", "python3", f"{HERE}/agent.py"]
            self.agents[name] = Agent(argv)
        return self.agents[name]

    peer = property(lambda self: self.agent("peer"))
    box = property(lambda self: self.agent("box"))

    def spawn(self, name, *argv, **kw):
        p = subprocess.Popen(["nsenter", f"--net=/run/netns/{self.id}-{name}", *argv], stdin=subprocess.DEVNULL, text=True, **kw)
        self.procs.append(p)
        return p

    def close(self):
        if self in live:
            live.remove(self)
        try:
            if self.cid:
                rt("delete", "--force", self.cid, timeout=30)
            for a in self.agents.values():
                a.close()
            for p in self.procs:
                if p.poll() is None:
                    p.terminate()
                    p.wait()
        finally:
            for n in self.namespaces:
                sh(["ip", "netns", "del", n])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Link(Net):
    """peer —— box. offload=False: frames on the wire are as long as the MTU and have checksums. bad: what impair.c does, in both directions,
    or (towards the container, away from it)."""

    def __init__(self, mtu=1500, offload=True, bad=None, seed=1):
        self.mtu, self.offload, self.bad, self.seed = mtu, offload, bad, seed
        super().__init__()

    def make(self):
        for n in "peer", "box":
            self.ns(n)
        if self.bad is None:
            self.veth("peer", "vp", "box", "eth0", self.mtu, self.offload)
        else:
            self.ns("mid")
            self.veth("peer", "vp", "mid", "m1", self.mtu, False)
            self.veth("mid", "m2", "box", "eth0", self.mtu, False)
            self.impair(self.bad)
        for n, d, a4, a6 in ("peer", "vp", PEER4, PEER6), ("box", "eth0", BOX4, BOX6):
            self.at(n, f"ip addr add {a4}/24 dev {d}")
            if self.mtu >= 1280:
                self.at(n, f"ip addr add {a6}/64 dev {d} nodad")
        self.at("box", f"ip route add default via {PEER4}" + (f"; ip -6 route add default via {PEER6}" if self.mtu >= 1280 else ""))
        self.container()

    def impair(self, bad):
        """Again, with other properties."""
        if self.procs:
            self.procs[0].terminate()
            self.procs.pop(0).wait()
        to_box, from_box = bad if isinstance(bad, tuple) else (bad, bad)
        p = self.spawn("mid", f"{work}/impair", str(self.seed), "m1", "m2", to_box, from_box, stdout=subprocess.PIPE)
        self.procs.insert(0, self.procs.pop())
        equal(p.stdout.readline(), "ready\n")


class Routed(Net):
    """peer —mtu— router —1500— box. The peer's TCP says that it could take 1500, so that only ICMP tells of the MTU."""

    def __init__(self, mtu=1500):
        self.mtu = mtu
        super().__init__()

    def make(self):
        for n in "peer", "router", "box":
            self.ns(n)
        self.at("router", "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1")
        self.veth("peer", "vp", "router", "r1")
        self.at("router", f"ip link set r1 mtu {self.mtu}")
        self.veth("router", "r2", "box", "eth0")
        for n, d, a4, a6 in (("peer", "vp", PEER4, PEER6), ("router", "r1", "10.77.1.254", "fd77:1::fe"),
                             ("router", "r2", "10.77.2.254", "fd77:2::fe"), ("box", "eth0", "10.77.2.2", "fd77:2::2")):
            self.at(n, f"ip addr add {a4}/24 dev {d}; ip addr add {a6}/64 dev {d} nodad")
        self.at("peer", f"ip route add default via 10.77.1.254 mtu {self.mtu} advmss 1460; ip -6 route add default via fd77:1::fe mtu {self.mtu} advmss 1440")
        self.at("box", "ip route add default via 10.77.2.254; ip -6 route add default via fd77:2::fe")
        self.container()


class Capture:
    """What tcpdump sees at the peer's end, read by tshark."""

    def __init__(self, net, ns="peer", dev="vp"):
        self.file = tempfile.mktemp(suffix=".pcap", dir=work)
        self.p = net.spawn(ns, "tcpdump", "-i", dev, "-U", "-B", "32768", "--immediate-mode", "-Z", "root", "-w", self.file,
                           stderr=subprocess.PIPE)
        while "listening on" not in (line := self.p.stderr.readline()):
            expect(line, "tcpdump has ended")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        time.sleep(0.2)
        self.p.terminate()
        self.p.wait()

    def read(self, what, *fields):
        """The frames that a display filter shows, as tuples of fields."""
        options = sum((["-o", f"{p}.check_checksum:TRUE"] for p in ("tcp", "udp", "ip")), [])
        p = subprocess.run(["tshark", "-r", self.file, *options, "-Y", what, "-T", "fields", *sum((["-e", f] for f in fields), [])],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        expect(p.returncode == 0, f"tshark: {p.stderr}")
        return [tuple(l.split("\t")) for l in p.stdout.splitlines()]
