/* What a host thread has used: asked of it by ordered calls that write into its own slot. */
#include "internal.h"
#include <asm/unistd.h>
#include <errno.h>
#include <sys/resource.h>
#include <time.h>

_Static_assert(sizeof(struct rusage) == sizeof(((struct stub_slot *)0)->scratch), "room for a struct rusage");

/* The call nr(arg, scratch) by c's thread, and what it wrote. */
static int ask(struct plat_ctx *c, int nr, uint64_t arg, void *out, size_t len) {
  if (c->usage_told && nr == __NR_getrusage && !arg) /* by the stub of its own, just now */
    return ctx_read_slot(c, offsetof(struct stub_slot, scratch), out, len) < 0 ? -EFAULT : 0;
  int r = plat_flush(c);
  if (r == 0)
    r = ctx_enter_stub(c);
  if (r < 0)
    return r;
  c->direct = false;
  struct program g = {.n = 0};
  prog_syscall(c, &g, nr, arg, ctx_slot_addr(c) + offsetof(struct stub_slot, scratch), 0, 0, 0, 0);
  r = prog_run(c, &g);
  if (r < 0)
    return r;
  ssize_t n = ctx_read_slot(c, offsetof(struct stub_slot, scratch), out, len);
  return n < 0 ? (int)n : 0;
}

static uint64_t timeval_to_ns(const struct timeval *tv) {
  return (uint64_t)tv->tv_sec * 1000000000u + (uint64_t)tv->tv_usec * 1000u;
}

int plat_get_usage(struct plat_ctx *c, bool thread, struct plat_usage *out) {
  struct rusage ru;
  int r = ask(c, __NR_getrusage, (uint64_t)(int64_t)(thread ? RUSAGE_THREAD : RUSAGE_SELF), &ru, sizeof ru);
  if (r < 0)
    return r;
  *out = (struct plat_usage){.utime = timeval_to_ns(&ru.ru_utime),
                             .stime = timeval_to_ns(&ru.ru_stime),
                             .maxrss_kb = (uint64_t)ru.ru_maxrss,
                             .min_flt = (uint64_t)ru.ru_minflt,
                             .maj_flt = (uint64_t)ru.ru_majflt,
                             .nivcsw = (uint64_t)ru.ru_nivcsw};
  return 0;
}

int plat_get_thread_cpu(struct plat_ctx *c, uint64_t *ns) {
  struct timespec ts;
  int r = ask(c, __NR_clock_gettime, CLOCK_THREAD_CPUTIME_ID, &ts, sizeof ts);
  if (r == 0)
    *ns = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
  return r;
}
