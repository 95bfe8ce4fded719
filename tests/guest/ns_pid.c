/* Pid namespaces: numbers on both sides, init's immunity and its end, orphans, nesting, nsfs. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void show(const char *what, long r) {
  printf("%s: %ld %s\n", what, r < 0 ? -1 : r, r < 0 ? strerrorname_np(errno) : "");
  fflush(stdout);
}

static pid_t clone_new(unsigned long flags) {
  fflush(stdout);
  return (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
}

static void done(pid_t pid) {
  int st;
  pid_t r = waitpid(pid, &st, 0);
  printf("waited %d: %s %d\n", r == pid, WIFEXITED(st) ? "exit" : "signal", WIFEXITED(st) ? WEXITSTATUS(st) : WTERMSIG(st));
  fflush(stdout);
}

static volatile int sender = -5;
static void on_usr1(int sig, siginfo_t *i, void *u) {
  sender = i->si_pid;
}

static void init_side(int fd) {
  struct sigaction sa = {.sa_sigaction = on_usr1, .sa_flags = SA_SIGINFO};
  sigset_t set, old;
  printf("inside: pid %d tid %ld ppid %d sid %d pgid %d\n", getpid(), (long)gettid(), getppid(), getsid(0), getpgid(0));
  sigaction(SIGUSR1, &sa, NULL);
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, &old);
  show("kill self", kill(getpid(), SIGKILL));
  show("kill term", kill(1, SIGTERM));
  show("kill -1", kill(-1, SIGTERM));
  show("nobody", kill(77, 0));
  show("clone parent", clone_new(CLONE_PARENT));
  int go[2]; /* the orphan speaks when its parent's end has been told */
  char b;
  if (pipe(go))
    _exit(9);
  pid_t c = fork();
  if (!c) {
    printf("child: %d of %d\n", getpid(), getppid());
    fflush(stdout);
    pid_t g = fork();
    if (!g) {
      while (getppid() != 1)
        usleep(1000);
      if (read(go[0], &b, 1) != 1)
        _exit(9);
      printf("orphan: %d of %d\n", getpid(), getppid());
      fflush(stdout);
      _exit(6);
    }
    _exit(5);
  }
  done(c);
  if (write(go[1], "x", 1) != 1)
    _exit(9);
  int st;
  pid_t o = wait(&st);
  printf("reaped %d: %d\n", o, WEXITSTATUS(st));
  show("setsid", setsid());
  printf("sid %d pgid %d\n", getsid(0), getpgid(0));
  fflush(stdout);
  if (write(fd, "x", 1) != 1)
    _exit(9);
  while (sender == -5)
    sigsuspend(&old);
  printf("signalled by %d\n", sender);
  fflush(stdout);
  if (!fork()) { /* left over: dies with us */
    prctl(PR_SET_PDEATHSIG, 0);
    pause();
    _exit(1);
  }
  _exit(7);
}

static void basics(void) {
  int p[2];
  char c;
  if (pipe(p))
    exit(9);
  pid_t pid = clone_new(CLONE_NEWPID);
  if (!pid)
    init_side(p[1]);
  close(p[1]);
  if (read(p[0], &c, 1) != 1)
    exit(9);
  kill(pid, SIGUSR1);
  done(pid);
  printf("all gone: %zd\n", read(p[0], &c, 1));
}

static void from_outside(int sig) {
  int p[2];
  char c;
  if (pipe(p))
    exit(9);
  pid_t pid = clone_new(CLONE_NEWPID);
  if (!pid) {
    if (!fork())
      pause();
    if (write(p[1], "x", 1) != 1)
      _exit(9);
    for (;;)
      pause();
  }
  close(p[1]);
  if (read(p[0], &c, 1) != 1)
    exit(9);
  if (sig != SIGKILL) {
    kill(pid, sig);
    usleep(20000);
    printf("signal %d: still there %d\n", sig, kill(pid, 0));
  }
  kill(pid, SIGKILL);
  done(pid);
  printf("eof %zd\n", read(p[0], &c, 1));
}

/* unshare: the caller stays, its children go; after the first has died nobody is born there any more. */
static void by_unshare(void) {
  char a[64] = "", b[64] = "";
  show("unshare", unshare(CLONE_NEWPID));
  show("twice", unshare(CLONE_NEWPID));
  ssize_t n = readlink("/proc/self/ns/pid_for_children", b, sizeof b - 1);
  printf("for children before: %d\n", n > 0);
  pid_t pid = fork();
  if (!pid) {
    printf("first: %d of %d\n", getpid(), getppid());
    fflush(stdout);
    _exit(0);
  }
  done(pid);
  errno = 0;
  pid = fork();
  if (!pid)
    _exit(0);
  show("after init's death", pid);
  readlink("/proc/self/ns/pid", a, sizeof a - 1);
  readlink("/proc/self/ns/pid_for_children", b, sizeof b - 1);
  printf("same as one's own: %d\n", !strcmp(a, b));
}

static void set_tid(void) {
  int tids[3] = {5, 31007, 0};
  struct clone_args ca = {.flags = CLONE_NEWPID, .exit_signal = SIGCHLD, .set_tid = (uintptr_t)tids, .set_tid_size = 2};
  fflush(stdout);
  show("init is 1", syscall(SYS_clone3, &ca, sizeof ca));
  tids[0] = 1;
  pid_t pid = (pid_t)syscall(SYS_clone3, &ca, sizeof ca);
  if (!pid) {
    printf("set_tid inside: %d\n", getpid());
    fflush(stdout);
    _exit(0);
  }
  done(pid);
  show("outside", pid);
  ca.set_tid_size = 33;
  show("too many", syscall(SYS_clone3, &ca, sizeof ca));
  tids[0] = 0;
  ca.set_tid_size = 1;
  show("zero", syscall(SYS_clone3, &ca, sizeof ca));
}

static void nsfs(void) {
  struct stat a, b;
  unsigned uid = 9;
  int pid = open("/proc/self/ns/pid", O_RDONLY), user = open("/proc/self/ns/user", O_RDONLY);
  int uts = open("/proc/self/ns/uts", O_RDONLY), null = open("/dev/null", O_RDONLY);
  printf("types %x %x %x\n", ioctl(pid, NS_GET_NSTYPE), ioctl(user, NS_GET_NSTYPE), ioctl(uts, NS_GET_NSTYPE));
  show("parent of uts", ioctl(uts, NS_GET_PARENT));
  show("owner of uts", ioctl(uts, NS_GET_OWNER_UID, &uid));
  int own = ioctl(uts, NS_GET_USERNS);
  fstat(user, &a);
  fstat(own, &b);
  printf("user of uts: %d\n", a.st_ino == b.st_ino && a.st_dev == b.st_dev);
  show("setns of no ns", setns(null, 0));
  show("setns wrong type", setns(uts, CLONE_NEWNET));
  show("setns uts", setns(uts, CLONE_NEWUTS));
  show("setns own user", setns(user, 0));
  show("setns bad fd", setns(99, 0));
  show("unshare uts", unshare(CLONE_NEWUTS));
  sethostname("other", 5);
  int mine = open("/proc/self/ns/uts", O_RDONLY);
  fstat(uts, &a);
  fstat(mine, &b);
  printf("another: %d\n", a.st_ino != b.st_ino);
  char h[64];
  show("back", setns(uts, 0));
  gethostname(h, sizeof h);
  printf("host name is other: %d\n", !strcmp(h, "other"));
  show("forth", setns(mine, 0));
  gethostname(h, sizeof h);
  printf("host name is other: %d\n", !strcmp(h, "other"));
  int pfd = (int)syscall(SYS_pidfd_open, getppid(), 0);
  show("pidfd, no flags", setns(pfd, 0));
  show("pidfd", setns(pfd, CLONE_NEWUTS | CLONE_NEWIPC));
  gethostname(h, sizeof h);
  printf("host name is other: %d\n", !strcmp(h, "other"));
  show("invalid", unshare(1));
  show("newns with fs", clone_new(CLONE_NEWNS | CLONE_FS));
  show("thread with pid", clone_new(CLONE_NEWPID | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM));
}

static void in_child(void (*fn)(void)) {
  fflush(stdout);
  pid_t pid = fork();
  if (!pid) {
    fn();
    fflush(stdout);
    _exit(0);
  }
  done(pid);
}

int main(void) {
  basics();
  from_outside(SIGTERM);
  from_outside(SIGKILL);
  in_child(by_unshare);
  in_child(set_tid);
  in_child(nsfs);
}
