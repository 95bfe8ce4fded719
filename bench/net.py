#!/usr/bin/env python3
"""Network benchmarks over one veth pair for each: natively, in runc, in runsc (systrap) and in ours, in turns, in one run.

  bench/net.py [--build DIR] [--runsc PATH] [--rounds N] [--seconds S] [--only native,runc,runsc,ours] [--rows REGEX] [--no-write]

The servers (nginx, redis-server, iperf3, an echo server) run in the container, whose network namespace is one end of the
pair; the clients run in a namespace that has the other ends. Writes the section "## Network" of docs/benchmarks.md. As root;
needs iproute2, nginx, wrk, redis, iperf3, busybox. Build first: cmake --preset release && ninja -C build runsc-notify bench.
"""
import argparse, atexit, datetime, json, os, re, resource, shutil, signal, statistics, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
os.environ["PATH"] += ":/usr/sbin:/sbin"
CLIENT = f"rnb{os.getpid()}-cli"
FILES = min(65536, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
NGINX = """user root; worker_processes 1; daemon off; pid /tmp/nginx.pid; error_log stderr crit;
events { worker_connections 4096; }
http { access_log off; sendfile on; keepalive_requests 100000000; client_body_temp_path /tmp/b; proxy_temp_path /tmp/p; fastcgi_temp_path /tmp/f;
uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s; server { listen 80 backlog=4096; root /www; } }
"""
INIT = """#!/bin/sh
ulimit -n 65536 2>/dev/null
cd /tmp
nginx -p /tmp -c /etc/nginx.conf &
redis-server --save '' --appendonly no --protected-mode no --bind 0.0.0.0 --loglevel warning &
iperf3 -4 -s -p 5201 >/dev/null &
exec net_peer serve 7000
"""


def sh(*cmd, timeout=60, check=True, **kw):
    p = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=timeout, text=True, **kw)
    if check and p.returncode:
        raise RuntimeError(f"{' '.join(cmd)}: exit status {p.returncode}: {p.stdout[-600:]}")
    return p.stdout


def client(*cmd, timeout=60):
    return sh("ip", "netns", "exec", CLIENT, *cmd, timeout=timeout)


def make_rootfs(work, build):
    """The servers with the libraries that they are linked with."""
    root = f"{work}/rootfs"
    for d in ("bin", "etc", "proc", "dev", "tmp", "sys", "www", "var/log/nginx", "var/lib/nginx", "lib64"):
        os.makedirs(f"{root}/{d}")
    for name in ("busybox", "nginx", "redis-server", "iperf3", f"{build}/bench/net_peer"):
        path = shutil.which(name)
        shutil.copy(path, f"{root}/bin/{os.path.basename(name)}")
        for lib in re.findall(r"(/\S+\.so\S*)", subprocess.run(["ldd", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout):
            os.makedirs(os.path.dirname(root + lib), exist_ok=True)
            if not os.path.exists(root + lib):
                shutil.copy(os.path.realpath(lib), root + lib)
    os.symlink("busybox", f"{root}/bin/sh")
    for path, text in (("etc/nginx.conf", NGINX), ("bin/init", INIT), ("etc/passwd", "root:x:0:0::/:/bin/sh\n"), ("etc/group", "root:x:0:\n"),
                       ("www/1k", "x" * 1024), ("www/100k", "x" * 102400)):
        with open(f"{root}/{path}", "w") as f:
            f.write(text)
    os.chmod(f"{root}/bin/init", 0o755)
    return root


class Target:
    """A container (or a chroot, natively) at one end of a veth pair."""

    def __init__(self, name, index, work, root, cmd=None):
        self.name, self.work, self.root, self.cmd = name, work, root, cmd
        self.ns, self.addr, self.cid = f"rnb{os.getpid()}-{name}", f"10.79.{index}.2", f"rnb-{os.getpid()}-{name}"
        a, b = f"rb{os.getpid()}a{index}"[-15:], f"rb{os.getpid()}b{index}"[-15:]
        sh("ip", "netns", "add", self.ns)
        sh("ip", "link", "add", a, "netns", CLIENT, "type", "veth", "peer", "name", b, "netns", self.ns)
        sh("ip", "-n", CLIENT, "addr", "add", f"10.79.{index}.1/24", "dev", a)
        sh("ip", "-n", CLIENT, "link", "set", a, "up")
        sh("ip", "-n", self.ns, "link", "set", b, "name", "eth0")
        sh("ip", "-n", self.ns, "addr", "add", f"{self.addr}/24", "dev", "eth0")
        sh("ip", "-n", self.ns, "link", "set", "eth0", "up")
        sh("ip", "-n", self.ns, "link", "set", "lo", "up")
        sh("ip", "-n", self.ns, "route", "add", "default", "via", f"10.79.{index}.1")
        self.proc = self.start()

    def config(self):
        caps = ["CAP_KILL", "CAP_SETUID", "CAP_SETGID", "CAP_NET_BIND_SERVICE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER"]
        return {"ociVersion": "1.0.2",
                "process": {"terminal": False, "user": {"uid": 0, "gid": 0}, "args": ["/bin/init"], "env": ["PATH=/bin"], "cwd": "/",
                            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": FILES, "soft": FILES}],
                            "capabilities": {"bounding": caps, "effective": caps, "permitted": caps}},
                "root": {"path": self.root}, "hostname": "bench",
                "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                           {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
                           {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}],
                "linux": {"cgroupsPath": f"/rn-bench/{self.cid}",
                          "namespaces": [{"type": t} for t in ("pid", "ipc", "uts", "mount")] + [{"type": "network", "path": f"/run/netns/{self.ns}"}]}}

    def start(self):
        log = open(f"{self.work}/{self.name}.log", "w")
        kw = dict(stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        if not self.cmd:
            return subprocess.Popen(["ip", "netns", "exec", self.ns, "unshare", "-mpf", "--kill-child", "sh", "-c",
                                     'mount --rbind /dev "$1/dev" && mount -t tmpfs tmpfs "$1/tmp" && exec chroot "$1" /bin/init', "sh", self.root],
                                    env={"PATH": "/bin:/usr/sbin:/usr/bin:/sbin"}, **kw)
        bundle = tempfile.mkdtemp(dir=self.work)
        with open(f"{bundle}/config.json", "w") as f:
            json.dump(self.config(), f)
        return subprocess.Popen([*self.cmd, "run", "--bundle", bundle, self.cid], **kw)

    def ready(self):
        for port in ("80", "6379", "5201", "7000"):
            for _ in range(100):
                if subprocess.run(["ip", "netns", "exec", CLIENT, "busybox", "nc", "-w", "1", self.addr, port], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=10).returncode == 0:
                    break
                if self.proc.poll() is not None:
                    raise RuntimeError(f"{self.name} ended: " + open(f"{self.work}/{self.name}.log").read()[-800:])
                time.sleep(0.1)
            else:
                raise RuntimeError(f"{self.name}: nothing answers on port {port}: " + open(f"{self.work}/{self.name}.log").read()[-800:])

    def pss(self):
        """KiB of the processes that belong to it, guests left out: what the runtime itself needs."""
        total = 0
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                args = open(f"/proc/{pid}/cmdline", "rb").read()
                comm = open(f"/proc/{pid}/comm").read()
                if self.cid.encode() in args and ("sandbox" in comm or comm.startswith("runsc-notify-sa") or b"runsc-sandbox" in args):
                    total += next(int(l.split()[1]) for l in open(f"/proc/{pid}/smaps_rollup") if l.startswith("Pss:"))
            except (OSError, StopIteration):
                pass
        return total

    def stop(self):
        if self.cmd:
            subprocess.run([*self.cmd, "kill", self.cid, "KILL"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20)
        else:
            self.proc.terminate()
        try:
            self.proc.wait(10)
        except subprocess.TimeoutExpired:
            self.proc.kill()
        if self.cmd:
            subprocess.run([*self.cmd, "delete", "--force", self.cid], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20)
        subprocess.run(["ip", "netns", "del", self.ns], stderr=subprocess.DEVNULL)


# ---- rows: (name, unit, whether more is better, function(target, seconds) -> number) ----

def iperf(streams, out):
    def run(t, s):
        args = ["iperf3", "-J", "-c", t.addr, "-p", "5201", "-t", str(s), "-P", str(streams)] + (["-R"] if out else [])
        return json.loads(client(*args, timeout=s + 30))["end"]["sum_received"]["bits_per_second"] / 1e9
    return run


def wrk(path, close=False):
    def run(t, s):
        args = ["wrk", "-t1", "-c16", f"-d{s}s"] + (["-H", "Connection: close"] if close else []) + [f"http://{t.addr}/{path}"]
        out = client(*args, timeout=s + 30)
        bad = re.search(r"Socket errors:.*|Non-2xx.*", out)
        if bad:
            print(f"{t.name}: {bad.group(0)}", file=sys.stderr)
        return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1))
    return run


def redis(test, pipeline):
    def run(t, s):
        n = {1: 12000, 16: 150000}[pipeline] * s * (1 if t.name == "runsc" else 3)
        out = client("redis-benchmark", "-h", t.addr, "-c", "16", "-n", str(n), "-P", str(pipeline), "-t", test, "--csv", timeout=120)
        return float(re.findall(rf'"{test.upper()}","([\d.]+)"', out)[-1])
    return run


def peer(mode):
    return lambda t, s: float(client(f"{t.root}/bin/net_peer", mode, t.addr, "7000", str(s), timeout=s + 30).split()[0])


def idle_memory(t, s):
    if t.name in ("native", "runc"):
        return None
    before, n = t.pss(), 1000
    p = subprocess.Popen(["ip", "netns", "exec", CLIENT, f"{t.root}/bin/net_peer", "idle", t.addr, "7000", str(n)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    p.stdout.readline()
    time.sleep(1)
    after = t.pss()
    p.stdin.close()
    p.wait(20)
    return (after - before) / n


ROWS = [("memory of an idle connection", "KiB", False, idle_memory),  # first: later there is memory to use again
        ("iperf3 into it, 1 stream", "Gbit/s", True, iperf(1, False)), ("iperf3 into it, 8 streams", "Gbit/s", True, iperf(8, False)),
        ("iperf3 out of it, 1 stream", "Gbit/s", True, iperf(1, True)), ("iperf3 out of it, 8 streams", "Gbit/s", True, iperf(8, True)),
        ("nginx 1 KiB, wrk", "requests/s", True, wrk("1k")), ("nginx 100 KiB, wrk", "requests/s", True, wrk("100k")),
        ("nginx 1 KiB, a connection each", "requests/s", True, wrk("1k", True)),
        ("redis SET", "requests/s", True, redis("set", 1)), ("redis GET", "requests/s", True, redis("get", 1)), ("redis GET -P 16", "requests/s", True, redis("get", 16)),
        ("TCP ping-pong, 1 byte", "us", False, peer("tcp")), ("UDP ping-pong, 1 byte", "us", False, peer("udp")),
        ("connect, echo, close", "connections/s", True, peer("conn"))]


def fmt(v):
    return "–" if v is None else f"{v:,.0f}" if v >= 1000 else f"{v:.1f}"


def report(got, names, args):
    versions = "; ".join(subprocess.run(c, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout.split("\n")[0] for c in
                         (["iperf3", "--version"], ["nginx", "-v"], ["redis-server", "--version"]))
    out = [f"## Network\n\nWritten by `bench/net.py` on {datetime.date.today()}: one veth pair for each, clients outside, medians of {args.rounds} turns of {args.seconds} s; "
           f"16 connections for wrk and redis-benchmark, one nginx worker. {versions}.\n",
           "| | unit | native | runc | runsc | ours | ours ÷ native | ours ÷ runsc |", "| --- | --- | --- | --- | --- | --- | --- | --- |"]
    for row, unit, more, _ in ROWS:
        if row not in got:
            continue
        middle = max if row.startswith("memory") else statistics.median  # the second time there is memory to use again
        v = {n: middle(got[row][n]) if got[row].get(n) else None for n in ("native", "runc", "runsc", "ours")}
        r = lambda n: "–" if not v["ours"] or not v[n] else f"{v['ours'] / v[n]:.2f}"
        out.append(f"| {row} | {unit} | " + " | ".join(fmt(v[n]) for n in v) + f" | {r('native')} | {r('runsc')} |")
    return "\n".join(out) + "\n"


def write(text):
    path = f"{ROOT}/docs/benchmarks.md"
    old = open(path).read() if os.path.exists(path) else ""
    old = re.sub(r"(?ms)^## Network\n.*?(?=^## |\Z)", "", old)
    at = old.find("\n## Notes\n")
    with open(path, "w") as f:
        f.write(old + "\n" + text if at < 0 else old[:at].rstrip() + "\n\n" + text + old[at:])


def prefer(targets):
    """On a machine that others use: the schedulers' groups of all that takes part before others'."""
    kids, todo = {}, [os.getpid()]
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            kids.setdefault(int(open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[1]), []).append(pid)
            args = open(f"/proc/{pid}/cmdline", "rb").read()
            if any(t.cid.encode() in args for t in targets):
                todo.append(pid)
        except OSError:
            pass
    for pid in todo:
        todo += [k for k in kids.get(pid, []) if k not in todo]
        try:
            with open(f"/proc/{pid}/autogroup", "w") as f:
                f.write("-20")
        except OSError:
            pass
    for path, most in ("/sys/fs/cgroup/cpu/rn-bench/cpu.shares", "262144"), ("/sys/fs/cgroup/rn-bench/cpu.weight", "10000"):
        if os.path.exists(path):
            with open(path, "w") as f:
                f.write(most)


def without_rmem_default(work):
    """runsc of 2024 refuses kernels that show net.core.rmem_default in every namespace: a copy of /proc/sys without it."""
    subprocess.run(["cp", "-r", "--no-preserve=all", "/proc/sys", f"{work}/sys"], stderr=subprocess.DEVNULL, timeout=60)
    for f in ("rmem_default", "wmem_default"):
        if os.path.exists(p := f"{work}/sys/net/core/{f}"):
            os.unlink(p)
    return ["unshare", "-m", "sh", "-c", f'mount --bind {work}/sys /proc/sys; exec "$@"', "sh"]


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--build", default=f"{ROOT}/build")
    ap.add_argument("--runsc", default=shutil.which("runsc"))
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--seconds", type=int, default=2)
    ap.add_argument("--only", default="native,runc,runsc,ours")
    ap.add_argument("--rows", default="")
    ap.add_argument("--no-write", action="store_true")
    ap.add_argument("--before", help="another build of ours, to compare with: in the rows printed, not in the table")
    ap.add_argument("--prefer", action="store_true", help="before what else runs on this machine (sched(7), autogroups)")
    ap.add_argument("--hold", action="store_true", help="start everything, print addresses, wait for a line on stdin")
    args = ap.parse_args()
    work = tempfile.mkdtemp(prefix="rn-bench-net-", dir="/tmp")
    os.chmod(work, 0o755)
    targets = []

    def clean():
        for t in targets:
            t.stop()
        subprocess.run(["ip", "netns", "del", CLIENT], stderr=subprocess.DEVNULL)
        shutil.rmtree(work, ignore_errors=True)
    atexit.register(clean)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    root = make_rootfs(work, args.build)
    sh("ip", "netns", "add", CLIENT)
    sh("ip", "-n", CLIENT, "link", "set", "lo", "up")
    cmds = {"native": None, "runc": ["runc", "--root", f"{work}/runc"],
            "runsc": args.runsc and [*without_rmem_default(work), args.runsc, "--root", f"{work}/runsc", "--platform=systrap", "--network=sandbox", "--ignore-cgroups"],
            "ours": [f"{args.build}/runsc-notify", "--root", f"{work}/ours"]}
    if args.before:
        cmds["before"] = [args.before, "--root", f"{work}/before"]
    for i, (name, cmd) in enumerate(cmds.items()):
        if name in [*args.only.split(","), "before"] and (cmd or name == "native"):
            targets.append(Target(name, i, work, root, cmd))
            targets[-1].ready()
    if args.prefer:
        prefer(targets)
    if args.hold:
        print("\n".join(f"{t.name} {t.addr} ip netns exec {CLIENT}" for t in targets), flush=True)
        sys.stdin.readline()
        return
    got = {}
    for row, unit, more, fn in ROWS:
        if not re.search(args.rows, row):
            continue
        for _ in range(args.rounds):
            for t in targets:
                try:
                    v = fn(t, args.seconds)
                except Exception as e:  # one row that fails must not end the run
                    print(f"{t.name}: {row}: {e}", file=sys.stderr)
                    continue
                if v is not None:
                    got.setdefault(row, {}).setdefault(t.name, []).append(v)
        if row in got:
            print(f"{row:34s} " + "  ".join(f"{n} {fmt(statistics.median(v))}" for n, v in got[row].items()) + f" {unit}", flush=True)
    text = report(got, [t.name for t in targets], args)
    print(text)
    if not args.no_write:
        write(text)


if __name__ == "__main__":
    main()
