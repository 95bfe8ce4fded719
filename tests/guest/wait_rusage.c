/* Processor time and memory of children reach rusage and times() once they are waited for. */
#include "guest.h"
#include <sys/times.h>
static void burn(int ms) {
  struct timespec ts;
  do
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
  while (ts.tv_sec * 1000 + ts.tv_nsec / 1000000 < ms);
}
int main(void) {
  struct rusage ru;
  SHOW(getrusage(RUSAGE_CHILDREN, &ru));
  say("children before: %ld.%06ld", (long)ru.ru_utime.tv_sec, (long)ru.ru_utime.tv_usec);
  CHILD("burner") burn(60);
  SHOW(getrusage(RUSAGE_CHILDREN, &ru));
  long us = ru.ru_utime.tv_sec * 1000000 + ru.ru_utime.tv_usec + ru.ru_stime.tv_sec * 1000000 + ru.ru_stime.tv_usec;
  YES(us >= 30000 && us < 2000000);
  YES(ru.ru_maxrss >= 0); /* may be 0 for so small a child: Linux counts pages per CPU and reads them roughly */
  burn(40);
  SHOW(getrusage(RUSAGE_SELF, &ru));
  us = ru.ru_utime.tv_sec * 1000000 + ru.ru_utime.tv_usec + ru.ru_stime.tv_sec * 1000000 + ru.ru_stime.tv_usec;
  YES(us >= 20000 && us < 2000000);
  SHOW(getrusage(RUSAGE_THREAD, &ru));
  SHOW(getrusage(7, &ru));
  struct tms t;
  YES(times(&t) > 0);
  YES(t.tms_cutime + t.tms_cstime >= 3);
  YES(t.tms_utime + t.tms_stime >= 2);
  struct timespec ts;
  SHOW(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts));
  YES(ts.tv_sec == 0 && ts.tv_nsec >= 20000000);
  YES(sysconf(_SC_CLK_TCK) == 100);
}
