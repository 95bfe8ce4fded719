#!/usr/bin/env python3
"""Runs the guest programs natively and in the sandbox and compares what they print and how they end.

  run.py [--build DIR] [--jobs N] [--timeout S] [--batch N] [--native-only] [--results FILE] [NAME...]

Programs are run in batches (helpers/guest_batch), so that one sandbox serves many; a sandbox that dies is charged to
the program it was running, and the rest go on in a new one. --native-only runs everything twice natively, on two file
systems, which shows whether a test is deterministic. Exit status 1 if any failed.
"""
import argparse, difflib, os, queue, re, shlex, shutil, signal, subprocess, sys, tempfile, threading, time

NATIVE_TRIES = 4
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
RUNNING = set()  # process groups that we started


def parse():
    p = argparse.ArgumentParser()
    p.add_argument("--build", default=os.path.join(ROOT, "build"))
    p.add_argument("--guest-dir", help="where the programs are (default BUILD/tests/guest)")
    p.add_argument("--runtime", help="command in front of the program (default: BUILD/runsc-notify do --)")
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--timeout", type=int, default=20)
    p.add_argument("--batch", type=int, default=12)
    p.add_argument("--native-only", action="store_true")
    p.add_argument("--results", help="append PASS/FAIL lines to this file")
    p.add_argument("--layer", default="guest")
    p.add_argument("--max-lines", type=int, default=30, help="lines of each difference to print")
    p.add_argument("-v", "--verbose", action="store_true")
    p.add_argument("names", nargs="*", help="shell patterns of program names")
    return p.parse_args()


def find_programs(args):
    import fnmatch
    gdir = os.path.abspath(args.guest_dir or os.path.join(args.build, "tests", "guest"))
    progs = {}
    for f in sorted(os.listdir(HERE)):
        base, ext = os.path.splitext(f)
        if ext == ".c":
            progs[base] = os.path.join(gdir, base)
        elif (ext in (".sh", ".py")) and f != os.path.basename(__file__):
            progs[f] = os.path.join(HERE, f)
    if args.names:
        progs = {n: p for n, p in progs.items() if any(fnmatch.fnmatch(n, pat) for pat in args.names)}
    return gdir, progs


def run_batch(prefix, tool, timeout, tmp, paths):
    """One process that runs many programs. Returns {name: (verdict, output)}; names without an end are missing."""
    cmd = prefix + [tool, str(timeout), tmp] + paths
    proc = subprocess.Popen(cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            start_new_session=True, cwd="/")
    RUNNING.add(proc.pid)
    timer = threading.Timer(timeout * len(paths) + 15, lambda: os.killpg(proc.pid, 9))
    # No progress for longer than any program may take means that the sandbox hangs.
    last = [time.monotonic()]
    done = threading.Event()

    def watch():
        while not done.wait(1):
            if time.monotonic() - last[0] > timeout + 12:
                try:
                    os.killpg(proc.pid, 9)
                except ProcessLookupError:
                    pass
                return

    threading.Thread(target=watch, daemon=True).start()
    timer.start()
    data = bytearray()
    err = []
    et = threading.Thread(target=lambda: err.append(proc.stderr.read()), daemon=True)
    et.start()
    while True:
        chunk = os.read(proc.stdout.fileno(), 65536)
        if not chunk:
            break
        data += chunk
        last[0] = time.monotonic()
    rc = proc.wait()
    RUNNING.discard(proc.pid)
    et.join(2)
    done.set()
    timer.cancel()
    results, started, pos = {}, None, 0
    while True:
        m = re.compile(rb"@@([<>]) (\S+)(?: (\S+) (\d+))?\n").match(data, pos)
        if not m:
            break
        pos = m.end()
        name = m.group(2).decode()
        if m.group(1) == b">":
            started = name
        else:
            n = int(m.group(4))
            results[name] = (m.group(3).decode(), bytes(data[pos:pos + n]).decode(errors="backslashreplace"))
            pos += n
            started = None
    stderr = (err[0] if err else b"").decode(errors="backslashreplace")
    return results, started, rc, stderr


def run_all(prefix, tool, args, tmp, items):
    """items: [(name, path)]. Every one gets a verdict."""
    results = {}
    todo = list(items)
    while todo:
        got, started, rc, stderr = run_batch(prefix, tool, args.timeout, tmp, [p for _, p in todo])
        results.update(got)
        rest = [(n, p) for n, p in todo if n not in got]
        if rest:
            broken = started if started in [n for n, _ in rest] else rest[0][0]
            results[broken] = ("sandbox-died", f"[exit status {rc} of {' '.join(prefix) or tool}]\n{stderr[-3000:]}")
            rest = [(n, p) for n, p in rest if n != broken]
        todo = rest
    return results


def main():
    args = parse()
    if args.guest_dir:
        args.guest_dir = os.path.abspath(args.guest_dir)
    args.build = os.path.abspath(args.build)
    gdir, progs = find_programs(args)
    tool = os.path.join(gdir, "helpers", "guest_batch")
    if not os.path.exists(tool):
        sys.exit(f"{tool} is missing: build the target `guest` first")
    runtime = shlex.split(args.runtime) if args.runtime else [os.path.join(args.build, "runsc-notify"), "do", "--"]
    if "/" in runtime[0]:
        runtime[0] = os.path.abspath(runtime[0])  # the programs run with another working directory
    if os.path.exists(runtime[0]):
        runtime[0] = os.path.abspath(runtime[0])  # programs run in /
    native_tmp = tempfile.mkdtemp(prefix="guest-native-", dir="/tmp")
    second_tmp = tempfile.mkdtemp(prefix="guest-native-", dir="/dev/shm") if args.native_only else "/tmp"
    os.chmod(native_tmp, 0o755)
    if args.native_only:
        os.chmod(second_tmp, 0o755)
    items = list(progs.items())
    batches = queue.Queue()
    for i in range(0, len(items), args.batch):
        batches.put(items[i:i + args.batch])
    passed, failed, lock = [], [], threading.Lock()

    def worker():
        while True:
            try:
                batch = batches.get_nowait()
            except queue.Empty:
                return
            a = run_all([], tool, args, native_tmp, batch)
            b = run_all([] if args.native_only else runtime, tool, args, second_tmp, batch)
            for name, path in batch:
                if not args.native_only and a[name] != b[name]:
                    a[name] = again(name, path, a[name], b[name])
            with lock:
                for name, _ in batch:
                    judge(name, a[name], b[name])

    def again(name, path, first, inside):
        for _ in range(NATIVE_TRIES):
            a = run_all([], tool, args, native_tmp, [(name, path)])[name]
            if a == inside:
                print(f"note {name}: native gives more than one answer", flush=True)
                return a
        return first

    def judge(name, a, b):
        good = a == b and a[0] not in ("timeout", "sandbox-died", "exit-96", "exit-97", "exit-99") and not a[0].startswith("mkdtemp")
        if args.results:
            with open(args.results, "a") as f:
                f.write(f"{'PASS' if good else 'FAIL'} {args.layer} {name}\n")
        (passed if good else failed).append(name)
        if good:
            if args.verbose:
                print(f"ok   {name}", flush=True)
            return
        print(f"FAIL {name}: native {a[0]}, {'second' if args.native_only else 'inside'} {b[0]}")
        diff = list(difflib.unified_diff((a[1] + "\n" + a[0]).splitlines(), (b[1] + "\n" + b[0]).splitlines(),
                                         "native", "inside", lineterm="", n=1))
        for line in diff[:args.max_lines]:
            print("    " + line)
        if len(diff) > args.max_lines:
            print(f"    … {len(diff) - args.max_lines} lines more")
        sys.stdout.flush()

    def on_term(sig, frame):
        for pid in list(RUNNING):
            try:
                os.killpg(pid, 9)
            except ProcessLookupError:
                pass
        os._exit(143)

    signal.signal(signal.SIGTERM, on_term)
    threads = [threading.Thread(target=worker) for _ in range(args.jobs)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    shutil.rmtree(native_tmp, ignore_errors=True)
    if args.native_only:
        shutil.rmtree(second_tmp, ignore_errors=True)
    print(f"{args.layer}: {len(passed)} passed, {len(failed)} failed" + (": " + " ".join(sorted(failed)) if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
