/* The mount table in its three forms: proc_pid_mounts(5), proc_pid_mountinfo(5), proc_pid_mountstats(5). */
#include "../mount.h"
#include "proc.h"
#include "../../core/errno.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#define ESCAPED " \t\n\\#"

enum form { MOUNTS, MOUNTINFO, MOUNTSTATS };

static void show_mount_flags(struct sbuf *b, const struct mount *m) {
  static const struct {
    unsigned flag;
    const char *text;
  } names[] = {{MS_NOSUID, ",nosuid"},          {MS_NODEV, ",nodev"},           {MS_NOEXEC, ",noexec"},
               {MS_NOATIME, ",noatime"},        {MS_NODIRATIME, ",nodiratime"}, {MS_RELATIME, ",relatime"},
               {MS_NOSYMFOLLOW, ",nosymfollow"}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (m->flags & names[i].flag)
      sb_puts(b, names[i].text);
}

static void show_super_flags(struct sbuf *b, const struct super *sb) {
  if (sb->sbflags & MS_SYNCHRONOUS)
    sb_puts(b, ",sync");
  if (sb->sbflags & MS_DIRSYNC)
    sb_puts(b, ",dirsync");
  if (sb->sbflags & MS_LAZYTIME)
    sb_puts(b, ",lazytime");
}

/* shared:N master:N propagate_from:N unbindable */
static void show_propagation(struct sbuf *b, const struct mount *m) {
  const struct task *me = task_current();
  int master = peers_master_id(m);
  if (m->peers)
    sb_printf(b, " shared:%d", m->peers->id);
  if (master) {
    int from = me && me->fs ? peers_dominating_id(m, me->fs->ns, &me->fs->root) : 0;
    sb_printf(b, " master:%d", master);
    if (from && from != master)
      sb_printf(b, " propagate_from:%d", from);
  }
  if (m->unbindable)
    sb_puts(b, " unbindable");
}

static void show_super_options(struct sbuf *b, const struct super *sb) {
  if (sb->options && *sb->options) {
    sb_put(b, ",", 1);
    sb_mangle(b, sb->options, ESCAPED);
  }
}

static const char *source_of(const struct mount *m) {
  return m->source && *m->source ? m->source : "none";
}

static void show_line(struct sbuf *b, const struct mount *m, const char *at) {
  bool ro = (m->flags & MS_RDONLY) || m->sb->readonly;
  sb_mangle(b, source_of(m), ESCAPED);
  sb_put(b, " ", 1);
  sb_mangle(b, at, ESCAPED);
  sb_printf(b, " %s %s", m->sb->fstype, ro ? "ro" : "rw");
  show_super_flags(b, m->sb);
  show_mount_flags(b, m);
  show_super_options(b, m->sb);
  sb_puts(b, " 0 0\n");
}

static void show_info(struct sbuf *b, const struct mount *m, const char *at) {
  char root[PATH_MAX];
  mount_root_name(m, root);
  sb_printf(b, "%d %d %u:%u ", m->id, m->parent ? m->parent->id : m->id, major(m->sb->dev), minor(m->sb->dev));
  sb_mangle(b, root, ESCAPED);
  sb_put(b, " ", 1);
  sb_mangle(b, at, ESCAPED);
  sb_put(b, m->flags & MS_RDONLY ? " ro" : " rw", 3);
  show_mount_flags(b, m);
  show_propagation(b, m);
  sb_printf(b, " - %s ", m->sb->fstype);
  sb_mangle(b, source_of(m), ESCAPED);
  sb_puts(b, m->sb->readonly ? " ro" : " rw");
  show_super_flags(b, m->sb);
  show_super_options(b, m->sb);
  sb_put(b, "\n", 1);
}

static void show_stats(struct sbuf *b, const struct mount *m, const char *at) {
  sb_puts(b, "device ");
  sb_mangle(b, source_of(m), ESCAPED);
  sb_puts(b, " mounted on ");
  sb_mangle(b, at, ESCAPED);
  sb_printf(b, " with fstype %s\n", m->sb->fstype);
}

static int by_id(const void *a, const void *b) {
  const struct mount *const *x = a, *const *y = b;
  return ((*x)->id > (*y)->id) - ((*x)->id < (*y)->id);
}

/* Mounts outside of the reader's root are not shown. Nothing parks in here. */
static int show(struct inode *i, struct sbuf *b, enum form form) {
  struct task *t = proc_task_borrow(i), *me = task_current();
  struct mount *m;
  size_t n = 0, have = 0;
  if (!t || !t->fs || !t->fs->ns || !me)
    return -EINVAL;
  TAILQ_FOREACH(m, &t->fs->ns->mounts, ns_link)
  n++;
  struct mount **list = malloc((n ? n : 1) * sizeof *list);
  char *buf = malloc(PATH_MAX);
  if (!list || !buf) {
    free(list);
    free(buf);
    return -ENOMEM;
  }
  TAILQ_FOREACH(m, &t->fs->ns->mounts, ns_link)
  list[have++] = m;
  qsort(list, have, sizeof *list, by_id);
  for (size_t j = 0; j < have; j++) {
    struct path p = {list[j], list[j]->root};
    const char *at = vfs_path_string(me, &p, buf, PATH_MAX);
    if (!at || *at != '/')
      continue;
    if (form == MOUNTS)
      show_line(b, list[j], at);
    else if (form == MOUNTINFO)
      show_info(b, list[j], at);
    else
      show_stats(b, list[j], at);
  }
  free(list);
  free(buf);
  return 0;
}

int proc_mounts_show(struct inode *i, struct sbuf *b) {
  return show(i, b, MOUNTS);
}
int proc_mountinfo_show(struct inode *i, struct sbuf *b) {
  return show(i, b, MOUNTINFO);
}
int proc_mountstats_show(struct inode *i, struct sbuf *b) {
  return show(i, b, MOUNTSTATS);
}
