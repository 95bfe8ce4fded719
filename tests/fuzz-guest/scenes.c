/*
 * What single random calls hardly get to: a tracer and its tracee, a listener and its filtered child, namespaces with
 * somebody in them, locks whose holders die, execs of processes with threads. Within them it is random again.
 */
#include "fuzz.h"
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static void end(pid_t p) {
  if (p > 0) {
    kill(p, SIGKILL);
    for (int i = 0; i < 50 && waitpid(p, NULL, __WALL | WNOHANG) == 0; i++)
      usleep(1000);
  }
}

static pid_t child(struct rng *r, int calls) {
  struct rng own = rng_from(rnd(r), 5, 0, 0);
  pid_t p = (pid_t)syscall(SYS_fork);
  if (!p) {
    run_calls(&own, calls);
    syscall(SYS_exit_group, 0);
  }
  remember_pid(p);
  return p;
}

static void tracing(struct rng *r) {
  static const int ops[] = {PTRACE_CONT,      PTRACE_SYSCALL,   PTRACE_SINGLESTEP,  PTRACE_INTERRUPT,  PTRACE_LISTEN,
                            PTRACE_GETREGS,   PTRACE_SETREGS,   PTRACE_GETEVENTMSG, PTRACE_SETOPTIONS, PTRACE_PEEKDATA,
                            PTRACE_POKEUSER,  PTRACE_PEEKUSER,  PTRACE_GETSIGINFO,  PTRACE_DETACH,     PTRACE_GETREGSET,
                            PTRACE_GETFPREGS, PTRACE_SETFPREGS, PTRACE_SYSEMU,      PTRACE_KILL,       PTRACE_ATTACH,
                            PTRACE_CONT,      PTRACE_SYSCALL,   PTRACE_CONT};
  static struct user_regs_struct regs;
  pid_t p = child(r, 400);
  if (p < 0)
    return;
  ptrace(one_in(r, 2) ? PTRACE_SEIZE : PTRACE_ATTACH, p, 0, 0);
  for (int i = 0; i < 60; i++) {
    int op = PICK(r, ops), st;
    uint64_t data = one_in(r, 3) ? below(r, 35) : one_in(r, 2) ? (uint64_t)&regs : 0;
    if (op == PTRACE_SETOPTIONS)
      data = below(r, 256) | (one_in(r, 8) ? 0x100000 : 0);
    if (op == PTRACE_SETREGS && !one_in(r, 4))
      op = PTRACE_GETREGS;
    if (op == PTRACE_GETREGS || op == PTRACE_SETREGS)
      data = (uint64_t)&regs;
    syscall(SYS_ptrace, op, p, op == PTRACE_GETREGSET ? 1 : below(r, 900) & ~7ul, data);
    if (one_in(r, 10))
      kill(p, one_in(r, 3) ? SIGSTOP : SIGCONT);
    pid_t w = waitpid(-1, &st, __WALL | WNOHANG);
    if (w > 0 && w != p && WIFSTOPPED(st))
      ptrace(PTRACE_CONT, w, 0, 0);
    if (one_in(r, 3))
      usleep((useconds_t)below(r, 500));
  }
  if (one_in(r, 2))
    end(p);
}

static void listening(struct rng *r) {
  static const uint16_t nrs[] = {0, 1, 3, 5, 9, 20, 39, 57, 61, 72, 202, 257, 262};
  uint32_t nr = PICK(r, nrs);
  struct sock_filter f[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
                            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
                            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  struct sock_fprog prog = {4, f};
  pid_t outer = (pid_t)syscall(SYS_fork);
  if (outer) {
    usleep(30000);
    end(outer);
    return;
  }
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  int l = (int)syscall(SYS_seccomp, 1, 8 | (one_in(r, 2) ? 32 : 0), &prog);
  pid_t p = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (!p) {
    struct rng own = rng_from(rnd(r), 6, 0, 0);
    for (int i = 0; i < 200; i++)
      syscall(nr, descriptor(&own), address(&own), below(&own, 100), 0, -1, 0);
    syscall(SYS_exit_group, 0);
  }
  for (int i = 0; i < 80; i++) {
    struct seccomp_notif n;
    struct pollfd pf = {l, POLLIN, 0};
    memset(&n, 0, sizeof n);
    if (poll(&pf, 1, 2) != 1 || ioctl(l, SECCOMP_IOCTL_NOTIF_RECV, &n))
      break;
    struct seccomp_notif_addfd a = {.id = n.id, .srcfd = (uint32_t)descriptor(r), .flags = (uint32_t)below(r, 4)};
    if (a.flags & 1)
      a.newfd = (uint32_t)below(r, 40) + 8;
    if (one_in(r, 3))
      ioctl(l, SECCOMP_IOCTL_NOTIF_ADDFD, &a);
    if (one_in(r, 10))
      kill(p, one_in(r, 2) ? SIGUSR1 : SIGKILL);
    struct seccomp_notif_resp resp = {n.id, 0, one_in(r, 2) ? 0 : -(int)below(r, 600), 0};
    resp.flags = !resp.error && one_in(r, 2);
    if (!one_in(r, 8))
      ioctl(l, SECCOMP_IOCTL_NOTIF_SEND, &resp);
    if (one_in(r, 20))
      close(l);
  }
  syscall(SYS_exit_group, 0);
}

static void namespaces(struct rng *r) {
  static const uint32_t flags[] = {CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNS,     CLONE_NEWUTS,
                                   CLONE_NEWIPC,  CLONE_NEWNET, CLONE_NEWCGROUP, 0x80};
  uint64_t f = SIGCHLD | PICK(r, flags);
  while (one_in(r, 2))
    f |= PICK(r, flags);
  struct rng own = rng_from(rnd(r), 7, 0, 0);
  pid_t p = (pid_t)syscall(SYS_clone, f, 0, 0, 0, 0);
  if (!p) {
    pid_t q = 0;
    if (one_in(&own, 2))
      q = child(&own, 60);
    if (one_in(&own, 3))
      unshare((int)PICK(&own, flags));
    run_calls(&own, 60);
    if (one_in(&own, 2))
      end(q);
    syscall(SYS_exit_group, 0);
  }
  remember_pid(p);
  usleep((useconds_t)below(r, 20000));
  if (one_in(r, 2))
    end(p);
}

/* Locks of all kinds in memory that is shared, held by processes that get killed. */
static void locks(struct rng *r) {
  static uint32_t *w;
  static const int ops[] = {FUTEX_LOCK_PI, FUTEX_UNLOCK_PI,       FUTEX_TRYLOCK_PI,    FUTEX_WAIT,
                            FUTEX_WAKE,    FUTEX_CMP_REQUEUE,     FUTEX_WAKE_OP,       FUTEX_LOCK_PI2,
                            FUTEX_LOCK_PI, FUTEX_WAIT_REQUEUE_PI, FUTEX_CMP_REQUEUE_PI};
  if (!w)
    w = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t p[3];
  int sem = semget(IPC_PRIVATE, 3, 0600);
  for (int k = 0; k < 3; k++) {
    struct rng own = rng_from(rnd(r), 8, 0, 0);
    p[k] = (pid_t)syscall(SYS_fork);
    if (p[k])
      continue;
    struct {
      void *next;
      long off;
      void *pending;
    } head = {&head, 0, one_in(&own, 2) ? w : NULL};
    syscall(SYS_set_robust_list, &head, sizeof head);
    for (int i = 0; i < 60; i++) {
      struct timespec ts = {0, (long)below(&own, 1000000)};
      uint32_t *a = w + below(&own, 3), *b = w + below(&own, 3);
      int op = PICK(&own, ops);
      bool requeues = op == FUTEX_CMP_REQUEUE || op == FUTEX_CMP_REQUEUE_PI || op == FUTEX_WAKE_OP;
      syscall(SYS_futex, a, op, requeues ? 1 : below(&own, 2) ? *a : 1, requeues ? (void *)2 : (void *)&ts, b, *a);
      struct sembuf s = {(unsigned short)below(&own, 3), (short)(below(&own, 3) - 1), SEM_UNDO};
      semtimedop(sem, &s, 1, &ts);
    }
    syscall(SYS_exit_group, 0);
  }
  usleep((useconds_t)below(r, 20000));
  for (int k = 0; k < 3; k++)
    end(p[k]);
  semctl(sem, 0, IPC_RMID);
}

static char thread_stack[4][8192] __attribute__((aligned(16)));
static int sleeper(void *arg) {
  for (;;)
    syscall(SYS_getppid);
}

static void exec_with_threads(struct rng *r) {
  pid_t p = (pid_t)syscall(SYS_fork);
  if (!p) {
    int n = (int)below(r, 4);
    for (int i = 0; i < n; i++)
      clone(sleeper, thread_stack[i] + 8000,
            CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, NULL);
    char *argv[] = {"true", NULL};
    if (one_in(r, 2))
      syscall(SYS_execve, "/usr/bin/true", argv, argv);
    if (one_in(r, 2))
      syscall(SYS_exit, 0); /* the leader alone */
    run_calls(r, 20);
    syscall(SYS_exit_group, 0);
  }
  usleep((useconds_t)below(r, 15000));
  end(p);
}

void scene(struct rng *r) {
  static void (*const all[])(struct rng *) = {tracing, listening, namespaces, locks, exec_with_threads};
  PICK(r, all)(r);
}
