#!/usr/bin/env python3
"""Nothing may be left in the Sentry of what a guest has made and ended: each scene of leaks.c runs in rounds, and the Sentry's
memory and descriptors are looked at from outside in between. What grows in every round is a leak; caches fill once.

  leak_test.py [--build DIR] [--results FILE] [-v] [SCENE...]
"""
import argparse, os, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests/fuzz-guest"))
from run import measure, sentry

ROUNDS, WARM_UP = 3, 500
PER_CALL = 16  # bytes a time that count as a leak: caches of names may still be filling
SLACK = 96 << 10
# Names, of files and of processes, go into a cache that is bounded but large.
CACHED = {"create", "lookups", "proc-children", "unix-names", "user-maps", "setns", "ns-in-flight"}


def parse():
    p = argparse.ArgumentParser()
    p.add_argument("--build", default=os.path.join(ROOT, "build"))
    p.add_argument("--results")
    p.add_argument("--all", action="store_true")
    p.add_argument("-v", action="store_true")
    p.add_argument("names", nargs="*")
    return p.parse_args()


class Guest:
    def __init__(self, build):
        self.proc = subprocess.Popen([f"{build}/runsc-notify", "do", "--", f"{build}/tests/leaks/leaks"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.scenes = {l.split()[1]: int(l.split()[2]) for l in self.ask("list") if l.startswith("scene ")}
        self.sentry = sentry(self.proc.pid)

    def ask(self, line):
        self.proc.stdin.write(line + "\n")
        self.proc.stdin.flush()
        lines = []
        while not lines or not lines[-1].startswith("done"):
            lines.append(self.proc.stdout.readline())
            if not lines[-1]:
                raise EOFError("the sandbox has died")
        return lines

    def run(self, name, times):
        status = self.ask(f"{name} {times}")[-1].split()[1]
        time.sleep(0.15)
        return status, measure(self.sentry)


def grows(name, times, memory):
    """memory: after each round, the warm-up's first."""
    steps = all(b > a + times * PER_CALL for a, b in zip(memory[1:], memory[2:]))
    return name not in CACHED and steps and memory[-1] > memory[1] + SLACK


def check(guest, name):
    """None, or what is wrong. Memory that grew is looked at a second time: the allocator's own may step up thrice, a leak always does."""
    times = max(1, 2400 // guest.scenes[name])
    seen = [guest.run(name, max(1, min(times, WARM_UP)))]
    for _ in range(2):
        seen = seen[-1:] + [guest.run(name, times) for _ in range(ROUNDS)]
        if any(status != "0" for status, _ in seen):
            return f"the scene ended with {[s for s, _ in seen]}"
        fds, memory = [m[0] for _, m in seen], [m[1] << 10 for _, m in seen]
        if all(b > a for a, b in zip(fds, fds[1:])):
            return f"descriptors: {fds}"
        if not grows(name, times, memory):
            return None
    return f"memory after {times} each: {memory}"


def main():
    a = parse()
    guest, failed = Guest(a.build), 0
    for name in a.names or guest.scenes:
        wrong = check(guest, name)
        failed += bool(wrong)
        if wrong or a.v:
            print(f"{'FAIL' if wrong else 'ok'} {name} {wrong or ''}", flush=True)
        if a.results:
            with open(a.results, "a") as f:
                f.write(f"{'FAIL' if wrong else 'PASS'} leaks {name}\n")
    guest.proc.stdin.close()
    guest.proc.wait(30)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
