/* The calls of Linux security modules, as far as their answers do not depend on which modules there are. Hosts before
 * 6.8 have none of it, so only what is wrong is printed. */
#include "guest.h"
#include <sys/syscall.h>

static void want(int line, int err, long got) {
  if ((err && (got >= 0 || errno != err)) || (!err && got < 0))
    say("line %d: %ld, errno %d", line, got, errno);
}
#define WANT(err, call) want(__LINE__, err, call)

int main(void) {
  uint64_t ids[64], ctx[4] = {0};
  uint32_t size = 0;
  errno = 0, syscall(459, 1, NULL, NULL, 0);
  if (errno != ENOSYS) {
    WANT(E2BIG, syscall(461, ids, &size, 0));
    WANT(EINVAL, syscall(461, ids, &size, 1));
    WANT(EFAULT, syscall(461, ids, NULL, 0));
    size = sizeof ids;
    WANT(0, syscall(461, ids, &size, 0));
    WANT(EINVAL, syscall(459, 0, NULL, &size, 0));
    WANT(EINVAL, syscall(459, 100, NULL, NULL, 0));
    WANT(EINVAL, syscall(459, 100, NULL, &size, 1));
    WANT(EINVAL, syscall(459, 100, NULL, &size, 2));
    WANT(EINVAL, syscall(460, 100, ctx, 8, 0));
    WANT(E2BIG, syscall(460, 100, ctx, 5000, 0));
    WANT(EINVAL, syscall(460, 100, ctx, 32, 1));
    WANT(EFAULT, syscall(460, 100, NULL, 32, 0));
  }
  say("%s", "done");
}
