/* fork, vfork and threads: one ordered host clone with flags of ours, never the guest's. */
#include "internal.h"
#include <asm/unistd.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

uint64_t new_token(void);

#define BIRTH_DEADLINE_NS 10000000000ll

static uint64_t host_flags(const struct plat_fork_args *a) {
  uint64_t tls = a->set_tls ? CLONE_SETTLS : 0;
  switch (a->kind) {
  case PLAT_FORK:
    /* SIGCHLD is the exit signal that CLONE_PARENT lets the zygote inherit anyway; the zygote ignores it and so reaps.
     */
    return CLONE_PARENT | SIGCHLD;
  case PLAT_VFORK:
    return CLONE_VM | CLONE_PARENT | SIGCHLD | tls;
  case PLAT_THREAD:
    break;
  }
  return CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | tls;
}

static struct plat_ctx *unborn(struct plat_ctx *parent, const struct plat_fork_args *a) {
  struct plat *p = parent->p;
  struct plat_as *as = a->kind == PLAT_FORK ? as_new() : plat_as_get(parent->as);
  if (!as)
    return NULL;
  int slot = a->kind == PLAT_FORK ? parent->slot : as_take_slot(as);
  struct host_proc *h = a->kind == PLAT_THREAD ? parent->proc : proc_new(as);
  struct plat_ctx *c = slot >= 0 && h ? ctx_new(p, as, slot) : NULL;
  if (c) {
    proc_attach(h, c);
    c->token = new_token();
    TAILQ_INSERT_TAIL(&p->births, c, list_link);
  } else if (h && h != parent->proc) {
    plat_as_put(as);
    free(h);
  }
  plat_as_put(as);
  return c;
}

static void abandon(struct plat_ctx *child) {
  struct host_proc *h = child->proc;
  child->waiter = NULL;
  if (h && LIST_FIRST(&h->ctxs) == child && !LIST_NEXT(child, proc_link))
    plat_kill(child); /* alone in its host process */
  else
    ctx_free(child);
}

static void birth_overdue(struct timer *t) {
  fiber_wake(t->arg);
}

/* Both have to come: the parent's report of the host's clone, and the child's registration. A child that the host kills
 * before it could register has no pidfd yet, so only the deadline tells. */
static int await_birth(struct plat_ctx *parent, struct plat_ctx *child) {
  int64_t deadline = loop_now_exact() + BIRTH_DEADLINE_NS;
  struct timer overdue = {.fn = birth_overdue, .arg = fiber_self()};
  child->waiter = fiber_self();
  int r = ctx_wait_report(parent);
  if (r == 0 && child->state == CTX_BORN)
    timer_arm(&overdue, deadline);
  while (r == 0 && child->state == CTX_BORN) {
    if (loop_now_exact() >= deadline)
      r = -EAGAIN;
    else
      fiber_park();
  }
  timer_disarm(&overdue);
  child->waiter = NULL;
  if (r == 0 && child->state == CTX_GONE)
    r = -EAGAIN;
  return r;
}

int plat_fork(struct plat_ctx *parent, const struct plat_fork_args *a, struct plat_ctx **out) {
  int r = plat_flush(parent);
  if (r == 0)
    r = ctx_enter_stub(parent);
  if (r < 0)
    return r;
  parent->direct = false;
  struct plat_ctx *c = unborn(parent, a);
  if (!c)
    return -EAGAIN;

  uint64_t flags = host_flags(a), slot = a->kind == PLAT_FORK ? 0 : ctx_slot_addr(c);
  uint64_t tls = flags & CLONE_SETTLS ? a->tls : 0;
  struct program g = {.n = 0};
  struct stub_op *o = prog_op(&g, STUB_OP_CLONE);
  o->a[0] = flags;
  o->a[1] = slot;
  o->a[2] = a->sp;
  o->a[3] = tls;
  o->a[4] = c->token;
  parent->nexpect = parent->next = 0;
  prog_expect(parent, __NR_clone, (uint64_t[6]){flags, slot ? slot + STUB_BIRTH_SP : 0, 0, 0, tls, c->token});
  prog_op(&g, STUB_OP_REPORT);
  r = prog_send(parent, &g, CTX_ORDERED);
  if (r == 0) {
    r = await_birth(parent, c);
    if (r != -ESRCH)
      parent->nexpect = parent->next = 0;
  }
  if (r < 0) {
    abandon(c);
    return r == -EFAULT ? -ESRCH : r;
  }
  c->call = parent->call;
  c->rewound = parent->rewound;
  *out = c;
  return 0;
}
