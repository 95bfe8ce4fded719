#!/usr/bin/env python3
"""Runs the fuzzer inside a sandbox and watches it from outside.

  run.py [--minutes N] [--build DIR] [--seed S] [--cycles N] [--first N] [--out DIR]

A run is one sandbox with one seed and a number of cycles; the next run has the next seed. A finding is a sandbox that dies, hangs, has
processes that cannot be killed, prints a sanitizer's report, or keeps descriptors or memory when nothing runs in it any more. Seed, output,
the last calls of every thread and, for a hang, the Sentry's stack are left in a directory of its own. The last line has the counts.
`--seed S --cycles N --first K` repeats one: threads make their order of calls not quite the same.
"""
import argparse, glob, os, re, select, signal, subprocess, sys, time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import ring

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SILENCE = 60  # seconds without a line from the supervisor, which writes one every three
FD_SLACK = 5
MEM_SLACK, MEM_SLACK_ASAN = 2 << 10, 8 << 10  # KiB from one measure to the next: caches of names grow up to their bounds
REPORT = re.compile(r"AddressSanitizer|runtime error:|UndefinedBehavior|Sentry|assert", re.I)


def parse():
    p = argparse.ArgumentParser()
    p.add_argument("--minutes", type=float, default=5)
    p.add_argument("--build", default=os.path.join(ROOT, "build-asan"))
    p.add_argument("--program", help="the fuzzer (default BUILD/tests/fuzz-guest/fuzz, or build/'s)")
    p.add_argument("--seed", type=int, default=int(time.time()) % 100000 * 100)
    p.add_argument("--cycles", type=int, default=40)
    p.add_argument("--first", type=int, default=0)
    p.add_argument("--out", default="/tmp/fuzz-guest")
    return p.parse_args()


def descendants(pid):
    children = {}
    for d in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = open(f"/proc/{d}/stat").read()
        except OSError:
            continue
        children.setdefault(int(stat[stat.rindex(")") + 2:].split()[1]), []).append(int(d))
    todo, found = [pid], []
    while todo:
        found += children.get(todo[-1], [])
        todo[-1:] = children.get(todo[-1], [])
    return found


def sentry(pid):
    """The one that holds an io_uring."""
    for p in descendants(pid):
        try:
            if any("io_uring" in os.readlink(f) for f in glob.glob(f"/proc/{p}/fd/*")):
                return p
        except OSError:
            pass
    return None


def links(pid):
    found = []
    for f in glob.glob(f"/proc/{pid}/fd/*"):
        try:
            found.append(re.sub(r"\d+", "N", os.readlink(f)))
        except OSError:
            pass
    return sorted(found)


def measure(pid):
    status = open(f"/proc/{pid}/status").read()
    return len(os.listdir(f"/proc/{pid}/fd")), int(re.search(r"VmRSS:\s+(\d+)", status)[1]), int(re.search(r"VmHWM:\s+(\d+)", status)[1])


def stack(pid, out):
    with open(out, "w") as f:
        for path in ("status", "wchan", "stack", "syscall"):
            try:
                f.write(f"--- {path}\n" + open(f"/proc/{pid}/{path}").read() + "\n")
            except OSError as e:
                f.write(f"{path}: {e}\n")
        f.flush()
        subprocess.run(["timeout", "-k", "1", "40", "gdb", "-p", str(pid), "-batch", "-ex", "bt 40"], stdin=subprocess.DEVNULL, stdout=f, stderr=f)


class Run:
    def __init__(self, a, seed):
        self.a, self.seed, self.problems, self.idle, self.links, self.calls, self.cycles = a, seed, [], [], [], 0, 0
        self.inodes = 0
        self.dir = os.path.join(a.out, f"run-{os.getpid()}-{seed}")
        os.makedirs(self.dir, exist_ok=True)
        os.chmod(self.dir, 0o777)

    def problem(self, text):
        self.problems.append(text)
        print(f"seed {self.seed}: {text}", flush=True)

    def line(self, text):
        n = re.search(r"cycle \d+ calls (\d+)", text)  # not at its start: guests find ways to the supervisor's output
        if n:
            self.cycles += 1
            self.calls = int(n[1])
            if "STUCK" in text:
                self.problem(f"processes that do not end: {text.strip()}")
                if self.sentry:
                    stack(self.sentry, f"{self.dir}/stack")
        elif "inodes /" in text:
            self.inodes = sum(map(int, re.findall(r" (\d+)", text)))
        elif re.search(r"idle \d+$", text) and self.sentry:
            time.sleep(0.7)
            self.idle.append(measure(self.sentry) + (self.inodes,))
            self.links.append(links(self.sentry))

    def watch(self, proc, log):
        last, buf = time.monotonic(), b""
        while True:
            ready, _, _ = select.select([proc.stdout], [], [], 1)
            if ready:
                data = os.read(proc.stdout.fileno(), 65536)
                if not data:
                    return
                last = time.monotonic()
                log.write(data)
                log.flush()
                *lines, buf = (buf + data).split(b"\n")
                if not self.sentry:
                    self.sentry = sentry(proc.pid)
                for l in lines:
                    self.line(l.decode(errors="replace"))
            elif time.monotonic() - last > SILENCE:
                self.problem(f"silent for {SILENCE} s after {self.cycles} cycles")
                if self.sentry:
                    stack(self.sentry, f"{self.dir}/stack")
                return

    def check_leaks(self):
        """The first measure is a warm-up: caches fill. Files that guests left somewhere may keep a descriptor each. A sanitizer's
        heap keeps what was needed once, in steps; what leaks grows in every part."""
        if len(self.idle) < 3:
            return
        fds, mem, inodes = ([m[i] for m in self.idle] for i in (0, 1, 3))
        if fds[-1] > fds[0] + FD_SLACK + max(0, inodes[-1] - inodes[0]):
            new = list(self.links[-1])
            for l in self.links[0]:
                if l in new:
                    new.remove(l)
            self.problem(f"descriptors of the Sentry: {fds}, new ones: {new}")
        steps = [b - a for a, b in zip(mem, mem[1:])]
        if min(steps) > (MEM_SLACK_ASAN if "asan" in self.a.build else MEM_SLACK):
            self.problem(f"memory of the Sentry in KiB: {mem}")

    def go(self):
        self.sentry = None
        program = self.a.program or next(p for p in (f"{self.a.build}/tests/fuzz-guest/fuzz", f"{ROOT}/build/tests/fuzz-guest/fuzz") if os.path.exists(p))
        cmd = [f"{self.a.build}/runsc-notify", "do", "-v", f"{self.dir}:/fzlog", "--", program, str(self.seed), str(self.a.cycles), "/fzlog/ring", str(self.a.first)]
        env = dict(os.environ, ASAN_OPTIONS="detect_leaks=0:quarantine_size_mb=8:" + os.environ.get("ASAN_OPTIONS", ""), UBSAN_OPTIONS="print_stacktrace=1")
        with open(f"{self.dir}/log", "wb") as log:
            proc = subprocess.Popen(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, env=env)
            try:
                self.watch(proc, log)
            finally:
                if self.problems and proc.poll() is None:
                    os.killpg(proc.pid, signal.SIGKILL)
                try:
                    rc = proc.wait(60)
                except subprocess.TimeoutExpired:
                    self.problem("does not end")
                    if self.sentry:
                        stack(self.sentry, f"{self.dir}/stack")
                    os.killpg(proc.pid, signal.SIGKILL)
                    rc = proc.wait()
        text = open(f"{self.dir}/log", errors="replace").read()
        if rc and not self.problems:
            self.problem(f"exit status {rc}")
        report = next((l for l in text.splitlines() if REPORT.search(l)), None)
        if report:
            self.problem(report[:300])
        self.check_leaks()
        ringfile = f"{self.dir}/ring"
        if self.problems:
            with open(f"{self.dir}/calls", "w") as f:
                f.write(ring.show(ringfile, 30) if os.path.exists(ringfile) else "")
            print(f"  see {self.dir}; again: run.py --seed {self.seed} --first {max(0, self.cycles - 1)} --cycles 1", flush=True)
        else:
            for f in ("ring", "log"):
                os.unlink(f"{self.dir}/{f}")
            os.rmdir(self.dir)


def main():
    a = parse()
    os.makedirs(a.out, exist_ok=True)
    end, seed, runs, calls, cycles, findings = time.monotonic() + a.minutes * 60, a.seed, 0, 0, 0, 0
    while time.monotonic() < end or not runs:
        r = Run(a, seed)
        r.go()
        print(f"seed {seed}: {r.cycles} cycles, {r.calls} calls, idle (descriptors, KiB, peak, inodes): {r.idle}", flush=True)
        runs, calls, cycles, findings, seed = runs + 1, calls + r.calls, cycles + r.cycles, findings + bool(r.problems), seed + 1
    print(f"fuzz-guest: {runs} runs, {cycles} cycles, {calls} calls, {findings} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
