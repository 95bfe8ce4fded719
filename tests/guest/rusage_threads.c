/* CPU time of single threads is theirs alone, and nothing goes backwards when threads end or a program execs. */
#include "guest.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long ns(clockid_t c) {
  struct timespec ts;
  if (clock_gettime(c, &ts))
    return -1;
  return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}
static long long tv(struct timeval t) {
  return t.tv_sec * 1000000000ll + t.tv_usec * 1000ll;
}
static void burn(long long n) {
  long long end = ns(CLOCK_THREAD_CPUTIME_ID) + n;
  volatile unsigned x = 0;
  while (ns(CLOCK_THREAD_CPUTIME_ID) < end)
    for (int i = 0; i < 200000; i++)
      x += (unsigned)i;
}
static pthread_barrier_t bar;
static void *idle(void *a) {
  (void)a;
  pthread_barrier_wait(&bar);
  pthread_barrier_wait(&bar);
  struct rusage r;
  getrusage(RUSAGE_THREAD, &r);
  printf("idle thread: clock small %d, rusage small %d\n", ns(CLOCK_THREAD_CPUTIME_ID) < 30000000,
         tv(r.ru_utime) + tv(r.ru_stime) < 30000000);
  return NULL;
}
static void *busy(void *a) {
  (void)a;
  pthread_barrier_wait(&bar);
  burn(60000000);
  struct rusage r;
  getrusage(RUSAGE_THREAD, &r);
  printf("busy thread: rusage %d\n", tv(r.ru_utime) + tv(r.ru_stime) >= 50000000);
  clockid_t own;
  pthread_getcpuclockid(pthread_self(), &own);
  long long d = ns(own) - ns(CLOCK_THREAD_CPUTIME_ID);
  printf("own clock by id: %d\n", d <= 0 && d > -5000000);
  pthread_barrier_wait(&bar);
  return NULL;
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  if (argc > 1) {
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    printf("after exec: kept %d, thread %d\n", tv(r.ru_utime) + tv(r.ru_stime) >= 50000000,
           ns(CLOCK_THREAD_CPUTIME_ID) >= 30000000);
    return 0;
  }
  pthread_barrier_init(&bar, NULL, 2);
  pthread_t a, b;
  pthread_create(&a, NULL, idle, NULL);
  pthread_create(&b, NULL, busy, NULL);
  clockid_t bc;
  pthread_getcpuclockid(b, &bc);
  pthread_join(b, NULL);
  pthread_join(a, NULL);
  struct rusage r, c;
  getrusage(RUSAGE_SELF, &r);
  printf("process keeps ended threads' time: %d\n", tv(r.ru_utime) + tv(r.ru_stime) >= 60000000);
  printf("main thread's own: %d\n", ns(CLOCK_THREAD_CPUTIME_ID) < 40000000);

  /* memory and faults */
  size_t len = 40 << 20;
  char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  madvise(p, len, MADV_NOHUGEPAGE);
  getrusage(RUSAGE_SELF, &r);
  printf("maxrss before below 30 MB: %d\n", r.ru_maxrss < 30 << 10);
  memset(p, 1, len);
  getrusage(RUSAGE_SELF, &c);
  printf("maxrss grew: %d; faults: %d\n", c.ru_maxrss - r.ru_maxrss > 35 << 10 && c.ru_maxrss < 80 << 10,
         c.ru_minflt - r.ru_minflt >= 10240 && c.ru_minflt - r.ru_minflt < 12000);
  munmap(p, len);
  getrusage(RUSAGE_SELF, &r);
  printf("maxrss stays: %d\n", r.ru_maxrss >= c.ru_maxrss);
  getrusage(RUSAGE_THREAD, &c);
  printf("voluntary switches counted: %d\n", c.ru_nvcsw > 0);
  long before = c.ru_nvcsw;
  for (int i = 0; i < 20; i++)
    usleep(100);
  getrusage(RUSAGE_THREAD, &c);
  printf("by sleeping: %d\n", c.ru_nvcsw - before >= 20 && c.ru_nvcsw - before < 60);

  pid_t pid = fork();
  if (!pid) {
    p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(p, 1, len);
    burn(60000000);
    execl(argv[0], argv[0], "x", NULL);
    _exit(9);
  }
  int st;
  wait4(pid, &st, 0, &c);
  printf("child %d: cpu %d rss %d\n", st, tv(c.ru_utime) + tv(c.ru_stime) >= 60000000,
         c.ru_maxrss > 40 << 10 && c.ru_maxrss < 80 << 10);
  getrusage(RUSAGE_CHILDREN, &r);
  printf("children: %d %d\n", tv(r.ru_utime) + tv(r.ru_stime) >= 60000000, r.ru_maxrss == c.ru_maxrss);

  /* never backwards */
  long long last = 0, lu = 0, ls = 0;
  int bad = 0;
  for (int i = 0; i < 300; i++) {
    getrusage(RUSAGE_SELF, &r);
    long long s = ns(CLOCK_PROCESS_CPUTIME_ID);
    bad += s < last || tv(r.ru_utime) < lu || tv(r.ru_stime) < ls;
    last = s, lu = tv(r.ru_utime), ls = tv(r.ru_stime);
  }
  printf("backwards: %d\n", bad);
  return 0;
}
