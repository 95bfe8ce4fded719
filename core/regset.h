/*
 * The register sets of a stopped task in the layouts that debuggers and core files use: ptrace(2) PTRACE_GETREGSET,
 * core(5), arch/x86/kernel/ptrace.c and fpu/regset.c of Linux.
 *
 * All of them need t->ctx to be stopped at an event (no fiber but the caller's may be using it) and may park, as the
 * context may first have to be brought into the stub. 0, or -ESRCH when the host process is gone, -EFAULT when the
 * guest has made its slot unreadable, or what is said below.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct task;

/* struct user_regs_struct, struct user_fpregs_struct (<sys/user.h> cannot be included beside core/mm.h) */
struct regset_gp {
  uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, orig_rax, rip, cs, eflags, rsp, ss,
      fs_base, gs_base, ds, es, fs, gs;
};
struct regset_fp {
  uint8_t fxsave[512];
};

/* XSAVE areas of today's CPUs, AMX included, fit. */
#define REGSET_XSTATE_MAX 12288

/*
 * NT_PRSTATUS, PTRACE_GETREGS. orig_rax is the number of the system call that the task stopped in, or -1; rax is what
 * the register holds (of a call not yet answered: the number too; a tracer's entry stop shows -ENOSYS instead).
 */
int regset_get_gp(struct task *t, struct regset_gp *r);
/* NT_FPREGSET: the 512 bytes of FXSAVE. */
int regset_get_fp(struct task *t, struct regset_fp *fp);

/*
 * NT_X86_XSTATE: the XSAVE area in its standard form; bytes 464–471 hold the features that the host saves (XCR0). The
 * number of bytes of the whole area, of which at most `cap` were written; -ENODEV on a CPU without XSAVE.
 */
ssize_t regset_get_xstate(struct task *t, void *buf, size_t cap);
/* -EINVAL: not the whole area, unknown features or a bad header. */
int regset_set_xstate(struct task *t, const void *buf, size_t len);
