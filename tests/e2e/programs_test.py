#!/usr/bin/env python3
"""Language runtimes, servers and tools in Docker with our runtime. RUNTIME=runc runs the same with runc."""
import os, re, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from lib import *

PROGRAMS = os.path.join(HERE, "programs")
docker = None
# What runc needs for the same: ours has no profile to switch off.
PTRACE = ["--cap-add", "SYS_PTRACE", "--security-opt", "seccomp=unconfined"]
OPEN = ["--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined", "--security-opt", "systempaths=unconfined"]


def setup():
    global docker
    tar = image_tarball("programs")
    docker = Docker()
    docker("import", tar, "debian:programs", timeout=600, check=0)


def bash(script, *opts, timeout=60, check=0):
    return docker.run("--rm", "-v", f"{PROGRAMS}:/p:ro", *opts, "debian:programs", "bash", "-c", "exec 2>&1; cd /tmp; " + script,
                      timeout=timeout, check=check).out


@test
def node():
    equal(sorted(bash("node /p/node.js").splitlines()),
          sorted(["exec hi", "file abc 3", "worker 42", "cat piped", "cat ended 0", "gunzip 100000", "signal", "timer", "socket echoed"]))


@test
def node_processes():
    """Atomics.wait, fork's channel, inotify, cluster, a heap snapshot, the thread pool."""
    equal(bash("node /p/cluster.js").splitlines(),
          ["atomics 4000", "ipc 40", "ipc exit 0", "watch change a, rename a, rename b", "cluster true true", "killed 3", "heap true",
           "pool 19900", "sync in 7", "timeout SIGTERM ETIMEDOUT", "dirs true true"])


@test(timeout=180)
def java():
    """Compile, then run with every collector."""
    out = bash("javac -d . /p/Threads.java && for g in Serial Parallel G1 Z Shenandoah; do "
               "java -XX:+Use${g}GC -Xmx256m -cp . Threads || exit; done", timeout=170)
    equal(out, "256237500\nfrom sh\n0\n" * 5)


@test(timeout=180)
def go():
    out = bash("go build -o prog /p/main.go && ./prog", "-e", "HOME=/tmp", timeout=170)
    equal(out, 'sum 100000\npreempted\n"child\\n" exit status 3\nuser defined signal 1\n')


# Go's tests left out, by package: they want what the image does not have, Debian's tzdata and a go command with symbols.
GO_WITHOUT = {"time": ["TestLoadLocationFromTZData"], "net/http": ["TestCmdGoNoHTTPServer"]}


def go_package(package, timeout):
    """As an ordinary user: what root may do is not what these tests expect."""
    without = "|".join(GO_WITHOUT.get(package, ["-"]))
    out = bash(f"""useradd -m g; cat >run.sh <<'E'
        cd /usr/lib/go-1.19/src/{package} && go test -c -tags timetzdata -o /tmp/g.test . || exit
        /tmp/g.test -test.short -test.run "^($(/tmp/g.test -test.list . | grep -vxE '{without}' | paste -sd '|'))$" && echo passed
E
        su g -c 'HOME=/home/g bash run.sh'""", timeout=timeout, check=None)
    expect(re.search("^passed$", out, re.M), f"{package}: {out[-3000:]}")


@test(timeout=300, long=True)
def go_package_tests():
    for package in "os", "os/exec", "os/signal", "syscall", "time":
        go_package(package, 200)


@test(timeout=900, long=True)
def go_net_tests():
    for package in "net", "net/textproto", "net/rpc", "net/http", "net/http/httptest":
        go_package(package, 800)


@test(timeout=900, long=True)
def go_runtime_tests():
    go_package("runtime", 850)


@test
def ruby():
    out = bash("""ruby -e 'puts `echo child`; Thread.new { puts "thread" }.join; pid = fork { exit 3 }; Process.wait pid
        puts $?.exitstatus; r, w = IO.pipe; w.puts "pipe"; puts r.gets; trap("USR1") { puts "signal" }
        Process.kill("USR1", $$); sleep 0.2; require "socket"; s = UNIXServer.new("/tmp/s"); c = UNIXSocket.new("/tmp/s")
        s.accept.puts("socket"); puts c.gets; puts (1..100000).map { |i| i.to_s }.join.size; GC.start'""")
    equal(out.split(), ["child", "thread", "3", "pipe", "signal", "socket", "488895"])


@test
def php():
    out = bash("""php -r 'echo shell_exec("echo child"); file_put_contents("/tmp/f", "z"); echo file_get_contents("/tmp/f"), "\\n";
        $p = proc_open(["cat"], [["pipe", "r"], ["pipe", "w"]], $io); fwrite($io[0], "piped\\n"); fclose($io[0]);
        echo stream_get_contents($io[1]); echo proc_close($p), "\\n"; $a = range(1, 50000); usort($a, fn($x, $y) => $y - $x);
        echo count($a), "\\n"; echo iterator_count(new DirectoryIterator("/usr/bin")) > 100 ? "many\\n" : "few\\n";'""")
    equal(out.split(), ["child", "z", "piped", "0", "50000", "many"])


@test(timeout=150)
def postgres():
    out = bash("bash /p/postgres.sh", timeout=140)
    equal([l for l in out.splitlines() if "failed" in l and ": 0 " not in l], [], "failed transactions")
    contains(out, "number of clients: 8\n")
    equal(out.splitlines()[-4:], ["t", "1", "t", "stopped"])


@test(timeout=120)
def redis():
    equal(bash("bash /p/redis.sh", timeout=110).split(),
          ["rdb_last_bgsave_status:ok", "aof_last_bgrewrite_status:ok", "aof_last_write_status:ok", "v7", "5000", "appendonlydir", "dump.rdb", "log"])


@test(timeout=150)
def mariadb():
    equal(bash("bash /p/mariadb.sh", timeout=140).split("\n"), ["count(*)\tsum(a)", "1000\t500500", "1000\t100000", "stopped", ""])


@test(timeout=60)
def strace_follows():
    out = bash("strace -f -o log sh -c '/bin/ls / | wc -l'; grep -c 'execve(\"' log; grep -c 'exited with 0' log; "
               "strace -e trace=openat -e inject=openat:error=ENOENT:when=3+ cat /etc/passwd | tail -n 1; strace -c true | tail -n 1", *PTRACE)
    lines = out.split("\n")
    expect(int(lines[0]) > 10, out)
    equal(lines[1:3], ["3", "3"])
    contains(out, "(INJECTED)")
    contains(out, "total")


@test(timeout=90)
def gdb_session():
    out = bash("gcc -g -O0 -o t /p/twice.c && gdb -q -batch -x /p/session.gdb ./t", *PTRACE, timeout=80)
    for want in "Breakpoint 1, twice", "#1  0x", "Value returned is $1 = 0", "= 42\n", "atchpoint 2: s", "Old value = 0", "\n20\n", "exited normally":
        contains(out, want)
    out = bash("sleep 100 & sleep 0.2; gdb -q -batch -p $! -ex bt -ex 'generate-core-file c' -ex detach; gdb -q -batch /bin/sleep c -ex bt; kill %1",
               *PTRACE, timeout=80)
    contains(out, "Saved corefile c")
    expect(len(re.findall(r"#0 .*nanosleep", out)) >= 2, f"back traces with nanosleep on top: {out}")


@test(timeout=90)
def core_files():
    """What gdb makes of a core: libraries, so that the stack has names."""
    out = bash("ulimit -c unlimited; mkdir c; cd c; sleep 100 & sleep 0.3; kill -SEGV %1; wait %1; echo $?; "
               "gdb -q -batch sleep core* -ex bt", timeout=80)
    contains(out, "(core dumped)")
    contains(out, "\n139\n")
    contains(out, "terminated with signal SIGSEGV")
    contains(out, "__libc_start_main")


@test
def bubblewrap():
    out = bash("useradd -m u; su u -c 'bwrap --unshare-all --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --hostname box "
               "--uid 77 sh -c \"id -u; hostname; ls /proc | grep -c ^[0-9]; echo x > /tmp/f && cat /tmp/f; touch /etc/no 2>&1 | grep -o Read-only\"'", *OPEN)
    equal(out.split(), ["77", "box", "4", "x", "Read-only"])


@test
def nested_unshare():
    out = bash("unshare -Urpf --mount-proc sh -c 'id -u; echo $$; unshare -Urpf --mount-proc sh -c \"echo \\$\\$; cat /proc/self/uid_map\"'; "
               "unshare -u sh -c 'hostname other; hostname'; hostname | grep -c other", *OPEN, check=None)
    equal(out.split(), ["0", "1", "1", "0", "0", "1", "other", "0"])


@test
def systemd_run_refused():
    out = bash("systemd-run true; echo $?; systemctl is-system-running; echo $?", check=0)
    contains(out, "System has not been booted with systemd")
    contains(out, "offline")


if __name__ == "__main__":
    sys.exit(run_tests("programs", setup))
