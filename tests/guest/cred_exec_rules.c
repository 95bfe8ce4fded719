/* What execve does beside the ids: a shared fs_struct, a tracer, unreadable programs, personality, the parent's death
 * signal; securebits and their locks; ambient and bounding sets. */
#include "guest.h"
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/ptrace.h>

static void copy_self(const char *to, mode_t mode) {
  char buf[65536];
  int in = MUST(open("/proc/self/exe", O_RDONLY)), out = MUST(open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755));
  for (ssize_t n; (n = read(in, buf, sizeof buf)) > 0;)
    MUST(write(out, buf, n));
  close(in), close(out);
  MUST(chmod(to, mode));
}
static void user(void) {
  MUST(setgroups(0, NULL));
  MUST(setresgid(1000, 1000, 1000));
  MUST(setresuid(1000, 1000, 1000));
}
static void run(const char *file, const char *what) {
  execl(file, file, what, NULL);
  say("  %s: exec: %s", what, ename(errno));
}
static void look(const char *what) {
  int sig = 0;
  prctl(PR_GET_PDEATHSIG, &sig);
  say("  %s: euid %d egid %d secure %lu dumpable %d pdeath %d persona %x keepcaps %d", what, geteuid(), getegid(),
      getauxval(AT_SECURE), prctl(PR_GET_DUMPABLE), sig, personality(0xffffffff), prctl(PR_GET_KEEPCAPS));
}

static int sharing(void *arg) {
  user();
  run("./suid", "sharing fs");
  _exit(1);
}

static void traced(void) {
  pid_t p = child_fork();
  if (!p) {
    user();
    pid_t q = child_fork(); /* traced by a user without capabilities */
    if (!q) {
      MUST(ptrace(PTRACE_TRACEME, 0, 0, 0));
      run("./suid", "traced");
      _exit(1);
    }
    int st;
    while (waitpid(q, &st, 0) == q && WIFSTOPPED(st))
      ptrace(PTRACE_CONT, q, 0, 0);
    say_status("tracee", st);
    _exit(0);
  }
  reap("tracer", p);
  p = child_fork();
  if (!p) {
    MUST(ptrace(PTRACE_TRACEME, 0, 0, 0));
    user();
    run("./suid", "traced by root");
    _exit(1);
  }
  int st;
  while (waitpid(p, &st, 0) == p && WIFSTOPPED(st))
    ptrace(PTRACE_CONT, p, 0, 0);
  say_status("tracee of root", st);
}

static void securebits(void) {
  CHILD("locks") {
    OK(prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS_LOCKED));
    OK(prctl(PR_SET_KEEPCAPS, 1));
    OK(prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS_LOCKED | SECBIT_KEEP_CAPS));
    OK(prctl(PR_SET_SECUREBITS, 0));
    OK(prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE));
    OK(prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS_LOCKED));
    SHOW(prctl(PR_GET_SECUREBITS));
  }
  CHILD("no ambient raise") {
    OK(prctl(PR_SET_SECUREBITS, SECBIT_NO_CAP_AMBIENT_RAISE));
    struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct d[2] = {{1 << CAP_KILL, 1 << CAP_KILL | 1 << CAP_SETPCAP, 1 << CAP_KILL}};
    OK(syscall(SYS_capset, &h, d));
    OK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
    OK(prctl(PR_SET_SECUREBITS, 0));
  }
  CHILD("keepcaps ends with exec") {
    prctl(PR_SET_KEEPCAPS, 1);
    run("./plain", "kept");
  }
  CHILD("arguments") {
    SHOW(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 64, 0, 0));
    SHOW(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 1, 0));
    SHOW(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 1, 0, 0));
    SHOW(prctl(PR_CAP_AMBIENT, 9, CAP_KILL, 0, 0));
    SHOW(prctl(PR_CAPBSET_DROP, 64));
    SHOW(prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0));
    SHOW(prctl(PR_SET_KEEPCAPS, 7));
  }
}

int main(int argc, char **argv) {
  if (argc > 1) {
    look(argv[1]);
    return 0;
  }
  MUST(chmod(".", 0755));
  copy_self("plain", 0755), copy_self("suid", 04755), copy_self("sgid", 02755), copy_self("dark", 0711);
  MUST(chown("sgid", 0, 50)), MUST(chmod("sgid", 02755));
  CHILD("set-user-ID") {
    user();
    prctl(PR_SET_PDEATHSIG, SIGUSR1);
    personality(ADDR_NO_RANDOMIZE | READ_IMPLIES_EXEC | UNAME26);
    run("./suid", "suid");
  }
  CHILD("set-group-ID") {
    user();
    prctl(PR_SET_PDEATHSIG, SIGUSR1);
    run("./sgid", "sgid");
  }
  CHILD("set-group-ID to the own group") {
    setegid(50);
    run("./sgid", "own sgid");
  }
  CHILD("nothing") {
    user();
    prctl(PR_SET_PDEATHSIG, SIGUSR1);
    personality(ADDR_NO_RANDOMIZE);
    run("./plain", "plain");
  }
  CHILD("unreadable") user(), run("./dark", "dark");
  CHILD("different ids stay different") {
    seteuid(1000);
    run("./plain", "euid 1000");
  }
  CHILD("and with an exec between") {
    MUST(setresuid(1000, 0, 0));
    run("./plain", "uid 1000 euid 0");
  }
  char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  reap("CLONE_FS", clone(sharing, stack + 65536, CLONE_FS | SIGCHLD, NULL));
  traced();
  securebits();
}
