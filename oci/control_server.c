/* The Sentry's end of the control protocol: a fiber accepts, a fiber per connection serves. */
#include "control.h"
#include "../core/fiber.h"
#include "../core/loop.h"
#include "sentry.h"
#include "../core/errno.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAX_BYTES (16 << 20)
#define REQUEST_MAX_FDS 32 /* NETSETUP_LINKS; a "start" brings the most */

static void close_fds(int *fds, int n) {
  for (int i = 0; i < n; i++)
    if (fds[i] >= 0)
      close(fds[i]);
}

static int take_fds(struct msghdr *m, int *fds, int *nfds) {
  for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
      continue;
    int n = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int)), got[REQUEST_MAX_FDS];
    memcpy(got, CMSG_DATA(c), (size_t)n * sizeof(int));
    for (int i = 0; i < n; i++) {
      if (*nfds < REQUEST_MAX_FDS)
        fds[(*nfds)++] = got[i];
      else
        close(got[i]);
    }
  }
  return m->msg_flags & MSG_CTRUNC ? -EPROTO : 0;
}

/* All of it, or -errno; 0 bytes at the start: -ENOTCONN, the peer has ended. */
static int recv_exactly(int fd, void *buf, size_t len, int *fds, int *nfds) {
  size_t n = 0;
  while (n < len) {
    union {
      struct cmsghdr h;
      char buf[CMSG_SPACE(sizeof(int) * REQUEST_MAX_FDS)];
    } ctl;
    struct iovec iov = {.iov_base = (char *)buf + n, .iov_len = len - n};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl.buf, .msg_controllen = sizeof ctl.buf};
    ssize_t r = loop_recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
    if (r == -EINTR || r == -EAGAIN) {
      loop_wait_fd(fd, EPOLLIN | EPOLLRDHUP);
      continue;
    }
    if (r <= 0)
      return r ? (int)r : -ENOTCONN;
    n += (size_t)r;
    if (take_fds(&m, fds, nfds))
      return -EPROTO;
  }
  return 0;
}

static json_t *recv_request(int fd, int *fds, int *nfds) {
  uint32_t len;
  if (recv_exactly(fd, &len, sizeof len, fds, nfds) || len > REQUEST_MAX_BYTES)
    return NULL;
  char *text = malloc(len + 1);
  json_t *req = NULL;
  if (text && !recv_exactly(fd, text, len, fds, nfds))
    req = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
  free(text);
  if (req && !json_is_object(req)) {
    json_decref(req);
    req = NULL;
  }
  return req;
}

static int send_answer(int fd, json_t *answer) {
  char *text = json_dumps(answer, JSON_COMPACT);
  if (!text)
    return -ENOMEM;
  uint32_t len = (uint32_t)strlen(text);
  struct iovec iov[2] = {{&len, sizeof len}, {text, len}};
  struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};
  int rc = 0;
  while (iov[0].iov_len || iov[1].iov_len) {
    ssize_t r = loop_sendmsg(fd, &m, MSG_NOSIGNAL);
    if (r == -EINTR || r == -EAGAIN) {
      loop_wait_fd(fd, EPOLLOUT);
      continue;
    }
    if (r <= 0) {
      rc = r ? (int)r : -EPIPE;
      break;
    }
    for (int i = 0; i < 2; i++) {
      size_t take = (size_t)r < iov[i].iov_len ? (size_t)r : iov[i].iov_len;
      iov[i].iov_base = (char *)iov[i].iov_base + take;
      iov[i].iov_len -= take;
      r -= (ssize_t)take;
    }
  }
  free(text);
  return rc;
}

/* Small, and the socket's buffer is empty: never blocks, so it can be sent from anywhere. */
void conn_tell_exit(struct conn *c, int wait_status) {
  char buf[64];
  if (c->told || c->fd < 0)
    return;
  c->told = true;
  uint32_t len = (uint32_t)snprintf(buf + 4, sizeof buf - 4, "{\"exit\":%d}", wait_status);
  memcpy(buf, &len, 4);
  (void)!send(c->fd, buf, 4 + len, MSG_NOSIGNAL | MSG_DONTWAIT);
  shutdown(c->fd, SHUT_RDWR); /* its fiber wakes up and frees it */
}

/* What a stand-in says is not answered: it may be ending itself and reads only the exit status. */
static bool wants_answer(const struct conn *c, json_t *req) {
  const char *op = json_string_value(json_object_get(req, "op"));
  return !c->proc || !op || (strcmp(op, "signal") && strcmp(op, "resize"));
}

static void conn_fiber(void *arg) {
  struct conn *c = arg;
  for (;;) {
    int fds[REQUEST_MAX_FDS], nfds = 0;
    json_t *req = recv_request(c->fd, fds, &nfds);
    if (!req) {
      close_fds(fds, nfds);
      break;
    }
    bool answer_it = wants_answer(c, req);
    const char *op = json_string_value(json_object_get(req, "op"));
    bool pausing = op && !strcmp(op, "pause") && !c->proc && c->s->started && !c->s->ended;
    /* Pausing answers by itself, in the paused state. */
    json_t *answer = pausing ? NULL : control_handle(c, req, fds, nfds);
    json_decref(req);
    if (pausing)
      pause_serve(c);
    int rc = answer && answer_it ? send_answer(c->fd, answer) : 0;
    json_decref(answer);
    if (rc)
      break;
    /* An exec'd process may have ended before its "ok" was out. */
    if (c->proc && c->proc->zombie && c->proc != c->s->init_proc)
      conn_tell_exit(c, c->proc->exit_code);
  }
  LIST_REMOVE(c, link);
  close(c->fd);
  /* A stand-in that was killed: what it stood for dies with it, as it would have. */
  if (c->proc && !c->told && !c->proc->zombie && c->proc != c->s->init_proc)
    process_signal_from_outside(c->proc, SIGKILL);
  process_put(c->proc);
  if (c->console)
    file_put(c->console);
  free(c);
}

static struct conn *conn_new(struct sentry *s, int fd) {
  struct conn *c = calloc(1, sizeof *c);
  if (!c)
    return NULL;
  c->s = s;
  c->fd = fd;
  LIST_INSERT_HEAD(&s->conns, c, link);
  return c;
}

static void conn_start(struct sentry *s, int fd) {
  struct conn *c = conn_new(s, fd);
  if (!c || fiber_spawn(conn_fiber, c)) {
    if (c)
      LIST_REMOVE(c, link);
    free(c);
    close(fd);
  }
}

static void accept_fiber(void *arg) {
  struct sentry *s = arg;
  for (;;) {
    int rc = loop_wait_fd(s->a->control_sock, EPOLLIN);
    if (rc < 0 && rc != -ERESTARTSYS && rc != -EINTR)
      return;
    int fd = accept4(s->a->control_sock, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
      conn_start(s, fd);
    else if (errno == EMFILE || errno == ENFILE)
      task_sleep(loop_now() + 100000000); /* the guests have opened all there is; somebody may close one */
  }
}

int control_serve(struct sentry *s) {
  int rc = s->a->control_sock >= 0 ? fiber_spawn(accept_fiber, s) : 0;
  if (rc || s->a->monitor_sock < 0)
    return rc;
  struct conn *c = conn_new(s, s->a->monitor_sock);
  if (!c)
    return -ENOMEM;
  c->proc = process_get(s->init_proc);
  if (s->console)
    c->console = file_get(s->console);
  rc = fiber_spawn(conn_fiber, c);
  return rc;
}
