/* Clocks and sleeping: clock_gettime(2), nanosleep(2), gettimeofday(2), adjtimex(2). */
#include "../core/errno.h"
#include "../core/kernel.h"
#include "../core/timers.h"
#include "../core/uaccess.h"
#include "table.h"
#include <linux/capability.h>
#include <sys/timex.h>

SYSCALL_HANDLER(clock_gettime) {
  int64_t ns;
  int err = clock_read(t, (clockid_t)a[0], &ns);
  if (err)
    return err;
  struct timespec ts = ns_timespec(ns);
  return put_user(a[1], &ts);
}

SYSCALL_HANDLER(clock_getres) {
  int64_t ns;
  int err = clock_resolution(t, (clockid_t)a[0], &ns);
  if (err || !a[1])
    return err;
  struct timespec ts = ns_timespec(ns);
  return put_user(a[1], &ts);
}

SYSCALL_HANDLER(clock_settime) {
  struct timespec ts;
  int64_t now;
  int err = clock_read(t, (clockid_t)a[0], &now);
  if (err || (int)a[0] != CLOCK_REALTIME) /* no other clock can be set */
    return -EINVAL;
  err = get_user(&ts, a[1]);
  if (err)
    return err;
  return timespec_ok(&ts) ? -EPERM : -EINVAL;
}

SYSCALL_HANDLER(gettimeofday) {
  int64_t ns;
  clock_read(t, CLOCK_REALTIME, &ns);
  struct timeval tv = ns_timeval(ns);
  struct timezone tz = {0};
  if (a[0] && put_user(a[0], &tv))
    return -EFAULT;
  return a[1] ? put_user(a[1], &tz) : 0;
}

SYSCALL_HANDLER(settimeofday) {
  struct timeval tv;
  if (a[0]) {
    if (get_user(&tv, a[0]))
      return -EFAULT;
    if (!timeval_ok(&tv))
      return -EINVAL;
  }
  return -EPERM;
}

SYSCALL_HANDLER(time) {
  int64_t ns;
  clock_read(t, CLOCK_REALTIME, &ns);
  time_t sec = ns / NSEC_PER_SEC;
  return a[0] && put_user(a[0], &sec) ? -EFAULT : sec;
}

SYSCALL_HANDLER(nanosleep) {
  struct timespec ts;
  if (get_user(&ts, a[0]))
    return -EFAULT;
  return clock_sleep(t, CLOCK_MONOTONIC, false, &ts, a[1]);
}

SYSCALL_HANDLER(clock_nanosleep) {
  struct timespec ts;
  int err = (int)a[0] == CLOCK_THREAD_CPUTIME_ID ? -EOPNOTSUPP : clock_can_sleep(t, (clockid_t)a[0]);
  if (err)
    return err;
  if (get_user(&ts, a[2]))
    return -EFAULT;
  bool absolute = a[1] & TIMER_ABSTIME;
  return clock_sleep(t, (clockid_t)a[0], absolute, &ts, absolute ? 0 : a[3]);
}

/* Bits of include/linux/timex.h */
#define ADJ_ADJTIME_MODE 0x8000u
#define ADJ_SINGLESHOT_MODE 1u

/* The read half: guests cannot steer the host's clock, but NTP clients and sshd ask for its state. */
static int64_t read_timex(struct task *t, uint64_t utx) {
  struct timex tx;
  if (get_user(&tx, utx))
    return -EFAULT;
  if (tx.modes && tx.modes != ADJ_OFFSET_SS_READ)
    return (tx.modes & ADJ_ADJTIME_MODE) && !(tx.modes & ADJ_SINGLESHOT_MODE) ? -EINVAL : -EPERM;
  int64_t ns;
  clock_read(t, CLOCK_REALTIME, &ns);
  tx = (struct timex){.status = STA_UNSYNC,
                      .maxerror = 16000000,
                      .esterror = 16000000,
                      .constant = 2,
                      .precision = 1,
                      .tolerance = 32768000,
                      .tick = 10000,
                      .time = ns_timeval(ns)};
  return put_user(utx, &tx) ? -EFAULT : TIME_ERROR;
}

SYSCALL_HANDLER(adjtimex) {
  return read_timex(t, a[0]);
}

SYSCALL_HANDLER(clock_adjtime) {
  int64_t now;
  clockid_t id = (clockid_t)a[0];
  bool cpu = id < 0 && (id & 3) != 3; /* whoever's */
  if (!cpu && clock_read(t, id, &now))
    return -EINVAL;
  return (int)a[0] == CLOCK_REALTIME ? read_timex(t, a[1]) : -EOPNOTSUPP;
}
