/* Anonymous memory: zeroed, large, sparse, placed where nothing is, given back. */
#include "guest.h"
int main(void) {
  char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  YES(p != MAP_FAILED && ((uintptr_t)p & 4095) == 0);
  int nonzero = 0;
  for (int i = 0; i < 1 << 20; i++)
    nonzero += p[i] != 0;
  say("nonzero %d", nonzero);
  memset(p, 1, 1 << 20);
  SHOW(munmap(p, 1 << 20));
  char *big = mmap(NULL, 64UL << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  YES(big != MAP_FAILED);
  big[0] = big[32UL << 30] = big[(64UL << 30) - 1] = 1;
  say("sparse %d", big[0] + big[1] + big[32UL << 30] + big[(64UL << 30) - 1]);
  SHOW(munmap(big, 64UL << 30));
  p = mmap(NULL, 5000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  p[8191] = 7; /* whole pages */
  SHOW(munmap(p, 5000));
  char *list[200];
  for (int i = 0; i < 200; i++) {
    list[i] = mmap(NULL, 4096 * (1 + i % 7), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    list[i][0] = i;
  }
  int bad = 0;
  for (int i = 0; i < 200; i++)
    bad += list[i][0] != (char)i;
  for (int i = 0; i < 200; i += 2)
    bad += munmap(list[i], 4096 * (1 + i % 7)) != 0;
  for (int i = 1; i < 200; i += 2)
    bad += list[i][0] != (char)i;
  say("bad %d", bad);
  p = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  YES(p != MAP_FAILED && p[12345] == 0);
  unsigned char vec[1024];
  SHOW(mincore(p, 4 << 20, vec));
  YES(vec[0] & 1);
}
