/* The container's file system: root, mounts, devices, hidden paths; config.md "Mounts", config-linux.md. */
#include "../fs/gofer/gofer.h"
#include "../fs/mount.h"
#include "sentry.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static bool with_overlay(const struct sentry *s) {
  return s->a->overlay && strcmp(s->a->overlay, "none");
}

static int mount_root(struct sentry *s, struct err *e) {
  struct kernel *k = s->k;
  struct super *lower = NULL, *upper = NULL, *root = NULL;
  struct mount *m = NULL;
  bool ro = s->a->spec->root_readonly;
  int rc = gofer_mount(k, s->gofer, 0, true, ro || with_overlay(s), &lower);
  if (rc)
    return err_sys(e, -rc, "open the root file system");
  root = lower;
  if (with_overlay(s)) {
    rc = tmpfs_mount(k, "mode=0755", &upper);
    if (!rc)
      rc = overlay_mount(k, lower, upper, &root);
  }
  if (!rc)
    rc = vfs_mount(k->vfs, k->vfs->init_ns, root, NULL, mount_flags_from_ms(0), with_overlay(s) ? "overlay" : "root", &m);
  if (rc)
    return err_sys(e, -rc, "mount the root file system");
  s->root = (struct path){.mnt = m, .dentry = dentry_get(m->root)};
  return 0;
}

/* The super for a mount of the spec. 0, or -errno; *none if there is nothing to mount. */
static int make_super(struct sentry *s, const struct oci_mount *m, struct super **out) {
  struct kernel *k = s->k;
  if (m->bind)
    return gofer_mount(k, s->gofer, m->tree, false, (m->flags & MS_RDONLY) != 0, out);
  if (!strcmp(m->type, "proc"))
    return proc_mount(k, m->data, out);
  if (!strcmp(m->type, "tmpfs") || !strcmp(m->type, "ramfs"))
    return tmpfs_mount(k, m->data, out);
  if (!strcmp(m->type, "devpts"))
    return devpts_mount(k, m->data, out);
  if (!strcmp(m->type, "sysfs"))
    return sysfs_mount(k, out);
  if (!strcmp(m->type, "mqueue"))
    return mqueue_mount(k, out);
  if (!strcmp(m->type, "devtmpfs"))
    return dev_mount(k, m->data, out);
  if (!strcmp(m->type, "cgroup") || !strcmp(m->type, "cgroup2"))
    return cgroup_mount(k, out);
  return -ENODEV;
}

static int mount_point(struct sentry *s, const struct oci_mount *m, bool dir, struct path *at) {
  int rc = vfs_lookup_kernel(&s->root, m->destination, LOOKUP_FOLLOW, at);
  if (!rc)
    return 0;
  return dir ? vfs_mkdir_p(s->k->vfs, &s->root, m->destination, 0755, at)
             : vfs_touch_p(s->k->vfs, &s->root, m->destination, at);
}

static int mount_one(struct sentry *s, const struct oci_mount *m, struct err *e) {
  struct super *sb = NULL;
  struct path at = {0};
  const char *source = m->source && *m->source ? m->source : m->bind ? "none" : m->type;
  int rc = make_super(s, m, &sb);
  if (rc)
    return err_sys(e, -rc, "error mounting \"%s\" to rootfs at \"%s\"", source, m->destination);
  bool dir = S_ISDIR(sb->root->inode->mode);
  rc = mount_point(s, m, dir, &at);
  if (rc) {
    super_put(sb);
    /* A sysfs without the place for it: the container simply has no cgroup mount. */
    if (!m->bind && !strncmp(m->type, "cgroup", 6)) {
      klog(s->k, "cgroup: no mount point %s", m->destination);
      return 0;
    }
    return err_sys(e, -rc, "error mounting \"%s\" to rootfs at \"%s\": create mount point", source, m->destination);
  }
  struct mount *made = NULL;
  if (dir != S_ISDIR(at.dentry->inode->mode))
    rc = -ENOTDIR;
  else
    rc = vfs_mount(s->k->vfs, s->k->vfs->init_ns, sb, &at, mount_flags_from_ms(m->flags), source, &made);
  if (!rc && m->tmpcopyup) {
    struct path top = {.mnt = made, .dentry = made->root};
    rc = boot_copy_up(s, &at, &top);
  }
  path_put(&at);
  super_put(sb);
  return rc ? err_sys(e, -rc, "error mounting \"%s\" to rootfs at \"%s\"", source, m->destination) : 0;
}

int boot_mount_all(struct sentry *s, struct err *e) {
  const struct oci_spec *spec = s->a->spec;
  if (mount_root(s, e))
    return -1;
  for (size_t i = 0; i < spec->nmounts; i++)
    if (mount_one(s, &spec->mounts[i], e))
      return -1;
  return 0;
}

/* ---- /dev ---- */

static const struct {
  const char *path;
  unsigned major, minor;
} default_nodes[] = {
    {"/dev/null", 1, 3},   {"/dev/zero", 1, 5},    {"/dev/full", 1, 7},
    {"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0},
};
static const struct {
  const char *path, *target;
} default_links[] = {
    {"/dev/fd", "/proc/self/fd"},       {"/dev/stdin", "/proc/self/fd/0"}, {"/dev/stdout", "/proc/self/fd/1"},
    {"/dev/stderr", "/proc/self/fd/2"}, {"/dev/ptmx", "pts/ptmx"},
};

/* Somebody's own /dev is left as it is. */
static bool dev_is_bound(const struct oci_spec *spec) {
  for (size_t i = 0; i < spec->nmounts; i++)
    if (spec->mounts[i].bind &&
        (!strcmp(spec->mounts[i].destination, "/dev") || !strcmp(spec->mounts[i].destination, "/dev/")))
      return true;
  return false;
}

static int make_parent(struct sentry *s, const char *path) {
  char dir[4096];
  struct path p;
  snprintf(dir, sizeof dir, "%s", path);
  *strrchr(dir, '/') = 0;
  if (!*dir)
    return 0;
  int rc = vfs_mkdir_p(s->k->vfs, &s->root, dir, 0755, &p);
  if (!rc)
    path_put(&p);
  return rc;
}

static int make_node(struct sentry *s, struct task *t, const char *path, uint32_t mode, dev_t dev) {
  int rc = make_parent(s, path);
  if (!rc)
    rc = vfs_mknod(t, AT_FDCWD, path, mode, dev);
  return rc == -EEXIST ? 0 : rc;
}

static int make_spec_device(struct sentry *s, struct task *t, const struct oci_device *d) {
  static const char types[] = "bcup";
  static const uint32_t modes[] = {S_IFBLK, S_IFCHR, S_IFCHR, S_IFIFO};
  uint32_t type = modes[strchr(types, d->type) - types];
  int rc = make_node(s, t, d->path, type | d->mode, makedev((unsigned)d->major, (unsigned)d->minor));
  struct path p;
  if (rc || vfs_lookup(t, AT_FDCWD, d->path, 0, &p))
    return rc;
  struct iattr a = {.valid = ATTR_UID | ATTR_GID | ATTR_MODE, .uid = d->uid, .gid = d->gid, .mode = d->mode};
  vfs_setattr(t, &p, &a, 0);
  path_put(&p);
  return 0;
}

int boot_mount_devices(struct sentry *s, struct task *t, struct err *e) {
  const struct oci_spec *spec = s->a->spec;
  if (dev_is_bound(spec))
    return 0;
  for (size_t i = 0; i < sizeof default_nodes / sizeof *default_nodes; i++) {
    int rc =
        make_node(s, t, default_nodes[i].path, S_IFCHR | 0666, makedev(default_nodes[i].major, default_nodes[i].minor));
    if (rc)
      return err_sys(e, -rc, "make device %s", default_nodes[i].path);
  }
  if (spec->process.terminal)
    make_node(s, t, "/dev/console", S_IFCHR | 0620, makedev(5, 1));
  for (size_t i = 0; i < sizeof default_links / sizeof *default_links; i++) {
    int rc = vfs_symlink(t, default_links[i].target, AT_FDCWD, default_links[i].path);
    if (rc && rc != -EEXIST)
      return err_sys(e, -rc, "make link %s", default_links[i].path);
  }
  for (size_t i = 0; i < spec->ndevices; i++) {
    int rc = make_spec_device(s, t, &spec->devices[i]);
    if (rc)
      return err_sys(e, -rc, "linux.devices[%zu]: make device %s", i, spec->devices[i].path);
  }
  return 0;
}

/* ---- what must not be seen or written ---- */

static int mask(struct sentry *s, const char *path) {
  struct path at, null;
  struct vfs *v = s->k->vfs;
  if (vfs_lookup_kernel(&s->root, path, LOOKUP_FOLLOW, &at))
    return 0; /* not there */
  int rc;
  if (S_ISDIR(at.dentry->inode->mode)) {
    struct super *sb = NULL;
    rc = tmpfs_mount(s->k, "size=0,mode=0755", &sb);
    if (!rc)
      rc = vfs_mount(v, v->init_ns, sb, &at, MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "tmpfs", NULL);
    super_put(sb);
  } else {
    rc = vfs_lookup_kernel(&s->root, "/dev/null", 0, &null);
    if (!rc) {
      rc = vfs_bind(v, v->init_ns, &null, &at, 0, false);
      path_put(&null);
    }
  }
  path_put(&at);
  return rc;
}

static int make_readonly(struct sentry *s, const char *path) {
  struct path at;
  if (vfs_lookup_kernel(&s->root, path, LOOKUP_FOLLOW, &at))
    return 0;
  int rc = vfs_bind(s->k->vfs, s->k->vfs->init_ns, &at, &at, at.mnt->flags | MS_RDONLY, true);
  path_put(&at);
  return rc;
}

/* linux.sysctl: "net.ipv4.x" is /proc/sys/net/ipv4/x. What this kernel has no switch for is as it is. */
static void set_sysctls(struct sentry *s, struct task *t) {
  const char *key;
  json_t *v;
  json_object_foreach(s->a->spec->sysctl, key, v) {
    char path[512];
    struct file *f = NULL;
    struct uio u;
    struct iovec iov;
    const char *text = json_string_value(v);
    snprintf(path, sizeof path, "/proc/sys/%s", key);
    for (char *p = path + strlen("/proc/sys/"); *p; p++)
      if (*p == '.')
        *p = '/';
    if (vfs_open(t, AT_FDCWD, path, &(struct open_how_k){.flags = O_WRONLY}, &f)) {
      klog(s->k, "sysctl %s: not there", key);
      continue;
    }
    uio_kernel(&u, &iov, (void *)text, strlen(text));
    if (file_write(f, &u, NULL) < 0)
      klog(s->k, "sysctl %s: value \"%s\" refused", key, text);
    file_put(f);
  }
}

int boot_hide_paths(struct sentry *s, struct task *t, struct err *e) {
  const struct oci_spec *spec = s->a->spec;
  set_sysctls(s, t);
  for (size_t i = 0; i < spec->readonly.n; i++) {
    int rc = make_readonly(s, spec->readonly.v[i]);
    if (rc)
      return err_sys(e, -rc, "linux.readonlyPaths[%zu]: %s", i, spec->readonly.v[i]);
  }
  for (size_t i = 0; i < spec->masked.n; i++) {
    int rc = mask(s, spec->masked.v[i]);
    if (rc)
      return err_sys(e, -rc, "linux.maskedPaths[%zu]: %s", i, spec->masked.v[i]);
  }
  return 0;
}
