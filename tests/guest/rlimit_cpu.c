/* RLIMIT_CPU: SIGXCPU every second beyond the soft limit, SIGKILL at the hard one. */
#include "guest.h"
static volatile int hits;
static void hit(int sig) {
  hits++;
}
/* Until the process has used so much CPU time. */
static void burn(int ms) {
  struct timespec ts;
  do {
    for (volatile int i = 0; i < 2000000; i++)
      ;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
  } while (ts.tv_sec * 1000 + ts.tv_nsec / 1000000 < ms);
}
int main(void) {
  CHILD("default action") {
    setrlimit(RLIMIT_CPU, &(struct rlimit){1, 10});
    burn(3000);
  }
  CHILD("handler, then the hard limit") {
    on_signal(SIGXCPU, hit, 0);
    setrlimit(RLIMIT_CPU, &(struct rlimit){1, 3});
    burn(1500);
    say("hits %d", hits);
    burn(2500);
    say("hits %d", hits);
    burn(5000);
  }
  CHILD("inherited") {
    setrlimit(RLIMIT_CPU, &(struct rlimit){1, 10});
    CHILD("grandchild") burn(3000);
    setrlimit(RLIMIT_CPU, &(struct rlimit){10, 10});
    burn(1200);
  }
}
