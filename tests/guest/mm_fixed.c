/* MAP_FIXED, MAP_FIXED_NOREPLACE, hints. */
#include "guest.h"
static sigjmp_buf env;
static void h(int s) { siglongjmp(env, 1); }
static const char *readable(char *p) {
  if (sigsetjmp(env, 1))
    return "fault";
  static char buf[16];
  snprintf(buf, sizeof buf, "%d", *(volatile char *)p);
  return buf;
}
#define MAP(p, n, f) mmap(p, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | (f), -1, 0)
int main(void) {
  on_signal(SIGSEGV, h, 0);
  char *base = MAP(NULL, 16 * 4096, 0);
  memset(base, 5, 16 * 4096);
  YES(MAP(base + 4096, 4096, MAP_FIXED) == base + 4096);
  say("%d %d %d", base[0], base[4096], base[8192]);
  munmap(base + 3 * 4096, 4096);
  say("hole %s", readable(base + 3 * 4096));
  YES(MAP(base + 3 * 4096, 4096, MAP_FIXED_NOREPLACE) == base + 3 * 4096);
  say("filled %s", readable(base + 3 * 4096));
  YES(MAP(base + 3 * 4096, 4096, MAP_FIXED_NOREPLACE) == MAP_FAILED);
  say("%s", ename(errno));
  YES(MAP(base - 4096, 3 * 4096, MAP_FIXED_NOREPLACE) == MAP_FAILED);
  say("%s", ename(errno));
  YES(MAP(base + 1, 4096, MAP_FIXED) == MAP_FAILED);
  say("misaligned: %s", ename(errno));
  munmap(base + 5 * 4096, 2 * 4096);
  YES(MAP(base + 5 * 4096, 2 * 4096, 0) == base + 5 * 4096); /* a free hint is taken */
  YES(MAP(base, 4096, 0) != base);                           /* an occupied one is not */
  YES(MAP(base + 5 * 4096 + 123, 4096, 0) != MAP_FAILED);
  YES(MAP((char *)0x7ffffffff000, 4096, MAP_FIXED) == MAP_FAILED);
  say("above the end: %s", ename(errno));
  YES(MAP((char *)-4096L, 4096, MAP_FIXED) == MAP_FAILED);
  say("kernel half: %s", ename(errno));
  YES(MAP((char *)0xffff800000000000, 4096, 0) != MAP_FAILED); /* a senseless hint does no harm */
  char *mid = base + 8 * 4096;
  YES(mmap(mid, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == mid);
  say("before %s, guard %s, after %s", readable(mid - 1), readable(mid), readable(mid + 4096));
  char *low = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  YES(low != MAP_FAILED && (uintptr_t)low < 1UL << 31);
}
