/* Files on namespaces, which keep them alive: what /proc/PID/ns leads to. namespaces(7), ioctl_ns(2). */
#include "anon.h"
#include "vfs.h"
#include "../core/errno.h"
#include "../core/uaccess.h"
#include <linux/nsfs.h>
#include <stdio.h>
#include <stdlib.h>

struct ns_file {
  struct ns_common *ns; /* counted */
  char name[32];
};

static void nsfs_release(struct file *f) {
  struct ns_file *nf = f->priv;
  ns_put(nf->ns);
  free(nf);
}

static long nsfs_ioctl(struct file *f, unsigned cmd, uint64_t arg);
static int nsfs_reopen(struct file *f, int flags, struct file **out) {
  return flags & (O_WRONLY | O_RDWR) ? -EPERM : nsfs_open(((struct ns_file *)f->priv)->ns, flags, out);
}
static const struct file_ops nsfs_ops = {
    .name = "nsfs", .ioctl = nsfs_ioctl, .reopen = nsfs_reopen, .release = nsfs_release};

int nsfs_open(struct ns_common *ns, int flags, struct file **out) {
  struct ns_file *nf = malloc(sizeof *nf);
  struct file *f = nf ? file_new(&nsfs_ops, flags, nf) : NULL;
  if (!f) {
    free(nf);
    return -ENOMEM;
  }
  nf->ns = ns_get(ns);
  nsfs_name(ns, nf->name, sizeof nf->name);
  f->anon_name = nf->name;
  f->anon_ino = ns->ino;
  *out = f;
  return 0;
}

int nsfs_name(const struct ns_common *ns, char *buf, size_t cap) {
  return snprintf(buf, cap, "%s:[%u]", ns_name(ns->kind), ns->ino);
}

struct ns_common *nsfs_ns_borrow(const struct file *f) {
  return f->ops == &nsfs_ops ? ((struct ns_file *)f->priv)->ns : NULL;
}

static long open_related(struct task *t, struct ns_common *ns) {
  AUTO_FILE f = NULL;
  int r = nsfs_open(ns, O_RDONLY, &f);
  return r ? r : fd_install(t->files, f, 0, true);
}

/* The owner: only if the caller's user namespace is that one or above it. */
static long get_userns(struct task *t, const struct ns_common *ns) {
  struct user_namespace *u = ns->owner;
  if (!u || !user_ns_contains(current_user_ns_borrow(), u))
    return -EPERM;
  return open_related(t, &u->ns);
}

static long get_parent(struct task *t, struct ns_common *ns) {
  if (ns->kind == NS_USER)
    return get_userns(t, ns);
  if (ns->kind != NS_PID)
    return -EINVAL;
  struct pid_namespace *up = ((struct pid_namespace *)ns)->parent;
  if (!up || !pid_ns_contains(task_pid_ns_borrow(t), up))
    return -EPERM;
  return open_related(t, &up->ns);
}

static long nsfs_ioctl(struct file *f, unsigned cmd, uint64_t arg) {
  struct ns_common *ns = ((struct ns_file *)f->priv)->ns;
  struct task *t = task_current();
  uint32_t uid;
  switch (cmd) {
  case NS_GET_USERNS:
    return t ? get_userns(t, ns) : -EPERM;
  case NS_GET_PARENT:
    return t ? get_parent(t, ns) : -EPERM;
  case NS_GET_NSTYPE:
    return ns_clone_flag(ns->kind);
  case NS_GET_OWNER_UID:
    if (ns->kind != NS_USER)
      return -EINVAL;
    uid = kuid_here(((struct user_namespace *)ns)->owner_uid);
    return put_user(arg, &uid) ? -EFAULT : 0;
  default:
    return -ENOTTY;
  }
}
