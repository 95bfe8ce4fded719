/* The file of a seccomp listener: seccomp_unotify(2). What it does is in core/seccomp_notify.c. */
#include "../core/errno.h"
#include "../core/seccomp.h"
#include "anon.h"
#include "vfs.h"

static uint32_t notify_poll(struct file *f) {
  return seccomp_listener_poll(f->priv);
}

static long notify_ioctl(struct file *f, unsigned cmd, uint64_t arg) {
  return seccomp_listener_ioctl(f->priv, cmd, arg);
}

static void notify_release(struct file *f) {
  seccomp_listener_close(f->priv);
}

static const struct file_ops notify_ops = {
    .name = "seccomp-notify",
    .poll = notify_poll,
    .ioctl = notify_ioctl,
    .release = notify_release,
};

int seccomp_notify_file_new(struct kernel *k, struct seccomp_filter *filter, struct file **out) {
  struct seccomp_listener *l;
  int r = seccomp_listener_new(filter, &l);
  if (r)
    return r;
  *out = anon_file_new(k, &notify_ops, O_RDWR, l, "anon_inode:seccomp notify");
  if (!*out) {
    seccomp_listener_close(l);
    return -ENOMEM;
  }
  (*out)->wq = seccomp_listener_wq(l);
  return 0;
}
