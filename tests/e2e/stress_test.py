#!/usr/bin/env python3
"""stress-ng's stressors for two seconds each, in Docker: what runs with runc must run with ours, and leave nothing.

  stress_test.py [--results FILE] [--all] [-v] [--seconds N] [NAME...]

Without --all and names, one stressor of every fifth is run. runc's verdicts are kept in the tests' cache: they are a
matter of stress-ng and the host's kernel. Exceptions, with their reasons, are in stress_exceptions.txt.
"""
import argparse, json, os, platform, re, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lib
from lib import *

CLASSES = "cpu", "memory", "vm", "pipe", "scheduler", "interrupt", "os", "filesystem", "network"
LONGEST_END = 120
NOT_ROOT = "exec", "spawn"  # stress-ng runs these only as an ordinary user
CACHE = os.path.join(os.environ.get("RUNSC_NOTIFY_TEST_CACHE", "/var/cache/runsc-notify-tests"), "stress-ng-runc.json")


def stressors(docker):
    names = set()
    for c in CLASSES:
        out = docker("run", "--rm", "--network", "none", "debian:programs", "stress-ng", "--class", c + "?", check=0).out
        names.update(out.split(":", 1)[1].split())
    return sorted(names)


def exceptions():
    """NAME REASON lines: not run at all, or known to differ."""
    with open(os.path.join(HERE, "stress_exceptions.txt")) as f:
        return dict(l.split(None, 1) for l in f if l.strip() and not l.startswith("#"))


def run(docker, runtime, name, seconds):
    """(verdict, output): 'ran', 'skipped' (stress-ng says that it cannot), or what went wrong."""
    try:
        # What some do at their end is more than what they did in time: resources closes two million descriptors.
        r = docker("run", "--rm", "--cidfile", f"{docker.dir}/{runtime}-{name}.cid", "--runtime", runtime, "--network", "none", "--memory", "2g", "--pids-limit", "4000",
                   *(["--user", "65534"] if name in NOT_ROOT else []), "debian:programs",
                   "stress-ng", "--" + name, "1", "-t", str(seconds), "--vm-bytes", "64M", "--temp-path", "/tmp", timeout=seconds + LONGEST_END)
    except subprocess.TimeoutExpired as e:
        ids = docker("ps", "-aq").out.split()
        if ids:
            docker("rm", "-f", *ids)
        return "hung", (e.stdout or b"").decode(errors="replace")
    took = re.search(r"completed in ([\d.]+)s", r.out)
    if r.returncode in (3, 4) or "will be skipped" in r.out or "skipping stressor" in r.out or "No stress workers" in r.out:
        return "skipped", r.out
    if r.returncode != 0:
        return f"exit status {r.returncode}", r.out
    if not took or float(took[1]) < 0.6 * seconds:
        return "ended early", r.out
    return "ran", r.out


def native(docker, name, seconds, cache):
    if name not in cache:
        cache[name] = run(docker, "runc", name, seconds)[0]
        with open(CACHE + ".new", "w") as f:
            json.dump(cache, f, indent=1)
        os.rename(CACHE + ".new", CACHE)
    return cache[name]


def leftovers(docker):
    """Processes that name one of our containers."""
    ids, found = [], []
    for f in os.listdir(docker.dir):
        if f.endswith(".cid"):
            with open(f"{docker.dir}/{f}") as cid:
                ids.append(cid.read().strip())
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                cmd = f.read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if "runsc-notify" in cmd and any(i and i in cmd for i in ids):
            found.append(f"{pid} {cmd[:100]}")
    return found


def load_cache():
    key = f"{platform.release()}"
    try:
        with open(CACHE) as f:
            cache = json.load(f)
        if cache.get("kernel") == key:
            return cache
    except (OSError, ValueError):
        pass
    return {"kernel": key}


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--results")
    ap.add_argument("--all", action="store_true")
    ap.add_argument("--seconds", type=int, default=2)
    ap.add_argument("-v", action="store_true")
    ap.add_argument("names", nargs="*")
    args = ap.parse_args()
    tar = image_tarball("programs")
    docker = Docker()
    docker("import", tar, "debian:programs", timeout=600, check=0)
    except_, cache, counts = exceptions(), load_cache(), {"PASS": 0, "FAIL": 0, "SKIP": 0}
    names = args.names or stressors(docker)
    if not args.all and not args.names:
        names = names[::5]
    for name in names:
        if name in except_ and not args.names:
            verdict, why, out = "SKIP", except_[name].strip(), ""
        elif (was := native(docker, name, args.seconds, cache)) != "ran":
            verdict, why, out = "SKIP", f"with runc: {was}", ""
        else:
            got, out = run(docker, RUNTIME_NAME, name, args.seconds)
            verdict, why = ("PASS", "") if got == "ran" else ("FAIL", got)
        counts[verdict] += 1
        if verdict == "FAIL":
            print(f"FAIL {name}: {why}", *["    " + l for l in out.splitlines()[-12:]], sep="\n", flush=True)
        elif args.v:
            print(verdict.lower(), name, why, flush=True)
        if args.results:
            with open(args.results, "a") as f:
                f.write(f"{verdict} stress {name} {why if verdict == 'SKIP' else ''}".rstrip() + "\n")
    try:
        wait_for(lambda: not leftovers(docker), "processes have ended", 20)
        verdict = "PASS"
    except Failure:
        verdict = "FAIL"
        print("FAIL nothing-is-left:", *leftovers(docker), sep="\n    ")
    counts[verdict] += 1
    if args.results:
        with open(args.results, "a") as f:
            f.write(f"{verdict} stress nothing-is-left\n")
    docker.stop()
    print(f"stress ({RUNTIME_NAME}): {counts['PASS']} passed, {counts['FAIL']} failed, {counts['SKIP']} skipped")
    return 1 if counts["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
