/*
 * What the kernel needs of the machine: address spaces, contexts that run guest code in them, and events. Implemented
 * by notify-platform/; nothing here speaks of seccomp.
 *
 * A context (struct plat_ctx) is a host thread that runs one task. It is either running guest code, or stopped at an
 * event. The kernel may only order things of a stopped context. Orders queue up on the context; plat_return(),
 * plat_resume() and plat_flush() carry them out, in order.
 *
 * An event is reported through plat_callbacks.event on the loop's stack. The kernel starts a fiber for it, and ends the
 * event with exactly one of plat_return, plat_resume, plat_enter, plat_exit or plat_release.
 */
#pragma once
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>

struct plat;
struct plat_as;
struct plat_ctx;

struct plat_call {
  int64_t nr;
  uint64_t arg[6];
  uint64_t ip;
};

enum plat_event_type {
  PLAT_SYSCALL,      /* the guest made a system call */
  PLAT_FAULT,        /* SIGSEGV, SIGBUS, SIGFPE, SIGILL or SIGTRAP raised by the CPU */
  PLAT_INTERRUPTED,  /* the answer to plat_interrupt() */
  PLAT_SIGRETURN,    /* rt_sigreturn: the stub has put the guest's registers back already */
  PLAT_ORDER_FAILED, /* the host refused an order carried out by plat_return/plat_resume */
  PLAT_DIED,         /* the host process is gone without having been told to */
};

struct plat_event {
  enum plat_event_type type;
  union {
    struct plat_call call; /* PLAT_SYSCALL */
    struct {
      int signo, code; /* si_signo, si_code */
      uint64_t addr, ip, sp;
      uint32_t trapno, err; /* as in the x86 sigcontext */
    } fault;
    struct {
      bool bad; /* the frame was unreadable or malformed: SIGSEGV is due */
      uint64_t mask;
      uint64_t ss_sp, ss_size;
      uint32_t ss_flags;
    } sigreturn;
    struct {
      int kind; /* enum plat_order_kind */
      uint64_t addr, len;
      int err; /* positive errno */
    } failed;
  };
};

struct plat_callbacks {
  /* `task` is what plat_set_task() was given. */
  void (*event)(void *task, struct plat_ctx *c, const struct plat_event *ev);
  /* The host has ended all guest processes at once (its zygote was killed). May be NULL. */
  void (*lost)(void);
};

/*
 * What must be learned while /proc is still visible: early in the launcher, before any pivot_root. -errno and *err,
 * one sentence naming what the host lacks and the remedy.
 */
struct plat_host {
  uint64_t vvar, vdso, vdso_end;
};
int plat_probe(struct plat_host *h, const char **err);

/*
 * Start the platform: clone the zygote into namespaces of its own, install the filter, warm the pool. To be called
 * with the final uid already set, on the loop's stack, before the loop runs. On failure *err is one sentence that names
 * what the host lacks and the remedy, and the result is -errno.
 */
int plat_new(const struct plat_callbacks *cb, const struct plat_host *host, struct plat **out, const char **err);
/* Two halves, when the ring must be opened after the zygote exists (see PLATFORM_RULES, start order). */
int plat_attach_loop(struct plat *p);
void plat_free(struct plat *p);
/* The lowest and one past the highest address that guests may use, and where the vDSO is ([vvar] and [vdso] as one
 * range, inside or above the guests' range: no area may overlap it). */
struct plat_layout {
  uint64_t min, max;
  uint64_t vvar, vdso, vdso_end; /* vdso is what AT_SYSINFO_EHDR announces */
};
const struct plat_layout *plat_layout(const struct plat *p);
/* The host descriptor of the listener, for the Sentry's own filter. */
int plat_listener_fd(const struct plat *p);

/* ---- contexts ---- */
/* A fresh process with an empty address space (only stub and vDSO), stopped, ready for orders and plat_enter(). Parks.
 */
int plat_spawn(struct plat *p, struct plat_ctx **out);
void plat_set_task(struct plat_ctx *c, void *task);
struct plat_as *plat_ctx_as(struct plat_ctx *c); /* borrowed */
/* An address space outlives its processes while somebody (a struct mm) holds it: reads and writes then give -ESRCH. */
struct plat_as *plat_as_get(struct plat_as *as);
void plat_as_put(struct plat_as *as);
/* The host thread id as seen by the Sentry, and the leader of its host process (for accounting). */
int plat_ctx_host_tid(const struct plat_ctx *c);

/* The stopped context's event ends with this result. Orders queued before are carried out first. */
void plat_return(struct plat_ctx *c, int64_t ret);
/* Go on with the registers as they are. */
void plat_resume(struct plat_ctx *c);
/* First entry of a fresh context into guest code: all other registers zero, FPU as after FNINIT, MXCSR 0x1f80. */
void plat_enter(struct plat_ctx *c, uint64_t ip, uint64_t sp);
/* The same, but the context stops again before its first instruction: it is then stopped as at PLAT_INTERRUPTED, with
 * its registers to be read and changed. 0 or -ESRCH. Parks. */
int plat_enter_stopped(struct plat_ctx *c, uint64_t ip, uint64_t sp);
/* Ends this thread, and with the last thread the process. The context is gone after the call. The first thread of a
 * host process stays parked on the host until the others are gone, so that its id goes on naming the address space. */
void plat_exit(struct plat_ctx *c);
/* Ends the whole host process at once (exit_group, death by signal, exec): every context of this address space that
 * shares the host process is gone after the call; the caller forgets its pointers to them. */
void plat_kill(struct plat_ctx *c);

/*
 * Ask a running context to stop: leads to PLAT_INTERRUPTED, unless it stops at another event first; then that event
 * comes, and a PLAT_INTERRUPTED may follow it later. Idempotent. A context that does not obey in time is killed
 * (PLAT_DIED).
 */
void plat_interrupt(struct plat_ctx *c);

/* ---- fork ---- */
enum plat_fork_kind {
  PLAT_FORK,   /* a copy of the address space */
  PLAT_VFORK,  /* another process on the same address space */
  PLAT_THREAD, /* another thread of the process */
};
struct plat_fork_args {
  enum plat_fork_kind kind;
  uint64_t sp;  /* the child's stack pointer, 0: the parent's */
  uint64_t tls; /* the child's FS base, used if set_tls */
  bool set_tls;
};
/* From a context stopped at a PLAT_SYSCALL event of a fork-like call: make the child. It is stopped and will see the
 * call return 0 when plat_return(child, 0) is called. Parks. Carries out queued orders first. */
int plat_fork(struct plat_ctx *parent, const struct plat_fork_args *a, struct plat_ctx **child);

/* ---- orders on the address space of a stopped context ---- */
enum plat_order_kind { PLAT_MMAP, PLAT_MUNMAP, PLAT_MPROTECT, PLAT_MREMAP, PLAT_MADVISE, PLAT_RSEQ };
struct plat_order {
  enum plat_order_kind kind;
  uint64_t addr, len;
  int prot;     /* PLAT_MMAP, PLAT_MPROTECT */
  int flags;    /* PLAT_MMAP: MAP_* for the host, MAP_FIXED is implied; PLAT_MREMAP: MREMAP_* */
  int fd;       /* PLAT_MMAP: the Sentry's host descriptor, -1 for anonymous memory. Borrowed until carried out */
  uint64_t off; /* PLAT_MMAP */
  uint64_t new_addr, new_len; /* PLAT_MREMAP (MREMAP_FIXED|MREMAP_MAYMOVE always to new_addr unless equal to addr) */
  int advice;                 /* PLAT_MADVISE */
  uint32_t sig;               /* PLAT_RSEQ: registers addr, len with the host for this thread, see plat_rseq() */
};
/* Queue. The host is expected to agree; if not, PLAT_ORDER_FAILED comes instead of the return to the guest (the kernel
 * then mends its map and ends that event with plat_return). In an address space with several threads the orders are
 * complete before plat_return lets the guest go on; other tasks must not be given the range before (mm holds its lock
 * until plat_flush() in that case; see plat_as_shared). */
int plat_order(struct plat_ctx *c, const struct plat_order *o);
/* Carry out what is queued and wait for it. 0, or -errno of the first that failed (the later ones were not done).
 * Parks. */
int plat_flush(struct plat_ctx *c);
/* Does more than one context run on this address space? Then flush while holding the mm lock. */
bool plat_as_shared(const struct plat_as *as);

/* ---- guest memory, from outside. Never parks; see mm_prefault() for file pages ---- */
/* The number of bytes copied (short at the first bad page), or -EFAULT if none; -ESRCH when the process is gone. */
ssize_t plat_read(struct plat_as *as, void *dst, uint64_t src, size_t len);
ssize_t plat_write(struct plat_as *as, uint64_t dst, const void *src, size_t len);
struct iovec;
ssize_t plat_readv(struct plat_as *as, const struct iovec *local, int nl, const struct iovec *remote, int nr);
ssize_t plat_writev(struct plat_as *as, const struct iovec *local, int nl, const struct iovec *remote, int nr);

/* ---- what the host's procfs knows of an address space (proc(5)): page protections do not bind it ---- */
enum plat_look {
  PLAT_LOOK_MEM,
  PLAT_LOOK_STATUS,
  PLAT_LOOK_SMAPS,
  PLAT_LOOK_PAGEMAP,
  PLAT_LOOK_CLEAR_REFS,
  PLAT_LOOKS
};
/* The descriptor kept for it, borrowed until the next park; -ENOENT: none yet, *pid is the host process whose file it
 * would be; -ESRCH. */
int plat_look_fd(struct plat_as *as, enum plat_look what, int *pid);
/* Keeps fd, which was opened for that pid, and owns it. The same results. */
int plat_look_keep(struct plat_as *as, enum plat_look what, int pid, int fd);

/* Atomic operations on a 32-bit guest word, done by the stub of a stopped context. Parks. 0, -EFAULT; *old is the word
 * before. */
enum plat_atomic { PLAT_CMPXCHG, PLAT_XCHG, PLAT_ADD, PLAT_OR, PLAT_ANDN, PLAT_XOR };
int plat_atomic32(struct plat_ctx *c, enum plat_atomic op, uint64_t addr, uint32_t arg, uint32_t cmp, uint32_t *old);

/* ---- signals and registers of a stopped context ---- */
enum plat_how {
  PLAT_AS_IS,   /* the interrupted context continues where it was */
  PLAT_RESULT,  /* the system call returns `ret` after the handler */
  PLAT_RESTART, /* the system call is made again after the handler */
};
struct plat_sigframe {
  int signo;
  siginfo_t info;
  uint64_t handler, restorer;
  uint64_t mask;           /* goes into uc_sigmask */
  uint64_t ss_sp, ss_size; /* goes into uc_stack */
  uint32_t ss_flags;
  uint64_t stack_top; /* 0: the current stack pointer (less the red zone); else the top of the alternate stack */
  bool has_siginfo;   /* SA_SIGINFO does not matter on x86-64: the frame always has it; kept for clarity of callers */
};
/* Push a frame; several may be pushed, the last pushed runs first. `how` and `ret` matter for the first push only
 * after a PLAT_SYSCALL. 0; -EFAULT if the guest's stack cannot take it. Parks. End the event with plat_resume(). */
int plat_push_signal(struct plat_ctx *c, const struct plat_sigframe *f, enum plat_how how, int64_t ret);

struct plat_regs { /* the order of struct user_regs_struct's general registers that exist in a sigcontext */
  uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
};
/*
 * Parks: a context stopped in a system call may first have to be brought into the stub. RIP is always behind the call's
 * instruction, RAX holds its number until a result is settled. plat_set_regs() with `settled`: RIP and RAX are what the
 * guest goes on with, and plat_resume() ends the event; without: the call is still open, plat_return() sets RAX.
 */
int plat_get_regs(struct plat_ctx *c, struct plat_regs *r);
int plat_set_regs(struct plat_ctx *c, const struct plat_regs *r, bool settled);
/* While set, rt_sigreturn is also reported as a PLAT_SYSCALL event, before any register has changed. plat_resume() lets
 * it go on to its PLAT_SIGRETURN. The guest can forge or suppress it for itself. Parks. */
int plat_set_traced(struct plat_ctx *c, bool on);
/* The FS and GS base of a stopped context (arch_prctl). The caller has checked that the base is a guest address. Park.
 */
int plat_set_fsbase(struct plat_ctx *c, uint64_t base);
int plat_get_fsbase(struct plat_ctx *c, uint64_t *base);
int plat_set_gsbase(struct plat_ctx *c, uint64_t base);
int plat_get_gsbase(struct plat_ctx *c, uint64_t *base);
/*
 * Calls that the host itself has to answer, for the thread or process of a stopped context: its result or -errno. Park.
 * rseq(2) gives the host an address of guest memory, which it keeps up to date from then on; it lasts as in Linux (a
 * forked child has it, a thread and a new program have not).
 */
int64_t plat_rseq(struct plat_ctx *c, uint64_t addr, uint32_t len, int flags, uint32_t sig);
int64_t plat_membarrier(struct plat_ctx *c, int cmd, unsigned flags, int cpu);
int plat_set_affinity(struct plat_ctx *c, const uint64_t mask[2]); /* of the thread; CPUs by the host's numbers */
int plat_getcpu(struct plat_ctx *c, unsigned *cpu);
/* Would plat_exit() now end the thread without letting it run user code once more? */
bool plat_exits_directly(const struct plat_ctx *c);

/* What the host counts for the host process of a stopped context, or for its thread alone: getrusage(2) ordered of it.
 * The guest can forge what it says of itself here: good for reports only. Park. */
struct plat_usage {
  uint64_t utime, stime; /* ns */
  uint64_t maxrss_kb, min_flt, maj_flt, nivcsw;
};
int plat_get_usage(struct plat_ctx *c, bool thread, struct plat_usage *out);
int plat_get_thread_cpu(struct plat_ctx *c, uint64_t *ns); /* CLOCK_THREAD_CPUTIME_ID, likewise */

/*
 * The vector state of a stopped context in the host's signal frame layout: FXSAVE's 512 bytes, or the XSAVE area in its
 * standard form (without the frame's trailing magic). Its size, at most `cap`; *features: what the host saves, 0
 * without XSAVE. Setting takes exactly that size, of a state that the caller has checked as Linux checks a signal
 * frame's: the host process dies of anything else. Park.
 */
ssize_t plat_get_fpstate(struct plat_ctx *c, void *buf, size_t cap, uint64_t *features);
int plat_set_fpstate(struct plat_ctx *c, const void *buf, size_t len);
