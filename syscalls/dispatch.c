/* The way of every call: table, log, handler. */
#include "../core/errno.h"
#include "../core/kernel.h"
#include "strace.h"
#include "table.h"

/* Once per number: programs probe for new calls again and again. */
static void log_unknown(struct task *t, int64_t nr) {
  struct kernel *k = t->k;
  bool in_table = nr >= 0 && nr < NR_SYSCALLS;
  if (in_table && syscall_table[nr].support == SUP_ERROR)
    return; /* left out on purpose */
  if (in_table) {
    uint64_t bit = 1ull << (nr % 64);
    if (k->nosys_logged[nr / 64] & bit)
      return;
    k->nosys_logged[nr / 64] |= bit;
  } else if (k->nosys_logged_other++) {
    return;
  }
  const char *name = in_table && syscall_table[nr].name ? syscall_table[nr].name : "unknown";
  klog(k, "%s[%d]: system call %lld (%s) is not implemented", t->comm, t->proc->pid->nr, (long long)nr, name);
  debug_log("%s[%d]: system call %lld (%s) is not implemented", t->comm, t->proc->pid->nr, (long long)nr, name);
}

static int64_t call(struct task *t, const struct plat_call *c) {
  /* Unsigned: x32 numbers and negative ones are out of range, too. */
  syscall_fn *fn = (uint64_t)c->nr < NR_SYSCALLS ? syscall_table[c->nr].fn : NULL;
  if (!fn) {
    log_unknown(t, c->nr);
    return -ENOSYS;
  }
  int64_t ret = fn(t, c->arg);
  if (ret == -ENOTSUPP_DISPATCH) {
    log_unknown(t, c->nr);
    return -ENOSYS;
  }
  return ret;
}

static int64_t call_traced(struct task *t, const struct plat_call *c) {
  struct strace_line line;
  strace_enter(&line, t, c);
  int64_t ret = call(t, c);
  strace_exit(&line, t, c, ret);
  return ret;
}

int64_t syscall_dispatch(struct task *t, const struct plat_call *c) {
  return t->k->strace ? call_traced(t, c) : call(t, c);
}
