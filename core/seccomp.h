/*
 * Seccomp of the guests: seccomp(2), seccomp_unotify(2), Documentation/userspace-api/seccomp_filter.rst. Enforced by
 * the Sentry where a call enters; it has nothing to do with the host's filter that brings the calls here.
 */
#pragma once
#include "ref.h"
#include "wait.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>

struct task;
struct plat_call;
struct seccomp_listener;
struct file;

#define SECCOMP_MAX_INSNS_PER_PATH 32768 /* of a chain; each filter but the first costs 4 more */

/* One filter, and those that were there before it. Tasks share chains; a filter never changes once it is attached. */
struct seccomp_filter {
  ref_t ref;                   /* tasks, newer filters, the listener */
  unsigned users;              /* tasks, and newer filters that have any: with none left the listener hangs up */
  struct seccomp_filter *prev; /* counted */
  bool log, wait_killable, needs_ip;
  struct seccomp_listener *listener; /* the open listener of SECCOMP_FILTER_FLAG_NEW_LISTENER; NULL once closed */
  uint64_t known[8], allowed[8];     /* by system call number: the whole chain allows it whatever the arguments */
  unsigned len, depth, total;        /* depth: filters in the chain; total: what counts against the limit */
  struct sock_filter insns[];
};

/* A checked copy of a program, not yet attached. -EINVAL, -ENOMEM. Neither has anybody checked privileges. */
int seccomp_filter_new(const struct sock_filter *insns, unsigned len, struct seccomp_filter **out);
void seccomp_filter_put(struct seccomp_filter *f);
/* Attach f to t, with SECCOMP_FILTER_FLAG_TSYNC to its threads too. 0; -errno; with TSYNC the tid of a thread that
 * cannot follow. Does not park. */
int seccomp_attach(struct task *t, struct seccomp_filter *f, unsigned flags);
int seccomp_set_strict(struct task *t); /* 0 or -EINVAL */
/* Could t be given a mode now? false: -EINVAL. */
bool seccomp_may_assign(const struct task *t, int mode);
/* Does the chain of t have a listener that is open? */
bool seccomp_has_listener(const struct task *t);
bool seccomp_action_known(uint32_t action);

/* The child of a clone takes over what t has. 0 or -ENOMEM. */
int seccomp_fork(struct task *t, struct task *child);
void seccomp_exit(struct task *t); /* drops the chain; the mode stays, for /proc */

/*
 * A call of t, whose mode is not 0, enters. True: it may be made. False: *ret is its result, or t is dying. May park
 * (a listener's answer, a tracer, who may change *c).
 */
bool seccomp_enter(struct task *t, struct plat_call *c, int64_t *ret);
/* rt_sigreturn, which the platform has carried out already: the filter can only end the task now. */
void seccomp_sigreturn(struct task *t);

/* The host's notification of a call that went through the stub names the stub's instruction; this is the guest's. */
uint64_t task_call_ip(struct task *t, const struct plat_call *c);

/* Syscall user dispatch, core/user_dispatch.c. The prctl: 0 or -errno. */
int user_dispatch_set(struct task *t, uint64_t mode, uint64_t start, uint64_t len, uint64_t selector);
/* True: the call is not made but signalled (t->dispatch.on); *ret as seccomp_enter's. May park. */
bool user_dispatch_enter(struct task *t, const struct plat_call *c, int64_t *ret);

/* ---- listeners: core/seccomp_notify.c ---- */
/* f, not yet attached, gets a listener, which holds a reference to f. */
int seccomp_listener_new(struct seccomp_filter *f, struct seccomp_listener **out);
void seccomp_listener_close(struct seccomp_listener *l); /* whoever waits gets ENOSYS. Frees l */
struct waitq *seccomp_listener_wq(struct seccomp_listener *l);
uint32_t seccomp_listener_poll(const struct seccomp_listener *l);
long seccomp_listener_ioctl(struct seccomp_listener *l, unsigned cmd, uint64_t arg);
/* The filter's verdict is SECCOMP_RET_USER_NOTIF. True: the listener lets the call go on. Parks. */
bool seccomp_ask_listener(struct task *t, struct seccomp_filter *f, const struct seccomp_data *d, int64_t *ret);
void seccomp_listener_hangup(struct seccomp_listener *l); /* no task is under the filter any more */
