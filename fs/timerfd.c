#include "anon.h"
#include "../core/errno.h"
#include "../core/uaccess.h"
#include "sbuf.h"
#include "vfs.h"
#include <stdlib.h>
#include <sys/timerfd.h>

#define TFD_IOC_SET_TICKS 0x40085400u /* _IOW('T', 0, __u64) */

struct timerfd {
  struct waitq wq;
  clockid_t clock, run_clock; /* as created; what the present setting runs on */
  struct timer timer;
  int64_t deadline, interval; /* on run_clock; deadline 0: not armed */
  int flags;                  /* of timerfd_settime */
  uint64_t ticks;             /* expirations not read yet, as far as they were counted */
};

static int64_t now_of(const struct timerfd *t) {
  int64_t now = 0;
  clock_read(NULL, t->run_clock, &now);
  return now;
}

static void arm(struct timerfd *t) {
  timer_arm(&t->timer, clock_deadline(t->run_clock, t->deadline));
}

/* Counts what has expired. With a period the loop's timer stays disarmed until somebody reads: nobody has to be told
 * twice. */
static void catch_up(struct timerfd *t) {
  int64_t now = now_of(t);
  if (!t->deadline || now < t->deadline)
    return;
  if (!t->interval) {
    t->ticks++;
    t->deadline = 0;
    return;
  }
  int64_t n = (now - t->deadline) / t->interval + 1;
  t->ticks += (uint64_t)n;
  t->deadline += n * t->interval;
}

static void fire(struct timer *lt) {
  struct timerfd *t = lt->arg;
  catch_up(t);
  if (t->ticks)
    waitq_wake(&t->wq, EPOLLIN | EPOLLRDNORM);
  else if (t->deadline)
    arm(t); /* the clock was set back */
}

static ssize_t timerfd_read(struct file *f, struct uio *u, off_t *pos) {
  struct timerfd *t = f->priv;
  if (u->resid < sizeof t->ticks)
    return -EINVAL;
  while (!t->ticks) {
    if (u->nonblock)
      return -EAGAIN;
    int r = task_wait(&t->wq, EPOLLIN, NO_DEADLINE);
    if (r && !t->ticks)
      return r;
  }
  catch_up(t);
  uint64_t ticks = t->ticks;
  t->ticks = 0;
  if (t->deadline)
    arm(t);
  ssize_t n = uio_copy_to(u, &ticks, sizeof ticks);
  return n == sizeof ticks ? n : -EFAULT;
}

static uint32_t timerfd_poll(struct file *f) {
  const struct timerfd *t = f->priv;
  return t->ticks ? EPOLLIN | EPOLLRDNORM : 0;
}

static long timerfd_ioctl(struct file *f, unsigned cmd, uint64_t arg) {
  struct timerfd *t = f->priv;
  uint64_t ticks;
  if (cmd != TFD_IOC_SET_TICKS)
    return -ENOTTY;
  if (get_user(&ticks, arg))
    return -EFAULT;
  if (!ticks)
    return -EINVAL;
  t->ticks = ticks;
  waitq_wake(&t->wq, EPOLLIN | EPOLLRDNORM);
  return 0;
}

static void timerfd_release(struct file *f) {
  struct timerfd *t = f->priv;
  timer_disarm(&t->timer);
  waitq_destroy(&t->wq);
  free(t);
}

static void timerfd_fdinfo(struct file *f, struct sbuf *b) {
  const struct timerfd *t = f->priv;
  struct itimer_val v;
  timerfd_get(f, &v);
  struct timespec val = ns_timespec(v.value), every = ns_timespec(v.interval);
  sb_printf(b, "clockid: %d\nticks: %llu\nsettime flags: 0%o\nit_value: (%lld, %ld)\nit_interval: (%lld, %ld)\n",
            t->clock, (unsigned long long)t->ticks, t->flags, (long long)val.tv_sec, val.tv_nsec,
            (long long)every.tv_sec, every.tv_nsec);
}

static const struct file_ops timerfd_ops = {
    .name = "timerfd",
    .read = timerfd_read,
    .poll = timerfd_poll,
    .ioctl = timerfd_ioctl,
    .fdinfo = timerfd_fdinfo,
    .release = timerfd_release,
};

int timerfd_new(struct kernel *k, clockid_t clock, int flags, struct file **out) {
  struct timerfd *t = calloc(1, sizeof *t);
  if (!t)
    return -ENOMEM;
  waitq_init(&t->wq);
  t->clock = t->run_clock = clock;
  t->timer = (struct timer){.fn = fire, .arg = t};
  *out = anon_file_new(k, &timerfd_ops, O_RDWR | (flags & TFD_NONBLOCK), t, "anon_inode:[timerfd]");
  if (!*out) {
    free(t);
    return -ENOMEM;
  }
  (*out)->wq = &t->wq;
  return 0;
}

int timerfd_get(struct file *f, struct itimer_val *out) {
  if (f->ops != &timerfd_ops)
    return -EINVAL;
  struct timerfd *t = f->priv;
  *out = (struct itimer_val){.interval = t->interval};
  if (t->deadline && t->interval)
    catch_up(t);
  if (t->deadline) {
    int64_t left = t->deadline - now_of(t);
    out->value = left > 0 ? left : 1;
    if (!t->ticks)
      arm(t);
  }
  return 0;
}

int timerfd_set(struct file *f, int flags, const struct itimer_val *val, struct itimer_val *old) {
  if (f->ops != &timerfd_ops)
    return -EINVAL;
  struct timerfd *t = f->priv;
  if (old)
    timerfd_get(f, old);
  timer_disarm(&t->timer);
  t->ticks = 0;
  t->deadline = 0;
  t->interval = val->interval;
  t->flags = flags;
  if (!val->value)
    return 0;
  /* Setting the clock does not move relative timers: timerfd_create(2). */
  bool keep = flags & TFD_TIMER_ABSTIME || t->clock == CLOCK_BOOTTIME || t->clock == CLOCK_BOOTTIME_ALARM;
  t->run_clock = keep ? t->clock : CLOCK_MONOTONIC;
  t->deadline = flags & TFD_TIMER_ABSTIME ? val->value - clock_offset(task_current(), t->clock)
                                          : now_of(t) + (val->value > TIME_MAX_NS ? TIME_MAX_NS : val->value);
  arm(t);
  return 0;
}
