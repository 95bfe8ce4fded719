/* Calls that the fuzzer inside (tests/fuzz-guest) ended a Sentry with, one line each. */
#include "guest.h"
#include <linux/keyctl.h>

static void result(const char *what, long r) {
  say("%s: %s", what, r < 0 ? strerrorname_np(errno) : "ok");
}

int main(void) {
  result("ioprio_get", syscall(SYS_ioprio_get, INT_MIN, 0));
  result("ioprio_set", syscall(SYS_ioprio_set, INT_MIN, 0, 4));
  /* Makes the keyring, and new credentials, on its way: once as root, whose right to give it away was looked up there. */
  result("keyctl_chown", syscall(SYS_keyctl, KEYCTL_CHOWN, KEY_SPEC_PROCESS_KEYRING, 12345, 54321));
  return 0;
}
