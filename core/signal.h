/* Signals of the guests: signal(7), kernel/signal.c of Linux. Bit n-1 of a set is signal n. */
#pragma once
#include "ref.h"
#include "wait.h"
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define NSIG_GUEST 64
typedef uint64_t sigset64_t;
static inline sigset64_t sigbit(int sig) {
  return 1ull << (sig - 1);
}

struct task;
struct pid;
struct process;
struct user;

struct ksigaction { /* struct kernel_sigaction of the x86-64 ABI */
  uint64_t handler; /* SIG_DFL, SIG_IGN or a guest address */
  uint64_t flags;
  uint64_t restorer;
  sigset64_t mask;
};

struct sighand { /* shared by CLONE_SIGHAND */
  ref_t ref;
  struct ksigaction action[NSIG_GUEST];
};

struct sigqueue {
  TAILQ_ENTRY(sigqueue) link;
  siginfo_t info;
  struct user *charged; /* counted; whose nsigqueued counts it */
  void *timer;             /* the POSIX timer it belongs to, or NULL: overruns are counted there */
};
struct sigpending {
  sigset64_t set;
  TAILQ_HEAD(, sigqueue) list;
};

struct sighand *sighand_new(void);
struct sighand *sighand_dup(const struct sighand *s);
struct sighand *sighand_get(struct sighand *s);
void sighand_put(struct sighand *s);

/* Sending. info NULL makes SI_KERNEL. They wake or interrupt the target; -EAGAIN when a real-time queue is full. No
 * permission checks (syscalls/kill does them). */
int send_signal_task(struct task *t, int sig, const siginfo_t *info);
int send_signal_process(struct process *p, int sig, const siginfo_t *info);
/* The kernel's own, of a CPU timer: to a thread that runs just now, each in its turn, if there is one. */
void send_signal_running(struct process *p, int sig);
int send_signal_pgrp(struct pid *pgrp, int sig, const siginfo_t *info); /* -ESRCH if empty */
/* A fault of t's own: cannot be blocked or ignored (force_sig_info). */
void force_signal(struct task *t, int sig, const siginfo_t *info);
void force_signal_fault(struct task *t, int sig, int code, uint64_t addr);
void force_sigsegv(struct task *t); /* the frame for a handler could not be built */

bool signal_pending(const struct task *t); /* a deliverable signal, or a reason to stop or die */
bool signal_ignored(const struct task *t, int sig);
void signal_flush_pending(struct sigpending *p);
/* Take one of `set` off t's queues (sigtimedwait, signalfd). The signal number and *info, or 0. */
int signal_dequeue(struct task *t, sigset64_t set, siginfo_t *info);
/* Change t->blocked and look again at what is pending. */
void signal_set_blocked(struct task *t, sigset64_t mask);
/* Calls that carry a temporary mask (ppoll, pselect, sigsuspend, epoll_pwait): restored when the handler's frame is
 * built, or on return if none runs. */
void signal_set_temp_mask(struct task *t, sigset64_t mask);
void signal_restore_temp_mask(struct task *t);

/*
 * On the way back to the guest, with the result of the call in *ret (from_syscall) or none. Called by task_run.c only.
 * Takes stops (parks until SIGCONT), default actions (marks t->killed or the group exit) and handlers: for those it
 * decides -EINTR or restart from *ret and pushes frames with plat_push_signal(). True if a frame was pushed: the caller
 * then ends the event with plat_resume(). False: the caller goes on with *ret, which may still be -ERESTART*: it then
 * makes the call again itself. The caller looks at t->killed afterwards and runs task_exit().
 */
bool signal_deliver(struct task *t, bool from_syscall, int64_t *ret);
struct plat_event;
/* A PLAT_SIGRETURN event: sets the mask and the alternate stack, or forces SIGSEGV. Called by task_run.c. */
void signal_sigreturn(struct task *t, const struct plat_event *ev);

/* What a signal does without a handler. */
#define SIGSET_STOP (sigbit(SIGSTOP) | sigbit(SIGTSTP) | sigbit(SIGTTIN) | sigbit(SIGTTOU))
#define SIGSET_IGNORE (sigbit(SIGCONT) | sigbit(SIGCHLD) | sigbit(SIGWINCH) | sigbit(SIGURG))
#define SIGSET_CORE                                                                                                    \
  (sigbit(SIGQUIT) | sigbit(SIGILL) | sigbit(SIGTRAP) | sigbit(SIGABRT) | sigbit(SIGFPE) | sigbit(SIGSEGV) |           \
   sigbit(SIGBUS) | sigbit(SIGSYS) | sigbit(SIGXCPU) | sigbit(SIGXFSZ))
#define SIGSET_KERNEL_ONLY (sigbit(SIGKILL) | sigbit(SIGSTOP))

/* rt_sigaction(2): with the side effects on what is pending. -EINVAL for SIGKILL, SIGSTOP and bad numbers. */
int signal_action(struct task *t, int sig, const struct ksigaction *new_or_null, struct ksigaction *old_or_null);
/* sigaltstack(2), given the current stack pointer. The structs are in the guest's layout (stack_t). */
int signal_altstack(struct task *t, const stack_t *new_or_null, stack_t *old_or_null, uint64_t sp);
void signal_exec_reset(struct task *t); /* exec: handlers to SIG_DFL, altstack off; the sighand is t's alone before */
sigset64_t signal_pending_set(const struct task *t); /* rt_sigpending(2): private and shared, blocked */
/* A stop signal's default action for t's process. */
void signal_begin_stop(struct task *t, int sig);
/* A group stop under way: t, new, takes part in it. */
void signal_join_stop(struct task *t);
/* t takes its part in a group stop that is under way. True: with it the stop is complete, which the parent is to be
 * told. */
bool signal_join_complete(struct task *t);
/* Stops under way: t takes part, parks until SIGCONT or its death. */
void signal_stop_here(struct task *t);
void signal_task_leaves(struct task *t); /* t exits: group stops must not wait for it; shared signals go to others */
void signal_flush(struct process *p, sigset64_t set); /* from all queues of p and its threads */
void signal_pending_init(struct sigpending *p);
/* kill(2) and relatives: may t send sig to p? 0 or -EPERM. */
int signal_check_permission(struct task *t, struct process *p, int sig);
void siginfo_user(struct task *t, int sig, int code, siginfo_t *info); /* fills in pid and uid of the caller */
