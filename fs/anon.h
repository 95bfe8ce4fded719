/*
 * Files without a place in any file system: eventfd(2), timerfd_create(2), signalfd(2), epoll(7), pidfd_open(2).
 * Constructors give a counted file; descriptors are the caller's business.
 */
#pragma once
#include "../core/file.h"
#include "../core/kernel.h"
#include "../core/timers.h"
#include "../core/signal.h"

/* ---- fs/eventfd.c ---- */
int eventfd_new(struct kernel *k, unsigned initval, int flags, struct file **out); /* EFD_SEMAPHORE, EFD_NONBLOCK */

/* The counter grows by n (as far as it can), as from the kernel. Does not park. -EINVAL if f is no eventfd. */
int eventfd_add(struct file *f, uint64_t n);

/* ---- fs/timerfd.c ---- */
int timerfd_new(struct kernel *k, clockid_t clock, int flags, struct file **out); /* TFD_NONBLOCK */
/* -EINVAL if f is no timerfd. old may be NULL. flags: TFD_TIMER_ABSTIME, TFD_TIMER_CANCEL_ON_SET */
int timerfd_set(struct file *f, int flags, const struct itimer_val *val, struct itimer_val *old);
int timerfd_get(struct file *f, struct itimer_val *out);

/* ---- fs/signalfd.c ---- */
int signalfd_new(struct kernel *k, sigset64_t mask, int flags, struct file **out); /* SFD_NONBLOCK */
int signalfd_set(struct file *f, sigset64_t mask);                                 /* -EINVAL if f is no signalfd */

/* ---- fs/pidfd.c ---- */
/* A file on p (a process); flags: O_NONBLOCK. NULL: no memory. */
struct file *pidfd_file_new(struct kernel *k, struct pid *p, int flags);
/* The pid of a pidfd, borrowed while f is held; NULL if f is none. */
struct pid *pidfd_pid_borrow(const struct file *f);

/* ---- fs/seccomp_notify.c ---- */
struct seccomp_filter;
/* A listener of `filter`, which must not be attached yet. */
int seccomp_notify_file_new(struct kernel *k, struct seccomp_filter *filter, struct file **out);

struct sbuf;
void pidfd_show(const struct pid *p, const struct pid_namespace *ns, struct sbuf *b); /* for /proc/PID/fdinfo */

/* ---- fs/nsfs.c ---- */
int nsfs_open(struct ns_common *ns, int flags, struct file **out);
int nsfs_name(const struct ns_common *ns, char *buf, size_t cap); /* "uts:[4026531838]": as snprintf() */
struct ns_common *nsfs_ns_borrow(const struct file *f);           /* NULL: not such a file */

/* ---- fs/epoll.c ---- */
struct epoll_event_k { /* struct epoll_event: packed on x86-64 */
  uint32_t events;
  uint64_t data;
} __attribute__((packed));
int epoll_new(struct kernel *k, struct file **out);
bool file_is_epoll(const struct file *f);
int epoll_item_count(const struct file *ep); /* how many descriptors it watches */
/* EPOLL_CTL_*; fd is the number under which target was given (it is part of the key). */
int epoll_ctl_file(struct file *ep, int op, int fd, struct file *target, const struct epoll_event_k *ev);
/* Parks until there are events or the deadline. Fills up to n events: their number, 0 at the deadline, -EINTR. */
int epoll_wait_file(struct file *ep, struct epoll_event_k *out, int n, int64_t deadline);
/* The last reference of a watched file goes away: called by file_put (through file_vfs_release) while f->wq still
 * lives. */
void epoll_file_release(struct file *f);
