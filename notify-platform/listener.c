/*
 * The notification listener: what arrives is told apart here. A notification is either a plain system call of guest
 * code, or it comes from the stub's own syscall instruction: then it is a request, a report, or an ordered host call.
 *
 * Only ordered calls are ever let through to the host (SECCOMP_USER_NOTIF_FLAG_CONTINUE), and only if the number and
 * all six registers, of which the kernel gives us a copy, are what this context was told. The guest can jump to the
 * stub's instruction with anything it likes; without an order that is an ordinary call, answered here.
 */
#include "internal.h"
#include "../core/log.h"
#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define VSYSCALL_PAGE 0xffffffffff600000ull
#define HOST_ERESTARTSYS 512

static int answer(struct plat *p, uint64_t id, int64_t val, int error, uint32_t flags) {
  struct seccomp_notif_resp r = {.id = id, .val = val, .error = error, .flags = flags};
  return ioctl(p->listener, SECCOMP_IOCTL_NOTIF_SEND, &r) ? -errno : 0;
}

int notif_answer(struct plat *p, uint64_t id, int64_t ret) {
  return ret < 0 && ret > -4096 ? answer(p, id, 0, (int)ret, 0) : answer(p, id, ret, 0, 0);
}

int notif_continue(struct plat *p, uint64_t id) {
  return answer(p, id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
}

int notif_addfd(struct plat *p, uint64_t id, int fd, int number) {
  struct seccomp_notif_addfd a = {
      .id = id, .flags = SECCOMP_ADDFD_FLAG_SETFD, .srcfd = fd, .newfd = number, .newfd_flags = O_CLOEXEC};
  return ioctl(p->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &a) < 0 ? -errno : 0;
}

static bool is_direct(int nr) {
  return nr == __NR_munmap || nr == __NR_mprotect || nr == __NR_mremap || nr == __NR_madvise || nr == __NR_exit ||
         nr == __NR_rseq;
}

/* The calls that the filter traps: made from the stub's instruction without an order, they have no context to work on.
 */
static bool is_trapped(int nr) {
  switch (nr) {
  case __NR_clone:
  case __NR_clone3:
  case __NR_fork:
  case __NR_vfork:
  case __NR_rt_sigreturn:
  case __NR_mmap:
  case __NR_brk:
  case __NR_shmat:
  case __NR_shmdt:
  case __NR_remap_file_pages:
  case __NR_pkey_mprotect:
  case __NR_arch_prctl:
  case __NR_exit_group:
  case __NR_membarrier:
    return true;
  }
  return is_direct(nr);
}

static bool matches(const struct expect *e, const struct seccomp_data *d) {
  if (e->nr != d->nr)
    return false;
  for (int i = 0; i < 6; i++)
    if (e->a[i] != d->args[i])
      return false;
  return true;
}

/*
 * Is this the next ordered call of c? A stop and continue on the host can notify one ordered call twice, so the last
 * one that was let through counts as well: but not a clone, whose child would be one too many.
 */
static bool ordered(struct plat_ctx *c, const struct seccomp_data *d) {
  if (c->next < c->nexpect && matches(&c->expect[c->next], d)) {
    c->next++;
    return true;
  }
  return c->next > 0 && d->nr != __NR_clone && matches(&c->expect[c->next - 1], d);
}

static void emit(struct plat_ctx *c, const struct plat_event *ev) {
  if (!c->task) {
    ctx_broke_rules(c, "it runs without a task");
    return;
  }
  c->p->cb.event(c->task, c, ev);
}

/* A guess (stub_abi.h) is to the kernel a request for memory anywhere; finish() sees whether it was right. */
static bool is_guess(const struct seccomp_data *d) {
  return d->nr == __NR_mmap && (d->args[3] & ~(uint64_t)STUB_MAP_STACK) == STUB_MAP_FLAGS &&
         (uint32_t)d->args[4] == UINT32_MAX && d->args[5] == 0 && !(d->args[1] & 4095) && !(d->args[2] & ~7ull);
}

/* Before exit_group: the host's count of the process, into its own slot. It tells the guest nothing that we would not.
 */
static bool is_usage(const struct plat_ctx *c, const struct seccomp_data *d) {
  return d->nr == __NR_getrusage && d->args[0] == 0 &&
         d->args[1] == ctx_slot_addr(c) + offsetof(struct stub_slot, scratch) && !d->args[2] && !d->args[3] &&
         !d->args[4] && !d->args[5];
}

static void call_event(struct plat_ctx *c, const struct seccomp_notif *n, int64_t nr, bool in_stub, bool direct) {
  ctx_stopped(c, n->id, in_stub);
  c->guessed = 0;
  c->is_call = true;
  c->direct = direct;
  c->sets_rax = in_stub;
  c->fresh = true;
  c->rewound = c->fixed = false;
  c->usage_told &= nr == __NR_exit_group;
  c->call.nr = nr;
  memcpy(c->call.arg, n->data.args, sizeof c->call.arg);
  c->call.ip = n->data.instruction_pointer;
  if (direct && nr == __NR_mmap) {
    c->guessed = c->call.arg[0];
    c->call.arg[0] = 0;
    c->call.arg[3] = MAP_PRIVATE | MAP_ANONYMOUS | (c->call.arg[3] & STUB_MAP_STACK);
  }
  struct plat_event ev = {.type = PLAT_SYSCALL, .call = c->call};
  emit(c, &ev);
}

static void other_event(struct plat_ctx *c, const struct seccomp_notif *n, const struct plat_event *ev) {
  ctx_stopped(c, n->id, true);
  c->is_call = c->direct = c->sets_rax = c->rewound = c->fixed = false;
  emit(c, ev);
}

static void guest_call(struct plat_ctx *c, const struct seccomp_notif *n) {
  bool vsyscall = (n->data.instruction_pointer & ~0xfffull) == VSYSCALL_PAGE;
  if (c->state == CTX_BOUNCING || (c->kicked && !vsyscall && c->state == CTX_RUNNING)) {
    /*
     * A host signal is on its way to this thread. The call is not executed but rewound; it comes again after the stub's
     * handler. This also guards against kernels that restart a call whose answer had been accepted (before
     * cce436aafc2a). A vsyscall cannot be rewound: -512 would leak to the guest.
     */
    answer(c->p, n->id, 0, -HOST_ERESTARTSYS, 0);
    return;
  }
  if (c->state != CTX_RUNNING) {
    ctx_broke_rules(c, "it makes calls while stopped");
    return;
  }
  call_event(c, n, n->data.nr, false, false);
}

static int order_kind(int nr) {
  switch (nr) {
  case __NR_munmap:
    return PLAT_MUNMAP;
  case __NR_mprotect:
    return PLAT_MPROTECT;
  case __NR_mremap:
    return PLAT_MREMAP;
  case __NR_madvise:
    return PLAT_MADVISE;
  case __NR_rseq:
    return PLAT_RSEQ;
  }
  return PLAT_MMAP;
}

static void stub_report(struct plat_ctx *c, const struct seccomp_notif *n) {
  const uint64_t *a = (const uint64_t *)n->data.args;
  if (c == c->p->zygote) {
    ctx_stopped(c, n->id, true);
    zygote_reported(c->p);
    return;
  }
  if (c->state == CTX_ORDERED) {
    ctx_stopped(c, n->id, true);
    c->report_ops = (int64_t)a[0];
    c->report_result = (int64_t)a[1];
    c->report_extra = (int64_t)a[2];
    c->reported = true;
    if (c->waiter)
      fiber_wake(c->waiter);
    return;
  }
  if (c->state != CTX_RUNNING) {
    ctx_broke_rules(c, "it reports without orders");
    return;
  }
  int64_t err = (int64_t)a[1];
  if (c->next > 0 && c->tail_orders > 0 && err < 0 && err > -4096) {
    const struct expect *e = &c->expect[c->next - 1];
    struct plat_event ev = {.type = PLAT_ORDER_FAILED};
    ev.failed.kind = order_kind(e->nr);
    ev.failed.addr = e->a[0];
    ev.failed.len = e->a[1];
    ev.failed.err = (int)-err;
    c->tail_orders = 0;
    ctx_stopped(c, n->id, true);
    c->is_call = true;
    c->direct = c->rewound = c->fixed = false;
    c->sets_rax = true;
    emit(c, &ev);
    return;
  }
  notif_answer(c->p, n->id, err); /* an error of ours that the stub passed back: it stands */
}

static void stub_notification(struct plat_ctx *c, const struct seccomp_notif *n) {
  struct plat *p = c->p;
  const struct seccomp_data *d = &n->data;
  if ((unsigned)d->nr < STUB_CALL) {
    if (ordered(c, d)) {
      notif_continue(p, n->id);
      if (c->exiting && d->nr == __NR_exit)
        ctx_free(c);
    } else if (c->state != CTX_RUNNING) {
      ctx_broke_rules(c, "it makes a host call that was not ordered");
    } else if (is_usage(c, d)) {
      c->usage_told = true;
      notif_continue(p, n->id);
    } else if (is_direct(d->nr) || is_guess(d)) {
      call_event(c, n, d->nr, true, true);
    } else if (is_trapped(d->nr)) {
      notif_answer(p, n->id, -ENOSYS);
    } else {
      guest_call(c, n);
    }
    return;
  }
  if (d->nr == STUB_REPORT) {
    stub_report(c, n);
    return;
  }
  if (d->nr == STUB_INTERRUPTED) {
    if (c->kicked) {
      c->kicked = false;
      TAILQ_REMOVE(&p->kicked, c, kick_link);
    }
    if (c->state == CTX_BOUNCING) {
      ctx_stopped(c, n->id, true);
      c->rewound = true;
      c->sets_rax = false;
      if (c->waiter)
        fiber_wake(c->waiter);
    } else if (c->state == CTX_RUNNING) {
      struct plat_event ev = {.type = PLAT_INTERRUPTED};
      other_event(c, n, &ev);
    } else {
      ctx_broke_rules(c, "it was interrupted while stopped");
    }
    return;
  }
  if (c->state != CTX_RUNNING) {
    ctx_broke_rules(c, "it speaks while stopped");
    return;
  }
  if (d->nr == STUB_FAULT) {
    struct plat_event ev = {.type = PLAT_FAULT};
    ev.fault.signo = (int)d->args[0];
    ev.fault.code = (int)d->args[1];
    ev.fault.addr = d->args[2];
    ev.fault.ip = d->args[3];
    ev.fault.sp = d->args[4];
    ev.fault.trapno = (uint32_t)(d->args[5] >> 32);
    ev.fault.err = (uint32_t)d->args[5];
    int s = ev.fault.signo;
    if (s != SIGSEGV && s != SIGBUS && s != SIGFPE && s != SIGILL && s != SIGTRAP)
      ev.fault.signo = SIGSEGV;
    other_event(c, n, &ev);
  } else if (d->nr == STUB_SIGRETURN) {
    struct plat_event ev = {.type = PLAT_SIGRETURN};
    ev.sigreturn.bad = d->args[0] != 0;
    ev.sigreturn.mask = d->args[1];
    ev.sigreturn.ss_sp = d->args[2];
    ev.sigreturn.ss_flags = (uint32_t)d->args[3];
    ev.sigreturn.ss_size = d->args[4];
    other_event(c, n, &ev);
  } else if (d->nr >= STUB_CALL && d->nr < STUB_CALL + 0x10000) {
    call_event(c, n, d->nr - STUB_CALL, true, false);
  } else {
    notif_answer(p, n->id, -ENOSYS);
  }
}

void plat_dispatch(struct plat *p, const struct seccomp_notif *n) {
  struct plat_ctx *c = ctx_find(p, (int)n->pid);
  bool stub = n->data.instruction_pointer == p->syscall_ret;
  if (stub && n->data.nr == STUB_REGISTER) {
    if (c && c == p->zygote) {
      ctx_stopped(c, n->id, true);
      zygote_reported(p);
      return;
    }
    struct plat_ctx *born;
    TAILQ_FOREACH(born, &p->births, list_link)
    if (!c && born->token && born->token == n->data.args[0]) {
      ctx_registered(born, (int)n->pid, n->id);
      return;
    }
  }
  if (c)
    stub ? stub_notification(c, n) : guest_call(c, n);
  else if (n->pid > 1)          /* 0 would be our own process group */
    kill((int)n->pid, SIGKILL); /* born without an order, or already given up */
}

void listener_ready(void *plat, short revents) {
  struct plat *p = plat;
  if (!(revents & POLLIN)) {
    if (revents & POLLHUP) { /* the last process under the filter is gone: the zygote, whose death ended all others */
      loop_set_hot(loop_current(), -1, NULL, NULL);
      if (p->cb.lost)
        p->cb.lost();
    }
    return;
  }
  /* One RECV per wake-up, because RECV blocks when nothing is pending (it ignores O_NONBLOCK). */
  struct seccomp_notif n;
  memset(&n, 0, sizeof n);
  if (ioctl(p->listener, SECCOMP_IOCTL_NOTIF_RECV, &n) == 0)
    plat_dispatch(p, &n);
}
