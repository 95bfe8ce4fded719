/*
 * Tasks (threads), processes (thread groups), process groups and sessions, credentials and limits: clone(2), wait(2),
 * credentials(7), setrlimit(2); kernel/fork.c, kernel/exit.c of Linux.
 */
#pragma once
#include "file.h"
#include "mm.h"
#include "ns.h"
#include "platform.h"
#include "ref.h"
#include "signal.h"
#include "wait.h"
#include <bsd/sys/tree.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/resource.h>

struct kernel;
struct key;
struct ipc_namespace; /* core/ipc/ipc.h */
struct sem_undo_list;
struct landlock_domain;
struct fs_ctx; /* cwd, root, umask: fs/ owns it, see kernel_hooks */
struct tty;

/* ---- credentials: immutable once shared; change by cred_dup, edit, task_set_cred. Ids are kuids: see ns.h ---- */
#define CAP_LAST 40
#define NGROUPS_MAX_GUEST 65536
struct cred {
  ref_t ref;
  uint32_t uid, euid, suid, fsuid;
  uint32_t gid, egid, sgid, fsgid;
  uint64_t cap_inh, cap_prm, cap_eff, cap_bnd, cap_amb;
  uint32_t securebits;
  bool no_new_privs;
  int ngroups;
  uint32_t *groups;
  struct user_namespace *user_ns;   /* counted; NULL: the initial one */
  struct landlock_domain *landlock; /* counted; NULL: not restricted. core/landlock.h */
  struct key *thread_keyring, *process_keyring, *session_keyring; /* counted or NULL: core/keys/keys.h */
  int reqkey;                                                     /* KEYCTL_SET_REQKEY_KEYRING */
};
struct cred *cred_new(void); /* all zero ids, no capabilities, the initial user namespace */
struct cred *cred_dup(const struct cred *c);
struct cred *cred_get(struct cred *c);
void cred_put(struct cred *c);
/* Effective, over what belongs to the initial user namespace (capable()). See ns_capable(), cred_own_cap(). */
bool cred_has_cap(const struct cred *c, int cap);
bool cred_in_group(const struct cred *c, uint32_t gid); /* fsgid or supplementary */
/* What of a file execve(2) looks at to find out about privileges: hooks.exec_file. */
#define FILE_CAPS_MAX 24 /* the longest security.capability: struct vfs_ns_cap_data */
struct exec_file {
  struct stat st;
  bool may_suid;              /* set-id bits and file capabilities count: no nosuid mount, none of somebody else's */
  bool unreadable;            /* by the caller: what runs it is not dumpable */
  ssize_t ncaps;              /* length of the security.capability attribute, or -ENODATA */
  uint8_t caps[FILE_CAPS_MAX];
  struct user_namespace *ns;  /* borrowed: whose numbers are in it; NULL: the initial one */
};
struct exec_cred { /* what becomes of the caller's credentials */
  struct cred *cred;
  bool secure; /* AT_SECURE */
  bool gained; /* by set-id bits or file capabilities: personality bits that help attacks go */
};
#define EXEC_UNSAFE_SHARE 1u  /* another process shares the fs_struct */
#define EXEC_UNSAFE_PTRACE 2u /* traced by one without CAP_SYS_PTRACE over the caller's user namespace */
/* 0, -ENOMEM, -EPERM or -EINVAL for file capabilities that cannot be had or understood. core/cred_exec.c. */
int cred_exec(const struct cred *old, const struct exec_file *f, unsigned unsafe, struct exec_cred *out);
/* Does kuid root own the user namespace of c, or one above it? (rootid_owns_currentns()) */
bool user_ns_root_is(const struct user_namespace *u, uint32_t kuid);

/* ---- pids ---- */
struct pid { /* a number, and what bears it. Lives while anything refers to it */
  ref_t ref;
  struct kernel *k;
  int nr;                       /* in the initial pid namespace: for logs. What guests see: pid_vnr(), pid_nr_ns() */
  unsigned level;               /* of its pid namespace */
  struct task *task;            /* the thread of this tid, or NULL */
  struct process *process;      /* the process of this pid (also as a zombie), or NULL */
  LIST_HEAD(, process) pgrp;    /* members of the process group of this number */
  LIST_HEAD(, process) session; /* members of the session */
  struct waitq wq;              /* pidfd polls */
  struct upid numbers[];        /* [0, level] */
};

struct cpu_split { /* CPU time as last told, in ns: neither part may go backwards (cputime_adjust()) */
  uint64_t utime, stime;
};

struct restart_block { /* what restart_syscall(2) goes on with */
  int64_t (*fn)(struct task *t);
  uint64_t arg[6];
};

enum task_state { TASK_RUNNING, TASK_SLEEPING, TASK_STOPPED, TASK_TRACED, TASK_ZOMBIE, TASK_DEAD };

struct task {
  struct kernel *k;
  struct pid *tid;
  struct process *proc;
  LIST_ENTRY(task) thread_link; /* proc->threads */
  struct plat_ctx *ctx;         /* NULL before the first exec and after the end */
  struct mm *mm;
  struct fdtable *files;
  struct fs_ctx *fs;
  struct sighand *sighand;
  struct cred *cred;              /* counted */
  struct nsproxy *nsproxy;        /* counted; NULL once it exits */
  struct ipc_namespace *ipc;      /* counted */
  struct sem_undo_list *sem_undo; /* SEM_UNDO, shared by CLONE_SYSVSEM; counted or NULL */
  char comm[16];

  /* running */
  enum task_state state; /* as /proc shows it */
  bool in_guest;         /* the context runs guest code; no fiber of this task exists */
  struct fiber *fiber;   /* the fiber of the event in progress */
  bool interruptible;    /* parked where a signal ends the wait */
  bool killable;         /* parked where only SIGKILL ends the wait, and a spurious wake-up is harmless */
  bool exiting;          /* task_exit() has begun: takes no signals any more */
  struct plat_event ev;  /* the event in progress */
  struct restart_block restart;
  uint64_t entry_ip, entry_sp; /* where exec_program left the new program: task_run.c does plat_enter() */
  int64_t wchan_since;

  /* signals */
  struct sigpending pending;
  sigset64_t blocked, saved_blocked;
  bool restore_blocked; /* saved_blocked is due (sigsuspend and relatives) */
  uint64_t ss_sp, ss_size;
  uint32_t ss_flags;
  bool killed;        /* SIGKILL or group exit: unwind and die */
  bool stop_wanted;   /* takes part in a group stop at its next signal_deliver() */
  sigset64_t sigwait; /* signals it waits for in sigtimedwait */

  /* exit */
  int exit_code;   /* wait status */
  int exit_signal; /* to the parent, of a leader; 0 none */
  uint64_t clear_child_tid, set_child_tid;
  uint64_t robust_list;
  struct waitq *vfork_done; /* on the parent's stack while it waits; NULL otherwise */
  int pdeath_signal;

  /* accounting and what prctl & co. remember */
  int64_t start_time; /* CLOCK_BOOTTIME ns */
  uint64_t nvcsw, nivcsw, min_flt, maj_flt;
  struct cpu_split cpu_before; /* used in host threads that this task has left behind (exec) */
  uint64_t cpu_known;          /* ns used by its present host thread when that was last asked */
  bool cpu_probe;              /* somebody wants cpu_known renewed on the way back to the guest */
  struct cpu_split split;
  struct io_acc { /* /proc/PID/io */
    uint64_t rchar, wchar, syscr, syscw;
  } io;
  int nice, sched_policy, sched_priority, ioprio;
  uint32_t timer_slack_ns;
  uint64_t cpu_affinity[2];
  bool affinity_due; /* the host thread is still to be told */
  struct rseq_reg {
    uint64_t addr;
    uint32_t len, sig;
  } rseq;
  uint32_t personality;
  struct mempolicy mempolicy;
  bool dumpable_off, keep_caps;
  bool sched_reset_on_fork;
  uint64_t sched_runtime, sched_deadline, sched_period;
  struct task *ptracer;
  struct seccomp_filter *seccomp; /* counted, and used; core/seccomp.h */
  int seccomp_mode;               /* SECCOMP_MODE_* */
  struct user_dispatch {          /* prctl(PR_SET_SYSCALL_USER_DISPATCH): core/user_dispatch.c */
    bool on;
    uint64_t start, len; /* calls from there are made */
    uint64_t selector;   /* 0: none, all others become SIGSYS */
  } dispatch;
  struct ptrace *pt;           /* as a tracee: core/ptrace.h. NULL: never traced */
  LIST_HEAD(, ptrace) tracees; /* as a tracer */
  bool ptrace_trap;            /* a ptrace stop is due; counts as a pending signal */
  bool stop_uncounted;         /* stop_wanted joins a stop that is complete: stop_count does not hold it */
  void *posix_cpu;
};

TAILQ_HEAD(task_waiters, wait_entry);

struct itimer {
  int64_t interval, deadline; /* ns; deadline 0: not armed */
};

struct process { /* signal_struct: what all threads of a thread group share */
  ref_t ref;
  struct kernel *k;
  struct pid *pid;
  struct task *leader; /* stays until the process is reaped */
  LIST_HEAD(, task) threads;
  int nthreads;               /* entries of `threads`: with a leader that has exited while others live */
  int nlive;                  /* of those, the ones that have not begun to exit */
  int nusers;                 /* … that may still use their context; with the last one the host process ends */
  int nunfinished;            /* … that task_exit() has not finished with; with the last one p is a zombie */
  bool announce_due;          /* a zombie whose parent hears of it when the tracers have waited for its threads */
  struct process *parent;     /* borrowed; NULL for init and for processes that oci/ put in (their ppid is 0) */
  struct task *parent_thread; /* of `parent`: made this child, or has inherited it from a thread that ended. Borrowed */
  LIST_HEAD(, process) children;
  LIST_ENTRY(process) sibling;
  LIST_ENTRY(process) all;    /* kernel->processes */
  struct pid *pgrp, *session; /* counted */
  LIST_ENTRY(process) pgrp_link, session_link;
  bool session_leader;
  bool did_exec;    /* setpgid of a child after exec: EACCES */
  struct tty *ctty; /* of the session; see core/tty_hooks in kernel.h */
  struct rlimit rlim[RLIM_NLIMITS];
  struct sigpending pending; /* shared */
  struct waitq child_wait;   /* wait4 of the parent's threads: woken when a child changes state */
  struct waitq signalfd_wq;  /* woken when a signal is queued to the process or one of its threads */

  bool group_exit;         /* exit_group or a fatal signal: exit_code is final */
  int exit_code;           /* wait status */
  bool zombie;             /* all threads are gone, not yet reaped */
  bool stopped, continued; /* job control, and what wait has to report */
  bool stop_reported, cont_reported;
  int stop_sig;
  int nstopped;
  bool subreaper, has_subreaper;
  bool injected;            /* made by task_new_process(): hooks.process_reaped is told of its end */
  bool pid_ns_init;         /* the init of its pid namespace */
  bool unkillable;          /* init: signals from within its pid namespace that it has no handler for are dropped */
  int exit_signal;          /* sent to the parent at the end; 0 none. (Of the leader in Linux; here it survives exec) */
  struct task *dethreading; /* the thread that waits in task_dethread() until it is alone */
  int stop_count;           /* threads that have yet to stop before the group stop is complete */
  bool stop_ordered;        /* a group stop is under way or in force, until SIGCONT */

  struct rusage_acc {
    uint64_t utime, stime; /* ns */
    uint64_t min_flt, maj_flt, nvcsw, nivcsw, maxrss_kb, inblock, oublock;
  } dead, children_acc;  /* of threads that ended; of reaped children */
  struct io_acc dead_io; /* of threads that ended */
  struct cpu_split split;
  uint64_t cpu_exited;     /* ns of `dead` threads of the present host process, as far as known */
  struct plat_usage usage; /* what the present host process last said of itself; times unused */
  int host_pid;            /* of the host process when it is not the leader's thread (after task_dethread()); else 0 */
  struct itimer itimer[3];
  void *itimer_priv[3];
  int last_profiled; /* the tid that last got a signal of send_signal_running() */
  void *posix_timers;
  void *cpu_limit; /* core/cpu_limit.c: RLIMIT_CPU is set */
  int oom_score_adj;
  struct coredump *coredump; /* core/coredump.c: one of its threads writes a core file */
  unsigned coredump_filter;  /* /proc/PID/coredump_filter; of the mm in Linux */
  bool thp_disable, io_flusher;
  int mce_kill; /* PR_MCE_KILL_GET's */
};

/* The task whose fiber runs, or NULL. */
struct task *task_current(void);

/* By number as the calling task knows it (its pid namespace's); outside of tasks, the initial namespace's. */
struct task *task_find_borrow(struct kernel *k, int tid);
struct process *process_find_borrow(struct kernel *k, int pid);
struct pid *pid_find_borrow(struct kernel *k, int nr);
struct pid *pid_get(struct pid *p);
void pid_put(struct pid *p);
struct process *process_get(struct process *p);
void process_put(struct process *p);

/* ---- life ---- */
struct clone_args_k { /* struct clone_args of clone3(2), decoded and checked for what the ABI alone can tell */
  uint64_t flags;
  int exit_signal;
  uint64_t stack, stack_size, tls, parent_tid, child_tid, pidfd;
  int set_tid[33]; /* innermost first */
  int nset_tid;
  /* Called before the child runs, to hand out its pidfd (which is fs/'s). -errno undoes the clone. May be NULL. */
  int (*made)(struct task *t, struct pid *child, const struct clone_args_k *a);
};
/* clone(2) in all its forms: the new tid, or -errno. */
int64_t task_clone(struct task *t, const struct clone_args_k *a);
/* A task with no context and no program, for the container's init and for exec into a running container. It becomes
 * a process of its own in the session of its own; parent NULL: the init. */
int task_new_process(struct kernel *k, struct process *parent, struct task **out);
/* Let a task made by task_new_process run: starts its fiber, which enters the program that exec_program prepared. */
void task_start(struct task *t);
/* exit(2) of this thread; must be the last thing its fiber does. Does not return control to the guest. */
void task_exit(struct task *t, int wait_status);
/* exit_group(2) and death by signal: marks everything; the caller then runs into task_exit on its way out. */
void process_exit_group(struct process *p, int wait_status);
/* The caller's vfork parent may go on: to be called once the task has its own mm (exec) or none (exit). No-op
 * otherwise. */
void task_vfork_done(struct task *t);
/*
 * exec: end all other threads of t's process, wait for them, and make t the leader (with the leader's tid). Parks. 0,
 * or -EAGAIN when t itself was killed or another thread execs already: t then unwinds. All contexts that are left in
 * the old host process belong to t alone: plat_kill(old ctx) ends them.
 */
int task_dethread(struct task *t);
/* Just before the host process that t runs in goes away (exec's plat_kill() of the old context; task_exit() does it
 * itself): its CPU time moves to proc->dead. */
void task_account_host(struct task *t);
/* t ends: what it alone counted moves to proc->dead. */
void task_account_exit(struct task *t);
/* PLAT_DIED: the host process of p is gone, no events will come from its contexts. Ends p as if by SIGKILL. On the loop
 * or any fiber. */
void process_host_died(struct process *p);
/* wait4/waitid: see syscalls/wait.c */
struct wait_opts {
  int which; /* P_ALL, P_PID, P_PGID */
  int id;
  int options;                  /* WNOHANG, WEXITED, WSTOPPED, WCONTINUED, WNOWAIT, __WALL, … */
  int pid, status, code, cause; /* results: wait status; si_code, si_status */
  uint32_t uid;
  struct rusage ru;
};
/* Children of t's process, and the tracees of its threads. */
int64_t process_wait(struct task *t, struct wait_opts *w); /* the pid, 0 (WNOHANG), -ECHILD, -ERESTARTSYS */

/* A child of p, or p itself as a child, changed state: see wait_child.c. */
void process_reap(struct process *p); /* a zombie: unlink it, free its pid. May free p */
/* setuid(2) and relatives: what the change of user ids from `old` does to the capabilities (SECBIT_NO_SETUID_FIXUP
 * aside). */
void cred_fixup_setuid(struct cred *c, const struct cred *old);
void cred_fixup_setfsuid(struct cred *c, const struct cred *old);
/* The process's side of a successful exec, after task_dethread() and with the new mm in place: signal handlers, timers,
 * exit signal, robust list, vfork parent. Files, credentials and mm are exec_program's. */
void task_exec_reset(struct task *t);
/* May `c`'s owner signal p (kill(2), SIGCONT within a session aside)? */
bool cred_may_signal(const struct cred *c, const struct cred *target);
/* ptrace_may_access(): same ids and dumpable, or CAP_SYS_PTRACE. For /proc/PID, process_vm_readv, pidfd_getfd, kcmp. */
bool task_may_access(struct task *t, struct task *target);

/* Make the host thread or the parked fiber of t look at its signals. */
void task_notify_signal(struct task *t);

/* Internals of the process half, not for other folders. */
struct task *task_alloc(struct kernel *k, struct process *p, struct task *from); /* fork.c: from NULL: defaults */
void task_free(struct task *t); /* a task that never ran, or has exited: drops what it still holds */
struct process *process_alloc(struct kernel *k, struct process *from);
void process_link_thread(struct process *p, struct task *t);
int pid_alloc(struct kernel *k, int want, struct pid **out); /* want 0: the next free one. -EAGAIN, -EEXIST */
/* In ns and those above; set_tid: wanted numbers, innermost first. */
int pid_alloc_in(struct pid_namespace *ns, const int *set_tid, int nset, struct pid **out);
void process_join_pgrp(struct process *p, struct pid *pgrp, struct pid *session); /* drops the old ones; NULL leaves */
void process_notify_parent(struct process *p, int why);                           /* CLD_*; core/exit.c */
void rlimits_default(struct rlimit *r, const struct kernel *k);
int process_set_rlimit(struct task *caller, struct process *p, int which, const struct rlimit *n); /* checks */

/* Sessions and groups; core/session.c. */
int process_setsid(struct process *p); /* the new sid, or -EPERM */
int process_setpgid(struct task *t, int pid, int pgid);
bool process_group_orphaned(struct pid *pgrp);
/* The same as if `without` were gone already. */
bool process_group_orphaned_without(struct pid *pgrp, const struct process *without);
void task_set_cred(struct task *t, struct cred *c); /* takes its own reference */
void task_rusage(struct task *t, struct rusage_acc *out);
/* Have t's own host process or thread asked first, so that the figures are true. For the calling task only. Park. */
void process_usage_ask(struct task *t);
void task_usage_ask(struct task *t);
uint64_t task_own_cpu_ns(struct task *t); /* CLOCK_THREAD_CPUTIME_ID of the caller. Parks */
/* t runs guest code: have it asked soon (timers on its clock). */
void task_cpu_want(struct task *t);
void process_io(const struct process *p, struct io_acc *out);
void process_rusage(struct process *p, struct rusage_acc *out);     /* live threads and dead ones */
void rusage_from_acc(const struct rusage_acc *a, struct rusage *r); /* in getrusage(2)'s form */
uint64_t task_rlimit(const struct task *t, int which);

/* ---- robust lists and clear_child_tid, on the way out: core/futex.c ---- */
void futex_exit(struct task *t);
int futex_wake_user(struct mm *mm, uint64_t uaddr, int n);
