/* The gofer's server: opens the trees, drops what it does not need, and answers requests one after the other. */
#include "server.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct op {
  gofer_handler *fn;
  bool changes; /* refused on read-only trees */
} ops[GOFER_OP_END] = {
    [GOFER_WALK] = {srv_walk, false},
    [GOFER_GETATTR] = {srv_getattr, false},
    [GOFER_OPEN] = {srv_open, false},
    [GOFER_READDIR] = {srv_readdir, false},
    [GOFER_READLINK] = {srv_readlink, false},
    [GOFER_CREATE] = {srv_create, true},
    [GOFER_MKDIR] = {srv_mkdir, true},
    [GOFER_MKNOD] = {srv_mknod, true},
    [GOFER_SYMLINK] = {srv_symlink, true},
    [GOFER_LINK] = {srv_link, true},
    [GOFER_UNLINK] = {srv_unlink, true},
    [GOFER_RMDIR] = {srv_rmdir, true},
    [GOFER_RENAME] = {srv_rename, true},
    [GOFER_SETATTR] = {srv_setattr, true},
    [GOFER_STATFS] = {srv_statfs, false},
    [GOFER_GETXATTR] = {srv_getxattr, false},
    [GOFER_SETXATTR] = {srv_setxattr, true},
    [GOFER_LISTXATTR] = {srv_listxattr, false},
    [GOFER_REMOVEXATTR] = {srv_removexattr, true},
    [GOFER_PROC] = {srv_proc, false},
};

ssize_t gofer_answer(struct gofer_server *s, uint8_t *req, size_t n, int *fd) {
  struct gofer_hdr h;
  *fd = -1;
  if (n < sizeof h)
    return -1;
  memcpy(&h, req, sizeof h);
  if (h.size != n || h.err || h.op == 0 || h.op >= GOFER_OP_END || h.tree >= s->nroots)
    return -1;
  struct gofer_call c = {
      .s = s,
      .root = &s->roots[h.tree],
      .in = {.buf = req, .cap = n, .pos = sizeof h},
      .out = {.buf = s->reply, .cap = sizeof s->reply, .pos = sizeof h},
      .fd = -1,
  };
  int err = ops[h.op].changes && c.root->readonly ? -EROFS : ops[h.op].fn(&c);
  if (err == CALL_MALFORMED || (err == 0 && c.out.bad)) {
    if (c.fd >= 0)
      close(c.fd);
    return -1;
  }
  if (err) {
    c.out.pos = sizeof h;
    if (c.fd >= 0)
      close(c.fd);
    c.fd = -1;
  }
  h.err = (uint32_t)-err;
  h.size = (uint32_t)c.out.pos;
  memcpy(s->reply, &h, sizeof h);
  *fd = c.fd;
  return (ssize_t)c.out.pos;
}

static int send_reply(struct gofer_server *s, size_t n, int fd) {
  struct iovec iov = {s->reply, n};
  union {
    struct cmsghdr align;
    char buf[CMSG_SPACE(sizeof(int))];
  } ctl = {0};
  struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
  if (fd >= 0) {
    m.msg_control = ctl.buf;
    m.msg_controllen = sizeof ctl.buf;
    struct cmsghdr *cm = CMSG_FIRSTHDR(&m);
    cm->cmsg_level = SOL_SOCKET;
    cm->cmsg_type = SCM_RIGHTS;
    cm->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(cm), &fd, sizeof fd);
  }
  ssize_t r;
  do
    r = sendmsg(s->sock, &m, MSG_NOSIGNAL);
  while (r < 0 && errno == EINTR);
  return r == (ssize_t)n ? 0 : -1;
}

static int serve(struct gofer_server *s) {
  for (;;) {
    struct iovec iov = {s->req, sizeof s->req};
    /* No room for control data: descriptors that the peer sends are dropped by the kernel, and end the connection. */
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    ssize_t n = recvmsg(s->sock, &m, 0);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return n == 0 || errno == ECONNRESET ? 0 : 1;
    if (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
      return 1;
    int fd;
    ssize_t len = gofer_answer(s, s->req, (size_t)n, &fd);
    if (len < 0)
      return 1;
    int err = send_reply(s, (size_t)len, fd);
    if (fd >= 0)
      close(fd);
    if (err)
      return 0; /* nobody listens any more */
  }
}

static int open_tree(struct gofer_root *r, const struct gofer_tree *t) {
  struct stat st;
  r->readonly = t->readonly;
  r->fd = open(t->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (r->fd < 0 || fstat(r->fd, &st) < 0)
    return -errno;
  if (S_ISDIR(st.st_mode))
    return 0;
  close(r->fd);
  const char *slash = strrchr(t->path, '/');
  r->file = strdup(slash ? slash + 1 : t->path);
  char *dir = slash ? strndup(t->path, slash == t->path ? 1 : (size_t)(slash - t->path)) : strdup(".");
  if (!r->file || !dir) {
    free(dir);
    r->fd = -1;
    return -ENOMEM;
  }
  r->fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
  int err = r->fd < 0 ? -errno : 0;
  free(dir);
  return err;
}

int gofer_open_trees(struct gofer_server *s, const struct gofer_tree *trees, int n) {
  s->roots = calloc((size_t)n + 1, sizeof *s->roots);
  if (!s->roots)
    return -ENOMEM;
  for (int i = 0; i < n; i++)
    s->roots[i].fd = -1;
  s->nroots = n;
  for (int i = 0; i < n; i++) {
    int err = open_tree(&s->roots[i], &trees[i]);
    if (err)
      return err;
  }
  return 0;
}

void gofer_close_trees(struct gofer_server *s) {
  for (int i = 0; i < s->nroots; i++) {
    if (s->roots[i].fd >= 0)
      close(s->roots[i].fd);
    free(s->roots[i].file);
  }
  free(s->roots);
  s->roots = NULL;
  s->nroots = 0;
}

int gofer_serve(int sock, const struct gofer_tree *trees, int ntrees, int proc_fd) {
  if (ntrees < 0 || ntrees > GOFER_TREES_MAX)
    return 1;
  struct gofer_server *s = calloc(1, sizeof *s);
  if (!s)
    return 1;
  s->sock = sock;
  s->proc_fd = proc_fd;
  umask(0);
  int err = gofer_open_trees(s, trees, ntrees);
  if (err) {
    fprintf(stderr, "gofer: cannot open a tree: %s\n", strerror(-err));
  } else if ((err = gofer_drop_capabilities())) {
    fprintf(stderr, "gofer: cannot drop capabilities: %s\n", strerror(-err));
  } else if ((err = gofer_install_filter(sock))) {
    fprintf(stderr, "gofer: cannot install the seccomp filter: %s\n", strerror(-err));
  } else {
    return serve(s); /* the process ends now: nothing is freed, free() may want calls that the filter refuses */
  }
  gofer_close_trees(s);
  free(s);
  return 1;
}
