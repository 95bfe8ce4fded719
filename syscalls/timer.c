/* Interval timers and POSIX timers: alarm(2), setitimer(2), timer_create(2). */
#include "../core/errno.h"
#include "../core/kernel.h"
#include "../core/timers.h"
#include "../core/uaccess.h"
#include "table.h"

static int put_itimerval(uint64_t addr, const struct itimer_val *v) {
  struct itimerval tv = {.it_value = ns_timeval(v->value), .it_interval = ns_timeval(v->interval)};
  return put_user(addr, &tv);
}

SYSCALL_HANDLER(getitimer) {
  struct itimer_val v;
  int err = itimer_get(t->proc, (int)a[0], &v);
  return err ? err : put_itimerval(a[1], &v);
}

SYSCALL_HANDLER(setitimer) {
  struct itimer_val v = {0}, old;
  if (a[1]) { /* a null pointer disarms, as Linux still has it */
    struct itimerval tv;
    if (get_user(&tv, a[1]))
      return -EFAULT;
    if (!timeval_ok(&tv.it_value) || !timeval_ok(&tv.it_interval))
      return -EINVAL;
    v = (struct itimer_val){.value = timeval_ns(&tv.it_value), .interval = timeval_ns(&tv.it_interval)};
  }
  int err = itimer_set(t->proc, (int)a[0], &v, &old);
  return err || !a[2] ? err : put_itimerval(a[2], &old);
}

SYSCALL_HANDLER(alarm) {
  struct itimer_val v = {.value = (int64_t)(uint32_t)a[0] * NSEC_PER_SEC}, old;
  int err = itimer_set(t->proc, ITIMER_REAL, &v, &old);
  if (err)
    return err;
  int64_t sec = old.value / NSEC_PER_SEC, rest = old.value % NSEC_PER_SEC;
  /* Rounded, but an alarm that is due is never told as 0. */
  return sec + ((!sec && rest) || rest >= NSEC_PER_SEC / 2);
}

struct user_sigevent { /* struct sigevent of the ABI, as far as the kernel reads it */
  uint64_t value;
  int signo, notify, tid;
  char pad[44];
};

SYSCALL_HANDLER(timer_create) {
  struct posix_timer_args args = {.clock = (clockid_t)a[0], .signo = SIGALRM, .default_value = true};
  if (a[1]) {
    struct user_sigevent ev;
    if (get_user(&ev, a[1]))
      return -EFAULT;
    args = (struct posix_timer_args){
        .clock = (clockid_t)a[0], .notify = ev.notify, .signo = ev.signo, .value = ev.value, .tid = ev.tid};
  }
  int id, err = posix_timer_create(t, &args, &id);
  if (err)
    return err;
  if (put_user(a[2], &id)) {
    posix_timer_delete(t, id);
    return -EFAULT;
  }
  return 0;
}

static int put_itimerspec(uint64_t addr, const struct itimer_val *v) {
  struct itimerspec ts = {.it_value = ns_timespec(v->value), .it_interval = ns_timespec(v->interval)};
  return put_user(addr, &ts);
}

SYSCALL_HANDLER(timer_settime) {
  struct itimerspec ts;
  struct itimer_val old;
  if (!a[2])
    return -EINVAL;
  if (get_user(&ts, a[2]))
    return -EFAULT;
  if (!timespec_ok(&ts.it_value) || !timespec_ok(&ts.it_interval))
    return -EINVAL;
  struct itimer_val v = {.value = timespec_ns(&ts.it_value), .interval = timespec_ns(&ts.it_interval)};
  int err = posix_timer_settime(t, (int)a[0], a[1] & TIMER_ABSTIME, &v, &old);
  return err || !a[3] ? err : put_itimerspec(a[3], &old);
}

SYSCALL_HANDLER(timer_gettime) {
  struct itimer_val v;
  int err = posix_timer_gettime(t, (int)a[0], &v);
  return err ? err : put_itimerspec(a[1], &v);
}

SYSCALL_HANDLER(timer_getoverrun) {
  return posix_timer_getoverrun(t, (int)a[0]);
}

SYSCALL_HANDLER(timer_delete) {
  return posix_timer_delete(t, (int)a[0]);
}
