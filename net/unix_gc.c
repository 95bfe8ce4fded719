/*
 * Descriptors in flight, and the sockets that nothing but messages in flight refers to any more: a socket sent through
 * itself, or two sent through each other, would otherwise live for ever (net/unix/garbage.c of Linux solves the same).
 *
 * A socket in flight may be garbage if messages hold all references to its file. Of these candidates, the ones that are
 * in the queue of a socket that is no candidate, or of a candidate so reached, are alive; the others are emptied.
 */
#include "unix.h"
#include "../core/errno.h"
#include "../core/task.h"
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_COLLECTION 1024 /* descriptors in flight; later ones when there are twice as many as were left */

static void count(struct unix_net *n, struct file *f, int by) {
  struct unix_sock *u = unix_of_file(f);
  n->nfds_inflight += by;
  if (!u)
    return;
  if (by > 0 && !u->inflight)
    LIST_INSERT_HEAD(&n->inflight, u, inflight_link);
  u->inflight += by;
  if (!u->inflight)
    LIST_REMOVE(u, inflight_link);
}

int unix_attach_fds(struct kernel *k, struct unix_msg *m, struct file **fds, int n) {
  struct unix_net *net = unix_net(k);
  const struct task *t = task_current();
  if (!n)
    return 0;
  if (n > UNIX_SCM_MAX_FD)
    return -EINVAL;
  if (t && net->nfds_inflight > (long)task_rlimit(t, RLIMIT_NOFILE) && !cred_has_cap(t->cred, CAP_SYS_RESOURCE) &&
      !cred_has_cap(t->cred, CAP_SYS_ADMIN))
    return -ETOOMANYREFS;
  if (net->nfds_inflight > net->collect_at) {
    unix_collect(k);
    net->collect_at = net->nfds_inflight < FIRST_COLLECTION / 2 ? FIRST_COLLECTION : 2 * net->nfds_inflight;
  }
  m->fds = malloc((size_t)n * sizeof *fds);
  if (!m->fds)
    return -ENOMEM;
  for (int i = 0; i < n; i++) {
    m->fds[i] = file_get(fds[i]);
    count(net, fds[i], 1);
  }
  m->nfds = n;
  return 0;
}

struct file **unix_detach_fds(struct kernel *k, struct unix_msg *m, int *n) {
  struct file **fds = m->fds;
  for (int i = 0; i < m->nfds; i++)
    count(unix_net(k), fds[i], -1);
  *n = m->nfds;
  m->fds = NULL;
  m->nfds = 0;
  return fds;
}

/* ---- collection ---- */

typedef void visit_fn(struct unix_sock *held);

static void visit_queue(const struct unix_queue *q, visit_fn *fn) {
  const struct unix_msg *m;
  TAILQ_FOREACH(m, q, link) {
    for (int i = 0; i < m->nfds; i++) {
      struct unix_sock *held = unix_of_file(m->fds[i]);
      if (held && held->gc_candidate)
        fn(held);
    }
  }
}

/* What u's messages hold, those of connections waiting in its backlog included. */
static void visit_held(const struct unix_sock *u, visit_fn *fn) {
  const struct unix_sock *e;
  visit_queue(&u->recvq, fn);
  TAILQ_FOREACH(e, &u->backlog, backlog_link)
  visit_queue(&e->recvq, fn);
}

static void drop_ref(struct unix_sock *held) {
  held->gc_refs--;
}
static void reach(struct unix_sock *held) {
  if (!held->gc_reached)
    held->gc_reached = held->gc_pending = true;
}

/* Marks what is alive: everything held from outside the candidates, and what these hold in turn. */
static void mark(struct unix_net *n) {
  struct unix_sock *u;
  LIST_FOREACH(u, &n->inflight, inflight_link) {
    u->gc_refs = u->inflight;
    u->gc_reached = u->gc_pending = false;
    u->gc_candidate = u->sock && u->sock->file && u->sock->file->ref.n == (uint32_t)u->inflight;
  }
  LIST_FOREACH(u, &n->inflight, inflight_link)
  if (u->gc_candidate)
    visit_held(u, drop_ref);
  LIST_FOREACH(u, &n->inflight, inflight_link)
  if (u->gc_candidate && u->gc_refs > 0)
    reach(u);
  for (bool more = true; more;) {
    more = false;
    LIST_FOREACH(u, &n->inflight, inflight_link) {
      if (!u->gc_pending)
        continue;
      u->gc_pending = false;
      more = true;
      visit_held(u, reach);
    }
  }
}

static bool is_garbage(const struct unix_sock *u) {
  return u->gc_candidate && !u->gc_reached;
}

/* Moves the messages of u that carry descriptors to `out`. */
static void take_messages(struct unix_sock *u, struct unix_queue *out) {
  struct unix_msg *m, *next;
  for (m = TAILQ_FIRST(&u->recvq); m; m = next) {
    next = TAILQ_NEXT(m, link);
    if (!m->nfds)
      continue;
    if (u->oob == m)
      u->oob = NULL;
    TAILQ_REMOVE(&u->recvq, m, link);
    u->nrecv--;
    u->recv_bytes -= m->len;
    TAILQ_INSERT_TAIL(out, m, link);
  }
}

void unix_collect(struct kernel *k) {
  struct unix_net *n = unix_net(k);
  if (!n || LIST_EMPTY(&n->inflight) || n->collecting)
    return;
  mark(n);
  struct unix_queue dead = TAILQ_HEAD_INITIALIZER(dead);
  struct unix_sock *u, *e;
  LIST_FOREACH(u, &n->inflight, inflight_link) {
    if (!is_garbage(u))
      continue;
    take_messages(u, &dead);
    TAILQ_FOREACH(e, &u->backlog, backlog_link)
    take_messages(e, &dead);
  }
  /* Freeing them closes the sockets, which come here again. */
  n->collecting = true;
  struct unix_msg *m;
  while ((m = TAILQ_FIRST(&dead))) {
    TAILQ_REMOVE(&dead, m, link);
    unix_msg_put(m);
  }
  n->collecting = false;
}
