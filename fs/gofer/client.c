/* The client's end of the connection to the gofer: sends requests, hands answers to the fibers that wait for them. */
#include "client.h"
#include "../../core/fiber.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct gofer_req { /* on the stack of the fiber that waits */
  uint32_t tag;
  uint16_t op, tree;
  size_t size;
  struct fiber *fiber;
  bool done;
  int err;
  struct gofer_reply *reply;
  TAILQ_ENTRY(gofer_req) link;
};

static void finish(struct gofer *g, struct gofer_req *r, int err) {
  TAILQ_REMOVE(&g->pending, r, link);
  g->inflight--;
  g->inflight_bytes -= r->size;
  r->err = err;
  r->done = true;
  if (r->fiber)
    fiber_wake(r->fiber);
  waitq_wake_all(&g->room, 0);
}

static void die(struct gofer *g) {
  if (g->dead)
    return;
  g->dead = true;
  loop_poll_del(g->k->loop, &g->poll);
  close(g->sock);
  g->sock = -1;
  struct gofer_req *r;
  while ((r = TAILQ_FIRST(&g->pending)))
    finish(g, r, -EIO);
  waitq_wake_all(&g->room, 0);
  if (g->on_death)
    g->on_death(g->arg);
}

int gofer_protocol_error(struct gofer *g) {
  klog(g->k, "gofer: malformed answer, hanging up");
  die(g);
  return -EIO;
}

bool gofer_dispatch(struct gofer *g, const uint8_t *buf, size_t n, int fd) {
  struct gofer_hdr h;
  struct gofer_req *r = TAILQ_FIRST(&g->pending);
  bool ok = n >= sizeof h && r;
  if (ok) {
    memcpy(&h, buf, sizeof h);
    bool with_fd = h.err == 0 && (h.op == GOFER_OPEN || h.op == GOFER_CREATE || h.op == GOFER_PROC);
    ok = h.size == n && h.tag == r->tag && h.op == r->op && h.tree == r->tree && h.err < 4096 && with_fd == (fd >= 0) &&
         (h.err == 0 || n == sizeof h);
  }
  uint8_t *copy = ok ? malloc(n) : NULL;
  if (!ok || (!copy && h.err == 0)) {
    if (fd >= 0)
      close(fd);
    if (ok)
      finish(g, r, -ENOMEM);
    free(copy);
    return ok;
  }
  if (h.err) {
    free(copy);
    finish(g, r, -(int)h.err);
    return true;
  }
  memcpy(copy, buf, n);
  *r->reply = (struct gofer_reply){.buf = copy, .m = {.buf = copy, .cap = n, .pos = sizeof h}, .fd = fd};
  finish(g, r, 0);
  return true;
}

/* The one descriptor that a message may carry. False: it carried something else. */
static bool take_fd(struct msghdr *m, int *fd) {
  bool ok = true;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
      continue;
    size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < n; i++) {
      int got;
      memcpy(&got, CMSG_DATA(c) + i * sizeof got, sizeof got);
      if (*fd < 0 && ok) {
        *fd = got;
      } else {
        ok = false;
        close(got);
      }
    }
  }
  if (!ok && *fd >= 0) {
    close(*fd);
    *fd = -1;
  }
  return ok;
}

/* Takes one answer off the socket. 0, -EAGAIN, or -EIO: the connection has ended. */
static int receive(struct gofer *g, int flags) {
  struct iovec iov = {g->rbuf, GOFER_MSG_MAX};
  union {
    struct cmsghdr align;
    char buf[CMSG_SPACE(4 * sizeof(int))];
  } ctl;
  struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl.buf, .msg_controllen = sizeof ctl.buf};
  ssize_t n;
  do
    n = recvmsg(g->sock, &m, flags | MSG_CMSG_CLOEXEC);
  while (n < 0 && errno == EINTR);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
    return -EAGAIN;
  if (n <= 0)
    return -EIO;
  int fd = -1;
  bool ok = take_fd(&m, &fd);
  if (!ok || (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
    if (fd >= 0)
      close(fd);
    return -EIO;
  }
  return gofer_dispatch(g, g->rbuf, (size_t)n, fd) ? 0 : -EIO;
}

static void readable(struct loop_poll *p, uint32_t revents) {
  struct gofer *g = p->arg;
  int err;
  do
    err = receive(g, MSG_DONTWAIT);
  while (err == 0 && !g->dead);
  if (g->dead)
    return;
  if (err != -EAGAIN || loop_poll_arm(g->k->loop, &g->poll) < 0)
    die(g);
}

/* ---- requests ---- */

static bool must_wait(struct gofer_sb *s, bool is_rename) {
  struct gofer *g = s->g;
  return (s->renaming && !is_rename) || g->inflight >= GOFER_INFLIGHT_MAX ||
         (g->inflight && g->inflight_bytes >= GOFER_INFLIGHT_BYTES);
}

static int begin(struct gofer_sb *s, enum gofer_op op, struct gofer_msg *m, bool is_rename) {
  struct gofer *g = s->g;
  while (!g->dead && must_wait(s, is_rename)) {
    struct waitq *q = s->renaming && !is_rename ? &s->rename_wq : &g->room;
    task_wait_uninterruptible(q, 0, NO_DEADLINE);
  }
  if (g->dead)
    return -EIO;
  struct gofer_hdr h = {.op = (uint16_t)op, .tree = (uint16_t)s->tree, .tag = g->next_tag++};
  *m = (struct gofer_msg){.buf = g->sbuf, .cap = GOFER_MSG_MAX};
  gm_put(m, &h, sizeof h);
  return 0;
}

int gofer_begin(struct gofer_sb *s, enum gofer_op op, struct gofer_msg *m) {
  return begin(s, op, m, false);
}
int gofer_begin_rename(struct gofer_sb *s, struct gofer_msg *m) {
  return begin(s, GOFER_RENAME, m, true);
}

/* There is room by construction, see must_wait(); a full socket all the same is a short wait on the host. */
static int transmit(struct gofer *g, const struct gofer_msg *m) {
  ssize_t n;
  do
    n = send(g->sock, m->buf, m->pos, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN)
    n = send(g->sock, m->buf, m->pos, MSG_NOSIGNAL);
  return n == (ssize_t)m->pos ? 0 : -EIO;
}

int gofer_call(struct gofer_sb *s, struct gofer_msg *m, struct gofer_reply *reply) {
  struct gofer *g = s->g;
  *reply = (struct gofer_reply){.fd = -1};
  if (m->bad)
    return -ENAMETOOLONG;
  struct gofer_hdr h;
  memcpy(&h, m->buf, sizeof h);
  h.size = (uint32_t)m->pos;
  memcpy(m->buf, &h, sizeof h);
  struct gofer_req r = {
      .tag = h.tag, .op = h.op, .tree = h.tree, .size = m->pos, .fiber = fiber_self(), .reply = reply, .err = -EIO};
  if (transmit(g, m) < 0) {
    die(g);
    return -EIO;
  }
  TAILQ_INSERT_TAIL(&g->pending, &r, link);
  g->inflight++;
  g->inflight_bytes += r.size;
  while (!r.done) {
    if (r.fiber)
      fiber_park();
    else if (receive(g, 0) < 0)
      die(g);
  }
  return r.err;
}

void gofer_reply_done(struct gofer_reply *r) {
  free(r->buf);
  if (r->fd >= 0)
    close(r->fd);
  *r = (struct gofer_reply){.fd = -1};
}

void gm_put_dentry(struct gofer_msg *m, const struct dentry *d) {
  if (m->bad || m->cap - m->pos < PATH_MAX + 8) {
    m->bad = true;
    return;
  }
  ssize_t n = dentry_path_in_fs(d, (char *)m->buf + m->pos + 4, PATH_MAX);
  if (n < 0 || n >= PATH_MAX) {
    m->bad = true;
    return;
  }
  gm_put_u32(m, (uint32_t)n);
  m->pos += (size_t)n;
  gm_put(m, "", 1);
}

/* ---- buffers for file data ---- */
void *gofer_buf_get(struct gofer *g) {
  return g->nspare ? g->spare[--g->nspare] : malloc(GOFER_CHUNK);
}
void gofer_buf_put(struct gofer *g, void *buf) {
  if (buf && g->nspare < GOFER_SPARE_BUFS)
    g->spare[g->nspare++] = buf;
  else
    free(buf);
}

int gofer_connect(struct kernel *k, int sock, void (*on_death)(void *arg), void *arg, struct gofer **out) {
  struct gofer *g = calloc(1, sizeof *g);
  if (!g)
    return -ENOMEM;
  *g = (struct gofer){.k = k, .sock = sock, .on_death = on_death, .arg = arg, .next_tag = 1};
  g->sbuf = malloc(GOFER_MSG_MAX);
  g->rbuf = malloc(GOFER_MSG_MAX);
  TAILQ_INIT(&g->pending);
  TAILQ_INIT(&g->idle);
  waitq_init(&g->room);
  g->poll = (struct loop_poll){.fd = sock, .events = EPOLLIN, .fn = readable, .arg = g};
  int err = g->sbuf && g->rbuf ? loop_poll_arm(k->loop, &g->poll) : -ENOMEM;
  if (err) {
    free(g->sbuf);
    free(g->rbuf);
    free(g);
    return err;
  }
  k->gofer = g;
  *out = g;
  return 0;
}
