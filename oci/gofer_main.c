/* The gofer's process: a root that holds the container's trees and nothing else, then fs/gofer's server. */
#include "../fs/gofer/gofer.h"
#include "fds.h"
#include "launch.h"
#include "title.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct tree {
  int fd; /* a detached copy of the mount */
  bool dir, readonly;
};

static _Noreturn void die(const char *what, const char *path) {
  /* stderr is the debug log, if there is one; the Sentry reports that the gofer has gone. */
  dprintf(STDERR_FILENO, "gofer: %s %s: %s\n", what, path, strerror(errno));
  _exit(1);
}

static void source_path(const struct launch *l, const char *source, char *buf, size_t cap) {
  snprintf(buf, cap, "%s%s%s", *source == '/' ? "" : l->bundle, *source == '/' ? "" : "/", source);
}

/* Trees are opened before the root changes: sources may lie anywhere, under /tmp or /proc as well. */
static void open_tree_copy(struct tree *t, const char *path, bool recursive, bool readonly) {
  struct stat st;
  unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0);
  t->fd = (int)syscall(SYS_open_tree, AT_FDCWD, path, flags);
  if (t->fd < 0 || fstatat(t->fd, "", &st, AT_EMPTY_PATH))
    die("open", path);
  t->dir = S_ISDIR(st.st_mode);
  t->readonly = readonly;
  /* Device nodes are the Sentry's business, set-id bits too: the host's must mean nothing here. */
  struct mount_attr attr = {.attr_set = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | (readonly ? MOUNT_ATTR_RDONLY : 0)};
  if (syscall(SYS_mount_setattr, t->fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr, sizeof attr))
    die("restrict", path);
}

static void attach(int root, const struct tree *t, int number) {
  char name[16];
  snprintf(name, sizeof name, "%d", number);
  int fd = -1;
  if (t->dir ? mkdirat(root, name, 0700) : (fd = openat(root, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600)) < 0)
    die("make", name);
  if (fd >= 0)
    close(fd);
  if (syscall(SYS_move_mount, t->fd, "", root, name, MOVE_MOUNT_F_EMPTY_PATH))
    die("mount", name);
  close(t->fd);
}

_Noreturn void gofer_main(const struct launch *l, int sock) {
  const struct oci_spec *s = l->spec;
  char path[4096 * 2];
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  title_set("runsc-notify-go", "runsc-notify-gofer %s", l->id);
  int keep[] = {sock};
  fds_close_others(keep, 1);

  int n = 1;
  for (size_t i = 0; i < s->nmounts; i++)
    n += s->mounts[i].bind;
  struct tree *trees = calloc((size_t)n, sizeof *trees);
  struct gofer_tree *served = calloc((size_t)n, sizeof *served);
  if (!trees || !served)
    die("memory for", "trees");
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
    die("make private", "/");
  /* With an overlay nothing is ever written to the root: the kernel may as well see to it. */
  bool overlay = l->overlay && strcmp(l->overlay, "none");
  open_tree_copy(&trees[0], l->rootfs, true, s->root_readonly || overlay);
  for (size_t i = 0; i < s->nmounts; i++) {
    const struct oci_mount *m = &s->mounts[i];
    if (!m->bind)
      continue;
    source_path(l, m->source, path, sizeof path);
    open_tree_copy(&trees[m->tree], path, (m->flags & MS_REC) != 0, (m->flags & MS_RDONLY) != 0);
  }
  int proc = detached_procfs();
  int root = detached_tmpfs();
  if (root < 0)
    die("make", "a tmpfs");
  if (enter_root(root, false))
    die("enter", "the gofer's root");
  for (int i = 0; i < n; i++) {
    attach(root, &trees[i], i);
    char *p = NULL;
    if (asprintf(&p, "/%d", i) < 0)
      die("memory for", "trees");
    served[i] = (struct gofer_tree){.path = p, .readonly = trees[i].readonly};
  }
  close(root);
  free(trees);
  if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NODEV | MS_NOSUID | MS_NOEXEC, NULL))
    die("make read-only", "/");
  _exit(gofer_serve(sock, served, n, proc));
}
