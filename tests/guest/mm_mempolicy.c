/* NUMA policies on a machine with one node: checked, kept, inherited, told. */
#include "guest.h"
#define PG 4096ul
static unsigned long m0[2] = {1}, m1[2] = {2}, m01[2] = {3}, none[2];
static void set(const char *what, int mode, unsigned long *mask, unsigned long n) {
  int got = -1;
  unsigned long back[16] = {~0ul, ~0ul};
  long r = syscall(SYS_set_mempolicy, mode, mask, n);
  say("set %s: %s", what, r ? ename(errno) : "ok");
  r = syscall(SYS_get_mempolicy, &got, back, 1024, 0, 0);
  say("  get: %s mode %x mask %lx %lx", r ? ename(errno) : "ok", got, back[0], back[1]);
}
static void at(const char *what, char *p, int flags) {
  int got = -1;
  unsigned long back[16] = {0};
  long r = syscall(SYS_get_mempolicy, &got, back, 1024, p, flags);
  say("at %s: %s mode %x mask %lx", what, r ? ename(errno) : "ok", r ? 0 : got, back[0]);
}
int main(void) {
  set("default", 0, NULL, 0);
  set("default with nodes", 0, m0, 64);
  set("default, empty mask", 0, none, 64);
  set("preferred", 1, m0, 64);
  set("preferred nothing", 1, NULL, 0);
  set("bind", 2, m0, 64);
  set("bind 1", 2, m1, 64);
  set("bind 0 and 1", 2, m01, 64);
  set("bind nothing", 2, none, 64);
  set("interleave", 3, m0, 64);
  set("local", 4, NULL, 0);
  set("local with nodes", 4, m0, 64);
  set("preferred many", 5, m0, 64);
  set("bind static", 2 | 1 << 15, m0, 64);
  set("bind relative 1", 2 | 1 << 14, m1, 64);
  set("both", 2 | 3 << 14, m0, 64);
  set("unknown", 99, m0, 64);
  set("maxnode 2", 2, m0, 2);
  set("maxnode 1", 2, m0, 1);
  set("maxnode huge", 2, m0, 1ul << 30);
  set("bad mask", 2, (void *)8, 64);
  set("bind", 2, m0, 64);
  CHILD("inherited") {
    int got = -1;
    syscall(SYS_get_mempolicy, &got, NULL, 0, 0, 0);
    say("%d", got);
  }
  set("default", 0, NULL, 0);
  int got;
  unsigned long back[16];
  SHOW(syscall(SYS_get_mempolicy, &got, back, 1024, 0, 4));
  say("allowed %lx", back[0]);
  SHOW(syscall(SYS_get_mempolicy, &got, back, 0, 0, 0));
  SHOW(syscall(SYS_get_mempolicy, &got, NULL, 0, main, 0));
  SHOW(syscall(SYS_get_mempolicy, &got, NULL, 0, 0, 1));
  SHOW(syscall(SYS_get_mempolicy, &got, NULL, 0, 0, 8));
  SHOW(syscall(SYS_get_mempolicy, &got, NULL, 0, 0, 5));
  char *p = mmap(NULL, 8 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  at("fresh", p, 2);
  SHOW(syscall(SYS_mbind, p + 2 * PG, 2 * PG, 2, m0, 64, 0));
  at("bound", p + 3 * PG, 2);
  at("beside", p + 4 * PG, 2);
  at("node of", p + 3 * PG, 3);
  SHOW(syscall(SYS_mbind, p, PG, 2, m1, 64, 0));
  SHOW(syscall(SYS_mbind, p, PG, 2, m0, 64, 8));
  SHOW(syscall(SYS_mbind, p + 1, PG, 2, m0, 64, 0));
  SHOW(syscall(SYS_mbind, p, 0, 2, m0, 64, 0));
  SHOW(syscall(SYS_mbind, p, -PG, 2, m0, 64, 0));
  SHOW(syscall(SYS_mbind, p, PG, 2, m0, 64, 3));
  munmap(p + 6 * PG, PG);
  SHOW(syscall(SYS_mbind, p, 8 * PG, 3, m0, 64, 0));
  at("nothing", p + 6 * PG, 2);
  CHILD("inherited") at("in the child", p + 2 * PG, 2);
  SHOW(syscall(SYS_mbind, p, 6 * PG, 0, NULL, 0, 0));
  at("default again", p + 2 * PG, 2);
  SHOW(syscall(SYS_migrate_pages, 0, 64, m0, m0));
  SHOW(syscall(SYS_migrate_pages, 0, 64, m0, none));
  SHOW(syscall(SYS_migrate_pages, 999999, 64, m0, m0));
  char *q = mmap(NULL, 4 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  q[0] = q[2 * PG] = 1;
  void *pages[] = {q, q + PG, q + 2 * PG, p + 6 * PG};
  int nodes[] = {0, 0, 0, 0}, status[] = {7, 7, 7, 7};
  SHOW(syscall(SYS_move_pages, 0, 4, pages, NULL, status, 0));
  say("%d %d %d %d", status[0], status[1], status[2], status[3]);
  SHOW(syscall(SYS_move_pages, 0, 1, pages, nodes, status, 2));
  say("%d", status[0]);
  nodes[0] = 1;
  SHOW(syscall(SYS_move_pages, 0, 1, pages, nodes, status, 2));
  SHOW(syscall(SYS_move_pages, 0, 1, pages, nodes, status, 8));
  SHOW(syscall(SYS_move_pages, 999999, 1, pages, NULL, status, 0));
  SHOW(syscall(SYS_move_pages, 0, 1, (void *)8, NULL, status, 0));
}
