/* ptrace(2): requests decoded, the tracee's memory and registers copied. What they mean is in core/ptrace*.c. */
#include "../core/errno.h"
#include "../core/kernel.h"
#include "../core/ptrace.h"
#include "../core/uaccess.h"
#include "table.h"
#include <elf.h>
#include <linux/audit.h>
#include <linux/ptrace.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#define GET_THREAD_AREA 25
#define SET_THREAD_AREA 26
#define ARCH_PRCTL 30
#define FXSAVE_SIZE 512
#define USER_SIZE 928     /* sizeof(struct user), whose header does not go with core/mm.h */
#define USER_DEBUGREG 848 /* offsetof(struct user, u_debugreg) */

struct tracing { /* one request */
  struct task *t, *c;
  int pid;
  uint64_t addr, data;
};

/* After anything that may park: another thread of the tracer's may have killed c and waited for it. */
static int still_there(struct tracing *x) {
  return ptrace_find(x->t, x->pid, false, &x->c);
}

/* ---- memory ---- */

static int64_t peek(struct tracing *x) {
  uint64_t word;
  struct mm *m = mm_get(x->c->mm);
  ssize_t n = mm_force_read(m, &word, x->addr, sizeof word);
  mm_put(m);
  if (n != (ssize_t)sizeof word)
    return -EIO;
  return put_user(x->data, &word) ? -EFAULT : 0;
}

static int64_t poke(struct tracing *x) {
  struct mm *m = mm_get(x->c->mm);
  ssize_t n = mm_force_write(m, x->addr, &x->data, sizeof x->data);
  mm_put(m);
  return n == (ssize_t)sizeof x->data ? 0 : -EIO;
}

/* ---- registers ---- */

static int need_all(struct tracing *x) {
  return ptrace_need(x->t, x->c, PTRACE_PART_REGS | PTRACE_PART_BASES);
}

static int64_t peek_user(struct tracing *x) {
  struct regset_gp u;
  uint64_t word = 0;
  if (x->addr & 7 || x->addr >= USER_SIZE)
    return -EIO;
  if (x->addr < sizeof u) {
    int err = need_all(x);
    if (err)
      return err;
    ptrace_get_user_regs(x->c->pt, &u);
    memcpy(&word, (char *)&u + x->addr, sizeof word);
  } else if (x->addr >= USER_DEBUGREG && x->addr < USER_DEBUGREG + 64) {
    word = ptrace_get_debugreg(x->c->pt, (unsigned)(x->addr - USER_DEBUGREG) / 8);
  }
  return put_user(x->data, &word) ? -EFAULT : 0;
}

static int64_t poke_user(struct tracing *x) {
  struct regset_gp u;
  if (x->addr & 7 || x->addr >= USER_SIZE)
    return -EIO;
  if (x->addr >= USER_DEBUGREG && x->addr < USER_DEBUGREG + 64)
    return ptrace_set_debugreg(x->c, (unsigned)(x->addr - USER_DEBUGREG) / 8, x->data);
  if (x->addr >= sizeof u)
    return -EIO;
  int err = need_all(x);
  if (err)
    return err;
  ptrace_get_user_regs(x->c->pt, &u);
  memcpy((char *)&u + x->addr, &x->data, sizeof x->data);
  return ptrace_set_user_regs(x->c->pt, &u);
}

/* The first `len` bytes of a register set. */
static int64_t get_set(struct tracing *x, int type, uint64_t to, size_t len) {
  struct regset_gp u;
  int err;
  if (type == NT_PRSTATUS) {
    err = need_all(x);
    if (err)
      return err;
    ptrace_get_user_regs(x->c->pt, &u);
    return copy_to_user(to, &u, len);
  }
  err = ptrace_need(x->t, x->c, PTRACE_PART_FP);
  if (err)
    return err;
  uint8_t fp[FXSAVE_SIZE];
  if (type == NT_X86_XSTATE) {
    uint8_t *copy = malloc(len + 1);
    if (!copy)
      return -ENOMEM;
    memcpy(copy, x->c->pt->fp, len < x->c->pt->fp_len ? len : x->c->pt->fp_len);
    err = copy_to_user(to, copy, len);
    free(copy);
    return err;
  }
  memcpy(fp, x->c->pt->fp, sizeof fp);
  memset(fp + 464, 0, sizeof fp - 464);
  return copy_to_user(to, fp, len);
}

static int64_t set_general(struct tracing *x, uint64_t from, size_t len) {
  struct regset_gp u, old;
  if (copy_from_user(&u, from, len))
    return -EFAULT;
  int err = still_there(x);
  if (!err)
    err = need_all(x); /* may park: from here on nothing does */
  if (err)
    return err;
  ptrace_get_user_regs(x->c->pt, &old);
  memcpy((char *)&u + len, (char *)&old + len, sizeof u - len);
  return ptrace_set_user_regs(x->c->pt, &u);
}

static int64_t set_set(struct tracing *x, int type, uint64_t from, size_t len) {
  if (type == NT_PRSTATUS)
    return set_general(x, from, len);
  int err = ptrace_need(x->t, x->c, PTRACE_PART_FP);
  if (err)
    return err;
  size_t size = type == NT_PRFPREG ? FXSAVE_SIZE : x->c->pt->fp_len;
  if (type == NT_X86_XSTATE && len != size)
    return -EFAULT; /* as Linux: all of it or nothing */
  uint8_t *b = malloc(size);
  if (!b)
    return -ENOMEM;
  memcpy(b, x->c->pt->fp, size);
  err = copy_from_user(b, from, len) ? -EFAULT : still_there(x);
  if (!err)
    err = ptrace_set_fp(x->t, x->c, b, size);
  free(b);
  return err;
}

/* PTRACE_GETREGSET, PTRACE_SETREGSET: addr is the note type, data an iovec. */
static int64_t regset(struct tracing *x, bool set) {
  struct iovec iov;
  if (get_user(&iov, x->data))
    return -EFAULT;
  int type = (int)x->addr, err = still_there(x);
  if (err)
    return err;
  size_t size = sizeof(struct regset_gp);
  if (type == NT_PRFPREG) {
    size = FXSAVE_SIZE;
  } else if (type == NT_X86_XSTATE) {
    err = ptrace_need(x->t, x->c, PTRACE_PART_FP);
    if (err)
      return err;
    size = x->c->pt->fp_len;
  } else if (type != NT_PRSTATUS) {
    return -EINVAL;
  }
  if (iov.iov_len % 8)
    return -EINVAL;
  if (iov.iov_len > size)
    iov.iov_len = size;
  int64_t r = set ? set_set(x, type, (uint64_t)iov.iov_base, iov.iov_len)
                  : get_set(x, type, (uint64_t)iov.iov_base, iov.iov_len);
  if (!r && put_user(x->data, &iov))
    r = -EFAULT;
  return r;
}

/* ---- signals ---- */

static int64_t get_siginfo(struct tracing *x) {
  if (!x->c->pt->info)
    return -EINVAL;
  siginfo_t info = *x->c->pt->info;
  return put_user(x->data, &info) ? -EFAULT : 0;
}

static int64_t set_siginfo(struct tracing *x) {
  siginfo_t info;
  if (get_user(&info, x->data))
    return -EFAULT;
  int err = still_there(x);
  if (err)
    return err;
  if (!x->c->pt->info)
    return -EINVAL;
  *x->c->pt->info = info;
  return 0;
}

static int64_t peek_siginfo(struct tracing *x) {
  struct ptrace_peeksiginfo_args a;
  if (get_user(&a, x->addr))
    return -EFAULT;
  if ((a.flags & ~(unsigned)PTRACE_PEEKSIGINFO_SHARED) || a.nr < 0)
    return -EINVAL;
  for (int n = 0; n < a.nr; n++) {
    struct task *c;
    if (ptrace_find(x->t, pid_vnr(x->c->tid), false, &c))
      return n ? n : -ESRCH;
    const struct sigpending *p = a.flags & PTRACE_PEEKSIGINFO_SHARED ? &c->proc->pending : &c->pending;
    const struct sigqueue *q;
    uint64_t i = 0;
    TAILQ_FOREACH(q, &p->list, link) {
      if (i++ == a.off + (unsigned)n)
        break;
    }
    if (!q)
      return n;
    siginfo_t info = q->info;
    if (put_user(x->data + (unsigned)n * sizeof info, &info))
      return n ? n : -EFAULT;
  }
  return a.nr;
}

static int64_t signal_mask(struct tracing *x, bool set) {
  const struct task *c = x->c;
  sigset64_t mask;
  if (x->addr != sizeof mask)
    return -EINVAL;
  if (!set) {
    mask = c->restore_blocked ? c->saved_blocked : c->blocked;
    return put_user(x->data, &mask) ? -EFAULT : 0;
  }
  if (get_user(&mask, x->data))
    return -EFAULT;
  int err = still_there(x);
  if (err)
    return err;
  x->c->blocked = mask & ~SIGSET_KERNEL_ONLY;
  x->c->restore_blocked = false;
  return 0;
}

/* ---- what stopped it ---- */

static size_t describe_stop(const struct ptrace *pt, struct ptrace_syscall_info *s) {
  int code = pt->info ? pt->info->si_code : 0;
  const struct plat_regs *r = &pt->regs;
  const uint64_t arg[6] = {r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9};
  s->arch = AUDIT_ARCH_X86_64;
  s->instruction_pointer = r->rip;
  s->stack_pointer = r->rsp;
  if (code == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8)) {
    s->op = PTRACE_SYSCALL_INFO_SECCOMP;
    s->seccomp.nr = (uint64_t)pt->orig_rax;
    memcpy(s->seccomp.args, arg, sizeof arg);
    s->seccomp.ret_data = (uint32_t)pt->message;
    return offsetof(struct ptrace_syscall_info, seccomp.ret_data) + sizeof s->seccomp.ret_data;
  }
  if (code == (SIGTRAP | 0x80) && pt->message == PTRACE_EVENTMSG_SYSCALL_ENTRY) {
    s->op = PTRACE_SYSCALL_INFO_ENTRY;
    s->entry.nr = (uint64_t)pt->orig_rax;
    memcpy(s->entry.args, arg, sizeof arg);
    return offsetof(struct ptrace_syscall_info, entry.args) + sizeof s->entry.args;
  }
  if (code == (SIGTRAP | 0x80) && pt->message == PTRACE_EVENTMSG_SYSCALL_EXIT) {
    s->op = PTRACE_SYSCALL_INFO_EXIT;
    s->exit.rval = (int64_t)r->rax;
    s->exit.is_error = s->exit.rval < 0 && s->exit.rval >= -4095;
    return offsetof(struct ptrace_syscall_info, exit.is_error) + sizeof s->exit.is_error;
  }
  s->op = PTRACE_SYSCALL_INFO_NONE;
  return offsetof(struct ptrace_syscall_info, entry);
}

static int64_t syscall_info(struct tracing *x) {
  int err = ptrace_need(x->t, x->c, PTRACE_PART_REGS);
  if (err)
    return err;
  struct ptrace_syscall_info s;
  memset(&s, 0, sizeof s);
  size_t n = describe_stop(x->c->pt, &s);
  return copy_to_user(x->data, &s, n < x->addr ? n : x->addr) ? -EFAULT : (int64_t)n;
}

static int64_t event_message(struct tracing *x) {
  uint64_t m = x->c->pt->message;
  return put_user(x->data, &m) ? -EFAULT : 0;
}

/* ---- the call ---- */

static int64_t arch_prctl_base(struct tracing *x) {
  enum { SET_GS = 0x1001, SET_FS, GET_FS, GET_GS };
  int err = need_all(x);
  if (err)
    return err;
  struct regset_gp u;
  ptrace_get_user_regs(x->c->pt, &u);
  uint64_t *base = x->data == SET_FS || x->data == GET_FS ? (uint64_t *)&u.fs_base : (uint64_t *)&u.gs_base;
  switch (x->data) {
  case GET_FS:
  case GET_GS:
    return put_user(x->addr, base) ? -EFAULT : 0;
  case SET_FS:
  case SET_GS:
    *base = x->addr;
    return ptrace_set_user_regs(x->c->pt, &u) ? -EPERM : 0;
  default:
    return -EINVAL;
  }
}

static int64_t request(struct tracing *x, int op) {
  switch (op) {
  case PTRACE_PEEKTEXT:
  case PTRACE_PEEKDATA:
    return x->c->mm ? peek(x) : -EIO;
  case PTRACE_POKETEXT:
  case PTRACE_POKEDATA:
    return x->c->mm ? poke(x) : -EIO;
  case PTRACE_PEEKUSR:
    return peek_user(x);
  case PTRACE_POKEUSR:
    return poke_user(x);
  case PTRACE_GETREGS:
    return get_set(x, NT_PRSTATUS, x->data, sizeof(struct regset_gp));
  case PTRACE_SETREGS:
    return set_general(x, x->data, sizeof(struct regset_gp));
  case PTRACE_GETFPREGS:
    return get_set(x, NT_PRFPREG, x->data, FXSAVE_SIZE);
  case PTRACE_SETFPREGS:
    return set_set(x, NT_PRFPREG, x->data, FXSAVE_SIZE);
  case PTRACE_GETREGSET:
  case PTRACE_SETREGSET:
    return regset(x, op == PTRACE_SETREGSET);
  case PTRACE_GETSIGINFO:
    return get_siginfo(x);
  case PTRACE_SETSIGINFO:
    return set_siginfo(x);
  case PTRACE_PEEKSIGINFO:
    return peek_siginfo(x);
  case PTRACE_GETSIGMASK:
  case PTRACE_SETSIGMASK:
    return signal_mask(x, op == PTRACE_SETSIGMASK);
  case PTRACE_GETEVENTMSG:
    return event_message(x);
  case PTRACE_GET_SYSCALL_INFO:
    return syscall_info(x);
  case PTRACE_SETOPTIONS:
  case PTRACE_OLDSETOPTIONS:
    return ptrace_set_options(x->c, x->data);
  case PTRACE_LISTEN:
    return ptrace_listen(x->c);
  case ARCH_PRCTL:
    return arch_prctl_base(x);
  case PTRACE_CONT:
  case PTRACE_SYSCALL:
  case PTRACE_SINGLESTEP:
  case PTRACE_SYSEMU:
  case PTRACE_SYSEMU_SINGLESTEP:
  case PTRACE_DETACH:
    return ptrace_resume(x->c, op, x->data);
  case PTRACE_SECCOMP_GET_FILTER: /* CONFIG_CHECKPOINT_RESTORE is not set */
  case PTRACE_SECCOMP_GET_METADATA:
    return -EINVAL;
  case GET_THREAD_AREA: /* of 32-bit tracees */
  case SET_THREAD_AREA:
  default:
    return -EIO;
  }
}

SYSCALL_HANDLER(ptrace) {
  int op = (int)a[0], pid = (int)a[1];
  struct tracing x = {.t = t, .pid = pid, .addr = a[2], .data = a[3]};
  if (op == PTRACE_TRACEME)
    return ptrace_traceme(t);
  if (op == PTRACE_ATTACH || op == PTRACE_SEIZE)
    return ptrace_attach(t, pid, op == PTRACE_SEIZE, a[2], a[3]);
  int err = ptrace_find(t, pid, op == PTRACE_KILL || op == PTRACE_INTERRUPT, &x.c);
  if (err)
    return err;
  if (op == PTRACE_KILL) {
    send_signal_task(x.c, SIGKILL, NULL);
    return 0;
  }
  if (op == PTRACE_INTERRUPT)
    return ptrace_interrupt(x.c);
  return request(&x, op);
}
