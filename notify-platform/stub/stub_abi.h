/*
 * What the stub and the Sentry agree on. The stub is mapped at the top of every guest address space: first STUB_SLOTS
 * slots, one per thread (private memory: the command page and the thread's alternate signal stack), then the code.
 *
 * Everything here can be read and written by the guest. The Sentry therefore never believes what comes back beyond
 * what a guest could have asked for anyway, and verifies every host call by the registers that the kernel reports.
 */
#pragma once
#ifndef __ASSEMBLER__
#include <stdint.h>
#endif

#define STUB_MAGIC 0x42555453
#define STUB_SLOT_SIZE 0x8000
#define STUB_SLOTS 4096
#define STUB_SLOTS_SIZE (STUB_SLOT_SIZE * STUB_SLOTS)
#define STUB_TEXT_SIZE 0x4000
#define STUB_STACK_OFF 0x2000 /* the alternate stack is [slot + STUB_STACK_OFF, slot + STUB_SLOT_SIZE) */
/* A thread is born with its context copied to slot + STUB_BIRTH_UC and its stack below it. */
#define STUB_BIRTH_SP 0x3ff8
#define STUB_BIRTH_UC 0x4000
#define STUB_BIRTH_FP 0x4200

/* ---- notifications that only the stub makes: the number of a made-up system call ---- */
#define STUB_CALL 0x10000        /* + nr: a trapped call with its six arguments */
#define STUB_REPORT 0x20000      /* (ops done, result of the last, extra) */
#define STUB_REGISTER 0x20001    /* (token): a new thread or process is there */
#define STUB_INTERRUPTED 0x20002 /* (rip, rsp) */
#define STUB_FAULT 0x20003       /* (signo, code, addr, rip, rsp, trapno << 32 | err) */
#define STUB_SIGRETURN 0x20004   /* (bad, mask, ss_sp, ss_flags, ss_size) */

/*
 * mmap itself, with these flags: a guess. The guest asked for a private anonymous mapping anywhere, and the stub
 * proposes the address that it expects; if the Sentry agrees, asking and ordering were one notification.
 */
#define STUB_MAP_STACK 0x20000l /* MAP_STACK: the guess has it if the guest gave it; the host does nothing by it */
#define STUB_MAP_FLAGS 0x4032   /* MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE */

/* ---- answers ---- */
#define STUB_MORE (1l << 62) /* run the program in the slot */
#define STUB_KEEP (1l << 61) /* go back to the guest without touching RAX */
/* To an mmap, guessed or asked: an odd address; the stub makes the private anonymous mapping itself, at that address.
 */

/* ---- programs ---- */
#ifndef __ASSEMBLER__
enum stub_opcode {
  STUB_OP_END,     /* leave the handler: a[0] = set RAX?, a[1] = value, a[2] = added to RIP */
  STUB_OP_REPORT,  /* tell the Sentry that everything before is done */
  STUB_OP_SYSCALL, /* nr, a[0..5]: an order; a negative result ends the program with a report */
  STUB_OP_CLONE,   /* a[0] flags, a[1] child's slot or 0, a[2] child's guest sp or 0, a[3] tls, a[4] token */
  STUB_OP_PUSH,    /* a[0] index into frames: build a signal frame */
  STUB_OP_ENTER,   /* a[0] rip, a[1] rsp: first entry into guest code */
  STUB_OP_ATOMIC,  /* a[0] address, a[1] enum plat_atomic, a[2] arg, a[3] cmp */
  STUB_OP_SETFS,   /* a[0] */
  STUB_OP_SETGS,
  STUB_OP_GETFS, /* the value is the extra of the next report */
  STUB_OP_GETGS,
};

struct stub_op {
  uint32_t op;
  int32_t nr;
  uint64_t a[6];
};

struct stub_frame { /* a guest's signal frame to be */
  uint64_t signo, handler, restorer, mask;
  uint64_t ss_sp, ss_size;
  uint32_t ss_flags, set_rax;
  uint64_t stack_top; /* 0: below the red zone */
  uint64_t rax, rip_add;
  uint8_t info[128];
};

#define STUB_MAX_OPS 48
#define STUB_MAX_FRAMES 4

struct stub_slot {
  uint64_t uc;        /* the interrupted context on this slot's stack */
  uint64_t token;     /* of a thread being born here */
  int64_t listener;   /* zygote: where the listener landed */
  uint64_t map_below; /* the stub's guess: the next anonymous mapping will end here */
  uint64_t traced;    /* report rt_sigreturn before it changes anything */
  uint64_t pad[3];
  struct stub_op ops[STUB_MAX_OPS];
  struct stub_frame frames[STUB_MAX_FRAMES];
  uint64_t scratch[18]; /* where ordered calls put results: struct rusage, struct timespec */
};

/* What the zygote is started with, at slot 0 behind struct stub_slot. */
struct stub_zygote_args {
  uint64_t unmap[4][2]; /* address, length */
  uint64_t nunmap;
  uint64_t seccomp_flags;
  struct {
    uint16_t len;
    uint16_t pad[3];
    uint64_t filter;
  } prog;
  uint64_t insns[160]; /* struct sock_filter */
};

/* The first bytes of the code: where its parts are, as offsets from the start of the code. */
struct stub_header {
  uint32_t magic, handler, syscall_ret, sigreturn_ret, restorer, zygote;
};

_Static_assert(sizeof(struct stub_slot) <= 0x1000 + 0x800, "the slot's command area");
_Static_assert(sizeof(struct stub_slot) + sizeof(struct stub_zygote_args) <= STUB_STACK_OFF, "zygote arguments");

/* struct ucontext and siginfo of the x86-64 kernel ABI */
enum {
  UC_R8,
  UC_R9,
  UC_R10,
  UC_R11,
  UC_R12,
  UC_R13,
  UC_R14,
  UC_R15,
  UC_RDI,
  UC_RSI,
  UC_RBP,
  UC_RBX,
  UC_RDX,
  UC_RAX,
  UC_RCX,
  UC_RSP,
  UC_RIP,
  UC_EFL,
  UC_CSGSFS,
  UC_ERR,
  UC_TRAPNO,
  UC_OLDMASK,
  UC_CR2
};
struct stub_uc {
  uint64_t flags, link;
  uint64_t ss_sp;
  uint32_t ss_flags, pad;
  uint64_t ss_size;
  uint64_t g[23];
  uint64_t fp;
  uint64_t reserved[8];
  uint64_t mask;
};
#endif
