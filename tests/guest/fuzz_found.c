/* Calls that the fuzzer inside (tests/fuzz-guest) ended a Sentry with, one line each. */
#include "guest.h"

static void result(const char *what, long r) {
  say("%s: %s", what, r < 0 ? strerrorname_np(errno) : "ok");
}

int main(void) {
  result("ioprio_get", syscall(SYS_ioprio_get, INT_MIN, 0));
  result("ioprio_set", syscall(SYS_ioprio_set, INT_MIN, 0, 4));
  return 0;
}
