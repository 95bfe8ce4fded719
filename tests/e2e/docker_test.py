#!/usr/bin/env python3
"""Real Docker with our runtime. RUNTIME=runc runs the same tests with runc, which shows that the tests are right."""
import os, re, shutil, subprocess, sys, tempfile, time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib import *

docker = None
work = None
GUEST = os.path.join(ROOT, "tests", "guest")


def setup():
    global docker, work
    tar = image_tarball()
    docker = Docker()
    work = tempfile.mkdtemp(prefix="rn-work-", dir="/tmp")
    atexit.register(lambda: shutil.rmtree(work, ignore_errors=True))
    docker("import", tar, "debian:test", timeout=300, check=0)
    docker("import", "--change", 'CMD ["/hello"]', hello_tarball(work), "hello:test", check=0)


def bash(script, *opts, **kw):
    # Both streams through one pipe: the client may mix the lines of two.
    return docker.run("--rm", *opts, "debian:test", "bash", "-c", "exec 2>&1; " + script, **kw)


@test
def static_hello():
    equal(docker.run("--rm", "hello:test", check=0).out, "Hello from pid 1\n")


@test(ours_only=True)
def dmesg():
    out = docker.run("--rm", "debian:test", "dmesg", check=0).out
    expect(len(out.splitlines()) >= 5, f"dmesg is short: {out!r}")


@test(ours_only=True)
def default_seccomp_profile():
    """Docker's own profile, enforced inside."""
    script = ("import ctypes, errno, os\n"
              "c = ctypes.CDLL(None, use_errno=True)\n"
              "def err(r): return errno.errorcode[ctypes.get_errno()] if r < 0 else 'ok'\n"
              "print('newuser', err(c.unshare(0x10000000)))\n"
              "print('keyctl', err(c.syscall(250, 0, -3, 0)))\n"
              "print('personality', err(c.personality(0x40000)))\n"
              "print('new call', err(c.syscall(1000)))\n"
              "print(open('/proc/self/status').read().split('Seccomp:')[1].split()[0])\n"
              "print(len(os.listdir('/usr/bin')) > 10, os.fork() >= 0)\n")
    r = docker("run", "--runtime", "with-seccomp", "--network", "none", "--rm", "debian:test", "python3", "-c", script, timeout=60, check=0)
    for want in "newuser EPERM", "keyctl EPERM", "personality EPERM", "new call ENOSYS", "\n2\n", "True True":
        contains(r.out, want)
    r = docker("run", "--runtime", "with-seccomp", "--network", "none", "--security-opt", "seccomp=unconfined", "--rm", "debian:test", "grep", "Seccomp:", "/proc/self/status", timeout=60, check=0)
    contains(r.out, "Seccomp:\t0")


@test
def uname():
    out = docker.run("--rm", "--hostname", "box", "debian:test", "uname", "-a", check=0).out
    contains(out, "Linux box ")
    if OURS:
        host = sh("uname -v", check=0).out.strip()
        expect(host not in out, f"the host's kernel shows through: {out!r}")
        contains(out.lower(), "runsc-notify")


@test
def bash_pipelines():
    r = bash("seq 1 20 | grep 1 | sort -r | head -n 3 | tr '\\n' ,; echo; ls -d /e*; cat <<X\nhere $((1+2))\nX\n"
             "echo /usr/bin/ba*; diff <(echo a) <(echo b) | wc -l; for i in a b; do echo $i; done | wc -c; false; echo $?", check=0)
    equal(r.out, "19,18,17,\n/etc\nhere 3\n" + "/usr/bin/base32 /usr/bin/base64 /usr/bin/basename /usr/bin/basenc /usr/bin/bash /usr/bin/bashbug\n" + "4\n4\n1\n")


@test
def bash_job_control():
    r = bash("set -m; sleep 100 & sleep 100 & jobs | wc -l; kill -STOP %1; sleep 0.2; jobs %1 | grep -o Stopped; kill -CONT %1; "
             "kill %1 %2; sleep 100 & p=$!; kill -9 $p; wait $p; echo st $?; (sleep 0.1; exit 7) & wait $!; echo st $?", check=0)
    for want in ("2\n", "Stopped\n", "st 137\n", "st 7\n"):
        contains(r.out, want)


@test(timeout=120)
def python_program():
    for script in "py_basics.py", "py_sqlite.py":
        here = tempfile.mkdtemp(dir=work)
        want = sh(["python3", os.path.join(GUEST, script)], cwd=here, check=0)
        r = docker.run("--rm", "-v", f"{GUEST}:/t:ro", "-w", "/tmp", "debian:test", "python3", f"/t/{script}", timeout=100)
        # The standard streams of a container's python may be buffered in another order than on a pipe: compare sorted.
        equal(sorted(r.out.splitlines()), sorted(want.out.splitlines()), script)
        equal(r.returncode, 0)


@test
def perl_program():
    r = docker.run("--rm", "debian:test", "perl", "-e",
                   'my %h; $h{$_ % 7} += $_ for 1..1000; print join(",", map {"$_=$h{$_}"} sort keys %h), "\\n"; '
                   'open my $p, "-|", "echo piped" or die; print <$p>; close $p; my $pid = fork; exit 5 unless $pid; '
                   'waitpid $pid, 0; print $? >> 8, "\\n"; $SIG{ALRM} = sub { print "alarm\\n"; exit 0 }; '
                   'alarm 1; sleep 5;', check=0)
    for want in ("piped\n", "\n5\n", "alarm\n"):
        contains(r.out, want)
    equal(sum(int(x.split("=")[1]) for x in r.out.splitlines()[0].split(",")), 500500)


@test(timeout=240)
def gcc_make_project():
    d = tempfile.mkdtemp(dir=work)
    for i in range(50):
        with open(f"{d}/m{i}.c", "w") as f:
            f.write(f"#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\nint f{i}(int x) {{ char b[64]; "
                    f"snprintf(b, sizeof b, \"%d\", x + {i}); return atoi(b) + (int)strlen(b); }}\n")
    with open(f"{d}/main.c", "w") as f:
        f.write("#include <stdio.h>\n" + "".join(f"int f{i}(int);\n" for i in range(50)) + "int main(void) { long s = 0;\n"
                + "".join(f"s += f{i}({i});\n" for i in range(50)) + 'printf("%ld\\n", s); return 0; }\n')
    with open(f"{d}/Makefile", "w") as f:
        f.write("OBJS = main.o " + " ".join(f"m{i}.o" for i in range(50)) + "\nprog: $(OBJS)\n\tgcc -o $@ $^\n%.o: %.c\n\tgcc -O1 -c -o $@ $<\n")
    want = sum(2 * i + len(str(2 * i)) for i in range(50))
    r = docker.run("--rm", "-v", f"{d}:/src:ro", "debian:test", "bash", "-c",
                   "cp -r /src /build && cd /build && make -s -j2 && ./prog && ls *.o | wc -l", timeout=230, check=0)
    equal(r.out.split(), [str(want), "51"])


@test(timeout=90)
def git_clone():
    r = bash("set -e; cd /root; git config --global user.email a@b; git config --global user.name n; "
             "git config --global init.defaultBranch main; git init -q repo; cd repo; "
             "for i in $(seq 1 40); do mkdir -p d$((i % 5)); echo $i > d$((i % 5))/f$i; done; git add -A; git commit -qm one; "
             "echo more >> d1/f1; git commit -qam two; cd ..; git clone -q repo copy; git clone -q file:///root/repo packed; "
             "cd packed; git log --oneline | wc -l; git status --short | wc -l; cat d1/f1; git fsck 2>&1 | grep -c error || true; diff -r --exclude .git . ../copy && echo same", timeout=80, check=0)
    equal(r.out.split(), ["2", "0", "1", "more", "0", "same"])


@test(timeout=180)
def tar_10000_files():
    r = bash("set -e; mkdir -p /tmp/t && cd /tmp/t; for i in $(seq 0 99); do mkdir d$i; (cd d$i; for j in $(seq 0 99); do echo $i.$j > f$j; done); done; "
             "cd ..; tar czf t.tgz t; mkdir x; tar xzf t.tgz -C x; diff -r t x/t && echo same; find x -type f | wc -l; gzip -t t.tgz && echo good; rm -rf x t", timeout=170, check=0)
    equal(r.out.split(), ["same", "10000", "good"])


@test(timeout=60)
def interactive_ctrl_c():
    t = docker.terminal("run", "--rm", "-it", "--runtime", RUNTIME_NAME, "--network", "none", "debian:test", "bash", "--norc")
    try:
        t.expect(r"bash-[\d.]+#")
        t.send("sleep 100\r")
        t.expect("sleep 100\r\n")
        time.sleep(0.5)
        t.send("\x03")
        t.expect(r"\^C.*bash-[\d.]+#")
        t.send("echo st=$?\r")
        t.expect(r"st=130")
        t.send("tty; test -t 0 -a -t 1 -a -t 2 && echo is-a-tty\r")
        t.expect(r"/dev/\S+\r\n.*\r?\n?is-a-tty\r\n")
        t.send("exit 5\r")
        equal(t.wait(), 5)
    finally:
        t.close()


@test(timeout=60)
def interactive_ctrl_z():
    t = docker.terminal("run", "--rm", "-it", "--runtime", RUNTIME_NAME, "--network", "none", "debian:test", "bash", "--norc")
    try:
        t.expect(r"bash-[\d.]+#")
        t.send("sleep 300\r")
        t.expect("sleep 300\r\n")
        time.sleep(0.5)
        t.send("\x1a")
        t.expect(r"Stopped\s+sleep 300")
        t.send("jobs\r")
        t.expect(r"\[1\]\+\s+Stopped")
        t.send("bg\r")
        t.expect(r"\[1\]\+ sleep 300 &")
        t.send("fg\r")
        t.expect(r"sleep 300\r\n")
        time.sleep(0.5)
        t.send("\x03")
        t.expect(r"\^C")
        t.send("echo left $(jobs | wc -l)\r")
        t.expect(r"left 0\r\n.*bash-[\d.]+#")  # the shell reads keys again: only then is ^D for it
        t.send("\x04")
        t.wait()
    finally:
        t.close()


@test(timeout=60)
def interactive_resize():
    t = docker.terminal("run", "--rm", "-it", "--runtime", RUNTIME_NAME, "--network", "none", "debian:test", "bash", "--norc", rows=30, cols=100)
    try:
        t.expect(r"bash-[\d.]+#")

        def size():
            t.send("stty size; echo sized\r")
            return t.expect(r"(\d+) (\d+)\r\nsized").groups()
        wait_for(lambda: size() == ("30", "100"), "the first size arrives", 10)
        t.send("trap 'echo got-it >> /tmp/winch'  WINCH; echo trap-''is-set\r")
        t.expect(r"trap-is-set\r\n.*bash-[\d.]+#")
        t.resize(40, 120)
        wait_for(lambda: size() == ("40", "120"), "the new size arrives", 10)
        t.send("cat /tmp/winch\r")
        t.expect("got-it\r\n")
        t.send("exit\r")
        equal(t.wait(), 0)
    finally:
        t.close()


@test(timeout=90)
def exec_logs_top_stop():
    name = "elts"
    docker.run("-d", "--name", name, "debian:test", "bash", "-c", "echo to-stdout; echo to-stderr >&2; trap 'echo got term; exit 9' TERM; while :; do sleep 0.1; done", check=0)
    wait_for(lambda: "to-stderr" in docker("logs", name).out, "logs show up")
    contains(docker("logs", name).out, "to-stdout\n")
    equal(docker("exec", name, "echo", "inside", check=0).out, "inside\n")
    equal(docker("exec", "-i", name, "cat", input="piped in", check=0).out, "piped in")
    equal(docker("exec", "-u", "1000:1000", "-w", "/usr", "-e", "A=b", name, "bash", "-c", "id -u; pwd; echo $A; exit 3").out, "1000\n/usr\nb\n")
    equal(docker("exec", name, "bash", "-c", "exit 42").returncode, 42)
    expect(docker("exec", name, "no-such-program").returncode in (126, 127), "exec of a missing program")
    contains(docker("exec", name, "ps", "-e", "-o", "pid,args", check=0).out, "    1 bash -c echo to-stdout")
    out = docker("top", name, check=0).out
    expect(len(out.splitlines()) >= 2, f"top: {out!r}")
    docker("exec", "-d", name, "bash", "-c", "echo detached > /tmp/d", check=0)
    wait_for(lambda: docker("exec", name, "cat", "/tmp/d").out == "detached\n", "a detached exec has run")
    equal(docker("inspect", "-f", "{{.State.Status}} {{.State.Running}}", name).out, "running true\n")
    start = time.monotonic()
    docker("stop", "-t", "10", name, check=0)
    expect(time.monotonic() - start < 8, "stop took as long as its timeout")
    equal(docker("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", name).out, "exited 9\n")
    contains(docker("logs", name).out, "got term")
    docker("start", name, check=0)
    equal(docker("inspect", "-f", "{{.State.Status}}", name).out, "running\n")
    docker("rm", "-f", name, check=0)


@test(timeout=60)
def exec_interactive():
    name = "execit"
    docker.run("-d", "--name", name, "debian:test", "sleep", "1000", check=0)
    t = docker.terminal("exec", "-it", name, "bash", "--norc")
    try:
        t.expect(r"bash-[\d.]+#")
        t.send("ps -e -o pid,comm | head -n 3; tty\r")
        t.expect(r"1 sleep\r\n")
        t.expect(r"/dev/(pts/\d+|console)\r\n")
        t.send("sleep 50\r")
        t.expect("sleep 50\r\n")
        time.sleep(0.4)
        t.send("\x03")
        t.expect(r"\^C")
        t.send("exit 6\r")
        equal(t.wait(), 6)
    finally:
        t.close()
        docker("rm", "-f", name)


@test(timeout=60)
def kill_signals():
    name = "kills"
    docker.run("-d", "--name", name, "debian:test", "bash", "-c", "trap 'echo usr1' USR1; echo ready; while :; do sleep 0.05; done", check=0)
    wait_for(lambda: "ready" in docker("logs", name).out, "ready")
    docker("kill", "-s", "USR1", name, check=0)
    wait_for(lambda: "usr1" in docker("logs", name).out, "the signal is handled")
    docker("kill", name, check=0)
    wait_for(lambda: docker("inspect", "-f", "{{.State.Status}}", name).out == "exited\n", "it has exited")
    equal(docker("inspect", "-f", "{{.State.ExitCode}}", name).out, "137\n")
    docker("rm", name, check=0)


@test(timeout=60)
def exit_codes():
    for code in (0, 1, 42, 255):
        equal(bash(f"exit {code}").returncode, code)
    equal(bash("kill -TERM $$; sleep 1; exit 3").returncode, 3)  # pid 1 has no handler for it
    equal(bash("bash -c 'kill -SEGV $$'; exit $?").returncode, 139)
    equal(docker.run("--rm", "debian:test", "python3", "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL); os.abort()").returncode != 0, True)
    equal(docker.run("--rm", "debian:test", "no-such-program").returncode, 127)
    equal(docker.run("--rm", "debian:test", "/etc/passwd").returncode, 126)


@test(timeout=60)
def volumes():
    d = tempfile.mkdtemp(dir=work)
    os.chmod(d, 0o777)
    with open(f"{d}/in", "w") as f:
        f.write("from the host\n")
    r = bash("cat /v/in; echo from the container > /v/out; mkdir /v/dir; ln -s in /v/link; mv /v/in /v/moved; chmod 600 /v/out; stat -c %a /v/out", "-v", f"{d}:/v", check=0)
    equal(r.out, "from the host\n600\n")
    equal(open(f"{d}/out").read(), "from the container\n")
    equal(sorted(os.listdir(d)), ["dir", "link", "moved", "out"])
    r = bash("cat /v/moved; touch /v/x; echo $?; rm /v/out; echo $?; echo y > /v/moved; echo $?", "-v", f"{d}:/v:ro")
    contains(r.out, "from the host\n")
    expect(r.out.count("Read-only file system") == 3, f"a read-only volume was written: {r.out!r}")
    equal(sorted(os.listdir(d)), ["dir", "link", "moved", "out"])
    f = f"{d}/moved"
    equal(bash("cat '/a file'", "-v", f"{f}:/a file").out, "from the host\n")
    # what is written to the image's own files does not reach the next container
    equal(bash("echo x > /etc/marker; cat /etc/marker").out, "x\n")
    expect("x" not in bash("cat /etc/marker 2>/dev/null").out, "a file survived its container")


@test(timeout=60)
def host_sees_volume_changes():
    d = tempfile.mkdtemp(dir=work)
    name = "volchg"
    docker.run("-d", "--name", name, "-v", f"{d}:/v", "debian:test", "sleep", "1000", check=0)
    with open(f"{d}/late", "w") as f:
        f.write("written later\n")
    equal(docker("exec", name, "cat", "/v/late").out, "written later\n")
    os.rename(f"{d}/late", f"{d}/renamed")
    equal(docker("exec", name, "ls", "/v").out, "renamed\n")
    docker("rm", "-f", name, check=0)


@test(timeout=60)
def options():
    equal(bash("id -u; id -g; echo $HOME", "-u", "1000:1001").out, "1000\n1001\n/\n")
    equal(bash("pwd", "-w", "/made/for/me").out, "/made/for/me\n")
    equal(bash("echo $X-$Y", "-e", "X=1", "-e", "Y=two words").out, "1-two words\n")
    r = bash("touch /x; echo $?; touch /tmp/y; echo $?; touch /dev/shm/z; echo $?; echo q > /etc/hosts; echo $?", "--read-only", "--tmpfs", "/tmp:size=1m")
    equal([l for l in r.out.splitlines() if l.isdigit()], ["1", "0", "0", "1"])
    r = bash("df -k /t | tail -n 1 | awk '{print $2}'; dd if=/dev/zero of=/t/f bs=64k count=100 2>&1 | grep -c 'No space left'; stat -c %a /t", "--tmpfs", "/t:size=1m,mode=1777")
    equal(r.out, "1024\n1\n1777\n")
    equal(bash("hostname; cat /etc/hostname", "--hostname", "myname").out, "myname\nmyname\n")
    equal(bash("ulimit -n; ulimit -Hn", "--ulimit", "nofile=100:200").out, "100\n200\n")
    equal(bash("grep CapEff /proc/self/status", "--cap-drop", "ALL").out.split()[1], "0" * 16)
    equal(bash("chown 1:1 /etc/passwd && echo done", "--cap-drop", "ALL", "--cap-add", "CHOWN").out, "done\n")
    equal(docker.run("--rm", "--entrypoint", "echo", "debian:test", "a", "b").out, "a b\n")
    equal(docker.run("--rm", "-i", "debian:test", "cat", input="stdin text").out, "stdin text")


@test(timeout=60)
def container_view():
    equal(bash("echo $$; ls /proc | grep -c '^[0-9]'; cat /proc/1/comm").out.split()[0], "1")
    out = bash("ls -l /dev/fd /dev/stdin; ls /dev | sort | tr '\\n' ' '; for d in null zero full random urandom tty; do test -c /dev/$d || echo no $d; done; echo; cat /proc/mounts | awk '{print $2}' | sort | tr '\\n' ' '", check=0).out
    expect("no " not in out, out)
    for mount in (" /dev ", " /dev/pts ", " /dev/shm ", " /proc ", " /sys ", "/etc/hosts"):
        contains(" " + out.replace("\n", " ") + " ", mount)
    r = bash("head -c 10 /proc/kcore | wc -c; ls /sys/firmware 2>/dev/null | wc -l; echo x > /proc/sys/kernel/hostname; echo $?")
    equal([l for l in r.out.splitlines() if l.isdigit()], ["0", "0", "1"])
    equal(bash("free -m | grep -c Mem; top -b -n 1 | head -n 1 | cut -c1-3; ps -p 1 -o comm --no-headers; true").out, "1\ntop\nbash\n")


@test(timeout=60)
def pause_unpause():
    name = "pausing"
    docker.run("-d", "--name", name, "debian:test", "bash", "-c", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done", check=0)
    wait_for(lambda: docker("logs", name).out.count("\n") > 3, "it counts")
    docker("pause", name, check=0)
    equal(docker("inspect", "-f", "{{.State.Status}}", name).out, "paused\n")
    time.sleep(0.3)
    a = docker("logs", name).out
    time.sleep(0.6)
    equal(docker("logs", name).out, a, "output while paused")
    docker("unpause", name, check=0)
    wait_for(lambda: docker("logs", name).out != a, "it goes on")
    docker("rm", "-f", name, check=0)


@test(timeout=90)
def ten_containers():
    names = [f"many{i}" for i in range(10)]
    for n in names:
        docker.run("-d", "--name", n, "debian:test", "sleep", "1000", check=0)
    for n in names:
        equal(docker("exec", n, "cat", "/etc/hostname").returncode, 0)
    docker("rm", "-f", *names, check=0)


@test(timeout=60)
def docker_cp_and_diff():
    name = "copies"
    docker.run("-d", "--name", name, "debian:test", "sleep", "1000", check=0)
    with open(f"{work}/copied", "w") as f:
        f.write("copied in\n")
    docker("cp", f"{work}/copied", f"{name}:/copied", check=0)
    docker("rm", "-f", name, check=0)


@test(timeout=40)
def wait_and_restart_policy():
    name = "restarts"
    docker.run("-d", "--name", name, "--restart", "on-failure:2", "debian:test", "bash", "-c", "echo run; exit 3", check=0)
    wait_for(lambda: docker("inspect", "-f", "{{.State.Status}} {{.RestartCount}}", name).out == "exited 2\n", "it has been restarted twice", 25)
    equal(docker("logs", name).out, "run\nrun\nrun\n")
    docker("rm", "-f", name, check=0)


@test(timeout=30)
def nothing_is_left():
    """Last: every container of the tests above has left nothing behind."""
    ids = docker("ps", "-aq").out.split()
    if ids:
        docker("rm", "-f", *ids, check=0)
    wait_for(lambda: not leftovers(), f"processes have ended: {leftovers()}", 10)
    state = f"{docker.dir}/exec/runtime-runc/moby"
    wait_for(lambda: not os.path.isdir(state) or not os.listdir(state), "the state directory is empty", 5)


def leftovers():
    """Our own processes whose command line names this daemon's directory or a container of ours."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            cmd = open(f"/proc/{pid}/cmdline", "rb").read().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if "runsc-notify-" in cmd and docker.dir in cmd or "containerd-shim" in cmd and docker.dir in cmd:
            found.append(f"{pid} {cmd[:100]}")
    return found


if __name__ == "__main__":
    sys.exit(run_tests("docker", setup))
