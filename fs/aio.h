/*
 * Linux AIO contexts: io_setup(2) and its relatives. A context belongs to an address space and is named by the address
 * of its ring, which programs may read events from by themselves: what stands in the ring is the guest's to spoil, and
 * is never believed for more than an index, bounded.
 */
#pragma once
#include "../core/file.h"
#include "../core/mm.h"
#include <linux/aio_abi.h>

struct aio_ctx;
int aio_setup(struct task *t, unsigned nr, uint64_t *id);
int aio_destroy(struct task *t, uint64_t id);
/* The context of an id in t's address space, counted; NULL: -EINVAL. */
struct aio_ctx *aio_find(struct task *t, uint64_t id);
void aio_put(struct aio_ctx *c);
static inline void aio_putp(struct aio_ctx **c) {
  if (*c)
    aio_put(*c);
}
#define AUTO_AIO __attribute__((cleanup(aio_putp))) struct aio_ctx *
unsigned aio_capacity(const struct aio_ctx *c);
/* Room for one more event: 0 or -EAGAIN. Each is used up by aio_complete(), or given back. */
int aio_reserve(struct aio_ctx *c);
void aio_unreserve(struct aio_ctx *c);
/* ev->res may be an -ERESTART*. resfd: an eventfd or NULL. Does not park. */
void aio_complete(struct aio_ctx *c, const struct io_event *ev, struct file *resfd);
/* IOCB_CMD_POLL: completes when f has one of `events`. Takes references of its own. 0 or -errno (nothing reserved is
 * used up then). */
int aio_poll(struct aio_ctx *c, struct file *f, uint32_t events, const struct io_event *ev, struct file *resfd);
int aio_cancel(struct aio_ctx *c, uint64_t obj); /* -EINPROGRESS: it will complete; -EINVAL: there is none */
/* Copies events to guest memory: how many, -EFAULT, -EINTR, -EINVAL (destroyed meanwhile). Parks. */
int64_t aio_getevents(struct aio_ctx *c, long min, long nr, uint64_t uevents, int64_t deadline);
