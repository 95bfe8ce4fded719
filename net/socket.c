#include "ifreq.h"
#include "sock_filter.h"
#include "socket.h"
#include "../core/errno.h"
#include "../core/task.h"
#include "../core/timers.h"
#include "../core/uaccess.h"
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>

/* Families whose file is not there yet answer -EAFNOSUPPORT. */
__attribute__((weak)) int inet_create(struct socket *s, int protocol);
__attribute__((weak)) int inet6_create(struct socket *s, int protocol);
__attribute__((weak)) int netlink_create(struct socket *s, int protocol);
__attribute__((weak)) int packet_create(struct socket *s, int protocol);

static const struct socket_family socket_families[] = {
    {AF_UNIX, unix_create},       {AF_INET, inet_create},     {AF_INET6, inet6_create},
    {AF_NETLINK, netlink_create}, {AF_PACKET, packet_create},
};

/* ---- the file ---- */

static const struct file_ops socket_file_ops;

struct socket *socket_from_file(struct file *f) {
  return f->ops == &socket_file_ops ? f->priv : NULL;
}

void msg_drop_fds(struct msg_k *m) {
  pid_put(m->pid);
  m->pid = NULL;
  for (int i = 0; i < m->nfds; i++)
    file_put(m->fds[i]);
  free(m->fds);
  m->fds = NULL;
  m->nfds = 0;
}

static ssize_t sock_read(struct file *f, struct uio *u, off_t *pos) {
  struct socket *s = f->priv;
  struct msg_k m = {.u = u, .flags = u->nonblock ? MSG_DONTWAIT : 0};
  if (!u->resid) /* as in SVr4: does not take a datagram */
    return 0;
  ssize_t n = s->ops->recvmsg ? s->ops->recvmsg(s, &m) : -EOPNOTSUPP;
  msg_drop_fds(&m);
  return n;
}

static ssize_t sock_write(struct file *f, struct uio *u, off_t *pos) {
  struct socket *s = f->priv;
  struct msg_k m = {.u = u, .flags = u->nonblock ? MSG_DONTWAIT : 0};
  if (s->type == SOCK_SEQPACKET)
    m.flags |= MSG_EOR;
  return s->ops->sendmsg ? s->ops->sendmsg(s, &m) : -EOPNOTSUPP;
}

static uint32_t sock_poll(struct file *f) {
  struct socket *s = f->priv;
  return s->ops->poll ? s->ops->poll(s) : 0;
}

/* FIOSETOWN and its relatives, which pipes do not have: sock_ioctl() of Linux. */
static long owner_ioctl(struct file *f, unsigned cmd, uint64_t arg) {
  struct task *t = task_current();
  int who;
  if (cmd == FIOSETOWN || cmd == SIOCSPGRP)
    return get_user(&who, arg) ? -EFAULT : file_set_owner(t, f, who);
  who = file_owner_here(t, f);
  return put_user(arg, &who);
}

static long sock_ioctl(struct file *f, unsigned cmd, uint64_t arg) {
  struct socket *s = f->priv;
  if (cmd == FIOSETOWN || cmd == SIOCSPGRP || cmd == FIOGETOWN || cmd == SIOCGPGRP)
    return owner_ioctl(f, cmd, arg);
  long r = s->ops->ioctl ? s->ops->ioctl(s, cmd, arg) : -ENOTTY;
  return r == -ENOTTY ? net_ifreq_ioctl(s, cmd, arg) : r;
}

static int sock_mmap(struct file *f, int prot, int flags, off_t off, size_t len, off_t *host_off) {
  struct socket *s = f->priv;
  return s->ops->mmap ? s->ops->mmap(s, off, len, host_off) : -ENODEV;
}

static off_t sock_llseek(struct file *f, off_t off, int whence) {
  return -ESPIPE;
}

static void sock_release(struct file *f) {
  struct socket *s = f->priv;
  s->file = NULL;
  if (s->ops && s->ops->release)
    s->ops->release(s);
  socket_free(s);
}

static const struct file_ops socket_file_ops = {
    .name = "socket",
    .read = sock_read,
    .write = sock_write,
    .poll = sock_poll,
    .ioctl = sock_ioctl,
    .llseek = sock_llseek,
    .mmap = sock_mmap,
    .release = sock_release,
};

/* ---- life ---- */

struct socket *socket_alloc(struct kernel *k, int family, int type, int protocol) {
  struct socket *s = calloc(1, sizeof *s);
  if (!s)
    return NULL;
  s->k = k;
  s->family = family;
  s->type = type;
  s->protocol = protocol;
  waitq_init(&s->wq);
  s->opt.sndbuf = s->opt.rcvbuf = SOCK_MEM_DEFAULT;
  s->opt.rcvlowat = 1;
  s->opt.peek_off = -1;
  return s;
}

void socket_free(struct socket *s) {
  waitq_destroy(&s->wq);
  sock_filter_free(s);
  free(s);
}

struct file *socket_file(struct socket *s, int flags) {
  struct file *f = file_new(&socket_file_ops, O_RDWR | (flags & O_NONBLOCK), s);
  if (!f) {
    if (s->ops && s->ops->release)
      s->ops->release(s);
    socket_free(s);
    return NULL;
  }
  s->file = f;
  f->wq = &s->wq;
  f->anon_ino = ++s->k->next_anon_ino;
  snprintf(s->name, sizeof s->name, "socket:[%llu]", (unsigned long long)f->anon_ino);
  f->anon_name = s->name;
  return f;
}

static int create(struct kernel *k, int family, int type, int protocol, struct socket **out) {
  if (family < 0 || family >= AF_MAX)
    return -EAFNOSUPPORT;
  if (type < 0 || type > SOCK_PACKET)
    return -EINVAL;
  for (size_t i = 0; i < sizeof socket_families / sizeof *socket_families; i++) {
    const struct socket_family *fam = &socket_families[i];
    if (fam->family != family || !fam->create)
      continue;
    struct socket *s = socket_alloc(k, family, type, protocol);
    if (!s)
      return -ENOMEM;
    int err = fam->create(s, protocol);
    if (err)
      socket_free(s);
    else
      *out = s;
    return err;
  }
  return -EAFNOSUPPORT;
}

int socket_create(struct kernel *k, int family, int type, int protocol, int flags, struct file **out) {
  struct socket *s;
  int err = create(k, family, type, protocol, &s);
  if (err)
    return err;
  *out = socket_file(s, flags);
  return *out ? 0 : -ENOMEM;
}

int socketpair_create(struct kernel *k, int family, int type, int protocol, int flags, struct file *out[2]) {
  out[0] = out[1] = NULL;
  int err = socket_create(k, family, type, protocol, flags, &out[0]);
  if (!err)
    err = socket_create(k, family, type, protocol, flags, &out[1]);
  if (!err) {
    struct socket *a = out[0]->priv, *b = out[1]->priv;
    err = a->ops->socketpair ? a->ops->socketpair(a, b) : -EOPNOTSUPP;
  }
  for (int i = 0; err && i < 2; i++) {
    file_put(out[i]);
    out[i] = NULL;
  }
  return err;
}

/* ---- waiting ---- */

int socket_take_error(struct socket *s) {
  int err = s->err;
  s->err = 0;
  return -err;
}

int64_t socket_deadline(int64_t timeo) {
  return timeo ? deadline_after(timeo) : NO_DEADLINE;
}

int socket_wait(struct waitq *q, uint32_t events, int64_t deadline) {
  int r = task_wait(q, events, deadline);
  if (r == -ETIMEDOUT)
    return -EAGAIN;
  /* signal(7): calls on sockets with a timeout are not restarted. */
  return r == -ERESTARTSYS && deadline != NO_DEADLINE ? -EINTR : r;
}

int socket_broken_pipe(int msg_flags) {
  struct task *t = task_current();
  if (t && !(msg_flags & MSG_NOSIGNAL)) {
    siginfo_t info = {.si_signo = SIGPIPE, .si_code = SI_USER};
    info.si_pid = pid_vnr(t->proc->pid);
    info.si_uid = kuid_here(t->cred->uid);
    send_signal_task(t, SIGPIPE, &info);
  }
  return -EPIPE;
}
