/*
 * What every guest program uses. A program prints only lines that are the same on every Linux: results, error names,
 * signal names, answers to yes/no questions; never a pid, an address or a time. The runner compares the lines of a
 * native run with those of a run in the sandbox.
 */
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

/* One line, in one write, so that lines of several processes do not mix and nothing is left in a buffer over fork. */
__attribute__((format(printf, 1, 2))) static inline void say(const char *fmt, ...) {
  char buf[4096];
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(buf, sizeof buf - 1, fmt, ap);
  va_end(ap);
  if (n > (int)sizeof buf - 2)
    n = sizeof buf - 2;
  buf[n++] = '\n';
  int saved = errno;
  for (int done = 0; done < n;) {
    ssize_t w = write(1, buf + done, n - done);
    if (w < 0 && errno != EINTR)
      break;
    done += w > 0 ? w : 0;
  }
  errno = saved;
}

static inline const char *ename(int err) {
  const char *s = err ? strerrorname_np(err) : "0";
  return s ? s : "unknown errno";
}

static inline const char *signame(int sig) {
  static _Thread_local char buf[16];
  const char *s = sigabbrev_np(sig);
  if (s)
    return s;
  snprintf(buf, sizeof buf, sig >= SIGRTMIN ? "RT+%d" : "%d", sig >= SIGRTMIN ? sig - SIGRTMIN : sig);
  return buf;
}

/* "what = value" or "what = ENAME". */
static inline long show(const char *what, long r) {
  if (r == -1)
    say("%s = %s", what, ename(errno));
  else
    say("%s = %ld", what, r);
  return r;
}
#define SHOW(expr) show(#expr, (long)(expr))

/* For results whose value means nothing: "what = ok" or "what = ENAME". */
static inline long show_ok(const char *what, long r) {
  say("%s = %s", what, r == -1 ? ename(errno) : "ok");
  return r;
}
#define OK(expr) show_ok(#expr, (long)(expr))
#define YES(expr) say("%s: %s", #expr, (expr) ? "yes" : "NO")

/* What the test needs but does not test. */
#define MUST(expr)                                                                                                     \
  ({                                                                                                                   \
    long must_r = (long)(expr);                                                                                        \
    if (must_r == -1) {                                                                                                \
      say("set-up failed at line %d: %s: %s", __LINE__, #expr, ename(errno));                                          \
      _exit(99);                                                                                                       \
    }                                                                                                                  \
    must_r;                                                                                                            \
  })

static inline void say_status(const char *what, int st) {
  if (WIFEXITED(st))
    say("%s: exited %d", what, WEXITSTATUS(st));
  else if (WIFSIGNALED(st))
    say("%s: killed by %s", what, signame(WTERMSIG(st)));
  else if (WIFSTOPPED(st))
    say("%s: stopped by %s", what, signame(WSTOPSIG(st)));
  else if (WIFCONTINUED(st))
    say("%s: continued", what);
  else
    say("%s: strange status", what);
}

/* Wait for a child and say how it ended. */
static inline int reap(const char *what, pid_t pid) {
  int st = 0;
  pid_t r;
  do
    r = waitpid(pid, &st, 0);
  while (r < 0 && errno == EINTR);
  if (r < 0)
    say("%s: wait: %s", what, ename(errno));
  else
    say_status(what, st);
  return st;
}

/* Run the block that follows in a child and say how it ended:  CHILD("name") { …; } */
static inline pid_t child_fork(void) {
  pid_t p = fork();
  if (p < 0) {
    say("fork: %s", ename(errno));
    _exit(99);
  }
  return p;
}
#define CHILD(what) for (pid_t child_pid = child_fork(), child_once = 1; child_once; child_once = 0, child_pid ? (void)reap(what, child_pid) : _exit(0)) if (child_pid == 0)

static inline void msleep(int ms) {
  struct timespec ts = {ms / 1000, ms % 1000 * 1000000L};
  while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) == EINTR)
    ;
}
static inline int64_t now_ms(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

/* Wait until another process or thread sleeps (state S in /proc): how a test knows that a call blocks by now. */
static inline char proc_state(pid_t tid) {
  char path[64], buf[512];
  snprintf(path, sizeof path, "/proc/%d/stat", tid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return 0;
  ssize_t n = read(fd, buf, sizeof buf - 1);
  close(fd);
  if (n <= 0)
    return 0;
  buf[n] = 0;
  char *p = strrchr(buf, ')');
  return p ? p[2] : 0;
}
static inline void wait_state(pid_t tid, char want) {
  for (int i = 0; i < 2000; i++) {
    if (proc_state(tid) == want) {
      msleep(2); /* a thread is shown as sleeping on its way to the call as well, for an instant */
      if (proc_state(tid) == want)
        return;
    }
    msleep(2);
  }
  say("task never reached state %c", want);
}

static inline void on_signal(int sig, void (*fn)(int), int flags) {
  struct sigaction sa = {.sa_handler = fn, .sa_flags = flags};
  MUST(sigaction(sig, &sa, NULL));
}
static inline void on_siginfo(int sig, void (*fn)(int, siginfo_t *, void *), int flags) {
  struct sigaction sa = {.sa_sigaction = fn, .sa_flags = flags | SA_SIGINFO};
  MUST(sigaction(sig, &sa, NULL));
}

static inline int write_file(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd < 0)
    return -1;
  ssize_t n = write(fd, text, strlen(text));
  close(fd);
  return n == (ssize_t)strlen(text) ? 0 : -1;
}
/* The file's text, at most size - 1 bytes; its length or -1. */
static inline ssize_t read_file(const char *path, char *buf, size_t size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return -1;
  size_t n = 0;
  ssize_t r;
  while (n < size - 1 && (r = read(fd, buf + n, size - 1 - n)) > 0)
    n += r;
  close(fd);
  buf[n] = 0;
  return n;
}

/* Where the helper programs are: beside this program, in helpers/. */
static inline const char *helper(const char *name) {
  static char path[PATH_MAX];
  char exe[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
  if (n < 0)
    n = 0;
  exe[n] = 0;
  char *slash = strrchr(exe, '/');
  if (slash)
    *slash = 0;
  snprintf(path, sizeof path, "%.2000s/helpers/%.100s", exe, name);
  return path;
}

/* Become an ordinary user without capabilities, for good. */
static inline void become_user(uid_t uid) {
  MUST(setgroups(0, NULL));
  MUST(setresgid(uid, uid, uid));
  MUST(setresuid(uid, uid, uid));
}
