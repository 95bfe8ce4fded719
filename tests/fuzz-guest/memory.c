#include "fuzz.h"
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096ul
#define REGION (64 * PAGE)

static char *rw, *ro, *none, *shared, *file, *race, *hole, *edge;

static char *map(int prot, int flags, int fd) {
  return mmap(NULL, REGION, prot, flags, fd, 0);
}

void memory_setup(struct rng *r) {
  int anon = MAP_PRIVATE | MAP_ANONYMOUS, rwx = PROT_READ | PROT_WRITE;
  rw = map(rwx, anon, -1);
  ro = map(PROT_READ, anon, -1);
  none = map(PROT_NONE, anon, -1);
  shared = map(rwx, MAP_SHARED | MAP_ANONYMOUS, -1);
  race = map(rwx, anon, -1);
  hole = map(rwx, anon, -1);
  munmap(hole, REGION);
  edge = map(rwx, anon, -1);
  munmap(edge + REGION / 2, REGION / 2);
  int fd = open(WORK_DIR "/mapped", O_RDWR | O_CREAT, 0666);
  ftruncate(fd, REGION / 2); /* the second half raises SIGBUS */
  file = map(rwx, MAP_SHARED, fd);
  close(fd);
}

void *scratch(struct rng *r, size_t len) {
  if (one_in(r, 8))
    return shared + below(r, REGION - len) / 8 * 8;
  if (one_in(r, 12))
    return race + below(r, REGION - len) / 8 * 8;
  if (one_in(r, 20)) /* ends where memory ends */
    return edge + REGION / 2 - len;
  return rw + below(r, REGION - len) / 8 * 8;
}

/* Not to be written by ourselves. */
uint64_t address(struct rng *r) {
  static const uint64_t wild[] = {0,
                                  1,
                                  4095,
                                  0x10000,
                                  0x7fffffffe000,
                                  0x7ffffffff000,
                                  0x800000000000,
                                  0xffff800000000000,
                                  0xffffffffff600000,
                                  0xfffffffffffff000,
                                  0xffffffffffffffff,
                                  0x7ffffffff000 - 8,
                                  0xdeadbeef00000000};
  char *bases[] = {rw, rw, rw, ro, none, shared, file, race, race, hole, edge};
  if (one_in(r, 12))
    return PICK(r, wild);
  if (one_in(r, 60)) /* about where the stub is */
    return 0x7ffffffff000 - below(r, 1 << 28);
  char *b = PICK(r, bases);
  uint64_t off = below(r, REGION);
  if (one_in(r, 2))
    off &= ~(PAGE - 1);
  else if (one_in(r, 3))
    off = (off & ~(PAGE - 1)) + PAGE - 1 - below(r, 32); /* over the end of a page */
  else if (one_in(r, 2))
    off &= ~7ul;
  if (b == edge && one_in(r, 2))
    off = REGION / 2 - below(r, 64);
  return (uint64_t)b + off;
}

void memory_race(struct rng *r) {
  size_t from = below(r, 64) * PAGE, len = (1 + below(r, 16)) * PAGE;
  static const int prots[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE};
  if (from + len > REGION)
    len = REGION - from;
  switch (below(r, 4)) {
  case 0:
    munmap(race + from, len);
    break;
  case 1:
    mprotect(race + from, len, PICK(r, prots));
    break;
  default:
    mmap(race + from, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  }
}

uint64_t size_value(struct rng *r) {
  static const uint64_t edges[] = {0,          1,          2,
                                   3,          4,          5,
                                   7,          8,          8,
                                   8,          8,          8,
                                   12,         16,         16,
                                   24,         32,         40,
                                   48,         56,         64,
                                   72,         80,         88,
                                   96,         100,        112,
                                   120,        127,        128,
                                   144,        255,        256,
                                   257,        511,        512,
                                   1000,       4095,       4096,
                                   4097,       8192,       65535,
                                   65536,      65537,      131072,
                                   1 << 20,    1 << 24,    0x7fffefff,
                                   0x7ffff000, INT32_MAX,  1ull << 31,
                                   UINT32_MAX, 1ull << 32, 1ull << 47,
                                   INT64_MAX,  1ull << 63, UINT64_MAX - 4095,
                                   UINT64_MAX};
  uint64_t v = one_in(r, 3) ? below(r, 4096) : one_in(r, 8) ? edges[below(r, N(edges))] : edges[below(r, 42)];
  return one_in(r, 30) ? v + below(r, 3) - 1 : v;
}
