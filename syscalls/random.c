/* getrandom(2): the host's pool, which never blocks once the host has booted. */
#include "../core/errno.h"
#include "../core/fiber.h"
#include "../core/signal.h"
#include "../core/uio.h"
#include "table.h"
#include <sys/random.h>

#define CHUNK 4096

SYSCALL_HANDLER(getrandom) {
  unsigned flags = (unsigned)a[2];
  if (flags & ~(unsigned)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE))
    return -EINVAL;
  if ((flags & (GRND_INSECURE | GRND_RANDOM)) == (GRND_INSECURE | GRND_RANDOM))
    return -EINVAL;
  struct uio u;
  struct iovec v;
  int r = uio_user(&u, &v, a[0], a[1]);
  if (r < 0)
    return r;
  int64_t done = 0;
  while (u.resid) {
    char buf[CHUNK];
    size_t n = u.resid < CHUNK ? u.resid : CHUNK;
    if (getrandom(buf, n, 0) != (ssize_t)n)
      return done ? done : -EAGAIN;
    ssize_t k = uio_copy_to(&u, buf, n);
    if (k < 0)
      return done ? done : k;
    done += k;
    if (k < (ssize_t)n || (done >= 256 && signal_pending(t)))
      break;
  }
  return done;
}
