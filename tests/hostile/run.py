#!/usr/bin/env python3
"""Hostile guests. Each runs in a sandbox of its own under driver.c; passed means: the sandbox served on afterwards (its
canary), nothing survived SIGKILL, the Sentry did not die, the program itself found no hole.

The last test, host_trace, watches the guests' host processes from outside with bpftrace and proves that they executed no
system call but those that the Sentry orders, and those only from the stub's own instructions.
"""
import argparse, json, os, re, shlex, shutil, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PROGRAMS = [("stub_jump", [], 120), ("stub_mangle", [], 90), ("stub_scribble", [], 60), ("sigreturn_forge", [], 60), ("abi", [], 90),
            ("fuzz_calls", ["12"], 120), ("race_args", [], 60), ("storms", [], 60), ("big_io", [], 90)]
LONG = [("fuzz_calls", ["100", str(s)], 600) for s in (2, 3)]

# What the Sentry may order of a guest's host process (notify-platform/), by number. Each is made at the stub's `syscall`,
# except rt_sigreturn, which is made at the stub's own return from its handlers.
ORDERED = {9: "mmap", 10: "mprotect", 11: "munmap", 15: "rt_sigreturn", 25: "mremap", 28: "madvise", 56: "clone", 60: "exit", 98: "getrusage", 203: "sched_setaffinity", 309: "getcpu", 324: "membarrier", 334: "rseq", 228: "clock_gettime", 436: "close_range"}
# Linux 6.14 and later let these two past every seccomp filter (seccomp_uprobe_exception): they end in SIGILL or an error
# unless they come from the kernel's own uprobe trampoline, which nobody but host root can make.
NEVER_FILTERED = {335: "uretprobe", 336: "uprobe"}


def parse():
    p = argparse.ArgumentParser()
    p.add_argument("--build", default=os.path.join(ROOT, "build"))
    p.add_argument("--dir", help="where the programs are (default BUILD/tests/hostile)")
    p.add_argument("--runtime", help="command in front (default: BUILD/runsc-notify do --)")
    p.add_argument("--results")
    p.add_argument("--all", action="store_true")
    p.add_argument("-v", action="store_true")
    p.add_argument("names", nargs="*")
    return p.parse_args()


def judge(out, rc, timed_out):
    if timed_out:
        return "the sandbox hung"
    if "CANARY OK" not in out:
        return "the sandbox did not serve afterwards"
    if "HANG" in out:
        return "something survived SIGKILL"
    if not re.search(r"^program: exited 0$", out, re.M):
        return "the program found a hole, or did not finish"
    if rc != 0:
        return f"exit status {rc}"
    return None


def run_one(prefix, directory, name, argv, seconds):
    cmd = prefix + [f"{directory}/driver", str(seconds), f"{directory}/{name}", *argv]
    proc = subprocess.Popen(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, text=True, errors="replace")
    try:
        out, _ = proc.communicate(timeout=seconds + 40)
        return judge(out, proc.returncode, False), out
    except subprocess.TimeoutExpired:
        os.killpg(proc.pid, 9)
        try:
            out, _ = proc.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            out = ""
        return judge(out, -9, True), out


BPF = """
tracepoint:raw_syscalls:sys_enter {
  $t = (struct task_struct *)curtask;
  if ($t->nsproxy->pid_ns_for_children->ns.inum == NSINUM) {
    $r = (struct pt_regs *)((uint64)$t->stack + 16384 - sizeof(struct pt_regs) - PADDING);
    @calls[args->id, $r->ip, $r->orig_ax] = count();
  }
}
"""


def descendants(pid):
    kids = {}
    for p in filter(str.isdigit, os.listdir("/proc")):
        try:
            kids.setdefault(int(open(f"/proc/{p}/stat").read().rsplit(")", 1)[1].split()[1]), []).append(int(p))
        except OSError:
            pass
    out, todo = [], [pid]
    while todo:
        k = kids.get(todo.pop(), [])
        out += k
        todo += k
    return out


def host_trace(runtime, directory):
    """None if proven, a reason to skip (str starting with 'skip'), or what was wrong."""
    if not shutil.which("bpftrace"):
        return "skip: bpftrace is not installed", ""
    mounted = False
    if not os.path.exists("/sys/kernel/tracing/events"):
        mounted = subprocess.run(["mount", "-t", "tracefs", "nodev", "/sys/kernel/tracing"], stderr=subprocess.DEVNULL).returncode == 0
    work = tempfile.mkdtemp(prefix="rn-trace-", dir="/tmp")
    cid, root = f"trace-{os.getpid()}", f"{work}/state"
    trace = None
    null = subprocess.DEVNULL
    try:
        if not os.path.exists("/sys/kernel/tracing/events/raw_syscalls/sys_enter"):
            return "skip: this kernel has no raw_syscalls tracepoints", ""
        os.makedirs(f"{work}/rootfs/proc"), os.makedirs(f"{work}/rootfs/dev"), os.makedirs(f"{work}/rootfs/tmp")
        for f in ("driver", "workload"):
            shutil.copy(f"{directory}/{f}", f"{work}/rootfs/{f}")
        caps = ["CAP_KILL", "CAP_SETUID", "CAP_SETGID"]
        with open(f"{work}/config.json", "w") as f:
            json.dump({"ociVersion": "1.0.2", "process": {"user": {"uid": 0, "gid": 0}, "args": ["/driver", "60", "/workload"], "env": ["PATH=/"], "cwd": "/",
                                                          "capabilities": {"bounding": caps, "effective": caps, "permitted": caps}},
                       "root": {"path": "rootfs"}, "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}, {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"}],
                       "linux": {"namespaces": [{"type": t} for t in ("pid", "mount", "ipc", "uts", "network")]}}, f)
        log = f"{work}/out"
        with open(log, "wb") as f:
            r = subprocess.run([runtime, "--root", root, "create", "--bundle", work, "--pid-file", f"{work}/pid", cid], stdin=null, stdout=f, stderr=f, timeout=30)
        if r.returncode:
            return f"create failed: {open(log).read()[-500:]}", ""
        pid = int(open(f"{work}/pid").read())
        # The innermost pid namespace below the container is the guests'.
        below = [pid] + descendants(pid)
        inum = None
        for p in below:
            try:
                depth = len(next(l for l in open(f"/proc/{p}/status") if l.startswith("NSpid")).split())
                n = int(re.search(r"\d+", os.readlink(f"/proc/{p}/ns/pid")).group())
            except (OSError, StopIteration):
                continue
            if inum is None or depth > inum[0]:
                inum = (depth, n, p)
        prog = f"{work}/t.bt"
        config = subprocess.run("zcat /proc/config.gz 2>/dev/null | grep -q '^CONFIG_X86_FRED=y'", shell=True).returncode == 0
        with open(prog, "w") as f:
            f.write(BPF.replace("NSINUM", str(inum[1])).replace("PADDING", "16" if config else "0"))
        trace = subprocess.Popen(["bpftrace", prog], stdin=null, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        first = trace.stdout.readline()
        if "Attach" not in first:
            err = trace.stderr.read()[-300:]
            return f"skip: bpftrace does not work here: {first.strip()} {err.strip()}", ""
        time.sleep(1)
        subprocess.run([runtime, "--root", root, "start", cid], stdin=null, stdout=null, stderr=null, timeout=30)
        for _ in range(900):
            text = open(log).read()
            if "CANARY" in text:
                break
            time.sleep(0.1)
        trace.send_signal(2)
        out, _ = trace.communicate(timeout=30)
        trace = None
        calls = [tuple(int(x) for x in m) for m in re.findall(r"@calls\[(-?\d+), (-?\d+), (-?\d+)\]: (\d+)", out)]
        if "CANARY OK" not in text or "workload done" not in text:
            return f"the workload did not finish: {text[-500:]}", out
        if not calls:
            return "the trace saw no call at all", out
        wrong = [c for c in calls if c[0] not in ORDERED and c[0] not in NEVER_FILTERED]
        unsure = [c for c in calls if c[0] != c[2]]
        places = {}
        for nr, ip, orig, n in calls:
            if nr == orig and nr in ORDERED:
                places.setdefault("sigreturn" if nr == 15 else "order", set()).add(ip)
        report = f"{sum(c[3] for c in calls)} calls: " + ", ".join(f"{ORDERED.get(c[0], c[0])} at {c[1]:x}: {c[3]}" for c in calls)
        if wrong:
            return f"calls that are never ordered reached the host: {[(c[0], hex(c[1]), c[3]) for c in wrong]}", report
        if len(places.get("sigreturn", ())) > 2 or len(places.get("order", ())) > 2:
            return f"calls from more places than the stub has (one for guests, one for the zygote): {places}", report
        return None, report + (f"; {len(unsure)} registers could not be read" if unsure else "")
    finally:
        if trace:
            trace.kill()
            trace.wait()
        subprocess.run([runtime, "--root", root, "delete", "--force", cid], stdin=null, stdout=null, stderr=null, timeout=30)
        if mounted:
            subprocess.run(["umount", "/sys/kernel/tracing"], stderr=null)
        shutil.rmtree(work, ignore_errors=True)


def main():
    args = parse()
    directory = args.dir or os.path.join(args.build, "tests", "hostile")
    prefix = shlex.split(args.runtime) if args.runtime else [os.path.join(args.build, "runsc-notify"), "do", "--"]
    directory = os.path.abspath(directory)
    if os.path.exists(prefix[0]):
        prefix[0] = os.path.abspath(prefix[0])
    counts = {"PASS": 0, "FAIL": 0, "SKIP": 0}

    def record(name, why, out):
        verdict = "PASS" if why is None else "SKIP" if why.startswith("skip: ") else "FAIL"
        counts[verdict] += 1
        if args.results:
            with open(args.results, "a") as f:
                f.write(f"{verdict} hostile {name}" + (f" {why[6:]}" if verdict == "SKIP" else "") + "\n")
        if verdict == "FAIL":
            print(f"FAIL {name}: {why}", *["    " + l for l in out.splitlines()[-15:]], sep="\n", flush=True)
        elif args.v:
            print(f"{verdict.lower()} {name} {why or ''}", *["    " + l for l in out.splitlines()[-6:]], sep="\n", flush=True)

    for name, argv, seconds in PROGRAMS + (LONG if args.all else []):
        if args.names and name not in args.names:
            continue
        record(" ".join([name, *argv]).replace(" ", "-"), *run_one(prefix, directory, name, argv, seconds))
    if not args.names or "host_trace" in args.names:
        record("host_trace", *host_trace(prefix[0], directory))
    print(f"hostile: {counts['PASS']} passed, {counts['FAIL']} failed, {counts['SKIP']} skipped")
    return 1 if counts["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
