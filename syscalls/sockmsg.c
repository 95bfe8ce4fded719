#include "sockmsg.h"
#include "../core/errno.h"
#include "../core/kernel.h"
#include "../core/uaccess.h"
#include "../fs/anon.h"
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#define SCM_MAX_FD 253
#define CMSG_CREDENTIALS 2 /* SCM_CREDENTIALS */
#define CMSG_PIDFD 4       /* SCM_PIDFD; newer than this libc */

static int get_header(uint64_t umsg, struct user_msg *x) {
  memset(x, 0, offsetof(struct user_msg, fast));
  x->control = NULL;
  if (get_user(&x->h, umsg))
    return -EFAULT;
  if ((int)x->h.msg_namelen < 0)
    return -EINVAL;
  if (!x->h.msg_name)
    x->h.msg_namelen = 0;
  if (x->h.msg_namelen > sizeof x->name)
    x->h.msg_namelen = sizeof x->name;
  if (x->h.msg_iovlen > UIO_MAXIOV)
    return -EMSGSIZE;
  x->m.u = &x->u;
  return uio_user_vec(&x->u, x->fast, MSG_FAST_IOV, (uint64_t)x->h.msg_iov, x->h.msg_iovlen);
}

void user_msg_done(struct user_msg *x) {
  msg_drop_fds(&x->m);
  free(x->control);
  uio_done(&x->u, x->fast);
}

/* ---- sending ---- */

/* May t claim these ids? unix(7), SCM_CREDENTIALS. */
static bool may_claim(const struct task *t, const struct ucred *c) {
  const struct cred *k = t->cred;
  bool pid = c->pid == pid_vnr(t->proc->pid) || ns_capable(k, task_pid_ns_borrow(t)->ns.owner, CAP_SYS_ADMIN);
  bool uid = c->uid == k->uid || c->uid == k->euid || c->uid == k->suid || cred_own_cap(k, CAP_SETUID);
  bool gid = c->gid == k->gid || c->gid == k->egid || c->gid == k->sgid || cred_own_cap(k, CAP_SETGID);
  return pid && uid && gid;
}

static int add_rights(struct task *t, struct msg_k *m, const void *data, size_t len) {
  int n = (int)(len / sizeof(int));
  if (!n)
    return 0;
  if (m->nfds + n > SCM_MAX_FD)
    return -EINVAL;
  struct file **fds = realloc(m->fds, (size_t)(m->nfds + n) * sizeof *fds);
  if (!fds)
    return -ENOMEM;
  m->fds = fds;
  for (int i = 0; i < n; i++) {
    int fd;
    memcpy(&fd, (const char *)data + (size_t)i * sizeof fd, sizeof fd);
    struct file *f = fd_file_raw(t->files, fd);
    if (!f)
      return -EBADF;
    m->fds[m->nfds++] = f;
  }
  return 0;
}

static int add_cmsg(struct task *t, struct msg_k *m, const struct cmsghdr *c, const void *data, size_t len) {
  if (c->cmsg_level != SOL_SOCKET)
    return 0;
  if (c->cmsg_type == SCM_RIGHTS)
    return add_rights(t, m, data, len);
  if (c->cmsg_type != CMSG_CREDENTIALS || len != sizeof m->cred)
    return -EINVAL;
  memcpy(&m->cred, data, sizeof m->cred);
  const struct user_namespace *u = t->cred->user_ns;
  m->cred.uid = make_kuid(u, m->cred.uid);
  m->cred.gid = make_kgid(u, m->cred.gid);
  if (m->cred.uid == INVALID_ID || m->cred.gid == INVALID_ID)
    return -EINVAL;
  if (!may_claim(t, &m->cred))
    return -EPERM;
  struct pid *pid = pid_find_borrow(t->k, m->cred.pid);
  if (!pid)
    return -ESRCH;
  m->cred.pid = pid->nr;
  m->has_cred = true;
  return 0;
}

/* Everything is read from our copy, so what was checked is what is used. */
static int parse_control(struct task *t, struct user_msg *x, size_t len) {
  size_t off = 0;
  while (len - off >= sizeof(struct cmsghdr)) {
    struct cmsghdr c;
    memcpy(&c, x->control + off, sizeof c);
    if (c.cmsg_len < sizeof c || c.cmsg_len > len - off)
      return -EINVAL;
    int err = add_cmsg(t, &x->m, &c, x->control + off + sizeof c, c.cmsg_len - sizeof c);
    if (err)
      return err;
    size_t step = CMSG_ALIGN(c.cmsg_len);
    if (step > len - off)
      break;
    off += step;
  }
  return 0;
}

int user_msg_send(struct task *t, struct socket *s, uint64_t umsg, int flags, struct user_msg *x) {
  int err = get_header(umsg, x);
  if (err)
    return err;
  size_t len = x->h.msg_controllen;
  if (x->h.msg_namelen)
    err = copy_from_user(&x->name, (uint64_t)x->h.msg_name, x->h.msg_namelen);
  if (!err && len > MSG_CONTROL_MAX)
    err = -ENOBUFS;
  if (!err && len) {
    x->control = malloc(len);
    err = x->control ? copy_from_user(x->control, (uint64_t)x->h.msg_control, len) : -ENOMEM;
  }
  if (!err && len && (s->family == AF_UNIX || s->family == AF_NETLINK)) {
    err = parse_control(t, x, len);
  } else if (!err) {
    x->m.control = x->control;
    x->m.control_len = len;
  }
  x->m.name = x->h.msg_namelen ? &x->name : NULL;
  x->m.name_len = x->h.msg_namelen;
  x->m.flags = flags;
  if (err)
    user_msg_done(x);
  return err;
}

/* ---- receiving ---- */

int user_msg_recv(struct task *t, uint64_t umsg, int flags, struct user_msg *x) {
  int err = get_header(umsg, x);
  if (err)
    return err;
  if (x->h.msg_control && x->h.msg_controllen >= sizeof(struct cmsghdr)) {
    x->control = malloc(MSG_RECV_CONTROL);
    if (!x->control) {
      user_msg_done(x);
      return -ENOMEM;
    }
    x->m.control = x->control;
    x->m.control_cap = MSG_RECV_CONTROL;
  }
  x->m.name = x->h.msg_name ? &x->name : NULL;
  x->m.name_len = x->h.msg_name ? sizeof x->name : 0;
  x->m.flags = flags;
  return 0;
}

struct cmsg_out { /* control messages on their way out; room is what the guest offers */
  char *buf;
  size_t used, room;
  int *flags;
};

/* As put_cmsg() of Linux: cut to the room, with MSG_CTRUNC. */
static void put_cmsg(struct cmsg_out *o, int level, int type, const void *data, size_t len) {
  size_t left = o->room - o->used, want = CMSG_LEN(len), space = CMSG_SPACE(len);
  if (left < sizeof(struct cmsghdr)) {
    *o->flags |= MSG_CTRUNC;
    return;
  }
  if (left < want) {
    *o->flags |= MSG_CTRUNC;
    want = left;
  }
  struct cmsghdr c = {.cmsg_len = want, .cmsg_level = level, .cmsg_type = type};
  memcpy(o->buf + o->used, &c, sizeof c);
  memcpy(o->buf + o->used + sizeof c, data, want - sizeof c);
  if (space > left)
    space = left;
  memset(o->buf + o->used + want, 0, space > want ? space - want : 0);
  o->used += space > want ? space : want;
}

static int put_rights(struct task *t, struct cmsg_out *o, const struct msg_k *m, bool cloexec, int fd[SCM_MAX_FD]) {
  size_t left = o->room - o->used;
  int max = left > sizeof(struct cmsghdr) ? (int)((left - sizeof(struct cmsghdr)) / sizeof(int)) : 0, n = 0;
  while (n < m->nfds && n < max) {
    fd[n] = fd_reserve(t->files, 0, cloexec);
    if (fd[n] < 0)
      break;
    n++;
  }
  if (n < m->nfds)
    *o->flags |= MSG_CTRUNC;
  if (n)
    put_cmsg(o, SOL_SOCKET, SCM_RIGHTS, fd, (size_t)n * sizeof *fd);
  return n;
}

static void put_raw(struct cmsg_out *o, const struct msg_k *m) {
  size_t off = 0;
  while (m->control_len - off >= sizeof(struct cmsghdr)) {
    struct cmsghdr c;
    memcpy(&c, (char *)m->control + off, sizeof c);
    put_cmsg(o, c.cmsg_level, c.cmsg_type, (char *)m->control + off + sizeof c, c.cmsg_len - sizeof c);
    off += CMSG_ALIGN(c.cmsg_len);
    if (off > m->control_len)
      break;
  }
}

/* -errno in the place of the descriptor says why there is none. The number, to be undone; -1 none. */
static int put_pidfd(struct task *t, struct cmsg_out *o, struct pid *pid) {
  struct file *f = pidfd_file_new(t->k, pid, 0);
  int fd = f ? fd_install(t->files, f, 0, true) : -ENOMEM;
  if (f)
    file_put(f);
  put_cmsg(o, SOL_SOCKET, CMSG_PIDFD, &fd, sizeof fd);
  return fd;
}

int user_msg_put(struct task *t, uint64_t umsg, int flags, struct user_msg *x) {
  struct msg_k *m = &x->m;
  int fd[SCM_MAX_FD], nfd = 0, err = 0, pidfd = -1;
  char buf[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof pidfd) + CMSG_SPACE(sizeof fd) + MSG_RECV_CONTROL];
  size_t room = x->h.msg_control ? x->h.msg_controllen : 0;
  struct cmsg_out o = {.buf = buf, .room = room < sizeof buf ? room : sizeof buf, .flags = &m->flags};
  if (m->has_cred) {
    struct ucred c = ucred_here(t->k, &m->cred);
    put_cmsg(&o, SOL_SOCKET, CMSG_CREDENTIALS, &c, sizeof c);
  }
  if (m->pid)
    pidfd = put_pidfd(t, &o, m->pid);
  if (m->nfds)
    nfd = put_rights(t, &o, m, flags & MSG_CMSG_CLOEXEC, fd);
  put_raw(&o, m);
  if (x->h.msg_name) {
    socklen_t n = m->name_len < x->h.msg_namelen ? m->name_len : x->h.msg_namelen;
    err = n ? copy_to_user((uint64_t)x->h.msg_name, &x->name, n) : 0;
    x->h.msg_namelen = m->name_len;
  }
  if (!err && o.used)
    err = copy_to_user((uint64_t)x->h.msg_control, buf, o.used);
  x->h.msg_controllen = o.used;
  x->h.msg_flags = m->flags | (flags & MSG_CMSG_CLOEXEC);
  if (!err)
    err = put_user(umsg, &x->h);
  if (err && pidfd >= 0)
    fd_close(t->files, pidfd);
  for (int i = 0; i < nfd; i++) {
    if (err)
      fd_unreserve(t->files, fd[i]);
    else
      fd_fill(t->files, fd[i], m->fds[i]);
  }
  return err;
}
