/*
 * The stub: a few pages of freestanding code in every guest address space. It turns trapped system calls, host
 * signals and faults into notifications, and carries out what the Sentry orders. It holds no secrets and decides
 * nothing: the guest may jump into it, change its stack, or scribble over its slot, and gains nothing by it.
 *
 * Built without libc, position independent, general registers only (the guest's vector state is in the signal frame).
 */
#include "stub_abi.h"
#include <asm/unistd.h>
#include <stddef.h>

#define EFAULT 14
#define SIGILL 4
#define SIGTRAP 5
#define SIGBUS 7
#define SIGFPE 8
#define SIGUSR1 10
#define SIGSEGV 11
#define SIGSYS 31
#define AUDIT_ARCH_X86_64 0xc000003e
#define SI_KERNEL 0x80

long stub_syscall(long nr, long a, long b, long c, long d, long e, long f);
long stub_clone_vm(long nr, long flags, long sp, long ptid, long ctid, long tls, long token);
long stub_copy(void *dst, const void *src, size_t n);
long stub_cmpxchg32(uint32_t *addr, uint32_t cmp, uint32_t val, uint32_t *old);
long stub_load32(uint32_t *addr, uint32_t *out);
void stub_sigreturn(struct stub_uc *uc) __attribute__((noreturn));
extern char stub_start[], stub_end[], stub_guard_begin[], stub_guard_end[], stub_guard_fixup[];

struct siginfo_head {
  int signo, err, code, pad;
  union {
    uint64_t addr;
    struct {
      uint64_t call_addr;
      int syscall;
      uint32_t arch;
    } sys;
  };
};

/* The kernel's software-reserved bytes of an XSAVE frame. */
struct fp_sw {
  uint32_t magic1, extended_size;
  uint64_t xfeatures;
  uint32_t xstate_size;
};
#define FP_MAGIC1 0x46505853u
#define FP_MAGIC2 0x46505845u
#define FP_LEGACY 512
#define FP_SW(fp) ((struct fp_sw *)((char *)(fp) + 464))
#define FP_MXCSR(fp) (*(uint32_t *)((char *)(fp) + 24))
#define FP_MXCSR_MASK(fp) (*(uint32_t *)((char *)(fp) + 28))
#define FP_XSTATE_BV(fp) (*(uint64_t *)((char *)(fp) + 512))
#define FP_XCOMP_BV(fp) (*(uint64_t *)((char *)(fp) + 520))

static void copy(void *d, const void *s, size_t n) {
  __asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n)::"memory");
}
static void zero(void *d, size_t n) {
  __asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(0) : "memory");
}

static size_t fp_size(const void *fp) {
  return FP_SW(fp)->magic1 == FP_MAGIC1 ? FP_SW(fp)->extended_size : FP_LEGACY;
}

/* ---- signal frames ---- */

struct rt_frame {
  uint64_t pretcode;
  struct stub_uc uc;
  uint8_t info[128];
};

static long push_frame(struct stub_uc *uc, const struct stub_frame *f) {
  if (f->set_rax)
    uc->g[UC_RAX] = f->rax;
  uc->g[UC_RIP] += f->rip_add;

  size_t n = fp_size((void *)uc->fp);
  uint64_t sp = f->stack_top ? f->stack_top : uc->g[UC_RSP] - 128;
  uint64_t fp = (sp - n) & ~63ul;
  sp = ((fp - sizeof(struct rt_frame)) & ~15ul) - 8;
  struct rt_frame *to = (struct rt_frame *)sp;

  struct rt_frame r;
  r.pretcode = f->restorer;
  r.uc = *uc;
  r.uc.link = 0;
  r.uc.ss_sp = f->ss_sp;
  r.uc.ss_size = f->ss_size;
  r.uc.ss_flags = f->ss_flags;
  r.uc.mask = f->mask;
  r.uc.fp = fp;
  copy(r.info, f->info, sizeof r.info);
  if (stub_copy((void *)fp, (void *)uc->fp, n) || stub_copy(to, &r, sizeof r))
    return -EFAULT;

  uc->g[UC_RDI] = f->signo;
  uc->g[UC_RSI] = (uint64_t)to->info;
  uc->g[UC_RDX] = (uint64_t)&to->uc;
  uc->g[UC_RAX] = 0;
  uc->g[UC_RSP] = sp;
  uc->g[UC_RIP] = f->handler;
  uc->g[UC_EFL] &= ~(0x400ul | 0x100ul | 0x10000ul); /* DF, TF, RF: as Linux enters a handler */
  /* A handler starts with the FPU in its initial state. */
  if (n > FP_LEGACY)
    FP_XSTATE_BV(uc->fp) = 0;
  FP_MXCSR(uc->fp) = 0x1f80;
  return 0;
}

/* The vector state of the guest's frame into the host's. What Linux would refuse at sigreturn is refused here; the
 * sizes and features in the host's frame stay the host's. */
static long pop_fp(void *host, uint64_t guest) {
  size_t n = fp_size(host);
  if (!guest) {
    if (n > FP_LEGACY)
      FP_XSTATE_BV(host) = 0;
    FP_MXCSR(host) = 0x1f80;
    return 0;
  }
  if (guest & 63)
    return -EFAULT;
  struct fp_sw keep = *FP_SW(host), theirs;
  if (stub_copy(&theirs, (void *)(guest + 464), sizeof theirs))
    return -EFAULT;
  uint32_t magic2 = 0;
  int extended = n > FP_LEGACY && theirs.magic1 == FP_MAGIC1 && theirs.xstate_size == keep.xstate_size &&
                 !stub_load32((uint32_t *)(guest + keep.xstate_size), &magic2) && magic2 == FP_MAGIC2;
  if (stub_copy(host, (void *)guest, extended ? keep.xstate_size : FP_LEGACY))
    return -EFAULT;
  copy((char *)host + 464, &keep, sizeof keep);
  uint32_t mask = FP_MXCSR_MASK(host) ? FP_MXCSR_MASK(host) : 0xffbf;
  if (FP_MXCSR(host) & ~(mask & 0xffff))
    return -EFAULT;
  if (n > FP_LEGACY) {
    uint64_t *header = (uint64_t *)((char *)host + 512);
    if (extended) {
      if ((header[0] & ~keep.xfeatures) || header[1])
        return -EFAULT;
    } else {
      header[0] = 3; /* x87 and SSE */
      header[1] = 0;
    }
    for (int i = 2; i < 8; i++)
      header[i] = 0;
  }
  return 0;
}

#define UC_STRICT_RESTORE_SS 4
#define USER_CS 0x33
#define USER_SS 0x2b

/* Selectors with which the host could return to 64-bit code: others would fault there. (Those of 32-bit code, too, are
 * refused: it could make no system calls.) */
static int bad_selectors(const struct stub_uc *f) {
  uint64_t v = f->g[UC_CSGSFS];
  return ((v & 0xffff) | 3) != USER_CS || ((f->flags & UC_STRICT_RESTORE_SS) && ((v >> 48) | 3) != USER_SS);
}

#define EFLAGS_USER 0x50dd5ul /* CF PF AF ZF SF TF DF OF RF AC */

static long sigreturn(struct stub_uc *uc) {
  struct stub_uc f;
  long bad = stub_copy(&f, (void *)uc->g[UC_RSP], sizeof f);
  if (!bad)
    bad = bad_selectors(&f);
  if (!bad)
    bad = pop_fp((void *)uc->fp, f.fp);
  if (bad)
    return stub_syscall(STUB_SIGRETURN, 1, 0, 0, 0, 0, 0);
  uint64_t efl = uc->g[UC_EFL];
  for (int i = 0; i < UC_EFL; i++)
    uc->g[i] = f.g[i];
  uc->g[UC_EFL] = (efl & ~EFLAGS_USER) | (f.g[UC_EFL] & EFLAGS_USER);
  return stub_syscall(STUB_SIGRETURN, 0, f.mask, f.ss_sp, f.ss_flags, f.ss_size, 0);
}

/* ---- programs ---- */

static void enter_guest(struct stub_slot *s, uint64_t rip, uint64_t rsp) {
  struct stub_uc uc;
  zero(&uc, sizeof uc);
  uc.flags = 6; /* UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS */
  uc.ss_sp = (uint64_t)s + STUB_STACK_OFF;
  uc.ss_size = STUB_SLOT_SIZE - STUB_STACK_OFF;
  uc.g[UC_RIP] = rip;
  uc.g[UC_RSP] = rsp;
  uc.g[UC_EFL] = 0x202;
  uc.g[UC_CSGSFS] = 0x33 | 0x2bull << 48;
  stub_sigreturn(&uc); /* no fpstate: the host gives the initial one */
}

static long atomic32(const uint64_t *a, uint64_t *old) {
  uint32_t *w = (uint32_t *)a[0], arg = a[2], seen, was;
  long r = stub_load32(w, &seen);
  for (;;) {
    if (r)
      return r;
    uint32_t val = arg;
    switch (a[1]) {
    case 0: /* compare and exchange */
      if (seen != (uint32_t)a[3]) {
        *old = seen;
        return 0;
      }
      break;
    case 1:
      break;
    case 2:
      val = seen + arg;
      break;
    case 3:
      val = seen | arg;
      break;
    case 4:
      val = seen & ~arg;
      break;
    default:
      val = seen ^ arg;
    }
    r = stub_cmpxchg32(w, seen, val, &was);
    if (!r && was == seen) {
      *old = seen;
      return 0;
    }
    seen = was;
  }
}

/* The parent's side; a child without memory of its own starts in stub_child_main. The result is 0 in a forked child. */
static long do_clone(struct stub_slot *s, const uint64_t *a) {
  if (!a[1]) {
    uint64_t sp = a[2];
    long r = stub_syscall(__NR_clone, a[0], 0, 0, 0, a[3], a[4]);
    if (!r && sp)
      ((struct stub_uc *)s->uc)->g[UC_RSP] = sp; /* in the child's own copy */
    return r;
  }
  struct stub_slot *c = (struct stub_slot *)a[1];
  struct stub_uc *uc = (struct stub_uc *)((char *)c + STUB_BIRTH_UC), *from = (struct stub_uc *)s->uc;
  void *fp = (char *)c + STUB_BIRTH_FP;
  copy(uc, from, sizeof *uc);
  copy(fp, (void *)from->fp, fp_size((void *)from->fp));
  uc->fp = (uint64_t)fp;
  uc->ss_sp = (uint64_t)c + STUB_STACK_OFF;
  uc->ss_size = STUB_SLOT_SIZE - STUB_STACK_OFF;
  uc->ss_flags = 0;
  if (a[2])
    uc->g[UC_RSP] = a[2];
  c->uc = (uint64_t)uc;
  c->token = a[4];
  return stub_clone_vm(__NR_clone, a[0], (uint64_t)c + STUB_BIRTH_SP, 0, 0, a[3], a[4]);
}

static void run(struct stub_slot *s, long r, int set_rax);

static void setbase(int gs, uint64_t v) {
  if (gs)
    __asm__ volatile("wrgsbase %0" ::"r"(v));
  else
    __asm__ volatile("wrfsbase %0" ::"r"(v));
}
static uint64_t getbase(int gs) {
  uint64_t v;
  if (gs)
    __asm__ volatile("rdgsbase %0" : "=r"(v));
  else
    __asm__ volatile("rdfsbase %0" : "=r"(v));
  return v;
}

/* Runs until an op ends the program: returns the Sentry's next answer, or sets *end. */
static long run_program(struct stub_slot *s, int *end) {
  uint64_t extra = 0;
  long r = 0;
  for (int i = 0;; i++) {
    struct stub_op *o = &s->ops[i < STUB_MAX_OPS ? i : 0];
    switch (o->op) {
    case STUB_OP_END: {
      struct stub_uc *uc = (struct stub_uc *)s->uc;
      if (o->a[0])
        uc->g[UC_RAX] = o->a[1];
      uc->g[UC_RIP] += o->a[2];
      *end = 1;
      return 0;
    }
    case STUB_OP_REPORT:
      return stub_syscall(STUB_REPORT, i, r, extra, 0, 0, 0);
    case STUB_OP_SYSCALL:
      r = stub_syscall(o->nr, o->a[0], o->a[1], o->a[2], o->a[3], o->a[4], o->a[5]);
      break;
    case STUB_OP_CLONE: {
      uint64_t token = o->a[4];
      r = do_clone(s, o->a);
      if (r == 0)
        return stub_syscall(STUB_REGISTER, token, 0, 0, 0, 0, 0);
      break;
    }
    case STUB_OP_PUSH:
      r = push_frame((struct stub_uc *)s->uc, &s->frames[o->a[0] % STUB_MAX_FRAMES]);
      break;
    case STUB_OP_ENTER:
      setbase(0, 0); /* the zygote's is an address of the Sentry's */
      setbase(1, 0);
      enter_guest(s, o->a[0], o->a[1]);
      break;
    case STUB_OP_ATOMIC:
      r = atomic32(o->a, &extra);
      break;
    case STUB_OP_SETFS:
    case STUB_OP_SETGS:
      setbase(o->op == STUB_OP_SETGS, o->a[0]);
      break;
    case STUB_OP_GETFS:
    case STUB_OP_GETGS:
      extra = getbase(o->op == STUB_OP_GETGS);
      break;
    default:
      r = -EFAULT;
    }
    if (r < 0 && r > -4096)
      return stub_syscall(STUB_REPORT, i, r, extra, 0, 0, 0);
  }
}

/* Follow the Sentry's answers until the guest may go on. */
static void run(struct stub_slot *s, long r, int set_rax) {
  int end = 0;
  while (r == STUB_MORE) {
    r = run_program(s, &end);
    if (end)
      return;
  }
  if (set_rax && r != STUB_KEEP)
    ((struct stub_uc *)s->uc)->g[UC_RAX] = r;
}

void stub_child_main(struct stub_slot *s) {
  run(s, stub_syscall(STUB_REGISTER, s->token, 0, 0, 0, 0, 0), 1);
  stub_sigreturn((struct stub_uc *)s->uc);
}

/* ---- mmap and munmap ---- */

/* Carries out the answer to a request for anonymous memory. */
static long map_anonymous(struct stub_slot *s, long r, uint64_t len, long prot) {
  if (r > 0 && (r & 1)) {
    r = stub_syscall(__NR_mmap, r & ~1l, len, prot & 7, STUB_MAP_FLAGS, -1, 0);
    if (r < 0 && r > -4096)
      return stub_syscall(STUB_REPORT, 0, r, 1, 0, 0, 0);
  }
  if (r > 0 && r < STUB_KEEP)
    s->map_below = r;
  return r;
}

static long trapped_mmap(struct stub_slot *s, long a, long b, long c, long d, long e, long f) {
  uint64_t len = (b + 4095ul) & ~4095ul, guess = s->map_below - len;
  /* MAP_PRIVATE | MAP_ANONYMOUS, with or without MAP_STACK, anywhere; nothing in the other arguments that the guess
   * would not tell the Sentry, and with it a seccomp filter of the guest's */
  if (!a && (d & ~STUB_MAP_STACK) == 0x22 && !(c & ~7l) && (int)e == -1 && !f && len == (uint64_t)b && len &&
      len < s->map_below && guess >= 0x10000) {
    long r = stub_syscall(__NR_mmap, guess, len, c, STUB_MAP_FLAGS | (d & STUB_MAP_STACK), e, 0);
    if (r < 0 && r > -4096)
      return stub_syscall(STUB_REPORT, 0, r, 1, 0, 0, 0);
    return map_anonymous(s, r, len, c);
  }
  return map_anonymous(s, stub_syscall(STUB_CALL + __NR_mmap, a, b, c, d, e, f), len, c);
}

/* ---- signals ---- */

static void on_trapped_call(struct stub_slot *s, struct siginfo_head *si, struct stub_uc *uc) {
  uint64_t *g = uc->g;
  long a = g[UC_RDI], b = g[UC_RSI], c = g[UC_RDX], d = g[UC_R10], e = g[UC_R8], f = g[UC_R9], r;
  int nr = si->sys.syscall;
  if (si->code != 1 /* SYS_SECCOMP */ || si->sys.arch != AUDIT_ARCH_X86_64) {
    /* int 0x80 and sysenter: as on a Linux without them. */
    run(s, stub_syscall(STUB_FAULT, SIGSEGV, SI_KERNEL, 0, g[UC_RIP] - 2, g[UC_RSP], 13ul << 32), 0);
    return;
  }
  switch (nr) {
  case __NR_rt_sigreturn:
    if (s->traced)
      run(s, stub_syscall(STUB_CALL + nr, a, b, c, d, e, f), 0);
    r = sigreturn(uc);
    run(s, r, 0);
    return;
  case __NR_munmap:
  case __NR_mprotect:
  case __NR_mremap:
  case __NR_madvise:
  case __NR_rseq:
  case __NR_exit:
    /* Asking and ordering in one: either the Sentry lets exactly this through, or it answers something else. */
    r = stub_syscall(nr, a, b, c, d, e, f);
    if (r < 0 && r > -4096)
      r = stub_syscall(STUB_REPORT, 0, r, 1, 0, 0, 0);
    else if (r == 0 && nr == __NR_munmap)
      s->map_below = a + ((b + 4095ul) & ~4095ul);
    break;
  case __NR_exit_group:
    /* What the process has used, before it is gone: the Sentry lets exactly this through, and reads it if it likes. */
    stub_syscall(__NR_getrusage, 0, (long)s->scratch, 0, 0, 0, 0);
    r = stub_syscall(STUB_CALL + nr, a, b, c, d, e, f);
    break;
  case __NR_mmap:
    r = trapped_mmap(s, a, b, c, d, e, f);
    break;
  default:
    r = stub_syscall(STUB_CALL + nr, a, b, c, d, e, f);
  }
  run(s, r, 1);
}

void stub_signal(int sig, struct siginfo_head *si, struct stub_uc *uc, struct stub_slot *s) {
  uint64_t ip = uc->g[UC_RIP];
  if ((sig == SIGSEGV || sig == SIGBUS) && ip >= (uint64_t)stub_guard_begin && ip < (uint64_t)stub_guard_end) {
    uc->g[UC_RIP] = (uint64_t)stub_guard_fixup;
    return;
  }
  uint64_t saved = s->uc;
  s->uc = (uint64_t)uc;
  if (sig == SIGSYS)
    on_trapped_call(s, si, uc);
  else if (sig == SIGUSR1)
    run(s, stub_syscall(STUB_INTERRUPTED, ip, uc->g[UC_RSP], 0, 0, 0, 0), 0);
  else
    run(s,
        stub_syscall(STUB_FAULT, sig, si->code, si->addr, ip, uc->g[UC_RSP],
                     uc->g[UC_TRAPNO] << 32 | (uint32_t)uc->g[UC_ERR]),
        0);
  s->uc = saved;
}

/* ---- the zygote ---- */

/* Entered on slot 0's stack with everything else still mapped and no filter. Never returns. Its children come out of
 * run_program in their own copy of this frame. */
void stub_zygote(struct stub_slot *s) {
  struct stub_zygote_args *z = (struct stub_zygote_args *)(s + 1);
  for (uint64_t i = 0; i < z->nunmap; i++)
    stub_syscall(__NR_munmap, z->unmap[i][0], z->unmap[i][1], 0, 0, 0, 0);
  s->listener = stub_syscall(__NR_seccomp, 1 /* SET_MODE_FILTER */, z->seccomp_flags, (long)&z->prog, 0, 0, 0);
  for (;;)
    run(s, stub_syscall(STUB_REGISTER, s->token, 0, 0, 0, 0, 0), 0);
}
