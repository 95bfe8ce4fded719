#include "poll.h"
#include "errno.h"
#include "fiber.h"

static int look(struct polled *p, int n) {
  int ready = 0;
  for (int i = 0; i < n; i++) {
    if (!p[i].file)
      continue;
    p[i].revents = file_poll(p[i].file) & (p[i].events | EPOLLERR | EPOLLHUP);
    ready += p[i].revents != 0;
  }
  return ready;
}

static void watch(struct polled *p, int n) {
  for (int i = 0; i < n; i++) {
    p[i].e =
        (struct wait_entry){.fn = wait_entry_wake, .events = p[i].events | EPOLLERR | EPOLLHUP, .arg = fiber_self()};
    if (p[i].file && p[i].file->wq)
      waitq_add(p[i].file->wq, &p[i].e);
  }
}

int files_poll(struct polled *p, int n, int64_t deadline) {
  int ready = look(p, n);
  if (ready || deadline == 0)
    return ready;
  watch(p, n);
  int r = 0;
  while (!ready && !r) {
    r = task_park(deadline);
    ready = look(p, n);
  }
  for (int i = 0; i < n; i++)
    waitq_del(&p[i].e);
  return ready ? ready : r == -ETIMEDOUT ? 0 : r;
}
