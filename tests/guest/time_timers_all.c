/* Timers and sleeps on every clock: which can, which cannot, and what they do when they expire. */
#include "guest.h"
#include <pthread.h>
#include <sys/timex.h>
#include <sys/times.h>
static struct timespec ms(long n) { return (struct timespec){n / 1000, n % 1000 * 1000000}; }
static const char *res(long r) {
  static char b[4][32];
  static int i;
  char *s = b[i++ & 3];
  r < 0 ? snprintf(s, 32, "%s", ename(errno)) : snprintf(s, 32, "%ld", r);
  return s;
}
#define CPUCLOCK(pid, n) ((int)((~(unsigned)(pid) << 3) | (n)))
static void clocks(void) {
  struct {
    const char *name;
    int id;
  } c[] = {{"REALTIME", 0}, {"MONOTONIC", 1}, {"PROCESS_CPUTIME", 2}, {"THREAD_CPUTIME", 3}, {"MONOTONIC_RAW", 4}, {"REALTIME_COARSE", 5}, {"MONOTONIC_COARSE", 6}, {"BOOTTIME", 7}, {"10", 10}, {"TAI", 11}, {"12", 12}, {"16", 16}, {"100", 100}, {"own process by id", CPUCLOCK(0, 2)}, {"own thread by id", CPUCLOCK(0, 6)}, {"no process", CPUCLOCK(999999, 2)}, {"fd 3", CPUCLOCK(3, 3)}, {"init's thread", CPUCLOCK(1, 6)}, {"init", CPUCLOCK(1, 2)}};
  for (unsigned i = 0; i < sizeof c / sizeof *c; i++) {
    struct timespec ts, zero = {0, 0}, past = {0, 1}, bad = {0, 1000000000};
    timer_t t = (timer_t)-1;
    int id = c[i].id, r[8];
    struct sigevent ev = {.sigev_notify = SIGEV_NONE};
    char e[8][24];
    struct timespec rs = {0, 0};
    long v[8] = {syscall(SYS_clock_gettime, id, &ts), 0};
    strcpy(e[0], res(v[0]));
    strcpy(e[1], res(syscall(SYS_clock_getres, id, &rs)));
    strcpy(e[2], res(syscall(SYS_timer_create, id, &ev, &t)));
    strcpy(e[3], res(syscall(SYS_clock_nanosleep, id, 0, &zero, NULL)));
    strcpy(e[4], res(syscall(SYS_clock_nanosleep, id, TIMER_ABSTIME, &past, NULL)));
    strcpy(e[5], res(syscall(SYS_clock_nanosleep, id, 0, &bad, NULL)));
    struct timex tx = {0};
    long adj = syscall(SYS_clock_adjtime, id, &tx);
    strcpy(e[6], adj >= 0 ? "read" : ename(errno));
    int tf = timerfd_create(id, 0);
    strcpy(e[7], tf < 0 ? ename(errno) : "fd");
    (void)r;
    printf("%-18s get %s res %s (%ld) timer %s sleep %s abs %s bad %s adj %s timerfd %s\n", c[i].name, e[0], e[1], rs.tv_nsec, strcmp(e[2], "0") ? e[2] : "made", e[3], e[4], e[5], e[6], e[7]);
    if (tf >= 0)
      close(tf);
  }
  say("clock_getres null: %s", res(syscall(SYS_clock_getres, 1, NULL)));
}

static void setting(void) {
  if (setuid(12345))
    return;
  struct timespec ts = {1000000000, 0}, bad = {0, -1};
  struct timeval tv = {1000000000, 0}, tb = {0, 1000000};
  for (int c = 0; c < 12; c++)
    say("clock_settime %d: %s, bad value %s", c, res(syscall(SYS_clock_settime, c, &ts)), res(syscall(SYS_clock_settime, c, &bad)));
  say("settimeofday %s, bad %s, null %s", res(syscall(SYS_settimeofday, &tv, NULL)), res(syscall(SYS_settimeofday, &tb, NULL)), res(syscall(SYS_settimeofday, NULL, NULL)));
  struct timex tx = {.modes = ADJ_FREQUENCY};
  say("adjtimex set: %s", res(syscall(SYS_adjtimex, &tx)));
  tx.modes = 0;
  say("adjtimex read: %d", syscall(SYS_adjtimex, &tx) >= 0);
  tx.modes = ADJ_OFFSET_SS_READ;
  say("ADJ_OFFSET_SS_READ: %d", syscall(SYS_adjtimex, &tx) >= 0);
  for (int c = 8; c < 10; c++) {
    timer_t t;
    struct sigevent ev = {.sigev_notify = SIGEV_NONE};
    long tc = syscall(SYS_timer_create, c, &ev, &t);
    say("alarm clock %d: timer refused %d, timerfd %s", c, tc < 0, res(timerfd_create(c, 0)));
  }
}

static volatile int hits, bad_code, overruns;
static void on_timer(int s, siginfo_t *si, void *u) {
  hits++;
  bad_code += si->si_code != SI_TIMER || si->si_value.sival_int != 77;
  overruns += si->si_overrun;
}
static void burn(int n) {
  volatile unsigned x = 0;
  struct timespec a, b;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
  do {
    for (int i = 0; i < 100000; i++)
      x += (unsigned)i;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
  } while ((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < n);
}
static void expirations(void) {
  on_siginfo(SIGRTMIN, on_timer, 0);
  int ids[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
  for (unsigned i = 0; i < 6; i++) {
    for (int abs = 0; abs < 2; abs++) {
      timer_t t;
      struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 77};
      hits = bad_code = overruns = 0;
      if (timer_create(ids[i], &ev, &t)) {
        say("timer_create %d %s", ids[i], ename(errno));
        continue;
      }
      struct itimerspec it = {.it_value = ms(15), .it_interval = ms(5)}, now;
      if (abs) {
        struct timespec ts;
        clock_gettime(ids[i], &ts);
        it.it_value.tv_sec += ts.tv_sec;
        it.it_value.tv_nsec += ts.tv_nsec;
        it.it_value.tv_sec += it.it_value.tv_nsec / 1000000000;
        it.it_value.tv_nsec %= 1000000000;
      }
      timer_settime(t, abs ? TIMER_ABSTIME : 0, &it, NULL);
      timer_gettime(t, &now);
      int left = now.it_value.tv_sec == 0 && now.it_value.tv_nsec > 0 && now.it_value.tv_nsec <= 15000000;
      sigset_t m;
      sigemptyset(&m);
      sigaddset(&m, SIGRTMIN);
      if (i >= 4) {
        burn(40);
        say("clock %d abs %d: left %d, fired several times %d, bad %d", ids[i], abs, left, hits >= 2, bad_code);
      } else {
        sigprocmask(SIG_BLOCK, &m, NULL);
        usleep(70000);
        sigprocmask(SIG_UNBLOCK, &m, NULL);
        int o = overruns;
        say("clock %d abs %d: left %d, one signal %d with overruns %d, getoverrun agrees %d, bad %d", ids[i], abs, left, hits >= 1 && hits <= 3, o >= 8, timer_getoverrun(t) <= o, bad_code);
      }
      timer_delete(t);
    }
  }
}

static void *other(void *arg) {
  *(int *)arg = gettid();
  sleep(5);
  return NULL;
}
static void notify(void) {
  timer_t t;
  int tid = 0;
  pthread_t th;
  pthread_create(&th, NULL, other, &tid);
  while (!*(volatile int *)&tid)
    usleep(100);
  struct sigevent ev = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN};
  ev._sigev_un._tid = tid;
  say("SIGEV_THREAD_ID: %s", res(syscall(SYS_timer_create, 1, &ev, &t)));
  ev._sigev_un._tid = 1;
  say("SIGEV_THREAD_ID of another process: %s", getpid() == 1 ? "EINVAL" : res(syscall(SYS_timer_create, 1, &ev, &t)));
  ev.sigev_notify = 7;
  say("bad notify: %s", res(syscall(SYS_timer_create, 1, &ev, &t)));
  ev.sigev_notify = SIGEV_SIGNAL;
  ev.sigev_signo = 65;
  say("bad signal: %s", res(syscall(SYS_timer_create, 1, &ev, &t)));
  ev.sigev_signo = 0;
  say("signal 0: %s", res(syscall(SYS_timer_create, 1, &ev, &t)));
  say("bad pointer: %s", res(syscall(SYS_timer_create, 1, NULL, (void *)8)));
  struct itimerspec it = {.it_value = {0, 1000000000}};
  timer_create(CLOCK_MONOTONIC, NULL, &t);
  say("bad value: %s", res(timer_settime(t, 0, &it, NULL)));
  say("no such timer: %s", res(syscall(SYS_timer_settime, 12345, 0, &it, NULL)));
  say("getoverrun: %s", res(timer_getoverrun(t)));
  say("deleted: %s", res(timer_delete(t)));
  say("again: %s", res(syscall(SYS_timer_delete, 12345)));
}

static void descriptors(void) {
  int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
  struct itimerspec it = {.it_value = ms(10), .it_interval = ms(5)}, now;
  struct timespec ts;
  uint64_t n = 0;
  say("cancel on set, relative: %s", res(timerfd_settime(fd, 2, &it, NULL)));
  clock_gettime(CLOCK_REALTIME, &ts);
  it.it_value.tv_sec = ts.tv_sec;
  it.it_value.tv_nsec = ts.tv_nsec;
  say("cancel on set, absolute: %s", res(timerfd_settime(fd, 3, &it, NULL)));
  usleep(30000);
  say("read %zd, several %d", read(fd, &n, 8), n >= 4);
  say("then %s", res(read(fd, &n, 8)));
  say("short read %s", res(read(fd, &n, 7)));
  say("flags 4: %s", res(timerfd_settime(fd, 4, &it, NULL)));
  say("bad clock: %s", res(timerfd_create(2, 0)));
  say("bad flags: %s", res(timerfd_create(1, 1)));
  timerfd_gettime(fd, &now);
  say("interval %ld", now.it_interval.tv_nsec);
  int mono = timerfd_create(CLOCK_MONOTONIC, 0);
  say("cancel on a monotonic clock: %s", res(timerfd_settime(mono, 3, &it, NULL)));
}

static void cpu_sleep(void) {
  pid_t p = fork();
  if (!p) {
    burn(60);
    pause();
  }
  clockid_t c;
  say("clock_getcpuclockid %d", clock_getcpuclockid(p, &c));
  struct timespec ts = ms(30), now;
  int e = clock_nanosleep(c, TIMER_ABSTIME, &ts, NULL);
  clock_gettime(c, &now);
  say("slept on the child's clock: %d %d", e, now.tv_nsec >= 30000000);
  kill(p, SIGKILL);
  waitpid(p, NULL, 0);
  say("when it is gone: %s", res(clock_gettime(c, &ts)));
  struct tms a, b;
  clock_t x = times(&a);
  burn(30);
  clock_t y = times(&b);
  say("times: %d %d", y - x >= 2, b.tms_utime + b.tms_stime - a.tms_utime - a.tms_stime >= 2);
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  clocks();
  expirations();
  notify();
  descriptors();
  cpu_sleep();
  setting();
}
