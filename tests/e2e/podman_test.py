#!/usr/bin/env python3
"""podman with our runtime (RUNTIME=runc for runc)."""
import os, sys, tempfile, shutil
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib import *

podman = None
work = None


def setup():
    global podman, work
    if not shutil.which("podman"):
        raise Failure("podman is not installed")
    podman = Podman()
    work = tempfile.mkdtemp(prefix="rn-work-", dir="/tmp")
    atexit.register(lambda: shutil.rmtree(work, ignore_errors=True))
    podman("import", image_tarball(), "debian:test", timeout=300, check=0)
    podman("import", "--change", 'CMD ["/hello"]', hello_tarball(work), "hello:test", check=0)


@test
def static_hello():
    equal(podman.run("--rm", "hello:test", check=0).out, "Hello from pid 1\n")


@test(timeout=120)
def python_program():
    want = sh(["python3", os.path.join(ROOT, "tests/guest/py_basics.py")], cwd=work, check=0)
    r = podman.run("--rm", "-v", f"{ROOT}/tests/guest:/t:ro", "-w", "/tmp", "debian:test", "python3", "/t/py_basics.py", timeout=100, check=0)
    equal(sorted(r.out.splitlines()), sorted(want.out.splitlines()))


@test
def exit_codes():
    for code in (0, 3, 255):
        equal(podman.run("--rm", "debian:test", "bash", "-c", f"exit {code}").returncode, code)
    equal(podman.run("--rm", "debian:test", "no-such-program").returncode, 127)
    equal(podman.run("--rm", "debian:test", "/etc/passwd").returncode, 126)


@test(timeout=90)
def detached_exec_logs_stop():
    podman.run("-d", "--name", "det", "debian:test", "bash", "-c", "echo started; trap 'exit 9' TERM; while :; do sleep 0.1; done", check=0)
    wait_for(lambda: "started" in podman("logs", "det").out, "logs show up")
    equal(podman("exec", "det", "echo", "inside", check=0).out, "inside\n")
    equal(podman("exec", "det", "bash", "-c", "exit 42").returncode, 42)
    equal(podman("exec", "-i", "det", "cat", input="piped").out, "piped")
    podman("stop", "-t", "10", "det", timeout=30, check=0)
    equal(podman("inspect", "-f", "{{.State.ExitCode}}", "det").out, "9\n")
    podman("rm", "-f", "det", check=0)


@test
def interactive():
    t = Terminal(["podman", *podman.flags, "run", "--rm", "-it", "--network", "none", "debian:test", "bash", "--norc"], env=podman.env)
    try:
        t.expect(r"bash-[\d.]+#")
        t.send("sleep 100\r")
        t.expect("sleep 100\r\n")
        time.sleep(0.5)
        t.send("\x03")
        t.expect(r"\^C")
        t.send("exit 4\r")
        equal(t.wait(), 4)
    finally:
        t.close()


@test
def volumes_and_options():
    d = tempfile.mkdtemp(dir=work)
    equal(podman.run("--rm", "-v", f"{d}:/v", "-u", "0", "-e", "X=y", "-w", "/v", "debian:test", "bash", "-c", "echo $X > f; pwd", check=0).out, "/v\n")
    equal(open(f"{d}/f").read(), "y\n")
    r = podman.run("--rm", "--read-only", "debian:test", "bash", "-c", "exec 2>&1; touch /x; echo $?; touch /tmp/y; echo $?")
    equal([l for l in r.out.splitlines() if l.isdigit()], ["1", "0"])


@test
def kill_and_remove():
    podman.run("-d", "--name", "kr", "debian:test", "sleep", "1000", check=0)
    podman("kill", "kr", check=0)
    wait_for(lambda: podman("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "kr").out == "exited 137\n", "it is dead")
    podman("rm", "kr", check=0)
    podman.run("-d", "--name", "kr", "debian:test", "sleep", "1000", check=0)
    podman("rm", "-f", "-t", "0", "kr", check=0)
    equal(podman("ps", "-aq").out, "")


if __name__ == "__main__":
    sys.exit(run_tests("podman", setup))
