/*
 * P's view of the file system. Engines enter /proc/P/ns/mnt as if P were the container (podman cp, podman top); what
 * they must find there is the container's files, never the host's. So P moves into a mount namespace of its own with
 * the root file system and the bind mounts, and with nothing in /proc.
 */
#include "launch.h"
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

static int clone_tree(const char *path, bool recursive) {
  return (int)syscall(SYS_open_tree, AT_FDCWD, path,
                      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0));
}

static int open_source(const struct launch *l, const struct oci_mount *m) {
  char path[8192];
  snprintf(path, sizeof path, "%s%s%s", *m->source == '/' ? "" : l->bundle, *m->source == '/' ? "" : "/", m->source);
  int fd = clone_tree(path, (m->flags & MS_REC) != 0);
  if (fd >= 0 && m->flags & MS_RDONLY) {
    struct mount_attr ro = {.attr_set = MOUNT_ATTR_RDONLY};
    syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &ro, sizeof ro);
  }
  return fd;
}

int standin_enter_root(const struct launch *l) {
  const struct oci_spec *s = l->spec;
  if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
    return -1;
  /* Sources are opened here, and attached where paths can lead nowhere but into the new root. */
  int *fds = calloc(s->nmounts + 1, sizeof *fds);
  int root = clone_tree(l->rootfs, true);
  if (!fds || root < 0)
    return -1;
  for (size_t i = 0; i < s->nmounts; i++)
    fds[i] = s->mounts[i].bind ? open_source(l, &s->mounts[i]) : -1;
  if (enter_root(root, false))
    return -1;
  mount("none", "/proc", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, "size=0,mode=555");
  for (size_t i = 0; i < s->nmounts; i++) {
    if (fds[i] < 0)
      continue;
    /* A destination that exists only in the container's own tree (a tmpfs, the overlay) has no place here. */
    syscall(SYS_move_mount, fds[i], "", AT_FDCWD, s->mounts[i].destination, MOVE_MOUNT_F_EMPTY_PATH);
    close(fds[i]);
  }
  close(root);
  free(fds);
  return 0;
}
