/* Waiting for several files at once: what poll(2) and select(2) have in common. */
#pragma once
#include "file.h"
#include "wait.h"

struct polled {
  struct file *file; /* counted by the caller; NULL: skipped, revents stays as it is */
  uint32_t events;   /* EPOLL* bits asked for; EPOLLERR and EPOLLHUP are always reported */
  uint32_t revents;
  struct wait_entry e;
};
/* Parks until at least one has an event, the deadline (0: do not wait at all) or a signal. How many have events, 0 or
 * -ERESTARTSYS. */
int files_poll(struct polled *p, int n, int64_t deadline);
