/*
 * The zygote: a process that holds nothing but the stub and the vDSO, pid 1 of the guests' host pid namespace. It runs
 * no guest code; every fresh guest process is a fork of it, and a few are kept warm.
 *
 * Order matters (each rule was paid for):
 *  - the caller's uid is final already: a user namespace made as root and left by setuid would break process_vm_*.
 *  - the zygote is cloned with CLONE_FILES, so that the listener lands in our descriptor table; it then gets a table of
 *    its own, empty one. No listener stays in a guest.
 *  - the filter is installed once, before any fork: a second listener gives EBUSY.
 *  - rseq is unregistered before libc is unmapped, or the kernel kills the process at its next preemption.
 *  - SIGCHLD is ignored, so that guests forked with CLONE_PARENT (whose exit signal is inherited) leave no zombies.
 *  - RLIMIT_CORE is 1: 0 would not stop a piped core_pattern from running on the host.
 *  - the ring and everything secret are opened afterwards: fork copies memory.
 */
#include "filter.h"
#include "internal.h"
#include "../core/log.h"
#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP 1ul
#endif
#define NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define ZYGOTE_NAMESPACES                                                                                              \
  (CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)
#define TASK_TOP 0x7ffffffff000ull

extern const char stub_blob[], stub_blob_end[];

struct zygote_setup {
  uint64_t slots, text;
  const struct stub_header *hdr;
  struct stub_zygote_args args;
};

/* ---- in the zygote ---- */

struct kernel_sigaction {
  uint64_t handler, flags, restorer, mask;
};

static void set_handler(int sig, uint64_t handler, uint64_t restorer) {
  /* SEGV and BUS stay open in the handlers: a fault under a full mask kills, and guarded copies rely on them. */
  uint64_t open = 1ull << (SIGSEGV - 1) | 1ull << (SIGBUS - 1);
  struct kernel_sigaction sa = {handler, SA_SIGINFO | SA_ONSTACK | SA_RESTART | 0x04000000, restorer, ~open};
  if (sig == SIGSEGV || sig == SIGBUS)
    sa.flags |=
        SA_NODEFER; /* the frame for a handler of the guest's is itself a guarded copy, onto a stack that may be full */
  if (handler <= 1)
    sa = (struct kernel_sigaction){.handler = handler};
  syscall(SYS_rt_sigaction, sig, &sa, NULL, 8);
}

static void zygote_signals(const struct zygote_setup *z) {
  uint64_t all = ~(1ull << (SIGSEGV - 1) | 1ull << (SIGBUS - 1));
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8);
  for (int s = 1; s <= 64; s++)
    if (s != SIGKILL && s != SIGSTOP)
      set_handler(s, s == SIGCHLD ? 1 : 0, 0);
  static const int ours[] = {SIGSYS, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, HOST_KICK_SIGNAL};
  for (unsigned i = 0; i < sizeof ours / sizeof *ours; i++)
    set_handler(ours[i], z->text + z->hdr->handler, z->text + z->hdr->restorer);
  stack_t ss = {.ss_sp = (void *)(z->slots + STUB_STACK_OFF), .ss_size = STUB_SLOT_SIZE - STUB_STACK_OFF};
  sigaltstack(&ss, NULL);
}

static void zygote_map_stub(const struct zygote_setup *z) {
  size_t n = (size_t)(stub_blob_end - stub_blob);
  int fd = memfd_create("stub", MFD_CLOEXEC);
  if (fd < 0 || write(fd, stub_blob, n) != (ssize_t)n || ftruncate(fd, STUB_TEXT_SIZE))
    _exit(101);
  if (mmap((void *)z->text, STUB_TEXT_SIZE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED_NOREPLACE, fd, 0) !=
      (void *)z->text)
    _exit(102);
  if (mmap((void *)z->slots, STUB_SLOTS_SIZE, PROT_READ | PROT_WRITE,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0) != (void *)z->slots)
    _exit(103);
  close(fd);
}

static void zygote_drop(void) {
  struct rlimit core = {1, 1};
  setrlimit(RLIMIT_CORE, &core);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct none[2] = {{0}};
  syscall(SYS_capset, &h, none);
  prctl(PR_SET_DUMPABLE, 1); /* or the Sentry could not read guest memory */
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _exit(104);
  prctl(PR_SET_NAME, "runsc-notify-guest");
}

#ifndef RSEQ_SIG
#define RSEQ_SIG 0x53053053
#endif

static void __attribute__((noreturn)) zygote_main(const struct zygote_setup *z) {
  if (__rseq_size)
    syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset, 32, 1 /* unregister */, RSEQ_SIG);
  zygote_map_stub(z);
  zygote_signals(z);
  zygote_drop();
  struct stub_slot *slot = (struct stub_slot *)z->slots;
  struct stub_zygote_args *a = (struct stub_zygote_args *)(slot + 1);
  memcpy(a, &z->args, sizeof *a);
  a->prog.filter = (uint64_t)a->insns;
  /* The zygote lives on slot 0's stack from here on; children it forks inherit the frame. */
  __asm__ volatile("mov %0, %%rsp\n\txor %%ebp, %%ebp\n\tcall *%1\n\thlt" ::"r"(z->slots + STUB_SLOT_SIZE - 64),
                   "r"(z->text + z->hdr->zygote), "D"(slot)
                   : "memory");
  __builtin_unreachable();
}

/* ---- in the Sentry ---- */

/* A place for the stub below the stack, which the kernel puts into the topmost 17 GiB. Something of ours may be mapped
 * there by chance; the zygote maps with MAP_FIXED_NOREPLACE, and plat_new() tries elsewhere. */
static uint64_t choose_base(void) {
  uint64_t r = 0;
  if (getrandom(&r, sizeof r, 0) != sizeof r)
    r = (uint64_t)time(NULL);
  return 0x7ff000000000ull + (r % 0x4000) * 0x200000ull % 0x700000000ull;
}

/* Everything but the stub and the vDSO with its data, which newer kernels put among the libraries, older ones above the
 * stack. */
static void plan_unmapping(struct zygote_setup *z, const struct plat_host *h) {
  uint64_t keep[2][2] = {{z->slots, z->text + STUB_TEXT_SIZE}, {h->vvar, h->vdso_end}};
  int low = keep[0][0] < keep[1][0] ? 0 : 1;
  uint64_t gaps[3][2] = {{0, keep[low][0]}, {keep[low][1], keep[!low][0]}, {keep[!low][1], TASK_TOP}};
  struct stub_zygote_args *a = &z->args;
  for (int i = 0; i < 3; i++)
    if (gaps[i][0] < gaps[i][1]) {
      a->unmap[a->nunmap][0] = gaps[i][0];
      a->unmap[a->nunmap++][1] = gaps[i][1] - gaps[i][0];
    }
}

static int wait_for_listener(struct plat *p, int zygote, const char **err) {
  struct timespec nap = {0, 50000};
  for (int i = 0; i < 100000; i++) {
    int64_t fd = 0;
    struct iovec l = {&fd, sizeof fd}, r = {(void *)(p->slots + offsetof(struct stub_slot, listener)), sizeof fd};
    if (process_vm_readv(zygote, &l, 1, &r, 1, 0) == sizeof fd && fd) {
      if (fd > 0) {
        p->listener = (int)fd;
        return 0;
      }
      *err = fd == -EBUSY ? "a seccomp listener is active already: runsc-notify cannot run inside a process that is "
                            "itself supervised by seccomp notification"
                          : "the host refused the seccomp filter with a listener";
      return (int)fd;
    }
    int st;
    if (waitpid(zygote, &st, WNOHANG) == zygote) {
      *err = "the first guest process could not be set up on this host";
      return -EIO;
    }
    nanosleep(&nap, NULL);
  }
  *err = "the first guest process did not come up";
  return -ETIMEDOUT;
}

static int start_zygote(struct plat *p, const struct plat_host *host, const char **err, int *pid) {
  struct zygote_setup z = {.slots = p->slots, .text = p->text, .hdr = (const struct stub_header *)stub_blob};
  plan_unmapping(&z, host);
  z.args.seccomp_flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
  _Static_assert(sizeof(struct sock_filter) == 8 && FILTER_MAX <= sizeof z.args.insns / 8, "filter room");
  z.args.prog.len =
      (uint16_t)guest_filter((struct sock_filter *)z.args.insns, p->syscall_ret, p->text + z.hdr->sigreturn_ret);
  long r = syscall(SYS_clone, ZYGOTE_NAMESPACES | CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
  if (r == 0)
    zygote_main(&z);
  if (r < 0) {
    *err = errno == EPERM || errno == ENOSPC
               ? "user namespaces cannot be created on the host: allow them (sysctl user.max_user_namespaces, "
                 "kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)"
               : "the first guest process could not be cloned";
    return -errno;
  }
  *pid = (int)r;
  return wait_for_listener(p, (int)r, err);
}

/* Before the loop runs, notifications are served by hand. */
static int serve_one(struct plat *p) {
  struct seccomp_notif n;
  memset(&n, 0, sizeof n);
  if (ioctl(p->listener, SECCOMP_IOCTL_NOTIF_RECV, &n))
    return errno == EINTR || errno == ENOENT ? 0 : -errno;
  plat_dispatch(p, &n);
  return 0;
}

static int adopt_zygote(struct plat *p, int pid) {
  struct plat_as *as = as_new();
  struct host_proc *h = as ? proc_new(as) : NULL;
  struct plat_ctx *c = h ? ctx_new(p, as, 0) : NULL;
  plat_as_put(as);
  if (!c)
    return -ENOMEM;
  h->pid = pid;
  LIST_INSERT_HEAD(&as->procs, h, as_link);
  proc_attach(h, c);
  c->state = CTX_RUNNING;
  ctx_bind(c, pid);
  p->zygote = c;
  p->zygote_busy = true;
  while (p->zygote_busy) {
    int r = serve_one(p);
    if (r < 0)
      return r;
  }
  /* An empty descriptor table of its own. */
  struct program g = {.n = 0};
  prog_syscall(c, &g, __NR_close_range, 0, ~0u, CLOSE_RANGE_UNSHARE, 0, 0, 0);
  prog_op(&g, STUB_OP_REPORT);
  p->zygote_busy = true;
  int r = prog_send(c, &g, CTX_ORDERED);
  while (r == 0 && p->zygote_busy)
    r = serve_one(p);
  return r;
}

int plat_new(const struct plat_callbacks *cb, const struct plat_host *host, struct plat **out, const char **err) {
  struct plat *p = calloc(1, sizeof *p);
  if (!p)
    return -ENOMEM;
  const struct stub_header *hdr = (const struct stub_header *)stub_blob;
  p->cb = *cb;
  TAILQ_INIT(&p->births);
  TAILQ_INIT(&p->pool);
  TAILQ_INIT(&p->kicked);
  waitq_init(&p->pool_wq);
  p->listener = -1;
  int pid = -1, r = -EIO;
  for (int tries = 0; tries < 4 && r == -EIO; tries++) {
    p->slots = choose_base();
    p->text = p->slots + STUB_SLOTS_SIZE;
    p->syscall_ret = p->text + hdr->syscall_ret;
    r = start_zygote(p, host, err, &pid);
  }
  p->layout = (struct plat_layout){0x10000, p->slots, host->vvar, host->vdso, host->vdso_end};
  if (r == 0) {
    uint64_t flags =
        SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP; /* Linux 6.6; without it calls cost ten times as much across CPUs */
    if (ioctl(p->listener, NOTIF_SET_FLAGS, flags))
      debug_log("platform: no SYNC_WAKE_UP on this host");
    fcntl(p->listener, F_SETFD, FD_CLOEXEC);
    r = adopt_zygote(p, pid);
    if (r < 0)
      *err = "the first guest process did not take its orders";
  }
  if (r < 0) {
    if (pid > 0)
      kill(pid, SIGKILL);
    free(p);
    return r;
  }
  *out = p;
  return 0;
}

int plat_attach_loop(struct plat *p) {
  loop_set_hot(loop_current(), p->listener, listener_ready, p);
  pool_refill(p);
  return 0;
}

void plat_free(struct plat *p) {
  if (!p)
    return;
  if (p->zygote && p->zygote->proc)
    kill(p->zygote->proc->pid, SIGKILL);
  loop_set_hot(loop_current(), -1, NULL, NULL);
  close(p->listener);
  free(p);
}

const struct plat_layout *plat_layout(const struct plat *p) {
  return &p->layout;
}
int plat_listener_fd(const struct plat *p) {
  return p->listener;
}

/* ---- births ---- */

uint64_t new_token(void) {
  uint64_t t = 0;
  while (!t)
    if (getrandom(&t, sizeof t, 0) != sizeof t)
      abort();
  return t;
}

/* A context that was ordered has made its first notification. Which order it belongs to, only the token can tell. */
void ctx_registered(struct plat_ctx *c, int tid, uint64_t id) {
  struct plat *p = c->p;
  TAILQ_REMOVE(&p->births, c, list_link);
  c->token = 0;
  ctx_bind(c, tid);
  ctx_stopped(c, id, true);
  c->is_call = true;
  c->sets_rax = true;
  if (c->proc && !c->proc->pid)
    proc_watch(p, c->proc, tid);
  if (c->waiter) {
    fiber_wake(c->waiter);
    return;
  }
  TAILQ_INSERT_TAIL(&p->pool, c, list_link); /* the zygote's child */
  p->npool++;
  waitq_wake_n(&p->pool_wq, 0, 1);
}

void zygote_reported(struct plat *p) {
  p->zygote_busy = false;
  if (loop_current())
    pool_refill(p);
}

static struct plat_ctx *new_process_ctx(struct plat *p) {
  struct plat_as *as = as_new();
  struct host_proc *h = as ? proc_new(as) : NULL;
  struct plat_ctx *c = h ? ctx_new(p, as, 0) : NULL;
  plat_as_put(as);
  if (c) {
    proc_attach(h, c);
    c->token = new_token();
    TAILQ_INSERT_TAIL(&p->births, c, list_link);
  }
  return c;
}

static int births_for_pool(struct plat *p) {
  int n = 0;
  struct plat_ctx *c;
  TAILQ_FOREACH(c, &p->births, list_link)
  n += !c->waiter;
  return n;
}

/* The zygote makes one child at a time; its report leads here again. */
void pool_refill(struct plat *p) {
  if (p->zygote_busy || p->npool + births_for_pool(p) >= POOL_SIZE)
    return;
  struct plat_ctx *c = new_process_ctx(p), *z = p->zygote;
  if (!c)
    return;
  struct program g = {.n = 0};
  struct stub_op *o = prog_op(&g, STUB_OP_CLONE);
  o->a[0] = SIGCHLD; /* not CLONE_PARENT: EINVAL for the init of a pid namespace */
  o->a[4] = c->token;
  z->nexpect = z->next = 0;
  prog_expect(z, __NR_clone, (uint64_t[6]){SIGCHLD, 0, 0, 0, 0, c->token});
  prog_op(&g, STUB_OP_REPORT);
  p->zygote_busy = true;
  if (prog_send(z, &g, CTX_ORDERED) < 0)
    debug_log("platform: the zygote does not answer");
}

int plat_spawn(struct plat *p, struct plat_ctx **out) {
  struct plat_ctx *c;
  while (!(c = TAILQ_FIRST(&p->pool))) {
    pool_refill(p);
    int r = task_wait_uninterruptible(&p->pool_wq, 0, loop_now_exact() + 10000000000ll);
    if (r < 0)
      return -EAGAIN;
  }
  TAILQ_REMOVE(&p->pool, c, list_link);
  p->npool--;
  c->is_call = c->sets_rax = false;
  pool_refill(p);
  *out = c;
  return 0;
}
