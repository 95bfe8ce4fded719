/* poll(2), ppoll(2), select(2), pselect6(2). */
#include "../core/poll.h"
#include "../core/errno.h"
#include "../core/kernel.h"
#include "../core/timers.h"
#include "../core/uaccess.h"
#include "table.h"
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define FAST 8 /* descriptors for which no memory is allocated */

/* ---- timeouts and masks ---- */

/* A timespec, or a timeval in its place (it has the same size), as a deadline; a zero time gives 0. */
static int to_deadline(struct timespec ts, bool timeval, int64_t *deadline) {
  if (timeval) { /* microseconds beyond a second are carried over: select(2) */
    if (ts.tv_sec < 0 || ts.tv_nsec < 0)
      return -EINVAL;
    int64_t sec = ts.tv_nsec / 1000000;
    ts.tv_sec = ts.tv_sec > INT64_MAX - sec ? INT64_MAX : ts.tv_sec + sec;
    ts.tv_nsec = ts.tv_nsec % 1000000 * 1000;
  }
  if (!timespec_ok(&ts))
    return -EINVAL;
  int64_t ns = timespec_ns(&ts);
  *deadline = ns ? deadline_after(ns) : 0;
  return 0;
}

/* A guest's timespec; addr 0 waits for ever. */
static int get_deadline(uint64_t addr, int64_t *deadline) {
  struct timespec ts;
  *deadline = NO_DEADLINE;
  if (!addr)
    return 0;
  return get_user(&ts, addr) ? -EFAULT : to_deadline(ts, false, deadline);
}

static struct timespec time_left(bool timeval, int64_t deadline) {
  int64_t left = deadline ? deadline - loop_now_exact() : 0;
  struct timespec ts = ns_timespec(left > 0 ? left : 0);
  if (timeval)
    ts.tv_nsec /= 1000;
  return ts;
}

/* Linux stores the time left, and gives up a restart if it cannot. */
static int64_t put_time_left(uint64_t addr, bool timeval, int64_t deadline, int64_t ret) {
  if (!addr || deadline == NO_DEADLINE)
    return ret;
  struct timespec ts = time_left(timeval, deadline);
  return put_user(addr, &ts) && ret == -ERESTARTNOHAND ? -EINTR : ret;
}

static int set_mask(struct task *t, uint64_t umask, uint64_t size) {
  sigset64_t mask;
  if (!umask)
    return 0;
  if (size != sizeof mask)
    return -EINVAL;
  if (get_user(&mask, umask))
    return -EFAULT;
  signal_set_temp_mask(t, mask);
  return 0;
}

/* The mask stays for the handler if a signal ended the wait, and only then. */
static void unset_mask(struct task *t, uint64_t umask, int64_t ret) {
  if (umask && ret != -ERESTARTNOHAND && ret != -EINTR)
    signal_restore_temp_mask(t);
}

/* ---- poll ---- */

static void put_files(struct polled *p, int n) {
  for (int i = 0; i < n; i++)
    if (p[i].file)
      file_put(p[i].file);
}

/* The events, -ERESTARTSYS, or another error. */
static int64_t poll_fds(struct task *t, uint64_t ufds, unsigned nfds, int64_t deadline) {
  struct pollfd fast_fds[FAST], *fds = fast_fds;
  struct polled fast[FAST], *p = fast;
  int bad = 0;
  if (nfds > task_rlimit(t, RLIMIT_NOFILE))
    return -EINVAL;
  if (nfds > FAST) {
    fds = calloc(nfds, sizeof *fds);
    p = calloc(nfds, sizeof *p);
  }
  int64_t r = !fds || !p ? -ENOMEM : copy_from_user(fds, ufds, nfds * sizeof *fds);
  for (unsigned i = 0; !r && i < nfds; i++) {
    p[i] =
        (struct polled){.file = fds[i].fd < 0 ? NULL : fd_file(t->files, fds[i].fd), .events = (uint16_t)fds[i].events};
    if (!p[i].file && fds[i].fd >= 0) {
      p[i].revents = POLLNVAL;
      bad++;
    }
  }
  if (!r) {
    r = files_poll(p, (int)nfds, bad ? 0 : deadline);
    put_files(p, (int)nfds);
    if (r >= 0) {
      r += bad;
      /* Also where nothing changed: memory that cannot be written is EFAULT. */
      for (unsigned i = 0; i < nfds; i++)
        fds[i].revents = (short)p[i].revents;
      if (copy_to_user(ufds, fds, nfds * sizeof *fds))
        r = -EFAULT;
    }
  }
  if (nfds > FAST) {
    free(fds);
    free(p);
  }
  return r;
}

/* arg: fds, their number, the deadline. */
static int64_t poll_restart(struct task *t) {
  int64_t r = poll_fds(t, t->restart.arg[0], (unsigned)t->restart.arg[1], (int64_t)t->restart.arg[2]);
  return r == -ERESTARTSYS ? -ERESTART_RESTARTBLOCK : r;
}

SYSCALL_HANDLER(poll) {
  int ms = (int)a[2];
  t->restart = (struct restart_block){.fn = poll_restart,
                                      .arg = {a[0], (unsigned)a[1],
                                              (uint64_t)(ms < 0 ? NO_DEADLINE
                                                         : ms   ? deadline_after(ms * 1000000ll)
                                                                : 0)}};
  return poll_restart(t);
}

SYSCALL_HANDLER(ppoll) {
  int64_t deadline, r = get_deadline(a[2], &deadline);
  if (!r)
    r = set_mask(t, a[3], a[4]);
  if (r)
    return r;
  r = poll_fds(t, a[0], (unsigned)a[1], deadline);
  if (r == -ERESTARTSYS)
    r = -ERESTARTNOHAND;
  r = put_time_left(a[2], false, deadline, r);
  unset_mask(t, a[3], r);
  return r;
}

/* ---- select ---- */

#define SEL_IN (EPOLLRDNORM | EPOLLRDBAND | EPOLLIN | EPOLLHUP | EPOLLERR)
#define SEL_OUT (EPOLLWRNORM | EPOLLWRBAND | EPOLLOUT | EPOLLERR)
#define SEL_EX EPOLLPRI
static const uint32_t sel_events[3] = {SEL_IN, SEL_OUT, SEL_EX};

struct sel {
  int nfds;          /* bits in each set */
  size_t words;      /* 64-bit words of each set */
  uint64_t *bits[3]; /* in, out, ex: as asked, then as found */
  struct polled *p;
  int *fd; /* of each p */
  int n;
};

static uint32_t asked(const struct sel *s, int fd) {
  uint32_t ev = 0;
  for (int i = 0; i < 3; i++)
    if (s->bits[i][fd / 64] >> (fd % 64) & 1)
      ev |= sel_events[i];
  return ev;
}

static int sel_files(struct task *t, struct sel *s) {
  int count = 0;
  for (size_t w = 0; w < s->words; w++)
    count += __builtin_popcountll(s->bits[0][w] | s->bits[1][w] | s->bits[2][w]);
  s->p = calloc((size_t)count + 1, sizeof *s->p);
  s->fd = calloc((size_t)count + 1, sizeof *s->fd);
  if (!s->p || !s->fd)
    return -ENOMEM;
  for (int fd = 0; fd < s->nfds; fd++) {
    uint32_t ev = asked(s, fd);
    if (!ev)
      continue;
    struct file *f = fd_file(t->files, fd);
    if (!f)
      return -EBADF;
    s->fd[s->n] = fd;
    s->p[s->n++] = (struct polled){.file = f, .events = ev};
  }
  return 0;
}

static int sel_found(struct sel *s) {
  int found = 0;
  for (int i = 0; i < 3; i++) {
    uint64_t *bits = s->bits[i];
    for (int j = 0; j < s->n; j++) {
      int fd = s->fd[j];
      uint64_t bit = 1ull << (fd % 64);
      if (!(bits[fd / 64] & bit))
        continue;
      if (s->p[j].revents & sel_events[i])
        found++;
      else
        bits[fd / 64] &= ~bit;
    }
  }
  return found;
}

/* The call's arguments. The time and the sets are read, and written, in one go: programs select before each read. */
struct sel_args {
  int nfds;
  const uint64_t *usets; /* three addresses */
  uint64_t utime;
  bool timeval;
};

/* What is wrong with the sets is told after what is wrong with the time and the mask: *later. */
static int sel_get(struct task *t, struct sel *s, const struct sel_args *a, int64_t *deadline, int *later) {
  struct timespec ts;
  struct ucopy c[4] = {{&ts, a->utime, a->utime ? sizeof ts : 0}};
  int max = t->files->cap < 64 ? 64 : t->files->cap;
  *deadline = NO_DEADLINE;
  s->nfds = a->nfds < 0 ? 0 : a->nfds < max ? a->nfds : max;
  s->words = ((size_t)s->nfds + 63) / 64;
  s->bits[0] = calloc(3 * s->words + 1, sizeof **s->bits);
  if (!s->bits[0])
    return -ENOMEM;
  for (int i = 0; i < 3; i++) {
    s->bits[i] = s->bits[0] + (size_t)i * s->words;
    c[1 + i] = (struct ucopy){s->bits[i], a->usets[i], a->usets[i] ? s->words * 8 : 0};
  }
  int good = copy_pieces_from_user(c, 4);
  if (!good)
    return -EFAULT;
  for (int i = 0; i < 3 && s->nfds % 64; i++)
    s->bits[i][s->words - 1] &= (1ull << (s->nfds % 64)) - 1;
  *later = a->nfds < 0 ? -EINVAL : good < 4 ? -EFAULT : 0;
  return a->utime ? to_deadline(ts, a->timeval, deadline) : 0;
}

static int64_t sel_wait(struct task *t, struct sel *s, int64_t deadline) {
  int64_t r = sel_files(t, s);
  if (!r)
    r = files_poll(s->p, s->n, deadline);
  put_files(s->p, s->n);
  return r < 0 ? r : sel_found(s);
}

static int64_t sel_put(const struct sel *s, const struct sel_args *a, int64_t deadline, int64_t r) {
  bool timed = a->utime && deadline != NO_DEADLINE;
  struct timespec ts;
  struct ucopy c[4];
  if (r < 0)
    return put_time_left(a->utime, a->timeval, deadline, r == -ERESTARTSYS ? -ERESTARTNOHAND : r);
  for (int i = 0; i < 3; i++)
    c[i] = (struct ucopy){s->bits[i], a->usets[i], a->usets[i] ? s->words * 8 : 0};
  if (timed)
    ts = time_left(a->timeval, deadline);
  c[3] = (struct ucopy){&ts, a->utime, timed ? sizeof ts : 0};
  return copy_pieces_to_user(c, 4) >= 3 ? r : put_time_left(a->utime, a->timeval, deadline, -EFAULT);
}

static int64_t do_select(struct task *t, const struct sel_args *a, uint64_t umask, uint64_t size) {
  struct sel s = {0};
  int64_t deadline;
  int later = 0, r = sel_get(t, &s, a, &deadline, &later);
  if (!r)
    r = set_mask(t, umask, size);
  int64_t ret = r;
  if (!r) {
    ret = sel_put(&s, a, deadline, later ? later : sel_wait(t, &s, deadline));
    unset_mask(t, umask, ret);
  }
  free(s.p);
  free(s.fd);
  free(s.bits[0]);
  return ret;
}

SYSCALL_HANDLER(select) {
  return do_select(t, &(struct sel_args){(int)a[0], &a[1], a[4], true}, 0, 0);
}

SYSCALL_HANDLER(pselect6) {
  struct {
    uint64_t mask, size;
  } sig = {0};
  if (a[5] && get_user(&sig, a[5]))
    return -EFAULT;
  return do_select(t, &(struct sel_args){(int)a[0], &a[1], a[4], false}, sig.mask, sig.size);
}
