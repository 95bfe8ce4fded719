/* Priorities, policies, affinity. */
#include "guest.h"
int main(void) {
  SHOW(getpriority(PRIO_PROCESS, 0));
  SHOW(setpriority(PRIO_PROCESS, 0, 5));
  SHOW(getpriority(PRIO_PROCESS, 0));
  SHOW(setpriority(PRIO_PROCESS, 0, 50));
  SHOW(getpriority(PRIO_PROCESS, 0));
  SHOW(setpriority(9, 0, 5));
  SHOW(getpriority(PRIO_PROCESS, 1 << 20));
  CHILD("inherits") SHOW(getpriority(PRIO_PROCESS, 0));
  CHILD("user cannot raise") {
    become_user(1000);
    SHOW(setpriority(PRIO_PROCESS, 0, 0));
  }
  SHOW(sched_getscheduler(0));
  SHOW(sched_getscheduler(1 << 20));
  SHOW(sched_getscheduler(-1));
  struct sched_param sp = {7};
  SHOW(sched_getparam(0, &sp));
  say("priority %d", sp.sched_priority);
  SHOW(sched_get_priority_max(SCHED_FIFO));
  SHOW(sched_get_priority_min(SCHED_FIFO));
  SHOW(sched_get_priority_max(SCHED_OTHER));
  SHOW(sched_get_priority_max(77));
  SHOW(sched_yield());
  cpu_set_t c;
  SHOW(sched_getaffinity(0, sizeof c, &c));
  YES(CPU_COUNT(&c) >= 1);
  YES(CPU_COUNT(&c) == sysconf(_SC_NPROCESSORS_ONLN));
  SHOW(sched_setaffinity(0, sizeof c, &c));
  SHOW(sched_getaffinity(0, 1, &c));
  SHOW(sched_getaffinity(1 << 20, sizeof c, &c));
  CPU_ZERO(&c);
  SHOW(sched_setaffinity(0, sizeof c, &c));
  unsigned cpu = 9999, node = 9999;
  SHOW(getcpu(&cpu, &node));
  YES(cpu < 4096);
  struct timespec ts;
  SHOW(sched_rr_get_interval(1 << 20, &ts));
}
