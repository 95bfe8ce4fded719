/* Many areas, limits on stack and data, what the process may lock: /proc tells the same as the calls. */
#include "guest.h"
#define PG 4096ul
static long status(const char *name) {
  char line[256];
  long v = -1;
  FILE *f = fopen("/proc/self/status", "r");
  while (fgets(line, sizeof line, f))
    if (!strncmp(line, name, strlen(name)))
      v = atol(line + strlen(name) + 1);
  fclose(f);
  return v;
}
int main(void) {
  long lck = status("VmLck"), data = status("VmData"), size = status("VmSize");
  char *p = mmap(NULL, 64 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  say("map: data %ld size %ld", status("VmData") - data, status("VmSize") - size);
  mlock(p + 3, 10 * PG);
  say("locked %ld", status("VmLck") - lck);
  mlock(p, 4 * PG);
  say("locked %ld", status("VmLck") - lck);
  mprotect(p, 32 * PG, PROT_READ);
  say("read only: data %ld", status("VmData") - data);
  munmap(p + PG, 2 * PG);
  say("unmapped: locked %ld size %ld", status("VmLck") - lck, status("VmSize") - size);
  CHILD("fork") say("not inherited: %ld", status("VmLck"));
  munlock(p, 64 * PG);
  munmap(p, 64 * PG);
  say("all gone: %ld %ld %ld", status("VmLck") - lck, status("VmData") - data, status("VmSize") - size);
  SHOW(mlockall(MCL_FUTURE));
  char *q = mmap(NULL, 4 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  say("future: %ld", status("VmLck") - lck);
  unsigned char v[4];
  mincore(q, 4 * PG, v);
  say("present: %d", v[0] + v[1] + v[2] + v[3]);
  SHOW(munlockall());
  say("none: %ld", status("VmLck"));
  /* areas: the limit is a number of areas, not of bytes */
  CHILD("map count") {
    char *big = mmap(NULL, 300000 * PG, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    int n = 0;
    for (int i = 0; i < 4000; i++)
      n += mprotect(big + 2 * i * PG, PG, PROT_READ) == 0;
    say("%d", n);
    munmap(big, 300000 * PG);
    say("%d", mmap(NULL, PG, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
  }
  CHILD("RLIMIT_STACK") {
    struct rlimit rl = {1 << 20, 1 << 20};
    setrlimit(RLIMIT_STACK, &rl);
    char *argv[] = {"/bin/sh", "-c", "ulimit -s", NULL};
    execv(argv[0], argv);
  }
  CHILD("arguments beyond a quarter of the stack") {
    struct rlimit rl = {256 << 10, 256 << 10};
    setrlimit(RLIMIT_STACK, &rl);
    char *argv[4] = {"/bin/true", NULL, NULL, NULL};
    argv[1] = malloc(100 << 10);
    memset(argv[1], 'x', (100 << 10) - 1);
    argv[1][(100 << 10) - 1] = 0;
    execv(argv[0], argv);
    say("%s", ename(errno));
    argv[1][30 << 10] = 0;
    execv(argv[0], argv);
  }
}
