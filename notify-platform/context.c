/* Contexts, host processes and address spaces: who exists, under which host id, and how they end. */
#include "internal.h"
#include "../core/log.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

struct plat_as *as_new(void) {
  struct plat_as *as = calloc(1, sizeof *as);
  if (as) {
    ref_init(&as->ref);
    LIST_INIT(&as->procs);
  }
  return as;
}

struct plat_as *plat_as_get(struct plat_as *as) {
  ref_get(&as->ref);
  return as;
}

void plat_as_put(struct plat_as *as) {
  if (as && ref_put(&as->ref))
    free(as);
}

bool plat_as_shared(const struct plat_as *as) {
  return as->nctx > 1;
}

int as_take_slot(struct plat_as *as) {
  for (int i = 0; i < STUB_SLOTS / 64; i++)
    if (~as->slots[i]) {
      int bit = __builtin_ctzll(~as->slots[i]);
      as->slots[i] |= 1ull << bit;
      return i * 64 + bit;
    }
  return -EAGAIN;
}

static void as_release_slot(struct plat_as *as, int slot) {
  as->slots[slot / 64] &= ~(1ull << (slot % 64));
}

struct plat_ctx *ctx_new(struct plat *p, struct plat_as *as, int slot) {
  struct plat_ctx *c = calloc(1, sizeof *c);
  if (!c)
    return NULL;
  c->p = p;
  c->as = plat_as_get(as);
  c->slot = slot;
  c->as->slots[slot / 64] |= 1ull << (slot % 64);
  c->as->nctx++;
  c->counted = true;
  c->state = CTX_BORN;
  return c;
}

uint64_t ctx_slot_addr(const struct plat_ctx *c) {
  return c->p->slots + (uint64_t)c->slot * STUB_SLOT_SIZE;
}

static unsigned bucket(int tid) {
  return (unsigned)tid % CTX_BUCKETS;
}

struct plat_ctx *ctx_find(struct plat *p, int tid) {
  struct plat_ctx *c;
  LIST_FOREACH(c, &p->by_tid[bucket(tid)], hash_link)
  if (c->tid == tid)
    return c;
  return NULL;
}

void ctx_bind(struct plat_ctx *c, int tid) {
  c->tid = tid;
  LIST_INSERT_HEAD(&c->p->by_tid[bucket(tid)], c, hash_link);
}

void ctx_uncount(struct plat_ctx *c) {
  if (!c->counted)
    return;
  c->counted = false;
  c->as->nctx--;
  if (c->proc)
    c->proc->nctx--;
}

static void ctx_unlink(struct plat_ctx *c) {
  if (c->tid)
    LIST_REMOVE(c, hash_link);
  c->tid = 0;
  if (c->kicked)
    TAILQ_REMOVE(&c->p->kicked, c, kick_link);
  c->kicked = false;
  if (c->proc) {
    LIST_REMOVE(c, proc_link);
    c->proc = NULL;
  }
}

/* A fiber that waits for c sees CTX_GONE when it wakes and frees it then. */
void ctx_free(struct plat_ctx *c) {
  if (c->as)
    ctx_uncount(c);
  ctx_unlink(c);
  if (c->state == CTX_BORN)
    TAILQ_REMOVE(&c->p->births, c, list_link);
  c->state = CTX_GONE;
  if (c->as) {
    as_release_slot(c->as, c->slot);
    plat_as_put(c->as);
    c->as = NULL;
  }
  if (c->waiter) {
    fiber_wake(c->waiter);
    return;
  }
  free(c->expect);
  free(c);
}

struct host_proc *proc_new(struct plat_as *as) {
  struct host_proc *h = calloc(1, sizeof *h);
  if (!h)
    return NULL;
  h->as = plat_as_get(as);
  h->pidfd = -1;
  LIST_INIT(&h->ctxs);
  return h;
}

void proc_attach(struct host_proc *h, struct plat_ctx *c) {
  c->proc = h;
  h->nctx++;
  LIST_INSERT_HEAD(&h->ctxs, c, proc_link);
}

static void proc_free(struct host_proc *h) {
  if (h->pidfd >= 0) {
    loop_poll_del(loop_current(), &h->poll);
    close(h->pidfd);
  }
  if (h->pid)
    LIST_REMOVE(h, as_link);
  for (int i = 0; i < PLAT_LOOKS; i++)
    if (h->look[i] > 0)
      close(h->look[i]);
  plat_as_put(h->as);
  free(h);
}

/*
 * The process ended without an order: the host's OOM killer, or somebody's SIGKILL. The kernel hears of it once per
 * task; its plat_kill() then frees what is left.
 */
static void proc_died(struct loop_poll *lp, uint32_t revents) {
  (void)revents;
  struct host_proc *h = lp->arg;
  struct plat_ctx *c, *next;
  struct plat_event ev = {.type = PLAT_DIED};
  for (c = LIST_FIRST(&h->ctxs); c; c = next) {
    next = LIST_NEXT(c, proc_link);
    if (c->state == CTX_GONE)
      continue;
    ctx_uncount(c);
    if (c->state == CTX_BORN)
      TAILQ_REMOVE(&c->p->births, c, list_link);
    c->state = CTX_GONE;
    if (c->waiter)
      fiber_wake(c->waiter);
  }
  /* One report is enough: a host process is one thread group, and the kernel ends the group. */
  LIST_FOREACH(c, &h->ctxs, proc_link)
  if (c->task) {
    c->p->cb.event(c->task, c, &ev);
    return;
  }
}

int proc_watch(struct plat *p, struct host_proc *h, int pid) {
  (void)p;
  h->pid = pid;
  LIST_INSERT_HEAD(&h->as->procs, h, as_link);
  h->pidfd = syscall(SYS_pidfd_open, pid, 0);
  if (h->pidfd < 0)
    return -errno;
  h->poll = (struct loop_poll){.fd = h->pidfd, .events = EPOLLIN, .fn = proc_died, .arg = h};
  return loop_current() ? loop_poll_arm(loop_current(), &h->poll) : 0;
}

void plat_set_task(struct plat_ctx *c, void *task) {
  c->task = task;
}
struct plat_as *plat_ctx_as(struct plat_ctx *c) {
  return c->as;
}
int plat_ctx_host_tid(const struct plat_ctx *c) {
  return c->tid;
}

void plat_kill(struct plat_ctx *c) {
  struct host_proc *h = c->proc;
  if (!h) {
    ctx_free(c);
    return;
  }
  if (h->pid)
    kill(h->pid, SIGKILL);
  struct plat_ctx *x;
  while ((x = LIST_FIRST(&h->ctxs)))
    ctx_free(x);
  proc_free(h);
}

void ctx_broke_rules(struct plat_ctx *c, const char *what) {
  debug_log("platform: killing host process %d: %s", c->proc ? c->proc->pid : c->tid, what);
  if (c->proc && c->proc->pid)
    kill(c->proc->pid, SIGKILL); /* its pidfd reports the end */
}

void ctx_stopped(struct plat_ctx *c, uint64_t id, bool in_stub) {
  c->state = CTX_STOPPED;
  c->notif = id;
  c->in_stub = in_stub;
}

int raw_tgkill(int tgid, int tid, int sig) {
  return syscall(SYS_tgkill, tgid, tid, sig) ? -errno : 0;
}

/* ---- interrupting ---- */

#define KICK_NS 5000000000ll

/* A thread that does not acknowledge in time has forged its signal mask. */
static void watchdog_fired(struct timer *t) {
  struct plat *p = t->arg;
  struct plat_ctx *c, *next;
  int64_t now = loop_now_exact(), first = INT64_MAX;
  for (c = TAILQ_FIRST(&p->kicked); c; c = next) {
    next = TAILQ_NEXT(c, kick_link);
    if (c->kick_deadline <= now)
      ctx_broke_rules(c, "it does not answer a host signal");
    else if (c->kick_deadline < first)
      first = c->kick_deadline;
  }
  if (first != INT64_MAX)
    timer_arm(t, first);
}

void plat_interrupt(struct plat_ctx *c) {
  if (c->state != CTX_RUNNING || c->kicked || !c->proc)
    return;
  c->kicked = true;
  c->kick_deadline = loop_now_exact() + KICK_NS;
  TAILQ_INSERT_TAIL(&c->p->kicked, c, kick_link);
  if (!c->p->watchdog.armed) {
    c->p->watchdog.fn = watchdog_fired;
    c->p->watchdog.arg = c->p;
    timer_arm(&c->p->watchdog, c->kick_deadline);
  }
  raw_tgkill(c->proc->pid, c->tid, HOST_KICK_SIGNAL);
}
