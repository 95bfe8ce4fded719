/*
 * ptrace(2): kernel/ptrace.c and the tracing half of kernel/signal.c of Linux.
 *
 * A tracee's state (struct ptrace) is made when it is first traced and stays with the task. A stop parks the tracee's
 * own fiber in ptrace_stop(); registers are fetched from its context, and put back, by that fiber alone: a tracer
 * that needs them asks and waits (ptrace_need()), and then works on the copy. So no two fibers use one context.
 *
 * A task that was never traced has t->pt NULL, which is the one test that tracing costs it.
 */
#pragma once
#include "platform.h"
#include "regset.h"
#include "task.h"

struct ptrace_request;

struct ptrace_await { /* on the stack of an attacher: its target is on its way from a group stop into a ptrace stop */
  struct fiber *fiber;
  bool done;
};

struct ptrace {
  struct task *task;
  LIST_ENTRY(ptrace) link; /* ptracer->tracees */
  uint32_t options;        /* PTRACE_O_* */
  bool seized;

  /* As the tracer let it go on. */
  bool syscalls, sysemu, step;

  /* The stop. */
  bool stopped, listening;
  bool exit_stop;    /* at PTRACE_EVENT_EXIT: `killed` may be set and does not end it */
  bool killed_again; /* the process was told to die during that */
  int code;          /* what wait(2) reports, 0 once reported; going on: the signal to go on with */
  uint64_t message;  /* PTRACE_GETEVENTMSG */
  siginfo_t *info;   /* NULL in a group stop */
  struct ptrace_await *await;

  /* Traps that are due: task.ptrace_trap is their or. */
  bool trap_stop, trap_notify;
  int stop_sig; /* what a trap_stop without a group stop reports */
  int old_tid;  /* before exec made the task the leader; 0: the same */

  /* The registers, valid while stopped or being served. */
  struct ptrace_request *request;
  bool have_regs, dirty; /* dirty: to be put back before the guest goes on */
  bool have_bases, bases_dirty;
  bool have_fp, fp_dirty;
  bool forced_tf; /* EFLAGS.TF in the context is ours, not the guest's */
  bool in_call;   /* on the way out of a system call: regs.rax is its result */
  bool told_stub; /* plat_set_traced() is on */
  int64_t orig_rax, ret;
  struct plat_regs regs;
  uint64_t fs_base, gs_base;
  uint8_t *fp;
  size_t fp_len;

  /* Debug registers: watched by stepping, see ptrace_debug.c. */
  uint64_t dr[8];
  uint64_t dr_value[4];
  bool watching;
};

/* ---- hooks of the tracee's own way, on its fiber ---- */
/* A system call begins. True: it is to be skipped, with the result in *ret. *c may have been changed. */
bool ptrace_call_enter(struct task *t, struct plat_call *c, int64_t *ret);
void ptrace_call_exit(struct task *t, int64_t *ret);
/*
 * SECCOMP_RET_TRACE (h->data is SECCOMP_RET_DATA). False: nobody traces with PTRACE_O_TRACESECCOMP, the call fails
 * with ENOSYS. True: it was reported; *c is what the tracer left; if c->nr is negative the call is skipped and *ret is
 * its result. May be called with t->pt NULL.
 */
bool ptrace_event_seccomp(struct task *t, struct plat_call *c, uint32_t data, int64_t *ret);
/* exec has succeeded (EXEC_DONE): enter the program and stop in front of it. Its result for the guest. */
int64_t ptrace_exec(struct task *t);
void ptrace_exit(struct task *t, int status); /* PTRACE_EVENT_EXIT, before anything is torn down */
/* A signal was dequeued: report it. The number to act on, or 0; *info is changed with it. */
int ptrace_signal(struct task *t, int sig, siginfo_t *info);
void ptrace_jobctl_trap(struct task *t); /* a stop that is due: group stop, interrupt, end of a group stop */
/* Around signal_deliver()'s stops: the registers that the tracer sees, and what it has made of them. */
void ptrace_view(struct task *t, bool in_call, int64_t ret);
void ptrace_sync(struct task *t, bool *in_call, int64_t *ret);
/* Before a handler's frame is pushed: put changed registers into the context. True: `how` is settled by that. */
bool ptrace_before_push(struct task *t, bool in_call, int64_t ret, enum plat_how how);
void ptrace_after_push(struct task *t); /* single step reports the handler's first instruction */
/* The event ends. True: the registers are in place, plat_resume() is what is left. */
bool ptrace_to_guest(struct task *t, bool in_call, int64_t ret);
/* SIGTRAP from the CPU. True: it was ours alone, the guest goes on. */
bool ptrace_fault(struct task *t, struct plat_event *ev);
/* rt_sigreturn is about to happen (PLAT_SYSCALL), and has happened (PLAT_SIGRETURN). */
void ptrace_sigreturn_enter(struct task *t);
void ptrace_sigreturn_exit(struct task *t);

/* ---- fork ---- */
void ptrace_before_fork(struct task *t); /* parks */
/* Which event clone(2) with these flags is to t's tracer: PTRACE_EVENT_FORK, … or 0. */
int ptrace_clone_event(const struct task *t, uint64_t flags, int exit_signal);
/* c, not yet running, is traced by t's tracer. 0 or -ENOMEM. */
int ptrace_auto_attach(struct task *t, struct task *c);
void ptrace_event(struct task *t, int event, uint64_t message);
int ptrace_pid_seen(const struct task *t, const struct pid *pid); /* as t's tracer sees it; t is traced */

/* ---- others ---- */
void ptrace_tracer_exits(struct task *tracer);
/* No tracer any more. What waits in a stop goes on. */
void ptrace_unlink(struct task *t);
void ptrace_free(struct task *t);
void ptrace_trap_notify(struct task *t); /* of a seized tracee: the group stop's state has changed */
/* The container ends: tasks that trace one another must not wait for one another at their PTRACE_EVENT_EXIT. */
void ptrace_release_exit_stops(struct process *p);
/* Is t traced by another process than its parent? */
bool ptrace_reparented(const struct task *t);
/* SIGCHLD to the tracer, and whoever waits there looks again. True for a death that nobody will wait for. */
bool ptrace_notify_tracer(struct task *t, int why);
static inline bool ptrace_event_enabled(const struct task *t, int event) {
  return t->ptracer && (t->pt->options & (1u << event));
}

/* ---- requests: syscalls/ptrace.c decodes. All on the tracer's fiber; 0 or -errno ---- */
int ptrace_traceme(struct task *t);
int ptrace_attach(struct task *t, int pid, bool seize, uint64_t addr, uint64_t flags);
/* The tracee of t with this tid, stopped unless `any_state`. -ESRCH otherwise. Borrowed. */
int ptrace_find(struct task *t, int pid, bool any_state, struct task **out);
int ptrace_resume(struct task *c, int request, uint64_t sig); /* CONT, SYSCALL, SINGLESTEP, SYSEMU…, DETACH */
int ptrace_interrupt(struct task *c);
int ptrace_listen(struct task *c);
int ptrace_set_options(struct task *c, uint64_t options);

enum ptrace_part { PTRACE_PART_REGS = 1, PTRACE_PART_BASES = 2, PTRACE_PART_FP = 4 };
/* Bring these parts of a stopped tracee's registers into c->pt. Parks; -ESRCH if the stop has ended meanwhile. */
int ptrace_need(struct task *tracer, struct task *c, unsigned parts);
void ptrace_get_user_regs(const struct ptrace *pt, struct regset_gp *u);
int ptrace_set_user_regs(struct ptrace *pt, const struct regset_gp *u);
int ptrace_set_fp(struct task *tracer, struct task *c, const void *buf, size_t len); /* 512 bytes, or all of the area */

/* The other half of the stops: ptrace_stop.c, ptrace_regs.c, ptrace_debug.c. */
void ptrace_serve(struct task *t);                 /* the request that waits, if any */
void ptrace_fail_request(struct task *t);          /* the stop ends with one unserved */
int ptrace_fetch(struct task *t, unsigned parts);  /* on the tracee's fiber */
int ptrace_put_back(struct task *t, bool settled); /* what is dirty into the context */
void ptrace_forget_regs(struct ptrace *pt);
void ptrace_finish_tracee(struct task *t); /* a zombie is reaped by its tracer: exit.c */
uint64_t ptrace_get_debugreg(const struct ptrace *pt, unsigned n);
int ptrace_set_debugreg(struct task *c, unsigned n, uint64_t v);
void ptrace_arm_watches(struct task *t);            /* before the guest goes on */
bool ptrace_watch_hit(struct task *t, uint64_t ip); /* after a step */
