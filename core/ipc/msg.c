/*
 * System V message queues: msgop(2), msgctl(2). A message goes straight to a sleeping receiver that wants it, past the
 * queue. Sleepers of both kinds are served in order of arrival; neither call is restarted after a handler (signal(7)).
 */
#include "../errno.h"
#include "../fiber.h"
#include "../kernel.h"
#include "ipc.h"
#include <limits.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#ifndef MSG_STAT_ANY
#define MSG_STAT_ANY 13
#endif
#ifndef MSG_COPY
#define MSG_COPY 040000
#endif

struct msg {
  TAILQ_ENTRY(msg) link;
  struct ipc_msg m;
};

enum match { M_ANY, M_EQUAL, M_NOT, M_LESS, M_NUMBER };

struct receiver { /* on the fiber's stack */
  TAILQ_ENTRY(receiver) link;
  struct task *task;
  struct fiber *fiber;
  long type;
  enum match match;
  size_t room; /* SIZE_MAX with MSG_NOERROR */
  struct msg *got;
  int status; /* 1: waiting; 0: got; -errno */
};

struct sender {
  TAILQ_ENTRY(sender) link;
  struct fiber *fiber;
};

struct msg_queue {
  struct ipc_object obj;
  time_t stime, rtime, ctime;
  uint64_t cbytes, qnum, qbytes;
  int lspid, lrpid;
  TAILQ_HEAD(, msg) msgs;
  TAILQ_HEAD(, receiver) receivers;
  TAILQ_HEAD(, sender) senders;
};

static struct msg_queue *queue_of(struct ipc_object *o) {
  return (struct msg_queue *)o;
}

static int make_queue(struct ipc_namespace *ns, const struct ipc_get_args *a, struct ipc_object **out) {
  if (ns->ids[IPC_MSG].in_use >= ns->msg_mni)
    return -ENOSPC;
  struct msg_queue *q = calloc(1, sizeof *q);
  if (!q)
    return -ENOMEM;
  q->ctime = ipc_now();
  q->qbytes = (uint64_t)ns->msg_mnb;
  TAILQ_INIT(&q->msgs);
  TAILQ_INIT(&q->receivers);
  TAILQ_INIT(&q->senders);
  *out = &q->obj;
  return 0;
}

int ipc_msgget(struct task *t, int key, int flags) {
  struct ipc_get_args a = {.kind = IPC_MSG, .key = key, .flags = flags, .limit = t->ipc->msg_mni, .make = make_queue};
  return ipc_get_id(t, &a);
}

static void msg_free(struct msg *m) {
  if (m) {
    free(m->m.text);
    free(m);
  }
}

static bool matches(const struct receiver *r, const struct msg *m) {
  switch (r->match) {
  case M_ANY:
  case M_NUMBER:
    return true;
  case M_EQUAL:
    return m->m.type == r->type;
  case M_NOT:
    return m->m.type != r->type;
  case M_LESS:
    return m->m.type <= r->type;
  }
  return false;
}

static void serve(struct msg_queue *q, struct receiver *r, int status) {
  TAILQ_REMOVE(&q->receivers, r, link);
  r->status = status;
  fiber_wake(r->fiber);
}

/* Hand m to the first sleeper that wants it. One with too small a buffer learns of that, and the next is looked for. */
static bool hand_over(struct msg_queue *q, struct msg *m) {
  struct receiver *r, *next;
  for (r = TAILQ_FIRST(&q->receivers); r; r = next) {
    next = TAILQ_NEXT(r, link);
    if (!matches(r, m))
      continue;
    if (r->room < m->m.len) {
      serve(q, r, -E2BIG);
      continue;
    }
    q->lrpid = pid_vnr(r->task->proc->pid);
    q->rtime = ipc_now();
    r->got = m;
    serve(q, r, 0);
    return true;
  }
  return false;
}

static void wake_senders(struct msg_queue *q) {
  struct sender *s;
  TAILQ_FOREACH(s, &q->senders, link)
  fiber_wake(s->fiber);
}

static bool fits(const struct msg_queue *q, size_t n) {
  return n + q->cbytes <= q->qbytes && 1 + q->qnum <= q->qbytes;
}

/* Until there is room. Holding a reference on q. */
static int wait_room(struct task *t, struct msg_queue *q, size_t n, int flags) {
  for (;;) {
    int r = ipc_permission(t, &q->obj, IPC_WUGO);
    if (r)
      return r;
    if (fits(q, n))
      return 0;
    if (flags & IPC_NOWAIT)
      return -EAGAIN;
    struct sender s = {.fiber = fiber_self()};
    TAILQ_INSERT_TAIL(&q->senders, &s, link);
    r = task_park(NO_DEADLINE);
    TAILQ_REMOVE(&q->senders, &s, link);
    if (q->obj.deleted)
      return -EIDRM;
    if (r)
      return -ERESTARTNOHAND;
  }
}

int ipc_msgsnd(struct task *t, int id, long type, char *text, size_t n, int flags) {
  int r;
  struct ipc_namespace *ns = t->ipc;
  struct ipc_object *o = ipc_find_borrow(ns, IPC_MSG, id, &r);
  struct msg *m = o ? calloc(1, sizeof *m) : NULL;
  if (!m) {
    free(text);
    return o ? -ENOMEM : r;
  }
  m->m = (struct ipc_msg){.type = type, .len = n, .text = text};
  struct msg_queue *q = queue_of(ipc_object_get(o));
  r = wait_room(t, q, n, flags);
  if (!r) {
    q->lspid = pid_vnr(t->proc->pid);
    q->stime = ipc_now();
    if (!hand_over(q, m)) {
      TAILQ_INSERT_TAIL(&q->msgs, m, link);
      q->cbytes += n;
      q->qnum++;
      ns->msg_bytes += n;
      ns->msg_count++;
    }
    m = NULL;
  }
  msg_free(m);
  ipc_object_put(o);
  return r;
}

/* ---- receiving ---- */

static enum match match_of(long *type, int flags) {
  if (flags & MSG_COPY)
    return M_NUMBER;
  if (!*type)
    return M_ANY;
  if (*type < 0) {
    *type = *type == LONG_MIN ? LONG_MAX : -*type;
    return M_LESS;
  }
  return flags & MSG_EXCEPT ? M_NOT : M_EQUAL;
}

static struct msg *find_msg(struct msg_queue *q, const struct receiver *r) {
  struct msg *m, *best = NULL;
  long at = 0;
  TAILQ_FOREACH(m, &q->msgs, link) {
    if (r->match == M_NUMBER && at++ != r->type)
      continue;
    if (!matches(r, m))
      continue;
    if (r->match != M_LESS)
      return m;
    if (!best || m->m.type < best->m.type)
      best = m; /* the lowest type, and of these the first */
  }
  return best;
}

static int copy_of(const struct msg *m, size_t room, struct ipc_msg *out) {
  if (m->m.len > room)
    return -EINVAL;
  out->type = m->m.type;
  out->len = m->m.len;
  out->text = malloc(m->m.len ? m->m.len : 1);
  if (!out->text)
    return -ENOMEM;
  memcpy(out->text, m->m.text, m->m.len);
  return 0;
}

static int take(struct task *t, struct msg_queue *q, struct msg *m, size_t room, int flags, struct ipc_msg *out) {
  if (room < m->m.len && !(flags & MSG_NOERROR))
    return -E2BIG;
  if (flags & MSG_COPY)
    return copy_of(m, room, out);
  TAILQ_REMOVE(&q->msgs, m, link);
  q->qnum--;
  q->cbytes -= m->m.len;
  t->ipc->msg_bytes -= m->m.len;
  t->ipc->msg_count--;
  q->rtime = ipc_now();
  q->lrpid = pid_vnr(t->proc->pid);
  *out = m->m;
  free(m);
  wake_senders(q);
  return 0;
}

static int sleep_for(struct task *t, struct msg_queue *q, struct receiver *r, struct ipc_msg *out) {
  r->task = t;
  r->fiber = fiber_self();
  r->status = 1;
  TAILQ_INSERT_TAIL(&q->receivers, r, link);
  int e = 0;
  while (r->status > 0 && !e)
    e = task_park(NO_DEADLINE);
  if (r->status > 0) {
    TAILQ_REMOVE(&q->receivers, r, link);
    return -ERESTARTNOHAND;
  }
  if (r->status)
    return r->status;
  *out = r->got->m;
  free(r->got);
  return 0;
}

int ipc_msgrcv(struct task *t, int id, size_t room, long type, int flags, struct ipc_msg *out) {
  if (id < 0 || (ssize_t)room < 0)
    return -EINVAL;
  if ((flags & MSG_COPY) && ((flags & MSG_EXCEPT) || !(flags & IPC_NOWAIT)))
    return -EINVAL;
  struct receiver r = {.room = flags & MSG_NOERROR ? SIZE_MAX : room};
  r.match = match_of(&type, flags);
  r.type = type;
  int e;
  struct ipc_object *o = ipc_find_borrow(t->ipc, IPC_MSG, id, &e);
  if (!o)
    return e;
  struct msg_queue *q = queue_of(ipc_object_get(o));
  do {
    e = ipc_permission(t, o, IPC_RUGO);
    if (e)
      break;
    struct msg *m = find_msg(q, &r);
    if (m) {
      e = take(t, q, m, room, flags, out);
      break;
    }
    e = flags & IPC_NOWAIT ? -ENOMSG : sleep_for(t, q, &r, out);
  } while (e == -EAGAIN); /* msgctl changed the queue's permissions: look again */
  ipc_object_put(o);
  return e;
}

/* ---- msgctl ---- */

int ipc_msg_stat(struct task *t, int id, int cmd, struct msqid_ds *out) {
  int r = 0;
  struct ipc_object *o =
      cmd == IPC_STAT ? ipc_find_borrow(t->ipc, IPC_MSG, id, &r) : ipc_at_borrow(t->ipc, IPC_MSG, id);
  if (!o)
    return r ? r : -EINVAL;
  r = cmd == MSG_STAT_ANY ? 0 : ipc_permission(t, o, IPC_RUGO);
  if (r)
    return r;
  const struct msg_queue *q = queue_of(o);
  memset(out, 0, sizeof *out);
  ipc_perm_out(o, &out->msg_perm);
  out->msg_stime = q->stime;
  out->msg_rtime = q->rtime;
  out->msg_ctime = q->ctime;
  out->__msg_cbytes = q->cbytes;
  out->msg_qnum = q->qnum;
  out->msg_qbytes = q->qbytes;
  out->msg_lspid = q->lspid;
  out->msg_lrpid = q->lrpid;
  return cmd == IPC_STAT ? 0 : o->id;
}

int ipc_msg_info(struct task *t, int cmd, struct msginfo *out) {
  const struct ipc_namespace *ns = t->ipc;
  *out = (struct msginfo){.msgpool = 512000,
                          .msgmap = 16384,
                          .msgmax = ns->msg_max,
                          .msgmnb = ns->msg_mnb,
                          .msgmni = ns->msg_mni,
                          .msgssz = 16,
                          .msgtql = 16384,
                          .msgseg = 0xffff};
  if (cmd == MSG_INFO) {
    out->msgpool = ns->ids[IPC_MSG].in_use;
    out->msgmap = ns->msg_count > INT_MAX ? INT_MAX : (int)ns->msg_count;
    out->msgtql = ns->msg_bytes > INT_MAX ? INT_MAX : (int)ns->msg_bytes;
  }
  int max = ns->ids[IPC_MSG].max_idx;
  return max < 0 ? 0 : max;
}

int ipc_msg_set(struct task *t, int id, const struct msqid_ds *in) {
  int r;
  struct ipc_object *o = ipc_find_borrow(t->ipc, IPC_MSG, id, &r);
  if (!o)
    return r;
  r = ipc_may_control(t, o);
  if (r)
    return r;
  if (in->msg_qbytes > (uint64_t)t->ipc->msg_mnb && !cred_has_cap(t->cred, CAP_SYS_RESOURCE))
    return -EPERM;
  struct msg_queue *q = queue_of(o);
  r = ipc_perm_set(o, &in->msg_perm);
  if (r)
    return r;
  q->qbytes = in->msg_qbytes;
  q->ctime = ipc_now();
  struct receiver *w;
  while ((w = TAILQ_FIRST(&q->receivers)))
    serve(q, w, -EAGAIN);
  wake_senders(q);
  return 0;
}

void msg_rmid(struct ipc_namespace *ns, struct ipc_object *o) {
  struct msg_queue *q = queue_of(ipc_object_get(o));
  ipc_remove(ns, o);
  struct receiver *w;
  while ((w = TAILQ_FIRST(&q->receivers)))
    serve(q, w, -EIDRM);
  wake_senders(q);
  struct msg *m;
  ns->msg_bytes -= q->cbytes;
  ns->msg_count -= q->qnum;
  while ((m = TAILQ_FIRST(&q->msgs))) {
    TAILQ_REMOVE(&q->msgs, m, link);
    msg_free(m);
  }
  ipc_object_put(o);
}

int ipc_msg_rmid(struct task *t, int id) {
  int r;
  struct ipc_object *o = ipc_find_borrow(t->ipc, IPC_MSG, id, &r);
  if (!o)
    return r;
  r = ipc_may_control(t, o);
  if (!r)
    msg_rmid(t->ipc, o);
  return r;
}
