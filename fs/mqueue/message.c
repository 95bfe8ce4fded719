/*
 * Sending and receiving: mqueue_send(3), mqueue_receive(3). The highest priority first, and of one priority the oldest. A
 * message goes straight to a sleeping receiver; room that comes free goes straight to a sleeping sender.
 */
#include "../../core/errno.h"
#include "../../core/fiber.h"
#include "mqueue.h"
#include <stdlib.h>

static int level_cmp(const struct mq_level *a, const struct mq_level *b) {
  return a->prio < b->prio ? -1 : a->prio > b->prio;
}
RB_GENERATE_INTERNAL(mq_levels, mq_level, link, level_cmp, static __attribute__((unused)))

struct mq_msg *mq_msg_new(unsigned prio, size_t len) {
  struct mq_msg *m = malloc(sizeof *m + len);
  if (m)
    *m = (struct mq_msg){.prio = prio, .len = len};
  return m;
}

static int insert(struct mqueue *q, struct mq_msg *m) {
  struct mq_level key = {.prio = m->prio}, *l = RB_FIND(mq_levels, &q->levels, &key);
  if (!l) {
    l = malloc(sizeof *l);
    if (!l)
      return -ENOMEM;
    l->prio = m->prio;
    TAILQ_INIT(&l->msgs);
    RB_INSERT(mq_levels, &q->levels, l);
  }
  TAILQ_INSERT_TAIL(&l->msgs, m, link);
  q->curmsgs++;
  q->qsize += m->len;
  return 0;
}

static struct mq_msg *take_first(struct mqueue *q) {
  struct mq_level *l = RB_MAX(mq_levels, &q->levels);
  if (!l)
    return NULL;
  struct mq_msg *m = TAILQ_FIRST(&l->msgs);
  TAILQ_REMOVE(&l->msgs, m, link);
  if (TAILQ_EMPTY(&l->msgs)) {
    RB_REMOVE(mq_levels, &q->levels, l);
    free(l);
  }
  q->curmsgs--;
  q->qsize -= m->len;
  return m;
}

void mq_free(struct mqueue *q) {
  struct mq_msg *m;
  if (!q)
    return;
  while ((m = take_first(q)))
    free(m);
  mq_forget_owner(q, false);
  LIST_REMOVE(q, all);
  waitq_destroy(&q->wq);
  free(q);
}

static int sleep_in(struct mq_sleepers *list, struct mq_sleeper *s, int64_t deadline) {
  s->fiber = fiber_self();
  TAILQ_INSERT_TAIL(list, s, link);
  int r = 0;
  while (!s->done && !r)
    r = task_park(deadline);
  if (s->done)
    return 0;
  TAILQ_REMOVE(list, s, link);
  return r;
}

static void serve(struct mq_sleepers *list, struct mq_sleeper *s) {
  TAILQ_REMOVE(list, s, link);
  s->done = true;
  fiber_wake(s->fiber);
}

static void touched(struct mqueue *q, bool read) {
  q->inode->ctime = vfs_now();
  if (read)
    q->inode->atime = q->inode->ctime;
  else
    q->inode->mtime = q->inode->ctime;
}

int mqueue_send(struct mqueue *q, struct mq_msg *m, bool nonblock, int64_t deadline) {
  if (q->curmsgs >= q->maxmsg) {
    if (nonblock)
      return -EAGAIN;
    struct mq_sleeper s = {.msg = m};
    return sleep_in(&q->senders, &s, deadline); /* 0: a receiver has put it into the queue */
  }
  struct mq_sleeper *r = TAILQ_FIRST(&q->receivers);
  if (r) {
    r->msg = m;
    serve(&q->receivers, r);
  } else {
    int e = insert(q, m);
    if (e)
      return e;
    if (q->curmsgs == 1)
      mq_tell(q);
    waitq_wake(&q->wq, EPOLLIN | EPOLLRDNORM);
  }
  touched(q, false);
  return 0;
}

int mqueue_receive(struct mqueue *q, bool nonblock, int64_t deadline, struct mq_msg **out) {
  if (!q->curmsgs) {
    if (nonblock)
      return -EAGAIN;
    struct mq_sleeper s = {0};
    int r = sleep_in(&q->receivers, &s, deadline);
    *out = s.msg;
    return r;
  }
  *out = take_first(q);
  touched(q, true);
  struct mq_sleeper *s = TAILQ_FIRST(&q->senders);
  if (s && !insert(q, s->msg))
    serve(&q->senders, s);
  else
    waitq_wake(&q->wq, EPOLLOUT | EPOLLWRNORM);
  return 0;
}
