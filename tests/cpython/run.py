#!/usr/bin/env python3
"""Runs modules of CPython's own test suite natively and in the sandbox: what passes natively must pass inside.

  run.py [--all] [--jobs N] [--results FILE] [--fresh] [--keep DIR] [MODULE...]

Without modules: the core set; --all: the whole suite. A module's native verdicts are cached per
version of Debian's python and kernel (--fresh ignores the cache). Tests that differ are run once more, alone, before they
are believed. `exceptions` beside this file lists what may differ, and why.
"""
import argparse, collections, fnmatch, hashlib, json, os, queue, re, shlex, signal, subprocess, sys, threading, time
import xml.etree.ElementTree as ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PYTHON = "/usr/bin/python3.11"
CORE = """test_os test_posix test_subprocess test_signal test_threading test_threadsignals test_thread test_select test_selectors
 test_epoll test_poll test_mmap test_fcntl test_pty test_openpty test_ioctl test_tempfile test_shutil test_pathlib test_io test_file
 test_fileio test_file_eintr test_eintr test_time test_resource test_wait3 test_wait4 test_fork1 test_popen test_stat
 test_glob test_curses test_faulthandler test_multiprocessing_fork""".split()
# These want a terminal, and get a pseudo terminal inside.
TERMINAL = ["test_ioctl", "test_curses", "test_readline", "test_getpass"]
ON_PTY = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
# Seconds that the slow ones may take inside; natively half of that.
LIMITS = {"test_asyncio": 600, "test_multiprocessing_fork": 600, "test_multiprocessing_spawn": 600, "test_multiprocessing_forkserver": 600,
          "test_concurrent_futures": 600, "test_io": 300, "test_subprocess": 300, "test_tools": 600, "test_regrtest": 600,
          "test_gdb": 600, "test_venv": 600, "test_ensurepip": 300, "test_distutils": 600, "test_cppext": 300,
          "test_peg_generator": 600, "test_compileall": 300, "test_faulthandler": 300, "test_embed": 300, "test_lib2to3": 300}
NEVER = ["*VSOCK*"]  # hangs natively where there is no host to talk to
MARK = "@@junit@@"
ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8", "TERM": "dumb"}
RUNNING = set()
Run = collections.namedtuple("Run", "tests end output seconds")  # tests: {name: (verdict, text)}; end: ok|timeout|exit N


def parse():
    p = argparse.ArgumentParser()
    p.add_argument("--build", default=os.path.join(ROOT, "build"))
    p.add_argument("--runtime", help="command in front of the program (default: BUILD/runsc-notify do --)")
    p.add_argument("--all", action="store_true")
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--scale", type=float, default=1, help="multiply the time limits")
    p.add_argument("--results", help="append PASS/FAIL/SKIP lines to this file")
    p.add_argument("--layer", default="cpython")
    p.add_argument("--cache", default="/var/cache/runsc-notify-cpython" if os.getuid() == 0 else None, help="directory of the native verdicts")
    p.add_argument("--fresh", action="store_true", help="run natively even what is cached")
    p.add_argument("--use", default="curses,subprocess,decimal,tzdata,network", help="regrtest's resources (-u)")
    p.add_argument("--user", type=int, default=0, help="the uid and gid to run as (both ways)")
    p.add_argument("--keep", help="directory for the output of each run")
    p.add_argument("--once", action="store_true", help="do not run again what differs")
    p.add_argument("-v", "--verbose", action="store_true")
    p.add_argument("modules", nargs="*", help="a module, or MODULE:PATTERN to run only the tests that match")
    return p.parse_args()


def exceptions():
    """[(module pattern, test pattern, reason)]"""
    out = []
    with open(os.path.join(HERE, "exceptions")) as f:
        for line in f:
            line = line.split("#", 1)[0].strip()
            if line:
                what, reason = line.split(None, 1)
                module, _, test = what.partition(":")
                out.append((module, test or "*", reason))
    return out


def python_version():
    dpkg = subprocess.run(["dpkg-query", "-W", "-f", "${Version} ", "python3.11-minimal", "libpython3.11-testsuite"],
                          stdout=subprocess.PIPE, text=True).stdout
    return dpkg + os.uname().release


def spawn(argv, seconds):
    proc = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            start_new_session=True, cwd="/", env=ENV, text=True, errors="backslashreplace")
    RUNNING.add(proc.pid)
    try:
        out, _ = proc.communicate(timeout=seconds)
        return out, proc.returncode
    except subprocess.TimeoutExpired:
        try:
            os.killpg(proc.pid, signal.SIGKILL)
            out, _ = proc.communicate(timeout=20)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            out = ""
        return out or "", "timeout"
    finally:
        RUNNING.discard(proc.pid)


def run_module(prefix, spec, seconds, ignore, args):
    module, _, pattern = spec.partition(":")
    test = [PYTHON, "-m", "test", "-v", "-u", args.use, "--timeout", str(seconds), "--junit-xml", "/tmp/cpython-junit.xml"]
    if pattern:
        test += ["-m", pattern]
    for p in ignore:
        test += ["-i", p]
    if module in TERMINAL:
        prefix = prefix + ["env", "TERM=xterm"]
        test = [PYTHON, "-c", ON_PTY, *test]
    if args.user:
        prefix = prefix + ["setpriv", "--reuid", str(args.user), "--regid", str(args.user), "--clear-groups", "env", "HOME=/tmp"]
    script = f"ulimit -Sn 1024; ulimit -Hn 20000; rm -f /tmp/cpython-junit.xml; {shlex.join([*test, module])}; rc=$?; echo; echo {MARK}; cat /tmp/cpython-junit.xml; exit $rc"
    start = time.monotonic()
    out, rc = spawn(prefix + ["/bin/sh", "-c", script], seconds + 30)
    log, _, xml = out.partition("\n" + MARK + "\n")
    tests = {}
    try:
        cases = list(ElementTree.fromstring(xml[xml.index("<"):]).iter("testcase")) if "<" in xml else []
    except ElementTree.ParseError:
        cases = []
    for case in cases:
        kinds = {c.tag: (c.get("message") or "") + (c.text or "") for c in case}
        verdict = next((k for k in ("error", "failure", "skipped") if k in kinds), "passed")
        name = case.get("name")
        if case.get("classname") and not name.startswith(case.get("classname")):
            name = case.get("classname") + "." + name
        text = kinds.get(verdict, "")
        if tests.get(name, ("passed",))[0] in ("passed", "skipped"):
            tests[name] = (verdict, text[-3000:])
    if re.search(r"Timeout \(\d+:\d\d:\d\d", log) or rc == "timeout":
        rc = "timeout"
    return Run(tests, "ok" if rc == 0 else rc if rc == "timeout" else f"exit {rc}", log, time.monotonic() - start)


def native_prefix():
    """Namespaces of its own, a fresh /tmp, and no right to set the host's clock (a test would)."""
    inner = "mount --make-rprivate / && mount -t tmpfs -o mode=1777 tmpfs /tmp && ip link set lo up; exec setpriv --bounding-set -sys_time \"$@\""
    return ["unshare", "-pfmni", "--mount-proc", "--kill-child", "sh", "-c", inner, "sh"]


class Suite:
    def __init__(self, args):
        self.args = args
        self.runtime = shlex.split(args.runtime) if args.runtime else [os.path.join(args.build, "runsc-notify"), "do", "--"]
        if os.path.exists(self.runtime[0]):
            self.runtime[0] = os.path.abspath(self.runtime[0])
        # The name that `do` gives the sandbox is in no /etc/hosts.
        self.runtime += ["sh", "-c", 'test "$(hostname)" = runsc-notify && hostname localhost; exec "$@"', "sh"]
        self.exceptions = exceptions()
        self.cache = args.cache or os.path.join(args.build, "cpython-native")
        self.key = hashlib.sha256(f"{python_version()} {args.use} {args.user}".encode()).hexdigest()[:12]
        os.makedirs(self.cache, exist_ok=True)
        self.lock = threading.Lock()
        self.counts = collections.Counter()
        self.again = []

    def seconds(self, spec):
        return int(LIMITS.get(spec.partition(":")[0], 150) * self.args.scale)

    def native(self, spec, fresh=False):
        path = os.path.join(self.cache, f"{spec.replace('/', '_')}-{self.key}.json")
        if not fresh and os.path.exists(path):
            with open(path) as f:
                d = json.load(f)
            return Run({k: tuple(v) for k, v in d["tests"].items()}, d["end"], "", d["seconds"])
        r = run_module(native_prefix(), spec, self.seconds(spec), NEVER, self.args)
        if not fresh and (r.end != "ok"):  # so that one bad moment is not kept for ever
            r2 = run_module(native_prefix(), spec, self.seconds(spec), NEVER, self.args)
            r = r2 if r2.end == "ok" or len(r2.tests) > len(r.tests) else r
        self.keep(spec, "native", r)
        with open(path + ".new", "w") as f:
            json.dump({"tests": r.tests, "end": r.end, "seconds": r.seconds}, f)
        os.rename(path + ".new", path)
        return r

    def keep(self, spec, which, r):
        if self.args.keep:
            os.makedirs(self.args.keep, exist_ok=True)
            with open(os.path.join(self.args.keep, f"{spec.replace('/', '_')}.{which}"), "w") as f:
                f.write(r.output)
                for name, (verdict, text) in r.tests.items():
                    if verdict != "passed":
                        f.write(f"\n@@ {verdict} {name}\n{text}\n")

    def inside(self, spec):
        # An excepted test that fails half-way may leave something that fails others: it is not run.
        module = spec.partition(":")[0]
        ignore = [t for m, t, _ in self.exceptions if fnmatch.fnmatch(module, m)]
        r = run_module(self.runtime, spec, self.seconds(spec), [*NEVER, *ignore], self.args)
        self.keep(spec, "inside", r)
        return r

    def excepted(self, spec, name):
        module = spec.partition(":")[0]
        return next((r for m, t, r in self.exceptions if fnmatch.fnmatch(module, m) and fnmatch.fnmatch(name, t)), None)

    def compare(self, spec, native, inside):
        """[(test, native verdict, inside verdict, text)] of what is worse inside, and how many are excepted."""
        worse, excepted = [], 0
        for name, (verdict, _) in native.tests.items():
            if verdict != "passed":
                continue
            got, text = inside.tests.get(name, ("missing", ""))
            if got == "passed":
                continue
            if self.excepted(spec, name):
                excepted += 1
            else:
                worse.append((name, verdict, got, text))
        if inside.end == "timeout" and native.end != "timeout":
            last = [l for l in inside.output.splitlines() if re.match(r"test\w* \(", l)]
            worse = [("*", native.end, "timeout", "\n".join([f"last test: {last[-1]}" if last else ""] + inside.output.splitlines()[-30:]))]
        elif not inside.tests and worse:
            worse = [("*", native.end, inside.end, "\n".join(inside.output.splitlines()[-25:]))]
        return worse, excepted

    def one(self, spec, second=False):
        whole = self.excepted(spec, "*MODULE*") if not self.args.modules else None
        if whole:
            return self.verdict("SKIP", spec, whole)
        native = self.native(spec)
        if not native.tests and native.end != "ok":
            return self.verdict("SKIP", spec, f"natively it ends with {native.end} and no result")
        inside = self.inside(spec)
        worse, excepted = self.compare(spec, native, inside)
        if worse and second:
            # The machine may be to blame, natively as well.
            fresh = self.native(spec, fresh=True)
            worse = [w for w in worse if w[0] == "*" or fresh.tests.get(w[0], ("missing",))[0] == "passed"]
        if worse and not second and not self.args.once:
            with self.lock:
                self.again.append(spec)
                if self.args.verbose:
                    print(f"again {spec}: {', '.join(w[0] for w in worse)[:300]}", flush=True)
            return None
        n = collections.Counter(v for v, _ in inside.tests.values())
        if excepted and not n["passed"] and not worse:
            return self.verdict("SKIP", spec, self.excepted(spec, next(k for k, v in native.tests.items() if v[0] == "passed")))
        note = f"{n['passed']} passed, {n['skipped']} skipped, {excepted} excepted ({native.seconds:.1f} s natively, {inside.seconds:.1f} s inside)"
        if worse:
            lines = [f"    {name}: natively {was}, inside {got}\n" + "\n".join("        " + l for l in text.splitlines()[-14:])
                     for name, was, got, text in worse[:25]]
            return self.verdict("FAIL", spec, f"{len(worse)} worse inside, {note}", "\n".join(lines))
        return self.verdict("PASS", spec, note)

    def verdict(self, verdict, spec, why, detail=""):
        with self.lock:
            self.counts[verdict] += 1
            if self.args.results:
                with open(self.args.results, "a") as f:
                    f.write(f"{verdict} {self.args.layer} {spec}" + (f" {why}" if verdict != "PASS" else "") + "\n")
            if verdict != "PASS" or self.args.verbose:
                print(f"{verdict} {self.args.layer} {spec} {why}", *([detail] if detail else []), sep="\n", flush=True)

    def run(self, specs):
        todo = queue.Queue()
        for s in sorted(specs, key=lambda s: -self.seconds(s)):
            todo.put(s)

        def worker():
            while True:
                try:
                    spec = todo.get_nowait()
                except queue.Empty:
                    return
                try:
                    self.one(spec)
                except Exception as e:
                    self.verdict("FAIL", spec, f"the driver: {e!r}")

        threads = [threading.Thread(target=worker) for _ in range(self.args.jobs)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        for spec in self.again:
            self.one(spec, second=True)
        print(f"{self.args.layer}: {self.counts['PASS']} passed, {self.counts['FAIL']} failed, {self.counts['SKIP']} skipped")
        return 1 if self.counts["FAIL"] else 0


def all_modules():
    out = subprocess.run([PYTHON, "-m", "test", "--list-tests"], stdout=subprocess.PIPE, text=True, cwd="/", env=ENV).stdout.split()
    return out


def main():
    args = parse()
    args.build = os.path.abspath(args.build)

    def on_term(sig, frame):
        for pid in list(RUNNING):
            try:
                os.killpg(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        os._exit(143)

    signal.signal(signal.SIGTERM, on_term)
    signal.signal(signal.SIGINT, on_term)
    return Suite(args).run(args.modules or (all_modules() if args.all else CORE))


if __name__ == "__main__":
    sys.exit(main())
