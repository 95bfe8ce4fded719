#!/usr/bin/env python3
"""The runtime's commands without an engine, on bundles made by hand: the life cycle, bad input, deaths, leftovers."""
import array, json, os, signal, socket, subprocess, sys, tempfile, shutil, time, termios
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib import *

work = root = rootfs = None
serial = 0
TOOLS = ("sh", "sleep", "cat", "echo", "true", "false", "ls", "ps", "kill", "id", "mkdir", "stat", "test", "tty", "touch", "head", "seq", "env", "pwd", "stty", "mount", "grep")


def setup():
    global work, root, rootfs
    work = tempfile.mkdtemp(prefix="rn-life-", dir="/tmp")
    os.chmod(work, 0o755)
    atexit.register(cleanup)
    root = f"{work}/state"
    rootfs = f"{work}/rootfs"
    for d in ("bin", "proc", "sys", "dev", "tmp", "etc"):
        os.makedirs(f"{rootfs}/{d}")
    shutil.copy(shutil.which("busybox"), f"{rootfs}/bin/busybox")
    expect("static" in sh(["file", "-L", shutil.which("busybox")]).out or shutil.which("file") is None, "busybox is not static: install busybox-static")
    for t in TOOLS:
        os.symlink("busybox", f"{rootfs}/bin/{t}")
    with open(f"{rootfs}/etc/passwd", "w") as f:
        f.write("root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home/user:/bin/sh\n")


def cleanup():
    for cid in ids():
        rt("delete", "--force", cid, timeout=20)
    rmtree(work)


def ids():
    try:
        return [d for d in os.listdir(root) if os.path.isdir(f"{root}/{d}")]
    except FileNotFoundError:
        return []


def new_id():
    global serial
    serial += 1
    return f"life-{os.getpid()}-{serial}"


def config(args, **kw):
    c = {"ociVersion": "1.0.2",
         "process": {"terminal": False, "user": {"uid": 0, "gid": 0}, "args": args, "env": ["PATH=/bin", "TERM=xterm"], "cwd": "/",
                     "capabilities": {k: ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_SETGID"] for k in ("bounding", "effective", "permitted")}},
         "root": {"path": rootfs}, "hostname": "life",
         "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"]},
                    {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
                    {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}],
         "linux": {"cgroupsPath": f"/rn-life-{os.getpid()}/x", "namespaces": [{"type": t} for t in ("pid", "network", "ipc", "uts", "mount")]}}
    for k, v in kw.items():
        where = c
        *path, last = k.split("__")
        for p in path:
            where = where[p]
        if v is None:
            where.pop(last, None)
        else:
            where[last] = v
    return c


def bundle(args, raw=None, **kw):
    """A directory with a config.json. Its cgroup is named after the directory."""
    b = tempfile.mkdtemp(prefix="bundle-", dir=work)
    c = config(args, **kw)
    if "linux" in c and "linux" not in kw and "cgroupsPath" in c["linux"]:
        c["linux"]["cgroupsPath"] = f"/rn-life-{os.getpid()}/{os.path.basename(b)}"
    with open(f"{b}/config.json", "w") as f:
        f.write(raw if raw is not None else json.dumps(c))
    return b


def rt(*args, timeout=30, **kw):
    return sh([RUNTIME, "--root", root, *args], timeout=timeout, **kw)


def rt_json(*args):
    p = subprocess.run([RUNTIME, "--root", root, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30, text=True)
    expect(p.returncode == 0, f"{args}: {p.stderr}")
    return json.loads(p.stdout)


def run_bundle(args, timeout=30, extra=(), **kw):
    return rt("run", "--bundle", bundle(args, **kw), *extra, new_id(), timeout=timeout)


class Created:
    """create with files for its output (a pipe would be held open by the container)."""

    def __init__(self, args, extra=(), check=True, **kw):
        self.id = new_id()
        self.bundle = bundle(args, **kw)
        self.log = f"{self.bundle}/out"
        with open(self.log, "wb") as f:
            self.p = subprocess.run([RUNTIME, "--root", root, "--log", f"{self.bundle}/log.json", "--log-format", "json", "create", "--bundle", self.bundle,
                                     "--pid-file", f"{self.bundle}/pid", *extra, self.id], stdin=subprocess.DEVNULL, stdout=f, stderr=f, timeout=30)
        if check and self.p.returncode:
            raise Failure(f"create: {self.out()}")

    def out(self):
        return open(self.log, errors="replace").read()

    def state(self):
        return rt_json("state", self.id)

    def status(self):
        return self.state()["status"]

    def pid(self):
        return int(open(f"{self.bundle}/pid").read())

    def start(self):
        rt("start", self.id, check=0)
        return self

    def delete(self):
        return rt("delete", "--force", self.id)


def gone(cid):
    """Nothing of this container is left."""
    left = processes(cid)
    expect(not left, f"processes are left: {left}")
    expect(not os.path.exists(f"{root}/{cid}"), "the state directory is left")


def processes(cid):
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            cmd = open(f"/proc/{pid}/cmdline", "rb").read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if cid in cmd and int(pid) != os.getpid() and ("runsc-notify" in cmd or "runc" in cmd):
            found[int(pid)] = cmd.strip()
    return found


# ---- the ordinary life ----
@test
def run_prints_and_exits():
    r = run_bundle(["echo", "hello"])
    equal((r.returncode, r.out), (0, "hello\n"))
    equal(run_bundle(["sh", "-c", "exit 42"]).returncode, 42)
    equal(ids(), [])


@test
def create_start_state_delete():
    c = Created(["sh", "-c", "echo ran; sleep 1000"])
    s = c.state()
    equal((s["status"], s["id"], s["bundle"], s["pid"]), ("created", c.id, c.bundle, c.pid()))
    expect("ociVersion" in s, "state has no ociVersion")
    expect(not open(f"{c.bundle}/pid").read().endswith("\n"), "the pid file ends with a newline")
    expect("ran" not in c.out(), "it ran before start")
    os.kill(c.pid(), 0)
    c.start()
    equal(c.status(), "running")
    wait_for(lambda: "ran" in c.out(), "it has run")
    r = rt("delete", c.id)
    expect(r.returncode != 0, "delete of a running container succeeded")
    equal(c.status(), "running")
    rt("kill", c.id, "KILL", check=0)
    wait_for(lambda: c.status() == "stopped", "it is stopped")
    rt("delete", c.id, check=0)
    gone(c.id)
    r = rt("state", c.id)
    expect(r.returncode == 1 and "does not exist" in r.out, f"state of an unknown id: {r.out!r}")


@test
def list_and_ps():
    c = Created(["sleep", "1000"]).start()
    try:
        contains(rt("list", check=0).out, c.id)
        equal(rt("list", "--quiet", check=0).out.split(), [c.id])
        entry = rt_json("list", "--format", "json")[0]
        equal((entry["id"], entry["status"]), (c.id, "running"))
        pids = rt_json("ps", "--format", "json", c.id)
        expect(pids and all(isinstance(p, int) for p in pids), f"ps: {pids}")
        for p in pids:
            os.kill(p, 0)
    finally:
        c.delete()
    gone(c.id)


@test
def kill_signals_and_numbers():
    for sig in ("TERM", "SIGTERM", "15"):
        c = Created(["sh", "-c", "trap 'echo term; exit 3' TERM; echo ready; while :; do sleep 0.05; done"]).start()
        wait_for(lambda: "ready" in c.out(), "ready")
        rt("kill", c.id, sig, check=0)
        wait_for(lambda: c.status() == "stopped", "it is stopped")
        contains(c.out(), "term")
        r = rt("kill", c.id, "TERM")
        expect(r.returncode != 0 and ("not running" in r.out or "does not exist" in r.out), f"kill of a stopped one: {r.out!r}")
        rt("delete", c.id, check=0)


@test
def kill_created():
    c = Created(["sleep", "1000"])
    rt("kill", c.id, "KILL", check=0)
    wait_for(lambda: c.status() == "stopped", "it is stopped")
    rt("delete", c.id, check=0)
    gone(c.id)


@test
def delete_force():
    c = Created(["sleep", "1000"]).start()
    rt("delete", "--force", c.id, check=0)
    gone(c.id)
    equal(rt("delete", "--force", c.id).returncode, 0)
    equal(rt("delete", "--force", "never-existed").returncode, 0)
    r = rt("delete", "never-existed")
    expect(r.returncode == 1 and "does not exist" in r.out, f"delete of an unknown id: {r.out!r}")
    c = Created(["sleep", "1000"])
    rt("delete", "--force", c.id, check=0)
    gone(c.id)


@test
def exec_in_container():
    c = Created(["sleep", "1000"]).start()
    try:
        r = rt("exec", c.id, "echo", "inside")
        equal((r.returncode, r.out), (0, "inside\n"))
        equal(rt("exec", c.id, "sh", "-c", "exit 7").returncode, 7)
        equal(rt("exec", "--user", "1000:1000", "--cwd", "/tmp", "--env", "A=b", c.id, "sh", "-c", "id -u; pwd; echo $A").out, "1000\n/tmp\nb\n")
        r = rt("exec", c.id, "no-such-program")
        expect(r.returncode != 0 and "no-such-program" in r.out, f"missing program: {r.out!r}")
        p = {"user": {"uid": 5, "gid": 6}, "args": ["sh", "-c", "id -u; id -g; exit 9"], "env": ["PATH=/bin"], "cwd": "/"}
        with open(f"{c.bundle}/process.json", "w") as f:
            json.dump(p, f)
        r = rt("exec", "--process", f"{c.bundle}/process.json", c.id)
        equal((r.returncode, r.out), (9, "5\n6\n"))
        # not through a pipe, which the sleep would hold open
        subprocess.run([RUNTIME, "--root", root, "exec", "--detach", "--pid-file", f"{c.bundle}/exec.pid", c.id, "sleep", "500"], check=True, timeout=20,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        pid = int(open(f"{c.bundle}/exec.pid").read())
        os.kill(pid, 0)
        contains(rt("exec", c.id, "ps", check=0).out, "sleep 500")
        os.kill(pid, signal.SIGKILL)
    finally:
        c.delete()
    r = rt("exec", "never-existed", "true")
    expect(r.returncode != 0 and "does not exist" in r.out, f"exec in an unknown id: {r.out!r}")


@test
def exec_in_stopped():
    c = Created(["true"]).start()
    wait_for(lambda: c.status() == "stopped", "it is stopped")
    r = rt("exec", c.id, "true")
    expect(r.returncode != 0, "exec in a stopped container succeeded")
    c.delete()


@test
def pause_resume():
    c = Created(["sh", "-c", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done"]).start()
    try:
        wait_for(lambda: c.out().count("\n") > 3, "it counts")
        rt("pause", c.id, check=0)
        equal(c.status(), "paused")
        time.sleep(0.2)
        a = c.out()
        time.sleep(0.3)
        equal(c.out(), a, "output while paused")
        rt("resume", c.id, check=0)
        equal(c.status(), "running")
        wait_for(lambda: c.out() != a, "it goes on")
        r = rt("resume", c.id)
        expect(r.returncode != 0, "resume of a running container succeeded")
        rt("pause", c.id, check=0)
        rt("kill", c.id, "KILL", check=0)
        rt("resume", c.id)
        wait_for(lambda: c.status() == "stopped", "a paused container dies of SIGKILL")
    finally:
        c.delete()


class ConsoleSocket:
    def __init__(self):
        self.path = tempfile.mktemp(prefix="tty", suffix=".sock", dir=work)
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.s.bind(self.path)
        self.s.listen(1)
        self.s.settimeout(10)

    def master(self):
        conn, _ = self.s.accept()
        msg, anc, flags, _ = conn.recvmsg(4096, socket.CMSG_SPACE(64))
        conn.close()
        expect(len(msg) >= 1, "the console message is empty")
        fds = array.array("i")
        for level, kind, data in anc:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(data)
        equal(len(fds), 1, "descriptors on the console socket")
        termios.tcgetattr(fds[0])
        return fds[0]


@test
def console_socket():
    sock = ConsoleSocket()
    c = Created(["sh", "-c", "test -t 0 && test -t 1 && echo terminal; stty size; read x; echo got $x; exit 8"], extra=["--console-socket", sock.path], process__terminal=True)
    m = sock.master()
    t = Terminal.__new__(Terminal)
    t.fd, t.seen, t.pid = m, "", 0
    t.resize(33, 77)
    c.start()
    t.expect("terminal\r\n")
    t.expect("33 77\r\n")
    t.send("line\r")
    t.expect("got line\r\n")
    wait_for(lambda: c.status() == "stopped", "it has ended")
    c.delete()
    os.close(m)


@test
def console_socket_missing():
    c = Created(["sh"], extra=["--console-socket", f"{work}/nothing.sock"], process__terminal=True, check=False)
    expect(c.p.returncode != 0, "create with a missing console socket succeeded")
    gone(c.id)
    c = Created(["sh"], process__terminal=True, check=False)
    expect(c.p.returncode != 0, "create with a terminal and no console socket succeeded")
    gone(c.id)


@test
def user_env_cwd_rlimits_hostname():
    r = run_bundle(["sh", "-c", "id -u; id -g; pwd; echo $V; ulimit -n; ulimit -Hn; cat /proc/sys/kernel/hostname; cat /proc/self/oom_score_adj"],
                   process__user={"uid": 1000, "gid": 1001, "additionalGids": [5]}, process__cwd="/tmp", process__env=["PATH=/bin", "V=v w"],
                   process__rlimits=[{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}], hostname="named", process__oomScoreAdj=100)
    equal(r.out, "1000\n1001\n/tmp\nv w\n100\n200\nnamed\n100\n")


@test
def readonly_masked_bind():
    d = tempfile.mkdtemp(dir=work)
    with open(f"{d}/f", "w") as f:
        f.write("bound\n")
    m = config(["x"])["mounts"] + [{"destination": "/mnt/deep", "type": "bind", "source": d, "options": ["rbind", "ro"]}, {"destination": "/rw", "type": "bind", "source": d, "options": ["bind"]}]
    r = run_bundle(["sh", "-c", "cat /mnt/deep/f; touch /mnt/deep/x; echo $?; echo new > /rw/g; echo $?; touch /bin/x; echo $?; cat /proc/kcore | head -c 5; ls /etc | grep -c .; echo > /proc/sys/kernel/hostname; echo $?"],
                   mounts=m, root={"path": rootfs, "readonly": True}, linux__maskedPaths=["/proc/kcore", "/etc"], linux__readonlyPaths=["/proc/sys"])
    equal([l for l in r.out.splitlines() if l.isdigit() or l == "bound"], ["bound", "1", "0", "1", "0", "1"])
    equal(open(f"{d}/g").read(), "new\n")


@test
def hooks():
    def hook(name, body):
        p = f"{work}/{name}.sh"
        with open(p, "w") as f:
            f.write(f"#!/bin/sh\n{body}\n")
        os.chmod(p, 0o755)
        return {"path": p, "args": [name, "one"], "env": ["H=v", "PATH=/usr/bin:/bin"]}
    log = f"{work}/hooks.log"
    h = {k: [hook(k, f'echo "{k} $1 $H $(cat | tr -d " \\n" | grep -o "\\"status\\":\\"[a-z]*\\"")" >> {log}')] for k in ("prestart", "createRuntime", "poststart", "poststop")}
    c = Created(["true"], hooks=h)
    # (runc 1.1 runs poststart during create)
    equal(open(log).read().splitlines()[:2], ['prestart one v "status":"creating"', 'createRuntime one v "status":"creating"'])
    c.start()
    wait_for(lambda: "poststart one v" in open(log).read(), "poststart ran")
    wait_for(lambda: c.status() == "stopped", "it has ended")
    rt("delete", c.id, check=0)
    contains(open(log).read(), "poststop one v")
    h = {"prestart": [hook("failing", "echo told >&2; exit 3")]}
    c = Created(["true"], hooks=h, check=False)
    expect(c.p.returncode != 0, "create with a failing hook succeeded")
    gone(c.id)


# ---- bad input ----
def bad(what, needles=(), **kw):
    args = kw.pop("args", ["true"])
    c = Created(args, check=False, **kw)
    expect(c.p.returncode != 0, f"{what}: create succeeded")
    expect(c.out().strip(), f"{what}: no message")
    if OURS:
        expect(len(c.out().strip().splitlines()) <= 2, f"{what}: more than a sentence: {c.out()!r}")
        for n in [needles] if isinstance(needles, str) else needles:
            expect(n in c.out(), f"{what}: {n!r} is not named in {c.out()!r}")
        last = [json.loads(l) for l in open(f"{c.bundle}/log.json")][-1]
        equal(last["level"], "error")
    gone(c.id)


@test
def oci_seccomp():
    """--oci-seccomp enforces the profile; without it the profile is accepted and ignored."""
    profile = {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
               "flags": ["SECCOMP_FILTER_FLAG_LOG"],
               "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 122},
                            {"names": ["sethostname"], "action": "SCMP_ACT_ERRNO"}, {"names": ["no_such_call_ever"], "action": "SCMP_ACT_ALLOW"},
                            {"names": ["kill"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 1, "value": 10, "op": "SCMP_CMP_EQ"}]}]}
    allow = dict(profile, defaultAction="SCMP_ACT_ALLOW")
    script = "mkdir /tmp/d; grep Seccomp /proc/self/status; sleep 5 & kill -10 $!; kill -9 $!; echo end"

    def run(p, flag, args=("sh", "-c", script)):
        b = bundle(list(args))
        c = json.load(open(f"{b}/config.json"))
        c["linux"]["seccomp"] = p
        json.dump(c, open(f"{b}/config.json", "w"))
        return rt(*flag, "run", "--bundle", b, new_id(), timeout=30)

    out = run(allow, ["--oci-seccomp"]).out
    expect("isk quota exceeded" in out and "Seccomp:\t2" in out and "not permitted" in out and "end" in out, out)
    out = run(allow, []).out
    expect("exceeded" not in out and "Seccomp:\t0" in out and "end" in out, out)
    expect(run(profile, ["--oci-seccomp"]).returncode != 0, "a program runs without a single call")
    for key, v, what in (("listenerPath", "/run/x.sock", "listenerPath"), ("defaultAction", "SCMP_ACT_NO", "does not exist"),
                         ("architectures", ["SCMP_ARCH_PDP11"], "does not exist"), ("flags", ["X"], "does not exist")):
        r = run(dict(allow, **{key: v}), ["--oci-seccomp"])
        expect(r.returncode and what in r.out, f"{key}: {r.out}")


@test
def bad_config_files():
    bad("empty file", raw="")
    bad("not JSON", raw="{ not json")
    bad("truncated", raw=json.dumps(config(["true"]))[:300])
    bad("an array", raw="[]")
    bad("no process", "process", process=None)
    bad("no args", "args", process__args=None)
    bad("empty args", "args", args=[])
    bad("no cwd", "cwd", process__cwd=None)
    bad("relative cwd", "cwd", process__cwd="x")
    bad("no root", "root", root=None)
    bad("missing rootfs", args=["true"], root={"path": f"{work}/nothing"})
    bad("rootfs is a file", root={"path": f"{rootfs}/bin/busybox"})
    bad("unknown program", "no-such-program", args=["no-such-program"])
    bad("program is a directory", args=["/bin"])
    bad("program is not executable", args=["/etc/passwd"])
    c = Created(["true"], check=False)
    c.delete()


@test(ours_only=True)
def bad_config_types():
    bad("args is a number", "args", process__args=5)
    bad("uid is a string", "uid", process__user={"uid": "x", "gid": 0})
    bad("uid is negative", "uid", process__user={"uid": -1, "gid": 0})
    bad("rlimit of an unknown type", "RLIMIT_NONSENSE", process__rlimits=[{"type": "RLIMIT_NONSENSE", "soft": 1, "hard": 1}])
    bad("mount without destination", "destination", mounts=[{"type": "tmpfs"}])
    bad("unknown namespace", "namespaces", linux__namespaces=[{"type": "nonsense"}])
    bad("huge", raw=json.dumps(config(["true"], process__env=["X=" + "y" * 40_000_000])))
    bad("deep", raw='{"a":' * 100000 + "1" + "}" * 100000)


@test
def bad_elf():
    for name, data in (("broken", b"\x7fELF" + b"\xff" * 200), ("foreign", b"\x7fELF\2\1\1" + b"\0" * 9 + b"\2\0\xb7\0\1\0\0\0" + b"\0" * 100), ("short", b"\x7fELF")):
        p = f"{rootfs}/bin/{name}"
        with open(p, "wb") as f:
            f.write(data)
        os.chmod(p, 0o755)
        c = Created([f"/bin/{name}"], check=False)
        if c.p.returncode == 0:  # runc finds out at start
            r = rt("start", c.id)
            wait_for(lambda: c.status() == "stopped", f"{name}: it has failed")
        c.delete()
        gone(c.id)
        os.unlink(p)


@test
def ids_and_usage():
    c = Created(["sleep", "1000"])
    r = rt("create", "--bundle", c.bundle, c.id)
    expect(r.returncode != 0 and "exists" in r.out, f"a duplicate id: {r.out!r}")
    equal(c.status(), "created")
    c.start()
    r = rt("start", c.id)
    expect(r.returncode != 0 and "running" in r.out, f"start twice: {r.out!r}")
    equal(c.status(), "running")
    c.delete()
    for b in ("", "../x", "a/b", "a b", "\n"):
        r = rt("create", "--bundle", c.bundle, b)
        expect(r.returncode != 0, f"the id {b!r} was accepted")
    for args in (("start", "nothing"), ("kill", "nothing", "9"), ("pause", "nothing"), ("resume", "nothing"), ("state", "nothing"), ("nonsense",), ("create",), ("start",), ("state",)):
        expect(rt(*args).returncode != 0, f"{args} succeeded")
    r = rt("create", "--bundle", f"{work}/nothing", new_id())
    expect(r.returncode != 0, "a missing bundle was accepted")
    equal(ids(), [])


@test(ours_only=True)
def features_version_spec():
    json.loads(rt("features", check=0).out)
    contains(rt("--version", check=0).out, "runsc-notify version")
    d = tempfile.mkdtemp(dir=work)
    rt("spec", "--bundle", d, check=0)
    json.load(open(f"{d}/config.json"))
    expect(len(rt("syscalls", check=0).out.splitlines()) > 300, "the table of system calls is short")


# ---- deaths ----
def victims(c):
    """Processes of a container that can be killed, by role."""
    v = {"init": c.pid()}
    for pid, cmd in processes(c.id).items():
        if "runsc-notify-sandbox" in cmd:
            v["sandbox"] = pid
        if "runsc-notify-gofer" in cmd:
            v["gofer"] = pid
    if "sandbox" in v:
        tree = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                tree.setdefault(int(open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[1]), []).append(int(pid))
            except OSError:
                pass
        below, todo = [], [v["sandbox"]]
        while todo:
            kids = tree.get(todo.pop(), [])
            below += kids
            todo += kids
        below = [p for p in below if p != v.get("gofer")]
        if below:
            v["guest"] = below[-1]
            v["zygote"] = below[0]
    return v


@test(timeout=180)
def killed_at_every_stage():
    roles = ("init", "sandbox", "gofer", "zygote", "guest") if OURS else ("init",)
    for stage in ("created", "running", "busy"):
        for role in roles:
            c = Created(["sh", "-c", "while :; do ls / > /dev/null; done" if stage == "busy" else "sleep 1000"])
            if stage != "created":
                c.start()
                time.sleep(0.05)
            v = victims(c).get(role)
            if v is None:
                c.delete()
                if role == "guest" and stage == "created":
                    continue
                raise Failure(f"no {role} process among {processes(c.id)}")
            os.kill(v, signal.SIGKILL)
            if role in ("init", "sandbox"):
                wait_for(lambda: c.status() == "stopped", f"{stage}: stopped after the {role}'s death", 10)
                r = rt("delete", c.id)
                expect(r.returncode == 0, f"{stage}, {role} killed: delete: {r.out!r}")
            else:
                time.sleep(0.2)
                expect(c.status() in ("stopped", "running", "created"), "state is strange")
                r = rt("delete", "--force", c.id)
                expect(r.returncode == 0, f"{stage}, {role} killed: delete --force: {r.out!r}")
            wait_for(lambda: not processes(c.id), f"{stage}, {role} killed: its processes end: {processes(c.id)}", 5)
            gone(c.id)


@test(timeout=60)
def killed_during_create():
    for delay in (0.002, 0.005, 0.01, 0.02, 0.03, 0.05):
        cid, b = new_id(), bundle(["sleep", "1000"])
        p = subprocess.Popen([RUNTIME, "--root", root, "create", "--bundle", b, cid], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        time.sleep(delay)
        p.kill()
        p.wait()
        time.sleep(0.1)
        r = rt("delete", "--force", cid)
        equal(r.returncode, 0, f"killed after {delay} s: delete --force {r.out!r}")
        wait_for(lambda: not processes(cid), f"its processes end: {processes(cid)}", 5)
        gone(cid)


@test(timeout=60)
def parallel_containers():
    procs = [subprocess.Popen([RUNTIME, "--root", root, "run", "--bundle", bundle(["sh", "-c", f"echo {i}"]), new_id()], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) for i in range(8)]
    equal([p.communicate(timeout=50)[0] for p in procs], [f"{i}\n" for i in range(8)])
    equal(ids(), [])


def snapshot():
    with open("/proc/self/mountinfo") as f:
        mounts = len(f.readlines())
    cgroups = sorted(os.path.join(d, n) for d, names, _ in os.walk("/sys/fs/cgroup") for n in names if "rn-life" in n or "life-" in n or "bundle-" in n)
    procs = sorted(int(p) for p in filter(str.isdigit, os.listdir("/proc")) if is_ours(p))
    files = sorted(os.listdir(root)) if os.path.isdir(root) else []
    runfiles = sorted(n for d in ("/run", "/tmp", "/dev/shm") for n in os.listdir(d) if "life-" in n and not n.startswith("rn-life-"))
    return {"mounts": mounts, "cgroups": [c for c in cgroups if not c.endswith(f"rn-life-{os.getpid()}")], "processes": procs, "files": files, "other files": runfiles}


def is_ours(pid):
    try:
        return f"life-{os.getpid()}-".encode() in open(f"/proc/{pid}/cmdline", "rb").read()
    except OSError:
        return False


@test(timeout=240)
def two_hundred_cycles():
    Created(["true"]).delete()
    before, fds = snapshot(), len(os.listdir("/proc/self/fd"))
    b = bundle(["true"])
    for i in range(200):
        cid = new_id()
        with open("/dev/null", "r+b") as null:
            for cmd in (["create", "--bundle", b, cid], ["start", cid]):
                r = subprocess.run([RUNTIME, "--root", root, *cmd], stdin=null, stdout=null, stderr=subprocess.DEVNULL, timeout=30)
                expect(r.returncode == 0, f"cycle {i}: {cmd[0]} failed")
        if i % 2:
            wait_for(lambda: rt_json("state", cid)["status"] == "stopped", "it is stopped")
            rt("delete", cid, check=0)
        else:
            rt("delete", "--force", cid, check=0)
    for _ in range(100):
        now = snapshot()
        if now == before:
            break
        time.sleep(0.1)
    changed = {k: (before[k], now[k]) if isinstance(now[k], int) else sorted(set(before[k]) ^ set(now[k])) for k in now if now[k] != before[k]}
    expect(not changed, f"left behind: {changed}")
    equal(len(os.listdir("/proc/self/fd")), fds, "descriptors")


PROBE = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(0.7); s.connect(("10.99.0.2", 9)); s.send(b"x")
try: s.recv(1)
except OSError as e: print(type(e).__name__)
"""


def configured(peer, target):
    """Run target(), which gives the container's network namespace as `ip` names it, and put a veth into it whose other end is in `peer`."""
    ns, x = target()
    sh(f"ip link add vt netns {ns} type veth peer name vp netns {peer} && ip -n {peer} addr add 10.99.0.1/24 dev vp && ip -n {peer} link set vp up", check=0)
    sh(f"{x} sh -c 'ip addr add 10.99.0.2/24 dev vt; ip link set vt up; ip route add default via 10.99.0.1'", check=0)


@test(ours_only=True)
def interfaces():
    """At start the host's stack falls silent on the container's interfaces, and a packet socket listens there; at delete a namespace of the
    engine's is as it was. Configured before create (podman), and between create and start (Docker 26)."""
    peer, mine = f"rn-peer-{os.getpid()}", f"rn-mine-{os.getpid()}"

    def refused(x):
        """Does a datagram reach the host's stack in that namespace? Who answers it does not tell: the container's does too."""
        received = lambda: int(sh(f"{x} cat /proc/net/snmp").out.split("\nIp: ")[1].split()[2])
        before = received()
        sh(["ip", "netns", "exec", peer, "python3", "-c", PROBE])
        return received() > before

    sockets = lambda x: len(sh(f"{x} cat /proc/net/packet").out.splitlines()) - 1
    namespaces = [{"type": t} for t in ("pid", "ipc", "uts", "mount")]
    try:
        for n in (peer, mine):
            sh(["ip", "netns", "add", n], check=0)
        x = f"ip netns exec {mine}"
        configured(peer, lambda: (mine, x))
        expect(refused(x), "the host's stack does not answer before")
        for flags, silent in (((), True), (("--network=none",), False)):
            b, cid = bundle(["sleep", "100"], linux__namespaces=namespaces + [{"type": "network", "path": f"/run/netns/{mine}"}]), new_id()
            with open(f"{b}/out", "wb") as f:
                for cmd in (("create", "--bundle", b, "--pid-file", f"{b}/pid", cid), ("start", cid)):
                    rc = subprocess.run([RUNTIME, "--root", root, *flags, *cmd], stdin=subprocess.DEVNULL, stdout=f, stderr=f, timeout=30).returncode
                    equal(rc, 0, f"{cmd[0]}: {open(f'{b}/out').read()}")
            equal(refused(x), not silent, f"an answer of the host's stack with {flags}")
            equal(sockets(x), int(silent), "packet sockets")
            rt("delete", "--force", cid, check=0)
            expect(refused(x), "the host's stack does not answer afterwards")
            equal(sockets(x), 0, "packet sockets left")
        sh(["ip", "-n", mine, "link", "del", "vt"], check=0)
        c = Created(["sleep", "100"])
        pid = open(f"{c.bundle}/pid").read()
        configured(peer, lambda: (pid, f"nsenter -t {pid} -n"))
        y = f"nsenter -t {pid} -n"
        expect(refused(y), "the host's stack does not answer before start")
        rt("start", c.id, check=0)
        expect(not refused(y), "the host's stack answers")
        equal(sockets(y), 1, "packet sockets")
        rt("delete", "--force", c.id, check=0)
        expect("--network=host" in rt("--network=host", "state", "x").out, "--network=host is not refused")
    finally:
        for n in (peer, mine):
            sh(["ip", "netns", "del", n])


@test(ours_only=True, timeout=60)
def crash_of_the_sentry():
    """A crash prints a backtrace to the debug log and ends the container with a status that says so."""
    cid, b = new_id(), bundle(["sleep", "1000"])
    with open(f"{b}/out", "wb") as f:
        subprocess.run([RUNTIME, "--root", root, "--debug-log", f"{b}/debug.log", "create", "--bundle", b, "--pid-file", f"{b}/pid", cid], stdin=subprocess.DEVNULL, stdout=f, stderr=f, check=True, timeout=30)
    rt("start", cid, check=0)
    sandbox = next(p for p, c in processes(cid).items() if "runsc-notify-sandbox" in c)
    os.kill(sandbox, signal.SIGSEGV)
    wait_for(lambda: rt_json("state", cid)["status"] == "stopped", "it is stopped")
    text = wait_for(lambda: (t := open(f"{b}/debug.log", errors="replace").read()) and "[0x" in t and t, "the debug log has a backtrace")
    expect("crashed" in text and text.count("[0x") >= 5, f"no backtrace in the debug log: {text[-500:]!r}")
    rt("delete", cid, check=0)
    wait_for(lambda: not processes(cid), "its processes end")
    gone(cid)


if __name__ == "__main__":
    sys.exit(run_tests("lifecycle", setup, after=lambda: [rt("delete", "--force", cid, timeout=20) for cid in ids()]))
