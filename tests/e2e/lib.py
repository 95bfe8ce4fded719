"""What the end-to-end tests share: a list of tests with a time limit each, private engines, a terminal driver."""
import argparse, atexit, fcntl, json, os, pty, re, select, shutil, signal, struct, subprocess, sys, tempfile, termios, time, traceback

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
RUNTIME = os.environ.get("RUNTIME") or os.path.join(ROOT, "build", "runsc-notify")
if "/" not in RUNTIME:
    RUNTIME = shutil.which(RUNTIME) or RUNTIME
OURS = os.path.basename(RUNTIME) == "runsc-notify"
RUNTIME_NAME = os.path.basename(RUNTIME)


class Failure(Exception):
    pass


class Skip(Exception):
    pass


class TimeUp(BaseException):  # must pass through `except Exception`
    pass


TESTS = []


def test(fn=None, *, timeout=60, ours_only=False, long=False):
    def add(f):
        TESTS.append((f.__name__, f, timeout, ours_only, long))
        return f
    return add(fn) if fn else add


def expect(cond, what):
    if not cond:
        raise Failure(what)


def equal(got, want, what="result"):
    if got != want:
        raise Failure(f"{what}: got {got!r}, expected {want!r}")


def contains(text, what):
    if what not in text:
        raise Failure(f"{what!r} is not in {text[-1500:]!r}")


def sh(cmd, timeout=60, input=None, check=None, env=None, cwd=None):
    """Runs a command; .out is stdout and stderr together. check: the exit status it must have."""
    p = subprocess.run(cmd, shell=isinstance(cmd, str), stdin=subprocess.DEVNULL if input is None else None, input=input,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, env=env, cwd=cwd,
                       text=True, errors="backslashreplace")
    p.out = p.stdout
    if check is not None and p.returncode != check:
        raise Failure(f"{cmd if isinstance(cmd, str) else ' '.join(cmd)}: exit status {p.returncode}, expected {check}: {p.out[-1500:]}")
    return p


def wait_for(cond, what, timeout=10):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        r = cond()
        if r:
            return r
        time.sleep(0.02)
    raise Failure(f"timed out waiting until {what}")


def run_tests(layer, setup=None, teardown=None, after=None):
    """after: run behind each test, so that what a failed one left does not fail the next."""
    ap = argparse.ArgumentParser()
    ap.add_argument("--results")
    ap.add_argument("--all", action="store_true", help="the long ones too")
    ap.add_argument("--list", action="store_true")
    ap.add_argument("-v", action="store_true")
    ap.add_argument("names", nargs="*")
    args = ap.parse_args()
    if args.list:
        print("\n".join(t[0] for t in TESTS))
        return 0
    counts = {"PASS": 0, "FAIL": 0, "SKIP": 0}

    def record(verdict, name, why=""):
        counts[verdict] += 1
        if args.results:
            with open(args.results, "a") as f:
                f.write(f"{verdict} {layer} {name}" + (f" {why.splitlines()[0] if why else ''}" if verdict == "SKIP" else "") + "\n")
        if verdict == "FAIL":
            print(f"FAIL {name}:", *["    " + l for l in why.splitlines()[-25:]], sep="\n", flush=True)
        elif args.v:
            print(f"{verdict.lower()} {name} {why}", flush=True)

    chosen = [t for t in TESTS if not args.names or any(re.search(n, t[0]) for n in args.names)]

    def on_alarm(sig, frame):
        raise TimeUp()

    signal.signal(signal.SIGALRM, on_alarm)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that atexit cleans up
    try:
        if setup:
            signal.alarm(900)
            setup()
    except (Exception, TimeUp) as e:
        signal.alarm(0)
        for name, *_ in chosen:
            record("FAIL", name, f"set-up failed: {e}" if name == chosen[0][0] else "set-up failed")
        chosen = []
    signal.alarm(0)
    for name, fn, timeout, ours_only, long in chosen:
        if ours_only and not OURS:
            record("SKIP", name, f"only for runsc-notify, not {RUNTIME_NAME}")
            continue
        if long and not args.all:
            record("SKIP", name, "long: use --all")
            continue
        start = time.monotonic()
        try:
            signal.alarm(timeout)
            fn()
            signal.alarm(0)
            record("PASS", name, f"({time.monotonic() - start:.1f} s)")
        except Skip as e:
            signal.alarm(0)
            record("SKIP", name, str(e))
        except TimeUp:
            record("FAIL", name, f"took longer than {timeout} s\n" + "".join(traceback.format_exc().splitlines(True)[-6:]))
        except subprocess.TimeoutExpired as e:
            signal.alarm(0)
            record("FAIL", name, f"{e}\n{(e.stdout or b'')[-1000:]!r}")
        except Failure as e:
            signal.alarm(0)
            record("FAIL", name, str(e))
        except Exception:
            signal.alarm(0)
            record("FAIL", name, traceback.format_exc())
        try:
            signal.alarm(30)
            if after:
                after()
        except (Exception, TimeUp) as e:
            print(f"cleaning up after {name}: {e!r}", flush=True)
        signal.alarm(0)
    if teardown:
        teardown()
    print(f"{layer} ({RUNTIME_NAME}): {counts['PASS']} passed, {counts['FAIL']} failed, {counts['SKIP']} skipped")
    return 1 if counts["FAIL"] else 0


class Terminal:
    """A command on a pseudo terminal of its own."""

    def __init__(self, argv, rows=24, cols=80, env=None):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                os.execvpe(argv[0], argv, env or os.environ)
            finally:
                os._exit(127)
        self.seen = ""
        self.resize(rows, cols)

    def resize(self, rows, cols):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def send(self, text):
        os.write(self.fd, text.encode())

    def expect(self, pattern, timeout=15):
        """Reads until the pattern matches what has not been matched yet; returns the match."""
        end = time.monotonic() + timeout
        while True:
            m = re.search(pattern, self.seen, re.S)
            if m:
                self.seen = self.seen[m.end():]
                return m
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise Failure(f"the terminal never showed {pattern!r}, but {self.seen[-600:]!r}")
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                data = b""
            if not data:
                m = re.search(pattern, self.seen, re.S)
                if m:
                    return m
                raise Failure(f"the terminal closed before it showed {pattern!r}: {self.seen[-600:]!r}")
            self.seen += data.decode(errors="replace")

    def wait(self, timeout=15):
        """The exit status, as a shell would give it."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if select.select([self.fd], [], [], 0)[0]:
                try:
                    self.seen += os.read(self.fd, 65536).decode(errors="replace")
                except OSError:
                    pass
            pid, st = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                os.close(self.fd)
                return os.waitstatus_to_exitcode(st)
            time.sleep(0.02)
        raise Failure(f"the command on the terminal did not end: {self.seen[-600:]!r}")

    def close(self):
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            os.close(self.fd)
        except (ProcessLookupError, ChildProcessError, OSError):
            pass


def image_tarball(kind="base"):
    return sh([os.path.join(HERE, "image.sh"), kind], timeout=880, check=0).out.splitlines()[-1]


def hello_tarball(where):
    """A tarball with one static program in it."""
    src = os.path.join(where, "hello.c")
    with open(src, "w") as f:
        f.write('#include <stdio.h>\n#include <unistd.h>\n'
                'int main(void) { printf("Hello from pid %d\\n", getpid()); return 0; }\n')
    sh(["gcc", "-O2", "-static", "-o", os.path.join(where, "hello"), src], check=0)
    sh(["tar", "-C", where, "-cf", os.path.join(where, "hello.tar"), "hello"], check=0)
    return os.path.join(where, "hello.tar")


def rmtree(path):
    """Remove a tree that may have mounts in it."""
    with open("/proc/self/mountinfo") as f:
        points = [l.split()[4] for l in f]
    for p in sorted((p for p in points if p == path or p.startswith(path + "/")), key=len, reverse=True):
        subprocess.run(["umount", "-l", p], stderr=subprocess.DEVNULL)
    shutil.rmtree(path, ignore_errors=True)


def within(netns, *argv):
    """The command in a network namespace of ip-netns(8), which hides no mounts as `ip netns exec` does."""
    return ["nsenter", f"--net=/run/netns/{netns}", *argv] if netns else list(argv)


class Docker:
    """A dockerd and a containerd of our own: sockets, data, state and pid files in one directory. With bridge, its networks and nftables
    are in a network namespace of their own, which is the host for the containers."""

    def __init__(self, bridge=False, args=()):
        self.netns = f"rn-docker-{os.getpid()}" if bridge else None
        if bridge:
            sh(f"ip netns add {self.netns} && ip -n {self.netns} link set lo up", check=0)
        self.dir = tempfile.mkdtemp(prefix="rn-docker-", dir="/tmp")
        self.env = dict(os.environ, DOCKER_HOST=f"unix://{self.dir}/docker.sock", DOCKER_CONFIG=f"{self.dir}/config")
        for k in ("DOCKER_CONTEXT", "DOCKER_TLS_VERIFY"):
            self.env.pop(k, None)
        self.procs = []
        atexit.register(self.stop)
        d = self.dir
        with open(f"{d}/containerd.toml", "w") as f:
            f.write(f'version = 2\nroot = "{d}/containerd-root"\nstate = "{d}/containerd-state"\n'
                    'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
                    f'[grpc]\n  address = "{d}/containerd.sock"\n[ttrpc]\n  address = "{d}/containerd.sock.ttrpc"\n')
        with open(f"{d}/daemon.json", "w") as f:
            f.write("{}")
        with open(f"{d}/with-seccomp", "w") as f:  # what runtimeArgs in daemon.json would do
            f.write(f'#!/bin/sh\nexec {RUNTIME} --oci-seccomp "$@"\n')
        os.chmod(f"{d}/with-seccomp", 0o755)
        self.spawn("containerd", ["containerd", "--config", f"{d}/containerd.toml"])
        wait_for(lambda: os.path.exists(f"{d}/containerd.sock"), "containerd listens", 30)
        self.dockerd = (["dockerd", "-H", f"unix://{d}/docker.sock", "--data-root", f"{d}/data", "--exec-root", f"{d}/exec",
                               "--pidfile", f"{d}/docker.pid", "--containerd", f"{d}/containerd.sock", "--config-file", f"{d}/daemon.json"]
                   + list(args) + (["--userland-proxy"] if bridge else ["--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-masq=false"])
                   + ([] if RUNTIME_NAME == "runc" else ["--add-runtime", f"{RUNTIME_NAME}={RUNTIME}", "--add-runtime", f"with-seccomp={d}/with-seccomp"]))
        self.spawn("dockerd", self.dockerd)
        try:
            wait_for(lambda: self("version", timeout=10).returncode == 0, "dockerd answers", 30)
        except Failure as e:
            logs = "".join(open(f"{d}/{n}.log", errors="replace").read()[-1200:] for n in ("containerd", "dockerd"))
            raise Failure(f"{e}; {self('version', timeout=10).out[-300:]} {logs}")

    def spawn(self, name, argv):
        log = open(f"{self.dir}/{name}.log", "wb")
        self.procs.append(subprocess.Popen(self.inside(*argv), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                           env=dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin"), cwd="/"))

    def inside(self, *argv):
        """The command in the network namespace of dockerd."""
        return within(self.netns, *argv)

    def host(self, command, **kw):
        """A shell command on what the containers take for the host."""
        return sh(self.inside("sh", "-c", command), **kw)

    def __call__(self, *args, **kw):
        return sh(["docker", *args], env=self.env, **kw)

    def run(self, *args, **kw):
        return self("run", "--runtime", RUNTIME_NAME, *([] if self.netns else ["--network", "none"]), *args, **kw)

    def terminal(self, *args, **kw):
        return Terminal(["docker", *args], env=self.env, **kw)

    def stop(self):
        if not self.procs:
            return
        try:
            ids = self("ps", "-aq", timeout=20).out.split()
            if ids:
                self("rm", "-f", *ids, timeout=60)
        except Exception:
            pass
        for p in reversed(self.procs):
            p.terminate()
            try:
                p.wait(25)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        self.procs = []
        if self.netns:
            sh(["ip", "netns", "del", self.netns])
        if os.environ.get("KEEP"):
            print("kept", self.dir)
        else:
            rmtree(self.dir)


class Podman:
    """podman with every directory of its own. With bridge, its networks are in a network namespace of their own."""

    def __init__(self, bridge=False):
        self.netns = f"rn-podman-{os.getpid()}" if bridge else None
        if bridge:
            sh(f"ip netns add {self.netns} && ip -n {self.netns} link set lo up", check=0)
        self.dir = tempfile.mkdtemp(prefix="rn-podman-", dir="/tmp")
        atexit.register(self.stop)
        d = self.dir
        with open(f"{d}/containers.conf", "w") as f:
            # A host without CAP_SYS_RESOURCE refuses podman's default limits.
            f.write('[containers]\ndefault_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]\n'
                    '[engine]\nruntime_supports_json = ["crun", "runc", "runsc", "runsc-notify"]\n')
        self.env = dict(os.environ, CONTAINERS_CONF=f"{d}/containers.conf")
        self.flags = ["--root", f"{d}/root", "--runroot", f"{d}/run", "--tmpdir", f"{d}/tmp", "--volumepath", f"{d}/volumes",
                      "--network-config-dir", f"{d}/net", "--cgroup-manager=cgroupfs", "--events-backend", "file",
                      "--runtime", RUNTIME]

    def __call__(self, *args, **kw):
        return sh(within(self.netns, "podman", *self.flags, *args), env=self.env, **kw)

    def host(self, command, **kw):
        """A shell command on what the containers take for the host."""
        return sh(within(self.netns, "sh", "-c", command), **kw)

    def run(self, *args, **kw):
        return self("run", "--network", "none", *args, **kw)

    def stop(self):
        if not self.dir:
            return
        try:
            self("rm", "-fa", "-t", "0", timeout=60)
        except Exception:
            pass
        if self.netns:
            sh(["ip", "netns", "del", self.netns])
        rmtree(self.dir)
        self.dir = None
