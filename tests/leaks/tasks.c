#include "leaks.h"
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>

static void fork_exit(int i) {
  in_child(nothing, NULL);
}

static void vfork_exit(int i) {
  pid_t p = vfork();
  if (!p)
    _exit(0);
  waitpid(p, NULL, 0);
}

static void *thread_body(void *arg) {
  return arg;
}
static void threads(int i) {
  pthread_t t[4];
  for (int k = 0; k < 4; k++)
    pthread_create(&t[k], NULL, thread_body, NULL);
  for (int k = 0; k < 4; k++)
    pthread_join(t[k], NULL);
}

static void *sleeper(void *arg) {
  for (;;)
    pause();
  return arg;
}
static void do_exec(void *arg) {
  execl("/bin/true", "true", NULL);
}
static void exec_plain(int i) {
  in_child(do_exec, NULL);
}
static void exec_in_threads(void *arg) {
  pthread_t t;
  for (int k = 0; k < 3; k++)
    pthread_create(&t, NULL, sleeper, NULL);
  do_exec(NULL);
}
static void exec_threads(int i) {
  in_child(exec_in_threads, NULL);
}
static void exec_fails(int i) {
  execl("/tmp", "x", NULL);
  execl("/nosuch", "x", NULL);
}

static void killed(int i) {
  pid_t p = fork();
  if (!p) {
    pthread_t t;
    pthread_create(&t, NULL, sleeper, NULL);
    for (;;)
      pause();
  }
  int fd = (int)syscall(SYS_pidfd_open, p, 0);
  kill(p, SIGUSR1);
  sigqueue(p, SIGRTMIN + 1, (union sigval){.sival_int = i});
  syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
  struct pollfd pf = {fd, POLLIN, 0};
  poll(&pf, 1, -1);
  siginfo_t si;
  waitid((idtype_t)3 /* P_PIDFD */, (id_t)fd, &si, WEXITED);
  close(fd);
}

static void queued(int i) {
  sigset_t s, old;
  sigfillset(&s);
  sigprocmask(SIG_SETMASK, &s, &old);
  for (int k = 0; k < 4; k++)
    sigqueue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = k});
  struct timespec zero = {0, 0};
  while (sigtimedwait(&s, NULL, &zero) > 0)
    ;
  sigprocmask(SIG_SETMASK, &old, NULL);
}
static void left_queued(void *arg) {
  sigset_t s;
  sigfillset(&s);
  sigprocmask(SIG_SETMASK, &s, NULL);
  for (int k = 0; k < 4; k++)
    sigqueue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = k});
  syscall(SYS_tkill, getpid(), SIGUSR1);
}
static void queued_at_exit(int i) {
  in_child(left_queued, NULL);
}

static void traced(void *arg) {
  if (arg)
    ptrace(PTRACE_TRACEME, 0, 0, 0);
  raise(SIGSTOP);
  getppid();
}
static void tracing(int i) {
  int st;
  bool me = i & 1;
  pid_t p = fork();
  if (!p) {
    if (me)
      traced("");
    else
      sleeper(NULL);
    _exit(0);
  }
  if (!me)
    ptrace(PTRACE_ATTACH, p, 0, 0);
  waitpid(p, &st, 0);
  ptrace(PTRACE_SETOPTIONS, p, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXIT);
  ptrace(PTRACE_SYSCALL, p, 0, 0);
  if (me)
    waitpid(p, &st, 0);
  if (i % 3 == 0)
    ptrace(PTRACE_DETACH, p, 0, 0);
  kill(p, SIGKILL);
  while (waitpid(p, &st, 0) > 0 && WIFSTOPPED(st))
    ptrace(PTRACE_CONT, p, 0, 0);
}
static void tracer_dies(void *arg) {
  pid_t p = fork();
  if (!p)
    sleeper(NULL);
  ptrace(PTRACE_SEIZE, p, 0, (void *)(long)PTRACE_O_EXITKILL);
  ptrace(PTRACE_INTERRUPT, p, 0, 0);
}
static void tracer_exit(int i) {
  in_child(tracer_dies, NULL);
}

static struct sock_filter allow_all[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
static struct sock_filter notify_getppid[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
static void filtered(void *arg) {
  struct sock_fprog p = {1, allow_all};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  for (int k = 0; k < 3; k++)
    syscall(SYS_seccomp, 1, 0, &p);
  in_child(nothing, NULL);
  pthread_t t;
  pthread_create(&t, NULL, sleeper, NULL);
  syscall(SYS_seccomp, 1, 1, &p);
}
static void seccomp_chain(int i) {
  in_child(filtered, NULL);
}
static void listened(void *arg) {
  struct sock_fprog p = {4, notify_getppid};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  int l = (int)syscall(SYS_seccomp, 1, 8, &p);
  pid_t c = fork();
  if (!c) {
    syscall(SYS_getppid);
    syscall(SYS_getppid);
    _exit(0);
  }
  struct seccomp_notif n;
  memset(&n, 0, sizeof n);
  ioctl(l, SECCOMP_IOCTL_NOTIF_RECV, &n);
  struct seccomp_notif_addfd a = {.id = n.id, .srcfd = (uint32_t)l};
  ioctl(l, SECCOMP_IOCTL_NOTIF_ADDFD, &a);
  struct seccomp_notif_resp r = {.id = n.id};
  ioctl(l, SECCOMP_IOCTL_NOTIF_SEND, &r);
  memset(&n, 0, sizeof n);
  ioctl(l, SECCOMP_IOCTL_NOTIF_RECV, &n);
  kill(c, SIGKILL);
  waitpid(c, NULL, 0);
}
static void seccomp_listener(int i) {
  in_child(listened, NULL);
}
static void bad_filter(int i) {
  struct sock_filter f[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 3)};
  struct sock_fprog p = {1, f};
  syscall(SYS_seccomp, 1, 0, &p);
}

static void timers(int i) {
  timer_t t[3];
  struct sigevent ev = {.sigev_notify = SIGEV_NONE};
  struct itimerspec it = {{0, 1000000}, {0, 1000000}};
  for (int k = 0; k < 3; k++)
    timer_create(k == 2 ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &ev, &t[k]);
  for (int k = 0; k < 3; k++)
    timer_settime(t[k], 0, &it, NULL);
  for (int k = 0; k < 3; k++)
    timer_delete(t[k]);
}
static void leave_timers(void *arg) {
  timer_t t;
  signal(SIGALRM, SIG_IGN);
  signal(SIGUSR1, SIG_IGN);
  struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  struct itimerspec it = {{0, 500000}, {0, 500000}};
  for (int k = 0; k < 4; k++)
    if (!timer_create(CLOCK_REALTIME, &ev, &t))
      timer_settime(t, 0, &it, NULL);
  struct itimerval iv = {{0, 1000}, {0, 1000}};
  setitimer(ITIMER_REAL, &iv, NULL);
  setitimer(ITIMER_VIRTUAL, &iv, NULL);
  if (arg)
    do_exec(NULL);
}
static void timers_at_exit(int i) {
  in_child(leave_timers, i & 1 ? "" : NULL);
}

static void futexes(int i) {
  static uint32_t word[64], pi;
  struct timespec ts = {0, 1000};
  syscall(SYS_futex, &word[i % 64], FUTEX_WAIT, 0, &ts, NULL, 0);
  syscall(SYS_futex, &word[i % 64], FUTEX_WAKE, 1, NULL, NULL, 0);
  syscall(SYS_futex, &pi, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
  syscall(SYS_futex, &pi, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
}
static void hold_pi(void *arg) {
  syscall(SYS_futex, arg, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
}
static void pi_owner_dies(int i) {
  static uint32_t *w;
  if (!w)
    w = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  *w = 0;
  pid_t p = fork();
  if (!p) {
    hold_pi(w);
    usleep(500);
    _exit(0);
  }
  struct timespec ts;
  clock_gettime(CLOCK_REALTIME, &ts);
  ts.tv_nsec = (ts.tv_nsec + 1000000) % 1000000000;
  syscall(SYS_futex, w, FUTEX_LOCK_PI, 0, &ts, NULL, 0);
  kill(p, SIGKILL);
  waitpid(p, NULL, 0);
}

static void keys(int i) {
  char name[40];
  snprintf(name, sizeof name, "k%d", i);
  long k = syscall(SYS_add_key, "user", name, "payload", 7, KEY_SPEC_PROCESS_KEYRING);
  syscall(SYS_keyctl, KEYCTL_UPDATE, k, "longer payload", 14);
  syscall(SYS_keyctl, KEYCTL_UNLINK, k, KEY_SPEC_PROCESS_KEYRING);
}
static void leave_keys(void *arg) {
  char name[40];
  syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
  for (int k = 0; k < 4; k++) {
    snprintf(name, sizeof name, "k%d", k);
    syscall(SYS_add_key, "user", name, "payload", 7, k & 1 ? KEY_SPEC_SESSION_KEYRING : KEY_SPEC_THREAD_KEYRING);
  }
  syscall(SYS_add_key, "keyring", "ring", NULL, 0, KEY_SPEC_SESSION_KEYRING);
}
static void keyrings(int i) {
  in_child(leave_keys, NULL);
}

static void creds(void *arg) {
  (void)!setgid(100);
  (void)!setuid(4711 + (uid_t)(long)arg % 50);
  prctl(PR_SET_NAME, "someone");
  struct rlimit r = {100, 100};
  setrlimit(RLIMIT_NOFILE, &r);
  setsid();
}
static void credentials(int i) {
  in_child(creds, (void *)(long)i);
}

static void orphan(void *arg) {
  if (!fork()) {
    usleep(100);
    _exit(0);
  }
}
static void orphans(int i) {
  in_child(orphan, NULL);
}

static void subreaper(void *arg) {
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  in_child(orphan, NULL);
}
static void subreapers(int i) {
  in_child(subreaper, NULL);
}

static void maps(int i) {
  char *p = mmap(NULL, 64 << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int k = 0; k < 64; k += 2)
    mprotect(p + (k << 12), 4096, PROT_READ);
  p[4096] = 1;
  p = mremap(p + (8 << 12), 4096, 16 << 12, MREMAP_MAYMOVE);
  munmap(p, 16 << 12);
  munmap(p - (8 << 12), 64 << 12);
  void *q = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  *(char *)q = 1;
  munmap(q, 1 << 20);
}
static void map_all(void *arg) {
  for (int k = 0; k < 20; k++) {
    char *p = mmap(NULL, 3 << 12, PROT_READ | PROT_WRITE, (k & 1 ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS, -1, 0);
    p[0] = 1;
    mprotect(p + 4096, 4096, PROT_NONE);
    mlock(p, 4096);
  }
  in_child(nothing, NULL);
  syscall(SYS_brk, (char *)sbrk(0) + 100000);
}
static void maps_at_exit(int i) {
  in_child(map_all, NULL);
}

static void crash(void *arg) {
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  *(volatile char *)8 = 1;
}
static void crashes(int i) {
  in_child(crash, NULL);
}

/* Many at once: what a storm took is given back. */
static void crowd(void *arg) {
  struct rlimit many = {100000, 100000};
  setrlimit(RLIMIT_NPROC, &many);
  setpgid(0, 0);
  for (int k = 0; k < 400; k++)
    if (!fork())
      sleeper(NULL);
}
static void crowds(int i) {
  pid_t p = fork();
  if (!p) {
    crowd(NULL);
    raise(SIGSTOP);
  }
  waitpid(p, NULL, WUNTRACED);
  kill(-p, SIGKILL);
  waitpid(p, NULL, 0);
}

const struct scene task_scenes[] = {
    {"fork", fork_exit, 4},
    {"vfork", vfork_exit, 4},
    {"threads", threads, 6},
    {"exec", exec_plain, 8},
    {"exec-threads", exec_threads, 12},
    {"exec-fails", exec_fails, 1},
    {"killed", killed, 8},
    {"signals", queued, 1},
    {"signals-at-exit", queued_at_exit, 4},
    {"ptrace", tracing, 8},
    {"tracer-exit", tracer_exit, 8},
    {"seccomp", seccomp_chain, 12},
    {"seccomp-listener", seccomp_listener, 12},
    {"seccomp-bad", bad_filter, 1},
    {"timers", timers, 2},
    {"timers-at-exit", timers_at_exit, 8},
    {"futex", futexes, 2},
    {"futex-pi-dies", pi_owner_dies, 8},
    {"keys", keys, 1},
    {"keyrings", keyrings, 4},
    {"credentials", credentials, 4},
    {"orphans", orphans, 8},
    {"subreaper", subreapers, 12},
    {"maps", maps, 4},
    {"maps-at-exit", maps_at_exit, 12},
    {"crash", crashes, 6},
    {"crowd", crowds, 1500},
    {NULL, NULL, 0},
};
