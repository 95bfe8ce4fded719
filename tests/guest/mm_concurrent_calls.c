/* Threads change a range (munmap, mmap over it, mprotect, madvise, mremap) while others use it in calls and by
 * touching, and forks go on in between: every call gives a result that one order of events explains, and nothing leaks.
 */
#include "guest.h"
#define PG 4096ul
#define N 16
static char *base;
static int stop, strange, p[2];
static __thread sigjmp_buf env;
static __thread volatile int armed;
static void h(int s) {
  if (!armed)
    _exit(77);
  siglongjmp(env, 1);
}
static void *changer(void *arg) {
  unsigned seed = (unsigned)(long)arg;
  int rw = PROT_READ | PROT_WRITE, an = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
    char *at = base + rand_r(&seed) % N * PG;
    switch (rand_r(&seed) % 7) {
    case 0:
      munmap(at, PG);
      break;
    case 1:
    case 2:
      if (mmap(at, PG, rw, an, -1, 0) != at)
        strange++;
      break;
    case 3:
      mprotect(at, PG, PROT_READ);
      break;
    case 4:
      mprotect(at, PG, rw);
      break;
    case 5:
      madvise(at, PG, MADV_DONTNEED);
      break;
    case 6:
      if (mremap(at, PG, PG, MREMAP_MAYMOVE | MREMAP_FIXED, base + rand_r(&seed) % N * PG) == MAP_FAILED &&
          errno != EFAULT && errno != EINVAL)
        strange++;
    }
  }
  return NULL;
}
static void *user(void *arg) {
  unsigned seed = (unsigned)(long)arg;
  int z = open("/dev/zero", O_RDONLY), nul = open("/dev/null", O_WRONLY);
  while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
    char *at = base + rand_r(&seed) % (N - 1) * PG + rand_r(&seed) % PG;
    ssize_t r = rand_r(&seed) % 2 ? read(z, at, PG) : pread(z, at, 64, 0);
    if (r < 0 ? errno != EFAULT : r > (ssize_t)PG)
      strange++;
    unsigned char v[2];
    if (mincore((void *)((unsigned long)at & -PG), PG, v) && errno != ENOMEM)
      strange++;
    r = write(p[1], at, 16);
    if (r < 0 && errno != EFAULT && errno != EAGAIN)
      strange++;
    char drain[64];
    while (read(p[0], drain, sizeof drain) > 0)
      ;
    armed = 1;
    if (!sigsetjmp(env, 1))
      *(volatile char *)at = (char)r;
    armed = 0;
    write(nul, at, 10);
  }
  return NULL;
}
static long count(const char *file) {
  long n = 0;
  FILE *f = fopen(file, "r");
  for (int c; (c = fgetc(f)) != EOF;)
    n += c == '\n';
  fclose(f);
  return n;
}
int main(void) {
  signal(SIGSEGV, h);
  signal(SIGBUS, h);
  MUST(pipe2(p, O_NONBLOCK));
  base = mmap(NULL, 64 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) + 16 * PG;
  pthread_t t[4];
  pthread_create(&t[0], NULL, changer, (void *)1);
  pthread_create(&t[1], NULL, changer, (void *)2);
  pthread_create(&t[2], NULL, user, (void *)3);
  pthread_create(&t[3], NULL, user, (void *)4);
  int bad = 0;
  for (int i = 0; i < 12; i++) {
    pid_t c = fork();
    if (!c)
      _exit(0);
    int st;
    waitpid(c, &st, 0);
    bad += st != 0;
    usleep(20000);
  }
  __atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
  for (int i = 0; i < 4; i++)
    pthread_join(t[i], NULL);
  say("strange %d bad children %d", strange, bad);
  /* thousands of maps later there are as many areas as before */
  munmap(base, N * PG);
  long before = count("/proc/self/maps");
  for (int i = 0; i < 2000; i++) {
    char *a = mmap(NULL, (1 + i % 7) * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (i % 3 == 0)
      mprotect(a, PG, PROT_READ);
    if (i % 5 == 0)
      a = mremap(a, (1 + i % 7) * PG, (1 + i % 7) * PG, MREMAP_MAYMOVE);
    munmap(a, (1 + i % 7) * PG);
  }
  say("areas: %ld", count("/proc/self/maps") - before);
}
