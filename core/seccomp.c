/* Filters: attaching, inheriting, judging. Listeners are in seccomp_notify.c, the interpreter in bpf_classic.c. */
#include "seccomp.h"
#include "ptrace.h"
#include "bpf_classic.h"
#include "errno.h"
#include "kernel.h"
#include "task.h"
#include <asm/unistd.h>
#include <linux/audit.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define PATH_PENALTY 4
#define MAX_ERRNO 4095
#define SYS_SECCOMP_CODE 1 /* SYS_SECCOMP of sigaction(2) */
#define WCORE 0x80

/* ---- chains ---- */

/* Linux's seccomp sees struct seccomp_data through aligned words: does the program look at the instruction pointer? */
static bool loads_ip(const struct sock_filter *f, unsigned len) {
  for (unsigned i = 0; i < len; i++)
    if (f[i].code == (BPF_LD | BPF_W | BPF_ABS) && f[i].k / 8 == offsetof(struct seccomp_data, instruction_pointer) / 8)
      return true;
  return false;
}

int seccomp_filter_new(const struct sock_filter *insns, unsigned len, struct seccomp_filter **out) {
  int r = bpf_check(insns, len, BPF_FOR_SECCOMP);
  if (r)
    return r;
  struct seccomp_filter *f = calloc(1, sizeof *f + len * sizeof *insns);
  if (!f)
    return -ENOMEM;
  ref_init(&f->ref);
  memcpy(f->insns, insns, len * sizeof *insns);
  f->len = f->total = len;
  f->depth = 1;
  f->needs_ip = loads_ip(insns, len);
  *out = f;
  return 0;
}

void seccomp_filter_put(struct seccomp_filter *f) {
  while (f && ref_put(&f->ref)) {
    struct seccomp_filter *prev = f->prev;
    free(f);
    f = prev;
  }
}

static struct seccomp_filter *chain_get(struct seccomp_filter *f) {
  if (f) {
    ref_get(&f->ref);
    f->users++;
  }
  return f;
}

static void chain_put(struct seccomp_filter *chain) {
  for (struct seccomp_filter *f = chain; f && --f->users == 0; f = f->prev)
    if (f->listener)
      seccomp_listener_hangup(f->listener);
  seccomp_filter_put(chain);
}

bool seccomp_may_assign(const struct task *t, int mode) {
  return t->seccomp_mode == SECCOMP_MODE_DISABLED || t->seccomp_mode == mode;
}

bool seccomp_has_listener(const struct task *t) {
  for (const struct seccomp_filter *f = t->seccomp; f; f = f->prev)
    if (f->listener)
      return true;
  return false;
}

static bool is_ancestor(const struct seccomp_filter *parent, const struct seccomp_filter *f) {
  if (!parent)
    return true;
  while (f && f != parent)
    f = f->prev;
  return f;
}

/* ---- all threads at once ---- */

static bool follows(const struct task *o, const struct task *t) {
  return o != t && !o->exiting;
}

static int cannot_sync(const struct task *t) {
  struct task *o;
  LIST_FOREACH(o, &t->proc->threads, thread_link) {
    if (follows(o, t) && o->seccomp_mode != SECCOMP_MODE_DISABLED &&
        (o->seccomp_mode != SECCOMP_MODE_FILTER || !is_ancestor(o->seccomp, t->seccomp)))
      return pid_vnr(o->tid);
  }
  return 0;
}

static int set_no_new_privs(struct task *o) {
  if (o->cred->no_new_privs)
    return 0;
  struct cred *c = cred_dup(o->cred);
  if (!c)
    return -ENOMEM;
  c->no_new_privs = true;
  task_set_cred(o, c);
  cred_put(c);
  return 0;
}

/* The caller's no_new_privs goes with its filters. First, because it is what can fail. */
static int sync_no_new_privs(struct task *t) {
  struct task *o;
  LIST_FOREACH(o, &t->proc->threads, thread_link) {
    int r = t->cred->no_new_privs && follows(o, t) ? set_no_new_privs(o) : 0;
    if (r)
      return r;
  }
  return 0;
}

static void sync_threads(struct task *t) {
  struct task *o;
  LIST_FOREACH(o, &t->proc->threads, thread_link) {
    if (!follows(o, t))
      continue;
    struct seccomp_filter *old = o->seccomp;
    o->seccomp = chain_get(t->seccomp);
    o->seccomp_mode = SECCOMP_MODE_FILTER;
    chain_put(old);
  }
}

/* ---- attaching ---- */

static int try_attach(struct task *t, struct seccomp_filter *f, unsigned flags) {
  if (!seccomp_may_assign(t, SECCOMP_MODE_FILTER))
    return -EINVAL;
  if (f->listener && seccomp_has_listener(t))
    return -EBUSY;
  struct seccomp_filter *prev = t->seccomp;
  unsigned before = prev ? prev->total + PATH_PENALTY : 0;
  if (before + f->len > SECCOMP_MAX_INSNS_PER_PATH)
    return -ENOMEM;
  if (flags & SECCOMP_FILTER_FLAG_TSYNC) {
    int r = cannot_sync(t);
    if (r)
      return flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH ? -ESRCH : r;
    r = sync_no_new_privs(t);
    if (r)
      return r;
  }
  f->prev = prev; /* with the task's reference and its use */
  f->total = before + f->len;
  f->depth = prev ? prev->depth + 1 : 1;
  f->needs_ip |= prev && prev->needs_ip;
  f->users = 1;
  ref_get(&f->ref);
  t->seccomp = f;
  t->seccomp_mode = SECCOMP_MODE_FILTER;
  if (flags & SECCOMP_FILTER_FLAG_TSYNC)
    sync_threads(t);
  return 0;
}

int seccomp_attach(struct task *t, struct seccomp_filter *f, unsigned flags) {
  f->log = flags & SECCOMP_FILTER_FLAG_LOG;
  f->wait_killable = flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
  return try_attach(t, f, flags);
}

int seccomp_set_strict(struct task *t) {
  if (!seccomp_may_assign(t, SECCOMP_MODE_STRICT))
    return -EINVAL;
  t->seccomp_mode = SECCOMP_MODE_STRICT;
  return 0;
}

int seccomp_fork(struct task *t, struct task *child) {
  if (!t->seccomp_mode)
    return 0;
  int r = t->cred->no_new_privs ? set_no_new_privs(child) : 0; /* another thread may have set it meanwhile */
  if (r)
    return r;
  child->seccomp_mode = t->seccomp_mode;
  child->seccomp = chain_get(t->seccomp);
  return 0;
}

void seccomp_exit(struct task *t) {
  struct seccomp_filter *f = t->seccomp;
  t->seccomp = NULL;
  chain_put(f);
}

/* ---- judging ---- */

bool seccomp_action_known(uint32_t action) {
  switch (action) {
  case SECCOMP_RET_KILL_PROCESS:
  case SECCOMP_RET_KILL_THREAD:
  case SECCOMP_RET_TRAP:
  case SECCOMP_RET_ERRNO:
  case SECCOMP_RET_USER_NOTIF:
  case SECCOMP_RET_TRACE:
  case SECCOMP_RET_LOG:
  case SECCOMP_RET_ALLOW:
    return true;
  }
  return false;
}

/* Actions are ordered as signed numbers: KILL_PROCESS, the only negative one, first. */
static int32_t rank(uint32_t verdict) {
  return (int32_t)(verdict & SECCOMP_RET_ACTION_FULL);
}

/* Every filter is asked, the newest first; the strictest answer counts, of equal ones the first. */
static uint32_t judge(struct seccomp_filter *chain, const struct seccomp_data *d, struct seccomp_filter **by) {
  struct bpf_data data = {.bytes = (const uint8_t *)d, .len = sizeof *d};
  uint32_t verdict = SECCOMP_RET_ALLOW;
  *by = NULL;
  for (struct seccomp_filter *f = chain; f; f = f->prev) {
    uint32_t v = bpf_run(f->insns, BPF_FOR_SECCOMP, &data);
    if (rank(v) < rank(verdict)) {
      verdict = v;
      *by = f;
    }
  }
  return verdict;
}

/* Does one program allow this call whatever its arguments are? Followed as far as it looks at number and architecture
 * only. */
static bool allows_number(const struct sock_filter *f, uint32_t nr) {
  uint32_t a = 0;
  for (const struct sock_filter *i = f;; i++) {
    switch (i->code) {
    case BPF_LD | BPF_W | BPF_ABS:
      if (i->k == offsetof(struct seccomp_data, nr))
        a = nr;
      else if (i->k == offsetof(struct seccomp_data, arch))
        a = AUDIT_ARCH_X86_64;
      else
        return false;
      break;
    case BPF_RET | BPF_K:
      return i->k == SECCOMP_RET_ALLOW;
    case BPF_JMP | BPF_JA:
      i += i->k;
      break;
    case BPF_JMP | BPF_JEQ | BPF_K:
      i += a == i->k ? i->jt : i->jf;
      break;
    case BPF_JMP | BPF_JGE | BPF_K:
      i += a >= i->k ? i->jt : i->jf;
      break;
    case BPF_JMP | BPF_JGT | BPF_K:
      i += a > i->k ? i->jt : i->jf;
      break;
    case BPF_JMP | BPF_JSET | BPF_K:
      i += a & i->k ? i->jt : i->jf;
      break;
    case BPF_ALU | BPF_AND | BPF_K:
      a &= i->k;
      break;
    default:
      return false;
    }
  }
}

/* The answer of the whole chain, found once for each number. */
static bool always_allowed(struct seccomp_filter *chain, int64_t nr) {
  if ((uint64_t)nr >= 64 * sizeof chain->known / sizeof *chain->known)
    return false;
  uint64_t bit = 1ull << (nr % 64);
  size_t word = (size_t)nr / 64;
  if (chain->known[word] & bit)
    return chain->allowed[word] & bit;
  bool all = true;
  for (struct seccomp_filter *f = chain; f && all; f = f->prev)
    all = allows_number(f->insns, (uint32_t)nr);
  chain->known[word] |= bit;
  if (all)
    chain->allowed[word] |= bit;
  return all;
}

/* ---- what follows from it ---- */

static void log_verdict(struct task *t, int nr, uint32_t verdict) {
  klog(t->k, "audit: type=1326 uid=%u gid=%u pid=%d comm=\"%s\" sig=%d arch=c000003e syscall=%d code=0x%x",
       t->cred->uid, t->cred->gid, t->proc->pid->nr, t->comm,
       rank(verdict) <= (int32_t)SECCOMP_RET_KILL_THREAD ? SIGSYS : 0, nr, verdict & SECCOMP_RET_ACTION_FULL);
}

uint64_t task_call_ip(struct task *t, const struct plat_call *c) {
  struct plat_regs r;
  if (c->ip < plat_layout(t->k->plat)->max || plat_get_regs(t->ctx, &r))
    return c->ip;
  return r.rip;
}

static void trap(struct task *t, const struct plat_call *c, uint16_t reason) {
  siginfo_t info = {.si_signo = SIGSYS, .si_code = SYS_SECCOMP_CODE, .si_errno = reason};
  info.si_call_addr = (void *)task_call_ip(t, c);
  info.si_syscall = (int)c->nr;
  info.si_arch = AUDIT_ARCH_X86_64;
  force_signal(t, SIGSYS, &info);
}

static void kill_process(struct task *t) {
  bool core = task_rlimit(t, RLIMIT_CORE) > 0 && !t->dumpable_off;
  process_exit_group(t->proc, core ? SIGSYS | WCORE : SIGSYS);
}

/* Of several threads only this one ends. */
static void end_thread(struct task *t, int status) {
  t->exit_code = status;
  t->killed = true;
}

static bool carry_out(struct task *t, const struct plat_call *c, const struct seccomp_data *d, uint32_t verdict,
                      struct seccomp_filter *by, int64_t *ret) {
  uint32_t data = verdict & SECCOMP_RET_DATA;
  switch (verdict & SECCOMP_RET_ACTION_FULL) {
  case SECCOMP_RET_ALLOW:
    return true;
  case SECCOMP_RET_LOG:
    log_verdict(t, d->nr, verdict);
    return true;
  case SECCOMP_RET_ERRNO:
    *ret = -(int64_t)(data > MAX_ERRNO ? MAX_ERRNO : data);
    return false;
  case SECCOMP_RET_TRAP:
    *ret = c->nr; /* RAX as it was before the call */
    trap(t, c, (uint16_t)data);
    return false;
  case SECCOMP_RET_USER_NOTIF:
    return seccomp_ask_listener(t, by, d, ret);
  case SECCOMP_RET_TRACE:
    return true; /* the tracer has been asked already: ask_tracer() */
  case SECCOMP_RET_KILL_THREAD:
    log_verdict(t, d->nr, verdict);
    if (t->proc->nlive > 1)
      end_thread(t, SIGSYS);
    else
      kill_process(t);
    return false;
  default: /* KILL_PROCESS, and what no Linux knows */
    log_verdict(t, d->nr, verdict);
    kill_process(t);
    return false;
  }
}

static bool strict_allows(int64_t nr) {
  return nr == __NR_read || nr == __NR_write || nr == __NR_exit || nr == __NR_rt_sigreturn;
}

/* The tracer may make another call of it, which the filters judge again. */
static bool ask_tracer(struct task *t, struct seccomp_filter *chain, struct plat_call *c, struct seccomp_data *d,
                       uint32_t data, int64_t *ret) {
  if (!ptrace_event_seccomp(t, c, data, ret)) {
    *ret = -ENOSYS;
    return false;
  }
  if (c->nr < 0)
    return false;
  struct seccomp_filter *by;
  d->nr = (int)c->nr;
  memcpy(d->args, c->arg, sizeof d->args);
  uint32_t verdict = judge(chain, d, &by);
  return carry_out(t, c, d, verdict, by, ret);
}

bool seccomp_enter(struct task *t, struct plat_call *c, int64_t *ret) {
  if (t->seccomp_mode == SECCOMP_MODE_STRICT) {
    if (strict_allows(c->nr))
      return true;
    end_thread(t, SIGKILL);
    return false;
  }
  struct seccomp_filter *chain = t->seccomp, *by;
  if (!chain || always_allowed(chain, c->nr))
    return true;
  struct seccomp_data d = {.nr = (int)c->nr, .arch = AUDIT_ARCH_X86_64, .instruction_pointer = c->ip};
  memcpy(d.args, c->arg, sizeof d.args);
  ref_get(&chain->ref); /* over the parks */
  if (chain->needs_ip)
    d.instruction_pointer = task_call_ip(t, c);
  uint32_t verdict = judge(chain, &d, &by);
  bool go;
  if ((verdict & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_TRACE)
    go = ask_tracer(t, chain, c, &d, verdict & SECCOMP_RET_DATA, ret);
  else
    go = carry_out(t, c, &d, verdict, by, ret);
  seccomp_filter_put(chain);
  return go;
}

/* Its registers are the handler's already: a filter that would have answered anything else than "go on" leaves nothing
 * to go back to. */
void seccomp_sigreturn(struct task *t) {
  struct plat_call c = {.nr = __NR_rt_sigreturn};
  struct seccomp_filter *by;
  if (t->seccomp_mode != SECCOMP_MODE_FILTER || !t->seccomp || always_allowed(t->seccomp, c.nr))
    return;
  struct seccomp_data d = {.nr = __NR_rt_sigreturn, .arch = AUDIT_ARCH_X86_64};
  uint32_t action = judge(t->seccomp, &d, &by) & SECCOMP_RET_ACTION_FULL;
  if (action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG)
    return;
  if (action == SECCOMP_RET_KILL_THREAD && t->proc->nlive > 1)
    end_thread(t, SIGSYS);
  else if (rank(action) <= (int32_t)SECCOMP_RET_KILL_THREAD)
    kill_process(t);
  else
    force_sigsegv(t);
}
