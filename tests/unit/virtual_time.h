/* Monotonic time that passes only when the test says so: timers fire in their order however busy the machine is.
 * Include it in one file of a program whose tests wait for timers alone; what comes from host descriptors is not waited
 * for. */
#pragma once
#include "../../core/loop.h"
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int64_t virtual_now = 1000000000000ll;

/* In place of libc's. */
int clock_gettime(clockid_t id, struct timespec *ts) {
  if (id != CLOCK_MONOTONIC)
    return (int)syscall(SYS_clock_gettime, id, ts);
  *ts = (struct timespec){virtual_now / 1000000000, virtual_now % 1000000000};
  return 0;
}

static void virtual_stop(struct timer *t) {
  loop_stop(loop_current());
}

/* Everything that is due in that many ms, a ms at a time. */
static void virtual_ms(int ms) {
  while (ms-- > 0) {
    struct timer t = {.fn = virtual_stop};
    virtual_now += 1000000;
    timer_arm(&t, virtual_now);
    loop_run(loop_current());
  }
}
