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

/* A guest's timespec or timeval as a deadline; addr 0 waits for ever, a zero time gives 0. */
static int get_deadline(uint64_t addr, bool timeval, int64_t *deadline) {
  struct timespec ts;
  *deadline = NO_DEADLINE;
  if (!addr)
    return 0;
  if (get_user(&ts, addr)) /* struct timeval has the same size */
    return -EFAULT;
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

/* Linux stores the time left, and gives up a restart if it cannot. */
static int64_t put_time_left(uint64_t addr, bool timeval, int64_t deadline, int64_t ret) {
  if (!addr || deadline == NO_DEADLINE)
    return ret;
  int64_t left = deadline ? deadline - loop_now_exact() : 0;
  struct timespec ts = ns_timespec(left > 0 ? left : 0);
  if (timeval)
    ts.tv_nsec /= 1000;
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
  int64_t deadline, r = get_deadline(a[2], false, &deadline);
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

static int64_t select_fds(struct task *t, int nfds, const uint64_t usets[3], int64_t deadline) {
  if (nfds < 0)
    return -EINVAL;
  int max = t->files->cap < 64 ? 64 : t->files->cap;
  struct sel s = {.nfds = nfds < max ? nfds : max};
  s.words = ((size_t)s.nfds + 63) / 64;
  uint64_t *mem = calloc(3 * s.words + 1, sizeof *mem);
  int64_t r = mem ? 0 : -ENOMEM;
  for (int i = 0; i < 3 && !r; i++) {
    s.bits[i] = mem + (size_t)i * s.words;
    if (usets[i])
      r = copy_from_user(s.bits[i], usets[i], s.words * 8);
    if (s.nfds % 64 && s.words)
      s.bits[i][s.words - 1] &= (1ull << (s.nfds % 64)) - 1;
  }
  if (!r)
    r = sel_files(t, &s);
  if (!r)
    r = files_poll(s.p, s.n, deadline);
  put_files(s.p, s.n);
  if (r >= 0)
    r = sel_found(&s);
  for (int i = 0; i < 3 && r >= 0; i++)
    if (usets[i] && copy_to_user(usets[i], s.bits[i], s.words * 8))
      r = -EFAULT;
  free(s.p);
  free(s.fd);
  free(mem);
  return r == -ERESTARTSYS ? -ERESTARTNOHAND : r;
}

SYSCALL_HANDLER(select) {
  int64_t deadline, r = get_deadline(a[4], true, &deadline);
  if (r)
    return r;
  r = select_fds(t, (int)a[0], &a[1], deadline);
  return put_time_left(a[4], true, deadline, r);
}

SYSCALL_HANDLER(pselect6) {
  struct {
    uint64_t mask, size;
  } sig = {0};
  int64_t deadline;
  if (a[5] && get_user(&sig, a[5]))
    return -EFAULT;
  int64_t r = get_deadline(a[4], false, &deadline);
  if (!r)
    r = set_mask(t, sig.mask, sig.size);
  if (r)
    return r;
  r = select_fds(t, (int)a[0], &a[1], deadline);
  r = put_time_left(a[4], false, deadline, r);
  unset_mask(t, sig.mask, r);
  return r;
}
