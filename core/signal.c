/* Signal state: handlers, masks, queues, the alternate stack. Sending is in signal_send.c, acting in signal_deliver.c.
 */
#include "signal.h"
#include "errno.h"
#include "kernel.h"
#include "task.h"
#include "timers.h"
#include "user.h"
#include <stdlib.h>
#include <string.h>

#define SIGSET_SYNCHRONOUS                                                                                             \
  (sigbit(SIGSEGV) | sigbit(SIGBUS) | sigbit(SIGILL) | sigbit(SIGTRAP) | sigbit(SIGFPE) | sigbit(SIGSYS))
/* What rt_sigaction(2) keeps of sa_flags (UAPI_SA_FLAGS), so that programs can probe for support. */
#define SA_KNOWN 0xdc000807ull
#define MIN_ALTSTACK 2048
#define SS_AUTODISARM_BIT (1u << 31)

/* ---- handlers ---- */

struct sighand *sighand_new(void) {
  struct sighand *s = calloc(1, sizeof *s);
  if (s)
    ref_init(&s->ref);
  return s;
}

struct sighand *sighand_dup(const struct sighand *s) {
  struct sighand *n = sighand_new();
  if (n)
    memcpy(n->action, s->action, sizeof n->action);
  return n;
}

struct sighand *sighand_get(struct sighand *s) {
  ref_get(&s->ref);
  return s;
}

void sighand_put(struct sighand *s) {
  if (s && ref_put(&s->ref))
    free(s);
}

/* Signals of the handler alone: whoever cares for the mask asks for it too. */
bool signal_ignored(const struct task *t, int sig) {
  uint64_t h = t->sighand->action[sig - 1].handler;
  return h == (uint64_t)SIG_IGN || (h == (uint64_t)SIG_DFL && (SIGSET_IGNORE & sigbit(sig)));
}

int signal_action(struct task *t, int sig, const struct ksigaction *new, struct ksigaction *old) {
  if (sig < 1 || sig > NSIG_GUEST || (new && (SIGSET_KERNEL_ONLY & sigbit(sig))))
    return -EINVAL;
  struct ksigaction *a = &t->sighand->action[sig - 1];
  if (old)
    *old = *a;
  if (!new)
    return 0;
  *a = *new;
  a->flags &= SA_KNOWN;
  a->mask &= ~SIGSET_KERNEL_ONLY;
  /* POSIX: setting an action that ignores the signal discards what is pending, blocked or not. */
  if (signal_ignored(t, sig))
    signal_flush(t->proc, sigbit(sig));
  return 0;
}

void signal_exec_reset(struct task *t) {
  for (int i = 0; i < NSIG_GUEST; i++) {
    struct ksigaction *a = &t->sighand->action[i];
    *a = (struct ksigaction){.handler = a->handler == (uint64_t)SIG_IGN ? (uint64_t)SIG_IGN : (uint64_t)SIG_DFL};
  }
  t->ss_sp = t->ss_size = 0;
  t->ss_flags = SS_DISABLE;
  t->restart.fn = NULL;
}

/* ---- queues ---- */

void signal_pending_init(struct sigpending *p) {
  p->set = 0;
  TAILQ_INIT(&p->list);
}

static void sigqueue_free(struct sigpending *p, struct sigqueue *q) {
  TAILQ_REMOVE(&p->list, q, link);
  q->charged->nsigqueued--;
  user_put(q->charged);
  free(q);
}

static void flush_set(struct sigpending *p, sigset64_t set) {
  if (!(p->set & set))
    return;
  struct sigqueue *q, *next;
  for (q = TAILQ_FIRST(&p->list); q; q = next) {
    next = TAILQ_NEXT(q, link);
    if (sigbit(q->info.si_signo) & set)
      sigqueue_free(p, q);
  }
  p->set &= ~set;
}

void signal_flush_pending(struct sigpending *p) {
  flush_set(p, ~0ull);
}

void signal_flush(struct process *p, sigset64_t set) {
  struct task *t;
  flush_set(&p->pending, set);
  LIST_FOREACH(t, &p->threads, thread_link) flush_set(&t->pending, set);
}

static int next_signal(const struct sigpending *p, sigset64_t set) {
  sigset64_t s = p->set & set;
  if (s & SIGSET_SYNCHRONOUS)
    s &= SIGSET_SYNCHRONOUS; /* their context must be that of the fault */
  return s ? __builtin_ctzll(s) + 1 : 0;
}

/* The first entry of sig; the bit stays while another one waits behind it. */
static void collect(struct sigpending *p, int sig, siginfo_t *info) {
  struct sigqueue *q, *found = NULL;
  bool more = false;
  TAILQ_FOREACH(q, &p->list, link) {
    if (q->info.si_signo != sig)
      continue;
    if (found) {
      more = true;
      break;
    }
    found = q;
  }
  if (!more)
    p->set &= ~sigbit(sig);
  if (found) {
    *info = found->info;
    sigqueue_free(p, found);
    return;
  }
  /* The queue was full when it came: only the number is known. */
  memset(info, 0, sizeof *info);
  info->si_signo = sig;
  info->si_code = SI_USER;
}

int signal_dequeue(struct task *t, sigset64_t set, siginfo_t *info) {
  struct sigpending *p = &t->pending;
  int sig = next_signal(p, set);
  if (!sig) {
    p = &t->proc->pending;
    sig = next_signal(p, set);
  }
  if (!sig)
    return 0;
  collect(p, sig, info);
  if (info->si_code == SI_TIMER)
    posix_timer_dequeued(t->proc, info);
  return sig;
}

sigset64_t signal_pending_set(const struct task *t) {
  return (t->pending.set | t->proc->pending.set) & t->blocked;
}

bool signal_pending(const struct task *t) {
  return t->killed || t->stop_wanted || t->ptrace_trap || ((t->pending.set | t->proc->pending.set) & ~t->blocked);
}

/* ---- masks ---- */

/* t takes `sigs` no longer: who else of the process may be waiting for them? */
static void retarget_shared(struct task *t, sigset64_t sigs) {
  sigs &= t->proc->pending.set;
  struct task *o;
  LIST_FOREACH(o, &t->proc->threads, thread_link) {
    if (!sigs)
      return;
    if (o == t || o->exiting || !(sigs & ~o->blocked))
      continue;
    sigs &= o->blocked;
    task_notify_signal(o);
  }
}

void signal_set_blocked(struct task *t, sigset64_t mask) {
  mask &= ~SIGSET_KERNEL_ONLY;
  sigset64_t now_blocked = mask & ~t->blocked;
  t->blocked = mask;
  if (now_blocked)
    retarget_shared(t, now_blocked);
}

void signal_set_temp_mask(struct task *t, sigset64_t mask) {
  if (!t->restore_blocked)
    t->saved_blocked = t->blocked;
  t->restore_blocked = true;
  signal_set_blocked(t, mask);
}

void signal_restore_temp_mask(struct task *t) {
  if (!t->restore_blocked)
    return;
  t->restore_blocked = false;
  signal_set_blocked(t, t->saved_blocked);
}

void signal_task_leaves(struct task *t) {
  t->exiting = true;
  if (t->stop_wanted) {
    struct process *p = t->proc;
    bool counted = !t->stop_uncounted;
    t->stop_wanted = t->stop_uncounted = false;
    if (counted && p->stop_count > 0 && --p->stop_count == 0 && p->stop_ordered && p->nstopped > 0) {
      p->stopped = true;
      p->stop_reported = false;
      process_notify_parent(p, CLD_STOPPED);
    }
  }
  retarget_shared(t, ~t->blocked);
}

/* ---- the alternate stack ---- */

static bool on_altstack(const struct task *t, uint64_t sp) {
  return !(t->ss_flags & SS_AUTODISARM_BIT) && sp > t->ss_sp && sp - t->ss_sp <= t->ss_size;
}

int signal_altstack(struct task *t, const stack_t *new, stack_t *old, uint64_t sp) {
  if (old) {
    memset(old, 0, sizeof *old);
    old->ss_sp = (void *)t->ss_sp;
    old->ss_size = t->ss_size;
    unsigned f = !t->ss_size ? SS_DISABLE : on_altstack(t, sp) ? SS_ONSTACK : 0;
    old->ss_flags = (int)(f | (t->ss_flags & SS_AUTODISARM_BIT));
  }
  if (!new)
    return 0;
  if (on_altstack(t, sp))
    return -EPERM;
  unsigned mode = (unsigned)new->ss_flags & ~SS_AUTODISARM_BIT;
  if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
    return -EINVAL;
  if (mode == SS_DISABLE) {
    t->ss_sp = t->ss_size = 0;
  } else {
    if (new->ss_size < MIN_ALTSTACK)
      return -ENOMEM;
    t->ss_sp = (uint64_t) new->ss_sp;
    t->ss_size = new->ss_size;
  }
  t->ss_flags = (uint32_t) new->ss_flags;
  return 0;
}

void signal_sigreturn(struct task *t, const struct plat_event *ev) {
  t->restart.fn = NULL;
  if (ev->sigreturn.bad) {
    siginfo_t info = {.si_signo = SIGSEGV, .si_code = SI_KERNEL};
    force_signal(t, SIGSEGV, &info);
    return;
  }
  signal_set_blocked(t, ev->sigreturn.mask);
  /* Errors are ignored, as Linux does. The frame of a handler carries what was in force when it began; the stack
   * pointer is elsewhere again, or on the same alternate stack with the same settings. */
  stack_t ss = {
      .ss_sp = (void *)ev->sigreturn.ss_sp, .ss_size = ev->sigreturn.ss_size, .ss_flags = (int)ev->sigreturn.ss_flags};
  signal_altstack(t, &ss, NULL, 0);
}
